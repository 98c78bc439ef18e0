//! Getting into a game, back into it, connected in it, and out of it (spec: faf-messages 3.8, 3.9; faf-lifecycle
//! 10.4, 10.6, 10.7).
//!
//! The player's shard asks, the game's owner decides. The seat is on the owner's list from its yes on; a player who is
//! gone when the yes arrives sends their leave after it.

use crate::faf::{
    Faf, FafTurn,
    game::state::GameState,
    mail::{
        Mail,
        game::{GameReport, Leaving},
        session::{JoinRefusal, RestoreRefusal},
    },
    model::{
        account::Ban,
        game::{GameType, Launch},
        limits,
        player_state::PlayerState,
        seat::Seat,
    },
    protocol::{
        message,
        request::{self, Outcome, Refusal},
    },
    questions::Join,
    session::{
        dispatch::{Next, Request},
        table::{Link, LinkState},
    },
};
use crate::{ConnId, ShardId, question::StoreFailure};
use wire::json::Value;

impl Faf {
    /// spec: faf-messages 3.8.
    pub(in crate::faf) fn game_join(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.guard(conn, "join a game")?;
        let Some(session) = self.sessions.get(conn) else {
            return Ok(());
        };
        let Some(player) = session.player.as_deref() else {
            return Ok(());
        };
        let uid = request::required_integer(message, "uid");
        let known = uid.as_ref().ok().and_then(|&uid| u32::try_from(uid).ok());
        let game_id = known.filter(|&uid| self.directory.game(uid).is_some());
        let question = Join {
            player_id: player.account.id,
            game_id,
            address: session.address,
        };
        let password = request::password(message);
        self.ask_held(turn, conn, question, Joining { uid, password });
        Ok(())
    }

    /// At the owner: checks in the order of the specification.
    pub(in crate::faf) fn join_wanted(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        password: Option<String>,
    ) {
        let verdict = match self.games.get_mut(&seat.uid).filter(|game| !game.removed) {
            None => Err(JoinRefusal::HostLeft),
            Some(game) if game.host_foes.contains(&seat.player_id) => Err(JoinRefusal::Foe),
            Some(game) if game.state != GameState::Lobby => Err(JoinRefusal::NotReady),
            Some(game) if game.game_type == GameType::Matchmaker => Err(JoinRefusal::Matchmaker),
            Some(game) if game.creation.password != password => Err(JoinRefusal::BadPassword),
            Some(game) if game.waiting.len() + game.members.len() >= limits::SEATS => {
                self.counters.over_limit += 1;
                Err(JoinRefusal::NotReady)
            }
            Some(game) => {
                game.waiting.push(seat);
                Ok(game.launch())
            }
        };
        self.post(turn, seat.conn.shard, Mail::JoinAnswer { seat, verdict });
    }

