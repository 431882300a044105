// SPDX-License-Identifier: MIT OR Apache-2.0

//! Samples and events as qtdemux makes them, and decryptors for them.

use gst::element_factory::ElementBuilder;
use gst::meta::ProtectionMeta;
use gst::prelude::*;
use headend::{AUDIO_KEY_ID, Auth, Headend, Licenses, VIDEO_KEY_ID};

use crate::rig::*;

/// What AES-CTR makes of zeros with the test media's keys and the initialization vector below, by
/// OpenSSL: `head -c 96 /dev/zero | openssl enc -aes-128-ctr -K <key> -iv <iv>`.
pub const VIDEO_KEY_STREAM: &str = "0f17526be177b7130a39ccc41afbba3f0e341a993a73eb3010096a93e181f50b\
                                a60f46671bfd05a18365593a21f9a800d8caa3eb65cf00445ef4a7c1b88b18a1\
                                5b2e8104efb6c94c9f65937ed2741c6ab8f2b642c4e8f80fa49b24398e9216ff";
/// The same with the key of the sound.
pub const AUDIO_KEY_STREAM: &str = "a3f55a0bcfde6c35b3a8eb17302e3ac1c38ab5d6fbee328d2ea3de1232a30778\
                                81353b1583edfd6bf0709fe2cc98a3f98713d01ab905daef85f1fe4a799fdce4";
/// The initialization vector.
pub const IV: &str = "0001020304050607";

/// What the samples are in the clear.
pub const PLAINTEXT: &[u8] = b"Lorem ipsum dolor sit amet, consetetur sadipscing elitr, sed diam";

/// The bytes that these digits stand for.
pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|index| u8::from_str_radix(&hex[2 * index..][..2], 16).expect("two digits"))
        .collect()
}

/// Encrypts, or decrypts, with this key stream.
pub fn xor(text: &[u8], key_stream: &[u8]) -> Vec<u8> {
    assert!(text.len() <= key_stream.len());
    text.iter().zip(key_stream).map(|(a, b)| a ^ b).collect()
}

/// What qtdemux says of a sample that is encrypted as a whole.
pub fn whole(key_id: &str) -> gst::Structure {
    gst::Structure::builder("application/x-cenc")
        .field("iv_size", 8_u32)
        .field("encrypted", true)
        .field("kid", gst::Buffer::from_slice(bytes(key_id)))
        .field("iv", gst::Buffer::from_slice(bytes(IV)))
        .field("subsample_count", 0_u32)
        .build()
}

/// A sample with what qtdemux says of it.
pub fn sample(data: Vec<u8>, info: gst::Structure) -> gst::Buffer {
    let mut buffer = gst::Buffer::from_mut_slice(data);
    let unshared = buffer.get_mut().expect("not shared yet");
    unshared.set_pts(gst::ClockTime::from_mseconds(40));
    unshared.set_flags(gst::BufferFlags::DELTA_UNIT);
    ProtectionMeta::add(unshared, info);
    buffer
}

/// A sample of the picture, encrypted as a whole.
pub fn picture() -> gst::Buffer {
    sample(
        xor(PLAINTEXT, &bytes(VIDEO_KEY_STREAM)),
        whole(VIDEO_KEY_ID),
    )
}

/// A sample of the sound, encrypted as a whole.
pub fn sound() -> gst::Buffer {
    sample(
        xor(&PLAINTEXT[..64], &bytes(AUDIO_KEY_STREAM)),
        whole(AUDIO_KEY_ID),
    )
}

/// A `pssh` box, version 1, of the common system.
pub fn pssh(key_ids: &[&str]) -> Vec<u8> {
    let mut body = vec![1, 0, 0, 0];
    body.extend(bytes(&COMMON_SYSTEM.replace('-', "")));
    body.extend((key_ids.len() as u32).to_be_bytes());
    body.extend(key_ids.iter().flat_map(|key_id| bytes(key_id)));
    body.extend(0_u32.to_be_bytes());
    [
        &(8 + body.len() as u32).to_be_bytes()[..],
        b"pssh",
        &body[..],
    ]
    .concat()
}

