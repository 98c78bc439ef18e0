//! What waits for the store, in order: steps that it does, and what goes out when they are done.
//!
//! An entry is what one input has caused. What it changes of the lobby is changed at once, what it says to clients leaves
//! when its steps, and all before them, are in the store. One question is on its way at a time; what comes meanwhile makes up
//! the next, so the busier the lobby, the more steps share one wait for the disk. Each connection waits until its entry
//! has left, so there are never more entries than connections.
//!
//! A store that can't be reached is asked again for what must be written; what was only asked is refused.

use std::{collections::VecDeque, mem, net::IpAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    JsonTurn, Timer,
    lobby::Lobby,
    mail::Delivery,
    protocol::{
        ChannelType,
        incoming::{ClientLogin, Cookie, ServerLogin},
    },
    questions::{Answer, Begin, Match, Outcome, Step, Work},
    settings::{GLOBAL_AGE, GLOBAL_LINES, RETRY, STEPS},
};
use crate::{ConnId, Ticket, Topic};

/// Something that goes out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Out {
    /// To one connection.
    To(ConnId, Delivery),
    /// To everybody of a topic, because of what somebody said.
    Spread(Topic, Bytes),
    /// The same, of the lists, which nobody is charged for.
    List(Topic, Bytes),
    /// The history that the step of this number has found.
    History {
        conn: ConnId,
        kind: ChannelType,
        channel: String,
        step: usize,
    },
    /// The finished matches that the step of this number has found.
    Matches { conn: ConnId, step: usize },
}

/// What a connection says that is to be relayed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct ProxyLogin {
    pub(super) room: String,
    pub(super) guest: String,
    /// When the connection was accepted.
    pub(super) accepted: Duration,
}

/// What is done with what steps have found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Then {
    Register { id: String, cookie: Cookie },
    ClientLogin(ClientLogin, IpAddr),
    ServerLogin(Box<ServerLogin>),
    ClientProxy(ProxyLogin),
    ServerProxy(ProxyLogin),
    SayToPlayer { to: String, text: String },
    HistoryOfPlayer { of: String },
    SayInRoom { room: String, text: String },
    HistoryOfRoom { room: String },
}

/// What one input has caused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) steps: Vec<Step>,
    pub(super) outs: Vec<Out>,
    /// Whose message it is, and what is done with what the steps have found.
    pub(super) then: Option<(ConnId, Then)>,
}

/// All of it.
#[derive(Debug, Default)]
pub(super) struct Journal {
    /// The store has done what a start does.
    pub(super) begun: bool,
    /// What is not asked yet.
    pub(super) queue: VecDeque<Entry>,
    /// What the store has been asked for.
    asked: Option<(Ticket, Vec<Entry>)>,
    /// It is asked again when a timer says so.
    pub(super) pausing: bool,
}

impl Journal {
    /// One in which nothing is on its way.
    pub(super) fn revived(begun: bool, queue: VecDeque<Entry>, pausing: bool) -> Self {
        Journal {
            begun,
            queue,
            asked: None,
            pausing,
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.asked.is_none()
    }

    /// The store may be asked again.
    pub(super) fn retry(&mut self) {
        self.pausing = false;
    }

    /// Entries for the next question.
    fn next(&mut self) -> Vec<Entry> {
        let mut steps = 0;
        let mut entries = Vec::new();
        while let Some(entry) = self.queue.front()
            && (steps == 0 || steps + entry.steps.len() <= STEPS)
        {
            steps += entry.steps.len();
            entries.extend(self.queue.pop_front());
        }
        entries
    }
}

impl Lobby {
    /// What the present input has caused goes into the journal, or out if there is nothing to wait for.
    pub(super) fn commit(&mut self) {
        let (steps, outs) = (mem::take(&mut self.steps), mem::take(&mut self.outs));
        if steps.is_empty() && (outs.is_empty() || self.journal.is_idle()) {
            return self.let_out(outs, &mut Vec::new());
        }
        let then = None;
        self.journal.queue.push_back(Entry { steps, outs, then });
    }

    /// Asks the store something, and goes on with what it finds.
    pub(super) fn find(&mut self, conn: ConnId, steps: Vec<Step>, then: Then) {
        self.commit();
        self.journal.queue.push_back(Entry {
            steps,
            outs: Vec::new(),
            then: Some((conn, then)),
        });
    }

