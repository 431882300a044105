// SPDX-License-Identifier: MIT OR Apache-2.0

//! A WebSocket (RFC 6455) to a service: to the same server, over the same proxy, with the same
//! trust as its HTTP requests, because it begins as one of them.

use futures_util::{SinkExt, StreamExt};
use reqwest::header::{
    CONNECTION, HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::{StatusCode, Upgraded};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use crate::error::Failure;
use crate::token::Secret;

use super::request_error::RequestError;
use super::{
    Connection, Deadline, Endpoint, MAX_REPLY, TlsConfig, client, header_map, retry, retry_after,
    text,
};

/// Our messages are two hundred bytes long, and what comes is hardly longer.
const BUFFER: usize = 4 * 1024;

/// What may wait to be written, answers to pings above all. A server that does not read them is
/// left.
const MAX_UNSENT: usize = 16 * 1024;

/// An open connection. Dropped, it is closed without a farewell, as the player is on its way
/// elsewhere.
pub struct WebSocket {
    stream: WebSocketStream<Upgraded>,
    place: String,
}

/// How to open one.
pub struct Opening {
    /// `http` or `https`; the same server is meant by `ws` and `wss`.
    pub url: Endpoint,
    /// What stands in the URL's query besides, in the place of what has that name there.
    pub parameter: Option<(&'static str, Secret)>,
    pub headers: Vec<(String, Secret)>,
    pub tls: TlsConfig,
    /// What is spoken on it.
    pub protocol: &'static str,
}

impl Opening {
    /// Connects and agrees on a WebSocket, as long as there is time.
    ///
    /// # Errors
    ///
    /// `Transient` and `TimedOut` where the next attempt may succeed, `Denied` where the server has
    /// no WebSocket to give, `Malformed` for what is no answer to the request, `Misconfigured` for
    /// what cannot be sent.
    pub async fn open(&self, deadline: &Deadline) -> Result<WebSocket, Failure> {
        let opened = tokio::time::timeout(deadline.left(), self.upgrade(deadline));
        let upgraded = opened.await.map_err(|_| {
            Failure::timed_out(format!(
                "{} did not agree on a WebSocket within {} ms",
                self.url.authority(),
                deadline.timeout.as_millis()
            ))
        })??;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER)
            .write_buffer_size(0)
            .max_write_buffer_size(MAX_UNSENT)
            .max_message_size(Some(MAX_REPLY))
            .max_frame_size(Some(MAX_REPLY));
        let stream = WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await;
        Ok(WebSocket {
            stream,
            place: self.url.authority(),
        })
    }

    async fn upgrade(&self, deadline: &Deadline) -> Result<Upgraded, Failure> {
        let broken =
            |error: &reqwest::Error| RequestError::by(&self.url, deadline, error, None).failure;
        let key = generate_key();
        let mut headers = header_map(&self.headers)?;
        headers.extend(self.handshake(&key)?);
        let client = client::client(&self.url, &self.tls, deadline, false, Connection::New).await?;
        let url = match &self.parameter {
            Some((name, value)) => self.url.with_parameter(name, &encoded(value.expose())),
            None => self.url.clone(),
        };
        let request = client.get(url.url().clone()).headers(headers);
        let response = request.send().await.map_err(|error| broken(&error))?;
        self.check(response.status(), response.headers(), &key)?;
        response.upgrade().await.map_err(|error| broken(&error))
    }

    /// What the client says (RFC 6455, 4.1).
    fn handshake(&self, key: &str) -> Result<HeaderMap, Failure> {
        let key = HeaderValue::from_str(key)
            .map_err(|_| Failure::transient("no key for a WebSocket could be made"))?;
        Ok(HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13")),
            (SEC_WEBSOCKET_KEY, key),
            (
                SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(self.protocol),
            ),
        ]))
    }

    /// What the server has to say to that (the same place).
    fn check(&self, status: StatusCode, headers: &HeaderMap, key: &str) -> Result<(), Failure> {
        let place = self.url.authority();
        if status != StatusCode::SWITCHING_PROTOCOLS {
            let status = status.as_u16();
            let what = format!("{place} gives no WebSocket (HTTP {status})");
            let mut failure = match retry::is_worth_a_retry(status) {
                true => Failure::transient(what),
                false => Failure::denied(what),
            };
            failure.retry_after = retry_after(headers);
            return Err(failure.with_http_status(status));
        }
        let is = |name: HeaderName, expected: &str| {
            text(headers, name).is_some_and(|value| value.eq_ignore_ascii_case(expected))
        };
        let connection = text(headers, CONNECTION).unwrap_or_default();
        let upgrades = connection
            .split(',')
            .any(|option| option.trim().eq_ignore_ascii_case("upgrade"));
        let accepts = text(headers, SEC_WEBSOCKET_ACCEPT).map(str::trim)
            == Some(&derive_accept_key(key.as_bytes()));
        let speaks = text(headers, SEC_WEBSOCKET_PROTOCOL)
            .is_none_or(|protocol| protocol.trim() == self.protocol);
        let is_plain = !headers.contains_key(SEC_WEBSOCKET_EXTENSIONS);
        if upgrades && is(UPGRADE, "websocket") && accepts && speaks && is_plain {
            Ok(())
        } else {
            Err(Failure::malformed(format!(
                "{place} agrees on something else than the WebSocket that it was asked for"
            )))
        }
    }
}

