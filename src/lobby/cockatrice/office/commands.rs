//! Commands that the store answers: those of people, with or without an account, of moderators and of administrators
//! (spec: cockatrice-behaviour 3, 8 to 12).

use cockatrice::messages::{
    AdminCommandBody, CommandShutdownServer, ModeratorCommandBody, ResponseCode, SessionCommandBody,
};

use super::Announcing;
use crate::{
    ConnId,
    cockatrice::{
        Cockatrice, CockatriceTurn, Event,
        mail::{Item, ToRoom, ToSession},
        questions::{self, AccountChange, Ask, ChangeAccount, ReportRequest, ServerMessage, Who},
        state::work::{Flow, Reply, Work},
    },
};

impl Cockatrice {
    /// A command for which nobody need have signed in; `None`: it is none that the store answers.
    pub(in crate::cockatrice) fn of_anybody(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        command: &SessionCommandBody<'_>,
    ) -> Option<Flow> {
        let session = self.sessions.get(&conn)?;
        let counted = session.limited;
        let asked = questions::by_anybody(command, session.address, counted)?;
        Some(self.ask(turn, conn, asked))
    }

    /// A command for which one must have an account.
    pub(in crate::cockatrice) fn of_registered(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        command: &SessionCommandBody<'_>,
        work: &mut Work,
    ) -> Flow {
        let Some(who) = self.who(conn) else {
            return Flow::code(ResponseCode::RespFunctionNotAllowed);
        };
        let Some(mut asked) = questions::by_registered(&who, command) else {
            return Flow::code(ResponseCode::RespFunctionNotAllowed);
        };
        if let Ok(Ask::AskReports(report)) = &mut asked
            && let ReportRequest::New(report) = &mut report.request
        {
            match self.room_of_report(conn, report.game, work) {
                Ok(room) => report.room = room,
                Err(flow) => return flow,
            }
        }
        self.ask(turn, conn, asked)
    }

    /// The room of the game that a report is about, as reports have it (spec: cockatrice-behaviour 10, 18.5). Who is not in the game
    /// has to ask for it first, since nobody knows of all games: then the command comes again.
    fn room_of_report(
        &mut self,
        conn: ConnId,
        game: i32,
        work: &mut Work,
    ) -> Result<Option<u32>, Flow> {
        let has_asked = std::mem::take(&mut work.prepared);
        let told = work.game_room.take();
        let Some(game) = u32::try_from(game).ok().filter(|&game| game > 0) else {
            return Ok(None);
        };
        let session = self.sessions.get(&conn);
        let room = match session.and_then(|session| session.games.get(&game)) {
            Some(taking) => Some(taking.room),
            None if has_asked => told,
            None => return Err(self.ask_where(conn, game, work)),
        };
        let id = room.map(|room| self.room_id(room));
        Ok(id.filter(|id| *id > 0))
    }

    /// Asks every shard for a game.
    fn ask_where(&mut self, conn: ConnId, game: u32, work: &mut Work) -> Flow {
        work.prepared = true;
        work.left += 1;
        work.waits = 0;
        let mut waits_for = self.shard;
        for shard in self.topology.in_reach() {
            work.waits += 1;
            if shard != self.shard {
                waits_for = shard;
            }
            self.post.to(shard, Item::Where(conn, game));
        }
        Flow::Wait(waits_for)
    }

    /// Somebody asks whether a game is here, and of which room.
    pub(in crate::cockatrice) fn asked_where(&mut self, conn: ConnId, game: u32) {
        let table = self.tables.get(&game).filter(|table| !table.closing);
        let room = table.map(|table| table.room);
        self.post.session(conn, ToSession::GameIn(room));
    }

    /// A shard has the game that was asked for, of this room, or has it not.
    pub(in crate::cockatrice) fn told_where(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        room: Option<u32>,
    ) {
        let session = self.sessions.get_mut(&conn);
        if let Some(work) = session.and_then(|session| session.work.as_mut()) {
            work.game_room = room.or(work.game_room);
        }
        self.reply(turn, conn, Reply::code(ResponseCode::RespOk));
    }

    /// What the store knows of somebody who is not there.
    pub(in crate::cockatrice) fn look_up(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        name: &str,
    ) -> Flow {
        let question = ChangeAccount {
            who: self.who(conn).unwrap_or_default(),
            change: AccountChange::Look(name.into()),
        };
        self.ask(turn, conn, Ok(question.into()))
    }

    /// Who the connection is, if it has an account.
    pub(in crate::cockatrice) fn who(&self, conn: ConnId) -> Option<Who> {
        let session = self.sessions.get(&conn)?;
        let user = session.user.as_ref()?;
        let account = user.account.as_ref()?;
        Some(Who {
            id: account.id,
            name: user.name.clone(),
            address: session.address.to_canonical().to_string().into(),
            client_id: user.client_id.clone(),
            is_moderator: user.level.is_moderator(),
            showed_password: account.showed_password,
        })
    }

