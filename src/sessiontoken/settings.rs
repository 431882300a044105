// SPDX-License-Identifier: MIT OR Apache-2.0

//! The properties.

use gst::glib;
use gst::prelude::*;

use super::custom_settings::CustomServiceSettings;
use super::key_request_settings::KeyRequestSettings;
use super::oauth2_settings::OAuth2Settings;
use super::store::Store;
use crate::auth_service::{rdk, thunder};
use crate::config::{Common, Configured, fields_of, string, text};
use crate::error::Failure;
use crate::http::Endpoint;
use crate::token::Secret;

/// Which service hands out the session tokens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenAuthService")]
#[repr(i32)]
pub enum AuthService {
    #[default]
    #[enum_value(name = "RDK authservice over HTTP", nick = "rdk")]
    Rdk,
    #[enum_value(name = "RDK authservice over Thunder's JSON-RPC", nick = "thunder")]
    Thunder,
    #[enum_value(name = "OpenTV Authentication Gateway Service", nick = "ags")]
    Ags,
    #[enum_value(name = "DASH-IF authorization service", nick = "dashif")]
    DashIf,
    #[enum_value(name = "OAuth 2.0 authorization server", nick = "oauth2")]
    OAuth2,
    #[enum_value(name = "Any other service over HTTP", nick = "http")]
    Http,
}

/// What happens to the stream when there is no token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, glib::Enum)]
#[enum_type(name = "GstSessionTokenOnFailure")]
#[repr(i32)]
pub enum OnFailure {
    #[default]
    #[enum_value(name = "Error: post an error and end the stream", nick = "error")]
    Error,
    #[enum_value(
        name = "Anonymous: post a warning and pass protection events without a token",
        nick = "anonymous"
    )]
    Anonymous,
}

/// Each place gets its part of `timeout`, and with more of them that would be none.
const MAX_LOCATIONS: usize = 8;

/// Names and values out of a structure, or why they cannot be had.
pub type Pairs = Result<Vec<(String, Secret)>, Failure>;

/// The properties as they were set.
#[derive(Clone)]
pub struct Settings {
    pub auth_service: AuthService,
    location: Option<Secret>,
    locations: Option<Secret>,
    pub auth_service_id: Option<String>,
    pub tenant_id: Option<String>,
    pub correlation_id: Option<String>,
    pub thunder_method: Option<String>,
    pub authorization: Option<Secret>,
    pub authorization_file: Option<String>,
    pub parameters: Option<Pairs>,
    pub parameters_file: Option<String>,
    pub discover: bool,
    pub oauth2: OAuth2Settings,
    pub custom: CustomServiceSettings,
    pub extra_headers: Option<Pairs>,
    pub extra_headers_file: Option<String>,
    pub session_token_file: Option<String>,
    pub token_lifetime: u32,
    pub on_failure: OnFailure,
    pub key_request: KeyRequestSettings,
    pub protection_systems: Option<String>,
    pub prefetch: bool,
    pub common: Common,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            auth_service: AuthService::default(),
            location: None,
            locations: None,
            auth_service_id: None,
            tenant_id: None,
            correlation_id: None,
            thunder_method: None,
            authorization: None,
            authorization_file: None,
            parameters: None,
            parameters_file: None,
            discover: false,
            oauth2: OAuth2Settings::default(),
            custom: CustomServiceSettings::default(),
            extra_headers: None,
            extra_headers_file: None,
            session_token_file: None,
            token_lifetime: 0,
            on_failure: OnFailure::default(),
            key_request: KeyRequestSettings::default(),
            protection_systems: None,
            prefetch: true,
            common: Common::default(),
        }
    }
}

/// A property that holds a secret: it is never read back.
fn secret<'a, B: glib::prelude::ParamSpecBuilderExt<'a>>(
    builder: B,
    nick: &'a str,
    blurb: &'a str,
) -> B {
    builder.nick(nick).blurb(blurb).mutable_ready().write_only()
}

