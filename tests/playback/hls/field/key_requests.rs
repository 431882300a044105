// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that want the token: who is asked, how often, and who gets to see the token.

use std::collections::BTreeSet;
use std::fs;

use headend::{Headend, KeyPolicy, key_of};
use support::folders::scratch_folder;
use support::in_both_players;
use support::operator::Operator;
use support::operator::address;
use support::player::Player;

use super::part::{Aes128, Form, Part, Track};
use super::presentation::Presentation;
use super::{
    FOLDER, as_usual, assert_keys, assert_keys_in_any_order, assert_plays, assert_plays_with,
    assert_says, assert_tokens_and_licenses, complaint, complaint_with, open, operator,
};
use crate::child::{launch_line, run};

fn with_keys(keys: [Aes128; 3]) -> Presentation {
    let mut number = 0;
    Presentation::new().video(keys.map(|key| {
        number += 1;
        Part::muxed(number).aes128(&key)
    }))
}

/// One key for all of it.
fn with_key(key: Aes128) -> Presentation {
    with_keys([key.clone(), key.clone(), key])
}

/// The URL of a key on another head-end, by the name that is not an address.
fn elsewhere(other: &Headend, name: &str) -> String {
    other.key_url(name).replace("127.0.0.1", "localhost")
}

/// A head-end that takes the tokens of this one.
fn trusting(operator: &Operator) -> Headend {
    let other = Headend::start().expect("a head-end");
    other.set_keys(KeyPolicy::Token);
    other.trust(operator);
    other
}

/// The name and port by which it is asked.
fn name_of(other: &Headend) -> String {
    address(other).replace("127.0.0.1", "localhost")
}

/// Asserts that nobody asks for files with the token.
#[track_caller]
fn assert_files_without_token(operator: &Operator) {
    for request in operator.media_requests() {
        let headers = format!("{:?}", request.headers);
        assert!(!headers.contains("headend-session"), "{request:?}");
        assert!(!request.path.contains("headend-session"), "{request:?}");
    }
}

#[track_caller]
fn reply(status: u16, body: &[u8]) -> KeyPolicy {
    KeyPolicy::Reply {
        status,
        content_type: "text/html".to_owned(),
        body: body.to_vec(),
    }
}

