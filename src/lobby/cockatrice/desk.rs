//! Who may come in: connections are counted here, per address and per transport, on one shard for all
//! (spec: cockatrice-wire 9).

use super::{
    Cockatrice,
    mail::{Item, ToDesk, ToSession},
    state::visitor::{Transport, Visitor},
};

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
            ToDesk::Stays(visitor) => self.desk.count(visitor),
            ToDesk::Leave(visitor) => self.desk.leave(visitor),
        }
    }

    pub(super) fn tell_desk(&mut self, message: ToDesk) {
        self.post.to(self.topology.desk(), Item::Desk(message));
    }
}
