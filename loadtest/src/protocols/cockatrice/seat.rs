//! A client at a table: two play, others watch. Who plays draws a card, puts it on the table, taps it, puts it under the library
//! and ends the turn, so that a library never runs out. Everybody at the table hears each move, books how late it is, and looks
//! whether it says more than they may know.

use std::sync::atomic::Ordering;

use memchr::memmem;

use super::messages::{self, Commands, Move};
use super::protobuf::{Message, Value};
use super::{Context, Task};
use crate::connection::Connection;
use crate::delivery::Fate;

/// How often a client looks whether its table's game is there. Thousands of them look while they sign in.
const LOOK_US: u64 = 100_000;

/// Commands of one turn of a player.
const STEPS: u64 = 5;
/// Those that move a card.
const FIRST_MOVE: u64 = 1;
const SECOND_MOVE: u64 = 3;
/// The one that ends the turn.
const LAST_STEP: u64 = 4;

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
    /// The card that this turn is about.
    card: i32,
    /// The next thing to do.
    step: u64,
    /// It can't be done before the server has told what became of the one before.
    waits: bool,
    /// Moves seen of each player.
    seen: [u64; 2],
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
            card: -1,
            step,
            waits: false,
            seen: [0; 2],
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
            let description = format!("swarm {} {}", context.shared.plan.run_id, self.table);
            commands.create_game(connection.output(), &description);
        } else {
            context.schedule(context.now_us() + LOOK_US, connection.slot, Task::Look);
        }
    }

    pub(super) fn on_task(
        &mut self,
        task: Task,
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
            Task::Act => self.act(commands, connection, context),
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
            let number = &table.players[usize::from(seat)].0;
            number.store(self.player.into(), Ordering::Release);
            table.game.store(self.game + 1, Ordering::Release);
            let deck = messages::deck(&marker(self.table, seat));
            commands.select_deck(connection.output(), self.game, &deck);
            commands.ready(connection.output(), self.game);
        }
    }

    pub(super) fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        if let Role::Player(_) = self.role {
            let protocol = &context.shared.protocol;
            let first_us = from_us + protocol.step_us(self.table, self.step);
            context.schedule_while_measuring(first_us, connection.slot, Task::Act);
        }
    }

    /// Does what is due, one step after the other: one whose card is not known yet waits for it, and those after it wait as
    /// well. Each counts from its own time.
    fn act(&mut self, commands: &mut Commands, connection: &mut Connection, context: &Context) {
        let shared = &context.shared;
        while !self.waits {
            let after_us = shared.protocol.step_us(self.table, self.step);
            let due_us = shared.measured_from_us().saturating_add(after_us);
            if !shared.is_measuring_at(due_us) {
                return;
            }
            if due_us > context.now_us() {
                return context.schedule(due_us, connection.slot, Task::Act);
            }
            self.say_step(commands, connection.output(), context);
            self.step = after(self.step);
        }
    }

    fn say_step(&mut self, commands: &mut Commands, out: &mut Vec<u8>, context: &Context) {
        let (game, player, card) = (self.game, self.player, self.card);
        match self.step % STEPS {
            0 => {
                self.waits = true;
                commands.draw(out, game);
            }
            2 => commands.tap(out, game, card),
            LAST_STEP => commands.next_turn(out, game),
            step => {
                let (from, to) = if step == FIRST_MOVE {
                    ("hand", "table")
                } else {
                    ("table", "deck")
                };
                self.waits = true;
                if let Role::Player(seat) = self.role {
                    let table = &context.state().tables[self.table];
                    table.players[usize::from(seat)]
                        .1
                        .fetch_add(1, Ordering::AcqRel);
                }
                context.recorder.borrow_mut().metrics.moves += 1;
                let step = Move {
                    player,
                    from,
                    card,
                    to,
                };
                commands.move_card(out, game, step);
            }
        }
    }

    pub(super) fn on_game_events(
        &mut self,
        container: Message<'_>,
        commands: &mut Commands,
        connection: &mut Connection,
        context: &Context,
    ) {
        let waited = self.waits;
        for (field, value) in container.fields() {
            let (2, Value::Block(event)) = (field, value) else {
                continue;
            };
            self.on_game_event(Message(event), context);
        }
        if waited && !self.waits && connection.is_signed_in() {
            self.act(commands, connection, context);
        }
    }

    fn on_game_event(&mut self, event: Message<'_>, context: &Context) {
        let own = event.signed(1) == Some(self.player);
        let mut is_public = false;
        if let Some(state) = event.message(EVENT_STATE) {
            self.started = state.number(2) == Some(1);
        } else if let Some(drawn) = event.message(EVENT_DRAW) {
            if own && let Some(card) = drawn.message(2).and_then(|card| card.signed(1)) {
                (self.card, self.waits) = (card, false);
            }
        } else if let Some(moved) = event.message(EVENT_MOVE) {
            let zones = [moved.block(4), moved.block(7)];
            is_public = zones.contains(&Some(b"table"));
            if own {
                self.card = moved.signed(10).unwrap_or(self.card);
                self.waits = false;
            }
            self.saw_move(event.signed(1).unwrap_or(-1), context);
        }
        if !is_public && self.knows_too_much(event.0) {
            context.recorder.borrow_mut().metrics.hidden_told += 1;
            let what = "a hidden card was told to somebody who may not see it";
            context.shared.record_error(what.to_owned());
        }
    }

    /// Somebody has moved a card: the next of those that this player owes.
    fn saw_move(&mut self, player: i32, context: &Context) {
        let Some(seat) = context.state().tables[self.table].seat_of(player) else {
            return context.protocol_error("a card was moved by somebody who does not play");
        };
        let due_us = self.move_due_us(seat, self.seen[seat], context);
        self.seen[seat] += 1;
        context.book(due_us, |metrics| &mut metrics.card_move);
    }

    /// When a player's move of this number is due: two in each of his turns.
    fn move_due_us(&self, seat: usize, number: u64, context: &Context) -> u64 {
        let step = if number.is_multiple_of(2) {
            FIRST_MOVE
        } else {
            SECOND_MOVE
        };
        let turns = number / 2 * 2 + seat as u64;
        let shared = &context.shared;
        let after_us = shared.protocol.step_us(self.table, turns * STEPS + step);
        shared.measured_from_us().saturating_add(after_us)
    }

    /// Whether a card of somebody else's library or hand is named.
    fn knows_too_much(&self, event: &[u8]) -> bool {
        (0..2)
            .filter(|&seat| self.role != Role::Player(seat))
            .any(|seat| memmem::find(event, marker(self.table, seat).as_bytes()).is_some())
    }

    /// Moves made at the table and not seen so far; of a player also whether there is one that it still has to make.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        let owes = matches!(self.role, Role::Player(_)) && self.waits;
        self.unseen(context) + u64::from(owes)
    }

    fn unseen(&self, context: &Context) -> u64 {
        if !self.joined {
            return 0;
        }
        let players = context.state().tables[self.table].players.iter();
        let moves = players.map(|(_, moves)| moves.load(Ordering::Acquire));
        let unseen = moves.zip(self.seen);
        unseen.map(|(made, seen)| made.saturating_sub(seen)).sum()
    }

    /// Steps that were due and not done.
    fn owed(&self, context: &Context) -> u64 {
        let shared = &context.shared;
        let is_due = |step: &u64| {
            let after_us = shared.protocol.step_us(self.table, *step);
            shared.is_measuring_at(shared.measured_from_us().saturating_add(after_us))
        };
        let steps = std::iter::successors(Some(self.step), |step| Some(after(*step)));
        match self.role {
            Role::Player(_) => steps.take_while(is_due).count() as u64,
            Role::Spectator => 0,
        }
    }

    /// The run is over: each move that was due and did not come has been waited for until now.
    pub(super) fn account(&self, context: &Context) {
        if !self.joined {
            return;
        }
        for seat in 0..2 {
            let due_us = |number| self.move_due_us(seat, number, context);
            let is_due = |number: &u64| context.shared.is_measuring_at(due_us(*number));
            let owed = (self.seen[seat]..).take_while(is_due).count() as u64;
            let moves = self.seen[seat]..self.seen[seat] + owed;
            context.book_all(moves, due_us, Fate::Missing, |metrics| {
                &mut metrics.card_move
            });
        }
        let unseen = self.unseen(context);
        let recorder = &mut *context.recorder.borrow_mut();
        recorder.common.lost += unseen;
        recorder.metrics.moves_lost += unseen;
        recorder.common.unsent += self.owed(context);
    }
}

/// A player's next step: after the last of a turn comes the other one's turn.
fn after(step: u64) -> u64 {
    match step % STEPS {
        LAST_STEP => step + STEPS + 1,
        _ => step + 1,
    }
}

/// What the names of a player's cards begin with.
fn marker(table: usize, seat: u8) -> String {
    format!("T{table}S{seat}C")
}
