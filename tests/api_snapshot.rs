// SPDX-License-Identifier: MIT OR Apache-2.0

//! What other people's code depends on, as GObject tells it: compared with the files in `docs/plugins/`, so that a change of it is seen by
//! whoever reviews one. `UPDATE_API=1`, as `scripts/api --update` sets it, writes the files instead.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::slice;

use gst::glib;
use gst::glib::subclass::SignalId;
use gst::prelude::*;

/// Our elements.
const ELEMENTS: [&str; 4] = [
    "sessiontoken",
    "sessiontokensrc",
    "clearkeydec",
    "hlsdrmdemux",
];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/plugins"))
}

/// The files of our plugin as they should be, by name.
fn snapshot() -> BTreeMap<String, String> {
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
    let mut files: BTreeMap<_, _> = ELEMENTS
        .iter()
        .map(|name| (format!("{name}.txt"), element(name)))
        .collect();
    let store = store();
    files.insert(format!("{}.txt", store.type_()), object(&store));
    files
}

/// The tokens of an element, as a decryptor finds them.
fn store() -> glib::Object {
    let element = gst::ElementFactory::make("sessiontoken")
        .build()
        .expect("the element is there");
    let pad = element.static_pad("src").expect("it has a source pad");
    let mut query = gst::query::Context::new("drm-session-token");
    assert!(pad.query(&mut query), "it offers its store");
    let context = query.context_owned().expect("an answer");
    context
        .structure()
        .get("store")
        .expect("the store is in it")
}

fn element(name: &str) -> String {
    let factory = gst::ElementFactory::find(name).expect("the element is registered");
    let element = factory.create().build().expect("it can be made");
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{name}: {value}").expect("a string takes all");
    };
    line("Element", name);
    line("Type", &lineage(element.type_()));
    line("Rank", &i32::from(factory.rank()).to_string());
    for (what, key) in [
        ("Class", "klass"),
        ("Name", "long-name"),
        ("Description", "description"),
    ] {
        line(what, factory.metadata(key).expect("all elements have that"));
    }
    text + &pad_templates(&factory) + &interface(element.upcast_ref())
}

fn object(object: &glib::Object) -> String {
    format!(
        "Object\nType: {}\n{}",
        lineage(object.type_()),
        interface(object)
    )
}

/// The names of a type and of what it is made of, up to the first that is not ours.
fn lineage(type_: glib::Type) -> String {
    let mut names = vec![type_.name()];
    let mut next = type_;
    while is_ours(next)
        && let Some(parent) = next.parent()
    {
        names.push(parent.name());
        next = parent;
    }
    names.join(" < ")
}

/// What is a part of GStreamer's classes differs from version to version.
fn is_ours(type_: glib::Type) -> bool {
    !gst::Bin::static_type().is_a(type_)
}

fn pad_templates(factory: &gst::ElementFactory) -> String {
    let mut templates: Vec<_> = factory.static_pad_templates().into_iter().collect();
    templates.sort_by_key(|template| template.name_template());
    let mut text = "\nPad templates:\n".to_owned();
    for template in templates {
        let (direction, presence) = match (template.direction(), template.presence()) {
            (gst::PadDirection::Sink, presence) => ("sink", presence),
            (_, presence) => ("source", presence),
        };
        writeln!(
            text,
            "  {}: {direction}, {}",
            template.name_template(),
            match presence {
                gst::PadPresence::Sometimes => "sometimes",
                gst::PadPresence::Request => "on request",
                _ => "always",
            }
        )
        .expect("a string takes all");
        let caps = template.caps();
        if caps.is_any() {
            text += "    anything\n";
        }
        for (structure, features) in caps.iter_with_features() {
            let features = match features.to_string().as_str() {
                "memory:SystemMemory" => String::new(),
                others => format!(" ({others})"),
            };
            writeln!(
                text,
                "    {}{features}",
                structure.to_string().trim_end_matches(';')
            )
            .expect("a string takes all");
        }
    }
    text
}

/// Properties and signals.
fn interface(object: &glib::Object) -> String {
    let mut properties: Vec<_> = object
        .list_properties()
        .iter()
        .filter(|property| is_ours(property.owner_type()))
        .map(|property| (property.name().to_owned(), self::property(property)))
        .collect();
    properties.sort();
    let mut signals: Vec<_> = own_signals(object.type_()).map(signal).collect();
    signals.sort();
    let mut text = "\nProperties:\n".to_owned();
    text.extend(properties.into_iter().map(|(_, text)| text));
    if !signals.is_empty() {
        text += "\nSignals:\n";
        text.extend(signals);
    }
    text
}

