// SPDX-License-Identifier: MIT OR Apache-2.0

//! The example that shows AAMP's flow to those who port such a player: run as its documentation
//! prints it, in a process of its own, and once more in this one, where what passes at the
//! decryptor can be seen.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gst::prelude::*;
use headend::{
    AUDIO_KEY_ID, Auth, Headend, Licenses, NEXT_VIDEO_KEY_ID, VIDEO_KEY_ID, secret_forms,
};
use url::Url;

use pipeline::{Kind, Sinks};
use player::Player;
use playlist::{Playlist, Step};
use report::Report;

// All of the example but its command line.
#[path = "../examples/aamp_flow/download.rs"]
mod download;
#[path = "../examples/aamp_flow/injector.rs"]
mod injector;
#[path = "../examples/aamp_flow/key_tag.rs"]
mod key_tag;
#[allow(dead_code, reason = "its sinks are for people")]
#[path = "../examples/aamp_flow/pipeline.rs"]
mod pipeline;
#[path = "../examples/aamp_flow/player.rs"]
mod player;
#[path = "../examples/aamp_flow/playlist.rs"]
mod playlist;
#[allow(dead_code, reason = "it prints otherwise")]
#[path = "../examples/aamp_flow/report.rs"]
mod report;

/// How long anything may take that does happen in the end. Six seconds of media play in six; the
/// rest is for machines that are busy with other things, and for GStreamer to look through its
/// plugins the first time.
const IN_THE_END: Duration = Duration::from_secs(90);

/// 6 s at 25 frames a second.
const PICTURES: usize = 150;

fn media() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media/dash"))
}

/// A folder of media made by a test, as `dash/made` in it. It goes with the test.
struct Made(PathBuf);

