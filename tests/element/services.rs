// SPDX-License-Identifier: MIT OR Apache-2.0

//! Each auth service against the head-end: what it is asked, over HTTP and over TLS, and what
//! becomes of its answer.

use gst::element_factory::ElementBuilder;
use gst::glib;
use gst::prelude::*;
use headend::{
    AUTH_SERVICE_ID, Auth, Discovery, Headend, OPERATOR_TOKEN, Record, SECURITY_TOKEN, TokenRequest,
};
use serde_json::{Value, json};
use support::rig::*;

use crate::tls;

pub const SERVICES: [&str; 3] = ["rdk", "thunder", "ags"];

/// What `parameters` takes for the head-end's AGS.
const PARAMETERS: [(&str, &str); 1] = [("OperatorAuthToken", OPERATOR_TOKEN)];

/// Where that service of the head-end is.
pub fn url(service: &str, headend: &Headend) -> String {
    match service {
        "rdk" => headend.auth_url(),
        "thunder" => headend.thunder_url(),
        "ags" => headend.ags_url(),
        other => panic!("no service {other}"),
    }
}

/// Begins a `sessiontoken` that asks that service there, and has nothing to show.
fn bare(service: &'static str, location: impl Into<String>) -> ElementBuilder<'static> {
    make("sessiontoken")
        .property_from_str("auth-service", service)
        .property("location", location.into())
        .property("timeout", NO_HURRY)
}

/// Begins a `sessiontoken` that asks that service there, and has what the head-end's wants to see.
pub fn asking_at(service: &'static str, location: impl Into<String>) -> ElementBuilder<'static> {
    let builder = bare(service, location);
    match service {
        "thunder" => builder.property("authorization", SECURITY_TOKEN),
        "ags" => builder
            .property("auth-service-id", AUTH_SERVICE_ID)
            .property("parameters", fields(&PARAMETERS)),
        _ => builder,
    }
}

pub fn asking(service: &'static str, headend: &Headend) -> ElementBuilder<'static> {
    asking_at(service, url(service, headend))
}

/// Names of properties, and what they are set to.
pub type Settings = Vec<(&'static str, glib::Value)>;

pub fn with(builder: ElementBuilder<'static>, settings: &Settings) -> ElementBuilder<'static> {
    let set = |builder: ElementBuilder<'static>, (name, value): &(&'static str, glib::Value)| {
        builder.property(name, value.clone())
    };
    settings.iter().fold(builder, set)
}

/// Begins a `sessiontoken` for the head-end's AGS, which it has not been told the id of.
fn discovering(headend: &Headend) -> ElementBuilder<'static> {
    bare("ags", headend.ags_url()).property("discover", true)
}

fn fields(pairs: &[(&str, &str)]) -> gst::Structure {
    init();
    let mut structure = gst::Structure::new_empty("fields");
    for (name, value) in pairs {
        structure.set(*name, *value);
    }
    structure
}

/// A head-end, and what a player has to be told to trust it.
pub struct Place {
    pub headend: Headend,
    ca_file: Option<File>,
}

impl Place {
    /// One over HTTP and one over TLS.
    pub fn both(auth: &Auth) -> [Self; 2] {
        let (secure, ca_file) = tls::trusted();
        secure.set_auth(auth.clone());
        let plain = headend(auth.clone());
        [(plain, None), (secure, Some(ca_file))].map(|(headend, ca_file)| Self { headend, ca_file })
    }

    pub fn trusting<'a>(&self, builder: ElementBuilder<'a>) -> ElementBuilder<'a> {
        builder.property_if_some("ssl-ca-file", self.ca_file.as_ref().map(File::path))
    }

    fn asking(&self, service: &'static str) -> ElementBuilder<'static> {
        self.trusting(asking(service, &self.headend))
    }
}

/// Plays a short protected stream to its end, and gives back its key request.
pub fn tune(rig: &Rig) -> gst::Structure {
    let before = rig.log.protections().len();
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    rig.send(&[gst::event::Eos::new().into()]);
    let protections = rig.log.protections();
    assert_eq!(protections.len(), before + 1);
    key_request(&protections[before])
}

/// Tunes without success, and gives back what the application is told.
pub fn failed_tune(rig: &Rig) -> Told {
    let before = rig.log.protections().len();
    rig.send(&[stream_start().into(), caps_event().into()]);
    // Held or refused: a quick answer may be here before it.
    rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
    assert!(!rig.push_event(gst::event::Eos::new()));
    assert_eq!(rig.log.protections().len(), before);
    let told = rig.told();
    assert_eq!(told.state().get::<&str>("state"), Ok("failed"));
    told.error();
    told
}

/// The complaint about a tune without success.
fn failure(builder: ElementBuilder<'_>) -> Complaint {
    failed_tune(&Rig::new(builder)).errors.remove(0)
}

pub fn text(structure: &gst::StructureRef, field: &str) -> String {
    structure.get(field).expect("a text")
}

/// The one request.
pub fn the_request(headend: &Headend) -> TokenRequest {
    let mut requests = headend.token_requests();
    assert_eq!(requests.len(), 1, "{requests:#?}");
    requests.remove(0)
}

/// Has the element fetch another token.
pub fn refresh(rig: &Rig) {
    rig.element.emit_by_name::<()>("refresh-token", &[]);
}

/// What a decryptor gets whose license server has refused the token of that key request.
pub fn replacement(rig: &Rig, key_request: &gst::StructureRef) -> gst::Structure {
    let generation = key_request.get::<u32>("generation").expect("a generation");
    let store = rig.element.property::<glib::Object>("store");
    store
        .emit_by_name::<Option<gst::Structure>>("reject", &[&generation, &403_u32])
        .expect("another token")
}

/// All values of that header, of each request.
fn header(requests: &[TokenRequest], name: &str) -> Vec<Vec<String>> {
    requests
        .iter()
        .map(|request| values(&request.headers, name))
        .collect()
}

fn values(headers: &[(String, String)], name: &str) -> Vec<String> {
    headers
        .iter()
        .filter(|(known, _)| known == name)
        .map(|(_, value)| value.clone())
        .collect()
}

/// The names of all headers, in alphabetical order.
fn names(headers: &[(String, String)]) -> Vec<&str> {
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names
}

pub fn body(request: &TokenRequest) -> Value {
    serde_json::from_slice(&request.body).expect("the body is JSON")
}

fn reply(status: u16, body: &str) -> Auth {
    Auth::Reply {
        status,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    }
}

fn reply_with(status: u16, header: &str, value: &str) -> Auth {
    Auth::ReplyWithHeaders {
        status,
        headers: vec![(header.to_owned(), value.to_owned())],
        body: String::new(),
    }
}

fn offer(status: u16, body: &str) -> Discovery {
    Discovery::Reply {
        status,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    }
}

/// A token request as it has to arrive.
struct Wire {
    service: &'static str,
    method: &'static str,
    path: &'static str,
    /// But for those that every request has.
    headers: Vec<(&'static str, String)>,
    /// But for the id of a call.
    body: Option<Value>,
}

fn wires() -> [Wire; 3] {
    let json = || ("content-type", "application/json".to_owned());
    [
        Wire {
            service: "rdk",
            method: "GET",
            path: "/authService/getSessionToken",
            headers: Vec::new(),
            body: None,
        },
        Wire {
            service: "thunder",
            method: "POST",
            path: "/jsonrpc",
            headers: vec![
                json(),
                ("authorization", format!("Bearer {SECURITY_TOKEN}")),
            ],
            body: Some(json!({
                "jsonrpc": "2.0",
                "method": "org.rdk.AuthService.1.getSessionToken",
            })),
        },
        Wire {
            service: "ags",
            method: "POST",
            path: "/ags/getSessionToken",
            headers: vec![
                json(),
                ("x-auth-service-id", AUTH_SERVICE_ID.to_owned()),
                ("x-correlation-id", "correlation 1".to_owned()),
                ("nv-tenant-id", "tenant 1".to_owned()),
            ],
            body: Some(json!({
                "parameters": [{ "name": "OperatorAuthToken", "value": OPERATOR_TOKEN }],
            })),
        },
    ]
}

#[test]
fn token_request_matches_service_over_http_and_tls() {
    for wire in wires() {
        for place in Place::both(&Auth::Grant) {
            let tenant = (wire.service == "ags").then_some("tenant 1");
            let builder = place
                .asking(wire.service)
                .property("correlation-id", "correlation 1")
                .property_if_some("tenant-id", tenant);
            let rig = Rig::new(builder);
            let key_request = tune(&rig);
            assert_eq!(text(&key_request, "session-token"), place.headend.token());
            assert_eq!(rig.ordinal(&key_request), 1);
            assert_eq!(text(&key_request, "correlation-id"), "correlation 1");
            let has_end = key_request.has_field("expires-at");
            assert_eq!(has_end, wire.service != "ags", "{}", wire.service);

            let told = rig.told();
            assert_eq!((told.errors.len(), told.warnings.len()), (0, 0), "{told:?}");
            let state = told.state();
            assert_eq!(text(state, "state"), "acquired");
            assert_eq!(text(state, "service"), wire.service);
            assert_eq!(rig.ordinal(state), 1);
            assert_eq!(state.get::<u32>("attempts"), Ok(1));

            let request = the_request(&place.headend);
            assert_eq!(request.method, wire.method);
            assert_eq!(request.path, wire.path);
            let mut expected = vec!["accept", "host", "user-agent"];
            expected.extend(wire.headers.iter().map(|(name, _)| *name));
            expected.extend(wire.body.as_ref().map(|_| "content-length"));
            expected.sort_unstable();
            assert_eq!(names(&request.headers), expected);
            for (name, value) in &wire.headers {
                assert_eq!(values(&request.headers, name), [value.as_str()]);
            }
            let agent = values(&request.headers, "user-agent").concat();
            assert!(agent.starts_with("gst-plugin-sessiontoken/"), "{agent}");

            let mut body = (!request.body.is_empty()).then(|| body(&request));
            let id = body.as_mut().and_then(|body| {
                let id = body.as_object_mut()?.remove("id")?;
                id.as_u64()
            });
            assert_eq!(id.is_some(), wire.service == "thunder");
            assert_eq!(body, wire.body);
            assert_eq!(place.headend.discovery_requests(), []);
        }
    }
}

#[test]
fn security_token_is_set_by_value_file_or_omitted() {
    let file = File::new(format!("{SECURITY_TOKEN}\n"));
    let headers = fields(&[("Authorization", &format!("Bearer {SECURITY_TOKEN}"))]);
    for (property, value) in [
        ("authorization", SECURITY_TOKEN.to_value()),
        ("authorization-file", file.path().to_value()),
        // Where the service's own setting does not fill it.
        ("extra-headers", headers.to_value()),
    ] {
        let headend = headend(Auth::Grant);
        let rig = Rig::new(bare("thunder", headend.thunder_url()).property(property, value));
        assert_eq!(text(&tune(&rig), "session-token"), headend.token());
        let sent = values(&the_request(&headend).headers, "authorization");
        assert_eq!(sent, [format!("Bearer {SECURITY_TOKEN}")]);
    }
    for property in ["authorization", "authorization-file"] {
        let headend = headend(reply(200, r#"{"jsonrpc":"1.0"}"#));
        failure(bare("thunder", headend.thunder_url()).property(property, ""));
        let request = the_request(&headend);
        assert_eq!(values(&request.headers, "authorization"), [""; 0]);
    }
}

#[test]
fn parameters_are_sent_in_given_order() {
    let pairs = [
        ("Z", "a \"b\" \\ é \u{1}"),
        ("A", ""),
        ("OperatorAuthToken", OPERATOR_TOKEN),
        ("M", "7"),
    ];
    let array: Vec<_> = pairs
        .iter()
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    let object: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{}: {}", json!(name), json!(value)))
        .collect();
    let array_file = File::new(json!(array).to_string());
    let object_file = File::new(format!("\n{{{}}}\n", object.join(", ")));
    let mut numbered = fields(&pairs);
    numbered.set("M", 7);
    for (property, value) in [
        ("parameters", fields(&pairs).to_value()),
        // A number is sent as a text.
        ("parameters", numbered.to_value()),
        ("parameters-file", object_file.path().to_value()),
        ("parameters-file", array_file.path().to_value()),
    ] {
        let headend = headend(Auth::Grant);
        let rig = Rig::new(
            bare("ags", headend.ags_url())
                .property("auth-service-id", AUTH_SERVICE_ID)
                .property(property, value),
        );
        assert_eq!(text(&tune(&rig), "session-token"), headend.token());
        assert_eq!(body(&the_request(&headend)), json!({ "parameters": array }));
    }
}

#[test]
fn extra_headers_by_value_and_file_reach_service() {
    let added = [
        ("X-Api-Key", "abc def"),
        ("Cookie", "a=b; c=d"),
        ("User-Agent", "player/1"),
    ];
    let object = added
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>();
    let file = File::new(json!(object).to_string());
    for service in SERVICES {
        for (property, value) in [
            ("extra-headers", fields(&added).to_value()),
            ("extra-headers-file", file.path().to_value()),
        ] {
            let headend = headend(Auth::Grant);
            let rig = Rig::new(asking(service, &headend).property(property, value));
            assert_eq!(text(&tune(&rig), "session-token"), headend.token());
            let request = the_request(&headend);
            for (name, value) in added {
                let sent = values(&request.headers, &name.to_lowercase());
                assert_eq!(sent, [value], "{name}");
            }
        }
    }
}

#[test]
fn thunder_method_property_sets_called_method() {
    for (set, called) in [
        (
            "org.rdk.AuthService.1.GetSessionToken",
            "org.rdk.AuthService.1.GetSessionToken",
        ),
        // As good as not set.
        ("", "org.rdk.AuthService.1.getSessionToken"),
    ] {
        let headend = headend(Auth::Grant);
        let rig = Rig::new(asking("thunder", &headend).property("thunder-method", set));
        assert_eq!(text(&tune(&rig), "session-token"), headend.token());
        assert_eq!(body(&the_request(&headend))["method"], called);
    }
}

#[test]
fn correlation_id_matches_token_and_key_request() {
    for discover in [false, true] {
        let found = [Some("trace 1"), Some("trace 1"), None, None].map(|own| {
            let headend = headend(Auth::Grant);
            let builder = asking("ags", &headend)
                .property("discover", discover)
                .property_if_some("correlation-id", own);
            let id = text(&tune(&Rig::new(builder)), "correlation-id");
            let mut headers = vec![the_request(&headend).headers];
            headers.extend(headend.discovery_requests().into_iter().map(|r| r.headers));
            assert_eq!(headers.len(), 1 + usize::from(discover));
            for headers in headers {
                assert_eq!(values(&headers, "x-correlation-id"), [id.as_str()]);
            }
            id
        });
        assert_eq!(found[..2], ["trace 1", "trace 1"]);
        assert_ne!(found[2], found[3]);
        for id in &found[2..] {
            let id = uuid::Uuid::parse_str(id).expect("a UUID");
            assert_eq!(id.get_version_num(), 4);
        }
    }
}

#[test]
fn file_that_has_changed_counts_at_the_next_tune() {
    let wrong_parameters = json!({ "OperatorAuthToken": "wrong" }).to_string();
    let parameters = json!({ "OperatorAuthToken": OPERATOR_TOKEN }).to_string();
    let bearer = json!({ "Authorization": format!("Bearer {SECURITY_TOKEN}") }).to_string();
    for (service, property, wrong, right) in [
        ("thunder", "authorization-file", "wrong", SECURITY_TOKEN),
        ("thunder", "extra-headers-file", "{}", &bearer),
        ("ags", "parameters-file", &wrong_parameters, &parameters),
    ] {
        for place in Place::both(&Auth::Grant) {
            let file = File::new(wrong);
            let id = (service == "ags").then_some(AUTH_SERVICE_ID);
            let builder = bare(service, url(service, &place.headend))
                .property(property, file.path())
                .property_if_some("auth-service-id", id);
            let rig = Rig::new(place.trusting(builder));
            failed_tune(&rig)
                .error()
                .is(gst::ResourceError::NotAuthorized);
            file.write(right);
            // A session of its own, which no failure of a moment ago belongs to.
            rig.restart(gst::State::Ready);
            let key_request = tune(&rig);
            assert_eq!(text(&key_request, "session-token"), place.headend.token());
            assert_eq!(rig.ordinal(&key_request), 1);
            assert_eq!(text(rig.told().state(), "state"), "acquired");
            // The same again is the same session.
            file.write(format!("{right}\n"));
            rig.restart(gst::State::Ready);
            assert_eq!(rig.ordinal(&tune(&rig)), 1);
            assert_eq!(rig.told().state().get::<bool>("cached"), Ok(true));
            let requests = place.headend.token_requests();
            let answers: Vec<_> = requests.iter().map(|request| request.status).collect();
            assert!(
                matches!(answers[..], [Some(401 | 403), Some(200)]),
                "{answers:?}"
            );
        }
    }
}

#[test]
fn file_that_is_gone_at_the_next_tune_is_named() {
    let headend = headend(Auth::Grant);
    let file = File::new(SECURITY_TOKEN);
    let builder = bare("thunder", headend.thunder_url());
    let rig = Rig::new(builder.property("authorization-file", file.path()));
    tune(&rig);
    rig.set_state(gst::State::Ready);
    assert!(rig.told().errors.is_empty());
    drop(file);
    let changed = rig.element.set_state(gst::State::Paused);
    assert_eq!(changed, Err(gst::StateChangeError));
    rig.told()
        .error()
        .is(gst::ResourceError::Settings)
        .says(&["`authorization-file`", "cannot be read"]);
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn session_is_not_shared_across_accounts() {
    let headend = headend(Auth::Grant);
    let variants: [fn(&Headend) -> ElementBuilder<'static>; 7] = [
        |headend| asking("ags", headend),
        |headend| asking("ags", headend).property("tenant-id", "other"),
        |headend| asking("ags", headend).property("discover", true),
        |headend| {
            asking("ags", headend).property("extra-headers", fields(&[("X-Account", "other")]))
        },
        |headend| {
            bare("ags", headend.ags_url())
                .property("auth-service-id", AUTH_SERVICE_ID)
                .property(
                    "parameters",
                    fields(&[PARAMETERS[0], ("DeviceName", "other")]),
                )
        },
        |headend| asking("thunder", headend),
        |headend| {
            asking("thunder", headend)
                .property("thunder-method", "org.rdk.AuthService.1.GetSessionToken")
        },
    ];
    for (number, variant) in variants.iter().enumerate() {
        // The second element of the same kind shares the first one's.
        for _ in 0..2 {
            tune(&Rig::new(variant(&headend)));
            assert_eq!(headend.token_requests().len(), number + 1);
        }
    }
}

#[test]
fn app_token_skips_request_to_each_service() {
    for service in SERVICES {
        for place in Place::both(&Auth::Grant) {
            let builder = place.asking(service).property("session-token", "OWN-TOKEN");
            let rig = Rig::new(builder);
            assert_eq!(text(&tune(&rig), "session-token"), "OWN-TOKEN");
            assert_eq!(text(rig.told().state(), "service"), "application");
            assert_eq!(place.headend.token_requests(), []);
            assert_eq!(place.headend.discovery_requests(), []);
        }
    }
}

#[test]
fn discovery_finds_only_service_once_per_session() {
    for place in Place::both(&Auth::Grant) {
        let rigs = [(); 2].map(|()| {
            let builder = discovering(&place.headend).property("parameters", fields(&PARAMETERS));
            Rig::new(place.trusting(builder))
        });
        for rig in &rigs {
            assert_eq!(text(&tune(rig), "session-token"), place.headend.token());
            // One for the service, one for the token.
            assert_eq!(rig.told().state().get::<u32>("attempts"), Ok(2));
            rig.restart(gst::State::Ready);
            tune(rig);
        }
        let sent = values(&the_request(&place.headend).headers, "x-auth-service-id");
        assert_eq!(sent, [AUTH_SERVICE_ID]);
        assert_eq!(place.headend.discovery_requests().len(), 1);
    }
}

#[test]
fn discovery_is_told_no_secret() {
    for place in Place::both(&Auth::Grant) {
        let location = place
            .headend
            .ags_url()
            .replacen("://", "://user:PASSWORD@", 1);
        let builder = bare("ags", format!("{location}?key=QUERY"))
            .property("discover", true)
            .property("auth-service-id", AUTH_SERVICE_ID)
            .property("tenant-id", "tenant 1")
            .property("parameters", fields(&PARAMETERS))
            .property("extra-headers", fields(&[("X-Api-Key", "EXTRA")]));
        tune(&Rig::new(place.trusting(builder)));

        // All of it goes where the token is granted.
        let request = the_request(&place.headend);
        assert_eq!(request.path, "/ags/getSessionToken?key=QUERY");
        assert_eq!(values(&request.headers, "x-api-key"), ["EXTRA"]);
        assert_eq!(values(&request.headers, "authorization").len(), 1);

        let requests = place.headend.discovery_requests();
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].path, "/ags/servicediscovery");
        assert_eq!(
            names(&requests[0].headers),
            [
                "accept",
                "host",
                "nv-tenant-id",
                "user-agent",
                "x-correlation-id"
            ]
        );
        assert_eq!(values(&requests[0].headers, "nv-tenant-id"), ["tenant 1"]);
    }
}

/// Two services, of which the second wants more than the head-end's.
const TWO: &str = r#"{"availableServices":[{"authServiceName":"one"},{"authServiceName":"two","endpoints":[
    {"path":"/signOn","parameterProperties":[{"name":"Elsewhere","mandatory":true}]},
    {"path":"/getSessionToken","parameterProperties":[{"name":"Account","mandatory":true},{"name":"Nick","mandatory":false}]}]}]}"#;

