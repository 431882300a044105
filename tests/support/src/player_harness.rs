// SPDX-License-Identifier: MIT OR Apache-2.0

//! A player at work, what passes inside it, and what it tells the application.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use headend::{Auth, Licenses};

use crate::fixtures::Programme;
use crate::player::{Pace, Player, decryptor};
use crate::rig::is_background;

/// How long anything may take that does happen in the end. Six seconds of media play in less than
/// one, or in six; the rest is for machines that are busy with other things.
const IN_THE_END: Duration = Duration::from_secs(60);

/// How long a call may take that waits for nobody. The servers that it must not wait for are given
/// [`NEVER`].
const AT_ONCE: Duration = Duration::from_secs(10);

/// How long a thread may take for something that it should not do at all.
const A_MOMENT: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// A `timeout` in milliseconds that no test outlives.
pub const NEVER: u32 = 600_000;

/// The head-end with what it has on, whichever process it is in.
pub trait HeadendControl {
    /// What it has on.
    fn programme(&self) -> Programme;

    /// The streams of the media.
    fn kinds(&self) -> &'static [Kind];

    /// The URL of this path.
    fn url(&self, path: &str) -> String;

    /// Where what it has on is.
    fn uri(&self) -> String;

    /// The URL of the auth service.
    fn location(&self) -> &str;

    /// What the auth service answers from now on.
    fn set_auth(&self, auth: Auth);

    /// What the license server answers from now on.
    fn set_licenses(&self, licenses: Licenses);

    /// Has the license server take none of the tokens that there are.
    fn revoke(&self);

    /// Answers the license requests that hang.
    fn release_licenses(&self);

    /// How many times the auth service has been asked.
    fn token_request_count(&self) -> usize;

    /// Waits until every request has been answered that came before.
    #[track_caller]
    fn catch_up(&self);

    /// Waits until the auth service has been asked so many times, all in all.
    #[track_caller]
    fn wait_for_token_requests(&self, count: usize);

    /// Waits until the license server has been asked so many times, all in all.
    #[track_caller]
    fn wait_for_license_requests(&self, count: usize);
}

/// How often a programme of several periods is played that stands still.
const TRIES: usize = 4;

/// What a stream holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What is seen.
    Picture,
    /// What is heard.
    Sound,
}

/// All that there are.
pub const KINDS: [Kind; 2] = [Kind::Picture, Kind::Sound];

/// Samples of a stream, in their order.
pub type Samples = Vec<Vec<u8>>;

struct Decrypted {
    decryptor: String,
    kind: Kind,
    /// The time in the stream of the first one.
    begins: Option<gst::ClockTime>,
    samples: Samples,
}

/// A protection event on a pad.
pub struct Protection {
    /// Name of the `sessiontoken` of this stream.
    pub stream: String,
    event: gst::Event,
}

impl Protection {
    /// The event itself.
    pub fn event(&self) -> &gst::event::Protection {
        match self.event.view() {
            gst::EventView::Protection(event) => event,
            _ => panic!("only protection events are kept"),
        }
    }

    /// The key request on it.
    pub fn key_request(&self) -> Option<gst::Structure> {
        let metas = self
            .event()
            .buffer()
            .iter_meta::<gst::meta::ProtectionMeta>();
        let requests: Vec<_> = metas.map(|meta| meta.info().to_owned()).collect();
        assert!(requests.len() <= 1, "more than one meta");
        requests.into_iter().next()
    }
}

/// What has been seen in a player so far.
#[derive(Default)]
pub struct Seen {
    /// What left each decryptor since it was flushed, in the order in which their streams began:
    /// one of a new period may have its key while one of the period before still waits, and playbin
    /// plays them in turn.
    decrypted: Vec<Decrypted>,
    /// Decryptors in that order.
    begun: Vec<String>,
    /// Protection events that came to the elements `sessiontoken`.
    pub came: Vec<Protection>,
    /// Protection events that reached the decryptors.
    pub reached: Vec<Protection>,
    /// How many ends of streams have come to the elements `sessiontoken` behind those.
    pub ends: usize,
    /// How many ends of streams have come to the decryptors.
    pub ends_at_decryptors: usize,
    /// How many samples have come to the elements `sessiontoken`, and to the decryptors.
    samples_came: usize,
    samples_at_decryptors: usize,
    /// How many pieces of data have come to each decryptor.
    data_at_decryptors: HashMap<String, usize>,
    /// How many serialized events have come to the elements `sessiontoken` since a flush.
    pub since_flush: Option<usize>,
    /// The time in the stream of the picture on the screen.
    pub on_screen: Option<gst::ClockTime>,
    /// How much behind its time a picture was at the most.
    pub most_late: gst::ClockTime,
}

