// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that are written in another way than packagers' own: each plays as if it were
//! written as usual.

use headend::VIDEO_KEY_ID;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;

use super::part::{Part, Track, key_tags};
use super::presentation::Presentation;
use super::rendition::Rendition;
use super::{FOLDER, TWIN, assert_plays, assert_tokens_and_licenses, operator};
use crate::hls::key_tag as widevine_tag;

/// The box of the W3C's common system with the key id of the picture, and some data for which
/// base64 and base64url differ.
fn common_box() -> Vec<u8> {
    let hex = |digits: &str| -> Vec<u8> {
        let digits = digits.replace('-', "");
        let byte = |place| u8::from_str_radix(&digits[place..place + 2], 16).expect("digits");
        (0..digits.len()).step_by(2).map(byte).collect()
    };
    let data = [0xfb, 0xff, 0xfe];
    let body = [
        &b"pssh\x01\0\0\0"[..],
        &hex("1077efec-c0b2-4d02-ace3-3c1e52e2fb4b"),
        &[0, 0, 0, 1],
        &hex(VIDEO_KEY_ID),
        &[0, 0, 0, 3],
        &data,
    ]
    .concat();
    let length = u32::try_from(body.len() + 4).expect("a small box");
    [&length.to_be_bytes()[..], &body].concat()
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// With padding.
fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, place| {
            bits << 8 | u32::from(three.get(place).copied().unwrap_or_default())
        });
        for digit in 0..4 {
            let index = bits >> (18 - 6 * digit) & 63;
            let is_there = digit <= three.len();
            text.push(if is_there {
                BASE64[index as usize].into()
            } else {
                '='
            });
        }
    }
    text
}

/// The attributes of a key tag that has all there is to say, with the usual spelling of its URI.
const FORMAT: &str = "KEYFORMAT=\"urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b\"";

fn key_tag(uri: &str) -> String {
    format!("#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{uri}\",{FORMAT},KEYFORMATVERSIONS=\"1\"\n")
}

fn usual_uri() -> String {
    format!("data:text/plain;base64,{}", base64(&common_box()))
}

/// The picture, whose init segment has nothing about keys, so that everything hangs on these tags.
fn keyed(tags: &str) -> Rendition {
    let parts = [1, 2, 3].map(|number| {
        Part::drm("cbcs", Track::Video, number)
            .without_pssh()
            .keyed(tags)
    });
    Rendition::from(parts)
}

#[track_caller]
fn assert_rendition_plays(player: Player, rendition: Rendition) {
    let operator = operator();
    assert_plays(player, &operator, &Presentation::picture(rendition));
    assert_tokens_and_licenses(&operator, 1, 1);
    assert_nothing_else_asked(&operator);
}

/// Asserts that nothing was asked for but the presentation.
#[track_caller]
fn assert_nothing_else_asked(operator: &Operator) {
    for request in operator.media_requests() {
        let is_ours = [FOLDER, TWIN]
            .iter()
            .any(|folder| request.path.starts_with(folder));
        let name = request.path.rsplit('/').next().unwrap_or_default();
        let names = ["master.m3u8", "video"];
        assert!(
            is_ours && names.iter().any(|known| name.starts_with(known)),
            "{request:?}"
        );
    }
    assert!(operator.key_requests().is_empty());
}

