//! What leaves for the broker, and what comes from it.

use super::*;
use crate::faf::news::News;

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

#[test]
fn broadcasts_go_on_while_shards_learn_of_another_interval_one_after_the_other() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 1, 0);
        let mut next = 2;
        for interval_ms in [250, 3000, 1000] {
            let tick = Duration::from_millis(interval_ms);
            for shard in 0..shards {
                let settings = Settings {
                    tick,
                    ..Settings::default()
                };
                sim.tell(shard, News::Settings(Arc::new(settings)));
                sim.advance(Duration::from_millis(700));
            }
            sim.take(watcher);
            for shard in 0..shards {
                let conn = sim.connect(shard);
                say(&mut sim, conn, hello(next));
                next += 1;
            }
            // The tick that was set before the change, and one after it.
            sim.advance(Duration::from_secs(3) + tick);
            let told: usize = sim
                .take(watcher)
                .iter()
                .filter(|message| message["command"] == "player_info")
                .map(|message| message["players"].as_array().map_or(0, Vec::len))
                .sum();
            assert_eq!(told, usize::from(shards), "{tick:?} on {shards}");
        }
    });
}

#[test]
fn an_operator_sees_what_each_shard_has() {
    use crate::faf::roster::Reply;
    use std::sync::Mutex;

    each(|mut sim, shards| {
        let a = player(&mut sim, 1, 0);
        player(&mut sim, 2, shards - 1);
        hosted(&mut sim, a, json!({"visibility": "friends"}));
        let seen: Arc<Mutex<Vec<usize>>> = Arc::default();
        let into = seen.clone();
        let reply = Reply::new(move |texts| into.lock().expect("not poisoned").push(texts.len()));
        for shard in 0..shards {
            sim.tell(shard, News::Players(reply.clone()));
            sim.tell(shard, News::Games(reply.clone()));
        }
        sim.settle();
        let seen = seen.lock().expect("not poisoned");
        assert_eq!(seen.len(), 2 * usize::from(shards), "each answers once");
        assert_eq!(seen.iter().sum::<usize>(), 3);
    });
}

// Each name would be a time series for ever.
#[test]
fn any_mod_a_host_named_became_a_label_of_the_metrics() {
    let metrics: Arc<crate::faf::Metrics> = Arc::default();
    let settings = Arc::new(Settings::default());
    let mut sim = Simulator::new(
        1,
        0,
        |shard| Faf::new(shard, 1, settings.clone()).reporting_to(metrics.clone()),
        Box::new(office()),
    );
    sim.tell(0, News::Reference(Arc::new(reference())));
    for (id, featured_mod) in [(1, "faf"), (2, "x1"), (3, "x2")] {
        let host = player(&mut sim, id, 0);
        hosted(&mut sim, host, json!({"mod": featured_mod}));
    }
    tick(&mut sim);
    tick(&mut sim);
    let games = |label| metrics.games_by_mod.of(&[label, "LOBBY"]).value();
    assert_eq!([games("faf"), games("other")], [1.0, 2.0]);
    assert_eq!([games("x1"), games("x2")], [0.0, 0.0]);
}
