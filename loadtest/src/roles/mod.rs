//! What a client does once it is signed in.
//!
//! A role hears the messages meant for it and is told when something of its own is due. It never waits and never looks at a
//! socket: what it says goes into the client's output, what it learns into the thread's recorder.

mod churn;
mod host;
mod join;
mod messages;
mod pair;
mod queue;
mod watch;

use crate::cli::Part;
use crate::client::Output;
use crate::framing::Frame;
use crate::worker::{Local, Task};

pub(crate) use churn::Churner;
use host::Host;
use join::Joiner;
use pair::Peer;
use queue::Queuer;
pub(crate) use queue::{LARGEST_PARTY, PartyBoard, Sides};
use watch::Watcher;

/// A client's role.
#[derive(Debug)]
pub(crate) enum Role {
    Idle,
    Watch(Watcher),
    Host(Host),
    Join(Joiner),
    Churn(Churner),
    Pair(Peer),
    Queue(Box<Queuer>),
}

impl Role {
    pub(crate) fn new(part: Part, local: &Local) -> Role {
        match part {
            Part::Idle => Role::Idle,
            Part::Watch => Role::Watch(Watcher::new(local.run.plan.hosts)),
            Part::Host(number) => Role::Host(Host::new(number)),
            Part::Join(number) => Role::Join(Joiner::new(number)),
            Part::Churn => Role::Churn(Churner::default()),
            Part::Pair { pair, hosts } => Role::Pair(Peer::new(pair, hosts)),
            Part::Queue { party, seat, size } => {
                Role::Queue(Box::new(Queuer::new(party, seat, size)))
            }
        }
    }

    /// The sign-in is complete.
    pub(crate) fn synced(&mut self, output: &mut Output, local: &Local) {
        match self {
            Role::Host(host) => host.open_game(output, local),
            Role::Pair(peer) => peer.begin(output, local),
            Role::Queue(queuer) => queuer.begin(output, local),
            _ => {}
        }
    }

    /// Nothing is left to prepare; the measured phase may begin.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Role::Host(host) => host.is_open(),
            Role::Pair(peer) => peer.is_connected(),
            Role::Queue(queuer) => queuer.is_ready(),
            _ => true,
        }
    }

    /// A message, other than ping, pong and those of the sign-in. `text` is the frame as UTF-8.
    pub(crate) fn on_message(
        &mut self,
        command: &str,
        text: &[u8],
        frame: &Frame<'_>,
        output: &mut Output,
        local: &Local,
    ) {
        match self {
            Role::Watch(watcher) => {
                watcher.on_message(frame, local);
            }
            Role::Host(host) => host.on_message(command, text, output, local),
            Role::Join(joiner) => joiner.on_message(command, text, output, local),
            Role::Pair(peer) => peer.on_message(command, text, output, local),
            Role::Queue(queuer) => queuer.on_message(command, text, output, local),
            Role::Idle | Role::Churn(_) => {}
        }
    }

    /// The measured phase runs from `from_us` on: queues what this client has to do first.
    pub(crate) fn measure(&mut self, output: &Output, from_us: u64, local: &Local) {
        let run = &local.run;
        let first = match self {
            Role::Host(host) => run.schedule.due_us(host.number(), 0),
            Role::Join(joiner) => joiner.stagger_us(run.plan.joiners()),
            Role::Churn(_) | Role::Pair(_) => run.schedule.due_us(output.index, 0),
            // They look around from their sign-in on.
            Role::Queue(_) | Role::Idle | Role::Watch(_) => return,
        };
        local.schedule_while_measuring(from_us + first, output.slot, Task::Work);
    }

    /// The regular work of the role is due. A churner's is not here: it concerns the connection itself.
    pub(crate) fn work(&mut self, due_us: u64, output: &mut Output, local: &Local) {
        match self {
            Role::Host(host) => host.change(due_us, output, local),
            Role::Join(joiner) => joiner.join(due_us, output, local),
            Role::Pair(peer) => peer.send(due_us, output, local),
            Role::Queue(queuer) => queuer.look(due_us, output, local),
            Role::Idle | Role::Watch(_) | Role::Churn(_) => {}
        }
    }

    /// Small talk is due.
    pub(crate) fn chat(&mut self, due_us: u64, output: &mut Output, local: &Local) {
        match self {
            Role::Join(joiner) => joiner.chat(due_us, output, local),
            Role::Queue(queuer) => queuer.close_game(output),
            _ => {}
        }
    }

    /// Time to leave the game.
    pub(crate) fn leave(&mut self, output: &mut Output, local: &Local) {
        match self {
            Role::Join(joiner) => joiner.leave(output, local),
            Role::Queue(queuer) => queuer.leave(output, local),
            _ => {}
        }
    }
}
