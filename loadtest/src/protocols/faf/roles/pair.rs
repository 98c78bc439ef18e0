//! Two players in one game who negotiate their connection, as fast as asked for.

use std::sync::atomic::Ordering;

use super::messages::{self, GameCommand};
use crate::delivery::{Fate, Received};
use crate::protocols::faf::markers::Marker;
use crate::protocols::faf::output::Output;
use crate::protocols::faf::{Context, Task, ice_arrived};

/// How often the joining half looks whether the game is open.
const RETRY_US: u64 = 100_000;

#[derive(Debug)]
pub(crate) struct Peer {
    /// Number of its game.
    pair: usize,
    /// Number among those who do something at the rate.
    source: usize,
    hosts: bool,
    /// The other one's id, 0 until known.
    other: u64,
    joining: bool,
    /// Messages that were due so far.
    turns: u32,
    /// Messages of the other one that have come.
    heard: Received,
}

impl Peer {
    pub(super) fn new(pair: usize, source: usize, hosts: bool) -> Peer {
        Peer {
            pair,
            source,
            hosts,
            other: 0,
            joining: false,
            turns: 0,
            heard: Received::default(),
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.other != 0
    }

    pub(super) fn begin(&mut self, output: &mut Output<'_>, context: &Context) {
        if self.hosts {
            let title = format!("pair {} of {}", self.pair, context.shared.plan.run_id);
            output.send(&messages::game_host(&title));
        } else {
            context.schedule(context.now_us(), output.slot(), Task::Work);
        }
    }

    pub(super) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        output: &mut Output<'_>,
        context: &Context,
    ) {
        match command {
            "game_launch" => {
                if self.hosts {
                    context.state().boards[self.pair]
                        .uid
                        .store(GameCommand::read(text).uid, Ordering::Relaxed);
                }
                messages::starting()
                    .iter()
                    .for_each(|said| output.send(said));
            }
            "HostGame" => context.state().boards[self.pair]
                .open
                .store(true, Ordering::Release),
            "JoinGame" | "ConnectToPeer" => self.other = GameCommand::read(text).id(1),
            "game_join_failed" => self.joining = false,
            "IceMsg" => {
                let marker = ice_arrived(text, context);
                let number = marker.map(|marker| u64::from(marker.sequence));
                let due = self.due_of_other(context);
                if let Some(number) = number.filter(|number| *number < due) {
                    self.heard.insert(number);
                }
            }
            _ => {}
        }
    }

    pub(super) fn source(&self) -> usize {
        self.source
    }

    /// The other one's number among those who do something at the rate.
    fn other_source(&self) -> usize {
        if self.hosts {
            self.source + 1
        } else {
            self.source - 1
        }
    }

    /// How many messages of the other one were due so far.
    fn due_of_other(&self, context: &Context) -> u64 {
        let shared = &context.shared;
        let measured_us = shared.measured_us_until(context.now_us() + 1);
        let schedule = &shared.schedule;
        schedule.turns_before(self.other_source(), measured_us)
    }

    /// The run is over: what was due and has not come has been waited for until now.
    pub(super) fn account(&self, context: &Context) {
        let shared = &context.shared;
        let due_us = |number| {
            shared.measured_from_us() + shared.schedule.due_us(self.other_source(), number)
        };
        for messages in self.heard.missing(self.due_of_other(context)) {
            context.book_all(messages, due_us, Fate::Missing, |metrics| &mut metrics.ice);
        }
    }

    /// Before the pair is connected: the joining half tries to join. Then: one message, due at `due_us`.
    pub(super) fn send(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        let shared = &context.shared;
        if self.other == 0 {
            let board = &context.state().boards[self.pair];
            if !self.hosts && !self.joining && board.open.load(Ordering::Acquire) {
                output.send(&messages::game_join(board.uid.load(Ordering::Relaxed)));
                self.joining = true;
            }
            if !shared.is_stopping() {
                context.schedule(context.now_us() + RETRY_US, output.slot(), Task::Work);
            }
            return;
        }
        if !shared.is_measuring_at(due_us) {
            return;
        }
        self.turns += 1;
        if output.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += 1;
        } else {
            let marker = Marker {
                source: output.index() as u32,
                sequence: self.turns - 1,
                intended_us: due_us,
            };
            output.send(&messages::ice(
                self.other,
                &context.state().markers.write(marker),
            ));
            context.recorder.borrow_mut().metrics.ice_sent += 1;
        }
        let turn = u64::from(self.turns);
        let next_us = shared.measured_from_us() + shared.schedule.due_us(self.source, turn);
        context.schedule_while_measuring(next_us, output.slot(), Task::Work);
    }
}
