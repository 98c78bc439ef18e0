//! How long mail between shards takes, while both shards are busy and while both sleep.
//!
//! `cargo bench --bench mesh`. A busy shard has no idle moment: as soon as one turn of 20 µs ends the next is due.
//! Each shard mails the other every millisecond; the time from the sender's turn to the receiver's is recorded.
//! Exits with an error if the busy p99 is 5 ms or more.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;
use muster::{
    engine::{AddressLimits, Engine, MemoryLimits, Mesh, Outside, Settings},
    lobby::{ConnId, Dialect, Origin, ShardId, Stopping, Turn},
};
use serde::{Deserialize, Serialize};

const TURN: Duration = Duration::from_micros(20);
const INTERVAL: Duration = Duration::from_millis(1);
const RUN: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Timer {
    Mail,
    Work,
}

struct Correspondent {
    busy: bool,
    latencies: Arc<Mutex<Histogram<u64>>>,
}

impl Dialect for Correspondent {
    /// When it was sent, as the engine's clock says.
    type Mail = Duration;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = Timer;

    fn on_start(&mut self, turn: &mut Turn<'_, Self>) {
        turn.wake_at(turn.now.mono, Timer::Mail);
        if self.busy {
            turn.wake_at(turn.now.mono, Timer::Work);
        }
    }
    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, _: ShardId, sent: Duration) {
        let latency = turn.now.mono.saturating_sub(sent).as_nanos() as u64;
        self.latencies
            .lock()
            .expect("no panic")
            .saturating_record(latency);
    }
    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, timer: Timer) {
        match timer {
            Timer::Mail => {
                let now = turn.now.mono;
                turn.mail_all(|| now);
                turn.wake_at(now + INTERVAL, timer);
            }
            Timer::Work => {
                let start = Instant::now();
                while start.elapsed() < TURN {
                    std::hint::spin_loop();
                }
                turn.wake_at(turn.now.mono, timer);
            }
        }
    }
    fn on_open(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: Origin) {}
    fn on_frame(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {}
    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}
    fn refuse((): ()) {}
}

fn measure(busy: bool) -> Histogram<u64> {
    let settings = Settings {
        inherited: std::sync::Arc::default(),
        bans: std::sync::Arc::default(),
        refusals: std::sync::Arc::default(),
        tls: None,
        shards: 2,
        pin: true,
        listeners: Vec::new(),
        connections: 1,
        memory: MemoryLimits::default(),
        address_limits: AddressLimits {
            connections: Some(1),
            opened_per_second: Some(1),
        },
        ipv6_prefix: 64,
        peer_timeout: Duration::from_secs(90),
        handshake: RUN,
        seed: Some(1),
    };
    let latencies = Arc::new(Mutex::new(
        Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("valid bounds"),
    ));
    let mesh = Mesh::<Correspondent>::new(2);
    let recorded = latencies.clone();
    let engine = Engine::start(
        settings,
        mesh.clone(),
        Outside {
            ask: Arc::new(|_, _, ()| Ok(())),
            publish: Arc::new(|()| true),
        },
        move |_| Correspondent {
            busy,
            latencies: recorded.clone(),
        },
    )
    .expect("the engine starts");
    std::thread::sleep(RUN);
    mesh.stop(Stopping::Now);
    engine.join();
    latencies.lock().expect("no panic").clone()
}

fn main() {
    let mut worst = 0;
    for (name, busy) in [("asleep", false), ("busy", true)] {
        let latencies = measure(busy);
        let us = |q| latencies.value_at_quantile(q) as f64 / 1_000.0;
        println!(
            "mail between shards, both {name:<6}: {:>6} letters, p50 {:.1} µs, p99 {:.1} µs, p99.9 {:.1} µs, max {:.1} µs",
            latencies.len(),
            us(0.5),
            us(0.99),
            us(0.999),
            us(1.0)
        );
        if busy {
            worst = latencies.value_at_quantile(0.99);
        }
    }
    if worst >= 5_000_000 {
        eprintln!("busy p99 is 5 ms or more");
        std::process::exit(1);
    }
}
