// SPDX-License-Identifier: MIT OR Apache-2.0

//! The program `gst-session-token-check-1.0`: fetches a token once, with the settings of the
//! element, and says how that went.

mod options;
mod probe;
mod report;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::SystemTime;

use gst::glib;
use gst::prelude::*;

use self::options::{Command, Options, USAGE};
use self::report::{Report, Setting, TokenFacts};
use crate::cenc::{KeyId, read_license, request_body};
use crate::config;
use crate::error::Failure;
use crate::http::{self, Attempt, Deadline, Endpoint, Method, Purpose, Redirects, Request};
use crate::request_log;
use crate::sessiontoken::SessionToken;
use crate::token::{ClockReading, Secret, Token, claims};
use crate::tune::Attachment;
use crate::wait::lock;

/// A license of which more cannot be read.
const MAX_LICENSE: usize = 64 * 1024;

/// What became of each request, a line each.
static ATTEMPTS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Runs the program with these arguments, without its name.
pub fn run(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    let options = match options::parse(arguments) {
        Ok(Command::Check(options)) => options,
        Ok(Command::Help) => return say(USAGE, 0),
        Ok(Command::Version) => {
            let version = concat!(
                "gst-session-token-check-1.0 ",
                env!("CARGO_PKG_VERSION"),
                "\n"
            );
            return say(version, 0);
        }
        Err(complaint) => {
            eprintln!("{complaint}\n\n{USAGE}");
            return ExitCode::from(1);
        }
    };
    if let Err(error) = gst::init() {
        eprintln!("GStreamer does not start: {error}");
        return ExitCode::from(1);
    }
    http::set_attempt_log(|attempt: &Attempt<'_>| {
        lock(&ATTEMPTS).push(request_log::short_line(attempt));
    });
    let mut report = Report::default();
    if let Err(failure) = check(&options, &mut report) {
        report.token = Some(Err(failure));
    }
    report.attempts = std::mem::take(&mut *lock(&ATTEMPTS));
    let text = match options.json {
        true => report.json(),
        false => report.text(),
    };
    say(&text, report.exit_status())
}

/// Whoever reads that may have gone.
fn say(text: &str, status: u8) -> ExitCode {
    let _ = std::io::stdout().write_all(text.as_bytes());
    ExitCode::from(status)
}

/// On a terminal one likes to see that something happens.
fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("{text} …");
    }
}

fn check(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let element = glib::Object::new::<SessionToken>();
    for (name, value) in config::from_arguments(element.upcast_ref(), &options.settings)? {
        element.set_property_from_value(&name, &value);
    }
    let settings = element.completed_settings()?;
    report.settings = sources(&element, options)?
        .into_iter()
        .map(|(name, source)| Setting {
            value: match &*name {
                // They may hold more than the token's place.
                "key-request-header" | "key-request-query" => "set".to_owned(),
                name => shown(&settings.get(name)),
            },
            name,
            source,
        })
        .filter(|setting| !setting.value.is_empty())
        .collect();
    element.check_settings()?;
    let tls = settings.common.tls.load()?;
    let timeout = settings.common.timeout();
    if let Some(endpoint) = settings
        .endpoints()?
        .first()
        .filter(|_| settings.asks_a_service())
    {
        let is_tls = endpoint.url().scheme() == "https";
        report.server = Some((endpoint.authority(), is_tls));
        progress(&format!("Connecting to {}", endpoint.authority()));
        report.probe = Some(probe::probe(endpoint.url(), &tls, timeout));
    }
    progress("Asking for a token");
    let attachment = fetch(&element)?;
    report.token = Some(Ok(facts(&attachment.token)));
    if let (Some(url), Some(key_id)) = (&options.license_url, &options.key_id) {
        progress("Asking for a license");
        let deadline = Deadline::new(timeout, settings.common.retries);
        let allow_cleartext = settings.common.allow_cleartext;
        let url = Endpoint::parse(url, "--license-url", allow_cleartext);
        report.license = Some(url.and_then(|url| {
            let key_id = parse_key_id(key_id)?;
            let mut request = license_request(url, &attachment, key_id);
            request.tls = tls;
            license(&request, &deadline)
        }));
    }
    Ok(())
}

