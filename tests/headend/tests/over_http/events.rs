// SPDX-License-Identifier: MIT OR Apache-2.0

//! Thunder's WebSocket, frame by frame.

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;

use headend::{Events, Headend, SECURITY_TOKEN};
use serde_json::{Value, json};

use crate::client::{Connection, PATIENCE, ask};

/// The example of RFC 6455, 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn head(security_token: &str) -> String {
    format!(
        "GET /jsonrpc?token={security_token}\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: {KEY}"
    )
}

/// Reads one text of less than 126 bytes.
fn text(stream: &mut BufReader<TcpStream>) -> Value {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    assert_eq!(head[0], 0x81);
    let mut text = vec![0; head[1].into()];
    stream.read_exact(&mut text).expect("a whole frame");
    serde_json::from_slice(&text).expect("JSON")
}

/// Sends one text of less than 64 KiB.
fn send(stream: &mut BufReader<TcpStream>, text: &Value) {
    let text = text.to_string();
    let length = u16::try_from(text.len()).expect("a short text");
    // Masked with zeros, which changes nothing.
    let mut frame = vec![0x81, 0xfe];
    frame.extend(length.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(text.as_bytes());
    stream.get_mut().write_all(&frame).expect("to send");
}

#[test]
fn subscriber_is_notified_and_closed_on_disconnect() {
    let headend = Headend::start().expect("a head-end");
    let mut connection = Connection::to(&headend);
    connection.send(&head(SECURITY_TOKEN), "");
    let answer = connection.receive(false).expect("an answer");
    assert_eq!(answer.status, 101);
    assert_eq!(answer.header("sec-websocket-accept"), Some(ACCEPT));

    let mut stream = connection.into_inner();
    let register = |event: &str, id: u32| {
        json!({
            "jsonrpc": "2.0", "id": id, "method": "org.rdk.AuthService.1.register",
            "params": { "event": event, "id": "me" },
        })
    };
    for (event, id) in [("sessionTokenChanged", 7), ("another", 8)] {
        send(&mut stream, &register(event, id));
        let granted = json!({ "jsonrpc": "2.0", "id": id, "result": null });
        assert_eq!(text(&mut stream), granted);
    }
    assert!(headend.wait_for(PATIENCE, |record| {
        record.listeners()[0].registered == ["sessionTokenChanged", "another"]
    }));
    headend.session_token_changed();
    headend.say("{}");
    let told = json!({ "jsonrpc": "2.0", "method": "me.sessionTokenChanged" });
    assert_eq!(text(&mut stream), told);
    assert_eq!(text(&mut stream), json!({}));

    assert!(headend.listeners()[0].open);
    drop(stream);
    assert!(headend.wait_for(PATIENCE, |record| !record.listeners()[0].open));
    assert!(headend.token_requests().is_empty());
}

#[test]
fn events_need_security_token_and_may_be_unavailable() {
    let headend = Headend::start().expect("a head-end");
    assert_eq!(ask(&headend, &head("other"), "").status, 403);
    headend.set_events(Events::Refuse(404));
    assert_eq!(ask(&headend, &head(SECURITY_TOKEN), "").status, 404);
    let listeners = headend.listeners();
    let statuses = listeners.iter().map(|listener| listener.status);
    assert_eq!(statuses.collect::<Vec<_>>(), [403, 404]);
    assert!(listeners.iter().all(|listener| !listener.open));
}
