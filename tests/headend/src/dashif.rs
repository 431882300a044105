// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's authorization service (DASH-IF implementation guidelines, "Content protection and
//! security"): tokens for the keys that a request names, as signed JSON Web Tokens, and what the
//! license server reads in them.

use std::time::SystemTime;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD as BASE64, Engine};
use hyper::Uri;
use ring::hmac;
use serde_json::{Value, json};

use crate::reply::{self, Reply};

/// Grants a token for the keys in the request's `kids`, for so many seconds. Whoever knows `secret`
/// can read it.
pub(crate) fn grant(uri: &Uri, secret: &str, seconds: u64) -> Reply {
    let Some(key_ids) = key_ids(uri) else {
        return reply::problem(
            400,
            "The parameter kids does not list key ids in ascending order.",
        );
    };
    reply::reply(
        200,
        "text/plain",
        token(uri.path(), &key_ids, secret, seconds),
    )
}

fn token(issuer: &str, key_ids: &[&str], secret: &str, seconds: u64) -> String {
    let header = json!({ "alg": "HS256" });
    let claims = json!({
        "iss": issuer,
        "authorized_kids": key_ids,
        "exp": now() + seconds,
    });
    let signed = format!("{}.{}", encoded(&header), encoded(&claims));
    let signature = hmac::sign(&key(secret), signed.as_bytes());
    format!("{signed}.{}", BASE64.encode(signature))
}

/// The keys (32 hexadecimal digits each) that a token is for, if it is one of ours and has not
/// ended.
pub(crate) fn authorized(token: &[u8], secret: &str) -> Option<Vec<String>> {
    let (signed, signature) = std::str::from_utf8(token).ok()?.rsplit_once('.')?;
    let signature = BASE64.decode(signature).ok()?;
    hmac::verify(&key(secret), signed.as_bytes(), &signature).ok()?;
    let (_, claims) = signed.split_once('.')?;
    let claims: Value = serde_json::from_slice(&BASE64.decode(claims).ok()?).ok()?;
    if claims["exp"].as_u64()? <= now() {
        return None;
    }
    let key_ids = claims["authorized_kids"].as_array()?.iter();
    let key_ids = key_ids.filter_map(Value::as_str);
    Some(key_ids.map(|id| id.replace('-', "")).collect())
}

/// The one list of key ids in the query, if it is written as it should be: lower case with hyphens,
/// each once, ascending.
fn key_ids(uri: &Uri) -> Option<Vec<&str>> {
    let pairs = uri.query()?.split('&');
    let mut lists = pairs.filter_map(|pair| pair.strip_prefix("kids="));
    let (Some(list), None) = (lists.next(), lists.next()) else {
        return None;
    };
    let key_ids: Vec<_> = list.split(',').collect();
    let is_well_written = key_ids.iter().all(|id| is_key_id(id));
    (is_well_written && key_ids.is_sorted_by(|one, next| one < next)).then_some(key_ids)
}

fn is_key_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        })
}

fn key(secret: &str) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes())
}

fn encoded(part: &Value) -> String {
    BASE64.encode(part.to_string())
}

/// Seconds since the epoch.
fn now() -> u64 {
    let since = SystemTime::UNIX_EPOCH.elapsed();
    since.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233-4455-6677-8899-aabbccddee01";
    const TWO: &str = "00112233-4455-6677-8899-aabbccddee02";

    fn asked(query: &str) -> Option<String> {
        let uri: Uri = format!("/authz{query}").parse().expect("a path");
        key_ids(&uri).map(|ids| ids.join(" "))
    }

    #[test]
    fn key_ids_are_taken_in_one_way_of_writing_only() {
        assert_eq!(asked(&format!("?kids={ONE}")), Some(ONE.to_owned()));
        assert_eq!(
            asked(&format!("?x=1&kids={ONE},{TWO}")),
            Some(format!("{ONE} {TWO}"))
        );
        for query in [
            String::new(),
            "?kids=".to_owned(),
            format!("?kids={TWO},{ONE}"),
            format!("?kids={ONE},{ONE}"),
            format!("?kids={}", ONE.to_uppercase()),
            format!("?kids={}", ONE.replace('-', "")),
            format!("?kids={ONE}&kids={TWO}"),
        ] {
            assert_eq!(asked(&query), None, "{query}");
        }
    }

    #[test]
    fn token_is_valid_only_with_secret_and_until_expiry() {
        let token = |seconds| token("/authz", &[ONE], "secret", seconds);
        let good = token(60);
        let for_one = Some(vec![ONE.replace('-', "")]);
        assert_eq!(authorized(good.as_bytes(), "secret"), for_one);
        assert_eq!(authorized(good.as_bytes(), "another"), None);
        assert_eq!(authorized(token(0).as_bytes(), "secret"), None);
        assert_eq!(authorized(b"a.b.c", "secret"), None);
    }
}
