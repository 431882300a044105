// SPDX-License-Identifier: MIT OR Apache-2.0

//! Init segments as the demuxer gets them: with the boxes that decryptors need, decrypted, or
//! looking like those of protected parts.

use std::sync::Arc;

use hyper::body::Bytes;

use super::paths::{InitPath, PathProtection};
use super::playlists::look_around;
use super::presentation::{Presentation, Refusal};
use super::url_map::Model;
use crate::cenc::{KeyId, PRIVATE_SYSTEM_ID, clear_pssh, pssh};
use crate::error::{Failure, MissingPlugin};
use crate::hls::{
    FirstKey, InitLocation, KeyBoxes, Scheme, SharedBox, as_clear, decode_data_uri, decrypt_aes128,
    insert_free_box, is_clear, is_mp4, is_protected, key_ids_of, pssh_boxes, scheme_of, splice,
    systems, with_only,
};

/// A box with nothing in it.
const SMALLEST_BOX: u32 = 8;

/// What is to become of an init segment.
#[derive(Clone)]
enum Treatment {
    Stays,
    Drm(KeyBoxes),
    /// With that `pssh` box and no other.
    Private(Vec<u8>),
    Clear(Arc<Model>),
}

/// The init segment as the demuxer gets it.
///
/// # Errors
///
/// Why it is not to be had, or cannot be played.
pub async fn init_segment(
    presentation: &Arc<Presentation>,
    init: &InitPath,
) -> Result<Bytes, Refusal> {
    let at = InitLocation {
        url: init.url.clone(),
        range: init.range,
    };
    let raw = decrypted(presentation, presentation.raw_init(&at).await?, init).await?;
    let treatment = match &init.protection {
        PathProtection::None => Treatment::Stays,
        // What a playlist says of keys is for what is behind it, which is not encrypted.
        PathProtection::Drm(_) | PathProtection::Identity(_) if is_unprotected(&raw) => {
            Treatment::Clear(model(presentation).await?)
        }
        PathProtection::Drm(digest) => {
            Treatment::Drm(presentation.map.boxes(*digest).ok_or(Refusal::Gone)?)
        }
        PathProtection::Identity(key) => identity(presentation, &raw, key).await?,
        PathProtection::Clear => Treatment::Clear(model(presentation).await?),
    };
    let treated = treated(presentation, raw, treatment).await?;
    Ok(match presentation.map.number(init) {
        Some(number) if is_mp4(&treated) => insert_free_box(&treated, number * SMALLEST_BOX).into(),
        _ => treated,
    })
}

/// The init segment in the clear. Packagers encrypt it or not, and no tag says so for sure.
async fn decrypted(
    presentation: &Arc<Presentation>,
    raw: Bytes,
    init: &InitPath,
) -> Result<Bytes, Refusal> {
    let Some(cipher) = init.cipher.as_ref().filter(|_| !is_clear(&raw)) else {
        return Ok(raw);
    };
    let key = presentation.keys.content_key(&cipher.key).await;
    let key = key.map_err(Refusal::Key)?;
    // Required where it is encrypted (RFC 8216, 4.3.2.5); some leave it out where it is zero.
    let iv = cipher.iv.unwrap_or_default();
    let decrypting = presentation.compute(move |_| decrypt_aes128(&key, iv, &raw));
    let clear = decrypting.await?.ok().filter(|clear| is_clear(clear));
    clear.map(Bytes::from).ok_or_else(|| {
        Refusal::Key(Failure::malformed(
            "the init segment is no MP4, and is none decrypted with its key (METHOD=AES-128): its \
             key or its IV is another one",
        ).of_stream())
    })
}

/// Whether that is an MP4 of which no track is protected.
fn is_unprotected(init: &[u8]) -> bool {
    is_mp4(init) && !is_protected(init)
}

/// What becomes of the init segment whose key is at that URL.
async fn identity(
    presentation: &Arc<Presentation>,
    raw: &[u8],
    key: &url::Url,
) -> Result<Treatment, Refusal> {
    let key_ids = key_ids_of(raw);
    if key_ids.is_empty() {
        let what = match is_mp4(raw) {
            true => "names no key id (`tenc`), which its samples are encrypted with",
            false => {
                "is none of fragmented MP4, which METHOD=SAMPLE-AES is read in where there is an \
                 EXT-X-MAP"
            }
        };
        let what = format!("the init segment {what}");
        return Err(Refusal::Key(Failure::malformed(what).of_stream()));
    }
    // Shaka Packager writes the key's id in the place of the key.
    let data = decode_data_uri(key.as_str());
    if let Some(key_id) = data.as_deref().and_then(KeyId::from_slice)
        && key_ids.contains(&key_id)
    {
        return Ok(Treatment::Drm(KeyBoxes::of_key(key_id)));
    }
    let bytes = presentation.keys.get(key).await.map_err(Refusal::Key)?;
    let private = presentation.private_key(key, &bytes).ok_or(Refusal::Gone)?;
    Ok(Treatment::Private(private.pssh(&key_ids)))
}

