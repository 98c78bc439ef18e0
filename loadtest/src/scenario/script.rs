//! Scripts: what a client of a scenario's own role says, one step after the other, and what it waits for.
//!
//! A **turn** is all steps once. It is due by the rate of the role, or so long after the turn before as the role thinks. Each
//! step is due its wait after the one before was due, whether the answer to that one has come by then or not. So when anything
//! is due can be told before the run; a client whose server is slow does the next step when it can, and that counts from when it
//! was due.

use std::time::Duration;

use toml::de::DeValue;

use super::curve::Curve;
use super::expect::{Expectation, Path, path};
use super::formula::Formula;
use super::table::{Entry, Table};
use super::template::{Names, Template};
use crate::chance;
use crate::schedule::Arrivals;

/// How long an answer may take, unless the step says.
const WITHIN: Duration = Duration::from_secs(10);
/// Most messages of one answer.
const MOST_EXPECTED: usize = 32;
/// Keys of a step.
const STEP_KEYS: &[&str] = &[
    "name", "wait", "if", "compute", "send", "expect", "within", "may_fail", "measure", "capture",
    "count", "check",
];
/// Draws of one turn that are no step's.
const OF_THINKING: u64 = u64::MAX;

/// What somebody in a role does, turn by turn.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    pub(crate) steps: Vec<Step>,
    /// From one turn of a client to its next; without it the role's rate says when a turn is due.
    pub(crate) think: Option<Spread>,
    pub(crate) rate: Curve,
    pub(crate) arrivals: Arrivals,
    /// How many values it captures.
    pub(crate) captures: usize,
}

/// A step of a script.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    wait: Option<Spread>,
    /// The step is left out unless this holds.
    pub(crate) only_if: Option<Formula>,
    /// What is computed before it is said, and where it is kept.
    pub(crate) compute: Vec<(usize, Formula)>,
    pub(crate) say: Option<Template>,
    /// What its answer must be: messages in any order.
    pub(crate) expect: Vec<Expectation>,
    pub(crate) within_us: u64,
    /// Answers that did not come in time are no failure.
    pub(crate) may_fail: bool,
    /// What is kept of the answer, and where.
    pub(crate) capture: Vec<(usize, Path)>,
    /// What must hold once that is kept.
    pub(crate) check: Option<Formula>,
    /// Where the latency of the answer is booked, among the scenario's own.
    pub(crate) measure: Option<usize>,
    /// Where it is counted that the step is done, likewise.
    pub(crate) count: Option<usize>,
    /// Where failures are counted, likewise.
    pub(crate) failed: Option<usize>,
}

/// A time that may be drawn anew each time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Spread {
    Fixed(f64),
    Uniform(f64, f64),
    /// With this mean.
    Exponential(f64),
}

/// Names of what a scenario measures itself; each is there once, whatever measures it.
#[derive(Debug, Default, Clone)]
pub(crate) struct OwnNames {
    pub(crate) latencies: Vec<&'static str>,
    pub(crate) counts: Vec<&'static str>,
}

/// The place of a name in a list that it may be new to. Names live as long as the program, as those of all other figures do.
fn place(list: &mut Vec<&'static str>, name: &str) -> usize {
    list.iter()
        .position(|known| *known == name)
        .unwrap_or_else(|| {
            list.push(String::leak(name.to_owned()));
            list.len() - 1
        })
}

impl Script {
    /// Reads the script of a role.
    pub(crate) fn read(
        role: &str,
        steps: Entry<'_>,
        table: &mut Table<'_>,
        own: &mut OwnNames,
    ) -> anyhow::Result<Script> {
        let think = table.take("think").map(Spread::read).transpose()?;
        let mut names = Names::default();
        let mut read = Vec::new();
        for (number, step) in steps.tables()?.into_iter().enumerate() {
            let name = format!("{role}_{}", number + 1);
            read.push(Step::read(name, step, &mut names, own)?);
        }
        if read.is_empty() {
            return Err(table.error("a script needs a `step`"));
        }
        if think.is_some_and(|think| think.mean_us() < 1_000.0) {
            return Err(table.error("`think` is less than a millisecond: give the role a rate"));
        }
        Ok(Script {
            steps: read,
            think,
            rate: Curve::constant(0.0),
            arrivals: Arrivals::Fixed,
            captures: names.captured.len(),
        })
    }

