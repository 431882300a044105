// SPDX-License-Identifier: MIT OR Apache-2.0

//! What must hold whatever a server sends: for `cargo fuzz`, and for its corpus as a test.
//!
//! Each function takes bytes as they come from the network or the stream; those of services are
//! read under every HTTP status that counts.

use crate::auth_service::parameters::Parameter;
use crate::auth_service::thunder_events::{Registrations, ThunderMessage};
use crate::auth_service::{
    Ags, CallContext, Thunder, TokenReply, ags, custom, dashif, discovery, oauth2, rdk, thunder,
};
use std::time::SystemTime;
use url::Url;

use crate::cenc::{
    ContentKey, InitData, KeyId, License, SoundFormat, playready, pssh, read_license,
};
use crate::error::Failure;
use crate::hls::recording_map::{Place, RecordingMap};
use crate::hls::{
    Aes128Decryptor, Context, Rewritten, Scheme, Variables, as_clear, decode_data_uri,
    decrypt_aes128, insert_free_box, key_ids_of, lists_playlists, pssh_boxes, rewrite, scheme_of,
    splice, systems, with_only,
};
use crate::http::HttpResponse;
use crate::problem_details::ProblemDetails;
use crate::sample_aes::{SampleAesError, SegmentDecryptor};
use crate::token::Secret;
use crate::token::{Grant, MAX_TOKEN_LEN};

/// Every class of status that a parser tells from the others.
const STATUSES: [u16; 10] = [200, 202, 204, 206, 302, 400, 401, 404, 429, 503];

/// Where this stands in a body, no error text may repeat it.
const CANARY: &str = "CANARY-7f3a9c";

fn replies(body: &[u8]) -> impl Iterator<Item = HttpResponse> {
    STATUSES
        .map(|status| HttpResponse::new(status, body))
        .into_iter()
}

fn check_failure(failure: &Failure) {
    assert!(
        !failure.what.contains(CANARY),
        "an error text quotes the reply"
    );
    check_text(&failure.what, 2000);
    check_problem(&failure.problem);
}

fn check_problem(problem: &ProblemDetails) {
    for text in [problem.title(), problem.detail()].into_iter().flatten() {
        assert!(!text.is_empty());
        check_text(&text, 401);
    }
}

fn check_text(text: &str, limit: usize) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(
        text.chars().count() <= limit,
        "a text of {} bytes",
        text.len()
    );
}

fn check_grant(result: Result<Grant, Failure>) {
    match result {
        Ok(grant) => {
            let token = grant.token.expose();
            assert!((1..=MAX_TOKEN_LEN).contains(&token.len()));
            assert!(token.bytes().all(|byte| byte.is_ascii_graphic()));
        }
        Err(failure) => check_failure(&failure),
    }
}

pub fn rdk(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(rdk::read_reply(&reply)));
}

pub fn thunder(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(thunder::read_reply(&reply, 3)));
}

/// What comes on Thunder's WebSocket: the same message again says no more than the first time.
pub fn changes(message: &[u8]) {
    let mut registrations = Registrations::new("plugin.1.register", [3, 4]);
    match registrations.read(message) {
        Ok(ThunderMessage::Registered) => {
            assert!(registrations.is_done());
            assert_eq!(registrations.read(message), Ok(ThunderMessage::Nothing));
        }
        Ok(said) => {
            assert!(!registrations.is_done());
            assert_eq!(registrations.read(message), Ok(said));
        }
        Err(failure) => check_failure(&failure),
    }
}

pub fn ags(body: &[u8]) {
    replies(body).for_each(|reply| check_grant(ags::read_reply(&reply)));
}

/// The new refresh token will be sent, and stand in a file of one line.
pub fn oauth2(body: &[u8]) {
    for reply in replies(body) {
        let result = oauth2::read_reply(&reply);
        if let Ok(TokenReply {
            refresh_token: Some(text),
            ..
        }) = &result
        {
            assert!(!text.expose().is_empty());
            assert!(!text.expose().chars().any(char::is_control));
        }
        check_grant(result.map(|reply| reply.grant));
    }
}

