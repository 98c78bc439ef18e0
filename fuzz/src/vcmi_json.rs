//! VCMI's JSON lobby: players, match servers and relays, a store that is away now and then; the lobby's books agree, and when
//! all have gone nothing is left. Whatever bytes a client sends, too.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use lobby::{
    ConnId, Protocol, ShardId,
    lobbies::Router,
    simulator::Simulator,
    vcmi_json::{Metrics, Settings, VcmiJson, consistency, memory_store::MemoryStore},
};
use serde_json::{Value, json};
use wire::Format;

use crate::{
    input::Input,
    play::{Lobby, Play},
};

const CLIENTS: usize = 6;
/// Handshakes and waiting relays are over by then.
const PATIENCE: Duration = Duration::from_secs(70);
const ROOMS: [&str; 3] = ["r0", "r1", ""];
const NAMES: [&str; 4] = ["alice", "bobby", "carol", "ALICE"];
const WORDS: [&str; 6] = ["english", "x", "{}", "\u{e9}\u{1f600}\\\"\n", "r0", ""];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let store = Rc::<RefCell<MemoryStore>>::default();
    let asked = store.clone();
    let lobby = JsonLobby {
        known: Vec::new(),
        store: store.clone(),
    };
    let office = Box::new(move |ask| asked.borrow_mut().answer(ask));
    let mut play = Play::new(lobby, CLIENTS, &mut input, office);
    play.go(&mut input);
    store.borrow_mut().down = false;
    play.rest();
    play.sim.advance(Duration::from_secs(3));
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
        enabled: true,
        handshake: Duration::from_secs(5),
        proxy_wait: Duration::from_secs(5),
        ..Settings::default()
    })
});

thread_local! {
    static METRICS: RefCell<Arc<Metrics>> = RefCell::default();
}

pub(crate) fn shard(shard: ShardId, shards: u16, fresh: bool) -> VcmiJson {
    let lobby = VcmiJson::new(shard, shards, SETTINGS.clone());
    if fresh {
        lobby
    } else {
        lobby.reporting_to(METRICS.with_borrow(Arc::clone))
    }
}

struct JsonLobby {
    /// Accounts and cookies that were told.
    known: Vec<(String, String)>,
    store: Rc<RefCell<MemoryStore>>,
}

impl JsonLobby {
    fn account(&self, input: &mut Input<'_>) -> (String, String) {
        let at = input.below(self.known.len() + 1);
        let known = self.known.get(at).cloned();
        known.unwrap_or_else(|| ("nobody".to_owned(), "x".to_owned()))
    }

    fn message(&self, input: &mut Input<'_>) -> Value {
        let ((account, cookie), (other, _)) = (self.account(input), self.account(input));
        let room = ROOMS[input.below(ROOMS.len())];
        let word = WORDS[input.below(WORDS.len())];
        match input.below(16) {
            0 => json!({
                "type": "clientRegister", "displayName": NAMES[input.below(NAMES.len())], "language": word, "version": "1"
            }),
            1 => json!({
                "type": "clientLogin", "accountID": account, "accountCookie": cookie, "language": word, "version": "1",
                "languageRooms": [word, "english"]
            }),
            2 => json!({
                "type": "clientLogin", "accountID": account, "accountCookie": cookie, "language": word, "version": "1"
            }),
            3 => json!({
                "type": "serverLogin", "gameRoomID": room, "accountID": account, "accountCookie": cookie, "version": "1",
                "mods": [{ "modId": word, "name": "n", "version": "1", "parent": null }]
            }),
            4 => json!({
                "type": "activateGameRoom", "hostAccountID": account, "roomType": "public", "playerLimit": 2
            }),
            5 => {
                json!({ "type": "activateGameRoom", "hostAccountID": account, "roomType": "private" })
            }
            6 => json!({ "type": "joinGameRoom", "gameRoomID": room }),
            7 => json!({ "type": "sendInvite", "accountID": other }),
            8 => json!({ "type": "gameStarted" }),
            9 => json!({ "type": "leaveGameRoom", "accountID": other }),
            10 => json!({ "type": "changeRoomDescription", "description": word }),
            11 => chat("global", word, word),
            12 => chat("match", room, word),
            13 => chat("player", &other, word),
            14 => json!({
                "type": "serverProxyLogin", "gameRoomID": room, "guestAccountID": other, "accountCookie": cookie
            }),
            _ => json!({
                "type": "clientProxyLogin", "gameRoomID": room, "accountID": account, "accountCookie": cookie
            }),
        }
    }
}

fn chat(kind: &str, channel: &str, text: &str) -> Value {
    json!({ "type": "sendChatMessage", "channelType": kind, "channelName": channel, "messageText": text })
}

pub(crate) fn join(sim: &mut Simulator<VcmiJson>, shard: u16, protocol: Protocol) -> ConnId {
    (sim.format, sim.protocol) = (Format::PrefixedLittleEndian, protocol);
    sim.connect(shard)
}

impl Lobby for JsonLobby {
    type Dialect = VcmiJson;

    fn shard(&self, id: ShardId, shards: u16, fresh: bool) -> VcmiJson {
        shard(id, shards, fresh)
    }

    fn begin(&mut self, sim: &mut Simulator<VcmiJson>) {
        sim.settle();
    }

    fn join(&mut self, sim: &mut Simulator<VcmiJson>, _: usize, shard: u16) -> ConnId {
        join(sim, shard, Router::VCMI_JSON)
    }

    fn frames(&mut self, op: u8, _: usize, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        match op % 4 {
            0 => vec![input.bytes().to_vec()],
            1 => vec![Vec::new()],
            _ => vec![self.message(input).to_string().into_bytes()],
        }
    }

    fn news(&mut self, _: &mut Simulator<VcmiJson>, input: &mut Input<'_>) {
        self.store.borrow_mut().down = input.below(3) == 0;
    }

    fn heard(&mut self, _: usize, message: &Bytes) {
        if message.is_empty() {
            return;
        }
        // In a relay it may be anything.
        let Ok(message) = serde_json::from_slice::<Value>(message) else {
            return;
        };
        if message["type"] == "accountCreated"
            && let (Some(account), Some(cookie)) = (
                message["accountID"].as_str(),
                message["accountCookie"].as_str(),
            )
        {
            self.known.push((account.to_owned(), cookie.to_owned()));
        }
    }
}
