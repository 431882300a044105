// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's model in one stream: what its protection events say, what is held until it is known
//! whom to ask, and what a decryptor is told.

use std::collections::HashMap;

use gst::element_factory::ElementBuilder;
use gst::prelude::*;
use headend::{AUDIO_KEY_ID, Auth, Headend, Licenses, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::{event, picture, pssh, sound};

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

/// Brings what the MPD says, and the sample that it is about, until that has left.
fn play(rig: &Rig, url: &str, sample: &gst::Buffer) {
    rig.send(&[mpd(CLEARKEY_SYSTEM, &[url]).into(), sample.clone().into()]);
    rig.log.wait_for(Item::from(sample));
}

/// An element and the decryptor behind it.
fn with_decryptor(headend: &Headend) -> Rig {
    let clearkeydec = make("clearkeydec")
        .property("license-url", headend.license_url())
        .property("timeout", NO_HURRY);
    let rig = Rig::chain(&[
        dashif().build().expect("an element"),
        clearkeydec.build().expect("an element"),
    ]);
    let caps = gst::Caps::builder("application/x-cenc")
        .field("original-media-type", "video/x-test")
        .field("protection-system", COMMON_SYSTEM)
        .build();
    let caps = gst::event::Caps::new(&caps);
    rig.send(&[stream_start().into(), caps.into(), segment().into()]);
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
fn authz_request_waits_for_key_id_of_first_sample() {
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
fn one_authz_request_lists_all_keys_sorted() {
    init();
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

/// Content that demands no token would not play, or would give one away to whoever is asked for
/// keys.
#[test]
fn stream_without_matching_authz_url_is_unchanged() {
    init();
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
fn stream_that_ends_before_its_first_sample_does_so() {
    let headend = headend(Auth::Grant);
    for (named, is_asked) in [(&[][..], false), (&[VIDEO_KEY_ID], true)] {
        let url = authz(&headend, &format!("end-{is_asked}"));
        let before = headend.token_requests().len();
        let rig = started(dashif());
        let eos = gst::event::Eos::new();
        let events = [mpd(CLEARKEY_SYSTEM, &[&url]), keys(named), eos.clone()];
        rig.send(&events.map(Input::from));
        rig.log.wait_for(Item::from(&eos));
        let asked = headend.token_requests().len() - before;
        assert_eq!(asked, usize::from(is_asked));
    }
}

/// A stream that begins with a gap would go on without its token, or not begin before its first
/// sample though its keys are known.
#[test]
fn gap_is_waited_behind_only_where_no_key_is_known() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let gap = gap();
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "gap")]).into(),
        gap.clone().into(),
    ]);
    assert_eq!(headend.token_requests().len(), 0);
    let sample = picture();
    rig.send(&[sample.clone().into()]);
    rig.log.wait_for(Item::from(&sample));
    assert_eq!(kids(&headend), [VIDEO]);
    let known = started(dashif());
    known.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "known-gap")]).into(),
        keys(&[VIDEO_KEY_ID]).into(),
        gap.clone().into(),
    ]);
    known.log.wait_for(Item::from(&gap));
    assert_eq!(kids(&headend), [VIDEO, VIDEO]);
}

/// After a seek a viewer would see a stream that needs no token any more, and a refusal of its
/// license.
#[test]
fn authz_urls_survive_seek_until_next_manifest() {
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
    assert_eq!(rig.ordinal(&first[0]), 1);
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
    assert_eq!(rig.ordinal(&next[0]), 2);
    let free = play(&[mpd(CLEARKEY_SYSTEM, &[]), keys(&[AUDIO_KEY_ID])], sound());
    assert!(free.is_empty(), "{free:?}");
    assert_eq!(newest(&rig), None);
    // The first one again: a token keeps its generation.
    let back = play(
        &[mpd(CLEARKEY_SYSTEM, &[&url]), keys(&[VIDEO_KEY_ID])],
        picture(),
    );
    assert_eq!(
        back[0].get::<String>("session-token"),
        first[0].get("session-token")
    );
    assert_eq!(rig.ordinal(&back[0]), 1);
    assert_eq!(newest(&rig), back[0].get("session-token").ok());
    assert_eq!(headend.token_requests().len(), 2);
}

