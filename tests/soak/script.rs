// SPDX-License-Identifier: MIT OR Apache-2.0

//! What happens, in random order from a seed, and what must come of it. Nothing here knows the
//! time, so a seed says the same again.
//!
//! All steps of the [`Account::Common`] go on with one session. A step after which it would have no
//! token, or one that the license server has refused, ends with a tune in which it comes by
//! another. So all that is to be known of what went before is how many tokens it has had. The
//! others have accounts of their own, as failures are remembered for a while; as often as the
//! servers are restarted the common session is not the one that nobody has used for longest.

use std::ops::Range;

use headend::Auth;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use support::fixtures::Programme;
use support::operator::granting;
use support::player::Player;
use support::reference::SEGMENTS;

const PLAYERS: [Player; 3] = [Player::Playbin, Player::Playbin3, Player::WrittenOut];

/// What every player plays.
const DASH: [Programme; 4] = [
    Programme::Usual,
    Programme::Cbcs,
    Programme::Rotating,
    Programme::Periods,
];

/// What the demuxer of ours plays, in the players that choose one.
const HLS: [Programme; 4] = [
    Programme::HlsCenc,
    Programme::HlsCbcs,
    Programme::HlsPictureAlone,
    Programme::HlsWithoutBoxes,
];

/// How a license server says that a token is not good any more.
const REFUSALS: [u16; 3] = [401, 403, 412];

/// What may happen, beside a restart of the servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    AtHand,
    FirstTune,
    KeyTags,
    Rotation,
    Seeks,
    OtherChannel,
    TokenRefused,
    TokenRefusedInMidFilm,
    NoToken,
    TokenAtTheSecondTry,
    TokenLate,
    NoLicense,
    GivenUp,
    StoppedAtToken,
    StoppedAtLicense,
    LoggedOut,
    SideBySide,
    RenewedAhead,
}

impl Kind {
    pub const ALL: [Kind; 18] = [
        Kind::AtHand,
        Kind::FirstTune,
        Kind::KeyTags,
        Kind::Rotation,
        Kind::Seeks,
        Kind::OtherChannel,
        Kind::TokenRefused,
        Kind::TokenRefusedInMidFilm,
        Kind::NoToken,
        Kind::TokenAtTheSecondTry,
        Kind::TokenLate,
        Kind::NoLicense,
        Kind::GivenUp,
        Kind::StoppedAtToken,
        Kind::StoppedAtLicense,
        Kind::LoggedOut,
        Kind::SideBySide,
        Kind::RenewedAhead,
    ];

    /// What it is like this time.
    fn act(self) -> BoxedStrategy<Act> {
        let dash = || select(&DASH[..]);
        let refusal = || select(&REFUSALS[..]);
        match self {
            Kind::AtHand => select(&DASH[..2]).prop_map(Act::Tune).boxed(),
            Kind::FirstTune => dash().prop_map(Act::FirstTune).boxed(),
            Kind::KeyTags => select(&HLS[..]).prop_map(Act::Tune).boxed(),
            Kind::Rotation => select(&DASH[2..]).prop_map(Act::Tune).boxed(),
            Kind::Seeks => seeks().prop_map(Act::Seek).boxed(),
            Kind::OtherChannel => (select(&DASH[..2]), select(&DASH[..2]))
                .prop_map(|(from, to)| Act::OtherChannel { from, to })
                .boxed(),
            Kind::TokenRefused => refusal().prop_map(Act::TokenRefused).boxed(),
            Kind::TokenRefusedInMidFilm => (
                refusal(),
                select(&[Then::GoesOn, Then::Seeks, Then::Stops][..]),
            )
                .prop_map(|(status, then)| Act::TokenRefusedInMidFilm { status, then })
                .boxed(),
            Kind::NoToken => select(&[401, 403, 500, 503][..])
                .prop_map(Act::NoToken)
                .boxed(),
            Kind::TokenAtTheSecondTry => select(failures()).prop_map(Act::TokenAfter).boxed(),
            Kind::TokenLate => Just(Act::TokenLate).boxed(),
            Kind::NoLicense => select(&[404, 500][..]).prop_map(Act::NoLicense).boxed(),
            Kind::GivenUp => Just(Act::GivenUp).boxed(),
            Kind::StoppedAtToken => (any::<bool>(), any::<bool>())
                .prop_map(|(at_null, and_again)| Act::StopAtToken { at_null, and_again })
                .boxed(),
            Kind::StoppedAtLicense => any::<bool>()
                .prop_map(|at_null| Act::StopAtLicense { at_null })
                .boxed(),
            Kind::LoggedOut => Just(Act::LogOut).boxed(),
            Kind::SideBySide => select(&PLAYERS[..]).prop_map(Act::SideBySide).boxed(),
            Kind::RenewedAhead => Just(Act::RenewedAhead).boxed(),
        }
    }

