// SPDX-License-Identifier: MIT OR Apache-2.0

//! A box that is switched on for months: ten thousand tunes in one process, good and bad, and what
//! they leave behind.
//!
//! The tunes have a process of their own, and the head-end stays in the test's.
//!
//! `ENDURANCE_TUNES` sets another number of tunes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use headend::{AUDIO_KEY_ID, Auth, Headend, Licenses, VIDEO_KEY_ID};
use support::readings::{Readings, resident};
use support::rig::*;
use support::samples::*;
use support::subprocess;

/// Tunes, all in all.
const TUNES: usize = 10_000;

/// After so many tunes everything has happened that happens once: there are the runtime, the HTTP
/// client, as many sessions as are kept, and what GLib and the allocator keep for the next time.
const WARM_UP: usize = 2_000;

/// Tunes between two readings of threads and descriptors.
const STAGE: usize = 1_000;

/// Tunes between two readings of the memory.
const LOOK: usize = 50;

/// What the memory may grow by in a tune, in bytes. It does by less than 30.
const GROWTH: usize = 100;

/// Between two looks at something that cannot be waited for.
const TICK: Duration = Duration::from_millis(5);

const DONE: &str = "done";

const LOCATION: &str = "ENDURANCE_LOCATION";
const LICENSE_URL: &str = "ENDURANCE_LICENSE_URL";
const COUNT: &str = "ENDURANCE_TUNES";

/// What happens in a tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The token is at hand.
    AtHand,
    /// The license server refuses the token at hand, and takes the next one. The viewer logs out
    /// after it.
    Revoked,
    /// Another account: a session that no other tune has.
    OwnSession,
    /// The auth service refuses.
    Refused,
    /// The viewer goes on while the auth service hangs.
    StoppedAtToken,
    /// The viewer goes on while the license server hangs.
    StoppedAtLicense,
    /// The viewer seeks while the license server hangs.
    Flushed,
    /// The license has an end; in some tunes that comes.
    Ending,
    /// Another decryptor asks for a newer token. The viewer logs out after it.
    Rejected,
    /// Another decryptor asks for a newer token, and does not wait for it.
    Cancelled,
}

/// Again and again. Before the one with the revoked token is one that has it at hand.
const CYCLE: [Kind; 20] = [
    Kind::AtHand,
    Kind::Revoked,
    Kind::AtHand,
    Kind::OwnSession,
    Kind::AtHand,
    Kind::Refused,
    Kind::AtHand,
    Kind::StoppedAtToken,
    Kind::AtHand,
    Kind::StoppedAtLicense,
    Kind::AtHand,
    Kind::Flushed,
    Kind::AtHand,
    Kind::Ending,
    Kind::OwnSession,
    Kind::AtHand,
    Kind::Rejected,
    Kind::AtHand,
    Kind::Cancelled,
    Kind::AtHand,
];

fn kind(number: usize) -> Kind {
    CYCLE[number % CYCLE.len()]
}

/// Whether the license of a tune of that kind ends while it plays: in so few because that takes
/// half a second.
fn is_renewed(number: usize) -> bool {
    kind(number) == Kind::Ending && number % STAGE < CYCLE.len()
}

impl Kind {
    /// Whether no other tune has this one's session.
    fn is_own_session(self) -> bool {
        matches!(
            self,
            Kind::OwnSession | Kind::Refused | Kind::StoppedAtToken | Kind::Cancelled
        )
    }

    /// Token requests that it costs, with the one after a logout.
    fn token_requests(self) -> usize {
        match self {
            Kind::AtHand | Kind::StoppedAtLicense | Kind::Flushed | Kind::Ending => 0,
            Kind::OwnSession | Kind::Refused | Kind::StoppedAtToken => 1,
            Kind::Revoked | Kind::Rejected | Kind::Cancelled => 2,
        }
    }

    fn license_requests(self) -> usize {
        match self {
            Kind::Refused | Kind::StoppedAtToken => 0,
            Kind::Revoked => 2,
            _ => 1,
        }
    }
}

