// SPDX-License-Identifier: MIT OR Apache-2.0

mod encryptor;
mod hostile;
mod media;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, contextualize_config};

use super::*;
use encryptor::{IV, KEY, Multiplexer, byte_stream, encrypt_frame, encrypt_nal, escape, nals};

const VIDEO: u16 = 0x100;
const SOUND: u16 = 0x101;

fn decrypted_in(parts: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<Vec<u8>, SampleAesError> {
    let key = ContentKey::from_slice(&KEY).expect("sixteen bytes");
    let mut decryptor = SegmentDecryptor::new(&key, IV);
    let mut out = Vec::new();
    for part in parts {
        decryptor.push(part.as_ref(), &mut out)?;
    }
    decryptor.finish(&mut out)?;
    Ok(out)
}

fn decrypted(segment: &[u8]) -> Vec<u8> {
    let out = decrypted_in([segment]).expect("a known container");
    assert_eq!(out.len(), segment.len());
    out
}

/// NAL units as an encoder makes them: a type byte, and bytes with emulation prevention, of which
/// there is much where most bytes are zero.
fn nal() -> impl Strategy<Value = Vec<u8>> {
    let header = prop::sample::select(vec![0x65_u8, 0x41, 0x01, 0x06, 0x67, 0x09]);
    let byte = prop_oneof![6 => Just(0_u8), 3 => 0..=3_u8, 1 => any::<u8>()];
    let bytes = prop_oneof![vec(any::<u8>(), 0..700), vec(byte, 0..700)];
    (header, bytes).prop_map(|(header, bytes)| escape(&[&[header], &bytes[..], &[0x80]].concat()))
}

fn adts(payload: &[u8], has_crc: bool) -> Vec<u8> {
    let header = if has_crc { 9 } else { 7 };
    let [high, low] = u16::try_from(header + payload.len())
        .expect("13 bits")
        .to_be_bytes();
    let fixed = [0xff, if has_crc { 0xf0 } else { 0xf1 }, 0x50];
    let length = [
        0x80 | high >> 3,
        high << 5 | low >> 3,
        low << 5 | 0x1f,
        0xfc,
        0xab,
        0xcd,
    ];
    [&fixed[..], &length[..header - 3], payload].concat()
}

/// A syncframe of E-AC-3 with a byte `id` that differs between substreams.
fn eac3(id: u8, words: u16, fill: u8) -> Vec<u8> {
    let [high, low] = (words - 1).to_be_bytes();
    let mut frame = vec![0x0b, 0x77, id << 3 | high, low, 0x3f, 16 << 3];
    frame.resize(usize::from(words) * 2, fill);
    frame
}

/// A syncframe of AC-3 at 48 kHz and 32 kbit/s.
fn ac3(fill: u8) -> Vec<u8> {
    let mut frame = vec![0x0b, 0x77, 1, 2, 0x00, 8 << 3];
    frame.resize(128, fill);
    frame
}

/// The payload of one PID, of PES packets without their headers.
fn elementary(segment: &[u8], pid: u16) -> Vec<u8> {
    let mut stream = Vec::new();
    for packet in segment.chunks(188) {
        if u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == pid {
            let has_field = packet[3] & 0x20 != 0;
            let field = if has_field {
                1 + usize::from(packet[4])
            } else {
                0
            };
            let payload = &packet[4 + field..];
            let header = match payload {
                [0, 0, 1, _, _, _, _, _, fields, ..] => 9 + usize::from(*fields),
                _ => 0,
            };
            let is_start = packet[1] & 0x40 != 0;
            stream.extend_from_slice(&payload[if is_start { header } else { 0 }..]);
        }
    }
    stream
}

/// Two streams, a PES packet of one and then one of the other, encrypted or not.
fn segment(
    is_encrypted: bool,
    pictures: &[Vec<Vec<u8>>],
    frames: &[Vec<u8>],
    stuffing: &[usize],
) -> Vec<u8> {
    let mut multiplexer = Multiplexer::default();
    let types = if is_encrypted {
        [0xdb, 0xcf]
    } else {
        [0x1b, 0x0f]
    };
    let [video, sound] = types;
    multiplexer.tables(0, &[(video, VIDEO), (sound, SOUND)]);
    for (index, picture) in pictures.iter().enumerate() {
        let nals: Vec<_> = match is_encrypted {
            true => picture.iter().map(|nal| encrypt_nal(nal)).collect(),
            false => picture.clone(),
        };
        multiplexer.pes(VIDEO, 0xe0, &byte_stream(&nals), stuffing);
        if let Some(frame) = frames.get(index) {
            let frame = match is_encrypted {
                true => encrypt_frame(frame, 7),
                false => frame.clone(),
            };
            multiplexer.pes(SOUND, 0xc0, &frame, stuffing);
        }
        multiplexer.tables(1, &[(video, VIDEO), (sound, SOUND)]);
    }
    multiplexer.bytes
}

/// What the environment does not say.
fn config() -> ProptestConfig {
    contextualize_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    })
}

