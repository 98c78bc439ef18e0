//! The picture of what everybody may see: every player and every game, in encoded form, on every shard.
//!
//! A newcomer is answered from here without encoding anything. Entries are kept in blocks; a block's text is joined
//! when somebody first needs it and then shared by all newcomers, and the texts of its entries are let go, so the text is
//! there once. A change costs the joined form of one block. The last block of players changes with every newcomer: it is
//! joined when it is full. Joined for each of them, the forms that slow readers still hold would lie among those that
//! stay, and what is free between them is lost.
//!
//! Invariants: `index` names exactly the players in `players`, of which all blocks but the last are full and none is
//! empty; a joined form, where there is one, equals what joining the block now would give.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc};

use bytes::{Bytes, BytesMut};

use crate::{
    ConnId, ShardId,
    faf::{
        protocol::lists::{GAMES_HEAD, LIST_BYTES, LIST_TAIL, PLAYERS_HEAD},
        rules::visibility::Rule,
    },
    kept::{Damaged, ensure},
    map::IdMap,
};
use serde::{Deserialize, Serialize};

use wire::Chunk;

/// Entries of one block: small enough that a change is cheap, large enough that 10,000 players are 100 parts.
const BLOCK: usize = 96;

/// Somebody who is online.
#[derive(Debug)]
pub(in crate::faf) struct PlayerEntry {
    /// Account id of the player (`login.id`).
    pub id: u32,
    /// Their connection.
    pub conn: ConnId,
    /// Of their claim.
    pub epoch: u64,
}

/// Players who are listed one after the other, and their objects.
#[derive(Debug)]
struct PlayerBlock {
    entries: Vec<PlayerEntry>,
    texts: RefCell<Texts>,
}

