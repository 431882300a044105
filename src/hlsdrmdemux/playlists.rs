// SPDX-License-Identifier: MIT OR Apache-2.0

//! Playlists as the demuxer gets them: fetched when it asks for them, and rewritten. What a
//! playlist does not say of its presentation is looked for in the others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either as Selected, select};
use tokio::task::JoinSet;
use url::Url;

use super::directives::is_blocking;
use super::keys::FAILED_FOR;
use super::paths::Resource;
use super::playlist_rewrite::lists_playlists;
use super::presentation::{Presentation, Refusal};
use crate::error::{Failure, Kind};
use crate::hls::{FirstKey, FirstKeys, Rewritten, Survey};
use crate::http::Downloaded;
use crate::wait::lock;

/// Largest playlist: a day in segments of two seconds, with long names and key tags.
pub const MAX_PLAYLIST: usize = 16 * 1024 * 1024;

/// How long the other playlists are waited for: a viewer waits too.
const LOOK: Duration = Duration::from_secs(3);

/// The longest playlist that is looked at so, since all are in memory together: hours of segments.
const MAX_LOOKED_AT: usize = 1024 * 1024;

/// The multivariant playlist for the presentation's first playlist, which was asked for at `url`
/// and is at `base` in the end.
///
/// # Errors
///
/// `Malformed`, with what is wrong.
pub fn first(
    presentation: &Presentation,
    playlist: &[u8],
    url: &Url,
    base: &Url,
) -> Result<String, Failure> {
    if !lists_playlists(playlist)? {
        // The demuxer would ask the origin for a media playlist again, so it gets one that names
        // it.
        let media = Resource::Playlist(url.clone());
        let place = presentation.map.url(&media)?;
        let file = Downloaded {
            url: base.clone(),
            status: 200,
            body: playlist.to_vec(),
        };
        presentation.keep_file(url, file);
        return Ok(format!("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{place}\n"));
    }
    let resource = Resource::First(url.clone());
    let is_wanted = || !presentation.is_closing();
    let rewritten = presentation
        .map
        .rewrite(&resource, playlist, base, &is_wanted)?;
    if let Some(key) = rewritten.session_key {
        presentation.map.set_first_key(key, Vec::new());
    }
    *lock(&presentation.others) = rewritten.playlists;
    presentation.map.set_variables(rewritten.variables);
    Ok(rewritten.text)
}

/// The same again, for a demuxer that cannot have another playlist.
///
/// # Errors
///
/// Why it is not to be had, where there is none from before.
pub async fn first_again(
    presentation: &Arc<Presentation>,
    resource: &Resource,
    url: &Url,
) -> Result<Arc<str>, Refusal> {
    let file = presentation.file(url, MAX_PLAYLIST).await;
    let text = match file {
        Ok(file) => {
            let url = url.clone();
            let rewriting =
                presentation.compute(move |shared| first(shared, &file.body, &url, &file.url));
            rewriting.await.and_then(|text| text)
        }
        Err(failure) => Err(failure),
    };
    match text {
        Ok(text) => {
            let text: Arc<str> = text.into();
            presentation.map.record_first(resource, &text);
            Ok(text)
        }
        Err(failure) => repeated(presentation, resource, url, Refusal::File(failure)).await,
    }
}

/// The playlist from before instead of the one at `url`, or else the refusal. A demuxer whose
/// request may wait makes the next one as soon as it has an answer: it gets this one only after a
/// while.
async fn repeated(
    presentation: &Presentation,
    resource: &Resource,
    url: &Url,
    otherwise: Refusal,
) -> Result<Arc<str>, Refusal> {
    let before = presentation.map.repeated(resource).ok_or(otherwise)?;
    if is_blocking(url) {
        tokio::time::sleep(FAILED_FOR).await;
    }
    Ok(before)
}

/// A media playlist.
///
/// # Errors
///
/// Why it is not to be had, where there is none from before.
pub async fn media(
    presentation: &Arc<Presentation>,
    resource: &Resource,
    url: Url,
) -> Result<Arc<str>, Refusal> {
    let rewritten = match rewritten(presentation, resource, &url).await {
        Ok(rewritten) => rewritten,
        Err(failure) => {
            let otherwise = Refusal::File(failure);
            return repeated(presentation, resource, &url, otherwise).await;
        }
    };
    if let Err(failure) = refuse(&rewritten) {
        // What plays would end without a word. What does not play yet the demuxer may do without.
        return Err(match presentation.map.was_good(resource) {
            true => Refusal::Key(failure),
            false => Refusal::File(failure),
        });
    }
    if let Err(failure) = fetch_keys(presentation, &rewritten.keys).await {
        let may_pass = matches!(failure.kind, Kind::Transient | Kind::TimedOut);
        let otherwise = Refusal::Key(failure);
        return match may_pass {
            true => repeated(presentation, resource, &url, otherwise).await,
            false => Err(otherwise),
        };
    }
    Ok(presentation.map.record_playlist(resource, rewritten))
}

fn refuse(rewritten: &Rewritten) -> Result<(), Failure> {
    match &rewritten.unplayable {
        Some(why) => Err(Failure::malformed(format!("the playlist {why}")).of_stream()),
        None => Ok(()),
    }
}

