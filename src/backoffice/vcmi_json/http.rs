//! The HTTP interface, which only reads (spec: vcmi-lobby2 9). It has a store of its own, so that who reads here keeps no player
//! waiting; what it has read is told again for a while.

use std::{
    cell::RefCell,
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{
    StatusCode,
    header::{CONNECTION, HeaderValue, SERVER},
};
use jiff::{Timestamp, tz::Offset};
use serde_json::{Value, json};

use super::store::{Statistics, Store};
use crate::{
    http::{Answer, Site, with_body},
    store::StoreError,
    unix_now,
};

/// How long what was read is told again.
const FRESH: Duration = Duration::from_secs(30);
/// Answers that are kept.
const KEPT: usize = 64;
/// Seconds of the last hour, day, week, month and year.
const PERIODS: [u64; 5] = [3_600, 86_400, 604_800, 2_592_000, 31_536_000];
const PERIOD_NAMES: [&str; 5] = ["lastHour", "lastDay", "lastWeek", "lastMonth", "lastYear"];
/// Rooms that are told at once.
const ROOMS: std::ops::RangeInclusive<i64> = 1..=250;
/// Lines of chat, and how old they may be.
const LINES: u32 = 100;
const LINES_AGE: u64 = 18 * 3_600;
const MANUAL: &str = include_str!("manual.html");
const OPENAPI: &str = include_str!("openapi.yaml");

/// The pages.
pub struct Pages {
    store: Store,
    /// Unix seconds.
    started: u64,
    kept: RefCell<VecDeque<(String, Instant, Bytes)>>,
}

impl Pages {
    /// Read from this store.
    pub fn new(store: Store) -> Self {
        Pages {
            store,
            started: unix_now() as u64,
            kept: RefCell::default(),
        }
    }

    async fn page(&self, path: &str, query: Option<&str>) -> Result<Answer, StoreError> {
        Ok(match path {
            "/api/v1/stats" if query.is_none() => {
                let since = PERIODS.map(|seconds| (unix_now() as u64).saturating_sub(seconds));
                let body = self.fresh("stats".to_owned(), async || {
                    let found = self.store.statistics(&since).await?;
                    Ok(statistics(&found, self.started))
                });
                as_json(body.await?)
            }
            path if path.starts_with("/api/v1/chats") => {
                let channel = parameter(query, "channelName");
                as_json(
                    self.chat(channel.unwrap_or_else(|| "english".to_owned()))
                        .await?,
                )
            }
            path if path.starts_with("/api/v1/rooms") => match wanted(query) {
                Ok((hours, limit)) => as_json(self.rooms(hours, limit).await?),
                Err(why) => failure(StatusCode::BAD_REQUEST, &json!({ "error": why })),
            },
            "/" | "/api/docs" => with_body("text/html", MANUAL),
            "/api/openapi.yaml" => with_body("text/yaml", OPENAPI),
            _ => failure(
                StatusCode::NOT_FOUND,
                &json!({ "error": "Not Found", "message": "The requested endpoint does not exist" }),
            ),
        })
    }

    async fn chat(&self, channel: String) -> Result<Bytes, StoreError> {
        self.fresh(format!("chat {channel}"), async || {
            let now = unix_now() as u64;
            let lines = self
                .store
                .chat(&channel, LINES, now.saturating_sub(LINES_AGE))
                .await?;
            let messages: Vec<Value> = lines
                .iter()
                .rev()
                .map(|line| {
                    json!({
                        "displayName": line.name,
                        "messageText": line.text,
                        "ageSeconds": now.saturating_sub(line.at),
                        "timestamp": time(line.at),
                    })
                })
                .collect();
            let count = messages.len();
            Ok(json!({ "channelName": channel, "count": count, "messages": messages }))
        })
        .await
    }

    async fn rooms(&self, hours: i64, limit: i64) -> Result<Bytes, StoreError> {
        self.fresh(format!("rooms {hours} {limit}"), async || {
            let now = unix_now() as u64;
            let since = match u64::try_from(hours) {
                Ok(hours) => now.saturating_sub(hours.saturating_mul(3_600)),
                Err(_) if hours == -1 => 0,
                Err(_) => now + 3_600, // nothing is as young
            };
            let most = u32::try_from(limit).unwrap_or(0);
            let rooms = self.store.rooms(since, most).await?;
            let rooms: Vec<Value> = rooms
                .into_iter()
                .map(|room| {
                    let mut shown = json!({
                        "description": room.description,
                        "status": room.status,
                        "playerLimit": room.player_limit,
                        "version": room.version,
                        "ageSeconds": now.saturating_sub(room.created),
                        "createdAt": time(room.created),
                    });
                    if !room.mods.is_empty() {
                        let mods = room.mods.into_iter();
                        let mods = mods.map(|[id, name, version]| {
                            json!({ "modId": id, "name": name, "version": version })
                        });
                        shown["mods"] = mods.collect();
                    }
                    shown
                })
                .collect();
            let count = rooms.len();
            Ok(json!({ "hours": hours, "limit": limit, "count": count, "rooms": rooms }))
        })
        .await
    }

    /// What was made under this name of late, or is made now.
    async fn fresh(
        &self,
        name: String,
        make: impl AsyncFnOnce() -> Result<Value, StoreError>,
    ) -> Result<Bytes, StoreError> {
        let found = {
            let mut kept = self.kept.borrow_mut();
            kept.retain(|(_, made, _)| made.elapsed() < FRESH);
            let found = kept.iter().find(|(known, ..)| *known == name);
            found.map(|(.., body)| body.clone())
        };
        if let Some(body) = found {
            return Ok(body);
        }
        let body = Bytes::from(make().await?.to_string());
        let mut kept = self.kept.borrow_mut();
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back((name, Instant::now(), body.clone()));
        Ok(body)
    }
}

impl Site for Pages {
    const ANY_METHOD: bool = true;

    async fn get(&self, path: &str, query: Option<&str>) -> Answer {
        let mut answer = self.page(path, query).await.unwrap_or_else(|_| {
            let why = json!({ "error": "Internal Server Error" });
            failure(StatusCode::INTERNAL_SERVER_ERROR, &why)
        });
        let headers = answer.headers_mut();
        headers.insert(SERVER, HeaderValue::from_static("VCMI-Lobby-API"));
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        answer
    }
}

fn as_json(body: Bytes) -> Answer {
    with_body("application/json", body)
}

fn failure(status: StatusCode, body: &Value) -> Answer {
    let mut answer = with_body("application/json", body.to_string());
    *answer.status_mut() = status;
    answer
}

fn statistics(found: &Statistics, started: u64) -> Value {
    let counted = |current: (&str, i64), of: usize, periods: std::ops::Range<usize>| {
        let mut shown = serde_json::Map::new();
        shown.insert(current.0.to_owned(), current.1.into());
        for at in periods {
            let count = found.since.get(at).map_or(0, |counts| counts[of]);
            shown.insert(PERIOD_NAMES[at].to_owned(), count.into());
        }
        shown
    };
    let online = i64::try_from(found.online.len()).unwrap_or(i64::MAX);
    let mut games = counted(("current", found.playing), 2, 1..5);
    games.insert("total".to_owned(), found.games.into());
    json!({
        "onlinePlayers": found.online,
        "onlinePlayersCount": counted(("current", online), 0, 0..5),
        "registeredPlayersCount": counted(("total", found.registered), 1, 1..5),
        "gameCount": games,
        "lobbyCount": {
            "current": found.public + found.private,
            "public": found.public,
            "private": found.private,
        },
        "lobbyStartTime": time(started),
        "server": "VCMI Lobby",
        "apiVersion": "1.0",
    })
}

/// A moment with its offset; ours is UTC.
fn time(unix_s: u64) -> String {
    let at = Timestamp::from_second(i64::try_from(unix_s).unwrap_or(i64::MAX));
    let at = Offset::UTC.to_datetime(at.unwrap_or(Timestamp::MAX));
    format!("{}+0000", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// Hours and limit of a query for rooms, or why it is none.
fn wanted(query: Option<&str>) -> Result<(i64, i64), &'static str> {
    let hours = match parameter(query, "hours") {
        None => -1,
        Some(text) => match leading(&text) {
            Leading::Number(hours) if i32::try_from(hours).is_ok() => hours,
            Leading::Number(_) | Leading::TooLarge => {
                return Err("Parameter 'hours' is out of range");
            }
            Leading::None => return Err("Parameter 'hours' must be an integer"),
        },
    };
    let limit = match parameter(query, "limit") {
        None => 50,
        Some(text) => match leading(&text) {
            Leading::Number(limit) if ROOMS.contains(&limit) => limit,
            Leading::Number(_) | Leading::TooLarge => {
                return Err("Parameter 'limit' must be between 1 and 250");
            }
            Leading::None => return Err("Parameter 'limit' must be an integer"),
        },
    };
    Ok((hours, limit))
}

enum Leading {
    None,
    TooLarge,
    Number(i64),
}

/// The number that a text begins with, as the reference reads it: a sign, spaces in front and any text behind are fine.
fn leading(text: &str) -> Leading {
    let text = text.trim_start();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let len = digits.bytes().take_while(u8::is_ascii_digit).count();
    if len == 0 {
        return Leading::None;
    }
    let number: Result<i64, _> = digits[..len].parse();
    match number {
        Ok(number) if text.starts_with('-') => Leading::Number(-number),
        Ok(number) => Leading::Number(number),
        Err(_) => Leading::TooLarge,
    }
}

/// The first parameter of this name, decoded; one without a value is none.
fn parameter(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?
        .split('&')
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let (_, value) = pairs.into_iter().find(|(known, _)| *known == name)?;
    (!value.is_empty()).then(|| decoded(value))
}

/// Percent-decoded; what is no text is replaced.
fn decoded(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = |at: usize| behind.get(at).and_then(|&byte| (byte as char).to_digit(16));
        rest = match (byte, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                &behind[2..]
            }
            (b'+', ..) => {
                out.push(b' ');
                behind
            }
            _ => {
                out.push(byte);
                behind
            }
        };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// checklist: vcmi-json 92
    #[test]
    fn parameters_are_read_as_the_reference_reads_them() {
        assert_eq!(wanted(None), Ok((-1, 50)));
        assert_eq!(wanted(Some("hours=24&limit=7&hours=x")), Ok((24, 7)));
        assert_eq!(wanted(Some("hours=&limit=12abc")), Ok((-1, 12)));
        assert_eq!(wanted(Some("hours=-5")), Ok((-5, 50)));
        for (query, why) in [
            ("hours=x", "Parameter 'hours' must be an integer"),
            ("hours=99999999999", "Parameter 'hours' is out of range"),
            ("limit=x", "Parameter 'limit' must be an integer"),
            ("limit=0", "Parameter 'limit' must be between 1 and 250"),
            ("limit=251", "Parameter 'limit' must be between 1 and 250"),
            (
                "limit=99999999999999999999",
                "Parameter 'limit' must be between 1 and 250",
            ),
        ] {
            assert_eq!(wanted(Some(query)), Err(why), "{query}");
        }
        assert_eq!(decoded("a%20b+c%zz%"), "a b c%zz%");
        assert_eq!(time(951_827_415), "2000-02-29T12:30:15+0000");
    }
}
