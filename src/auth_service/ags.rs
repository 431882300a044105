// SPDX-License-Identifier: MIT OR Apache-2.0

//! OpenTV's Authentication Gateway Service: `POST …/ags/getSessionToken` with the operator's
//! parameters, and `GET …/ags/servicediscovery` beside it.

use serde::Deserialize;

use crate::error::Failure;
use crate::http::{HttpResponse, headers};
use crate::json::{self, Scalar};
use crate::token::Grant;
use crate::token::Secret;

use super::discovery::Offer;
use super::parameters::Parameter;
use super::{A_TOKEN, Call, CallContext, service_choice, status, success, token, unreadable};

pub const NICK: &str = "ags";

/// The last part of the path of the discovery.
pub const DISCOVERY: &str = "servicediscovery";

/// Headers that the settings fill.
pub const TAKEN: [&str; 3] = ["x-auth-service-id", "x-correlation-id", "nv-tenant-id"];

/// What AGS wants to know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ags {
    auth_service_id: Option<String>,
    tenant_id: Option<String>,
    /// In the order in which they are sent.
    parameters: Vec<(String, Parameter)>,
    discover: bool,
}

impl Ags {
    /// # Errors
    ///
    /// `Misconfigured`, with the property's name and what to set.
    pub fn new(
        auth_service_id: Option<String>,
        tenant_id: Option<String>,
        parameters: Vec<(String, Parameter)>,
        discover: bool,
    ) -> Result<Self, Failure> {
        for (setting, value) in [
            ("auth-service-id", &auth_service_id),
            ("tenant-id", &tenant_id),
        ] {
            if value
                .as_ref()
                .is_some_and(|value| !headers::is_value(value))
            {
                return Err(Failure::misconfigured(format!(
                    "`{setting}` holds characters that no header can carry"
                )));
            }
        }
        if auth_service_id.is_none() && !discover {
            return Err(Failure::misconfigured(
                "`auth-service-id` is not set: set it to the operator's sign-on service, or set `discover` to ask AGS which there are",
            ));
        }
        Ok(Self {
            auth_service_id,
            tenant_id,
            parameters,
            discover,
        })
    }

    pub fn discover(&self) -> bool {
        self.discover
    }

    fn headers(&self, correlation_id: &str, service_id: Option<&str>) -> Vec<(String, Secret)> {
        [
            ("x-auth-service-id", service_id),
            ("x-correlation-id", Some(correlation_id)),
            ("nv-tenant-id", self.tenant_id.as_deref()),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Secret::from(value?))))
        .collect()
    }

    /// The request for the services that there are. It holds no secret.
    pub fn discovery_call(&self, correlation_id: &str) -> Call {
        Call::get(self.headers(correlation_id, None))
    }

    /// The request for a token, to the service that was discovered, else to that of the settings.
    pub fn token_call(&self, context: &CallContext<'_>) -> Call {
        let service_id = context.discovered.or(self.auth_service_id.as_deref());
        let headers = self.headers(context.correlation_id, service_id);
        let parameters = self.parameters.iter();
        let signed = parameters.map(|(name, value)| (&**name, value.value(context.now)));
        let parameters: Vec<_> = signed.collect();
        Call {
            secrets: parameters.iter().map(|(_, value)| value.clone()).collect(),
            ..Call::post_json(headers, body(&parameters))
        }
    }

    /// Which of the services on offer to ask, once it is sure that it can be asked.
    ///
    /// # Errors
    ///
    /// As [`service_choice::choose`].
    pub fn choose(&self, offers: &[Offer], asked: &str) -> Result<String, Failure> {
        let id = self.auth_service_id.as_deref();
        service_choice::choose(offers, id, &self.parameters, asked)
    }
}

