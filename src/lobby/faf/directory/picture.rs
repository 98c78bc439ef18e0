//! The picture of what everybody may see: every player and every game, in encoded form, on every shard.
//!
//! A newcomer is answered from here without encoding anything: of players `players` tells how. Games are kept in blocks, too,
//! whose texts are joined when somebody first needs them; a change costs the joined form of one block.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bytes::Bytes;

use crate::{
    ConnId, ShardId,
    faf::{
        directory::{
            parts::{Lists, join},
            players::{PlayerEntry, Players},
        },
        protocol::lists::{GAMES_HEAD, LIST_BYTES, LIST_TAIL, PLAYERS_HEAD},
        rules::visibility::Rule,
    },
    kept::{Damaged, ensure},
};
use serde::{Deserialize, Serialize};

use wire::Chunk;

/// Games of one block: few enough that a change is cheap.
const BLOCK: usize = 96;

/// A game that is known.
#[derive(Debug)]
pub(in crate::faf) struct GameEntry {
    /// Uid of the game (`game_stats.id`).
    pub uid: u32,
    /// The shard that has it.
    pub owner: ShardId,
    /// Whether a newcomer is told of it.
    pub listed: bool,
    /// Who sees it.
    pub rule: Rule,
    /// A slice of the block's joined form where there is one.
    text: RefCell<Bytes>,
}

impl GameEntry {
    /// The single form of `game_info`; empty until its owner has said so much.
    pub(in crate::faf) fn text(&self) -> Bytes {
        self.text.borrow().clone()
    }
}

#[derive(Debug, Default)]
struct GameBlock {
    entries: Vec<GameEntry>,
    /// A cache: the texts of those that are listed, joined.
    joined: RefCell<Option<Rc<Chunk>>>,
}

/// The picture. Joined forms are caches, which is why reading may make them.
#[derive(Debug)]
pub(in crate::faf) struct Picture {
    pub(super) players: Players,
    /// By uid / BLOCK, so that the list is in the order of creation.
    games: BTreeMap<u32, GameBlock>,
    players_head: Rc<Chunk>,
    games_head: Rc<Chunk>,
    comma: Rc<Chunk>,
    tail: Rc<Chunk>,
}

