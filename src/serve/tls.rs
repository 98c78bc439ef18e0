//! The certificate that listeners with TLS show: read at the start, and again whenever the configuration is. Who is connected
//! keeps the session they have.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use muster::{
    certificate::{self, Read, Unusable, Version},
    config::TlsFiles,
    engine::Tls,
};

use super::metrics::Service;

/// Days before a certificate's end at which each reading of the configuration says so.
pub(super) const WARNED_DAYS: u64 = 7;

/// What is shown, and of which files it is.
pub(super) struct Shown {
    tls: Tls,
    seen: Version,
}

impl Shown {
    /// What the configuration names, if it names anything.
    ///
    /// # Errors
    /// It can't be used.
    pub(super) fn open(files: &TlsFiles, service: &Service) -> anyhow::Result<Option<Shown>> {
        let read = certificate::read(files).context("TLS can't be offered");
        let Some(read) = read? else {
            return Ok(None);
        };
        tell("shown to clients", &read, service);
        let tls = Tls::new(read.certificate).context("TLS can't be offered")?;
        let seen = read.version;
        Ok(Some(Shown { tls, seen }))
    }

    /// For the engine.
    pub(super) fn tls(&self) -> Tls {
        self.tls.clone()
    }

    /// Looks whether the files are others than before, and shows what is in them. What can't be used is told once, and leaves
    /// everything as it is.
    pub(super) fn look_again(&mut self, files: &TlsFiles, service: &Service) {
        let seen = certificate::version(files);
        if seen == self.seen {
            return;
        }
        self.seen = seen;
        match certificate::read(files) {
            Ok(Some(read)) => {
                self.seen = read.version;
                tell("shown to clients from now on", &read, service);
                self.tls.renew(read.certificate);
            }
            Ok(None) => tracing::warn!("no certificate is named any more: the old one is shown on"),
            Err(error) => refuse(&error, service),
        }
    }
}

fn refuse(error: &Unusable, service: &Service) {
    service.certificate_unusable.set(1.0);
    tracing::error!(%error, "the new certificate can't be used: the old one is shown on");
}

/// Says what is shown, and counts how long it is good for.
fn tell(what: &str, read: &Read, service: &Service) {
    let expires = read.expires.unwrap_or_default();
    service.certificate_unusable.set(0.0);
    service.certificate_expiry.set(expires.as_secs_f64());
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let left = expires.saturating_sub(now.unwrap_or_default());
    let days = left.as_secs() / 86_400;
    if read.expires.is_none() || left > Duration::from_secs(WARNED_DAYS * 86_400) {
        tracing::info!(days, "a certificate is {what}");
    } else {
        tracing::warn!(
            days,
            "a certificate is {what}, and expires soon or has expired"
        );
    }
}
