//! A program of what clients, time and the back office do to a lobby in the simulator.
//!
//! The first two bytes say how many shards there are, how late mail is and the seed of every order of events; then each step
//! is a byte that says what happens and one that says to whom. What must hold afterwards is the lobby's to say.

use std::time::Duration;

use bytes::Bytes;
use lobby::{ConnId, Dialect, Keep, ShardId, Stopping, kept, simulator::Simulator};

use crate::input::Input;

/// Steps of one program; an input that goes on is cut off.
const STEPS: usize = 150;
/// In one input of eight, mail of one of so many steps is written and read, as between machines. With that in every step such an
/// input took four times as long as others, and coverage leads to many of them.
const WRITTEN: usize = 8;
/// What a shard may keep beyond what its clients have said: settings, empty tables, counters.
const KEPT_BASE_BYTES: usize = 64 << 10;
/// How many bytes may be kept of one that was said: a name stands in several tables, each with field names.
const KEPT_PER_BYTE: usize = 64;

/// How a lobby is driven.
pub(crate) trait Lobby {
    type Dialect: Keep;

    /// A shard of so many; `fresh`: it counts by itself, because it goes on with what another one has counted.
    fn shard(&self, shard: ShardId, shards: u16, fresh: bool) -> Self::Dialect;

    /// What the outside tells every lobby that has just begun.
    fn begin(&mut self, sim: &mut Simulator<Self::Dialect>);

    /// The next connection of client `who`: opened, and told what they say first.
    fn join(&mut self, sim: &mut Simulator<Self::Dialect>, who: usize, shard: u16) -> ConnId;

    /// A step that only this lobby knows: the frames that `who` sends.
    fn frames(&mut self, op: u8, who: usize, input: &mut Input<'_>) -> Vec<Vec<u8>>;

    /// The outside tells the lobby something.
    fn news(&mut self, sim: &mut Simulator<Self::Dialect>, input: &mut Input<'_>);

    /// One message of the lobby to client `who`.
    fn heard(&mut self, who: usize, message: &Bytes);
}

/// A running program.
pub(crate) struct Play<L: Lobby> {
    pub(crate) lobby: L,
    pub(crate) sim: Simulator<L::Dialect>,
    /// The clients, each from its first step on: most programs need few of them.
    conns: Vec<Option<ConnId>>,
    /// Mail of some steps is written and read.
    writes: bool,
    settles: bool,
    ends_late: bool,
    said_bytes: usize,
}

impl<L: Lobby<Dialect: Dialect<Mail: std::fmt::Debug>>> Play<L> {
    /// `clients` clients in a lobby as the input says.
    pub(crate) fn new(
        mut lobby: L,
        clients: usize,
        input: &mut Input<'_>,
        office: lobby::simulator::Office<L::Dialect>,
    ) -> Self {
        let flags = input.byte();
        let shards = 1 + u16::from(flags & 3) % 3;
        let mut sim = Simulator::new(
            shards,
            u64::from(input.byte()),
            |shard| lobby.shard(shard, shards, false),
            office,
        );
        sim.eager = flags & 4 != 0;
        sim.written_mail = false;
        lobby.begin(&mut sim);
        Play {
            lobby,
            sim,
            conns: vec![None; clients],
            writes: flags & 0x38 == 0x38,
            settles: flags & 0x40 != 0,
            ends_late: flags & 0x80 != 0,
            said_bytes: 0,
        }
    }

    /// Does what the input says.
    pub(crate) fn go(&mut self, input: &mut Input<'_>) {
        for number in 0..STEPS {
            if input.is_empty() {
                break;
            }
            self.sim.written_mail = self.writes && number.is_multiple_of(WRITTEN);
            let op = input.byte();
            let who = input.below(self.conns.len());
            let conn = self.conn_of(who);
            self.step(op, who, conn, input);
        }
        self.sim.written_mail = false;
    }

    /// The connection of a client: a new one, if there is none or it has ended.
    fn conn_of(&mut self, who: usize) -> ConnId {
        let lives = |conn: &ConnId| self.sim.client(*conn).closed.is_none();
        if let Some(conn) = self.conns[who].filter(lives) {
            return conn;
        }
        let shard = who as u16 % self.sim.shards();
        let conn = self.lobby.join(&mut self.sim, who, shard);
        self.conns[who] = Some(conn);
        if self.settles {
            self.sim.settle();
        }
        conn
    }

    fn step(&mut self, op: u8, who: usize, conn: ConnId, input: &mut Input<'_>) {
        match op {
            0..=2 => self.sim.settle(),
            3 => self.sim.advance(Duration::from_secs(input.byte().into())),
            4 => self.sim.advance(Duration::from_secs(35)),
            5 => self.sim.disconnect(conn),
            6 => {
                for _ in 0..input.byte() {
                    self.sim.step();
                }
            }
            7 => self.sim.stalled = !self.sim.stalled,
            8 => self.sim.resync(conn),
            9 => self.say(conn, input.bytes().to_vec()),
            10 => self.lobby.news(&mut self.sim, input),
            11 => self.hand_over(),
            12 if input.byte() == 12 => self.sim.stop(Stopping::Drain),
            13 => self.listen(),
            _ => {
                for frame in self.lobby.frames(op, who, input) {
                    self.say(conn, frame);
                }
                if self.settles {
                    self.sim.settle();
                }
            }
        }
    }

    fn say(&mut self, conn: ConnId, frame: Vec<u8>) {
        self.said_bytes += frame.len();
        self.sim.send(conn, frame);
    }

    /// Another process goes on, if nothing is on its way; what it keeps is in proportion to what was said.
    fn hand_over(&mut self) {
        if self.sim.stalled {
            return;
        }
        self.sim.settle();
        let shards = self.sim.shards();
        let allowed = KEPT_BASE_BYTES + KEPT_PER_BYTE * self.said_bytes;
        for shard in 0..shards {
            let kept = kept::encode(&self.sim.dialect(shard).keep()).len();
            assert!(
                kept <= allowed,
                "{kept} bytes are kept of {} that were said",
                self.said_bytes
            );
        }
        let lobby = &self.lobby;
        self.sim.hand_over(|shard| lobby.shard(shard, shards, true));
        self.lobby.begin(&mut self.sim);
    }

    /// The last connection of each client that has come.
    pub(crate) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.conns.iter().copied().flatten()
    }

    /// Clients read what they were sent.
    fn listen(&mut self) {
        for (who, conn) in self.conns.iter().enumerate() {
            for message in conn.map_or_else(Vec::new, |conn| self.sim.take_raw(conn)) {
                self.lobby.heard(who, &message);
            }
        }
    }

    /// The trouble is over: everything that was on its way arrives.
    pub(crate) fn rest(&mut self) {
        self.sim.stalled = false;
        self.sim.settle();
    }

    /// Everybody goes, and the process is to end, soon or after `patience`: nothing is left then that would keep it.
    pub(crate) fn end(&mut self, patience: Duration) {
        self.listen();
        for conn in self.conns.iter().flatten() {
            self.sim.disconnect(*conn);
        }
        if self.ends_late {
            self.sim.advance(patience);
        }
        self.sim.stop(Stopping::Drain);
        self.sim.advance(patience);
        for shard in 0..self.sim.shards() {
            let drained = self.sim.dialect(shard).is_drained();
            assert!(drained, "something is left on shard {shard}");
        }
    }
}
