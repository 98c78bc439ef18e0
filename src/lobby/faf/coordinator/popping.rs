//! Queues come and go, pop, and are matched (spec: faf-matchmaking 2, 5).
//!
//! Who plays against whom is worked out by the back office, from a snapshot; searches may end meanwhile. What comes
//! back is only what should be done: a match is made in the turn of the answer, if all of it is still there. One queue
//! at a time is matched, because a search's players may wait in several.

use std::time::Duration;

use bytes::Bytes;

use crate::{
    Now,
    faf::{
        context::{Context, Timer},
        coordinator::{
            Coordinator,
            matches::Match,
            queues::{Queue, Search, later},
        },
        model::{player_state::PlayerState, pools::QueueSetup},
        protocol::matchmaking,
        questions::FindMatches,
        rules::matcher::{Proposal, Snapshot, Tuning},
    },
    question::Continuation,
};

/// A queue that is due while the coordinator still settles waits for so long.
const NOT_YET: Duration = Duration::from_millis(500);

/// Who plays against whom in the queue that has popped.
#[derive(Debug)]
pub(in crate::faf) struct Finding;

impl Continuation for Finding {
    type Asker = Coordinator;
    type Question = FindMatches;

    fn resume(
        self,
        coordinator: &mut Coordinator,
        cx: &mut Context<'_>,
        proposals: Option<Vec<Proposal>>,
    ) {
        coordinator.matched(cx, proposals);
    }
}

impl Coordinator {
    /// Queues as the database has them now (spec: faf-matchmaking 2).
    pub(in crate::faf) fn renew_queues(&mut self, cx: &mut Context<'_>) {
        let reference = cx.reference.clone();
        let known = &self.matchmaker.queues;
        let gone: Vec<u32> = known
            .iter()
            .map(|queue| queue.setup.id)
            .filter(|&id| reference.queues.iter().all(|setup| setup.id != id))
            .collect();
        for id in gone {
            self.end_searches_of(cx, id, |_| true);
            self.matchmaker.queues.retain(|q| q.setup.id != id);
        }
        for setup in &reference.queues {
            self.renew_queue(cx, setup);
        }
        let place = |queue: &Queue| reference.queues.iter().position(|s| s.id == queue.setup.id);
        self.matchmaker.queues.sort_by_key(place);
    }

    fn renew_queue(&mut self, cx: &mut Context<'_>, setup: &QueueSetup) {
        cx.metrics.queue_loaded(setup);
        if let Some(queue) = self.matchmaker.queue(setup.id) {
            queue.setup = setup.clone();
            let most = setup.team_size as usize;
            return self.end_searches_of(cx, setup.id, |search| search.members.len() > most);
        }
        let wait = self.matchmaker.next_id();
        let rules = &cx.settings.matchmaking.pop;
        let mut queue = Queue::new(setup.clone(), wait, cx.turn.now, rules);
        if let Some(times) = self.tenure_mut().times.remove(&setup.id) {
            (queue.next_pop, queue.timer) = (times.next_pop, times.timer);
        }
        let timer = Timer::Pop {
            queue: setup.id,
            wait,
        };
        cx.turn.wake_at(queue.next_pop.mono, timer);
        self.matchmaker.queues.push(queue);
    }

    fn end_searches_of(
        &mut self,
        cx: &mut Context<'_>,
        queue: u32,
        ended: impl Fn(&Search) -> bool,
    ) {
        let matchmaker = &self.matchmaker;
        let searches = matchmaker.searches.iter();
        let ids: Vec<u64> = searches
            .filter(|(_, search)| search.queue == queue && ended(search))
            .map(|(&id, _)| id)
            .collect();
        for id in ids {
            self.cancel_search(cx, id, &[]);
        }
    }

    /// A queue's wait is over (spec: faf-matchmaking 5).
    pub(in crate::faf) fn popped(&mut self, cx: &mut Context<'_>, id: u32, wait: u64) {
        if cx.is_ending() {
            return;
        }
        if !self.is_open() && self.matchmaker.queue(id).is_some_and(|q| q.wait == wait) {
            let at = cx.turn.now.mono + NOT_YET;
            return cx.turn.wake_at(at, Timer::Pop { queue: id, wait });
        }
        let rules = &cx.settings.matchmaking.pop;
        let Some(queue) = self.matchmaker.queue(id).filter(|q| q.wait == wait) else {
            return;
        };
        let (players, team_size) = (queue.players, queue.setup.team_size);
        let planned = queue.timer.pop(players, team_size, rules);
        queue.next_pop = later(cx.turn.now, planned);
        cx.turn
            .wake_at(queue.next_pop.mono, Timer::Pop { queue: id, wait });
        let name = queue.setup.name.clone();
        cx.metrics.queue_popped(&name, players, planned);
        if !self.matchmaker.popped.contains(&id) {
            self.matchmaker.popped.push_back(id);
        }
        self.match_next(cx);
    }