/// By its name, something that the head-end is to do.
type Order = (&'static str, fn(&Headend));

/// What the child can order.
const ORDERS: [Order; 12] = [
    ("revoke", Headend::revoke),
    ("refuse tokens", |headend| {
        headend.set_auth(Auth::Reply {
            status: 403,
            content_type: "text/plain".to_owned(),
            body: "no".to_owned(),
        });
    }),
    ("grant tokens", |headend| headend.set_auth(Auth::Grant)),
    ("hang tokens", |headend| headend.set_auth(Auth::Hang)),
    ("grant one token", |headend| {
        headend.set_auth(Auth::Sequence(vec![Auth::Grant, Auth::Hang]));
    }),
    ("hang licenses", |headend| {
        headend.set_licenses(Licenses::Hang);
    }),
    ("long licenses", |headend| {
        headend.set_licenses(Licenses::ServeFor(Duration::from_secs(3600)));
    }),
    ("short licenses", |headend| {
        headend.set_licenses(Licenses::ServeFor(Duration::from_secs(1)));
    }),
    ("endless licenses", |headend| {
        headend.set_licenses(Licenses::Serve);
    }),
    ("wait for token request", |headend| {
        let hangs = headend.wait_for(PATIENCE, |record| {
            let last = record.token_requests().last();
            last.is_some_and(|request| request.status.is_none())
        });
        assert!(hangs, "no token request hangs");
    }),
    ("wait for license request", |headend| {
        let hangs = headend.wait_for(PATIENCE, |record| {
            let last = record.license_requests().last();
            last.is_some_and(|request| request.status.is_none())
        });
        assert!(hangs, "no license request hangs");
    }),
    ("release", Headend::release),
];

/// In the child: has the head-end do that.
fn order(name: &str) {
    assert_eq!(subprocess::order(name), DONE);
}

fn count() -> usize {
    match std::env::var(COUNT) {
        Ok(count) => count.parse().expect("a number of tunes"),
        Err(_) => TUNES,
    }
}

#[test]
fn many_tunes_leak_no_threads_descriptors_or_memory() {
    let headend = headend(Auth::Grant);
    let mut child = subprocess::ignored_test("child_that_tunes");
    child
        .env(LOCATION, headend.auth_url())
        .env(LICENSE_URL, headend.license_url());
    let carry_out = |_, name: &str| {
        let order = ORDERS.iter().find(|(known, _)| *known == name);
        let (_, carry_out) = order.unwrap_or_else(|| panic!("no order {name}"));
        carry_out(&headend);
        DONE.to_owned()
    };
    let status = subprocess::run(&mut child, carry_out, |line| println!("{line}"));
    assert!(status.success(), "{status}");

    let kinds = || (0..count()).map(kind);
    let tokens = headend.token_requests().len();
    // The very first one, and one for each time that the common session was let go: that happens
    // where as many others have come as are kept, and the common one is in nobody's hands.
    let least = 1 + kinds().map(Kind::token_requests).sum::<usize>();
    let most = least + kinds().filter(|kind| kind.is_own_session()).count() / 60;
    assert!(
        (least..=most).contains(&tokens),
        "{tokens} token requests instead of {least} to {most}"
    );
    let licenses = headend.license_requests().len();
    let least = kinds().map(Kind::license_requests).sum::<usize>();
    // One that ends is asked for again, and on a busy machine perhaps once more.
    let ended = (0..count()).filter(|number| is_renewed(*number)).count();
    let least = least + ended;
    assert!(
        (least..=least + ended).contains(&licenses),
        "{licenses} license requests instead of {least}, and {ended} more at the most"
    );
}

#[test]
#[ignore = "needs a head-end, which `many_tunes_leak_no_threads_descriptors_or_memory` has"]
fn child_that_tunes() {
    let least = WARM_UP + STAGE;
    assert!(count() > least, "{COUNT} has to be more than {least}");
    init();
    let mut player = Player::new();
    let before = Readings::now();
    eprintln!("before the first tune: {before}");
    let mut warm = None;
    // The least of each stage: what a tune in that moment needs is none of it.
    let mut memory = BTreeMap::<usize, u64>::new();
    for number in 0..count() {
        player.tune(number);
        let done = number + 1;
        if done % LOOK == 0 {
            let least = memory.entry(number / STAGE).or_insert(u64::MAX);
            *least = (*least).min(resident());
        }
        if done % STAGE != 0 {
            continue;
        }
        player.put_away();
        let readings = settled(&before);
        eprintln!("after {done} tunes: {readings}");
        if done == WARM_UP {
            warm = Some(readings);
        } else if let Some(warm) = &warm {
            assert_eq!(
                readings.without_sockets(),
                warm.without_sockets(),
                "descriptors"
            );
            assert_eq!(readings.threads, warm.threads, "threads");
        }
    }
    eprintln!("least memory in use, KiB, by stage: {memory:?}");
    let stages = memory.len();
    let (first, last) = (WARM_UP / STAGE, stages - 1);
    let grown = memory[&last].saturating_sub(memory[&first]);
    let tunes = first * STAGE..last * STAGE;
    let bound = (tunes.len() * GROWTH / 1024) as u64;
    assert!(grown <= bound, "{grown} KiB more, {bound} at the most");
}

/// What there is once all has gone that is on its way out: what there was `before`, and the
/// runtime's one thread and own descriptors.
fn settled(before: &Readings) -> Readings {
    let mut expected = before.threads.clone();
    *expected.entry("session-token".to_owned()).or_default() += 1;
    Readings::settled(|now| now.threads == expected && now.has_no_more_sockets(before))
}

/// What the viewer has.
struct Player {
    location: String,
    license_url: String,
    chain: Option<Chain>,
    licenses: usize,
}

impl Player {
    fn new() -> Self {
        let variable = |name| std::env::var(name).expect("the test says it");
        Self {
            location: variable(LOCATION),
            license_url: variable(LICENSE_URL),
            chain: None,
            licenses: 0,
        }
    }

    /// Lets go of all elements.
    fn put_away(&mut self) {
        self.chain = None;
    }

    /// The keys to ask for, others than in the tune before: two tunes that want the same ones may
    /// share their license where the second one comes while the first one's request is being tidied
    /// up.
    fn key_ids(&mut self) -> &'static [&'static str] {
        self.licenses += 1;
        match self.licenses % 2 {
            0 => &[VIDEO_KEY_ID],
            _ => &[AUDIO_KEY_ID, VIDEO_KEY_ID],
        }
    }

    fn tune(&mut self, number: usize) {
        let kind = kind(number);
        // Every third tune is one with new elements, and every other one of the rest begins in
        // READY.
        if number.is_multiple_of(3) {
            self.put_away();
        }
        let key_ids = match kind {
            Kind::Refused | Kind::StoppedAtToken => &[VIDEO_KEY_ID][..],
            Kind::StoppedAtLicense => &[AUDIO_KEY_ID],
            _ => self.key_ids(),
        };
        let location = match kind.is_own_session() {
            true => format!("{}?account={number}", self.location),
            false => self.location.clone(),
        };
        let chain = self
            .chain
            .get_or_insert_with(|| Chain::new(&self.license_url));
        chain.begin(&location, || prepare(number), key_ids);
        match kind {
            Kind::AtHand | Kind::OwnSession => {
                chain.push(picture());
                chain.ends_after(1);
            }
            Kind::Revoked => {
                chain.push(picture());
                chain.push(picture());
                let told = chain.ends_after(2);
                assert!(told.contains(&"rejected".to_owned()), "{told:?}");
                chain.log_out();
            }
            Kind::Refused => {
                chain.is_refused();
                order("grant tokens");
            }
            Kind::StoppedAtToken => {
                chain.push(picture());
                order("wait for token request");
            }
            Kind::StoppedAtLicense => {
                chain.push(sound());
                order("wait for license request");
            }
            Kind::Flushed => {
                chain.push(picture());
                order("wait for license request");
                chain.flush();
                chain.push(picture());
                order("release");
                chain.ends_after(1);
            }
            Kind::Ending => {
                chain.push(picture());
                let extra = match is_renewed(number) {
                    true => chain.plays_until_renewed(),
                    false => 0,
                };
                chain.ends_after(1 + extra);
                order("endless licenses");
            }
            Kind::Rejected => {
                chain.push(picture());
                chain.wait_for(1);
                let store = store(&chain.decryptor_pad());
                let old = store.property::<Option<String>>("session-token");
                let generation = store.property::<u32>("generation");
                order("revoke");
                let new = reject(&store, generation);
                assert!(new.is_some() && new != old, "another token");
                chain.push(picture());
                chain.ends_after(2);
                chain.log_out();
            }
            Kind::Cancelled => {
                chain.push(picture());
                chain.wait_for(1);
                let pad = chain.decryptor_pad();
                let generation = store(&pad).property::<u32>("generation");
                let new = thread::scope(|scope| {
                    let waits = scope.spawn(|| reject(&store(&pad), generation));
                    order("wait for token request");
                    store(&pad).emit_by_name::<()>("set-flushing", &[&true]);
                    waits.join().expect("an answer")
                });
                store(&pad).emit_by_name::<()>("set-flushing", &[&false]);
                assert_eq!(new, None);
                chain.push(picture());
                chain.ends_after(2);
            }
        }
        chain.stop(match number % 2 {
            0 => gst::State::Null,
            _ => gst::State::Ready,
        });
        match kind {
            Kind::StoppedAtToken | Kind::StoppedAtLicense | Kind::Cancelled => order("release"),
            _ => {}
        }
    }
}