in_both_players! {
    fn wanted_token_is_brought_after_a_refusal(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        assert_plays(player, &operator, &with_key(Aes128::key("1")));
        assert_keys(&operator, &[("1", false), ("1", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
        assert_files_without_token(&operator);
    }

    fn wanted_token_is_brought_for_mp4_too(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let key = Aes128::key("1");
        let parts = |track| [1, 2, 3].map(|n| Part::mp4("clear", track, n).aes128(&key));
        let [video, audio] = [Track::Video, Track::Audio].map(parts);
        let presentation = Presentation::new().video(video).audio(audio);
        assert_plays(player, &operator, &presentation);
        assert_keys(&operator, &[("1", false), ("1", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
        assert_files_without_token(&operator);
    }

    fn token_and_key_are_in_no_log(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let key = Aes128::key("1");
        let parts = [1, 2, 3].map(|n| Part::mp4("clear", Track::Video, n).aes128(&key));
        let path = Presentation::picture(parts).publish(&operator, Form::Protected, FOLDER);
        let line = player.launch_line(&operator.url(&path), "");
        let folder = scratch_folder();
        let log = folder.join("everything.log");
        let config = format!(
            "session-token-config,location=(string)\"{}\"",
            operator.location()
        );
        let ranks = "hlsdrmdemux:MAX,sessiontoken:PRIMARY";
        let output = run(launch_line(&operator, ranks, &line, &["-v", "-m"])
            .env("GST_SESSION_TOKEN_CONFIG", config)
            .env("GST_DEBUG", "*:9")
            .env("GST_DEBUG_FILE", &log)
            .env("GST_DEBUG_NO_COLOR", "1")
            // GStreamer's own logging fails at a structure of its multiqueue.
            .env_remove("G_DEBUG"));
        assert!(output.status.success(), "{}", output.stderr);
        assert_keys(&operator, &[("1", false), ("1", true)]);
        let text = fs::read(&log).expect("a log");
        let text = String::from_utf8_lossy(&text);
        assert!(text.contains("<hlsdrmdemux0>"));
        let key = key_of("1");
        let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        for secret in [operator.token(), hex.clone(), hex.to_uppercase(), format!("{key:?}")] {
            for said in [&*text, &output.stdout, &output.stderr] {
                assert!(!said.contains(&secret));
            }
        }
        // It takes a hundred megabytes.
        fs::remove_dir_all(folder).expect("the folder goes");
    }

    // An origin that wanted it once wants it again.
    fn second_key_request_to_origin_sends_token_at_once(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        assert_plays(player, &operator, &with_keys(["1", "2", "3"].map(Aes128::key)));
        assert_keys_in_any_order(&operator, &[("1", false), ("1", true), ("2", true), ("3", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn forbidden_is_a_wish_for_the_token_too(player: Player) {
        let operator = operator();
        operator.set_key("1", KeyPolicy::Sequence(vec![KeyPolicy::Refuse(403), KeyPolicy::Token]));
        assert_plays(player, &operator, &with_key(Aes128::key("1")));
        assert_keys(&operator, &[("1", false), ("1", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn key_request_token_always_sends_token_at_once(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let presentation = with_key(Aes128::key("1"));
        assert_plays_with(player, &operator, &presentation, |setup| {
            setup.config("key-request-token", "always")
        });
        assert_keys(&operator, &[("1", true)]);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn token_is_never_brought_where_the_property_says_so(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        let presentation = with_key(Aes128::key("1"));
        let complaint = complaint_with(player, &operator, &presentation, |setup| {
            setup.config("key-request-token", "never")
        });
        assert_says(&complaint, gst::ResourceError::NotAuthorized, &["401", &address(&operator)]);
        assert_keys(&operator, &[("1", false)]);
        assert_tokens_and_licenses(&operator, 0, 0);
    }

    fn token_goes_in_the_header_that_the_template_says(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        operator.set_token_header("x-session");
        let presentation = with_key(Aes128::key("1"));
        assert_plays_with(player, &operator, &presentation, |setup| {
            setup.config("key-request-header", "X-Session: {token}")
        });
        let requests = operator.key_requests();
        assert_eq!(requests.last().map(|one| one.authorization.clone()), Some(None));
        assert_keys(&operator, &[("1", false), ("1", true)]);
    }

    fn refused_token_is_replaced(player: Player) {
        let operator = operator();
        let policies = vec![KeyPolicy::Refuse(401), KeyPolicy::Revoke(403), KeyPolicy::Token];
        operator.set_key("1", KeyPolicy::Sequence(policies));
        assert_plays(player, &operator, &with_key(Aes128::key("1")));
        assert_keys(&operator, &[("1", false), ("1", true), ("1", true)]);
        assert_tokens_and_licenses(&operator, 2, 0);
        assert!(operator.key_requests()[2].token_valid);
    }

    // The auth service brings another token, which is refused as well.
    fn every_token_refused_is_one_error(player: Player) {
        let operator = operator();
        let policies = vec![KeyPolicy::Refuse(401), KeyPolicy::Revoke(403)];
        operator.set_key("1", KeyPolicy::Sequence(policies));
        let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
        let words = ["HTTP 403", &*address(&operator)];
        assert_says(&complaint, gst::ResourceError::NotAuthorized, &words);
        let requests = operator.key_requests();
        let [first, rest @ ..] = &requests[..] else {
            panic!("no key request");
        };
        assert!(!first.token_present);
        // As many as a session has before it gives up, and none of them twice.
        assert!((2..=3).contains(&rest.len()), "{} requests", rest.len());
        let tokens: BTreeSet<_> = rest.iter().map(|one| &one.authorization).collect();
        assert_eq!(tokens.len(), rest.len());
    }

    // The auth service has no other token, and the refused one is not sent again.
    fn key_that_is_refused_for_ever_is_one_error(player: Player) {
        for status in [401, 403] {
            let operator = operator();
            operator.set_keys(KeyPolicy::Refuse(status));
            let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
            let words = [&*format!("HTTP {status}"), &address(&operator)];
            assert_says(&complaint, gst::ResourceError::NotAuthorized, &words);
            assert_keys(&operator, &[("1", false), ("1", true)]);
            assert_tokens_and_licenses(&operator, 2, 0);
        }
    }

    fn error_has_no_query(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Refuse(404));
        let key = Aes128::key("1").uri("/keys/1?token=query-secret");
        let complaint = complaint(player, &operator, &with_key(key));
        let message = complaint.error.message();
        assert!(message.contains("404") && message.contains(&address(&operator)), "{message}");
        let said = format!("{} {:?}", complaint.error, complaint.details);
        assert!(!said.contains("query-secret"), "{said}");
    }

    fn open_key_on_another_host_plays(player: Player) {
        let operator = operator();
        let other = Headend::start().expect("a head-end");
        let key = Aes128::key("1").uri(elsewhere(&other, "1"));
        assert_plays(player, &operator, &with_key(key));
        assert_keys(&other, &[("1", false)]);
        assert_tokens_and_licenses(&operator, 0, 0);
    }

    fn another_host_gets_no_token(player: Player) {
        for property in ["on-refusal", "always"] {
            let operator = operator();
            let other = trusting(&operator);
            let key = Aes128::key("1").uri(elsewhere(&other, "1"));
            let complaint = complaint_with(player, &operator, &with_key(key), |setup| {
                setup.config("key-request-token", property)
            });
            let words = ["token-hosts", &*name_of(&other)];
            assert_says(&complaint, gst::ResourceError::NotAuthorized, &words);
            assert!(!other.key_requests().iter().any(|request| request.token_present));
        }
    }

    fn another_host_gets_the_token_that_is_allowed(player: Player) {
        for shape in ["host", "port", "list"] {
            let operator = operator();
            let other = trusting(&operator);
            let hosts = match shape {
                "host" => "localhost".to_owned(),
                "port" => name_of(&other),
                _ => format!("keys.example.com, LOCALHOST:1 {}", name_of(&other)),
            };
            let key = Aes128::key("1").uri(elsewhere(&other, "1"));
            assert_plays_with(player, &operator, &with_key(key), |setup| {
                setup.config("token-hosts", hosts)
            });
            assert_keys(&other, &[("1", false), ("1", true)]);
            assert_tokens_and_licenses(&operator, 1, 0);
        }
    }

    // Whatever else is allowed by its name.
    fn host_by_another_port_is_another_one(player: Player) {
        let operator = operator();
        let other = trusting(&operator);
        let key = Aes128::key("1").uri(elsewhere(&other, "1"));
        let complaint = complaint_with(player, &operator, &with_key(key), |setup| {
            setup.config("token-hosts", "localhost:1")
        });
        assert_says(&complaint, gst::ResourceError::NotAuthorized, &["token-hosts"]);
        assert_keys(&other, &[("1", false)]);
    }

    fn redirect_to_the_same_origin_is_followed(player: Player) {
        for status in [302, 307] {
            let operator = operator();
            operator.set_key("1", KeyPolicy::Redirect { status, to: "/keys/2".to_owned() });
            let key = Aes128::key("2").uri("/keys/1");
            assert_plays(player, &operator, &with_key(key));
            assert_keys(&operator, &[("1", false), ("2", false)]);
            assert_tokens_and_licenses(&operator, 0, 0);
        }
    }

    fn redirect_to_the_same_origin_brings_the_token(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        operator.set_key("1", KeyPolicy::Redirect { status: 307, to: "/keys/2".to_owned() });
        assert_plays(player, &operator, &with_key(Aes128::key("2").uri("/keys/1")));
        let requests = [("1", false), ("2", false), ("1", true), ("2", true)];
        assert_keys(&operator, &requests);
        assert_tokens_and_licenses(&operator, 1, 0);
    }

    fn redirect_to_another_host_plays_without_token(player: Player) {
        let operator = operator();
        let other = Headend::start().expect("a head-end");
        let to = elsewhere(&other, "2");
        operator.set_key("1", KeyPolicy::Redirect { status: 302, to });
        assert_plays_with(player, &operator, &with_key(Aes128::key("2").uri("/keys/1")), |setup| {
            setup.config("key-request-token", "always")
        });
        assert_keys(&operator, &[("1", true)]);
        assert_keys(&other, &[("2", false)]);
    }

    fn redirect_to_another_host_brings_no_token(player: Player) {
        let operator = operator();
        let other = trusting(&operator);
        let to = elsewhere(&other, "2");
        operator.set_key("1", KeyPolicy::Redirect { status: 307, to });
        let complaint = complaint(player, &operator, &with_key(Aes128::key("2").uri("/keys/1")));
        let words = ["token-hosts", &*name_of(&other)];
        assert_says(&complaint, gst::ResourceError::NotAuthorized, &words);
        assert!(!other.key_requests().iter().any(|request| request.token_present));
    }

    fn redirect_to_another_host_sends_allowed_token(player: Player) {
        let operator = operator();
        let other = trusting(&operator);
        let to = elsewhere(&other, "2");
        operator.set_key("1", KeyPolicy::Redirect { status: 307, to });
        let presentation = with_key(Aes128::key("2").uri("/keys/1"));
        let hosts = name_of(&other);
        assert_plays_with(player, &operator, &presentation, |setup| {
            setup.config("token-hosts", hosts)
        });
        assert_keys(&other, &[("2", false), ("2", true)]);
        // Its own list allows the other host alone.
        assert!(!operator.key_requests().iter().any(|request| request.token_present));
    }

    fn redirect_in_circles_ends(player: Player) {
        let operator = operator();
        operator.set_key("1", KeyPolicy::Redirect { status: 302, to: "/keys/1".to_owned() });
        let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
        assert!(complaint.error.message().contains("redirect"), "{complaint:?}");
        assert!(operator.key_requests().len() <= 11);
    }

    fn what_is_no_key_is_an_error(player: Player) {
        let html = &b"<html>Please log in</html>"[..];
        for body in [html, b"fifteen bytes..", b"seventeen bytes..", b""] {
            let operator = operator();
            operator.set_key("1", reply(200, body));
            let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
            let words = ["16", &*address(&operator), &*body.len().to_string()];
            assert_says(&complaint, gst::ResourceError::Read, &words);
            let message = complaint.error.message();
            assert!(!message.contains("log in") && !message.contains("teen"), "{message}");
            assert_tokens_and_licenses(&operator, 0, 0);
        }
    }

    fn key_server_that_fails_for_a_moment_is_asked_again(player: Player) {
        let operator = operator();
        operator.set_key("1", KeyPolicy::Sequence(vec![KeyPolicy::Refuse(503), KeyPolicy::Open]));
        assert_plays(player, &operator, &with_key(Aes128::key("1")));
        assert_keys(&operator, &[("1", false), ("1", false)]);
        assert_tokens_and_licenses(&operator, 0, 0);
    }

    fn key_server_that_fails_is_one_error(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Refuse(503));
        let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
        let words = ["HTTP 503", &*address(&operator)];
        assert_says(&complaint, gst::ResourceError::OpenRead, &words);
        assert!(operator.key_requests().len() <= 3, "{:?}", operator.key_requests());
    }

    fn auth_service_that_refuses_is_one_error(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        operator.set_auth(support::operator::refusing(403));
        let complaint = complaint(player, &operator, &with_key(Aes128::key("1")));
        assert_says(&complaint, gst::ResourceError::NotAuthorized, &["403"]);
        assert_keys(&operator, &[("1", false)]);
    }

    fn player_stops_while_a_key_hangs(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Hang);
        let played = open(player, &operator, &with_key(Aes128::key("1")), as_usual);
        played.harness.start();
        operator.wait_for_key_requests(1);
        played.harness.stop(gst::State::Null);
        assert_keys(&operator, &[("1", false)]);
    }

    fn player_stops_while_the_token_for_a_key_hangs(player: Player) {
        let operator = operator();
        operator.set_keys(KeyPolicy::Token);
        operator.set_auth(headend::Auth::Hang);
        let played = open(player, &operator, &with_key(Aes128::key("1")), |setup| {
            setup.config("timeout", support::player_harness::NEVER)
        });
        played.harness.start();
        operator.wait_for_token_requests(1);
        played.harness.stop(gst::State::Null);
        assert_keys(&operator, &[("1", false)]);
    }
}
