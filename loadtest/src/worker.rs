//! One thread and its clients: a glommio executor, a future per connection, and a main loop that runs tasks when they are due.
//!
//! Reading goes through one scratch buffer for the whole thread; a client holds memory only for an unfinished message.

use std::cell::RefCell;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_lite::future::poll_fn;
use futures_lite::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use glommio::{LocalExecutorBuilder, Placement};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use socket2::{Domain, Protocol, Socket, Type};

use crate::client::{Client, End, Stage};
use crate::framing::Frame;
use crate::latency::Recorder;
use crate::roles::Role;
use crate::run::{Phase, Run};

/// One for all connections of a thread.
const SCRATCH_BYTES: usize = 128 << 10;
/// A connection with more to read than this many chunks lets the others have a turn first.
const READS_PER_TURN: usize = 4;
/// The main loop looks at the phase of the run at least this often.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// Tasks done before connections have a turn.
const TASKS_PER_TURN: usize = 32;
/// How long clients may take to say goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// Thread's figures go to the live line this often.
const PUBLISH_US: u64 = 1_000_000;

/// Something a client has to do at a certain time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// Connect and sign in.
    Connect,
    /// The regular work of the role.
    Work,
    /// Small talk inside a game.
    Chat,
    /// Leave the game.
    Leave,
    /// Ask the server for a sign of life.
    Ping,
    /// End this session.
    SignOut,
}

/// What the clients of a thread share.
pub(crate) struct Local {
    pub(crate) run: Arc<Run>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) random: RefCell<SmallRng>,
    tasks: RefCell<BinaryHeap<Reverse<(u64, usize, Task)>>>,
    scratch: RefCell<Box<[u8]>>,
}

impl Local {
    /// Queues a task for its time.
    pub(crate) fn schedule(&self, due_us: u64, slot: usize, task: Task) {
        self.tasks.borrow_mut().push(Reverse((due_us, slot, task)));
    }

    /// Likewise, unless the measured phase is over by then.
    pub(crate) fn schedule_while_measuring(&self, due_us: u64, slot: usize, task: Task) {
        if self.run.is_measuring_at(due_us) {
            self.schedule(due_us, slot, task);
        }
    }

    /// Books an IceMsg by the marker in it.
    pub(crate) fn ice_arrived(&self, text: &[u8]) {
        let frame = Frame {
            bytes: text,
            wide: false,
            cut: false,
        };
        let mut recorder = self.recorder.borrow_mut();
        recorder.counts.ice_received += 1;
        if let Some(marker) = self.run.markers.find(&frame) {
            let latency_us = self.run.clock.now_us().saturating_sub(marker.intended_us);
            recorder.ice.saturating_record(latency_us.max(1));
        }
    }

    /// Counts what the server must not do.
    pub(crate) fn protocol_error(&self, what: &str) {
        self.recorder.borrow_mut().counts.protocol_errors += 1;
        self.run.record_error(format!("protocol: {what}"));
    }

    fn next_due_us(&self) -> Option<u64> {
        self.tasks
            .borrow()
            .peek()
            .map(|Reverse((due_us, _, _))| *due_us)
    }
}

struct Worker {
    local: Local,
    clients: Box<[RefCell<Client>]>,
}

/// Runs the clients `thread`, `thread + threads`, … until the run stops; gives back what they measured.
pub(crate) fn work(run: Arc<Run>, thread: usize) -> anyhow::Result<Recorder> {
    let placement = if run.plan.pin {
        Placement::Fixed(thread)
    } else {
        Placement::Unbound
    };
    let executor = LocalExecutorBuilder::new(placement)
        .name("swarm")
        .spin_before_park(Duration::ZERO)
        .make()
        .map_err(|error| anyhow::anyhow!("cannot start an io_uring executor: {error}"))?;
    Ok(executor.run(async move {
        let worker = Rc::new(Worker::assemble(run, thread));
        worker.clone().run(thread).await;
        worker.local.recorder.take()
    }))
}

