//! How fast a client may say things. One that says more is not refused but heard later: its bytes wait in its own kernel's
//! buffers, so a game that starts with a burst loses nothing, and a flood costs nobody else anything.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rate::{Meter, Rate};

/// Messages at once: a host who launches a full game sends some hundred, and as many ICE messages.
const COMMANDS_BURST: u32 = 4_000;
/// Bytes at once: three messages as long as they may be.
const BYTES_BURST: u32 = 32 << 20;
/// Messages up to this length are bounded by their number alone: a thousand of them are a MiB.
const SHORT_BYTES: usize = 1 << 10;
/// A client is heard again after this time, whatever it has said.
const LONGEST: Duration = Duration::from_secs(10);
/// Messages that one counts as that has the store asked, or a long list made.
pub(in crate::faf) const STORE_COST: u64 = 10;
/// Messages that a wrong password of a game counts as.
pub(in crate::faf) const WRONG_PASSWORD_COST: u64 = 250;

settings::settings! {
    /// What one client may say in a second in the long run.
    #[derive(Clone, Copy, Debug)]
    pub struct Pace {
        /// Messages of one client in a second in the long run; 4000 at once. One that sends more is heard later. 0: no limit.
        commands: Option<u32> = "faf.commands_per_second", number(0, 1_000_000), "500", unit("messages/s"), live;
        /// Bytes of one client in a second in the long run; 32 MiB at once. One that sends more is heard later. 0: no limit.
        bytes: Option<u32> = "faf.bytes_per_second", number(0, 1 << 30), "1048576", unit("bytes/s"), live;
    }
}

impl Pace {
    fn commands(&self) -> Option<Rate> {
        Rate::limit(self.commands, COMMANDS_BURST)
    }

    fn bytes(&self) -> Option<Rate> {
        Rate::limit(self.bytes, BYTES_BURST)
    }
}

/// What a client has said.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Said {
    commands: Meter,
    bytes: Meter,
}

impl Said {
    /// A message of so many bytes.
    pub(in crate::faf) fn frame(&mut self, now: Duration, bytes: usize, pace: &Pace) {
        self.cost(now, 1, pace);
        if bytes > SHORT_BYTES
            && let Some(rate) = pace.bytes()
        {
            self.bytes.charge(now, bytes as u64, rate);
        }
    }

    /// A message that counts as several.
    pub(in crate::faf) fn cost(&mut self, now: Duration, messages: u64, pace: &Pace) {
        if let Some(rate) = pace.commands() {
            self.commands.charge(now, messages, rate);
        }
    }

    /// Until when the client is not heard, if it has said too much.
    pub(in crate::faf) fn unheard_until(self, now: Duration, pace: &Pace) -> Option<Duration> {
        let wait = |meter: Meter, rate: Option<Rate>| meter.wait(now, rate?);
        let longest = wait(self.commands, pace.commands()).max(wait(self.bytes, pace.bytes()))?;
        Some(now + longest.min(LONGEST))
    }
}