impl Made {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let own = format!("aamp-flow-{}-{number}", std::process::id());
        let made = Self(Path::new(env!("CARGO_TARGET_TMPDIR")).join(own));
        fs::create_dir_all(made.0.join("dash/made")).expect("a folder");
        made
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.0.join("dash/made").join(name), bytes).expect("a file");
    }

    /// A file of the test media under another name.
    fn copy(&self, from: &str, name: &str) {
        self.write(name, fs::read(media().join(from)).expect("the test media"));
    }

    fn serve(&self) -> Headend {
        Headend::start_with_media(0, &self.0).expect("a head-end")
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // What is left is in the build folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

mod as_printed {
    //! In a process of its own.

    use super::*;

    /// The example's program, which `cargo test` leaves in a folder beside the tests' own.
    fn program() -> PathBuf {
        let test = std::env::current_exe().expect("this test has a path");
        let profile = test.ancestors().nth(2);
        let program = profile
            .expect("tests are two folders below the profile's")
            .join("examples/aamp_flow");
        assert!(
            program.is_file(),
            "the example is not built: run `cargo build --example aamp_flow` first"
        );
        program
    }

    /// What the documentation prints behind `cargo run --example aamp_flow --`, for this head-end.
    fn printed(headend: &Headend) -> Vec<String> {
        let documentation = include_str!("../examples/aamp_flow/main.rs");
        let documentation = documentation.replace("\\\n//!", " ");
        let lines: Vec<_> = documentation
            .lines()
            .filter_map(|line| line.strip_prefix("//! cargo run --example aamp_flow -- "))
            .collect();
        let [line] = lines[..] else {
            panic!("one line should be printed: {lines:?}");
        };
        let origin = headend.url("");
        let here = |word: &str| word.replace("http://localhost:50050", &origin);
        line.split_whitespace().map(here).collect()
    }

    /// The printed line, with the playlist of that path.
    fn printed_for(headend: &Headend, path: &str) -> Vec<String> {
        let mut arguments = printed(headend);
        let last = arguments.last_mut().expect("a playlist is printed");
        assert!(last.ends_with(".m3u8"), "{last}");
        *last = headend.url(path);
        arguments
    }

    /// The example with these arguments.
    fn example(arguments: &[impl AsRef<str>]) -> Command {
        let registry = concat!(env!("CARGO_TARGET_TMPDIR"), "/example-aamp-flow.registry");
        let mut command = Command::new(program());
        command
            .args(arguments.iter().map(AsRef::as_ref))
            .arg("--fake-sinks")
            .env("GST_REGISTRY", registry)
            .env("no_proxy", "localhost,127.0.0.1")
            .env_remove("GST_DEBUG")
            .env_remove("GST_PLUGIN_PATH")
            .env_remove("GST_SESSION_TOKEN_CONFIG")
            .env_remove("GST_PLUGIN_FEATURE_RANK");
        command
    }

    /// Runs it where it is to fail.
    fn run_to_failure(arguments: &[impl AsRef<str>]) -> (ExitStatus, String) {
        // qtdemux of 1.22 may warn of data before its stream when a pipeline is stopped in the
        // middle of its start.
        run(example(arguments).env_remove("G_DEBUG"))
    }

    /// Runs it to its end, which must come by itself.
    fn run(command: &mut Command) -> (ExitStatus, String) {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the example runs");
        let stdout = read(child.stdout.take().expect("piped"));
        let stderr = read(child.stderr.take().expect("piped"));
        let mut output = String::new();
        for from in [stdout, stderr] {
            match from.recv_timeout(IN_THE_END) {
                Ok(text) => output += &text,
                Err(_) => {
                    child.kill().expect("it runs");
                    panic!("the example does not end:\n{output}");
                }
            }
        }
        (child.wait().expect("its end"), output)
    }

    /// Reads to the end, which is that of the child.
    fn read(mut from: impl Read + Send + 'static) -> mpsc::Receiver<String> {
        let (done, result) = mpsc::channel();
        thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).expect("its output is text");
            done.send(text)
        });
        result
    }

    #[track_caller]
    fn assert_ended(status: ExitStatus, code: i32, output: &str) {
        assert_eq!(status.code(), Some(code), "{status}\n{output}");
    }

    #[track_caller]
    fn assert_discreet(headend: &Headend, output: &str) {
        let mut secrets = secret_forms();
        secrets.push(headend.token());
        secrets.push("password".to_owned());
        let found = secrets.iter().position(|secret| output.contains(secret));
        assert_eq!(found, None, "that secret is in:\n{output}");
    }

    fn count(output: &str, part: &str) -> usize {
        output.lines().filter(|line| line.contains(part)).count()
    }

    /// Plays it to its end, with each key asked for: both together where the first event names
    /// both, or each by itself where a stream's own comes first.
    #[track_caller]
    fn assert_plays(headend: &Headend, arguments: &[String]) {
        let (status, output) = run(&mut example(arguments));
        assert_ended(status, 0, &output);
        let end = format!("played {PICTURES} pictures\n");
        assert!(output.ends_with(&end), "{output}");

        assert_eq!(headend.token_requests().len(), 1, "{output}");
        let licenses = headend.license_requests();
        for license in &licenses {
            assert!(license.token_valid, "{output}");
            assert_eq!(license.status, Some(200), "{output}");
        }
        let asked: BTreeSet<_> = licenses.iter().flat_map(|license| &license.kids).collect();
        assert_eq!(asked.len(), 2, "{output}");
        assert!(licenses.len() <= 2, "{output}");

        for kind in [Kind::Picture, Kind::Sound] {
            assert_eq!(count(&output, &format!("{kind}: key tag ")), 2, "{output}");
            for system in ["PlayReady", "Widevine", "common system"] {
                let event = format!("{kind}: protection event hls/m3u8, {system}, ");
                assert_eq!(count(&output, &event), 1, "{output}");
            }
            let token = format!("{kind}-token: token acquired by rdk, generation 1, ");
            assert_eq!(count(&output, &token), 1, "{output}");
        }
        assert_eq!(
            count(&output, ", not cached, latency "),
            1 + licenses.len(),
            "{output}"
        );
        assert_eq!(count(&output, "tune: first picture after "), 1, "{output}");
        assert_discreet(headend, &output);
    }

    /// Who ports such a player would look for the fault in the elements, if the line did not work
    /// as it is printed.
    #[test]
    fn printed_line_plays() {
        let headend = Headend::start().expect("a head-end");
        assert_plays(&headend, &printed(&headend));
    }

    /// Half of the devices would show nothing: those whose channels come by the other scheme.
    #[test]
    fn it_plays_what_is_protected_by_a_pattern() {
        let headend = Headend::start().expect("a head-end");
        assert_plays(&headend, &printed_for(&headend, "/hls/cbcs/master.m3u8"));
    }

    /// An operator who leaves the boxes out of the init segments would be told that the keys are
    /// not named anywhere. Each playlist names its own.
    #[test]
    fn it_plays_what_only_the_playlists_name_the_keys_of() {
        let headend = Headend::start().expect("a head-end");
        let arguments = printed_for(&headend, "/hls/cenc/master-no-pssh.m3u8");
        assert_plays(&headend, &arguments);
    }

    /// What cannot be played ends with that reason, before anything secret is asked for.
    #[track_caller]
    fn assert_refused(headend: &Headend, path: &str, reason: &str) {
        let (status, output) = run_to_failure(&printed_for(headend, path));
        assert_ended(status, 1, &output);
        assert!(output.contains(reason), "{output}");
        assert!(
            output.contains(path.split('?').next().expect("a path")),
            "{output}"
        );
        assert!(headend.token_requests().is_empty(), "{output}");
        assert!(!output.contains(" pictures"), "{output}");
        assert_discreet(headend, &output);
    }

    /// A user would look at a black screen, or at an error of the decryptor.
    #[test]
    fn unplayable_url_fails_with_reason() {
        let headend = Headend::start().expect("a head-end");
        for (path, reason) in [
            (
                "/hls/cenc/nothing.m3u8?session=password",
                "HTTP 404: check the URL",
            ),
            ("/dash/cenc/manifest.mpd", "is none of HLS"),
            ("/hls/cenc/v_1.m4s", "is none of HLS"),
            ("/hls/clear/video.m3u8", "without a key tag of a DRM system"),
        ] {
            assert_refused(&headend, path, reason);
        }
    }

    #[test]
    fn playlist_that_has_no_end_is_not_read_to_its_end() {
        let made = Made::new();
        let mut playlist = b"#EXTM3U\n".to_vec();
        playlist.resize(download::MAX_PLAYLIST + 1, b'\n');
        made.write("video.m3u8", playlist);
        assert_refused(
            &made.serve(),
            "/hls/made/video.m3u8",
            "more than 16 MiB came",
        );
    }

    #[test]
    fn server_that_is_not_there_is_named() {
        let headend = Headend::start().expect("a head-end");
        let arguments = printed(&headend);
        drop(headend);
        let (status, output) = run_to_failure(&arguments);
        assert_ended(status, 1, &output);
        assert!(
            output.contains("no connection: check host and port"),
            "{output}"
        );
    }

    /// The picture would stand still for ever.
    #[test]
    fn missing_segment_ends_playback_and_is_named() {
        let made = Made::new();
        for name in ["video.m3u8", "v_init.mp4", "v_1.m4s", "v_2.m4s"] {
            made.copy(&format!("cenc/{name}"), name);
        }
        let headend = made.serve();
        let (status, output) = run_to_failure(&printed_for(&headend, "/hls/made/video.m3u8"));
        assert_ended(status, 1, &output);
        assert!(output.contains("v_3.m4s: HTTP 404"), "{output}");
        assert_eq!(count(&output, "error: picture: "), 1, "{output}");
        assert_discreet(&headend, &output);
    }

    /// A user would not know whom to call.
    #[test]
    fn refusal_is_told_with_its_reason() {
        let headend = Headend::start().expect("a head-end");
        headend.set_auth(Auth::Reply {
            status: 403,
            content_type: "application/problem+json".to_owned(),
            body: r#"{"title":"No subscription"}"#.to_owned(),
        });
        let (status, output) = run_to_failure(&printed(&headend));
        assert_ended(status, 1, &output);
        assert!(output.contains("-token: token failed by rdk, "), "{output}");
        assert!(output.contains(", http-status 403"), "{output}");
        assert!(output.contains(", denied"), "{output}");
        assert_eq!(count(&output, "error: "), 1, "{output}");
        assert_eq!(
            count(&output, "the server says: No subscription"),
            1,
            "{output}"
        );
        assert!(headend.license_requests().is_empty(), "{output}");
        assert_discreet(&headend, &output);
    }

    #[test]
    fn license_server_error_names_license_server() {
        let headend = Headend::start().expect("a head-end");
        headend.set_licenses(Licenses::Refuse(404));
        let (status, output) = run_to_failure(&printed(&headend));
        assert_ended(status, 1, &output);
        assert!(output.contains("error: "), "{output}");
        assert!(
            output.contains("-decryptor: The license server"),
            "{output}"
        );
        assert_discreet(&headend, &output);
    }

    /// A user would see a player that starts and does something else than was asked for.
    #[test]
    fn what_is_asked_for_wrongly_plays_nothing() {
        let headend = Headend::start().expect("a head-end");
        let playlist = headend.url("/hls/cenc/master.m3u8");
        for (arguments, names) in [
            (&["--colour", &playlist][..], "--colour"),
            (&[], "no URL"),
            (&["master.m3u8"], "URL wants"),
            (&["--license-url", "password", &playlist], "--license-url"),
            (&["--auth-service", "oauth", &playlist], "oauth"),
            (&["--set", "=password", &playlist], "NAME=VALUE"),
        ] {
            let (status, output) = run_to_failure(arguments);
            assert_ended(status, 2, &output);
            assert!(output.contains(names), "{output}");
            assert!(output.contains("Usage: aamp_flow"), "{output}");
            assert_discreet(&headend, &output);
        }
        assert!(headend.token_requests().is_empty());
    }

    #[test]
    fn invalid_setting_is_named_before_playback() {
        for setting in ["colour=red", "session-token=password", "timeout=soon"] {
            let headend = Headend::start().expect("a head-end");
            let mut arguments = printed(&headend);
            arguments.extend(["--set".to_owned(), setting.to_owned()]);
            let (status, output) = run_to_failure(&arguments);
            let (name, value) = setting.split_once('=').expect("a setting");
            assert_ended(status, 1, &output);
            assert!(output.contains(&format!("`{name}`")), "{output}");
            assert!(!output.contains(value), "{output}");
            assert!(headend.token_requests().is_empty(), "{output}");
        }
    }
}

