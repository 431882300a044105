// SPDX-License-Identifier: MIT OR Apache-2.0

//! Clear samples in a protected stream: known, counted, and told of where nobody can know them.
//!
//! GStreamer before 1.22.6 gives each clear sample of a `cbcs` track the track's defaults:
//! protected, with the constant initialization vector and without subsamples (corrected in
//! gst-plugins-good by 5114fb4170). Pictures of H.264 and the like are known by that, since
//! protected ones have subsamples. Sound is known by its syntax, where it has enough of it (AAC,
//! AC-3, E-AC-3, FLAC): a clear sample decrypted, or a protected one as it is, has none. Other
//! sound (Opus) is decrypted, which makes noise of what is clear. So there is a warning, once a
//! presentation, where its pictures have clear parts. A presentation that is protected throughout
//! gives none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::cenc::{ClearRuns, SoundFormat};
use crate::error::Failure;
use crate::hierarchy::ancestors;
use crate::messages;
use crate::wait::lock;

use super::presentation::Presentation;
use super::protection_meta::ClearBy;

/// The first version that tells clear samples of `cbcs`.
const TELLS_CLEAR_SAMPLES: (u32, u32, u32, u32) = (1, 22, 6, 0);

/// Pictures of which a protected one always has subsamples (ISO/IEC 23001-7, 10.2 and 10.4.1, and
/// the AV1 binding).
const WITH_SUBSAMPLES: [&str; 4] = [
    "video/x-h264",
    "video/x-h265",
    "video/x-h266",
    "video/x-av1",
];

/// The samples of one decryptor's stream.
pub struct Samples {
    state: Mutex<State>,
    decrypted: AtomicU64,
    has_subsamples: AtomicBool,
    /// It is sound whose clear samples nobody tells, and so of interest with each sample.
    is_unmarked_sound: AtomicBool,
    category: fn() -> gst::DebugCategory,
}

/// What the samples of a stream were, and what they are by the caps.
#[derive(Default)]
struct State {
    clear: u64,
    /// Of sound whose clear samples nobody tells.
    unmarked_sound: Option<SoundFormat>,
    runs: ClearRuns,
    presentation: Option<Arc<Presentation>>,
    /// The application has been told of subsamples that say nothing of a sample's end.
    has_told_of_uncovered: bool,
}

impl Samples {
    /// `category` is that of the decryptor.
    pub fn new(category: fn() -> gst::DebugCategory) -> Self {
        Self {
            state: Mutex::default(),
            decrypted: AtomicU64::default(),
            has_subsamples: AtomicBool::default(),
            is_unmarked_sound: AtomicBool::default(),
            category,
        }
    }

    /// Another tune begins.
    pub fn begin_tune(&self) {
        *lock(&self.state) = State::default();
        self.decrypted.store(0, Ordering::Relaxed);
        self.has_subsamples.store(false, Ordering::Relaxed);
        self.is_unmarked_sound.store(false, Ordering::Relaxed);
    }

    /// Leaves the presentation. The numbers stay.
    pub fn end_tune(&self) {
        lock(&self.state).presentation = None;
    }

    /// Whether a sample of this stream that is protected has subsamples.
    pub fn has_subsamples(&self) -> bool {
        self.has_subsamples.load(Ordering::Relaxed)
    }

    /// How samples begin, where clear ones may be hidden among those that are decrypted.
    pub fn unmarked_sound(&self) -> Option<SoundFormat> {
        let is_unmarked = self.is_unmarked_sound.load(Ordering::Relaxed);
        is_unmarked.then(|| lock(&self.state).unmarked_sound)?
    }