/// The store, as a decryptor finds it.
fn store(rig: &Rig) -> gst::glib::Object {
    let mut query = gst::query::Context::new("drm-session-token");
    assert!(rig.downstream.peer_query(query.query_mut()));
    let context = query.context_owned().expect("a context");
    context.structure().get("store").expect("a store")
}

fn newest(rig: &Rig) -> Option<String> {
    store(rig).property("session-token")
}

/// A refusal would be told to the wrong service, which would lose a good token, and the refused one
/// would be handed out to the next tune.
#[test]
fn rejection_renews_only_token_of_its_service() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    for (name, sample) in [("r1", picture()), ("r2", sound())] {
        play(&rig, &authz(&headend, name), &sample);
    }
    assert_eq!(kids(&headend), [VIDEO, AUDIO]);
    headend.revoke();
    let request = |signal: &str, arguments: &[&dyn ToValue]| {
        store(&rig).emit_by_name::<Option<gst::Structure>>(signal, arguments)
    };
    let token = |request: &gst::Structure| request.get::<String>("session-token").ok();
    let (first, second) = (rig.generation(1), rig.generation(2));
    let of_first = request("reject", &[&first, &403_u32]);
    let requests = headend.token_requests();
    assert_eq!(requests.len(), 3);
    assert!(requests[2].path.starts_with("/authz/r1?"), "{requests:?}");
    assert!(of_first.is_some());
    // What is newest depends on what is in hand.
    let newest_of = |generation: u32| request("newest", &[&generation]);
    let of_first = of_first.expect("a key request");
    let again = newest_of(first).expect("a key request");
    assert_eq!(token(&again), token(&of_first));
    let of_second = newest_of(second).expect("a key request");
    assert_eq!(token(&of_second), newest(&rig));
    assert_eq!(rig.ordinal(&of_first), 3);
    // The other one's is still there.
    let second = key_request(&rig.log.protections()[1]);
    assert_eq!(newest(&rig), second.get("session-token").ok());
}

/// Who logs out would leave the tokens of all other keys to the next one who logs in.
#[test]
fn logout_forgets_the_tokens_for_all_keys() {
    init();
    let headend = headend(Auth::Grant);
    let account = gst::Structure::builder("headers")
        .field("X-Account", "logout")
        .build();
    let builder = || dashif().property("extra-headers", account.clone());
    let rig = started(builder());
    play(&rig, &authz(&headend, "l1"), &picture());
    play(&rig, &authz(&headend, "l2"), &sound());
    rig.element.emit_by_name::<()>("clear-token", &[]);
    let next = started(builder());
    play(&next, &authz(&headend, "l1"), &picture());
    play(&next, &authz(&headend, "l2"), &sound());
    assert_eq!(kids(&headend), [VIDEO, AUDIO, VIDEO, AUDIO]);
}

/// A box that holds little would show nothing, for ever.
#[test]
fn max_held_bytes_does_not_block_initial_events() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif().property("max-held-bytes", 1u64));
    let sample = picture();
    let url = authz(&headend, "room");
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&url]).into(),
        keys(&[VIDEO_KEY_ID]).into(),
        keys(&[VIDEO_KEY_ID]).into(),
        sample.clone().into(),
    ]);
    rig.log.wait_for(Item::from(&sample));
    assert_eq!(rig.log.protections().len(), 3);
}

/// A manifest made for it would fill the memory.
#[test]
fn too_many_events_end_wait_for_first_sample() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let url = authz(&headend, "much");
    let first = mpd(CLEARKEY_SYSTEM, &[&url]);
    rig.send(&[first.clone().into()]);
    for _ in 0..100 {
        rig.send(&[keys(&[VIDEO_KEY_ID]).into()]);
    }
    // Without any data.
    rig.log.wait_for(Item::from(&first));
    assert_eq!(kids(&headend), [VIDEO]);
}

