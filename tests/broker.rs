//! The server and a real broker (`tests/with-rabbitmq cargo test --test broker`). Without `MUSTER_TEST_AMQP` nothing is
//! tested here.

mod support;

use std::{
    collections::BTreeSet,
    io::Read,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use futures_lite::StreamExt;
use lapin::{
    BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind,
    message::Delivery,
    options::{
        BasicConsumeOptions, BasicGetOptions, BasicPublishOptions, ExchangeDeclareOptions,
        QueueBindOptions, QueueDeclareOptions,
    },
    types::{AMQPValue, FieldTable},
};
use muster::{
    backoffice::broker::{Broker, BrokerSettings, Incoming, Listener},
    lobby::Event,
};
use serde_json::{Value, json};
use support::{
    http::get,
    player::Player,
    proxy::{Line, Proxy},
    server::{Backend, Server, Setup},
};
use tokio::{
    sync::{RwLock, watch},
    task::LocalSet,
};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// Read by tests that need the broker to stay, written by those that stop it.
static BROKER: RwLock<()> = RwLock::const_new(());

fn url() -> Option<String> {
    let url = std::env::var("MUSTER_TEST_AMQP").ok();
    if url.is_none() {
        eprintln!("no MUSTER_TEST_AMQP, passed over");
    }
    url
}

/// An exchange that no other test uses.
fn exchange() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    format!("muster-test-{}-{number}", std::process::id())
}

/// Stops or starts the broker itself, or has it be in an alarm (`alarm`) and no longer (`calm`).
fn control(what: &str) {
    let program = std::env::var("MUSTER_TEST_AMQP_CTL").expect("tests/with-rabbitmq sets it");
    assert!(Command::new(program).arg(what).status().unwrap().success());
}

/// Another service at the same broker.
struct Service {
    connection: Connection,
    channel: Channel,
    exchange: String,
}

impl Service {
    async fn new(url: &str, exchange: &str) -> Service {
        let connection = Connection::connect(url, ConnectionProperties::default())
            .await
            .unwrap();
        let channel = connection.create_channel().await.unwrap();
        let durable = ExchangeDeclareOptions {
            durable: true,
            ..ExchangeDeclareOptions::default()
        };
        // Refused if the server under test had declared another kind.
        channel
            .exchange_declare(
                exchange.into(),
                ExchangeKind::Topic,
                durable,
                FieldTable::default(),
            )
            .await
            .unwrap();
        Service {
            connection,
            channel,
            exchange: exchange.to_owned(),
        }
    }

    /// A queue for everything under a pattern of routing keys.
    async fn queue(&self, name: &str, durable: bool, pattern: &str) -> String {
        let options = QueueDeclareOptions {
            durable,
            exclusive: !durable,
            ..QueueDeclareOptions::default()
        };
        let queue = self
            .channel
            .queue_declare(name.into(), options, FieldTable::default())
            .await
            .unwrap();
        let name = queue.name().to_string();
        self.channel
            .queue_bind(
                name.as_str().into(),
                self.exchange.as_str().into(),
                pattern.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        name
    }

    async fn listen(&self, pattern: &str) -> Consumer {
        let queue = self.queue("", false, pattern).await;
        let options = BasicConsumeOptions {
            no_ack: true,
            ..BasicConsumeOptions::default()
        };
        self.channel
            .basic_consume(queue.into(), "".into(), options, FieldTable::default())
            .await
            .unwrap()
    }

    async fn say(&self, key: &str, headers: FieldTable, body: &str) {
        self.channel
            .basic_publish(
                self.exchange.as_str().into(),
                key.into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                BasicProperties::default().with_headers(headers),
            )
            .await
            .unwrap()
            .await
            .unwrap();
    }

    /// Everything in a queue.
    async fn emptied(&self, queue: &str) -> Vec<String> {
        let options = BasicGetOptions { no_ack: true };
        let mut found = Vec::new();
        while let Some(message) = self.channel.basic_get(queue.into(), options).await.unwrap() {
            found.push(String::from_utf8(message.delivery.data).unwrap());
        }
        found
    }
}

async fn next(consumer: &mut Consumer) -> Delivery {
    let delivery = tokio::time::timeout(PATIENCE, consumer.next()).await;
    delivery.expect("nothing came").unwrap().unwrap()
}

fn header(name: &str, value: AMQPValue) -> FieldTable {
    let mut table = FieldTable::default();
    table.insert(name.into(), value);
    table
}

async fn server(url: &str, exchange: &str) -> Server {
    let set = [
        format!("broker.url={url}"),
        format!("broker.exchange={exchange}"),
    ];
    let start = move || {
        Server::start(&Setup {
            backend: Backend::Sqlite,
            shards: 2,
            set: &set,
            sql: &[],
        })
    };
    tokio::task::spawn_blocking(start).await.unwrap().unwrap()
}

/// Until a condition holds.
async fn until(mut holds: impl FnMut() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("waited in vain");
}

// checklist: faf 143
#[tokio::test]
async fn what_a_tick_broadcasts_leaves_on_the_topic_exchange() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let mut players = service.listen("broadcast.playerInfo.*").await;
    let mut games = service.listen("broadcast.gameInfo.*").await;
    let server = server(&url, &exchange).await;
    let subscribed = format!(
        "{exchange}.lobby.client.notify.{}",
        gethostname::gethostname().display()
    );
    until_queue_exists(&service, &subscribed).await;
    let mut orion = Player::signed_in(&server, "orion");

