//! A room, on its shard: who is in it, what was said, entering and leaving (spec: cockatrice-behaviour 4).
//!
//! Everything that members can see of each other goes through here, one thing after the other, so that all see the same
//! order whatever shard they are on. What they are told is put together once, and sent to each shard that has members.

use bytes::Bytes;
use cockatrice::{
    messages::{CommandRoomSay, ResponseCode, raw},
    text,
};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Delivery, Item, ToDirectory, ToRoom, ToSession},
    protocol,
    questions::Place,
    state::{
        directory::{Listed, members},
        work::{Flow, Reply, Work},
    },
};
use crate::ConnId;

/// What extends the answer to who enters a room.
const JOIN_ROOM: u32 = 1000;

impl Cockatrice {
    // ---- on the member's shard ---------------------------------------------------------------------------------

    /// Somebody wants to enter a room (spec: cockatrice-behaviour 4.3).
    pub(super) fn join_room(&mut self, conn: ConnId, room: u32, work: &mut Work) -> Flow {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        let Some(user) = &session.user else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        if session.rooms.contains(&room) {
            return Flow::code(ResponseCode::RespContextError);
        }
        let Some(described) = self.room_settings.get(room as usize) else {
            return Flow::code(ResponseCode::RespNameNotFound);
        };
        if !described.admits(user.level, user.privilege()) {
            return Flow::code(ResponseCode::RespUserLevelTooLow);
        }
        let member = user.listed(conn);
        session.rooms.insert(room);
        work.joining = Some(room);
        self.tell_room(room, ToRoom::Join(member));
        Flow::Wait(self.topology.room(room))
    }

