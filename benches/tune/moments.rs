// SPDX-License-Identifier: MIT OR Apache-2.0

//! How long the application waits when it stops, seeks or changes channels while something is under
//! way that does not come.

use std::time::{Duration, Instant};

use headend::{Auth, Licenses};
use support::fixtures::Programme;
use support::operator::Operator;
use support::player::Player;
use support::player_harness::{NEVER, PlayerHarness, Setup};
use support::table::{Figures, head, row};

const RUNS: usize = 10;

/// What hangs.
#[derive(Clone, Copy)]
enum Moment {
    /// Nothing: for comparison.
    Playing,
    Token,
    License,
    /// Another token, after one was refused in mid-film.
    OtherToken,
}

const MOMENTS: [(Moment, &str); 4] = [
    (Moment::Playing, "nothing (for comparison)"),
    (Moment::Token, "the token"),
    (Moment::License, "the license"),
    (Moment::OtherToken, "another token, in mid-film"),
];

/// What the application does.
#[derive(Clone, Copy)]
enum Act {
    Ready,
    Null,
    ChangeChannel,
    Seek,
}

const ACTS: [(Act, &str); 4] = [
    (Act::Ready, "to READY"),
    (Act::Null, "to NULL"),
    (Act::ChangeChannel, "change of channel"),
    (Act::Seek, "flushing seek"),
];

const PLAYERS: [(Player, &str); 3] = [
    (Player::WrittenOut, "written out"),
    (Player::Playbin, "playbin"),
    (Player::Playbin3, "playbin3"),
];

pub fn measure() {
    let title =
        format!("How long a call takes while a request hangs, ms: median of {RUNS} (least–most)");
    let acts = ACTS.map(|(_, name)| name);
    let cells = [&["player", "what hangs"][..], &acts].concat();
    head(&title, &cells);
    for (player, player_name) in PLAYERS {
        for (moment, moment_name) in MOMENTS {
            let spreads = ACTS.map(|(act, _)| {
                // No player seeks before it plays.
                if let (Act::Seek, Moment::Token | Moment::License) = (act, moment) {
                    return "–".to_owned();
                }
                let mut figures = Figures::default();
                for _ in 0..RUNS {
                    figures.add_time(time(player, moment, act));
                }
                figures.spread()
            });
            let spreads = spreads.each_ref().map(String::as_str);
            row(&[&[player_name, moment_name][..], &spreads].concat());
        }
    }
}

fn time(player: Player, moment: Moment, act: Act) -> Duration {
    let operator = Operator::start_for(Programme::Rotating);
    let harness = Setup::new(player, &operator)
        .config("timeout", NEVER)
        .in_time()
        .open();
    moment.come(&harness, &operator);
    harness.forget();
    let start = Instant::now();
    match act {
        Act::Ready => harness.stop(gst::State::Ready),
        Act::Null => harness.stop(gst::State::Null),
        Act::ChangeChannel => {
            harness.stop(gst::State::Ready);
            harness.start();
        }
        Act::Seek => harness.seek(gst::ClockTime::ZERO),
    }
    let time = start.elapsed();
    // What was begun anew comes to rest before it is stopped, see `Operator::start_for_stopping`.
    match act {
        Act::Ready | Act::Null => {}
        Act::ChangeChannel | Act::Seek => {
            operator.release();
            harness.wait_until_all_has_come(&operator);
        }
    }
    time
}

impl Moment {
    /// Plays until it has come, and everything has been downloaded that comes before.
    fn come(self, harness: &PlayerHarness, operator: &Operator) {
        match self {
            Moment::Playing => {
                harness.start();
                harness.wait_until_all_has_come(operator);
                harness.wait_for_picture(gst::ClockTime::ZERO);
            }
            Moment::Token => {
                operator.set_auth(Auth::Hang);
                harness.start();
                harness.wait_until_all_waits_for_the_token(operator);
            }
            Moment::License => {
                operator.set_licenses(Licenses::Hang);
                harness.start();
                harness.wait_until_all_waits_for_the_license(operator);
            }
            Moment::OtherToken => harness.start_and_wait_for_another_token_in_mid_film(operator),
        }
    }
}
