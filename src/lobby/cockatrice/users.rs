//! Who is there, and private messages (spec: cockatrice-behaviour 3.2).

use std::collections::BTreeMap;

use bytes::Bytes;
use cockatrice::messages::{CommandMessage, ResponseCode, ServerInfoUser, decode, encode, raw};

use super::{
    Cockatrice, CockatriceTurn,
    account::Form,
    mail::{Delivery, Item, ToRoom, ToSession},
    protocol,
    questions::Place,
    state::{
        directory::USERS,
        session::{Session, User},
        work::{Flow, Gather, Reply, Then, Work},
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
    pub(super) fn user_info(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: &str,
    ) -> Flow {
        let staff = self.is_staff(conn);
        let there = self.there(name);
        let record = if name.is_empty() {
            self.own_record(conn)
        } else if let Some(there) = there {
            if there.shard != self.shard {
                let name = name.into();
                let asker = conn;
                let look = ToSession::Look { asker, name, staff };
                self.post.session(there, look);
                return Flow::Wait(there.shard);
            }
            self.profile_of(there, name, staff)
        } else if self.has_accounts() {
            return self.look_up(turn, conn, name);
        } else {
            nothing_but_name(name)
        };
        Flow::Done(told_of(&record))
    }

    /// Somebody elsewhere wants to see the record of a user of this shard.
    pub(super) fn looked_at(&mut self, conn: ConnId, asker: ConnId, name: &str, staff: bool) {
        let reply = told_of(&self.profile_of(conn, name, staff));
        self.post.session(asker, ToSession::Reply(reply));
    }

    /// The record of the user of a connection, as others may see it. Staff sees more (spec: cockatrice-behaviour 2). Of somebody who
    /// has just gone it is their name.
    fn profile_of(&self, conn: ConnId, name: &str, staff: bool) -> Vec<u8> {
        let session = self.sessions.get(&conn);
        let Some((session, user)) = session.and_then(|s| Some((s, s.user.as_ref()?))) else {
            return nothing_but_name(name);
        };
        let profile = user.profile();
        if !staff {
            return profile.into();
        }
        let mut record: ServerInfoUser<'_> = decode(&profile).unwrap_or_default();
        with_session(&mut record, session, user);
        // As in the user's own record: the installation of the time before.
        let client_id = user.account.as_ref().map(|account| &*account.client_id);
        if let Some(client_id) = client_id.filter(|id| !id.is_empty()) {
            record.clientid = Some(client_id.to_owned().into());
        }
        encode(&record)
    }

    fn is_staff(&self, conn: ConnId) -> bool {
        self.user(conn)
            .is_some_and(|user| user.level.is_moderator())
    }

    /// Everything that is known of the user of a connection, for themselves (spec: cockatrice-behaviour 2). The installation is the
    /// one that the account was used with before, as the recorded server has it.
    fn own_record(&self, conn: ConnId) -> Vec<u8> {
        let session = self.sessions.get(&conn);
        let Some((session, user)) = session.and_then(|s| Some((s, s.user.as_ref()?))) else {
            return Vec::new();
        };
        let mut record: ServerInfoUser<'_> = match &user.account {
            Some(account) => account.record(Form::Own),
            None => decode(&user.public).unwrap_or_default(),
        };
        with_session(&mut record, session, user);
        encode(&record)
    }

    /// A message to one user, who may be oneself: both get it (spec: cockatrice-behaviour 3.2).
    pub(super) fn private_message(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        message: &CommandMessage<'_>,
        work: &mut Work,
    ) -> Flow {
        let receiver = message.user_name();
        let Some(to) = self.there(&receiver) else {
            return Flow::code(ResponseCode::RespNameNotFound);
        };
        let text = message.message.as_deref().unwrap_or_default();
        let tell = Then::Tell {
            to,
            receiver: (*receiver).into(),
            text: Bytes::copy_from_slice(text),
        };
        self.if_wanted(turn, conn, to, tell, false, work)
    }

    /// Does something about the user of another connection, unless they ignore whoever does it.
    fn if_wanted(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        to: ConnId,
        then: Then,
        exempt: bool,
        work: &mut Work,
    ) -> Flow {
        if !self.has_accounts() {
            return self.agreed(turn, conn, then, 0, work);
        }
        let Some(name) = self.user(conn).map(|user| user.name.clone()) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        if to.shard != self.shard {
            work.then = Some(then);
            let may = ToSession::May {
                asker: conn,
                name,
                exempt,
            };
            self.post.session(to, may);
            return Flow::Wait(to.shard);
        }
        match self.objects(to, &name, exempt) {
            Err(code) => Flow::code(code),
            Ok(account) => self.agreed(turn, conn, then, account, work),
        }
    }

    /// Why the user of a connection of this shard wants nothing of somebody; otherwise their account, 0 for none.
    fn objects(&self, conn: ConnId, name: &str, exempt: bool) -> Result<u32, ResponseCode> {
        let user = self.user(conn).ok_or(ResponseCode::RespNameNotFound)?;
        match user.lists.ignores(name) && !exempt {
            true => Err(ResponseCode::RespInIgnoreList),
            false => Ok(user.account.as_ref().map_or(0, |account| account.id)),
        }
    }

    /// Somebody elsewhere wants to do something that the user of this connection may not want of them.
    pub(super) fn may(&mut self, conn: ConnId, asker: ConnId, name: &str, exempt: bool) {
        let told = match self.objects(conn, name, exempt) {
            Err(code) => ToSession::Reply(Reply::code(code)),
            Ok(account) => ToSession::Agreed(account),
        };
        self.post.session(asker, told);
    }

    /// The user whom it concerns has no objection.
    pub(super) fn has_agreed(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, account: u32) {
        let session = self.sessions.get_mut(&conn);
        let Some(mut work) = session.and_then(|session| session.work.take()) else {
            return;
        };
        let flow = match work.then.take() {
            Some(then) => self.agreed(turn, conn, then, account, &mut work),
            None => Flow::code(ResponseCode::RespInternalError),
        };
        work.wait = self.post.wait(self.mono, self.topology.is_clustered());
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.work = Some(work);
        }
        if let Flow::Done(reply) = flow {
            self.reply(turn, conn, reply);
        }
    }

    fn agreed(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        then: Then,
        account: u32,
        work: &mut Work,
    ) -> Flow {
        match then {
            Then::Tell { to, receiver, text } => {
                let flow = self.tell_privately(conn, to, &receiver, &text);
                let at_s = turn.now.unix.as_secs();
                let is_told =
                    matches!(&flow, Flow::Done(reply) if reply.code == ResponseCode::RespOk);
                if is_told && let Some(line) = self.speaker(conn, at_s, Place::Chat) {
                    self.log(*line, &text, account, &receiver);
                }
                flow
            }
            Then::Games(name) => self.gather_games(conn, &name, work),
        }
    }

    fn tell_privately(&mut self, conn: ConnId, to: ConnId, receiver: &str, text: &[u8]) -> Flow {
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
        let said = protocol::user_message(&user.name, receiver, text);
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
        if let Some(user) = &session.user
            && self.standing.muted.of(&user.name, self.unix).is_some()
        {
            self.metrics.muted_lines.up();
            return false;
        }
        let limits = self.settings.chat();
        let may = session.chat.attempt(self.ticks, bytes, &limits);
        if !may {
            self.metrics.floods.up();
        }
        may
    }

    /// The games that a user is in, unless they ignore whoever asks.
    pub(super) fn games_of_user(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        name: &str,
        work: &mut Work,
    ) -> Flow {
        let Some(there) = self.there(name) else {
            return Flow::code(ResponseCode::RespNameNotFound);
        };
        let exempt = self.is_staff(conn);
        self.if_wanted(turn, conn, there, Then::Games(name.into()), exempt, work)
    }

    /// Asks every room which of its games a user is in.
    fn gather_games(&mut self, conn: ConnId, name: &str, work: &mut Work) -> Flow {
        let rooms = self.rooms_there_are();
        work.gather = Some(Gather {
            left: rooms.len(),
            games: BTreeMap::new(),
        });
        self.ask_rooms(rooms, || ToRoom::GamesOf {
            conn,
            name: name.into(),
        })
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

/// The record of somebody of whom nothing is known.
fn nothing_but_name(name: &str) -> Vec<u8> {
    encode(&ServerInfoUser {
        name: Some(name.into()),
        user_level: Some(1),
        ..ServerInfoUser::default()
    })
}

/// The answer to who looks at a record.
fn told_of(record: &[u8]) -> Reply {
    Reply {
        body: Some(protocol::listed(USER_INFO, &protocol::listed(1, record)).into()),
        ..Reply::code(ResponseCode::RespOk)
    }
}

/// Puts into a record where the session comes from, and its number.
fn with_session(record: &mut ServerInfoUser<'_>, session: &Session, user: &User) {
    record.address = Some(session.address.to_canonical().to_string().into());
    record.session_id = Some(user.session_id);
}
