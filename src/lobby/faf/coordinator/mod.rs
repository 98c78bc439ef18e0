//! The coordinator: what players do together before a game. It is on one shard, [`COORDINATOR`], so that whatever concerns several of
//! them (leaving one party for another, say) is one turn.
//!
//! A player's own shard speaks for them: it introduces them before their first request, tells every change of their
//! state after that, and that they are gone when they log out, all in order. While the coordinator works on a request
//! its sender's connection is held; every request gets exactly one [`Mail::HallAnswer`].
//!
//! Invariants: a [`Member`] is somebody who is logged in and has been introduced with the claim (epoch) that is in their
//! [`LoginId`]; whoever introduces themselves with a newer claim replaces the older member, who is treated as gone, and
//! whatever is still said in the older one's name finds nobody. A member's `party` and the party's members name each
//! other.

mod party;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::party::Parties;
use super::{
    Faf, FafTurn,
    factions::Factions,
    mail::Mail,
    matchmaking::{CannotSearch, Matchmaker, Profile, SearchWanted},
    request::Refusal,
    session::PlayerState,
};
use crate::{ConnId, ShardId, map::IdMap};

/// The shard that has the coordinator.
pub(super) const COORDINATOR: ShardId = ShardId::new(0, 0);

/// One login of one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginId {
    /// Account id of the player (`login.id`).
    pub player_id: u32,
    /// Where they are.
    pub conn: ConnId,
    /// Of their claim.
    pub epoch: u64,
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
#[derive(Debug, Serialize, Deserialize)]
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
}

impl CoordinatorRefusal {
    /// What the player's own shard answers.
    pub(super) fn refusal(self) -> Refusal {
        let text = match self {
            CoordinatorRefusal::InviteByMember => "You do not own this party.",
            CoordinatorRefusal::NotInvited => "You are not invited to that party (anymore)",
            CoordinatorRefusal::InQueue => "That party is already in queue",
            CoordinatorRefusal::NoParty => "You are not in a party.",
            CoordinatorRefusal::KickByMember => "You do not own that party.",
            CoordinatorRefusal::SearchByMember => {
                "Only the party owner may enter the party into a queue."
            }
            CoordinatorRefusal::PartyTooLarge => "Your party is too large to join that queue!",
            CoordinatorRefusal::MemberBusy { login, state } => {
                let state = state.name();
                let text = format!("Can't join a queue while {login} is in state {state}");
                return Refusal::Client(text.into());
            }
            CoordinatorRefusal::BadValue => return Refusal::Garbage,
            CoordinatorRefusal::Disabled => return Refusal::Disabled("game_matchmaking"),
        };
        Refusal::client(text)
    }
}

/// Somebody the coordinator knows.
#[derive(Debug)]
pub(super) struct Member {
    /// Who, and where.
    pub login_id: LoginId,
    /// What they are doing, as their shard has told last.
    pub state: PlayerState,
    /// The owner of the party they are in.
    party: Option<u32>,
    /// They have searched since they logged in, and been told what to expect.
    pub knows_matchmaker: bool,
}

/// The coordinator's state.
#[derive(Debug, Default)]
pub(super) struct Coordinator {
    members: IdMap<u32, Member>,
    parties: Parties,
    /// Queues, searches and matches.
    pub matchmaker: Matchmaker,
}

impl Coordinator {
    /// Somebody who has been here since they logged in.
    pub(super) fn member(&self, player_id: u32) -> Option<&Member> {
        self.members.get(&player_id)
    }

    /// All who have been introduced.
    #[cfg(test)]
    pub(super) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// The same, to change them, if they are still the one who is meant.
    pub(super) fn member_mut(&mut self, login_id: &LoginId) -> Option<&mut Member> {
        self.members
            .get_mut(&login_id.player_id)
            .filter(|online| online.login_id == *login_id)
    }
}

