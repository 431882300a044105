// SPDX-License-Identifier: MIT OR Apache-2.0

//! Segments that are damaged, or that nobody should have sent.

use super::*;

#[test]
fn lost_packet_costs_one_nal() {
    let nal = |fill| escape(&[&[0x65][..], &[fill; 900], &[0x80]].concat());
    let pictures = [vec![nal(5)], vec![nal(6)]];
    let mut encrypted = segment(true, &pictures, &[], &[0]);
    let third_of_video = 4 * 188;
    encrypted.drain(third_of_video..third_of_video + 188);
    let out = decrypted(&encrypted);
    let found = nals(&elementary(&out, VIDEO));
    assert_eq!(found.len(), 2);
    // Up to the gap, and the picture behind it.
    assert_eq!(found[0][..300], pictures[0][0][..300]);
    assert_eq!(found[1], pictures[1][0]);
}

#[test]
fn repeated_packet_changes_no_other() {
    let nal = escape(&[&[0x65][..], &[5; 900], &[0x80]].concat());
    let once = segment(true, &[vec![nal]], &[], &[0]);
    let (start, end) = once.split_at(5 * 188);
    let again = &start[4 * 188..];
    let out = decrypted(&[start, again, end].concat());
    let clear = decrypted(&once);
    assert_eq!(out[..5 * 188], clear[..5 * 188]);
    assert_eq!(out[6 * 188..], clear[5 * 188..]);
}

#[test]
fn junk_between_packets_passes() {
    let pictures = [vec![escape(&[&[0x65][..], &[5; 900], &[0x80]].concat())]];
    let encrypted = segment(true, &pictures, &[], &[0]);
    let clear = decrypted(&encrypted);
    let (start, end) = encrypted.split_at(4 * 188);
    for junk in [&b"junk"[..], b"0", &[0; 187], b"a G and another G"] {
        let out = decrypted(&[start, junk, end].concat());
        let (clear_start, clear_end) = clear.split_at(4 * 188);
        assert_eq!(out, [clear_start, junk, clear_end].concat());
    }
}

/// Frames 3 and 4 have bytes in the packet that is lost.
#[test]
fn lost_packet_costs_only_its_frames() {
    let frames: Vec<_> = (0..10).map(|fill| adts(&[fill; 150], false)).collect();
    let encrypted: Vec<u8> = frames.iter().flat_map(|f| encrypt_frame(f, 7)).collect();
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xcf, SOUND)]);
    multiplexer.pes(SOUND, 0xc0, &encrypted, &[0]);
    multiplexer.bytes.drain(5 * 188..6 * 188);
    let out = elementary(&decrypted(&multiplexer.bytes), SOUND);
    assert_eq!(out.len(), 10 * 157 - 184);
    let clear = frames.concat();
    assert_eq!(out[..3 * 157], clear[..3 * 157]);
    assert_eq!(out[out.len() - 5 * 157..], clear[5 * 157..]);
}

/// The clear leader of a frame without a header has one that lies.
#[test]
fn false_header_costs_no_other_frame() {
    let lie = &adts(&[0; 500], false)[..7];
    let payload = [lie, &[5; 193]].concat();
    let frames = [&[1; 200][..], &payload, &[3; 200], &[4; 200], &[5; 200]];
    let frames = frames.map(|payload| adts(payload, false));
    let mut encrypted = frames.each_ref().map(|frame| encrypt_frame(frame, 7));
    encrypted[1][0] = 0;
    let out = decrypted(&encrypted.concat());
    let clear = frames.concat();
    assert_eq!(out[..207], clear[..207]);
    assert_eq!(out[2 * 207..], clear[2 * 207..]);
}

#[test]
fn damaged_frame_costs_no_other() {
    let frames: Vec<_> = (0..6).map(|fill| adts(&[fill; 200], false)).collect();
    let mut encrypted: Vec<_> = frames.iter().map(|frame| encrypt_frame(frame, 7)).collect();
    encrypted[2][0] = 0;
    let out = decrypted(&encrypted.concat());
    let lost = 2 * 207..3 * 207;
    assert_eq!(out[..lost.start], frames.concat()[..lost.start]);
    assert_eq!(out[lost.end..], frames.concat()[lost.end..]);
}

#[test]
fn other_containers_are_errors() {
    let mp4 = b"\0\0\0\x18styp\0\0\0\0msdh";
    assert_eq!(decrypted_in([mp4]), Err(SampleAesError::Mp4));
    for other in [
        &b"a"[..],
        b"<html><body>",
        &[0x47; 187],
        &[0; 1000],
        b"ID3\xff what is this",
    ] {
        assert_eq!(decrypted_in([other]), Err(SampleAesError::UnknownContainer));
    }
    assert_eq!(decrypted(b""), b"");
    assert_eq!(decrypted(b"WEBVTT\n\n1\n"), b"WEBVTT\n\n1\n");
    let tag = b"ID3\x04\x00\x00\x00\x00\x00\x05hello";
    assert_eq!(decrypted(tag), tag);
}

#[test]
fn nal_without_end_is_an_error() {
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xdb, VIDEO)]);
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(&[vec![0x65; 9 << 20]]), &[0]);
    assert_eq!(
        decrypted_in([multiplexer.bytes]),
        Err(SampleAesError::NalTooLarge)
    );
}

/// Of a stream that ends early, the last NAL unit does not hold up the others for ever.
#[test]
fn held_bytes_have_a_bound() {
    let nal = escape(&[&[0x65][..], &[5; 900], &[0x80]].concat());
    let mut multiplexer = Multiplexer::default();
    multiplexer.tables(0, &[(0xdb, VIDEO), (0x06, SOUND)]);
    multiplexer.pes(VIDEO, 0xe0, &byte_stream(&[encrypt_nal(&nal)]), &[0]);
    for _ in 0..100 {
        multiplexer.pes(SOUND, 0xe0, &[7; 200_000], &[0]);
    }
    let key = ContentKey::from_slice(&KEY).expect("sixteen bytes");
    let mut decryptor = SegmentDecryptor::new(&key, IV);
    let (mut out, mut most, mut taken) = (Vec::new(), 0, 0);
    for part in multiplexer.bytes.chunks(100_000) {
        decryptor.push(part, &mut out).expect("a transport stream");
        taken += part.len();
        most = most.max(taken - out.len());
    }
    assert!(
        ((16 << 20) - 200_000..=(16 << 20) + 100_000).contains(&most),
        "{most} bytes were held"
    );
    decryptor.finish(&mut out).expect("a transport stream");
    assert_eq!(nals(&elementary(&out, VIDEO)), [nal]);
    assert_eq!(out.len(), multiplexer.bytes.len());
}
