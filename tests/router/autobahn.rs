//! RFC 6455 by the cases of the Autobahn test suite, against a real engine that repeats whatever it is told.
//!
//! The suite runs under Python 2 only: `tests/with-autobahn` brings it and says where it is. Without it the test says so and
//! passes; the same rules, case by case where they are subtle, are in the codec's own tests.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::Arc,
};

use serde_json::{Value, json};

use muster::{
    engine::{Engine, Mesh, Outside, Settings},
    lobby::{ConnId, Dialect, Listener, Origin, OutboxLimits, Protocol, Stopping, Turn},
    wire::{Format, ReadLimits},
};

/// Cases in which messages are binary; in all others they are text.
const BINARY: [&str; 5] = ["1.2.*", "9.2.*", "9.4.*", "9.6.*", "9.8.*"];
/// Compression, which we do not offer.
const LEFT_OUT: [&str; 2] = ["12.*", "13.*"];
/// The longest message of the suite has 16 MiB.
const MESSAGE_BYTES: usize = 32 << 20;

/// Says everything back to whoever has said it.
#[derive(Debug)]
struct Repeat;

impl Dialect for Repeat {
    type Mail = ();
    type Ask = Infallible;
    type Answer = Infallible;
    type Event = Infallible;
    type Notice = Infallible;
    type Timer = ();

    fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        turn.send(conn, body.to_vec());
    }

    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}

    fn refuse(ask: Infallible) -> Infallible {
        ask
    }
}

fn listener(name: &str, format: Format) -> Listener {
    Listener {
        name: name.to_owned(),
        address: (Ipv4Addr::LOCALHOST, 0).into(),
        format,
        greeting: b"",
        protocol: Protocol::default(),
        outbox: OutboxLimits {
            soft_bytes: MESSAGE_BYTES,
            hard_bytes: 4 * MESSAGE_BYTES,
            ..OutboxLimits::default()
        },
        read: ReadLimits {
            message_bytes: MESSAGE_BYTES,
            ..ReadLimits::default()
        },
        strangers: None,
        proxy: false,
        trusted: Vec::new(),
        tls: false,
    }
}

/// Runs cases against an address. How the suite judged each: `OK`, `NON-STRICT`, `INFORMATIONAL`, `FAILED` …, and the same of
/// how the connection ended.
fn judged(
    wstest: &str,
    address: SocketAddr,
    cases: &[&str],
    but: &[&str],
) -> BTreeMap<String, (String, String)> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let spec = json!({
        "outdir": folder.path().join("reports"),
        "servers": [{"agent": "muster", "url": format!("ws://{address}")}],
        "cases": cases,
        "exclude-cases": but,
        "exclude-agent-cases": {},
    });
    let file = folder.path().join("spec.json");
    std::fs::write(&file, spec.to_string()).expect("a file can be written");
    let output = Command::new(wstest)
        .args(["--mode", "fuzzingclient", "--spec"])
        .arg(&file)
        .output()
        .expect("wstest can be run");
    assert!(output.status.success(), "{output:?}");
    let index = std::fs::read(folder.path().join("reports/index.json")).expect("there is a report");
    let index: Value = serde_json::from_slice(&index).expect("the report is JSON");
    let judged = index["muster"].as_object().expect("we are in the report");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    judged
        .iter()
        .map(|(case, of)| {
            (
                case.clone(),
                (text(&of["behavior"]), text(&of["behaviorClose"])),
            )
        })
        .collect()
}

#[test]
fn every_case_of_the_autobahn_suite_is_strictly_in_order() {
    let Ok(wstest) = std::env::var("MUSTER_TEST_WSTEST") else {
        eprintln!(
            "MUSTER_TEST_WSTEST names no wstest: run by tests/with-autobahn to try the Autobahn cases"
        );
        return;
    };
    let settings = Settings {
        shards: 1,
        pin: false,
        listeners: vec![
            listener("text", Format::WebSocketText),
            listener("binary", Format::WebSocketBinary),
        ],
        ..Settings::default()
    };
    let mesh = Mesh::new(1);
    let outside = Outside {
        ask: Arc::new(|_, _, ask| Err(ask)),
        publish: Arc::new(|_| true),
    };
    let engine = Engine::start(settings, mesh.clone(), outside, |_| Repeat).expect("it starts");
    let [(_, text), (_, binary)] = engine.addresses[..] else {
        panic!("{:?}", engine.addresses);
    };
    let mut all = judged(&wstest, binary, &BINARY, &[]);
    all.extend(judged(
        &wstest,
        text,
        &["*"],
        &[&BINARY[..], &LEFT_OUT].concat(),
    ));

    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (behaviour, _) in all.values() {
        *counts.entry(behaviour).or_default() += 1;
    }
    println!("Autobahn: {} cases, {counts:?}", all.len());
    let bad = all.iter().filter(|(_, (behaviour, close))| {
        [behaviour, close]
            .iter()
            .any(|judged| !["OK", "INFORMATIONAL"].contains(&judged.as_str()))
    });
    assert_eq!(bad.collect::<Vec<_>>(), []);
    assert!(all.len() > 200, "only {} cases were tried", all.len());
    mesh.stop(Stopping::Now);
    engine.join();
}
