// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's model in one stream: what its protection events say, what is held until it is known whom to ask, and what a decryptor is told.

use std::collections::HashMap;

use gst::element_factory::ElementBuilder;
use headend::{AUDIO_KEY_ID, Auth, Headend, VIDEO_KEY_ID};

use crate::rig::*;
use crate::samples::{event, picture, pssh, sound};
use crate::tls;

const VIDEO: &str = "00112233-4455-6677-8899-aabbccddee02";
const AUDIO: &str = "00112233-4455-6677-8899-aabbccddee01";

fn dashif() -> ElementBuilder<'static> {
    make("sessiontoken")
        .property_from_str("auth-service", "dashif")
        .property("timeout", NO_HURRY)
}

/// What an MPD says, with the services at these URLs.
fn mpd(system: &str, urls: &[&str]) -> gst::Event {
    let urls = urls.iter().map(|url| {
        let url = url.replace('&', "&amp;");
        format!(r#"<d:Authzurl xmlns:d="https://dashif.org/CPS">{url}</d:Authzurl>"#)
    });
    let urls: String = urls.collect();
    event(
        system,
        "dash/mpd",
        format!("<ContentProtection>{urls}</ContentProtection>"),
    )
}

fn keys(key_ids: &[&str]) -> gst::Event {
    event(COMMON_SYSTEM, "isobmff/moov", pssh(key_ids))
}

fn started(builder: ElementBuilder<'_>) -> Rig {
    let rig = Rig::new(builder);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    rig
}

/// The keys that the head-end was asked for tokens for, in order.
fn kids(headend: &Headend) -> Vec<String> {
    let requests = headend.token_requests();
    let kids = requests.iter().map(|request| {
        let (_, kids) = request.path.split_once("kids=").expect("the keys");
        kids.to_owned()
    });
    kids.collect()
}

/// A URL of the head-end's that no other test uses.
fn authz(headend: &Headend, name: &str) -> String {
    headend.url(&format!("/authz/{name}"))
}

/// A viewer would wait for a token that nobody can ask for yet, and the player would hang with it.
#[test]
fn nobody_is_asked_before_the_first_sample_says_which_key_it_is() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let url = authz(&headend, "first");
    rig.send(&[mpd(CLEARKEY_SYSTEM, &[&url]).into(), tag().into()]);
    assert_eq!(rig.log.protections().len(), 0);
    assert_eq!(headend.token_requests().len(), 0);
    let sample = picture();
    rig.send(&[sample.clone().into()]);
    rig.log.wait_for(Item::from(&sample));
    assert_eq!(kids(&headend), [VIDEO]);
    let request = key_request(&rig.log.protections()[0]);
    assert_eq!(request.get("key-ids"), Ok(VIDEO));
    let token: String = request.get("session-token").expect("a token");
    let headers: gst::Structure = request.get("http-headers").expect("headers");
    assert_eq!(headers.get("Authorization"), Ok(format!("Bearer {token}")));
}

/// An operator would see a request for each stream, and tokens for half of the keys.
#[test]
fn all_keys_that_are_named_are_asked_for_in_order_and_once() {
    let headend = headend(Auth::Grant);
    let url = authz(&headend, "order");
    for (sample, own) in [(sound(), AUDIO), (picture(), VIDEO)] {
        let rig = started(dashif());
        rig.send(&[
            mpd(CLEARKEY_SYSTEM, &[&format!("{url}?kids=old&x=1")]).into(),
            keys(&[VIDEO_KEY_ID, AUDIO_KEY_ID]).into(),
            keys(&[AUDIO_KEY_ID]).into(),
            sample.clone().into(),
        ]);
        rig.log.wait_for(Item::from(&sample));
        for protection in rig.log.protections() {
            assert_eq!(key_request(&protection).get("key-ids"), Ok(own));
        }
    }
    assert_eq!(kids(&headend), [format!("{AUDIO},{VIDEO}")]);
    assert!(
        headend.token_requests()[0]
            .path
            .starts_with("/authz/order?x=1&kids=")
    );
}

