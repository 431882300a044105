// SPDX-License-Identifier: MIT OR Apache-2.0

//! Two pads as GStreamer has them, as far as a hold knows of them: stream lock, flush, task.

use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use model::hold::core::Core;
use model::hold::stream::{HeldItem, Interruption, Readiness, Stream};
use shuttle::sync::{Condvar, Mutex, MutexGuard};
use shuttle::thread;

/// Longer than any test: the checker's clock stands still.
const LONG: Duration = Duration::from_secs(3600);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Data,
    /// Stays in a flush.
    Sticky,
    /// Does not.
    Segment,
    Eos,
}

/// What the streaming thread gives.
#[derive(Clone, Copy, Debug)]
pub struct Given {
    kind: Kind,
    number: u32,
    is_gated: bool,
}

pub const fn data(number: u32) -> Given {
    given(Kind::Data, number, false)
}

/// Data that waits until the gate is open.
pub const fn gated(number: u32) -> Given {
    given(Kind::Data, number, true)
}

pub const fn sticky(number: u32) -> Given {
    given(Kind::Sticky, number, false)
}

pub const fn segment(number: u32) -> Given {
    given(Kind::Segment, number, false)
}

pub const fn eos(number: u32) -> Given {
    given(Kind::Eos, number, false)
}

/// EOS that waits until the gate is open.
pub const fn gated_eos(number: u32) -> Given {
    given(Kind::Eos, number, true)
}

const fn given(kind: Kind, number: u32, is_gated: bool) -> Given {
    Given {
        kind,
        number,
        is_gated,
    }
}

/// The same in the stream.
#[derive(Clone, Debug)]
pub struct Item {
    given: Given,
    /// Flushes before it.
    epoch: u32,
}

impl HeldItem for Item {
    fn cost(&self) -> usize {
        1
    }

    fn is_event(&self) -> bool {
        self.given.kind != Kind::Data
    }

    fn survives_flush(&self) -> bool {
        self.given.kind == Kind::Sticky
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    Flushing,
    Error,
    Eos,
}

pub type Answer = Result<(), Refusal>;

/// An element's two pads with a hold between them. Clones are the same pads.
#[derive(Clone)]
pub struct Pads(Arc<Inner>);

struct Inner {
    core: Core<Item, Refusal>,
    /// The sink pad's, which serialized items and FLUSH_STOP take.
    stream_lock: StreamLock,
    sink: Mutex<Sink>,
    gate: Mutex<Gate>,
    downstream: Mutex<Downstream>,
    changed: Condvar,
    task: Mutex<Task>,
    task_changed: Condvar,
}

#[derive(Default)]
struct Sink {
    is_flushing: bool,
    /// The demuxer has a seek, and waits for the streaming thread.
    is_seeking: bool,
    epoch: u32,
}

#[derive(Default)]
struct Gate {
    is_open: bool,
    waker: Option<Waker>,
}

/// The source pad and what is behind it.
#[derive(Default)]
struct Downstream {
    /// An inactive source pad answers nothing else, whatever flush ends.
    is_active: bool,
    is_flushing: bool,
    epoch: u32,
    pushed: Vec<u32>,
    hangs_at: Option<u32>,
    is_hanging: bool,
    flushes_at: Option<u32>,
    refuses_at: Option<u32>,
    reports: usize,
    /// Those that are over.
    flushes: usize,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Steps {
    #[default]
    Stopped,
    Started,
    Paused,
}

/// `GstTask`.
#[derive(Default)]
struct Task {
    steps: Steps,
    thread: Option<thread::JoinHandle<()>>,
}

/// A lock that a thread may take again (`GRecMutex`).
#[derive(Default)]
struct StreamLock {
    owner: Mutex<Option<(thread::ThreadId, u32)>>,
    is_free: Condvar,
}

/// The lock, until this is dropped.
struct StreamLocked<'a>(&'a StreamLock);

impl StreamLock {
    fn take(&self) -> StreamLocked<'_> {
        let me = thread::current().id();
        let mut owner = lock(&self.owner);
        while owner.is_some_and(|(owner, _)| owner != me) {
            owner = self.is_free.wait(owner).expect("no panic");
        }
        let depth = owner.map_or(0, |(_, depth)| depth);
        *owner = Some((me, depth + 1));
        StreamLocked(self)
    }
}

