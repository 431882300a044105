// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a decryptor finds on a protection event, and what it does not.

use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use gst::prelude::*;
use headend::{Auth, Headend};
use support::rig::*;

/// What leaves for that event.
fn pass(rig: &Rig, event: gst::Event) -> gst::Event {
    let before = rig.log.protections().len();
    let item = Item::from(&event);
    assert!(rig.push_event(event));
    rig.log.wait_for(item);
    let protections = rig.log.protections();
    assert_eq!(protections.len(), before + 1);
    protections[before].clone()
}

fn request_for(rig: &Rig, origin: Option<&str>) -> gst::Structure {
    key_request(&pass(rig, protection(COMMON_SYSTEM, origin)))
}

fn fields(structure: &gst::StructureRef) -> Vec<String> {
    let mut fields = structure
        .fields()
        .map(|f| f.to_string())
        .collect::<Vec<_>>();
    fields.sort();
    fields
}

fn text(structure: &gst::StructureRef, field: &str) -> String {
    structure.get(field).expect("a string")
}

fn headers(request: &gst::StructureRef) -> gst::Structure {
    let headers = request
        .get::<gst::Structure>("http-headers")
        .expect("a structure");
    assert_eq!(headers.name(), "http-headers");
    headers
}

fn seconds_since_1970() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(now.expect("later than 1970").as_secs()).expect("sooner than the sun's end")
}

fn ready(headend: &Headend) -> Rig {
    let rig = Rig::new(sessiontoken(headend));
    rig.send(&[stream_start().into(), caps_event().into()]);
    rig
}

fn granting(body: &str) -> Auth {
    Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: body.to_owned(),
    }
}