mod at_the_decryptor {
    //! In this process.

    use super::*;

    type Samples = Vec<Vec<u8>>;

    /// What came to a decryptor and what left it.
    #[derive(Default)]
    struct Seen {
        events: Vec<gst::Event>,
        samples: Samples,
    }

    /// A presentation that has been played.
    struct Played {
        headend: Headend,
        seen: Vec<(Kind, Arc<Mutex<Seen>>)>,
    }

    fn init() {
        static INIT: OnceLock<()> = OnceLock::new();
        INIT.get_or_init(|| {
            gst::init().expect("GStreamer starts");
            gstsessiontoken::plugin_register_static().expect("the plugin registers");
        });
    }

    /// Plays to the end, as fast as it comes.
    #[track_caller]
    fn play(headend: Headend, path: &str, kinds: &[Kind]) -> Played {
        static PLAYED: AtomicU32 = AtomicU32::new(0);
        init();
        // Sessions are shared by location, and the system may give a port again.
        let number = PLAYED.fetch_add(1, Ordering::Relaxed);
        let location = format!("{}?device={number}", headend.auth_url());
        let settings = [
            ("location".to_owned(), location),
            ("license-url".to_owned(), headend.license_url()),
        ];
        let url = Url::parse(&headend.url(path)).expect("a URL");
        let sinks = Sinks {
            video: "fakesink",
            audio: "fakesink",
        };
        // Shown where the test fails.
        let report = Report::new(|line| println!("{line}"));
        let player = Player::tune(&url, &settings, sinks, report).expect("it can be played");
        let seen = kinds.iter().map(|kind| (*kind, watch(&player, *kind)));
        let seen = seen.collect();
        let (ended, end) = mpsc::channel();
        thread::spawn(move || ended.send(player.play()));
        let end = end.recv_timeout(IN_THE_END).expect("it ends");
        assert_eq!(end, Ok(()));
        Played { headend, seen }
    }

