// SPDX-License-Identifier: MIT OR Apache-2.0

//! What authors of decryptors in C and C++ have: the header, and the skeleton in `examples/c`. Both
//! are compiled as they do it, and meet the real elements, a real demuxer and a real head-end.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use gst::prelude::*;
use headend::{Auth, Headend};
use support::folders::{media, plugin_folder, scratch, without_sound};
use support::subprocess::assert_succeeded;

/// How long anything may take that does happen in the end. Far longer than anything here takes, on
/// a machine that has other things to do as well.
const IN_THE_END: Duration = Duration::from_secs(90);

/// How long a call may take that waits for nobody.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A `timeout` in milliseconds that no test outlives.
const NEVER: u32 = 600_000;

const FIRST_TOKEN: &str = "first-token-c2tlbGV0b24";
const SECOND_TOKEN: &str = "second-token-ZGVjcnlwdG9y";

/// Where the printed commands find the head-end.
const PRINTED_ORIGIN: &str = "http://localhost:50050";

/// All warnings that compilers have for code that is to be included everywhere.
const WARNINGS: [&str; 9] = [
    "-Wall",
    "-Wextra",
    "-Wpedantic",
    "-Werror",
    "-Wconversion",
    "-Wsign-conversion",
    "-Wshadow",
    "-Wcast-qual",
    "-Wundef",
];

// ---- The machine's tools ----

/// A tool that must be there: without it nothing of this would be tested, and nobody would notice.
fn tool(name: &str, package: &str) -> Command {
    let found = Command::new(name)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "`{name}` is missing. Please install it (on Debian: apt-get install {package})."
    );
    Command::new(name)
}

#[track_caller]
fn succeed(command: &mut Command) -> Output {
    let output = command.output().expect("the program starts");
    assert_succeeded(command, &output);
    output
}

fn pkg_config(what: &str, package: &str) -> Vec<String> {
    let output = succeed(tool("pkg-config", "pkg-config").args([what, package]));
    let flags = String::from_utf8(output.stdout).expect("flags are text");
    flags.split_whitespace().map(String::from).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A program that finds these plugins, beside GStreamer's own.
fn with_plugins(
    program: impl AsRef<std::ffi::OsStr>,
    folders: &[&Path],
    registry: &str,
) -> Command {
    let path = std::env::join_paths(folders).expect("no colon in a folder's name");
    let mut command = Command::new("timeout");
    command
        .arg(IN_THE_END.as_secs().to_string())
        .arg(program)
        .stdin(Stdio::null())
        .env("GST_PLUGIN_PATH", path)
        .env("GST_REGISTRY", scratch().join(registry))
        .env("no_proxy", "localhost,127.0.0.1")
        .env_remove("GST_DEBUG")
        .env_remove("GST_SESSION_TOKEN_CONFIG")
        .env_remove("GST_PLUGIN_FEATURE_RANK");
    command
}

// ---- The header ----

/// Compiles `contract.c` against the header and runs it.
fn check_contract(compiler: &str, package: &str, language: &[&str]) {
    let program = scratch().join(format!("contract-{compiler}"));
    // What GStreamer's and GLib's own headers do is not to be blamed on ours.
    let includes = pkg_config("--cflags", "gstreamer-1.0")
        .into_iter()
        .flat_map(|flag| match flag.strip_prefix("-I") {
            Some(folder) => vec!["-isystem".to_owned(), folder.to_owned()],
            None => vec![flag],
        });
    succeed(
        tool(compiler, package)
            .args(language)
            .args(WARNINGS)
            .args(includes)
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join("tests/c_examples/contract.c"))
            .arg("-o")
            .arg(&program)
            // Nothing of ours is linked.
            .args(pkg_config("--libs", "gstreamer-1.0")),
    );
    let registry = format!("contract-{compiler}.registry");
    succeed(&mut with_plugins(&program, &[plugin_folder()], &registry));
}

/// An author whose build takes warnings for errors could not include the header, or would get
/// something else from the element than the header says.
#[test]
fn decryptor_in_c89_can_use_the_whole_contract() {
    let language = ["-std=c89", "-Wdeclaration-after-statement"];
    check_contract("cc", "gcc", &language);
}

/// The same for the many decryptors that are C++.
#[test]
fn decryptor_in_cpp17_can_use_the_whole_contract() {
    check_contract("c++", "g++", &["-x", "c++", "-std=c++17"]);
}

