//! A mail server that takes mail by SMTP, with or without TLS.

use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor,
    transport::smtp::{
        Error,
        client::{Tls, TlsParameters},
    },
};

use super::ways::{DEADLINE, Failure};
use crate::cockatrice::settings;

/// The way to it. Connects for each mail.
pub(super) type Smtp = AsyncSmtpTransport<Tokio1Executor>;

/// Codes by which a server says that it wants somebody else to sign in, or with something else (RFC 4954): no mail would be taken.
const SIGN_IN: [u16; 5] = [432, 454, 530, 534, 535];

/// The server that these settings name, if they name one.
pub(super) fn transport(settings: &settings::Mail) -> Option<Result<Smtp, Error>> {
    let url = settings.smtp_url.as_deref()?;
    Some(built(url, settings.smtp_accept_all_certificates))
}

fn built(url: &str, accept_all: bool) -> Result<Smtp, Error> {
    let mut builder = Smtp::from_url(url)?.timeout(Some(DEADLINE));
    if accept_all {
        let lax = TlsParameters::builder(host(url).to_owned())
            .dangerous_accept_invalid_certs(true)
            .dangerous_accept_invalid_hostnames(true)
            .build()?;
        if url.starts_with("smtps:") {
            builder = builder.tls(Tls::Wrapper(lax));
        } else if url.contains("tls=required") {
            builder = builder.tls(Tls::Required(lax));
        } else if url.contains("tls=opportunistic") {
            builder = builder.tls(Tls::Opportunistic(lax));
        }
    }
    Ok(builder.build())
}

/// The host of a URL that is understood.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let place = authority.rsplit('@').next().unwrap_or_default();
    match place.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or_default(),
        None => place.split(':').next().unwrap_or_default(),
    }
}

/// Has the server take a mail.
pub(super) async fn send(smtp: &Smtp, message: &Message) -> Result<(), Failure> {
    let sent = tokio::time::timeout(DEADLINE, smtp.send(message.clone())).await;
    let Ok(sent) = sent else {
        return Err(Failure::Away("the mail server takes too long".to_owned()));
    };
    sent.map(|_| ()).map_err(|error| {
        let why = told(&error);
        let code = error.status().map(u16::from);
        let is_about_mail = code.is_some_and(|code| code != 421 && !SIGN_IN.contains(&code));
        match is_about_mail {
            true => Failure::Refused(why),
            false => Failure::Away(why),
        }
    })
}

/// An error with its causes.
fn told(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        told = format!("{told}: {error}");
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found() {
        for (url, wanted) in [
            ("smtp://mail.example.org", "mail.example.org"),
            (
                "smtps://a%40b:c@mail.example.org:465/x?tls=required",
                "mail.example.org",
            ),
            ("smtp://[::1]:25", "::1"),
        ] {
            assert_eq!(host(url), wanted);
        }
    }

    #[test]
    fn certificates_need_not_be_right_if_that_is_wanted() {
        for url in [
            "smtps://localhost",
            "smtp://localhost?tls=required",
            "smtp://localhost",
        ] {
            assert!(built(url, true).is_ok(), "{url}");
        }
        assert!(built("smtp://localhost?tls=perhaps", false).is_err());
    }
}
