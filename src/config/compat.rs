//! The settings of the server this one replaces, under its names (spec: faf-lifecycle 16).
//!
//! A deployment of the FAF lobby server is configured by environment variables and a YAML file. [`NAMES`] says what each
//! of its keys is called here; what several of them make together is put together in [`Composer`]. Their values lie
//! between our defaults and our own file, environment and flags, so that whatever is said in our own words wins.

mod document;
mod table;

use std::{collections::BTreeMap, path::Path};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use self::table::{Means, NAMES, Name, Type};
use super::{
    error::{ConfigError, Place},
    groups::{find, nearest_of},
    service_links,
    sources::Given,
};

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    /// In our own words.
    pub(super) given: Vec<Given>,
    /// This is a deployment of that server, whose defaults are meant too.
    pub(super) deployed: bool,
    /// That, and how it is known, in words.
    pub(super) replaces: Option<String>,
    /// What somebody should know about it.
    pub(super) notes: Vec<String>,
}

/// A value as typed, of its name's type.
#[derive(Clone, Debug, PartialEq)]
enum Old {
    Flag(bool),
    Number(f64),
    Text(String),
    Numbers(Vec<f64>),
    Listeners(Vec<Listener>),
}

/// An entry of `LISTEN` (spec: faf-wire 1).
#[derive(Clone, Debug, PartialEq)]
struct Listener {
    address: String,
    port: u16,
    protocol: String,
    proxy: bool,
}

/// Values by name, with their places.
type Olds = BTreeMap<&'static str, (Old, Place)>;

/// Reads the environment, and the file if there is one; the file wins.
pub(super) fn read(
    environment: &[(String, String)],
    file: Option<&Path>,
) -> Result<Found, ConfigError> {
    let mut found = Found::default();
    let mut olds = Olds::new();
    let named = environment.iter().filter_map(|(variable, text)| {
        let name = NAMES.iter().find(|name| name.name == variable)?;
        (!service_links::is_one(variable, text)).then_some((name, variable, text))
    });
    let sign = sign(named.clone().map(|(name, ..)| name.name), file);
    for (name, variable, text) in named {
        let place = Place::Environment(variable.clone());
        let old = name.kind.parse(text);
        // Other programs have variables of such names, too.
        if sign.is_none()
            && COMMON.contains(&name.name)
            && !old.as_ref().is_some_and(|old| name.has_a_word_for(old))
        {
            found.notes.push(format!(
                "{place}: {text:?} means nothing here, and is passed over: without a database or a file of a FAF lobby \
                 server it is somebody else's"
            ));
            continue;
        }
        let old = old.ok_or_else(|| bad(&place, name, format!("{text:?}")))?;
        olds.insert(name.name, (old, place));
    }
    for (variable, _) in environment {
        if let Some(why) = table::gone(variable) {
            let place = Place::Environment(variable.clone());
            let note = format!("{place}: {variable} has no effect here: {why}");
            found.notes.push(note);
        }
    }
    let deployed = sign.is_some();
    if let Some(file) = file {
        read_file(file, &mut olds, &mut found.notes)?;
    }
    let composer = Composer {
        olds: &olds,
        deployed,
    };
    found.given = composer.all()?;
    found.deployed = deployed;
    found.replaces = sign.map(|sign| {
        format!(
            "in the place of a FAF lobby server, whose settings and defaults count (there is {sign}): accounts are in \
             its database, and there is no VCMI lobby unless it is asked for"
        )
    });
    for (name, (_, place)) in &olds {
        let unused = NAMES.iter().find(|known| known.name == *name);
        if let Some(Means::Nothing(why)) = unused.map(|known| known.means) {
            found
                .notes
                .push(format!("{place}: {name} has no effect here: {why}"));
        }
    }
    Ok(found)
}

/// Whether this is a name of that server's.
pub(super) fn knows(variable: &str) -> bool {
    NAMES.iter().any(|name| name.name == variable)
}

/// What says that this is a deployment of that server, so that its defaults are meant too: its file, or its database in the
/// words that are its alone. `DB_NAME` and the like are said to many programs, and count beside something else of its own.
fn sign(names: impl Iterator<Item = &'static str> + Clone, file: Option<&Path>) -> Option<String> {
    if let Some(file) = file {
        return Some(format!("the file {}", file.display()));
    }
    let own = |name: &&str| !COMMON.contains(name);
    let variable = |name| format!("the variable {name}");
    let database = names.clone().find(|name| name.starts_with("DB_"))?;
    let mut databases = names.clone().filter(|name| name.starts_with("DB_"));
    databases
        .find(|name| own(name))
        .or_else(|| names.clone().find(own).map(|_| database))
        .map(variable)
}

