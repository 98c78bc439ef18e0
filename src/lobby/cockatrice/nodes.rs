//! What becomes of a shard's users, games and questions when other nodes come and go, and when the lane to one breaks.
//!
//! Users of a node that is lost stay on lists and in rooms for `cluster.grace_s`, since most are back elsewhere by then, and a node
//! that has only lost touch has them still. Its games are over at once, and whoever waits for it is refused.

use std::{collections::BTreeSet, time::Duration};

use cockatrice::{game::closed_message, messages::ResponseCode};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Delivery, Item, ToDirectory, ToGame, ToRegistry, ToRoom, ToSession},
    protocol,
    state::{
        directory::{Listed, Place, USERS, members},
        session::Session,
        work::{Reply, Work},
    },
};
use crate::{Audience, ConnId, ShardId, Standing};

impl Cockatrice {
    /// What this node knows of the others has changed.
    pub(super) fn standing_changed(&mut self, turn: &mut CockatriceTurn<'_>, standing: &Standing) {
        if self.topology.standing() == standing {
            return;
        }
        let before = self.topology.clone();
        let change = self.topology.follow(standing.clone());
        let mut silent: BTreeSet<u8> = change.lost.iter().chain(&change.new).copied().collect();
        if change.is_cut {
            silent.extend(standing.others().map(|member| member.node));
        }
        for &node in &silent {
            self.post.lose(node);
        }
        self.is_disturbed = true;
        self.registry_moved(&before, &silent);
        for &node in &change.new {
            self.unseen.extend(self.topology.shards_of(node));
            self.show_users(node);
        }
        let topology = &self.topology;
        self.unseen.retain(|&shard| topology.reaches(shard));
        let has_moved = before.era() != self.topology.era();
        if has_moved {
            self.rooms_moved(turn, !before.is_in_touch());
            self.send_claims(|_| true);
            self.enrol(|_| true);
            self.join_anew(turn, &silent);
        }
        self.games_cut_off(turn, &silent);
        if has_moved {
            self.tell_left_behind(|_| true);
            self.claim_anew(|_, _| true);
        }
        self.refuse_waits(turn, |work| asks_any(work, &silent));
    }

    /// What was said to a node, and what it has said, is lost.
    pub(super) fn lane_broken(&mut self, turn: &mut CockatriceTurn<'_>, node: u8) {
        self.post.lose(node);
        self.forget_places(&BTreeSet::from([node]));
        self.show_users(node);
        self.send_claims(|home| home.node() == node);
        self.evict_again(node);
        self.enrol(|home| home.node() == node);
        self.tell_left_behind(|home| home.node() == node);
        self.games_compared(node);
        self.claim_anew(|home, _| home.node() == node);
        self.refuse_waits(turn, |work| asks_any(work, &BTreeSet::from([node])));
    }

    // ---- users -----------------------------------------------------------------------------------------------------

    /// Tells a node of all users of this shard.
    fn show_users(&mut self, node: u8) {
        let sessions = self.sessions.iter();
        let users = sessions.filter_map(|(&conn, session)| {
            let user = session.user.as_ref()?;
            Some(user.listed(conn))
        });
        let mut users: Vec<Listed> = users.collect();
        users.sort_unstable_by_key(|user| user.conn);
        for shard in self.topology.shards_of(node) {
            let shown = ToDirectory::Shown(users.clone());
            self.post.tell(shard, Item::Directory(shown));
        }
    }

