// SPDX-License-Identifier: MIT OR Apache-2.0

//! HLS with DRM key tags in the way of RDK's AAMP: the player reads playlists and downloads
//! segments itself, feeds them to one `appsrc` a track, and sends the protection events of the
//! playlist's key tags (origin `hls/m3u8`) ahead of them. No demuxer for HLS is in the pipeline:
//!
//! ```text
//! appsrc ! qtdemux ! sessiontoken ! clearkeydec !
//!     h264parse ! avdec_h264 ! queue ! videoconvert ! autovideosink
//! appsrc ! qtdemux ! sessiontoken ! clearkeydec !
//!     aacparse ! avdec_aac ! queue ! audioconvert ! audioresample ! autoaudiosink
//! ```
//!
//! With `scripts/demo --serve` running in another terminal:
//!
//! ```sh
//! cargo run --example aamp_flow -- \
//!     --location http://localhost:50050/authService/getSessionToken \
//!     --license-url http://localhost:50050/license \
//!     http://localhost:50050/hls/cenc/master.m3u8
//! ```
//!
//! What AAMP does (github.com/rdkcentral/aamp) and where to find the same here:
//!
//! * `StreamAbstractionAAMP_HLS::ParseMainManifest`, `IndexPlaylist`: `playlist.rs`;
//! * `ProcessContentProtection` (of a key tag), `createInitData` of its DRM helpers: `key_tag.rs`;
//! * `InterfacePlayerRDK::QueueProtectionEvent`, `SendGstEvents` and `SendHelper`: `injector.rs`;
//! * `InterfacePlayerRDK::SetupStream` and `InitializeSourceForPlayer`: `pipeline.rs`;
//! * `bus_message` and what its log tells of a tune: `player.rs` and `report.rs`;
//! * `AampDRMLicenseManager`, which has the session token from the auth service and hands it to the
//!   DRM: `sessiontoken`.
//!
//! It plays what a developer needs to see this flow: the first variant, H.264 and AAC in fragmented
//! MP4, protected from the first segment to the last, in one timeline from zero. A live playlist is
//! played as it is when it comes, and not asked for again.

mod download;
mod injector;
mod key_tag;
mod options;
mod pipeline;
mod player;
mod playlist;
mod report;
#[path = "../player/screen.rs"]
mod screen;

use std::process::ExitCode;

use options::{Command, HELP, Options, USAGE};
use player::Player;
use report::Report;

fn main() -> ExitCode {
    let options = match options::from_args() {
        Ok(Command::Play(options)) => options,
        Ok(Command::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("aamp_flow: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match play(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("aamp_flow: {error}");
            ExitCode::FAILURE
        }
    }
}

fn play(options: &Options) -> Result<(), String> {
    set_up()?;
    let report = Report::new(report::print);
    Player::tune(&options.url, &options.settings, options.sinks, report)?.play()
}

/// GStreamer with our elements.
fn set_up() -> Result<(), String> {
    gst::init().map_err(|error| format!("GStreamer does not start: {error}"))?;
    // An application in Rust links the plugin. Any other one installs it, or names its folder in
    // GST_PLUGIN_PATH.
    gstsessiontoken::plugin_register_static()
        .map_err(|error| format!("the plugin does not register: {error}"))
}