impl Drop for StreamLocked<'_> {
    fn drop(&mut self) {
        // A test that fails unwinds.
        let Ok(mut owner) = self.0.owner.lock() else {
            return;
        };
        *owner = owner.and_then(|(me, depth)| (depth > 1).then_some((me, depth - 1)));
        self.0.is_free.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics in a lock")
}

impl Pads {
    /// Active ones, which hold so many items.
    pub fn new(max_held: usize) -> Self {
        let pads = Self(Arc::new(Inner {
            core: Core::default(),
            stream_lock: StreamLock::default(),
            sink: Mutex::default(),
            gate: Mutex::default(),
            downstream: Mutex::default(),
            changed: Condvar::new(),
            task: Mutex::default(),
            task_changed: Condvar::new(),
        }));
        pads.core().set_max_held_bytes(max_held as u64);
        pads.start();
        pads
    }

    pub fn core(&self) -> &Core<Item, Refusal> {
        &self.0.core
    }

    /// Activates them.
    pub fn start(&self) {
        self.core().activate();
        lock(&self.0.sink).is_flushing = false;
        let mut downstream = lock(&self.0.downstream);
        downstream.is_active = true;
        downstream.is_flushing = false;
    }

    /// Deactivates them, the source pad first (`gst_element_pads_activate`).
    pub fn stop(&self) {
        lock(&self.0.downstream).is_active = false;
        self.0.changed.notify_all();
        self.core().deactivate(|| self.stop_task());
        lock(&self.0.sink).is_flushing = true;
        // Whoever is in the sink pad has left then.
        drop(self.0.stream_lock.take());
        // As `Hold::end`.
        self.stop_task();
    }

    /// The streaming thread. Gives these until one is not taken for a flush.
    pub fn give(&self, items: &[Given]) -> Vec<Answer> {
        let mut answers = Vec::new();
        for given in items {
            let answer = self.give_one(*given);
            answers.push(answer);
            if answer == Err(Refusal::Flushing) {
                break;
            }
        }
        answers
    }

    fn give_one(&self, given: Given) -> Answer {
        let _stream_lock = self.0.stream_lock.take();
        let epoch = {
            let sink = lock(&self.0.sink);
            if sink.is_flushing {
                return Err(Refusal::Flushing);
            }
            sink.epoch
        };
        let item = Item { given, epoch };
        match given.kind {
            Kind::Eos => self.core().pass_eos(self, item),
            _ => self.core().pass(self, item),
        }
    }

    /// The demuxer has a seek, or is done with it.
    pub fn set_seeking(&self, is_seeking: bool) {
        lock(&self.0.sink).is_seeking = is_seeking;
    }

    /// FLUSH_START and FLUSH_STOP.
    pub fn flush(&self) {
        lock(&self.0.sink).is_flushing = true;
        self.core().flush_start(|| {
            lock(&self.0.downstream).is_flushing = true;
            self.0.changed.notify_all();
            true
        });
        let _stream_lock = self.0.stream_lock.take();
        {
            let mut sink = lock(&self.0.sink);
            sink.is_flushing = false;
            sink.epoch += 1;
            let mut downstream = lock(&self.0.downstream);
            downstream.is_flushing = false;
            downstream.epoch = sink.epoch;
        }
        self.core().flush_stop();
        lock(&self.0.downstream).flushes += 1;
        self.0.changed.notify_all();
    }

    pub fn wait_for_flush(&self) {
        let mut downstream = lock(&self.0.downstream);
        while downstream.flushes == 0 {
            downstream = self.0.changed.wait(downstream).expect("no panic");
        }
    }

