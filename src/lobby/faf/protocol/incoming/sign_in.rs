//! Who somebody is (spec: faf-messages 3.1 to 3.3).

use crate::faf::{
    model::limits,
    protocol::{
        incoming::{
            Incoming,
            fields::{cut, optional_text, required_text},
        },
        request::Outcome,
    },
};
use wire::json::Value;

/// `ask_session`: a client says what it is (spec: faf-messages 3.1).
#[derive(Debug)]
pub(in crate::faf) struct AskSession<'d> {
    pub user_agent: Option<&'d str>,
    pub version: Option<&'d str>,
}

impl<'d> Incoming<'d> for AskSession<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        Ok(AskSession {
            user_agent: optional_text(message, "user_agent")?,
            version: message.get("version").and_then(|version| version.as_str()),
        })
    }
}

/// `auth`: credentials are a token (spec: faf-messages 3.2).
#[derive(Debug)]
pub(in crate::faf) struct Auth<'d> {
    /// Of any length.
    pub token: &'d str,
    pub unique_id: &'d str,
}

impl<'d> Incoming<'d> for Auth<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        Ok(Auth {
            token: required_text(message, "token")?,
            unique_id: unique_id(message)?,
        })
    }
}

/// `hello`: credentials are a name and a password (spec: faf-messages 3.3).
#[derive(Debug)]
pub(in crate::faf) struct Hello<'d> {
    pub login: &'d str,
    pub password: &'d str,
    pub unique_id: &'d str,
}

impl<'d> Incoming<'d> for Hello<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        let line = |text| cut(text, limits::FIELD_BYTES);
        Ok(Hello {
            login: line(required_text(message, "login")?.trim()),
            password: line(required_text(message, "password")?),
            unique_id: unique_id(message)?,
        })
    }
}

/// The opaque name of a machine.
fn unique_id(message: Value<'_>) -> Outcome<&str> {
    Ok(cut(
        required_text(message, "unique_id")?,
        limits::TOKEN_BYTES,
    ))
}
