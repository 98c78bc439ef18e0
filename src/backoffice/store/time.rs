//! Times as both back ends write them: `YYYY-MM-DD HH:MM:SS`, UTC, perhaps with a fraction (spec: faf-database 1).

const DAY_S: i64 = 86_400;

/// Unix seconds of a database time; `None` if it is none. A date without a time is its midnight.
pub(super) fn parse(text: &str) -> Option<f64> {
    let (date, clock) = text
        .trim()
        .split_once([' ', 'T'])
        .unwrap_or((text.trim(), "00:00:00"));
    let mut date = date.splitn(3, '-').map(str::parse::<i64>);
    let (year, month, day) = (date.next()?.ok()?, date.next()?.ok()?, date.next()?.ok()?);
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let second: f64 = clock.next().unwrap_or("0").parse().ok()?;
    let whole = days_from_civil(year, month, day) * DAY_S + hour * 3_600 + minute * 60;
    Some(whole as f64 + second)
}

/// The database's words for a moment; fractions of a second are cut off.
pub(super) fn format(unix: f64) -> String {
    let unix = unix.floor() as i64;
    let (year, month, day) = civil_from_days(unix.div_euclid(DAY_S));
    let second = unix.rem_euclid(DAY_S);
    format!(
        "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}",
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years are counted from March, so that the leap day is a
/// year's last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days_from_civil(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_from_civil(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

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