/// Written piece by piece into one buffer of known size, so that no copy of a value is left behind.
fn body(parameters: &[(&str, Secret)]) -> Vec<u8> {
    // A character becomes six at the most (`\u0000`).
    let size = parameters.iter().fold(32, |size, (name, value)| {
        size + 32 + 6 * (name.len() + value.expose().len())
    });
    let mut body = Vec::with_capacity(size);
    body.extend_from_slice(br#"{"parameters":["#);
    for (number, (name, value)) in parameters.iter().enumerate() {
        if number > 0 {
            body.push(b',');
        }
        for (key, text) in [
            (&br#"{"name":"#[..], *name),
            (br#","value":"#, value.expose()),
        ] {
            body.extend_from_slice(key);
            // A string always becomes JSON, and a vector takes all that is written.
            let written = serde_json::to_writer(&mut body, text);
            debug_assert!(written.is_ok());
        }
        body.push(b'}');
    }
    body.extend_from_slice(b"]}");
    body
}

/// Reads the reply to the request for a token.
///
/// # Errors
///
/// `Denied` for HTTP 400, 401, 403 and `success: false`; `Transient` for 408, 429 and 5xx;
/// `Malformed` for every other status and for a body that is not what it should be.
pub fn read_reply(reply: &HttpResponse) -> Result<Grant, Failure> {
    #[derive(Deserialize)]
    struct Fields {
        #[serde(default, rename = "sessionToken")]
        session_token: Option<Scalar>,
        #[serde(default)]
        success: Option<Scalar>,
    }
    match reply.status {
        200 => {}
        400 => {
            return Err(Failure::denied(
                "AGS takes the request for a bad one (HTTP 400): check `parameters-file`, `auth-service-id` and `tenant-id`",
            ));
        }
        _ => {
            return Err(status::failure(
                reply,
                A_TOKEN,
                "the values in `parameters-file`, and that this account may watch",
            ));
        }
    }
    let fields: Fields = json::read_object(&reply.body).map_err(unreadable)?;
    if !success(fields.success.as_ref())? {
        return Err(Failure::denied(
            "the auth service refused a session token (`success` is false): check the values in `parameters-file`",
        ));
    }
    Ok(Grant {
        token: token(fields.session_token, "sessionToken")?,
        lifetime: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn parameters(names: &[&str]) -> Vec<(String, Parameter)> {
        names
            .iter()
            .map(|name| ((*name).to_owned(), Parameter::from("SECRET")))
            .collect()
    }

    #[test]
    fn ags_request_lists_parameters_in_order() {
        let values = vec![
            ("Z".to_owned(), Parameter::from("a\"b\\\u{1}é")),
            ("A".to_owned(), Parameter::from("")),
        ];
        let ags = Ags::new(Some("sso".into()), Some("tenant".into()), values, false);
        let call = ags.expect("valid").token_call(&CallContext::for_tests());
        let headers: Vec<_> = call
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(
            headers,
            [
                ("x-auth-service-id", "sso"),
                ("x-correlation-id", "id"),
                ("nv-tenant-id", "tenant")
            ]
        );
        let (content_type, body) = call.body.expect("a body");
        assert_eq!(content_type, "application/json");
        assert_eq!(
            std::str::from_utf8(&body),
            Ok(r#"{"parameters":[{"name":"Z","value":"a\"b\\\u0001é"},{"name":"A","value":""}]}"#)
        );
        let none = Ags::new(Some("sso".into()), None, Vec::new(), false).expect("valid");
        let body = none
            .token_call(&CallContext::for_tests())
            .body
            .expect("a body")
            .1;
        assert_eq!(&body[..], br#"{"parameters":[]}"#);
    }

    #[test]
    fn discovery_tells_nothing_but_tenant_and_correlation() {
        let ags = Ags::new(
            Some("sso".into()),
            Some("t".into()),
            parameters(&["a"]),
            true,
        );
        let call = ags.expect("valid").discovery_call("id");
        let names: Vec<_> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["x-correlation-id", "nv-tenant-id"]);
        assert!(call.body.is_none());
    }

    #[test]
    fn token_is_a_string_in_its_own_field() {
        let grant = read_reply(&HttpResponse::new(
            200,
            br#"{"a":1,"sessionToken":"abc3fj6sdehd529ng33dg"}"#,
        ));
        assert_eq!(
            grant.expect("granted").token.expose(),
            "abc3fj6sdehd529ng33dg"
        );
        for (body, kind, says) in [
            (r#"{"sessionToken":17}"#, Kind::Malformed, "not a string"),
            (
                r#"{"sessionToken":null}"#,
                Kind::Malformed,
                "no `sessionToken`",
            ),
            (
                r#"{"token":"SECRET"}"#,
                Kind::Malformed,
                "no `sessionToken`",
            ),
            (
                r#"{"sessiontoken":"SECRET"}"#,
                Kind::Malformed,
                "no `sessionToken`",
            ),
            (
                r#"{"data":{"sessionToken":"SECRET"}}"#,
                Kind::Malformed,
                "no `sessionToken`",
            ),
            (r#"["SECRET"]"#, Kind::Malformed, "shape"),
            (
                r#"{"sessionToken":"SECRET","sessionToken":"b"}"#,
                Kind::Malformed,
                "shape",
            ),
            (
                r#"{"sessionToken":"SECRET\r\nX: y"}"#,
                Kind::Malformed,
                "visible ASCII",
            ),
            (r#"{"sessionToken":""}"#, Kind::Malformed, "is empty"),
            (
                r#"{"sessionToken":"SECRET","success":false}"#,
                Kind::Denied,
                "`success`",
            ),
            (
                r#"{"sessionToken":"SECRET","success":"false"}"#,
                Kind::Malformed,
                "`success`",
            ),
        ] {
            let failure = read_reply(&HttpResponse::new(200, body.as_bytes())).expect_err(body);
            assert_eq!(failure.kind, kind, "{body}");
            assert!(failure.what.contains(says), "{body}: {}", failure.what);
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }

    #[test]
    fn documents_statuses_are_refusals() {
        for status in [400, 401, 403] {
            let failure = read_reply(&HttpResponse::new(status, b"")).expect_err("refused");
            assert_eq!(failure.kind, Kind::Denied);
            assert!(
                failure.what.contains("`parameters-file`"),
                "{}",
                failure.what
            );
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        for (id, tenant, says) in [
            (None, None, "`auth-service-id`"),
            (Some("a\r\nb"), None, "`auth-service-id`"),
            (Some("a"), Some("é"), "`tenant-id`"),
        ] {
            let failure = Ags::new(
                id.map(str::to_owned),
                tenant.map(str::to_owned),
                Vec::new(),
                false,
            );
            assert!(failure.expect_err(says).what.contains(says));
        }
    }
}
