//! A lobby of several nodes, for the tests of what goes on between them.

use super::*;
use crate::simulator::Lease;

pub(super) type Shared = Rc<RefCell<Paper>>;

/// Nodes of so many shards each; node 0 has all leases.
pub(super) fn nodes(nodes: &[u16], seed: u64) -> Sim {
    nodes_with(nodes, seed, Settings::default(), Rc::default())
}

pub(super) fn nodes_with(nodes: &[u16], seed: u64, settings: Settings, paper: Shared) -> Sim {
    let settings = Arc::new(settings);
    let shards = nodes.to_vec();
    let make = move |shard: crate::ShardId| {
        let shards = shards[usize::from(shard.node())];
        Faf::new(shard, shards, settings.clone())
    };
    let mut sim = Simulator::with_nodes(nodes, seed, make, Box::new(office_with(paper)));
    for node in sim.nodes() {
        loaded(&mut sim, node);
    }
    sim.settle();
    sim
}

/// The shards of a node know the tables.
pub(super) fn loaded(sim: &mut Sim, node: u8) {
    let reference = Arc::new(reference());
    let first = sim.first_shard(node);
    for at in 0..sim.shards_of(node).count() as u16 {
        sim.tell(first + at, News::Reference(reference.clone()));
    }
}

/// A node that was lost begins anew, or one that was cut off comes back.
pub(super) fn back(sim: &mut Sim, node: u8) {
    let was_running = sim.is_running(node);
    sim.rejoin(node);
    if !was_running {
        loaded(sim, node);
    }
    sim.settle();
}

/// A player on the first shard of a node.
pub(super) fn player_on(sim: &mut Sim, id: u32, node: u8) -> ConnId {
    let shard = sim.first_shard(node);
    player(sim, id, shard)
}

pub(super) fn seconds(sim: &mut Sim, seconds: u64) {
    sim.advance(Duration::from_secs(seconds));
}

pub(super) fn state_of(sim: &Sim, conn: ConnId) -> &'static str {
    let session = sim.dialect_of(conn).roles.sessions.table.get(conn);
    session.map_or("GONE", |session| session.state.name())
}

pub(super) fn is_linked(sim: &Sim, conn: ConnId) -> bool {
    let session = sim.dialect_of(conn).roles.sessions.table.get(conn);
    session.is_some_and(|session| session.link.is_some())
}

/// What was received, without what everybody is told at each tick.
pub(super) fn own(received: Vec<Value>) -> Vec<Value> {
    let broadcast = ["matchmaker_info", "player_info", "game_info", "ping"];
    let mut received = received;
    received.retain(|m| !broadcast.contains(&m["command"].as_str().unwrap_or_default()));
    received
}

pub(super) fn take_own(sim: &mut Sim, conn: ConnId) -> Vec<Value> {
    own(sim.take(conn))
}

/// The coordinator's state on a node.
pub(super) fn coordinator(sim: &Sim, node: u8) -> &Coordinator {
    &sim.dialect(sim.first_shard(node)).roles.coordinator
}

/// The office goes from wherever it is to this node.
pub(super) fn office_to(sim: &mut Sim, node: u8) {
    sim.give_lease(Lease::Coordinator, node);
    sim.settle();
}
