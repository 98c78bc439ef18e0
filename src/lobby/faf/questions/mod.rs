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
pub use super::model::account::{Account, Avatar, Ban, Relation, StoredRating};

use super::{
    Faf,
    coordinator::{matches::Preparing, popping::Finding},
    ledger::{self, KeepRecords, WriteRecords},
    session::{
        admin,
        avatars::{Following, Listing, Selecting},
        catalogue::{Downloading, Liking, ListingMissions, ListingMods},
        dispatch::Held,
        gpgnet, hosting, joining, login, social,
    },
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
