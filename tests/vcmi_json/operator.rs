//! `muster ctl` and the JSON lobby: who is there, which rooms, and what is done about them.

use std::process::Output;

use serde_json::{Value, json};

use super::{client::Client, matches::table, server};
use crate::support::{
    server::{Server, muster},
    until,
};

fn ctl(server: &Server, words: &[&str]) -> Output {
    let mut command = muster(server.folder());
    command.arg("ctl").args(words).output().expect("it runs")
}

fn said(output: &Output) -> String {
    let all = [&output.stdout[..], &output.stderr].concat();
    String::from_utf8_lossy(&all).into_owned()
}

fn done(server: &Server, words: &[&str]) -> String {
    let output = ctl(server, words);
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    said(&output)
}

fn rows(server: &Server, words: &[&str]) -> Vec<Value> {
    let output = ctl(server, &[words, &["--json"]].concat());
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    list["rows"].as_array().expect("rows").clone()
}

fn connect(server: &Server) -> Client {
    Client::connect(server.listener("vcmi-json").expect("it listens"))
}

/// A line of chat that the server itself says.
fn told(client: &mut Client) -> String {
    loop {
        let line = client.until("chatMessage");
        if line["displayName"] == "The server" {
            return line["messageText"].as_str().expect("a text").to_owned();
        }
    }
}

fn reason(message: &Value) -> &str {
    assert_eq!(message["type"], "operationFailed", "{message}");
    message["reason"].as_str().expect("a reason")
}

#[test]
fn players_rooms_and_connections_are_listed() {
    let server = server(2, &[]);
    let mut table = table(&server);
    let _sides = table.relay(&server, &[]);
    let names = |words: &[&str]| -> Vec<String> {
        let rows = rows(&server, words).into_iter();
        let name = |row: Value| row["name"].as_str().expect("a name").to_owned();
        rows.map(name).collect()
    };
    assert_eq!(
        names(&["players", "--lobby", "vcmi_json"]),
        ["hosting", "visiting"]
    );
    assert_eq!(names(&["players", "VIS"]), ["visiting"]);
    assert_eq!(names(&["players", "127.0.0.0/8"]).len(), 2);
    let player = &rows(&server, &["players", "hosting"])[0];
    assert_eq!(
        (&player["lobby"], &player["state"], &player["address"]),
        (&json!("vcmi_json"), &json!("room"), &json!("127.0.0.1"))
    );
    let games = rows(&server, &["games", "--lobby", "vcmi_json"]);
    assert_eq!(games.len(), 1);
    let game = &games[0];
    assert_eq!(player["game"], game["id"]);
    assert_eq!(
        (
            &game["host"],
            &game["state"],
            &game["players"],
            &game["seats"]
        ),
        (&json!("hosting"), &json!("public"), &json!(2), &json!(2))
    );
    let conns = rows(&server, &["conns", "--lobby", "vcmi_json"]);
    assert_eq!(conns.len(), 5, "{conns:?}");
    let is_control = |row: &&Value| row["name"] == "the match server of hosting";
    assert_eq!(conns.iter().filter(is_control).count(), 1, "{conns:?}");
    let top = ctl(&server, &["top", "--json"]);
    let top: Value = serde_json::from_slice(&top.stdout).expect("JSON");
    let lobbies = top["lobbies"].as_array().expect("lobbies").iter();
    let mut lobbies = lobbies.filter(|one| one["lobby"] == "vcmi_json");
    let counted = json!({ "lobby": "vcmi_json", "players": 2, "games": 1 });
    assert_eq!(lobbies.next(), Some(&counted));
}

#[test]
fn somebody_is_silenced_and_everybody_is_told_something() {
    let server = server(2, &[]);
    let mut table = table(&server);
    done(
        &server,
        &["broadcast", "Tea is ready", "--lobby", "vcmi_json"],
    );
    for client in [&mut table.host, &mut table.guest] {
        assert_eq!(told(client), "Tea is ready");
    }
    let words = &[
        "mute",
        "Hosting",
        "--lobby",
        "vcmi_json",
        "--for",
        "1h",
        "--reason",
        "Calm down.",
    ];
    done(&server, words);
    let why = "You may not talk for 60 more minutes: Calm down.";
    assert_eq!(told(&mut table.host), why);
    let line = json!({
        "type": "sendChatMessage", "channelType": "global", "channelName": "english", "messageText": "hello"
    });
    table.host.send(&line);
    assert_eq!(reason(&table.host.until("operationFailed")), why);
    done(&server, &["unmute", "hosting", "--lobby", "vcmi_json"]);
    assert_eq!(told(&mut table.host), "You may talk again");
    table.host.send(&line);
    assert_eq!(table.guest.until("chatMessage")["displayName"], "hosting");
    let audit = done(&server, &["audit", "--on", "Hosting"]);
    assert!(
        audit.contains("mute") && audit.contains("Calm down."),
        "{audit}"
    );
}

