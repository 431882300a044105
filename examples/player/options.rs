// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line.

use lexopt::prelude::*;
use url::Url;

use crate::screen::takes_fake_sinks;

pub const USAGE: &str = "\
Usage: player [OPTIONS] URI...
Try --help.";

pub const HELP: &str = "\
Plays protected channels with the operator's session token.

Usage: player [OPTIONS] URI...

Each URI is a channel.

Options:
  --auth-service rdk|thunder|ags  Who grants the token (default: rdk)
  --location URL                  Where the auth service is
  --set NAME=VALUE                Any other property of `sessiontoken` and
                                  `clearkeydec`, such as authorization-file,
                                  session-token-file or license-url
  --written-out                   Build the pipeline element by element instead
                                  of using playbin3; for protected DASH with
                                  H.264 and AAC
  --cold                          Do not fetch the token ahead of the stream
  --fake-sinks                    Show nothing; so it is where neither DISPLAY nor
                                  WAYLAND_DISPLAY is set
  --real-sinks                    Show it without these too, as on a console
  --help                          Print this

Keys:
  n, p          next channel, previous channel
  space         pause, go on
  left, right   10 seconds back, 10 seconds ahead (also , and .)
  q             quit

Where standard input is no terminal its bytes are the keys.
";

#[derive(Default)]
pub struct Options {
    /// Names and values of properties.
    pub settings: Vec<(String, String)>,
    pub written_out: bool,
    pub cold: bool,
    pub fake_sinks: bool,
    pub channels: Vec<String>,
}

pub enum Command {
    Play(Options),
    Help,
}

pub fn from_args() -> Result<Command, lexopt::Error> {
    let mut options = Options::default();
    let mut fake_sinks = None;
    let mut args = lexopt::Parser::from_env();
    while let Some(arg) = args.next()? {
        match arg {
            Long("auth-service") => {
                let service = auth_service(args.value()?.string()?)?;
                options.settings.push(("auth-service".into(), service));
            }
            Long("location") => {
                let location = uri(args.value()?.string()?)?;
                options.settings.push(("location".into(), location));
            }
            Long("set") => options.settings.push(setting(&args.value()?.string()?)?),
            Long("written-out") => options.written_out = true,
            Long("cold") => options.cold = true,
            Long("fake-sinks") => fake_sinks = Some(true),
            Long("real-sinks") => fake_sinks = Some(false),
            Short('h') | Long("help") => return Ok(Command::Help),
            Value(value) => options.channels.push(uri(value.string()?)?),
            _ => return Err(arg.unexpected()),
        }
    }
    if options.channels.is_empty() {
        return Err("no URI to play was given".into());
    }
    options.fake_sinks = takes_fake_sinks("player", fake_sinks);
    Ok(Command::Play(options))
}

fn auth_service(name: String) -> Result<String, String> {
    match name.as_str() {
        "rdk" | "thunder" | "ags" => Ok(name),
        _ => Err(format!(
            "there is no auth service `{name}`: it is rdk, thunder or ags"
        )),
    }
}

fn uri(text: String) -> Result<String, String> {
    match Url::parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => Err(format!(
            "`{text}` is no URI, such as http://… or file:///…: {error}"
        )),
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
