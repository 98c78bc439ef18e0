//! What an operator asks of the lobbies, and orders: the seam between `muster ctl` and the dialects.
//!
//! The control desk puts a [`Query`] or an [`Order`] to a shard; the engine gives it to the dialect that is meant, in a turn of
//! its own, and hands the answer back. A list is asked for page by page: whatever there is, one turn looks at [`LOOKS`] things
//! at the most and answers with [`ROWS`], so that players wait no longer for it than for somebody's frame. A dialect fills a
//! [`Page`] in an order of its own and says by a [`Mark`] where the next one begins. Who is to go is first looked for, then ended
//! by connection ([`Dialect::on_evict`](crate::Dialect::on_evict)): no dialect searches for anybody.
//!
//! A dialect that has no such thing leaves out the method: the defaults say so.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use serde::{Deserialize, Serialize};
use settings::Cidr;

use super::{ConnId, Protocol, ShardId};

/// Things that one turn looks at for a page.
pub const LOOKS: usize = if cfg!(test) { 3 } else { 512 };
/// Rows of a page.
pub const ROWS: usize = if cfg!(test) { 2 } else { 256 };
/// Names that may be silenced, or kept out of a lobby that has no store of its own for that.
pub const SANCTIONS: usize = 10_000;

/// What is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// Who has signed in.
    Players,
    /// Games, those that are still to begin included.
    Games,
    /// Where players wait to be matched.
    Queues,
    /// Connections, whoever they are; the engine's to list.
    Connections,
    /// How many players and games there are here: one row.
    Totals,
    /// Who has signed in on other nodes of the lobby, as far as is shown of them: names, numbers and connections. Any shard tells
    /// all of them.
    Elsewhere,
}

/// Where a list goes on: the first thing that has not been looked at, in the dialect's own order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// At its beginning.
    #[default]
    Start,
    /// At this number: a place, or a game.
    Number(u64),
    /// At whoever came then on this connection, or later.
    Came(Duration, ConnId),
    /// At this name.
    Name(Box<str>),
}

impl Mark {
    /// The number at which a list that is in the order of numbers goes on.
    pub fn number(&self) -> u64 {
        match self {
            Mark::Number(number) => *number,
            _ => 0,
        }
    }
}

/// Which of them are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wanted {
    /// All.
    #[default]
    Any,
    /// Whoever is called so, or begins with that, whatever the case; of games the host or the title.
    Prefix(String),
    /// Whoever is called exactly so, whatever the case.
    Name(String),
    /// Whoever has an account of this number; a game of this number.
    Number(u64),
    /// Whoever comes from there.
    Network(Cidr),
    /// Whoever uses this installation of a client.
    Client(String),
    /// Connections that do not take what waits for them.
    Slow,
}

/// One page of a list is wanted of a dialect's shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Of which dialect; for connections: `None` is of all.
    pub protocol: Option<Protocol>,
    /// What.
    pub subject: Subject,
    /// Which of them.
    pub wanted: Wanted,
    /// From where on.
    pub from: Mark,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// What there is.
    pub rows: Vec<Row>,
    /// Where the rest is; none: that was all.
    pub next: Option<Mark>,
    /// The dialect has no such thing.
    pub lacks: bool,
}

impl Found {
    /// The answer of a dialect that has no such thing.
    pub fn lacking() -> Found {
        Found {
            lacks: true,
            ..Found::default()
        }
    }
}

/// A page that is being filled.
#[derive(Debug)]
pub struct Page<'a> {
    wanted: &'a Wanted,
    found: Found,
    looks: usize,
}

impl<'a> Page<'a> {
    /// An empty one.
    pub fn of(query: &'a Query) -> Page<'a> {
        Page {
            wanted: &query.wanted,
            found: Found::default(),
            looks: 0,
        }
    }

    /// Looks at the next thing, and takes the row that `row` makes of it, if it is wanted. False: the page is full, and the thing
    /// at `mark` was not looked at. `row` is not called for what is none.
    pub fn look(&mut self, mark: impl FnOnce() -> Mark, row: impl FnOnce() -> Option<Row>) -> bool {
        if self.looks == LOOKS || self.found.rows.len() == ROWS {
            self.found.next = Some(mark());
            return false;
        }
        self.looks += 1;
        if let Some(row) = row().filter(|row| self.wanted.admits(row)) {
            self.found.rows.push(row);
        }
        true
    }

    /// What there is on it.
    pub fn found(self) -> Found {
        self.found
    }
}

/// One thing of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Row {
    /// Of [`Subject::Players`].
    Player(Player),
    /// Of [`Subject::Games`].
    Game(Game),
    /// Of [`Subject::Queues`].
    Queue(Queue),
    /// Of [`Subject::Connections`].
    Connection(Connection),
    /// Of [`Subject::Totals`].
    Totals(Totals),
}