    /// Looks at what passes at the decryptor of that track.
    fn watch(player: &Player, kind: Kind) -> Arc<Mutex<Seen>> {
        let seen = Arc::<Mutex<Seen>>::default();
        let decryptor = player.pipeline.by_name(&format!("{kind}-decryptor"));
        let decryptor = decryptor.expect("each track has one");
        let came = seen.clone();
        let sink = decryptor.static_pad("sink").expect("a sink pad");
        sink.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            let event = info.event().expect("an event probe");
            if event.type_() == gst::EventType::Protection {
                came.lock().expect("no panic").events.push(event.clone());
            }
            gst::PadProbeReturn::Ok
        });
        let left = seen.clone();
        collect(
            &decryptor.static_pad("src").expect("a source pad"),
            move |samples| {
                left.lock().expect("no panic").samples.extend(samples);
            },
        );
        seen
    }

    fn collect(pad: &gst::Pad, take: impl Fn(Samples) + Send + Sync + 'static) {
        let data = gst::PadProbeType::BUFFER | gst::PadProbeType::BUFFER_LIST;
        pad.add_probe(data, move |_, info| {
            let bytes = |buffer: &gst::BufferRef| buffer.map_readable().expect("readable").to_vec();
            take(match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => vec![bytes(buffer)],
                Some(gst::PadProbeData::BufferList(list)) => list.iter().map(bytes).collect(),
                _ => Vec::new(),
            });
            gst::PadProbeReturn::Ok
        });
    }

    /// The samples of the clear media, as qtdemux takes them out of their files.
    fn clear(kind: Kind) -> Samples {
        let (track, count) = match kind {
            Kind::Picture => ("v", PICTURES),
            Kind::Sound => ("a", 260),
        };
        let made = Made::new();
        let names = ["init.mp4", "1.m4s", "2.m4s", "3.m4s"];
        let files = names.map(|name| fs::read(media().join(format!("clear/{track}_{name}"))));
        let whole = files.map(|file| file.expect("the test media")).concat();
        made.write("whole.mp4", whole);
        let file = made.0.join("dash/made/whole.mp4");
        let line = format!(
            "filesrc location={} ! qtdemux ! fakesink name=end",
            file.display()
        );
        let pipeline = gst::parse::launch(&line).expect("the line parses");
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
        let end = pipeline
            .by_name("end")
            .and_then(|end| end.static_pad("sink"));
        let samples = Arc::<Mutex<Samples>>::default();
        let collected = samples.clone();
        collect(&end.expect("a sink"), move |samples| {
            collected.lock().expect("no panic").extend(samples);
        });
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let bus = pipeline.bus().expect("a bus");
        let message = bus.timed_pop_filtered(gst::ClockTime::from_seconds(30), &ends);
        pipeline.set_state(gst::State::Null).expect("it stops");
        let ended = message.map(|message| message.type_());
        assert_eq!(ended, Some(gst::MessageType::Eos));
        let samples = std::mem::take(&mut *samples.lock().expect("no panic"));
        assert_eq!(samples.len(), count, "the test media changed");
        samples
    }

    /// What one protection event tells a decryptor.
    struct Told {
        system: String,
        origin: Option<String>,
        init_data: Vec<u8>,
        key_request: Option<gst::Structure>,
    }

    fn told(event: &gst::Event) -> Told {
        let gst::EventView::Protection(event) = event.view() else {
            panic!("only protection events are kept");
        };
        let (system, init_data, origin) = event.get();
        let metas = init_data.iter_meta::<gst::meta::ProtectionMeta>();
        let requests = metas.map(|meta| meta.info().to_owned());
        Told {
            system: system.to_owned(),
            origin: origin.map(ToOwned::to_owned),
            init_data: init_data.map_readable().expect("readable").to_vec(),
            key_request: requests
                .into_iter()
                .find(|one| one.name() == "drm-key-request"),
        }
    }

    impl Played {
        fn told(&self, kind: Kind) -> Vec<Told> {
            let (_, seen) = self
                .seen
                .iter()
                .find(|(known, _)| *known == kind)
                .expect("it was watched");
            seen.lock()
                .expect("no panic")
                .events
                .iter()
                .map(told)
                .collect()
        }

        /// Every event, whoever made it, has the message by which AVE gets the token.
        #[track_caller]
        fn assert_ave_message_on_every_event(&self) {
            let mut ids = Vec::new();
            for (kind, _) in &self.seen {
                for told in self.told(*kind) {
                    let what = format!("{kind}: {} from {:?}", told.system, told.origin);
                    let request = told
                        .key_request
                        .unwrap_or_else(|| panic!("no key request, {what}"));
                    assert_eq!(request.get("flow"), Ok("hls"), "{what}");
                    let message = request.get::<&str>("custom-data").expect("custom data");
                    let message: serde_json::Value = serde_json::from_str(message).expect("JSON");
                    assert_eq!(message["message:type"], "clientAccess", "{what}");
                    assert_eq!(
                        message["client:accessToken"],
                        self.headend.token(),
                        "{what}"
                    );
                    assert_eq!(message["client:mediaUsage"], "stream", "{what}");
                    ids.push(message["message:id"].to_string());
                }
            }
            let count = ids.len();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), count, "each message has an id of its own");
        }

        /// These are the events that the example has sent, in this order: nothing but what the key
        /// tags say.
        #[track_caller]
        fn assert_told_by_player(&self, kind: Kind, expected: &[(&str, Vec<u8>)]) {
            let told = self.told(kind);
            let ours = told
                .iter()
                .filter(|told| told.origin.as_deref() == Some("hls/m3u8"));
            let ours: Vec<_> = ours
                .map(|told| (told.system.as_str(), told.init_data.clone()))
                .collect();
            assert_eq!(ours, expected, "{kind}");
        }

        /// Byte for byte the film that is not encrypted.
        #[track_caller]
        fn assert_clear(&self) {
            for (kind, seen) in &self.seen {
                let clear = clear(*kind);
                let samples = &seen.lock().expect("no panic").samples;
                assert_eq!(samples.len(), clear.len(), "number of samples, {kind}");
                let differs = samples
                    .iter()
                    .zip(&clear)
                    .position(|(one, other)| one != other);
                assert_eq!(differs, None, "the first sample that differs, {kind}");
            }
        }
    }

    const PLAYREADY: &str = "9a04f079-9840-4286-ab92-e65be0885f95";
    const WIDEVINE: &str = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed";
    const COMMON: &str = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b";

    /// The data in the only line of a playlist that has all of these.
    fn data_in(playlist: &str, parts: &[&str]) -> Vec<u8> {
        let text = fs::read_to_string(media().join(playlist)).expect("the test media");
        let has_all = |line: &&str| parts.iter().all(|part| line.contains(part));
        let lines: Vec<_> = text.lines().filter(has_all).collect();
        let [line] = lines[..] else {
            panic!("{parts:?} in {playlist}: {lines:?}");
        };
        let (_, data) = line.split_once(";base64,").expect("data");
        let (data, _) = data.split_once('"').expect("its end");
        STANDARD.decode(data).expect("base64")
    }

    fn bytes(digits: &str) -> Vec<u8> {
        let digits = digits.replace('-', "");
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    /// A box of the common system for one key: size, type, version 1, system, count and id, no
    /// data.
    fn common(key_id: &str) -> Vec<u8> {
        [
            &[0, 0, 0, 52][..],
            b"pssh",
            &[1, 0, 0, 0],
            &bytes(COMMON),
            &[0, 0, 0, 1],
            &bytes(key_id),
            &[0; 4],
        ]
        .concat()
    }

    /// A box around PlayReady's object.
    fn playready(object: &[u8]) -> Vec<u8> {
        let size = |size: usize| u32::try_from(size).expect("small").to_be_bytes();
        [
            &size(32 + object.len())[..],
            b"pssh",
            &[0; 4],
            &bytes(PLAYREADY),
            &size(object.len()),
            object,
        ]
        .concat()
    }

    #[track_caller]
    fn assert_flow(folder: &str, master: &str) {
        let headend = Headend::start().expect("a head-end");
        let path = format!("/hls/{folder}/{master}");
        let played = play(headend, &path, &[Kind::Picture, Kind::Sound]);
        for (kind, playlist, key_id) in [
            (Kind::Picture, "video.m3u8", VIDEO_KEY_ID),
            (Kind::Sound, "audio.m3u8", AUDIO_KEY_ID),
        ] {
            let playlist = format!("{folder}/{playlist}");
            let object = data_in(&playlist, &["#EXT-X-KEY:", "com.microsoft.playready"]);
            let expected = [
                (PLAYREADY, playready(&object)),
                (WIDEVINE, data_in(&playlist, &["#EXT-X-KEY:", WIDEVINE])),
                (COMMON, common(key_id)),
            ];
            played.assert_told_by_player(kind, &expected);
        }
        played.assert_ave_message_on_every_event();
        played.assert_clear();
        assert_eq!(played.headend.token_requests().len(), 1);
    }

    /// AVE would have no token to pack into its key request, and the license server would refuse
    /// the box.
    #[test]
    fn cenc_protection_events_carry_ave_token() {
        assert_flow("cenc", "master.m3u8");
    }

    #[test]
    fn cbcs_protection_events_carry_ave_token() {
        assert_flow("cbcs", "master.m3u8");
    }

    #[test]
    fn protection_events_carry_ave_token_without_pssh() {
        assert_flow("cenc", "master-no-pssh.m3u8");
    }

    /// An init segment without `pssh` boxes.
    fn without_boxes(from: &str) -> Vec<u8> {
        let mut init = fs::read(media().join(from)).expect("the test media");
        while let Some(place) = init.windows(4).position(|kind| kind == b"pssh") {
            init[place..place + 4].copy_from_slice(b"free");
        }
        init
    }

    /// The picture with another key, in another init segment, from the second fragment on. Nothing
    /// but the key tags names the keys.
    fn with_another_key() -> Made {
        let made = Made::new();
        made.write("one.mp4", without_boxes("cenc/v_init.mp4"));
        made.copy("cenc/v_1.m4s", "1.m4s");
        made.write("two.mp4", without_boxes("periods/v_init.mp4"));
        made.copy("periods/v_2.m4s", "2.m4s");
        made.copy("periods/v_3.m4s", "3.m4s");
        let key = |key_id: &str| {
            format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"data:;base64,\",KEYID=0x{key_id},KEYFORMAT=\"urn:uuid:{WIDEVINE}\"\n"
            )
        };
        let playlist = format!(
            "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-MAP:URI=\"one.mp4\"\n{}#EXTINF:2,\n1.m4s\n{}#EXT-X-MAP:URI=\"two.mp4\"\n#EXTINF:2,\n2.m4s\n#EXTINF:2,\n3.m4s\n#EXT-X-ENDLIST\n",
            key(VIDEO_KEY_ID),
            key(NEXT_VIDEO_KEY_ID)
        );
        made.write("video.m3u8", playlist);
        made
    }

    /// The picture would freeze where the operator changes the key.
    #[test]
    fn rotated_key_precedes_its_segments() {
        let made = with_another_key();
        let played = play(made.serve(), "/hls/made/video.m3u8", &[Kind::Picture]);
        let expected = [
            (COMMON, common(VIDEO_KEY_ID)),
            (COMMON, common(NEXT_VIDEO_KEY_ID)),
        ];
        played.assert_told_by_player(Kind::Picture, &expected);
        played.assert_ave_message_on_every_event();
        played.assert_clear();
        assert_eq!(played.headend.token_requests().len(), 1);
        let asked: Vec<_> = played.headend.license_requests();
        let asked: Vec<_> = asked.iter().map(|license| &license.kids[..]).collect();
        assert_eq!(asked, [[VIDEO_KEY_ID], [NEXT_VIDEO_KEY_ID]]);
    }
}

