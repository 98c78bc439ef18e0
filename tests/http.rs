//! The endpoints around the lobby: control, health, metrics.

mod support;

use std::{
    collections::BTreeMap,
    io::{ErrorKind, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use support::{
    http::{get, request},
    player::Player,
    script::Transport,
    server::{Backend, Server, Setup},
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(30);

fn server(shards: u16, set: &[&str]) -> Server {
    Server::start(&Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>(),
        sql: &[],
    })
    .unwrap()
}

fn listed(server: &Server, path: &str) -> Vec<Value> {
    let page = get(server.listener("http/control").unwrap(), path).unwrap();
    assert_eq!(page.status, 200);
    assert!(
        page.content_type.starts_with("application/json"),
        "{page:?}"
    );
    serde_json::from_str(&page.body).unwrap()
}

/// Until a condition holds.
fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::sleep(Duration::from_millis(2));
    }
}

// checklist: faf 494 495
#[test]
fn the_control_server_lists_all_games_and_players_of_all_shards() {
    for shards in [1, 3] {
        let server = server(shards, &[]);
        assert_eq!(listed(&server, "/games"), [json!(null); 0]);
        assert_eq!(listed(&server, "/players"), [json!(null); 0]);
        let mut players: Vec<Player> = ["orion", "vega", "lyra", "mira"]
            .iter()
            .map(|login| Player::signed_in(&server, login))
            .collect();
        let mut names: Vec<String> = listed(&server, "/players")
            .iter()
            .map(|player| player["login"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        assert_eq!(names, ["lyra", "mira", "orion", "vega"]);

        // A game that is being set up is there as well, though nobody else sees it.
        players[0].send(&json!({"command":"game_host","visibility":"friends"}));
        let uid = players[0].until("game_launch")["uid"].clone();
        assert_eq!(listed(&server, "/games")[0]["state"], "closed");
        for state in ["Idle", "Lobby"] {
            players[0].game("GameState", json!([state]));
        }
        players[0].until("HostGame");
        let other = players[1].hosting();
        let mut games = listed(&server, "/games");
        games.sort_by_key(|game| game["uid"].as_u64());
        let uids: Vec<&Value> = games.iter().map(|game| &game["uid"]).collect();
        assert_eq!(uids, [&uid, &json!(other)]);
        assert_eq!(games[0]["visibility"], "friends");
        assert_eq!(games[0]["command"], "game_info");

        let control = server.listener("http/control").unwrap();
        assert_eq!(get(control, "/nothing").unwrap().status, 404);
        assert_eq!(
            request(control, "POST /games HTTP/1.1").unwrap().status,
            405
        );
    }
}

// checklist: faf 493
#[test]
fn ready_while_it_serves_and_not_after_the_full_stop() {
    let mut server = server(1, &[]);
    let health = server.listener("http/health").unwrap();
    until(|| get(health, "/ready").is_ok_and(|page| page.status == 200));
    let page = get(health, "/ready").unwrap();
    assert_eq!(
        (page.body.as_str(), &page.content_type[..10]),
        ("", "text/plain")
    );
    assert_eq!(get(health, "/").unwrap().status, 404);

    // Somebody who reads nothing keeps the last words waiting, so that there is time to look.
    let address = server.address(Transport::Json).unwrap();
    let mut deaf = TcpStream::connect(address).unwrap();
    deaf.set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let pings = "{\"command\":\"ask_session\"}\n".repeat(1000);
    while !matches!(deaf.write(pings.as_bytes()), Err(error) if error.kind() == ErrorKind::WouldBlock)
    {
    }
    server.terminate().unwrap();
    until(|| get(health, "/ready").is_ok_and(|page| page.status == 503));
    assert_eq!(server.ended().unwrap(), 0);
}

/// Name with labels, and value, of each sample; the kinds by name.
fn samples(text: &str) -> (BTreeMap<String, f64>, BTreeMap<String, String>) {
    let mut values = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            values.insert(sample.to_owned(), value.parse().unwrap());
        }
    }
    (values, kinds)
}

