//! What an operator sees and does.

use std::time::Duration;

use super::{
    Sim, ask, connect, create, each, heard, hush, member, room, say, session, sign_in, user,
};
use crate::{
    Protocol,
    operator::{Act, Done, Farewell, Mark, Order, Query, Row, Sanction, Subject, Until, Wanted},
};

fn all(sim: &mut Sim, subject: Subject) -> Vec<Row> {
    let query = Query {
        protocol: Some(Protocol::default()),
        subject,
        wanted: Wanted::Any,
        from: Mark::Start,
    };
    let shards = 0..sim.shards();
    shards.flat_map(|shard| sim.list(shard, &query)).collect()
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

#[test]
fn users_and_games_are_listed_page_by_page() {
    each(|mut sim| {
        let names = ["ann", "bob", "cid", "dan", "eve", "fay", "gil"];
        let users = names.map(|name| member(&mut sim, name));
        connect(&mut sim);
        ask(&mut sim, users[1], room(3, 0, create(2)));
        let rows = all(&mut sim, Subject::Players);
        let mut listed: Vec<(&str, &str)> = rows
            .iter()
            .map(|row| match row {
                Row::Player(player) => (&*player.name, &*player.state),
                other => panic!("{other:?}"),
            })
            .collect();
        listed.sort_unstable();
        let state = |name| if name == "bob" { "game" } else { "room" };
        assert_eq!(listed, names.map(|name| (name, state(name))));
        let games = all(&mut sim, Subject::Games);
        let [Row::Game(game)] = &games[..] else {
            panic!("{games:?}")
        };
        assert_eq!(
            (&*game.title, &*game.host, game.players, game.seats),
            ("a game", "bob", 1, Some(2))
        );
    });
}

#[test]
fn last_words_of_an_operator_are_the_lobbys_own() {
    each(|mut sim| {
        let (ann, bob) = (user(&mut sim, "ann"), user(&mut sim, "bob"));
        hush(&mut sim, &[ann, bob]);
        sim.evict(
            ann,
            &Farewell::Kicked {
                reason: "rude".into(),
            },
        );
        let until = Some(sim.unix() + Duration::from_secs(60));
        sim.evict(
            bob,
            &Farewell::Banned {
                reason: "spam".into(),
                until,
            },
        );
        sim.settle();
        assert_eq!(heard(&mut sim, ann).last().unwrap(), "closed Other");
        assert_eq!(heard(&mut sim, bob).last().unwrap(), "closed Banned");
        assert!(all(&mut sim, Subject::Players).is_empty());
    });
}

#[test]
fn whoever_is_silenced_is_refused_as_one_who_says_too_much() {
    each(|mut sim| {
        let (ann, bob) = (member(&mut sim, "ann"), member(&mut sim, "bob"));
        hush(&mut sim, &[ann, bob]);
        let told = order(&mut sim, Act::Mute(sanction("ANN", Until::Ever)));
        assert_eq!(told.iter().filter(|done| **done == Done::Of(1)).count(), 1);
        assert_eq!(heard(&mut sim, ann), ["message You may not talk: spam"]);
        assert_eq!(
            ask(&mut sim, ann, room(3, 0, say("hello"))),
            ["3 RespChatFlood"]
        );
        assert_eq!(heard(&mut sim, bob), [""; 0]);
        order(&mut sim, Act::Mute(sanction("ann", Until::Lifted)));
        hush(&mut sim, &[ann]);
        assert_eq!(
            ask(&mut sim, ann, room(4, 0, say("hello"))).last().unwrap(),
            "4 RespOk"
        );
        assert_eq!(heard(&mut sim, bob), ["0 ann: hello"]);
    });
}

#[test]
fn a_banned_name_does_not_come_in_and_at_the_end_nobody_new_does() {
    each(|mut sim| {
        let ann = user(&mut sim, "ann");
        order(&mut sim, Act::Ban(sanction("eve", Until::Ever)));
        let eve = connect(&mut sim);
        let answer = ask(&mut sim, eve, session(1, sign_in("eve")));
        assert!(answer[0].starts_with("1 RespUserIsBanned"), "{answer:?}");
        hush(&mut sim, &[ann]);
        order(&mut sim, Act::Broadcast("Tea is ready".into()));
        assert_eq!(heard(&mut sim, ann), ["message Tea is ready"]);
        order(&mut sim, Act::LameDuck);
        let late = connect(&mut sim);
        let answer = ask(&mut sim, late, session(1, sign_in("late")));
        assert_eq!(answer, ["closed ServerShutdown"]);
        assert!(sim.client(late).closed.is_some());
        assert_eq!(all(&mut sim, Subject::Players).len(), 1);
    });
}
