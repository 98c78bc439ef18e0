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
        replaced_file: cli.options.configuration_file.clone(),
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

/// Logs go to stderr; stdout is for what was asked for.
fn log_to_stderr(config: &Config) -> Level {
    let filter = |level: &str| {
        tracing_subscriber::EnvFilter::try_new(level)
            .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"))
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(&config.log.level))
        .with_writer(std::io::stderr)
        .with_filter_reloading();
    let handle = subscriber.reload_handle();
    subscriber.init();
    Box::new(move |level| {
        if let Err(error) = handle.reload(filter(level)) {
            tracing::warn!(%error, "the log's level stays");
        }
    })
}
