// SPDX-License-Identifier: MIT OR Apache-2.0

//! URIs of a playlist: which are read, and how they are written out.

use std::borrow::Cow;
use std::cell::Cell;

use url::Url;

use super::attributes::{Attribute, with_texts};
use super::data_uri::is_data_uri;
use super::variables::Variables;

/// Longest URL. Those of ad insertion have some kilobytes; servers take eight or sixteen.
pub const MAX_URL: usize = 16 * 1024;

/// Longest line that is written.
const MAX_WRITTEN: usize = 256 * 1024;

/// Text of URIs and of variables that is read for one playlist. All that is written of it has less.
const MAX_WORK: usize = 64 * 1024 * 1024;

/// Tags of keys, init segments, parts and variables in one playlist: several for each of the
/// segments of a day.
const MAX_TAGS: usize = 200_000;

/// What ends the rewriting, to go on after "the playlist".
pub type Objection = &'static str;

const TOO_LONG: Objection = "has a URI of more than 16384 bytes, which no server takes";
const ELSEWHERE: Objection =
    "names something that is neither on a web server nor where it is itself";
const TOO_MANY_TAGS: Objection =
    "has more than 200000 tags of keys, init segments, parts and variables, which nobody writes";
const TOO_MUCH_WORK: Objection =
    "has URIs and variables that have more than 64 MiB when they are written out";
const GROWS: Objection = "has a line that grows beyond all measure when its URIs are written out";

/// Where a playlist is, and what its variables are.
pub struct Base<'a> {
    pub url: &'a Url,
    /// What stands before a path in the folder of the playlist, where that is all that joining one
    /// takes.
    folder: Option<String>,
    pub variables: Variables,
    /// Bytes that have been read of URIs and variables.
    work: Cell<usize>,
    tags: usize,
    has_used_query: Cell<bool>,
}

/// What has been read of a playlist so far that is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    tags: usize,
    work: usize,
}

impl std::ops::Sub for Counts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            tags: self.tags - before.tags,
            work: self.work - before.work,
        }
    }
}

impl<'a> Base<'a> {
    pub fn new(url: &'a Url) -> Self {
        Self {
            url,
            folder: folder_of(url),
            variables: Variables::default(),
            work: Cell::new(0),
            tags: 0,
            has_used_query: Cell::new(false),
        }
    }

    /// A tag comes of which each costs some work, however short it is.
    ///
    /// # Errors
    ///
    /// There have been too many.
    pub fn count_tag(&mut self) -> Result<(), Objection> {
        self.tags += 1;
        match self.tags > MAX_TAGS {
            true => Err(TOO_MANY_TAGS),
            false => Ok(()),
        }
    }

    /// So many bytes are read.
    ///
    /// # Errors
    ///
    /// There have been too many.
    pub fn count_work(&self, bytes: usize) -> Result<(), Objection> {
        let work = self.work.get().saturating_add(bytes);
        self.work.set(work);
        match work > MAX_WORK {
            true => Err(TOO_MUCH_WORK),
            false => Ok(()),
        }
    }

    /// Where it is, as far as most URIs go by it.
    pub fn without_query(&self) -> Url {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url
    }

    /// Whether a URI stood for the playlist itself, with its query.
    pub fn has_used_query(&self) -> bool {
        self.has_used_query.get()
    }

    pub fn counts(&self) -> Counts {
        Counts {
            tags: self.tags,
            work: self.work.get(),
        }
    }

    /// So much counts as read, which was read before.
    ///
    /// # Errors
    ///
    /// As [`count_tag`](Self::count_tag) and [`count_work`](Self::count_work).
    pub fn count(&mut self, counts: Counts) -> Result<(), Objection> {
        self.tags += counts.tags;
        if self.tags > MAX_TAGS {
            return Err(TOO_MANY_TAGS);
        }
        self.count_work(counts.work)
    }

