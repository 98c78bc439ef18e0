//! The command line: puts the layers together and nothing else.

mod accounts;
mod serve;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use muster::{
    config::{
        Config, Sources,
        cli::{Cli, Command},
    },
    doctor,
};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

// Most allocations are small, short-lived and stay on their thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(error) => {
            eprintln!("muster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    let sources = Sources {
        file: cli.options.config.clone(),
        compat_file: cli.options.configuration_file.clone(),
        environment: environment(),
        flags: cli.options.flags(),
    };
    let config = Config::load(&sources)?;
    if cli.options.print_config {
        print!("{}", config.print());
        return Ok(ExitCode::SUCCESS);
    }
    if cli.options.check_config {
        println!("the configuration is fine");
        return Ok(ExitCode::SUCCESS);
    }
    let level = log_to_stderr(&config);
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(sources, config, level),
        Command::Doctor { json } => Ok(examine(&config, json)),
        Command::Account { action } => accounts::run(&config, action).context("accounts"),
    }
}

/// Prints what `doctor` finds; fails if the server could not run here.
fn examine(config: &Config, json: bool) -> ExitCode {
    let checks = doctor::judge(&doctor::Machine::read(), config);
    print!(
        "{}",
        if json {
            doctor::json(&checks)
        } else {
            doctor::table(&checks)
        }
    );
    match doctor::failures(&checks) {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}

/// The variables of the environment, but for those that are no text: none of ours is.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Sets what is logged from now on.
pub(crate) type Level = Box<dyn Fn(&str)>;

/// What a level or a list of them lets through; nonsense counts as "info".
fn filter(level: &str) -> Targets {
    let given = level.split(',').map(str::trim);
    // The parser would take an empty part for everything from everywhere.
    let given: Vec<&str> = given.filter(|part| !part.is_empty()).collect();
    match given.join(",").parse() {
        Ok(targets) if !given.is_empty() => targets,
        _ => Targets::new().with_default(LevelFilter::INFO),
    }
}

/// Logs go to stderr; stdout is for what was asked for.
fn log_to_stderr(config: &Config) -> Level {
    let (filtered, handle) = reload::Layer::new(filter(&config.log.level));
    tracing_subscriber::registry()
        .with(filtered)
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr))
        .init();
    Box::new(move |level| {
        if let Err(error) = handle.reload(filter(level)) {
            tracing::warn!(%error, "the log's level stays");
        }
    })
}
