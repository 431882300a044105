// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys at either end of a playlist, of which there are few: they are fetched before the
//! demuxer gets it.

use std::collections::VecDeque;

use url::Url;

/// Keys at either end: where a demuxer begins to play there are three segments or so, each with a
/// key of its own at the worst.
const KEYS_AT_AN_END: usize = 6;

#[derive(Default)]
pub struct FirstAndLastKeys {
    first: Vec<Url>,
    last: VecDeque<Url>,
}

impl FirstAndLastKeys {
    pub fn add(&mut self, url: &Url) {
        if self.first.contains(url) || self.last.contains(url) {
            return;
        }
        if self.first.len() < KEYS_AT_AN_END {
            self.first.push(url.clone());
            return;
        }
        if self.last.len() == KEYS_AT_AN_END {
            self.last.pop_front();
        }
        self.last.push_back(url.clone());
    }

    /// All of them, in the order in which they came.
    pub fn into_urls(self) -> Vec<Url> {
        let mut urls = self.first;
        urls.extend(self.last);
        urls
    }
}
