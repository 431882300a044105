// SPDX-License-Identifier: MIT OR Apache-2.0

//! The service that the settings name, and as whom it is asked. Files of credentials are read anew
//! for each request: what stands in them ends too.

use std::sync::Arc;

use crate::auth_service::parameters::{
    MAX_FILE, Parameter, Parameters, checked_names, read_headers, read_parameters,
};
use crate::auth_service::{
    Ags, DashIf, Service, Thunder, ags, custom, dashif, oauth2, rdk, thunder,
};
use crate::error::Failure;
use crate::files;
use crate::http::headers;
use crate::session::Account;
use crate::token::{MAX_TOKEN_LEN, Secret};

use super::settings::{AuthService, Pairs, Settings};

/// A service and as whom it is asked.
#[derive(Clone)]
pub struct Loaded {
    pub service: Service,
    pub account: Account,
}

/// Where the service and the credentials come from.
pub struct Credentials {
    settings: Arc<Settings>,
    nick: &'static str,
    tells_changes: bool,
    source: CredentialsSource,
}

enum CredentialsSource {
    /// What was set by value. There are no files.
    Values(Loaded),
    /// Files, of which nothing is kept between requests.
    Files,
    /// The service is as the stream says; for the account there may be files.
    Stream(DashIf),
}

impl Credentials {
    /// Those of the settings, and what the files hold now; `None` where the stream has its say
    /// first.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn load(settings: Arc<Settings>) -> Result<Option<(Self, Loaded)>, Failure> {
        let Some(service) = service(&settings)? else {
            return Ok(None);
        };
        let account = account(&settings, Some(&service))?;
        let loaded = Loaded { service, account };
        let has_files = credential_files(&settings).any(|(_, path)| path.is_some());
        let credentials = Self {
            settings,
            nick: loaded.service.nick(),
            tells_changes: loaded.service.changes().is_some(),
            source: match has_files {
                true => CredentialsSource::Files,
                false => CredentialsSource::Values(loaded.clone()),
            },
        };
        Ok(Some((credentials, loaded)))
    }

    /// Those for a service of DASH-IF's kind.
    pub fn for_dashif(
        settings: Arc<Settings>,
        service: DashIf,
        account: Account,
    ) -> (Self, Loaded) {
        let credentials = Self {
            settings,
            nick: dashif::NICK,
            tells_changes: false,
            source: CredentialsSource::Stream(service.clone()),
        };
        let service = Service::DashIf(service);
        (credentials, Loaded { service, account })
    }

    /// The service's word in settings and messages.
    pub fn nick(&self) -> &'static str {
        self.nick
    }

    /// Whether the service says that there is another token.
    pub fn tells_changes(&self) -> bool {
        self.tells_changes
    }

    /// The keys that a token is asked for, where that is known.
    pub fn key_ids(&self) -> Option<String> {
        match &self.source {
            CredentialsSource::Stream(service) => Some(service.parameter().1),
            _ => None,
        }
    }

    /// The file in which a refresh token is kept that the server hands out.
    pub fn refresh_token_file(&self) -> Option<&str> {
        let is_oauth2 = self.settings.auth_service == AuthService::OAuth2;
        let file = self.settings.oauth2.refresh_token_file();
        file.filter(|_| is_oauth2)
    }

    /// With what the files hold now.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load). `Transient` where the system has no thread to read them.
    pub async fn fresh(self: &Arc<Self>) -> Result<Loaded, Failure> {
        let dashif = match &self.source {
            CredentialsSource::Values(loaded) => return Ok(loaded.clone()),
            CredentialsSource::Files => None,
            CredentialsSource::Stream(service) => Some(service.clone()),
        };
        let credentials = self.clone();
        // A file system may be slow.
        let read = tokio::task::spawn_blocking(move || credentials.read(dashif));
        read.await
            .map_err(|_| Failure::transient("the files of credentials could not be read"))?
    }

    fn read(&self, dashif: Option<DashIf>) -> Result<Loaded, Failure> {
        let service = match dashif {
            Some(dashif) => Some(Service::DashIf(dashif)),
            None => service(&self.settings)?,
        };
        let service = service.ok_or_else(|| {
            Failure::misconfigured("there is no auth service to ask: set `auth-service`")
        })?;
        let account = account(&self.settings, Some(&service))?;
        Ok(Loaded { service, account })
    }
}

/// As whom that service is asked.
///
/// # Errors
///
/// `Misconfigured`, with the property's name and what to set.
pub fn account(settings: &Settings, service: Option<&Service>) -> Result<Account, Failure> {
    Ok(Account {
        extra_headers: extra_headers(settings, service)?,
        tls: settings.common.tls.load()?,
    })
}

