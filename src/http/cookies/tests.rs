// SPDX-License-Identifier: MIT OR Apache-2.0

use proptest::prelude::*;

use super::*;

/// Sun, 06 Nov 1994 08:49:37 GMT.
const NOW: Duration = Duration::from_secs(784_111_777);

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + NOW
}

fn url(text: &str) -> Url {
    Url::parse(text).expect(text)
}

fn jar(lines: &[(&str, &str)]) -> CookieJar {
    let mut jar = CookieJar::default();
    for (from, line) in lines {
        jar.store(&url(from), line, now());
    }
    jar
}

fn sent_at(jar: &mut CookieJar, to: &str, at: SystemTime) -> String {
    let pairs = jar.matching(&url(to), at);
    let pairs: Vec<_> = pairs.iter().map(Secret::expose).collect();
    pairs.join("; ")
}

fn sent(lines: &[(&str, &str)], to: &str) -> String {
    sent_at(&mut jar(lines), to, now())
}

#[test]
fn pair_is_read_as_servers_write_it() {
    for (line, pair) in [
        ("a=1", "a=1"),
        (" a = 1 ;x", "a=1"),
        ("a=\"1\"", "a=\"1\""),
        ("a=b=c; HttpOnly; SameSite=None", "a=b=c"),
        ("a=", "a="),
        ("a", ""),
        ("=1", ""),
        ("", ""),
        ("; a=1", ""),
        ("a=1\r\nX: y", ""),
        ("a=\0", ""),
        ("a=\u{fc}", ""),
    ] {
        let lines = [("https://h.example/", line)];
        assert_eq!(sent(&lines, "https://h.example/"), pair, "{line:?}");
    }
}

