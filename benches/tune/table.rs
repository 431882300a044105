// SPDX-License-Identifier: MIT OR Apache-2.0

//! Figures and how they are shown.

use std::time::Duration;

/// What several runs of the same took.
#[derive(Default)]
pub struct Figures(Vec<Duration>);

impl Figures {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
        self.0.sort_unstable();
    }

    pub fn median(&self) -> Duration {
        self.0.get(self.0.len() / 2).copied().unwrap_or_default()
    }

    pub fn most(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    fn least(&self) -> Duration {
        self.0.first().copied().unwrap_or_default()
    }

    /// The median, and the least and the most around it.
    pub fn spread(&self) -> String {
        format!(
            "{} ({}–{})",
            milliseconds(self.median()),
            milliseconds(self.least()),
            milliseconds(self.most())
        )
    }
}

pub fn milliseconds(time: Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.1}"),
        _ => format!("{milliseconds:.0}"),
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
