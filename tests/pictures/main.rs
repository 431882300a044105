// SPDX-License-Identifier: MIT OR Apache-2.0

//! The pictures of the documentation, drawn anew into a folder of the test's own: from pipelines
//! that play, with a real head-end.

mod picture;
mod script;
mod style;

use std::fs;

use headend::{Auth, Headend, LicenseRequest};
use picture::Picture;
use script::{Drawn, PICTURES, documented, draw, folder, root};
use style::{Scheme, faint};

/// What the script plays for the pipeline, by the README's line for a written-out one.
const ELEMENTS: [&str; 11] = [
    "souphttpsrc",
    "dashdemux",
    "qtdemux",
    "sessiontoken",
    "clearkeydec",
    "h264parse",
    "avdec_h264",
    "fakevideosink",
    "aacparse",
    "avdec_aac",
    "fakeaudiosink",
];

/// What is beside them.
const SERVERS: [&str; 2] = ["auth service", "license server"];

const STEPS: [&str; 8] = [
    "manifest",
    "init segments",
    "first segments",
    "token request",
    "protection event held",
    "license request",
    "first decrypted buffer",
    "first picture",
];

/// Tunes of the script: one to load plugins, and five with `prefetch` and without.
const TUNES: usize = 11;

/// Those that are the same each time.
const SAME: [&str; 3] = ["key-request.svg", "rejected-token.svg", "hls.svg"];

/// Width of a narrow screen, and the least size of letters on it, in pixels.
const NARROW: f64 = 390.0;
const LEAST_SIZE: f64 = 11.0;

impl Picture {
    #[track_caller]
    fn assert_is_the_pipeline(&self) {
        let (single, double): (Vec<_>, Vec<_>) = ELEMENTS
            .iter()
            .partition(|name| !["qtdemux", "sessiontoken", "clearkeydec"].contains(name));
        self.assert_names(&single, 1);
        self.assert_names(&double, 2);
        self.assert_names(&SERVERS, 1);
        // An event has its token behind our element, and not before it.
        self.assert_names(&["protection events"], 4);
        self.assert_names(&["with the token"], 2);
        for said in [
            "qtdemux to sessiontoken (application/x-cenc, protection events);",
            "sessiontoken to clearkeydec (application/x-cenc, protection events with the token);",
            "clearkeydec to h264parse (video/x-h264);",
        ] {
            assert!(self.description.contains(said), "{}", self.description);
        }
    }

    #[track_caller]
    fn assert_is_the_timeline(&self) {
        self.assert_names(&STEPS, 2);
        self.assert_names(&["prefetch=true (the default)", "prefetch=false"], 1);
    }

    /// When this step ended, in ms, with `prefetch` and without.
    fn ends(&self, step: &str) -> [u32; 2] {
        let of = |kind| {
            let (_, told) = self.description.split_once(kind).expect("the kind");
            let (told, _) = told.split_once('.').expect("the end of the sentence");
            let mut steps = told.split(", ");
            let step = steps.find_map(|one| one.trim_start().strip_prefix(step));
            let time = step.and_then(|one| one.strip_suffix(" ms"));
            let time = time.and_then(|one| one.rsplit(' ').next());
            time.expect("the step").parse().expect("a time")
        };
        ["With prefetch=true: ", "With prefetch=false: "].map(of)
    }
}

/// A newcomer would look at a pipeline that nobody has, or at times that nobody has seen.
#[test]
fn pictures_show_playing_pipeline_and_its_timeline() {
    let drawn = Drawn::once();
    // Each run was a first tune, and one request served both streams.
    let licenses = drawn.headend.license_requests();
    assert!(licenses[..TUNES].iter().all(|license| license.token_valid));

    drawn.picture("pipeline.svg").assert_is_the_pipeline();
    let timeline = drawn.picture("timeline.svg");
    timeline.assert_is_the_timeline();
    let [manifest, _] = timeline.ends("manifest");
    assert!(manifest >= 70, "{manifest}");
    // Whatever the machine does besides: the request cannot end before it has begun, after two
    // files.
    let [_, without_prefetch] = timeline.ends("token request");
    assert!(without_prefetch >= 340, "{without_prefetch}");
}

/// The arrows would be others than the requests that servers get.
#[test]
fn arrows_are_requests_that_servers_got() {
    let headend = &Drawn::once().headend;
    // One in each tune and in the flow of a key request, two where one is rejected, three where all
    // are. What HLS needs comes last.
    let tokens = headend.token_requests();
    assert_eq!(tokens.len(), TUNES + 1 + 2 + 3 + 1);
    assert!(tokens.iter().all(|token| token.status == Some(200)));

    let licenses = headend.license_requests();
    let status = |license: &LicenseRequest| license.status.expect("an answer");
    let statuses: Vec<_> = licenses[TUNES..].iter().map(status).collect();
    // In HLS each of two streams names its own key.
    assert_eq!(statuses, [200, 403, 200, 403, 403, 403, 200, 200]);
    let [first, second] = &licenses[TUNES + 1..TUNES + 3] else {
        unreachable!("two of eight");
    };
    assert_ne!(first.authorization, second.authorization);
    assert_eq!(first.body, second.body);
    let has_token = |license: &LicenseRequest| {
        let authorization = license.authorization.as_deref();
        authorization.is_some_and(|value| value.starts_with("Bearer "))
    };
    assert!(licenses.iter().all(has_token));

    // The keys of two presentations by AES-128.
    let media = headend.media_requests();
    let keys = media.iter().filter(|one| one.path.ends_with("/key.bin"));
    let with_token = keys.map(|key| key.headers.iter().any(|(name, _)| name == "authorization"));
    let with_token: Vec<_> = with_token.collect();
    assert!(with_token.contains(&true), "{with_token:?}");
}

