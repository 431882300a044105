// SPDX-License-Identifier: MIT OR Apache-2.0

//! A player that has the plugin linked in. It plays to the end, without picture and sound.

use std::error::Error;
use std::process::ExitCode;

use gst::prelude::*;

fn register_plugin() -> Result<(), Box<dyn Error>> {
    gst::init()?;
    gstsessiontoken::plugin_register_static()?;
    for (element, rank) in [
        ("sessiontoken", gst::Rank::PRIMARY),
        ("hlsdrmdemux", gst::Rank::from(i32::MAX)),
    ] {
        let factory = gst::ElementFactory::find(element).expect("the plugin has it");
        factory.set_rank(rank);
    }
    Ok(())
}

fn play(uri: &str, auth_service: &str) -> Result<(), Box<dyn Error>> {
    let make = |factory| gst::ElementFactory::make(factory).build();
    let player = make("playbin3")?;
    player.set_property("uri", uri);
    player.set_property("video-sink", make("fakevideosink")?);
    player.set_property("audio-sink", make("fakeaudiosink")?);
    let mut context = gst::Context::new("session-token-config", true);
    let context_mut = context.get_mut().expect("nobody else has it yet");
    context_mut.structure_mut().set("location", auth_service);
    player.set_context(&context);

    // The bus has the reason if it fails.
    let _ = player.set_state(gst::State::Playing);
    let bus = player.bus().expect("playbin3 has a bus");
    let until = [gst::MessageType::Eos, gst::MessageType::Error];
    let message = bus.timed_pop_filtered(gst::ClockTime::NONE, &until);
    player.set_state(gst::State::Null)?;
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => Err(error.error().into()),
        _ => Ok(()),
    }
}

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [uri, auth_service] = &arguments[..] else {
        eprintln!("Usage: static-player URI AUTH-SERVICE");
        return ExitCode::from(2);
    };
    match register_plugin().and_then(|()| play(uri, auth_service)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("static-player: {error}");
            ExitCode::FAILURE
        }
    }
}
