//! Asking the shards, and ordering something of them: the one way by which the process learns what a lobby has, and has it do
//! something.
//!
//! Nothing here waits for longer than [`PATIENCE`] for one answer, or [`IN_ALL`] for all of a list: a shard that does not answer
//! in time is named as silent, and is not asked again before it has caught up.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use muster::{
    control_socket::{Listed, Listing},
    engine::{self, Answer, Inquiry, Mesh, Wish},
    lobbies::Router,
    lobby::{
        Protocol, ShardId,
        operator::{Act, Done, Farewell, Found, Mark, Order, Player, Query, Row, Subject, Wanted},
    },
};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

/// How long one answer is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a whole list may take. The command's own patience is longer.
const IN_ALL: Duration = Duration::from_secs(6);
/// Questions that one shard may owe answers to.
const OWED: u32 = 16;
/// Rows of a list, at the most.
pub(super) const MOST_ROWS: u32 = 10_000;

/// The lobbies by what operators call them.
pub(super) type Lobbies = Vec<(&'static str, Protocol)>;

/// Those that are meant.
///
/// # Errors
/// In words: there is no such lobby.
pub(super) fn lobbies(named: Option<&str>) -> Result<Lobbies, String> {
    let all = Router::LOBBIES;
    let Some(named) = named else {
        return Ok(all.to_vec());
    };
    let found = all.iter().find(|(name, _)| *name == named);
    found.map(|one| vec![*one]).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
        format!("no lobby is called {named:?}: {}", names.join(", "))
    })
}

/// What an operator means by a name, an address or a number.
///
/// # Errors
/// In words: it is no such thing.
pub(super) fn wanted(text: Option<&str>) -> Result<Wanted, String> {
    let Some(text) = text else {
        return Ok(Wanted::Any);
    };
    if let Some(number) = text.strip_prefix('#') {
        let number = number.parse().map(Wanted::Number);
        return number.map_err(|_| format!("{text:?} is not # and a number"));
    }
    match text.parse() {
        Ok(network) => Ok(Wanted::Network(network)),
        Err(_) if text.contains('/') => Err(format!(
            "{text:?} is neither a name nor a network such as 192.0.2.0/24"
        )),
        Err(_) => Ok(Wanted::Prefix(text.to_owned())),
    }
}

/// The shards, for whoever wants something of them.
pub(super) struct Shards {
    mesh: Arc<Mesh<Router>>,
    /// Answers that each owes.
    owed: Vec<Arc<AtomicU32>>,
}

impl Shards {
    pub(super) fn of(mesh: Arc<Mesh<Router>>) -> Shards {
        let owed = mesh.ids().map(|_| Arc::default()).collect();
        Shards { mesh, owed }
    }

    /// Puts something to one shard. None: it has not answered in time, or has ended.
    async fn ask(&self, shard: ShardId, wish: Wish) -> Option<Answer> {
        let owed = self.owed.get(shard.local())?.clone();
        if owed.load(Ordering::Acquire) >= OWED {
            return None;
        }
        owed.fetch_add(1, Ordering::AcqRel);
        let (send, receive) = oneshot::channel();
        let reply = move |answer| {
            owed.fetch_sub(1, Ordering::AcqRel);
            drop(send.send(answer)); // nobody may wait for it any more
        };
        self.mesh.inquire(shard, Inquiry::new(wish, reply));
        timeout(PATIENCE, receive).await.ok()?.ok()
    }

    async fn page(&self, shard: ShardId, query: Query) -> Option<Found> {
        match self.ask(shard, Wish::List(query)).await? {
            Answer::Found(found) => Some(found),
            Answer::Done(_) | Answer::Evicted { .. } => None,
        }
    }

