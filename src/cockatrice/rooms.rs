//! Rooms: who may enter, and what was said last (spec: cockatrice-behaviour 4.1, 4.4, 8).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::{
    accounts::{Level, Privilege},
    text,
};

/// Most lines that a room keeps, however many are configured.
pub const MOST_LINES: usize = 1000;

/// Most bytes of those lines: a line may be as long as a message.
pub const MOST_HISTORY_BYTES: usize = 256 << 10;

/// Who may enter a room, by what they are. Moderators always may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permission {
    /// Everybody.
    #[default]
    None,
    /// Who has an account.
    Registered,
    /// Nobody else.
    Moderator,
    /// Nobody else. Moderators may, as with the reference.
    Administrator,
}

impl Permission {
    /// Of the setting `permissionlevel`; nothing if it is no level.
    pub fn read(setting: &str) -> Option<Permission> {
        match setting.to_ascii_lowercase().as_str() {
            "" | "none" => Some(Permission::None),
            "registered" => Some(Permission::Registered),
            "moderator" => Some(Permission::Moderator),
            "administrator" => Some(Permission::Administrator),
            _ => None,
        }
    }
}

/// Who may enter a room, by what they gave. Moderators always may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Required {
    /// Nothing.
    #[default]
    None,
    /// Any privilege.
    Privileged,
    /// Exactly this one.
    Exactly(Privilege),
}

impl Required {
    /// Of the setting `privilegelevel`; nothing if it is no level.
    pub fn read(setting: &str) -> Option<Required> {
        match setting.to_ascii_lowercase().as_str() {
            "" | "none" => Some(Required::None),
            "privileged" => Some(Required::Privileged),
            "vip" => Some(Required::Exactly(Privilege::Vip)),
            "donator" => Some(Required::Exactly(Privilege::Donator)),
            _ => None,
        }
    }
}

/// Whether somebody may enter a room.
pub fn may_enter(
    permission: Permission,
    required: Required,
    level: Level,
    privilege: Privilege,
) -> bool {
    if level.is_moderator() {
        return true;
    }
    let permitted = match permission {
        Permission::None => true,
        Permission::Registered => level.is_registered(),
        Permission::Moderator | Permission::Administrator => false,
    };
    let privileged = match required {
        Required::None => true,
        Required::Privileged => privilege != Privilege::None,
        Required::Exactly(one) => privilege == one,
    };
    permitted && privileged
}

/// What was said last in a room, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    lines: VecDeque<Line>,
    /// How many lines are kept.
    most: usize,
    /// Of all lines.
    bytes: usize,
}

/// Something that was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    name: Box<str>,
    text: Box<str>,
    time_ms: u64,
}

impl Line {
    /// As it is told to who enters later.
    pub fn told(&self) -> String {
        format!("{}: {}", self.name, self.text)
    }

    /// When it was said, in milliseconds of Unix time.
    pub fn time_ms(&self) -> u64 {
        self.time_ms
    }

    fn bytes(&self) -> usize {
        self.name.len() + self.text.len()
    }
}

impl History {
    /// Whether no line is kept.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Keeps that many lines, at most [`MOST_LINES`].
    pub fn new(most: usize) -> History {
        History {
            most: most.min(MOST_LINES),
            ..History::default()
        }
    }

    /// Keeps what was said, and drops what is oldest.
    pub fn push(&mut self, name: &str, said: &str, time_ms: u64) {
        if self.most == 0 {
            return;
        }
        let line = Line {
            name: name.into(),
            text: text::clean(said).into(),
            time_ms,
        };
        self.bytes += line.bytes();
        self.lines.push_back(line);
        while self.lines.len() > self.most || self.bytes > MOST_HISTORY_BYTES {
            let Some(oldest) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes();
        }
    }

    /// The lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    /// Takes the text from the newest lines of somebody; the lines keep their places.
    pub fn blank(&mut self, name: &str, lines: u32) {
        let of_name = self.lines.iter_mut().rev();
        let of_name = of_name.filter(|line| *line.name == *name);
        for line in of_name.take(lines as usize) {
            self.bytes -= line.text.len();
            line.text = Box::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_let_in_who_they_are_for() {
        let (stranger, user) = (Level::UNREGISTERED, Level::REGISTERED);
        let moderator = Level::of_account(2);
        let who = |permission: &str, required: &str| {
            let permission = Permission::read(permission).expect("a level");
            let required = Required::read(required).expect("a level");
            [
                (stranger, Privilege::None),
                (user, Privilege::None),
                (user, Privilege::Vip),
                (user, Privilege::Donator),
                (moderator, Privilege::None),
            ]
            .map(|(level, privilege)| may_enter(permission, required, level, privilege))
        };
        let (all, none) = ([true; 5], [false, false, false, false, true]);
        assert_eq!(who("", ""), all);
        assert_eq!(who("none", "NONE"), all);
        assert_eq!(who("registered", ""), [false, true, true, true, true]);
        assert_eq!(who("moderator", ""), none);
        assert_eq!(who("Administrator", "vip"), none);
        assert_eq!(who("none", "vip"), [false, false, true, false, true]);
        assert_eq!(who("none", "Donator"), [false, false, false, true, true]);
        assert_eq!(who("none", "privileged"), [false, false, true, true, true]);
        assert_eq!(Permission::read("everybody"), None);
        assert_eq!(Required::read("money"), None);
    }

    fn told(history: &History) -> Vec<String> {
        history.lines().map(Line::told).collect()
    }

    #[test]
    fn the_newest_lines_are_kept() {
        let mut history = History::new(2);
        for (number, said) in ["one", "  two \n 2", "three"].into_iter().enumerate() {
            history.push("ann", said, number as u64);
        }
        assert_eq!(told(&history), ["ann: two 2", "ann: three"]);
        assert_eq!(history.lines().next().map(Line::time_ms), Some(1));
        let mut none = History::new(0);
        none.push("ann", "one", 0);
        assert_eq!(told(&none), Vec::<String>::new());
    }

    #[test]
    fn a_history_is_kept() {
        let mut history = History::new(2);
        history.push("ann", "one", 7);
        let kept = rmp_serde::to_vec_named(&history).expect("plain data");
        let mut read: History = rmp_serde::from_slice(&kept).expect("what was kept");
        assert_eq!(read, history);
        read.push("ann", "two", 8);
        read.push("ann", "three", 9);
        assert_eq!(told(&read), ["ann: two", "ann: three"]);
    }

    #[test]
    fn removed_lines_keep_their_place() {
        let mut history = History::new(5);
        for (name, said) in [("ann", "a"), ("bob", "b"), ("ann", "c"), ("ann", "d")] {
            history.push(name, said, 0);
        }
        history.blank("ann", 2);
        assert_eq!(told(&history), ["ann: a", "bob: b", "ann: ", "ann: "]);
        history.blank("ann", u32::MAX);
        history.blank("eve", 1);
        assert_eq!(told(&history), ["ann: ", "bob: b", "ann: ", "ann: "]);
        assert_eq!(history.bytes, "ann".len() * 3 + "bobb".len());
    }

    #[test]
    fn long_lines_push_out_others() {
        let mut history = History::new(usize::MAX);
        assert_eq!(history.most, MOST_LINES);
        for _ in 0..10 {
            history.push("ann", &"x".repeat(100_000), 0);
        }
        assert_eq!(told(&history).len(), 2);
        history.push("ann", &"x".repeat(MOST_HISTORY_BYTES), 0);
        assert_eq!((told(&history).len(), history.bytes), (0, 0));
    }
}
