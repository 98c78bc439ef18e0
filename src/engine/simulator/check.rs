//! What must hold of a walk: after every round, at rest, and when everybody is gone.

use std::time::Duration;

use super::{
    network::{Network, lock},
    walk::Walk,
};
use crate::{
    metrics::Metrics,
    runtime::{Key, LAST_SENDS, What},
    table::{Hold, Stage},
};
use lobby::{Closing, ConnId};
use metrics::Counter;

/// How long a connection that has ended is kept for its peer to read the last words.
const LINGER: Duration = Duration::from_secs(2);

macro_rules! must {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}

impl Walk {
    // ---- after every round -------------------------------------------------------------------------------------

    /// Nothing that would have to happen depends on something that never will.
    pub(super) fn check_shard(&self, shard: usize) -> Result<(), String> {
        let Some(one) = &self.shards[shard] else {
            return Ok(());
        };
        let few = one.dirty.len() <= LAST_SENDS;
        must!(
            few && one.dirty.iter().all(|&id| one.goes_with_wait(id)),
            "{:?} are still to be written, and the wait can't",
            one.dirty
        );
        let mut queued: Vec<ConnId> = one.queued.iter().copied().collect();
        queued.sort_unstable();
        must!(
            queued.windows(2).all(|two| two[0] != two[1]),
            "{queued:?} are queued, one of them twice"
        );
        must!(one.batch.is_empty(), "a broadcast is left over");
        must!(
            one.local.is_empty(),
            "something is left over that the shard caused itself"
        );
        must!(one.read.len() > 1, "the buffer is lost");
        let mut network = lock(&self.network);
        let mut held = [0, 0];
        for id in one.conns.ids() {
            self.check_conn(&mut network, shard, id)?;
            if let Some(conn) = one.conns.peek(id) {
                held[usize::from(conn.signed_in)] += conn.held;
                let counted = conn.held == conn.holds() || conn.closing == Some(Closing::Abort);
                let counted = counted || conn.dirty && conn.held == 0;
                must!(
                    counted,
                    "{id:?} holds {} bytes, and {} are counted",
                    conn.holds(),
                    conn.held
                );
            }
        }
        let counted = [false, true].map(|signed_in| one.memory.held(signed_in));
        must!(
            held == counted,
            "connections hold {held:?} bytes, and {counted:?} are counted"
        );
        let ids = one.conns.ids().into_iter();
        let conns = ids.filter_map(|id| one.conns.peek(id));
        let blocked = conns.filter(|conn| conn.blocked_since.is_some()).count();
        let counted = one.metrics.slow_readers.value();
        must!(
            blocked as f64 == counted,
            "{blocked} connections read slowly, and {counted} are counted"
        );
        Ok(())
    }

    fn check_conn(&self, network: &mut Network, shard: usize, id: ConnId) -> Result<(), String> {
        let Some(conn) = self.shards[shard]
            .as_ref()
            .and_then(|one| one.conns.peek(id))
        else {
            return Ok(());
        };
        let Some(wire) = network.wire_of(shard, Key::of(id)) else {
            must!(
                conn.socket.is_none(),
                "{id:?} has a socket that is not watched"
            );
            must!(
                conn.outbox.is_empty(),
                "{id:?} has moved and is owed something"
            );
            return Ok(());
        };
        let key = Key::of(id);
        let one = &network.wires[wire];
        must!(conn.socket.is_some(), "{id:?} has moved and is watched");
        if conn.closing == Some(Closing::Abort) {
            must!(
                conn.queued,
                "{id:?} (wire {wire}) is to be aborted, and never will be"
            );
            return Ok(());
        }
        let broken = network.is_on_its_way(shard, key, |event| event.what == What::Broken);
        let over = network.is_on_its_way(shard, key, |event| event.over);
        must!(
            one.is_watched() || over || broken,
            "wire {wire} is not watched"
        );
        let writable = network.is_on_its_way(shard, key, |event| event.what == What::Writable);
        let awaited = one.is_awaited() || writable || broken;
        must!(
            awaited || conn.blocked_since.is_none(),
            "wire {wire} is blocked, and nobody waits for it"
        );
        must!(
            conn.blocked_since.is_some() || conn.all_sent() || conn.dirty,
            "wire {wire} is owed {} bytes, and nobody writes them",
            conn.outbox.bytes()
        );
        let since = conn.blocked_since.map(Duration::from);
        let since = since.map(|since| (since, one.taken));
        let relayed = conn.peer().is_some();
        must!(
            relayed || !is_younger(since, one.blocked),
            "wire {wire} has been blocked since {:?}, and counts as blocked since {since:?}",
            one.blocked
        );
        let readable = network.is_on_its_way(shard, key, |event| {
            matches!(event.what, What::Readable { .. })
        });
        must!(
            conn.readable || conn.ended || readable || broken || !one.has_input(),
            "wire {wire} has something to read, and nobody knows"
        );
        network.wires[wire].blocked = since;
        Ok(())
    }

