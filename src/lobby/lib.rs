//! The dialects: what a lobby says and does, as deterministic state machines.
//!
//! An input and the time go in; effects come out through the [`Turn`]. Nothing here opens a socket, reads a clock,
//! starts a thread, draws its own random numbers or speaks SQL, so a whole lobby can be run in a simulator from a seed.
//! One value of a dialect is the state of one shard; it never sees another shard's state, only its mail.

// Tests that another package has as well name this one so.
#[cfg(test)]
extern crate self as lobby;

pub mod cockatrice;
mod event;
pub mod faf;
mod homes;
pub mod kept;
pub mod lobbies;
mod map;
pub mod operator;
pub mod question;
pub mod rate;
mod registration;
pub mod router;
mod shard;
mod shown;
pub mod simulator;
mod turn;
pub mod vcmi;
pub mod vcmi_json;

use std::{net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use cluster::Standing;
pub use event::Event;
pub use homes::NodeSettings;
pub use metrics::Source;
pub use registration::{Limits, Listener, Lobby, Opened, OutboxLimits, Spoken, StrangerLimits};
pub use shard::ShardId;
pub use turn::{
    Audience, Closing, Effect, Effects, FrameRelay, Now, Relay, Ticket, Topic, Turn, Vocabulary,
};

use kept::Damaged;
use operator::{Done, Farewell, Found, Order, Query};
use wire::Format;

/// One connection, named across all shards. Never reused: the generation tells apart two connections in one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ConnId {
    /// The shard that holds the socket.
    pub shard: ShardId,
    /// Place in that shard's connection table.
    pub slot: u32,
    /// How many connections this place has had before.
    pub generation: u32,
}

/// The lobby protocol that is spoken on a listener, by its place in the [`router!`]'s list: which dialect its connections
/// are for.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub struct Protocol(pub u8);

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address, after PROXY and forwarded-for headers.
    pub address: IpAddr,
    /// What limits per address count it under: the address, or the IPv6 network it is in. None: they do not apply to it,
    /// since it comes from this machine itself.
    pub counted: Option<IpAddr>,
    /// The format of its listener.
    pub format: Format,
    /// The protocol of its listener.
    pub protocol: Protocol,
}

/// A step of an orderly end of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopping {
    /// Refuse new work, tell everyone, let running work finish.
    Drain,
    /// Running work has had its time: connections are ended from now on, some at a time, when [`Dialect::has_last_words`] says that
    /// nothing comes of it that they should hear.
    Evict,
    /// Say good-bye to those who are left; connections are closed right after this turn.
    Now,
}

settings::settings! {
    /// How an orderly end of the process goes.
    #[derive(Clone, Debug)]
    pub struct StoppingSettings {
        /// How long an orderly stop waits for running games. A second signal skips the wait.
        grace: Duration = "server.stop_grace_s", number(0, 86_400), "1800", unit("s"), live;
        /// How many connections are ended in a second, at least, when an orderly stop has waited long enough: so their clients
        /// do not all come back in one moment. All are ended within 20 s.
        evicted_per_s: u32 = "server.evict_per_s", number(1, 1_000_000), "2000", unit("connections"), live;
    }
}

