//! What is counted of VCMI's JSON lobby on one shard. No rule of the lobby reads any of it.

use metrics::{Counter, Gauge};

use crate::shown;

metrics::metrics! {
    /// What has happened since the start.
    pub struct Metrics {
        /// Accounts that were registered by their players.
        registrations: Counter = PerShard "muster_vcmi_json_registrations_total";
        /// Players who signed in successfully with their client.
        logins: Counter = PerShard "muster_vcmi_json_logins_total";
        /// Match servers that signed in successfully.
        match_servers: Counter = PerShard "muster_vcmi_json_match_servers_total";
        /// Connections ended because they said something wrong before they had signed in.
        strangers_refused: Counter = PerShard "muster_vcmi_json_strangers_refused_total";
        /// Messages without effect: malformed, unknown, or not for somebody in that state.
        ignored: Counter = PerShard "muster_vcmi_json_ignored_total";
        /// Requests that were refused with a reason.
        refusals: Counter = PerShard "muster_vcmi_json_refusals_total";
        /// Things refused or cut because a limit was reached.
        over_limit: Counter = PerShard "muster_vcmi_json_over_limit_total";
        /// Times that a connection was heard later because it said or caused too much.
        paused: Counter = PerShard "muster_vcmi_json_paused_total";
        /// Connections that did not sign in in time.
        handshake_timeouts: Counter = PerShard "muster_vcmi_json_handshake_timeouts_total";
        /// Sign-ins refused because an operator keeps the name out, or since nobody new is taken before the end.
        kept_out: Counter = PerShard "muster_vcmi_json_kept_out_total";
        /// Connections of match servers whose guest did not come in time.
        proxy_timeouts: Counter = PerShard "muster_vcmi_json_proxy_timeouts_total";
        /// Connections ended because their heartbeats had stopped coming.
        silent: Counter = PerShard "muster_vcmi_json_silent_total";
        /// Lines of chat that players sent.
        chat_lines: Counter = PerShard "muster_vcmi_json_chat_lines_total";
        /// Rooms that were opened by their hosts.
        rooms: Counter = PerShard "muster_vcmi_json_rooms_total";
        /// Matches that were begun.
        matches: Counter = PerShard "muster_vcmi_json_matches_total";
        /// Pairs of a match server and a guest that were joined.
        proxies_joined: Counter = PerShard "muster_vcmi_json_proxies_joined_total";
        /// Connections for a relay that were refused.
        proxies_refused: Counter = PerShard "muster_vcmi_json_proxies_refused_total";
        /// Changes of the lists of accounts and rooms that were told later, together with others.
        lists_deferred: Counter = PerShard "muster_vcmi_json_lists_deferred_total";
        /// Questions to the store that came to nothing, and were asked again or refused.
        store_failures: Counter = PerShard "muster_vcmi_json_store_failures_total";
        /// Statements that the store refused: what they would have recorded is not recorded.
        store_refusals: Counter = PerShard "muster_vcmi_json_store_refusals_total";
        /// Players who are signed in now.
        players: Gauge = Sum "muster_lobby_players" { lobby = "vcmi_json" }: shown::PLAYERS;
        /// Rooms that can be joined now.
        games_open: Gauge = Sum "muster_lobby_games" { lobby = "vcmi_json", state = "open" }: shown::GAMES;
        /// Matches that go on now.
        games_running: Gauge = Sum "muster_lobby_games" { lobby = "vcmi_json", state = "running" }: shown::GAMES;
    }
}
