//! Games: which are relayed to which, and for how long a session lives.

use std::time::Duration;

use super::*;

fn two(sim: &mut Sim) -> (String, Vec<String>) {
    let (a, b) = (user(sim, 5, "alice"), user(sim, 5, "bobby"));
    started(sim, a, &[b])
}

fn sent(sim: &mut Sim, conn: ConnId) -> Vec<u8> {
    sim.settle();
    sim.take_bytes(conn)
}

/// checklist: vcmi 88, 91, 92, 96
#[test]
fn a_pair_is_greeted_with_the_other_sides_words() {
    each(|mut sim| {
        for server_first in [true, false] {
            let (host, all) = two(&mut sim);
            let roles = if server_first {
                [("server", &host), ("client", &all[1])]
            } else {
                [("client", &all[1]), ("server", &host)]
            };
            let [first, second] = roles.map(|(role, uuid)| {
                let conn = game(&mut sim, role, uuid);
                (conn, game_greeting(role, uuid))
            });
            assert_eq!(sent(&mut sim, first.0), second.1);
            assert_eq!(sent(&mut sim, second.0), first.1);
            sim.send(first.0, "up");
            assert_eq!(sent(&mut sim, second.0), b"up");
            sim.send(second.0, ":>>Aiya!\0\0\0\0");
            assert_eq!(sent(&mut sim, first.0), b":>>Aiya!\0\0\0\0");
        }
    });
}

/// checklist: vcmi 88
#[test]
fn nothing_happens_before_the_flag() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let server = connect(&mut sim);
        for frame in ["Aiya!\n", "x (server)", &host] {
            sim.send(server, frame);
        }
        let client = game(&mut sim, "client", &all[1]);
        assert!(sent(&mut sim, client).is_empty());
        sim.send(server, "\0");
        assert!(!sent(&mut sim, client).is_empty());
    });
}

/// checklist: vcmi 89, 90
#[test]
fn whoever_belongs_nowhere_is_closed() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let upper = host.to_uppercase();
        for (role, uuid) in [
            ("client", host.as_str()),
            ("server", &all[1]),
            ("editor", &host),
            ("server", "6b1f0c3e-0000-4000-8000-00000000aa55"),
            ("server", &format!(" {host}")),
            ("server", &format!("{host}\n")),
            ("server", &upper),
        ] {
            if role == "server" && uuid == upper && upper == host {
                continue; // digits only
            }
            let conn = game(&mut sim, role, uuid);
            assert!(sim.client(conn).closed.is_some(), "{role} {uuid}");
            assert!(sent(&mut sim, conn).is_empty());
        }
    });
}

/// checklist: vcmi 93
#[test]
fn pairs_are_formed_in_order_of_arrival() {
    each(|mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        let (host, all) = started(&mut sim, a, &[b, c]);
        let first = game(&mut sim, "server", &host);
        let second = game(&mut sim, "server", &host);
        let guest_c = game(&mut sim, "client", &all[2]);
        let guest_b = game(&mut sim, "client", &all[1]);
        hush(&mut sim, &[first, second, guest_b, guest_c]);
        sim.send(guest_c, "from c");
        sim.send(guest_b, "from b");
        assert_eq!(sent(&mut sim, first), b"from c");
        assert_eq!(sent(&mut sim, second), b"from b");
    });
}

/// checklist: vcmi 94
#[test]
fn two_sessions_never_mix() {
    each(|mut sim| {
        let (host_one, one) = two(&mut sim);
        let (host_two, _) = two(&mut sim);
        let server_two = game(&mut sim, "server", &host_two);
        let client_one = game(&mut sim, "client", &one[1]);
        assert!(sent(&mut sim, server_two).is_empty());
        assert!(sent(&mut sim, client_one).is_empty());
        let server_one = game(&mut sim, "server", &host_one);
        assert!(!sent(&mut sim, server_one).is_empty());
        assert!(sent(&mut sim, server_two).is_empty());
    });
}

/// checklist: vcmi 97
#[test]
fn early_bytes_come_after_the_greeting() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let server = game(&mut sim, "server", &host);
        sim.send(server, "early ");
        sim.settle();
        let client = game(&mut sim, "client", &all[1]);
        let expected = [game_greeting("server", &host), b"early ".to_vec()].concat();
        assert_eq!(sent(&mut sim, client), expected);
    });
}