impl Settings {
    pub fn properties() -> Vec<glib::ParamSpec> {
        let own = [
            glib::ParamSpecEnum::builder::<AuthService>("auth-service")
                .nick("Auth service")
                .blurb("Which service hands out the session tokens")
                .mutable_ready()
                .build(),
            glib::ParamSpecString::builder("location")
                .nick("Location")
                .blurb("URL of the auth service (default: that of the service, none for ags, oauth2 and http, the MPD's for dashif; read back without userinfo and query)")
                .default_value(rdk::DEFAULT_LOCATION)
                .mutable_ready()
                .build(),
            string(
                "locations",
                "Locations",
                "URLs of the auth service with white space between them, instead of location; the next one is asked where the one before has no answer",
            ),
            string(
                "auth-service-id",
                "Auth service id",
                "The operator's sign-on service (ags: x-auth-service-id)",
            ),
            string("tenant-id", "Tenant id", "The tenant (ags: nv-tenant-id)"),
            string(
                "correlation-id",
                "Correlation id",
                "Ties requests together in the services' logs (default: a new UUID for each token; ags: x-correlation-id)",
            ),
            string(
                "thunder-method",
                "Thunder method",
                "The JSON-RPC method (default: org.rdk.AuthService.1.getSessionToken)",
            ),
            secret(
                glib::ParamSpecString::builder("authorization"),
                "Authorization",
                "Thunder's security token, without Bearer; from code only, else use authorization-file",
            )
            .build(),
            string(
                "authorization-file",
                "Authorization file",
                "File that holds Thunder's security token, read for each request",
            ),
            secret(
                glib::ParamSpecBoxed::builder::<gst::Structure>("parameters"),
                "Parameters",
                "The operator's parameters for ags, in order; from code only, else use parameters-file",
            )
            .build(),
            string(
                "parameters-file",
                "Parameters file",
                "File that holds the operator's parameters for ags (a JSON object name to value, or ags's array), read for each request; a value may be a JWT to sign: {\"jwt\":{\"secret-file\":…,\"claims\":{…}}}",
            ),
            glib::ParamSpecBoolean::builder("discover")
                .nick("Discover")
                .blurb("Ask ags which services there are, and check id and parameters before any of them is sent")
                .mutable_ready()
                .build(),
            secret(
                glib::ParamSpecBoxed::builder::<gst::Structure>("extra-headers"),
                "Extra headers",
                "HTTP headers to add to the request for a token; from code only, else use extra-headers-file",
            )
            .build(),
            string(
                "extra-headers-file",
                "Extra headers file",
                "File that holds HTTP headers to add to the request for a token (a JSON object name to value), read for each request",
            ),
            string(
                "session-token-file",
                "Session token file",
                "File that holds the session token, read at each tune instead of asking a service",
            ),
            glib::ParamSpecUInt::builder("token-lifetime")
                .nick("Token lifetime")
                .blurb("Seconds for which a service's token is good at the most (0: as long as the service and the token itself say)")
                .mutable_ready()
                .build(),
            string(
                "protection-systems",
                "Protection systems",
                "Ids (UUIDs, with commas or white space between them) of the DRM systems whose protection events get the token; others pass as they are (default: all)",
            ),
            glib::ParamSpecEnum::builder::<OnFailure>("on-failure")
                .nick("On failure")
                .blurb("What to do with the stream when there is no token")
                .mutable_ready()
                .build(),
            glib::ParamSpecBoolean::builder("prefetch")
                .nick("Prefetch")
                .blurb("Ask for the token when going to PAUSED, beside manifest and init segments, instead of at the first protection event")
                .default_value(true)
                .mutable_ready()
                .build(),
        ];
        own.into_iter()
            .chain(OAuth2Settings::properties())
            .chain(CustomServiceSettings::properties())
            .chain(KeyRequestSettings::properties())
            .chain(Common::properties())
            .collect()
    }

    pub fn get(&self, name: &str) -> glib::Value {
        match name {
            "auth-service" => self.auth_service.to_value(),
            "location" => self.location().map(Endpoint::redacted).to_value(),
            "locations" => self
                .locations
                .as_ref()
                .map(|locations| {
                    let shown: Vec<_> = each(locations).map(Endpoint::redacted).collect();
                    shown.join(" ")
                })
                .to_value(),
            "auth-service-id" => self.auth_service_id.to_value(),
            "tenant-id" => self.tenant_id.to_value(),
            "correlation-id" => self.correlation_id.to_value(),
            "thunder-method" => self.thunder_method.to_value(),
            "authorization-file" => self.authorization_file.to_value(),
            "parameters-file" => self.parameters_file.to_value(),
            "discover" => self.discover.to_value(),
            "extra-headers-file" => self.extra_headers_file.to_value(),
            "session-token-file" => self.session_token_file.to_value(),
            "token-lifetime" => self.token_lifetime.to_value(),
            "on-failure" => self.on_failure.to_value(),
            "protection-systems" => self.protection_systems.to_value(),
            "prefetch" => self.prefetch.to_value(),
            name => {
                let own = self.oauth2.get(name).or_else(|| self.custom.get(name));
                let own = own.or_else(|| self.key_request.get(name));
                own.unwrap_or_else(|| self.common.get(name))
            }
        }
    }

