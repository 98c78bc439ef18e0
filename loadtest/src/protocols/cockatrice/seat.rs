//! A client at a table: two play, others watch. Who plays draws a card, puts it on the table, taps it, puts it under the library
//! and ends the turn, so that a library never runs out. Everybody at the table hears each move, books how late it is, and looks
//! whether it says more than they may know.

use std::sync::atomic::Ordering;

use memchr::memmem;

use super::messages::{self, Commands, Move};
use super::protobuf::{Message, Value};
use super::{Context, Task};
use crate::connection::Connection;

/// How often a client looks whether its table's game is there.
const LOOK_US: u64 = 20_000;

/// Commands of one turn of a player.
const STEPS: u64 = 5;

const EVENT_STATE: u32 = 1005;
const EVENT_DRAW: u32 = 2005;
const EVENT_MOVE: u32 = 2009;

/// What a client is at a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// 0 has created the game, 1 has joined it.
    Player(u8),
    Spectator,
}

#[derive(Debug)]
pub(super) struct Seat {
    table: usize,
    role: Role,
    game: u64,
    /// Its number in the game.
    player: i32,
    joined: bool,
    started: bool,
    /// The card that this turn is about, where it is known.
    card: Option<i32>,
    step: u64,
    /// Moves of the table seen.
    seen: u64,
}

impl Seat {
    pub(super) fn new(table: usize, role: Role) -> Seat {
        let step = match role {
            Role::Player(seat) => u64::from(seat) * STEPS,
            Role::Spectator => 0,
        };
        Seat {
            table,
            role,
            game: 0,
            player: -1,
            joined: false,
            started: false,
            card: None,
            step,
            seen: 0,
        }
    }

    pub(super) fn is_ready(&self) -> bool {
        match self.role {
            Role::Player(_) => self.started,
            Role::Spectator => self.joined,
        }
    }

    /// The client is in the room.
    pub(super) fn on_room(
        &mut self,
        commands: &mut Commands,
        connection: &mut Connection,
        context: &Context,
    ) {
        if self.role == Role::Player(0) {
            let description = format!("swarm {}", self.table);
            commands.create_game(connection.output(), &description);
        } else {
            context.schedule(context.now_us() + LOOK_US, connection.slot, Task::Look);
        }
    }

    pub(super) fn on_task(
        &mut self,
        task: Task,
        due_us: u64,
        commands: &mut Commands,
        connection: &mut Connection,
        context: &Context,
    ) {
        if !connection.is_signed_in() {
            return;
        }
        match task {
            Task::Look if !self.joined && !context.shared.is_stopping() => {
                let game = context.state().tables[self.table]
                    .game
                    .load(Ordering::Acquire);
                if game > 0 {
                    let watches = self.role == Role::Spectator;
                    commands.join_game(connection.output(), game - 1, watches);
                } else {
                    context.schedule(context.now_us() + LOOK_US, connection.slot, Task::Look);
                }
            }
            Task::Act => self.act(due_us, commands, connection, context),
            _ => {}
        }
    }

    /// The client is in the game.
    pub(super) fn on_joined(
        &mut self,
        joined: Message<'_>,
        commands: &mut Commands,
        connection: &mut Connection,
        context: &Context,
    ) {
        let game = joined.message(1).and_then(|info| info.signed(3));
        self.game = game.unwrap_or(0) as u64;
        self.player = joined.signed(4).unwrap_or(-1);
        self.joined = true;
        if let Role::Player(seat) = self.role {
            let table = &context.state().tables[self.table];
            table.game.store(self.game + 1, Ordering::Release);
            let deck = messages::deck(&marker(self.table, seat));
            commands.select_deck(connection.output(), self.game, &deck);
            commands.ready(connection.output(), self.game);
        }
    }

