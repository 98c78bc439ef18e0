//! The orderly end (spec: faf-lifecycle 14).

use std::time::Duration;

use crate::faf::{
    Faf, FafTurn, Timer, close,
    coordinator::COORDINATOR,
    game::state::GameState,
    mail::{Mail, game::Leaving},
    model::{player_state::PlayerState, seat::Seat},
    protocol::{message, text},
};
use crate::{Audience, ConnId};

/// Between two looks for idle players.
const KICK_INTERVAL: Duration = Duration::from_secs(1);

impl Faf {
    /// No new games; those that have not begun end; everybody is told.
    pub(in crate::faf) fn drain(&mut self, turn: &mut FafTurn<'_>) {
        if self.draining {
            return;
        }
        self.draining = true;
        if self.shard == COORDINATOR {
            self.close_queues(turn);
        }
        let notice = text::shutting_down(
            self.settings.shutdown_grace,
            self.settings.shutdown_kick_idle,
        );
        turn.fan_out(Audience::Subscribers, message::notice("info", &notice));

        let open = |state| matches!(state, GameState::Initializing | GameState::Lobby);
        let mut uids: Vec<u32> = self
            .games
            .values()
            .filter(|game| open(game.state))
            .map(|game| game.uid)
            .collect();
        uids.sort_unstable();
        for uid in uids {
            self.abandon_match(turn, uid);
            let Some(game) = self.games.get(&uid) else {
                continue;
            };
            let seats: Vec<Seat> = game
                .members
                .iter()
                .map(|m| m.seat)
                .chain(game.waiting.iter().copied())
                .collect();
            for seat in seats {
                turn.send(seat.conn, message::KILL);
                self.leave(turn, seat, Leaving::Aborted);
                self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
            }
        }
        if self.settings.shutdown_kick_idle {
            turn.wake_at(turn.now.mono + KICK_INTERVAL, Timer::KickIdle);
        }
    }

    /// Each second while draining, if so configured.
    pub(in crate::faf) fn kick_idle(&mut self, turn: &mut FafTurn<'_>) {
        let idle = |s: &&crate::faf::Session| {
            s.player.is_some() && s.state == PlayerState::Idle && !s.closing
        };
        let idle: Vec<ConnId> = self.sessions.iter().filter(idle).map(|s| s.conn).collect();
        for conn in idle {
            close(&mut self.sessions, turn, conn);
        }
        turn.wake_at(turn.now.mono + KICK_INTERVAL, Timer::KickIdle);
    }

    /// Good-bye.
    pub(in crate::faf) fn shut_down(&mut self, turn: &mut FafTurn<'_>) {
        self.keep_books(turn);
        // What other shards have said of the running tick is still told (spec: faf-lifecycle 14, item 2).
        self.broadcast(turn);
        turn.fan_out(
            Audience::Subscribers,
            message::notice("info", text::SHUT_DOWN),
        );
        let all: Vec<ConnId> = self
            .sessions
            .iter()
            .filter(|s| !s.closing)
            .map(|s| s.conn)
            .collect();
        for conn in all {
            close(&mut self.sessions, turn, conn);
        }
    }
}
