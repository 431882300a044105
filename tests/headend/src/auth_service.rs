// SPDX-License-Identifier: MIT OR Apache-2.0

//! The auth services: what is the same for all that grant session tokens.

use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::{Bytes, Incoming};
use hyper::http::request::Parts;

use crate::behaviour::Auth;
use crate::record::{Service, TokenRequest, header_list};
use crate::reply::{self, Reply};
use crate::server::{NoAnswer, OAUTH2_PATH};
use crate::shared::Shared;
use crate::{ags, dashif, login, rdk, thunder};

const AN_HOUR: u64 = 3600;
const LONGEST_BODY: usize = 64 * 1024;

/// Answers a request for a token as the test has chosen.
pub(crate) async fn answer(
    shared: &Shared,
    service: Service,
    request: Request<Incoming>,
) -> Result<Reply, NoAnswer> {
    let (head, body) = request.into_parts();
    // Even RDK's, which has none, is read: while it lies unread the server cannot see a client
    // hang up. One that is too long counts as empty.
    let body = match Limited::new(body, LONGEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => Bytes::new(),
    };
    let token_request = TokenRequest {
        service,
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: header_list(&head.headers),
        body: body.to_vec(),
        status: None,
    };
    let ((ticket, auth), release) = shared.update_and_queue(|state| {
        let ticket = state.record.add_token_request(token_request);
        let status = state.media_statuses.turn(head.uri.path());
        let auth = status.map_or_else(|| state.auth.turn(), refusal);
        (ticket, auth)
    });

    let auth = match auth {
        Auth::Hang => {
            release.wait().await;
            // A status that was chosen meanwhile is for those that hang as well.
            let status = shared.update(|state| state.media_statuses.turn(head.uri.path()));
            status.map_or(Auth::Grant, refusal)
        }
        auth => auth,
    };
    let serve = |seconds| serve(shared, service, &head, &body, seconds);
    let reply = match auth {
        Auth::Grant => serve(AN_HOUR),
        Auth::GrantFor(seconds) => serve(seconds),
        Auth::GrantAfter(delay) => {
            tokio::time::sleep(delay).await;
            serve(AN_HOUR)
        }
        Auth::Reply {
            status,
            content_type,
            body,
        } => reply::reply(status, &content_type, body),
        Auth::ReplyWithHeaders {
            status,
            headers,
            body,
        } => reply::with_headers(status, &headers, body),
        Auth::CloseAtOnce => return Err(NoAnswer),
        Auth::BreakOff => reply::broken_off(serve(AN_HOUR)),
        Auth::Hang | Auth::Sequence(_) => {
            unreachable!("the wait is over, and a script has no sequence in it")
        }
    };
    shared.update(|state| state.record.answered(ticket, reply.status().as_u16()));
    Ok(reply)
}

/// A refusal with that status.
fn refusal(status: u16) -> Auth {
    Auth::Reply {
        status,
        content_type: "application/problem+json".to_owned(),
        body: r#"{"title":"Not authorized"}"#.to_owned(),
    }
}

/// What a service does when nothing is wrong with it: grants the token that is current at this
/// moment, not the one of when the request arrived, to whoever may have it.
fn serve(shared: &Shared, service: Service, head: &Parts, body: &[u8], seconds: u64) -> Reply {
    let token = shared.state().tokens.current();
    match service {
        Service::Rdk => rdk::grant(&token, seconds),
        Service::Thunder => thunder::serve(&head.headers, body, &token, seconds),
        Service::Ags => ags::serve(&head.headers, body, &token),
        Service::DashIf => dashif::grant(&head.uri, &token, seconds),
        Service::OAuth2 => {
            let url = format!("{}{OAUTH2_PATH}", shared.origin);
            let mut state = shared.state();
            state
                .oauth2
                .serve(&url, &head.headers, body, &token, seconds)
        }
        Service::Login => login::serve(head.uri.path(), &head.headers, body, &token, seconds),
    }
}
