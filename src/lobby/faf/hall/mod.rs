//! The hall: what players do together before a game. It is on one shard, [`HALL`], so that whatever concerns several of
//! them (leaving one party for another, say) is one turn.
//!
//! A player's own shard speaks for him: it introduces him before his first request, tells every change of his state
//! after that, and that he is gone when he logs out, all in order. While the hall works on a request its sender's
//! connection is held; every request gets exactly one [`Mail::HallAnswer`].
//!
//! Invariants: a [`Visitor`] is somebody who is logged in and has been introduced with the claim (epoch) that is in his
//! [`Guest`]; whoever introduces himself with a newer claim replaces the older visitor, who is treated as gone, and
//! whatever is still said in the older one's name finds nobody. A visitor's `party` and the party's members name each
//! other.

mod party;

use ahash::AHashMap;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use self::party::Parties;
use super::{
    Faf, FafTurn,
    factions::Factions,
    mail::Mail,
    matchmaking::{Matchmaker, Profile, SearchWanted, Unfit},
    request::Refusal,
    session::PlayerState,
};
use crate::{ConnId, ShardId};

/// The shard that has the hall.
pub(super) const HALL: ShardId = ShardId(0);

/// One login of one player.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Player.
    pub player_id: u32,
    /// Where he is.
    pub conn: ConnId,
    /// Of his claim.
    pub epoch: u64,
}

/// What the hall is told of a player, or asked by him.
#[derive(Debug, Serialize, Deserialize)]
pub enum Errand {
    /// He is introduced; comes before everything else.
    Enter {
        /// What he is doing.
        state: PlayerState,
    },
    /// He is doing something else now.
    State(PlayerState),
    /// He has logged out.
    Gone,
    /// He wants something; his connection is held.
    Request(HallRequest),
    /// Whether he may search, as the hall has asked.
    Reserved {
        /// The party's entry.
        entry: u64,
        /// As he is, or why not.
        outcome: Result<Profile, Unfit>,
    },
    /// He has been told of his match.
    Ready {
        /// Which.
        match_id: u64,
        /// As he is now.
        profile: Profile,
    },
    /// Whatever he searches for, he may not go on.
    StopSearching,
}

/// What a player wants (spec: faf-messages 3.6, 3.10, 3.12).
#[derive(Debug, Serialize, Deserialize)]
pub enum HallRequest {
    /// Have somebody in his party, who is online and does not mind him.
    Invite {
        /// Whom.
        recipient_id: u32,
        /// Where he is.
        recipient: ConnId,
    },
    /// Follow an invitation.
    Accept {
        /// Who has invited him.
        inviter_id: u32,
    },
    /// Have a member out of his party.
    Kick {
        /// Whom.
        player_id: u32,
    },
    /// Leave his party.
    Leave,
    /// Choose what he would play.
    SetFactions(Factions),
    /// Know the queues.
    Queues,
    /// Have his party in a queue.
    Search(SearchWanted),
    /// Search no more.
    StopSearch {
        /// Name of the queue.
        queue: Box<str>,
    },
}

/// Why a request was not done, in the words for the player.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HallRefusal {
    /// Only owners invite.
    InviteByMember,
    /// No invitation, or not any more.
    NotInvited,
    /// The party is searching.
    InQueue,
    /// He is alone.
    NoParty,
    /// Only owners kick.
    KickByMember,
    /// Only owners search.
    SearchByMember,
    /// Somebody of the party does something else.
    MemberBusy {
        /// His name.
        login: Box<str>,
        /// What.
        state: PlayerState,
    },
    /// The party has more members than a team of the queue.
    PartyTooLarge,
    /// There is no such queue, or no such faction.
    BadValue,
    /// The server is to end.
    Disabled,
}

impl HallRefusal {
    /// What the player's own shard answers.
    pub(super) fn refusal(self) -> Refusal {
        let text = match self {
            HallRefusal::InviteByMember => "You do not own this party.",
            HallRefusal::NotInvited => "You are not invited to that party (anymore)",
            HallRefusal::InQueue => "That party is already in queue",
            HallRefusal::NoParty => "You are not in a party.",
            HallRefusal::KickByMember => "You do not own that party.",
            HallRefusal::SearchByMember => "Only the party owner may enter the party into a queue.",
            HallRefusal::PartyTooLarge => "Your party is too large to join that queue!",
            HallRefusal::MemberBusy { login, state } => {
                let state = state.name();
                let text = format!("Can't join a queue while {login} is in state {state}");
                return Refusal::Client(text.into());
            }
            HallRefusal::BadValue => return Refusal::Garbage,
            HallRefusal::Disabled => return Refusal::Disabled("game_matchmaking"),
        };
        Refusal::client(text)
    }
}

/// Somebody the hall knows.
#[derive(Debug)]
pub(super) struct Visitor {
    /// Who, and where.
    pub guest: Guest,
    /// What he is doing, as his shard has told last.
    pub state: PlayerState,
    /// The owner of the party he is in.
    party: Option<u32>,
    /// He has searched since he logged in, and been told what to expect.
    pub knows_matchmaker: bool,
}

