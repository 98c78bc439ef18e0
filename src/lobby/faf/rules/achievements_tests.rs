//! Statistics of made-up games, and which messages they give.

use serde_json::{Value as Json, json};

use super::*;

fn army(name: &str, faction: i64) -> Json {
    let mut units = json!({});
    for category in CATEGORIES {
        units[category] = json!({"built": 0, "lost": 0, "kills": 0});
    }
    json!({"type": "Human", "name": name, "faction": faction, "general": {"score": 10},
           "blueprints": {}, "units": units})
}

/// A game of two in which the first is p11, as this faction.
fn duel(faction: i64) -> Json {
    json!({"stats": [army("p11", faction), army("p12", 2)]})
}

fn told(stats: &Json, outcome: ArmyOutcome, rating_type: &str) -> Vec<Json> {
    let messages = messages(&Statistics {
        texts: vec![stats.to_string().into()],
        rating_type: rating_type.into(),
        players: vec![Subject {
            id: 11,
            login: "p11".into(),
            outcome,
        }],
    });
    let check = |event: Event| {
        let body: Json = serde_json::from_slice(&event.body).expect("JSON");
        assert!(event.persistent);
        let key = if body.get("eventId").is_some() {
            "request.event.update"
        } else {
            "request.achievement.update"
        };
        assert_eq!(event.key, key);
        body
    };
    messages.into_iter().map(check).collect()
}

/// The steps of an achievement: `None` if it is not told of, 0 if it is unlocked.
fn steps(told: &[Json], id: &str) -> Option<i64> {
    let message = told.iter().find(|message| message["achievementId"] == id)?;
    Some(message["steps"].as_i64().unwrap_or(0))
}

fn won(stats: &Json) -> Vec<Json> {
    told(stats, ArmyOutcome::Victory, "global")
}

fn lost(stats: &Json) -> Vec<Json> {
    told(stats, ArmyOutcome::Defeat, "global")
}

const NOVICE: &str = "c6e6039f-c543-424e-ab5f-b34df1336e81";

// checklist: faf 477, 482, 490
#[test]
fn a_won_uef_game_gives_its_messages_in_order() {
    let inc = |id: &str| json!({"playerId": 11, "achievementId": id, "operation": "INCREMENT", "steps": 1});
    let event = |id: &str| json!({"playerId": 11, "eventId": id, "count": 1});
    assert_eq!(
        won(&duel(UEF)),
        [
            inc(NOVICE),
            inc("d5c759fe-a1a8-4103-888d-3ba319562867"),
            inc("6a37e2fc-1609-465e-9eca-91eeda4e63c4"),
            inc("bd12277a-6604-466a-9ee6-af6908573585"),
            inc("805f268c-88aa-4073-aa2b-ea30700f70d6"),
            inc("1a3ad9e0-53eb-47d0-9404-14dbcefbed9b"),
            inc("326493d7-ce2c-4a43-bbc8-3e990e2685a1"),
            inc("7d6d8c55-3e2a-41d0-a97e-d35513af1ec6"),
            event("1b900d26-90d2-43d0-a64e-ed90b74c3704"),
            event("7be6fdc5-7867-4467-98ce-f7244a66625a"),
        ]
    );
    assert_eq!(lost(&duel(UEF)).len(), 6);
    assert_eq!(lost(&duel(9)).len(), 5);
}

// checklist: faf 478, 479, 480
#[test]
fn only_games_between_people_count() {
    let mut stats = duel(UEF);
    let others = stats["stats"].as_array_mut().expect("a list");
    others.push(json!({"type": "AI", "name": "civilian", "units": {}}));
    assert!(!won(&stats).is_empty());
    stats["stats"][2]["name"] = "AI: Easy".into();
    assert!(won(&stats).is_empty());
    assert!(won(&json!({"stats": [army("p11", UEF)]})).is_empty());
    assert!(won(&json!({"stats": [army("p1", UEF), army("p2", UEF)]})).is_empty());
    assert!(told(&duel(UEF), ArmyOutcome::Unknown, "global").is_empty());
    assert!(!told(&duel(UEF), ArmyOutcome::Conflicting, "global").is_empty());
}

// checklist: faf 489
#[test]
fn a_missing_category_ends_it_silently() {
    for category in CATEGORIES {
        let mut stats = duel(UEF);
        let units = stats["stats"][0]["units"]
            .as_object_mut()
            .expect("an object");
        units.remove(category);
        assert!(won(&stats).is_empty(), "{category}");
    }
}

