//! Corners of the specification that no dialogue of real clients reaches.

use super::*;

/// spec: faf-lifecycle 10.7: the mesh is told of everybody who leaves a lobby, also of a guest who never got into it;
/// what the host has set for him stays, as it is only his game's word that takes him off the list.
/// checklist: faf 228, 230
#[test]
fn a_guest_who_never_connected_leaves() {
    let gone = json!({"command": "DisconnectFromPeer", "args": [2], "target": "game"});
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let guest = player(&mut sim, 2, 1 % shards);
        let uid = hosted(&mut sim, host, json!({}));
        configure(&mut sim, host, 2, 1, 2);
        say(&mut sim, guest, json!({"command": "game_join", "uid": uid}));
        tick(&mut sim);
        sim.take(host);
        state(&mut sim, guest, "Ended");
        assert_eq!(sim.take(host), std::slice::from_ref(&gone));
        // The host is told of a guest only for as long as the game is a lobby.
        joined(&mut sim, guest, uid);
        tick(&mut sim);
        let told = sim.take(host);
        assert_eq!(told.last().expect("the game has changed")["num_players"], 1);
        state(&mut sim, host, "Launching");
        sim.take(host);
        state(&mut sim, guest, "Ended");
        assert!(sim.take(host).is_empty());
    });
}

/// spec: faf-messages 3.7 item 7, faf-wire 2.1: no number that JSON can't carry gets into a game.
/// checklist: faf 157
#[test]
fn rating_bounds_are_numbers() {
    each(|mut sim, _| {
        let host = |bound: Value| json!({"command": "game_host", "visibility": "public", "rating_min": bound});
        for (bad, answer) in [
            (json!("nan"), vec![]),
            (json!("inf"), vec![]),
            (json!("-Infinity"), vec![]),
            (json!("many"), vec![]),
            (json!([]), vec![json!({"command": "invalid"})]),
        ] {
            let conn = player(&mut sim, 2, 0);
            assert_eq!(say(&mut sim, conn, host(bad.clone())), answer, "{bad}");
            assert!(sim.client(conn).closed.is_some(), "{bad}");
        }
        for (good, shown) in [
            (json!("7.5"), json!(7.5)),
            (json!(true), json!(1.0)),
            (json!(3), json!(3.0)),
            (json!(null), json!(null)),
        ] {
            let conn = player(&mut sim, 2, 0);
            assert_eq!(commands(&say(&mut sim, conn, host(good))), ["game_launch"]);
            tick(&mut sim);
            assert_eq!(sim.take(conn)[0]["rating_min"], shown);
            sim.disconnect(conn);
        }
    });
}

/// spec: faf-messages 3.8: a number is a number, however large.
/// checklist: faf 171, 180
#[test]
fn a_game_number_of_any_size_is_no_game() {
    each(|mut sim, _| {
        let a = player(&mut sim, 2, 0);
        for uid in [
            json!("99999999999999999999999"),
            json!(1e300),
            json!("-5"),
            json!(-1),
            json!(4_294_967_397_u64),
        ] {
            let said = say(&mut sim, a, json!({"command": "game_join", "uid": uid}));
            assert_eq!(commands(&said), ["game_join_failed", "notice"], "{uid}");
            assert_eq!(said[0]["reason"], "host_left_game", "{uid}");
            let said = say(
                &mut sim,
                a,
                json!({"command": "restore_game_session", "game_id": uid}),
            );
            assert_eq!(
                texts(&said),
                ["The game you were connected to no longer exists"]
            );
        }
    });
}