    /// Records what the caps behind the decryptor say of samples.
    pub fn set_media_type(&self, element: &gst::Element, caps: &gst::CapsRef) {
        let Some(structure) = caps.structure(0) else {
            return;
        };
        let media_type = structure.name().as_str();
        let is_hidden = gst::version() < TELLS_CLEAR_SAMPLES && media_type.starts_with("audio/");
        let mpeg_version = structure.get("mpegversion").ok();
        let format = is_hidden.then(|| SoundFormat::of(media_type, mpeg_version));
        let pipeline = ancestors(element).last().map(|one| one.as_ptr() as usize);
        let presentation = pipeline.map(Presentation::of);
        let has_subsamples = WITH_SUBSAMPLES.contains(&media_type);
        self.has_subsamples.store(has_subsamples, Ordering::Relaxed);
        self.is_unmarked_sound.store(is_hidden, Ordering::Relaxed);
        let mut state = lock(&self.state);
        state.unmarked_sound = format;
        state.presentation = presentation;
    }

    /// Counts a sample that is handed on as it is.
    pub fn on_clear(&self, element: &gst::Element, by: ClearBy) {
        let mut state = lock(&self.state);
        state.clear = state.clear.saturating_add(1);
        let is_first = state.clear == 1;
        let presentation = match by {
            ClearBy::NoSubsamples => state.presentation.clone(),
            ClearBy::Metadata | ClearBy::NoMetadata | ClearBy::Syntax => None,
        };
        drop(state);
        if is_first {
            let cat = (self.category)();
            gst::info!(cat, obj = element, "{} are handed on as clear", by.which());
        }
        if let Some(presentation) = presentation {
            presentation.set_clear_pictures();
            self.warn_if_in_doubt(element, &presentation);
        }
    }

    /// Counts a sample that was decrypted.
    pub fn on_decrypted(&self, element: &gst::Element) {
        self.decrypted.fetch_add(1, Ordering::Relaxed);
        if !self.is_unmarked_sound.load(Ordering::Relaxed) {
            return;
        }
        let presentation = lock(&self.state).presentation.clone();
        if let Some(presentation) = presentation {
            self.warn_if_in_doubt(element, &presentation);
        }
    }

    /// Says once that subsamples do not add up to their sample, of so many bytes.
    pub fn on_uncovered(&self, element: &gst::Element, uncovered: u64, sample: usize) {
        if uncovered == 0 || std::mem::replace(&mut lock(&self.state).has_told_of_uncovered, true) {
            return;
        }
        self.warn(
            element,
            format!(
                "the subsamples say nothing of {uncovered} bytes of a sample of {sample}, which are taken for clear: check the packager, their sizes must add up to the sample's"
            ),
        );
    }

    /// Whether a sample of sound that nobody says of is clear, by whether it is plausible as it is
    /// and once decrypted.
    pub fn is_clear_sound(&self, as_it_is: bool, decrypted: bool) -> bool {
        let mut state = lock(&self.state);
        let is_clear = state.runs.add(as_it_is, decrypted);
        if let Some(presentation) = &state.presentation {
            presentation.set_unknown_sound(state.runs.is_unknown());
        }
        is_clear
    }

    fn warn_if_in_doubt(&self, element: &gst::Element, presentation: &Presentation) {
        if presentation.is_in_doubt() && presentation.take_warning() {
            self.warn(
                element,
                format!(
                    "some pictures of this presentation are clear, and {} does not say whether its sound is (cbcs): where it is, it comes out as noise: update GStreamer to 1.22.6 or newer, or package the sound as cenc or without clear parts",
                    gst::version_string()
                ),
            );
        }
    }

    fn warn(&self, element: &gst::Element, what: String) {
        let warning = Failure::malformed(what);
        let cat = (self.category)();
        gst::warning!(cat, obj = element, "{}", warning.what);
        messages::post_warning(element, &warning);
    }

    /// The property `stats`, as a structure of that name.
    pub fn stats(&self, name: &str) -> gst::Structure {
        let state = lock(&self.state);
        gst::Structure::builder(name)
            .field("clear-samples", state.clear)
            .field("decrypted-samples", self.decrypted.load(Ordering::Relaxed))
            .build()
    }
}
