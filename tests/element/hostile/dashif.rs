// SPDX-License-Identifier: MIT OR Apache-2.0

//! DASH-IF's authorization service: plain text that has to be a token, and redirects, which are
//! followed as far as they are safe.

use super::*;

/// The token of the guidelines' example.
const JWT: &str = "eyJhbGciOiJIUzI1NiIsImV4cCI6IjE1MTYyMzkwMjIifQ.eyJhdXRob3JpemVkX2tpZHMiOlsiMTYxMWYwYzgtNDg3Yy00NGQ0LTliMTktODJlNWE2ZDU1MDg0IiwiZGIyZGFlOTctNmI0MS00ZTk5LTgyMTAtNDkzNTAzZDU2ODFiIl19.tBvW6XVPHBRp1JEwItsVnbHwIqoqnQAVQfTV9PGMkIU";

const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

fn text(status: u16, body: &str) -> Vec<u8> {
    reply(status, &["Content-Type: text/plain"], body)
}

fn case(name: impl Into<String>, script: Script) -> Case {
    Case::new(name, script).on(Service::DashIf).asked(2, 1)
}

/// Answers a request that must hold this, and none of those, with a token.
fn grants_where(holds: &'static str, lacks: &'static [&'static str]) -> Script {
    let answer = move |request: &str| {
        let is_right =
            request.contains(holds) && lacks.iter().all(|secret| !request.contains(secret));
        match is_right {
            true => text(200, JWT),
            false => text(400, ""),
        }
    };
    vec![Step::Read, Step::Answer(Box::new(answer))]
}

#[test]
fn token_is_plain_text_in_three_parts() {
    let granted = |name: &str, bytes: Vec<u8>| case(name, raw(bytes)).plays(JWT);
    let wrong = |name: &str, bytes: Vec<u8>, says: &str| case(name, raw(bytes)).malformed(&[says]);
    let utf8 = ["content-type: Text/Plain; charset=utf-8"];
    run(vec![
        granted("a token", text(200, JWT)),
        granted("with a charset", reply(200, &utf8, JWT)),
        granted("with 201", text(201, JWT)),
        granted("with a line's end", text(200, &format!("{JWT}\r\n"))),
        wrong("no type", reply(200, &[], JWT), "not text/plain"),
        wrong(
            "JSON",
            reply(200, &["Content-Type: application/json"], GRANT),
            "not text/plain",
        ),
        wrong("no token", text(200, "SECRET"), "no JSON Web Token"),
        wrong(
            "two lines",
            text(200, &format!("{JWT}\n{JWT}")),
            "visible ASCII",
        ),
        wrong("nothing", text(200, ""), "is empty"),
        wrong("too long", text(200, &"SECRET".repeat(3000)), "16384"),
    ]
    .into_iter()
    .map(|case| match case.end {
        End::Fails(_) => case.status(200),
        End::Plays(_) => case,
    })
    .collect());
}

#[test]
fn refusal_says_why_in_the_services_own_words() {
    let problem = r#"{"type":"https://dashif.org/drm-problems/not-authorized","title":"Not authorized","detail":"Your plan does not include this channel.","href":"https://example/SECRET"}"#;
    let script = raw(reply(
        403,
        &["Content-Type: application/problem+json"],
        problem,
    ));
    run(vec![
        case("a problem document", script)
            .denied(&["HTTP 403", "this account may watch"])
            .status(403)
            .titled("Not authorized")
            .detailed("Your plan does not include this channel."),
        case("a fault", raw(text(503, "")))
            .transient(&["HTTP 503"])
            .status(503)
            .asked(0, 1),
        case("silence", vec![Step::Read, Step::Silence])
            .timed_out()
            .asked(0, 1),
    ]);
}

#[test]
fn redirect_leads_to_the_token() {
    for status in REDIRECTS {
        // On the same server with all that was brought, on another one with nothing of it.
        let itself = |path: &str| raw(reply(status, &[&format!("Location: {path}")], "SECRET"));
        case(format!("{status} on the same server"), itself("/moved?x=1"))
            .then(grants_where("SECRET-ACCOUNT", &["kids="]))
            .plays(JWT)
            .connections(2)
            .run();
        let target = RawServer::new(vec![grants_where(
            "GET /there",
            &["SECRET", "authorization"],
        )]);
        let elsewhere = format!("http://{}/there", target.place());
        case(format!("{status} elsewhere"), itself(&elsewhere))
            .plays(JWT)
            .run();
        assert_eq!(target.connections(1), 1);
    }
}

#[test]
fn redirects_end() {
    let again = || raw(reply(302, &["Location: /again"], ""));
    // The first one and five redirects.
    case("in a circle", again())
        .malformed(&["more than 5 redirects"])
        .asked(2, 1)
        .connections(6)
        .run();
}

#[test]
fn unsafe_redirect_is_not_followed_or_shown() {
    let mut cases = Vec::new();
    for (target, says) in [
        ("http://auth.example/SECRET", "in the clear"),
        ("ftp://auth.example/SECRET", "not followed"),
        ("file:///etc/SECRET", "not followed"),
        ("http://[SECRET", "no URL"),
    ] {
        let header = format!("Location: {target}");
        let script = raw(reply(302, &[&header], "SECRET"));
        cases.push(case(target, script).malformed(&[says]).status(302));
    }
    // One without a target is the reply.
    let bare = case("no target", raw(text(302, JWT)));
    cases.push(bare.malformed(&["redirect (HTTP 302)"]).status(302));
    run(cases);
}