    /// Asks for what waits, unless something is on its way.
    pub(super) fn ask_store(&mut self, turn: &mut JsonTurn<'_>) {
        let journal = &mut self.journal;
        if journal.asked.is_some() || journal.pausing {
            return;
        }
        if !journal.begun {
            let begin = Begin {
                lines: GLOBAL_LINES,
                age: GLOBAL_AGE,
            };
            journal.asked = Some((turn.ask(begin), Vec::new()));
            return;
        }
        while !self.journal.queue.is_empty() {
            let entries = self.journal.next();
            let steps = entries.iter().flat_map(|entry| entry.steps.iter().cloned());
            let steps: Vec<Step> = steps.collect();
            if !steps.is_empty() {
                self.journal.asked = Some((turn.ask(Work(steps)), entries));
                return;
            }
            for entry in entries {
                self.let_out(entry.outs, &mut Vec::new());
            }
        }
    }

    /// The store has answered.
    pub(super) fn answered(&mut self, turn: &mut JsonTurn<'_>, ticket: Ticket, answer: Answer) {
        let Some((asked, entries)) = self.journal.asked.take() else {
            return;
        };
        if asked != ticket {
            self.journal.asked = Some((asked, entries));
            return;
        }
        match answer {
            Answer::Begin(Ok(channels)) => {
                self.journal.begun = true;
                self.histories.begin(channels);
            }
            Answer::Work(Ok(outcomes)) => self.done(turn, entries, outcomes),
            Answer::Begin(Err(_)) | Answer::Work(Err(_)) => self.not_done(turn, entries),
        }
    }

    fn done(&mut self, turn: &mut JsonTurn<'_>, entries: Vec<Entry>, outcomes: Vec<Outcome>) {
        let mut outcomes = outcomes.into_iter();
        for entry in entries {
            let mut found: Vec<Outcome> = outcomes.by_ref().take(entry.steps.len()).collect();
            let refused = found.iter().filter(|one| **one == Outcome::Refused);
            self.metrics.store_refusals.add(refused.count() as u64);
            self.let_out(entry.outs, &mut found);
            if let Some((conn, then)) = entry.then {
                self.go_on(turn, conn, then, found);
                self.commit();
            }
        }
    }

    /// What must be written is asked for again; who only asked is refused, and so is whoever has asked since.
    fn not_done(&mut self, turn: &mut JsonTurn<'_>, entries: Vec<Entry>) {
        self.metrics.store_failures.up();
        self.journal.pausing = true;
        turn.wake_at(turn.now.mono + RETRY, Timer::Store);
        let later = mem::take(&mut self.journal.queue);
        for entry in entries.into_iter().chain(later) {
            match entry.then {
                Some((conn, then)) => self.refuse_unavailable(conn, &then),
                None => self.journal.queue.push_back(entry),
            }
        }
    }

    /// Without a place in the journal: nothing else of this connection can be in it.
    fn refuse_unavailable(&mut self, conn: ConnId, then: &Then) {
        match then {
            Then::ClientProxy(_) | Then::ServerProxy(_) => self.refuse_proxy(conn),
            _ => self.refuse(
                conn,
                "The database is not available, please try again later",
            ),
        }
        let outs = mem::take(&mut self.outs);
        self.let_out(outs, &mut Vec::new());
    }

    /// Puts what an entry says into the shards' letters, with what its steps have found.
    fn let_out(&mut self, outs: Vec<Out>, found: &mut [Outcome]) {
        let mut caused = 0;
        for out in outs {
            match out {
                Out::To(conn, mut delivery) => {
                    match &mut delivery {
                        Delivery::Send(_, bytes) | Delivery::Offer(_, bytes) => {
                            caused += bytes.len();
                        }
                        Delivery::Release(_, sent) => *sent = caused,
                        _ => {}
                    }
                    self.post(conn.shard, delivery);
                }
                Out::Spread(topic, bytes) => {
                    caused += bytes.len();
                    self.post_all(topic, &bytes);
                }
                Out::List(topic, bytes) => self.post_all(topic, &bytes),
                Out::History {
                    conn,
                    kind,
                    channel,
                    step,
                } => {
                    let lines = match found.get_mut(step) {
                        Some(Outcome::Lines(lines)) => mem::take(lines),
                        _ => Vec::new(),
                    };
                    let bytes = self.history_text(kind, &channel, &lines);
                    caused += bytes.len();
                    self.post(conn.shard, Delivery::Send(conn, bytes));
                }
                Out::Matches { conn, step } => {
                    let matches: Vec<Match> = match found.get_mut(step) {
                        Some(Outcome::Matches(matches)) => mem::take(matches),
                        _ => Vec::new(),
                    };
                    let bytes = self.matches_text(&matches);
                    self.post(conn.shard, Delivery::Send(conn, bytes));
                }
            }
        }
    }
}
