// SPDX-License-Identifier: MIT OR Apache-2.0

//! Clear samples in a protected stream: handed on as they are, counted, and warned of where nobody
//! can tell them.

use aes::Aes128;
use cipher::{BlockCipherEncrypt, KeyInit};
use gst::meta::ProtectionMeta;
use gst::prelude::*;
use headend::{AUDIO_KEY_ID, Headend, Licenses, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;

const AUDIO_KEY: u128 = 0x0123456789abcdef0123456789abcd01;
const CONSTANT_IV: u128 = 0x5e5510c0ffee00010000000000000000;

/// Samples that decide whether sound is clear, and some more.
const SAMPLES: usize = 40;

/// One line plays clear and protected channels.
#[test]
fn stream_with_clear_caps_passes_as_it_is() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = Rig::new(clearkeydec(&headend));
    let clear = gst::Caps::new_empty_simple("video/x-h264");
    assert!(rig.upstream.peer_query_accept_caps(&clear));
    rig.send(&[stream_start().into(), gst::event::Caps::new(&clear).into()]);
    rig.send(&[segment().into()]);
    let data = gst::Buffer::from_slice(*b"a clear picture");
    assert_eq!(rig.push(data), Ok(gst::FlowSuccess::Ok));
    assert_eq!(
        contents(&rig.harness.pull().expect("a buffer")),
        b"a clear picture"
    );
    let caps = rig.harness.sinkpad().and_then(|pad| pad.current_caps());
    assert_eq!(caps.as_ref(), Some(&clear));
    assert_eq!(headend.license_requests(), []);
}

fn cbcs_caps(media_type: &str, mpeg_version: Option<i32>) -> gst::Event {
    let caps = gst::Caps::builder("application/x-cenc")
        .field("protection-system", COMMON_SYSTEM)
        .field("original-media-type", media_type)
        .field("cipher-mode", "cbcs")
        .field_if_some("mpegversion", mpeg_version)
        .build();
    gst::event::Caps::new(&caps)
}

/// What qtdemux before 1.22.6 says of each sample of a track whose initialization vector is
/// constant, and of protected sound still.
fn track_default(key_id: &str) -> gst::Structure {
    gst::Structure::builder("application/x-cenc")
        .field("iv_size", 0_u32)
        .field("encrypted", true)
        .field("kid", gst::Buffer::from_slice(bytes(key_id)))
        .field("constant_iv_size", 16_u32)
        .field("iv", gst::Buffer::from_slice(CONSTANT_IV.to_be_bytes()))
        .field("cipher-mode", "cbcs")
        .build()
}

fn clear_picture() -> gst::Buffer {
    sample(PLAINTEXT.to_vec(), track_default(VIDEO_KEY_ID))
}

/// A frame of AAC with a single channel and no bands, one block long.
fn frame(number: usize) -> [u8; 16] {
    let mut frame = [0; 16];
    frame[..2].copy_from_slice(&[0x01, 0x40]);
    frame[8..].copy_from_slice(&(number as u64).to_be_bytes());
    frame
}

fn clear_sound(number: usize) -> gst::Buffer {
    sample(frame(number).to_vec(), track_default(AUDIO_KEY_ID))
}

fn protected_sound(number: usize) -> gst::Buffer {
    let key = Aes128::new(&AUDIO_KEY.to_be_bytes().into());
    let mixed = u128::from_be_bytes(frame(number)) ^ CONSTANT_IV;
    let mut block = mixed.to_be_bytes().into();
    key.encrypt_block(&mut block);
    sample(block.to_vec(), track_default(AUDIO_KEY_ID))
}

fn tells_clear_samples() -> bool {
    gst::version() >= (1, 22, 6, 0)
}

fn counted(rig: &Rig) -> (u64, u64) {
    (rig.stats("clear-samples"), rig.stats("decrypted-samples"))
}

/// Pushes these and gives back what left, once as much has.
fn through(rig: &mut Rig, buffers: impl IntoIterator<Item = gst::Buffer>) -> Vec<Vec<u8>> {
    let pushed = buffers.into_iter().map(|buffer| {
        assert_eq!(rig.push(buffer), Ok(gst::FlowSuccess::Ok));
    });
    let count = pushed.count();
    let left = (0..count).map(|_| contents(&rig.harness.pull().expect("a buffer")));
    left.collect()
}

fn cbcs(headend: &Headend, media_type: &str, mpeg_version: Option<i32>) -> Rig {
    let rig = Rig::new(clearkeydec(headend));
    rig.send(&[
        stream_start().into(),
        cbcs_caps(media_type, mpeg_version).into(),
        segment().into(),
    ]);
    rig
}

