//! The end of the process while games go on.

use std::{cell::RefCell, rc::Rc};

use cockatrice::messages::{AdminCommand, AdminCommandBody, CommandShutdownServer, GameReplay};

use super::*;
use crate::{
    Dialect, Stopping,
    cockatrice::{
        Event,
        questions::{Answer, PlayedGame},
    },
};

fn accounts() -> Settings {
    Settings {
        method: Method::Accounts,
        games_per_user: -1,
        commands_per_second: None,
        ..settings()
    }
}

/// What the back office was given of games that are over.
#[derive(Clone, Default)]
struct Given {
    kept: Rc<RefCell<Vec<PlayedGame>>>,
    stored: Rc<RefCell<Vec<PlayedGame>>>,
}

impl Given {
    /// Numbers of those that were put on disk.
    fn kept(&self) -> Vec<u32> {
        sorted(&self.kept)
    }

    /// Numbers of those that were put into the store.
    fn stored(&self) -> Vec<u32> {
        sorted(&self.stored)
    }
}

fn sorted(games: &RefCell<Vec<PlayedGame>>) -> Vec<u32> {
    let mut numbers: Vec<u32> = games.borrow().iter().map(|game| game.game).collect();
    numbers.sort_unstable();
    numbers
}

/// A lobby with accounts whose back office says what it was given, and may fail to store it.
fn watched(shards: u16, seed: u64, stores: bool) -> (Sim, Given) {
    let given = Given::default();
    let (mut answers, to) = (office::answers(), given.clone());
    let office = move |ask: Ask| {
        match &ask {
            Ask::KeepGame(game) => to.kept.borrow_mut().push((*game.0).clone()),
            Ask::StoreGame(_) if !stores => {
                return Answer::StoreGame(Err(StoreFailure::Unavailable));
            }
            Ask::StoreGame(game) => to.stored.borrow_mut().push((*game.0).clone()),
            _ => {}
        }
        answers(ask)
    };
    let sim = simulator_with(shards, seed, accounts(), Box::new(office));
    (sim, given)
}

fn each_watched(stores: bool, test: impl Fn(Sim, Given)) {
    for shards in 1..=3 {
        for seed in 0..3 {
            let (sim, given) = watched(shards, seed, stores);
            test(sim, given);
        }
    }
}

fn silent(sim: &Sim) -> bool {
    (0..sim.shards()).all(|shard| !sim.dialect(shard).has_last_words())
}

fn drained(sim: &Sim) -> bool {
    (0..sim.shards()).all(|shard| sim.dialect(shard).is_drained())
}

fn step(sim: &mut Sim, step: Stopping) {
    sim.stop(step);
    sim.settle();
}

/// A game of two players and somebody who watches; and one of whose two players nobody is there. Number of the game, and who is in
/// the first, the one who watches last.
fn play(sim: &mut Sim) -> [ConnId; 3] {
    let names = ["alicea", "bobbyb", "carolc", "judgejim", "modmary"];
    let [ann, bob, carol, jim, mary] = names.map(|name| member(sim, name));
    ask(sim, ann, room(3, 0, create(2)));
    ask(sim, bob, room(3, 0, enter(1, false)));
    ask(sim, carol, room(3, 0, enter(1, true)));
    ask(sim, jim, room(3, 0, create(2)));
    ask(sim, mary, room(3, 0, enter(2, false)));
    for conn in [jim, mary] {
        sim.disconnect(conn);
    }
    sim.settle();
    hush(sim, &[ann, bob, carol]);
    [ann, bob, carol]
}

/// The games' events, and what is told of replays.
fn of_games(heard: Vec<String>) -> Vec<String> {
    let is_meant = |line: &String| line.starts_with("game") || line == "ReplayAdded";
    heard.into_iter().filter(is_meant).collect()
}

/// checklist: 200
#[test]
fn games_that_go_on_are_closed_and_everybody_hears_so_first() {
    each_watched(true, |mut sim, given| {
        let there = play(&mut sim);
        step(&mut sim, Stopping::Drain);
        assert!(!drained(&sim), "they are waited for");
        for conn in there {
            assert_eq!(heard(&mut sim, conn), ["ServerShutdown"]);
        }
        step(&mut sim, Stopping::Evict);
        for conn in there {
            let heard = heard(&mut sim, conn);
            for game in [1, 2] {
                let closed = |line: &&String| **line == format!("0 games {game}:0+0 closed");
                assert_eq!(heard.iter().filter(closed).count(), 1, "{heard:?}");
            }
            assert_eq!(of_games(heard), ["game 1 GameClosed", "ReplayAdded"]);
        }
        assert!(silent(&sim) && drained(&sim));
        assert_eq!((given.kept(), given.stored()), (vec![1, 2], vec![1, 2]));
        for game in &*given.stored.borrow() {
            let [replay] = &game.replays[..] else {
                panic!("{game:?}");
            };
            let whole: GameReplay<'_> = decode(&replay.encoded).expect("a replay");
            let last = whole.event_list.last().expect("something happened");
            let last = last.event_list.last().and_then(|event| event.body.as_ref());
            assert!(matches!(last, Some(GameEventBody::GameClosed(_))));
            let names: Vec<&str> = game.audience.iter().map(|name| &**name).collect();
            let (players, audience): (_, &[&str]) = match game.game {
                1 => (2, &["alicea", "bobbyb", "carolc"]),
                _ => (2, &["judgejim", "modmary"]),
            };
            assert_eq!((game.players.len(), &names[..]), (players, audience));
        }
        step(&mut sim, Stopping::Now);
        for conn in there {
            assert_eq!(heard(&mut sim, conn), ["closed ServerShutdown"]);
        }
        assert_eq!(given.stored().len(), 2, "once each");
    });
}