/// Content that demands no token would not play, or would give one away to whoever is asked for keys.
#[test]
fn a_stream_that_names_no_service_of_its_system_passes_as_it_is() {
    let headend = headend(Auth::Grant);
    const WIDEVINE: &str = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    for events in [
        vec![keys(&[VIDEO_KEY_ID])],
        vec![
            mpd(WIDEVINE, &[&authz(&headend, "w")]),
            keys(&[VIDEO_KEY_ID]),
        ],
        vec![],
    ] {
        let rig = started(dashif());
        rig.send(&events.iter().cloned().map(Input::from).collect::<Vec<_>>());
        let sample = picture();
        rig.send(&[sample.clone().into()]);
        rig.log.wait_for(Item::from(&sample));
        for (left, came) in rig.log.protections().iter().zip(&events) {
            assert!(key_requests(left).is_empty());
            assert_eq!(init_data(left), init_data(came));
        }
        assert!(rig.told().is_nothing());
    }
    assert_eq!(headend.token_requests().len(), 0);
}

/// A player would wait for the end for ever.
#[test]
fn a_stream_that_ends_or_pauses_before_its_first_sample_does_so() {
    let headend = headend(Auth::Grant);
    for (number, last) in [gap(), gst::event::Eos::new()].into_iter().enumerate() {
        for (named, is_asked) in [(vec![], false), (vec![VIDEO_KEY_ID], true)] {
            let url = authz(&headend, &format!("end-{number}-{is_asked}"));
            let before = headend.token_requests().len();
            let rig = started(dashif());
            rig.send(&[
                mpd(CLEARKEY_SYSTEM, &[&url]).into(),
                keys(&named).into(),
                last.clone().into(),
            ]);
            rig.log.wait_for(Item::from(&last));
            let asked = headend.token_requests().len() - before;
            assert_eq!(asked, usize::from(is_asked), "{last:?}");
        }
    }
}

/// After a seek a viewer would see a stream that needs no token any more, and a refusal of its licence.
#[test]
fn what_the_manifest_said_holds_after_a_seek_and_until_it_says_something_else() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let (url, other) = (authz(&headend, "seek"), authz(&headend, "other"));
    let play = |events: &[gst::Event], sample: gst::Buffer| {
        rig.send(&events.iter().cloned().map(Input::from).collect::<Vec<_>>());
        rig.send(&[sample.clone().into()]);
        rig.log.wait_for(Item::from(&sample));
        let last = rig.log.protections().pop().expect("an event");
        key_requests(&last)
    };
    let first = play(
        &[mpd(CLEARKEY_SYSTEM, &[&url]), keys(&[VIDEO_KEY_ID])],
        picture(),
    );
    assert_eq!(first[0].get("generation"), Ok(1u32));
    // qtdemux says again what the init segment says.
    let again = play(&[keys(&[VIDEO_KEY_ID])], picture());
    assert_eq!(
        again[0].get::<String>("session-token"),
        first[0].get("session-token")
    );
    assert_eq!(headend.token_requests().len(), 1);
    let next = play(
        &[mpd(CLEARKEY_SYSTEM, &[&other]), keys(&[AUDIO_KEY_ID])],
        sound(),
    );
    assert_eq!(next[0].get("key-ids"), Ok(AUDIO));
    assert_eq!(kids(&headend), [VIDEO, AUDIO]);
    // A decryptor takes what has a higher generation for newer.
    assert_eq!(next[0].get("generation"), Ok(2u32));
    let free = play(&[mpd(CLEARKEY_SYSTEM, &[]), keys(&[AUDIO_KEY_ID])], sound());
    assert!(free.is_empty(), "{free:?}");
}

