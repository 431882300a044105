// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists that are made to take time and memory, each in a player with a process of its own: an
//! error or playing on, and a bound on memory and processor time that holds for the whole player.
//!
//! `HOSTILE_CASE` tries one alone.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use gst::prelude::*;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use support::readings::Readings;
use support::{subprocess, warnings};

/// The largest playlist that is read.
const LARGEST: usize = 16 * 1024 * 1024;

/// What a player may grow by, in KiB.
const MEMORY: u64 = 256 * 1024;

/// What a player may take of a processor, in milliseconds. Without optimization our part of it
/// takes some ten times as long; work is counted beside what does it.
const PROCESSOR: i64 = if cfg!(debug_assertions) {
    40_000
} else {
    2_000
};

/// What it may take after it has been stopped.
const AFTER_STOP: i64 = PROCESSOR / 8;

/// Longer than anything takes that happens at all.
const PATIENCE: Duration = Duration::from_secs(120);

const PLAYERS: [&str; 2] = ["playbin3", "playbin"];

const CASES: [&str; 16] = [
    "define",
    "define-largest",
    "memory",
    "memory-largest",
    "cpu",
    "cpu-largest",
    "query",
    "query-largest",
    "segments",
    "long-segments",
    "keys",
    "maps",
    "comments",
    "comments-of-a-segment",
    "parts",
    "variants",
];

/// The lines again and again, up to the largest playlist.
fn largest(head: &str, mut lines: impl FnMut(usize) -> String) -> String {
    let mut text = head.to_owned();
    for number in 0.. {
        let more = lines(number);
        if text.len() + more.len() > LARGEST {
            break;
        }
        text.push_str(&more);
    }
    text
}

/// What the first playlist is, and the one that it names if it does.
fn playlists(case: &str) -> (String, String) {
    const HEAD: &str = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n";
    const MASTER: &str = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nm.m3u8\n";
    let define = |size: usize| {
        let value = "<".repeat(size);
        format!("#EXT-X-DEFINE:NAME=\"x\",VALUE=\"{value}\"\n")
    };
    let references = format!("#EXT-X-SESSION-DATA:{}\n", ["URI={$x}"; 7000].join(","));
    let heavy: String = (0..15)
        .map(|format| {
            let data = "A".repeat(5336);
            format!("#EXT-X-KEY:METHOD=SAMPLE-AES,KEYFORMAT=\"urn:uuid:{format:08x}-d21e-4ace-a3c8-27dcd51d21ed\",URI=\"data:;base64,{data}\"\n")
        })
        .collect();
    let long_map = format!("{}#EXT-X-MAP:URI=\"i{{$x}}\"\n", define(5000));
    let key = |id: usize| format!("#EXT-X-KEY:KEYFORMAT=\"z\",KEYID=0x{id:032x}\n");
    let own = |id: usize| format!("{}#EXTINF:1,\ns{id}\n", key(id));
    let lone = |text: String| (text, String::new());
    let named = |text: String| (MASTER.to_owned(), text);
    match case {
        "define" => lone(format!("{MASTER}{}{references}", define(65_400))),
        "define-largest" => {
            let head = format!("{MASTER}{}", define(16_000));
            lone(largest(&head, |_| references.clone()))
        }
        "memory" => {
            let keys: String = (0..2400).map(own).collect();
            lone(format!("{HEAD}{long_map}{heavy}{keys}"))
        }
        "memory-largest" => {
            let head = format!("{HEAD}#EXT-X-MAP:URI=\"i\"\n{heavy}");
            named(largest(&head, own))
        }
        "cpu" => {
            let turns = format!("{}s\n{}s\n", key(1), key(2)).repeat(6000);
            lone(format!("{HEAD}{long_map}{heavy}{turns}"))
        }
        "cpu-largest" => {
            let head = format!("{HEAD}#EXT-X-MAP:URI=\"i\"\n{heavy}");
            named(largest(&head, |number| format!("{}s\n", key(number % 2))))
        }
        "query" => {
            let master = MASTER.replace("m.m3u8", &format!("m.m3u8?{}", "a&".repeat(30_000)));
            let defines = "#EXT-X-DEFINE:QUERYPARAM=\"z\"\n".repeat(10_000);
            (master, format!("{HEAD}{defines}#EXTINF:1,\ns"))
        }
        "query-largest" => {
            let query = format!("m.m3u8?z={}", "v".repeat(12_000));
            let media = largest(HEAD, |_| "#EXT-X-DEFINE:QUERYPARAM=\"z\"\n".to_owned());
            (MASTER.replace("m.m3u8", &query), media)
        }
        "segments" => named(largest(HEAD, |_| "#EXTINF:1,\ns\n".to_owned())),
        "long-segments" => {
            let name = "s".repeat(80);
            named(largest(HEAD, |_| format!("#EXTINF:1,\n{name}\n")))
        }
        "keys" => named(largest(HEAD, |number| key(number % 2))),
        "maps" => named(largest(HEAD, |number| {
            format!("#EXT-X-MAP:URI=i{}\n", number % 2)
        })),
        "comments" => named(largest(HEAD, |_| "#\n".to_owned())),
        "comments-of-a-segment" => {
            let head = format!("{HEAD}#EXTINF:1,\n");
            named(largest(&head, |_| "#\n".to_owned()))
        }
        "parts" => named(largest(HEAD, |_| "#EXT-X-PART:URI=\"p\"\n".to_owned())),
        "variants" => lone(largest("#EXTM3U\n", |number| {
            format!("#EXT-X-STREAM-INF:BANDWIDTH=1\n{number}\n")
        })),
        _ => panic!("no case {case}"),
    }
}