impl Seen {
    /// What left the decryptors, in the order of the programme. Each period may have one of its
    /// own, which works ahead while the one before still plays, or begins before it does.
    pub fn decrypted(&self, kind: Kind) -> Samples {
        let of_kind = self.decrypted.iter().filter(|one| one.kind == kind);
        let mut of_kind: Vec<_> = of_kind.collect();
        of_kind.sort_by_key(|one| one.begins);
        let samples = of_kind.into_iter().map(|one| &one.samples);
        samples.flatten().cloned().collect()
    }

    /// What left the decryptor that was the last one to begin.
    pub fn last_decrypted(&self, kind: Kind) -> &[Vec<u8>] {
        let last = self.decrypted.iter().rfind(|one| one.kind == kind);
        last.map(|one| &one.samples[..]).unwrap_or_default()
    }

    /// How many samples left the decryptors.
    pub fn count(&self, kind: Kind) -> usize {
        let of_kind = self.decrypted.iter().filter(|one| one.kind == kind);
        of_kind.map(|one| one.samples.len()).sum()
    }

    /// Whether all that came to our elements has left them.
    fn is_nothing_held(&self) -> bool {
        let left: usize = KINDS.iter().map(|kind| self.count(*kind)).sum();
        self.came.len() == self.reached.len()
            && self.ends == self.ends_at_decryptors
            && [self.samples_at_decryptors, left] == [self.samples_came; 2]
    }

    /// In how many streams protection events have come.
    pub fn protected_streams(&self) -> usize {
        let streams: HashSet<_> = self.came.iter().map(|came| &came.stream).collect();
        streams.len()
    }
}

#[derive(Default)]
struct Watched {
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Watched {
    fn lock(&self) -> MutexGuard<'_, Seen> {
        // A test that fails while it looks must still be able to stop its player.
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }
}

/// An error or a warning as the application gets it.
pub struct Complaint {
    /// The factory of the element that the message is from.
    pub from: String,
    /// What is told.
    pub error: glib::Error,
    /// The details that go with it.
    pub details: Option<gst::Structure>,
}

impl fmt::Debug for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.from, self.error)
    }
}

/// How it ended, and what the application was told on the way.
#[derive(Debug)]
pub struct Ended {
    /// `None` at the end of the stream.
    pub error: Option<Complaint>,
    /// The warnings, in their order.
    pub warnings: Vec<Complaint>,
    /// The messages `session-token`, but for those that tell of the background.
    pub told: Vec<gst::Structure>,
    /// The names of the elements that they are from, in the same order.
    pub told_by: Vec<String>,
}

impl Ended {
    /// The generations that the elements told of, each once, ascending.
    pub fn generations(&self) -> Vec<u32> {
        let told = self.told.iter();
        let generations = told.filter_map(|told| told.get::<u32>("generation").ok());
        let distinct: std::collections::BTreeSet<_> = generations.collect();
        distinct.into_iter().collect()
    }

    /// Asserts that it played to the end and nobody complained.
    #[track_caller]
    pub fn assert_well(&self) {
        assert!(self.error.is_none(), "{self:?}");
        assert!(self.warnings.is_empty(), "{self:?}");
    }

    /// The error that it ended with.
    #[track_caller]
    pub fn error(&self) -> &Complaint {
        self.error.as_ref().expect("it ends with an error")
    }
}

/// A player with something to play. It is stopped when it is dropped.
///
/// A test that stops or seeks before the end waits until all has come (see
/// [`Operator::start_for_stopping`](crate::operator::Operator::start_for_stopping)).
pub struct PlayerHarness {
    player: Player,
    pipeline: gst::Pipeline,
    watched: Arc<Watched>,
}

/// What a harness is like, where it is not as usual.
pub struct Setup {
    player: Player,
    programme: Programme,
    origin: String,
    uri: String,
    pace: Pace,
    config: gst::Structure,
}

