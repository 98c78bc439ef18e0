//! Bytes that are no message, and many clients who do as they like.

use cockatrice::messages::{CommandBanFromServer, CommandListUsers, ModeratorCommandBody};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::cockatrice::questions::{Answer, Banned, Change, Outcome};

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
        assert!(
            lobby.sessions.is_empty()
                && lobby.registry == crate::cockatrice::state::registry::Registry::default()
        );
        assert!(lobby.directory.users.is_empty() && lobby.tables.is_empty());
        assert!(lobby.desk.is_empty());
        let empty = |room: &crate::cockatrice::state::room::Room| room.counts() == (0, 0);
        assert!(lobby.rooms.values().all(empty));
    }
}

/// What shards say of each other's users is true.
pub(super) fn check_agreement(sim: &Sim) {
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
            for (&game, taking) in &session.games {
                let home = sim.dialect_on(lobby.topology.room(taking.room));
                let seats = &home.tables[&game].seats;
                assert!(seats.values().any(|seat| seat.conn == *conn));
            }
        }
    }
    assert_eq!(signed_in, first.directory.users.len());
}

fn ping() -> SessionCommandBody<'static> {
    SessionCommandBody::Ping(Default::default())
}

#[test]
fn a_container_without_a_command_is_refused() {
    each(|mut sim| {
        let conn = connect(&mut sim);
        let nothing = CommandContainer {
            cmd_id: Some(5),
            ..CommandContainer::default()
        };
        assert_eq!(
            ask(&mut sim, conn, encode(&nothing)),
            ["5 RespInvalidCommand"]
        );
        let nameless = CommandContainer {
            session_command: vec![SessionCommand { body: Some(ping()) }],
            ..CommandContainer::default()
        };
        let answer = ask(&mut sim, conn, encode(&nameless));
        assert_eq!(answer, [format!("{} RespOk", u64::MAX)]);
    });
}

#[test]
fn unknown_commands_are_refused() {
    let unknown = || vec![SessionCommand { body: None }];
    let session = || CommandContainer {
        cmd_id: Some(1),
        session_command: unknown(),
        ..CommandContainer::default()
    };
    let room = || CommandContainer {
        cmd_id: Some(1),
        room_command: vec![RoomCommand { body: None }],
        ..CommandContainer::default()
    };
    let game = || CommandContainer {
        cmd_id: Some(1),
        game_id: Some(1),
        game_command: vec![GameCommand { body: None }],
        ..CommandContainer::default()
    };
    let moderator = || CommandContainer {
        cmd_id: Some(1),
        moderator_command: vec![Default::default()],
        ..CommandContainer::default()
    };
    each(|mut sim| {
        let stranger = connect(&mut sim);
        for container in [session(), room(), game(), moderator()] {
            let answer = ask(&mut sim, stranger, encode(&container));
            assert_eq!(answer, ["1 RespLoginNeeded"]);
        }
        let ann = member(&mut sim, "ann");
        let answer = ask(&mut sim, ann, encode(&session()));
        assert_eq!(answer, ["1 RespFunctionNotAllowed"]);
        let answer = ask(&mut sim, ann, encode(&room()));
        assert_eq!(answer, ["1 RespInvalidCommand"], "of room 0");
        let answer = ask(&mut sim, ann, encode(&game()));
        assert_eq!(answer, ["1 RespNotInRoom"]);
        ask(&mut sim, ann, super::room(2, 0, create(2)));
        let answer = ask(&mut sim, ann, encode(&game()));
        assert_eq!(answer, ["1 RespInvalidCommand"]);
    });
}

#[test]
fn what_is_not_utf_8_is_replaced_in_rooms() {
    each(|mut sim| {
        let ann = member(&mut sim, "ann");
        let say = RoomCommandBody::RoomSay(CommandRoomSay {
            message: Some((&b"a\xffb"[..]).into()),
        });
        let answer = ask(&mut sim, ann, room(3, 0, say));
        assert_eq!(answer, ["0 ann: a\u{fffd}b", "3 RespOk"]);
    });
}

#[test]
fn others_see_who_was_timed_out_leave() {
    each(|mut sim| {
        let silent = member(&mut sim, "silent");
        let ann = member(&mut sim, "ann");
        let list = SessionCommandBody::ListUsers(Default::default());
        ask(&mut sim, ann, session(3, list));
        hush(&mut sim, &[ann]);
        let mut seen = Vec::new();
        for _ in 0..6 {
            sim.advance(Duration::from_secs(3));
            seen.extend(heard(&mut sim, ann));
            ask(&mut sim, ann, session(4, ping()));
        }
        assert!(sim.client(silent).closed.is_some());
        for event in ["0 left silent", "left silent"] {
            assert!(seen.iter().any(|seen| seen == event), "{event}: {seen:?}");
        }
    });
}

#[test]
fn talking_resets_the_idle_clock() {
    let short = Settings {
        idle: Some(20),
        ..settings()
    };
    each_with(short, |mut sim| {
        let (talker, looker) = (member(&mut sim, "talker"), member(&mut sim, "looker"));
        for second in 0..30 {
            tick(&mut sim);
            ask(&mut sim, talker, session(9, ping()));
            ask(
                &mut sim,
                looker,
                session(9, SessionCommandBody::ListUsers(Default::default())),
            );
            if second == 15 {
                ask(&mut sim, talker, room(3, 0, say("x")));
            }
        }
        assert!(sim.client(looker).closed.is_some());
        assert!(sim.client(talker).closed.is_none());
    });
}

/// A ban meets those as well who are signing in just then.
#[test]
fn who_is_banned_while_signing_in_does_not_come_in() {
    for (shards, seed) in (1..=3).flat_map(|shards| (0..6).map(move |seed| (shards, seed))) {
        let accounts = Settings {
            method: Method::Accounts,
            ..settings()
        };
        let mut known = office::answers();
        let office = move |ask: Ask| match ask {
            Ask::Moderate(_) => {
                let banned = Banned {
                    users: vec!["alicea".into()],
                    ..Banned::default()
                };
                Answer::Moderate(Outcome {
                    change: Some(Change::Banned(Box::new(banned))),
                    ..Outcome::ok()
                })
            }
            ask => known(ask),
        };
        let mut sim = simulator_with(shards, seed, accounts, Box::new(office));
        let (mary, alice) = (user(&mut sim, "modmary"), connect(&mut sim));
        let ban = ModeratorCommandBody::BanFromServer(CommandBanFromServer {
            user_name: Some("alicea".into()),
            ..CommandBanFromServer::default()
        });
        sim.stalled = true;
        sim.send(alice, session(1, sign_in("alicea")));
        sim.send(mary, storm::moderator(2, ban));
        sim.settle();
        sim.stalled = false;
        sim.settle();
        assert!(sim.client(alice).closed.is_some());
        let list = SessionCommandBody::ListUsers(CommandListUsers::default());
        let users = ask(&mut sim, mary, session(3, list));
        assert_eq!(users, ["3 RespOk users modmary"]);
    }
}