/// Has the head-end do what the tune of that number is about.
fn prepare(number: usize) {
    match kind(number) {
        Kind::AtHand | Kind::OwnSession | Kind::Rejected => {}
        Kind::Revoked => order("revoke"),
        Kind::Refused => order("refuse tokens"),
        Kind::StoppedAtToken => order("hang tokens"),
        Kind::StoppedAtLicense | Kind::Flushed => order("hang licenses"),
        Kind::Ending if is_renewed(number) => order("short licenses"),
        Kind::Ending => order("long licenses"),
        Kind::Cancelled => order("grant one token"),
    }
}

/// The store of tokens, as a decryptor finds it.
fn store(pad: &gst::Pad) -> glib::Object {
    let mut query = gst::query::Context::new("drm-session-token");
    assert!(pad.peer_query(query.query_mut()), "nobody answers");
    let context = query.context_owned().expect("an answer");
    context.structure().get("store").expect("a store")
}

fn reject(store: &glib::Object, generation: u32) -> Option<String> {
    let request = store.emit_by_name::<Option<gst::Structure>>("reject", &[&generation, &403_u32]);
    request.map(|request| request.get("session-token").expect("a token"))
}

/// A pipeline, and the pad of a demuxer before it.
struct Chain {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    upstream: gst::Pad,
    token: gst::Element,
    decryptor: gst::Element,
    /// Samples that came to the sink in the clear.
    clear: Arc<AtomicUsize>,
}

