// SPDX-License-Identifier: MIT OR Apache-2.0

//! One sample, decrypted in place.

use crate::cenc::{self, ContentKey, Scheme, SoundFormat};

fn unreadable(_: impl std::error::Error) -> String {
    "a part of a sample cannot be mapped".to_owned()
}

/// How a sample is decrypted.
pub struct Decryption<'a> {
    pub key: &'a ContentKey,
    pub scheme: Scheme,
    pub iv: &'a gst::Buffer,
    pub subsamples: Option<&'a gst::Buffer>,
}

impl Decryption<'_> {
    /// # Errors
    ///
    /// What the stream contradicts, as a part of a sentence.
    pub fn decrypt(&self, buffer: &mut gst::BufferRef) -> Result<(), String> {
        let mut sample = buffer.map_writable().map_err(unreadable)?;
        self.decrypt_bytes(&mut sample)
    }

    /// Decrypts a sample of sound unless it turns out to be clear, which it gives back. `is_clear`
    /// decides by whether the sample is plausible as it is and once decrypted.
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
        self.decrypt_bytes(&mut decrypted)?;
        let plausible = |sample: &[u8]| format.is_plausible(sample);
        let is_clear = is_clear(plausible(&sample), plausible(&decrypted));
        if !is_clear {
            sample.copy_from_slice(&decrypted);
        }
        Ok(is_clear)
    }

    fn decrypt_bytes(&self, sample: &mut [u8]) -> Result<(), String> {
        let iv = self.iv.map_readable().map_err(unreadable)?;
        let subsamples = self
            .subsamples
            .map(|table| table.map_readable())
            .transpose()
            .map_err(unreadable)?;
        let table = subsamples.as_deref().unwrap_or_default();
        cenc::decrypt(self.key, self.scheme, &iv, table, sample).map_err(|error| error.to_string())
    }
}
