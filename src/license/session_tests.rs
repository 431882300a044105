// SPDX-License-Identifier: MIT OR Apache-2.0

//! A stream's licenses, with a license server and a store that say what a test wants, at times that it
//! names.

use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::Url;

use super::context::{LicenseFetcher, PollContext};
use super::key_request::KeyRequest;
use super::key_request_fields::KeyRequestFields;
use super::named_keys::FRAGMENT;
use super::notice::LicenseNotice;
use super::policy::LicensePolicy;
use super::request::{Granted, LicenseRequest, LicenseResult};
use super::session::{LicenseSession, Missing};
use super::token_store::{Renewal, TokenStore};
use crate::cenc::{ContentKey, InitData, KeyId, License, read_license};
use crate::error::{Failure, Kind};
use crate::http::{Endpoint, HttpResponse, TlsSettings};
use crate::shared_result::{Completer, SharedResult};
use crate::token::{ClockReading, Secret};
use crate::wait::lock;

const ONE: KeyId = KeyId([1; 16]);
const TWO: KeyId = KeyId([2; 16]);
const THREE: KeyId = KeyId([3; 16]);

const TIMEOUT: Duration = Duration::from_secs(5);

const MINUTE: Duration = Duration::from_secs(60);

type Shared = Arc<SharedResult<LicenseResult>>;

/// A license server whose answers a test gives.
#[derive(Default)]
struct Server {
    requests: Mutex<Vec<(LicenseRequest, Option<Completer<LicenseResult>>)>>,
    /// What another decryptor has asked for already.
    others: Mutex<Option<Shared>>,
    /// How many results the last one who asked had already.
    excluded: Mutex<usize>,
}

impl LicenseFetcher for Server {
    fn request(
        &self,
        request: LicenseRequest,
        not: &[Shared],
        _context: &PollContext<'_>,
    ) -> (Shared, bool) {
        *lock(&self.excluded) = not.len();
        if let Some(result) = lock(&self.others).take() {
            return (result, true);
        }
        let abandoned = Failure::transient("nobody answers");
        let (result, completer) = SharedResult::pending(Err(abandoned));
        lock(&self.requests).push((request, Some(completer)));
        (result, false)
    }
}

/// A store of tokens.
#[derive(Default)]
struct Store {
    newest: Mutex<Renewal>,
    rejected: Mutex<Vec<(u32, u16)>>,
    pending: Mutex<Option<Completer<Renewal>>>,
    is_flushing: Mutex<bool>,
}

impl TokenStore for Store {
    fn reject(&self, generation: u32, http_status: u16) -> Option<Arc<SharedResult<Renewal>>> {
        lock(&self.rejected).push((generation, http_status));
        let (result, completer) = SharedResult::pending(None);
        *lock(&self.pending) = Some(completer);
        Some(result)
    }

    fn newest_of(&self, _generation: u32) -> Renewal {
        lock(&self.newest).clone()
    }

    fn set_flushing(&self, is_flushing: bool) {
        *lock(&self.is_flushing) = is_flushing;
    }
}

impl Store {
    fn answer(&self, renewal: Renewal) {
        let pending = lock(&self.pending).take();
        pending.expect("somebody waits").complete(renewal);
    }
}

fn token(generation: u32) -> KeyRequestFields {
    let text = format!("token-{generation}");
    KeyRequestFields {
        headers: vec![("x-token".to_owned(), Secret::from(text.as_str()))],
        token: Some(Secret::new(text)),
        generation,
    }
}

struct Rig {
    session: LicenseSession,
    server: Server,
    store: Arc<Store>,
    policy: LicensePolicy,
    now: ClockReading,
}

impl Rig {
    /// A stream without init data, and without a token.
    fn new() -> Self {
        let license_url = Endpoint::parse("https://license/", "license-url", false);
        Self {
            session: LicenseSession::default(),
            server: Server::default(),
            store: Arc::default(),
            policy: LicensePolicy {
                license_url: Some(license_url.expect("a URL")),
                token_hosts: None,
                timeout: TIMEOUT,
                retries: 0,
                tls: TlsSettings::default().load().expect("the defaults"),
                allow_cleartext: false,
            },
            now: ClockReading::now(),
        }
    }

    /// One with the token of generation 1, and a store that has no other.
    fn with_token() -> Self {
        let mut rig = Self::new();
        *lock(&rig.store.newest) = Some(token(1));
        let request = KeyRequest::new(token(1), None, Some(rig.store.clone()));
        rig.session.set_key_request(Some(request), None);
        rig
    }

