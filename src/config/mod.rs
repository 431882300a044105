// SPDX-License-Identifier: MIT OR Apache-2.0

//! Configuration of elements that a player does not create itself: a context on the pipeline, or
//! the environment. Both name properties of any of our elements, and each element takes what it
//! knows.

mod common;
mod configurable;
mod text;

use std::collections::HashSet;
use std::sync::Mutex;

use gst::glib;
use gst::prelude::*;

pub use common::{Common, string, text};
pub use configurable::{Configurable, Configured};

use crate::error::Failure;
use crate::token::Secret;
use crate::wait::lock;

/// Type of the context, name of its structure, and name of the structure in the environment.
pub const CONTEXT_TYPE: &str = "session-token-config";

/// The environment variable.
pub const VARIABLE: &str = "GST_SESSION_TOKEN_CONFIG";

/// One setting by name, its value as text.
struct Field {
    name: String,
    value: Secret,
}

/// The context that configures an element, once one was set.
#[derive(Default)]
struct Slot(Mutex<Option<gst::Context>>);

impl Slot {
    /// Keeps the context if it is one of ours.
    fn set_context(&self, context: &gst::Context) {
        if context.context_type() == CONTEXT_TYPE {
            *lock(&self.0) = Some(context.clone());
        }
    }

    fn get(&self) -> Option<gst::Context> {
        lock(&self.0).clone()
    }

    /// Asks the application for a context where there is none yet. It may answer by setting one
    /// before this returns.
    fn request_context(&self, element: &gst::Element) {
        if self.get().is_some() {
            return;
        }
        // Fails only where nobody listens.
        let _ = element.post_message(
            gst::message::NeedContext::builder(CONTEXT_TYPE)
                .src(element)
                .build(),
        );
    }
}

/// The settings that apply to `element` and are not `explicit` on it: those of the context before
/// those of the environment. Each comes with the property's type.
///
/// # Errors
///
/// `Misconfigured`, with the field's name and never its value, for a field that no element knows,
/// a secret by value, a value that does not fit the property, and text that is no structure.
fn settings_for(
    element: &glib::Object,
    explicit: &HashSet<String>,
    context: Option<&gst::Context>,
) -> Result<Vec<(String, glib::Value)>, Failure> {
    let mut taken = explicit.clone();
    let mut settings = Vec::new();
    for (source, fields) in [
        ("the context session-token-config", from_context(context)?),
        (VARIABLE, from_environment()?),
    ] {
        for field in fields {
            let pspec = known_property(&field.name, source)?;
            let value = convert(&field, &pspec, source)?;
            // GObject takes `_` for `-`; from here on the name is the property's own.
            let name = pspec.name();
            if element.find_property(name).is_some() && taken.insert(name.to_owned()) {
                settings.push((name.to_owned(), value));
            }
        }
    }
    Ok(settings)
}

/// The values of an element's own properties that a command line sets, as `name=value`, each with
/// the property's type. Secrets by value are not taken.
///
/// # Errors
///
/// `Misconfigured`, with the name and never the value.
pub fn from_arguments(
    element: &glib::Object,
    arguments: &[(String, String)],
) -> Result<Vec<(String, glib::Value)>, Failure> {
    let source = "the command line";
    let arguments = arguments.iter().map(|(name, value)| {
        let field = Field {
            name: name.clone(),
            value: Secret::from(&**value),
        };
        let pspec = known_property(name, source)?;
        if element.find_property(pspec.name()).is_none() {
            return Err(Failure::misconfigured(format!(
                "{source} sets `{name}`, which this element does not have"
            )));
        }
        Ok((pspec.name().to_owned(), convert(&field, &pspec, source)?))
    });
    arguments.collect()
}

/// The names of what the environment sets.
///
/// # Errors
///
/// `Misconfigured` for text that is no structure.
pub fn names_in_environment() -> Result<Vec<String>, Failure> {
    let fields = from_environment()?;
    Ok(fields.into_iter().map(|field| field.name).collect())
}

/// The property of that name of any of our elements.
fn known_property(name: &str, source: &str) -> Result<glib::ParamSpec, Failure> {
    let pspec = crate::element_types()
        .into_iter()
        .filter_map(|type_| {
            let class = glib::object::ObjectClass::from_type(type_)?;
            class
                .find_property(name)
                .filter(|pspec| pspec.owner_type() == type_)
        })
        .next()
        .ok_or_else(|| {
            Failure::misconfigured(format!(
                "{source} has a field `{name}` that no element of this plugin knows: \
                 see docs/reference.md"
            ))
        })?;
    let flags = pspec.flags();
    if !flags.contains(glib::ParamFlags::WRITABLE) {
        return Err(Failure::misconfigured(format!(
            "{source} sets `{name}`, which can only be read"
        )));
    }
    if !flags.contains(glib::ParamFlags::READABLE) {
        // GStreamer prints contexts and environments in its logs.
        return Err(Failure::misconfigured(format!(
            "{source} gives `{name}` by value, which GStreamer would log: set it from code, or use `{name}-file` where there is one"
        )));
    }
    Ok(pspec)
}

