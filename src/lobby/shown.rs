//! What every lobby shows of itself under the same names, so that whoever looks at all of them need know none. What a lobby has
//! no notion of, it does not show.

/// Of `muster_lobby_players { lobby }`.
pub(crate) const PLAYERS: &str = "Players who are signed in now, by lobby.";
/// Of `muster_lobby_games { lobby, state }`.
pub(crate) const GAMES: &str =
    "Games there are now, by lobby: open ones are being set up, running ones have begun.";
/// Of `muster_lobby_rooms { lobby }`.
pub(crate) const ROOMS: &str = "Rooms there are now, by lobby.";
