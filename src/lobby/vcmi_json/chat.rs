//! Talking, and asking for what was said (spec: vcmi-lobby2 5.4).

use bytes::Bytes;

use super::{
    journal::{Out, Then},
    lobby::{ACCOUNTS, Lobby, Online},
    protocol::{
        ChannelType,
        outgoing::{self, PastLine, Person},
    },
    questions::{Line, Outcome, Status, Step},
    settings::{HISTORY_BYTES, ID_CHARS},
};

/// The channels of type `global`.
const LANGUAGES: [&str; 29] = [
    "belarusian",
    "bulgarian",
    "chinese",
    "czech",
    "dutch",
    "english",
    "filipino",
    "finnish",
    "french",
    "german",
    "greek",
    "hungarian",
    "italian",
    "japanese",
    "korean",
    "latvian",
    "lithuanian",
    "norwegian",
    "polish",
    "portuguese",
    "romanian",
    "russian",
    "serbian",
    "spanish",
    "swedish",
    "tchinese",
    "turkish",
    "ukrainian",
    "vietnamese",
];
const NO_SUCH_PLAYER: &str = "Such player does not exists!";
const NOT_IN_ROOM: &str = "Can not access room you are not part of!";

impl Lobby {
    pub(super) fn say(
        &mut self,
        player: &Online,
        kind: ChannelType,
        channel: String,
        text: String,
    ) {
        let conn = player.conn;
        if let Some(why) = self.muted(&player.name) {
            self.tell_one(player, &why); // the client does not show why something failed
            return self.refuse(conn, &why);
        }
        if !is_printable(&text) {
            return self.refuse(conn, "No printable characters in sent message!");
        }
        if text.chars().count() > self.settings.chat_chars {
            return self.refuse_over_limit(conn, "This message is too long!");
        }
        match kind {
            ChannelType::Global => self.say_to_all(player, &channel, text),
            ChannelType::Player if self.ids.contains_key(&channel) => {
                self.say_to(player, &channel, text);
            }
            ChannelType::Player => {
                let id = channel.clone();
                let then = Then::SayToPlayer { to: channel, text };
                self.find(conn, vec![Step::FindAccount { id }], then);
            }
            ChannelType::Match => match self.room_ids.get(&channel).copied() {
                Some(room) => {
                    if !self.is_inside(room, &player.id) {
                        return self.refuse(conn, NOT_IN_ROOM);
                    }
                    // The match server shows it to the players itself.
                    self.note(player, kind, channel, text);
                    self.release(conn);
                }
                None => {
                    let id = channel.clone();
                    let then = Then::SayInRoom {
                        room: channel,
                        text,
                    };
                    self.find(conn, vec![Step::FindRoom { id }], then);
                }
            },
        }
    }

    /// It is to be stored.
    fn note(&mut self, player: &Online, kind: ChannelType, channel: String, text: String) {
        self.metrics.chat_lines.up();
        self.record(Step::Say {
            account: player.id.clone(),
            kind,
            channel,
            text,
            at: self.unix_s(),
        });
    }

    fn say_to_all(&mut self, player: &Online, channel: &str, text: String) {
        if !LANGUAGES.contains(&channel) {
            return self.refuse(player.conn, "Unknown language!");
        }
        let message = outgoing::chat_message(ChannelType::Global, channel, who(player), &text);
        let line = Line {
            account: player.id.clone(),
            name: player.name.clone(),
            text: text.clone(),
            at: self.unix_s(),
        };
        self.histories.add(channel, line);
        self.note(player, ChannelType::Global, channel.to_owned(), text);
        self.outs.push(Out::Spread(ACCOUNTS, message));
        self.release(player.conn);
    }

    pub(super) fn say_to_found(
        &mut self,
        player: &Online,
        to: String,
        text: String,
        found: &Outcome,
    ) {
        match found {
            Outcome::Account(Some(_)) => self.say_to(player, &to, text),
            _ => self.refuse(player.conn, NO_SUCH_PLAYER),
        }
    }

    /// To an account that there is.
    fn say_to(&mut self, player: &Online, to: &str, text: String) {
        let message = |channel| {
            let kind = ChannelType::Player;
            outgoing::chat_message(kind, channel, who(player), &text)
        };
        let (own, theirs) = (message(to), message(&player.id));
        self.send(player.conn, own);
        if to != player.id {
            for conn in self.connected([to]) {
                self.offer(conn, theirs.clone());
            }
        }
        let channel = channel_of_two(&player.id, to);
        self.note(player, ChannelType::Player, channel, text);
        self.release(player.conn);
    }

    /// In a room that is over.
    pub(super) fn say_in_past(
        &mut self,
        player: &Online,
        room: String,
        text: String,
        found: &Outcome,
    ) {
        let past = match found {
            Outcome::Room(Some(past)) if past.participants.contains(&player.id) => past,
            _ => return self.refuse(player.conn, NOT_IN_ROOM),
        };
        let kind = ChannelType::Match;
        if past.status == Status::Closed {
            let message = outgoing::chat_message(kind, &room, who(player), &text);
            let ids = past.participants.iter().map(String::as_str);
            for conn in self.connected(ids) {
                self.offer(conn, message.clone());
            }
        }
        self.note(player, kind, room, text);
        self.release(player.conn);
    }

