// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens that say when they end, and tunes with them.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::{Auth, Headend, SECURITY_TOKEN};
use support::rig::*;
use support::stream::{begin, playing, store, wait_for_listeners};

/// The wall clock of this process, in seconds.
pub fn now() -> i64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(now.as_secs()).expect("before the end of time")
}

/// Grants a token that is good for so many seconds from its arrival on.
pub fn good_for(seconds: i64) -> Auth {
    Auth::GrantFor(u64::try_from(seconds).expect("some"))
}

/// Grants a JSON Web Token that ends at that time, and says nothing besides.
pub fn good_until(exp: i64) -> Auth {
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let claims = part(&format!(r#"{{"exp":{exp}}}"#));
    let token = format!("{}.{claims}.c2ln", part(r#"{"alg":"ES256"}"#));
    Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"token":"{token}","status":0}}"#),
    }
}

/// A stream that plays with a token of that head-end.
pub fn tuned(headend: &Headend) -> Rig {
    let rig = playing(sessiontoken(headend));
    begin(&rig);
    rig
}

/// What the application is told when a tune with that element fails.
pub fn failure_of(builder: ElementBuilder<'_>) -> Complaint {
    let rig = Rig::new(builder.property("max-held-bytes", 1_u64));
    failure_on(&rig)
}

/// What it is told when the first protection event of that stream gets no token.
pub fn failure_on(rig: &Rig) -> Complaint {
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    // Refused where the failure is here already.
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    assert_eq!(rig.push(buffer(1)), Err(gst::FlowError::Error));
    let mut told = rig.told();
    told.error();
    told.errors.remove(0)
}

/// Tunes again and again, as a viewer does, until it plays. Nothing but that failure may come
/// before.
pub fn tunes_in_the_end(make: impl Fn() -> ElementBuilder<'static>, meanwhile: &str) -> Rig {
    let begun = Instant::now();
    loop {
        let rig = playing(make().property("max-held-bytes", 1_u64));
        rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
        if rig.push(buffer(1)).is_ok() {
            return rig;
        }
        rig.told().error().says(&[meanwhile]);
        assert!(begun.elapsed() < PATIENCE, "it never plays again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// An element that asks the service at that location, and waits for it as long as it takes.
pub fn at(location: &str) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property("location", location.to_owned())
        .property("timeout", NO_HURRY)
}

/// One that asks the Thunder at that location, and listens to it.
pub fn listening_at(location: &str) -> ElementBuilder<'static> {
    at(location)
        .property_from_str("auth-service", "thunder")
        .property("authorization", SECURITY_TOKEN)
}

/// One that asks this head-end's Thunder, and listens to it.
pub fn listening(headend: &Headend) -> ElementBuilder<'static> {
    listening_at(&headend.thunder_url())
}

/// A stream that plays with a token of this head-end's Thunder, and listens to it.
pub fn tuned_and_listening(headend: &Headend) -> Rig {
    let rig = playing(listening(headend));
    begin(&rig);
    wait_for_listeners(headend, 1);
    rig
}

/// Complains of the so manieth token, as a decryptor does whose license server has refused it.
pub fn reject(rig: &Rig, ordinal: u32) {
    let complaint = gst::Structure::builder("drm-session-token-rejected")
        .field("generation", rig.generation(ordinal))
        .field("http-status", 403_u32)
        .build();
    let complaint = gst::event::CustomUpstream::new(complaint);
    assert!(rig.downstream.push_event(complaint));
}

/// Waits until the token of this head-end is the one at hand.
pub fn wait_for_token(rig: &Rig, headend: &Headend) {
    let (store, token) = (store(rig), headend.token());
    let begun = Instant::now();
    while store.property::<Option<String>>("session-token").as_deref() != Some(&token) {
        assert!(begun.elapsed() < PATIENCE, "the other token never came");
        std::thread::yield_now();
    }
}
