// SPDX-License-Identifier: MIT OR Apache-2.0

//! What other people's code depends on, as GObject tells it: compared with
//! `docs/plugins/gst_plugins_cache.json`, so that a change of it is seen by whoever reviews one.
//! `UPDATE_API=1`, as `scripts/api --update` sets it, writes the file instead.
//!
//! The file is what GStreamer's `gst-hotdoc-plugins-scanner` writes, from which hotdoc makes the
//! plugin's pages. That program is in no distribution, so the file is written here.

use std::fmt::Write;
use std::fs;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::slice;

use gst::glib;
use gst::glib::subclass::SignalId;
use gst::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value, json};

fn file() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/docs/plugins/gst_plugins_cache.json"
    ))
}

/// The file as it should be.
fn snapshot() -> String {
    gst::init().expect("GStreamer starts");
    gstsessiontoken::plugin_register_static().expect("the plugin registers");
    let registry = gst::Registry::get();
    let plugin = registry
        .find_plugin("sessiontoken")
        .expect("the plugin is there");
    let mut types = Map::new();
    let mut elements = Map::new();
    let mut tracers = Map::new();
    for feature in registry.features_by_plugin(&plugin.plugin_name()) {
        let name = feature.name();
        match feature.downcast::<gst::ElementFactory>() {
            Ok(factory) => elements.insert(name.into(), element(&factory, &mut types)),
            Err(feature) => {
                let factory = feature.downcast::<gst::TracerFactory>();
                let factory = factory.expect("it has elements and tracers");
                tracers.insert(name.into(), tracer(&factory))
            }
        };
    }
    pretty(&json!({
        plugin.plugin_name().as_str(): {
            "description": plugin.description().as_str(),
            "elements": elements,
            "filename": "gstsessiontoken",
            "license": plugin.license().as_str(),
            "other-types": types,
            "package": plugin.package().as_str(),
            "source": plugin.source().as_str(),
            "tracers": tracers,
            "url": plugin.origin().as_str(),
        }
    }))
}

fn pretty(value: &Value) -> String {
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, format);
    value
        .serialize(&mut serializer)
        .expect("a vector takes all");
    text.push(b'\n');
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn element(factory: &gst::ElementFactory, types: &mut Map<String, Value>) -> Value {
    let element = factory.create().build().expect("it can be made");
    let mut described = json!({
        "pad-templates": pad_templates(factory),
        "rank": rank(factory.rank()),
    });
    for key in factory.metadata_keys() {
        described[key.as_str()] = factory.metadata(&key).into();
    }
    describe(element.upcast_ref(), &mut described, types);
    described
}

fn tracer(factory: &gst::TracerFactory) -> Value {
    let factory = factory.clone().load().expect("the plugin is loaded");
    let factory = factory.downcast::<gst::TracerFactory>().expect("the same");
    let types = std::iter::successors(Some(factory.tracer_type()), |type_| type_.parent());
    let names: Vec<_> = types.map(|type_| type_.name()).collect();
    json!({ "hierarchy": names })
}

/// A rank, by the nearest that has a name.
fn rank(rank: gst::Rank) -> String {
    let names = [
        (gst::Rank::NONE, "none"),
        (gst::Rank::MARGINAL, "marginal"),
        (gst::Rank::SECONDARY, "secondary"),
        (gst::Rank::PRIMARY, "primary"),
    ];
    let distance = |named: gst::Rank| i32::from(rank) - i32::from(named);
    let (nearest, name) = names
        .into_iter()
        .min_by_key(|(named, _)| distance(*named).abs())
        .expect("there are some");
    match distance(nearest) {
        0 => name.to_owned(),
        more @ 1.. => format!("{name} + {more}"),
        less => format!("{name} - {}", -less),
    }
}

fn pad_templates(factory: &gst::ElementFactory) -> Value {
    let described = factory.static_pad_templates().into_iter().map(|template| {
        let described = json!({
            "caps": caps(&template.caps()),
            "direction": match template.direction() {
                gst::PadDirection::Sink => "sink",
                _ => "src",
            },
            "presence": match template.presence() {
                gst::PadPresence::Sometimes => "sometimes",
                gst::PadPresence::Request => "request",
                _ => "always",
            },
        });
        // Hotdoc takes names for formats.
        (template.name_template().replace('%', "%%"), described)
    });
    Value::Object(described.collect())
}

