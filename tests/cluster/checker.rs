//! Decides, from what everybody has heard, what must hold of any lobby whatever happened to its nodes.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{GOAL_SLACK, client::Heard, lobby::Cluster};

/// What is said within so long of a coming or going may be of the time before.
const AROUND: Duration = Duration::from_millis(500);

/// All of it, once everything is quiet and all nodes are together.
pub(crate) fn check(cluster: &mut Cluster) {
    cluster.pictures_agree(Duration::from_secs(5) * GOAL_SLACK);
    one_session_an_account(cluster);
    nobody_there_was_announced_gone(cluster);
    nothing_is_rated_twice(cluster);
    for node in &mut cluster.nodes {
        if node.runs() {
            assert!(
                node.is_alive(),
                "a node has ended by itself:\n{}",
                node.log()
            );
            assert_eq!(node.metric("muster_panics_total"), 0.0, "{}", node.log());
        }
    }
}

/// Of each account one connection is in at most.
pub(crate) fn one_session_an_account(cluster: &Cluster) {
    let mut inside: BTreeMap<String, usize> = BTreeMap::new();
    for heard in cluster.everybody() {
        *inside.entry(heard.login.clone()).or_default() += usize::from(heard.is_in());
    }
    inside.retain(|_, count| *count > 1);
    assert!(inside.is_empty(), "in more than once: {inside:?}");
}

/// Nobody has heard that somebody is gone who was there all the time.
pub(crate) fn nobody_there_was_announced_gone(cluster: &Cluster) {
    let everybody = cluster.everybody();
    let mut by_id: BTreeMap<u64, Vec<&Arc<Heard>>> = BTreeMap::new();
    for heard in &everybody {
        if let Some((_, id)) = heard.log().welcomed {
            by_id.entry(id).or_default().push(heard);
        }
    }
    for watcher in &everybody {
        for (at, id) in offline(watcher) {
            let of = by_id.get(&id).map_or(&[][..], |list| list);
            let there = of
                .iter()
                .find(|heard| was_there(cluster, heard, watcher, at));
            if let Some(heard) = there {
                panic!(
                    "{} (node {}) heard that {} was gone, who was on node {}",
                    watcher.login, watcher.node, heard.login, heard.node
                );
            }
        }
    }
}

/// Whom somebody has heard to be gone, and when.
fn offline(watcher: &Heard) -> Vec<(Instant, u64)> {
    let log = watcher.log();
    let mut gone = Vec::new();
    for (at, message) in &log.messages {
        let players = message["players"].as_array().into_iter().flatten();
        let offline = players.filter(|player| player["state"] == "offline");
        gone.extend(offline.map(|player| (*at, player["id"].as_u64().unwrap())));
    }
    gone
}

/// Whether a connection was in from well before a moment until it, where a watcher could know.
fn was_there(cluster: &Cluster, heard: &Heard, watcher: &Heard, at: Instant) -> bool {
    let log = heard.log();
    let is_in = log.welcomed.is_some_and(|(since, _)| since + AROUND < at)
        && log.ended.is_none_or(|ended| ended > at);
    let could_know = heard.node == watcher.node
        || !cluster.aways.iter().any(|away| {
            let is_apart = away.node == heard.node || away.node == watcher.node;
            is_apart && away.from < at && away.to.is_none_or(|to| to + AROUND > at)
        });
    is_in && could_know
}

/// No place in a game has changed a rating twice.
pub(crate) fn nothing_is_rated_twice(cluster: &Cluster) {
    const TWICE: &str = "SELECT CAST(game_player_stats_id AS CHAR) FROM leaderboard_rating_journal \
         GROUP BY game_player_stats_id, leaderboard_id HAVING COUNT(*) > 1";
    assert_eq!(cluster.database.rows(TWICE).unwrap(), [""; 0]);
}

/// Changes of one game's title, each with a number in it, and when they were made.
pub(crate) struct Changes {
    uid: u64,
    made: Vec<Instant>,
}

impl Changes {
    pub(crate) fn of(uid: u64) -> Changes {
        Changes {
            uid,
            made: Vec::new(),
        }
    }

    /// The host changes the title once more.
    pub(crate) fn make(&mut self, host: &crate::client::Client) {
        let title = format!("change {}", self.made.len());
        self.made.push(Instant::now());
        host.game("GameOption", serde_json::json!(["Title", title]));
    }

    pub(crate) fn count(&self) -> usize {
        self.made.len()
    }

    /// After how long a watcher knew of each change, be it by a later one; nothing for what he does not know of.
    pub(crate) fn seen_by(&self, watcher: &Heard) -> Vec<Option<Duration>> {
        let log = watcher.log();
        let told = log.messages.iter().filter_map(|(at, message)| {
            let is_it = message["uid"] == self.uid;
            let number = message["title"].as_str()?.strip_prefix("change ")?;
            is_it.then(|| (*at, number.parse::<usize>().unwrap()))
        });
        let mut seen = vec![None; self.made.len()];
        for (at, number) in told {
            for earlier in (0..=number).rev() {
                if seen[earlier].is_some() {
                    break;
                }
                seen[earlier] = Some(at.saturating_duration_since(self.made[earlier]));
            }
        }
        seen
    }

    /// Whether a watcher knows of the last change.
    pub(crate) fn is_known_to(&self, watcher: &Heard) -> bool {
        self.seen_by(watcher).last().is_none_or(Option::is_some)
    }

    /// The longest that any of these watchers went without knowing of a change; all must know.
    pub(crate) fn slowest(&self, watchers: &[&Heard]) -> Duration {
        let all = watchers.iter().flat_map(|watcher| {
            let seen = self.seen_by(watcher).into_iter().enumerate();
            let login = &watcher.login;
            seen.map(move |(number, after)| {
                after.unwrap_or_else(|| panic!("{login} does not know of change {number}"))
            })
        });
        all.max().unwrap_or_default()
    }
}
