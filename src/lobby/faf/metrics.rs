//! What a shard counts of the lobby, and how it is shown (spec: faf-lifecycle 15.3).
//!
//! Labels come from clients (user agents, commands) or from tables (mods, leaderboards), so each has a bound; what is over it
//! is counted under [`OTHER`]. What is a state rather than a count is shown at each tick. No rule of the lobby reads any
//! of this.

use std::collections::BTreeMap;

use metrics::{Counter, Gauge, LabelledCounter, LabelledGauge, LabelledHistogram, OTHER};

use crate::{faf::model::limits::CLIENT_LABELS, shown};

/// User agent and version of a connection that has not named them.
const UNNAMED: &str = "None";
/// Characters of a version or command that are kept as a label.
const LABEL_CHARS: usize = 50;
/// Commands that were refused before login, by name; clients know about 40.
const COMMANDS: usize = 64;
/// Featured mods, rating types, queues: a few of each exist.
const NAMES: usize = 128;
/// Each of these with a status or size: a few of each occur.
const PAIRS: usize = 8 * NAMES;

/// What a game's state is called that has been launched, and that is over.
pub(in crate::faf) const RUNNING: &str = "LIVE";
pub(in crate::faf) const OVER: &str = "ENDED";

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

const SIGN_INS: &str = "Sign-ins by outcome and by what they were done with.";