/// All files of credentials, with their properties.
fn credential_files(settings: &Settings) -> impl Iterator<Item = (&'static str, Option<&str>)> {
    let tls = &settings.common.tls;
    [
        ("authorization-file", settings.authorization_file.as_deref()),
        ("parameters-file", settings.parameters_file.as_deref()),
        ("extra-headers-file", settings.extra_headers_file.as_deref()),
        settings.custom.file(),
        ("ssl-ca-file", tls.ca_file.as_deref()),
        ("ssl-client-cert", tls.client_cert.as_deref()),
    ]
    .into_iter()
    .chain(settings.oauth2.files())
}

/// What the user should know and what stops nothing.
pub fn warnings(settings: &Settings) -> Vec<String> {
    // What is wrong with them is an error elsewhere.
    let parameters = parameters(settings).unwrap_or_default();
    let signed = parameters.iter();
    let signed = signed.map(|(_, value)| ("secret-file", value.secret_file()));
    let token = ("session-token-file", settings.session_token_file.as_deref());
    // The roots are for everybody to see, and a client's certificate is looked at there.
    let secret = credential_files(settings).filter(|(name, _)| !name.starts_with("ssl-"));
    let files = [token, settings.key_request.file()].into_iter();
    files
        .chain(secret)
        .chain(signed)
        .filter_map(|(setting, path)| files::warning(setting, path))
        .chain(settings.common.tls.warnings())
        .collect()
}

/// The service with what it wants to know. What another service would want to know is refused,
/// because whoever set it expects it to be sent. `None` where the stream has its say first.
fn service(settings: &Settings) -> Result<Option<Service>, Failure> {
    let chosen = settings.auth_service;
    for (setting, service) in settings.service_properties() {
        if service != chosen {
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
        AuthService::OAuth2 => Service::OAuth2(settings.oauth2.service()?),
        AuthService::Http => Service::Custom(settings.custom.service()?),
    }))
}

fn nick(service: AuthService) -> &'static str {
    match service {
        AuthService::Rdk => rdk::NICK,
        AuthService::Thunder => thunder::NICK,
        AuthService::Ags => ags::NICK,
        AuthService::DashIf => dashif::NICK,
        AuthService::OAuth2 => oauth2::NICK,
        AuthService::Http => custom::NICK,
    }
}

/// What came by value, or stands in the file beside it.
///
/// # Errors
///
/// `Misconfigured` where it comes both ways, and what `by_value` and `read` say; both are told the
/// property that it is from.
fn given<V, T>(
    name: &str,
    value: Option<V>,
    file: Option<&String>,
    by_value: impl FnOnce(V, &str) -> Result<T, Failure>,
    read: impl FnOnce(&str, &str) -> Result<T, Failure>,
) -> Result<Option<T>, Failure> {
    let file_name = format!("{name}-file");
    match (value, file) {
        (Some(_), Some(_)) => Err(Failure::misconfigured(format!(
            "`{name}` and `{file_name}` are both set: set one of them"
        ))),
        (Some(value), None) => by_value(value, name).map(Some),
        (None, Some(path)) => read(path, &file_name).map(Some),
        (None, None) => Ok(None),
    }
}

fn authorization(settings: &Settings) -> Result<Option<Secret>, Failure> {
    given(
        "authorization",
        settings.authorization.clone(),
        settings.authorization_file.as_ref(),
        |value, _| Ok(value),
        |path, setting| files::read_text(path, setting, 2 * MAX_TOKEN_LEN),
    )
}

fn parameters(settings: &Settings) -> Result<Parameters, Failure> {
    let parameters = given(
        "parameters",
        settings.parameters.clone(),
        settings.parameters_file.as_ref(),
        |value: Pairs, setting| {
            let value = value?;
            checked_names(value.iter().map(|(name, _)| &**name), setting)?;
            let parameters = value.into_iter();
            let parameters = parameters.map(|(name, value)| (name, Parameter::Text(value)));
            Ok(parameters.collect())
        },
        |path, setting| {
            let text = files::read_text(path, setting, MAX_FILE)?;
            read_parameters(text.expose(), setting)
        },
    )?;
    Ok(parameters.unwrap_or_default())
}

fn extra_headers(settings: &Settings, service: Option<&Service>) -> Pairs {
    let taken = match service {
        Some(Service::Rdk | Service::DashIf(_) | Service::Custom(_)) | None => &[],
        Some(Service::Thunder(thunder)) => thunder.taken(),
        Some(Service::Ags(_)) => &ags::TAKEN[..],
        Some(Service::OAuth2(oauth2)) => oauth2.taken(),
    };
    let headers = given(
        "extra-headers",
        settings.extra_headers.clone(),
        settings.extra_headers_file.as_ref(),
        |value: Pairs, setting| headers::checked(value?, setting, taken),
        |path, setting| {
            let text = files::read_text(path, setting, MAX_FILE)?;
            headers::checked(read_headers(text.expose(), setting)?, setting, taken)
        },
    )?;
    Ok(headers.unwrap_or_default())
}
