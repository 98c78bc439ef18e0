//! Shards of two nodes: what one says arrives at the other's as bytes, and a hold that lapses is noticed.

use std::{sync::Arc, time::Duration};

use super::{
    Chance,
    network::{Network, SimIo, SimSocket, lock},
    walk::settings,
};
use crate::{
    AddressLimits, Inbound, Mesh, Metrics, Outside, Outward,
    admission::Admission,
    shard::{Place, Shard},
};
use lobby::{Closing, ConnId, Dialect, Origin, OutboxLimits, ShardId, Standing, Turn};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Word {
    Hello { name: String },
    Long(String),
}

/// Writes down what it hears.
#[derive(Default)]
struct Ear {
    heard: Vec<(ShardId, Word)>,
    islands: Vec<bool>,
    broken: Vec<u8>,
}

impl Dialect for Ear {
    type Mail = Word;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}

    fn on_frame(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {}

    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}

    fn on_mail(&mut self, _: &mut Turn<'_, Self>, from: ShardId, mail: Word) {
        self.heard.push((from, mail));
    }

    fn on_notice(&mut self, turn: &mut Turn<'_, Self>, (): ()) {
        turn.mail_nodes(Word::Hello {
            name: "everybody".to_owned(),
        });
        turn.mail(ShardId::new(3, 1), Word::Long("x".repeat(20)));
        turn.send(connection(3), "a message");
        turn.close(connection(3), Closing::Abort);
    }

    fn on_standing(&mut self, _: &mut Turn<'_, Self>, standing: &Standing) {
        self.islands.push(standing.is_island);
    }

    fn on_lane_broken(&mut self, _: &mut Turn<'_, Self>, node: u8) {
        self.broken.push(node);
    }

    fn refuse((): ()) {}
}

fn connection(node: u8) -> ConnId {
    ConnId {
        shard: ShardId::new(node, 0),
        slot: 7,
        generation: 9,
    }
}

/// The first shard of a node of two.
struct Node {
    shard: Shard<Ear, SimIo>,
    mesh: Arc<Mesh<Ear, SimSocket>>,
    outward: Option<Arc<Outward>>,
}

impl Node {
    fn new(node: u8, outward: Option<Arc<Outward>>) -> Node {
        let outbox = OutboxLimits {
            soft_bytes: 100,
            hard_bytes: 1 << 20,
            stuck: Duration::from_secs(60),
        };
        let limits = AddressLimits {
            connections: None,
            opened_per_second: None,
        };
        let network = Network::new(2, Chance::new(0));
        let mesh = Mesh::of_node(node, 2, outward.clone());
        let place = Place {
            id: ShardId::new(node, 0),
            incarnation: 0,
            settings: Arc::new(settings(1, outbox, limits)),
            mesh: mesh.clone(),
            admission: Arc::new(Admission::new(2, 9, limits, 64).of_node(node)),
            outside: Outside {
                ask: Arc::new(|_, _, ()| Ok(())),
                publish: Arc::new(|()| true),
            },
            metrics: Arc::new(Metrics::default()),
        };
        let io = SimIo { shard: 0, network };
        let mut shard = Shard::new(place, Ear::default(), io);
        shard.start();
        Node {
            shard,
            mesh,
            outward,
        }
    }

    fn with_a_way_out(node: u8) -> Node {
        let mut node = Node::new(node, Some(Arc::default()));
        let mut standing = Standing::alone(node.mesh.node(), 2);
        let mut other = standing.view.members[0].clone();
        other.node += 1;
        Arc::make_mut(&mut standing.view).members.push(other);
        node.mesh.tell_standing(&Arc::new(standing));
        node.go();
        node
    }

    fn go(&mut self) {
        let (mut events, mut deadline) = (Vec::new(), None);
        let round = self.shard.wait_and_go_round(&mut deadline, &mut events);
        round.expect("a ring");
    }