fn property(property: &glib::ParamSpec) -> String {
    let type_ = property.value_type();
    let mut text = format!("  {}: {type_}\n", property.name());
    let mut line = |line: &str| {
        writeln!(text, "    {line}").expect("a string takes all");
    };
    line(&flags(property.flags()));
    if let Some(range) = range(property) {
        line(&format!("range: {range}"));
    }
    line(&format!("default: {}", value(property.default_value())));
    if let Some(class) = glib::EnumClass::with_type(type_) {
        for value in class.values() {
            let (number, nick, name) = (value.value(), value.nick(), value.name());
            line(&format!("value {number} {nick}: {name}"));
        }
    }
    line(&format!(
        "{}: {}",
        property.nick(),
        property.blurb().unwrap_or_default()
    ));
    text
}

/// What may be done with a property, and when.
fn flags(flags: glib::ParamFlags) -> String {
    use glib::ParamFlags;
    let mutable = gst::PARAM_FLAG_MUTABLE_READY
        | gst::PARAM_FLAG_MUTABLE_PAUSED
        | gst::PARAM_FLAG_MUTABLE_PLAYING;
    let names = [
        (ParamFlags::READABLE, "read"),
        (ParamFlags::WRITABLE, "write"),
        (ParamFlags::CONSTRUCT, "when constructed"),
        (ParamFlags::CONSTRUCT_ONLY, "only when constructed"),
        (ParamFlags::DEPRECATED, "deprecated"),
        (gst::PARAM_FLAG_CONTROLLABLE, "controllable"),
        (gst::PARAM_FLAG_MUTABLE_READY, "up to READY"),
        (gst::PARAM_FLAG_MUTABLE_PAUSED, "up to PAUSED"),
        (gst::PARAM_FLAG_MUTABLE_PLAYING, "up to PLAYING"),
    ];
    let mut texts: Vec<_> = names
        .into_iter()
        .filter(|(flag, _)| flags.contains(*flag))
        .map(|(_, text)| text)
        .collect();
    if flags.contains(ParamFlags::WRITABLE) && !flags.intersects(mutable) {
        texts.push("whenever");
    }
    texts.join(", ")
}

/// The least and the greatest value, of what has them.
fn range(property: &glib::ParamSpec) -> Option<String> {
    macro_rules! of {
        ($($numbers:ty),*) => {
            $(if let Some(property) = property.downcast_ref::<$numbers>() {
                return Some(format!("{} to {}", property.minimum(), property.maximum()));
            })*
        };
    }
    of!(
        glib::ParamSpecInt,
        glib::ParamSpecUInt,
        glib::ParamSpecInt64,
        glib::ParamSpecUInt64,
        glib::ParamSpecFloat,
        glib::ParamSpecDouble
    );
    None
}

fn value(value: &glib::Value) -> String {
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return value.nick().to_owned();
    }
    if let Ok(text) = value.get::<Option<&str>>() {
        return text.map_or_else(|| "none".to_owned(), |text| format!("\"{text}\""));
    }
    // Boxed types have no other default, and GStreamer warns where theirs is printed.
    if value.type_().is_a(glib::Type::BOXED) {
        return "none".to_owned();
    }
    value
        .transform::<String>()
        .ok()
        .and_then(|text| text.get::<Option<String>>().ok().flatten())
        .unwrap_or_else(|| "none".to_owned())
}

/// The signals of our own types among those that this one is made of.
fn own_signals(type_: glib::Type) -> impl Iterator<Item = SignalId> {
    std::iter::successors(Some(type_), |type_| type_.parent())
        .take_while(|type_| is_ours(*type_))
        .flat_map(signals_of)
}

fn signals_of(type_: glib::Type) -> Vec<SignalId> {
    use glib::translate::IntoGlib;
    let mut count = 0;
    // SAFETY: what is returned are so many valid ids, and they are ours to free.
    unsafe {
        let ids = glib::gobject_ffi::g_signal_list_ids(type_.into_glib(), &mut count);
        if ids.is_null() {
            return Vec::new();
        }
        let signals = slice::from_raw_parts(ids, count as usize)
            .iter()
            .filter_map(|id| NonZeroU32::new(*id))
            .map(|id| SignalId::new(id))
            .collect();
        glib::ffi::g_free(ids.cast());
        signals
    }
}

