// SPDX-License-Identifier: MIT OR Apache-2.0

//! Settings: what cannot work is refused by name before anything is asked, and no secret is shown.

use std::process::{Command, Output};
use std::time::SystemTime;

use gst::element_factory::ElementBuilder;
use gst::glib;
use gst::prelude::*;
use headend::{Auth, OPERATOR_TOKEN, SECURITY_TOKEN};
use support::rig::*;

const CONTEXT: &str = "session-token-config";
const VARIABLE: &str = "GST_SESSION_TOKEN_CONFIG";

fn context(build: impl FnOnce(&mut gst::StructureRef)) -> gst::Context {
    init();
    let mut context = gst::Context::new(CONTEXT, true);
    build(context.get_mut().expect("not shared yet").structure_mut());
    context
}

fn refusal_with(factory: &str, context: &gst::Context) -> Complaint {
    let (element, bus) = with_bus(make(factory));
    element.set_context(context);
    refusal_of(&element, &bus)
}

/// A rig around an element that is configured by a context.
fn configured(builder: ElementBuilder<'_>, context: &gst::Context) -> Rig {
    let (element, bus) = with_bus(builder);
    element.set_context(context);
    Rig::around(element, bus)
}

/// Plays a short stream to its end, and gives back the token that left with it.
fn token(rig: &Rig) -> String {
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    rig.send(&[gst::event::Eos::new().into()]);
    key_request(&rig.log.protections()[0])
        .get("session-token")
        .expect("a token")
}

