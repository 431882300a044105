// SPDX-License-Identifier: MIT OR Apache-2.0

//! One element in a harness, and a log of everything that it hands on.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, Once, PoisonError};
use std::thread::{self, ThreadId};
use std::time::Duration;

use gst::element_factory::ElementBuilder;
use gst::glib;
use gst::prelude::*;
use gst_check::Harness;
use headend::{Auth, Headend};

use crate::folders::scratch;

/// After this long a test that waits for something has failed. Far longer than anything here
/// takes, on a machine that has other things to do as well.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For elements whose service hangs: no deadline of theirs may end what the test is to end.
pub const NO_HURRY: u32 = 300_000;

/// The W3C common system, which says nothing but key ids.
pub const COMMON_SYSTEM: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

/// DASH-IF's ClearKey.
pub const CLEARKEY_SYSTEM: &str = "e2719d58-a985-b3c9-781a-b030af78d30e";

/// GStreamer with our plugin.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer starts");
        gstsessiontoken::plugin_register_static().expect("the plugin registers");
    });
}

/// Begins an element of this plugin.
pub fn make(factory: &str) -> ElementBuilder<'_> {
    init();
    gst::ElementFactory::make(factory)
}

/// Begins a `sessiontoken` that asks this head-end and waits for it as long as it takes.
pub fn sessiontoken(headend: &Headend) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property("location", headend.auth_url())
        .property("timeout", NO_HURRY)
}

/// A head-end whose auth service is as the test wants it.
pub fn headend(auth: Auth) -> Headend {
    let headend = on_unused_port(Headend::start_on);
    headend.set_auth(auth);
    headend
}

/// Starts a server on a port that was no other server's in this process.
///
/// Where the system chooses ports it chooses some again, and then one test would find the session,
/// or the open connection, of another.
pub fn on_unused_port<T>(start: impl Fn(u16) -> std::io::Result<T>) -> T {
    loop {
        match start(unused_port()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            started => return started.expect("a server starts"),
        }
    }
}

/// A port that this process has not used, below those that systems give out by themselves.
/// Another copy of this program most likely begins elsewhere.
fn unused_port() -> u16 {
    const FIRST: u32 = 10_000;
    const COUNT: u32 = 20_000;
    static USED: AtomicU32 = AtomicU32::new(0);
    let begin = std::process::id().wrapping_mul(1009);
    let used = USED.fetch_add(1, Ordering::Relaxed);
    assert!(used < COUNT, "as many head-ends as ports");
    let port = FIRST + begin.wrapping_add(used) % COUNT;
    u16::try_from(port).expect("below 30000")
}

/// Host and port where nobody listens.
pub fn nobody() -> String {
    loop {
        let place = format!("127.0.0.1:{}", unused_port());
        if std::net::TcpListener::bind(&place).is_ok() {
            return place;
        }
    }
}

/// A file that no other test, and no other copy of this program, writes.
pub struct File(PathBuf);

impl File {
    /// Makes one with this in it.
    pub fn new(text: impl AsRef<[u8]>) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let file = Self(scratch().join(format!("file-{number}")));
        file.write(text);
        file
    }

    /// Puts this in the place of what is in it.
    pub fn write(&self, text: impl AsRef<[u8]>) {
        fs::write(&self.0, text).expect("the file is written");
    }

    /// What is in it.
    pub fn read(&self) -> String {
        fs::read_to_string(&self.0).expect("the file is read")
    }

    /// Where it is.
    pub fn path(&self) -> String {
        self.0.to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What stays is one small file in the build folder.
        let _ = fs::remove_file(&self.0);
    }
}

/// What the application is told when the element cannot leave NULL.
pub fn refusal(builder: ElementBuilder<'_>) -> Complaint {
    let (element, bus) = with_bus(builder);
    refusal_of(&element, &bus)
}

/// The same of one that is built.
pub fn refusal_of(element: &gst::Element, bus: &gst::Bus) -> Complaint {
    assert_eq!(
        element.set_state(gst::State::Ready),
        Err(gst::StateChangeError)
    );
    let mut told = told(bus);
    let complaint = told.error().is(gst::ResourceError::Settings);
    assert_eq!(complaint.detail::<String>("reason"), "misconfigured");
    assert_eq!(complaint.from, Some(element.clone().upcast()));
    told.errors.remove(0)
}

