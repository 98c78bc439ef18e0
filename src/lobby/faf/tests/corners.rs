//! Corners of the specification that no dialogue of real clients reaches.

use super::*;

/// spec: faf-lifecycle 10.7: the mesh is told of everybody who leaves a lobby, also of a guest who never got into it;
/// what the host has set for them stays, as it is only their game's word that takes them off the list.
/// checklist: faf 228, 230
#[test]
fn a_guest_who_never_connected_leaves() {
    let gone = json!({"command": "DisconnectFromPeer", "args": [2], "target": "game"});
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let login_id = player(&mut sim, 2, 1 % shards);
        let uid = hosted(&mut sim, host, json!({}));
        configure(&mut sim, host, 2, 1, 2);
        say(
            &mut sim,
            login_id,
            json!({"command": "game_join", "uid": uid}),
        );
        tick(&mut sim);
        sim.take(host);
        state(&mut sim, login_id, "Ended");
        assert_eq!(sim.take(host), std::slice::from_ref(&gone));
        // The host is told of a guest only for as long as the game is a lobby.
        joined(&mut sim, login_id, uid);
        tick(&mut sim);
        let told = sim.take(host);
        assert_eq!(told.last().expect("the game has changed")["num_players"], 1);
        state(&mut sim, host, "Launching");
        sim.take(host);
        state(&mut sim, login_id, "Ended");
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

/// spec: faf-messages 3.7: what is missing or empty has a default; faf-lifecycle 11: maps need not be known.
/// checklist: faf 140, 145, 146, 147, 151, 152, 153, 154, 158, 166, 168, 169
#[test]
fn what_is_not_said_about_a_game_has_a_default() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 3, 1 % shards);
        let plain = json!({"mod": "faf", "name": "p2's game", "game_type": "custom"});
        for (request, expected, map) in [
            (json!({}), plain.clone(), "scmp_007"),
            (
                json!({"title": "", "mod": "", "mapname": ""}),
                plain.clone(),
                "scmp_007",
            ),
            (
                json!({"title": null, "mod": null, "mapname": null}),
                plain,
                "scmp_007",
            ),
            (
                json!({"title": "x", "mod": "FaF", "mapname": "No Such MAP"}),
                json!({"mod": "faf", "name": "x"}),
                "no such map",
            ),
            (
                json!({"mod": "coop"}),
                json!({"mod": "coop", "game_type": "coop"}),
                "scmp_007",
            ),
        ] {
            let host = player(&mut sim, 2, 0);
            let mut message = json!({"command": "game_host", "visibility": "public"});
            for (key, value) in request.as_object().expect("an object") {
                message[key] = value.clone();
            }
            let launch = say(&mut sim, host, message);
            for (key, value) in expected.as_object().expect("an object") {
                assert_eq!(launch[0][key], *value, "{request}");
            }
            assert!(
                launch[0]
                    .as_object()
                    .is_some_and(|l| l.values().all(|v| !v.is_null()))
            );
            state(&mut sim, host, "Idle");
            sim.take(watcher);
            tick(&mut sim);
            let told = sim.take(watcher).pop().expect("a new game is told of");
            assert_eq!(
                (&told["mapname"], &told["hosted_at"]),
                (&json!(map), &Value::Null)
            );
            assert_eq!(told["map_file_path"], format!("maps/{map}.zip"));
            assert_eq!(told["password_protected"], false);
            // The time of opening is set once and stays.
            state(&mut sim, host, "Lobby");
            tick(&mut sim);
            let opened = sim.take(watcher).pop().expect("it has opened")["hosted_at"].clone();
            assert!(opened.is_string());
            configure(&mut sim, host, 2, 1, 2);
            tick(&mut sim);
            assert_eq!(
                sim.take(watcher).pop().expect("it has changed")["hosted_at"],
                opened
            );
            sim.disconnect(host);
            tick(&mut sim);
        }
    });
}

