//! What the server says to launchers (spec: vcmi-proxy 9): `:>>NAME:argument:argument`, no end.

use std::fmt::{Display, Write};

/// `True` or `False`.
fn flag(flag: bool) -> &'static str {
    if flag { "True" } else { "False" }
}

/// A counted list: its length, then what `each` appends for every item.
fn list<T>(
    head: impl Display,
    items: impl ExactSizeIterator<Item = T>,
    each: impl Fn(&mut String, T),
) -> String {
    let mut out = format!(":>>{head}:{}", items.len());
    items.for_each(|item| each(&mut out, item));
    out
}

/// Text of a client that is passed on to others behind a colon: what would look like the start of a message is broken up
/// (spec: vcmi-proxy 7.3).
pub(super) fn harmless(text: &str) -> String {
    let gap = if text.starts_with(">>") { " " } else { "" };
    format!("{gap}{}", text.replace(":>>", ": >>"))
}

pub(super) fn users<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    list("USERS", names, |out, name| {
        let _ = write!(out, ":{name}");
    })
}

/// One line of the list of rooms.
pub(super) struct RoomLine<'a> {
    pub(super) name: &'a str,
    pub(super) players: usize,
    pub(super) seats: usize,
    pub(super) protected: bool,
}

pub(super) fn sessions<'a>(rooms: impl ExactSizeIterator<Item = RoomLine<'a>>) -> String {
    list("SESSIONS", rooms, |out, room| {
        let protected = flag(room.protected);
        let _ = write!(
            out,
            ":{}:{}:{}:{protected}",
            room.name, room.players, room.seats
        );
    })
}

pub(super) fn status<'a>(players: impl ExactSizeIterator<Item = (&'a str, bool)>) -> String {
    list("STATUS", players, |out, (name, ready)| {
        let _ = write!(out, ":{name}:{}", flag(ready));
    })
}

pub(super) fn mods<'a>(mods: impl ExactSizeIterator<Item = (&'a str, &'a str)>) -> String {
    list("MODS", mods, |out, (name, version)| {
        let _ = write!(out, ":{name}:{version}");
    })
}

pub(super) fn mods_other<'a>(
    user: &str,
    mods: impl ExactSizeIterator<Item = (&'a str, &'a str)>,
) -> String {
    let head = format!("MODSOTHER:{user}");
    list(head, mods, |out, (name, version)| {
        let _ = write!(out, ":{}:{}", harmless(name), harmless(version));
    })
}

pub(super) fn created(room: &str) -> String {
    format!(":>>CREATED:{room}")
}

pub(super) fn joined(room: &str, user: &str) -> String {
    format!(":>>JOIN:{room}:{user}")
}

pub(super) fn kicked(room: &str, user: &str) -> String {
    format!(":>>KICK:{room}:{user}")
}

pub(super) fn host(uuid: &str, guests: usize) -> String {
    format!(":>>HOST:{uuid}:{guests}")
}

pub(super) fn start(uuid: &str) -> String {
    format!(":>>START:{uuid}")
}

pub(super) fn game_mode(mode: i64) -> String {
    format!(":>>GAMEMODE:{mode}")
}

pub(super) fn channel(name: &str) -> String {
    format!(":>>CHANNEL:{name}")
}

pub(super) fn error(text: impl Display) -> String {
    format!(":>>ERROR:{}", harmless(&text.to_string()))
}

/// A word of the server itself.
pub(super) fn system(text: impl Display) -> String {
    format!(":>>MSG:System:{}", harmless(&text.to_string()))
}

/// A line of chat; the sender's version decides its form (spec: vcmi-proxy 7.3).
pub(super) fn chat(version: u8, user: &str, channel: &str, text: &str) -> String {
    let text = harmless(text);
    match version {
        0..=4 => format!(":>>MSG:{user}:{text}"),
        5.. => format!(":>>MSGCH:{user}:{channel}:{text}"),
    }
}

/// Asks a launcher of version 4 and up whether it is there; it says `<ALIVE>`.
pub(super) const HEALTH: &str = ":>>HEALTH:";
/// What stands above the list of names for old launchers; the names follow, each on a line of its own.
pub(super) const PEOPLE: &str = "People in lobby";
/// Said to a player who got into a room.
pub(super) const ROOM_CHAT: &str = "You are in the room chat.";
/// Said to a launcher whose command was not done because it says or causes too much.
pub(super) const TOO_MUCH: &str = "You are sending too much. Please wait a moment";
/// Said to one that goes on nevertheless, before it is disconnected.
pub(super) const FLOODED: &str = "You are sending too much and have been disconnected";
/// Said to whoever comes while the process is about to end.
pub(super) const NOBODY_NEW: &str =
    "The server is being shut down and takes nobody new. Please try again in a few minutes";
/// Said to everybody when it ends.
pub(super) const SHUT_DOWN: &str =
    "The server has been shut down. Please try again in a few minutes";
/// Said to everybody when the process is to end.
pub(super) const GOING_DOWN: &str =
    "The server is going down. Running games go on for now; no new room can be opened.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_begin_with_their_length() {
        assert_eq!(users(["a", "b"].into_iter()), ":>>USERS:2:a:b");
        assert_eq!(sessions([].into_iter()), ":>>SESSIONS:0");
        let room = RoomLine {
            name: "duel",
            players: 1,
            seats: 2,
            protected: true,
        };
        assert_eq!(sessions([room].into_iter()), ":>>SESSIONS:1:duel:1:2:True");
        assert_eq!(status([("a", false)].into_iter()), ":>>STATUS:1:a:False");
        assert_eq!(mods([("wog", "1.0")].into_iter()), ":>>MODS:1:wog:1.0");
    }

    #[test]
    fn nobody_can_say_what_only_the_server_says() {
        assert_eq!(
            chat(5, "eve", "global", "x:>>ERROR:boo"),
            ":>>MSGCH:eve:global:x: >>ERROR:boo"
        );
        assert_eq!(chat(4, "eve", "room", "::>>>"), ":>>MSG:eve::: >>>");
        assert_eq!(
            mods_other("eve", [("a:>>b", "1")].into_iter()),
            ":>>MODSOTHER:eve:1:a: >>b:1"
        );
    }
}
