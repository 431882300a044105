// SPDX-License-Identifier: MIT OR Apache-2.0

//! The same players without this plugin. Which demuxer a player takes is decided by ranks, which
//! are a process's: so these play in a process of their own, one for all tests.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use gst::prelude::*;
use support::fixtures::Programme;
use support::folders::scratch;
use support::player::{Pace, Player};

use super::tap::{Passed, Tap};

/// Longer than anything takes that ends at all.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an answer of the process begins with.
const ANSWER: &str = "answer: ";

/// Who waits for which answer, as long as the process runs.
type Waiting = Arc<Mutex<Option<HashMap<u32, Sender<String>>>>>;

/// The process: it takes a line with number, player, file and URI, and answers with the number
/// and an error, if there was one.
struct Process {
    orders: Mutex<ChildStdin>,
    waiting: Waiting,
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
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
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
                let mut known = known.lock().expect("no panic");
                let answer = known.as_mut().and_then(|known| known.remove(&number));
                if let Some(answer) = answer {
                    // The test may have failed meanwhile.
                    let _ = answer.send(error.to_owned());
                }
            }
            // Who waits is told by the end of the channel.
            known.lock().expect("no panic").take();
            // It ends when this process does, whose end of the pipe closes.
            let _ = child.wait();
        });
        Self { orders, waiting }
    }

    /// The one that runs, or a new one.
    fn running() -> Arc<Self> {
        static RUNNING: Mutex<Option<Arc<Process>>> = Mutex::new(None);
        let mut running = RUNNING.lock().expect("no panic");
        let runs = running
            .take()
            .filter(|process| process.waiting.lock().expect("no panic").is_some());
        let process = runs.unwrap_or_else(|| Arc::new(Self::start()));
        *running = Some(process.clone());
        process
    }

    /// Has it do this. Nothing, where it has ended.
    fn order(&self, number: u32, order: &str) -> Option<String> {
        let (answer, answers) = mpsc::channel();
        self.waiting
            .lock()
            .expect("no panic")
            .as_mut()?
            .insert(number, answer);
        let written = self
            .orders
            .lock()
            .expect("no panic")
            .write_all(order.as_bytes());
        written.ok()?;
        match answers.recv_timeout(2 * PATIENCE) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the stock player does not end"),
        }
    }
}

/// What hlsdemux2 of 1.22 says where a film comes to its end before the player has taken its pads.
const TOO_SOON: &str = "Couldn't download fragments";

/// What the process says that has ended: hlsdemux2 of 1.26.2 aborts now and then, in the clear too.
const ENDED: &str = "the process of the stock players has ended";

/// What a stock player makes of this URI. It is asked again where its demuxer was too quick for it,
/// or has ended the process.
#[track_caller]
pub fn play(player: Player, uri: &str) -> Result<Passed, String> {
    let mut result = play_once(player, uri);
    for _ in 0..7 {
        match &result {
            Err(error) if error.starts_with(TOO_SOON) || error == ENDED => {
                result = play_once(player, uri);
            }
            _ => break,
        }
    }
    result
}

/// What one does the first time.
#[track_caller]
fn play_once(player: Player, uri: &str) -> Result<Passed, String> {
    static NUMBERS: AtomicU32 = AtomicU32::new(0);
    let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
    let file = scratch().join(format!("stock-{number}"));
    let player = match player {
        Player::Playbin => "playbin",
        Player::Playbin3 => "playbin3",
        Player::WrittenOut => unreachable!("HLS plays in players"),
    };
    let order = format!("{number} {player} {} {uri}\n", file.display());
    let answer = Process::running().order(number, &order);
    let error = answer.ok_or(ENDED)?;
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