    /// When each step of a turn is due, counted from the turn's time.
    pub(crate) fn after_us(&self, seed: u64, client: usize, turn: u64) -> Vec<u64> {
        let mut after_us = 0;
        let steps = self.steps.iter().enumerate();
        steps
            .map(|(step, _)| {
                after_us += self.wait_us(seed, client, turn, step);
                after_us
            })
            .collect()
    }

    /// How long after the step before this one is due.
    pub(crate) fn wait_us(&self, seed: u64, client: usize, turn: u64, step: usize) -> u64 {
        let wait = self.steps[step].wait;
        wait.map_or(0, |wait| {
            wait.draw_us(&[seed, client as u64, turn, step as u64])
        })
    }

    /// How long after a turn the client's next one is due, if that is not the rate's to say.
    pub(crate) fn think_us(&self, seed: u64, client: usize, turn: u64) -> Option<u64> {
        let from = [seed, client as u64, turn, OF_THINKING];
        self.think.map(|think| think.draw_us(&from).max(1))
    }

    /// How long after it has come a client's first turn is due: somewhere in its first thinking, so that clients do not act as one.
    pub(crate) fn first_us(&self, seed: u64, client: usize, turn: u64) -> Option<u64> {
        let share = chance::unit(&[seed, client as u64, turn, OF_THINKING, 1]);
        let think_us = self.think_us(seed, client, turn)?;
        Some((think_us as f64 * share) as u64)
    }
}

impl Step {
    fn read(
        name: String,
        mut table: Table<'_>,
        names: &mut Names,
        own: &mut OwnNames,
    ) -> anyhow::Result<Step> {
        table.only(STEP_KEYS)?;
        let name = match table.take("name") {
            Some(entry) => identifier(&entry)?,
            None => name,
        };
        let wait = table.take("wait").map(Spread::read).transpose()?;
        let only_if = table.take("if");
        let only_if = only_if.map(|entry| Formula::read(&entry, names));
        let only_if = only_if.transpose()?;
        let compute = computes(table.take("compute"), names)?;
        let say = table.take("send");
        let say = say.map(|entry| Template::read(entry, names)).transpose()?;
        let expect = expectations(table.take("expect"), names)?;
        if say.is_none() && expect.is_empty() && wait.is_none() && compute.is_empty() {
            let what = "a step needs one of `send`, `expect`, `wait` and `compute`";
            return Err(table.error(what));
        }
        let of_answer = !expect.is_empty();
        let mut only = |key: &'static str| match table.take(key) {
            Some(entry) if !of_answer => Err(entry.error(format!(
                "`{key}` is about an answer: the step needs an `expect`"
            ))),
            entry => Ok(entry),
        };
        let (within, may_fail) = (only("within")?, only("may_fail")?);
        let (measure, capture) = (only("measure")?, only("capture")?);
        let count = table.take("count");
        let check = table.take("check");
        table.finish()?;
        let may_fail = may_fail.map(|may_fail| may_fail.truth()).transpose()?;
        let within = within.map(|within| within.duration()).transpose()?;
        let count = count.map(|count| identifier(&count)).transpose()?;
        let measure = measure.map(|measure| identifier(&measure)).transpose()?;
        let capture = captures(capture, names)?;
        let check = check.map(|check| Formula::read(&check, names));
        let check = check.transpose()?;
        Ok(Step {
            wait,
            only_if,
            compute,
            say,
            within_us: within.unwrap_or(WITHIN).as_micros() as u64,
            may_fail: may_fail.unwrap_or(false),
            capture,
            measure: measure.map(|name| place(&mut own.latencies, &name)),
            count: count.map(|name| place(&mut own.counts, &name)),
            failed: (of_answer || check.is_some())
                .then(|| place(&mut own.counts, &format!("{name}_failed"))),
            check,
            expect,
            name: String::leak(name),
        })
    }
}

