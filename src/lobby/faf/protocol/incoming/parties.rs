//! What players do together before a game (spec: faf-messages 3.12). Ids are as clients send them: of players who may exist.

use crate::faf::{
    model::factions::Factions,
    protocol::{
        incoming::{
            Incoming,
            fields::{self, required_integer},
        },
        request::{Outcome, Refusal},
    },
};
use wire::json::Value;

/// `invite_to_party`.
#[derive(Debug)]
pub(in crate::faf) struct InviteToParty {
    pub recipient_id: i64,
}

impl Incoming<'_> for InviteToParty {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(InviteToParty {
            recipient_id: required_integer(message, "recipient_id")?,
        })
    }
}

/// `accept_party_invite`.
#[derive(Debug)]
pub(in crate::faf) struct AcceptPartyInvite {
    /// Who has invited them.
    pub sender_id: i64,
}

impl Incoming<'_> for AcceptPartyInvite {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(AcceptPartyInvite {
            sender_id: required_integer(message, "sender_id")?,
        })
    }
}

/// `kick_player_from_party`.
#[derive(Debug)]
pub(in crate::faf) struct KickPlayerFromParty {
    pub kicked_player_id: i64,
}

impl Incoming<'_> for KickPlayerFromParty {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(KickPlayerFromParty {
            kicked_player_id: required_integer(message, "kicked_player_id")?,
        })
    }
}

/// `set_party_factions`.
#[derive(Debug)]
pub(in crate::faf) struct SetPartyFactions {
    pub factions: Factions,
}

impl Incoming<'_> for SetPartyFactions {
    fn read(message: Value<'_>) -> Outcome<Self> {
        let factions = fields::factions(message.get("factions").ok_or(Refusal::Garbage)?)?
            .ok_or(Refusal::client("You must select at least one faction."))?;
        Ok(SetPartyFactions { factions })
    }
}
