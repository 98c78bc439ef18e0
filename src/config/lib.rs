//! Configuration in two steps: what was typed, and what it means.
//!
//! | file | what it is |
//! |---|---|
//! | `groups` | all groups of settings, one line each; what each setting is stands beside the code that it governs |
//! | `sources` | file, environment and flags, checked against the settings' keys |
//! | `service_links` | variables of the environment that look like settings and are none |
//! | `compat` | the file and the environment of the FAF server that this one replaces |
//! | `servatrice` | the file and the environment of the Cockatrice server that this one replaces |
//! | `resolve` | what depends on something else, and contradictions |
//! | `print` | the commented file of `--print-config` and the reference page |
//! | `cli` | the command line |
//!
//! Nothing here starts anything, and nothing later in the program reads the environment again.

pub mod cli;
mod compat;
mod error;
mod groups;
mod print;
mod resolve;
mod servatrice;
mod service_links;
mod sources;

use std::{ops::Deref, path::PathBuf};

use lobby::cockatrice::Method;
use settings::{Key, Kind, PREFIX, Value, Values};

use servatrice::LacksStore;

pub use error::{ConfigError, Place};
pub use groups::{Log, LogFormat, Server, Settings, TlsFiles};
pub use print::reference;

/// Where everything typed is found. Kept, so that it can be read again.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Our own file.
    pub file: Option<PathBuf>,
    /// The file of the FAF server this one replaces.
    pub compat_file: Option<PathBuf>,
    /// The file of the Cockatrice server this one replaces.
    pub servatrice_ini: Option<PathBuf>,
    /// All variables of the environment.
    pub environment: Vec<(String, String)>,
    /// `key=value` pairs of the command line.
    pub flags: Vec<(String, String)>,
}

/// A key that has another value than before.
#[derive(Clone, Debug)]
pub struct Change {
    /// The key that it was typed for.
    pub key: &'static Key,
    /// Its new value as text, without a password.
    pub value: String,
}

/// What was typed, and the settings that it means.
#[derive(Clone, Debug)]
pub struct Config {
    settings: Settings,
    /// That the settings of replaced servers count, and why.
    pub replaces: Vec<String>,
    /// What somebody should know: about the settings of replaced servers, about variables that were passed over, and about what
    /// is hardly meant.
    pub notes: Vec<String>,
    values: Values,
}

impl Deref for Config {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

/// The key of the folder in which a server keeps what is its own.
const DATA_DIR: &str = "server.data_dir";

/// The key of the Cockatrice lobby's store.
const COCKATRICE_STORE: &str = "cockatrice.store_url";

/// What says where the FAF lobby listens.
const FAF_LISTENERS: [&str; 3] = [
    "faf.qdatastream_address",
    "faf.json_address",
    "faf.websocket_address",
];

impl Config {
    /// Lays everything typed over the defaults; later wins: the replaced server's settings, file, environment, flags.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(sources: &Sources) -> Result<Config, ConfigError> {
        let mut values = Values::defaults(groups::keys());
        let compat = compat::read(&sources.environment, sources.compat_file.as_deref())?;
        let file = sources.file.as_deref().map(sources::from_file);
        let mut own = file.transpose()?.unwrap_or_default();
        own.extend(sources::from_environment(&sources.environment)?);
        own.extend(sources::from_flags(&sources.flags)?);
        let ini = servatrice::read(&sources.environment, sources.servatrice_ini.as_deref())?;
        let is_asked = |group: &str| own.iter().any(|given| given.key.group() == group);
        let says_store = own.iter().any(|given| given.key.name == COCKATRICE_STORE);
        // A replaced server has no other lobbies.
        if (compat.deployed || ini.replaces.is_some()) && !is_asked("vcmi") {
            switch_off(&mut values, "vcmi.enabled");
        }
        if ini.replaces.is_some() && !compat.deployed && !is_asked("faf") {
            for name in FAF_LISTENERS {
                switch_off(&mut values, name);
            }
        }
        sources::overlay(&mut values, compat.given);
        sources::overlay(&mut values, ini.given);
        sources::overlay(&mut values, own);
        let mut config = Config::resolve(values)?;
        let method = config.settings.lobbies.cockatrice.dialect.method;
        let fault = |lacks: LacksStore| lacks.fault(method == Method::Accounts, says_store);
        if let Some(fault) = ini.lacks_store.and_then(fault) {
            return Err(fault);
        }
        config.replaces = compat.replaces.into_iter().chain(ini.replaces).collect();
        config.notes = compat.notes;
        config.notes.extend(ini.notes);
        config.notes.extend(resolve::doubts(&config.settings));
        config.notes.extend(passed_over(&sources.environment));
        Ok(config)
    }

