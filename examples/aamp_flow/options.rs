// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line. What it has in common with `examples/player` is written alike.

use lexopt::prelude::*;
use url::Url;

use crate::pipeline::Sinks;
use crate::screen::takes_fake_sinks;

pub const USAGE: &str = "\
Usage: aamp_flow [OPTIONS] URL
Try --help.";

pub const HELP: &str = "\
Plays protected HLS in the way of RDK's AAMP, with the operator's session token.

Usage: aamp_flow [OPTIONS] URL

URL is that of a playlist.

Options:
  --auth-service rdk|thunder|ags  Who grants the token (default: rdk)
  --location URL                  Where the auth service is
  --license-url URL               Where the license server is
  --set NAME=VALUE                Any other property of `sessiontoken` and
                                  `clearkeydec`, such as authorization-file,
                                  session-token-file or timeout
  --fake-sinks                    Show nothing; so it is where neither DISPLAY nor
                                  WAYLAND_DISPLAY is set
  --real-sinks                    Show it without these too, as on a console
  --help                          Print this
";

pub struct Options {
    /// Names and values of properties.
    pub settings: Vec<(String, String)>,
    pub sinks: Sinks,
    pub url: Url,
}

pub enum Command {
    Play(Options),
    Help,
}

pub fn from_args() -> Result<Command, lexopt::Error> {
    let mut settings = Vec::new();
    let mut fake_sinks = None;
    let mut playlist = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("auth-service") => {
                let service = auth_service(args.value()?.string()?)?;
                settings.push(("auth-service".into(), service));
            }
            Long("location") => {
                let location = url(&args.value()?.string()?, "--location")?;
                settings.push(("location".into(), location.into()));
            }
            Long("license-url") => {
                let server = url(&args.value()?.string()?, "--license-url")?;
                settings.push(("license-url".into(), server.into()));
            }
            Long("set") => settings.push(setting(&args.value()?.string()?)?),
            Long("fake-sinks") => fake_sinks = Some(true),
            Long("real-sinks") => fake_sinks = Some(false),
            Short('h') | Long("help") => return Ok(Command::Help),
            Value(_) if playlist.is_some() => return Err("one URL is enough".into()),
            Value(value) => playlist = Some(url(&value.string()?, "URL")?),
            _ => return Err(arg.unexpected()),
        }
    }
    let url = playlist.ok_or("no URL of a playlist was given")?;
    let sinks = match takes_fake_sinks("aamp_flow", fake_sinks) {
        true => Sinks::FAKE,
        false => Sinks::REAL,
    };
    Ok(Command::Play(Options {
        settings,
        sinks,
        url,
    }))
}

fn auth_service(name: String) -> Result<String, String> {
    match name.as_str() {
        "rdk" | "thunder" | "ags" => Ok(name),
        _ => Err(format!(
            "there is no auth service `{name}`: it is rdk, thunder or ags"
        )),
    }
}

/// Does not quote what is none: credentials may stand in it.
fn url(text: &str, what: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if ["http", "https"].contains(&url.scheme()) => Ok(url),
        _ => Err(format!("{what} wants a URL such as http://…: check it")),
    }
}

/// The elements check the name and convert the value, and say what is wrong with them. An error
/// here does not quote the value, which may be a secret.
fn setting(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    match text.split_once('=') {
        Some((name, value)) if is_name(name) => Ok((name.to_owned(), value.to_owned())),
        _ => Err("--set wants the name of a property and its value: --set NAME=VALUE".to_owned()),
    }
}