/// A lobby protocol's state on one shard.
///
/// Every method is one turn; those that a dialect has no use for do nothing. Inputs of one connection come strictly one after another; while a connection is held
/// ([`Turn::hold`]) none of its frames arrives.
pub trait Dialect: Sized + 'static {
    /// What shards say to each other. Serialisable, so that a shard may one day be on another machine.
    type Mail: Serialize + DeserializeOwned + Send + 'static;
    /// A question to the back office.
    type Ask: Send + 'static;
    /// Its answer.
    type Answer: Send + 'static;
    /// Something the outside is told of, with no answer: it leaves through the event broker.
    type Event: Send + 'static;
    /// What the back office tells a shard without having been asked.
    type Notice: Send + 'static;
    /// What a timer was set for. Serialisable, so that it may fire in the process that goes on with this shard.
    type Timer: Copy + Serialize + DeserializeOwned + 'static;

    /// First turn of the shard, before any connection.
    fn on_start(&mut self, turn: &mut Turn<'_, Self>) {
        let _ = turn;
    }
    /// A connection is there and its real address is known.
    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, origin: Origin);
    /// A frame arrived; `body` is the receive buffer itself and may be overwritten.
    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]);
    /// The connection is gone, whoever ended it. Comes exactly once for each [`Dialect::on_open`].
    fn on_close(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId);
    /// Mail from another shard. Mail of one sender arrives in the order it was sent.
    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, from: ShardId, mail: Self::Mail) {
        let _ = (turn, from, mail);
    }
    /// The back office answered.
    fn on_answer(&mut self, turn: &mut Turn<'_, Self>, ticket: Ticket, answer: Self::Answer) {
        let _ = (turn, ticket, answer);
    }
    /// The back office tells something. Notices of one sender arrive in the order they were sent.
    fn on_notice(&mut self, turn: &mut Turn<'_, Self>, notice: Self::Notice) {
        let _ = (turn, notice);
    }
    /// A timer is due.
    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, timer: Self::Timer) {
        let _ = (turn, timer);
    }
    /// A message of this connection is too long to be kept, and passed over; only where the listener's limits say so.
    fn on_skipped(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, bytes: usize) {
        let _ = (turn, conn, bytes);
    }
    /// A slow reader that missed broadcasts has caught up: send it the present state.
    fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        let _ = (turn, conn);
    }
    /// The process is to end.
    fn on_stopping(&mut self, turn: &mut Turn<'_, Self>, step: Stopping) {
        let _ = (turn, step);
    }
    /// Whether this shard has nothing left that an orderly end should wait for.
    fn is_drained(&self) -> bool {
        true
    }
    /// Whether, since [`Stopping::Evict`], something is still on its way that clients are to hear before their connections end.
    fn has_last_words(&self) -> bool {
        false
    }
    /// Whether nothing of what this shard does for the whole lobby, and others do from when its node is to end, has still to be
    /// given to them.
    fn has_handed_over(&self) -> bool {
        true
    }
    /// Whether this shard knows what the other nodes of its lobby have. One that has just joined them is shown it.
    fn is_caught_up(&self) -> bool {
        true
    }
    /// What this node knows of the other nodes of its lobby has changed: who is in, who does what, whether it has lost touch.
    /// A node that is alone never hears this, and is what [`Standing::alone`] says.
    fn on_standing(&mut self, turn: &mut Turn<'_, Self>, standing: &Standing) {
        let _ = (turn, standing);
    }
    /// What was under way to and from another node is lost, and so is what was said to it and not answered; what is said from
    /// now on arrives. Its shards hear the same of this node.
    fn on_lane_broken(&mut self, turn: &mut Turn<'_, Self>, node: u8) {
        let _ = (turn, node);
    }
    /// An operator wants to see a page of what this shard has.
    fn on_query(&mut self, turn: &mut Turn<'_, Self>, query: &Query) -> Found {
        let _ = (turn, query);
        Found::lacking()
    }
    /// An operator wants something done; every shard is told.
    fn on_order(&mut self, turn: &mut Turn<'_, Self>, order: &Order) -> Done {
        let _ = (turn, order);
        Done::Lacks
    }
    /// An operator ends a connection of this shard, which is to be told why and then closed.
    fn on_evict(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, farewell: &Farewell) {
        let _ = farewell;
        turn.close(conn, Closing::Flushed);
    }
    /// Who has signed in on a connection of this shard.
    fn name_of(&self, conn: ConnId) -> Option<String> {
        let _ = conn;
        None
    }
    /// The answer that stands in for one the back office could not take on (its queue is full).
    fn refuse(ask: Self::Ask) -> Self::Answer;
    /// What the dialect counts on this shard.
    fn metrics(&self) -> Vec<&dyn Source> {
        Vec::new()
    }
}

/// A dialect whose shards another process can go on with.
pub trait Keep: Dialect {
    /// What is kept of a shard's state: everything that clients can notice, and nothing that can be made anew.
    type Kept: Serialize + DeserializeOwned;

    /// What another process needs to go on with this shard, which stays as it is. Asked for between two turns, when no mail
    /// and no answer is under way anywhere: then it is the whole state, together with the connections, their topics and
    /// the timers, which are the engine's.
    fn keep(&self) -> Self::Kept;
    /// Goes on from what was kept, instead of beginning with [`Dialect::on_start`]. `self` was just made, as the same shard
    /// of as many.
    ///
    /// # Errors
    /// Nothing can go on from that state. Then `self` is not to be used.
    fn revive(&mut self, kept: Self::Kept) -> Result<(), Damaged>;
}
