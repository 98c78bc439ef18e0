//! Small messages of a relayed game that go through the relay and back, for half of the measured phase: each has its time, whether
//! the one before is back or not. What they travel in is their lobby's.

use crate::connection::Connection;
use crate::latency::Latency;
use crate::protocol::Protocol;
use crate::worker::Context;

/// From one small message of a game to the next.
const PERIOD_US: u64 = 2_500;

/// A lobby whose games are relayed.
pub(crate) trait Relayed: Protocol {
    /// What a player does when a small message is due.
    const TRIP: Self::Task;

    /// How many games there are.
    fn games(&self) -> usize;

    /// Where round trips are measured.
    fn round_trips(metrics: &mut Self::Metrics) -> &mut Latency;
}

/// The small messages of one game.
#[derive(Debug)]
pub(crate) struct Trips {
    /// Which of the games.
    game: usize,
    /// From when on they are due.
    from_us: u64,
    begun: u64,
    returned: u64,
}

impl Trips {
    /// Those of game `game`.
    pub(crate) fn new(game: usize) -> Trips {
        Trips {
            game,
            from_us: 0,
            begun: 0,
            returned: 0,
        }
    }

    /// The measured phase begins at this time.
    pub(crate) fn on_measure<P: Relayed>(
        &mut self,
        from_us: u64,
        connection: &Connection,
        context: &Context<P>,
    ) {
        self.from_us = from_us;
        context.schedule(self.due_us(0, context), connection.slot, P::TRIP);
    }

    /// When a small message is due: games take turns.
    fn due_us<P: Relayed>(&self, number: u64, context: &Context<P>) -> u64 {
        let games = context.shared.protocol.games().max(1) as u64;
        self.from_us + number * PERIOD_US + PERIOD_US * self.game as u64 / games
    }

    /// One is due: its number, and the next one is scheduled; nothing when their half is over.
    pub(crate) fn begin<P: Relayed>(
        &mut self,
        due_us: u64,
        connection: &Connection,
        context: &Context<P>,
    ) -> Option<u64> {
        if due_us >= self.from_us + half_us(context) {
            return None;
        }
        let number = self.begun;
        self.begun += 1;
        let next_us = self.due_us(self.begun, context);
        context.schedule(next_us, connection.slot, P::TRIP);
        Some(number)
    }

    /// One is back: its number.
    pub(crate) fn end<P: Relayed>(&mut self, context: &Context<P>) -> u64 {
        let number = self.returned;
        self.returned += 1;
        context.note(self.due_us(number, context), P::round_trips);
        number
    }

    /// All that have begun are back.
    pub(crate) fn are_back(&self) -> bool {
        self.returned == self.begun
    }

    /// The run is over: one that has not come back has been waited for until now.
    pub(crate) fn account<P: Relayed>(&self, context: &Context<P>) {
        for number in self.returned..self.begun {
            context.give_up(self.due_us(number, context), P::round_trips);
        }
    }
}

/// Half of the measured phase.
pub(crate) fn half_us<P: Protocol>(context: &Context<P>) -> u64 {
    context.shared.plan.duration.as_micros() as u64 / 2
}
