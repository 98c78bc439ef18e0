//! What an operator may choose about the Cockatrice lobby, and the limits nobody may pass.

use std::time::Duration;

use cockatrice::flood::Limits;
use settings::{Address, Cidr};
use wire::{Format, ReadLimits};

use crate::{NodeSettings, Opened, Spoken, StrangerLimits, rate::Rate};

settings::settings! {
    /// Where the lobby listens, what a client may say at once, and how much may wait for one.
    #[derive(Clone, Debug)]
    pub struct ListenerSettings {
        /// Whether the Cockatrice lobby is there at all.
        enabled: bool = "cockatrice.enabled", flag(), "false";
        /// Its listener for clients over TCP, which is what they use for every port but 443, 80, 4748 and 8080. "auto" as
        /// host follows the FAF listeners: 127.0.0.1 while those offer open sign-in on loopback, otherwise 0.0.0.0. Port 0:
        /// any free port. "": off.
        tcp_address: Address = "cockatrice.tcp_address", address(), "auto:4747";
        /// Its listener for clients over WebSocket, at any path. "": off.
        websocket_address: Address = "cockatrice.websocket_address", address(), "auto:4748";
        /// Its listener for clients that speak TLS over TCP, which needs server.tls_certificate. "": off.
        tcp_tls_address: Address = "cockatrice.tcp_tls_address", address(), "";
        /// The same over WebSocket (wss), which is what clients use for port 443. "": off.
        websocket_tls_address: Address = "cockatrice.websocket_tls_address", address(), "";
        /// Header of a WebSocket request that carries the client's address behind a reverse proxy. "": not read. It is
        /// believed from addresses on networks of one's own.
        websocket_ip_header: String = "cockatrice.websocket_ip_header", text(), "";
        /// Longest message of a client. The longest real ones are decks and pictures of up to 2,097,151 bytes. A longer one
        /// ends the connection.
        message_bytes: usize = "cockatrice.message_bytes", number(1024, 1 << 26), "2200000", unit("bytes");
        /// A client for which more than this waits unread is disconnected. Lists of all users and games must fit.
        outbox_bytes: usize = "cockatrice.outbox_bytes", number(65_536, 1 << 30), "16777216", unit("bytes");
        /// A client that has taken nothing for this long while something waits is disconnected.
        outbox_stuck: Duration = "cockatrice.outbox_stuck_s", number(1, 86_400), "60", unit("s");
    }
}

impl ListenerSettings {
    /// Its listeners that are on.
    pub fn listeners(&self) -> impl Iterator<Item = Opened> {
        let all = [
            Spoken {
                name: "cockatrice/tcp",
                format: Format::PrefixedBigEndian,
                plain: self.tcp_address,
                tls: self.tcp_tls_address,
            },
            Spoken {
                name: "cockatrice/websocket",
                format: Format::WebSocketBinary,
                plain: self.websocket_address,
                tls: self.websocket_tls_address,
            },
        ];
        let enabled = self.enabled;
        let all = all.into_iter().flat_map(Spoken::opened);
        all.filter(move |_| enabled)
    }

    /// What its listeners read.
    pub fn read_limits(&self, format: Format) -> ReadLimits {
        let most = match format.has_upgrade() {
            true => WEBSOCKET_MESSAGE_BYTES,
            false => usize::MAX,
        };
        ReadLimits {
            message_bytes: self.message_bytes.min(most),
            ws_path: "*".to_owned(),
            ws_server: "Servatrice",
            ws_forwarded_header: self.websocket_ip_header.clone(),
            ..ReadLimits::default()
        }
    }
}

/// How people prove who they are (spec: cockatrice-wire 10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// They do not: everybody is an unknown user.
    Nothing,
    /// By one password for everybody.
    Password,
    /// By the password of their account; whoever has a name that no account has is let in without.
    Accounts,
}

settings::words! { Method { Nothing = "none", Password = "password", Accounts = "sql" } }