/// spec: faf-lifecycle 9: the host's list counts, not the viewer's; ranges are inclusive, open where they are null, and
/// count only if they are enforced; whoever is connected sees the game whatever becomes of the list.
/// checklist: faf 131, 132, 133, 134, 135, 136, 137, 138, 139
#[test]
fn who_sees_a_game() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 2, 0);
        let fan = player(&mut sim, 3, 1 % shards);
        // Displayed ratings: 2000 - 3 * 125 = 1625, and 0.
        let strong = player(&mut sim, 8, 1 % shards);
        let weak = player(&mut sim, 4, 0);
        say(&mut sim, fan, json!({"command": "social_add", "friend": 2}));
        let uid = hosted(&mut sim, host, json!({"visibility": "friends"}));
        tick(&mut sim);
        let seen = |sim: &mut Sim, conn| sim.take(conn).iter().any(|m| m["uid"] == uid);
        assert!(seen(&mut sim, host));
        assert!(!seen(&mut sim, fan), "he is not the host's friend");
        say(
            &mut sim,
            host,
            json!({"command": "social_add", "friend": 3}),
        );
        joined(&mut sim, fan, uid);
        say(
            &mut sim,
            host,
            json!({"command": "social_remove", "friend": 3}),
        );
        tick(&mut sim);
        sim.take(fan);
        configure(&mut sim, host, 2, 1, 2);
        tick(&mut sim);
        assert!(seen(&mut sim, fan), "he is in it");
        state(&mut sim, fan, "Ended");
        state(&mut sim, host, "Ended");
        tick(&mut sim);
        for (range, strong_sees, weak_sees) in [
            (
                json!({"rating_min": 1000, "enforce_rating_range": true}),
                true,
                false,
            ),
            (
                json!({"rating_min": 1625, "enforce_rating_range": true}),
                true,
                false,
            ),
            (
                json!({"rating_max": 0, "enforce_rating_range": true}),
                false,
                true,
            ),
            (
                json!({"rating_min": null, "rating_max": 1625, "enforce_rating_range": true}),
                true,
                true,
            ),
            (
                json!({"rating_min": 5000, "rating_max": 6000, "enforce_rating_range": false}),
                true,
                true,
            ),
        ] {
            for conn in [strong, weak] {
                sim.take(conn);
            }
            let uid = hosted(&mut sim, host, range.clone());
            tick(&mut sim);
            let seen = |sim: &mut Sim, conn| sim.take(conn).iter().any(|m| m["uid"] == uid);
            assert!(seen(&mut sim, host));
            assert_eq!(
                (seen(&mut sim, strong), seen(&mut sim, weak)),
                (strong_sees, weak_sees),
                "{range}"
            );
            state(&mut sim, host, "Ended");
            tick(&mut sim);
        }
    });
}

/// spec: faf-messages 3.8, 2.2: which check comes first.
/// checklist: faf 60, 61, 178, 190
#[test]
fn checks_of_a_join_in_their_order() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let foe = player(&mut sim, 6, 1 % shards);
        let login_id = player(&mut sim, 2, 1 % shards);
        let launch = say(
            &mut sim,
            host,
            json!({"command": "game_host", "visibility": "public"}),
        );
        let join = json!({"command": "game_join", "uid": launch[0]["uid"]});
        // Not open yet: a foe is told that they are one all the same.
        assert_eq!(
            texts(&say(&mut sim, foe, join.clone())),
            ["You cannot join games hosted by this player."]
        );
        assert_eq!(
            say(&mut sim, login_id, join.clone())[0]["reason"],
            "game_not_ready"
        );
        // From `Idle` on it can be joined.
        state(&mut sim, host, "Idle");
        assert_eq!(commands(&say(&mut sim, login_id, join)), ["game_launch"]);
        // Old client, then the state, then the fields.
        let busy = say(&mut sim, login_id, json!({"command": "game_join"}));
        assert_eq!(
            texts(&busy),
            ["Can't join a game while in state STARTING_GAME"]
        );
        say(
            &mut sim,
            login_id,
            json!({"command": "InitiateTest", "target": "connectivity"}),
        );
        for guarded in ["game_join", "game_host", "restore_game_session"] {
            let said = say(&mut sim, login_id, json!({"command": guarded}));
            assert_eq!(
                texts(&said),
                ["Cannot join game. Please update your client to the newest version."]
            );
        }
    });
}

/// spec: faf-messages 3.9: a game that has ended and is not removed yet.
/// checklist: faf 239, 241
#[test]
fn a_game_that_has_just_ended_is_not_available() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 2, 0);
        let other = player(&mut sim, 3, 1 % shards);
        let uid = hosted(&mut sim, host, json!({}));
        let restore = json!({"command": "restore_game_session", "game_id": uid});
        sim.advance(Duration::from_millis(300));
        state(&mut sim, host, "Ended");
        let said = say(&mut sim, other, restore.clone());
        assert_eq!(
            texts(&said),
            ["The game you were connected to is no longer available"]
        );
        tick(&mut sim);
        let said = say(&mut sim, other, restore);
        assert_eq!(
            texts(&said),
            ["The game you were connected to no longer exists"]
        );
    });
}