/// How many there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Who has signed in.
    pub players: u32,
    /// Those that are still to begin included.
    pub games: u32,
}

impl From<Totals> for Found {
    fn from(totals: Totals) -> Found {
        Found {
            rows: vec![Row::Totals(totals)],
            ..Found::default()
        }
    }
}

/// Somebody who has signed in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Player {
    /// Where they are: what [`Connection::conn`] is, too.
    #[serde(with = "conn_text")]
    pub conn: ConnId,
    /// Number of their account, if they have one.
    pub id: Option<u64>,
    /// As others see it.
    pub name: String,
    /// Where they come from.
    pub address: IpAddr,
    /// Unix seconds since when they are there.
    pub since: u64,
    /// What they are doing, in the lobby's word.
    pub state: String,
    /// The game, table or room that they are in.
    pub game: Option<String>,
    /// Names the installation of their client, where it does so.
    pub client: Option<String>,
}

impl Player {
    /// Whether they lose nothing by a new connection: they are in no game, and none is about to begin.
    pub fn is_idle(&self) -> bool {
        self.game.is_none() && matches!(&*self.state, "IDLE" | "lobby" | "room")
    }
}

/// A game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Game {
    /// Its number, or its room's name.
    pub id: String,
    /// As its host describes it.
    pub title: String,
    /// Whose it is.
    pub host: String,
    /// How far it is, in the lobby's word.
    pub state: String,
    /// Who is in it.
    pub players: u32,
    /// How many may be.
    pub seats: Option<u32>,
    /// Where it is played.
    pub map: Option<String>,
    /// What is played: featured mod, format.
    pub variant: Option<String>,
    /// Unix seconds since when it goes on.
    pub since: Option<u64>,
}

/// Where players wait to be matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// By which clients know it.
    pub name: String,
    /// Who waits in it.
    pub players: u32,
    /// Parties that do.
    pub parties: u32,
    /// How long the first of them has been searching.
    pub longest_s: u64,
    /// Until it is looked again who could play whom.
    pub next_look_s: u64,
}

/// A connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Connection {
    /// Its name: shard, place, generation.
    #[serde(with = "conn_text")]
    pub conn: ConnId,
    /// The listener that it came through, which is lobby and transport.
    pub listener: String,
    /// Where it comes from.
    pub address: IpAddr,
    /// Who it is, if they have signed in.
    pub name: Option<String>,
    /// Seconds.
    pub age_s: u64,
    /// What it has said.
    pub bytes_in: u64,
    /// What it was sent.
    pub bytes_out: u64,
    /// What waits for it.
    pub owed: u64,
    /// It does not take what waits.
    pub slow: bool,
}

/// A connection's name as text.
pub mod conn_text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::{ConnId, named};

    /// Writes `0/17/4711`.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(conn: &ConnId, to: S) -> Result<S::Ok, S::Error> {
        let ConnId {
            shard,
            slot,
            generation,
        } = conn;
        to.collect_str(&format_args!("{}/{slot}/{generation}", shard.local()))
    }

    /// Reads it.
    ///
    /// # Errors
    /// It is no such name.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<ConnId, D::Error> {
        let text = String::deserialize(from)?;
        named(&text).ok_or_else(|| D::Error::custom("not a connection's name"))
    }
}

/// The connection of this node that `0/17/4711` names.
fn named(text: &str) -> Option<ConnId> {
    let mut parts = text.split('/');
    let (shard, slot, generation) = (parts.next()?, parts.next()?, parts.next()?);
    let conn = ConnId {
        shard: ShardId::new(0, shard.parse().ok()?),
        slot: slot.parse().ok()?,
        generation: generation.parse().ok()?,
    };
    parts.next().is_none().then_some(conn)
}

