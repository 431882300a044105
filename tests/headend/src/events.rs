// SPDX-License-Identifier: MIT OR Apache-2.0

//! Thunder's WebSocket, on which it says that there is another session token to whoever has
//! registered for that.

use std::pin::pin;
use std::sync::Arc;

use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::behaviour::Events;
use crate::credentials::SECURITY_TOKEN;
use crate::record::{Listener, header_list};
use crate::reply::{self, Reply};
use crate::shared::Shared;

/// The event as the service's interface spells it; Thunder compares names as they are.
const EVENT: &str = "sessionTokenChanged";

/// What a test has the head-end do on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Order {
    /// Tells of another token, where that was registered for.
    Changed,
    /// Sends this text.
    Say(String),
    /// Sends a ping with this.
    Ping(Vec<u8>),
    /// Sends these bytes as they are, whatever they are.
    Raw(Vec<u8>),
    /// Closes the connection.
    Drop,
}

/// Those who are connected.
#[derive(Debug, Default)]
pub(crate) struct Connected(Vec<mpsc::UnboundedSender<Order>>);

impl Connected {
    /// Has this done on each connection, one after the other with what was ordered before.
    pub(crate) fn order(&mut self, order: &Order) {
        self.0
            .retain(|listener| listener.send(order.clone()).is_ok());
    }
}

/// Whether it asks for a WebSocket.
pub(crate) fn is_asked(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE);
    upgrade.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

/// Agrees on a WebSocket with whoever has Thunder's security token, as the test has chosen.
pub(crate) fn answer(shared: &Arc<Shared>, mut request: Request<Incoming>) -> Reply {
    let headers = request.headers();
    let query = request.uri().query().unwrap_or_default();
    let tokens = query
        .split('&')
        .filter_map(|pair| pair.strip_prefix("token="));
    let is_known = tokens.eq([SECURITY_TOKEN]);
    let key = headers.get(header::SEC_WEBSOCKET_KEY).cloned();
    let protocol = headers.get(header::SEC_WEBSOCKET_PROTOCOL).cloned();
    let listener = Listener {
        path: request.uri().to_string(),
        headers: header_list(headers),
        status: 0,
        registered: Vec::new(),
        pongs: Vec::new(),
        open: false,
    };
    let behaviour = shared.state().events.clone();
    let (status, text) = match behaviour {
        Events::Refuse(status) => (status, "There is no WebSocket here.\n"),
        Events::Serve | Events::Misread if is_known => (101, ""),
        _ => (403, "The security token is missing or not valid.\n"),
    };
    let number = shared.update(|state| {
        state.record.add_listener(Listener {
            status,
            open: status == 101,
            ..listener
        })
    });
    let Some(key) = key.filter(|_| status == 101) else {
        return reply::text(status, text);
    };
    let orders = shared.update(|state| {
        let (sender, orders) = mpsc::unbounded_channel();
        state.connected.0.push(sender);
        orders
    });
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(converse(Arc::clone(shared), upgrade, orders, number));
    let key = match behaviour {
        Events::Misread => b"another key",
        _ => key.as_bytes(),
    };
    agreed(key, protocol)
}

/// What a server says that agrees (RFC 6455, 4.2.2).
fn agreed(key: &[u8], protocol: Option<HeaderValue>) -> Reply {
    let mut reply = reply::text(101, "");
    *reply.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let accept = HeaderValue::from_str(&derive_accept_key(key)).ok();
    let says: [(HeaderName, Option<HeaderValue>); 4] = [
        (
            header::CONNECTION,
            Some(HeaderValue::from_static("Upgrade")),
        ),
        (header::UPGRADE, Some(HeaderValue::from_static("websocket"))),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
        (header::SEC_WEBSOCKET_PROTOCOL, protocol),
    ];
    let headers = reply.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    for (name, value) in says {
        if let Some(value) = value {
            headers.insert(name, value);
        }
    }
    reply
}

/// Serves one connection until either side closes it.
async fn converse(
    shared: Arc<Shared>,
    upgrade: OnUpgrade,
    mut orders: mpsc::UnboundedReceiver<Order>,
    number: usize,
) {
    if let Ok(upgraded) = upgrade.await {
        let stream = TokioIo::new(upgraded);
        let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
        let mut clients = Vec::new();
        loop {
            let next = match select(pin!(orders.recv()), socket.next()).await {
                Either::Left((order, _)) => Either::Left(order),
                Either::Right((message, _)) => Either::Right(message),
            };
            let goes_on = match next {
                Either::Left(Some(order)) => obey(&mut socket, &clients, order).await,
                Either::Right(Some(Ok(message))) => {
                    hear(&shared, &mut socket, number, &mut clients, message).await
                }
                Either::Left(None) | Either::Right(_) => false,
            };
            if !goes_on {
                break;
            }
        }
    }
    shared.update(|state| {
        state
            .record
            .listener(number, |listener| listener.open = false)
    });
}

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Whether the connection goes on.
async fn obey(socket: &mut Socket, clients: &[String], order: Order) -> bool {
    match order {
        Order::Changed => {
            for client in clients {
                let method = format!("{client}.{EVENT}");
                let notification = json!({ "jsonrpc": "2.0", "method": method });
                if socket
                    .send(Message::text(notification.to_string()))
                    .await
                    .is_err()
                {
                    return false;
                }
            }
            true
        }
        Order::Say(text) => socket.send(Message::text(text)).await.is_ok(),
        Order::Ping(data) => socket.send(Message::Ping(data.into())).await.is_ok(),
        Order::Raw(bytes) => {
            let stream = socket.get_mut();
            stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok()
        }
        Order::Drop => false,
    }
}

/// Answers a call, which can only be a registration. Whether the connection goes on.
async fn hear(
    shared: &Shared,
    socket: &mut Socket,
    number: usize,
    clients: &mut Vec<String>,
    message: Message,
) -> bool {
    let text = match message {
        Message::Text(text) => text,
        Message::Pong(data) => {
            let data = data.to_vec();
            shared.update(|state| {
                state
                    .record
                    .listener(number, |listener| listener.pongs.push(data));
            });
            return true;
        }
        _ => return true,
    };
    let Ok(call) = serde_json::from_str::<Value>(&text) else {
        return false;
    };
    let params = &call["params"];
    let names = [&params["event"], &params["id"]].map(Value::as_str);
    let answer = match (call["method"].as_str(), names) {
        (Some("org.rdk.AuthService.1.register"), [Some(event), Some(client)]) => {
            // Thunder takes names of events that no plugin has.
            if event == EVENT {
                clients.push(client.to_owned());
            }
            json!({ "jsonrpc": "2.0", "id": call["id"], "result": null })
        }
        _ => {
            let error = json!({ "code": -32601, "message": "Unknown method." });
            json!({ "jsonrpc": "2.0", "id": call["id"], "error": error })
        }
    };
    let goes_on = socket.send(Message::text(answer.to_string())).await.is_ok();
    if let [Some(event), _] = names {
        let event = event.to_owned();
        shared.update(|state| {
            let add = |listener: &mut Listener| listener.registered.push(event);
            state.record.listener(number, add);
        });
    }
    goes_on
}
