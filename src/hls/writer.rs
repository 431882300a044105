// SPDX-License-Identifier: MIT OR Apache-2.0

//! The lines of a playlist as they are read and written, bounded.

use super::uris::Objection;

/// Longest line. A PlayReady header takes some kilobytes.
const MAX_LINE: usize = 64 * 1024;

/// What a playlist may become. It grows as its URIs are written out, and stock demuxers take some
/// forty milliseconds to read a megabyte.
const MAX_REWRITTEN: usize = 32 * 1024 * 1024;

/// Lines between two looks whether the result is still wanted: a millisecond or two.
const LINES_BETWEEN_LOOKS: usize = 256;

/// Said of a rewriting that nobody waits for any more.
pub const STOPPED: Objection = "is not wanted any more";

/// The lines that are read and written, bounded.
pub struct Writer<'a> {
    text: String,
    is_wanted: &'a (dyn Fn() -> bool + 'a),
    lines: usize,
}

impl<'a> Writer<'a> {
    /// For a playlist of that length.
    pub fn new(length: usize, is_wanted: &'a dyn Fn() -> bool) -> Self {
        Self {
            text: String::with_capacity(length + length / 4),
            is_wanted,
            lines: 0,
        }
    }

    /// The next line that was read.
    pub fn next_line<'l>(&mut self, line: &'l str) -> Result<&'l str, Objection> {
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_BETWEEN_LOOKS) && !(self.is_wanted)() {
            return Err(STOPPED);
        }
        match line.len() > MAX_LINE {
            true => Err("has a line of a length that nobody writes"),
            false => Ok(line.trim_end_matches('\r')),
        }
    }

    /// Bytes that have been written.
    pub fn written(&self) -> usize {
        self.text.len()
    }

    pub fn write(&mut self, line: &str) -> Result<(), Objection> {
        self.write_lines(line)?;
        self.text.push('\n');
        Ok(())
    }

    /// Writes lines that have their ends.
    pub fn write_lines(&mut self, lines: &str) -> Result<(), Objection> {
        if self.text.len() + lines.len() >= MAX_REWRITTEN {
            return Err("grows beyond all measure when its URIs are written out");
        }
        self.text.push_str(lines);
        Ok(())
    }

    pub fn write_tag(&mut self, name: &str, list: &str) -> Result<(), Objection> {
        self.write(&format!("#{name}:{list}"))
    }

    pub fn into_text(self) -> String {
        self.text
    }
}