/// An author would copy code that does not compile.
#[test]
fn code_in_the_documentation_compiles() {
    let guide = fs::read_to_string(root().join("docs/decryptors.md")).expect("the guide");
    let blocks = guide.split("```c\n").skip(1);
    let blocks: Vec<_> = blocks
        .filter_map(|block| block.split("```").next())
        .collect();
    assert_eq!(
        blocks.len(),
        2,
        "the guide has other code than this test knows"
    );
    let file = scratch().join("guide.c");
    let include = "#include <gst/sessiontoken/gstsessiontoken.h>\n".to_owned();
    fs::write(&file, include + &blocks.concat()).expect("a scratch file");
    succeed(
        tool("cc", "gcc")
            .args(["-fsyntax-only", "-Wall", "-Wextra", "-Werror"])
            // They are shown, not called.
            .arg("-Wno-unused-function")
            .args(pkg_config("--cflags", "gstreamer-1.0"))
            .arg("-I")
            .arg(root().join("include"))
            .arg(file),
    );
}

/// The strings that the header has names for.
fn name(of: &str) -> &'static str {
    static NAMES: OnceLock<HashMap<String, String>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let header = root().join("include/gst/sessiontoken/gstsessiontoken.h");
        let header = fs::read_to_string(header).expect("the header is text");
        let definitions = header.lines().filter_map(|line| {
            let (name, value) = line.strip_prefix("#define ")?.split_once(' ')?;
            let value = value.strip_prefix('"')?.strip_suffix('"')?;
            Some((name.to_owned(), value.to_owned()))
        });
        definitions.collect()
    });
    names
        .get(&format!("GST_SESSION_TOKEN_{of}"))
        .unwrap_or_else(|| panic!("the header has no name for {of}"))
}

// ---- The skeleton ----

/// The commands of the README's shell blocks, one a block. One may have several lines, by a
/// backslash at their ends.
fn printed_commands() -> Vec<String> {
    let readme = fs::read_to_string(root().join("examples/c/README.md")).expect("the README");
    let blocks = readme.split("```sh\n").skip(1);
    let commands = blocks.filter_map(|block| block.split("```").next());
    commands.map(|command| command.trim().to_owned()).collect()
}

fn printed(beginning: &str) -> String {
    let commands = printed_commands();
    let found = commands
        .iter()
        .find(|command| command.starts_with(beginning));
    found
        .unwrap_or_else(|| panic!("the README prints no command that begins with `{beginning}`"))
        .clone()
}

/// The folder with the skeleton, built by the printed command in a copy of the source tree.
fn skeleton_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        tool("cc", "gcc");
        tool("pkg-config", "pkg-config");
        let tree = scratch().join("tree");
        for file in [
            "include/gst/sessiontoken/gstsessiontoken.h",
            "examples/c/gstskeletondecryptor.c",
        ] {
            let copy = tree.join(file);
            fs::create_dir_all(copy.parent().expect("a folder")).expect("a scratch folder");
            fs::copy(root().join(file), copy).expect("a copy");
        }
        let folder = tree.join("examples/c");
        let output = succeed(
            Command::new("sh")
                .args(["-e", "-c", &printed("cc ")])
                .current_dir(&folder),
        );
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert_eq!(complaints, "", "the compiler complains of the skeleton");
        folder
    })
}

fn init() {
    static SKELETON: OnceLock<gst::Plugin> = OnceLock::new();
    SKELETON.get_or_init(|| {
        gst::init().expect("GStreamer starts");
        gstsessiontoken::plugin_register_static().expect("the plugin registers");
        let file = skeleton_folder().join("libgstskeletondecryptor.so");
        let plugin = gst::Plugin::load_file(file).expect("the skeleton loads");
        gst::Registry::get()
            .add_plugin(&plugin)
            .expect("it registers");
        plugin
    });
}

// ---- The operator ----

fn granting(token: &str) -> Auth {
    Auth::Reply {
        status: 200,
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"token":"{token}","status":0,"expires":3600}}"#),
    }
}

/// A head-end, and the location of its auth service.
struct Operator {
    headend: Headend,
    location: String,
}

impl Operator {
    fn start(auth: Vec<Auth>) -> Self {
        Self::of(Headend::start().expect("a head-end"), auth)
    }

    fn of(headend: Headend, auth: Vec<Auth>) -> Self {
        headend.set_auth(Auth::Sequence(auth));
        // Sessions are shared by location, and the system may give the port of a test that has
        // ended to another one.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let location = format!("{}?device={number}", headend.auth_url());
        Self { headend, location }
    }