    /// A moderator's command.
    pub(in crate::cockatrice) fn moderator_command(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        command: Option<&ModeratorCommandBody<'_>>,
        work: &mut Work,
    ) -> Flow {
        let Some((who, command)) = self.who(conn).zip(command) else {
            return Flow::code(ResponseCode::RespFunctionNotAllowed);
        };
        if !std::mem::take(&mut work.prepared)
            && let Some(flow) = self.prepare(conn, command, work)
        {
            return flow;
        }
        match questions::by_moderator(&who, command) {
            Some(ask) => self.ask(turn, conn, Ok(ask)),
            None => Flow::code(ResponseCode::RespFunctionNotAllowed),
        }
    }

    /// What comes before a command; the command comes again when it is done.
    fn prepare(
        &mut self,
        conn: ConnId,
        command: &ModeratorCommandBody<'_>,
        work: &mut Work,
    ) -> Option<Flow> {
        match command {
            ModeratorCommandBody::ViewLogHistory(_) if self.logs_anything() => {
                Some(self.write_all_logs(conn, work))
            }
            command => self.purge(conn, command, work),
        }
    }

    /// What was said on any node is in the store before it is looked at.
    fn write_all_logs(&mut self, conn: ConnId, work: &mut Work) -> Flow {
        work.prepared = true;
        work.left += 1;
        let desks = self.topology.in_reach();
        work.waits = 0; // the own one is among them
        for desk in desks.filter(|shard| shard.local() == 0) {
            work.waits += 1;
            self.post.to(desk, Item::WriteLog(conn));
        }
        Flow::Asked
    }

    /// What somebody who is banned or warned has said last goes from the moderator's rooms, if that is wanted: before anything
    /// else.
    fn purge(
        &mut self,
        conn: ConnId,
        command: &ModeratorCommandBody<'_>,
        work: &mut Work,
    ) -> Option<Flow> {
        use ModeratorCommandBody as Command;
        let (name, lines) = match command {
            Command::BanFromServer(ban) if has_key(ban) => (ban.user_name(), ban.remove_messages()),
            Command::WarnUser(warn) => (warn.user_name(), warn.remove_messages()),
            _ => return None,
        };
        let session = self.sessions.get(&conn)?;
        let rooms: Vec<u32> = session.rooms.iter().copied().collect();
        if lines == 0 || name.is_empty() || rooms.is_empty() {
            return None;
        }
        work.prepared = true;
        work.left += 1;
        work.waits = rooms.len();
        let name = &*name;
        Some(self.ask_rooms(rooms, || ToRoom::Purge {
            conn,
            name: name.into(),
            lines,
        }))
    }

    /// An administrator's command (spec: cockatrice-behaviour 9).
    pub(in crate::cockatrice) fn admin_command(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        command: Option<&AdminCommandBody<'_>>,
    ) -> Flow {
        use AdminCommandBody as Command;
        let Some((who, command)) = self.who(conn).zip(command) else {
            return Flow::code(ResponseCode::RespFunctionNotAllowed);
        };
        if let Some(ask) = questions::by_admin(&who, command) {
            return self.ask(turn, conn, Ok(ask));
        }
        match command {
            Command::UpdateServerMessage(_) => {
                self.pending.ask(turn, ServerMessage, Announcing(conn));
                Flow::Asked
            }
            Command::ShutdownServer(shutdown) => {
                self.shut_down(turn, &who, shutdown);
                Flow::code(ResponseCode::RespOk)
            }
            Command::ReloadConfig(_) => {
                turn.publish(Event::Reload);
                Flow::code(ResponseCode::RespOk)
            }
            Command::AdjustMod(_) | Command::ResetUserPassword(_) => {
                Flow::code(ResponseCode::RespInternalError)
            }
        }
    }

    fn shut_down(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        who: &Who,
        command: &CommandShutdownServer<'_>,
    ) {
        let minutes = command.minutes();
        let by = who.name.clone();
        turn.publish(Event::StopAnnounced { by, minutes });
        let reason = command
            .reason
            .as_ref()
            .map(|reason| cockatrice::text::text(reason));
        let left = std::time::Duration::from_secs(60 * u64::from(minutes));
        for shard in self.topology.in_reach() {
            let reason = reason.as_deref().unwrap_or_default().into();
            self.post.to(
                shard,
                Item::Shutdown {
                    reason,
                    minutes,
                    left,
                },
            );
        }
    }
}

/// Whether a ban says who is banned.
fn has_key(ban: &cockatrice::messages::CommandBanFromServer<'_>) -> bool {
    let keys = [&ban.user_name, &ban.address, &ban.clientid];
    keys.iter()
        .any(|key| key.as_deref().is_some_and(|key| !key.is_empty()))
}
