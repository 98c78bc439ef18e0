//! What the lobbies need beside the machine: their ports, and for Cockatrice's accounts a database. Ports are tried, and a database
//! that is a server's is asked; nothing is changed or made.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    time::{SystemTime, UNIX_EPOCH},
};

use backoffice::{
    cockatrice::store::{Gap, SCHEMA_VERSION, Store, Unusable},
    store::{StoreSettings, reach},
};
use config::Config;
use lobby::{cockatrice::Method, lobbies::Router};

use super::{Check, Verdict, check, ok_or};
use crate::certificate;

/// A certificate is renewed a month before its end by those who renew it by themselves; with less than this left, nobody did.
const EXPIRES_SOON_DAYS: u64 = 14;

/// The checks, for the lobbies that are switched on. Takes as long as a database takes to be reached.
pub async fn lobbies(config: &Config) -> Vec<Check> {
    let listeners = Router::listeners(&config.lobbies).into_iter();
    let wanted = listeners.map(|listener| (listener.name, listener.address));
    let mut checks = vec![ports(&wanted.collect::<Vec<_>>())];
    checks.extend(certificate(config));
    checks.extend(faf(config).await);
    if has_accounts(config) || config.cockatrice.rooms_in_store {
        checks.extend(accounts(config).await);
    }
    checks
}

/// Whether the database of the FAF lobby can be reached, if it is a server's. Nodes of a cluster are told more of it elsewhere.
async fn faf(config: &Config) -> Option<Check> {
    let url = &config.store.url;
    if url.starts_with("sqlite:") || config.cluster.is_wanted() {
        return None;
    }
    let (found, verdict) = match reach(url).await {
        Ok(()) => ("it is there".to_owned(), Verdict::Ok),
        Err(why) => (why, Verdict::Warn),
    };
    Some(check(
        "store.url",
        found,
        "a database that can be reached".to_owned(),
        verdict,
        "The server starts without it, but nobody can sign in until it is there: look at host, port, user, password and name in \
         store.url, and whether the database server runs.",
    ))
}

/// Whether Cockatrice's lobby has a store.
pub(super) fn has_accounts(config: &Config) -> bool {
    let cockatrice = &config.lobbies.cockatrice;
    cockatrice.listener.enabled && cockatrice.dialect.method == Method::Accounts
}

/// Whether everything that is to be listened on can be had.
fn ports(wanted: &[(String, SocketAddr)]) -> Check {
    let (mut verdict, mut found) = (Verdict::Ok, Vec::new());
    for (name, address) in wanted {
        let Err(error) = TcpListener::bind(address) else {
            continue;
        };
        // A server that runs already, say this one.
        let how_bad = match error.kind() {
            io::ErrorKind::AddrInUse => Verdict::Warn,
            _ => Verdict::Fail,
        };
        verdict = verdict.max(how_bad);
        found.push(format!("{name} {address}: {error}"));
    }
    let found = match found.is_empty() {
        true => "free".to_owned(),
        false => found.join("; "),
    };
    check(
        "ports",
        found,
        format!("free for {} listeners", wanted.len()),
        verdict,
        "An address in use belongs to another program, or to this server if it runs. One that is not permitted is below 1024 \
         (CAP_NET_BIND_SERVICE); one that can't be assigned is not this machine's. Change the lobby's address.",
    )
}

/// Whether the certificate can be used, and for how long, if there is to be one.
fn certificate(config: &Config) -> Option<Check> {
    let wanted = format!("good for {EXPIRES_SOON_DAYS} days or more");
    let judged = |found: String, verdict, advice| {
        Some(check(
            "server.tls_certificate",
            found,
            wanted.clone(),
            verdict,
            advice,
        ))
    };
    let read = match certificate::read(&config.server.tls) {
        Ok(read) => read?,
        Err(error) => {
            let advice = "Name a PEM file with the certificate and those that prove it, and one with its key, which the user that \
                          runs the server may read.";
            return judged(error.to_string(), Verdict::Fail, advice);
        }
    };
    let Some(expires) = read.expires else {
        return judged(
            "it does not say when it expires".to_owned(),
            Verdict::Ok,
            "",
        );
    };
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let days = expires.saturating_sub(now).as_secs() / 86_400;
    let verdict = ok_or(days >= EXPIRES_SOON_DAYS, Verdict::Warn);
    let found = match expires > now {
        true => format!("good for {days} days"),
        false => "expired".to_owned(),
    };
    let advice =
        "Renew it; the server shows a new one when it reads its configuration again (docs/tls.md).";
    judged(found, verdict, advice)
}

