// SPDX-License-Identifier: MIT OR Apache-2.0

//! The few shapes that an answer can have.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use serde_json::{Value, json};

/// An answer of any of the services.
pub(crate) type Reply = Response<Full<Bytes>>;

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
        .body(Full::new(body.into()))
        .unwrap_or_else(|error| {
            let mut reply = Response::new(Full::new(Bytes::from(error.to_string())));
            *reply.status_mut() = hyper::StatusCode::INTERNAL_SERVER_ERROR;
            reply
        })
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
