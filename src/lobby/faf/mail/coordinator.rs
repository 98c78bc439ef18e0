//! What the coordinator is told and asked.

use serde::{Deserialize, Serialize};

use crate::{
    ConnId,
    faf::{
        mail::heir::Bequest,
        model::{factions::Factions, player_state::PlayerState, seat::LoginId},
        rules::{matcher::Rating, matchmaking::Veto, rated_game::RatingChange},
    },
};

/// To the coordinator.
#[derive(Debug, Serialize, Deserialize)]
pub enum CoordinatorMail {
    /// What a player wants there, or has done elsewhere.
    ToCoordinator {
        /// The login this is about: player, connection and claim.
        login_id: LoginId,
        /// What they want done.
        request: CoordinatorRequest,
    },
    /// From itself: the players of a match have been told of it.
    AllTold {
        /// Number of the match.
        match_id: u64,
    },
    /// How a match went.
    MatchOver {
        /// The coordinator's name for it.
        match_id: u64,
        /// How the match went.
        outcome: MatchOutcome,
    },
    /// Ratings have changed.
    Rated(Vec<RatingChange>),
    /// From a shard that was asked who of its players has been introduced ([`SessionMail::Introduce`]).
    ///
    /// [`SessionMail::Introduce`]: crate::faf::mail::session::SessionMail::Introduce
    Visitors {
        /// Of the question.
        round: u64,
        /// Some of them.
        visitors: Vec<Visitor>,
        /// These are the last.
        is_last: bool,
    },
    /// From a shard that was asked which matches' games it has.
    Matches {
        /// Of the question.
        round: u64,
        /// Some of them.
        matches: Vec<MatchReport>,
        /// These are the last.
        is_last: bool,
    },
    /// From the first shard of a node that is to end: none of its players may search any more. It hears
    /// [`SessionMail::SearchesOver`] on each of its shards when they have been told.
    ///
    /// [`SessionMail::SearchesOver`]: crate::faf::mail::session::SessionMail::SearchesOver
    NodeStops,
    /// From a node that was asked: what it has inherited of another coordinator; none: nothing.
    Inherited(Option<Box<Bequest>>),
}

/// Somebody who has been introduced to a coordinator, for another one, or anew.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Who, and where.
    pub login_id: LoginId,
    /// What they are doing.
    pub state: PlayerState,
    /// The match that was found for them last; 0: none so far.
    pub match_id: u64,
}

/// A match's game that has not been launched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchReport {
    /// The coordinator's name for it.
    pub match_id: u64,
    /// `matchmaker_queue.id`.
    pub queue_id: u32,
    /// Who plays, host first, and in which team: 2 or 3.
    pub players: Vec<(LoginId, u32)>,
    /// How it went, if it is over: the coordinator may not have heard.
    pub outcome: Option<MatchOutcome>,
}

/// What the coordinator is told of a player, or asked by them.
#[derive(Debug, Serialize, Deserialize)]
pub enum CoordinatorRequest {
    /// They are introduced; comes before everything else.
    Enter {
        /// What they are doing.
        state: PlayerState,
    },
    /// They are doing something else now.
    State(PlayerState),
    /// They have logged out.
    Gone,
    /// They want something; their connection is held.
    Request(PlayerRequest),
    /// Whether they may search, as the coordinator has asked.
    Reserved {
        /// The party's entry.
        entry: u64,
        /// As they are, or why not.
        outcome: Result<Profile, CannotSearch>,
    },
    /// They have been told of their match.
    Ready {
        /// Number of the match, at the coordinator.
        match_id: u64,
        /// As they are now.
        profile: Profile,
    },
    /// Whatever they search for, they may not go on.
    StopSearching,
}

/// What a player wants (spec: faf-messages 3.6, 3.10, 3.12).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum PlayerRequest {
    /// Have somebody in their party, who is online and does not mind them.
    Invite {
        /// Account id of who is invited.
        recipient_id: u32,
        /// Where they are.
        recipient: ConnId,
    },
    /// Follow an invitation.
    Accept {
        /// Who has invited them.
        inviter_id: u32,
    },
    /// Have a member out of their party.
    Kick {
        /// Account id of who is to go.
        player_id: u32,
    },
    /// Leave their party.
    Leave,
    /// Choose what they would play.
    SetFactions(Factions),
    /// Know the queues.
    Queues,
    /// Have their party in a queue.
    Search(SearchWanted),
    /// Search no more.
    StopSearch {
        /// Name of the queue.
        queue: Box<str>,
    },
}

/// Why a request was not done, in the words for the player.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoordinatorRefusal {
    /// Only owners invite.
    InviteByMember,
    /// No invitation, or not any more.
    NotInvited,
    /// The party is searching.
    InQueue,
    /// They are alone.
    NoParty,
    /// Only owners kick.
    KickByMember,
    /// Only owners search.
    SearchByMember,
    /// Somebody of the party does something else.
    MemberBusy {
        /// Their name.
        login: Box<str>,
        /// What they are doing instead, as the refusal names it.
        state: PlayerState,
    },
    /// The party has more members than a team of the queue.
    PartyTooLarge,
    /// There is no such queue, or no such faction.
    BadValue,
    /// The server is to end.
    Disabled,
    /// Whoever was asked is not the coordinator any more, and has done nothing of it.
    Moved,
    /// The coordinator can't be asked, or its answer was lost.
    OutOfTouch,
}

/// What a player wants of a queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SearchWanted {
    /// Technical name of the queue.
    pub queue: Box<str>,
    /// Anything but `start` is checked and then ignored.
    pub start: bool,
    /// What they would play; within, why that is no answer.
    pub factions: Option<Result<Factions, CoordinatorRefusal>>,
}

/// A player as the matchmaker sees them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Their name.
    pub login: Box<str>,
    /// Tag of their clan.
    pub clan: Option<Box<str>>,
    /// In the queue's leaderboard.
    pub rating: Rating,
    /// Maps they do not want.
    pub vetoes: Vec<Veto>,
}

/// Why a player can't search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CannotSearch {
    /// They do something else.
    Busy {
        /// Their name.
        login: Box<str>,
        /// What they are doing instead.
        state: PlayerState,
    },
    /// They are not there any more; the coordinator has heard of it before this.
    Gone,
    /// The node that they are on is to end.
    Ending,
}

/// How a match went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchOutcome {
    /// The game was launched.
    Launched,
    /// It was not.
    Failed {
        /// The game, if there was one.
        game_id: Option<u32>,
        /// Whose fault it was.
        violators: Vec<u32>,
        /// What kind of failure.
        failure: Failure,
    },
}

/// Why a match failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// Somebody was too slow.
    TimedOut,
    /// Somebody left.
    Aborted,
    /// Something did not work.
    Errored,
}
