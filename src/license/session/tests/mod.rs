// SPDX-License-Identifier: MIT OR Apache-2.0

//! A stream's licenses, with a license server and a store that say what a test wants, at times that
//! it names.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use crate::cenc::{ContentKey, InitData, KeyId, License, read_license};
use crate::error::{Failure, Kind};
use crate::http::{Endpoint, HttpResponse, TlsSettings};
use crate::license::context::{LicenseFetcher, PollContext};
use crate::license::key_request::KeyRequest;
use crate::license::key_request_fields::KeyRequestFields;
use crate::license::named_keys::FRAGMENT;
use crate::license::notice::LicenseNotice;
use crate::license::policy::LicensePolicy;
use crate::license::request::{Granted, LicenseRequest, LicenseResult};
use crate::license::session::{LicenseSession, Missing};
use crate::license::token_store::{Renewal, TokenStore};
use crate::shared_result::{Completer, SharedResult};
use crate::token::{ClockReading, Secret};
use crate::wait::lock;

mod ahead;
mod renewal;
mod requests;
mod tokens;

const ONE: KeyId = KeyId([1; 16]);
const TWO: KeyId = KeyId([2; 16]);
const THREE: KeyId = KeyId([3; 16]);

const TIMEOUT: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

type Shared = Arc<SharedResult<LicenseResult>>;

/// A license server whose answers a test gives.
#[derive(Default)]
struct Server {
    requests: Mutex<Vec<(LicenseRequest, Option<Completer<LicenseResult>>)>>,
    /// What another decryptor has asked for already.
    others: Mutex<Option<Shared>>,
    /// How many results the last one who asked had already.
    excluded: Mutex<usize>,
}

impl LicenseFetcher for Server {
    fn request(
        &self,
        request: LicenseRequest,
        not: &[Shared],
        _context: &PollContext<'_>,
    ) -> (Shared, bool) {
        *lock(&self.excluded) = not.len();
        if let Some(result) = lock(&self.others).take() {
            return (result, true);
        }
        let abandoned = Failure::transient("nobody answers");
        let (result, completer) = SharedResult::pending(Err(abandoned));
        lock(&self.requests).push((request, Some(completer)));
        (result, false)
    }
}

/// A store of tokens.
#[derive(Default)]
struct Store {
    newest: Mutex<Renewal>,
    failure: Mutex<Option<String>>,
    rejected: Mutex<Vec<(u32, u16)>>,
    pending: Mutex<Option<Completer<Renewal>>>,
    is_flushing: Mutex<bool>,
}

impl TokenStore for Store {
    fn reject(&self, generation: u32, http_status: u16) -> Option<Arc<SharedResult<Renewal>>> {
        lock(&self.rejected).push((generation, http_status));
        let (result, completer) = SharedResult::pending(None);
        *lock(&self.pending) = Some(completer);
        Some(result)
    }

    fn failure(&self) -> Option<String> {
        lock(&self.failure).clone()
    }

    fn newest_of(&self, _generation: u32) -> Renewal {
        lock(&self.newest).clone()
    }

    fn set_flushing(&self, is_flushing: bool) {
        *lock(&self.is_flushing) = is_flushing;
    }
}

impl Store {
    fn answer(&self, renewal: Renewal) {
        let pending = lock(&self.pending).take();
        pending.expect("somebody waits").complete(renewal);
    }
}

fn token(generation: u32) -> KeyRequestFields {
    let text = format!("token-{generation}");
    KeyRequestFields {
        headers: vec![("x-token".to_owned(), Secret::from(text.as_str()))],
        query: None,
        custom_data: None,
        token: Some(Secret::new(text)),
        generation,
    }
}

struct Rig {
    session: LicenseSession,
    server: Server,
    store: Arc<Store>,
    policy: LicensePolicy,
    now: ClockReading,
}

impl Rig {
    /// A stream without init data, and without a token.
    fn new() -> Self {
        let license_url = Endpoint::parse("https://license/", "license-url", false);
        Self {
            session: LicenseSession::default(),
            server: Server::default(),
            store: Arc::default(),
            policy: LicensePolicy {
                license_url: Some(license_url.expect("a URL")),
                token_hosts: None,
                timeout: TIMEOUT,
                retries: 0,
                tls: TlsSettings::default().load().expect("the defaults"),
                allow_cleartext: false,
                keep_licenses: false,
            },
            now: ClockReading::now(),
        }
    }

    /// One with the token of generation 1, and a store that has no other.
    fn with_token() -> Self {
        let mut rig = Self::new();
        *lock(&rig.store.newest) = Some(token(1));
        let request = KeyRequest::new(token(1), None, Some(rig.store.clone()));
        rig.session.set_key_request(Some(request), None);
        rig
    }

