//! One side of a game of two: host and guest meet in a room with their launchers, which then give way to their games, and these
//! are relayed to each other. Half of the measured phase small messages go there and back, the other half the host's game sends
//! as fast as it can.

use std::sync::atomic::Ordering;

use super::packets::{self, Messages, packet};
use super::{Context, GREETED, Task};
use crate::connection::Connection;
use crate::protocol::Next;
use crate::protocols::trips::{Trips, half_us};

/// A small message of a game.
const TRIP_BYTES: usize = 64;
/// A small message that goes there and back.
const TRIP: [u8; TRIP_BYTES] = [7; TRIP_BYTES];
/// The small message after which the host's game sends without pause.
const RUSH: [u8; TRIP_BYTES] = [9; TRIP_BYTES];
/// What is sent without pause, a block at a time.
static BLOCK: [u8; 64 << 10] = [1; 64 << 10];
/// How often a player looks whether the other one is as far as he must be.
const LOOK_US: u64 = 20_000;

/// How long a relay has to end a game whose other side has gone.
const END_US: u64 = 1_000_000;

/// The room has been opened.
const OPEN: u8 = 1;
/// The guest has said that he is ready.
const READY: u8 = 2;

/// Which side of a game a player is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Host,
    Guest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The launcher signs in, and the two meet in a room.
    Meeting,
    /// The game connects, and waits for the greeting of the other one.
    Starting,
    /// Small messages go there and back.
    Playing,
    /// The host's game sends without pause.
    Rushing { since_us: u64 },
    /// All has arrived.
    Over,
    /// It came to nothing.
    Failed,
}

#[derive(Debug)]
pub(crate) struct Player {
    run_id: String,
    game: usize,
    side: Side,
    step: Step,
    messages: Messages,
    /// What the lobby told the launcher, and the game tells the relay.
    uuid: String,
    /// Bytes of the game that are no whole message yet.
    inbox: Vec<u8>,
    trips: Trips,
    /// The message after which the host's game sends without pause has left, then.
    rush_us: Option<u64>,
    /// Bytes sent, or received, without pause.
    rushed: u64,
    /// When the last of them came.
    heard_us: u64,
}

impl Player {
    pub(super) fn new(run_id: &str, game: usize, side: Side) -> Player {
        Player {
            run_id: run_id.to_owned(),
            game,
            side,
            step: Step::Meeting,
            messages: Messages::default(),
            uuid: String::new(),
            inbox: Vec::new(),
            trips: Trips::new(game),
            rush_us: None,
            rushed: 0,
            heard_us: 0,
        }
    }

    fn room(&self) -> String {
        format!("swarm {} {}", self.run_id, self.game)
    }

    fn name(&self, side: Side) -> String {
        let side = match side {
            Side::Host => "host",
            Side::Guest => "guest",
        };
        format!("sw{}{side}{}", self.run_id, self.game)
    }

    /// How the room's status tells that the guest has said that he is ready.
    fn ready(&self) -> String {
        format!(":{}:True", self.name(Side::Guest))
    }

    pub(super) fn on_connect(&mut self, connection: &mut Connection) {
        let greeting = match (self.step, self.side) {
            (Step::Starting, Side::Host) => packets::game_greeting("server", &self.uuid),
            (Step::Starting, Side::Guest) => packets::game_greeting("client", &self.uuid),
            (_, side) => packets::greeting(&self.name(side)),
        };
        connection.output().extend_from_slice(&greeting);
    }

