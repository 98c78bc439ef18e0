//! Someone who looks at the list of games.

use crate::delivery::Fate;
use crate::protocols::faf::framing::Frame;
use crate::protocols::faf::seen::Seen;
use crate::protocols::faf::{Context, arrived, change_due_us};

/// Messages up to this length may be pings; anything longer without a marker is nobody's business here.
const SHORT_BYTES: usize = 64;

/// Books every broadcast that carries a marker, and skips the rest unread.
#[derive(Debug)]
pub(crate) struct Watcher {
    seen: Seen,
}

impl Watcher {
    pub(super) fn new(hosts: usize) -> Watcher {
        Watcher {
            seen: Seen::new(hosts),
        }
    }

    /// Whether the frame needs no further look.
    pub(crate) fn on_message(&mut self, frame: &Frame<'_>, context: &Context) -> bool {
        if frame.bytes.len() <= SHORT_BYTES {
            return false;
        }
        if let Some(marker) = context.state().markers.find(frame)
            && context.state().game_info.after::<0>(frame).is_some()
        {
            let arrival = self.seen.arrive(marker.source, marker.sequence);
            arrived(arrival, marker, context);
        }
        true
    }

    /// Changes sent and not seen so far.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        self.seen.missing(context.state().sent())
    }

    /// The run is over: what was due and has not come has been waited for until now, whether its host could send it or not.
    pub(super) fn account(&self, context: &Context) {
        let shared = &context.shared;
        let measured_us = shared.measured_us_until(context.now_us());
        let due =
            (0..shared.protocol.hosts).map(|host| shared.schedule.turns_before(host, measured_us));
        for (host, changes) in self.seen.all_missing(due) {
            let due_us = |sequence| change_due_us(host, sequence, context);
            context.book_all(changes, due_us, Fate::Missing, |metrics| {
                &mut metrics.broadcast
            });
        }
        context.recorder.borrow_mut().common.lost += self.missing(context);
    }
}
