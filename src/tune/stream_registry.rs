// SPDX-License-Identifier: MIT OR Apache-2.0

//! The streams of one presentation, and which of them name the same authorization service.
//!
//! A token is asked for with all keys for which the same service is named. Each stream knows its
//! own key once it has data, and from its init data those that somebody has; here they are put
//! together.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, Weak};

use crate::cenc::KeyId;
use crate::wait::lock;

/// One stream, as long as its tune.
pub struct Stream {
    /// What the streams of a presentation have in common: the pipeline that they are in.
    presentation: usize,
}

struct Entry {
    stream: Weak<Stream>,
    urls: BTreeSet<String>,
    own: Option<KeyId>,
    named: BTreeSet<KeyId>,
}

static STREAMS: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

impl Stream {
    pub fn new(presentation: usize) -> Arc<Self> {
        Arc::new(Self { presentation })
    }

    /// The stream demands no token any more.
    pub fn leave(self: &Arc<Self>) {
        let me = Arc::downgrade(self);
        lock(&STREAMS).retain(|one| !one.stream.ptr_eq(&me));
    }

    /// Says which places the stream names, which key is its own, and which ones its init data name.
    /// Gives all keys of the presentation for which these places are named, as far as that is known
    /// by now. A key that is another stream's own is that one's affair.
    pub fn join(
        self: &Arc<Self>,
        urls: BTreeSet<String>,
        own: Option<KeyId>,
        named: &BTreeSet<KeyId>,
    ) -> BTreeSet<KeyId> {
        let mut streams = lock(&STREAMS);
        let me = Arc::downgrade(self);
        streams.retain(|one| one.stream.strong_count() > 0 && !one.stream.ptr_eq(&me));
        streams.push(Entry {
            stream: me,
            urls,
            own,
            named: named.clone(),
        });
        let is_here = |entry: &&Entry| {
            let stream = entry.stream.upgrade();
            stream.is_some_and(|stream| stream.presentation == self.presentation)
        };
        let urls = streams.last().map(|mine| mine.urls.clone());
        let (same, other): (Vec<_>, Vec<_>) = streams
            .iter()
            .filter(is_here)
            .partition(|entry| Some(&entry.urls) == urls.as_ref());
        let own: BTreeSet<_> = same.iter().filter_map(|entry| entry.own).collect();
        let others: BTreeSet<_> = other.iter().filter_map(|entry| entry.own).collect();
        let named = same.iter().flat_map(|entry| entry.named.iter().copied());
        named
            .filter(|key_id| !others.contains(key_id))
            .chain(own.iter().copied())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: KeyId = KeyId([1; 16]);
    const TWO: KeyId = KeyId([2; 16]);

    fn at(url: &str) -> BTreeSet<String> {
        [url.to_owned()].into()
    }

    #[test]
    fn streams_of_one_service_ask_for_the_keys_of_all() {
        let (video, audio) = (Stream::new(1), Stream::new(1));
        let none = BTreeSet::new();
        assert_eq!(video.join(at("a"), Some(ONE), &none), [ONE].into());
        assert_eq!(audio.join(at("a"), Some(TWO), &none), [ONE, TWO].into());
        // In the next period.
        assert_eq!(video.join(at("a"), None, &none), [TWO].into());
    }

    #[test]
    fn init_data_that_names_all_keys_makes_it_one_request() {
        let (video, audio) = (Stream::new(2), Stream::new(2));
        let all: BTreeSet<_> = [ONE, TWO].into();
        assert_eq!(video.join(at("a"), Some(ONE), &all), all);
        assert_eq!(audio.join(at("a"), Some(TWO), &all), all);
    }

    #[test]
    fn join_excludes_keys_of_other_service_or_pipeline() {
        let (video, audio, elsewhere) = (Stream::new(3), Stream::new(3), Stream::new(4));
        let all: BTreeSet<_> = [ONE, TWO].into();
        assert_eq!(
            elsewhere.join(at("b"), Some(KeyId([9; 16])), &all),
            [ONE, TWO, KeyId([9; 16])].into()
        );
        video.join(at("a"), Some(ONE), &all);
        assert_eq!(audio.join(at("b"), Some(TWO), &all), [TWO].into());
        drop(audio);
        assert_eq!(video.join(at("a"), Some(ONE), &all), all);
    }
}
