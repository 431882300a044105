// SPDX-License-Identifier: MIT OR Apache-2.0

//! `GstSessionTokenStore`: what a decryptor asks for tokens beyond the one on its protection event, and tells when one was refused.
//!
//! Who waits for whom: `reject` blocks its caller, which may be the decryptor's streaming thread in its chain function (it holds
//! the stream locks from our source pad down), a license thread, or several pads at once. It holds no lock of ours while it
//! waits, and nothing that ends the wait takes one of those: an answer comes from the runtime, `cancel` from the thread
//! that stops or flushes the decryptor, and a stop of this element from the thread that changes its state, before pads
//! are deactivated. So neither a flush nor a stop waits for a request.

use std::sync::{Arc, Weak};
use std::time::Instant;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use once_cell::sync::Lazy;

use crate::error::Failure;
use crate::flight::Wake;
use crate::secret::Secret;
use crate::session::{Moment, Token};
use crate::wait::Guarded;

/// Type of the context query, and of the context that answers it.
pub const CONTEXT_TYPE: &str = "drm-session-token";

glib::wrapper! {
    /// The tokens of one element's session.
    pub struct Store(ObjectSubclass<imp::Store>);
}

/// What there is for somebody whose token was refused.
pub enum Newer {
    Token(Token),
    /// Under way; it is waited for until then at the latest.
    Wait(Instant),
    /// There will be none, for this reason.
    Failed(Failure),
    /// There will be none.
    None,
}

/// A token for a request that belongs to no protection event, and the header that carries it.
pub struct TokenForKey {
    pub token: Secret,
    pub generation: u32,
    pub header: (String, Secret),
}

/// The waits of one store.
#[derive(Default)]
pub struct Waits {
    cancels: u64,
    calls: u64,
}

/// Wakes those who wait to look again.
struct Bell(Arc<Guarded<Waits>>);

impl Wake for Bell {
    fn wake(&self) {
        self.0.change(|waits| waits.calls += 1);
    }
}

impl Store {
    pub fn new(element: &super::SessionToken) -> Self {
        let store: Self = glib::Object::new();
        store.imp().element.set(Some(element));
        store
    }

    /// Every `reject` that waits returns with nothing.
    pub fn cancel(&self) {
        self.imp().waits.change(|waits| waits.cancels += 1);
    }

    fn reject(&self, generation: u32, http_status: u32) -> Option<Token> {
        let newer =
            self.wait_for(|tokens, waiter| tokens.newer_than(generation, http_status, waiter));
        newer.ok()
    }

    /// Waits for the first token of a tune, or gives the newest one.
    ///
    /// # Errors
    ///
    /// Why there is none.
    pub fn first_for_key(&self) -> Result<TokenForKey, Failure> {
        let token = self.wait_for(|tokens, waiter| tokens.token_for_key(waiter));
        let with_header = |token| self.with_header(&token);
        let found = token.and_then(|token| with_header(token).ok_or(None));
        found.map_err(|failure| {
            failure.unwrap_or_else(|| Failure::timed_out("no session token came in time"))
        })
    }

    /// The same after the token of that generation was refused with that status.
    pub fn another_for_key(&self, generation: u32, http_status: u16) -> Option<TokenForKey> {
        self.with_header(&self.reject(generation, u32::from(http_status))?)
    }

    fn with_header(&self, token: &Token) -> Option<TokenForKey> {
        let element = self.imp().element.upgrade()?;
        Some(TokenForKey {
            token: token.text().clone(),
            generation: token.generation(),
            header: element.imp().key_request_header(token)?,
        })
    }

    /// Waits for what `poll` says. An error without a failure means that the wait was given up.
    fn wait_for(
        &self,
        poll: impl Fn(&super::imp::SessionToken, &Weak<dyn Wake>) -> Newer,
    ) -> Result<Token, Option<Failure>> {
        let waits = &self.imp().waits;
        let bell: Arc<dyn Wake> = Arc::new(Bell(waits.clone()));
        let cancels = waits.lock().cancels;
        let mut until = None;
        loop {
            let calls = waits.lock().calls;
            {
                // Not while it waits: it must be able to go.
                let element = self.imp().element.upgrade().ok_or(None)?;
                match poll(element.imp(), &Arc::downgrade(&bell)) {
                    Newer::Token(token) => return Ok(token),
                    Newer::Failed(failure) => return Err(Some(failure)),
                    Newer::None => return Err(None),
                    Newer::Wait(latest) => until = until.or(Some(latest)),
                }
            }
            let (now, _) = waits.wait(waits.lock(), until, None, |waits| {
                waits.cancels != cancels || waits.calls != calls
            });
            if now.cancels != cancels || now.calls == calls {
                return Err(None);
            }
        }
    }
}

