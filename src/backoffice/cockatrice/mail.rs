//! Mail that tells tokens: what waits is in the store, and goes out as files in a folder or through a program
//! (spec: cockatrice-behaviour 15).
//!
//! A mail that can't be sent stays where it is and is tried again the next time. One that was sent when the process ends before
//! that is noted is sent twice, with the same token.

use std::{
    fmt::Write as _,
    io,
    path::Path,
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use metrics::SharedCounter;
use tokio::{io::AsyncWriteExt as _, process::Command};

use super::{settings, store::Store};
use crate::unix_now;

/// How often it is looked whether mail waits.
const ROUND: Duration = Duration::from_secs(15);
/// A program that has not taken a mail after this time is given up.
const DEADLINE: Duration = Duration::from_secs(30);

metrics::metrics! {
    /// What becomes of mail.
    pub struct Metrics {
        /// Mails with a token for an account of the Cockatrice lobby that were sent.
        sent: SharedCounter = Sum "muster_cockatrice_mails_sent_total";
        /// Attempts to send such a mail that failed; it is tried again.
        failed: SharedCounter = Sum "muster_cockatrice_mails_failed_total";
    }
}

/// Sends mail.
#[derive(Debug)]
pub struct Mailer {
    settings: settings::Mail,
    metrics: Arc<Metrics>,
    number: AtomicU64,
}

impl Mailer {
    /// One for these settings; `None`: they name neither a folder nor a program.
    pub fn new(settings: settings::Mail, metrics: Arc<Metrics>) -> Option<Self> {
        let is_used = settings.folder.is_some() || settings.command.is_some();
        is_used.then(|| Mailer {
            settings,
            metrics,
            number: AtomicU64::new(0),
        })
    }

    /// Sends what waits, again and again.
    pub async fn keep_sending(&self, store: &Store) {
        loop {
            self.round(store).await;
            tokio::time::sleep(ROUND).await;
        }
    }

    /// Sends what waits. After the first failure the rest waits for the next round.
    pub async fn round(&self, store: &Store) {
        let settings = &self.settings;
        let Ok(waiting) = store.waiting_mail().await else {
            return; // the store has logged why
        };
        for mail in waiting {
            let (subject, text) = match mail.is_activation {
                true => (&settings.activation_subject, &settings.activation_text),
                false => (&settings.recovery_subject, &settings.recovery_text),
            };
            let filled = |text: &str| {
                let text = text.replace("%username", &mail.name);
                text.replace("%token", &mail.token)
            };
            let message = message(
                &settings.sender,
                &mail.email,
                &filled(subject),
                &filled(text),
            );
            match self.send(&message).await {
                Ok(()) => self.metrics.sent.up(),
                Err(error) => {
                    self.metrics.failed.up();
                    tracing::warn!(%error, "a mail could not be sent; it is tried again");
                    return;
                }
            }
            if store.mail_sent(&mail).await.is_err() {
                return;
            }
        }
    }

    async fn send(&self, message: &str) -> io::Result<()> {
        if let Some(folder) = &self.settings.folder {
            self.put(folder, message).await?;
        }
        if let Some(command) = &self.settings.command {
            let run = run(command, message);
            let run = tokio::time::timeout(DEADLINE, run).await;
            run.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
        }
        Ok(())
    }

    /// Puts a mail into the folder: as a whole or not at all.
    async fn put(&self, folder: &Path, message: &str) -> io::Result<()> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let name = format!("{:.6}-{}-{number}", unix_now(), std::process::id());
        let (folder, message) = (folder.to_owned(), message.to_owned());
        let put = move || {
            std::fs::create_dir_all(&folder)?;
            let beside = folder.join(format!(".{name}"));
            std::fs::write(&beside, message)?;
            std::fs::rename(&beside, folder.join(format!("{name}.eml")))
        };
        tokio::task::spawn_blocking(put).await?
    }
}

async fn run(command: &str, message: &str) -> io::Result<()> {
    let mut words = command.split_whitespace();
    let program = words.next().unwrap_or_default();
    let mut child = Command::new(program)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(message.as_bytes()).await?;
    }
    let status = child.wait().await?;
    match status.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("{program}: {status}"))),
    }
}

/// A mail as RFC 5322 has it. Whatever stands in a name, each header stays one line.
fn message(from: &str, to: &str, subject: &str, text: &str) -> String {
    let mut message = String::new();
    for (header, value) in [("From", from), ("To", to), ("Subject", subject)] {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let _ = write!(message, "{header}: {value}\r\n");
    }
    message.push_str("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n");
    for line in text.lines() {
        message.push_str(line);
        message.push_str("\r\n");
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_stays_one_line() {
        let mail = message("a@b", "c@d\r\nBcc: e@f", "one\ntwo", "text\nmore");
        let (head, text) = mail.split_once("\r\n\r\n").unwrap();
        assert_eq!(head.lines().count(), 5);
        assert!(head.contains("To: c@dBcc: e@f\r\nSubject: onetwo\r\n"));
        assert_eq!(text, "text\r\nmore\r\n");
    }

    #[tokio::test]
    async fn a_program_says_whether_it_has_taken_a_mail() {
        assert!(run("cat", "mail").await.is_ok());
        assert!(run("false", "").await.is_err());
        assert!(run("/nowhere/at/all", "mail").await.is_err());
    }
}