/// What one film's manifest says would be held against the next film on the same pad.
#[test]
fn new_stream_starts_without_previous_manifest() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let sample = picture();
    play(&rig, &authz(&headend, "film"), &sample);
    let (event, next) = (keys(&[AUDIO_KEY_ID]), sound());
    rig.send(&[
        gst::event::StreamStart::new("another").into(),
        caps_event().into(),
        segment().into(),
        event.into(),
        next.clone().into(),
    ]);
    rig.log.wait_for(Item::from(&next));
    let last = rig.log.protections().pop().expect("an event");
    assert!(key_requests(&last).is_empty());
    assert_eq!(headend.token_requests().len(), 1);
}

/// A stream whose keys stand in its fragments alone would be played without the token that the
/// application has named a service for.
#[test]
fn fragment_keys_suffice_with_configured_location() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif().property("location", authz(&headend, "moof")));
    let (event, sample) = (
        event(COMMON_SYSTEM, "isobmff/moof", pssh(&[VIDEO_KEY_ID])),
        picture(),
    );
    rig.send(&[event.into(), sample.clone().into()]);
    rig.log.wait_for(Item::from(&sample));
    assert_eq!(kids(&headend), [VIDEO]);
    assert_eq!(key_requests(&rig.log.protections()[0]).len(), 1);
}

/// The license server of content that demands no token would be shown that of other content.
#[test]
fn decryptor_does_not_reuse_token_for_next_content() {
    let headend = headend(Auth::Grant);
    headend.set_licenses(Licenses::ServeAnonymous);
    let rig = with_decryptor(&headend);
    for (url, key_id, sample) in [
        (Some(authz(&headend, "dec")), VIDEO_KEY_ID, picture()),
        (None, AUDIO_KEY_ID, sound()),
    ] {
        let urls: Vec<_> = url.iter().map(String::as_str).collect();
        rig.send(&[
            mpd(CLEARKEY_SYSTEM, &urls).into(),
            keys(&[key_id]).into(),
            sample.into(),
        ]);
    }
    rig.send(&[gst::event::Eos::new().into()]);
    let licenses = headend.license_requests();
    let licenses: Vec<_> = licenses
        .iter()
        .map(|request| (request.kids.clone(), request.token_present))
        .collect();
    let expected = [(VIDEO_KEY_ID, true), (AUDIO_KEY_ID, false)];
    assert_eq!(
        licenses,
        expected.map(|(id, token)| (vec![id.to_owned()], token))
    );
}

/// The license server of one service would be shown the token of another one, by a decryptor that
/// is not as far as the stream.
#[test]
fn lagging_decryptor_gets_new_token_of_its_service() {
    let headend = headend(Auth::Grant);
    headend.set_licenses(Licenses::Hang);
    let rig = with_decryptor(&headend);
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "lag1")]).into(),
        picture().into(),
    ]);
    assert!(headend.wait_for(PATIENCE, |record| record.license_requests().count() == 1));
    // The decryptor waits for its license, and the stream goes on.
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "lag2")]).into(),
        sound().into(),
    ]);
    assert!(headend.wait_for(PATIENCE, |record| record.token_requests().count() == 2));
    headend.revoke();
    headend.release_licenses();
    rig.send(&[gst::event::Eos::new().into()]);
    let licenses = headend.license_requests();
    let last_of = |key_id: &str| {
        let of_key = licenses.iter().rfind(|request| request.kids == [key_id]);
        of_key.expect("a request").status
    };
    // A token for other keys would have been refused.
    assert_eq!(last_of(VIDEO_KEY_ID), Some(200), "{licenses:?}");
    assert_eq!(last_of(AUDIO_KEY_ID), Some(200), "{licenses:?}");
}

