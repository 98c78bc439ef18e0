//! Players as everybody may see them, in blocks of those whose objects leave in one piece.
//!
//! A newcomer's list is made of blocks. A full one's objects are joined when somebody first needs them and then shared by all
//! newcomers, and the single ones are let go, so each object is there once. A change costs the joined form of one block. The
//! last block of a shard's players changes with each that comes: it is joined when it is full. Joined for each of them, the
//! forms that slow readers still hold would lie among those that stay, and what is free between them is lost.
//!
//! A shard's players stand in blocks of their own, in the order in which it has told of them, so that nearly always all
//! shards of its node have the same blocks of it. It shows the others each joined form (`unshown`), and they let go of their own.
//!
//! Invariants: `index` names exactly the players in `by_shard`, each among those of their connection's shard; all blocks of a
//! shard but its last are full, and none is empty; a joined form equals what joining the block now would give.

use std::{cell::RefCell, collections::BTreeMap, rc::Rc, sync::Arc};

use bytes::Bytes;
use wire::Chunk;

use crate::{
    ConnId, ShardId,
    faf::{
        directory::parts::{Lists, chunk, joined},
        mail::directory::{PlayerBlock, object},
        protocol::lists::LIST_BYTES,
    },
    map::IdMap,
};

/// Entries of one block: few enough that a change is cheap and the last blocks of all shards are little to copy for a newcomer,
/// enough that 10,000 players are 200 parts.
pub(super) const BLOCK: usize = 48;

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

/// Everybody who is online.
#[derive(Debug, Default)]
pub(super) struct Players {
    by_shard: BTreeMap<ShardId, Vec<Block>>,
    index: IdMap<u32, Place>,
    /// Which of its blocks a shard shows although it was shown before.
    turn: usize,
}

/// Where a player stands: the place among those of a shard.
#[derive(Clone, Copy, Debug)]
struct Place {
    shard: ShardId,
    at: u32,
}

/// Players who are listed one after the other, and their objects.
#[derive(Debug)]
struct Block {
    entries: Vec<PlayerEntry>,
    texts: RefCell<Texts>,
}

/// The objects of a block's players, in their order.
#[derive(Debug)]
enum Texts {
    /// One by one.
    Apart(Vec<Rc<Chunk>>),
    /// With commas between them.
    Joined(Joined),
}

#[derive(Debug)]
struct Joined {
    whole: Rc<Chunk>,
    /// Where each object ends.
    ends: Arc<[u32]>,
    /// The other shards of this node were shown it, or have shown it.
    is_shown: bool,
}

impl Players {
    fn find(&self, id: u32) -> Option<(&Block, usize)> {
        let Place { shard, at } = *self.index.get(&id)?;
        let block = self.by_shard.get(&shard)?.get(at as usize / BLOCK)?;
        Some((block, at as usize % BLOCK))
    }

    fn find_mut(&mut self, id: u32) -> Option<(&mut Block, usize)> {
        let Place { shard, at } = *self.index.get(&id)?;
        let blocks = self.by_shard.get_mut(&shard)?;
        Some((blocks.get_mut(at as usize / BLOCK)?, at as usize % BLOCK))
    }

    /// Somebody who is online.
    pub(super) fn get(&self, id: u32) -> Option<&PlayerEntry> {
        let (block, at) = self.find(id)?;
        block.entries.get(at)
    }

    /// The object of somebody who is online.
    pub(super) fn text_of(&self, id: u32) -> Option<Bytes> {
        let (block, at) = self.find(id)?;
        Some(block.texts.borrow().of(at))
    }

    /// Everybody.
    pub(super) fn iter(&self) -> impl Iterator<Item = &PlayerEntry> {
        let blocks = self.by_shard.values().flatten();
        blocks.flat_map(|block| &block.entries)
    }

    /// Everybody, each with a number that is theirs while they stay in their place; these grow. Whoever goes leaves theirs to
    /// one with a larger number, and newcomers of a shard have larger ones than those who are there.
    pub(super) fn numbered(&self) -> impl DoubleEndedIterator<Item = (u64, &PlayerEntry)> {
        self.by_shard.iter().flat_map(|(shard, blocks)| {
            let first = u64::from(shard.node()) << 40 | (shard.local() as u64) << 32;
            blocks.iter().enumerate().flat_map(move |(number, block)| {
                let entries = block.entries.iter().enumerate();
                entries.map(move |(at, entry)| (first + (number * BLOCK + at) as u64, entry))
            })
        })
    }

