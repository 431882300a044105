// SPDX-License-Identifier: MIT OR Apache-2.0

//! What is left alive when GStreamer is shut down, as its tracer `leaks` names it.

use std::collections::BTreeMap;

/// How many things of each sort were left alive.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Leaks(BTreeMap<String, usize>);

impl<const N: usize> From<[(&str, usize); N]> for Leaks {
    fn from(counts: [(&str, usize); N]) -> Self {
        let counts = counts.map(|(sort, count)| (sort.to_owned(), count));
        Self(counts.into())
    }
}

impl Leaks {
    /// Of a process that has ended, from what it has printed with the tracer.
    #[track_caller]
    pub fn of(text: &str) -> Self {
        // It says at the start which records there will be, and at the end nothing where all is
        // well.
        assert!(text.contains("object-alive.class"), "no tracer: {text}");
        let leaks = Self::read(text);
        let warned = text.contains("Leaks detected");
        assert_eq!(leaks.0.is_empty(), !warned, "{text}");
        leaks
    }

    /// The records in a text.
    pub fn read(text: &str) -> Self {
        let mut leaks = Self::default();
        // Not the line that says what a record will look like.
        let is_record = |line: &&str| line.contains("object-alive, ") && !line.contains("%s");
        for line in text.lines().filter(is_record) {
            *leaks.0.entry(sort(line)).or_default() += 1;
        }
        leaks
    }

    /// How many there are of that sort.
    pub fn count(&self, sort: &str) -> usize {
        self.0.get(sort).copied().unwrap_or_default()
    }

    /// What there is more of here.
    pub fn beyond(&self, other: &Self) -> Vec<(&str, usize)> {
        self.0
            .iter()
            .filter(|(sort, count)| other.0.get(*sort).is_none_or(|known| known < *count))
            .map(|(sort, count)| (sort.as_str(), *count))
            .collect()
    }
}

/// The type of what that record is about, and the name of an object without its number.
fn sort(record: &str) -> String {
    let field = |name: &str, end: &str| {
        let (_, rest) = record
            .split_once(&format!("{name}=(string)"))
            .unwrap_or_else(|| panic!("no {name} in {record}"));
        rest.split(end).next().unwrap_or_default().to_owned()
    };
    let type_name = field("type-name", ",");
    let description = field("description", ", ref-count=");
    // Those of buffers, events and caps say what is in them.
    let name = match description.starts_with('<') {
        true => description.replace(|c: char| c.is_ascii_digit(), ""),
        false => String::new(),
    };
    format!("{type_name} {name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_tracer_names_is_counted() {
        let record = |type_name: &str, description: &str| {
            format!(
                "0:00:00.2 1 0x1 TRACE GST_TRACER :0:: object-alive, type-name=(string){type_name}, address=(gpointer)0x7f, \
                 description=(string){description}, ref-count=(uint)1, trace=(string);\n"
            )
        };
        let known = Leaks::read(&record("GstVolume", "<volume0>"));
        let more = Leaks::read(
            &[
                record("GstVolume", "<volume12>"),
                record("GstPad", "<clearkeydec0:sink>"),
                record("GstBuffer", "buffer: 0x7f, pts 0:00:00.04, size 5"),
                record("GstBuffer", "buffer: 0x80, pts 0:00:00.08, size 6"),
            ]
            .concat(),
        );
        let beyond = more.beyond(&known);
        assert_eq!(
            beyond,
            [("GstBuffer ", 2), ("GstPad <clearkeydec:sink>", 1)]
        );
        assert_eq!(known.beyond(&more), []);
    }
}
