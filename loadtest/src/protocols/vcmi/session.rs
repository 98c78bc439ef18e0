//! One client: a user who chats, a player of a game, or who follows a script.

use super::packets;
use super::player::{Player, Side};
use super::script::Scripted;
use super::user::User;
use super::{Context, Part, Task, Vcmi};
use crate::connection::Connection;
use crate::protocol::{Next, Session};
use crate::scenario::{Actor, Cue};

#[derive(Debug)]
pub(crate) enum VcmiSession {
    User(User),
    Player(Box<Player>),
    Scripted(Box<Scripted>),
}

/// Signs in. Accounts go by the number among all clients, so that no two have one name whatever their roles are.
fn greet(connection: &mut Connection, context: &Context) {
    let (login, _) = context.shared.plan.accounts.of(connection.index);
    let greeting = packets::greeting(&login);
    connection.output().extend_from_slice(&greeting);
}

impl Session<Vcmi> for VcmiSession {
    fn new(index: usize, context: &Context) -> VcmiSession {
        match context.shared.protocol.parts[index] {
            Part::User(number) => VcmiSession::User(User::new(number)),
            Part::Script => {
                let script = context.shared.plan.script(index);
                let script = script.expect("the plan was made of the scenario");
                let actor = Actor::new(index, script, context);
                VcmiSession::Scripted(Box::new(Scripted::new(actor)))
            }
            Part::Player(number) => {
                let side = if number.is_multiple_of(2) {
                    Side::Host
                } else {
                    Side::Guest
                };
                let run_id = &context.shared.plan.run_id;
                VcmiSession::Player(Box::new(Player::new(run_id, number / 2, side)))
            }
        }
    }

    fn on_connect(&mut self, _host: &str, connection: &mut Connection, context: &Context) {
        match self {
            VcmiSession::User(_) => greet(connection, context),
            VcmiSession::Player(player) => player.on_connect(connection),
            VcmiSession::Scripted(scripted) => {
                scripted.begin();
                greet(connection, context);
            }
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
            VcmiSession::Scripted(scripted) => scripted.on_bytes(bytes, connection, context),
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

    fn on_cue(&mut self, cue: Cue, due_us: u64, connection: &mut Connection, context: &Context) {
        if let VcmiSession::Scripted(scripted) = self {
            scripted.on_cue(cue, due_us, connection, context);
        }
    }

    fn is_busy(&self) -> bool {
        matches!(self, VcmiSession::Scripted(scripted) if scripted.actor().is_busy())
    }

    fn on_drained(&mut self, connection: &mut Connection, context: &Context) {
        if let VcmiSession::Player(player) = self {
            player.on_drained(connection, context);
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        match self {
            VcmiSession::Player(player) => return player.on_disconnect(by_client, context),
            VcmiSession::Scripted(scripted) => scripted.on_disconnect(context),
            VcmiSession::User(_) => {}
        }
        if by_client { Next::Away } else { Next::Failed }
    }

    fn is_ready(&self) -> bool {
        match self {
            VcmiSession::User(_) | VcmiSession::Scripted(_) => true,
            VcmiSession::Player(player) => player.is_ready(),
        }
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        match self {
            VcmiSession::User(user) => user.on_measure(connection, context),
            VcmiSession::Player(player) => player.on_measure(from_us, connection, context),
            VcmiSession::Scripted(_) => {}
        }
    }

    fn missing(&self, _connection: &Connection, context: &Context) -> u64 {
        match self {
            VcmiSession::User(user) => user.missing(context),
            VcmiSession::Player(player) => player.missing(),
            VcmiSession::Scripted(scripted) => scripted.actor().missing(),
        }
    }

    fn account(&self, context: &Context) {
        match self {
            VcmiSession::User(user) => user.account(context),
            VcmiSession::Player(player) => player.account(context),
            VcmiSession::Scripted(scripted) => scripted.actor().account(context),
        }
    }
}
