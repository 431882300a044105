// SPDX-License-Identifier: MIT OR Apache-2.0

//! What programs of others print.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

/// Asserts that the command has succeeded, or shows what it printed.
#[track_caller]
pub fn assert_succeeded(command: &Command, output: &Output) {
    assert!(
        output.status.success(),
        "{command:?}\n{}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

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
