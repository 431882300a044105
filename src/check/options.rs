// SPDX-License-Identifier: MIT OR Apache-2.0

//! The command line of the check program.

/// What the user wants to have checked.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Properties of `sessiontoken`, and their values.
    pub settings: Vec<(String, String)>,
    pub license_url: Option<String>,
    pub key_id: Option<String>,
    pub json: bool,
}

/// What a command line says.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    Check(Options),
    Help,
    Version,
}

pub const USAGE: &str = "\
Usage: gst-session-token-check-1.0 [OPTION…] [PROPERTY=VALUE…]

Fetches a session token once, with the settings that the GStreamer element
sessiontoken would have, and says how that went. It prints no secret.

PROPERTY=VALUE is a property of sessiontoken, as gst-launch-1.0 takes it. What
is not set comes from the environment (GST_SESSION_TOKEN_CONFIG), or is the
default.

  --license-url=URL  ask this ClearKey license server with the token as well
  --key-id=KEY_ID    for this key (32 hexadecimal digits)
  --json             print one JSON object
  --help, --version

Exit status: 0 there is a token (and the key), 1 the command line is wrong,
2 misconfigured, 3 denied, 4 transient, 5 timed out, 6 malformed,
7 the license server gave no key.
";

/// # Errors
///
/// What is wrong, in a sentence.
pub fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut options = Options::default();
    for argument in arguments {
        let (name, value) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (&*argument, None),
        };
        match (name, value) {
            ("--help" | "-h", None) => return Ok(Command::Help),
            ("--version", None) => return Ok(Command::Version),
            ("--json", None) => options.json = true,
            ("--license-url", Some(url)) => options.license_url = Some(url.to_owned()),
            ("--key-id", Some(id)) => options.key_id = Some(id.to_owned()),
            (name, Some(value)) if !name.starts_with('-') && !name.is_empty() => {
                options.settings.push((name.to_owned(), value.to_owned()));
            }
            // A secret may have been meant for another place.
            _ => return Err("an argument is neither an option nor PROPERTY=VALUE".to_owned()),
        }
    }
    if options.license_url.is_some() != options.key_id.is_some() {
        return Err("--license-url and --key-id go together".to_owned());
    }
    Ok(Command::Check(options))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn settings_and_options_are_told_apart() {
        let options = Options {
            settings: vec![
                ("auth-service".to_owned(), "ags".to_owned()),
                ("location".to_owned(), "http://a/?b=c".to_owned()),
            ],
            license_url: Some("http://l/?x=y".to_owned()),
            key_id: Some("00".to_owned()),
            json: true,
        };
        let line = "auth-service=ags --json location=http://a/?b=c --key-id=00 --license-url=http://l/?x=y";
        assert_eq!(parsed(line), Ok(Command::Check(options)));
        assert_eq!(parsed("--help x"), Ok(Command::Help));
        assert_eq!(parsed("--version"), Ok(Command::Version));
        assert_eq!(parsed(""), Ok(Command::Check(Options::default())));
    }

    #[test]
    fn wrong_command_line_is_not_quoted() {
        for line in [
            "SECRET",
            "--SECRET",
            "--json=SECRET",
            "=SECRET",
            "--key-id=SECRET",
        ] {
            let complaint = parsed(line).expect_err(line);
            assert!(!complaint.contains("SECRET"), "{complaint}");
        }
    }
}