impl Setup {
    /// What this operator has on, as fast as it goes.
    pub fn new(player: Player, operator: &impl HeadendControl) -> Self {
        Self {
            player,
            programme: operator.programme(),
            origin: operator.url(""),
            uri: operator.uri(),
            pace: Pace::AtOnce,
            config: gst::Structure::builder("session-token-config")
                .field("location", operator.location())
                // Each tune is a first one, but for those that say otherwise.
                .field("keep-licenses", false)
                .build(),
        }
    }

    /// Plays this one of the usual film's manifests.
    pub fn manifest(mut self, name: &str) -> Self {
        self.uri = format!("{}/dash/cenc/{name}", self.origin);
        self
    }

    /// Plays something of one's own instead.
    pub fn uri(mut self, uri: String) -> Self {
        self.uri = uri;
        self
    }

    /// Plays each picture at its time.
    pub fn in_time(mut self) -> Self {
        self.pace = Pace::InTime;
        self
    }

    /// Sets a field of the context that configures the elements.
    pub fn config(mut self, name: &str, value: impl Into<glib::Value> + Send) -> Self {
        self.config.set(name, value);
        self
    }

    /// Has licenses outlive a tune, as they do where nobody says otherwise.
    pub fn keeping_licenses(mut self) -> Self {
        self.config.remove_field("keep-licenses");
        self
    }

    /// Leaves it to the manifest where there are tokens (`auth-service=dashif`).
    pub fn authorized_by_manifest(mut self) -> Self {
        self.config.remove_field("location");
        self.config("auth-service", "dashif")
    }

    /// Makes the player, which does not play yet.
    pub fn open(self) -> PlayerHarness {
        let pipeline = self.player.pipeline(self.programme, &self.uri, self.pace);
        // Persistent: bins forget others on the way to READY.
        let mut context = gst::Context::new("session-token-config", true);
        let fields = context.get_mut().expect("a new one").structure_mut();
        for (name, value) in self.config.iter() {
            fields.set_value(name, value.clone());
        }
        pipeline.set_context(&context);

        let watched = Arc::<Watched>::default();
        for element in pipeline.iterate_recurse() {
            watch(&element.expect("nothing changes yet"), &watched);
        }
        let later = watched.clone();
        pipeline.connect_deep_element_added(move |_, _, element| watch(element, &later));
        PlayerHarness {
            player: self.player,
            pipeline,
            watched,
        }
    }

    /// Opens it and plays it to its end.
    pub fn play(self) -> (PlayerHarness, Ended) {
        let harness = self.open();
        harness.start();
        let ended = harness.end();
        (harness, ended)
    }
}

/// Plays a programme of several periods to its end, in a player and for an operator that this
/// makes. Stock players may stand still between two periods, in the clear too (docs/versions.md).
/// Then it plays once more, as long as nothing is held by an element of ours.
#[track_caller]
pub fn play_periods<T>(make: impl Fn() -> (T, Setup)) -> (T, PlayerHarness, Ended) {
    for _ in 0..TRIES {
        let (operator, setup) = make();
        let harness = setup.open();
        harness.start();
        match harness.end_or_standstill() {
            Ok(ended) => return (operator, harness, ended),
            Err(ended) => harness.seen(|seen| {
                ended.assert_well();
                assert!(seen.is_nothing_held(), "neither end nor error: {ended:?}");
            }),
        }
    }
    panic!("it stood still {TRIES} times");
}

impl PlayerHarness {
    /// Has it play.
    pub fn start(&self) {
        // What fails at once is on the bus too.
        let _ = self.pipeline.set_state(gst::State::Playing);
    }

    /// Waits for the end of the stream or for an error.
    #[track_caller]
    pub fn end(&self) -> Ended {
        self.end_or_standstill()
            .unwrap_or_else(|ended| panic!("neither end nor error: {ended:?}"))
    }

    /// The same, or what there was by the time when it should have ended.
    fn end_or_standstill(&self) -> Result<Ended, Ended> {
        let mut ended = Ended {
            error: None,
            warnings: Vec::new(),
            told: Vec::new(),
            told_by: Vec::new(),
        };
        let deadline = Instant::now() + IN_THE_END;
        loop {
            let Some(message) = self.next_message(deadline) else {
                return Err(ended);
            };
            match message.view() {
                gst::MessageView::Eos(_) => return Ok(ended),
                gst::MessageView::Error(error) => {
                    ended.error = Some(Complaint {
                        from: factory_of(&message),
                        error: error.error(),
                        details: error.details().map(ToOwned::to_owned),
                    });
                    return Ok(ended);
                }
                gst::MessageView::Warning(warning) => ended.warnings.push(Complaint {
                    from: factory_of(&message),
                    error: warning.error(),
                    details: warning.details().map(ToOwned::to_owned),
                }),
                gst::MessageView::Element(element) => {
                    if let Some(structure) = element
                        .structure()
                        .filter(|structure| structure.name() == "session-token")
                        .filter(|structure| !is_background(structure))
                    {
                        ended.told.push(structure.to_owned());
                        let source = message.src().expect("an element tells it");
                        ended.told_by.push(source.name().to_string());
                    }
                }
                _ => {}
            }
        }
    }

