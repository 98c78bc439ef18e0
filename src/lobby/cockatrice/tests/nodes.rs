//! Users on several nodes: as on one, and what becomes of them when a node or the way to it is lost.

use cockatrice::messages::{CommandGameSay, CommandGetGamesOfUser, CommandMessage};

use super::{nodes_support::*, *};
use crate::{
    Dialect, ShardId, Stopping,
    cockatrice::{
        mail::{Caused, Item, ToDirectory},
        state::directory::Listed,
    },
};

/// Runs a test on lobbies of two and three nodes, with several orders of events.
fn each_lobby(settings: impl Fn() -> Settings, test: impl Fn(Sim)) {
    for nodes in [&[1, 1][..], &[2, 1, 2], &[1, 3, 1]] {
        for seed in 0..2 {
            test(nodes_with(nodes, seed, settings()));
        }
    }
}

fn chat(text: &str) -> GameCommandBody<'_> {
    GameCommandBody::GameSay(CommandGameSay {
        message: Some(text.into()),
    })
}

fn list_users() -> SessionCommandBody<'static> {
    SessionCommandBody::ListUsers(Default::default())
}

/// Without what participants of a game are told each second, and how many are in rooms.
fn noticed(sim: &mut Sim, conn: ConnId) -> Vec<String> {
    let mut heard = heard(sim, conn);
    heard.retain(|told| !told.starts_with("rooms") && !told.contains("PlayerProperties"));
    heard
}

