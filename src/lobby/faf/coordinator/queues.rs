//! The coordinator's queues and the searches in them: plain bookkeeping, nobody is told anything here
//! (spec: faf-matchmaking 1, 4.1).
//!
//! Invariants: a search is in exactly one queue and under each of its players; a player has at most one search per
//! queue; `Queue::players` is the number of players of its searches. A search's id grows, so ids are queue order.

use serde::{Deserialize, Serialize};

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::faf::model::player_state::PlayerState;
use crate::{
    Now,
    faf::{
        coordinator::{entering::Entry, matches::Match},
        mail::coordinator::Profile,
        model::{limits, pools::QueueSetup, seat::LoginId, time::iso8601},
        protocol::matchmaking::QueueEntry,
        rules::{
            matcher::{self, Tuning},
            matchmaking::{
                pop_timer::{PopRules, PopTimer},
                violations::Violations,
            },
            rated_game::RatingChange,
        },
    },
    kept::{Damaged, ensure},
    map::IdMap,
};

/// Half the width of the wider and of the narrower boundary in `matchmaker_info` (spec: faf-messages 5.9).
const BOUNDARIES: [i64; 2] = [200, 100];

/// Somebody who searches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Searcher {
    /// The login this is about: player, connection and claim.
    pub login_id: LoginId,
    /// As they were when the search began.
    pub profile: Profile,
}

/// A party in a queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Search {
    /// `matchmaker_queue.id`.
    pub queue: u32,
    /// In party order.
    pub members: Vec<Searcher>,
    /// How many times the queue has popped without a match for it.
    pub failed_attempts: u32,
    /// When it began, monotonic.
    pub since: Duration,
}

impl Search {
    /// As the matcher wants it.
    pub(in crate::faf) fn snapshot(&self) -> matcher::Search {
        matcher::Search {
            players: self.members.iter().map(|m| m.profile.rating).collect(),
            failed_attempts: self.failed_attempts,
        }
    }
}

/// A queue: its setup, when it pops, and how many players search in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Queue {
    /// As the database has it.
    pub setup: QueueSetup,
    /// Its waiting times.
    pub(in crate::faf) timer: PopTimer,
    /// When it pops next.
    pub next_pop: Now,
    /// Tells its timers from those of an earlier queue with the same id.
    pub wait: u64,
    /// Its searches, in queue order.
    pub searches: BTreeSet<u64>,
    /// Players in them.
    pub players: usize,
    /// Will be told of at the next tick.
    pub dirty: bool,
}

impl Queue {
    /// A new one, whose first wait begins.
    pub(in crate::faf) fn new(setup: QueueSetup, wait: u64, now: Now, rules: &PopRules) -> Self {
        let timer = PopTimer::new(rules);
        Queue {
            next_pop: later(now, timer.planned()),
            setup,
            timer,
            wait,
            searches: BTreeSet::new(),
            players: 0,
            dirty: false,
        }
    }
}

/// A moment some time from now.
pub(in crate::faf) fn later(now: Now, wait: Duration) -> Now {
    Now {
        mono: now.mono + wait,
        unix: now.unix + wait,
    }
}

/// All of matchmaking that is the coordinator's.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Matchmaker {
    /// In load order.
    pub queues: Vec<Queue>,
    /// All searches by id, which is the order they began in.
    pub searches: BTreeMap<u64, Search>,
    /// Each player's searches in the order they began.
    by_player: IdMap<u32, Vec<u64>>,
    /// Parties that are about to search, by id.
    pub entries: BTreeMap<u64, Entry>,
    /// Matches on their way to a game, by id.
    pub matches: BTreeMap<u64, Match>,
    /// Who may not search.
    pub(in crate::faf) violations: Violations,
    /// Queues that have popped and wait for their turn to be matched.
    pub popped: VecDeque<u32>,
    /// The one that is being matched: its id, and the searches of the snapshot.
    pub matching: Option<(u32, Vec<u64>)>,
    /// Violations are looked through from time to time.
    pub sweeping: bool,
    last_id: u64,
}

