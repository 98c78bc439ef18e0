//! Times: as clients read them, as people say them, and where the next multiple of an interval is.

use std::{fmt::Write, time::Duration};

use jiff::{Timestamp, tz::Offset};

/// A duration in days, hours, minutes and seconds: `30 minutes`.
pub(in crate::faf) fn words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let parts: Vec<String> = [
        (seconds / 86_400, "day"),
        (seconds / 3600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ]
    .into_iter()
    .filter(|&(n, _)| n > 0)
    .map(|(n, unit)| format!("{n} {unit}{}", if n == 1 { "" } else { "s" }))
    .collect();
    if parts.is_empty() {
        "0 seconds".into()
    } else {
        enumerate(&parts)
    }
}

/// A duration as people say it roughly, rounded down: `29 minutes`, `a minute`, `a moment`
/// (spec: faf-matchmaking 10.3).
pub(in crate::faf) fn naturally(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [
        (86_400, "a day", "days"),
        (3600, "an hour", "hours"),
        (60, "a minute", "minutes"),
        (1, "a second", "seconds"),
    ];
    let unit = units.into_iter().find(|(length, ..)| seconds >= *length);
    match unit.map(|(length, one, many)| (seconds / length, one, many)) {
        None => "a moment".into(),
        Some((1, one, _)) => one.into(),
        Some((count, _, many)) => format!("{count} {many}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(in crate::faf) fn enumerate(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A time in whole seconds, kept as a duration.
pub(in crate::faf) mod whole_seconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::faf) fn serialize<S: Serializer>(
        seconds: &u64,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        Duration::from_secs(*seconds).serialize(serializer)
    }

    pub(in crate::faf) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<u64, D::Error> {
        Duration::deserialize(deserializer).map(|time| time.as_secs())
    }
}

/// ISO 8601 in UTC with offset; microseconds unless exactly zero (spec: faf-messages 5.2).
pub fn iso8601(unix: Duration) -> String {
    // After the year 9999 it stays there.
    let seconds = i64::try_from(unix.as_secs()).unwrap_or(i64::MAX);
    let at = Timestamp::from_second(seconds).unwrap_or(Timestamp::MAX);
    let at = Offset::UTC.to_datetime(at);
    let mut out = format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if unix.subsec_micros() != 0 {
        write!(out, ".{:06}", unix.subsec_micros()).expect("writing to a string cannot fail");
    }
    out.push_str("+00:00");
    out
}

/// The next multiple of an interval after a time.
pub(in crate::faf) fn next_multiple(now: Duration, interval: Duration) -> Duration {
    let interval = interval.as_nanos().max(1);
    Duration::from_nanos(((now.as_nanos() / interval + 1) * interval) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    // checklist: faf 415
    #[test]
    fn rough_durations() {
        for (seconds, expected) in [
            (0, "a moment"),
            (1, "a second"),
            (59, "59 seconds"),
            (60, "a minute"),
            (119, "a minute"),
            (120, "2 minutes"),
            (1799, "29 minutes"),
            (1800, "30 minutes"),
            (3600, "an hour"),
            (7200, "2 hours"),
            (100_000, "a day"),
        ] {
            assert_eq!(naturally(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn times() {
        assert_eq!(
            iso8601(Duration::from_micros(1_708_794_947_123_456)),
            "2024-02-24T17:15:47.123456+00:00"
        );
        assert_eq!(iso8601(Duration::ZERO), "1970-01-01T00:00:00+00:00");
        assert_eq!(
            iso8601(Duration::from_secs(951_782_400)),
            "2000-02-29T00:00:00+00:00"
        );
        assert_eq!(words(Duration::from_secs(1800)), "30 minutes");
        assert_eq!(
            words(Duration::from_secs(3661)),
            "1 hour, 1 minute and 1 second"
        );
        assert_eq!(
            words(Duration::from_secs(90_061)),
            "1 day, 1 hour, 1 minute and 1 second"
        );
        assert_eq!(words(Duration::from_secs(172_800)), "2 days");
    }
}
