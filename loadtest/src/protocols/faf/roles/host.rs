//! Someone who has opened a game and keeps changing its options.

use std::sync::atomic::Ordering;

use super::messages::{self, GameCommand};
use crate::protocols::faf::markers::Marker;
use crate::protocols::faf::output::Output;
use crate::protocols::faf::{Context, Task, change_due_us, ice_arrived};

/// Seats of a game; joiners take the next one in turn.
const SEATS: u64 = 12;

#[derive(Debug)]
pub(crate) struct Host {
    number: usize,
    /// Changes another option with each title.
    busy: bool,
    /// Changes due so far, the number of the newest.
    turns: u32,
    /// The last change is made, which has the next number.
    finished: bool,
    opened: bool,
    seated: u64,
}

impl Host {
    pub(super) fn new(number: usize, busy: bool) -> Host {
        Host {
            number,
            busy,
            turns: 0,
            finished: false,
            opened: false,
            seated: 0,
        }
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn is_open(&self) -> bool {
        self.opened
    }

    /// spec: faf-lifecycle 10.2
    pub(super) fn open_game(&mut self, output: &mut Output<'_>, context: &Context) {
        let title = context.state().markers.write(Marker {
            source: self.number as u32,
            sequence: 0,
            intended_us: 0,
        });
        output.send(&messages::game_host(&title));
    }

    pub(super) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        output: &mut Output<'_>,
        context: &Context,
    ) {
        let board = &context.state().boards[self.number];
        match command {
            "game_launch" => {
                board
                    .uid
                    .store(GameCommand::read(text).uid, Ordering::Relaxed);
                messages::starting()
                    .iter()
                    .for_each(|said| output.send(said));
            }
            "HostGame" => {
                for option in messages::seat(output.player_id(), 1) {
                    output.send(&option);
                }
                self.opened = true;
                board.open.store(true, Ordering::Release);
            }
            // spec: faf-lifecycle 10.4, the host configures whoever joins, then both sides negotiate
            "ConnectToPeer" => {
                let joiner = GameCommand::read(text).id(1);
                self.seated += 1;
                for option in messages::seat(joiner, 2 + self.seated % (SEATS - 1)) {
                    output.send(&option);
                }
                self.answer(joiner, output, context);
            }
            "IceMsg" => {
                let _marker = ice_arrived(text, context);
                self.answer(GameCommand::read(text).id(0), output, context);
            }
            _ => {}
        }
    }

    fn answer(&mut self, player: u64, output: &mut Output<'_>, context: &Context) {
        let now_us = context.now_us();
        let marker = Marker {
            source: output.index() as u32,
            sequence: 0,
            intended_us: now_us,
        };
        output.send(&messages::ice(
            player,
            &context.state().markers.write(marker),
        ));
        context.recorder.borrow_mut().metrics.ice_sent += 1;
    }

    /// A change is due; whether it can be made or not, the next one keeps its time.
    pub(super) fn work(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        if !context.shared.is_measuring_at(due_us) {
            return;
        }
        self.turns += 1;
        self.change(due_us, output, context);
        let next_us = change_due_us(self.number, u64::from(self.turns) + 1, context);
        context.schedule_while_measuring(next_us, output.slot(), Task::Work);
    }

    /// One last change, the sign for the watchers that all have come.
    pub(super) fn finish(&mut self, output: &mut Output<'_>, context: &Context) {
        self.finished = true;
        self.change(context.now_us(), output, context);
    }

    fn change(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        if output.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += 1;
            return;
        }
        let sequence = self.turns + u32::from(self.finished);
        let marker = Marker {
            source: self.number as u32,
            sequence,
            intended_us: due_us,
        };
        let title = context.state().markers.write(marker);
        output.send(&messages::game_option("Title", &title));
        if self.busy {
            let speed = if sequence.is_multiple_of(2) {
                "normal"
            } else {
                "fast"
            };
            output.send(&messages::game_option("GameSpeed", speed));
        }
        let board = &context.state().boards[self.number];
        board.sent.store(sequence, Ordering::Release);
        context.recorder.borrow_mut().metrics.changes += 1;
    }

    /// The run is over: counts changes whose time came and went, as they do when the connection is lost.
    pub(super) fn account(&self, context: &Context) {
        let shared = &context.shared;
        let measured_us = shared.measured_us_until(context.now_us());
        let due = shared.schedule.turns_before(self.number, measured_us);
        context.recorder.borrow_mut().common.unsent += due.saturating_sub(u64::from(self.turns));
    }
}
