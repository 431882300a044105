// SPDX-License-Identifier: MIT OR Apache-2.0

//! No token: the application hears once what was wrong and where to look, and the stream ends.

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;
use support::stream::port;

fn reply(status: u16, body: &str) -> Auth {
    Auth::Reply {
        status,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    }
}

/// Tunes, brings three protection events and a little media, and gives back what the application
/// is told. What must be so whatever the cause is checked here.
fn failure(builder: ElementBuilder<'_>) -> Told {
    // With room for one item, what comes after the first protection event waits for its verdict:
    // so the first buffer that is refused is the first one.
    let rig = Rig::new(builder.property("max-held-bytes", 1_u64));
    let before: Vec<Input> = vec![stream_start().into(), caps_event().into(), segment().into()];
    rig.send(&before);
    for event in protections() {
        // A sticky event that is refused comes again, before the next buffer.
        rig.push_event(event);
    }
    for _ in 0..5 {
        assert_eq!(rig.push(buffer(1)), Err(gst::FlowError::Error));
        assert_eq!(
            rig.upstream.push_list(list(&[1, 2])),
            Err(gst::FlowError::Error)
        );
    }
    rig.push_event(protection(COMMON_SYSTEM, Some("isobmff/moof")));
    assert!(!rig.push_event(gst::event::Eos::new()));
    assert_eq!(rig.log.items(), items(&before));

    let told = rig.told();
    let (complaint, state) = (told.error(), told.state());
    assert_eq!(complaint.from, Some(rig.element.clone().upcast()));
    assert_eq!(state.get::<&str>("state"), Ok("failed"));
    assert_eq!(
        state.get::<String>("reason"),
        Ok(complaint.detail::<String>("reason"))
    );
    told
}

/// The failure with a head-end that answers so, which is asked once.
fn failure_of(auth: Auth) -> Complaint {
    failure_after(1, auth)
}

/// The failure with a head-end that answers so, which is asked so many times.
fn failure_after(attempts: u32, auth: Auth) -> Complaint {
    let headend = headend(auth);
    let mut told = failure(sessiontoken(&headend));
    assert_eq!(headend.token_requests().len(), attempts as usize);
    let state = told.state();
    assert_eq!(state.get::<&str>("service"), Ok("rdk"));
    assert_eq!(state.get::<u32>("attempts"), Ok(attempts));
    let complaint = told.errors.remove(0);
    assert_eq!(complaint.detail::<u32>("attempts"), attempts);
    complaint
}

#[test]
fn unreachable_auth_service_is_named_by_address() {
    let place = nobody();
    let location = format!("http://user:PASSWORD@{place}/PATH?key=SECRET");
    let told = failure(make("sessiontoken").property("location", location));
    let complaint = told.error();
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&[&place, "connection", "service runs"])
        .does_not_say(&["PASSWORD", "PATH", "SECRET", "user"]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");
    assert!(complaint.detail::<gst::ClockTime>("elapsed") > gst::ClockTime::ZERO);
    assert_eq!(told.state().get::<u32>("attempts"), Ok(3));
}

#[test]
fn service_that_hangs_up_without_an_answer_is_named() {
    let complaint = failure_after(3, Auth::CloseAtOnce);
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["127.0.0.1:"]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");
}

#[test]
fn service_that_was_restarted_serves_the_next_tune() {
    const RESTARTS: usize = 100;
    let first = headend(Auth::Grant);
    let port = port(&first);
    let mut headends = vec![first];
    for round in 0..RESTARTS {
        // The connection of the tune before ends with its head-end, whether our client has seen
        // that or not.
        headends.clear();
        headends.push(Headend::start_on(port).expect("the port is free again"));
        let location = format!("{}?round={round}", headends[0].auth_url());
        let rig = Rig::new(make("sessiontoken").property("location", location));
        let last = protection(COMMON_SYSTEM, Some("dash/mpd"));
        rig.send(&[stream_start().into(), caps_event().into(), last.into()]);
        let played = rig.push_event(gst::event::Eos::new());
        assert!(played, "round {round}: {:#?}", rig.told());
        assert_eq!(headends[0].token_requests().len(), 1);
    }
}

