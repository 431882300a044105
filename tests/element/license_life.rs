// SPDX-License-Identifier: MIT OR Apache-2.0

//! A license ends, or another key comes into use, in the middle of a film, and nobody sees it.

use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use gst::prelude::*;
use headend::{AUDIO_KEY, AUDIO_KEY_ID, Headend, Licenses, VIDEO_KEY, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;

/// Between two samples, where a test plays until something has happened.
const TICK: Duration = Duration::from_millis(5);

/// Of this a license is renewed after one half, so a test has the other half for what is to happen
/// before the end.
const SHORT: Duration = Duration::from_secs(6);

/// For what is to happen at the end itself.
const SHORTER: Duration = Duration::from_secs(4);

/// What tracks with rotating keys have as their default key id.
const NO_KEY_ID: &str = "00000000000000000000000000000000";

const FRAGMENT: &str = "isobmff/moof";

/// Plays until the license server has so many requests.
fn plays_until_asked(rig: &mut Rig, headend: &Headend, requests: usize) {
    let begun = Instant::now();
    while !headend.wait_for(TICK, |record| record.license_requests().count() >= requests) {
        plays(rig);
        assert!(begun.elapsed() < PATIENCE, "request {requests} never came");
    }
}

/// What the application has been told of licenses since it was asked last; nothing may be wrong.
fn news(rig: &Rig) -> Vec<gst::Structure> {
    let told = rig.told();
    assert_eq!((told.errors.len(), told.warnings.len()), (0, 0), "{told:?}");
    let mut news = told.states;
    news.retain(|state| state.name() == "clearkey-license");
    news
}

fn state(news: &gst::StructureRef) -> String {
    news.get("state").expect("a word")
}

fn states(news: &[gst::Structure]) -> Vec<String> {
    news.iter().map(|news| state(news)).collect()
}

/// Plays until the application is told more.
fn plays_until_told(rig: &mut Rig, headend: &Headend) -> Vec<gst::Structure> {
    let begun = Instant::now();
    loop {
        plays(rig);
        let news = news(rig);
        if !news.is_empty() {
            return news;
        }
        assert!(begun.elapsed() < PATIENCE, "nothing was told");
        // Nothing to wait for there: only not as fast as can be.
        let _ = headend.wait_for(TICK, |_| false);
    }
}

fn kids(headend: &Headend) -> Vec<Vec<String>> {
    let requests = headend.license_requests();
    requests.into_iter().map(|request| request.kids).collect()
}

fn statuses(headend: &Headend) -> Vec<Option<u16>> {
    let requests = headend.license_requests();
    requests.iter().map(|request| request.status).collect()
}

fn flush(rig: &Rig) {
    rig.send(&[
        gst::event::FlushStart::new().into(),
        gst::event::FlushStop::new(true).into(),
        segment().into(),
    ]);
}

/// A `sessiontoken` with a decryptor behind it, in the middle of a stream that has named these
/// keys.
fn behind_a_sessiontoken(headend: &Headend, key_ids: &[&str]) -> (Rig, gst::Element) {
    let elements = [sessiontoken(headend), clearkeydec(headend)]
        .map(|builder| builder.build().expect("an element"));
    let rig = Rig::chain(&elements);
    rig.send(&[
        stream_start().into(),
        caps_event().into(),
        event(COMMON_SYSTEM, "isobmff/moov", pssh(key_ids)).into(),
        segment().into(),
    ]);
    let [before, _] = elements;
    (rig, before)
}

#[test]
fn license_renewal_before_expiry_holds_no_sample() {
    let headend = serving(Licenses::ServeFor(SHORT));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID, AUDIO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    let told = news(&rig);
    assert_eq!(states(&told), ["acquired"]);
    assert_eq!(told[0].get::<u32>("keys"), Ok(2));
    assert_eq!(told[0].get::<bool>("cached"), Ok(false));
    assert_eq!(told[0].get::<u32>("attempts"), Ok(1));
    let latency = told[0].get::<gst::ClockTime>("latency");
    assert!(latency.expect("a time") > gst::ClockTime::ZERO);

    headend.set_licenses(Licenses::Hang);
    plays_until_asked(&mut rig, &headend, 2);
    for _ in 0..50 {
        plays(&mut rig);
    }
    assert_eq!(news(&rig).len(), 0);
    headend.release();
    assert_eq!(states(&plays_until_told(&mut rig, &headend)), ["renewed"]);
    for _ in 0..50 {
        plays(&mut rig);
    }
    let all = [AUDIO_KEY_ID, VIDEO_KEY_ID];
    assert_eq!(kids(&headend), [all, all]);
    assert_eq!(news(&rig).len(), 0);
}

#[test]
fn late_license_renewal_holds_stream_without_error() {
    let headend = serving(Licenses::ServeFor(SHORTER));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    headend.set_licenses(Licenses::Hang);
    // The first sample of after the end is held.
    let begun = Instant::now();
    loop {
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
        let Some(clear) = rig.harness.try_pull() else {
            break;
        };
        assert_eq!(contents(&clear), PLAINTEXT);
        assert!(begun.elapsed() < PATIENCE, "the license never ended");
        let _ = headend.wait_for(TICK, |_| false);
    }
    headend.release();
    assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    plays_when_the_key_is_here(&mut rig);
    assert_eq!(statuses(&headend), [Some(200), Some(200)]);
    assert_eq!(news(&rig).len(), 2);
}

#[test]
fn streams_renew_shared_license_with_one_request() {
    let headend = serving(Licenses::ServeFor(SHORT));
    let [mut first, mut second] = [[AUDIO_KEY_ID, VIDEO_KEY_ID], [VIDEO_KEY_ID, AUDIO_KEY_ID]]
        .map(|key_ids| authorized(&headend, &key_ids));
    for (rig, is_shared) in [(&mut first, false), (&mut second, true)] {
        plays_when_the_key_is_here(rig);
        let told = news(rig);
        assert_eq!(states(&told), ["acquired"]);
        assert_eq!(told[0].get::<bool>("cached"), Ok(is_shared));
    }
    headend.set_licenses(Licenses::Hang);
    plays_until_asked(&mut first, &headend, 2);
    // It finds the license as close to its end as the first one did, and the request under way.
    plays(&mut second);
    headend.release();
    for (rig, is_shared) in [(&mut first, false), (&mut second, true)] {
        let told = plays_until_told(rig, &headend);
        assert_eq!(states(&told), ["renewed"]);
        assert_eq!(told[0].get::<bool>("cached"), Ok(is_shared));
        plays(rig);
    }
    assert_eq!(headend.license_requests().len(), 2);
}

#[test]
fn failed_renewal_is_fatal_only_at_license_expiry() {
    let headend = serving(Licenses::ServeFor(SHORTER));
    let builder = clearkeydec(&headend).property("retries", 0_u32);
    let begun = Instant::now();
    let mut rig = authorized_by(builder, &headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    headend.set_licenses(Licenses::Refuse(500));
    let mut told = Vec::new();
    let mut played_since = 0;
    while rig.push(picture()) == Ok(gst::FlowSuccess::Ok) {
        let Some(clear) = rig.harness.try_pull() else {
            // The license has ended, and this one waits for the next.
            break;
        };
        assert_eq!(contents(&clear), PLAINTEXT);
        told.extend(news(&rig));
        if told.len() > 1 {
            played_since += 1;
        }
        assert!(begun.elapsed() < PATIENCE, "the license never ended");
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert!(begun.elapsed() + TICK >= SHORTER, "it ended too early");
    let complaint = the_end(&rig);
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["license server", "HTTP 500"]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");
    assert_eq!(complaint.detail::<u32>("http-status"), 500);

    assert_eq!(state(&told[0]), "acquired");
    assert!(told.len() > 1 && played_since > 0, "{told:?}");
    for told in &told[1..] {
        assert_eq!(state(told), "failed");
        assert_eq!(told.get::<&str>("reason"), Ok("transient"));
        assert_eq!(told.get::<u32>("http-status"), Ok(500));
        assert_eq!(told.get::<u32>("attempts"), Ok(1));
    }
    // The first, one or two ahead of the end with a second at least between them, and one at the
    // end.
    let requests = headend.license_requests().len();
    assert!((3..=4).contains(&requests), "{requests} requests");
}

#[test]
fn renewal_replaces_rejected_token_without_hold() {
    let mut rigs = [401, 403, 412].map(|status| {
        let headend = serving(Licenses::ServeFor(SHORT));
        let (mut rig, _) = behind_a_sessiontoken(&headend, &[VIDEO_KEY_ID]);
        plays_when_the_key_is_here(&mut rig);
        assert_eq!(states(&news(&rig)), ["acquired"]);
        headend.revoke();
        headend.set_refusal(status);
        headend.set_licenses(Licenses::Serve);
        (status, headend, rig)
    });
    for (status, headend, rig) in &mut rigs {
        assert_eq!(states(&plays_until_told(rig, headend)), ["renewed"]);
        plays(rig);
        assert_eq!(statuses(headend), [Some(200), Some(*status), Some(200)]);
        assert_eq!(headend.token_requests().len(), 2);
    }
}

#[test]
fn later_license_request_uses_newest_token() {
    let headend = serving(Licenses::Serve);
    let (mut rig, before) = behind_a_sessiontoken(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    headend.revoke();
    let first = before
        .property::<gst::Structure>("stats")
        .get::<u32>("generation");
    let first = first.expect("a number");
    before.emit_by_name::<()>("refresh-token", &[]);
    // No event brings the new token: the decryptor has to look for it where this does.
    let mut query = gst::query::Context::new("drm-session-token");
    let pad = before.static_pad("src").expect("a pad");
    assert!(pad.query(query.query_mut()), "nobody answers");
    let context = query.context_owned().expect("an answer");
    let store = context.structure().get::<gst::glib::Object>("store");
    let store = store.expect("a store");
    let begun = Instant::now();
    while store.property::<u32>("generation") == first {
        assert!(begun.elapsed() < PATIENCE, "the new token never came");
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), &PLAINTEXT[..64]);
    assert_eq!(kids(&headend), [[VIDEO_KEY_ID], [AUDIO_KEY_ID]]);
    assert_eq!(statuses(&headend), [Some(200), Some(200)]);
    assert_eq!(headend.token_requests().len(), 2);
}

/// A sample of the picture, or of the sound, that does not say by which key.
fn unnamed(mut sample: gst::Buffer) -> gst::Buffer {
    let unshared = sample.get_mut().expect("not shared yet");
    let meta = unshared.meta_mut::<gst::meta::ProtectionMeta>();
    meta.expect("it is protected").remove().expect("removable");
    gst::meta::ProtectionMeta::add(unshared, whole(NO_KEY_ID));
    sample
}

#[test]
fn sample_without_key_id_uses_key_of_fragment() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let fragment = |key_id| event(COMMON_SYSTEM, FRAGMENT, pssh(&[key_id]));
    let widevine = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    for _ in 0..3 {
        for (key_id, sample, plain) in [
            (VIDEO_KEY_ID, picture as fn() -> gst::Buffer, PLAINTEXT),
            (AUDIO_KEY_ID, sound, &PLAINTEXT[..64]),
        ] {
            rig.send(&[fragment(key_id).into()]);
            // That of another system says nothing to this decryptor.
            rig.send(&[event(widevine, FRAGMENT, "").into()]);
            for _ in 0..2 {
                assert_eq!(rig.push(unnamed(sample())), Ok(gst::FlowSuccess::Ok));
                assert_eq!(contents(&rig.harness.pull().expect("a buffer")), plain);
            }
        }
    }
    assert_eq!(kids(&headend), [[VIDEO_KEY_ID], [AUDIO_KEY_ID]]);
}

#[test]
fn unresolved_sample_key_id_has_its_own_error() {
    let both = || pssh(&[VIDEO_KEY_ID, AUDIO_KEY_ID]);
    let one = || pssh(&[VIDEO_KEY_ID]);
    let other = || pssh(&[AUDIO_KEY_ID]);
    let events: [&dyn Fn() -> Vec<gst::Event>; 5] = [
        &Vec::new,
        // qtdemux sends an event for each box.
        &|| {
            [one(), other()]
                .map(|data| event(COMMON_SYSTEM, FRAGMENT, data))
                .to_vec()
        },
        // What a whole track names is not what a fragment names.
        &|| vec![event(COMMON_SYSTEM, "isobmff/moov", one())],
        &|| vec![event(COMMON_SYSTEM, FRAGMENT, both())],
        &|| {
            let fragments = [one(), both()];
            fragments
                .map(|data| event(COMMON_SYSTEM, FRAGMENT, data))
                .to_vec()
        },
    ];
    for events in events {
        let headend = serving(Licenses::ServeAnonymous);
        let rig = started(clearkeydec(&headend));
        rig.send(&events().into_iter().map(Input::from).collect::<Vec<_>>());
        complaint_after(&rig, unnamed(picture()))
            .is(gst::StreamError::DecryptNokey)
            .says(&["samples name no key", "package each track by itself"]);
    }
}

#[test]
fn key_after_seek_is_requested_during_other_request() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[AUDIO_KEY_ID]);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    assert!(headend.wait_for(PATIENCE, |record| record.license_requests().count() == 1));
    flush(&rig);
    let token = format!("Bearer {}", headend.token());
    let headers = [("Authorization", &*token)];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    // While the other one hangs.
    assert!(headend.wait_for(PATIENCE, |record| record.license_requests().count() == 2));
    headend.release();
    assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    assert_eq!(kids(&headend), [[AUDIO_KEY_ID], [VIDEO_KEY_ID]]);
    // Back again, and the first one is here too.
    flush(&rig);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), &PLAINTEXT[..64]);
    assert_eq!(headend.license_requests().len(), 2);
    assert_eq!(states(&news(&rig)), ["acquired", "acquired"]);
}

