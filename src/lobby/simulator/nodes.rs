//! The nodes of a simulated lobby: who is in, who does what, and what goes wrong with them.
//!
//! There is a leader that is nobody and never wrong: it makes views and gives leases. A node that is cut off or lost is put out
//! after 2 s. What it decides reaches each node as late as mail does ([`Simulator::late`]), so that for a while they
//! act on different views; [`Simulator::settle_views`] ends that.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use rand::RngExt;

use super::{Office, Simulator};
use crate::{Closing, Dialect, ShardId, Standing};
use cluster::{Holder, Leases, Member, View};

/// The seeds of a walk: so many from 0 on, or as many as `MUSTER_NODES_SEEDS` says, from `MUSTER_NODES_SEED` on.
#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    reason = "whoever has the time may have more seeds tried"
)]
pub(crate) fn seeds(usual: u64) -> std::ops::Range<u64> {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let first = number("MUSTER_NODES_SEED").unwrap_or(0);
    first..first + number("MUSTER_NODES_SEEDS").unwrap_or(usual)
}

/// A node that nobody has heard for so long is put out.
const SILENCE: Duration = Duration::from_secs(2);

/// What only one node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lease {
    /// [`Leases::coordinator`].
    Coordinator,
    /// [`Leases::outside`].
    Outside,
    /// [`Leases::single`].
    Single,
}

/// Makes a shard's state for a process that begins.
type Make<D> = Box<dyn FnMut(ShardId) -> D>;

/// All nodes, and the leader.
pub(super) struct Nodes<D> {
    all: Vec<Node>,
    view: Arc<View>,
    leases: Leases,
    /// Grow with every lease that is given, and every life that begins.
    terms: u64,
    lives: u64,
    /// What the leader does by itself, and when.
    changes: BTreeMap<(Duration, u64), Change>,
    changed: u64,
    /// None: it is alone, and nothing ever becomes of it.
    make: Option<Make<D>>,
}

struct Node {
    /// Place of its first shard among all.
    first: usize,
    shards: u16,
    is_running: bool,
    is_cut: bool,
    /// How often it was cut off, or lost.
    troubles: u32,
    /// What it knows; its shards know it, or are about to.
    standing: Arc<Standing>,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    /// The node is put out, if it is still in this trouble.
    Out(u8, u32),
    /// The node hears what the leader has decided.
    Tell(u8),
}

impl<D> Nodes<D> {
    /// Of so many shards each, every one alone.
    pub(super) fn new(shards: &[u16]) -> Self {
        let mut first = 0;
        let nodes = (0..).zip(shards).map(|(node, &shards)| {
            first += usize::from(shards);
            Node {
                first: first - usize::from(shards),
                shards,
                is_running: true,
                is_cut: false,
                troubles: 0,
                standing: Arc::new(Standing::alone(node, shards)),
            }
        });
        let all: Vec<Node> = nodes.collect();
        let standing = &all.first().expect("there is a node").standing;
        Nodes {
            view: standing.view.clone(),
            leases: standing.leases,
            all,
            terms: 0,
            lives: 0,
            changes: BTreeMap::new(),
            changed: 0,
            make: None,
        }
    }

    /// Place of a node's first shard among all.
    pub(super) fn first(&self, node: u8) -> usize {
        self.node(node).first
    }

    /// How many shards it has.
    pub(super) fn shards(&self, node: u8) -> u16 {
        self.node(node).shards
    }

    /// When the leader does something.
    pub(super) fn next_change(&self) -> Option<Duration> {
        self.changes.keys().next().map(|&(at, _)| at)
    }

    fn node(&self, node: u8) -> &Node {
        &self.all[usize::from(node)]
    }

    fn node_mut(&mut self, node: u8) -> &mut Node {
        &mut self.all[usize::from(node)]
    }

    fn later(&mut self, at: Duration, change: Change) {
        self.changed += 1;
        self.changes.insert((at, self.changed), change);
    }

    fn next_life(&mut self) -> u64 {
        self.lives += 1;
        self.lives.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }

    /// Another view: without this node, or with it in another life.
    fn next_view(&mut self, node: u8, incarnation: Option<u64>) {
        let members = self.view.members.iter();
        let mut members: Vec<_> = members.filter(|m| m.node != node).cloned().collect();
        members.extend(incarnation.map(|incarnation| Member {
            node,
            incarnation,
            shards: self.shards(node),
            version: "1".into(),
        }));
        members.sort_by_key(|member| member.node);
        let number = self.view.number + 1;
        self.view = Arc::new(View { number, members });
    }

    fn lease(&mut self, lease: Lease) -> &mut Option<Holder> {
        match lease {
            Lease::Coordinator => &mut self.leases.coordinator,
            Lease::Outside => &mut self.leases.outside,
            Lease::Single => &mut self.leases.single,
        }
    }

