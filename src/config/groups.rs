//! Every group of settings, one line each, and their keys.
//!
//! What the settings are stands beside the code that they govern. Checking, the commented file of `--print-config` and
//! the page `docs/config.md` are made from their keys.

use std::{path::PathBuf, sync::LazyLock, time::Duration};

use settings::{Group, Key};

settings::settings! {
    /// What the configuration means.
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Shards and connections. Its listeners are not here: whoever starts it puts them in.
        engine: engine::Settings;
        /// The lobbies.
        lobbies: lobby::lobbies::LobbySettings;
        /// What concerns the process as a whole.
        server: Server;
        /// The queues to the back office.
        queue: backoffice::settings::Queue;
        /// How players of the FAF lobby prove who they are.
        sign_in: backoffice::faf::settings::SignIn;
        /// Which country an address is in.
        countries: backoffice::faf::settings::Countries;
        /// Where accounts and games of the FAF lobby are stored.
        store: backoffice::settings::Database;
        /// Accounts of the Cockatrice lobby.
        cockatrice: backoffice::cockatrice::settings::Accounts;
        /// Accounts of VCMI's JSON lobby.
        vcmi_json: backoffice::vcmi_json::settings::Accounts;
        /// Other nodes of the same lobby.
        cluster: backoffice::cluster::settings::Cluster;
        /// The event broker.
        broker: backoffice::settings::Broker;
        /// Endpoints for operators.
        http: backoffice::settings::Http;
        /// What is logged, and how.
        log: Log;
    }
}

settings::settings! {
    /// The process as a whole.
    #[derive(Clone, Debug)]
    pub struct Server {
        /// Folder for what the server keeps on disk itself (the embedded database). Created if missing.
        data_dir: PathBuf = "server.data_dir", text(), "data";
        /// What listeners with TLS show.
        tls: TlsFiles;
        /// How an orderly stop goes.
        stopping: lobby::StoppingSettings;
        /// How often the configuration files are read again. Keys marked as live take effect at once, others are only
        /// reported. 0: only when told to by the signal HUP.
        config_refresh: Option<Duration> = "server.config_refresh_s", number(0, 86_400), "300", unit("s"), live;
    }
}

settings::settings! {
    /// The files of a certificate. They are read again whenever the configuration is, and a new certificate is shown from then
    /// on; one that can't be used leaves the old one.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct TlsFiles {
        /// Certificate of the listeners with TLS: a PEM file with the server's own first and those that prove it behind, such as
        /// fullchain.pem of certbot. Read again with the configuration, as is server.tls_key. Empty: no listener has TLS.
        certificate: Option<PathBuf> = "server.tls_certificate", text(), "", live;
        /// Key of that certificate: a PEM file (PKCS #8, PKCS #1 or SEC 1), not encrypted. It may be what LoadCredential= of
        /// systemd hands over: /run/credentials/muster.service/tls.key.
        key: Option<PathBuf> = "server.tls_key", text(), "", live;
    }
}

settings::settings! {
    /// Logging.
    #[derive(Clone, Debug)]
    pub struct Log {
        /// What is logged: error, warn, info, debug, trace, or a filter such as "info,muster_engine=debug". At "trace"
        /// every message is logged with all that is in it, tokens and hashes of passwords too.
        level: String = "log.level", log_levels(), "info", live;
        /// What lines look like: "text" for people; "json", an object per line, for programs; "journald" for the journal
        /// of systemd, which has the time by itself and learns the level. Text has colours on a terminal only, and none if
        /// the variable NO_COLOR is set.
        format: LogFormat = "log.format", word(LogFormat::WORDS), "text";
    }
}

/// What lines of the log look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For the journal of systemd.
    Journald,
}

settings::words! { LogFormat { Text = "text", Json = "json", Journald = "journald" } }

/// What keys' names begin with, in the order in which they are shown, with a heading for each.
pub(super) const HEADINGS: &[(&str, &str)] = &[
    ("server", "The process as a whole"),
    ("faf", "The FAF lobby: listeners, sign-in, timing"),
    (
        "matchmaking",
        "Queues, searches and matches of the FAF lobby",
    ),
    ("vcmi", "The VCMI proxy lobby"),
    ("vcmi_json", "VCMI's JSON lobby, of VCMI 1.5 and later"),
    ("cockatrice", "The Cockatrice lobby"),
    ("store", "The database"),
    ("cluster", "One lobby on several machines"),
    ("broker", "The event broker (RabbitMQ)"),
    ("http", "Endpoints for operators and their programs"),
    ("limits", "How much one client, or all of them, may take"),
    ("log", "Logging"),
];

/// All keys, in the order in which they are shown.
pub(super) fn keys() -> &'static [&'static Key] {
    static KEYS: LazyLock<Vec<&'static Key>> = LazyLock::new(|| {
        let mut keys = Settings::keys();
        keys.sort_by_key(|key| HEADINGS.iter().position(|(group, _)| *group == key.group()));
        keys
    });
    &KEYS
}

/// The key of this name.
pub(super) fn find(name: &str) -> Option<&'static Key> {
    keys().iter().copied().find(|key| key.name == name)
}

/// The key whose name looks most like this one, if any does.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    nearest_of(keys().iter().map(|key| key.name), name)
}

/// The one of these that looks most like this one, if any does.
pub(super) fn nearest_of(
    known: impl Iterator<Item = &'static str>,
    name: &str,
) -> Option<&'static str> {
    known
        .map(|known| (strsim::jaro_winkler(known, name), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, key)| key)
}

#[cfg(test)]
mod tests {
    use settings::{Kind, Values};

    use super::*;

    #[test]
    fn every_key_has_a_heading_and_whole_sentences() {
        for key in keys() {
            let heading = HEADINGS.iter().find(|(group, _)| *group == key.group());
            assert!(heading.is_some(), "{}", key.name);
            assert!(key.doc.ends_with('.'), "{}", key.name);
        }
    }

    #[test]
    fn names_and_variables_are_unique() {
        let mut variables: Vec<_> = keys().iter().map(|key| key.variable()).collect();
        variables.sort();
        variables.dedup();
        assert_eq!(variables.len(), keys().len());
    }

    #[test]
    fn every_setting_has_a_place_for_whatever_its_key_allows() {
        for key in keys() {
            let (min, max) = match key.kind {
                Kind::Number { min, max } | Kind::Decimal { min, max } => (min, max),
                Kind::Word(words) => {
                    for word in words {
                        read_with(key, word);
                    }
                    continue;
                }
                _ => continue,
            };
            read_with(key, &min.to_string());
            read_with(key, &max.to_string());
        }
    }

    fn read_with(key: &'static Key, text: &str) {
        let mut values = Values::defaults(keys());
        values.set(key, key.kind.parse(text).expect(key.name));
        Settings::read(&values);
    }

    #[test]
    fn what_the_dialect_of_faf_is_told_while_it_runs_can_change() {
        let fixed = lobby::faf::Settings::keys();
        let fixed: Vec<_> = fixed.iter().filter(|key| !key.live).collect();
        assert!(fixed.is_empty(), "{fixed:?}");
    }
}
