//! The coordinator: what players do together before a game. It is on one shard, so that whatever concerns several of them
//! (leaving one party for another, say) is one turn.
//!
//! | file | concept |
//! |---|---|
//! | `party` | parties |
//! | `queues`, `entering`, `popping` | queues and searches as plain bookkeeping; getting in and out; popping and being matched |
//! | `matches`, `metrics` | a match from being found to its game, and its end; what is counted |
//! | `stopping`, `operator` | the orderly end; what an operator sees of the queues |
//!
//! A player's own shard speaks for them: it introduces them before their first request, tells every change of their
//! state after that, and that they are gone when they log out, all in order. While the coordinator works on a request
//! its sender's connection is held; every request gets exactly one [`SessionMail::CoordinatorAnswer`].
//!
//! Invariants: a [`Member`] is somebody who is logged in and has been introduced with the claim (epoch) that is in their
//! [`LoginId`]; whoever introduces themselves with a newer claim replaces the older member, who is treated as gone, and
//! whatever is still said in the older one's name finds nobody. A member's `party` and the party's members name each
//! other.

use serde::{Deserialize, Serialize};

pub(in crate::faf) mod entering;
pub(in crate::faf) mod matches;
pub(in crate::faf) mod metrics;
pub(in crate::faf) mod operator;
pub(in crate::faf) mod party;
pub(in crate::faf) mod popping;
pub(in crate::faf) mod queues;
pub(in crate::faf) mod stopping;

use bytes::Bytes;

use self::party::Parties;
use crate::{
    faf::{
        context::Context,
        coordinator::{matches::Preparing, popping::Finding, queues::Matchmaker},
        mail::{
            coordinator::{CoordinatorMail, CoordinatorRefusal, CoordinatorRequest, PlayerRequest},
            session::SessionMail,
        },
        model::{player_state::PlayerState, seat::LoginId},
        questions::Answer,
    },
    kept::{Damaged, ensure},
    map::IdMap,
    question::{Asker, Pending},
};

crate::continuations! {
    CoordinatorContinuation of Coordinator:
    FindMatches => Finding,
    PrepareMatch => Preparing,
}

/// Somebody the coordinator knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Member {
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
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Coordinator {
    members: IdMap<u32, Member>,
    parties: Parties,
    /// Queues, searches and matches.
    pub matchmaker: Matchmaker,
    /// How often a shard has said that its players know of a step of the orderly end.
    #[serde(default)]
    told: usize,
    /// What the back office was asked, and what is waited for with.
    #[serde(skip)]
    pub pending: Pending<CoordinatorContinuation>,
}

impl Coordinator {
    /// What whoever goes on needs of it; nothing waits for an answer.
    pub(in crate::faf) fn keep(&self) -> Self {
        Coordinator {
            members: self.members.clone(),
            parties: self.parties.clone(),
            matchmaker: self.matchmaker.clone(),
            told: self.told,
            pending: Pending::default(),
        }
    }

    /// Somebody who has been here since they logged in.
    pub(in crate::faf) fn member(&self, player_id: u32) -> Option<&Member> {
        self.members.get(&player_id)
    }

    /// All who have been introduced.
    pub(in crate::faf) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Whether nothing has been brought to it yet.
    pub(in crate::faf) fn knows_nothing(&self) -> bool {
        self.members.is_empty() && self.parties.is_empty() && self.matchmaker.queues.is_empty()
    }

    /// Whether its parts say the same, with nothing on its way: whoever goes on would wait for ever for what is.
    pub(in crate::faf) fn agree(&self) -> Result<(), Damaged> {
        for (id, member) in &self.members {
            let LoginId { player_id, .. } = member.login_id;
            ensure(*id == player_id, "a member has two numbers")?;
        }
        let mut seated = 0;
        for (owner, party) in self.parties() {
            let first = party.members.first().map(|member| member.player_id);
            ensure(first == Some(owner), "a party is not its owner's")?;
            let knows = |member: &party::Member| self.owner_of(member.player_id) == Some(owner);
            let all_know = party.members.iter().all(knows);
            ensure(all_know, "somebody is in a party and does not know")?;
            seated += party.members.len();
        }
        let in_parties = self.members.values().filter(|m| m.party.is_some()).count();
        ensure(
            in_parties == seated,
            "somebody is in no party that there is",
        )?;
        let searches = self.matchmaker.searches.values();
        let mut searching = searches.flat_map(|search| &search.members);
        let are_members = searching.all(|searcher| {
            let member = self.member(searcher.login_id.player_id);
            member.is_some_and(|member| member.login_id == searcher.login_id)
        });
        ensure(are_members, "somebody searches who is not known")?;
        self.matchmaker.agree()
    }

    /// The same, to change them, if they are still the one who is meant.
    pub(in crate::faf) fn member_mut(&mut self, login_id: &LoginId) -> Option<&mut Member> {
        self.members
            .get_mut(&login_id.player_id)
            .filter(|online| online.login_id == *login_id)
    }
}

