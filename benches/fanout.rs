//! What one delivery of a broadcast costs the sender, in CPU time of the sending thread, for 1,000 and 8,000 sockets.
//!
//! Three ways in the same run, on the same kind of sockets with the same receivers:
//!
//! - `muster`: the whole real path: a shard's turn, the fan-out, the batch of sends;
//! - `send loop`: nothing but `send` in a loop, what the kernel asks for at the least;
//! - `task per connection`: a glommio task for each connection that is woken and writes for itself.
//!
//! A second group is one tick with 20 changed games to 5,000 watchers: coalesced, beside 20 sends to each.
//!
//! `cargo bench --bench fanout`. Each iteration is one broadcast; divide by the number of sockets for one delivery.

#![allow(missing_docs)] // criterion_group! makes a public function without any.

#[path = "support/setup.rs"]
mod setup;
#[path = "support/threads.rs"]
mod threads;

use std::{
    cell::RefCell,
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    rc::Rc,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures_lite::AsyncWriteExt;
use glommio::{LocalExecutorBuilder, Placement};
use muster::{
    engine::{Engine, Inbound, Mesh, Outside},
    lobby::{Audience, ConnId, Dialect, Origin, ShardId, Stopping, Turn},
};

use threads::{cpu_of, pin_to, start_unpinned, this_task};

const BODY: usize = 400;
const SIZES: [usize; 2] = [1_000, 8_000];
const WATCHERS: usize = 5_000;
const CHANGES: usize = 20;
const SENDER_CORE: usize = 0;
const OTHER_CORE: usize = 1;

/// The receiving ends. Drained after each broadcast, outside what is measured.
struct Receivers(Vec<TcpStream>);

impl Receivers {
    fn connect(address: SocketAddr, count: usize) -> Receivers {
        Receivers(
            (0..count)
                .map(|_| TcpStream::connect(address).expect("connects"))
                .collect(),
        )
    }

    fn drain(&mut self, bytes: usize) {
        let mut buffer = vec![0; bytes];
        for stream in &mut self.0 {
            stream.read_exact(&mut buffer).expect("everything arrives");
        }
    }
}

/// Broadcasts whenever it gets mail.
struct Broadcaster {
    body: Bytes,
    subscribed: Arc<AtomicU64>,
    task: Arc<OnceLock<String>>,
}

impl Dialect for Broadcaster {
    /// How many messages to broadcast at once.
    type Mail = usize;
    type Ask = ();
    type Answer = ();
    type Event = ();
    type Notice = ();
    type Timer = ();

    fn on_start(&mut self, _: &mut Turn<'_, Self>) {
        self.task.get_or_init(this_task);
    }
    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, _: Origin) {
        turn.subscribe(conn);
        self.subscribed.fetch_add(1, Ordering::SeqCst);
    }
    fn on_frame(&mut self, _: &mut Turn<'_, Self>, _: ConnId, _: &mut [u8]) {}
    fn on_close(&mut self, _: &mut Turn<'_, Self>, _: ConnId) {}
    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, _: ShardId, messages: usize) {
        for _ in 0..messages {
            turn.fan_out(Audience::Subscribers, self.body.clone());
        }
    }
    fn refuse((): ()) {}
}

fn muster(criterion: &mut Criterion, name: &str, count: usize, messages: usize) {
    let mesh = Mesh::<Broadcaster>::new(1);
    let subscribed = Arc::new(AtomicU64::new(0));
    let task = Arc::new(OnceLock::new());
    let (counted, its_task) = (subscribed.clone(), task.clone());
    let body: Bytes = vec![b'x'; BODY - 1].into();
    // The shard's core is one of those that this thread may use.
    let engine = start_unpinned(OTHER_CORE, || {
        Engine::start(
            setup::one_shard(count),
            mesh.clone(),
            Outside {
                ask: Arc::new(|_, _, ()| Ok(())),
                publish: Arc::new(|()| true),
            },
            move |_| Broadcaster {
                body: body.clone(),
                subscribed: counted.clone(),
                task: its_task.clone(),
            },
        )
    })
    .expect("the engine starts");
    let mut receivers = Receivers::connect(engine.addresses[0].1, count);
    while subscribed.load(Ordering::SeqCst) < count as u64 {
        std::thread::yield_now();
    }
    let task = task.get().expect("the shard has started");
    let metrics = engine.metrics[0].clone();
    group(criterion, name, "muster", count, |rounds| {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            let (before, done) = (
                cpu_of(task),
                metrics.bytes_out.value() + (count * messages * BODY) as u64,
            );
            mesh.post(
                ShardId::new(0, 0),
                Inbound::Mail(ShardId::new(0, 0), messages),
            );
            while metrics.bytes_out.value() < done {
                std::thread::sleep(Duration::from_millis(1));
            }
            std::thread::sleep(Duration::from_millis(2)); // the shard's work after its last send counts too
            spent += cpu_of(task) - before;
            receivers.drain(BODY * messages);
        }
        spent
    });
    mesh.stop(Stopping::Now);
    drop(receivers);
    engine.join();
}