    pub(in crate::faf) fn join_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        owner: ShardId,
        seat: Seat,
        verdict: Result<Launch, JoinRefusal>,
    ) {
        let player = self
            .sessions
            .get(seat.conn)
            .filter(|s| !s.closing)
            .and_then(|s| s.player.as_deref());
        let present = player.is_some_and(|p| p.account.id == seat.player_id);
        // Meanwhile the owner of their party may have begun a search with them.
        let still_idle = self.idle_guard(seat.conn, "join a game");
        match verdict {
            Ok(_) if present && still_idle.is_err() => {
                self.post(turn, owner, left(seat, Leaving::Aborted));
                if let Err(refusal) = still_idle {
                    self.refused(turn, seat.conn, refusal);
                }
            }
            Ok(_) if !present => self.post(turn, owner, left(seat, Leaving::Lost)),
            Ok(launch) => {
                self.counters.joins += 1;
                self.leave_game(turn, seat.conn, Leaving::Aborted);
                self.start_game(turn, seat, owner, &launch, false);
            }
            Err(refusal) if present => self.join_refused(turn, seat.conn, seat.uid.into(), refusal),
            Err(_) => {}
        }
        turn.release(seat.conn);
    }

    fn join_refused(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        uid: i64,
        refusal: JoinRefusal,
    ) {
        self.counters.join_refusals += 1;
        let (reason, text) = match refusal {
            JoinRefusal::HostLeft => ("host_left_game", "The host has left the game."),
            JoinRefusal::NotReady => (
                "game_not_ready",
                "The game you are trying to join is not ready.",
            ),
            JoinRefusal::BadPassword => ("bad_password", "Bad password (it's case sensitive)."),
            JoinRefusal::Foe => {
                return self.refused(
                    turn,
                    conn,
                    Refusal::client("You cannot join games hosted by this player."),
                );
            }
            JoinRefusal::Matchmaker => {
                return self.refused(
                    turn,
                    conn,
                    Refusal::client("The game cannot be joined in this way."),
                );
            }
        };
        turn.send(
            conn,
            message::encode(&message::GameJoinFailed { reason, uid }),
        );
        turn.send(conn, message::notice("info", text));
    }

    /// spec: faf-messages 3.9.
    pub(in crate::faf) fn restore_game_session(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        message: Value<'_>,
    ) -> Outcome {
        self.guard(conn, "reconnect to a game")?;
        let uid = request::required_integer(message, "game_id")?;
        let owner = u32::try_from(uid)
            .ok()
            .and_then(|uid| self.directory.game(uid))
            .map(|game| (game.uid, game.owner));
        let Some((uid, owner)) = owner else {
            restore_refused(turn, conn, RestoreRefusal::Gone);
            return Ok(());
        };
        let Some(session) = self.sessions.get_mut(conn) else {
            return Ok(());
        };
        let Some(seat) = session.seat(uid) else {
            return Ok(());
        };
        let login = session
            .player
            .as_ref()
            .map_or("", |p| &*p.account.login)
            .into();
        turn.hold(conn);
        self.post(turn, owner, Mail::Restore { seat, login });
        Ok(())
    }

    pub(in crate::faf) fn restore_wanted(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        login: Box<str>,
    ) {
        let verdict = match self.games.get_mut(&seat.uid).filter(|game| !game.removed) {
            None => Err(RestoreRefusal::Gone),
            Some(game) if !matches!(game.state, GameState::Lobby | GameState::Live) => {
                Err(RestoreRefusal::NotAvailable)
            }
            Some(game)
                if game.state == GameState::Live
                    && !game.participants.iter().any(|p| p.id == seat.player_id) =>
            {
                Err(RestoreRefusal::NotPart)
            }
            Some(game) if game.waiting.len() + game.members.len() >= limits::SEATS => {
                self.counters.over_limit += 1;
                Err(RestoreRefusal::NotAvailable)
            }
            Some(game) => {
                game.connect(seat, login);
                Ok(game.host_id == seat.player_id)
            }
        };
        self.post(turn, seat.conn.shard, Mail::RestoreAnswer { seat, verdict });
    }

    pub(in crate::faf) fn restore_answered(
        &mut self,
        turn: &mut FafTurn<'_>,
        owner: ShardId,
        seat: Seat,
        verdict: Result<bool, RestoreRefusal>,
    ) {
        let session = self.sessions.get_mut(seat.conn).filter(|s| !s.closing);
        // Idle still: meanwhile the owner of their party may have begun a search with them.
        let present = session.filter(|s| {
            let player = s.player.as_ref();
            player.is_some_and(|p| p.account.id == seat.player_id) && s.state == PlayerState::Idle
        });
        match (verdict, present) {
            (Ok(is_host), Some(session)) => {
                session.link = Some(Box::new(Link {
                    seat,
                    owner,
                    state: LinkState::Connected,
                    is_host,
                }));
                self.set_state(turn, seat.conn, PlayerState::Playing);
            }
            (Ok(_), None) => self.post(turn, owner, left(seat, Leaving::Lost)),
            (Err(refusal), Some(_)) => restore_refused(turn, seat.conn, refusal),
            (Err(_), None) => {}
        }
        turn.release(seat.conn);
    }

    /// At the owner: a guest's game wants into the mesh. The order of the messages is that of faf-lifecycle 10.4.
    pub(in crate::faf) fn connect_guest(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        login: Box<str>,
    ) {
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
        };
        let host = game
            .members
            .iter()
            .find(|m| m.seat.player_id == game.host_id && game.hosting);
        let open = matches!(game.state, GameState::Lobby | GameState::Live);
        let Some(host) = host.filter(|_| open).map(|m| m.seat) else {
            self.leave(turn, seat, Leaving::Aborted);
            return self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
        };
        turn.send(
            seat.conn,
            message::join_game(&game.host_login, game.host_id),
        );
        turn.send(
            host.conn,
            message::connect_to_peer(&login, seat.player_id, true),
        );
        for peer in game
            .members
            .iter()
            .filter(|m| m.seat != host && m.seat != seat)
        {
            turn.send(
                seat.conn,
                message::connect_to_peer(&peer.login, peer.seat.player_id, true),
            );
            turn.send(
                peer.seat.conn,
                message::connect_to_peer(&login, seat.player_id, false),
            );
        }
        game.connect(seat, login);
        self.tick.game_dirty(seat.uid);
        self.post(turn, seat.conn.shard, Mail::Connected(seat));
    }

    /// The player's side: they are in the mesh.
    pub(in crate::faf) fn connected(&mut self, turn: &mut FafTurn<'_>, seat: &Seat) {
        if let Some(link) = self
            .sessions
            .get_mut(seat.conn)
            .and_then(|s| s.link_at(seat))
        {
            link.state = LinkState::Connected;
        }
        turn.release(seat.conn);
    }

    /// The player's side: the owner has ended their relation to the game.
    pub(in crate::faf) fn link_ended(&mut self, turn: &mut FafTurn<'_>, seat: &Seat) {
        let Some(session) = self.sessions.get_mut(seat.conn) else {
            return;
        };
        if session.link_at(seat).is_some() {
            session.link = None;
            self.set_state(turn, seat.conn, PlayerState::Idle);
        }
        turn.release(seat.conn);
    }

    /// The player's side: the game was launched with them.
    pub(in crate::faf) fn set_playing(&mut self, turn: &mut FafTurn<'_>, seat: &Seat) {
        let session = self.sessions.get_mut(seat.conn);
        if session.is_some_and(|s| s.link_at(seat).is_some()) {
            self.set_state(turn, seat.conn, PlayerState::Playing);
        }
    }

    /// The player's side: their game never came up.
    pub(in crate::faf) fn link_timed_out(&mut self, turn: &mut FafTurn<'_>, seat: Seat) {
        let link = self
            .sessions
            .get_mut(seat.conn)
            .and_then(|s| s.link_at(&seat));
        if link.is_some_and(|link| link.state == LinkState::Initializing) {
            self.counters.setup_timeouts += 1;
            self.leave_game(turn, seat.conn, Leaving::Aborted);
        }
    }

    /// The player's side: their relation to a game ends, if there is one, and the owner is told.
    pub(in crate::faf) fn leave_game(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        how: Leaving,
    ) {
        let Some(session) = self.sessions.get_mut(conn) else {
            return;
        };
        let Some(link) = session.link.take() else {
            return;
        };
        self.set_state(turn, conn, PlayerState::Idle);
        self.post(turn, link.owner, left(link.seat, how));
    }

    /// At the owner: spec: faf-lifecycle 10.7.
    pub(in crate::faf) fn leave(&mut self, turn: &mut FafTurn<'_>, seat: Seat, how: Leaving) {
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return;
        };
        let was_connected = game.member(&seat).is_some();
        if how == Leaving::Ended && was_connected {
            game.configured.retain(|&id| id != seat.player_id);
            if game.state == GameState::Lobby {
                game.player_options.retain(|(id, _)| *id != seat.player_id);
            }
        }
        if how != Leaving::Aborted {
            game.remove(&seat, turn.now.unix);
        }
        if game.state == GameState::Lobby {
            let gone = message::disconnect_from_peer(seat.player_id);
            for other in game.members.iter().filter(|m| m.seat != seat) {
                turn.send(other.seat.conn, gone.clone());
            }
        }
        game.remove(&seat, turn.now.unix);
        self.tick.game_dirty(seat.uid);
        self.match_left(turn, seat, was_connected, how);
        self.checked(turn, seat.uid);
    }
}

