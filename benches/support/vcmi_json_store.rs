//! A store of VCMI's JSON lobby that has done everything at once.

use muster::lobby::vcmi_json::questions::{Account, Answer, Ask, Outcome, Step, Work};

/// Every account is there, and there is nothing else.
pub(crate) fn answer(ask: Ask) -> Answer {
    match ask {
        Ask::Begin(_) => Answer::Begin(Ok(Vec::new())),
        Ask::Work(Work(steps)) => Answer::Work(Ok(steps.into_iter().map(outcome).collect())),
    }
}

fn outcome(step: Step) -> Outcome {
    match step {
        Step::SignIn { id, .. } => {
            let number = id.parse().expect("ids here are numbers");
            let name = format!("player{id}");
            Outcome::SignIn(Some((Account { number, id, name }, true)))
        }
        Step::FindMatches { .. } => Outcome::Matches(Vec::new()),
        _ => Outcome::Done,
    }
}