    /// The properties that are set for one service alone.
    pub fn service_properties(&self) -> impl Iterator<Item = (&'static str, AuthService)> {
        use AuthService::{Ags, Http, OAuth2, Thunder};
        [
            ("thunder-method", Thunder, self.thunder_method.is_some()),
            ("authorization", Thunder, self.authorization.is_some()),
            (
                "authorization-file",
                Thunder,
                self.authorization_file.is_some(),
            ),
            ("auth-service-id", Ags, self.auth_service_id.is_some()),
            ("tenant-id", Ags, self.tenant_id.is_some()),
            ("parameters", Ags, self.parameters.is_some()),
            ("parameters-file", Ags, self.parameters_file.is_some()),
            ("discover", Ags, self.discover),
        ]
        .into_iter()
        .filter_map(|(name, service, is_set)| is_set.then_some((name, service)))
        .chain(self.oauth2.set_property().map(|name| (name, OAuth2)))
        .chain(self.custom.set_property().map(|name| (name, Http)))
    }

    /// Whether a service gives the token.
    pub fn asks_a_service(&self) -> bool {
        self.session_token_file.is_none()
    }

    /// Where the service is asked, if that is known.
    fn location(&self) -> Option<&str> {
        match (&self.location, self.auth_service) {
            (Some(location), _) => Some(location.expose()),
            (None, AuthService::Rdk) => Some(rdk::DEFAULT_LOCATION),
            (None, AuthService::Thunder) => Some(thunder::DEFAULT_LOCATION),
            (None, _) => None,
        }
    }

    /// All the places where the service is asked, in order; none where the user names none and
    /// there is no default.
    ///
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name.
    pub fn endpoints(&self) -> Result<Vec<Endpoint>, Failure> {
        let (setting, texts): (_, Vec<_>) = match (&self.location, &self.locations) {
            (Some(_), Some(_)) => {
                return Err(Failure::misconfigured(
                    "`location` and `locations` are both set: set one of them",
                ));
            }
            (None, Some(locations)) => ("locations", each(locations).collect()),
            (_, None) => ("location", self.location().into_iter().collect()),
        };
        if texts.len() > MAX_LOCATIONS {
            return Err(Failure::misconfigured(format!(
                "`{setting}` has more than {MAX_LOCATIONS} URLs"
            )));
        }
        let parse = |text: &&str| Endpoint::parse(text, setting, self.common.allow_cleartext);
        texts.iter().map(parse).collect()
    }
}

/// The URLs of `locations`.
fn each(locations: &Secret) -> impl Iterator<Item = &str> {
    locations.expose().split_ascii_whitespace()
}

impl Configured for Settings {
    fn apply(&mut self, name: &str, value: &glib::Value) {
        match name {
            "auth-service" => self.auth_service = value.get().unwrap_or_default(),
            "location" => self.location = text(value).map(Secret::new),
            "locations" => self.locations = text(value).map(Secret::new),
            "auth-service-id" => self.auth_service_id = text(value),
            "tenant-id" => self.tenant_id = text(value),
            "correlation-id" => self.correlation_id = text(value),
            "thunder-method" => self.thunder_method = text(value),
            "authorization" => self.authorization = text(value).map(Secret::new),
            "authorization-file" => self.authorization_file = text(value),
            "parameters" => self.parameters = pairs(value, name),
            "parameters-file" => self.parameters_file = text(value),
            "discover" => self.discover = value.get().unwrap_or(false),
            "extra-headers" => self.extra_headers = pairs(value, name),
            "extra-headers-file" => self.extra_headers_file = text(value),
            "session-token-file" => self.session_token_file = text(value),
            "token-lifetime" => self.token_lifetime = value.get().unwrap_or(0),
            "on-failure" => self.on_failure = value.get().unwrap_or_default(),
            "protection-systems" => self.protection_systems = text(value),
            "prefetch" => self.prefetch = value.get().unwrap_or(true),
            name => {
                let is_own = self.oauth2.apply(name, value)
                    || self.custom.apply(name, value)
                    || self.key_request.apply(name, value);
                if !is_own {
                    self.common.apply(name, value);
                }
            }
        }
    }
}

/// The fields of a structure, in order.
fn pairs(value: &glib::Value, name: &str) -> Option<Pairs> {
    let structure = value.get::<Option<gst::Structure>>().ok().flatten()?;
    Some(fields_of(&structure, &format!("`{name}`")))
}

/// Properties that are no settings: what the element is told and tells beside them.
pub fn beside_settings() -> [glib::ParamSpec; 3] {
    [
        glib::ParamSpecString::builder("session-token")
            .nick("Session token")
            .blurb("The application's own token, instead of asking a service; empty takes it back")
            .mutable_playing()
            .write_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("Statistics")
            .blurb("What the element did since it went to PAUSED")
            .read_only()
            .build(),
        glib::ParamSpecObject::builder::<Store>("store")
            .nick("Token store")
            .blurb("The tokens of this element, as decryptors find them by a context query")
            .read_only()
            .build(),
    ]
}