/// checklist: vcmi 98
#[test]
fn one_side_ends_the_other() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let server = game(&mut sim, "server", &host);
        let client = game(&mut sim, "client", &all[1]);
        sim.disconnect(client);
        sim.settle();
        assert!(sim.client(server).closed.is_some());
        // The same uuids make a new pair, never half of the old one.
        let server = game(&mut sim, "server", &host);
        let client = game(&mut sim, "client", &all[1]);
        hush(&mut sim, &[server, client]);
        sim.send(client, "again");
        assert_eq!(sent(&mut sim, server), b"again");
    });
}

/// checklist: vcmi 99
#[test]
fn a_waiting_side_that_leaves_frees_its_place() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let gone = game(&mut sim, "server", &host);
        sim.disconnect(gone);
        sim.settle();
        let client = game(&mut sim, "client", &all[1]);
        assert!(
            sent(&mut sim, client).is_empty(),
            "nobody to be paired with"
        );
        let server = game(&mut sim, "server", &host);
        assert_eq!(sent(&mut sim, client), game_greeting("server", &host));
        assert!(!sent(&mut sim, server).is_empty());
    });
}

/// checklist: vcmi 100
#[test]
fn a_session_lives_for_half_an_hour_without_games() {
    each(|mut sim| {
        let (host, all) = two(&mut sim);
        let minute = Duration::from_secs(60);
        sim.advance(29 * minute);
        let server = game(&mut sim, "server", &host);
        assert!(sim.client(server).closed.is_none());
        sim.advance(60 * minute);
        assert!(
            sim.client(server).closed.is_none(),
            "as long as one is there"
        );
        sim.disconnect(server);
        sim.settle();
        sim.advance(29 * minute);
        let client = game(&mut sim, "client", &all[1]);
        assert!(sim.client(client).closed.is_none());
        sim.disconnect(client);
        sim.settle();
        sim.advance(30 * minute + Duration::from_secs(1));
        let late = game(&mut sim, "server", &host);
        assert!(sim.client(late).closed.is_some());
    });
}

/// A session that never had a game is forgotten too.
#[test]
fn an_unused_session_is_forgotten() {
    each(|mut sim| {
        let (host, _) = two(&mut sim);
        sim.advance(Duration::from_secs(1801));
        let late = game(&mut sim, "server", &host);
        assert!(sim.client(late).closed.is_some());
    });
}

/// checklist: vcmi 101
#[test]
fn the_lobby_hears_nothing_of_games() {
    each(|mut sim| {
        let watch = user(&mut sim, 5, "watch");
        let (host, all) = two(&mut sim);
        hush(&mut sim, &[watch]);
        let server = game(&mut sim, "server", &host);
        let client = game(&mut sim, "client", &all[1]);
        sim.send(client, "x");
        sim.settle();
        sim.disconnect(server);
        sim.settle();
        let lost = connect(&mut sim);
        say(&mut sim, lost, "Aiya!");
        sim.disconnect(lost);
        sim.settle();
        assert!(heard(&mut sim, watch).is_empty());
    });
}

/// Settings with which games are relayed as version 0.6.2 of the reference does it.
fn as_0_6_2() -> Settings {
    Settings {
        pipes_as_0_6_2: true,
        ..Settings::default()
    }
}

/// checklist: vcmi 92, 97
#[test]
fn as_the_reference_each_side_is_sent_its_own_words_and_early_bytes_are_lost() {
    each_with(as_0_6_2(), |mut sim| {
        let (host, all) = two(&mut sim);
        let server = game(&mut sim, "server", &host);
        sim.send(server, "early");
        sim.settle();
        let client = game(&mut sim, "client", &all[1]);
        assert_eq!(sent(&mut sim, server), game_greeting("server", &host));
        assert_eq!(sent(&mut sim, client), game_greeting("client", &all[1]));
        sim.send(client, "up");
        assert_eq!(sent(&mut sim, server), b"up");
    });
}

