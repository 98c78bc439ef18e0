//! How much of what a game may hold (spec: cockatrice-table 14). Whatever is beyond is refused with `RespContextError`, except
//! where it says otherwise.

/// Cards of one table.
pub const TABLE_CARDS: usize = 2_000;
/// Cards of a player in all zones, before another gives him more.
pub const BOARD_CARDS: usize = 20_000;
/// Cards of a player above those of his deck, before he makes another token.
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
/// Bytes of the names of one revelation's cards.
pub const REVEALED_BYTES: usize = 4 * 1024 * 1024;
/// Commands of one container; the rest is not looked at.
pub const COMMANDS: usize = 1_000;
/// Commands within a judge's command.
pub const JUDGE_COMMANDS: usize = 100;
/// Commands within all judge's commands of a container.
pub const INNER_COMMANDS: usize = 1_000;
/// Bytes of the events of a container, before another command of it is handled: a card's name may be long.
pub const CONTAINER_BYTES: usize = 4 * 1024 * 1024;
/// Players of a game, whatever its creator said; one more gets `RespGameFull`.
pub const PLAYERS: u32 = 100;
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
