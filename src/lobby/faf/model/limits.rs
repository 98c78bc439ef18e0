//! Limits nobody may pass: each bounds something a stranger could otherwise make grow.

use crate::rate::Rate;

/// Characters of a game title (spec: faf-messages 3.7: the column's width).
pub(in crate::faf) const TITLE_CHARS: usize = 128;
/// Bytes of a game password, a mod name and a map folder; clients offer at most a line of text.
pub(in crate::faf) const FIELD_BYTES: usize = 256;
/// Bytes of a token; real ones are below 2 KiB.
pub(in crate::faf) const TOKEN_BYTES: usize = 16 << 10;
/// Bytes of what one game sends another through the lobby, as it is passed on. Candidates and descriptions of ICE have some
/// kilobytes.
pub(in crate::faf) const ICE_BYTES: usize = 32 << 10;
/// Bytes of that from one player: a host who is back sends some kilobytes to each of 15 others.
pub(in crate::faf) const ICE: Rate = Rate {
    per_second: 64 << 10,
    burst: 1 << 20,
};
/// Characters of a user agent that are kept (the column has 50).
pub(in crate::faf) const USER_AGENT_CHARS: usize = 50;
/// User agents and versions that are told apart in metrics, on one shard: a stranger may call themselves anything.
pub(in crate::faf) const CLIENT_LABELS: usize = 64;
/// Friends and foes of one player, each.
pub(in crate::faf) const RELATIONS: usize = 10_000;
/// Options of one game; the game itself knows about 60, mods add some.
pub(in crate::faf) const GAME_OPTIONS: usize = 256;
/// Players for whom a host may set options; 16 slots, and everyone who passed through.
pub(in crate::faf) const CONFIGURED_PLAYERS: usize = 128;
/// Options of one player or AI; the game sends about 15.
pub(in crate::faf) const PLAYER_OPTIONS: usize = 64;
/// AIs of one game: twice the slots.
pub(in crate::faf) const AIS: usize = 32;
/// Bytes of an option's key and value together; the longest is a list of restricted units.
pub(in crate::faf) const OPTION_BYTES: usize = 4096;
/// The same of a player's or an AI's option: names and numbers.
pub(in crate::faf) const PLAYER_OPTION_BYTES: usize = 512;
/// Bytes of a team's name, which everybody is told: real ones are numbers.
pub(in crate::faf) const TEAM_BYTES: usize = 16;
/// Bytes of all options of a game, of its players and of its AIs, each with [`OPTION_COST`] more: 16 players, as many AIs and
/// a hundred options take some 30 KiB.
pub(in crate::faf) const OPTIONS_BYTES: usize = 128 << 10;
/// What an option takes beside its key and value.
pub(in crate::faf) const OPTION_COST: usize = 40;
/// Sim mods of one game.
pub(in crate::faf) const SIM_MODS: usize = 128;
/// Bytes of their uids and names as everybody is told them: a hundred with 36 characters and a name each take 8 KiB.
pub(in crate::faf) const SIM_MODS_BYTES: usize = 16 << 10;
/// Bytes of what everybody is told of one game until it is launched; beyond that a change waits. With 12 players and some mods
/// it is 3 KB, so that a game may change with each tick.
pub(in crate::faf) const GAME_NEWS: Rate = Rate {
    per_second: 8 << 10,
    burst: 256 << 10,
};
/// Results one game keeps: what 16 reporters may say.
pub(in crate::faf) const RESULTS: usize = 16 * RESULTS_OF_ONE;
/// Of these, results in one player's words: 16 armies, some repetitions.
pub(in crate::faf) const RESULTS_OF_ONE: usize = 64;
/// Bytes of the army statistics of one game; a full game has about 100 KiB.
pub(in crate::faf) const STATS_BYTES: usize = 1 << 20;
/// Values, keys and brackets in them, and escapes, by which parsing costs: a blueprint of 60 bytes has ten, so a full game some 17
/// thousand.
pub(in crate::faf) const STATS_VALUES: usize = 64 << 10;
/// Reports of team kills one game keeps.
pub(in crate::faf) const TEAMKILLS: usize = 64;
/// Reports of one player's game to another node that are kept until they can't be lost any more: some results of each of 16
/// armies while an owner is lost and not missed yet.
pub(in crate::faf) const REPORTS_KEPT: usize = 128;
/// Bytes of all of them on one shard: most are below 200, and statistics are told once in a game.
pub(in crate::faf) const REPORTS_KEPT_BYTES: usize = 16 << 20;
/// Places in one game of which is known up to which number they were heard, the last ones: who comes back has another one.
pub(in crate::faf) const HEARD_SEATS: usize = 4 * SEATS;
/// Connections in one game, those still setting up included; 16 slots and spectators.
pub(in crate::faf) const SEATS: usize = 64;
/// Bytes of a game as everybody is told of it; one with a hundred mods and sixteen players has about 12 KiB.
pub(in crate::faf) const GAME_BYTES: usize = 64 << 10;
/// Searches of one queue whose ratings everybody is told of; the number of searching players is told whatever it is.
pub(in crate::faf) const BOUNDARIES: usize = 512;
/// Bytes of an avatar's address; the column of its file name has 212.
pub(in crate::faf) const URL_BYTES: usize = 512;
/// Bytes of an administrator's message to everybody: it goes to each of thousands.
pub(in crate::faf) const BROADCAST_BYTES: usize = 16 << 10;
/// Players an administrator may call into a channel at once.
pub(in crate::faf) const CHANNEL_GUESTS: usize = 10_000;
/// Members of one party. Queues have teams of up to six; a party is also a place to gather.
pub(in crate::faf) const PARTY_MEMBERS: usize = 64;
/// Invitations of one party that are still open: everybody a busy player meets in a day.
pub(in crate::faf) const PARTY_INVITATIONS: usize = 256;

/// Vetoes in one request; all pools together have a few hundred maps.
pub(in crate::faf) const VETOES: usize = 4096;