metrics::metrics! {
    /// What has happened in the lobby on one shard since it started, and what there is now.
    pub struct Metrics {
        /// Sign-ins with a password that were let in.
        logins_password: Counter = PerShard "muster_faf_logins_password_total",
            Sum "server_user_logins_total" { status = "success", method = "password" }: SIGN_INS;
        /// Sign-ins with a token that were let in.
        logins_token: Counter = PerShard "muster_faf_logins_token_total",
            Sum "server_user_logins_total" { status = "success", method = "token" }: SIGN_INS;
        /// Sign-ins with a password that were refused.
        refused_password: Counter = PerShard "muster_faf_refused_password_total",
            Sum "server_user_logins_total" { status = "failure", method = "password" }: SIGN_INS;
        /// Sign-ins with a token that were refused.
        refused_token: Counter = PerShard "muster_faf_refused_token_total",
            Sum "server_user_logins_total" { status = "failure", method = "token" }: SIGN_INS;
        /// Sign-ins ended because no node said whether they may be that player.
        claims_unanswered: Counter = PerShard "muster_faf_claims_unanswered_total";
        /// Ticks that were broadcast before all other nodes had been heard.
        ticks_not_awaited: Counter = PerShard "muster_faf_ticks_not_awaited_total";
        /// Times another shard had to show its players and games again because they were not what is known here.
        shown_again: Counter = PerShard "muster_faf_shown_again_total";
        /// Sessions ended by a later sign-in of the same account.
        evictions: Counter = PerShard "muster_faf_evictions_total";
        /// Commands before sign-in that closed the connection.
        unauthenticated: Counter = PerShard "muster_faf_unauthenticated_total";
        /// Connections closed after the message `invalid`.
        invalid_closes: Counter = PerShard "muster_faf_invalid_closes_total";
        /// Messages refused because they were longer than their command needs, or had more values; counted among the
        /// closes after `invalid`, too.
        too_long: Counter = PerShard "muster_faf_too_long_total";
        /// Connections closed in silence for a missing key or a bad value.
        garbage_closes: Counter = PerShard "muster_faf_garbage_closes_total";
        /// Commands refused with a notice to the player.
        client_errors: Counter = PerShard "muster_faf_client_errors_total";
        /// Commands refused because the server is going down.
        disabled: Counter = PerShard "muster_faf_disabled_total";
        /// Failures of the database that a player noticed.
        store_errors: Counter = PerShard "muster_faf_store_errors_total";
        /// Commands of players who turned out to be banned.
        bans: Counter = PerShard "muster_faf_bans_total";
        /// Connections closed because they had not signed in for too long.
        login_timeouts: Counter = PerShard "muster_faf_login_timeouts_total";
        /// Games created by players who host them.
        games_hosted: Counter = PerShard "muster_faf_games_hosted_total";
        /// Players who asked to join a game and were let in.
        joins: Counter = PerShard "muster_faf_joins_total";
        /// Players who asked to join a game and were turned away.
        join_refusals: Counter = PerShard "muster_faf_join_refusals_total";
        /// Commands that administrators and moderators carried out.
        admin_actions: Counter = PerShard "muster_faf_admin_actions_total";
        /// Changes of avatars from outside that could not be looked up.
        avatars_missed: Counter = PerShard "muster_faf_avatars_missed_total";
        /// Invitations to parties that were followed.
        party_joins: Counter = PerShard "muster_faf_party_joins_total";
        /// Searches for a match that began.
        searches: Counter = PerShard "muster_faf_searches_total";
        /// Searches for a match that ended without one.
        searches_cancelled: Counter = PerShard "muster_faf_searches_cancelled_total";
        /// Matches that were found and accepted by the coordinator.
        matches_found: Counter = PerShard "muster_faf_matches_found_total";
        /// Matches that were proposed when somebody in them had stopped searching.
        matches_refused: Counter = PerShard "muster_faf_matches_refused_total";
        /// Matches whose game was launched.
        matches_launched: Counter = PerShard "muster_faf_matches_launched_total";
        /// Matches that failed because somebody was too slow.
        matches_timed_out: Counter = PerShard "muster_faf_matches_timed_out_total";
        /// Matches that failed because somebody left.
        matches_aborted: Counter = PerShard "muster_faf_matches_aborted_total";
        /// Matches that failed for another reason than time or a player.
        matches_errored: Counter = PerShard "muster_faf_matches_errored_total";
        /// Matches that failed because there was no map for them.
        matches_without_map: Counter = PerShard "muster_faf_matches_without_map_total";
        /// Violations of players who let a match fail.
        violations: Counter = PerShard "muster_faf_violations_total";
        /// Times this shard became the coordinator of its lobby.
        coordinator_terms: Counter = PerShard "muster_faf_coordinator_terms_total";
        /// Messages for a coordinator that this shard is not any more.
        coordinator_misdirected: Counter = PerShard "muster_faf_coordinator_misdirected_total";
        /// Messages from a coordinator that is not the present one.
        coordinator_outdated: Counter = PerShard "muster_faf_coordinator_outdated_total";
        /// Things inherited from another coordinator that could not be read.
        coordinator_unread: Counter = PerShard "muster_faf_coordinator_unread_total";
        /// Launched games of lost nodes that this shard went on with.
        games_taken_over: Counter = PerShard "muster_faf_games_taken_over_total";
        /// Launched games of this shard that another node had gone on with.
        games_given_up: Counter = PerShard "muster_faf_games_given_up_total";
        /// Reports of players' games to other nodes that were said again, since the first time may have been in vain.
        reports_again: Counter = PerShard "muster_faf_reports_again_total";
        /// Reports that were heard before, or before others which are said again with them: they have no effect.
        reports_repeated: Counter = PerShard "muster_faf_reports_repeated_total";
        /// Reports to other nodes that are lost if the game's owner is, since too much was kept already.
        reports_not_kept: Counter = PerShard "muster_faf_reports_not_kept_total";
        /// Reports to nodes that were lost, whose games nobody has gone on with.
        reports_lost: Counter = PerShard "muster_faf_reports_lost_total";
        /// Launched games of other nodes that could not be read.
        games_unread: Counter = PerShard "muster_faf_games_unread_total";
        /// Requests refused because another node did not answer or was lost.
        node_refusals: Counter = PerShard "muster_faf_node_refusals_total";
        /// Requests that waited for news of a game or player from another node.
        news_awaited: Counter = PerShard "muster_faf_news_awaited_total";
        /// Messages of games without effect: unknown, malformed, or from the wrong player.
        game_messages_ignored: Counter = PerShard "muster_faf_game_messages_ignored_total";
        /// Things that were not kept because a limit was reached.
        over_limit: Counter = PerShard "muster_faf_over_limit_total";
        /// Times a client was heard later because it had said too much.
        pauses: Counter = PerShard "muster_faf_pauses_total";
        /// Sign-ins refused because their address or account had failed too often.
        sign_ins_too_many: Counter = PerShard "muster_faf_sign_ins_too_many_total";
        /// Connections ended because they failed to sign in too often.
        sign_in_closes: Counter = PerShard "muster_faf_sign_in_closes_total";
        /// Changes of a game that everybody is told later because it has changed too much.
        game_news_deferred: Counter = PerShard "muster_faf_game_news_deferred_total";
        /// Batches of games' records that had to be tried again.
        ledger_retries: Counter = PerShard "muster_faf_ledger_retries_total";
        /// Games that ended although somebody who only watched them had not reported it.
        observer_timeouts: Counter = PerShard "muster_faf_observer_timeouts_total";
        /// Games or game connections that ran out of their set-up time.
        setup_timeouts: Counter = PerShard "muster_faf_setup_timeouts_total";
        /// Commands refused because the client had not signed in, by command.
        unauthenticated_commands: LabelledCounter(COMMANDS) =
            Sum "server_messages_unauthenticated_total" { command };
        /// Connections that named their client for the first time, by its version.
        version_checks: LabelledCounter(CLIENT_LABELS) =
            Sum "server_user_agent_version_checks_total" { version };
        /// Connections by what their clients call themselves.
        user_connections: LabelledGauge(CLIENT_LABELS + 1) =
            Sum "server_user_connections" { user_agent, version };
        /// Players who are signed in.
        online: Gauge = Sum "server_user_online",
            Sum "muster_lobby_players" { lobby = "faf" }: shown::PLAYERS;
        /// Games that are being set up.
        games_open: Gauge = Sum "muster_lobby_games" { lobby = "faf", state = "open" }: shown::GAMES;
        /// Games that were launched and go on.
        games_running: Gauge = Sum "muster_lobby_games" { lobby = "faf", state = "running" }: shown::GAMES;
        /// Players who search for a match now, by lobby and queue.
        searching: LabelledGauge(NAMES) = Sum "muster_lobby_searching" { lobby = "faf", queue };
        /// Games by featured mod and state.
        games_by_mod: LabelledGauge(PAIRS) =
            Sum "server_game_active_games_total" { game_mode, game_state };
        /// Games by rating type and state.
        games_by_rating_type: LabelledGauge(PAIRS) =
            Sum "server_game_active_games_by_rating_type_total" { rating_type, game_state };
        /// Valid games, by the leaderboard that they are rated in.
        rated_games: LabelledCounter(NAMES) = Sum "server_game_rated_games_total" { leaderboard };
        /// Records of games that are not written down yet.
        rating_backlog: Gauge = Sum "server_rating_service_backlog";
        /// Launches of matches by queue and how they went.
        matches: LabelledCounter(PAIRS) =
            Sum "server_matchmaker_queue_matches_total" { queue, status };
        /// Searches that were matched, by queue and size of the party.
        searches_matched: LabelledCounter(PAIRS) =
            Sum "server_matchmaker_queue_searches_matched_total" { queue, player_size };
        /// TrueSkill quality of the matches of a queue.
        quality: LabelledHistogram(NAMES, QUALITY) =
            Sum "server_matchmaker_queue_quality" { queue };
        /// Difference of the summed displayed ratings of a match's sides, by queue.
        imbalance: LabelledHistogram(NAMES, IMBALANCE) =
            Sum "server_matchmaker_matches_imbalance" { queue };
        /// Largest minus smallest displayed rating in a match, by queue.
        rating_variety: LabelledHistogram(NAMES, VARIETY) =
            Sum "server_matchmaker_matches_rating_variety" { queue };
        /// Searches left after the last pop of a queue.
        unmatched_searches: LabelledGauge(NAMES) =
            Sum "server_matchmaker_queue_unmatched_searches" { queue };
        /// How long searches took, by queue and how they ended.
        search_durations: LabelledHistogram(PAIRS, DURATION) =
            Sum "server_matchmaker_queue_search_duration_seconds" { queue, status };
        /// Players who searched in a queue at the time of its last pop.
        queue_players: LabelledGauge(NAMES) = Sum "server_matchmaker_queue_players" { queue };
        /// Time from a queue's last pop to the next, as it was planned.
        pop_timer_s: LabelledGauge(NAMES) =
            Sum "server_matchmaker_queue_pop_timer_seconds" { queue };
        /// The displayed rating where most players of a leaderboard are.
        rating_peak: LabelledGauge(NAMES) = Sum "server_leaderboard_rating_peak" { rating_type };
    }
}

