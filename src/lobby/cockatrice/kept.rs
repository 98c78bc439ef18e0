//! What goes on in another process: everything of a shard that clients can notice.
//!
//! The state is taken apart by name, so that a new field does not compile before it is either kept or left out.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Cockatrice,
    questions::LogLine,
    state::{
        desk::Desk, directory::Directory, registry::Registry, room::Room, session::Session,
        shutdown::Shutdown, table::Table,
    },
};
use crate::{
    ConnId, Keep,
    kept::{Counted, Damaged, ensure},
    operator::Standing,
};

/// State of a shard, kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    sessions: BTreeMap<ConnId, Session>,
    ticks: u64,
    next_tick: Duration,
    sessions_begun: u64,
    games_begun: u32,
    #[serde(default)]
    grants: u64,
    directory: Directory,
    desk: Desk,
    registry: Registry,
    rooms: BTreeMap<u32, Room>,
    tables: BTreeMap<u32, Table>,
    draining: bool,
    #[serde(default)]
    ending: bool,
    #[serde(default)]
    standing: Standing,
    shutdown: Option<Shutdown>,
    log: Vec<LogLine>,
    next_status: Duration,
    counted: Counted,
}

impl Keep for Cockatrice {
    type Kept = Kept;

    fn keep(&self) -> Kept {
        let Cockatrice {
            sessions,
            ticks,
            next_tick,
            sessions_begun,
            games_begun,
            grants,
            directory,
            desk,
            registry,
            rooms,
            tables,
            draining,
            ending,
            standing,
            shutdown,
            log,
            next_status,
            metrics,
            // Its place, and what it was told.
            settings: _,
            room_settings: _,
            shard: _,
            topology: _,
            // Empty between two turns, and while no answer is on its way.
            post: _,
            pending: _,
            unix: _,
            mono: _,
            from: _,
            steps: _,
            parked: _,
            claims_armed: _,
            // Of nodes that come and go: whoever goes on hears of them anew.
            moving: _,
            gathering: _,
            unseen: _,
            is_disturbed: _,
            away: _,
        } = self;
        Kept {
            sessions: sessions.iter().map(|(c, s)| (*c, s.clone())).collect(),
            ticks: *ticks,
            next_tick: *next_tick,
            sessions_begun: *sessions_begun,
            games_begun: *games_begun,
            grants: *grants,
            directory: directory.clone(),
            desk: desk.clone(),
            registry: registry.clone(),
            rooms: rooms.clone(),
            tables: tables.clone(),
            draining: *draining,
            ending: *ending,
            standing: standing.clone(),
            shutdown: shutdown.clone(),
            log: log.clone(),
            next_status: *next_status,
            counted: Counted::of(&**metrics),
        }
    }

    fn revive(&mut self, kept: Kept) -> Result<(), Damaged> {
        self.check(&kept)?;
        let Kept {
            sessions,
            ticks,
            next_tick,
            sessions_begun,
            games_begun,
            grants,
            directory,
            desk,
            registry,
            rooms,
            tables,
            draining,
            ending,
            standing,
            shutdown,
            log,
            next_status,
            counted,
        } = kept;
        self.sessions = sessions.into_iter().collect();
        self.ticks = ticks;
        self.next_tick = next_tick;
        self.sessions_begun = sessions_begun;
        self.games_begun = games_begun;
        self.grants = grants;
        self.directory = directory;
        self.desk = desk;
        self.registry = registry;
        self.registry.count_spellings();
        self.rooms = rooms;
        self.tables = tables;
        self.draining = draining;
        self.ending = ending;
        self.standing = standing;
        self.shutdown = shutdown;
        self.log = log;
        self.next_status = next_status;
        counted.add_to(&*self.metrics);
        Ok(())
    }
}

impl Cockatrice {
    /// What is said twice is the same, and of this place.
    fn check(&self, kept: &Kept) -> Result<(), Damaged> {
        let here = |conn: &ConnId| conn.shard == self.shard;
        ensure(
            kept.sessions.keys().all(here),
            "a connection is of another shard",
        )?;
        let rooms = kept.rooms.keys().eq(self.rooms.keys());
        ensure(rooms, "a room is on another shard, or there is none")?;
        ensure(
            kept.directory.rooms.len() == self.room_settings.len(),
            "there are other rooms",
        )?;
        let listed = kept.directory.users.iter();
        let named = listed.clone().all(|(name, user)| *name == user.name);
        ensure(named, "a user has two names")?;
        let mut listed = 0;
        for (game, table) in &kept.tables {
            // Its room may be on another node.
            if let Some(room) = kept.rooms.get(&table.room) {
                ensure(room.games.contains(game), "a game is in no room")?;
                listed += 1;
            }
        }
        let rooms = kept.rooms.values();
        let games: usize = rooms
            .map(|room| room.games.len() - room.foreign.len())
            .sum();
        ensure(games == listed, "a room has a game that is not")
    }
}
