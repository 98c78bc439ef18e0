//! What is counted of the Cockatrice lobby on one shard. No rule of the lobby reads any of it.

use metrics::{Counter, Gauge};

use crate::shown;

metrics::metrics! {
    /// What has happened since the start.
    pub struct Metrics {
        /// Users that signed in.
        logins: Counter = PerShard "muster_cockatrice_logins_total";
        /// Sign-ins that were refused.
        logins_refused: Counter = PerShard "muster_cockatrice_logins_refused_total";
        /// Connections ended because they failed to sign in too often.
        sign_in_closes: Counter = PerShard "muster_cockatrice_sign_in_closes_total";
        /// Sessions ended by a newer one of the same name.
        replaced: Counter = PerShard "muster_cockatrice_sessions_replaced_total";
        /// Connections turned away because there are too many.
        turned_away: Counter = PerShard "muster_cockatrice_turned_away_total";
        /// Messages that are no container, or came before the handshake.
        garbage: Counter = PerShard "muster_cockatrice_garbage_total";
        /// Things refused because a limit was reached.
        over_limit: Counter = PerShard "muster_cockatrice_over_limit_total";
        /// Chat and commands in games refused because their user sent too many.
        floods: Counter = PerShard "muster_cockatrice_flood_refusals_total";
        /// Times a client was heard later because it sent too many commands.
        pauses: Counter = PerShard "muster_cockatrice_pauses_total";
        /// Connections ended because nothing whole came from them for too long.
        inactive: Counter = PerShard "muster_cockatrice_inactive_closes_total";
        /// Users disconnected because they did nothing for too long.
        idle: Counter = PerShard "muster_cockatrice_idle_closes_total";
        /// Sessions ended by moderators and administrators.
        ejected: Counter = PerShard "muster_cockatrice_ejected_total";
        /// Things that somebody would have said whom an operator has silenced.
        muted_lines: Counter = PerShard "muster_cockatrice_muted_lines_total";
        /// Lines said in rooms.
        room_lines: Counter = PerShard "muster_cockatrice_room_lines_total";
        /// Private messages that users have sent each other.
        private_lines: Counter = PerShard "muster_cockatrice_private_lines_total";
        /// Changes of a room's numbers that were told later, together with others.
        room_updates_deferred: Counter = PerShard "muster_cockatrice_room_updates_deferred_total";
        /// Games that were created.
        games: Counter = PerShard "muster_cockatrice_games_total";
        /// Games that were closed.
        games_closed: Counter = PerShard "muster_cockatrice_games_closed_total";
        /// Commands that were given in games.
        game_commands: Counter = PerShard "muster_cockatrice_game_commands_total";
        /// Answers of other nodes that came when nobody waited for them any more.
        late_answers: Counter = PerShard "muster_cockatrice_late_answers_total";
        /// Commands refused because the node that was asked is lost or does not answer.
        node_refusals: Counter = PerShard "muster_cockatrice_node_refusals_total";
        /// Games that users have lost with the node that had them.
        games_lost: Counter = PerShard "muster_cockatrice_games_lost_total";
        /// Users who are signed in now.
        players: Gauge = Sum "muster_lobby_players" { lobby = "cockatrice" }: shown::PLAYERS;
        /// Rooms that there are.
        rooms: Gauge = Sum "muster_lobby_rooms" { lobby = "cockatrice" }: shown::ROOMS;
        /// Games in which players take their places and decks.
        games_open: Gauge = Sum "muster_lobby_games" { lobby = "cockatrice", state = "open" }: shown::GAMES;
        /// Games that are being played.
        games_running: Gauge = Sum "muster_lobby_games" { lobby = "cockatrice", state = "running" }: shown::GAMES;
    }
}
