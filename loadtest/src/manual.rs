//! Manual pages and completions, made from the definition of the command line.

use std::path::Path;

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::cli::CommandLine;

/// Writes a page for the program and for each of its commands: `swarm.1`, `swarm-run.1`.
///
/// # Errors
/// The folder's.
pub fn write(folder: &Path) -> anyhow::Result<String> {
    // clap's own `help` explains what the pages do.
    clap_mangen::generate_to(CommandLine::command().disable_help_subcommand(true), folder)
        .with_context(|| folder.display().to_string())?;
    Ok(String::new())
}

/// What a shell is to read.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut CommandLine::command(), "swarm", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
