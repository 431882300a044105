// SPDX-License-Identifier: MIT OR Apache-2.0

//! Thunder says that there is another session token, and the player has it before the old one is
//! refused.

use std::sync::{Arc, Mutex, PoisonError};

use gst::prelude::*;
use headend::{Auth, Events, Headend, Listener, SECURITY_TOKEN, secret_forms};
use support::rig::*;
use support::stream::*;

use crate::services::{SERVICES, asking, asking_at, tune};
use crate::tls;

fn wait_until_nobody_listens(headend: &Headend) {
    wait_until(headend, "nobody listens", |listeners| {
        listeners.iter().all(|listener| !listener.open)
    });
}

/// A stream with its first token, whose element listens.
fn listening(headend: &Headend) -> Rig {
    let rig = playing(asking("thunder", headend));
    begin(&rig);
    wait_for_listeners(headend, 1);
    rig
}

fn states(rig: &Rig) -> Vec<String> {
    let told = rig.told();
    assert!(
        told.errors.is_empty() && told.warnings.is_empty(),
        "{told:?}"
    );
    let state = |message: &gst::Structure| message.get("state").expect("a text");
    told.states.iter().map(state).collect()
}

fn header<'a>(listener: &'a Listener, name: &str) -> Option<&'a str> {
    let mut headers = listener.headers.iter();
    headers.find_map(|(found, value)| (found == name).then_some(&**value))
}

#[test]
fn change_event_refreshes_token_before_rejection() {
    let (secure, ca_file) = tls::trusted();
    for (headend, ca_file) in [(headend(Auth::Grant), None), (secure, Some(ca_file))] {
        let ca_file = ca_file.as_ref().map(File::path);
        let builder = asking("thunder", &headend)
            .property_if_some("ssl-ca-file", ca_file)
            .property(
                "extra-headers",
                gst::Structure::builder("headers")
                    .field("X-Box", "1")
                    .build(),
            );
        let rig = playing(builder);
        begin(&rig);
        wait_for_listeners(&headend, 1);
        let holds = rig.stats::<u32>("holds");
        assert_eq!(generation(&rig), 1);

        headend.revoke();
        headend.session_token_changed();
        wait_for_requests(&headend, 2);
        wait_for_generation(&rig, 2);
        let store = store(&rig);
        assert_eq!(store.property::<String>("session-token"), headend.token());
        assert_eq!(rig.ordinal_of(store.property("generation")), 2);
        assert_eq!(rig.stats::<u32>("holds"), holds);
        assert_eq!(states(&rig), ["acquired", "refreshed"]);

        let listener = &headend.listeners()[0];
        assert_eq!(listener.path, format!("/jsonrpc?token={SECURITY_TOKEN}"));
        let bearer = format!("Bearer {SECURITY_TOKEN}");
        assert_eq!(header(listener, "authorization"), Some(&*bearer));
        assert_eq!(header(listener, "x-box"), Some("1"));
        assert_eq!(
            header(listener, "sec-websocket-protocol"),
            Some("notification")
        );
    }
}

#[test]
fn streams_share_one_websocket_until_last_stops() {
    let headend = headend(Auth::Grant);
    let mut rigs = vec![listening(&headend)];
    for _ in 0..8 {
        let rig = Rig::new(asking("thunder", &headend));
        tune(&rig);
        rigs.push(rig);
    }
    // The one that began it goes first.
    rigs.remove(0);
    headend.revoke();
    headend.session_token_changed();
    wait_for_requests(&headend, 2);
    rigs.truncate(1);
    assert!(headend.listeners()[0].open);
    rigs[0].set_state(gst::State::Ready);
    wait_until_nobody_listens(&headend);
    assert_eq!(headend.listeners().len(), 1);
    assert_eq!(headend.token_requests().len(), 2);
}

