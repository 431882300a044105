// SPDX-License-Identifier: MIT OR Apache-2.0

//! Where licenses are asked for: the servers that the MPD names, redirects, and who may be sent the
//! token.

use gst::prelude::*;
use headend::{Auth, Headend, Licenses, VIDEO_KEY_ID};
use support::rig::*;
use support::samples::*;

/// Milliseconds for servers of which one does not answer.
const A_WHILE: u32 = 2000;

/// ClearKey's element with these URLs.
fn laurls(urls: &[String]) -> String {
    let urls = urls
        .iter()
        .map(|url| format!("<dashif:Laurl>{url}</dashif:Laurl>"));
    let urls: String = urls.collect();
    format!(
        r#"<ContentProtection xmlns:dashif="https://dashif.org/CPS" schemeIdUri="urn:uuid:{CLEARKEY_SYSTEM}">{urls}</ContentProtection>"#
    )
}

/// A stream in the middle, whose MPD says this of ClearKey.
fn named_by_mpd(data: String) -> Rig {
    let rig = started(
        make("clearkeydec")
            .property("timeout", A_WHILE)
            .property("retries", 0u32),
    );
    rig.send(&[event(CLEARKEY_SYSTEM, "dash/mpd", data).into()]);
    rig
}

/// A stream in the middle that has brought a token.
fn with_token(builder: gst::element_factory::ElementBuilder<'_>, token: &str) -> Rig {
    let rig = started(builder);
    let headers = [("Authorization", &*format!("Bearer {token}"))];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    rig
}

/// Host and port.
fn place(headend: &Headend) -> String {
    headend.url("").replace("http://", "")
}

/// A viewer would see an error though there is a server that works.
#[test]
fn next_laurl_is_asked_where_one_has_no_license() {
    let good = serving(Licenses::ServeAnonymous);
    let not_there = format!("http://{}/license", nobody());
    let faulty = [404, 410, 500, 503].map(|status| serving(Licenses::Refuse(status)));
    let silent = serving(Licenses::Hang);
    let others = faulty.iter().chain([&silent]);
    let urls = others.map(Headend::license_url).chain([
        not_there,
        "file://cache/licenseInfo.txt".to_owned(),
        "http://192.0.2.1/cleartext".to_owned(),
        String::new(),
    ]);
    for (number, url) in urls.enumerate() {
        let mut rig = named_by_mpd(laurls(&[url, format!("{}?{number}", good.license_url())]));
        plays_when_the_key_is_here(&mut rig);
        assert_eq!(good.license_requests().len(), number + 1);
    }
    for headend in faulty.iter().chain([&silent]) {
        assert_eq!(headend.license_requests().len(), 1);
    }
}

/// An account without a subscription would be shown to each of an operator's servers.
#[test]
fn refusal_of_a_laurl_is_final() {
    for status in [401, 403, 412, 400] {
        let good = serving(Licenses::ServeAnonymous);
        let refusing = serving(Licenses::Refuse(status));
        let urls = [&refusing, &good].map(Headend::license_url);
        let complaint = complaint_after(&named_by_mpd(laurls(&urls)), picture());
        assert_eq!(complaint.detail::<u32>("http-status"), u32::from(status));
        // The whole place, without a query.
        complaint.says(&[&refusing.license_url()]);
        assert_eq!(refusing.license_requests().len(), 1);
        assert_eq!(good.license_requests(), []);
    }
}

#[test]
fn error_names_each_laurl_that_failed() {
    let (first, second) = (nobody(), serving(Licenses::Refuse(503)));
    let urls = [
        format!("http://{first}/SECRET?SECRET"),
        second.license_url(),
    ];
    let complaint = complaint_after(&named_by_mpd(laurls(&urls)), picture());
    complaint
        .is(gst::ResourceError::OpenRead)
        .says(&[&first, &second.license_url(), "HTTP 503", "before that"])
        .does_not_say(&["?SECRET"]);
    assert_eq!(complaint.detail::<u32>("attempts"), 2);
}

