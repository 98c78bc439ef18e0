//! What several of its keys make together.

use cockatrice::rooms::{MOST_LINES, Permission, Required};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    super::{
        error::{ConfigError, Place},
        sources::Given,
    },
    DATABASE, Ini, LacksStore, PORT, flag, give,
};

/// The array of rooms.
const ROOMS: &str = "rooms/roomlist";

/// Puts our values together from theirs.
pub(super) struct Composer<'a> {
    pub(super) ini: &'a Ini<'a>,
    /// What the variable says that counts for the whole database.
    pub(super) database: Option<&'a str>,
    /// What the variable says of the port for WebSocket.
    pub(super) port: Option<&'a str>,
}

impl Composer<'_> {
    pub(super) fn all(&self, notes: &mut Vec<String>) -> Result<Vec<Given>, ConfigError> {
        let mut given = vec![give(&Place::Implied, "", "cockatrice.enabled", "true")?];
        self.listeners(&mut given)?;
        self.database(&mut given)?;
        self.rooms(&mut given, notes)?;
        self.limits(&mut given, notes)?;
        self.mail(&mut given, notes)?;
        self.trusted(&mut given)?;
        Ok(given)
    }

    /// A value of theirs, or its default there.
    fn text(&self, key: &str, default: &'static str) -> &str {
        self.ini.value(key).unwrap_or(default).trim()
    }

    fn is_on(&self, key: &str, default: &'static str) -> bool {
        flag(self.text(key, default)) == "true"
    }

    fn listeners(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        for (name, host, port, default, pools, key) in [
            (
                "server/port",
                "server/host",
                "server/port",
                "4747",
                "server/number_pools",
                "cockatrice.tcp_address",
            ),
            (
                "server/websocket_port",
                "server/websocket_host",
                "server/websocket_port",
                "4748",
                "server/websocket_number_pools",
                "cockatrice.websocket_address",
            ),
        ] {
            let of_variable = self.port.filter(|_| key == "cockatrice.websocket_address");
            let port = of_variable.map_or_else(|| self.text(port, default), str::trim);
            let address = match self.text(pools, "1") {
                "0" => String::new(),
                _ => address(self.text(host, "any"), port),
            };
            given.push(match of_variable {
                Some(_) => give(&Place::Environment(PORT.to_owned()), PORT, key, &address)?,
                None => self.ini.give(name, key, &address)?,
            });
        }
        Ok(())
    }

    fn database(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        if let Some(prefix) = self.ini.value("database/prefix") {
            let prefix = match prefix.trim() {
                "" => String::new(),
                prefix => format!("{}_", prefix.trim_end_matches('_')),
            };
            let key = "cockatrice.store_prefix";
            given.push(self.ini.give("database/prefix", key, &prefix)?);
        }
        if let Some(url) = self.database {
            // What stands behind a question mark is for another library.
            let url = url.split('?').next().unwrap_or_default();
            let place = Place::Environment(DATABASE.to_owned());
            given.push(give(&place, DATABASE, "cockatrice.store_url", url)?);
            given.push(give(&place, DATABASE, "cockatrice.auth", "sql")?);
            return Ok(());
        }
        if self.database_type() == "mysql" {
            let part = |key, default| {
                let text = self.text(key, default);
                utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
            };
            let host = self.text("database/hostname", "localhost");
            let url = format!(
                "mysql://{}:{}@{}/{}",
                part("database/user", "servatrice"),
                part("database/password", ""),
                if host.is_empty() { "localhost" } else { host },
                part("database/database", "servatrice"),
            );
            let (name, key) = ("database/type", "cockatrice.store_url");
            given.push(self.ini.give(name, key, &url)?);
        }
        Ok(())
    }

    fn database_type(&self) -> String {
        self.text("database/type", "none").to_ascii_lowercase()
    }

    /// Why the file names no database that could be used.
    pub(super) fn lacks_store(&self) -> Option<LacksStore> {
        let place = &self.ini.place;
        let ours = "set it to mysql, or set cockatrice.store_url in muster's own words";
        let kind = self.database_type();
        let method = self.text("authentication/method", "none");
        let (why, only_for_accounts) = match kind.as_str() {
            _ if self.database.is_some() => return None,
            "mysql" => return None,
            "" | "none" if !method.eq_ignore_ascii_case("sql") => return None,
            "" | "none" => (
                format!("{place}: authentication/method is sql, but database/type is none: {ours}"),
                true,
            ),
            other => (
                format!("{place}: database/type is {other:?}; there is only mysql: {ours}"),
                false,
            ),
        };
        Some(LacksStore {
            why,
            only_for_accounts,
        })
    }

    fn rooms(&self, given: &mut Vec<Given>, notes: &mut Vec<String>) -> Result<(), ConfigError> {
        let method = self.text("rooms/method", "config").to_ascii_lowercase();
        let (name, key) = ("rooms/method", "cockatrice.rooms_in_store");
        match method.as_str() {
            _ if self.database.is_some() => {
                let place = Place::Environment(DATABASE.to_owned());
                given.push(give(&place, DATABASE, key, "true")?);
            }
            "sql" => given.push(self.ini.give(name, key, "true")?),
            "config" | "" => {
                let rooms = self.room_list(notes);
                let name = "rooms/roomlist/size";
                given.push(self.ini.give(name, "cockatrice.rooms", &rooms)?);
            }
            other => {
                return self.refuse(&format!(
                    "rooms/method is {other:?}; there are config and sql"
                ));
            }
        }
        Ok(())
    }

    /// The rooms of the file, as ours have them; empty if there are none.
    fn room_list(&self, notes: &mut Vec<String>) -> String {
        let rooms = 1..=self.ini.settings.array_len(ROOMS);
        let rooms: Vec<Value> = rooms.map(|room| self.room(room, notes)).collect();
        match rooms.is_empty() {
            true => String::new(),
            false => json!(rooms).to_string(),
        }
    }

    /// A room of the file. Of a level that is none the strictest sense counts: whoever set it meant to keep somebody out.
    fn room(&self, room: usize, notes: &mut Vec<String>) -> Value {
        let of_room = |key: &str| format!("{ROOMS}/{room}/{key}");
        let text = |key: &str| self.ini.value(&of_room(key)).unwrap_or_default();
        let types = 1..=self.ini.settings.array_len(&of_room("game_types"));
        let types = types.map(|kind| text(&format!("game_types/{kind}/name")).to_owned());
        let mut taken = |key: &str, why: &str, taken: &str| {
            let (place, theirs) = (&self.ini.place, text(key));
            notes.push(format!(
                "{place}: {} = {theirs:?} {why}; taken is {taken}",
                of_room(key)
            ));
            taken.to_owned()
        };
        let permission = match text("permissionlevel").trim() {
            level if Permission::read(level).is_some() => level.to_owned(),
            _ => taken("permissionlevel", "is no level", "moderator"),
        };
        let privilege = match text("privilegelevel").trim() {
            level if Required::read(level).is_some() => level.to_owned(),
            _ => taken("privilegelevel", "is no privilege", "privileged"),
        };
        let lines = text("chathistorysize").trim().parse::<u64>().unwrap_or(0);
        let most = MOST_LINES as u64;
        if lines > most {
            taken("chathistorysize", "is too many", &most.to_string());
        }
        json!({
            "name": text("name"),
            "description": text("description"),
            "auto_join": flag(text("autojoin")) == "true",
            "join_message": text("joinmessage"),
            "history": lines.min(most),
            "game_types": types.collect::<Vec<_>>(),
            "permission": permission,
            "privilege": privilege,
        })
    }

    /// How many users there may be, if that is limited.
    fn limits(&self, given: &mut Vec<Given>, notes: &mut Vec<String>) -> Result<(), ConfigError> {
        if !self.is_on("security/enable_max_user_limit", "false") {
            return Ok(());
        }
        for (name, key) in [
            ("security/max_users_total", "cockatrice.max_users_total"),
            ("security/max_users_tcp", "cockatrice.max_users_tcp"),
            (
                "security/max_users_websocket",
                "cockatrice.max_users_websocket",
            ),
        ] {
            // 0 is no limit here.
            let most = self.ini.fitted(name, key, self.text(name, "500"), 1, notes);
            given.push(self.ini.give(name, key, &most)?);
        }
        Ok(())
    }

    fn mail(&self, given: &mut Vec<Given>, notes: &mut Vec<String>) -> Result<(), ConfigError> {
        let email = self.text("smtp/email", "");
        if !email.is_empty() {
            let sender = match self
                .text("smtp/name", "")
                .replace(['"', '\\', '<', '>'], "")
            {
                name if name.trim().is_empty() => email.to_owned(),
                name => format!("\"{}\" <{email}>", name.trim()),
            };
            given.push(
                self.ini
                    .give("smtp/email", "cockatrice.mail_sender", &sender)?,
            );
        }
        if !self.is_on("smtp/enableinternalsmtpclient", "true") {
            notes.push(format!(
                "{}: smtp/enableinternalsmtpclient is off: tokens wait in the database for a program of yours",
                self.ini.place
            ));
            return Ok(());
        }
        let Some(host) = self.ini.value("smtp/host").map(str::trim) else {
            return Ok(());
        };
        let encoded = |key| utf8_percent_encode(self.text(key, ""), NON_ALPHANUMERIC).to_string();
        let login = match self.text("smtp/username", "") {
            "" => String::new(),
            _ => format!("{}:{}@", encoded("smtp/username"), encoded("smtp/password")),
        };
        let port = self.text("smtp/port", "25");
        let url = match self
            .text("smtp/connection", "tcp")
            .to_ascii_lowercase()
            .as_str()
        {
            "ssl" => format!("smtps://{login}{host}:{port}"),
            "tcp" | "" => format!("smtp://{login}{host}:{port}?tls=opportunistic"),
            other => {
                return self.refuse(&format!(
                    "smtp/connection is {other:?}; there are tcp and ssl"
                ));
            }
        };
        given.push(self.ini.give("smtp/host", "cockatrice.smtp_url", &url)?);
        Ok(())
    }

    /// Who has no limit of connections.
    fn trusted(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        let key = "security/trusted_sources";
        let sources = self.text(key, "127.0.0.1,::1").split(',').map(str::trim);
        let sources = sources.map(|source| match source {
            "localhost" => "127.0.0.1",
            source => source,
        });
        let sources: Vec<&str> = sources.filter(|source| !source.is_empty()).collect();
        let all = sources.join(",");
        given.push(self.ini.give(key, "cockatrice.exempt_addresses", &all)?);
        Ok(())
    }

    fn refuse<T>(&self, why: &str) -> Result<T, ConfigError> {
        Err(ConfigError::Contradiction(format!(
            "{}: {why}",
            self.ini.place
        )))
    }
}

/// `HOST:PORT` as our listeners have it.
fn address(host: &str, port: &str) -> String {
    match host {
        "" | "any" => format!("0.0.0.0:{port}"),
        "localhost" => format!("127.0.0.1:{port}"),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}