    /// A player can be reached; an older claim is replaced, a newer one stays.
    pub(super) fn here(&mut self, entry: PlayerEntry, text: Bytes) {
        let shard = entry.conn.shard;
        if let Some((block, at)) = self.find_mut(entry.id) {
            let known = &mut block.entries[at];
            // Of the same, two lives of one node may have granted it before they knew of others.
            let same = known.epoch == entry.epoch;
            if known.epoch > entry.epoch || same && known.conn == entry.conn {
                return;
            }
            if known.conn.shard == shard {
                *known = entry;
                block.texts.get_mut().apart()[at] = chunk(text);
                return;
            }
            self.remove(entry.id);
        }
        let blocks = self.by_shard.entry(shard).or_default();
        if blocks.last().is_none_or(Block::is_full) {
            blocks.push(Block::default());
        }
        let number = blocks.len() - 1;
        let block = &mut blocks[number];
        let at = (number * BLOCK + block.entries.len()) as u32;
        self.index.insert(entry.id, Place { shard, at });
        block.entries.push(entry);
        block.texts.get_mut().apart().push(chunk(text));
    }

    /// A player's newest object, if the claim is the one that is known.
    pub(super) fn text(&mut self, id: u32, epoch: u64, text: Bytes) {
        if let Some((block, at)) = self.find_mut(id)
            && block.entries[at].epoch == epoch
            && block.texts.get_mut().of(at) != text
        {
            block.texts.get_mut().apart()[at] = chunk(text);
        }
    }

    /// A claim is over; another claim of the same player stays.
    pub(super) fn gone(&mut self, id: u32, epoch: u64) {
        if self.get(id).is_some_and(|entry| entry.epoch == epoch) {
            self.remove(id);
        }
    }

    /// Takes a player out. The last one of their shard takes the free place.
    fn remove(&mut self, id: u32) {
        let Some(place) = self.index.remove(&id) else {
            return;
        };
        let Some(blocks) = self.by_shard.get_mut(&place.shard) else {
            return;
        };
        let Some((last, text)) = blocks.last_mut().and_then(Block::pop) else {
            return;
        };
        blocks.pop_if(|block| block.entries.is_empty());
        if last.id != id {
            self.index.insert(last.id, place);
            let (block, at) = (
                &mut blocks[place.at as usize / BLOCK],
                place.at as usize % BLOCK,
            );
            block.entries[at] = last;
            block.texts.get_mut().apart()[at] = text;
        } else if blocks.is_empty() {
            self.by_shard.remove(&place.shard);
        }
    }

    /// Adds everybody to a list.
    pub(super) fn list(&self, lists: &mut Lists<'_>) {
        for block in self.by_shard.values().flatten() {
            if block.is_full() {
                block.texts.borrow_mut().join();
            }
            let texts = block.texts.borrow();
            match &*texts {
                Texts::Apart(all) => lists.add_all(all),
                Texts::Joined(Joined { whole, .. }) if whole.text().len() <= LIST_BYTES => {
                    lists.add(whole);
                }
                Texts::Joined(Joined { ends, .. }) => {
                    let apart: Vec<_> = (0..ends.len()).map(|at| chunk(texts.of(at))).collect();
                    lists.add_all(&apart);
                }
            }
        }
    }

    // ---- one joined form for all shards of a node ------------------------------------------------------------------

    /// Whether a shard's players have just filled a block.
    pub(super) fn fill_a_block(&self, shard: ShardId) -> bool {
        let last = self.by_shard.get(&shard).and_then(|blocks| blocks.last());
        last.is_some_and(Block::is_full)
    }

    /// The joined forms of a shard's full blocks that others were not shown, and one of the rest in its turn.
    pub(super) fn unshown(&mut self, shard: ShardId) -> Vec<PlayerBlock> {
        let Some(blocks) = self.by_shard.get_mut(&shard) else {
            return Vec::new();
        };
        self.turn = (self.turn + 1) % blocks.len();
        let mut shown = Vec::new();
        for (number, block) in blocks.iter_mut().enumerate() {
            if !block.is_full() {
                continue;
            }
            let joined = block.texts.get_mut().join();
            let is_known = std::mem::replace(&mut joined.is_shown, true);
            if !is_known || number == self.turn {
                shown.push(PlayerBlock {
                    number: number as u32,
                    players: block.entries.iter().map(|entry| entry.id).collect(),
                    whole: joined.whole.text().clone(),
                    ends: joined.ends.clone(),
                });
            }
        }
        shown
    }