    /// Waits for a warning.
    #[track_caller]
    pub fn warning(&self) -> Complaint {
        let deadline = Instant::now() + IN_THE_END;
        loop {
            let message = self.next_message(deadline).expect("a warning");
            if let gst::MessageView::Warning(warning) = message.view() {
                return Complaint {
                    from: factory_of(&message),
                    error: warning.error(),
                    details: warning.details().map(ToOwned::to_owned),
                };
            }
        }
    }

    /// Stops to READY, with every decryptor that gives up its wait for a token taking its time
    /// before it goes on to stop. Returns what the application was told of errors meanwhile; NULL
    /// would throw that away.
    #[track_caller]
    pub fn stop_slowly(&self) -> Vec<gst::Message> {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let errors = Arc::<Mutex<Vec<_>>>::default();
        let (cancelled, cancels) = mpsc::channel();
        for element in self.pipeline.iterate_recurse() {
            let element = element.expect("nothing changes any more");
            if element
                .factory()
                .is_some_and(|one| one.name() == "clearkeydec")
            {
                let (bus, errors) = (bus.clone(), errors.clone());
                let cancelled = cancelled.clone();
                // After the store's own handler, which ends the waits.
                store_before(&element).connect("set-flushing", true, move |_| {
                    // Nobody listens any more after the test.
                    let _ = cancelled.send(());
                    let error = bus.timed_pop_filtered(A_MOMENT, &[gst::MessageType::Error]);
                    errors.lock().expect("no panic").extend(error);
                    None
                });
            }
        }
        self.stop(gst::State::Ready);
        assert!(cancels.try_recv().is_ok(), "nobody has cancelled a wait");
        let mut errors = std::mem::take(&mut *errors.lock().expect("no panic"));
        errors.extend(bus.pop_filtered(&[gst::MessageType::Error]));
        errors
    }