/// A clear lead would end the stream.
#[test]
fn sample_without_metadata_is_handed_on() {
    let headend = serving(Licenses::Refuse(403));
    let mut rig = started(clearkeydec(&headend));
    for size in [64, 0, 1] {
        let clear = buffer(size);
        let address = clear.as_ptr();
        assert_eq!(rig.push(clear), Ok(gst::FlowSuccess::Ok));
        let left = rig.harness.pull().expect("a buffer");
        assert_eq!((left.as_ptr(), left.size()), (address, size));
    }
    assert_eq!(counted(&rig), (3, 0));
    assert_eq!(headend.license_requests(), []);
    assert!(rig.told().is_nothing());
}

#[test]
fn clear_and_protected_samples_are_counted() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let flagged = gst::Structure::builder("application/x-cenc")
        .field("encrypted", false)
        .build();
    let list = [
        picture(),
        gst::Buffer::from_slice(PLAINTEXT),
        sample(PLAINTEXT.to_vec(), flagged),
        picture(),
    ];
    let list = list.into_iter().collect::<gst::BufferList>();
    assert_eq!(rig.upstream.push_list(list), Ok(gst::FlowSuccess::Ok));
    for _ in 0..4 {
        let left = rig.harness.pull().expect("a buffer");
        assert_eq!(contents(&left), PLAINTEXT);
        assert!(left.meta::<ProtectionMeta>().is_none());
    }
    assert_eq!(counted(&rig), (2, 2));
    assert_eq!(headend.license_requests().len(), 1);
    rig.set_state(gst::State::Ready);
    assert_eq!(counted(&rig), (2, 2));
    rig.restart(gst::State::Ready);
    assert_eq!(counted(&rig), (0, 0));
}

/// With a fragment's key ids only, its samples would name no key where clear ones stand between
/// fragments.
#[test]
fn clear_sample_ends_the_keys_of_a_fragment() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = started(clearkeydec(&headend));
    let unnamed = |buffer: gst::Buffer| {
        let mut buffer = buffer;
        let unshared = buffer.make_mut();
        let mut meta = unshared.meta_mut::<ProtectionMeta>().expect("a meta");
        let zero = gst::Buffer::from_slice([0; 16]);
        meta.info_mut().set("kid", zero);
        buffer
    };
    let fragment = |key_id: &str| event(COMMON_SYSTEM, "isobmff/moof", pssh(&[key_id]));
    rig.send(&[fragment(AUDIO_KEY_ID).into()]);
    through(&mut rig, [gst::Buffer::from_slice(PLAINTEXT)]);
    rig.send(&[fragment(VIDEO_KEY_ID).into()]);
    assert_eq!(through(&mut rig, [unnamed(picture())]), [PLAINTEXT]);
}

/// GStreamer before 1.22.6 would have the pictures of a clear lead decrypted.
#[test]
fn cbcs_picture_without_subsamples_is_clear() {
    for media_type in [
        "video/x-h264",
        "video/x-h265",
        "video/x-h266",
        "video/x-av1",
    ] {
        let headend = serving(Licenses::Refuse(403));
        let mut rig = cbcs(&headend, media_type, None);
        let clear = through(&mut rig, [clear_picture(), clear_picture()]);
        assert_eq!(clear, [PLAINTEXT, PLAINTEXT]);
        assert_eq!(counted(&rig), (2, 0));
        assert_eq!(headend.license_requests(), []);
        assert!(rig.told().is_nothing());
    }
}

#[test]
fn cbcs_picture_is_protected_by_what_it_says() {
    init();
    let with = |name: &str, value: u32| {
        let mut info = track_default(VIDEO_KEY_ID);
        info.set(name, value);
        sample(PLAINTEXT.to_vec(), info)
    };
    let mut with_subsamples = track_default(VIDEO_KEY_ID);
    with_subsamples.set("subsample_count", 1_u32);
    // Nothing is clear and 65 bytes are protected.
    let table = gst::Buffer::from_slice([0, 0, 0, 0, 0, 65]);
    with_subsamples.set("subsamples", table);
    let with_subsamples = sample(PLAINTEXT.to_vec(), with_subsamples);
    for (media_type, protected) in [
        ("video/x-h264", with_subsamples),
        ("video/x-h264", with("iv_size", 16)),
        ("video/x-vp9", clear_picture()),
        ("audio/mpeg", clear_picture()),
    ] {
        let headend = serving(Licenses::ServeAnonymous);
        let mut rig = cbcs(&headend, media_type, None);
        assert_ne!(through(&mut rig, [protected]), [PLAINTEXT], "{media_type}");
        assert_eq!(counted(&rig), (0, 1));
        assert_eq!(headend.license_requests().len(), 1);
    }
}

