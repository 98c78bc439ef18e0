//! Goals a run has to meet, as typed on the command line: `broadcast_p99<250ms,lost=0`.

use std::fmt;

use bytesize::ByteSize;

/// How a figure is compared with its goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

/// What a figure is measured in; a goal must be given in a unit of the same kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds; typed with `us`, `ms`, `s` or `m`.
    Time,
    /// Bytes; typed with `B`, `KiB`, `MiB`, `kB` and the like, or without a unit.
    Bytes,
    /// A bare number.
    Count,
}

/// One goal.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    name: String,
    comparison: Comparison,
    limit: f64,
    unit: Unit,
    typed: String,
}

/// Why a goal could not be understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoalError {
    /// No such figure.
    #[error("unknown figure {0:?} in a goal; known are: {1}")]
    UnknownName(String, String),
    /// Not `name<limit`.
    #[error("{0:?} is not a goal; write for example broadcast_p99<250ms or lost=0")]
    NoComparison(String),
    /// A number or its unit is wrong.
    #[error("{0:?} is not a limit for {1}; {2}")]
    BadLimit(String, String, &'static str),
}

/// A goal that was not met.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    goal: String,
    measured: Measured,
    unit: Unit,
}

/// What was measured of a goal's figure.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Measured {
    /// The figure, if anything says something of the goal's limit.
    pub value: Option<f64>,
    /// Waits that did not come to an end, of a latency.
    pub open: u64,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} violated: ", self.goal)?;
        let measured = if self.measured.value.is_some() {
            "measured "
        } else {
            ""
        };
        let words = in_words(self.measured, self.unit);
        write!(out, "{measured}{words}")
    }
}

/// The statistics of a histogram, with the quantile of each (`mean` has none).
pub const STATISTICS: [(&str, Option<f64>); 7] = [
    ("p50", Some(0.5)),
    ("p90", Some(0.9)),
    ("p95", Some(0.95)),
    ("p99", Some(0.99)),
    ("p999", Some(0.999)),
    ("max", Some(1.0)),
    ("mean", None),
];
/// Figures of every run besides its latencies and counts.
const FIGURES: [(&str, Unit); 7] = [
    ("closed", Unit::Count),
    ("connected", Unit::Count),
    ("server_cpu_per_delivery", Unit::Time),
    ("server_cpu_s", Unit::Count),
    ("server_rss", Unit::Bytes),
    ("server_rss_bytes", Unit::Bytes),
    ("server_bytes_per_connection", Unit::Bytes),
];

/// The names goals may use, with what each is measured in.
pub(crate) type Names = Vec<(String, Unit)>;

/// Every name a goal may use, of a protocol that measures these latencies and counts, and has these figures besides.
pub(crate) fn names<'a>(
    latencies: impl Iterator<Item = &'a str>,
    counts: impl Iterator<Item = &'a str>,
    figures: &[(&str, Unit)],
) -> Names {
    let latencies = latencies.flat_map(|name| {
        STATISTICS
            .iter()
            .map(move |(statistic, _)| (format!("{name}_{statistic}"), Unit::Time))
    });
    let others = FIGURES.iter().chain(figures);
    latencies
        .chain(counts.map(|name| (name.to_owned(), Unit::Count)))
        .chain(others.map(|(name, unit)| ((*name).to_owned(), *unit)))
        .collect()
}

/// Reads goals separated by commas; empty parts are left out.
pub(crate) fn parse(text: &str, known: &Names) -> Result<Vec<Goal>, GoalError> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| parse_one(part, known))
        .collect()
}

fn parse_one(text: &str, known: &Names) -> Result<Goal, GoalError> {
    let at = text
        .find(['<', '>', '='])
        .ok_or_else(|| GoalError::NoComparison(text.to_owned()))?;
    let (name, rest) = (text[..at].trim(), &text[at..]);
    let (comparison, limit) = [
        ("<=", Comparison::AtMost),
        (">=", Comparison::AtLeast),
        ("==", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::More),
        ("=", Comparison::Equal),
    ]
    .into_iter()
    .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?.trim())))
    .expect("it starts with one of these signs");
    let Some((_, unit)) = known.iter().find(|(known, _)| known == name) else {
        let list = known
            .iter()
            .map(|(name, _)| name.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(GoalError::UnknownName(name.to_owned(), list));
    };
    let limit = parse_limit(limit, *unit)
        .map_err(|why| GoalError::BadLimit(limit.to_owned(), name.to_owned(), why))?;
    Ok(Goal {
        name: name.to_owned(),
        comparison,
        limit,
        unit: *unit,
        typed: text.to_owned(),
    })
}