/// Builds an element with a bus of its own, which stays in NULL.
pub fn with_bus(builder: ElementBuilder<'_>) -> (gst::Element, gst::Bus) {
    let element = builder.build().expect("the element is registered");
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    (element, bus)
}

/// What tells two things in a stream apart: their place in memory, or their sequence number where
/// the element hands on a copy of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item {
    /// By its place in memory.
    Buffer(usize),
    /// Likewise.
    List(usize),
    /// By its sequence number.
    Event(gst::EventType, gst::Seqnum),
}

impl From<&gst::Buffer> for Item {
    fn from(buffer: &gst::Buffer) -> Self {
        Item::Buffer(buffer.as_ptr() as usize)
    }
}

impl From<&gst::BufferList> for Item {
    fn from(list: &gst::BufferList) -> Self {
        Item::List(list.as_ptr() as usize)
    }
}

impl From<&gst::Event> for Item {
    fn from(event: &gst::Event) -> Self {
        Item::Event(event.type_(), event.seqnum())
    }
}

/// Something to push. It stays with the test, so that no other thing takes its place in memory.
#[derive(Clone, Debug)]
pub enum Input {
    /// A buffer.
    Buffer(gst::Buffer),
    /// Several at once.
    List(gst::BufferList),
    /// An event.
    Event(gst::Event),
}

impl Input {
    /// What it is known by when it leaves.
    pub fn item(&self) -> Item {
        match self {
            Input::Buffer(buffer) => buffer.into(),
            Input::List(list) => list.into(),
            Input::Event(event) => event.into(),
        }
    }

    /// Pushes it, and says whether it was taken.
    pub fn push(&self, upstream: &gst::Pad) -> bool {
        match self {
            Input::Buffer(buffer) => upstream.push(buffer.clone()).is_ok(),
            Input::List(list) => upstream.push_list(list.clone()).is_ok(),
            Input::Event(event) => upstream.push_event(event.clone()),
        }
    }
}

impl From<gst::Buffer> for Input {
    fn from(buffer: gst::Buffer) -> Self {
        Input::Buffer(buffer)
    }
}

impl From<gst::BufferList> for Input {
    fn from(list: gst::BufferList) -> Self {
        Input::List(list)
    }
}

impl From<gst::Event> for Input {
    fn from(event: gst::Event) -> Self {
        Input::Event(event)
    }
}

/// What these are known by when they leave.
pub fn items(inputs: &[Input]) -> Vec<Item> {
    inputs.iter().map(Input::item).collect()
}

/// Something that left the element.
#[derive(Clone, Debug)]
pub struct Left {
    /// What it was.
    pub item: Item,
    /// The thread that brought it.
    pub thread: ThreadId,
    /// The event, if it was one.
    pub event: Option<gst::Event>,
}

/// Everything that left the element, in order. Buffers stand here by their address alone: a
/// reference would make them read-only.
#[derive(Default)]
pub struct Log {
    left: Mutex<Vec<Left>>,
    grown: Condvar,
}

impl Log {
    fn lock(&self) -> MutexGuard<'_, Vec<Left>> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, item: Item, event: Option<&gst::Event>) {
        self.lock().push(Left {
            item,
            thread: thread::current().id(),
            event: event.cloned(),
        });
        self.grown.notify_all();
    }

    /// All that has left so far.
    pub fn left(&self) -> Vec<Left> {
        self.lock().clone()
    }

    /// What has left so far, without the circumstances.
    pub fn items(&self) -> Vec<Item> {
        self.lock().iter().map(|left| left.item).collect()
    }

    /// The protection events, in order.
    pub fn protections(&self) -> Vec<gst::Event> {
        self.lock()
            .iter()
            .filter_map(|left| left.event.clone())
            .filter(|event| event.type_() == gst::EventType::Protection)
            .collect()
    }

    /// Waits until this has left the element.
    pub fn wait_for(&self, item: Item) {
        self.wait(&format!("{item:?}"), |left| {
            left.iter().any(|left| left.item == item)
        });
    }

    /// Waits until so many things have left the element.
    pub fn wait_for_count(&self, count: usize) {
        self.wait(&format!("{count} things"), |left| left.len() >= count);
    }

    fn wait(&self, what: &str, mut satisfied: impl FnMut(&[Left]) -> bool) {
        let (left, wait) = self
            .grown
            .wait_timeout_while(self.lock(), PATIENCE, |left| !satisfied(left))
            .unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "{what} did not leave, but {left:#?}");
    }
}

