// SPDX-License-Identifier: MIT OR Apache-2.0

//! The decryptor: samples in, the same samples in the clear out, or a sentence that says why not.

use std::thread;

use gst::glib;
use gst::meta::ProtectionMeta;
use gst::prelude::*;
use headend::{AUDIO_KEY_ID, Licenses, VIDEO_KEY_ID};
use support::rig::*;
pub(crate) use support::samples::*;

/// What qtdemux says of one with subsamples, each so many bytes clear and so many protected.
fn partly(key_id: &str, subsamples: &[(u16, u32)]) -> gst::Structure {
    let mut info = whole(key_id);
    let table = subsamples
        .iter()
        .flat_map(|(clear, protected)| {
            let (clear, protected) = (clear.to_be_bytes(), protected.to_be_bytes());
            [&clear[..], &protected].concat()
        })
        .collect::<Vec<_>>();
    info.set("subsample_count", subsamples.len() as u32);
    info.set("subsamples", gst::Buffer::from_slice(table));
    info
}

/// Where the buffer and its bytes lie.
fn place(buffer: &gst::BufferRef) -> (usize, usize) {
    let bytes = buffer.map_readable().expect("readable").as_ptr();
    (buffer.as_ptr() as usize, bytes as usize)
}

/// Pushes a sample that no license can help, and gives back what the application is told.
fn complaint_about(rig: &Rig, buffer: gst::Buffer) -> Complaint {
    assert_eq!(rig.push(buffer), Err(gst::FlowError::Error));
    the_end(rig)
}

#[test]
fn sample_that_is_protected_as_a_whole_plays() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), PLAINTEXT);
    assert_eq!(clear.pts(), Some(gst::ClockTime::from_mseconds(40)));
    assert!(clear.flags().contains(gst::BufferFlags::DELTA_UNIT));
    assert!(clear.meta::<ProtectionMeta>().is_none());
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn subsample_decryption_keeps_clear_bytes() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    // 5 clear and 20 protected, 0 and 13, 7 and 0, 3 and 10, and 7 that no subsample covers.
    let subsamples = [(5, 20), (0, 13), (7, 0), (3, 10)];
    let mut data = PLAINTEXT.to_vec();
    let key_stream = bytes(VIDEO_KEY_STREAM);
    let ranges = [(5..25, 0), (25..38, 20), (48..58, 33)];
    for (range, at) in ranges {
        let protected = xor(&data[range.clone()], &key_stream[at..]);
        data[range].copy_from_slice(&protected);
    }
    assert_ne!(data, PLAINTEXT);
    for _ in 0..3 {
        let protected = sample(data.clone(), partly(VIDEO_KEY_ID, &subsamples));
        assert_eq!(rig.push(protected), Ok(gst::FlowSuccess::Ok));
        let clear = rig.harness.pull().expect("a buffer");
        assert_eq!(contents(&clear), PLAINTEXT);
        assert!(clear.meta::<ProtectionMeta>().is_none());
    }
    // That the table says nothing of the rest is told, once.
    let warnings = rig.told().warnings;
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings[0].says(&["7 bytes of a sample of 65"]);
}

/// Who else has the fragment, the demuxer above all, would find its bytes changed.
#[test]
fn sample_that_is_part_of_a_fragment_leaves_that_alone() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    for size in [64, 40_000, 200_000] {
        for info in [
            whole(VIDEO_KEY_ID),
            partly(VIDEO_KEY_ID, &[(5, 20), (7, size as u32 - 40)]),
        ] {
            let data: Vec<_> = (0..size).map(|number| (number % 251) as u8).collect();
            // What the same bytes come to in memory of their own.
            assert_eq!(
                rig.push(sample(data.clone(), info.clone())),
                Ok(gst::FlowSuccess::Ok)
            );
            let expected = contents(&rig.harness.pull().expect("a buffer"));
            assert_ne!(expected, data);
            let fragment = gst::Buffer::from_slice([&[1; 9][..], &data, &[2; 9]].concat());
            let before = contents(&fragment);
            let region = |range| fragment.copy_region(gst::BufferCopyFlags::MEMORY, range);
            let whole = region(9..9 + size).expect("it has that part");
            let mut pieces = region(9..30).expect("it has that part");
            pieces.append(region(30..9 + size).expect("it has that part"));
            for mut part in [whole, pieces] {
                ProtectionMeta::add(part.make_mut(), info.clone());
                part.make_mut().set_pts(gst::ClockTime::from_mseconds(80));
                assert_eq!(rig.push(part), Ok(gst::FlowSuccess::Ok));
                let clear = rig.harness.pull().expect("a buffer");
                assert_eq!(contents(&clear), expected);
                assert_eq!(clear.pts(), Some(gst::ClockTime::from_mseconds(80)));
                assert!(clear.meta::<ProtectionMeta>().is_none());
            }
            assert_eq!(contents(&fragment), before);
        }
    }
}