    /// A shard has named all of its users.
    pub(super) fn users_shown(&mut self, turn: &mut CockatriceTurn<'_>, shown: Vec<Listed>) {
        let from = self.from;
        self.unseen.remove(&from);
        let conns: BTreeSet<ConnId> = shown.iter().map(|user| user.conn).collect();
        let is_gone = |user: &Listed| user.conn.shard == from && !conns.contains(&user.conn);
        self.directory.beneath.retain(|user| !is_gone(user));
        let users = self.directory.users.values();
        let gone = users.filter(|user| is_gone(user));
        let gone: Vec<Box<str>> = gone.map(|user| user.name.clone()).collect();
        for name in gone {
            self.user_gone(turn, &name);
        }
        for user in shown {
            let beneath = self.directory.beneath.iter();
            let mut known = self
                .directory
                .users
                .get(&user.name)
                .into_iter()
                .chain(beneath);
            match known.find(|known| known.conn == user.conn) {
                Some(known) if *known == user => {}
                Some(_) => {
                    let changed = ToDirectory::Changed { user, told: true };
                    self.in_directory(turn, changed);
                }
                None => self.in_directory(turn, ToDirectory::Joined(user)),
            }
        }
    }

    /// Somebody is no longer there; who had the name by an earlier grant is, if they have not been ended yet.
    pub(super) fn user_gone(&mut self, turn: &mut CockatriceTurn<'_>, name: &str) {
        if self.directory.users.remove(name).is_some() {
            turn.fan_out(Audience::Topic(USERS), protocol::user_left(name));
        }
        let beneath = self.directory.beneath.iter();
        let others = beneath.filter(|user| *user.name == *name);
        if let Some(next) = others.max_by_key(|user| user.epoch).cloned() {
            self.in_directory(turn, ToDirectory::Joined(next));
        }
    }

    /// A tick: whoever was on a node that has not been reached for too long is gone.
    pub(super) fn tick_away(&mut self, turn: &mut CockatriceTurn<'_>) {
        if !self.is_disturbed {
            return;
        }
        let users = self.directory.users.values().chain(&self.directory.beneath);
        let users = users.map(|user| user.conn);
        let inside = self
            .rooms
            .values()
            .flat_map(|room| room.names.keys().copied());
        let nodes = users
            .chain(inside)
            .filter(|conn| !self.topology.reaches(conn.shard));
        let nodes: BTreeSet<u8> = nodes.map(|conn| conn.shard.node()).collect();
        self.away.retain(|node, _| nodes.contains(node));
        let (now, grace) = (self.mono, self.settings.nodes.grace);
        let is_over = |since: Duration| since + grace <= now;
        let over: BTreeSet<u8> = nodes
            .into_iter()
            .filter(|&node| is_over(*self.away.entry(node).or_insert(now)))
            .collect();
        self.is_disturbed = !self.away.is_empty();
        let topology = &self.topology;
        let is_lost =
            |conn: ConnId| over.contains(&conn.shard.node()) && !topology.reaches(conn.shard);
        let mut lost_members: Vec<(u32, ConnId)> = Vec::new();
        for (&room, state) in &self.rooms {
            let lost = state.names.keys().filter(|conn| is_lost(**conn));
            lost_members.extend(lost.map(|&conn| (room, conn)));
        }
        self.directory.beneath.retain(|user| !is_lost(user.conn));
        let users = self.directory.users.values();
        let lost: Vec<Listed> = users.filter(|user| is_lost(user.conn)).cloned().collect();
        for (room, conn) in lost_members {
            self.left(room, conn);
        }
        for user in lost {
            self.user_gone(turn, &user.name);
            let is_home = self.topology.home(&user.name) == self.shard;
            if is_home && self.topology.is_in_touch() {
                self.session_over(user.session); // its own node can't say so
            }
        }
    }

    // ---- games -----------------------------------------------------------------------------------------------------