    #[track_caller]
    fn wait_for_token_requests(&self, count: usize) {
        let came = self.headend.wait_for(IN_THE_END, |record| {
            record.token_requests().count() >= count
        });
        assert!(came, "no token request number {count} came");
    }

    /// Has a request of its own answered. The head-end works in one thread, so it has answered
    /// every request that came before.
    fn catch_up(&self) {
        let origin = self.headend.url("");
        let address = origin.strip_prefix("http://").expect("an http URL");
        let mut connection = TcpStream::connect(address).expect("a connection");
        write!(
            connection,
            "GET /record HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
        )
        .expect("the head-end reads");
        let mut reply = Vec::new();
        match connection.read_to_end(&mut reply) {
            Ok(_) => assert!(reply.starts_with(b"HTTP/1.1 200")),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

// ---- The pipeline ----

/// Everything that was sent to the bus by element messages of this name.
struct Told(Vec<(String, gst::Structure)>);

impl Told {
    fn by(&self, structure: &str, state: &str) -> Vec<(&str, &gst::Structure)> {
        let told = self.0.iter();
        let fitting = told.filter(|(_, told)| is_told(told, structure, state));
        fitting.map(|(by, told)| (&by[..], told)).collect()
    }

    fn is_discreet(&self) {
        for (by, told) in &self.0 {
            let text = told.to_string();
            for token in [FIRST_TOKEN, SECOND_TOKEN] {
                assert!(!text.contains(token), "{by} gives the token away: {text}");
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_told(told: &gst::StructureRef, structure: &str, state: &str) -> bool {
    told.name() == structure && told.get::<&str>("state") == Ok(state)
}

/// Protection events that came to each decryptor, by its name.
type Came = Arc<Mutex<HashMap<String, usize>>>;

/// Elements to which data has come.
#[derive(Default)]
struct Arrivals {
    at: Mutex<BTreeSet<String>>,
    changed: Condvar,
}

impl Arrivals {
    fn note(&self, element: &str) {
        lock(&self.at).insert(element.to_owned());
        self.changed.notify_all();
    }

    fn wait_for(&self, element: &str) {
        let at = lock(&self.at);
        let not_yet = |at: &mut BTreeSet<String>| !at.contains(element);
        let waited = self.changed.wait_timeout_while(at, IN_THE_END, not_yet);
        let (_at, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!timeout.timed_out(), "no data came to {element}");
    }
}

struct Show {
    pipeline: gst::Pipeline,
    came: Came,
}

impl Show {
    fn of(line: &str) -> Self {
        init();
        let element = gst::parse::launch(line).expect("the line parses");
        let pipeline = element.downcast().expect("a pipeline");
        let show = Self {
            pipeline,
            came: Came::default(),
        };
        for decryptor in show.elements("skeletondecryptor") {
            let name = decryptor.name().to_string();
            let came = show.came.clone();
            let pad = decryptor.static_pad("sink").expect("it has one");
            pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
                let is_protection =
                    |event: &gst::Event| event.type_() == gst::EventType::Protection;
                if info.event().is_some_and(is_protection) {
                    let mut came = lock(&came);
                    *came.entry(name.clone()).or_default() += 1;
                }
                gst::PadProbeReturn::Ok
            });
        }
        show
    }

    /// The command of the README, picture and sound, from this head-end.
    fn printed(operator: &Operator) -> Self {
        let command = printed("gst-launch-1.0 --messages ");
        let command = command.replace(PRINTED_ORIGIN, &operator.headend.url(""));
        // As the shell joins it.
        let line = command.replace("\\\n", "");
        let show = Self::of(line.trim_start_matches("gst-launch-1.0 --messages "));
        for element in show.elements("sessiontoken") {
            element.set_property("location", &operator.location);
        }
        show
    }

    /// The picture from a file: no download that a stop could come in the middle of. (GStreamer
    /// 1.22 with libsoup 3.2 crashes there now and then.)
    fn from_file(operator: &Operator) -> Self {
        let show = Self::of(&format!(
            "filesrc location={} ! qtdemux ! sessiontoken ! skeletondecryptor reject-first=true ! fakesink",
            picture().display()
        ));
        for element in show.elements("sessiontoken") {
            element.set_property("location", &operator.location);
            element.set_property("timeout", NEVER);
        }
        show
    }

    fn elements(&self, factory: &str) -> Vec<gst::Element> {
        let all = self.pipeline.iterate_recurse().into_iter();
        let all = all.map(|found| found.expect("nothing changes"));
        all.filter(|element| is_of(element, factory)).collect()
    }

    /// Lets the license server answer a decryptor when the first buffer has come to that: otherwise
    /// all that comes after a refusal might wait in `sessiontoken`, with another token, and not in
    /// the decryptor. What is given back is to be called with each decryptor.
    fn answer_late(&self) -> impl Fn(&gst::Element) + Send + Sync + 'static {
        let arrivals = Arc::new(Arrivals::default());
        let awaited = arrivals.clone();
        let bus = self.pipeline.bus().expect("a pipeline has one");
        bus.set_sync_handler(move |_, message| {
            let told = message.structure();
            if told.is_some_and(|told| is_told(told, "skeletondecryptor", "asking")) {
                awaited.wait_for(&message.src().expect("the decryptor").name());
            }
            gst::BusSyncReply::Pass
        });
        move |decryptor| {
            let (arrivals, name) = (arrivals.clone(), decryptor.name());
            let pad = decryptor.static_pad("sink").expect("it has one");
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                arrivals.note(&name);
                gst::PadProbeReturn::Remove
            });
        }
    }

    fn start(&self) {
        let started = self.pipeline.set_state(gst::State::Playing);
        started.expect("it starts");
    }

    /// What was told until a message that the test waits for.
    #[track_caller]
    fn told_until(&self, is_it: impl Fn(&gst::Message) -> bool) -> Told {
        let bus = self.pipeline.bus().expect("a pipeline has one");
        let deadline = Instant::now() + IN_THE_END;
        let mut told = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let left = gst::ClockTime::try_from(left).expect("not so long");
            let message = bus.timed_pop(left).expect("what is waited for comes");
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{}: {:?}", error.error(), error.debug());
            }
            if let gst::MessageView::Element(element) = message.view() {
                let by = element.src().map(|by| by.name().to_string());
                let structure = element.structure().expect("it has one");
                told.push((by.unwrap_or_default(), structure.to_owned()));
            }
            if is_it(&message) {
                return Told(told);
            }
        }
    }

