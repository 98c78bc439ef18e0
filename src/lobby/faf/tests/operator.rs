//! What an operator sees and does.

use super::*;
use crate::{
    Closing, Protocol,
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

#[test]
fn players_games_and_queues_are_listed_page_by_page() {
    each(|mut sim, shards| {
        let mut conns = Vec::new();
        for id in 10..17 {
            conns.push(player(&mut sim, id, id as u16 % shards));
        }
        sim.connect(0);
        let uid = hosted(&mut sim, conns[0], json!({"title": "a game"}));
        let mut ids: Vec<u64> = Vec::new();
        for row in all(&mut sim, Subject::Players) {
            let Row::Player(player) = row else {
                panic!("{row:?}");
            };
            let id = player.id.expect("everybody has an account");
            assert_eq!(player.name, format!("p{id}"));
            let hosts = id == 10;
            assert_eq!(player.state, if hosts { "HOSTING" } else { "IDLE" });
            assert_eq!(player.game, hosts.then(|| uid.to_string()));
            assert_eq!(player.conn, conns[id as usize - 10]);
            ids.push(id);
        }
        ids.sort_unstable();
        assert_eq!(ids, (10..17).collect::<Vec<_>>());
        let games = all(&mut sim, Subject::Games);
        let [Row::Game(game)] = &games[..] else {
            panic!("{games:?}");
        };
        let told = (&*game.title, &*game.host, &*game.state, game.players);
        assert_eq!(told, ("a game", "p10", "LOBBY", 1));
        let queues = all(&mut sim, Subject::Queues);
        assert_eq!(queues.len(), super::queues().len());
    });
}

#[test]
fn last_words_are_the_lobbys_own() {
    each(|mut sim, shards| {
        let [a, b, c] = [10, 11, 12].map(|id| player(&mut sim, id, id as u16 % shards));
        let stranger = sim.connect(0);
        let reason = "rude".to_owned();
        sim.evict(a, &Farewell::Kicked { reason });
        let until = Some(sim.unix() + Duration::from_secs(7200));
        let reason = "spam".to_owned();
        sim.evict(b, &Farewell::Banned { reason, until });
        sim.evict(c, &Farewell::ServerEnds);
        sim.evict(stranger, &Farewell::ServerEnds);
        sim.settle();
        let last = |sim: &mut Sim, conn| sim.take(conn).pop().expect("a last word");
        assert_eq!(
            last(&mut sim, a),
            json!({"command": "notice", "style": "kick", "text": "rude"})
        );
        let banned = last(&mut sim, b);
        let text = banned["text"].as_str().expect("text");
        assert!(text.starts_with("You are banned from FAF for 2 hours") && text.contains("spam"));
        let end = last(&mut sim, c);
        assert!(
            end["text"]
                .as_str()
                .is_some_and(|text| text.contains("has been shut down"))
        );
        assert!(sim.take(stranger).is_empty());
        for conn in [a, b, c, stranger] {
            assert_eq!(sim.client(conn).closed, Some(Closing::Flushed));
        }
        tick(&mut sim);
        assert!(all(&mut sim, Subject::Players).is_empty());
    });
}

#[test]
fn everybody_hears_a_broadcast_and_in_the_end_nobody_new_comes_in() {
    each(|mut sim, shards| {
        let [a, b] = [10, 11].map(|id| player(&mut sim, id, id as u16 % shards));
        sim.take(a);
        order(&mut sim, Act::Broadcast("Tea is ready".into()));
        for conn in [a, b] {
            assert_eq!(texts(&sim.take(conn)), ["Tea is ready"]);
        }
        let sanction = Sanction {
            name: "p10".to_owned(),
            reason: "spam".to_owned(),
            until: Until::Ever,
        };
        let muted = order(&mut sim, Act::Mute(sanction));
        assert!(muted.iter().all(|done| *done == Done::Lacks));
        let within = Some(Duration::from_secs(900));
        let reason = Some("A new kernel.".to_owned());
        order(&mut sim, Act::EndPlanned { within, reason });
        let told = sim.take(a);
        let text = texts(&told)[0];
        assert!(
            text.contains("in 15 minutes!") && text.ends_with("A new kernel."),
            "{text}"
        );
        order(&mut sim, Act::Succeeded);
        order(&mut sim, Act::LameDuck);
        let late = sim.connect(0);
        let told = say(&mut sim, late, hello(12));
        assert!(texts(&told)[0].contains("takes nobody new"), "{told:?}");
        assert_eq!(sim.client(late).closed, Some(Closing::Flushed));
        // Whoever was playing when their connection was lost may come back.
        hosted(&mut sim, a, json!({}));
        configure(&mut sim, a, 10, 1, 2);
        state(&mut sim, a, "Launching");
        sim.disconnect(a);
        sim.settle();
        let back = sim.connect(0);
        let told = say(&mut sim, back, hello(10));
        assert!(commands(&told).contains(&"welcome"), "{told:?}");
        assert_eq!(
            say(&mut sim, b, json!({"command": "ping"}))[0]["command"],
            "pong"
        );
    });
}
