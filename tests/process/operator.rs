//! `muster ctl` and people: who is there, and how they go.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    ctl::ctl,
    said,
    support::{
        player::Player,
        server::{Backend, Server, Setup},
    },
    until,
};

fn server(set: &[&str]) -> Server {
    let setup = Setup {
        backend: Backend::Sqlite,
        shards: 2,
        set: &set.iter().map(|&pair| pair.to_owned()).collect::<Vec<_>>(),
        sql: &[],
    };
    Server::start(&setup).unwrap()
}

/// A list as programs get it.
fn listed(server: &Server, words: &[&str]) -> Value {
    let words = [words, &["--json"]].concat();
    let output = ctl(server, &words);
    assert!(output.status.success(), "{}", said(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let rows = list["rows"].as_array().unwrap().iter();
    let mut names: Vec<String> = rows
        .map(|row| row[field].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn who_is_there_is_listed_and_found() {
    let server = server(&[]);
    let mut orion = Player::signed_in(&server, "orion");
    let _vega = Player::signed_in(&server, "vega");
    let _stranger = Player::connected(&server);
    let uid = orion.hosting();
    until("the game is in its lobby", || {
        listed(&server, &["games"])["rows"][0]["state"] == "LOBBY"
    });

    let players = listed(&server, &["players"]);
    assert_eq!(names(&players, "name"), ["orion", "vega"]);
    assert_eq!(players["more"], false);
    let one = listed(&server, &["players", "ORI", "--lobby", "faf"]);
    let row = &one["rows"][0];
    assert_eq!(
        (&row["name"], &row["id"], &row["state"], &row["lobby"]),
        (
            &json!("orion"),
            &json!(11),
            &json!("HOSTING"),
            &json!("faf")
        )
    );
    assert_eq!(row["game"], uid.to_string());
    assert_eq!(row["address"], "127.0.0.1");
    assert!(row["since"].as_u64().unwrap() > 1_700_000_000);
    assert_eq!(
        names(&listed(&server, &["players", "#11"]), "name"),
        ["orion"]
    );
    let here = listed(&server, &["players", "127.0.0.0/8"]);
    assert_eq!(here["rows"].as_array().unwrap().len(), 2);
    assert_eq!(listed(&server, &["players", "::/0"])["rows"], json!([]));
    let cut = listed(&server, &["players", "--limit", "1"]);
    assert_eq!(
        (cut["rows"].as_array().unwrap().len(), &cut["more"]),
        (1, &json!(true))
    );

    let games = listed(&server, &["games", "orion"]);
    let game = &games["rows"][0];
    assert_eq!(
        (&game["id"], &game["host"]),
        (&json!(uid.to_string()), &json!("orion"))
    );
    assert_eq!(
        (&game["players"], &game["variant"]),
        (&json!(1), &json!("faf"))
    );

    until("the stranger is there", || {
        listed(&server, &["conns"])["rows"]
            .as_array()
            .unwrap()
            .len()
            == 3
    });
    let conns = listed(&server, &["conns", "--lobby", "faf"]);
    let rows = conns["rows"].as_array().unwrap();
    let of = |name: Value| rows.iter().find(|row| row["name"] == name).unwrap();
    assert!(of(json!("orion"))["bytes_in"].as_u64().unwrap() > 50);
    assert!(of(json!("orion"))["bytes_out"].as_u64().unwrap() > 500);
    assert_eq!(of(Value::Null)["bytes_in"], 0);
    assert_eq!(of(json!("vega"))["slow"], false);

    let queues = listed(&server, &["queues"]);
    assert!(
        names(&queues, "name")
            .iter()
            .any(|name| name == "ladder1v1"),
        "{queues}"
    );
    let lacking = queues["lacking"].as_array().unwrap();
    assert!(lacking.contains(&json!("vcmi")) && !lacking.contains(&json!("faf")));
    let words = said(&ctl(&server, &["players"]));
    assert!(
        words.starts_with("LOBBY") && words.contains("orion"),
        "{words}"
    );
}

#[test]
fn somebody_is_thrown_out_and_told_why() {
    let server = server(&[]);
    let mut orion = Player::signed_in(&server, "orion");
    let mut vega = Player::signed_in(&server, "vega");
    let gone = ctl(&server, &["kick", "OrIoN", "--reason", "That was rude."]);
    assert!(
        gone.status.success() && said(&gone).contains("orion (faf)"),
        "{}",
        said(&gone)
    );
    let last = orion.until_closed();
    assert_eq!(
        last.last(),
        Some(&json!({"command":"notice","style":"kick","text":"That was rude."}))
    );
    vega.send(&json!({"command":"ping"}));
    vega.until("pong");
    let again = ctl(&server, &["kick", "orion", "--reason", "Again."]);
    assert_eq!(again.status.code(), Some(1));
    assert!(
        said(&again).contains("nobody called orion"),
        "{}",
        said(&again)
    );
    let by_number = ctl(&server, &["kick", "#12", "--reason", "Bye."]);
    assert!(by_number.status.success(), "{}", said(&by_number));
    vega.until_closed();
    // They were only thrown out.
    Player::signed_in(&server, "orion");
    for (words, code, why) in [
        (&["kick", "orion", "--reason", " "][..], 1, "say something"),
        (&["kick", "#x", "--reason", "r"], 1, "not # and a number"),
        (
            &["kick", "orion", "--reason", "r", "--lobby", "chess"],
            2,
            "no lobby is called",
        ),
        (&["players", "--lobby", "chess"], 2, "no lobby is called"),
        (
            &["broadcast", "Tea", "--lobby", "vcmi-json"],
            1,
            "vcmi_json is not spoken here",
        ),
        (
            &["players", "1.2.3.4/99"],
            1,
            "neither a name nor a network",
        ),
        (
            &["ban", "orion", "--reason", "r"],
            2,
            "say --lobby, one of faf, vcmi",
        ),
        (
            &["ban", "--network", "nonsense", "--reason", "r"],
            2,
            "is not a network",
        ),
    ] {
        let refused = ctl(&server, words);
        assert_eq!(refused.status.code(), Some(code), "{words:?}");
        assert!(said(&refused).contains(why), "{}", said(&refused));
    }
}

/// A launcher of VCMI.
struct Launcher(TcpStream);

impl Launcher {
    fn connected(server: &Server) -> Launcher {
        let stream = TcpStream::connect(server.listener("vcmi").unwrap()).unwrap();
        let patience = Some(Duration::from_secs(20));
        stream.set_read_timeout(patience).unwrap();
        Launcher(stream)
    }

    fn signed_in(server: &Server, name: &str) -> Launcher {
        let mut launcher = Launcher::connected(server);
        launcher.greet(name);
        launcher.until("currently playing");
        launcher
    }

    fn greet(&mut self, name: &str) {
        self.say(&format!("\x05\x04utf8<GREETINGS>{name}<VER>1.4.0"));
    }

    fn say(&mut self, text: &str) {
        let mut packet = (text.len() as u32).to_le_bytes().to_vec();
        packet.extend_from_slice(text.as_bytes());
        self.0.write_all(&packet).unwrap();
    }

    /// Until it hears this.
    fn until(&mut self, words: &str) {
        let (mut heard, mut byte) = (Vec::new(), [0]);
        while !String::from_utf8_lossy(&heard).contains(words) {
            let read = self.0.read(&mut byte).unwrap();
            let so_far = String::from_utf8_lossy(&heard);
            assert!(read > 0, "closed before {words:?}: {so_far}");
            heard.push(byte[0]);
        }
    }

    fn until_closed(&mut self) {
        while self.0.read(&mut [0; 256]).is_ok_and(|read| read > 0) {}
    }
}

fn done(server: &Server, words: &[&str]) -> String {
    let output = ctl(server, words);
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

#[test]
fn a_ban_of_an_account_holds_at_once_and_until_it_is_lifted() {
    let server = server(&[]);
    let mut vega = Player::signed_in(&server, "vega");
    let which = ctl(&server, &["ban", "vega", "--reason", "Spam."]);
    assert!(said(&which).contains("say --lobby"), "{}", said(&which));
    let told = done(
        &server,
        &[
            "ban", "Vega", "--lobby", "faf", "--for", "2d", "--reason", "Spam.",
        ],
    );
    assert!(
        told.contains("vega (faf) is banned for 2days, and thrown out"),
        "{told}"
    );
    let last = vega.until_closed().pop().unwrap();
    let text = last["text"].as_str().unwrap();
    assert!(
        text.starts_with("You are banned from FAF for ") && text.contains("Spam."),
        "{text}"
    );
    let mut again = Player::connected(&server);
    again.send(&super::support::player::hello("vega"));
    let refused = again.until_closed().pop().unwrap();
    assert!(
        refused["text"].as_str().unwrap().contains("You are banned"),
        "{refused}"
    );
    let bans: Value = {
        let output = ctl(&server, &["bans", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let is_vega = |ban: &&Value| ban["target"] == "vega" && ban["kind"] == "account";
    assert!(
        bans.as_array().unwrap().iter().any(|ban| is_vega(&ban)),
        "{bans}"
    );
    done(&server, &["unban", "vega", "--lobby", "faf"]);
    Player::signed_in(&server, "vega");
    let again = ctl(&server, &["unban", "vega", "--lobby", "faf"]);
    assert!(said(&again).contains("is not banned"), "{}", said(&again));
    for (words, why) in [
        (
            &["ban", "nobody", "--lobby", "faf", "--reason", "r"][..],
            "no account of that name",
        ),
        (
            &["ban", "--network", "0.0.0.0/0", "--reason", "r"],
            "too much of the world",
        ),
        (
            &["ban", "--client", "abc", "--reason", "r"],
            "no lobby here has accounts",
        ),
        (&["ban", "--reason", "r"], "required"),
        (
            &["mute", "vega", "--lobby", "faf", "--reason", "r"],
            "has no chat",
        ),
    ] {
        let refused = ctl(&server, words);
        assert!(
            !refused.status.success() && said(&refused).contains(why),
            "{}",
            said(&refused)
        );
    }
    let audit = said(&ctl(&server, &["audit", "--on", "vega"]));
    assert!(
        audit.contains("ban") && audit.contains("Spam.") && audit.contains("unban"),
        "{audit}"
    );
}

#[test]
fn bans_of_names_and_networks_and_mutes_outlast_the_process() {
    let mut server = server(&["http.metrics_address=127.0.0.1:0"]);
    let mut eve = Launcher::signed_in(&server, "eve");
    let mut bob = Launcher::signed_in(&server, "bob");
    done(
        &server,
        &["mute", "eve", "--for", "1h", "--reason", "Calm down."],
    );
    eve.until("You may not talk for 60 more minutes: Calm down.");
    done(&server, &["broadcast", "Tea is ready", "--lobby", "vcmi"]);
    bob.until(":>>MSG:System:Tea is ready");
    done(
        &server,
        &["ban", "bob", "--lobby", "vcmi", "--reason", "Spam."],
    );
    bob.until("You are banned for good: Spam.");
    bob.until_closed();
    done(
        &server,
        &["ban", "--network", "127.9.0.0/16", "--reason", "Robots."],
    );
    eve.say("<MSG>hello");
    eve.until("You may not talk");

    server.crash();
    server.restart().unwrap();
    let mut bob = Launcher::connected(&server);
    bob.greet("Bob");
    bob.until("You are banned for good: Spam.");
    let mut eve = Launcher::signed_in(&server, "eve");
    eve.say("<MSG>hello");
    eve.until("You may not talk");
    done(&server, &["unmute", "eve"]);
    eve.until("You may talk again");

    let mut here = Player::signed_in(&server, "orion");
    let told = done(
        &server,
        &["ban", "--network", "127.0.0.1", "--reason", "Test."],
    );
    assert!(
        told.contains("127.0.0.1/32 is banned for good, and 3 connections ended"),
        "{told}"
    );
    here.until_closed();
    eve.until_closed();
    Launcher::connected(&server).until_closed();
    done(&server, &["unban", "--network", "127.0.0.1"]);
    Launcher::signed_in(&server, "eve");
    let bans = done(&server, &["bans"]);
    assert!(
        bans.contains("127.9.0.0/16") && !bans.contains("127.0.0.1/32"),
        "{bans}"
    );
    assert!(super::metric(&server, "muster_refused_banned_total") >= 1.0);
}

#[test]
fn players_know_of_a_planned_end_and_then_nobody_new_comes_in() {
    let mut server = server(&["server.stop_grace_s=600"]);
    let mut orion = Player::signed_in(&server, "orion");
    let mut eve = Launcher::signed_in(&server, "eve");
    let uid = orion.hosting();
    done(
        &server,
        &["drain", "--in", "30m", "--reason", "A new kernel."],
    );
    let told = orion.until("notice");
    let text = told["text"].as_str().unwrap();
    assert!(
        text.contains("in 30 minutes!") && text.ends_with("A new kernel."),
        "{text}"
    );
    eve.until("will be shut down in 30 minutes. A new kernel.");
    done(&server, &["drain", "--cancel"]);
    assert!(
        orion.until("notice")["text"]
            .as_str()
            .unwrap()
            .contains("after all")
    );
    eve.until("after all");
    // A game that is being played keeps the server from ending.
    for (key, value) in [
        ("Army", 1),
        ("Team", 2),
        ("StartSpot", 1),
        ("Faction", 1),
        ("Color", 1),
    ] {
        orion.game("PlayerOption", json!([11, key, value]));
    }
    orion.game("GameState", json!(["Launching"]));
    until("the game is played", || {
        listed(&server, &["games"])["rows"][0]["state"] == "LIVE"
    });
    done(&server, &["drain"]);
    orion.until("notice");
    eve.until("The server is going down");
    let mut late = Player::connected(&server);
    late.send(&super::support::player::hello("vega"));
    let refused = late.until_closed().pop().unwrap();
    assert!(
        refused["text"]
            .as_str()
            .unwrap()
            .contains("takes nobody new"),
        "{refused}"
    );
    let mut late = Launcher::connected(&server);
    late.greet("late");
    late.until("takes nobody new");
    assert_eq!(
        listed(&server, &["games"])["rows"][0]["id"],
        uid.to_string()
    );
    // At its end everybody is told good-bye.
    orion.game("GameState", json!(["Ended"]));
    let last = orion.until_closed().pop().unwrap();
    assert!(
        last["text"]
            .as_str()
            .unwrap()
            .starts_with("The server has been shut down")
    );
    eve.until("The server has been shut down");
    eve.until_closed();
    assert_eq!(server.ended().unwrap(), 0);
}

/// What fail2ban would take for a failure of somebody, and of whom: the lines of the filter as regular expressions.
fn failures(log: &str) -> Vec<String> {
    let filter = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tuning/fail2ban/filter.d/muster.conf"
    );
    let filter = std::fs::read_to_string(filter).unwrap();
    let (head, rest) = filter.split_once("failregex = ").unwrap();
    let why = head.rsplit_once("_why = ").unwrap().1.trim();
    let (lines, _) = rest.split_once("ignoreregex").unwrap();
    let rules = lines.lines().map(|line| {
        let rule = line.trim().replace("%(_why)s", why);
        let rule = rule.replace("<ADDR>", "(?P<address>[0-9A-Fa-f:.]+)");
        regex::Regex::new(&rule).unwrap()
    });
    let rules: Vec<regex::Regex> = rules.collect();
    let found = log.lines().filter_map(|line| {
        let mut matches = rules.iter().filter_map(|rule| rule.captures(line));
        matches.next().map(|found| found["address"].to_owned())
    });
    found.collect()
}

#[test]
fn whoever_fails_to_sign_in_is_logged_for_fail2ban_and_written_down() {
    for format in ["text", "json"] {
        let (server, log) = super::logging(&[&format!("log.format={format}")]);
        // Whoever signs in first under a name owns it.
        let _orion = Player::signed_in(&server, "orion");
        let mut stranger = Player::connected(&server);
        let wrong = json!({"command":"hello","login":"orion","password":"x","unique_id":"u"});
        for _ in 0..3 {
            stranger.send(&wrong);
            stranger.until("authentication_failed");
        }
        until("the lines are written", || failures(&log()).len() == 3);
        assert_eq!(failures(&log()), ["127.0.0.1"; 3]);
        let noted = || {
            let output = ctl(&server, &["audit", "--on", "127.0.0.1", "--json"]);
            let entries: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
            entries
        };
        until("it is written down", || {
            let times: u64 = noted()
                .iter()
                .map(|entry| entry["times"].as_u64().unwrap())
                .sum();
            times == 3
        });
        let entry = &noted()[0];
        assert_eq!(
            (&entry["action"], &entry["reason"], &entry["uid"]),
            (
                &json!("turned-away"),
                &json!("wrong password"),
                &Value::Null
            )
        );
    }
}

#[test]
fn the_screen_shows_the_server_and_gives_the_terminal_back() {
    let server = server(&[]);
    let _orion = Player::signed_in(&server, "orion");
    let figures = listed(&server, &["top"]);
    assert_eq!(
        figures["lobbies"][0],
        json!({"lobby":"faf","players":1,"games":0})
    );
    assert_eq!(figures["shards"].as_array().unwrap().len(), 2);
    let no_terminal = ctl(&server, &["top"]);
    assert!(
        said(&no_terminal).contains("needs a terminal"),
        "{}",
        said(&no_terminal)
    );

    let command = super::support::server::muster(server.folder());
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<String> = words
        .map(|word| format!("'{}'", word.to_string_lossy()))
        .collect();
    let shell = format!(
        "stty cols 90 rows 24; before=$(stty -g); {} ctl top --every 200ms; echo code $?.; \
         [ \"$before\" = \"$(stty -g)\" ] && echo same terminal",
        words.join(" ")
    );
    let mut script = std::process::Command::new("script");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MUSTER_")) {
        script.env_remove(name);
    }
    let mut script = script
        .args(["--quiet", "--command", &shell, "/dev/null"])
        .env("TERM", "xterm-256color")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("script of util-linux");
    let (mut keys, mut output) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
    let (mut seen, mut chunk) = (String::new(), [0; 4096]);
    for wanted in ["connections", "SHARD", "faf", "SLOW"] {
        while !seen.contains(wanted) {
            let read = output.read(&mut chunk).unwrap();
            assert!(read > 0, "{wanted} in {seen:?}");
            seen += &String::from_utf8_lossy(&chunk[..read]);
        }
    }
    keys.write_all(b"q").unwrap();
    let mut rest = Vec::new();
    output.read_to_end(&mut rest).unwrap();
    seen += &String::from_utf8_lossy(&rest);
    script.wait().unwrap();
    let left = seen
        .split_once("\u{1b}[?1049l")
        .expect("the screen was left")
        .1;
    assert!(
        left.contains("code 0.") && left.contains("same terminal"),
        "{seen:?}"
    );
}
