// SPDX-License-Identifier: MIT OR Apache-2.0

//! Decryption alone, without a pipeline.

use std::hint::black_box;

use ciphers::{ContentKey, Pattern, Scheme, decrypt};
use support::table::{Figures, head, row};

use crate::openssl::{self, Cipher};
use crate::{ROUNDS, speed};

/// A large picture of a stream of 8 Mbit/s, a small one, and sound. All stay in the cache, so that
/// the memory's speed is not what is measured.
const SAMPLES: [usize; 3] = [128 << 10, 8 << 10, 512];

/// A slice of a picture in H.264, whose header stays in the clear.
const SLICE: usize = 4 << 10;
const HEADER: u16 = 96;

#[derive(Clone, Copy)]
enum Contestant {
    Copy,
    OpenSsl(Cipher),
    Whole(Scheme),
    Slices(Scheme),
}

pub fn measure() {
    const PATTERN: Scheme = Scheme::Cbcs(Pattern { crypt: 1, skip: 9 });
    const ALL: Scheme = Scheme::Cbcs(Pattern { crypt: 0, skip: 0 });
    let contestants = [
        ("copying (`memcpy`)", Contestant::Copy),
        ("OpenSSL's `aes-128-ctr`", Contestant::OpenSsl(Cipher::Ctr)),
        ("`cenc`, whole samples", Contestant::Whole(Scheme::Cenc)),
        (
            "`cenc`, slices with clear headers",
            Contestant::Slices(Scheme::Cenc),
        ),
        (
            "OpenSSL's `aes-128-cbc`, decrypting",
            Contestant::OpenSsl(Cipher::Cbc),
        ),
        ("`cbcs`, whole samples (sound)", Contestant::Whole(ALL)),
        (
            "`cbcs`, 1 block of 10, whole samples",
            Contestant::Whole(PATTERN),
        ),
        (
            "`cbcs`, 1 block of 10, slices with clear headers (picture)",
            Contestant::Slices(PATTERN),
        ),
    ];
    let title = format!("Decryption alone, GB/s: median of {ROUNDS} rounds (least–most)");
    let sizes = SAMPLES.map(|size| format!("samples of {size} bytes"));
    let sizes = sizes.each_ref().map(String::as_str);
    head(&title, &[&["what"][..], &sizes].concat());
    let mut figures: Vec<[Result<Figures, String>; SAMPLES.len()]> = (contestants.iter())
        .map(|_| std::array::from_fn(|_| Ok(Figures::default())))
        .collect();
    for _ in 0..ROUNDS {
        for ((_, contestant), figures) in contestants.iter().zip(&mut figures) {
            for (size, figures) in SAMPLES.into_iter().zip(figures) {
                match (contestant.run(size), &mut *figures) {
                    (Ok(speed), Ok(figures)) => figures.add(speed),
                    (Err(missing), figures) => *figures = Err(missing),
                    (_, Err(_)) => {}
                }
            }
        }
    }
    for ((name, _), figures) in contestants.iter().zip(&figures) {
        let cells = figures.each_ref().map(|figures| match figures {
            Ok(figures) => figures.spread(),
            Err(missing) => missing.clone(),
        });
        let cells = cells.each_ref().map(String::as_str);
        row(&[&[*name][..], &cells].concat());
    }
}

impl Contestant {
    fn run(self, size: usize) -> Result<f64, String> {
        let mut sample = vec![0; size];
        match self {
            Contestant::Copy => {
                let from = vec![1; size];
                Ok(speed(size, || {
                    black_box(&mut sample[..]).copy_from_slice(black_box(&from));
                }))
            }
            Contestant::OpenSsl(cipher) => openssl::speed(cipher, size),
            Contestant::Whole(scheme) => Ok(decryption(scheme, &[], &mut sample)),
            Contestant::Slices(scheme) => Ok(decryption(scheme, &slices(size), &mut sample)),
        }
    }
}

fn decryption(scheme: Scheme, subsamples: &[u8], sample: &mut [u8]) -> f64 {
    let key = ContentKey::from_slice(&[0x2b; 16]).expect("sixteen bytes are a key");
    speed(sample.len(), || {
        let sample = black_box(&mut *sample).into();
        decrypt(&key, scheme, &[0x3c; 16], subsamples, sample).expect("the sample is whole");
    })
}

/// The table of a sample of so many bytes, as `senc` has it.
fn slices(size: usize) -> Vec<u8> {
    let mut table = Vec::new();
    let mut rest = size;
    while rest > 0 {
        let slice = rest.min(SLICE);
        let protected = u32::try_from(slice - usize::from(HEADER)).expect("a slice is small");
        table.extend(HEADER.to_be_bytes());
        table.extend(protected.to_be_bytes());
        rest -= slice;
    }
    table
}
