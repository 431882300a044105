// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests for keys: without the session token, with it, or with others after a refusal, as the
//! policy and the key server want.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Semaphore;
use url::{Origin, Url};

use super::key_response::{KeyBytes, read_key};
use super::settings::KeyRequestToken;
use crate::error::Failure;
use crate::http::{
    Deadline, HttpResponse, Purpose, REFUSALS, Request, Source, TokenHosts, exchange,
};
use crate::token::Secret;
use crate::wait::lock;

/// Most that is read of an answer. A page that says why there is no key has more, and is none.
const MAX_ANSWER: usize = 4096;

/// For all attempts at one key: as long as for a license (`timeout` of `clearkeydec`).
const TIMEOUT: Duration = Duration::from_secs(5);

/// Attempts after a failure that may pass.
const RETRIES: u32 = 2;

/// Key servers of which is remembered what they want.
const MAX_SERVERS: usize = 64;

/// Tokens that one key is asked for with. As many as a session has refused in a row before it
/// fails.
const MAX_TOKENS: u32 = 3;

/// Threads of a presentation that wait for tokens at a time.
const MAX_WAITS: usize = 8;

/// A session token, and what carries it.
#[derive(Clone)]
pub struct KeyToken {
    pub generation: u32,
    pub token: Secret,
    pub headers: Vec<(String, Secret)>,
    /// For the URL, encoded.
    pub query: Option<Secret>,
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

/// Asks the key servers of one presentation.
pub struct KeyFetcher {
    source: Source,
    policy: KeyPolicy,
    tokens: Arc<dyn TokenSource>,
    /// Threads that may wait for tokens.
    waits: Arc<Semaphore>,
    /// What is known of servers.
    servers: Mutex<HashMap<Origin, Arc<KeyServer>>>,
}

/// Whether a server has refused a request without the token. Who asks it first finds out, and the
/// others wait for that.
type KeyServer = tokio::sync::Mutex<Option<bool>>;

impl KeyFetcher {
    pub fn new(source: Source, policy: KeyPolicy, tokens: Arc<dyn TokenSource>) -> Self {
        Self {
            source,
            policy,
            tokens,
            waits: Arc::new(Semaphore::new(MAX_WAITS)),
            servers: Mutex::default(),
        }
    }

    /// The key at that URL, which is asked for now.
    ///
    /// # Errors
    ///
    /// Why it is not to be had.
    pub async fn fetch(&self, url: &Url) -> Result<KeyBytes, Failure> {
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
        let mut servers = lock(&self.servers);
        // Of more nothing is remembered.
        if servers.len() >= MAX_SERVERS {
            servers.clear();
        }
        servers.entry(url.origin()).or_default().clone()
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
        request.purpose = Some(Purpose::Key);
        request.max = MAX_ANSWER;
        // Paths of files may hold a CDN's tokens.
        request.shows_path = false;
        if let Some(token) = token {
            request.token_headers = token.headers.clone();
            request.token_query = token.query.clone();
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