/// Whether the database of Cockatrice's accounts can be used, and what of it the lobby has to do without.
async fn accounts(config: &Config) -> Vec<Check> {
    let chosen = &config.cockatrice;
    let wanted = format!("a database with the schema of version {SCHEMA_VERSION}");
    let judged = |found: String, verdict, advice| {
        check(
            "cockatrice.store_url",
            found,
            wanted.clone(),
            verdict,
            advice,
        )
    };
    if chosen.store_url.starts_with("sqlite:") {
        return vec![judged("a file of its own".to_owned(), Verdict::Ok, "")];
    }
    let settings = StoreSettings::default();
    let store = Store::open(&chosen.store_url, &chosen.prefix, chosen.server, &settings);
    let looked = match store.await {
        Ok(store) => {
            let looked = look(&store).await;
            store.close().await;
            looked
        }
        Err(error) => Err(error),
    };
    let gaps = match looked {
        Ok(gaps) => gaps,
        Err(error @ Unusable::Unreached) => {
            let advice = "The server starts without it, but nobody can sign in until it is there: look at host, port, user, password \
                          and name in cockatrice.store_url, and whether the database server runs.";
            return vec![judged(error.to_string(), Verdict::Warn, advice)];
        }
        Err(error) => {
            let advice = "Bring the schema up to date with Servatrice's own migrations, or look at cockatrice.store_prefix.";
            return vec![judged(error.to_string(), Verdict::Fail, advice)];
        }
    };
    let there = judged("it is there".to_owned(), Verdict::Ok, "");
    [there].into_iter().chain(gaps.iter().map(gap)).collect()
}

async fn look(store: &Store) -> Result<Vec<Gap>, Unusable> {
    store.look().await?;
    store.gaps().await.map_err(|_| Unusable::Unreached)
}

/// Something that the database does not have.
fn gap(gap: &Gap) -> Check {
    check(
        "cockatrice.store_url",
        gap.to_string(),
        format!("the table {}, for {}", gap.table, gap.is_for),
        Verdict::Warn,
        "Everything else works. Look whether Servatrice's own migrations have all been run; start the server again after a change.",
    )
}

#[cfg(test)]
mod tests {
    use config::Sources;

    use super::*;

    fn config(set: &[(&str, &str)]) -> Config {
        let off = [
            ("faf.qdatastream_address", ""),
            ("faf.json_address", ""),
            ("faf.websocket_address", ""),
            ("vcmi.enabled", "false"),
            ("cockatrice.enabled", "true"),
            ("cockatrice.websocket_address", ""),
        ];
        let set = off.iter().chain(set);
        Config::load(&Sources {
            flags: set
                .map(|(key, value)| (key.to_string(), value.to_string()))
                .collect(),
            ..Sources::default()
        })
        .unwrap()
    }

    #[tokio::test]
    async fn ports_in_use_are_told() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let config = config(&[("cockatrice.tcp_address", &address)]);
        let checks = lobbies(&config).await;
        let [ports] = &checks[..] else {
            panic!("{checks:?}");
        };
        assert_eq!(ports.verdict, Verdict::Warn);
        assert!(ports.found.contains("cockatrice/tcp") && ports.found.contains(&address));
        drop(taken);
        assert_eq!(lobbies(&config).await[0].verdict, Verdict::Ok);
        let elsewhere = [("cockatrice.tcp_address", "192.0.2.1:4747")];
        let elsewhere = self::config(&elsewhere);
        assert_eq!(lobbies(&elsewhere).await[0].verdict, Verdict::Fail);
    }

    #[tokio::test]
    async fn a_database_that_is_not_there_is_told() {
        let set = [
            ("cockatrice.tcp_address", "127.0.0.1:0"),
            ("cockatrice.auth", "sql"),
            ("cockatrice.store_url", "mysql://nobody@127.0.0.1:1/cards"),
        ];
        let checks = lobbies(&config(&set)).await;
        let database = checks.last().unwrap();
        assert_eq!(
            (database.name, database.verdict),
            ("cockatrice.store_url", Verdict::Warn)
        );
        let own = lobbies(&config(&set[..2])).await;
        assert_eq!(own.last().map(|check| check.verdict), Some(Verdict::Ok));
    }

    #[test]
    fn what_a_database_lacks_is_told_with_what_does_not_work() {
        let told = gap(&Gap {
            table: "reports",
            is_for: "what users report",
            lacks: Vec::new(),
            without: "reports are answered with an internal error",
        });
        assert_eq!(told.verdict, Verdict::Warn);
        let found = "there is no table reports (what users report): reports are answered with an internal error";
        assert_eq!(told.found, found);
    }
}
