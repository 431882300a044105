// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the players' process has the head-end do, and how the test's process carries it out.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use headend::{Auth, Headend, Licenses};
use serde::{Deserialize, Serialize};
use support::folders::{copy_files, media, scratch, without_sound};
use support::operator::catch_up;

/// How long a request may take to come, and an answer to be given.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the film without sound is, below the manifests' folder.
pub const WITHOUT_SOUND: &str = "/dash/silent/manifest.mpd";

/// Something that the head-end is to do. Counts are of this step.
#[derive(Debug, Serialize, Deserialize)]
pub enum Command {
    /// A step begins: all is well. Its name is for when it goes wrong.
    Begin(String),
    Auth(Auth),
    Licenses(Licenses),
    /// How it refuses a token.
    Refusal(u16),
    /// What the auth service answers those that hang, once they are released, and all others.
    NoToken(u16),
    Revoke,
    Release,
    ReleaseLicenses,
    /// There are other servers in the place of these.
    Restart,
    WaitForTokenRequests(usize),
    WaitForLicenseRequests(usize),
    CatchUp,
    /// Waits until the step's requests have been answered so.
    Expect(Asked),
    /// What has been asked so far.
    Look,
}

/// How requests were answered, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    pub tokens: Vec<Option<u16>>,
    pub licenses: Vec<Option<u16>>,
}

impl Asked {
    fn of(record: &headend::Record) -> Self {
        Self {
            tokens: record.token_requests().map(|one| one.status).collect(),
            licenses: record.license_requests().map(|one| one.status).collect(),
        }
    }
}

/// The head-end, and what came to it.
pub struct Servers {
    /// None in the moment of a restart.
    headend: Option<Headend>,
    media: PathBuf,
    /// What the last step was.
    pub step: String,
    /// What came of it.
    expected: Asked,
    /// What came before a restart in this step.
    before: Asked,
}

impl Servers {
    pub fn start() -> Self {
        let media = with_silent_film();
        let headend = Headend::start_with_media(0, &media).expect("a head-end");
        Self {
            headend: Some(headend),
            media,
            step: String::new(),
            expected: Asked::default(),
            before: Asked::default(),
        }
    }

    pub fn headend(&self) -> &Headend {
        self.headend.as_ref().expect("it runs")
    }

    /// Carries out a command, and gives the answer.
    pub fn carry_out(&mut self, command: &str) -> String {
        match serde_json::from_str(command).expect("a command") {
            Command::Begin(step) => self.begin(step),
            Command::Restart => self.restart(),
            Command::Auth(auth) => self.headend().set_auth(auth),
            Command::Licenses(licenses) => self.headend().set_licenses(licenses),
            Command::Refusal(status) => self.headend().set_refusal(status),
            Command::NoToken(status) => self.refuse_tokens(status, usize::MAX),
            Command::Revoke => self.headend().revoke(),
            Command::Release => self.headend().release(),
            Command::ReleaseLicenses => self.headend().release_licenses(),
            Command::WaitForTokenRequests(count) => {
                self.wait_for("token requests", |asked| asked.tokens.len() >= count);
            }
            Command::WaitForLicenseRequests(count) => {
                self.wait_for("license requests", |asked| asked.licenses.len() >= count);
            }
            Command::CatchUp => catch_up(self.headend()),
            Command::Expect(expected) => {
                self.wait_for("the expected requests", |asked| *asked == expected);
                self.expected = expected;
            }
            Command::Look => {}
        }
        serde_json::to_string(&self.asked()).expect("it is plain")
    }

    fn asked(&self) -> Asked {
        let mut asked = None;
        // The record is lent to a predicate alone.
        let looked = self.headend().wait_for(PATIENCE, |record| {
            asked = Some(self.before.and(Asked::of(record)));
            true
        });
        assert!(looked);
        asked.expect("it has been looked at")
    }

    #[track_caller]
    fn wait_for(&self, what: &str, is_there: impl Fn(&Asked) -> bool) {
        let came = self.headend().wait_for(PATIENCE, |record| {
            is_there(&self.before.and(Asked::of(record)))
        });
        let mut record = String::new();
        let looked = self.headend().wait_for(PATIENCE, |all| {
            record = all.to_string();
            true
        });
        assert!(
            came && looked,
            "{what} did not come in {}, but:\n{record}",
            self.step
        );
    }

    fn begin(&mut self, step: String) {
        assert_eq!(self.asked(), self.expected, "after it: {}", self.step);
        self.step = step;
        self.expected = Asked::default();
        self.before = Asked::default();
        let headend = self.headend();
        headend.clear_record();
        headend.set_auth(Auth::Grant);
        headend.set_licenses(Licenses::Serve);
        headend.set_refusal(403);
        self.refuse_tokens(0, 0);
    }

    fn refuse_tokens(&self, status: u16, times: usize) {
        let headend = self.headend();
        let url = headend.auth_url();
        let path = url.strip_prefix(&headend.url("")).expect("one of its own");
        headend.set_media_status(path, status, times);
    }

    fn restart(&mut self) {
        self.before = self.asked();
        let origin = self.headend().url("");
        let (_, port) = origin.rsplit_once(':').expect("a port");
        let port = port.parse().expect("a port");
        self.headend = None;
        let headend = Headend::start_with_media(port, &self.media);
        self.headend = Some(headend.expect("the port is free again"));
    }
}

impl Asked {
    /// With what came later.
    fn and(&self, later: Self) -> Self {
        Self {
            tokens: [&self.tokens[..], &later.tokens].concat(),
            licenses: [&self.licenses[..], &later.licenses].concat(),
        }
    }
}

/// A folder with the test media, and with those without sound beside them.
fn with_silent_film() -> PathBuf {
    let folder = scratch().join("media");
    for entry in fs::read_dir(media().join("dash")).expect("the test media") {
        let from = entry.expect("the test media").path();
        let name = from.file_name().expect("a folder has a name");
        copy_files(&from, &folder.join("dash").join(name));
    }
    let silent = without_sound().join("dash/cenc");
    copy_files(&silent, &folder.join("dash/silent"));
    folder
}
