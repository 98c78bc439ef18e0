//! What an operator asks of a shard: its answers come, are whole, and take no more of a turn than they may.

use std::sync::{Arc, Mutex};

use super::{network::lock, regressions::Scene};
use crate::{Answer, Eviction, Inquiry, Wish};
use lobby::{
    Protocol,
    operator::{Farewell, Mark, Query, Row, Subject, Wanted},
};

/// What a shard answers.
fn ask(scene: &mut Scene, wish: Wish) -> Answer {
    let heard = Arc::new(Mutex::new(None));
    let hears = heard.clone();
    let inquiry = Inquiry::new(wish, move |answer| {
        *hears.lock().expect("nobody panics") = Some(answer);
    });
    scene.shard.inquired(inquiry);
    scene.go();
    heard
        .lock()
        .expect("nobody panics")
        .take()
        .expect("an answer at once")
}

fn connections(scene: &mut Scene) -> Vec<lobby::operator::Connection> {
    let (mut from, mut all) = (Mark::Start, Vec::new());
    loop {
        let query = Query {
            protocol: None,
            subject: Subject::Connections,
            wanted: Wanted::Any,
            from,
        };
        let Answer::Found(found) = ask(scene, Wish::List(query)) else {
            panic!("a page");
        };
        all.extend(found.rows.into_iter().map(|row| match row {
            Row::Connection(conn) => conn,
            other => panic!("{other:?}"),
        }));
        match found.next {
            Some(next) => from = next,
            None => return all,
        }
    }
}

#[test]
fn connections_are_listed_with_what_went_in_and_out() {
    let mut scene = Scene::new();
    let clients = [10_000, 10_000, 20].map(|capacity| scene.connect(capacity));
    scene.say(clients[0], "x 9\n");
    scene.say(clients[2], "x 99\n");
    scene.say(clients[1], "all 5\n");
    assert_eq!(scene.hear(clients[0]), "xxxxxxxxx\n");
    let listed = connections(&mut scene);
    let figures: Vec<_> = listed
        .iter()
        .map(|conn| (conn.bytes_in, conn.bytes_out, conn.owed, conn.slow))
        .collect();
    assert_eq!(
        figures,
        [(4, 10, 0, false), (6, 0, 0, false), (5, 20, 80, true)]
    );
    // A broadcast's bytes count for each who gets it, as far as they were taken.
    scene.say(clients[0], "wait\n");
    scene.say(clients[1], "all 5\n");
    let listed = connections(&mut scene);
    assert_eq!(listed[0].bytes_out, 16);
}

#[test]
fn connections_end_some_at_a_time() {
    let mut scene = Scene::new();
    let clients = [(); 5].map(|()| scene.connect(10_000));
    let mut eviction = Eviction {
        conn: None,
        network: None,
        protocol: None,
        from: 0,
        most: 100,
        farewell: Farewell::ServerEnds,
    };
    let mut turns = Vec::new();
    loop {
        let answer = ask(&mut scene, Wish::Evict(eviction.clone()));
        let Answer::Evicted { ended, next } = answer else {
            panic!("{answer:?}");
        };
        turns.push(ended);
        match next {
            Some(next) => eviction.from = next,
            None => break,
        }
    }
    assert_eq!(turns, [2, 2, 1]);
    for client in clients {
        assert!(lock(&scene.network).wires[client].shut, "{client}");
    }
}

#[test]
fn only_who_is_meant_is_ended() {
    let mut scene = Scene::new();
    let clients = [(); 2].map(|()| scene.connect(10_000));
    let ids = scene.shard.conns.ids();
    let mut eviction = Eviction {
        conn: Some(ids[1]),
        network: None,
        protocol: None,
        from: 0,
        most: 1,
        farewell: Farewell::ServerEnds,
    };
    let one = ask(&mut scene, Wish::Evict(eviction.clone()));
    assert!(matches!(
        one,
        Answer::Evicted {
            ended: 1,
            next: None
        }
    ));
    let gone = ask(&mut scene, Wish::Evict(eviction.clone()));
    assert!(matches!(
        gone,
        Answer::Evicted {
            ended: 0,
            next: None
        }
    ));
    eviction.conn = None;
    eviction.network = Some("192.0.2.0/24".parse().expect("a network"));
    let none = ask(&mut scene, Wish::Evict(eviction.clone()));
    assert!(matches!(none, Answer::Evicted { ended: 0, .. }));
    (eviction.network, eviction.protocol) = (None, Some(Protocol(7)));
    let none = ask(&mut scene, Wish::Evict(eviction));
    assert!(matches!(none, Answer::Evicted { ended: 0, .. }));
    scene.say(clients[0], "x 1\n");
    assert_eq!(scene.hear(clients[0]), "x\n");
}
