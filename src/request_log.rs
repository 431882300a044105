// SPDX-License-Identifier: MIT OR Apache-2.0

//! A line in GStreamer's log for each request, in the category of the element that it is for.

use crate::http::{Attempt, Purpose};
use crate::{clearkeydec, hlsdrmdemux, ocdmdec, sessiontoken};

/// Logs it at DEBUG: host and port, what came, how long it took, and what comes next.
pub fn log(attempt: &Attempt<'_>) {
    let category = match attempt.purpose {
        Purpose::Token => &sessiontoken::CAT,
        Purpose::License => &clearkeydec::CAT,
        Purpose::CdmLicense => &ocdmdec::CAT,
        Purpose::Key => &hlsdrmdemux::CAT,
    };
    gst::debug!(category, "{}", line(attempt));
}

/// "session token from localhost:50050, attempt 1: HTTP 503 after 3 ms (…), again in 150 ms"
fn line(attempt: &Attempt<'_>) -> String {
    let (what, server) = (what(attempt.purpose), &attempt.server);
    let mut line = format!("{what} from {server}, attempt {}", attempt.number);
    if let Some(id) = &attempt.correlation_id {
        line += &format!(", correlation id {id}");
    }
    line += ": ";
    line += &came(attempt);
    if let Some(failure) = attempt.failure {
        line += &format!(" ({failure})");
    }
    line + &then(attempt)
}

/// "session token, attempt 1: HTTP 503 after 3 ms, again in 150 ms"
pub fn short_line(attempt: &Attempt<'_>) -> String {
    let (what, number) = (what(attempt.purpose), attempt.number);
    format!(
        "{what}, attempt {number}: {}{}",
        came(attempt),
        then(attempt)
    )
}

fn came(attempt: &Attempt<'_>) -> String {
    let time = attempt.elapsed.as_millis();
    match attempt.status {
        Some(status) => format!("HTTP {status} after {time} ms"),
        None => format!("no reply after {time} ms"),
    }
}

fn then(attempt: &Attempt<'_>) -> String {
    match (attempt.next, attempt.failure) {
        (Some(next), _) => format!(", again in {} ms", next.as_millis()),
        (None, Some(_)) => ", not again".to_owned(),
        (None, None) => String::new(),
    }
}

fn what(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Token => "session token",
        Purpose::License | Purpose::CdmLicense => "license",
        Purpose::Key => "key",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn line_says_what_came_and_what_comes_next() {
        let attempt = Attempt {
            purpose: Purpose::Token,
            server: "host:80".to_owned(),
            number: 1,
            status: Some(200),
            failure: None,
            first_byte: None,
            elapsed: Duration::from_millis(12),
            next: None,
            correlation_id: Some("id".into()),
        };
        assert_eq!(
            line(&attempt),
            "session token from host:80, attempt 1, correlation id id: HTTP 200 after 12 ms"
        );
        let attempt = Attempt {
            purpose: Purpose::License,
            number: 2,
            status: Some(503),
            failure: Some("no time"),
            next: Some(Duration::from_millis(150)),
            correlation_id: None,
            ..attempt
        };
        assert_eq!(
            line(&attempt),
            "license from host:80, attempt 2: HTTP 503 after 12 ms (no time), again in 150 ms"
        );
        let attempt = Attempt {
            purpose: Purpose::Key,
            status: None,
            next: None,
            ..attempt
        };
        assert_eq!(
            line(&attempt),
            "key from host:80, attempt 2: no reply after 12 ms (no time), not again"
        );
        assert_eq!(
            short_line(&attempt),
            "key, attempt 2: no reply after 12 ms, not again"
        );
    }
}
