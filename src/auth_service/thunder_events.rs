// SPDX-License-Identifier: MIT OR Apache-2.0

//! How Thunder says that there is another session token: JSON-RPC 2.0 over a WebSocket at the same
//! URL.
//!
//! A client registers for an event of a plugin, `….register` with `{"event":…,"id":…}`, and gets
//! notifications whose method is that id, a dot and the event. RDK's AuthService has the event
//! `SessionTokenChanged`. Its parameters are left alone: by its interface it has none, by its
//! documentation the token, and neither says until when that is good.

use serde::Deserialize;

use crate::error::Failure;
use crate::json::{self, Object, Scalar};
use crate::token::Secret;

use super::thunder::{RpcError, Thunder, is_version_2, next_id};

/// The event by AuthService's interface and by its documentation. Thunder tells the two apart and
/// grants both, so both are registered for.
const EVENTS: [&str; 2] = ["sessionTokenChanged", "SessionTokenChanged"];

/// Our name on that connection, with which the methods of notifications begin.
const CLIENT: &str = "client.events.1";

/// What ThunderJS asks for, and so what every version of Thunder knows: R4 takes a connection
/// without any for one of raw bytes.
pub const PROTOCOL: &str = "notification";

/// What it takes to hear of another token.
pub struct Changes {
    pub headers: Vec<(String, Secret)>,
    /// What the query of the WebSocket's URL holds: where its security is switched on, Thunder
    /// looks for the security token of a WebSocket nowhere else (`Channel::Allowed` in its
    /// `PluginServer.h`).
    pub parameter: Option<(&'static str, Secret)>,
    method: String,
}

/// The registrations of one connection, and what became of them.
pub struct Registrations {
    waiting: Vec<(u32, &'static str)>,
    method: String,
    done: bool,
}

/// What a message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThunderMessage {
    /// From now on changes are told.
    Registered,
    /// There is another token.
    Changed,
    /// Nothing that concerns us.
    Nothing,
}

impl Thunder {
    /// How to hear of another token. `None` where `thunder-method` names no plugin to register
    /// with.
    pub fn changes(&self) -> Option<Changes> {
        let (plugin, _) = self.method().rsplit_once('.')?;
        Some(Changes {
            headers: self.headers(),
            parameter: self.authorization().map(|token| ("token", token.clone())),
            method: format!("{plugin}.register"),
        })
    }
}

impl Changes {
    /// The registrations of a new connection.
    pub fn registrations(&self) -> Registrations {
        Registrations::new(&self.method, [next_id(), next_id()])
    }
}

impl Registrations {
    /// Calls that method, in requests with these ids.
    pub fn new(method: &str, ids: [u32; 2]) -> Self {
        Self {
            waiting: ids.into_iter().zip(EVENTS).collect(),
            method: method.to_owned(),
            done: false,
        }
    }

    /// The messages to send.
    pub fn messages(&self) -> Vec<String> {
        let message = |(id, event): &(u32, &str)| {
            serde_json::json!({
                "jsonrpc": "2.0",
                "id": id,
                "method": self.method,
                "params": { "event": event, "id": CLIENT },
            })
            .to_string()
        };
        self.waiting.iter().map(message).collect()
    }

    /// Whether one of them was granted.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// Reads a message.
    ///
    /// # Errors
    ///
    /// `Malformed` for what is no JSON-RPC; by the code of the error where none of the
    /// registrations was granted.
    pub fn read(&mut self, message: &[u8]) -> Result<ThunderMessage, Failure> {
        let message: Message = json::read_object(message).map_err(|complaint| {
            Failure::malformed(format!(
                "a message from Thunder is {complaint}: check that `location` names Thunder's `jsonrpc`"
            ))
        })?;
        if !is_version_2(message.jsonrpc.as_ref()) {
            return Err(Failure::malformed(
                "a message from Thunder is not JSON-RPC 2.0: check that `location` names Thunder's `jsonrpc`",
            ));
        }
        match (message.method, message.id) {
            (Some(method), None) => Ok(message_of(&method)),
            (None, Some(Scalar::Integer(id))) => self.answered(id, message.error),
            // A request, to which nobody here has an answer, or a reply to none of ours.
            _ => Ok(ThunderMessage::Nothing),
        }
    }