#[test]
fn discovery_names_missing_setting_then_stops() {
    let right = fields(&PARAMETERS);
    let empty = fields(&[("OperatorAuthToken", "")]);
    let other = fields(&[("Nick", "SECRET")]);
    let two = || offer(200, TWO);
    for (discovery, id, parameters, says) in [
        (
            Discovery::Offer,
            Some("elsewhere"),
            Some(&right),
            &["`auth-service-id`", "`headend-sso`"][..],
        ),
        (
            two(),
            Some("three"),
            Some(&right),
            &["`auth-service-id`", "`one`, `two`"],
        ),
        (
            two(),
            None,
            Some(&right),
            &["`auth-service-id`", "`one`, `two`", "more than one"],
        ),
        (
            Discovery::Offer,
            None,
            None,
            &["`parameters-file`", "`OperatorAuthToken`"],
        ),
        (
            Discovery::Offer,
            None,
            Some(&empty),
            &["`parameters-file`", "`OperatorAuthToken`"],
        ),
        (
            Discovery::Offer,
            Some(AUTH_SERVICE_ID),
            Some(&other),
            &["`parameters-file`", "`OperatorAuthToken`"],
        ),
        (
            two(),
            Some("two"),
            Some(&other),
            &["`parameters-file`", "add `Account` to"],
        ),
    ] {
        for place in Place::both(&Auth::Grant) {
            place.headend.set_discovery(discovery.clone());
            let builder = discovering(&place.headend)
                .property_if_some("auth-service-id", id)
                .property_if_some("parameters", parameters.cloned());
            let complaint = failure(place.trusting(builder));
            complaint
                .is(gst::ResourceError::Settings)
                .says(says)
                .does_not_say(&["SECRET", OPERATOR_TOKEN]);
            assert_eq!(complaint.detail::<String>("reason"), "misconfigured");
            assert_eq!(place.headend.discovery_requests().len(), 1);
            assert_eq!(place.headend.token_requests(), []);
        }
    }
}

