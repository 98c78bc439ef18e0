//! Two players in one game who negotiate their connection, as fast as asked for.

use std::sync::atomic::Ordering;

use super::messages::{self, GameCommand};
use crate::protocols::faf::markers::Marker;
use crate::protocols::faf::output::Output;
use crate::protocols::faf::{Context, Task, ice_arrived};

/// How often the joining half looks whether the game is open.
const RETRY_US: u64 = 100_000;

#[derive(Debug)]
pub(crate) struct Peer {
    pair: usize,
    hosts: bool,
    /// The other one's id, 0 until known.
    other: u64,
    joining: bool,
    sequence: u32,
}

impl Peer {
    pub(super) fn new(pair: usize, hosts: bool) -> Peer {
        Peer {
            pair,
            hosts,
            other: 0,
            joining: false,
            sequence: 0,
        }
    }

    pub(super) fn is_connected(&self) -> bool {
        self.other != 0
    }

    pub(super) fn begin(&mut self, output: &mut Output<'_>, context: &Context) {
        if self.hosts {
            output.send(&messages::game_host(&format!("pair {}", self.pair)));
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
            "IceMsg" => ice_arrived(text, context),
            _ => {}
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
        if output.is_backlogged() {
            context.recorder.borrow_mut().common.unsent += 1;
        } else {
            let marker = Marker {
                source: output.index() as u32,
                sequence: self.sequence,
                intended_us: due_us,
            };
            self.sequence += 1;
            output.send(&messages::ice(
                self.other,
                &context.state().markers.write(marker),
            ));
            context.recorder.borrow_mut().metrics.ice_sent += 1;
        }
        context.schedule_while_measuring(
            due_us + shared.schedule.period_us(),
            output.slot(),
            Task::Work,
        );
    }
}