    fn answered(
        &mut self,
        id: i64,
        error: Option<Object<RpcError>>,
    ) -> Result<ThunderMessage, Failure> {
        let ours = |(known, _): &(u32, &str)| i64::from(*known) == id;
        let Some(place) = self.waiting.iter().position(ours) else {
            return Ok(ThunderMessage::Nothing);
        };
        self.waiting.remove(place);
        match error {
            None if self.done => Ok(ThunderMessage::Nothing),
            None => {
                self.done = true;
                Ok(ThunderMessage::Registered)
            }
            // The other spelling may be the one, or one for both.
            Some(_) if self.done || !self.waiting.is_empty() => Ok(ThunderMessage::Nothing),
            Some(error) => Err(error.0.failure()),
        }
    }
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    jsonrpc: Option<Scalar>,
    #[serde(default)]
    id: Option<Scalar>,
    #[serde(default)]
    method: Option<Scalar>,
    #[serde(default)]
    error: Option<Object<RpcError>>,
}

fn message_of(method: &Scalar) -> ThunderMessage {
    let event = method
        .text()
        .and_then(|method| method.expose().strip_prefix(CLIENT)?.strip_prefix('.'));
    match event {
        Some(event) if event.eq_ignore_ascii_case(EVENTS[0]) => ThunderMessage::Changed,
        _ => ThunderMessage::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth_service::thunder::DEFAULT_METHOD;
    use crate::error::Kind;

    const CHANGED: &str = r#"{"jsonrpc":"2.0","method":"client.events.1.sessionTokenChanged"}"#;

    fn registrations() -> (Registrations, [i64; 2]) {
        let thunder = Thunder::new(DEFAULT_METHOD, Some(Secret::from("s"))).expect("valid");
        let changes = thunder.changes().expect("it names a plugin");
        let [(name, value)] = &changes.headers[..] else {
            panic!("one header");
        };
        assert_eq!(
            (name.as_str(), value.expose()),
            ("Authorization", "Bearer s")
        );
        let registrations = changes.registrations();
        let ids = registrations.messages().into_iter().map(|message| {
            let message: serde_json::Value = serde_json::from_str(&message).expect("JSON");
            message["id"].as_i64().expect("a number")
        });
        let ids = ids.collect::<Vec<_>>().try_into().expect("two messages");
        (registrations, ids)
    }

    fn granted(id: i64) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"result":null}}"#)
    }

    fn refused(id: i64, code: i32) -> String {
        format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"no"}}}}"#)
    }

    #[test]
    fn registration_covers_both_event_spellings() {
        let (registrations, ids) = registrations();
        assert_ne!(ids[0], ids[1]);
        for ((message, id), event) in registrations.messages().iter().zip(ids).zip(EVENTS) {
            let message: serde_json::Value = serde_json::from_str(message).expect("JSON");
            assert_eq!(
                message,
                serde_json::json!({
                    "jsonrpc": "2.0",
                    "id": id,
                    "method": "org.rdk.AuthService.1.register",
                    "params": { "event": event, "id": "client.events.1" },
                })
            );
        }
        let bare = Thunder::new("getSessionToken", None).expect("valid");
        assert!(bare.changes().is_none());
    }

    #[test]
    fn one_spelling_is_enough() {
        for (first, second) in [(0, 1), (1, 0)] {
            let (mut registrations, ids) = registrations();
            let refused = refused(ids[first], -31002);
            assert_eq!(
                registrations.read(refused.as_bytes()),
                Ok(ThunderMessage::Nothing)
            );
            assert!(!registrations.is_done());
            let granted = granted(ids[second]);
            assert_eq!(
                registrations.read(granted.as_bytes()),
                Ok(ThunderMessage::Registered)
            );
            assert!(registrations.is_done());
            // Said once.
            assert_eq!(
                registrations.read(granted.as_bytes()),
                Ok(ThunderMessage::Nothing)
            );
        }
        let (mut registrations, ids) = registrations();
        for (id, said) in ids
            .into_iter()
            .zip([ThunderMessage::Registered, ThunderMessage::Nothing])
        {
            assert_eq!(registrations.read(granted(id).as_bytes()), Ok(said));
        }
    }

    #[test]
    fn registration_fails_when_both_spellings_fail() {
        for (code, kind) in [
            (-32601, Kind::Malformed),
            (2, Kind::Transient),
            (24, Kind::Denied),
        ] {
            let (mut registrations, ids) = registrations();
            let first = refused(ids[0], code);
            assert_eq!(
                registrations.read(first.as_bytes()),
                Ok(ThunderMessage::Nothing)
            );
            let second = refused(ids[1], code);
            let failure = registrations.read(second.as_bytes()).expect_err("refused");
            assert_eq!(failure.kind, kind);
        }
    }

    #[test]
    fn token_change_event_ignores_case_and_params() {
        for message in [
            CHANGED,
            r#"{"method":"client.events.1.SessionTokenChanged","jsonrpc":"2.0","params":{"token":"SECRET"}}"#,
            r#"{"jsonrpc":"2.0","method":"client.events.1.SESSIONTOKENCHANGED","params":[]}"#,
            r#"{"jsonrpc":"2.0","method":"client.events.1.sessiontokenchanged","params":null,"x":{}}"#,
        ] {
            let (mut registrations, _) = registrations();
            assert_eq!(
                registrations.read(message.as_bytes()),
                Ok(ThunderMessage::Changed)
            );
        }
    }

    #[test]
    fn unrelated_thunder_messages_are_ignored() {
        for message in [
            r#"{"jsonrpc":"2.0","method":"client.events.1.authTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","method":"client.events.2.sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","method":"client.events.1sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","method":"sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","method":"client.events.1.sessionTokenChanged.x"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"client.events.1.sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","method":["client.events.1.sessionTokenChanged"]}"#,
            r#"{"jsonrpc":"2.0","id":-1,"result":null}"#,
            r#"{"jsonrpc":"2.0","id":"1","result":null}"#,
            r#"{"jsonrpc":"2.0"}"#,
        ] {
            let (mut registrations, _) = registrations();
            let said = registrations.read(message.as_bytes());
            assert_eq!(said, Ok(ThunderMessage::Nothing), "{message}");
            assert!(!registrations.is_done());
        }
    }

    #[test]
    fn malformed_thunder_message_error_never_quotes_it() {
        for message in [
            "SECRET",
            "",
            "\"SECRET\"",
            r#"["SECRET"]"#,
            r#"{"method":"client.events.1.sessionTokenChanged","params":"SECRET"}"#,
            r#"{"jsonrpc":"1.0","method":"client.events.1.sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","method":"client.events.1.sessionTokenChanged"}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":"SECRET"}"#,
        ] {
            let (mut registrations, _) = registrations();
            let failure = registrations
                .read(message.as_bytes())
                .expect_err("no message");
            assert_eq!(failure.kind, Kind::Malformed, "{message}");
            assert!(!failure.what.contains("SECRET"), "{}", failure.what);
        }
    }
}
