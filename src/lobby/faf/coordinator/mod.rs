//! The coordinator: what players do together before a game. It is on one shard, so that whatever concerns several of them
//! (leaving one party for another, say) is one turn.
//!
//! | file | concept |
//! |---|---|
//! | `party` | parties |
//! | `queues`, `entering`, `popping` | queues and searches as plain bookkeeping; getting in and out; popping and being matched |
//! | `matches`, `metrics` | a match from being found to its game, and its end; what is counted |
//! | `stopping`, `operator` | the orderly end; what an operator sees of the queues |
//! | `tenure`, `estate` | a time in office as plain data; what it knows in its written form, for the next one |
//! | `succession`, `visitors`, `heir` | one node takes the office over from another; it asks who is there; it tells its heir |
//!
//! A player's own shard speaks for them: it introduces them before their first request, tells every change of their
//! state after that, and that they are gone when they log out, all in order. While the coordinator works on a request
//! its sender's connection is held; every request gets exactly one [`SessionMail::CoordinatorAnswer`].
//!
//! In a lobby of several nodes the office is a lease, and each time in office has a term (`tenure`), which all mail to and from
//! the coordinator names. A shard speaks to it only after it has introduced itself there ([`SessionMail::Introduce`]), and answers
//! with everybody it has introduced before: so whatever was lost or decided elsewhere is put right in one place (`visitors`).
//!
//! Invariants: a [`Member`] is somebody who is logged in and has been introduced with the claim (epoch) that is in their
//! [`LoginId`]; whoever introduces themselves with a newer claim replaces the older member, who is treated as gone, and
//! whatever is still said in the older one's name finds nobody. A member's `party` and the party's members name each
//! other.

use serde::{Deserialize, Serialize};

pub(in crate::faf) mod entering;
pub(in crate::faf) mod estate;
pub(in crate::faf) mod heir;
pub(in crate::faf) mod matches;
pub(in crate::faf) mod metrics;
pub(in crate::faf) mod operator;
pub(in crate::faf) mod party;
pub(in crate::faf) mod popping;
pub(in crate::faf) mod queues;
pub(in crate::faf) mod stopping;
pub(in crate::faf) mod succession;
pub(in crate::faf) mod tenure;
pub(in crate::faf) mod visitors;

use bytes::Bytes;