/// The number of the game that an answer tells of.
fn game_of(answer: &[String]) -> u32 {
    let told = answer.iter().find_map(|told| told.strip_prefix("in game "));
    let number = told.and_then(|told| told.split(' ').next());
    let number = number.and_then(|number| number.parse().ok());
    number.unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn users_of_all_nodes_see_each_other() {
    each_lobby(patient, |mut sim| {
        let ann = user_on(&mut sim, "ann", 0);
        ask(&mut sim, ann, session(2, list_users()));
        let bob = user_on(&mut sim, "bob", 1);
        assert_eq!(heard(&mut sim, ann), ["joined bob"]);
        let listed = ask(&mut sim, bob, session(2, list_users()));
        assert_eq!(listed, ["2 RespOk users ann,bob"]);
        let hello = SessionCommandBody::Message(CommandMessage {
            user_name: Some("ann".into()),
            message: Some("hello".into()),
        });
        ask(&mut sim, bob, session(3, hello));
        assert_eq!(heard(&mut sim, ann), ["bob to ann: hello"]);
        sim.disconnect(bob);
        sim.settle();
        assert_eq!(heard(&mut sim, ann), ["left bob"]);
        check(&sim, "");
    });
}

#[test]
fn a_name_is_in_use_once_whoever_asks_for_it_at_once() {
    each_lobby(patient, |mut sim| {
        let nodes = sim.nodes().count() as u8;
        let conns: Vec<ConnId> = (0..3).map(|n| connect_to(&mut sim, n % nodes)).collect();
        for &conn in &conns {
            sim.send(conn, session(1, sign_in("ann")));
        }
        sim.settle();
        let mut names: Vec<String> = Vec::new();
        for conn in conns {
            names.push(heard(&mut sim, conn)[0].clone());
        }
        names.sort();
        let wanted = ["ann", "ann_1", "ann_2"].map(|name| format!("1 RespOk login {name}"));
        assert_eq!(names, wanted);
        check(&sim, "");
    });
}

#[test]
fn a_newer_session_ends_the_older_one_on_another_node() {
    each_lobby(with_password, |mut sim| {
        let old = user_on(&mut sim, "ann", 0);
        let watcher = user_on(&mut sim, "bob", 1);
        ask(&mut sim, watcher, session(2, list_users()));
        let new = user_on(&mut sim, "ann", 1);
        assert_eq!(heard(&mut sim, old), ["closed Loggedinelsewere"]);
        assert!(sim.client(old).closed.is_some() && sim.client(new).closed.is_none());
        assert_eq!(heard(&mut sim, watcher), ["left ann", "joined ann"]);
        check(&sim, "");
    });
}

#[test]
fn what_is_said_in_a_room_is_heard_in_one_order_everywhere() {
    for seed in 0..12 {
        let mut sim = nodes_with(&[2, 1, 1], seed, patient());
        let members: Vec<ConnId> = [("ann", 0), ("bob", 1), ("eve", 2), ("joe", 0)]
            .map(|(name, node)| member_on(&mut sim, name, node))
            .into();
        hush(&mut sim, &members);
        sim.eager = false;
        for number in 0..10u64 {
            for &conn in &members {
                sim.send(conn, room(number, 0, say(&format!("{number}"))));
            }
        }
        sim.settle();
        let mut all = Vec::new();
        for conn in members {
            let mut said = heard(&mut sim, conn);
            said.retain(|line| line.starts_with("0 ") && line.contains(": "));
            all.push(said);
        }
        assert_eq!(all[0].len(), 40);
        assert!(all.iter().all(|said| *said == all[0]), "{all:?}");
        check(&sim, "");
    }
}

#[test]
fn a_game_has_players_and_spectators_on_all_nodes() {
    each_lobby(patient, |mut sim| {
        let (ann, bob) = (member_on(&mut sim, "ann", 0), member_on(&mut sim, "bob", 1));
        let created = ask(&mut sim, bob, room(3, 0, create(2)));
        let id = game_of(&created);
        assert_eq!(id % 64, 1, "of the node of whoever has created it");
        let listed = heard(&mut sim, ann);
        assert!(listed.contains(&format!("0 games {id}:1+1")), "{listed:?}");
        let joined = ask(&mut sim, ann, room(3, 0, enter(id as i32, false)));
        assert!(joined.contains(&"3 RespOk".to_owned()), "{joined:?}");
        let eve = member_on(&mut sim, "eve", 0);
        ask(&mut sim, eve, room(3, 0, enter(id as i32, true)));
        hush(&mut sim, &[ann, bob, eve]);
        let answer = ask(&mut sim, ann, game(4, id, vec![chat("here")]));
        assert_eq!(
            answer,
            [format!("game {id} say here"), "4 RespOk".to_owned()]
        );
        for conn in [bob, eve] {
            assert_eq!(
                heard_but_lists(&mut sim, conn),
                [format!("game {id} say here")]
            );
        }
        let decks = [(ann, 5), (bob, 5)];
        for (conn, number) in decks {
            let answer = ask(&mut sim, conn, game(number, id, vec![deck()]));
            assert!(
                answer.iter().any(|told| told.starts_with("5 RespOk")),
                "{answer:?}"
            );
        }
        let of_bob = SessionCommandBody::GetGamesOfUser(CommandGetGamesOfUser {
            user_name: Some("bob".into()),
        });
        let games = ask(&mut sim, eve, session(6, of_bob));
        assert!(
            games.contains(&format!("6 RespOk rooms 1 games [{id}]")),
            "{games:?}"
        );
        check(&sim, "");
        hush(&mut sim, &[ann, bob, eve]);
        sim.disconnect(bob);
        sim.disconnect(ann);
        sim.settle();
        seconds(&mut sim, 3);
        let told = heard(&mut sim, eve);
        assert!(
            told.contains(&format!("0 games {id}:0+0 closed")),
            "{told:?}"
        );
        check(&sim, "");
    });
}

#[test]
fn games_of_two_nodes_have_no_number_in_common() {
    let mut sim = nodes_with(&[2, 2], 1, patient());
    let mut numbers = Vec::new();
    for (name, node) in [("ann", 0), ("bob", 1), ("eve", 0), ("joe", 1)] {
        let conn = member_on(&mut sim, name, node);
        for number in 0..2 {
            let created = ask(&mut sim, conn, room(number, 0, create(2)));
            numbers.push((game_of(&created), node));
        }
    }
    assert!(numbers.iter().all(|(id, node)| id % 64 == u32::from(*node)));
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 8);
    check(&sim, "");
}

