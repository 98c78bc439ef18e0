//! The games of a shard: the state of this role.

use serde::{Deserialize, Serialize};

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::Bytes;

use crate::{
    ConnId, ShardId,
    faf::{
        context::Context,
        game::{
            journal::{Keeping, Ledger, Writing},
            shadow::{Shadow, Written},
            state::{Game, GameState},
        },
        mail::{
            directory::{DirectoryMail, GameUpdate},
            game::{GameMail, Seated},
            session::SessionMail,
        },
        metrics::{Metrics, OVER, RUNNING},
        model::limits::GAME_NEWS,
        model::seat::Seat,
        questions::Answer,
    },
    kept::{Damaged, ensure},
    map::IdMap,
    question::{Asker, Pending},
};

crate::continuations! {
    GameContinuation of Games:
    WriteRecords => Writing,
    KeepRecords => Keeping,
}

/// The games of a shard.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Games {
    /// By uid.
    pub games: IdMap<u32, Box<Game>>,
    /// What of them is still to be written down.
    pub ledger: Ledger,
    /// The process is to end, and those that had not begun have ended.
    #[serde(default)]
    pub lobbies_closed: bool,
    /// Places in games here that shards of other nodes are telling of, and are not done.
    #[serde(default)]
    pub told_seats: BTreeMap<ShardId, Vec<Seated>>,
    /// Launched games of other nodes, which this shard goes on with if those are lost; by uid.
    #[serde(default)]
    pub shadows: IdMap<u32, Shadow>,
    /// Who was told to go on with a launched game of this shard.
    #[serde(default)]
    pub told_shadows: BTreeMap<u32, ShardId>,
    /// How often one was told something.
    #[serde(default)]
    pub told_of_shadows: u64,
    /// Launched games that have changed since.
    #[serde(default)]
    pub unshadowed: BTreeSet<u32>,
    /// Games that come in parts, and from whom.
    #[serde(default)]
    pub heard: BTreeMap<u32, (ShardId, Written)>,
    /// Games of which everybody will hear at the next tick.
    dirty: BTreeSet<u32>,
    /// Games that this node's directories do not show yet as they are.
    unshown: BTreeSet<u32>,
    /// Those of them of which only newcomers hear.
    #[serde(default)]
    quiet: BTreeSet<u32>,
    /// What the back office was asked, and what is waited for with.
    #[serde(skip)]
    pub pending: Pending<GameContinuation>,
}

impl Asker for Games {
    type Context<'a> = Context<'a>;
}

impl Games {
    /// What whoever goes on needs of it; nothing waits for an answer.
    pub(in crate::faf) fn keep(&self) -> Self {
        Games {
            games: self.games.clone(),
            ledger: self.ledger.clone(),
            lobbies_closed: self.lobbies_closed,
            told_seats: self.told_seats.clone(),
            shadows: self.shadows.clone(),
            told_shadows: self.told_shadows.clone(),
            told_of_shadows: self.told_of_shadows,
            unshadowed: self.unshadowed.clone(),
            heard: self.heard.clone(),
            dirty: self.dirty.clone(),
            unshown: self.unshown.clone(),
            quiet: self.quiet.clone(),
            pending: Pending::default(),
        }
    }

    /// Whether they say the same as each other and as their journals, with nothing on its way.
    pub(in crate::faf) fn agree(&self) -> Result<(), Damaged> {
        for (&uid, game) in &self.games {
            ensure(uid == game.uid, "a game has two numbers")?;
            let seats: Vec<&Seat> = game.seats().collect();
            let are_its = seats.iter().all(|seat| seat.uid == uid);
            ensure(are_its, "a seat is in another game")?;
            let once = (1..seats.len()).all(|at| !seats[..at].contains(&seats[at]));
            ensure(once, "a seat is taken twice")?;
        }
        let mut changed = self.dirty.iter().chain(&self.unshown).chain(&self.quiet);
        let are_there = changed.all(|uid| self.games.contains_key(uid));
        ensure(are_there, "a game has changed that is not there")?;
        self.ledger.agrees_with(|uid| self.games.contains_key(&uid))
    }

    /// A game that can be found by its number.
    pub(in crate::faf) fn found(&mut self, uid: u32) -> Option<&mut Game> {
        let game = self.games.get_mut(&uid)?;
        (!game.removed).then_some(game)
    }

    /// A game is another shard's: nothing of it is told or written down here any more.
    pub(in crate::faf) fn forget(&mut self, uid: u32) {
        self.games.remove(&uid);
        self.dirty.remove(&uid);
        self.unshown.remove(&uid);
        self.quiet.remove(&uid);
        self.ledger.forget(uid);
    }