#[test]
fn sixteen_byte_iv_decrypts() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let mut info = whole(VIDEO_KEY_ID);
    info.set("iv_size", 16_u32);
    // The second block: the key stream begins sixteen bytes later.
    let iv = format!("{IV}0000000000000001");
    info.set("iv", gst::Buffer::from_slice(bytes(&iv)));
    let data = xor(PLAINTEXT, &bytes(VIDEO_KEY_STREAM)[16..]);
    assert_eq!(rig.push(sample(data, info)), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), PLAINTEXT);
}

#[test]
fn sample_flagged_clear_passes_without_license() {
    let headend = serving(Licenses::Refuse(403));
    let mut rig = started(clearkeydec(&headend));
    let info = gst::Structure::builder("application/x-cenc")
        .field("encrypted", false)
        .build();
    let clear = sample(PLAINTEXT.to_vec(), info);
    assert_eq!(rig.push(clear), Ok(gst::FlowSuccess::Ok));
    let left = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&left), PLAINTEXT);
    assert!(left.meta::<ProtectionMeta>().is_none());
    assert_eq!(headend.license_requests(), []);
}

#[test]
fn exclusive_sample_is_decrypted_without_copy() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    let mut places = Vec::new();
    // Two that are held until the license is here, and two that are not.
    for _ in 0..2 {
        let buffer = picture();
        places.push(place(&buffer));
        assert_eq!(rig.push(buffer), Ok(gst::FlowSuccess::Ok));
    }
    headend.release();
    let mut left = [(); 2]
        .map(|()| rig.harness.pull().expect("a buffer"))
        .to_vec();
    for _ in 0..2 {
        let buffer = picture();
        places.push(place(&buffer));
        assert_eq!(rig.push(buffer), Ok(gst::FlowSuccess::Ok));
        left.push(rig.harness.pull().expect("a buffer"));
    }
    let stayed = left.iter().map(|left| place(left)).collect::<Vec<_>>();
    assert_eq!(stayed, places);
    for left in left {
        assert_eq!(contents(&left), PLAINTEXT);
    }
}

#[test]
fn decryption_leaves_shared_sample_unchanged() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let theirs = picture();
    let protected = contents(&theirs);
    assert_eq!(rig.push(theirs.clone()), Ok(gst::FlowSuccess::Ok));
    let ours = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&ours), PLAINTEXT);
    assert_eq!(contents(&theirs), protected);
    assert!(theirs.meta::<ProtectionMeta>().is_some());
}

#[test]
fn list_of_samples_stays_a_list() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    let mut places = Vec::new();
    let mut list = || {
        let buffers = [picture(), picture(), picture()];
        places.extend(buffers.iter().map(|buffer| place(buffer)));
        buffers.into_iter().collect::<gst::BufferList>()
    };
    // One that is held until the license is here, and one that is not.
    assert_eq!(rig.upstream.push_list(list()), Ok(gst::FlowSuccess::Ok));
    assert_eq!(rig.log.items().len(), 3);
    headend.release();
    rig.log.wait_for_count(4);
    assert_eq!(rig.upstream.push_list(list()), Ok(gst::FlowSuccess::Ok));
    for place_before in places {
        let clear = rig.harness.pull().expect("a buffer");
        assert_eq!(place(&clear), place_before);
        assert_eq!(contents(&clear), PLAINTEXT);
        assert!(clear.meta::<ProtectionMeta>().is_none());
    }
    let left = rig.log.items();
    assert!(
        matches!(left[3..], [Item::List(_), Item::List(_)]),
        "{left:?}"
    );
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn decoder_gets_original_caps_no_protection_events() {
    let headend = serving(Licenses::ServeAnonymous);
    let rig = Rig::new(clearkeydec(&headend));
    let came = caps_event();
    let inputs: Vec<Input> = vec![
        stream_start().into(),
        protection(COMMON_SYSTEM, Some("dash/mpd")).into(),
        came.clone().into(),
        segment().into(),
        protection(COMMON_SYSTEM, Some("isobmff/moov")).into(),
        gap().into(),
        tag().into(),
        gst::event::Eos::new().into(),
    ];
    rig.send(&inputs);
    let passed = [0, 2, 3, 5, 6, 7].map(|index: usize| inputs[index].item());
    assert_eq!(rig.log.items(), passed);
    let left = rig.log.left()[1].event.clone().expect("the caps");
    assert_eq!(left.seqnum(), came.seqnum());
    let gst::EventView::Caps(left) = left.view() else {
        panic!("{left:?} are no caps");
    };
    let clear = gst::Caps::builder("video/x-h264")
        .field("width", 320)
        .build();
    assert!(left.caps_owned().is_strictly_equal(&clear), "{left:?}");
}

