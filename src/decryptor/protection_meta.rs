// SPDX-License-Identifier: MIT OR Apache-2.0

//! What qtdemux says of a sample in its `GstProtectionMeta` (`qtdemux_parse_cenc_aux_info` and
//! `qtdemux_update_default_sample_cenc_settings` in `qtdemux.c`), as types of `cenc`.

// By number: what takes their place looks each name up, before GStreamer 1.26.
#![allow(deprecated)]

use gst::glib::Quark;
use gst::meta::ProtectionMeta;
use once_cell::sync::Lazy;

use crate::cenc::{KeyId, Pattern, Scheme};

/// The names of the fields. They are looked up with each sample, which numbers do faster.
struct Fields {
    encrypted: Quark,
    cipher_mode: Quark,
    iv_size: Quark,
    constant_iv_size: Quark,
    subsample_count: Quark,
    subsamples: Quark,
    kid: Quark,
    iv: Quark,
    crypt_byte_block: Quark,
    skip_byte_block: Quark,
    cbcs: Quark,
}

static FIELDS: Lazy<Fields> = Lazy::new(|| Fields {
    encrypted: Quark::from_str("encrypted"),
    cipher_mode: Quark::from_str("cipher-mode"),
    iv_size: Quark::from_str("iv_size"),
    constant_iv_size: Quark::from_str("constant_iv_size"),
    subsample_count: Quark::from_str("subsample_count"),
    subsamples: Quark::from_str("subsamples"),
    kid: Quark::from_str("kid"),
    iv: Quark::from_str("iv"),
    crypt_byte_block: Quark::from_str("crypt_byte_block"),
    skip_byte_block: Quark::from_str("skip_byte_block"),
    cbcs: Quark::from_str("application/x-cbcs"),
});

/// How one sample is protected.
pub enum Protection {
    /// Not at all.
    Clear(ClearBy),
    Protected {
        scheme: Scheme,
        key_id: KeyId,
        /// The same, as the metadata have it.
        kid: gst::Buffer,
        iv: gst::Buffer,
        /// The initialization vector is that of the whole track.
        is_constant_iv: bool,
        /// The table as `senc` holds it; `None` where the whole sample is protected.
        subsamples: Option<gst::Buffer>,
    },
}

/// By what a sample is known to be clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClearBy {
    /// Its metadata say so.
    Metadata,
    /// It has none.
    NoMetadata,
    /// It has what stands for the whole track, and no subsamples, which a protected one would have.
    NoSubsamples,
    /// It is sound by its syntax, and none once decrypted.
    Syntax,
}

impl ClearBy {
    /// Which samples these are, for the log.
    pub fn which(self) -> &'static str {
        match self {
            ClearBy::Metadata => "samples that are said to be clear",
            ClearBy::NoMetadata => "samples without protection metadata",
            ClearBy::NoSubsamples => "pictures without subsamples",
            ClearBy::Syntax => "samples of clear sound",
        }
    }
}

impl Protection {
    /// Reads the sample's meta. `has_subsamples` is whether a protected sample of its kind always
    /// has some.
    ///
    /// # Errors
    ///
    /// What the stream lacks, as a part of a sentence.
    pub fn of(sample: &gst::BufferRef, has_subsamples: bool) -> Result<Self, &'static str> {
        let Some(meta) = sample.meta::<ProtectionMeta>() else {
            return Ok(Protection::Clear(ClearBy::NoMetadata));
        };
        let (info, fields) = (meta.info(), &*FIELDS);
        if !info.get_by_quark::<bool>(fields.encrypted).unwrap_or(true) {
            return Ok(Protection::Clear(ClearBy::Metadata));
        }
        let scheme = scheme(info);
        let number = |field| number(info, field);
        let [iv_size, constant_iv_size, subsample_count] = [
            fields.iv_size,
            fields.constant_iv_size,
            fields.subsample_count,
        ]
        .map(number);
        let is_constant_iv = iv_size == 0 && constant_iv_size > 0;
        if has_subsamples
            && is_constant_iv
            && matches!(scheme, Scheme::Cbcs(_))
            && subsample_count == 0
        {
            return Ok(Protection::Clear(ClearBy::NoSubsamples));
        }
        let buffer = |field| info.get_by_quark::<gst::Buffer>(field);
        let kid = buffer(fields.kid).map_err(|_| "a sample's protection metadata has no key id")?;
        let key_id = kid
            .map_readable()
            .ok()
            .and_then(|bytes| KeyId::from_slice(&bytes))
            .ok_or("a sample's key id is not sixteen bytes long")?;
        let iv = buffer(fields.iv)
            .map_err(|_| "a sample's protection metadata has no initialization vector")?;
        let size = [iv_size, constant_iv_size]
            .into_iter()
            .find(|size| *size > 0);
        if size.is_some_and(|size| iv.size() != size as usize) {
            return Err("a sample's initialization vector has another size than `iv_size` says");
        }
        let subsamples = match subsample_count {
            0 => None,
            count => {
                let table = buffer(fields.subsamples)
                    .map_err(|_| "a sample has subsamples and no table of them")?;
                // In 64 bits, where no count runs over.
                if table.size() as u64 != 6 * u64::from(count) {
                    return Err(
                        "a sample's subsample table has another size than `subsample_count` says",
                    );
                }
                Some(table)
            }
        };
        Ok(Protection::Protected {
            scheme,
            key_id,
            kid,
            iv,
            is_constant_iv,
            subsamples,
        })
    }
}

/// A newer qtdemux says which scheme it is (GStreamer 1.22 does); an older one knows `cenc` alone.
fn scheme(info: &gst::StructureRef) -> Scheme {
    let fields = &*FIELDS;
    let is_cbcs = info.has_field_by_quark(fields.cipher_mode)
        && info.get_by_quark(fields.cipher_mode) == Ok("cbcs");
    if !is_cbcs && info.name_quark() != fields.cbcs {
        return Scheme::Cenc;
    }
    Scheme::Cbcs(Pattern {
        crypt: number(info, fields.crypt_byte_block),
        skip: number(info, fields.skip_byte_block),
    })
}

/// A field that may be missing, as zero. Asking for it alone allocates memory for the error then.
fn number(info: &gst::StructureRef, field: Quark) -> u32 {
    match info.has_field_by_quark(field) {
        true => info.get_by_quark(field).unwrap_or(0),
        false => 0,
    }
}

/// Takes the meta off a sample that is in the clear now.
pub fn remove(sample: &mut gst::BufferRef) {
    while let Some(meta) = sample.meta_mut::<ProtectionMeta>() {
        if meta.remove().is_err() {
            return;
        }
    }
}