    fn next_message(&self, deadline: Instant) -> Option<gst::Message> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.pipeline
            .bus()
            .expect("a pipeline has a bus")
            .timed_pop(gst::ClockTime::try_from(left).expect("a minute at most"))
    }

    /// Waits until what was seen in the player is as the predicate wants it.
    #[track_caller]
    pub fn wait_until(&self, what: &str, satisfied: impl Fn(&Seen) -> bool) {
        self.wait_for(IN_THE_END, what, satisfied);
    }

    /// The same, for what takes longer.
    #[track_caller]
    pub fn wait_for(&self, limit: Duration, what: &str, satisfied: impl Fn(&Seen) -> bool) {
        let timed_out = self
            .watched
            .changed
            .wait_timeout_while(self.watched.lock(), limit, |seen| !satisfied(seen))
            .unwrap_or_else(PoisonError::into_inner)
            .1
            .timed_out();
        assert!(!timed_out, "never seen: {what}");
    }

    /// Waits until everything has been downloaded that comes before a token is there.
    #[track_caller]
    pub fn wait_until_all_waits_for_the_token(&self, operator: &impl HeadendControl) {
        let ends = self.player.ends_held(operator.kinds().len());
        self.wait_until("the end of what is held for a token", |seen| {
            seen.ends == ends
        });
        operator.catch_up();
    }

    /// Waits until everything has been downloaded that comes before a license is there.
    #[track_caller]
    pub fn wait_until_all_waits_for_the_license(&self, operator: &impl HeadendControl) {
        let ends = self.player.ends_held(operator.kinds().len());
        self.wait_until("the end of what is held for a license", |seen| {
            seen.ends_at_decryptors == ends
        });
        operator.catch_up();
    }

    /// Waits until every stream has come to its decryptor, which holds it and wants a license. The
    /// decryptor has dealt with the first piece of data when the second one comes.
    #[track_caller]
    pub fn wait_until_every_stream_waits_for_the_license(&self, operator: &impl HeadendControl) {
        let streams = operator.kinds().len();
        self.wait_until(
            "data of every stream behind data that needs a license",
            |seen| {
                let counts = seen.data_at_decryptors.values();
                counts.filter(|count| **count > 1).count() == streams
            },
        );
    }

    /// Waits until there is no room for what has come, where nothing but one event may be held.
    #[track_caller]
    pub fn wait_until_there_is_no_room(&self, operator: &impl HeadendControl) {
        self.wait_until("a protection event and another one behind it", |seen| {
            seen.came.len() > 1
        });
        operator.catch_up();
    }

    /// The same after a flush. It leaves the event that is held, so that there is no room for any
    /// other.
    #[track_caller]
    pub fn wait_until_there_is_no_room_after_the_flush(&self, operator: &impl HeadendControl) {
        self.wait_until("a flush and an event behind it", |seen| {
            seen.since_flush.is_some_and(|events| events > 0)
        });
        operator.catch_up();
    }

    /// Plays the programme whose keys change until the second key is refused, and everything behind
    /// the first fragment waits for another token, which does not come.
    #[track_caller]
    pub fn start_and_wait_for_another_token_in_mid_film(&self, operator: &impl HeadendControl) {
        operator.set_licenses(Licenses::Hang);
        self.start();
        operator.wait_for_license_requests(1);
        let asked = operator.token_request_count();
        operator.revoke();
        operator.set_auth(Auth::Hang);
        operator.release_licenses();
        operator.wait_for_token_requests(asked + 1);
        self.wait_until_all_waits_for_the_token(operator);
        // No player seeks before it plays.
        self.wait_for_picture(gst::ClockTime::ZERO);
    }

    /// Waits until everything has been downloaded, and nothing is held.
    #[track_caller]
    pub fn wait_until_all_has_come(&self, operator: &impl HeadendControl) {
        let streams = operator.kinds().len();
        self.wait_until("the ends of all streams", |seen| {
            seen.ends_at_decryptors == streams
        });
        operator.catch_up();
    }

    /// Waits until the picture of this time is on the screen.
    #[track_caller]
    pub fn wait_for_picture(&self, time: gst::ClockTime) {
        self.wait_until("a picture on the screen", |seen| {
            seen.on_screen.is_some_and(|on_screen| on_screen >= time)
        });
    }

    /// Looks at what was seen so far.
    pub fn seen<R>(&self, look: impl FnOnce(&Seen) -> R) -> R {
        look(&self.watched.lock())
    }

    /// Forgets what was seen so far.
    pub fn forget(&self) {
        *self.watched.lock() = Seen::default();
    }

    /// The player itself.
    pub fn pipeline(&self) -> &gst::Pipeline {
        &self.pipeline
    }

    /// The first element of that factory.
    pub fn element(&self, factory: &str) -> Option<gst::Element> {
        self.elements(factory).into_iter().next()
    }

    /// The elements of that factory.
    pub fn elements(&self, factory: &str) -> Vec<gst::Element> {
        let elements = self.pipeline.iterate_recurse().into_iter();
        let elements = elements.filter_map(Result::ok);
        let is_one =
            |one: &gst::Element| one.factory().is_some_and(|known| known.name() == factory);
        elements.filter(is_one).collect()
    }

    /// Has this done to the element of that factory when the player plugs it.
    pub fn on_new(
        &self,
        factory: &'static str,
        change: impl Fn(&gst::Element) + Send + Sync + 'static,
    ) {
        self.pipeline
            .connect_deep_element_added(move |_, _, element| {
                if element
                    .factory()
                    .is_some_and(|known| known.name() == factory)
                {
                    change(element);
                }
            });
    }

    /// Has this done to the player's source before it begins.
    pub fn on_source(&self, change: impl Fn(&gst::Element) + Send + Sync + 'static) {
        self.pipeline.connect("source-setup", false, move |values| {
            change(&values[1].get().expect("the signal's source"));
            None
        });
    }

    /// Chooses streams of those that the player has told of.
    #[track_caller]
    pub fn select(&self, is_wanted: impl Fn(&gst::Stream) -> bool) {
        let bus = self.pipeline.bus().expect("a pipeline has a bus");
        let collections =
            std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::StreamCollection]));
        let newest = collections.last().expect("a collection of streams");
        let collection = match newest.view() {
            gst::MessageView::StreamCollection(message) => message.stream_collection(),
            _ => panic!("only collections come through"),
        };
        let wanted = collection.iter().filter(|stream| is_wanted(stream));
        let ids: Vec<_> = wanted.filter_map(|stream| stream.stream_id()).collect();
        let ids: Vec<_> = ids.iter().map(|id| id.as_str()).collect();
        assert!(ids.len() > 1, "{ids:?}");
        let event = gst::event::SelectStreams::new(ids);
        assert!(
            self.pipeline.send_event(event),
            "the player takes no choice"
        );
    }

    /// A flushing seek to a key picture, which must return at once.
    #[track_caller]
    pub fn seek(&self, to: gst::ClockTime) {
        let pipeline = self.pipeline.clone();
        at_once("a flushing seek", move || {
            pipeline
                .seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT, to)
                .expect("the player can seek");
        });
    }

    /// Goes down to READY or NULL, which must return at once.
    #[track_caller]
    pub fn stop(&self, state: gst::State) {
        let pipeline = self.pipeline.clone();
        at_once("stopping", move || {
            pipeline.set_state(state).expect("stopping never fails");
        });
    }
}

