// SPDX-License-Identifier: MIT OR Apache-2.0

//! Common Encryption, sample by sample (ISO/IEC 23001-7), as CDMs do it.

use aes::Aes128;
use cipher::{BlockModeDecrypt, KeyIvInit, StreamCipher};
use gst::glib::translate::from_glib_none;
use gst::meta::ProtectionMeta;

/// A sample and how it is protected.
pub struct Sample {
    buffer: *mut gst::ffi::GstBuffer,
    pub key_id: Vec<u8>,
    iv: [u8; 16],
    /// Clear and protected bytes.
    ranges: Vec<(usize, usize)>,
    /// Blocks that are protected and that are not, for cbcs.
    pattern: Option<(usize, usize)>,
}

fn bytes(buffer: &gst::BufferRef) -> Option<Vec<u8>> {
    Some(buffer.map_readable().ok()?.to_vec())
}

fn whole_iv(iv: &[u8]) -> Option<[u8; 16]> {
    let mut whole = [0; 16];
    whole.get_mut(..iv.len())?.copy_from_slice(iv);
    Some(whole)
}

fn ranges(table: &[u8]) -> Vec<(usize, usize)> {
    let entries = table.chunks_exact(6);
    entries
        .map(|entry| {
            let clear = u16::from_be_bytes([entry[0], entry[1]]);
            let protected = u32::from_be_bytes([entry[2], entry[3], entry[4], entry[5]]);
            (usize::from(clear), protected as usize)
        })
        .collect()
}

fn pattern(meta: Option<&gst::StructureRef>) -> Option<(usize, usize)> {
    let info = meta?;
    let is_cbcs = info.get("cipher-mode") == Ok("cbcs") || info.name() == "application/x-cbcs";
    let blocks = |name| info.get::<u32>(name).unwrap_or(0) as usize;
    is_cbcs.then(|| (blocks("crypt_byte_block"), blocks("skip_byte_block")))
}

impl Sample {
    /// # Safety
    ///
    /// These are buffers; `subsamples` may be null.
    pub unsafe fn of_arguments(
        buffer: *mut gst::ffi::GstBuffer,
        subsamples: *mut gst::ffi::GstBuffer,
        subsample_count: u32,
        iv: *mut gst::ffi::GstBuffer,
        key_id: *mut gst::ffi::GstBuffer,
    ) -> Option<Self> {
        // SAFETY: by the contract.
        unsafe {
            let whole = gst::BufferRef::from_ptr(buffer);
            let iv: gst::Buffer = from_glib_none(iv);
            let key_id: gst::Buffer = from_glib_none(key_id);
            let ranges = match subsamples.is_null() || subsample_count == 0 {
                true => vec![(0, whole.size())],
                false => {
                    let table: gst::Buffer = from_glib_none(subsamples);
                    ranges(&bytes(&table)?)
                }
            };
            Some(Self {
                buffer,
                key_id: bytes(&key_id)?,
                iv: whole_iv(&bytes(&iv)?)?,
                ranges,
                pattern: pattern(
                    whole
                        .meta::<ProtectionMeta>()
                        .as_ref()
                        .map(|meta| meta.info()),
                ),
            })
        }
    }

    /// # Safety
    ///
    /// This is a buffer.
    pub unsafe fn of_meta(buffer: *mut gst::ffi::GstBuffer) -> Option<Self> {
        // SAFETY: by the contract.
        let whole = unsafe { gst::BufferRef::from_ptr(buffer) };
        let meta = whole.meta::<ProtectionMeta>()?;
        let info = meta.info();
        let part = |name: &str| {
            let part = info.get::<gst::Buffer>(name).ok()?;
            bytes(&part)
        };
        let ranges = match info.get::<u32>("subsample_count").unwrap_or(0) {
            0 => vec![(0, whole.size())],
            // As Thunder's interface counts.
            1..=100 => ranges(&part("subsamples")?),
            _ => return None,
        };
        Some(Self {
            buffer,
            key_id: part("kid")?,
            iv: whole_iv(&part("iv")?)?,
            ranges,
            pattern: pattern(Some(info)),
        })
    }
}

/// Decrypts it in place. `is_joined`: all ranges as if they were one, as Thunder's adapter hands
/// them over.
pub fn decrypt(key: &[u8; 16], sample: Sample, is_joined: bool) -> bool {
    // SAFETY: a buffer that the caller has handed over for writing.
    let buffer = unsafe { gst::BufferRef::from_mut_ptr(sample.buffer) };
    // As implementations do that do not look whether they may.
    if buffer.n_memory() != 1 {
        return false;
    }
    let Ok(mut map) = buffer.map_writable() else {
        return false;
    };
    let mut protected: Vec<Vec<u8>> = Vec::new();
    let mut at = 0;
    for (clear, size) in &sample.ranges {
        at += clear;
        let Some(range) = map.get(at..at + size) else {
            return false;
        };
        protected.push(range.to_vec());
        at += size;
    }
    if is_joined {
        let mut joined = protected.concat();
        decrypt_range(key, &sample.iv, sample.pattern, &mut [&mut joined]);
        let mut rest = &joined[..];
        for range in &mut protected {
            let (mine, after) = rest.split_at(range.len());
            range.copy_from_slice(mine);
            rest = after;
        }
    } else {
        let mut ranges: Vec<_> = protected.iter_mut().map(Vec::as_mut_slice).collect();
        decrypt_range(key, &sample.iv, sample.pattern, &mut ranges);
    }
    let mut at = 0;
    for ((clear, size), range) in sample.ranges.iter().zip(&protected) {
        at += clear;
        map[at..at + size].copy_from_slice(range);
        at += size;
    }
    true
}

fn decrypt_range(
    key: &[u8; 16],
    iv: &[u8; 16],
    pattern: Option<(usize, usize)>,
    ranges: &mut [&mut [u8]],
) {
    let Some((crypt, skip)) = pattern else {
        let mut cipher = ctr::Ctr128BE::<Aes128>::new(key.into(), iv.into());
        ranges
            .iter_mut()
            .for_each(|range| cipher.apply_keystream(range));
        return;
    };
    for range in ranges {
        let mut cipher = cbc::Decryptor::<Aes128>::new(key.into(), iv.into());
        let mut blocks = range.chunks_exact_mut(16);
        let (crypt, skip) = match (crypt, skip) {
            (0, 0) => (1, 0),
            pattern => pattern,
        };
        'pattern: loop {
            for _ in 0..crypt {
                let Some(block) = blocks.next() else {
                    break 'pattern;
                };
                let block: &mut [u8; 16] = block.try_into().expect("sixteen bytes");
                cipher.decrypt_block(block.into());
            }
            for _ in 0..skip {
                if blocks.next().is_none() {
                    break 'pattern;
                }
            }
        }
    }
}
