//! The orderly end: games that have not begun end (spec: faf-lifecycle 14).

use crate::faf::{
    context::Context,
    game::{games::Games, state::GameState},
    mail::{game::Leaving, session::SessionMail},
    model::seat::Seat,
    protocol::message,
};

impl Games {
    /// Games that have not begun end.
    pub(in crate::faf) fn close_lobbies(&mut self, cx: &mut Context<'_>) {
        self.lobbies_closed = true;
        let open = |state| matches!(state, GameState::Initializing | GameState::Lobby);
        let games = self.games.values().filter(|game| open(game.state));
        let mut uids: Vec<u32> = games.map(|game| game.uid).collect();
        uids.sort_unstable();
        for uid in uids {
            self.abandon_match(cx, uid);
            let Some(game) = self.games.get(&uid) else {
                continue;
            };
            let members = game.members.iter().map(|m| m.seat);
            let seats: Vec<Seat> = members.chain(game.waiting.iter().copied()).collect();
            for seat in seats {
                cx.turn.send(seat.conn, message::KILL);
                self.leave(cx, seat, Leaving::Aborted);
                cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
            }
        }
    }
}