/// The first line is where the token stands and its end, the rest is the reply.
pub fn custom(bytes: &[u8]) {
    let split = bytes.iter().position(|byte| *byte == b'\n');
    let (line, body) = bytes.split_at(split.unwrap_or(0));
    let line = String::from_utf8_lossy(line);
    let (token, expires) = line.split_once(' ').unwrap_or((&line, ""));
    let settings = custom::CustomSettings {
        token_pointer: Some(token).filter(|text| !text.is_empty()),
        expires_pointer: Some(expires).filter(|text| !text.is_empty()),
        ..custom::CustomSettings::default()
    };
    match custom::Custom::new(settings) {
        Err(failure) => check_failure(&failure),
        Ok(service) => {
            for reply in replies(body) {
                let result = service.read_reply(&reply, SystemTime::UNIX_EPOCH);
                check_grant(result.map(|reply| reply.grant));
            }
        }
    }
}

/// Parameters as a user writes them.
pub fn parameters(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    // Files would be read.
    if text.contains("secret-file") {
        return;
    }
    match crate::auth_service::parameters::read_parameters(&text, "parameters-file") {
        Ok(parameters) => assert!(parameters.iter().all(|(name, _)| !name.is_empty())),
        Err(failure) => check_text(&failure.what, 2000),
    }
}

/// A token is read as such whatever stands in it.
pub fn dashif(body: &[u8]) {
    for mut reply in replies(body) {
        reply.media_type = Some("text/plain".to_owned());
        check_grant(dashif::read_reply(&reply));
    }
    let listed = dashif::read_list(&String::from_utf8_lossy(body));
    assert_eq!(dashif::read_list(&dashif::list(&listed)), listed);
}

pub fn discovery(body: &[u8]) {
    for reply in replies(body) {
        let offers = match discovery::read_reply(&reply) {
            Ok(offers) => offers,
            Err(failure) => {
                check_failure(&failure);
                continue;
            }
        };
        assert!(!offers.is_empty());
        for id in [None, Some("sso".to_owned())] {
            let parameters = vec![("User".to_owned(), Parameter::from("x"))];
            let ags = Ags::new(id, None, parameters, true).expect("valid settings");
            match ags.choose(&offers, "getSessionToken") {
                // It will stand in a header.
                Ok(id) => assert!(crate::http::headers::is_value(&id)),
                // These do name what is on offer.
                Err(failure) => check_text(&failure.what, 2000),
            }
        }
    }
}

pub fn problem(body: &[u8]) {
    let problem = ProblemDetails::read(body);
    check_problem(&problem);
    let discreet = problem.without(&[Secret::from(CANARY), Secret::from("")]);
    for text in [discreet.title(), discreet.detail()].into_iter().flatten() {
        assert!(!text.contains(CANARY));
    }
}

pub fn license(body: &[u8]) {
    for reply in replies(body) {
        let result: Result<License, _> = read_license(&reply);
        if let Err(failure) = result {
            check_failure(&failure);
        }
    }
}

fn rewritten(playlist: &str) -> Option<(Rewritten, RecordingMap)> {
    let mut map = RecordingMap::default();
    let url = Url::parse("https://host/path/list.m3u8?a=b").ok()?;
    let variables = Variables::default();
    let context = Context::new(&url, &variables);
    let rewritten = rewrite(playlist, &context, &mut map).ok()?;
    Some((rewritten, map))
}

