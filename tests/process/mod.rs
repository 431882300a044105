// SPDX-License-Identifier: MIT OR Apache-2.0

//! For tests that start processes: folders of their own, one with the plugin, what they print, and operators to play with.

#![allow(dead_code, reason = "each test program takes what it needs")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::OnceLock;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use headend::{Auth, Headend};

/// A folder of this run of the test program, which the next run clears away.
pub fn scratch() -> &'static Path {
    static SCRATCH: OnceLock<PathBuf> = OnceLock::new();
    SCRATCH.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join(env!("CARGO_CRATE_NAME"));
        let own = all.join(std::process::id().to_string());
        fs::create_dir_all(&own).expect("a scratch folder");
        for entry in fs::read_dir(&all).expect("the scratch folder") {
            let folder = entry.expect("an entry").path();
            let run = folder.file_name().expect("a folder has a name");
            if !Path::new("/proc").join(run).exists() {
                // A run that has ended. Another one that begins now may be clearing up too.
                let _ = fs::remove_dir_all(folder);
            }
        }
        own
    })
}

/// A folder with our plugin and nothing else. The plugin lies beside the test program, among libraries that GStreamer should
/// not try to load.
pub fn plugin_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Not the one in the folder above: `cargo test` does not bring that up to date.
        let program = std::env::current_exe().expect("this program");
        let plugin = program.with_file_name("libgstsessiontoken.so");
        assert!(plugin.is_file(), "{} is not there", plugin.display());
        let folder = scratch().join("plugin");
        fs::create_dir(&folder).expect("a folder for the plugin");
        // A link of our own to this very file, in case somebody builds another while the tests run.
        fs::hard_link(plugin, folder.join("libgstsessiontoken.so")).expect("a link to the plugin");
        folder
    })
}

/// What a process prints, line by line as it comes, on either of its outputs, which are pipes. It ends with both of them.
pub fn lines_of(child: &mut Child) -> Receiver<String> {
    let (line, lines) = mpsc::channel();
    read(child.stdout.take().expect("piped"), line.clone());
    read(child.stderr.take().expect("piped"), line);
    lines
}

fn read(from: impl Read + Send + 'static, line: Sender<String>) {
    thread::spawn(move || {
        for read in BufReader::new(from).lines() {
            // The test may have failed meanwhile.
            let _ = line.send(read.expect("its output is text"));
        }
    });
}

/// An operator that answers as the auth service of a box without a subscription does.
pub fn refusing() -> Headend {
    let headend = Headend::start().expect("a head-end");
    headend.set_auth(Auth::Reply {
        status: 403,
        content_type: "application/problem+json".to_owned(),
        body: r#"{"title":"No subscription"}"#.to_owned(),
    });
    headend
}

/// Host and port of a head-end.
pub fn address(headend: &Headend) -> String {
    let origin = headend.url("");
    let address = origin.strip_prefix("http://");
    address.expect("an http URL").to_owned()
}

/// Has a request of its own answered. The head-end works in one thread, so it has answered every request that came before.
#[track_caller]
pub fn catch_up(headend: &Headend) {
    let address = address(headend);
    let mut connection = TcpStream::connect(&address).expect("a connection");
    write!(
        connection,
        "GET /record HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"
    )
    .expect("the head-end reads");
    let mut reply = Vec::new();
    connection
        .read_to_end(&mut reply)
        .expect("the head-end answers");
    assert!(reply.starts_with(b"HTTP/1.1 200"));
}

/// The test media.
pub fn media() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/media"))
}

/// A folder with the protected media without sound.
pub fn without_sound() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = scratch().join("without-sound");
        fs::create_dir_all(folder.join("dash/cenc")).expect("a scratch folder");
        let from = media().join("dash/cenc");
        let to = folder.join("dash/cenc");
        for name in ["v_init.mp4", "v_1.m4s", "v_2.m4s", "v_3.m4s"] {
            fs::copy(from.join(name), to.join(name)).expect("the test media");
        }
        let manifest = fs::read_to_string(from.join("manifest.mpd")).expect("the manifest");
        let (before, sound) = manifest
            .split_once("<AdaptationSet id=\"1\" contentType=\"audio\"")
            .expect("the sound");
        let (_, after) = sound.split_once("</AdaptationSet>").expect("its end");
        fs::write(to.join("manifest.mpd"), format!("{before}{after}")).expect("a scratch file");
        folder
    })
}
