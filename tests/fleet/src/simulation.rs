// SPDX-License-Identifier: MIT OR Apache-2.0

//! Time goes on from event to event.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::backoff::chance;
use crate::boxes::{Fetching, NoFetcher, Viewer, away, granted, state};
use crate::http::retry;
use crate::random;
use crate::scenarios::Scenario;
use crate::session::fetcher::TokenFetcher;
use crate::session::request::{Answer, Outcome, Step};
use crate::token::ClockReading;

/// When it begins, by clocks that are right.
const EPOCH: Duration = Duration::from_secs(1_800_000_000);

/// A service on the other side of a country.
const LATENCY: Duration = Duration::from_millis(50);

/// What a request has, with its attempts.
const TIMEOUT: Duration = Duration::from_secs(5);
const RETRIES: u32 = 2;

/// A viewer, or a player, tries again after an error.
const TRIES_AGAIN: Duration = Duration::from_secs(5);

/// As the session's task has it.
const MAX_SLEEP: Duration = Duration::from_secs(300);

/// How a player comes by its tokens.
#[derive(Clone, Copy, PartialEq)]
pub enum Policy {
    Ours { with_chance: bool },
    RequestATune,
}

/// What is going to happen to a box.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The viewer wants a channel.
    Tune,
    /// The viewer, or the player, tries again.
    Again,
    /// An attempt is made.
    Attempt,
    /// The service's answer comes.
    Answer,
    /// The session's task wakes.
    Wake,
    /// The license server is asked, and takes none of the tokens that there were.
    Revoked,
}

/// What was seen.
#[derive(Default)]
pub struct Seen {
    /// Requests a second before what the scenario is about.
    pub steady: f64,
    /// Requests in the second with the most of them, from there on.
    pub peak: u32,
    /// Requests a second in the minute with the most of them.
    pub busiest_minute: f64,
    /// From there on.
    pub requests: u64,
    /// How long a viewer waited at the most while the service was there.
    pub longest_wait: Duration,
}

/// All boxes.
pub struct Fleet<'a> {
    scenario: &'a Scenario,
    policy: Policy,
    viewers: Vec<Viewer>,
    events: BinaryHeap<Reverse<(Duration, u32, Event)>>,
    fetcher: Arc<dyn TokenFetcher>,
    start: Instant,
    seconds: Vec<u32>,
    longest_wait: Duration,
    tokens: u64,
}

impl<'a> Fleet<'a> {
    /// Plays a scenario to its end.
    pub fn play(scenario: &'a Scenario, policy: Policy, count: usize) -> Seen {
        random::begin(policy != Policy::Ours { with_chance: false });
        let end = scenario.counted.end;
        let fetcher: Arc<dyn TokenFetcher> = Arc::new(NoFetcher);
        let mut fleet = Self {
            scenario,
            policy,
            viewers: (0..count).map(|_| Viewer::new(&fetcher)).collect(),
            events: BinaryHeap::new(),
            fetcher,
            // Clocks may be set back.
            start: Instant::now() + Duration::from_secs(24 * 3600),
            seconds: vec![0; end.as_secs() as usize + 1],
            longest_wait: Duration::ZERO,
            tokens: 0,
        };
        for number in 0..count as u32 {
            let tunes = &scenario.tunes;
            let at = tunes.start + (tunes.end - tunes.start).mul_f64(random::of_the_world());
            fleet.plan(at, number, Event::Tune);
            if let Some(revocation) = &scenario.revocation {
                let within = revocation.end - revocation.start;
                let at = revocation.start + within.mul_f64(random::of_the_world());
                fleet.plan(at, number, Event::Revoked);
            }
        }
        while let Some(Reverse((at, number, event))) = fleet.events.pop() {
            if at >= end {
                break;
            }
            fleet.on(event, number, at);
        }
        fleet.seen()
    }

    fn seen(&self) -> Seen {
        let from = self.scenario.counted.start.as_secs() as usize;
        let after = &self.seconds[from..];
        // The hour before anything happens, in which each box renews its token once.
        let happens = self
            .scenario
            .outage
            .as_ref()
            .or(self.scenario.revocation.as_ref());
        let until = happens.map_or(from, |what| what.start.as_secs() as usize);
        let before = &self.seconds[until.saturating_sub(3600)..until];
        Seen {
            steady: mean(before),
            peak: after.iter().copied().max().unwrap_or_default(),
            busiest_minute: after.chunks_exact(60).map(mean).fold(0.0, f64::max),
            requests: after.iter().map(|one| u64::from(*one)).sum(),
            longest_wait: self.longest_wait,
        }
    }

    fn plan(&mut self, at: Duration, number: u32, event: Event) {
        self.events.push(Reverse((at, number, event)));
    }

    /// What a box's clocks say.
    fn clocks(&self, number: u32, at: Duration) -> ClockReading {
        let error = self.scenario.clock_error;
        let wall = match number % 2 {
            0 => EPOCH + at + error,
            _ => EPOCH + at - error,
        };
        ClockReading {
            steady: self.start + at,
            boottime: at,
            wall: SystemTime::UNIX_EPOCH + wall,
        }
    }

    fn is_away(&self, at: Duration) -> bool {
        let outage = self.scenario.outage.as_ref();
        outage.is_some_and(|outage| outage.contains(&at))
    }

