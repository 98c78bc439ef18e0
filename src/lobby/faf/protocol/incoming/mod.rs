//! Everything clients say: a struct for each message, named after its command, with its reading, which is pure.
//!
//! | file | messages |
//! |---|---|
//! | `sign_in` | `ask_session`, `auth`, `hello` |
//! | `games` | `game_host`, `game_join`, `restore_game_session` |
//! | `matchmaking` | `game_matchmaking`, `set_player_vetoes` |
//! | `parties` | `invite_to_party`, `accept_party_invite`, `kick_player_from_party`, `set_party_factions` |
//! | `social` | `social_add`, `social_remove`, `avatar` |
//! | `catalogue` | `modvault` |
//! | `admin` | `admin` |
//! | `gpgnet` | whatever a game says: `target` is `game` |
//! | `fields` | how single fields are read, and what a missing or wrong one is |
//!
//! Commands without fields have no struct: `session::dispatch` knows them all. With several things wrong in a message the first
//! in the order of the specification decides, so fields are read in that order. Where something else is checked in between, a
//! ban say, what is wrong with a field is kept in an [`Outcome`] until its turn comes. Texts are slices of the frame; who keeps
//! one copies it.

pub(in crate::faf) mod admin;
pub(in crate::faf) mod catalogue;
mod fields;
pub(in crate::faf) mod games;
pub(in crate::faf) mod gpgnet;
pub(in crate::faf) mod matchmaking;
pub(in crate::faf) mod parties;
pub(in crate::faf) mod sign_in;
pub(in crate::faf) mod social;

use crate::faf::protocol::request::{Outcome, Refusal};
use wire::json::{Doc, Value};

/// A message whose fields are not read yet: what it is, and for whom.
#[derive(Clone, Copy, Debug)]
pub(in crate::faf) struct Message<'d> {
    /// Its name; empty if that is no text, which is no command.
    pub command: &'d str,
    /// Whom it is for, if not the lobby itself.
    pub target: Option<&'d str>,
    members: Value<'d>,
}

impl<'d> Message<'d> {
    /// Takes a frame for a message (spec: faf-messages 2, item 1).
    pub(in crate::faf) fn of(doc: &'d Doc<'_>) -> Outcome<Self> {
        let members = doc.root();
        if !members.is_object() {
            return Err(Refusal::Invalid);
        }
        let command = members.get("command").ok_or(Refusal::Garbage)?;
        Ok(Message {
            command: command.as_str().unwrap_or_default(),
            target: members.get("target").and_then(|target| target.as_str()),
            members,
        })
    }

    /// Reads its fields. Of which message, is up to who wants it.
    pub(in crate::faf) fn read<M: Incoming<'d>>(self) -> Outcome<M> {
        M::read(self.members)
    }
}

/// A message of a client, made of its fields.
pub(in crate::faf) trait Incoming<'d>: Sized {
    /// Reads them in the order of their checks; refuses at the first that is wrong.
    fn read(message: Value<'d>) -> Outcome<Self>;
}