    /// One that has that license.
    fn with_license(key_ids: &[KeyId], license: License) -> Self {
        let mut rig = Self::new();
        rig.name(key_ids, None);
        assert!(rig.waits(key_ids[0]));
        rig.grant(0, license);
        assert!(rig.obtain(key_ids[0]).is_ok());
        rig.session.take_notices();
        rig
    }

    fn name(&mut self, key_ids: &[KeyId], origin: Option<&str>) {
        let init_data = InitData {
            key_ids: key_ids.to_vec(),
            ..InitData::default()
        };
        self.session.add_init_data(&init_data, origin);
    }

    /// A sample with that key has come.
    fn obtain(&mut self, key_id: KeyId) -> Result<(), Missing> {
        if self.session.is_settled(key_id) {
            return Ok(());
        }
        let context = PollContext {
            policy: &self.policy,
            fetcher: &self.server,
            waker: Waker::noop(),
            now: self.now,
        };
        self.session.obtain(key_id, &context)
    }

    fn waits(&mut self, key_id: KeyId) -> bool {
        matches!(self.obtain(key_id), Err(Missing::Wait(_)))
    }

    fn failure(&mut self, key_id: KeyId) -> Failure {
        match self.obtain(key_id) {
            Err(Missing::Failed(failure)) => failure,
            _ => panic!("it does not fail"),
        }
    }

    fn go_on(&mut self, time: Duration) {
        self.now = self.now.after(time).expect("a time");
    }

    /// The key ids of each request.
    fn asked(&self) -> Vec<Vec<KeyId>> {
        let requests = lock(&self.server.requests);
        requests
            .iter()
            .map(|(one, _)| one.key_ids.clone())
            .collect()
    }

    fn tokens_sent(&self) -> Vec<String> {
        let requests = lock(&self.server.requests);
        let sent = |(request, _): &(LicenseRequest, _)| {
            let token = request.token.as_ref();
            assert_eq!(token, request.headers.first().map(|(_, value)| value));
            token.map_or_else(String::new, |token| token.expose().to_owned())
        };
        requests.iter().map(sent).collect()
    }

    fn answer(&self, number: usize, answer: LicenseResult) {
        let completer = lock(&self.server.requests)[number].1.take();
        completer.expect("it is open").complete(answer);
    }

    fn grant(&self, number: usize, license: License) {
        self.answer(number, Ok(self.granted(number, license)));
    }

    fn granted(&self, number: usize, license: License) -> Arc<Granted> {
        let key_ids = lock(&self.server.requests)[number].0.key_ids.clone();
        Arc::new(Granted::new(license, &key_ids, self.now))
    }

    /// What the application has been told: `+` for a license, `r` for a renewal, `s` for one that is
    /// shared, `!` for a renewal that failed.
    fn told(&mut self) -> String {
        let notices = self.session.take_notices().into_iter();
        let letters = notices.map(|notice| match notice {
            LicenseNotice::Granted {
                is_renewal: true, ..
            } => 'r',
            LicenseNotice::Granted {
                is_shared: true, ..
            } => 's',
            LicenseNotice::Granted { .. } => '+',
            LicenseNotice::RenewalFailed(_) => '!',
        });
        letters.collect()
    }
}

/// A license with these keys, each until then.
fn license(keys: &[(KeyId, Option<SystemTime>)]) -> License {
    let keys = keys.iter().map(|(key_id, end)| {
        let end = end.map(|end| end.duration_since(SystemTime::UNIX_EPOCH).expect("a time"));
        serde_json::json!({
            "kty": "oct",
            "kid": URL_SAFE_NO_PAD.encode(key_id.0),
            "k": URL_SAFE_NO_PAD.encode([9; 16]),
            "exp": end.map(|end| end.as_secs()),
        })
    });
    let body = serde_json::json!({ "keys": keys.collect::<Vec<_>>() }).to_string();
    read_license(&HttpResponse::new(200, body.as_bytes())).expect("a license")
}

fn endless(key_ids: &[KeyId]) -> License {
    license(&key_ids.iter().map(|one| (*one, None)).collect::<Vec<_>>())
}

