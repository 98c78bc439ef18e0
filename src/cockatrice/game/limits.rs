//! How much of what a game may hold (spec: cockatrice-table 14). Whatever is beyond is refused with `RespContextError`, except
//! where it says otherwise.

/// Cards of a deck, main and side together.
pub const DECK_CARDS: usize = 10_000;
/// Bytes of the names and providers of a deck's cards, each copy counted: what a snapshot of them all may take.
pub const DECK_TEXT_BYTES: usize = 2 * 1024 * 1024;
/// Moves of a sideboard plan.
pub const PLAN_MOVES: usize = 10_000;
/// Cards of one table.
pub const TABLE_CARDS: usize = 2_000;
/// Tokens of a player that are somewhere.
pub const TOKENS: usize = 1_000;
/// Counters of a player.
pub const COUNTERS: usize = 100;
/// Counters of a card.
pub const CARD_COUNTERS: usize = 100;
/// Arrows of a player.
pub const ARROWS: usize = 500;
/// Cards attached to one card.
pub const ATTACHMENTS: usize = 500;
/// Cards of one move.
pub const MOVED_CARDS: usize = 10_000;
/// Cards of one revelation.
pub const REVEALED_CARDS: usize = 10_000;
/// Commands of one container; the rest is not looked at.
pub const COMMANDS: usize = 100;
/// Commands within a judge's command.
pub const JUDGE_COMMANDS: usize = 100;
/// Spectators of a game; one more gets `RespSpectatorsNotAllowed`.
pub const SPECTATORS: usize = 100;
/// Participants whose names are kept for the replays; those who come later are not told of them.
pub const REMEMBERED: usize = 1_000;
/// The farthest place on a table in each direction; what is beyond is moved there.
pub const FARTHEST: i32 = 100_000;
/// Bytes of one replay; what comes after is not recorded.
pub const REPLAY_BYTES: usize = 16 * 1024 * 1024 - 64 * 1024;
/// Bytes of a text of the table, as in the reference: cut, not refused.
pub const TEXT_BYTES: usize = 255;
