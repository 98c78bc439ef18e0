//! What the lobby says. Text is raw UTF-8 with short escapes only, members in alphabetical order: the client's reader knows
//! no `\u` (spec: vcmi-lobby2 2, 4.3).

use bytes::Bytes;

use super::{ChannelType, Mod};

/// Somebody, as lists name them.
pub(in crate::vcmi_json) struct Person<'a> {
    pub(in crate::vcmi_json) id: &'a str,
    pub(in crate::vcmi_json) name: &'a str,
}

/// A line of a history.
pub(in crate::vcmi_json) struct PastLine<'a> {
    pub(in crate::vcmi_json) from: Person<'a>,
    pub(in crate::vcmi_json) text: &'a str,
    pub(in crate::vcmi_json) age_s: u64,
}

/// A room, as clients see it.
pub(in crate::vcmi_json) struct RoomView<'a, P, I> {
    pub(in crate::vcmi_json) id: &'a str,
    pub(in crate::vcmi_json) host: Person<'a>,
    pub(in crate::vcmi_json) description: &'a str,
    pub(in crate::vcmi_json) version: &'a str,
    pub(in crate::vcmi_json) status: &'a str,
    pub(in crate::vcmi_json) player_limit: u32,
    pub(in crate::vcmi_json) age_s: u64,
    pub(in crate::vcmi_json) participants: P,
    pub(in crate::vcmi_json) invited: I,
    pub(in crate::vcmi_json) mods: &'a [Mod],
}

/// Text as a JSON string. Control characters without a short escape are dropped: nothing could be made of them.
pub(in crate::vcmi_json) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            0x08 => "\\b",
            0x0C => "\\f",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// An object that is being written; its members have to come in alphabetical order.
pub(in crate::vcmi_json) struct Object<'a> {
    out: &'a mut String,
    empty: bool,
}

impl<'a> Object<'a> {
    pub(in crate::vcmi_json) fn new(out: &'a mut String) -> Self {
        out.push('{');
        Object { out, empty: true }
    }

    fn name(&mut self, name: &str) -> &mut String {
        if !std::mem::replace(&mut self.empty, false) {
            self.out.push(',');
        }
        self.out.push('"');
        self.out.push_str(name);
        self.out.push_str("\":");
        self.out
    }

    pub(in crate::vcmi_json) fn text(mut self, name: &str, text: &str) -> Self {
        write_text(self.name(name), text);
        self
    }

    pub(in crate::vcmi_json) fn number(mut self, name: &str, number: u64) -> Self {
        let text = number.to_string();
        self.name(name).push_str(&text);
        self
    }

    fn flag(mut self, name: &str, flag: bool) -> Self {
        self.name(name)
            .push_str(if flag { "true" } else { "false" });
        self
    }

    pub(in crate::vcmi_json) fn list<T>(
        mut self,
        name: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut String, T),
    ) -> Self {
        let out = self.name(name);
        out.push('[');
        for (at, item) in items.into_iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write(out, item);
        }
        out.push(']');
        self
    }

    fn with(mut self, name: &str, write: impl FnOnce(&mut String)) -> Self {
        write(self.name(name));
        self
    }

    pub(in crate::vcmi_json) fn end(self) {
        self.out.push('}');
    }
}

fn message(write: impl FnOnce(Object<'_>) -> Object<'_>) -> Bytes {
    let mut out = String::new();
    write(Object::new(&mut out)).end();
    out.into()
}

fn person(out: &mut String, person: Person<'_>) {
    Object::new(out)
        .text("accountID", person.id)
        .text("displayName", person.name)
        .end();
}

fn write_mod(out: &mut String, one: &Mod) {
    let mut object = Object::new(out)
        .text("modId", &one.id)
        .text("name", &one.name);
    if let Some(parent) = &one.parent {
        object = object.text("parent", parent);
    }
    object.text("version", &one.version).end();
}

/// A room as a member of a list or of an update.
pub(in crate::vcmi_json) fn room<'a, P, I>(out: &mut String, room: RoomView<'a, P, I>)
where
    P: IntoIterator<Item = Person<'a>>,
    I: IntoIterator<Item = Person<'a>>,
{
    Object::new(out)
        .number("ageSeconds", room.age_s)
        .text("description", room.description)
        .text("gameRoomID", room.id)
        .text("hostAccountDisplayName", room.host.name)
        .text("hostAccountID", room.host.id)
        .list("invited", room.invited, person)
        .list("mods", room.mods, write_mod)
        .list("participants", room.participants, person)
        .number("playerLimit", room.player_limit.into())
        .text("status", room.status)
        .text("version", room.version)
        .end();
}

