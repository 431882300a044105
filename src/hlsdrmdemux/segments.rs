// SPDX-License-Identifier: MIT OR Apache-2.0

//! Media segments that go through the server: behind their init segment, for a demuxer that would
//! not notice a new one, and decrypted, where no demuxer can.

use std::io;
use std::sync::Arc;

use http_body_util::Channel;
use http_body_util::channel::Sender;
use hyper::body::Bytes;

use super::init_segments::init_segment;
use super::paths::SegmentPath;
use super::presentation::{Presentation, Refusal};
use super::troubles::complain_of;
use crate::error::Failure;
use crate::hls::{Aes128Decryptor, SegmentCipher, SegmentMethod, is_media};
use crate::http::{FileRequest, FileStream, open, refused};
use crate::sample_aes::SegmentDecryptor;

/// Pieces of a segment that are on their way. One has some kilobytes.
const PIECES: usize = 8;

/// A segment on its way.
pub struct Streamed {
    pub body: Channel<Bytes, io::Error>,
    /// The first byte of it that comes.
    pub from: u64,
    /// How many bytes there are from the very beginning on, where that is known.
    pub total: Option<u64>,
}

/// The segment as it comes, `from` one of its bytes on: a demuxer whose connection broke goes on
/// where it was. Where the length is not known it begins at the beginning.
///
/// # Errors
///
/// Why it is not to be had, or cannot be decrypted.
pub async fn segment(
    presentation: &Arc<Presentation>,
    segment: &SegmentPath,
    from: u64,
) -> Result<Streamed, Refusal> {
    let init = match &segment.init {
        Some(init) => init_segment(presentation, init).await?,
        None => Bytes::new(),
    };
    let decryption = match &segment.cipher {
        Some(cipher) => decryption(presentation, cipher).await?,
        None => Decryption::None,
    };
    let head = init.len() as u64;
    // Only what is not decrypted can begin in the middle.
    let mut begin = match decryption {
        Decryption::None => from.saturating_sub(head),
        _ => 0,
    };
    let mut upstream = Upstream::open(presentation, segment, begin).await?;
    let length = match decryption {
        // Padding is taken off at the end.
        Decryption::Aes128 { .. } => None,
        Decryption::None | Decryption::SampleAes(_) => upstream.length,
    };
    let total = length
        .and_then(|length| begin.checked_add(length)?.checked_add(head))
        .filter(|total| from < *total);
    let from = if total.is_some() { from } else { 0 };
    if total.is_none() && begin > 0 {
        // The answer has no end that could be told, and so is whole.
        begin = 0;
        upstream = Upstream::open(presentation, segment, begin).await?;
    }
    let mut content = Content {
        upstream,
        decryption,
        init,
        // Of the init segment, and of what is decrypted from its beginning on.
        skipped: from - begin.min(from),
        is_over: false,
    };
    // Before the answer begins, since a demuxer takes what has begun for good.
    let first = content.next(presentation).await?;
    let (sender, body) = Channel::new(PIECES);
    tokio::spawn(pump(presentation.clone(), sender, first, content));
    Ok(Streamed { body, from, total })
}

async fn decryption(
    presentation: &Arc<Presentation>,
    cipher: &SegmentCipher,
) -> Result<Decryption, Refusal> {
    let key = presentation.keys.content_key(&cipher.key).await;
    let key = key.map_err(Refusal::Key)?;
    Ok(match cipher.method {
        SegmentMethod::Aes128 => Decryption::Aes128 {
            decryptor: Some(Box::new(Aes128Decryptor::new(&key, cipher.iv))),
            is_checked: false,
        },
        SegmentMethod::SampleAes => {
            Decryption::SampleAes(Some(Box::new(SegmentDecryptor::new(&key, cipher.iv))))
        }
    })
}

/// The segment, or its part of a file, as its server sends it.
struct Upstream {
    opened: FileStream,
    /// Bytes before it, from a server that knows no ranges.
    before: u64,
    /// Bytes of it that are left, where it is a part of a file.
    left: u64,
    /// How many bytes there are.
    length: Option<u64>,
}

