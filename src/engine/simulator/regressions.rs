//! Faults of the engine that walks have found, each in as few steps as show it.

use std::{rc::Rc, sync::Arc, time::Duration};

use super::{
    Chance,
    network::{Network, Shared, SimIo, SimSocket, lock},
    walk::settings,
};
use crate::{
    Accepted, AddressLimits, Inbound, Mesh, Metrics, Outside, Settings,
    admission::Admission,
    shard::{Place, Shard},
};
use lobby::{Audience, Closing, ConnId, Dialect, Origin, OutboxLimits, Relay, ShardId, Turn};

/// A relay ends when nothing has come over it for this long.
pub(super) const IDLE: Duration = Duration::from_secs(600);

/// A dialect that does what it is told: `x` 9 sends nine letters, `all` 9 broadcasts them, `pause` 9 hears nothing for nine
/// milliseconds, `end` is the end, `wait` and `meet` relay two, `lone` and `pair` two of whom each survives the other, `in` signs in, `hold` holds for good.
#[derive(Default)]
pub(super) struct Puppet {
    conns: Vec<ConnId>,
    waiting: Option<ConnId>,
}

impl Puppet {
    /// Whoever was connected as this number waits for somebody to be relayed with.
    pub(super) fn waits(&mut self, number: usize) {
        self.waiting = Some(self.conns[number]);
    }
}

impl Dialect for Puppet {
    type Mail = ();
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_open(&mut self, _: &mut Turn<'_, Self>, conn: ConnId, _: Origin) {
        self.conns.push(conn);
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        let text = String::from_utf8_lossy(body).into_owned();
        let (word, number) = text.split_once(' ').unwrap_or((&text, "0"));
        let number: usize = number.parse().expect("a number");
        match word {
            "in" => turn.signed_in(conn),
            "hold" => turn.hold(conn),
            "x" => turn.send(conn, "x".repeat(number)),
            "all" => turn.fan_out(Audience::Subscribers, "x".repeat(number)),
            "name" => turn.fan_out(
                Audience::Connections(Rc::new([self.conns[number]])),
                "named",
            ),
            "pause" => {
                let until = turn.now.mono + Duration::from_millis(number as u64);
                turn.pause(conn, until);
            }
            "end" => turn.close(conn, Closing::Flushed),
            "wait" => {
                turn.subscribe(conn);
                turn.watch(conn);
                self.waiting = Some(conn);
            }
            "meet" => {
                turn.watch(conn);
                turn.join(Relay {
                    source: conn,
                    target: self.waiting.expect("somebody waits"),
                    to_source: "met\n".into(),
                    to_target: "met\n".into(),
                    frames: None,
                    idle: Some(IDLE),
                    survives: false,
                });
            }
            "lone" => {
                turn.discard(conn);
                self.waiting = Some(conn);
            }
            "pair" => {
                turn.discard(conn);
                let other = self.waiting.expect("somebody waits");
                let (source, target) = match number {
                    0 => (conn, other),
                    _ => (other, conn),
                };
                turn.join(Relay {
                    source,
                    target,
                    to_source: "met\n".into(),
                    to_target: "met\n".into(),
                    frames: None,
                    idle: Some(IDLE),
                    survives: true,
                });
            }
            _ => unreachable!("{word}"),
        }
    }

    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}

    fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        turn.send(conn, "resync");
    }

    fn refuse((): ()) {}
}

/// One shard, with clients that do as they are told.
pub(super) struct Scene {
    pub(super) shard: Shard<Puppet, SimIo>,
    mesh: Arc<Mesh<Puppet, SimSocket>>,
    pub(super) network: Shared,
}

impl Scene {
    pub(super) fn new() -> Scene {
        Scene::with(|_| ())
    }

    /// With other settings.
    pub(super) fn with(change: impl FnOnce(&mut Settings)) -> Scene {
        let outbox = OutboxLimits {
            soft_bytes: 100,
            hard_bytes: 1 << 20,
            stuck: Duration::from_secs(60),
        };
        let address_limits = AddressLimits {
            connections: Some(9),
            opened_per_second: Some(9),
        };
        let mut settings = settings(1, outbox, address_limits);
        change(&mut settings);
        let settings = Arc::new(settings);
        let (network, mesh) = (Network::new(1, Chance::new(0)), Mesh::new(1));
        let place = Place {
            id: ShardId::new(0, 0),
            incarnation: 0,
            settings,
            mesh: mesh.clone(),
            admission: Arc::new(Admission::new(1, 9, address_limits, 64)),
            outside: Outside {
                ask: Arc::new(|_, _, ()| Ok(())),
                publish: Arc::new(|()| true),
            },
            metrics: Arc::new(Metrics::default()),
        };
        let io = SimIo {
            shard: 0,
            network: network.clone(),
        };
        let mut shard = Shard::new(place, Puppet::default(), io);
        shard.start();
        Scene {
            shard,
            mesh,
            network,
        }
    }

    /// A client that lets so many bytes wait.
    pub(super) fn connect(&mut self, capacity: usize) -> usize {
        self.connect_to(0, capacity)
    }

    /// The same at another listener.
    pub(super) fn connect_to(&mut self, listener: usize, capacity: usize) -> usize {
        let wire = lock(&self.network).connect(capacity);
        let accepted = Accepted {
            socket: SimSocket::new(wire, self.network.clone()),
            address: [127, 0, 0, 1].into(),
            listener: listener as u16,
            admitted: false,
        };
        let accepted = Inbound::Accepted(Box::new(accepted));
        self.mesh.post(ShardId::new(0, 0), accepted);
        self.go();
        wire
    }

