//! What moderators and administrators do (spec: cockatrice-behaviour 8, 9).

use super::{outcome::Outcome, who::Who};
use crate::question::{Lane, Question};

/// Something that a moderator does.
#[derive(Clone, Debug)]
pub struct Moderate {
    /// Who does it.
    pub who: Who,
    /// What.
    pub request: ModeratorRequest,
}

impl Question for Moderate {
    type Answer = Outcome;
    const LANE: Lane = Lane::Other;
}

/// By what somebody is kept out; empty texts are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BanKeys {
    /// Name.
    pub name: Box<str>,
    /// Address.
    pub address: Box<str>,
    /// Installation.
    pub client_id: Box<str>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModeratorRequest {
    /// A ban.
    Ban {
        /// Of whom.
        keys: BanKeys,
        /// For how long; 0: for good.
        minutes: u32,
        /// For moderators.
        reason: Box<str>,
        /// For who is banned.
        visible_reason: Box<str>,
    },
    /// All bans of a name.
    BanHistory(Box<str>),
    /// A warning.
    Warn {
        /// Of whom.
        name: Box<str>,
        /// Why.
        reason: Box<str>,
        /// Their installation.
        client_id: Box<str>,
    },
    /// All warnings of a name.
    WarnHistory(Box<str>),
    /// Of what somebody may be warned.
    WarnList {
        /// Whom.
        name: Box<str>,
        /// Their installation.
        client_id: Box<str>,
    },
    /// What was said.
    Log {
        /// By or to whom; empty: anybody.
        name: Box<str>,
        /// From where.
        address: Box<str>,
        /// In games of that name.
        game_name: Box<str>,
        /// In the game of that number.
        game_id: Box<str>,
        /// A pattern of SQL's `LIKE`.
        message: Box<str>,
        /// `room`, `game`, `chat`: where.
        places: Vec<Box<str>>,
        /// How far back; 0: from the beginning.
        hours: u32,
        /// At most so many lines; 0: all.
        most: u32,
    },
    /// An account becomes active.
    ForceActivate(Box<str>),
    /// What moderators have noted of an account.
    Notes(Box<str>),
    /// Notes it.
    SetNotes {
        /// Of whom.
        name: Box<str>,
        /// All that is noted afterwards.
        notes: Box<str>,
    },
    /// When and where from somebody was there.
    Sessions {
        /// Who.
        name: Box<str>,
        /// At most so many.
        most: u32,
    },
    /// Accounts that may be the same person's.
    Alts(Box<str>),
    /// When moderators were there last.
    ModeratorLogins,
    /// An account's picture goes.
    RemoveAvatar(Box<str>),
    /// A card art is allowed or denied.
    AddArtRule {
        /// The card.
        card: Box<str>,
        /// The printing.
        provider: Box<str>,
        /// `ALLOW` or `DENY`.
        mode: Box<str>,
        /// Why.
        reason: Box<str>,
    },
    /// Neither any more.
    RemoveArtRule {
        /// The card.
        card: Box<str>,
        /// The printing.
        provider: Box<str>,
    },
    /// All such rules.
    ArtRules,
    /// Somebody becomes a moderator or judge, or is none any more. `None`: as it is.
    Adjust {
        /// Who.
        name: Box<str>,
        /// Moderator.
        moderator: Option<bool>,
        /// Judge.
        judge: Option<bool>,
    },
    /// Somebody gets a password that has to be changed.
    ResetPassword(Box<str>),
}
