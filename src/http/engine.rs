// SPDX-License-Identifier: MIT OR Apache-2.0

//! The one way in which requests go out: over all redirects, in time, each server with what it may
//! see.

use reqwest::header::{CONTENT_TYPE, LOCATION, RANGE};
use reqwest::{Response, StatusCode};

use crate::error::Failure;
use crate::token::Secret;

use super::client::{self, Connection};
use super::connections;
use super::request::Withheld;
use super::request_error::{self, RequestError};
use super::{Deadline, Endpoint, Method, Redirects, Request, header_map, text};

/// What the time is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// The head of a response. Its body has a time of its own.
    Head,
    /// The head and the body.
    Whole,
}

/// A response whose body has not been read.
pub struct Answer {
    pub response: Response,
    /// Where it is from.
    pub url: Endpoint,
    /// What the URLs hold to which redirects led.
    pub secrets: Vec<Secret>,
    /// Whether the server that answered was not sent the token.
    pub withheld: Option<Withheld>,
}

/// Why a body was not read.
pub enum BodyError {
    TooLarge,
    Broken(reqwest::Error),
}

/// Sends the request once, and follows its redirects.
pub async fn send(
    request: &Request,
    deadline: &Deadline,
    within: Within,
) -> Result<Answer, RequestError> {
    let mut url = request.first_url();
    let mut secrets = Vec::new();
    for hop in 0..=request.max_redirects {
        check_body(request, &url).map_err(|failure| RequestError {
            was_sent: hop > 0,
            ..failure.into()
        })?;
        let response = send_hop(request, &url, deadline, within).await?;
        let status = response.status();
        let follows = is_followed(status, request.method);
        let target = text(response.headers(), LOCATION).filter(|_| follows);
        let (Redirects::Followed { allow_cleartext }, Some(target)) = (request.redirects, target)
        else {
            return Ok(Answer {
                withheld: request.token_withheld(&url),
                response,
                url,
                secrets,
            });
        };
        url = url
            .follow(target, allow_cleartext, request.shows_path)
            .map_err(|failure| {
                RequestError::sent(failure.with_http_status(status.as_u16()), false)
            })?;
        secrets.extend(url.secrets());
    }
    Err(RequestError::sent(
        Failure::malformed(format!(
            "{} answered with more than {} redirects in a row",
            request.place_of(&request.url),
            request.max_redirects
        )),
        false,
    ))
}

/// Nobody is sent a body with the token who may not have that.
fn check_body(request: &Request, url: &Endpoint) -> Result<(), Failure> {
    let withheld = request.token_withheld(url);
    let Some(withheld) = withheld.filter(|_| request.token_in_body) else {
        return Ok(());
    };
    Err(Failure::misconfigured(format!(
        "{} was not sent the request, which holds the session token: {}",
        url.authority(),
        withheld.remedy()
    )))
}

/// Whether the request is sent again elsewhere (RFC 9110, 15.4). A POST would become a GET by the
/// older statuses.
fn is_followed(status: StatusCode, method: Method) -> bool {
    match status.as_u16() {
        301..=303 => method == Method::Get,
        307 | 308 => true,
        _ => false,
    }
}

/// The request, to `url`. On a kept connection that the server has closed meanwhile it is none, and
/// goes out at once on a new one: that says nothing of how the server is.
async fn send_hop(
    request: &Request,
    url: &Endpoint,
    deadline: &Deadline,
    within: Within,
) -> Result<Response, RequestError> {
    match send_once(request, url, deadline, within, request.connection).await {
        Err(error) if error.was_kept => {
            let again = send_once(request, url, deadline, within, Connection::New).await;
            match again {
                // It was not even tried, which says less.
                Err(not_sent) if !not_sent.was_sent => Err(error),
                again => again,
            }
        }
        sent => sent,
    }
}

/// The request, to `url`, on a connection of that kind.
async fn send_once(
    request: &Request,
    url: &Endpoint,
    deadline: &Deadline,
    within: Within,
    connection: Connection,
) -> Result<Response, RequestError> {
    let own_headers = request.own_headers(url)?;
    let (asked, token_headers) = match request.token_withheld(url) {
        None => {
            let headers = header_map(&request.token_headers)?;
            (request.with_token_query(url), headers)
        }
        Some(_) => (url.clone(), header_map(&[])?),
    };
    // What is to be sent once at the most takes no connection that may be dead.
    let is_file = request.source.is_some();
    let connection = match is_file || deadline.has_retries() {
        true => connection,
        false => Connection::New,
    };
    let client = client::client(url, &request.tls, deadline, is_file, connection);
    let client = tokio::time::timeout(deadline.left(), client)
        .await
        .map_err(|_| Failure::timed_out("the HTTP client was not set up in time"))??;
    let method = match request.method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
    };
    let mut builder = client.request(method, asked.into_url());
    builder = builder.headers(request.source_headers(url));
    if let Some((content_type, body)) = &request.body {
        // reqwest has no way to wipe it.
        builder = builder
            .header(CONTENT_TYPE, &**content_type)
            .body(body.to_vec());
    }
    if let Some((first, last)) = request.range {
        let last = last.map(|last| last.to_string()).unwrap_or_default();
        builder = builder.header(RANGE, format!("bytes={first}-{last}"));
    }
    // These take the place of those above where they have the same name.
    builder = builder.headers(own_headers).headers(token_headers);
    let (sent, has_opened) = match within {
        Within::Whole => connections::noted(builder.timeout(deadline.left()).send()).await,
        Within::Head => {
            let sent = connections::noted(builder.send());
            tokio::time::timeout(deadline.left(), sent)
                .await
                .map_err(|_| RequestError::late(url, deadline))?
        }
    };
    let response = sent.map_err(|error| RequestError {
        was_kept: !has_opened && request_error::is_closed(&error),
        ..RequestError::by(url, deadline, &error, None)
    })?;
    if let Some(source) = &request.source {
        source.store_cookies(url.url(), response.headers());
    }
    Ok(response)
}

/// Reads the rest of the body into `body`, up to `max` bytes in all.
pub async fn read_body(
    response: &mut Response,
    max: usize,
    body: &mut Vec<u8>,
) -> Result<(), BodyError> {
    while let Some(chunk) = response.chunk().await.map_err(BodyError::Broken)? {
        if chunk.len() > max.saturating_sub(body.len()) {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn post_follows_what_keeps_its_method() {
        let followed = |method| {
            let statuses = 200..=399_u16;
            let is = |status: &u16| {
                let status = StatusCode::from_u16(*status).expect("a status");
                is_followed(status, method)
            };
            statuses.filter(is).collect::<Vec<_>>()
        };
        assert_eq!(followed(Method::Get), [301, 302, 303, 307, 308]);
        assert_eq!(followed(Method::Post), [307, 308]);
    }
}