    /// Rounds until nothing happens.
    pub(super) fn go(&mut self) {
        let (mut events, mut deadline) = (Vec::new(), None);
        loop {
            let is_over = self
                .shard
                .wait_and_go_round(&mut deadline, &mut events)
                .expect("a ring");
            let queued = self.shard.next_deadline() == Some(Duration::ZERO);
            let queued = queued || !self.shard.dirty.is_empty();
            if is_over || !queued && !lock(&self.network).has_events(0) {
                return;
            }
        }
    }

    pub(super) fn say(&mut self, client: usize, text: &str) {
        self.bring(client, text);
        self.go();
    }

    /// What a client says arrives, and the shard has not looked.
    pub(super) fn bring(&mut self, client: usize, text: &str) {
        self.bring_bytes(client, text.as_bytes());
    }

    pub(super) fn bring_bytes(&mut self, client: usize, bytes: &[u8]) {
        let mut network = lock(&self.network);
        network.wires[client].under_way.push(bytes);
        network.arrive(client, usize::MAX, false);
    }

    pub(super) fn go_one_round(&mut self) {
        let (mut events, mut deadline) = (Vec::new(), None);
        self.shard
            .wait_and_go_round(&mut deadline, &mut events)
            .expect("a ring");
    }

    /// Everything that a client has to read.
    pub(super) fn hear(&mut self, client: usize) -> String {
        let mut all = Vec::new();
        loop {
            let bytes = lock(&self.network).read(client, usize::MAX);
            if bytes.is_empty() {
                return String::from_utf8(all).expect("ASCII");
            }
            all.extend(bytes);
            self.go();
        }
    }
}

// Each event of a connection that was queued already took it through its share, at the end of which it was queued once
// more. Two relays at full speed were in there more than a hundred times, and a round took as long.
#[test]
fn a_busy_connection_was_queued_once_more_for_each_event() {
    let mut scene = Scene::new();
    let client = scene.connect(10_000);
    for _ in 0..5 {
        scene.bring(client, &"x 1\n".repeat(20));
        scene.go_one_round();
        assert_eq!(scene.shard.queued.len(), 1);
    }
    scene.go();
    assert_eq!(scene.hear(client).lines().count(), 5 * 20);
}

// Its outbox was over the soft limit when its frames had had their share, and empty when the flush was over: nothing
// brought it back.
#[test]
fn frames_behind_answers_over_the_soft_limit_were_left_if_the_socket_took_all_at_once() {
    let mut scene = Scene::new();
    let client = scene.connect(10_000);
    scene.say(client, &"x 60\n".repeat(9));
    assert_eq!(scene.hear(client).lines().count(), 9);
}

#[test]
fn broadcasts_that_named_a_connection_whose_socket_had_moved_piled_up() {
    let mut scene = Scene::new();
    let clients = [(); 3].map(|()| scene.connect(10_000));
    scene.say(clients[0], "wait\n");
    scene.say(clients[1], "meet\n");
    scene.say(clients[2], "name 1\nname 1\n");
    assert_eq!(scene.hear(clients[1]), "met\n");
    for id in scene.shard.conns.ids() {
        let conn = scene.shard.conns.peek(id).expect("there");
        assert!(conn.outbox.is_empty(), "{id:?} is owed {:?}", conn.outbox);
    }
}

#[test]
fn a_relayed_connection_was_told_the_present_state_that_it_had_missed() {
    let mut scene = Scene::new();
    let [slow, other] = [10, 10_000].map(|capacity| scene.connect(capacity));
    scene.say(slow, "wait\n");
    scene.say(other, &"all 99\n".repeat(2));
    scene.say(other, &"all 99\n".repeat(2));
    scene.say(other, "meet\n");
    let heard = scene.hear(slow);
    let lines: Vec<&str> = heard.lines().collect();
    let x = "x".repeat(99);
    assert_eq!(lines, [&x[..], &x, "met"]);
}

#[test]
fn what_was_broadcast_right_before_a_relay_came_in_the_midst_of_it() {
    let mut scene = Scene::new();
    let [target, source] = [(); 2].map(|()| scene.connect(10_000));
    scene.say(target, "wait\n");
    scene.say(source, "all 3\nmeet\n");
    scene.say(source, "relayed");
    assert_eq!(scene.hear(target), "xxx\nmet\nrelayed");
}

#[test]
fn a_paused_connection_is_heard_when_its_time_has_come() {
    let mut scene = Scene::new();
    let [client, other] = [(); 2].map(|()| scene.connect(10_000));
    scene.say(client, "x 1\npause 100\nx 2\n");
    scene.say(client, "x 3\n");
    scene.say(other, "x 1\n");
    assert_eq!(scene.hear(client), "x\n");
    assert_eq!(scene.hear(other), "x\n");
    lock(&scene.network).now += Duration::from_millis(99);
    scene.go();
    assert_eq!(scene.hear(client), "");
    lock(&scene.network).now += Duration::from_millis(1);
    scene.go();
    assert_eq!(scene.hear(client), "xx\nxxx\n");
}

// A client that is disconnected for what it sends may go on sending, and was read from for two seconds at full speed.
#[test]
fn an_ended_connection_that_goes_on_sending_is_not_read_for_long() {
    let mut scene = Scene::new();
    let client = scene.connect(10_000);
    scene.say(client, "end\n");
    assert_eq!(scene.shard.conns.len(), 1, "it may still read");
    let much = "x".repeat(1 << 20);
    for _ in 0..31 {
        scene.say(client, &much);
    }
    assert_eq!(scene.shard.conns.len(), 1);
    for _ in 0..2 {
        scene.say(client, &much);
    }
    assert_eq!(scene.shard.conns.len(), 0);
}
