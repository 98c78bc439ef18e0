//! Someone who looks at the list of games.

use crate::protocols::faf::framing::Frame;
use crate::protocols::faf::seen::Seen;
use crate::protocols::faf::{Context, arrived};

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
            let latency_us = context.now_us().saturating_sub(marker.intended_us);
            arrived(arrival, latency_us, &mut context.recorder.borrow_mut());
        }
        true
    }

    /// Changes sent and not seen so far.
    pub(super) fn missing(&self, context: &Context) -> u64 {
        self.seen.missing(context.state().sent())
    }
}
