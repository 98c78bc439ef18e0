//! What one launcher may do to the others: how much it may say and have sent, and how often everybody is told the lists.

use std::{net::IpAddr, time::Duration};

use super::{limits::counted, *};

const TOO_MUCH: &str = "ERROR:You are sending too much. Please wait a moment";
const FLOODED: &str = "ERROR:You are sending too much and have been disconnected";

/// A few bytes that ask for something long again and again would fill the memory.
#[test]
fn a_packet_causes_so_many_bytes() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        room(&mut sim, a, &[]);
        say(&mut sim, a, format!("<MODS>{}", "m".repeat(100 << 10)));
        sim.advance(Duration::from_secs(20));
        let answers = say(&mut sim, a, "<MODS>".repeat(900));
        let bytes: usize = answers.iter().map(String::len).sum();
        assert!(bytes < 400 << 10, "{bytes} bytes");
        assert_eq!(answers.last().map(String::as_str), Some(TOO_MUCH));
        assert_eq!(counted(&sim, "muster_vcmi_flood_refusals_total"), 1);
        assert_eq!(say(&mut sim, a, "<HERE>"), [TOO_MUCH]);
        sim.advance(Duration::from_secs(10));
        assert_eq!(say(&mut sim, a, "<HERE>"), ["USERS:1:alice"]);
    });
}

#[test]
fn who_floods_the_chat_is_told_and_then_disconnected() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        hush(&mut sim, &[a, b]);
        for _ in 0..120 {
            sim.send(a, format!("<MSG>{}", "x".repeat(131_000)));
        }
        sim.settle();
        let lines = heard(&mut sim, b);
        let chat = lines.iter().filter(|line| line.starts_with("MSGCH"));
        let bytes: usize = chat.map(String::len).sum();
        assert!((131_000..500_000).contains(&bytes), "{bytes} bytes");
        assert!(sim.client(a).closed.is_some());
        let answers = heard(&mut sim, a);
        assert_eq!(answers.iter().filter(|line| *line == TOO_MUCH).count(), 20);
        assert_eq!(answers.last().map(String::as_str), Some(FLOODED));
        assert_eq!(counted(&sim, "muster_vcmi_flooders_total"), 1);
        assert_eq!(
            say(&mut sim, b, "<MSG>at last"),
            ["MSGCH:bobby:global:at last"]
        );
    });
}

/// Short lines are a flood as well: each costs every user a message.
#[test]
fn short_lines_have_a_rate() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        hush(&mut sim, &[b]);
        for _ in 0..10 {
            sim.send(a, "<MSG>x".repeat(1_000));
            sim.settle();
        }
        let lines = heard(&mut sim, b).len();
        assert!((1_000..2_100).contains(&lines), "{lines} lines");
        sim.advance(Duration::from_secs(10));
        assert_eq!(say(&mut sim, a, "<MSG>x".repeat(400)).len(), 400);
    });
}

#[test]
fn packets_without_a_command_cost_something_too() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        for _ in 0..3 {
            sim.send(a, vec![b'x'; 1 << 20]);
        }
        sim.settle();
        assert_eq!(
            heard(&mut sim, a).last().map(String::as_str),
            Some(TOO_MUCH)
        );
    });
}

#[test]
fn an_operator_may_set_no_rate() {
    let settings = Settings {
        commands_per_second: None,
        caused_bytes_per_second: None,
        ..Settings::default()
    };
    each_with(settings, |mut sim| {
        let a = user(&mut sim, 5, "alice");
        for _ in 0..5 {
            assert_eq!(say(&mut sim, a, "<MSG>x".repeat(1_000)).len(), 1_000);
        }
    });
}

