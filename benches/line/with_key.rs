// SPDX-License-Identifier: MIT OR Apache-2.0

//! A decryptor in the middle of a stream.

use headend::{Headend, VIDEO_KEY_ID};

use super::line::Line;
use super::samples;

impl Line {
    /// A stream through a `clearkeydec` that has the key of the picture.
    pub fn with_key(headend: &Headend) -> Self {
        let element = samples::clearkeydec(headend).build().expect("it is there");
        let line = Self::around(Some(element));
        let token = format!("Bearer {}", headend.token());
        let headers = [("Authorization", token.as_str())];
        line.push_event(samples::event_with_headers(&[VIDEO_KEY_ID], &headers));
        // The license is fetched now.
        line.push_buffer(samples::picture());
        line.wait_until_direct();
        line
    }
}
