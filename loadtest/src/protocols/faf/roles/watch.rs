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
    /// Its time is over, and so many changes of each host were sent by then: it stays until it has seen these.
    last: Option<Box<[u32]>>,
    /// It is not there, as the scenario has it, and waits for nothing.
    left: bool,
}

impl Watcher {
    /// Somebody who is there from the beginning, or comes later.
    pub(super) fn new(hosts: usize, comes_later: bool) -> Watcher {
        Watcher {
            seen: Seen::new(hosts),
            last: None,
            left: comes_later,
        }
    }

    /// It is there, and waits for what is due from now on.
    pub(super) fn begin(&mut self, context: &Context) {
        self.seen = Seen::after(due(context));
        (self.last, self.left) = (None, false);
    }

    /// Its time is over.
    pub(crate) fn leave(&mut self, context: &Context) {
        self.last = Some(context.state().sent().collect());
    }

    /// It waits for changes that were sent while it was to be there.
    pub(crate) fn is_busy(&self) -> bool {
        let last = self.last.iter();
        last.map(|last| self.seen.missing(last.iter().copied()))
            .sum::<u64>()
            > 0
    }

    /// It has left before the end.
    pub(crate) fn left(&mut self, context: &Context) {
        self.left |= !context.shared.is_stopping();
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
        if self.left {
            return;
        }
        for (host, changes) in self.seen.all_missing(due(context)) {
            let due_us = |sequence| change_due_us(host, sequence, context);
            context.book_all(changes, due_us, Fate::Missing, |metrics| {
                &mut metrics.broadcast
            });
        }
        context.recorder.borrow_mut().common.lost += self.missing(context);
    }
}

/// How many changes of each host were due so far.
fn due(context: &Context) -> impl Iterator<Item = u64> + '_ {
    let shared = &context.shared;
    let measured_us = shared.measured_us_until(context.now_us());
    (0..shared.protocol.hosts).map(move |host| shared.schedule.turns_before(host, measured_us))
}
