//! What players look up (spec: faf-messages 3.17).

use crate::faf::{
    model::limits,
    protocol::{
        incoming::{
            Incoming,
            fields::{cut, required_text},
        },
        request::{Outcome, Refusal},
    },
};
use wire::json::Value;

/// `modvault`, by its type (spec: faf-messages 3.17).
#[derive(Debug)]
pub(in crate::faf) enum Modvault<'d> {
    /// `start`: the mods that are liked best.
    Start,
    /// `like`: the mod of this uid.
    Like(&'d str),
    /// `download`: the mod of this uid.
    Download(&'d str),
}

impl<'d> Incoming<'d> for Modvault<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        let uid = || required_text(message, "uid").map(|uid| cut(uid, limits::FIELD_BYTES));
        match message.get("type").and_then(|kind| kind.as_str()) {
            Some("start") => Ok(Modvault::Start),
            Some("like") => Ok(Modvault::Like(uid()?)),
            Some("download") => Ok(Modvault::Download(uid()?)),
            _ => Err(Refusal::Garbage),
        }
    }
}
