// SPDX-License-Identifier: MIT OR Apache-2.0

//! A box at a viewer's who does what viewers do, with servers that do what servers do: tunes,
//! seeks, other channels, key changes, refusals, faults and restarts, in random order. Each comes
//! out as it must, and nothing is left of any.
//!
//! `SOAK_SECONDS` says for how long, after a first round in which each thing happens once;
//! `SOAK_SEED` in which order. What comes next depends on the seed alone, so what failed fails
//! again with the seed that was printed.
//!
//! ```text
//! SOAK_SECONDS=3600 SOAK_SEED=$RANDOM cargo test --test soak -- --nocapture
//! ```

use std::time::{Duration, Instant};

mod commands;
mod memory;
mod operator;
mod runner;
mod script;

use gst::prelude::*;
use support::leaks_tracer::Leaks;
use support::readings::Readings;
use support::{player, subprocess, warnings};

use commands::Servers;
use memory::Memory;
use operator::Place;
use script::{Act, ROUND, Script};

const SECONDS: &str = "SOAK_SECONDS";
const SEED: &str = "SOAK_SEED";
const ORIGIN: &str = "SOAK_ORIGIN";
const AUTH_URL: &str = "SOAK_AUTH_URL";
const LICENSE_URL: &str = "SOAK_LICENSE_URL";

/// After the first round.
const SHORT: u64 = 15;

/// Always the same, so that a change that breaks nothing does not fail by chance.
const USUAL_SEED: u64 = 20260101;

/// A number from the environment.
fn number(name: &str, otherwise: u64) -> u64 {
    let text = std::env::var(name);
    text.map_or(otherwise, |text| text.parse().expect("a number"))
}

fn text(name: &str) -> String {
    std::env::var(name).expect("the test says it")
}

#[test]
fn random_commands_play_and_leak_nothing() {
    let (seconds, seed) = (number(SECONDS, SHORT), number(SEED, USUAL_SEED));
    let again = format!("{SECONDS}={seconds} {SEED}={seed}");
    eprintln!("{again}");
    let mut servers = Servers::start();
    let headend = servers.headend();
    let mut child = subprocess::ignored_test("child_that_plays");
    child
        .env(SECONDS, seconds.to_string())
        .env(SEED, seed.to_string())
        .env(ORIGIN, headend.url(""))
        .env(AUTH_URL, headend.auth_url())
        .env(LICENSE_URL, headend.license_url())
        .env("GST_TRACERS", "leaks")
        .env("GST_DEBUG", "GST_TRACER:7")
        .env("GST_DEBUG_NO_COLOR", "1");
    let mut traced = String::new();
    let carry_out = |_, command: &str| servers.carry_out(command);
    let status = subprocess::run(&mut child, carry_out, |line| match is_traced(line) {
        true => traced += &format!("{line}\n"),
        false => eprintln!("{line}"),
    });
    assert!(status.success(), "{status} at {}: {again}", servers.step);
    assert_left_by_others(&Leaks::of(&traced));
}

fn is_traced(line: &str) -> bool {
    line.contains(" GST_TRACER ") || line.contains("Leaks detected")
}

/// Asserts that nothing is left but what stock elements leave, in the clear too.
#[track_caller]
fn assert_left_by_others(leaks: &Leaks) {
    // playbin the volume control of an audio sink that has none, with all that it was told by
    // contexts.
    let volumes = leaks.count("GstVolume <volume>");
    // qtdemux a buffer, if it reads a file: the clear picture and the clear sound. Since it reads
    // sample groups also key ids, of 16 bytes each.
    let (_, minor, ..) = gst::version();
    let buffers = if minor < 24 { 2 } else { usize::MAX };
    let by_others = Leaks::from([
        ("GstVolume <volume>", volumes),
        ("GstPad <volume:sink>", volumes),
        ("GstPad <volume:src>", volumes),
        ("GstContext ", volumes),
        // playbin3 a pad, if it fails.
        ("GstGhostPad <'':video_sink>", usize::MAX),
        ("GstProxyPad <video_sink:proxypad>", usize::MAX),
        ("GstBuffer ", buffers),
        ("GstMemory ", buffers),
    ]);
    assert_eq!(leaks.beyond(&by_others), [], "{leaks:?}");
}

#[test]
#[ignore = "needs a head-end, which `random_commands_play_and_leak_nothing` has"]
fn child_that_plays() {
    let place = Place {
        origin: text(ORIGIN),
        auth_url: text(AUTH_URL),
        license_url: text(LICENSE_URL),
    };
    let time = Duration::from_secs(number(SECONDS, SHORT));
    player::init();
    raise();
    let before = Readings::now();
    let mut warm = None;
    let mut memory = Memory::default();
    for step in Script::new(number(SEED, USUAL_SEED)) {
        runner::play(&step, &place);
        // hlsdrmdemux keeps a connection for a while, but not to servers that are gone.
        if step.act != Act::Restart {
            continue;
        }
        let now = settled(&before, warm.as_ref().map(|(warm, _)| warm));
        eprintln!("step {}, {:?}: {now}", step.number, step.player);
        if step.number < ROUND {
            continue;
        }
        memory.look(step.number, now.resident);
        let (_, begun) = warm.get_or_insert_with(|| (now.clone(), Instant::now()));
        if begun.elapsed() >= time {
            break;
        }
    }
    memory.assert_steady();
    shut_down();
}

/// Has the tracer say what is left.
fn shut_down() {
    // It does so with a warning of GLib's too.
    warnings::expect();
    // SAFETY: there are no objects of GStreamer's left here, and nobody uses it after this.
    unsafe { gst::deinit() };
}

/// GLib's own threads, which it starts when there is something to do for them, and keeps.
const STOCK: [&str; 3] = ["dconf worker", "gdbus", "gmain"];

/// What there is once all has gone that is on its way out: what there was `before`, the runtime's
/// one thread, and what GLib keeps. Once the process is `warm`, it has the same descriptors again.
fn settled(before: &Readings, warm: Option<&Readings>) -> Readings {
    let mut expected = before.threads.clone();
    *expected.entry("session-token".to_owned()).or_default() += 1;
    Readings::settled(|now| {
        let mut threads = now.threads.clone();
        threads.retain(|name, _| !STOCK.contains(&name.as_str()));
        let is_as_warm = |warm: &Readings| now.without_sockets() == warm.without_sockets();
        threads == expected && now.has_no_more_sockets(before) && warm.is_none_or(is_as_warm)
    })
}

/// Has players plug hlsdrmdemux.
fn raise() {
    let factory = gst::ElementFactory::find("hlsdrmdemux");
    let factory = factory.expect("the plugin has it");
    factory.set_rank(gst::Rank::PRIMARY + 10);
}
