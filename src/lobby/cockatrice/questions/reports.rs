//! Reports of users about users (spec: cockatrice-behaviour 10).

use super::{
    outcome::{Outcome, Pending},
    who::Who,
};
use crate::question::{Lane, Question};

/// Something about reports.
#[derive(Clone, Debug)]
pub struct AskReports {
    /// Who asks.
    pub who: Who,
    /// What.
    pub request: ReportRequest,
}

impl Question for AskReports {
    type Answer = Outcome;
    const LANE: Lane = Lane::Other;
}

/// A report to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewReport {
    /// About whom.
    pub about: Box<str>,
    /// In which game; 0: none.
    pub game: i32,
    /// In which room that game is, if it runs and is not in room 0.
    pub room: Option<u32>,
    /// What kind.
    pub category: Box<str>,
    /// What happened.
    pub description: Box<str>,
    /// What was said.
    pub chat_log: Box<str>,
}

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReportRequest {
    /// A new one.
    New(NewReport),
    /// One's own.
    Own,
    /// All of one.
    Details(i32),
    /// A comment.
    Comment {
        /// On which.
        report: i32,
        /// What.
        text: Box<str>,
    },
    /// For moderators: many.
    List {
        /// Open and assigned ones only.
        unresolved_only: bool,
        /// So many of the newest are left out.
        offset: u32,
        /// At most so many.
        limit: u32,
    },
    /// A moderator takes one on.
    Assign(i32),
    /// A moderator ends one.
    Resolve {
        /// Which.
        report: i32,
        /// What is told of it.
        note: Box<str>,
        /// Nothing came of it.
        dismissed: bool,
    },
    /// For moderators: what is known of somebody.
    UserInfo(Box<str>),
    /// For moderators: how many of what.
    Stats,
    /// A notice has been delivered.
    Delivered(Vec<Pending>),
}
