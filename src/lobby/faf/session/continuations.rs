//! What a player's side waits for answers with: plain data. What is done with an answer stands where its question is asked.

use crate::{
    ConnId,
    faf::{
        context::Context,
        model::{account::Relation, game::Creation, seat::Seat},
        protocol::{incoming::admin::Action, request::Outcome},
        questions::Answer,
        session::sessions::Sessions,
    },
    question::Question,
};

crate::continuations! {
    SessionContinuation of Sessions:
    Login => Held<Identifying>,
    Host => Held<Hosting>,
    Join => Held<Joining>,
    ModNames => Held<NamingMods>,
    SetRelation => Held<Relating>,
    ClearRelation => Held<Unrelating>,
    ListAvatars => Held<Listing>,
    SelectAvatar => Held<Selecting>,
    ChangedAvatar => Following,
    Missions => Held<ListingMissions>,
    VaultMods => Held<ListingMods>,
    LikeMod => Held<Liking>,
    DownloadMod => Held<Downloading>,
    HasPermission => Held<Action>,
}

/// The rest of a request, for when the back office has answered.
pub(in crate::faf) trait Request: 'static {
    /// What was asked.
    type Question: Question;
    /// Does the rest. The connection may be gone meanwhile.
    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        answer: <Self::Question as Question>::Answer,
    ) -> Outcome<Next>;
}

/// Whether a connection is heard again after an answer.
pub(in crate::faf) enum Next {
    /// Its next frame is handled.
    Go,
    /// No: mail is on its way, and whoever handles its answer releases the connection.
    Wait,
}

/// A request whose connection is held until it is done.
#[derive(Debug)]
pub(in crate::faf) struct Held<R> {
    pub conn: ConnId,
    pub request: R,
}

/// Somebody's credentials are looked at; whether a token.
#[derive(Debug)]
pub(in crate::faf) struct Identifying {
    pub token: bool,
}

/// May they host, and with what the request will be answered if they may.
#[derive(Debug)]
pub(in crate::faf) struct Hosting(pub Outcome<Box<Creation>>);

/// May they join.
#[derive(Debug)]
pub(in crate::faf) struct Joining {
    pub uid: Outcome<i64>,
    pub password: Option<String>,
}

/// Names of the game's sim mods are looked up.
#[derive(Debug)]
pub(in crate::faf) struct NamingMods {
    pub seat: Seat,
    pub uids: Vec<String>,
}

/// A friend or foe is being written down.
#[derive(Debug)]
pub(in crate::faf) struct Relating {
    pub subject_id: u32,
    pub relation: Relation,
}

/// Somebody is being taken off the list.
#[derive(Debug)]
pub(in crate::faf) struct Unrelating {
    pub subject_id: u32,
}

/// All their avatars are looked up.
#[derive(Debug)]
pub(in crate::faf) struct Listing;

/// They show another avatar.
#[derive(Debug)]
pub(in crate::faf) struct Selecting;

/// Their avatar was changed from outside, after so many changes before. Nobody waits for the database's word on it.
#[derive(Debug)]
pub(in crate::faf) struct Following {
    pub conn: ConnId,
    pub player_id: u32,
    pub selections: u32,
}

/// Coop missions are looked up.
#[derive(Debug)]
pub(in crate::faf) struct ListingMissions;

/// The mods that are liked best are looked up.
#[derive(Debug)]
pub(in crate::faf) struct ListingMods;

/// They like a mod.
#[derive(Debug)]
pub(in crate::faf) struct Liking;

/// They have downloaded a mod.
#[derive(Debug)]
pub(in crate::faf) struct Downloading;
