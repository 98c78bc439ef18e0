//! Where ratings begin, as players see it.

use super::*;

fn told(sim: &mut Sim, ladder_from_global: bool) {
    let mut reference = reference();
    if ladder_from_global {
        reference.leaderboards[1].initializer = Some("global".into());
    }
    sim.tell(0, News::Reference(Arc::new(reference)));
}

// checklist: faf 463
#[test]
fn global_and_ladder_always_exist_and_begin_where_the_tables_say() {
    for from_global in [false, true] {
        let mut sim = simulator(1, 1, Settings::default());
        told(&mut sim, from_global);
        let conn = sim.connect(0);
        let welcome = say(&mut sim, conn, hello(8));
        let ratings = &welcome
            .iter()
            .find(|m| m["command"] == "welcome")
            .expect("welcome")["me"];
        assert_eq!(
            ratings["ratings"]["global"]["rating"],
            json!([2000.0, 125.0])
        );
        let ladder = if from_global {
            json!([2000.0, 250.0])
        } else {
            json!([1500, 500])
        };
        assert_eq!(ratings["ladder_rating"], ladder);
        assert_eq!(
            ratings["ratings"]["ladder_1v1"],
            json!({"rating": ladder, "number_of_games": 0})
        );
        assert!(ratings["ratings"].get("tmm_2v2").is_none(), "{ratings}");
    }
}

#[test]
fn no_game_before_the_reference_data_are_there() {
    let settings = Arc::new(Settings::default());
    let mut sim = Simulator::new(
        1,
        1,
        |shard| Faf::new(shard, 1, settings.clone()),
        Box::new(office()),
    );
    let host = player(&mut sim, 1, 0);
    let request = json!({"command": "game_host", "visibility": "public"});
    let answer = say(&mut sim, host, request.clone());
    assert_eq!(
        answer,
        [json!({"command": "disabled", "request": "game_host"})]
    );
    told(&mut sim, false);
    assert_eq!(commands(&say(&mut sim, host, request)), ["game_launch"]);
}
