//! What goes on in another process: what each role of a shard must not forget.
//!
//! A role's state derives its written form where it stands, without what is empty while nothing is under way. The directory
//! is kept as each shard has it, so that a newcomer's lists are in the same order. The state is taken apart by name, so that
//! a new part does not compile before it is either kept or left out. Before anything goes on from it, whatever one role has
//! of another on the same shard is looked up there (`references`).

mod references;

use serde::{Deserialize, Serialize};

use super::{
    Faf, Roles, coordinator::Coordinator, directory::KeptDirectory, game::games::Games,
    registry::Registry, session::sessions::Sessions,
};
use crate::{
    Keep,
    kept::{Counted, Damaged, ensure},
};

/// State of a shard, kept.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    draining: bool,
    #[serde(default)]
    lame_duck: bool,
    counted: Counted,
    pub(super) sessions: Sessions,
    pub(super) registry: Registry,
    pub(super) games: Games,
    pub(super) coordinator: Coordinator,
    directory: KeptDirectory,
}

impl Keep for Faf {
    type Kept = Kept;

    fn keep(&self) -> Kept {
        let Faf {
            shard: _,
            // A buffer.
            reader: _,
            roles,
            // Empty between two turns.
            waiting: _,
        } = self;
        let Roles {
            draining,
            lame_duck,
            metrics,
            sessions,
            registry,
            games,
            coordinator,
            directory,
            // Its place, and what it was told.
            topology: _,
            settings: _,
            reference: _,
            initialised: _,
            // Whoever goes on counts the connections anew.
            clients: _,
        } = roles;
        Kept {
            draining: *draining,
            lame_duck: *lame_duck,
            counted: Counted::of(&**metrics),
            sessions: sessions.keep(),
            registry: registry.clone(),
            games: games.keep(),
            coordinator: coordinator.keep(),
            directory: directory.keep(),
        }
    }

    fn revive(&mut self, kept: Kept) -> Result<(), Damaged> {
        let Kept {
            draining,
            lame_duck,
            counted,
            mut sessions,
            registry,
            games,
            mut coordinator,
            directory,
        } = kept;
        let roles = &mut self.roles;
        for session in sessions.table.iter_mut() {
            let is_here = session.conn.shard == self.shard;
            ensure(is_here, "a session is of another shard")?;
            session.client = roles.clients.opened();
        }
        games.agree()?;
        coordinator.agree()?;
        roles.directory.revive(directory)?;
        coordinator.goes_on_from(&roles.coordinator);
        roles.draining = draining;
        roles.lame_duck = lame_duck;
        counted.add_to(&*roles.metrics);
        roles.sessions = sessions;
        roles.registry = registry;
        roles.games = games;
        roles.coordinator = coordinator;
        roles.check_references(self.shard)?;
        self.reader = Some(Box::default());
        Ok(())
    }
}