    // ---- what was said -----------------------------------------------------------------------------------------

    pub(super) fn history(&mut self, player: &Online, kind: ChannelType, channel: String) {
        let conn = player.conn;
        match kind {
            ChannelType::Global => {
                if channel.chars().count() > ID_CHARS {
                    return self.refuse_over_limit(conn, "Unknown language!");
                }
                let text = self.global_history(&channel);
                self.send(conn, text);
                self.release(conn);
            }
            ChannelType::Player if self.ids.contains_key(&channel) => {
                self.history_of_player(player, &channel);
            }
            ChannelType::Player => {
                let id = channel.clone();
                let then = Then::HistoryOfPlayer { of: channel };
                self.find(conn, vec![Step::FindAccount { id }], then);
            }
            ChannelType::Match => match self.room_ids.get(&channel).copied() {
                Some(room) if self.is_inside(room, &player.id) => {
                    self.find_history(player, kind, channel.clone(), channel);
                }
                Some(_) => self.refuse(conn, NOT_IN_ROOM),
                None => {
                    let id = channel.clone();
                    let then = Then::HistoryOfRoom { room: channel };
                    self.find(conn, vec![Step::FindRoom { id }], then);
                }
            },
        }
    }

    pub(super) fn history_of_found(&mut self, player: &Online, of: &str, found: &Outcome) {
        match found {
            Outcome::Account(Some(_)) => self.history_of_player(player, of),
            _ => self.refuse(player.conn, NO_SUCH_PLAYER),
        }
    }

    fn history_of_player(&mut self, player: &Online, of: &str) {
        let channel = channel_of_two(&player.id, of);
        self.find_history(player, ChannelType::Player, channel, of.to_owned());
    }

    pub(super) fn history_of_past(&mut self, player: &Online, room: String, found: &Outcome) {
        match found {
            Outcome::Room(Some(past)) if past.participants.contains(&player.id) => {
                self.find_history(player, ChannelType::Match, room.clone(), room);
            }
            _ => self.refuse(player.conn, NOT_IN_ROOM),
        }
    }

    /// The history that is stored under one name is sent under another.
    fn find_history(&mut self, player: &Online, kind: ChannelType, stored: String, asked: String) {
        let conn = player.conn;
        let step = self.steps.len();
        self.record(Step::FindLines {
            kind,
            channel: stored,
            most: self.settings.history,
        });
        self.outs.push(Out::History {
            conn,
            kind,
            channel: asked,
            step,
        });
        self.release(conn);
    }
}

impl Lobby {
    /// A history: as many of the newest lines as may be sent at once.
    pub(super) fn history_text<'a>(
        &self,
        kind: ChannelType,
        channel: &str,
        lines: impl IntoIterator<Item = &'a Line, IntoIter: DoubleEndedIterator>,
    ) -> Bytes {
        let mut bytes = 0;
        let newest = lines.into_iter().rev().take_while(|line| {
            bytes += line.text.len();
            bytes <= HISTORY_BYTES
        });
        let newest: Vec<&Line> = newest.collect();
        let now = self.unix_s();
        let lines = newest.into_iter().rev().map(|line| PastLine {
            from: Person {
                id: &line.account,
                name: &line.name,
            },
            text: &line.text,
            age_s: now.saturating_sub(line.at),
        });
        outgoing::chat_history(kind, channel, lines)
    }
}

fn who(player: &Online) -> Person<'_> {
    Person {
        id: &player.id,
        name: &player.name,
    }
}

/// What two players' channel is stored under.
fn channel_of_two(one: &str, other: &str) -> String {
    let (first, second) = if one <= other {
        (one, other)
    } else {
        (other, one)
    };
    format!("{first}_{second}")
}

/// Whether something is left to be seen of a text, without control characters, braces and space around it.
fn is_printable(text: &str) -> bool {
    text.chars()
        .any(|c| !c.is_control() && !c.is_whitespace() && c != '{' && c != '}')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi-json 38
    #[test]
    fn a_line_needs_something_to_be_seen() {
        assert!(is_printable(" a ") && is_printable("{x}") && is_printable("日本"));
        for nothing in ["", "   ", "{}", "{ }", "\u{1}\t\n", "{\u{7f}}"] {
            assert!(!is_printable(nothing), "{nothing:?}");
        }
    }

    /// checklist: vcmi-json 40
    #[test]
    fn two_players_have_one_channel() {
        assert_eq!(channel_of_two("b", "a"), "a_b");
        assert_eq!(channel_of_two("a", "b"), "a_b");
        assert_eq!(channel_of_two("a", "a"), "a_a");
    }
}
