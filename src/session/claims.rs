// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a JSON Web Token says of its own time. The signature is not ours to check: the licence server does.

use std::time::{Duration, SystemTime};

use jsonwebtoken::dangerous::insecure_decode_claims;
use serde::Deserialize;

use crate::json::{Object, Scalar};
use crate::secret::Secret;

/// How far two clocks may be apart before a token counts as one of the future.
const LEEWAY: Duration = Duration::from_secs(60);

/// The times that a token names (RFC 7519, 4.1), as far as they can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `exp`
    pub ends: Option<SystemTime>,
    /// `nbf`
    begins: Option<SystemTime>,
}

impl Claims {
    /// Whether its time has not begun yet.
    pub fn is_ahead(&self, wall: SystemTime) -> bool {
        self.begins.is_some_and(|begins| {
            let ahead = begins.duration_since(wall);
            ahead.is_ok_and(|ahead| ahead > LEEWAY)
        })
    }
}

/// Reads a token in compact form whose header names its `alg`; `None` for what is no such token. The times stand among the claims or, as in the
/// example of DASH-IF's guidelines, in the header.
pub fn claims(token: &Secret) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Times {
        #[serde(default)]
        exp: Option<Scalar>,
        #[serde(default)]
        nbf: Option<Scalar>,
    }
    let header = jsonwebtoken::decode_header(token.expose()).ok()?;
    let in_header = |name| header.extras.get::<Scalar>(name).ok().flatten();
    // Among what stands in no object there is nothing to be found.
    let Object(times) = insecure_decode_claims::<Object<Times>>(token.expose()).ok()?;
    // The first of the two that is a time.
    let time = |claim: Option<Scalar>, name| {
        let date = |scalar: Scalar| scalar.date().or_else(|| digits(&scalar));
        claim
            .and_then(date)
            .or_else(|| in_header(name).and_then(date))
    };
    Some(Claims {
        ends: time(times.exp, "exp"),
        begins: time(times.nbf, "nbf"),
    })
}

/// A number in a string, as the guidelines' example has it.
fn digits(scalar: &Scalar) -> Option<SystemTime> {
    Scalar::Integer(scalar.integer()?).date()
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn jwt(header: &str, claims: &str) -> Secret {
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        Secret::new(format!("{}.{}.c2ln", part(header), part(claims)))
    }

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    const ALG: &str = r#"{"alg":"ES256","typ":"JWT"}"#;

    #[test]
    fn times_are_read_wherever_they_stand() {
        for (header, body) in [
            (ALG, r#"{"exp":1060}"#),
            (ALG, r#"{"exp":"1060"}"#),
            (r#"{"alg":"HS256","exp":"1060"}"#, "{}"),
            (r#"{"alg":"HS256","exp":1060}"#, r#"{"exp":"soon"}"#),
        ] {
            let claims = claims(&jwt(header, body)).expect(body);
            assert_eq!(claims.ends, Some(at(1060)), "{header} {body}");
        }
    }

    #[test]
    fn what_names_no_time_has_no_end() {
        for body in [
            "{}",
            r#"{"exp":-1}"#,
            r#"{"exp":1e300}"#,
            r#"{"exp":null}"#,
            r#"{"exp":"soon"}"#,
        ] {
            let claims = claims(&jwt(ALG, body)).expect(body);
            assert_eq!(claims, Claims::default(), "{body}");
        }
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for (header, body) in [
            (ALG, "[1060]"),
            (ALG, "no JSON"),
            (r#"{"typ":"JWT"}"#, "{}"),
            ("[]", "{}"),
        ] {
            assert_eq!(claims(&jwt(header, body)), None, "{header} {body}");
        }
        for token in ["", "a", "a.b", "a.b.c", "..", "a.b.c.d", "é.é.é"] {
            assert_eq!(claims(&Secret::from(token)), None, "{token}");
        }
    }

    #[test]
    fn a_token_is_ahead_of_its_time_where_the_clocks_are_more_than_a_minute_apart() {
        let ahead = |nbf: u64| {
            let claims = claims(&jwt(ALG, &format!(r#"{{"nbf":{nbf}}}"#))).expect("a token");
            claims.is_ahead(at(1000))
        };
        assert_eq!(
            [0, 1000, 1060, 1061].map(ahead),
            [false, false, false, true]
        );
    }
}