    /// A shard shows one of its blocks. Its players who stand elsewhere among that shard's change places with those who stand
    /// there; if everybody's object is the same here, what was shown takes the place of what is here.
    pub(super) fn shown(&mut self, shard: ShardId, shown: PlayerBlock) {
        if shown.players.len() != BLOCK || !shown.is_sound() {
            return;
        }
        let number = shown.number as usize;
        for (at, id) in shown.players.iter().enumerate() {
            let place = self.index.get(id).filter(|place| place.shard == shard);
            let Some(from) = place.map(|place| place.at as usize) else {
                return; // gone meanwhile
            };
            self.change_places(shard, from, number * BLOCK + at);
        }
        let blocks = self.by_shard.get_mut(&shard);
        let Some(block) = blocks.and_then(|blocks| blocks.get_mut(number)) else {
            return;
        };
        let texts = block.texts.get_mut();
        if !texts.is(&shown.whole) && (0..BLOCK).all(|at| texts.of(at) == shown.object(at)) {
            *texts = Texts::Joined(Joined {
                whole: chunk(shown.whole),
                ends: shown.ends,
                is_shown: true,
            });
        }
    }

    /// Two players of a shard change places, if both places are taken.
    fn change_places(&mut self, shard: ShardId, one: usize, other: usize) {
        let Some(blocks) = self.by_shard.get_mut(&shard).filter(|_| one != other) else {
            return;
        };
        if other >= blocks.len() * BLOCK || blocks[other / BLOCK].entries.len() <= other % BLOCK {
            return;
        }
        let ids = [one, other].map(|at| blocks[at / BLOCK].entries[at % BLOCK].id);
        if one / BLOCK == other / BLOCK {
            let block = &mut blocks[one / BLOCK];
            block.entries.swap(one % BLOCK, other % BLOCK);
            block
                .texts
                .get_mut()
                .apart()
                .swap(one % BLOCK, other % BLOCK);
        } else if let Ok([a, b]) = blocks.get_disjoint_mut([one / BLOCK, other / BLOCK]) {
            let (at, there) = (one % BLOCK, other % BLOCK);
            std::mem::swap(&mut a.entries[at], &mut b.entries[there]);
            let (a, b) = (a.texts.get_mut().apart(), b.texts.get_mut().apart());
            std::mem::swap(&mut a[at], &mut b[there]);
        }
        for (id, at) in ids.into_iter().zip([other, one]) {
            self.index.insert(
                id,
                Place {
                    shard,
                    at: at as u32,
                },
            );
        }
    }
}

impl Default for Block {
    /// Nobody yet, and room for as many as there may be.
    fn default() -> Self {
        Block {
            entries: Vec::with_capacity(BLOCK),
            texts: RefCell::new(Texts::Apart(Vec::new())),
        }
    }
}