    /// Begins to match the next queue that has popped, if none is being matched.
    fn match_next(&mut self, cx: &mut Context<'_>) {
        while self.matchmaker.matching.is_none() {
            let Some(id) = self.matchmaker.popped.pop_front() else {
                return;
            };
            let matchmaker = &mut self.matchmaker;
            let Some(queue) = matchmaker.queue(id) else {
                continue;
            };
            let searches: Vec<u64> = queue.searches.iter().copied().collect();
            if queue.players < 2 * queue.setup.team_size as usize {
                queue.dirty = true;
                for search in searches {
                    self.matchmaker.fail(search);
                }
                self.count_unmatched(cx, id);
                continue;
            }
            let (team_size, rating_peak) = (queue.setup.team_size, queue.setup.rating_peak);
            let all = searches.iter().filter_map(|id| matchmaker.searches.get(id));
            let snapshot = Snapshot {
                team_size,
                rating_peak,
                searches: all.map(Search::snapshot).collect(),
            };
            matchmaker.matching = Some((id, searches));
            let tuning = cx.settings.matchmaking.tuning.clone();
            let question = FindMatches {
                snapshot: Box::new(snapshot),
                tuning: Box::new(tuning),
            };
            self.pending.ask(&mut cx.turn, question, Finding);
        }
    }

    /// What should be matched; `None` if nobody could work it out (spec: faf-matchmaking 5.1).
    pub(in crate::faf) fn matched(
        &mut self,
        cx: &mut Context<'_>,
        proposals: Option<Vec<Proposal>>,
    ) {
        let Some((id, searches)) = self.matchmaker.matching.take() else {
            return;
        };
        let mut made = Vec::new();
        if let Some(proposals) = proposals {
            for proposal in proposals {
                let teams = proposal.teams.map(|team| {
                    let ids = team.into_iter().filter_map(|at| searches.get(at).copied());
                    ids.collect::<Vec<u64>>()
                });
                made.extend(self.commit(cx, id, teams));
            }
            // Of the snapshot's searches those that are still there have found nothing.
            for search in searches {
                self.matchmaker.fail(search);
            }
        } else {
            cx.metrics.store_errors.up();
        }
        if let Some(queue) = self.matchmaker.queue(id) {
            queue.dirty = true;
        }
        self.count_unmatched(cx, id);
        for found in made {
            self.match_found(cx, found);
        }
        self.match_next(cx);
    }

    /// Takes the searches of a match out of their queue, if they are all there and searching.
    fn commit(&mut self, cx: &mut Context<'_>, queue: u32, teams: [Vec<u64>; 2]) -> Option<Match> {
        let setup = self.matchmaker.queue(queue)?.setup.clone();
        let searching = |id: &u64| {
            let search = self.matchmaker.searches.get(id);
            search.is_some_and(|search| {
                search.members.iter().all(|member| {
                    let online = self.member(member.login_id.player_id);
                    online.is_some_and(|online| {
                        online.login_id == member.login_id
                            && online.state == PlayerState::SearchingLadder
                    })
                })
            })
        };
        if !teams.iter().flatten().all(searching) {
            cx.metrics.matches_refused.up();
            return None;
        }
        let teams = teams.map(|team| {
            let searches = team.iter().filter_map(|&id| self.matchmaker.remove(id));
            searches.collect::<Vec<Search>>()
        });
        let tuning = &cx.settings.matchmaking.tuning;
        cx.metrics
            .match_made(&setup.name, &teams, tuning, cx.turn.now.mono);
        let factions_of = |id| self.factions_of(id).pick(cx.turn.rng);
        Some(Match::new(setup, teams, factions_of))
    }

    /// The server is to end: nobody searches any more (spec: faf-lifecycle 14).
    pub(in crate::faf) fn close_queues(&mut self, cx: &mut Context<'_>) {
        let all: Vec<u64> = self.matchmaker.searches.keys().copied().collect();
        for id in all {
            self.cancel_search(cx, id, &[]);
        }
        self.matchmaker.popped.clear();
        self.cancel_unopened_matches(cx);
    }

    /// `matchmaker_info` with everything.
    pub(in crate::faf) fn all_queues(&self, cx: &Context<'_>) -> bytes::Bytes {
        let tuning = &cx.settings.matchmaking.tuning;
        let matchmaker = &self.matchmaker;
        let entries = matchmaker.entries_of(cx.turn.now, tuning, |_| !cx.is_ending());
        matchmaking::matchmaker_info(&entries)
    }

    /// `matchmaker_info` with what has changed since this was asked last.
    pub(in crate::faf) fn changed_queues(&mut self, now: Now, tuning: &Tuning) -> Option<Bytes> {
        if self.matchmaker.queues.iter().all(|queue| !queue.dirty) {
            return None;
        }
        let entries = self.matchmaker.entries_of(now, tuning, |queue| queue.dirty);
        let body = matchmaking::matchmaker_info(&entries);
        for queue in &mut self.matchmaker.queues {
            queue.dirty = false;
        }
        Some(body)
    }
}