    fn players(self) -> &'static [Player] {
        match self {
            Kind::KeyTags => &PLAYERS[..2],
            _ => &PLAYERS,
        }
    }
}

/// Places in the film, in milliseconds, away from where segments begin: there, sound and picture
/// differ.
fn seeks() -> impl Strategy<Value = Vec<u64>> {
    let place = (0..SEGMENTS as u64, 300..1700_u64).prop_map(|(segment, ms)| segment * 2000 + ms);
    vec(place, 1..3)
}

/// How an auth service can fail so that it is asked once more.
fn failures() -> Vec<Auth> {
    let status = |status| Auth::Reply {
        status,
        content_type: "text/plain".to_owned(),
        body: "later".to_owned(),
    };
    vec![status(500), status(503), Auth::CloseAtOnce, Auth::BreakOff]
}

/// What happens in a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// The token is at hand.
    Tune(Programme),
    /// By a new account.
    FirstTune(Programme),
    /// To these places, one after the other.
    Seek(Vec<u64>),
    /// The same player goes on to another programme.
    OtherChannel { from: Programme, to: Programme },
    /// At the first license.
    TokenRefused(u16),
    /// At the second key of the film. The viewer logs out after it, and in again.
    TokenRefusedInMidFilm { status: u16, then: Then },
    /// The auth service answers so each time.
    NoToken(u16),
    /// The auth service fails so at first.
    TokenAfter(Auth),
    /// The auth service hangs for a while.
    TokenLate,
    /// For the second key of the film; the license server answers so each time.
    NoLicense(u16),
    /// The license server refuses the token, and the auth service has no other.
    GivenUp,
    /// While the auth service hangs, to NULL or to READY. Perhaps the viewer comes back while it
    /// still does.
    StopAtToken { at_null: bool, and_again: bool },
    /// While the license server hangs.
    StopAtLicense { at_null: bool },
    /// And in again.
    LogOut,
    /// With another player, of the same film.
    SideBySide(Player),
    /// The token ends soon; there is another one before that.
    RenewedAhead,
    /// The operator's servers, which know no token of before. The viewer logs out after it, and in
    /// again.
    Restart,
}

/// What the viewer does while another token is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    GoesOn,
    Seeks,
    Stops,
}

/// Whose session it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Account {
    Common,
    Own,
}

/// What must come of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// What left the decryptors, and how it ended.
    pub end: End,
    /// How each token request was answered, in their order.
    pub tokens: Vec<Option<u16>>,
    /// How each license request was answered.
    pub licenses: Vec<Option<u16>>,
    /// Which tokens came to the decryptors.
    pub generations: Vec<u32>,
}

/// How a step ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// All of the film was played to its end.
    Whole,
    /// After the last seek, the film was from this segment on.
    From(usize),
    /// These segments were decrypted, and then the application was told of this.
    Failure(Range<usize>, Failure),
    /// These segments were when the viewer stopped.
    Stopped(Range<usize>),
}

/// An error as the application gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The element that it is from.
    pub from: &'static str,
    pub reason: &'static str,
    pub http_status: u16,
}

/// One thing that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub number: usize,
    pub player: Player,
    pub account: Account,
    pub act: Act,
    pub outcome: Outcome,
}

/// All that happens, from the moment in which the box is switched on. It never ends.
pub struct Script {
    chance: TestRunner,
    /// What is still to come of the round in which each kind comes once.
    round: Vec<Kind>,
    number: usize,
    /// Tokens that the common session has had.
    generation: u32,
}

/// The servers are restarted in each step whose number is a multiple of this.
const RESTART: usize = 10;

/// The first restart when each kind has come once.
pub const ROUND: usize = 2 * RESTART;
const _: () = assert!(2 * (RESTART - 1) == Kind::ALL.len());