#[test]
fn a_room_goes_on_when_its_node_is_lost() {
    for seed in 0..6 {
        let mut sim = nodes_with(&[1, 2, 1], seed, patient());
        let home = home_of_room(&sim, 0);
        let others: Vec<u8> = sim.nodes().filter(|&node| node != home).collect();
        let ann = member_on(&mut sim, "ann", others[0]);
        let bob = member_on(&mut sim, "bob", others[1]);
        let eve = member_on(&mut sim, "eve", home);
        let created = ask(&mut sim, ann, room(3, 0, create(2)));
        let id = game_of(&created);
        let lost = game_of(&ask(&mut sim, eve, room(3, 0, create(2))));
        ask(&mut sim, bob, room(4, 0, enter(id as i32, false)));
        hush(&mut sim, &[ann, bob]);
        sim.lose(home);
        seconds(&mut sim, 4);
        let closed = format!("0 games {lost}:0+0 closed");
        for conn in [ann, bob] {
            assert_eq!(noticed(&mut sim, conn), [&*closed], "seed {seed}");
        }
        let answer = ask(&mut sim, bob, room(5, 0, say("still here")));
        assert!(
            answer.contains(&"0 bob: still here".to_owned()),
            "{answer:?}"
        );
        assert!(heard(&mut sim, ann).contains(&"0 bob: still here".to_owned()));
        let answer = ask(&mut sim, ann, game(6, id, vec![chat("and the game")]));
        assert!(answer.contains(&"6 RespOk".to_owned()), "{answer:?}");
        seconds(&mut sim, 12);
        let told = heard(&mut sim, ann);
        assert!(told.contains(&"0 left eve".to_owned()), "{told:?}");
        check(&sim, "");
    }
}

#[test]
fn games_of_a_lost_node_are_over_for_who_is_in_them() {
    let mut sim = nodes_with(&[1, 1, 1], 3, with_accounts());
    let (ann, bob) = (
        member_on(&mut sim, "alicea", 0),
        member_on(&mut sim, "bobbyb", 1),
    );
    let created = ask(&mut sim, bob, room(3, 0, create(2)));
    let id = game_of(&created);
    ask(&mut sim, ann, room(3, 0, enter(id as i32, false)));
    hush(&mut sim, &[ann]);
    sim.lose(1);
    seconds(&mut sim, 4);
    let told = heard(&mut sim, ann);
    assert!(told.contains(&format!("game {id} GameClosed")), "{told:?}");
    assert!(
        told.contains(&format!("0 games {id}:0+0 closed")),
        "{told:?}"
    );
    let answer = ask(&mut sim, ann, game(4, id, vec![chat("anybody?")]));
    assert_eq!(answer, ["4 RespNotInRoom"]);
    seconds(&mut sim, 12);
    check(&sim, "");
}

#[test]
fn a_place_in_a_game_is_kept_for_who_comes_back_elsewhere() {
    for seed in 0..4 {
        let mut sim = nodes_with(&[1, 1, 1], seed, with_accounts());
        let (ann, bob) = (
            member_on(&mut sim, "alicea", 0),
            member_on(&mut sim, "bobbyb", 1),
        );
        let id = game_of(&ask(&mut sim, ann, room(3, 0, create(2))));
        ask(&mut sim, bob, room(3, 0, enter(id as i32, false)));
        sim.lose(1);
        seconds(&mut sim, 4);
        hush(&mut sim, &[ann]);
        let bob = connect_to(&mut sim, 2);
        let welcome = ask(&mut sim, bob, session(1, sign_in("bobbyb")));
        assert!(
            welcome
                .iter()
                .any(|told| told.starts_with(&format!("in game {id}"))),
            "seed {seed}: {welcome:?}"
        );
        ask(&mut sim, bob, game(2, id, vec![chat("back")]));
        let told = heard(&mut sim, ann);
        assert!(told.contains(&format!("game {id} say back")), "{told:?}");
        seconds(&mut sim, 12);
        check(&sim, "");
    }
}

#[test]
fn who_waits_for_a_lost_node_is_refused() {
    let mut sim = nodes_with(&[1, 1], 5, patient());
    let home = home_of_room(&sim, 0);
    let other = 1 - home;
    let ann = member_on(&mut sim, "ann", other);
    hush(&mut sim, &[ann]);
    sim.cut(home);
    for command in [
        room(3, 0, say("x")),
        room(4, 0, create(2)),
        session(5, join(0)),
    ] {
        sim.send(ann, command);
    }
    sim.settle();
    assert!(sim.client(ann).held);
    seconds(&mut sim, 3);
    let told = heard(&mut sim, ann);
    assert!(told.contains(&"3 RespInternalError".to_owned()), "{told:?}");
    assert!(told.contains(&"4 RespOk".to_owned()), "{told:?}");
    assert!(told.contains(&"5 RespContextError".to_owned()), "{told:?}");
    assert!(!sim.client(ann).held);
}