fn send_loop(criterion: &mut Criterion, name: &str, way: &str, count: usize, messages: usize) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
    let address = listener.local_addr().expect("bound");
    let mut receivers = Vec::new();
    let mut senders = Vec::new();
    for _ in 0..count {
        receivers.push(TcpStream::connect(address).expect("connects"));
        let sender = listener.accept().expect("accepts").0;
        sender.set_nodelay(true).expect("sets");
        sender.set_nonblocking(true).expect("sets");
        senders.push(sender);
    }
    let mut receivers = Receivers(receivers);
    let body = vec![b'x'; BODY];
    // A thread of its own: what draining costs must not count.
    let (go, going) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel::<Duration>();
    let sender = std::thread::spawn(move || {
        pin_to(SENDER_CORE);
        let task = this_task();
        for () in going {
            let before = cpu_of(&task);
            for _ in 0..messages {
                for socket in &mut senders {
                    socket.write_all(&body).expect("the socket takes it");
                }
            }
            done.send(cpu_of(&task) - before).expect("somebody waits");
        }
    });
    group(criterion, name, way, count, |rounds| {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            go.send(()).expect("the sender lives");
            spent += finished.recv().expect("the sender answers");
            receivers.drain(BODY * messages);
        }
        spent
    });
    drop(go);
    sender.join().expect("the sender ends");
}

fn task_per_connection(criterion: &mut Criterion, name: &str, count: usize) {
    let (address_known, address) = mpsc::channel();
    let (go, going) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel::<Duration>();
    let executor = LocalExecutorBuilder::new(Placement::Fixed(SENDER_CORE))
        .name("tasks")
        .spawn(move || async move {
            let listener =
                glommio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("binds");
            address_known
                .send(listener.local_addr().expect("bound"))
                .expect("somebody waits");
            let body: Rc<[u8]> = vec![b'x'; BODY].into();
            let left = Rc::new(RefCell::new(0usize));
            let mut wakes = Vec::new();
            for _ in 0..count {
                let mut stream = listener.accept().await.expect("accepts");
                stream.set_nodelay(true).expect("sets");
                let (wake, woken) = glommio::channels::local_channel::new_unbounded::<()>();
                let (body, left) = (body.clone(), left.clone());
                wakes.push(wake);
                glommio::spawn_local(async move {
                    while woken.recv().await.is_some() {
                        stream.write_all(&body).await.expect("the socket takes it");
                        *left.borrow_mut() -= 1;
                    }
                })
                .detach();
            }
            let task = this_task();
            // This thread has nothing else to do while it waits.
            for () in going {
                let before = cpu_of(&task);
                *left.borrow_mut() = wakes.len();
                for wake in &wakes {
                    wake.try_send(()).expect("the task lives");
                }
                while *left.borrow() > 0 {
                    glommio::executor().yield_task_queue_now().await;
                }
                done.send(cpu_of(&task) - before).expect("somebody waits");
            }
        })
        .expect("an executor");
    let mut receivers = Receivers::connect(address.recv().expect("an address"), count);
    group(criterion, name, "task per connection", count, |rounds| {
        let mut spent = Duration::ZERO;
        for _ in 0..rounds {
            go.send(()).expect("the executor lives");
            spent += finished.recv().expect("the executor answers");
            receivers.drain(BODY);
        }
        spent
    });
    drop(go);
    executor.join().expect("the executor ends");
}

fn group(
    criterion: &mut Criterion,
    name: &str,
    way: &str,
    count: usize,
    mut run: impl FnMut(u64) -> Duration,
) {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(20)
        .measurement_time(Duration::from_secs(4))
        .warm_up_time(Duration::from_secs(1));
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function(BenchmarkId::new(way, count), |bencher| {
        bencher.iter_custom(&mut run)
    });
    group.finish();
}

fn fanout(criterion: &mut Criterion) {
    pin_to(OTHER_CORE);
    let name = "fanout_cpu_per_broadcast";
    for count in SIZES {
        // Sockets of one way are gone before the next are opened: 2 descriptors per connection.
        send_loop(criterion, name, "send loop", count, 1);
        muster(criterion, name, count, 1);
        task_per_connection(criterion, name, count);
        send_loop(criterion, name, "send loop again", count, 1);
    }
    let name = "tick_of_20_changes_cpu";
    muster(criterion, name, WATCHERS, CHANGES);
    send_loop(criterion, name, "20 sends each", WATCHERS, CHANGES);
}

criterion_group!(benches, fanout);
criterion_main!(benches);