/// The hall's state.
#[derive(Debug, Default)]
pub(super) struct Hall {
    visitors: AHashMap<u32, Visitor>,
    parties: Parties,
    /// Queues, searches and matches.
    pub matchmaker: Matchmaker,
}

impl Hall {
    /// Somebody who has been here since he logged in.
    pub(super) fn visitor(&self, player_id: u32) -> Option<&Visitor> {
        self.visitors.get(&player_id)
    }

    /// Everybody.
    #[cfg(test)]
    pub(super) fn visitors(&self) -> impl Iterator<Item = &Visitor> {
        self.visitors.values()
    }

    /// The same, to change him, if he is still the one who is meant.
    pub(super) fn visitor_mut(&mut self, guest: &Guest) -> Option<&mut Visitor> {
        self.visitors
            .get_mut(&guest.player_id)
            .filter(|visitor| visitor.guest == *guest)
    }
}

impl Faf {
    /// At the hall: a player's shard speaks for him.
    pub(super) fn hall_asked(&mut self, turn: &mut FafTurn<'_>, guest: Guest, errand: Errand) {
        match errand {
            Errand::Enter { state } => self.hall_entered(turn, guest, state),
            Errand::State(state) => {
                if let Some(visitor) = self.hall.visitor_mut(&guest) {
                    visitor.state = state;
                }
            }
            Errand::Gone => self.hall_left(turn, guest),
            Errand::Request(request) => {
                // Who has been replaced by a later login wants nothing any more; he is let go all the same.
                let verdict = if self.hall.visitor_mut(&guest).is_some() {
                    self.hall_request(turn, guest, request)
                } else {
                    Some(Ok(()))
                };
                if let Some(verdict) = verdict {
                    self.post(turn, guest.conn.shard, Mail::HallAnswer { guest, verdict });
                }
            }
            Errand::Reserved { entry, outcome } => {
                self.member_reserved(turn, guest, entry, outcome);
            }
            Errand::Ready { match_id, profile } => {
                self.contestant_ready(turn, guest, match_id, profile);
            }
            Errand::StopSearching => {
                if self.hall.visitor_mut(&guest).is_some() {
                    self.stop_searches(turn, guest.player_id);
                }
            }
        }
    }

    fn hall_entered(&mut self, turn: &mut FafTurn<'_>, guest: Guest, state: PlayerState) {
        if let Some(known) = self.hall.visitor(guest.player_id) {
            if known.guest.epoch >= guest.epoch {
                return;
            }
            self.hall_left(turn, known.guest);
        }
        let visitor = Visitor {
            guest,
            state,
            party: None,
            knows_matchmaker: false,
        };
        self.hall.visitors.insert(guest.player_id, visitor);
    }

    /// spec: faf-lifecycle 5, 13, disconnect.
    fn hall_left(&mut self, turn: &mut FafTurn<'_>, guest: Guest) {
        if self.hall.visitor_mut(&guest).is_some() {
            self.stop_searches(turn, guest.player_id);
            self.forget_entries(turn, &guest);
            self.contestant_gone(turn, &guest);
            self.leave_party_of(turn, guest.player_id);
            self.hall.visitors.remove(&guest.player_id);
        }
    }

    fn hall_request(
        &mut self,
        turn: &mut FafTurn<'_>,
        guest: Guest,
        request: HallRequest,
    ) -> Option<Result<(), HallRefusal>> {
        let verdict = match request {
            HallRequest::Invite {
                recipient_id,
                recipient,
            } => self.party_invite(turn, guest, recipient_id, recipient),
            HallRequest::Accept { inviter_id } => self.party_accept(turn, guest, inviter_id),
            HallRequest::Kick { player_id } => self.party_kick(turn, guest, player_id),
            HallRequest::Leave => {
                self.stop_searches(turn, guest.player_id);
                self.party_leave(turn, guest)
            }
            HallRequest::SetFactions(factions) => {
                self.hall.choose_factions(guest.player_id, factions);
                self.party_dirty(turn, guest.player_id);
                Ok(())
            }
            HallRequest::Queues => {
                let queues = self.all_queues(turn);
                self.tell_visitor(turn, guest.player_id, queues);
                Ok(())
            }
            HallRequest::Search(wanted) => return self.search_wanted(turn, guest, wanted),
            HallRequest::StopSearch { queue } => {
                self.stop_search(turn, guest, &queue);
                Ok(())
            }
        };
        Some(verdict)
    }

    /// A message from the hall to one of its visitors.
    pub(super) fn tell_visitor(&mut self, turn: &mut FafTurn<'_>, player_id: u32, body: Bytes) {
        let Some(Guest { conn, .. }) = self.hall.visitor(player_id).map(|v| v.guest) else {
            return;
        };
        self.tell(turn, conn, player_id, body);
    }
}
