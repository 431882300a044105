// SPDX-License-Identifier: MIT OR Apache-2.0

//! What a CDM wants sent: its challenge, in the forms in which OpenCDM's implementations hand it
//! over.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::Reader;
use quick_xml::events::Event;
use zeroize::Zeroizing;

use super::key_system::Family;

/// What a message is for (`MediaKeyMessageType` of Encrypted Media Extensions).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    Request,
    Renewal,
    Release,
    Individualization,
}

/// A challenge, ready to be sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Challenge {
    pub kind: MessageType,
    pub body: Zeroizing<Vec<u8>>,
    /// What the request has besides; `Content-Type` among it.
    pub headers: Vec<(String, String)>,
    /// Where the CDM would send it.
    pub url: Option<String>,
}

/// Headers that are taken from a PlayReady key message. It has two.
const MAX_HEADERS: usize = 8;

/// Before it a prefix has ended.
const MAX_PREFIX: usize = 40;

const PREFIX_END: &[u8] = b":Type:";

const SOAP_ACTION: &str = "http://schemas.microsoft.com/DRM/2007/03/protocols/AcquireLicense";

impl Challenge {
    /// Reads what the callback brought.
    pub fn read(family: Family, url: &[u8], message: &[u8]) -> Self {
        let (kind, body) = without_prefix(message);
        let unwrapped = match family {
            Family::PlayReady => playready(body),
            _ => None,
        };
        let (body, headers) = unwrapped.unwrap_or_else(|| {
            let headers = match family {
                Family::PlayReady => vec![("SOAPAction".to_owned(), SOAP_ACTION.to_owned())],
                _ => Vec::new(),
            };
            (Zeroizing::new(body.to_owned()), headers)
        });
        Self {
            kind,
            body,
            headers,
            url: usable_url(url),
        }
    }

    /// The media type of the body.
    pub fn content_type(&self, family: Family) -> Cow<'static, str> {
        let own = self.headers.iter().find(|(name, _)| is_content_type(name));
        own.map_or(family.content_type().into(), |(_, value)| {
            value.clone().into()
        })
    }

    /// The other headers.
    pub fn other_headers(&self) -> impl Iterator<Item = &(String, String)> {
        let headers = self.headers.iter();
        headers.filter(|(name, _)| !is_content_type(name))
    }
}

fn is_content_type(name: &str) -> bool {
    name.eq_ignore_ascii_case("content-type")
}

/// Takes off the prefix `0:Type:` by which some implementations tell what a message is for
/// (WebKit's `parseResponseMessage` knows it too). Others have none.
fn without_prefix(message: &[u8]) -> (MessageType, &[u8]) {
    let head = &message[..message.len().min(MAX_PREFIX)];
    let Some(at) = head
        .windows(PREFIX_END.len())
        .position(|bytes| bytes == PREFIX_END)
    else {
        return (MessageType::Request, message);
    };
    let kind = match &message[..at] {
        b"0" | b"license-request" => MessageType::Request,
        b"1" | b"license-renewal" => MessageType::Renewal,
        b"2" | b"license-release" => MessageType::Release,
        b"3" | b"individualization-request" => MessageType::Individualization,
        word if word.iter().all(|c| c.is_ascii_alphanumeric() || *c == b'-') => {
            MessageType::Request
        }
        // It belongs to the message.
        _ => return (MessageType::Request, message),
    };
    (kind, &message[at + PREFIX_END.len()..])
}

/// Where a challenge says that it wants to go. Implementations write placeholders there.
fn usable_url(url: &[u8]) -> Option<String> {
    let url = std::str::from_utf8(url).ok()?.trim();
    let is_placeholder = ["no-valid-license-server", "widevine-proxy.appspot.com"]
        .iter()
        .any(|one| url.contains(one));
    let is_http = url.starts_with("http://") || url.starts_with("https://");
    (is_http && !is_placeholder && url.len() <= 8192).then(|| url.to_owned())
}

/// A challenge, and headers for its request.
type Unwrapped = (Zeroizing<Vec<u8>>, Vec<(String, String)>);