impl Worker {
    fn assemble(run: Arc<Run>, thread: usize) -> Worker {
        let threads = run.plan.threads;
        let indices = (thread..run.plan.clients).step_by(threads);
        let seed = run.plan.seed.wrapping_add(thread as u64);
        let local = Local {
            run,
            recorder: RefCell::default(),
            random: RefCell::new(SmallRng::seed_from_u64(seed)),
            tasks: RefCell::default(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES].into_boxed_slice()),
        };
        let clients = indices
            .enumerate()
            .map(|(slot, index)| RefCell::new(Client::new(index, slot, &local)))
            .collect();
        Worker { local, clients }
    }

    /// The main loop: does what is due, follows the phases, reports.
    async fn run(self: Rc<Self>, thread: usize) {
        let run = &self.local.run;
        let mut phase = Phase::Assemble;
        let mut publish_us = run.clock.now_us() + PUBLISH_US;
        let mut finals_sent = false;
        self.plan_arrivals();
        while phase != Phase::Stop {
            let now_us = run.clock.now_us();
            let entered = run.phase();
            if entered != phase {
                phase = entered;
                if phase == Phase::Measure {
                    self.begin_measuring();
                }
            }
            self.clone().run_tasks(now_us).await;
            if phase == Phase::Finish {
                if !finals_sent {
                    self.send_finals();
                    run.finals_sent();
                    finals_sent = true;
                }
                run.report_missing(thread, self.missing());
            }
            if now_us >= publish_us {
                run.live
                    .publish(thread, &mut self.local.recorder.borrow_mut());
                publish_us += PUBLISH_US;
            }
            let until_due = self.local.next_due_us().map_or(POLL_INTERVAL, |due_us| {
                Duration::from_micros(due_us.saturating_sub(run.clock.now_us()))
            });
            glommio::timer::sleep(until_due.min(POLL_INTERVAL)).await;
        }
        self.stop().await;
    }

    /// The ramp: client i connects at its place on a fixed schedule.
    fn plan_arrivals(&self) {
        let run = &self.local.run;
        if run.is_churn() {
            return;
        }
        let from_us = run.clock.now_us();
        for (slot, client) in self.clients.iter().enumerate() {
            let index = client.borrow().output.index;
            let after_us = run
                .plan
                .ramp
                .map_or(0, |ramp| (index as f64 / ramp * 1e6) as u64);
            self.local.schedule(from_us + after_us, slot, Task::Connect);
        }
    }

    fn begin_measuring(&self) {
        let from_us = self.local.run.measured_from_us();
        for client in &self.clients {
            let mut client = client.borrow_mut();
            let client = &mut *client;
            client.role.measure(&client.output, from_us, &self.local);
        }
    }

    async fn run_tasks(self: Rc<Self>, now_us: u64) {
        let mut done = 0;
        while let Some((due_us, slot, task)) = self.pop_due(now_us) {
            let measured = self.local.run.is_measuring_at(due_us);
            if measured && matches!(task, Task::Work | Task::Connect) {
                let late_us = self.local.run.clock.now_us().saturating_sub(due_us);
                self.local
                    .recorder
                    .borrow_mut()
                    .own_delay
                    .saturating_record(late_us.max(1));
            }
            self.run_task(due_us, slot, task);
            done += 1;
            if done % TASKS_PER_TURN == 0 {
                glommio::executor().yield_now().await;
            }
        }
    }

    fn pop_due(&self, now_us: u64) -> Option<(u64, usize, Task)> {
        let mut tasks = self.local.tasks.borrow_mut();
        let Reverse((due_us, _, _)) = tasks.peek()?;
        if *due_us > now_us {
            return None;
        }
        tasks.pop().map(|Reverse(entry)| entry)
    }

    fn run_task(self: &Rc<Self>, due_us: u64, slot: usize, task: Task) {
        let mut client = self.clients[slot].borrow_mut();
        let client = &mut *client;
        let synced = client.stage == Stage::Synced && !client.is_leaving();
        match task {
            Task::Connect => self.clone().connect(client, due_us),
            Task::Work => {
                if let Role::Churn(churner) = &mut client.role {
                    churner.owe(due_us);
                    self.local.schedule_while_measuring(
                        due_us + self.local.run.schedule.period_us(),
                        slot,
                        Task::Work,
                    );
                    self.clone().connect_next(client);
                } else if synced {
                    client.role.work(due_us, &mut client.output, &self.local);
                }
            }
            Task::Chat if synced => client.role.chat(due_us, &mut client.output, &self.local),
            Task::Leave if synced => client.role.leave(&mut client.output, &self.local),
            Task::Ping => client.ping(due_us, &self.local),
            Task::SignOut if synced => client.leave(),
            Task::Chat | Task::Leave | Task::SignOut => {}
        }
    }

    /// A churner that is away begins the next sign-in it owes.
    fn connect_next(self: Rc<Self>, client: &mut Client) {
        if client.stage != Stage::Away || self.local.run.is_stopping() {
            return;
        }
        if let Role::Churn(churner) = &mut client.role
            && let Some(due_us) = churner.next()
        {
            self.connect(client, due_us);
        }
    }

    fn connect(self: Rc<Self>, client: &mut Client, due_us: u64) {
        let run = &self.local.run;
        let scheduled = run.plan.ramp.is_some() || run.is_churn();
        let since_us = if scheduled {
            due_us
        } else {
            run.clock.now_us()
        };
        let server = run.plan.transports[client.output.index % run.plan.transports.len()].1;
        client.arrive(since_us, &server.to_string(), &self.local);
        match open_socket(server, run.source_address(server)) {
            Ok(socket) => {
                let slot = client.output.slot;
                let stream = TcpStream::from(socket);
                glommio::spawn_local(self.clone().drive(slot, stream)).detach();
            }
            Err(error) => client.ended(&End::Broken(error), &self.local),
        }
    }

    async fn drive(self: Rc<Self>, slot: usize, stream: TcpStream) {
        // glommio runs a new task at once, while the one who started it still holds the client.
        futures_lite::future::yield_now().await;
        let end = {
            let mut stream = pin!(stream);
            poll_fn(|context| self.turn(slot, stream.as_mut(), context)).await
            // The socket closes here, before anything is counted or connected anew.
        };
        let mut client = self.clients[slot].borrow_mut();
        client.ended(&end, &self.local);
        if matches!(client.role, Role::Churn(_)) {
            self.clone().connect_next(&mut client);
        }
    }

    /// Writes what there is to say, reads what there is to hear.
    fn turn(
        &self,
        slot: usize,
        mut stream: Pin<&mut TcpStream>,
        context: &mut Context<'_>,
    ) -> Poll<End> {
        let mut client = self.clients[slot].borrow_mut();
        let mut scratch = self.local.scratch.borrow_mut();
        client.remember(context.waker());
        for _ in 0..READS_PER_TURN {
            while !client.pending().is_empty() {
                match stream.as_mut().poll_write(context, client.pending()) {
                    Poll::Ready(Ok(written)) => client.wrote(written, &self.local),
                    Poll::Ready(Err(error)) => return Poll::Ready(End::Broken(error)),
                    Poll::Pending => break,
                }
            }
            if client.is_leaving() && client.pending().is_empty() {
                return Poll::Ready(End::Done);
            }
            match stream.as_mut().poll_read(context, &mut scratch) {
                Poll::Ready(Ok(0)) => return Poll::Ready(End::Closed),
                Poll::Ready(Ok(length)) => {
                    if let Err(error) = client.read(&scratch[..length], &self.local) {
                        return Poll::Ready(End::Protocol(error));
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(End::Broken(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Each host makes one last change: whoever has it has everything.
    fn send_finals(&self) {
        let now_us = self.local.run.clock.now_us();
        for client in &self.clients {
            let mut client = client.borrow_mut();
            let client = &mut *client;
            if client.stage == Stage::Synced
                && matches!(client.role, Role::Host(_))
                && client.role.is_ready()
            {
                client.role.work(now_us, &mut client.output, &self.local);
            }
        }
    }

    /// What this thread's clients still wait for: changes, and sign-ins under way.
    fn missing(&self) -> u64 {
        self.clients
            .iter()
            .map(|client| {
                let client = client.borrow();
                match &client.role {
                    Role::Watch(watcher) if client.stage == Stage::Synced => {
                        watcher.seen.missing(self.local.run.sent())
                    }
                    Role::Churn(churner) => {
                        let under_way = matches!(client.stage, Stage::Arriving | Stage::SigningIn);
                        churner.owed() as u64 + u64::from(under_way)
                    }
                    Role::Queue(queuer) => queuer.missing(),
                    _ => 0,
                }
            })
            .sum::<u64>()
    }

    /// Says goodbye, waits a moment for it to leave, and settles the accounts.
    async fn stop(&self) {
        for client in &self.clients {
            let mut client = client.borrow_mut();
            client.account(&self.local);
            client.leave();
        }
        let run = &self.local.run;
        let until_us = run.clock.now_us() + CLOSE_TIMEOUT.as_micros() as u64;
        while run.clock.now_us() < until_us
            && self
                .clients
                .iter()
                .any(|client| client.borrow().stage != Stage::Away)
        {
            glommio::timer::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// A connection under way; the first write waits until it is made.
fn open_socket(server: SocketAddr, source: Option<Ipv4Addr>) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(server),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    socket.set_nonblocking(true)?;
    socket.set_nodelay(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::from((source, 0)).into())?;
    }
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(EINPROGRESS) => Err(error),
        _ => Ok(socket),
    }
}

/// `connect` of a non-blocking socket goes on in the background.
const EINPROGRESS: i32 = 115;
