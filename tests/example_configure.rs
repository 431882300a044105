// SPDX-License-Identifier: MIT OR Apache-2.0

//! The samples by which an application configures the elements that a player plugs: what the
//! documents print is what is compiled and played here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gst::prelude::*;
use gstsessiontoken::api::{LicenseMessage, LicenseState, TokenMessage, TokenState};
use headend::Headend;
use support::cc;
use support::folders::{plugin_folder, repository, scratch};

/// The samples in Rust, as they stand in an application.
mod samples {
    use gst::prelude::*;

    include!("../examples/configure/context.rs");
    include!("../examples/configure/property.rs");
}

const SAMPLES: &str = "examples/configure";

/// What prints them.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/applications.md"];

const MANIFEST: &str = "/dash/cenc/manifest.mpd";

const AUTH_SERVICE: &str = "/authService/getSessionToken";

fn read(path: impl AsRef<Path>) -> String {
    let path = repository().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn samples() -> Vec<PathBuf> {
    let folder = fs::read_dir(repository().join(SAMPLES)).expect("the samples");
    folder
        .map(|entry| entry.expect("a sample").path())
        .collect()
}

/// The head-end is not where elements look by themselves, so a token comes by the sample alone.
#[track_caller]
fn assert_plays(command: &mut Command, headend: &Headend) {
    let output = command
        .arg(headend.url(MANIFEST))
        .arg(headend.url(AUTH_SERVICE))
        .env("GST_PLUGIN_PATH", plugin_folder())
        .env("GST_REGISTRY", scratch().join("configure-registry"))
        .env("no_proxy", "localhost,127.0.0.1")
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        .env_remove("GST_PLUGIN_FEATURE_RANK")
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{command:?}\n{output:?}");
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn documents_print_samples_as_they_are() {
    let samples = samples();
    assert_eq!(samples.len(), 6, "{samples:?}");
    let documents = DOCUMENTS.map(read);
    for sample in samples {
        let code = read(&sample);
        let extension = sample.extension().expect("a language").to_str();
        let language = match extension.expect("in UTF-8") {
            "py" => "python",
            "rs" => "rust",
            other => other,
        };
        let block = format!("```{language}\n{}```", code.replace("pub fn ", "fn "));
        assert!(
            documents.iter().any(|text| text.contains(&block)),
            "no document prints {}",
            sample.display()
        );
    }
}

#[test]
fn samples_in_c_play() {
    let program = cc::program("tests/configure/player.c", &["gstreamer-1.0"]);
    for way in ["property", "context"] {
        let headend = Headend::start().expect("a head-end");
        let mut command = Command::new("env");
        if way == "context" {
            // That sample leaves the rank to the other one.
            command.arg("GST_PLUGIN_FEATURE_RANK=sessiontoken:PRIMARY");
        }
        assert_plays(command.arg(&program).arg(way), &headend);
    }
}

#[test]
fn samples_in_python_play() {
    for sample in ["property.py", "environment.py"] {
        let headend = Headend::start().expect("a head-end");
        let mut command = Command::new("/usr/bin/python3");
        command
            .arg(repository().join("tests/configure/player.py"))
            .arg(repository().join(SAMPLES).join(sample));
        assert_plays(&mut command, &headend);
    }
}

/// Plays it in this process.
#[track_caller]
fn assert_plays_here(configure: impl Fn(&gst::Element, &str)) {
    let headend = Headend::start().expect("a head-end");
    let make = |factory: &str| {
        let element = gst::ElementFactory::make(factory).build();
        element.unwrap_or_else(|error| panic!("{factory}: {error}"))
    };
    let player = make("playbin3");
    player.set_property("uri", headend.url(MANIFEST));
    player.set_property("video-sink", make("fakevideosink"));
    player.set_property("audio-sink", make("fakeaudiosink"));
    configure(&player, &headend.url(AUTH_SERVICE));
    player.set_state(gst::State::Playing).expect("it starts");
    let bus = player.bus().expect("a pipeline has one");
    let (mut tokens, mut licenses) = (Vec::new(), Vec::new());
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        if let Some(token) = TokenMessage::of(&message) {
            assert!(token.location().is_some() && token.text().is_some());
            tokens.extend(token.state());
        } else if let Some(license) = LicenseMessage::of(&message) {
            assert_eq!(license.keys(), Some(2));
            licenses.extend(license.state());
        } else if message.type_() == gst::MessageType::Eos {
            break;
        }
        assert_ne!(message.type_(), gst::MessageType::Error, "{message:?}");
    }
    player.set_state(gst::State::Null).expect("it stops");
    // Of picture and sound.
    assert_eq!(tokens, [TokenState::Acquired; 2]);
    assert_eq!(licenses, [LicenseState::Acquired; 2]);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn samples_in_rust_play() {
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
    assert_plays_here(|player, auth_service| {
        let player = player
            .downcast_ref::<gst::Bin>()
            .expect("playbin3 is a bin");
        samples::configure(player, auth_service);
    });
    // Which leaves the rank to the other one.
    assert_plays_here(samples::configure_by_context);
}