#[test]
fn channel_change_resubscribes_without_new_token() {
    let headend = headend(Auth::Grant);
    let rig = listening(&headend);
    for count in 2..5 {
        rig.restart(gst::State::Null);
        wait_until(&headend, "the one before is gone", |listeners| {
            listeners.iter().filter(|listener| listener.open).count() <= 1
        });
        wait_for_listeners(&headend, count);
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn reconnect_reads_token_changed_while_disconnected() {
    let headend = headend(Auth::Grant);
    let rig = listening(&headend);
    headend.drop_listeners();
    headend.revoke();
    wait_for_listeners(&headend, 2);
    wait_for_requests(&headend, 2);
    wait_for_generation(&rig, 2);
    assert_eq!(
        store(&rig).property::<String>("session-token"),
        headend.token()
    );
    assert_eq!(states(&rig), ["acquired", "refreshed"]);
}

#[test]
fn failed_refresh_keeps_old_token_and_retries() {
    let headend = headend(Auth::Grant);
    let rig = playing(asking("thunder", &headend).property("retries", 0_u32));
    begin(&rig);
    wait_for_listeners(&headend, 1);
    let fault = Auth::Reply {
        status: 503,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    };
    headend.set_auth(Auth::Sequence(vec![fault, Auth::Grant]));
    headend.session_token_changed();
    wait_for_requests(&headend, 2);
    assert_eq!(generation(&rig), 1);
    wait_for_generation(&rig, 2);
    assert_eq!(headend.token_requests().len(), 3);
    assert_eq!(states(&rig), ["acquired", "refreshed"]);
}

#[test]
fn missing_websocket_does_not_affect_playback() {
    let refusals = [401, 403, 404, 426, 500, 503].map(Events::Refuse);
    for events in refusals.into_iter().chain([Events::Misread]) {
        let headend = headend(Auth::Grant);
        headend.set_events(events.clone());
        let rig = playing(asking("thunder", &headend));
        begin(&rig);
        wait_until(&headend, "asked for", |listeners| listeners.len() == 1);
        assert_eq!(generation(&rig), 1);
        assert_eq!(states(&rig), ["acquired"], "{events:?}");
        assert_eq!(headend.token_requests().len(), 1);
    }
}

#[test]
fn subscription_uses_location_that_served_token() {
    let headend = headend(Auth::Grant);
    let locations = format!("http://{}/jsonrpc {}", nobody(), headend.thunder_url());
    let builder = make("sessiontoken")
        .property_from_str("auth-service", "thunder")
        .property("locations", locations)
        .property("authorization", SECURITY_TOKEN)
        .property("retries", 0_u32);
    let rig = playing(builder);
    begin(&rig);
    wait_for_listeners(&headend, 1);
    headend.revoke();
    headend.session_token_changed();
    wait_for_generation(&rig, 2);
    assert_eq!(
        store(&rig).property::<String>("session-token"),
        headend.token()
    );
}

#[test]
fn websocket_security_token_replaces_query_token() {
    let headend = headend(Auth::Grant);
    let location = format!("{}?x=1&token=another", headend.thunder_url());
    let rig = playing(asking_at("thunder", location));
    begin(&rig);
    wait_for_listeners(&headend, 1);
    let path = &headend.listeners()[0].path;
    assert_eq!(*path, format!("/jsonrpc?x=1&token={SECURITY_TOKEN}"));
}

#[test]
fn websocket_503_is_retried_without_token_request() {
    let headend = headend(Auth::Grant);
    headend.set_events(Events::Refuse(503));
    let rig = playing(asking("thunder", &headend));
    begin(&rig);
    wait_until(&headend, "asked for", |listeners| listeners.len() == 1);
    headend.set_events(Events::Serve);
    wait_for_listeners(&headend, 1);
    // Nothing was lost: the token is of this tune.
    assert_eq!(headend.token_requests().len(), 1);
}

/// A frame of a text, as its head claims it.
fn frame(head: &[u8], payload: &[u8]) -> Vec<u8> {
    [head, payload].concat()
}

#[test]
fn bad_websocket_data_reconnects_and_rereads_token() {
    let huge = "x".repeat(65 * 1024);
    let cases = [
        ("no frame", b"<!DOCTYPE html>".repeat(20)),
        ("masked", frame(&[0x81, 0x82, 0, 0, 0, 0], b"{}")),
        ("unknown opcode", frame(&[0x83, 2], b"{}")),
        ("an extension nobody agreed on", frame(&[0xc1, 2], b"{}")),
        ("no text", frame(&[0x81, 2], &[0xff, 0xfe])),
        ("no JSON", frame(&[0x81, 6], b"<html>")),
        ("no JSON-RPC", frame(&[0x81, 2], b"{}")),
        ("a batch", frame(&[0x81, 4], b"[{}]")),
        (
            "an exabyte is announced",
            frame(&[0x81, 127, 0x10, 0, 0, 0, 0, 0, 0, 0], b"{"),
        ),
        (
            "a message that is too long",
            frame(&[0x81, 127, 0, 0, 0, 0, 0, 1, 4, 0], huge.as_bytes()),
        ),
        (
            "one that is so in pieces",
            [
                frame(&[0x01, 126, 0xff, 0xff], &huge.as_bytes()[..0xffff]),
                frame(&[0x80, 126, 0xff, 0xff], &huge.as_bytes()[..0xffff]),
            ]
            .concat(),
        ),
        ("a farewell", frame(&[0x88, 2], &[3, 0xe8])),
    ];
    // All of them at once: each comes back after a pause.
    let players = cases.map(|(name, bytes)| {
        let headend = headend(Auth::Grant);
        let rig = listening(&headend);
        headend.send_raw(&bytes);
        (name, headend, rig)
    });
    for (name, headend, rig) in players {
        wait_until(&headend, name, |listeners| !listeners[0].open);
        assert!(generation(&rig) >= 1);
        wait_for_listeners(&headend, 2);
        wait_for_generation(&rig, 2);
        assert_eq!(states(&rig), ["acquired", "refreshed"], "{name}");
        assert_eq!(headend.token_requests().len(), 2, "{name}");
    }
}

#[test]
fn change_event_burst_causes_few_token_requests() {
    let headend = headend(Auth::Grant);
    let rig = listening(&headend);
    for _ in 0..1000 {
        headend.session_token_changed();
    }
    headend.ping(b"all told");
    wait_until(&headend, "all is read", |listeners| {
        listeners[0].pongs == [b"all told"]
    });
    wait_for_generation(&rig, 2);
    // The pauses double from a second on.
    let requests = headend.token_requests().len();
    assert!((2..10).contains(&requests), "{requests} requests");
    assert!(headend.listeners()[0].open);
}

#[test]
fn what_else_thunder_says_has_no_token_read_again() {
    let headend = headend(Auth::Grant);
    let rig = listening(&headend);
    for text in [
        r#"{"jsonrpc":"2.0","method":"client.events.1.authTokenChanged"}"#,
        r#"{"jsonrpc":"2.0","method":"client.events.2.sessionTokenChanged"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{"token":"another"}}"#,
    ] {
        headend.say(text);
    }
    headend.ping(b"all told");
    wait_until(&headend, "all is read", |listeners| {
        !listeners[0].pongs.is_empty()
    });
    assert_eq!(generation(&rig), 1);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn subscription_opens_only_for_thunder_tokens() {
    let headend = headend(Auth::Grant);
    let own = asking("thunder", &headend).property("session-token", "own");
    tune(&Rig::new(own));
    for service in SERVICES.iter().filter(|service| **service != "thunder") {
        tune(&Rig::new(asking(service, &headend)));
    }
    assert!(headend.listeners().is_empty());
}

#[test]
fn neither_token_is_in_a_log() {
    let lines = Arc::new(Mutex::new(String::new()));
    let logger = {
        let lines = lines.clone();
        init();
        // Here nobody wants to read it.
        gst::log::remove_default_log_function();
        gst::log::set_threshold_for_name("sessiontoken", gst::DebugLevel::Trace);
        gst::log::add_log_function(move |_, _, _, _, _, _, message| {
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            *lines += &format!("{}\n", message.get().unwrap_or_default());
        })
    };
    let headend = headend(Auth::Grant);
    let place = headend.url("").replace("http://", "");
    let rig = listening(&headend);
    // By the service's documentation the token stands in the notification.
    headend.say(r#"{"jsonrpc":"2.0","method":"client.events.1.SessionTokenChanged","params":{"token":"looks-secret"}}"#);
    wait_for_generation(&rig, 2);
    headend.say("looks-secret");
    wait_until(&headend, "it is no JSON", |listeners| !listeners[0].open);
    wait_for_listeners(&headend, 2);
    gst::log::remove_log_function(logger);
    gst::log::unset_threshold_for_name("sessiontoken");

    let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
    for said in [
        format!("{place} tells of changes"),
        "has another session token".to_owned(),
        format!("{place} does not tell of changes"),
    ] {
        assert!(lines.contains(&said), "{said}");
    }
    let tokens = ["looks-secret".to_owned(), headend.token()];
    for secret in secret_forms().into_iter().chain(tokens) {
        assert!(!lines.contains(&secret), "a secret is in the log");
    }
}
