// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few shapes that an answer can have.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::Response;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

use crate::server::NoAnswer;

/// An answer of any of the services.
pub(crate) type Reply = Response<Content>;

/// What an answer has behind its headers.
#[derive(Debug)]
pub(crate) struct Content {
    /// What has not been sent yet.
    left: Bytes,
    end: End,
}

#[derive(Debug)]
enum End {
    /// All of it is sent.
    Whole,
    /// Half of it is.
    Half,
    /// That has been written, and is to leave before the connection is closed.
    Written,
    /// Now that is closed.
    Closed,
}

impl Content {
    fn new(bytes: impl Into<Bytes>) -> Self {
        Self {
            left: bytes.into(),
            end: End::Whole,
        }
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = NoAnswer;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, NoAnswer>>> {
        let length = match self.end {
            End::Whole => self.left.len(),
            End::Half => {
                self.end = End::Written;
                self.left.len() / 2
            }
            End::Written => {
                self.end = End::Closed;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            End::Closed => return Poll::Ready(Some(Err(NoAnswer))),
        };
        let frame = match length {
            0 => None,
            length => Some(Ok(Frame::data(self.left.split_to(length)))),
        };
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}

/// An answer with this status, type and body.
///
/// If the status or the type is none that HTTP allows, the answer is a 500 that says so: both can
/// come from a test, which sees it sooner there than in a panic on the head-end's thread.
pub(crate) fn reply(status: u16, content_type: &str, body: impl Into<Bytes>) -> Reply {
    with_headers(status, &[(CONTENT_TYPE.as_str(), content_type)], body)
}

/// An answer with this status, these headers and this body, under the same condition.
pub(crate) fn with_headers(
    status: u16,
    headers: &[(impl AsRef<str>, impl AsRef<str>)],
    body: impl Into<Bytes>,
) -> Reply {
    headers
        .iter()
        .fold(
            Response::builder().status(status),
            |reply, (name, value)| reply.header(name.as_ref(), value.as_ref()),
        )
        .body(Content::new(body))
        .unwrap_or_else(|error| {
            let mut reply = Response::new(Content::new(error.to_string()));
            *reply.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            reply
        })
}

/// The same answer, whose connection is closed in the middle of it.
pub(crate) fn broken_off(mut reply: Reply) -> Reply {
    reply.body_mut().end = End::Half;
    reply
}

/// An answer for people.
pub(crate) fn text(status: u16, body: impl Into<Bytes>) -> Reply {
    reply(status, "text/plain; charset=utf-8", body)
}

/// An answer for programs.
pub(crate) fn json(body: &Value) -> Reply {
    reply(200, "application/json", body.to_string())
}

/// A refusal with a reason (RFC 9457).
pub(crate) fn problem(status: u16, title: &str) -> Reply {
    of_problem(status, &json!({ "title": title, "status": status }))
}

/// A refusal with a reason, and with what it was in this case.
pub(crate) fn detailed_problem(status: u16, title: &str, detail: &str) -> Reply {
    of_problem(
        status,
        &json!({ "title": title, "status": status, "detail": detail }),
    )
}

fn of_problem(status: u16, body: &Value) -> Reply {
    reply(status, "application/problem+json", body.to_string())
}
