//! The ways out: a folder, a program, a mail server. With several, a mail takes all of them.

use std::{
    io,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use lettre::Message;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::smtp::{self, Smtp};
use crate::cockatrice::settings;

/// A program or a server that has not taken a mail after this time is given up.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// Why a mail was not sent.
#[derive(Debug)]
pub(super) enum Failure {
    /// This one was refused; others may be taken.
    Refused(String),
    /// None would be sent now.
    Away(String),
}

/// The ways that were chosen.
#[derive(Debug)]
pub(super) struct Ways {
    folder: Option<PathBuf>,
    command: Option<String>,
    smtp: Option<Smtp>,
}

impl Ways {
    /// `None`: there are none.
    pub(super) fn of(settings: &settings::Mail) -> Option<Ways> {
        let ways = Ways {
            folder: settings.folder.clone(),
            command: settings.command.clone(),
            smtp: smtp::transport(settings).and_then(Result::ok),
        };
        let is_used = ways.folder.is_some() || ways.command.is_some() || ways.smtp.is_some();
        is_used.then_some(ways)
    }

    /// Sends a mail; `name` is one that no other mail has.
    pub(super) async fn send(&self, name: &str, message: &Message) -> Result<(), Failure> {
        if let Some(folder) = &self.folder {
            let put = put(folder, name, message.formatted()).await;
            put.map_err(|error| Failure::Away(format!("{}: {error}", folder.display())))?;
        }
        if let Some(command) = &self.command {
            let message = message.formatted();
            let run = run(command, &message);
            let run = tokio::time::timeout(DEADLINE, run).await;
            run.unwrap_or_else(|_| Err(Failure::Away(format!("{command}: takes too long"))))?;
        }
        match &self.smtp {
            Some(smtp) => smtp::send(smtp, message).await,
            None => Ok(()),
        }
    }
}

/// Puts a mail into the folder: as a whole or not at all.
async fn put(folder: &Path, name: &str, message: Vec<u8>) -> io::Result<()> {
    let (folder, name) = (folder.to_owned(), name.to_owned());
    let put = move || {
        std::fs::create_dir_all(&folder)?;
        let beside = folder.join(format!(".{name}"));
        std::fs::write(&beside, message)?;
        std::fs::rename(&beside, folder.join(format!("{name}.eml")))
    };
    tokio::task::spawn_blocking(put).await?
}

async fn run(command: &str, message: &[u8]) -> Result<(), Failure> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let away = |error: io::Error| Failure::Away(format!("{program}: {error}"));
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(away)?;
    if let Some(mut input) = child.stdin.take() {
        // A program that reads no further says by its status whether it has taken the mail.
        let _ = input.write_all(message).await;
    }
    let status = child.wait().await.map_err(away)?;
    match status.success() {
        true => Ok(()),
        false => Err(Failure::Refused(format!("{program}: {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_program_says_whether_it_has_taken_a_mail() {
        assert!(run("cat", b"mail").await.is_ok());
        assert!(matches!(run("false", b"").await, Err(Failure::Refused(_))));
        let nowhere = run("/nowhere/at/all", b"mail").await;
        assert!(matches!(nowhere, Err(Failure::Away(_))));
    }
}
