//! The public picture: every player and every game, in encoded form, on every shard.
//!
//! A newcomer is answered from here without encoding anything. Entries are kept in blocks; a block's text is joined
//! when somebody first needs it and then shared by all newcomers, and its entries become slices of it, so the text is
//! there once. A change costs the joined form of one block.
//!
//! Invariants: `index` names exactly the players in `players`; `joined` has one place per started block; a joined
//! form, where there is one, equals what joining the block now would give.

use std::{collections::BTreeMap, rc::Rc};

use ahash::AHashMap;
use bytes::{Bytes, BytesMut};

use super::visibility::Rule;
use crate::{ConnId, ShardId};
use wire::Chunk;

/// Entries of one block: small enough that a change is cheap, large enough that 10,000 players are 100 parts.
const BLOCK: usize = 96;

/// Somebody who is online.
#[derive(Debug)]
pub(super) struct PlayerEntry {
    /// Player.
    pub id: u32,
    /// His connection.
    pub conn: ConnId,
    /// Of his claim.
    pub epoch: u64,
    /// His object.
    text: Bytes,
}

/// A game that is known.
#[derive(Debug)]
pub(super) struct GameEntry {
    /// The game.
    pub uid: u32,
    /// The shard that has it.
    pub owner: ShardId,
    /// Whether a newcomer is told of it.
    pub listed: bool,
    /// Who sees it.
    pub rule: Rule,
    text: Bytes,
}

#[derive(Debug, Default)]
struct GameBlock {
    entries: Vec<GameEntry>,
    joined: Option<Rc<Chunk>>,
}

/// The picture.
#[derive(Debug)]
pub(super) struct Picture {
    players: Vec<PlayerEntry>,
    joined: Vec<Option<Rc<Chunk>>>,
    index: AHashMap<u32, u32>,
    /// By uid / BLOCK, so that the list is in the order of creation.
    games: BTreeMap<u32, GameBlock>,
    players_head: Rc<Chunk>,
    games_head: Rc<Chunk>,
    comma: Rc<Chunk>,
    tail: Rc<Chunk>,
}

/// What stands before the players of a `player_info`.
pub(super) const PLAYERS_HEAD: &str = r#"{"command":"player_info","players":["#;
/// What stands before the games of a `game_info`.
pub(super) const GAMES_HEAD: &str = r#"{"command":"game_info","games":["#;
/// What stands after a list.
pub(super) const LIST_TAIL: &str = "]}";

/// Bytes of entries above which a list goes on in a message of its own: the real client reads no frame above 1 MiB, and
/// QDataStream takes two bytes for one (spec: faf-newer, faf-wire 4).
pub(super) const LIST_BYTES: usize = 256 << 10;

impl Default for Picture {
    fn default() -> Self {
        let fixed = |text: &'static str| Rc::new(Chunk::new(Bytes::from_static(text.as_bytes())));
        Picture {
            players: Vec::new(),
            joined: Vec::new(),
            index: AHashMap::new(),
            games: BTreeMap::new(),
            players_head: fixed(PLAYERS_HEAD),
            games_head: fixed(GAMES_HEAD),
            comma: fixed(","),
            tail: fixed(LIST_TAIL),
        }
    }
}

impl Picture {
    /// Somebody who is online.
    pub(super) fn player(&self, id: u32) -> Option<&PlayerEntry> {
        self.players.get(*self.index.get(&id)? as usize)
    }

    /// Everybody's id, claim and connection.
    #[cfg(test)]
    pub(super) fn players(&self) -> impl Iterator<Item = &PlayerEntry> {
        self.players.iter()
    }

    /// A player can be reached; an older claim is replaced, a newer one stays.
    pub(super) fn player_here(&mut self, id: u32, conn: ConnId, epoch: u64, text: Bytes) {
        if let Some(&at) = self.index.get(&id) {
            let entry = &mut self.players[at as usize];
            if entry.epoch < epoch {
                *entry = PlayerEntry {
                    id,
                    conn,
                    epoch,
                    text,
                };
                self.joined[at as usize / BLOCK] = None;
            }
            return;
        }
        let at = self.players.len();
        self.index.insert(id, at as u32);
        self.players.push(PlayerEntry {
            id,
            conn,
            epoch,
            text,
        });
        self.joined.resize(self.players.len().div_ceil(BLOCK), None);
        self.joined[at / BLOCK] = None;
    }

