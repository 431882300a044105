// SPDX-License-Identifier: MIT OR Apache-2.0

//! What comes out of the CDM, and sound that should not have gone in.

use crate::cenc::{Scheme, SoundFormat};
use crate::decryptor::{ClearBy, Protection, Samples, remove_protection};
use crate::hold::Item;

use super::decrypt_thread::Done;
use super::sample_copy::{buffers_of, repacked};

/// These in the place of what came, each counted. GStreamer before 1.22.6 hands over clear sound of
/// `cbcs` as protected: what is sound as it came, and none any more, stays as it came.
pub fn finished(element: &gst::Element, samples: &Samples, item: &Item, done: Vec<Done>) -> Item {
    let unmarked = samples.unmarked_sound();
    let buffers = buffers_of(item).into_iter().zip(done);
    let settled = buffers.map(
        |(
            came,
            Done {
                buffer: decrypted,
                clear_by,
            },
        )| match (clear_by, unmarked) {
            (Some(by), _) => {
                samples.on_clear(element, by);
                decrypted
            }
            (None, Some(format))
                if may_be_clear(&came) && is_clear(samples, format, &came, &decrypted) =>
            {
                let mut clear = came;
                remove_protection(clear.make_mut());
                samples.on_clear(element, ClearBy::Syntax);
                clear
            }
            _ => {
                samples.on_decrypted(element);
                decrypted
            }
        },
    );
    repacked(item, settled.collect())
}

/// Whether it has what stands for the whole track.
fn may_be_clear(came: &gst::BufferRef) -> bool {
    matches!(
        Protection::of(came, false),
        Ok(Protection::Protected {
            scheme: Scheme::Cbcs(_),
            is_constant_iv: true,
            subsamples: None,
            ..
        })
    )
}

fn is_clear(
    samples: &Samples,
    format: SoundFormat,
    came: &gst::BufferRef,
    decrypted: &gst::BufferRef,
) -> bool {
    // Memory of a CDM's own is not looked into.
    let is_readable = (decrypted.iter_memories()).all(|memory| memory.is_type("SystemMemory"));
    let (Ok(came), true) = (came.map_readable(), is_readable) else {
        return false;
    };
    let Ok(decrypted) = decrypted.map_readable() else {
        return false;
    };
    samples.is_clear_sound(format.is_plausible(&came), format.is_plausible(&decrypted))
}