in_both_players! {
    fn usual_spelling(player: Player) {
        assert_rendition_plays(player, keyed(&key_tag(&usual_uri())));
    }

    fn data_uri_that_is_percent_encoded(player: Player) {
        let uri = usual_uri().replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let uri = uri.replacen("text%2Fplain", "text/plain", 1);
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_with_lower_case_percent_signs(player: Player) {
        let uri = usual_uri().replace('+', "%2b").replace('=', "%3d");
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_without_padding(player: Player) {
        let uri = usual_uri();
        assert_rendition_plays(player, keyed(&key_tag(uri.trim_end_matches('='))));
    }

    fn data_uri_of_base64url(player: Player) {
        let encoded = base64(&common_box()).replace('+', "-").replace('/', "_");
        assert!(encoded.contains(['-', '_']));
        let uri = format!("data:text/plain;base64,{encoded}");
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_in_upper_case(player: Player) {
        let uri = format!("DATA:text/plain;BASE64,{}", base64(&common_box()));
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_with_space_after_the_comma(player: Player) {
        let uri = format!("data:text/plain;base64, {}", base64(&common_box()));
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_without_a_type(player: Player) {
        let uri = format!("data:;base64,{}", base64(&common_box()));
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn data_uri_with_a_parameter(player: Player) {
        let uri = format!("data:text/plain;charset=UTF-16;base64,{}", base64(&common_box()));
        assert_rendition_plays(player, keyed(&key_tag(&uri)));
    }

    fn spaces_around_equals_signs(player: Player) {
        let tag = format!("#EXT-X-KEY:METHOD = SAMPLE-AES, URI = \"{}\" , {FORMAT}\n", usual_uri());
        assert_rendition_plays(player, keyed(&tag));
    }

    fn empty_attribute(player: Player) {
        let tag = format!("#EXT-X-KEY:METHOD=SAMPLE-AES,,URI=\"{}\",{FORMAT},\n", usual_uri());
        assert_rendition_plays(player, keyed(&tag));
    }

    fn key_id_of_every_spelling(player: Player) {
        let plain = VIDEO_KEY_ID;
        let uuid = format!(
            "{}-{}-{}-{}-{}",
            &plain[..8], &plain[8..12], &plain[12..16], &plain[16..20], &plain[20..]
        );
        for key_id in [
            format!("0x{plain}"),
            format!("0X{}", plain.to_uppercase()),
            plain.to_owned(),
            format!("\"{plain}\""),
            uuid.clone(),
            format!("\"{}\"", uuid.to_uppercase()),
        ] {
            // A box of Widevine's that says nothing: the id is all there is.
            let tag = widevine_tag(plain)
                .replace("SAMPLE-AES-CTR", "SAMPLE-AES")
                .replace(&format!("KEYID=0x{plain}"), &format!("KEYID={key_id}"));
            assert!(tag.contains(&key_id));
            assert_rendition_plays(player, keyed(&tag));
        }
    }

    fn method_none_with_other_attributes(player: Player) {
        for none in [
            "#EXT-X-KEY:METHOD=NONE,KEYFORMAT=\"identity\"\n",
            "#EXT-X-KEY:METHOD=NONE,URI=\"\",IV=0x0\n",
            "#EXT-X-KEY:KEYFORMAT=\"com.microsoft.playready\",URI=\"skd://x\",METHOD=NONE\n",
        ] {
            let operator = operator();
            let clear = Part::mp4("clear", Track::Video, 2).keyed(none).after_discontinuity();
            let [first, third] = [1, 3].map(|number| Part::drm("cbcs", Track::Video, number));
            let parts = [first, clear, third.after_discontinuity()];
            assert_plays(player, &operator, &Presentation::picture(parts));
            assert_tokens_and_licenses(&operator, 1, 1);
        }
    }

    fn key_formats_nobody_knows_beside_one_that_is_known(player: Player) {
        let tags = format!(
            "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\",KEYFORMAT=\"com.apple.streamingkeydelivery\",KEYFORMATVERSIONS=\"1\"\n\
             #EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"vendor://key\",KEYFORMAT=\"com.vendor\"\n{}",
            key_tag(&usual_uri())
        );
        assert_rendition_plays(player, keyed(&tags));
    }

    fn uris_of_other_schemes_are_left_alone(player: Player) {
        let tags = "#EXT-X-DATERANGE:ID=\"splice-1\",CLASS=\"urn:scte:scte35:2013:bin\",START-DATE=\"2026-01-01T00:00:00Z\",X-AD-URI=\"urn:example:ad:17\"\n\
            #EXT-X-DATERANGE:ID=\"p\",CLASS=\"com.apple.hls.preload\",START-DATE=\"2026-01-01T00:00:00Z\",X-URI=\"skd://preload\"\n\
            #EXT-X-VENDOR-AD:URI=\"vendor://ad\",ID=7\n\
            #EXT-X-VENDOR-BEACON:URI=\"/hls/beacon\"\n\
            ## URI=\"comment://nobody\"\n";
        assert_rendition_plays(player, keyed(&key_tag(&usual_uri())).tagged(tags));
    }

    fn uris_in_the_multivariant_playlist_are_left_alone(player: Player) {
        let operator = operator();
        let tags = "#EXT-X-SESSION-DATA:DATA-ID=\"com.example.data\",URI=\"urn:example:data\"\n\
            #EXT-X-SESSION-DATA:DATA-ID=\"com.example.more\",URI=\"/hls/data.json\"\n\
            #EXT-X-CONTENT-STEERING:SERVER-URI=\"/hls/steering\"\n\
            #EXT-X-VENDOR:URI=\"vendor://x\"\n";
        let presentation = Presentation::picture(keyed(&key_tag(&usual_uri()))).tagged(tags);
        assert_plays(player, &operator, &presentation);
        assert_tokens_and_licenses(&operator, 1, 1);
        assert_nothing_else_asked(&operator);
    }

    fn first_line_with_attributes(player: Player) {
        let line = "#EXTM3U x-tvg-url=\"http://example.com/epg.xml\"";
        assert_rendition_plays(player, keyed(&key_tag(&usual_uri())).first_line(line));
    }

    fn session_keys_of_drm_systems(player: Player) {
        let operator = operator();
        let tags = key_tags("cbcs", Track::Video).replace("#EXT-X-KEY:", "#EXT-X-SESSION-KEY:");
        let parts = [1, 2, 3].map(|number| Part::drm("cbcs", Track::Video, number));
        assert_plays(player, &operator, &Presentation::picture(parts).tagged(&tags));
        assert_tokens_and_licenses(&operator, 1, 1);
    }
}
