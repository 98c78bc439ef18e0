//! The command line of the load tester.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::Context as _;
use clap::Parser as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use swarm::cli::{Command, CommandLine, Profiles, Record, Sides};
use swarm::compare::Comparison;
use swarm::fleet::{self, Gathering, JoinOptions, LeadOptions};
use swarm::manual;
use swarm::outputs::Outputs;
use swarm::plan::Plan;
use swarm::scenario::{self, Shipped};
use swarm::watching::{self, Endpoint};

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
        Command::Run(arguments) => prepare(arguments.plan(), &arguments.fleet),
        Command::Replay(mut arguments) => prepare(arguments.plan(), arguments.fleet()),
        Command::Record(options) => record(&options),
        Command::Compare(sides) => compare(&sides),
        Command::Join(options) => join(&options),
        Command::Profiles(command) => told(profiles(&command)),
        Command::Check { files } => told(scenario::check(&files)),
        Command::Schedule { file, arguments } => {
            let plan = arguments.plan_for(file);
            told(plan.and_then(|plan| scenario::timetable(&plan)))
        }
        Command::Man { folder } => told(manual::write(&folder)),
        Command::Completions { shell } => told(Ok(manual::completions(shell))),
    }
}

/// Runs a share of somebody else's run.
fn join(options: &JoinOptions) -> ExitCode {
    let joining = match options.joining() {
        Ok(joining) => joining,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let interrupt: Arc<AtomicBool> = Arc::default();
    let done =
        listen_to_signals(interrupt.clone()).and_then(|()| fleet::join(&joining, &interrupt));
    match done {
        Ok(()) => {
            say("done: whoever leads the run has what was found here\n");
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("FAILED: {error:#}\n"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Prints what was asked for, or why it makes no sense.
fn told(text: anyhow::Result<String>) -> ExitCode {
    match text {
        Ok(text) => {
            say(&text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("swarm: {error:#}");
            ExitCode::from(EXIT_USAGE)
        }
    }
}

fn profiles(command: &Profiles) -> anyhow::Result<String> {
    match command {
        Profiles::List => scenario::list(),
        Profiles::Show { name } => Ok(Shipped::named(name)?.text.to_owned()),
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

/// Records until it is told to stop.
fn record(options: &Record) -> ExitCode {
    let proxy = match options.open() {
        Ok(proxy) => proxy,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let interrupt = Arc::new(AtomicBool::new(false));
    let recorded = listen_to_signals(Arc::clone(&interrupt)).and_then(|()| {
        say(&format!("{}\n", proxy.heading()));
        proxy.run(&interrupt)
    });
    match recorded {
        Ok(summary) => {
            say(&format!("{summary}\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(&format!("FAILED: {error:#}\n"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

fn prepare(plan: anyhow::Result<Plan>, lead: &LeadOptions) -> ExitCode {
    let prepared = plan.and_then(|plan| {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let gathering = lead.gathering(&plan, &words)?;
        let outputs = Outputs::open(&plan)?;
        let endpoint = Endpoint::open(&plan)?;
        Ok((plan, gathering, outputs, endpoint))
    });
    // Metrics are there until the report is written.
    let (plan, gathering, outputs, _endpoint) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("swarm: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(plan, gathering, outputs) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            say(&format!("FAILED: {error:#}\n"));
            ExitCode::from(EXIT_FAILED)
        }
    }
}

/// Runs the plan and tells everything; gives the exit code.
fn run(plan: Plan, gathering: Option<Gathering>, outputs: Outputs) -> anyhow::Result<u8> {
    listen_to_signals(plan.interrupt.clone())?;
    say(&format!("{}\n", plan.heading()));
    let goals = plan.goals.clone();
    let heading = plan.heading();
    let outcome = match gathering {
        Some(gathering) => fleet::lead(plan, gathering),
        None => swarm::run(plan),
    };
    let report = match outcome {
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

/// The first signal ends the run, a second one the process.
fn listen_to_signals(interrupt: Arc<AtomicBool>) -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let listen = move || {
        for _ in signals.forever() {
            if interrupt.swap(true, Ordering::Relaxed) {
                watching::restore_or_give_up();
                low_level::exit(EXIT_FAILED.into());
            }
        }
    };
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(listen)?;
    Ok(())
}

/// Prints to whoever still reads: nobody does after `| head`, and that is no failure of the run.
fn say(text: &str) {
    let _unread = std::io::stdout().write_all(text.as_bytes());
}