fn assert_warned_once(told: Told) {
    let expected = usize::from(!tells_clear_samples());
    assert_eq!(told.warnings.len(), expected, "{told:?}");
    assert!(told.errors.is_empty(), "{told:?}");
    if let [warning] = &told.warnings[..] {
        let version = gst::version_string();
        warning
            .is(gst::ResourceError::Read)
            .says(&[&version, "noise", "1.22.6", "cenc", "cbcs"]);
        assert_eq!(warning.detail::<String>("reason"), "malformed");
    }
}

/// A viewer would hear full-scale noise in a clear lead, and playbin3 would hang.
#[test]
fn clear_sound_is_known_by_its_syntax() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = cbcs(&headend, "audio/mpeg", Some(4));
    let sounds = (0..SAMPLES).map(|number| match number / 10 % 2 {
        0 => clear_sound(number),
        _ => protected_sound(number),
    });
    let left = through(&mut rig, sounds);
    let wrong = (0..SAMPLES)
        .filter(|number| left[*number] != frame(*number))
        .count();
    if tells_clear_samples() {
        // It says so itself, and what it says is protected is.
        assert_eq!(wrong, SAMPLES / 2);
        assert_eq!(counted(&rig), (0, SAMPLES as u64));
    } else {
        assert_eq!(wrong, 0);
        assert_eq!(counted(&rig), (SAMPLES as u64 / 2, SAMPLES as u64 / 2));
    }
    let told = rig.told();
    assert!(
        told.warnings.is_empty() && told.errors.is_empty(),
        "{told:?}"
    );
}

/// An application would be warned of noise that is none.
#[test]
fn protected_sound_is_not_warned_of() {
    let headend = serving(Licenses::ServeAnonymous);
    let mut rig = cbcs(&headend, "audio/mpeg", Some(4));
    let clear = through(&mut rig, (0..SAMPLES).map(protected_sound));
    assert_eq!(clear, (0..SAMPLES).map(frame).collect::<Vec<_>>());
    let opaque = through(
        &mut cbcs(&headend, "audio/x-opus", None),
        (0..SAMPLES).map(protected_sound),
    );
    assert_eq!(opaque, clear);
    assert!(rig.told().warnings.is_empty());
}

/// Two decryptors of one pipeline.
struct Together {
    sound: Rig,
    picture: gst::Pad,
}

impl Together {
    fn start(headend: &Headend, sound: gst::Event) -> Self {
        let [decryptor, of_picture] =
            [(); 2].map(|()| clearkeydec(headend).build().expect("it is registered"));
        let sink = make("fakesink").build().expect("it is registered");
        sink.set_property("async", false);
        let picture = of_picture.static_pad("sink").expect("a sink pad");
        let rig = Rig::chain_beside(&[decryptor], &[of_picture, sink]);
        rig.send(&[stream_start().into(), sound.into(), segment().into()]);
        let caps = cbcs_caps("video/x-h264", None);
        for event in [stream_start(), caps, segment()] {
            assert!(picture.send_event(event));
        }
        Self {
            sound: rig,
            picture,
        }
    }

    fn push_clear_picture(&self) {
        assert_eq!(
            self.picture.chain(clear_picture()),
            Ok(gst::FlowSuccess::Ok)
        );
    }

    fn push_sound(&mut self) {
        through(&mut self.sound, (0..SAMPLES).map(protected_sound));
    }
}

/// Opus says nothing by its syntax: the pictures beside it do.
#[test]
fn protected_opus_beside_clear_video_warns_once() {
    init();
    for is_sound_first in [false, true] {
        let headend = serving(Licenses::ServeAnonymous);
        let mut both = Together::start(&headend, cbcs_caps("audio/x-opus", None));
        if is_sound_first {
            both.push_sound();
            assert!(both.sound.told().warnings.is_empty());
        }
        for _ in 0..2 {
            both.push_clear_picture();
            both.push_sound();
        }
        assert_warned_once(both.sound.told());
    }
}

#[test]
fn protected_aac_beside_clear_video_does_not_warn() {
    init();
    let headend = serving(Licenses::ServeAnonymous);
    let mut both = Together::start(&headend, cbcs_caps("audio/mpeg", Some(4)));
    both.push_clear_picture();
    both.push_sound();
    both.push_clear_picture();
    assert!(both.sound.told().warnings.is_empty());
}