    pub(super) fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        if let Role::Player(_) = self.role {
            let protocol = &context.shared.protocol;
            let first_us = from_us + protocol.act_us(self.table, self.step);
            context.schedule_while_measuring(first_us, connection.slot, Task::Act);
        }
    }

    /// A command of this player is due.
    fn act(
        &mut self,
        due_us: u64,
        commands: &mut Commands,
        connection: &mut Connection,
        context: &Context,
    ) {
        if !context.shared.is_measuring_at(due_us) {
            return;
        }
        if connection.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += 1;
        } else {
            self.say_step(due_us, commands, connection.output(), context);
        }
        let skipped = if self.step % STEPS == STEPS - 1 {
            STEPS + 1
        } else {
            1
        };
        self.step += skipped;
        let next_us = due_us + skipped * context.shared.protocol.act_period_us();
        context.schedule_while_measuring(next_us, connection.slot, Task::Act);
    }

    fn say_step(
        &mut self,
        due_us: u64,
        commands: &mut Commands,
        out: &mut Vec<u8>,
        context: &Context,
    ) {
        let (game, player) = (self.game, self.player);
        match (self.step % STEPS, self.card) {
            (0, _) => {
                self.card = None;
                commands.draw(out, game);
            }
            (4, _) => commands.next_turn(out, game),
            // The answer has not come in time: this turn does without.
            (_, None) => context.recorder.borrow_mut().common.unsent += 1,
            (2, Some(card)) => commands.tap(out, game, card),
            (step, Some(card)) => {
                let (from, to) = if step == 1 {
                    ("hand", "table")
                } else {
                    ("table", "deck")
                };
                let step = Move {
                    player,
                    from,
                    card,
                    to,
                };
                context.state().tables[self.table].moved(due_us);
                context.recorder.borrow_mut().metrics.moves += 1;
                commands.move_card(out, game, step);
            }
        }
    }

    pub(super) fn on_game_events(
        &mut self,
        container: Message<'_>,
        connection: &mut Connection,
        context: &Context,
    ) {
        let _ = connection;
        for (field, value) in container.fields() {
            let (2, Value::Block(event)) = (field, value) else {
                continue;
            };
            self.on_game_event(Message(event), context);
        }
    }

    fn on_game_event(&mut self, event: Message<'_>, context: &Context) {
        let own = event.signed(1) == Some(self.player);
        let mut is_public = false;
        if let Some(state) = event.message(EVENT_STATE) {
            self.started = state.number(2) == Some(1);
        } else if let Some(drawn) = event.message(EVENT_DRAW) {
            if own {
                self.card = drawn.message(2).and_then(|card| card.signed(1));
            }
        } else if let Some(moved) = event.message(EVENT_MOVE) {
            let zones = [moved.block(4), moved.block(7)];
            is_public = zones.contains(&Some(b"table"));
            if own && let Some(card) = moved.signed(10) {
                self.card = Some(card);
            }
            self.saw_move(context);
        }
        if !is_public && self.knows_too_much(event.0) {
            context.recorder.borrow_mut().metrics.hidden_told += 1;
            let what = "a hidden card was told to somebody who may not see it";
            context.shared.record_error(what.to_owned());
        }
    }

    fn saw_move(&mut self, context: &Context) {
        let due_us = context.state().tables[self.table].due_us(self.seen);
        self.seen += 1;
        let late_us = context.now_us().saturating_sub(due_us).max(1);
        let mut recorder = context.recorder.borrow_mut();
        recorder.delivered(late_us);
        recorder.metrics.card_move.saturating_record(late_us);
    }

    /// Whether a card of somebody else's library or hand is named.
    fn knows_too_much(&self, event: &[u8]) -> bool {
        (0..2)
            .filter(|&seat| self.role != Role::Player(seat))
            .any(|seat| memmem::find(event, marker(self.table, seat).as_bytes()).is_some())
    }

    /// Moves made at the table and not seen so far.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        let moves = context.state().tables[self.table]
            .moves
            .load(Ordering::Acquire);
        if self.joined {
            moves.saturating_sub(self.seen)
        } else {
            0
        }
    }
}

/// What the names of a player's cards begin with.
fn marker(table: usize, seat: u8) -> String {
    format!("T{table}S{seat}C")
}
