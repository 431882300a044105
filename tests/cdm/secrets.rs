// SPDX-License-Identifier: MIT OR Apache-2.0

//! Neither token nor challenge nor license nor key is in any log.

use std::env;
use std::fs;

use headend::secret_forms;
use support::fixtures::Programme;
use support::folders::scratch_folder;
use support::player::Player;
use support::player_harness::KINDS;
use support::reference::assert_played;
use support::subprocess::ignored_test;

use crate::cdm_box::{CdmBox, operator};

/// Where the process finds its own log.
const LOG: &str = "TEST_LOG";

#[test]
fn nothing_secret_is_logged_at_any_level() {
    let log = scratch_folder().join("everything.log");
    let mut process = ignored_test("secrets::process_that_logs_everything");
    process
        .env(LOG, &log)
        .env("GST_DEBUG", "*:9")
        .env("GST_DEBUG_FILE", &log)
        .env("GST_DEBUG_NO_COLOR", "1")
        // GStreamer's own logging fails at a structure of its multiqueue.
        .env_remove("G_DEBUG");
    let output = process.output().expect("this program starts");
    fs::remove_file(log).expect("it is there");
    assert!(output.status.success(), "{output:?}");
}

#[test]
#[ignore = "the process that logs everything"]
fn process_that_logs_everything() {
    let mut secrets = secret_forms();
    // What challenges and licenses are made of.
    secrets.extend(["\"kids\"", "\"kty\""].map(str::to_owned));
    let operator = operator(Programme::Usual);
    let cdm = CdmBox::new(";pack;renew");
    let setup = cdm.setup(Player::Playbin3, &operator);
    let (harness, ended) = setup.config("cdm-data", "{token}").play();
    assert_played(&harness, &ended, &KINDS);
    drop(harness);
    secrets.push(operator.token());
    // One that is refused, and a license that the CDM does not take.
    operator.revoke();
    let failing = CdmBox::new(";pack;complain");
    let setup = failing.setup(Player::Playbin3, &operator);
    let (_harness, ended) = setup.config("cdm-data", "{token}").play();
    assert!(ended.error.is_some());
    secrets.push(operator.token());
    let log = env::var_os(LOG).expect("the parent says where");
    let log = fs::read(log).expect("it is written");
    let log = String::from_utf8_lossy(&log);
    assert!(log.contains("ocdmdec"));
    for (number, secret) in secrets.iter().enumerate() {
        assert!(!log.contains(secret), "secret number {number} is logged");
    }
}
