//! What a recording has to know of a lobby's protocol: how its bytes become messages, which messages belong together, and where
//! in them secrets, names and numbers are. Each protocol says so in its own folder; this file names none of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::splitter::Splitter;

/// Who says a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Client,
    Server,
}

/// What messages travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Transport {
    /// JSON lines over TCP.
    Json,
    /// QDataStream over TCP.
    Qdatastream,
    /// The protocol's only framing over TCP.
    Tcp,
    /// WebSocket.
    Websocket,
}

impl Transport {
    /// Its name, as reports have it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Transport::Json => "Json",
            Transport::Qdatastream => "Qdatastream",
            Transport::Tcp => "Tcp",
            Transport::Websocket => "Websocket",
        }
    }
}

/// What stands at a place of a message that is not the same each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The name of the account that signs in.
    Login,
    /// The name of somebody.
    Name,
    /// A name that may be there once, of a room say.
    Unique,
    /// A secret of the client that is another one's own at replay.
    Own(Own),
    /// A secret that only has to be the same wherever it was the same.
    Secret(&'static str),
    /// A number that the server has given, of this kind.
    Id(&'static str),
    /// Likewise, and nobody else may know it.
    SecretId(&'static str),
}

impl Place {
    /// What a masked value is called; `None`: it is not masked.
    pub(crate) fn mask(self) -> Option<&'static str> {
        match self {
            Place::Own(own) => Some(own.name()),
            Place::Secret(what) | Place::SecretId(what) => Some(what),
            Place::Login | Place::Name | Place::Unique | Place::Id(_) => None,
        }
    }

    /// The kind of number, if the server has given it.
    pub(crate) fn id(self) -> Option<&'static str> {
        match self {
            Place::Id(kind) | Place::SecretId(kind) => Some(kind),
            _ => None,
        }
    }
}

/// Secrets that every client has of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Own {
    Password,
    /// The password as the protocol has it hashed.
    Hash,
    /// A token; with `--accounts` what stands there as the password.
    Token,
    Email,
    /// What tells machines apart.
    Machine,
}

impl Own {
    fn name(self) -> &'static str {
        match self {
            Own::Password => "password",
            Own::Hash => "password hash",
            Own::Token => "token",
            Own::Email => "e-mail",
            Own::Machine => "machine",
        }
    }
}

/// What is told each place of a message, and the value there.
pub(crate) type Visitor<'a> = &'a mut dyn FnMut(Place, &mut Value);

/// A protocol as far as recordings need it. Messages are JSON whatever they are on the wire.
pub(crate) trait Dialect: fmt::Debug + Send + Sync {
    /// What it may travel in; the first is what a recording without a word on it has. One that says nothing has its own framing
    /// over TCP.
    fn transports(&self) -> &'static [Transport] {
        &[Transport::Tcp]
    }

    /// Which of them it is, by the first bytes of that side; `None` while they don't tell.
    fn transport_of(&self, _side: Side, first: &[u8]) -> Option<Transport> {
        (!first.is_empty()).then_some(Transport::Tcp)
    }

    /// What cuts that side's bytes into messages.
    fn splitter(&self, transport: Transport, side: Side) -> Splitter;

    /// Whether a message of a WebSocket is one of the protocol's; if not, what it holds is a stream.
    fn is_framed_by_websocket(&self) -> bool {
        false
    }

    /// Whether this message from the server can be anything but news for everybody. Nothing else is read at replay.
    fn concerns(&self, _bytes: &[u8]) -> bool {
        true
    }

    /// A message from its bytes. What can't be read is a message that says so.
    fn read(&self, transport: Transport, side: Side, bytes: &[u8]) -> Value;

    /// What can be told of a message too long to be kept, from its beginning: an object, or nothing.
    fn read_head(&self, _side: Side, _head: &[u8]) -> Value {
        Value::Null
    }

    /// Appends a client's message, framed; for a WebSocket only what a frame holds.
    ///
    /// # Errors
    /// Why this is no message.
    fn write(
        &self,
        transport: Transport,
        message: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str>;

    /// What kind of message it is: answers of one kind are the same answer.
    fn kind(&self, side: Side, message: &Value) -> String;

    /// Whether what `me` has heard can be the answer to what it has said.
    fn answers(&self, me: &str, said: &Value, heard: &Value) -> bool;

    /// Whether this message is the end of a sign-in.
    fn signs_in(&self, heard: &Value) -> bool;

    /// Why the server does not let this client in, if this message says so.
    fn refusal(&self, heard: &Value) -> Option<String>;

    /// What a client says at once whenever it hears this.
    fn reply(&self, _heard: &Value) -> Option<Value> {
        None
    }

    /// Whether a client says this only as a reply.
    fn is_reply(&self, _said: &Value) -> bool {
        false
    }

    /// What a client says so that the server does not take it for dead.
    fn keep_alive(&self) -> Option<Value> {
        None
    }

    /// What is said before anything else with this transport and no other.
    fn opening(&self, _transport: Transport) -> Option<Value> {
        None
    }

    /// Whether numbers of this kind mean something to one client only.
    fn is_private(&self, _kind: &str) -> bool {
        false
    }

    /// What the server wants passwords hashed with, if this message says so.
    fn salt(&self, _heard: &Value) -> Option<String> {
        None
    }

    /// Tells all places of a message.
    fn visit(&self, side: Side, message: &mut Value, place: Visitor<'_>);

    /// A client's secret for this place of its message.
    fn own(&self, own: Own, account: &Account<'_>) -> String {
        match own {
            Own::Password | Own::Hash | Own::Token => account.password.to_owned(),
            Own::Email => format!("{}@swarm.invalid", account.login),
            Own::Machine => format!("swarm-{}-{}", account.run_id, account.index),
        }
    }
}

/// Who a client of a replay is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Account<'a> {
    pub(crate) run_id: &'a str,
    pub(crate) index: usize,
    pub(crate) login: &'a str,
    pub(crate) password: &'a str,
    /// What the server wants passwords hashed with, if it has said so.
    pub(crate) salt: Option<&'a str>,
}

/// Tells each value with one of these names, however deep, as a secret of that kind.
pub(crate) fn visit_named(
    message: &mut Value,
    secrets: &[(&str, &'static str)],
    place: Visitor<'_>,
) {
    match message {
        Value::Object(fields) => {
            for (name, value) in fields {
                let known = secrets.iter().find(|(secret, _)| secret == name);
                match known {
                    Some((_, what)) if !value.is_object() && !value.is_array() => {
                        place(Place::Secret(what), value);
                    }
                    _ => visit_named(value, secrets, place),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                visit_named(value, secrets, place);
            }
        }
        _ => {}
    }
}
