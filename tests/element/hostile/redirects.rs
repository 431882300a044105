// SPDX-License-Identifier: MIT OR Apache-2.0

//! Redirects: never followed, and shown no further than scheme, host and port.

use super::*;

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// A redirect whose target is made of the host and path of the request.
fn pointing(status: u16, target: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> Script {
    let answer = move |request: &str| {
        let path = request.split(' ').nth(1).expect("a path");
        let host = request
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .expect("a host");
        reply(
            status,
            &[&format!("Location: {}", target(host, path))],
            GRANT,
        )
    };
    vec![Step::Read, Step::Answer(Box::new(answer))]
}

fn refused(name: String, status: u16, script: Script, says: &[&str]) -> Case {
    let redirect = format!("redirect (HTTP {status})");
    let says = [says, &[&redirect, "not followed", "`location`"]].concat();
    Case::new(name, script)
        .malformed(&says)
        .status(status)
        .asked(2, 1)
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    for service in [
        Service::Rdk,
        Service::Thunder,
        Service::Ags,
        Service::Discovery,
    ] {
        for status in STATUSES {
            // Where it leads there is a token to be had.
            let target = RawServer::new(vec![answers(200, GRANT)]);
            let place = target.place();
            let header = format!("Location: http://SECRET:SECRET@{place}/SECRET?SECRET#SECRET");
            refused(
                format!("{status} elsewhere"),
                status,
                answers_with(status, &header),
                &[&format!("to http://{place},")],
            )
            .on(service)
            .run();
            assert_eq!(target.connections(0), 0);
        }
    }
}

#[test]
fn redirect_is_named_by_scheme_host_and_port_alone() {
    let mut cases = Vec::new();
    for status in STATUSES {
        for (target, says) in [
            (
                "https://SECRET:SECRET@auth.example/SECRET?SECRET#SECRET",
                "to https://auth.example:443,",
            ),
            (
                "https://auth.example:8443/SECRET",
                "to https://auth.example:8443,",
            ),
            ("//auth.example/SECRET", "to http://auth.example:80,"),
            ("http://auth.example", "to http://auth.example:80,"),
            ("http://[::1]:81/SECRET", "to http://[::1]:81,"),
            (
                "ftp://SECRET@auth.example/SECRET",
                "to ftp://auth.example:21,",
            ),
        ] {
            let header = format!("Location: {target}");
            let name = format!("{status} to {target}");
            cases.push(refused(
                name,
                status,
                answers_with(status, &header),
                &[says],
            ));
        }
    }
    run(cases);
}

#[test]
fn redirect_in_a_circle_takes_one_request() {
    let mut cases = Vec::new();
    for status in STATUSES {
        let itself = pointing(status, |host, path| format!("http://{host}{path}"));
        let there = ["to http://127.0.0.1:"];
        cases.push(refused(
            format!("{status} to itself"),
            status,
            itself,
            &there,
        ));
        let path = pointing(status, |_, path| path.to_owned());
        cases.push(refused(
            format!("{status} to its path"),
            status,
            path,
            &there,
        ));
        let tls = pointing(status, |host, path| format!("https://{host}{path}"));
        cases.push(refused(
            format!("{status} to itself over TLS"),
            status,
            tls,
            &["to https://127.0.0.1:"],
        ));
    }
    run(cases);
}

#[test]
fn invalid_redirect_target_is_not_followed_or_shown() {
    let mut cases = vec![refused(
        "no target".to_owned(),
        302,
        answers(302, GRANT),
        &["(HTTP 302), which"],
    )];
    for target in [
        "http://[SECRET",
        "http://SECRET:99999/",
        "http://SECRET%0d%0aX:y/",
        "http://SECRET SECRET/",
        "http:///",
        "javascript:SECRET",
        "data:text/html,SECRET",
        "http://\u{202e}SECRET.example/",
    ] {
        let script = answers_with(302, &format!("Location: {target}"));
        cases.push(refused(
            format!("to {target}"),
            302,
            script,
            &["(HTTP 302), which"],
        ));
    }
    let twice = reply(
        302,
        &[
            "Location: http://one.example/",
            "Location: http://two.example/",
        ],
        GRANT,
    );
    cases.push(refused("two targets".to_owned(), 302, raw(twice), &[]));
    let choices = reply(300, &["Location: http://one.example/SECRET"], GRANT);
    cases.push(refused(
        "300".to_owned(),
        300,
        raw(choices),
        &["to http://one.example:80,"],
    ));
    run(cases);
}

#[test]
fn answer_for_somebody_with_a_cache_is_no_redirect() {
    run(vec![
        Case::new("304", raw("HTTP/1.1 304 SECRET\r\n\r\n"))
            .malformed(&["HTTP 304"])
            .does_not_say(&["redirect"])
            .status(304)
            .asked(2, 1),
    ]);
}