/// The settings that are worth showing, and where they come from.
fn sources(
    element: &SessionToken,
    options: &Options,
) -> Result<Vec<(String, &'static str)>, Failure> {
    // GObject takes `_` for `-`.
    let canonical = |name: &String| name.replace('_', "-");
    let in_environment: Vec<_> = config::names_in_environment()?
        .iter()
        .map(canonical)
        .collect();
    let arguments = options.settings.iter().map(|(name, _)| canonical(name));
    let arguments: Vec<_> = arguments.collect();
    let mut sources = Vec::new();
    for pspec in element.list_properties() {
        let name = pspec.name();
        let flags = pspec.flags();
        let is_setting = pspec.owner_type() == SessionToken::static_type()
            && flags.contains(glib::ParamFlags::READWRITE);
        let is_among = |names: &[String]| names.iter().any(|one| one == name);
        let source = if is_among(&arguments) {
            "command line"
        } else if is_among(&in_environment) {
            config::VARIABLE
        } else if matches!(name, "auth-service" | "location" | "timeout" | "retries") {
            "default"
        } else {
            continue;
        };
        if is_setting {
            sources.push((name.to_owned(), source));
        }
    }
    Ok(sources)
}

/// A property's value, as one would write it.
fn shown(value: &glib::Value) -> String {
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return value.nick().to_owned();
    }
    if let Ok(text) = value.get::<Option<String>>() {
        return text.unwrap_or_default();
    }
    let text = value.transform::<String>().ok();
    let text = text.and_then(|text| text.get::<String>().ok());
    text.unwrap_or_default().to_lowercase()
}

fn fetch(element: &SessionToken) -> Result<Attachment, Failure> {
    element
        .set_state(gst::State::Paused)
        .map_err(|_| Failure::transient("the element could not be started"))?;
    let token = element.token_store().first_attachment();
    // It can always go down.
    let _ = element.set_state(gst::State::Null);
    token
}

fn facts(token: &Token) -> TokenFacts {
    let now = ClockReading::now();
    let ends_at = token.validity().ends_at(now);
    let left = ends_at.and_then(|end| end.duration_since(now.wall).ok());
    TokenFacts {
        length: token.text().expose().len(),
        expires_in: left.map(|left| left.as_secs()),
        correlation_id: token.origin().correlation_id.to_string(),
        warnings: clock_warning(token.text(), now.wall).into_iter().collect(),
    }
}

/// Whether a token's own times fit to the clock.
fn clock_warning(token: &Secret, now: SystemTime) -> Option<String> {
    let claims = claims(token)?;
    if claims.ends.is_some_and(|end| end <= now) {
        return Some(
            "by its own `exp` the token had ended when it came: check the clocks of service and box"
                .to_owned(),
        );
    }
    claims.is_ahead(now).then(|| {
        "by its own `nbf` the token is not valid yet: check the clocks of service and box"
            .to_owned()
    })
}

fn parse_key_id(text: &str) -> Result<KeyId, Failure> {
    let id = uuid::Uuid::try_parse(text).map_err(|_| {
        Failure::misconfigured("`--key-id` is no key id: write 32 hexadecimal digits")
    })?;
    Ok(KeyId(id.into_bytes()))
}

fn license_request(url: Endpoint, attachment: &Attachment, key_id: KeyId) -> Request {
    let Attachment { token, policy, .. } = attachment;
    Request {
        purpose: Some(Purpose::License),
        method: Method::Post,
        secrets: vec![token.text().clone()],
        token_hosts: http::TokenHosts::origins([url.url()]),
        token_in_cleartext: true,
        token_headers: policy.shape.headers(token),
        token_query: policy.shape.query(token.text()),
        body: Some((
            "application/json".into(),
            zeroize::Zeroizing::new(request_body(&[key_id])),
        )),
        redirects: Redirects::Followed {
            allow_cleartext: false,
        },
        max: MAX_LICENSE,
        ..Request::new(url, http::TlsConfig::default())
    }
}

/// How many keys the license has.
fn license(request: &Request, deadline: &Deadline) -> Result<usize, Failure> {
    let asked = http::exchange(request, deadline, read_license);
    let (license, _) = crate::runtime::get()?.block_on(asked)?;
    Ok(license.keys.len())
}
