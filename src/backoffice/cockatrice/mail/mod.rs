//! Mail that tells tokens: what waits is in the store, and goes out as files in a folder, through a program, or to a mail server
//! (spec: cockatrice-behaviour 15).
//!
//! A mail that can't be sent stays where it is. If nothing can be sent now, all of them wait for the next round; if only this one
//! is refused, it alone waits, longer each time, and is given up in the end. One that was sent when the process ends before that is
//! noted is sent twice, with the same token. Other settings count from the next mail on; then all that was refused is tried again.

mod smtp;
#[cfg(test)]
mod tests;
mod ways;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use lettre::{
    Message,
    message::{Mailbox, header::ContentType},
};
use metrics::SharedCounter;

use self::ways::{Failure, Ways};
use super::{
    rules::Holding,
    settings,
    store::{Store, Waiting},
};
use crate::unix_now;

/// How often it is looked whether mail waits.
const ROUND: Duration = Duration::from_secs(15);
/// How long a mail waits that was refused; twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(60);
/// The longest such wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// A mail that was refused so often is given up, after some five hours: servers that do not know the sender refuse for minutes,
/// and somebody who has to be told to mend a setting does it within hours.
const ATTEMPTS: u32 = 10;

metrics::metrics! {
    /// What becomes of mail.
    pub struct Metrics {
        /// Mails with a token for an account of the Cockatrice lobby that were sent.
        sent: SharedCounter = Sum "muster_cockatrice_mails_sent_total";
        /// Attempts to send such a mail that failed; it is tried again.
        failed: SharedCounter = Sum "muster_cockatrice_mails_failed_total";
        /// Such mails that were refused again and again, and given up.
        given_up: SharedCounter = Sum "muster_cockatrice_mails_given_up_total";
    }
}

/// Sends mail.
#[derive(Debug)]
pub struct Mailer {
    settings: settings::Mail,
    /// None: what waits stays in the store.
    ways: Option<Ways>,
    metrics: Arc<Metrics>,
    /// How many messages there were.
    number: u64,
    /// Those that were refused and still wait.
    refused: HashMap<Waiting, Refused>,
}

/// How a mail that was refused goes on.
#[derive(Clone, Copy, Debug)]
struct Refused {
    attempts: u32,
    /// Not tried before.
    next: Instant,
}

/// What of these settings means nothing, in words that name the key.
pub(super) fn fault(settings: &settings::Mail) -> Option<String> {
    if let Err(error) = settings.sender.parse::<Mailbox>() {
        return Some(format!(
            "cockatrice.mail_sender = {:?} is no address: {error}",
            settings.sender
        ));
    }
    let smtp = smtp::transport(settings)?;
    let error = smtp.err()?;
    Some(format!("cockatrice.smtp_url is not understood: {error}"))
}

impl Mailer {
    /// One for these settings. It sends nothing if they name no way to, or not a right one.
    pub fn new(settings: settings::Mail, metrics: Arc<Metrics>) -> Self {
        Mailer {
            ways: Ways::of(&settings),
            settings,
            metrics,
            number: 0,
            refused: HashMap::new(),
        }
    }

    /// Sends what waits, again and again, as the settings want it by then.
    pub async fn keep_sending(mut self, store: Arc<Store>, mut holding: Holding) {
        loop {
            let rules = holding.borrow_and_update().clone();
            self.renew(&rules.chosen.mail);
            self.round(&store, Instant::now()).await;
            // Without anybody who could change them, the settings are these.
            let changed = async {
                if holding.changed().await.is_err() {
                    std::future::pending().await
                }
            };
            let _ = tokio::time::timeout(ROUND, changed).await; // whichever comes first
        }
    }

    /// The settings are these from now on. Others may be what mails that were refused have waited for.
    pub fn renew(&mut self, settings: &settings::Mail) {
        if self.settings != *settings {
            self.ways = Ways::of(settings);
            self.settings = settings.clone();
            self.refused.clear();
        }
    }

    /// Sends what waits and is not to wait longer at this time.
    pub async fn round(&mut self, store: &Store, now: Instant) {
        if self.ways.is_none() {
            return;
        }
        let Ok(waiting) = store.waiting_mail().await else {
            return; // the store has logged why
        };
        // What somebody has asked for anew, or does not want any more, is not waited for.
        self.refused.retain(|mail, _| waiting.contains(mail));
        for mail in waiting {
            if self
                .refused
                .get(&mail)
                .is_some_and(|refused| refused.next > now)
            {
                continue;
            }
            match self.send(&mail).await {
                Ok(()) => self.metrics.sent.up(),
                Err(Failure::Refused(why)) => {
                    self.metrics.failed.up();
                    if self.is_waited_for(&mail, &why, now) {
                        continue;
                    }
                }
                Err(Failure::Away(why)) => {
                    self.metrics.failed.up();
                    tracing::warn!(%why, "mail can't be sent now; it is tried again");
                    return;
                }
            }
            self.refused.remove(&mail);
            if store.mail_sent(&mail).await.is_err() {
                return;
            }
        }
    }

    /// Whether a mail that was refused is tried once more.
    fn is_waited_for(&mut self, mail: &Waiting, why: &str, now: Instant) -> bool {
        let attempts = self.refused.get(mail).map_or(0, |refused| refused.attempts) + 1;
        let account = &mail.name;
        if attempts >= ATTEMPTS {
            self.metrics.given_up.up();
            tracing::warn!(
                account,
                why,
                "a mail is given up: it was refused {attempts} times"
            );
            return false;
        }
        let pause = FIRST_PAUSE * 2_u32.pow((attempts - 1).min(16));
        let pause = pause.min(LONGEST_PAUSE);
        tracing::warn!(
            account,
            why,
            "a mail was refused; it is tried again in {pause:?}"
        );
        let next = now + pause;
        self.refused
            .insert(mail.clone(), Refused { attempts, next });
        true
    }

    async fn send(&mut self, mail: &Waiting) -> Result<(), Failure> {
        self.number += 1;
        let name = format!("{:.6}-{}-{}", unix_now(), std::process::id(), self.number);
        let message = self.message(mail, &name)?;
        match &self.ways {
            Some(ways) => ways.send(&name, &message).await,
            None => Err(Failure::Away("there is no way to send it".to_owned())),
        }
    }

    /// A mail as RFC 5322 has it. Whatever stands in a name, each header stays one line.
    fn message(&self, mail: &Waiting, id: &str) -> Result<Message, Failure> {
        let settings = &self.settings;
        let (subject, text) = match mail.is_activation {
            true => (&settings.activation_subject, &settings.activation_text),
            false => (&settings.recovery_subject, &settings.recovery_text),
        };
        let filled = |text: &str| {
            let text = text.replace("%username", &mail.name);
            text.replace("%token", &mail.token)
        };
        let refused = |error: &dyn std::fmt::Display| Failure::Refused(error.to_string());
        let from: Mailbox = settings.sender.parse().map_err(|error| refused(&error))?;
        let to: Mailbox = mail.email.parse().map_err(|error| refused(&error))?;
        let id = format!("<{id}@{}>", from.email.domain());
        let subject = filled(subject).replace(char::is_control, "");
        let built = Message::builder()
            .from(from)
            .to(to)
            .subject(subject)
            .message_id(Some(id))
            .header(ContentType::TEXT_PLAIN)
            .body(filled(text));
        built.map_err(|error| refused(&error))
    }
}
