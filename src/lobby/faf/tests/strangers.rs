//! What is said of those who have not signed in: when they have, and what is kept for who waits.

use super::*;
use crate::{Effect, ShardId};

/// What happened to connections, in order: the effects that these tests are about.
type Seen = Rc<RefCell<Vec<(ConnId, String)>>>;

fn observe(sim: &mut Sim) -> Seen {
    let all = Seen::default();
    let seen = all.clone();
    sim.observer = Some(Box::new(move |_: ShardId, effect: &Effect<Faf>| {
        let (conn, what) = match effect {
            Effect::SignedIn(conn) => (conn, "signed in".to_owned()),
            Effect::Keeps(conn, bytes) => (conn, format!("keeps {bytes}")),
            Effect::Send(conn, _) | Effect::SendChunks(conn, _) => (conn, "told".to_owned()),
            _ => return,
        };
        seen.borrow_mut().push((*conn, what));
    }));
    all
}

fn of(seen: &Seen, conn: ConnId) -> Vec<String> {
    let seen = seen.borrow();
    let own = seen.iter().filter(|(of, _)| *of == conn);
    own.map(|(_, what)| what.clone()).collect()
}

#[test]
fn whoever_has_signed_in_is_a_client_before_anything_is_said_to_them() {
    each(|mut sim, shards| {
        let seen = observe(&mut sim);
        let conn = sim.connect(shards - 1);
        say(&mut sim, conn, json!({"command": "ask_session"}));
        let bad = json!({"command": "hello", "login": "bad", "password": "x", "unique_id": "u"});
        say(&mut sim, conn, bad);
        assert!(of(&seen, conn).iter().all(|what| what == "told"));
        seen.borrow_mut().clear();
        say(&mut sim, conn, hello(1));
        let happened = of(&seen, conn);
        assert_eq!(happened[0], "signed in");
        assert!(happened[1..].iter().all(|what| what == "told") && happened.len() > 3);
    });
}

#[test]
fn what_a_waiting_sign_in_will_ask_counts_as_kept_and_goes_with_its_session() {
    let settings = Settings {
        logins_in_flight: 1,
        ..Settings::default()
    };
    let mut sim = simulator(1, 1, settings);
    let seen = observe(&mut sim);
    let conns = [(); 3].map(|()| sim.connect(0));
    sim.stalled = true;
    for (id, conn) in (1..).zip(conns) {
        say(&mut sim, conn, hello(id));
    }
    assert!(of(&seen, conns[0]).is_empty(), "it does not wait");
    assert_eq!(of(&seen, conns[1]), ["keeps 4"], "p2, x and u");
    sim.disconnect(conns[1]);
    sim.settle();
    sim.stalled = false;
    sim.settle();
    assert_eq!(of(&seen, conns[1]), ["keeps 4"]);
    assert_eq!(
        of(&seen, conns[2])[..3],
        ["keeps 4", "keeps 0", "signed in"]
    );
    assert_eq!(sim.dialect(0).population().0, 2);
}

#[test]
fn a_message_with_more_in_it_than_its_command_needs_is_invalid() {
    each(|mut sim, _| {
        let cases = [
            (json!({"command": "ping", "x": "y".repeat(9 << 20)}), "pong"),
            (json!({"command": "ping", "x": vec![7; 30_000]}), "pong"),
            (json!({"command": "ping", "x": vec![7; 40_000]}), "invalid"),
            (
                json!({"command": "ping", "x": "\n".repeat(40_000)}),
                "invalid",
            ),
        ];
        for (id, (message, answer)) in (1..).zip(cases) {
            let conn = player(&mut sim, id, 0);
            let said = say(&mut sim, conn, message);
            assert_eq!(commands(&said), [answer]);
            assert_eq!(sim.client(conn).closed.is_some(), answer == "invalid");
        }
    });
}