#[test]
fn failed_discovery_is_named_and_sends_no_parameter() {
    use gst::ResourceError::{NotAuthorized, OpenRead, Read};
    for (discovery, code, reason, requests, says) in [
        (offer(404, "SECRET"), Read, "malformed", 1, "HTTP 404"),
        (offer(401, "SECRET"), NotAuthorized, "denied", 1, "HTTP 401"),
        (offer(503, "SECRET"), OpenRead, "transient", 3, "HTTP 503"),
        (offer(429, "SECRET"), OpenRead, "transient", 3, "HTTP 429"),
        (offer(302, "SECRET"), Read, "malformed", 1, "redirect"),
        (offer(200, "SECRET"), Read, "malformed", 1, "not JSON"),
        (offer(200, "{}"), Read, "malformed", 1, "another shape"),
        (
            offer(200, r#"{"availableServices":[]}"#),
            Read,
            "malformed",
            1,
            "no service on offer",
        ),
    ] {
        let headend = headend(Auth::Grant);
        headend.set_discovery(discovery);
        let complaint = failure(discovering(&headend).property("parameters", fields(&PARAMETERS)));
        complaint
            .is(code)
            .says(&[says])
            .does_not_say(&["SECRET", OPERATOR_TOKEN]);
        assert_eq!(complaint.detail::<String>("reason"), reason, "{says}");
        assert_eq!(complaint.detail::<u32>("attempts"), requests, "{says}");
        let asked = headend.discovery_requests().len();
        assert_eq!(asked, requests as usize, "{says}");
        assert_eq!(headend.token_requests(), []);
    }
}

#[test]
fn discovery_timeout_is_named() {
    let headend = headend(Auth::Grant);
    headend.set_discovery(Discovery::Hang);
    let builder = make("sessiontoken")
        .property_from_str("auth-service", "ags")
        .property("location", headend.ags_url())
        .property("discover", true)
        .property("parameters", fields(&PARAMETERS))
        .property("timeout", 300_u32);
    let complaint = failure(builder);
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&["127.0.0.1:", "300 ms", "`timeout`"]);
    assert_eq!(complaint.detail::<String>("reason"), "timed-out");
    assert!(complaint.detail::<gst::ClockTime>("elapsed") >= gst::ClockTime::from_mseconds(300));
    assert_eq!(headend.discovery_requests().len(), 1);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn discovery_repeats_after_denial_but_not_after_503() {
    for (first, discoveries) in [
        (reply(403, ""), 2),
        (reply(404, ""), 2),
        (reply(503, ""), 1),
        (Auth::Grant, 1),
    ] {
        let headend = headend(Auth::Sequence(vec![first.clone(), Auth::Grant]));
        let builder = discovering(&headend)
            .property("parameters", fields(&PARAMETERS))
            .property("retries", 0_u32);
        let rig = Rig::new(builder);
        // Refused or granted, and in either case over.
        rig.send(&[stream_start().into(), caps_event().into()]);
        rig.push_event(protection(COMMON_SYSTEM, Some("dash/mpd")));
        rig.push_event(gst::event::Eos::new());
        assert_eq!(headend.token_requests().len(), 1, "{first:?}");
        rig.restart(gst::State::Ready);
        // At once, though the failure of a moment ago would be the answer for another second.
        rig.element.emit_by_name::<()>("refresh-token", &[]);
        assert_eq!(text(&tune(&rig), "session-token"), headend.token());
        let asked = |record: &Record| record.token_requests().count() == 2;
        assert!(headend.wait_for(PATIENCE, asked), "{first:?}");
        let found = headend.discovery_requests().len();
        assert_eq!(found, discoveries, "{first:?}");
    }
}

/// A refusal of the head-end's own, and what the application has to hear of it.
struct Refusal {
    service: &'static str,
    settings: Settings,
    code: gst::ResourceError,
    reason: &'static str,
    http_status: u32,
    service_status: Option<i64>,
    title: Option<&'static str>,
    detail: Option<&'static str>,
    says: &'static [&'static str],
}