/// A file that no other test, and no other copy of this program, writes.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let name = format!("{}-{name}", std::process::id());
        let file = Self(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name));
        file.write(text);
        file
    }

    fn write(&self, text: &str) {
        fs::write(&self.0, text).expect("the file is written");
    }

    fn path(&self) -> String {
        self.0.to_str().expect("a path in UTF-8").to_owned()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        // What stays is one small file in the build folder.
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn key_request_carries_token_and_its_metadata() {
    let headend = headend(Auth::GrantFor(1000));
    let earliest = seconds_since_1970() + 1000;
    let rig = ready(&headend);
    let request = request_for(&rig, Some("dash/mpd"));
    let latest = seconds_since_1970() + 1000;

    assert_eq!(
        fields(&request),
        [
            "correlation-id",
            "custom-data",
            "expires-at",
            "flow",
            "generation",
            "http-headers",
            "session-token"
        ]
    );
    assert_eq!(text(&request, "session-token"), headend.token());
    assert_eq!(rig.ordinal(&request), 1);
    assert_eq!(text(&request, "flow"), "dash");
    assert_ne!(text(&request, "correlation-id"), "");
    let expires_at = request
        .get::<gst::DateTime>("expires-at")
        .expect("a date")
        .to_g_date_time()
        .expect("a whole date")
        .to_unix();
    assert!(
        (earliest..=latest).contains(&expires_at),
        "{expires_at} is not within {earliest} and {latest}"
    );
    let headers = headers(&request);
    assert_eq!(fields(&headers), ["Authorization"]);
    assert_eq!(
        text(&headers, "Authorization"),
        format!("Bearer {}", headend.token())
    );
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn token_whose_end_nobody_knows_claims_none() {
    let headend = headend(granting(r#"{"token":"endless","status":0}"#));
    let request = request_for(&ready(&headend), Some("dash/mpd"));
    assert_eq!(
        fields(&request),
        [
            "correlation-id",
            "custom-data",
            "flow",
            "generation",
            "http-headers",
            "session-token"
        ]
    );
    assert_eq!(text(&request, "session-token"), "endless");
}

#[test]
fn flow_follows_manifest_origin_into_isobmff() {
    let headend = headend(Auth::Grant);
    for (origins, flows) in [
        (&[Some("dash/mpd")][..], &["dash"][..]),
        (&[Some("hls/m3u8")], &["hls"]),
        (&[Some("smooth-streaming")], &["smooth-streaming"]),
        (&[Some("isobmff/moov")], &["unknown"]),
        (&[None], &["unknown"]),
        (
            &[Some("dash/mpd"), Some("isobmff/moov"), Some("isobmff/moof")],
            &["dash", "dash", "dash"],
        ),
        (
            &[Some("isobmff/moov"), Some("hls/m3u8"), None],
            &["unknown", "hls", "hls"],
        ),
    ] {
        let rig = ready(&headend);
        let found = origins
            .iter()
            .map(|origin| text(&request_for(&rig, *origin), "flow"))
            .collect::<Vec<_>>();
        assert_eq!(found, flows, "{origins:?}");
    }
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn key_request_header_replaces_authorization() {
    let headend = headend(Auth::Grant);
    let rig =
        Rig::new(sessiontoken(&headend).property("key-request-header", "X-Session: v1 {token};"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let headers = headers(&request_for(&rig, Some("dash/mpd")));
    assert_eq!(fields(&headers), ["X-Session"]);
    assert_eq!(
        text(&headers, "X-Session"),
        format!("v1 {};", headend.token())
    );
}

#[test]
fn correlation_id_is_same_for_all_events_of_token() {
    let headend = headend(Auth::Grant);
    let rig = ready(&headend);
    let other = ready(&headend);
    let ids = protections()
        .map(|event| text(&key_request(&pass(&rig, event)), "correlation-id"))
        .to_vec();
    assert_ne!(ids[0], "");
    assert_eq!(ids, vec![ids[0].clone(); 3]);
    let elsewhere = request_for(&other, Some("dash/mpd"));
    assert_eq!(text(&elsewhere, "correlation-id"), ids[0]);
}

/// An event in which everything that can be set is set, and an odd one in which little is.
fn elaborate_events() -> [gst::Event; 2] {
    let mut data = gst::Buffer::from_slice(b"\x00\x01init data\xff");
    {
        let data = data.get_mut().expect("not shared yet");
        data.set_pts(gst::ClockTime::from_seconds(3));
        data.set_offset(17);
        data.set_flags(gst::BufferFlags::HEADER);
    }
    [
        gst::event::Protection::builder(&COMMON_SYSTEM.to_uppercase(), &data)
            .origin("isobmff/moof")
            .seqnum(gst::Seqnum::next())
            .running_time_offset(-123_456_789)
            .build(),
        gst::event::Protection::builder("no-uuid-at-all", &gst::Buffer::new()).build(),
    ]
}

fn parts(event: &gst::Event) -> (String, Option<String>, gst::Seqnum, i64) {
    let gst::EventView::Protection(protection) = event.view() else {
        panic!("{event:?} is no protection event");
    };
    (
        protection.system_id().to_owned(),
        protection.origin().map(str::to_owned),
        event.seqnum(),
        event.running_time_offset(),
    )
}

fn memories(buffer: &gst::BufferRef) -> Vec<usize> {
    (0..buffer.n_memory())
        .map(|index| buffer.peek_memory(index).as_ptr() as usize)
        .collect()
}

#[test]
fn everything_that_the_demuxer_said_stays_as_it_was() {
    for auth in [Auth::Grant, Auth::Hang] {
        let headend = headend(auth);
        let rig = ready(&headend);
        let came = elaborate_events();
        rig.send(&came.clone().map(Input::from));
        headend.release();
        rig.log.wait_for(Item::from(&came[1]));

        let left = rig.log.protections();
        assert_eq!(left.len(), came.len());
        for (came, left) in came.iter().zip(&left) {
            assert_eq!(parts(left), parts(came));
            let (came, left) = (init_data(came), init_data(left));
            assert_eq!(memories(&left), memories(&came));
            assert_eq!(left.pts(), came.pts());
            assert_eq!(left.offset(), came.offset());
            assert_eq!(left.flags(), came.flags());
            assert_eq!(left.size(), came.size());
        }
        assert_eq!(key_requests(&left[0]).len(), 1);
        assert_eq!(key_requests(&left[1]).len(), 1);
    }
}

#[test]
fn shared_protection_event_stays_without_token() {
    let headends = [headend(Auth::Grant), headend(Auth::Hang)];
    let rigs = headends.each_ref().map(ready);
    let came = protection(COMMON_SYSTEM, Some("isobmff/moov"));
    let data = init_data(&came);
    let before = (came.as_ptr(), format!("{came:?}"), memories(&data));
    for rig in &rigs {
        rig.send(&[came.clone().into()]);
    }
    headends[1].release();
    for (rig, headend) in rigs.iter().zip(&headends) {
        rig.log.wait_for(Item::from(&came));
        let left = rig.log.protections().remove(0);
        assert_ne!(left.as_ptr(), came.as_ptr());
        assert_ne!(init_data(&left).as_ptr(), data.as_ptr());
        assert_eq!(text(&key_request(&left), "session-token"), headend.token());
    }
    assert_eq!(key_requests(&came).len(), 0);
    assert_eq!(init_data(&came).as_ptr(), data.as_ptr());
    assert_eq!(
        (came.as_ptr(), format!("{came:?}"), memories(&data)),
        before
    );
}

#[test]
fn two_of_the_elements_in_one_chain_do_no_harm() {
    let headend = headend(Auth::Grant);
    let rig = ready(&headend);
    let mut data = gst::Buffer::from_slice(b"init data");
    gst::meta::ProtectionMeta::add(
        data.get_mut().expect("not shared yet"),
        gst::Structure::builder("drm-key-request")
            .field("session-token", "of another")
            .build(),
    );
    let came = gst::event::Protection::builder(COMMON_SYSTEM, &data)
        .origin("dash/mpd")
        .build();
    let left = pass(&rig, came.clone());
    assert_eq!(left.as_ptr(), came.as_ptr());
    assert_eq!(text(&key_request(&left), "session-token"), "of another");
}

#[test]
fn init_data_keeps_foreign_protection_meta() {
    let headend = headend(Auth::Grant);
    let rig = ready(&headend);
    let mut data = gst::Buffer::from_slice(b"init data");
    gst::meta::ProtectionMeta::add(
        data.get_mut().expect("not shared yet"),
        gst::Structure::new_empty("somebody-elses"),
    );
    let left = pass(
        &rig,
        gst::event::Protection::builder(COMMON_SYSTEM, &data).build(),
    );
    let names = key_requests(&left)
        .iter()
        .map(|request| request.name().to_string())
        .collect::<Vec<_>>();
    assert_eq!(names, ["somebody-elses", "drm-key-request"]);
}

#[test]
fn element_does_the_same_under_its_other_name() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(make("sessiontokensrc").property("location", headend.auth_url()));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let request = request_for(&rig, Some("dash/mpd"));
    assert_eq!(text(&request, "session-token"), headend.token());
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn app_token_skips_request_and_changes_mid_stream() {
    let headend = headend(Auth::Grant);
    let rig = Rig::new(sessiontoken(&headend).property("session-token", "mine"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let [first, second, third] = protections();
    let first = key_request(&pass(&rig, first));
    rig.element.set_property("session-token", "mine-too");
    let second = key_request(&pass(&rig, second));
    let third = key_request(&pass(&rig, third));

    assert_eq!(
        fields(&first),
        [
            "correlation-id",
            "custom-data",
            "flow",
            "generation",
            "http-headers",
            "session-token"
        ]
    );
    for (request, token, generation) in [
        (&first, "mine", 1),
        (&second, "mine-too", 2),
        (&third, "mine-too", 2),
    ] {
        assert_eq!(text(request, "session-token"), token);
        assert_eq!(rig.ordinal(request), generation);
        assert_eq!(
            text(&headers(request), "Authorization"),
            format!("Bearer {token}")
        );
    }
    let ids = [&first, &second, &third].map(|request| text(request, "correlation-id"));
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[1], ids[2]);
    assert_eq!(headend.token_requests(), []);

    // Taken back, the service is asked again.
    rig.element.set_property("session-token", "");
    let fourth = request_for(&rig, Some("isobmff/moof"));
    assert_eq!(text(&fourth, "session-token"), headend.token());
    assert_eq!(headend.token_requests().len(), 1);
}

#[test]
fn token_file_is_trimmed_and_skips_request() {
    let headend = headend(Auth::Grant);
    let file = File::new("token-with-a-line-break", "from-a-file\n");
    let rig = Rig::new(sessiontoken(&headend).property("session-token-file", file.path()));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let request = request_for(&rig, Some("dash/mpd"));
    assert_eq!(text(&request, "session-token"), "from-a-file");
    assert_eq!(rig.ordinal(&request), 1);
    assert_eq!(headend.token_requests(), []);
}

#[test]
fn file_with_a_new_token_is_read_at_the_next_tune() {
    let headend = headend(Auth::Grant);
    let file = File::new("token-that-changes", "old\n");
    let rig = Rig::new(sessiontoken(&headend).property("session-token-file", file.path()));
    let mut found = Vec::new();
    for token in ["old", "new"] {
        file.write(token);
        rig.restart(gst::State::Ready);
        rig.send(&[stream_start().into(), caps_event().into()]);
        found.push(text(&request_for(&rig, Some("dash/mpd")), "session-token"));
    }
    assert_eq!(found, ["old", "new"]);
    assert_eq!(headend.token_requests(), []);
}

/// What a decryptor finds to pack into its key request, with this packing.
fn custom_data(packing: &'static str, origin: &str) -> Option<String> {
    let headend = headend(granting(r#"{"token":"a-token","status":0}"#));
    let rig = Rig::new(sessiontoken(&headend).property_from_str("packing", packing));
    rig.send(&[stream_start().into(), caps_event().into()]);
    request_for(&rig, Some(origin)).get("custom-data").ok()
}

#[test]
fn packing_follows_flow_unless_property_is_set() {
    let ave = r#""message:type":"clientAccess""#;
    let secclient = r#"{"mediaUsage":"stream","accessToken":"a-token"}"#;
    for (packing, origin, holds) in [
        ("auto", "hls/m3u8", ave),
        ("auto", "dash/mpd", secclient),
        ("auto", "isobmff/moov", secclient),
        ("ave", "dash/mpd", ave),
        ("secclient", "hls/m3u8", secclient),
    ] {
        let packed = custom_data(packing, origin).expect("custom data");
        assert!(packed.contains(holds), "{packing}, {origin}: {packed}");
        assert!(packed.contains("a-token"), "{packed}");
    }
    assert_eq!(custom_data("none", "hls/m3u8"), None);
}

/// A decryptor of another system's would be given a token that is none of its business, or its
/// stream would wait for one.
#[test]
fn protection_systems_restrict_key_requests() {
    let headend = headend(Auth::Hang);
    let rig = Rig::new(sessiontoken(&headend).property(
        "protection-systems",
        format!("{}, {}", CLEARKEY_SYSTEM.to_uppercase(), COMMON_SYSTEM),
    ));
    rig.send(&[stream_start().into(), caps_event().into()]);
    const WIDEVINE: &str = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    // No token is here, and it passes.
    let other = pass(&rig, protection(WIDEVINE, Some("dash/mpd")));
    assert!(key_requests(&other).is_empty());
    headend.release();
    for system in [COMMON_SYSTEM, CLEARKEY_SYSTEM] {
        let event = pass(&rig, protection(system, Some("dash/mpd")));
        assert_eq!(text(&key_request(&event), "session-token"), headend.token());
    }
    refusal(make("sessiontoken").property("protection-systems", "clearkey"))
        .says(&["`protection-systems`", "UUIDs"]);
}

#[test]
fn headers_of_a_file_go_beside_or_instead_of_the_default() {
    let headend = headend(Auth::Grant);
    let shaped = |file: &str, header: Option<&'static str>| {
        let file = File::new(&format!("shape-{}", file.len()), file);
        let builder = sessiontoken(&headend)
            .property("key-request-headers-file", file.path())
            .property_if_some("key-request-header", header);
        let rig = Rig::new(builder);
        rig.send(&[stream_start().into(), caps_event().into()]);
        headers(&request_for(&rig, Some("dash/mpd")))
    };
    let token = headend.token();
    // One that carries the token takes the place of the default.
    let headers = shaped(r#"{"X-AxDRM-Message":"v1 {token}","X-Device":"7"}"#, None);
    assert_eq!(text(&headers, "X-AxDRM-Message"), format!("v1 {token}"));
    assert_eq!(text(&headers, "X-Device"), "7");
    assert_eq!(headers.n_fields(), 2);
    // One that does not goes beside it.
    let headers = shaped(r#"{"X-Device":"7"}"#, None);
    assert_eq!(text(&headers, "Authorization"), format!("Bearer {token}"));
    assert_eq!(text(&headers, "X-Device"), "7");
    // What is set is sent.
    let headers = shaped(r#"{"X-Token":"{token}"}"#, Some("X-Other: {token}"));
    assert_eq!(text(&headers, "X-Token"), token);
    assert_eq!(text(&headers, "X-Other"), token);
    assert_eq!(headers.n_fields(), 2);
}

#[test]
fn query_template_takes_the_place_of_the_default_header() {
    let headend = headend(granting(r#"{"token":"a+b/c=","status":0}"#));
    let rig = Rig::new(sessiontoken(&headend).property("key-request-query", "v=1&token={token}"));
    rig.send(&[stream_start().into(), caps_event().into()]);
    let request = request_for(&rig, Some("dash/mpd"));
    assert_eq!(text(&request, "query"), "v=1&token=a%2Bb%2Fc%3D");
    assert_eq!(headers(&request).n_fields(), 0);
}

#[test]
fn key_request_setting_that_is_wrong_is_named() {
    let file = |text: &str| File::new(&format!("wrong-{}", text.len()), text);
    for (text, says) in [
        ("SECRET", "not JSON"),
        (r#"{"X":7,"S":"SECRET"}"#, "shape"),
        (r#"{"X Y":"SECRET"}"#, "name is not one that HTTP allows"),
        (r#"{"X":"SECRET\r\nY: z"}"#, "characters"),
        (r#"{"Host":"SECRET"}"#, "Host"),
        (r#"{"X":"{token}{token}SECRET"}"#, "more than one"),
        (r#"{"X":"SECRET","x":"SECRET."}"#, "twice"),
    ] {
        let file = file(text);
        let element = make("sessiontoken").property("key-request-headers-file", file.path());
        refusal(element)
            .says(&["`key-request-headers-file`", says])
            .does_not_say(&["SECRET"]);
    }
    let both = file(r#"{"authorization":"Basic SECRET"}"#);
    let element = || make("sessiontoken").property("key-request-headers-file", both.path());
    refusal(element())
        .says(&["`key-request-header`", "`key-request-headers-file`"])
        .does_not_say(&["SECRET"]);
    for query in [
        "token",
        "token=SECRET",
        "t={token}&u={token}",
        "t={token}#SECRET",
    ] {
        refusal(make("sessiontoken").property("key-request-query", query))
            .says(&["`key-request-query`"])
            .does_not_say(&["SECRET"]);
    }
}
