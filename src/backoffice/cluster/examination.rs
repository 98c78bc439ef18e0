//! What `muster doctor` finds out about what nodes share: NATS and the database. It changes nothing.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::LETTER_BYTES;
use sqlx::{Connection, MySqlConnection, Row};

use super::{bus, locks, settings::Cluster};

/// What was found. An error says in words what could not be found out.
#[derive(Clone, Debug)]
pub struct Examined {
    /// NATS: its version, the longest message that it takes, and how long one takes there and back.
    pub nats: Result<(String, usize, Duration), String>,
    /// The database.
    pub database: Result<Database, String>,
}

/// What was found about the database.
#[derive(Clone, Debug)]
pub struct Database {
    /// Its version.
    pub version: String,
    /// A lock could be taken and was seen by another session.
    pub has_locks: bool,
    /// It is part of a Galera cluster, whose servers do not see each other's locks.
    pub is_galera: bool,
    /// How far its clock is from ours.
    pub clock_difference: Duration,
}

/// The longest message that NATS must take: a letter with all around it, in an envelope that is full.
pub const ENVELOPE_BYTES: usize = 3 * LETTER_BYTES;

/// Looks at both.
pub async fn examine(settings: &Cluster, store_url: &str) -> Examined {
    let nats = bus::look(settings).await;
    Examined {
        nats: nats.map(|found| (found.version, found.max_payload, found.round_trip)),
        database: database(settings, store_url).await,
    }
}

async fn database(settings: &Cluster, store_url: &str) -> Result<Database, String> {
    let options = locks::options(store_url)?;
    let looking = async {
        let mut one = locks::session(&options).await?;
        let mut other = locks::session(&options).await?;
        let found = look(&mut one, &mut other, &settings.lobby).await?;
        let _ = one.close().await; // the server ends it by itself
        let _ = other.close().await;
        Ok(found)
    };
    let looked: sqlx::Result<Database> = looking.await;
    looked.map_err(|error| error.to_string())
}

async fn look(
    one: &mut MySqlConnection,
    other: &mut MySqlConnection,
    lobby: &str,
) -> sqlx::Result<Database> {
    const LOOK: &str = "SELECT VERSION() AS version, GET_LOCK(?, 0) AS taken, \
         CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED) AS at";
    let name = format!("muster/{lobby}/doctor/{}", std::process::id());
    let before = unix_now();
    let row = sqlx::query(LOOK).bind(&name).fetch_one(&mut *one).await?;
    let after = unix_now();
    let free: Option<i64> = sqlx::query_scalar("SELECT IS_FREE_LOCK(?)")
        .bind(&name)
        .fetch_one(other)
        .await?;
    let galera = sqlx::query("SHOW VARIABLES LIKE 'wsrep_on'")
        .fetch_optional(one)
        .await?;
    let galera: Option<String> = galera.map(|row| row.try_get(1)).transpose()?;
    let at = Duration::from_micros(row.try_get("at")?);
    let taken: Option<i64> = row.try_get("taken")?;
    Ok(Database {
        version: row.try_get("version")?,
        has_locks: taken == Some(1) && free == Some(0),
        is_galera: galera.is_some_and(|on| on.eq_ignore_ascii_case("on")),
        clock_difference: before.saturating_sub(at).max(at.saturating_sub(after)),
    })
}

fn unix_now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}
