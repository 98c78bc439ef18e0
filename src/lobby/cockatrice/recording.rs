//! Replays: what is recorded of a game goes to disk piece by piece, and what is left of one that is over is on disk before
//! anybody is told so (spec: cockatrice-behaviour 5.10, 12). So a long game stands in memory no more than a short one, and no
//! end of the process loses a game that has ended.
//!
//! Where there are no accounts nobody could ask for replays, and none are kept; that a game is over is told all the same.

use bytes::Bytes;
use cockatrice::game::{FinishedReplay, News, Out};

use super::{
    Cockatrice, CockatriceTurn,
    mail::{Delivery, Item},
    protocol,
    questions::{KeepGame, KeepPiece, PlayedGame, Recorded, StoreGame},
    state::table::{Spilled, Table},
    waiting::{Keeping, Spilling, Storing},
};
use crate::question::{Continuation, StoreFailure};

/// Bytes of a game's replay that stand in memory before they are put on disk.
const PIECE_BYTES: usize = 16 * 1024;

/// Replays of one game; rounds after that have none.
const ROUNDS: usize = 200;

impl Continuation for Spilling {
    type Asker = Cockatrice;
    type Question = KeepPiece;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        _: &mut CockatriceTurn<'_>,
        kept: Result<(), StoreFailure>,
    ) {
        lobby.spilled(&self, kept.is_ok());
    }
}

impl Continuation for Keeping {
    type Asker = Cockatrice;
    type Question = KeepGame;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        turn: &mut CockatriceTurn<'_>,
        _: Result<(), StoreFailure>,
    ) {
        // What could not be put on disk, which the back office has logged, goes to the store all the same.
        lobby.carry_out(self.played.game, self.out);
        let played = self.played.clone();
        lobby
            .pending
            .ask(turn, StoreGame(self.played), Storing(played));
        lobby.end_more_games();
    }
}

impl Continuation for Storing {
    type Asker = Cockatrice;
    type Question = StoreGame;
    fn resume(
        self,
        lobby: &mut Cockatrice,
        _: &mut CockatriceTurn<'_>,
        ids: Result<Vec<u32>, StoreFailure>,
    ) {
        // Who looks later finds what could not be stored now: the back office goes on trying.
        if let Ok(ids) = ids {
            lobby.tell_of_replays(&self.0, &ids);
        }
    }
}

impl Cockatrice {
    /// Whether replays of a game are kept: as it was when the game began.
    pub(super) fn keeps_replays(&self, game: u32) -> bool {
        let table = self.tables.get(&game);
        self.has_accounts() && table.is_some_and(|table| table.game.rules().record_replays)
    }

    /// Puts on disk what has been recorded of a game, if that is much.
    pub(super) fn spill(&mut self, game: u32) {
        let keeps = self.keeps_replays(game);
        let Some(table) = self.tables.get_mut(&game) else {
            return;
        };
        if !keeps || table.replays.len() >= ROUNDS {
            return drop(table.game.take_recorded());
        }
        let spilled = &mut table.spilled;
        if spilled.under_way {
            return;
        }
        if spilled.next.is_empty() {
            if table.game.recorded_bytes() < PIECE_BYTES {
                return;
            }
            spilled.next = table.game.take_recorded().into();
        }
        spilled.under_way = true;
        let piece = KeepPiece {
            game,
            round: table.replays.len() as u32,
            offset: spilled.bytes,
            bytes: spilled.next.clone(),
        };
        let round = piece.round;
        self.post.ask_for(piece, Spilling { game, round });
    }

    /// A piece is on disk, or could not be put there: then it is tried again at the next tick.
    fn spilled(&mut self, piece: &Spilling, is_kept: bool) {
        let Some(table) = self.tables.get_mut(&piece.game) else {
            return;
        };
        if table.replays.len() as u32 != piece.round {
            return; // that round is over, and has what it was told in memory
        }
        let spilled = &mut table.spilled;
        spilled.under_way = false;
        if is_kept {
            spilled.bytes += spilled.next.len() as u64;
            spilled.next.clear();
        }
    }

    /// A game is over: what is left of it is kept, and then everybody is told.
    pub(super) fn keep_ended(&mut self, game: u32, mut out: Out) {
        let Some(table) = self.tables.get_mut(&game) else {
            return;
        };
        table.closing = true;
        let mut took_part = Vec::new();
        out.news.retain_mut(|news| match news {
            News::Replay(replay) => {
                table.round_recorded(replay, true);
                false
            }
            News::Closed(who) => {
                took_part.clone_from(who);
                true
            }
            _ => true,
        });
        let Some(played) = self.played(game, &took_part) else {
            return;
        };
        let played = Box::new(played);
        let keeping = Keeping {
            out,
            played: played.clone(),
        };
        self.post.ask_for(KeepGame(played), keeping);
    }

    /// What is left of a game.
    pub(super) fn played(&self, game: u32, took_part: &[(Box<str>, bool)]) -> Option<PlayedGame> {
        let table = self.tables.get(&game)?;
        let state = &table.game;
        let rules = state.rules();
        let room = self.room_settings.get(table.room as usize)?;
        let types = rules.game_types.iter().filter_map(|&id| {
            let name = room.game_types.get(usize::try_from(id).ok()?)?;
            Some(name.as_str().into())
        });
        let players = took_part.iter().filter(|(_, plays)| *plays);
        Some(PlayedGame {
            game,
            room: room.name.as_str().into(),
            description: rules.description.clone(),
            creator: state.creator().name.clone(),
            with_password: !rules.password.is_empty(),
            types: types.collect(),
            max_players: rules.max_players,
            started_s: state.created_s(),
            finished_s: state.created_s() + u64::from(state.seconds()),
            players: players.map(|(name, _)| name.clone()).collect(),
            audience: match rules.record_replays {
                true => took_part.iter().map(|(name, _)| name.clone()).collect(),
                false => Vec::new(),
            },
            replays: table.replays.clone(),
        })
    }

    /// Tells who took part in a game, if they are there, of its replays; with no ids they are in no store.
    pub(super) fn tell_of_replays(&mut self, played: &PlayedGame, ids: &[u32]) {
        let added = protocol::replay_added(played, ids);
        for name in &played.audience {
            if let Some(conn) = self.there(name) {
                let send = Delivery::Send(conn, added.clone());
                self.post.to(conn.shard, Item::Show(send));
            }
        }
    }
}

impl Table {
    /// A round is over, of which this is the rest. Unless it is kept, only that there was one is remembered.
    pub(super) fn round_recorded(&mut self, replay: &FinishedReplay, keeps: bool) {
        if self.replays.len() >= ROUNDS {
            return;
        }
        let Spilled { bytes, next, .. } = std::mem::take(&mut self.spilled);
        let encoded = match next.is_empty() {
            _ if !keeps => Bytes::new(),
            true => replay.encoded.clone(),
            // Whether that got to the disk is not known, and so of no importance.
            false => [&*next, &*replay.encoded].concat().into(),
        };
        self.replays.push(Recorded {
            on_disk: bytes,
            encoded,
            duration_s: replay.duration_s,
        });
    }
}
