//! Army statistics as games report them: achievements are counted from any text.

use std::sync::Arc;

use lobby::faf::{
    achievements::{self, Statistics, Subject},
    results::ArmyOutcome,
};

use crate::input::Input;

const RATING_TYPES: &[&str] = &["global", "ladder_1v1", "tmm_2v2", ""];

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let rating_type = input.pick(RATING_TYPES).into();
    let outcomes = [ArmyOutcome::Victory, ArmyOutcome::Defeat, ArmyOutcome::Draw];
    let subject = |id: u32, login: &str, outcome| Subject {
        id,
        login: login.into(),
        outcome,
    };
    let players = vec![
        subject(1, "p1", input.pick(&outcomes)),
        subject(2, "p2", input.pick(&outcomes)),
    ];
    let early = String::from_utf8_lossy(input.bytes()).into_owned();
    let late = String::from_utf8_lossy(input.rest()).into_owned();
    let texts: Vec<Arc<str>> = vec![early.into(), late.into()];
    let statistics = Statistics {
        texts,
        rating_type,
        players,
    };
    for event in achievements::messages(&statistics) {
        serde_json::from_slice::<serde::de::IgnoredAny>(&event.body).expect("events are JSON");
    }
}