/// spec: faf-observed, Games; faf-messages 4.1: what `GameState` does out of its order.
/// checklist: faf 188, 164, 218, 220
#[test]
fn game_states_out_of_order() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 2, 0);
        let watcher = player(&mut sim, 3, 1 % shards);
        let host_game = json!({"command": "game_host", "visibility": "public"});
        let quiet = |sim: &mut Sim| {
            tick(sim);
            sim.take(watcher).is_empty()
        };
        say(&mut sim, host, host_game.clone());
        assert!(!quiet(&mut sim));
        // `Lobby` before `Idle` opens nothing, but makes the game known again; `Idle` makes it known to nobody.
        assert!(state(&mut sim, host, "Lobby").is_empty());
        assert!(!quiet(&mut sim));
        assert!(state(&mut sim, host, "Idle").is_empty());
        assert!(quiet(&mut sim));
        // `Launching` works without `Lobby`; a second one does nothing at all.
        configure(&mut sim, host, 2, 1, 2);
        state(&mut sim, host, "Launching");
        tick(&mut sim);
        let told = sim.take(watcher);
        assert_eq!(told[0]["state"], "playing");
        assert_eq!(told[0]["hosted_at"], json!(null));
        state(&mut sim, host, "Launching");
        assert!(quiet(&mut sim));
        // Any other word makes the game known; one that is no text does not.
        state(&mut sim, host, "Dancing");
        assert!(!quiet(&mut sim));
        say(&mut sim, host, game("GameState", json!([7])));
        say(&mut sim, host, game("GameState", json!([])));
        say(
            &mut sim,
            host,
            game("GameState", json!(["Dancing", "Singing"])),
        );
        say(
            &mut sim,
            host,
            json!({"command": "GameState", "target": "game", "args": null}),
        );
        assert!(quiet(&mut sim));
        state(&mut sim, host, "Ended");
        assert!(!quiet(&mut sim));

        // A second `Lobby` from the host is the end of the game.
        let uid = hosted(&mut sim, host, json!({}));
        joined(&mut sim, watcher, uid);
        tick(&mut sim);
        sim.take(watcher);
        assert!(state(&mut sim, host, "Lobby").is_empty());
        tick(&mut sim);
        let told = sim.take(watcher);
        assert_eq!(commands(&told), ["DisconnectFromPeer", "game_info"]);
        assert_eq!(told[1]["state"], "closed");
        assert_eq!(commands(&say(&mut sim, host, host_game)), ["game_launch"]);
    });
}

/// spec: faf-messages 4.2 and 3.7: titles, slots, maps, victory conditions at their edges.
/// checklist: faf 150, 194, 195, 196, 197, 198, 199, 200, 201, 202
#[test]
fn options_at_their_edges() {
    let mut sim = simulator(1, 0, Settings::default());
    let host = player(&mut sim, 2, 0);
    hosted(
        &mut sim,
        host,
        json!({"title": format!("  {}  ", "x".repeat(200))}),
    );
    tick(&mut sim);
    assert_eq!(sim.take(host)[0]["title"], "x".repeat(128));
    let mut told = |option: Value| {
        say(&mut sim, host, game("GameOption", option));
        tick(&mut sim);
        sim.take(host).pop()
    };
    let mut field = |option: Value, field: &str| told(option).map(|game| game[field].clone());
    for (option, title) in [
        (json!(["Title", " New title "]), "New title"),
        (json!(["Title", ""]), "New title"),
        (json!(["Title", "   "]), "New title"),
        (json!(["Title", "Füße"]), "New title"),
        (json!(["Title", 5]), "New title"),
        (json!(["Title", null]), "New title"),
        (json!(["Title", "y".repeat(129)]), &"y".repeat(128)),
    ] {
        assert_eq!(
            field(option.clone(), "title"),
            Some(json!(title)),
            "{option}"
        );
    }
    for (option, slots) in [
        (json!(["Slots", "4"]), Some(4)),
        (json!(["Slots", "1.5"]), None),
        (json!(["Slots", "many"]), None),
        (json!(["Slots", null]), None),
        (json!(["Slots", [4]]), None),
        (json!(["Slots", 6.9]), Some(6)),
        (json!(["Slots", -1]), Some(-1)),
    ] {
        assert_eq!(
            field(option.clone(), "max_players"),
            slots.map(Value::from),
            "{option}"
        );
    }
    for (path, folder) in [
        ("/maps/Foo/foo_scenario.lua", "foo"),
        ("\\maps\\BAR\\bar_scenario.lua", "bar"),
        ("maps/one/two.lua", "two.lua"),
        ("/maps/three", "three"),
        ("/maps", "three"),
        ("", "three"),
        ("//maps//four//x.lua", "four"),
    ] {
        let shown = field(json!(["ScenarioFile", path]), "mapname");
        assert_eq!(shown, Some(json!(folder)), "{path}");
    }
    assert_eq!(
        field(json!(["ScenarioFile", 7]), "mapname"),
        Some(json!("four"))
    );
    for victory in [json!("sandbox"), json!("nonsense"), json!(5), json!(null)] {
        assert!(told(json!(["Victory", victory])).is_some(), "{victory}");
    }
}