// checklist: faf 483
#[test]
fn first_success_is_for_won_ladder_games() {
    let first = |outcome, rating_type| {
        steps(
            &told(&duel(UEF), outcome, rating_type),
            "5b7ec244-58c0-40ca-9d68-746b784f0cad",
        )
    };
    assert_eq!(first(ArmyOutcome::Victory, "ladder_1v1"), Some(0));
    assert_eq!(first(ArmyOutcome::Victory, "global"), None);
    assert_eq!(first(ArmyOutcome::Defeat, "ladder_1v1"), None);
}

// checklist: faf 484
#[test]
fn a_kind_of_units_needs_a_strict_majority_and_a_win() {
    let ids = [
        "c1ccde26-8449-4625-b769-7d8f75fa8df3",
        "e5c63aec-20a0-4263-841d-b7bc45209713",
        "53173f4d-450c-46f0-ac59-85834cc74972",
    ];
    let kinds = |built: [i64; 3]| {
        let mut stats = duel(UEF);
        for (category, count) in ["air", "land", "naval"].into_iter().zip(built) {
            stats["stats"][0]["units"][category]["built"] = count.into();
        }
        assert_eq!(ids.map(|id| steps(&lost(&stats), id)), [None; 3]);
        let won = won(&stats);
        ids.map(|id| steps(&won, id).is_some())
    };
    assert_eq!(kinds([3, 2, 1]), [true, false, false]);
    assert_eq!(kinds([2, 3, 2]), [false, true, false]);
    assert_eq!(kinds([0, 0, 1]), [false, false, true]);
    assert_eq!(kinds([3, 3, 1]), [false; 3]);
}

// checklist: faf 485
#[test]
fn three_experimentals_are_big_toys() {
    let toys = |count: i64| {
        let mut stats = duel(UEF);
        stats["stats"][0]["units"]["experimental"]["built"] = count.into();
        let won = won(&stats);
        let ids = [
            "a6b7dfa1-1ebc-4c6d-9305-4a9d623e1b4f",
            "06b19364-5aab-4bce-883d-975f663d2091",
            "cd64c5e7-b063-4543-9f52-0e87883b33a9",
            "e8af7cc9-aaa6-4d0e-8e5a-481702a83a4e",
        ];
        ids.map(|id| steps(&won, id))
    };
    assert_eq!(toys(0), [None; 4]);
    assert_eq!(toys(2), [Some(2), None, None, None]);
    assert_eq!(toys(5), [Some(5), Some(1), Some(1), Some(1)]);
}

#[test]
fn units_by_their_blueprints() {
    let mut stats = duel(UEF);
    stats["stats"][0]["blueprints"] = json!({
        "daa0206": {"built": 4}, "xab2307": {"built": 1}, "ueb2401": {},
        "uaa0303": {"built": 1}, "xsa0303": {"built": 2},
    });
    stats["stats"][0]["units"]["sacu"]["built"] = 3.into();
    stats["stats"][0]["units"]["cdr"] = json!({"built": 1, "lost": 1, "kills": 3});
    let (won, lost) = (won(&stats), lost(&stats));
    let both = |id: &str| (steps(&won, id), steps(&lost, id));
    assert_eq!(
        both("f0cde5d8-4933-4074-a2fb-819074d21abd"),
        (Some(4), Some(4))
    );
    assert_eq!(
        both("50260d04-90ff-45c8-816b-4ad8d7b97ecd"),
        (Some(0), None)
    );
    assert_eq!(both("31a728f8-ace9-45fa-a3f2-57084bc9e461"), (None, None));
    assert_eq!(
        both("045342e1-ae0d-4ef6-98bc-0bb54ffe00b3"),
        (Some(3), Some(3))
    );
    assert_eq!(
        both("2103e0de-1c87-4fba-bc1b-0bba66669607"),
        (Some(3), Some(3))
    );
    assert_eq!(
        both("08629902-8e18-4d92-ad14-c8ecde4a8674"),
        (Some(0), None)
    );
    let set = json!({"playerId": 11, "achievementId": "eb1ee9ab-4828-417b-b3e8-c8281ee7a353",
                     "operation": "SET_STEPS_AT_LEAST", "steps": 3});
    assert!(lost.contains(&set));
    let lost_commander =
        json!({"playerId": 11, "eventId": "d6a699b7-99bc-4a7f-b128-15e1e289a7b3", "count": 1});
    assert!(lost.contains(&lost_commander));
}

