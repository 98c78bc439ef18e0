//! What TLS changes for a shard, in as few steps as show it: what a round has of handshakes, what one that is not finished may
//! take, and where a stream ends.

use std::{sync::Arc, time::Duration};

use rustls::ClientConfig;

use super::{
    network::lock,
    regressions::Scene,
    tls::{self, Secured},
};
use crate::{metrics::Handshake, strangers::HANDSHAKES_PER_ROUND};

/// A scene whose first listener has TLS, and what clients of that trust.
fn scene() -> (Scene, Arc<ClientConfig>) {
    let scene = Scene::with(|settings| settings.listeners[0].tls = true);
    (scene, tls::clients())
}

/// The listener beside it that has none.
const PLAIN: usize = 6;

/// A client with TLS, its number first.
struct Player(usize, Secured);

impl Player {
    fn new(scene: &mut Scene, config: &Arc<ClientConfig>) -> Player {
        Player(scene.connect(10_000), Secured::new(config))
    }

    /// What it says arrives.
    fn bring(&mut self, scene: &mut Scene, text: &str) {
        let bytes = self.1.write(text.as_bytes());
        scene.bring_bytes(self.0, &bytes);
    }

    /// The same, and what comes of it.
    fn say(&mut self, scene: &mut Scene, text: &str) -> String {
        self.bring(scene, text);
        scene.go();
        self.hear(scene)
    }

    /// Everything it hears, as long as something comes of its answers.
    fn hear(&mut self, scene: &mut Scene) -> String {
        let mut all = Vec::new();
        loop {
            let bytes = lock(&scene.network).read(self.0, usize::MAX);
            let (plain, answer) = self.1.read(&bytes).expect("TLS");
            all.extend(plain);
            if bytes.is_empty() && answer.is_empty() {
                return String::from_utf8(all).expect("ASCII");
            }
            scene.bring_bytes(self.0, &answer);
            scene.go();
        }
    }
}

fn ended(scene: &Scene, outcome: Handshake) -> u64 {
    scene.shard.metrics.tls_handshakes[outcome as usize].value()
}

#[test]
fn lines_come_and_go_and_the_second_session_is_resumed() {
    let (mut scene, config) = scene();
    for _ in 0..2 {
        let mut player = Player::new(&mut scene, &config);
        assert_eq!(
            player.say(&mut scene, "x 3\nx 900\n"),
            format!("xxx\n{}\n", "x".repeat(900))
        );
        assert_eq!(player.say(&mut scene, "x 1\nend\n"), "x\n");
    }
    let both = [Handshake::Full, Handshake::Resumed].map(|outcome| ended(&scene, outcome));
    assert_eq!(both, [1, 1]);
}

// A storm of handshakes must not be what a player's message waits for.
#[test]
fn a_round_has_its_share_of_handshakes_and_everybody_else_goes_on() {
    let (mut scene, config) = scene();
    let player = scene.connect_to(PLAIN, 10_000);
    let mut storm: Vec<Player> = (0..5).map(|_| Player::new(&mut scene, &config)).collect();
    for one in &mut storm {
        one.bring(&mut scene, "x 2\n");
    }
    scene.bring(player, "x 7\n");
    scene.go_one_round();
    let answered =
        |scene: &Scene, one: &Player| !lock(&scene.network).wires[one.0].to_client.is_empty();
    let begun = storm.iter().filter(|one| answered(&scene, one)).count();
    assert_eq!(begun, HANDSHAKES_PER_ROUND);
    assert_eq!(lock(&scene.network).read(player, 100), b"xxxxxxx\n");
    assert!(scene.shard.metrics.tls_deferred.value() > 0);
    scene.go();
    for mut one in storm {
        assert_eq!(one.hear(&mut scene), "xx\n", "all come to it");
    }
}

#[test]
fn a_handshake_that_is_not_finished_is_a_strangers() {
    let (mut scene, config) = scene();
    let mut slow = Player::new(&mut scene, &config);
    assert_eq!(
        scene.shard.memory.held(false),
        0,
        "to connect costs nothing"
    );
    slow.bring(&mut scene, "");
    scene.go();
    let held = scene.shard.memory.held(false);
    assert!((4_000..8_000).contains(&held), "{held}");
    lock(&scene.network).now += Duration::from_secs(1);
    scene.go();
    assert_eq!(scene.shard.conns.len(), 0);
    assert_eq!(
        (
            scene.shard.memory.held(false),
            ended(&scene, Handshake::Late)
        ),
        (0, 1)
    );
    let gone = scene.connect(10_000);
    lock(&scene.network).reset(gone);
    scene.go();
    assert_eq!(ended(&scene, Handshake::Abandoned), 1);
}