/// The server that failed would take its time from each license again.
#[test]
fn laurl_that_failed_is_asked_last_for_a_while() {
    let (first, good) = (
        serving(Licenses::Refuse(503)),
        serving(Licenses::ServeAnonymous),
    );
    let mut rig = named_by_mpd(laurls(&[&first, &good].map(Headend::license_url)));
    plays_when_the_key_is_here(&mut rig);
    assert_eq!(rig.push(sound()), Ok(gst::FlowSuccess::Ok));
    rig.harness.pull().expect("a buffer");
    assert_eq!(good.license_requests().len(), 2);
    assert_eq!(first.license_requests().len(), 1);
}

/// Has whatever stands before the element say where the manifest is from.
fn manifest_is_from(rig: &Rig, uri: String, redirect: Option<String>) {
    let upstream = gst::PadProbeType::QUERY_UPSTREAM | gst::PadProbeType::PUSH;
    rig.upstream.add_probe(upstream, move |_, info| {
        let query = info.query_mut().expect("a query");
        let gst::QueryViewMut::Uri(query) = query.view_mut() else {
            return gst::PadProbeReturn::Ok;
        };
        query.set_uri(Some(&*uri));
        if let Some(redirect) = &redirect {
            query.set_redirection(Some(&**redirect), false);
        }
        gst::PadProbeReturn::Handled
    });
}

#[test]
fn relative_laurl_is_resolved_against_the_mpd() {
    for (laurl, path, is_redirected) in [
        ("/license", "/dash/cenc/manifest.mpd?x", false),
        ("license?token=abc%3D", "/manifest.mpd", false),
        ("../license", "/dash/manifest.mpd", true),
    ] {
        let headend = serving(Licenses::ServeAnonymous);
        let mut rig = started(make("clearkeydec").property("timeout", NO_HURRY));
        let (uri, redirect) = match is_redirected {
            true => ("https://192.0.2.1/a/b".to_owned(), Some(headend.url(path))),
            false => (headend.url(path), None),
        };
        manifest_is_from(&rig, uri, redirect);
        let data = laurls(&[laurl.to_owned()]);
        rig.send(&[event(CLEARKEY_SYSTEM, "dash/mpd", data).into()]);
        plays_when_the_key_is_here(&mut rig);
        assert_eq!(headend.license_requests().len(), 1, "{laurl}");
    }
}

