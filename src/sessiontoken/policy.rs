// SPDX-License-Identifier: MIT OR Apache-2.0

//! The settings, completed and checked: what the element does from READY on.

use std::collections::BTreeSet;
use std::time::Duration;

use uuid::Uuid;

use crate::auth_service::parameters::{MAX_FILE, checked, read_headers, read_parameters};
use crate::auth_service::{Ags, DashIf, Service, Thunder, ags, dashif, rdk, thunder};
use crate::cenc::KeyId;
use crate::error::Failure;
use crate::files;
use crate::http::{Endpoint, headers};
use crate::key_request::{DEFAULT_HEADER, HeaderTemplate, Shape};
use crate::session::{Account, SessionHandle, clear_account};
use crate::token::{MAX_TOKEN_LEN, Secret};
use crate::tune::{AuthzServices, Endpoints, Policy, Source};

use super::settings::{AuthService, OnFailure, Pairs, Settings};
use super::token_fetcher::{RequestConfig, session_with};

/// Makes the sessions with DASH-IF's authorization services.
struct DashIfServices {
    /// The user's own, which replace what the stream says.
    endpoints: Vec<Endpoint>,
    config: RequestConfig,
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
        let service = Service::DashIf(DashIf::new(key_ids));
        session_with(service, endpoints, self.config.clone())
    }

    fn clear(&self) {
        clear_account(&self.config.account);
    }
}

