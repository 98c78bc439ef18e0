//! Containers of commands: how they are read, in which order their commands are done, and their one answer
//! (spec: cockatrice-wire 6, 7).
//!
//! A command that needs another role is waited for; meanwhile nothing more of its connection is handled.

use bytes::Bytes;
use cockatrice::{
    messages::{
        CommandContainer, ResponseCode, RoomCommand, RoomCommandBody, SessionCommand,
        SessionCommandBody, decode,
    },
    text,
};

use super::{
    Cockatrice, CockatriceTurn,
    protocol::{self, outline},
    settings::{COMMAND_BYTES, COMMANDS, LIST_COST, SHORT_BYTES},
    state::work::{Flow, Group, Reply, Work},
};
use crate::ConnId;

impl Cockatrice {
    /// A message of a client.
    pub(super) fn frame(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, body: &[u8]) {
        let Some(session) = self.sessions.get_mut(&conn).filter(|session| !session.gone) else {
            return;
        };
        debug_assert!(session.work.is_none(), "what is waited for would be lost");
        if body.len() > SHORT_BYTES && !outline::is_one_text(body) {
            self.metrics.over_limit.up();
            return;
        }
        let Ok(container) = decode::<CommandContainer<'_>>(body) else {
            self.metrics.garbage.up();
            return;
        };
        if !session.greeted {
            match container.cmd_id {
                None => self.identify(turn, conn),
                Some(_) => self.metrics.garbage.up(),
            }
            return;
        }
        session.heard = self.ticks;
        self.container(turn, conn, body, &container);
        self.end_if_failed(turn, conn);
        self.keep_pace(turn, conn, body.len(), &container);
    }

    /// Who sends too much is heard later.
    fn keep_pace(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        bytes: usize,
        container: &CommandContainer<'_>,
    ) {
        let (Some(rate), Some(session)) = (self.settings.pace(), self.sessions.get_mut(&conn))
        else {
            return;
        };
        let cost = bytes / COMMAND_BYTES + commands(container).max(1);
        let lists = container.session_command.iter().filter(|c| is_list(c));
        let cost = cost as u64 + LIST_COST * lists.count() as u64;
        let now = turn.now.mono;
        session.pace.charge(now, cost, rate);
        if let Some(wait) = session.pace.wait(now, rate) {
            self.metrics.pauses.up();
            turn.pause(conn, now + wait);
        }
    }

    /// Does the one group of commands that counts.
    fn container(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        container: &CommandContainer<'_>,
    ) {
        let cmd_id = container.cmd_id.unwrap_or(u64::MAX);
        let refuse = |code, turn: &mut CockatriceTurn<'_>| {
            turn.send(conn, protocol::response(cmd_id, code, &[]));
        };
        if commands(container) > COMMANDS {
            self.metrics.over_limit.up();
            return refuse(ResponseCode::RespContextError, turn);
        }
        if !container.game_command.is_empty() {
            self.of_participant(turn, conn, body, container, cmd_id);
        } else if !container.room_command.is_empty() {
            let work = Work::new(Group::Room, cmd_id, container.room_command.len());
            self.go_on(turn, conn, body, container, work);
        } else if !container.session_command.is_empty() {
            let work = Work::new(Group::Session, cmd_id, container.session_command.len());
            self.go_on(turn, conn, body, container, work);
        } else if !container.moderator_command.is_empty() || !container.admin_command.is_empty() {
            self.of_staff(turn, conn, body, container, cmd_id);
        } else {
            refuse(ResponseCode::RespInvalidCommand, turn);
        }
    }

    /// Commands of a moderator, or of an administrator: the rights are those of the sign-in (spec: cockatrice-behaviour 8, 9).
    fn of_staff(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        container: &CommandContainer<'_>,
        cmd_id: u64,
    ) {
        let (moderator, admin) = (&container.moderator_command, &container.admin_command);
        let (group, left) = match moderator.is_empty() {
            false => (Group::Moderator, moderator.len()),
            true => (Group::Admin, admin.len()),
        };
        let level = self.user(conn).map(|user| user.level);
        let may = level.is_some_and(|level| match group {
            Group::Admin => level.is_admin(),
            _ => level.is_moderator(),
        });
        if !may {
            let refused = protocol::response(cmd_id, ResponseCode::RespLoginNeeded, &[]);
            return turn.send(conn, refused);
        }
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.acts(self.ticks);
        }
        let work = Work::new(group, cmd_id, left);
        self.go_on(turn, conn, body, container, work);
    }

    /// Does commands, the last one first, until one has to be waited for or all are done.
    fn go_on(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        body: &[u8],
        container: &CommandContainer<'_>,
        mut work: Work,
    ) {
        while work.left > 0 {
            work.left -= 1;
            self.begin_step();
            let Some(flow) = self.command(turn, conn, container, &mut work) else {
                break;
            };
            let is_here = match flow {
                Flow::Done(reply) => {
                    work.add(reply);
                    continue;
                }
                Flow::Wait(shard) => shard == self.shard,
                Flow::Asked => false,
            };
            if work.left > 0 && work.container.is_empty() {
                work.container = Bytes::copy_from_slice(body);
            }
            return self.begin_wait(turn, conn, work, is_here);
        }
        self.answer(turn, conn, work);
    }

    /// Does the command that is next; `None`: there is none.
    fn command(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        container: &CommandContainer<'_>,
        work: &mut Work,
    ) -> Option<Flow> {
        let next = work.left;
        Some(match work.group {
            Group::Session => {
                let command = container.session_command.get(next)?;
                self.session_command(turn, conn, command, work)
            }
            Group::Moderator => {
                let command = container.moderator_command.get(next)?;
                self.moderator_command(turn, conn, command.body.as_ref(), work)
            }
            Group::Admin => {
                let command = container.admin_command.get(next)?;
                self.admin_command(turn, conn, command.body.as_ref())
            }
            Group::Room | Group::Game | Group::Admission => {
                let command = container.room_command.get(next)?;
                let room = self.room_of(container.room_id());
                self.room_command(turn, conn, room, command)
            }
        })
    }

    /// The connection waits, for a role on this shard or for something elsewhere.
    pub(super) fn begin_wait(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        mut work: Work,
        is_here: bool,
    ) {
        let is_clustered = self.topology.is_clustered();
        work.wait = self.post.wait(turn.now.mono, is_clustered);
        // What is on this shard answers before the next message is handled, if it need not ask others first.
        if (!is_here || is_clustered) && !work.held {
            work.held = true;
            turn.hold(conn);
        }
        if let Some(session) = self.sessions.get_mut(&conn) {
            session.work = Some(Box::new(work));
        }
    }

    /// What was waited for is there.
    pub(super) fn reply(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, reply: Reply) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        let Some(mut work) = session.work.take() else {
            return;
        };
        work.joining = None;
        work.add(reply);
        if work.waits > 1 {
            work.waits -= 1;
            session.work = Some(work);
            return;
        }
        work.waits = 1;
        if session.gone {
            return self.depart(conn);
        }
        let held = work.held;
        if work.left > 0 {
            let body = work.container.clone();
            match decode::<CommandContainer<'_>>(&body) {
                Ok(container) => self.go_on(turn, conn, &body, &container, *work),
                Err(_) => self.answer(turn, conn, *work),
            }
        } else {
            self.answer(turn, conn, *work);
        }
        let is_waiting = |session: &super::state::session::Session| session.work.is_some();
        if held && !self.sessions.get(&conn).is_some_and(is_waiting) {
            turn.release(conn);
        }
    }

    /// A wait that no container began is over.
    pub(super) fn end_wait(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId) {
        let Some(session) = self.sessions.get_mut(&conn) else {
            return;
        };
        if session.work.take().is_some_and(|work| work.held) {
            turn.release(conn);
        }
        if session.gone {
            self.depart(conn);
        }
    }

    /// Answers a container: what comes in front, the response, what comes behind (spec: cockatrice-wire 5.1).
    fn answer(&mut self, turn: &mut CockatriceTurn<'_>, conn: ConnId, work: Work) {
        let Reply {
            code,
            body,
            before,
            after,
        } = work.answer;
        for message in before {
            turn.send(conn, message);
        }
        let body = body.as_deref().unwrap_or_default();
        turn.send(conn, protocol::response(work.cmd_id, code, body));
        for message in after {
            turn.send(conn, message);
        }
    }

    fn session_command(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        conn: ConnId,
        command: &SessionCommand<'_>,
        work: &mut Work,
    ) -> Flow {
        use SessionCommandBody as Command;
        // Some do without having signed in (spec: cockatrice-behaviour 3).
        match &command.body {
            Some(Command::Ping(_)) => return Flow::code(ResponseCode::RespOk),
            Some(Command::Login(login)) => return self.login(turn, conn, login, work),
            Some(command) if self.has_accounts() => {
                if let Some(flow) = self.of_anybody(turn, conn, command) {
                    return flow;
                }
            }
            // Without accounts no name is known (spec: cockatrice-wire 10.1).
            Some(Command::RequestPasswordSalt(_)) => return Flow::code(ResponseCode::RespOk),
            Some(Command::Register(_)) => {
                return Flow::code(ResponseCode::RespRegistrationDisabled);
            }
            Some(Command::Activate(_)) => return Flow::code(ResponseCode::RespActivationFailed),
            Some(
                Command::ForgotPasswordRequest(_)
                | Command::ForgotPasswordReset(_)
                | Command::ForgotPasswordChallenge(_),
            ) => return Flow::code(ResponseCode::RespFunctionNotAllowed),
            _ => {}
        }
        let Some(user) = self.user(conn) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        let has_account_rights = user.password_right;
        match &command.body {
            Some(Command::ListUsers(_)) => self.list_users(turn, conn),
            Some(Command::GetUserInfo(asked)) => {
                let name = text::name(asked.user_name.as_deref().unwrap_or_default());
                self.user_info(turn, conn, &name)
            }
            Some(Command::GetGamesOfUser(asked)) => {
                self.games_of_user(turn, conn, &asked.user_name(), work)
            }
            Some(Command::Message(message)) => self.private_message(turn, conn, message, work),
            Some(Command::ListRooms(_)) => self.list_rooms(turn, conn),
            Some(Command::JoinRoom(join)) => {
                self.join_room(conn, self.room_of(join.room_id()), work)
            }
            Some(command) if self.has_accounts() => self.of_registered(turn, conn, command, work),
            Some(command) => Flow::code(without_accounts(command, has_account_rights)),
            None => Flow::code(ResponseCode::RespFunctionNotAllowed),
        }
    }

    fn room_command(
        &mut self,
        turn: &CockatriceTurn<'_>,
        conn: ConnId,
        room: u32,
        command: &RoomCommand<'_>,
    ) -> Flow {
        use RoomCommandBody as Command;
        let Some(session) = self.sessions.get_mut(&conn) else {
            return Flow::code(ResponseCode::RespLoginNeeded);
        };
        if session.user.is_none() {
            return Flow::code(ResponseCode::RespLoginNeeded);
        }
        if !session.rooms.contains(&room) {
            return Flow::code(ResponseCode::RespNotInRoom);
        }
        session.acts(self.ticks);
        match &command.body {
            Some(Command::LeaveRoom(_)) => self.leave_room(conn, room),
            Some(Command::RoomSay(say)) => self.room_say(turn, conn, room, say),
            Some(Command::CreateGame(create)) => self.create_game(conn, room, create),
            Some(Command::JoinGame(join)) => self.join_game(conn, room, join),
            None => Flow::code(ResponseCode::RespInvalidCommand),
        }
    }
}