#[test]
fn a_hello_in_drops_is_looked_at_when_it_is_whole() {
    let (mut scene, config) = scene();
    let mut player = Player::new(&mut scene, &config);
    let hello = player.1.write(b"x 4\n");
    for (at, byte) in hello.iter().enumerate() {
        assert!(
            lock(&scene.network).wires[player.0].to_client.is_empty(),
            "{at}"
        );
        scene.bring_bytes(player.0, &[*byte]);
        scene.go();
    }
    assert_eq!(player.hear(&mut scene), "xxxx\n");
}

#[test]
fn a_hello_without_end_is_ended() {
    let (mut scene, _) = scene();
    let client = scene.connect(10_000);
    // A hello that says it has 60 KiB, in records of a hundred bytes.
    let mut record = vec![22, 3, 1, 0, 100];
    record.extend([1, 0, 0xf0, 0]);
    record.resize(105, 0);
    for at in 0..400 {
        scene.bring_bytes(client, &record);
        scene.go();
        if at == 0 {
            record.truncate(5);
            record.resize(105, 0);
        }
    }
    assert_eq!(ended(&scene, Handshake::Failed), 1);
    assert!(scene.shard.memory.held(false) < 1_000);
}

#[test]
fn who_does_not_speak_tls_is_told_so_at_once() {
    for words in [
        "GET / HTTP/1.1\r\n\r\n",
        "{\"command\":\"ask_session\"}\n",
        "\0\0\0\x0c",
    ] {
        let (mut scene, _) = scene();
        let client = scene.connect(10_000);
        scene.bring(client, words);
        scene.bring(client, "more");
        scene.go();
        let alert = lock(&scene.network).read(client, 100);
        assert_eq!(alert.first(), Some(&21), "{words:?}: {alert:?}");
        assert!(lock(&scene.network).wires[client].shut, "{words:?}");
        assert_eq!(ended(&scene, Handshake::Failed), 1);
    }
}

// Whoever stands between could have a message end where they like.
#[test]
fn a_last_message_counts_only_if_its_sender_has_ended_the_stream() {
    for orderly in [true, false] {
        let (mut scene, config) = scene();
        let [mut talker, mut listener] = [(); 2].map(|()| Player::new(&mut scene, &config));
        listener.say(&mut scene, "wait\n");
        talker.say(&mut scene, "x 1\n");
        talker.bring(&mut scene, "all 5");
        if orderly {
            let farewell = talker.1.finish().expect("its handshake is over");
            scene.bring_bytes(talker.0, &farewell);
        }
        lock(&scene.network).wires[talker.0].fin_sent = true;
        lock(&scene.network).arrive(talker.0, 0, true);
        scene.go();
        let heard = listener.hear(&mut scene);
        assert_eq!(heard, if orderly { "xxxxx\n" } else { "" });
    }
}

#[test]
fn relayed_bytes_are_encrypted_for_each_side_anew() {
    let (mut scene, config) = scene();
    let [mut target, mut source] = [(); 2].map(|()| Player::new(&mut scene, &config));
    target.say(&mut scene, "wait\n");
    assert_eq!(source.say(&mut scene, "meet\n"), "met\n");
    source.say(&mut scene, &"a".repeat(700));
    assert_eq!(target.hear(&mut scene), format!("met\n{}", "a".repeat(700)));
    target.say(&mut scene, "back");
    assert_eq!(source.hear(&mut scene), "back");
    let farewell = source.1.finish().expect("its handshake is over");
    scene.bring_bytes(source.0, &farewell);
    scene.go();
    target.hear(&mut scene);
    assert!(lock(&scene.network).wires[target.0].shut);
}

#[test]
fn a_side_that_outlives_the_other_goes_on_with_its_tls() {
    for moves in [0, 1] {
        let (mut scene, config) = scene();
        let [mut goes, mut stays] = [(); 2].map(|()| Player::new(&mut scene, &config));
        goes.say(&mut scene, "lone\n");
        stays.say(&mut scene, &format!("pair {moves}\n"));
        let farewell = goes.1.finish().expect("its handshake is over");
        scene.bring_bytes(goes.0, &farewell);
        scene.go();
        assert!(!lock(&scene.network).wires[stays.0].shut);
        stays.say(&mut scene, "lost");
        scene.shard.dialect.waits(1);
        let mut third = Player::new(&mut scene, &config);
        assert_eq!(third.say(&mut scene, "pair 1\n"), "met\n");
        assert!(stays.say(&mut scene, "again").ends_with("met\n"));
        assert_eq!(third.hear(&mut scene), "again");
        third.say(&mut scene, "back");
        assert_eq!(stays.hear(&mut scene), "back");
    }
}