    /// Where the server keeps what is its own, which is all that somebody needs to know who speaks to a running one: found also in a
    /// configuration with which no server could start. What is wrong with it, if anything, is given too.
    ///
    /// # Errors
    /// It is wrong, and does not say which folder.
    pub fn data_dir(sources: &Sources) -> Result<(PathBuf, Option<ConfigError>), ConfigError> {
        let error = match Config::load(sources) {
            Ok(config) => return Ok((config.settings.server.data_dir, None)),
            Err(error) => error,
        };
        let Some(key) = groups::find(DATA_DIR) else {
            return Err(error);
        };
        let text = |value: Value| match value {
            Value::Text(text) => Some(PathBuf::from(text)),
            _ => None,
        };
        let of = |given: Result<Vec<sources::Given>, ConfigError>| {
            let given = given.ok()?.into_iter().next_back()?;
            text(given.value)
        };
        let flags = sources.flags.iter().filter(|(name, _)| name == DATA_DIR);
        let flags: Vec<(String, String)> = flags.cloned().collect();
        let variable = key.variable();
        let variables = sources.environment.iter();
        let variables = variables.filter(|(name, _)| {
            name.strip_prefix(&*variable)
                .is_some_and(|rest| matches!(rest, "" | "_FILE"))
        });
        let variables: Vec<(String, String)> = variables.cloned().collect();
        let file = || text(sources::one_of_file(sources.file.as_deref()?, key)?);
        let found = of(sources::from_flags(&flags))
            .or_else(|| of(sources::from_environment(&variables)))
            .or_else(file);
        let is_read = |file: &PathBuf| std::fs::read(file).is_ok();
        let default = || text(Values::defaults(groups::keys()).of(key).clone());
        match found.or_else(|| default().filter(|_| sources.file.iter().all(is_read))) {
            Some(folder) => Ok((folder, Some(error))),
            None => Err(error),
        }
    }

    /// Second step: from checked values to what they mean.
    fn resolve(values: Values) -> Result<Config, ConfigError> {
        Ok(Config {
            settings: resolve::resolve(&values)?,
            replaces: Vec::new(),
            notes: Vec::new(),
            values,
        })
    }

    /// The settings, for what is found out about them at the start.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// What is different in `new`, in the order in which keys are shown.
    pub fn changes(&self, new: &Config) -> Vec<Change> {
        let keys = groups::keys().iter().copied();
        keys.filter(|key| self.values.of(key) != new.values.of(key))
            .map(|key| Change {
                key,
                value: print::shown(key, new.values.of(key)),
            })
            .collect()
    }

    /// The effective values as a commented TOML file; the password in `store.url` is masked.
    pub fn print(&self) -> String {
        print::commented(&self.values)
    }
}

/// Nobody has asked for it.
fn switch_off(values: &mut Values, name: &str) {
    if let Some(key) = groups::find(name) {
        let off = match key.kind {
            Kind::Flag => Value::Flag(false),
            _ => Value::Text(String::new()),
        };
        values.set(key, off);
    }
}

/// Says that there are variables which only look like settings.
fn passed_over(environment: &[(String, String)]) -> Option<String> {
    let links = environment.iter().filter(|(name, text)| {
        (name.starts_with(PREFIX) || compat::knows(name)) && service_links::is_one(name, text)
    });
    let names: Vec<&str> = links.map(|(name, _)| name.as_str()).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("not settings but what Kubernetes says of a service, and passed over: {names}")
    })
}

#[cfg(test)]
mod tests;
