// SPDX-License-Identifier: MIT OR Apache-2.0

//! How streaming thread, task, flush and deactivation share one stream's [`State`]. Without
//! GStreamer, so that `tests/model` can try the schedules of these threads.

use std::sync::{Arc, Weak};
use std::task::{Wake, Waker};

use super::state::{Mode, Pushed, State};
use super::stream::{HeldItem, Interruption, Readiness, Stream};
use crate::sync::MutexGuard;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread;
use crate::wait::{Guarded, Woken};

/// One stream's hold. `I` is an item, `E` what downstream answers where it wants none.
pub struct Core<I, E> {
    shared: Arc<Shared<I, E>>,
    waker: Waker,
}

struct Shared<I, E> {
    /// True where an item may be prepared and pushed without a look at the state. Only the
    /// streaming thread begins a hold, so what it reads here stays true while it pushes.
    direct: AtomicBool,
    /// There is a task. Only the streaming thread starts one, and ends it while the pads are
    /// active.
    has_task: AtomicBool,
    guarded: Guarded<State<I, E>>,
}

/// Wakes the hold to look again. It keeps nothing alive.
struct HoldWaker<I, E>(Weak<Shared<I, E>>);

impl<I: Send + 'static, E: Send + 'static> Wake for HoldWaker<I, E> {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.guarded.change(|state| state.calls += 1);
        }
    }
}

/// What the hold has done since the element went to PAUSED.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub holds: u32,
    pub peak_held_bytes: usize,
}

impl<I: HeldItem + Send + 'static, E: Copy + Send + 'static> Default for Core<I, E> {
    fn default() -> Self {
        let shared = Arc::new(Shared {
            direct: AtomicBool::new(false),
            has_task: AtomicBool::new(false),
            guarded: Guarded::new(State::default()),
        });
        Self {
            waker: Arc::new(HoldWaker(Arc::downgrade(&shared))).into(),
            shared,
        }
    }
}

impl<I: HeldItem, E: Copy> Core<I, E> {
    /// To be registered with whatever an element waits for.
    pub fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether items are held, so that nothing may overtake them.
    pub fn is_holding(&self) -> bool {
        !self.shared.direct.load(Ordering::Acquire) && self.lock().mode != Mode::Direct
    }