    // ---- at rest -----------------------------------------------------------------------------------------------

    pub(super) fn check_rest(&mut self) -> Result<(), String> {
        for shard in 0..self.plan.shards {
            self.check_shard_at_rest(shard)?;
        }
        let mut unexplained = 0;
        let clients = self.book.borrow().clients.len();
        for client in 0..clients {
            unexplained += u64::from(self.check_client(client)?);
        }
        let ended = |metrics: &Metrics| {
            let all = [
                &metrics.ended_outbox_full,
                &metrics.ended_outbox_stuck,
                &metrics.ended_handshake,
                &metrics.ended_framing,
                &metrics.refused_address,
                &metrics.refused_rate,
            ];
            all.map(Counter::value).iter().sum::<u64>()
        };
        let explained: u64 = self.metrics.iter().map(|metrics| ended(metrics)).sum();
        must!(
            unexplained <= explained,
            "{unexplained} connections have ended, and there was a reason for {explained}"
        );
        let impatient = self.sum(|metrics| &metrics.ended_outbox_full)
            + self.sum(|metrics| &metrics.ended_outbox_stuck);
        must!(
            !self.plan.is_patient() || impatient == 0,
            "{impatient} connections were given up without a limit"
        );
        self.check_counters()
    }

    fn check_shard_at_rest(&mut self, shard: usize) -> Result<(), String> {
        let Some(one) = &mut self.shards[shard] else {
            return Ok(());
        };
        must!(one.queued.is_empty(), "{:?} are queued at rest", one.queued);
        must!(one.strangers.is_empty(), "strangers are queued at rest");
        must!(one.parked.is_empty(), "{:?} are parked at rest", one.parked);
        for id in one.conns.ids() {
            if let Some(next) = one.would_do(id) {
                let conn = one.conns.peek(id);
                return Err(format!(
                    "{id:?} could go on to {next} and does not: {conn:?}"
                ));
            }
            let Some(conn) = one.conns.peek(id) else {
                continue;
            };
            must!(
                conn.hold != Hold::Still,
                "{id:?} waits for an answer and has not asked"
            );
            must!(conn.all_sent(), "{id:?} is owed something at rest");
            must!(conn.blocked_since.is_none(), "{id:?} is blocked at rest");
            must!(conn.stage == Stage::Open, "{id:?} lingers on");
            must!(
                !conn.stale || conn.socket.is_none(),
                "{id:?} is stale at rest"
            );
        }
        Ok(())
    }

    /// Whether the client's connection has ended and nobody knows why.
    fn check_client(&self, client: usize) -> Result<bool, String> {
        let free = self.is_free(client);
        let book = self.book.borrow();
        let one = &book.clients[client];
        let network = lock(&self.network);
        let wire = &network.wires[client];
        if one.doomed || wire.faulted || wire.gone {
            return Ok(false);
        }
        let partner = one
            .joined
            .as_ref()
            .map(|joined| &book.clients[joined.partner]);
        if partner.is_some_and(|partner| {
            network.wires[joined_wire(&book, client)].faulted || partner.doomed && !is_ended(one)
        }) {
            return Ok(false);
        }
        let expected = one.fin || one.closing || one.leaving || is_ended(one);
        let Some(closed) = wire.closed_at else {
            must!(!expected || one.conn.is_none(), "{client} has not ended");
            must!(
                one.conn.is_some() || one.fin,
                "{client} is neither open nor over"
            );
            must!(
                !free || one.unhandled() == 0,
                "{} frames of {client} are not handled",
                one.unhandled()
            );
            return match book.lacks(client) {
                Some(what) => Err(format!("{client} lacks {what}")),
                None => Ok(false),
            };
        };
        must!(
            one.conn.is_none() || one.closed_at.is_some(),
            "{client} has ended and is not closed"
        );
        if !expected {
            // Two that are relayed end together.
            return Ok(one.joined.as_ref().is_none_or(|joined| joined.gives));
        }
        let Some(told) = one.closed_at else {
            return Ok(false); // it has left before its handshake was over
        };
        if closed - told >= LINGER || !self.plan.is_patient() {
            return Ok(false); // it was too slow to read everything
        }
        match book.lacks(client) {
            Some(what) => Err(format!(
                "{client}, which has ended in good order, lacks {what}"
            )),
            None => Ok(false),
        }
    }

