//! What an answer of the store changes for those who are there: records, lists, rights, and what somebody is told.

use bytes::Bytes;
use cockatrice::messages::{
    CloseReason, EventNotifyUser, NotificationType, ResponseCode, SessionEventBody, encode,
};

use crate::{
    ConnId,
    cockatrice::{
        Cockatrice, CockatriceTurn,
        account::{Account, Form},
        mail::{Delivery, Eject, Item, ToDirectory, ToRoom, ToSession},
        protocol,
        questions::{
            AskReports, Banned, Change, ListChange, Notice, Outcome, ReportRequest, Who, event,
        },
        state::work::Reply,
    },
    question::StoreFailure,
};

/// Who tells staff what staff has done.
const SERVER: &str = "Servatrice";
/// What somebody is told who has lost rights.
const REVOKED: &str = "Your moderator and/or judge status has been revoked.";

impl Cockatrice {
    /// The store has answered a command.
    pub(super) fn settled(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        outcome: Outcome,
    ) {
        let before = outcome.before.iter();
        let mut reply = Reply {
            body: outcome.body,
            before: before.map(|event| protocol::session(event)).collect(),
            ..Reply::code(outcome.code)
        };
        self.tell_of(turn, outcome.notices);
        if let Some(told) = outcome.staff {
            self.tell_staff(conn, &told, &mut reply);
        }
        // What is told of a change comes in front of the answer; sessions that it ends end behind it.
        match outcome.change {
            Some(Change::Record { account, told }) => {
                if self.change_record(conn, account) {
                    self.spread_user(conn, told);
                }
                self.post.session(conn, ToSession::Reply(reply));
            }
            Some(Change::List(change)) => {
                self.change_list(conn, change);
                self.post.session(conn, ToSession::Reply(reply));
            }
            Some(Change::Banned(banned)) => {
                self.post.session(conn, ToSession::Reply(reply));
                self.eject_banned(*banned);
            }
            Some(Change::Rights(name, steps)) => {
                for _ in steps.iter().take_while(|more| **more) {
                    self.promoted(turn, name.clone());
                }
                self.post.session(conn, ToSession::Reply(reply));
                if steps.contains(&false) {
                    self.demoted(turn, name);
                }
            }
            None => self.post.session(conn, ToSession::Reply(reply)),
        }
    }

    /// Tells those who are there, and has the store know that they have been told.
    fn tell_of(&mut self, turn: &mut CockatriceTurn<'_>, notices: Vec<Notice>) {
        let mut delivered = Vec::new();
        for Notice { to, event, pending } in notices {
            let Some(conn) = self.there(&to) else {
                continue;
            };
            self.tell(conn, protocol::session(&event));
            delivered.extend(pending);
        }
        if !delivered.is_empty() {
            turn.ask(AskReports {
                who: Who::default(),
                request: ReportRequest::Delivered(delivered),
            });
        }
    }

    /// Sends a message to a connection of any shard.
    fn tell(&mut self, conn: ConnId, message: Bytes) {
        let delivery = Delivery::Send(conn, message);
        self.post.to(conn.shard, Item::Show(delivery));
    }

    /// Tells all moderators and administrators; whoever has done it in front of the answer.
    fn tell_staff(&mut self, by: ConnId, told: &str, reply: &mut Reply) {
        let users = self.directory.users.values();
        let staff = users.filter(|user| user.level.is_moderator());
        let messages: Vec<(ConnId, Bytes)> = staff
            .map(|user| {
                let message = protocol::user_message(SERVER, &user.name, told.as_bytes());
                (user.conn, message)
            })
            .collect();
        for (conn, message) in messages {
            match conn == by {
                true => reply.before.push(message),
                false => self.tell(conn, message),
            }
        }
    }

    /// An account is another one now. Rights are those of the sign-in until the next one (spec: cockatrice-behaviour 8).
    /// Whether its user is still there.
    fn change_record(&mut self, conn: ConnId, mut account: Box<Account>) -> bool {
        let session = self.sessions.get_mut(&conn);
        let Some(user) = session.and_then(|session| session.user.as_mut()) else {
            return false;
        };
        if let Some(before) = &user.account {
            account.admin = before.admin;
            account.age_s = before.age_s;
            account.showed_password = before.showed_password;
            account.client_id = before.client_id.clone();
        }
        user.public = encode(&account.record(Form::Public)).into();
        user.account = Some(account);
        true
    }