impl Upstream {
    /// From one of its bytes on.
    async fn open(
        presentation: &Arc<Presentation>,
        segment: &SegmentPath,
        begin: u64,
    ) -> Result<Self, Refusal> {
        let beyond =
            || Failure::malformed("a byte range in the playlist is beyond any file").of_stream();
        let (offset, last) = match segment.range {
            Some(range) => {
                let end = range.end().ok_or_else(beyond)?;
                let offset = range
                    .offset
                    .checked_add(begin)
                    .filter(|offset| *offset < end);
                (offset.ok_or_else(beyond)?, Some(end - 1))
            }
            None => (begin, None),
        };
        let is_part = offset > 0 || last.is_some();
        let opened = open(FileRequest {
            url: &segment.url,
            source: &presentation.source,
            range: is_part.then_some((offset, last)),
            max: 0,
        })
        .await?;
        let before = match (opened.status, is_part) {
            (206, true) => 0,
            // A server that knows no ranges.
            (200, _) => offset,
            (status, _) => return Ok(refused(&segment.url, status)?),
        };
        let left = last.map_or(u64::MAX, |last| last - offset + 1);
        let sent = opened.length.and_then(|length| length.checked_sub(before));
        Ok(Self {
            length: sent.map(|sent| sent.min(left)),
            opened,
            before,
            left,
        })
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>, Failure> {
        while self.left > 0 {
            let Some(mut chunk) = self.opened.chunk().await? else {
                return Ok(None);
            };
            let skipped = drop_first(&mut chunk, self.before);
            self.before -= skipped;
            let wanted = usize::try_from(self.left).unwrap_or(usize::MAX);
            chunk.truncate(wanted);
            self.left -= chunk.len() as u64;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

/// Takes so many bytes away, if there are as many. Says how many.
fn drop_first(bytes: &mut Bytes, count: u64) -> u64 {
    let count = usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    drop(bytes.split_to(count));
    count as u64
}

enum Decryption {
    None,
    Aes128 {
        decryptor: Option<Box<Aes128Decryptor>>,
        /// What came out begins as it should.
        is_checked: bool,
    },
    SampleAes(Option<Box<SegmentDecryptor>>),
}

impl Decryption {
    /// What comes of this piece, or of the end.
    fn decrypt(&mut self, piece: Option<Bytes>) -> Result<Bytes, Failure> {
        let mut out = Vec::new();
        match self {
            Decryption::None => return Ok(piece.unwrap_or_default()),
            Decryption::Aes128 {
                decryptor,
                is_checked,
            } => {
                let damage = |what| Failure::malformed(format!("a segment {what}")).of_stream();
                match (piece, decryptor.as_mut()) {
                    (Some(piece), Some(decryptor)) => decryptor.push(&piece, &mut out),
                    (None, Some(_)) => {
                        let ended = decryptor.take().map(|one| one.finish(&mut out));
                        ended.unwrap_or(Ok(())).map_err(damage)?;
                    }
                    (_, None) => {}
                }
                if !out.is_empty() && !std::mem::replace(is_checked, true) && !is_media(&out) {
                    return Err(Failure::malformed(
                        "a segment is no media when it is decrypted (METHOD=AES-128): its key or \
                         its IV is another one",
                    )
                    .of_stream());
                }
            }
            Decryption::SampleAes(decryptor) => {
                let damage = |error: crate::sample_aes::SampleAesError| {
                    let what = error.to_string();
                    Failure::malformed(what.trim_end_matches('.')).of_stream()
                };
                match (piece, decryptor.as_mut()) {
                    (Some(piece), Some(decryptor)) => {
                        decryptor.push(&piece, &mut out).map_err(damage)?;
                    }
                    (None, Some(_)) => {
                        let ended = decryptor.take().map(|one| one.finish(&mut out));
                        ended.unwrap_or(Ok(())).map_err(damage)?;
                    }
                    (_, None) => {}
                }
            }
        }
        Ok(out.into())
    }
}

/// What the demuxer gets, in pieces.
struct Content {
    upstream: Upstream,
    decryption: Decryption,
    init: Bytes,
    /// Bytes that the demuxer has already.
    skipped: u64,
    is_over: bool,
}

impl Content {
    /// The next piece that is not empty, or `None` at the end.
    async fn next(&mut self, presentation: &Presentation) -> Result<Option<Bytes>, Refusal> {
        loop {
            let mut piece = if !self.init.is_empty() {
                std::mem::take(&mut self.init)
            } else if self.is_over {
                return Ok(None);
            } else {
                let chunk = self.upstream.chunk().await?;
                self.is_over = chunk.is_none();
                self.decryption.decrypt(chunk).map_err(Refusal::Key)?
            };
            self.skipped -= drop_first(&mut piece, self.skipped);
            if !piece.is_empty() {
                return Ok(Some(piece));
            }
            if presentation.is_closing() {
                return Err(Refusal::Gone);
            }
        }
    }
}

/// Sends one piece after the other. It ends when nobody takes them any more.
async fn pump(
    presentation: Arc<Presentation>,
    mut to: Sender<Bytes, io::Error>,
    first: Option<Bytes>,
    mut content: Content,
) {
    let mut next = first;
    while let Some(piece) = next {
        if to.send_data(piece).await.is_err() {
            return;
        }
        next = match content.next(&presentation).await {
            Ok(next) => next,
            Err(refusal) => {
                if let Refusal::Key(failure) = refusal {
                    complain_of(&presentation, failure);
                }
                // The demuxer sees that the end is missing.
                return to.abort(io::Error::other("the segment ends too soon"));
            }
        };
    }
}
