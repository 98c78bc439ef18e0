//! A shard shows a node what it has: all its players, then all its games, in order of their numbers.
//!
//! Each letter names a range of numbers and everything in it, as of its place on the lane: what was said before it is known,
//! what is said later is applied later. So it needs no memory at its receivers, and the next one leaves when one of them
//! has got it: no lane is filled by a newcomer. What a receiver has of the sender in that range and is not named, is no more.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use bytes::Bytes;

use crate::{
    ShardId,
    faf::{
        context::Post,
        directory::{Directory, Hand},
        mail::directory::{DirectoryMail, GameUpdate, PlayerShown, PlayerUpdate, Shown},
        protocol::{game_info, player_info},
    },
};

/// Bytes of a letter between nodes, or a little more: an item is never parted.
pub(super) const LETTER_BYTES: usize = 192 << 10;
/// What an item takes of it besides its text.
pub(super) const ITEM_BYTES: usize = 96;
/// Players of whom is known that they came or went before their shard's tick has said so; more are told at once.
const UNTOLD: usize = 65_536;

/// What is shown to others, and what others have said that everybody here will hear of at their tick.
#[derive(Debug, Default)]
pub(super) struct Showing {
    /// How far each node is shown what this shard has.
    nodes: BTreeMap<u8, Shown>,
    untold: BTreeMap<u32, Untold>,
}

/// A player of another node who has come or gone since that shard's last tick.
#[derive(Debug)]
struct Untold {
    shard: ShardId,
    epoch: u64,
    /// Their last object.
    gone: Option<Bytes>,
}

impl Showing {
    /// The node is not there any more.
    pub(super) fn forget(&mut self, node: u8) {
        self.nodes.remove(&node);
    }

    /// Whether some node has not been shown everything yet.
    pub(super) fn is_under_way(&self) -> bool {
        !self.nodes.is_empty()
    }

    /// The shard's tick has told of everything so far.
    pub(super) fn told_by(&mut self, from: ShardId) {
        if !self.untold.is_empty() {
            self.untold.retain(|_, untold| untold.shard != from);
        }
    }
}

impl Directory {
    /// Begins to show a node what this shard has.
    pub(super) fn show(&mut self, hand: &mut Hand<'_>, node: u8) {
        self.show_players(hand, node, 0);
    }

    /// A shard says that its node does not have what this one has shown it.
    pub(super) fn show_again(&mut self, hand: &mut Hand<'_>, from: ShardId) {
        let is_member = hand.topology.standing().view.member(from.node()).is_some();
        if is_member && !self.showing.nodes.contains_key(&from.node()) {
            self.show(hand, from.node());
        }
    }

    /// A node has got a range: the next.
    pub(super) fn got(&mut self, hand: &mut Hand<'_>, from: ShardId, shown: Shown) {
        let node = from.node();
        if self.showing.nodes.get(&node) != Some(&shown) {
            return; // of a time before it was begun anew
        }
        match shown {
            Shown::Players(u32::MAX) => self.show_games(hand, node, 0),
            Shown::Players(to) => self.show_players(hand, node, to + 1),
            Shown::Games(u32::MAX) => self.showing.forget(node),
            Shown::Games(to) => self.show_games(hand, node, to + 1),
        }
    }

    fn show_players(&mut self, hand: &mut Hand<'_>, node: u8, from: u32) {
        let here = hand.turn.shard;
        let own = self
            .picture
            .players()
            .filter(|player| player.conn.shard == here);
        let mut own: Vec<_> = own.filter(|player| player.id >= from).collect();
        own.sort_unstable_by_key(|player| player.id);
        let shown = |player: &&super::players::PlayerEntry| PlayerShown {
            id: player.id,
            conn: player.conn,
            epoch: player.epoch,
            text: self.picture.text_of(player.id).unwrap_or_default(),
        };
        let all = own.iter().map(shown);
        let (players, is_last) = letter(all, |player| player.text.len());
        let to = match players.last() {
            Some(last) if !is_last => last.id,
            _ => u32::MAX,
        };
        self.showing.nodes.insert(node, Shown::Players(to));
        let mail = DirectoryMail::Players { from, to, players };
        hand.turn.mail_node(node, mail.into());
    }

