//! What recordings know of this lobby. A message is its text; of a game only how many bytes went which way.
//!
//! spec: vcmi-proxy 2, 4, 5, 7 to 10

use serde_json::{Value, json};

use super::packets::packet;
use crate::recording::dialect::{Dialect, Place, Side, Transport, Visitor};
use crate::recording::is_mask;
use crate::recording::splitter::{Shape, Splitter};

/// This lobby in recordings.
#[derive(Debug)]
pub(crate) struct Dialogue;

/// What a launcher hears last when it signs in.
const GREETED: &str = "MSG:System:Here available";
/// What begins the answer to each command besides `ERROR`; other commands have no other answer.
const ANSWERS: &[(&str, &str)] = &[
    ("GREETINGS", GREETED),
    ("CHANNEL", "CHANNEL:"),
    ("COUNT", "CREATED:"),
    ("PSWD", "JOIN:"),
    ("MODS", "MODS:"),
    ("HOSTMODE", "GAMEMODE:"),
    ("HERE", "USERS:"),
    ("ROOT", "MSG:System:"),
    ("READY", "STATUS:"),
    ("FORCESTART", "START:"),
    ("LEAVE", "KICK:"),
    ("KICK", "KICK:"),
    ("NEW", "ERROR:"),
    ("JOIN", "ERROR:"),
];
const UUID: Place = Place::SecretId("uuid");

impl Dialect for Dialogue {
    fn splitter(&self, _transport: Transport, side: Side) -> Splitter {
        Splitter::new(match side {
            Side::Client => Shape::Packets { decided: false },
            Side::Server => Shape::Launcher,
        })
    }

    fn read(&self, _transport: Transport, side: Side, bytes: &[u8]) -> Value {
        match (side, bytes) {
            // The byte after a game's greeting, which has no length.
            (Side::Client, [flag @ 0..=9]) => json!({"flag": flag}),
            _ => String::from_utf8_lossy(bytes).into_owned().into(),
        }
    }

    fn write(
        &self,
        _transport: Transport,
        message: &Value,
        out: &mut Vec<u8>,
    ) -> Result<(), &'static str> {
        match (message.as_str(), message["flag"].as_u64()) {
            (Some(text), _) => out.extend_from_slice(&packet(text)),
            (None, Some(flag)) => out.push(flag as u8),
            (None, None) => return Err("it was no message"),
        }
        Ok(())
    }

    fn kind(&self, side: Side, message: &Value) -> String {
        let Some(text) = message.as_str() else {
            return "game".to_owned();
        };
        match side {
            Side::Client => {
                let first = commands(text).next();
                first.map_or("game", |(tag, _)| tag).to_owned()
            }
            Side::Server => {
                let system = text.starts_with("MSG:System:");
                let words = text.split(':').take(if system { 2 } else { 1 });
                words.collect::<Vec<_>>().join(":")
            }
        }
    }

    fn answers(&self, me: &str, said: &Value, heard: &Value) -> bool {
        let (Some(said), Some(heard)) = (said.as_str(), heard.as_str()) else {
            return false;
        };
        commands(said).any(|(tag, value)| match tag {
            "MSG" => is_line(heard, me, value),
            _ => ANSWERS.iter().any(|(known, answer)| {
                *known == tag && (heard.starts_with(answer) || heard.starts_with("ERROR:"))
            }),
        })
    }

    fn signs_in(&self, heard: &Value) -> bool {
        let text = heard.as_str();
        text.is_some_and(|text| text.starts_with(GREETED))
    }

    fn refusal(&self, heard: &Value) -> Option<String> {
        let why = heard.as_str()?.strip_prefix("ERROR:")?;
        Some(why.to_owned())
    }

    fn visit(&self, side: Side, message: &mut Value, place: Visitor<'_>) {
        let Some(text) = message.as_str() else {
            return;
        };
        let mut rebuilt = String::with_capacity(text.len());
        let mut tell = |what, value: &str| {
            let mut value = Value::from(value);
            place(what, &mut value);
            crate::recording::text_of(&value)
        };
        match side {
            Side::Client if is_uuid(text) || is_mask(text) => rebuilt = tell(UUID, text),
            Side::Client => {
                rebuilt.push_str(&text[..text.find('<').unwrap_or(text.len())]);
                let mut at = rebuilt.len();
                for (tag, value) in commands(text) {
                    rebuilt.push('<');
                    rebuilt.push_str(tag);
                    rebuilt.push('>');
                    at += tag.len() + 2 + value.len();
                    match client_place(tag) {
                        Some(what) if !value.is_empty() => rebuilt.push_str(&tell(what, value)),
                        _ => rebuilt.push_str(value),
                    }
                }
                rebuilt.push_str(&text[at..]);
            }
            Side::Server => {
                let mut words = text.splitn(3, ':');
                match (words.next(), words.next(), words.next()) {
                    (Some(kind @ ("HOST" | "START")), Some(uuid), rest) => {
                        rebuilt.push_str(kind);
                        rebuilt.push(':');
                        rebuilt.push_str(&tell(UUID, uuid));
                        if let Some(rest) = rest {
                            rebuilt.push(':');
                            rebuilt.push_str(rest);
                        }
                    }
                    _ => return,
                }
            }
        }
        *message = Value::String(rebuilt);
    }
}

