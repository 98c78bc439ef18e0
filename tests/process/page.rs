//! The operator's live page, in a real browser.

use std::{fs, path::PathBuf, time::Duration};

use clap::Parser as _;
use serde_json::{Value, json};
use swarm::cli::{Command as SwarmCommand, CommandLine};

use super::{
    command, launched, logging, metric, said,
    support::{
        browser::{Browser, Tab},
        http::get,
        player::Player,
        server::{Server, muster},
    },
    until,
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn url(server: &Server) -> String {
    format!("http://{}/", server.listener("http/page").unwrap())
}

/// What a tile of the page shows.
fn tile(name: &str) -> String {
    format!("document.querySelector('#tiles [data-key=\"{name}\"] dd span')?.textContent")
}

/// The cells of a row of one of its tables.
fn row(tab: &mut Tab, table: &str, key: &str) -> Vec<String> {
    let cells = tab.value(&format!(
        "[...document.querySelectorAll('#{table} [data-key=\"{key}\"] > *')].map((cell) => cell.textContent)"
    ));
    serde_json::from_value(cells).unwrap()
}

fn signed_in(server: &Server, number: usize) -> Player {
    Player::signed_in(server, &format!("watched{number}"))
}

#[test]
fn its_numbers_are_those_of_who_is_there_and_are_never_late() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, _) = logging(&["vcmi.address=", "cockatrice.tcp_address="]);
    let mut players: Vec<Player> = (0..200).map(|number| signed_in(&server, number)).collect();
    for host in players.iter_mut().take(3) {
        host.hosting();
    }
    let mut tab = browser.tab();
    tab.look(1280, false);
    tab.open(&url(&server));
    tab.until(&format!("{} === '200'", tile("players")));
    tab.until(&format!("{} === '3'", tile("games")));
    assert_eq!(tab.value(&tile("connections")), "200");
    assert_eq!(tab.value(&tile("slow readers")), "0");
    assert_eq!(
        row(&mut tab, "lobbies", "faf"),
        ["faf", "200", "3", "0", "–"]
    );
    let of_shards: Vec<usize> = (0..2)
        .map(|shard| {
            row(&mut tab, "shards", &shard.to_string())[2]
                .parse()
                .unwrap()
        })
        .collect();
    assert_eq!(of_shards.iter().sum::<usize>(), 200, "{of_shards:?}");
    assert!(tab.text("#phase").starts_with("ready"));
    assert_eq!(tab.text("#line"), "live");
    assert_eq!(metric(&server, "muster_page_watchers"), 1.0);

    // Whoever comes or goes is seen to within two seconds.
    for number in 200..203 {
        players.push(signed_in(&server, number));
        let took = tab.until(&format!("{} === '{}'", tile("players"), number + 1));
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    players.truncate(100);
    tab.until(&format!("{} === '100'", tile("players")));

    assert_eq!(tab.complaints, Vec::<String>::new());
    let own = url(&server);
    let outside: Vec<_> = tab
        .requests
        .iter()
        .filter(|asked| !asked.starts_with(&own) && !asked.starts_with("data:"))
        .collect();
    assert_eq!(outside, Vec::<&String>::new());
    drop(browser);
    until("nobody looks", || {
        metric(&server, "muster_page_watchers") == 0.0
    });
}

#[test]
fn it_is_readable_on_a_desk_and_on_a_telephone_by_day_and_by_night() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, token) = with_token();
    let players: Vec<Player> = (0..5).map(|number| signed_in(&server, number)).collect();
    let mut tab = browser.tab();
    tab.open(&url(&server));
    tab.until(&format!("{} === '5'", tile("players")));
    // The first point of the last hour comes after ten seconds.
    tab.until("document.querySelector('#charts svg[role=img] .curve')");
    let mut backgrounds = Vec::new();
    for dark in [false, true] {
        for width in [1280, 390] {
            tab.look(width, dark);
            let wide = tab.value(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth",
            );
            assert_eq!(wide, 0, "{width} px");
            let scheme = if dark { "dark" } else { "light" };
            tab.picture(&format!("page-{width}-{scheme}"));
        }
        backgrounds.push(tab.value("getComputedStyle(document.body).backgroundColor"));
    }
    assert_ne!(backgrounds[0], backgrounds[1]);
    // What can be read can be heard, and whatever can be done can be done with the keyboard.
    let nameless = tab.value(
        "[...document.querySelectorAll('svg[role=img]')].filter((svg) => !svg.getAttribute('aria-label')).length
         + [...document.querySelectorAll('input')].filter((input) => !input.labels.length).length
         + document.querySelectorAll('[tabindex], table:not([hidden]):not(:has(th))').length",
    );
    assert_eq!(nameless, 0);
    assert_eq!(tab.complaints, Vec::<String>::new());
    drop((players, token));
}

