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
use crate::wait::lock;

/// What the handler gave back, once it has.
type Answer = SharedResult<Option<gst::Structure>>;

/// The answer that an element's handler owes, over several tunes: while it has not come nobody asks
/// again.
#[derive(Default)]
pub struct PendingAnswer(Mutex<Option<Arc<Answer>>>);

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
        let Some(answer) = self.begin(reason, key_ids) else {
            return Ok(None);
        };
        let come = poll_fn(|cx| answer.poll(cx.waker()));
        let given = tokio::time::timeout(timeout, come).await.map_err(|_| {
            Failure::timed_out(format!(
                "the application's handler of `request-token-for` gave nothing back within {} ms: raise `timeout`",
                timeout.as_millis()
            ))
        })?;
        given.as_deref().map(read).transpose()
    }

    /// Has the handler called, or waits for what it was called for before. `None` where nobody
    /// listens.
    fn begin(&self, reason: FetchReason, key_ids: Option<String>) -> Option<Arc<Answer>> {
        let element = self.0.upgrade()?;
        if !signals::has_handler_for_context(&element) {
            return None;
        }
        let mut pending = lock(&element.imp().pending_answer.0);
        if let Some(answer) = pending.take_if(|answer| answer.peek().is_none()) {
            return Some(pending.insert(answer).clone());
        }
        let (answer, completer) = SharedResult::pending(None);
        *pending = Some(answer.clone());
        drop(pending);
        let context = context(reason, element.imp().system(), key_ids);
        signals::ask_application_for(&element, context, completer);
        Some(answer)
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
    let token = answer
        .get::<Option<String>>("session-token")
        .ok()
        .flatten()
        .map(Secret::new)
        .ok_or_else(|| wrong("has no string `session-token`"))?;
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
    let pair = |(name, value): (&glib::GStr, &glib::SendValue)| {
        Some((name.to_string(), Secret::new(value.get::<String>().ok()?)))
    };
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