fn refusals() -> [Refusal; 7] {
    use gst::ResourceError::{NotAuthorized, Read};
    let id = || ("auth-service-id", AUTH_SERVICE_ID.to_value());
    let wrong_parameters = fields(&[("OperatorAuthToken", "SECRET"), ("Other", "SECRET-2")]);
    let ags = |http_status, title, detail, settings| Refusal {
        service: "ags",
        settings,
        code: NotAuthorized,
        reason: "denied",
        http_status,
        service_status: None,
        title: Some(title),
        detail: Some(detail),
        says: &["`parameters-file`"],
    };
    let thunder = |settings| Refusal {
        service: "thunder",
        settings,
        code: NotAuthorized,
        reason: "denied",
        http_status: 403,
        service_status: None,
        title: None,
        detail: None,
        says: &["HTTP 403", "`authorization-file`"],
    };
    [
        thunder(vec![("authorization", "SECRET".to_value())]),
        thunder(Vec::new()),
        Refusal {
            code: Read,
            reason: "malformed",
            http_status: 200,
            service_status: Some(-32601),
            title: Some("Unknown method."),
            says: &["`thunder-method`", "-32601"],
            ..thunder(vec![
                ("authorization", SECURITY_TOKEN.to_value()),
                ("thunder-method", "SECRET.1.method".to_value()),
            ])
        },
        ags(
            401,
            "Unauthorized",
            "The operator's token is not valid.",
            vec![id(), ("parameters", wrong_parameters.to_value())],
        ),
        ags(
            400,
            "Bad request",
            "A mandatory parameter is missing.",
            vec![
                id(),
                ("parameters", fields(&[("Other", "SECRET")]).to_value()),
            ],
        ),
        ags(
            400,
            "Bad request",
            "A mandatory parameter is missing.",
            vec![id()],
        ),
        ags(
            400,
            "Bad request",
            "The auth service is not known here.",
            vec![("auth-service-id", "elsewhere".to_value())],
        ),
    ]
}