    let told = next(&mut players).await;
    assert_eq!(told.routing_key.as_str(), "broadcast.playerInfo.update");
    assert_eq!(*told.properties.delivery_mode(), Some(1));
    let told: Value = serde_json::from_slice(&told.data).unwrap();
    assert_eq!(told, orion.until("player_info"));

    let uid = orion.hosting();
    let told = next(&mut games).await;
    assert_eq!(told.routing_key.as_str(), "broadcast.gameInfo.update");
    let told: Value = serde_json::from_slice(&told.data).unwrap();
    assert_eq!(told["command"], "game_info");
    assert_eq!(told["games"][0]["uid"], uid);
}

/// The server connects while it starts; a queue of its own shows that it has.
async fn until_queue_exists(service: &Service, queue: &str) {
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let wait = async {
        loop {
            let channel = service.connection.create_channel().await.unwrap();
            let found = channel.queue_declare(queue.into(), passive, FieldTable::default());
            if found.await.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait)
        .await
        .expect("the server did not connect");
}

/// Whoever waited for `/ready` and then said something to clients said it to nobody.
// checklist: faf 493
#[tokio::test]
async fn a_server_is_ready_when_it_hears_what_others_say() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let (proxy, slow) = Proxy::before(&url);
    // Some twenty times on its way to a subscription.
    proxy.delay(Duration::from_millis(20));
    let server = server(&slow, &exchange).await;
    until_ready(&server).await;
    let queue = format!(
        "{exchange}.lobby.client.notify.{}",
        gethostname::gethostname().display()
    );
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    let declared = service
        .channel
        .queue_declare(queue.into(), passive, FieldTable::default());
    assert_eq!(declared.await.unwrap().consumer_count(), 1);
}

/// A broker that can't be reached, or says nothing, keeps nobody from playing.
#[tokio::test]
async fn a_server_gets_ready_without_its_broker() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let [silent_at, closed_at] = [&silent, &closed].map(|one| one.local_addr().unwrap());
    drop(closed);
    for address in [silent_at, closed_at] {
        let url = format!("amqp://guest:guest@{address}/%2f");
        until_ready(&server(&url, &exchange()).await).await;
    }
}

/// As whoever begins to use a server waits for it.
async fn until_ready(server: &Server) {
    let health = server.listener("http/health").unwrap();
    until(|| get(health, "/ready").is_ok_and(|page| page.status == 200)).await;
}