/// What the demuxer must see of a playlist stays: all but keys, maps, parts and ranges, and how
/// URIs are written.
pub fn playlist(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let Some((once, map)) = rewritten(&text) else {
        return;
    };
    let names = |text: &str| -> Vec<String> {
        let kept = text.trim_start_matches('\u{feff}').lines().filter(|line| {
            [
                "#EXT-X-KEY:",
                "#EXT-X-MAP:",
                "#EXT-X-SESSION-KEY:",
                "#EXT-X-PART:",
                "#EXT-X-PRELOAD-HINT:",
                "#EXT-X-BYTERANGE:",
            ]
            .iter()
            .all(|tag| !line.starts_with(tag))
        });
        let name = |line: &str| match line.strip_prefix('#') {
            Some(tag) if tag.starts_with("EXT") => tag
                .split(':')
                .next()
                .unwrap_or(tag)
                .trim_end_matches('\r')
                .to_owned(),
            Some(_) => "a comment".to_owned(),
            None if line.trim().is_empty() => "nothing".to_owned(),
            None => "a URI".to_owned(),
        };
        kept.map(name).collect()
    };
    assert_eq!(names(&once.text), names(&text));
    // Nothing is left to be done, and what was done is not done again.
    let (twice, again) = rewritten(&once.text).expect("it is one still");
    if lists_playlists(&once.text) == Ok(false)
        && !once.text.contains("{$")
        && !once.text.contains("RENDITION-REPORT")
    {
        let is_settled = |place: &Place| match place {
            Place::Key(_) => true,
            // All of them are had from the server where the text has a certain method somewhere.
            Place::Init(init) => init.is_direct(),
            _ => false,
        };
        assert!(again.places.iter().all(is_settled), "a key tag was left");
        if map.places.is_empty() {
            assert_eq!(twice.text, once.text);
        }
    }
}

/// Whatever is wrapped as clear reads as an init segment, once and again.
pub fn clear_init(bytes: &[u8]) {
    for scheme in [Scheme::Cenc, Scheme::Cbcs] {
        if let Ok(once) = as_clear(bytes, scheme) {
            let twice = as_clear(&once, scheme).expect("it is one still");
            // Nothing is wrapped twice.
            assert_eq!(twice.len(), once.len());
            drop((scheme_of(&once), key_ids_of(&once), pssh_boxes(&once)));
            let only = with_only(&once, &pssh::write(7, &[], b"x")).expect("an init segment");
            assert!(systems(&only).len() <= 1);
        }
    }
}

/// Key tags, alone and in turns.
pub fn key_tag(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    for list in text.lines() {
        drop(decode_data_uri(list));
    }
    let tags: String = text
        .lines()
        .map(|list| format!("#EXT-X-KEY:{list}\n#EXTINF:1,\ns\n"))
        .collect();
    playlist(format!("#EXTM3U\n{tags}").as_bytes());
    playlist(format!("#EXTM3U\n#EXT-X-MAP:URI=\"i\"\n{tags}").as_bytes());
}

/// How a file is cut on its way makes no difference.
pub fn aes128(file: &[u8]) {
    let key = ContentKey::from_slice(&[7; 16]).expect("sixteen bytes");
    let whole = decrypt_aes128(&key, [9; 16], file);
    for size in [1, 15, 16, 17, 1000] {
        let mut decryptor = Aes128Decryptor::new(&key, [9; 16]);
        let mut out = Vec::new();
        for part in file.chunks(size) {
            decryptor.push(part, &mut out);
            assert!(out.len() <= file.len());
        }
        assert_eq!(decryptor.finish(&mut out).map(|()| out), whole);
    }
}

/// Boxes can be added to whatever reads as an init segment, and once is enough.
pub fn init_segment(bytes: &[u8]) {
    let common = pssh::write(pssh::COMMON_SYSTEM_ID, &[KeyId([7; 16])], &[]);
    if let Ok(once) = splice(bytes, std::slice::from_ref(&common)) {
        assert!(once.len() <= bytes.len() + common.len());
        let further = insert_free_box(&once, 24);
        assert_eq!(further.len(), once.len() + 24);
        // Once is enough, wherever they are.
        for init in [once, further] {
            let twice = splice(&init, std::slice::from_ref(&common));
            assert_eq!(twice.as_deref(), Ok(&init[..]));
        }
    }
}