    fn letters(&self) -> Vec<(Option<u8>, bytes::Bytes)> {
        let outward = self.outward.as_ref().expect("a way out");
        let parcels = std::iter::from_fn(|| outward.take());
        parcels.map(|parcel| (parcel.to, parcel.letter)).collect()
    }

    fn dropped(&self, why: &str) -> u64 {
        let outward = self.outward.as_ref().expect("a way out");
        outward.metrics().dropped.of(&[why]).value()
    }
}

#[test]
fn what_a_shard_says_arrives_at_the_shards_of_another_node() {
    let (mut one, mut other) = (Node::with_a_way_out(5), Node::with_a_way_out(3));
    one.mesh.post(ShardId::new(5, 0), Inbound::Notice(()));
    one.go();
    let letters = one.letters();
    let to: Vec<_> = letters.iter().map(|(to, _)| *to).collect();
    assert_eq!(to, [None, Some(3), Some(3), Some(3)]);
    for (_, letter) in &letters {
        other.mesh.deliver(5, letter.clone());
    }
    let second = other.mesh.inbox(ShardId::new(3, 1));
    assert_eq!(second.waiting(), 3, "the standing, and two letters");
    other.go();
    let everybody = Word::Hello {
        name: "everybody".to_owned(),
    };
    let heard = [(ShardId::new(5, 0), everybody)];
    assert_eq!(other.shard.dialect.heard, heard);
}

#[test]
fn what_is_not_understood_is_dropped_and_counted() {
    let mut node = Node::with_a_way_out(3);
    for letter in [
        &b""[..],
        b"\x09abc",
        b"\x01\x00",
        b"\x01\x00\x01\x00nonsense",
    ] {
        node.mesh.deliver(5, bytes::Bytes::from_static(letter));
    }
    node.go();
    assert_eq!(node.shard.dialect.heard, []);
    assert_eq!(node.dropped("undecodable"), 4);
    assert_eq!(node.shard.metrics.panics.value(), 0);
}

#[test]
fn sockets_stay_on_their_node() {
    let node = Node::with_a_way_out(3);
    let stop = Inbound::Stop(lobby::Stopping::Now);
    node.mesh.post(ShardId::new(4, 0), stop);
    assert_eq!(node.letters(), []);
    assert_eq!(node.dropped("stays_here"), 1);
}

#[test]
fn a_node_that_is_alone_says_nothing_to_others() {
    let mut node = Node::new(0, None);
    node.mesh.post(ShardId::new(0, 0), Inbound::Notice(()));
    node.go();
    assert!(!node.mesh.congested());
    assert_eq!(node.shard.dialect.islands, [] as [bool; 0]);
}

#[test]
fn nobody_writes_letters_for_nodes_that_are_not_there() {
    let mut node = Node::new(3, Some(Arc::default()));
    node.mesh.tell_standing(&Arc::new(Standing::alone(3, 2)));
    node.mesh.post(ShardId::new(3, 0), Inbound::Notice(()));
    node.go();
    assert!(node.letters().iter().all(|(to, _)| to.is_some()));
}

#[test]
fn a_hold_that_lapses_makes_an_island_before_anything_else_is_done() {
    let mut node = Node::with_a_way_out(3);
    let outward = node.outward.clone().expect("a way out");
    let origin = outward.origin();
    outward.hold_until(Some(origin + Duration::from_secs(4)));
    lock(&node.shard.io.network).now = Duration::from_secs(5);
    node.mesh.tell_broken(4);
    node.go();
    assert_eq!(node.shard.dialect.islands, [false, true]);
    assert_eq!(node.shard.dialect.broken, [4]);
    // What was on its way and is from before does not end it, and the hold does.
    node.mesh.tell_standing(&Arc::new(Standing::alone(3, 2)));
    node.go();
    assert_eq!(node.shard.dialect.islands, [false, true, true]);
    outward.hold_until(Some(origin + Duration::from_secs(9)));
    node.mesh.tell_broken(4);
    node.go();
    assert_eq!(node.shard.dialect.islands, [false, true, true, false]);
}