// checklist: faf 503 504 505 506
#[tokio::test]
async fn notifications_reach_one_player_or_all_and_nonsense_nobody() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let server = server(&url, &exchange).await;
    let queue = format!(
        "{exchange}.lobby.client.notify.{}",
        gethostname::gethostname().display()
    );
    until_queue_exists(&service, &queue).await;
    let mut orion = Player::signed_in(&server, "orion");
    let mut vega = Player::signed_in(&server, "vega");
    let key = "request.client.notify";
    let say = async |headers, body: &str| service.say(key, headers, body).await;

    say(
        header("user-id", AMQPValue::LongLongInt(12)),
        r#"{"command":"custom", "n": 1}"#,
    )
    .await;
    say(
        header("user-id", AMQPValue::Boolean(true)),
        r#"{"command":"custom","n":2}"#,
    )
    .await;
    say(
        header("user-id", AMQPValue::LongString("12".into())),
        r#"{"command":"custom","n":3}"#,
    )
    .await;
    say(
        header("user-id", AMQPValue::LongInt(4711)),
        r#"{"command":"custom","n":4}"#,
    )
    .await;
    say(
        header("channel", AMQPValue::LongString("#aeolus".into())),
        r#"{"command":"custom","n":5}"#,
    )
    .await;
    say(FieldTable::default(), r#"["custom"]"#).await;
    say(FieldTable::default(), r#"{"command":"custom""#).await;
    say(
        FieldTable::default(),
        "{\n\"command\": \"custom\", \"text\": \"\u{e9}\"}",
    )
    .await;

    let last = json!({"command":"custom","text":"\u{e9}"});
    assert_eq!(vega.until("custom"), json!({"command":"custom","n":1}));
    assert_eq!(vega.until("custom"), last);
    assert_eq!(orion.until("custom"), last);
}

// checklist: faf 263
#[tokio::test]
async fn a_changed_avatar_is_read_again_and_shown_to_all() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let server = server(&url, &exchange).await;
    let host = gethostname::gethostname();
    let queue = format!("{exchange}.lobby.player_avatar.update.{}", host.display());
    until_queue_exists(&service, &queue).await;
    // The database is another program's: its calls wait for a runtime of their own.
    let (server, mut orion, mut vega) = tokio::task::spawn_blocking(move || {
        let orion = Player::signed_in(&server, "orion");
        let vega = Player::signed_in(&server, "vega");
        server.sql("INSERT INTO avatars (idUser, idAvatar, selected) VALUES (11, 1, 0); UPDATE login SET avatar_id = 1 WHERE id = 11").unwrap();
        (server, orion, vega)
    })
    .await
    .unwrap();
    let key = "success.player_avatar.update";
    for body in [
        r#"{"player_id":true,"avatar_id":1}"#,
        r#"{"player_id":11,"avatar_id":1}"#,
    ] {
        service.say(key, FieldTable::default(), body).await;
    }
    for player in [&mut orion, &mut vega] {
        let shown = loop {
            let told = player.until("player_info");
            let players = told["players"].as_array().unwrap().clone();
            if let Some(avatar) = players
                .iter()
                .find_map(|p| (p["id"] == 11).then(|| p["avatar"].clone()))
                && !avatar.is_null()
            {
                break avatar;
            }
        };
        assert_eq!(shown["tooltip"], "QAI");
    }
    drop(server);
}

/// Keeps what is incoming to itself.
struct Deaf;

impl Listener for Deaf {
    fn has_room(&self) -> bool {
        true
    }
    fn hear(&self, _: Incoming) {}
}

fn event(persistent: bool, number: usize) -> Event {
    Event {
        key: "success.rating.update",
        persistent,
        body: format!("{{\"n\":{number}}}").into(),
        file: None,
    }
}

fn settings(url: &str, exchange: &str) -> Option<BrokerSettings> {
    Some(BrokerSettings {
        url: url.to_owned(),
        exchange: exchange.to_owned(),
        host: "here".to_owned(),
        name: "test".to_owned(),
        confirm: Duration::from_secs(30),
    })
}

/// Runs the broker beside `script`, and then to its orderly end.
async fn while_it_runs(
    broker: &Arc<Broker>,
    wanted: watch::Receiver<Option<BrokerSettings>>,
    script: impl Future<Output = ()>,
) {
    let (local, running) = (LocalSet::new(), broker.clone());
    let task = local.spawn_local(async move { running.run(wanted, Deaf).await });
    let until_its_end = async {
        script.await;
        broker.close();
        task.await.unwrap();
    };
    local.run_until(until_its_end).await;
}

