// SPDX-License-Identifier: MIT OR Apache-2.0

//! The same players without this plugin. Which demuxer a player takes is decided by ranks, which
//! are a process's: so these play in a process of their own, one for all tests.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use gst::prelude::*;

use super::tap::{Passed, Tap};
use crate::player::{Pace, Player};
use crate::process::scratch;
use crate::programme::Programme;

/// Longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an answer of the process begins with.
const ANSWER: &str = "answer: ";

/// The process: it takes a line with number, player, file and URI, and answers with the number
/// and an error, if there was one.
struct Process {
    orders: Mutex<ChildStdin>,
    waiting: Arc<Mutex<HashMap<u32, Sender<String>>>>,
}

impl Process {
    fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "hls::field::stock::process_of_stock_players"])
            .args(["--ignored", "--nocapture"])
            .env_remove("GST_SESSION_TOKEN_CONFIG")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("this program runs");
        let orders = Mutex::new(child.stdin.take().expect("piped"));
        let waiting = Arc::<Mutex<HashMap<u32, Sender<String>>>>::default();
        let answers = BufReader::new(child.stderr.take().expect("piped"));
        let known = waiting.clone();
        thread::spawn(move || {
            for line in answers.lines() {
                let line = line.expect("text");
                let Some((number, error)) = line
                    .strip_prefix(ANSWER)
                    .and_then(|answer| answer.split_once(' '))
                else {
                    eprintln!("stock player: {line}");
                    continue;
                };
                let number = number.parse().expect("a number");
                if let Some(answer) = known.lock().expect("no panic").remove(&number) {
                    // The test may have failed meanwhile.
                    let _ = answer.send(error.to_owned());
                }
            }
            // It ends when this process does, whose end of the pipe closes.
            let _ = child.wait();
        });
        Self { orders, waiting }
    }
}

/// What hlsdemux2 of 1.22 says where a film comes to its end before the player has taken its pads.
const TOO_SOON: &str = "Couldn't download fragments";

/// What a stock player makes of this URI. It is asked again where its demuxer was too quick for it.
#[track_caller]
pub fn play(player: Player, uri: &str) -> Result<Passed, String> {
    let mut result = play_once(player, uri);
    for _ in 0..3 {
        match &result {
            Err(error) if error.starts_with(TOO_SOON) => result = play_once(player, uri),
            _ => break,
        }
    }
    result
}

/// What one does the first time.
#[track_caller]
fn play_once(player: Player, uri: &str) -> Result<Passed, String> {
    static PROCESS: OnceLock<Process> = OnceLock::new();
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    let process = PROCESS.get_or_init(Process::start);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let file = scratch().join(format!("stock-{number}"));
    let (answer, answers) = mpsc::channel();
    process
        .waiting
        .lock()
        .expect("no panic")
        .insert(number, answer);
    let player = match player {
        Player::Playbin => "playbin",
        Player::Playbin3 => "playbin3",
        Player::WrittenOut => unreachable!("HLS plays in players"),
    };
    let order = format!("{number} {player} {} {uri}\n", file.display());
    let mut orders = process.orders.lock().expect("no panic");
    orders
        .write_all(order.as_bytes())
        .expect("the process reads");
    drop(orders);
    let error = answers
        .recv_timeout(2 * PATIENCE)
        .expect("the process answers");
    match error.is_empty() {
        true => {
            let text = fs::read_to_string(&file).expect("what has passed");
            Ok(Passed::from_text(&text).expect("lines"))
        }
        false => Err(error),
    }
}

#[test]
#[ignore = "the process in which stock players play"]
fn process_of_stock_players() {
    for line in std::io::stdin().lock().lines() {
        let line = line.expect("text");
        thread::spawn(move || {
            let mut words = line.splitn(4, ' ');
            let mut word = || words.next().expect("four words").to_owned();
            let [number, player, file, uri] = [word(), word(), word(), word()];
            let error = match play_here(&player, &uri) {
                Ok(passed) => {
                    fs::write(file, passed.to_text()).expect("a scratch file");
                    String::new()
                }
                Err(error) => error.replace('\n', " "),
            };
            eprintln!("{ANSWER}{number} {error}");
        });
    }
}

fn play_here(player: &str, uri: &str) -> Result<Passed, String> {
    let player = match player {
        "playbin" => Player::Playbin,
        _ => Player::Playbin3,
    };
    let pipeline = player.pipeline(Programme::Usual, uri, Pace::AtOnce);
    let tap = Tap::on(&pipeline);
    // What fails at once is on the bus too.
    let _ = pipeline.set_state(gst::State::Playing);
    let message = pipeline
        .bus()
        .expect("a pipeline has a bus")
        .timed_pop_filtered(
            gst::ClockTime::try_from(PATIENCE).expect("a minute"),
            &[gst::MessageType::Eos, gst::MessageType::Error],
        );
    let passed = tap.passed();
    let result = match message.as_ref().map(|message| message.view()) {
        None => Err("neither end nor error".to_owned()),
        Some(gst::MessageView::Error(error)) => {
            Err(format!("{} {:?}", error.error(), error.debug()))
        }
        Some(_) => Ok(passed),
    };
    let _ = pipeline.set_state(gst::State::Null);
    result
}