impl Chain {
    fn new(license_url: &str) -> Self {
        let build = |builder: gst::element_factory::ElementBuilder<'_>| builder.build();
        let token = build(make("sessiontoken").property("timeout", NO_HURRY));
        let token = token.expect("an element");
        let decryptor = make("clearkeydec")
            // Each tune asks, as if for another channel.
            .property("keep-licenses", false)
            .property("license-url", license_url)
            .property("timeout", NO_HURRY);
        let decryptor = build(decryptor).expect("an element");
        let sink = build(make("fakesink")).expect("an element");
        let pipeline = gst::Pipeline::new();
        let elements = [&token, &decryptor, &sink];
        pipeline.add_many(elements).expect("they are new");
        gst::Element::link_many(elements).expect("they fit");
        let upstream = gst::Pad::builder(gst::PadDirection::Src).build();
        let first = token.static_pad("sink").expect("a sink pad");
        upstream.link(&first).expect("they fit");
        let clear = Arc::new(AtomicUsize::new(0));
        let last = sink.static_pad("sink").expect("a sink pad");
        last.add_probe(gst::PadProbeType::BUFFER, {
            let clear = clear.clone();
            move |_, info| {
                let plays = info
                    .buffer()
                    .is_some_and(|buffer| contents(buffer) == PLAINTEXT);
                clear.fetch_add(usize::from(plays), Ordering::SeqCst);
                gst::PadProbeReturn::Ok
            }
        });
        Self {
            bus: pipeline.bus().expect("a pipeline has one"),
            pipeline,
            upstream,
            token,
            decryptor,
            clear,
        }
    }

