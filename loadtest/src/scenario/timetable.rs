//! Who does what when in a run, as the scenario and the seed have it, for people and for comparing.

use std::fmt::Write as _;

use anyhow::ensure;

use crate::plan::{Plan, Workload};
use crate::schedule::Schedule;

/// Something that is due in the measured phase.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    at_us: u64,
    client: usize,
    what: String,
}

/// Longest timetable that is made, roughly, in lines.
const MOST_LINES: f64 = 1e7;

/// Everything that is due in the measured phase of this plan, a line each, in order.
///
/// # Errors
/// It would be longer than anybody reads.
pub fn timetable(plan: &Plan) -> anyhow::Result<String> {
    let lines = plan.rate * plan.duration.as_secs_f64();
    ensure!(
        lines <= MOST_LINES,
        "the timetable of this run has {lines:.0} lines: take a shorter --duration or a lower --rate"
    );
    let until_us = plan.duration.as_micros() as u64;
    let mut due = comings(plan, until_us);
    due.extend(changes(plan, until_us));
    due.extend(turns(plan, until_us));
    due.retain(|due| due.at_us < until_us);
    due.sort_unstable();
    let mut text = format!(
        "# {} clients before the measured phase, {} in all; seconds of the measured phase, client, role, what\n",
        plan.at_start(),
        plan.clients
    );
    for Due {
        at_us,
        client,
        what,
    } in due
    {
        let role = &plan.scenario.roles[plan.cast.member(client).role].name;
        let seconds = at_us as f64 / 1e6;
        let _infallible = writeln!(text, "{seconds:>12.6} {client:>7} {role:<16} {what}");
    }
    Ok(text)
}

fn comings(plan: &Plan, until_us: u64) -> Vec<Due> {
    let mut all = Vec::new();
    for client in 0..plan.clients {
        for (come_us, leave_us) in plan.cast.spans(client) {
            let due = |at_us, what: &str| Due {
                at_us,
                client,
                what: what.to_owned(),
            };
            if come_us > 0 {
                all.push(due(come_us, "comes"));
            }
            if let Some(leave_us) = leave_us.filter(|leave_us| *leave_us < until_us) {
                all.push(due(leave_us, "leaves"));
            }
        }
    }
    all
}

/// What the protocol's own roles do at the rate.
fn changes(plan: &Plan, until_us: u64) -> Vec<Due> {
    let scenario = &plan.scenario;
    let clients = &plan.source_clients;
    if clients.is_empty() {
        return Vec::new();
    }
    let spread = (plan.seed, until_us);
    let schedule = Schedule::new(&scenario.rate, plan.sources, scenario.arrivals, spread);
    let what = if plan.workload == Workload::Churn {
        "signs in, time"
    } else {
        "change"
    };
    (0..schedule.events_before(until_us))
        .map(|number| Due {
            at_us: schedule.event_due_us(number),
            client: clients[(number % clients.len() as u64) as usize],
            what: format!("{what} {}", number / clients.len() as u64),
        })
        .collect()
}

/// What scripts say and wait for.
fn turns(plan: &Plan, until_us: u64) -> Vec<Due> {
    let mut all = Vec::new();
    let mut numbers = vec![0; plan.clients];
    let mut turn = |client: usize, due_us: u64| {
        let number = numbers[client];
        numbers[client] += 1;
        let Some(script) = plan.script(client) else {
            return number;
        };
        let after_us = script.after_us(plan.seed, client, number);
        for (step, after_us) in script.steps.iter().zip(after_us) {
            all.push(Due {
                at_us: due_us + after_us,
                client,
                what: format!("turn {number}: {}", step.name),
            });
        }
        number
    };
    for (role, schedule) in plan.arrivals() {
        for number in 0..schedule.events_before(until_us) {
            let due_us = schedule.event_due_us(number);
            turn(plan.cast.turn(role, number, due_us), due_us);
        }
    }
    for client in 0..plan.clients {
        let Some(script) = plan.script(client) else {
            continue;
        };
        for (come_us, leave_us) in plan.cast.spans(client) {
            let end_us = leave_us.unwrap_or(until_us).min(until_us);
            let first_us = script.first_us(plan.seed, client, come_us);
            let mut due_us = first_us.map(|first_us| come_us + first_us);
            while let Some(at_us) = due_us.filter(|due_us| *due_us < end_us) {
                let number = turn(client, at_us);
                let think_us = script.think_us(plan.seed, client, number);
                due_us = think_us.map(|think_us| at_us + think_us);
            }
        }
    }
    all
}