#[test]
fn service_error_reaches_app_without_secrets() {
    for refusal in refusals() {
        for place in Place::both(&Auth::Grant) {
            let location = url(refusal.service, &place.headend);
            let builder = with(bare(refusal.service, location), &refusal.settings);
            let told = failed_tune(&Rig::new(place.trusting(builder)));
            let complaint = told.error();
            complaint
                .is(refusal.code)
                .says(refusal.says)
                .does_not_say(&["SECRET", SECURITY_TOKEN, OPERATOR_TOKEN]);
            assert_eq!(complaint.detail::<String>("reason"), refusal.reason);
            let status = complaint.detail::<u32>("http-status");
            assert_eq!(status, refusal.http_status);
            let details = complaint.details.as_ref().expect("details");
            let optional = |field| details.get_optional::<String>(field).expect("a text");
            assert_eq!(optional("title").as_deref(), refusal.title);
            assert_eq!(optional("detail").as_deref(), refusal.detail);
            assert_eq!(
                details.get_optional::<i64>("service-status"),
                Ok(refusal.service_status)
            );
            let state = told.state();
            assert_eq!(text(state, "service"), refusal.service);
            assert_eq!(state.get::<u32>("attempts"), Ok(1));
            assert_eq!(the_request(&place.headend).method, "POST");
        }
    }
}

