// SPDX-License-Identifier: MIT OR Apache-2.0

//! A license request, and what is granted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use zeroize::Zeroizing;

use super::key_request::KeyRequest;
use super::policy::LicensePolicy;
use crate::cenc::{KeyId, License};
use crate::error::Failure;
use crate::http::{Endpoint, Method, Purpose, Redirects, Request, TlsConfig, TokenHosts};
use crate::token::{ClockReading, Secret, Validity};

/// Keys are used for so long at the least, whatever the license says: a server whose licenses end
/// as they come would else be asked without a pause. As with tokens the next one comes after half
/// of it.
const SHORTEST_LIFE: Duration = Duration::from_secs(4);

/// What is asked for.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct LicenseRequest {
    /// Ascending, each once.
    pub key_ids: Vec<KeyId>,
    pub parts: RequestParts,
}

/// Whom to ask, and with what besides the request's body.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RequestParts {
    /// Servers that can give it, in this order; one at the least.
    pub urls: Vec<Endpoint>,
    pub headers: Vec<(String, Secret)>,
    /// For the servers' URLs, encoded.
    pub query: Option<Secret>,
    /// Servers that may be sent these.
    pub token_hosts: TokenHosts,
    /// Whether they may go without TLS to other than loopback.
    pub allow_cleartext: bool,
    /// The session token that stands in them.
    pub token: Option<Secret>,
    pub tls: TlsConfig,
}

impl RequestParts {
    /// For these servers, as key request and settings want it.
    pub fn new(urls: Vec<Endpoint>, request: &KeyRequest, policy: &LicensePolicy) -> Self {
        Self {
            headers: request.headers().to_vec(),
            query: request.query().cloned(),
            token_hosts: policy.token_hosts(&urls),
            allow_cleartext: policy.allow_cleartext,
            token: request.token().cloned(),
            tls: policy.tls.clone(),
            urls,
        }
    }

    /// The request to that one of the servers, with that body of that type.
    pub fn to(
        &self,
        url: &Endpoint,
        content_type: Cow<'static, str>,
        body: Zeroizing<Vec<u8>>,
    ) -> Request {
        // The scheme before a token (`Bearer`) is none.
        let secrets = self.headers.iter().map(|(_, value)| {
            let value = value.expose();
            Secret::from(value.split_once(' ').map_or(value, |(_, token)| token))
        });
        Request {
            secrets: secrets.chain(self.token.clone()).collect(),
            // All of them: which ones are credentials, whoever put them there knows.
            token_headers: self.headers.clone(),
            token_query: self.query.clone(),
            token_hosts: self.token_hosts.clone(),
            token_in_cleartext: self.allow_cleartext,
            purpose: Some(Purpose::License),
            method: Method::Post,
            body: Some((content_type, body)),
            redirects: Redirects::Followed {
                allow_cleartext: self.allow_cleartext,
            },
            ..Request::new(url.clone(), self.tls.clone())
        }
    }
}

/// What came of it, and how.
pub struct Granted {
    pub license: License,
    /// Of the keys that were asked for, together.
    validity: Validity,
    /// Of others, each by itself, where they have an end.
    others: HashMap<KeyId, Validity>,
    /// How long the request took.
    pub latency: Duration,
    /// Requests made for it.
    pub attempts: u32,
}

impl Granted {
    /// What a license for these keys gives that has come now.
    pub fn new(license: License, key_ids: &[KeyId], now: ClockReading) -> Self {
        let validity = |end: Option<SystemTime>| {
            let end = end.map(|end| end.max(now.wall + SHORTEST_LIFE));
            Validity::new(None, end, now)
        };
        let end = license.end(key_ids, now.wall);
        let others = license.ends_of_others(key_ids, now.wall);
        let others = others.map(|(key_id, end)| (key_id, validity(Some(end))));
        Self {
            others: others.collect(),
            validity: validity(end),
            license,
            latency: Duration::ZERO,
            attempts: 1,
        }
    }

    /// How long that key is good for.
    pub fn validity_of(&self, key_id: &KeyId) -> &Validity {
        self.others.get(key_id).unwrap_or(&self.validity)
    }

    /// How long the keys are good for that were asked for.
    pub fn validity(&self) -> &Validity {
        &self.validity
    }
}

pub type LicenseResult = Result<Arc<Granted>, Failure>;