    /// Whatever the node held is nobody's.
    fn release(&mut self, node: u8) {
        for lease in [Lease::Coordinator, Lease::Outside, Lease::Single] {
            self.lease(lease).take_if(|holder| holder.node == node);
        }
    }

    /// What a node that is in would know if it had heard everything.
    fn newest(&self, node: u8) -> Option<Standing> {
        let member = self.view.member(node)?;
        Some(Standing {
            node,
            incarnation: member.incarnation,
            view: self.view.clone(),
            is_island: false,
            is_in_touch: true,
            leases: self.leases,
        })
    }

    /// What a process knows when it begins.
    fn first_standing(&self, node: u8) -> Standing {
        Standing {
            is_island: true,
            is_in_touch: false,
            leases: Leases::default(),
            ..Standing::alone(node, self.shards(node))
        }
    }
}

impl<D: Dialect<Mail: Debug>> Simulator<D> {
    /// Starts nodes of so many shards each, all of which are in. The first one has all leases.
    pub fn with_nodes(
        nodes: &[u16],
        seed: u64,
        mut make: impl FnMut(ShardId) -> D + 'static,
        office: Office<D>,
    ) -> Self {
        let mut simulator = Simulator::started(nodes, seed, &mut make, office);
        simulator.nodes.make = Some(Box::new(make));
        let holder = Some(Holder { node: 0, term: 1 });
        let state = &mut simulator.nodes;
        state.terms = 1;
        state.leases = Leases {
            coordinator: holder,
            outside: holder,
            single: holder,
        };
        for node in 0..nodes.len() as u8 {
            let incarnation = state.next_life();
            state.next_view(node, Some(incarnation));
        }
        for node in simulator.nodes() {
            simulator.tell_newest(node);
        }
        simulator.settle();
        simulator
    }

    /// All nodes, lost ones too.
    pub fn nodes(&self) -> impl Iterator<Item = u8> + use<D> {
        0..self.nodes.all.len() as u8
    }

    /// Any of them.
    pub fn any_node(&self, rng: &mut impl RngExt) -> u8 {
        let nodes: Vec<u8> = self.nodes().collect();
        nodes[rng.random_range(0..nodes.len())]
    }

    /// The shards of all nodes that are not lost.
    pub fn all_shards(&self) -> Vec<ShardId> {
        self.nodes().flat_map(|node| self.shards_of(node)).collect()
    }

    /// The shards of a node; none if it is lost.
    pub fn shards_of(&self, node: u8) -> impl Iterator<Item = ShardId> + use<D> {
        let shards = match self.is_running(node) {
            true => self.nodes.shards(node),
            false => 0,
        };
        ShardId::of_node(node, shards)
    }

    /// Place of the first shard of a node among all.
    pub fn first_shard(&self, node: u8) -> u16 {
        self.nodes.first(node) as u16
    }

    /// Whether the node is not lost.
    pub fn is_running(&self, node: u8) -> bool {
        self.nodes.node(node).is_running
    }

    /// Whether the node reaches the others.
    pub fn is_cut(&self, node: u8) -> bool {
        self.nodes.node(node).is_cut
    }

    /// Whether the node is in, and reaches the others.
    pub fn is_reachable(&self, node: u8) -> bool {
        let Node {
            is_running,
            is_cut,
            ref standing,
            ..
        } = *self.nodes.node(node);
        is_running && !is_cut && self.nodes.newest(node).as_ref() == Some(&**standing)
    }

    /// What a node knows of the others.
    pub fn standing(&self, node: u8) -> &Arc<Standing> {
        &self.nodes.node(node).standing
    }

    /// The newest view.
    pub fn view(&self) -> &Arc<View> {
        &self.nodes.view
    }

    /// The node knows this of the others, whatever the leader thinks.
    pub fn believe(&mut self, node: u8, standing: Standing) {
        self.nodes.node_mut(node).standing = Arc::new(standing);
        self.tell_standing(node);
    }

    /// Nothing passes between the node and the others. After 2 s it is an island, and the others get a view
    /// without it.
    pub fn cut(&mut self, node: u8) {
        if self.is_running(node) && !self.is_cut(node) {
            self.nodes.node_mut(node).is_cut = true;
            self.trouble(node);
        }
    }

