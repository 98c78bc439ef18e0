//! Scenarios: what a run does, as a file says it.
//!
//! A scenario names a protocol and has **roles** and **stages**. A role is one of the protocol's own, which keeps its own
//! accounts (a FAF host and its watchers), or a **script**: messages of the file's own, expected answers, waits. Either way a
//! client is a session of its protocol, which frames, signs in and answers pings; a script only says what follows. Stages change
//! the number of clients and the rates along straight lines. Profiles are such files, shipped inside the program.
//!
//! | file | what lives there |
//! |---|---|
//! | `table` | a TOML file read key by key: mistakes with line and nearest known word |
//! | `curve` | rates and numbers of clients that change along straight lines |
//! | `read` | a scenario out of a file |
//! | `script`, `template`, `expect` | own messages: steps, messages with holes, what answers must be |
//! | `formula` | what scripts compute, in Rhai |
//! | `actor` | a client that follows a script |
//! | `cast` | which client has which role, and when it is there |
//! | `profiles` | the scenarios inside the program |
//! | `timetable` | who does what when, as text |
//! | `options` | what the command line says instead of a file |
//!
//! **Everything is due at a time that is decided before the run**, by the file and the seed, and never by an answer: events of a
//! rate by the inverse of its integral, think times and waits by draws that depend on nothing but seed, client and turn. So the
//! schedule is the same on any number of threads, and latency counts from it whatever happens. Nothing here opens a socket.

mod actor;
mod cast;
mod curve;
mod expect;
mod formula;
mod options;
mod profiles;
mod read;
mod script;
mod table;
mod template;
mod timetable;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;

pub(crate) use self::actor::{Actor, Cue, Voice};
pub(crate) use self::cast::{Cast, Member};
pub(crate) use self::curve::Curve;
pub(crate) use self::expect::{Heard, at};
pub use self::options::check;
pub(crate) use self::options::{SLOWEST_RATE, What};
pub use self::profiles::{Shipped, list};
pub(crate) use self::script::{OwnNames, Script};
pub use self::timetable::timetable;
use crate::plan::Workload;
use crate::protocols::{self, ProtocolName};
use crate::schedule::Arrivals;

/// The role of who does nothing, in every protocol that has it.
const IDLE: &str = "idle";

/// A role that a protocol knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Kind {
    /// What files call it.
    pub(crate) name: &'static str,
    /// Whether its clients do something at the rate.
    pub(crate) paced: bool,
    /// Whether its clients may come and go during the measured phase.
    pub(crate) transient: bool,
}

/// How many clients have a role.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Size {
    /// So many of the clients.
    Count(usize),
    /// So many besides them.
    Besides(usize),
    /// As many of those without a count as its share of all shares.
    Share(f64),
}

impl Size {
    fn share(&self) -> f64 {
        match self {
            Size::Share(share) => *share,
            Size::Count(_) | Size::Besides(_) => 0.0,
        }
    }
}

/// What somebody in a role does.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// What the protocol's role of this place does.
    Kind(usize),
    /// What the file says.
    Script(Arc<Script>),
}

/// A role of a scenario.
#[derive(Debug, Clone)]
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) size: Size,
    pub(crate) does: Does,
}

/// A scenario, read and understood; whether the protocol can do it is the protocol's to say.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    /// The file as it stands.
    pub(crate) text: String,
    pub(crate) protocol: ProtocolName,
    pub(crate) transport: Option<String>,
    pub(crate) workload: Workload,
    pub(crate) ramp: Option<f64>,
    pub(crate) seed: Option<u64>,
    pub(crate) roles: Vec<Role>,
    /// How many clients there are, without those besides.
    pub(crate) clients: Curve,
    /// Changes per second of the protocol's own roles, all together.
    pub(crate) rate: Curve,
    pub(crate) arrivals: Arrivals,
    pub(crate) duration: Duration,
    pub(crate) stages: Vec<Stage>,
    /// Goals, each with its place in the file.
    pub(crate) slo: Vec<(String, String)>,
    /// What its scripts measure.
    pub(crate) own: OwnNames,
}

/// A part of the measured phase.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub(crate) struct Stage {
    pub(crate) name: String,
    #[serde(rename = "duration_s", serialize_with = "seconds")]
    pub(crate) duration: Duration,
}

fn seconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_f64(duration.as_secs_f64())
}

impl Scenario {
    /// Clients that all do what somebody else decides, at this rate.
    pub(crate) fn of_one_role(
        name: String,
        protocol: ProtocolName,
        clients: usize,
        rate: f64,
        duration: Duration,
    ) -> Scenario {
        let role = Role {
            name: name.clone(),
            size: Size::Share(1.0),
            does: Does::Kind(0),
        };
        let stage = Stage {
            name: String::new(),
            duration,
        };
        Scenario {
            about: name.clone(),
            text: String::new(),
            name,
            protocol,
            transport: None,
            workload: Workload::Steady,
            ramp: None,
            seed: None,
            roles: vec![role],
            clients: Curve::constant(clients as f64),
            rate: Curve::constant(rate),
            arrivals: Arrivals::Fixed,
            duration,
            stages: vec![stage],
            slo: Vec::new(),
            own: OwnNames::default(),
        }
    }

