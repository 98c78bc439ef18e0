//! How much memory the connections of a shard may hold together: input that is not a whole frame, or waits, and output that
//! sockets have not taken.
//!
//! Limits of each connection bound one, not thousands. What a connection holds is counted when something of it outlasts the
//! turn, and never for messages that come whole and are answered at once. With too much held, those who hold most are ended
//! until there is room again: of the strangers if it is theirs, so that clients who have signed in do not pay for them.

use super::{outbox::Outbox, runtime::Io, shard::Shard};
use lobby::{Closing, ConnId, Dialect};
use wire::Decoder;

settings::settings! {
    /// What connections may hold together: input that is not handled, output that is not sent.
    #[derive(Clone, Copy, Debug)]
    pub struct MemoryLimits {
        /// Memory for unfinished input and unsent output of all connections that have not signed in, divided among the
        /// shards. With more, those who hold most are disconnected.
        strangers_bytes: usize = "limits.strangers_memory_bytes", number(1 << 16, 1 << 40), "25165824", unit("bytes");
        /// The same for all clients that have signed in, and for relayed games.
        clients_bytes: usize = "limits.clients_memory_bytes", number(1 << 20, 1 << 40), "536870912", unit("bytes");
    }
}

/// What is held on one shard, and how much of it may be.
#[derive(Debug)]
pub(super) struct Memory {
    strangers: Class,
    clients: Class,
}

/// The connections that have signed in, or those that have not.
#[derive(Debug)]
struct Class {
    held: usize,
    most: usize,
}

impl Memory {
    /// Of one of so many shards, where nothing is held.
    pub(super) fn new(limits: MemoryLimits, shards: u16) -> Memory {
        let class = |bytes: usize| Class {
            held: 0,
            most: bytes / usize::from(shards.max(1)),
        };
        Memory {
            strangers: class(limits.strangers_bytes),
            clients: class(limits.clients_bytes),
        }
    }

    /// Bytes that those hold who have, or have not, signed in.
    #[cfg(test)]
    pub(super) fn held(&self, signed_in: bool) -> usize {
        if signed_in {
            self.clients.held
        } else {
            self.strangers.held
        }
    }

    fn class(&mut self, signed_in: bool) -> &mut Class {
        if signed_in {
            &mut self.clients
        } else {
            &mut self.strangers
        }
    }
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// Counts anew what the connection holds, and sees to it that all together do not hold too much.
    pub(super) fn count_held(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if conn.closing == Some(Closing::Abort) {
            return; // its end is under way
        }
        let (held, signed_in) = (conn.holds(), conn.signed_in);
        let before = std::mem::replace(&mut conn.held, held);
        let class = self.memory.class(signed_in);
        class.held = class.held - before + held;
        if held > before && class.held > class.most {
            self.make_room(signed_in);
        }
    }

    /// The connection is going: what it holds is not held any more.
    pub(super) fn forget_held(&mut self, signed_in: bool, held: usize) {
        self.memory.class(signed_in).held -= held;
    }

    /// The connection has proved who it is: the limits of clients are its limits from now on.
    pub(super) fn sign_in(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        if std::mem::replace(&mut conn.signed_in, true) {
            return;
        }
        if let Some(socket) = &conn.socket {
            self.io.trust(socket);
        }
        let held = conn.held;
        self.memory.strangers.held -= held;
        self.memory.clients.held += held;
    }

    /// Ends those who hold most, down to three quarters of what may be held: whoever fills it again has to send as much
    /// again before there is another search.
    fn make_room(&mut self, signed_in: bool) {
        let mut holders: Vec<(usize, ConnId)> = Vec::new();
        for id in self.conns.ids() {
            if let Some(conn) = self.conns.peek(id)
                && conn.held > 0
                && conn.signed_in == signed_in
            {
                holders.push((conn.held, id));
            }
        }
        holders.sort_unstable_by(|a, b| b.cmp(a));
        let mut ended = 0;
        for (_, id) in holders {
            let class = self.memory.class(signed_in);
            if class.held <= class.most / 4 * 3 {
                break;
            }
            self.note(id, "dropped: it holds the most where too much is held");
            self.take_back(id);
            ended += 1;
        }
        self.metrics.ended_memory.add(ended);
        let shard = self.id.local();
        tracing::debug!(shard, signed_in, ended, "too much was held by connections");
    }

    /// Takes from a connection what it holds, and ends it.
    fn take_back(&mut self, id: ConnId) {
        let Some(conn) = self.conns.find(id) else {
            return;
        };
        let (signed_in, held) = (conn.signed_in, std::mem::take(&mut conn.held));
        conn.rest.take();
        conn.outbox = Outbox::default();
        conn.decoder = Decoder::new(conn.format, false, false);
        if let Some(rare) = &mut conn.rare {
            rare.kept = 0; // the dialect lets go of it when it hears of the end
            if let Some(session) = &mut rare.tls {
                session.let_go(); // it stays there: nothing leaves unencrypted meanwhile
            }
        }
        self.forget_held(signed_in, held);
        self.abort(id);
    }
}