/// One whose keys end in ten minutes.
fn ten_minutes(key_ids: &[KeyId]) -> License {
    let end = SystemTime::now() + 10 * MINUTE;
    license(
        &key_ids
            .iter()
            .map(|one| (*one, Some(end)))
            .collect::<Vec<_>>(),
    )
}

fn refused(status: u16) -> LicenseResult {
    Err(Failure::denied("refused: try harder").with_http_status(status))
}

#[test]
fn one_request_asks_for_all_named_keys() {
    let mut rig = Rig::new();
    rig.name(&[TWO, ONE], None);
    assert!(rig.waits(ONE) && rig.waits(TWO) && rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE, TWO]]);
    rig.grant(0, endless(&[ONE, TWO]));
    assert!(rig.obtain(ONE).is_ok() && rig.obtain(TWO).is_ok());
    assert!(rig.session.get(ONE).is_some() && rig.session.get(THREE).is_none());
    assert_eq!(rig.told(), "+");
}

#[test]
fn key_that_nobody_named_is_asked_for() {
    let mut rig = Rig::new();
    assert!(rig.waits(THREE));
    assert_eq!(rig.asked(), [[THREE]]);
}

#[test]
fn wait_ends_with_the_timeout() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.go_on(TIMEOUT);
    // The request's own failure says more, and has a moment to come.
    assert!(rig.waits(ONE));
    rig.go_on(Duration::from_secs(1));
    let failure = rig.failure(ONE);
    assert_eq!(failure.kind, Kind::TimedOut);
    assert!(
        failure.what.contains("no license within 5000 ms"),
        "{}",
        failure.what
    );
}

#[test]
fn license_without_the_key_is_told() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.grant(0, endless(&[TWO]));
    let Err(Missing::NotInLicense { key_id, ignored }) = rig.obtain(ONE) else {
        panic!("it has the key");
    };
    assert_eq!((key_id, ignored), (ONE, None));
}

#[test]
fn failure_of_the_request_is_that_of_the_stream() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, Err(Failure::transient("down").with_http_status(503)));
    assert_eq!(rig.failure(ONE).what, "down");
    // Nobody has refused the token.
    assert_eq!(*lock(&rig.store.rejected), []);
}

#[test]
fn stream_without_a_license_server_says_so() {
    let mut rig = Rig::new();
    rig.policy.license_url = None;
    rig.name(&[ONE, TWO], None);
    let failure = rig.failure(ONE);
    assert_eq!(failure.kind, Kind::Misconfigured);
    assert!(failure.what.contains("`license-url`"), "{}", failure.what);
    // Nothing that was named is lost.
    rig.policy.license_url = Endpoint::parse("https://h/", "license-url", false).ok();
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE, TWO]]);
}

#[test]
fn license_servers_alone_get_the_token() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    let (request, _) = &lock(&rig.server.requests)[0];
    let may_have = |url| request.token_hosts.allows(&Url::parse(url).expect("a URL"));
    assert!(may_have("https://license/x") && !may_have("https://other/"));
}

#[test]
fn refused_token_is_replaced_once() {
    for status in [401, 403, 412] {
        let mut rig = Rig::with_token();
        rig.name(&[ONE, TWO], None);
        assert!(rig.waits(TWO));
        rig.answer(0, refused(status));
        assert!(rig.waits(TWO));
        assert_eq!(*lock(&rig.store.rejected), [(1, status)]);
        // As the store of the element does.
        *lock(&rig.store.newest) = Some(token(2));
        rig.store.answer(Some(token(2)));
        assert!(rig.waits(TWO));
        assert_eq!(rig.asked(), [[ONE, TWO], [ONE, TWO]]);
        assert_eq!(rig.tokens_sent(), ["token-1", "token-2"]);
        rig.grant(1, endless(&[ONE, TWO]));
        assert!(rig.obtain(TWO).is_ok());
        assert_eq!(rig.told(), "+");
    }
}

#[test]
fn each_refused_token_is_rejected() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    for generation in 1..4 {
        rig.answer(generation as usize - 1, refused(403));
        assert!(rig.waits(ONE));
        *lock(&rig.store.newest) = Some(token(generation + 1));
        rig.store.answer(Some(token(generation + 1)));
        assert!(rig.waits(ONE));
    }
    assert_eq!(*lock(&rig.store.rejected), [(1, 403), (2, 403), (3, 403)]);
    // The store says when it is enough.
    rig.answer(3, refused(403));
    assert!(rig.waits(ONE));
    rig.store.answer(None);
    let what = rig.failure(ONE).what;
    assert!(
        what.starts_with("refused, and there is no other session token"),
        "{what}"
    );
}