pub(in crate::vcmi_json) fn account_created(id: &str, cookie: &str) -> Bytes {
    message(|object| {
        object
            .text("accountCookie", cookie)
            .text("accountID", id)
            .text("type", "accountCreated")
    })
}

pub(in crate::vcmi_json) fn client_login_success(cookie: &str, name: &str) -> Bytes {
    message(|object| {
        object
            .text("accountCookie", cookie)
            .text("displayName", name)
            .text("type", "clientLoginSuccess")
    })
}

pub(in crate::vcmi_json) fn server_login_success(cookie: &str) -> Bytes {
    message(|object| {
        object
            .text("accountCookie", cookie)
            .text("type", "serverLoginSuccess")
    })
}

pub(in crate::vcmi_json) fn operation_failed(reason: &str) -> Bytes {
    message(|object| {
        object
            .text("reason", reason)
            .text("type", "operationFailed")
    })
}

pub(in crate::vcmi_json) fn chat_history<'a>(
    kind: ChannelType,
    channel: &str,
    lines: impl IntoIterator<Item = PastLine<'a>>,
) -> Bytes {
    message(|object| {
        object
            .text("channelName", channel)
            .text("channelType", kind.word())
            .list("messages", lines, |out, line| {
                Object::new(out)
                    .text("accountID", line.from.id)
                    .number("ageSeconds", line.age_s)
                    .text("displayName", line.from.name)
                    .text("messageText", line.text)
                    .end();
            })
            .text("type", "chatHistory")
    })
}

pub(in crate::vcmi_json) fn chat_message(
    kind: ChannelType,
    channel: &str,
    from: Person<'_>,
    text: &str,
) -> Bytes {
    message(|object| {
        object
            .text("accountID", from.id)
            .text("channelName", channel)
            .text("channelType", kind.word())
            .text("displayName", from.name)
            .text("messageText", text)
            .text("type", "chatMessage")
    })
}

pub(in crate::vcmi_json) fn active_accounts<'a>(
    accounts: impl IntoIterator<Item = Person<'a>>,
) -> Bytes {
    message(|object| {
        object
            .list("accounts", accounts, |out, person| {
                Object::new(out)
                    .text("accountID", person.id)
                    .text("displayName", person.name)
                    .text("status", "In Lobby")
                    .end();
            })
            .text("type", "activeAccounts")
    })
}

/// Rooms, each written by `write`.
pub(in crate::vcmi_json) fn active_game_rooms<T>(
    rooms: impl IntoIterator<Item = T>,
    write: impl FnMut(&mut String, T),
) -> Bytes {
    message(|object| {
        object
            .list("gameRooms", rooms, write)
            .text("type", "activeGameRooms")
    })
}

pub(in crate::vcmi_json) fn update_game_room(write: impl FnOnce(&mut String)) -> Bytes {
    message(|object| object.with("room", write).text("type", "updateGameRoom"))
}

/// Rooms, each written by `write`.
pub(in crate::vcmi_json) fn matches_history<T>(
    rooms: impl IntoIterator<Item = T>,
    write: impl FnMut(&mut String, T),
) -> Bytes {
    message(|object| {
        object
            .list("matchesHistory", rooms, write)
            .text("type", "matchesHistory")
    })
}

pub(in crate::vcmi_json) fn join_room_success(room: &str, proxy: bool) -> Bytes {
    message(|object| {
        object
            .text("gameRoomID", room)
            .flag("proxyMode", proxy)
            .text("type", "joinRoomSuccess")
    })
}

pub(in crate::vcmi_json) fn invite_received(from: &str, room: &str) -> Bytes {
    message(|object| {
        object
            .text("accountID", from)
            .text("gameRoomID", room)
            .text("type", "inviteReceived")
    })
}

pub(in crate::vcmi_json) fn account_joins_room(account: &str) -> Bytes {
    message(|object| {
        object
            .text("accountID", account)
            .text("type", "accountJoinsRoom")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi-json 8
    #[test]
    fn text_goes_out_raw_with_short_escapes_only() {
        let from = Person {
            id: "i",
            name: "n\"\\",
        };
        let text = "zażółć \u{1F642} \u{8}\u{c}\n\r\t\u{1}\u{7f}/";
        let line = chat_message(ChannelType::Global, "english", from, text);
        let expected = "{\"accountID\":\"i\",\"channelName\":\"english\",\"channelType\":\"global\",\
             \"displayName\":\"n\\\"\\\\\",\"messageText\":\"zażółć \u{1F642} \\b\\f\\n\\r\\t\u{7f}/\",\"type\":\"chatMessage\"}";
        assert_eq!(std::str::from_utf8(&line).unwrap(), expected);
        let read = super::super::reader::read(&line);
        assert!(read.is_some(), "it reads what it writes");
    }
}
