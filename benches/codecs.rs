//! What reading and writing messages costs, per message and per byte.
//!
//! Reading JSON is compared with `serde_json` into its `Value`, mail of other nodes with `rmp_serde`, in the same run. Nothing
//! but `muster::wire` is measured: no sockets, no dialect.

#![allow(missing_docs)] // criterion_group! makes a public function without any.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use muster::wire::json::{JsonReader, to_json};
use muster::wire::{Decoder, Format, ReadLimits, Scratch, Step, messagepack, packets, websocket};
use serde::{Deserialize, Serialize};

/// A message of the game, as clients send it most often.
const MESSAGE: &[u8] = br#"{"command":"IceMsg","target":"game","args":[50001,"{\"type\":\"candidate\",\"candidate\":\"candidate:1 1 UDP 2122252543 192.0.2.7 6112 typ host\",\"sdpMLineIndex\":0}"]}"#;
/// Messages in a stream that is decoded in one go.
const MESSAGES: usize = 64;

#[derive(Serialize)]
struct GameInfo {
    command: &'static str,
    visibility: &'static str,
    password_protected: bool,
    uid: u32,
    title: &'static str,
    state: &'static str,
    game_type: &'static str,
    featured_mod: &'static str,
    mapname: &'static str,
    host: &'static str,
    num_players: u32,
    max_players: u32,
    launched_at: Option<f64>,
    rating_min: Option<f64>,
    rating_max: Option<f64>,
    teams: std::collections::BTreeMap<u32, Vec<&'static str>>,
}

fn game_info() -> GameInfo {
    GameInfo {
        command: "game_info",
        visibility: "public",
        password_protected: false,
        uid: 123_456,
        title: "Setons 1500+ – come in",
        state: "open",
        game_type: "custom",
        featured_mod: "faf",
        mapname: "scmp_009",
        host: "orion",
        num_players: 4,
        max_players: 8,
        launched_at: Some(1_700_000_000.25),
        rating_min: Some(1500.0),
        rating_max: None,
        teams: [(2, vec!["orion", "lyra"]), (3, vec!["vega", "cygnus"])].into(),
    }
}

fn reading_json(criterion: &mut Criterion) {
    for (unit, throughput) in units(1, MESSAGE.len()) {
        let mut group = criterion.benchmark_group(format!("json read, {unit}"));
        group.throughput(throughput);
        let mut reader = JsonReader::new();
        let mut text = MESSAGE.to_vec();
        group.bench_function("muster", |bencher| {
            bencher.iter(|| {
                // The parser overwrites its input, so the copy is part of the measurement.
                text.copy_from_slice(MESSAGE);
                let doc = reader.parse(&mut text).expect("the message is JSON");
                let root = doc.root();
                black_box((
                    root.get("command")
                        .and_then(|value| value.as_str())
                        .map(str::len),
                    root.get("args").map(|args| args.len()),
                ))
            });
        });
        group.bench_function("serde_json::Value", |bencher| {
            bencher.iter(|| {
                let root: serde_json::Value =
                    serde_json::from_slice(MESSAGE).expect("the message is JSON");
                black_box((
                    root.get("command")
                        .and_then(|value| value.as_str())
                        .map(str::len),
                    root.get("args")
                        .and_then(|args| args.as_array())
                        .map(Vec::len),
                ))
            });
        });
    }
}

fn writing_json(criterion: &mut Criterion) {
    let game = game_info();
    for (unit, throughput) in units(1, to_json(&game).len()) {
        let mut group = criterion.benchmark_group(format!("json write, {unit}"));
        group.throughput(throughput);
        group.bench_function("muster", |bencher| {
            bencher.iter(|| to_json(black_box(&game)))
        });
        group.bench_function("serde_json", |bencher| {
            bencher.iter(|| serde_json::to_vec(black_box(&game)).expect("the struct is JSON"));
        });
    }
}

/// One of what a tick tells another node.
#[derive(Clone, Serialize, Deserialize)]
enum News {
    Came {
        id: u32,
        login: String,
        ratings: Vec<(String, f64, f64)>,
    },
    Left(u32),
}