/// The objects of a block's players, in their order.
#[derive(Debug)]
enum Texts {
    /// One by one.
    Apart(Vec<Rc<Chunk>>),
    /// With commas between them, and where each ends.
    Joined(Rc<Chunk>, Box<[u32]>),
}

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
    players: Vec<PlayerBlock>,
    index: IdMap<u32, u32>,
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
            players: Vec::new(),
            index: IdMap::default(),
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
        let block_players = |block: &PlayerBlock| {
            let entries = block.entries.iter().enumerate();
            let player = |(at, entry): (usize, &PlayerEntry)| KeptPlayer {
                id: entry.id,
                conn: entry.conn,
                epoch: entry.epoch,
                text: block.texts.borrow().of(at),
            };
            entries.map(player).collect::<Vec<_>>()
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
            players: self.players.iter().flat_map(block_players).collect(),
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
        let at = *self.index.get(&id)? as usize;
        self.players[at / BLOCK].entries.get(at % BLOCK)
    }

    /// Everybody's id, claim and connection.
    pub(in crate::faf) fn players(&self) -> impl Iterator<Item = &PlayerEntry> {
        self.players.iter().flat_map(|block| &block.entries)
    }

    /// A player can be reached; an older claim is replaced, a newer one stays.
    pub(in crate::faf) fn player_here(&mut self, id: u32, conn: ConnId, epoch: u64, text: Bytes) {
        let entry = PlayerEntry { id, conn, epoch };
        if let Some(&at) = self.index.get(&id) {
            let (block, at) = (&mut self.players[at as usize / BLOCK], at as usize % BLOCK);
            let known = &block.entries[at];
            // Of the same, two lives of one node may have granted it before they knew of others.
            if known.epoch < epoch || known.epoch == epoch && known.conn != conn {
                block.entries[at] = entry;
                block.texts.get_mut().apart()[at] = chunk(text);
            }
            return;
        }
        if self.players.last().is_none_or(PlayerBlock::is_full) {
            self.players.push(PlayerBlock::default());
        }
        let number = self.players.len() - 1;
        let block = &mut self.players[number];
        self.index
            .insert(id, (number * BLOCK + block.entries.len()) as u32);
        block.entries.push(entry);
        block.texts.get_mut().apart().push(chunk(text));
    }

    /// A player's newest object, if the claim is the one that is known.
    pub(in crate::faf) fn player_text(&mut self, id: u32, epoch: u64, text: Bytes) {
        let Some(&at) = self.index.get(&id) else {
            return;
        };
        let (block, at) = (&mut self.players[at as usize / BLOCK], at as usize % BLOCK);
        if block.entries[at].epoch == epoch && block.texts.get_mut().of(at) != text {
            block.texts.get_mut().apart()[at] = chunk(text);
        }
    }

    /// The object of somebody who is online.
    pub(in crate::faf) fn text_of(&self, id: u32) -> Option<Bytes> {
        let at = *self.index.get(&id)? as usize;
        Some(self.players[at / BLOCK].texts.borrow().of(at % BLOCK))
    }

    /// A claim is over; another claim of the same player stays. The last player takes the free place.
    pub(in crate::faf) fn player_gone(&mut self, id: u32, epoch: u64) {
        if self.player(id).is_none_or(|entry| entry.epoch != epoch) {
            return;
        }
        let Some(at) = self.index.remove(&id) else {
            return;
        };
        let Some((last, text)) = self.players.last_mut().and_then(PlayerBlock::pop) else {
            return;
        };
        if self
            .players
            .last()
            .is_some_and(|block| block.entries.is_empty())
        {
            self.players.pop();
        }
        if last.id == id {
            return;
        }
        self.index.insert(last.id, at);
        let (block, at) = (&mut self.players[at as usize / BLOCK], at as usize % BLOCK);
        block.entries[at] = last;
        block.texts.get_mut().apart()[at] = text;
    }

    /// `player_info` with everybody, in as many messages as it takes, each in shared parts.
    pub(in crate::faf) fn player_lists(&self) -> Vec<Vec<Rc<Chunk>>> {
        let mut lists = Lists::new(&self.players_head, &self.comma, &self.tail);
        for block in &self.players {
            if block.is_full() {
                block.texts.borrow_mut().join();
            }
            let texts = block.texts.borrow();
            match &*texts {
                Texts::Apart(all) => lists.add_all(all),
                Texts::Joined(whole, _) if whole.text().len() <= LIST_BYTES => lists.add(whole),
                Texts::Joined(_, ends) => {
                    let apart: Vec<_> = (0..ends.len()).map(|at| chunk(texts.of(at))).collect();
                    lists.add_all(&apart);
                }
            }
        }
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

impl Default for PlayerBlock {
    /// Nobody yet, and room for as many as there may be.
    fn default() -> Self {
        PlayerBlock {
            entries: Vec::with_capacity(BLOCK),
            texts: RefCell::new(Texts::Apart(Vec::new())),
        }
    }
}

impl PlayerBlock {
    fn is_full(&self) -> bool {
        self.entries.len() == BLOCK
    }

    /// Takes the last one out.
    fn pop(&mut self) -> Option<(PlayerEntry, Rc<Chunk>)> {
        Some((self.entries.pop()?, self.texts.get_mut().apart().pop()?))
    }
}

impl Texts {
    /// One of them.
    fn of(&self, at: usize) -> Bytes {
        match self {
            Texts::Apart(all) => all[at].text().clone(),
            Texts::Joined(whole, ends) => {
                let from = at
                    .checked_sub(1)
                    .map_or(0, |before| ends[before] as usize + 1);
                whole.text().slice(from..ends[at] as usize)
            }
        }
    }

    /// All of them, to be changed.
    fn apart(&mut self) -> &mut Vec<Rc<Chunk>> {
        if let Texts::Joined(_, ends) = self {
            let all = (0..ends.len()).map(|at| chunk(self.of(at))).collect();
            *self = Texts::Apart(all);
        }
        match self {
            Texts::Apart(all) => all,
            Texts::Joined(..) => unreachable!("they were just taken apart"),
        }
    }

    /// Puts them together, if they are not.
    fn join(&mut self) {
        let Texts::Apart(all) = self else {
            return;
        };
        let whole = joined(all.iter().map(|text| text.text()));
        let ends = all.iter().scan(0, |next, text| {
            let end = *next + text.text().len();
            *next = end + 1;
            Some(end as u32)
        });
        *self = Texts::Joined(chunk(whole), ends.collect());
    }
}

fn chunk(text: Bytes) -> Rc<Chunk> {
    Rc::new(Chunk::new(text))
}

/// A list that is being put together, in messages of at most [`LIST_BYTES`]. No part is longer: what one player or game says of
/// itself is bounded.
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
        self.add_all(std::slice::from_ref(chunk));
    }

    /// The same with several, none empty, which are not parted if a message has room for them: as if they were joined.
    fn add_all(&mut self, chunks: &[Rc<Chunk>]) {
        let commas = chunks.len().saturating_sub(1);
        let bytes = chunks.iter().map(|chunk| chunk.text().len()).sum::<usize>() + commas;
        if bytes == 0 {
            return;
        }
        if bytes > LIST_BYTES && chunks.len() > 1 {
            return chunks.iter().for_each(|chunk| self.add(chunk));
        }
        if self.bytes > 0 && self.bytes + 1 + bytes > LIST_BYTES {
            self.end_message();
            self.parts.push(self.head.clone());
        } else if self.bytes > 0 {
            self.parts.push(self.comma.clone());
            self.bytes += 1;
        }
        for (at, chunk) in chunks.iter().enumerate() {
            if at > 0 {
                self.parts.push(self.comma.clone());
            }
            self.parts.push(chunk.clone());
        }
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
fn join<'a>(texts: impl Iterator<Item = &'a RefCell<Bytes>>) -> Rc<Chunk> {
    let texts: Vec<_> = texts.filter(|text| !text.borrow().is_empty()).collect();
    let apart: Vec<Bytes> = texts.iter().map(|text| text.borrow().clone()).collect();
    let whole = joined(apart.iter());
    let mut at = 0;
    for text in texts {
        let end = at + text.borrow().len();
        text.replace(whole.slice(at..end));
        at = end + 1;
    }
    chunk(whole)
}

/// Texts with commas between them.
fn joined<'a>(texts: impl Iterator<Item = &'a Bytes> + Clone) -> Bytes {
    let mut out = BytesMut::with_capacity(texts.clone().map(|text| text.len() + 1).sum());
    for (i, text) in texts.enumerate() {
        if i > 0 {
            out.extend_from_slice(b",");
        }
        out.extend_from_slice(text);
    }
    out.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;
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