mod what_a_playlist_says {
    use super::*;

    fn read(text: &str) -> Result<Vec<Step>, String> {
        let url = Url::parse("http://127.0.0.1/film/video.m3u8").expect("a URL");
        match playlist::read(text.as_bytes(), &url)? {
            Playlist::Media(media) => Ok(media.steps),
            Playlist::Master(_) => Err("names playlists".to_owned()),
        }
    }

    const KEY: &str = "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYID=0x00112233445566778899aabbccddee02,KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n";
    const OTHER_KEY: &str = "#EXT-X-KEY:METHOD=SAMPLE-AES,KEYID=0x00112233445566778899aabbccddee04,KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n";
    const MAP: &str = "#EXT-X-MAP:URI=\"init.mp4\"\n";

    fn outline(text: &str) -> Vec<String> {
        let name = |place: &download::Place| {
            let path = place.url.path_segments();
            let name = path.and_then(Iterator::last).unwrap_or_default().to_owned();
            match place.range {
                Some((offset, length)) => format!("{name} {length}@{offset}"),
                None => name,
            }
        };
        let steps = read(text).expect("it can be played");
        let outline = steps.iter().map(|step| match step {
            Step::Keys(tags) => format!("keys {}", tags.len()),
            Step::Init(place) => format!("init {}", name(place)),
            Step::Segment { place, start, .. } => format!("{} s {}", start.seconds(), name(place)),
        });
        outline.collect()
    }

