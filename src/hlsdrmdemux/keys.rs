// SPDX-License-Identifier: MIT OR Apache-2.0

//! Keys that playlists hand out by a URI: each asked for once a presentation, with the session token
//! where its server wants that.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use url::{Origin, Url};
use zeroize::Zeroizing;

use super::settings::KeyRequestToken;
use crate::cenc::ContentKey;
use crate::error::{Failure, Kind};
use crate::hls::{Digest, decode_data_uri, is_data_uri};
use crate::http::{Deadline, HttpResponse, REFUSALS, Request, Source, TokenHosts, exchange};
use crate::token::Secret;
use crate::wait::lock;

/// Bytes of a key.
const SIZE: usize = 16;

/// Most that is read of an answer. A page that says why there is no key has more, and is none.
const MAX_ANSWER: usize = 4096;

/// For all attempts at one key: as long as for a license (`timeout` of `clearkeydec`).
const TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts after a failure that may pass.
const RETRIES: u32 = 2;

/// Keys that are remembered. Those of a day whose key changes every minute fit.
pub const MAX_KEYS: usize = 2048;

/// Key servers of which is remembered what they want.
const MAX_SERVERS: usize = 64;

/// Tokens that one key is asked for with. As many as a session has refused in a row before it fails.
const MAX_TOKENS: u32 = 3;

/// Threads of a presentation that wait for tokens at a time.
const MAX_WAITS: usize = 8;

/// How long a refusal is the answer to whoever asks again: demuxers do so many times a second.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// The same for a failure that may pass: as long as a live playlist takes to come again.
const FAILED_FOR: Duration = Duration::from_secs(2);

/// A session token, and what carries it.
#[derive(Clone)]
pub struct KeyToken {
    pub generation: u32,
    pub token: Secret,
    pub headers: Vec<(String, Secret)>,
}

/// Where session tokens are from. What blocks is called on threads that may.
pub trait TokenSource: Send + Sync {
    /// Waits for the first token, or gives the newest one.
    ///
    /// # Errors
    ///
    /// Why there is none.
    fn newest(&self) -> Result<KeyToken, Failure>;

    /// Waits for another token than the one of that generation, which was refused with that status.
    /// `None` where there is none; the bus says why.
    fn after_rejection(&self, generation: u32, http_status: u16) -> Option<KeyToken>;
}

/// Who may be sent the token, and when.
#[derive(Clone)]
pub struct KeyPolicy {
    pub token: KeyRequestToken,
    pub hosts: TokenHosts,
    pub allow_cleartext: bool,
}

/// A key in bytes, wiped when nobody has it any more.
pub type KeyBytes = Arc<Zeroizing<[u8; SIZE]>>;

/// The keys of one presentation.
pub struct KeyStore {
    source: Source,
    policy: KeyPolicy,
    tokens: Arc<dyn TokenSource>,
    /// Threads that may wait for tokens.
    waits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// By the digests of their URLs.
    keys: HashMap<Digest, Arc<Entry>>,
    /// The oldest first.
    order: VecDeque<Digest>,
    /// What is known of servers.
    servers: HashMap<Origin, Arc<KeyServer>>,
}

/// Whether a server has refused a request without the token. Who asks it first finds out, and the
/// others wait for that.
type KeyServer = tokio::sync::Mutex<Option<bool>>;

/// What is known of a key. Whoever asks first fetches it, and the others wait.
type Entry = tokio::sync::Mutex<Option<Known>>;

#[derive(Clone)]
struct Known {
    result: Result<KeyBytes, Failure>,
    since: Instant,
}

