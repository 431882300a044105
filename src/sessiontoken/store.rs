// SPDX-License-Identifier: MIT OR Apache-2.0

//! `GstSessionTokenStore`: where a decryptor gets tokens beyond the one on its protection event,
//! and reports that one was rejected.
//!
//! Who waits for whom: `reject` blocks its caller, which may be the decryptor's streaming thread in
//! its chain function (it holds the stream locks from our source pad down), a license thread, or
//! several pads at once. It holds no lock of ours while it waits, and nothing that ends the wait
//! takes one of those: an answer comes from the runtime, `set-flushing` from the thread that stops
//! or flushes the decryptor, and a stop of this element from the thread that changes its state,
//! before pads are deactivated. So neither a flush nor a stop waits for a request.

// hotdoc reads those of signals.
#![allow(unused_doc_comments)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Poll, Wake, Waker};
use std::time::Instant;

use gst::glib;
use gst::glib::subclass::Signal;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use super::key_request_meta::date_time;
use crate::error::Failure;
use crate::token::{ClockReading, Secret, Token};
use crate::tune::{Attachment, Newer};
use crate::wait::{Guarded, lock};

/// Type of the context query, and of the context that answers it.
pub const CONTEXT_TYPE: &str = "drm-session-token";

glib::wrapper! {
    /// The tokens of one element's session.
    pub struct Store(ObjectSubclass<imp::Store>);
}

/// Where a store has its tokens from: an element, as long as there is one.
pub trait Tokens: Send + Sync {
    /// The newest valid token of whoever issued the one of that generation, 0 for none in
    /// particular.
    fn newest(&self, generation: u32) -> Option<Attachment>;

    /// A newer token than the rejected one. The waker is woken when there is something new to say.
    fn newer_than(&self, generation: u32, http_status: u32, waker: &Waker) -> Newer;

    /// The first token of a tune.
    fn first(&self, waker: &Waker) -> Newer;

    /// Until when a wait that begins now lasts, at the latest.
    fn wait_until(&self) -> Instant;

    /// The key request of a token, as an event of the stream would have it.
    fn key_request(&self, attachment: &Attachment) -> gst::Structure;
}

/// Gives the tokens, or `None` where the element is gone.
pub type Source = Box<dyn Fn() -> Option<Arc<dyn Tokens>> + Send + Sync>;

/// A token for a request that belongs to no protection event, and what carries it.
pub struct TokenForKey {
    pub token: Secret,
    pub generation: u32,
    pub headers: Vec<(String, Secret)>,
    /// For the URL, encoded.
    pub query: Option<Secret>,
}

impl From<Attachment> for TokenForKey {
    fn from(attachment: Attachment) -> Self {
        let Attachment { token, policy, .. } = attachment;
        Self {
            generation: token.generation(),
            headers: policy.shape.headers(&token),
            query: policy.shape.query(token.text()),
            token: token.text().clone(),
        }
    }
}

/// The waits of one store.
#[derive(Default)]
pub struct Waits {
    /// The decryptor flushes: nobody waits.
    is_flushing: bool,
    /// Counts the times that there may be something new.
    calls: u64,
}

/// Wakes those who wait to look again. It keeps no store alive.
struct StoreWaker(Weak<Guarded<Waits>>);

impl Wake for StoreWaker {
    fn wake(self: Arc<Self>) {
        if let Some(waits) = self.0.upgrade() {
            waits.change(|waits| waits.calls += 1);
        }
    }
}

impl Store {
    pub fn new(source: Source) -> Self {
        let store: Self = glib::Object::new();
        // It is set once.
        let _ = store.imp().source.set(source);
        store
    }

    /// Who waits looks again: the element may be stopping.
    pub fn wake(&self) {
        self.imp().waits.change(|waits| waits.calls += 1);
    }

    /// While it is set every `reject` returns with nothing at once.
    pub fn set_flushing(&self, is_flushing: bool) {
        self.imp()
            .waits
            .change(|waits| waits.is_flushing = is_flushing);
    }