    /// A decryptor would be told of a key too late, or pay for a license again and again.
    #[test]
    fn keys_and_inits_are_injected_once_before_segments() {
        let segment = |name: &str| format!("#EXTINF:2,\n{name}\n");
        let text = [
            "#EXTM3U\n",
            MAP,
            KEY,
            &segment("1"),
            KEY,
            MAP,
            &segment("2"),
            OTHER_KEY,
            &segment("3"),
            "#EXT-X-MAP:URI=\"b.mp4\"\n",
            &segment("4"),
        ];
        assert_eq!(
            outline(&text.concat()),
            [
                "keys 1",
                "init init.mp4",
                "0 s 1",
                "2 s 2",
                "keys 1",
                "4 s 3",
                "init b.mp4",
                "6 s 4"
            ]
        );
    }

    #[test]
    fn parts_of_a_file_follow_each_other() {
        let text = format!(
            "#EXTM3U\n{KEY}#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"10@5\"\n#EXTINF:2,\n#EXT-X-BYTERANGE:20@15\nall.mp4\n#EXT-X-BYTERANGE:30\n#EXTINF:2,\nall.mp4\n"
        );
        assert_eq!(
            outline(&text),
            [
                "keys 1",
                "init all.mp4 10@5",
                "0 s all.mp4 20@15",
                "2 s all.mp4 30@35"
            ]
        );
    }

