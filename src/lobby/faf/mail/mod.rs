//! What the roles say to each other, on whatever shards they are. A role knows another one only by its mail.

pub(in crate::faf) mod coordinator;
pub(in crate::faf) mod directory;
pub(in crate::faf) mod game;
pub(in crate::faf) mod heir;
pub(in crate::faf) mod registry;
pub(in crate::faf) mod session;

use serde::{Deserialize, Serialize};

use crate::faf::mail::{
    coordinator::CoordinatorMail,
    directory::DirectoryMail,
    game::GameMail,
    heir::HeirMail,
    registry::RegistryMail,
    session::{HomeMail, SessionMail},
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
    /// To the coordinator of this term; another one does not do what it says.
    Coordinator(u64, CoordinatorMail),
    /// From the coordinator of this term, to the sessions of a shard; of an earlier one it is not heard.
    OfCoordinator(u64, SessionMail),
    /// To whoever may have to go on with what the coordinator knows: the first shard of a node.
    Heir(HeirMail),
    /// To the first shard of its node, as that is to end.
    Stop(StopMail),
    /// To a shard's replica of what everybody may see.
    Directory(DirectoryMail),
}

/// What the shards of a node tell its first one as the node is to end.
#[derive(Debug, Serialize, Deserialize)]
pub enum StopMail {
    /// Its players have been told of that; and again when they have been told that none of them searches any more.
    Told,
}

impl From<SessionMail> for Mail {
    fn from(mail: SessionMail) -> Self {
        Mail::Session(mail)
    }
}

impl From<HomeMail> for Mail {
    fn from(mail: HomeMail) -> Self {
        Mail::Session(SessionMail::Home(mail))
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

impl From<HeirMail> for Mail {
    fn from(mail: HeirMail) -> Self {
        Mail::Heir(mail)
    }
}

impl From<StopMail> for Mail {
    fn from(mail: StopMail) -> Self {
        Mail::Stop(mail)
    }
}

impl From<DirectoryMail> for Mail {
    fn from(mail: DirectoryMail) -> Self {
        Mail::Directory(mail)
    }
}
