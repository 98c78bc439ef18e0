//! A recording as a replay plays it: what each client says and when, which answer follows what, and which numbers the server
//! gave where.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::path::Path;

use anyhow::{Context as _, ensure};
use clap::ValueEnum as _;
use serde_json::Value;

use super::dialect::{Dialect, Place, Side, Transport};
use super::format::{self, Line, What};
use super::mask::text_of;
use crate::protocols::ProtocolName;

/// Steps that an answer may still come for; it would be none of an older one's.
const MOST_OPEN: usize = 64;

/// Everything that is played.
pub(crate) struct Recording {
    /// Of the file: two with the same one are the same.
    digest: String,
    pub(crate) protocol: ProtocolName,
    pub(crate) dialect: &'static dyn Dialect,
    /// Where the server listened.
    pub(crate) server: String,
    pub(crate) scripts: Vec<Script>,
    /// Things said after the sign-ins, of all scripts.
    pub(crate) measured: usize,
    /// From the end of the sign-ins to the last thing.
    pub(crate) length_us: u64,
    /// Numbers that the server gave somewhere: a client that says one waits until it knows its own.
    pub(crate) given: HashSet<(&'static str, String)>,
    /// Kinds of messages that were answered, for the table of the report.
    pub(crate) kinds: Vec<String>,
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) session: u64,
    pub(crate) transport: Transport,
    /// The name it signed in with.
    pub(crate) login: Option<String>,
    /// What it said, in order.
    pub(crate) steps: Vec<Step>,
    /// How many steps belong to the sign-in.
    pub(crate) sign_in_steps: usize,
    /// The sign-in came to its end.
    pub(crate) signs_in: bool,
    /// It connected when others were playing already: at this place in the recording, as all others.
    pub(crate) late: Option<Moment>,
    /// Messages in which the server gave numbers: of each kind, in order.
    pub(crate) given: HashMap<String, Vec<Vec<(&'static str, String)>>>,
    /// How and when the connection ended, if the recording did not end before.
    pub(crate) end: Option<(Side, Moment)>,
    /// It is a game's, which is relayed.
    pub(crate) is_pipe: bool,
}

/// When something was in the recording.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Its place among all that was said and heard.
    pub(crate) index: u32,
    /// Microseconds after the end of the sign-ins.
    pub(crate) at_us: u64,
    /// Its number among what is said after the sign-ins.
    pub(crate) number: u64,
}

/// Something a client said.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) moment: Moment,
    pub(crate) said: Said,
    /// How many bytes that are no messages had been heard before.
    pub(crate) after_bytes: u64,
    pub(crate) answer: Option<Answer>,
}

#[derive(Debug)]
pub(crate) enum Said {
    Message(Value),
    /// So many bytes that are no message.
    Raw(usize),
}

/// What was heard next.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Its place among all that was said and heard.
    pub(crate) index: u32,
    pub(crate) expected: Expected,
    /// Which of the recording's kinds the question is.
    pub(crate) kind: usize,
}

#[derive(Debug)]
pub(crate) enum Expected {
    /// A message of this kind.
    Kind(String),
    /// So many bytes in all since the connection was made.
    Bytes(u64),
}

/// Which recording it is, and what is played of it: two that look alike are the same.
impl fmt::Debug for Recording {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sessions: Vec<u64> = self.scripts.iter().map(|script| script.session).collect();
        out.debug_struct("Recording")
            .field("digest", &self.digest)
            .field("sessions", &sessions)
            .finish_non_exhaustive()
    }
}