#[test]
fn refusal_that_no_token_caused_rejects_none() {
    // Nobody to ask for another one.
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(403));
    assert_eq!(rig.failure(ONE).what, "refused: try harder");
    // A server that was not sent it.
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(403).map_err(Failure::without_token));
    assert_eq!(rig.failure(ONE).what, "refused: try harder");
    assert_eq!(*lock(&rig.store.rejected), []);
}

#[test]
fn other_token_is_waited_for_within_the_timeout() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(401));
    assert!(rig.waits(ONE));
    rig.go_on(TIMEOUT + Duration::from_secs(1));
    let what = rig.failure(ONE).what;
    assert!(
        what.contains("no other session token within 5000 ms"),
        "{what}"
    );
}

#[test]
fn stop_is_no_failure() {
    let mut rig = Rig::with_token();
    assert!(rig.waits(ONE));
    rig.answer(0, refused(401));
    assert!(rig.waits(ONE));
    let store = rig.session.stop().expect("the store of the token");
    store.set_flushing(true);
    rig.store.answer(None);
    assert!(rig.waits(ONE));
}

#[test]
fn new_key_request_ends_the_flush_of_the_last_tune() {
    let store = Arc::<Store>::default();
    store.set_flushing(true);
    let _request = KeyRequest::new(token(1), None, Some(store.clone()));
    assert!(!*lock(&store.is_flushing));
}

#[test]
fn newest_token_goes_with_each_request() {
    let mut rig = Rig::with_token();
    *lock(&rig.store.newest) = Some(token(7));
    assert!(rig.waits(ONE));
    assert_eq!(rig.tokens_sent(), ["token-7"]);
}

#[test]
fn token_that_has_ended_is_not_sent() {
    let mut rig = Rig::with_token();
    *lock(&rig.store.newest) = None;
    assert!(rig.waits(ONE));
    // Status 0: nobody has answered anything.
    assert_eq!(*lock(&rig.store.rejected), [(1, 0)]);
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
    *lock(&rig.store.newest) = Some(token(2));
    rig.store.answer(Some(token(2)));
    assert!(rig.waits(ONE));
    assert_eq!(rig.tokens_sent(), ["token-2"]);
}

#[test]
fn token_is_sent_for_its_keys_alone() {
    let mut rig = Rig::new();
    let request = KeyRequest::new(token(1), Some([ONE].into()), None);
    rig.session.set_key_request(Some(request), None);
    rig.name(&[ONE, TWO], Some("dash/mpd"));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE]]);
}

#[test]
fn key_request_is_for_what_comes_with_it() {
    let mut rig = Rig::with_token();
    rig.session.set_key_request(None, Some("dash/mpd"));
    assert!(rig.waits(ONE));
    // Data has come since: events of a fragment belong to what is playing, others to something else.
    rig.session.set_key_request(None, Some(FRAGMENT));
    assert!(rig.waits(TWO));
    rig.session.set_key_request(None, Some("dash/mpd"));
    assert!(rig.waits(THREE));
    assert_eq!(rig.tokens_sent(), ["token-1", "token-1", ""]);
}

#[test]
fn license_is_renewed_beside_the_stream() {
    let mut rig = Rig::with_license(&[ONE, TWO], ten_minutes(&[ONE, TWO]));
    rig.go_on(5 * MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 1);
    rig.go_on(4 * MINUTE + Duration::from_secs(50));
    // Of those that came with it, the one that is in use.
    rig.name(&[ONE], None);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked(), [vec![ONE, TWO], vec![ONE]]);
    // Nobody shares what is about to end.
    assert_eq!(*lock(&rig.server.excluded), 1);
    rig.grant(1, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r");
    rig.go_on(MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 2);
}

#[test]
fn renewal_that_fails_pauses() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(30));
    assert!(rig.obtain(ONE).is_ok());
    rig.answer(1, Err(Failure::transient("down")));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "!");
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 2);
    rig.go_on(Duration::from_secs(2));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.asked().len(), 3);
    rig.grant(2, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r");
}

#[test]
fn renewal_without_the_key_has_failed() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(50));
    assert!(rig.obtain(ONE).is_ok());
    rig.grant(1, endless(&[TWO]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "r!");
    // That at hand is good until its end.
    assert!(rig.session.get(ONE).is_some());
}