/// Names that programs of all kinds have for their settings.
const COMMON: &[&str] = &[
    "DB_PORT",
    "DB_PASSWORD",
    "DB_NAME",
    "LISTEN",
    "LOG_LEVEL",
    "METRICS_PORT",
    "ENABLE_METRICS",
    "WWW_URL",
    "CONTENT_URL",
    "API_CLIENT_ID",
    "API_CLIENT_SECRET",
    "API_TOKEN_URI",
    "API_BASE_URL",
];

fn read_file(file: &Path, olds: &mut Olds, notes: &mut Vec<String>) -> Result<(), ConfigError> {
    let shown = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            notes.push(format!(
                "{shown}: there is no such file; going on without it"
            ));
            return Ok(());
        }
        Err(error) => {
            return Err(ConfigError::Unreadable {
                file: shown,
                why: error.to_string(),
            });
        }
    };
    for (key, value) in document::members(&shown, &text)? {
        let place = Place::Document(shown.clone());
        let Some(name) = NAMES.iter().find(|name| name.name == key) else {
            if let Some(why) = table::gone(&key) {
                notes.push(format!("{place}: {key} has no effect here: {why}"));
                continue;
            }
            let guess = nearest_of(NAMES.iter().map(|name| name.name), &key);
            let guess = guess.map_or(String::new(), |name| format!("; did you mean {name}?"));
            notes.push(format!("{place}: unknown key {key}{guess}"));
            continue;
        };
        let Some(value) = value.of(name.kind) else {
            return Err(bad(&place, name, value.to_string()));
        };
        olds.insert(name.name, (value, place));
    }
    Ok(())
}

fn bad(place: &Place, name: &Name, value: String) -> ConfigError {
    ConfigError::BadValue {
        place: place.clone(),
        key: name.name,
        value,
        allowed: name.kind.to_string(),
    }
}

impl Name {
    /// Whether a value of its type is one of its words, if it has a list of them: others mean nothing.
    fn has_a_word_for(&self, old: &Old) -> bool {
        match self.means {
            Means::Word(key, words) => {
                find(key).is_some_and(|key| key.kind.parse(&word(old, words)).is_some())
            }
            _ => true,
        }
    }
}

impl Type {
    /// Reads a value of this type from text, as environment variables have it.
    fn parse(self, text: &str) -> Option<Old> {
        let text = text.trim();
        match self {
            Type::Flag => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Some(Old::Flag(true)),
                "false" | "no" | "off" | "0" => Some(Old::Flag(false)),
                _ => None,
            },
            Type::Number => {
                let number: f64 = text.parse().ok()?;
                number.is_finite().then_some(Old::Number(number))
            }
            Type::Text => Some(Old::Text(text.to_owned())),
            Type::Numbers | Type::Listeners => {
                let members = document::value(text)?;
                members.of(self)
            }
        }
    }
}

/// Puts our values together from theirs.
struct Composer<'a> {
    olds: &'a Olds,
    deployed: bool,
}

