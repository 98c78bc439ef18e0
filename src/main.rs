//! The command line: puts the layers together and nothing else.

mod accounts;
mod serve;

use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use muster::{
    config::{
        Config,
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
    let config = Config::load(
        cli.options.config.as_deref(),
        std::env::vars(),
        &cli.options.flags(),
    )?;
    if cli.options.print_config {
        print!("{}", config.print());
        return Ok(ExitCode::SUCCESS);
    }
    if cli.options.check_config {
        println!("the configuration is fine");
        return Ok(ExitCode::SUCCESS);
    }
    log_to_stderr(&config);
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(&config),
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

/// Logs go to stderr; stdout is for what was asked for.
fn log_to_stderr(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::try_new(&config.log.level)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
