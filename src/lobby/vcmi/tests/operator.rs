//! What an operator sees and does.

use std::time::Duration;

use super::{OPEN, Sim, connect, each, greeting, heard, hush, say, user};
use crate::{
    ConnId, Protocol,
    operator::{
        Act, Done, Farewell, Game, Mark, Order, Query, Row, Sanction, Subject, Until, Wanted,
    },
};

fn query(subject: Subject, wanted: Wanted) -> Query {
    Query {
        protocol: Some(Protocol::default()),
        subject,
        wanted,
        from: Mark::Start,
    }
}

fn all(sim: &mut Sim, query: &Query) -> Vec<Row> {
    let shards = 0..sim.shards();
    shards.flat_map(|shard| sim.list(shard, query)).collect()
}

fn order(sim: &mut Sim, act: Act) -> Vec<Done> {
    let protocol = Protocol::default();
    let done = sim.order(&Order { protocol, act });
    sim.settle();
    done
}

fn sanction(name: &str, until: Until) -> Sanction {
    Sanction {
        name: name.to_owned(),
        reason: "spam".to_owned(),
        until,
    }
}

/// Rooms and games, as operators see them.
pub(super) fn games(sim: &mut Sim) -> Vec<Game> {
    let rows = all(sim, &query(Subject::Games, Wanted::Any));
    let games = rows.into_iter().filter_map(|row| match row {
        Row::Game(game) => Some(game),
        _ => None,
    });
    games.collect()
}

#[test]
fn users_and_rooms_are_listed_page_by_page() {
    each(|mut sim| {
        let mut users: Vec<ConnId> = Vec::new();
        for name in ["anna", "berta", "carla", "dora", "emil", "anton"] {
            users.push(user(&mut sim, 4, name));
        }
        connect(&mut sim);
        say(&mut sim, users[0], OPEN);
        let rows = all(&mut sim, &query(Subject::Players, Wanted::Any));
        let names: Vec<&str> = rows
            .iter()
            .map(|row| match row {
                Row::Player(player) => &*player.name,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(names, ["anna", "berta", "carla", "dora", "emil", "anton"]);
        let Row::Player(anna) = &rows[0] else {
            unreachable!()
        };
        assert_eq!(
            (&*anna.state, anna.game.as_deref()),
            ("room", Some("room one"))
        );
        assert_eq!(anna.conn, users[0]);
        let some = all(
            &mut sim,
            &query(Subject::Players, Wanted::Prefix("AN".into())),
        );
        assert_eq!(some.len(), 2);
        let rooms = all(&mut sim, &query(Subject::Games, Wanted::Any));
        let [Row::Game(room)] = &rooms[..] else {
            panic!("{rooms:?}")
        };
        assert_eq!(
            (&*room.title, &*room.host, room.players),
            ("room one", "anna", 1)
        );
        assert_eq!(
            sim.dialect_of(users[1]).name_on(users[1]).as_deref(),
            Some("berta")
        );
    });
}

#[test]
fn whoever_is_thrown_out_is_told_and_may_come_back() {
    each(|mut sim| {
        let (anna, berta) = (user(&mut sim, 4, "anna"), user(&mut sim, 4, "berta"));
        hush(&mut sim, &[anna, berta]);
        let reason = "rude".to_owned();
        sim.evict(anna, &Farewell::Kicked { reason });
        sim.settle();
        let told = heard(&mut sim, anna);
        assert_eq!(
            told,
            ["ERROR:You have been disconnected by an administrator: rude"]
        );
        assert!(sim.client(anna).closed.is_some());
        assert!(heard(&mut sim, berta).contains(&"USERS:1:berta".to_owned()));
        user(&mut sim, 4, "anna");
    });
}

#[test]
fn whoever_is_silenced_is_not_heard_until_they_may_talk_again() {
    each(|mut sim| {
        let (anna, berta) = (user(&mut sim, 5, "anna"), user(&mut sim, 5, "berta"));
        let until = Until::Then(sim.unix() + Duration::from_secs(90));
        order(&mut sim, Act::Mute(sanction("Anna", until)));
        assert_eq!(
            heard(&mut sim, anna).last().unwrap(),
            "MSG:System:You may not talk for 2 more minutes: spam"
        );
        hush(&mut sim, &[berta]);
        let told = say(&mut sim, anna, "<MSG>hello");
        assert_eq!(told, ["ERROR:You may not talk for 2 more minutes: spam"]);
        assert_eq!(heard(&mut sim, berta), [""; 0]);
        order(&mut sim, Act::Mute(sanction("anna", Until::Lifted)));
        say(&mut sim, anna, "<MSG>hello");
        assert_eq!(heard(&mut sim, berta), ["MSGCH:anna:global:hello"]);
        // It ends by itself as well.
        let until = Until::Then(sim.unix() + Duration::from_secs(1));
        order(&mut sim, Act::Mute(sanction("anna", until)));
        sim.advance(Duration::from_secs(2));
        hush(&mut sim, &[berta]);
        say(&mut sim, anna, "<MSG>hello");
        assert_eq!(
            heard(&mut sim, berta).last().unwrap(),
            "MSGCH:anna:global:hello"
        );
    });
}

#[test]
fn a_banned_name_does_not_come_in_and_at_the_end_nobody_new_does() {
    each(|mut sim| {
        let anna = user(&mut sim, 4, "anna");
        order(&mut sim, Act::Ban(sanction("eve", Until::Ever)));
        let eve = connect(&mut sim);
        let told = say(&mut sim, eve, greeting(4, "Eve"));
        assert_eq!(told, ["ERROR:You are banned for good: spam"]);
        order(&mut sim, Act::Broadcast("Tea is ready".into()));
        assert_eq!(
            heard(&mut sim, anna).last().unwrap(),
            "MSG:System:Tea is ready"
        );
        let within = Some(Duration::from_secs(900));
        order(
            &mut sim,
            Act::EndPlanned {
                within,
                reason: Some("A new kernel.".into()),
            },
        );
        assert_eq!(
            heard(&mut sim, anna),
            ["MSG:System:The server will be shut down in 15 minutes. A new kernel."]
        );
        order(&mut sim, Act::LameDuck);
        let late = connect(&mut sim);
        let told = say(&mut sim, late, greeting(4, "late"));
        assert!(told[0].contains("takes nobody new"), "{told:?}");
        assert!(sim.client(late).closed.is_some());
        assert_eq!(say(&mut sim, anna, "<HERE>"), ["USERS:1:anna"]);
    });
}