fn client_place(tag: &str) -> Option<Place> {
    match tag {
        "GREETINGS" => Some(Place::Login),
        "KICK" => Some(Place::Name),
        "NEW" | "JOIN" | "LEAVE" | "READY" | "FORCESTART" => Some(Place::Unique),
        "PSWD" => Some(Place::Secret("room password")),
        _ => None,
    }
}

/// The commands of a packet, as the lobby reads them: what follows an end that is none is not read.
fn commands(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text.find('<').map_or("", |at| &text[at..]);
    std::iter::from_fn(move || {
        let (tag, value) = rest.strip_prefix('<')?.split_once('>')?;
        let end = value.find('<').unwrap_or(value.len());
        rest = &value[end..];
        (!tag.is_empty()).then_some((tag, &value[..end]))
    })
}

/// Whether this is `me`'s line of chat.
fn is_line(heard: &str, me: &str, line: &str) -> bool {
    let said = heard.strip_suffix(line);
    said.is_some_and(|said| {
        let old = said
            .strip_prefix("MSG:")
            .and_then(|rest| rest.strip_suffix(':'));
        let new = said
            .strip_prefix("MSGCH:")
            .and_then(|rest| rest.split(':').next());
        old == Some(me) || new == Some(me)
    })
}

fn is_uuid(text: &str) -> bool {
    let mut places = text.bytes().enumerate();
    text.len() == 36
        && places.all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(side: Side, text: &str) -> (String, usize) {
        let (mut message, mut places) = (Value::from(text), 0);
        Dialogue.visit(side, &mut message, &mut |place, value| {
            places += 1;
            if place.mask().is_some() {
                *value = "-".into();
            }
        });
        (message.as_str().expect("a text").to_owned(), places)
    }

    #[test]
    fn secrets_go_and_all_else_stays() {
        let uuid = "6b1f0c3e-0000-4000-8000-123456789abc";
        for (side, text, expected, count) in [
            (
                Side::Client,
                "\x05\x04utf8<GREETINGS>eve<VER>1",
                "\x05\x04utf8<GREETINGS>eve<VER>1",
                1,
            ),
            (
                Side::Client,
                "<NEW>duel<PSWD>x y<COUNT>2<MODS>a&1",
                "<NEW>duel<PSWD>-<COUNT>2<MODS>a&1",
                2,
            ),
            (
                Side::Client,
                "<JOIN>duel<PSWD><MODS>",
                "<JOIN>duel<PSWD><MODS>",
                1,
            ),
            (Side::Client, "<MSG>1 <2 and", "<MSG>1 <2 and", 0),
            (Side::Client, uuid, "-", 1),
            (Side::Client, "[masked uuid 2]", "-", 1),
            (Side::Server, &format!("HOST:{uuid}:1"), "HOST:-:1", 1),
            (Side::Server, &format!("START:{uuid}"), "START:-", 1),
            (Side::Server, "MSG:eve:HOST:x", "MSG:eve:HOST:x", 0),
        ] {
            assert_eq!(masked(side, text), (expected.to_owned(), count), "{text}");
        }
    }

    #[test]
    fn an_answer_is_one_s_own() {
        let answers = |said: &str, heard: &str| {
            Dialogue.answers("eve", &Value::from(said), &Value::from(heard))
        };
        assert!(answers("<MSG>a:b", "MSGCH:eve:global:a:b"));
        assert!(answers("<MSG>a", "MSG:eve:a"));
        assert!(!answers("<MSG>a", "MSGCH:bob:global:a"));
        assert!(!answers("<MSG>a", "USERS:1:eve"));
        assert!(answers("<NEW>duel<PSWD><COUNT>2", "CREATED:duel"));
        assert!(answers("<READY>duel", "ERROR:no"));
        assert!(!answers("<VER>1", "MSG:eve:1"));
    }
}
