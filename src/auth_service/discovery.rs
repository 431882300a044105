// SPDX-License-Identifier: MIT OR Apache-2.0

//! What AGS has on offer: `GET …/ags/servicediscovery`.

use serde::Deserialize;

use crate::error::Failure;
use crate::http::HttpResponse;
use crate::json::{self, Object};

use super::{status, unreadable};

/// Longest id of a service that is taken, in bytes: it is a name, and will stand in a header.
const MAX_ID: usize = 256;

/// One sign-on service.
#[derive(Debug)]
pub struct Offer {
    /// What stands in `x-auth-service-id`.
    pub id: String,
    endpoints: Vec<Endpoint>,
}

#[derive(Debug)]
struct Endpoint {
    path: Option<String>,
    mandatory: Vec<String>,
}

impl Offer {
    /// The parameters that must be given: those of the endpoint whose path ends as the one that is
    /// `asked`, or, where the service names no such endpoint, those of all of them.
    pub fn mandatory_parameters(&self, asked: &str) -> impl Iterator<Item = &String> {
        let is_asked = |endpoint: &Endpoint| {
            let name = endpoint
                .path
                .as_ref()
                .and_then(|path| path.rsplit('/').next());
            name.is_some_and(|name| name.eq_ignore_ascii_case(asked))
        };
        let some = self.endpoints.iter().any(is_asked);
        self.endpoints
            .iter()
            .filter(move |endpoint| !some || is_asked(endpoint))
            .flat_map(|endpoint| &endpoint.mandatory)
    }
}

#[derive(Deserialize)]
struct Document {
    #[serde(rename = "availableServices")]
    available_services: Vec<Object<Service>>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "authServiceName")]
    auth_service_name: String,
    #[serde(default)]
    endpoints: Option<Vec<Object<ServiceEndpoint>>>,
}

#[derive(Deserialize)]
struct ServiceEndpoint {
    #[serde(default)]
    path: Option<String>,
    #[serde(default, rename = "parameterProperties")]
    parameter_properties: Option<Vec<Object<Parameter>>>,
}

#[derive(Deserialize)]
struct Parameter {
    name: String,
    #[serde(default)]
    mandatory: Option<bool>,
}

/// Reads the reply: at least one service.
///
/// # Errors
///
/// By the HTTP status, and `Malformed` for a body that is not what it should be or offers nothing.
pub fn read_reply(reply: &HttpResponse) -> Result<Vec<Offer>, Failure> {
    match reply.status {
        200 => {}
        404 => {
            return Err(Failure::malformed(
                "AGS has no service on offer (HTTP 404): check `location` and `tenant-id`, or set `auth-service-id` and not `discover`",
            ));
        }
        _ => {
            return Err(status::failure(
                reply,
                "the list of its services",
                "`tenant-id`, or set `auth-service-id` and not `discover`",
            ));
        }
    }
    let document: Document = json::read_object(&reply.body).map_err(unreadable)?;
    if document.available_services.is_empty() {
        return Err(Failure::malformed(
            "AGS has no service on offer: check `tenant-id`",
        ));
    }
    let mut offers: Vec<Offer> = Vec::with_capacity(document.available_services.len());
    for Object(service) in document.available_services {
        let id = service.auth_service_name;
        if id.is_empty() || id.len() > MAX_ID || !crate::http::headers::is_value(&id) {
            return Err(Failure::malformed(
                "AGS has a service on offer whose `authServiceName` no header can carry",
            ));
        }
        if offers.iter().any(|offer| offer.id == id) {
            return Err(Failure::malformed(
                "AGS has two services of the same `authServiceName` on offer",
            ));
        }
        let endpoints = service.endpoints.unwrap_or_default();
        offers.push(Offer {
            id,
            endpoints: endpoints
                .into_iter()
                .map(|Object(endpoint)| endpoint.into())
                .collect(),
        });
    }
    Ok(offers)
}

impl From<ServiceEndpoint> for Endpoint {
    fn from(endpoint: ServiceEndpoint) -> Self {
        let parameters = endpoint.parameter_properties.unwrap_or_default();
        Self {
            path: endpoint.path,
            mandatory: parameters
                .into_iter()
                .filter(|Object(parameter)| parameter.mandatory == Some(true))
                .map(|Object(parameter)| parameter.name)
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn offers(text: &str) -> Vec<Offer> {
        read_reply(&HttpResponse::new(200, text.as_bytes())).expect(text)
    }

    #[test]
    fn what_the_document_shows_is_understood() {
        let offers = offers(
            r#"{"availableServices":[{"authServiceName":"sso","displayAttributes":{"logo":"l","name":"n"},"endpoints":[
            {"name":"SIGNON","path":"/signOn","parameterProperties":[{"name":"Username","mandatory":false,"isPassword":false},
            {"name":"Password","mandatory":true,"isPassword":true}]}]},{"authServiceName":"bare"}]}"#,
        );
        assert_eq!(offers.len(), 2);
        assert_eq!(offers[0].id, "sso");
        let mandatory: Vec<_> = offers[0].mandatory_parameters("getSessionToken").collect();
        assert_eq!(mandatory, ["Password"]);
        assert_eq!(offers[1].mandatory_parameters("getSessionToken").count(), 0);
    }

    #[test]
    fn mandatory_parameters_prefer_requested_endpoint() {
        let offers = offers(
            r#"{"availableServices":[{"authServiceName":"sso","endpoints":[
            {"path":"/signOn","parameterProperties":[{"name":"Password","mandatory":true}]},
            {"path":"/ags/getSessionToken","parameterProperties":[{"name":"Token","mandatory":true}]}]}]}"#,
        );
        let of = |asked| {
            offers[0]
                .mandatory_parameters(asked)
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(of("getSessionToken"), ["Token"]);
        assert_eq!(of("other"), ["Password", "Token"]);
    }

    #[test]
    fn what_offers_nothing_is_described_and_not_quoted() {
        for (status, body, kind) in [
            (404, "SECRET", Kind::Malformed),
            (401, "SECRET", Kind::Denied),
            (503, "SECRET", Kind::Transient),
            (200, "SECRET", Kind::Malformed),
            (200, r#"{"availableServices":[]}"#, Kind::Malformed),
            (200, r#"{"availableServices":{}}"#, Kind::Malformed),
            (200, r#"{"availableServices":["SECRET"]}"#, Kind::Malformed),
            (
                200,
                r#"{"availableServices":[["SECRET"]]}"#,
                Kind::Malformed,
            ),
            (
                200,
                r#"{"availableServices":[{"name":"SECRET"}]}"#,
                Kind::Malformed,
            ),
            (
                200,
                r#"{"availableServices":[{"authServiceName":""}]}"#,
                Kind::Malformed,
            ),
            (
                200,
                r#"{"availableServices":[{"authServiceName":"SECRET\r\n"}]}"#,
                Kind::Malformed,
            ),
            (
                200,
                r#"{"availableServices":[{"authServiceName":"SECRET"},{"authServiceName":"SECRET"}]}"#,
                Kind::Malformed,
            ),
            (
                200,
                r#"{"availableServices":[{"authServiceName":"s","endpoints":[{"parameterProperties":[{"name":"SECRET","mandatory":"true"}]}]}]}"#,
                Kind::Malformed,
            ),
        ] {
            let failure = read_reply(&HttpResponse::new(status, body.as_bytes())).expect_err(body);
            assert_eq!(failure.kind, kind, "{body}");
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }
}
