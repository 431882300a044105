// SPDX-License-Identifier: MIT OR Apache-2.0

//! One presentation as the server has it: where it is from, what is known of it, whom to tell.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::{OnceCell, watch};
use url::Url;

use super::keys::{KeyBytes, KeyStore, MAX_KEYS};
use super::turns::Turns;
use super::url_map::PresentationMap;
use crate::bounded_map::BoundedMap;
use crate::cenc::{ContentKey, PrivateKey};
use crate::error::Failure;
use crate::hls::{ByteRange, Digest, InitLocation, decode_data_uri, is_data_uri};
use crate::http::{Downloaded, FileRequest, Source, download, refused};
use crate::wait::lock;

/// Largest init segment. They have some kilobytes.
const MAX_INIT_SEGMENT: usize = 1024 * 1024;

/// Files that were fetched to be looked at, and are kept until the demuxer asks for them.
const MAX_PREFETCHED: usize = 64;

/// Bytes of them.
const MAX_PREFETCHED_BYTES: usize = 32 * 1024 * 1024;

/// How long what was looked at stands for what lies there.
const PREFETCHED_FOR: Duration = Duration::from_secs(5);

/// What a failure means for the presentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is nothing to play.
    Fatal,
    /// The demuxer may go on with something else.
    Passing,
}

/// What is answered once the element is about to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// That there is nothing.
    Nothing,
    /// The same, but for playlists: the demuxer wakes when it has one.
    APlaylist,
}

impl Closing {
    /// For a demuxer that waits for a playlist, or not.
    pub fn answer(needs_playlist: bool) -> Self {
        match needs_playlist {
            true => Closing::APlaylist,
            false => Closing::Nothing,
        }
    }
}

/// What the server needs to know of the element, and tells it. Called on threads that may block.
pub trait Host: Send + Sync {
    /// Tells the application what is wrong.
    fn complain(&self, failure: &Failure, verdict: Verdict);

    /// Whether there is a decryptor for any of these protection systems.
    fn can_decrypt(&self, systems: &[u128]) -> bool;

    /// Has the session token fetched, which decryptors will need.
    fn warm_up(&self);
}

/// Why there is no answer.
pub enum Refusal {
    /// A file is not to be had, or is not what it should be.
    File(Failure),
    /// Nothing can be decrypted: the demuxer would not notice, and play noise or nothing for ever.
    Key(Failure),
    /// Nobody waits for it any more, or the path has outlived what it names.
    Gone,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::File(failure)
    }
}

pub struct Presentation {
    pub source: Source,
    pub map: PresentationMap,
    pub keys: KeyStore,
    pub host: Arc<dyn Host>,
    pub turns: Turns,
    /// Set when the element is about to stop.
    closing: watch::Sender<Option<Closing>>,
    /// The playlists that the multivariant playlist names.
    pub others: Mutex<Vec<Url>>,
    /// Whether these have been looked at.
    pub looked_around: OnceCell<()>,
    warmed_up: OnceCell<()>,
    prefetched: Mutex<Prefetched>,
    private_keys: Mutex<PrivateKeys>,
}

impl Presentation {
    pub fn new(
        source: Source,
        map: PresentationMap,
        keys: KeyStore,
        host: Arc<dyn Host>,
        turns: Turns,
    ) -> Self {
        Self {
            source,
            map,
            keys,
            host,
            turns,
            closing: watch::Sender::new(None),
            others: Mutex::default(),
            looked_around: OnceCell::new(),
            warmed_up: OnceCell::new(),
            prefetched: Mutex::default(),
            private_keys: Mutex::default(),
        }
    }

    /// The element is about to stop: who waits for an answer gets this.
    pub fn close(&self, answers: Closing) {
        self.closing.send_replace(Some(answers));
    }

    pub fn is_closing(&self) -> bool {
        self.closing.borrow().is_some()
    }

    /// Returns when the element is about to stop, with what there is to be answered.
    pub async fn closed(&self) -> Closing {
        let mut closing = self.closing.subscribe();
        let closed = closing.wait_for(Option::is_some).await;
        // Fails only where the sender is gone, which is ours.
        closed
            .ok()
            .and_then(|closed| *closed)
            .unwrap_or(Closing::Nothing)
    }

    /// Has the session token fetched beside everything else, once.
    pub async fn warm_up(&self) {
        let begin = || async {
            let host = self.host.clone();
            drop(tokio::task::spawn_blocking(move || host.warm_up()));
        };
        self.warmed_up.get_or_init(begin).await;
    }

