//! What is done about a launcher that says or causes more than it may.

use super::{
    lobby::{Flow, Lobby},
    mail::Delivery,
    message,
    settings::PACKET_BYTES,
};
use crate::ConnId;

impl Lobby {
    /// Whether the launcher's next command is done.
    pub(super) fn may_go_on(&self, conn: ConnId) -> bool {
        let user = self.users.get(&conn);
        user.is_none_or(|user| user.budget.allows(self.now, &self.settings))
    }

    /// A packet costs something for its size, whatever is in it.
    pub(super) fn charge_packet(&mut self, conn: ConnId, bytes: usize) {
        self.charge_commands(conn, (bytes / PACKET_BYTES) as u64);
    }

    /// The launcher has said so much.
    pub(super) fn charge_commands(&mut self, conn: ConnId, amount: u64) {
        if let Some(user) = self.users.get_mut(&conn) {
            user.budget
                .charge_commands(self.now, amount, &self.settings);
        }
    }

    /// What its command has caused.
    pub(super) fn charge_caused(&mut self, conn: ConnId) {
        let bytes = std::mem::take(&mut self.caused) as u64;
        if let Some(user) = self.users.get_mut(&conn) {
            user.budget.charge_caused(self.now, bytes, &self.settings);
        }
    }

    /// The launcher has said or caused too much: it is told so, and disconnected if it does not listen.
    pub(super) fn flooded(&mut self, conn: ConnId) -> Flow {
        self.metrics.flood_refusals.up();
        let Some(user) = self.users.get_mut(&conn) else {
            return Flow::Stop;
        };
        if user.budget.strike(self.now) {
            return self.refuse(conn, message::TOO_MUCH);
        }
        self.metrics.flooders.up();
        let flow = self.refuse(conn, message::FLOODED);
        self.deliver(conn.shard, Delivery::Close(conn, "says too much".into()));
        flow
    }
}