impl Script {
    pub fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        let mut script = Self {
            chance: TestRunner::new_with_rng(Config::default(), rng),
            round: Vec::new(),
            number: 0,
            generation: 0,
        };
        script.round = script.draw(&Just(Kind::ALL.to_vec()).prop_shuffle());
        script
    }

    fn draw<T: std::fmt::Debug>(&mut self, strategy: &impl Strategy<Value = T>) -> T {
        let drawn = strategy.new_tree(&mut self.chance);
        drawn.expect("no strategy rejects").current()
    }

    /// The first tune of all, in which the common session comes by its token.
    fn switch_on(&mut self) -> Step {
        let player = self.draw(&select(&PLAYERS[..]));
        let mut step = self.step(player, Act::Tune(Programme::Usual));
        step.outcome.tokens = vec![Some(200)];
        step.outcome.generations = vec![1];
        self.generation = 1;
        step
    }

    fn step(&mut self, player: Player, act: Act) -> Step {
        let (account, outcome) = self.outcome(&act);
        let number = self.number;
        self.number += 1;
        Step {
            number,
            player,
            account,
            act,
            outcome,
        }
    }

    /// Counts the tokens of the common session.
    fn outcome(&mut self, act: &Act) -> (Account, Outcome) {
        use Account::{Common, Own};

        let now = self.generation;
        let whole = |account, tokens: &[u16], licenses: &[u16], generations: &[u32]| {
            (account, outcome(End::Whole, tokens, licenses, generations))
        };
        match act {
            Act::Tune(programme) => whole(Common, &[], &granted(*programme), &[now]),
            Act::FirstTune(programme) => whole(Own, &[200], &granted(*programme), &[1]),
            Act::Seek(to) => {
                let last = *to.last().expect("one at the least") as usize;
                let end = End::From(last / 2000);
                (Common, outcome(end, &[], &[200], &[now]))
            }
            Act::OtherChannel { from, to } => {
                let licenses = [granted(*from), granted(*to)].concat();
                whole(Common, &[], &licenses, &[now])
            }
            Act::TokenRefused(status) => whole(Own, &[200, 200], &[*status, 200], &[1, 2]),
            Act::TokenRefusedInMidFilm { status, then } => {
                if *then == Then::Stops {
                    self.generation += 1;
                    let end = End::Stopped(0..1);
                    let licenses = [200, *status, 200];
                    let mut expected = outcome(end, &[200, 200], &licenses, &[now, now + 1]);
                    // The logout drops it.
                    expected.tokens[0] = None;
                    return (Common, expected);
                }
                self.generation += 2;
                let licenses = match then {
                    // What the film names again is asked for with the key that was refused.
                    Then::Seeks => &[200, *status, 200, 200][..],
                    _ => &[200, *status, 200, 200, 200],
                };
                let generations = [now, now + 1, now + 2];
                whole(Common, &[200, 200], licenses, &generations)
            }
            Act::NoToken(status) => {
                let failure = Failure {
                    from: "sessiontoken",
                    reason: if *status < 500 { "denied" } else { "transient" },
                    http_status: *status,
                };
                let end = End::Failure(0..0, failure);
                (Own, outcome(end, &tries(*status), &[], &[]))
            }
            Act::TokenAfter(failure) => {
                let (account, mut expected) = whole(Own, &[200], &[200], &[1]);
                let first = match failure {
                    Auth::Reply { status, .. } => Some(*status),
                    Auth::BreakOff => Some(200),
                    _ => None,
                };
                expected.tokens.insert(0, first);
                (account, expected)
            }
            Act::TokenLate => whole(Own, &[200], &[200], &[1]),
            Act::NoLicense(status) => {
                let failure = Failure {
                    from: "clearkeydec",
                    reason: if *status < 500 {
                        "malformed"
                    } else {
                        "transient"
                    },
                    http_status: *status,
                };
                let licenses = [&[200], &tries(*status)[..]].concat();
                let end = End::Failure(0..1, failure);
                (Common, outcome(end, &[], &licenses, &[now]))
            }
            Act::GivenUp => {
                let failure = Failure {
                    from: "clearkeydec",
                    reason: "denied",
                    http_status: 403,
                };
                let end = End::Failure(0..0, failure);
                (Own, outcome(end, &[200, 200], &[403], &[1]))
            }
            Act::StopAtToken { and_again, .. } => match and_again {
                true => whole(Own, &[200], &[200], &[1]),
                false => (Own, outcome(End::Stopped(0..0), &[200], &[], &[])),
            },
            Act::StopAtLicense { .. } => (Common, outcome(End::Stopped(0..0), &[], &[200], &[now])),
            Act::LogOut => {
                self.generation += 1;
                whole(Common, &[200], &[200, 200], &[now, now + 1])
            }
            Act::SideBySide(_) => whole(Common, &[], &[200], &[now]),
            Act::RenewedAhead => whole(Own, &[200, 200], &[200], &[1, 2]),
            Act::Restart => {
                self.generation += 2;
                let generations = [now, now + 1, now + 2];
                whole(Common, &[200, 200], &[403, 200, 200], &generations)
            }
        }
    }
}

