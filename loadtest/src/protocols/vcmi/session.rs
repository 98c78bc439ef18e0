//! One client: a user who chats, or a player of a game.

use super::player::{Player, Side};
use super::user::User;
use super::{Context, Task, Vcmi};
use crate::connection::Connection;
use crate::protocol::{Next, Session};

#[derive(Debug)]
pub(crate) enum VcmiSession {
    User(User),
    Player(Box<Player>),
}

impl Session<Vcmi> for VcmiSession {
    /// Players come first: their games take longest to get ready.
    fn new(index: usize, context: &Context) -> VcmiSession {
        let players = 2 * context.shared.protocol.games;
        if index >= players {
            return VcmiSession::User(User::new(index - players));
        }
        let side = if index.is_multiple_of(2) {
            Side::Host
        } else {
            Side::Guest
        };
        VcmiSession::Player(Box::new(Player::new(
            &context.shared.plan.run_id,
            index / 2,
            side,
        )))
    }

    fn on_connect(&mut self, _host: &str, connection: &mut Connection, context: &Context) {
        match self {
            VcmiSession::User(user) => user.on_connect(connection, context),
            VcmiSession::Player(player) => player.on_connect(connection),
        }
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> anyhow::Result<()> {
        match self {
            VcmiSession::User(user) => user.on_bytes(bytes, connection, context),
            VcmiSession::Player(player) => player.on_bytes(bytes, connection, context),
        }
        Ok(())
    }

    fn on_task(&mut self, task: Task, due_us: u64, connection: &mut Connection, context: &Context) {
        match (self, task) {
            (VcmiSession::User(user), Task::Chat) => user.chat(due_us, connection, context),
            (VcmiSession::Player(player), Task::Look) => player.look(connection, context),
            (VcmiSession::Player(player), Task::Trip) => player.trip(due_us, connection, context),
            _ => {}
        }
    }

    fn on_drained(&mut self, connection: &mut Connection, context: &Context) {
        if let VcmiSession::Player(player) = self {
            player.on_drained(connection, context);
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        match self {
            VcmiSession::Player(player) => player.on_disconnect(by_client, context),
            VcmiSession::User(_) if by_client => Next::Away,
            VcmiSession::User(_) => Next::Failed,
        }
    }

    fn is_ready(&self) -> bool {
        match self {
            VcmiSession::User(_) => true,
            VcmiSession::Player(player) => player.is_ready(),
        }
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        match self {
            VcmiSession::User(user) => user.on_measure(connection, context),
            VcmiSession::Player(player) => player.on_measure(from_us, connection, context),
        }
    }

    fn missing(&self, _connection: &Connection, context: &Context) -> u64 {
        match self {
            VcmiSession::User(user) => user.missing(context),
            VcmiSession::Player(player) => player.missing(),
        }
    }

    fn account(&self, context: &Context) {
        match self {
            VcmiSession::User(user) => user.account(context),
            VcmiSession::Player(player) => player.account(context),
        }
    }
}
