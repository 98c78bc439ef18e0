//! What nodes of one lobby share: NATS and the locks of a database.

use std::time::Duration;

use backoffice::cluster::{Database, ENVELOPE_BYTES, Examined, examine};
use config::Config;

use super::{Check, Verdict, check, ok_or};

/// A message to NATS and back takes no longer where nodes are to act as one lobby.
const ROUND_TRIP_WANTED: Duration = Duration::from_millis(20);
/// Clocks further apart make ticks and terms of nodes differ.
const CLOCK_WANTED: Duration = Duration::from_secs(1);

/// The checks, if there are to be other nodes. Takes as long as servers take to be reached.
pub async fn cluster(config: &Config) -> Vec<Check> {
    if !config.cluster.is_wanted() {
        return Vec::new();
    }
    judge(&examine(&config.cluster, &config.store.url).await)
}

fn judge(examined: &Examined) -> Vec<Check> {
    let mut checks = Vec::new();
    match &examined.nats {
        Ok((version, max_payload, round_trip)) => {
            checks.push(payload(version, *max_payload));
            checks.push(round_trip_of(*round_trip));
        }
        Err(error) => checks.push(check(
            "NATS",
            error.clone(),
            "a server that passes messages on".to_owned(),
            Verdict::Warn,
            "The server starts without it, and does nothing with other nodes until it is there: look at cluster.url, \
             cluster.credentials, and whether nats-server runs.",
        )),
    }
    match &examined.database {
        Ok(database) => {
            checks.push(locks(database));
            checks.push(clock(database.clock_difference));
        }
        Err(error) => checks.push(check(
            "locks",
            error.clone(),
            "a database that all nodes share".to_owned(),
            Verdict::Warn,
            "The server waits for it before it serves anybody: look at store.url, and whether the database server runs.",
        )),
    }
    checks
}

fn payload(version: &str, max_payload: usize) -> Check {
    check(
        "NATS",
        format!("version {version}, messages of {max_payload} bytes"),
        format!("messages of {ENVELOPE_BYTES} bytes"),
        ok_or(max_payload >= ENVELOPE_BYTES, Verdict::Fail),
        "Raise max_payload in the configuration of nats-server; 1 MB is its default.",
    )
}

fn round_trip_of(round_trip: Duration) -> Check {
    check(
        "NATS round trip",
        format!("{:.1} ms", round_trip.as_secs_f64() * 1e3),
        format!("{} ms or less", ROUND_TRIP_WANTED.as_millis()),
        ok_or(round_trip <= ROUND_TRIP_WANTED, Verdict::Warn),
        "Nodes of one lobby, NATS and the database belong into one data centre: what one does the others show that much later.",
    )
}

fn locks(database: &Database) -> Check {
    let Database {
        version,
        has_locks,
        is_galera,
        ..
    } = database;
    let kind = if *is_galera { ", Galera" } else { "" };
    let works = if *has_locks { "works" } else { "does not work" };
    let verdict = match (has_locks, is_galera) {
        (false, _) => Verdict::Fail,
        (true, true) => Verdict::Warn,
        (true, false) => Verdict::Ok,
    };
    check(
        "locks",
        format!("GET_LOCK {works}, version {version}{kind}"),
        "GET_LOCK works, one server for all nodes".to_owned(),
        verdict,
        "Servers of a Galera cluster do not see each other's locks: all nodes must use the same one of them in store.url. Without \
         GET_LOCK there can be no other nodes.",
    )
}

fn clock(difference: Duration) -> Check {
    check(
        "clock",
        format!("{:.1} s from the database's", difference.as_secs_f64()),
        format!("{} s or less", CLOCK_WANTED.as_secs()),
        ok_or(difference <= CLOCK_WANTED, Verdict::Warn),
        "Have all machines keep time (chrony, systemd-timesyncd).",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Examined {
        Examined {
            nats: Ok(("2.9.10".to_owned(), 1 << 20, Duration::from_micros(300))),
            database: Ok(Database {
                version: "10.11".to_owned(),
                has_locks: true,
                is_galera: false,
                clock_difference: Duration::from_millis(2),
            }),
        }
    }

    fn verdict(examined: &Examined, name: &str) -> Verdict {
        let checks = judge(examined);
        let found = checks.iter().find(|check| check.name == name);
        found
            .unwrap_or_else(|| panic!("{name}: {checks:?}"))
            .verdict
    }

    #[test]
    fn good_servers_get_no_advice() {
        let checks = judge(&good());
        assert_eq!(checks.len(), 4);
        let is_fine = |check: &Check| check.verdict == Verdict::Ok && check.advice.is_empty();
        assert!(checks.iter().all(is_fine), "{checks:?}");
    }

    #[test]
    fn each_shortage_is_found() {
        let nats = |found| Examined {
            nats: Ok(found),
            ..good()
        };
        let small = nats((String::new(), 1 << 16, Duration::ZERO));
        assert_eq!(verdict(&small, "NATS"), Verdict::Fail);
        let far = nats((String::new(), 1 << 20, Duration::from_millis(90)));
        assert_eq!(verdict(&far, "NATS round trip"), Verdict::Warn);
        let away = Examined {
            nats: Err("no answer in time".to_owned()),
            database: Err("no answer in time".to_owned()),
        };
        assert_eq!(verdict(&away, "NATS"), Verdict::Warn);
        assert_eq!(verdict(&away, "locks"), Verdict::Warn);
        let with = |change: fn(&mut Database)| {
            let mut examined = good();
            if let Ok(database) = &mut examined.database {
                change(database);
            }
            examined
        };
        let galera = with(|database| database.is_galera = true);
        assert_eq!(verdict(&galera, "locks"), Verdict::Warn);
        let none = with(|database| database.has_locks = false);
        assert_eq!(verdict(&none, "locks"), Verdict::Fail);
        let late = with(|database| database.clock_difference = Duration::from_secs(2));
        assert_eq!(verdict(&late, "clock"), Verdict::Warn);
    }
}
