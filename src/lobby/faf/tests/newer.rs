//! What the newest version of the replaced server does, and what the specification had wrong (spec: faf-newer).

use super::*;

/// The log is for who looks for cheats: what matters is who asked for what, not whether there is such a game.
#[test]
fn an_attempt_to_join_is_logged_whatever_game_is_named() {
    for shards in 1..=3 {
        let logged = Rc::new(RefCell::new(Vec::new()));
        let mut others = office();
        let log = logged.clone();
        let office = move |ask| {
            if let Ask::Join(Join { game_id, .. }) = &ask {
                log.borrow_mut().push(*game_id);
            }
            others(ask)
        };
        let mut sim = simulator_of(shards, 1, Settings::default(), Box::new(office));
        let joiner = player(&mut sim, 2, shards - 1);
        for uid in [json!(999_999), json!("41"), json!(-1), json!("x")] {
            say(
                &mut sim,
                joiner,
                json!({"command": "game_join", "uid": uid}),
            );
        }
        assert_eq!(*logged.borrow(), [Some(999_999), Some(41), None, None]);
    }
}
