// SPDX-License-Identifier: MIT OR Apache-2.0

//! Several places for one auth service (`locations`): the next one is asked where the one before
//! has no answer.

use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

fn sessiontoken_at(locations: &[&str]) -> gst::element_factory::ElementBuilder<'static> {
    make("sessiontoken")
        .property("locations", locations.join(" "))
        .property("retries", 0u32)
        .property("timeout", NO_HURRY)
}

/// Tunes, and gives back the message that tells of the token.
fn tuned(locations: &[&str]) -> gst::Structure {
    let rig = Rig::new(sessiontoken_at(locations));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let protection = protection(COMMON_SYSTEM, Some("dash/mpd"));
    rig.send(&[protection.clone().into()]);
    rig.log.wait_for(Item::from(&protection));
    rig.told().state().clone()
}

fn faulty(status: u16) -> Headend {
    headend(Auth::Reply {
        status,
        content_type: "text/plain".to_owned(),
        body: String::new(),
    })
}

fn place(headend: &Headend) -> String {
    headend.url("").replace("http://", "")
}

/// A viewer would see an error though there is a service that works.
#[test]
fn failover_reaches_next_location_and_reports_it() {
    let good = headend(Auth::Grant);
    let closing = headend(Auth::CloseAtOnce);
    let not_there = format!("http://{}/authService/getSessionToken", nobody());
    for (number, broken) in [
        not_there,
        closing.auth_url(),
        faulty(503).auth_url(),
        // Somebody else, who knows nothing of tokens.
        faulty(404).auth_url(),
        faulty(200).auth_url(),
    ]
    .into_iter()
    .enumerate()
    {
        let good_url = format!("{}?{number}", good.auth_url());
        let told = tuned(&[&broken, &good_url]);
        assert_eq!(told.get("state"), Ok("acquired"));
        assert_eq!(told.get("location"), Ok(place(&good)), "after {broken}");
        assert_eq!(told.get("attempts"), Ok(2u32), "after {broken}");
    }
    assert_eq!(good.token_requests().len(), 5);
}

/// An operator's second site would be asked by everyone all the time.
#[test]
fn first_location_is_used_alone_while_it_answers() {
    let (first, second) = (headend(Auth::Grant), headend(Auth::Grant));
    let told = tuned(&[&first.auth_url(), &second.auth_url()]);
    assert_eq!(told.get("location"), Ok(place(&first)));
    assert_eq!(second.token_requests().len(), 0);
}

/// An account without a subscription would be shown to each of an operator's sites, and a viewer
/// would wait for all of them to say no.
#[test]
fn no_is_one_wherever_it_comes_from() {
    let second = headend(Auth::Grant);
    let first = faulty(403);
    let rig = Rig::new(sessiontoken_at(&[&first.auth_url(), &second.auth_url()]));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.push_event(protection(COMMON_SYSTEM, None));
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint.is(gst::ResourceError::NotAuthorized);
    assert_eq!(second.token_requests().len(), 0);
}

/// A viewer would not know which of the sites is to blame.
#[test]
fn where_none_has_an_answer_the_error_says_so_of_each() {
    let (first, second) = (faulty(503), faulty(404));
    let rig = Rig::new(sessiontoken_at(&[&first.auth_url(), &second.auth_url()]));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.push_event(protection(COMMON_SYSTEM, None));
    let complaint = Complaint::of(&rig.message(gst::MessageType::Error));
    complaint
        .is(gst::ResourceError::Read)
        .says(&["HTTP 404", "before that", "HTTP 503"]);
    assert_eq!(complaint.detail::<u32>("attempts"), 2);
}

/// A site that hangs would take the time that the next one needs, each time anew.
#[test]
fn hanging_location_gets_time_share_then_goes_last() {
    let (hanging, good) = (headend(Auth::Hang), headend(Auth::Grant));
    let locations = [&*hanging.auth_url(), &*good.auth_url()].join(" ");
    let rig = Rig::new(
        make("sessiontoken")
            .property("locations", locations)
            .property("retries", 0u32)
            .property("timeout", 2000u32),
    );
    rig.send(&[stream_start().into(), caps_event().into()]);
    let event = protection(COMMON_SYSTEM, None);
    rig.send(&[event.clone().into()]);
    rig.log.wait_for(Item::from(&event));
    assert_eq!(rig.told().state().get("location"), Ok(place(&good)));
    // The next one does not wait for the first place again.
    rig.element.emit_by_name::<()>("refresh-token", &[]);
    assert!(good.wait_for(PATIENCE, |record| record.token_requests().count() == 2));
    assert_eq!(hanging.token_requests().len(), 1);
}

/// A developer would look for the fault in the wrong one of two settings.
#[test]
fn what_cannot_work_is_named() {
    let both = make("sessiontoken")
        .property("location", "http://localhost/a")
        .property("locations", "http://localhost/b");
    refusal(both).says(&["`location`", "`locations`"]);
    refusal(make("sessiontoken").property("locations", "http://localhost/ SECRET"))
        .says(&["`locations`", "not a URL"])
        .does_not_say(&["SECRET"]);
    let many = ["http://localhost/"; 9].join(" ");
    refusal(make("sessiontoken").property("locations", many)).says(&["more than 8"]);
}

/// Credentials in a URL would be in a dot dump.
#[test]
fn what_is_read_back_has_lost_credentials() {
    let element = make("sessiontoken")
        .property("locations", "https://me:SECRET@a/x?SECRET  https://b/y")
        .build()
        .expect("an element");
    assert_eq!(
        element.property::<String>("locations"),
        "https://a/x https://b/y"
    );
}