/// Challenge and headers of a PlayReady key message, if it is one: XML, in 8 or in 16 bits a
/// character.
fn playready(message: &[u8]) -> Option<Unwrapped> {
    let text = Zeroizing::new(text(message)?);
    if !text.contains("<PlayReadyKeyMessage") {
        return None;
    }
    let mut reader = Reader::from_str(&text);
    let (mut challenge, mut headers) = (None, Vec::new());
    let mut name = String::new();
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => {
                let tag = element.local_name();
                match tag.as_ref() {
                    "Challenge" => {
                        let encoded = element.try_get_attribute("encoding").ok().flatten();
                        let is_base64 =
                            encoded.is_none_or(|attribute| &*attribute.value == "base64encoded");
                        let content = reader.read_text(element.name()).ok()?;
                        challenge = Some(decoded(&content, is_base64)?);
                    }
                    "name" => name = content(&mut reader, &element)?,
                    "value" if !name.is_empty() && headers.len() < MAX_HEADERS => {
                        let value = content(&mut reader, &element)?;
                        headers.push((std::mem::take(&mut name), value));
                    }
                    _ => {}
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    headers.retain(|(name, value)| is_sendable(name, value));
    Some((challenge?, headers))
}

fn content(reader: &mut Reader<&[u8]>, element: &quick_xml::events::BytesStart) -> Option<String> {
    let content = reader.read_text(element.name()).ok()?;
    let text = quick_xml::escape::unescape(content.trim()).ok()?;
    Some(text.into_owned())
}

fn decoded(content: &str, is_base64: bool) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = match is_base64 {
        true => {
            let packed = Zeroizing::new(content.split_ascii_whitespace().collect::<String>());
            STANDARD.decode(&*packed).ok()?
        }
        false => quick_xml::escape::unescape(content)
            .ok()?
            .into_owned()
            .into_bytes(),
    };
    Some(Zeroizing::new(bytes))
}

fn is_sendable(name: &str, value: &str) -> bool {
    let is_token = |c: u8| c.is_ascii_alphanumeric() || c == b'-' || c == b'_';
    !name.is_empty()
        && name.bytes().all(is_token)
        && value.bytes().all(|c| (b' '..=b'~').contains(&c))
}

/// The text, in whichever width its characters have.
fn text(message: &[u8]) -> Option<String> {
    let wide = match message {
        [0xff, 0xfe, rest @ ..] => Some(rest),
        [b'<', 0, ..] => Some(message),
        _ => None,
    };
    match wide {
        Some(bytes) => {
            let units = bytes.chunks_exact(2);
            let units = units.map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        None => {
            let text = std::str::from_utf8(message).ok()?;
            Some(text.trim_start_matches('\u{feff}').to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefix_is_read_where_it_stands() {
        for (message, kind, body) in [
            (
                &b"{\"kids\":[]}"[..],
                MessageType::Request,
                &b"{\"kids\":[]}"[..],
            ),
            (b"0:Type:{}", MessageType::Request, b"{}"),
            (b"1:Type:\x08\x01", MessageType::Renewal, b"\x08\x01"),
            (b"2:Type:x", MessageType::Release, b"x"),
            (b"3:Type:x", MessageType::Individualization, b"x"),
            (b"license-renewal:Type:x", MessageType::Renewal, b"x"),
            (b"whatever:Type:x", MessageType::Request, b"x"),
            (b"0:Type:", MessageType::Request, b""),
            (b"", MessageType::Request, b""),
            (b"\x08\x04", MessageType::Request, b"\x08\x04"),
            (b"\x01\x02:Type:x", MessageType::Request, b"\x01\x02:Type:x"),
        ] {
            let challenge = Challenge::read(Family::Widevine, b"", message);
            assert_eq!(challenge.kind, kind, "{message:?}");
            assert_eq!(*challenge.body, body, "{message:?}");
            assert_eq!(challenge.url, None);
        }
    }

    #[test]
    fn url_is_one_that_can_be_asked() {
        let url = |url: &str| Challenge::read(Family::Other, url.as_bytes(), b"x").url;
        assert_eq!(url("https://h/l").as_deref(), Some("https://h/l"));
        for none in [
            "",
            "word",
            "http://no-valid-license-server",
            "http://widevine-proxy.appspot.com/proxy",
            "ftp://h/",
        ] {
            assert_eq!(url(none), None, "{none}");
        }
    }

    const MESSAGE: &str = r#"<PlayReadyKeyMessage type="LicenseAcquisition"><LicenseAcquisition version="1.0"><Challenge encoding="base64encoded">PHNvYXA+
PC9zb2FwPg==</Challenge><HttpHeaders><HttpHeader><name>Content-Type</name><value>text/xml; charset=utf-8</value></HttpHeader><HttpHeader><name>SOAPAction</name><value>"urn:x&amp;y"</value></HttpHeader><HttpHeader><name>Bad name</name><value>x</value></HttpHeader></HttpHeaders></LicenseAcquisition></PlayReadyKeyMessage>"#;

    #[test]
    fn playready_key_message_is_unwrapped_in_both_widths() {
        let wide: Vec<u8> = MESSAGE.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&[0xff, 0xfe][..], &wide].concat();
        let prefixed = [b"0:Type:", MESSAGE.as_bytes()].concat();
        for message in [MESSAGE.as_bytes(), &wide, &marked, &prefixed] {
            let challenge = Challenge::read(Family::PlayReady, b"", message);
            assert_eq!(*challenge.body, b"<soap></soap>");
            let others: Vec<_> = challenge.other_headers().cloned().collect();
            let action = ("SOAPAction".to_owned(), "\"urn:x&y\"".to_owned());
            assert_eq!(others, [action]);
            assert_eq!(
                challenge.content_type(Family::PlayReady),
                "text/xml; charset=utf-8"
            );
        }
    }

    #[test]
    fn soap_goes_as_it_is_with_the_usual_headers() {
        for soap in [
            &b"<?xml version=\"1.0\"?><soap:Envelope/>"[..],
            b"<PlayReadyKeyMessage>",
        ] {
            let challenge = Challenge::read(Family::PlayReady, b"", soap);
            assert_eq!(*challenge.body, soap);
            let action = ("SOAPAction".to_owned(), SOAP_ACTION.to_owned());
            assert_eq!(challenge.headers, [action]);
        }
        let widevine = Challenge::read(Family::Widevine, b"", b"x");
        assert_eq!(
            widevine.content_type(Family::Widevine),
            "application/octet-stream"
        );
        assert_eq!(widevine.headers, []);
    }
}
