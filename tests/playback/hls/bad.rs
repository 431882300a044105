// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that cannot be played, or not be had. The viewer would look at a black screen, and the
//! operator would not know why.

use std::fs;
use std::path::PathBuf;

use support::fixtures::Programme;
use support::folders::scratch_folder;
use support::in_both_players;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{Complaint, Setup};
use support::rig::nobody;

use super::{key_tag, raise, with_licenses};

const SKD: &str =
    r#"#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://key",KEYFORMAT="com.apple.streamingkeydelivery""#;

const HEADER: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:2\n";

/// A presentation of one picture whose media playlist is that.
fn presentation(media: &[u8]) -> PathBuf {
    let folder = scratch_folder();
    let playlists = folder.join("dash/bad");
    fs::create_dir_all(&playlists).expect("a scratch folder");
    let master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS=\"avc1.640015\"\nmedia.m3u8\n";
    fs::write(playlists.join("master.m3u8"), master).expect("a scratch file");
    fs::write(playlists.join("media.m3u8"), media).expect("a scratch file");
    folder
}

/// What the application is told of a presentation, which ends with an error.
#[track_caller]
fn complaint_of(player: Player, operator: &Operator, path: &str) -> Complaint {
    raise();
    let uri = operator.url(path);
    let setup = Setup::new(player, operator).uri(uri);
    let (_show, ended) = with_licenses(setup, operator).play();
    assert_eq!(operator.license_requests().len(), 0);
    ended.error.expect("an error")
}

/// What it is told of one whose media playlist is that.
#[track_caller]
fn complaint_about(player: Player, media: &[u8]) -> Complaint {
    let operator = Operator::start_with_media(presentation(media));
    complaint_of(player, &operator, "/hls/bad/master.m3u8")
}

in_both_players! {
    fn one_that_cannot_be_played_is_told_with_its_reason(player: Player) {
        let key = key_tag("00112233445566778899aabbccddee02");
        let segment = "#EXTINF:2,\n1.m4s\n#EXT-X-ENDLIST\n";
        let whole = r#"#EXT-X-KEY:METHOD=AES-128,URI="drm://key",KEYFORMAT="com.drm""#;
        for (media, says) in [
            ("<html></html>".to_owned(), "does not begin with #EXTM3U"),
            (format!("{HEADER}{SKD}\n{segment}"), "without an init segment"),
            (format!("{HEADER}{whole}\n{segment}"), "whole segments"),
            (
                format!("{HEADER}{key}#EXT-X-MAP:URI=\"file:///etc/passwd\"\n{segment}"),
                "neither on a web server",
            ),
            (format!("{HEADER}#EXTINF:2,\nfile:///etc/passwd\n"), "neither on a web server"),
        ] {
            let complaint = complaint_about(player, media.as_bytes());
            assert_eq!(complaint.from, "hlsdrmdemux", "{complaint:?}");
            assert!(complaint.error.matches(gst::StreamError::Demux), "{complaint:?}");
            let message = complaint.error.message();
            assert!(message.contains(says), "{message}");
            assert!(!message.contains("passwd"), "{message}");
        }
    }

    fn one_that_is_refused_is_told(player: Player) {
        for (status, code) in [
            (401, gst::ResourceError::NotAuthorized),
            (403, gst::ResourceError::NotAuthorized),
            (404, gst::ResourceError::OpenRead),
            (500, gst::ResourceError::OpenRead),
        ] {
            let operator = Operator::start_for(Programme::HlsPictureAlone);
            operator.set_media_status("/hls/cenc/video.m3u8", status, usize::MAX);
            let complaint = complaint_of(player, &operator, "/hls/cenc/master.m3u8");
            assert_eq!(complaint.from, "hlsdrmdemux", "{complaint:?}");
            assert!(complaint.error.matches(code), "{complaint:?}");
            let message = complaint.error.message();
            assert!(message.contains(&format!("HTTP {status}")), "{message}");
            assert!(message.contains(&operator.url("")), "{message}");
        }
    }

    fn one_whose_server_is_gone_is_told(player: Player) {
        let place = nobody();
        let folder = presentation(b"");
        let master = format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nhttp://{place}/hls/cenc/video.m3u8\n");
        fs::write(folder.join("dash/bad/master.m3u8"), master).expect("a scratch file");
        let operator = Operator::start_with_media(folder);
        let complaint = complaint_of(player, &operator, "/hls/bad/master.m3u8");
        let message = complaint.error.message();
        assert!(message.contains(&format!("No connection to {place}")), "{message}");
    }

    fn one_of_a_hundred_megabytes_is_told(player: Player) {
        let mut media = HEADER.as_bytes().to_vec();
        media.resize(100_000_000, b'#');
        let complaint = complaint_about(player, &media);
        let message = complaint.error.message();
        assert!(message.contains("of more than 16777216 bytes"), "{message}");
    }
}
