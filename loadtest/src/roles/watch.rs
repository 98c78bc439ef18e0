//! Someone who looks at the list of games.

use crate::framing::Frame;
use crate::latency::Seen;
use crate::worker::Local;

/// Messages up to this length may be pings; anything longer without a marker is nobody's business here.
const SHORT_BYTES: usize = 64;

/// Books every broadcast that carries a marker, and skips the rest unread.
#[derive(Debug)]
pub(crate) struct Watcher {
    pub(crate) seen: Seen,
}

impl Watcher {
    pub(super) fn new(hosts: usize) -> Watcher {
        Watcher {
            seen: Seen::new(hosts),
        }
    }

    /// Whether the frame needs no further look.
    pub(crate) fn on_message(&mut self, frame: &Frame<'_>, local: &Local) -> bool {
        if frame.bytes.len() <= SHORT_BYTES {
            return false;
        }
        if let Some(marker) = local.run.markers.find(frame)
            && local.run.game_info.after::<0>(frame).is_some()
        {
            let arrival = self.seen.arrive(marker.source, marker.sequence);
            let latency_us = local.run.clock.now_us().saturating_sub(marker.intended_us);
            local.recorder.borrow_mut().arrival(arrival, latency_us);
        }
        true
    }
}