#[test]
fn denial_that_repeats_secret_is_not_quoted() {
    let thunder = ("authorization", "THUNDER-SECRET".to_value());
    let parameters = fields(&[("Password", "PARAMETER SECRET")]).to_value();
    let ags = ("parameters", parameters);
    let id = ("auth-service-id", "sso".to_value());
    for (service, settings, secrets) in [
        ("rdk", vec![], &["EXTRA-SECRET", "QUERY-SECRET"][..]),
        (
            "thunder",
            vec![thunder],
            &["EXTRA-SECRET", "QUERY-SECRET", "THUNDER-SECRET"],
        ),
        (
            "ags",
            vec![ags, id],
            &["EXTRA-SECRET", "QUERY-SECRET", "PARAMETER SECRET"],
        ),
    ] {
        for secret in secrets {
            let problem = json!({
                "title": format!("Nobody here is named {secret}."),
                "detail": "Ask your operator.",
            });
            let headend = headend(Auth::Reply {
                status: 403,
                content_type: "application/problem+json; charset=utf-8".to_owned(),
                body: problem.to_string(),
            });
            let location = format!("{}?key=QUERY-SECRET", url(service, &headend));
            let builder = bare(service, location)
                .property("extra-headers", fields(&[("X-Api-Key", "EXTRA-SECRET")]));
            let complaint = failure(with(builder, &settings));
            complaint
                .is(gst::ResourceError::NotAuthorized)
                .does_not_say(&["SECRET", "Nobody"]);
            assert_eq!(complaint.detail::<String>("detail"), "Ask your operator.");
            let details = complaint.details.expect("details");
            assert!(!details.has_field("title"), "{details:?}");
        }
    }
}

#[test]
fn transient_failure_is_retried_and_plays() {
    let hangs_up = [Auth::CloseAtOnce, reply(408, ""), reply(500, "")];
    for service in SERVICES {
        for first in hangs_up
            .iter()
            .cloned()
            .chain([429, 502, 503, 504].map(|status| reply(status, "")))
        {
            let headend = headend(Auth::Sequence(vec![first.clone(), Auth::Grant]));
            let rig = Rig::new(asking(service, &headend));
            assert_eq!(text(&tune(&rig), "session-token"), headend.token());
            let told = rig.told();
            let state = told.state();
            assert_eq!(text(state, "state"), "acquired");
            assert_eq!(state.get::<u32>("attempts"), Ok(2), "{first:?}");
            assert_eq!(rig.ordinal(state), 1);
            assert_eq!(headend.token_requests().len(), 2, "{first:?}");
        }
    }
}

#[test]
fn service_over_tls_that_fails_once_is_asked_again() {
    let auth = Auth::Sequence(vec![Auth::CloseAtOnce, reply(503, ""), Auth::Grant]);
    for service in SERVICES {
        let [_, place] = Place::both(&auth);
        let rig = Rig::new(place.asking(service));
        assert_eq!(text(&tune(&rig), "session-token"), place.headend.token());
        assert_eq!(rig.told().state().get::<u32>("attempts"), Ok(3));
        assert_eq!(place.headend.token_requests().len(), 3);
    }
}

#[test]
fn retry_after_header_delays_retry() {
    for service in SERVICES {
        let busy = reply_with(429, "Retry-After", "1");
        let headend = headend(Auth::Sequence(vec![busy, Auth::Grant]));
        let rig = Rig::new(asking(service, &headend));
        assert_eq!(text(&tune(&rig), "session-token"), headend.token());
        let told = rig.told();
        let latency = told.state().get::<gst::ClockTime>("latency");
        assert!(latency.expect("a time") >= gst::ClockTime::SECOND);
        assert_eq!(told.state().get::<u32>("attempts"), Ok(2));
        assert_eq!(headend.token_requests().len(), 2);
    }
}

#[test]
fn retry_after_beyond_timeout_fails_at_once() {
    for service in SERVICES {
        for (status, later) in [
            (429, "3600"),
            (503, "3600"),
            (503, "99999999999999999999999"),
            (503, "Fri, 01 Jan 2100 00:00:00 GMT"),
        ] {
            let busy = reply_with(status, "Retry-After", later);
            let headend = headend(Auth::Sequence(vec![busy, Auth::Grant]));
            let complaint = failure(asking(service, &headend));
            complaint
                .is(gst::ResourceError::OpenRead)
                .says(&[&format!("HTTP {status}"), "asked again in"]);
            assert_eq!(complaint.detail::<String>("reason"), "transient");
            assert_eq!(complaint.detail::<u32>("attempts"), 1);
            assert!(soon(&complaint), "{complaint:?}");
            assert_eq!(headend.token_requests().len(), 1);
        }
    }
}

/// Whether the failure came long before the timeout.
pub fn soon(complaint: &Complaint) -> bool {
    complaint.detail::<gst::ClockTime>("elapsed")
        < gst::ClockTime::try_from(PATIENCE).expect("a time")
}

#[test]
fn retries_property_limits_attempts() {
    for service in SERVICES {
        for (retries, requests) in [(Some(0_u32), 1), (Some(1), 2), (None, 3), (Some(3), 4)] {
            let headend = headend(reply(503, ""));
            let builder = asking(service, &headend).property_if_some("retries", retries);
            let told = failed_tune(&Rig::new(builder));
            let complaint = told.error().is(gst::ResourceError::OpenRead);
            assert_eq!(complaint.detail::<u32>("attempts"), requests);
            assert_eq!(told.state().get::<u32>("attempts"), Ok(requests));
            assert_eq!(headend.token_requests().len(), requests as usize);
        }
    }
}

#[test]
fn permanent_failure_is_not_retried() {
    use gst::ResourceError::{NotAuthorized, Read};
    for service in SERVICES {
        let bad_request = match service {
            "ags" => NotAuthorized,
            _ => Read,
        };
        for (status, code) in [
            (400, bad_request),
            (401, NotAuthorized),
            (403, NotAuthorized),
            (404, Read),
            (409, Read),
            (204, Read),
        ] {
            let refusal = reply(status, "");
            let headend = headend(Auth::Sequence(vec![refusal, Auth::Grant]));
            let complaint = failure(asking(service, &headend));
            complaint
                .is(code)
                .says(&[&format!("HTTP {status}")])
                .does_not_say(&[SECURITY_TOKEN, OPERATOR_TOKEN]);
            assert_eq!(complaint.detail::<u32>("http-status"), u32::from(status));
            assert_eq!(headend.token_requests().len(), 1, "{service} {status}");
        }
    }
}

