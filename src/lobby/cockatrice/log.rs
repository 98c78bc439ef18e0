//! What is written down in the store: what was said, where an operator wants that, and how busy the server is
//! (spec: cockatrice-behaviour 15 `logging`, 16).
//!
//! Lines go out once a tick, all together, or when a moderator wants to read them. What the back office does not take is lost
//! and counted there: nobody waits for it.

use std::time::Duration;

use cockatrice::{messages::ResponseCode, text};

use super::{
    Cockatrice, CockatriceTurn,
    mail::Item,
    questions::{LogLine, NoteStatus, Place, WriteLog},
    state::work::Reply,
    waiting::Writing,
};
use crate::{ConnId, question::Continuation};

/// Lines that wait for the tick; more are written at once.
const LINES: usize = 1_000;

impl Continuation for Writing {
    type Asker = Cockatrice;
    type Question = WriteLog;
    fn resume(self, lobby: &mut Cockatrice, _: &mut CockatriceTurn<'_>, (): ()) {
        lobby.post.begin(self.1);
        lobby.reply_to(self.0, Reply::code(ResponseCode::RespOk));
    }
}

impl Cockatrice {
    /// Whether what is said there is written down.
    pub(super) fn logs(&self, place: Place) -> bool {
        let settings = &self.settings;
        self.has_accounts()
            && match place {
                Place::Room => settings.log_rooms,
                Place::Game => settings.log_games,
                Place::Chat => settings.log_private,
            }
    }

    /// Who says something, as a line of the log tells it.
    pub(super) fn speaker(&self, conn: ConnId, at_s: u64, place: Place) -> Option<Box<LogLine>> {
        let session = self.sessions.get(&conn).filter(|_| self.logs(place))?;
        let user = session.user.as_ref()?;
        Some(Box::new(LogLine {
            at_s,
            sender_id: user.account.as_ref().map_or(0, |account| account.id),
            sender: user.name.clone(),
            address: session.address.to_canonical().to_string().into(),
            text: Box::default(),
            place,
            target_id: 0,
            target: Box::default(),
        }))
    }

    /// Something was said. One shard of a node writes all of it down: lines of one second are read in the order in which they
    /// came to the store.
    pub(super) fn log(&mut self, line: LogLine, said: &[u8], target_id: u32, target: &str) {
        let line = Box::new(LogLine {
            text: text::text(said).into(),
            target_id,
            target: target.into(),
            ..line
        });
        self.post.tell(self.topology.desk(), Item::Log(line));
    }

    /// Something was said on some shard of this node.
    pub(super) fn log_line(&mut self, line: LogLine) {
        self.log.push(line);
        if self.log.len() >= LINES {
            self.write_log();
        }
    }

    /// Whether anything that is said is written down.
    pub(super) fn logs_anything(&self) -> bool {
        [Place::Room, Place::Game, Place::Chat]
            .into_iter()
            .any(|place| self.logs(place))
    }

    /// Somebody wants to read what was said: what waits here for the tick is written at once.
    pub(super) fn write_log_for(&mut self, conn: ConnId) {
        match self.log.is_empty() {
            true => self.reply_to(conn, Reply::code(ResponseCode::RespOk)),
            false => {
                let lines = std::mem::take(&mut self.log);
                let step = self.post.step();
                self.post.ask_for(WriteLog(lines), Writing(conn, step));
            }
        }
    }

    fn write_log(&mut self) {
        if !self.log.is_empty() {
            let lines = std::mem::take(&mut self.log);
            self.post.ask(WriteLog(lines));
        }
    }

    /// A tick.
    pub(super) fn tick_log(&mut self, now: Duration) {
        self.write_log();
        let Some(period) = self.settings.status_update.filter(|_| self.has_accounts()) else {
            return;
        };
        if !self.topology.is_publisher(self.shard) || now < self.next_status {
            return;
        }
        self.next_status = now + period;
        let users = &self.directory.users;
        let moderators = users.values().filter(|user| user.level.is_moderator());
        self.post.ask(NoteStatus {
            users: users.len() as u32,
            moderators: moderators.count() as u32,
            games: self.directory.rooms.iter().map(|(_, games)| games).sum(),
        });
    }
}
