// SPDX-License-Identifier: MIT OR Apache-2.0

//! What an HTTP status other than the service's own means.

use crate::error::Failure;
use crate::http::HttpResponse;

/// The failure behind a status with which no service grants anything. `wanted` is what it was asked
/// for, `credentials` what to check after a refusal.
pub fn failure(reply: &HttpResponse, wanted: &str, credentials: &str) -> Failure {
    let status = reply.status;
    match status {
        401 | 403 => Failure::denied(format!(
            "the auth service refused {wanted} (HTTP {status}): check {credentials}"
        )),
        408 | 429 | 500..=599 => Failure::transient(format!(
            "the auth service does not give {wanted} at the moment (HTTP {status}){}",
            reply.retry_after_suffix()
        )),
        404 => Failure::malformed(
            "the auth service does not know that path (HTTP 404): check `location`",
        ),
        300..=303 | 307 | 308 => Failure::malformed(format!(
            "the auth service answered with a redirect (HTTP {status}){}, which is not followed: set `location` so that it is asked there",
            reply.redirect_suffix()
        )),
        _ => Failure::malformed(format!(
            "the auth service answered HTTP {status} where 200 was expected: check `location`"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    #[test]
    fn http_status_decides_failure_kind() {
        for (status, kind) in [
            (401, Kind::Denied),
            (403, Kind::Denied),
            (404, Kind::Malformed),
            (302, Kind::Malformed),
            (304, Kind::Malformed),
            (204, Kind::Malformed),
            (400, Kind::Malformed),
            (408, Kind::Transient),
            (429, Kind::Transient),
            (503, Kind::Transient),
        ] {
            let failure = failure(&HttpResponse::new(status, b""), "a session token", "x");
            assert_eq!(failure.kind, kind, "{status}");
            assert!(
                failure.what.contains(&format!("HTTP {status}")),
                "{failure:?}"
            );
        }
    }

    #[test]
    fn redirect_says_where_to() {
        let mut reply = HttpResponse::new(301, b"");
        reply.redirect = Some("https://auth.example:443".to_owned());
        let failure = failure(&reply, "a session token", "x");
        assert!(
            failure.what.contains("to https://auth.example:443"),
            "{failure:?}"
        );
    }
}
