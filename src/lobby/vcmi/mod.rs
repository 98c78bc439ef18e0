//! The VCMI proxy lobby (spec: vcmi-proxy): one value of [`Vcmi`] is the state of one shard.
//!
//! | file | concept |
//! |---|---|
//! | `door` | a shard's own part: what kind of connection it is, packets to the hall, the hall's words to clients |
//! | `handshake` | what a game says before it is relayed: role, uuid, flag byte |
//! | `hall` | the lobby itself, on one shard: its state, what is done with a packet, what goes to whom |
//! | `users`, `greeting`, `chat` | who is in the lobby; signing in; talking and asking |
//! | `rooms`, `leaving`, `mods` | a room, getting in; getting out, thrown out, lost; the mods of a room |
//! | `start`, `pipes` | a room becomes a session; the sessions, and which game is relayed to which |
//! | `syntax`, `message` | what comes in, what goes out |
//! | `mail`, `settings` | what shards tell each other; configuration, limits, counters |
//!
//! Invariants: everything that more than one client can see is in the hall and is changed there only, one packet at a
//! time, so that all clients see the same order whatever the number of shards. What a packet causes for a shard's clients
//! is one letter to that shard, so it leaves in one write per client. A relayed byte never passes through here.

mod chat;
mod door;
mod greeting;
mod hall;
mod handshake;
mod leaving;
mod mail;
mod message;
mod mods;
mod pipes;
mod rooms;
mod settings;
mod start;
mod syntax;
#[cfg(test)]
mod tests;
mod users;

use std::{convert::Infallible, sync::Arc};

use ahash::AHashMap;

pub use mail::Mail;
pub use settings::{Board, Counters, Settings};

use self::{door::Guest, hall::Hall, settings::SHOWN};
use super::{ConnId, Dialect, Origin, ShardId, Stopping, Ticket, Turn};

/// A turn of this dialect.
type VcmiTurn<'a> = Turn<'a, Vcmi>;

/// The VCMI lobby on one shard.
#[derive(Debug)]
pub struct Vcmi {
    settings: Arc<Settings>,
    hall_shard: ShardId,
    guests: AHashMap<ConnId, Guest>,
    /// Only on its shard.
    hall: Option<Box<Hall>>,
    /// What has happened at this shard's door.
    counters: Counters,
    /// Where they are shown, the hall's included.
    board: Arc<Board>,
}

/// What a timer was set for.
#[derive(Clone, Copy, Debug)]
pub enum Timer {
    /// The connection should have signed in, or named its session.
    Handshake(ConnId),
    /// Nobody may have been connected to the session for long enough.
    Idle(u64),
    /// The session's games should have come.
    Awaited(u64),
    /// Show what was counted.
    Show,
}

impl Vcmi {
    /// The state of shard `shard` of `shards`.
    pub fn new(shard: ShardId, shards: u16, settings: Arc<Settings>) -> Self {
        // The last one: the first has other work.
        let hall_shard = ShardId(shards.max(1) - 1);
        let hall = || Box::new(Hall::new(shard, shards.max(1), settings.clone()));
        Vcmi {
            hall: (shard == hall_shard).then(hall),
            settings,
            hall_shard,
            guests: AHashMap::new(),
            counters: Counters::default(),
            board: Arc::default(),
        }
    }

    /// From now on this shard's counters hang there.
    pub fn reporting_to(mut self, board: Arc<Board>) -> Self {
        self.board = board;
        self
    }

    fn counted(&self) -> Counters {
        let mut sum = self.counters;
        if let Some(hall) = &self.hall {
            sum.add(&hall.counters);
        }
        sum
    }
}

impl Dialect for Vcmi {
    type Mail = Mail;
    type Ask = Infallible;
    type Answer = Infallible;
    type Event = Infallible;
    type News = Infallible;
    type Timer = Timer;

    fn started(&mut self, turn: &mut VcmiTurn<'_>) {
        turn.wake_at(turn.now.mono + SHOWN, Timer::Show);
    }

    fn opened(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, origin: Origin) {
        self.knocked(turn, conn, origin.address);
    }

    fn received(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, body: &mut [u8]) {
        self.frame(turn, conn, body);
    }

    fn closed(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        self.left(turn, conn);
    }

    fn mailed(&mut self, turn: &mut VcmiTurn<'_>, _: ShardId, mail: Mail) {
        match mail {
            Mail::ToHall(knock) => self.in_hall(turn, |hall, turn| hall.take(turn, knock)),
            Mail::Show(deliveries) => self.show(turn, deliveries),
        }
    }

    fn answered(&mut self, _: &mut VcmiTurn<'_>, _: Ticket, answer: Infallible) {
        match answer {}
    }

    fn told(&mut self, _: &mut VcmiTurn<'_>, news: Infallible) {
        match news {}
    }

    fn woke(&mut self, turn: &mut VcmiTurn<'_>, timer: Timer) {
        match timer {
            Timer::Show => {
                self.board.hang_up(self.counted());
                turn.wake_at(turn.now.mono + SHOWN, Timer::Show);
            }
            Timer::Handshake(conn) => self.handshake_timed_out(turn, conn),
            Timer::Idle(session) => self.in_hall(turn, |hall, turn| hall.idle(turn, session)),
            Timer::Awaited(session) => {
                self.in_hall(turn, |hall, _| hall.no_longer_awaited(session))
            }
        }
    }

    fn resync(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        self.tell_hall(turn, mail::ToHall::Resync { conn });
    }

    fn stopping(&mut self, turn: &mut VcmiTurn<'_>, step: Stopping) {
        if step == Stopping::Drain {
            self.in_hall(turn, |hall, _| hall.drain());
        }
    }

    fn may_stop(&self) -> bool {
        let pipes_here = self.guests.values().any(Guest::is_pipe);
        !pipes_here && self.hall.as_ref().is_none_or(|hall| !hall.awaits_games())
    }

    fn refuse(ask: Infallible) -> Infallible {
        ask
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        self.counted().list()
    }
}
