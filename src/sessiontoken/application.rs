// SPDX-License-Identifier: MIT OR Apache-2.0

//! Tokens that the application gives a session: what the signal `request-token-for` is asked with,
//! and what it gives back.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::signals;
use crate::auth_service::parameters::MAX_FILE;
use crate::error::Failure;
use crate::http::headers;
use crate::session::FetchReason;
use crate::shared_result::SharedResult;
use crate::token::{Grant, Secret, checked};
use crate::value::c_text;
use crate::wait::lock;

/// What the handler gave back, once it has.
type Answer = SharedResult<Option<gst::Structure>>;

/// The answer that an element's handler owes, over several tunes: while it has not come nobody else
/// is asked.
#[derive(Default)]
pub struct PendingAnswer(Mutex<Option<Pending>>);

struct Pending {
    /// What it was asked. Another question has another answer.
    question: Question,
    answer: Arc<Answer>,
}

type Question = (FetchReason, Option<String>);

impl PendingAnswer {
    /// Somebody has logged out: what comes yet is of before.
    pub fn forget(&self) {
        *lock(&self.0) = None;
    }
}

/// What becomes of a question.
enum Asked {
    /// Its answer will be here.
    Answer(Arc<Answer>),
    /// The handler is busy with another one.
    Busy(Arc<Answer>),
    Nobody,
}

/// A token that the application gave.
pub struct AppGrant {
    pub grant: Grant,
    pub headers: Vec<(String, Secret)>,
}

/// The application that listens to an element's signals.
pub struct Application(glib::WeakRef<super::SessionToken>);

impl Application {
    pub fn of(element: &super::SessionToken) -> Self {
        Self(element.downgrade())
    }

    pub fn of_weak(element: glib::WeakRef<super::SessionToken>) -> Self {
        Self(element)
    }

    /// Asks for a token, where somebody listens. `None` leaves it to the service.
    ///
    /// # Errors
    ///
    /// `TimedOut` where no answer comes in time, `Misconfigured` for one that is no token.
    pub async fn ask(
        &self,
        reason: FetchReason,
        key_ids: Option<String>,
        timeout: Duration,
    ) -> Result<Option<AppGrant>, Failure> {
        let question = (reason, key_ids);
        let asked = async {
            loop {
                match self.begin(&question) {
                    Asked::Nobody => return None,
                    Asked::Answer(answer) => {
                        let given = poll_fn(|cx| answer.poll(cx.waker())).await;
                        self.forget(&answer);
                        return given;
                    }
                    Asked::Busy(other) => {
                        poll_fn(|cx| other.poll(cx.waker())).await;
                    }
                }
            }
        };
        let given = tokio::time::timeout(timeout, asked).await.map_err(|_| {
            Failure::timed_out(format!(
                "the application's handler of `request-token-for` gave nothing back within {} ms: raise `timeout`",
                timeout.as_millis()
            ))
        })?;
        given.as_deref().map(read).transpose()
    }

    /// Has the handler called, unless it is still busy.
    fn begin(&self, question: &Question) -> Asked {
        let Some(element) = self.0.upgrade() else {
            return Asked::Nobody;
        };
        if !signals::has_handler_for_context(&element) {
            return Asked::Nobody;
        }
        let mut pending = lock(&element.imp().pending_answer.0);
        if let Some(known) = pending.as_ref().filter(|one| one.answer.peek().is_none()) {
            let answer = known.answer.clone();
            return match known.question == *question {
                true => Asked::Answer(answer),
                false => Asked::Busy(answer),
            };
        }
        let (answer, completer) = SharedResult::pending(None);
        *pending = Some(Pending {
            question: question.clone(),
            answer: answer.clone(),
        });
        drop(pending);
        let (reason, key_ids) = question.clone();
        let context = context(reason, element.imp().system(), key_ids);
        signals::ask_application_for(&element, context, completer);
        Asked::Answer(answer)
    }

    /// The answer was read.
    fn forget(&self, answer: &Arc<Answer>) {
        if let Some(element) = self.0.upgrade() {
            let mut pending = lock(&element.imp().pending_answer.0);
            pending.take_if(|one| Arc::ptr_eq(&one.answer, answer));
        }
    }
}

/// What the application has to know.
fn context(
    reason: FetchReason,
    system_id: Option<String>,
    key_ids: Option<String>,
) -> gst::Structure {
    let (word, generation, status) = match reason {
        FetchReason::First => ("first", None, None),
        FetchReason::Renewal { generation } => ("renewal", Some(generation), None),
        FetchReason::Refused {
            generation,
            http_status,
        } => ("refused", Some(generation), Some(http_status)),
    };
    gst::Structure::builder("request-token-for")
        .field("reason", word)
        .field_if_some("generation", generation)
        .field_if_some("http-status", status.filter(|status| *status != 0))
        .field_if_some("system-id", system_id)
        .field_if_some("key-ids", key_ids)
        .build()
}

