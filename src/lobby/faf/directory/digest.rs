//! Whether other nodes have what a shard has shown them: now and then it says how many players and games, and a sum over
//! them, as of its tick. Who has something else is shown everything again; that never happens unless something is wrong.

use std::time::Duration;

use crate::{
    ShardId,
    faf::{
        context::Post,
        directory::{Directory, Hand},
        mail::directory::{Digest, DirectoryMail},
    },
};

/// Between two digests of a shard.
const INTERVAL: Duration = Duration::from_secs(10);
/// Games that are told later, of which a digest says so; with more there is none.
const LATER: usize = 1024;

/// When the next one is due.
#[derive(Debug, Default)]
pub(super) struct Digests {
    next: Option<Duration>,
}

impl Directory {
    /// A tick has been told: others have what this shard has, but for these games.
    pub(super) fn say_digest(&mut self, hand: &mut Hand<'_>, later: Vec<u32>) {
        let now = hand.turn.now.mono;
        let here = hand.turn.shard;
        // Not all shards at once.
        let first = || now + INTERVAL * (mix(here.local() as u64, 0) % 16) as u32 / 16;
        let is_due = *self.digests.next.get_or_insert_with(first) <= now;
        if !is_due || later.len() > LATER || self.showing.is_under_way() {
            return;
        }
        self.digests.next = Some(now + INTERVAL);
        let digest = self.digest(here, later);
        hand.turn.mail_nodes(DirectoryMail::Digest(digest).into());
    }

    /// A shard of another node has said what it has shown.
    pub(super) fn compare(&mut self, hand: &mut Hand<'_>, from: ShardId, said: &Digest) {
        if self.digest(from, said.later.clone()) != *said {
            hand.metrics.shown_again.up();
            hand.turn.post(from, DirectoryMail::ShowAgain);
        }
    }

    /// What is known here of a shard's players and games. What a node had that is lost does not count, whoever has its
    /// name now.
    fn digest(&self, owner: ShardId, mut later: Vec<u32>) -> Digest {
        later.sort_unstable();
        let players = self.picture.players().filter(|player| {
            player.conn.shard == owner && !self.lost.has_player(player.id, player.epoch)
        });
        let players = players.map(|player| {
            let text = self.picture.text_of(player.id).unwrap_or_default();
            hash(u64::from(player.id), player.epoch, &text)
        });
        let games = self.picture.games().filter(|game| {
            let is_told = later.binary_search(&game.uid).is_err();
            game.owner == owner && is_told && !self.lost.has_game(game.uid)
        });
        let games =
            games.map(|game| hash(u64::from(game.uid), u64::from(game.listed), &game.text()));
        Digest {
            players: sum(players),
            games: sum(games),
            later,
        }
    }
}

fn sum(hashes: impl Iterator<Item = u64>) -> (u32, u64) {
    hashes.fold((0, 0), |(count, sum), hash| {
        (count + 1, u64::wrapping_add(sum, hash))
    })
}

/// The same on every machine.
fn hash(number: u64, epoch: u64, text: &[u8]) -> u64 {
    let (words, rest) = text.as_chunks::<8>();
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    let words = words.iter().chain([&last]);
    let start = mix(mix(number, epoch), text.len() as u64);
    words.fold(start, |hash, word| mix(hash, u64::from_le_bytes(*word)))
}

/// One step of a hash (the finaliser of SplitMix64).
fn mix(hash: u64, word: u64) -> u64 {
    let mut mixed = (hash ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}