fn signal(signal: SignalId) -> String {
    let query = signal.query();
    let arguments: Vec<_> = query
        .param_types()
        .iter()
        .map(|argument| argument.type_().name())
        .collect();
    let names = [
        (glib::SignalFlags::RUN_FIRST, "run first"),
        (glib::SignalFlags::RUN_LAST, "run last"),
        (glib::SignalFlags::RUN_CLEANUP, "run cleanup"),
        (glib::SignalFlags::DETAILED, "detailed"),
        (glib::SignalFlags::ACTION, "action"),
        (glib::SignalFlags::NO_HOOKS, "no hooks"),
        (glib::SignalFlags::DEPRECATED, "deprecated"),
    ];
    let flags: Vec<_> = names
        .into_iter()
        .filter(|(flag, _)| query.flags().contains(*flag))
        .map(|(_, text)| text)
        .collect();
    format!(
        "  {} ({}) -> {}\n    {}\n",
        query.signal_name(),
        arguments.join(", "),
        query.return_type().type_(),
        flags.join(", ")
    )
}

/// The part in which two texts differ, with what stands before it: `-` is the file's, `+` the plugin's.
fn difference(file: &str, plugin: &str) -> String {
    const CONTEXT: usize = 3;
    let (old, new): (Vec<_>, Vec<_>) = (file.lines().collect(), plugin.lines().collect());
    let same = |(a, b): &(&&str, &&str)| a == b;
    let before = old.iter().zip(&new).take_while(same).count();
    let (old_rest, new_rest) = (&old[before..], &new[before..]);
    let after = old_rest
        .iter()
        .rev()
        .zip(new_rest.iter().rev())
        .take_while(same)
        .count();
    let context = &old[before.saturating_sub(CONTEXT)..before];
    let marked = |mark: char, lines: &[&str]| {
        lines
            .iter()
            .map(|line| format!("{mark} {line}\n"))
            .collect::<String>()
    };
    marked(' ', context)
        + &marked('-', &old_rest[..old_rest.len() - after])
        + &marked('+', &new_rest[..new_rest.len() - after])
}

fn files_there() -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder()) else {
        return BTreeMap::new();
    };
    entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| {
            let name = path
                .file_name()
                .expect("files have names")
                .to_string_lossy();
            (
                name.into_owned(),
                fs::read_to_string(&path).expect("a text"),
            )
        })
        .collect()
}

fn update(expected: &BTreeMap<String, String>) {
    fs::create_dir_all(folder()).expect("the folder can be made");
    for name in files_there()
        .keys()
        .filter(|name| !expected.contains_key(*name))
    {
        fs::remove_file(folder().join(name)).expect("the file can go");
    }
    for (name, text) in expected {
        fs::write(folder().join(name), text).expect("the file can be written");
    }
}

/// Applications, configurations and decryptors would break without anybody having meant it.
#[test]
fn the_public_api_is_as_documented() {
    let expected = snapshot();
    if std::env::var_os("UPDATE_API").is_some() {
        update(&expected);
    }
    let there = files_there();
    let mut differences = String::new();
    let names: BTreeSet<_> = expected.keys().chain(there.keys()).collect();
    for name in names {
        let of = |files: &BTreeMap<String, String>| files.get(name).cloned().unwrap_or_default();
        let (file, plugin) = (of(&there), of(&expected));
        if file != plugin {
            let difference = difference(&file, &plugin);
            write!(differences, "\ndocs/plugins/{name}:\n{difference}")
                .expect("a string takes all");
        }
    }
    assert!(
        differences.is_empty(),
        "the public API is not what the files say (-) any more (+).\n{differences}\n\
         If that is meant, run `scripts/api --update`, review what `git diff docs/plugins` says, and put it into CHANGELOG.md."
    );
}

/// Whoever reviews would not see which property has changed, in whatever place it is.
#[test]
fn a_difference_is_shown_where_it_is() {
    assert_eq!(
        difference("a\nb\nc\nd\ne\n", "a\nb\nc\nD\ne\n"),
        "  a\n  b\n  c\n- d\n+ D\n"
    );
    assert_eq!(difference("a\nb\n", "b\n"), "- a\n");
    assert_eq!(difference("a\na\n", "a\n"), "  a\n- a\n");
    assert_eq!(difference("", "a\n"), "+ a\n");
}
