// SPDX-License-Identifier: MIT OR Apache-2.0

//! License servers, which are asked through the same client: the same, in short.

use super::*;
use crate::decrypting::{PLAINTEXT, contents, event_with_headers, picture, started};
use headend::VIDEO_KEY_ID;

/// With the key of the picture.
const LICENSE: &str = r#"{"keys":[{"kty":"oct","kid":"ABEiM0RVZneImaq7zN3uAg","k":"ASNFZ4mrze8BI0VniavNAg"}],"type":"temporary"}"#;

/// A decryptor that has been brought a token and a sample.
fn asked(element: ElementBuilder<'_>) -> Rig {
    let rig = started(element);
    let headers = [("Authorization", "Bearer SECRET-TOKEN")];
    rig.send(&[event_with_headers(&[VIDEO_KEY_ID], &headers).into()]);
    // Refused where the failure is here already.
    let _ = rig.push(picture());
    rig
}

pub fn failure_of(element: ElementBuilder<'_>) -> Complaint {
    let rig = asked(element);
    let complaint = verdict(&rig.bus).expect("there is no license to be had");
    complaint.does_not_say(&["ASNFZ4mrze8BI0Vniav"]);
    assert_eq!(complaint.from, Some(rig.element.clone().upcast()));
    assert_eq!(rig.harness.buffers_received(), 0);
    complaint
}

pub fn played_by(element: ElementBuilder<'_>) -> String {
    let mut rig = asked(element);
    let clear = rig.harness.pull().expect("a buffer");
    String::from_utf8(contents(&clear)).expect("the text")
}

fn case(name: &str, script: Script) -> Case {
    Case::new(name, script).on(Service::License).asked(2, 1)
}

fn plays(name: &str, script: Script) -> Case {
    let plaintext = String::from_utf8_lossy(PLAINTEXT);
    case(name, script).plays(plaintext)
}

#[test]
fn license_requests_obey_auth_request_limits() {
    let status = |status: u16, reason, says: &str| {
        case(&format!("{status}"), answers(status, LICENSE))
            .fails(reason, &[&format!("HTTP {status}"), says])
            .status(status)
    };
    let huge = format!(r#"{{"keys":[],"note":"{}"}}"#, "SECRET".repeat(12_000));
    run(vec![
        plays("a license", answers(200, LICENSE)),
        plays("a license after 103", {
            let hints = b"HTTP/1.1 103 SECRET\r\n\r\n";
            raw([&hints[..], &reply(200, &[], LICENSE)].concat())
        }),
        plays("a license after a fault", answers(503, "SECRET"))
            .then(answers(200, LICENSE))
            .asked(2, 2),
        case("huge", answers(200, huge))
            .malformed(&["more than 65536 bytes"])
            .status(200),
        case("without end", {
            let head = "HTTP/1.1 200 OK\r\n\r\n";
            vec![
                Step::Read,
                Step::Send(head.into()),
                Step::Flood(b"SECRET".into()),
            ]
        })
        .malformed(&["more than 65536 bytes"])
        .status(200),
        case("silent", vec![Step::Read, Step::Silence]).timed_out(),
        case("dripping", drips(b"SECRET")).timed_out().status(200),
        case(
            "compressed",
            raw(reply(200, &["Content-Encoding: gzip"], LICENSE)),
        )
        .malformed(&["compressed reply"])
        .status(200),
        case(
            "a redirect",
            answers_with(
                302,
                "Location: https://SECRET:SECRET@keys.example/keys?SECRET",
            ),
        )
        .malformed(&[
            "redirect (HTTP 302) to https://keys.example:443/keys,",
            "`license-url`",
        ])
        .status(302),
        case(
            "a redirect to another scheme",
            answers_with(
                307,
                "Location: ftp://SECRET:SECRET@keys.example/keys?SECRET",
            ),
        )
        .malformed(&["redirect to ftp://keys.example:21/keys", "not followed"])
        .status(307),
        case(
            "a redirect in the clear",
            answers_with(
                308,
                "Location: http://SECRET:SECRET@keys.example/keys?SECRET",
            ),
        )
        .malformed(&["redirect to http://keys.example:80/keys", "in the clear"])
        .status(308),
        case("hung up", vec![Step::Read])
            .transient(&["broke the connection off"])
            .asked(2, 3),
        case(
            "cut",
            raw([
                &head("HTTP/1.1 200 OK", &["Content-Length: 60000"]),
                LICENSE.as_bytes(),
            ]
            .concat()),
        )
        .transient(&["broke the connection off"])
        .status(200)
        .asked(1, 2),
        case("no HTTP", raw("SECRET\r\n\r\n")).malformed(&["no valid HTTP reply"]),
        case("a wish", answers_with(429, "Retry-After: 3600"))
            .transient(&["HTTP 429"])
            .status(429),
        status(503, "transient", "at the moment").asked(1, 2),
        status(401, "denied", "token"),
        status(403, "denied", "token"),
        status(404, "malformed", "`license-url`"),
    ]);
}

#[test]
fn malformed_license_is_described_without_keys() {
    run([
        ("a page", "<html>SECRET</html>".to_owned()),
        ("nothing", String::new()),
        ("cut", LICENSE[..LICENSE.len() - 1].to_owned()),
        ("an array", format!("[{LICENSE}]")),
        ("no keys", r#"{"note":"SECRET"}"#.to_owned()),
        (
            "two lists",
            r#"{"keys":[],"keys":[],"note":"SECRET"}"#.to_owned(),
        ),
        ("a key that is too short", LICENSE.replace("iavNAg", "iavN")),
        ("a key that is too long", LICENSE.replace("vNAg", "vNAgAg")),
        ("no key", LICENSE.replace("ASNFZ4mrze8BI0VniavNAg", "")),
        (
            "a key in hexadecimal",
            LICENSE.replace("ASNFZ4mrze8BI0VniavNAg", "SECRET0123456789abcdef0123456789"),
        ),
        (
            "a key that is a number",
            LICENSE.replace(r#""ASNFZ4mrze8BI0VniavNAg""#, "17"),
        ),
        ("another kind of key", LICENSE.replace("oct", "SECRET")),
        ("deep", format!(r#"{{"keys":{}"#, "[".repeat(60_000))),
    ]
    .map(|(name, body)| {
        case(name, answers(200, body))
            .malformed(&["license"])
            .status(200)
    })
    .into());
}

#[test]
fn license_problem_title_with_token_is_not_shown() {
    let problem = |title: &str| {
        let body = format!(r#"{{"title":"{title}","detail":"Ask your operator."}}"#);
        let bytes = reply(403, &["Content-Type: application/problem+json"], body);
        case(title, raw(bytes))
            .denied(&["HTTP 403"])
            .status(403)
            .detailed("Ask your operator.")
    };
    run(vec![
        problem("SECRET-TOKEN has ended"),
        problem("Bearer SECRET-TOKEN"),
        problem("SECRET-QUERY"),
        problem(r"Session\u001b[31m ended").titled("Session [31m ended"),
    ]);
}
