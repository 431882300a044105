// SPDX-License-Identifier: MIT OR Apache-2.0

//! Which of the services that AGS has on offer is asked for the token.

use crate::error::Failure;
use crate::problem_details::cleaned;

use super::discovery::Offer;
use super::parameters::Parameter;

/// The service of that id, or the only one, once it is sure that it can be asked. `asked` is the
/// last part of the path that will be asked for the token.
///
/// # Errors
///
/// `Misconfigured`, with what to set: a service to choose, or a parameter that is missing.
pub fn choose(
    offers: &[Offer],
    auth_service_id: Option<&str>,
    parameters: &[(String, Parameter)],
    asked: &str,
) -> Result<String, Failure> {
    let offer = match auth_service_id {
        Some(id) => offers.iter().find(|offer| offer.id == id).ok_or_else(|| {
            Failure::misconfigured(format!(
                "AGS has no service of the name in `auth-service-id`: it has {}",
                list(offers)
            ))
        })?,
        None => match offers {
            [only] => only,
            _ => {
                return Err(Failure::misconfigured(format!(
                    "AGS has more than one service: set `auth-service-id` to one of {}",
                    list(offers)
                )));
            }
        },
    };
    let missing: Vec<_> = offer
        .mandatory_parameters(asked)
        .filter(|wanted| {
            !parameters
                .iter()
                .any(|(name, value)| name == *wanted && !value.is_empty())
        })
        .map(quoted)
        .collect();
    if missing.is_empty() {
        return Ok(offer.id.clone());
    }
    Err(Failure::misconfigured(format!(
        "AGS wants parameters that are not set: add {} to `parameters-file`",
        some(missing)
    )))
}

fn list(offers: &[Offer]) -> String {
    some(offers.iter().map(|offer| quoted(&offer.id)).collect())
}

/// The first few of them: a server decides how many there are.
fn some(mut names: Vec<String>) -> String {
    const MAX_NAMES: usize = 8;
    let more = names.len().saturating_sub(MAX_NAMES);
    names.truncate(MAX_NAMES);
    let names = names.join(", ");
    match more {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

fn quoted(name: impl AsRef<str>) -> String {
    format!("`{}`", cleaned(name.as_ref(), 64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth_service::discovery;
    use crate::error::Kind;
    use crate::http::HttpResponse;

    fn offers(text: &str) -> Vec<Offer> {
        discovery::read_reply(&HttpResponse::new(200, text.as_bytes())).expect("offers")
    }

    /// What is chosen of these offers with parameters of these names.
    fn chosen(text: &str, id: Option<&str>, names: &[&str]) -> Result<String, Failure> {
        let parameters: Vec<_> = names
            .iter()
            .map(|name| ((*name).to_owned(), Parameter::from("SECRET")))
            .collect();
        choose(&offers(text), id, &parameters, "x")
    }

    const ONE: &str = r#"{"availableServices":[{"authServiceName":"sso","endpoints":[
        {"name":"SIGNON","path":"/signOn","parameterProperties":[
            {"name":"User","mandatory":true,"isPassword":false},
            {"name":"Nick","mandatory":false,"isPassword":false}]}]}]}"#;
    const TWO: &str =
        r#"{"availableServices":[{"authServiceName":"sso"},{"authServiceName":"other"}]}"#;

    #[test]
    fn only_service_is_default_and_named_one_must_exist() {
        assert_eq!(chosen(ONE, None, &["User"]), Ok("sso".to_owned()));
        assert_eq!(chosen(TWO, Some("other"), &[]), Ok("other".to_owned()));
        for (id, text, says) in [
            (None, TWO, "`sso`, `other`"),
            (Some("third"), TWO, "`sso`, `other`"),
            (Some("third"), ONE, "`sso`"),
        ] {
            let failure = chosen(text, id, &["User"]).expect_err(says);
            assert_eq!(failure.kind, Kind::Misconfigured);
            assert!(
                failure.what.contains("`auth-service-id`"),
                "{}",
                failure.what
            );
            assert!(failure.what.contains(says), "{}", failure.what);
        }
    }

    #[test]
    fn mandatory_parameter_that_is_missing_is_named() {
        for given in [&["Nick"][..], &[], &["user"]] {
            let failure = chosen(ONE, None, given).expect_err("missing");
            assert_eq!(failure.kind, Kind::Misconfigured);
            assert!(
                failure.what.contains("add `User` to `parameters-file`"),
                "{}",
                failure.what
            );
        }
        let empty = vec![("User".to_owned(), Parameter::from(""))];
        assert!(choose(&offers(ONE), None, &empty, "x").is_err());
    }
}