/// spec: faf-messages 5.4
/// checklist: faf 105, 106
#[test]
fn channels_and_power_of_a_group() {
    let social = |groups: &[&str], clan: Option<&str>| {
        crate::faf::session::player::channels_and_power(&Account {
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            clan: clan.map(Into::into),
            ..Account::default()
        })
    };
    let (moderator, administrator) = ("faf_moderators_global", "faf_server_administrators");
    assert_eq!(social(&[], None), (vec![], 0));
    assert_eq!(
        social(&["other"], Some("NVA")),
        (vec!["#NVA_clan".to_owned()], 0)
    );
    let both = vec!["#moderators".to_owned(), "#NVA_clan".to_owned()];
    assert_eq!(social(&[moderator], Some("NVA")), (both.clone(), 1));
    assert_eq!(social(&[administrator, moderator], Some("NVA")), (both, 2));
    assert_eq!(social(&[administrator], None), (vec![], 2));
}

/// spec: faf-lifecycle 4
/// checklist: faf 102, 103, 104, 121, 122, 128
#[test]
fn whoever_does_not_sign_in_is_sent_away_in_time_and_only_he() {
    each(|mut sim, shards| {
        let late = sim.connect(0);
        let gone = sim.connect(1 % shards);
        let player = player(&mut sim, 2, 1 % shards);
        sim.advance(Duration::from_secs(200));
        sim.disconnect(gone);
        sim.advance(Duration::from_secs(90));
        assert!(sim.client(late).closed.is_none());
        sim.advance(Duration::from_secs(20));
        assert!(sim.client(late).closed.is_some());
        assert!(sim.take(late).is_empty() && sim.take(gone).is_empty());
        let timed_out: u64 = (0..shards)
            .map(|s| sim.dialect(s).roles.metrics.login_timeouts.value())
            .sum();
        assert_eq!(timed_out, 1);
        // A player may be idle for as long as they like; they hear of queues, and pings.
        sim.advance(Duration::from_secs(7200));
        assert!(sim.client(player).closed.is_none());
        let mut heard = sim.take(player);
        heard.retain(|m| m["command"] != "matchmaker_info");
        assert!(heard.iter().all(|m| m["command"] == "ping"), "{heard:?}");
        // At the multiples of 45 s from second 1001 to 8511 of the clock.
        assert_eq!(heard.len(), 8511 / 45 - 1001 / 45);
    });
}

/// spec: faf-messages 2.2: the state comes before everything else, here the missing field.
/// checklist: faf 162, 294
#[test]
fn whoever_searches_neither_hosts_nor_invites_nor_kicks() {
    each(|mut sim, shards| {
        let conns = searches::players(&mut sim, shards, 1);
        searches::searches(&mut sim, conns[0], "ladder1v1");
        for (command, what) in [
            ("game_host", "host a game"),
            ("game_join", "join a game"),
            ("restore_game_session", "reconnect to a game"),
            ("invite_to_party", "invite a player"),
            ("accept_party_invite", "join a party"),
            ("kick_player_from_party", "kick a player"),
        ] {
            let said = say(&mut sim, conns[0], json!({"command": command}));
            assert_eq!(
                texts(&said),
                [format!("Can't {what} while in state SEARCHING_LADDER")]
            );
        }
    });
}

#[test]
fn who_is_back_before_his_old_connection_was_missed_plays_once() {
    use crate::{
        ShardId,
        faf::{
            game::state::Game,
            model::{game::Creation, options::OptionValue, seat::Seat},
        },
    };
    let creation = Creation {
        title: "duel".into(),
        featured_mod: "faf".into(),
        folder: "scmp_007".into(),
        friends_only: false,
        password: None,
        rating_min: None,
        rating_max: None,
        enforce_rating_range: false,
    };
    let mut game = Game::new(1, 7, "p7".into(), creation);
    for slot in [3, 4] {
        let conn = ConnId {
            shard: ShardId::new(0, 0),
            slot,
            generation: 0,
        };
        let seat = Seat {
            uid: 1,
            player_id: 7,
            conn,
            serial: 1,
        };
        game.connect(seat, "p7".into());
    }
    assert!(game.set_player_option(7, "Army", OptionValue::Int(1)));
    assert_eq!(
        game.freeze(crate::Now {
            mono: Duration::from_secs(1),
            unix: Duration::from_secs(1_000),
        })
        .len(),
        2,
        "both are told"
    );
    assert_eq!(game.participants.len(), 1);
}