impl Block {
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
            Texts::Joined(joined) => joined.whole.text().slice(object(&joined.ends, at)),
        }
    }

    /// Whether they are joined, in this piece of memory.
    fn is(&self, whole: &Bytes) -> bool {
        match self {
            Texts::Apart(_) => false,
            Texts::Joined(joined) => joined.whole.text().as_ptr() == whole.as_ptr(),
        }
    }

    /// All of them, to be changed.
    fn apart(&mut self) -> &mut Vec<Rc<Chunk>> {
        if let Texts::Joined(joined) = self {
            let all = (0..joined.ends.len()).map(|at| chunk(self.of(at)));
            *self = Texts::Apart(all.collect());
        }
        match self {
            Texts::Apart(all) => all,
            Texts::Joined(_) => unreachable!("they were just taken apart"),
        }
    }

    /// All of them in one piece, put together if they are not.
    fn join(&mut self) -> &mut Joined {
        if let Texts::Apart(all) = self {
            let whole = joined(all.iter().map(|text| text.text()));
            let ends = all.iter().scan(0, |next, text| {
                let end = *next + text.text().len();
                *next = end + 1;
                Some(end as u32)
            });
            *self = Texts::Joined(Joined {
                ends: ends.collect(),
                whole: chunk(whole),
                is_shown: false,
            });
        }
        match self {
            Texts::Joined(joined) => joined,
            Texts::Apart(_) => unreachable!("they were just joined"),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    const OWNER: ShardId = ShardId::new(0, 0);

    fn entry(id: u32, epoch: u64) -> PlayerEntry {
        let conn = ConnId {
            shard: OWNER,
            slot: id,
            generation: 0,
        };
        PlayerEntry { id, conn, epoch }
    }

    fn text(id: u32, version: u64) -> Bytes {
        format!(r#"{{"id":{id},"version":{version}}}"#).into()
    }

    /// Whether both have the full blocks' objects in the same memory.
    fn share(one: &Players, other: &Players) -> bool {
        let blocks = |players: &Players| -> Vec<Option<usize>> {
            let blocks = players.by_shard.values().flatten().filter(|b| b.is_full());
            let whole = |block: &Block| match &*block.texts.borrow() {
                Texts::Joined(joined) => Some(joined.whole.text().as_ptr() as usize),
                Texts::Apart(_) => None,
            };
            blocks.map(whole).collect()
        };
        let (one, other) = (blocks(one), blocks(other));
        one == other && one.iter().all(Option::is_some)
    }

    fn show(from: &mut Players, to: &mut Players) -> usize {
        let blocks = from.unshown(OWNER);
        let count = blocks.len();
        blocks.into_iter().for_each(|block| to.shown(OWNER, block));
        count
    }

    /// Each had a copy of everybody's objects.
    #[test]
    fn shards_of_a_node_keep_one_copy_whoever_comes_changes_and_goes() {
        let mut rng = StdRng::seed_from_u64(5);
        let (mut owner, mut other) = (Players::default(), Players::default());
        let all = |owner: &mut Players, other: &mut Players, change: &dyn Fn(&mut Players)| {
            change(owner);
            change(other);
        };
        for step in 1..4_000u64 {
            let id = rng.random_range(0..400u32);
            let known = owner.get(id).map(|entry| entry.epoch);
            match (known, rng.random_range(0..10)) {
                (Some(epoch), 0..2) => all(&mut owner, &mut other, &|p| p.gone(id, epoch)),
                (Some(epoch), 2..4) => {
                    all(&mut owner, &mut other, &|p| {
                        p.text(id, epoch, text(id, step))
                    });
                }
                _ => all(&mut owner, &mut other, &|p| {
                    p.here(entry(id, step), text(id, step));
                }),
            }
            if step % 3 == 0 {
                show(&mut owner, &mut other);
                assert!(share(&owner, &other), "step {step}");
            }
        }
        assert!(show(&mut owner, &mut other) <= 1, "nothing is news");
    }

    #[test]
    fn who_stands_elsewhere_changes_places_and_what_differs_stays_as_it_is() {
        let (mut owner, mut other) = (Players::default(), Players::default());
        let many = 4 * BLOCK as u32 + 7;
        for id in 0..many {
            owner.here(entry(id, 1), text(id, 1));
            other.here(entry(many - 1 - id, 1), text(many - 1 - id, 1));
        }
        other.text(50, 1, text(50, 2));
        show(&mut owner, &mut other);
        for id in 0..many {
            assert_eq!(other.get(id).map(|entry| entry.id), Some(id));
            let version = if id == 50 { 2 } else { 1 };
            assert_eq!(other.text_of(id), Some(text(id, version)));
        }
        assert!(!share(&owner, &other));
        // What has changed at its owner as well is shown again.
        owner.text(50, 1, text(50, 2));
        show(&mut owner, &mut other);
        assert!(share(&owner, &other));
        // Whatever else went wrong is mended in time.
        other.text(3, 1, text(3, 9));
        other.text(3, 1, text(3, 1));
        for _ in 0..=many as usize / BLOCK {
            assert!(show(&mut owner, &mut other) <= 1);
        }
        assert!(share(&owner, &other));
        let numbers: Vec<u64> = other.numbered().map(|(number, _)| number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b) && numbers.len() == many as usize);
    }

    #[test]
    fn a_block_that_makes_no_sense_changes_nothing() {
        let mut players = Players::default();
        for id in 0..2 * BLOCK as u32 {
            players.here(entry(id, 1), text(id, 1));
        }
        let sound = players.unshown(OWNER).remove(0);
        let before = players.text_of(7);
        for wrong in [
            PlayerBlock {
                number: 9,
                ..sound.clone()
            },
            PlayerBlock {
                ends: vec![3; BLOCK].into(),
                ..sound.clone()
            },
            PlayerBlock {
                whole: sound.whole.slice(1..),
                ..sound.clone()
            },
            PlayerBlock {
                players: vec![1_000; BLOCK],
                ..sound.clone()
            },
            PlayerBlock {
                players: Vec::new(),
                ..sound.clone()
            },
        ] {
            players.shown(OWNER, wrong);
            assert_eq!(players.text_of(7), before);
        }
        players.shown(ShardId::new(0, 1), sound);
        assert_eq!(players.text_of(7), before);
    }
}
