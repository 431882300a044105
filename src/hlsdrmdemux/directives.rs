// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a low-latency demuxer wants to know of a playlist (draft-pantos-hls-rfc8216bis, 6.2.5).

use url::Url;

const PREFIX: &str = "_HLS_";

/// The media sequence number that the playlist is to reach before it is answered (6.2.5.2).
const SEQUENCE: &str = "_HLS_msn";

/// Of a playlist without its beginning (6.2.5.1): it would lack what is said there of keys, so
/// that the whole one is asked for.
const SKIP: &str = "_HLS_skip";

/// The URL with the directives of a request's query.
pub fn with_directives(mut url: Url, query: Option<&str>) -> Url {
    let query = query.unwrap_or_default();
    let directives: Vec<_> = url::form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name.starts_with(PREFIX) && name != SKIP)
        .collect();
    if !directives.is_empty() {
        url.query_pairs_mut().extend_pairs(directives);
    }
    url
}

/// Whether the origin answers only once there is something new.
pub fn is_blocking(url: &Url) -> bool {
    url.query_pairs().any(|(name, _)| name == SEQUENCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_go_to_the_origin_but_for_skip() {
        let url = |text: &str| Url::parse(text).expect("a URL");
        let asked = |query| with_directives(url("http://origin/v.m3u8?a=b"), query);
        assert_eq!(asked(None), url("http://origin/v.m3u8?a=b"));
        assert_eq!(asked(Some("x=y&_HLS_skip=YES")), asked(None));
        let blocking = asked(Some("_HLS_msn=7&_HLS_part=2&_HLS_skip=v2&x=y"));
        assert_eq!(
            blocking,
            url("http://origin/v.m3u8?a=b&_HLS_msn=7&_HLS_part=2")
        );
        assert!(is_blocking(&blocking));
        assert!(!is_blocking(&asked(None)));
    }
}
