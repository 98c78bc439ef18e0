//! The lobby in the simulator, on one to three shards, with a store in memory.

mod accounts;
mod chat;
mod hand_over;
mod limits;
mod lists;
mod operator;
mod proxies;
mod rooms;
mod walk;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{Settings, VcmiJson, consistency, memory_store::MemoryStore};
use crate::{ConnId, simulator::Simulator};
use wire::Format;

pub(super) type Sim = Simulator<VcmiJson>;

/// A simulator, and its store.
pub(super) struct Stage {
    pub(super) sim: Sim,
    pub(super) store: Rc<RefCell<MemoryStore>>,
}

fn settings() -> Settings {
    Settings {
        enabled: true,
        ..Settings::default()
    }
}

fn stage(shards: u16, seed: u64, settings: Settings) -> Stage {
    let settings = Arc::new(settings);
    let store = Rc::<RefCell<MemoryStore>>::default();
    let asked = store.clone();
    let mut sim = Simulator::new(
        shards,
        seed,
        |shard| VcmiJson::new(shard, shards, settings.clone()),
        Box::new(move |ask| asked.borrow_mut().answer(ask)),
    );
    sim.format = Format::PrefixedLittleEndian;
    Stage { sim, store }
}

/// Runs a test on one to three shards, with several orders of events.
fn each(test: impl Fn(&mut Stage)) {
    each_with(settings(), test);
}

fn each_with(settings: Settings, test: impl Fn(&mut Stage)) {
    for shards in 1..=3 {
        for seed in 0..3 {
            let mut stage = stage(shards, seed, settings.clone());
            test(&mut stage);
            stage.sim.settle();
            consistency::check(&stage.sim);
        }
    }
}

/// Who somebody is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Identity {
    pub(super) id: String,
    pub(super) cookie: String,
}

/// A player with their connection.
#[derive(Clone, Debug)]
pub(super) struct Player {
    pub(super) conn: ConnId,
    pub(super) who: Identity,
}

impl Stage {
    /// A connection, on one shard after the other.
    pub(super) fn connect(&mut self) -> ConnId {
        let shard = self.sim.connections() % u32::from(self.sim.shards());
        self.sim.connect(shard as u16)
    }

    /// Says something without waiting for what comes of it.
    pub(super) fn send(&mut self, conn: ConnId, message: Value) {
        self.sim.send(conn, message.to_string());
    }

    /// Says something, and gives what the sender is sent for it.
    pub(super) fn say(&mut self, conn: ConnId, message: Value) -> Vec<Value> {
        self.hear(conn);
        self.send(conn, message);
        self.sim.settle();
        self.hear(conn)
    }

    /// What a client was sent since the last time, heartbeats left out.
    pub(super) fn hear(&mut self, conn: ConnId) -> Vec<Value> {
        let all = self.sim.take_raw(conn).into_iter();
        all.filter(|one| !one.is_empty())
            .map(|one| serde_json::from_slice(&one).expect("the lobby says JSON"))
            .collect()
    }

    pub(super) fn is_closed(&self, conn: ConnId) -> bool {
        self.sim.client(conn).closed.is_some()
    }

    pub(super) fn register(&mut self, name: &str) -> Identity {
        let conn = self.connect();
        let made = self.say(conn, register(name));
        assert_eq!(kinds(&made), ["accountCreated"], "{made:?}");
        let text = |key: &str| made[0][key].as_str().expect("it is there").to_owned();
        self.sim.disconnect(conn);
        Identity {
            id: text("accountID"),
            cookie: text("accountCookie"),
        }
    }

    /// Signs in, and gives what that brings.
    pub(super) fn login(&mut self, who: &Identity) -> (ConnId, Vec<Value>) {
        let conn = self.connect();
        let said = self.say(conn, login(who));
        (conn, said)
    }

    /// A new player who is there, with everything taken.
    pub(super) fn player(&mut self, name: &str) -> Player {
        let who = self.register(name);
        let (conn, _) = self.login(&who);
        Player { conn, who }
    }

    /// A match server of the player's.
    pub(super) fn match_server(&mut self, host: &Player, room: &str) -> ConnId {
        let conn = self.connect();
        let said = self.say(conn, server_login(&host.who, room));
        assert_eq!(kinds(&said), ["serverLoginSuccess"], "{said:?}");
        conn
    }

    /// An open room of the host's, with its match server.
    pub(super) fn room(&mut self, host: &Player, room: &str, kind: &str, limit: u32) -> ConnId {
        let control = self.match_server(host, room);
        let said = self.say(host.conn, activate(&host.who, kind, limit));
        assert_eq!(kinds(&said).last(), Some(&"joinRoomSuccess"), "{said:?}");
        control
    }

    pub(super) fn join(&mut self, guest: &Player, room: &str) -> Vec<Value> {
        self.say(
            guest.conn,
            json!({ "type": "joinGameRoom", "gameRoomID": room }),
        )
    }

    pub(super) fn wait(&mut self, seconds: u64) {
        self.sim.advance(Duration::from_secs(seconds));
    }
}

/// The types of messages.
pub(super) fn kinds(messages: &[Value]) -> Vec<&str> {
    let kind = |one: &'_ Value| one["type"].is_string();
    assert!(messages.iter().all(kind));
    let all = messages.iter();
    all.filter_map(|one| one["type"].as_str()).collect()
}

/// Why the only message says that it was refused.
pub(super) fn reason(messages: &[Value]) -> &str {
    assert_eq!(kinds(messages), ["operationFailed"], "{messages:?}");
    messages[0]["reason"].as_str().expect("a reason")
}

pub(super) fn register(name: &str) -> Value {
    json!({ "type": "clientRegister", "displayName": name, "language": "english", "version": "1.7.5" })
}

pub(super) fn login(who: &Identity) -> Value {
    json!({
        "type": "clientLogin", "accountID": who.id, "accountCookie": who.cookie, "language": "english", "version": "1.7.5"
    })
}

pub(super) fn server_login(who: &Identity, room: &str) -> Value {
    json!({
        "type": "serverLogin", "gameRoomID": room, "accountID": who.id, "accountCookie": who.cookie, "version": "1.7.5"
    })
}

pub(super) fn activate(host: &Identity, kind: &str, limit: u32) -> Value {
    json!({ "type": "activateGameRoom", "hostAccountID": host.id, "roomType": kind, "playerLimit": limit })
}

pub(super) fn chat(kind: &str, channel: &str, text: &str) -> Value {
    json!({ "type": "sendChatMessage", "channelType": kind, "channelName": channel, "messageText": text })
}