    #[track_caller]
    fn play_to_the_end(&self) -> Told {
        self.start();
        let told = self.told_until(|message| message.type_() == gst::MessageType::Eos);
        told.is_discreet();
        told
    }

    #[track_caller]
    fn stop(&self) {
        let pipeline = self.pipeline.clone();
        at_once("a stop", move || {
            pipeline.set_state(gst::State::Null).expect("it stops");
        });
    }
}

impl Drop for Show {
    fn drop(&mut self) {
        // A test that fails must not wait for what it says does not end.
        if !thread::panicking() {
            self.stop();
        }
    }
}

fn is_of(element: &gst::Element, factory: &str) -> bool {
    element.factory().is_some_and(|its| its.name() == factory)
}

/// What the call gives back, which must be at once.
#[track_caller]
fn at_once<T: Send + 'static>(what: &str, call: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(call()));
    result
        .recv_timeout(AT_ONCE)
        .unwrap_or_else(|_| panic!("{what} waits for something"))
}

/// The encrypted picture in one file.
fn picture() -> &'static Path {
    static FILE: OnceLock<PathBuf> = OnceLock::new();
    FILE.get_or_init(|| {
        let file = scratch().join("picture.mp4");
        let parts = ["v_init.mp4", "v_1.m4s", "v_2.m4s", "v_3.m4s"];
        let parts = parts
            .map(|name| fs::read(media().join("dash/cenc").join(name)).expect("the test media"));
        fs::write(&file, parts.concat()).expect("a scratch file");
        file
    })
}

fn words(told: &gst::Structure, field: &str) -> BTreeSet<String> {
    let text = told.get::<String>(field).expect("it says so");
    text.split_whitespace().map(String::from).collect()
}

fn number(told: &gst::Structure, field: &str) -> u32 {
    told.get(field).expect("a number")
}

