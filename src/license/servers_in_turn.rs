// SPDX-License-Identifier: MIT OR Apache-2.0

//! A license request to one server after the other, until one has an answer.

use std::time::{Duration, Instant};

use crate::error::{Failure, Kind};
use crate::http::{self, Deadline, Endpoint, HttpResponse, Request};
use crate::session::failover;

/// How long a license is waited for.
pub struct Deadlines {
    /// Where there is no other server to ask.
    last: Deadline,
    /// Where there is one: it is a better second attempt than the same server.
    others: Deadline,
}

impl Deadlines {
    /// From now on, for `timeout` all in all.
    pub fn new(timeout: Duration, retries: u32) -> Self {
        Self {
            last: Deadline::new(timeout, retries),
            others: Deadline::new(timeout, 0),
        }
    }
}

/// The answer, and how many requests it took: from the first of these servers that has one. One
/// that failed lately comes last.
///
/// # Errors
///
/// Those of the last server, with what those before it said.
pub async fn ask<T>(
    urls: &[Endpoint],
    request: impl Fn(&Endpoint) -> Request,
    deadlines: &Deadlines,
    read: impl Fn(&HttpResponse) -> Result<T, Failure>,
) -> Result<(T, u32), Failure> {
    let names: Vec<_> = urls.iter().map(server_name).collect();
    let servers = failover::order(&names, 0, Instant::now());
    let many = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    let mut attempts = 0_u32;
    let mut failures: Vec<Failure> = Vec::new();
    for (left, server) in (1..=many).rev().zip(servers) {
        let deadline = match left {
            1 => &deadlines.last,
            _ => &deadlines.others,
        };
        let share = deadline.share(many, left);
        match http::exchange(&request(&urls[server]), &share, &read).await {
            Ok((answer, made)) => {
                failover::answered(&names[server]);
                return Ok((answer, attempts.saturating_add(made)));
            }
            Err(failure) => {
                attempts = attempts.saturating_add(failure.attempts);
                let is_worth_another = is_worth_another_server(&failure);
                if many > 1 && is_worth_another {
                    failover::failed(&names[server], failure.retry_after, Instant::now());
                }
                failures.push(failure);
                if !is_worth_another {
                    break;
                }
            }
        }
    }
    let failure = failures.into_iter().reduce(|before, mut last| {
        last.what = format!("{}; before that, {}", last.what, before.what);
        last
    });
    let failure = failure.unwrap_or_else(|| Failure::misconfigured("there is no license server"));
    Err(failure.after_attempts(attempts))
}

/// What tells a server from others, for the memory of those that failed. A path may be another
/// service.
fn server_name(url: &Endpoint) -> String {
    format!("licenses of {}", Endpoint::redacted(url.as_str()))
}

/// Whether another server may do better: this one is not there, has no time, or has no such thing.
/// A refusal is one everywhere.
fn is_worth_another_server(failure: &Failure) -> bool {
    match failure.http_status {
        Some(404 | 408 | 410 | 429 | 500..=599) => true,
        Some(_) => false,
        None => matches!(failure.kind, Kind::Transient | Kind::TimedOut),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_server_is_asked_unless_one_refuses() {
        let with = |status| Failure::malformed("").with_http_status(status);
        for (failure, another) in [
            (Failure::transient("no connection"), true),
            (Failure::timed_out(""), true),
            (with(404), true),
            (with(410), true),
            (with(429), true),
            (with(503), true),
            (with(401), false),
            (with(403), false),
            (with(412), false),
            (with(400), false),
            (with(307), false),
            (with(200), false),
            (Failure::malformed("no HTTP"), false),
            (Failure::misconfigured(""), false),
        ] {
            assert_eq!(is_worth_another_server(&failure), another, "{failure:?}");
        }
    }
}