    /// What only the whole tells: what is wrong, and with which role, if it is about one.
    fn check(&self) -> Result<(), (Option<usize>, String)> {
        let whole = |what: &str| Err((None, what.to_owned()));
        if self.duration.is_zero() {
            return whole("the stages take no time");
        }
        let shared = self.roles.iter().any(|role| role.size.share() > 0.0);
        if shared && self.clients.highest() < 1.0 {
            return whole("roles have a `share` of no `clients`");
        }
        if self.workload == Workload::Churn && self.rate.highest() == 0.0 {
            return whole("a churn needs a `rate`");
        }
        if self.workload != Workload::Steady && !self.clients.is_constant() {
            return whole("in a churn or a storm of sign-ins the number of clients stays as it is");
        }
        for (place, role) in self.roles.iter().enumerate() {
            if self.roles[..place]
                .iter()
                .any(|other| other.name == role.name)
            {
                let what = format!("two roles are called `{}`", role.name);
                return Err((Some(place), what));
            }
            let kind = match role.does {
                Does::Kind(kind) => Some(self.kinds()[kind]),
                Does::Script(_) => None,
            };
            if self.workload != Workload::Steady && kind.is_none_or(|kind| kind.name != IDLE) {
                let what = "in a churn or a storm of sign-ins roles can only be idle";
                return Err((Some(place), what.to_owned()));
            }
            let Some(kind) = kind else {
                continue;
            };
            let stays = self.clients.is_constant() || !matches!(role.size, Size::Share(_));
            if !stays && !kind.transient {
                let what = format!(
                    "clients of the role `{}` must be there all the time: give it a `count` or `besides`, or leave the number of clients as it is",
                    role.name
                );
                return Err((Some(place), what));
            }
        }
        for (role, script) in self.paced_scripts() {
            if script.rate.highest() == 0.0 {
                let name = &self.roles[role].name;
                let what = format!("the role `{name}` has neither a `rate` nor `think`");
                return Err((Some(role), what));
            }
        }
        self.cast().map(|_| ()).map_err(|what| (None, what))
    }

    /// The roles that its protocol knows.
    pub(crate) fn kinds(&self) -> &'static [Kind] {
        protocols::kinds(self.protocol)
    }

    /// Who its clients are.
    pub(crate) fn cast(&self) -> Result<Cast, String> {
        let sizes: Vec<Size> = self.roles.iter().map(|role| role.size).collect();
        let cast = Cast::new(&sizes, &self.clients)?;
        match (0..sizes.len()).find(|role| self.script(*role).is_some() && cast.is_empty(*role)) {
            Some(role) => Err(format!("nobody has the role `{}`", self.roles[role].name)),
            None => Ok(cast),
        }
    }

    /// The client's role of the protocol, by its name; none if it follows a script.
    pub(crate) fn kind_of(&self, member: Member) -> Option<&'static str> {
        match self.roles[member.role].does {
            Does::Kind(kind) => Some(self.kinds()[kind].name),
            Does::Script(_) => None,
        }
    }

    /// The script that clients of a role follow, if they follow one.
    pub(crate) fn script(&self, role: usize) -> Option<&Arc<Script>> {
        match &self.roles[role].does {
            Does::Kind(_) => None,
            Does::Script(script) => Some(script),
        }
    }

    /// How many of its roles follow a script.
    pub(crate) fn scripts(&self) -> usize {
        let roles = 0..self.roles.len();
        roles.filter(|role| self.script(*role).is_some()).count()
    }

    /// Whether the protocol's own roles have something to do at a rate.
    pub(crate) fn has_rate(&self) -> bool {
        self.rate.highest() > 0.0
    }

    /// Scripts whose turns are due at a rate, by the places of their roles.
    pub(crate) fn paced_scripts(&self) -> impl Iterator<Item = (usize, &Script)> {
        let scripts = (0..self.roles.len()).filter_map(|role| Some((role, &**self.script(role)?)));
        scripts.filter(|(_, script)| script.think.is_none())
    }

    /// Everything due per second, when it is most.
    pub(crate) fn highest_rate(&self) -> f64 {
        let scripts = self.paced_scripts();
        let rates = scripts.map(|(_, script)| script.rate.highest());
        self.rate.highest() + rates.sum::<f64>()
    }

    /// The same with so many clients in each role of this kind.
    pub(crate) fn set_size(&mut self, kind: &str, size: Size) -> anyhow::Result<()> {
        let kinds = self.kinds();
        let wanted = |role: &&mut Role| role.is(kind, kinds);
        let role = self.roles.iter_mut().find(wanted);
        let role = role.with_context(|| format!("{} has no role that is a {kind}", self.name))?;
        role.size = size;
        Ok(())
    }

    /// Whether it has a role of this kind.
    pub(crate) fn has(&self, kind: &str) -> bool {
        let kinds = self.kinds();
        self.roles.iter().any(|role| role.is(kind, kinds))
    }
}

impl Role {
    fn is(&self, kind: &str, kinds: &[Kind]) -> bool {
        matches!(self.does, Does::Kind(known) if kinds[known].name == kind)
    }
}
