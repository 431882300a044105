// SPDX-License-Identifier: MIT OR Apache-2.0

//! A log that a user sends to somebody for help gives nothing away.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use headend::certificates::Authority;
use headend::{AUTH_SERVICE_ID, Auth, Headend, OPERATOR_TOKEN, SECURITY_TOKEN, Tls, secret_forms};
use support::folders::scratch_folder;
use support::in_every_player;
use support::operator::Operator;
use support::player::Player;

use crate::child::{Output, launch, launch_line, run, tool};

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
        // GStreamer's own logging fails at a structure of its multiqueue, and says so with a
        // critical warning.
        .env_remove("G_DEBUG")
}

in_every_player! {
    fn token_and_keys_are_in_no_log_output_or_dot_file(player: Player) {
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
        for said in ["token of generation 1 attached", "<clearkeydec"] {
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

    fn configuration_that_does_not_parse_is_in_no_log(player: Player) {
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
fn gst_inspect_output_has_no_secret() {
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

/// Auth services and a license server over TLS that know a player by its certificate, and all that
/// is secret between them.
struct Guarded {
    headend: Headend,
    folder: PathBuf,
    secrets: Vec<String>,
}

const HEADER: &str = "extra-header-secret";

impl Guarded {
    fn start() -> Self {
        let authority = Authority::new();
        let server = authority.server(&["localhost"]);
        let player = authority.client("player");
        let headend = Headend::start_tls(Tls {
            certificate_chain: server.certificate,
            private_key: server.key,
            client_roots: Some(authority.pem()),
        })
        .expect("a head-end with TLS");
        let folder = scratch_folder();
        headend
            .write_credentials(&folder)
            .expect("the credentials' files");
        for (name, content) in [
            ("ca.pem", authority.pem()),
            ("cert.pem", player.certificate),
            ("key.pem", player.key.clone()),
            ("headers.json", format!(r#"{{"X-Api-Key":"{HEADER}"}}"#)),
        ] {
            fs::write(folder.join(name), content).expect("a file");
        }
        let mut secrets = secret_forms();
        secrets.extend([
            headend.token(),
            SECURITY_TOKEN.into(),
            OPERATOR_TOKEN.into(),
        ]);
        secrets.extend([HEADER.to_owned(), "query-secret".to_owned()]);
        let key = player.key.lines().filter(|line| !line.starts_with("-----"));
        secrets.extend(key.map(String::from));
        Self {
            headend,
            folder,
            secrets,
        }
    }

    /// The environment's configuration: the file settings of this service, and where it is.
    fn config(&self, service: &str) -> String {
        let file = |name: &str| self.folder.join(name).display().to_string();
        let mut fields = vec![
            ("auth-service", service.to_owned()),
            ("license-url", self.headend.license_url()),
            ("ssl-ca-file", file("ca.pem")),
            ("ssl-client-cert", file("cert.pem")),
            ("ssl-client-key", file("key.pem")),
            ("extra-headers-file", file("headers.json")),
        ];
        let location = match service {
            "thunder" => {
                fields.push(("authorization-file", file("thunder-token.txt")));
                self.headend.thunder_url()
            }
            "ags" => {
                fields.push(("parameters-file", file("ags-parameters.json")));
                fields.push(("discover", "true".to_owned()));
                self.headend.ags_url()
            }
            _ => self.headend.auth_url(),
        };
        fields.push(("location", format!("{location}?device=query-secret")));
        let fields = fields
            .iter()
            .map(|(name, value)| format!(",{name}=(string)\"{value}\""));
        format!("session-token-config{}", fields.collect::<String>())
    }

    /// Plays with this service and everything logged, and looks for the secrets everywhere.
    fn play(&self, service: &str) -> Output {
        let operator = Operator::start();
        let drawings = scratch_folder();
        let log = drawings.join("everything.log");
        let mut command = launch(
            Player::Playbin3,
            &operator,
            "sessiontoken:PRIMARY",
            &["-v", "-m"],
        );
        let output = run(log_everything(&mut command, &log)
            .env("GST_DEBUG_DUMP_DOT_DIR", &drawings)
            .env("GST_SESSION_TOKEN_CONFIG", self.config(service)));
        assert_discreet("standard output", &output.stdout, &self.secrets);
        assert_discreet("standard error", &output.stderr, &self.secrets);
        for entry in fs::read_dir(&drawings).expect("the folder") {
            let text = read(&entry.expect("an entry").path());
            assert_discreet("the log or a drawing", &text, &self.secrets);
        }
        assert!(read(&log).contains("GstSessionToken"));
        fs::remove_dir_all(drawings).expect("the folder goes");
        output
    }
}

#[test]
fn credentials_and_tls_key_are_in_no_log_or_dot_file() {
    for service in ["rdk", "thunder", "ags"] {
        let guarded = Guarded::start();
        let output = guarded.play(service);
        assert!(output.status.success(), "{service}: {}", output.stderr);
        // All of it was really sent.
        let [request] = &guarded.headend.token_requests()[..] else {
            panic!("{service} was not asked once");
        };
        assert!(request.path.ends_with("query-secret"));
        assert!(request.headers.iter().any(|(_, value)| value == HEADER));
        let licenses = guarded.headend.license_requests();
        assert!(licenses.iter().all(|request| request.token_valid));
        assert_eq!(licenses.len(), 1);
        if service == "ags" {
            let [discovery] = &guarded.headend.discovery_requests()[..] else {
                panic!("discovery was not asked once");
            };
            assert_eq!(discovery.path, "/ags/servicediscovery");
            assert!(discovery.headers.iter().all(|(_, value)| value != HEADER));
            assert!(
                request
                    .headers
                    .contains(&("x-auth-service-id".into(), AUTH_SERVICE_ID.into()))
            );
        }
    }
}

#[test]
fn denial_repeating_credentials_is_redacted() {
    for (service, repeated) in [
        ("rdk", "query-secret"),
        ("rdk", HEADER),
        ("thunder", SECURITY_TOKEN),
        ("ags", OPERATOR_TOKEN),
    ] {
        let guarded = Guarded::start();
        guarded.headend.set_auth(Auth::Reply {
            status: 403,
            content_type: "application/problem+json; charset=utf-8".to_owned(),
            body: format!(r#"{{"title":"No subscription","detail":"Not for {repeated}."}}"#),
        });
        let output = guarded.play(service);
        assert!(!output.status.success(), "{service}");
        for said in ["HTTP 403", "The server says: No subscription"] {
            assert!(output.stderr.contains(said), "{service}: {}", output.stderr);
        }
        assert_ne!(guarded.headend.token_requests(), []);
    }
}

/// Operators' license servers want the token in many places; none of them is a command line.
#[test]
fn token_goes_where_the_license_server_wants_it() {
    for (shape, in_query) in [
        ("key-request-headers-file", false),
        ("key-request-query", true),
    ] {
        let operator = Operator::start();
        operator.set_token_header("x-axdrm-message");
        operator.set_token_parameter("token");
        let folder = scratch_folder();
        let file = folder.join("headers.json");
        fs::write(&file, r#"{"X-AxDRM-Message":"{token}"}"#).expect("a file");
        let value = match in_query {
            true => "token={token}".to_owned(),
            false => file.to_str().expect("UTF-8").to_owned(),
        };
        let decryption = format!("sessiontoken {shape}={value} ! clearkeydec !");
        let line = Player::WrittenOut.launch_line(&operator.manifest_url(), &decryption);
        let log = folder.join("everything.log");
        let mut command = launch_line(&operator, "", &line, &["-v", "-m"]);
        let output = run(log_everything(&mut command, &log));
        assert!(output.status.success(), "{}", output.stderr);
        operator.assert_asked(1, 1);
        let request = &operator.license_requests()[0];
        assert_eq!(request.authorization, None);
        assert_eq!(request.path.contains(&operator.token()), in_query);
        let secrets = secrets(&operator);
        assert_discreet("standard output", &output.stdout, &secrets);
        assert_discreet("standard error", &output.stderr, &secrets);
        assert_discreet("the log", &read(&log), &secrets);
        fs::remove_dir_all(folder).expect("the folder goes");
    }
}