/// # Errors
///
/// `Misconfigured`, with the property's name and what to set.
pub fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let header = match &settings.key_request_header {
        Some(text) => HeaderTemplate::parse(text),
        None => HeaderTemplate::parse(DEFAULT_HEADER),
    }
    .map_err(Failure::misconfigured)?;
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
        None => source(settings)?,
    };
    Ok(Policy {
        source,
        timeout: settings.common.timeout(),
        is_anonymous_allowed: settings.on_failure == OnFailure::Anonymous,
        prefetch: settings.prefetch,
        shape: Shape {
            header,
            packing: settings.packing.into(),
        },
        systems: systems(settings)?,
        correlation_id,
        max_held_bytes: settings.common.max_held_bytes,
        warnings: warnings(settings),
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

fn source(settings: &Settings) -> Result<Source, Failure> {
    let service = service(settings)?;
    let endpoints = settings.endpoints()?;
    let config = RequestConfig {
        account: Account {
            extra_headers: extra_headers(settings, service.as_ref())?,
            tls: settings.common.tls.load()?,
        },
        allow_cleartext: settings.common.allow_cleartext,
        timeout: settings.common.timeout(),
        retries: settings.common.retries,
        token_lifetime: match settings.token_lifetime {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        },
        correlation_id: settings.correlation_id.clone(),
    };
    match service {
        Some(_) if endpoints.is_empty() => Err(Failure::misconfigured(
            "`location` is not set: set it to the URL of AGS's getSessionToken, there is no default",
        )),
        Some(service) => {
            let endpoints = Endpoints {
                list: endpoints,
                are_equal: false,
            };
            Ok(Source::Service(session_with(service, endpoints, config)))
        }
        None if settings.on_failure == OnFailure::Anonymous => Err(Failure::misconfigured(
            "`on-failure=anonymous` does not go with auth-service=dashif: where the MPD demands a token, no license may be asked for without one",
        )),
        None => Ok(Source::DashIf(Box::new(DashIfServices {
            endpoints,
            config,
        }))),
    }
}

/// The service with what it wants to know. What another service would want to know is refused,
/// because whoever set it expects it to be sent. `None` where the stream has its say first.
fn service(settings: &Settings) -> Result<Option<Service>, Failure> {
    let chosen = settings.auth_service;
    let is_set = [
        (
            "thunder-method",
            AuthService::Thunder,
            settings.thunder_method.is_some(),
        ),
        (
            "authorization",
            AuthService::Thunder,
            settings.authorization.is_some(),
        ),
        (
            "authorization-file",
            AuthService::Thunder,
            settings.authorization_file.is_some(),
        ),
        (
            "auth-service-id",
            AuthService::Ags,
            settings.auth_service_id.is_some(),
        ),
        ("tenant-id", AuthService::Ags, settings.tenant_id.is_some()),
        (
            "parameters",
            AuthService::Ags,
            settings.parameters.is_some(),
        ),
        (
            "parameters-file",
            AuthService::Ags,
            settings.parameters_file.is_some(),
        ),
        ("discover", AuthService::Ags, settings.discover),
    ];
    for (setting, service, is_set) in is_set {
        if is_set && service != chosen {
            return Err(Failure::misconfigured(format!(
                "`{setting}` is of no use with auth-service={}: set `auth-service` to {}, or leave it out",
                nick(chosen),
                nick(service),
            )));
        }
    }
    Ok(Some(match chosen {
        AuthService::DashIf => return Ok(None),
        AuthService::Rdk => Service::Rdk,
        AuthService::Thunder => Service::Thunder(Thunder::new(
            settings
                .thunder_method
                .as_deref()
                .unwrap_or(thunder::DEFAULT_METHOD),
            authorization(settings)?,
        )?),
        AuthService::Ags => Service::Ags(Ags::new(
            settings.auth_service_id.clone(),
            settings.tenant_id.clone(),
            parameters(settings)?,
            settings.discover,
        )?),
    }))
}

fn nick(service: AuthService) -> &'static str {
    match service {
        AuthService::Rdk => rdk::NICK,
        AuthService::Thunder => thunder::NICK,
        AuthService::Ags => ags::NICK,
        AuthService::DashIf => dashif::NICK,
    }
}

/// What came by value, or stands in the file beside it, and the property that it is from.
///
/// # Errors
///
/// `Misconfigured` where it comes both ways, and what `read` says of the file.
fn given<T: Clone>(
    name: &str,
    value: Option<&Result<T, Failure>>,
    file: Option<&String>,
    read: impl FnOnce(&str, &str) -> Result<T, Failure>,
) -> Result<Option<(T, String)>, Failure> {
    let file_name = format!("{name}-file");
    match (value, file) {
        (Some(_), Some(_)) => Err(Failure::misconfigured(format!(
            "`{name}` and `{file_name}` are both set: set one of them"
        ))),
        (Some(value), None) => Ok(Some((value.clone()?, name.to_owned()))),
        (None, Some(path)) => Ok(Some((read(path, &file_name)?, file_name))),
        (None, None) => Ok(None),
    }
}

fn authorization(settings: &Settings) -> Result<Option<Secret>, Failure> {
    let value = settings.authorization.clone().map(Ok);
    let file = settings.authorization_file.as_ref();
    let read = |path: &str, setting: &str| files::read_text(path, setting, 2 * MAX_TOKEN_LEN);
    Ok(given("authorization", value.as_ref(), file, read)?.map(|(secret, _)| secret))
}

/// As [`given`], of names and texts; none at all where neither is set.
fn pairs(
    name: &str,
    value: Option<&Pairs>,
    file: Option<&String>,
    parse: fn(&str, &str) -> Pairs,
) -> Result<(Vec<(String, Secret)>, String), Failure> {
    let read = |path: &str, setting: &str| {
        let text = files::read_text(path, setting, MAX_FILE)?;
        parse(text.expose(), setting)
    };
    Ok(given(name, value, file, read)?.unwrap_or_default())
}

fn parameters(settings: &Settings) -> Pairs {
    let value = settings.parameters.as_ref();
    let file = settings.parameters_file.as_ref();
    let (parameters, setting) = pairs("parameters", value, file, read_parameters)?;
    checked(parameters, &setting)
}

fn extra_headers(settings: &Settings, service: Option<&Service>) -> Pairs {
    let taken = match service {
        Some(Service::Rdk | Service::DashIf(_)) | None => &[],
        Some(Service::Thunder(thunder)) => thunder.taken(),
        Some(Service::Ags(_)) => &ags::TAKEN[..],
    };
    let value = settings.extra_headers.as_ref();
    let file = settings.extra_headers_file.as_ref();
    let (headers, setting) = pairs("extra-headers", value, file, read_headers)?;
    headers::checked(headers, &setting, taken)
}

fn warnings(settings: &Settings) -> Vec<String> {
    [
        ("session-token-file", &settings.session_token_file),
        ("authorization-file", &settings.authorization_file),
        ("parameters-file", &settings.parameters_file),
        ("extra-headers-file", &settings.extra_headers_file),
    ]
    .into_iter()
    .filter_map(|(setting, path)| files::warning(setting, path.as_deref()))
    .chain(settings.common.tls.warnings())
    .collect()
}