/// A box would keep the tokens of channels fresh that nobody watches any more.
#[test]
fn renewal_skips_service_that_stream_has_left() {
    let headend = headend(Auth::GrantFor(2));
    let rig = started(dashif());
    play(&rig, &authz(&headend, "left"), &picture());
    play(&rig, &authz(&headend, "kept"), &sound());
    // Tokens of two seconds are renewed about every second.
    let renewals = |record: &headend::Record| {
        let kept = record
            .token_requests()
            .filter(|one| one.path.contains("/kept"));
        kept.count() >= 4
    };
    assert!(headend.wait_for(PATIENCE, renewals));
    let requests = headend.token_requests();
    let left = requests.iter().filter(|one| one.path.contains("/left"));
    assert_eq!(left.count(), 1, "{requests:?}");
}

/// An operator's second site would be asked by half of the boxes.
#[test]
fn configured_locations_are_tried_in_order() {
    let headend = headend(Auth::Grant);
    for number in 0..10 {
        let urls = ["o1", "o2"].map(|name| format!("{}?n={number}", authz(&headend, name)));
        let rig = started(dashif().property("locations", urls.join(" ")));
        let sample = picture();
        rig.send(&[keys(&[VIDEO_KEY_ID]).into(), sample.clone().into()]);
        rig.log.wait_for(Item::from(&sample));
    }
    let requests = headend.token_requests();
    assert_eq!(requests.len(), 10);
    assert!(
        requests
            .iter()
            .all(|request| request.path.starts_with("/authz/o1?"))
    );
}

/// A decryptor that was refused would be told of the token for the next period's keys, and never of
/// its own.
#[test]
fn event_resent_at_boundary_has_token_of_its_key() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif());
    let sample = picture();
    play(&rig, &authz(&headend, "b1"), &sample);
    headend.revoke();
    let rejected = gst::Structure::builder("drm-session-token-rejected")
        .field("generation", rig.generation(1))
        .build();
    assert!(
        rig.downstream
            .push_event(gst::event::CustomUpstream::new(rejected))
    );
    let next = sound();
    rig.send(&[
        mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "b2")]).into(),
        next.clone().into(),
    ]);
    rig.log.wait_for(Item::from(&next));
    let told: Vec<_> = rig
        .log
        .protections()
        .iter()
        .map(|event| {
            let request = key_request(event);
            let key_ids = request.get::<String>("key-ids").expect("key ids");
            (rig.ordinal(&request), key_ids)
        })
        .collect();
    let expected = [(1, VIDEO), (2, VIDEO), (3, AUDIO)];
    assert_eq!(told, expected.map(|(number, ids)| (number, ids.to_owned())));
}

/// A viewer would see the keys of one period with the token of another.
#[test]
fn held_event_carries_token_for_its_samples() {
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

/// A viewer would lose the picture when the token ends, or the service would be asked for each
/// segment.
#[test]
fn token_is_used_until_the_end_that_it_names() {
    let headend = headend(Auth::GrantFor(1000));
    let rig = started(dashif());
    let sample = picture();
    play(&rig, &authz(&headend, "exp"), &sample);
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
fn cleartext_authz_url_on_remote_host_is_not_used() {
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
fn redirect_away_from_https_is_not_followed() {
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

/// 20,000 gaps were held behind one event, past `max-held-bytes`.
#[test]
fn what_is_gathered_behind_an_event_is_bounded() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif().property("max-held-bytes", 1u64));
    let url = authz(&headend, "gaps");
    let gap = || gst::event::Gap::builder(gst::ClockTime::ZERO).build();
    rig.send(&[mpd(CLEARKEY_SYSTEM, &[&url]).into()]);
    let refused = (0..20_000).position(|_| !rig.push_event(gap()));
    assert!(refused.is_some_and(|count| count < 1000), "{refused:?}");
    Complaint::of(&rig.message(gst::MessageType::Error)).says(&["not a single key"]);
}

/// A stream that names a service and brings nothing was waited for without an end.
#[test]
fn wait_for_first_sample_ends_at_timeout() {
    let headend = headend(Auth::Grant);
    let rig = started(dashif().property("timeout", 100_u32));
    rig.push_event(mpd(CLEARKEY_SYSTEM, &[&authz(&headend, "nothing")]));
    Complaint::of(&rig.message(gst::MessageType::Error)).says(&["not a single key"]);
    assert_eq!(headend.token_requests(), []);
}
