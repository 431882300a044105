// SPDX-License-Identifier: MIT OR Apache-2.0

//! Discovery: which auth services AGS has, where they are and what they want.

use hyper::Request;
use hyper::body::Incoming;
use serde_json::json;

use crate::behaviour::Discovery;
use crate::credentials::{AUTH_SERVICE_ID, OPERATOR_PARAMETER};
use crate::record::{DiscoveryRequest, header_list};
use crate::reply::{self, Reply};
use crate::shared::Shared;

/// Answers a request for the services as the test has chosen.
pub(crate) async fn answer(shared: &Shared, request: Request<Incoming>) -> Reply {
    let discovery_request = DiscoveryRequest {
        path: request.uri().to_string(),
        headers: header_list(request.headers()),
        status: None,
    };
    let ((ticket, discovery), release) = shared.update_and_queue(|state| {
        let ticket = state.record.add_discovery_request(discovery_request);
        (ticket, state.discovery.clone())
    });

    let reply = match discovery {
        Discovery::Offer => offer(shared),
        Discovery::Reply {
            status,
            content_type,
            body,
        } => reply::reply(status, &content_type, body),
        Discovery::Hang => {
            release.wait().await;
            offer(shared)
        }
    };
    shared.update(|state| state.record.answered(ticket, reply.status().as_u16()));
    reply
}

/// The one service there is. The path of its endpoint starts where that of AGS ends.
fn offer(shared: &Shared) -> Reply {
    reply::json(&json!({
        "availableServices": [{
            "authServiceName": AUTH_SERVICE_ID,
            "displayAttributes": {
                "logo": format!("{}/logo.png", shared.origin),
                "name": "Head-end",
            },
            "endpoints": [{
                "name": "SESSIONTOKEN",
                "path": "/getSessionToken",
                "parameterProperties": [
                    { "name": OPERATOR_PARAMETER, "mandatory": true, "isPassword": true },
                    { "name": "DeviceName", "mandatory": false, "isPassword": false },
                ],
            }],
        }],
    }))
}
