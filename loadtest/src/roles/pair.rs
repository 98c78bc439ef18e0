//! Two players in one game who negotiate their connection, as fast as asked for.

use std::sync::atomic::Ordering;

use super::speech::{self, Word};
use crate::client::Voice;
use crate::crew::{Errand, Local};
use crate::schedule::Marker;

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

    pub(super) fn begin(&mut self, voice: &mut Voice, local: &Local) {
        if self.hosts {
            voice.say(&speech::game_host(&format!("pair {}", self.pair)));
        } else {
            local.remind(local.run.clock.now_us(), voice.slot, Errand::Work);
        }
    }

    pub(super) fn hear(&mut self, command: &str, text: &[u8], voice: &mut Voice, local: &Local) {
        match command {
            "game_launch" => {
                if self.hosts {
                    local.run.boards[self.pair]
                        .uid
                        .store(Word::read(text).uid, Ordering::Relaxed);
                }
                voice.say(&speech::game_state("Idle"));
                voice.say(&speech::game_state("Lobby"));
            }
            "HostGame" => local.run.boards[self.pair]
                .open
                .store(true, Ordering::Release),
            "JoinGame" | "ConnectToPeer" => self.other = Word::read(text).id(1),
            "game_join_failed" => self.joining = false,
            "IceMsg" => local.ice_arrived(text),
            _ => {}
        }
    }

    /// Before the pair is connected: the joining half tries to join. Then: one message, due at `due_us`.
    pub(super) fn send(&mut self, due_us: u64, voice: &mut Voice, local: &Local) {
        let run = &local.run;
        if self.other == 0 {
            let board = &run.boards[self.pair];
            if !self.hosts && !self.joining && board.open.load(Ordering::Acquire) {
                voice.say(&speech::game_join(board.uid.load(Ordering::Relaxed)));
                self.joining = true;
            }
            if !run.is_stopping() {
                local.remind(run.clock.now_us() + RETRY_US, voice.slot, Errand::Work);
            }
            return;
        }
        if !run.is_measuring_at(due_us) {
            return;
        }
        if voice.is_choked() {
            local.recorder.borrow_mut().counts.unsent += 1;
        } else {
            let marker = Marker {
                source: voice.index as u32,
                sequence: self.sequence,
                intended_us: due_us,
            };
            self.sequence += 1;
            voice.say(&speech::ice(self.other, &run.markers.write(marker)));
            local.recorder.borrow_mut().counts.ice_sent += 1;
        }
        local.remind_in_time(due_us + run.schedule.period_us(), voice.slot, Errand::Work);
    }
}
