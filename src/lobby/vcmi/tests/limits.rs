//! Everything that has a limit, what is said when it is reached, and the orderly end.

use std::{net::IpAddr, time::Duration};

use super::*;
use crate::{Dialect, Stopping};

pub(super) fn counted(sim: &Sim, name: &str) -> u64 {
    let shards = 0..sim.shards();
    let all = shards.flat_map(|shard| metrics::counters(&*sim.dialect(shard).metrics));
    all.filter(|(key, _)| *key == name)
        .map(|(_, value)| value)
        .sum()
}

#[test]
fn a_full_lobby_says_so() {
    let settings = Settings {
        capacity: Some(2),
        ..Settings::default()
    };
    each_with(settings, |mut sim| {
        let [a, _] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        hush(&mut sim, &[a]);
        let conn = connect(&mut sim);
        assert_eq!(
            say(&mut sim, conn, greeting(5, "carol")),
            ["ERROR:Server is full"]
        );
        assert!(sim.client(conn).closed.is_some());
        assert!(heard(&mut sim, a).is_empty());
        sim.disconnect(a);
        sim.settle();
        user(&mut sim, 5, "david");
        assert_eq!(counted(&sim, "muster_vcmi_logins_total"), 3);
        assert_eq!(counted(&sim, "muster_vcmi_refused_full_total"), 1);
    });
}

#[test]
fn what_is_too_long_or_too_much_is_refused() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        let refused = |sim: &mut Sim, conn, packet: String| {
            let reply = say(sim, conn, packet);
            assert!(
                reply.len() == 1 && reply[0].starts_with("ERROR:"),
                "{reply:?}"
            );
            reply[0].clone()
        };
        let stranger = connect(&mut sim);
        let packet = format!("\x05\x04utf8<GREETINGS>{}", "x".repeat(33));
        assert_eq!(
            refused(&mut sim, stranger, packet),
            "ERROR:Invalid username"
        );
        refused(&mut sim, a, format!("<NEW>{}<COUNT>2", "x".repeat(65)));
        refused(&mut sim, a, format!("<MSG>{}", "x".repeat((128 << 10) + 1)));
        let alive = "<ALIVE>".repeat(1001);
        assert_eq!(
            refused(&mut sim, a, alive),
            "ERROR:Too many commands in one packet"
        );
        room(&mut sim, a, &[]);
        refused(&mut sim, a, format!("<PSWD>{}", "x".repeat(257)));
        refused(&mut sim, a, format!("<MODS>{}", ";".repeat(4096)));
        assert_eq!(counted(&sim, "muster_vcmi_over_limit_total"), 6);
    });
}

#[test]
fn an_address_has_so_many_rooms() {
    let settings = Settings {
        rooms_per_address: Some(1),
        ..Settings::default()
    };
    each_with(settings, |mut sim| {
        sim.address = IpAddr::from([192, 0, 2, 1]);
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        say(&mut sim, a, "<NEW>room one<COUNT>2");
        let reply = say(&mut sim, b, "<NEW>room two<COUNT>2");
        assert_eq!(reply, ["ERROR:Too many rooms from your address"]);
        sim.address = IpAddr::from([192, 0, 2, 2]);
        let c = user(&mut sim, 5, "carol");
        assert_eq!(
            say(&mut sim, c, "<NEW>room two<COUNT>2")[0],
            "CREATED:room two"
        );
    });
}

#[test]
fn there_are_so_many_sessions() {
    let settings = Settings {
        sessions: 1,
        session_idle: Duration::from_secs(10),
        ..Settings::default()
    };
    each_with(settings, |mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        started(&mut sim, a, &[]);
        room(&mut sim, b, &[]);
        let reply = say(&mut sim, b, "<FORCESTART>room one");
        assert_eq!(reply, ["ERROR:Too many games are running"]);
        sim.advance(Duration::from_secs(11));
        let reply = say(&mut sim, b, "<FORCESTART>room one");
        assert!(reply[0].starts_with("HOST:"));
        assert_eq!(counted(&sim, "muster_vcmi_sessions_forgotten_total"), 1);
    });
}

#[test]
fn a_handshake_has_a_minute() {
    each(|mut sim| {
        let fresh = connect(&mut sim);
        let refused = connect(&mut sim);
        say(&mut sim, refused, greeting(5, "ab"));
        let pipe = connect(&mut sim);
        say(&mut sim, pipe, "Aiya!\n");
        let alice = user(&mut sim, 5, "alice");
        let (host, _) = {
            let bobby = user(&mut sim, 5, "bobby");
            started(&mut sim, bobby, &[])
        };
        let waiting = game(&mut sim, "server", &host);
        sim.advance(Duration::from_secs(61));
        for conn in [fresh, refused, pipe] {
            assert!(sim.client(conn).closed.is_some());
        }
        for conn in [alice, waiting] {
            assert!(sim.client(conn).closed.is_none());
        }
        assert_eq!(counted(&sim, "muster_vcmi_handshake_timeouts_total"), 3);
    });
}

