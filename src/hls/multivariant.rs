// SPDX-License-Identifier: MIT OR Apache-2.0

//! Multivariant playlists: the playlists that they name are had from another place.

use url::Url;

use super::active_keys::{ActiveKeys, Protection};
use super::key_tag::KeyTag;
use super::resource::FirstKey;
use super::rewrite::{Context, Rewritten};
use super::tags::{Tag, tag};
use super::uris::{Base, Objection};
use super::url_map::UrlMap;
use super::writer::Writer;

/// Playlists in which key tags are looked for. A ladder has some ten, and as many renditions.
const MAX_PLAYLISTS: usize = 32;

/// Rewrites one.
pub fn rewrite(
    playlist: &str,
    context: &Context,
    map: &mut impl UrlMap,
) -> Result<Rewritten, Objection> {
    let mut base = context.base();
    let mut out = Writer::new(playlist.len(), context.is_wanted);
    let mut playlists = Vec::new();
    let mut keys = ActiveKeys::default();
    let mut is_playlist_next = false;
    for line in playlist.lines() {
        let line = out.next_line(line)?;
        match tag(line) {
            Tag::Named("EXT-X-DEFINE", list) => {
                context.define(&mut base, list)?;
                out.write(line)?;
            }
            Tag::Named("EXT-X-STREAM-INF", _) => {
                is_playlist_next = true;
                out.write(line)?;
            }
            Tag::Named(name @ ("EXT-X-MEDIA" | "EXT-X-I-FRAME-STREAM-INF"), list) => {
                let list = base.with_uri(list, |url| {
                    if name == "EXT-X-MEDIA" {
                        remember(&mut playlists, url);
                    }
                    Some(map.playlist(url))
                })?;
                out.write_tag(name, &list)?;
            }
            // What the demuxer would ask a DRM system for is none of its business.
            Tag::Named("EXT-X-SESSION-KEY", list) => {
                base.count_tag()?;
                let key = KeyTag::read(&base.substitute(list)?);
                // Of several keys of one format the first.
                if !keys.has(&key.key_format) {
                    keys.apply(key);
                }
            }
            Tag::Named(name, list) if list.contains("URI") => {
                let list = base.with_absolute_uris(list)?;
                out.write_tag(name, &list)?;
            }
            Tag::Uri(uri) if std::mem::take(&mut is_playlist_next) => match base.fetched(uri)? {
                Some(url) => {
                    remember(&mut playlists, &url);
                    out.write(&map.playlist(&url))?;
                }
                None => out.write(uri)?,
            },
            Tag::Named(..) | Tag::Uri(_) | Tag::Other => out.write(line)?,
        }
    }
    Ok(Rewritten {
        session_key: session_key(&mut keys, &base)?,
        playlists,
        text: out.into_text(),
        variables: base.variables,
        ..Rewritten::default()
    })
}

fn remember(playlists: &mut Vec<Url>, url: &Url) {
    if playlists.len() < MAX_PLAYLISTS && !playlists.contains(url) {
        playlists.push(url.clone());
    }
}

fn session_key(keys: &mut ActiveKeys, base: &Base) -> Result<Option<FirstKey>, Objection> {
    Ok(match keys.protection()? {
        Protection::Drm(boxes) => Some(FirstKey::Drm(boxes.clone())),
        Protection::SampleAes(key) => base.fetched(&key.uri)?.map(FirstKey::Identity),
        _ => None,
    })
}
