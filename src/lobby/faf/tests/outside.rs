//! What leaves for the broker, and what comes from it.

use super::*;
use crate::lobby::faf::news::News;

#[test]
fn a_tick_is_told_outside_once_whatever_the_number_of_shards() {
    each(|mut sim, shards| {
        let a = player(&mut sim, 1, 0);
        let b = player(&mut sim, 2, shards - 1);
        sim.published.clear();
        hosted(&mut sim, a, json!({"visibility": "friends"}));
        tick(&mut sim);
        sim.disconnect(b);
        tick(&mut sim);
        let told: Vec<_> = sim.published.iter().map(|event| event.key).collect();
        assert_eq!(
            told,
            ["broadcast.gameInfo.update", "broadcast.playerInfo.update"]
        );
        assert!(sim.published.iter().all(|event| !event.persistent));
        let games: Value = serde_json::from_slice(&sim.published[0].body).expect("JSON");
        assert_eq!(games["command"], "game_info");
        assert_eq!(games["games"][0]["visibility"], "friends");
        let players: Value = serde_json::from_slice(&sim.published[1].body).expect("JSON");
        assert_eq!(players["players"][0]["state"], "offline");
    });
}

#[test]
fn notifications_reach_one_player_or_everybody() {
    each(|mut sim, shards| {
        let a = player(&mut sim, 1, 0);
        let b = player(&mut sim, 2, shards - 1);
        let stranger = sim.connect(0);
        sim.take(a);
        let tell = |sim: &mut Sim, to: Option<u32>| {
            for shard in 0..shards {
                let body = r#"{"command":"custom","n":1}"#.into();
                sim.tell(shard, News::Notify { to, body });
            }
            sim.settle();
        };
        tell(&mut sim, Some(2));
        assert_eq!(commands(&sim.take(a)), [""; 0]);
        assert_eq!(sim.take(b), [json!({"command": "custom", "n": 1})]);
        tell(&mut sim, None);
        tell(&mut sim, Some(77));
        for conn in [a, b] {
            assert_eq!(commands(&sim.take(conn)), ["custom"]);
        }
        assert_eq!(commands(&sim.take(stranger)), [""; 0]);
    });
}
