//! What a frame costs the FAF dialect, from JSON text to effects, and what a newcomer's snapshot costs.
//!
//! `cargo bench --bench dispatch`. One shard without an engine: no sockets, no encoding for a wire; the same frames again
//! through the router, as in the server. The snapshot is a resync of a player among 5,000, compared with joining the same
//! texts anew; `changed` has one player come and go before each, so one block of the picture is joined again.

#![allow(missing_docs, reason = "criterion_group makes a public function")]

#[path = "support/one_shard.rs"]
mod one_shard;

use std::{
    hint::black_box,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use muster::{
    lobbies::{Of, Router},
    lobby::{
        ConnId, Dialect, Effect, Origin, Protocol, Ticket, Turn,
        cockatrice::Cockatrice,
        faf::{
            Faf, Settings,
            news::News,
            questions::{Account, Answer, Ask, HostGrant},
        },
        vcmi::Vcmi,
        vcmi_json::VcmiJson,
    },
    wire::Format,
};

use one_shard::{OneShard, SHARD};

const PLAYERS: u32 = 5_000;

/// FAF alone, or in the router with the other lobbies.
struct Bench<D: Dialect> {
    shard: OneShard<D>,
}

fn alone() -> Bench<Faf> {
    Bench::new(Faf::new(SHARD, 1, Arc::new(Settings::default())))
}

fn in_the_router() -> Bench<Router> {
    let faf = Faf::new(SHARD, 1, Arc::new(Settings::default()));
    let vcmi = Vcmi::new(SHARD, 1, Arc::default());
    let cockatrice = Cockatrice::new(SHARD, 1, Arc::default());
    let vcmi_json = VcmiJson::new(SHARD, 1, Arc::default());
    Bench::new(Router::new(faf, vcmi, cockatrice, vcmi_json))
}

/// FAF, by itself or in the router: what passes between it and the back office.
trait Asks: Dialect {
    fn question(ask: &Self::Ask) -> &Ask;
    fn answer(answer: Answer) -> Self::Answer;
    fn notice(news: News) -> Self::Notice;
}

impl Asks for Faf {
    fn question(ask: &Ask) -> &Ask {
        ask
    }
    fn answer(answer: Answer) -> Answer {
        answer
    }
    fn notice(news: News) -> News {
        news
    }
}

impl Asks for Router {
    fn question(ask: &Self::Ask) -> &Ask {
        match ask {
            Of::Faf(ask) => ask,
            Of::Vcmi(never) => match *never {},
            Of::Cockatrice(ask) => panic!("only FAF is asked for something: {ask:?}"),
            Of::VcmiJson(ask) => panic!("only FAF is asked for something: {ask:?}"),
        }
    }
    fn answer(answer: Answer) -> Self::Answer {
        Of::Faf(answer)
    }
    fn notice(news: News) -> Self::Notice {
        Of::Faf(news)
    }
}

impl<D: Asks> Bench<D> {
    fn new(faf: D) -> Self {
        let mut bench = Bench {
            shard: OneShard::new(faf),
        };
        bench.turn(|faf, turn| faf.on_start(turn));
        bench.turn(|faf, turn| faf.on_notice(turn, D::notice(News::Reference(Arc::default()))));
        bench
    }

    fn turn(&mut self, input: impl FnOnce(&mut D, &mut Turn<'_, D>)) {
        self.shard.turn(input);
    }

    /// A hundred in a second: who says much more is heard later.
    fn frame(&mut self, conn: ConnId, body: &mut [u8]) {
        self.shard.mono += Duration::from_millis(10);
        self.turn(|faf, turn| faf.on_frame(turn, conn, body));
    }

    fn say(&mut self, conn: ConnId, text: &str) {
        self.frame(conn, &mut text.as_bytes().to_vec());
        let asked = self.shard.effects.iter().find_map(|effect| {
            let Effect::Ask(ticket, ask) = effect else {
                return None;
            };
            match D::question(ask) {
                Ask::Login(_) => Some((*ticket, None)),
                Ask::Host(_) => Some((
                    *ticket,
                    Some(HostGrant {
                        game_id: Some(7),
                        ..HostGrant::default()
                    }),
                )),
                _ => None,
            }
        });
        let Some((ticket, grant)) = asked else { return };
        let id = conn.slot;
        let answer = match grant {
            Some(grant) => Answer::Host(Ok(grant)),
            None => Answer::Login(Ok(Box::new(Account {
                id,
                login: format!("player{id}").into(),
                country: "DE".into(),
                ..Account::default()
            }))),
        };
        self.answer(ticket, answer);
    }

    fn answer(&mut self, ticket: Ticket, answer: Answer) {
        self.turn(|faf, turn| faf.on_answer(turn, ticket, D::answer(answer)));
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
        self.say(
            conn,
            r#"{"command":"hello","login":"x","password":"y","unique_id":"z"}"#,
        );
        conn
    }

    /// A host in his lobby.
    fn host(&mut self, id: u32) -> ConnId {
        let conn = self.log_in(id);
        self.say(conn, r#"{"command":"game_host","visibility":"public"}"#);
        for state in ["Idle", "Lobby"] {
            let text = format!(r#"{{"command":"GameState","target":"game","args":["{state}"]}}"#);
            self.say(conn, &text);
        }
        conn
    }
}

fn frames(criterion: &mut Criterion) {
    frames_of(criterion, "frame", alone());
    frames_of(criterion, "frame, through the router", in_the_router());
}

fn frames_of<D: Asks>(criterion: &mut Criterion, name: &str, mut bench: Bench<D>) {
    let mut group = criterion.benchmark_group(name);
    group.throughput(Throughput::Elements(1));
    let host = bench.host(1);
    let candidate =
        "candidate:1 1 udp 2130706431 192.0.2.17 54321 typ host generation 0 ufrag abcd";
    let ice = format!(
        r#"{{"command":"IceMsg","target":"game","args":[1,"{{\"type\":\"candidate\",\"sdp\":\"{candidate}\"}}"]}}"#
    );
    let option = r#"{"command":"PlayerOption","target":"game","args":[1,"Faction",3]}"#;
    for (name, text, effects) in [
        ("ping", r#"{"command":"ping"}"#, 1),
        ("IceMsg", &*ice, 1),
        ("PlayerOption", option, 0),
    ] {
        bench.say(host, text);
        assert_eq!(
            bench.shard.effects.len(),
            effects,
            "{name} does what it should"
        );
        group.bench_function(name, |b| {
            b.iter_batched_ref(
                || text.as_bytes().to_vec(),
                |body| {
                    bench.frame(host, body);
                    black_box(bench.shard.effects.len())
                },
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn snapshot(criterion: &mut Criterion) {
    let mut bench = alone();
    let conns: Vec<ConnId> = (1..=PLAYERS).map(|id| bench.log_in(id)).collect();
    let reader = conns[0];
    let mut group = criterion.benchmark_group("snapshot of 5000");
    group.bench_function("shared blocks", |b| {
        b.iter(|| {
            bench.turn(|faf, turn| faf.on_resync(turn, reader));
            black_box(bench.shard.effects.len())
        });
    });
    let mut id = PLAYERS;
    group.bench_function("login, one block changed", |b| {
        b.iter(|| {
            id += 1;
            let conn = bench.log_in(id);
            bench.turn(|faf, turn| faf.on_close(turn, conn));
        });
    });
    bench.turn(|faf, turn| faf.on_resync(turn, reader));
    let texts: Vec<_> = bench
        .shard
        .effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::SendChunks(_, parts) => Some(parts),
            _ => None,
        })
        .flatten()
        .map(|part| part.text().clone())
        .collect();
    group.bench_function("joined anew", |b| b.iter(|| black_box(texts.concat())));
    group.finish();
}

criterion_group!(benches, frames, snapshot);
criterion_main!(benches);