/// As it stands in a query.
fn encoded(value: &str) -> String {
    url::form_urlencoded::byte_serialize(value.as_bytes()).collect()
}

impl WebSocket {
    /// Sends a text.
    ///
    /// # Errors
    ///
    /// `Transient` where the connection is lost, `TimedOut`.
    pub async fn send(&mut self, text: String, deadline: &Deadline) -> Result<(), Failure> {
        let sent = self.stream.send(Message::text(text));
        match tokio::time::timeout(deadline.left(), sent).await {
            Ok(sent) => sent.map_err(|error| self.broken(&error)),
            Err(_) => Err(Failure::timed_out(format!(
                "{} does not read what it is sent",
                self.place
            ))),
        }
    }

    /// Waits for the next message, and meanwhile answers pings. A message may hold a token.
    ///
    /// # Errors
    ///
    /// `Transient` where the connection is lost or closed, `Malformed` for what is no WebSocket
    /// message or a longer one than a reply may be.
    pub async fn next(&mut self) -> Result<Bytes, Failure> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(text.into()),
                Some(Ok(Message::Binary(bytes))) => return Ok(bytes),
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => {
                    return Err(self.broken(&Error::ConnectionClosed));
                }
                Some(Err(error)) => return Err(self.broken(&error)),
            }
        }
    }

    /// As [`next`](Self::next), for a message that has to come in time.
    ///
    /// # Errors
    ///
    /// As there, and `TimedOut`.
    pub async fn next_within(&mut self, deadline: &Deadline) -> Result<Bytes, Failure> {
        let next = tokio::time::timeout(deadline.left(), self.next()).await;
        next.unwrap_or_else(|_| {
            let timeout = deadline.timeout.as_millis();
            Err(Failure::timed_out(format!(
                "{} did not answer on its WebSocket within {timeout} ms",
                self.place
            )))
        })
    }

    /// In words of ours: tungstenite's own could repeat what was received.
    fn broken(&self, error: &Error) -> Failure {
        let place = &self.place;
        match error {
            Error::ConnectionClosed | Error::AlreadyClosed | Error::WriteBufferFull(_) => {
                Failure::transient(format!("the WebSocket to {place} was closed"))
            }
            Error::Io(error) => Failure::transient(format!(
                "the WebSocket to {place} was lost ({})",
                error.kind()
            )),
            Error::Capacity(_) => Failure::malformed(format!(
                "{place} sent a message of more than {MAX_REPLY} bytes"
            )),
            _ => Failure::malformed(format!("{place} sent what is no WebSocket message")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use reqwest::header::RETRY_AFTER;

    use super::*;
    use crate::error::Kind;

    /// The example of RFC 6455, 1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
    const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

    fn opening() -> Opening {
        Opening {
            url: Endpoint::parse("http://localhost/jsonrpc", "location", false).expect("valid"),
            parameter: None,
            headers: Vec::new(),
            tls: TlsConfig::default(),
            protocol: "notification",
        }
    }

    /// What becomes of an answer that agrees, but for one header.
    fn check(name: HeaderName, value: Option<&'static str>) -> Result<(), Failure> {
        let mut headers = HeaderMap::from_iter([
            (CONNECTION, HeaderValue::from_static("Upgrade")),
            (UPGRADE, HeaderValue::from_static("websocket")),
            (SEC_WEBSOCKET_ACCEPT, HeaderValue::from_static(ACCEPT)),
        ]);
        match value {
            Some(value) => drop(headers.insert(name, HeaderValue::from_static(value))),
            None => drop(headers.remove(name)),
        }
        opening().check(StatusCode::SWITCHING_PROTOCOLS, &headers, KEY)
    }

    #[test]
    fn server_that_agrees_may_write_it_in_its_own_way() {
        for (name, value) in [
            (CONNECTION, "keep-alive, upgrade"),
            (UPGRADE, "WebSocket"),
            (SEC_WEBSOCKET_PROTOCOL, "notification"),
        ] {
            assert_eq!(check(name, Some(value)), Ok(()), "{value}");
        }
    }

    #[test]
    fn answer_to_another_question_is_none() {
        for (name, value) in [
            (CONNECTION, None),
            (CONNECTION, Some("close")),
            (UPGRADE, None),
            (UPGRADE, Some("h2c")),
            (SEC_WEBSOCKET_ACCEPT, None),
            (SEC_WEBSOCKET_ACCEPT, Some(KEY)),
            (SEC_WEBSOCKET_ACCEPT, Some("S3PPLMBITXAQ9KYGZZHZRBK+XOO=")),
            (SEC_WEBSOCKET_PROTOCOL, Some("raw")),
            (SEC_WEBSOCKET_EXTENSIONS, Some("permessage-deflate")),
        ] {
            let failure = check(name, value).expect_err("something else");
            assert_eq!(failure.kind, Kind::Malformed, "{value:?}");
        }
    }

    #[test]
    fn upgrade_failure_kind_follows_http_status() {
        for (status, kind) in [
            (200, Kind::Denied),
            (302, Kind::Denied),
            (404, Kind::Denied),
            (501, Kind::Transient),
            (503, Kind::Transient),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("7"))]);
            let status = StatusCode::from_u16(status).expect("a status");
            let refused = opening().check(status, &headers, KEY);
            let failure = refused.expect_err("no WebSocket");
            assert_eq!(failure.kind, kind, "{status}");
            assert_eq!(failure.retry_after, Some(Duration::from_secs(7)));
        }
    }
}