proptest! {
    #![proptest_config(config())]

    /// What comes out is what the encryptor took, whatever the pictures hold.
    #[test]
    fn transport_stream_returns_encoder_nals(
        pictures in vec(vec(nal(), 1..4), 1..5),
        frames in vec(vec(any::<u8>(), 0..600), 0..5),
        stuffing in vec(0..150_usize, 1..4),
        size in 1..700_usize,
    ) {
        let frames: Vec<_> = frames.iter().map(|payload| adts(payload, false)).collect();
        let encrypted = segment(true, &pictures, &frames, &stuffing);
        let clear = segment(false, &pictures, &frames, &stuffing);
        let out = decrypted(&encrypted);
        prop_assert_eq!(nals(&elementary(&out, VIDEO)), pictures.concat());
        prop_assert_eq!(elementary(&out, SOUND), elementary(&clear, SOUND));
        prop_assert_eq!(elementary(&out, 0), elementary(&clear, 0));
        prop_assert_eq!(elementary(&out, 0x1000), elementary(&clear, 0x1000));
        prop_assert_eq!(decrypted_in(encrypted.chunks(size)), Ok(out));
    }

    #[test]
    fn packed_aac_returns_encoder_frames(
        frames in vec((vec(any::<u8>(), 0..600), any::<bool>(), any::<bool>()), 1..6),
        size in 1..300_usize,
    ) {
        let tag = b"ID3\x04\x00\x00\x00\x00\x00\x05hello";
        let join = |is_encrypted: bool| -> Vec<u8> {
            let each = |(payload, has_crc, has_tag): &(Vec<u8>, bool, bool)| {
                let mut frame = adts(payload, *has_crc);
                if is_encrypted {
                    frame = encrypt_frame(&frame, if *has_crc { 9 } else { 7 });
                }
                [if *has_tag { &tag[..] } else { &[] }, &frame].concat()
            };
            frames.iter().flat_map(each).collect()
        };
        let clear = [tag, &join(false)[..]].concat();
        let encrypted = [tag, &join(true)[..]].concat();
        prop_assert_eq!(decrypted(&encrypted), &clear[..]);
        prop_assert_eq!(decrypted_in(encrypted.chunks(size)), Ok(clear));
    }

    /// Bytes that are no valid stream come out as many as they were, and the same at every split.
    #[test]
    fn damaged_bytes_keep_their_number(
        pictures in vec(vec(nal(), 1..3), 1..3),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in any::<prop::sample::Index>(),
        size in 1..400_usize,
    ) {
        let frames = vec![adts(&[7; 300], false); pictures.len()];
        let mut damaged = segment(true, &pictures, &frames, &[0, 9]);
        for (at, byte) in damage {
            let at = at.index(damaged.len());
            damaged[at] = byte;
        }
        damaged.drain(..cut.index(damaged.len()));
        let whole = decrypted_in([&damaged]);
        if let Ok(out) = &whole {
            prop_assert_eq!(out.len(), damaged.len());
        }
        prop_assert_eq!(decrypted_in(damaged.chunks(size)), whole);
    }
}

#[test]
fn every_split_in_two_gives_the_same() {
    let zeros = escape(&[&[0x65][..], &[0; 400], &[0x80]].concat());
    let pictures = [vec![vec![0x09, 0xf0], zeros.clone()], vec![zeros]];
    let encrypted = segment(true, &pictures, &[adts(&[3; 200], false)], &[0, 20]);
    let out = decrypted(&encrypted);
    assert_eq!(nals(&elementary(&out, VIDEO)), pictures.concat());
    for at in 0..encrypted.len() {
        let (start, end) = encrypted.split_at(at);
        assert_eq!(
            decrypted_in([start, end]).as_ref(),
            Ok(&out),
            "split at {at}"
        );
    }
}

/// The limits of listing 2-1: what is clear at 48 bytes and 16 before the end is not one behind.
#[test]
fn nal_of_any_length_around_the_limits_returns() {
    for len in (1..=100).chain(190..=230).chain(350..=390) {
        let fill = escape(&vec![0; len]);
        let nal = [&[0x41], &fill[..len - 1], &[0x80]].concat();
        let encrypted = segment(true, &[vec![nal.clone()]], &[], &[0]);
        assert_eq!(
            nals(&elementary(&decrypted(&encrypted), VIDEO)),
            [nal],
            "{len} bytes"
        );
    }
}