/// A decryptor would make license requests without the token, or could not have it replaced.
#[test]
fn protection_event_has_all_license_request_fields() {
    let operator = Operator::start(vec![granting(FIRST_TOKEN)]);
    let show = Show::printed(&operator);
    let told = show.play_to_the_end();

    let fields = [
        "SESSION_TOKEN",
        "GENERATION",
        "EXPIRES_AT",
        "FLOW",
        "HTTP_HEADERS",
        "CUSTOM_DATA",
        "CORRELATION_ID",
    ];
    let fields = fields.map(|field| name(&format!("FIELD_{field}")).to_owned());
    let mut read = HashMap::new();
    let mut generations = BTreeSet::new();
    for (by, told) in told.by("skeletondecryptor", "key-request") {
        assert_eq!(
            words(told, "fields"),
            BTreeSet::from(fields.clone()),
            "{told}"
        );
        assert_eq!(
            words(told, "headers"),
            BTreeSet::from(["Authorization".to_owned()])
        );
        generations.insert(number(told, "generation"));
        assert_eq!(told.get("store"), Ok(true), "{told}");
        *read.entry(by.to_owned()).or_default() += 1;
    }
    assert_eq!(read.len(), 2, "picture and sound");
    assert_eq!(read, *lock(&show.came));
    for (_, told) in told.by("skeletondecryptor", "acquired") {
        generations.insert(number(told, "generation"));
    }
    assert_eq!(generations.len(), 1, "one token");
    assert!(told.by("skeletondecryptor", "refused").is_empty());
    assert!(told.by("skeletondecryptor", "failed").is_empty());
    assert_eq!(operator.headend.token_requests().len(), 1);
}

/// A viewer whose session the operator has ended would have to tune again, or each stream would
/// cost the operator a token.
#[test]
fn c_decryptor_rejection_replaces_token_once_for_all() {
    let operator = Operator::start(vec![granting(FIRST_TOKEN), granting(SECOND_TOKEN)]);
    let show = Show::printed(&operator);
    let decryptors = show.elements("skeletondecryptor");
    for decryptor in &decryptors {
        decryptor.set_property("reject-first", true);
    }
    decryptors.iter().for_each(show.answer_late());
    let told = show.play_to_the_end();

    let refused = told.by("skeletondecryptor", "refused");
    let by: BTreeSet<_> = refused.iter().map(|(by, _)| by).collect();
    assert!(!by.is_empty());
    assert_eq!(by.len(), refused.len(), "somebody refused it twice");
    let first = number(refused[0].1, "generation");
    let second = number(refused[0].1, "new-generation");
    assert!(second > first);
    for (_, told) in refused {
        assert_eq!(number(told, "generation"), first);
        assert_eq!(number(told, "http-status"), 401);
        assert_eq!(number(told, "new-generation"), second);
    }
    let acquired = told.by("skeletondecryptor", "acquired");
    let by: BTreeSet<_> = acquired.iter().map(|(by, _)| by).collect();
    assert_eq!(by.len(), 2, "picture and sound");
    for (_, told) in acquired {
        assert_eq!(number(told, "generation"), second);
    }
    assert!(told.by("skeletondecryptor", "failed").is_empty());
    assert_eq!(operator.headend.token_requests().len(), 2);

    // The application hears of it in the words that the header has.
    for state in ["ACQUIRED", "REJECTED", "REFRESHED"] {
        let state = name(&format!("STATE_{state}"));
        assert!(!told.by(name("MESSAGE"), state).is_empty(), "{state}");
    }
}

/// The same for one stream, where there is nobody whose answer could be shared.
#[test]
fn single_stream_plays_on_after_one_rejection() {
    let operator = Operator::start(vec![granting(FIRST_TOKEN), granting(SECOND_TOKEN)]);
    let show = Show::from_file(&operator);
    let told = show.play_to_the_end();
    assert_eq!(told.by("skeletondecryptor", "refused").len(), 1);
    assert_eq!(operator.headend.token_requests().len(), 2);
}

/// A show whose decryptor has refused its token and waits for another one, which does not come.
fn waiting_for_another_token() -> (Operator, Show) {
    let operator = Operator::start(vec![granting(FIRST_TOKEN), Auth::Hang]);
    let show = Show::from_file(&operator);
    let decryptors = show.elements("skeletondecryptor");
    decryptors.iter().for_each(show.answer_late());
    show.start();
    operator.wait_for_token_requests(2);
    (operator, show)
}

/// A viewer who changes the channel would wait for the auth service's timeout.
#[test]
fn player_stops_at_once_during_c_decryptor_wait() {
    let (_operator, show) = waiting_for_another_token();
    show.stop();
}