#[test]
fn unsupported_url_error_names_property() {
    for (location, says) in [
        ("localhost:50050/SECRET", "begins with http://"),
        ("127.0.0.1:50050/SECRET", "is not a URL"),
        ("SECRET", "is not a URL"),
        ("ftp://127.0.0.1/SECRET", "another scheme"),
        ("file:///SECRET", "another scheme"),
        ("SECRET:pw@127.0.0.1/SECRET", "another scheme"),
        ("http://auth.example/SECRET", "`allow-cleartext`"),
        ("http://192.0.2.1:80/SECRET", "192.0.2.1:80"),
    ] {
        refusal(make("sessiontoken").property("location", location))
            .says(&["`location`", says])
            .does_not_say(&["SECRET"]);
        refusal(make("clearkeydec").property("license-url", location))
            .says(&["`license-url`", says])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn allow_cleartext_permits_remote_http() {
    for (factory, property) in [("sessiontoken", "location"), ("clearkeydec", "license-url")] {
        let (element, bus) = with_bus(
            make(factory)
                .property(property, "http://192.0.2.1/")
                .property("allow-cleartext", true),
        );
        let changed = element.set_state(gst::State::Ready);
        assert_eq!(changed, Ok(gst::StateChangeSuccess::Success));
        assert!(told(&bus).is_nothing());
        element.set_state(gst::State::Null).expect("it stops");
    }
}

#[test]
fn invalid_key_request_header_error_names_property() {
    for (header, says) in [
        ("Authorization: Bearer SECRET", "no `{token}`"),
        ("SECRET {token}", "no colon"),
        ("X-SECRET: {token} {token}", "more than one"),
    ] {
        refusal(make("sessiontoken").property("key-request-header", header))
            .says(&["`key-request-header`", says])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn invalid_session_token_fails_before_first_tune() {
    for token in ["SECRET SECRET", "SECRET\r\nX: y", "SECRÉT"] {
        refusal(make("sessiontoken").property("session-token", token))
            .says(&["`session-token`", "visible ASCII"])
            .does_not_say(&["SECR"]);
    }
}

#[test]
fn corrected_setting_works_without_new_element() {
    let headend = headend(Auth::Grant);
    let (element, bus) = with_bus(make("sessiontoken").property("location", "nowhere"));
    refusal_of(&element, &bus).says(&["`location`"]);
    element.set_property("location", headend.auth_url());
    let rig = Rig::around(element, bus);
    assert_eq!(token(&rig), headend.token());
}

#[test]
fn readable_properties_expose_no_credentials() {
    let element = make("sessiontoken")
        .property("location", "https://user:SECRET@h:8443/path?SECRET#SECRET")
        .property("session-token", "SECRET")
        .build()
        .expect("an element");
    assert_eq!(
        element.property::<String>("location"),
        "https://h:8443/path"
    );
    let flags = element
        .find_property("session-token")
        .expect("a property")
        .flags();
    assert!(!flags.contains(glib::ParamFlags::READABLE));
    assert!(flags.contains(glib::ParamFlags::WRITABLE));
    let decryptor = make("clearkeydec")
        .property("license-url", "https://user:SECRET@h/path?SECRET#SECRET")
        .build()
        .expect("an element");
    assert_eq!(
        decryptor.property::<String>("license-url"),
        "https://h/path"
    );
    // A dot dump and `gst-launch -v` show what can be read.
    for element in [element, decryptor] {
        for pspec in element.list_properties().iter() {
            if pspec.flags().contains(glib::ParamFlags::READABLE) {
                let value = element.property_value(pspec.name());
                assert!(!format!("{value:?}").contains("SECRET"), "{pspec:?}");
            }
        }
    }
}

#[test]
fn what_nobody_has_set_has_the_documented_default() {
    let element = make("sessiontoken").build().expect("an element");
    assert_eq!(
        element.property::<String>("location"),
        "http://localhost:50050/authService/getSessionToken"
    );
    assert_eq!(
        element.property::<Option<String>>("session-token-file"),
        None
    );
    assert_eq!(element.property::<u32>("timeout"), 5000);
    assert!(element.property::<bool>("prefetch"));
    assert!(!element.property::<bool>("allow-cleartext"));
    assert_eq!(element.property::<u64>("max-held-bytes"), 16 * 1024 * 1024);
    let on_failure = element.property_value("on-failure");
    let (_, on_failure) = glib::EnumValue::from_value(&on_failure).expect("an enum");
    assert_eq!(on_failure.nick(), "error");

    let element = make("clearkeydec").build().expect("an element");
    assert_eq!(element.property::<Option<String>>("license-url"), None);
    assert_eq!(element.property::<u32>("timeout"), 5000);
    assert!(!element.property::<bool>("allow-cleartext"));
    assert_eq!(element.property::<u64>("max-held-bytes"), 16 * 1024 * 1024);
}

#[test]
fn context_configures_element() {
    let headend = headend(Auth::Grant);
    let context = context(|fields| fields.set("location", headend.auth_url()));
    let rig = configured(make("sessiontoken"), &context);
    assert_eq!(token(&rig), headend.token());
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn context_may_say_numbers_and_choices_in_any_form() {
    for as_text in [false, true] {
        let headend = headend(Auth::Hang);
        let context = context(|fields| {
            fields.set("location", headend.auth_url());
            fields.set("on-failure", "anonymous");
            if as_text {
                fields.set("timeout", "301");
                fields.set("prefetch", "false");
            } else {
                fields.set("timeout", 301_u32);
                fields.set("prefetch", false);
            }
        });
        let rig = configured(make("sessiontoken"), &context);
        rig.send(&[stream_start().into(), caps_event().into()]);
        assert_eq!(headend.token_requests(), []);
        let event = protection(COMMON_SYSTEM, Some("dash/mpd"));
        rig.send(&[event.clone().into(), gst::event::Eos::new().into()]);
        assert_eq!(rig.log.protections()[0].as_ptr(), event.as_ptr());
        let told = rig.told();
        assert_eq!((told.errors.len(), told.warnings.len()), (0, 1), "{told:?}");
        told.warnings[0]
            .is(gst::ResourceError::OpenRead)
            .says(&["301 ms"]);
    }
}

#[test]
fn what_is_set_on_the_element_wins_over_the_context() {
    let (theirs, ours) = (headend(Auth::Grant), headend(Auth::Grant));
    let context = context(|fields| {
        fields.set("location", theirs.auth_url());
        fields.set("timeout", 1_u32);
    });
    let rig = configured(sessiontoken(&ours), &context);
    assert_eq!(token(&rig), ours.token());
    assert_eq!(ours.token_requests().len(), 1);
    assert_eq!(theirs.token_requests(), []);
}

#[test]
fn need_context_answer_configures_element() {
    let headend = headend(Auth::Grant);
    let location = headend.auth_url();
    let (element, bus) = with_bus(make("sessiontoken"));
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::NeedContext(need) = message.view()
            && need.context_type() == CONTEXT
        {
            let element = message.src().and_then(|src| src.downcast_ref());
            let element: &gst::Element = element.expect("it comes from our element");
            element.set_context(&context(|fields| fields.set("location", &location)));
        }
        gst::BusSyncReply::Pass
    });
    let rig = Rig::around(element, bus);
    assert_eq!(token(&rig), headend.token());
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn unknown_context_field_error_names_field() {
    for (factory, name) in [("sessiontoken", "locaton"), ("clearkeydec", "licens-url")] {
        let context = context(|fields| fields.set(name, "http://127.0.0.1/SECRET"));
        refusal_with(factory, &context)
            .says(&[CONTEXT, &format!("`{name}`"), "no element"])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn secret_by_value_in_context_error_names_field() {
    for (factory, name, value) in [
        ("sessiontoken", "session-token", "SECRET"),
        // Whichever of our elements reads it: GStreamer has logged it all the same.
        ("clearkeydec", "session-token", "SECRET"),
    ] {
        refusal_with(factory, &context(|fields| fields.set(name, value)))
            .says(&[CONTEXT, &format!("`{name}`"), "by value"])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn invalid_context_value_error_names_field() {
    for (name, value) in [
        ("timeout", "SECRET".to_send_value()),
        ("timeout", "0".to_send_value()),
        ("timeout", (-1_i32).to_send_value()),
        ("on-failure", "SECRET".to_send_value()),
        ("prefetch", "SECRET".to_send_value()),
        ("max-held-bytes", "-1".to_send_value()),
        ("stats", "SECRET".to_send_value()),
    ] {
        let context = context(|fields| fields.set_value(name, value));
        refusal_with("sessiontoken", &context)
            .says(&[CONTEXT, &format!("`{name}`")])
            .does_not_say(&["SECRET"]);
    }
}

#[test]
fn non_scalar_context_value_error_names_field() {
    init();
    for value in [
        gst::List::new(["http://127.0.0.1/"]).to_send_value(),
        gst::Structure::new_empty("structure").to_send_value(),
        gst::Buffer::new().to_send_value(),
    ] {
        let context = context(|fields| fields.set_value("location", value));
        refusal_with("sessiontoken", &context).says(&[CONTEXT, "`location`", "neither"]);
    }
}

#[test]
fn one_context_configures_both_elements() {
    let headend = headend(Auth::Grant);
    let context = context(|fields| {
        fields.set("location", headend.auth_url());
        fields.set("license-url", headend.license_url());
    });
    let rig = configured(make("sessiontoken"), &context);
    assert_eq!(token(&rig), headend.token());
    let (decryptor, bus) = with_bus(make("clearkeydec"));
    decryptor.set_context(&context);
    let changed = decryptor.set_state(gst::State::Ready);
    assert_eq!(changed, Ok(gst::StateChangeSuccess::Success));
    assert_eq!(told(&bus).errors.len(), 0);
    decryptor.set_state(gst::State::Null).expect("it stops");
}

/// This program, by the emulator that `scripts/test-arm` runs it with.
fn own_program() -> Command {
    let own = std::env::current_exe().expect("the test's own program");
    match std::env::var_os("TEST_EMULATOR") {
        Some(emulator) => {
            let mut command = Command::new(emulator);
            command.arg(own);
            command
        }
        None => Command::new(own),
    }
}

/// Runs one of the tests below in a process whose environment says this, and with everything logged
/// that GStreamer can log.
fn with_environment(test: &str, configuration: &str) -> (Output, String) {
    let output = own_program()
        .args(["--exact", test, "--ignored", "--nocapture"])
        .args(["--test-threads", "1"])
        .env(VARIABLE, configuration)
        .env("GST_DEBUG", "*:9")
        .env("GST_DEBUG_NO_COLOR", "1")
        .output()
        .expect("the test's own program runs");
    let text = [&output.stdout[..], &output.stderr]
        .map(String::from_utf8_lossy)
        .concat();
    assert!(text.contains("running 1 test"), "no test {test}");
    (output, text)
}

#[test]
fn environment_configures_element() {
    let headend = headend(Auth::Grant);
    let (output, text) = with_environment(
        "settings::child_that_plays",
        &format!(
            r#"{CONTEXT},location=(string)"{}?a=b&c",timeout=60000,license-url="http://127.0.0.1/";"#,
            headend.auth_url()
        ),
    );
    assert!(output.status.success(), "{}", last_lines(&text));
    assert!(text.contains("GST_STATES"), "nothing was logged");
    assert!(!text.contains(&headend.token()), "the token is in the log");
    let requests = headend.token_requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].path.ends_with("?a=b&c"), "{requests:?}");
}

#[test]
#[ignore = "needs an environment, which `environment_configures_element` gives it"]
fn child_that_plays() {
    let rig = Rig::new(make("sessiontoken"));
    assert_ne!(token(&rig), "");
}

#[test]
fn environment_secret_is_refused_and_not_logged() {
    for configuration in [
        format!(r#"{CONTEXT},session-token=(string)"S3CRET-TOKEN""#),
        format!(r#"{CONTEXT},session-token=S3CRET-TOKEN?"#),
        format!(r#"{CONTEXT},session-token="S3CRET-TOKEN"#),
        format!(r#"{CONTEXT},location="http://127.0.0.1/",authorization="S3CRET""#),
    ] {
        let (output, text) = with_environment("settings::child_that_is_refused", &configuration);
        assert!(output.status.success(), "{}", last_lines(&text));
        assert!(text.contains("GST_STATES"), "nothing was logged");
        assert!(!text.contains("S3CRET"), "the secret is in the log");
    }
}

#[test]
#[ignore = "needs an environment, which `environment_secret_is_refused_and_not_logged` gives it"]
fn child_that_is_refused() {
    refusal(make("sessiontoken"))
        .says(&[VARIABLE])
        .does_not_say(&["S3CRET"]);
}

#[test]
fn context_wins_over_the_environment() {
    let (theirs, ours) = (headend(Auth::Grant), headend(Auth::Grant));
    // The child is told the context's location by way of a field that only it looks at.
    let output = own_program()
        .args(["--exact", "settings::child_with_a_context", "--ignored"])
        .env(
            VARIABLE,
            format!(r#"{CONTEXT},location="{}""#, theirs.auth_url()),
        )
        .env("LOCATION_OF_THE_CONTEXT", ours.auth_url())
        .output()
        .expect("the test's own program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(ours.token_requests().len(), 1);
    assert_eq!(theirs.token_requests(), []);
}

#[test]
#[ignore = "needs an environment, which `context_wins_over_the_environment` gives it"]
fn child_with_a_context() {
    let location = std::env::var("LOCATION_OF_THE_CONTEXT").expect("the parent says it");
    let context = context(|fields| fields.set("location", location));
    let rig = configured(make("sessiontoken"), &context);
    assert_ne!(token(&rig), "");
}

#[test]
fn secret_property_values_are_not_logged() {
    let configuration = format!("{CONTEXT};");
    let (output, text) = with_environment("settings::child_with_secrets", &configuration);
    assert!(output.status.success(), "{}", last_lines(&text));
    assert!(text.contains("GST_STATES"), "nothing was logged");
    for secret in ["S3CRET", SECURITY_TOKEN, OPERATOR_TOKEN, "headend-session-"] {
        assert!(!text.contains(secret), "{secret} is in the log");
    }
}

#[test]
#[ignore = "needs an environment, which `secret_property_values_are_not_logged` gives it"]
fn child_with_secrets() {
    init();
    let headend = headend(Auth::Grant);
    let extra = gst::Structure::builder("extra-headers")
        .field("X-Key", "S3CRET-header")
        .build();
    let common = |service| {
        make("sessiontoken")
            .property_from_str("auth-service", service)
            .property("extra-headers", &extra)
    };
    let parameters = gst::Structure::builder("parameters")
        .field("OperatorAuthToken", OPERATOR_TOKEN)
        .field("Pin", "S3CRET-pin")
        .build();
    for builder in [
        common("thunder")
            .property("location", headend.thunder_url())
            .property("authorization", SECURITY_TOKEN),
        common("ags")
            .property("location", headend.ags_url())
            .property("discover", true)
            .property("parameters", parameters),
        common("rdk").property("session-token", "S3CRET-token"),
    ] {
        let rig = Rig::new(builder);
        assert_ne!(token(&rig), "");
    }
    assert_eq!(headend.token_requests().len(), 2);
}

fn last_lines(text: &str) -> String {
    let lines = text.lines().collect::<Vec<_>>();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// What an element logs as warnings meanwhile.
fn warnings_of(element: &gst::Element, meanwhile: impl FnOnce()) -> Vec<String> {
    use std::sync::{Arc, Mutex};

    let factory = element.factory().expect("it was made by one").name();
    let heard = Arc::new(Mutex::new(Vec::new()));
    gst::log::set_threshold_for_name(&factory, gst::DebugLevel::Warning);
    let logger = gst::log::add_log_function({
        let (heard, element) = (heard.clone(), element.downgrade());
        let factory = factory.clone();
        move |category, level, _, _, _, object, message| {
            let is_ours = element.upgrade().is_some_and(|element| {
                object.is_some_and(|object| object.as_ptr() == element.as_ptr().cast())
            });
            if is_ours && category.name() == factory && level == gst::DebugLevel::Warning {
                let text = message.get().map(|text| text.to_string());
                heard
                    .lock()
                    .expect("no panic")
                    .push(text.unwrap_or_default());
            }
        }
    });
    meanwhile();
    gst::log::remove_log_function(logger);
    gst::log::unset_threshold_for_name(&factory);
    let heard = heard.lock().expect("no panic");
    heard.clone()
}

/// A file of that text with these permissions.
fn file_with_permissions(name: &str, text: &str, mode: u32) -> String {
    use std::os::unix::fs::PermissionsExt;

    let path = format!("{}/{name}-{mode:o}", env!("CARGO_TARGET_TMPDIR"));
    // One of before may be read-only.
    if std::fs::exists(&path).expect("the folder can be read") {
        std::fs::remove_file(&path).expect("it goes");
    }
    std::fs::write(&path, text).expect("the file is written");
    let permissions = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(&path, permissions).expect("they are set");
    path
}

/// What `sessiontoken` logs where its token is in a file with these permissions.
fn warnings_with_permissions(mode: u32) -> Vec<String> {
    let builder = make("sessiontoken")
        .name(format!("permissions-{mode:o}"))
        .property(
            "session-token-file",
            file_with_permissions("token", "SECRET", mode),
        );
    let (element, bus) = with_bus(builder);
    warnings_of(&element, || {
        assert_eq!(token(&Rig::around(element.clone(), bus)), "SECRET");
    })
}

#[test]
fn secret_file_open_to_others_warns_but_is_used() {
    assert_eq!(warnings_with_permissions(0o600), [""; 0]);
    assert_eq!(warnings_with_permissions(0o400), [""; 0]);
    for mode in [0o644, 0o640, 0o604, 0o620] {
        let warnings = warnings_with_permissions(mode);
        assert_eq!(warnings.len(), 1, "{mode:o}: {warnings:?}");
        assert!(warnings[0].contains("`session-token-file`"), "{warnings:?}");
        assert!(!warnings[0].contains("SECRET"), "{warnings:?}");
    }
}

#[test]
fn keys_and_shared_secrets_open_to_others_warn() {
    for (mode, is_warned_of) in [(0o600, false), (0o644, true)] {
        let secret = file_with_permissions("shared-secret", "SECRET", mode);
        let parameters = format!(r#"{{"a":{{"jwt":{{"secret-file":"{secret}"}}}}}}"#);
        let keys = r#"{"00112233445566778899aabbccddeeff":"00112233445566778899aabbccddeeff"}"#;
        let cases = [
            (
                make("clearkeydec")
                    .property("keys-file", file_with_permissions("keys", keys, mode)),
                "`keys-file`",
            ),
            (
                make("sessiontoken")
                    .property_from_str("auth-service", "ags")
                    .property("location", "https://ags.example/")
                    .property("auth-service-id", "x")
                    .property("tenant-id", "x")
                    .property(
                        "parameters-file",
                        file_with_permissions("parameters", &parameters, 0o600),
                    ),
                "`secret-file`",
            ),
        ];
        for (builder, setting) in cases {
            let (element, _bus) = with_bus(builder);
            let warnings = warnings_of(&element, || {
                let paused = element.set_state(gst::State::Paused);
                paused.expect("it is well configured");
            });
            element.set_state(gst::State::Null).expect("it stops");
            assert_eq!(!warnings.is_empty(), is_warned_of, "{warnings:?}");
            assert!(warnings.iter().all(|warning| warning.contains(setting)));
        }
    }
}

#[test]
fn context_correlation_id_applies_to_app_token() {
    let context = context(|fields| fields.set("correlation-id", "of the context"));
    let rig = configured(
        make("sessiontoken").property("session-token", "mine"),
        &context,
    );
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig.send(&[protection(COMMON_SYSTEM, Some("dash/mpd")).into()]);
    let event = rig.log.protections().pop().expect("it left");
    assert_eq!(
        key_request(&event).get("correlation-id"),
        Ok("of the context")
    );
}

#[test]
fn token_lifetime_applies_when_joining_session() {
    let headend = headend(Auth::Grant);
    let first = Rig::new(sessiontoken(&headend));
    let second = Rig::new(sessiontoken(&headend).property("token-lifetime", 1000_u32));
    let ends = [first, second].map(|rig| {
        rig.send(&[stream_start().into(), caps_event().into()]);
        let event = Input::from(protection(COMMON_SYSTEM, Some("dash/mpd")));
        rig.send(std::slice::from_ref(&event));
        rig.log.wait_for(event.item());
        let event = rig.log.protections().pop().expect("it left");
        let ends = key_request(&event).get::<gst::DateTime>("expires-at");
        ends.ok()
            .and_then(|ends| Some(ends.to_g_date_time().ok()?.to_unix()))
    });
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = i64::try_from(now.expect("after 1970").as_secs()).expect("before 2262");
    assert!(ends[1].is_some_and(|end| end <= now + 1000), "{ends:?}");
    assert!(ends[0] > ends[1], "{ends:?}");
}
