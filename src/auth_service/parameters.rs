// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parameters and headers as the user writes them into files.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::signed_jwt::{DEFAULT_LIFETIME, SharedSecretJwt};
use crate::error::Failure;
use crate::files;
use crate::json::{self, Object, Pairs};
use crate::token::Secret;

/// Longest file of parameters or headers: about four of the longest tokens.
pub const MAX_FILE: usize = 64 * 1024;

/// Parameters that may be sent. An operator wants a handful; the bound is for a file that is
/// another one.
const MAX_PARAMETERS: usize = 256;

/// Longest file of a shared secret.
const MAX_SECRET: usize = 4096;

/// Longest lifetime of a token that is made here, in seconds: it is for one request.
const MAX_LIFETIME: u32 = 24 * 3600;

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Parameter {
    Text(Secret),
    /// A token that is made anew for each request, with the secret in that file.
    Jwt(SharedSecretJwt, String),
}

impl Parameter {
    /// What is sent as of `now`.
    pub fn value(&self, now: SystemTime) -> Secret {
        match self {
            Parameter::Text(text) => text.clone(),
            Parameter::Jwt(jwt, _) => jwt.sign(now),
        }
    }

    /// The file of its secret, if it has one.
    pub fn secret_file(&self) -> Option<&str> {
        match self {
            Parameter::Text(_) => None,
            Parameter::Jwt(_, file) => Some(file),
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, Parameter::Text(text) if text.expose().is_empty())
    }
}

impl From<&str> for Parameter {
    fn from(text: &str) -> Self {
        Parameter::Text(Secret::from(text))
    }
}

/// Names and values, in the order in which they are sent.
pub type Parameters = Vec<(String, Parameter)>;

/// A value as written: a text, or `{"jwt":{"secret-file":…,"kid":…,"claims":{…},"lifetime":…}}`.
enum Written {
    Text(Secret),
    Jwt(Jwt),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Jwt {
    secret_file: String,
    kid: Option<String>,
    #[serde(default)]
    claims: Map<String, Value>,
    lifetime: Option<u32>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrJwt;

        impl<'de> Visitor<'de> for TextOrJwt {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, or an object with `jwt`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
                Ok(Written::Text(Secret::from(text)))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written, A::Error> {
                #[derive(Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Fields {
                    jwt: Object<Jwt>,
                }
                let fields = Fields::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Written::Jwt(fields.jwt.0))
            }
        }

        deserializer.deserialize_any(TextOrJwt)
    }
}

impl Written {
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name, where no token can be made of it.
    fn read(self, setting: &str) -> Result<Parameter, Failure> {
        let jwt = match self {
            Written::Text(text) => return Ok(Parameter::Text(text)),
            Written::Jwt(jwt) => jwt,
        };
        let wrong = |what: &str| {
            Err(Failure::misconfigured(format!(
                "`{setting}` describes a JWT {what}"
            )))
        };
        if let Some(time) = ["iat", "exp"]
            .iter()
            .find(|name| jwt.claims.contains_key(**name))
        {
            return wrong(&format!(
                "with the claim `{time}`, which is written anew for each request: leave it out"
            ));
        }
        if jwt
            .lifetime
            .is_some_and(|seconds| !(1..=MAX_LIFETIME).contains(&seconds))
        {
            return wrong(&format!(
                "whose `lifetime` is not from 1 to {MAX_LIFETIME} seconds"
            ));
        }
        let file = format!("secret-file` of `{setting}");
        let secret = files::read_text(&jwt.secret_file, &file, MAX_SECRET)?;
        if secret.expose().is_empty() {
            return wrong("whose `secret-file` is empty");
        }
        let lifetime = jwt
            .lifetime
            .map(|seconds| Duration::from_secs(seconds.into()));
        let token = SharedSecretJwt {
            secret,
            key_id: jwt.kid,
            // What was read as JSON can be written as such.
            claims: Secret::new(serde_json::to_string(&jwt.claims).unwrap_or_default()),
            lifetime: lifetime.unwrap_or(DEFAULT_LIFETIME),
        };
        Ok(Parameter::Jwt(token, jwt.secret_file))
    }
}

/// Reads a file of headers: a JSON object, name → value.
///
/// # Errors
///
/// `Misconfigured`, with the property's name.
pub fn read_headers(text: &str, setting: &str) -> Result<Vec<(String, Secret)>, Failure> {
    let Pairs(pairs) = json::read(text.as_bytes()).map_err(|complaint| {
        Failure::misconfigured(format!(
            "`{setting}` is {complaint}: write a JSON object of names and strings"
        ))
    })?;
    Ok(pairs)
}

/// Reads a file of parameters: a JSON object, name → value, or AGS's own array of
/// `{"name":…,"value":…}`. A value is a text, or describes a JWT that is signed for each request.
/// The order is kept. The files of shared secrets are read too.
///
/// # Errors
///
/// `Misconfigured`, with the property's name.
pub fn read_parameters(text: &str, setting: &str) -> Result<Parameters, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        name: String,
        value: Written,
    }
    let read = if text.trim_start().starts_with('[') {
        json::read::<Vec<Object<Named>>>(text.as_bytes()).map(|parameters| {
            parameters
                .into_iter()
                .map(|Object(Named { name, value })| (name, value))
                .collect()
        })
    } else {
        json::read::<Pairs<Written>>(text.as_bytes()).map(|Pairs(pairs)| pairs)
    };
    let written = read.map_err(|complaint| {
        Failure::misconfigured(format!(
            "`{setting}` is {complaint}: write a JSON object of names and strings, or an array of {{\"name\":…,\"value\":…}}; a value may be {{\"jwt\":{{\"secret-file\":…,\"claims\":{{…}}}}}}"
        ))
    })?;
    checked_names(written.iter().map(|(name, _)| &**name), setting)?;
    let parameters = written.into_iter();
    parameters
        .map(|(name, value)| Ok((name, value.read(setting)?)))
        .collect()
}