fn reading_mail(criterion: &mut Criterion) {
    let came = |id| News::Came {
        id,
        login: format!("player{id}"),
        ratings: vec![("global".to_owned(), 1500.5, 120.25); 2],
    };
    let news: Vec<News> = (0..MESSAGES as u32)
        .map(|id| {
            if id % 4 == 0 {
                News::Left(id)
            } else {
                came(id)
            }
        })
        .collect();
    let bytes = rmp_serde::to_vec_named(&news).expect("plain data");
    for (unit, throughput) in units(MESSAGES, bytes.len()) {
        let mut group = criterion.benchmark_group(format!("mail read, {unit}"));
        group.throughput(throughput);
        group.bench_function("muster", |bencher| {
            bencher.iter(|| messagepack::from_slice::<Vec<News>>(black_box(&bytes)).is_ok());
        });
        group.bench_function("rmp_serde", |bencher| {
            bencher.iter(|| rmp_serde::from_slice::<Vec<News>>(black_box(&bytes)).is_ok());
        });
    }
}

fn decoding(criterion: &mut Criterion) {
    for format in Format::ALL {
        let mut stream = Vec::new();
        for _ in 0..MESSAGES {
            match format {
                Format::WebSocket | Format::WebSocketText => {
                    websocket::encode_client_text(MESSAGE, [7, 77, 1, 200], &mut stream)
                }
                Format::WebSocketBinary => {
                    websocket::encode_client_binary(MESSAGE, [7, 77, 1, 200], &mut stream)
                }
                Format::Packets => packets::encode(MESSAGE, &mut stream),
                _ => format.encode(MESSAGE, &mut stream),
            }
        }
        for (unit, throughput) in units(MESSAGES, stream.len()) {
            let mut group = criterion.benchmark_group(format!("decode, {unit}"));
            group.throughput(throughput);
            let mut scratch = Scratch::default();
            let limits = ReadLimits::default();
            group.bench_function(format!("{format:?}"), |bencher| {
                bencher.iter_batched_ref(
                    || (opened(format), stream.clone()),
                    |(decoder, stream)| {
                        let (mut at, mut bytes) = (0, 0);
                        while let Step::Frame { consumed, body } =
                            decoder.step(&mut stream[at..], &mut scratch, &limits)
                        {
                            bytes += body.len();
                            at += consumed;
                        }
                        assert_eq!(bytes, MESSAGES * MESSAGE.len());
                    },
                    BatchSize::SmallInput,
                );
            });
        }
    }
}

fn encoding(criterion: &mut Criterion) {
    let body = to_json(&game_info());
    for (unit, throughput) in units(1, body.len()) {
        let mut group = criterion.benchmark_group(format!("encode, {unit}"));
        group.throughput(throughput);
        for format in Format::ALL {
            let mut out = Vec::new();
            group.bench_function(format!("{format:?}"), |bencher| {
                bencher.iter(|| {
                    out.clear();
                    format.encode(black_box(&body), &mut out);
                    black_box(out.len())
                });
            });
        }
    }
}

/// A decoder that frames may come to.
fn opened(format: Format) -> Decoder {
    let mut decoder = Decoder::new(format, false, false);
    if format.has_upgrade() {
        let mut request = websocket::client_handshake("localhost", "/", "dGhlIHNhbXBsZSBub25jZQ==");
        let mut scratch = Scratch::default();
        let step = decoder.step(&mut request, &mut scratch, &ReadLimits::default());
        assert!(matches!(step, Step::Reply { .. }));
    }
    decoder
}

/// Both ways to count: messages and bytes.
fn units(messages: usize, bytes: usize) -> [(&'static str, Throughput); 2] {
    [
        ("messages", Throughput::Elements(messages as u64)),
        ("bytes", Throughput::Bytes(bytes as u64)),
    ]
}

criterion_group!(
    benches,
    reading_json,
    writing_json,
    reading_mail,
    decoding,
    encoding
);
criterion_main!(benches);
