// SPDX-License-Identifier: MIT OR Apache-2.0

//! `auth-service=oauth2` against the head-end's authorization server.

use std::os::fd::AsRawFd;
use std::process::Stdio;

use gst::element_factory::ElementBuilder;
use headend::{
    Auth, CLIENT_ID, CLIENT_SECRET, Headend, PUBLIC_CLIENT_ID, TokenRequest, certificates,
};
use support::rig::*;
use support::subprocess;

use crate::services::{self, Place, failed_tune, refresh, replacement, text, tune};

fn client(location: String) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property_from_str("auth-service", "oauth2")
        .property("location", location)
        .property("client-id", CLIENT_ID)
        .property("timeout", NO_HURRY)
}

/// A client without a secret, which has a refresh token in that file.
fn signed_in(headend: &Headend, file: &File) -> ElementBuilder<'static> {
    client(headend.oauth2_url())
        .property("client-id", PUBLIC_CLIENT_ID)
        .property_from_str("grant", "refresh-token")
        .property("refresh-token-file", file.path())
}

fn form(headend: &Headend) -> Vec<(String, String)> {
    let body = services::the_request(headend).body;
    let pairs = form_urlencoded::parse(&body);
    pairs.into_owned().collect()
}

fn names(form: &[(String, String)]) -> Vec<&str> {
    form.iter().map(|(name, _)| &**name).collect()
}

#[test]
fn client_credentials_are_taken_by_header_and_body() {
    let secret = File::new(format!("{CLIENT_SECRET}\n"));
    for (authentication, sent) in [
        ("basic", &["grant_type", "scope", "audience"][..]),
        (
            "post",
            &[
                "grant_type",
                "client_id",
                "client_secret",
                "scope",
                "audience",
            ],
        ),
    ] {
        for place in Place::both(&Auth::Grant) {
            let builder = client(place.headend.oauth2_url())
                .property("client-secret-file", secret.path())
                .property_from_str("client-authentication", authentication)
                .property("scope", "play watch")
                .property("audience", "https://licenses.example/");
            let rig = Rig::new(place.trusting(builder));
            let key_request = tune(&rig);
            assert_eq!(text(&key_request, "session-token"), place.headend.token());
            assert!(key_request.has_field("expires-at"));
            assert_eq!(text(rig.told().state(), "service"), "oauth2");
            let form = form(&place.headend);
            assert_eq!(names(&form), sent, "{authentication}");
            assert!(form.contains(&("scope".to_owned(), "play watch".to_owned())));
        }
    }
}

#[test]
fn client_that_signs_needs_no_secret() {
    let (pem, public) = certificates::signing_key();
    let key = File::new(pem);
    for place in Place::both(&Auth::Grant) {
        place.headend.set_client_key(&public);
        let builder = client(place.headend.oauth2_url())
            .property_from_str("client-authentication", "private-key-jwt")
            .property("client-key-file", key.path());
        let rig = Rig::new(place.trusting(builder));
        assert_eq!(text(&tune(&rig), "session-token"), place.headend.token());
        // Each assertion is good once, so the next request has another one.
        refresh(&rig);
        let renewed = rig.wait_for_state("renewed");
        assert_eq!(text(&renewed, "service"), "oauth2");
        let requests = place.headend.token_requests();
        assert_eq!(requests.len(), 2);
        assert_ne!(requests[0].body, requests[1].body);
        // It could not be sent again, if the connection of the one before had been closed.
        assert_eq!(place.headend.connections(), 2);
    }
}

#[test]
fn each_attempt_of_a_client_that_signs_is_signed() {
    let (pem, public) = certificates::signing_key();
    let key = File::new(pem);
    let headend = headend(Auth::Sequence(vec![Auth::BreakOff, Auth::Grant]));
    headend.set_client_key(&public);
    let builder = client(headend.oauth2_url())
        .property_from_str("client-authentication", "private-key-jwt")
        .property("client-key-file", key.path());
    assert_eq!(
        text(&tune(&Rig::new(builder)), "session-token"),
        headend.token()
    );
    let requests = headend.token_requests();
    assert_eq!(requests.len(), 2);
    assert_ne!(requests[0].body, requests[1].body);
}

