// SPDX-License-Identifier: MIT OR Apache-2.0

//! The head-end as a program, for demonstrations and for tests in other languages.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use headend::{Auth, Headend};
use lexopt::prelude::*;

const HELP: &str = "\
Runs an operator's head-end on 127.0.0.1: the auth services that grant session
tokens, the ClearKey license server that wants one, and the origin of the media.

Usage: headend [--port N] [--media DIR] [--auth-delay MS] [--media-delay MS]
               [--credentials DIR]

Options:
  --port N           Listen on this port; without it the system chooses one
  --media DIR        Serve the media in this folder; without it, tests/media
  --auth-delay MS    Let the auth services think for so many milliseconds
  --media-delay MS   Let each file of the media take so many milliseconds
  --credentials DIR  Write what Thunder and AGS want to see into this folder, and
                     the session token: thunder-token.txt, ags-parameters.json,
                     session-token.txt
  --help             Print this

Once it listens it prints where everything is, a line each, and then serves
until its standard input is closed.

The requests so far are at /record, with their times at /record/timeline; POST
/record/clear forgets them. POST /revoke has the license server refuse the
tokens granted so far, and the auth services grant a new one next.
";

#[derive(Debug, Default)]
struct Options {
    port: u16,
    media: Option<PathBuf>,
    auth_delay: Option<u64>,
    media_delay: Option<u64>,
    credentials: Option<PathBuf>,
    help: bool,
}

fn main() -> ExitCode {
    let outcome = match Options::from_args() {
        Ok(options) if options.help => io::stdout().write_all(HELP.as_bytes()),
        Ok(options) => run(options),
        Err(error) => {
            eprintln!("headend: {error}\nTry --help.");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("headend: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Options) -> io::Result<()> {
    let headend = match options.media {
        Some(media) => Headend::start_with_media(options.port, media)?,
        None => Headend::start_on(options.port)?,
    };
    if let Some(delay) = options.auth_delay {
        headend.set_auth(Auth::GrantAfter(Duration::from_millis(delay)));
    }
    if let Some(delay) = options.media_delay {
        headend.set_media_delay(Duration::from_millis(delay));
    }
    // Before anything is printed, so that whoever reads where things are finds these there.
    if let Some(folder) = options.credentials {
        headend.write_credentials(&folder)?;
    }

    let mut out = io::stdout().lock();
    writeln!(out, "auth-service: {}", headend.auth_url())?;
    writeln!(out, "thunder: {}", headend.thunder_url())?;
    writeln!(out, "ags: {}", headend.ags_url())?;
    writeln!(out, "license-server: {}", headend.license_url())?;
    writeln!(out, "manifest: {}", headend.manifest_url())?;
    writeln!(out, "periods-manifest: {}", headend.periods_manifest_url())?;
    writeln!(
        out,
        "rotating-manifest: {}",
        headend.rotating_manifest_url()
    )?;
    writeln!(out, "clear-manifest: {}", headend.clear_manifest_url())?;
    out.flush()?;

    // Whoever started this holds the other end, so it never outlives them.
    io::copy(&mut io::stdin().lock(), &mut io::sink())?;
    Ok(())
}

impl Options {
    fn from_args() -> Result<Self, lexopt::Error> {
        let mut options = Self::default();
        let mut args = lexopt::Parser::from_env();
        while let Some(arg) = args.next()? {
            match arg {
                Long("port") => options.port = args.value()?.parse()?,
                Long("media") => options.media = Some(args.value()?.into()),
                Long("auth-delay") => options.auth_delay = Some(args.value()?.parse()?),
                Long("media-delay") => options.media_delay = Some(args.value()?.parse()?),
                Long("credentials") => options.credentials = Some(args.value()?.into()),
                Short('h') | Long("help") => options.help = true,
                _ => return Err(arg.unexpected()),
            }
        }
        Ok(options)
    }
}