/// An element in PLAYING, with the pads of a harness around it.
pub struct Rig {
    /// Around the element.
    pub harness: Harness,
    /// The element.
    pub element: gst::Element,
    /// Its bus, which nobody else reads.
    pub bus: gst::Bus,
    /// What has left it.
    pub log: Arc<Log>,
    /// The pad before the element.
    pub upstream: gst::Pad,
    /// The pad behind it.
    pub downstream: gst::Pad,
    /// Those that the test has seen, in their order.
    generations: Mutex<Vec<u32>>,
}

impl Rig {
    /// The generation of a key request or a message, counted from 1 on. In the process they only
    /// rise, as other tests have tokens too.
    #[track_caller]
    pub fn ordinal(&self, told: &gst::StructureRef) -> u32 {
        self.ordinal_of(told.get("generation").expect("a number"))
    }

    /// The same of a generation; 0 for none.
    #[track_caller]
    pub fn ordinal_of(&self, generation: u32) -> u32 {
        self.note_events();
        self.note(generation)
    }

    /// The generation that is the so manieth.
    #[track_caller]
    pub fn generation(&self, ordinal: u32) -> u32 {
        self.note_events();
        self.generations.lock().expect("no panic")[ordinal as usize - 1]
    }

    /// Counts the generations of the events that left.
    fn note_events(&self) {
        for event in self.log.protections() {
            for request in key_requests(&event) {
                self.note(request.get("generation").expect("a number"));
            }
        }
    }

    #[track_caller]
    fn note(&self, generation: u32) -> u32 {
        if generation == 0 {
            return 0;
        }
        let mut seen = self.generations.lock().expect("no panic");
        let known = seen.iter().position(|one| *one == generation);
        let place = known.unwrap_or_else(|| {
            let last = seen.last().copied().unwrap_or(0);
            assert!(generation > last, "{generation} comes after {last}");
            seen.push(generation);
            seen.len() - 1
        });
        u32::try_from(place).expect("a few") + 1
    }

    /// With an element that is built for it.
    pub fn new(builder: ElementBuilder<'_>) -> Self {
        let (element, bus) = with_bus(builder);
        Self::around(element, bus)
    }

    /// With an element that has this bus.
    pub fn around(element: gst::Element, bus: gst::Bus) -> Self {
        let harness = Harness::with_element(&element, Some("sink"), Some("src"));
        let downstream = harness.sinkpad().expect("the harness has both pads");
        let log = Arc::new(Log::default());
        let srcpad = element.static_pad("src").expect("a source pad");
        for (pad, kinds) in [
            // A list is one thing here; the harness takes it to pieces.
            (
                &srcpad,
                gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST,
            ),
            // What leaves during a flush may not arrive here, and then leaves again.
            (
                &downstream,
                gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH,
            ),
        ] {
            let log = log.clone();
            pad.add_probe(kinds, move |_, info| {
                let (item, event) = seen(info);
                log.add(item, event);
                gst::PadProbeReturn::Ok
            });
        }
        Self {
            upstream: harness.srcpad().expect("the harness has both pads"),
            downstream,
            generations: Mutex::default(),
            harness,
            element,
            bus,
            log,
        }
    }

    /// Around these, one behind the other in a bin.
    pub fn chain(elements: &[gst::Element]) -> Self {
        Self::chain_beside(elements, &[])
    }

    /// The same, with others in the bin that are linked to each other.
    pub fn chain_beside(elements: &[gst::Element], others: &[gst::Element]) -> Self {
        let bin = gst::Bin::new();
        for elements in [elements, others] {
            bin.add_many(elements).expect("they are new");
            gst::Element::link_many(elements).expect("they fit");
        }
        let ends = [(elements.first(), "sink"), (elements.last(), "src")];
        for (element, name) in ends {
            let pad = element.and_then(|element| element.static_pad(name));
            let ghost = gst::GhostPad::builder_with_target(&pad.expect("a pad"))
                .expect("a pad")
                .name(name);
            bin.add_pad(&ghost.build()).expect("it is new");
        }
        let bus = gst::Bus::new();
        bin.set_bus(Some(&bus));
        Self::around(bin.upcast(), bus)
    }

