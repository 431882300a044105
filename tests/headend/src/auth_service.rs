// SPDX-License-Identifier: MIT OR Apache-2.0

//! The auth service: grants session tokens as RDK's does on the set-top box.

use http_body_util::{BodyExt, Limited};
use hyper::Request;
use hyper::body::Incoming;
use serde_json::json;

use crate::behaviour::Auth;
use crate::record::{TokenRequest, header_list};
use crate::reply::{self, Reply};
use crate::server::NoAnswer;
use crate::shared::Shared;

const AN_HOUR: u64 = 3600;
const LONGEST_BODY: usize = 64 * 1024;

/// Answers a request for a token, whatever its method, as the test has chosen.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Reply, NoAnswer> {
    let (head, body) = request.into_parts();
    let token_request = TokenRequest {
        method: head.method.to_string(),
        path: head.uri.to_string(),
        headers: header_list(&head.headers),
        status: None,
    };
    let ((ticket, auth), release) = shared.update_and_queue(|state| {
        let ticket = state.record.add_token_request(token_request);
        (ticket, state.auth.clone())
    });

    // The body is of no interest, but while it lies unread the server cannot see a client hang up.
    let _ = Limited::new(body, LONGEST_BODY).collect().await;

    let reply = match auth {
        Auth::Grant => grant(shared, AN_HOUR),
        Auth::GrantFor(seconds) => grant(shared, seconds),
        Auth::GrantAfter(delay) => {
            tokio::time::sleep(delay).await;
            grant(shared, AN_HOUR)
        }
        Auth::Reply {
            status,
            content_type,
            body,
        } => reply::reply(status, &content_type, body),
        Auth::Hang => {
            release.wait().await;
            grant(shared, AN_HOUR)
        }
        Auth::CloseAtOnce => return Err(NoAnswer),
    };
    shared.update(|state| state.record.answered(ticket, reply.status().as_u16()));
    Ok(reply)
}

/// Grants the token that is current at this moment, not the one of when the request arrived.
fn grant(shared: &Shared, seconds: u64) -> Reply {
    let token = shared.state().tokens.current();
    reply::json(&json!({ "token": token, "status": 0, "expires": seconds }))
}
