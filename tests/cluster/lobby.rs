//! A lobby of several nodes with a database and a NATS of its own, and everybody who has ever been in it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Client, Heard},
    nats::{self, Nats},
    node::Node,
    support::{
        proxy::Line,
        server::{Backend, Database},
    },
    until, until_within,
};

/// Accounts `p0`, `p1`, … besides those of the test data, and the number of the first.
pub(crate) const EXTRAS: u32 = 400;
const FIRST_EXTRA: u32 = 10_000;

/// How often it is said in what pictures differ, while they do.
const LOOK_CLOSER: Duration = Duration::from_secs(5);

/// Nodes go by time: only one test at a time has any.
static ALONE: Mutex<()> = Mutex::new(());

/// A time in which the players of one node could not show the others that they were there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Away {
    pub(crate) node: usize,
    pub(crate) from: Instant,
    /// Nothing: it still lasts.
    pub(crate) to: Option<Instant>,
}

/// The lobby. It is ended with this value.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Node>,
    pub(crate) nats: Nats,
    pub(crate) database: Database,
    set: Vec<String>,
    everybody: Mutex<Vec<Arc<Heard>>>,
    pub(crate) aways: Vec<Away>,
    _alone: MutexGuard<'static, ()>,
}

impl Cluster {
    /// So many nodes that know each other. Nothing, and a word about it, where a server for the test is missing.
    pub(crate) fn start(nodes: usize) -> Option<Cluster> {
        Cluster::with(nodes, &[], &[])
    }

    /// The same with more settings and statements.
    pub(crate) fn with(nodes: usize, set: &[&str], sql: &[&str]) -> Option<Cluster> {
        let Some(program) = nats::program() else {
            eprintln!("no nats-server, passed over");
            return None;
        };
        if !Backend::all().contains(&Backend::MySql) {
            eprintln!("no MUSTER_TEST_MYSQL, passed over");
            return None;
        }
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let database = Database::make(Backend::MySql).unwrap();
        database.sql(&extras()).unwrap();
        for statement in sql {
            database.sql(statement).unwrap();
        }
        // Locks have no database of their own: the name keeps tests of other processes apart.
        let lobby = database.url().rsplit('/').next().unwrap().to_owned();
        let mut set: Vec<String> = set.iter().map(|&pair| pair.to_owned()).collect();
        set.push(format!("cluster.lobby={lobby}"));
        let mut cluster = Cluster {
            nodes: Vec::new(),
            nats: Nats::start(program),
            database,
            set,
            everybody: Mutex::default(),
            aways: Vec::new(),
            _alone: alone,
        };
        for _ in 0..nodes {
            cluster.add();
        }
        cluster.agree(nodes);
        Some(cluster)
    }

    /// One more node; its place.
    pub(crate) fn add(&mut self) -> usize {
        let place = self.add_unready();
        until("the node to be ready", || self.nodes[place].is_ready());
        place
    }

    /// One more node, which is not waited for; its place.
    pub(crate) fn add_unready(&mut self) -> usize {
        let place = self.nodes.len();
        let name = format!("node-{place}");
        let mut node = Node::new(&name, self.nats.address, &self.database.url(), &self.set);
        node.start_unready();
        self.nodes.push(node);
        place
    }

    /// Waits until all that run see so many members and none is an island; how long it took.
    pub(crate) fn agree(&self, members: usize) -> Duration {
        let running = || self.nodes.iter().filter(|node| node.runs());
        until(&format!("{members} members"), || {
            running().all(|node| {
                node.metric("muster_cluster_members") == members as f64 && !node.is_island()
            }) && self.views().windows(2).all(|two| two[0] == two[1])
        })
    }

    /// The numbers of the views of all that run.
    pub(crate) fn views(&self) -> Vec<u64> {
        let running = self.nodes.iter().filter(|node| node.runs());
        running
            .map(|node| node.metric("muster_cluster_view") as u64)
            .collect()
    }

    /// Places of the nodes that hold a lease, by their own word.
    pub(crate) fn holders(&self, lease: &str) -> Vec<usize> {
        let places = 0..self.nodes.len();
        places
            .filter(|&place| self.nodes[place].runs() && self.nodes[place].holds(lease))
            .collect()
    }

    /// Waits until one node, and it alone, holds a lease; its place.
    pub(crate) fn holder(&self, lease: &str) -> usize {
        let mut holder = None;
        until(&format!("a holder of {lease}"), || {
            holder = match self.holders(lease)[..] {
                [one] => Some(one),
                _ => None,
            };
            holder.is_some()
        });
        holder.expect("there is one")
    }

    /// Somebody connects to a node and says who he is.
    pub(crate) fn greeting(&self, node: usize, login: &str) -> Client {
        let address = self.nodes[node].listener("faf/json");
        let client = Client::greeting(address, node, login);
        self.everybody.lock().unwrap().push(client.heard.clone());
        client
    }

    /// Somebody signs in on a node and has heard of everybody.
    pub(crate) fn sign_in(&self, node: usize, login: &str) -> Client {
        let mut client = self.greeting(node, login);
        client.command("game_info");
        client
    }