/// Init data comes from the stream.
pub fn init_data(bytes: &[u8]) {
    let read = InitData::read(bytes);
    assert!(read.key_ids.len() <= 1024);
    assert!(read.license_urls.len() <= 8);
    assert!(
        read.license_urls
            .iter()
            .all(|url| (1..=8192).contains(&url.len()))
    );
    assert!(read.license_urls.is_empty() || read.no_license_url.is_none());
    assert!(read.authorization_urls.iter().all(|url| !url.is_empty()));
    drop(playready::policy(bytes));
}

/// Samples of sound come from the stream. What a sample is goes by its beginning.
pub fn sound(bytes: &[u8]) {
    for (media_type, version) in [("audio/mpeg", Some(4)), ("audio/x-ac3", None)] {
        let format = SoundFormat::of(media_type, version);
        let longer = [bytes, &[0; 16]].concat();
        assert!(!format.is_plausible(bytes) || format.is_plausible(&longer));
    }
}

/// A segment stays as long as it is, and how it is cut on its way makes no difference.
pub fn sample_aes(segment: &[u8]) {
    let decrypt = |size: usize| -> Result<Vec<u8>, SampleAesError> {
        let key = ContentKey::from_slice(&[7; 16]).expect("sixteen bytes");
        let mut decryptor = SegmentDecryptor::new(&key, [9; 16]);
        let mut out = Vec::new();
        for part in segment.chunks(size) {
            decryptor.push(part, &mut out)?;
            assert!(out.len() <= segment.len());
        }
        decryptor.finish(&mut out)?;
        assert_eq!(out.len(), segment.len());
        Ok(out)
    };
    let whole = decrypt(segment.len().max(1));
    for size in [1, 61, 188, 1000] {
        assert_eq!(decrypt(size), whole);
    }
}

/// Requests hold what the user set, whatever that is: it comes back out of the JSON as it went in.
pub fn requests(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let pairs = vec![(text.to_string(), Parameter::from(&*text))];
    let ags = Ags::new(Some("sso".to_owned()), None, pairs, false).expect("valid");
    let context = CallContext::for_tests();
    let (_, body) = ags.token_call(&context).body.expect("a body");
    let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["parameters"][0]["name"], *text);
    assert_eq!(body["parameters"][0]["value"], *text);
    if let Ok(thunder) = Thunder::new(&text, Some(Secret::from(&*text))) {
        let call = thunder.call();
        assert!(
            call.headers
                .iter()
                .all(|(_, value)| crate::http::headers::is_value(value.expose()))
        );
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    /// What was found once, and what the targets start from.
    #[test]
    fn no_reply_of_the_corpus_breaks_a_parser() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
        type Target = fn(&[u8]);
        let targets: [(&str, Target); 20] = [
            ("aes128", super::aes128),
            ("ags", super::ags),
            ("changes", super::changes),
            ("clear_init", super::clear_init),
            ("custom", super::custom),
            ("dashif", super::dashif),
            ("discovery", super::discovery),
            ("init_data", super::init_data),
            ("init_segment", super::init_segment),
            ("key_tag", super::key_tag),
            ("license", super::license),
            ("oauth2", super::oauth2),
            ("parameters", super::parameters),
            ("playlist", super::playlist),
            ("problem", super::problem),
            ("rdk", super::rdk),
            ("requests", super::requests),
            ("sample_aes", super::sample_aes),
            ("sound", super::sound),
            ("thunder", super::thunder),
        ];
        for (name, target) in targets {
            let folder = corpus.join(name);
            let entries =
                std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
            let mut count = 0;
            for entry in entries {
                let path = entry.expect("an entry").path();
                target(&std::fs::read(&path).expect("a file"));
                count += 1;
            }
            assert!(count >= 5, "{count} replies for {name}");
        }
    }
}