settings::settings! {
    /// Configuration of the dialect (spec: cockatrice-behaviour 15).
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// The name that clients are shown.
        name: String = "cockatrice.name", text(), "My Cockatrice server", live;
        /// How people sign in: "none", everybody under any name; "password", whoever knows the one password; "sql", with the
        /// password of their account, see cockatrice.store_url.
        method: Method = "cockatrice.auth", word(Method::WORDS), "none";
        /// Whether only people with an account may sign in, where there are accounts.
        registered_only: bool = "cockatrice.registered_only", flag(), "false", live;
        /// The one password of cockatrice.auth = "password".
        password: String = "cockatrice.password", text(), "", live, secret;
        /// What everybody is told after signing in; HTML. Where there are accounts the store's newest message counts, if it has
        /// one.
        message: String = "cockatrice.server_message", text(), "", live;
        /// Rooms, as a JSON list of objects: id (without one, the place in the list, from 0), name, description, auto_join,
        /// join_message, history (lines kept), game_types (a list of names), permission (none, registered, moderator,
        /// administrator), privilege (none, privileged, vip, donator). "": one room, "General room".
        rooms: String = "cockatrice.rooms", text(), "";
        /// How often connections and games are looked at: what is counted in ticks is counted in these.
        tick: Duration = "cockatrice.tick_ms", number(10, 600_000), "1000", unit("ms");
        /// How often users, moderators and games are counted in the table "uptime" of a MariaDB or MySQL server, which other
        /// programs read. 0: never. The embedded store has no such table.
        status_update: Option<Duration> = "cockatrice.status_update_ms", number(0, 86_400_000), "15000", unit("ms");
        /// A client that has sent nothing whole for more ticks than this is disconnected. Clients send something every three
        /// seconds.
        inactivity: u64 = "cockatrice.inactivity_ticks", number(1, 1_000_000), "15", unit("ticks"), live;
        /// Somebody who has neither talked nor played for more ticks than this is disconnected, and warned before. 0: nobody.
        idle: Option<u64> = "cockatrice.idle_ticks", number(0, 10_000_000), "3600", unit("ticks"), live;
        /// Whether a client must say which installation it is.
        require_client_id: bool = "cockatrice.require_client_id", flag(), "false", live;
        /// Features that a client must have, with commas between them.
        required_features: String = "cockatrice.required_features", text(), "", live;
        /// Connections from one address. 0: no limit.
        per_address: Option<u32> = "cockatrice.connections_per_address", number(0, 10_000_000), "4", unit("connections"), live;
        /// Addresses, and blocks of them, that may have any number of connections.
        exempt: Vec<Cidr> = "cockatrice.exempt_addresses", blocks(), "127.0.0.0/8,::1/128", live;
        /// Connections over TCP. 0: no limit of its own.
        most_tcp: Option<u32> = "cockatrice.max_users_tcp", number(0, 10_000_000), "0", unit("connections"), live;
        /// Connections over WebSocket. 0: no limit of its own.
        most_websocket: Option<u32> = "cockatrice.max_users_websocket", number(0, 10_000_000), "0", unit("connections"), live;
        /// Users who are signed in; further ones are told that the server is full. 0: no limit of its own.
        most_users: Option<u32> = "cockatrice.max_users_total", number(0, 10_000_000), "0", unit("users"), live;
        /// Over how long what one user says in rooms, games and privately is counted. 0: it is not.
        chat_interval: Option<Duration> = "cockatrice.chat_interval_s", number(0, 3600), "10", unit("s"), live;
        /// Messages of one user in that time; further ones are refused.
        chat_messages: u32 = "cockatrice.chat_messages", number(1, 1_000_000), "15", unit("messages"), live;
        /// Bytes of one user's messages in that time; further ones are refused.
        chat_bytes: u32 = "cockatrice.chat_bytes", number(1, 1 << 30), "1000", unit("bytes"), live;
        /// Over how long one user's commands in games are counted. 0: they are not.
        command_interval: Option<Duration> = "cockatrice.game_command_interval_s", number(0, 3600), "10", unit("s"), live;
        /// Such commands in that time, moving and drawing cards not counted; further ones are refused.
        game_commands: u32 = "cockatrice.game_commands", number(1, 1_000_000), "20", unit("commands"), live;
        /// Open games of one user in a room. -1: no limit.
        games_per_user: i64 = "cockatrice.games_per_user", number(-1, 1_000_000), "5", unit("games"), live;
        /// A game whose players are all disconnected is closed after this time. 0: never.
        game_inactivity: Option<Duration> = "cockatrice.game_inactivity_s", number(0, 1_000_000), "120", unit("s"), live;
        /// Whether replays of games are kept for those who took part, where there are accounts. A game that has begun is recorded, or
        /// not, as it began.
        store_replays: bool = "cockatrice.store_replays", flag(), "true", live;
        /// Whether what is said in rooms is written down for moderators, where there are accounts.
        log_rooms: bool = "cockatrice.log_room_messages", flag(), "false", live;
        /// Whether what is said in games is.
        log_games: bool = "cockatrice.log_game_messages", flag(), "false", live;
        /// Whether private messages are.
        log_private: bool = "cockatrice.log_private_messages", flag(), "false", live;
        /// Whether everybody may create a game as a judge.
        create_as_judge: bool = "cockatrice.allow_create_as_judge", flag(), "false", live;
        /// What holds where there are other nodes.
        nodes: NodeSettings;
        /// Commands of one client in a second in the long run; 1000 at once. It is heard later if it sends more. 0: no limit.
        commands_per_second: Option<u32> = "cockatrice.commands_per_second", number(0, 1_000_000), "100", unit("commands/s"), live;
    }
}

