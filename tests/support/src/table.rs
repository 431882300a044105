// SPDX-License-Identifier: MIT OR Apache-2.0

//! Figures and how they are shown.

use std::time::Duration;

/// What several runs of the same gave, in one unit.
#[derive(Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Of one more run.
    pub fn add(&mut self, value: f64) {
        self.0.push(value);
        self.0.sort_unstable_by(f64::total_cmp);
    }

    /// A time, in milliseconds.
    pub fn add_time(&mut self, time: Duration) {
        self.add(time.as_secs_f64() * 1e3);
    }

    /// The same for each of so many.
    pub fn shared_by(&self, count: usize) -> Self {
        Self(self.0.iter().map(|value| value / count as f64).collect())
    }

    /// The one in the middle.
    pub fn median(&self) -> f64 {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        self.0.last().copied().unwrap_or_default()
    }

    /// The smallest.
    pub fn least(&self) -> f64 {
        self.0.first().copied().unwrap_or_default()
    }

    /// What was counted: one number where it was the same each time.
    pub fn count(&self) -> String {
        match self.least() == self.most() {
            true => format!("{:.0}", self.most()),
            false => format!("{:.0}–{:.0}", self.least(), self.most()),
        }
    }

    /// The median, and the least and the most around it.
    pub fn spread(&self) -> String {
        format!(
            "{} ({}–{})",
            figure(self.median()),
            figure(self.least()),
            figure(self.most())
        )
    }
}

/// As many digits as say something.
pub fn figure(value: f64) -> String {
    match value.abs() {
        ..0.995 => format!("{value:.2}"),
        ..9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Prints a row of a Markdown table.
pub fn row(cells: &[&str]) {
    println!("| {} |", cells.join(" | "));
}

/// Prints the head of one.
pub fn head(title: &str, cells: &[&str]) {
    println!("\n{title}\n");
    row(cells);
    row(&vec!["---"; cells.len()]);
}

/// What is asked for on the command line, among the parts of a benchmark.
pub struct Wanted(Vec<String>);

impl Wanted {
    /// What the command line says.
    pub fn from_arguments() -> Self {
        // `cargo bench` adds options for the harness that is not here.
        let arguments = std::env::args().skip(1);
        Self(arguments.filter(|one| !one.starts_with('-')).collect())
    }

    /// Whether that part is to run: all of them, unless some are named.
    pub fn has(&self, part: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|one| one == part)
    }
}
