//! Talking and asking: MSG, CHANNEL, HERE, ROOT (spec: vcmi-proxy 7.3, 7.4, 7.15, 7.16).

use std::fmt::Write;

use super::{
    lobby::{Flow, Lobby},
    message,
    users::{Channel, Place, USERS},
};
use crate::{ConnId, operator::muted};

impl Lobby {
    pub(super) fn msg(&mut self, conn: ConnId, text: &str) -> Flow {
        if text.len() > self.settings.chat_bytes {
            self.metrics.over_limit.up();
            return self.refuse(conn, "Message is too long");
        }
        let Some(user) = self.users.get(&conn) else {
            return Flow::Stop;
        };
        if let Some((until, reason)) = self.standing.muted.of(&user.name, self.unix) {
            self.metrics.muted_lines.up();
            let why = muted(reason, until, self.unix);
            return self.refuse(conn, &why);
        }
        self.metrics.chat_lines.up();
        let line = message::chat(user.version, &user.name, user.channel.name(), text);
        match (user.channel, user.room()) {
            (Channel::Global, _) => self.spread(USERS, line),
            (Channel::Room, Some(room)) => {
                let players = self.players(room);
                self.offer_each(&players, &line);
            }
            (Channel::Room, None) => {
                let in_channel: Vec<ConnId> = self
                    .signed_in()
                    .filter(|user| user.channel == Channel::Room)
                    .map(|user| user.conn)
                    .collect();
                self.offer_each(&in_channel, &line);
            }
        }
        Flow::GoOn
    }

    pub(super) fn channel(&mut self, conn: ConnId, name: &str) -> Flow {
        let Some(channel) = Channel::named(name) else {
            return self.refuse(conn, &already_exists(name)); // the text really is this one
        };
        let Some(user) = self.users.get_mut(&conn) else {
            return Flow::Stop;
        };
        if user.channel == channel {
            return Flow::Stop;
        }
        user.channel = channel;
        self.send(conn, &message::channel(name));
        Flow::GoOn
    }

    pub(super) fn here(&mut self, conn: ConnId) -> Flow {
        let Some(asking) = self.users.get(&conn) else {
            return Flow::Stop;
        };
        let text = if asking.is_modern() {
            self.users_text()
        } else {
            let mut text = message::PEOPLE.to_owned();
            for user in self.signed_in().filter(|u| u.channel == asking.channel) {
                let _ = write!(text, "\n{}", user.name);
                if let Place::Inside(room) = user.place
                    && let Some(room) = self.rooms.get(&room)
                {
                    let _ = write!(text, "[room {}]", room.name);
                }
            }
            message::system(text)
        };
        self.send(conn, &text);
        Flow::GoOn
    }

    pub(super) fn root(&mut self, conn: ConnId, field: &str) -> Flow {
        let value = match field {
            "uniques" => self.addresses_seen.len() as u64,
            "users" => self.names_seen.len() as u64,
            "logins" => self.accepted,
            "rooms" => self.rooms_created,
            "sessions" => self.sessions_started,
            "clients" | "connections" => 0,
            _ => return self.ignore(),
        };
        self.send(conn, &message::system(value));
        Flow::GoOn
    }
}

/// Said of a room's name that is taken, and of a channel that does not exist.
pub(super) fn already_exists(name: &str) -> String {
    format!("Cannot create session with name {name}, session with this name already exists")
}
