//! How a connection comes to a shard: what it begins with, and what becomes of it when a proxy says whose it is.

use std::net::IpAddr;

use super::{
    admission::BANNED, mesh::Accepted, runtime::Io, shard::Shard, table::Conn, timers::Due,
    tls::Session,
};
use lobby::{ConnId, Dialect};
use wire::Decoder;

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Takes in an accepted socket.
    pub(super) fn accept(&mut self, accepted: Accepted<I::Socket>) {
        let Accepted {
            socket,
            address,
            listener,
            admitted,
        } = accepted;
        if self.ending {
            return self.discount(address, false, admitted);
        }
        let settings = &self.settings.listeners[usize::from(listener)];
        let (format, proxy, trusted) = (settings.format, settings.proxy, settings.trusts(address));
        let tls = settings.tls;
        let decoder = Decoder::new(format, proxy && !tls, trusted); // that header comes before TLS
        let mut conn = Conn::new(socket, format, listener, address, decoder);
        conn.since = self.now.into();
        conn.admitted = admitted;
        // Until its handshake is over everybody is a stranger.
        conn.signed_in = settings.strangers.is_none() && !tls;
        if tls {
            conn.rare().tls = Some(Box::new(Session::new(proxy)));
        }
        let id = self.insert(conn);
        self.metrics.accepted.up();
        if tls || proxy || format.has_upgrade() {
            let at = self.io.now() + self.settings.handshake;
            self.timers.set(at, Due::Handshake(id));
        } else {
            self.open(id);
        }
    }

    /// A PROXY header has named the client's address, or said that the proxy speaks for itself. False: not welcome.
    pub(super) fn named(&mut self, id: ConnId, address: Option<IpAddr>) -> bool {
        if address.is_none() {
            self.metrics.health_checks.up();
        }
        let address = address.or_else(|| Some(self.conns.peek(id)?.address));
        address.is_some_and(|address| self.readmit(id, address))
    }

    /// The connection's handshake named its real address: admission counts it there. False: not welcome.
    pub(super) fn readmit(&mut self, id: ConnId, address: IpAddr) -> bool {
        let now = self.io.now();
        let Some(conn) = self.conns.find(id) else {
            return false;
        };
        let address = address.to_canonical();
        let listener = usize::from(conn.listener);
        if self.settings.bans.covers(address) {
            self.metrics.refused_banned.up();
            self.settings.note_refused(address, listener, BANNED);
            return false;
        }
        if conn.admitted && conn.named && conn.address == address {
            return true;
        }
        if std::mem::take(&mut conn.admitted) {
            self.admission.leave(conn.address, conn.named);
        }
        (conn.address, conn.named) = (address, true);
        match self.admission.enter(address, true, now) {
            Ok(()) => conn.admitted = true,
            Err(refusal) => {
                self.metrics.refused(refusal).up();
                self.settings
                    .note_refused(address, listener, refusal.words());
            }
        }
        conn.admitted
    }
}