fn from_context(context: Option<&gst::Context>) -> Result<Vec<Field>, Failure> {
    let Some(context) = context else {
        return Ok(Vec::new());
    };
    let fields = fields_of(context.structure(), "the context session-token-config")?;
    Ok(fields
        .into_iter()
        .map(|(name, value)| Field { name, value })
        .collect())
}

/// The fields of a structure, in order. `source` is where it came from, for the error.
///
/// # Errors
///
/// `Misconfigured`, with the field's name, for one that is no simple value.
pub fn fields_of(
    structure: &gst::StructureRef,
    source: &str,
) -> Result<Vec<(String, Secret)>, Failure> {
    structure
        .iter()
        .map(|(name, value)| {
            let text = text_of(value).ok_or_else(|| {
                Failure::misconfigured(format!(
                    "{source} has a field `{name}` that is neither a string, a number, a boolean nor an enum"
                ))
            })?;
            Ok((name.to_string(), text))
        })
        .collect()
}

fn text_of(value: &glib::Value) -> Option<Secret> {
    if let Ok(text) = value.get::<String>() {
        return Some(Secret::new(text));
    }
    if let Ok(yes) = value.get::<bool>() {
        return Some(Secret::from(if yes { "true" } else { "false" }));
    }
    if let Some((_, value)) = glib::EnumValue::from_value(value) {
        return Some(Secret::from(value.nick()));
    }
    // GStreamer turns nearly everything into a string; only these come back as what they were.
    let is_simple = [
        glib::Type::I32,
        glib::Type::U32,
        glib::Type::I64,
        glib::Type::U64,
    ]
    .contains(&value.type_());
    let text = value.transform::<String>().ok().filter(|_| is_simple)?;
    text.get::<String>().ok().map(Secret::new)
}

fn from_environment() -> Result<Vec<Field>, Failure> {
    let text = match std::env::var(VARIABLE) {
        Ok(text) => Secret::new(text),
        Err(std::env::VarError::NotPresent) => return Ok(Vec::new()),
        Err(std::env::VarError::NotUnicode(_)) => {
            return Err(Failure::misconfigured(format!("{VARIABLE} is not UTF-8")));
        }
    };
    // Not `gst_structure_from_string`: it logs what it cannot parse.
    let fields = text::parse(text.expose(), CONTEXT_TYPE)
        .map_err(|complaint| Failure::misconfigured(format!("{VARIABLE}: {complaint}")))?;
    Ok(fields
        .into_iter()
        .map(|(name, value)| Field { name, value })
        .collect())
}

/// The value in the property's type.
fn convert(field: &Field, pspec: &glib::ParamSpec, source: &str) -> Result<glib::Value, Failure> {
    let text = field.value.expose();
    let type_ = pspec.value_type();
    let value = match type_ {
        glib::Type::STRING => Some(text.to_value()),
        glib::Type::BOOL => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Some(true.to_value()),
            "false" | "no" | "0" => Some(false.to_value()),
            _ => None,
        },
        glib::Type::U32 => number(text, |number: &u32| {
            pspec
                .downcast_ref::<glib::ParamSpecUInt>()
                .is_none_or(|range| (range.minimum()..=range.maximum()).contains(number))
        }),
        glib::Type::U64 => number(text, |number: &u64| {
            pspec
                .downcast_ref::<glib::ParamSpecUInt64>()
                .is_none_or(|range| (range.minimum()..=range.maximum()).contains(number))
        }),
        type_ if type_.is_a(glib::Type::ENUM) => {
            glib::EnumClass::with_type(type_).and_then(|class| class.to_value_by_nick(text))
        }
        _ => None,
    };
    value.ok_or_else(|| {
        Failure::misconfigured(format!(
            "{source} has a value for `{}` that is no {} the property takes",
            field.name,
            type_.name()
        ))
    })
}

fn number<T: std::str::FromStr + ToValue>(
    text: &str,
    is_in_range: impl Fn(&T) -> bool,
) -> Option<glib::Value> {
    let number = text.parse().ok().filter(is_in_range)?;
    Some(number.to_value())
}