    /// What there is in these lobbies, page by page, until there are enough.
    pub(super) async fn list(
        &self,
        subject: Subject,
        lobbies: &Lobbies,
        wanted: &Wanted,
        most: u32,
    ) -> Listing {
        let most = most.min(MOST_ROWS) as usize;
        let end = Instant::now() + IN_ALL;
        let mut listing = Listing::default();
        for &(lobby, protocol) in lobbies {
            for shard in self.mesh.ids() {
                let mut from = Some(Mark::Start);
                while let Some(mark) = from.take() {
                    let query = Query {
                        protocol: Some(protocol),
                        subject,
                        wanted: wanted.clone(),
                        from: mark,
                    };
                    let local = shard.local() as u16;
                    let page = match Instant::now() < end {
                        true => self.page(shard, query).await,
                        false => None,
                    };
                    let Some(found) = page else {
                        if !listing.silent.contains(&local) {
                            listing.silent.push(local);
                        }
                        break;
                    };
                    if found.lacks && !listing.lacking.iter().any(|one| one == lobby) {
                        listing.lacking.push(lobby.to_owned());
                    }
                    for row in found.rows {
                        if listing.rows.len() == most {
                            listing.more = true;
                            return listing;
                        }
                        listing.rows.push(listed(lobby, local, row));
                    }
                    from = found.next;
                }
            }
        }
        listing
    }

    /// Has every shard of a lobby do something. None: no shard has such a thing; else how many it concerns.
    pub(super) async fn order(&self, protocol: Protocol, act: &Act) -> Result<Option<u32>, String> {
        let (mut concerned, mut silent) = (None, Vec::new());
        for shard in self.mesh.ids() {
            let order = Order {
                protocol,
                act: act.clone(),
            };
            match self.ask(shard, Wish::Order(order)).await {
                Some(Answer::Done(Done::Of(count))) => {
                    concerned = Some(concerned.unwrap_or(0) + count);
                }
                Some(Answer::Done(Done::Full)) => {
                    return Err("there is no room for more of that; lift some first".to_owned());
                }
                Some(_) => {}
                None => silent.push(shard.local().to_string()),
            }
        }
        match silent.is_empty() {
            true => Ok(concerned),
            false => Err(format!(
                "shard {} did not answer in time; the others have done it",
                silent.join(", ")
            )),
        }
    }

    /// Those who are signed in on other nodes, who are meant; each shard shows all of them.
    pub(super) async fn elsewhere(&self, protocol: Protocol, wanted: &Wanted) -> Vec<Player> {
        let (mut players, mut from) = (Vec::new(), Some(Mark::Start));
        let first = ShardId::new(self.mesh.node(), 0);
        let end = Instant::now() + IN_ALL;
        while let Some(mark) = from.take().filter(|_| Instant::now() < end) {
            let query = Query {
                protocol: Some(protocol),
                subject: Subject::Elsewhere,
                wanted: wanted.clone(),
                from: mark,
            };
            let Some(found) = self.page(first, query).await else {
                break;
            };
            let rows = found.rows.into_iter();
            players.extend(rows.filter_map(|row| match row {
                Row::Player(player) => Some(player),
                _ => None,
            }));
            from = found.next;
        }
        players
    }

    /// Has a shard of another node end somebody's connection. False: it is not shown any more, or that node is out of reach.
    pub(super) async fn dismiss(
        &self,
        protocol: Protocol,
        player: &Player,
        farewell: &Farewell,
    ) -> bool {
        let act = Act::Dismiss {
            conn: player.conn,
            id: player.id.unwrap_or_default(),
            farewell: farewell.clone(),
        };
        let first = ShardId::new(self.mesh.node(), 0);
        let order = Order { protocol, act };
        let done = self.ask(first, Wish::Order(order)).await;
        matches!(done, Some(Answer::Done(Done::Of(1))))
    }

    /// Ends what is meant of a shard's connections, some at a time. How many; None: it has not answered in time.
    pub(super) async fn evict(
        &self,
        shard: ShardId,
        mut eviction: engine::Eviction,
    ) -> Option<u32> {
        let mut all = 0;
        loop {
            match self.ask(shard, Wish::Evict(eviction.clone())).await? {
                Answer::Evicted { ended, next } => {
                    all += ended;
                    match next {
                        Some(next) => eviction.from = next,
                        None => return Some(all),
                    }
                }
                Answer::Found(_) | Answer::Done(_) => return None,
            }
        }
    }
}

impl Shards {
    /// Ends the connections of those who are in no game, in all lobbies, so many in a second.
    pub(super) async fn end_idle(&self, per_s: u32) {
        let (subject, wanted) = (Subject::Players, Wanted::Any);
        let all = Router::LOBBIES.to_vec();
        let listing = self.list(subject, &all, &wanted, u32::MAX).await;
        let idle = listing
            .rows
            .into_iter()
            .filter_map(|listed| match listed.row {
                Row::Player(player) if player.is_idle() => Some(player.conn),
                _ => None,
            });
        for (number, conn) in idle.enumerate() {
            if number > 0 && number.is_multiple_of(slice(0, per_s)) {
                sleep(SLICE).await;
            }
            let eviction = engine::Eviction {
                conn: Some(conn),
                network: None,
                protocol: None,
                from: 0,
                most: 1,
                farewell: Farewell::ServerEnds,
            };
            self.evict(conn.shard, eviction).await; // a shard that does not answer is asked again with the next list
        }
    }
}

