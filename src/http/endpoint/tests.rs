// SPDX-License-Identifier: MIT OR Apache-2.0

use super::*;

#[test]
fn cleartext_http_needs_loopback_or_opt_in() {
    for url in [
        "http://localhost:50050/x",
        "http://127.0.0.1/",
        "http://[::1]:80/",
        "https://auth.example/",
    ] {
        assert!(Endpoint::parse(url, "location", false).is_ok(), "{url}");
    }
    for url in [
        "http://auth.example/",
        "http://192.168.0.2/",
        "http://localhost.example/",
    ] {
        let Err(failure) = Endpoint::parse(url, "location", false) else {
            panic!("{url} was accepted");
        };
        assert!(failure.what.contains("allow-cleartext"), "{}", failure.what);
        assert!(Endpoint::parse(url, "location", true).is_ok(), "{url}");
    }
}

#[test]
fn invalid_url_error_names_setting_and_hides_url() {
    for url in [
        "",
        "localhost",
        "ftp://u:SECRET@h/SECRET",
        "data:SECRET",
        "http://",
        "//SECRET",
    ] {
        let Err(failure) = Endpoint::parse(url, "license-url", true) else {
            panic!("{url} was accepted");
        };
        assert!(failure.what.contains("`license-url`"), "{}", failure.what);
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
}

#[test]
fn what_a_property_reads_back_has_lost_credentials() {
    assert_eq!(
        Endpoint::redacted("https://user:pw@host:8443/path?key=SECRET#SECRET"),
        "https://host:8443/path"
    );
    for text in ["SECRET, no URL", "user:SECRET@host/path", "data:SECRET"] {
        assert_eq!(Endpoint::redacted(text), "");
    }
}

#[test]
fn discovery_url_is_sibling_without_credentials() {
    for (url, beside, name) in [
        (
            "https://u:p@h/ags/getSessionToken?k=v#f",
            "https://h/ags/d",
            "getSessionToken",
        ),
        (
            "https://h/ags/getSessionToken/",
            "https://h/ags/d",
            "getSessionToken",
        ),
        ("https://h:8443", "https://h:8443/d", ""),
        ("https://h/x", "https://h/d", "x"),
    ] {
        let endpoint = Endpoint::parse(url, "location", false).expect(url);
        assert_eq!(endpoint.sibling("d").as_str(), beside, "{url}");
        assert_eq!(endpoint.name(), name, "{url}");
    }
}

#[test]
fn query_parameter_replaces_only_same_name() {
    for (url, with) in [
        ("https://h/a", "https://h/a?kids=1,2"),
        ("https://h/a?", "https://h/a?kids=1,2"),
        ("https://h/a?kids=9", "https://h/a?kids=1,2"),
        (
            "https://h/a?kids&x=%2F+b&k%69ds=9&y",
            "https://h/a?x=%2F+b&y&kids=1,2",
        ),
        ("https://h/a?xkids=9#f", "https://h/a?xkids=9&kids=1,2#f"),
    ] {
        let endpoint = Endpoint::parse(url, "location", false).expect(url);
        assert_eq!(
            endpoint.with_parameter("kids", "1,2").as_str(),
            with,
            "{url}"
        );
    }
}

#[test]
fn redirect_is_followed_to_a_place_that_is_as_safe() {
    let follow = |from: &str, to: &str, allow_cleartext: bool| {
        let from = Endpoint::parse(from, "location", allow_cleartext).expect(from);
        from.follow(to, allow_cleartext, true)
            .ok()
            .map(|endpoint| endpoint.as_str().to_owned())
    };
    for (from, to, leads) in [
        ("https://a/x/y?q", "z", Some("https://a/x/z")),
        ("https://a/", "https://b:8443/z", Some("https://b:8443/z")),
        ("http://localhost:1/", "https://b/", Some("https://b/")),
        (
            "http://localhost:1/",
            "http://127.0.0.1:2/",
            Some("http://127.0.0.1:2/"),
        ),
        ("https://a/", "http://localhost/", None),
        ("https://a/", "file:///etc/passwd", None),
        ("http://localhost/", "http://b/", None),
        ("http://localhost/", "http://", None),
    ] {
        assert_eq!(follow(from, to, false).as_deref(), leads, "{from} {to}");
    }
    assert!(follow("http://a/", "http://b/", true).is_some());
    assert!(follow("https://a/", "http://b/", true).is_none());
}

#[test]
fn secrets_cover_encoded_and_decoded_credentials() {
    let url = "https://me%40example:p%2Bw+1@h/?key=a%20b&c";
    let endpoint = Endpoint::parse(url, "location", false).expect(url);
    let secrets = endpoint.secrets();
    for form in [
        "me%40example",
        "me@example",
        "p+w+1",
        "bWVAZXhhbXBsZTpwK3crMQ==",
        "key=a%20b&c",
        "a b",
    ] {
        assert!(
            secrets.iter().any(|secret| secret.expose() == form),
            "{form}"
        );
    }
    let without = Endpoint::parse("https://h/", "location", false).expect("valid");
    assert_eq!(without.secrets(), []);
}

#[test]
fn redirect_names_whole_places_without_secrets() {
    let from = "https://u:SECRET@a.example/x?SECRET";
    let from = Endpoint::parse(from, "location", false).expect(from);
    assert_eq!(from.with_path(), "https://a.example:443/x");
    for (target, shows_path, says) in [
        (
            "http://u:SECRET@b.example:81/y?SECRET#SECRET",
            true,
            "https://a.example:443/x answered with a redirect from https to another scheme to \
             http://b.example:81/y, which",
        ),
        (
            "http://b.example/SECRET",
            false,
            "a.example:443 answered with a redirect from https to another scheme to \
             http://b.example:80, which",
        ),
        ("file:///SECRET", true, "to another scheme, which"),
    ] {
        let Err(failure) = from.follow(target, false, shows_path) else {
            panic!("{target} was followed");
        };
        assert!(failure.what.contains(says), "{}", failure.what);
        assert!(!failure.what.contains("SECRET"), "{}", failure.what);
    }
    let long = format!("/{}", "p".repeat(MAX_PATH));
    let shown = from.redirected(&long, true).expect("a place");
    assert!(shown.ends_with("p…"), "{shown}");
}
