//! The command line of the load tester.

use std::process::ExitCode;

use clap::Parser as _;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The run worked, but a change was lost, a sign-in failed, or the like.
const EXIT_FAILED: u8 = 1;
/// The command line makes no sense.
const EXIT_USAGE: u8 = 2;
/// A goal (`--slo`) was not met.
const EXIT_GOAL: u8 = 3;

fn main() -> ExitCode {
    let swarm::cli::Command::Run(arguments) = swarm::cli::CommandLine::parse().command;
    let plan = match arguments.plan() {
        Ok(plan) => plan,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let report = match swarm::run(plan.clone()) {
        Ok(report) => report,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_FAILED);
        }
    };
    print!("{report}");
    if let Err(error) = report.write_files(&plan) {
        eprintln!("swarm: {error:#}");
        return ExitCode::from(EXIT_FAILED);
    }
    let violations = report.violations(&plan.goals);
    for violation in &violations {
        println!("SLO {violation}");
    }
    if !violations.is_empty() {
        return ExitCode::from(EXIT_GOAL);
    }
    if !report.failures().is_empty() {
        return ExitCode::from(EXIT_FAILED);
    }
    ExitCode::SUCCESS
}
