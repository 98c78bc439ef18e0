//! The verdict in the form of JUnit, which systems that build and test read: a test case for each goal, and for each thing that
//! makes a run a failure. Names stay the same from run to run, so that a test has a history.
//!
//! It keeps to the strictest of the schemas in use (that of Ant's `junitreport`), which the looser ones accept as well.

use std::fmt::Write as _;
use std::fs;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::page::escape;
use crate::report::Report;
use crate::slo::{self, Goal};

/// What a test case is about.
const GOALS: &str = "swarm.goals";
const CHECKS: &str = "swarm.checks";

/// A test and how it went.
struct Case {
    name: String,
    class: &'static str,
    failure: Option<String>,
}

/// The run as a suite of tests.
pub(crate) fn suite(report: &Report, goals: &[Goal]) -> String {
    let goals = slo::judge(goals, |goal| report.measured(goal)).into_iter();
    let goals = goals.map(|(goal, measured, met)| Case {
        failure: (!met).then(|| format!("{goal} was not met: {measured}")),
        name: goal,
        class: GOALS,
    });
    let checks = report.checks().iter().map(|check| Case {
        name: check.name.to_owned(),
        class: CHECKS,
        failure: check.failure.clone(),
    });
    let cases: Vec<Case> = goals.chain(checks).collect();
    let failed = cases.iter().filter(|case| case.failure.is_some());
    document(&Suite {
        heading: report.heading(),
        begun_unix: report.environment.started_unix,
        took_s: report.measured_us as f64 / 1e6,
        tests: cases.len(),
        failures: failed.count(),
        errors: 0,
        cases: cases.iter().map(case).collect(),
        output: report.to_string(),
    })
}

/// A run that has nothing to report: one test that could not be made.
pub(crate) fn broken(heading: &str, why: &str) -> String {
    let why = text(why);
    let name = "the run came to its end";
    let cases = format!(
        "<testcase name=\"{name}\" classname=\"{CHECKS}\" time=\"0\"><error message=\"{why}\" type=\"run\">{why}</error></testcase>\n"
    );
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    document(&Suite {
        heading,
        begun_unix: now.map_or(0, |since| since.as_secs()),
        took_s: 0.0,
        tests: 1,
        failures: 0,
        errors: 1,
        cases,
        output: String::new(),
    })
}

fn case(case: &Case) -> String {
    let (name, class) = (text(&case.name), case.class);
    let mut written = format!("<testcase name=\"{name}\" classname=\"{class}\" time=\"0\">");
    if let Some(why) = &case.failure {
        let why = text(why);
        let _infallible = write!(
            written,
            "<failure message=\"{why}\" type=\"{class}\">{why}</failure>"
        );
    }
    written + "</testcase>\n"
}

struct Suite<'a> {
    heading: &'a str,
    begun_unix: u64,
    took_s: f64,
    tests: usize,
    failures: usize,
    errors: usize,
    cases: String,
    output: String,
}

fn document(suite: &Suite<'_>) -> String {
    let begun = UNIX_EPOCH + Duration::from_secs(suite.begun_unix);
    let begun = humantime::format_rfc3339_seconds(begun).to_string();
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        name => name,
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n\
         <testsuite name=\"swarm\" package=\"swarm\" id=\"0\" timestamp=\"{}\" hostname=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" time=\"{:.3}\">\n\
         <properties><property name=\"run\" value=\"{}\"/></properties>\n{}\
         <system-out>{}</system-out>\n<system-err></system-err>\n</testsuite>\n</testsuites>\n",
        // The schema wants no time zone.
        begun.trim_end_matches('Z'),
        text(host),
        suite.tests,
        suite.failures,
        suite.errors,
        suite.took_s,
        text(suite.heading),
        suite.cases,
        text(&suite.output),
    )
}

/// Text as XML, which has no room for most control characters.
fn text(text: &str) -> String {
    let allowed = |character: char| match character {
        '\t' | '\n' | '\r' => character,
        '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        other => other,
    };
    escape(&text.chars().map(allowed).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_server_said_is_text() {
        let evil = "<script> & \"\u{0}\u{1b}[31m";
        let all = broken(evil, evil);
        assert!(!all.contains("<script") && !all.contains('\u{1b}'), "{all}");
        let written = "&lt;script&gt; &amp; &quot;\u{fffd}\u{fffd}[31m";
        assert_eq!(all.matches(written).count(), 3, "{all}");
        let failed = case(&Case {
            name: evil.to_owned(),
            class: GOALS,
            failure: Some(evil.to_owned()),
        });
        assert_eq!(failed.matches(written).count(), 3, "{failed}");
    }
}