impl Recording {
    /// Reads a recording; of one session only, if it is named.
    ///
    /// # Errors
    /// A file that can't be read, or in which nobody says anything.
    pub(crate) fn read(path: &Path, session: Option<u64>) -> anyhow::Result<Recording> {
        let recorded = format::read(path)?;
        let header = recorded.header;
        let protocol = ProtocolName::from_str(&header.protocol, false).map_err(|_| {
            let (name, path) = (&header.protocol, path.display());
            anyhow::anyhow!("{path}: this swarm knows no protocol {name}")
        })?;
        let mut lines = recorded.lines;
        // Threads write them, each its own in order.
        lines.sort_by_key(|line| line.us);
        lines.retain(|line| session.is_none_or(|session| session == line.session));
        let mut recording = Recording {
            digest: recorded.digest,
            protocol,
            dialect: protocol.dialect(),
            server: header.server,
            scripts: Vec::new(),
            measured: 0,
            length_us: 0,
            given: HashSet::new(),
            kinds: Vec::new(),
        };
        recording.scripts_of(lines);
        ensure!(
            !recording.scripts.is_empty(),
            match session {
                Some(session) => format!(
                    "in {} no client of session {session} says anything",
                    path.display()
                ),
                None => format!("in {} no client says anything", path.display()),
            }
        );
        recording.place_in_time();
        let measured = u32::try_from(recording.measured);
        measured.with_context(|| format!("{} is too long", path.display()))?;
        Ok(recording)
    }

    fn scripts_of(&mut self, lines: Vec<Line>) {
        let mut writers: BTreeMap<u64, Writer> = BTreeMap::new();
        for (index, line) in (0_u32..).zip(lines) {
            let moment = Moment {
                index,
                at_us: line.us,
                number: 0,
            };
            if let What::Opened(transport) = line.what {
                let writer = Writer::new(self.dialect, line.session, transport, moment);
                writers.insert(line.session, writer);
            } else if let Some(writer) = writers.get_mut(&line.session) {
                writer.write(line.what, moment, &mut self.kinds);
            }
        }
        let spoken = writers
            .into_values()
            .filter(|writer| !writer.script.steps.is_empty());
        self.scripts = spoken.map(Writer::finish).collect();
        for script in &self.scripts {
            let given = script.given.values().flatten().flatten();
            self.given.extend(given.cloned());
        }
    }

    /// Finds where the sign-ins end, and numbers what is said after that.
    fn place_in_time(&mut self) {
        let scripts = &self.scripts;
        let measured = |script: &Script| {
            let first = script.steps.get(script.sign_in_steps);
            first.map(|step| step.moment.index)
        };
        let begins = scripts.iter().filter_map(measured).min();
        let begins = begins.unwrap_or(u32::MAX);
        for script in &mut self.scripts {
            script.late = script.late.filter(|opened| opened.index > begins);
        }
        let mut moments: Vec<&mut Moment> = Vec::new();
        for script in &mut self.scripts {
            let late = script.late.is_some();
            moments.extend(&mut script.late);
            let steps = script.steps.iter_mut().enumerate();
            let played = steps.filter(|(place, _)| late || *place >= script.sign_in_steps);
            moments.extend(played.map(|(_, step)| &mut step.moment));
            moments.extend(script.end.as_mut().map(|(_, moment)| moment));
        }
        moments.sort_by_key(|moment| moment.index);
        let from_us = moments.first().map_or(0, |moment| moment.at_us);
        for (number, moment) in (0..).zip(&mut moments) {
            moment.number = number;
            moment.at_us = moment.at_us.saturating_sub(from_us);
        }
        self.measured = moments.len();
        self.length_us = moments.last().map_or(0, |moment| moment.at_us);
    }
}

/// Makes a script of the lines of its connection.
struct Writer {
    dialect: &'static dyn Dialect,
    script: Script,
    /// Steps without an answer yet.
    open: Vec<usize>,
    /// Bytes heard so far that are no messages.
    raw_heard: u64,
}

impl Writer {
    fn new(
        dialect: &'static dyn Dialect,
        session: u64,
        transport: Transport,
        opened: Moment,
    ) -> Writer {
        Writer {
            dialect,
            script: Script {
                session,
                transport,
                login: None,
                steps: Vec::new(),
                sign_in_steps: 0,
                signs_in: false,
                // Whether it is, shows when all are read.
                late: Some(opened),
                given: HashMap::new(),
                end: None,
                is_pipe: false,
            },
            open: Vec::new(),
            raw_heard: 0,
        }
    }