settings::settings! {
    /// Everything that an operator may choose about the lobby.
    #[derive(Clone, Debug)]
    pub struct LobbySettings {
        /// Where it listens.
        listener: ListenerSettings;
        /// What the dialect is told.
        dialect: Settings;
        /// What holds until somebody has signed in.
        strangers: StrangerLimits;
    }
}

impl Settings {
    /// These, but with what holds until the end of the process as it was before: the keys that are not live.
    pub(super) fn keeping_fixed(self, before: &Settings) -> Settings {
        Settings {
            method: before.method,
            rooms: before.rooms.clone(),
            tick: before.tick,
            status_update: before.status_update,
            ..self
        }
    }

    /// How much one client may say.
    pub(super) fn pace(&self) -> Option<Rate> {
        Rate::limit(self.commands_per_second, COMMANDS_BURST)
    }

    /// How much one user may say.
    pub(super) fn chat(&self) -> Limits {
        Limits {
            interval: self.ticks(self.chat_interval),
            count: self.chat_messages,
            bytes: self.chat_bytes,
        }
    }

    /// How much one user may do in games.
    pub(super) fn play(&self) -> Limits {
        Limits {
            interval: self.ticks(self.command_interval),
            count: self.game_commands,
            bytes: u32::MAX,
        }
    }

    /// How many ticks this time is, one at least; 0 if there is none.
    fn ticks(&self, time: Option<Duration>) -> u32 {
        let Some(time) = time else {
            return 0;
        };
        let ticks = time.as_millis() / self.tick.as_millis().max(1);
        u32::try_from(ticks).unwrap_or(u32::MAX).max(1)
    }
}

/// After how many ticks without doing anything somebody is warned who is ended after `most`.
pub(super) fn warned_after(most: u64) -> u64 {
    (most * 9).div_ceil(10)
}

/// Longest message over WebSocket, as in the reference (spec: cockatrice-wire 2).
const WEBSOCKET_MESSAGE_BYTES: usize = 1_500_000;
/// Commands in one container; clients send one, and some tens when many cards are touched at once.
pub(super) const COMMANDS: usize = 1_000;
/// Commands of one client at once: a container as long as it may be. Signing in with all tabs open takes some ten, and the user
/// list asks for a screenful of pictures.
pub(super) const COMMANDS_BURST: u32 = COMMANDS as u32;
/// Bytes of a message that count as much as a command.
pub(super) const COMMAND_BYTES: usize = 4_096;
/// Commands that a list of all users, or somebody's games, counts as.
pub(super) const LIST_COST: u64 = 10;
/// Failed sign-ins of one connection after which it is ended: a person stops to think before.
pub(super) const SIGN_IN_FAILURES: u8 = 10;
/// Commands that a failed sign-in counts as.
pub(super) const FAILURE_COST: u64 = 100;
/// Rooms of a server; each is a topic, and a line of everybody's list.
pub(super) const ROOMS: usize = 1_000;
/// Longest message that is read without being looked at first: what it becomes in memory is some hundred times as long at most.
pub(super) const SHORT_BYTES: usize = 65_536;
/// Fields of a longer message, of its command and of that command's content: it holds one text, and little else.
pub(super) const LONG_FIELDS: usize = 8;

#[cfg(test)]
mod tests {
    use settings::{Group, Key, Kind, Value, Values};

    use super::*;

    /// Another value than the default.
    fn other(key: &Key) -> Value {
        let texts = ["20", "7", "true", "false", "192.0.2.0/24", "other"];
        let values = texts.iter().filter_map(|text| key.kind.parse(text));
        let default = key.kind.parse(key.default);
        let mut others = values.filter(|value| Some(value) != default.as_ref());
        match key.kind {
            Kind::Word(words) => Value::Text(words[1].to_owned()),
            _ => others.next().expect("another value"),
        }
    }

    #[test]
    fn what_is_live_is_taken_over_and_nothing_else_is() {
        let before = Settings::default();
        for key in Settings::keys() {
            let mut values = Values::defaults(&Settings::keys());
            values.set(key, other(key));
            let typed = Settings::read(&values);
            let unlike = |one: &Settings| format!("{one:?}") != format!("{before:?}");
            assert!(unlike(&typed), "{}", key.name);
            let taken = unlike(&typed.keeping_fixed(&before));
            assert_eq!(taken, key.live, "{}", key.name);
        }
    }
}
