// SPDX-License-Identifier: MIT OR Apache-2.0

//! Paths of the server that say themselves what is there, and are sealed: whoever was not told one
//! cannot make one, a log that has one shows nothing of the URL in it, and a film may have any
//! number of them without a table of them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{aead, hmac};
use url::Url;

use crate::hls::{
    ByteRange, Digest, InitCipher, InitProtection, InitSegment, Segment, SegmentCipher,
    SegmentMethod,
};

/// What stands before what is sealed. It is made from that, since the same resource has to have the
/// same path: demuxers know segments by their URLs.
const NONCE: usize = aead::NONCE_LEN;

/// Longest path. HTTP implementations take 64 KiB.
const MAX_PATH: usize = 60_000;

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    /// The presentation's first playlist, as a multivariant one.
    First(Url),
    Playlist(Url),
    /// A key of whole segments.
    Key(Url),
    InitSegment(Box<InitPath>),
    Segment(Box<SegmentPath>),
}

/// An init segment, with the digest of its boxes in the place of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitPath {
    pub url: Url,
    pub range: Option<ByteRange>,
    pub cipher: Option<InitCipher>,
    pub protection: PathProtection,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathProtection {
    None,
    Drm(Digest),
    Identity(Url),
    Clear,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentPath {
    pub url: Url,
    pub range: Option<ByteRange>,
    pub init: Option<InitPath>,
    pub cipher: Option<SegmentCipher>,
}

impl From<&InitSegment> for InitPath {
    fn from(init: &InitSegment) -> Self {
        Self {
            url: init.url.clone(),
            range: init.range,
            cipher: init.cipher.clone(),
            protection: match &init.protection {
                InitProtection::None => PathProtection::None,
                InitProtection::Drm(boxes) => PathProtection::Drm(boxes.digest()),
                InitProtection::Identity(key) => PathProtection::Identity(key.clone()),
                InitProtection::Clear => PathProtection::Clear,
            },
        }
    }
}

impl From<&Segment> for SegmentPath {
    fn from(segment: &Segment) -> Self {
        Self {
            url: segment.url.clone(),
            range: segment.range,
            init: segment.init.as_ref().map(InitPath::from),
            cipher: segment.cipher.clone(),
        }
    }
}

/// The keys by which paths are sealed.
pub struct Paths {
    sealing: aead::LessSafeKey,
    naming: hmac::Key,
}

/// Bytes of each of the two keys.
const KEY: usize = 32;

impl Paths {
    pub fn new(secret: &[u8; 2 * KEY]) -> Option<Self> {
        let (sealing, naming) = secret.split_at(KEY);
        let sealing = aead::UnboundKey::new(&aead::AES_256_GCM, sealing).ok()?;
        Some(Self {
            sealing: aead::LessSafeKey::new(sealing),
            naming: hmac::Key::new(hmac::HMAC_SHA256, naming),
        })
    }

    /// The path of a resource. `None` where it would be too long.
    pub fn path(&self, resource: &Resource) -> Option<String> {
        let mut sealed = Vec::new();
        resource.write(&mut sealed);
        let name = hmac::sign(&self.naming, &sealed);
        let nonce: [u8; NONCE] = name.as_ref().first_chunk().copied()?;
        self.sealing
            .seal_in_place_append_tag(
                aead::Nonce::assume_unique_for_key(nonce),
                aead::Aad::empty(),
                &mut sealed,
            )
            .ok()?;
        let path = format!(
            "/{}",
            URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
        );
        (path.len() <= MAX_PATH).then_some(path)
    }

    /// What is at that path, if it is one of ours.
    pub fn resource(&self, path: &str) -> Option<Resource> {
        let mut bytes = URL_SAFE_NO_PAD.decode(path.strip_prefix('/')?).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE>()?;
        let nonce = aead::Nonce::assume_unique_for_key(*nonce);
        let written = self
            .sealing
            .open_in_place(nonce, aead::Aad::empty(), sealed)
            .ok()?;
        let mut reader = Reader(written);
        let resource = Resource::read(&mut reader)?;
        reader.0.is_empty().then_some(resource)
    }
}

impl Resource {
    /// What tells it from others.
    pub fn digest(&self) -> Digest {
        let mut written = Vec::new();
        self.write(&mut written);
        Digest::of(&written)
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Resource::First(url) => {
                to.push(0);
                write_url(to, url);
            }
            Resource::Playlist(url) => {
                to.push(1);
                write_url(to, url);
            }
            Resource::Key(url) => {
                to.push(2);
                write_url(to, url);
            }
            Resource::InitSegment(init) => {
                to.push(3);
                write_init(to, init);
            }
            Resource::Segment(segment) => {
                to.push(4);
                write_url(to, &segment.url);
                write_option(to, segment.range.as_ref(), write_range);
                write_option(to, segment.init.as_ref(), write_init);
                write_option(to, segment.cipher.as_ref(), |to, cipher| {
                    to.push(match cipher.method {
                        SegmentMethod::Aes128 => 0,
                        SegmentMethod::SampleAes => 1,
                    });
                    write_url(to, &cipher.key);
                    to.extend(cipher.iv);
                });
            }
        }
    }

    fn read(from: &mut Reader) -> Option<Self> {
        Some(match from.byte()? {
            0 => Resource::First(from.url()?),
            1 => Resource::Playlist(from.url()?),
            2 => Resource::Key(from.url()?),
            3 => Resource::InitSegment(Box::new(from.init()?)),
            4 => Resource::Segment(Box::new(SegmentPath {
                url: from.url()?,
                range: from.option(Reader::range)?,
                init: from.option(Reader::init)?,
                cipher: from.option(|from| {
                    Some(SegmentCipher {
                        method: match from.byte()? {
                            0 => SegmentMethod::Aes128,
                            1 => SegmentMethod::SampleAes,
                            _ => return None,
                        },
                        key: from.url()?,
                        iv: from.array()?,
                    })
                })?,
            })),
            _ => return None,
        })
    }
}

