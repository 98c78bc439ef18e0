//! What lobbies and `muster ctl` may ask of the process: an administrator of one can end it, or have the configuration read again.

use std::{cell::RefCell, rc::Rc};

use muster::{config::Config, lobby::cockatrice::Event};
use tokio::sync::{Notify, watch};

/// The configuration in effect: that of the start, with everything live as it is now.
pub(super) type Current = Rc<RefCell<Config>>;

/// What was ordered and is not done yet. Ordering it again changes nothing.
#[derive(Debug, Default)]
pub(super) struct Orders {
    /// The process is to end, without waiting for games.
    pub(super) stop: Notify,
    /// The process is to end in an orderly way, as on the first signal.
    pub(super) drain: Notify,
    /// The configuration is to be read again.
    pub(super) reload: Notify,
    /// Ports and data folder are to be the next server's, and this one is to end in an orderly way.
    pub(super) release: Notify,
    /// That has been done, or why not.
    pub(super) released: watch::Sender<Option<Result<(), String>>>,
}

impl Orders {
    /// Whether ports and data folder are the next server's.
    pub(super) fn has_released(&self) -> bool {
        matches!(*self.released.borrow(), Some(Ok(())))
    }

    /// Takes an order of the Cockatrice lobby; it always can.
    pub(super) fn take(&self, event: Event) -> bool {
        match event {
            Event::StopAnnounced { by, minutes } => {
                tracing::warn!(
                    by = &*by,
                    minutes,
                    "an administrator of the Cockatrice lobby ends the server"
                );
            }
            Event::Stop => self.stop.notify_one(),
            Event::Reload => self.reload.notify_one(),
        }
        true
    }
}
