// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is played: where it is, and what a pipeline that is written out needs for it.

use crate::player::decryptor;
use crate::player_harness::{KINDS, Kind};

/// What stands behind the decryptor of the picture.
pub const PICTURE: &str = "h264parse ! avdec_h264";
/// What stands behind the decryptor of the sound.
pub const SOUND: &str = "aacparse ! avdec_aac";

/// As players have between network and sinks; it takes all of the test media.
const QUEUE: &str = "queue max-size-buffers=0 max-size-bytes=0 max-size-time=0";

/// A presentation of the head-end's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Programme {
    /// Picture and sound, each with one key.
    Usual,
    /// The same by the scheme `cbcs`.
    Cbcs,
    /// The same with the first part in the clear, by either scheme.
    LeadCenc,
    /// See `LeadCenc`.
    LeadCbcs,
    /// For HLS, in playlists without key tags.
    HlsWithoutKeyTags,
    /// For HLS as the packager writes it, by either scheme.
    HlsCenc,
    /// See `HlsCenc`.
    HlsCbcs,
    /// One playlist of these, with nothing above it.
    HlsPictureAlone,
    /// As `HlsCenc`, with nothing about keys in the init segments.
    HlsWithoutBoxes,
    /// The usual film over and over again, by playlists that slide, with key changes in it.
    Live,
    /// Picture only, with another key in each fragment.
    Rotating,
    /// Picture and sound in two periods, with keys of their own.
    Periods,
}

impl Programme {
    /// Where it is on the head-end.
    pub fn path(self) -> &'static str {
        match self {
            Programme::Usual => "/dash/cenc/manifest.mpd",
            Programme::Cbcs => "/dash/cbcs/manifest.mpd",
            Programme::LeadCenc => "/dash/lead-cenc/manifest.mpd",
            Programme::LeadCbcs => "/dash/lead-cbcs/manifest.mpd",
            Programme::HlsWithoutKeyTags => "/hls/cenc/master-no-keys.m3u8",
            Programme::HlsCenc => "/hls/cenc/master.m3u8",
            Programme::HlsCbcs => "/hls/cbcs/master.m3u8",
            Programme::HlsPictureAlone => "/hls/cenc/video.m3u8",
            Programme::HlsWithoutBoxes => "/hls/cenc/master-no-pssh.m3u8",
            Programme::Live => "/hls/live-steady/master.m3u8",
            Programme::Rotating => "/dash/rotating/manifest.mpd",
            Programme::Periods => "/dash/periods/manifest.mpd",
        }
    }

    /// Its streams.
    pub fn kinds(self) -> &'static [Kind] {
        match self {
            Programme::Rotating | Programme::HlsPictureAlone => &KINDS[..1],
            _ => &KINDS,
        }
    }

    /// A pipeline that plays it, but for the links to pads that come later.
    pub fn written_out(self, uri: &str) -> (String, Vec<Link>) {
        let periods = match self {
            Programme::Usual
            | Programme::Cbcs
            | Programme::LeadCenc
            | Programme::LeadCbcs
            | Programme::Rotating => 1,
            Programme::Periods => 2,
            _ => unimplemented!("dashdemux plays DASH"),
        };
        let mut line = format!("souphttpsrc location={uri} ! dashdemux name=dash");
        let mut links = Vec::new();
        for (track, decoder, sink) in &TRACKS[..self.kinds().len()] {
            line += &format!(" concat name={track} ! {decoder} ! fakesink name={sink}");
            for period in 0..periods {
                // dashdemux has new pads in each period, and in each tune. The latter go on where
                // the former began.
                let pads = match periods {
                    1 => (*track).to_owned(),
                    _ => format!("{track}_{period:02}"),
                };
                line += &format!(
                    " qtdemux name={pads}-demux \
                     sessiontoken name={pads}-token ! {} ! {QUEUE} ! {track}.",
                    decryptor()
                );
                links.push(Link {
                    from: "dash".to_owned(),
                    to: format!("{pads}-demux"),
                    pads: pads.clone(),
                });
                links.push(Link {
                    from: format!("{pads}-demux"),
                    to: format!("{pads}-token"),
                    pads: (*track).to_owned(),
                });
            }
        }
        (line, links)
    }
}

/// The tracks as dashdemux and qtdemux name their pads, what decodes them and where they end.
const TRACKS: [(&str, &str, &str); 2] = [("video", PICTURE, "picture"), ("audio", SOUND, "sound")];

/// Pads of an element that are linked whenever there are new ones.
pub struct Link {
    /// The name of the element that has the pads.
    pub from: String,
    /// How their names begin.
    pub pads: String,
    /// The name of the element that they are linked to.
    pub to: String,
}