/// The documentation would show what the elements do no more.
#[test]
fn documented_pictures_are_those_just_drawn() {
    let drawn = Drawn::once();
    for name in SAME {
        let documented = root().join("docs/pictures").join(name);
        let documented = fs::read_to_string(documented).expect("the picture");
        let differ = documented != drawn.text(name);
        assert!(!differ, "{name} is not what scripts/pictures draws now");
    }
    // Times and versions of GStreamer differ, colors do not.
    for name in PICTURES {
        assert_eq!(documented(name).style, drawn.picture(name).style, "{name}");
    }
}

/// A newcomer would read of steps in another order than they have.
#[test]
fn key_request_pictures_show_messages_in_order() {
    let ends = [
        "auth service",
        "sessiontoken",
        "clearkeydec",
        "license server",
    ];
    let flow = [
        "demuxer",
        "protection event",
        "holds the stream",
        "token request",
        "token",
        "protection event",
        "with drm-key-request",
        "license request",
        "Authorization: Bearer …",
        "license",
        "decrypted samples",
        "decoder",
    ];
    let texts = documented("key-request.svg");
    let texts = texts.texts();
    assert_eq!(texts[..4], ends);
    assert_eq!(texts[4..], flow);

    let flow = [
        ["protection event", "with token 1"].as_slice(),
        &["license request", "with token 1"],
        &["HTTP 403", "reject token 1"],
        &["token request", "token 2"],
        &["drm-key-request", "with token 2"],
        &["license request", "with token 2"],
        &["license", "decrypted samples", "decoder"],
        &["3 tokens rejected in a row: an error"],
    ];
    let texts = documented("rejected-token.svg");
    let texts = texts.texts();
    assert_eq!(texts[..4], ends);
    assert_eq!(texts[4..], flow.concat());
}

/// A token or a key would be in the documentation.
#[test]
fn pictures_are_introduced_and_hold_no_secret() {
    let drawn = Drawn::once();
    let secrets = drawn.secrets();
    for name in PICTURES {
        documented(name).assert_is_introduced();
        drawn.picture(name).assert_is_introduced();
        let text = drawn.text(name);
        let has_secret = secrets.iter().any(|secret| text.contains(secret));
        assert!(!has_secret, "{name}");
    }
}

/// Whoever prefers a dark page, or sees little, could not read a picture.
#[test]
fn text_has_contrast_in_light_and_in_dark() {
    for name in PICTURES {
        let picture = documented(name);
        assert!(picture.texts().len() > 10, "{name}");
        for scheme in [Scheme::Light, Scheme::Dark] {
            assert_eq!(faint(&picture, scheme), Vec::<String>::new(), "{name}");
        }
    }
}

/// Whoever reads on a phone could not.
#[test]
fn newer_pictures_are_readable_on_a_narrow_screen() {
    for name in SAME {
        let picture = documented(name);
        let texts = picture.shapes.iter().filter(|one| one.element == "text");
        for text in texts {
            let size = picture.style.font_size(text) * NARROW / picture.width;
            assert!(size >= LEAST_SIZE, "{name}, {}: {size}", text.text);
        }
    }
}

/// An author of the documentation would keep a picture of a tune that failed.
#[test]
fn tune_that_fails_is_not_drawn() {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 403,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    });
    let folder = folder("no-pictures");
    let output = draw(&headend, &folder);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("pictures: ") && said.contains("HTTP 403"),
        "{said}"
    );
    for name in PICTURES {
        assert!(!folder.join(name).exists(), "{name}");
    }
}

/// The documentation would show something else than the script draws, or nothing.
#[test]
fn documentation_shows_all_pictures_whole() {
    documented("pipeline.svg").assert_is_the_pipeline();
    documented("timeline.svg").assert_is_the_timeline();
    for (document, picture) in [
        ("README.md", "(docs/pictures/pipeline.svg)"),
        ("docs/applications.md", "(pictures/timeline.svg)"),
        ("docs/key-requests.md", "(pictures/key-request.svg)"),
        ("docs/licenses.md", "(pictures/rejected-token.svg)"),
        ("docs/hls.md", "(pictures/hls.svg)"),
    ] {
        let text = fs::read_to_string(root().join(document)).expect("a document");
        assert!(text.contains(picture), "{document} does not show {picture}");
    }
}
