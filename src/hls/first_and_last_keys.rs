// SPDX-License-Identifier: MIT OR Apache-2.0

//! The keys at either end of a playlist, of which there are few: they are fetched before the
//! demuxer asks for them.

use std::collections::VecDeque;

use url::Url;

/// Keys at either end: where a demuxer begins to play there are three segments or so, each with a
/// key of its own at the worst.
const KEYS_AT_AN_END: usize = 6;

/// The keys of a playlist with which playback begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FirstKeys {
    /// It is played from its beginning, or has an end to be sought to: all of these are needed, the
    /// first one first.
    Of(Vec<Url>),
    /// It is live, and played from near its end: these are likely to be needed, the newest one
    /// first. The oldest may be gone from their server.
    OfLive(Vec<Url>),
}

impl Default for FirstKeys {
    fn default() -> Self {
        Self::Of(Vec::new())
    }
}

#[derive(Default)]
pub struct FirstAndLastKeys {
    first: Vec<Url>,
    /// The newest last.
    last: VecDeque<Url>,
}

impl FirstAndLastKeys {
    pub fn add(&mut self, url: &Url) {
        if self.last.back() == Some(url) {
            return;
        }
        if self.first.len() < KEYS_AT_AN_END && !self.first.contains(url) {
            self.first.push(url.clone());
        }
        self.last.retain(|known| known != url);
        if self.last.len() == KEYS_AT_AN_END {
            self.last.pop_front();
        }
        self.last.push_back(url.clone());
    }

    pub fn into_keys(self, is_live: bool) -> FirstKeys {
        if is_live {
            return FirstKeys::OfLive(self.last.into_iter().rev().collect());
        }
        let mut urls = self.first;
        for url in self.last {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        FirstKeys::Of(urls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(numbers: impl IntoIterator<Item = usize>) -> Vec<Url> {
        let url = |number| Url::parse(&format!("https://keys/{number}")).expect("a URL");
        numbers.into_iter().map(url).collect()
    }

    fn found(numbers: impl IntoIterator<Item = usize>, is_live: bool) -> FirstKeys {
        let mut found = FirstAndLastKeys::default();
        keys(numbers).iter().for_each(|url| found.add(url));
        found.into_keys(is_live)
    }

    #[test]
    fn keys_of_both_ends_are_found_once() {
        assert_eq!(found(0..4, false), FirstKeys::Of(keys(0..4)));
        assert_eq!(found(0..9, false), FirstKeys::Of(keys(0..9)));
        let ends = (0..6).chain(94..100);
        assert_eq!(found(0..100, false), FirstKeys::Of(keys(ends)));
        assert_eq!(found([0, 1, 0, 0], false), FirstKeys::Of(keys([0, 1])));
    }

    #[test]
    fn newest_key_of_a_live_playlist_comes_first() {
        let newest = (94..100).rev();
        assert_eq!(found(0..100, true), FirstKeys::OfLive(keys(newest)));
        // It takes turns with another.
        assert_eq!(found([0, 1, 0, 0], true), FirstKeys::OfLive(keys([0, 1])));
        assert_eq!(found([], true), FirstKeys::OfLive(Vec::new()));
    }
}