    pub fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            holds: state.holds,
            peak_held_bytes: state.peak_held_bytes,
        }
    }

    /// The most that is held, in bytes. Takes effect at once.
    pub fn set_max_held_bytes(&self, max: u64) {
        let max = usize::try_from(max).unwrap_or(usize::MAX);
        self.change(|state| state.max_held_bytes = max);
    }

    /// Ends the stream.
    pub fn fail(&self, error: E) {
        self.change(|state| state.fail(error));
    }

    fn lock(&self) -> MutexGuard<'_, State<I, E>> {
        self.shared.guarded.lock()
    }

    fn change<R>(&self, change: impl FnOnce(&mut State<I, E>) -> R) -> R {
        self.shared.guarded.change(|state| {
            let result = change(state);
            self.shared
                .direct
                .store(state.is_direct(), Ordering::Release);
            self.shared.has_task.store(state.started, Ordering::Relaxed);
            result
        })
    }

    /// A serialized item on the streaming thread.
    pub fn pass<S>(&self, stream: &S, item: I) -> Result<S::Success, E>
    where
        S: Stream<Item = I, Error = E>,
    {
        let item = if self.shared.direct.load(Ordering::Acquire) {
            item
        } else {
            match self.append(stream, item)? {
                Some(after_the_drain) => after_the_drain,
                None => return Ok(S::HELD),
            }
        };
        if self.shared.has_task.load(Ordering::Relaxed) {
            self.end_task(stream);
        }
        match stream.prepare(item) {
            Readiness::Push(item) => stream.push(item),
            Readiness::Consumed => Ok(S::HELD),
            Readiness::Fail(error) => {
                self.fail(error);
                Err(error)
            }
            Readiness::NotYet(item, _) => self.begin(stream, item),
        }
    }

    /// EOS: waits until all is pushed. dashdemux2 takes the return for the end of the stream and
    /// ends its tracks (`gst_adaptive_demux2_stream_push_event`).
    pub fn pass_eos<S>(&self, stream: &S, eos: I) -> Result<S::Success, E>
    where
        S: Stream<Item = I, Error = E>,
    {
        let mut state = self.wait(stream, |state| state.mode == Mode::Direct)?;
        if state.mode != Mode::Direct {
            state.push(eos);
            return Ok(S::HELD);
        }
        drop(state);
        if let Some(error) = self.take_unreported() {
            stream.report(error);
        }
        let passed = self.pass(stream, eos)?;
        if self.is_holding() {
            // What has to go before it is not here yet.
            drop(self.wait(stream, |state| state.mode == Mode::Direct)?);
        }
        Ok(passed)
    }

    /// Begins to hold. The task prepares the item again, and so registers for the wake-up itself.
    fn begin<S>(&self, stream: &S, item: I) -> Result<S::Success, E>
    where
        S: Stream<Item = I, Error = E>,
    {
        stream.begin_hold();
        let has_task = self.change(|state| {
            if !state.active || state.flushing {
                return Err(S::FLUSHING);
            }
            state.holds += 1;
            state.push(item);
            Ok(std::mem::replace(&mut state.started, true))
        })?;
        if !has_task && !stream.start_task() {
            self.change(|state| {
                state.started = false;
                state.fail(S::ERROR);
            });
        }
        Ok(S::HELD)
    }

    /// Ends the task, which has pushed all that was held. On the streaming thread, which waits for
    /// a moment until it has left.
    fn end_task<S>(&self, stream: &S)
    where
        S: Stream<Item = I, Error = E>,
    {
        let is_idle = self.change(|state| {
            // It may be in a push still that a flush has made pointless.
            state.dismissed = state.started && state.queue.is_empty() && state.working.is_none();
            state.dismissed
        });
        if !is_idle {
            return;
        }
        // Somebody who deactivates the pad meanwhile has stopped it too.
        stream.stop_task();
        self.change(|state| {
            state.dismissed = false;
            state.started = false;
        });
    }

    /// Holds the item, when there is room, behind what is held. Gives it back where the hold has
    /// ended meanwhile and it can pass directly.
    fn append<S>(&self, stream: &S, item: I) -> Result<Option<I>, E>
    where
        S: Stream<Item = I, Error = E>,
    {
        let cost = item.cost();
        // As in `gst_queue_chain_buffer_or_list`, data is told what became of the data before it;
        // an event goes on its way.
        let is_data = !item.is_event();
        let mut state = self.wait(stream, |state| {
            (is_data && state.unreported.is_some())
                || match state.mode {
                    Mode::Direct => true,
                    Mode::Draining => false,
                    Mode::Waiting => state.has_room(cost) || stream.needs_more_input(),
                }
        })?;
        if is_data && state.unreported.is_some() {
            drop(state);
            // Only a flush can have taken it meanwhile.
            return Err(self.take_unreported().unwrap_or(S::FLUSHING));
        }
        if state.mode == Mode::Direct {
            return Ok(Some(item));
        }
        // No wake-up: the task waits for an empty queue to fill, and this one was not empty.
        state.push(item);
        Ok(None)
    }

    fn take_unreported(&self) -> Option<E> {
        self.change(|state| state.unreported.take())
    }

    /// Waits, on the streaming thread, until that holds, or until the thread is wanted for a seek.
    /// Then the item goes behind what is held, whatever the bound: a seek that is accepted flushes
    /// it, and one that is refused loses nothing.
    fn wait<S>(
        &self,
        stream: &S,
        mut holds: impl FnMut(&mut State<I, E>) -> bool,
    ) -> Result<MutexGuard<'_, State<I, E>>, E>
    where
        S: Stream<Item = I, Error = E>,
    {
        loop {
            let mut is_seeking = false;
            if !holds(&mut self.lock()) {
                match stream.interruption() {
                    Some(Interruption::Stop) => return Err(S::FLUSHING),
                    Some(Interruption::Seek) => is_seeking = true,
                    None => {}
                }
            }
            let is_interrupted = || stream.interruption().is_some();
            let (state, woken) =
                (self.shared.guarded).wait(self.lock(), None, Some(&is_interrupted), |state| {
                    is_seeking || state.is_over() || holds(state)
                });
            if woken == Woken::Ready {
                return match state.end(S::FLUSHING) {
                    Some(error) => Err(error),
                    None => Ok(state),
                };
            }
        }
    }

    /// FLUSH_START, which `forward` sends on. On any thread, also from below in the middle of the
    /// task's own push.
    pub fn flush_start(&self, forward: impl FnOnce() -> bool) -> bool {
        self.change(State::begin_flush);
        let forwarded = forward();
        let me = thread::current().id();
        let (_state, _) = self.shared.guarded.wait(self.lock(), None, None, |state| {
            !state.active || state.working.is_none_or(|worker| worker == me)
        });
        forwarded
    }

    /// FLUSH_STOP has been sent on.
    pub fn flush_stop(&self) {
        self.change(State::end_flush);
    }

    pub fn activate(&self) {
        self.change(State::activate);
    }

    /// Deactivation. `stop` ends the task.
    pub fn deactivate<R>(&self, stop: impl FnOnce() -> R) -> R {
        self.change(|state| {
            state.active = false;
            state.drop_held();
        });
        let stopped = stop();
        self.change(State::drop_held);
        stopped
    }

    /// One step of the task.
    pub fn step<S>(&self, stream: &S)
    where
        S: Stream<Item = I, Error = E>,
    {
        let (mut state, _) = self.shared.guarded.wait(self.lock(), None, None, |state| {
            state.is_dismissed() || (!state.flushing && !state.queue.is_empty())
        });
        if state.is_dismissed() {
            drop(state);
            // So that it does not turn in circles until it is stopped.
            stream.pause_task();
            return;
        }
        let (flushes, calls) = (state.flushes, state.calls);
        let Some(item) = state.take_front() else {
            return;
        };
        state.working = Some(thread::current().id());
        drop(state);
        let working = Working(self);

        let pushed = Pushed {
            flushes,
            is_event: item.is_event(),
            survives_flush: item.survives_flush(),
        };
        match stream.prepare(item) {
            Readiness::Push(item) => {
                self.change(|state| {
                    if state.mode == Mode::Waiting {
                        state.mode = Mode::Draining;
                    }
                });
                let answer = stream.push(item).map(|_| ());
                self.change(|state| state.pushed(pushed, answer));
            }
            Readiness::Consumed => self.change(|state| state.pushed(pushed, Ok(()))),
            Readiness::Fail(error) => self.fail(error),
            Readiness::NotYet(item, until) => {
                self.change(|state| state.put_back(flushes, item));
                drop(working);
                // Whatever ends this wait, the next step looks again.
                let _ = self
                    .shared
                    .guarded
                    .wait(self.lock(), Some(until), None, |state| {
                        !state.active || state.flushes != flushes || state.calls != calls
                    });
            }
        }
    }
}

/// The task has an item in its hands, until this is dropped.
struct Working<'a, I: HeldItem, E: Copy>(&'a Core<I, E>);

impl<I: HeldItem, E: Copy> Drop for Working<'_, I, E> {
    fn drop(&mut self) {
        self.0.change(|state| state.working = None);
    }
}