mod imp {
    use super::*;

    #[derive(Default)]
    pub struct Store {
        pub element: glib::WeakRef<crate::sessiontoken::SessionToken>,
        pub waits: Arc<Guarded<Waits>>,
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
                ]
            });
            PROPERTIES.as_ref()
        }

        fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
            let token = self
                .element
                .upgrade()
                .and_then(|element| element.imp().newest());
            let token = token.as_ref();
            match pspec.name() {
                "session-token" => token.map(|token| token.text().expose()).to_value(),
                "generation" => token.map_or(0, Token::generation).to_value(),
                _ => token
                    .and_then(|token| token.life().ends_at(Moment::now()))
                    .and_then(crate::sessiontoken::key_request::date_time)
                    .to_value(),
            }
        }

        fn signals() -> &'static [glib::subclass::Signal] {
            static SIGNALS: Lazy<Vec<glib::subclass::Signal>> = Lazy::new(|| {
                vec![
                    /*
                     * GstSessionTokenStore::reject:
                     * @store: the store
                     * @generation: that of the token that was refused
                     * @http_status: with which status, 0 where there was none
                     *
                     * Waits until there is a newer token, at the longest for the element's `timeout`. However many decryptors
                     * complain of one token, one new one is fetched.
                     *
                     * Returns: (nullable) (transfer full): the newer token, or %NULL where there is none, and after `cancel`
                     *
                     * Since: 0.1.0
                     */
                    glib::subclass::Signal::builder("reject")
                        .param_types([u32::static_type(), u32::static_type()])
                        .return_type::<Option<String>>()
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let (generation, status) = (args[1].get().ok()?, args[2].get().ok()?);
                            let token = store.reject(generation, status);
                            let text = token.map(|token| token.text().expose().to_owned());
                            Some(text.to_value())
                        })
                        .build(),
                    /*
                     * GstSessionTokenStore::newest:
                     * @store: the store
                     * @generation: that of the token at hand, 0 where there is none
                     *
                     * Makes no request and waits for none. The property is the newest token of the service that is asked now; where a presentation has several
                     * services (DASH-IF's model), what a decryptor has in hand may be of another one.
                     *
                     * Returns: (nullable) (transfer full): the newest valid token of the service that gave the one of that generation, or %NULL
                     *
                     * Since: 0.1.0
                     */
                    glib::subclass::Signal::builder("newest")
                        .param_types([u32::static_type()])
                        .return_type::<Option<String>>()
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let element = store.imp().element.upgrade();
                            let generation = args[1].get().ok()?;
                            let token = element.and_then(|one| one.imp().newest_of(generation));
                            let text = token.map(|token| token.text().expose().to_owned());
                            Some(text.to_value())
                        })
                        .build(),
                    /*
                     * GstSessionTokenStore::generation-of:
                     * @store: the store
                     * @token: a token that the store has given
                     *
                     * Returns: its generation, 0 where it is not valid any more
                     *
                     * Since: 0.1.0
                     */
                    glib::subclass::Signal::builder("generation-of")
                        .param_types([String::static_type()])
                        .return_type::<u32>()
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            let store = args[0].get::<super::Store>().ok()?;
                            let text = Secret::new(args[1].get::<Option<String>>().ok()??);
                            let element = store.imp().element.upgrade();
                            let generation = element.map(|one| one.imp().generation_of(&text));
                            Some(generation.unwrap_or(0).to_value())
                        })
                        .build(),
                    /*
                     * GstSessionTokenStore::cancel:
                     * @store: the store
                     *
                     * Every `reject` that waits returns %NULL at once. To be called when the decryptor is stopped or flushed: bins stop
                     * sinks first, and nobody else can wake a decryptor that waits here.
                     *
                     * Since: 0.1.0
                     */
                    glib::subclass::Signal::builder("cancel")
                        .run_last()
                        .action()
                        .class_handler(|args| {
                            args[0].get::<super::Store>().ok()?.cancel();
                            None
                        })
                        .build(),
                ]
            });
            SIGNALS.as_ref()
        }
    }
}