fn outcome(end: End, tokens: &[u16], licenses: &[u16], generations: &[u32]) -> Outcome {
    let answered = |statuses: &[u16]| statuses.iter().copied().map(Some).collect();
    Outcome {
        end,
        tokens: answered(tokens),
        licenses: answered(licenses),
        generations: generations.to_vec(),
    }
}

/// A license for each time that keys are named: those of picture and sound are named together, but
/// in playlists of their own.
fn granted(programme: Programme) -> Vec<u16> {
    let count = match programme {
        Programme::Rotating => headend::rotating_key_ids().len(),
        Programme::Periods | Programme::HlsWithoutBoxes => 2,
        _ => 1,
    };
    vec![200; count]
}

/// How often a service is asked that answers so: what may be better the next time is tried three
/// times.
fn tries(status: u16) -> Vec<u16> {
    let count = if status < 500 { 1 } else { 3 };
    vec![status; count]
}

impl Iterator for Script {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.number == 0 {
            return Some(self.switch_on());
        }
        if self.number.is_multiple_of(RESTART) {
            let player = self.draw(&select(&PLAYERS[..]));
            return Some(self.step(player, Act::Restart));
        }
        let kind = match self.round.pop() {
            Some(kind) => kind,
            None => self.draw(&select(&Kind::ALL[..])),
        };
        let player = self.draw(&select(kind.players()));
        let act = self.draw(&kind.act());
        // Stock players may stand still between two periods, in the clear too (docs/versions.md).
        let player = match act {
            Act::Tune(Programme::Periods) | Act::FirstTune(Programme::Periods) => {
                Player::WrittenOut
            }
            _ => player,
        };
        Some(self.step(player, act))
    }
}

/// An auth service whose first token the license server does not know.
pub fn stale_at_first(number: usize) -> Auth {
    Auth::Sequence(vec![granting(format!("stale-{number}")), Auth::Grant])
}

#[test]
fn script_repeats_with_seed_and_differs_by_seed() {
    let steps = |seed| Script::new(seed).take(500).collect::<Vec<_>>();
    assert!(steps(1) == steps(1));
    assert!(steps(1) != steps(2));
}

#[test]
fn short_soak_has_seen_everything_once() {
    for seed in 0..20 {
        let steps = Script::new(seed).skip(1).take(ROUND);
        let mut kinds: Vec<_> = steps.map(|step| discriminant(&step.act)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        // Three kinds are tunes with the token at hand; and there are restarts.
        assert_eq!(kinds.len(), Kind::ALL.len() - 2 + 1, "{kinds:?}");
    }
}

#[cfg(test)]
fn discriminant(act: &Act) -> String {
    let text = format!("{act:?}");
    let ends = |c: char| !c.is_alphanumeric();
    text.split(ends).next().unwrap_or_default().to_owned()
}

#[test]
fn common_session_has_one_token_after_the_other() {
    let mut generation = 0;
    for step in Script::new(3).take(1000) {
        if step.account == Account::Common {
            let generations = &step.outcome.generations;
            let before = generations[0];
            assert!(before == generation || step.number == 0, "{step:?}");
            let all: Vec<_> = (before..).take(generations.len()).collect();
            assert_eq!(*generations, all, "{step:?}");
            generation = *generations.last().expect("one at the least");
        }
    }
    assert!(generation > 100);
}