/// Serves them, and counts what else is asked for.
struct Origin {
    url: String,
    others: Arc<AtomicUsize>,
    served: Arc<AtomicUsize>,
}

impl Origin {
    fn start(case: &str) -> Self {
        let (first, media) = playlists(case);
        let texts = Arc::new([first, media]);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/first.m3u8", listener.local_addr().expect("one"));
        let origin = Self {
            url,
            others: Arc::default(),
            served: Arc::default(),
        };
        let (others, served) = (origin.others.clone(), origin.served.clone());
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (texts, others, served) = (texts.clone(), others.clone(), served.clone());
                thread::spawn(move || {
                    // The player may go away at any time.
                    let _ = serve(&connection, &texts, &others, &served);
                });
            }
        });
        origin
    }
}

fn serve(
    mut connection: &TcpStream,
    texts: &[String; 2],
    others: &AtomicUsize,
    served: &AtomicUsize,
) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection).lines();
    while let Some(line) = lines.next() {
        let line = line?;
        while !lines.next().transpose()?.unwrap_or_default().is_empty() {}
        let path = line.split(' ').nth(1).unwrap_or_default();
        let text = match path.split('?').next().unwrap_or_default() {
            "/first.m3u8" => &texts[0],
            "/m.m3u8" => &texts[1],
            _ => {
                others.fetch_add(1, Ordering::SeqCst);
                connection.write_all(b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n")?;
                continue;
            }
        };
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.apple.mpegurl\r\n";
        let length = text.len();
        connection.write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes())?;
        connection.write_all(text.as_bytes())?;
        if length > MASTER_AT_MOST {
            served.fetch_add(1, Ordering::SeqCst);
        }
    }
    Ok(())
}

/// A playlist that names the one that matters has no more bytes.
const MASTER_AT_MOST: usize = 100_000;

/// Runs the child, and gives the lines that it says.
fn run(child: &str, player: &str, case: &str) -> Vec<String> {
    let origin = Origin::start(case);
    let mut command: Command = subprocess::ignored_test(child);
    command
        .env("HOSTILE_PLAYER", player)
        .env("HOSTILE_URL", &origin.url);
    let mut lines = Vec::new();
    let status = subprocess::run(
        &mut command,
        |_, order| match order {
            "others" => origin.others.load(Ordering::SeqCst).to_string(),
            _ => origin.served.load(Ordering::SeqCst).to_string(),
        },
        |line| lines.push(line.to_owned()),
    );
    assert!(status.success(), "{player}, {case}: {status} {lines:#?}");
    lines
}