    /// Does work that takes a while on a thread of its own: tokens are fetched on this one.
    pub async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let shared = self.clone();
        tokio::task::spawn_blocking(move || work(&shared))
            .await
            .map_err(|_| {
                Failure::malformed("a part of the presentation could not be read").of_stream()
            })
    }

    /// A whole file, of at most so many bytes.
    ///
    /// # Errors
    ///
    /// Why it is not to be had.
    pub async fn file(&self, url: &Url, max: usize) -> Result<Downloaded, Failure> {
        let prefetched = lock(&self.prefetched).take(&File::whole(url));
        if let Some(found) = prefetched {
            return Ok(found);
        }
        let downloaded = download(FileRequest {
            url,
            source: &self.source,
            range: None,
            max,
        })
        .await?;
        match downloaded.status {
            200 => Ok(downloaded),
            status => refused(&downloaded.url, status),
        }
    }

    /// Keeps a file until the demuxer asks for it.
    pub fn keep_file(&self, url: &Url, file: Downloaded) {
        lock(&self.prefetched).keep(File::whole(url), file);
    }

    /// An init segment as it lies there.
    ///
    /// # Errors
    ///
    /// Why it is not to be had.
    pub async fn raw_init(&self, at: &InitLocation) -> Result<Bytes, Failure> {
        let key = File {
            url: at.url.clone(),
            range: at.range,
        };
        let prefetched = lock(&self.prefetched).take(&key);
        if let Some(found) = prefetched {
            return Ok(found.body.into());
        }
        if is_data_uri(at.url.as_str()) {
            let data = decode_data_uri(at.url.as_str()).unwrap_or_default();
            return part(data.into(), at.range, true);
        }
        let last = |range: ByteRange| range.end().unwrap_or(u64::MAX).saturating_sub(1);
        let downloaded = download(FileRequest {
            url: &at.url,
            source: &self.source,
            range: at.range.map(|range| (range.offset, Some(last(range)))),
            max: MAX_INIT_SEGMENT,
        })
        .await?;
        match downloaded.status {
            206 => Ok(downloaded.body.into()),
            // A server that knows no ranges.
            200 => part(downloaded.body.into(), at.range, true),
            status => refused(&downloaded.url, status),
        }
    }

    /// Keeps an init segment that was only looked at.
    pub fn keep_init(&self, at: &InitLocation, body: &Bytes) {
        let key = File {
            url: at.url.clone(),
            range: at.range,
        };
        let file = Downloaded {
            url: at.url.clone(),
            status: 200,
            body: body.to_vec(),
        };
        lock(&self.prefetched).keep(key, file);
    }

    /// The name by which decryptors of this process find the key at that URL.
    pub fn private_key(&self, url: &Url, key: &KeyBytes) -> Option<Arc<PrivateKey>> {
        let digest = Digest::of(url.as_str().as_bytes());
        let mut keys = lock(&self.private_keys);
        if let Some(known) = keys.get(&digest) {
            return Some(known.clone());
        }
        let key = ContentKey::from_slice(&key[..])?;
        let new = Arc::new(PrivateKey::new(key));
        keys.insert(digest, new.clone());
        Some(new)
    }
}

/// Keys that decryptors of this process find, by the digests of their URLs.
type PrivateKeys = BoundedMap<Digest, Arc<PrivateKey>, MAX_KEYS>;

/// Part of a file that has come as a whole.
fn part(file: Bytes, range: Option<ByteRange>, is_init: bool) -> Result<Bytes, Failure> {
    let Some(range) = range else {
        return Ok(file);
    };
    let found = usize::try_from(range.offset).ok().and_then(|offset| {
        let end = offset.checked_add(usize::try_from(range.length).ok()?)?;
        (end <= file.len()).then(|| file.slice(offset..end))
    });
    let what = if is_init { "init segment" } else { "segment" };
    found.ok_or_else(|| {
        Failure::malformed(format!("the {what} is shorter than the playlist says")).of_stream()
    })
}

/// Which file, or part of one.
#[derive(Clone, PartialEq, Eq, Hash)]
struct File {
    url: Url,
    range: Option<ByteRange>,
}

impl File {
    fn whole(url: &Url) -> Self {
        Self {
            url: url.clone(),
            range: None,
        }
    }
}

/// Files that nobody has asked for yet.
#[derive(Default)]
struct Prefetched {
    files: HashMap<File, (Instant, Downloaded)>,
    bytes: usize,
}

impl Prefetched {
    fn keep(&mut self, key: File, file: Downloaded) {
        let size = file.body.len();
        self.files
            .retain(|_, (since, _)| since.elapsed() < PREFETCHED_FOR);
        self.bytes = self.files.values().map(|(_, one)| one.body.len()).sum();
        let has_room =
            self.files.len() < MAX_PREFETCHED && self.bytes + size <= MAX_PREFETCHED_BYTES;
        // Where there is no room it is fetched again.
        if has_room && !self.files.contains_key(&key) {
            self.bytes += size;
            self.files.insert(key, (Instant::now(), file));
        }
    }

    fn take(&mut self, key: &File) -> Option<Downloaded> {
        let (since, file) = self.files.remove(key)?;
        self.bytes -= file.body.len();
        // A live playlist has others by then.
        Some(file).filter(|_| since.elapsed() < PREFETCHED_FOR)
    }
}