#[test]
fn a_room_that_could_not_be_entered_may_be_tried_again() {
    let mut sim = nodes_with(&[1, 1], 5, patient());
    let home = home_of_room(&sim, 0);
    let ann = user_on(&mut sim, "ann", 1 - home);
    sim.cut(home);
    sim.send(ann, session(2, join(0)));
    seconds(&mut sim, 3);
    assert!(heard(&mut sim, ann).contains(&"2 RespInternalError".to_owned()));
    let answer = ask(&mut sim, ann, session(3, join(0)));
    assert_eq!(answer[0], "3 RespOk room 0 ann games 0");
    sim.rejoin(home);
    sim.settle_views();
    seconds(&mut sim, 15);
    check(&sim, "");
}

#[test]
fn a_node_that_comes_in_has_the_whole_picture() {
    for seed in 0..4 {
        let mut sim = nodes_with(&[1, 2, 1], seed, patient());
        sim.lose(2);
        seconds(&mut sim, 20);
        let (ann, bob) = (member_on(&mut sim, "ann", 0), member_on(&mut sim, "bob", 1));
        let id = game_of(&ask(&mut sim, ann, room(3, 0, create(2))));
        ask(&mut sim, ann, room(4, 0, say("before")));
        hush(&mut sim, &[ann, bob]);
        sim.rejoin(2);
        sim.settle_views();
        seconds(&mut sim, 3);
        for conn in [ann, bob] {
            let told = noticed(&mut sim, conn);
            assert!(told.is_empty(), "nobody notices, seed {seed}: {told:?}");
        }
        let eve = user_on(&mut sim, "eve", 2);
        let listed = ask(&mut sim, eve, session(2, list_users()));
        assert_eq!(listed, ["2 RespOk users ann,bob,eve"]);
        let inside = ask(&mut sim, eve, session(3, join(0)));
        assert_eq!(inside[0], "3 RespOk room 0 ann,bob,eve games 1");
        assert!(inside[1].contains("ann: before"), "{inside:?}");
        let answer = ask(&mut sim, eve, room(4, 0, enter(id as i32, false)));
        assert!(answer.contains(&"4 RespOk".to_owned()), "{answer:?}");
        check(&sim, "");
    }
}

#[test]
fn an_island_goes_on_with_its_own_and_comes_back() {
    for seed in 0..6 {
        let mut sim = nodes_with(&[1, 1, 2], seed, with_password());
        let ann = member_on(&mut sim, "ann", 0);
        let bob = member_on(&mut sim, "bob", 1);
        let joe = member_on(&mut sim, "joe", 2);
        sim.cut(2);
        seconds(&mut sim, 14);
        let told = heard(&mut sim, joe);
        assert!(told.contains(&"0 left ann".to_owned()), "{told:?}");
        let answer = ask(&mut sim, joe, room(3, 0, say("alone")));
        assert!(answer.contains(&"3 RespOk".to_owned()), "{answer:?}");
        let eve = member_on(&mut sim, "eve", 2);
        let second = member_on(&mut sim, "ann", 2);
        assert!(sim.client(ann).closed.is_none(), "nobody can tell");
        assert!(!heard(&mut sim, bob).contains(&"0 ann: alone".to_owned()));
        sim.rejoin(2);
        sim.settle_views();
        seconds(&mut sim, 3);
        let ends = [ann, second].map(|conn| sim.client(conn).closed.is_some());
        assert_eq!(ends, [true, false], "the newest claim stays, seed {seed}");
        assert!(heard(&mut sim, ann).contains(&"closed Loggedinelsewere".to_owned()));
        ask(&mut sim, eve, room(3, 0, say("back")));
        assert!(heard(&mut sim, bob).contains(&"0 eve: back".to_owned()));
        check(&sim, "");
    }
}