    /// One that has that license.
    fn with_license(key_ids: &[KeyId], license: License) -> Self {
        let mut rig = Self::new();
        rig.name(key_ids, None);
        assert!(rig.waits(key_ids[0]));
        rig.grant(0, license);
        assert!(rig.obtain(key_ids[0]).is_ok());
        rig.session.take_notices();
        rig
    }

    fn name(&mut self, key_ids: &[KeyId], origin: Option<&str>) {
        let init_data = InitData {
            key_ids: key_ids.to_vec(),
            ..InitData::default()
        };
        self.session.add_init_data(&init_data, origin);
    }

    /// A sample with that key has come.
    fn obtain(&mut self, key_id: KeyId) -> Result<(), Missing> {
        if self.session.settled(key_id).is_some() {
            return Ok(());
        }
        let context = PollContext {
            policy: &self.policy,
            fetcher: &self.server,
            waker: Waker::noop(),
            now: self.now,
        };
        self.session.obtain(key_id, &context)
    }

    /// All events before the first sample have come.
    fn ask_ahead(&mut self) {
        let context = PollContext {
            policy: &self.policy,
            fetcher: &self.server,
            waker: Waker::noop(),
            now: self.now,
        };
        self.session.ask_ahead(&context);
    }

    fn waits(&mut self, key_id: KeyId) -> bool {
        matches!(self.obtain(key_id), Err(Missing::Wait(_)))
    }

    fn failure(&mut self, key_id: KeyId) -> Failure {
        match self.obtain(key_id) {
            Err(Missing::Failed(failure)) => failure,
            _ => panic!("it does not fail"),
        }
    }

    fn go_on(&mut self, time: Duration) {
        self.now = self.now.after(time).expect("a time");
    }

    /// The key ids of each request.
    fn asked(&self) -> Vec<Vec<KeyId>> {
        let requests = lock(&self.server.requests);
        requests
            .iter()
            .map(|(one, _)| one.key_ids.clone())
            .collect()
    }

    fn tokens_sent(&self) -> Vec<String> {
        let requests = lock(&self.server.requests);
        let sent = |(request, _): &(LicenseRequest, _)| {
            let token = request.parts.token.as_ref();
            assert_eq!(token, request.parts.headers.first().map(|(_, value)| value));
            token.map_or_else(String::new, |token| token.expose().to_owned())
        };
        requests.iter().map(sent).collect()
    }

    fn answer(&self, number: usize, answer: LicenseResult) {
        let completer = lock(&self.server.requests)[number].1.take();
        completer.expect("it is open").complete(answer);
    }

    fn grant(&self, number: usize, license: License) {
        self.answer(number, Ok(self.granted(number, license)));
    }

    fn granted(&self, number: usize, license: License) -> Arc<Granted> {
        let key_ids = lock(&self.server.requests)[number].0.key_ids.clone();
        Arc::new(Granted::new(license, &key_ids, self.now))
    }

    /// What the application has been told: `+` for a license, `r` for a renewal, `s` for one that
    /// is shared, `!` for a renewal that failed.
    fn told(&mut self) -> String {
        let notices = self.session.take_notices().into_iter();
        let letters = notices.map(|notice| match notice {
            LicenseNotice::Granted {
                is_renewal: true, ..
            } => 'r',
            LicenseNotice::Granted {
                is_shared: true, ..
            } => 's',
            LicenseNotice::Granted { .. } => '+',
            LicenseNotice::RenewalFailed(_) => '!',
        });
        letters.collect()
    }
}

/// A license with these keys, each until then.
fn license(keys: &[(KeyId, Option<SystemTime>)]) -> License {
    let keys = keys.iter().map(|(key_id, end)| {
        let end = end.map(|end| end.duration_since(SystemTime::UNIX_EPOCH).expect("a time"));
        serde_json::json!({
            "kty": "oct",
            "kid": URL_SAFE_NO_PAD.encode(key_id.0),
            "k": URL_SAFE_NO_PAD.encode([9; 16]),
            "exp": end.map(|end| end.as_secs()),
        })
    });
    let body = serde_json::json!({ "keys": keys.collect::<Vec<_>>() }).to_string();
    read_license(&HttpResponse::new(200, body.as_bytes())).expect("a license")
}

fn endless(key_ids: &[KeyId]) -> License {
    license(&key_ids.iter().map(|one| (*one, None)).collect::<Vec<_>>())
}

/// One whose keys end in ten minutes.
fn ten_minutes(key_ids: &[KeyId]) -> License {
    let end = SystemTime::now() + 10 * MINUTE;
    license(
        &key_ids
            .iter()
            .map(|one| (*one, Some(end)))
            .collect::<Vec<_>>(),
    )
}

fn refused(status: u16) -> LicenseResult {
    Err(Failure::denied("refused: try harder").with_http_status(status))
}