async fn treated(
    presentation: &Arc<Presentation>,
    raw: Bytes,
    treatment: Treatment,
) -> Result<Bytes, Refusal> {
    let treating = presentation.compute(move |shared| {
        let damage = |what: &str| {
            Refusal::Key(Failure::malformed(format!("the init segment {what}")).of_stream())
        };
        match treatment {
            Treatment::Stays => Ok(raw),
            Treatment::Drm(boxes) => {
                let spliced = splice(&raw, boxes.boxes()).map_err(damage)?;
                check_systems(shared, &spliced, &boxes)?;
                remember(shared, &spliced);
                Ok(spliced.into())
            }
            Treatment::Private(pssh) => {
                let only = with_only(&raw, &pssh).map_err(damage)?;
                remember(shared, &only);
                Ok(only.into())
            }
            // Only in MP4 there is anything to say.
            Treatment::Clear(_) if !is_mp4(&raw) => Ok(raw),
            // Without a decryptor what is clear plays as it is, and nothing else.
            Treatment::Clear(model) if !can_decrypt(shared, &model.boxes) => Ok(raw),
            Treatment::Clear(model) => {
                let clear = as_clear(&raw, model.scheme).map_err(damage)?;
                let boxes = &model.boxes;
                let clear = match boxes.iter().any(|one| is_private(one)) {
                    true => {
                        let all: Vec<&[u8]> = boxes.iter().map(|one| &**one).collect();
                        with_only(&clear, &all.concat())
                    }
                    false => splice(&clear, boxes),
                };
                Ok(clear.map_err(damage)?.into())
            }
        }
    });
    treating.await?
}

/// Whether anybody here can decrypt what the key tags and the init segment name.
fn check_systems(
    presentation: &Presentation,
    init: &[u8],
    boxes: &KeyBoxes,
) -> Result<(), Refusal> {
    let systems = systems(init);
    let label = &boxes.label;
    if systems.is_empty() {
        let what = format!(
            "the playlist has key tags that yield no key and no `pssh` box, and its init segment has \
             no box either ({label})"
        );
        return Err(Refusal::Key(Failure::malformed(what).of_stream()));
    }
    match presentation.host.can_decrypt(&systems) {
        true => Ok(()),
        false => {
            let what = format!(
                "there is no decryptor for any DRM system that the playlist and its init segment name \
                 ({label}): install one, or package the presentation for one that is here"
            );
            let missing = MissingPlugin::Decryptor(systems);
            Err(Refusal::Key(
                Failure::misconfigured(what).of_missing(missing),
            ))
        }
    }
}

/// Whether there is a decryptor for any system of these boxes.
fn can_decrypt(presentation: &Presentation, boxes: &[SharedBox]) -> bool {
    let systems = boxes.iter().flat_map(|one| pssh::boxes(one));
    let systems: Vec<_> = systems.map(|one| one.system).collect();
    presentation.host.can_decrypt(&systems)
}

fn remember(presentation: &Presentation, init: &[u8]) {
    if let Some(model) = model_of(init) {
        presentation.map.set_model(model);
    }
}

/// What a protected init segment looks like.
fn model_of(init: &[u8]) -> Option<Model> {
    Some(Model {
        scheme: scheme_of(init)?,
        boxes: pssh_boxes(init),
    })
}

/// Whether that is a box for our own decryptor, which no other box may stand beside: `sessiontoken`
/// would fetch a token for that one.
fn is_private(pssh: &[u8]) -> bool {
    pssh::boxes(pssh).any(|one| one.system == PRIVATE_SYSTEM_ID)
}

/// Nothing is known but that something will be protected.
fn unknown_model() -> Model {
    Model {
        scheme: Scheme::Cenc,
        boxes: vec![SharedBox::new(clear_pssh().into())],
    }
}

/// What protected parts of the presentation look like.
async fn model(presentation: &Arc<Presentation>) -> Result<Arc<Model>, Refusal> {
    if let Some(known) = presentation.map.model() {
        return Ok(known);
    }
    if presentation.map.first_inits().is_empty() {
        look_around(presentation, None).await;
    }
    let first_key = presentation.map.first_key();
    for at in presentation.map.first_inits() {
        let raw = presentation.raw_init(&at).await?;
        presentation.keep_init(&at, &raw);
        let treatment = match &first_key {
            _ if is_unprotected(&raw) => continue,
            Some(FirstKey::Drm(boxes)) => Treatment::Drm(boxes.clone()),
            Some(FirstKey::Identity(key)) => identity(presentation, &raw, key).await?,
            Some(FirstKey::Unknown) | None => continue,
        };
        treated(presentation, raw, treatment).await?;
        if let Some(known) = presentation.map.model() {
            return Ok(known);
        }
    }
    // Nobody has an init segment to show: what SESSION-KEY says has to do.
    Ok(Arc::new(match first_key {
        Some(FirstKey::Drm(boxes)) => Model {
            boxes: boxes.boxes().to_vec(),
            ..unknown_model()
        },
        _ => unknown_model(),
    }))
}
