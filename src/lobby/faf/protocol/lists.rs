//! Lists of encoded players and games.

use bytes::{Bytes, BytesMut};

/// What stands before the players of a `player_info`.
pub(in crate::faf) const PLAYERS_HEAD: &str = r#"{"command":"player_info","players":["#;
/// What stands before the games of a `game_info`.
pub(in crate::faf) const GAMES_HEAD: &str = r#"{"command":"game_info","games":["#;
/// What stands after a list.
pub(in crate::faf) const LIST_TAIL: &str = "]}";
/// Bytes of a frame as it is sent, whatever the transport. The real client reads none above 1 MiB (spec: faf-newer).
const FRAME_BYTES: usize = 512 << 10;
/// What a transport and the ends of a list may take of it.
const AROUND_BYTES: usize = 256;
/// Bytes of entries and the commas between them above which a list goes on in a message of its own: QDataStream takes two
/// bytes for one (spec: faf-wire 4).
pub(in crate::faf) const LIST_BYTES: usize = (FRAME_BYTES - AROUND_BYTES) / 2;

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

#[cfg(test)]
pub(in crate::faf) mod tests {
    use super::*;

    /// Sends a message in every format; gives it as a JSON value.
    pub(in crate::faf) fn in_frames(text: &[u8]) -> serde_json::Value {
        for format in wire::Format::ALL {
            let mut frame = Vec::new();
            format.encode(text, &mut frame);
            let bytes = frame.len();
            assert!(bytes <= FRAME_BYTES, "{bytes} bytes of {format:?}");
        }
        serde_json::from_slice(text).expect("JSON")
    }
}