    /// A game came, changed or ended.
    pub(in crate::faf) fn changed(&mut self, uid: u32) {
        self.dirty.insert(uid);
        self.unshown.insert(uid);
    }

    /// A game has changed in a way that is not announced: newcomers see it as it is (spec: faf-lifecycle 9, 10.3, 10.6).
    pub(in crate::faf) fn changed_quietly(&mut self, uid: u32) {
        self.unshown.insert(uid);
        self.quiet.insert(uid);
    }

    /// Has this node's directories show this shard's games: a newcomer's list has them as they are now, not as they were at the
    /// last tick. Each change is written at most once for all newcomers before the tick.
    pub(in crate::faf) fn show(&mut self, cx: &mut Context<'_>) {
        for uid in std::mem::take(&mut self.unshown) {
            if let Some(game) = self.games.get(&uid) {
                let update = game.update();
                cx.post_local(|| DirectoryMail::GameText(update.clone()));
            }
        }
    }

    /// The same before somebody signs in, who is at another shard of this node.
    pub(in crate::faf) fn show_before(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        self.show(cx);
        match cx.topology.next_local(cx.turn.shard) {
            Some(next) if next != conn.shard => cx.post(next, GameMail::ShowBefore { conn }),
            _ => cx.post(conn.shard, SessionMail::Shown { conn }),
        }
    }

    /// With a tick: what is not announced is shown on all nodes.
    pub(in crate::faf) fn show_quiet(&mut self, cx: &mut Context<'_>) {
        for uid in std::mem::take(&mut self.quiet) {
            let game = self.games.get(&uid).filter(|game| !game.removed);
            if let Some(game) = game.filter(|_| !self.dirty.contains(&uid)) {
                let update = game.update();
                self.unshown.remove(&uid);
                cx.post_all(|| DirectoryMail::GameText(update.clone()));
            }
        }
    }

    /// What has changed since this was asked last, each game as it is now. A game that has ended is not found any more. One
    /// whose host changes it too much waits, until it is launched.
    pub(in crate::faf) fn changes(&mut self, now: Duration, metrics: &Metrics) -> Vec<GameUpdate> {
        self.unshown.clear();
        let mut games = Vec::with_capacity(self.dirty.len());
        for uid in std::mem::take(&mut self.dirty) {
            let Some(game) = self.games.get_mut(&uid) else {
                continue;
            };
            if game.state == GameState::Lobby && game.told.wait(now, GAME_NEWS).is_some() {
                metrics.game_news_deferred.up();
                self.changed(uid);
                continue;
            }
            let update = game.update();
            game.told.charge(now, update.body.len() as u64, GAME_NEWS);
            if update.ended {
                game.removed = true;
                if game.is_deserted() {
                    self.games.remove(&uid);
                }
            }
            games.push(update);
        }
        games
    }

    /// Uids of games of which there is more to tell than was told so far.
    pub(in crate::faf) fn told_later(&self) -> Vec<u32> {
        self.dirty.iter().copied().collect()
    }

    /// Whether nothing is left that an orderly end should wait for.
    pub(in crate::faf) fn is_drained(&self) -> bool {
        let are_over = self.lobbies_closed && self.games.values().all(|game| game.removed);
        are_over && self.ledger.is_settled()
    }

    /// How many there are.
    pub(in crate::faf) fn count(&self) -> usize {
        self.present().count()
    }

    /// All games as in `game_info`, those that are being set up and those that have just ended included.
    pub(in crate::faf) fn bodies(&self) -> Vec<Bytes> {
        let mut bodies: Vec<_> = self
            .present()
            .map(|game| (game.uid, game.body(false)))
            .collect();
        bodies.sort_unstable_by_key(|(uid, _)| *uid);
        bodies.into_iter().map(|(_, body)| body).collect()
    }

    /// Featured mod, rating type and state of each.
    pub(in crate::faf) fn labels(&self) -> impl Iterator<Item = (&str, &str, &'static str)> {
        self.present().map(|game| {
            let featured_mod = &*game.creation.featured_mod;
            (featured_mod, &*game.rating_type, state_name(game.state))
        })
    }

    fn present(&self) -> impl Iterator<Item = &Game> {
        let games = self.games.values().map(|game| &**game);
        games.filter(|game| !game.removed)
    }
}

/// As the reference labels it in metrics.
pub(in crate::faf) fn state_name(state: GameState) -> &'static str {
    match state {
        GameState::Initializing => "INITIALIZING",
        GameState::Lobby => "LOBBY",
        GameState::Live => RUNNING,
        GameState::Ended => OVER,
    }
}