use self::{
    party::Parties,
    tenure::{Heritage, Tenure},
};
use crate::{
    ConnId, ShardId,
    faf::{
        context::Context,
        coordinator::{matches::Preparing, popping::Finding, queues::Matchmaker},
        mail::{
            Mail,
            coordinator::{CoordinatorMail, CoordinatorRefusal, CoordinatorRequest, PlayerRequest},
            session::{CoordinatorEvent, SessionMail},
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
    /// When their shard has named them last, asked who is there.
    #[serde(default)]
    named: u64,
}

/// The coordinator's state.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Coordinator {
    members: IdMap<u32, Member>,
    parties: Parties,
    /// Queues, searches and matches.
    pub matchmaker: Matchmaker,
    /// How often a shard of this node has said that its players know of a step of the orderly end.
    #[serde(default)]
    told: usize,
    /// The players of this node have still to stop searching, as it is to end.
    #[serde(default)]
    stops: bool,
    /// Since when it is the coordinator, if it is.
    #[serde(default)]
    tenure: Option<Box<Tenure>>,
    /// What other coordinators have left here.
    #[serde(default)]
    heritage: Heritage,
    /// It was the coordinator, and nobody has asked for what it knew.
    #[serde(default)]
    is_unasked: bool,
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
            stops: self.stops,
            tenure: self.tenure.clone(),
            heritage: self.heritage.clone(),
            is_unasked: self.is_unasked,
            pending: Pending::default(),
        }
    }

    /// What was kept by a process that knew of no other nodes is in office like the new one.
    pub(in crate::faf) fn goes_on_from(&mut self, new: &Coordinator) {
        if self.tenure.is_none() {
            self.tenure.clone_from(&new.tenure);
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
        self.agree_in_parts()?;
        self.matchmaker.agree()
    }

    /// Whether members, parties and searches say the same of each other.
    pub(in crate::faf) fn agree_in_parts(&self) -> Result<(), Damaged> {
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
        ensure(are_members, "somebody searches who is not known")
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
    /// The coordinator of a lobby of one node, from the start.
    pub(in crate::faf) fn alone() -> Self {
        Coordinator {
            tenure: Some(Box::new(Tenure::of(0))),
            ..Coordinator::default()
        }
    }

    /// Somebody has something for the coordinator of this term.
    pub(in crate::faf) fn mail(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        term: u64,
        mail: CoordinatorMail,
    ) {
        if self.tenure.is_none() || self.term() != term {
            return self.misdirected(cx, from, term, mail);
        }
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
            CoordinatorMail::Visitors {
                round,
                visitors,
                is_last,
            } => self.visitors_told(cx, from, round, visitors, is_last),
            CoordinatorMail::Matches {
                round,
                matches,
                is_last,
            } => self.matches_told(cx, from, round, matches, is_last),
            CoordinatorMail::NodeStops => self.node_stops(cx, from.node()),
            CoordinatorMail::Inherited(some) => self.inherited(cx, from.node(), some),
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
            CoordinatorRequest::Request(request) if self.is_open() => {
                self.requested(cx, login_id, request);
            }
            CoordinatorRequest::Request(request) => {
                self.tenure_mut().deferred.push((login_id, request));
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

    /// Somebody wants something.
    pub(in crate::faf) fn requested(
        &mut self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        request: PlayerRequest,
    ) {
        // Who has been replaced by a later login wants nothing any more; they are let go all the same.
        let verdict = if self.member_mut(&login_id).is_some() {
            self.coordinator_request(cx, login_id, request)
        } else {
            Some(Ok(()))
        };
        if let Some(verdict) = verdict {
            self.answer(cx, login_id, verdict);
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
            named: 0,
        };
        self.members.insert(login_id.player_id, online);
    }

    /// spec: faf-lifecycle 5, 13, disconnect.
    pub(in crate::faf) fn coordinator_left(&mut self, cx: &mut Context<'_>, login_id: LoginId) {
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
        self.tell(cx, conn, player_id, body);
    }

    /// A message to a player, as long as that connection is still theirs.
    pub(in crate::faf) fn tell(
        &self,
        cx: &mut Context<'_>,
        conn: ConnId,
        player_id: u32,
        body: Bytes,
    ) {
        let tell = SessionMail::Tell {
            conn,
            player_id,
            body,
        };
        self.say(cx, conn.shard, tell);
    }

    /// A request is done, or refused.
    pub(in crate::faf) fn answer(
        &self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        verdict: Result<(), CoordinatorRefusal>,
    ) {
        let answer = SessionMail::CoordinatorAnswer { login_id, verdict };
        self.say(cx, login_id.conn.shard, answer);
    }

    /// Something for the shard of a login.
    pub(in crate::faf) fn tell_shard_of(
        &self,
        cx: &mut Context<'_>,
        login_id: LoginId,
        event: CoordinatorEvent,
    ) {
        let mail = SessionMail::FromCoordinator { login_id, event };
        self.say(cx, login_id.conn.shard, mail);
    }

    /// Mail to the sessions of a shard, under its term.
    pub(in crate::faf) fn say(&self, cx: &mut Context<'_>, to: ShardId, mail: SessionMail) {
        cx.post(to, Mail::OfCoordinator(self.term(), mail));
    }

    /// Its present term.
    pub(in crate::faf) fn term(&self) -> u64 {
        self.tenure.as_ref().map_or(0, |tenure| tenure.term)
    }

    /// How often shards were asked who is there.
    pub(in crate::faf) fn rounds(&self) -> u64 {
        self.tenure.as_ref().map_or(0, |tenure| tenure.rounds)
    }

    /// Whether it does all that a coordinator does.
    pub(in crate::faf) fn is_open(&self) -> bool {
        self.tenure.as_ref().is_some_and(|tenure| tenure.is_open())
    }

    /// Its present time in office; one that has none begins one, of which nobody hears.
    pub(in crate::faf) fn tenure_mut(&mut self) -> &mut Tenure {
        self.tenure.get_or_insert_default()
    }
}
