// SPDX-License-Identifier: MIT OR Apache-2.0

//! One sample, decrypted.

use ciphers::InOutBuf;

use crate::cenc::{self, ContentKey, Scheme, SoundFormat};

fn unreadable(_: impl std::error::Error) -> String {
    "a part of a sample cannot be mapped".to_owned()
}

fn unwritable<T>(_: T) -> String {
    "there is no memory for a sample".to_owned()
}

/// How a sample is decrypted.
pub struct Decryption<'a> {
    pub key: ContentKey,
    pub scheme: Scheme,
    pub iv: &'a gst::Buffer,
    pub subsamples: Option<&'a gst::Buffer>,
}

impl Decryption<'_> {
    /// Decrypts a sample: in place where nobody else has its memory, otherwise into memory of its
    /// own. Demuxers hand out parts of a larger buffer, which would be copied before anybody wrote.
    /// Gives back of how many bytes its subsamples say nothing.
    ///
    /// # Errors
    ///
    /// What the stream contradicts, as a part of a sentence.
    pub fn decrypt(&self, buffer: &mut gst::BufferRef) -> Result<u64, String> {
        if buffer.n_memory() == 1 && buffer.is_all_memory_writable() {
            let mut sample = buffer.map_writable().map_err(unreadable)?;
            return self.decrypt_bytes(sample.as_mut_slice().into());
        }
        let sample = buffer.map_readable().map_err(unreadable)?;
        let memory = gst::Memory::with_size(sample.len());
        let mut memory = memory.into_mapped_memory_writable().map_err(unwritable)?;
        let across = InOutBuf::new(&sample, &mut memory).map_err(unreadable)?;
        let uncovered = self.decrypt_bytes(across)?;
        drop(sample);
        buffer.replace_all_memory(memory.into_memory());
        Ok(uncovered)
    }

    /// Decrypts a sample of sound unless it turns out to be clear, which it gives back. `is_clear`
    /// decides by whether the sample is plausible as it is and once decrypted. Such sound has no
    /// subsamples.
    ///
    /// # Errors
    ///
    /// As [`Self::decrypt`].
    pub fn decrypt_unless_clear(
        &self,
        buffer: &mut gst::BufferRef,
        format: SoundFormat,
        is_clear: impl Fn(bool, bool) -> bool,
    ) -> Result<bool, String> {
        let mut sample = buffer.map_writable().map_err(unreadable)?;
        let mut decrypted = sample.to_vec();
        self.decrypt_bytes(decrypted.as_mut_slice().into())?;
        let plausible = |sample: &[u8]| format.is_plausible(sample);
        let is_clear = is_clear(plausible(&sample), plausible(&decrypted));
        if !is_clear {
            sample.copy_from_slice(&decrypted);
        }
        Ok(is_clear)
    }

    fn decrypt_bytes(&self, sample: InOutBuf<'_, '_, u8>) -> Result<u64, String> {
        let iv = self.iv.map_readable().map_err(unreadable)?;
        let subsamples = self
            .subsamples
            .map(|table| table.map_readable())
            .transpose()
            .map_err(unreadable)?;
        let table = subsamples.as_deref().unwrap_or_default();
        cenc::decrypt(&self.key, self.scheme, &iv, table, sample).map_err(|error| error.to_string())
    }
}