fn parse_limit(text: &str, unit: Unit) -> Result<f64, &'static str> {
    match unit {
        Unit::Time => {
            let time = humantime::parse_duration(text);
            let time = time.map_err(|_| "a time needs a number and us, ms, s or m")?;
            Ok(time.as_secs_f64() * 1e6)
        }
        Unit::Bytes => {
            let size: ByteSize = text
                .parse()
                .map_err(|_| "a size needs a number and B, KiB, MiB or GiB")?;
            Ok(size.as_u64() as f64)
        }
        Unit::Count => text
            .parse()
            .map_err(|_| "a count is a number without a unit"),
    }
}

/// Each goal as typed, what was measured, and whether it was met.
pub(crate) fn judge(
    goals: &[Goal],
    measured: impl Fn(&Goal) -> Measured,
) -> Vec<(String, String, bool)> {
    let judged = goals.iter().map(|goal| {
        let measured = measured(goal);
        let words = in_words(measured, goal.unit);
        (goal.typed.clone(), words, goal.is_met(measured.value))
    });
    judged.collect()
}

fn in_words(measured: Measured, unit: Unit) -> String {
    match (measured.value, unit) {
        (None, _) if measured.open > 0 => {
            let open = measured.open;
            let waits = if open == 1 { "wait" } else { "waits" };
            format!("nothing was measured: {open} {waits} did not come to an end")
        }
        (None, _) => "nothing was measured".to_owned(),
        (Some(us), Unit::Time) => format!("{:.3} ms", us / 1000.0),
        (Some(bytes), Unit::Bytes) => format!("{bytes:.0} B"),
        (Some(count), Unit::Count) => count.to_string(),
    }
}

/// Compares each goal with what was measured of it (times in µs, sizes in bytes). A goal about something that was not measured
/// is not met: silence proves nothing.
pub fn check(goals: &[Goal], measured: impl Fn(&Goal) -> Measured) -> Vec<Violation> {
    goals
        .iter()
        .filter_map(|goal| {
            let measured = measured(goal);
            (!goal.is_met(measured.value)).then(|| Violation {
                goal: goal.typed.clone(),
                measured,
                unit: goal.unit,
            })
        })
        .collect()
}

impl Goal {
    /// The figure that it is about.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// What the figure is compared with, in µs or bytes.
    pub(crate) fn limit(&self) -> f64 {
        self.limit
    }

    fn is_met(&self, measured: Option<f64>) -> bool {
        measured.is_some_and(|value| match self.comparison {
            Comparison::Less => value < self.limit,
            Comparison::AtMost => value <= self.limit,
            Comparison::Equal => value == self.limit,
            Comparison::AtLeast => value >= self.limit,
            Comparison::More => value > self.limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn parse(text: &str) -> Result<Vec<Goal>, GoalError> {
        let latencies = ["broadcast", "login", "ping"].into_iter();
        let counts = ["lost", "deliveries"].into_iter();
        super::parse(text, &names(latencies, counts, &[]))
    }

    fn figures(list: &[(&'static str, f64)]) -> impl Fn(&Goal) -> Measured {
        let figures: BTreeMap<&str, f64> = list.iter().copied().collect();
        move |goal| Measured {
            value: figures.get(goal.name()).copied(),
            open: 0,
        }
    }

    #[test]
    fn met_and_violated() {
        let goals =
            parse("broadcast_p99<250ms, lost=0,login_max<=10s,deliveries>=5").expect("valid");
        let good = figures(&[
            ("broadcast_p99", 249_999.0),
            ("lost", 0.0),
            ("login_max", 1e7),
            ("deliveries", 5.0),
        ]);
        assert_eq!(check(&goals, good), []);
        let bad = figures(&[
            ("broadcast_p99", 250_000.0),
            ("lost", 2.0),
            ("deliveries", 4.0),
        ]);
        let told: Vec<String> = check(&goals, bad).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "broadcast_p99<250ms violated: measured 250.000 ms",
                "lost=0 violated: measured 2",
                "login_max<=10s violated: nothing was measured",
                "deliveries>=5 violated: measured 4",
            ]
        );
    }

    #[test]
    fn unknown_name_lists_the_known() {
        let error = parse("brodcast_p99<1s").expect_err("misspelt").to_string();
        assert!(
            error.contains("brodcast_p99")
                && error.contains("broadcast_p99")
                && error.contains("lost")
        );
    }

    #[test]
    fn units_must_fit() {
        for wrong in [
            "login_p50<5",
            "login_p50<ms",
            "lost=0ms",
            "lost",
            "server_rss<5s",
            "ping_max<1.2.3s",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
        assert_eq!(parse("server_rss<1.5KiB").expect("valid")[0].limit, 1536.0);
        assert_eq!(parse(" , ").expect("nothing is fine"), []);
    }
}
