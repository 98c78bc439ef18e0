//! A connection: how it begins, how long it may be silent, how it ends (spec: cockatrice-wire 3, 4, 9, 14).

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use cockatrice::messages::CloseReason;

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Departure, Item, ToDesk, ToDirectory, ToGame, ToRegistry, ToRoom},
    protocol,
    settings::warned_after,
    state::{
        directory::Place,
        session::{Session, Taking},
        visitor::Transport,
        work::{Flow, Work},
    },
};
use crate::{Closing, ConnId, Origin, ShardId};

impl Cockatrice {
    pub(super) fn opened(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, origin: Origin) {
        let session = Session::new(origin, self.ticks, &self.settings.exempt);
        let at_once = session.visitor.transport == Transport::WebSocket;
        self.sessions.insert(conn, session);
        if at_once {
            self.identify(turn, conn);
        }
    }

    /// Tells a client who it talks to, and asks whether it may stay.
    pub(super) fn identify(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        session.greeted = true;
        let visitor = session.visitor;
        let hello = protocol::identification(&self.settings.name, self.has_accounts());
        turn.send(conn, hello);
        if self.counts_connections(visitor) {
            let is_here = self.topology.desk() == self.shard;
            self.begin_wait(turn, conn, Work::admission(), is_here);
            self.tell_desk(ToDesk::Enter(conn, visitor));
        }
    }

