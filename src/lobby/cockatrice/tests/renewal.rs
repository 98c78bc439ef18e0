//! Another configuration while people are here.

use std::collections::BTreeMap;

use cockatrice::messages::{CommandLeaveGame, CommandPing};
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};

use super::*;
use crate::cockatrice::{news::News, state::desk::Desk};

/// Every shard is told of other settings.
fn renew(sim: &mut Sim, change: impl FnOnce(&mut Settings)) {
    let mut new = settings();
    change(&mut new);
    let new = Arc::new(new);
    for shard in 0..sim.shards() {
        sim.tell(shard, News::Settings(new.clone()));
    }
    sim.settle();
}

fn ping() -> SessionCommandBody<'static> {
    SessionCommandBody::Ping(CommandPing::default())
}

/// The code of the answer.
fn code(sim: &mut Sim, conn: ConnId, message: Vec<u8>) -> String {
    let told = ask(sim, conn, message);
    let mut codes = told.iter().filter_map(|line| line.split_once(" Resp"));
    let (_, code) = codes.next().expect("an answer");
    code.split(' ').next().unwrap_or_default().to_owned()
}

#[test]
fn what_was_said_before_counts_under_the_limits_of_now() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let said = |sim: &mut Sim, conn| code(sim, conn, room(7, 0, say("x")));
        for _ in 0..3 {
            assert_eq!(said(&mut sim, ann), "Ok");
        }
        renew(&mut sim, |settings| settings.chat_messages = 3);
        assert_eq!(said(&mut sim, ann), "ChatFlood");
        assert_eq!(said(&mut sim, bob), "Ok");
        renew(&mut sim, |settings| settings.chat_interval = None);
        assert_eq!(said(&mut sim, ann), "Ok");
        // A longer window remembers what the shorter one did.
        renew(&mut sim, |settings| {
            settings.chat_interval = Some(Duration::from_secs(3600));
            settings.chat_messages = 5;
        });
        assert_eq!(said(&mut sim, ann), "Ok");
        assert_eq!(said(&mut sim, ann), "ChatFlood");
        // And the shorter one what the longer one did.
        renew(&mut sim, |settings| settings.chat_messages = 3);
        assert_eq!(said(&mut sim, ann), "ChatFlood");
        sim.advance(Duration::from_secs(10));
        assert_eq!(said(&mut sim, ann), "Ok");
    });
}

#[test]
fn commands_in_games_and_games_have_the_limits_of_now() {
    each(|mut sim| {
        let ann = member(&mut sim, "ann");
        assert_eq!(code(&mut sim, ann, room(3, 0, create(2))), "Ok");
        let roll = || GameCommandBody::RollDie(Default::default());
        assert_ne!(
            code(&mut sim, ann, game(4, 1, vec![roll(), roll()])),
            "ChatFlood"
        );
        renew(&mut sim, |settings| {
            settings.games_per_user = 1;
            settings.game_commands = 2;
        });
        assert_eq!(code(&mut sim, ann, room(5, 0, create(2))), "ContextError");
        assert_eq!(code(&mut sim, ann, game(6, 1, vec![roll()])), "ChatFlood");
        renew(&mut sim, |_| {});
        assert_eq!(code(&mut sim, ann, room(7, 0, create(2))), "Ok");
        assert_ne!(code(&mut sim, ann, game(8, 1, vec![roll()])), "ChatFlood");
    });
}

#[test]
fn newcomers_meet_the_settings_of_now() {
    each(|mut sim| {
        let ann = user(&mut sim, "ann");
        renew(&mut sim, |settings| {
            settings.message = "new".to_owned();
            settings.require_client_id = true;
        });
        let bob = connect(&mut sim);
        assert_eq!(
            ask(&mut sim, bob, session(1, sign_in("bob"))),
            ["1 RespClientIdRequired"]
        );
        renew(&mut sim, |settings| {
            settings.required_features = "client_ver".to_owned();
        });
        assert_eq!(
            code(&mut sim, bob, session(2, sign_in("bob"))),
            "ClientUpdateRequired"
        );
        renew(&mut sim, |settings| {
            settings.message = "new".to_owned();
            settings.most_users = Some(1);
        });
        assert_eq!(
            ask(&mut sim, bob, session(3, sign_in("bob"))),
            ["3 RespServerFull"]
        );
        renew(&mut sim, |settings| settings.message = "new".to_owned());
        let told = ask(&mut sim, bob, session(4, sign_in("bob")));
        assert_eq!(told, ["4 RespOk login bob", "message new"]);
        assert_eq!(code(&mut sim, ann, session(2, ping())), "Ok", "is there");
    });
}

