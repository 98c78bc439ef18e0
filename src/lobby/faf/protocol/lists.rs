//! Lists of encoded players and games.

use bytes::{Bytes, BytesMut};

/// What stands before the players of a `player_info`.
pub(in crate::faf) const PLAYERS_HEAD: &str = r#"{"command":"player_info","players":["#;
/// What stands before the games of a `game_info`.
pub(in crate::faf) const GAMES_HEAD: &str = r#"{"command":"game_info","games":["#;
/// What stands after a list.
pub(in crate::faf) const LIST_TAIL: &str = "]}";
/// Bytes of entries above which a list goes on in a message of its own: the real client reads no frame above 1 MiB, and
/// QDataStream takes two bytes for one (spec: faf-newer, faf-wire 4).
pub(in crate::faf) const LIST_BYTES: usize = 256 << 10;

/// `player_info` with these players' objects.
pub(in crate::faf) fn player_info<'a>(texts: impl Iterator<Item = &'a Bytes>) -> Bytes {
    list(PLAYERS_HEAD, texts)
}

/// `game_info` with these games' objects.
pub(in crate::faf) fn game_info<'a>(texts: impl Iterator<Item = &'a Bytes>) -> Bytes {
    list(GAMES_HEAD, texts)
}

/// Encoded objects between a head and [`LIST_TAIL`].
fn list<'a>(head: &str, texts: impl Iterator<Item = &'a Bytes>) -> Bytes {
    let mut body = BytesMut::new();
    body.extend_from_slice(head.as_bytes());
    for (i, text) in texts.enumerate() {
        if i > 0 {
            body.extend_from_slice(b",");
        }
        body.extend_from_slice(text);
    }
    body.extend_from_slice(LIST_TAIL.as_bytes());
    body.freeze()
}