#[test]
fn one_license_request_fetches_all_init_data_keys() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = Rig::new(clearkeydec(&headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    // The other way round than they are asked for, and one of them twice.
    rig.send(&[event(
        COMMON_SYSTEM,
        "isobmff/moov",
        pssh(&[VIDEO_KEY_ID, AUDIO_KEY_ID, VIDEO_KEY_ID]),
    )
    .into()]);
    rig.send(&[segment().into()]);
    for buffer in [picture(), sound(), picture()] {
        assert_eq!(rig.push(buffer), Ok(gst::FlowSuccess::Ok));
    }
    for clear in [PLAINTEXT, &PLAINTEXT[..64], PLAINTEXT] {
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), clear);
    }
    let requests = headend.license_requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].kids, [AUDIO_KEY_ID, VIDEO_KEY_ID]);
    assert_eq!(
        requests[0].content_type.as_deref(),
        Some("application/json")
    );
}

#[test]
fn key_that_comes_into_use_later_is_asked_for_then() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    rig.harness.pull().expect("a buffer");
    for _ in 0..2 {
        assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
        let clear = rig.harness.pull().expect("a buffer");
        assert_eq!(contents(&clear), &PLAINTEXT[..64]);
    }
    let requests = headend.license_requests();
    let kids = requests.iter().map(|request| request.kids.clone());
    assert_eq!(kids.collect::<Vec<_>>(), [[VIDEO_KEY_ID], [AUDIO_KEY_ID]]);
}

#[test]
fn streams_with_same_keys_share_one_license_request() {
    let headend = serving(Licenses::Hang);
    let mut rigs = [[AUDIO_KEY_ID, VIDEO_KEY_ID], [VIDEO_KEY_ID, AUDIO_KEY_ID]]
        .map(|key_ids| authorized(&headend, &key_ids));
    for rig in &rigs {
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
        assert_eq!(rig.log.items().len(), 3);
    }
    headend.release();
    for rig in &mut rigs {
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    }
    // A third one comes later and finds the answer here.
    let mut late = authorized(&headend, &[AUDIO_KEY_ID, VIDEO_KEY_ID]);
    assert_eq!(late.push(picture()), Ok(gst::FlowSuccess::Ok));
    assert_eq!(contents(&late.harness.pull().expect("a buffer")), PLAINTEXT);
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn license_keys_are_not_shared_across_tokens() {
    let headend = serving(Licenses::Serve);
    let mut ours = authorized(&headend, &[VIDEO_KEY_ID]);
    assert_eq!(ours.push(picture()), Ok(gst::FlowSuccess::Ok));
    ours.harness.pull().expect("a buffer");

    let theirs = started(clearkeydec(&headend));
    let headers = [("Authorization", "Bearer stolen")];
    theirs.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    complaint_after(&theirs, picture())
        .is(gst::ResourceError::NotAuthorized)
        .says(&["HTTP 403"]);
    let valid = headend.license_requests();
    let valid = valid.iter().map(|request| request.token_valid);
    assert_eq!(valid.collect::<Vec<_>>(), [true, false]);
}

#[test]
fn key_request_headers_reach_license_server() {
    let headend = serving(Licenses::Serve);
    headend.set_token_header("x-session");
    let mut rig = started(clearkeydec(&headend));
    let headers = [
        ("X-Session", &*headend.token()),
        ("X-Tenant", "seven of nine"),
    ];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    let requests = headend.license_requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].token_valid);
    for (name, value) in headers {
        let sent = requests[0]
            .headers
            .iter()
            .filter(|(sent, _)| *sent == name.to_lowercase())
            .map(|(_, value)| value.as_str());
        assert_eq!(sent.collect::<Vec<_>>(), [value]);
    }
}

