// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a JSON Web Token says of its own time. The signature is not ours to check: the license
//! server does.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::Secret;
use crate::json::{self, Object, Scalar};

/// How far two clocks may be apart before a token counts as one of the future.
const LEEWAY: Duration = Duration::from_secs(60);

/// The times that a token names (RFC 7519, 4.1), as far as they can be read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `exp`
    pub ends: Option<SystemTime>,
    /// `nbf`
    begins: Option<SystemTime>,
    /// Its header says how it is signed (`alg`).
    pub names_algorithm: bool,
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

/// Reads a token in compact form; `None` for what is no such token. The times stand among the
/// claims or, as in the example of DASH-IF's guidelines, in the header.
pub fn claims(token: &Secret) -> Option<Claims> {
    #[derive(Deserialize)]
    struct Times {
        #[serde(default)]
        exp: Option<Scalar>,
        #[serde(default)]
        nbf: Option<Scalar>,
    }
    #[derive(Deserialize)]
    struct Header {
        #[serde(default)]
        alg: Option<Scalar>,
        #[serde(flatten)]
        times: Times,
    }
    // Header, claims and signature (RFC 7515, 7.1).
    let parts: Vec<_> = token.expose().splitn(4, '.').collect();
    let [header, claims, _signature] = parts[..] else {
        return None;
    };
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map(Zeroizing::new);
    // Among what stands in no object there is nothing to be found.
    let Object(claims) = serde_json::from_slice::<Object<Times>>(&decode(claims).ok()?).ok()?;
    let header: Option<Header> = json::read_object(&decode(header).unwrap_or_default()).ok();
    let names_algorithm = header
        .as_ref()
        .is_some_and(|header| matches!(header.alg, Some(Scalar::Text(_))));
    let in_header = header.map(|header| header.times);
    let (header_exp, header_nbf) = in_header.map_or((None, None), |times| (times.exp, times.nbf));
    // The first of the two that is a time.
    let time = |claim: Option<Scalar>, in_header: Option<Scalar>| {
        let date = |scalar: Scalar| scalar.date().or_else(|| digits(&scalar));
        claim.and_then(date).or_else(|| in_header.and_then(date))
    };
    Some(Claims {
        ends: time(claims.exp, header_exp),
        begins: time(claims.nbf, header_nbf),
        names_algorithm,
    })
}

/// A number in a string, as the guidelines' example has it.
fn digits(scalar: &Scalar) -> Option<SystemTime> {
    Scalar::Integer(scalar.integer()?).date()
}

#[cfg(test)]
mod tests {
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
            assert_eq!((claims.ends, claims.begins), (None, None), "{body}");
        }
    }

    #[test]
    fn what_is_no_jwt_has_no_claims() {
        for body in ["[1060]", "no JSON"] {
            assert_eq!(claims(&jwt(ALG, body)), None, "{body}");
        }
        for token in ["", "a", "a.b", "a.b.c", "..", "a.b.c.d", "é.é.é"] {
            assert_eq!(claims(&Secret::from(token)), None, "{token}");
        }
    }

    #[test]
    fn every_algorithm_is_one_and_none_takes_the_end_away() {
        for (header, is_named) in [
            (r#"{"alg":"HS256"}"#, true),
            (r#"{"alg":"ES512","kid":"1","x":[1]}"#, true),
            (r#"{"typ":"JWT"}"#, false),
            (r#"{"alg":5}"#, false),
            ("[]", false),
            ("no JSON", false),
        ] {
            let claims = claims(&jwt(header, r#"{"exp":1060}"#)).expect(header);
            assert_eq!(
                (claims.names_algorithm, claims.ends),
                (is_named, Some(at(1060))),
                "{header}"
            );
        }
    }

    #[test]
    fn nbf_allows_one_minute_clock_skew() {
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
