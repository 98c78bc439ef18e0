//! What a message costs VCMI's JSON lobby, from JSON text to effects: a line of chat to everybody, and a login among many.
//!
//! `cargo bench --bench vcmi_json`. One shard without an engine: no sockets, nothing written for a wire, and a store that has
//! done everything at once. Beside it what serde_json takes to read the same line, which every lobby of JSON pays at least.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

#[path = "support/one_shard.rs"]
mod one_shard;
#[path = "support/vcmi_json_store.rs"]
mod store;

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use criterion::{Criterion, criterion_group, criterion_main};
use muster::{
    lobby::{
        ConnId, Dialect, Effect, Origin, Protocol,
        vcmi_json::{Settings, VcmiJson, questions::Ask},
    },
    wire::Format,
};

use one_shard::{OneShard, SHARD};

const PLAYERS: u32 = 500;
const LINE: &str = r#"{"channelName":"english","channelType":"global","messageText":"anybody for a game on a large map?","type":"sendChatMessage"}"#;

struct Bench {
    shard: OneShard<VcmiJson>,
}

fn conn(slot: u32) -> ConnId {
    ConnId {
        shard: SHARD,
        slot,
        generation: 0,
    }
}

impl Bench {
    /// So many players who have signed in.
    fn new() -> Bench {
        let settings = Settings {
            enabled: true,
            messages_per_second: None,
            caused_bytes_per_second: None,
            ..Settings::default()
        };
        let dialect = VcmiJson::new(SHARD, 1, Arc::new(settings));
        let mut bench = Bench {
            shard: OneShard::new(dialect),
        };
        bench.shard.turn(|dialect, turn| dialect.on_start(turn));
        bench.answer();
        for slot in 0..PLAYERS {
            bench.open(slot);
            bench.login(slot);
        }
        bench
    }

    fn open(&mut self, slot: u32) {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let origin = Origin {
            address,
            counted: None,
            format: Format::PrefixedLittleEndian,
            protocol: Protocol::default(),
        };
        self.shard
            .turn(|dialect, turn| dialect.on_open(turn, conn(slot), origin));
    }

    fn login(&mut self, slot: u32) {
        let text = format!(
            r#"{{"type":"clientLogin","accountID":"{slot}","accountCookie":"x","language":"english","version":"1.7.5"}}"#
        );
        self.say(slot, &text);
    }

    /// Has a message handled to the end.
    fn say(&mut self, slot: u32, text: &str) {
        let mut body = text.as_bytes().to_vec();
        self.shard
            .turn(|dialect, turn| dialect.on_frame(turn, conn(slot), &mut body));
        self.answer();
    }

    fn answer(&mut self) {
        loop {
            let asked = self.shard.effects.drain(..).find_map(asked);
            let Some((ticket, ask)) = asked else {
                return;
            };
            let answer = store::answer(ask);
            self.shard
                .turn(|dialect, turn| dialect.on_answer(turn, ticket, answer));
        }
    }
}

fn asked(effect: Effect<VcmiJson>) -> Option<(muster::lobby::Ticket, Ask)> {
    match effect {
        Effect::Ask(ticket, ask) => Some((ticket, ask)),
        other => {
            black_box(other);
            None
        }
    }
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("vcmi_json");
    let mut bench = Bench::new();
    group.bench_function("a line of chat", |b| {
        b.iter(|| {
            bench.shard.mono += Duration::from_millis(1);
            bench.say(7, LINE);
        });
    });
    group.bench_function("the same line read by serde_json", |b| {
        b.iter(|| black_box(serde_json::from_str::<serde_json::Value>(black_box(LINE))));
    });
    group.bench_function("a login and an end among 500", |b| {
        let mut slot = PLAYERS;
        b.iter(|| {
            bench.shard.mono += Duration::from_secs(1);
            let text = r#"{"type":"clientLogin","accountID":"7","accountCookie":"x","language":"english","version":"1.7.5"}"#;
            bench.open(slot);
            bench.say(slot, text);
            bench
                .shard
                .turn(|dialect, turn| dialect.on_close(turn, conn(slot)));
            bench.answer();
            slot += 1;
        });
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
