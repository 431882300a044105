// SPDX-License-Identifier: MIT OR Apache-2.0

//! A player with channels, to copy from: how an application sets the elements up, warms the
//! session, changes channels and tells its user what became of the token.
//!
//! `cargo run --example player -- --help` says how to start it. Where to look for what:
//!
//! * `pipeline.rs`: the configuration as a context, the warm-up, `playbin3` and the same written
//!   out;
//! * `player.rs`: channels, keys and the bus;
//! * `report.rs`: what the elements say on the bus, in words;
//! * `options.rs`, `keys.rs` and `screen.rs`: the command line, the keyboard and the screen, which
//!   have nothing to do with tokens.

mod keys;
mod options;
mod pipeline;
mod player;
mod report;
mod screen;

use std::process::ExitCode;

use gst::prelude::*;

use options::{Command, HELP};
use player::Player;

fn main() -> ExitCode {
    let options = match options::from_args() {
        Ok(Command::Play(options)) => options,
        Ok(Command::Help) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return give_up(&format!("{error}\n{}", options::USAGE)),
    };
    match set_up().and_then(|()| Player::new(options)) {
        Ok(player) => match player.run() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        },
        Err(error) => give_up(&error),
    }
}

/// Nothing is played: what was asked for cannot work.
fn give_up(why: &str) -> ExitCode {
    eprintln!("player: {why}");
    ExitCode::from(2)
}

/// GStreamer with our elements, ready for players to plug.
fn set_up() -> Result<(), String> {
    gst::init().map_err(|error| format!("GStreamer does not start: {error}"))?;
    // An application in Rust links the plugin. Any other one installs it, or names its folder in
    // GST_PLUGIN_PATH.
    gstsessiontoken::plugin_register_static()
        .map_err(|error| format!("the plugin does not register: {error}"))?;
    // It makes requests with credentials, so nothing plugs it unless the application says so.
    gst::ElementFactory::find("sessiontoken")
        .ok_or("the plugin has no `sessiontoken`")?
        .set_rank(gst::Rank::PRIMARY);
    Ok(())
}