impl Known {
    fn is_good(&self) -> bool {
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
            source,
            policy,
            tokens,
            waits: Arc::new(Semaphore::new(MAX_WAITS)),
            state: Mutex::default(),
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
            });
        }
        let entry = self.entry(url);
        let mut known = entry.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.is_good()) {
            return known.result.clone();
        }
        let result = self.fetch(url).await;
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
        let mut state = lock(&self.state);
        if let Some(known) = state.keys.get(&digest) {
            return known.clone();
        }
        if state.order.len() >= MAX_KEYS
            && let Some(oldest) = state.order.pop_front()
        {
            state.keys.remove(&oldest);
        }
        let entry = Arc::<Entry>::default();
        state.order.push_back(digest);
        state.keys.insert(digest, entry.clone());
        entry
    }

    async fn fetch(&self, url: &Url) -> Result<KeyBytes, Failure> {
        match self.policy.token {
            KeyRequestToken::Never => self.ask(url, None).await.map_err(|refusal| refusal.failure),
            KeyRequestToken::Always => {
                let token = self.newest_token(url).await?;
                self.ask_with(url, token).await
            }
            KeyRequestToken::OnRefusal => self.ask_on_refusal(url).await,
        }
    }

    /// Asks without the token, and with it where the server wants that.
    async fn ask_on_refusal(&self, url: &Url) -> Result<KeyBytes, Failure> {
        let server = self.server(url);
        let known = server.lock().await;
        if *known == Some(true) {
            drop(known);
            let token = self.newest_token(url).await?;
            return self.ask_with(url, token).await;
        }
        let first = known.is_none().then_some(known);
        let refusal = match self.ask(url, None).await {
            Ok(key) => {
                if let Some(mut known) = first {
                    *known = Some(false);
                }
                return Ok(key);
            }
            Err(refusal) => refusal,
        };
        if !refusal.is_of_token() {
            return Err(refusal.failure);
        }
        self.may_have_token(url, &refusal)?;
        match first {
            Some(mut known) => *known = Some(true),
            None => *server.lock().await = Some(true),
        }
        let token = self.newest_token(url).await.map_err(|mut failure| {
            failure.http_status = refusal.failure.http_status;
            failure
        })?;
        self.ask_with(url, token).await
    }

    /// Asks with the token, and with others where it is refused.
    async fn ask_with(&self, url: &Url, token: KeyToken) -> Result<KeyBytes, Failure> {
        let mut token = token;
        for _ in 0..MAX_TOKENS {
            let refusal = match self.ask(url, Some(&token)).await {
                Ok(key) => return Ok(key),
                Err(refusal) => refusal,
            };
            let status = refusal.failure.http_status.unwrap_or_default();
            // A server that was not sent the token has not refused it.
            if !refusal.is_of_token() || refusal.token_was_withheld {
                return Err(refusal.failure);
            }
            let tokens = self.tokens.clone();
            let generation = token.generation;
            let another = self
                .blocking(move || Ok(tokens.after_rejection(generation, status)))
                .await?;
            token = another.ok_or(refusal.failure)?;
        }
        Err(Failure::denied(format!(
            "the key server {} refused {MAX_TOKENS} session tokens in a row",
            url.host_str().unwrap_or_default()
        )))
    }

    /// Whether the server that refused may be sent the token, or the one that led to it.
    fn may_have_token(&self, url: &Url, refusal: &Refusal) -> Result<(), Failure> {
        let last = refusal.url.as_ref().unwrap_or(url);
        if [url, last]
            .into_iter()
            .any(|one| self.policy.hosts.allows(one))
        {
            return Ok(());
        }
        let host = last.host_str().unwrap_or_default();
        let mut failure = refusal.failure.clone();
        failure.what = format!(
            "{}: it was not sent the session token, because it is none of the presentation's own \
             servers: add {host} to `token-hosts` if it may have it",
            failure.what
        );
        Err(failure)
    }

    fn server(&self, url: &Url) -> Arc<KeyServer> {
        let mut state = lock(&self.state);
        // Of more nothing is remembered.
        if state.servers.len() >= MAX_SERVERS {
            state.servers.clear();
        }
        state.servers.entry(url.origin()).or_default().clone()
    }

    async fn newest_token(&self, url: &Url) -> Result<KeyToken, Failure> {
        let tokens = self.tokens.clone();
        self.blocking(move || tokens.newest())
            .await
            .map_err(|mut failure| {
                let host = url.host_str().unwrap_or_default();
                failure.what = format!(
                    "the key server {host} wants a session token, and there is none: {}",
                    failure.what
                );
                failure
            })
    }

    /// Does what blocks on a thread that may. One goes on where the demuxer has given up and asks
    /// again, so that there is a bound.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let unable = || Failure::transient("no thread could wait for a session token");
        let permit = self.waits.clone().acquire_owned().await;
        let permit = permit.map_err(|_| unable())?;
        let waiting = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        waiting.await.map_err(|_| unable())?
    }

    async fn ask(&self, url: &Url, token: Option<&KeyToken>) -> Result<KeyBytes, Refusal> {
        let request = Request::for_file(url, &self.source);
        let mut request = request.map_err(Refusal::before)?;
        request.max = MAX_ANSWER;
        // Paths of files may hold a CDN's tokens.
        request.shows_path = false;
        if let Some(token) = token {
            request.token_headers = token.headers.clone();
            request.secrets.push(token.token.clone());
        }
        request.token_hosts = self.policy.hosts.clone();
        request.token_in_cleartext = self.policy.allow_cleartext;
        let deadline = Deadline::new(TIMEOUT, RETRIES);
        let last = Mutex::new((None, false));
        let read = |reply: &HttpResponse| {
            *lock(&last) = (reply.url.clone(), reply.token_withheld.is_some());
            read_key(reply)
        };
        match exchange(&request, &deadline, read).await {
            Ok((key, _)) => Ok(key),
            Err(failure) => {
                let (url, token_was_withheld) = lock(&last).clone();
                Err(Refusal {
                    failure,
                    url,
                    token_was_withheld,
                })
            }
        }
    }
}