impl Asker for Coordinator {
    type Context<'a> = Context<'a>;
}

impl Coordinator {
    /// Somebody has something for the coordinator.
    pub(in crate::faf) fn mail(&mut self, cx: &mut Context<'_>, mail: CoordinatorMail) {
        match mail {
            CoordinatorMail::ToCoordinator { login_id, request } => {
                self.coordinator_asked(cx, login_id, request);
            }
            CoordinatorMail::AllTold { match_id } => self.all_told(cx, match_id),
            CoordinatorMail::MatchOver { match_id, outcome } => {
                self.match_over(cx, match_id, outcome);
            }
            CoordinatorMail::Rated(changes) => {
                for change in &changes {
                    self.matchmaker.rated(change);
                }
            }
            CoordinatorMail::Told => self.told(cx),
        }
    }

    /// A player's shard speaks for them.
    pub(in crate::faf) fn coordinator_asked(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        request: CoordinatorRequest,
    ) {
        match request {
            CoordinatorRequest::Enter { state } => self.coordinator_entered(cx, login_id, state),
            CoordinatorRequest::State(state) => {
                if let Some(online) = self.member_mut(&login_id) {
                    online.state = state;
                }
            }
            CoordinatorRequest::Gone => self.coordinator_left(cx, login_id),
            CoordinatorRequest::Request(request) => {
                // Who has been replaced by a later login wants nothing any more; they are let go all the same.
                let verdict = if self.member_mut(&login_id).is_some() {
                    self.coordinator_request(cx, login_id, request)
                } else {
                    Some(Ok(()))
                };
                if let Some(verdict) = verdict {
                    cx.post(
                        login_id.conn.shard,
                        SessionMail::CoordinatorAnswer { login_id, verdict },
                    );
                }
            }
            CoordinatorRequest::Reserved { entry, outcome } => {
                self.member_reserved(cx, login_id, entry, outcome);
            }
            CoordinatorRequest::Ready { match_id, profile } => {
                self.contestant_ready(cx, login_id, match_id, profile);
            }
            CoordinatorRequest::StopSearching => {
                if self.member_mut(&login_id).is_some() {
                    self.stop_searches(cx, login_id.player_id);
                }
            }
        }
    }

    fn coordinator_entered(&mut self, cx: &mut Context<'_>, login_id: LoginId, state: PlayerState) {
        if let Some(known) = self.member(login_id.player_id) {
            if known.login_id.epoch >= login_id.epoch {
                return;
            }
            self.coordinator_left(cx, known.login_id);
        }
        let online = Member {
            login_id,
            state,
            party: None,
            knows_matchmaker: false,
        };
        self.members.insert(login_id.player_id, online);
    }

    /// spec: faf-lifecycle 5, 13, disconnect.
    fn coordinator_left(&mut self, cx: &mut Context<'_>, login_id: LoginId) {
        if self.member_mut(&login_id).is_some() {
            self.stop_searches(cx, login_id.player_id);
            self.forget_entries(cx, &login_id);
            self.match_player_gone(cx, &login_id);
            self.leave_party_of(cx, login_id.player_id);
            self.members.remove(&login_id.player_id);
        }
    }

    fn coordinator_request(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        request: PlayerRequest,
    ) -> Option<Result<(), CoordinatorRefusal>> {
        let verdict = match request {
            PlayerRequest::Invite {
                recipient_id,
                recipient,
            } => self.party_invite(cx, login_id, recipient_id, recipient),
            PlayerRequest::Accept { inviter_id } => self.party_accept(cx, login_id, inviter_id),
            PlayerRequest::Kick { player_id } => self.party_kick(cx, login_id, player_id),
            PlayerRequest::Leave => {
                self.stop_searches(cx, login_id.player_id);
                self.party_leave(cx, login_id)
            }
            PlayerRequest::SetFactions(factions) => {
                self.choose_factions(login_id.player_id, factions);
                self.party_dirty(cx, login_id.player_id);
                Ok(())
            }
            PlayerRequest::Queues => {
                let queues = self.all_queues(cx);
                self.tell_member(cx, login_id.player_id, queues);
                Ok(())
            }
            PlayerRequest::Search(wanted) => return self.search_wanted(cx, login_id, wanted),
            PlayerRequest::StopSearch { queue } => {
                self.stop_search(cx, login_id, &queue);
                Ok(())
            }
        };
        Some(verdict)
    }

    /// A message from the coordinator to one of its members.
    pub(in crate::faf) fn tell_member(
        &mut self,
        cx: &mut Context<'_>,
        player_id: u32,
        body: Bytes,
    ) {
        let Some(LoginId { conn, .. }) = self.member(player_id).map(|v| v.login_id) else {
            return;
        };
        cx.tell(conn, player_id, body);
    }
}
