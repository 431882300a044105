// SPDX-License-Identifier: MIT OR Apache-2.0

//! ClearKey license requests and licenses as JSON (W3C Encrypted Media Extensions, 9.1.3 and
//! 9.1.4).

use std::collections::HashMap;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::json_web_key::{Jwk, UsableKey};
use super::{ContentKey, KeyId};
use crate::error::Failure;
use crate::http::{HttpResponse as HttpReply, REFUSALS};
use crate::json::{self, Element, Scalar};

/// What a license server gave.
#[derive(Debug, Default)]
pub struct License {
    pub keys: HashMap<KeyId, ContentKey>,
    /// When keys end, where the server says so. EME's ClearKey has nothing for that, but JSON Web
    /// Keys have `exp` (IANA's registry of their parameters, from OpenID Federation 1.0), which
    /// servers may add.
    ends: HashMap<KeyId, SystemTime>,
    /// What was wrong with the last key that cannot be used. It follows "a key in the license".
    pub ignored: Option<String>,
}

impl License {
    /// Until when all of these keys are good, where anybody says so. One that has ended before it
    /// came says nothing: our clock is wrong more likely than the server.
    pub fn end(&self, key_ids: &[KeyId], wall: SystemTime) -> Option<SystemTime> {
        let ends = key_ids.iter().filter_map(|key_id| self.ends.get(key_id));
        ends.copied().filter(|end| *end > wall).min()
    }

    /// When keys end that nobody asked for: each by itself.
    pub fn ends_of_others(
        &self,
        key_ids: &[KeyId],
        wall: SystemTime,
    ) -> impl Iterator<Item = (KeyId, SystemTime)> {
        let others = self.ends.iter();
        others
            .filter(move |(key_id, end)| !key_ids.contains(key_id) && **end > wall)
            .map(|(key_id, end)| (*key_id, *end))
    }
}

/// The body of the request for these keys.
pub fn request_body(key_ids: &[KeyId]) -> Vec<u8> {
    let kids = key_ids
        .iter()
        .map(|key_id| URL_SAFE_NO_PAD.encode(key_id.0))
        .collect::<Vec<_>>();
    serde_json::json!({ "kids": kids, "type": "temporary" })
        .to_string()
        .into_bytes()
}

/// Reads a reply.
///
/// # Errors
///
/// `Denied` for HTTP 401, 403 and 412; `Transient` for 408, 429 and 5xx; `Malformed` for what is no
/// license. No error holds text from the reply.
pub fn read_license(reply: &HttpReply) -> Result<License, Failure> {
    check_status(reply)?;
    read_body(&reply.body, &named(" of ", &reply.place))
        .map_err(|failure| failure.with_http_status(reply.status))
}

/// Whether a license server's reply is one, whatever the license is.
///
/// # Errors
///
/// `Denied` for HTTP 401, 403 and 412; `Transient` for 408, 429 and 5xx; `Malformed` for others.
pub fn check_status(reply: &HttpReply) -> Result<(), Failure> {
    let http_status = reply.status;
    match http_status {
        200 | 201 => Ok(()),
        _ if REFUSALS.contains(&http_status) => Err(refusal(reply)),
        408 | 429 | 500..=599 => Err(Failure::transient(format!(
            "the license server{} has no license at the moment (HTTP {http_status}){}",
            named(" ", &reply.place),
            reply.retry_after_suffix()
        ))),
        300..=303 | 307 | 308 => Err(Failure::malformed(format!(
            "the license server{} answered with a redirect (HTTP {http_status}){}, which is not followed: set `license-url` to where it points",
            named(" ", &reply.place),
            reply.redirect_suffix()
        ))),
        _ => Err(Failure::malformed(format!(
            "the license server{} answered HTTP {http_status} where 200 was expected: check `license-url`",
            named(" ", &reply.place)
        ))),
    }
    .map_err(|failure| failure.with_http_status(http_status))
}

/// The server's name in a sentence, where there is one.
fn named(before: &str, place: &str) -> String {
    match place {
        "" => String::new(),
        place => format!("{before}{place}"),
    }
}

fn refusal(reply: &HttpReply) -> Failure {
    let place = named(" at ", &reply.place);
    let refused = format!(
        "the license server refused the keys (HTTP {}){place}",
        reply.status
    );
    if reply.token_withheld.is_some() {
        let what = format!("{refused}{}", reply.token_advice());
        return Failure::denied(what).without_token();
    }
    Failure::denied(format!(
        "{refused}: check that `sessiontoken` stands before this element and that its token is one for this service"
    ))
}

#[derive(Deserialize)]
struct HttpResponse {
    keys: Vec<Element<Jwk>>,
}