impl Metrics {
    /// A command that is not heard before login.
    pub(in crate::faf) fn unauthenticated(&self, command: &str) {
        self.unauthenticated.up();
        self.unauthenticated_commands.of(&[&label(command)]).up();
    }
}

/// As much of what a client says as may be a label.
fn label(text: &str) -> String {
    text.chars().take(LABEL_CHARS).collect()
}

/// A client's place in [`Clients`], kept in a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::faf) struct ClientKind(u16);

/// Connections by what their clients call themselves. The first place is for those that have not said.
#[derive(Debug)]
pub(in crate::faf) struct Clients {
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
    /// A connection that has not said anything.
    pub(in crate::faf) fn opened(&mut self) -> ClientKind {
        self.enter(ClientKind::default());
        ClientKind::default()
    }

    /// It has named its client, for the first time or anew.
    pub(in crate::faf) fn named(
        &mut self,
        before: ClientKind,
        agent: Option<&str>,
        version: Option<&str>,
        metrics: &Metrics,
    ) -> ClientKind {
        let (agent, version) = (
            label(agent.unwrap_or(UNNAMED)),
            label(version.unwrap_or(UNNAMED)),
        );
        if before == ClientKind::default() {
            metrics.version_checks.of(&[&version]).up();
        }
        self.closed(before);
        let kind = self.kind(&agent, &version);
        self.enter(kind);
        kind
    }

