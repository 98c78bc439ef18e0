//! Random clients, late mail, a store that is away now and then: nobody is left waiting, and the books agree.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use super::*;

const ROOMS: [&str; 3] = ["r0", "r1", "r2"];

struct Walk {
    stage: Stage,
    rng: StdRng,
    people: Vec<Identity>,
    conns: Vec<ConnId>,
}

impl Walk {
    fn person(&mut self) -> Identity {
        let at = self.rng.random_range(0..self.people.len());
        self.people[at].clone()
    }

    fn message(&mut self) -> Value {
        let (one, other) = (self.person(), self.person());
        let room = ROOMS[self.rng.random_range(0..ROOMS.len())];
        match self.rng.random_range(0..16) {
            0..=2 => login(&one),
            3 => server_login(&one, room),
            4 => activate(&one, "public", 2),
            5 => activate(&one, "private", 3),
            6 => json!({ "type": "joinGameRoom", "gameRoomID": room }),
            7 => json!({ "type": "sendInvite", "accountID": other.id }),
            8 => json!({ "type": "gameStarted" }),
            9 => json!({ "type": "leaveGameRoom", "accountID": other.id }),
            10 => json!({ "type": "changeRoomDescription", "description": "x" }),
            11 => chat("global", "english", "hello"),
            12 => chat("match", room, "hello"),
            13 => chat("player", &other.id, "hello"),
            14 => json!({
                "type": "serverProxyLogin", "gameRoomID": room, "guestAccountID": other.id, "accountCookie": one.cookie
            }),
            _ => json!({
                "type": "clientProxyLogin", "gameRoomID": room, "accountID": one.id, "accountCookie": one.cookie
            }),
        }
    }

    fn step(&mut self) {
        let shards = self.stage.sim.shards();
        let at = self.rng.random_range(0..self.conns.len() + 1);
        match (self.conns.get(at).copied(), self.rng.random_range(0..40)) {
            (None, _) if self.conns.len() < 30 => {
                let shard = self.rng.random_range(0..shards);
                let conn = self.stage.sim.connect(shard);
                self.conns.push(conn);
            }
            (Some(conn), 0..=1) => {
                self.stage.sim.disconnect(conn);
                self.conns.swap_remove(at);
            }
            (_, 2) => {
                let down = self.rng.random_range(0..3) == 0;
                self.stage.store.borrow_mut().down = down;
            }
            (_, 3) => self.stage.wait(1),
            (Some(conn), _) => {
                let message = self.message();
                self.stage.send(conn, message);
            }
            _ => {}
        }
        for _ in 0..self.rng.random_range(0..6) {
            self.stage.sim.step();
        }
    }

    /// The store is there, everything arrives, and nobody is held.
    fn rest(&mut self) {
        self.stage.store.borrow_mut().down = false;
        self.stage.wait(3);
        consistency::check(&self.stage.sim);
        self.conns
            .retain(|conn| self.stage.sim.client(*conn).closed.is_none());
        for &conn in &self.conns {
            let client = self.stage.sim.client(conn);
            let is_proxy = client.peer.is_some() || self.stage.sim.dialect_of(conn).is_proxy(conn);
            assert!(!client.held || is_proxy, "{conn:?} is left waiting");
        }
    }
}

/// checklist: vcmi-json 31, 95
#[test]
fn nobody_is_left_waiting_whatever_happens() {
    for seed in 0..30 {
        let shards = (seed % 3 + 1) as u16;
        let mut stage = stage(shards, seed, settings());
        let people = (0..6)
            .map(|at| stage.register(&format!("person{at}")))
            .collect();
        stage.sim.eager = false;
        let mut walk = Walk {
            stage,
            rng: StdRng::seed_from_u64(seed),
            people,
            conns: Vec::new(),
        };
        for _ in 0..8 {
            for _ in 0..60 {
                walk.step();
            }
            walk.rest();
        }
        for conn in std::mem::take(&mut walk.conns) {
            walk.stage.sim.disconnect(conn);
        }
        walk.stage.wait(3);
        consistency::check_nobody(&walk.stage.sim);
    }
}