/// checklist: vcmi 98
#[test]
fn as_the_reference_a_side_outlives_the_other_and_the_next_takes_the_place() {
    for server_stays in [true, false] {
        each_with(as_0_6_2(), |mut sim| {
            let (host, all) = two(&mut sim);
            let server = ("server", host.as_str());
            let client = ("client", all[1].as_str());
            let (stays, goes) = if server_stays {
                (server, client)
            } else {
                (client, server)
            };
            let first = game(&mut sim, stays.0, stays.1);
            let gone = game(&mut sim, goes.0, goes.1);
            hush(&mut sim, &[first, gone]);
            sim.disconnect(gone);
            sim.settle();
            assert!(sim.client(first).closed.is_none());
            sim.send(first, "to nobody");
            sim.settle();
            let next = game(&mut sim, goes.0, goes.1);
            assert_eq!(
                sent(&mut sim, first),
                game_greeting(stays.0, stays.1),
                "in the middle of its stream"
            );
            assert_eq!(sent(&mut sim, next), game_greeting(goes.0, goes.1));
            sim.send(first, "to the next");
            assert_eq!(sent(&mut sim, next), b"to the next");
            // The session ends as any other when both have gone.
            sim.disconnect(first);
            sim.disconnect(next);
            sim.settle();
            sim.advance(Duration::from_secs(1801));
            let late = game(&mut sim, "server", &host);
            assert!(sim.client(late).closed.is_some());
        });
    }
}

/// A pair that has lost a side is as old as it was, and pairs may lack either side.
#[test]
fn as_the_reference_the_oldest_pair_that_lacks_the_side_is_taken() {
    each_with(as_0_6_2(), |mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        let (host, all) = started(&mut sim, a, &[b, c]);
        let one = game(&mut sim, "server", &host);
        let client_one = game(&mut sim, "client", &all[1]);
        let two = game(&mut sim, "server", &host);
        sim.disconnect(one);
        sim.settle();
        // The first pair lacks a server now, the second a client.
        let client_two = game(&mut sim, "client", &all[2]);
        let server = game(&mut sim, "server", &host);
        hush(&mut sim, &[client_one, client_two, two, server]);
        sim.send(client_two, "second");
        sim.send(client_one, "first");
        assert_eq!(sent(&mut sim, two), b"second");
        assert_eq!(sent(&mut sim, server), b"first");
        sim.disconnect(client_two);
        sim.disconnect(client_one);
        sim.settle();
        let again = game(&mut sim, "client", &all[1]);
        hush(&mut sim, &[again]);
        sim.send(again, "x");
        assert_eq!(
            sent(&mut sim, server),
            [&game_greeting("server", &host)[..], b"x"].concat()
        );
        assert!(sent(&mut sim, two).is_empty());
    });
}

/// Games come and go as they like, and another process goes on now and then: the books agree, and in the end nobody is there.
#[test]
fn games_that_outlive_each_other_leave_books_that_agree() {
    use rand::{RngExt, SeedableRng, rngs::SmallRng};
    for seed in 0..40 {
        for shards in 1..=3 {
            let mut sim = simulator(shards, seed, as_0_6_2());
            let mut rng = SmallRng::seed_from_u64(seed);
            let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
            let (host, all) = started(&mut sim, a, &[b, c]);
            let mut games = Vec::new();
            for _ in 0..60 {
                let pick = rng.random_range(0..games.len().max(1));
                match rng.random_range(0..5) {
                    0 => games.push(game(&mut sim, "server", &host)),
                    1 => games.push(game(&mut sim, "client", &all[rng.random_range(1..3)])),
                    2 if !games.is_empty() => sim.send(games[pick], "x"),
                    3 if !games.is_empty() => sim.disconnect(games.swap_remove(pick)),
                    _ => {
                        sim.step();
                    }
                }
                if rng.random_bool(0.1) {
                    sim.settle();
                    let settings = Arc::new(as_0_6_2());
                    sim.hand_over(|shard| Vcmi::new(shard, shards, settings.clone()));
                }
            }
            for one in games {
                assert!(sim.client(one).closed.is_none(), "nobody ends with another");
                sim.disconnect(one);
            }
            sim.settle();
            crate::vcmi::consistency::check(&sim);
            crate::vcmi::consistency::check_nobody(&sim);
        }
    }
}