    /// Pushes things that must be taken.
    pub fn send(&self, inputs: &[Input]) {
        for input in inputs {
            assert!(
                input.push(&self.upstream),
                "{input:?} was not taken: {:#?}",
                self.told()
            );
        }
    }

    /// Goes to that state, which must be possible at once.
    pub fn set_state(&self, state: gst::State) {
        let changed = self.element.set_state(state);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Success), "{state:?}");
    }

    /// Goes down to that state and up again, with a demuxer before the element that does the same:
    /// its pad forgets what it said of the stream.
    pub fn restart(&self, through: gst::State) {
        self.set_state(through);
        for active in [false, true] {
            self.upstream
                .set_active(active)
                .expect("nothing is pushed meanwhile");
        }
        self.set_state(gst::State::Playing);
    }

    /// Pushes an event, and says whether it was taken.
    pub fn push_event(&self, event: impl Into<gst::Event>) -> bool {
        self.upstream.push_event(event.into())
    }

    /// Pushes a buffer, and says what came of it.
    pub fn push(&self, buffer: gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.upstream.push(buffer)
    }

    /// What will arrive at the element's sink pad, told in the moment before the element sees it,
    /// when the thread that brings it has the pad's stream lock already.
    pub fn arrivals(&self) -> Arrivals {
        let (arrived, arrivals) = mpsc::channel();
        let sinkpad = self.element.static_pad("sink").expect("a sink pad");
        sinkpad.add_probe(
            gst::PadProbeType::BUFFER
                | gst::PadProbeType::BUFFER_LIST
                | gst::PadProbeType::EVENT_DOWNSTREAM,
            move |_, info| {
                // The test may have heard enough.
                let _ = arrived.send(seen(info).0);
                gst::PadProbeReturn::Ok
            },
        );
        Arrivals(arrivals)
    }

    /// Blocks the element's source pad at the first thing of that kind, as a full queue would:
    /// until a flush, or until the probe is removed.
    pub fn block(&self, kind: gst::PadProbeType) -> Blockage {
        let (blocked, blocks) = mpsc::channel();
        let srcpad = self.element.static_pad("src").expect("a source pad");
        let id = srcpad
            .add_probe(gst::PadProbeType::BLOCK | kind, move |_, _| {
                let _ = blocked.send(());
                gst::PadProbeReturn::Ok
            })
            .expect("the pad is not blocked yet");
        Blockage { srcpad, id, blocks }
    }

    /// The next message of that kind, whatever comes between.
    pub fn message(&self, kind: gst::MessageType) -> gst::Message {
        message(&self.bus, kind)
    }

    /// Waits until the application is told that state, whatever it is told before.
    pub fn wait_for_state(&self, state: &str) -> gst::Structure {
        wait_for_state(&self.bus, state)
    }

    /// What the application has been told so far. What is told here once is not told again.
    pub fn told(&self) -> Told {
        told(&self.bus)
    }

    /// A field of the element's statistics.
    pub fn stats<T: for<'a> glib::value::FromValue<'a> + 'static>(&self, field: &str) -> T {
        self.element
            .property::<gst::Structure>("stats")
            .get(field)
            .expect("a field of the statistics")
    }
}

/// See [`Rig::arrivals`].
pub struct Arrivals(Receiver<Item>);

impl Arrivals {
    /// Waits for the next arrival, which must be this one.
    pub fn expect(&self, item: Item) {
        assert_eq!(self.0.recv_timeout(PATIENCE), Ok(item));
    }
}

/// See [`Rig::block`].
pub struct Blockage {
    srcpad: gst::Pad,
    id: gst::PadProbeId,
    blocks: Receiver<()>,
}

impl Blockage {
    /// Waits until a thread is blocked.
    pub fn blocks(&self) {
        assert_eq!(self.blocks.recv_timeout(PATIENCE), Ok(()));
    }

    /// Lets go on what is blocked.
    pub fn remove(self) {
        self.srcpad.remove_probe(self.id);
    }
}

/// The next message of that kind, whatever comes between.
pub fn message(bus: &gst::Bus, kind: gst::MessageType) -> gst::Message {
    let patience = gst::ClockTime::try_from(PATIENCE).expect("a time");
    bus.timed_pop_filtered(patience, &[kind])
        .unwrap_or_else(|| panic!("no message of the kind {kind:?} came"))
}