#[test]
fn license_request_carries_upstream_session_token() {
    let headend = serving(Licenses::Serve);
    let mut before = Rig::new(sessiontoken(&headend));
    let mut decryptor = Rig::new(clearkeydec(&headend));
    let data = pssh(&[VIDEO_KEY_ID]);
    before.send(&[
        stream_start().into(),
        caps_event().into(),
        event(COMMON_SYSTEM, "isobmff/moov", data).into(),
        segment().into(),
    ]);
    assert_eq!(before.push(picture()), Ok(gst::FlowSuccess::Ok));
    before.send(&[gst::event::Eos::new().into()]);
    for left in before.log.left() {
        decryptor.send(&left.event.map(Input::from).into_iter().collect::<Vec<_>>()[..]);
        if let Item::Buffer(_) = left.item {
            let buffer = before.harness.pull().expect("a buffer");
            assert_eq!(decryptor.push(buffer), Ok(gst::FlowSuccess::Ok));
        }
    }
    assert_eq!(
        contents(&decryptor.harness.pull().expect("a buffer")),
        PLAINTEXT
    );
    let requests = headend.license_requests();
    assert_eq!(requests.len(), 1);
    let bearer = format!("Bearer {}", headend.token());
    assert_eq!(requests[0].authorization, Some(bearer));
}

fn laurl(url: &str) -> String {
    format!(
        r#"<ContentProtection schemeIdUri="urn:uuid:{CLEARKEY_SYSTEM}" value="ClearKey1.0"><dashif:Laurl xmlns:dashif="https://dashif.org/CPS">{url}</dashif:Laurl></ContentProtection>"#
    )
}

#[test]
fn manifest_may_say_where_the_license_server_is() {
    for system in [CLEARKEY_SYSTEM.to_owned(), CLEARKEY_SYSTEM.to_uppercase()] {
        let headend = serving(Licenses::ServeAnonymous);
        let mut rig = Rig::new(make("clearkeydec"));
        let caps = gst::Caps::builder("application/x-cenc")
            .field("protection-system", &system)
            .field("original-media-type", "video/x-h264")
            .build();
        rig.send(&[
            stream_start().into(),
            gst::event::Caps::new(&caps).into(),
            event(&system, "dash/mpd", laurl(&headend.license_url())).into(),
            segment().into(),
        ]);
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
        assert_eq!(headend.license_requests().len(), 1);
    }
}

