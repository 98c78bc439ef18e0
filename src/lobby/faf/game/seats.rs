//! Getting into a game, back into it, connected in it, and out of it, at its owner (spec: faf-messages 3.8, 3.9;
//! faf-lifecycle 10.4, 10.6, 10.7).
//!
//! The player's shard asks, the owner decides. The seat is on the owner's list from its yes on; a player who is gone when the
//! yes arrives sends their leave after it.

use crate::faf::{
    context::Context,
    game::{games::Games, state::GameState},
    mail::{
        game::Leaving,
        session::{JoinRefusal, RestoreAnswer, RestoreRefusal, SessionMail},
    },
    model::{game::GameType, limits, seat::Seat},
    protocol::message,
};

impl Games {
    /// Checks in the order of the specification.
    pub(in crate::faf) fn join_wanted(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        password: Option<String>,
    ) {
        let verdict = match self.found(seat.uid) {
            None => Err(JoinRefusal::HostLeft),
            Some(game) if game.host_foes.contains(&seat.player_id) => Err(JoinRefusal::Foe),
            Some(game) if game.state != GameState::Lobby => Err(JoinRefusal::NotReady),
            Some(game) if game.game_type == GameType::Matchmaker => Err(JoinRefusal::Matchmaker),
            Some(game) if game.creation.password != password => Err(JoinRefusal::BadPassword),
            Some(game) if game.waiting.len() + game.members.len() >= limits::SEATS => {
                cx.metrics.over_limit.up();
                Err(JoinRefusal::NotReady)
            }
            Some(game) => {
                game.waiting.push(seat);
                Ok(game.launch())
            }
        };
        cx.post(seat.conn.shard, SessionMail::JoinAnswer { seat, verdict });
    }

    pub(in crate::faf) fn restore_wanted(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        login: Box<str>,
    ) {
        // Whoever has asked is heard of no more, and nobody would ever take them out.
        if !cx.topology.has_life(seat.conn.shard) {
            return;
        }
        let mut epoch = 0;
        let verdict = match self.found(seat.uid) {
            None => Err(RestoreRefusal::Gone),
            Some(game) if !matches!(game.state, GameState::Lobby | GameState::Live) => {
                Err(RestoreRefusal::NotAvailable)
            }
            Some(game) if !game.may_return(seat.player_id, cx.settings.result_votes) => {
                Err(RestoreRefusal::NotPart)
            }
            Some(game) if game.waiting.len() + game.members.len() >= limits::SEATS => {
                cx.metrics.over_limit.up();
                Err(RestoreRefusal::NotAvailable)
            }
            Some(game) => {
                game.connect(seat, login);
                epoch = game.epoch;
                let is_host = game.host_id == seat.player_id;
                self.changed_quietly(seat.uid);
                Ok(is_host)
            }
        };
        let answer = RestoreAnswer {
            seat,
            verdict,
            epoch,
        };
        cx.post(seat.conn.shard, SessionMail::RestoreAnswer(answer));
    }

    /// A guest's game wants into the mesh. The order of the messages is that of faf-lifecycle 10.4.
    pub(in crate::faf) fn connect_guest(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        login: Box<str>,
    ) {
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        };
        let host = game
            .members
            .iter()
            .find(|m| m.seat.player_id == game.host_id && game.hosting);
        let open = matches!(game.state, GameState::Lobby | GameState::Live);
        let Some(host) = host.filter(|_| open).map(|m| m.seat) else {
            self.leave(cx, seat, Leaving::Aborted);
            return cx.post(seat.conn.shard, SessionMail::LinkEnded(seat));
        };
        cx.turn.send(
            seat.conn,
            message::join_game(&game.host_login, game.host_id),
        );
        cx.turn.send(
            host.conn,
            message::connect_to_peer(&login, seat.player_id, true),
        );
        for peer in game
            .members
            .iter()
            .filter(|m| m.seat != host && m.seat != seat)
        {
            cx.turn.send(
                seat.conn,
                message::connect_to_peer(&peer.login, peer.seat.player_id, true),
            );
            cx.turn.send(
                peer.seat.conn,
                message::connect_to_peer(&login, seat.player_id, false),
            );
        }
        game.connect(seat, login);
        self.changed(seat.uid);
        cx.post(seat.conn.shard, SessionMail::Connected(seat));
    }

    /// Somebody leaves (spec: faf-lifecycle 10.7).
    pub(in crate::faf) fn leave(&mut self, cx: &mut Context<'_>, seat: Seat, how: Leaving) {
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return;
        };
        let was_connected = game.member(&seat).is_some();
        if how == Leaving::Ended && was_connected {
            game.configured.retain(|&id| id != seat.player_id);
            if game.state == GameState::Lobby {
                game.known.retain(|&id| id != seat.player_id);
                game.player_options.retain(|(id, _)| *id != seat.player_id);
            }
        }
        if how != Leaving::Aborted {
            game.remove(&seat, cx.turn.now.unix);
        }
        if game.state == GameState::Lobby {
            let gone = message::disconnect_from_peer(seat.player_id);
            for other in game.members.iter().filter(|m| m.seat != seat) {
                cx.turn.send(other.seat.conn, gone.clone());
            }
        }
        game.remove(&seat, cx.turn.now.unix);
        self.changed(seat.uid);
        self.match_left(cx, seat, was_connected, how);
        self.checked(cx, seat.uid);
    }
}