/// Why a key was not to be had.
struct Refusal {
    failure: Failure,
    /// Who said so.
    url: Option<Url>,
    /// There was a token, and the server that answered was not sent it.
    token_was_withheld: bool,
}

impl Refusal {
    /// Nobody was asked.
    fn before(failure: Failure) -> Self {
        Self {
            failure,
            url: None,
            token_was_withheld: false,
        }
    }

    /// Whether another token may help.
    fn is_of_token(&self) -> bool {
        let status = self.failure.http_status;
        status.is_some_and(|status| REFUSALS.contains(&status))
    }
}

fn key_of(bytes: &[u8]) -> Option<KeyBytes> {
    let bytes = <[u8; SIZE]>::try_from(bytes).ok()?;
    Some(Arc::new(Zeroizing::new(bytes)))
}

/// Reads the answer of a key server (RFC 8216, 4.3.2.4: a file of 16 octets).
fn read_key(reply: &HttpResponse) -> Result<KeyBytes, Failure> {
    let place = &reply.place;
    let status = reply.status;
    let failure = match status {
        200 | 206 => match key_of(&reply.body) {
            Some(key) => return Ok(key),
            None => Failure::malformed(format!(
                "{place} answered the request for a key with {} bytes{} where a key has {SIZE}: \
                 check the key's URI in the playlist",
                reply.body.len(),
                media_type(reply)
            )),
        },
        _ if REFUSALS.contains(&status) => Failure::denied(format!(
            "{place} refused the key of the presentation (HTTP {status}){}",
            reply.token_advice()
        )),
        300..=399 => Failure::malformed(format!(
            "{place} answered the request for a key with a redirect (HTTP {status}){} that is not \
             followed",
            reply.redirect_suffix()
        )),
        408 | 429 | 500..=599 => Failure::transient(format!(
            "{place} has no key at the moment (HTTP {status}){}",
            reply.retry_after_suffix()
        )),
        _ => Failure::transient(format!(
            "{place} does not have a key that the playlist names (HTTP {status})"
        )),
    };
    Err(failure.with_http_status(status))
}

fn media_type(reply: &HttpResponse) -> String {
    let known = reply.media_type.as_ref().filter(|name| {
        let is_sound = |byte: u8| byte.is_ascii_alphanumeric() || b"/+-.".contains(&byte);
        name.len() <= 64 && name.bytes().all(is_sound)
    });
    known.map_or_else(String::new, |name| format!(" of {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &[u8]) -> Result<KeyBytes, Failure> {
        let mut reply = HttpResponse::new(status, body);
        reply.place = "keys:80".to_owned();
        reply.media_type = Some("text/html".to_owned());
        read_key(&reply)
    }

    #[test]
    fn key_has_sixteen_bytes() {
        assert_eq!(**read(200, &[7; 16]).expect("a key"), [7; 16]);
        for size in [0, 15, 17, 32] {
            let failure = read(200, &vec![0; size]).expect_err("no key");
            assert_eq!(failure.kind, Kind::Malformed);
            let says =
                format!("keys:80 answered the request for a key with {size} bytes of text/html");
            assert!(failure.what.starts_with(&says), "{}", failure.what);
        }
    }

    #[test]
    fn refusal_is_told_from_a_fault() {
        for (status, kind) in [
            (401, Kind::Denied),
            (403, Kind::Denied),
            (412, Kind::Denied),
            (404, Kind::Transient),
            (302, Kind::Malformed),
            (429, Kind::Transient),
            (503, Kind::Transient),
        ] {
            let failure = read(status, b"").expect_err("no key");
            assert_eq!((failure.kind, failure.http_status), (kind, Some(status)));
        }
    }
}