    fn tokens(&self) -> Option<Arc<dyn Tokens>> {
        self.imp().source.get()?()
    }

    /// The newest valid token.
    fn newest(&self, generation: u32) -> Option<gst::Structure> {
        let tokens = self.tokens()?;
        let attachment = tokens.newest(generation)?;
        Some(tokens.key_request(&attachment))
    }

    fn reject(&self, generation: u32, http_status: u32) -> Option<gst::Structure> {
        let newer =
            |tokens: &dyn Tokens, waker: &Waker| tokens.newer_than(generation, http_status, waker);
        let newer = self.wait_for(newer);
        *lock(&self.imp().failure) = match &newer {
            Err(Some(failure)) => Some(failure.what.clone()),
            _ => None,
        };
        Some(self.tokens()?.key_request(&newer.ok()?))
    }

    /// Waits for the first token of a tune, or gives the newest one.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn first_for_key(&self) -> Result<TokenForKey, Failure> {
        self.first_attachment().map(TokenForKey::from)
    }

    /// The same, with all that a key request would have.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn first_attachment(&self) -> Result<Attachment, Failure> {
        let found = self.wait_for(|tokens, waker| tokens.first(waker));
        found.map_err(|failure| {
            failure.unwrap_or_else(|| Failure::timed_out("no session token came in time"))
        })
    }

    /// The same after the token of that generation was rejected with that status.
    pub fn another_for_key(&self, generation: u32, http_status: u16) -> Option<TokenForKey> {
        let newer = |tokens: &dyn Tokens, waker: &Waker| {
            tokens.newer_than(generation, u32::from(http_status), waker)
        };
        self.wait_for(newer).ok().map(TokenForKey::from)
    }

    /// Waits for what `poll` says. An error without a failure means that the wait was given up.
    fn wait_for(
        &self,
        poll: impl Fn(&dyn Tokens, &Waker) -> Newer,
    ) -> Result<Attachment, Option<Failure>> {
        let waits = &self.imp().waits;
        // One for all waits, so that whoever keeps wakers keeps one.
        let waker = &self.imp().waker;
        let mut until = None;
        loop {
            let calls = {
                let waits = waits.lock();
                if waits.is_flushing {
                    return Err(None);
                }
                waits.calls
            };
            {
                // Not while it waits: the element must be able to go.
                let tokens = self.tokens().ok_or(None)?;
                if let Poll::Ready(newer) = poll(&*tokens, waker) {
                    return newer;
                }
                until = until.or_else(|| Some(tokens.wait_until()));
            }
            let (now, _) = waits.wait(waits.lock(), until, None, |waits| {
                waits.is_flushing || waits.calls != calls
            });
            if now.is_flushing || now.calls == calls {
                return Err(None);
            }
        }
    }
}

/// As what C's `gst_structure_get()` asks for: it wants the very type.
pub fn as_object(store: Store) -> glib::SendValue {
    let value = store.upcast::<glib::Object>().to_value();
    // SAFETY: what is in the value may be sent.
    unsafe { value.into_send_value() }
}

/// Answers with nothing where there is a panic: glib's marshaller would end the process.
fn guarded<R: Default>(act: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_default()
}

mod imp {
    use once_cell::sync::OnceCell;

    use super::*;

    pub struct Store {
        pub source: OnceCell<Source>,
        pub waits: Arc<Guarded<Waits>>,
        pub waker: Waker,
        /// Why the last `reject` gave nothing.
        pub failure: Mutex<Option<String>>,
    }

    impl Default for Store {
        fn default() -> Self {
            let waits = Arc::<Guarded<Waits>>::default();
            Self {
                source: OnceCell::new(),
                waker: Arc::new(StoreWaker(Arc::downgrade(&waits))).into(),
                failure: Mutex::default(),
                waits,
            }
        }
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Store {
        const NAME: &'static str = "GstSessionTokenStore";
        type Type = super::Store;
    }