#[test]
fn redirect_does_not_take_the_credentials_elsewhere() {
    for service in SERVICES {
        for status in [301, 302, 303, 307, 308] {
            let elsewhere = headend(Auth::Grant);
            let target = format!("{}?SECRET", url(service, &elsewhere));
            let headend = headend(reply_with(status, "Location", &target));
            let place = elsewhere.url("");
            failure(asking(service, &headend))
                .is(gst::ResourceError::Read)
                .says(&[&format!("HTTP {status}"), "redirect", "`location`", &place])
                .does_not_say(&["SECRET"]);
            assert_eq!(headend.token_requests().len(), 1);
            assert_eq!(elsewhere.token_requests(), []);
        }
    }
}

/// A service, its settings, and what a refusal of them has to say.
type Refused = (&'static str, Settings, &'static [&'static str]);

fn refuse(cases: Vec<Refused>) {
    for (service, settings, says) in cases {
        let builder = make("sessiontoken").property_from_str("auth-service", service);
        refusal(with(builder, &settings))
            .says(says)
            .does_not_say(&["SECR"]);
    }
}

#[test]
fn required_setting_is_checked_before_any_request() {
    init();
    let location = || ("location", "http://127.0.0.1/ags/SECRET".to_value());
    let id = || ("auth-service-id", "sso".to_value());
    refuse(vec![
        ("ags", vec![id()], &["`location`", "AGS"]),
        (
            "ags",
            vec![("discover", true.to_value())],
            &["`location`", "AGS"],
        ),
        (
            "ags",
            vec![location()],
            &["`auth-service-id`", "`discover`"],
        ),
        (
            "ags",
            vec![location(), ("auth-service-id", "".to_value())],
            &["`auth-service-id`", "`discover`"],
        ),
        (
            "ags",
            vec![location(), ("auth-service-id", "SECRET\r\nX: y".to_value())],
            &["`auth-service-id`", "no header"],
        ),
        (
            "ags",
            vec![location(), id(), ("tenant-id", "SECRÉT".to_value())],
            &["`tenant-id`", "no header"],
        ),
        (
            "thunder",
            vec![("thunder-method", "SECRET method".to_value())],
            &["`thunder-method`"],
        ),
        (
            "thunder",
            vec![("thunder-method", " ".to_value())],
            &["`thunder-method`"],
        ),
    ]);
}

#[test]
fn other_service_setting_error_names_property() {
    init();
    let secret = || "SECRET".to_value();
    let structure = || fields(&[("SECRET", "SECRET")]).to_value();
    for (property, value, owner) in [
        ("thunder-method", secret(), "thunder"),
        ("authorization", secret(), "thunder"),
        ("authorization-file", secret(), "thunder"),
        ("auth-service-id", secret(), "ags"),
        ("tenant-id", secret(), "ags"),
        ("parameters", structure(), "ags"),
        ("parameters-file", secret(), "ags"),
        ("discover", true.to_value(), "ags"),
    ] {
        for service in SERVICES.into_iter().filter(|service| *service != owner) {
            let builder = make("sessiontoken")
                .property_from_str("auth-service", service)
                .property("location", "http://127.0.0.1/")
                .property(property, value.clone());
            refusal(builder)
                .says(&[
                    &format!("`{property}`"),
                    &format!("auth-service={service}"),
                    &format!("`auth-service` to {owner}"),
                ])
                .does_not_say(&["SECRET"]);
        }
    }
}

#[test]
fn invalid_security_token_error_names_property() {
    init();
    let folder = env!("CARGO_TARGET_TMPDIR").to_value();
    let empty = File::new("\n");
    let prefixed = File::new("Bearer SECRET");
    let binary = File::new([0xff, 0xfe]);
    let long = File::new("SECRET".repeat(10_000));
    let path = |file: &File| file.path().to_value();
    let value = |text: &str| vec![("authorization", text.to_value())];
    let file = |value| vec![("authorization-file", value)];
    refuse(vec![
        (
            "thunder",
            value("Bearer SECRET"),
            &["`authorization`", "without `Bearer`"],
        ),
        (
            "thunder",
            value("SECRET\r\nX-Other: SECRET"),
            &["`authorization`", "visible ASCII"],
        ),
        ("thunder", file(path(&prefixed)), &["`authorization`"]),
        (
            "thunder",
            file(path(&empty)),
            &["`authorization`", "is empty"],
        ),
        (
            "thunder",
            file(path(&binary)),
            &["`authorization-file`", "not text"],
        ),
        (
            "thunder",
            file(path(&long)),
            &["`authorization-file`", "more than"],
        ),
        (
            "thunder",
            file(folder),
            &["`authorization-file`", "not a regular file"],
        ),
        (
            "thunder",
            file("/nowhere/SECRET".to_value()),
            &["`authorization-file`", "cannot be read"],
        ),
        (
            "thunder",
            [value("SECRET"), file(path(&prefixed))].concat(),
            &["`authorization`", "`authorization-file`", "both"],
        ),
    ]);
}

#[test]
fn invalid_parameters_error_names_property() {
    init();
    let with = |more: Settings| {
        let mut settings = vec![
            ("location", "http://127.0.0.1/".to_value()),
            ("auth-service-id", "sso".to_value()),
        ];
        settings.extend(more);
        settings
    };
    let texts = [
        ("", "not JSON"),
        ("SECRET", "not JSON"),
        (r#"{"a":"SECRET""#, "not JSON"),
        (r#""SECRET""#, "another shape"),
        (r#"{"a":1}"#, "another shape"),
        (r#"{"a":null}"#, "another shape"),
        (r#"{"a":{"b":"SECRET"}}"#, "another shape"),
        (r#"{"a":"SECRET","a":"SECRET"}"#, "another shape"),
        (r#"{"":"SECRET"}"#, "without a name"),
        (r#"["SECRET"]"#, "another shape"),
        (r#"[{"name":"a"}]"#, "another shape"),
        (
            r#"[{"name":"a","value":"SECRET"},{"name":"a","value":"b"}]"#,
            "twice",
        ),
    ];
    for (content, says) in texts {
        let file = File::new(content);
        let builder = bare("ags", "http://127.0.0.1/")
            .property("auth-service-id", "sso")
            .property("parameters-file", file.path());
        refusal(builder)
            .says(&["`parameters-file`", says])
            .does_not_say(&["SECRET"]);
    }
    let mut list = fields(&[]);
    list.set("a", gst::List::new(["SECRET"]));
    let good = File::new("{}");
    refuse(vec![
        (
            "ags",
            with(vec![("parameters-file", "/nowhere/SECRET".to_value())]),
            &["`parameters-file`", "cannot be read"],
        ),
        (
            "ags",
            with(vec![("parameters", list.to_value())]),
            &["`parameters`", "`a`", "neither"],
        ),
        (
            "ags",
            with(vec![
                ("parameters", fields(&[("a", "SECRET")]).to_value()),
                ("parameters-file", good.path().to_value()),
            ]),
            &["`parameters`", "`parameters-file`", "both"],
        ),
    ]);
}

#[test]
fn unsafe_extra_header_error_names_property() {
    for (header, value, says) in [
        ("X-A", "SECRET\r\nX-B: y", "X-A, whose value"),
        ("X-A", "SECRET\n", "X-A, whose value"),
        ("X-A", "SECRÉT", "X-A, whose value"),
        ("X-A", " SECRET", "X-A, whose value"),
        ("Host", "SECRET", "the header Host, which is written by"),
        ("content-length", "0", "content-length, which is written by"),
        (
            "Transfer-Encoding",
            "chunked",
            "Transfer-Encoding, which is written by",
        ),
        ("Content-Type", "SECRET", "Content-Type, which is written"),
        ("X A", "SECRET", "whose name"),
        ("X-A:", "SECRET", "whose name"),
        ("X-É", "SECRET", "whose name"),
    ] {
        let file = File::new(json!({ header: value }).to_string());
        for service in SERVICES {
            // Nobody is asked there.
            let builder = || asking_at(service, "http://127.0.0.1/");
            refusal(builder().property("extra-headers", fields(&[(header, value)])))
                .says(&["`extra-headers`", says])
                .does_not_say(&["SECR"]);
            refusal(builder().property("extra-headers-file", file.path()))
                .says(&["`extra-headers-file`", says])
                .does_not_say(&["SECR"]);
        }
    }
}

#[test]
fn unreadable_extra_headers_error_names_property() {
    init();
    let by_file = |file: &File| vec![("extra-headers-file", file.path().to_value())];
    let array = File::new(r#"[{"name":"a","value":"SECRET"}]"#);
    let garbage = File::new("SECRET");
    let missing = "/nowhere/SECRET".to_value();
    for service in ["rdk", "thunder"] {
        refuse(vec![
            (
                service,
                by_file(&array),
                &["`extra-headers-file`", "another shape"],
            ),
            (
                service,
                by_file(&garbage),
                &["`extra-headers-file`", "not JSON"],
            ),
            (
                service,
                vec![("extra-headers-file", missing.clone())],
                &["`extra-headers-file`", "cannot be read"],
            ),
            (
                service,
                vec![
                    ("extra-headers", fields(&[("X-A", "SECRET")]).to_value()),
                    ("extra-headers-file", garbage.path().to_value()),
                ],
                &["`extra-headers`", "`extra-headers-file`", "both"],
            ),
        ]);
    }
}

#[test]
fn service_owned_extra_header_error_names_header() {
    for (service, header) in [
        ("thunder", "Authorization"),
        ("thunder", "authorization"),
        ("ags", "X-Auth-Service-Id"),
        ("ags", "X-Correlation-Id"),
        ("ags", "nv-tenant-id"),
    ] {
        let builder = asking_at(service, "http://127.0.0.1/")
            .property("extra-headers", fields(&[(header, "SECRET")]));
        refusal(builder)
            .says(&["`extra-headers`", header, "own settings"])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn invalid_correlation_id_error_names_property() {
    for service in SERVICES {
        for id in [
            "SECRET\r\nX: y",
            "SECRET\n",
            "SECRÉT",
            " SECRET",
            &"SECRET".repeat(100),
        ] {
            refusal(
                asking_at(service, "http://127.0.0.1/").property("correlation-id", id.to_value()),
            )
            .says(&["`correlation-id`"])
            .does_not_say(&["SECR"]);
        }
    }
}

#[test]
fn credentials_are_write_only_and_not_from_context() {
    let element = asking_at("thunder", "http://127.0.0.1/")
        .build()
        .expect("an element");
    for name in ["authorization", "parameters", "extra-headers"] {
        let flags = element.find_property(name).expect("a property").flags();
        assert!(!flags.contains(glib::ParamFlags::READABLE), "{name}");
        assert!(flags.contains(glib::ParamFlags::WRITABLE), "{name}");

        let mut context = gst::Context::new("session-token-config", true);
        context
            .get_mut()
            .expect("not shared yet")
            .structure_mut()
            .set(name, "SECRET");
        let (element, bus) = with_bus(make("sessiontoken"));
        element.set_context(&context);
        refusal_of(&element, &bus)
            .says(&[
                "session-token-config",
                &format!("`{name}`"),
                "by value",
                &format!("`{name}-file`"),
            ])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn context_configures_each_service_by_files() {
    init();
    let token = File::new(SECURITY_TOKEN);
    let parameters = File::new(json!({ "OperatorAuthToken": OPERATOR_TOKEN }).to_string());
    let headers = File::new(json!({ "X-Api-Key": "abc" }).to_string());
    for place in Place::both(&Auth::Grant) {
        for (service, settings) in [
            ("rdk", vec![]),
            ("thunder", vec![("authorization-file", token.path())]),
            (
                "ags",
                vec![
                    ("discover", "true".to_owned()),
                    ("tenant-id", "tenant 1".to_owned()),
                    ("parameters-file", parameters.path()),
                ],
            ),
        ] {
            let mut context = gst::Context::new("session-token-config", true);
            let structure = context.get_mut().expect("not shared yet").structure_mut();
            structure.set("auth-service", service);
            structure.set("location", url(service, &place.headend));
            structure.set("extra-headers-file", headers.path());
            structure.set("correlation-id", "trace 1");
            structure.set("retries", "0");
            for (name, value) in settings {
                structure.set(name, value);
            }
            if let Some(ca_file) = &place.ca_file {
                structure.set("ssl-ca-file", ca_file.path());
            }
            let (element, bus) = with_bus(make("sessiontoken"));
            element.set_context(&context);
            let rig = Rig::around(element, bus);
            let key_request = tune(&rig);
            assert_eq!(text(&key_request, "session-token"), place.headend.token());
            assert_eq!(text(&key_request, "correlation-id"), "trace 1");
            assert_eq!(text(rig.told().state(), "service"), service);
        }
        let requests = place.headend.token_requests();
        assert_eq!(header(&requests, "x-api-key"), vec![["abc"]; 3]);
        assert_eq!(place.headend.discovery_requests().len(), 1);
    }
}
