// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the check program prints.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::probe::Probe;
use crate::error::{Failure, Kind};

/// A setting, what it is, and where that came from.
pub struct Setting {
    pub name: String,
    pub value: String,
    pub source: &'static str,
}

/// Of a token, what is no secret.
pub struct TokenFacts {
    pub length: usize,
    /// Seconds from now, where an end is known.
    pub expires_in: Option<u64>,
    pub correlation_id: String,
    pub warnings: Vec<String>,
}

/// All that was found.
#[derive(Default)]
pub struct Report {
    pub settings: Vec<Setting>,
    /// Host and port, and whether that is asked over TLS.
    pub server: Option<(String, bool)>,
    pub probe: Option<Probe>,
    /// One line each.
    pub attempts: Vec<String>,
    pub token: Option<Result<TokenFacts, Failure>>,
    pub license: Option<Result<usize, Failure>>,
}

impl Report {
    /// The exit status of the program.
    pub fn exit_status(&self) -> u8 {
        match (&self.token, &self.license) {
            (Some(Err(failure)), _) => match failure.kind {
                Kind::Misconfigured => 2,
                Kind::Denied => 3,
                Kind::Transient => 4,
                Kind::TimedOut => 5,
                Kind::Malformed => 6,
            },
            (None, _) => 2,
            (_, Some(Err(_))) => 7,
            _ => 0,
        }
    }

    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, what: &str| {
            // A text takes all that is written.
            let _ = writeln!(text, "{:<16}{what}", format!("{name}:"));
        };
        for Setting {
            name,
            value,
            source,
        } in &self.settings
        {
            line("setting", &format!("{name} = {value} ({source})"));
        }
        if let Some((server, is_tls)) = &self.server {
            let how = if *is_tls { "TLS" } else { "no TLS" };
            line("server", &format!("{server}, {how}"));
        }
        if let Some(probe) = &self.probe {
            if let Some(variable) = probe.proxy {
                line("proxy", &format!("the one that {variable} names"));
            }
            for step in &probe.steps {
                let time = step.time.as_millis();
                match step.works {
                    true => line(step.name, &format!("{time} ms")),
                    false => line(step.name, &format!("failed after {time} ms")),
                }
            }
            if let Some(tls) = probe.tls {
                line("version", tls);
            }
        }
        for attempt in &self.attempts {
            line("request", attempt);
        }
        match &self.token {
            None => {}
            Some(Ok(token)) => {
                let end = match token.expires_in {
                    Some(seconds) => format!("ends in {seconds} s"),
                    None => "no end is known".to_owned(),
                };
                line("token", &format!("{} bytes, {end}", token.length));
                line("correlation id", &token.correlation_id);
                for warning in &token.warnings {
                    line("warning", warning);
                }
            }
            Some(Err(failure)) => {
                line("token", &format!("none, {}", failure.kind.nick()));
                failure_lines(failure, &mut line);
            }
        }
        match &self.license {
            None => {}
            Some(Ok(keys)) => line("license", &format!("{keys} key(s)")),
            Some(Err(failure)) => {
                line("license", &format!("none, {}", failure.kind.nick()));
                failure_lines(failure, &mut line);
            }
        }
        text
    }

    pub fn json(&self) -> String {
        let settings = self.settings.iter().map(|setting| {
            json!({ "name": setting.name, "value": setting.value, "source": setting.source })
        });
        let mut report = json!({ "settings": settings.collect::<Vec<_>>() });
        if let Some((server, is_tls)) = &self.server {
            report["server"] = json!({ "name": server, "tls": is_tls });
        }
        if let Some(probe) = &self.probe {
            report["proxy"] = json!(probe.proxy);
            report["tls-version"] = json!(probe.tls);
            let steps = probe.steps.iter().map(|step| {
                json!({
                    "name": step.name,
                    "milliseconds": milliseconds(step.time.as_millis()),
                    "works": step.works,
                })
            });
            report["phases"] = Value::Array(steps.collect());
        }
        report["requests"] = json!(self.attempts);
        match &self.token {
            None => {}
            Some(Ok(token)) => {
                report["token"] = json!({
                    "bytes": token.length,
                    "expires-in": token.expires_in,
                    "correlation-id": token.correlation_id,
                    "warnings": token.warnings,
                });
            }
            Some(Err(failure)) => report["failure"] = failure_value(failure),
        }
        match &self.license {
            None => {}
            Some(Ok(keys)) => report["license"] = json!({ "keys": keys }),
            Some(Err(failure)) => report["license-failure"] = failure_value(failure),
        }
        report["exit-status"] = json!(self.exit_status());
        // What is built of texts and numbers always becomes JSON.
        serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
    }
}

fn milliseconds(time: u128) -> u64 {
    u64::try_from(time).unwrap_or(u64::MAX)
}

fn failure_lines(failure: &Failure, line: &mut impl FnMut(&str, &str)) {
    line("reason", &failure.what);
    if let Some(status) = failure.http_status {
        line("HTTP status", &status.to_string());
    }
    let problem = &failure.problem;
    let words = [problem.title(), problem.detail()];
    for words in words.into_iter().flatten() {
        line("server says", &words);
    }
    if let Some(request) = &failure.request {
        line("correlation id", &request.correlation_id);
    }
}

fn failure_value(failure: &Failure) -> Value {
    json!({
        "reason": failure.kind.nick(),
        "text": failure.what,
        "http-status": failure.http_status,
        "attempts": failure.attempts,
        "title": failure.problem.title(),
        "detail": failure.problem.detail(),
        "correlation-id": failure.request.as_ref().map(|request| request.correlation_id.to_string()),
    })
}
