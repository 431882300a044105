// SPDX-License-Identifier: MIT OR Apache-2.0

//! `docs/reference.md` is made from `docs/plugins/gst_plugins_cache.json`, which is what the
//! elements themselves say (`api_snapshot.rs`), and from the comments of their signals.
//! `UPDATE_API=1`, as `scripts/api --update` sets it, writes it.

use std::fs;
use std::path::Path;

use serde_json::{Map, Value};

const API: &str = "docs/plugins/gst_plugins_cache.json";
const REFERENCE: &str = "docs/reference.md";

/// Where signals have their comments.
const SIGNALS: [&str; 2] = ["src/sessiontoken/signals.rs", "src/sessiontoken/store.rs"];

/// Columns of a line.
const WIDTH: usize = 95;

const BEGINNING: &str = "\
<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->
<!-- Written by `scripts/api --update`. -->

# Reference

All properties and signals, as the elements themselves tell of them. `gst-inspect-1.0` prints the
same for what is installed. Messages are in [applications](applications.md#messages), errors in
[errors](errors.md), the metadata of key requests in [key requests](key-requests.md).

Properties take effect when an element goes to PAUSED, but for those that say otherwise. Files are
named by a path, relative to the player's working directory.
";

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A paragraph or an entry of a list, in lines of at most so many columns.
fn wrapped(text: &str, first: &str, others: &str) -> String {
    let mut lines = vec![first.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is one");
        let is_empty = line.trim().is_empty() || *line == first;
        if is_empty || line.chars().count() + 1 + word.chars().count() <= WIDTH {
            if !is_empty {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(format!("{others}{word}"));
        }
    }
    lines.join("\n") + "\n"
}

/// What the plugin says of itself.
struct Api {
    plugin: Value,
    comments: String,
}

impl Api {
    fn read() -> Self {
        let mut api: Value = serde_json::from_str(&read(API)).expect("the file is JSON");
        Self {
            plugin: api["sessiontoken"].take(),
            comments: SIGNALS.map(read).concat(),
        }
    }

    fn reference(&self) -> String {
        let elements = self.plugin["elements"].as_object().expect("elements");
        let mut text = BEGINNING.to_owned();
        for (name, element) in elements {
            text += &format!("\n## {name}\n\n");
            let Some(_) = element.get("properties") else {
                text += "The same element as [`sessiontoken`](#sessiontoken), by another name.\n";
                continue;
            };
            let description = element["description"].as_str().expect("a description");
            let rank = element["rank"].as_str().expect("a rank");
            let class = element["klass"].as_str().expect("a class");
            let about = format!(
                "{description}. Class `{class}`, rank {}.",
                rank.to_uppercase()
            );
            text += &wrapped(&about, "", "");
            text += &self.members(element, "GstSessionToken");
        }
        let store = &self.plugin["other-types"]["GstSessionTokenStore"];
        text += "\n## GstSessionTokenStore\n\n";
        text += &wrapped(
            "The tokens of an element, as decryptors find them \
             ([key requests](key-requests.md#the-store)).",
            "",
            "",
        );
        text + &self.members(store, "GstSessionTokenStore")
    }

    fn members(&self, object: &Value, type_name: &str) -> String {
        let mut text = String::from("\n");
        for (name, property) in object["properties"].as_object().expect("properties") {
            text += &self.property(name, property);
        }
        for (name, signal) in object["signals"].as_object().into_iter().flatten() {
            let is_action = signal["action"] == true;
            let kind = if is_action { "action signal" } else { "signal" };
            let comment = self.comment(type_name, name);
            text += &wrapped(&format!("**`{name}`** ({kind}). {comment}"), "* ", "  ");
        }
        text
    }

    fn property(&self, name: &str, property: &Value) -> String {
        let kind = property["type"].as_str().expect("a type");
        let values = self.plugin["other-types"][kind]["values"].as_array();
        let mut about = vec![match (kind, values) {
            (_, Some(_)) => "enum".to_owned(),
            ("gboolean", _) => "boolean".to_owned(),
            ("gchararray", _) => "string".to_owned(),
            ("guint", _) => "uint".to_owned(),
            ("guint64", _) => "uint64".to_owned(),
            (other, _) => format!("`{other}`"),
        }];
        let bound = |name: &str| property[name].as_str().unwrap_or_default();
        let has_values = !["", "NULL"].contains(&bound("default"));
        let is_writable = property["writable"] == true;
        if has_values && is_writable {
            let default = bound("default").split(' ').next().expect("a word");
            about.push(format!("default `{default}`"));
        }
        // Where a bound is more than that of the type.
        let is_of_type = ["", "-1", "18446744073709551615"].contains(&bound("max"));
        if !is_of_type {
            about.push(format!("{} to {}", bound("min"), bound("max")));
        }
        if property["readable"] != true {
            about.push("write-only".to_owned());
        }
        if !is_writable {
            about.push("read-only".to_owned());
        }
        if property["mutable"] == "playing" {
            about.push("at any time".to_owned());
        }
        let blurb = property["blurb"].as_str().expect("a blurb");
        let entry = format!("**`{name}`** ({}). {blurb}.", about.join(", "));
        let mut text = wrapped(&entry, "* ", "  ");
        for value in values.into_iter().flatten() {
            let [nick, words] = ["name", "desc"].map(|name| value[name].as_str().expect("a text"));
            text += &wrapped(&format!("`{nick}`: {words}"), "  * ", "    ");
        }
        text
    }

    /// What a signal's comment says for people: the paragraphs between arguments and `Since`.
    fn comment(&self, type_name: &str, signal: &str) -> String {
        let heading = format!("* {type_name}::{signal}:\n");
        let (_, comment) = self
            .comments
            .split_once(&heading)
            .unwrap_or_else(|| panic!("no comment for {type_name}::{signal}"));
        let (comment, _) = comment.split_once("Since:").expect("its version");
        let mut paragraphs = comment.split("*\n");
        // The arguments.
        paragraphs.next();
        let words = paragraphs.flat_map(|text| text.split_whitespace().filter(|&word| word != "*"));
        let text: Vec<_> = words.collect();
        let text = text.join(" ");
        let plain = ["(nullable) ", "(transfer full): "];
        plain
            .iter()
            .fold(text, |text, annotation| text.replace(annotation, ""))
            .replace("%NULL", "NULL")
            .replace("#GstStructure", "`GstStructure`")
    }
}

/// Whoever looks a property up would find another one.
#[test]
fn reference_is_what_elements_say() {
    let made = Api::read().reference();
    if std::env::var_os("UPDATE_API").is_some() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(REFERENCE);
        fs::write(file, &made).expect("the file can be written");
    }
    assert!(
        read(REFERENCE) == made,
        "{REFERENCE} is not what the elements say any more: run `scripts/api --update`"
    );
}

/// A setting would be in no document.
#[test]
fn reference_names_every_property() {
    let reference = read(REFERENCE);
    let api = Api::read();
    let elements = api.plugin["elements"].as_object().expect("elements");
    let none = Map::new();
    let properties = elements
        .values()
        .flat_map(|element| element["properties"].as_object().unwrap_or(&none).keys());
    let mut count = 0;
    for property in properties {
        assert!(
            reference.contains(&format!("* **`{property}`** (")),
            "{property}"
        );
        count += 1;
    }
    assert!(count > 70, "only {count}");
}
