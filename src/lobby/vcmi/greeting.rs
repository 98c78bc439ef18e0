//! Signing in: a name that nobody has, and what the newcomer and the others are told (spec: vcmi-proxy 7.1, 7.2).

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::{
    lobby::{Flow, Lobby},
    mail::Delivery,
    message,
    settings::{REMEMBERED, VERSION_CHARS},
    users::OLD_USERS,
};
use crate::{ConnId, operator::banned};

/// Shortest name, of users and of rooms.
pub(super) const NAME_CHARS: usize = 3;

/// What users below version 4 can do instead of reading a list.
const HINT: &str = "\n Send <HERE> to see people names in the chat";

/// Names that mean something else.
const RESERVED: [&str; 3] = ["System", "all", "room"];

impl Lobby {
    pub(super) fn greetings(&mut self, conn: ConnId, name: &str) -> Flow {
        if let Some(why) = self.objection(conn, name) {
            return self.refuse(conn, &why);
        }
        if let Some(&holder) = self.names.get(name)
            && !self.gives_way(holder, conn)
        {
            let why =
                format!("Can't connect with the name {name}. This login is already occpupied");
            return self.refuse(conn, &why);
        }
        self.metrics.logins.up();
        if self.names_seen.len() < REMEMBERED {
            self.names_seen.insert(name.to_owned());
        }
        // The others first, in words; the newcomer is not yet among them.
        let here = message::system(format_args!("{name} is here"));
        self.spread(OLD_USERS, here);
        let Some(user) = self.users.get_mut(&conn) else {
            return Flow::Stop;
        };
        user.name = name.to_owned();
        let modern = user.is_modern();
        self.names.insert(name.to_owned(), conn);
        self.spread_newcomer();
        self.update_topics(conn);
        self.deliver(conn.shard, Delivery::Welcome(conn, name.into()));
        let sessions = self.sessions_text();
        self.send(conn, &sessions);
        if modern {
            let users = self.users_text();
            self.send(conn, &users);
        }
        let others = self.names.len() - 1;
        let playing = self.pipes.len();
        let hint = if modern { "" } else { HINT };
        let text = format!("Here available {others} users, currently playing {playing}{hint}");
        self.send(conn, &message::system(text));
        // How much there is to be told is not the newcomer's doing.
        self.caused = 0;
        Flow::GoOn
    }

    /// Why the name can't be had, checked in this order.
    fn objection(&mut self, conn: ConnId, name: &str) -> Option<String> {
        if self
            .users
            .get(&conn)
            .is_some_and(|user| user.is_signed_in())
        {
            return Some("User already authorized".into());
        }
        let chars = name.chars().count();
        if chars < NAME_CHARS {
            return Some(format!("Too short username {name}"));
        }
        if RESERVED.contains(&name) {
            return Some(format!("Username {name} is reserved by system"));
        }
        if chars > self.settings.name_chars {
            self.metrics.over_limit.up();
            return Some("Invalid username".into());
        }
        if !name.chars().all(is_name_char) {
            return Some("Invalid username".into());
        }
        if let Some((until, reason)) = self.standing.banned.of(name, self.unix) {
            self.metrics.kept_out.up();
            return Some(banned(reason, until, self.unix));
        }
        None
    }

    pub(super) fn ver(&mut self, conn: ConnId, text: &str) -> Flow {
        let cut: String = text.chars().take(VERSION_CHARS).collect();
        self.metrics
            .over_limit
            .add(u64::from(cut.len() < text.len()));
        if let Some(user) = self.users.get_mut(&conn) {
            user.game_version = cut;
        }
        Flow::GoOn
    }
}

/// Letters and digits of any script, and a few signs. Marks that combine with letters are not among them.
fn is_name_char(c: char) -> bool {
    let group = c.general_category_group();
    matches!(
        group,
        GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number
    ) || matches!(c, '_' | '.' | '%' | '+' | '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi 18, 30
    #[test]
    fn letters_and_digits_of_any_script_make_a_name() {
        for name in ["alice", "Иван", "日本語", "a_.%+-1", "٣٤٥", "Ⅷx½", "ÅÄÖ"] {
            assert!(name.chars().all(is_name_char), "{name}");
        }
        for c in [
            ' ', '\n', ':', ';', '/', '@', '<', '\0', '\u{301}', '\u{93f}', '☃', '\u{200d}',
        ] {
            assert!(!is_name_char(c), "{c:?}");
        }
    }
}
