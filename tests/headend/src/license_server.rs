// SPDX-License-Identifier: MIT OR Apache-2.0

//! The license server: gives out keys in the ClearKey license format of W3C EME.

use std::time::{Duration, SystemTime};

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, LOCATION, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Request, Uri};
use serde_json::{Value, json};

use crate::bearer::bearer_token;
use crate::behaviour::Licenses;
use crate::dashif;
use crate::keys::{hex, key_for};
use crate::record::{LicenseRequest, header, header_list};
use crate::reply::{self, Reply};
use crate::shared::{Shared, State};

const LONGEST_BODY: usize = 64 * 1024;

/// What a well formed request asks for.
#[derive(Debug, PartialEq, Eq)]
struct Order {
    key_ids: Vec<Vec<u8>>,
    session_type: String,
}

/// What is said of the keys in a license, and of which nothing is.
#[derive(Debug, Default)]
struct Terms {
    /// The key id of the one that is not known.
    withheld: Option<String>,
    /// For how long they are good.
    lifetime: Option<Duration>,
    /// The key ids that the token is for, where it does not say all.
    authorized: Option<Vec<String>>,
}

/// What a request brings to show that it may have keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Credential {
    None,
    Bad,
    Good,
}

/// Answers a request for keys as the test has chosen.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LONGEST_BODY).collect().await else {
        return reply::problem(413, "The body is too long for a license request.");
    };
    let body = body.to_bytes();
    let order = Order::parse(&body);

    // Before the lock: the other head-end may look for ours.
    let trusted = shared.trusted_token();
    let ((ticket, licenses, credential, refusal, authorized), release) = shared
        .update_and_queue_for_licenses(|state| {
            let authorized = authorized(&head.headers, state);
            let credential = Credential::of(&head.uri, &head.headers, state, trusted.as_deref());
            let ticket = state.record.add_license_request(LicenseRequest {
                path: head.uri.to_string(),
                headers: header_list(&head.headers),
                authorization: header(&head.headers, AUTHORIZATION.as_str()),
                token_present: credential != Credential::None,
                token_valid: credential == Credential::Good,
                kids: order.iter().flat_map(Order::hex_key_ids).collect(),
                content_type: header(&head.headers, CONTENT_TYPE.as_str()),
                body: body.to_vec(),
                status: None,
            });
            let licenses = state.licenses.clone();
            (ticket, licenses, credential, state.refusal, authorized)
        });
    let terms = Terms {
        authorized,
        ..Terms::default()
    };

    let reply = match licenses {
        Licenses::Serve => serve(order, credential, refusal, &terms),
        Licenses::ServeFor(lifetime) => {
            let terms = Terms {
                lifetime: Some(lifetime),
                ..terms
            };
            serve(order, credential, refusal, &terms)
        }
        Licenses::ServeAnonymous => serve(order, Credential::Good, refusal, &Terms::default()),
        Licenses::ServeWithout(key_id) => {
            let terms = Terms {
                withheld: Some(key_id),
                ..terms
            };
            serve(order, credential, refusal, &terms)
        }
        Licenses::Refuse(status) => reply::problem(status, "No license today."),
        Licenses::Reply { status, body } => reply::reply(status, "application/json", body),
        Licenses::Redirect { status, location } => {
            let mut reply = reply::problem(status, "The keys are elsewhere.");
            if let Ok(location) = HeaderValue::try_from(location) {
                reply.headers_mut().insert(LOCATION, location);
            }
            reply
        }
        Licenses::Hang => {
            release.wait().await;
            serve(order, credential, refusal, &terms)
        }
    };
    shared.update(|state| state.record.answered(ticket, reply.status().as_u16()));
    reply
}

/// What a license server does when nothing is wrong with it.
fn serve(order: Option<Order>, credential: Credential, refusal: u16, terms: &Terms) -> Reply {
    match credential {
        Credential::Good => {}
        Credential::Bad => return reply::problem(refusal, "The session token is not valid."),
        Credential::None => {
            let mut reply = reply::problem(401, "A session token is needed.");
            reply
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            return reply;
        }
    }
    let Some(order) = order else {
        return reply::problem(400, "The body is not a ClearKey license request.");
    };
    if order.hex_key_ids().all(|id| !terms.authorizes(&id)) {
        return reply::problem(403, "The token is for other keys.");
    }
    match order.license(terms) {
        Some(license) => reply::json(&license),
        None => reply::problem(404, "None of the key ids is known."),
    }
}

impl Order {
    /// Reads `{"kids":["<base64url>", …],"type":"temporary"}`; `None` if it is anything else.
    fn parse(body: &[u8]) -> Option<Self> {
        let body: Value = serde_json::from_slice(body).ok()?;
        let key_ids = body
            .get("kids")?
            .as_array()?
            .iter()
            .map(|id| BASE64_URL_SAFE_NO_PAD.decode(id.as_str()?).ok())
            .collect::<Option<Vec<_>>>()?;
        let session_type = body.get("type")?.as_str()?.to_owned();
        (!key_ids.is_empty()).then_some(Self {
            key_ids,
            session_type,
        })
    }

    fn hex_key_ids(&self) -> impl Iterator<Item = String> {
        self.key_ids.iter().map(|id| hex(id))
    }

    /// The license with the keys that are known and not withheld, if there is any.
    fn license(&self, terms: &Terms) -> Option<Value> {
        let end = terms.lifetime.map(numeric_date_after);
        let keys: Vec<Value> = self
            .key_ids
            .iter()
            .filter(|id| !terms.withhold(id))
            .filter_map(|id| {
                let mut key = json!({
                    "kty": "oct",
                    "kid": BASE64_URL_SAFE_NO_PAD.encode(id),
                    "k": BASE64_URL_SAFE_NO_PAD.encode(key_for(id)?),
                });
                if let Some(end) = end {
                    key["exp"] = json!(end);
                }
                Some(key)
            })
            .collect();
        (!keys.is_empty()).then(|| json!({ "keys": keys, "type": self.session_type }))
    }
}