/// A viewer would see the keys of one period with the token of another.
#[test]
fn events_that_wait_leave_with_the_token_for_the_data_behind_them() {
    let headend = headend(Auth::Hang);
    let rig = started(dashif());
    let (first, second) = (picture(), sound());
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "p1")]).into(),
        first.into(),
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "p2")]).into(),
        second.clone().into(),
    ]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 1));
    headend.release();
    rig.log.wait_for(Item::from(&second));
    let protections = rig.log.protections();
    let told: Vec<_> = protections
        .iter()
        .map(|event| {
            key_request(event)
                .get::<String>("key-ids")
                .expect("key ids")
        })
        .collect();
    assert_eq!(told, [VIDEO, AUDIO]);
    assert_eq!(kids(&headend), [VIDEO, AUDIO]);
}

/// A viewer would lose the picture when the token ends, or the service would be asked for each segment.
#[test]
fn a_token_is_used_until_the_end_that_it_names() {
    let headend = headend(Auth::GrantFor(1000));
    let rig = started(dashif());
    let sample = picture();
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "exp")]).into(),
        sample.clone().into(),
    ]);
    rig.log.wait_for(Item::from(&sample));
    let request = key_request(&rig.log.protections()[0]);
    let ends: gst::DateTime = request.get("expires-at").expect("an end");
    let ends = ends.to_g_date_time().expect("a date").to_unix();
    let now = gst::glib::DateTime::now_utc().expect("a date").to_unix();
    assert!((now + 900..=now + 1000).contains(&ends), "{ends} at {now}");
}

/// A key request without its token would be made, and a boy in the street would watch.
#[test]
fn to_go_on_without_the_token_is_no_option() {
    let complaint = refusal(dashif().property_from_str("on-failure", "anonymous"));
    complaint.says(&["`on-failure=anonymous`", "dashif"]);
}

/// A token would go in the clear, to whom a manifest names.
#[test]
fn a_service_in_the_clear_on_another_host_is_not_asked() {
    let rig = started(dashif());
    rig.send(&[mpd(CLEARKEY_SYSTEM, &["http://auth.example/authz"]).into()]);
    let _ = rig.push(picture());
    let error = rig.message(gst::MessageType::Error);
    Complaint::of(&error)
        .is(gst::ResourceError::Settings)
        .says(&["`dashif:Authzurl`", "in the clear", "`allow-cleartext`"]);
}

/// An operator's redirect from https to http would give the account away to everyone on the way.
#[test]
fn a_redirect_away_from_https_is_not_followed() {
    let (headend, ca_file) = tls::trusted();
    headend.set_auth(Auth::ReplyWithHeaders {
        status: 302,
        headers: vec![("location".to_owned(), "http://127.0.0.1:9/".to_owned())],
        body: String::new(),
    });
    let rig = started(dashif().property("ssl-ca-file", ca_file.path()));
    rig.send(&[mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "tls")]).into()]);
    let _ = rig.push(picture());
    let error = rig.message(gst::MessageType::Error);
    Complaint::of(&error)
        .is(gst::ResourceError::Read)
        .says(&["from https to another scheme"]);
    assert_eq!(headend.token_requests().len(), 1);
}

/// A city's boxes would all ask the first of an operator's services, and the second would idle.
#[test]
fn equal_services_get_equal_shares() {
    let headend = headend(Auth::Grant);
    let mut asked = HashMap::<String, usize>::new();
    for number in 0..40 {
        let urls = ["a", "b"].map(|name| format!("{}?n={number}", authz(&headend, name)));
        let rig = started(dashif());
        let sample = picture();
        rig.send(&[
            mpd(CLEARKEY_SYSTEM, &[&urls[0], &urls[1]]).into(),
            sample.clone().into(),
        ]);
        rig.log.wait_for(Item::from(&sample));
    }
    for request in headend.token_requests() {
        let path = request.path.split('?').next().expect("a path");
        *asked.entry(path.to_owned()).or_default() += 1;
    }
    // That one of them gets none by chance happens once in 2^39 runs.
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert_eq!(asked.values().sum::<usize>(), 40);
}
