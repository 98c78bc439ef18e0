//! What is counted of the VCMI lobby on one shard. No rule of the lobby reads any of it.

use metrics::{Counter, Gauge};

use crate::shown;

metrics::metrics! {
    /// What has happened since the start.
    pub struct Metrics {
        /// Launchers that signed in successfully.
        logins: Counter = PerShard "muster_vcmi_logins_total";
        /// Commands that were refused with an error.
        refusals: Counter = PerShard "muster_vcmi_refusals_total";
        /// Launchers turned away because the lobby is full.
        refused_full: Counter = PerShard "muster_vcmi_refused_full_total";
        /// Launchers kept out because an operator has banned their name, or nobody new is taken any more.
        kept_out: Counter = PerShard "muster_vcmi_kept_out_total";
        /// Lines that somebody would have said whom an operator has silenced.
        muted_lines: Counter = PerShard "muster_vcmi_muted_lines_total";
        /// Launchers that named an encoding nobody knows.
        unknown_encodings: Counter = PerShard "muster_vcmi_unknown_encodings_total";
        /// Commands without effect: unknown, or not for somebody in that state.
        ignored: Counter = PerShard "muster_vcmi_ignored_total";
        /// Things refused or cut because a limit was reached.
        over_limit: Counter = PerShard "muster_vcmi_over_limit_total";
        /// Commands and packets refused because their launcher said or caused too much in a time.
        flood_refusals: Counter = PerShard "muster_vcmi_flood_refusals_total";
        /// Launchers disconnected because they went on saying or causing too much.
        flooders: Counter = PerShard "muster_vcmi_flooders_total";
        /// Changes of the lists of users and rooms that were told later, together with others.
        lists_deferred: Counter = PerShard "muster_vcmi_lists_deferred_total";
        /// Connections that did not sign in, or name a session, in time.
        handshake_timeouts: Counter = PerShard "muster_vcmi_handshake_timeouts_total";
        /// Users disconnected because they did not say that they are still there.
        silent: Counter = PerShard "muster_vcmi_silent_total";
        /// Lines of chat that launchers sent.
        chat_lines: Counter = PerShard "muster_vcmi_chat_lines_total";
        /// Rooms that were created by launchers.
        rooms: Counter = PerShard "muster_vcmi_rooms_total";
        /// Sessions of games that were started.
        sessions: Counter = PerShard "muster_vcmi_sessions_total";
        /// Sessions forgotten because nobody was connected for long.
        sessions_forgotten: Counter = PerShard "muster_vcmi_sessions_forgotten_total";
        /// Connections of games, as opposed to launchers.
        pipes: Counter = PerShard "muster_vcmi_pipes_total";
        /// Games that named no session, or broke their handshake.
        pipes_refused: Counter = PerShard "muster_vcmi_pipes_refused_total";
        /// Pairs of games that were joined.
        pipes_joined: Counter = PerShard "muster_vcmi_pipes_joined_total";
        /// Launchers that are signed in now.
        players: Gauge = Sum "muster_lobby_players" { lobby = "vcmi" }: shown::PLAYERS;
        /// Rooms in which games are set up now.
        rooms_now: Gauge = Sum "muster_lobby_rooms" { lobby = "vcmi" }: shown::ROOMS;
        /// Games with connections of players.
        sessions_now: Gauge = Sum "muster_lobby_games" { lobby = "vcmi", state = "running" }: shown::GAMES;
    }
}
