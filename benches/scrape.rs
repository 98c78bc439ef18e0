//! What metrics cost: one count, what a shard shows of itself at each tick, and the page that a scrape is answered with.
//!
//! `cargo bench --bench scrape`. One shard with 10,000 players of 500 kinds of client, and the page of four such shards.
//! The page is made of counts, so the number of players does not matter to it; that of labels does. It is compared with
//! writing every player's name once, which is what a page with one line for each player would at least cost.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::{
    fmt::Write,
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use criterion::{Criterion, criterion_group, criterion_main};
use muster::{
    backoffice::{broker::Broker, http::metrics::Metrics},
    engine,
    lobby::{
        ConnId, Dialect, Effect, Now, Origin, Protocol, ShardId, Turn,
        faf::{
            self, Faf, Settings, Timer,
            questions::{Account, Answer, Ask},
        },
    },
    metrics::{Counter, Histogram, Latency, Registry},
    wire::Format,
};
use rand::{SeedableRng, rngs::StdRng};

const PLAYERS: u32 = 10_000;
const AGENTS: u32 = 500;
const SHARDS: usize = 4;
const SHARD: ShardId = ShardId::new(0, 0);

struct Bench {
    faf: Faf,
    rng: StdRng,
    next_ticket: u64,
    effects: Vec<Effect<Faf>>,
    ticks: u64,
}

impl Bench {
    fn turn(&mut self, input: impl FnOnce(&mut Faf, &mut Turn<'_, Faf>)) {
        self.effects.clear();
        let mut turn = Turn {
            shard: SHARD,
            shards: 1,
            now: Now {
                mono: Duration::from_secs(1000 + self.ticks),
                unix: Duration::from_secs(1_708_794_947 + self.ticks),
            },
            rng: &mut self.rng,
            next_ticket: &mut self.next_ticket,
            effects: &mut self.effects,
        };
        input(&mut self.faf, &mut turn);
    }

    fn log_in(&mut self, id: u32) {
        let conn = ConnId {
            shard: SHARD,
            slot: id,
            generation: 0,
        };
        let origin = Origin {
            address: IpAddr::V4(Ipv4Addr::LOCALHOST),
            counted: None,
            format: Format::JsonLines,
            protocol: Protocol::default(),
        };
        self.turn(|faf, turn| faf.on_open(turn, conn, origin));
        let session = format!(
            r#"{{"command":"ask_session","user_agent":"client {}","version":"1.{}"}}"#,
            id % AGENTS,
            id % 7
        );
        let hello = r#"{"command":"hello","login":"x","password":"y","unique_id":"z"}"#;
        for text in [session.as_str(), hello] {
            self.turn(|faf, turn| faf.on_frame(turn, conn, &mut text.as_bytes().to_vec()));
        }
        let ticket = self.effects.iter().find_map(|effect| match effect {
            Effect::Ask(ticket, Ask::Login(_)) => Some(*ticket),
            _ => None,
        });
        let account = Account {
            id,
            login: format!("player{id}").into(),
            ..Account::default()
        };
        let ticket = ticket.expect("a login is asked for");
        self.turn(|faf, turn| faf.on_answer(turn, ticket, Answer::Login(Ok(Box::new(account)))));
    }

    fn tick(&mut self) {
        self.ticks += 1;
        let number = Duration::from_secs(1000 + self.ticks).as_nanos() as u64;
        self.turn(|faf, turn| faf.on_timer(turn, Timer::Tick(number)));
    }
}

fn scrape(criterion: &mut Criterion) {
    let counted = Arc::<faf::Metrics>::default();
    let faf = Faf::new(SHARD, 1, Arc::new(Settings::default())).reporting_to(counted.clone());
    let mut bench = Bench {
        faf,
        rng: StdRng::seed_from_u64(1),
        next_ticket: 0,
        effects: Vec::new(),
        ticks: 0,
    };
    bench.turn(|faf, turn| faf.on_start(turn));
    (1..=PLAYERS).for_each(|id| bench.log_in(id));
    bench.tick();
    assert_eq!(counted.online.value(), f64::from(PLAYERS));
    let mut registry = Registry::default();
    registry.add_shards(&vec![counted; SHARDS]);
    let engine = (0..SHARDS).map(|_| Arc::<engine::Metrics>::default());
    registry.add_shards(&engine.collect::<Vec<_>>());
    registry.add("none", Arc::new(Broker::new(16)));
    let metrics = Metrics(std::sync::Arc::new(registry));
    let mut group = criterion.benchmark_group("10000 players");
    group.bench_function("tick with metrics, nothing changed", |b| {
        b.iter(|| bench.tick())
    });
    group.bench_function("page of metrics, 4 shards", |b| {
        b.iter(|| black_box(metrics.text().len()));
    });
    group.bench_function("a line for each player", |b| {
        b.iter(|| {
            let mut page = String::new();
            for id in 0..PLAYERS {
                let _ = writeln!(page, "player_online{{login=\"player{id}\"}} 1");
            }
            black_box(page.len())
        });
    });
    group.finish();
    one_count(criterion);
}

/// What it costs a shard to count once. A latency is what each frame adds to.
fn one_count(criterion: &mut Criterion) {
    let (counter, latency) = (Counter::new(), Latency::new());
    let histogram = Histogram::new(&[
        0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ]);
    let mut nanoseconds = 0;
    let mut time = || {
        nanoseconds = (nanoseconds + 977) % 50_000;
        Duration::from_nanos(black_box(nanoseconds))
    };
    let mut group = criterion.benchmark_group("one count");
    group.bench_function("counter", |b| b.iter(|| black_box(&counter).up()));
    group.bench_function("histogram of 14 bounds", |b| {
        b.iter(|| black_box(&histogram).observe(time().as_secs_f64()));
    });
    group.bench_function("latency", |b| b.iter(|| black_box(&latency).took(time())));
    group.finish();
}

criterion_group!(benches, scrape);
criterion_main!(benches);