    /// The desk has decided.
    pub(super) fn admitted(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        refused: Option<CloseReason>,
    ) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        session.counted = refused.is_none();
        let is_gone = session.gone;
        self.end_wait(turn, conn);
        if let Some(reason) = refused.filter(|_| !is_gone) {
            self.metrics.turned_away.up();
            let closed = protocol::connection_closed(reason, None, None);
            self.end_with(turn, conn, closed, "too many connections");
        } else {
            self.recount(conn); // the settings may be others than when it asked
        }
    }

    /// A newer session of the same name ends this one (spec: cockatrice-wire 10.2 item 8).
    pub(super) fn evicted(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let is_there = |session: &Session| !session.gone;
        if !self.sessions.get(&conn).is_some_and(is_there) {
            return;
        }
        self.metrics.replaced.up();
        const WHY: &str = "You have been logged out due to logging in at another location.";
        let now = turn.now.unix.as_secs() as u32;
        let reason = CloseReason::Loggedinelsewere;
        let closed = protocol::connection_closed(reason, Some(WHY), Some(now));
        self.end_with(turn, conn, closed, "the user has signed in elsewhere");
    }

    /// Ends a connection with a last word, if it has begun to talk (spec: cockatrice-wire 3.1). The log says why.
    pub(super) fn end_with(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        last: Bytes,
        why: &'static str,
    ) {
        if self
            .sessions
            .get(&conn)
            .is_some_and(|session| session.greeted)
        {
            turn.send(conn, last);
        }
        self.end(turn, conn, why);
    }

    /// Ends a connection. The log says why.
    pub(super) fn end(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, why: &'static str) {
        turn.note(conn, why);
        turn.close(conn, Closing::Flushed);
        self.depart(conn);
    }

    /// A connection is no more: its user leaves rooms and games, and is no longer there (spec: cockatrice-wire 4). While
    /// something is waited for it stays until that has come, so that what it has said is heard before it is gone.
    pub(super) fn depart(&mut self, conn: ConnId) {
        match self.sessions.get_mut(&conn) {
            None => return,
            Some(session) if session.work.is_some() => {
                session.gone = true;
                return;
            }
            Some(_) => {}
        }
        let Some(session) = self.sessions.remove(&conn) else {
            return;
        };
        if session.counted {
            self.tell_desk(ToDesk::Leave(session.visitor));
        }
        for &room in &session.rooms {
            self.tell_room(room, ToRoom::Gone(conn));
        }
        for (&game, taking) in &session.games {
            self.tell_game(taking.shard, game, ToGame::Lost(conn));
        }
        if let Some(user) = session.user {
            self.session_over(user.session_id);
            let shards = self.shards_left(&session.rooms, &session.games);
            let mut games = session.games;
            // Nobody keeps a place for guests.
            games.retain(|_, _| user.level.is_registered());
            let games = games.iter().map(|(&game, taking)| {
                let Taking { room, shard, .. } = *taking;
                (game, Place { room, shard })
            });
            let gone = Departure {
                name: user.name,
                conn,
                games: games.collect(),
            };
            self.departed(shards, Box::new(gone));
        }
    }

    /// The shards of this node that have told others when somebody who goes is out of rooms and games, ascending behind this one.
    /// What another node is told may be lost with it.
    fn shards_left(&self, rooms: &BTreeSet<u32>, games: &BTreeMap<u32, Taking>) -> Vec<ShardId> {
        let rooms = rooms.iter().map(|&room| self.topology.room(room));
        let games = games.values().map(|taking| taking.shard);
        let node = self.shard.node();
        let own = rooms.chain(games).filter(|shard| shard.node() == node);
        let own: BTreeSet<ShardId> = own.collect();
        if own.is_empty() {
            return Vec::new();
        }
        let others = own.into_iter().filter(|shard| *shard != self.shard);
        std::iter::once(self.shard).chain(others).collect()
    }

    /// Tells everybody that a user is gone, and then the home of their name, when all those shards have told that they are out of rooms
    /// and games: nobody is to hear of somebody who is no longer there, nor of who has the name next before this one has gone. Letters
    /// leave in the order of shards, so the way begins with the last of them.
    pub(super) fn departed(&mut self, mut path: Vec<ShardId>, gone: Box<Departure>) {
        if let Some(next) = path.pop() {
            return self.post.last(next, Item::Departed(path, gone));
        }
        let Departure { name, conn, games } = *gone;
        let left = ToDirectory::Left {
            name: name.clone(),
            conn,
        };
        self.tell_everywhere(left);
        let home = self.topology.home(&name);
        let release = ToRegistry::Release { name, conn, games };
        self.post.last(home, Item::Registry(release));
    }

    /// Asks rooms something that each of them answers. What is waited for is elsewhere if one of them is.
    pub(super) fn ask_rooms(
        &mut self,
        rooms: impl IntoIterator<Item = u32>,
        mut question: impl FnMut() -> ToRoom,
    ) -> Flow {
        let mut waits_for = self.shard;
        for room in rooms {
            let shard = self.topology.room(room);
            if shard != self.shard {
                waits_for = shard;
            }
            self.tell_room(room, question());
        }
        Flow::Wait(waits_for)
    }

    pub(super) fn tell_room(&mut self, room: u32, message: ToRoom) {
        let shard = self.topology.room(room);
        let era = self.topology.era();
        self.post.to(shard, Item::Room(room, era, message));
    }

    /// Tells a game that a shard has.
    pub(super) fn tell_game(&mut self, shard: ShardId, game: u32, message: ToGame) {
        self.post.to(shard, Item::Game(game, message));
    }

    /// A tick of this shard's connections: who has been silent or idle for too long goes, games are told of silence.
    pub(super) fn tick_sessions(&mut self, turn: &mut CockatriceTurn<'_>) {
        let (mut silent, mut idle, mut warned, mut pings) = (vec![], vec![], vec![], vec![]);
        for (&conn, session) in &mut self.sessions {
            if session.gone {
                continue;
            }
            let silence = self.ticks - session.heard;
            if silence > self.settings.inactivity {
                silent.push(conn);
                continue;
            }
            match self.settings.idle.filter(|_| session.may_be_idle()) {
                Some(most) if session.warned && self.ticks - session.acted > most => {
                    idle.push(conn);
                    continue;
                }
                Some(most)
                    if !session.warned && self.ticks - session.acted >= warned_after(most) =>
                {
                    session.warned = true;
                    warned.push(conn);
                }
                _ => {}
            }
            let silence = i32::try_from(silence).unwrap_or(i32::MAX);
            for (&game, taking) in &mut session.games {
                if taking.silence != silence {
                    taking.silence = silence;
                    pings.push((conn, taking.room, game, taking.shard, silence));
                }
            }
        }
        // In an order that is everybody's, not the map's.
        for list in [&mut silent, &mut idle, &mut warned] {
            list.sort_unstable();
        }
        pings.sort_unstable();
        for (conn, _, game, shard, silence) in pings {
            self.tell_game(shard, game, ToGame::Ping(conn, silence));
        }
        for conn in warned {
            turn.send(conn, protocol::idle_warning());
        }
        self.metrics.inactive.add(silent.len() as u64);
        self.metrics.idle.add(idle.len() as u64);
        for conn in silent.into_iter().chain(idle) {
            self.end(turn, conn, "silent or idle for too long");
        }
    }
}