#[test]
fn what_is_fixed_stays_as_it_was() {
    each(|mut sim| {
        user(&mut sim, "ann");
        renew(&mut sim, |settings| {
            settings.method = Method::Password;
            settings.password = "sesame".to_owned();
            settings.rooms = r#"[{"name": "other"}, {"name": "another"}]"#.to_owned();
            settings.tick = Duration::from_secs(60);
        });
        let bob = member(&mut sim, "bob");
        assert_eq!(code(&mut sim, bob, session(3, join(1))), "NameNotFound");
        let ticks = sim.dialect(0).ticks;
        sim.advance(Duration::from_secs(3));
        assert_eq!(sim.dialect(0).ticks, ticks + 3);
    });
}

#[test]
fn what_was_asked_for_is_refilled_at_the_rate_of_now() {
    let slow = Settings {
        commands_per_second: Some(1),
        ..settings()
    };
    each_with(slow, |mut sim| {
        let ann = user(&mut sim, "ann");
        for _ in 0..6 {
            let pings = vec![SessionCommand { body: Some(ping()) }; 100];
            let container = CommandContainer {
                cmd_id: Some(1),
                session_command: pings,
                ..CommandContainer::default()
            };
            ask(&mut sim, ann, encode(&container));
        }
        assert!(sim.client(ann).paused.is_none(), "there is some left");
        renew(&mut sim, |settings| {
            settings.commands_per_second = Some(100)
        });
        for id in 2..10 {
            assert_eq!(code(&mut sim, ann, session(id, ping())), "Ok");
        }
        assert!(sim.client(ann).paused.is_none());
        // As many are left as were: under the slow rate again it takes 400 more.
        renew(&mut sim, |settings| settings.commands_per_second = Some(1));
        let rate = crate::rate::Rate {
            per_second: 1,
            burst: 401,
        };
        let session = &sim.dialect_of(ann).sessions[&ann];
        assert!(session.pace.wait(sim.now(), rate).is_some());
        renew(&mut sim, |settings| settings.commands_per_second = None);
        renew(&mut sim, |settings| settings.commands_per_second = Some(1));
        let session = &sim.dialect_of(ann).sessions[&ann];
        assert!(session.pace.is_even(sim.now()), "it was no limit");
    });
}

#[test]
fn whoever_is_idle_already_is_warned_before_the_end() {
    each(|mut sim| {
        let conn = user(&mut sim, "idle");
        let pass = |sim: &mut Sim| {
            tick(sim);
            ask(sim, conn, session(2, ping()));
        };
        for _ in 0..50 {
            pass(&mut sim);
        }
        renew(&mut sim, |settings| settings.idle = Some(20));
        let warned = |sim: &Sim| sim.dialect_of(conn).sessions[&conn].warned;
        assert!(!warned(&sim));
        pass(&mut sim);
        assert!(warned(&sim));
        pass(&mut sim);
        assert!(sim.client(conn).closed.is_none());
        // More time: they will be warned anew.
        renew(&mut sim, |settings| settings.idle = Some(40));
        assert!(!warned(&sim));
        renew(&mut sim, |settings| settings.idle = Some(20));
        for _ in 0..3 {
            assert!(sim.client(conn).closed.is_none());
            pass(&mut sim);
        }
        assert!(sim.client(conn).closed.is_some());
    });
}