#[test]
fn without_accounts_games_are_closed_as_well() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        let mut closed = Vec::new();
        for (conn, other) in [(ann, bob), (bob, ann)] {
            let answer = ask(&mut sim, conn, room(3, 0, create(2)));
            let joined = answer.iter().find_map(|line| line.strip_prefix("in game "));
            let game = joined.and_then(|line| line.split(' ').next());
            let game: i32 = game.and_then(|game| game.parse().ok()).expect("a game");
            ask(&mut sim, other, room(4, 0, enter(game, true)));
            closed.push(format!("game {game} GameClosed"));
        }
        hush(&mut sim, &[ann, bob]);
        // At once: what is told of games is told first.
        step(&mut sim, Stopping::Now);
        for conn in [ann, bob] {
            let mut heard = heard_but_lists(&mut sim, conn);
            if sim.shards() == 1 {
                assert_eq!(heard.pop().as_deref(), Some("closed ServerShutdown"));
            }
            for closed in &closed {
                assert!(heard.contains(closed), "{heard:?}");
            }
        }
        assert!(silent(&sim) && drained(&sim));
    });
}

#[test]
fn many_games_end_a_few_at_a_time_and_none_is_lost() {
    const GAMES: u32 = 40;
    each_watched(true, |mut sim, given| {
        let ann = member(&mut sim, "alicea");
        for number in 0..GAMES {
            ask(&mut sim, ann, room(u64::from(number), 0, create(2)));
        }
        hush(&mut sim, &[ann]);
        sim.stalled = true;
        step(&mut sim, Stopping::Evict);
        let tables = |shard| sim.dialect(shard).tables.values();
        let under_way = (0..sim.shards()).flat_map(tables);
        assert_eq!(under_way.filter(|table| table.closing).count(), 8);
        assert!(of_games(heard(&mut sim, ann)).is_empty(), "none is on disk");
        assert!(!silent(&sim) && !drained(&sim));
        sim.stalled = false;
        sim.settle();
        assert!(silent(&sim) && drained(&sim));
        assert_eq!(given.stored(), (1..=GAMES).collect::<Vec<_>>());
        let heard = of_games(heard(&mut sim, ann));
        let replays = heard.iter().filter(|line| *line == "ReplayAdded");
        assert_eq!(
            (heard.len(), replays.count()),
            (2 * GAMES as usize, GAMES as usize)
        );
    });
}

#[test]
fn a_store_that_does_not_answer_loses_no_game_and_keeps_nobody() {
    each_watched(false, |mut sim, given| {
        let there = play(&mut sim);
        step(&mut sim, Stopping::Evict);
        for conn in there {
            let heard = of_games(heard(&mut sim, conn));
            assert_eq!(heard, ["game 1 GameClosed"], "of a replay nobody is told");
        }
        assert_eq!((given.kept(), given.stored()), (vec![1, 2], vec![]));
        assert!(silent(&sim) && drained(&sim));
    });
}

#[test]
fn a_game_that_gets_its_number_too_late_ends_as_well() {
    each_watched(true, |mut sim, given| {
        let ann = member(&mut sim, "alicea");
        sim.stalled = true;
        sim.send(ann, room(3, 0, create(2)));
        sim.settle();
        step(&mut sim, Stopping::Evict);
        assert!(!silent(&sim) && !drained(&sim));
        sim.stalled = false;
        sim.settle();
        let heard = heard_but_lists(&mut sim, ann);
        assert!(heard.contains(&"3 RespOk".to_owned()), "{heard:?}");
        let last = &heard[heard.len() - 2..];
        assert_eq!(last, ["game 1 GameClosed", "ReplayAdded"]);
        assert_eq!(given.stored(), [1]);
        assert!(silent(&sim) && drained(&sim));
        let refused = ask(&mut sim, ann, room(4, 0, create(2)));
        assert_eq!(refused, ["4 RespContextError"], "none begins");
    });
}

/// checklist: 237
#[test]
fn an_end_that_an_administrator_orders_ends_games_before_anybody_goes() {
    each_watched(true, |mut sim, given| {
        let there = play(&mut sim);
        let root = user(&mut sim, "rootuser");
        hush(&mut sim, &[root]);
        hush(&mut sim, &there);
        let ends = CommandContainer {
            cmd_id: Some(9),
            admin_command: vec![AdminCommand {
                body: Some(AdminCommandBody::ShutdownServer(
                    CommandShutdownServer::default(),
                )),
            }],
            ..CommandContainer::default()
        };
        sim.send(root, encode(&ends));
        sim.settle();
        let is_stop = |event: &&Event| **event == Event::Stop;
        assert_eq!(sim.published.iter().filter(is_stop).count(), 1);
        for conn in there {
            let heard = heard(&mut sim, conn);
            assert!(!heard.iter().any(|line| line.contains("closed Server")));
            assert_eq!(of_games(heard), ["game 1 GameClosed", "ReplayAdded"]);
        }
        assert_eq!(given.stored(), [1, 2]);
        for next in [Stopping::Evict, Stopping::Now] {
            step(&mut sim, next);
        }
        for conn in there {
            assert_eq!(heard(&mut sim, conn), ["closed ServerShutdown"]);
        }
        assert_eq!(given.stored(), [1, 2], "once each");
    });
}