    pub(super) fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        match self.step {
            Step::Meeting => {
                let mut messages = std::mem::take(&mut self.messages);
                messages.push(bytes, &mut |message| {
                    context.recorder.borrow_mut().common.messages_in += 1;
                    self.on_message(message, connection, context);
                });
                self.messages = messages;
            }
            Step::Rushing { .. } => {
                self.rushed += bytes.len() as u64;
                self.heard_us = context.now_us();
            }
            Step::Starting | Step::Playing => {
                self.inbox.extend_from_slice(bytes);
                self.play(connection, context);
            }
            Step::Over | Step::Failed => {}
        }
    }

    /// A message to the launcher.
    fn on_message(&mut self, message: &str, connection: &mut Connection, context: &Context) {
        let progress = &context.state().games[self.game].progress;
        let room = self.room();
        let own_mods = format!("MODSOTHER:{}", self.name(Side::Host));
        let said = match self.side {
            _ if message.starts_with("ERROR:") => {
                return context.protocol_error(&format!("a player was told {message}"));
            }
            _ if message.starts_with(GREETED) && !connection.is_signed_in() => {
                connection.signed_in(context);
                self.look_later(connection, context);
                if self.side == Side::Guest {
                    return;
                }
                format!("<NEW>{room}<PSWD><COUNT>2<MODS>swarm&1")
            }
            Side::Host if message.starts_with(&own_mods) => {
                progress.fetch_max(OPEN, Ordering::AcqRel);
                return;
            }
            Side::Guest if message.starts_with("MODS:") => format!("<READY>{room}"),
            Side::Guest if message.starts_with("STATUS:") && message.contains(&self.ready()) => {
                progress.fetch_max(READY, Ordering::AcqRel);
                return;
            }
            Side::Host if message.starts_with("HOST:") => {
                return self.start(message, connection);
            }
            Side::Guest if message.starts_with("START:") => {
                return self.start(message, connection);
            }
            Side::Host | Side::Guest => return,
        };
        connection.output().extend_from_slice(&packet(&said));
    }

    /// The lobby has told the uuid: the launcher gives way to the game.
    fn start(&mut self, message: &str, connection: &mut Connection) {
        let uuid = message.split(':').nth(1).unwrap_or_default();
        uuid.clone_into(&mut self.uuid);
        self.step = Step::Starting;
        connection.close();
    }

    fn look_later(&self, connection: &Connection, context: &Context) {
        context.schedule(context.now_us() + LOOK_US, connection.slot, Task::Look);
    }

    /// Goes on when the other one is far enough.
    pub(super) fn look(&mut self, connection: &mut Connection, context: &Context) {
        if let (Side::Guest, Step::Rushing { since_us }) = (self.side, self.step) {
            return self.look_for_end(since_us, connection, context);
        }
        if self.step != Step::Meeting || context.shared.is_stopping() {
            return;
        }
        let room = self.room();
        let progress = context.state().games[self.game]
            .progress
            .load(Ordering::Acquire);
        let said = match (self.side, progress) {
            (Side::Guest, OPEN) => format!("<JOIN>{room}<PSWD><MODS>swarm&1"),
            (Side::Host, READY) => format!("<READY>{room}"),
            _ => return self.look_later(connection, context),
        };
        connection.output().extend_from_slice(&packet(&said));
    }

    /// The guest's game ends when it has everything. Not every relay closes its connection: VCMI's own leaves it open when the
    /// other one has gone (spec: vcmi-proxy 10.4).
    fn look_for_end(&mut self, since_us: u64, connection: &mut Connection, context: &Context) {
        let sent = context.state().games[self.game]
            .sent
            .load(Ordering::Acquire);
        let complete = sent > 0 && sent == self.rushed;
        if !complete || context.now_us() < self.heard_us + END_US {
            if !context.shared.is_stopping() {
                self.look_later(connection, context);
            }
            return;
        }
        self.all_came(since_us, self.heard_us, context);
        connection.close();
    }

    /// Handles what the game has received.
    fn play(&mut self, connection: &mut Connection, context: &Context) {
        if self.step == Step::Starting {
            let Some(length) = packets::game_greeting_length(&self.inbox) else {
                return;
            };
            self.inbox.drain(..length);
            self.step = Step::Playing;
            connection.established(context);
            if self.side == Side::Guest {
                context.recorder.borrow_mut().metrics.games += 1;
            }
        }
        self.play_inbox(connection, context);
    }

    fn play_inbox(&mut self, connection: &mut Connection, context: &Context) {
        while self.step == Step::Playing && self.inbox.len() >= TRIP_BYTES {
            let rush = self.inbox[..TRIP_BYTES] == RUSH;
            self.inbox.drain(..TRIP_BYTES);
            match self.side {
                Side::Host if rush => {
                    self.step = Step::Rushing {
                        since_us: context.now_us(),
                    };
                }
                Side::Host => connection.output().extend_from_slice(&TRIP),
                Side::Guest => {
                    self.trips.end(context);
                    self.rush_if_all_returned(connection, context);
                }
            }
        }
    }

    /// The guest's game: after its last small message comes what is sent without pause.
    fn rush_if_all_returned(&mut self, connection: &Connection, context: &Context) {
        if let Some(since_us) = self.rush_us
            && self.trips.are_back()
        {
            self.step = Step::Rushing { since_us };
            self.rushed = std::mem::take(&mut self.inbox).len() as u64;
            self.look_later(connection, context);
        }
    }

    pub(super) fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        if self.side == Side::Guest {
            self.trips.on_measure(from_us, connection, context);
        }
    }

    /// The guest's game begins the next round trip, or the second half.
    pub(super) fn trip(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        if self.step != Step::Playing || !connection.is_signed_in() {
            return;
        }
        if self.trips.begin(due_us, connection, context).is_some() {
            connection.output().extend_from_slice(&TRIP);
        } else {
            connection.output().extend_from_slice(&RUSH);
            self.rush_us = Some(context.now_us());
            self.rush_if_all_returned(connection, context);
        }
    }

    /// The host's game sends without pause, then ends; everything must arrive, and then the end.
    pub(super) fn on_drained(&mut self, connection: &mut Connection, context: &Context) {
        let (Side::Host, Step::Rushing { since_us }) = (self.side, self.step) else {
            return;
        };
        if context.now_us() < since_us + half_us(context) {
            connection.output().extend_from_slice(&BLOCK);
            self.rushed += BLOCK.len() as u64;
        } else {
            let sent = &context.state().games[self.game].sent;
            sent.store(self.rushed, Ordering::Release);
            self.step = Step::Over;
            connection.close();
        }
    }

    pub(super) fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        match self.step {
            Step::Starting if by_client => return Next::Reconnect(0),
            Step::Rushing { since_us } if self.side == Side::Guest && !by_client => {
                self.all_came(since_us, context.now_us(), context);
                return Next::Away;
            }
            _ if by_client => return Next::Away,
            _ => {}
        }
        self.step = Step::Failed;
        Next::Failed
    }

    fn all_came(&mut self, since_us: u64, until_us: u64, context: &Context) {
        let sent = &context.state().games[self.game].sent;
        let (sent, came) = (sent.load(Ordering::Acquire), self.rushed);
        let metrics = &mut context.recorder.borrow_mut().metrics;
        metrics.relayed_bytes += came;
        metrics.relay_us += until_us.saturating_sub(since_us);
        self.step = Step::Over;
        if sent != came {
            self.step = Step::Failed;
            let what = format!("a game failed: {sent} bytes were sent and {came} arrived");
            context.shared.record_error(what);
        }
    }

    /// The games of both sides hear each other.
    pub(super) fn is_ready(&self) -> bool {
        !matches!(self.step, Step::Meeting | Step::Starting)
    }

    /// The end of the game, unless it will not come any more.
    pub(super) fn missing(&self) -> u64 {
        u64::from(!matches!(self.step, Step::Over | Step::Failed))
    }

    /// The run is over: a small message that has not come back has been waited for until now.
    pub(super) fn account(&self, context: &Context) {
        self.trips.account(context);
        if self.step != Step::Over {
            context.recorder.borrow_mut().metrics.players_broken += 1;
            let Player {
                side, step, rushed, ..
            } = self;
            let what = format!("{side:?} was left in {step:?} after {rushed} bytes");
            context.shared.record_error(what);
        }
    }
}