/// A picture as plain data: everybody and every game, in the order of the lists.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::faf) struct KeptPicture {
    players: Vec<KeptPlayer>,
    games: Vec<KeptGame>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptPlayer {
    id: u32,
    conn: ConnId,
    epoch: u64,
    text: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptGame {
    uid: u32,
    owner: ShardId,
    listed: bool,
    rule: Rule,
    text: Bytes,
}

impl Default for Picture {
    fn default() -> Self {
        let fixed = |text: &'static str| Rc::new(Chunk::new(Bytes::from_static(text.as_bytes())));
        Picture {
            players: Players::default(),
            games: BTreeMap::new(),
            players_head: fixed(PLAYERS_HEAD),
            games_head: fixed(GAMES_HEAD),
            comma: fixed(","),
            tail: fixed(LIST_TAIL),
        }
    }
}

impl Picture {
    /// What whoever goes on needs of it.
    pub(in crate::faf) fn keep(&self) -> KeptPicture {
        let player = |entry: &PlayerEntry| KeptPlayer {
            id: entry.id,
            conn: entry.conn,
            epoch: entry.epoch,
            text: self.text_of(entry.id).unwrap_or_default(),
        };
        let game = |game: &GameEntry| KeptGame {
            uid: game.uid,
            owner: game.owner,
            listed: game.listed,
            rule: game.rule.clone(),
            text: game.text(),
        };
        let games = self.games.values().flat_map(|block| &block.entries);
        KeptPicture {
            players: self.players().map(player).collect(),
            games: games.map(game).collect(),
        }
    }

    /// Goes on from what was kept.
    pub(in crate::faf) fn revive(&mut self, kept: KeptPicture) -> Result<(), Damaged> {
        for player in kept.players {
            let KeptPlayer {
                id,
                conn,
                epoch,
                text,
            } = player;
            ensure(self.player(id).is_none(), "a player is there twice")?;
            self.player_here(id, conn, epoch, text);
        }
        for game in kept.games {
            ensure(self.game(game.uid).is_none(), "a game is there twice")?;
            self.game_here(game.uid, game.owner);
            self.game_text(game.uid, game.listed, game.rule, game.text);
        }
        Ok(())
    }

    /// Somebody who is online.
    pub(in crate::faf) fn player(&self, id: u32) -> Option<&PlayerEntry> {
        self.players.get(id)
    }

    /// Everybody's id, claim and connection.
    pub(in crate::faf) fn players(&self) -> impl Iterator<Item = &PlayerEntry> {
        self.players.iter()
    }

    /// A player can be reached; an older claim is replaced, a newer one stays.
    pub(in crate::faf) fn player_here(&mut self, id: u32, conn: ConnId, epoch: u64, text: Bytes) {
        self.players.here(PlayerEntry { id, conn, epoch }, text);
    }

    /// A player's newest object, if the claim is the one that is known.
    pub(in crate::faf) fn player_text(&mut self, id: u32, epoch: u64, text: Bytes) {
        self.players.text(id, epoch, text);
    }

    /// The object of somebody who is online.
    pub(in crate::faf) fn text_of(&self, id: u32) -> Option<Bytes> {
        self.players.text_of(id)
    }

    /// A claim is over; another claim of the same player stays.
    pub(in crate::faf) fn player_gone(&mut self, id: u32, epoch: u64) {
        self.players.gone(id, epoch);
    }

    /// `player_info` with everybody, in as many messages as it takes, each in shared parts.
    pub(in crate::faf) fn player_lists(&self) -> Vec<Vec<Rc<Chunk>>> {
        let mut lists = Lists::new(&self.players_head, &self.comma, &self.tail);
        self.players.list(&mut lists);
        lists.finish()
    }

    /// A game that is known.
    pub(in crate::faf) fn game(&self, uid: u32) -> Option<&GameEntry> {
        self.games
            .get(&(uid / BLOCK as u32))?
            .entries
            .iter()
            .find(|game| game.uid == uid)
    }

    /// All games that are known.
    pub(in crate::faf) fn games(&self) -> impl Iterator<Item = &GameEntry> {
        self.games.values().flat_map(|block| &block.entries)
    }

    /// A new game, not listed until its owner says so; or a known one, which is this shard's from now on.
    pub(in crate::faf) fn game_here(&mut self, uid: u32, owner: ShardId) {
        let entries = &mut self.games.entry(uid / BLOCK as u32).or_default().entries;
        if let Some(known) = entries.iter_mut().find(|game| game.uid == uid) {
            known.owner = owner;
            return;
        }
        let at = entries.partition_point(|game| game.uid < uid);
        entries.insert(
            at,
            GameEntry {
                uid,
                owner,
                listed: false,
                rule: Rule::default(),
                text: RefCell::default(),
            },
        );
    }

    /// A game's newest entry.
    pub(in crate::faf) fn game_text(&mut self, uid: u32, listed: bool, rule: Rule, text: Bytes) {
        let Some(block) = self.games.get_mut(&(uid / BLOCK as u32)) else {
            return;
        };
        let Some(game) = block.entries.iter_mut().find(|game| game.uid == uid) else {
            return;
        };
        (game.listed, game.rule) = (listed, rule);
        game.text = RefCell::new(text);
        block.joined = RefCell::default();
    }

    /// A game is over.
    pub(in crate::faf) fn game_gone(&mut self, uid: u32) {
        let number = uid / BLOCK as u32;
        let Some(block) = self.games.get_mut(&number) else {
            return;
        };
        block.entries.retain(|game| game.uid != uid);
        block.joined = RefCell::default();
        if block.entries.is_empty() {
            self.games.remove(&number);
        }
    }

    /// `game_info` with every listed game that `sees` lets through, in as many messages as it takes; `sees` is asked only
    /// about games with exceptions.
    pub(in crate::faf) fn game_lists(&self, sees: impl Fn(&Rule) -> bool) -> Vec<Vec<Rc<Chunk>>> {
        let mut lists = Lists::new(&self.games_head, &self.comma, &self.tail);
        for block in self.games.values() {
            let listed = || block.entries.iter().filter(|game| game.listed);
            let bytes = |game: &GameEntry| game.text.borrow().len() + 1;
            let fits = listed().map(bytes).sum::<usize>() <= LIST_BYTES;
            if fits && listed().all(|game| game.rule.is_open()) {
                let mut joined = block.joined.borrow_mut();
                lists.add(joined.get_or_insert_with(|| join(listed().map(|game| &game.text))));
                continue;
            }
            for game in listed() {
                if game.rule.is_open() || sees(&game.rule) {
                    lists.add(&Rc::new(Chunk::new(game.text.borrow().clone())));
                }
            }
        }
        lists.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faf::directory::players::BLOCK;
    use crate::faf::protocol::lists::tests::in_frames;

    /// The entries of all messages of a list, each of which a client can read whatever its transport.
    fn entries(lists: &[Vec<Rc<Chunk>>], name: &str) -> Vec<serde_json::Value> {
        let mut all = Vec::new();
        for parts in lists {
            let text: Vec<u8> = parts.iter().flat_map(|part| part.text().to_vec()).collect();
            let message = in_frames(&text);
            all.extend(message[name].as_array().expect("a list").iter().cloned());
        }
        all
    }

    /// The real client gave up on a list of everybody when there were many.
    #[test]
    fn no_list_is_longer_than_a_client_reads() {
        assert_eq!(
            Picture::default().player_lists().len(),
            1,
            "nobody is a list, too"
        );
        let conn = ConnId {
            shard: ShardId::new(0, 0),
            slot: 0,
            generation: 0,
        };
        // Of ordinary length; as short as can be; so long that a block of them is more than a message.
        for length in [250, 0, 4_000] {
            let mut directory = Picture::default();
            let filler = "x".repeat(length);
            for id in 0..20_000 {
                let text = format!(r#"{{"id":{id},"login":"{filler}"}}"#);
                directory.player_here(id, conn, 1, text.into());
            }
            let lists = directory.player_lists();
            let players = entries(&lists, "players");
            let ids: Vec<_> = players.iter().map(|p| p["id"].as_u64()).collect();
            assert_eq!(ids, (0..20_000).map(Some).collect::<Vec<_>>());
            // None is less than half full.
            assert!(lists.len() < 2 + 20_000 * (length + 30) / (LIST_BYTES / 2));
        }
    }

    /// A block of games with long lists of mods was one part, however long.
    #[test]
    fn no_list_of_games_is_longer_than_a_client_reads() {
        for length in [500, 60_000] {
            let mut directory = Picture::default();
            for uid in 1..=1_000 {
                let body = format!(r#"{{"uid":{uid},"title":"{}"}}"#, "x".repeat(length));
                let rule = Rule {
                    host_id: 1,
                    friends_only: uid % 300 == 0,
                    ..Rule::default()
                };
                directory.game_here(uid, ShardId::new(0, 0));
                directory.game_text(uid, true, rule, body.into());
            }
            let games = entries(&directory.game_lists(|_| true), "games");
            let uids: Vec<_> = games.iter().map(|game| game["uid"].as_u64()).collect();
            assert_eq!(uids, (1..=1_000).map(Some).collect::<Vec<_>>());
        }
    }

    /// Players come, change, come again and go as chance has it; every list is what a plain list of texts gives, cut where
    /// a whole block would have been too long.
    #[test]
    fn lists_are_those_of_a_plain_list_whatever_came_before() {
        use rand::{RngExt, SeedableRng, rngs::StdRng};

        let mut rng = StdRng::seed_from_u64(3);
        let mut directory = Picture::default();
        let mut plain: Vec<(u32, u64, String)> = Vec::new();
        for step in 1..6_000u64 {
            let id = rng.random_range(0..700u32);
            let text = format!(
                r#"{{"id":{id},"n":"{}"}}"#,
                "x".repeat(rng.random_range(0..2_000))
            );
            let known = plain.iter().position(|player| player.0 == id);
            match (known, rng.random_range(0..10)) {
                (Some(at), 0..4) => {
                    directory.player_gone(id, plain[at].1);
                    plain.swap_remove(at);
                }
                (Some(at), 4..7) => {
                    directory.player_text(id, plain[at].1, text.clone().into());
                    plain[at].2 = text;
                }
                (known, _) => {
                    let conn = ConnId {
                        shard: ShardId::new(0, 0),
                        slot: id,
                        generation: 0,
                    };
                    directory.player_here(id, conn, step, text.clone().into());
                    match known {
                        Some(at) => (plain[at].1, plain[at].2) = (step, text),
                        None => plain.push((id, step, text)),
                    }
                }
            }
            assert_eq!(directory.players().count(), plain.len());
            assert_eq!(
                directory.text_of(id).as_deref(),
                plain.iter().find(|p| p.0 == id).map(|p| p.2.as_bytes())
            );
            if step % 7 > 0 {
                continue;
            }
            let (mut expected, mut message, mut bytes) = (Vec::new(), String::new(), 0);
            for block in plain.chunks(BLOCK) {
                let texts: Vec<&str> = block.iter().map(|player| &*player.2).collect();
                let texts = texts.join(",");
                if bytes > 0 && bytes + 1 + texts.len() > LIST_BYTES {
                    expected.push(std::mem::take(&mut message));
                    bytes = 0;
                } else if bytes > 0 {
                    message.push(',');
                    bytes += 1;
                }
                message += &texts;
                bytes += texts.len();
            }
            expected.push(message);
            let lists = directory.player_lists();
            assert_eq!(lists.len(), expected.len(), "step {step}");
            for (parts, expected) in lists.iter().zip(&expected) {
                let text: Vec<u8> = parts.iter().flat_map(|part| part.text().to_vec()).collect();
                let expected = format!("{PLAYERS_HEAD}{expected}{LIST_TAIL}");
                assert!(text == expected.as_bytes(), "step {step}");
            }
        }
    }
}
