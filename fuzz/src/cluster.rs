//! A node of a lobby among others, driven by a program: what comes by the bus, real, changed or made up, and what its driver tells
//! it. It goes on, says nothing too long, believes in nobody's leases on an island, and passes on letters of members only.

use std::time::Duration;

use bytes::Bytes;
use cluster::{Destination, Lease, Node, Output, Setup, Standing};

use crate::input::Input;

/// What NATS takes by default is twice as much.
const ENVELOPE_BYTES: usize = 512 * 1024;
/// Messages of the bus that are kept, to come again.
const KEPT: usize = 64;
/// Outputs of one input: a few for each member, letter and lease.
const OUTPUTS: usize = 4_096;
/// Steps of one input.
const STEPS: usize = 400;

struct Bus {
    now: Duration,
    nodes: Vec<Node>,
    standings: Vec<Option<Standing>>,
    said: Vec<Bytes>,
    lives: u64,
    term: u64,
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut bus = Bus {
        now: Duration::from_secs(1),
        nodes: Vec::new(),
        standings: vec![None, None],
        said: Vec::new(),
        lives: 2,
        term: 1,
    };
    for node in 0..2 {
        let setup = Setup {
            node,
            incarnation: u64::from(node) + 1,
            shards: 2,
            version: "1".into(),
        };
        bus.nodes.push(Node::new(setup, bus.now));
        bus.nodes[usize::from(node)].on_bus(bus.now, true);
    }
    // Most of what there is to break needs two members.
    if !input.byte().is_multiple_of(4) {
        bus.pass(1_200);
    }
    for _ in 0..STEPS {
        if input.is_empty() {
            break;
        }
        bus.step(&mut input);
    }
    bus.pass(3_000);
}

impl Bus {
    fn step(&mut self, input: &mut Input) {
        let at = input.below(2);
        let now = self.now;
        match input.below(14) {
            0 => self.nodes[at].on_message(now, Bytes::copy_from_slice(input.bytes())),
            1 => {
                let body = input.bytes();
                let head = [
                    b"mu\x01",
                    &[input.byte() % 6, input.byte() % 3, 0, 0, 0][..],
                ]
                .concat();
                let lives = [u64::from(input.byte() % 4), u64::from(input.byte() % 4)];
                let lives = lives.map(u64::to_le_bytes).concat();
                let bytes = [&head, &lives, body].concat();
                self.nodes[at].on_message(now, bytes.into());
            }
            2 | 3 => {
                let Some(said) = self.said.get(input.below(KEPT)) else {
                    return;
                };
                let mut bytes = said.to_vec();
                for _ in 0..input.below(4) {
                    let place = usize::from(u16::from_be_bytes([input.byte(), input.byte()]));
                    let place = place % bytes.len();
                    bytes[place] = input.byte();
                }
                self.nodes[at].on_message(now, bytes.into());
            }
            4 => self.pass(u64::from(input.byte())),
            5 => self.pass(20 * u64::from(input.byte())),
            6 => {
                let to =
                    input.pick(&[Destination::All, Destination::Node(0), Destination::Node(1)]);
                let length = usize::from(input.byte()) << input.below(12);
                for _ in 0..input.below(8) {
                    self.nodes[at].say(to, vec![0; length].into());
                }
            }
            7 => self.nodes[at].flush(now),
            8 => self.nodes[at].on_slot(now, input.byte().is_multiple_of(2)),
            9 => {
                self.term = self.term.saturating_add(1);
                let term = input.pick(&[None, Some(self.term), Some(1), Some(u64::MAX)]);
                self.nodes[at].on_lease(now, input.pick(&Lease::ALL), term);
            }
            10 => self.nodes[at].on_bus(now, input.byte().is_multiple_of(2)),
            11 => self.nodes[at].on_fenced(now, input.byte() % 3, input.byte().is_multiple_of(2)),
            12 => match input.below(3) {
                0 => self.nodes[at].start_over(now),
                1 => self.nodes[at].retire(now),
                _ => self.nodes[at].leave(now),
            },
            // A driver that is late.
            _ => self.now += Duration::from_millis(u64::from(input.byte())),
        }
        self.carry_out();
    }

    fn pass(&mut self, for_ms: u64) {
        let end = self.now + Duration::from_millis(for_ms);
        while self.now < end {
            let due = self.nodes.iter().map(Node::deadline).min();
            let due = due.unwrap_or(end).max(self.now + Duration::from_millis(1));
            self.now = due.min(end);
            for node in &mut self.nodes {
                if node.deadline() <= self.now {
                    node.on_time(self.now);
                }
            }
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        let mut said = Vec::new();
        for at in 0..self.nodes.len() {
            let mut outputs = 0;
            while let Some(output) = self.nodes[at].poll() {
                outputs += 1;
                assert!(outputs < OUTPUTS, "there is no end of it: {output:?}");
                self.carry_out_one(at, output, &mut said);
            }
            let lanes = self.nodes[at].figures().lanes;
            assert!(lanes.iter().all(|lane| lane.unacked_bytes <= 33 << 20));
        }
        for bytes in said {
            for node in &mut self.nodes {
                node.on_message(self.now, bytes.clone());
            }
            if self.said.len() < KEPT {
                self.said.push(bytes);
            }
        }
    }

    fn carry_out_one(&mut self, at: usize, output: Output, said: &mut Vec<Bytes>) {
        let now = self.now;
        match output {
            Output::Publish(_, bytes) => {
                assert!(bytes.len() <= ENVELOPE_BYTES);
                said.push(bytes);
            }
            Output::Letter { from, .. } => {
                let standing = self.standings[at].as_ref();
                let standing = standing.expect("a standing comes before a letter");
                assert!(usize::from(from) != at && standing.view.member(from).is_some());
            }
            Output::Standing(standing) => {
                assert!(!standing.is_island || standing.leases == Default::default());
                self.standings[at] = Some((*standing).clone());
            }
            // Whoever asks first has it: who had it before finds out by the term.
            Output::Want(lease, true) => {
                let highest = self.nodes[at].figures().terms[lease.index()];
                self.term = self.term.max(highest).saturating_add(1);
                self.nodes[at].on_lease(now, lease, Some(self.term));
            }
            Output::Want(lease, false) => self.nodes[at].on_lease(now, lease, None),
            Output::Fence(slot) => self.nodes[at].on_fenced(now, slot, true),
            Output::NewLife => {
                self.lives += 1;
                self.nodes[at].begin_life(now, self.lives);
            }
            Output::LaneBroken(_) | Output::Displaced => {}
        }
    }
}
