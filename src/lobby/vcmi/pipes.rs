//! Started games: which session a game belongs to, and which two games are relayed to each other (spec: vcmi-proxy 10).
//!
//! The lobby only pairs; the engine relays. A pair that has been joined is never mended: when one side goes, the other goes
//! too, and a new connection opens a new pair.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Timer, VcmiTurn, handshake::Role, lobby::Lobby, mail::Delivery, message, session::Pipe,
    users::USERS,
};
use crate::{ConnId, Relay};

impl Lobby {
    pub(super) fn pipe_opened(&mut self, conn: ConnId) {
        self.metrics.pipes.up();
        self.pipes.insert(conn, Pipe::Greeting);
    }

    pub(super) fn pipe_greeted(
        &mut self,
        turn: &mut VcmiTurn<'_>,
        (conn, at): (ConnId, Duration),
        role: Role,
        uuid: &str,
        greeting: Bytes,
    ) {
        let known = self.uuids.get(uuid).filter(|(_, of)| *of == role);
        let Some(&(id, _)) = known else {
            self.metrics.pipes_refused.up();
            return self.deliver(
                conn.shard,
                Delivery::Close(conn, "belongs to no game".into()),
            );
        };
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.pipes += 1;
        session.awaited = false;
        let oldest = session.waiting.first().copied();
        let partner = oldest.and_then(|(_, other)| match self.pipes.get(&other) {
            Some(Pipe::Waiting {
                role: its,
                greeting,
                ..
            }) if *its != role => Some((other, greeting.clone())),
            _ => None,
        });
        match partner {
            Some((other, its)) => {
                session.waiting.pop_first();
                self.join_pair(turn, id, (conn, greeting), (other, its));
            }
            None => {
                session.waiting.insert((at, conn));
                let waiting = Pipe::Waiting {
                    session: id,
                    role,
                    greeting,
                };
                self.pipes.insert(conn, waiting);
            }
        }
    }

    /// Both are relayed from now on, on the shard that has less of it to do; each is sent what the other one said.
    fn join_pair(
        &mut self,
        turn: &mut VcmiTurn<'_>,
        session: u64,
        a: (ConnId, Bytes),
        b: (ConnId, Bytes),
    ) {
        let load = |conn: ConnId| self.relays.get(conn.shard.local()).copied();
        let (target, source) = if load(a.0) < load(b.0) {
            (a, b)
        } else {
            (b, a)
        };
        let on = target.0.shard.local();
        if let Some(relays) = self.relays.get_mut(on) {
            *relays += 1;
        }
        let joined = |on| Pipe::Joined { session, on };
        self.pipes.insert(target.0, joined(Some(on)));
        self.pipes.insert(source.0, joined(None));
        self.metrics.pipes_joined.up();
        turn.join(Relay {
            source: source.0,
            target: target.0,
            to_source: target.1,
            to_target: source.1,
            frames: None,
        });
    }

    pub(super) fn pipe_lost(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        let pipe = self.pipes.remove(&conn);
        let Some((id, on)) = pipe.and_then(|pipe| pipe.session()) else {
            return;
        };
        if let Some(relays) = on.and_then(|on| self.relays.get_mut(on)) {
            *relays -= 1;
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.waiting.retain(|(_, waiting)| *waiting != conn);
        session.pipes -= 1;
        if session.pipes == 0 {
            self.watch_idle(turn, id);
        }
    }

    /// Nobody is connected: the session is forgotten if that stays so.
    pub(super) fn watch_idle(&mut self, turn: &mut VcmiTurn<'_>, id: u64) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.idle_since = turn.now.mono;
        if !std::mem::replace(&mut session.watched, true) {
            turn.wake_at(turn.now.mono + self.settings.session_idle, Timer::Idle(id));
        }
    }

    /// A look whether the session is still idle is due.
    pub(super) fn idle(&mut self, turn: &mut VcmiTurn<'_>, id: u64) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.watched = false;
        if session.pipes > 0 {
            return;
        }
        let until = session.idle_since + self.settings.session_idle;
        if turn.now.mono < until {
            session.watched = true;
            return turn.wake_at(until, Timer::Idle(id));
        }
        self.metrics.sessions_forgotten.up();
        if let Some(session) = self.sessions.remove(&id) {
            for uuid in &session.uuids {
                self.uuids.remove(uuid);
            }
        }
    }

    // ---- the orderly end ---------------------------------------------------------------------------------------

    /// No further room can be opened, and everybody is told.
    pub(super) fn drain(&mut self) {
        self.draining = true;
        let text = message::system(message::GOING_DOWN);
        self.spread(USERS, text);
    }

    pub(super) fn no_longer_awaited(&mut self, id: u64) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.awaited = false;
        }
    }

    /// Some session has just started and its games have not come yet.
    pub(super) fn awaits_games(&self) -> bool {
        self.sessions.values().any(|session| session.awaited)
    }
}
