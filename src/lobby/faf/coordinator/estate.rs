//! What a coordinator knows, as another one can go on with it: each party, search, match and violation by itself, in
//! MessagePack with names. Times are the coordinator's own; whoever reads them counts from when they were told.
//!
//! What is left out is what the shards tell anyway (who is there, and what they do) and what the database does (queues and
//! their maps).

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    Now,
    faf::{
        context::Context,
        coordinator::{
            Coordinator,
            matches::{Contestant, Match},
            party::Party,
            queues::Search,
            tenure::{Estate, Inheritance, QueueTimes},
        },
        mail::heir::{Bequest, Item},
    },
    kept,
};

/// Bytes of items in one letter to another node, about: a letter may have 256 KiB.
const LETTER_BYTES: usize = 96 << 10;

/// A match without what the database says of its queue.
#[derive(Serialize, Deserialize)]
struct KeptMatch {
    queue: u32,
    teams: [Vec<Contestant>; 2],
    is_opened: bool,
}

fn written(value: &impl Serialize) -> Bytes {
    kept::encode(value).into()
}

/// A time of a coordinator that told of it at `at`, by the clock of one that heard of it at `heard`.
fn moved(time: Duration, at: Now, heard: Now) -> Duration {
    match time.checked_sub(at.mono) {
        Some(after) => heard.mono + after,
        None => heard.mono.saturating_sub(at.mono - time),
    }
}

impl Coordinator {
    /// All that it knows.
    pub(in crate::faf) fn estate(&self) -> Estate {
        let mut estate = Estate::new();
        let matchmaker = &self.matchmaker;
        estate.insert(Item::LastNumber, written(&matchmaker.last_number()));
        for (owner, party) in self.parties() {
            estate.insert(Item::Party(owner), written(party));
        }
        for (&id, search) in &matchmaker.searches {
            estate.insert(Item::Search(id), written(search));
        }
        for (&id, found) in &matchmaker.matches {
            let mut teams = found.teams().clone();
            if found.is_opened() {
                let all = teams.iter_mut().flatten();
                all.for_each(|player| player.profile.vetoes.clear());
            }
            let kept = KeptMatch {
                queue: found.queue_id(),
                teams,
                is_opened: found.is_opened(),
            };
            estate.insert(Item::Match(id), written(&kept));
        }
        for (player, violation) in matchmaker.violations.iter() {
            estate.insert(Item::Violation(player), written(violation));
        }
        for queue in &matchmaker.queues {
            let times = QueueTimes {
                next_pop: queue.next_pop,
                timer: queue.timer.clone(),
            };
            estate.insert(Item::Queue(queue.setup.id), written(&times));
        }
        let known = self.members().filter(|member| member.knows_matchmaker);
        let known = known.map(|member| (Item::Welcomed(member.login_id.player_id), Bytes::new()));
        estate.extend(known);
        estate
    }

    /// The queues that come now will pop when they would have.
    pub(in crate::faf) fn inherit_times(&mut self, cx: &Context<'_>, inherited: &Inheritance) {
        for (item, value) in &inherited.items {
            let Item::Queue(id) = *item else {
                continue;
            };
            let read = kept::decode(value).map(|times: QueueTimes| {
                let next_pop = Now {
                    mono: moved(times.next_pop.mono, inherited.at, inherited.heard),
                    unix: times.next_pop.unix,
                };
                let times = QueueTimes { next_pop, ..times };
                self.tenure_mut().times.insert(id, times);
            });
            cx.metrics.coordinator_unread.add(u64::from(read.is_err()));
        }
    }

    /// Goes on with what another coordinator knew, now that the queues are there. What can't be read is left out, and
    /// counted.
    pub(in crate::faf) fn inherit(&mut self, cx: &Context<'_>, inherited: Inheritance) {
        let Inheritance { at, heard, .. } = inherited;
        for (item, value) in inherited.items {
            let read = match item {
                Item::LastNumber => kept::decode(&value).map(|last| {
                    self.matchmaker.begin_after(last);
                }),
                Item::Party(owner) => kept::decode(&value).map(|mut party: Party| {
                    party.move_times(|time| moved(time, at, heard));
                    self.seat(owner, party);
                }),
                Item::Search(id) => kept::decode(&value).map(|mut search: Search| {
                    search.since = moved(search.since, at, heard);
                    self.matchmaker.restore(id, search);
                }),
                Item::Match(id) => kept::decode(&value).map(|kept: KeptMatch| {
                    let mut setups = cx.reference.queues.iter();
                    if let Some(setup) = setups.find(|setup| setup.id == kept.queue) {
                        let found = Match::kept(setup.clone(), kept.teams, kept.is_opened);
                        self.matchmaker.matches.insert(id, found);
                    }
                }),
                Item::Violation(player) => kept::decode(&value).map(|violation| {
                    self.matchmaker
                        .violations
                        .inherit(player, violation, at, heard);
                }),
                Item::Queue(_) => Ok(()), // its times, read before
                Item::Welcomed(player) => {
                    self.tenure_mut().welcomed.insert(player);
                    Ok(())
                }
            };
            cx.metrics.coordinator_unread.add(u64::from(read.is_err()));
        }
    }
}

/// What differs between two estates, for one who knows the first, in letters that are short enough.
pub(in crate::faf) fn letters(told: &Estate, now: &Estate, head: Bequest) -> Vec<Bequest> {
    let changed = now
        .iter()
        .filter(|(item, value)| told.get(item) != Some(value));
    let changed = changed.map(|(&item, value)| (item, Some(value.clone())));
    let gone = told.keys().filter(|item| !now.contains_key(item));
    let mut letters = vec![head];
    let mut bytes = 0;
    for (item, value) in changed.chain(gone.map(|&item| (item, None))) {
        bytes += value.as_ref().map_or(0, Bytes::len) + 16;
        if bytes > LETTER_BYTES
            && let Some(last) = letters.last_mut().filter(|last| !last.items.is_empty())
        {
            let next = Bequest {
                anew: false,
                items: Vec::new(),
                ..last.clone_head()
            };
            last.is_last = false;
            letters.push(next);
            bytes = value.as_ref().map_or(0, Bytes::len);
        }
        if let Some(last) = letters.last_mut() {
            last.items.push((item, value));
        }
    }
    letters
}

impl Bequest {
    /// The same without items.
    fn clone_head(&self) -> Bequest {
        Bequest {
            items: Vec::new(),
            ..*self
        }
    }
}