// checklist: faf 501
#[tokio::test]
async fn a_stopped_broker_is_waited_for_with_a_bounded_backlog() {
    let Some(url) = url() else { return };
    let _alone = BROKER.write().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let queue = service
        .queue(&format!("{exchange}-kept"), true, "success.#")
        .await;
    let broker = Arc::new(Broker::new(3));
    let (_settings, wanted) = watch::channel(settings(&url, &exchange));
    while_it_runs(&broker, wanted, async {
        until(|| broker.is_connected()).await;
        assert!(broker.publish(event(false, 1)) && broker.publish(event(true, 2)));
        until(|| broker.metrics().confirmed.value() == 2).await;

        control("stop");
        until(|| !broker.is_connected()).await;
        assert!(!broker.publish(event(false, 3)), "may be lost, and is");
        for number in 4..7 {
            assert!(broker.publish(event(true, number)));
        }
        until(|| broker.backlog() <= 3).await;
        // What the task holds in its hand is beside the backlog; the backlog itself is bounded.
        while broker.publish(event(true, 99)) {}
        assert_eq!(broker.metrics().dropped_transient.value(), 1);
        assert_eq!(broker.metrics().dropped_persistent.value(), 1);
        assert_eq!(broker.backlog(), 3);

        control("start");
        until(|| broker.is_connected() && broker.backlog() == 0).await;
        assert!(broker.publish(event(true, 7)));
    })
    .await;
    assert!(!broker.publish(event(false, 8)), "closed");
    assert_eq!(broker.metrics().connections.value(), 2);
    // 1 was transient: the broker has forgotten it over its stop, which shows that 2 was persistent.
    let service = Service::new(&url, &exchange).await;
    let kept = service.emptied(&queue).await;
    let expected = [2, 4, 5, 6, 7].map(|number| format!("{{\"n\":{number}}}"));
    assert_eq!(kept, expected);
}

// The server took a blocked connection for a broken one: it opened one after the other, and sent everything on each.
#[tokio::test]
async fn during_an_alarm_of_the_broker_connections_piled_up_and_events_were_doubled() {
    let Some(url) = url() else { return };
    let _alone = BROKER.write().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let queue = service
        .queue(&format!("{exchange}-kept"), true, "success.#")
        .await;
    let broker = Arc::new(Broker::new(300));
    let (_settings, wanted) = watch::channel(settings(&url, &exchange));
    while_it_runs(&broker, wanted, async {
        until(|| broker.is_connected()).await;
        control("alarm");
        // It says so to whoever publishes something.
        assert!(broker.publish(event(true, 1)));
        until(|| broker.metrics().blocked.value() == 1.0).await;
        assert!(!broker.publish(event(false, 0)), "may be lost, and is");
        for number in 2..=300 {
            assert!(broker.publish(event(true, number)));
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(broker.backlog() >= 299, "nothing is taken meanwhile");
        assert!(broker.metrics().in_hand.value() <= 1.0);
        control("calm");
        until(|| broker.metrics().confirmed.value() == 300).await;
        assert_eq!(broker.metrics().blocked.value(), 0.0);
        assert!(broker.publish(event(false, 0)));
    })
    .await;
    assert_eq!(broker.metrics().connections.value(), 1);
    let kept = service.emptied(&queue).await;
    let mut expected: Vec<String> = (1..=300).map(|n| format!("{{\"n\":{n}}}")).collect();
    expected.push("{\"n\":0}".to_owned());
    assert_eq!(kept, expected);
}

// checklist: faf 502
#[tokio::test]
async fn other_settings_mean_another_connection_and_exchange() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let (first, second) = (exchange(), exchange());
    let service = Service::new(&url, &second).await;
    let mut incoming = service.listen("#").await;
    let broker = Arc::new(Broker::new(16));
    let (change, wanted) = watch::channel(None);
    while_it_runs(&broker, wanted, async {
        let connections = || broker.metrics().connections.value();
        assert!(!broker.publish(event(true, 0)), "no broker is configured");
        change.send_replace(settings(&url, &first));
        until(|| connections() == 1 && broker.is_connected()).await;
        change.send_replace(settings(&url, &second));
        until(|| connections() == 2 && broker.is_connected()).await;
        assert!(broker.publish(event(true, 1)));
        assert_eq!(next(&mut incoming).await.data, b"{\"n\":1}");
        change.send_replace(None);
        until(|| !broker.is_connected()).await;
    })
    .await;
}