    /// A player's newest object, if the claim is the one that is known.
    pub(super) fn player_text(&mut self, id: u32, epoch: u64, text: Bytes) {
        let Some(&at) = self.index.get(&id) else {
            return;
        };
        let entry = &mut self.players[at as usize];
        if entry.epoch == epoch && entry.text != text {
            entry.text = text;
            self.joined[at as usize / BLOCK] = None;
        }
    }

    /// The object of somebody who is online.
    pub(super) fn text_of(&self, id: u32) -> Option<&Bytes> {
        self.player(id).map(|entry| &entry.text)
    }

    /// A claim is over; another claim of the same player stays. The last player takes the free place.
    pub(super) fn player_gone(&mut self, id: u32, epoch: u64) {
        let Some(at) = self
            .player(id)
            .filter(|e| e.epoch == epoch)
            .map(|_| self.index[&id] as usize)
        else {
            return;
        };
        let last = self.players.len() - 1;
        self.index.remove(&id);
        self.players.swap_remove(at);
        if let Some(moved) = self.players.get(at) {
            self.index.insert(moved.id, at as u32);
        }
        self.joined[at / BLOCK] = None;
        self.joined[last / BLOCK] = None;
        self.joined.truncate(self.players.len().div_ceil(BLOCK));
    }

    /// `player_info` with everybody, in as many messages as it takes, each in shared parts.
    pub(super) fn player_lists(&mut self) -> Vec<Vec<Rc<Chunk>>> {
        let blocks = self.players.chunks_mut(BLOCK).zip(&mut self.joined);
        let mut lists = Lists::new(&self.players_head, &self.comma, &self.tail);
        for (entries, joined) in blocks {
            let chunk = joined.get_or_insert_with(|| join(entries.iter_mut().map(|e| &mut e.text)));
            lists.add(chunk);
        }
        lists.finish()
    }

    /// A game that is known.
    pub(super) fn game(&self, uid: u32) -> Option<&GameEntry> {
        self.games
            .get(&(uid / BLOCK as u32))?
            .entries
            .iter()
            .find(|game| game.uid == uid)
    }

    /// All games' ids.
    #[cfg(test)]
    pub(super) fn games(&self) -> impl Iterator<Item = &GameEntry> {
        self.games.values().flat_map(|block| &block.entries)
    }

    /// A new game; not listed until its owner says so.
    pub(super) fn game_here(&mut self, uid: u32, owner: ShardId) {
        if self.game(uid).is_some() {
            return;
        }
        let entries = &mut self.games.entry(uid / BLOCK as u32).or_default().entries;
        let at = entries.partition_point(|game| game.uid < uid);
        entries.insert(
            at,
            GameEntry {
                uid,
                owner,
                listed: false,
                rule: Rule::default(),
                text: Bytes::new(),
            },
        );
    }

    /// A game's newest entry.
    pub(super) fn game_text(&mut self, uid: u32, listed: bool, rule: Rule, text: Bytes) {
        let Some(block) = self.games.get_mut(&(uid / BLOCK as u32)) else {
            return;
        };
        let Some(game) = block.entries.iter_mut().find(|game| game.uid == uid) else {
            return;
        };
        (game.listed, game.rule, game.text) = (listed, rule, text);
        block.joined = None;
    }

    /// A game is over.
    pub(super) fn game_gone(&mut self, uid: u32) {
        let number = uid / BLOCK as u32;
        let Some(block) = self.games.get_mut(&number) else {
            return;
        };
        block.entries.retain(|game| game.uid != uid);
        block.joined = None;
        if block.entries.is_empty() {
            self.games.remove(&number);
        }
    }

