//! The VCMI lobby: launchers in rooms and games that are paired; the lobby's books agree, and when all have gone nothing is
//! left.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use lobby::{
    ConnId, Dialect, Protocol, ShardId,
    lobbies::Router,
    simulator::Simulator,
    vcmi::{Metrics, Settings, Vcmi, consistency},
};
use wire::Format;

use crate::{
    input::Input,
    play::{Lobby, Play},
};

const CLIENTS: usize = 5;
/// Handshakes and sessions without anybody are over by then.
const PATIENCE: Duration = Duration::from_secs(70);

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let lobby = VcmiLobby(Games::default());
    let mut play = Play::new(lobby, CLIENTS, &mut input, Box::new(|ask| match ask {}));
    play.go(&mut input);
    play.rest();
    consistency::check(&play.sim);
    play.sim.advance(PATIENCE);
    for conn in play.conns() {
        let client = play.sim.client(conn);
        assert!(
            client.closed.is_some() || client.peer.is_some() || !client.held,
            "{conn:?} is held for ever"
        );
    }
    play.end(PATIENCE);
    consistency::check_nobody(&play.sim);
}

static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(|| {
    Arc::new(Settings {
        session_idle: Duration::from_secs(5),
        handshake: Duration::from_secs(5),
        ..Settings::default()
    })
});

thread_local! {
    static METRICS: RefCell<Arc<Metrics>> = RefCell::default();
}

pub(crate) fn shard(shard: ShardId, shards: u16, fresh: bool) -> Vcmi {
    let vcmi = Vcmi::new(shard, shards, SETTINGS.clone());
    if fresh {
        vcmi
    } else {
        vcmi.reporting_to(METRICS.with_borrow(Arc::clone))
    }
}

const TAGS: &[&str] = &[
    "GREETINGS",
    "VER",
    "MSG",
    "CHANNEL",
    "HERE",
    "ROOT",
    "ALIVE",
    "NEW",
    "PSWD",
    "COUNT",
    "JOIN",
    "HOSTMODE",
    "MODS",
    "LEAVE",
    "KICK",
    "READY",
    "FORCESTART",
    "X",
    "",
];
const WORDS: &[&str] = &[
    "abc",
    "room1",
    "user0",
    "user1",
    "user2",
    "2",
    "8",
    "",
    "global",
    "room",
    "uniques",
    "logins",
    "a&1;b&2",
    "a;;&;&&",
    "1",
    "-1",
    "99999999999",
    "x:y",
    " abc",
    ">>abc",
    "\u{e9}\u{1f600}abc",
    "all",
    "System",
];
/// What launchers say, in the order in which a game begins.
const PACKETS: &[&str] = &[
    "<NEW>room1<PSWD><COUNT>2<MODS>a&1;b&2",
    "<JOIN>room1<PSWD><MODS>a&1",
    "<READY>room1",
    "<FORCESTART>room1",
    "<HOSTMODE>1",
    "<KICK>user1",
    "<LEAVE>room1",
];

pub(crate) fn greeting(who: usize, version: u8) -> Vec<u8> {
    let mut packet = vec![version, 4];
    packet.extend_from_slice(format!("utf8<GREETINGS>user{who}<VER>1.4").as_bytes());
    packet
}

/// The games that launchers were told to start.
#[derive(Debug, Default)]
pub(crate) struct Games(Vec<String>);

impl Games {
    /// Everything that looks like a name of a game.
    pub(crate) fn heard(&mut self, message: &[u8]) {
        let text = String::from_utf8_lossy(message);
        let words = text.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
        let names = words.filter_map(|word| word.get(..36));
        self.0.extend(names.map(str::to_owned));
    }

    /// The frames of a step.
    pub(crate) fn frames(&self, op: u8, who: usize, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        match op % 16 {
            0 | 1 => {
                let role = input.pick(&["server", "client"]);
                let name = self
                    .0
                    .get(input.below(self.0.len()))
                    .cloned()
                    .unwrap_or_default();
                let greeting = [
                    "Aiya!\n".to_owned(),
                    format!("V ({role})"),
                    name,
                    "\x01".to_owned(),
                ];
                greeting.map(String::into_bytes).into()
            }
            2 => vec![greeting(who, input.byte())],
            3..=8 => vec![input.pick(PACKETS).as_bytes().to_vec()],
            _ => {
                let mut packet = String::new();
                for _ in 0..=input.below(4) {
                    packet += &format!("<{}>", input.pick(TAGS));
                    match input.byte() {
                        255 => packet += &String::from_utf8_lossy(input.bytes()),
                        n => packet += WORDS[usize::from(n) % WORDS.len()],
                    }
                }
                vec![packet.into_bytes()]
            }
        }
    }
}

/// A launcher signs in; every other new connection is left to be a game's.
pub(crate) fn join<D: Dialect<Mail: std::fmt::Debug>>(
    sim: &mut Simulator<D>,
    who: usize,
    shard: u16,
    protocol: Protocol,
) -> ConnId {
    (sim.format, sim.protocol) = (Format::Packets, protocol);
    let conn = sim.connect(shard);
    if who < 3 && sim.connections().is_multiple_of(2) {
        sim.send(conn, greeting(who, 3 + who as u8));
    }
    conn
}

struct VcmiLobby(Games);

impl Lobby for VcmiLobby {
    type Dialect = Vcmi;

    fn shard(&self, id: ShardId, shards: u16, fresh: bool) -> Vcmi {
        shard(id, shards, fresh)
    }

    fn begin(&mut self, _: &mut Simulator<Vcmi>) {}

    fn join(&mut self, sim: &mut Simulator<Vcmi>, who: usize, shard: u16) -> ConnId {
        join(sim, who, shard, Router::VCMI)
    }

    fn frames(&mut self, op: u8, who: usize, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        self.0.frames(op, who, input)
    }

    fn news(&mut self, _: &mut Simulator<Vcmi>, _: &mut Input<'_>) {}

    fn heard(&mut self, _: usize, message: &Bytes) {
        self.0.heard(message);
    }
}