/// Waits for the message `session-token` of that state, whatever comes between.
pub fn wait_for_state(bus: &gst::Bus, state: &str) -> gst::Structure {
    loop {
        let message = message(bus, gst::MessageType::Element);
        let structure = message.structure().expect("these have one");
        if structure.name() == "session-token" && structure.get("state") == Ok(state) {
            return structure.to_owned();
        }
    }
}

fn seen<'a>(info: &'a gst::PadProbeInfo<'_>) -> (Item, Option<&'a gst::Event>) {
    match &info.data {
        Some(gst::PadProbeData::Buffer(buffer)) => (buffer.into(), None),
        Some(gst::PadProbeData::BufferList(list)) => (list.into(), None),
        Some(gst::PadProbeData::Event(event)) => (event.into(), Some(event)),
        data => panic!("the probe did not ask for {data:?}"),
    }
}

/// What an application finds on its bus.
#[derive(Debug, Default)]
pub struct Told {
    /// The errors, in their order.
    pub errors: Vec<Complaint>,
    /// The warnings, in their order.
    pub warnings: Vec<Complaint>,
    /// The structures of element messages.
    pub states: Vec<gst::Structure>,
    /// Those of them that tell of the background, and come whenever they come.
    pub background: Vec<gst::Structure>,
}

/// What is on this bus, which is empty then.
pub fn told(bus: &gst::Bus) -> Told {
    let mut told = Told::default();
    while let Some(message) = bus.pop() {
        match message.type_() {
            gst::MessageType::Error => told.errors.push(Complaint::of(&message)),
            gst::MessageType::Warning => told.warnings.push(Complaint::of(&message)),
            gst::MessageType::Element => {
                let structure = message.structure().expect("these have one");
                match is_background(structure) {
                    true => told.background.push(structure.to_owned()),
                    false => told.states.push(structure.to_owned()),
                }
            }
            _ => {}
        }
    }
    told
}

/// Whether that tells of the background (`ready`, `renewed`, `renewal-failed`).
pub fn is_background(structure: &gst::StructureRef) -> bool {
    let states = ["ready", "renewed", "renewal-failed"];
    structure.name() == "session-token"
        && states
            .iter()
            .any(|state| structure.get("state") == Ok(*state))
}

impl Told {
    /// Whether there was nothing.
    pub fn is_nothing(&self) -> bool {
        self.errors.is_empty()
            && self.warnings.is_empty()
            && self.states.is_empty()
            && self.background.is_empty()
    }

    /// The one error, where there is nothing else to complain of.
    pub fn error(&self) -> &Complaint {
        assert_eq!((self.errors.len(), self.warnings.len()), (1, 0), "{self:?}");
        &self.errors[0]
    }

    /// The one message `session-token`.
    pub fn state(&self) -> &gst::Structure {
        assert_eq!(self.states.len(), 1, "{self:?}");
        assert_eq!(self.states[0].name(), "session-token");
        &self.states[0]
    }
}

fn is_ours(object: &gst::Object) -> bool {
    let types = ["GstSessionToken", "GstClearKeyDec", "GstHlsDrmDemux"];
    types
        .iter()
        .any(|name| object.type_().name().starts_with(name))
}

/// What an error or a warning says.
#[derive(Debug)]
pub struct Complaint {
    /// The error, by domain and code.
    pub error: glib::Error,
    /// Its message.
    pub text: String,
    /// The details that go with it.
    pub details: Option<gst::Structure>,
    /// Who says it.
    pub from: Option<gst::Object>,
}

impl Complaint {
    /// Of an error or a warning on the bus.
    pub fn of(message: &gst::Message) -> Self {
        let (error, details, debug) = match message.view() {
            gst::MessageView::Error(error) => (error.error(), error.details(), error.debug()),
            gst::MessageView::Warning(warning) => {
                (warning.error(), warning.details(), warning.debug())
            }
            view => panic!("{view:?} is no complaint"),
        };
        let from = message.src();
        if from.is_some_and(is_ours) {
            let details = details.map(gst::StructureRef::name);
            assert_eq!(
                details.map(|name| name.as_str()),
                Some("session-token-error")
            );
            assert!(debug.is_some(), "it says where it is");
        }
        Self {
            text: error.message().to_owned(),
            details: details.map(gst::StructureRef::to_owned),
            error,
            from: from.cloned(),
        }
    }