impl Matchmaker {
    /// The last number that was given out.
    pub(in crate::faf) fn last_number(&self) -> u64 {
        self.last_id
    }

    /// Numbers up to this one were given out by another coordinator.
    pub(in crate::faf) fn begin_after(&mut self, last: u64) {
        self.last_id = self.last_id.max(last);
    }

    /// A number nothing else here has.
    pub(in crate::faf) fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Whether its parts say the same, with nothing on its way.
    pub(in crate::faf) fn agree(&self) -> Result<(), Damaged> {
        let mut ids = self.searches.keys().chain(self.matches.keys());
        let are_given = ids.all(|&id| id <= self.last_id);
        ensure(are_given, "a number would be given twice")?;
        let is_resting = self.entries.is_empty() && self.matching.is_none();
        let is_resting = is_resting && self.matches.values().all(Match::is_opened);
        ensure(is_resting, "a queue waits for what nobody works at")?;
        let mut listed = 0;
        for queue in &self.queues {
            let searches = queue.searches.iter().filter_map(|id| self.searches.get(id));
            let searches = searches.filter(|search| search.queue == queue.setup.id);
            let players = searches.map(|search| search.members.len()).sum::<usize>();
            ensure(players == queue.players, "a queue has other players")?;
            listed += queue.searches.len();
        }
        ensure(listed == self.searches.len(), "a search is in no queue")?;
        let places = self.searches.iter().flat_map(|(&id, search)| {
            let players = search.members.iter();
            players.map(move |member| (id, member.login_id.player_id))
        });
        let mut count = 0;
        for (id, player_id) in places {
            let is_theirs = self.searches_of(player_id).contains(&id);
            ensure(is_theirs, "a player does not know of their search")?;
            count += 1;
        }
        let known = self.by_player.values().map(Vec::len).sum::<usize>();
        ensure(known == count, "a player knows of a search too many")
    }

    /// The queue with this id.
    pub(in crate::faf) fn queue(&mut self, id: u32) -> Option<&mut Queue> {
        self.queues.iter_mut().find(|queue| queue.setup.id == id)
    }

    /// The queue with this name.
    pub(in crate::faf) fn queue_named(&self, name: &str) -> Option<&Queue> {
        self.queues.iter().find(|queue| *queue.setup.name == *name)
    }

    /// A player's search in a queue.
    pub(in crate::faf) fn search_in(&self, player_id: u32, queue: u32) -> Option<u64> {
        let mut all = self.searches_of(player_id).iter().copied();
        all.find(|id| self.searches.get(id).is_some_and(|s| s.queue == queue))
    }

    /// A player's searches in the order they began.
    pub(in crate::faf) fn searches_of(&self, player_id: u32) -> &[u64] {
        self.by_player.get(&player_id).map_or(&[], Vec::as_slice)
    }

    /// Whether a player without a game may be in this state, by what the matchmaker has them down for. Whoever has left
    /// a match's game is free before the match is over.
    pub(in crate::faf) fn agrees_with(&self, login_id: &LoginId, state: PlayerState) -> bool {
        let matched = self.matches.values().any(|found| found.has(login_id));
        match state {
            PlayerState::SearchingLadder => !self.searches_of(login_id.player_id).is_empty(),
            PlayerState::StartingAutomatch => {
                matched && self.searches_of(login_id.player_id).is_empty()
            }
            PlayerState::Idle => self.searches_of(login_id.player_id).is_empty(),
            _ => false,
        }
    }

    /// Whether a search, or a party that is about to search, counts on this login's being in SEARCHING_LADDER.
    pub(in crate::faf) fn is_wanted(&self, login_id: &LoginId) -> bool {
        !self.searches_of(login_id.player_id).is_empty()
            || self.entries.values().any(|entry| entry.counts_on(login_id))
    }

    /// Puts a search at the end of its queue.
    pub(in crate::faf) fn add(&mut self, search: Search) {
        let id = self.next_id();
        self.place(id, search);
    }

