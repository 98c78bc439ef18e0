//! One node takes the coordinator's office over from another, or gives it up.
//!
//! Whoever gets the lease asks every other node what it has inherited, its predecessor too if that is still there, and takes
//! the newest. Then it introduces itself to all shards (`visitors`), and when they have answered, or have had their time, it
//! settles: who is not vouched for has left. Until then requests wait, and queues do not pop.
//!
//! Whoever has lost the lease keeps what it knew for whoever asks, and does nothing of what it is still told.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    ShardId,
    faf::{
        context::{Context, Timer},
        coordinator::{
            Coordinator, estate,
            tenure::{Heritage, Inheritance, Stage, Tenure},
        },
        mail::{
            Mail,
            coordinator::{CoordinatorMail, CoordinatorRefusal, CoordinatorRequest},
            heir::{Bequest, HeirMail},
            session::{CoordinatorEvent, SessionMail},
        },
        topology::{Change, Topology},
    },
};

/// How long other nodes are waited for that may have inherited something: a lane is that late only when it is to break.
const GATHERING: Duration = Duration::from_secs(1);
/// How long shards are waited for that were asked who is there.
const SETTLING: Duration = Duration::from_secs(2);
/// Numbers a coordinator gives out of its own begin so many bits above its term. Terms are microseconds, and nobody gives out
/// 4,096 in one: so no two coordinators ever give out the same, whatever the later one has inherited.
const NUMBERS: u32 = 12;

impl Coordinator {
    /// What this node knows of the others has changed.
    pub(in crate::faf) fn standing_changed(&mut self, cx: &mut Context<'_>, change: &Change) {
        match cx.topology.coordinates(cx.turn.shard) {
            Some(term) if self.tenure.as_ref().is_some_and(|t| t.term == term) => {
                self.nodes_changed(cx, change);
            }
            Some(term) => {
                self.cease(cx);
                self.begin(cx, term);
            }
            None => self.cease(cx),
        }
    }

    /// Whether nobody has still to be given what it knows: it was not in office, or its successor has it, or there can be none.
    /// A successor asks before it introduces itself; so one that has done so asks no more, as is so for a node that was in
    /// office while it was alone and has joined a lobby since.
    pub(in crate::faf) fn has_handed_over(&self, topology: &Topology) -> bool {
        let node = topology.standing().node;
        let is_followed = topology.reached().is_some_and(|other| other.node != node);
        let is_done = self.tenure.is_none() && (is_followed || !self.is_unasked);
        is_done || !topology.has_others()
    }

    /// It has the office now.
    fn begin(&mut self, cx: &mut Context<'_>, term: u64) {
        cx.metrics.coordinator_terms.up();
        let others: BTreeSet<u8> = cx.topology.standing().others().map(|m| m.node).collect();
        for &node in &others {
            cx.post(ShardId::new(node, 0), HeirMail::Ask { term });
        }
        let mut tenure = Tenure::of(term);
        tenure.stage = Stage::Gathering(others);
        self.tenure = Some(Box::new(tenure));
        self.is_unasked = false;
        self.matchmaker
            .begin_after(term.checked_shl(NUMBERS).unwrap_or(0));
        self.wait(cx, GATHERING);
        self.take_up(cx);
    }

    /// Whoever was asked has this much time.
    fn wait(&mut self, cx: &mut Context<'_>, time: Duration) {
        let until = cx.turn.now.mono + time;
        let tenure = self.tenure_mut();
        tenure.until = until;
        cx.turn.wake_at(until, Timer::Tenure(tenure.term));
    }