/// The end of all connections, some at a time: how far it is.
pub(super) struct Eviction<'a> {
    shards: &'a Shards,
    /// Of this lobby; none: of all.
    protocol: Option<Protocol>,
    /// Where each shard goes on; none: nobody is left there.
    next: Vec<Option<u32>>,
    /// So many at a time.
    slice: usize,
}

/// Between two slices.
const SLICE: Duration = Duration::from_millis(100);
/// The longest that ending them all takes: a service manager has patience for little more.
const EVICTED_WITHIN: Duration = Duration::from_secs(20);

impl<'a> Eviction<'a> {
    /// Of so many connections, at so many in a second at least.
    pub(super) fn of(shards: &'a Shards, connections: u64, per_s: u32) -> Eviction<'a> {
        Eviction {
            next: shards.mesh.ids().map(|_| Some(0)).collect(),
            slice: slice(connections, per_s),
            protocol: None,
            shards,
        }
    }

    /// Of this lobby only.
    pub(super) fn of_lobby(self, protocol: Protocol) -> Self {
        let protocol = Some(protocol);
        Eviction { protocol, ..self }
    }

    /// Until nobody is left.
    pub(super) async fn run(mut self) {
        while self.one_slice().await {
            sleep(SLICE).await;
        }
    }

    /// Ends some connections of each shard. False: nobody is left.
    async fn one_slice(&mut self) -> bool {
        let mut left = self.slice;
        for shard in self.shards.mesh.ids() {
            while left > 0
                && let Some(from) = self.next[shard.local()]
            {
                let eviction = engine::Eviction {
                    conn: None,
                    network: None,
                    protocol: self.protocol,
                    from,
                    most: left,
                    farewell: Farewell::ServerEnds,
                };
                let answer = self.shards.ask(shard, Wish::Evict(eviction)).await;
                let (ended, next) = match answer {
                    Some(Answer::Evicted { ended, next }) => (ended, next),
                    _ => (0, None), // it hangs: the end does not wait for it
                };
                left = left.saturating_sub(ended as usize);
                self.next[shard.local()] = next;
            }
        }
        self.next.iter().any(Option::is_some)
    }
}

/// How many of so many connections end at a time: as many as are wished for in a second, or as it takes to end all in time.
fn slice(connections: u64, per_s: u32) -> usize {
    let slices = EVICTED_WITHIN.as_millis() / SLICE.as_millis();
    let in_a_second = Duration::from_secs(1).as_millis() / SLICE.as_millis();
    let in_time = connections.div_ceil(slices as u64);
    let wished = u64::from(per_s).div_ceil(in_a_second as u64);
    in_time.max(wished) as usize
}

fn listed(lobby: &str, shard: u16, row: Row) -> Listed {
    Listed {
        lobby: lobby.to_owned(),
        shard,
        row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_end_at_the_wished_rate_and_all_in_time() {
        assert_eq!(slice(0, 1), 1);
        assert_eq!(slice(500, 2_000), 200, "three slices, a fifth of a second");
        assert_eq!(slice(40_000, 2_000), 200, "just in time");
        assert_eq!(slice(100_000, 2_000), 500);
    }

    #[test]
    fn what_is_typed_means_a_name_a_network_or_a_number() {
        let network = wanted(Some("192.0.2.0/24"));
        assert!(matches!(network, Ok(Wanted::Network(_))));
        assert!(matches!(wanted(Some("::1")), Ok(Wanted::Network(_))));
        assert_eq!(wanted(Some("#7")), Ok(Wanted::Number(7)));
        assert_eq!(wanted(Some("an")), Ok(Wanted::Prefix("an".to_owned())));
        assert_eq!(wanted(None), Ok(Wanted::Any));
        assert!(wanted(Some("#x")).is_err());
        assert!(wanted(Some("192.0.2.0/240")).is_err());
        assert!(lobbies(Some("chess")).unwrap_err().contains("vcmi"));
    }
}