/// What others are shown can't look like a message of the server.
#[test]
fn nobody_speaks_for_the_server() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[]);
        hush(&mut sim, &[b]);
        sim.send(a, "<MSG>x:>>START:y<VER>1:>>ERROR:z<MODS>a:>>b&1");
        sim.settle();
        assert_eq!(heard(&mut sim, b), ["MSGCH:alice:global:x: >>START:y"]);
        let reply = say(&mut sim, b, "<JOIN>room one<PSWD><MODS>c:>>d&1");
        assert!(
            reply
                .iter()
                .all(|m| !m.starts_with("ERROR") && !m.starts_with("START"))
        );
    });
}

/// Everything stands behind a colon, so two brackets at the beginning are enough to look like one.
#[test]
fn nobody_speaks_for_the_server_with_the_colon_in_front_of_his_words() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        let old = user(&mut sim, 4, "carol");
        hush(&mut sim, &[a, b]);
        let refused = say(&mut sim, a, "<NEW>>>START:y");
        assert_eq!(refused.len(), 1, "{refused:?}");
        let refused = say(&mut sim, a, "<NEW>>>START<COUNT>2");
        assert_eq!(
            refused,
            ["ERROR:Cannot create session with invalid name >>START"]
        );
        say(&mut sim, a, "<MSG>>>START:y");
        assert_eq!(heard(&mut sim, b), ["MSGCH:alice:global: >>START:y"]);
        say(&mut sim, old, "<MSG>>>START:y");
        assert_eq!(heard(&mut sim, b), ["MSG:carol: >>START:y"]);
        room(&mut sim, a, &[]);
        say(&mut sim, a, "<MODS>>>START&>>1&>>2");
        let reply = say(&mut sim, b, "<JOIN>room one<PSWD><MODS>>>c&>>1&>>2;d");
        let mods = reply.iter().rfind(|m| m.starts_with("MODS:"));
        let expected = "MODS:2:wog:1.0: >>START: >>1&>>2";
        assert_eq!(mods.map(String::as_str), Some(expected), "{reply:?}");
        let other = heard(&mut sim, a).pop();
        let expected = "MODSOTHER:bobby:2: >>c: >>1: >>2:d:";
        assert_eq!(other.as_deref(), Some(expected));
    });
}

#[test]
fn an_orderly_end_waits_for_games() {
    each(|mut sim| {
        let idle = |sim: &Sim| (0..sim.shards()).all(|shard| sim.dialect(shard).is_drained());
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        assert!(idle(&sim));
        let (host, all) = started(&mut sim, a, &[b]);
        hush(&mut sim, &[c]);
        sim.stop(Stopping::Drain);
        sim.settle();
        let notice = heard(&mut sim, c);
        assert!(notice.len() == 1 && notice[0].starts_with("MSG:System:The server is going down."));
        let reply = say(&mut sim, c, "<NEW>room two<COUNT>2");
        assert!(reply[0].starts_with("ERROR:The server is going down."));
        assert!(!idle(&sim), "the games are still to come");
        let server = game(&mut sim, "server", &host);
        let client = game(&mut sim, "client", &all[1]);
        sim.advance(Duration::from_secs(100));
        assert!(!idle(&sim));
        sim.disconnect(server);
        sim.settle();
        assert!(sim.client(client).closed.is_some());
        assert!(idle(&sim));
    });
}

/// A session whose games never come does not hold up the end for ever.
#[test]
fn an_orderly_end_does_not_wait_for_ever() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        started(&mut sim, a, &[]);
        sim.stop(Stopping::Drain);
        sim.advance(Duration::from_secs(61));
        assert!((0..sim.shards()).all(|shard| sim.dialect(shard).is_drained()));
    });
}

/// A launcher that was too slow for a broadcast is sent the present state.
#[test]
fn who_missed_something_is_sent_the_present_state() {
    each(|mut sim| {
        let [a, _] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[]);
        sim.resync(a);
        sim.settle();
        assert_eq!(
            heard(&mut sim, a),
            ["SESSIONS:1:room one:1:3:False", "USERS:2:alice:bobby"]
        );
    });
}