#[test]
fn refresh_token_that_is_replaced_is_written_back() {
    let headend = headend(Auth::Grant);
    let first = headend.refresh_token();
    let file = File::new(format!("{first}\n"));
    let rig = Rig::new(signed_in(&headend, &file));
    let key_request = tune(&rig);
    assert_eq!(text(&key_request, "session-token"), headend.token());
    assert_eq!(
        names(&form(&headend)),
        ["grant_type", "refresh_token", "client_id"]
    );
    let second = headend.refresh_token();
    assert_ne!(first, second);
    assert_eq!(file.read(), second);

    // It is the same login: another element has the token without a request.
    let other = Rig::new(signed_in(&headend, &file));
    assert_eq!(text(&tune(&other), "session-token"), headend.token());
    assert_eq!(headend.token_requests().len(), 1);

    // The next token costs the next refresh token.
    headend.revoke();
    let other = replacement(&rig, &key_request);
    assert_eq!(text(&other, "session-token"), headend.token());
    assert_eq!(file.read(), headend.refresh_token());
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn refresh_token_that_stays_leaves_its_file_alone() {
    let headend = headend(Auth::Grant);
    headend.set_refresh_token_rotation(false);
    let content = format!(" {}\n\n", headend.refresh_token());
    let file = File::new(&content);
    tune(&Rig::new(signed_in(&headend, &file)));
    assert_eq!(file.read(), content);
}

/// Another player of the same account has used the refresh token while our request was under way.
#[test]
fn refresh_token_of_another_process_is_taken_up() {
    let headend = headend(Auth::Sequence(vec![Auth::Hang, Auth::Grant]));
    let file = File::new(headend.refresh_token());
    let rig = Rig::new(signed_in(&headend, &file));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.revoke_refresh_token();
    file.write(headend.refresh_token());
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    let key_request = key_request(&rig.log.protections()[0]);
    assert_eq!(text(&key_request, "session-token"), headend.token());
    assert_eq!(rig.told().state().get::<u32>("attempts"), Ok(2));
    assert_eq!(file.read(), headend.refresh_token());
}

/// What the application writes while a request is under way is not written over.
#[test]
fn refresh_token_of_a_new_login_stays() {
    let headend = headend(Auth::Sequence(vec![Auth::Hang, Auth::Grant]));
    let file = File::new(headend.refresh_token());
    let rig = Rig::new(signed_in(&headend, &file));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    file.write("another login");
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    assert_eq!(rig.log.protections().len(), 1);
    assert_eq!(file.read(), "another login");
}

#[test]
fn refresh_token_that_cannot_be_saved_is_kept() {
    let headend = headend(Auth::Grant);
    let file = File::new(headend.refresh_token());
    let open = std::fs::File::open(file.path()).expect("a file");
    // A file without a name can be read and not be replaced.
    drop(file);
    let path = format!("/proc/self/fd/{}", open.as_raw_fd());
    let builder = client(headend.oauth2_url())
        .property("client-id", PUBLIC_CLIENT_ID)
        .property_from_str("grant", "refresh-token")
        .property("refresh-token-file", path);
    let rig = Rig::new(builder);
    let key_request = tune(&rig);
    assert_eq!(text(&key_request, "session-token"), headend.token());
    headend.revoke();
    let other = replacement(&rig, &key_request);
    assert_eq!(text(&other, "session-token"), headend.token());
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn requests_with_one_refresh_token_take_turns() {
    let headend = headend(Auth::Grant);
    let file = File::new(headend.refresh_token());
    let rigs: Vec<_> = (0..8)
        .map(|number| {
            // Each is a session of its own, and all of them ask at once.
            let scope = format!("channel-{number}");
            Rig::new(signed_in(&headend, &file).property("scope", scope))
        })
        .collect();
    for rig in &rigs {
        assert_eq!(text(&tune(rig), "session-token"), headend.token());
    }
    let requests = headend.token_requests();
    assert!(requests.iter().all(|request| request.status == Some(200)));
    assert_eq!(requests.len(), 8);
    assert_eq!(file.read(), headend.refresh_token());
}

#[test]
fn oauth2_refusal_names_what_to_do() {
    let secret = File::new(CLIENT_SECRET);
    let wrong = File::new("wrong");
    let stale = File::new("stale");
    let headend = headend(Auth::Grant);
    let confidential =
        || client(headend.oauth2_url()).property("client-secret-file", secret.path());
    for (builder, code, says) in [
        (
            signed_in(&headend, &stale),
            "invalid_grant",
            "sign in again",
        ),
        (
            client(headend.oauth2_url()).property("client-secret-file", wrong.path()),
            "invalid_client",
            "`client-id`",
        ),
        (
            confidential().property("scope", "forbidden"),
            "invalid_scope",
            "`scope`",
        ),
    ] {
        let told = failed_tune(&Rig::new(builder));
        let complaint = told.error().is(gst::ResourceError::NotAuthorized);
        complaint
            .says(&[code, says])
            .does_not_say(&["wrong", "stale", CLIENT_SECRET]);
        assert_eq!(complaint.detail::<u32>("attempts"), 1);
    }
}

#[test]
fn oauth2_setting_that_is_missing_or_useless_is_named() {
    let file = File::new("SECRET");
    let empty = File::new("");
    let place = || client("http://127.0.0.1:1/token".to_owned());
    let bare = || {
        make("sessiontoken")
            .property_from_str("auth-service", "oauth2")
            .property("client-secret-file", file.path())
    };
    for (builder, says) in [
        (bare().property("client-id", "c"), "`location`"),
        (
            bare().property("location", "http://127.0.0.1:1/token"),
            "`client-id`",
        ),
        (
            bare()
                .property("client-id", "c")
                .property("location", "http://auth.example/token"),
            "`allow-cleartext`",
        ),
        (place(), "`client-secret-file`"),
        (
            place().property("client-secret-file", empty.path()),
            "`client-secret-file`",
        ),
        (
            place().property("client-secret-file", "/nowhere"),
            "`client-secret-file`",
        ),
        (
            place().property("refresh-token-file", file.path()),
            "`grant`",
        ),
        (
            place().property_from_str("grant", "refresh-token"),
            "`refresh-token-file`",
        ),
        (
            place()
                .property_from_str("grant", "refresh-token")
                .property("refresh-token-file", empty.path()),
            "`refresh-token-file`",
        ),
        (
            place().property_from_str("client-authentication", "private-key-jwt"),
            "`client-key-file`",
        ),
        (
            place()
                .property_from_str("client-authentication", "private-key-jwt")
                .property("client-key-file", file.path()),
            "`client-key-file`",
        ),
        (
            place()
                .property("client-secret-file", file.path())
                .property("client-key-file", file.path()),
            "`client-key-file`",
        ),
        (
            place().property_from_str("auth-service", "rdk"),
            "`client-id`",
        ),
    ] {
        refusal(builder)
            .says(&[says])
            .does_not_say(&["SECRET", &file.path()]);
    }
}

/// A player that loses its refresh token has to have its user sign in again.
#[test]
fn refresh_token_survives_a_kill_at_any_moment() {
    let headend = headend(Auth::Grant);
    let file = File::new(headend.refresh_token());
    for moment in 1..=20 {
        let (before, asked) = (headend.refresh_token(), headend.token_requests().len());
        let mut child = subprocess::ignored_test("oauth2::child_that_renews")
            .env("TEST_LOCATION", headend.oauth2_url())
            .env("TEST_FILE", file.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("this program runs");
        // The file is written right after an answer.
        let is_answered = |request: &&TokenRequest| request.status == Some(200);
        let came = headend.wait_for(PATIENCE, |record| {
            record
                .token_requests()
                .skip(asked)
                .filter(is_answered)
                .count()
                >= moment
        });
        child.kill().expect("it runs");
        let _ = child.wait();
        assert!(came, "the child renews nothing");
        let (text, after) = (file.read(), headend.refresh_token());
        let known = [&before, &after].map(|token| token.rsplit_once('-').expect("a number"));
        let (name, number) = text.rsplit_once('-').expect("a whole token");
        assert_eq!(name, known[1].0);
        // The last one, or the one before, where the answer was just on its way.
        let number: usize = number.parse().expect("a number");
        let last: usize = known[1].1.parse().expect("a number");
        assert!((last - 1..=last).contains(&number), "{text} and {after}");
        file.write(after);
    }
}

#[test]
#[ignore = "needs to be killed, which `refresh_token_survives_a_kill_at_any_moment` does"]
fn child_that_renews() {
    let variable = |name| std::env::var(name).expect(name);
    let builder = client(variable("TEST_LOCATION"))
        .property("client-id", PUBLIC_CLIENT_ID)
        .property_from_str("grant", "refresh-token")
        .property("refresh-token-file", variable("TEST_FILE"));
    let rig = Rig::new(builder);
    tune(&rig);
    loop {
        refresh(&rig);
        rig.wait_for_state("renewed");
    }
}
