// SPDX-License-Identifier: MIT OR Apache-2.0

//! The decryptor in a stream: samples with their metadata go in on one pad and come out on the
//! other.

use std::time::Instant;

use gst::meta::ProtectionMeta;
use headend::{Headend, VIDEO_KEY_ID};
use support::pad_harness::PadHarness;
use support::table::{Figures, head, row};
use support::{rig, samples};

use crate::ROUNDS;

const SAMPLES: [usize; 3] = [128 << 10, 8 << 10, 512];

/// Bytes in a round: what stays in the cache of a desktop, and not in that of a box.
const BATCH: usize = 2 << 20;

#[derive(Clone, Copy)]
enum Contestant {
    /// `identity`: what it takes to pass an element.
    Passed,
    /// `clearkeydec`, and samples with memory of their own.
    Own,
    /// `clearkeydec`, and samples that are parts of a larger buffer, as qtdemux cuts them of a
    /// fragment: read-only, so that each is decrypted into other memory.
    Parts,
}

const CONTESTANTS: [(Contestant, &str); 3] = [
    (Contestant::Passed, "`identity`"),
    (
        Contestant::Own,
        "`clearkeydec`, samples with memory of their own",
    ),
    (
        Contestant::Parts,
        "`clearkeydec`, samples that are parts of a larger buffer",
    ),
];

pub fn measure() {
    let headend = Headend::start().expect("a head-end");
    let title = format!(
        "Whole samples of `cenc` through an element, GB/s: median of {ROUNDS} rounds (least–most)"
    );
    let sizes = SAMPLES.map(|size| format!("samples of {size} bytes"));
    let sizes = sizes.each_ref().map(String::as_str);
    head(&title, &[&["element"][..], &sizes].concat());
    let harnesses =
        CONTESTANTS.map(|(contestant, name)| (contestant.harness(&headend), contestant, name));
    let mut figures: [[Figures; SAMPLES.len()]; CONTESTANTS.len()] = Default::default();
    for round in 0..=ROUNDS {
        for ((harness, contestant, _), figures) in harnesses.iter().zip(&mut figures) {
            for (size, figures) in SAMPLES.into_iter().zip(figures) {
                // As long as that is here nothing of it is given back to the system.
                let (_fragment, batch) = contestant.batch(size);
                let start = Instant::now();
                for sample in batch {
                    harness.push_buffer(sample);
                }
                let time = start.elapsed();
                // The first round fills caches.
                if round > 0 {
                    figures.add(BATCH as f64 / time.as_secs_f64() / 1e9);
                }
            }
        }
    }
    for ((_, _, name), figures) in harnesses.iter().zip(&figures) {
        let cells = figures.each_ref().map(Figures::spread);
        let cells = cells.each_ref().map(String::as_str);
        row(&[&[*name][..], &cells].concat());
    }
}

impl Contestant {
    fn harness(self, headend: &Headend) -> PadHarness {
        match self {
            Contestant::Passed => {
                let identity = rig::make("identity").property("silent", true);
                PadHarness::around(Some(identity.build().expect("GStreamer has it")))
            }
            Contestant::Own | Contestant::Parts => PadHarness::with_key(headend),
        }
    }

    /// A round's samples, and what they are parts of.
    fn batch(self, size: usize) -> (gst::Buffer, Vec<gst::Buffer>) {
        // Written to, as a demuxer's is: untouched pages would be brought in while they are
        // decrypted.
        let memory = |size| gst::Buffer::from_mut_slice(vec![1; size]);
        let fragment = memory(BATCH);
        let starts = (0..BATCH).step_by(size);
        let samples = starts.map(|start| {
            let mut sample = match self {
                Contestant::Passed | Contestant::Own => memory(size),
                Contestant::Parts => fragment
                    .copy_region(gst::BufferCopyFlags::MEMORY, start..start + size)
                    .expect("it has that part"),
            };
            ProtectionMeta::add(sample.make_mut(), samples::whole(VIDEO_KEY_ID));
            sample
        });
        let samples = samples.collect();
        (fragment, samples)
    }
}
