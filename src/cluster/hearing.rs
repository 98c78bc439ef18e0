//! Whether the bus carries what this node says and hears: its own beats must come back, and soon.

use std::time::Duration;

/// A bus that has not brought back what was said within this time is as good as gone.
const DEAF: Duration = Duration::from_secs(2);

/// Whether the bus carries what this node says and hears.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// When the newest of its beats that came back had been sent.
    sent: Option<Duration>,
    since: Option<Duration>,
    pub(crate) echoes: u64,
    pub(crate) latency: Duration,
}

impl Hearing {
    /// A beat of its own, sent at this time, has come back.
    pub(crate) fn on_echo(&mut self, now: Duration, sent: Duration) {
        let sent = sent.min(now);
        self.echoes += 1;
        self.latency = now - sent;
        self.sent = self.sent.max(Some(sent));
        self.look(now);
    }

    /// What was sent so far is of another life.
    pub(crate) fn forget(&mut self) {
        self.sent = None;
        self.since = None;
    }

    /// Time has passed.
    pub(crate) fn look(&mut self, now: Duration) {
        let hears = self.sent.is_some_and(|sent| now < sent + DEAF);
        self.since = hears.then(|| self.since.unwrap_or(now));
    }

    /// Since when it hears, if it does.
    pub(crate) fn since(&self) -> Option<Duration> {
        self.since
    }

    pub(crate) fn hears(&self) -> bool {
        self.since.is_some()
    }
}
