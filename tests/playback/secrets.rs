// SPDX-License-Identifier: MIT OR Apache-2.0

//! A log that a user sends to somebody for help gives nothing away.

use std::fs;
use std::path::Path;
use std::process::Command;

use headend::secret_forms;

use crate::child::{launch, run, tool};
use crate::operator::Operator;
use crate::player::{Player, in_every_player};
use crate::scratch::scratch_folder;

/// What must be found nowhere.
fn secrets(operator: &Operator) -> Vec<String> {
    let mut secrets = secret_forms();
    secrets.push(operator.token());
    // From the query of the auth service's URL.
    secrets.push("query-secret".to_owned());
    secrets
}

fn read(path: &Path) -> String {
    let bytes = fs::read(path).expect("it was written");
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn assert_discreet(what: &str, text: &str, secrets: &[String]) {
    for (number, secret) in secrets.iter().enumerate() {
        assert!(
            !text.contains(secret),
            "{what} holds secret number {number}"
        );
    }
}

/// Has everything logged that can be, into this file.
fn log_everything<'a>(command: &'a mut Command, log: &Path) -> &'a mut Command {
    command
        .env("GST_DEBUG", "*:9")
        .env("GST_DEBUG_FILE", log)
        .env("GST_DEBUG_NO_COLOR", "1")
        // GStreamer's own logging fails at a structure of its multiqueue, and says so with a critical warning.
        .env_remove("G_DEBUG")
}

in_every_player! {
    fn neither_token_nor_keys_are_in_what_gstreamer_logs_prints_and_draws(player: Player) {
        let operator = Operator::start();
        let folder = scratch_folder();
        let log = folder.join("everything.log");
        let drawings = folder.join("drawings");
        fs::create_dir(&drawings).expect("a folder for the drawings");
        let mut command = launch(player, &operator, "sessiontoken:PRIMARY", &["-v", "-m"]);
        let output = run(log_everything(&mut command, &log).env("GST_DEBUG_DUMP_DOT_DIR", &drawings));
        assert!(output.status.success(), "{}", output.stderr);
        operator.assert_asked(1, 1);

        let secrets = secrets(&operator);
        assert_discreet("standard output", &output.stdout, &secrets);
        assert_discreet("standard error", &output.stderr, &secrets);
        let text = read(&log);
        // It is the log of a tune, and nothing of ours was left out.
        for said in ["put the token of generation 1 on a protection event", "<clearkeydec"] {
            assert!(text.contains(said), "{said}");
        }
        assert_discreet("the log", &text, &secrets);
        let drawings: Vec<_> = fs::read_dir(&drawings)
            .expect("the folder")
            .map(|entry| entry.expect("an entry").path())
            .collect();
        let texts: Vec<_> = drawings.iter().map(|drawing| read(drawing)).collect();
        assert!(texts.iter().any(|text| text.contains("GstSessionToken")));
        for text in texts {
            assert_discreet("a drawing", &text, &secrets);
        }
        // It takes a hundred megabytes.
        fs::remove_dir_all(folder).expect("the folder goes");
    }

    fn a_configuration_that_does_not_parse_is_in_no_log(player: Player) {
        for config in [
            "session-token-config,location=http://user:looks-secret@127.0.0.1/?key=looks-secret",
            "session-token-config,session-token=(string)\"looks-secret\"",
            "session-token-config,location=(string)\"http://127.0.0.1/?key=looks-secret",
            "looks-secret",
        ] {
            let operator = Operator::start();
            let folder = scratch_folder();
            let log = folder.join("everything.log");
            let mut command = launch(player, &operator, "sessiontoken:PRIMARY", &["-v", "-m"]);
            let output = run(log_everything(&mut command, &log)
                .env("GST_SESSION_TOKEN_CONFIG", config));
            assert!(!output.status.success(), "{config}: {}", output.stdout);
            let secrets = ["looks-secret".to_owned()];
            assert_discreet("standard output", &output.stdout, &secrets);
            assert_discreet("standard error", &output.stderr, &secrets);
            let text = read(&log);
            assert!(text.contains("GST_SESSION_TOKEN_CONFIG"), "our element logged why");
            assert_discreet("the log", &text, &secrets);
            fs::remove_dir_all(folder).expect("the folder goes");
        }
    }
}

#[test]
fn what_gst_inspect_shows_of_the_elements_has_no_secret_in_it() {
    let operator = Operator::start();
    for element in ["sessiontoken", "sessiontokensrc", "clearkeydec"] {
        let output = run(tool("gst-inspect-1.0").arg(element).env(
            "GST_SESSION_TOKEN_CONFIG",
            format!(
                "session-token-config,location=(string)\"{}\"",
                operator.location()
            ),
        ));
        assert!(output.status.success(), "{output:?}");
        assert!(output.stdout.contains("timeout"), "{output:?}");
        let secrets = secrets(&operator);
        assert_discreet("standard output", &output.stdout, &secrets);
        assert_discreet("standard error", &output.stderr, &secrets);
    }
    assert!(operator.token_requests().is_empty());
}