/// Otherwise each connection would begin with everything that may be used at once.
#[test]
fn connecting_anew_is_no_way_out() {
    each(|mut sim| {
        sim.address = IpAddr::from([192, 0, 2, 1]);
        let a = user(&mut sim, 5, "alice");
        say(&mut sim, a, "<MSG>x".repeat(1_000));
        say(&mut sim, a, "<MSG>x".repeat(1_000));
        sim.disconnect(a);
        sim.settle();
        let again = connect(&mut sim);
        let answer = say(&mut sim, again, greeting(5, "alice"));
        assert_eq!(answer.last().map(String::as_str), Some(TOO_MUCH));
        assert_eq!(say(&mut sim, again, "<MSG>x"), [TOO_MUCH]);
        sim.address = IpAddr::from([192, 0, 2, 2]);
        let other = user(&mut sim, 5, "bobby");
        assert_eq!(say(&mut sim, other, "<MSG>x").len(), 1);
        sim.address = IpAddr::from([192, 0, 2, 1]);
        sim.advance(Duration::from_secs(50));
        let later = user(&mut sim, 5, "carol");
        assert_eq!(say(&mut sim, later, "<MSG>x").len(), 1);
    });
}

/// spec: vcmi-proxy 7.6; a room's password is short.
#[test]
fn passwords_of_rooms_are_guessed_slowly() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        say(&mut sim, a, "<NEW>room one<PSWD>secret<COUNT>3");
        let mut guesses = 0;
        for guess in 0..100 {
            let answer = say(&mut sim, b, format!("<JOIN>room one<PSWD>{guess}"));
            guesses += answer
                .iter()
                .filter(|a| *a == "ERROR:Incorrect password")
                .count();
        }
        assert!((20..50).contains(&guesses), "{guesses} guesses");
    });
}

/// A room opened and left again and again, where the lists are long.
#[test]
fn lists_are_told_at_intervals_while_they_cost_much() {
    let mut sim = simulator(2, 1, Settings::default());
    let users: Vec<ConnId> = (0..120)
        .map(|n| user(&mut sim, 5, &format!("user{n}")))
        .collect();
    for &host in &users[..60] {
        let name = format!("{:x<60}", host.slot * 2 + host.shard.local() as u32);
        sim.send(host, format!("<NEW>{name}<COUNT>2"));
    }
    sim.advance(Duration::from_secs(10));
    hush(&mut sim, &users);
    let attacker = user(&mut sim, 5, "attacker");
    hush(&mut sim, &users);
    sim.send(attacker, "<NEW>abc<COUNT>2<LEAVE>abc".repeat(300));
    sim.settle();
    let lists = |sim: &mut Sim| {
        let lists = heard(sim, users[100]);
        assert!(lists.iter().all(|list| list.starts_with("SESSIONS:")));
        lists
    };
    let at_once = lists(&mut sim).len();
    assert!((2..30).contains(&at_once), "{at_once} lists at once");
    sim.send(attacker, "<NEW>last<COUNT>2");
    sim.advance(Duration::from_secs(1));
    let later = lists(&mut sim);
    assert_eq!(later.len(), 1);
    assert!(later[0].contains(":last:1:2:False"));
    sim.advance(Duration::from_secs(3));
    assert!(lists(&mut sim).is_empty(), "nothing has changed");
    assert!(counted(&sim, "muster_vcmi_lists_deferred_total") > 500);
}

/// A newcomer has the lists at once, whoever else waits for them.
#[test]
fn a_storm_of_sign_ins_costs_each_user_some_lists() {
    let mut sim = simulator(2, 1, Settings::default());
    let users: Vec<ConnId> = (0..250)
        .map(|n| user(&mut sim, 5, &format!("{n:x<32}")))
        .collect();
    hush(&mut sim, &users);
    let newcomers: Vec<ConnId> = (0..100).map(|_| connect(&mut sim)).collect();
    for (n, &conn) in newcomers.iter().enumerate() {
        let said = say(&mut sim, conn, greeting(5, &format!("{n:y<32}")));
        let last = &said[said.len() - 2];
        assert!(last.starts_with(&format!("USERS:{}:", 251 + n)), "{last}");
    }
    let lists = heard(&mut sim, users[0]).len();
    assert!(lists < 30, "{lists} lists");
    sim.advance(Duration::from_secs(1));
    let last = heard(&mut sim, users[0]).pop();
    assert!(last.is_some_and(|last| last.starts_with("USERS:350:")));
}