/// What an answer must be: a message, or several in any order.
fn expectations(expect: Option<Entry<'_>>, names: &mut Names) -> anyhow::Result<Vec<Expectation>> {
    let Some(expect) = expect else {
        return Ok(Vec::new());
    };
    if !matches!(expect.value, DeValue::Array(_)) {
        return Ok(vec![Expectation::read(expect, names)?]);
    }
    let many = expect.error(format!(
        "`expect` is a list of 1 to {MOST_EXPECTED} messages"
    ));
    let messages = expect.list()?;
    if messages.is_empty() || messages.len() > MOST_EXPECTED {
        return Err(many);
    }
    let messages = messages.into_iter();
    messages
        .map(|message| Expectation::read(message, names))
        .collect()
}

/// What is kept of an answer: names, and the ways to fields. They may be used from the next step on.
fn captures(capture: Option<Entry<'_>>, names: &mut Names) -> anyhow::Result<Vec<(usize, Path)>> {
    let Some(capture) = capture else {
        return Ok(Vec::new());
    };
    let mut captures = Vec::new();
    for entry in capture.table()?.all() {
        let name = entry.key.clone();
        if !is_identifier(&name) {
            return Err(entry.error(format!("`{name}`: {IDENTIFIER}")));
        }
        captures.push((names.place(&name), path(&entry.text()?)));
    }
    Ok(captures)
}

/// What is computed: names, and expressions of what was known before the step.
fn computes(
    compute: Option<Entry<'_>>,
    names: &mut Names,
) -> anyhow::Result<Vec<(usize, Formula)>> {
    let Some(compute) = compute else {
        return Ok(Vec::new());
    };
    let mut formulas = Vec::new();
    for entry in compute.table()?.all() {
        if !is_identifier(&entry.key) {
            return Err(entry.error(format!("`{}`: {IDENTIFIER}", entry.key)));
        }
        let formula = Formula::read(&entry, names)?;
        formulas.push((entry.key, formula));
    }
    let formulas = formulas.into_iter();
    Ok(formulas
        .map(|(name, formula)| (names.place(&name), formula))
        .collect())
}

const IDENTIFIER: &str = "names are small letters, digits and _, and begin with a letter";

fn is_identifier(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// A name that may be part of a figure's.
pub(crate) fn identifier(entry: &Entry<'_>) -> anyhow::Result<String> {
    let text = entry.text()?;
    if !is_identifier(&text) {
        return Err(entry.error(format!("`{text}`: {IDENTIFIER}")));
    }
    Ok(text)
}

impl Spread {
    fn read(entry: Entry<'_>) -> anyhow::Result<Spread> {
        let us =
            |entry: &Entry<'_>| Ok::<f64, anyhow::Error>(entry.duration()?.as_secs_f64() * 1e6);
        if !matches!(entry.value, DeValue::Table(_)) {
            return Ok(Spread::Fixed(us(&entry)?));
        }
        let mut table = entry.table()?;
        let (uniform, exponential) = (table.take("uniform"), table.take("exponential"));
        let what = r#"a time is "1s", { uniform = ["1s", "2s"] } or { exponential = "1s" }"#;
        let neither = table.error(what);
        table.finish()?;
        Ok(match (uniform, exponential) {
            (Some(uniform), None) => {
                let wrong = uniform.error("`uniform` is a list of two times, the shorter first");
                let times = uniform.list()?;
                let times = times.iter().map(us).collect::<anyhow::Result<Vec<f64>>>()?;
                match times[..] {
                    [from, to] if from <= to => Spread::Uniform(from, to),
                    _ => return Err(wrong),
                }
            }
            (None, Some(mean)) => Spread::Exponential(us(&mean)?),
            _ => return Err(neither),
        })
    }

    fn mean_us(self) -> f64 {
        match self {
            Spread::Fixed(us) | Spread::Exponential(us) => us,
            Spread::Uniform(from, to) => f64::midpoint(from, to),
        }
    }

    fn draw_us(self, from: &[u64]) -> u64 {
        let us = match self {
            Spread::Fixed(us) => us,
            Spread::Uniform(least, most) => least + (most - least) * chance::unit(from),
            Spread::Exponential(mean) => mean * chance::exponential(from),
        };
        us.round() as u64
    }
}