#[test]
fn a_short_cut_is_noticed_by_nobody_who_says_nothing() {
    let mut sim = nodes_with(&[1, 1, 1], 2, patient());
    let conns = [("ann", 0), ("bob", 1), ("eve", 2)];
    let conns = conns.map(|(name, node)| member_on(&mut sim, name, node));
    for conn in conns {
        ask(&mut sim, conn, session(9, list_users()));
    }
    hush(&mut sim, &conns);
    sim.cut(1);
    seconds(&mut sim, 6);
    sim.rejoin(1);
    sim.settle_views();
    seconds(&mut sim, 15);
    for conn in conns {
        assert_eq!(heard(&mut sim, conn), Vec::<String>::new());
    }
    check(&sim, "");
}

#[test]
fn nothing_is_lost_of_a_game_when_a_lane_breaks() {
    for seed in 0..6 {
        let mut sim = nodes_with(&[1, 1], seed, patient());
        let (ann, bob) = (member_on(&mut sim, "ann", 0), member_on(&mut sim, "bob", 1));
        let id = game_of(&ask(&mut sim, ann, room(3, 0, create(2))));
        ask(&mut sim, bob, room(3, 0, enter(id as i32, false)));
        hush(&mut sim, &[ann, bob]);
        sim.late = Duration::from_secs(2);
        sim.send(ann, game(4, id, vec![chat("lost")]));
        sim.send(bob, game(4, id, vec![chat("lost too")]));
        sim.send(bob, room(5, 0, say("x")));
        sim.settle();
        sim.break_lane(0, 1);
        sim.late = Duration::ZERO;
        seconds(&mut sim, 8);
        let told = heard(&mut sim, bob);
        assert!(
            told.contains(&format!("game {id} GameStateChanged")),
            "{told:?}"
        );
        ask(&mut sim, bob, game(6, id, vec![chat("heard")]));
        assert!(heard(&mut sim, ann).contains(&format!("game {id} say heard")));
        check(&sim, "");
    }
}

#[test]
fn an_announced_end_is_told_on_all_nodes_at_their_own_time() {
    let mut sim = nodes_with(&[1, 2], 1, with_accounts());
    let root = user_on(&mut sim, "rootuser", 0);
    let bob = user_on(&mut sim, "bobbyb", 1);
    hush(&mut sim, &[bob]);
    let ends = CommandContainer {
        cmd_id: Some(3),
        admin_command: vec![cockatrice::messages::AdminCommand {
            body: Some(cockatrice::messages::AdminCommandBody::ShutdownServer(
                cockatrice::messages::CommandShutdownServer {
                    reason: Some("update".into()),
                    minutes: Some(1),
                },
            )),
        }],
        ..CommandContainer::default()
    };
    ask(&mut sim, root, encode(&ends));
    assert_eq!(heard(&mut sim, bob), ["ServerShutdown"]);
    sim.published.clear();
    seconds(&mut sim, 61);
    let stops = sim.published.iter();
    let stops = stops.filter(|event| **event == crate::cockatrice::Event::Stop);
    assert_eq!(stops.count(), 2, "each node ends");
    assert!(heard(&mut sim, bob).is_empty());
    sim.stop(Stopping::Now);
    sim.settle();
    assert_eq!(heard(&mut sim, bob), ["closed ServerShutdown"]);
}

#[test]
fn who_is_thrown_out_is_so_wherever_they_are() {
    let office = Box::new(storm::careless(1 << 40));
    let mut sim = nodes_of(&[1, 2], 1, with_accounts(), office);
    let root = user_on(&mut sim, "rootuser", 0);
    let bob = user_on(&mut sim, "bobbyb", 1);
    let ban = cockatrice::messages::CommandBanFromServer {
        user_name: Some("bobbyb".into()),
        ..Default::default()
    };
    let ban = cockatrice::messages::ModeratorCommandBody::BanFromServer(ban);
    ask(&mut sim, root, storm::moderator(3, ban));
    assert!(heard(&mut sim, bob).contains(&"closed Banned".to_owned()));
    seconds(&mut sim, 1);
    check(&sim, "");
}

