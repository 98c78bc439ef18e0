//! What a run does, as the command line says it: a profile or a file, and what is typed instead of what that says.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{bail, ensure};
use clap::Parser as _;
use clap::builder::PossibleValuesParser;

use super::profiles::{self, Shipped};
use super::{Curve, Does, Scenario};
use crate::cli::{Command, CommandLine, duration};
use crate::protocols::{self, ProtocolName};

/// An event in eleven days; slower ones are due at times that no run gets to.
pub(crate) const SLOWEST_RATE: f64 = 1e-6;

/// Options that say what a run does.
#[derive(Debug, clap::Args)]
pub(crate) struct What {
    /// What the clients do, by the name of a scenario inside the program (`swarm profiles list`); without it the protocol's
    /// first.
    #[arg(long, short, value_parser = PossibleValuesParser::new(profiles::names()))]
    pub(crate) profile: Option<String>,
    /// What they do, as this file says (docs/scenarios.md).
    #[arg(long, value_name = "FILE", conflicts_with = "profile")]
    pub(crate) scenario: Option<PathBuf>,
    /// How many clients; the profiles have 1000.
    #[arg(long, short = 'n')]
    pub(crate) clients: Option<usize>,
    /// Changes (sign-ins, messages) per second, all sources together; the profiles have 10.
    #[arg(long, short)]
    pub(crate) rate: Option<f64>,
    /// Length of the measured phase (for example 30s, 2m, 500ms); the profiles have 30s.
    #[arg(long, short, value_parser = duration)]
    pub(crate) duration: Option<Duration>,
}

/// Checks these files, with everything that a run of them would refuse; gives a line about each.
pub fn check(files: &[PathBuf]) -> anyhow::Result<String> {
    let mut text = String::new();
    for file in files {
        let line = CommandLine::try_parse_from(["swarm", "run"])?;
        let Command::Run(arguments) = line.command else {
            unreachable!("it is `run`");
        };
        let plan = arguments.plan_for(Some(file.clone()))?;
        let file = file.display();
        let (clients, stages) = (plan.clients, plan.scenario.stages.len());
        let duration = humantime::format_duration(plan.duration);
        let protocol = protocols::name_of(plan.scenario.protocol);
        let _infallible = writeln!(
            text,
            "{file}: protocol {protocol}, {clients} clients, {stages} stages, {duration}"
        );
    }
    Ok(text)
}

impl What {
    /// The scenario that is meant, of this protocol if one was typed.
    pub(crate) fn scenario(&self, protocol: Option<ProtocolName>) -> anyhow::Result<Scenario> {
        let mut scenario = match &self.scenario {
            Some(path) => Scenario::open(path)?,
            None => {
                Shipped::of(protocol.unwrap_or_default(), self.profile.as_deref())?.scenario()?
            }
        };
        ensure!(
            protocol.is_none_or(|protocol| protocol == scenario.protocol),
            "--protocol: {} is of the protocol {}",
            scenario.name,
            protocols::name_of(scenario.protocol)
        );
        if let Some(clients) = self.clients {
            scenario.set_clients(clients)?;
        }
        if let Some(rate) = self.rate {
            ensure!(
                rate.is_finite() && rate >= SLOWEST_RATE,
                "--rate must be {SLOWEST_RATE} at least"
            );
            scenario.set_rate(rate)?;
        }
        if let Some(duration) = self.duration {
            ensure!(!duration.is_zero(), "--duration must be more than 0");
            scenario.set_duration(duration)?;
        }
        Ok(scenario)
    }
}

impl Scenario {
    /// Has another number of clients.
    fn set_clients(&mut self, clients: usize) -> anyhow::Result<()> {
        ensure!(
            self.clients.is_constant(),
            "--clients: the number of clients changes in {}",
            self.name
        );
        self.clients = Curve::constant(clients as f64);
        Ok(())
    }

    /// Has another rate, if only one thing has one.
    fn set_rate(&mut self, rate: f64) -> anyhow::Result<()> {
        let scripts: Vec<usize> = self.paced_scripts().map(|(role, _)| role).collect();
        let own = scripts.is_empty();
        let curve = match (&scripts[..], &mut self.roles) {
            ([], _) => &mut self.rate,
            ([role], roles) if self.rate.highest() == 0.0 => match &mut roles[*role].does {
                Does::Script(script) => &mut Arc::make_mut(script).rate,
                Does::Kind(_) => unreachable!("it has a script"),
            },
            _ => bail!("--rate: several roles have rates in {}", self.name),
        };
        ensure!(
            curve.is_constant() && (own || curve.highest() > 0.0),
            "--rate: the rate changes in {}",
            self.name
        );
        *curve = Curve::constant(rate);
        Ok(())
    }

    /// Has another length.
    fn set_duration(&mut self, duration: Duration) -> anyhow::Result<()> {
        ensure!(
            self.stages.len() == 1 && self.clients.is_constant() && self.has_constant_rates(),
            "--duration: {} has stages of their own lengths",
            self.name
        );
        self.stages[0].duration = duration;
        self.duration = duration;
        Ok(())
    }

    fn has_constant_rates(&self) -> bool {
        self.rate.is_constant()
            && self
                .paced_scripts()
                .all(|(_, script)| script.rate.is_constant())
    }
}