/// The answer to a command that needs an account, on a server that has none.
fn without_accounts(command: &SessionCommandBody<'_>, password_right: bool) -> ResponseCode {
    use SessionCommandBody as Command;
    if !password_right {
        return ResponseCode::RespFunctionNotAllowed;
    }
    match command {
        Command::AddToList(_) | Command::DeckUpload(_) => ResponseCode::RespNameNotFound,
        Command::DeckList(_) | Command::RemoveFromList(_) | Command::AccountPassword(_) => {
            ResponseCode::RespContextError
        }
        Command::AccountEdit(_) => ResponseCode::RespWrongPassword,
        Command::DeckDownload(_)
        | Command::DeckDel(_)
        | Command::DeckDelDir(_)
        | Command::DeckNewDir(_)
        | Command::ReplayModifyMatch(_)
        | Command::ReplayDeleteMatch(_)
        | Command::ReplaySubmitCode(_) => ResponseCode::RespNameNotFound,
        Command::ReplayDownload(_) | Command::ReplayGetCode(_) => ResponseCode::RespAccessDenied,
        _ => ResponseCode::RespInternalError,
    }
}

fn commands(container: &CommandContainer<'_>) -> usize {
    container.session_command.len()
        + container.game_command.len()
        + container.room_command.len()
        + container.moderator_command.len()
        + container.admin_command.len()
}

/// Whether the answer is a long list.
fn is_list(command: &SessionCommand<'_>) -> bool {
    use SessionCommandBody as Command;
    matches!(
        command.body,
        Some(Command::ListUsers(_) | Command::GetGamesOfUser(_) | Command::JoinRoom(_))
    )
}