#[test]
fn operators_see_and_end_users_of_other_nodes() {
    use crate::operator::{Act, Done, Farewell, Mark, Order, Query, Row, Subject, Wanted};
    let mut sim = nodes_with(&[1, 2], 1, patient());
    let (ann, bob) = (user_on(&mut sim, "ann", 0), user_on(&mut sim, "bob", 1));
    hush(&mut sim, &[ann, bob]);
    let elsewhere = Query {
        protocol: None,
        subject: Subject::Elsewhere,
        wanted: Wanted::default(),
        from: Mark::Start,
    };
    let rows = sim.list(0, &elsewhere);
    let [Row::Player(player)] = &rows[..] else {
        panic!("{rows:?}");
    };
    assert_eq!((&*player.name, player.conn), ("bob", bob));
    let mut order = |act| {
        let protocol = crate::Protocol::default();
        let mut done = Done::Lacks;
        let order = Order { protocol, act };
        sim.with(0, |lobby, turn| done = lobby.on_order(turn, &order));
        sim.settle();
        done
    };
    assert_eq!(order(Act::Broadcast("hello".to_owned())), Done::Of(2));
    let farewell = Farewell::Kicked {
        reason: "rude".to_owned(),
    };
    let dismiss = |conn| Act::Dismiss {
        conn,
        id: 0,
        farewell: farewell.clone(),
    };
    assert_eq!(order(dismiss(ann)), Done::Of(0), "its own node ends it");
    assert_eq!(order(dismiss(bob)), Done::Of(1));
    assert_eq!(heard(&mut sim, bob), ["message hello", "closed Other"]);
    check(&sim, "");
}

#[test]
fn a_name_is_granted_when_its_home_is_lost_meanwhile() {
    for seed in 0..6 {
        let mut sim = nodes_with(&[1, 1, 1], seed, with_password());
        let name = a_name_at(&sim, 2);
        let conn = connect_to(&mut sim, 0);
        sim.cut(2);
        sim.send(conn, session(1, sign_in(&name)));
        seconds(&mut sim, 5);
        let answer = heard(&mut sim, conn);
        assert_eq!(answer[0], format!("1 RespOk login {name}"), "seed {seed}");
    }
}

#[test]
fn what_is_longer_than_a_letter_arrives() {
    let mut sim = nodes_with(&[1, 1], 4, patient());
    let home = home_of_room(&sim, 0);
    let bob = member_on(&mut sim, "bob", home);
    for number in 0..100 {
        let long = format!("{number}{}", "x".repeat(4_000));
        ask(&mut sim, bob, room(3, 0, say(&long)));
    }
    let ann = user_on(&mut sim, "ann", 1 - home);
    // The simulator takes no letter that is too long for a real lane.
    let answer = ask(&mut sim, ann, session(3, join(0)));
    assert_eq!(answer[0], "3 RespOk room 0 ann,bob games 0");
    let lines = answer.iter().filter(|told| told.len() > 4_000);
    assert!(lines.count() > 60); // as many as a room keeps
    check(&sim, "");
}

/// They were about to go when their room moved, and wait for the store still: the new home does not know them any more.
#[test]
fn who_goes_while_their_room_moves_is_told_of() {
    for seed in 0..6 {
        let mut sim = nodes_with(&[1, 1, 1], seed, with_accounts());
        let home = home_of_room(&sim, 0);
        let node = (home + 1) % 3;
        let (ann, bob) = (
            member_on(&mut sim, "alicea", node),
            member_on(&mut sim, "bobbyb", node),
        );
        hush(&mut sim, &[bob]);
        sim.stalled = true;
        let look = cockatrice::messages::CommandGetUserInfo {
            user_name: Some("judgejim".into()),
        };
        sim.send(ann, session(3, SessionCommandBody::GetUserInfo(look)));
        sim.settle();
        sim.disconnect(ann);
        sim.lose(home);
        seconds(&mut sim, 4);
        let told = heard(&mut sim, bob);
        assert!(told.contains(&"0 left alicea".to_owned()), "{told:?}");
        sim.stalled = false;
        seconds(&mut sim, 14);
        check(&sim, "");
    }
}