    /// The text with values in the place of variables.
    ///
    /// # Errors
    ///
    /// There have been too many bytes of such texts.
    pub fn substitute<'t>(&self, text: &'t str) -> Result<Cow<'t, str>, Objection> {
        let text = self.variables.substitute(text);
        if let Cow::Owned(text) = &text {
            self.count_work(text.len())?;
        }
        Ok(text)
    }

    /// The URL of a URI, if it is one.
    fn joined(&self, uri: &str) -> Result<Option<Url>, Objection> {
        self.count_work(uri.len())?;
        // RFC 3986, 5.2.2. What comes before does not count (https://url.spec.whatwg.org).
        let read = uri.trim_start_matches(|one| one <= ' ');
        if read.is_empty() || read.starts_with('#') {
            self.has_used_query.set(true);
        }
        let Ok(url) = self.url.join(uri) else {
            return Ok(None);
        };
        self.count_work(url.as_str().len())?;
        Ok(Some(url))
    }

    /// The URL of something that the demuxer or we fetch. `None` for what is no URI.
    ///
    /// # Errors
    ///
    /// It is too long, or may not be fetched: a playlist must not have files of this machine read.
    pub fn fetched(&self, uri: &str) -> Result<Option<Url>, Objection> {
        let uri = self.substitute(uri)?;
        // Data are no address: what they may hold is bounded by the line.
        if uri.len() > MAX_URL && !is_data_uri(&uri) {
            return Err(TOO_LONG);
        }
        let Some(url) = self.joined(&uri)? else {
            return Ok(None);
        };
        if url.as_str().len() > MAX_URL && url.scheme() != "data" {
            return Err(TOO_LONG);
        }
        let schemes = ["http", "https", "data", self.url.scheme()];
        match schemes.contains(&url.scheme()) {
            true => Ok(Some(url)),
            false => Err(ELSEWHERE),
        }
    }

    /// The same as text, for what is only written.
    ///
    /// # Errors
    ///
    /// As [`fetched`](Self::fetched).
    pub fn fetched_text(&self, uri: &str) -> Result<Option<String>, Objection> {
        let Some(folder) = self.folder.as_deref().filter(|_| is_plain_path(uri)) else {
            return Ok(self.fetched(uri)?.map(String::from));
        };
        if uri.len() > MAX_URL || folder.len() + uri.len() > MAX_URL {
            return Err(TOO_LONG);
        }
        self.count_work(folder.len() + 2 * uri.len())?;
        Ok(Some([folder, uri].concat()))
    }

    /// The attribute list of a tag that demuxers know, with what `place` gives for its URI.
    pub fn with_uri(
        &self,
        list: &str,
        mut place: impl FnMut(&Url) -> Option<String>,
    ) -> Result<String, Objection> {
        self.with_each(list, |attribute| {
            if attribute.name != "URI" {
                return self.left_or_absolute(attribute);
            }
            let url = self.fetched(attribute.text())?;
            Ok(url.map(|url| place(&url).unwrap_or_else(|| url.into())))
        })
    }

    /// The attribute list of any other tag. What stands there is nobody's to fetch: a URI of the
    /// web is written out, and every other one is left alone.
    pub fn with_absolute_uris(&self, list: &str) -> Result<String, Objection> {
        self.with_each(list, |attribute| self.left_or_absolute(attribute))
    }

    fn with_each(
        &self,
        list: &str,
        mut change: impl FnMut(Attribute) -> Result<Option<String>, Objection>,
    ) -> Result<String, Objection> {
        let mut objection = None;
        let changed = with_texts(list, MAX_WRITTEN, |attribute| {
            // Nothing more is read of a list with something wrong in it.
            if objection.is_some() {
                return None;
            }
            change(attribute).unwrap_or_else(|what| {
                objection = Some(what);
                None
            })
        });
        match objection {
            Some(what) => Err(what),
            None => changed.map_err(|_| GROWS),
        }
    }

    fn left_or_absolute(&self, attribute: Attribute) -> Result<Option<String>, Objection> {
        if attribute.name != "URI" && !attribute.name.ends_with("-URI") {
            return Ok(None);
        }
        let uri = self.substitute(attribute.text())?;
        if uri.len() > MAX_URL {
            return Ok(None);
        }
        let Some(url) = self.joined(&uri)? else {
            return Ok(None);
        };
        let is_webs = ["http", "https"].contains(&url.scheme());
        Ok((is_webs && url.as_str().len() <= MAX_URL).then(|| url.into()))
    }
}

/// Of a playlist on a web server.
fn folder_of(url: &Url) -> Option<String> {
    const NAME: &str = "name";
    if !["http", "https"].contains(&url.scheme()) {
        return None;
    }
    let mut joined = String::from(url.join(NAME).ok()?);
    joined.truncate(joined.strip_suffix(NAME)?.len());
    Some(joined)
}

/// Whether that is a relative path, perhaps with a query, that a URL parser leaves as it is
/// (<https://url.spec.whatwg.org/#path-state>): most segments are named so, and there are many.
fn is_plain_path(uri: &str) -> bool {
    let is_plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'/');
    let path = match uri.split_once('?') {
        Some((path, query)) => {
            let is_in_query = |byte| is_plain(byte) || matches!(byte, b'=' | b'&');
            if !query.bytes().all(is_in_query) {
                return false;
            }
            path
        }
        None => uri,
    };
    // No dots that lead to another folder.
    path.as_bytes()
        .first()
        .is_some_and(u8::is_ascii_alphanumeric)
        && path.bytes().all(is_plain)
        && !path.contains("/.")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn segments_are_plain_paths() {
        for uri in ["1.m4s", "video/00012.ts", "a-b_c~d.mp4?key=1&t=2.5"] {
            assert!(is_plain_path(uri), "{uri}");
        }
        for uri in [
            "",
            "/1.ts",
            "//cdn/1.ts",
            "../1.ts",
            "a/../1.ts",
            "a/.",
            "?1",
            "https://cdn/1.ts",
            "1%2e.ts",
            "{$name}.ts",
            "1.ts#t",
            "a b.ts",
            "a\\b.ts",
            "\u{e9}.ts",
        ] {
            assert!(!is_plain_path(uri), "{uri}");
        }
    }

    proptest! {
        /// A URL would be another one when nobody takes it apart.
        #[test]
        fn text_is_that_of_the_parsed_url(
            uri in "[a-zA-Z0-9./?=&_~:%#@\\\\{$ -]{0,24}",
            base in prop::sample::select(vec![
                "https://cdn.example/live/video.m3u8",
                "http://CDN.example:8080/a/b/?token=1/2#x",
                "https://user:secret@cdn.example",
                "https://cdn.example/%7Elive/../x",
                "file:///home/video.m3u8",
            ]),
        ) {
            let url = Url::parse(base).expect("a URL");
            let base = Base::new(&url);
            let parsed = base.fetched(&uri).map(|url| url.map(String::from));
            prop_assert_eq!(base.fetched_text(&uri), parsed);
        }
    }
}