fn write_url(to: &mut Vec<u8>, url: &Url) {
    let text = url.as_str();
    // A line of a playlist is shorter than what 32 bits can count.
    to.extend((text.len() as u32).to_be_bytes());
    to.extend(text.as_bytes());
}

fn write_option<T>(to: &mut Vec<u8>, value: Option<&T>, write: impl FnOnce(&mut Vec<u8>, &T)) {
    to.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(to, value);
    }
}

fn write_range(to: &mut Vec<u8>, range: &ByteRange) {
    to.extend(range.offset.to_be_bytes());
    to.extend(range.length.to_be_bytes());
}

fn write_init(to: &mut Vec<u8>, init: &InitPath) {
    write_url(to, &init.url);
    write_option(to, init.range.as_ref(), write_range);
    write_option(to, init.cipher.as_ref(), |to, cipher| {
        write_url(to, &cipher.key);
        write_option(to, cipher.iv.as_ref(), |to, iv| to.extend(iv));
    });
    match &init.protection {
        PathProtection::None => to.push(0),
        PathProtection::Drm(digest) => {
            to.push(1);
            to.extend(digest.0);
        }
        PathProtection::Identity(key) => {
            to.push(2);
            write_url(to, key);
        }
        PathProtection::Clear => to.push(3),
    }
}

/// What is left to be read.
struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*array)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn url(&mut self) -> Option<Url> {
        let length = usize::try_from(u32::from_be_bytes(self.array()?)).ok()?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Url::parse(std::str::from_utf8(text).ok()?).ok()
    }

    fn option<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            1 => read(self).map(Some),
            _ => None,
        }
    }

    fn range(&mut self) -> Option<ByteRange> {
        Some(ByteRange {
            offset: u64::from_be_bytes(self.array()?),
            length: u64::from_be_bytes(self.array()?),
        })
    }

    fn init(&mut self) -> Option<InitPath> {
        Some(InitPath {
            url: self.url()?,
            range: self.option(Self::range)?,
            cipher: self.option(|from| {
                Some(InitCipher {
                    key: from.url()?,
                    iv: from.option(Self::array)?,
                })
            })?,
            protection: match self.byte()? {
                0 => PathProtection::None,
                1 => PathProtection::Drm(Digest(self.array()?)),
                2 => PathProtection::Identity(self.url()?),
                3 => PathProtection::Clear,
                _ => return None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(name: &str) -> Url {
        Url::parse(&format!("https://cdn/{name}?token=a")).expect("a URL")
    }

    fn paths(secret: u8) -> Paths {
        Paths::new(&[secret; 64]).expect("keys")
    }

    fn resources() -> Vec<Resource> {
        let range = Some(ByteRange {
            offset: u64::MAX,
            length: 3,
        });
        let init = |protection| InitPath {
            url: url("init"),
            range,
            cipher: Some(InitCipher {
                key: url("key"),
                iv: Some([7; 16]),
            }),
            protection,
        };
        let segment = |method| SegmentPath {
            url: url("segment"),
            range,
            init: Some(init(PathProtection::Clear)),
            cipher: Some(SegmentCipher {
                method,
                key: url("key"),
                iv: [9; 16],
            }),
        };
        vec![
            Resource::First(url("first")),
            Resource::Playlist(url("list")),
            Resource::Key(url("key")),
            Resource::InitSegment(Box::new(init(PathProtection::None))),
            Resource::InitSegment(Box::new(init(PathProtection::Drm(Digest([5; 16]))))),
            Resource::InitSegment(Box::new(init(PathProtection::Identity(url("key"))))),
            Resource::Segment(Box::new(segment(SegmentMethod::Aes128))),
            Resource::Segment(Box::new(segment(SegmentMethod::SampleAes))),
            Resource::Segment(Box::new(SegmentPath {
                url: url("segment"),
                range: None,
                init: None,
                cipher: None,
            })),
        ]
    }

    #[test]
    fn path_says_what_is_there() {
        let paths = paths(1);
        for resource in resources() {
            let path = paths.path(&resource).expect("short enough");
            assert_eq!(paths.path(&resource).as_ref(), Some(&path));
            assert_eq!(paths.resource(&path), Some(resource));
        }
    }

    #[test]
    fn path_of_nobody_is_none() {
        let (paths, others) = (paths(1), paths(2));
        for resource in resources() {
            let path = paths.path(&resource).expect("short enough");
            assert_eq!(others.resource(&path), None);
            for at in 1..path.len() {
                let mut changed = path.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                let changed = String::from_utf8(changed).expect("ASCII");
                assert_eq!(paths.resource(&changed), None, "{at}");
                assert_eq!(paths.resource(&path[..at]), None, "{at}");
            }
            assert_eq!(paths.resource(&format!("{path}A")), None);
        }
        assert_eq!(paths.resource(""), None);
    }

    #[test]
    fn path_is_bounded() {
        let long = url(&"x".repeat(50_000));
        assert_eq!(paths(1).path(&Resource::Key(long)), None);
    }
}