    /// Nodes are lost, or this one is: their users are out of this shard's games, and this shard's out of theirs.
    fn games_cut_off(&mut self, turn: &mut CockatriceTurn<'_>, silent: &BTreeSet<u8>) {
        let mut cut = Vec::new();
        for (&game, table) in &self.tables {
            let conns = table.seats.values().map(|seat| seat.conn);
            let away = conns.filter(|conn| silent.contains(&conn.shard.node()));
            cut.extend(away.map(|conn| (game, conn)));
        }
        for (game, conn) in cut {
            self.connection_lost(game, conn);
        }
        let mut over = Vec::new();
        for (&conn, session) in &self.sessions {
            let games = session.games.iter();
            let there = games.filter(|(_, taking)| silent.contains(&taking.shard.node()));
            over.extend(there.map(|(&game, _)| (conn, game)));
        }
        over.sort_unstable();
        for (conn, game) in over {
            self.game_lost(turn, conn, game);
        }
        let lost_games = |shard: ShardId| silent.contains(&shard.node());
        for room in self.rooms_there_are() {
            let foreign = self.rooms.get(&room).map(|state| state.foreign.values());
            let lost = foreign.into_iter().flatten();
            let lost = lost.filter(|game| lost_games(game.shard));
            let lost: Vec<u32> = lost.map(|game| game.game).collect();
            for game in lost {
                self.game_over(room, game);
            }
        }
    }

    /// A game that somebody is in can't be reached any more: for them it is over.
    fn game_lost(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, game: u32) {
        let session = self.sessions.get_mut(&conn);
        let taking = session.and_then(|session| session.games.remove(&game));
        if taking.is_some() {
            self.metrics.games_lost.up();
            turn.send(conn, closed_message(game));
        }
    }

    /// The lane to a node has broken: both sides see whether they still agree about who is in which game, and whoever is gets the
    /// game's present state, since moves were lost.
    fn games_compared(&mut self, node: u8) {
        let here = self.shard;
        let mut seated = Vec::new();
        for (&game, table) in &self.tables {
            for (&id, seat) in &table.seats {
                if seat.conn.shard.node() == node {
                    seated.push((game, seat.conn, table.game.snapshot_for(id)));
                }
            }
        }
        for (game, conn, state) in seated {
            self.post.session(conn, ToSession::StillIn(game, here));
            if let Some(state) = state {
                let send = Delivery::Send(conn, state);
                self.post.tell(conn.shard, Item::Show(send));
            }
        }
        let mut takings = Vec::new();
        for (&conn, session) in &self.sessions {
            let games = session.games.iter();
            let there = games.filter(|(_, taking)| taking.shard.node() == node);
            takings.extend(there.map(|(&game, taking)| (conn, game, taking.shard)));
        }
        takings.sort_unstable();
        for (conn, game, shard) in takings {
            self.tell_game(shard, game, ToGame::Still(conn));
        }
    }

    /// A connection takes itself for a participant of a game that is said to be here: if it is not, it hears so.
    pub(super) fn is_still_in(&mut self, game: u32, conn: ConnId) {
        let table = self.tables.get(&game);
        if table.is_none_or(|table| table.participant(conn).is_none()) {
            let closed = Delivery::Send(conn, closed_message(game));
            self.post.tell(conn.shard, Item::Show(closed));
            self.post.session(conn, ToSession::Removed(game));
        }
    }

    /// A game takes a connection for a participant: if it is not, the game hears so.
    pub(super) fn is_still_seated(&mut self, conn: ConnId, game: u32, shard: ShardId) {
        let session = self.sessions.get(&conn);
        if session.is_none_or(|session| !session.games.contains_key(&game)) {
            self.tell_game(shard, game, ToGame::Lost(conn));
        }
    }

    /// Tells homes which of their names keep a place in games of this shard without a connection.
    fn tell_left_behind(&mut self, is_meant: impl Fn(ShardId) -> bool) {
        let mut behind = Vec::new();
        for (&game, table) in &self.tables {
            for (id, person, _) in table.game.participants() {
                if person.registered && !table.seats.contains_key(&id) {
                    behind.push((person.name.clone(), game, table.room));
                }
            }
        }
        for (name, game, room) in behind {
            if is_meant(self.topology.home(&name)) {
                self.tell_behind(name, game, room);
            }
        }
    }

    /// Somebody keeps a place in a game of this shard without a connection.
    pub(super) fn tell_behind(&mut self, name: Box<str>, game: u32, room: u32) {
        let place = Place {
            room,
            shard: self.shard,
        };
        self.tell_home(&name.clone(), ToRegistry::Behind { name, game, place });
    }