impl Drop for PlayerHarness {
    fn drop(&mut self) {
        if thread::panicking() {
            // If it hangs the test has failed already: it is left alone.
            let pipeline = self.pipeline.clone();
            thread::spawn(move || pipeline.set_state(gst::State::Null));
        } else {
            self.stop(gst::State::Null);
        }
    }
}

/// The store of tokens that a decryptor finds.
pub fn store_before(decryptor: &gst::Element) -> glib::Object {
    let sink = decryptor.static_pad("sink").expect("a sink pad");
    let mut query = gst::query::Context::new("drm-session-token");
    assert!(sink.peer_query(query.query_mut()), "there is no store");
    let context = query.context_owned().expect("a context");
    context.structure().get("store").expect("a store")
}

fn factory_of(message: &gst::Message) -> String {
    message
        .src()
        .and_then(|source| source.downcast_ref::<gst::Element>())
        .and_then(gst::Element::factory)
        .map(|factory| factory.name().to_string())
        .unwrap_or_default()
}

/// Makes a call that must not wait for anybody.
#[track_caller]
pub fn at_once<R: Send + 'static>(what: &str, call: impl FnOnce() -> R + Send + 'static) -> R {
    let (returned, returns) = mpsc::channel();
    thread::spawn(move || returned.send(call()));
    match returns.recv_timeout(AT_ONCE) {
        Ok(value) => value,
        Err(error) => panic!("{what} did not return: {error}"),
    }
}

/// The samples that pass a probe.
pub fn bytes_of(info: &gst::PadProbeInfo) -> Samples {
    let bytes = |buffer: &gst::BufferRef| buffer.map_readable().expect("readable").to_vec();
    match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => vec![bytes(buffer)],
        Some(gst::PadProbeData::BufferList(list)) => list.iter().map(bytes).collect(),
        _ => Vec::new(),
    }
}

fn watch(element: &gst::Element, watched: &Arc<Watched>) {
    let Some(factory) = element.factory() else {
        return;
    };
    match &*factory.name() {
        "sessiontoken" => watch_token_element(element, watched),
        name if name == decryptor() => watch_decryptor(element, watched),
        "fakesink" => watch_sink(element, watched),
        _ => {}
    }
}

