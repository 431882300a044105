// SPDX-License-Identifier: MIT OR Apache-2.0

//! Requests for tokens, keys and licenses, until there is an answer.

use std::borrow::Borrow;
use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE, LOCATION};
use zeroize::Zeroizing;

use crate::error::Failure;
use crate::problem_details::{self, ProblemDetails};

use super::attempt::{self, Attempt};
use super::engine::{self, Answer, BodyError, Within};
use super::request::Withheld;
use super::request_error::RequestError;
use super::{Deadline, HttpResponse, Request, retry, retry_after, text};

/// Asks until there is an answer that `read` can make something of, or no point in asking again.
/// Says how many attempts were made.
///
/// # Errors
///
/// What `read` says of the last reply, with the server's own words where it has some. Without a
/// reply: `TimedOut` at the deadline, `Transient` where none came, `Malformed` for one that is too
/// large or no HTTP, `Misconfigured` for what cannot be sent. `attempts` is set.
pub async fn exchange<T>(
    request: &Request,
    deadline: &Deadline,
    read: impl Fn(&HttpResponse) -> Result<T, Failure>,
) -> Result<(T, u32), Failure> {
    exchange_each(|| Ok(request), deadline, read).await
}

/// As [`exchange`], with a request of its own for each attempt.
///
/// # Errors
///
/// As [`exchange`], and what `make` says.
pub async fn exchange_each<T, R: Borrow<Request>>(
    make: impl Fn() -> Result<R, Failure>,
    deadline: &Deadline,
    read: impl Fn(&HttpResponse) -> Result<T, Failure>,
) -> Result<(T, u32), Failure> {
    let mut attempts = 0;
    loop {
        let made = make().map_err(|failure| failure.after_attempts(attempts))?;
        let request = made.borrow();
        let begun = Instant::now();
        let mut came = None;
        let error = match send(request, deadline).await {
            Ok(reply) => match read(&reply) {
                Ok(answer) => {
                    log(request, attempts + 1, Some(&reply), begun, None);
                    return Ok((answer, attempts + 1));
                }
                Err(failure) => {
                    let mut failure = explained(failure, request, &reply);
                    failure.retry_after = reply.retry_after;
                    let again = retry::is_worth_a_retry(reply.status);
                    came = Some(reply);
                    RequestError::sent(failure, again)
                }
            },
            Err(error) => error,
        };
        attempts += u32::from(error.was_sent);
        let pause = deadline.pause_after(attempts, error.failure.retry_after);
        let pause = pause.filter(|_| error.again);
        let what = Some((&*error.failure.what, pause));
        log(request, attempts.max(1), came.as_ref(), begun, what);
        match pause {
            Some(pause) => tokio::time::sleep(pause).await,
            None => return Err(error.failure.after_attempts(attempts)),
        }
    }
}

/// `failure` is why the attempt was of no use, and when there is another one.
fn log(
    request: &Request,
    number: u32,
    reply: Option<&HttpResponse>,
    begun: Instant,
    failure: Option<(&str, Option<Duration>)>,
) {
    if let Some(purpose) = request.purpose {
        attempt::log(&Attempt {
            purpose,
            server: request.url.authority(),
            number,
            status: reply.map(|reply| reply.status),
            first_byte: reply.map(|reply| reply.first_byte),
            failure: failure.map(|(what, _)| what),
            elapsed: begun.elapsed(),
            next: failure.and_then(|(_, next)| next),
            correlation_id: request.correlation_id.clone(),
        });
    }
}

/// The failure with what the server says of it.
fn explained(failure: Failure, request: &Request, reply: &HttpResponse) -> Failure {
    let failure = if reply.media_type.as_deref() == Some(problem_details::MEDIA_TYPE) {
        failure.with_problem(ProblemDetails::read(&reply.body))
    } else {
        failure
    };
    let mut secrets = request.all_secrets();
    secrets.extend(reply.secrets.iter().cloned());
    failure.without(&secrets)
}

/// The reply at the end of all redirects that are followed.
async fn send(request: &Request, deadline: &Deadline) -> Result<HttpResponse, RequestError> {
    let begun = Instant::now();
    let mut answer = engine::send(request, deadline, Within::Whole).await?;
    let first_byte = begun.elapsed();
    let body = match body(&mut answer, request, deadline).await {
        Ok(body) => body,
        Err(error) if answer.response.status().is_success() => return Err(error),
        // The status has said it: a refusal is one without its explanation too.
        Err(_) => Zeroizing::default(),
    };
    let headers = answer.response.headers();
    let url = &answer.url;
    Ok(HttpResponse {
        status: answer.response.status().as_u16(),
        place: request.place_of(url),
        url: Some(url.url().clone()),
        media_type: text(headers, CONTENT_TYPE).map(|value| {
            let media_type = value.split(';').next().unwrap_or_default();
            media_type.trim().to_ascii_lowercase()
        }),
        redirect: text(headers, LOCATION)
            .and_then(|target| url.redirected(target, request.shows_path)),
        retry_after: retry_after(headers),
        token_withheld: answer.withheld.map(|_| url.token_host()),
        withheld_for_cleartext: answer.withheld == Some(Withheld::Cleartext),
        secrets: answer.secrets,
        first_byte,
        body,
    })
}

async fn body(
    answer: &mut Answer,
    request: &Request,
    deadline: &Deadline,
) -> Result<Zeroizing<Vec<u8>>, RequestError> {
    let place = request.place_of(&answer.url);
    let response = &mut answer.response;
    let status = response.status().as_u16();
    let malformed =
        |what: String| RequestError::sent(Failure::malformed(what).with_http_status(status), false);
    let encoding = text(response.headers(), CONTENT_ENCODING);
    // None was asked for but what the client has undone already.
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(malformed(format!(
            "{place} answered with a compressed reply, which it was not asked for: check that the \
             URL names the right service"
        )));
    }
    // It never moves, which would leave copies behind that nobody wipes.
    let mut body = Zeroizing::new(Vec::with_capacity(request.max));
    match engine::read_body(response, request.max, &mut body).await {
        Ok(()) => Ok(body),
        Err(BodyError::TooLarge) => Err(malformed(format!(
            "{place} answered with more than {} bytes: check that the URL names the right service",
            request.max
        ))),
        Err(BodyError::Broken(error)) => Err(RequestError::by(
            &answer.url,
            deadline,
            &error,
            Some(status),
        )),
    }
}

#[cfg(test)]
mod tests;
