// SPDX-License-Identifier: MIT OR Apache-2.0

//! Clear samples in a protected stream: known, counted, and told of where nobody can know them.
//!
//! GStreamer before 1.22.6 gives each clear sample of a `cbcs` track the track's defaults: protected, with the constant
//! initialization vector and without subsamples (corrected in gst-plugins-good by 5114fb4170). Pictures of H.264 and
//! the like are known by that, since protected ones have subsamples. Sound is known by its syntax, where it has enough
//! of it (AAC, AC-3, E-AC-3, FLAC): a clear sample decrypted, or a protected one as it is, has none. Other
//! sound (Opus) is decrypted, which makes noise of what is clear. So there is a warning, once a presentation, where
//! its pictures have clear parts. A presentation that is protected throughout gives none.

use std::sync::Arc;

use gst::prelude::*;
use gst::subclass::prelude::*;

use crate::cenc::{ClearRuns, SoundFormat};
use crate::error::Failure;
use crate::hierarchy::ancestors;
use crate::messages;
use crate::wait::lock;

use super::imp::{CAT, ClearKeyDec};
use super::presentation::Presentation;
use super::protection_meta::ClearBy;

/// The first version that tells clear samples of `cbcs`.
const TELLS_CLEAR_SAMPLES: (u32, u32, u32, u32) = (1, 22, 6, 0);

/// Pictures of which a protected one always has subsamples (ISO/IEC 23001-7, 10.2 and 10.4.1, and the AV1 binding).
const WITH_SUBSAMPLES: [&str; 4] = [
    "video/x-h264",
    "video/x-h265",
    "video/x-h266",
    "video/x-av1",
];

/// What the samples of a stream were, and what they are by the caps.
#[derive(Default)]
pub struct Samples {
    clear: u64,
    decrypted: u64,
    has_subsamples: bool,
    /// Of sound whose clear samples nobody tells.
    unmarked_sound: Option<SoundFormat>,
    runs: ClearRuns,
    presentation: Option<Arc<Presentation>>,
}

impl Samples {
    /// Leaves the presentation. The numbers stay.
    pub fn end_tune(&mut self) {
        self.presentation = None;
    }

    /// Whether a sample of this stream that is protected has subsamples.
    pub fn has_subsamples(&self) -> bool {
        self.has_subsamples
    }

    /// How samples begin, where clear ones may be hidden among those that are decrypted.
    pub fn unmarked_sound(&self) -> Option<SoundFormat> {
        self.unmarked_sound
    }
}

impl ClearKeyDec {
    /// Records what the caps behind the decryptor say of samples.
    pub(super) fn set_media_type(&self, caps: &gst::CapsRef) {
        let Some(structure) = caps.structure(0) else {
            return;
        };
        let media_type = structure.name().as_str();
        let obj = self.obj();
        let element = obj.upcast_ref();
        let is_hidden = gst::version() < TELLS_CLEAR_SAMPLES && media_type.starts_with("audio/");
        let mpeg_version = structure.get("mpegversion").ok();
        let format = is_hidden.then(|| SoundFormat::of(media_type, mpeg_version));
        let pipeline = ancestors(element).last().map(|one| one.as_ptr() as usize);
        let presentation = pipeline.map(Presentation::of);
        let mut samples = lock(&self.samples);
        samples.has_subsamples = WITH_SUBSAMPLES.contains(&media_type);
        samples.unmarked_sound = format;
        samples.presentation = presentation;
    }

    /// Counts a sample that is handed on as it is.
    pub(super) fn on_clear_sample(&self, by: ClearBy) {
        lock(&self.keys).on_clear_sample();
        let mut samples = lock(&self.samples);
        samples.clear = samples.clear.saturating_add(1);
        let is_first = samples.clear == 1;
        let presentation = match by {
            ClearBy::NoSubsamples => samples.presentation.clone(),
            ClearBy::Metadata | ClearBy::NoMetadata | ClearBy::Syntax => None,
        };
        drop(samples);
        if is_first {
            gst::info!(CAT, imp = self, "{} are handed on as clear", by.which());
        }
        if let Some(presentation) = presentation {
            presentation.set_clear_pictures();
            self.warn_if_in_doubt(&presentation);
        }
    }

    /// Counts a sample that was decrypted.
    pub(super) fn on_decrypted_sample(&self) {
        let mut samples = lock(&self.samples);
        samples.decrypted = samples.decrypted.saturating_add(1);
        let is_sound = samples.unmarked_sound.is_some();
        let presentation = samples.presentation.clone().filter(|_| is_sound);
        drop(samples);
        if let Some(presentation) = presentation {
            self.warn_if_in_doubt(&presentation);
        }
    }

    /// Whether a sample of sound that nobody says of is clear, by whether it is plausible as it is and once decrypted.
    pub(super) fn is_clear_sound(&self, as_it_is: bool, decrypted: bool) -> bool {
        let mut samples = lock(&self.samples);
        let is_clear = samples.runs.add(as_it_is, decrypted);
        if let Some(presentation) = &samples.presentation {
            presentation.set_unknown_sound(samples.runs.is_unknown());
        }
        is_clear
    }

    fn warn_if_in_doubt(&self, presentation: &Presentation) {
        if !presentation.is_in_doubt() || !presentation.take_warning() {
            return;
        }
        let warning = Failure::malformed(format!(
            "some pictures of this presentation are clear, and {} does not say whether its sound is (cbcs): where it is, it comes out as noise: update GStreamer to 1.22.6 or newer, or package the sound as cenc or without clear parts",
            gst::version_string()
        ));
        gst::warning!(CAT, imp = self, "{}", warning.what);
        messages::post_warning(self.obj().upcast_ref(), &warning);
    }

    /// The property `stats`.
    pub(super) fn stats(&self) -> gst::Structure {
        let samples = lock(&self.samples);
        gst::Structure::builder("clearkey-stats")
            .field("clear-samples", samples.clear)
            .field("decrypted-samples", samples.decrypted)
            .build()
    }
}
