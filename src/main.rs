//! The command line: puts the layers together and nothing else.

mod accounts;
mod ctl;
mod manual;
mod serve;
mod stores;

use std::{process::ExitCode, rc::Rc};

use anyhow::Context;
use clap::Parser;
use muster::{
    config::{
        Config, Sources,
        cli::{Account, AccountsOf, Cli, Command, Ctl, Store},
    },
    doctor,
    log::{self, Log},
};
use tokio::runtime::Runtime;

use serve::Signals;

// Most allocations are small, short-lived and stay on their thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let started = match prepare() {
        Ok(Prepared::Done(code)) => return code,
        Ok(Prepared::ToRun(started)) => started,
        Err(error) => {
            log::complain(&format!("muster: {error:#}"));
            return ExitCode::FAILURE;
        }
    };
    let log = started.log.clone();
    started.run().unwrap_or_else(|error| {
        log.notice(&format!("muster: {error:#}"));
        ExitCode::FAILURE
    })
}

/// What there is before a command is run.
struct Started {
    sources: Sources,
    config: Config,
    command: Todo,
    log: Rc<Log>,
    level: log::Level,
}

/// A command with what it needs from the first moment on.
enum Todo {
    /// The runtime of the main thread, and the signals that it heeds.
    Serve(Runtime, Signals),
    Doctor {
        json: bool,
    },
    Account(AccountsOf, Account),
    Store(AccountsOf, Store),
    Ctl(Ctl),
}

impl Todo {
    /// None: it needed neither a configuration nor a machine, and is done.
    fn of(command: Option<Command>) -> anyhow::Result<Option<Todo>> {
        Ok(Some(match command.unwrap_or(Command::Serve) {
            Command::Serve => {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                let signals = {
                    let _inside = runtime.enter();
                    Signals::heed()?
                };
                Todo::Serve(runtime, signals)
            }
            Command::Doctor { json } => Todo::Doctor { json },
            Command::Account { lobby, action } => Todo::Account(lobby, action),
            Command::Store { lobby, action } => Todo::Store(lobby, action),
            Command::Ctl { action } => Todo::Ctl(action),
            Command::Man { folder } => {
                manual::write(&folder).with_context(|| folder.display().to_string())?;
                return Ok(None);
            }
            Command::Completions { shell } => {
                log::say(&manual::completions(shell));
                return Ok(None);
            }
        }))
    }
}

/// How far the command line alone has led.
enum Prepared {
    /// What was asked for is done, and the process ends with this.
    Done(ExitCode),
    ToRun(Box<Started>),
}

/// Reads the command line and the configuration, and begins to log.
fn prepare() -> anyhow::Result<Prepared> {
    let cli = Cli::parse();
    // Before anything that takes time: a signal that comes meanwhile must not end the process.
    let Some(command) = Todo::of(cli.command)? else {
        return Ok(Prepared::Done(ExitCode::SUCCESS));
    };
    let sources = Sources {
        file: cli.options.config.clone(),
        compat_file: cli.options.configuration_file.clone(),
        servatrice_ini: cli.options.compat.clone(),
        environment: environment(),
        flags: cli.options.flags(),
    };
    let only_shows = cli.options.print_config || cli.options.check_config;
    let command = match command {
        // Before the configuration is read as a whole: a server that runs is reached with one that no other could start with.
        Todo::Ctl(action) if !only_shows => return ctl::run(&sources, action).map(Prepared::Done),
        command => command,
    };
    let config = Config::load(&sources)?;
    if cli.options.print_config {
        log::say(&config.print());
        return Ok(Prepared::Done(ExitCode::SUCCESS));
    }
    if cli.options.check_config {
        for note in config.replaces.iter().chain(&config.notes) {
            log::complain(note);
        }
        log::say("the configuration is fine\n");
        return Ok(Prepared::Done(ExitCode::SUCCESS));
    }
    let variables = sources.environment.iter();
    let no_color = variables
        .filter(|(name, _)| name == "NO_COLOR")
        .map(|(_, value)| value.as_str())
        .next();
    let style = log::style(config.log.format, no_color);
    let (log, level) = Log::start(&config.log.level, style).context("the log can't start")?;
    Ok(Prepared::ToRun(Box::new(Started {
        sources,
        config,
        command,
        log: Rc::new(log),
        level,
    })))
}

impl Started {
    /// Does what was asked.
    fn run(self) -> anyhow::Result<ExitCode> {
        // Whoever looks after accounts or a store has no use for what concerns a server.
        if matches!(self.command, Todo::Serve(..) | Todo::Doctor { .. }) {
            for replaces in &self.config.replaces {
                tracing::info!("{replaces}");
            }
            for note in &self.config.notes {
                tracing::warn!("{note}");
            }
        }
        match self.command {
            Todo::Serve(runtime, signals) => {
                let (sources, config) = (self.sources, self.config);
                serve::serve(&runtime, signals, sources, config, &self.log, self.level)
            }
            Todo::Doctor { json } => examine(&self.config, json),
            Todo::Account(lobby, action) => {
                accounts::run(&self.config, lobby, action).context("accounts")
            }
            Todo::Ctl(action) => ctl::run(&self.sources, action),
            Todo::Store(lobby, action) => {
                stores::run(&self.config, lobby, &action).context("store")
            }
        }
    }
}

/// Prints what `doctor` finds; fails if the server could not run here.
fn examine(config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut checks = doctor::judge(&doctor::Machine::read(), config);
    checks.extend(runtime.block_on(doctor::lobbies(config)));
    checks.extend(runtime.block_on(doctor::cluster(config)));
    log::say(&match json {
        true => doctor::json(&checks),
        false => doctor::table(&checks),
    });
    Ok(match doctor::failures(&checks) {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    })
}

/// The variables of the environment, but for those that are no text: none of ours is.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