#[test]
fn laurl_that_cannot_be_asked_says_why() {
    for (urls, says) in [
        (
            &["/license"][..],
            &["relative", "where the MPD is from"][..],
        ),
        (&["file:///a/b", "urn:x"], &["scheme"]),
        (
            &["http://192.0.2.1/SECRET"],
            &["192.0.2.1", "`allow-cleartext`"],
        ),
    ] {
        let urls: Vec<_> = urls.iter().map(|url| (*url).to_owned()).collect();
        let complaint = complaint_after(&named_by_mpd(laurls(&urls)), picture());
        complaint
            .is(gst::ResourceError::Settings)
            .says(says)
            .says(&["`dashif:Laurl`", "`license-url`"])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn laurl_that_does_not_come_says_what_is_lost() {
    for (data, says) in [
        ("ClearKey1.0", "dashdemux2 passed on only the `value`"),
        ("<ContentProtection ref='SECRET'/>", "`ref`"),
        ("<ContentProtection/>", "Representation"),
    ] {
        let complaint = complaint_after(&named_by_mpd(data.to_owned()), picture());
        complaint
            .is(gst::ResourceError::Settings)
            .says(&[says, "`license-url`"])
            .does_not_say(&["SECRET"]);
    }
}

fn redirecting(status: u16, location: impl Into<String>) -> Headend {
    serving(Licenses::Redirect {
        status,
        location: location.into(),
    })
}

/// Tries it with a token that the servers of `good` accept.
fn tuned_with_token(good: &Headend, license_url: String, token_hosts: Option<String>) -> Rig {
    let mut builder = make("clearkeydec")
        .property("license-url", license_url)
        .property("timeout", NO_HURRY);
    if let Some(token_hosts) = token_hosts {
        builder = builder.property("token-hosts", token_hosts);
    }
    with_token(builder, &good.token())
}

#[test]
fn redirect_is_followed_with_the_token_where_it_may() {
    for status in [307, 308] {
        let good = serving(Licenses::Serve);
        let first = redirecting(status, good.license_url());
        let hosts = format!("{}, {}", place(&first), place(&good));
        let mut rig = tuned_with_token(&good, first.license_url(), Some(hosts));
        plays_when_the_key_is_here(&mut rig);
        let (asked, answered) = (first.license_requests(), good.license_requests());
        assert_eq!((asked.len(), answered.len()), (1, 1));
        assert!(asked[0].token_present && answered[0].token_valid);
        assert_eq!(asked[0].body, answered[0].body);
    }
}

/// A server that was redirected to would be shown the token of another.
#[test]
fn redirect_elsewhere_is_followed_without_the_token() {
    let anonymous = serving(Licenses::ServeAnonymous);
    let first = redirecting(307, anonymous.license_url());
    let mut rig = tuned_with_token(&anonymous, first.license_url(), None);
    plays_when_the_key_is_here(&mut rig);
    assert!(!anonymous.license_requests()[0].token_present);

    for status in [401, 403, 412] {
        let refusing = serving(Licenses::Refuse(status));
        let first = redirecting(308, format!("{}?SECRET", refusing.license_url()));
        let rig = tuned_with_token(&refusing, first.license_url(), None);
        let complaint = complaint_after(&rig, picture());
        complaint
            .is(gst::ResourceError::NotAuthorized)
            .says(&["`token-hosts`", &place(&refusing), &refusing.license_url()])
            .does_not_say(&["SECRET", &refusing.token()]);
        assert_eq!(complaint.detail::<u32>("http-status"), u32::from(status));
        let requests = refusing.license_requests();
        assert_eq!(requests.len(), 1);
        assert!(!requests[0].token_present);
    }
}

#[test]
fn redirect_that_a_post_does_not_follow_is_named() {
    for status in [301, 302, 303] {
        let elsewhere = serving(Licenses::ServeAnonymous);
        let first = redirecting(status, format!("{}?SECRET", elsewhere.license_url()));
        let rig = tuned_with_token(&elsewhere, first.license_url(), None);
        complaint_after(&rig, picture())
            .is(gst::ResourceError::Read)
            .says(&[
                &format!("redirect (HTTP {status}) to {},", elsewhere.license_url()),
                &first.license_url(),
                "`license-url`",
            ])
            .does_not_say(&["SECRET"]);
        assert_eq!(elsewhere.license_requests(), []);
    }
}

/// The auth service would be asked for other tokens, and the one at hand be lost to all streams.
#[test]
fn rejection_of_tokenless_request_fetches_no_token() {
    let services = headend(Auth::Grant);
    let refusing = serving(Licenses::Refuse(401));
    services.set_licenses(Licenses::Redirect {
        status: 307,
        location: refusing.license_url(),
    });
    let elements = [sessiontoken(&services), clearkeydec(&services)]
        .map(|builder| builder.build().expect("it is registered"));
    let rig = Rig::chain(&elements);
    rig.send(&[
        stream_start().into(),
        caps_event().into(),
        event(COMMON_SYSTEM, "isobmff/moov", pssh(&[VIDEO_KEY_ID])).into(),
        segment().into(),
    ]);
    let _ = rig.push(picture());
    let error = Complaint::of(&rig.message(gst::MessageType::Error));
    error
        .is(gst::ResourceError::NotAuthorized)
        .says(&["`token-hosts`", &place(&refusing)]);
    assert_eq!(services.token_requests().len(), 1);
    assert_eq!(refusing.license_requests().len(), 1);
}

#[test]
fn token_hosts_bound_the_license_server_too() {
    let headend = serving(Licenses::Serve);
    let token_hosts = Some("keys.example".to_owned());
    let rig = tuned_with_token(&headend, headend.license_url(), token_hosts);
    complaint_after(&rig, picture())
        .is(gst::ResourceError::NotAuthorized)
        .says(&["`token-hosts`", &place(&headend)]);
    assert!(!headend.license_requests()[0].token_present);
}

#[test]
fn token_hosts_that_are_none_are_named() {
    refusal(make("clearkeydec").property("token-hosts", "https://keys.example/"))
        .says(&["`token-hosts`", "keys.example"]);
    let element = make("clearkeydec")
        .property("token-hosts", "*.keys.example localhost:1")
        .build()
        .expect("it is registered");
    let hosts = element.property::<String>("token-hosts");
    assert_eq!(hosts, "*.keys.example localhost:1");
}

/// Who plays by playbin sets no properties.
#[test]
fn token_hosts_are_taken_from_a_context() {
    init();
    let good = serving(Licenses::Serve);
    let first = redirecting(307, good.license_url());
    let hosts = format!("{} {}", place(&first), place(&good));
    let mut context = gst::Context::new("session-token-config", true);
    let fields = context.get_mut().expect("a new one").structure_mut();
    fields.set("token-hosts", hosts);
    fields.set("license-url", first.license_url());
    let (element, bus) = with_bus(make("clearkeydec").property("timeout", NO_HURRY));
    element.set_context(&context);
    let mut rig = Rig::around(element, bus);
    rig.send(&[stream_start().into(), caps_event().into(), segment().into()]);
    let token = format!("Bearer {}", good.token());
    let headers = [("Authorization", &*token)];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    plays_when_the_key_is_here(&mut rig);
    assert!(good.license_requests()[0].token_valid);
}

/// A player would show an error though the key is there.
#[test]
fn odd_license_gives_its_usable_key() {
    let others = r#"{"kty":"RSA","kid":"sig1","n":"AQAB","e":"AQAB"},{"kty":"oct","kid":"c2hvcnQ","k":"eHg"},["x"]"#;
    for body in [
        format!(
            r#"{{"keys":[{others},{{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3uAg","k":"ASNFZ4mrze8BI0VniavNAg"}}],"type":"temporary"}}"#
        ),
        "\u{feff}{\"keys\":[{\"kid\":\"ABEiM0RVZneImaq7zN3uAg==\",\"k\":\"ASNFZ4mrze8BI0VniavNAg==\"}]}\r\n".to_owned(),
    ] {
        let headend = serving(Licenses::Reply { status: 200, body });
        plays_when_the_key_is_here(&mut started(clearkeydec(&headend)));
    }
    let without = format!(r#"{{"keys":[{others}]}}"#);
    let headend = serving(Licenses::Reply {
        status: 200,
        body: without,
    });
    complaint_after(&started(clearkeydec(&headend)), picture())
        .is(gst::ResourceError::Read)
        .says(&["No key in the license", "can be used", "not an object"])
        .does_not_say(&["eHg", "sig1"]);
}

/// Some servers' frameworks write one (RFC 8259, 8.1).
#[test]
fn token_reply_may_begin_with_a_byte_order_mark() {
    for (service, body) in [
        ("rdk", r#"{"token":"with-mark","status":0}"#),
        ("ags", r#"{"sessionToken":"with-mark"}"#),
    ] {
        let headend = headend(Auth::Reply {
            status: 200,
            content_type: "application/json".to_owned(),
            body: format!("\u{feff}{body}"),
        });
        let location = match service {
            "ags" => headend.ags_url(),
            _ => headend.auth_url(),
        };
        let mut builder = make("sessiontoken")
            .property_from_str("auth-service", service)
            .property("location", location)
            .property("timeout", NO_HURRY);
        if service == "ags" {
            builder = builder.property("auth-service-id", "sso");
        }
        let rig = Rig::new(builder);
        let event = protection(COMMON_SYSTEM, None);
        rig.send(&[
            stream_start().into(),
            caps_event().into(),
            event.clone().into(),
        ]);
        rig.log.wait_for(Item::from(&event));
        let request = key_request(&rig.log.protections()[0]);
        assert_eq!(request.get("session-token"), Ok("with-mark"), "{service}");
    }
}