    /// Gated data may pass from now on.
    pub fn open(&self) {
        let waker = {
            let mut gate = lock(&self.0.gate);
            gate.is_open = true;
            gate.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn close_gate(&self) {
        lock(&self.0.gate).is_open = false;
    }

    /// What has come downstream, since the beginning.
    pub fn pushed(&self) -> Vec<u32> {
        lock(&self.0.downstream).pushed.clone()
    }

    pub fn reports(&self) -> usize {
        lock(&self.0.downstream).reports
    }

    /// Downstream keeps the push of that item until a flush.
    pub fn hang_at(&self, number: u32) {
        lock(&self.0.downstream).hangs_at = Some(number);
    }

    pub fn wait_until_it_hangs(&self) {
        let mut downstream = lock(&self.0.downstream);
        while !downstream.is_hanging {
            downstream = self.0.changed.wait(downstream).expect("no panic");
        }
    }

    /// Downstream flushes in the push of that item.
    pub fn flush_at(&self, number: u32) {
        lock(&self.0.downstream).flushes_at = Some(number);
    }

    /// Downstream wants no more than what is before that item.
    pub fn refuse_at(&self, number: u32) {
        lock(&self.0.downstream).refuses_at = Some(number);
    }

    fn run_task(&self) {
        loop {
            {
                let mut task = lock(&self.0.task);
                while task.steps == Steps::Paused {
                    task = self.0.task_changed.wait(task).expect("no panic");
                }
                if task.steps == Steps::Stopped {
                    return;
                }
            }
            self.core().step(self);
        }
    }
}

impl Stream for Pads {
    type Item = Item;
    type Success = ();
    type Error = Refusal;

    const HELD: () = ();
    const FLUSHING: Refusal = Refusal::Flushing;
    const ERROR: Refusal = Refusal::Error;

    fn prepare(&self, item: Item) -> Readiness<Item, Refusal> {
        let mut gate = lock(&self.0.gate);
        if item.given.is_gated && !gate.is_open {
            gate.waker = Some(self.core().waker().clone());
            return Readiness::NotYet(item, Instant::now() + LONG);
        }
        Readiness::Push(item)
    }

    fn push(&self, item: Item) -> Answer {
        let number = item.given.number;
        let mut downstream = lock(&self.0.downstream);
        if downstream.hangs_at == Some(number) {
            downstream.is_hanging = true;
            self.0.changed.notify_all();
            while downstream.is_active && !downstream.is_flushing {
                downstream = self.0.changed.wait(downstream).expect("no panic");
            }
        }
        if downstream.flushes_at.take_if(|at| *at == number).is_some() {
            drop(downstream);
            self.flush();
            return Err(Refusal::Flushing);
        }
        if !downstream.is_active || downstream.is_flushing {
            return Err(Refusal::Flushing);
        }
        if downstream.refuses_at == Some(number) {
            return Err(Refusal::Eos);
        }
        assert!(
            item.epoch == downstream.epoch || item.survives_flush(),
            "{item:?} comes behind flush {}",
            downstream.epoch
        );
        if let Some(last) = downstream.pushed.last() {
            assert!(*last < number, "{number} comes behind {last}");
        }
        downstream.pushed.push(number);
        Ok(())
    }

    fn needs_more_input(&self) -> bool {
        false
    }

    fn interruption(&self) -> Option<Interruption> {
        lock(&self.0.sink).is_seeking.then_some(Interruption::Seek)
    }

    fn begin_hold(&self) {}

    fn start_task(&self) -> bool {
        let mut task = lock(&self.0.task);
        task.steps = Steps::Started;
        if task.thread.is_none() {
            let pads = self.clone();
            task.thread = Some(thread::spawn(move || pads.run_task()));
        }
        self.0.task_changed.notify_all();
        true
    }

    fn stop_task(&self) {
        let thread = {
            let mut task = lock(&self.0.task);
            task.steps = Steps::Stopped;
            self.0.task_changed.notify_all();
            task.thread.take()
        };
        if let Some(thread) = thread {
            thread.join().expect("the task ends");
        }
    }

    fn pause_task(&self) {
        let mut task = lock(&self.0.task);
        // As `gst_task_pause`, which leaves a stopped one stopped.
        if task.steps == Steps::Started {
            task.steps = Steps::Paused;
        }
    }

    fn report(&self, _error: Refusal) {
        lock(&self.0.downstream).reports += 1;
    }
}