#[test]
fn domain_decides_which_hosts_get_a_cookie() {
    for (from, domain, to, is_sent) in [
        ("a.example.com", "", "a.example.com", true),
        ("a.example.com", "", "example.com", false),
        ("a.example.com", "", "b.a.example.com", false),
        ("a.example.com", "; Domain=", "b.a.example.com", false),
        (
            "a.example.com",
            "; Domain=example.com",
            "b.example.com",
            true,
        ),
        (
            "a.example.com",
            "; Domain=.Example.COM",
            "example.com",
            true,
        ),
        (
            "a.example.com",
            "; Domain=example.com",
            "badexample.com",
            false,
        ),
        (
            "a.example.com",
            "; Domain=b.example.com",
            "b.example.com",
            false,
        ),
        (
            "a.example.com",
            "; Domain=b.a.example.com",
            "b.a.example.com",
            false,
        ),
        ("a.example.com", "; Domain=com", "example.com", false),
        ("a.example.com", "; Domain=com", "a.example.com", false),
        ("a.example.com", "; Domain=.", "a.example.com", false),
        ("box", "; Domain=box", "box", true),
        ("box", "; Domain=box", "a.box", false),
        ("10.0.0.1", "; Domain=10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "; Domain=0.0.1", "11.0.0.1", false),
        ("10.0.0.1", "; Domain=0.0.1", "10.0.0.1", false),
        ("[::1]", "", "[::1]", true),
        (
            "a.example.com",
            "; Domain=evil.example",
            "evil.example",
            false,
        ),
        (
            "a.example.com",
            "; Domain=evil.example; Domain=example.com",
            "b.example.com",
            true,
        ),
    ] {
        let (from, to) = (format!("https://{from}/"), format!("https://{to}/"));
        let line = format!("k=v{domain}");
        let expected = if is_sent { "k=v" } else { "" };
        assert_eq!(sent(&[(&from, &line)], &to), expected, "{from} {line} {to}");
    }
}

#[test]
fn path_decides_which_files_get_a_cookie() {
    for (from, path, to, is_sent) in [
        ("/live/x/a", "", "/live/x/b", true),
        ("/live/x/a", "", "/live/x", true),
        ("/live/x/a", "", "/live/xy", false),
        ("/live/x/a", "", "/live/", false),
        ("/a", "", "/other/b", true),
        ("/live/a", "; Path=/", "/other", true),
        ("/live/a", "; Path=/keys", "/keys/1", true),
        ("/live/a", "; Path=/keys", "/keys2", false),
        ("/live/a", "; Path=/keys/", "/keys/1", true),
        ("/live/a", "; Path=/keys/", "/keys", false),
        ("/live/a", "; Path=keys", "/live/b", true),
        ("/live/a", "; Path=/x; Path=", "/live/b", true),
    ] {
        let (from, to) = (
            format!("https://h.example{from}"),
            format!("https://h.example{to}"),
        );
        let line = format!("k=v{path}");
        let expected = if is_sent { "k=v" } else { "" };
        assert_eq!(sent(&[(&from, &line)], &to), expected, "{from} {line} {to}");
    }
}

#[test]
fn secure_cookie_stays_on_tls_and_with_its_host() {
    let lines = [("https://a.example.com/", "k=v; Secure")];
    assert_eq!(sent(&lines, "https://a.example.com:8443/"), "k=v");
    for to in [
        "http://a.example.com/",
        "https://b.example.com/",
        "https://example.com/",
        "https://a.example.com.evil/",
    ] {
        assert_eq!(sent(&lines, to), "", "{to}");
    }
    let from_cleartext = [("http://a.example.com/", "k=v; Secure")];
    assert_eq!(sent(&from_cleartext, "https://a.example.com/"), "");
    let overwritten = [
        ("https://a.example.com/", "k=v; Secure"),
        ("http://a.example.com/", "k=evil"),
        ("http://b.example.com/", "k=evil; Domain=example.com"),
    ];
    assert_eq!(sent(&overwritten, "https://a.example.com/"), "k=v");
}

#[test]
fn prefixed_names_keep_their_promise() {
    for (line, pair) in [
        ("__Secure-k=v; Secure", "__Secure-k=v"),
        ("__Secure-k=v", ""),
        ("__Host-k=v; Secure; Path=/", "__Host-k=v"),
        ("__Host-k=v; Secure; Path=/; Domain=h.example", ""),
        ("__host-k=v; Secure; Path=/x", ""),
    ] {
        let lines = [("https://h.example/", line)];
        assert_eq!(sent(&lines, "https://h.example/x"), pair, "{line}");
    }
}

#[test]
fn expiry_ends_a_cookie() {
    let second = Duration::from_secs(1);
    for (attributes, life) in [
        ("; Max-Age=10", Some(10)),
        (
            "; Max-Age=10; Expires=Sun, 06 Nov 1994 08:49:38 GMT",
            Some(10),
        ),
        ("; Expires=Sun, 06-Nov-1994 08:49:47 GMT", Some(10)),
        ("; Expires=Sun, 06 Nov 1994 08:49:36 GMT", Some(0)),
        ("; Max-Age=0", Some(0)),
        ("; Max-Age=-1", Some(0)),
        ("; Max-Age=99999999999999999999999", Some(400 * 24 * 3600)),
        (
            "; Expires=Fri, 31 Dec 9999 23:59:59 GMT",
            Some(400 * 24 * 3600),
        ),
        ("; Max-Age=+5; Expires=soon", None),
        ("; Max-Age=", None),
        ("", None),
    ] {
        let line = format!("k=v{attributes}");
        let to = "https://h.example/";
        let mut jar = jar(&[(to, &line)]);
        match life {
            Some(0) => assert_eq!(sent_at(&mut jar, to, now()), "", "{line}"),
            Some(life) => {
                let end = now() + Duration::from_secs(life);
                assert_eq!(sent_at(&mut jar, to, end - second), "k=v", "{line}");
                assert_eq!(sent_at(&mut jar, to, end), "", "{line}");
            }
            None => {
                let late = now() + 1000 * MAX_AGE;
                assert_eq!(sent_at(&mut jar, to, late), "k=v", "{line}");
            }
        }
    }
}

#[test]
fn newer_cookie_takes_the_place_of_the_same() {
    let to = "https://h.example/a/b";
    let lines = [
        (to, "k=1; Path=/"),
        (to, "l=2; Path=/"),
        (to, "k=deep"),
        (to, "k=3; Path=/"),
        (to, "gone=1"),
        (to, "gone=1; Max-Age=0"),
    ];
    assert_eq!(sent(&lines, to), "k=deep; k=3; l=2");
}

#[test]
fn jar_is_bounded() {
    let mut jar = CookieJar::default();
    let to = url("https://h.example/");
    for index in 0..=MAX_OF_DOMAIN {
        jar.store(&to, &format!("k{index}=v"), now());
    }
    assert_eq!(jar.cookies.len(), MAX_OF_DOMAIN);
    assert_eq!(jar.cookies[0].name(), "k1");
    for index in 0..2 * MAX_COOKIES {
        let other = url(&format!("https://h{index}.example/"));
        jar.store(&other, "k=v", now());
    }
    assert_eq!(jar.cookies.len(), MAX_COOKIES);
    // What is known can still be renewed.
    jar.store(&to, "k1=w", now());
    assert!(sent_at(&mut jar, to.as_str(), now()).starts_with("k1=w; k2=v"));

    let mut jar = CookieJar::default();
    let long = "v".repeat(MAX_PAIR - 10);
    jar.store(&to, &format!("k={}", "v".repeat(MAX_PAIR)), now());
    assert_eq!(jar.cookies.len(), 0);
    for index in 0..MAX_OF_DOMAIN {
        jar.store(&to, &format!("k{index}={long}"), now());
    }
    let sizes = jar.cookies.iter().map(Cookie::size);
    assert_eq!(sizes.sum::<usize>(), jar.bytes);
    assert!(jar.bytes <= MAX_BYTES && jar.bytes > MAX_BYTES - MAX_PAIR);
    let newest = format!("k{}", MAX_OF_DOMAIN - 1);
    assert_eq!(jar.cookies.last().map(Cookie::name), Some(&*newest));
    let sent = sent_at(&mut jar, to.as_str(), now());
    assert!(sent.len() <= MAX_SENT && sent.len() >= long.len());
}

proptest! {
    #[test]
    fn any_line_is_read_or_ignored(
        start in "[a-z]{1,3}=[^;]{0,8}",
        rest in "(; ?(Domain|Path|Expires|Max-Age|Secure|.{0,4})=?[-+./:A-Za-z0-9 %]{0,32}){0,5}",
        line in ".{0,64}",
    ) {
        let from = url("https://a.example.com/x/y");
        let mut jar = CookieJar::default();
        jar.store(&from, &format!("{start}{rest}"), now());
        jar.store(&from, &line, now());
        prop_assert!(jar.cookies.len() <= 2);
        prop_assert!(jar.matching(&url("https://a.evil.example/x/y"), now()).is_empty());
        let sizes = jar.cookies.iter().map(Cookie::size);
        prop_assert_eq!(sizes.sum::<usize>(), jar.bytes);
    }
}