#[test]
fn players_license_server_wins_over_the_manifests() {
    let headend = serving(Licenses::ServeAnonymous);
    let theirs = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let data = laurl(&theirs.license_url());
    rig.send(&[event(CLEARKEY_SYSTEM, "dash/mpd", data).into()]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    rig.harness.pull().expect("a buffer");
    assert_eq!(headend.license_requests().len(), 1);
    assert_eq!(theirs.license_requests(), []);
}

#[test]
fn init_data_of_other_system_is_ignored() {
    let headend = serving(Licenses::ServeAnonymous);
    let rig = started(make("clearkeydec"));
    let data = laurl(&headend.license_url());
    let widevine = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    rig.send(&[event(widevine, "dash/mpd", data).into()]);
    complaint_about(&rig, picture()).is(gst::ResourceError::Settings);
    assert_eq!(headend.license_requests(), []);
}

#[test]
fn cleartext_laurl_on_remote_host_is_not_used() {
    let rig = started(make("clearkeydec"));
    let data = laurl("http://192.0.2.1/SECRET");
    rig.send(&[event(CLEARKEY_SYSTEM, "dash/mpd", data).into()]);
    complaint_about(&rig, picture())
        .is(gst::ResourceError::Settings)
        .says(&["`dashif:Laurl`", "192.0.2.1", "`allow-cleartext`"])
        .does_not_say(&["SECRET"]);
}

#[test]
fn missing_license_url_error_names_settings() {
    let complaint = complaint_about(&started(make("clearkeydec")), picture());
    complaint
        .is(gst::ResourceError::Settings)
        .says(&["`license-url`", "dashif:Laurl"]);
    assert_eq!(complaint.detail::<String>("reason"), "misconfigured");
}

#[test]
fn malformed_sample_ends_stream_naming_cause() {
    init();
    let with = |name: &str, value: glib::SendValue| {
        let mut info = whole(VIDEO_KEY_ID);
        info.set_value(name, value);
        sample(vec![0; 64], info)
    };
    let without = |name: &str| {
        let mut info = whole(VIDEO_KEY_ID);
        info.remove_field(name);
        sample(vec![0; 64], info)
    };
    let of_size = |size: usize| gst::Buffer::from_slice(vec![0; size]).to_send_value();
    let lying = |count: u32| {
        let mut info = partly(VIDEO_KEY_ID, &[(4, 4), (4, 4)]);
        info.set("subsample_count", count);
        sample(vec![0; 64], info)
    };
    let beyond = |subsamples: &[(u16, u32)]| sample(vec![0; 64], partly(VIDEO_KEY_ID, subsamples));
    let iv_of = |size: usize| {
        let mut info = whole(VIDEO_KEY_ID);
        info.set("iv_size", size as u32);
        info.set("iv", gst::Buffer::from_slice(vec![0; size]));
        sample(vec![0; 64], info)
    };
    for (broken, says) in [
        (without("kid"), "no key id"),
        (with("kid", of_size(15)), "not sixteen bytes"),
        (with("kid", of_size(0)), "not sixteen bytes"),
        (with("kid", "text".to_send_value()), "no key id"),
        (without("iv"), "no initialization vector"),
        (with("iv", of_size(7)), "`iv_size`"),
        (with("iv_size", 16_u32.to_send_value()), "`iv_size`"),
        (iv_of(7), "7 bytes instead of 8 or 16"),
        (iv_of(0), "0 bytes instead of 8 or 16"),
        (iv_of(17), "17 bytes instead of 8 or 16"),
        (with("subsample_count", 1_u32.to_send_value()), "no table"),
        (lying(1), "`subsample_count`"),
        (lying(3), "`subsample_count`"),
        (lying(u32::MAX), "`subsample_count`"),
        // Six times that is the size of the table in 32 bits.
        (lying(0x8000_0002), "`subsample_count`"),
        (beyond(&[(1, 64)]), "cover 65 bytes of a sample that has 64"),
        (beyond(&[(65, 0)]), "cover 65 bytes of a sample that has 64"),
        (
            beyond(&[(u16::MAX, u32::MAX), (u16::MAX, u32::MAX)]),
            "of a sample that has 64",
        ),
    ] {
        let headend = serving(Licenses::ServeAnonymous);
        let mut rig = started(clearkeydec(&headend));
        // With the key at hand nothing but the sample itself stands in the way.
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
        rig.harness.pull().expect("a buffer");
        complaint_about(&rig, broken)
            .is(gst::StreamError::Decrypt)
            .says(&[says]);
        assert_eq!(rig.harness.buffers_received(), 1);
    }
}

#[test]
fn broken_sample_in_a_list_ends_the_stream_too() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    rig.harness.pull().expect("a buffer");
    let list = [
        picture(),
        sample(vec![0; 8], partly(VIDEO_KEY_ID, &[(9, 0)])),
        picture(),
    ];
    let list = list.into_iter().collect::<gst::BufferList>();
    assert_eq!(rig.upstream.push_list(list), Err(gst::FlowError::Error));
    the_end(&rig)
        .is(gst::StreamError::Decrypt)
        .says(&["cover 9 bytes"]);
    assert_eq!(rig.harness.buffers_received(), 1);
}

#[test]
fn list_with_a_sample_in_the_clear_plays_whole() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let info = gst::Structure::builder("application/x-cenc")
        .field("encrypted", false)
        .build();
    let list = [sample(PLAINTEXT.to_vec(), info), picture()];
    let list = list.into_iter().collect::<gst::BufferList>();
    assert_eq!(rig.upstream.push_list(list), Ok(gst::FlowSuccess::Ok));
    for _ in 0..2 {
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    }
}