#[test]
fn nal_may_go_on_in_the_next_pes_packet() {
    let nal = escape(&[&[0x65][..], &[0; 900], &[0x80]].concat());
    let stream = byte_stream(&[encrypt_nal(&nal)]);
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xdb, VIDEO)]);
    let (first, second) = stream.split_at(500);
    multiplexer.pes(VIDEO, 0xe1, first, &[0]);
    multiplexer.pes(VIDEO, 0xe1, second, &[0]);
    let out = decrypted(&multiplexer.bytes);
    assert_eq!(nals(&elementary(&out, VIDEO)), [nal]);
}

#[test]
fn clear_streams_stay_as_they_are() {
    let pictures = [vec![escape(&[&[0x65][..], &[0; 900], &[0x80]].concat())]];
    let clear = segment(false, &pictures, &[adts(&[3; 200], false)], &[0]);
    assert_eq!(decrypted(&clear), clear);
}

#[test]
fn stream_that_becomes_clear_stays_clear() {
    let nal = escape(&[&[0x65][..], &[5; 900], &[0x80]].concat());
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xdb, VIDEO)]);
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(&[encrypt_nal(&nal)]), &[0]);
    multiplexer.tables(1, &[(0x1b, VIDEO)]);
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(std::slice::from_ref(&nal)), &[0]);
    multiplexer.tables(2, &[(0xdb, VIDEO)]);
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(&[encrypt_nal(&nal)]), &[0]);
    let out = decrypted(&multiplexer.bytes);
    assert_eq!(nals(&elementary(&out, VIDEO)), [&nal; 3].map(Clone::clone));
}

#[test]
fn pes_packet_that_began_before_passes() {
    let nal = escape(&[&[0x65][..], &[5; 900], &[0x80]].concat());
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xdb, VIDEO)]);
    let before = byte_stream(std::slice::from_ref(&nal));
    assert!(multiplexer.packet(VIDEO, false, &before, 0).len() > 1);
    let len = multiplexer.bytes.len();
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(&[encrypt_nal(&nal)]), &[0]);
    let out = decrypted(&multiplexer.bytes);
    assert_eq!(out[len - 188..len], multiplexer.bytes[len - 188..len]);
    assert_eq!(nals(&elementary(&out[len..], VIDEO)), [nal]);
}

/// Audio frames of every codec, several in a PES packet and across two.
#[test]
fn sound_in_transport_stream_returns() {
    let ac3_frames = [ac3(1), ac3(2), ac3(3)];
    let eac3_frames = [
        eac3(0, 100, 1),
        eac3(8, 40, 2),
        eac3(0, 8, 3),
        eac3(8, 20, 4),
    ];
    let aac_frames = [
        adts(&[1; 90], false),
        adts(&[2; 31], false),
        adts(&[3; 15], false),
    ];
    let all = [
        (0xcf, 0x0f, 7, &aac_frames[..]),
        (0xc1, 0x81, 0, &ac3_frames[..]),
        (0xc2, 0x87, 0, &eac3_frames[..]),
    ];
    for (encrypted_type, clear_type, header, frames) in all {
        let clear = frames.concat();
        let encrypt = |frame: &Vec<u8>| encrypt_frame(frame, header);
        let encrypted: Vec<u8> = frames.iter().flat_map(encrypt).collect();
        let multiplex = |stream_type, stream: &[u8]| {
            let mut multiplexer = Multiplexer::default();
            multiplexer.tables(0, &[(stream_type, SOUND)]);
            for part in stream.chunks(101) {
                multiplexer.pes(SOUND, 0xc0, part, &[0, 130]);
            }
            multiplexer.bytes
        };
        let out = decrypted(&multiplex(encrypted_type, &encrypted));
        assert_eq!(out, multiplex(clear_type, &clear));
    }
}

#[test]
fn packed_ac3_and_eac3_return() {
    let frames = [ac3(1), eac3(0, 100, 1), eac3(8, 40, 2), ac3(9)];
    for frames in [&frames[..], &frames[1..]] {
        let encrypted: Vec<u8> = frames.iter().flat_map(|f| encrypt_frame(f, 0)).collect();
        for size in 1..encrypted.len() {
            assert_eq!(decrypted_in(encrypted.chunks(size)), Ok(frames.concat()));
        }
    }
}