fn caps(caps: &gst::Caps) -> String {
    if caps.is_any() {
        return "ANY".to_owned();
    }
    let mut text = String::new();
    for (structure, features) in caps.iter_with_features() {
        assert_eq!(features.to_string(), "memory:SystemMemory");
        writeln!(text, "{}:", structure.name()).expect("a string takes all");
        for (name, value) in structure.iter() {
            let value = value.serialize().expect("what stands in caps has a text");
            writeln!(text, "{name:>15}: {value}").expect("a string takes all");
        }
    }
    text
}

/// What an object is made of, its properties and its signals.
fn describe(object: &glib::Object, described: &mut Value, types: &mut Map<String, Value>) {
    let type_ = object.type_();
    let hierarchy = std::iter::successors(Some(type_), |type_| type_.parent());
    described["hierarchy"] = hierarchy.map(|type_| type_.name()).collect();
    let interfaces = type_.interfaces();
    if !interfaces.is_empty() {
        described["interfaces"] = interfaces.iter().map(|type_| type_.name()).collect();
    }
    let own = |property: &&glib::ParamSpec| property.owner_type() == type_;
    let properties: Map<_, _> = object
        .list_properties()
        .iter()
        .filter(own)
        .map(|property| {
            let value_type = property.value_type();
            if let Some(class) = glib::EnumClass::with_type(value_type) {
                types.insert(value_type.name().to_owned(), values(&class));
            }
            if value_type.is_a(glib::Type::OBJECT) {
                let mut described = json!({"kind": "object"});
                let object = glib::Object::with_type(value_type);
                describe(&object, &mut described, types);
                types.insert(value_type.name().to_owned(), described);
            }
            let value = self::property(object, property);
            (property.name().to_owned(), value)
        })
        .collect();
    let signals: Map<_, _> = signals_of(type_).into_iter().map(signal).collect();
    for (name, members) in [("properties", properties), ("signals", signals)] {
        if !members.is_empty() {
            described[name] = Value::Object(members);
        }
    }
}

fn values(class: &glib::EnumClass) -> Value {
    let values: Value = class
        .values()
        .iter()
        .map(|value| {
            json!({
                "desc": value.name(),
                "name": value.nick(),
                "value": value.value().to_string(),
            })
        })
        .collect();
    json!({"kind": "enum", "values": values})
}

fn property(object: &glib::Object, property: &glib::ParamSpec) -> Value {
    let flags = property.flags();
    let mutable = [
        (gst::PARAM_FLAG_MUTABLE_PLAYING, "playing"),
        (gst::PARAM_FLAG_MUTABLE_PAUSED, "paused"),
        (gst::PARAM_FLAG_MUTABLE_READY, "ready"),
    ];
    let until = mutable.into_iter().find(|(flag, _)| flags.contains(*flag));
    let mut described = json!({
        "blurb": property.blurb(),
        // GST_PARAM_CONDITIONALLY_AVAILABLE (GStreamer 1.18): none of ours is.
        "conditionally-available": false,
        "construct": flags.contains(glib::ParamFlags::CONSTRUCT),
        "construct-only": flags.contains(glib::ParamFlags::CONSTRUCT_ONLY),
        "controllable": flags.contains(gst::PARAM_FLAG_CONTROLLABLE),
        "mutable": until.map_or("null", |(_, name)| name),
        "readable": flags.contains(glib::ParamFlags::READABLE),
        "type": property.value_type().name(),
        "writable": flags.contains(glib::ParamFlags::WRITABLE),
    });
    let value = if flags.contains(glib::ParamFlags::READABLE) {
        object.property_value(property.name())
    } else {
        property.default_value().clone()
    };
    if let Some(default) = default(&value) {
        described["default"] = default.into();
    }
    if let Some((least, greatest)) = range(property) {
        described["min"] = least.into();
        described["max"] = greatest.into();
    }
    described
}