impl Terms {
    fn withhold(&self, id: &[u8]) -> bool {
        let withheld = self.withheld.as_deref();
        withheld.is_some_and(|withheld| hex(id).eq_ignore_ascii_case(withheld))
            || !self.authorizes(&hex(id))
    }

    fn authorizes(&self, id: &str) -> bool {
        let authorized = self.authorized.as_ref();
        authorized.is_none_or(|ids| ids.iter().any(|one| one == id))
    }
}

/// The time so long after now, in seconds since the epoch.
fn numeric_date_after(lifetime: Duration) -> f64 {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    (now + lifetime).as_secs_f64()
}

/// The keys that the token is for, where it is one for some keys.
fn authorized(headers: &HeaderMap, state: &State) -> Option<Vec<String>> {
    let token = headers.get(AUTHORIZATION).and_then(bearer_token)?;
    dashif::authorized(token, &state.tokens.current())
}

impl Credential {
    /// `trusted` is a token of another head-end that is good here too.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap, state: &State, trusted: Option<&str>) -> Self {
        let bearer = headers.get(AUTHORIZATION).and_then(bearer_token);
        let custom = state
            .token_header
            .as_ref()
            .and_then(|name| headers.get(name))
            .map(HeaderValue::as_bytes);
        let in_query = state.token_parameter.as_ref().and_then(|name| {
            let mut pairs = form_urlencoded::parse(uri.query()?.as_bytes());
            pairs.find_map(|(known, value)| (known == name.as_str()).then_some(value))
        });
        let in_query = in_query.as_ref().map(|value| value.as_bytes());
        match bearer.or(custom).or(in_query) {
            None => Self::None,
            Some(token) if token == state.tokens.current().as_bytes() => Self::Good,
            Some(token) if trusted.is_some_and(|known| token == known.as_bytes()) => Self::Good,
            Some(token) if dashif::authorized(token, &state.tokens.current()).is_some() => {
                Self::Good
            }
            Some(_) => Self::Bad,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{AUDIO_KEY_ID, VIDEO_KEY_ID};

    const BOTH: &[u8] =
        br#"{"kids":["ABEiM0RVZneImaq7zN3uAQ","ABEiM0RVZneImaq7zN3uAg"],"type":"temporary"}"#;
    const UNKNOWN: &[u8] = br#"{"kids":["AAAA"],"type":"temporary"}"#;

    #[test]
    fn request_is_read() {
        let order = Order::parse(BOTH).expect("a license request");
        assert_eq!(
            order.hex_key_ids().collect::<Vec<_>>(),
            [AUDIO_KEY_ID, VIDEO_KEY_ID]
        );
        assert_eq!(order.session_type, "temporary");
    }

    #[test]
    fn anything_else_is_not_a_request() {
        for body in [
            "",
            "{}",
            "[]",
            r#"{"kids":[],"type":"temporary"}"#,
            r#"{"kids":["ABEiM0RVZneImaq7zN3uAQ"]}"#,
            r#"{"kids":["ABEiM0RVZneImaq7zN3uAQ=="],"type":"temporary"}"#,
            r#"{"kids":[1],"type":"temporary"}"#,
        ] {
            assert_eq!(Order::parse(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn license_has_the_known_keys() {
        let order = Order::parse(BOTH).expect("a license request");
        assert_eq!(
            order.license(&Terms::default()),
            Some(json!({
                "keys": [
                    {
                        "kty": "oct",
                        "kid": "ABEiM0RVZneImaq7zN3uAQ",
                        "k": "ASNFZ4mrze8BI0VniavNAQ",
                    },
                    {
                        "kty": "oct",
                        "kid": "ABEiM0RVZneImaq7zN3uAg",
                        "k": "ASNFZ4mrze8BI0VniavNAg",
                    },
                ],
                "type": "temporary",
            }))
        );
    }

    #[test]
    fn key_can_be_withheld() {
        let order = Order::parse(BOTH).expect("a license request");
        let license = order.license(&Terms {
            withheld: Some(VIDEO_KEY_ID.to_uppercase()),
            ..Terms::default()
        });
        let license = license.expect("the other key");
        assert_eq!(license["keys"].as_array().map(Vec::len), Some(1));
        assert_eq!(license["keys"][0]["kid"], "ABEiM0RVZneImaq7zN3uAQ");
    }

    #[test]
    fn every_key_can_say_when_it_ends() {
        let now = || numeric_date_after(Duration::ZERO);
        let order = Order::parse(BOTH).expect("a license request");
        let before = now();
        let license = order.license(&Terms {
            lifetime: Some(Duration::from_millis(1500)),
            ..Terms::default()
        });
        let after = now();
        let license = license.expect("two keys");
        for index in 0..2 {
            let end = license["keys"][index]["exp"].as_f64().expect("a number");
            assert!((before + 1.4..after + 1.6).contains(&end), "{end}");
        }
    }

    #[test]
    fn refusals_come_in_order() {
        let status = |body, credential| {
            serve(Order::parse(body), credential, 412, &Terms::default()).status()
        };
        assert_eq!(status(b"nonsense", Credential::None), 401);
        assert_eq!(status(b"nonsense", Credential::Bad), 412);
        assert_eq!(status(b"nonsense", Credential::Good), 400);
        assert_eq!(status(UNKNOWN, Credential::Good), 404);
        assert_eq!(status(BOTH, Credential::Good), 200);
    }
}
