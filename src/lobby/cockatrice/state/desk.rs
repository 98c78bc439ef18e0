//! How many connections were let in.

use std::{collections::BTreeMap, net::IpAddr};

use cockatrice::messages::CloseReason;
use serde::{Deserialize, Serialize};

use super::visitor::{Transport, Visitor};
use crate::cockatrice::settings::Settings;

/// Connections that were let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Desk {
    pub(crate) by_address: BTreeMap<IpAddr, u32>,
    pub(crate) tcp: u32,
    pub(crate) websocket: u32,
}

impl Desk {
    /// Counts a connection, unless there are too many already.
    pub(crate) fn enter(&mut self, settings: &Settings, visitor: Visitor) -> Option<CloseReason> {
        let (there, most) = match visitor.transport {
            Transport::Tcp => (self.tcp, settings.most_tcp),
            Transport::WebSocket => (self.websocket, settings.most_websocket),
        };
        let here = visitor.counted.map_or(0, |address| {
            self.by_address.get(&address).copied().unwrap_or(0)
        });
        if settings.per_address.is_some_and(|most| here >= most) {
            return Some(CloseReason::TooManyConnections);
        }
        if most.is_some_and(|most| there >= most) {
            return Some(CloseReason::UserLimitReached);
        }
        self.count(visitor);
        None
    }

    /// Counts a connection, however many there are.
    pub(crate) fn count(&mut self, visitor: Visitor) {
        match visitor.transport {
            Transport::Tcp => self.tcp += 1,
            Transport::WebSocket => self.websocket += 1,
        }
        if let Some(address) = visitor.counted {
            *self.by_address.entry(address).or_default() += 1;
        }
    }

    pub(crate) fn leave(&mut self, visitor: Visitor) {
        let there = match visitor.transport {
            Transport::Tcp => &mut self.tcp,
            Transport::WebSocket => &mut self.websocket,
        };
        *there = there.saturating_sub(1);
        if let Some(address) = visitor.counted
            && let Some(here) = self.by_address.get_mut(&address)
        {
            *here -= 1;
            if *here == 0 {
                self.by_address.remove(&address);
            }
        }
    }

    /// Whether nobody is there.
    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        *self == Desk::default()
    }
}