/// Checks the names of parameters, wherever they are from.
///
/// # Errors
///
/// `Misconfigured`, with the property's name, for names that are empty or come twice, and for too
/// many.
pub fn checked_names<'a>(
    names: impl Iterator<Item = &'a str>,
    setting: &str,
) -> Result<(), Failure> {
    let names: Vec<_> = names.collect();
    let mut numbered = names.iter().enumerate();
    let complaint = if names.len() > MAX_PARAMETERS {
        format!("has more than {MAX_PARAMETERS} parameters")
    } else if names.contains(&"") {
        "has a parameter without a name".to_owned()
    } else if let Some((_, twice)) = numbered.find(|(at, name)| names[..*at].contains(name)) {
        let twice = crate::problem_details::cleaned(twice, 64);
        format!("has the parameter `{twice}` twice")
    } else {
        return Ok(());
    };
    Err(Failure::misconfigured(format!("`{setting}` {complaint}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        let parameters = read_parameters(text, "parameters-file").expect(text);
        parameters.into_iter().map(|(name, _)| name).collect()
    }

    #[test]
    fn both_forms_are_read_and_the_order_is_kept() {
        assert_eq!(names(r#"{"z":"1","a":"2"}"#), ["z", "a"]);
        assert_eq!(
            names(r#" [{"name":"z","value":"1"},{"value":"2","name":"a"}]"#),
            ["z", "a"]
        );
        assert_eq!(names("{}"), [""; 0]);
        assert_eq!(names("[]"), [""; 0]);
    }

    #[test]
    fn invalid_parameters_error_names_property_only() {
        for text in [
            "",
            "SECRET",
            r#""SECRET""#,
            r#"{"a":1}"#,
            r#"{"a":{"b":"SECRET"}}"#,
            r#"{"a":"SECRET","a":"SECRET"}"#,
            r#"{"":"SECRET"}"#,
            r#"[["a","SECRET"]]"#,
            r#"[{"name":"a"}]"#,
            r#"[{"name":"a","value":"SECRET","SECRET":1}]"#,
            r#"[{"name":"a","value":"SECRET"},{"name":"a","value":"SECRET"}]"#,
        ] {
            let failure = read_parameters(text, "parameters-file").expect_err(text);
            assert!(
                failure.what.contains("`parameters-file`"),
                "{}",
                failure.what
            );
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
        assert!(read_headers(r#"[{"name":"a","value":"b"}]"#, "extra-headers-file").is_err());
    }

    /// A file with a shared secret, which goes with it.
    struct SecretFile(std::path::PathBuf);

    impl SecretFile {
        fn new(content: &str) -> Self {
            let name = format!("sessiontoken-test-{}", crate::random::uuid());
            let path = std::env::temp_dir().join(name);
            std::fs::write(&path, content).expect("a file");
            Self(path)
        }

        fn jwt(&self, rest: &str) -> String {
            format!(r#"{{"jwt":{{"secret-file":{:?}{rest}}}}}"#, self.0)
        }
    }

    impl Drop for SecretFile {
        fn drop(&mut self) {
            let _ = std::fs::remove_file(&self.0);
        }
    }

    #[test]
    fn value_may_be_a_jwt_that_is_signed_anew() {
        let file = SecretFile::new("SHARED\n");
        let jwt = file.jwt(r#","kid":"k","claims":{"account":"a"},"lifetime":60"#);
        let array = format!(r#"[{{"name":"T","value":{jwt}}},{{"name":"U","value":"u"}}]"#);
        let object = format!(r#"{{"T":{jwt},"U":"u"}}"#);
        for text in [array, object] {
            let parameters = read_parameters(&text, "parameters-file").expect(&text);
            let Parameter::Jwt(jwt, _) = &parameters[0].1 else {
                panic!("no JWT: {parameters:?}");
            };
            assert_eq!(jwt.secret.expose(), "SHARED");
            assert_eq!(jwt.lifetime, Duration::from_secs(60));
            let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
            let first = parameters[0].1.value(at(1));
            assert_ne!(first, parameters[0].1.value(at(2)));
            assert_eq!(first, parameters[0].1.value(at(1)));
            assert_eq!(parameters[1].1, Parameter::from("u"));
        }
    }

    #[test]
    fn jwt_that_cannot_be_made_is_an_error_without_secrets() {
        let file = SecretFile::new("SECRET");
        let empty = SecretFile::new("\n");
        for (value, says) in [
            (file.jwt(r#","claims":{"exp":1}"#), "`exp`"),
            (file.jwt(r#","claims":{"iat":1}"#), "`iat`"),
            (file.jwt(r#","lifetime":0"#), "`lifetime`"),
            (file.jwt(r#","lifetime":86401"#), "`lifetime`"),
            (file.jwt(r#","claims":["SECRET"]"#), "shape"),
            (file.jwt(r#","secret":"SECRET""#), "shape"),
            (empty.jwt(""), "`secret-file`"),
            (
                r#"{"jwt":{"secret-file":"/nowhere/SECRET"}}"#.to_owned(),
                "`secret-file` of",
            ),
            (r#"{"jwt":{"claims":{}}}"#.to_owned(), "shape"),
            (r#"{"jwt":"SECRET"}"#.to_owned(), "shape"),
        ] {
            let text = format!(r#"{{"T":{value}}}"#);
            let failure = read_parameters(&text, "parameters-file").expect_err(&text);
            assert!(failure.what.contains(says), "{text}: {}", failure.what);
            assert!(
                failure.what.contains("`parameters-file`"),
                "{}",
                failure.what
            );
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }
}
