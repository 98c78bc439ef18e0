//! What the end of a game costs a shard: four against four, everybody reports everything.
//!
//! `cargo bench --bench game_end`. One shard without an engine, and a back office that answers at once with what a
//! settled and rated game comes to. `whole` is every frame from the first result to the last `GameEnded`, the answers
//! taken in, and all effects collected: 64 results, one document of army statistics of about 100 KiB from each of the
//! eight, `Desync`s, and the end. `statistics frame` is one of those documents alone, which is mostly reading its frame.
//! `back office` is what is done there with the same game, apart from the store: results, ratings, achievements.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

#[path = "support/one_shard.rs"]
mod one_shard;

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use muster::{
    lobby::{
        ConnId, Dialect, Effect, Origin, Protocol, Ticket, Turn,
        faf::{
            Faf, Settings, achievements, events,
            ledger::{Batch, Done, Launched, Record, Written},
            news::News,
            questions::{Account, Answer, Ask, HostGrant},
            reference::{Leaderboard, Reference},
            results,
            validity::Validity,
        },
    },
    wire::Format,
};
use serde_json::{Value, json};

use one_shard::{OneShard, SHARD};

const PLAYERS: u32 = 8;
/// Blueprints of each army, so that the whole is about 100 KiB.
const BLUEPRINTS: usize = 150;

/// Does every record at once.
struct Office {
    reference: Reference,
}

impl Office {
    fn new() -> Self {
        let board = Leaderboard {
            id: 1,
            name: "global".into(),
            initializer: None,
        };
        Office {
            reference: Reference {
                leaderboards: vec![board],
                ..Reference::default()
            },
        }
    }

    fn settle(&self, record: &Record, launched: &mut Option<Launched>) -> Done {
        let mut done = Done::default();
        match record {
            Record::Launch(launch) => {
                *launched = Some(Launched {
                    validity: launch.finding.unwrap_or(Validity::Valid),
                    map_id: Some(7),
                    stored: true,
                });
            }
            Record::Finish(game) => {
                let settlement = results::settle(game, Validity::Valid);
                done.events
                    .extend(events::game_results(game, &settlement, Some(7)));
                let rated = settlement.rated.expect("the game is valid");
                let changes = rated.rate(&self.reference, |_, _| None);
                let changes = changes.expect("it can be rated").into_iter().flatten();
                done.rated = changes.collect();
                done.events
                    .extend(done.rated.iter().map(events::rating_update));
            }
            Record::Statistics(statistics) => done.events = achievements::messages(statistics),
            _ => {}
        }
        done
    }

    fn answer(&self, batch: &Batch) -> Written {
        let mut written = Written {
            launched: batch.launched,
            ..Written::default()
        };
        for record in &batch.records {
            let done = self.settle(record, &mut written.launched);
            written.done.push(done);
        }
        written
    }
}

struct Bench {
    shard: OneShard<Faf>,
    office: Office,
    /// What was asked and not answered yet.
    asked: Vec<(Ticket, Box<Batch>)>,
    published: usize,
}

impl Bench {
    /// Eight players in a launched game.
    fn launched() -> (Self, Vec<ConnId>) {
        let mut bench = Bench {
            shard: OneShard::new(Faf::new(SHARD, 1, Arc::new(Settings::default()))),
            office: Office::new(),
            asked: Vec::new(),
            published: 0,
        };
        bench.turn(|faf, turn| faf.on_start(turn));
        bench.turn(|faf, turn| faf.on_notice(turn, News::Reference(Arc::default())));
        let conns: Vec<ConnId> = (1..=PLAYERS).map(|id| bench.log_in(id)).collect();
        bench.say(
            conns[0],
            &json!({"command": "game_host", "visibility": "public"}),
        );
        for state in ["Idle", "Lobby"] {
            bench.say(conns[0], &game("GameState", json!([state])));
        }
        for &guest in &conns[1..] {
            bench.say(guest, &json!({"command": "game_join", "uid": 7}));
            for state in ["Idle", "Lobby"] {
                bench.say(guest, &game("GameState", json!([state])));
            }
        }
        for id in 1..=PLAYERS {
            for (key, value) in [("Army", id), ("Team", 2 + id % 2), ("StartSpot", id)] {
                bench.say(conns[0], &game("PlayerOption", json!([id, key, value])));
            }
        }
        bench.say(conns[0], &game("GameState", json!(["Launching"])));
        bench.say(conns[0], &game("EnforceRating", json!([])));
        bench.settle();
        (bench, conns)
    }