    /// A user would look at a black screen.
    #[test]
    fn unplayable_playlist_fails_before_injection() {
        let segment = "#EXTINF:2,\n1.m4s\n";
        let aes = "#EXT-X-KEY:METHOD=AES-128,URI=\"key.bin\"\n";
        let fairplay = "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"skd://key\",KEYFORMAT=\"com.apple.streamingkeydelivery\"\n";
        let widevine = |uri: &str, key_id: &str| {
            format!(
                "#EXT-X-KEY:METHOD=SAMPLE-AES,URI=\"{uri}\",KEYID={key_id},KEYFORMAT=\"urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed\"\n"
            )
        };
        let many_keys: String = (0..40)
            .map(|number| KEY.replace("urn:", &format!("{number}:")))
            .collect();
        for (parts, why) in [
            (&[MAP, KEY][..], "names no segments"),
            (&[KEY, segment], "without an init segment"),
            (&[MAP, segment], "without a key tag"),
            (
                &[MAP, KEY, segment, "#EXT-X-KEY:METHOD=NONE\n", segment],
                "without a key tag",
            ),
            (&[MAP, aes, segment], "AES-128"),
            (
                &[MAP, &KEY.replace("urn:", "\u{1b}[2J"), segment],
                "is no name",
            ),
            (&[MAP, &many_keys, segment], "more key tags at once"),
            (
                &[MAP, fairplay, segment],
                "com.apple.streamingkeydelivery alone",
            ),
            (
                &[MAP, &widevine("data:;base64,%", "0x00"), segment],
                "no base64",
            ),
            (&[MAP, &widevine("", "0x12"), segment], "KEYID"),
            (
                &[MAP, KEY, "#EXTINF:2,\n#EXT-X-BYTERANGE:30\nall.mp4\n"],
                "does not say where it begins",
            ),
        ] {
            let text = format!("#EXTM3U\n{}", parts.concat());
            let error = read(&text).expect_err(&text);
            assert!(error.contains(why), "{error}\n{text}");
        }
    }
}