#[test]
fn caps_that_it_cannot_decrypt_are_named() {
    init();
    let with = |name: &str, value: &str| {
        let mut caps = caps();
        let unshared = caps.get_mut().expect("not shared yet");
        unshared.set(name, value);
        caps
    };
    let mut without = caps();
    let unshared = without.get_mut().expect("not shared yet");
    let structure = unshared.structure_mut(0).expect("one structure");
    structure.remove_field("original-media-type");
    for (caps, says) in [
        (with("cipher-mode", "cens"), "cens is not supported"),
        (with("cipher-mode", "cbc1"), "cbc1 is not supported"),
        (
            with("original-media-type", "1 bad\\name"),
            "not a valid name",
        ),
        (with("original-media-type", ""), "not a valid name"),
        (without, "do not name the original media type"),
    ] {
        let headend = serving(Licenses::ServeAnonymous);
        let rig = Rig::new(clearkeydec(&headend));
        rig.send(&[stream_start().into(), gst::event::Caps::new(&caps).into()]);
        rig.send(&[segment().into()]);
        // What GStreamer calls it when caps were refused.
        assert_eq!(rig.push(picture()), Err(gst::FlowError::NotNegotiated));
        rig.told()
            .error()
            .is(gst::StreamError::Format)
            .says(&[says]);
        assert_eq!(rig.log.items().len(), 1);
        assert_eq!(headend.license_requests(), []);
    }
}

#[test]
fn license_that_is_none_is_described_and_not_quoted() {
    let key = |kid: &str, k: &str| {
        format!(r#"{{"keys":[{{"kty":"oct","kid":"{kid}","k":"{k}"}}],"type":"temporary"}}"#)
    };
    let kid = "ABEiM0RVZneImaq7zN3uAg";
    for body in [
        // Fifteen bytes, and seventeen.
        key(kid, "ASNFZ4mrze8BI0VniavN"),
        key(kid, "ASNFZ4mrze8BI0VniavNAgI"),
        key("ABEi", "ASNFZ4mrze8BI0VniavNAg"),
        "SECRET".to_owned(),
        String::new(),
        r#"{"keys":{"SECRET":1}}"#.to_owned(),
    ] {
        let headend = serving(Licenses::Reply { status: 200, body });
        let complaint = complaint_after(&started(clearkeydec(&headend)), picture());
        complaint
            .is(gst::ResourceError::Read)
            .does_not_say(&["SECRET", "ASNFZ4mrze8BI0Vniav"]);
        assert_eq!(complaint.detail::<String>("reason"), "malformed");
        assert_eq!(headend.license_requests().len(), 1);
    }
}

#[test]
fn key_that_the_license_leaves_out_is_named() {
    let headend = serving(Licenses::ServeWithout(VIDEO_KEY_ID.to_owned()));
    let rig = authorized(&headend, &[AUDIO_KEY_ID, VIDEO_KEY_ID]);
    complaint_after(&rig, picture())
        .is(gst::StreamError::DecryptNokey)
        .says(&[VIDEO_KEY_ID]);
    assert_eq!(headend.license_requests().len(), 1);

    let empty = Licenses::Reply {
        status: 200,
        body: r#"{"keys":[]}"#.to_owned(),
    };
    let headend = serving(empty);
    complaint_after(&started(clearkeydec(&headend)), picture())
        .is(gst::StreamError::DecryptNokey)
        .says(&[VIDEO_KEY_ID]);
}

#[test]
fn license_rejection_differs_from_server_fault() {
    for status in [401, 403, 412] {
        let headend = serving(Licenses::Refuse(status));
        let complaint = complaint_after(&started(clearkeydec(&headend)), picture());
        complaint
            .is(gst::ResourceError::NotAuthorized)
            .says(&[&format!("HTTP {status}"), "`sessiontoken`"]);
        assert_eq!(complaint.detail::<String>("reason"), "denied");
        assert_eq!(complaint.detail::<u32>("http-status"), u32::from(status));
        assert_eq!(complaint.detail::<u32>("attempts"), 1);
        assert_eq!(headend.license_requests().len(), 1);
    }
    let headend = serving(Licenses::Refuse(500));
    let complaint = complaint_after(&started(clearkeydec(&headend)), picture());
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["HTTP 500"]);
    assert_eq!(complaint.detail::<String>("reason"), "transient");

    let headend = serving(Licenses::Refuse(404));
    complaint_after(&started(clearkeydec(&headend)), picture())
        .is(gst::ResourceError::Read)
        .says(&["HTTP 404", "`license-url`"]);
}