// checklist: faf 496
#[test]
fn metrics_have_the_names_and_labels_dashboards_know() {
    let server = server(2, &["http.metrics_address=127.0.0.1:0"]);
    let metrics = server.listener("http/metrics").unwrap();
    let mut orion = Player::connected(&server);
    orion.send(&json!({"command":"ask_session","user_agent":"faf-client","version":"1.0.0"}));
    orion.send(&support::player::hello("orion"));
    orion.until("game_info");
    let _silent = Player::connected(&server);
    let mut stranger = Player::connected(&server);
    stranger.send(&json!({"command":"game_host"}));
    while stranger.next().is_some() {}
    let mut wrong = Player::connected(&server);
    wrong.send(&json!({"command":"hello","login":"vega","password":"0","unique_id":"u"}));
    wrong.until("authentication_failed");
    orion.hosting();

    // Shards publish at their ticks.
    let look = || samples(&get(metrics, "/metrics").unwrap().body);
    until(|| {
        let (values, _) = look();
        values.get("server_game_active_games_total{game_mode=\"faf\",game_state=\"LOBBY\"}")
            == Some(&1.0)
            && values.get("server_user_connections{user_agent=\"None\",version=\"None\"}")
                == Some(&2.0)
    });
    let (values, kinds) = look();
    let expected: &[(&str, f64)] = &[
        (
            "server_user_connections{user_agent=\"faf-client\",version=\"1.0.0\"}",
            1.0,
        ),
        (
            "server_user_logins_total{status=\"success\",method=\"password\"}",
            1.0,
        ),
        (
            "server_user_logins_total{status=\"failure\",method=\"password\"}",
            1.0,
        ),
        (
            "server_user_logins_total{status=\"success\",method=\"token\"}",
            0.0,
        ),
        (
            "server_user_agent_version_checks_total{version=\"1.0.0\"}",
            1.0,
        ),
        ("server_user_online", 1.0),
        ("server_lobbyconnections_total", 4.0),
        (
            "server_messages_unauthenticated_total{command=\"game_host\"}",
            1.0,
        ),
        (
            "server_game_active_games_by_rating_type_total{rating_type=\"global\",game_state=\"LOBBY\"}",
            1.0,
        ),
        ("server_rating_service_backlog", 0.0),
        (
            "server_on_message_received_seconds_bucket{le=\"+Inf\"}",
            7.0,
        ),
        ("muster_broker_connected", 0.0),
    ];
    for (sample, value) in expected {
        assert_eq!(values.get(*sample), Some(value), "{sample} in {values:#?}");
    }
    assert!(values["server_messages_total{protocol=\"SimpleJsonProtocol\"}"] > 5.0);
    assert!(values["server_broadcasts_total"] > 0.0);
    let build = values
        .keys()
        .find(|name| name.starts_with("build_info{"))
        .unwrap();
    for label in [
        "version=",
        "python_version=",
        "start_time=\"",
        "game_uid=\"",
    ] {
        assert!(build.contains(label), "{build}");
    }
    for shard in ["0", "1"] {
        assert!(values.contains_key(&format!("muster_turns_total{{shard=\"{shard}\"}}")));
        assert!(values.contains_key(&format!("muster_faf_joins_total{{shard=\"{shard}\"}}")));
    }
    for (name, kind) in [
        ("server_user_online", "gauge"),
        ("server_user_logins_total", "counter"),
        ("server_game_active_games_total", "gauge"),
        ("server_on_message_received_seconds", "histogram"),
    ] {
        assert_eq!(kinds[name], kind, "{name}");
    }
    // On every path.
    assert_eq!(get(metrics, "/").unwrap().status, 200);
    assert!(
        get(metrics, "/any/thing")
            .unwrap()
            .body
            .contains("server_user_online")
    );
}

