//! Recording of rounds: every container in its private version, as `GameReplay` holds it (spec: cockatrice-table 12).
//!
//! What is recorded grows with every command, so whoever holds the game takes it out in pieces: when
//! [`recorded_bytes`](Game::recorded_bytes) are worth it, [`take_recorded`](Game::take_recorded) gives them, to be appended to what
//! it gave before. Between calls, all that stands in memory is of the round whose replay goes on; [`News::Replay`](super::News) ends
//! it, and what is taken after that call is the next one's. A game then costs no more memory the longer it lasts.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Game, delivery, limits};
use crate::messages::{encode, raw};

/// What is recorded of the round that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Replay {
    /// The game's encoded record at the replay's begin.
    info: Bytes,
    /// The game's second then.
    begun_s: u32,
    /// Encoded fields of `GameReplay`, as far as nobody took them.
    recorded: Vec<u8>,
    /// Bytes that somebody took.
    taken: usize,
    /// It was too long; the rest is missing.
    cut: bool,
}

/// A replay that is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinishedReplay {
    /// An encoded `GameReplay` without replay_id, to be put behind what [`Game::take_recorded`] gave since its begin: fields may
    /// stand in any order, and those that repeat are in theirs.
    pub encoded: Bytes,
    /// Seconds that it lasts.
    pub duration_s: u32,
    /// The end is missing, as it was longer than [`limits::REPLAY_BYTES`].
    pub cut: bool,
}

impl Replay {
    pub(super) fn begin(game: &Game) -> Replay {
        let mut info = game.info();
        info.started = Some(false);
        Replay {
            info: encode(&info).into(),
            begun_s: game.seconds,
            recorded: Vec::new(),
            taken: 0,
            cut: false,
        }
    }

    fn finish(mut self, now_s: u32) -> FinishedReplay {
        let duration_s = now_s.saturating_sub(self.begun_s);
        let mut encoded = Vec::with_capacity(self.info.len() + self.recorded.len() + 16);
        raw::head(&mut encoded, 2, self.info.len());
        encoded.extend_from_slice(&self.info);
        encoded.append(&mut self.recorded);
        raw::number(&mut encoded, 4, u64::from(duration_s));
        FinishedReplay {
            encoded: encoded.into(),
            duration_s,
            cut: self.cut,
        }
    }
}

impl Game {
    /// Records a container that was sent.
    pub(super) fn record(&mut self, sent: delivery::Container<'_>) {
        let seconds = self.seconds;
        let Some(replay) = &mut self.replay else {
            return;
        };
        if replay.cut || sent.entries.is_empty() {
            return;
        }
        let recorded = delivery::Container {
            game: None,
            seconds_elapsed: Some(seconds.saturating_sub(replay.begun_s)),
            ..sent
        };
        let len = recorded.len();
        if replay.taken + replay.recorded.len() + raw::block_len(3, len) > limits::REPLAY_BYTES {
            replay.cut = true;
            return;
        }
        raw::head(&mut replay.recorded, 3, len);
        recorded.put(&mut replay.recorded);
    }

    /// Bytes of the replay that goes on which stand in memory.
    pub fn recorded_bytes(&self) -> usize {
        self.replay
            .as_ref()
            .map_or(0, |replay| replay.recorded.len())
    }

    /// Takes what was recorded since the last time, to be kept elsewhere and put before the rest ([`FinishedReplay::encoded`]).
    /// Empty where nothing is recorded.
    pub fn take_recorded(&mut self) -> Vec<u8> {
        let Some(replay) = &mut self.replay else {
            return Vec::new();
        };
        replay.taken += replay.recorded.len();
        std::mem::take(&mut replay.recorded)
    }

    pub(super) fn end_replay(&mut self) -> Option<FinishedReplay> {
        Some(self.replay.take()?.finish(self.seconds))
    }
}
