//! Someone who has opened a game and keeps changing its options.

use std::sync::atomic::Ordering;

use super::speech::{self, Word};
use crate::cli::Profile;
use crate::client::Voice;
use crate::crew::{Errand, Local};
use crate::schedule::Marker;

/// Seats of a game; joiners take the next one in turn.
const SEATS: u64 = 12;

#[derive(Debug)]
pub(crate) struct Host {
    number: usize,
    /// Changes made.
    sequence: u32,
    opened: bool,
    seated: u64,
}

impl Host {
    pub(super) fn new(number: usize) -> Host {
        Host {
            number,
            sequence: 0,
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
    pub(super) fn open_game(&mut self, voice: &mut Voice, local: &Local) {
        let title = local.run.markers.write(Marker {
            source: self.number as u32,
            sequence: 0,
            intended_us: 0,
        });
        voice.say(&speech::game_host(&title));
    }

    pub(super) fn hear(&mut self, command: &str, text: &[u8], voice: &mut Voice, local: &Local) {
        let board = &local.run.boards[self.number];
        match command {
            "game_launch" => {
                board.uid.store(Word::read(text).uid, Ordering::Relaxed);
                voice.say(&speech::game_state("Idle"));
                voice.say(&speech::game_state("Lobby"));
            }
            "HostGame" => {
                for option in speech::seat(voice.player_id, 1) {
                    voice.say(&option);
                }
                self.opened = true;
                board.open.store(true, Ordering::Release);
            }
            // spec: faf-lifecycle 10.4, the host configures whoever joins, then both sides negotiate
            "ConnectToPeer" => {
                let joiner = Word::read(text).id(1);
                self.seated += 1;
                for option in speech::seat(joiner, 2 + self.seated % (SEATS - 1)) {
                    voice.say(&option);
                }
                self.answer(joiner, voice, local);
            }
            "IceMsg" => {
                local.ice_arrived(text);
                self.answer(Word::read(text).id(0), voice, local);
            }
            _ => {}
        }
    }

    fn answer(&mut self, player: u64, voice: &mut Voice, local: &Local) {
        let now_us = local.run.clock.now_us();
        let marker = Marker {
            source: voice.index as u32,
            sequence: 0,
            intended_us: now_us,
        };
        voice.say(&speech::ice(player, &local.run.markers.write(marker)));
        local.recorder.borrow_mut().counts.ice_sent += 1;
    }

    /// One change, which was due at `due_us`; the last one is the sign for the watchers that all have come.
    pub(super) fn change(&mut self, due_us: u64, voice: &mut Voice, local: &Local) {
        let run = &local.run;
        if voice.is_choked() {
            local.recorder.borrow_mut().counts.unsent += 1;
        } else {
            self.sequence += 1;
            let marker = Marker {
                source: self.number as u32,
                sequence: self.sequence,
                intended_us: due_us,
            };
            voice.say(&speech::game_option("Title", &run.markers.write(marker)));
            if run.plan.profile == Profile::Lobby {
                let speed = if self.sequence.is_multiple_of(2) {
                    "normal"
                } else {
                    "fast"
                };
                voice.say(&speech::game_option("GameSpeed", speed));
            }
            run.boards[self.number]
                .sent
                .store(self.sequence, Ordering::Release);
            local.recorder.borrow_mut().counts.changes += 1;
        }
        local.remind_in_time(due_us + run.schedule.period_us(), voice.slot, Errand::Work);
    }
}
