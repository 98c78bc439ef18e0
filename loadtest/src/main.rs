//! The command line of the load tester.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use clap::Parser as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use swarm::cli::{Arguments, Command, CommandLine, Sides};
use swarm::compare::Comparison;
use swarm::outputs::Outputs;
use swarm::plan::Plan;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The run worked, but a change was lost, a sign-in failed, or the like.
const EXIT_FAILED: u8 = 1;
/// The command line makes no sense.
const EXIT_USAGE: u8 = 2;
/// A goal (`--slo`) was not met.
const EXIT_GOAL: u8 = 3;

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Run(arguments) => prepare(&arguments),
        Command::Compare(sides) => compare(&sides),
    }
}

/// Compares what runs have written.
fn compare(sides: &Sides) -> ExitCode {
    match Comparison::of(sides) {
        Ok(comparison) => {
            say(&comparison.to_string());
            let failed = !comparison.failures().is_empty();
            ExitCode::from(if failed { EXIT_GOAL } else { 0 })
        }
        Err(error) => {
            eprintln!("swarm: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn prepare(arguments: &Arguments) -> ExitCode {
    let prepared = arguments.plan().and_then(|plan| {
        let outputs = Outputs::open(&plan)?;
        Ok((plan, outputs))
    });
    let (plan, outputs) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(plan, outputs) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("FAILED: {error:#}\n"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Runs the plan and tells everything; gives the exit code.
fn run(plan: Plan, outputs: Outputs) -> anyhow::Result<u8> {
    for signal in [SIGINT, SIGTERM] {
        // The first ends the run, a second one the process.
        let interrupt = Arc::clone(&plan.interrupt);
        flag::register_conditional_shutdown(signal, EXIT_FAILED.into(), interrupt)?;
        flag::register(signal, Arc::clone(&plan.interrupt))?;
    }
    say(&format!("{}\n", plan.heading()));
    let goals = plan.goals.clone();
    let heading = plan.heading();
    let report = match swarm::run(plan) {
        Ok(report) => report,
        Err(error) => {
            let why = format!("{error:#}");
            outputs.give_up(&heading, &why).context(why)?;
            return Err(error);
        }
    };
    say(&report.to_string());
    let written = outputs.write(&report, &goals);
    let violations = report.violations(&goals);
    for violation in &violations {
        say(&format!("SLO {violation}\n"));
    }
    written?;
    say(&format!("{}\n", report.verdict(&goals)));
    Ok(match () {
        () if !violations.is_empty() => EXIT_GOAL,
        () if !report.failures().is_empty() => EXIT_FAILED,
        () => 0,
    })
}

/// Prints to whoever still reads: nobody does after `| head`, and that is no failure of the run.
fn say(text: &str) {
    let _unread = std::io::stdout().write_all(text.as_bytes());
}
