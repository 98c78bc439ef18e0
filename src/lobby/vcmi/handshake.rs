//! What a game says before it is relayed (spec: vcmi-proxy 10.1): frames in which a role and a uuid occur, then one byte.
//!
//! Everything is kept as it came, since the other side is sent it. Whether the uuid means anything is the lobby's business.

use serde::{Deserialize, Serialize};

use super::settings::GREETING_BYTES;
use wire::packets;

/// What a game says it is: the first word in round brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// The host's game server.
    Server,
    /// A guest's game.
    Client,
    /// Neither; it is in no session.
    Other,
}

/// What to do after a frame.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Read on.
    Frame,
    /// The next frame is a single byte without a header.
    Flag,
    /// The greeting is complete.
    Done,
    /// The frame is no text, or there are too many: the connection ends.
    Broken,
}

/// A greeting that is not complete.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Handshake {
    /// Everything so far, frames with their lengths.
    pub(super) greeting: Vec<u8>,
    pub(super) role: Option<Role>,
    /// The frame that names the session, once it is there: then only the flag is missing.
    pub(super) uuid: Option<String>,
}

impl Handshake {
    /// Takes in the next frame.
    pub(super) fn frame(&mut self, body: &[u8]) -> Next {
        if self.uuid.is_some() {
            self.greeting.extend_from_slice(body);
            return Next::Done;
        }
        let Ok(text) = std::str::from_utf8(body) else {
            return Next::Broken;
        };
        if self.greeting.len() + body.len() > GREETING_BYTES {
            return Next::Broken;
        }
        packets::encode(body, &mut self.greeting);
        if let Some(word) = bracketed(text) {
            self.role = Some(match word {
                "server" => Role::Server,
                "client" => Role::Client,
                _ => Role::Other,
            });
        }
        if self.role.is_none() || !holds_uuid(text) {
            return Next::Frame;
        }
        self.uuid = Some(text.to_owned());
        Next::Flag
    }
}

/// A character of a word, as in the reference's `\w`.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first word that stands alone in round brackets.
fn bracketed(text: &str) -> Option<&str> {
    text.match_indices('(').find_map(|(at, _)| {
        let (word, _) = text[at + 1..].split_once(')')?;
        (!word.is_empty() && word.chars().all(is_part)).then_some(word)
    })
}

/// Whether word characters in groups of 8-4-4-4-12 occur anywhere.
fn holds_uuid(text: &str) -> bool {
    const SHAPE: [usize; 5] = [8, 4, 4, 4, 12];
    let chars: Vec<char> = text.chars().collect();
    let shaped = |start: usize| {
        let mut at = start;
        SHAPE.iter().enumerate().all(|(index, &len)| {
            let dash = usize::from(index > 0);
            let group = chars.get(at..at + dash + len);
            at += dash + len;
            group.is_some_and(|group| {
                (dash == 0 || group[0] == '-') && group[dash..].iter().all(|&c| is_part(c))
            })
        })
    };
    (0..chars.len()).any(shaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: &str = "6b1f0c3e-0000-4000-8000-00000000aa55";

    fn after(frames: &[&str]) -> (Vec<Next>, Handshake) {
        let mut handshake = Handshake::default();
        let nexts = frames
            .iter()
            .map(|f| handshake.frame(f.as_bytes()))
            .collect();
        (nexts, handshake)
    }

    /// checklist: vcmi 88, 89
    #[test]
    fn a_greeting_is_frames_and_a_byte() {
        let (nexts, handshake) = after(&["Aiya!\n", "VCMI 1.4.0 (client)", UUID, "\x01"]);
        assert_eq!(nexts, [Next::Frame, Next::Frame, Next::Flag, Next::Done]);
        assert_eq!(handshake.role, Some(Role::Client));
        assert_eq!(handshake.uuid.as_deref(), Some(UUID));
        let mut expected = b"\x06\0\0\0Aiya!\n\x13\0\0\0VCMI 1.4.0 (client)\x24\0\0\0".to_vec();
        expected.extend_from_slice(UUID.as_bytes());
        expected.push(1);
        assert_eq!(handshake.greeting, expected);
    }

    #[test]
    fn role_and_uuid_may_come_in_other_frames() {
        let (nexts, handshake) = after(&["Aiya!\n", UUID, "x (server)", "y (client)", UUID]);
        assert_eq!(nexts[1], Next::Frame, "a uuid before the role is not taken");
        assert_eq!(nexts[4], Next::Flag);
        assert_eq!(
            handshake.role,
            Some(Role::Client),
            "a later word replaces it"
        );
        let (nexts, handshake) = after(&["Aiya! (editor)", UUID]);
        assert_eq!(nexts[1], Next::Flag);
        assert_eq!(handshake.role, Some(Role::Other));
    }

    #[test]
    fn words_and_uuids_are_found_anywhere() {
        assert_eq!(bracketed("a () (two words) (one) (two)"), Some("one"));
        assert_eq!(bracketed("((server)"), Some("server"));
        assert_eq!(bracketed("(server"), None);
        assert!(holds_uuid(&format!(" {UUID} ")));
        assert!(holds_uuid("AAAAAAAA-bbbb-_123-cccc-éééééééééééé"));
        assert!(!holds_uuid("6b1f0c3e-0000-4000-8000-00000000aa5"));
        assert!(!holds_uuid("6b1f0c3e00004000800000000000aa55"));
    }

    #[test]
    fn no_text_and_too_much_of_it_are_refused() {
        assert_eq!(
            Handshake::default().frame(b"\xff\xfe (server)"),
            Next::Broken
        );
        let mut handshake = Handshake::default();
        let mut frames = 0;
        while handshake.frame(&[b'x'; 250]) == Next::Frame {
            frames += 1;
        }
        assert_eq!(frames, 4);
    }
}