#[test]
fn license_that_has_ended_holds_the_stream() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(11 * MINUTE);
    assert!(rig.waits(ONE));
    assert!(rig.session.get(ONE).is_none());
    rig.grant(1, license(&[(ONE, Some(rig.now.wall + 10 * MINUTE))]));
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "+");
}

#[test]
fn renewal_under_way_becomes_what_is_waited_for() {
    let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
    rig.go_on(9 * MINUTE + Duration::from_secs(58));
    assert!(rig.obtain(ONE).is_ok());
    rig.go_on(Duration::from_secs(3));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked().len(), 2);
    rig.grant(1, endless(&[ONE]));
    assert!(rig.obtain(ONE).is_ok());
}

/// While the pipeline was paused, say.
#[test]
fn renewal_that_failed_long_ago_ends_nothing() {
    for answer in [None, Some(Failure::transient("down"))] {
        let mut rig = Rig::with_license(&[ONE], ten_minutes(&[ONE]));
        rig.go_on(9 * MINUTE + Duration::from_secs(58));
        assert!(rig.obtain(ONE).is_ok());
        if let Some(failure) = answer {
            rig.answer(1, Err(failure));
        }
        rig.go_on(60 * MINUTE);
        assert!(rig.waits(ONE));
        assert_eq!(rig.asked().len(), 3);
        rig.answer(2, Err(Failure::transient("still down")));
        assert_eq!(rig.failure(ONE).what, "still down");
    }
}

/// The key that nobody named has an end of its own, and its neighbour none.
#[test]
fn unasked_key_ends_by_itself() {
    let end = SystemTime::now() + 10 * MINUTE;
    let given = license(&[(ONE, None), (TWO, Some(end))]);
    let mut rig = Rig::with_license(&[ONE], given);
    assert!(rig.obtain(TWO).is_ok());
    rig.go_on(11 * MINUTE);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.waits(TWO));
    assert_eq!(rig.asked(), [vec![ONE], vec![ONE, TWO]]);
    assert!(rig.session.get(TWO).is_none() && rig.session.get(ONE).is_some());
}

#[test]
fn seek_back_finds_the_request_that_was_left() {
    let mut rig = Rig::new();
    assert!(rig.waits(ONE));
    rig.session.begin_segment();
    assert!(rig.waits(TWO));
    assert!(rig.waits(ONE));
    assert_eq!(rig.asked(), [[ONE], [TWO]]);
    rig.grant(0, endless(&[ONE]));
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.waits(TWO));
    assert_eq!(rig.asked().len(), 2);
}

#[test]
fn shared_license_is_told_as_such() {
    let mut rig = Rig::new();
    let granted = Arc::new(Granted::new(endless(&[ONE]), &[ONE], rig.now));
    let (result, completer) = SharedResult::pending(Err(Failure::transient("")));
    completer.complete(Ok(granted));
    *lock(&rig.server.others) = Some(result);
    assert!(rig.obtain(ONE).is_ok());
    assert_eq!(rig.told(), "s");
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
}

#[test]
fn private_key_needs_no_license() {
    let mut rig = Rig::new();
    let key = ContentKey::from_slice(&[5; 16]).expect("a key");
    rig.session.add_private(vec![(ONE, key)]);
    assert!(rig.obtain(ONE).is_ok());
    assert!(rig.session.get(ONE).is_some());
    assert_eq!(rig.asked(), Vec::<Vec<KeyId>>::new());
}

#[test]
fn sample_of_no_key_is_told() {
    let mut rig = Rig::new();
    assert!(matches!(rig.obtain(KeyId([0; 16])), Err(Missing::Unnamed)));
    rig.name(&[ONE], Some(FRAGMENT));
    assert!(rig.waits(KeyId([0; 16])));
    assert_eq!(rig.asked(), [[ONE]]);
}

#[test]
fn oldest_of_many_licenses_is_asked_for_again() {
    let mut rig = Rig::new();
    let key_id = |number: usize| KeyId((number as u128 + 1).to_be_bytes());
    for number in 0..65 {
        assert!(rig.waits(key_id(number)));
        rig.grant(number, endless(&[key_id(number)]));
        assert!(rig.obtain(key_id(number)).is_ok());
    }
    assert!(rig.obtain(key_id(1)).is_ok());
    assert!(rig.waits(key_id(0)));
}