fn cases() -> Vec<&'static str> {
    let one = env::var("HOSTILE_CASE").ok();
    let is_one = |case: &&str| one.as_ref().is_none_or(|one| one == case);
    CASES.into_iter().filter(is_one).collect()
}

#[test]
fn hostile_playlists_cost_bounded_memory_and_time() {
    for case in cases() {
        for player in PLAYERS {
            let lines = run("one_is_played", player, case);
            let result = lines.iter().find_map(|line| line.strip_prefix("result: "));
            println!("{player} {case}: {}", result.expect("a result"));
        }
    }
}

#[test]
fn stop_ends_the_work_on_a_playlist() {
    for player in PLAYERS {
        run("one_is_stopped", player, "long-segments");
    }
}

/// Milliseconds of a processor that this process has taken.
fn processor() -> i64 {
    processor_of(UsageWho::RUSAGE_SELF)
}

fn processor_of(who: UsageWho) -> i64 {
    let usage = getrusage(who).expect("Linux");
    (usage.user_time() + usage.system_time()).num_milliseconds()
}

/// The most memory that this process has had since `forget_peak`, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure.and_then(|text| text.parse().ok()).expect("a number")
}

fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").expect("Linux");
}

fn player() -> gst::Element {
    warnings::take_over();
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
    let factory = gst::ElementFactory::find("hlsdrmdemux").expect("the plugin has it");
    factory.set_rank(gst::Rank::PRIMARY + 10);
    let sink = |name: &str| {
        let sink = gst::ElementFactory::make("fakesink").name(name);
        sink.build().expect("a sink")
    };
    let name = env::var("HOSTILE_PLAYER").expect("set by the test");
    gst::ElementFactory::make(&name)
        .property("uri", env::var("HOSTILE_URL").expect("set by the test"))
        .property("video-sink", sink("video"))
        .property("audio-sink", sink("audio"))
        .build()
        .expect("a player")
}

fn asked(what: &str) -> usize {
    subprocess::order(what).parse().expect("a number")
}

#[test]
#[ignore = "run by hostile_playlists_cost_bounded_memory_and_time"]
fn one_is_played() {
    let player = player();
    let bus = player.bus().expect("a bus");
    forget_peak();
    let (memory, time, begun) = (peak(), processor(), Instant::now());
    player.set_state(gst::State::Playing).expect("it begins");
    let ended = loop {
        let wait = gst::ClockTime::from_mseconds(20);
        if let Some(message) = bus.timed_pop_filtered(wait, &[gst::MessageType::Error]) {
            let gst::MessageView::Error(error) = message.view() else {
                continue;
            };
            break format!("{}", error.error());
        }
        if asked("others") > 0 {
            break "plays on".to_owned();
        }
        assert!(begun.elapsed() < PATIENCE, "neither an error nor media");
    };
    let (memory, time) = (peak() - memory, processor() - time);
    player.set_state(gst::State::Null).expect("it ends");
    eprintln!("result: {memory} KiB, {time} ms, {ended}");
    assert!(memory <= MEMORY, "{memory} KiB");
    assert!(time <= PROCESSOR, "{time} ms of a processor");
}

#[test]
#[ignore = "run by stop_ends_the_work_on_a_playlist"]
fn one_is_stopped() {
    let player = player();
    let begun = Instant::now();
    player.set_state(gst::State::Playing).expect("it begins");
    while asked("served") == 0 {
        assert!(begun.elapsed() < PATIENCE, "the playlist is not asked for");
    }
    player.set_state(gst::State::Null).expect("it ends");
    drop(player);
    // Without what the reading of threads takes.
    let others = || processor() - processor_of(UsageWho::RUSAGE_THREAD);
    let time = others();
    // Whatever still works is on a thread of the runtime, and gone with its last work.
    let settled = |readings: &Readings| {
        let threads = readings.threads.get("session-token");
        threads.is_none_or(|count| *count <= 1)
    };
    Readings::settled(settled);
    let time = others() - time;
    eprintln!("result: {time} ms after the stop");
    assert!(time <= AFTER_STOP, "{time} ms of a processor");
}
