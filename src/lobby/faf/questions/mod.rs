//! What the FAF dialect asks the back office, and what comes back.
//!
//! Plain data: the dialect says what it needs to know, not how it is found. SQL, keys and HTTP are `backoffice`'s. What is
//! done with an answer stands where its question is asked. To add a question: define it here and put it in the list;
//! answer it in `backoffice::faf`; ask it, with a continuation.

mod avatars;
mod catalogue;
mod games;
mod matches;
mod permission;
mod relations;
mod sign_in;

pub use self::{
    avatars::{ChangedAvatar, ListAvatars, SelectAvatar},
    catalogue::{DownloadMod, Like, LikeMod, Mission, Missions, VaultMod, VaultMods},
    games::{Host, HostGrant, Join, Map, ModNames},
    matches::{FindMatches, MatchGrant, PrepareMatch},
    permission::HasPermission,
    relations::{ClearRelation, SetRelation},
    sign_in::{Credentials, Login, LoginRefusal},
};

pub use super::model::account::{Account, Avatar, Ban, Country, Relation, StoredRating};

pub use super::ledger::{KeepRecords, WriteRecords};

crate::questions! {
    Login,
    Host,
    Join,
    ModNames,
    SetRelation,
    ClearRelation,
    ListAvatars,
    SelectAvatar,
    ChangedAvatar,
    Missions,
    VaultMods,
    LikeMod,
    DownloadMod,
    HasPermission,
    FindMatches,
    PrepareMatch,
    WriteRecords,
    KeepRecords,
}