    /// It has the office no more. Who waits for an answer asks the next one.
    pub(in crate::faf) fn cease(&mut self, cx: &mut Context<'_>) {
        let Some(tenure) = &self.tenure else {
            return;
        };
        let mut asking: Vec<_> = tenure.deferred.iter().map(|(who, _)| *who).collect();
        let entries = self.matchmaker.entries.values();
        asking.extend(entries.map(|entry| entry.owner()));
        for login_id in asking {
            self.answer(cx, login_id, Err(CoordinatorRefusal::Moved));
        }
        let has_begun = !matches!(tenure.stage, Stage::Gathering(_));
        if let Some(tenure) = self.tenure.take().filter(|_| has_begun) {
            self.is_unasked = true;
            self.heritage.keep(Inheritance {
                term: tenure.term,
                number: tenure.number,
                at: cx.turn.now,
                heard: cx.turn.now,
                is_whole: true,
                items: self.estate(),
            });
        }
        for queue in &self.matchmaker.queues {
            cx.metrics.queue_gone(&queue.setup.name);
        }
        let last = self.matchmaker.last_number();
        self.members = Default::default();
        self.parties = Default::default();
        self.matchmaker = Default::default();
        self.matchmaker.begin_after(last);
    }

    /// To the first shard of a node that may have to go on with what a coordinator knows.
    pub(in crate::faf) fn heir_mail(
        &mut self,
        cx: &mut Context<'_>,
        from: ShardId,
        mail: HeirMail,
    ) {
        match mail {
            HeirMail::Tell(told) => self.heritage.told(told, cx.turn.now),
            HeirMail::Ask { term } => {
                if self.tenure.as_ref().is_some_and(|own| own.term < term) {
                    self.cease(cx);
                }
                self.hand_on(cx, from, term);
            }
        }
    }

    /// Gives a new coordinator what was inherited here.
    fn hand_on(&mut self, cx: &mut Context<'_>, to: ShardId, term: u64) {
        self.is_unasked = false;
        let newest = self.heritage.newest.take_if(|newest| newest.term < term);
        let inherited = |some| Mail::Coordinator(term, CoordinatorMail::Inherited(some));
        let Some(newest) = newest else {
            return cx.post(to, inherited(None));
        };
        let since = newest.heard;
        let later = |time: Duration, now: Duration, then: Duration| time + now.saturating_sub(then);
        let head = Bequest {
            term: newest.term,
            number: newest.number,
            at: crate::Now {
                mono: later(newest.at.mono, cx.turn.now.mono, since.mono),
                unix: later(newest.at.unix, cx.turn.now.unix, since.unix),
            },
            anew: true,
            is_whole: newest.is_whole,
            is_last: true,
            items: Vec::new(),
        };
        for letter in estate::letters(&Default::default(), &newest.items, head) {
            cx.post(to, inherited(Some(Box::new(letter))));
        }
    }

    /// Another node tells what it has inherited.
    pub(in crate::faf) fn inherited(
        &mut self,
        cx: &mut Context<'_>,
        from: u8,
        some: Option<Box<Bequest>>,
    ) {
        let is_all = self
            .heritage
            .arrives(from, some.map(|some| *some), cx.turn.now);
        if let Stage::Gathering(unheard) = &mut self.tenure_mut().stage
            && is_all
        {
            unheard.remove(&from);
            self.take_up(cx);
        }
    }

    /// The database has told the queues.
    pub(in crate::faf) fn queues_came(&mut self, cx: &mut Context<'_>) {
        match self.tenure.as_ref().map(|tenure| &tenure.stage) {
            Some(Stage::Gathering(_)) => self.take_up(cx),
            Some(_) => self.renew_queues(cx),
            None => {}
        }
    }

    /// When all nodes have been heard and the queues are known: goes on with the newest that was inherited, and asks all
    /// shards who is there.
    fn take_up(&mut self, cx: &mut Context<'_>) {
        let is_due = match self.tenure.as_ref().map(|tenure| &tenure.stage) {
            Some(Stage::Gathering(unheard)) => unheard.is_empty() && cx.initialised,
            _ => false,
        };
        if !is_due {
            return;
        }
        let newest = self.heritage.newest.take();
        self.heritage = Heritage::default();
        let is_whole = newest.as_ref().is_some_and(|newest| newest.is_whole);
        self.tenure_mut().stage = Stage::Settling { is_whole };
        if let Some(newest) = &newest {
            self.inherit_times(cx, newest);
        }
        self.renew_queues(cx);
        if let Some(newest) = newest {
            self.inherit(cx, *newest);
        }
        let all: Vec<ShardId> = cx.topology.all().collect();
        self.introduce(cx, all);
        self.wait(cx, SETTLING);
    }

