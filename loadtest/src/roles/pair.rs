//! Two players in one game who negotiate their connection, as fast as asked for.

use std::sync::atomic::Ordering;

use super::messages::{self, GameCommand};
use crate::client::Output;
use crate::schedule::Marker;
use crate::worker::{Local, Task};

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

    pub(super) fn begin(&mut self, output: &mut Output, local: &Local) {
        if self.hosts {
            output.send(&messages::game_host(&format!("pair {}", self.pair)));
        } else {
            local.schedule(local.run.clock.now_us(), output.slot, Task::Work);
        }
    }

    pub(super) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        output: &mut Output,
        local: &Local,
    ) {
        match command {
            "game_launch" => {
                if self.hosts {
                    local.run.boards[self.pair]
                        .uid
                        .store(GameCommand::read(text).uid, Ordering::Relaxed);
                }
                output.send(&messages::game_state("Idle"));
                output.send(&messages::game_state("Lobby"));
            }
            "HostGame" => local.run.boards[self.pair]
                .open
                .store(true, Ordering::Release),
            "JoinGame" | "ConnectToPeer" => self.other = GameCommand::read(text).id(1),
            "game_join_failed" => self.joining = false,
            "IceMsg" => local.ice_arrived(text),
            _ => {}
        }
    }

    /// Before the pair is connected: the joining half tries to join. Then: one message, due at `due_us`.
    pub(super) fn send(&mut self, due_us: u64, output: &mut Output, local: &Local) {
        let run = &local.run;
        if self.other == 0 {
            let board = &run.boards[self.pair];
            if !self.hosts && !self.joining && board.open.load(Ordering::Acquire) {
                output.send(&messages::game_join(board.uid.load(Ordering::Relaxed)));
                self.joining = true;
            }
            if !run.is_stopping() {
                local.schedule(run.clock.now_us() + RETRY_US, output.slot, Task::Work);
            }
            return;
        }
        if !run.is_measuring_at(due_us) {
            return;
        }
        if output.is_backlogged() {
            local.recorder.borrow_mut().counts.unsent += 1;
        } else {
            let marker = Marker {
                source: output.index as u32,
                sequence: self.sequence,
                intended_us: due_us,
            };
            self.sequence += 1;
            output.send(&messages::ice(self.other, &run.markers.write(marker)));
            local.recorder.borrow_mut().counts.ice_sent += 1;
        }
        local.schedule_while_measuring(due_us + run.schedule.period_us(), output.slot, Task::Work);
    }
}