    fn show_games(&mut self, hand: &mut Hand<'_>, node: u8, from: u32) {
        let here = hand.turn.shard;
        let own = self.picture.games().filter(|game| game.owner == here);
        let own = own.filter(|game| game.uid >= from).map(|game| GameUpdate {
            uid: game.uid,
            listed: game.listed,
            ended: false,
            rule: game.rule.clone(),
            body: game.text(),
        });
        let (games, is_last) = letter(own, GameUpdate::bytes);
        let to = match games.last() {
            Some(last) if !is_last => last.uid,
            _ => u32::MAX,
        };
        self.showing.nodes.insert(node, Shown::Games(to));
        let mail = DirectoryMail::Games { from, to, games };
        hand.turn.mail_node(node, mail.into());
    }

    /// One shard of each node has the next range sent.
    fn get_next(&self, hand: &mut Hand<'_>, from: ShardId, shown: Shown) {
        let shards = usize::from(hand.turn.shards.max(1));
        if from.local() % shards == hand.turn.shard.local() {
            hand.turn.post(from, DirectoryMail::Got(shown));
        }
    }

    /// All players of another shard in a range of ids.
    pub(super) fn players_shown(
        &mut self,
        hand: &mut Hand<'_>,
        from: ShardId,
        range: RangeInclusive<u32>,
        players: Vec<PlayerShown>,
    ) {
        let named = players.iter().map(|player| (player.id, player.epoch));
        let named: BTreeMap<u32, u64> = named.collect();
        let known = self.picture.players();
        let known = known.filter(|known| known.conn.shard == from && range.contains(&known.id));
        let gone: Vec<(u32, u64)> = known
            .filter(|known| {
                let is_named = named.get(&known.id) == Some(&known.epoch);
                !is_named && !self.lost.has_player(known.id, known.epoch)
            })
            .map(|known| (known.id, known.epoch))
            .collect();
        for (id, epoch) in gone {
            self.player_lost(id, epoch);
        }
        for player in players
            .into_iter()
            .filter(|player| player.conn.shard == from)
        {
            self.player_shown(hand, player);
        }
        self.beneath.named(from, &range, &named);
        self.get_next(hand, from, Shown::Players(*range.end()));
    }

    fn player_shown(&mut self, hand: &Hand<'_>, player: PlayerShown) {
        let known = self.picture.player(player.id);
        if known.is_some_and(|known| (known.epoch, known.conn) == (player.epoch, player.conn)) {
            self.lost.player_named(player.id, player.epoch);
            if self.picture.text_of(player.id).as_ref() == Some(&player.text) {
                return;
            }
            let text = player.text.clone();
            self.picture.player_text(player.id, player.epoch, text);
        } else if !self.claimed(hand, player.clone()) {
            return;
        }
        self.ticks.gather_player(PlayerUpdate {
            id: player.id,
            epoch: player.epoch,
            online: true,
            text: player.text,
        });
    }

    /// A player is there no more, and nobody else will say so: everybody here hears of it at the next tick.
    pub(super) fn player_lost(&mut self, id: u32, epoch: u64) {
        let known = self.picture.player(id).filter(|known| known.epoch == epoch);
        let Some(text) = known.and_then(|_| self.picture.text_of(id)) else {
            return;
        };
        self.ticks.gather_player(PlayerUpdate {
            id,
            epoch,
            online: false,
            text: player_info::offline(&text),
        });
        self.claim_over(id, epoch);
    }

    /// All games of another shard in a range of uids.
    pub(super) fn games_shown(
        &mut self,
        hand: &mut Hand<'_>,
        from: ShardId,
        range: RangeInclusive<u32>,
        games: Vec<GameUpdate>,
    ) {
        let named: BTreeSet<u32> = games.iter().map(|game| game.uid).collect();
        let known = self.picture.games();
        let known = known.filter(|known| known.owner == from && range.contains(&known.uid));
        let gone: Vec<u32> = known
            .filter(|known| !named.contains(&known.uid) && !self.lost.has_game(known.uid))
            .map(|known| known.uid)
            .collect();
        for uid in gone {
            self.game_lost(uid);
        }
        for game in games {
            self.game_shown(from, game);
        }
        if *range.end() == u32::MAX {
            self.awaited.remove(&from);
        }
        self.get_next(hand, from, Shown::Games(*range.end()));
    }