impl Faf {
    /// At the coordinator: a player's shard speaks for them.
    pub(super) fn coordinator_asked(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        request: CoordinatorRequest,
    ) {
        match request {
            CoordinatorRequest::Enter { state } => self.coordinator_entered(turn, login_id, state),
            CoordinatorRequest::State(state) => {
                if let Some(online) = self.coordinator.member_mut(&login_id) {
                    online.state = state;
                }
            }
            CoordinatorRequest::Gone => self.coordinator_left(turn, login_id),
            CoordinatorRequest::Request(request) => {
                // Who has been replaced by a later login wants nothing any more; they are let go all the same.
                let verdict = if self.coordinator.member_mut(&login_id).is_some() {
                    self.coordinator_request(turn, login_id, request)
                } else {
                    Some(Ok(()))
                };
                if let Some(verdict) = verdict {
                    self.post(
                        turn,
                        login_id.conn.shard,
                        Mail::HallAnswer { login_id, verdict },
                    );
                }
            }
            CoordinatorRequest::Reserved { entry, outcome } => {
                self.member_reserved(turn, login_id, entry, outcome);
            }
            CoordinatorRequest::Ready { match_id, profile } => {
                self.contestant_ready(turn, login_id, match_id, profile);
            }
            CoordinatorRequest::StopSearching => {
                if self.coordinator.member_mut(&login_id).is_some() {
                    self.stop_searches(turn, login_id.player_id);
                }
            }
        }
    }

    fn coordinator_entered(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        state: PlayerState,
    ) {
        if let Some(known) = self.coordinator.member(login_id.player_id) {
            if known.login_id.epoch >= login_id.epoch {
                return;
            }
            self.coordinator_left(turn, known.login_id);
        }
        let online = Member {
            login_id,
            state,
            party: None,
            knows_matchmaker: false,
        };
        self.coordinator.members.insert(login_id.player_id, online);
    }

    /// spec: faf-lifecycle 5, 13, disconnect.
    fn coordinator_left(&mut self, turn: &mut FafTurn<'_>, login_id: LoginId) {
        if self.coordinator.member_mut(&login_id).is_some() {
            self.stop_searches(turn, login_id.player_id);
            self.forget_entries(turn, &login_id);
            self.match_player_gone(turn, &login_id);
            self.leave_party_of(turn, login_id.player_id);
            self.coordinator.members.remove(&login_id.player_id);
        }
    }

    fn coordinator_request(
        &mut self,
        turn: &mut FafTurn<'_>,
        login_id: LoginId,
        request: PlayerRequest,
    ) -> Option<Result<(), CoordinatorRefusal>> {
        let verdict = match request {
            PlayerRequest::Invite {
                recipient_id,
                recipient,
            } => self.party_invite(turn, login_id, recipient_id, recipient),
            PlayerRequest::Accept { inviter_id } => self.party_accept(turn, login_id, inviter_id),
            PlayerRequest::Kick { player_id } => self.party_kick(turn, login_id, player_id),
            PlayerRequest::Leave => {
                self.stop_searches(turn, login_id.player_id);
                self.party_leave(turn, login_id)
            }
            PlayerRequest::SetFactions(factions) => {
                self.coordinator
                    .choose_factions(login_id.player_id, factions);
                self.party_dirty(turn, login_id.player_id);
                Ok(())
            }
            PlayerRequest::Queues => {
                let queues = self.all_queues(turn);
                self.tell_visitor(turn, login_id.player_id, queues);
                Ok(())
            }
            PlayerRequest::Search(wanted) => return self.search_wanted(turn, login_id, wanted),
            PlayerRequest::StopSearch { queue } => {
                self.stop_search(turn, login_id, &queue);
                Ok(())
            }
        };
        Some(verdict)
    }

    /// A message from the coordinator to one of its members.
    pub(super) fn tell_visitor(&mut self, turn: &mut FafTurn<'_>, player_id: u32, body: Bytes) {
        let Some(LoginId { conn, .. }) = self.coordinator.member(player_id).map(|v| v.login_id)
        else {
            return;
        };
        self.tell(turn, conn, player_id, body);
    }
}