    fn sum(&self, of: fn(&Metrics) -> &Counter) -> u64 {
        self.metrics.iter().map(|metrics| of(metrics).value()).sum()
    }

    fn check_counters(&self) -> Result<(), String> {
        let network = lock(&self.network);
        let book = self.book.borrow();
        let shards = self.shards.iter().flatten();
        let guests: usize = shards
            .map(|shard| {
                let ids = shard.conns.ids();
                let own = ids.iter().filter(|id| {
                    let conn = shard.conns.peek(**id);
                    conn.is_some_and(|conn| conn.home().is_none())
                });
                own.count()
            })
            .sum();
        let (accepted, ended) = (self.sum(|c| &c.accepted), self.sum(|c| &c.ended));
        must!(
            accepted == ended + guests as u64 && accepted == self.accepted,
            "{accepted} accepted of {}, {ended} ended, {guests} there",
            self.accepted
        );
        let pairs = [
            ("bytes in", self.sum(|c| &c.bytes_in), network.bytes_in),
            ("bytes out", self.sum(|c| &c.bytes_out), network.bytes_out),
            ("published", self.sum(|c| &c.published), book.published),
            ("panics", self.sum(|c| &c.panics), book.panics),
        ];
        for (name, counted, seen) in pairs {
            must!(counted == seen, "{name}: {counted} counted, {seen} seen");
        }
        must!(
            book.timers.is_empty(),
            "timers {:?} never came",
            book.timers
        );
        must!(
            book.asked.is_empty(),
            "questions {:?} have no answer",
            book.asked
        );
        for (sent, received) in book.mail.iter().flatten() {
            must!(sent == received, "mail: {sent} sent, {received} received");
        }
        let (places, _) = self.admission.counts();
        must!(
            places.iter().sum::<usize>() == guests,
            "{places:?} are counted, {guests} are there"
        );
        Ok(())
    }

    // ---- at the end --------------------------------------------------------------------------------------------

    /// Everybody has left: nothing is kept of anybody.
    pub(super) fn check_empty(&mut self) -> Result<(), String> {
        self.check_rest()?;
        for shard in self.shards.iter().flatten() {
            must!(
                shard.conns.len() == 0,
                "{} connections are left",
                shard.conns.len()
            );
            must!(
                shard.topics.is_unused(),
                "topics are left: {:?}",
                shard.topics
            );
            must!(shard.timers.next().is_none(), "timers are left");
        }
        self.check_gone()
    }

    /// All shards have ended.
    pub(super) fn check_stopped(&mut self) -> Result<(), String> {
        must!(self.shards.iter().all(Option::is_none), "a shard goes on");
        must!(self.mesh.all_ended(), "a shard is not known to have ended");
        let clients = self.book.borrow().clients.len();
        for client in 0..clients {
            let book = self.book.borrow();
            must!(
                !book.clients[client].is_open(),
                "{client} was not told of as closed"
            );
            let network = lock(&self.network);
            must!(
                network.wires[client].closed_at.is_some(),
                "{client} was not closed"
            );
        }
        self.check_gone()
    }

    fn check_gone(&self) -> Result<(), String> {
        let (places, addresses) = self.admission.counts();
        must!(
            places.iter().all(|count| *count == 0) && addresses == 0,
            "{places:?} and {addresses} are counted, and nobody is there"
        );
        let book = self.book.borrow();
        must!(
            book.opened == book.closed,
            "{} opened, {} closed",
            book.opened,
            book.closed
        );
        Ok(())
    }
}

/// Whether a wire that has taken nothing meanwhile counts as blocked since later than before.
fn is_younger(now: Option<(Duration, usize)>, before: Option<(Duration, usize)>) -> bool {
    now.zip(before)
        .is_some_and(|(now, before)| now.1 == before.1 && now.0 > before.0)
}

fn is_ended(client: &super::book::Client) -> bool {
    client.joined.as_ref().is_some_and(|joined| joined.ended)
}

fn joined_wire(book: &super::book::Book, client: usize) -> usize {
    let joined = book.clients[client].joined.as_ref();
    joined.map_or(client, |joined| joined.partner)
}
