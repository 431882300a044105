// SPDX-License-Identifier: MIT OR Apache-2.0

//! Status codes: each is a refusal, a fault or a mistake, whatever the body says.

use super::*;

#[test]
fn grant_counts_with_the_status_of_a_grant_only() {
    let cases = [201, 202, 203, 205, 207, 226, 299]
        .map(|status| (status, answers(status, GRANT)))
        .into_iter()
        .chain([(204, raw("HTTP/1.1 204 SECRET\r\n\r\n"))])
        .map(|(status, script)| {
            Case::new(format!("{status}"), script)
                .malformed(&[&format!("HTTP {status}"), "200 was expected", "`location`"])
                .asked(2, 1)
                .status(status)
        });
    let mut cases = cases.collect::<Vec<_>>();
    cases.push(Case::new("206, which AAMP takes", answers(206, GRANT)));
    run(cases);
}

#[test]
fn refusal_is_told_from_a_mistake_by_its_status() {
    let denied = [401, 403].map(|status| {
        Case::new(format!("{status}"), answers(status, GRANT))
            .denied(&[&format!("HTTP {status}"), "provisioned"])
            .status(status)
    });
    let mistakes = [
        400, 402, 404, 405, 406, 407, 409, 410, 411, 413, 414, 415, 418, 421, 426, 431, 451, 499,
        600, 999,
    ]
    .map(|status| {
        Case::new(format!("{status}"), answers(status, GRANT))
            .malformed(&[&format!("HTTP {status}"), "`location`"])
            .status(status)
    });
    let cases = denied.into_iter().chain(mistakes);
    // None of them would be another the next time.
    run(cases.map(|case| case.asked(2, 1)).collect());
}

#[test]
fn fault_of_the_service_is_one_of_the_moment() {
    let cases = [408, 429, 500, 501, 502, 503, 504, 511, 599].map(|status| {
        Case::new(format!("{status}"), answers(status, GRANT))
            .transient(&[&format!("HTTP {status}"), "at the moment"])
            .status(status)
    });
    run(cases.into());
}

#[test]
fn status_decides_when_error_body_is_unreadable() {
    let cut = |status: &str| {
        let head = head(&format!("HTTP/1.1 {status}"), &["Content-Length: 100"]);
        raw([&head[..], b"SECRET"].concat())
    };
    let packed = |status| raw(reply(status, &["Content-Encoding: gzip"], "SECRET"));
    let long = |status| answers(status, "SECRET".repeat(20_000));
    let refusals = [
        ("cut", cut("401 SECRET"), 401),
        ("packed", packed(403), 403),
        ("long", long(401), 401),
    ]
    .map(|(name, script, status)| {
        Case::new(name, script)
            .denied(&[&format!("HTTP {status}"), "provisioned"])
            .status(status)
            .asked(2, 1)
    });
    // These may have a token the next time.
    let faults = [
        ("cut fault", cut("503 SECRET")),
        ("packed fault", packed(503)),
        ("long fault", long(503)),
    ]
    .map(|(name, script)| {
        Case::new(name, script)
            .then(answers(200, GRANT))
            .plays(TOKEN)
            .asked(2, 2)
    });
    run(refusals.into_iter().chain(faults).collect());
}