#[test]
fn license_401_without_token_names_sessiontoken() {
    let headend = serving(Licenses::Serve);
    complaint_after(&started(clearkeydec(&headend)), picture())
        .is(gst::ResourceError::NotAuthorized)
        .says(&[
            "HTTP 401",
            "put `sessiontoken` before",
            "GST_PLUGIN_FEATURE_RANK",
        ]);
    let requests = headend.license_requests();
    assert_eq!(requests.len(), 1);
    assert!(!requests[0].token_present);
}

#[test]
fn unreachable_license_server_is_named_by_address() {
    let place = nobody();
    let url = format!("http://{place}/SECRET");
    complaint_after(
        &started(make("clearkeydec").property("license-url", url)),
        picture(),
    )
    .is(gst::ResourceError::OpenRead)
    .says(&[&place])
    .does_not_say(&["SECRET"]);
}

#[test]
fn license_server_timeout_is_named() {
    let headend = serving(Licenses::Hang);
    let rig = started(
        make("clearkeydec")
            .property("license-url", headend.license_url())
            .property("timeout", 300_u32),
    );
    let complaint = complaint_after(&rig, picture());
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["127.0.0.1:", "300 ms", "`timeout`"]);
    assert_eq!(complaint.detail::<String>("reason"), "timed-out");
    assert!(complaint.detail::<gst::ClockTime>("elapsed") >= gst::ClockTime::from_mseconds(300));
    assert_eq!(rig.log.items().len(), 3);
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn demuxer_is_not_made_to_wait_for_the_license() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    for _ in 0..50 {
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    }
    let held = [Input::from(gap()), tag().into(), segment().into()];
    rig.send(&held);
    assert_eq!(rig.log.items().len(), 3);
    let caps = caps();
    let mut allocation = gst::query::Allocation::new(Some(&caps), true);
    assert!(!rig.upstream.peer_query(&mut allocation));
    headend.release();
    rig.send(&[gst::event::Eos::new().into()]);
    for _ in 0..50 {
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    }
    assert_eq!(rig.log.items().len(), 3 + 50 + 3 + 1);
    assert_eq!(rig.log.items()[53..56], items(&held));
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn seek_does_not_wait_for_or_repeat_license_request() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    let arrivals = rig.arrivals();
    let eos = gst::event::Eos::new();
    let flush: Vec<Input> = vec![
        gst::event::FlushStart::new().into(),
        gst::event::FlushStop::new(true).into(),
    ];
    thread::scope(|scope| {
        let pusher = scope.spawn(|| rig.push_event(eos.clone()));
        arrivals.expect(Item::from(&eos));
        rig.send(&flush[..1]);
        assert!(!pusher.join().expect("the pusher ends"));
    });
    rig.send(&flush[1..]);
    let after = segment();
    rig.send(&[after.clone().into()]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    headend.release();
    let clear = rig.harness.pull().expect("a buffer");
    assert_eq!(contents(&clear), PLAINTEXT);
    let left = rig.log.items();
    assert_eq!(left[3..5], items(&flush));
    assert_eq!(left[5..], [Item::from(&after), Item::from(&clear)]);
    assert_eq!(headend.license_requests().len(), 1);
}

#[test]
fn stop_does_not_wait_for_hanging_license_server() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized(&headend, &[VIDEO_KEY_ID]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    let arrivals = rig.arrivals();
    let eos = gst::event::Eos::new();
    thread::scope(|scope| {
        let pusher = scope.spawn(|| rig.push_event(eos.clone()));
        arrivals.expect(Item::from(&eos));
        rig.set_state(gst::State::Ready);
        assert!(!pusher.join().expect("the pusher ends"));
    });
    assert_eq!(rig.log.items().len(), 3);

    // The next channel is served though the answer to the one before never came.
    headend.set_licenses(Licenses::Serve);
    rig.restart(gst::State::Ready);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    let token = format!("Bearer {}", headend.token());
    let headers = [("Authorization", &*token)];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID, AUDIO_KEY_ID], &headers).into()]);
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
}

#[test]
fn sample_larger_than_the_bound_plays_all_the_same() {
    let headend = serving(Licenses::Hang);
    let mut rig = authorized_by(
        clearkeydec(&headend).property("max-held-bytes", 1_u64),
        &headend,
        &[VIDEO_KEY_ID],
    );
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    headend.release();
    for _ in 0..3 {
        assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    }
    for _ in 0..4 {
        assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
    }
}
