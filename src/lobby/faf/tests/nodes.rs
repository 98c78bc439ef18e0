//! A lobby on several nodes, for tests.

use std::collections::BTreeMap;

use super::*;
use crate::ShardId;

/// Nodes of so many shards each, all of which are in and know the tables.
pub(super) fn nodes(nodes: &[u16], seed: u64) -> Sim {
    nodes_with(nodes, seed, Settings::default())
}

/// The same, as an operator has chosen.
pub(super) fn nodes_with(nodes: &[u16], seed: u64, settings: Settings) -> Sim {
    let settings = Arc::new(settings);
    let shards = nodes.to_vec();
    let make = move |shard: ShardId| {
        let shards = shards[usize::from(shard.node())];
        Faf::new(shard, shards, settings.clone())
    };
    let mut sim = Simulator::with_nodes(nodes, seed, make, Box::new(office()));
    for node in sim.nodes() {
        initialise(&mut sim, node);
    }
    sim.settle();
    sim
}

/// The back office tells the shards of a node what is in the tables.
fn initialise(sim: &mut Sim, node: u8) {
    let reference = Arc::new(reference());
    for index in sim.shards_of(node).map(|s| s.local() as u16) {
        let shard = sim.first_shard(node) + index;
        sim.tell(shard, News::Reference(reference.clone()));
    }
}

/// The node is back: one that was lost begins anew, with an empty memory.
pub(super) fn rejoin(sim: &mut Sim, node: u8) {
    let was_lost = !sim.is_running(node);
    sim.rejoin(node);
    if was_lost {
        initialise(sim, node);
    }
    sim.settle();
}

/// Whom a client believes to be online, and which games to be open, by all that it was told.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    pub players: BTreeMap<u32, Value>,
    pub games: BTreeMap<u32, Value>,
    /// Ids of all who were told of as gone.
    pub gone: Vec<u32>,
}

impl Watcher {
    /// Hears what a client was sent.
    pub(super) fn hear(&mut self, messages: &[Value]) {
        for message in messages {
            match message["command"].as_str() {
                Some("player_info") => {
                    for player in message["players"].as_array().expect("a list") {
                        self.hear_of_player(player);
                    }
                }
                Some("game_info") => match message["games"].as_array() {
                    Some(games) => games.iter().for_each(|game| self.hear_of_game(game)),
                    None => self.hear_of_game(message),
                },
                _ => {}
            }
        }
    }

    fn hear_of_player(&mut self, player: &Value) {
        let id = player["id"].as_u64().expect("an id") as u32;
        if player["state"] == "offline" {
            self.players.remove(&id);
            self.gone.push(id);
        } else {
            self.players.insert(id, player.clone());
        }
    }

    fn hear_of_game(&mut self, game: &Value) {
        let uid = game["uid"].as_u64().expect("a uid") as u32;
        if game["state"] == "closed" {
            self.games.remove(&uid);
        } else {
            let mut game = game.clone();
            game.as_object_mut().expect("a game").remove("command");
            self.games.insert(uid, game);
        }
    }

    /// Whom and what a shard shows.
    pub(super) fn shown(faf: &Faf) -> Watcher {
        let mut shown = Watcher::default();
        let picture = &faf.roles.directory.picture;
        for player in picture.players() {
            let text = picture.text_of(player.id).expect("they are shown");
            shown.hear_of_player(&serde_json::from_slice(&text).expect("JSON"));
        }
        for game in picture.games().filter(|game| game.listed) {
            shown.hear_of_game(&serde_json::from_slice(&game.text()).expect("JSON"));
        }
        shown
    }
}
