//! Packets with a length go out, messages that begin with `:>>` come in (spec: vcmi-proxy 2).

use memchr::memmem;

use crate::protocols::blocks::{self, Order};
use crate::protocols::chat::LINE_END;

/// What a message begins with.
const HEAD: &[u8] = b":>>";
/// What a line of chat begins with.
const CHAT: &[u8] = b"MSGCH:";

/// A packet on the wire.
pub(super) fn packet(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + text.len());
    blocks::append(Order::Little, text.as_bytes(), &mut out);
    out
}

/// The first packet of a launcher.
pub(super) fn greeting(name: &str) -> Vec<u8> {
    packet(&format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.5"))
}

/// The first bytes of a game that was given this uuid.
pub(super) fn game_greeting(role: &str, uuid: &str) -> Vec<u8> {
    let mut greeting = [
        packet("Aiya!\n"),
        packet(&format!("VCMI 1.4.5 ({role})")),
        packet(uuid),
    ]
    .concat();
    greeting.push(1);
    greeting
}

/// How long the greeting of a game is that these bytes begin with: three packets and a byte. `None` while it is not complete.
pub(super) fn game_greeting_length(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    for _ in 0..3 {
        let head = bytes.get(at..at + 4)?;
        let length = u32::from_le_bytes(head.try_into().expect("four bytes"));
        at += 4 + length as usize;
    }
    (bytes.len() > at).then_some(at + 1)
}

/// A line of chat.
pub(super) fn chat(text: &str) -> Vec<u8> {
    packet(&format!("<MSG>{text}"))
}

/// What was said, if this is a line of chat. Names and channels have no colon.
pub(super) fn chat_text(message: &str) -> Option<&str> {
    message.strip_prefix("MSGCH:")?.splitn(3, ':').nth(2)
}

/// Messages out of a stream of bytes.
#[derive(Debug, Default)]
pub struct Messages {
    rest: Vec<u8>,
}

impl Messages {
    /// Takes the next bytes and tells `sink` each message in them, without its head. Messages have no end: the last of what
    /// has come counts as whole, as it does for real launchers, except for a line of chat, whose end is known.
    pub fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&str)) {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(head) = memmem::find(&self.rest[at..], HEAD) {
            let start = at + head + HEAD.len();
            let end = memmem::find(&self.rest[start..], HEAD);
            let message = &self.rest[start..end.map_or(self.rest.len(), |end| start + end)];
            if end.is_none() && is_cut(message) {
                self.rest.drain(..at + head);
                return;
            }
            sink(&String::from_utf8_lossy(message));
            at = start + message.len();
        }
        // What stands before a head belongs to a message that was told already.
        self.rest.drain(..at);
        if !HEAD.starts_with(&self.rest) {
            self.rest.clear();
        }
    }
}

/// Whether this is the beginning of a line of chat.
fn is_cut(message: &[u8]) -> bool {
    let chat = message.starts_with(CHAT) || CHAT.starts_with(message);
    chat && message.last() != Some(&(LINE_END as u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chat_may_be_cut_anywhere() {
        let stream = b":>>MSGCH:eve:global:one: 12345;:>>MSGCH:bob:global:two;";
        for cut in 0..=stream.len() {
            let (mut messages, mut said) = (Messages::default(), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                messages.push(part, &mut |message| {
                    said.extend(chat_text(message).map(str::to_owned));
                });
            }
            assert_eq!(said, ["one: 12345;", "two;"], "cut at {cut}");
        }
    }

    #[test]
    fn the_last_message_counts_as_whole() {
        let (mut messages, mut told) = (Messages::default(), Vec::new());
        for part in [
            "STATUS:no head",
            ":>>USERS:2:",
            "eve:>>MSG:System:hi",
            ":>>ROOMS:0",
        ] {
            messages.push(part.as_bytes(), &mut |message| {
                told.push(message.to_owned())
            });
        }
        assert_eq!(told, ["USERS:2:", "MSG:System:hi", "ROOMS:0"]);
    }

    #[test]
    fn a_game_greeting_is_as_long_as_it_says() {
        let greeting = game_greeting("server", "some-uuid");
        assert_eq!(game_greeting_length(&greeting), Some(greeting.len()));
        let more = [&greeting[..], b"game"].concat();
        assert_eq!(game_greeting_length(&more), Some(greeting.len()));
        for length in 0..greeting.len() {
            assert_eq!(game_greeting_length(&greeting[..length]), None);
        }
    }
}
