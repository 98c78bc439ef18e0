//! Friends and foes (spec: faf-messages 3.13).

use crate::{
    faf::model::account::Relation,
    question::{Lane, Question, StoreFailure},
};

/// Sets or replaces a friend or foe. Unknown subjects are ignored.
#[derive(Clone, Debug)]
pub struct SetRelation {
    /// Account id of the player whose list it is.
    pub player_id: u32,
    /// Who is on it.
    pub subject_id: u32,
    /// Whether as friend or foe.
    pub relation: Relation,
}

impl Question for SetRelation {
    /// Whether the row is there now; false: unknown subject.
    type Answer = Result<bool, StoreFailure>;
    const LANE: Lane = Lane::Other;
}

/// Removes a subject from the list, whatever they were.
#[derive(Clone, Debug)]
pub struct ClearRelation {
    /// Account id of the player whose list it is.
    pub player_id: u32,
    /// Who leaves it.
    pub subject_id: u32,
}

impl Question for ClearRelation {
    type Answer = Result<(), StoreFailure>;
    const LANE: Lane = Lane::Other;
}