impl Wanted {
    /// Whether a row is wanted.
    pub fn admits(&self, row: &Row) -> bool {
        let names: [Option<&str>; 2] = match row {
            Row::Player(player) => [Some(&player.name), None],
            Row::Game(game) => [Some(&game.host), Some(&game.title)],
            Row::Queue(queue) => [Some(&queue.name), None],
            Row::Connection(conn) => [conn.name.as_deref(), None],
            Row::Totals(_) => [None, None],
        };
        let any = |holds: &dyn Fn(&str) -> bool| names.iter().flatten().any(|name| holds(name));
        match self {
            Wanted::Any => true,
            Wanted::Prefix(prefix) => any(&|name| begins_with(name, prefix)),
            Wanted::Name(wanted) => any(&|name| same_name(name, wanted)),
            Wanted::Number(number) => match row {
                Row::Player(player) => player.id == Some(*number),
                Row::Game(game) => game.id.parse() == Ok(*number),
                _ => false,
            },
            Wanted::Network(network) => match row {
                Row::Player(player) => network.contains(player.address),
                Row::Connection(conn) => network.contains(conn.address),
                _ => false,
            },
            Wanted::Slow => matches!(row, Row::Connection(conn) if conn.slow),
            Wanted::Client(client) => match row {
                Row::Player(player) => player.client.as_deref() == Some(client),
                _ => false,
            },
        }
    }
}

/// Whether two names are the same to an operator, who need not know how somebody writes themselves.
pub fn same_name(one: &str, other: &str) -> bool {
    one == other || folded(one).eq(folded(other))
}

fn begins_with(name: &str, prefix: &str) -> bool {
    let mut name = folded(name);
    folded(prefix).all(|letter| name.next() == Some(letter))
}

fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().flat_map(char::to_lowercase)
}

/// The last words to a connection that an operator ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Farewell {
    /// They are thrown out, and may come back.
    Kicked {
        /// What they are told.
        reason: String,
    },
    /// They are kept out.
    Banned {
        /// What they are told.
        reason: String,
        /// Unix time; none: for good.
        until: Option<Duration>,
    },
    /// The process is about to end.
    ServerEnds,
}

/// What every shard of a dialect is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Of which dialect.
    pub protocol: Protocol,
    /// What.
    pub act: Act,
}

/// What an operator may have a dialect do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Tell everybody who has signed in.
    Broadcast(String),
    /// Somebody may say nothing to others, or may again.
    Mute(Sanction),
    /// Somebody may not sign in, or may again; for lobbies that have no store for that.
    Ban(Sanction),
    /// Somebody on another node is to go; the shards of theirs do it.
    Dismiss {
        /// Their connection.
        conn: ConnId,
        /// Number of their account.
        id: u64,
        /// What they are told.
        farewell: Farewell,
    },
    /// The process is to end in so long; none: it is not, after all.
    EndPlanned {
        /// From now.
        within: Option<Duration>,
        /// What people are told besides.
        reason: Option<String>,
    },
    /// Nobody new may sign in any more, since the process is to end.
    LameDuck,
    /// Another process takes this one's place: who is in no game will be sent there, and is told so when the end begins.
    Succeeded,
}

/// What is done about a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sanction {
    /// Whose.
    pub name: String,
    /// What they are told.
    pub reason: String,
    /// Unix time until which it holds.
    pub until: Until,
}

/// How long something holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Until {
    /// For good.
    Ever,
    /// Until this Unix time.
    Then(Duration),
    /// No longer.
    Lifted,
}

/// What came of an order on one shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Done {
    /// The dialect has no such thing.
    Lacks,
    /// It is done. How many it concerns here, as far as that is known.
    Of(u32),
    /// There is no room for more of that.
    Full,
}

/// Names and what is done about them: who may not talk, who may not come in. Bounded; what no longer holds makes room.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sanctions {
    /// By the name in lower case.
    names: BTreeMap<Box<str>, (Option<Duration>, Box<str>)>,
}

impl Sanctions {
    /// Does what an order says. False: there are too many.
    pub fn set(&mut self, sanction: &Sanction, now_unix: Duration) -> bool {
        let name: Box<str> = folded(&sanction.name).collect();
        let until = match sanction.until {
            Until::Lifted => {
                self.names.remove(&name);
                return true;
            }
            Until::Ever => None,
            Until::Then(then) => Some(then),
        };
        if self.names.len() >= SANCTIONS && !self.names.contains_key(&name) {
            let holds = |until: Option<Duration>| until.is_none_or(|until| until > now_unix);
            self.names.retain(|_, (until, _)| holds(*until));
            if self.names.len() >= SANCTIONS {
                return false;
            }
        }
        self.names
            .insert(name, (until, sanction.reason.as_str().into()));
        true
    }

    /// What holds of a name now: until when, and why.
    pub fn of(&self, name: &str, now_unix: Duration) -> Option<(Option<Duration>, &str)> {
        if self.names.is_empty() {
            return None; // nearly always
        }
        let (until, reason) = self.names.get(&*folded(name).collect::<String>())?;
        let holds = until.is_none_or(|until| until > now_unix);
        holds.then_some((*until, reason))
    }
}