    /// Signs in, again and again if he is sent away with "try again"; how often he was.
    pub(crate) fn sign_in_at_last(&self, node: usize, login: &str) -> (Client, usize) {
        let mut last_words = Vec::new(); // of the last refused one
        for refused in 0..50 {
            let mut client = self.greeting(node, login);
            let is_list = |message: &serde_json::Value| message["command"] == "game_info";
            if client.or_end("the lists", is_list).is_some() {
                return (client, refused);
            }
            last_words = client.last_words();
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{login} does not get in on node {node}: {last_words:?}");
    }

    /// All of them sign in at once, on these nodes in turn, as often as it takes; and how often they were sent away.
    pub(crate) fn come_back(&self, logins: &[&str], nodes: &[usize]) -> (Vec<Client>, usize) {
        let came = thread::scope(|scope| {
            let coming = logins.iter().enumerate().map(|(n, login)| {
                let node = nodes[n % nodes.len()];
                scope.spawn(move || self.sign_in_at_last(node, login))
            });
            let coming: Vec<_> = coming.collect();
            let came = coming.into_iter().map(|coming| coming.join().unwrap());
            came.collect::<Vec<_>>()
        });
        let (clients, refused): (Vec<_>, Vec<usize>) = came.into_iter().unzip();
        (clients, refused.into_iter().sum())
    }

    /// Extra accounts from a place on, one after the other on the nodes in turn.
    pub(crate) fn crowd(&self, from: u32, count: u32, nodes: &[usize]) -> Vec<Client> {
        let players = (0..count).map(|n| {
            let node = nodes[n as usize % nodes.len()];
            self.sign_in(node, &format!("p{}", from + n))
        });
        players.collect()
    }

    /// Everybody who has ever connected.
    pub(crate) fn everybody(&self) -> Vec<Arc<Heard>> {
        self.everybody.lock().unwrap().clone()
    }

    /// From now on the others can't hear of a node's players.
    pub(crate) fn goes_away(&mut self, node: usize) {
        let from = Instant::now();
        self.aways.push(Away {
            node,
            from,
            to: None,
        });
    }

    /// From now on they can.
    pub(crate) fn is_back(&mut self, node: usize) {
        let open = |away: &&mut Away| away.node == node && away.to.is_none();
        if let Some(away) = self.aways.iter_mut().find(open) {
            away.to = Some(Instant::now());
        }
    }

    /// Takes a node's line to NATS.
    pub(crate) fn cut_bus(&mut self, node: usize) {
        self.nodes[node].bus.set(Line::Cut);
        self.goes_away(node);
    }

    /// Gives it back, and waits until all are together again; how long that took.
    pub(crate) fn mend_bus(&mut self, node: usize, members: usize) -> Duration {
        self.nodes[node].bus.set(Line::Whole);
        let took = self.agree(members);
        self.is_back(node);
        took
    }

    /// Kills a node; its players' connections end.
    pub(crate) fn kill(&mut self, node: usize) {
        self.goes_away(node);
        self.nodes[node].kill();
        until("its connections to end", || {
            let mut its = self
                .everybody()
                .into_iter()
                .filter(|heard| heard.node == node);
            its.all(|heard| heard.log().ended.is_some())
        });
    }

    /// Waits until everybody who is in knows the same, and who is in; how long that took.
    pub(crate) fn pictures_agree(&self, goal: Duration) -> Duration {
        let mut looked = Instant::now();
        until_within(goal, "equal pictures", || {
            let difference = self.difference();
            if let Some(difference) = &difference
                && looked.elapsed() > LOOK_CLOSER
            {
                looked = Instant::now();
                println!("not yet: {difference}");
            }
            difference.is_none()
        })
    }

    /// In what two of those who are in differ, if they do.
    pub(crate) fn difference(&self) -> Option<String> {
        let everybody = self.everybody();
        let inside: Vec<_> = everybody.iter().filter(|heard| heard.is_in()).collect();
        let mut ids = Vec::new();
        for heard in &inside {
            ids.extend(heard.log().welcomed.map(|(_, id)| id));
        }
        ids.sort_unstable();
        let mut first: Option<(&str, crate::client::Picture)> = None;
        for heard in inside {
            let picture = heard.log().picture.clone();
            let known: Vec<u64> = picture.players.keys().copied().collect();
            if known != ids {
                let of = format!("{} on node {}", heard.login, heard.node);
                return Some(format!("{of} knows of {known:?}, there are {ids:?}"));
            }
            match &first {
                None => first = Some((&heard.login, picture)),
                Some((login, other)) if *other != picture => {
                    let games = (&other.games, &picture.games);
                    return Some(format!(
                        "{login} and {} (node {}) differ; games: {:?} and {:?}",
                        heard.login, heard.node, games.0, games.1
                    ));
                }
                Some(_) => {}
            }
        }
        None
    }
}

/// The statement that makes the extra accounts.
fn extras() -> String {
    let hash = |login: &str| {
        let hello = crate::support::player::hello(login);
        hello["password"].as_str().unwrap().to_owned()
    };
    let rows = (0..EXTRAS).map(|n| {
        let login = format!("p{n}");
        let hash = hash(&login);
        format!(
            "({}, '{login}', '{login}@example.com', '{hash}')",
            FIRST_EXTRA + n
        )
    });
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!("INSERT INTO login (id, login, email, password) VALUES {rows}")
}
