//! Mail to a role of the same shard is handled in the turn, and what comes of it stands where it was sent.

use bytes::Bytes;

use super::*;
use crate::faf::{context::Post, mail::session::SessionMail};

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
    sim.take(conns[0]);
    sim.with(0, |faf, turn| {
        faf.step(turn, |_, mut turn| {
            let (conn, here) = (conns[0], turn.shard);
            turn.post(here, SessionMail::Evict { player_id: 1, conn });
            turn.send(conn, number(1));
            let body = number(2);
            let player_id = 1;
            let late = SessionMail::Tell {
                conn,
                player_id,
                body,
            };
            turn.post(here, late);
        });
    });
    sim.settle();
    let received = sim.take(conns[0]);
    assert_eq!(received[0]["style"], "kick");
    assert_eq!(received[1..], [1], "nobody tells them anything any more");
}