    fn on(&mut self, event: Event, number: u32, at: Duration) {
        match event {
            Event::Tune => self.on_tune(number, at),
            Event::Again => {
                self.viewers[number as usize].tries_again = false;
                if self.viewers[number as usize].wanted.is_some() {
                    self.ask(number, at);
                }
            }
            Event::Attempt => self.send(number, at),
            Event::Answer => self.on_answer(number, at),
            Event::Wake => {
                let viewer = &mut self.viewers[number as usize];
                if viewer.wakes_at == Some(at) {
                    viewer.wakes_at = None;
                    self.go_on(number, at);
                }
            }
            Event::Revoked => {
                let now = self.clocks(number, at);
                let fetcher = self.fetcher.clone();
                let state = &mut self.viewers[number as usize].state;
                if let Some(token) = state.newest(&fetcher, now) {
                    state.reject(token.generation(), 403, now);
                }
                self.ask(number, at);
            }
        }
    }

    fn on_tune(&mut self, number: u32, at: Duration) {
        self.ask(number, at);
        let again = self.scenario.zap.mul_f64(2.0 * random::of_the_world());
        self.plan(at + again, number, Event::Tune);
    }

    /// The viewer wants a channel now.
    fn ask(&mut self, number: u32, at: Duration) {
        let now = self.clocks(number, at);
        let fetcher = &self.fetcher;
        let viewer = &mut self.viewers[number as usize];
        viewer.wanted.get_or_insert(at);
        if self.policy == Policy::RequestATune && viewer.fetching.is_none() {
            // Whatever it had before.
            viewer.state = state(fetcher);
        }
        match viewer.state.ask(fetcher, now) {
            Answer::Token(_) => self.on_served(number, at),
            Answer::Failed(_) => self.try_again(number, at),
            Answer::Pending { .. } => {}
        }
        self.go_on(number, at);
    }

    fn try_again(&mut self, number: u32, at: Duration) {
        let viewer = &mut self.viewers[number as usize];
        if viewer.wanted.is_some() && !std::mem::replace(&mut viewer.tries_again, true) {
            self.plan(at + TRIES_AGAIN, number, Event::Again);
        }
    }

    fn on_served(&mut self, number: u32, at: Duration) {
        let Some(wanted) = self.viewers[number as usize].wanted.take() else {
            return;
        };
        let back = self
            .scenario
            .outage
            .as_ref()
            .map_or(Duration::ZERO, |outage| outage.end);
        let could_be_served = match wanted < back && at >= back {
            true => back,
            false => wanted,
        };
        self.longest_wait = self.longest_wait.max(at - could_be_served);
    }

    /// What the session's task does.
    fn go_on(&mut self, number: u32, at: Duration) {
        let now = self.clocks(number, at);
        let viewer = &mut self.viewers[number as usize];
        viewer.state.starts_task();
        match viewer.state.next_step(now) {
            Step::Stop => {}
            Step::Wait { .. } if self.policy == Policy::RequestATune => {}
            Step::Wait { until, .. } => {
                let latest = at + MAX_SLEEP;
                let until = until.map(|until| until.saturating_duration_since(self.start));
                if let Some(until) = until.map(|until| until.min(latest).max(at)) {
                    viewer.wakes_at = Some(until);
                    self.plan(until, number, Event::Wake);
                }
            }
            Step::Fetch(_, ticket, _) => {
                viewer.fetching = Some(Fetching {
                    ticket,
                    attempts: 0,
                    began: at,
                });
                self.send(number, at);
            }
        }
    }

    fn send(&mut self, number: u32, at: Duration) {
        self.seconds[at.as_secs() as usize] += 1;
        if let Some(fetching) = &mut self.viewers[number as usize].fetching {
            fetching.attempts += 1;
        }
        let latency = match self.is_away(at) {
            true => Duration::ZERO,
            false => LATENCY,
        };
        self.plan(at + latency, number, Event::Answer);
    }

    fn on_answer(&mut self, number: u32, at: Duration) {
        let now = self.clocks(number, at);
        let is_away = self.is_away(at);
        let Some(fetching) = self.viewers[number as usize].fetching.take() else {
            return;
        };
        if is_away && self.policy != Policy::RequestATune {
            let left = TIMEOUT.saturating_sub(at - fetching.began);
            let pause = retry::pause(fetching.attempts, RETRIES, None, left, chance());
            if let Some(pause) = pause {
                self.viewers[number as usize].fetching = Some(fetching);
                self.plan(at + pause, number, Event::Attempt);
                return;
            }
        }
        let fetched = match is_away {
            true => away(),
            false => {
                self.tokens += 1;
                let lifetime = self.scenario.lifetime;
                let is_named = !self.scenario.clock_error.is_zero();
                let end = is_named.then(|| (EPOCH + at + lifetime).as_secs());
                granted(self.tokens, lifetime, end)
            }
        };
        let state = &mut self.viewers[number as usize].state;
        match state.finish(&fetching.ticket, fetched, now) {
            Outcome::Token(_) => self.on_served(number, at),
            _ => self.try_again(number, at),
        }
        self.go_on(number, at);
    }
}

fn mean(seconds: &[u32]) -> f64 {
    let sum: f64 = seconds.iter().copied().map(f64::from).sum();
    sum / seconds.len().max(1) as f64
}
