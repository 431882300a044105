// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that playlists hand out by a URI: each asked for once a presentation, and remembered.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use url::Url;
use zeroize::Zeroizing;

use super::key_fetcher::KeyFetcher;
use super::key_response::key_of;
use crate::bounded_map::BoundedMap;
use crate::cenc::ContentKey;
use crate::error::{Failure, Kind};
use crate::hls::{Digest, decode_data_uri, is_data_uri};
use crate::http::Source;
use crate::wait::lock;

pub use super::key_fetcher::{KeyPolicy, KeyToken, TokenSource};
pub use super::key_response::KeyBytes;

/// Keys that are remembered. Those of a day whose key changes every minute fit.
pub const MAX_KEYS: usize = 2048;

/// How long a refusal is the answer to whoever asks again: demuxers do so many times a second.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// The same for a failure that may pass: as long as a live playlist takes to come again.
pub const FAILED_FOR: Duration = Duration::from_secs(2);

/// The keys of one presentation.
pub struct KeyStore {
    fetcher: KeyFetcher,
    keys: Mutex<Keys>,
}

/// By the digests of their URLs.
type Keys = BoundedMap<Digest, Arc<Entry>, MAX_KEYS>;

/// What is known of a key. Whoever asks first fetches it, and the others wait.
type Entry = tokio::sync::Mutex<Option<Known>>;

#[derive(Clone)]
struct Known {
    result: Result<KeyBytes, Failure>,
    since: Instant,
}

impl Known {
    fn is_current(&self) -> bool {
        let validity = match &self.result {
            Ok(_) => return true,
            Err(failure) => match failure.kind {
                Kind::Denied | Kind::Malformed | Kind::Misconfigured => REFUSED_FOR,
                Kind::Transient | Kind::TimedOut => FAILED_FOR,
            },
        };
        self.since.elapsed() < validity
    }
}

impl KeyStore {
    pub fn new(source: Source, policy: KeyPolicy, tokens: Arc<dyn TokenSource>) -> Self {
        Self {
            fetcher: KeyFetcher::new(source, policy, tokens),
            keys: Mutex::default(),
        }
    }

    /// The key at that URL.
    ///
    /// # Errors
    ///
    /// Why it is not to be had. Who asks again soon gets the same.
    pub async fn get(&self, url: &Url) -> Result<KeyBytes, Failure> {
        if is_data_uri(url.as_str()) {
            let bytes = decode_data_uri(url.as_str()).map(Zeroizing::new);
            return key_of(bytes.as_deref().map_or(&[], Vec::as_slice)).ok_or_else(|| {
                Failure::malformed("the playlist holds a key (`data:`) that has not 16 bytes")
                    .of_stream()
            });
        }
        let entry = self.entry(url);
        let mut known = entry.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.is_current()) {
            return known.result.clone();
        }
        let result = self.fetcher.fetch(url).await;
        *known = Some(Known {
            result: result.clone(),
            since: Instant::now(),
        });
        result
    }

    /// The same, ready for decryption.
    ///
    /// # Errors
    ///
    /// As [`KeyStore::get`].
    pub async fn content_key(&self, url: &Url) -> Result<ContentKey, Failure> {
        let bytes = self.get(url).await?;
        ContentKey::from_slice(&bytes[..])
            .ok_or_else(|| Failure::malformed("a key has not 16 bytes"))
    }

    fn entry(&self, url: &Url) -> Arc<Entry> {
        let digest = Digest::of(url.as_str().as_bytes());
        let mut keys = lock(&self.keys);
        if let Some(known) = keys.get(&digest) {
            return known.clone();
        }
        let entry = Arc::<Entry>::default();
        keys.insert(digest, entry.clone());
        entry
    }
}