    impl ObjectImpl for Store {
        fn properties() -> &'static [glib::ParamSpec] {
            static PROPERTIES: Lazy<Vec<glib::ParamSpec>> = Lazy::new(|| {
                vec![
                    glib::ParamSpecString::builder("session-token")
                        .nick("Session token")
                        .blurb("The newest valid token, NULL where there is none")
                        .read_only()
                        .build(),
                    glib::ParamSpecUInt::builder("generation")
                        .nick("Generation")
                        .blurb("The generation of that token, 0 where there is none")
                        .read_only()
                        .build(),
                    glib::ParamSpecBoxed::builder::<gst::DateTime>("expires-at")
                        .nick("Expires at")
                        .blurb("When that token ends, NULL where that is not known")
                        .read_only()
                        .build(),
                    glib::ParamSpecString::builder("failure")
                        .nick("Failure")
                        .blurb("Why the last reject gave no token, in a sentence without secrets; NULL where it gave one")
                        .read_only()
                        .build(),
                ]
            });
            PROPERTIES.as_ref()
        }

        fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
            if pspec.name() == "failure" {
                return lock(&self.failure).to_value();
            }
            let tokens = self.obj().tokens();
            let newest = tokens.and_then(|tokens| tokens.newest(0));
            let token = newest.as_ref().map(|attachment| &attachment.token);
            match pspec.name() {
                "session-token" => token.map(|token| token.text().expose()).to_value(),
                "generation" => token.map_or(0, Token::generation).to_value(),
                _ => token
                    .and_then(|token| token.validity().ends_at(ClockReading::now()))
                    .and_then(date_time)
                    .to_value(),
            }
        }

        fn signals() -> &'static [Signal] {
            static SIGNALS: Lazy<Vec<Signal>> = Lazy::new(|| {
                vec![
                    /**
                     * GstSessionTokenStore::reject:
                     * @store: the store
                     * @generation: that of the token that was rejected
                     * @http_status: with which status, 0 where there was none
                     *
                     * Waits until there is a newer token, at the longest for the element's
                     * `timeout`. However many decryptors report one token, one new one is fetched.
                     *
                     * Returns: (nullable) (transfer full): a `drm-key-request` with the newer
                     *     token, or %NULL where there is none, and while `set-flushing` is set
                     *
                     * Since: 0.1.0
                     */
                    Signal::builder("reject")
                        .param_types([u32::static_type(), u32::static_type()])
                        .return_type::<Option<gst::Structure>>()
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let (generation, status) = (args[1].get().ok()?, args[2].get().ok()?);
                            Some(guarded(|| store.reject(generation, status)).to_value())
                        })
                        .build(),
                    /**
                     * GstSessionTokenStore::newest:
                     * @store: the store
                     * @generation: that of the token at hand, 0 where there is none
                     *
                     * Makes no request and waits for none. Where a presentation has several
                     * services (DASH-IF's model), the token is of the service that issued the one
                     * at hand.
                     *
                     * Returns: (nullable) (transfer full): a `drm-key-request` with the newest
                     *     valid token, or %NULL where there is none
                     *
                     * Since: 0.1.0
                     */
                    Signal::builder("newest")
                        .param_types([u32::static_type()])
                        .return_type::<Option<gst::Structure>>()
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let generation = args[1].get().ok()?;
                            Some(guarded(|| store.newest(generation)).to_value())
                        })
                        .build(),
                    /**
                     * GstSessionTokenStore::set-flushing:
                     * @store: the store
                     * @flushing: whether the decryptor is stopped or flushed
                     *
                     * While it is set every `reject` returns %NULL at once: those that wait, and
                     * those that begin. To be called when the decryptor is stopped or flushed: bins
                     * stop sinks first, and nobody else can wake a decryptor that waits here.
                     *
                     * Since: 0.1.0
                     */
                    Signal::builder("set-flushing")
                        .param_types([bool::static_type()])
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let is_flushing = args[1].get().ok()?;
                            guarded(|| store.set_flushing(is_flushing));
                            None
                        })
                        .build(),
                ]
            });
            SIGNALS.as_ref()
        }
    }
}
