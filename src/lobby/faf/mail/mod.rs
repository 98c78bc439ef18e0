//! What the roles say to each other, on whatever shards they are. A role knows another one only by its mail.

pub(in crate::faf) mod coordinator;
pub(in crate::faf) mod directory;
pub(in crate::faf) mod game;
pub(in crate::faf) mod registry;
pub(in crate::faf) mod session;

use serde::{Deserialize, Serialize};

use crate::faf::mail::{
    coordinator::CoordinatorMail, directory::DirectoryMail, game::GameMail, registry::RegistryMail,
    session::SessionMail,
};

/// Mail to a role.
#[derive(Debug, Serialize, Deserialize)]
pub enum Mail {
    /// To the sessions of a shard.
    Session(SessionMail),
    /// To a player's home shard.
    Registry(RegistryMail),
    /// To the games of a shard.
    Game(GameMail),
    /// To the coordinator.
    Coordinator(CoordinatorMail),
    /// To a shard's replica of what everybody may see.
    Directory(DirectoryMail),
}

impl From<SessionMail> for Mail {
    fn from(mail: SessionMail) -> Self {
        Mail::Session(mail)
    }
}

impl From<RegistryMail> for Mail {
    fn from(mail: RegistryMail) -> Self {
        Mail::Registry(mail)
    }
}

impl From<GameMail> for Mail {
    fn from(mail: GameMail) -> Self {
        Mail::Game(mail)
    }
}

impl From<CoordinatorMail> for Mail {
    fn from(mail: CoordinatorMail) -> Self {
        Mail::Coordinator(mail)
    }
}

impl From<DirectoryMail> for Mail {
    fn from(mail: DirectoryMail) -> Self {
        Mail::Directory(mail)
    }
}
