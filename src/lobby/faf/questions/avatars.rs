//! The picture that a player shows (spec: faf-messages 3.14).

use crate::{
    faf::model::account::Avatar,
    question::{Lane, Question, StoreFailure},
};

/// All avatars of a player, by their account id.
#[derive(Clone, Debug)]
pub struct ListAvatars(pub u32);

impl Question for ListAvatars {
    type Answer = Result<Vec<Avatar>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// Has a player show one of their avatars, or none.
#[derive(Clone, Debug)]
pub struct SelectAvatar {
    /// Account id of the player this is about.
    pub player_id: u32,
    /// Which; `None`: none.
    pub url: Option<String>,
}

impl Question for SelectAvatar {
    /// What they show now; `None`: they have no such avatar, and nothing has changed.
    type Answer = Result<Option<Option<Avatar>>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// What a player shows, by their account id, after somebody else has changed it in the database (spec: faf-lifecycle 12.4).
#[derive(Clone, Debug)]
pub struct ChangedAvatar(pub u32);

impl Question for ChangedAvatar {
    type Answer = Result<Option<Avatar>, StoreFailure>;
    const LANE: Lane = Lane::Other;
}