    /// Others see a user's record as it is now.
    pub(in crate::cockatrice) fn spread_user(&mut self, conn: ConnId, told: bool) {
        let Some(session) = self.sessions.get(&conn) else {
            return;
        };
        let Some(user) = session.user.as_ref().map(|user| user.listed(conn)) else {
            return;
        };
        let rooms: Vec<u32> = session.rooms.iter().copied().collect();
        for room in rooms {
            self.tell_room(room, ToRoom::Changed(user.clone()));
        }
        self.tell_everywhere(ToDirectory::Changed { user, told });
    }

    /// Somebody has put somebody on a list, or taken them off: it counts at once, in the games that they have created as well.
    fn change_list(&mut self, conn: ConnId, change: ListChange) {
        let session = self.sessions.get_mut(&conn);
        let Some(user) = session.and_then(|session| session.user.as_mut()) else {
            return;
        };
        user.lists.change(&change);
        let owner = user.name.clone();
        self.tell_everywhere(ToDirectory::Lists { owner, change });
    }

    /// Everybody whom a ban is of goes.
    fn eject_banned(&mut self, banned: Banned) {
        let until = banned.until_s.map(|until| until as u32);
        let reason = Some(&*banned.reason).filter(|reason| !reason.is_empty());
        let last = protocol::connection_closed(CloseReason::Banned, reason, until);
        self.eject(Eject {
            names: banned.users,
            address: banned.address,
            last,
        });
    }

    /// Ends sessions, wherever they are.
    fn eject(&mut self, eject: Eject) {
        for shard in self.topology.in_reach() {
            let eject = Box::new(eject.clone());
            self.post.to(shard, Item::Eject(eject));
        }
    }

    fn promoted(&mut self, turn: &mut CockatriceTurn<'_>, name: Box<str>) {
        let promoted = EventNotifyUser {
            r#type: Some(NotificationType::Promoted),
            ..EventNotifyUser::default()
        };
        let event = event(SessionEventBody::NotifyUser(promoted));
        let notice = Notice {
            to: name,
            event,
            pending: None,
        };
        self.tell_of(turn, vec![notice]);
    }

    fn demoted(&mut self, turn: &mut CockatriceTurn<'_>, name: Box<str>) {
        let now = turn.now.unix.as_secs() as u32;
        let last = protocol::connection_closed(CloseReason::Demoted, Some(REVOKED), Some(now));
        self.eject(Eject {
            names: vec![name],
            address: Box::default(),
            last,
        });
    }

    /// Here are those whose sessions end, or would begin in a moment: what they were asked for may be of before.
    pub(in crate::cockatrice) fn ejected(&mut self, turn: &mut CockatriceTurn<'_>, eject: &Eject) {
        let is_meant = |session: &crate::cockatrice::state::session::Session| {
            let user = session.user.as_deref();
            let work = session.work.as_deref();
            let newcomer = work.and_then(|work| work.newcomer.as_ref());
            let by_name = user.is_some_and(|user| eject.names.contains(&user.name))
                || newcomer.is_some_and(|new| eject.names.iter().any(|name| new.is_named(name)));
            let by_address = !eject.address.is_empty()
                && session.address.to_canonical().to_string() == *eject.address;
            !session.gone && (by_name || by_address)
        };
        let sessions = self.sessions.iter();
        let meant = sessions.filter(|(_, session)| is_meant(session));
        let mut conns: Vec<ConnId> = meant.map(|(&conn, _)| conn).collect();
        conns.sort_unstable();
        self.metrics.ejected.add(conns.len() as u64);
        for conn in conns {
            self.end_with(turn, conn, eject.last.clone(), "thrown out by a moderator");
        }
    }

    /// An administrator has everybody told the server's message; if there is none, nobody is told anything.
    pub(super) fn announce(
        &mut self,
        conn: ConnId,
        message: Result<Option<Box<str>>, StoreFailure>,
    ) {
        let code = match &message {
            Ok(_) => ResponseCode::RespOk,
            Err(_) => ResponseCode::RespInternalError,
        };
        self.post.session(conn, ToSession::Reply(Reply::code(code)));
        if let Ok(Some(message)) = message {
            let told = protocol::server_message(&message);
            for shard in self.topology.in_reach() {
                let delivery = Delivery::SendAll(told.clone());
                self.post.to(shard, Item::Show(delivery));
            }
        }
    }
}
