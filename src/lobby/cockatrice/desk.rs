//! Who may come in: connections are counted here, per address and per transport, on one shard for all
//! (spec: cockatrice-wire 9).

use std::{collections::BTreeMap, net::IpAddr};

use cockatrice::messages::CloseReason;
use serde::{Deserialize, Serialize};

use super::{
    Cockatrice,
    mail::{Item, ToDesk, ToSession, Visitor},
    session::Transport,
    settings::Settings,
};

/// Connections that were let in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Desk {
    by_address: BTreeMap<IpAddr, u32>,
    tcp: u32,
    websocket: u32,
}

impl Desk {
    /// Counts a connection, unless there are too many already.
    fn enter(&mut self, settings: &Settings, visitor: Visitor) -> Option<CloseReason> {
        let (there, most) = match visitor.transport {
            Transport::Tcp => (&mut self.tcp, settings.most_tcp),
            Transport::WebSocket => (&mut self.websocket, settings.most_websocket),
        };
        let here = visitor.counted.map_or(0, |address| {
            self.by_address.get(&address).copied().unwrap_or(0)
        });
        if settings.per_address.is_some_and(|most| here >= most) {
            return Some(CloseReason::TooManyConnections);
        }
        if most.is_some_and(|most| *there >= most) {
            return Some(CloseReason::UserLimitReached);
        }
        *there += 1;
        if let Some(address) = visitor.counted {
            *self.by_address.entry(address).or_default() += 1;
        }
        None
    }

    fn leave(&mut self, visitor: Visitor) {
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
    pub(super) fn is_empty(&self) -> bool {
        *self == Desk::default()
    }
}

impl Cockatrice {
    /// Whether connections are counted at all.
    pub(super) fn counts_connections(&self, visitor: Visitor) -> bool {
        let settings = &self.settings;
        let most = match visitor.transport {
            Transport::Tcp => settings.most_tcp,
            Transport::WebSocket => settings.most_websocket,
        };
        most.is_some() || (settings.per_address.is_some() && visitor.counted.is_some())
    }

    pub(super) fn at_desk(&mut self, message: ToDesk) {
        match message {
            ToDesk::Enter(conn, visitor) => {
                let refused = self.desk.enter(&self.settings, visitor);
                self.post.session(conn, ToSession::Admitted(refused));
            }
            ToDesk::Leave(visitor) => self.desk.leave(visitor),
        }
    }

    pub(super) fn tell_desk(&mut self, message: ToDesk) {
        self.post.to(self.topology.desk(), Item::Desk(message));
    }
}