    fn game_shown(&mut self, from: ShardId, game: GameUpdate) {
        let uid = game.uid;
        let known = self.picture.game(uid);
        if known.is_some_and(|known| known.owner != from && !self.lost.has_game(uid)) {
            return; // somebody else has it now
        }
        let is_new = known.is_none_or(|known| known.text() != game.body);
        self.lost.game_named(uid);
        self.picture.game_here(uid, from);
        let (rule, body) = (game.rule.clone(), game.body.clone());
        self.picture.game_text(uid, game.listed, rule, body);
        if is_new && !game.body.is_empty() {
            self.ticks.gather_game(game);
        }
    }

    /// A game is there no more, and nobody else will say so.
    pub(super) fn game_lost(&mut self, uid: u32) {
        let Some(known) = self.picture.game(uid) else {
            return;
        };
        let (rule, text) = (known.rule.clone(), known.text());
        self.picture.game_gone(uid);
        if !text.is_empty() {
            self.ticks.gather_game(GameUpdate {
                uid,
                listed: false,
                ended: true,
                rule,
                body: game_info::closed(&text),
            });
        }
    }

    /// A player has come; their shard's tick will say so.
    pub(super) fn come(&mut self, from: ShardId, id: u32, epoch: u64) {
        self.untold(from, id, epoch, None);
    }

    /// A player is about to be taken out; their shard's tick will say so.
    pub(super) fn gone(&mut self, from: ShardId, id: u32, epoch: u64) {
        let known = self.picture.player(id).filter(|known| known.epoch == epoch);
        if let Some(text) = known.and_then(|_| self.picture.text_of(id)) {
            self.untold(from, id, epoch, Some(player_info::offline(&text)));
        }
    }

    fn untold(&mut self, shard: ShardId, id: u32, epoch: u64, gone: Option<Bytes>) {
        if !self.ticks.hears_from_afar(shard) {
            return;
        }
        let untold = &mut self.showing.untold;
        if untold.get(&id).is_none_or(|known| known.epoch <= epoch) {
            untold.insert(id, Untold { shard, epoch, gone });
        }
        if untold.len() > UNTOLD {
            self.tell_untold(|_| true);
        }
    }

    /// Ticks of these shards may not say what they would have: it is told without them.
    pub(super) fn tell_untold(&mut self, is_meant: impl Fn(ShardId) -> bool) {
        let (told, rest) = std::mem::take(&mut self.showing.untold)
            .into_iter()
            .partition(|(_, untold)| is_meant(untold.shard));
        self.showing.untold = rest;
        let told: BTreeMap<u32, Untold> = told;
        for (id, Untold { epoch, gone, .. }) in told {
            let online = gone.is_none();
            let known = self.picture.player(id).filter(|known| known.epoch == epoch);
            let text = gone.or_else(|| known.and_then(|_| self.picture.text_of(id)));
            if let Some(text) = text {
                self.ticks.gather_player(PlayerUpdate {
                    id,
                    epoch,
                    online,
                    text,
                });
            }
        }
    }
}

impl GameUpdate {
    /// About how many bytes it takes, besides [`ITEM_BYTES`].
    pub(super) fn bytes(&self) -> usize {
        let rule = &self.rule;
        let ids = rule.friends.len() + rule.foes.len() + rule.members.len();
        self.body.len() + ids * 5
    }
}

/// The first of these, as many as one letter takes, and whether they are all.
fn letter<T>(items: impl Iterator<Item = T>, bytes: impl Fn(&T) -> usize) -> (Vec<T>, bool) {
    let (mut some, mut length) = (Vec::new(), 0);
    for item in items {
        length += bytes(&item) + ITEM_BYTES;
        if length > LETTER_BYTES && !some.is_empty() {
            return (some, false);
        }
        some.push(item);
    }
    (some, true)
}