    /// The process of a node is killed. Its clients are gone at once; after 2 s the others get a view without it.
    pub fn lose(&mut self, node: u8) {
        if !self.is_running(node) {
            return;
        }
        let shards: Vec<_> = self.shards_of(node).collect();
        self.nodes.node_mut(node).is_running = false;
        for (conn, client) in &mut self.clients {
            if conn.shard.node() == node {
                client.closed.get_or_insert(Closing::Abort);
                client.over = true;
            }
        }
        for shard in shards {
            let index = self.index(shard);
            let state = &mut self.shards[index];
            state.timers.clear();
            state.asks.clear();
            state.topics.clear();
        }
        self.mail.retain(|(from, _), _| from.node() != node);
        let (lanes, rng) = (&mut self.lanes, &mut self.rng);
        lanes.end(node, |letters| rng.random_range(0..=letters));
        self.trouble(node);
    }

    /// A node that was cut off reaches the others again, and one that was lost begins anew. It comes in as another member, unless
    /// nobody has noticed anything.
    pub fn rejoin(&mut self, node: u8) {
        let known = self.nodes.view.member(node).map(|m| m.incarnation);
        let same = known == Some(self.standing(node).incarnation);
        self.nodes.node_mut(node).is_cut = false;
        if self.is_running(node) && same {
            return;
        }
        self.lanes.forget(node);
        self.nodes.release(node);
        self.begin(node);
        let incarnation = self.nodes.next_life();
        self.nodes.next_view(node, Some(incarnation));
        self.publish();
    }

    /// The node takes a lease, in a new term.
    pub fn give_lease(&mut self, lease: Lease, node: u8) {
        self.nodes.terms += 1;
        let term = self.nodes.terms;
        *self.nodes.lease(lease) = Some(Holder { node, term });
        self.publish();
    }

    /// Nobody has a lease.
    pub fn take_lease(&mut self, lease: Lease) {
        *self.nodes.lease(lease) = None;
        self.publish();
    }

    /// All nodes that reach each other act on the newest view. Mail that was late stays late.
    pub fn settle_views(&mut self) {
        let tells = |change: &Change| matches!(change, Change::Tell(_));
        self.nodes.changes.retain(|_, change| !tells(change));
        for node in self.nodes() {
            self.tell_newest(node);
        }
        self.settle();
    }

    /// Does one thing that the leader was to do by now; false if there is none.
    pub(super) fn change_nodes(&mut self) -> bool {
        let first = self.nodes.changes.first_entry();
        let Some(first) = first.filter(|first| first.key().0 <= self.now) else {
            return false;
        };
        match first.remove() {
            Change::Out(node, trouble) => self.put_out(node, trouble),
            Change::Tell(node) => self.tell_newest(node),
        }
        true
    }

    fn trouble(&mut self, node: u8) {
        let state = self.nodes.node_mut(node);
        state.troubles += 1;
        let out = Change::Out(node, state.troubles);
        self.nodes.later(self.now + SILENCE, out);
    }

    fn put_out(&mut self, node: u8, trouble: u32) {
        let state = self.nodes.node_mut(node);
        let is_in_trouble = !state.is_running || state.is_cut;
        if !is_in_trouble || state.troubles != trouble {
            return;
        }
        if state.is_running {
            state.standing = Arc::new(Standing {
                is_island: true,
                is_in_touch: false,
                leases: Leases::default(),
                ..Standing::clone(&state.standing)
            });
            self.tell_standing(node);
        }
        self.lanes.forget(node);
        self.nodes.release(node);
        if self.nodes.view.member(node).is_some() {
            self.nodes.next_view(node, None);
            self.publish();
        }
    }

    /// A process begins, if the node has none.
    fn begin(&mut self, node: u8) {
        if self.is_running(node) {
            return;
        }
        let standing = Arc::new(self.nodes.first_standing(node));
        let state = self.nodes.node_mut(node);
        (state.is_running, state.standing) = (true, standing.clone());
        let mut make = self.nodes.make.take().expect("nodes can begin anew");
        for shard in self.shards_of(node) {
            let index = self.index(shard);
            self.shards[index].dialect = make(shard);
            self.turn(shard, |dialect, turn| {
                dialect.on_start(turn);
                dialect.on_standing(turn, &standing);
            });
        }
        self.nodes.make = Some(make);
    }

    /// What the leader has decided goes to all nodes.
    fn publish(&mut self) {
        for node in self.nodes() {
            match self.lateness() {
                Duration::ZERO => self.tell_newest(node),
                late => self.nodes.later(self.now + late, Change::Tell(node)),
            }
        }
    }

    fn tell_newest(&mut self, node: u8) {
        let state = self.nodes.node(node);
        let is_reached = state.is_running && !state.is_cut;
        let newest = self.nodes.newest(node).filter(|_| is_reached);
        if let Some(newest) = newest.filter(|newest| *newest != **self.standing(node)) {
            self.nodes.node_mut(node).standing = Arc::new(newest);
            self.tell_standing(node);
        }
    }
}

#[cfg(test)]
mod tests;