    /// `game_info` with every listed game that `sees` lets through, in as many messages as it takes; `sees` is asked only
    /// about games with exceptions.
    pub(super) fn game_lists(
        &mut self,
        mut sees: impl FnMut(&Rule) -> bool,
    ) -> Vec<Vec<Rc<Chunk>>> {
        let mut lists = Lists::new(&self.games_head, &self.comma, &self.tail);
        for block in self.games.values_mut() {
            if block
                .entries
                .iter()
                .all(|game| !game.listed || game.rule.is_open())
            {
                let listed = block
                    .entries
                    .iter_mut()
                    .filter(|game| game.listed)
                    .map(|game| &mut game.text);
                lists.add(block.joined.get_or_insert_with(|| join(listed)));
                continue;
            }
            for game in block.entries.iter().filter(|game| game.listed) {
                if game.rule.is_open() || sees(&game.rule) {
                    lists.add(&Rc::new(Chunk::new(game.text.clone())));
                }
            }
        }
        lists.finish()
    }
}

/// A list that is being put together, in messages of at most [`LIST_BYTES`], or of one part that is longer.
struct Lists<'a> {
    head: &'a Rc<Chunk>,
    comma: &'a Rc<Chunk>,
    tail: &'a Rc<Chunk>,
    whole: Vec<Vec<Rc<Chunk>>>,
    parts: Vec<Rc<Chunk>>,
    bytes: usize,
}

impl<'a> Lists<'a> {
    fn new(head: &'a Rc<Chunk>, comma: &'a Rc<Chunk>, tail: &'a Rc<Chunk>) -> Self {
        Lists {
            head,
            comma,
            tail,
            whole: Vec::new(),
            parts: vec![head.clone()],
            bytes: 0,
        }
    }

    /// Appends a part, with a comma if it is not the first of its message; nothing for an empty one.
    fn add(&mut self, chunk: &Rc<Chunk>) {
        let bytes = chunk.text().len();
        if bytes == 0 {
            return;
        }
        if self.bytes > 0 && self.bytes + bytes > LIST_BYTES {
            self.end_message();
            self.parts.push(self.head.clone());
        } else if self.bytes > 0 {
            self.parts.push(self.comma.clone());
        }
        self.parts.push(chunk.clone());
        self.bytes += bytes;
    }

    fn end_message(&mut self) {
        self.parts.push(self.tail.clone());
        self.whole.push(std::mem::take(&mut self.parts));
        self.bytes = 0;
    }

    fn finish(mut self) -> Vec<Vec<Rc<Chunk>>> {
        self.end_message();
        self.whole
    }
}

/// Joins texts with commas, leaving out empty ones, and makes them slices of the joined text.
fn join<'a>(texts: impl Iterator<Item = &'a mut Bytes>) -> Rc<Chunk> {
    let texts: Vec<&mut Bytes> = texts.filter(|text| !text.is_empty()).collect();
    let mut out = BytesMut::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for (i, text) in texts.iter().enumerate() {
        if i > 0 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(text);
    }
    let whole = out.freeze();
    let mut at = 0;
    for text in texts {
        let end = at + text.len();
        *text = whole.slice(at..end);
        at = end + 1;
    }
    Rc::new(Chunk::new(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME_BYTES: usize = 1 << 20;

    /// The real client gave up on a list of everybody when there were many.
    #[test]
    fn no_list_is_longer_than_a_client_reads() {
        let mut picture = Picture::default();
        let conn = ConnId {
            shard: ShardId(0),
            slot: 0,
            generation: 0,
        };
        assert_eq!(picture.player_lists().len(), 1, "nobody is a list, too");
        let filler = "x".repeat(250);
        for id in 0..20_000 {
            let text = format!(r#"{{"id":{id},"login":"{filler}"}}"#);
            picture.player_here(id, conn, 1, text.into());
        }
        let lists = picture.player_lists();
        let mut ids = Vec::new();
        for parts in &lists {
            let text: Vec<u8> = parts.iter().flat_map(|part| part.text().to_vec()).collect();
            for format in wire::Format::ALL {
                let mut frame = Vec::new();
                format.encode(&text, &mut frame);
                assert!(frame.len() < FRAME_BYTES, "{} bytes", frame.len());
            }
            let message: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
            let players = message["players"].as_array().expect("a list");
            ids.extend(players.iter().map(|player| player["id"].as_u64()));
        }
        assert!(lists.len() > 20);
        assert_eq!(ids, (0..20_000).map(Some).collect::<Vec<_>>());
    }
}
