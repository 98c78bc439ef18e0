//! One client: a connection of whatever kind, the messages on it, and its heartbeat.

use super::account::{self, Account};
use super::game::Game;
use super::messages;
use super::server::Server;
use super::{Context, Part, Seat, Task, Vcmi2};
use crate::connection::{Connection, Stage};
use crate::protocol::{Next, Session};
use crate::protocols::blocks::{Blocks, Order};
use crate::scenario::Cue;

/// How often a client shows that it lives, as those since 1.5.1 do (spec: vcmi-lobby2 2).
const BEAT_US: u64 = 10_000_000;

#[derive(Debug)]
pub(crate) struct Vcmi2Session {
    blocks: Blocks,
    /// A heartbeat is scheduled.
    beats: bool,
    /// The lobby has refused its sign-in.
    refused: bool,
    role: Role,
}

#[derive(Debug)]
enum Role {
    /// A player's client.
    Account(Box<Account>),
    /// A match server.
    Server(Server),
    /// One end of a relay.
    Game(Box<Game>),
}

impl Role {
    fn of(index: usize, part: Part, context: &Context) -> Role {
        match part {
            Part::Match(table, seat @ (Seat::ServerProxy | Seat::GuestProxy)) => {
                Role::Game(Box::new(Game::new(table, seat)))
            }
            Part::Match(table, Seat::Server) => Role::Server(Server::of_match(table)),
            Part::Room(room, seat) if !account::is_player(seat) => {
                Role::Server(Server::of_room(room))
            }
            _ => Role::Account(Box::new(Account::new(index, part, context))),
        }
    }

    fn wants(&self) -> fn(&[u8]) -> bool {
        match self {
            Role::Account(account) => account.wants(),
            Role::Server(_) | Role::Game(_) => |_| true,
        }
    }

    /// A message came; whether it was a refusal of the sign-in.
    fn on_message(
        &mut self,
        message: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> bool {
        match self {
            Role::Account(account) => account.on_message(message, connection, context),
            Role::Server(server) => server.on_message(message, connection, context),
            Role::Game(game) => {
                game.on_message(message, connection, context);
                false
            }
        }
    }
}

impl Session<Vcmi2> for Vcmi2Session {
    fn new(index: usize, context: &Context) -> Vcmi2Session {
        let part = context.shared.protocol.parts[index];
        Vcmi2Session {
            blocks: Blocks::new(Order::Little),
            beats: false,
            refused: false,
            role: Role::of(index, part, context),
        }
    }

    fn joins_ramp(&self) -> bool {
        matches!(self.role, Role::Account(_))
    }

    fn on_ramp(&mut self, connection: &Connection, context: &Context) {
        match &self.role {
            Role::Server(Server::Match(seated)) => seated.look_later(connection, context),
            Role::Game(game) => game.look_later(connection, context),
            Role::Account(_) | Role::Server(Server::Room(_)) => {}
        }
    }

    fn on_connect(&mut self, _host: &str, connection: &mut Connection, context: &Context) {
        self.blocks = Blocks::new(Order::Little);
        self.refused = false;
        if !std::mem::replace(&mut self.beats, true) {
            context.schedule(context.now_us() + BEAT_US, connection.slot, Task::Beat);
        }
        match &mut self.role {
            Role::Account(account) => account.on_connect(connection, context),
            Role::Server(server) => server.on_connect(connection, context),
            Role::Game(game) => game.on_connect(connection, context),
        }
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> anyhow::Result<()> {
        let wants = self.role.wants();
        let Vcmi2Session {
            blocks,
            role,
            refused,
            ..
        } = self;
        blocks.push(bytes, wants, &mut |message| {
            // Heartbeats are no messages.
            if !message.is_empty() {
                context.recorder.borrow_mut().common.messages_in += 1;
                *refused |= role.on_message(message, connection, context);
            }
        })
    }

    fn on_task(&mut self, task: Task, due_us: u64, connection: &mut Connection, context: &Context) {
        if task == Task::Beat {
            self.beats = connection.stage() != Stage::Away;
            if self.beats {
                messages::heartbeat(connection.output());
                context.schedule(due_us + BEAT_US, connection.slot, Task::Beat);
            }
            return;
        }
        match (&mut self.role, task) {
            (Role::Account(account), _) => account.on_task(task, due_us, connection, context),
            (Role::Server(Server::Room(occupant)), Task::Act) => occupant.act(connection, context),
            (Role::Server(Server::Match(seated)), Task::Look) => seated.look(connection, context),
            (Role::Game(game), Task::Look) => game.look(connection, context),
            (Role::Game(game), Task::Trip) => game.trip(due_us, connection, context),
            _ => {}
        }
    }

    fn on_cue(&mut self, cue: Cue, due_us: u64, connection: &mut Connection, context: &Context) {
        if let Role::Account(account) = &mut self.role {
            account.on_cue(cue, due_us, connection, context);
        }
    }

    fn is_busy(&self) -> bool {
        matches!(&self.role, Role::Account(account) if account.is_busy())
    }

    fn on_drained(&mut self, connection: &mut Connection, context: &Context) {
        if let Role::Game(game) = &mut self.role {
            game.on_drained(connection, context);
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        let by_client = by_client && !self.refused;
        match &mut self.role {
            Role::Game(game) => return game.on_disconnect(by_client, context),
            Role::Account(account) => account.on_disconnect(context),
            Role::Server(_) => {}
        }
        if by_client { Next::Away } else { Next::Failed }
    }

    fn is_ready(&self) -> bool {
        match &self.role {
            Role::Account(account) => account.is_ready(),
            Role::Server(_) | Role::Game(_) => true,
        }
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        match &mut self.role {
            Role::Account(account) => account.on_measure(connection, context),
            Role::Server(Server::Room(occupant)) => occupant.on_measure(connection, context),
            Role::Server(Server::Match(_)) => {}
            Role::Game(game) => game.on_measure(from_us, connection, context),
        }
    }

    fn missing(&self, _connection: &Connection, context: &Context) -> u64 {
        match &self.role {
            Role::Account(account) => account.missing(context),
            Role::Server(_) => 0,
            Role::Game(game) => game.missing(),
        }
    }

    fn account(&self, context: &Context) {
        match &self.role {
            Role::Account(account) => account.account(context),
            Role::Server(_) => {}
            Role::Game(game) => game.account(context),
        }
    }
}