/// What is wrong with a page in the text form of Prometheus: each name has a help text that says something, then a kind,
/// then its samples, all in one place; names, labels and values are such, and no sample is twice there.
fn faults_of(page: &str) -> Vec<String> {
    let is_name = |name: &str| {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '_';
        !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(known)
    };
    let mut faults = Vec::new();
    let (mut explained, mut seen) = (BTreeMap::new(), BTreeMap::new());
    let mut current = (String::new(), String::new());
    for line in page.lines() {
        let fault = if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or((rest, ""));
            let again = explained.insert(name.to_owned(), ()).is_some();
            current = (name.to_owned(), String::new());
            again || help.split(' ').count() <= 3
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or((rest, ""));
            let known = ["counter", "gauge", "histogram"].contains(&kind);
            current.1 = kind.to_owned();
            name != current.0 || !known
        } else {
            let (sample, value) = line.rsplit_once(' ').unwrap_or((line, ""));
            let (name, labels) = sample.split_once('{').unwrap_or((sample, "}"));
            let ending = name.strip_prefix(current.0.as_str());
            let fits = matches!(
                (ending, current.1.as_str()),
                (Some(""), "counter" | "gauge")
                    | (Some("_bucket" | "_sum" | "_count"), "histogram")
            );
            let labels = labels.strip_suffix('}').unwrap_or("=");
            // No label of a test holds a comma or a quote.
            let good = labels
                .split(',')
                .filter(|pair| !pair.is_empty())
                .all(|pair| {
                    let (label, text) = pair.split_once('=').unwrap_or_default();
                    is_name(label) && text.len() > 1 && text.starts_with('"') && text.ends_with('"')
                });
            let again = seen.insert(sample.to_owned(), ()).is_some();
            !fits || !good || again || !is_name(name) || value.parse::<f64>().is_err()
        };
        if fault {
            faults.push(line.to_owned());
        }
    }
    faults
}

#[test]
fn the_page_of_metrics_keeps_to_the_text_form_and_explains_everything() {
    for bad in [
        "# HELP a says very little\n# TYPE a counter\na 1",
        "# HELP a counts one thing only\n# TYPE a summary\na 1",
        "# HELP a counts one thing only\n# TYPE a counter\na 1\na 2",
        "# HELP a counts one thing only\n# TYPE a counter\nb 1",
        "# HELP a counts one thing only\n# TYPE a counter\na{x=1} 1",
        "a 1",
    ] {
        assert_ne!(faults_of(bad), Vec::<String>::new(), "{bad}");
    }
    let server = server(2, &["http.metrics_address=127.0.0.1:0"]);
    let metrics = server.listener("http/metrics").unwrap();
    let mut orion = Player::signed_in(&server, "orion");
    orion.hosting();
    let page = get(metrics, "/metrics").unwrap().body;
    assert_eq!(faults_of(&page), Vec::<String>::new());
    assert!(page.lines().count() > 300, "{page}");
}

/// One count, shown for each shard from a microsecond up, and in the replaced server's buckets.
#[test]
fn how_long_frames_take_is_shown_for_each_shard_from_a_microsecond_up() {
    let server = server(2, &["http.metrics_address=127.0.0.1:0"]);
    let metrics = server.listener("http/metrics").unwrap();
    let mut orion = Player::signed_in(&server, "orion");
    orion.hosting();
    let (values, kinds) = samples(&get(metrics, "/metrics").unwrap().body);
    assert_eq!(kinds["muster_frame_handling_seconds"], "histogram");
    let of = |ending: &str, shard: &str, rest: &str| {
        let name = format!("muster_frame_handling_seconds_{ending}");
        values[&format!("{name}{{shard=\"{shard}\"{rest}}}")]
    };
    let counts = ["0", "1"].map(|shard| {
        let bound = |bound: &str| of("bucket", shard, &format!(",le=\"{bound}\""));
        let all = of("count", shard, "");
        assert!(bound("0.000001") <= bound("0.001") && bound("60") == all);
        assert!(all == 0.0 || of("sum", shard, "") > 0.0);
        all
    });
    let together = values["server_on_message_received_seconds_count"];
    assert!(together > 2.0 && counts.iter().sum::<f64>() == together);
}

// checklist: faf 497
#[test]
fn metrics_are_served_only_when_asked_for() {
    assert!(server(1, &[]).listener("http/metrics").is_err());
}
