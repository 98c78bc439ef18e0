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
    avatars::{Avatar, ChangedAvatar, ListAvatars, SelectAvatar},
    catalogue::{DownloadMod, Like, LikeMod, Mission, Missions, VaultMod, VaultMods},
    games::{Host, HostGrant, Join, Map, ModNames},
    matches::{FindMatches, MatchGrant, PrepareMatch},
    permission::HasPermission,
    relations::{ClearRelation, Relation, SetRelation},
    sign_in::{Account, Ban, Credentials, Login, LoginRefusal, StoredRating},
};

use super::{
    Faf, admin,
    avatars::{Following, Listing, Selecting},
    catalogue::{Downloading, Liking, ListingMissions, ListingMods},
    dispatch::Held,
    gpgnet, hosting, joining,
    ledger::{self, KeepRecords, WriteRecords},
    login,
    matchmaking::{Finding, Preparing},
    social,
};

crate::questions! {
    Faf:
    Login => Held<login::Identifying>,
    Host => Held<hosting::Hosting>,
    Join => Held<joining::Joining>,
    ModNames => Held<gpgnet::NamingMods>,
    SetRelation => Held<social::Relating>,
    ClearRelation => Held<social::Unrelating>,
    ListAvatars => Held<Listing>,
    SelectAvatar => Held<Selecting>,
    ChangedAvatar => Following,
    Missions => Held<ListingMissions>,
    VaultMods => Held<ListingMods>,
    LikeMod => Held<Liking>,
    DownloadMod => Held<Downloading>,
    HasPermission => Held<admin::Action>,
    FindMatches => Finding,
    PrepareMatch => Preparing,
    WriteRecords => ledger::Writing,
    KeepRecords,
}
