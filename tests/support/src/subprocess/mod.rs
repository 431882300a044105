// SPDX-License-Identifier: MIT OR Apache-2.0

//! A part of a test or a benchmark in a process of its own, so that time, memory, threads and
//! descriptors of that process are that part's. The head-end, whose record grows, stays in the
//! process that starts it.
//!
//! For that the program starts itself again, and the two talk by lines. A test carries out what its
//! child orders (`orders.rs`), a benchmark reads what its child has measured (`figures.rs`).

mod figures;
mod orders;
mod output;

use std::io::{BufRead, BufReader, Lines, Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

pub use figures::{arguments, rest, say, wait_to_go_on};
pub use orders::{order, run};
pub use output::{assert_succeeded, lines_of};

/// This program, to be started again.
pub fn this_program() -> Command {
    let program = std::env::current_exe().expect("this program has a path");
    let mut command = Command::new(program);
    command
        .env_remove("GST_DEBUG")
        .env_remove("GST_TRACERS")
        .env_remove("GST_SESSION_TOKEN_CONFIG");
    command
}

/// Another test of this program, which is ignored otherwise.
pub fn ignored_test(name: &str) -> Command {
    let mut command = this_program();
    command
        .args(["--exact", name, "--ignored", "--nocapture"])
        // What is freed is to be seen as free: one heap, and no hoards beside it.
        .env("MALLOC_ARENA_MAX", "1")
        .env("G_SLICE", "always-malloc");
    command
}

/// Where the child says its lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    OnStdout,
    /// Where libtest has the other one for itself.
    OnStderr,
}

/// A process that runs. It is ended when this is dropped, if it has not ended by itself.
pub struct Subprocess {
    child: Child,
    lines: Lines<BufReader<Box<dyn Read + Send>>>,
    answers: ChildStdin,
}

impl Subprocess {
    fn spawn(command: &mut Command, says: Says) -> Self {
        command.stdin(Stdio::piped());
        match says {
            Says::OnStdout => command.stdout(Stdio::piped()),
            Says::OnStderr => command.stdout(Stdio::null()).stderr(Stdio::piped()),
        };
        let mut child = command.spawn().expect("this program runs");
        let said: Box<dyn Read + Send> = match says {
            Says::OnStdout => Box::new(child.stdout.take().expect("piped")),
            Says::OnStderr => Box::new(child.stderr.take().expect("piped")),
        };
        Self {
            lines: BufReader::new(said).lines(),
            answers: child.stdin.take().expect("piped"),
            child,
        }
    }

    /// Waits for a line. There is none after the child's end.
    fn line(&mut self) -> Option<String> {
        self.lines.next().map(|line| line.expect("text"))
    }

    /// Fails where the child has ended.
    fn answer(&mut self, line: &str) -> std::io::Result<()> {
        writeln!(self.answers, "{line}")
    }

    fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("its end")
    }
}

impl Drop for Subprocess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
