//! What a shard shows of itself for metrics: a snapshot, published at each tick and read from any thread.
//!
//! Labels come from clients (user agents, commands) or from tables (mods, leaderboards), so each table of them has a
//! bound; what is over it is counted under [`OTHER`]. Publishing is a swap of one pointer: nobody waits for a reader.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use arc_swap::ArcSwap;

use crate::faf::{Counters, model::limits::CLIENT_LABELS, rules::rated_game::RatingChange};

/// The label of everything that has no place of its own.
pub const OTHER: &str = "other";
/// User agent and version of a connection that has not named them.
const UNNAMED: &str = "None";
/// Characters of a version or command that are kept as a label.
const LABEL_CHARS: usize = 50;
/// Commands that were refused before login, by name; clients know about 40.
const COMMANDS: usize = 64;
/// Featured mods, rating types, queues: a few of each exist.
const NAMES: usize = 128;

/// Counts by label, bounded.
#[derive(Clone, Debug, Default)]
pub struct LabelledCounter {
    counts: BTreeMap<Box<str>, u64>,
    most: usize,
}

impl LabelledCounter {
    fn new(most: usize) -> Self {
        LabelledCounter {
            counts: BTreeMap::new(),
            most,
        }
    }

    /// One more of this label.
    pub fn up(&mut self, label: &str) {
        self.add(label, 1);
    }

    fn add(&mut self, label: &str, n: u64) {
        let end = label
            .char_indices()
            .nth(LABEL_CHARS)
            .map_or(label.len(), |(at, _)| at);
        let label = &label[..end];
        if let Some(count) = self.counts.get_mut(label) {
            *count += n;
        } else if self.counts.len() < self.most {
            self.counts.insert(label.into(), n);
        } else {
            *self.counts.entry(OTHER.into()).or_default() += n;
        }
    }

    /// Label and count of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(label, &count)| (&**label, count))
    }
}

/// Values by size, cumulative only when they are shown.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// Upper bounds, ascending.
    pub bounds: &'static [f64],
    /// How many fell below each bound and above the one before; last, above all.
    pub counts: Vec<u64>,
    /// Their sum.
    pub sum: f64,
}