fn left(seat: Seat, how: Leaving) -> Mail {
    Mail::FromGame {
        seat,
        event: GameReport::Leave(how),
    }
}

fn restore_refused(turn: &mut FafTurn<'_>, conn: ConnId, refusal: RestoreRefusal) {
    let text = match refusal {
        RestoreRefusal::Gone => "The game you were connected to no longer exists",
        RestoreRefusal::NotAvailable => "The game you were connected to is no longer available",
        RestoreRefusal::NotPart => "You are not part of this game",
    };
    turn.send(conn, message::notice("info", text));
}

/// May they join.
#[derive(Debug)]
pub(in crate::faf) struct Joining {
    uid: Outcome<i64>,
    password: Option<String>,
}

impl Request for Joining {
    type Question = Join;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        ban: Result<Option<Ban>, StoreFailure>,
    ) -> Outcome<Next> {
        if let Some(ban) = ban? {
            return Err(Refusal::Banned(ban));
        }
        let uid = self.uid?;
        let owner = u32::try_from(uid)
            .ok()
            .and_then(|uid| faf.directory.game(uid))
            .map(|game| (game.uid, game.owner));
        let Some(session) = faf.sessions.get_mut(conn).filter(|s| !s.closing) else {
            return Ok(Next::Go);
        };
        let Some((uid, owner)) = owner else {
            faf.join_refused(turn, conn, uid, JoinRefusal::HostLeft);
            return Ok(Next::Go);
        };
        let Some(seat) = session.seat(uid) else {
            return Ok(Next::Go);
        };
        let password = self.password;
        faf.post(turn, owner, Mail::Join { seat, password });
        Ok(Next::Wait)
    }
}