    /// A field of the details `session-token-error`.
    pub fn detail<T: for<'a> glib::value::FromValue<'a> + 'static>(&self, field: &str) -> T {
        let details = self.details.as_ref().expect("the error has details");
        assert_eq!(details.name(), "session-token-error");
        details.get(field).expect("a field of the details")
    }

    /// Asserts that it has this code.
    pub fn is<E: glib::error::ErrorDomain + PartialEq + std::fmt::Debug>(&self, code: E) -> &Self {
        assert_eq!(self.error.kind::<E>(), Some(code), "{}", self.text);
        self
    }

    /// Asserts that its message has these words in it.
    pub fn says(&self, words: &[&str]) -> &Self {
        for word in words {
            assert!(self.text.contains(word), "no {word:?} in {:?}", self.text);
        }
        self
    }

    /// Asserts that none of these words is anywhere in it.
    pub fn does_not_say(&self, words: &[&str]) -> &Self {
        let all = format!("{} {:?}", self.text, self.details);
        for word in words {
            assert!(!all.contains(word), "{word:?} in {all:?}");
        }
        self
    }
}

/// The first event of a stream.
pub fn stream_start() -> gst::Event {
    gst::event::StreamStart::new("stream")
}

/// Caps as qtdemux makes them for a protected stream.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("application/x-cenc")
        .field("protection-system", COMMON_SYSTEM)
        .field("original-media-type", "video/x-h264")
        .field("cipher-mode", "cenc")
        .field("width", 320)
        .build()
}

/// These caps as an event.
pub fn caps_event() -> gst::Event {
    gst::event::Caps::new(&caps())
}

/// A segment in time, from the start.
pub fn segment() -> gst::Event {
    gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())
}

/// Tags of a stream.
pub fn tag() -> gst::Event {
    let mut tags = gst::TagList::new();
    tags.make_mut()
        .add::<gst::tags::Title>(&"a title", gst::TagMergeMode::Replace);
    gst::event::Tag::new(tags)
}

/// A second without data.
pub fn gap() -> gst::Event {
    gst::event::Gap::builder(gst::ClockTime::ZERO)
        .duration(gst::ClockTime::SECOND)
        .build()
}

/// A downstream event that means nothing to any element.
pub fn custom(name: &str) -> gst::Event {
    gst::event::CustomDownstream::new(gst::Structure::new_empty(name))
}

/// A buffer of that size.
pub fn buffer(size: usize) -> gst::Buffer {
    gst::Buffer::from_slice(vec![0xa5; size])
}

/// A list of buffers of these sizes.
pub fn list(sizes: &[usize]) -> gst::BufferList {
    sizes.iter().map(|size| buffer(*size)).collect()
}

/// A protection event. Its bytes are its own, so that two are never taken for one.
pub fn protection(system: &str, origin: Option<&str>) -> gst::Event {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let data = gst::Buffer::from_slice(format!("init data {number}").into_bytes());
    gst::event::Protection::builder(system, &data)
        .origin_if_some(origin)
        .build()
}

/// The three protection events that a DASH stream has at least: the MPD's two, and qtdemux's.
pub fn protections() -> [gst::Event; 3] {
    [
        protection(CLEARKEY_SYSTEM, Some("dash/mpd")),
        protection(COMMON_SYSTEM, Some("dash/mpd")),
        protection(COMMON_SYSTEM, Some("isobmff/moov")),
    ]
}

/// The init data buffer of a protection event, the very one.
pub fn init_data(event: &gst::Event) -> gst::Buffer {
    match event.view() {
        gst::EventView::Protection(protection) => protection.get_owned().1,
        view => panic!("{view:?} is no protection event"),
    }
}

/// The key requests on a protection event.
pub fn key_requests(event: &gst::Event) -> Vec<gst::Structure> {
    match event.view() {
        gst::EventView::Protection(protection) => protection
            .buffer()
            .iter_meta::<gst::meta::ProtectionMeta>()
            .map(|meta| meta.info().to_owned())
            .collect(),
        view => panic!("{view:?} is no protection event"),
    }
}

/// The one key request on a protection event.
pub fn key_request(event: &gst::Event) -> gst::Structure {
    let mut requests = key_requests(event);
    assert_eq!(requests.len(), 1, "{event:?}");
    let request = requests.remove(0);
    assert_eq!(request.name(), "drm-key-request");
    request
}
