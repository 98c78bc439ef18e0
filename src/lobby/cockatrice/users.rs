//! Who is there, and private messages (spec: cockatrice-behaviour 3.2).

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::messages::{CommandMessage, ResponseCode, ServerInfoUser, decode, encode, raw};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Delivery, Item, ToRoom},
    protocol,
    state::{
        directory::USERS,
        session::User,
        work::{Flow, Gather, Reply, Work},
    },
};
use crate::ConnId;

/// Numbers of what extends these answers.
const LIST_USERS: u32 = 1001;
const GAMES_OF_USER: u32 = 1002;
const USER_INFO: u32 = 1003;

impl Cockatrice {
    /// Who the connection is, if it has signed in.
    pub(super) fn user(&self, conn: ConnId) -> Option<&User> {
        self.sessions.get(&conn)?.user.as_deref()
    }

    /// Everybody who is there; from now on the connection is told who comes and goes.
    pub(super) fn list_users(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) -> Flow {
        turn.enter(conn, USERS);
        Flow::Done(Reply {
            body: Some(protocol::listed(LIST_USERS, &self.users_listed(1)).into()),
            ..Reply::code(ResponseCode::RespOk)
        })
    }

    /// What is known of somebody; of whom nothing is known, the name (spec: cockatrice-behaviour 3.2).
    pub(super) fn user_info(&self, conn: ConnId, name: &str) -> Flow {
        let record = if name.is_empty() {
            self.own_record(conn)
        } else {
            match self.directory.users.get(name) {
                Some(user) => user.public.to_vec(),
                None => encode(&ServerInfoUser {
                    name: Some(name.into()),
                    user_level: Some(1),
                    ..ServerInfoUser::default()
                }),
            }
        };
        Flow::Done(Reply {
            body: Some(protocol::listed(USER_INFO, &protocol::listed(1, &record)).into()),
            ..Reply::code(ResponseCode::RespOk)
        })
    }

    /// Everything that is known of the user of a connection, for themselves (spec: cockatrice-behaviour 2).
    fn own_record(&self, conn: ConnId) -> Vec<u8> {
        let session = self.sessions.get(&conn);
        let Some((session, user)) = session.and_then(|s| Some((s, s.user.as_ref()?))) else {
            return Vec::new();
        };
        let mut record: ServerInfoUser<'_> = decode(&user.public).unwrap_or_default();
        record.address = Some(session.address.to_string().into());
        record.session_id = Some(user.session_id);
        record.clientid = (!user.client_id.is_empty()).then(|| (&*user.client_id).into());
        encode(&record)
    }

    /// A message to one user, who may be oneself: both get it (spec: cockatrice-behaviour 3.2).
    pub(super) fn private_message(&mut self, conn: ConnId, message: &CommandMessage<'_>) -> Flow {
        let receiver = message.user_name();
        let Some(to) = self.directory.users.get(&*receiver).map(|user| user.conn) else {
            return Flow::code(ResponseCode::RespNameNotFound);
        };
        let text = message.message.as_deref().unwrap_or_default();
        if !self.may_talk(conn, text.len()) {
            return Flow::code(ResponseCode::RespChatFlood);
        }
        let Some(session) = self.sessions.get_mut(&conn) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        session.acts(self.ticks);
        let Some(user) = &session.user else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        self.metrics.private_lines.up();
        let said = protocol::user_message(&user.name, &receiver, text);
        let mut reply = Reply::code(ResponseCode::RespOk);
        if to == conn {
            reply.before.push(said.clone());
        } else {
            let delivery = Delivery::Send(to, said.clone());
            self.post.to(to.shard, Item::Show(delivery));
        }
        reply.before.push(said);
        Flow::Done(reply)
    }

    /// Counts something that is said. Whether it may be (spec: cockatrice-behaviour 7).
    pub(super) fn may_talk(&mut self, conn: ConnId, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return true;
        };
        let limits = self.settings.chat();
        let may = session.chat.attempt(self.ticks, bytes, &limits);
        if !may {
            self.metrics.floods.up();
        }
        may
    }

    /// Asks every room which of its games a user is in.
    pub(super) fn games_of_user(&mut self, conn: ConnId, name: &str, work: &mut Work) -> Flow {
        if !self.directory.users.contains_key(name) {
            return Flow::code(ResponseCode::RespNameNotFound);
        }
        let rooms = self.rooms_there_are();
        work.gather = Some(Gather {
            left: rooms.len(),
            games: BTreeMap::new(),
        });
        let mut elsewhere = self.shard;
        for room in rooms {
            let shard = self.topology.room(room);
            if shard != self.shard {
                elsewhere = shard;
            }
            let name = name.into();
            self.tell_room(room, ToRoom::GamesOf { conn, name });
        }
        Flow::Wait(elsewhere)
    }

    /// A room has answered; the last one makes the answer whole: all rooms, then the games in their order.
    pub(super) fn games_told(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        room: u32,
        games: Bytes,
    ) {
        let session = self.sessions.get_mut(&conn);
        let work = session.and_then(|session| session.work.as_mut());
        let Some(gather) = work.and_then(|work| work.gather.as_mut()) else {
            return;
        };
        gather.games.insert(room, games);
        gather.left -= 1;
        if gather.left > 0 {
            return;
        }
        let games = std::mem::take(&mut gather.games);
        let mut body = Vec::new();
        for room in self.rooms_there_are() {
            raw::block(
                &mut body,
                1,
                &self.room_with_types(room, self.room_counts(room)),
            );
        }
        for games in games.values() {
            body.extend_from_slice(games);
        }
        let reply = Reply {
            body: Some(protocol::listed(GAMES_OF_USER, &body).into()),
            ..Reply::code(ResponseCode::RespOk)
        };
        self.reply(turn, conn, reply);
    }
}