/// A player that takes the decryptor out, or resets it alone, would freeze; nobody upstream is
/// stopped and could wake it.
#[test]
fn decryptor_alone_stops_at_once_during_token_wait() {
    let (_operator, show) = waiting_for_another_token();
    for decryptor in show.elements("skeletondecryptor") {
        at_once("the decryptor's stop", move || {
            decryptor.set_state(gst::State::Ready).expect("it stops");
        });
    }
}

/// A viewer who seeks would wait for the auth service's timeout.
#[test]
fn flush_ends_decryptor_wait_for_new_token() {
    let (_operator, show) = waiting_for_another_token();
    for decryptor in show.elements("skeletondecryptor") {
        let pad = decryptor.static_pad("sink").expect("it has one");
        at_once("a flush", move || {
            assert!(pad.send_event(gst::event::FlushStart::new()));
            // This one waits for the streaming thread.
            assert!(pad.send_event(gst::event::FlushStop::new(true)));
        });
    }
}

/// A viewer would look at a frozen player: playbin3 waits for the thread that waits in the
/// decryptor before it stops anything.
#[test]
fn playbin3_stops_at_once_during_c_decryptor_wait() {
    // With one stream all has been downloaded once that thread waits (see `Show::from_file`).
    let headend = Headend::start_with_media(0, without_sound()).expect("a head-end");
    let operator = Operator::of(headend, vec![granting(FIRST_TOKEN)]);
    let show = Show::of("playbin3 video-sink=fakevideosink audio-sink=fakeaudiosink");
    let uri = operator.headend.manifest_url();
    show.pipeline.set_property("uri", uri);
    for factory in ["sessiontoken", "skeletondecryptor"] {
        let factory = gst::ElementFactory::find(factory).expect("it is registered");
        factory.set_rank(gst::Rank::PRIMARY);
    }
    let answer_late = show.answer_late();
    show.pipeline
        .connect_deep_element_added(move |_, _, element| {
            // The application's own token is at hand, so that nothing is held and the demuxer's own
            // thread goes through. It will give no other one.
            if is_of(element, "sessiontoken") {
                element.set_property("session-token", FIRST_TOKEN);
                element.set_property("timeout", NEVER);
            }
            if is_of(element, "skeletondecryptor") {
                element.set_property("reject-first", true);
                answer_late(element);
            }
        });
    show.start();
    let is_rejected = |message: &gst::Message| {
        let told = message.structure();
        told.is_some_and(|told| is_told(told, name("MESSAGE"), name("STATE_REJECTED")))
    };
    show.told_until(is_rejected).is_discreet();
    operator.catch_up();
    show.stop();
    assert!(operator.headend.token_requests().is_empty());
}

/// A newcomer would see nothing, or a token on the terminal or in a log.
#[test]
fn doc_command_shows_key_request_and_logs_no_token() {
    let operator = Operator::start(vec![granting(FIRST_TOKEN)]);
    let command = printed("gst-launch-1.0 ").replace(PRINTED_ORIGIN, &operator.headend.url(""));
    let log = scratch().join("everything.log");
    let config = format!(
        "session-token-config,location=(string)\"{}\"",
        operator.location
    );
    let mut launch = with_plugins("sh", &[plugin_folder(), skeleton_folder()], "line.registry");
    let output = succeed(
        launch
            .args(["-c", &command])
            .env("GST_SESSION_TOKEN_CONFIG", config)
            .env("GST_DEBUG", "*:9")
            .env("GST_DEBUG_FILE", &log)
            .env("GST_DEBUG_NO_COLOR", "1")
            // GStreamer's own logging fails at a structure of its multiqueue, and says so with a
            // critical warning.
            .env_remove("G_DEBUG"),
    );
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("Got EOS"), "{said}{complained}");
    let shown = said
        .lines()
        .filter(|line| line.contains("state=(string)key-request"));
    assert!(shown.clone().count() > 0, "{said}");
    for line in shown {
        assert!(line.contains(name("FIELD_SESSION_TOKEN")), "{line}");
    }
    let logged = fs::read(&log).expect("the log was written");
    let logged = String::from_utf8_lossy(&logged);
    assert!(
        logged.contains("skeletondecryptor"),
        "the log has nothing of the skeleton"
    );
    for text in [&said, &complained, &logged] {
        assert!(!text.contains(FIRST_TOKEN), "the token is there to be read");
    }
    fs::remove_file(log).expect("the log goes");
    assert_eq!(operator.headend.token_requests().len(), 1);
}