    /// It is gone.
    pub(in crate::faf) fn closed(&mut self, kind: ClientKind) {
        self.kinds[usize::from(kind.0)].2 -= 1;
    }

    /// Shows them as they are now.
    pub(in crate::faf) fn show(&self, metrics: &Metrics) {
        let kinds = self.kinds.iter().filter(|(_, _, n)| *n > 0);
        let clients: Vec<_> = kinds
            .map(|(agent, version, n)| ([&**agent, &**version], *n as f64))
            .collect();
        metrics.user_connections.replace(&clients);
    }

    fn enter(&mut self, kind: ClientKind) {
        self.kinds[usize::from(kind.0)].2 += 1;
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

impl Metrics {
    /// Shows the present state.
    pub(in crate::faf) fn show(&self, online: usize, games: &[GameLabels<'_>], backlog: u64) {
        count_games(games, &self.games_by_mod, |game| {
            game.featured_mod.unwrap_or(OTHER)
        });
        count_games(games, &self.games_by_rating_type, |game| game.rating_type);
        let in_state = |state| games.iter().filter(|game| game.state == state).count();
        let running = in_state(RUNNING);
        let over = in_state(OVER);
        self.games_open.set((games.len() - running - over) as f64);
        self.games_running.set(running as f64);
        self.online.set(online as f64);
        self.rating_backlog.set(backlog as f64);
    }
}

/// Shows how many games of each label and state there are.
fn count_games<'a>(
    games: &[GameLabels<'a>],
    shown: &LabelledGauge,
    label: fn(&GameLabels<'a>) -> &'a str,
) {
    let mut counts: BTreeMap<[&str; 2], u64> = BTreeMap::new();
    for game in games {
        *counts.entry([label(game), game.state]).or_default() += 1;
    }
    let counts = counts.into_iter();
    let counts: Vec<_> = counts.map(|(labels, n)| (labels, n as f64)).collect();
    shown.replace(&counts);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_clients_share_a_place_and_empty_places_are_used_again() {
        let (mut clients, metrics) = (Clients::default(), Metrics::default());
        let mut kinds = Vec::new();
        for n in 0..2 * CLIENT_LABELS {
            let kind = clients.opened();
            let agent = format!("agent {n}");
            kinds.push(clients.named(kind, Some(&agent), Some("1"), &metrics));
        }
        assert!(clients.kinds.len() <= CLIENT_LABELS + 1);
        let total = |clients: &Clients| clients.kinds.iter().map(|(_, _, n)| n).sum::<u64>();
        assert_eq!(total(&clients), 2 * CLIENT_LABELS as u64);
        kinds.into_iter().for_each(|kind| clients.closed(kind));
        assert_eq!(total(&clients), 0);
        let kind = clients.opened();
        let kind = clients.named(kind, Some("new"), None, &metrics);
        assert_eq!(*clients.kinds[usize::from(kind.0)].0, *"new");
        assert_eq!(
            metrics.version_checks.of(&["1"]).value(),
            2 * CLIENT_LABELS as u64
        );
    }

    #[test]
    fn what_clients_say_is_cut_to_the_length_of_a_label() {
        let metrics = Metrics::default();
        metrics.unauthenticated(&"é".repeat(400));
        let cut = "é".repeat(LABEL_CHARS);
        assert_eq!(metrics.unauthenticated_commands.of(&[&cut]).value(), 1);
        assert_eq!(metrics.unauthenticated.value(), 1);
    }
}
