// SPDX-License-Identifier: MIT OR Apache-2.0

//! What qtdemux says of a sample in its `GstProtectionMeta` (`qtdemux_parse_cenc_aux_info` and
//! `qtdemux_update_default_sample_cenc_settings` in `qtdemux.c`), as types of `cenc`.

use gst::meta::ProtectionMeta;

use crate::cenc::{KeyId, Pattern, Scheme};

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
        let info = meta.info();
        if !info.get::<bool>("encrypted").unwrap_or(true) {
            return Ok(Protection::Clear(ClearBy::Metadata));
        }
        let scheme = scheme(info);
        let is_positive = |name| info.get::<u32>(name).is_ok_and(|number| number > 0);
        let is_constant_iv = !is_positive("iv_size") && is_positive("constant_iv_size");
        if has_subsamples
            && is_constant_iv
            && matches!(scheme, Scheme::Cbcs(_))
            && !is_positive("subsample_count")
        {
            return Ok(Protection::Clear(ClearBy::NoSubsamples));
        }
        let kid = info
            .get::<gst::Buffer>("kid")
            .map_err(|_| "a sample's protection metadata has no key id")?;
        let key_id = kid
            .map_readable()
            .ok()
            .and_then(|bytes| KeyId::from_slice(&bytes))
            .ok_or("a sample's key id is not sixteen bytes long")?;
        let iv = info
            .get::<gst::Buffer>("iv")
            .map_err(|_| "a sample's protection metadata has no initialization vector")?;
        let size = ["iv_size", "constant_iv_size"]
            .into_iter()
            .find_map(|name| info.get::<u32>(name).ok().filter(|size| *size > 0));
        if size.is_some_and(|size| iv.size() != size as usize) {
            return Err("a sample's initialization vector has another size than `iv_size` says");
        }
        let subsamples = match info.get::<u32>("subsample_count").unwrap_or(0) {
            0 => None,
            count => {
                let table = info
                    .get::<gst::Buffer>("subsamples")
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
    if info.get("cipher-mode") != Ok("cbcs") && info.name() != "application/x-cbcs" {
        return Scheme::Cenc;
    }
    let blocks = |name| info.get(name).unwrap_or(0);
    Scheme::Cbcs(Pattern {
        crypt: blocks("crypt_byte_block"),
        skip: blocks("skip_byte_block"),
    })
}

/// Takes the meta off a sample that is in the clear now.
pub fn remove(sample: &mut gst::BufferRef) {
    while let Some(meta) = sample.meta_mut::<ProtectionMeta>() {
        if meta.remove().is_err() {
            return;
        }
    }
}