    fn write(&mut self, what: What, moment: Moment, kinds: &mut Vec<String>) {
        match what {
            What::Client(said) if self.dialect.is_reply(&said) => {}
            What::Client(mut said) => {
                self.dialect
                    .visit(Side::Client, &mut said, &mut |place, value| {
                        if place == Place::Login && self.script.login.is_none() {
                            self.script.login = value.as_str().map(str::to_owned);
                        }
                    });
                self.say(Said::Message(said), moment);
            }
            What::Server(heard) => self.hear(heard, moment, kinds),
            What::Raw {
                from: Side::Client,
                bytes,
            } => {
                self.script.is_pipe = true;
                self.say(Said::Raw(bytes), moment);
            }
            What::Raw {
                from: Side::Server,
                bytes,
            } => self.hear_raw(bytes, moment, kinds),
            What::Closed(side) => self.script.end = Some((side, moment)),
            What::Unreadable { .. } | What::Opened(_) => {}
        }
    }

    fn say(&mut self, said: Said, moment: Moment) {
        if self.open.len() == MOST_OPEN {
            self.open.remove(0);
        }
        self.open.push(self.script.steps.len());
        self.script.steps.push(Step {
            moment,
            said,
            after_bytes: self.raw_heard,
            answer: None,
        });
    }

    fn hear(&mut self, mut heard: Value, moment: Moment, kinds: &mut Vec<String>) {
        let dialect = self.dialect;
        let kind = dialect.kind(Side::Server, &heard);
        let given = ids(dialect, self.script.session, &mut heard);
        let me = self.script.login.clone().unwrap_or_default();
        let steps = &mut self.script.steps;
        let place = self.open.iter().position(|step| match &steps[*step].said {
            Said::Message(said) => dialect.answers(&me, said, &heard),
            Said::Raw(_) => false,
        });
        if let Some(place) = place {
            let step = &mut steps[self.open.remove(place)];
            let asked = match &step.said {
                Said::Message(said) => dialect.kind(Side::Client, said),
                Said::Raw(_) => "raw".to_owned(),
            };
            step.answer = Some(Answer {
                index: moment.index,
                expected: Expected::Kind(kind.clone()),
                kind: number_of(asked, kinds),
            });
        }
        if !given.is_empty() {
            self.script.given.entry(kind).or_default().push(given);
        }
        if !self.script.signs_in && dialect.signs_in(&heard) {
            self.script.signs_in = true;
            self.script.sign_in_steps = self.script.steps.len();
        }
    }

    /// The first bytes after some that were sent are their answer.
    fn hear_raw(&mut self, bytes: usize, moment: Moment, kinds: &mut Vec<String>) {
        self.script.is_pipe = true;
        self.raw_heard += bytes as u64;
        let Some(step) = self.open.pop() else {
            return;
        };
        self.open.clear();
        self.script.steps[step].answer = Some(Answer {
            index: moment.index,
            expected: Expected::Bytes(self.raw_heard),
            kind: number_of("relayed".to_owned(), kinds),
        });
    }

    fn finish(self) -> Script {
        self.script
    }
}

fn number_of(kind: String, kinds: &mut Vec<String>) -> usize {
    let known = kinds.iter().position(|other| *other == kind);
    known.unwrap_or_else(|| {
        kinds.push(kind);
        kinds.len() - 1
    })
}

/// The numbers that a message from the server gives in this session, in their order.
fn ids(dialect: &dyn Dialect, session: u64, heard: &mut Value) -> Vec<(&'static str, String)> {
    let mut ids = Vec::new();
    dialect.visit(Side::Server, heard, &mut |place, value| {
        if let Some(kind) = place.id()
            && !value.is_null()
        {
            ids.push((kind, key_of(dialect, kind, session, value)));
        }
    });
    ids
}

/// What a number of a recording goes by among all sessions.
pub(crate) fn key_of(dialect: &dyn Dialect, kind: &str, session: u64, value: &Value) -> String {
    let text = text_of(value);
    if dialect.is_private(kind) {
        format!("{session}/{text}")
    } else {
        text
    }
}