#[test]
fn granted_key_plays_if_other_renewal_is_rejected() {
    let headend = serving(Licenses::ServeFor(SHORT));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    // The renewal comes with the old token, and its answer takes a while.
    headend.revoke();
    headend.set_licenses(Licenses::Hang);
    plays_until_asked(&mut rig, &headend, 2);
    let token = format!("Bearer {}", headend.token());
    let headers = [("Authorization", &*token)];
    rig.send(&[event_with_headers(&[AUDIO_KEY_ID], &headers).into()]);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    // While the renewal hangs.
    assert!(headend.wait_for(PATIENCE, |record| record.license_requests().count() == 3));
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), &PLAINTEXT[..64]);
    assert_eq!(kids(&headend)[2], [AUDIO_KEY_ID]);
    assert_eq!(statuses(&headend), [Some(200), Some(403), Some(200)]);
}

#[test]
fn renewal_omits_keys_no_longer_in_use() {
    let headend = serving(Licenses::ServeFor(SHORTER));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    let token = format!("Bearer {}", headend.token());
    let headers = [("Authorization", &*token)];
    rig.send(&[event_with_headers(&[AUDIO_KEY_ID], &headers).into()]);
    let begun = Instant::now();
    while headend.license_requests().len() < 4 {
        assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
        let clear = rig.harness.pull().expect("a buffer");
        assert_eq!(contents(&clear), &PLAINTEXT[..64]);
        assert!(begun.elapsed() < PATIENCE, "it was not renewed");
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert_eq!(kids(&headend)[1..], [[AUDIO_KEY_ID]; 3]);
}

#[test]
fn renewal_without_key_is_retried_before_expiry() {
    let headend = serving(Licenses::ServeFor(SHORT));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    headend.set_licenses(Licenses::Reply {
        status: 200,
        body: r#"{"keys":[]}"#.to_owned(),
    });
    plays_until_asked(&mut rig, &headend, 2);
    headend.set_licenses(Licenses::Serve);
    plays_until_asked(&mut rig, &headend, 3);
    let begun = Instant::now();
    while begun.elapsed() < SHORT {
        plays(&mut rig);
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert_eq!(headend.license_requests().len(), 3);
}

#[test]
fn invalid_license_expiry_is_ignored() {
    for end in [
        "1",
        "1700000000.5",
        "-1",
        "null",
        r#""never""#,
        r#""1700000000""#,
        "true",
        "[]",
        "{}",
        "1e300",
    ] {
        let body = format!(
            r#"{{"keys":[{{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3uAg","k":"ASNFZ4mrze8BI0VniavNAg","exp":{end}}}],"type":"temporary"}}"#
        );
        let headend = serving(Licenses::Reply { status: 200, body });
        let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
        plays_when_the_key_is_here(&mut rig);
        for _ in 0..20 {
            plays(&mut rig);
        }
        assert_eq!(states(&news(&rig)), ["acquired"], "exp: {end}");
        assert_eq!(headend.license_requests().len(), 1, "exp: {end}");
    }
}

#[test]
fn paused_stream_does_not_renew_license() {
    let headend = serving(Licenses::ServeFor(SHORTER));
    let token = format!("Bearer {}", headend.token());
    // The header tells the requests of the two apart, and has them share no license.
    let mut rigs = ["paused", "playing"].map(|name| {
        let rig = started(clearkeydec(&headend));
        let headers = [("Authorization", &*token), ("X-Stream", name)];
        rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
        rig
    });
    let requests = |name: &str| {
        let requests = headend.license_requests();
        let header = ("x-stream".to_owned(), name.to_owned());
        let ours = requests.iter();
        ours.filter(|request| request.headers.contains(&header))
            .count()
    };
    for rig in &mut rigs {
        plays_when_the_key_is_here(rig);
    }
    let [paused, playing] = &mut rigs;
    // Once the license of the other one, which came later, has been renewed twice, ours has ended.
    let begun = Instant::now();
    while requests("playing") < 3 {
        plays_when_the_key_is_here(playing);
        paused.send(&[gap().into()]);
        assert!(begun.elapsed() < PATIENCE, "it was not renewed");
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert_eq!(requests("paused"), 1);
    // And who goes on has it again.
    plays_when_the_key_is_here(paused);
    assert_eq!(requests("paused"), 2);
    assert_eq!(states(&news(paused)), ["acquired", "acquired"]);
}

#[test]
fn key_missing_from_license_is_requested_on_use() {
    let headend = serving(Licenses::ServeWithout(AUDIO_KEY_ID.to_owned()));
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID, AUDIO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    // Its time has come.
    headend.set_licenses(Licenses::Serve);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), &PLAINTEXT[..64]);
    assert!(kids(&headend)[1].contains(&AUDIO_KEY_ID.to_owned()));
}

/// Such a server would be asked for no key at all, and the film would end with the license.
#[test]
fn unrequested_key_in_use_is_renewed() {
    let base64url = |hex: &str| URL_SAFE_NO_PAD.encode(bytes(hex));
    let end = SystemTime::now() + SHORT;
    let end = end.duration_since(SystemTime::UNIX_EPOCH).expect("later");
    let jwk = |key_id, key| {
        let (kid, k) = (base64url(key_id), base64url(key));
        format!(
            r#"{{"kty":"oct","kid":"{kid}","k":"{k}","exp":{}}}"#,
            end.as_secs()
        )
    };
    let keys = [(VIDEO_KEY_ID, VIDEO_KEY), (AUDIO_KEY_ID, AUDIO_KEY)];
    let keys = keys.map(|(key_id, key)| jwk(key_id, key)).join(",");
    let headend = serving(Licenses::Reply {
        status: 200,
        body: format!(r#"{{"keys":[{keys}]}}"#),
    });
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    headend.set_licenses(Licenses::Serve);

    // From here on nobody speaks of the picture's key any more.
    let token = format!("Bearer {}", headend.token());
    let headers = [("Authorization", token.as_str())];
    rig.send(&[event_with_headers(&[AUDIO_KEY_ID], &headers).into()]);
    let begun = Instant::now();
    while !headend.wait_for(TICK, |record| record.license_requests().count() >= 2) {
        assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
        assert_eq!(
            contents(&rig.harness.pull().expect("a buffer")),
            PLAINTEXT[..64]
        );
        assert!(begun.elapsed() < PATIENCE, "nobody asked");
    }
    assert_eq!(kids(&headend), [[VIDEO_KEY_ID], [AUDIO_KEY_ID]]);
}

/// Whoever logged out would go on with the account's token at the next renewal.
#[test]
fn renewal_after_logout_uses_new_token() {
    let headend = serving(Licenses::ServeFor(SHORT));
    let (mut rig, before) = behind_a_sessiontoken(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    let old = headend.token();
    headend.revoke();
    before.emit_by_name::<()>("clear-token", &[]);
    plays_until_asked(&mut rig, &headend, 2);
    let new = headend.token();
    assert_ne!(old, new);
    let presented: Vec<_> = headend
        .license_requests()
        .iter()
        .map(|request| request.authorization.clone())
        .collect();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(presented, [bearer(&old), bearer(&new)]);
    assert_eq!(headend.token_requests().len(), 2);
}

/// A key that came beside the one that was asked for was used for ever.
#[test]
fn key_that_nobody_asked_for_ends_when_it_says() {
    let end = SystemTime::now() + Duration::from_secs(3);
    let end = end
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970")
        .as_secs();
    let key = |id: &str, key: &str, exp: &str| {
        let text = |hex: &str| URL_SAFE_NO_PAD.encode(bytes(hex));
        format!(
            r#"{{"kty":"oct","kid":"{}","k":"{}"{exp}}}"#,
            text(id),
            text(key)
        )
    };
    let exp = format!(r#","exp":{end}"#);
    let body = format!(
        r#"{{"keys":[{},{}],"type":"temporary"}}"#,
        key(VIDEO_KEY_ID, VIDEO_KEY, ""),
        key(AUDIO_KEY_ID, AUDIO_KEY, &exp)
    );
    let headend = serving(Licenses::Reply { status: 200, body });
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    plays_when_the_key_is_here(&mut rig);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    let begun = Instant::now();
    while headend.license_requests().len() < 2 {
        assert!(begun.elapsed() < PATIENCE, "it is used for ever");
        assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
        let _ = headend.wait_for(TICK, |_| false);
    }
    assert!(kids(&headend)[1].contains(&AUDIO_KEY_ID.to_owned()));
}