    // ---- who waits -------------------------------------------------------------------------------------------------

    /// A tick: whoever has waited for another node for too long is refused.
    pub(super) fn tick_waits(&mut self, turn: &mut CockatriceTurn<'_>) {
        if self.topology.is_clustered() {
            let now = self.mono;
            let is_over = |work: &Work| work.wait.until.is_some_and(|until| until <= now);
            self.refuse_waits(turn, is_over);
        }
    }

    /// Rooms may have moved: whoever is about to enter one asks its home. What is still said where it was counts for nothing, since
    /// it may be older than what clients of this shard were told before they entered.
    fn join_anew(&mut self, turn: &CockatriceTurn<'_>, silent: &BTreeSet<u8>) {
        let mut again = Vec::new();
        for (&conn, session) in &self.sessions {
            let work = session.work.as_deref();
            let work = work.filter(|work| !asks_any(work, silent));
            let room = work.and_then(|work| work.joining);
            if let (Some(room), Some(user)) = (room, &session.user) {
                again.push((conn, room, user.listed(conn)));
            }
        }
        again.sort_unstable_by_key(|(conn, ..)| *conn);
        for (conn, room, member) in again {
            self.begin_step();
            self.tell_room(room, ToRoom::Join(member));
            let wait = self.post.wait(turn.now.mono, self.topology.is_clustered());
            let session = self.sessions.get_mut(&conn);
            if let Some(work) = session.and_then(|session| session.work.as_mut()) {
                work.wait = wait;
            }
        }
    }

    fn refuse_waits(&mut self, turn: &mut CockatriceTurn<'_>, is_meant: impl Fn(&Work) -> bool) {
        let waits = |session: &Session| session.work.as_deref().is_some_and(&is_meant);
        let sessions = self.sessions.iter();
        let waiting = sessions.filter(|(_, session)| waits(session));
        let mut waiting: Vec<ConnId> = waiting.map(|(&conn, _)| conn).collect();
        waiting.sort_unstable();
        for conn in waiting {
            self.refuse_wait(turn, conn);
        }
    }

    /// There will be no answer, or none that counts: what was asked has failed, and is taken back where it may have been done.
    fn refuse_wait(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let session = self.sessions.get_mut(&conn);
        let Some(session) = session.filter(|session| session.work.is_some()) else {
            return;
        };
        self.metrics.node_refusals.up();
        self.steps += 1;
        let mut code = ResponseCode::RespInternalError;
        let (mut left, mut released) = (None, None);
        if let Some(work) = &mut session.work {
            work.waits = 1;
            work.wait.step = self.steps;
            work.wait.until = None;
            (work.then, work.gather) = (None, None);
            left = work.joining.take();
            if std::mem::take(&mut work.resumes) {
                code = ResponseCode::RespOk; // but for the games, all is well
            }
            let newcomer = work.newcomer.take();
            released = newcomer.and_then(|newcomer| newcomer.claiming);
        }
        if let Some(room) = left {
            session.rooms.remove(&room);
        }
        let outside = (0..self.room_settings.len() as u32).filter(|r| !session.rooms.contains(r));
        for room in outside {
            turn.leave(conn, members(room)); // one that is left may not have answered
        }
        if let Some(room) = left {
            self.tell_room(room, ToRoom::Gone(conn));
        }
        if let Some(claiming) = released {
            let name = claiming.name;
            let games = Default::default();
            self.tell_home(&name.clone(), ToRegistry::Release { name, conn, games });
        }
        self.reply(turn, conn, Reply::code(code));
    }
}

/// Whether an answer of one of these nodes is waited for. A claim is not refused, but made again.
fn asks_any(work: &Work, nodes: &BTreeSet<u8>) -> bool {
    let newcomer = work.newcomer.as_ref();
    let claims = newcomer.is_some_and(|newcomer| newcomer.claiming.is_some());
    let asked = |node: &u8| work.wait.nodes & 1 << (node % 64) != 0;
    !claims && work.wait.until.is_some() && nodes.iter().any(asked)
}
