// SPDX-License-Identifier: MIT OR Apache-2.0

//! Orders of the child: each is a line of the child's, and is answered by a line when the test has
//! carried it out.

use std::io::BufRead;
use std::process::{Command, ExitStatus};

use super::{Says, Subprocess};

/// What an order begins with.
const ORDER: &str = "order: ";

/// Runs the child to its end. Has its orders carried out, by its process id and their words, whose
/// answers are a line each, and its other lines read.
pub fn run(
    child: &mut Command,
    mut carry_out: impl FnMut(u32, &str) -> String,
    mut read: impl FnMut(&str),
) -> ExitStatus {
    let mut subprocess = Subprocess::spawn(child, Says::OnStderr);
    let id = subprocess.child.id();
    while let Some(line) = subprocess.line() {
        match line.strip_prefix(ORDER) {
            Some(order) => {
                let answer = carry_out(id, order);
                // Who has crashed meanwhile says so by their end.
                let _ = subprocess.answer(&answer);
            }
            None => read(&line),
        }
    }
    subprocess.wait()
}

/// In the child: has the test do that, and gives its answer.
pub fn order(what: &str) -> String {
    eprintln!("{ORDER}{what}");
    let mut answer = String::new();
    let answered = std::io::stdin().lock().read_line(&mut answer);
    assert!(
        answered.expect("the test answers") > 0,
        "the test has ended"
    );
    answer.trim_end().to_owned()
}