#[test]
fn refusal_by_http_status_is_one_of_authorization() {
    for status in [401, 403] {
        let complaint = failure_of(reply(status, r#"{"token":"SECRET","status":0}"#));
        complaint
            .is(gst::ResourceError::NotAuthorized)
            .says(&[&format!("HTTP {status}"), "provisioned"])
            .does_not_say(&["SECRET"]);
        assert_eq!(complaint.detail::<String>("reason"), "denied");
        assert_eq!(complaint.detail::<u32>("http-status"), u32::from(status));
    }
}

#[test]
fn fault_of_the_service_is_told_from_a_refusal() {
    let complaint = failure_after(3, reply(500, "SECRET"));
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["HTTP 500", "at the moment"])
        .does_not_say(&["SECRET"]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");
    assert_eq!(complaint.detail::<u32>("http-status"), 500);
}

#[test]
fn refusal_in_the_reply_is_one_of_authorization_too() {
    let complaint = failure_of(reply(200, r#"{"token":"SECRET","status":-1}"#));
    complaint
        .is(gst::ResourceError::NotAuthorized)
        .says(&["`status` is -1"])
        .does_not_say(&["SECRET"]);
    assert_eq!(complaint.detail::<String>("reason"), "denied");
    assert_eq!(complaint.detail::<i64>("service-status"), -1);
    assert_eq!(complaint.detail::<u32>("http-status"), 200);

    let complaint = failure_of(reply(
        200,
        r#"{"token":"SECRET","status":0,"success":false}"#,
    ));
    complaint
        .is(gst::ResourceError::NotAuthorized)
        .says(&["`success` is false"])
        .does_not_say(&["SECRET"]);
    assert_eq!(complaint.detail::<String>("reason"), "denied");
}

#[test]
fn answer_that_is_none_is_described_and_not_quoted() {
    for (body, says) in [
        ("<html>SECRET</html>", "not JSON"),
        (r#"{"status":0,"other":"SECRET"}"#, "no `token`"),
        (r#"{"status":0,"token":""}"#, "is empty"),
        (r#"{"status":0,"token":"SECRET TOKEN"}"#, "visible ASCII"),
        (r#"{"status":0,"token":["SECRET"]}"#, "not a string"),
        (r#"{"token":"SECRET"}"#, "no `status`"),
    ] {
        let complaint = failure_of(reply(200, body));
        complaint
            .is(gst::ResourceError::Read)
            .says(&[says])
            .does_not_say(&["SECRET"]);
        assert_eq!(complaint.detail::<String>("reason"), "malformed", "{body}");
    }
    let too_long = format!(r#"{{"status":0,"token":"{}"}}"#, "x".repeat(100_000));
    failure_of(reply(200, &too_long))
        .is(gst::ResourceError::Read)
        .says(&["more than 65536 bytes"]);
}

#[test]
fn auth_service_timeout_is_named() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(
        make("sessiontoken")
            .property("location", headend.auth_url())
            .property("timeout", 300_u32),
    );
    let before: Vec<Input> = vec![stream_start().into(), caps_event().into()];
    rig.send(&before);
    rig.send(&protections().map(Input::from));
    rig.send(&[segment().into(), buffer(1).into(), gap().into()]);
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["127.0.0.1:", "300 ms", "`timeout`"]);
    assert_eq!(complaint.detail::<String>("reason"), "timed-out");
    assert!(complaint.detail::<gst::ClockTime>("elapsed") >= gst::ClockTime::from_mseconds(300));
    // EOS waits for what is held, and so for its end.
    assert!(!rig.push_event(gst::event::Eos::new()));
    assert_eq!(rig.log.items(), items(&before));
    assert_eq!(rig.told().errors.len(), 0);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn invalid_session_token_error_names_property() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("max-held-bytes", 1_u64));
    rig.element
        .set_property("session-token", "SECRET with spaces");
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    assert_eq!(rig.push(buffer(1)), Err(gst::FlowError::Error));
    rig.told()
        .error()
        .is(gst::ResourceError::Settings)
        .says(&["`session-token`"])
        .does_not_say(&["SECRET"]);
}

#[test]
fn invalid_token_file_error_names_property() {
    let folder = env!("CARGO_TARGET_TMPDIR");
    let empty = format!("{folder}/empty-token");
    std::fs::write(&empty, "\n").expect("the file is written");
    for (path, says) in [
        (format!("{folder}/there-is-no-such-file"), "cannot be read"),
        (folder.to_owned(), "not a regular file"),
        (empty, "is empty"),
    ] {
        let headend = headend(Auth::Grant);
        let told = failure(sessiontoken(&headend).property("session-token-file", path));
        let complaint = told.error();
        complaint
            .is(gst::ResourceError::Settings)
            .says(&["`session-token-file`", says]);
        assert_eq!(complaint.detail::<String>("reason"), "misconfigured");
        assert_eq!(told.state().get::<&str>("service"), Ok("file"));
        assert_eq!(headend.token_requests(), []);
    }
}

#[test]
fn on_failure_anonymous_warns_once_and_plays() {
    for (auth, reason, requests) in [
        (reply(401, ""), "denied", 1),
        (Auth::CloseAtOnce, "transient", 3),
    ] {
        let headend = headend(auth);
        let rig = Rig::new(sessiontoken(&headend).property_from_str("on-failure", "anonymous"));
        let [first, second, third] = protections();
        let inputs: Vec<Input> = vec![
            stream_start().into(),
            caps_event().into(),
            first.clone().into(),
            second.clone().into(),
            third.clone().into(),
            segment().into(),
            buffer(1).into(),
            gst::event::Eos::new().into(),
        ];
        rig.send(&inputs);
        assert_eq!(rig.log.items(), items(&inputs));
        let left = rig.log.protections();
        assert_eq!(left.len(), 3);
        for (left, came) in left.iter().zip([first, second, third]) {
            assert_eq!(left.as_ptr(), came.as_ptr());
            assert_eq!(key_requests(left).len(), 0);
        }
        assert_eq!(rig.stats::<u64>("events"), 0);
        let told = rig.told();
        assert_eq!((told.errors.len(), told.warnings.len()), (0, 1), "{told:?}");
        assert_eq!(told.warnings[0].detail::<String>("reason"), reason);
        assert_eq!(told.state().get::<&str>("state"), Ok("failed"));
        assert_eq!(headend.token_requests().len(), requests);
    }
}

#[test]
fn application_hears_of_a_token_once_a_tune() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&protections().map(Input::from));
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    let told = rig.told();
    assert_eq!((told.errors.len(), told.warnings.len()), (0, 0), "{told:?}");
    let state = told.state();
    let mut fields = state.fields().map(|f| f.to_string()).collect::<Vec<_>>();
    fields.sort();
    assert_eq!(
        fields,
        [
            "attempts",
            "cached",
            "correlation-id",
            "generation",
            "latency",
            "location",
            "overlap",
            "service",
            "state",
            "text",
            "waited"
        ]
    );
    assert_eq!(state.get::<&str>("state"), Ok("acquired"));
    assert_eq!(state.get::<&str>("service"), Ok("rdk"));
    assert_eq!(rig.ordinal(state), 1);
    assert_eq!(state.get::<bool>("cached"), Ok(false));
    assert_eq!(state.get::<u32>("attempts"), Ok(1));
    let time = |field| state.get::<gst::ClockTime>(field).expect("a time");
    assert!(time("latency") > gst::ClockTime::ZERO);
    assert!(time("waited") > gst::ClockTime::ZERO);
}

#[test]
fn token_message_names_application_as_service() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("session-token", "SECRET-1"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let [first, second, third] = protections();
    rig.send(&[first.into()]);
    rig.element.set_property("session-token", "SECRET-2");
    rig.send(&[second.into(), third.into()]);
    let states = rig.told().states;
    let generations = states.iter().map(|state| rig.ordinal(state));
    assert_eq!(generations.collect::<Vec<_>>(), [1, 2]);
    for state in states {
        assert_eq!(state.get::<&str>("service"), Ok("application"));
        assert_eq!(state.get::<bool>("cached"), Ok(true));
        assert!(!format!("{state:?}").contains("SECRET"));
    }
}
