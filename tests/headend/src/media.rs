// SPDX-License-Identifier: MIT OR Apache-2.0

//! The origin: manifests and segments from the media folder, and what is made of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hyper::body::Bytes;
use hyper::header::{ACCEPT_RANGES, CONTENT_RANGE, HeaderValue, RANGE};
use hyper::{HeaderMap, Uri};

use crate::live::Channel;
use crate::manifest::{Operator, Variant, without_pssh};
use crate::range::Wanted;
use crate::record::{MediaRequest, header_list};
use crate::reply::{self, Reply};
use crate::shared::Shared;
use crate::{aes128, gzip, live, variants};

/// Answers a request for a file, when the delay is over that the test has chosen.
pub(crate) async fn answer(shared: &Shared, uri: &Uri, headers: &HeaderMap) -> Reply {
    let path = uri.path();
    let request = MediaRequest {
        path: uri.to_string(),
        headers: header_list(headers),
        // The record counts.
        licenses_before: 0,
    };
    let (status, delay, file) = shared.update(|state| {
        state.record.add_media_request(request);
        let status = state.media_statuses.turn(path);
        let file = status.is_none().then(|| state.files.next(path)).flatten();
        (status, state.media_delay, file)
    });
    // Even a sleep of no length would last until the timer's next millisecond.
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    match status {
        Some(status) => reply::text(status, "The test wants it so.\n"),
        None => serve(shared, path, headers, file),
    }
}

/// The file, or the part of it that is wanted. A HEAD request gets the same answer as a GET
/// request; the HTTP library leaves the body out.
fn serve(shared: &Shared, path: &str, headers: &HeaderMap, file: Option<Bytes>) -> Reply {
    let Some(contents) = file.or_else(|| read(shared, path)) else {
        return reply::text(404, "There is no such file.\n");
    };
    if path.ends_with(".m3u8") {
        let gzip = shared.state().gzip;
        if gzip::wanted(gzip, headers) {
            return gzip::reply(gzip, content_type(path), &contents);
        }
    }
    let length = contents.len();
    let wanted = match headers.get(RANGE).map(HeaderValue::to_str) {
        Some(Ok(header)) => Wanted::of(header, length),
        _ => Wanted::Whole,
    };
    let (mut reply, content_range) = match wanted {
        Wanted::Whole => (reply::reply(200, content_type(path), contents), None),
        Wanted::Part(range) => {
            let content_range = format!("bytes {}-{}/{length}", range.start, range.end - 1);
            let part = contents.slice(range);
            let reply = reply::reply(206, content_type(path), part);
            (reply, Some(content_range))
        }
        Wanted::Nothing => (
            reply::text(416, "The file is not that long.\n"),
            Some(format!("bytes */{length}")),
        ),
    };
    let headers = reply.headers_mut();
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Some(Ok(value)) = content_range.map(HeaderValue::try_from) {
        headers.insert(CONTENT_RANGE, value);
    }
    reply
}

/// The contents of a file as they are served. Reading blocks the other connections, but for no
/// longer than some 30 kB take from the page cache, and a second thread would cost more.
fn read(shared: &Shared, path: &str) -> Option<Bytes> {
    let (folder, name) = path.rsplit_once('/')?;
    let (name, variant) = Variant::of(name);
    let media = shared.media.join("dash");
    let contents = match folder {
        "/hls/aes128" => aes128::read(&media, &name, aes128::Init::Apart)?,
        "/hls/aes128-no-map" => aes128::read(&media, &name, aes128::Init::InFront)?,
        "/hls/variants" => variants::read(&media, &name)?,
        _ => match Channel::of(folder) {
            Some(channel) => {
                // What else lies there does not start the clock.
                let edge = shared.update(|state| {
                    let now = Instant::now();
                    if live::is_media_playlist(&name) {
                        state.live.begin(now);
                    }
                    state.live.edge(now)
                });
                live::read(&media, &name, edge, channel)?
            }
            None => {
                let path = format!("{folder}/{name}");
                let found = locations(&shared.media, &path);
                found.into_iter().find_map(|path| fs::read(path).ok())?
            }
        },
    };
    if name.ends_with(".mp4") && variant == Variant::NoPssh {
        return Some(without_pssh(contents).into());
    }
    if !name.ends_with(".mpd") && variant == Variant::AsMade {
        return Some(contents.into());
    }
    let manifest = String::from_utf8(contents).ok()?;
    let operator = Operator {
        origin: &shared.origin,
        tenant: shared.tenant,
        license_url: &shared.license_url(),
    };
    Some(variant.write(&manifest, &operator).into())
}

/// Where the file of a URL path may lie. HLS and DASH have the same segments in the same folders;
/// what is for HLS alone has folders of its own.
fn locations(media: &Path, path: &str) -> Vec<PathBuf> {
    let shared = path
        .strip_prefix("/hls/")
        .map(|name| format!("/dash/{name}"));
    let paths = shared.as_deref().into_iter().chain([path]);
    paths.filter_map(|path| locate(media, path)).collect()
}

/// Where the file of a URL path lies, or `None` if that could be outside the media folder.
///
/// The names of media are letters, digits and `._-`, and start with no dot. Whatever has other
/// characters is refused, so there is no escape by `..`, by a percent sign or by a backslash.
fn locate(media: &Path, path: &str) -> Option<PathBuf> {
    let harmless = |name: &str| {
        !name.is_empty()
            && !name.starts_with('.')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
    };
    let mut names = path.strip_prefix('/')?.split('/');
    names.try_fold(media.to_path_buf(), |folder, name| {
        harmless(name).then(|| folder.join(name))
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.') {
        Some((_, "mpd")) => "application/dash+xml",
        Some((_, "m3u8")) => "application/vnd.apple.mpegurl",
        Some((_, "mp4")) => "video/mp4",
        Some((_, "m4s")) => "video/iso.segment",
        Some((_, "ts")) => "video/mp2t",
        Some((_, "aac")) => "audio/aac",
        Some((_, "ac3")) => "audio/ac3",
        Some((_, "ec3")) => "audio/eac3",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_is_found_in_the_media_folder() {
        assert_eq!(
            locate(Path::new("/media"), "/dash/cenc/v_1.m4s").as_deref(),
            Some(Path::new("/media/dash/cenc/v_1.m4s"))
        );
        assert_eq!(
            locations(Path::new("/media"), "/hls/cenc/v_1.m4s"),
            [
                Path::new("/media/dash/cenc/v_1.m4s"),
                Path::new("/media/hls/cenc/v_1.m4s"),
            ]
        );
    }

    #[test]
    fn nothing_is_found_outside() {
        for path in [
            "",
            "dash/manifest.mpd",
            "/dash/../make",
            "/dash/..",
            "/dash/./make",
            "/dash//etc/passwd",
            "/dash/%2e%2e/make",
            r"/dash/..\make",
            "/dash/.hidden",
            "/dash/a\0b",
            "/dash/",
        ] {
            assert_eq!(locate(Path::new("/media"), path), None, "{path}");
        }
    }

    #[test]
    fn files_have_the_types_of_dash_and_hls() {
        assert_eq!(content_type("/a/manifest.mpd"), "application/dash+xml");
        assert_eq!(
            content_type("/a/master.m3u8"),
            "application/vnd.apple.mpegurl"
        );
        assert_eq!(content_type("/a/v_init.mp4"), "video/mp4");
        assert_eq!(content_type("/a/v_1.m4s"), "video/iso.segment");
        assert_eq!(content_type("/a/other"), "application/octet-stream");
    }
}