    /// Those who were asked have had their time.
    pub(in crate::faf) fn tenure_timed_out(&mut self, cx: &mut Context<'_>, term: u64) {
        let tenure = self.tenure.as_mut();
        let tenure = tenure.filter(|t| t.term == term && t.until <= cx.turn.now.mono);
        let Some(tenure) = tenure else {
            return;
        };
        match &mut tenure.stage {
            Stage::Gathering(unheard) => {
                unheard.clear();
                self.heritage.arrived();
                self.take_up(cx);
            }
            Stage::Settling { .. } => self.settle(cx),
            Stage::Open => {}
        }
    }

    /// Everybody has been heard, or is not waited for any longer.
    pub(in crate::faf) fn settle(&mut self, cx: &mut Context<'_>) {
        let tenure = self.tenure_mut();
        let Stage::Settling { is_whole } = tenure.stage else {
            return;
        };
        tenure.stage = Stage::Open;
        tenure.times.clear();
        tenure.seated.clear();
        tenure.welcomed.clear();
        let (matched, deferred) = (
            std::mem::take(&mut tenure.matched),
            std::mem::take(&mut tenure.deferred),
        );
        self.settle_parties(cx, !is_whole);
        self.settle_searches(cx);
        self.settle_matches(cx, is_whole);
        for (login_id, match_id) in matched {
            let matches = &self.matchmaker.matches;
            if !matches.get(&match_id).is_some_and(|m| m.has(&login_id)) {
                self.tell_shard_of(cx, login_id, CoordinatorEvent::MatchLost { match_id });
            }
        }
        if !is_whole {
            let members = self.members().filter(|member| member.party.is_none());
            let mut alone: Vec<u32> = members.map(|member| member.login_id.player_id).collect();
            alone.sort_unstable();
            for player_id in alone {
                self.tell_partyless(cx, player_id);
            }
        }
        self.sweep_if_needed(cx);
        self.tell_heir_later(cx);
        for (login_id, request) in deferred {
            self.requested(cx, login_id, request);
        }
    }

    /// Inherited searches go on of which everybody is here and searches.
    fn settle_searches(&mut self, cx: &mut Context<'_>) {
        let searches = self.matchmaker.searches.iter();
        let broken = searches.filter(|(_, search)| {
            let mut players = search.members.iter();
            !players.all(|player| self.is_searching(&player.login_id))
        });
        let broken: Vec<u64> = broken.map(|(&id, _)| id).collect();
        for id in broken {
            self.cancel_search(cx, id, &[]);
        }
    }

    /// Inherited matches go on that have a game; those that were about to get one, if nothing of them was missed.
    fn settle_matches(&mut self, cx: &mut Context<'_>, is_whole: bool) {
        let unknown = |found: &crate::faf::coordinator::matches::Match| {
            let host = found.host_shard();
            host.is_none_or(|host| !cx.topology.has_node(host.node()))
        };
        let lost = self.matchmaker.matches.iter();
        let lost = lost.filter(|(_, found)| match found.is_opened() {
            true => unknown(found),
            false => !is_whole || found.waits_for(|_| true),
        });
        let lost: Vec<u64> = lost.map(|(&id, _)| id).collect();
        for id in lost {
            self.match_errored(cx, id);
        }
        let matches = self.matchmaker.matches.iter();
        let unopened = matches.filter(|(_, found)| !found.is_opened());
        let unopened: Vec<u64> = unopened.map(|(&id, _)| id).collect();
        for id in unopened {
            self.prepare_match(cx, id);
        }
    }

    /// Mail to a coordinator that it is not any more: who has asked for something hears that they may ask the next one.
    pub(in crate::faf) fn misdirected(
        &self,
        cx: &mut Context<'_>,
        from: ShardId,
        term: u64,
        mail: CoordinatorMail,
    ) {
        cx.metrics.coordinator_misdirected.up();
        if let CoordinatorMail::ToCoordinator {
            login_id,
            request: CoordinatorRequest::Request(_),
        } = mail
        {
            let verdict = Err(CoordinatorRefusal::Moved);
            let answer = SessionMail::CoordinatorAnswer { login_id, verdict };
            cx.post(from, Mail::OfCoordinator(term, answer));
        }
    }
}
