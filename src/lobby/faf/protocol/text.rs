//! Words and times for people: ban texts, shutdown notices, ISO 8601.

use std::time::Duration;

use crate::faf::model::{
    account::Ban,
    time::{enumerate, words},
};

/// First message of a client that is not the official one (spec: faf-messages 3.1).
pub(in crate::faf) fn unofficial_client(www_url: &str) -> String {
    format!(
        "You are using an unofficial client version! Some features might not work as expected. If you experience any \
         problems please download the latest version of the official client from <a href=\"{www_url}\">{www_url}</a>"
    )
}

/// What a banned player reads (spec: faf-messages 2.1).
pub(in crate::faf) fn ban(ban: &Ban, now_unix: Duration) -> String {
    format!(
        "You are banned from FAF {}. <br>Reason: <br>{}<br><br><i>If you would like to appeal this ban, please send \
         an email to: moderation@faforever.com</i>",
        ban_duration(ban.expires_at - now_unix.as_secs_f64()),
        ban.reason
    )
}

/// `forever`, or `for ` and the remaining time down to hours (spec: faf-messages 2.1).
pub(in crate::faf) fn ban_duration(seconds: f64) -> String {
    const FOREVER_DAYS: f64 = 36_500.0;
    let days = seconds / 86_400.0;
    if days.floor() > FOREVER_DAYS {
        return "forever".into();
    }
    // Years and months are cut from whole days: what is left of a month can end in half a day.
    let whole = days.max(0.0).floor();
    let years = (whole / 365.0).floor();
    let rest = whole - years * 365.0;
    let months = (rest / 30.5).floor();
    let hours = seconds.max(0.0) % 86_400.0 / 3_600.0;
    let mut parts = Vec::new();
    let mut count = |n: f64, unit: &str| {
        if n > 0.0 {
            parts.push(format!(
                "{} {unit}{}",
                n as i64,
                if n == 1.0 { "" } else { "s" }
            ));
        }
    };
    count(years, "year");
    count(months, "month");
    count(rest - months * 30.5, "day");
    if hours > 0.0 || parts.is_empty() {
        let text = if hours.fract() == 0.0 {
            format!("{}", hours as i64)
        } else {
            format!("{hours:.2}")
        };
        parts.push(format!(
            "{text} hour{}",
            if hours == 1.0 { "" } else { "s" }
        ));
    }
    format!("for {}", enumerate(&parts))
}

/// The notice when an orderly end begins (spec: faf-lifecycle 14).
pub(in crate::faf) fn shutting_down(grace: Duration, kick_idle: bool) -> String {
    let message = if kick_idle {
        "If you're in a game you can continue to play, otherwise you will be disconnected. If you aren't reconnected \
         automatically please wait a few minutes and try to connect again."
    } else {
        "If you're in a game you can continue to play, however, you will not be able to create any new games until the \
         server has been restarted."
    };
    format!(
        "The server will be shutting down for maintenance in {}! {message}",
        words(grace)
    )
}

/// The notice when an end that was planned is not to be.
pub(in crate::faf) const END_CANCELLED: &str =
    "The server will not be shut down for maintenance after all.";

/// What somebody new is told while the end is near.
pub(in crate::faf) const NOBODY_NEW: &str = "The server is being shut down for maintenance and takes nobody new. Please try again in a few minutes.";

/// What somebody is told who wants something that takes the other nodes of the lobby.
pub(in crate::faf) const OUT_OF_TOUCH: &str = "The server has lost touch with the other servers of this lobby, but should be back soon. Please try again in a few \
    minutes.";

/// The notice when the end is there (spec: faf-lifecycle 14).
pub(in crate::faf) const SHUT_DOWN: &str = "The server has been shut down for maintenance but should be back online soon. If you \
    experience any problems, please restart your client. <br/><br/>We apologize for this interruption.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ban_durations_of_the_specification() {
        let hour = 3600.0;
        let day = 24.0 * hour;
        for (seconds, expected) in [
            (46.0 * hour - 0.01, "for 1 day and 22.00 hours"),
            (21.99 * hour, "for 21.99 hours"),
            (600.0, "for 0.17 hours"),
            (hour, "for 1 hour"),
            (0.0, "for 0 hours"),
            (day, "for 1 day"),
            (3.0 * day + 2.33 * hour, "for 3 days and 2.33 hours"),
            (31.0 * day, "for 1 month and 0 days"),
            (31.0 * day - 0.01, "for 30 days and 24.00 hours"),
            (735.0 * hour, "for 30 days and 15 hours"),
            (275.0 * day - 0.01, "for 8 months, 30 days and 24.00 hours"),
            (32.0 * day, "for 1 month and 1 days"),
            (36_502.0 * day, "forever"),
        ] {
            assert_eq!(ban_duration(seconds), expected, "{seconds} s");
        }
    }
}
