// SPDX-License-Identifier: MIT OR Apache-2.0

//! What programs of others print.

use std::io::{BufRead, BufReader, Read};
use std::process::Child;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// What a process prints, line by line as it comes, on either of its outputs, which are pipes. It
/// ends with both of them.
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
