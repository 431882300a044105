// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a playlist says of protection, before it is rewritten: clear parts of a protected
//! presentation are treated in another way than those of a clear one.

use url::Url;

use super::active_keys::{ActiveKeys, Protection};
use super::attributes::text;
use super::key_tag::{KeyTag, Kind};
use super::resource::{ByteRange, FirstKey};
use super::rewrite::{Context, checked};
use super::tags::{Tag, tag};
use super::uris::Objection;
use super::writer::Writer;

/// What there is to know.
#[derive(Debug, Default)]
pub struct Survey {
    /// What protects the first protected segments that have an init segment.
    pub first: Option<FirstKey>,
    /// Where the first init segments of protected segments are. Playlists name a key for clear ones
    /// too, which only the init segment shows.
    pub inits: Vec<InitLocation>,
    pub has_init_segment: bool,
    /// More segments will come (no EXT-X-ENDLIST), and what is clear now may be an advertisement: a
    /// tag says that something is not protected, or marks a break.
    pub may_become_protected: bool,
}

/// Where an init segment lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitLocation {
    pub url: Url,
    pub range: Option<ByteRange>,
}

/// Init segments that are looked at for one that is protected.
const MAX_INITS: usize = 4;

/// Reads a media playlist, as far as it takes to know its first protected segments.
///
/// # Errors
///
/// What is wrong with it, to go on after "the playlist".
pub fn survey(playlist: &str, context: &Context) -> Result<Survey, Objection> {
    let playlist = checked(playlist)?;
    let mut base = context.base();
    let mut lines = Writer::new(0, context.is_wanted);
    let mut keys = ActiveKeys::default();
    let mut init = None;
    let mut found = Survey::default();
    let (mut has_end, mut has_break) = (false, false);
    for line in playlist.lines() {
        let line = lines.next_line(line)?;
        match tag(line) {
            Tag::Named("EXT-X-DEFINE", list) => context.define(&mut base, list)?,
            Tag::Named("EXT-X-KEY", list) => {
                base.count_tag()?;
                let key = KeyTag::read(&base.substitute(list)?);
                has_break |= key.kind == Kind::None;
                keys.apply(key);
            }
            Tag::Named("EXT-X-MAP", list) => {
                base.count_tag()?;
                if let Some(url) = base.fetched(text(list, "URI").unwrap_or_default())? {
                    let range = text(list, "BYTERANGE").map(|range| base.substitute(range));
                    let range = range.transpose()?;
                    let range = range.as_deref().and_then(ByteRange::from_start);
                    init = Some(InitLocation { url, range });
                }
            }
            Tag::Uri(_) => {
                let Some(init) = &init else {
                    continue;
                };
                let key = match keys.protection()? {
                    Protection::Drm(boxes) => Some(FirstKey::Drm(boxes.clone())),
                    Protection::SampleAes(key) => base.fetched(&key.uri)?.map(FirstKey::Identity),
                    _ => None,
                };
                let Some(key) = key else {
                    continue;
                };
                found.first.get_or_insert(key);
                if !found.inits.contains(init) {
                    found.inits.push(init.clone());
                }
                if found.inits.len() == MAX_INITS {
                    break;
                }
            }
            Tag::Named("EXT-X-DATERANGE", list) => has_break |= list.contains("SCTE35"),
            Tag::Named(name, _) => has_break |= marks_break(name),
            Tag::Other => {
                has_end |= line.starts_with("#EXT-X-ENDLIST");
                has_break |= marks_break(line.trim_start_matches('#').trim_end());
            }
        }
    }
    Ok(Survey {
        has_init_segment: init.is_some(),
        may_become_protected: found.first.is_none() && !has_end && has_break,
        ..found
    })
}

/// Whether a tag stands where something is inserted (SCTE 35 in HLS, and what vendors write).
fn marks_break(name: &str) -> bool {
    [
        "EXT-X-DISCONTINUITY",
        "EXT-X-CUE",
        "EXT-OATCLS-SCTE35",
        "EXT-X-SCTE35",
        "EXT-X-ASSET",
        "EXT-X-SPLICEPOINT",
    ]
    .iter()
    .any(|begin| name.starts_with(begin))
}
