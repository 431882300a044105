// SPDX-License-Identifier: MIT OR Apache-2.0

//! Caps before and behind the decryptor, and the pads' templates.

use gst::prelude::*;

/// What describes the encryption in the caps, and has no place behind it.
const ENCRYPTION_FIELDS: [&str; 3] = ["protection-system", "original-media-type", "cipher-mode"];

/// Schemes that can be decrypted.
const CIPHER_MODES: [&str; 2] = ["cenc", "cbcs"];

/// Names of protected caps, by scheme.
const PROTECTED: [&str; 2] = ["application/x-cenc", "application/x-cbcs"];

/// Those of sink and source pad of a decryptor for these systems.
pub fn templates(systems: &[&str]) -> Vec<gst::PadTemplate> {
    let any = gst::Structure::new_empty("any");
    let sink = protected(&any, systems).into_iter().collect::<gst::Caps>();
    [
        ("sink", gst::PadDirection::Sink, sink),
        ("src", gst::PadDirection::Src, gst::Caps::new_any()),
    ]
    .into_iter()
    .map(|(name, direction, caps)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps)
            .expect("a valid template")
    })
    .collect()
}

/// A structure for each scheme, system and case: `gst_protection_select_system` looks for a plain
/// string, and caps are compared by case, while some MPDs write system ids in upper case.
fn protected(fields: &gst::StructureRef, systems: &[&str]) -> Vec<gst::Structure> {
    systems
        .iter()
        .flat_map(|system| [(*system).to_owned(), system.to_ascii_uppercase()])
        .flat_map(|system| {
            PROTECTED.map(|name| {
                let mut structure = fields.to_owned();
                structure.set_name(name);
                structure.set("protection-system", &system);
                structure
            })
        })
        .collect()
}

/// What the sink pad of a decryptor for these systems takes, where downstream takes this.
fn before(downstream: &gst::CapsRef, systems: &[&str]) -> gst::Caps {
    downstream
        .iter()
        .flat_map(|structure| {
            let mut fields = structure.to_owned();
            fields.set("original-media-type", structure.name().as_str());
            protected(&fields, systems)
        })
        .collect()
}

/// Whether that is what a demuxer says of protected streams.
fn is_protected(caps: &gst::CapsRef) -> bool {
    let mut names = caps.iter().map(|structure| structure.name());
    names.any(|name| PROTECTED.contains(&name.as_str()) || name == "application/x-webm-enc")
}

/// The caps behind the decryptor. Those of a clear stream stay: in a line that is written out such
/// a stream may come too.
///
/// # Errors
///
/// What is wrong with the ones before it.
pub fn behind(caps: &gst::CapsRef) -> Result<gst::Caps, String> {
    if !caps.is_empty() && !is_protected(caps) {
        return Ok(caps.to_owned());
    }
    let mut decrypted = caps.to_owned();
    let structure = decrypted
        .make_mut()
        .structure_mut(0)
        .ok_or("the caps are empty")?;
    if let Ok(mode) = structure.get::<String>("cipher-mode")
        && !CIPHER_MODES.contains(&mode.as_str())
    {
        return Err(format!(
            "the cipher mode {mode} is not supported, only cenc and cbcs are"
        ));
    }
    let media_type = structure
        .get::<String>("original-media-type")
        .map_err(|_| "the caps do not name the original media type")?;
    if !is_media_type(&media_type) {
        return Err("the original media type in the caps is not a valid name".to_owned());
    }
    structure.set_name(&media_type);
    structure.remove_fields(ENCRYPTION_FIELDS);
    Ok(decrypted)
}

/// Answers the queries for the caps of a decryptor's sink pad: what downstream takes, protected or
/// clear. Caps that are in the template are accepted, also where downstream takes none of them:
/// what follows says what is wrong, which a refusal does not. `false` for other queries.
pub fn answer(
    query: &mut gst::QueryRef,
    sinkpad: &gst::Pad,
    srcpad: &gst::Pad,
    systems: &[&str],
) -> bool {
    match query.view_mut() {
        gst::QueryViewMut::Caps(query) => {
            answer_caps(query, sinkpad, srcpad, systems);
            true
        }
        gst::QueryViewMut::AcceptCaps(query) => {
            let caps = query.caps_owned();
            let is_accepted = match is_protected(&caps) {
                true => caps.is_subset(&sinkpad.pad_template_caps()),
                false => srcpad.peer_query_accept_caps(&caps),
            };
            query.set_result(is_accepted);
            true
        }
        _ => false,
    }
}

fn answer_caps(
    query: &mut gst::query::Caps,
    sinkpad: &gst::Pad,
    srcpad: &gst::Pad,
    systems: &[&str],
) {
    let template = sinkpad.pad_template_caps();
    let mut caps = srcpad.peer_query_caps(None);
    if !caps.is_any() {
        let protected = before(&caps, systems);
        let mut all = template.intersect_with_mode(&protected, gst::CapsIntersectMode::First);
        all.merge(caps);
        caps = all;
    }
    if let Some(filter) = query.filter() {
        caps = filter.intersect_with_mode(&caps, gst::CapsIntersectMode::First);
    }
    query.set_result(&caps);
}

/// Whether a structure may have that name (`gst_structure_validate_name`).
fn is_media_type(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.:+".contains(&byte))
}