    /// Tunes in, as far as the first sample.
    fn begin(&self, location: &str, prepare: impl FnOnce(), key_ids: &[&str]) {
        self.token.set_property("location", location);
        prepare();
        self.clear.store(0, Ordering::SeqCst);
        self.upstream.set_active(true).expect("nothing is pushed");
        // The sink waits for the first sample.
        let changed = self.pipeline.set_state(gst::State::Playing);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Async));
        let events = [
            stream_start(),
            caps_event(),
            event(COMMON_SYSTEM, "isobmff/moov", pssh(key_ids)),
            segment(),
        ];
        for event in events {
            // Where the token is refused at once the later ones are.
            let _ = self.upstream.push_event(event);
        }
    }

    fn push(&self, buffer: gst::Buffer) {
        let pushed = self.upstream.push(buffer);
        assert_eq!(pushed, Ok(gst::FlowSuccess::Ok), "{:#?}", told(&self.bus));
    }

    /// Ends the stream, and expects that so many samples have played. Says what the application was
    /// told.
    fn ends_after(&self, samples: usize) -> Vec<String> {
        assert!(self.upstream.push_event(gst::event::Eos::new()));
        let mut told = Vec::new();
        loop {
            let kinds = [
                gst::MessageType::Eos,
                gst::MessageType::Error,
                gst::MessageType::Warning,
                gst::MessageType::Element,
            ];
            let patience = gst::ClockTime::try_from(PATIENCE).expect("a time");
            let message = self.bus.timed_pop_filtered(patience, &kinds);
            let message = message.expect("the end of the stream");
            match message.view() {
                gst::MessageView::Eos(_) => break,
                gst::MessageView::Element(element) => {
                    let structure = element.structure().expect("these have one");
                    told.push(structure.get::<String>("state").expect("a word"));
                }
                view => panic!("{view:?}"),
            }
        }
        assert_eq!(self.clear.load(Ordering::SeqCst), samples);
        told
    }

    /// Waits until so many samples have played.
    fn wait_for(&self, samples: usize) {
        let begun = Instant::now();
        while self.clear.load(Ordering::SeqCst) < samples {
            assert!(begun.elapsed() < PATIENCE, "{:#?}", told(&self.bus));
            thread::yield_now();
        }
    }

    /// Plays on until the license was renewed. Says how many samples that took.
    fn plays_until_renewed(&self) -> usize {
        let begun = Instant::now();
        let mut samples = 0;
        loop {
            let pause = gst::ClockTime::try_from(TICK).expect("a time");
            let message = self
                .bus
                .timed_pop_filtered(pause, &[gst::MessageType::Element]);
            let structure = message.as_ref().and_then(|message| message.structure());
            if structure.is_some_and(|structure| structure.get("state") == Ok("renewed")) {
                return samples;
            }
            assert!(begun.elapsed() < PATIENCE, "it was never renewed");
            self.push(picture());
            samples += 1;
        }
    }

    /// Expects the error of an auth service that refuses.
    fn is_refused(&self) {
        assert!(!self.upstream.push_event(gst::event::Eos::new()));
        let error = message(&self.bus, gst::MessageType::Error);
        Complaint::of(&error).is(gst::ResourceError::NotAuthorized);
    }

    fn flush(&self) {
        let events = [
            gst::event::FlushStart::new(),
            gst::event::FlushStop::new(true),
            segment(),
        ];
        for event in events {
            assert!(self.upstream.push_event(event));
        }
    }

    /// Where a decryptor looks for the store of tokens.
    fn decryptor_pad(&self) -> gst::Pad {
        self.decryptor.static_pad("sink").expect("a sink pad")
    }

    fn log_out(&self) {
        self.token.emit_by_name::<()>("clear-token", &[]);
    }

    fn stop(&self, state: gst::State) {
        let changed = self.pipeline.set_state(state);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Success), "{state:?}");
        self.upstream.set_active(false).expect("nothing is pushed");
        // One that has not left READY keeps what it was told.
        told(&self.bus);
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // It may be in the middle of a tune where the test fails.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
