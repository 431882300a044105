// SPDX-License-Identifier: MIT OR Apache-2.0

//! The settings, completed and checked: what the element does from READY on.

use std::sync::Arc;
use std::time::Duration;

use crate::auth_service::parameters::{MAX_FILE, checked, read_headers, read_parameters};
use crate::auth_service::{Ags, Service, Thunder, ags, rdk, thunder};
use crate::failure::Failure;
use crate::files;
use crate::http::{Endpoint, headers};
use crate::packing::{DEFAULT_HEADER, HeaderTemplate};
use crate::secret::Secret;
use crate::session::{Identity, MAX_TOKEN_LEN, session};

use super::acquisition::Acquisition;
use super::settings::{AuthService, OnFailure, Packing, Pairs, Settings};

/// What the element does from READY on.
pub struct Policy {
    pub source: Source,
    pub timeout: Duration,
    pub on_failure: OnFailure,
    pub prefetch: bool,
    pub header: HeaderTemplate,
    pub packing: Packing,
    pub correlation_id: Option<String>,
    pub max_held_bytes: u64,
    /// What the user should know and what stops nothing.
    pub warnings: Vec<String>,
}

/// Where the token comes from, unless the application gives one itself.
pub enum Source {
    /// The path of `session-token-file`.
    File(String),
    Service(Arc<Acquisition>),
}

impl Source {
    pub fn nick(&self) -> &'static str {
        match self {
            Source::File(_) => "file",
            Source::Service(acquisition) => acquisition.service.nick(),
        }
    }
}

/// # Errors
///
/// `Misconfigured`, with the property's name and what to set.
pub fn policy(settings: &Settings) -> Result<Policy, Failure> {
    let header = match &settings.key_request_header {
        Some(text) => HeaderTemplate::parse(text.expose()),
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
        None => Source::Service(Arc::new(acquisition(settings)?)),
    };
    Ok(Policy {
        source,
        timeout: settings.common.timeout(),
        on_failure: settings.on_failure,
        prefetch: settings.prefetch,
        header,
        packing: settings.packing,
        correlation_id,
        max_held_bytes: settings.common.max_held_bytes,
        warnings: warnings(settings),
    })
}

fn acquisition(settings: &Settings) -> Result<Acquisition, Failure> {
    let service = service(settings)?;
    let endpoint = Endpoint::parse(
        settings.location().ok_or_else(|| {
            Failure::misconfigured(
                "`location` is not set: set it to the URL of AGS's getSessionToken, there is no default",
            )
        })?,
        "location",
        settings.common.allow_cleartext,
    )?;
    let extra_headers = extra_headers(settings, &service)?;
    let trust = settings.common.trust.load()?;
    Ok(Acquisition {
        session: session(Identity {
            service: service.clone(),
            location: Secret::from(endpoint.as_str()),
            extra_headers: extra_headers.clone(),
            trust: trust.clone(),
        }),
        service,
        endpoint,
        extra_headers,
        trust,
        timeout: settings.common.timeout(),
        retries: settings.common.retries,
        token_lifetime: match settings.token_lifetime {
            0 => None,
            seconds => Some(Duration::from_secs(seconds.into())),
        },
        correlation_id: settings.correlation_id.clone(),
    })
}

/// The service with what it wants to know. What another service would want to know is refused, because whoever set it
/// expects it to be sent.
fn service(settings: &Settings) -> Result<Service, Failure> {
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
    Ok(match chosen {
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
    })
}

fn nick(service: AuthService) -> &'static str {
    match service {
        AuthService::Rdk => rdk::NICK,
        AuthService::Thunder => thunder::NICK,
        AuthService::Ags => ags::NICK,
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

fn extra_headers(settings: &Settings, service: &Service) -> Pairs {
    let taken = match service {
        Service::Rdk => &[],
        Service::Thunder(thunder) => thunder.taken(),
        Service::Ags(_) => &ags::TAKEN[..],
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
    .chain(settings.common.trust.warnings())
    .collect()
}
