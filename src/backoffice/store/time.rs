//! Times as both back ends write them: `YYYY-MM-DD HH:MM:SS`, UTC, perhaps with a fraction (spec: faf-database 1).

use jiff::{Timestamp, civil::Date, tz::Offset};

/// Unix seconds of a database time; `None` if it is none. A date without a time is its midnight.
pub(crate) fn parse(text: &str) -> Option<f64> {
    let (date, clock) = text
        .trim()
        .split_once([' ', 'T'])
        .unwrap_or((text.trim(), "00:00:00"));
    let mut date = date.splitn(3, '-').map(str::parse::<i16>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let date = Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let second: f64 = clock.next().unwrap_or("0").parse().ok()?;
    let midnight = Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).ok()?;
    Some((midnight.as_second() + hour * 3_600 + minute * 60) as f64 + second)
}

/// The database's words for a moment; fractions of a second are cut off.
pub(crate) fn format(unix: f64) -> String {
    // What is outside of the years a database has stays at their end.
    let unix = unix.clamp(
        Timestamp::MIN.as_second() as f64,
        Timestamp::MAX.as_second() as f64,
    );
    let at = Timestamp::from_second(unix.floor() as i64).unwrap_or(Timestamp::MAX);
    let at = Offset::UTC.to_datetime(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_S: i64 = 86_400;

    #[test]
    fn known_moments() {
        assert_eq!(parse("1970-01-01 00:00:00"), Some(0.0));
        assert_eq!(parse("2000-02-29 12:30:15"), Some(951_827_415.0));
        assert_eq!(parse("2000-02-29 12:30:15.250"), Some(951_827_415.25));
        assert_eq!(parse("2999-12-31"), Some(32_503_593_600.0));
        assert_eq!(parse("never"), None);
        assert_eq!(format(951_827_415.9), "2000-02-29 12:30:15");
        assert_eq!(format(32_503_593_600.0), "2999-12-31 00:00:00");
    }

    #[test]
    fn every_day_for_a_thousand_years_there_and_back() {
        for day in -200_000..400_000 {
            let unix = (day * DAY_S) as f64 + 3_661.0;
            assert_eq!(parse(&format(unix)), Some(unix));
        }
    }
}