// A broker that accepts and says nothing: with each attempt one more connection and one more thread stayed.
#[tokio::test]
async fn attempts_to_reach_a_broker_that_hangs_piled_up() {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("amqp://{}/%2f", hanging.local_addr().unwrap());
    let accepted = std::thread::spawn(move || {
        let (mut first, _) = hanging.accept().unwrap();
        let second = hanging.accept().unwrap();
        first.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut said = Vec::new();
        first.read_to_end(&mut said).unwrap();
        drop(second);
        said
    });
    let broker = Arc::new(Broker::new(16));
    let (_settings, wanted) = watch::channel(settings(&url, "x"));
    while_it_runs(&broker, wanted, async {
        until(|| accepted.is_finished()).await;
    })
    .await;
    let said = accepted.join().unwrap();
    assert_eq!(said, b"AMQP\0\0\x09\x01", "and then the end");
}

#[tokio::test]
async fn what_is_published_while_the_line_is_cut_arrives_afterwards() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let mut incoming = service.listen("success.#").await;
    let (proxy, behind) = Proxy::before(&url);
    let broker = Arc::new(Broker::new(16));
    let (_settings, wanted) = watch::channel(settings(&behind, &exchange));
    while_it_runs(&broker, wanted, async {
        for round in 0..3 {
            until(|| broker.is_connected()).await;
            proxy.set(Line::Cut);
            until(|| !broker.is_connected()).await;
            assert!(broker.publish(event(true, round)));
            proxy.set(Line::Whole);
            let arrived = next(&mut incoming).await.data;
            assert_eq!(arrived, format!("{{\"n\":{round}}}").into_bytes());
        }
    })
    .await;
}

// It takes what is sent and answers nothing any more, as one does whose machine is gone.
#[tokio::test]
async fn a_broker_that_stalls_is_given_up_in_time_and_costs_nothing() {
    let Some(url) = url() else { return };
    let _stays = BROKER.read().await;
    let exchange = exchange();
    let service = Service::new(&url, &exchange).await;
    let mut incoming = service.listen("success.#").await;
    let (proxy, behind) = Proxy::before(&url);
    let broker = Arc::new(Broker::new(16));
    let confirm = Duration::from_secs(1);
    let wanted = settings(&behind, &exchange).map(|settings| BrokerSettings {
        confirm,
        ..settings
    });
    let (_settings, wanted) = watch::channel(wanted);
    while_it_runs(&broker, wanted, async {
        until(|| broker.is_connected()).await;
        assert!(broker.publish(event(true, 0)));
        until(|| broker.metrics().confirmed.value() == 1).await;
        proxy.set(Line::Stalled);
        let stalled = Instant::now();
        assert!(broker.publish(event(true, 1)));
        until(|| !broker.is_connected()).await;
        assert!(stalled.elapsed() >= confirm, "given up too early");
        assert!(!broker.publish(event(false, 99)), "may be lost, and is");
        // What was in hand waits beside the backlog, which is bounded; all of it is sent when the line is whole.
        let mut last = 1;
        while broker.publish(event(true, last + 1)) {
            last += 1;
        }
        assert_eq!(last, 17);
        proxy.set(Line::Whole);
        let mut missing: BTreeSet<String> = (0..=last).map(|n| format!("{{\"n\":{n}}}")).collect();
        while !missing.is_empty() {
            let told = next(&mut incoming).await.data;
            missing.remove(&String::from_utf8(told).unwrap());
        }
    })
    .await;
    assert_eq!(broker.backlog(), 0);
}

#[tokio::test]
async fn a_broker_that_is_not_there_does_not_keep_the_end_waiting_for_long() {
    let broker = Arc::new(Broker::new(16));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "amqp://127.0.0.1:{}/%2f",
        nobody.local_addr().unwrap().port()
    );
    drop(nobody);
    let (_settings, wanted) = watch::channel(settings(&url, "x"));
    while_it_runs(&broker, wanted, async {
        until(|| broker.publish(event(true, 1))).await;
    })
    .await;
    let lost = broker.metrics().dropped_persistent.value();
    assert!(lost >= 1, "what was left is counted");
}
