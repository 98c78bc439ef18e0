//! Started games: which session a game belongs to, and which two games are relayed to each other (spec: vcmi-proxy 10).
//!
//! The lobby only pairs; the engine relays. A pair that has been joined is never mended: when one side goes, the other goes
//! too, and a new connection opens a new pair. With `pipes_as_0_6_2` the other one stays, and the next takes the place.

use std::time::Duration;

use bytes::Bytes;

use super::{
    Timer, VcmiTurn,
    handshake::Role,
    lobby::Lobby,
    mail::Delivery,
    message,
    session::{Pipe, Place},
    users::USERS,
};
use crate::{ConnId, Relay};

/// A game, what it is, and what it has said.
type Side = (ConnId, Role, Bytes);

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
        self.played += usize::from(session.pipes == 1);
        session.awaited = false;
        // Where sides survive each other, pairs may lack either.
        let looked_at = if self.settings.pipes_as_0_6_2 {
            usize::MAX
        } else {
            1
        };
        let mut oldest = session.waiting.iter().take(looked_at);
        let found = oldest.find_map(|&(since, other)| match self.pipes.get(&other) {
            Some(Pipe::Waiting {
                role: its,
                greeting,
                ..
            }) if *its != role => Some((since, other, *its, greeting.clone())),
            _ => None,
        });
        match found {
            Some((since, other, its, words)) => {
                session.waiting.remove(&(since, other));
                let newcomer = (conn, role, greeting);
                self.join_pair(turn, (id, since), newcomer, (other, its, words));
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

    /// Both are relayed from now on, on the shard that has less of it to do; each is sent what the other one said, or as the
    /// reference has it what it said itself (spec: vcmi-proxy 10.2).
    fn join_pair(
        &mut self,
        turn: &mut VcmiTurn<'_>,
        (session, since): (u64, Duration),
        a: Side,
        b: Side,
    ) {
        let survives = self.settings.pipes_as_0_6_2;
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
        let joined = |side: &Side, partner: &Side, on| Pipe::Joined {
            session,
            on,
            place: survives.then(|| {
                Box::new(Place {
                    partner: partner.0,
                    since,
                    role: side.1,
                    greeting: side.2.clone(),
                })
            }),
        };
        self.pipes
            .insert(target.0, joined(&target, &source, Some(on)));
        self.pipes.insert(source.0, joined(&source, &target, None));
        self.metrics.pipes_joined.up();
        let (to_source, to_target) = match survives {
            true => (source.2, target.2),
            false => (target.2, source.2),
        };
        turn.join(Relay {
            source: source.0,
            target: target.0,
            to_source,
            to_target,
            frames: None,
            idle: self.settings.relay_idle,
            survives,
        });
    }

    pub(super) fn pipe_lost(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        let Some(pipe) = self.pipes.remove(&conn) else {
            return;
        };
        let Some((id, on)) = pipe.session() else {
            return;
        };
        if let Pipe::Joined {
            place: Some(place), ..
        } = pipe
        {
            self.waits_again(place.partner, conn);
        }
        if let Some(relays) = on.and_then(|on| self.relays.get_mut(on)) {
            *relays -= 1;
        }
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        session.waiting.retain(|(_, waiting)| *waiting != conn);
        session.pipes -= 1;
        if session.pipes == 0 {
            self.played -= 1;
            self.watch_idle(turn, id);
        }
    }

    /// The game that was relayed with `gone` stays, in its place in the order of pairs (spec: vcmi-proxy 10.4).
    fn waits_again(&mut self, conn: ConnId, gone: ConnId) {
        let Some(Pipe::Joined {
            session,
            on,
            place: Some(place),
        }) = self.pipes.get(&conn)
        else {
            return;
        };
        if place.partner != gone {
            return;
        }
        let (id, since) = (*session, place.since);
        if let Some(relays) = on.and_then(|on| self.relays.get_mut(on)) {
            *relays -= 1;
        }
        let waiting = Pipe::Waiting {
            session: id,
            role: place.role,
            greeting: place.greeting.clone(),
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.waiting.insert((since, conn));
        }
        self.pipes.insert(conn, waiting);
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