/// `of` names the server, to follow "the license".
fn read_body(body: &[u8], of: &str) -> Result<License, Failure> {
    let reply: HttpResponse = json::read_object(body).map_err(|complaint| {
        Failure::malformed(format!(
            "the license{of} is {complaint} where W3C EME prescribes ClearKey's: check that `license-url` names a ClearKey server"
        ))
    })?;
    let mut keys: HashMap<KeyId, Zeroizing<Vec<u8>>> = HashMap::with_capacity(reply.keys.len());
    let mut license = License::default();
    for element in &reply.keys {
        let usable = match element {
            Element::Object(jwk) => jwk.usable().map(|usable| (usable, &jwk.exp)),
            Element::Other => Err("is not an object".to_owned()),
        };
        let (UsableKey { key_id, bytes, key }, exp) = match usable {
            Ok(usable) => usable,
            // Of another kind, or for another player (RFC 7517, 5).
            Err(complaint) => {
                license.ignored = Some(complaint);
                continue;
            }
        };
        license.keys.insert(key_id, key);
        if let Some(end) = exp.as_ref().and_then(Scalar::date) {
            license.ends.insert(key_id, end);
        }
        let other = keys.insert(key_id, bytes.clone());
        if other.is_some_and(|other| other != bytes) {
            return Err(Failure::malformed(format!(
                "the license holds two keys for {key_id}"
            )));
        }
    }
    match &license.ignored {
        Some(complaint) if license.keys.is_empty() => Err(Failure::malformed(format!(
            "no key in the license{of} can be used: the last one {complaint}: check that `license-url` names a ClearKey server"
        ))),
        _ => Ok(license),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::error::Kind;

    const KEY_ID: &str = "ABEiM0RVZneImaq7zN3uAg";

    fn key(kty: &str, kid: &str, k: &str) -> String {
        format!(r#"{{"keys":[{{"kty":"{kty}","kid":"{kid}","k":"{k}"}}],"type":"temporary"}}"#)
    }

    #[test]
    fn request_is_the_specifications_json() {
        let id = KeyId(0x00112233445566778899aabbccddee02_u128.to_be_bytes());
        let body = String::from_utf8(request_body(&[id])).expect("text");
        assert_eq!(
            body,
            format!(r#"{{"kids":["{KEY_ID}"],"type":"temporary"}}"#)
        );
    }

    #[test]
    fn license_with_or_without_padding_gives_its_keys() {
        let id = KeyId(0x00112233445566778899aabbccddee02_u128.to_be_bytes());
        for k in ["AAAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAAAAAAAAAAAAA=="] {
            let license =
                read_license(&HttpReply::new(200, key("oct", KEY_ID, k).as_bytes())).expect(k);
            assert!(license.keys.contains_key(&id));
            assert_eq!(license.end(&[id], SystemTime::UNIX_EPOCH), None);
        }
        assert!(
            read_license(&HttpReply::new(200, br#"{"keys":[]}"#))
                .expect("empty")
                .keys
                .is_empty()
        );
    }

    /// An RSA key, a `kid` of five bytes, no `k`, others than objects.
    const OTHERS: &str = r#"{"kty":"RSA","kid":"sig1","n":"AQAB","e":"AQAB"},
        {"kty":"oct","kid":"c2hvcnQ","k":"eHg"},{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3uAw"},
        {"kty":7,"kid":[1],"k":{"a":1}},{"kid":null,"k":null},{},[],"SECRET",17,null"#;

    fn read(body: &str) -> Result<License, Failure> {
        read_license(&HttpReply::new(200, body.as_bytes()))
    }

    #[test]
    fn license_uses_the_usable_keys() {
        let id = KeyId(0x00112233445566778899aabbccddee02_u128.to_be_bytes());
        let usable = [
            r#"{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3uAg","k":"-_8BI0VniavN7wEjRWeJqw"}"#,
            r#"{"kid":"ABEiM0RVZneImaq7zN3uAg==","k":"+\/8BI0VniavN7wEjRWeJqw=="}"#,
            r#"{"kty":"oct","alg":["A128KW"],"kid":"ABEiM0RV\nZneImaq7zN3uAg","k":" +/8BI0VniavN7wEjRWeJqw== "}"#,
            r#"{"k":"-_8BI0VniavN7wEjRWeJqw=","kid":"ABEiM0RVZneImaq7zN3uAh"}"#,
        ];
        for jwk in usable {
            for body in [
                format!(r#"{{"keys":[{OTHERS},{jwk}]}}"#),
                format!("\u{feff}\r\n{{\"type\":\"temporary\",\"keys\":[{jwk},{OTHERS}]}}"),
            ] {
                let license = read(&body).expect(&body);
                assert_eq!(license.keys.len(), 1, "{body}");
                assert!(license.keys.contains_key(&id), "{body}");
            }
        }
    }

    #[test]
    fn license_without_usable_key_says_why() {
        for (jwk, says) in [
            (r#"{"kty":"RSA","kid":"sig1"}"#, "`kty` other than `oct`"),
            (r#"{"kty":null,"k":"eHg"}"#, "no `kid`"),
            (
                r#"{"kid":"c2hvcnQ","k":"eHg"}"#,
                "`kid` that is not sixteen",
            ),
            (r#"{"kid":"ABEiM0RVZneImaq7zN3uAg"}"#, "no `k`"),
            (
                r#"{"kid":"ABEiM0RVZneImaq7zN3uAg","k":"eHg"}"#,
                "`k` for the key id 0011",
            ),
            (
                r#"{"kid":"ABEiM0RVZneImaq7zN3uAg","k":"=AAA"}"#,
                "`k` for the key id 0011",
            ),
            ("17", "not an object"),
        ] {
            let body = format!(r#"{{"keys":[{OTHERS},{jwk}]}}"#);
            let failure = read(&body).expect_err(&body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(failure.what.contains(says), "{body}: {}", failure.what);
            for quoted in ["SECRET", "RSA", "eHg", "c2hvcnQ"] {
                assert!(!failure.what.contains(quoted), "{}", failure.what);
            }
        }
    }

    #[test]
    fn license_end_is_first_expiry_of_usable_keys() {
        const AG: u128 = 0x00112233445566778899aabbccddee02;
        let jwk = |id: &str, exp: &str| {
            format!(
                r#"{{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3u{id}","k":"AAAAAAAAAAAAAAAAAAAAAA"{exp}}}"#
            )
        };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let end = |ag: &str, aw: &str, key_ids: &[u128]| {
            let body = format!(r#"{{"keys":[{},{}]}}"#, jwk("Ag", ag), jwk("Aw", aw));
            let license = read_license(&HttpReply::new(200, body.as_bytes())).expect(&body);
            let key_ids: Vec<_> = key_ids.iter().map(|id| KeyId(id.to_be_bytes())).collect();
            license.end(&key_ids, at(1000))
        };
        let (early, late, past) = (r#","exp":1500"#, r#","exp":3000"#, r#","exp":1000"#);
        assert_eq!(end(early, late, &[AG, AG + 1]), Some(at(1500)));
        assert_eq!(end(early, late, &[AG + 1]), Some(at(3000)));
        assert_eq!(end(early, "", &[AG, AG + 1]), Some(at(1500)));
        assert_eq!(end(past, late, &[AG, AG + 1]), Some(at(3000)));
        assert_eq!(end(past, past, &[AG, AG + 1]), None);
        // What says nothing that we understand costs nobody the key.
        assert_eq!(
            end(r#","exp":"never""#, r#","exp":null"#, &[AG, AG + 1]),
            None
        );
    }

    #[test]
    fn malformed_license_error_never_quotes_it() {
        let bodies = [
            "SECRET".to_owned(),
            r#"{"keys":"SECRET"}"#.to_owned(),
            r#"{"keys":[{"kty":"oct","kid":"SECRET"}]}"#.to_owned(),
            r#"{}"#.to_owned(),
            key("RSA", KEY_ID, "AAAAAAAAAAAAAAAAAAAAAA"),
            key("oct", "SECRET", "AAAAAAAAAAAAAAAAAAAAAA"),
            key("oct", KEY_ID, "SECRET"),
            key("oct", KEY_ID, ""),
            key("oct", KEY_ID, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            format!(r#"{{"keys":[["oct","{KEY_ID}","AAAAAAAAAAAAAAAAAAAAAA"]]}}"#),
            format!(
                r#"{{"keys":[{{"kty":"oct","kid":"{KEY_ID}","k":"AAAAAAAAAAAAAAAAAAAAAA"}},{{"kty":"oct","kid":"{KEY_ID}","k":"AAAAAAAAAAAAAAAAAAAAAQ"}}]}}"#
            ),
        ];
        for body in bodies {
            let failure = read_license(&HttpReply::new(200, body.as_bytes())).expect_err(&body);
            assert_eq!(failure.kind, Kind::Malformed, "{body}");
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }

    #[test]
    fn refusal_without_token_names_token_hosts() {
        for status in [401, 403, 412] {
            let mut reply = HttpReply::new(status, b"{}");
            reply.place = "https://keys.example:443/l".to_owned();
            let failure = read_license(&reply).expect_err("refused");
            assert!(!failure.is_without_token);
            assert!(failure.what.contains(&reply.place), "{}", failure.what);
            reply.token_withheld = Some("keys.example".to_owned());
            let failure = read_license(&reply).expect_err("refused");
            assert!(failure.is_without_token && failure.kind == Kind::Denied);
            assert_eq!(failure.http_status, Some(status));
            for part in [&*reply.place, "keys.example was not", "`token-hosts`"] {
                assert!(failure.what.contains(part), "{}", failure.what);
            }
        }
    }

    #[test]
    fn refusal_is_told_from_a_fault() {
        for (status, kind) in [
            (401, Kind::Denied),
            (403, Kind::Denied),
            (412, Kind::Denied),
            (404, Kind::Malformed),
            (429, Kind::Transient),
            (500, Kind::Transient),
        ] {
            let failure = read_license(&HttpReply::new(status, b"{}")).expect_err("refused");
            assert_eq!((failure.kind, failure.http_status), (kind, Some(status)));
        }
    }
}
