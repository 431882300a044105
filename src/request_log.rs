// SPDX-License-Identifier: MIT OR Apache-2.0

//! A line in GStreamer's log for each request, in the category of the element that it is for.

use crate::http::{Attempt, Purpose};
use crate::{clearkeydec, hlsdrmdemux, sessiontoken};

/// Logs it at DEBUG: host and port, what came, how long it took, and what comes next.
pub fn log(attempt: &Attempt<'_>) {
    let (category, what) = match attempt.purpose {
        Purpose::Token => (&sessiontoken::CAT, "session token"),
        Purpose::License => (&clearkeydec::CAT, "license"),
        Purpose::Key => (&hlsdrmdemux::CAT, "key"),
    };
    gst::debug!(category, "{}", line(attempt, what));
}

/// "session token from localhost:50050, attempt 1: HTTP 503 after 3 ms (…), again in 150 ms"
fn line(attempt: &Attempt<'_>, what: &str) -> String {
    let Attempt {
        server,
        number,
        status,
        failure,
        elapsed,
        next,
        correlation_id,
        ..
    } = attempt;
    let mut line = format!("{what} from {server}, attempt {number}");
    if let Some(id) = correlation_id {
        line += &format!(", correlation id {id}");
    }
    line += &match status {
        Some(status) => format!(": HTTP {status}"),
        None => ": no reply".to_owned(),
    };
    line += &format!(" after {} ms", elapsed.as_millis());
    if let Some(failure) = failure {
        line += &format!(" ({failure})");
    }
    match (next, failure) {
        (Some(next), _) => line + &format!(", again in {} ms", next.as_millis()),
        (None, Some(_)) => line + ", not again",
        (None, None) => line,
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
            elapsed: Duration::from_millis(12),
            next: None,
            correlation_id: Some("id".into()),
        };
        assert_eq!(
            line(&attempt, "session token"),
            "session token from host:80, attempt 1, correlation id id: HTTP 200 after 12 ms"
        );
        let attempt = Attempt {
            number: 2,
            status: Some(503),
            failure: Some("no time"),
            next: Some(Duration::from_millis(150)),
            correlation_id: None,
            ..attempt
        };
        assert_eq!(
            line(&attempt, "license"),
            "license from host:80, attempt 2: HTTP 503 after 12 ms (no time), again in 150 ms"
        );
        let attempt = Attempt {
            status: None,
            next: None,
            ..attempt
        };
        assert_eq!(
            line(&attempt, "key"),
            "key from host:80, attempt 2: no reply after 12 ms (no time), not again"
        );
    }
}
