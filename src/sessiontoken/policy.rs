// SPDX-License-Identifier: MIT OR Apache-2.0

//! The settings, completed and checked: what the element does from READY on.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use uuid::Uuid;

use crate::auth_service::DashIf;
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::files;
use crate::http::{Endpoint, headers};
use crate::session::{Account, SessionHandle, clear_account};
use crate::token::{MAX_TOKEN_LEN, Secret};
use crate::tune::{AuthzServices, Endpoints, Policy, Source};

use super::application::Application;
use super::credentials::{self, Credentials};
use super::observer::ElementObserver;
use super::settings::{AuthService, OnFailure, Settings};
use super::token_fetcher::session_with;
use super::token_request::RequestConfig;

/// Makes the sessions with DASH-IF's authorization services.
struct DashIfServices {
    /// The user's own, which replace what the stream says.
    endpoints: Vec<Endpoint>,
    settings: Arc<Settings>,
    account: Account,
    config: RequestConfig,
    element: glib::WeakRef<super::SessionToken>,
}

impl AuthzServices for DashIfServices {
    fn endpoints(&self, urls: &BTreeSet<String>) -> Result<Option<Endpoints>, Failure> {
        if !self.endpoints.is_empty() {
            return Ok(Some(Endpoints {
                list: self.endpoints.clone(),
                are_equal: false,
            }));
        }
        let parse =
            |url: &String| Endpoint::parse(url, "dashif:Authzurl", self.config.allow_cleartext);
        let parsed: Vec<_> = urls.iter().map(parse).collect();
        let list: Vec<_> = parsed.iter().flatten().cloned().collect();
        match (list.is_empty(), parsed.into_iter().next()) {
            (true, Some(Err(failure))) => Err(failure),
            (true, _) => Ok(None),
            (false, _) => Ok(Some(Endpoints {
                list,
                are_equal: true,
            })),
        }
    }

    fn session(&self, endpoints: Endpoints, key_ids: BTreeSet<KeyId>) -> SessionHandle {
        let service = DashIf::new(key_ids);
        let settings = self.settings.clone();
        let credentials = Credentials::for_dashif(settings, service, self.account.clone());
        let application = Application::of_weak(self.element.clone());
        session_with(credentials, endpoints, self.config.clone(), application)
    }

    fn clear(&self) {
        clear_account(&self.account);
    }
}

/// # Errors
///
/// `Misconfigured`, with the property's name and what to set.
pub fn policy(settings: &Settings, element: &super::SessionToken) -> Result<Policy, Failure> {
    let correlation_id = settings.correlation_id.clone();
    if let Some(id) = &correlation_id
        && (id.len() > 256 || !headers::is_value(id))
    {
        return Err(Failure::misconfigured(
            "`correlation-id` is longer than 256 bytes or holds characters that no header can carry",
        ));
    }
    let source = match &settings.session_token_file {
        Some(path) => Source::File(path.clone()),
        None => source(settings, element)?,
    };
    Ok(Policy {
        source,
        timeout: settings.common.timeout(),
        is_anonymous_allowed: settings.on_failure == OnFailure::Anonymous,
        prefetch: settings.prefetch,
        shape: settings.key_request.shape()?,
        systems: systems(settings)?,
        correlation_id,
        observer: Some(Arc::new(ElementObserver::new(element))),
        max_held_bytes: settings.common.max_held_bytes,
        warnings: credentials::warnings(settings),
    })
}

fn systems(settings: &Settings) -> Result<Vec<Uuid>, Failure> {
    let text = settings.protection_systems.as_deref().unwrap_or_default();
    let ids = text.split(|c: char| c == ',' || c.is_whitespace());
    let parse = |id: &str| {
        Uuid::try_parse(id).map_err(|_| {
            Failure::misconfigured(
                "`protection-systems` holds something else than UUIDs with commas or white space between them",
            )
        })
    };
    ids.filter(|id| !id.is_empty()).map(parse).collect()
}

fn source(settings: &Settings, element: &super::SessionToken) -> Result<Source, Failure> {
    let settings = Arc::new(settings.clone());
    let credentials = Credentials::load(settings.clone())?;
    let endpoints = settings.endpoints()?;
    let config = RequestConfig {
        allow_cleartext: settings.common.allow_cleartext,
        timeout: settings.common.timeout(),
        retries: settings.common.retries,
        token_lifetime: match settings.token_lifetime {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        },
        correlation_id: settings.correlation_id.clone(),
    };
    match credentials {
        Some(_) if endpoints.is_empty() => Err(Failure::misconfigured(format!(
            "`location` is not set: set it to {}, there is no default",
            match settings.auth_service {
                AuthService::OAuth2 => "the URL of the token endpoint",
                AuthService::Http => "the URL of the auth service",
                _ => "the URL of AGS's getSessionToken",
            }
        ))),
        Some(credentials) => {
            let endpoints = Endpoints {
                list: endpoints,
                are_equal: false,
            };
            let application = Application::of(element);
            let session = session_with(credentials, endpoints, config, application);
            Ok(Source::Service(session))
        }
        None if settings.on_failure == OnFailure::Anonymous => Err(Failure::misconfigured(
            "`on-failure=anonymous` does not go with auth-service=dashif: where the MPD demands a token, no license may be asked for without one",
        )),
        None => Ok(Source::DashIf(Box::new(DashIfServices {
            account: credentials::account(&settings, None)?,
            endpoints,
            settings,
            config,
            element: element.downgrade(),
        }))),
    }
}

/// What `session-token-file` holds now, where that is the source.
pub fn read_token_file(policy: &Policy) -> Option<Result<Secret, Failure>> {
    let Source::File(path) = &policy.source else {
        return None;
    };
    // A little more than the longest token, so that one that is too long is seen to be.
    let limit = 2 * MAX_TOKEN_LEN;
    Some(files::read_text(path, "session-token-file", limit))
}