    pub(super) fn leave_room(&mut self, conn: ConnId, room: u32) -> Flow {
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.rooms.remove(&room);
        }
        self.tell_room(room, ToRoom::Leave(conn));
        Flow::Wait(self.topology.room(room))
    }

    pub(super) fn room_say(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        room: u32,
        say: &CommandRoomSay<'_>,
    ) -> Flow {
        let said = say.message();
        if !self.may_talk(conn, say.message.as_deref().map_or(0, <[u8]>::len)) {
            return Flow::code(ResponseCode::RespChatFlood);
        }
        let text = text::one_line(&said).into_owned();
        if let Some(line) = self.speaker(conn, turn.now.unix.as_secs(), Place::Room) {
            let settings = self.room_settings.clone();
            let name = settings.get(room as usize).map_or("", |room| &room.name);
            self.log(*line, text.as_bytes(), self.room_id(room), name);
        }
        self.tell_room(room, ToRoom::Say { conn, text });
        Flow::Wait(self.topology.room(room))
    }

    // ---- on the room's shard -----------------------------------------------------------------------------------

    pub(super) fn in_room(&mut self, room: u32, message: ToRoom) {
        let unix_ms = self.unix.as_millis() as u64;
        match message {
            ToRoom::Join(member) => self.joined(room, member),
            ToRoom::Leave(conn) => {
                self.left(room, conn);
                self.reply_to(conn, Reply::code(ResponseCode::RespOk));
            }
            ToRoom::Changed(member) => self.changed(room, member),
            ToRoom::Purge { conn, name, lines } => {
                self.purged(room, &name, lines);
                self.reply_to(conn, Reply::code(ResponseCode::RespOk));
            }
            ToRoom::Gone(conn) => self.left(room, conn),
            ToRoom::Say { conn, text } => {
                self.said(room, conn, &text, unix_ms);
                self.reply_to(conn, Reply::code(ResponseCode::RespOk));
            }
            ToRoom::Create {
                who,
                lists,
                command,
            } => self.created(room, who, lists, &command, unix_ms / 1000),
            ToRoom::Enter { who, command } => self.game_entered(room, who, &command),
            ToRoom::GamesOf { conn, name } => {
                let games = self.games_of(room, &name);
                self.post
                    .session(conn, ToSession::GamesOf(room, games.into()));
            }
            ToRoom::Enrol {
                from,
                members,
                games,
            } => self.enrolled(room, from, members, games),
            ToRoom::News(news, list) => self.game_news_told(room, *news, Some(list)),
            ToRoom::NoGame(game) => self.game_gone(room, game),
            ToRoom::History(history) => self.history_told(room, history),
        }
    }

    pub(super) fn reply_to(&mut self, conn: ConnId, reply: Reply) {
        self.post.session(conn, ToSession::Reply(reply));
    }

    /// Whether a later session of the name is in it: this one is to end.
    pub(super) fn is_outdated(&self, room: u32, member: &Listed) -> bool {
        let state = self.rooms.get(&room);
        let known = state.and_then(|state| state.members.get(&member.name));
        known.is_some_and(|known| known.epoch > member.epoch && known.conn != member.conn)
    }

    /// Somebody is a member from now on.
    pub(super) fn entered(&mut self, room: u32, member: Listed) {
        let conn = member.conn;
        let before = self
            .rooms
            .get(&room)
            .and_then(|state| state.members.get(&member.name));
        if let Some(before) = before.map(|before| before.conn) {
            self.left(room, before); // an older session of that name, of whose end is not known here yet
        }
        let id = self.room_id(room);
        self.spread_here(room, protocol::room_joined(id, &member.public));
        self.tell_pictures(|| ToDirectory::Entered {
            room,
            member: member.clone(),
            told: true,
        });
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        state.enter(member);
        let enter = Delivery::Enter(conn, members(room));
        self.post.to(conn.shard, Item::Show(enter));
        self.room_changed(room);
    }

    /// Somebody enters, and waits to be told what is in it. They may be in already, if the room has moved meanwhile.
    fn joined(&mut self, room: u32, member: Listed) {
        let conn = member.conn;
        if self.is_outdated(room, &member) {
            self.post.session(conn, ToSession::Evicted);
            return self.reply_to(conn, Reply::code(ResponseCode::RespContextError));
        }
        let state = self.rooms.get(&room);
        if state.is_none_or(|state| !state.names.contains_key(&conn)) {
            self.entered(room, member);
        } else {
            let enter = Delivery::Enter(conn, members(room));
            self.post.to(conn.shard, Item::Show(enter));
        }
        let id = self.room_id(room);
        let Some(state) = self.rooms.get(&room) else {
            return;
        };
        let mut after: Vec<Bytes> = Vec::new();
        for line in state.history.lines() {
            after.push(protocol::room_history(id, line.told(), line.time_ms()));
        }
        let described = self.room_settings.get(room as usize);
        let welcome = described.map_or("", |described| &described.join_message);
        after.push(protocol::room_welcome(id, welcome));
        let body = protocol::listed(1, &self.full_room(room));
        let reply = Reply {
            body: Some(protocol::listed(JOIN_ROOM, &body).into()),
            after,
            ..Reply::code(ResponseCode::RespOk)
        };
        self.reply_to(conn, reply);
    }

    /// A room's record with everything in it: members, games, game types.
    fn full_room(&self, room: u32) -> Vec<u8> {
        let Some(state) = self.rooms.get(&room) else {
            return Vec::new();
        };
        // How many there are is known here before it is everywhere.
        let mut record = self.room_with_types(room, state.counts());
        for game in &state.games {
            if let Some(info) = self.record_in(room, *game) {
                raw::block(&mut record, 7, &info);
            }
        }
        for member in state.members.values() {
            raw::block(&mut record, 8, &member.public);
        }
        record
    }

    /// Somebody is no member any more, if they were one.
    pub(super) fn left(&mut self, room: u32, conn: ConnId) {
        let Some(name) = self
            .rooms
            .get_mut(&room)
            .and_then(|state| state.leave(conn))
        else {
            return;
        };
        let leave = Delivery::Leave(conn, members(room));
        self.post.to(conn.shard, Item::Show(leave));
        self.spread_here(room, protocol::room_left(self.room_id(room), &name));
        self.tell_pictures(|| ToDirectory::Exited { room, name });
        self.room_changed(room);
    }

    /// A member's record is another one.
    pub(super) fn changed(&mut self, room: u32, member: Listed) {
        let state = self.rooms.get_mut(&room);
        let known = state.and_then(|state| state.members.get_mut(&member.name));
        if let Some(known) = known.filter(|known| known.conn == member.conn && **known != member) {
            *known = member.clone();
            self.tell_pictures(|| ToDirectory::Entered {
                room,
                member,
                told: false,
            });
        }
    }

    /// What somebody has said last is taken back (spec: cockatrice-behaviour 8).
    fn purged(&mut self, room: u32, name: &str, lines: u32) {
        let id = self.room_id(room);
        if let Some(state) = self.rooms.get_mut(&room) {
            state.history.blank(name, lines);
            self.spread(room, protocol::room_purged(id, name, lines));
        }
    }

    fn said(&mut self, room: u32, conn: ConnId, said: &str, at_ms: u64) {
        let id = self.room_id(room);
        let Some(state) = self.rooms.get_mut(&room) else {
            return;
        };
        let Some(name) = state.names.get(&conn).cloned() else {
            return;
        };
        let message = protocol::room_say(id, &name, said);
        state.history.push(&name, said, at_ms);
        self.metrics.room_lines.up();
        self.spread(room, message);
    }

    /// Tells the members of a room what its other shards tell theirs by themselves, when they hear of it; alone, all of them.
    pub(super) fn spread_here(&mut self, room: u32, message: Bytes) {
        if !self.topology.is_clustered() {
            return self.spread(room, message);
        }
        if self.gathering.get(&room).is_some_and(|room| room.is_new) {
            return; // when it is whole they are told what they do not know
        }
        let here = self.shard;
        let state = self.rooms.get(&room);
        if state.is_some_and(|state| state.shards.contains_key(&here)) {
            let spread = Delivery::Spread(members(room), message);
            self.post.tell(here, Item::Show(spread));
        }
    }

    /// Tells all members of a room.
    pub(super) fn spread(&mut self, room: u32, message: Bytes) {
        let Some(state) = self.rooms.get(&room) else {
            return;
        };
        for &shard in state.shards.keys() {
            if !self.topology.reaches(shard) {
                continue;
            }
            let spread = Delivery::Spread(members(room), message.clone());
            self.post.tell(shard, Item::Show(spread));
        }
    }
}
