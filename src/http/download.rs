// SPDX-License-Identifier: MIT OR Apache-2.0

//! Files over HTTP, for hlsdrmdemux: playlists and init segments, bounded in size and time, and
//! segments as they come.

use std::time::Duration;

use hyper::body::Bytes;
use url::Url;

use crate::error::Failure;

use super::engine::{self, Answer, BodyError, Within};
use super::request_error::RequestError;
use super::{Deadline, Endpoint, Request, Source};

/// For the whole of a file, or the next piece of one that comes in pieces. Demuxers ask again.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is wanted.
pub struct FileRequest<'a> {
    pub url: &'a Url,
    pub source: &'a Source,
    /// First and last byte, or all from one on.
    pub range: Option<(u64, Option<u64>)>,
    /// The most that is read of what comes as a whole.
    pub max: usize,
}

impl FileRequest<'_> {
    fn request(&self) -> Result<Request, Failure> {
        let mut request = Request::for_file(self.url, self.source)?;
        request.range = self.range;
        request.max = self.max;
        // The paths of files may hold a CDN's tokens.
        request.shows_path = false;
        Ok(request)
    }
}

/// What came.
pub struct Downloaded {
    /// Where it was in the end.
    pub url: Url,
    pub status: u16,
    pub body: Vec<u8>,
}

/// What it means that a file was not to be had.
///
/// # Errors
///
/// `Denied` for 401 and 403, else `Transient`, with the status.
pub fn refused<T>(url: &Url, status: u16) -> Result<T, Failure> {
    let place = Endpoint::of_file(url)?.url().origin().ascii_serialization();
    let failure = match status {
        401 | 403 => Failure::denied(format!(
            "{place} refused a file of the presentation (HTTP {status}): check the headers and \
             cookies that the player's source sends"
        )),
        404 | 410 => Failure::transient(format!(
            "{place} does not have a file that the presentation names (HTTP {status})"
        )),
        status => Failure::transient(format!(
            "{place} did not hand out a file of the presentation (HTTP {status})"
        )),
    };
    Err(failure.with_http_status(status))
}

/// Fetches a file, whatever the status is.
///
/// # Errors
///
/// `Transient` and `TimedOut` where nothing came, `Malformed` for what is too large or leads
/// nowhere, `Misconfigured` for a URL that is none for this. They name the server and no more of
/// the URL.
pub async fn download(wanted: FileRequest<'_>) -> Result<Downloaded, Failure> {
    let request = wanted.request()?;
    let deadline = Deadline::fixed(TIMEOUT);
    let sent = engine::send(&request, &deadline, Within::Whole).await;
    let mut answer = sent.map_err(|error| error.failure)?;
    let mut body = Vec::new();
    let read = engine::read_body(&mut answer.response, request.max, &mut body).await;
    read.map_err(|error| match error {
        BodyError::TooLarge => Failure::malformed(format!(
            "{} sent a file of more than {} bytes",
            answer.url.authority(),
            request.max
        )),
        BodyError::Broken(error) => RequestError::by(&answer.url, &deadline, &error, None).failure,
    })?;
    Ok(Downloaded {
        status: answer.response.status().as_u16(),
        url: answer.url.into_url(),
        body,
    })
}

/// A file that comes in pieces.
pub struct FileStream {
    pub status: u16,
    /// As the server says, which may be any number.
    pub length: Option<u64>,
    answer: Answer,
}

impl FileStream {
    /// The next piece, or `None` at the end.
    ///
    /// # Errors
    ///
    /// `Transient` and `TimedOut` where no more comes.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        let deadline = Deadline::fixed(TIMEOUT);
        let url = &self.answer.url;
        tokio::time::timeout(TIMEOUT, self.answer.response.chunk())
            .await
            .map_err(|_| RequestError::late(url, &deadline).failure)?
            .map_err(|error| RequestError::by(url, &deadline, &error, None).failure)
    }
}

/// Begins to fetch a file, however large and whatever the status is.
///
/// # Errors
///
/// As for [`download`].
pub async fn open(wanted: FileRequest<'_>) -> Result<FileStream, Failure> {
    let request = wanted.request()?;
    let deadline = Deadline::fixed(TIMEOUT);
    let sent = engine::send(&request, &deadline, Within::Head).await;
    let answer = sent.map_err(|error| error.failure)?;
    Ok(FileStream {
        status: answer.response.status().as_u16(),
        length: answer.response.content_length(),
        answer,
    })
}
