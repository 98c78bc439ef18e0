//! What the Cockatrice dialect asks the back office, and what comes back.
//!
//! Plain data: texts are cut to the lengths of the protocol before they are asked with (spec: cockatrice-wire 8). A command
//! that only the store can answer becomes a question of its subject, and its answer is an [`Outcome`]: the code and content of the
//! response, as they are written, and whom else it concerns. Who may ask is the dialect's business, who may see what the
//! question's.

mod account;
mod commands;
mod decks;
mod games;
mod moderation;
mod outcome;
mod registration;
mod replays;
mod reports;
mod sign_in;
mod status;
mod who;

pub use self::{
    account::{AccountChange, ChangeAccount, List, ListChange},
    commands::{Asked, by_admin, by_anybody, by_moderator, by_registered},
    decks::{AskDecks, DeckForGame, DeckRequest},
    games::{
        KeepGame, KeepPiece, LogLine, NewGame, Place, PlayedGame, Recorded, StoreGame, WriteLog,
    },
    moderation::{BanKeys, Moderate, ModeratorRequest},
    outcome::{Banned, Change, Notice, Outcome, Pending, event, notification},
    registration::{Register, Registration},
    replays::{AskReplays, ReplayRequest},
    reports::{AskReports, NewReport, ReportRequest},
    sign_in::{
        CloseSession, OpenSession, Opened, Password, PasswordSalt, Refusal, ServerMessage, SignIn,
        SignedIn,
    },
    status::NoteStatus,
    who::Who,
};

crate::questions! {
    PasswordSalt,
    SignIn,
    OpenSession,
    CloseSession,
    ServerMessage,
    Register,
    ChangeAccount,
    AskDecks,
    DeckForGame,
    AskReplays,
    AskReports,
    Moderate,
    NewGame,
    KeepPiece,
    KeepGame,
    StoreGame,
    WriteLog,
    NoteStatus,
}
