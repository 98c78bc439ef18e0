//! From a room to a session.

use super::*;

fn uuid(message: &str) -> &str {
    let mut parts = message.split(':');
    parts.find(|part| part.len() == 36).expect("a uuid")
}

/// checklist: vcmi 77, 78, 82, 83
#[test]
fn all_ready_starts_the_game() {
    each(|mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b]);
        hush(&mut sim, &[c]);
        say(&mut sim, a, "<READY>room one");
        hush(&mut sim, &[b]);
        let last = say(&mut sim, b, "<READY>room one<MSG>never said");
        let status = "STATUS:2:alice:True:bobby:True";
        assert_eq!(last[0], status);
        assert!(last[1].starts_with("START:") && last.len() == 2, "{last:?}");
        let host = heard(&mut sim, a);
        assert_eq!(host[0], status);
        assert!(host[1].starts_with("HOST:") && host[1].ends_with(":1"));
        assert!(host[2].starts_with("START:"));
        let mut uuids = vec![uuid(&host[1]), uuid(&host[2]), uuid(&last[1])];
        for uuid in &uuids {
            let shape: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(shape, [8, 4, 4, 4, 12]);
            assert!(uuid.as_bytes()[14] == b'4' && *uuid == uuid.to_lowercase());
        }
        uuids.sort_unstable();
        uuids.dedup();
        assert_eq!(uuids.len(), 3, "all different");
        for conn in [a, b] {
            assert!(sim.client(conn).closed.is_some());
        }
        let games = operator::games(&mut sim);
        let [game] = &games[..] else {
            panic!("{games:?}")
        };
        assert_eq!(
            (&*game.host, &*game.title, game.players, &*game.state),
            ("alice", "room one", 2, "idle")
        );
        assert_eq!(heard(&mut sim, c), ["SESSIONS:0", "USERS:1:carol"]);
        let again = user(&mut sim, 5, "alice");
        assert_eq!(say(&mut sim, again, OPEN)[0], "CREATED:room one");
    });
}

/// checklist: vcmi 78
#[test]
fn eight_players_get_nine_uuids() {
    each(|mut sim| {
        let host = user(&mut sim, 5, "host");
        say(&mut sim, host, "<NEW>room one<COUNT>8");
        let guests: Vec<ConnId> = (1..8)
            .map(|n| user(&mut sim, 5, &format!("guest{n}")))
            .collect();
        for &guest in &guests {
            say(&mut sim, guest, ENTER);
        }
        hush(&mut sim, &guests);
        let reply = say(&mut sim, host, "<FORCESTART>room one");
        assert!(reply[0].starts_with("HOST:") && reply[0].ends_with(":7"));
        let mut all = vec![uuid(&reply[0]).to_owned(), uuid(&reply[1]).to_owned()];
        for guest in guests {
            let heard = heard(&mut sim, guest);
            assert_eq!(heard.len(), 1, "{heard:?}");
            all.push(uuid(&heard[0]).to_owned());
        }
        all.sort();
        all.dedup();
        assert_eq!(all.len(), 9);
    });
}

/// checklist: vcmi 75
#[test]
fn ready_flips_and_one_alone_never_starts() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        room(&mut sim, a, &[]);
        for flag in ["True", "False", "True"] {
            let reply = say(&mut sim, a, "<READY>room one");
            assert_eq!(reply, [format!("STATUS:1:alice:{flag}")]);
        }
        assert!(say(&mut sim, a, "<READY>room two").is_empty());
        assert!(sim.client(a).closed.is_none());
    });
}

/// checklist: vcmi 79
#[test]
fn kicking_the_last_who_is_not_ready_starts() {
    each(|mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b, c]);
        say(&mut sim, a, "<READY>room one");
        say(&mut sim, b, "<READY>room one");
        hush(&mut sim, &[b, c]);
        let reply = say(&mut sim, a, "<KICK>carol");
        assert_eq!(
            reply[..2],
            ["KICK:room one:carol", "STATUS:2:alice:True:bobby:True"]
        );
        assert!(reply[2].starts_with("HOST:") && reply[3].starts_with("START:"));
        assert_eq!(
            heard(&mut sim, c),
            ["KICK:room one:carol", "SESSIONS:0", "USERS:1:carol"]
        );
    });
}

/// checklist: vcmi 79
#[test]
fn losing_or_leaving_the_last_who_is_not_ready_does_not_start() {
    each(|mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b, c]);
        say(&mut sim, a, "<READY>room one");
        say(&mut sim, b, "<READY>room one");
        hush(&mut sim, &[a]);
        sim.disconnect(c);
        sim.settle();
        assert_eq!(heard(&mut sim, a)[0], "STATUS:2:alice:True:bobby:True");
        assert!(sim.client(a).closed.is_none());
        say(&mut sim, b, "<LEAVE>room one");
        assert!(sim.client(a).closed.is_none());
    });
}

/// checklist: vcmi 80
#[test]
fn an_old_host_starts_with_his_ready() {
    each(|mut sim| {
        let a = user(&mut sim, 2, "alice");
        let b = user(&mut sim, 2, "bobby");
        room(&mut sim, a, &[b]);
        assert_eq!(
            say(&mut sim, b, "<READY>room one").len(),
            1,
            "a guest's is a vote"
        );
        assert!(sim.client(b).closed.is_none());
        let reply = say(&mut sim, a, "<READY>room one");
        assert!(reply[1].starts_with("HOST:"));
        assert!(sim.client(a).closed.is_some());
        let alone = user(&mut sim, 1, "carol");
        room(&mut sim, alone, &[]);
        let reply = say(&mut sim, alone, "<READY>room one");
        assert!(reply[1].ends_with(":0"), "even alone: {reply:?}");
    });
}

/// checklist: vcmi 81
#[test]
fn the_host_may_force_the_start() {
    each(|mut sim| {
        let [a, b, _] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b]);
        assert_eq!(
            say(&mut sim, b, "<FORCESTART>room one<MSG>no"),
            ["ERROR:Insuficcient permissions"]
        );
        assert!(say(&mut sim, a, "<FORCESTART>room two").is_empty());
        let reply = say(&mut sim, a, "<FORCESTART>room one");
        assert!(reply[0].starts_with("HOST:") && reply[0].ends_with(":1"));
        assert!(sim.client(b).closed.is_some());
    });
}