    fn turn(&mut self, input: impl FnOnce(&mut Faf, &mut Turn<'_, Faf>)) {
        self.shard.turn(input);
    }

    fn frame(&mut self, conn: ConnId, body: &mut [u8]) {
        self.turn(|faf, turn| faf.on_frame(turn, conn, body));
        self.collect();
    }

    /// Takes the effects to where the engine would.
    fn collect(&mut self) {
        let mut kept = Vec::new();
        for effect in self.shard.effects.drain(..) {
            match effect {
                Effect::Ask(ticket, Ask::WriteRecords(question)) => {
                    self.asked.push((ticket, question.batch));
                }
                Effect::Ask(ticket, Ask::KeepRecords(_)) => kept.push(ticket),
                Effect::Publish(_) => self.published += 1,
                _ => {}
            }
        }
        // The end of a game goes to the store when it is on disk.
        for ticket in kept {
            self.turn(|faf, turn| faf.on_answer(turn, ticket, Answer::KeepRecords(Ok(()))));
            self.collect();
        }
    }

    /// One message, and whatever it asks is answered.
    fn say(&mut self, conn: ConnId, message: &Value) {
        self.turn(|faf, turn| faf.on_frame(turn, conn, &mut message.to_string().into_bytes()));
        let asked = self.shard.effects.iter().find_map(|effect| match effect {
            Effect::Ask(ticket, ask) => Some((*ticket, ask.clone())),
            _ => None,
        });
        self.collect();
        let Some((ticket, ask)) = asked else { return };
        let answer = match ask {
            Ask::Login(_) => Answer::Login(Ok(Box::new(Account {
                id: conn.slot,
                login: format!("player{}", conn.slot).into(),
                ..Account::default()
            }))),
            Ask::Host(_) => Answer::Host(Ok(HostGrant {
                game_id: Some(7),
                ..HostGrant::default()
            })),
            Ask::Join(_) => Answer::Join(Ok(None)),
            _ => return,
        };
        self.turn(|faf, turn| faf.on_answer(turn, ticket, answer));
        self.collect();
    }

    /// Answers the ledger until it asks nothing more; gives how often it did.
    fn settle(&mut self) -> usize {
        let mut answered = 0;
        while let Some((ticket, batch)) = self.asked.pop() {
            let written = self.office.answer(&batch);
            self.turn(|faf, turn| faf.on_answer(turn, ticket, Answer::WriteRecords(written)));
            self.collect();
            answered += 1;
        }
        answered
    }

    fn log_in(&mut self, id: u32) -> ConnId {
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
        let hello = json!({"command": "hello", "login": "x", "password": "y", "unique_id": "z"});
        self.say(conn, &hello);
        conn
    }
}

fn game(command: &str, args: Value) -> Value {
    json!({"command": command, "target": "game", "args": args})
}

/// Army statistics as a game reports them.
fn statistics() -> String {
    let mut units = json!({});
    for category in [
        "air",
        "land",
        "naval",
        "experimental",
        "transportation",
        "sacu",
        "cdr",
        "tech1",
        "tech2",
        "tech3",
        "engineer",
    ] {
        units[category] = json!({"built": 12, "lost": 3, "kills": 4});
    }
    let army = |id: u32| {
        let mut blueprints = json!({});
        for n in 0..BLUEPRINTS {
            let unit =
                json!({"built": 12, "lost": 3, "kills": 4, "lowest_health": 250.5, "type": "land"});
            blueprints[format!("uel{n:04}")] = unit;
        }
        json!({"type": "Human", "name": format!("player{id}"), "faction": 1 + id % 4,
               "general": {"score": 1000 + id}, "blueprints": blueprints, "units": units})
    };
    json!({"stats": (1..=PLAYERS).map(army).collect::<Vec<_>>()}).to_string()
}

/// Every frame of the end, in order.
fn frames(conns: &[ConnId]) -> Vec<(ConnId, Vec<u8>)> {
    let text = statistics();
    let mut frames = Vec::new();
    for &conn in conns {
        for army in 1..=PLAYERS {
            let word = if army % 2 == 0 {
                "victory 10"
            } else {
                "recall defeat -10"
            };
            frames.push((conn, game("GameResult", json!([army, word]))));
        }
    }
    for &conn in conns {
        frames.push((conn, game("JsonStats", json!([text]))));
        frames.push((conn, game("Desync", json!([]))));
    }
    for &conn in conns {
        frames.push((conn, game("GameEnded", json!([]))));
    }
    let bytes = |(conn, message): (ConnId, Value)| (conn, message.to_string().into_bytes());
    frames.into_iter().map(bytes).collect()
}

fn shard_time(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("game end");
    let (_, conns) = Bench::launched();
    let whole = frames(&conns);
    println!("statistics: {} bytes", statistics().len());

    // What the shard does, the answers included but not what makes them.
    group.bench_function("whole, 4v4, 8 x 100 KiB of statistics", |b| {
        b.iter_batched(
            || {
                // The answers of a game played the same way before.
                let (mut played, conns) = Bench::launched();
                let mut answers = Vec::new();
                for (conn, mut frame) in frames(&conns) {
                    played.frame(conn, &mut frame);
                    while let Some((ticket, batch)) = played.asked.pop() {
                        let written = played.office.answer(&batch);
                        answers.push(written.clone());
                        played.turn(|faf, turn| {
                            faf.on_answer(turn, ticket, Answer::WriteRecords(written))
                        });
                        played.collect();
                    }
                }
                assert!(played.published > 8 + 1, "{} messages", played.published);
                answers.reverse();
                let (bench, _) = Bench::launched();
                (bench, whole.clone(), answers)
            },
            |(mut bench, frames, mut answers)| {
                for (conn, mut frame) in frames {
                    bench.frame(conn, &mut frame);
                    while let Some((ticket, _)) = bench.asked.pop() {
                        let written = answers.pop().expect("the same game asks the same");
                        bench.turn(|faf, turn| {
                            faf.on_answer(turn, ticket, Answer::WriteRecords(written))
                        });
                        bench.collect();
                    }
                }
                (bench, answers)
            },
            BatchSize::PerIteration,
        );
    });

    let statistics = game("JsonStats", json!([statistics()]))
        .to_string()
        .into_bytes();
    let (mut bench, conns) = Bench::launched();
    group.bench_function("statistics frame", |b| {
        b.iter_batched(
            || statistics.clone(),
            |mut frame| bench.frame(conns[0], black_box(&mut frame)),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

fn office_time(criterion: &mut Criterion) {
    let (mut bench, conns) = Bench::launched();
    let mut records = Vec::new();
    for (conn, mut frame) in frames(&conns) {
        bench.frame(conn, &mut frame);
        while let Some((ticket, batch)) = bench.asked.pop() {
            records.extend(batch.records.iter().cloned());
            let written = bench.office.answer(&batch);
            bench.turn(|faf, turn| faf.on_answer(turn, ticket, Answer::WriteRecords(written)));
            bench.collect();
        }
    }
    let office = Office::new();
    let mut launched = None;
    criterion.bench_function("game end/back office, without the store", |b| {
        b.iter(|| {
            for record in &records {
                black_box(office.settle(record, &mut launched));
            }
        });
    });
}

criterion_group!(benches, shard_time, office_time);
criterion_main!(benches);