    /// Puts a search of another coordinator where it was, if its queue is still there.
    pub(in crate::faf) fn restore(&mut self, id: u64, search: Search) {
        if self.queue(search.queue).is_some() && !self.searches.contains_key(&id) {
            self.begin_after(id);
            self.place(id, search);
        }
    }

    fn place(&mut self, id: u64, search: Search) {
        for member in &search.members {
            let searches = self.by_player.entry(member.login_id.player_id);
            searches.or_default().push(id);
        }
        if let Some(queue) = self.queue(search.queue) {
            queue.searches.insert(id);
            queue.players += search.members.len();
            queue.dirty = true;
        }
        self.searches.insert(id, search);
    }

    /// Takes a search out of everything.
    pub(in crate::faf) fn remove(&mut self, id: u64) -> Option<Search> {
        let search = self.searches.remove(&id)?;
        for member in &search.members {
            if let Some(searches) = self.by_player.get_mut(&member.login_id.player_id) {
                searches.retain(|&other| other != id);
                if searches.is_empty() {
                    self.by_player.remove(&member.login_id.player_id);
                }
            }
        }
        if let Some(queue) = self.queue(search.queue) {
            queue.searches.remove(&id);
            queue.players -= search.members.len();
            queue.dirty = true;
        }
        Some(search)
    }

    /// A rating has changed by a game: whoever searches already is matched by the new one.
    pub(in crate::faf) fn rated(&mut self, change: &RatingChange) {
        for id in self.searches_of(change.player_id).to_vec() {
            let Some(search) = self.searches.get_mut(&id) else {
                continue;
            };
            let mut queues = self.queues.iter_mut();
            let queue = queues.find(|queue| queue.setup.id == search.queue);
            let Some(queue) = queue.filter(|q| *q.setup.rating_type == *change.rating_type) else {
                continue;
            };
            let mut members = search.members.iter_mut();
            let own = members.find(|member| member.login_id.player_id == change.player_id);
            // Their shard may have heard of it before it said how they are.
            if let Some(member) = own.filter(|m| m.profile.rating.mean != change.new.mean) {
                let rating = &mut member.profile.rating;
                (rating.mean, rating.deviation) = (change.new.mean, change.new.deviation);
                rating.games = rating.games.saturating_add(1);
                queue.dirty = true;
            }
        }
    }

    /// One more pop without a match.
    pub(in crate::faf) fn fail(&mut self, id: u64) {
        if let Some(search) = self.searches.get_mut(&id) {
            search.failed_attempts = search.failed_attempts.saturating_add(1);
        }
    }

    /// Queues as clients are told of them: all, or those that have changed since the last tick.
    pub(in crate::faf) fn entries_of(
        &self,
        now: Now,
        tuning: &Tuning,
        wanted: impl Fn(&Queue) -> bool,
    ) -> Vec<QueueEntry<'_>> {
        let queues = self.queues.iter().filter(|queue| wanted(queue));
        queues
            .map(|queue| self.entry_of(queue, now, tuning))
            .collect()
    }

    fn entry_of<'a>(&'a self, queue: &'a Queue, now: Now, tuning: &Tuning) -> QueueEntry<'a> {
        let searches = queue.searches.iter().filter_map(|id| self.searches.get(id));
        let first = searches.filter_map(|search| search.members.first());
        let first = first.take(limits::BOUNDARIES);
        let centers: Vec<i64> = first
            .map(|member| (member.profile.rating.matching(tuning).mean / 10.0).ceil() as i64 * 10)
            .collect();
        let [wide, narrow] = BOUNDARIES.map(|half| {
            let around = centers.iter().map(|center| (center - half, center + half));
            around.collect()
        });
        let delta = queue.next_pop.mono.as_secs_f64() - now.mono.as_secs_f64();
        QueueEntry {
            queue_name: &queue.setup.name,
            queue_pop_time: iso8601(queue.next_pop.unix),
            queue_pop_time_delta: (delta * 100.0).round() / 100.0,
            num_players: queue.players,
            boundary_80s: wide,
            boundary_75s: narrow,
            team_size: queue.setup.team_size,
        }
    }
}