/// A room's home may say what is in it before it has heard of all who are: their shard's clients still see them.
#[test]
fn who_is_in_a_room_stays_in_its_picture_until_the_room_has_heard_of_them() {
    let mut sim = nodes_with(&[1, 1], 1, patient());
    let home = home_of_room(&sim, 0);
    let (ann, bob) = (
        member_on(&mut sim, "ann", 1 - home),
        member_on(&mut sim, "bob", 1 - home),
    );
    hush(&mut sim, &[ann, bob]);
    let contents = |sim: &mut Sim, members: Vec<Listed>| {
        let contents = ToDirectory::Contents {
            room: 0,
            members,
            games: Default::default(),
        };
        let item = Item::Directory(contents);
        let at = sim.first_shard(1 - home);
        sim.with(at, |lobby, turn| {
            let mail = vec![Caused { step: 0, item }];
            lobby.on_mail(turn, ShardId::new(home, 0), mail);
        });
        let picture = &sim.dialect(at).directory.pictures[&0];
        picture.members.values().cloned().collect::<Vec<Listed>>()
    };
    let inside = contents(&mut sim, Vec::new());
    assert_eq!(inside.len(), 2);
    assert!(heard(&mut sim, bob).is_empty());
    assert_eq!(contents(&mut sim, inside.clone()), inside);
    check(&sim, "");
}

/// What a room hears of a view that its home does not know yet waits, all of it in its order.
#[test]
fn a_game_that_is_created_before_its_room_hears_of_a_view_is_listed() {
    let mut tried = 0;
    for lives in 0..8 {
        let mut sim = nodes_with(&[1, 1, 1], 1, patient());
        for _ in 0..lives {
            sim.lose(0);
            sim.rejoin(0);
        }
        seconds(&mut sim, 3);
        let home = home_of_room(&sim, 0);
        let (node, new) = ((home + 1) % 3, (home + 2) % 3);
        let (ann, bob) = (
            member_on(&mut sim, "ann", node),
            member_on(&mut sim, "bob", home),
        );
        sim.lose(new);
        seconds(&mut sim, 20);
        hush(&mut sim, &[ann, bob]);
        sim.cut(home);
        sim.rejoin(new);
        sim.settle();
        if home_of_room(&sim, node) != home {
            continue; // it moves to the new one
        }
        tried += 1;
        sim.send(ann, room(3, 0, create(2)));
        sim.settle();
        sim.rejoin(home); // in time: it has missed nothing but the view
        sim.settle();
        sim.settle_views();
        seconds(&mut sim, 3);
        let id = game_of(&heard(&mut sim, ann));
        let (told, listed) = (heard(&mut sim, bob), format!("0 games {id}:"));
        let is_told = told.iter().any(|told| told.starts_with(&listed));
        assert!(is_told, "{told:?}");
        check(&sim, "");
    }
    assert!(tried > 0, "the room has stayed once");
}

/// A room that is new on its shard has not heard everybody yet: what becomes of it until then its members there are told when it is
/// whole, and not before, or they would be told of more than the picture that the room begins from.
#[test]
fn members_hear_of_a_room_that_is_new_here_when_it_is_whole() {
    let mut tried = 0;
    for node in 0..3 {
        let mut sim = nodes_with(&[1, 1, 1], 1, patient());
        let home = home_of_room(&sim, 0);
        if node == home {
            continue;
        }
        let (ann, bob) = (
            member_on(&mut sim, "ann", node),
            member_on(&mut sim, "bob", node),
        );
        let id = game_of(&ask(&mut sim, ann, room(3, 0, create(2))));
        hush(&mut sim, &[ann, bob]);
        sim.lose(home);
        seconds(&mut sim, 1);
        sim.cut(3 - home - node);
        sim.advance(Duration::from_millis(1_500));
        let at = sim.first_shard(node);
        if sim.dialect(at).topology.room(0).node() != node {
            continue;
        }
        tried += 1;
        assert!(!sim.dialect(at).gathering.is_empty());
        let closed = format!("0 games {id}:0+0 closed");
        sim.disconnect(ann);
        sim.settle();
        assert!(!heard(&mut sim, bob).contains(&closed));
        seconds(&mut sim, 2);
        assert!(heard(&mut sim, bob).contains(&closed));
    }
    assert!(tried > 0, "the room has moved to one of them");
}