impl Histogram {
    /// An empty one.
    pub fn new(bounds: &'static [f64]) -> Self {
        Histogram {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Counts a value.
    pub fn observe(&mut self, value: f64) {
        let at = self.bounds.partition_point(|&bound| bound < value);
        self.counts[at] += 1;
        self.sum += value;
    }
}

/// What is known of one matchmaking queue (spec: faf-lifecycle 15.3).
#[derive(Clone, Debug)]
pub struct QueueMeters {
    /// Technical name of the queue.
    pub name: Box<str>,
    /// Launches by status: `successful`, `timed out`, `aborted by player`, `errored`.
    pub matches: LabelledCounter,
    /// Matched searches by party size.
    pub searches_matched: LabelledCounter,
    /// TrueSkill quality of matches.
    pub quality: Histogram,
    /// Difference of summed displayed ratings.
    pub imbalance: Histogram,
    /// Largest minus smallest displayed rating.
    pub rating_variety: Histogram,
    /// Searches left after a pop.
    pub unmatched_searches: u64,
    /// How long searches took, by status: `successful`, `cancelled`, `errored`.
    pub search_durations: Vec<(&'static str, Histogram)>,
    /// Players at the time of a pop.
    pub players: u64,
    /// Seconds until the next pop, when it was scheduled.
    pub pop_timer_s: f64,
    /// Rating type and its peak.
    pub rating_peak: Option<(Box<str>, f64)>,
}

const QUALITY: &[f64] = &[
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0,
];
const IMBALANCE: &[f64] = &[
    50.0, 100.0, 150.0, 200.0, 250.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0,
];
const VARIETY: &[f64] = &[
    100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1200.0, 1400.0, 1600.0,
    1800.0, 2000.0,
];
const DURATION: &[f64] = &[
    30.0, 60.0, 120.0, 180.0, 240.0, 300.0, 420.0, 600.0, 900.0, 1800.0, 3600.0,
];

impl QueueMeters {
    /// A queue of which nothing is known yet.
    pub fn new(name: &str) -> Self {
        QueueMeters {
            name: name.into(),
            matches: LabelledCounter::new(NAMES),
            searches_matched: LabelledCounter::new(NAMES),
            quality: Histogram::new(QUALITY),
            imbalance: Histogram::new(IMBALANCE),
            rating_variety: Histogram::new(VARIETY),
            unmatched_searches: 0,
            search_durations: ["successful", "cancelled", "errored"]
                .map(|status| (status, Histogram::new(DURATION)))
                .into(),
            players: 0,
            pop_timer_s: 0.0,
            rating_peak: None,
        }
    }
}

/// A shard's place in [`Clients`], kept in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::faf) struct ClientKind(u16);

/// Connections by what their clients call themselves. The first place is for those that have not said.
#[derive(Debug)]
struct Clients {
    kinds: Vec<(Box<str>, Box<str>, u64)>,
}

impl Default for Clients {
    fn default() -> Self {
        Clients {
            kinds: vec![(UNNAMED.into(), UNNAMED.into(), 0)],
        }
    }
}

impl Clients {
    fn enter(&mut self, kind: ClientKind) {
        self.kinds[usize::from(kind.0)].2 += 1;
    }

    fn leave(&mut self, kind: ClientKind) {
        self.kinds[usize::from(kind.0)].2 -= 1;
    }

    fn kind(&mut self, agent: &str, version: &str) -> ClientKind {
        let find = |kinds: &[(Box<str>, Box<str>, u64)], agent: &str, version: &str| {
            kinds
                .iter()
                .position(|(a, v, _)| **a == *agent && **v == *version)
        };
        let at = find(&self.kinds, agent, version).unwrap_or_else(|| {
            // A place where nobody is left is given away, so that new versions are seen on an old server.
            let free = self.kinds.iter().skip(1).position(|(_, _, n)| *n == 0);
            if self.kinds.len() < CLIENT_LABELS {
                self.kinds.push((agent.into(), version.into(), 0));
                self.kinds.len() - 1
            } else if let Some(free) = free {
                self.kinds[free + 1] = (agent.into(), version.into(), 0);
                free + 1
            } else {
                find(&self.kinds, OTHER, OTHER).unwrap_or_else(|| {
                    self.kinds.push((OTHER.into(), OTHER.into(), 0));
                    self.kinds.len() - 1
                })
            }
        });
        ClientKind(at as u16)
    }
}

/// What a shard keeps up for its metrics between two ticks.
#[derive(Debug)]
pub(in crate::faf) struct MetricsCollector {
    clients: Clients,
    version_checks: LabelledCounter,
    unauthenticated: LabelledCounter,
    rated_games: LabelledCounter,
    /// Of the queues that live on this shard.
    pub queues: Vec<QueueMeters>,
    board: Arc<MetricsBoard>,
}

impl Default for MetricsCollector {
    fn default() -> Self {
        MetricsCollector {
            clients: Clients::default(),
            version_checks: LabelledCounter::new(CLIENT_LABELS),
            unauthenticated: LabelledCounter::new(COMMANDS),
            rated_games: LabelledCounter::new(NAMES),
            queues: Vec::new(),
            board: Arc::default(),
        }
    }
}

impl MetricsCollector {
    /// A connection that has not said anything.
    pub(in crate::faf) fn opened(&mut self) -> ClientKind {
        self.clients.enter(ClientKind::default());
        ClientKind::default()
    }

    /// It has named its client, for the first time or anew.
    pub(in crate::faf) fn named(
        &mut self,
        before: ClientKind,
        agent: Option<&str>,
        version: Option<&str>,
    ) -> ClientKind {
        let label = |text: Option<&str>| -> String {
            text.unwrap_or(UNNAMED).chars().take(LABEL_CHARS).collect()
        };
        let (agent, version) = (label(agent), label(version));
        if before == ClientKind::default() {
            self.version_checks.up(&version);
        }
        self.clients.leave(before);
        let kind = self.clients.kind(&agent, &version);
        self.clients.enter(kind);
        kind
    }

    /// It is gone.
    pub(in crate::faf) fn closed(&mut self, kind: ClientKind) {
        self.clients.leave(kind);
    }

    /// A game's ratings were written down. It counts once in each of its leaderboards.
    pub(in crate::faf) fn rated(&mut self, changes: &[RatingChange]) {
        let kinds: BTreeSet<&str> = changes.iter().map(|change| &*change.rating_type).collect();
        kinds.into_iter().for_each(|kind| self.rated_games.up(kind));
    }

    /// A command that is not heard before login.
    pub(in crate::faf) fn unauthenticated(&mut self, command: &str) {
        self.unauthenticated.up(command);
    }
}

/// A shard at one tick.
#[derive(Clone, Debug, Default)]
pub struct MetricsSnapshot {
    /// Everything counted since the start.
    pub counters: Counters,
    /// Players online.
    pub online: u64,
    /// Connections by user agent and version.
    pub clients: Vec<(Box<str>, Box<str>, u64)>,
    /// First `ask_session` of a connection, by version.
    pub version_checks: LabelledCounter,
    /// Commands refused before login.
    pub unauthenticated: LabelledCounter,
    /// Games by featured mod and state.
    pub games_by_mod: Vec<(Box<str>, &'static str, u64)>,
    /// Games by rating type and state.
    pub games_by_rating_type: Vec<(Box<str>, &'static str, u64)>,
    /// Rated games by leaderboard.
    pub rated_games: LabelledCounter,
    /// Records of games that are not written down yet.
    pub rating_backlog: u64,
    /// One for each matchmaking queue.
    pub queues: Vec<QueueMeters>,
}

/// A game, as metrics label it.
#[derive(Clone, Copy, Debug)]
pub(in crate::faf) struct GameLabels<'a> {
    /// Technical name of its featured mod, if there is such a mod.
    pub featured_mod: Option<&'a str>,
    /// Technical name of its leaderboard.
    pub rating_type: &'a str,
    /// How far it is.
    pub state: &'static str,
}

/// Where a shard leaves its newest metrics for any thread to read.
#[derive(Debug, Default)]
pub struct MetricsBoard(ArcSwap<MetricsSnapshot>);

impl MetricsBoard {
    /// The newest metrics.
    pub fn read(&self) -> Arc<MetricsSnapshot> {
        self.0.load_full()
    }
}

impl MetricsCollector {
    /// From now on metrics are left there.
    pub(in crate::faf) fn report_to(&mut self, board: Arc<MetricsBoard>) {
        self.board = board;
    }

    /// Hangs up the present state.
    pub(in crate::faf) fn publish(
        &self,
        counters: Counters,
        online: u64,
        games: Vec<GameLabels<'_>>,
        rating_backlog: u64,
    ) {
        let states = |label: for<'b> fn(&GameLabels<'b>) -> &'b str| {
            let mut counts: BTreeMap<(&str, &'static str), u64> = BTreeMap::new();
            for game in &games {
                *counts.entry((label(game), game.state)).or_default() += 1;
            }
            let counts = counts.into_iter();
            counts
                .map(|((label, state), count)| (label.into(), state, count))
                .collect()
        };
        let clients = self.clients.kinds.iter().filter(|(_, _, n)| *n > 0);
        self.board.0.store(Arc::new(MetricsSnapshot {
            counters,
            online,
            clients: clients.cloned().collect(),
            version_checks: self.version_checks.clone(),
            unauthenticated: self.unauthenticated.clone(),
            games_by_mod: states(|game| game.featured_mod.unwrap_or(OTHER)),
            games_by_rating_type: states(|game| game.rating_type),
            rated_games: self.rated_games.clone(),
            rating_backlog,
            queues: self.queues.clone(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_bounded_in_number_and_length() {
        let mut counter = LabelledCounter::new(2);
        for label in ["a", "b", "c", "a", "d", &"é".repeat(400)] {
            counter.up(label);
        }
        let mut counts: Vec<_> = counter.iter().collect();
        counts.sort_unstable();
        assert_eq!(counts, [("a", 2), ("b", 1), (OTHER, 3)]);
        let mut counter = LabelledCounter::new(2);
        counter.up(&"é".repeat(400));
        assert_eq!(
            counter
                .iter()
                .next()
                .map(|(label, _)| label.chars().count()),
            Some(LABEL_CHARS)
        );
    }

    #[test]
    fn a_value_on_a_bound_belongs_below_it() {
        let mut histogram = Histogram::new(&[1.0, 2.0]);
        for value in [0.5, 1.0, 1.5, 9.0] {
            histogram.observe(value);
        }
        assert_eq!((histogram.counts, histogram.sum), (vec![2, 1, 1], 12.0));
    }

    #[test]
    fn strange_clients_share_a_place_and_empty_places_are_used_again() {
        let mut metrics_collector = MetricsCollector::default();
        let mut kinds = Vec::new();
        for n in 0..2 * CLIENT_LABELS {
            let kind = metrics_collector.opened();
            kinds.push(metrics_collector.named(kind, Some(&format!("agent {n}")), Some("1")));
        }
        assert!(metrics_collector.clients.kinds.len() <= CLIENT_LABELS + 1);
        let total = |metrics_collector: &MetricsCollector| {
            metrics_collector
                .clients
                .kinds
                .iter()
                .map(|(_, _, n)| n)
                .sum::<u64>()
        };
        assert_eq!(total(&metrics_collector), 2 * CLIENT_LABELS as u64);
        kinds
            .into_iter()
            .for_each(|kind| metrics_collector.closed(kind));
        assert_eq!(total(&metrics_collector), 0);
        let kind = metrics_collector.opened();
        let kind = metrics_collector.named(kind, Some("new"), None);
        assert_eq!(
            *metrics_collector.clients.kinds[usize::from(kind.0)].0,
            *"new"
        );
    }
}
