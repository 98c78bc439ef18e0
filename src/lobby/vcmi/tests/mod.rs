//! The VCMI lobby in the simulator, on one and two shards.

mod chat;
mod flood;
mod hand_over;
mod limits;
mod login;
mod lost;
mod operator;
mod pipes;
mod rooms;
mod start;
mod walk;

use std::sync::Arc;

use super::{Settings, Vcmi};
use crate::{ConnId, simulator::Simulator};
use wire::Format;

pub(super) type Sim = Simulator<Vcmi>;

fn simulator(shards: u16, seed: u64, settings: Settings) -> Sim {
    let settings = Arc::new(settings);
    let mut sim = Simulator::new(
        shards,
        seed,
        |shard| Vcmi::new(shard, shards, settings.clone()),
        Box::new(|ask| match ask {}),
    );
    sim.format = Format::Packets;
    sim
}

/// Runs a test on one and two shards, with several orders of events.
fn each(test: impl Fn(Sim)) {
    each_with(Settings::default(), test);
}

fn each_with(settings: Settings, test: impl Fn(Sim)) {
    for shards in 1..=2 {
        for seed in 0..4 {
            test(simulator(shards, seed, settings.clone()));
        }
    }
}

/// A connection, on one shard after the other.
fn connect(sim: &mut Sim) -> ConnId {
    let shards = sim.shards();
    let shard = sim.connections() % u32::from(shards);
    sim.advance(std::time::Duration::from_micros(1)); // so that the order of accepting is certain
    sim.connect(shard as u16)
}

/// The first packet of a launcher.
fn greeting(version: u8, name: &str) -> Vec<u8> {
    let mut packet = vec![version, 4];
    packet.extend_from_slice(format!("utf8<GREETINGS>{name}<VER>1.4.0").as_bytes());
    packet
}

/// A user, with everything they have been sent so far taken.
fn user(sim: &mut Sim, version: u8, name: &str) -> ConnId {
    let conn = connect(sim);
    say(sim, conn, greeting(version, name));
    conn
}

/// Sends a packet, lets everything settle, and gives what the sender was sent for it, message by message.
fn say(sim: &mut Sim, conn: ConnId, packet: impl Into<Vec<u8>>) -> Vec<String> {
    sim.take_bytes(conn);
    sim.send(conn, packet);
    sim.settle();
    heard(sim, conn)
}

/// What a client was sent since the last time, cut before every `:>>`, without it.
fn heard(sim: &mut Sim, conn: ConnId) -> Vec<String> {
    let bytes = sim.take_bytes(conn);
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.is_empty() || text.starts_with(":>>"), "{text}");
    text.split(":>>").skip(1).map(str::to_owned).collect()
}

/// Takes and forgets what everybody was sent.
fn hush(sim: &mut Sim, conns: &[ConnId]) {
    for &conn in conns {
        sim.take_bytes(conn);
    }
}

const OPEN: &str = "<NEW>room one<PSWD><COUNT>3<MODS>wog&1.0";
const ENTER: &str = "<JOIN>room one<PSWD><MODS>wog&1.0";

/// A room of three seats with a host and peers in it, everything taken.
fn room(sim: &mut Sim, host: ConnId, peers: &[ConnId]) {
    say(sim, host, OPEN);
    for &peer in peers {
        say(sim, peer, ENTER);
    }
    hush(sim, peers);
    hush(sim, &[host]);
}

/// A started game of these users: the host's uuid, and everybody's in order.
fn started(sim: &mut Sim, host: ConnId, peers: &[ConnId]) -> (String, Vec<String>) {
    room(sim, host, peers);
    let mut host_uuid = String::new();
    let mut all = Vec::new();
    let said = say(sim, host, "<FORCESTART>room one");
    let guests_heard: Vec<String> = peers.iter().flat_map(|&g| heard(sim, g)).collect();
    for message in said.iter().chain(&guests_heard) {
        if let Some(rest) = message.strip_prefix("HOST:") {
            host_uuid = rest[..36].to_owned();
        }
        if let Some(uuid) = message.strip_prefix("START:") {
            all.push(uuid.to_owned());
        }
    }
    (host_uuid, all)
}

/// A game that has said everything.
fn game(sim: &mut Sim, role: &str, uuid: &str) -> ConnId {
    let conn = connect(sim);
    for frame in ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), uuid, "\x01"] {
        sim.send(conn, frame);
    }
    sim.settle();
    conn
}

/// What a game sends before it is relayed, as bytes on the wire.
fn game_greeting(role: &str, uuid: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for frame in ["Aiya!\n", &format!("VCMI 1.4.0 ({role})"), uuid] {
        wire::packets::encode(frame.as_bytes(), &mut out);
    }
    out.push(1);
    out
}