/// # Errors
///
/// `Misconfigured`, with the field's name.
fn read(answer: &gst::StructureRef) -> Result<AppGrant, Failure> {
    let wrong = |what: &str| {
        Failure::misconfigured(format!(
            "what the application's handler of `request-token-for` gave back {what}"
        ))
    };
    let token = answer.value("session-token").ok();
    let token = token.and_then(|value| text(value));
    let token = token.ok_or_else(|| wrong("has no string `session-token` in UTF-8"))?;
    let token = checked(token, "the signal `request-token-for`")
        .map_err(|failure| Failure::misconfigured(failure.what))?;
    let lifetime = match answer.value("expires-in") {
        Err(_) => None,
        Ok(value) => {
            let seconds = seconds(value);
            Some(seconds.ok_or_else(|| wrong("has an `expires-in` that is no number of seconds"))?)
        }
    };
    Ok(AppGrant {
        grant: Grant {
            token,
            lifetime: lifetime.filter(|lifetime| !lifetime.is_zero()),
        },
        headers: match answer.value("http-headers") {
            Err(_) => Vec::new(),
            Ok(value) => http_headers(value)
                .ok_or_else(|| wrong("has `http-headers` that are no structure of strings"))?,
        },
    })
}

/// A text, which a program in C may have in any encoding.
fn text(value: &glib::Value) -> Option<Secret> {
    c_text(value)?.to_str().ok().map(Secret::from)
}

/// A number of whatever type the application's language makes of it.
fn seconds(value: &glib::Value) -> Option<Duration> {
    let number = value.transform::<i64>().ok()?.get::<i64>().ok()?;
    let is_number = [
        glib::Type::I32,
        glib::Type::U32,
        glib::Type::I64,
        glib::Type::U64,
    ]
    .contains(&value.type_());
    u64::try_from(number)
        .ok()
        .filter(|_| is_number)
        .map(Duration::from_secs)
}

fn http_headers(value: &glib::Value) -> Option<Vec<(String, Secret)>> {
    let structure = value.get::<gst::Structure>().ok()?;
    let pair =
        |(name, value): (&glib::GStr, &glib::SendValue)| Some((name.to_string(), text(value)?));
    let pairs: Vec<_> = structure.iter().map(pair).collect::<Option<_>>()?;
    let size: usize = pairs.iter().map(|(_, value)| value.expose().len()).sum();
    let checked = headers::checked(pairs, "http-headers", &[]).ok()?;
    Some(checked).filter(|_| size <= MAX_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_is_read_in_whatever_types() {
        gst::init().expect("GStreamer starts");
        let with = |expires_in: &dyn ToSendValue| {
            let mut answer = gst::Structure::builder("token")
                .field("session-token", "abc")
                .build();
            answer.set_value("expires-in", expires_in.to_send_value());
            let read = read(&answer).map_err(|failure| failure.what)?;
            Ok::<_, String>(read.grant.lifetime)
        };
        let minute = Ok(Some(Duration::from_secs(60)));
        assert_eq!(with(&60_u32), minute);
        assert_eq!(with(&60_i32), minute);
        assert_eq!(with(&60_i64), minute);
        assert_eq!(with(&60_u64), minute);
        assert_eq!(with(&0_u32), Ok(None));
        assert!(with(&-1_i32).is_err());
        assert!(with(&"60").is_err());
        assert!(with(&true).is_err());
    }

    #[test]
    fn answer_that_is_no_token_is_named_and_not_quoted() {
        gst::init().expect("GStreamer starts");
        let builder = || gst::Structure::builder("token");
        let headers = gst::Structure::builder("http-headers").field("X", "SECRET\r\nY: z");
        for (answer, says) in [
            (builder(), "`session-token`"),
            (builder().field("session-token", 7), "`session-token`"),
            (
                builder().field("session-token", "a SECRET"),
                "visible ASCII",
            ),
            (
                builder()
                    .field("session-token", "SECRET")
                    .field("expires-in", "SECRET"),
                "`expires-in`",
            ),
            (
                builder()
                    .field("session-token", "SECRET")
                    .field("http-headers", headers.build()),
                "`http-headers`",
            ),
        ] {
            let Err(failure) = read(&answer.build()) else {
                panic!("{says}");
            };
            assert!(failure.what.contains(says), "{}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }
}