impl Composer<'_> {
    fn all(&self) -> Result<Vec<Given>, ConfigError> {
        let mut given = Vec::new();
        if self.deployed {
            for (key, text) in table::DEPLOYED {
                given.push(self.give(None, key, text)?);
            }
        }
        for (name, (old, _)) in self.olds {
            let means = NAMES.iter().find(|known| known.name == *name);
            let (key, text) = match means.map(|known| known.means) {
                Some(Means::Key(key)) => (key, plain(old)),
                Some(Means::Times(key, factor)) => (key, times(old, factor)),
                Some(Means::Word(key, words)) => (key, word(old, words)),
                _ => continue,
            };
            given.push(self.give(Some(name), key, &text)?);
        }
        self.store(&mut given)?;
        self.broker(&mut given)?;
        self.endpoints(&mut given)?;
        self.listeners(&mut given)?;
        Ok(given)
    }

    /// A value of ours, said by a value of theirs, or implied.
    fn give(
        &self,
        name: Option<&str>,
        key: &'static str,
        text: &str,
    ) -> Result<Given, ConfigError> {
        let key = find(key).expect("a test looks every key of the table up");
        let value = key.kind.parse(text).ok_or_else(|| {
            let old = name.and_then(|name| self.olds.get_key_value(name));
            ConfigError::BadValue {
                place: old.map_or(Place::Implied, |(_, (_, place))| place.clone()),
                key: old.map_or(key.name, |(name, _)| name),
                value: format!("{text:?}"),
                allowed: key.kind.to_string(),
            }
        })?;
        Ok(Given { key, value })
    }

    /// The first of these names that was given, if any was.
    fn given(&self, names: &[&'static str]) -> Option<&'static str> {
        names
            .iter()
            .find(|name| self.olds.contains_key(*name))
            .copied()
    }

    /// A value as text, or that server's default.
    fn text(&self, name: &str) -> String {
        let typed = self.olds.get(name).map(|(old, _)| plain(old));
        let default = || NAMES.iter().find(|known| known.name == name);
        typed.unwrap_or_else(|| default().map_or(String::new(), |known| known.default.to_owned()))
    }

    fn store(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        let parts = ["DB_SERVER", "DB_PORT", "DB_LOGIN", "DB_PASSWORD", "DB_NAME"];
        if self.deployed {
            let [server, port, login, password, name] = parts.map(|name| self.text(name));
            let (login, password, name) = (encoded(&login), encoded(&password), encoded(&name));
            let url = format!("mysql://{login}:{password}@{server}:{port}/{name}");
            given.push(self.give(self.given(&parts), "store.url", &url)?);
        }
        Ok(())
    }

    fn broker(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        let parts = ["MQ_USER", "MQ_PASSWORD", "MQ_SERVER", "MQ_PORT", "MQ_VHOST"];
        let first = self.given(&parts);
        if self.deployed || first.is_some() {
            let [user, password, server, port, vhost] = parts.map(|name| self.text(name));
            let (user, password, vhost) = (encoded(&user), encoded(&password), encoded(&vhost));
            let url = format!("amqp://{user}:{password}@{server}:{port}/{vhost}");
            given.push(self.give(first, "broker.url", &url)?);
        }
        Ok(())
    }

    /// Control and health listen on the address of the host's name, metrics everywhere, if they are switched on.
    fn endpoints(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        for (name, key) in [
            ("CONTROL_SERVER_PORT", "http.control_address"),
            ("HEALTH_SERVER_PORT", "http.health_address"),
        ] {
            let first = self.given(&[name]);
            if self.deployed || first.is_some() {
                let address = format!("host:{}", self.text(name));
                given.push(self.give(first, key, &address)?);
            }
        }
        if let Some((Old::Flag(enabled), _)) = self.olds.get("ENABLE_METRICS") {
            let address = format!("0.0.0.0:{}", self.text("METRICS_PORT"));
            let address = if *enabled { address } else { String::new() };
            let name = self.given(&["METRICS_PORT", "ENABLE_METRICS"]);
            given.push(self.give(name, "http.metrics_address", &address)?);
        }
        Ok(())
    }

    fn listeners(&self, given: &mut Vec<Given>) -> Result<(), ConfigError> {
        if let Some(first) = self.given(&["WS_HOST", "WS_PORT"]) {
            let address = address(&self.text("WS_HOST"), &self.text("WS_PORT"));
            given.push(self.give(Some(first), "faf.websocket_address", &address)?);
        }
        let Some((Old::Listeners(listeners), place)) = self.olds.get("LISTEN") else {
            return Ok(());
        };
        let refuse = |why: &str| {
            Err(ConfigError::Contradiction(format!(
                "{place}: LISTEN: {why}"
            )))
        };
        let Some(first) = listeners.first() else {
            return refuse("the list is empty");
        };
        if listeners
            .iter()
            .any(|listener| listener.proxy != first.proxy)
        {
            return refuse("PROXY must be the same for all listeners");
        }
        for (protocol, key) in [
            ("QDataStreamProtocol", "faf.qdatastream_address"),
            ("SimpleJsonProtocol", "faf.json_address"),
        ] {
            let mut of_this = listeners
                .iter()
                .filter(|listener| listener.protocol == protocol);
            let address = of_this.next().map_or(String::new(), |listener| {
                address(&listener.address, &listener.port.to_string())
            });
            if of_this.next().is_some() {
                return refuse(&format!("there can be one listener for {protocol}"));
            }
            given.push(self.give(Some("LISTEN"), key, &address)?);
        }
        given.push(self.give(Some("LISTEN"), "faf.proxy", &first.proxy.to_string())?);
        Ok(())
    }
}

/// `HOST:PORT` as our listeners have it. An empty host is everywhere.
fn address(host: &str, port: &str) -> String {
    match host {
        "" => format!("0.0.0.0:{port}"),
        "localhost" => format!("127.0.0.1:{port}"),
        host if host.contains(':') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn plain(old: &Old) -> String {
    match old {
        Old::Flag(flag) => flag.to_string(),
        Old::Number(number) => number.to_string(),
        Old::Text(text) => text.clone(),
        Old::Numbers(numbers) => {
            let texts: Vec<String> = numbers.iter().map(f64::to_string).collect();
            texts.join(",")
        }
        Old::Listeners(_) => String::new(),
    }
}

/// In a smaller unit, whole.
fn times(old: &Old, factor: f64) -> String {
    match old {
        Old::Number(number) => (number * factor).round().to_string(),
        other => plain(other),
    }
}

/// Their word for it, translated. One that is not in the list is what an empty word of the list means, if there is one;
/// otherwise it stays, and is refused.
fn word(old: &Old, words: &[(&str, &str)]) -> String {
    let theirs = plain(old);
    let known = words
        .iter()
        .find(|(word, _)| word.is_empty() || word.eq_ignore_ascii_case(&theirs));
    known.map_or(theirs.clone(), |(_, ours)| (*ours).to_owned())
}

#[cfg(test)]
mod tests;
