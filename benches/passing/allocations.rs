// SPDX-License-Identifier: MIT OR Apache-2.0

//! How often a push asks for memory: counted by `allocations.c`, with which this program runs once
//! more.

use gst::meta::ProtectionMeta;
use headend::{Headend, VIDEO_KEY_ID};
use support::cc;
use support::pad_harness::PadHarness;
use support::samples;
use support::subprocess::this_program;
use support::table::{head, row};

use crate::contestants::{CONTESTANTS, KINDS, Kind, LIST, harness, pusher};

/// The variable that says by what this program is counted.
pub const COUNTED: &str = "PASSING_COUNTED_ALLOCATIONS";

const WARM_UP: usize = 10;

const PUSHES: u64 = 100;

/// For a protection event that gets a key request: the copies of event and init data, and the
/// request's fields.
const MAX_ALLOCATIONS: u64 = 30;

/// In bytes.
const SAMPLE: usize = 1_000;

pub fn measure() {
    let library = cc::library("benches/passing/allocations.c", &[]);
    let counted = this_program()
        .env(COUNTED, COUNTED)
        .env("LD_PRELOAD", library)
        // GLib before 2.76 has a memory of its own.
        .env("G_SLICE", "always-malloc")
        .status()
        .expect("this program starts");
    assert!(counted.success(), "{counted}");
}

/// How often this thread has asked for memory.
fn allocations() -> u64 {
    type Count = extern "C" fn() -> std::ffi::c_ulong;
    // SAFETY: the name is a C string, and nothing is opened.
    let symbol = unsafe { nix::libc::dlsym(nix::libc::RTLD_DEFAULT, c"allocations".as_ptr()) };
    assert!(!symbol.is_null(), "the counting library is not loaded");
    // SAFETY: the function in `allocations.c` has this signature.
    let count: Count = unsafe { std::mem::transmute(symbol) };
    count()
}

pub fn count() {
    let headend = Headend::start().expect("a head-end");
    passing(&headend);
    decrypting(&headend);
}

fn passing(headend: &Headend) {
    let kinds = KINDS.map(|(_, name)| name);
    head(
        "Allocations for a push",
        &[&["between the pads"][..], &kinds].concat(),
    );
    for (contestant, name) in CONTESTANTS {
        let harness = harness(contestant, headend);
        let counts = KINDS.map(|(kind, _)| {
            let push = pusher(&harness, kind);
            push(WARM_UP);
            let before = allocations();
            push(PUSHES as usize);
            let count = allocations() - before;
            if kind == Kind::Protection {
                assert!(
                    count <= MAX_ALLOCATIONS * PUSHES,
                    "{name} allocates much for a key request"
                );
            }
            let count = each(count);
            if let Kind::Buffer | Kind::List | Kind::Event = kind {
                assert_eq!(count, "0", "{name} allocates for what it passes on");
            }
            count
        });
        let counts = counts.each_ref().map(String::as_str);
        row(&[&[name][..], &counts].concat());
    }
}

/// Memory of a sample that a decryptor gets.
#[derive(Clone, Copy, PartialEq)]
enum Memory {
    Own,
    /// A part of a larger buffer, as qtdemux cuts it from a download: read-only, so that it is
    /// copied.
    Part,
}

fn decrypting(headend: &Headend) {
    head(
        "Allocations for a sample in `clearkeydec`, its key at hand",
        &["sample", "a buffer", "a list of ten buffers, for each"],
    );
    let harness = PadHarness::with_key(headend);
    for (memory, name, allowed) in [
        (Memory::Own, "has memory of its own", "0"),
        (Memory::Part, "is a part of a larger buffer", "1"),
    ] {
        let buffers = || -> Vec<_> { (0..PUSHES).map(|_| sample(memory)).collect() };
        let single = buffers();
        let before = allocations();
        for buffer in single {
            harness.push_buffer(buffer);
        }
        let single = each(allocations() - before);
        let mut rest = buffers().into_iter();
        let lists: Vec<gst::BufferList> = (0..PUSHES as usize / LIST)
            .map(|_| rest.by_ref().take(LIST).collect())
            .collect();
        let before = allocations();
        for list in lists {
            harness.push_list(list);
        }
        let listed = each(allocations() - before);
        row(&[name, &single, &listed]);
        assert_eq!((&*single, &*listed), (allowed, allowed));
    }
}

fn sample(kind: Memory) -> gst::Buffer {
    let memory = |size| gst::Buffer::with_size(size).expect("there is memory");
    let mut sample = match kind {
        Memory::Own => memory(SAMPLE),
        Memory::Part => memory(2 * SAMPLE)
            .copy_region(gst::BufferCopyFlags::MEMORY, ..SAMPLE)
            .expect("it has that part"),
    };
    ProtectionMeta::add(sample.make_mut(), samples::whole(VIDEO_KEY_ID));
    sample
}

/// The share of one push.
fn each(all: u64) -> String {
    match all % PUSHES {
        0 => (all / PUSHES).to_string(),
        _ => format!("{:.2}", all as f64 / PUSHES as f64),
    }
}