/// A protection event with these init data.
pub fn event(system: &str, origin: &str, data: impl AsRef<[u8]> + Send + 'static) -> gst::Event {
    gst::event::Protection::builder(system, &gst::Buffer::from_slice(data))
        .origin(origin)
        .build()
}

/// An event that names these keys, with a key request on it as `sessiontoken` puts one there.
pub fn event_with_headers(key_ids: &[&str], headers: &[(&str, &str)]) -> gst::Event {
    let mut fields = gst::Structure::new_empty("http-headers");
    for (name, value) in headers {
        fields.set(*name, *value);
    }
    let mut data = gst::Buffer::from_slice(pssh(key_ids));
    ProtectionMeta::add(
        data.get_mut().expect("not shared yet"),
        gst::Structure::builder("drm-key-request")
            .field("session-token", "unused")
            .field("http-headers", fields)
            .build(),
    );
    gst::event::Protection::builder(COMMON_SYSTEM, &data)
        .origin("isobmff/moov")
        .build()
}

/// A head-end whose license server is as the test wants it.
pub fn serving(licenses: Licenses) -> Headend {
    let headend = headend(Auth::Grant);
    headend.set_licenses(licenses);
    headend
}

/// Begins a `clearkeydec` that asks this head-end and waits for it as long as it takes.
pub fn clearkeydec(headend: &Headend) -> ElementBuilder<'static> {
    make("clearkeydec")
        .property("license-url", headend.license_url())
        .property("timeout", NO_HURRY)
}

/// A decryptor in the middle of a stream.
pub fn started(builder: ElementBuilder<'_>) -> Rig {
    let rig = Rig::new(builder);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    rig
}

/// A decryptor in the middle of a stream that has named these keys and brought a token for them.
pub fn authorized(headend: &Headend, key_ids: &[&str]) -> Rig {
    authorized_by(clearkeydec(headend), headend, key_ids)
}

/// The same of a decryptor that is not as usual.
pub fn authorized_by(builder: ElementBuilder<'_>, headend: &Headend, key_ids: &[&str]) -> Rig {
    let rig = started(builder);
    let token = format!("Bearer {}", headend.token());
    rig.send(&[event_with_headers(key_ids, &[("Authorization", &token)]).into()]);
    rig
}

/// The bytes of a buffer.
pub fn contents(buffer: &gst::BufferRef) -> Vec<u8> {
    buffer.map_readable().expect("readable").to_vec()
}

/// Pushes a sample of the picture whose key is here: it must come out at once, and right.
pub fn plays(rig: &mut Rig) {
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    let clear = rig.harness.try_pull();
    let clear = clear.unwrap_or_else(|| panic!("it was held: {:#?}", rig.told()));
    assert_eq!(contents(&clear), PLAINTEXT);
}

/// Pushes one whose key may have to be asked for.
pub fn plays_when_the_key_is_here(rig: &mut Rig) {
    assert_eq!(rig.push(picture()), Ok(gst::FlowSuccess::Ok));
    assert_eq!(contents(&rig.harness.pull().expect("a buffer")), PLAINTEXT);
}

/// Pushes a sample whose key has to be asked for, and gives back what the application is told.
pub fn complaint_after(rig: &Rig, buffer: gst::Buffer) -> Complaint {
    // Held or refused: a quick answer may be here before the sample is held.
    let _ = rig.push(buffer);
    the_end(rig)
}

/// What the application is told when the stream has ended, which is once.
pub fn the_end(rig: &Rig) -> Complaint {
    // It waits for what is held.
    assert!(!rig.push_event(gst::event::Eos::new()));
    let sinkpad = rig.element.static_pad("sink").expect("a sink pad");
    for _ in 0..3 {
        assert_eq!(sinkpad.chain(picture()), Err(gst::FlowError::Error));
    }
    let mut told = rig.told();
    told.error().does_not_say(
        &headend::secret_forms()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
    );
    let complaint = told.errors.remove(0);
    assert_eq!(complaint.from, Some(rig.element.clone().upcast()));
    complaint
}
