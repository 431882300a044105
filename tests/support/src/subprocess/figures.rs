// SPDX-License-Identifier: MIT OR Apache-2.0

//! Figures of the child, which a benchmark reads: so many in a line.

use std::path::Path;

use super::{Says, Subprocess, this_program};

/// The first argument of a child, before its own.
const SUBPROCESS: &str = "subprocess";

/// What a line of figures begins with.
const FIGURES: &str = "figures:";

/// In the child: its arguments. `None` in any other process.
pub fn arguments() -> Option<Vec<String>> {
    let mut arguments = std::env::args().skip(1);
    (arguments.next()? == SUBPROCESS).then(|| arguments.collect())
}

/// In the child: says some figures.
pub fn say(figures: &[f64]) {
    let texts: Vec<_> = figures.iter().map(f64::to_string).collect();
    println!("{FIGURES} {}", texts.join(" "));
}

/// In the child: waits for the word to go on.
pub fn wait_to_go_on() {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("a word");
}

/// In the child: waits to be ended, as nobody measures how it stops.
pub fn rest() -> ! {
    loop {
        std::thread::park();
    }
}

impl Subprocess {
    /// Starts this program with those arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::start_in(arguments, &[])
    }

    /// The same with these in its environment.
    pub fn start_in(arguments: &[&str], environment: &[(&str, &Path)]) -> Self {
        let mut command = this_program();
        command
            .arg(SUBPROCESS)
            .args(arguments)
            .envs(environment.iter().copied());
        Self::spawn(&mut command, Says::OnStdout)
    }

    /// Has it go on, where it waits for that.
    pub fn go_on(&mut self) {
        self.answer("").expect("it runs");
    }

    /// Waits for its figures.
    pub fn figures<const N: usize>(&mut self) -> [f64; N] {
        self.figures_unless_it_fails()
            .expect("it says its figures before it ends")
    }

    /// The same of one that may fail for reasons that are not ours.
    pub fn figures_unless_it_fails<const N: usize>(&mut self) -> Option<[f64; N]> {
        let mut lines = std::iter::from_fn(|| self.line());
        let line = lines.find_map(|line| line.strip_prefix(FIGURES).map(str::to_owned))?;
        let figures = line.split_whitespace().map(|text| text.parse());
        let figures: Result<Vec<f64>, _> = figures.collect();
        let figures = figures.expect("numbers");
        Some(figures.try_into().expect("so many figures"))
    }
}
