//! Manual pages and completions, made from the definition of the command line.

use std::{io, path::Path};

use clap::CommandFactory;
use clap_complete::Shell;
use muster::config::cli::Cli;

/// The program's name.
const NAME: &str = "muster";

/// Writes a page for the program and for each of its commands: `muster.1`, `muster-account-add.1`.
///
/// # Errors
/// The folder's.
pub(crate) fn write(folder: &Path) -> io::Result<()> {
    // clap's own `help` explains what the pages do.
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), folder)
}

/// What a shell is to read.
pub(crate) fn completions(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), NAME, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