// checklist: faf 486
#[test]
fn the_top_score_needs_eight_people() {
    let (top, unbeatable) = (
        "305a8d34-42fd-42f3-ba91-d9f5e437a9a6",
        "d3d2c78b-d42d-4b65-99b8-a350f119f898",
    );
    let scored = |people: usize, score: i64| {
        let mut armies: Vec<Json> = (0..people - 1).map(|n| army(&format!("x{n}"), 1)).collect();
        armies.insert(0, army("p11", 1));
        armies[0]["general"]["score"] = score.into();
        let lost = lost(&json!({"stats": armies}));
        (steps(&lost, top), steps(&lost, unbeatable))
    };
    assert_eq!(scored(8, 11), (Some(0), Some(1)));
    assert_eq!(scored(7, 11), (None, None));
    assert_eq!(scored(8, 10), (Some(0), Some(1)), "first on ties");
    assert_eq!(scored(8, 9), (None, None));
}

// checklist: faf 487
#[test]
fn that_was_close_only_if_the_commander_lives_and_wins() {
    let close = |health: f64, outcome| {
        let mut stats = duel(UEF);
        stats["stats"][0]["blueprints"] = json!({"uel0001": {"lowest_health": health}});
        steps(
            &told(&stats, outcome, "global"),
            "290df67c-eb01-4fe7-9e32-caae1c10442f",
        )
    };
    assert_eq!(close(499.9, ArmyOutcome::Victory), Some(0));
    assert_eq!(close(500.0, ArmyOutcome::Victory), None);
    assert_eq!(close(0.0, ArmyOutcome::Victory), None);
    assert_eq!(close(1.0, ArmyOutcome::Defeat), None);
}

// checklist: faf 488
#[test]
fn the_newest_statistics_that_can_be_read_count() {
    let good: Arc<str> = duel(UEF).to_string().into();
    let told = |texts: &[&str]| {
        let texts = texts.iter().map(|&text| {
            if text == "good" {
                good.clone()
            } else {
                text.into()
            }
        });
        let players = vec![Subject {
            id: 11,
            login: "p11".into(),
            outcome: ArmyOutcome::Victory,
        }];
        messages(&Statistics {
            texts: texts.collect(),
            rating_type: "global".into(),
            players,
        })
        .len()
    };
    assert_eq!(told(&["good", "{\"stats\":", "{}", "[1]"]), 10);
    assert_eq!(told(&["good", "{\"stats\":[]}"]), 0);
    assert_eq!(told(&["{", ""]), 0);
}

#[test]
fn statistics_of_any_shape_do_no_harm() {
    for text in [
        "{\"stats\":7}",
        "{\"stats\":[1,null,\"x\",[]]}",
        "{\"stats\":[{\"type\":\"Human\"},{\"type\":\"Human\",\"name\":\"p11\"}]}",
    ] {
        assert_eq!(
            won(&serde_json::from_str(text).expect("JSON")),
            Vec::<Json>::new()
        );
    }
}

// checklist: faf 441
#[test]
fn commander_kills_are_told_if_every_army_has_them() {
    let mut stats = duel(UEF);
    stats["stats"][0]["units"]["cdr"]["kills"] = 1.into();
    let kills = |stats: &Json| commander_kills(&[stats.to_string().into()]);
    assert_eq!(
        kills(&stats),
        [("p11".to_owned(), 1), ("p12".to_owned(), 0)]
    );
    stats["stats"][1]["units"] = json!({});
    assert_eq!(kills(&stats), []);
    assert_eq!(commander_kills(&[]), []);
}

#[test]
fn a_report_is_judged_when_it_comes() {
    let of = |text: &str| Reading::of(text);
    for readable in [
        duel(UEF).to_string(),
        " { \"x\" : 1, \"stats\" : [ ] } ".to_owned(),
        r#"{"stats":[1,null,[]]}"#.to_owned(),
        format!(
            r#"{{"stats":[{}0]}}"#,
            "0,".repeat(limits::STATS_VALUES - 10)
        ),
    ] {
        assert_eq!(of(&readable), Reading::Readable, "{readable:.40}");
    }
    let deep = format!(r#"{{"stats":{}{}}}"#, "[".repeat(5000), "]".repeat(5000));
    for unreadable in [
        "",
        "7",
        "{",
        "[]",
        r#"{"stats":{}}"#,
        r#"{"stats":[}"#,
        &*deep,
    ] {
        assert_eq!(of(unreadable), Reading::Unreadable, "{unreadable:.40}");
    }
    for much in [
        format!(r#"{{"stats":[{}0]}}"#, "0,".repeat(limits::STATS_VALUES)),
        format!(
            r#"{{"stats":["{}"]}}"#,
            "\\n".repeat(limits::STATS_VALUES + 1)
        ),
        format!(r#"{{"stats":["{}"]}}"#, "x".repeat(limits::STATS_BYTES)),
    ] {
        assert_eq!(of(&much), Reading::TooMuch, "{much:.40}");
    }
}