/// Has the keys here that come first. A demuxer that gets none takes what it has got for one.
async fn fetch_keys(presentation: &Arc<Presentation>, keys: &FirstKeys) -> Result<(), Failure> {
    let is_live = matches!(keys, FirstKeys::OfLive(_));
    let (FirstKeys::Of(keys) | FirstKeys::OfLive(keys)) = keys;
    let Some((first, others)) = keys.split_first() else {
        return Ok(());
    };
    // What its server wants is known then.
    let first = presentation.keys.get(first).await.map(drop);
    if !is_live {
        first.clone()?;
    }
    let mut fetching = JoinSet::new();
    for key in others {
        let (shared, key) = (presentation.clone(), key.clone());
        fetching.spawn(async move { fetch_key(&shared, &key).await });
    }
    if is_live && first.is_ok() {
        // The oldest may be gone, or come too late, for who never wants them.
        fetching.detach_all();
    }
    while let Some(fetched) = fetching.join_next().await {
        let lost = || Err(Failure::transient("a key could not be fetched"));
        match (fetched.unwrap_or_else(|_| lost()), is_live) {
            (Ok(()), false) | (Err(_), true) => {}
            (Err(failure), false) => return Err(failure),
            // The newest may be one of a segment that is not there yet.
            (Ok(()), true) => return Ok(()),
        }
    }
    first
}

/// Has a key here, unless the element is about to stop: nobody may wait for it any more.
async fn fetch_key(presentation: &Presentation, key: &Url) -> Result<(), Failure> {
    let closed = pin!(presentation.closed());
    let key = pin!(presentation.keys.get(key));
    match select(closed, key).await {
        Selected::Left(_) => Err(Failure::transient("the element is being stopped")),
        Selected::Right((key, _)) => key.map(drop),
    }
}

async fn rewritten(
    presentation: &Arc<Presentation>,
    resource: &Resource,
    url: &Url,
) -> Result<Rewritten, Failure> {
    let mut file = presentation.file(url, MAX_PLAYLIST).await?;
    if !presentation.map.has_first_inits() {
        file = look_for_first_key(presentation, file, url).await?;
    }
    if let Some(FirstKey::Drm(_)) = presentation.map.first_key() {
        presentation.warm_up().await;
    }
    let resource = resource.clone();
    let rewriting = presentation.compute(move |shared| {
        let is_wanted = || !shared.is_closing();
        shared
            .map
            .rewrite(&resource, &file.body, &file.url, &is_wanted)
    });
    rewriting.await?
}

/// Looks for the presentation's first key in a playlist, and in the others where that has none.
async fn look_for_first_key(
    presentation: &Arc<Presentation>,
    file: Downloaded,
    url: &Url,
) -> Result<Downloaded, Failure> {
    let (file, survey) = surveyed(presentation, file).await;
    let survey = survey?;
    let may_become_protected = survey.may_become_protected;
    let is_open = survey.first.is_none() && survey.has_init_segment;
    set_first_key(presentation, survey);
    if is_open && presentation.map.first_key().is_none() {
        look_around(presentation, Some(url)).await;
        // What plays already keeps its init segments.
        let begins = !presentation.map.has_good_playlist();
        if may_become_protected && begins && presentation.map.first_key().is_none() {
            presentation
                .map
                .set_first_key(FirstKey::Unknown, Vec::new());
        }
    }
    Ok(file)
}

async fn surveyed(
    presentation: &Arc<Presentation>,
    file: Downloaded,
) -> (Downloaded, Result<Survey, Failure>) {
    let url = file.url.clone();
    let surveying = presentation.compute(move |shared| {
        let is_wanted = || !shared.is_closing();
        let survey = shared.map.survey(&file.body, &file.url, &is_wanted);
        (file, survey)
    });
    match surveying.await {
        Ok(found) => found,
        Err(failure) => {
            let nothing = Downloaded {
                url,
                status: 0,
                body: Vec::new(),
            };
            (nothing, Err(failure))
        }
    }
}

fn set_first_key(presentation: &Presentation, survey: Survey) {
    if let Some(key) = survey.first {
        presentation.map.set_first_key(key, survey.inits);
    }
}

/// Looks for the first key in the presentation's other playlists, once. They are kept until the
/// demuxer asks for them.
pub async fn look_around(presentation: &Arc<Presentation>, besides: Option<&Url>) {
    let look = || async {
        let others = lock(&presentation.others).clone();
        let mut fetching = JoinSet::new();
        for url in others.into_iter().filter(|url| Some(url) != besides) {
            let shared = presentation.clone();
            fetching.spawn(async move {
                let file = shared.file(&url, MAX_LOOKED_AT).await.ok()?;
                let (file, survey) = surveyed(&shared, file).await;
                if file.status == 200 {
                    shared.keep_file(&url, file);
                }
                survey.ok()
            });
        }
        let learning = async {
            while let Some(found) = fetching.join_next().await {
                if let Ok(Some(survey)) = found {
                    set_first_key(presentation, survey);
                }
            }
        };
        // What takes longer is looked at when the demuxer asks for it.
        let _ = tokio::time::timeout(LOOK, learning).await;
    };
    presentation.looked_around.get_or_init(look).await;
}
