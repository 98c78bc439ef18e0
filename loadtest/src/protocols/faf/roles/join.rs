//! Someone who goes from game to game.

use std::sync::atomic::Ordering;

use super::messages::{self, GameCommand};
use crate::chance;
use crate::protocols::faf::markers::Marker;
use crate::protocols::faf::output::Output;
use crate::protocols::faf::{Context, Task, ice_arrived};

/// From one joining to the next.
const CYCLE_US: u64 = 10_000_000;
/// How long a game is stayed in.
const STAY_US: u64 = 6_000_000;
/// From one IceMsg to the next.
const CHAT_US: u64 = 1_000_000;
/// Tells these draws from others of the same seed and client.
const PICK: u64 = 0x6a6f_696e;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Outside,
    Asked,
    Entering,
    Inside { host: u64 },
}

#[derive(Debug)]
pub(crate) struct Joiner {
    number: usize,
    step: Step,
    /// Games looked for so far.
    cycles: u64,
}

impl Joiner {
    pub(super) fn new(number: usize) -> Joiner {
        Joiner {
            number,
            step: Step::Outside,
            cycles: 0,
        }
    }

    /// Spreads the joiners over a cycle.
    pub(super) fn stagger_us(&self, joiners: usize) -> u64 {
        CYCLE_US * self.number as u64 / joiners.max(1) as u64
    }

    /// spec: faf-messages 3.8
    pub(super) fn join(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        context.schedule_while_measuring(due_us + CYCLE_US, output.slot(), Task::Work);
        if self.step != Step::Outside {
            // The former joining got stuck: give it up, so that the next cycle starts clean.
            context.recorder.borrow_mut().metrics.join_failures += 1;
            self.leave(output, context);
            return;
        }
        let boards = &context.state().boards;
        self.cycles += 1;
        let seed = context.shared.plan.seed;
        let draw = chance::bits(&[seed, PICK, output.index() as u64, self.cycles]);
        let pick = (draw % boards.len() as u64) as usize;
        if !boards[pick].open.load(Ordering::Acquire) {
            context.recorder.borrow_mut().metrics.join_failures += 1;
            return;
        }
        output.send(&messages::game_join(
            boards[pick].uid.load(Ordering::Relaxed),
        ));
        self.step = Step::Asked;
    }

    pub(super) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        output: &mut Output<'_>,
        context: &Context,
    ) {
        let now_us = context.now_us();
        match command {
            "game_launch" if self.step == Step::Asked => {
                messages::starting()
                    .iter()
                    .for_each(|said| output.send(said));
                self.step = Step::Entering;
            }
            "JoinGame" if self.step == Step::Entering => {
                self.step = Step::Inside {
                    host: GameCommand::read(text).id(1),
                };
                context.recorder.borrow_mut().metrics.joins += 1;
                context.schedule(now_us + CHAT_US, output.slot(), Task::Chat);
                context.schedule(now_us + STAY_US, output.slot(), Task::Leave);
            }
            "game_join_failed" if self.step == Step::Asked => {
                self.step = Step::Outside;
                context.recorder.borrow_mut().metrics.join_failures += 1;
            }
            "IceMsg" => {
                let _marker = ice_arrived(text, context);
            }
            _ => {}
        }
    }

    pub(super) fn chat(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        let Step::Inside { host } = self.step else {
            return;
        };
        let marker = Marker {
            source: output.index() as u32,
            sequence: 0,
            intended_us: due_us,
        };
        output.send(&messages::ice(host, &context.state().markers.write(marker)));
        context.recorder.borrow_mut().metrics.ice_sent += 1;
        context.schedule_while_measuring(due_us + CHAT_US, output.slot(), Task::Chat);
    }

    /// spec: faf-lifecycle 10.7
    pub(super) fn leave(&mut self, output: &mut Output<'_>, _context: &Context) {
        if self.step != Step::Outside {
            output.send(&messages::game_state("Ended"));
            self.step = Step::Outside;
        }
    }
}
