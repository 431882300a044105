// SPDX-License-Identifier: MIT OR Apache-2.0

//! Parameters and headers as the user writes them into files.

use serde::Deserialize;

use crate::error::Failure;
use crate::json::{self, Object, Pairs};
use crate::token::Secret;

/// Longest file of parameters or headers: about four of the longest tokens.
pub const MAX_FILE: usize = 64 * 1024;

/// Parameters that may be sent. An operator wants a handful; the bound is for a file that is
/// another one.
const MAX_PARAMETERS: usize = 256;

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
/// `{"name":…,"value":…}`. The order is kept.
///
/// # Errors
///
/// `Misconfigured`, with the property's name.
pub fn read_parameters(text: &str, setting: &str) -> Result<Vec<(String, Secret)>, Failure> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parameter {
        name: String,
        value: Secret,
    }
    let read = if text.trim_start().starts_with('[') {
        json::read::<Vec<Object<Parameter>>>(text.as_bytes()).map(|parameters| {
            parameters
                .into_iter()
                .map(|Object(Parameter { name, value })| (name, value))
                .collect()
        })
    } else {
        json::read::<Pairs>(text.as_bytes()).map(|Pairs(pairs)| pairs)
    };
    read.map_err(|complaint| {
        Failure::misconfigured(format!(
            "`{setting}` is {complaint}: write a JSON object of names and strings, or an array of {{\"name\":…,\"value\":…}}"
        ))
    })
}

/// Checks parameters, wherever they are from.
///
/// # Errors
///
/// `Misconfigured`, with the property's name, for names that are empty or come twice, and for too
/// many.
pub fn checked(
    parameters: Vec<(String, Secret)>,
    setting: &str,
) -> Result<Vec<(String, Secret)>, Failure> {
    let complaint = if parameters.len() > MAX_PARAMETERS {
        format!("has more than {MAX_PARAMETERS} parameters")
    } else if parameters.iter().any(|(name, _)| name.is_empty()) {
        "has a parameter without a name".to_owned()
    } else if let Some((twice, _)) = parameters
        .iter()
        .enumerate()
        .find(|(at, (name, _))| parameters[..*at].iter().any(|(known, _)| known == name))
        .map(|(_, twice)| twice)
    {
        format!(
            "has the parameter `{}` twice",
            crate::problem_details::cleaned(twice, 64)
        )
    } else {
        return Ok(parameters);
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
            let read = read_parameters(text, "parameters-file");
            let checked = read.and_then(|read| checked(read, "parameters-file"));
            let failure = checked.expect_err(text);
            assert!(
                failure.what.contains("`parameters-file`"),
                "{}",
                failure.what
            );
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
        assert!(read_headers(r#"[{"name":"a","value":"b"}]"#, "extra-headers-file").is_err());
    }
}