fn default(value: &glib::Value) -> Option<String> {
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return Some(format!("{} ({})", value.nick(), value.value()));
    }
    if let Ok(text) = value.get::<Option<String>>() {
        return Some(text.unwrap_or_else(|| "NULL".to_owned()));
    }
    if let Ok(yes) = value.get::<bool>() {
        return Some(yes.to_string());
    }
    if let Ok(structure) = value.get::<Option<gst::Structure>>() {
        return structure.map(|structure| structure.to_string());
    }
    // What else is boxed has none that can be told, nor has an object.
    if value.type_().is_a(glib::Type::BOXED) || value.type_().is_a(glib::Type::OBJECT) {
        return None;
    }
    let text = value.transform::<String>().ok()?;
    text.get::<Option<String>>().ok().flatten()
}

/// The least and the greatest value, of what has them.
fn range(property: &glib::ParamSpec) -> Option<(String, String)> {
    macro_rules! of {
        ($($numbers:ty as $printed:ty),*) => {
            $(if let Some(property) = property.downcast_ref::<$numbers>() {
                return Some((
                    (property.minimum() as $printed).to_string(),
                    (property.maximum() as $printed).to_string(),
                ));
            })*
        };
    }
    // The scanner prints a `guint` with `%d`.
    of!(
        glib::ParamSpecInt as i32,
        glib::ParamSpecUInt as i32,
        glib::ParamSpecInt64 as i64,
        glib::ParamSpecUInt64 as u64,
        glib::ParamSpecFloat as f32,
        glib::ParamSpecDouble as f64
    );
    None
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

fn signal(signal: SignalId) -> (String, Value) {
    let query = signal.query();
    let arguments: Value = query
        .param_types()
        .iter()
        .enumerate()
        .map(|(at, type_)| json!({"name": format!("arg{at}"), "type": type_.type_().name()}))
        .collect();
    let mut described = json!({
        "args": arguments,
        "return-type": query.return_type().type_().name(),
    });
    let flags = query.flags();
    let when = [
        (glib::SignalFlags::RUN_FIRST, "first"),
        (glib::SignalFlags::RUN_LAST, "last"),
        (glib::SignalFlags::RUN_CLEANUP, "cleanup"),
    ];
    if let Some((_, when)) = when.into_iter().find(|(flag, _)| flags.contains(*flag)) {
        described["when"] = when.into();
    }
    let others = [
        (glib::SignalFlags::NO_RECURSE, "no-recurse"),
        (glib::SignalFlags::DETAILED, "detailed"),
        (glib::SignalFlags::ACTION, "action"),
        (glib::SignalFlags::NO_HOOKS, "no-hooks"),
    ];
    for (_, name) in others.iter().filter(|(flag, _)| flags.contains(*flag)) {
        described[*name] = true.into();
    }
    (query.signal_name().to_owned(), described)
}

/// The part in which two texts differ, with what stands before it: `-` is the file's, `+` the
/// plugin's.
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

/// Applications, configurations and decryptors would break without anybody having meant it.
#[test]
fn public_api_is_as_documented() {
    let plugin = snapshot();
    if std::env::var_os("UPDATE_API").is_some() {
        fs::write(file(), &plugin).expect("the file can be written");
    }
    let there = fs::read_to_string(file()).expect("the file is there");
    assert!(
        there == plugin,
        "the public API is not what the file says (-) any more (+).\n{}\n\
         If that is meant, run `scripts/api --update`, review what `git diff docs/plugins` says, \
         and put it into CHANGELOG.md.",
        difference(&there, &plugin)
    );
}

/// Whoever reviews would not see which property has changed, in whatever place it is.
#[test]
fn difference_is_shown_where_it_is() {
    assert_eq!(
        difference("a\nb\nc\nd\ne\n", "a\nb\nc\nD\ne\n"),
        "  a\n  b\n  c\n- d\n+ D\n"
    );
    assert_eq!(difference("a\nb\n", "b\n"), "- a\n");
    assert_eq!(difference("a\na\n", "a\n"), "  a\n- a\n");
    assert_eq!(difference("", "a\n"), "+ a\n");
}
