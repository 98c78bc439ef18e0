//! The files of `tuning/cluster`, as `docs/cluster.md` has them, but for addresses and ports. A test whose program is not installed
//! says so and has checked nothing.

use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::{
    checker::check, client::Client, goal, lobby::Cluster, nats, support::server::muster, until,
    until_within,
};

fn file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tuning/cluster");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A text with other words in place of those that it has.
fn with(mut text: String, words: &[(&str, &str)]) -> String {
    for (from, to) in words {
        assert!(text.contains(from), "no {from:?}");
        text = text.replace(from, to);
    }
    text
}

fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// A program beside the nodes; it ends with this value.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and waits until it takes connections.
fn program(path: &Path, words: &[&str], listens: SocketAddr) -> Program {
    let child = Command::new(path)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let made = Program(child);
    until("it to listen", || TcpStream::connect(listens).is_ok());
    made
}

fn installed(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"];
    let found = folders.map(|folder| Path::new(folder).join(name));
    let found = found.into_iter().find(|path| path.exists());
    if found.is_none() {
        eprintln!("NOT CHECKED, {name} is not installed");
    }
    found
}

#[test]
fn the_settings_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("muster.toml");
    let data = folder.path().display().to_string();
    fs::write(
        &path,
        with(file("muster.toml"), &[("/var/lib/muster", &data)]),
    )
    .unwrap();
    let checked = muster(folder.path())
        .args(["--config", path.to_str().unwrap(), "--check-config"])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn nats_takes_the_nodes_and_nobody_else() {
    let Some(path) = nats::program() else {
        eprintln!("NOT CHECKED, nats-server is not installed");
        return;
    };
    let address = free();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("nats-server.conf");
    let text = with(
        file("nats-server.conf"),
        &[("10.0.0.1:4222", &address.to_string())],
    );
    fs::write(&made, text).unwrap();
    let _nats = program(&path, &["-c", made.to_str().unwrap()], address);
    let url = format!("cluster.url=nats://{address}");
    let settings = [&*url, "cluster.credentials=muster:change-me"];
    let mut doctor = muster(folder.path());
    for set in settings
        .iter()
        .chain(&["store.url=mysql://nobody@127.0.0.1:1/none"])
    {
        doctor.args(["--set", set]);
    }
    let examined = doctor.args(["doctor", "--json"]).output().unwrap();
    let checks: Vec<serde_json::Value> = serde_json::from_slice(&examined.stdout).unwrap();
    for name in ["NATS", "NATS round trip"] {
        let of_nats = checks.iter().find(|check| check["name"] == name);
        let verdict = of_nats.map(|check| check["verdict"].clone());
        assert_eq!(verdict, Some("ok".into()), "{checks:?}");
    }
    let Some(mut cluster) = Cluster::with(2, &settings, &[]) else {
        return;
    };
    let _orion = cluster.sign_in(0, "orion");
    let _vega = cluster.sign_in(1, "vega");
    check(&mut cluster);
}

#[test]
fn haproxy_brings_everybody_to_a_node_that_takes_players() {
    let Some(path) = installed("haproxy") else {
        return;
    };
    let Some(mut cluster) = Cluster::with(2, &["faf.proxy=true"], &[]) else {
        return;
    };
    let door = free();
    let [first, second] = [0, 1].map(|node| {
        let of = |name| cluster.nodes[node].listener(name);
        let (json, health) = (of("faf/json"), of("http/health").port());
        format!("server node{} {json} port {health}", node + 1)
    });
    let [other, third, fourth] = [(); 3].map(|()| format!("bind {}", free()));
    let text = with(
        file("haproxy.cfg"),
        &[
            ("maxconn 40000", "maxconn 1000"),
            ("bind :8002", &format!("bind {door}")),
            ("bind :8001", &other),
            ("bind :8003", &third),
            ("bind :5002", &fourth),
            ("server node1 10.0.0.1:8002", &first),
            ("server node2 10.0.0.2:8002", &second),
            // Doors that are not used here lead there as well.
            ("server node1 10.0.0.1:8001", &first),
            ("server node2 10.0.0.2:8001", &second),
            ("server node1 10.0.0.1:8003", &first),
            ("server node2 10.0.0.2:8003", &second),
            ("server node1 10.0.0.1:5002", &first),
            ("server node2 10.0.0.2:5002", &second),
        ],
    );
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("haproxy.cfg");
    fs::write(&made, text).unwrap();
    let _haproxy = program(&path, &["-db", "-f", made.to_str().unwrap()], door);
    let come = |login: &str| {
        let mut client = Client::greeting(door, usize::MAX, login);
        let lists = client.or_end("the lists", |message| message["command"] == "game_info");
        lists.map(|_| client)
    };
    let clients: Vec<Client> = (0..8)
        .map(|n| come(&format!("p{n}")).expect("both take players"))
        .collect();
    let on = |cluster: &Cluster, node: usize| {
        cluster.nodes[node].metric_of("muster_lobby_players", "lobby=\"faf\"")
    };
    until("half of them on each node", || {
        on(&cluster, 0) == 4.0 && on(&cluster, 1) == 4.0
    });
    // A node dies: its players come in again, through the same door.
    cluster.kill(0);
    until("its players to be cut off", || {
        clients.iter().filter(|client| client.heard.is_in()).count() == 4
    });
    let gone = clients.iter().filter(|client| !client.heard.is_in());
    let mut back = Vec::new();
    for client in gone {
        until_within(goal(10), "to be in again", || match come(client.login()) {
            Some(client) => {
                back.push(client);
                true
            }
            None => false,
        });
    }
    until("all of them to be counted", || on(&cluster, 1) == 8.0);
    // And one that has lost the others takes nobody new.
    cluster.nodes[0].start();
    cluster.agree(2);
    cluster.cut_bus(0);
    until_within(goal(4), "an island", || cluster.nodes[0].is_island());
    // It has the fewest connections, so whoever comes would land there if he could.
    until_within(goal(4), "HAProxy to send nobody there", || {
        let client = come("p20").expect("one node takes players");
        let mut is_there = true;
        until("him to be counted", || {
            is_there = on(&cluster, 0) > 0.0;
            on(&cluster, 0) + on(&cluster, 1) == 9.0
        });
        client.leave();
        until("him to be gone", || {
            on(&cluster, 0) + on(&cluster, 1) == 8.0
        });
        !is_there
    });
    cluster.mend_bus(0, 2);
}