#[test]
fn somebody_is_thrown_out_and_kept_out_until_that_is_lifted() {
    let mut server = server(2, &[]);
    let mut table = table(&server);
    let [host, guest] = table.ids.clone();
    let gone = done(&server, &["kick", "visiting", "--reason", "That was rude."]);
    assert!(gone.contains("visiting (vcmi_json)"), "{gone}");
    let last = table.guest.until("operationFailed");
    let why = "You have been disconnected by an administrator: That was rude.";
    assert_eq!(reason(&last), why);
    assert_eq!(table.guest.frame(), None);
    let back = connect(&server).login(&guest.0, &guest.1);
    assert_eq!(back[0]["type"], "clientLoginSuccess");
    let words = &[
        "ban",
        "hosting",
        "--lobby",
        "vcmi_json",
        "--reason",
        "Spam.",
    ];
    let told = done(&server, words);
    assert!(
        told.contains("hosting (vcmi_json) is banned for good, and thrown out"),
        "{told}"
    );
    let banned = "You are banned for good: Spam.";
    assert_eq!(reason(&table.host.until("operationFailed")), banned);
    assert_eq!(table.host.frame(), None);
    assert_eq!(reason(&table.control.until("operationFailed")), banned);
    assert_eq!(table.control.frame(), None, "its room has ended");
    server.crash();
    server.restart().expect("it starts");
    let refused = connect(&server).login(&host.0, &host.1);
    assert_eq!(reason(&refused[0]), banned);
    let bans = done(&server, &["bans", "--lobby", "vcmi_json"]);
    assert!(bans.contains("hosting") && bans.contains("Spam."), "{bans}");
    done(&server, &["unban", "hosting", "--lobby", "vcmi_json"]);
    let back = connect(&server).login(&host.0, &host.1);
    assert_eq!(back[0]["type"], "clientLoginSuccess");
    let audit = done(&server, &["audit", "--on", "hosting"]);
    assert!(audit.contains("ban") && audit.contains("unban"), "{audit}");
}

#[test]
fn sign_ins_that_fail_are_written_down() {
    let server = server(2, &[]);
    let table = table(&server);
    let [host, _] = &table.ids;
    let wrong = connect(&server).login(&host.0, "ffffffff-0000-4000-8000-000000000000");
    assert_eq!(reason(&wrong[0]), "Authentication failure");
    let unknown = connect(&server).login("00000000-0000-4000-8000-000000000000", &host.1);
    assert_eq!(reason(&unknown[0]), "Account not found");
    until("both are written down", || {
        let audit = done(&server, &["audit", "--on", "127.0.0.1"]);
        audit.contains("wrong cookie") && audit.contains("unknown account")
    });
}

#[test]
fn players_know_of_a_planned_end_and_then_nobody_new_comes_in() {
    let mut server = server(2, &["server.stop_grace_s=600"]);
    let mut table = table(&server);
    let late = connect(&server).register("latecomer");
    done(
        &server,
        &["drain", "--in", "30m", "--reason", "A new kernel."],
    );
    let text = "The server will be shut down in 30 minutes. A new kernel.";
    assert_eq!(told(&mut table.guest), text);
    done(&server, &["drain", "--cancel"]);
    assert!(told(&mut table.guest).contains("after all"));
    table.control.send(&json!({ "type": "gameStarted" }));
    loop {
        let list = table.guest.until("activeGameRooms");
        if list["gameRooms"][0]["status"] == "busy" {
            break;
        }
    }
    // A match that goes on keeps the server from ending.
    done(&server, &["drain"]);
    loop {
        let answers = connect(&server).login(&late.0, &late.1);
        let refused = answers[0]["reason"].as_str().unwrap_or_default();
        if refused.contains("takes nobody new") {
            break;
        }
    }
    let (host, cookie) = &table.ids[0];
    let mut back = connect(&server);
    assert_eq!(back.login(host, cookie)[0]["type"], "clientLoginSuccess");
    table.control.close();
    while back.frame().is_some() {}
    assert_eq!(server.ended(), Ok(0));
}

/// checklist: vcmi-json 3
#[test]
fn a_message_that_is_too_long_has_no_effect_and_ends_nothing() {
    let server = server(1, &[]);
    let mut client = connect(&server);
    let (account, cookie) = client.register("talkative");
    client.login(&account, &cookie);
    let line = |text: &str| {
        json!({
            "type": "sendChatMessage", "channelType": "global", "channelName": "english", "messageText": text
        })
    };
    client.send(&line(&"x".repeat(3 << 20)));
    client.send(&line("short"));
    assert_eq!(client.until("chatMessage")["messageText"], "short");
    // As long as any may be, and what is not JSON at all.
    client.send_frame(&vec![0; 64 << 20]);
    client.send(&line("after"));
    assert_eq!(client.until("chatMessage")["messageText"], "after");
    client.send_raw(&((64 << 20) + 1_u32).to_le_bytes());
    while client.frame().is_some() {}
}