/// What somebody who is banned is told, where the lobby has no form of its own for it.
pub fn banned(reason: &str, until: Option<Duration>, now_unix: Duration) -> String {
    format!("You are banned {}: {reason}", how_long(until, now_unix))
}

/// What somebody is told who may not talk.
pub fn muted(reason: &str, until: Option<Duration>, now_unix: Duration) -> String {
    format!("You may not talk {}: {reason}", how_long(until, now_unix))
}

/// Rounded up to minutes.
fn how_long(until: Option<Duration>, now_unix: Duration) -> String {
    match until {
        None => "for good".to_owned(),
        Some(until) => {
            let left = until.saturating_sub(now_unix).as_secs().div_ceil(60);
            format!("for {left} more minute{}", if left == 1 { "" } else { "s" })
        }
    }
}

/// What everybody is told of an end that is planned, or is not any more.
pub fn end_planned(within: Option<Duration>, reason: Option<&str>) -> String {
    let planned = match within.map(|within| within.as_secs()) {
        None => "The server will not be shut down after all.".to_owned(),
        Some(60) => "The server will be shut down in 1 minute.".to_owned(),
        Some(seconds @ ..120) => format!("The server will be shut down in {seconds} seconds."),
        Some(seconds) => format!(
            "The server will be shut down in {} minutes.",
            seconds.div_ceil(60)
        ),
    };
    match reason {
        Some(reason) => format!("{planned} {reason}"),
        None => planned,
    }
}

/// What an operator has ordered that holds on, for a lobby that has nobody else to keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Who may say nothing to others.
    pub muted: Sanctions,
    /// Who may not sign in.
    pub banned: Sanctions,
    /// Nobody new may sign in, since the process is to end.
    pub lame_duck: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> Row {
        Row::Queue(Queue {
            name: name.to_owned(),
            players: 0,
            parties: 0,
            longest_s: 0,
            next_look_s: 0,
        })
    }

    #[test]
    fn a_page_ends_where_the_next_one_begins() {
        let all = ["Ann", "anna", "bob", "ANNE", "eve", "annie", "ann"];
        let mut query = Query {
            protocol: None,
            subject: Subject::Queues,
            wanted: Wanted::Prefix("ann".into()),
            from: Mark::Start,
        };
        let (mut names, mut pages) = (Vec::new(), 0);
        loop {
            let mut page = Page::of(&query);
            for (at, name) in all.iter().enumerate().skip(query.from.number() as usize) {
                if !page.look(|| Mark::Number(at as u64), || Some(queue(name))) {
                    break;
                }
            }
            let found = page.found();
            assert!(found.rows.len() <= ROWS);
            names.extend(found.rows.into_iter().map(|row| match row {
                Row::Queue(queue) => queue.name,
                _ => unreachable!(),
            }));
            pages += 1;
            match found.next {
                Some(next) => query.from = next,
                None => break,
            }
        }
        assert_eq!(names, ["Ann", "anna", "ANNE", "annie", "ann"]);
        assert_eq!(pages, 3);
    }

    #[test]
    fn a_sanction_ends_by_itself_or_by_order_and_there_is_room_again() {
        let mut sanctions = Sanctions::default();
        let at = Duration::from_secs;
        let sanction = |name: &str, until| Sanction {
            name: name.to_owned(),
            reason: "spam".to_owned(),
            until,
        };
        assert!(sanctions.set(&sanction("Ann", Until::Then(at(10))), at(1)));
        assert_eq!(sanctions.of("aNN", at(9)), Some((Some(at(10)), "spam")));
        assert_eq!(sanctions.of("ann", at(10)), None);
        for n in 1..SANCTIONS {
            assert!(sanctions.set(&sanction(&n.to_string(), Until::Ever), at(2)));
        }
        assert!(!sanctions.set(&sanction("bob", Until::Ever), at(9)));
        assert!(sanctions.set(&sanction("bob", Until::Ever), at(10)));
        assert!(sanctions.of("BOB", at(11)).is_some());
        assert!(sanctions.set(&sanction("Bob", Until::Lifted), at(11)));
        assert_eq!(sanctions.of("bob", at(11)), None);
    }

    #[test]
    fn a_connection_is_called_the_same_both_ways() {
        let conn = ConnId {
            shard: ShardId::new(0, 3),
            slot: 17,
            generation: 4711,
        };
        assert_eq!(named("3/17/4711"), Some(conn));
        for wrong in ["", "3/17", "3/17/4711/1", "300/1/1", "a/b/c"] {
            assert_eq!(named(wrong), None, "{wrong}");
        }
    }
}
