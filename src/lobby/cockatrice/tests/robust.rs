//! Bytes that are no message, and many clients who do as they like.

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;

#[test]
fn what_is_no_container_is_passed_over() {
    each(|mut sim| {
        let conn = user(&mut sim, "ann");
        for bytes in [
            &b"\xff"[..],
            b"\x08",
            b"\xa2\x06\xff\xff\xff\xff\x0f",
            &[7; 100_000],
        ] {
            assert!(ask(&mut sim, conn, bytes.to_vec()).is_empty());
        }
        let many = CommandContainer {
            cmd_id: Some(3),
            session_command: vec![SessionCommand { body: None }; 1_001],
            ..CommandContainer::default()
        };
        assert_eq!(ask(&mut sim, conn, encode(&many)), ["3 RespContextError"]);
        assert!(sim.client(conn).closed.is_none());
    });
}

#[test]
fn who_asks_too_much_is_heard_later() {
    each(|mut sim| {
        let conn = user(&mut sim, "ann");
        for _ in 0..40 {
            let pings = vec![
                SessionCommand {
                    body: Some(SessionCommandBody::Ping(Default::default())),
                };
                50
            ];
            let container = CommandContainer {
                cmd_id: Some(1),
                session_command: pings,
                ..CommandContainer::default()
            };
            sim.send(conn, encode(&container));
        }
        sim.settle();
        assert!(sim.client(conn).paused.is_some());
        let at_once = heard(&mut sim, conn).len();
        assert!((15..30).contains(&at_once), "{at_once}");
        sim.advance(Duration::from_secs(12));
        assert_eq!(at_once + heard(&mut sim, conn).len(), 40);
    });
}

/// Clients that come, talk, play and go at random, with mail that is late: nothing is left of who has gone.
#[test]
fn nothing_is_left_of_who_has_gone() {
    for shards in 1..=3 {
        for seed in 0..6 {
            for method in [Method::Nothing, Method::Password] {
                walk(shards, seed, method);
            }
        }
    }
}

fn walk(shards: u16, seed: u64, method: Method) {
    let mut sim = simulator(
        shards,
        seed,
        Settings {
            method,
            most_tcp: Some(12),
            games_per_user: 2,
            commands_per_second: None,
            ..settings()
        },
    );
    sim.eager = false;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut conns: Vec<ConnId> = Vec::new();
    for step in 0..400u64 {
        let names = ["ann", "bob", "ann_1", ""];
        match rng.random_range(0..10) {
            0 => {
                let conn = sim.connect(rng.random_range(0..shards));
                sim.send(conn, Vec::new());
                sim.send(
                    conn,
                    session(1, sign_in(names[rng.random_range(0..names.len())])),
                );
                sim.send(conn, session(2, join(0)));
                sim.send(
                    conn,
                    session(3, SessionCommandBody::ListUsers(Default::default())),
                );
                conns.push(conn);
            }
            1 if !conns.is_empty() => {
                let conn = conns.swap_remove(rng.random_range(0..conns.len()));
                sim.disconnect(conn);
            }
            2 => sim.advance(Duration::from_millis(rng.random_range(0..700))),
            _ if !conns.is_empty() => {
                let conn = conns[rng.random_range(0..conns.len())];
                let number = rng.random_range(1..8);
                let message = match rng.random_range(0..7) {
                    0 => room(step, 0, create(2)),
                    1 => room(step, 0, enter(number, false)),
                    2 => room(step, 0, enter(number, true)),
                    3 => room(step, 0, RoomCommandBody::LeaveRoom(Default::default())),
                    4 => session(step, join(0)),
                    5 => {
                        let leave = GameCommandBody::LeaveGame(Default::default());
                        game(step, number as u32, vec![leave])
                    }
                    _ => room(step, 0, say("x")),
                };
                sim.send(conn, message);
            }
            _ => {}
        }
        for _ in 0..rng.random_range(0..6) {
            sim.step();
        }
    }
    sim.settle();
    check_agreement(&sim);
    for conn in conns {
        sim.disconnect(conn);
    }
    sim.settle();
    for shard in 0..shards {
        let lobby = sim.dialect(shard);
        assert!(lobby.sessions.is_empty() && lobby.registry.is_empty());
        assert!(lobby.directory.users.is_empty() && lobby.tables.is_empty());
        assert!(lobby.desk.is_empty());
        let empty = |room: &crate::cockatrice::rooms::Room| room.counts() == (0, 0);
        assert!(lobby.rooms.values().all(empty));
    }
}

/// What shards say of each other's users is true.
fn check_agreement(sim: &Sim) {
    let first = sim.dialect(0);
    let mut signed_in = 0;
    for shard in 0..sim.shards() {
        let lobby = sim.dialect(shard);
        assert_eq!(lobby.directory.users, first.directory.users);
        for (conn, session) in &lobby.sessions {
            assert!(session.work.is_none(), "nothing is waited for");
            let Some(user) = &session.user else {
                continue;
            };
            signed_in += 1;
            assert_eq!(first.directory.users[&user.name].conn, *conn);
            for &room in &session.rooms {
                let home = sim.dialect_on(lobby.topology.room(room));
                assert_eq!(home.rooms[&room].members[&user.name].conn, *conn);
            }
            for &game in session.games.keys() {
                let home = sim.dialect_on(lobby.topology.game(game));
                let seats = &home.tables[&game].seats;
                assert!(seats.values().any(|seat| seat.conn == *conn));
            }
        }
    }
    assert_eq!(signed_in, first.directory.users.len());
}
