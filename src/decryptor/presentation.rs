// SPDX-License-Identifier: MIT OR Apache-2.0

//! What the decryptors of one pipeline know of each other: whether some pictures are clear, and
//! whether the sound may be without anybody saying so.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::wait::lock;

static PRESENTATIONS: Mutex<Vec<(usize, Weak<Presentation>)>> = Mutex::new(Vec::new());

/// The presentation that a pipeline plays, as long as one of its decryptors does.
#[derive(Default)]
pub struct Presentation {
    has_clear_pictures: AtomicBool,
    has_unknown_sound: AtomicBool,
    is_warned_of: AtomicBool,
}

impl Presentation {
    /// The one of this pipeline, which others may have entered.
    pub fn of(pipeline: usize) -> Arc<Self> {
        let mut presentations = lock(&PRESENTATIONS);
        presentations.retain(|(_, presentation)| presentation.strong_count() > 0);
        let known = presentations.iter().find(|(one, _)| *one == pipeline);
        if let Some(presentation) = known.and_then(|(_, presentation)| presentation.upgrade()) {
            return presentation;
        }
        let presentation = Arc::<Self>::default();
        presentations.push((pipeline, Arc::downgrade(&presentation)));
        presentation
    }

    pub fn set_clear_pictures(&self) {
        self.has_clear_pictures.store(true, Ordering::SeqCst);
    }

    pub fn set_unknown_sound(&self, is_unknown: bool) {
        self.has_unknown_sound.store(is_unknown, Ordering::SeqCst);
    }

    /// Whether clear sound may have been decrypted: parts of the pictures are clear, and the sound
    /// does not say.
    pub fn is_in_doubt(&self) -> bool {
        self.has_clear_pictures.load(Ordering::SeqCst)
            && self.has_unknown_sound.load(Ordering::SeqCst)
    }

    /// Whether the application is to be warned now, which it is once.
    pub fn take_warning(&self) -> bool {
        !self.is_warned_of.swap(true, Ordering::SeqCst)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presentation_is_shared_by_its_pipeline() {
        // Addresses that no pipeline has.
        let (one, other) = (Presentation::of(1), Presentation::of(2));
        one.set_clear_pictures();
        Presentation::of(2).set_unknown_sound(true);
        assert!(!one.is_in_doubt() && !other.is_in_doubt());
        Presentation::of(1).set_unknown_sound(true);
        assert!(one.is_in_doubt());
        assert!(one.take_warning() && !Presentation::of(1).take_warning());
        one.set_unknown_sound(false);
        assert!(!one.is_in_doubt());
        drop((one, other));
        assert!(Presentation::of(1).take_warning());
    }
}