fn watch_token_element(element: &gst::Element, watched: &Arc<Watched>) {
    let watched = watched.clone();
    let stream = element.name().to_string();
    let sink = element.static_pad("sink").expect("a sink pad");
    let came = watched.clone();
    let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    sink.add_probe(data, move |_, info| {
        came.change(|seen| seen.samples_came += samples_in(info));
        gst::PadProbeReturn::Ok
    });
    let flushed = watched.clone();
    let events = gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
    sink.add_probe(events, move |_, info| {
        let event = info.event().expect("an event probe");
        flushed.change(|seen| match event.type_() {
            gst::EventType::FlushStop => seen.since_flush = Some(0),
            _ if event.is_serialized() => {
                seen.since_flush = seen.since_flush.map(|events| events + 1);
            }
            _ => {}
        });
        match event.type_() {
            gst::EventType::Protection => watched.change(|seen| {
                seen.came.push(Protection {
                    stream: stream.clone(),
                    event: event.clone(),
                });
            }),
            gst::EventType::Eos => watched.change(|seen| {
                // One from before the test forgot is of no interest.
                if seen.came.iter().any(|came| came.stream == stream) {
                    seen.ends += 1;
                }
            }),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
}

/// How many samples that is.
fn samples_in(info: &gst::PadProbeInfo) -> usize {
    match &info.data {
        Some(gst::PadProbeData::BufferList(list)) => list.len(),
        _ => 1,
    }
}

fn watch_decryptor(element: &gst::Element, watched: &Arc<Watched>) {
    let sink = element.static_pad("sink").expect("a sink pad");
    let begun = element.name().to_string();
    let reached = watched.clone();
    sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
        let event = info.event().expect("an event probe");
        match event.type_() {
            gst::EventType::Protection => {
                let stream = pad
                    .peer()
                    .and_then(|peer| peer.parent_element())
                    .map(|before| before.name().to_string())
                    .unwrap_or_default();
                let event = event.clone();
                reached.change(|seen| seen.reached.push(Protection { stream, event }));
            }
            gst::EventType::StreamStart => reached.change(|seen| {
                if !seen.begun.contains(&begun) {
                    seen.begun.push(begun.clone());
                }
            }),
            gst::EventType::Eos => reached.change(|seen| seen.ends_at_decryptors += 1),
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    let name = element.name().to_string();
    let encrypted = watched.clone();
    let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
    sink.add_probe(data, move |_, info| {
        encrypted.change(|seen| {
            seen.samples_at_decryptors += samples_in(info);
            *seen.data_at_decryptors.entry(name.clone()).or_default() += 1;
        });
        gst::PadProbeReturn::Ok
    });
    let source = element.static_pad("src").expect("a source pad");
    let flushed = watched.clone();
    let decryptor = element.name().to_string();
    source.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        if info.event().expect("an event probe").type_() == gst::EventType::FlushStop {
            flushed.change(|seen| seen.decrypted.retain(|one| one.decryptor != decryptor));
        }
        gst::PadProbeReturn::Ok
    });
    let decrypted = watched.clone();
    let decryptor = element.name().to_string();
    source.add_probe(
        gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
        move |pad, info| {
            let caps = pad.current_caps().expect("caps come before buffers");
            let name = caps.structure(0).expect("fixed caps").name().to_string();
            let samples = bytes_of(info);
            let begins = stream_time(pad, info);
            let kind = match name.starts_with("video/") {
                true => Kind::Picture,
                false => Kind::Sound,
            };
            decrypted.change(|seen| {
                let known = seen
                    .decrypted
                    .iter_mut()
                    .find(|one| one.decryptor == decryptor);
                match known {
                    Some(known) => known.samples.extend(samples),
                    None => {
                        seen.decrypted.push(Decrypted {
                            decryptor: decryptor.clone(),
                            kind,
                            begins,
                            samples,
                        });
                        let begun = &seen.begun;
                        seen.decrypted.sort_by_key(|one| {
                            begun.iter().position(|begun| *begun == one.decryptor)
                        });
                    }
                }
            });
            gst::PadProbeReturn::Ok
        },
    );
}

/// The time in the stream of the buffer, or of the first one of a list.
fn stream_time(pad: &gst::Pad, info: &gst::PadProbeInfo) -> Option<gst::ClockTime> {
    let pts = match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => buffer.pts(),
        Some(gst::PadProbeData::BufferList(list)) => list.get(0).and_then(|first| first.pts()),
        _ => None,
    }?;
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    segment.to_stream_time(pts)
}

fn watch_sink(element: &gst::Element, watched: &Arc<Watched>) {
    if element.name() != "picture" {
        return;
    }
    let watched = watched.clone();
    // After the sink has waited for the picture's time, unlike a probe on its pad.
    element.connect("handoff", false, move |values| {
        let sink = values[0].get::<gst::Element>().expect("the signal's sink");
        let buffer = values[1].get::<gst::Buffer>().expect("the signal's buffer");
        let pad = values[2].get::<gst::Pad>().expect("the signal's pad");
        let late = sink.current_running_time().zip(running_time(&pad, &buffer));
        let late = late.map_or(gst::ClockTime::ZERO, |(now, then)| now.saturating_sub(then));
        watched.change(|seen| {
            seen.on_screen = buffer.pts();
            seen.most_late = seen.most_late.max(late);
        });
        None
    });
}

/// When a buffer belongs on the screen.
fn running_time(pad: &gst::Pad, buffer: &gst::Buffer) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
    segment.to_running_time(buffer.pts())
}