#[test]
fn a_game_is_recorded_or_not_as_it_began() {
    each(|mut sim| {
        let ann = member(&mut sim, "ann");
        let leave = || vec![GameCommandBody::LeaveGame(CommandLeaveGame::default())];
        let began = |sim: &mut Sim| {
            let told = ask(sim, ann, room(3, 0, create(2)));
            let mut numbers = told.iter().filter_map(|line| line.strip_prefix("in game "));
            let (number, _) = numbers.next().unwrap().split_once(' ').unwrap();
            number.parse::<u32>().unwrap()
        };
        let recorded = began(&mut sim);
        renew(&mut sim, |settings| settings.store_replays = false);
        let unrecorded = began(&mut sim);
        let told = ask(&mut sim, ann, game(4, recorded, leave()));
        assert!(told.contains(&"ReplayAdded".to_owned()), "{told:?}");
        renew(&mut sim, |_| {});
        let told = ask(&mut sim, ann, game(5, unrecorded, leave()));
        assert!(told.contains(&"5 RespOk".to_owned()), "{told:?}");
        assert!(!told.contains(&"ReplayAdded".to_owned()), "{told:?}");
    });
}

#[test]
fn connections_that_no_limit_concerned_are_counted_once_one_does() {
    let open = Settings {
        per_address: None,
        ..settings()
    };
    each_with(open, |mut sim| {
        sim.address = [192, 0, 2, 7].into();
        let conns: Vec<ConnId> = (0..4).map(|_| connect(&mut sim)).collect();
        let refused = |sim: &mut Sim| {
            let conn = sim.connect(0);
            let answer = ask(sim, conn, vec![]);
            assert_eq!(answer[1], "closed TooManyConnections");
        };
        renew(&mut sim, |_| {});
        refused(&mut sim);
        sim.disconnect(conns[0]);
        sim.settle();
        connect(&mut sim);
        refused(&mut sim);
        // From an exempt address there may be any number, and those no longer exempt count again.
        renew(&mut sim, |settings| {
            settings.exempt = vec!["192.0.2.7/32".parse().expect("a block")];
        });
        connect(&mut sim);
        renew(&mut sim, |_| {});
        sim.disconnect(conns[1]);
        sim.settle();
        refused(&mut sim);
        sim.disconnect(conns[2]);
        sim.settle();
        connect(&mut sim);
    });
}

/// Connections that come and go while limits do, with mail that is late: the desk counts whom it should.
#[test]
fn the_desk_counts_right_whatever_changes() {
    for shards in 1..=3 {
        for seed in 0..10 {
            desk_walk(shards, seed);
        }
    }
}

fn desk_walk(shards: u16, seed: u64) {
    let mut sim = simulator(shards, seed, settings());
    sim.eager = false;
    let mut rng = StdRng::seed_from_u64(seed);
    let mut conns: Vec<ConnId> = Vec::new();
    let mut limited = true;
    for _ in 0..300 {
        match rng.random_range(0..8) {
            0..4 => {
                sim.address = [192, 0, 2, rng.random_range(0..3)].into();
                let conn = sim.connect(rng.random_range(0..shards));
                sim.send(conn, Vec::new());
                conns.push(conn);
            }
            4 | 5 if !conns.is_empty() => {
                let conn = conns.swap_remove(rng.random_range(0..conns.len()));
                sim.disconnect(conn);
            }
            6 => {
                limited = rng.random_range(0..2) == 0;
                let exempt = format!("192.0.2.{}/32", rng.random_range(0..3));
                let new = Arc::new(Settings {
                    per_address: limited.then_some(3),
                    most_tcp: (rng.random_range(0..2) == 0).then_some(8),
                    exempt: vec![exempt.parse().expect("a block")],
                    ..settings()
                });
                for shard in 0..shards {
                    sim.tell(shard, News::Settings(new.clone()));
                }
            }
            _ => {}
        }
        for _ in 0..rng.random_range(0..6) {
            sim.step();
        }
        if rng.random_range(0..20) == 0 {
            sim.settle();
            check_desk(&sim, limited);
        }
    }
    for conn in conns {
        sim.disconnect(conn);
    }
    sim.settle();
    assert!(sim.dialect(0).desk.is_empty(), "{shards} {seed}");
}

fn check_desk(sim: &Sim, limited: bool) {
    let mut counted = Desk::default();
    let mut from = BTreeMap::<_, u32>::new();
    for shard in 0..sim.shards() {
        for session in sim.dialect(shard).sessions.values() {
            if session.counted {
                counted.count(session.visitor);
            }
            if session.greeted
                && let Some(address) = session.visitor.counted
            {
                *from.entry(address).or_default() += 1;
            }
        }
    }
    assert_eq!(sim.dialect(0).desk, counted);
    if limited {
        assert_eq!(counted.by_address, from, "all that are limited");
    }
}
