//! What a client does once it is signed in.
//!
//! A role hears the messages meant for it and is told when something of its own is due. It never waits and never looks at a
//! socket: what it says goes into the client's output, what it learns into the thread's recorder.

mod host;
mod join;
mod messages;
mod pair;
mod queue;
mod script;
mod watch;

use super::framing::Frame;
use super::output::Output;
use super::plan::Part;
use super::{Context, Task};
use crate::connection::Connection;
use crate::protocols::said::Said;
use crate::scenario::Actor;
use host::Host;
use join::Joiner;
use pair::Peer;
use queue::Queuer;
pub(crate) use queue::{LARGEST_PARTY, PartyBoard};
use watch::Watcher;

/// A client's role.
#[derive(Debug)]
pub(crate) enum Role {
    Idle,
    Watch(Watcher),
    Host(Host),
    Join(Joiner),
    Pair(Peer),
    Queue(Box<Queuer>),
    Script(Box<Actor>),
}

impl Role {
    pub(crate) fn new(index: usize, context: &Context) -> Role {
        match context.shared.protocol.part(index) {
            Part::Script => match context.shared.plan.script(index) {
                Some(script) => Role::Script(Box::new(Actor::new(index, script, context))),
                None => Role::Idle,
            },
            Part::Idle => Role::Idle,
            Part::Watch => {
                let comes_later = index >= context.shared.plan.at_start();
                Role::Watch(Watcher::new(context.shared.protocol.hosts, comes_later))
            }
            Part::Host { number, busy } => Role::Host(Host::new(number, busy)),
            Part::Join(number) => Role::Join(Joiner::new(number)),
            Part::Pair {
                pair,
                source,
                hosts,
            } => Role::Pair(Peer::new(pair, source, hosts)),
            Part::Queue { party, seat, size } => {
                Role::Queue(Box::new(Queuer::new(party, seat, size)))
            }
        }
    }

    /// The sign-in is complete.
    pub(crate) fn signed_in(&mut self, output: &mut Output<'_>, context: &Context) {
        match self {
            Role::Host(host) => host.open_game(output, context),
            Role::Pair(peer) => peer.begin(output, context),
            Role::Queue(queuer) => queuer.begin(output, context),
            Role::Script(actor) => actor.on_ready(output, context),
            // In the beginning nothing was due.
            Role::Watch(watcher) => watcher.begin(context),
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
        output: &mut Output<'_>,
        context: &Context,
    ) {
        match self {
            Role::Watch(watcher) => {
                watcher.on_message(frame, context);
            }
            Role::Host(host) => host.on_message(command, text, output, context),
            Role::Join(joiner) => joiner.on_message(command, text, output, context),
            Role::Pair(peer) => peer.on_message(command, text, output, context),
            Role::Queue(queuer) => queuer.on_message(command, text, output, context),
            Role::Script(actor) => {
                actor.hear(&Said::new("command", command, text), output, context)
            }
            Role::Idle => {}
        }
    }

    /// The measured phase runs from `from_us` on: queues what this client has to do first.
    pub(crate) fn measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        let shared = &context.shared;
        let first = match self {
            Role::Host(host) => shared.schedule.due_us(host.number(), 0),
            Role::Join(joiner) => joiner.stagger_us(shared.protocol.joiners),
            Role::Pair(peer) => shared.schedule.due_us(peer.source(), 0),
            // They look around from their sign-in on.
            Role::Queue(_) | Role::Idle | Role::Watch(_) | Role::Script(_) => return,
        };
        context.schedule_while_measuring(from_us + first, connection.slot, Task::Work);
    }

    /// Each host makes one last change: whoever has it has everything.
    pub(crate) fn finish(&mut self, output: &mut Output<'_>, context: &Context) {
        if let Role::Host(host) = self
            && host.is_open()
        {
            host.finish(output, context);
        }
    }

    /// How much is still to come.
    pub(crate) fn missing(&self, signed_in: bool, context: &Context) -> u64 {
        match self {
            Role::Watch(watcher) if signed_in => watcher.missing(context),
            Role::Queue(queuer) => queuer.missing(),
            Role::Script(actor) => actor.missing(),
            _ => 0,
        }
    }

    /// The run is over: counts what never happened.
    pub(crate) fn account(&self, context: &Context) {
        match self {
            Role::Watch(watcher) => watcher.account(context),
            Role::Host(host) => host.account(context),
            Role::Pair(peer) => peer.account(context),
            Role::Script(actor) => actor.account(context),
            Role::Queue(queuer) => queuer.account(context),
            _ => {}
        }
    }

    /// The regular work of the role is due.
    pub(crate) fn work(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        match self {
            Role::Host(host) => host.work(due_us, output, context),
            Role::Join(joiner) => joiner.join(due_us, output, context),
            Role::Pair(peer) => peer.send(due_us, output, context),
            Role::Queue(queuer) => queuer.look(due_us, output, context),
            Role::Idle | Role::Watch(_) | Role::Script(_) => {}
        }
    }

    /// Small talk is due.
    pub(crate) fn chat(&mut self, due_us: u64, output: &mut Output<'_>, context: &Context) {
        match self {
            Role::Join(joiner) => joiner.chat(due_us, output, context),
            Role::Queue(queuer) => queuer.close_game(output),
            _ => {}
        }
    }

    /// Time to leave the game.
    pub(crate) fn leave(&mut self, output: &mut Output<'_>, context: &Context) {
        match self {
            Role::Join(joiner) => joiner.leave(output, context),
            Role::Queue(queuer) => queuer.leave(output, context),
            _ => {}
        }
    }
}
