//! Mail to a role of the same shard is handled in the turn, and what comes of it stands where it was sent.

use bytes::Bytes;

use super::*;
use crate::{
    Effect,
    faf::{
        context::Post,
        mail::session::{HomeMail, SessionMail},
    },
};

fn number(n: u32) -> Bytes {
    n.to_string().into()
}

#[test]
fn what_comes_of_mail_stands_between_what_was_said_before_it_and_after() {
    let mut sim = simulator(1, 1, Settings::default());
    let conn = player(&mut sim, 1, 0);
    let tell = |n| SessionMail::Tell {
        conn,
        player_id: 1,
        body: number(n),
    };
    sim.with(0, |faf, turn| {
        faf.step(turn, |_, mut turn| {
            let here = turn.shard;
            turn.send(conn, number(1));
            turn.post(here, tell(2));
            turn.send(conn, number(3));
            turn.post(here, tell(4));
            turn.post(here, tell(5));
            turn.send(conn, number(6));
        });
    });
    sim.settle();
    assert_eq!(sim.take(conn), [1, 2, 3, 4, 5, 6]);
}

/// Who is sent away leaves by mail to their own role, so theirs is mail that mail has caused.
#[test]
fn so_does_what_comes_of_mail_that_mail_has_caused() {
    let mut sim = simulator(1, 1, Settings::default());
    let conns = [1, 2].map(|id| player(&mut sim, id, 0));
    let effects = Rc::new(RefCell::new(Vec::new()));
    let seen = effects.clone();
    sim.observer = Some(Box::new(move |_, effect| match effect {
        Effect::Send(conn, _) => seen.borrow_mut().push(("send", *conn)),
        Effect::Close(conn, _) => seen.borrow_mut().push(("close", *conn)),
        _ => {}
    }));
    sim.with(0, |faf, turn| {
        faf.step(turn, |_, mut turn| {
            let (conn, here) = (conns[0], turn.shard);
            turn.send(conns[1], number(1));
            turn.post(
                here,
                HomeMail::Evict {
                    player_id: 1,
                    conn,
                    epoch: u64::MAX,
                },
            );
            turn.send(conns[1], number(2));
        });
    });
    let expected = [
        ("send", conns[1]),
        ("send", conns[0]),
        ("close", conns[0]),
        ("send", conns[1]),
    ];
    assert_eq!(effects.take(), expected);
}