/// A server whose page takes a token, and the token's file.
fn with_token() -> (Server, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let setting = format!("http.admin_token_file={}", file.display());
    (launched(command(&folder, &[&setting]), folder), file)
}

fn audit(server: &Server) -> Vec<Value> {
    let mut audit = muster(server.folder());
    let output = audit.args(["ctl", "audit", "--json"]).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn whoever_has_the_token_may_act_there() {
    let Some(browser) = Browser::start() else {
        return;
    };
    let (server, _) = with_token();
    let mut tab = browser.tab();
    tab.open(&url(&server));
    tab.until("!document.getElementById('actions').hidden");
    let submit = |tab: &mut Tab, token: &str, form: &str| {
        tab.value(&format!(
            "document.getElementById('token').value = {}; document.querySelector('form[data-do={form}] button').click(); \
             document.getElementById('said').textContent",
            json!(token)
        ));
        tab.until("document.getElementById('said').textContent !== '…'");
        tab.text("#said")
    };
    assert_eq!(submit(&mut tab, "", "reload"), "Give the token first.");
    assert_eq!(
        submit(&mut tab, "a guess", "reload"),
        "that is not the token"
    );
    let planned = submit(&mut tab, TOKEN, "drain");
    assert!(planned.contains("900 s"), "{planned}");
    tab.until("document.getElementById('phase').textContent.includes('ends in')");
    assert_eq!(
        submit(&mut tab, TOKEN, "cancel-drain"),
        "the server goes on"
    );
    tab.until("document.getElementById('phase').textContent === 'ready'");
    let reloaded = submit(&mut tab, TOKEN, "reload");
    assert!(reloaded.contains("being read again"), "{reloaded}");
    let level = submit(&mut tab, TOKEN, "log-level");
    assert!(level.starts_with("info is logged"), "{level}");

    let fill = |tab: &mut Tab, form: &str, field: &str, text: &str| {
        tab.value(&format!(
            "document.querySelector('form[data-do={form}] [name={field}]').value = {}",
            json!(text)
        ));
    };
    let mut player = signed_in(&server, 0);
    fill(&mut tab, "broadcast", "text", "Tea is ready");
    let told = submit(&mut tab, TOKEN, "broadcast");
    assert_eq!(
        tab.value("document.getElementById('said').className"),
        "good",
        "{told}"
    );
    assert_eq!(player.until("notice")["text"], "Tea is ready");
    // What somebody is called is text, whatever they are called.
    let evil = "<img src=x onerror=alert(1)>";
    fill(&mut tab, "kick", "player", evil);
    fill(&mut tab, "kick", "reason", "Spam.");
    let unknown = submit(&mut tab, TOKEN, "kick");
    assert!(unknown.contains(evil), "{unknown}");
    assert_eq!(
        tab.value("document.querySelectorAll('#said *, img').length"),
        0
    );
    fill(&mut tab, "kick", "player", "watched0");
    let thrown_out = submit(&mut tab, TOKEN, "kick");
    assert_eq!(
        tab.value("document.getElementById('said').className"),
        "good",
        "{thrown_out}"
    );
    player.until_closed();
    // The browser's own line for a refusal is no fault of the page.
    tab.complaints
        .retain(|line| !line.contains("status of 401"));
    assert_eq!(tab.complaints, Vec::<String>::new());

    let kept = audit(&server);
    let by_token = kept.iter().filter(|line| line["token"] == "page token");
    assert_eq!(by_token.count(), 8, "{kept:?}");
    assert_eq!(kept[0]["outcome"], "refused");
    assert_eq!(kept[1]["target"], "in 900 s");
    assert!(kept.iter().all(|line| line["from"] == "127.0.0.1"));
    assert_eq!(metric(&server, "muster_page_tokens_refused_total"), 1.0);
}

/// What the page is told, without a page.
pub(super) fn status(server: &Server) -> Value {
    let page = server.listener("http/page").unwrap();
    let answer = exchanged(
        page,
        "GET /api/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// A lobby's numbers: players, games, rooms.
fn lobby(server: &Server, name: &str) -> [Value; 4] {
    let status = status(server);
    let lobbies = status["lobbies"].as_array().unwrap();
    let lobby = lobbies.iter().find(|lobby| lobby["name"] == name).unwrap();
    ["players", "games_open", "games_running", "rooms"].map(|key| lobby[key].clone())
}

#[test]
fn every_lobby_is_counted_while_a_swarm_is_there_and_afterwards() {
    let set = [
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=",
    ];
    let (server, _) = logging(&set);
    let empty = [json!(0.0), json!(0.0), json!(0.0), Value::Null];
    assert_eq!(lobby(&server, "faf"), empty);
    // At a table of Cockatrice there are two more each.
    for (name, port, listener, extra, players_there) in [
        ("faf", "json", "faf/json", "--profile idle", 20.0),
        ("vcmi", "vcmi", "vcmi", "--games 0 --rate 1", 20.0),
        (
            "cockatrice",
            "cockatrice",
            "cockatrice/tcp",
            "--tables 2 --rate 1",
            24.0,
        ),
    ] {
        let line = format!(
            "swarm run --protocol {name} --port-{port} {} {extra} -n 20 -d 6s --threads 1 --quiet",
            server.listener(listener).unwrap().port()
        );
        let swarm = std::thread::spawn(move || {
            let line = CommandLine::try_parse_from(line.split_whitespace()).unwrap();
            let SwarmCommand::Run(arguments) = line.command else {
                unreachable!("it is `run`");
            };
            swarm::run(arguments.plan().unwrap()).unwrap()
        });
        until("all are shown", || {
            let [players, open, running, _] = lobby(&server, name);
            let games = open.as_f64().unwrap_or_default() + running.as_f64().unwrap_or_default();
            players == players_there && (games == 2.0 || name != "cockatrice")
        });
        let report = swarm.join().unwrap();
        assert!(report.failures().is_empty(), "{report}");
        until("nobody is shown", || lobby(&server, name)[0] == 0.0);
    }
    assert_eq!(lobby(&server, "cockatrice")[3], 1.0, "its one room");
}

#[test]
fn without_a_token_it_only_shows_and_to_nobody_elses_name() {
    let (server, _) = logging(&[]);
    let page = server.listener("http/page").unwrap();
    assert_eq!(status(&server)["actions"], false);
    let refused = exchanged(page, &wish("Bearer x", "{\"do\":\"status\"}"));
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    // This client asks for a host that is called x.
    assert_eq!(get(page, "/").unwrap().status, 421);
}

#[test]
fn a_token_that_is_none_keeps_the_server_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, "short").unwrap();
    let setting = format!("http.admin_token_file={}", file.display());
    let output = command(&folder, &[&setting]).arg("serve").output().unwrap();
    assert!(!output.status.success());
    let said = said(&output);
    assert!(
        said.contains("http.admin_token_file") && said.contains("32 characters"),
        "{said}"
    );
}

#[test]
fn another_token_is_taken_when_the_configuration_is_read_again() {
    let (server, file) = with_token();
    let page = server.listener("http/page").unwrap();
    let new = TOKEN.replace('0', "f");
    fs::write(&file, &new).unwrap();
    let ask = |token: &str| {
        exchanged(
            page,
            &wish(&format!("Bearer {token}"), "{\"do\":\"status\"}"),
        )
    };
    assert!(ask(TOKEN).starts_with("HTTP/1.1 200"), "{}", ask(TOKEN));
    assert!(ask(&new).starts_with("HTTP/1.1 401"));
    server.signal("HUP").unwrap();
    until("the new token is taken", || {
        let answer = ask(&new);
        answer.starts_with("HTTP/1.1 200") && answer.contains("\"phase\":\"ready\"")
    });
    assert!(ask(TOKEN).starts_with("HTTP/1.1 401"));
}

/// A request to do something.
fn wish(authorization: &str, body: &str) -> String {
    format!(
        "POST /api/ctl HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAuthorization: {authorization}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn exchanged(address: std::net::SocketAddr, text: &str) -> String {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn an_address_that_is_taken_costs_the_page_only() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let setting = format!("http.page_address={}", taken.local_addr().unwrap());
    let (server, log) = logging(&[&setting]);
    assert!(server.listener("http/page").is_err());
    assert!(log().contains("the server runs without it"), "{}", log());
    let health = server.listener("http/health").unwrap();
    until("it serves", || {
        get(health, "/ready").is_ok_and(|page| page.status == 200)
    });
}

#[test]
fn what_it_means_to_show_it_to_a_network_is_said() {
    let (server, log) = logging(&["http.page_address=0.0.0.0:0"]);
    assert!(
        log().contains("http.page_address is not loopback"),
        "{}",
        log()
    );
    drop(server);
}
