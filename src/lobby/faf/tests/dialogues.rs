//! What clients see, each on 1, 2 and 3 shards and several orders of mail.

use super::*;
use crate::{Closing, Dialect, Stopping};

#[test]
fn login_order() {
    each(|mut sim, shards| {
        let a = sim.connect(0);
        let session = say(
            &mut sim,
            a,
            json!({"command": "ask_session", "user_agent": "x"}),
        );
        assert_eq!(commands(&session), ["notice", "session"]);
        let again = say(
            &mut sim,
            a,
            json!({"command": "ask_session", "user_agent": "downlords-faf-client"}),
        );
        assert_eq!(commands(&again), ["session"]);
        assert_eq!(again[0]["session"], session[1]["session"]);
        let first = say(&mut sim, a, hello(8));
        assert_eq!(
            commands(&first),
            ["welcome", "player_info", "social", "game_info"]
        );
        let me = json!({
            "id": 8, "login": "p8", "country": "",
            "ratings": {"global": {"rating": [2000.0, 125.0], "number_of_games": 5},
                        "ladder_1v1": {"rating": [1500, 500], "number_of_games": 0}},
            "global_rating": [2000.0, 125.0], "ladder_rating": [1500, 500], "number_of_games": 5,
        });
        assert_eq!(first[0]["me"], me);
        assert_eq!(first[1]["players"], json!([me]));
        assert_eq!(first[3]["games"], json!([]));
        tick(&mut sim);
        assert_eq!(
            sim.take(a),
            [json!({"command": "player_info", "players": [me]})]
        );

        let b = sim.connect(shards - 1);
        let token = json!({"command": "auth", "token": "p2", "unique_id": "u"});
        let first = say(&mut sim, b, token);
        assert_eq!(
            commands(&first),
            [
                "irc_password",
                "welcome",
                "player_info",
                "social",
                "game_info"
            ]
        );
        assert_eq!(first[2]["players"].as_array().map(Vec::len), Some(2));
        tick(&mut sim);
        let news = sim.take(a);
        assert_eq!(news, sim.take(b));
        assert_eq!(news[0]["players"][0]["login"], "p2");
        sim.disconnect(b);
        tick(&mut sim);
        let news = sim.take(a);
        assert_eq!(news.len(), 1);
        assert_eq!(news[0]["players"][0]["state"], "offline");
        tick(&mut sim);
        assert!(sim.take(a).is_empty());
    });
}

#[test]
fn many_changes_are_one_message_per_tick() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 1, 0);
        for id in 10..40 {
            let conn = sim.connect(id as u16 % shards);
            say(&mut sim, conn, hello(id));
        }
        tick(&mut sim);
        let news = sim.take(watcher);
        assert_eq!(commands(&news), ["player_info"]);
        assert_eq!(news[0]["players"].as_array().map(Vec::len), Some(30));
    });
}

#[test]
fn a_newcomer_sees_who_came_since_the_last_tick_on_another_shard() {
    each(|mut sim, shards| {
        let earlier = sim.connect(0);
        say(&mut sim, earlier, hello(3));
        let newcomer = sim.connect(shards - 1);
        let first = say(&mut sim, newcomer, hello(4));
        let players = first[1]["players"].as_array().expect("a list");
        let mut ids: Vec<_> = players.iter().map(|p| p["id"].as_u64()).collect();
        ids.sort_unstable();
        assert_eq!(ids, [Some(3), Some(4)], "{first:?}");
    });
}

/// The end of the search was told first where both connections were of one shard.
#[test]
fn who_searches_and_signs_in_elsewhere_hears_only_that_on_the_old_connection() {
    each(|mut sim, shards| {
        let old = player(&mut sim, 2, shards - 1);
        let search = json!({"command": "game_matchmaking", "state": "start"});
        let told = say(&mut sim, old, search);
        assert!(commands(&told).contains(&"search_info"), "{told:?}");
        let new = sim.connect(0);
        say(&mut sim, new, hello(2));
        let elsewhere = "You have been signed out because you signed in elsewhere.";
        assert_eq!(texts(&sim.take(old)), [elsewhere]);
    });
}

#[test]
fn second_login_wins_everywhere() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 1, 0);
        let old = player(&mut sim, 2, shards - 1);
        sim.take(watcher);
        let new = sim.connect(0);
        let first = say(&mut sim, new, hello(2));
        assert_eq!(
            commands(&first),
            ["welcome", "player_info", "social", "game_info"]
        );
        assert_eq!(
            texts(&sim.take(old)),
            ["You have been signed out because you signed in elsewhere."]
        );
        assert_eq!(sim.client(old).closed, Some(Closing::Flushed));
        tick(&mut sim);
        let news = sim.take(watcher);
        assert_eq!(commands(&news), ["player_info"]);
        assert_eq!(
            news[0]["players"].as_array().map(Vec::len),
            Some(1),
            "{news:?}"
        );
        assert!(news[0]["players"][0].get("state").is_none());
        for shard in 0..shards {
            let late = sim.connect(shard);
            let list = say(&mut sim, late, hello(30 + u32::from(shard)));
            let seen = list[1]["players"].as_array().expect("a list");
            assert_eq!(seen.iter().filter(|p| p["login"] == "p2").count(), 1);
        }
        assert_eq!(
            say(&mut sim, new, json!({"command": "ping"}))[0]["command"],
            "pong"
        );
        // The same account again on its own connection changes nothing.
        let own = say(&mut sim, new, hello(2));
        let text = "You are already signed in from this location!";
        assert_eq!(
            own,
            [json!({"command": "notice", "style": "info", "text": text})]
        );
        tick(&mut sim);
        assert!(
            sim.take(watcher)
                .iter()
                .all(|m| m["players"][0]["login"] != "p2")
        );
        assert!(sim.client(new).closed.is_none());
    });
}

#[test]
fn simultaneous_logins_leave_one() {
    for seed in 0..60 {
        let mut sim = simulator(3, seed, Settings::default());
        sim.eager = seed % 2 == 0;
        let conns: Vec<ConnId> = (0..6).map(|i| sim.connect(i % 3)).collect();
        for &conn in &conns {
            sim.send(conn, hello(2).to_string());
        }
        sim.settle();
        tick(&mut sim);
        assert_eq!(
            conns
                .iter()
                .filter(|&&c| sim.client(c).closed.is_none())
                .count(),
            1
        );
        let online = (0..3).map(|s| sim.dialect(s).population().0).sum::<usize>();
        assert_eq!(online, 1);
    }
}

#[test]
fn another_account_on_the_same_connection() {
    each(|mut sim, _| {
        let a = player(&mut sim, 2, 0);
        let second = say(&mut sim, a, hello(3));
        assert_eq!(
            commands(&second),
            ["welcome", "player_info", "social", "game_info"]
        );
        assert_eq!(second[1]["players"].as_array().map(Vec::len), Some(1));
        tick(&mut sim);
        assert_eq!(sim.take(a)[0]["players"].as_array().map(Vec::len), Some(2));
    });
}

#[test]
fn refused_logins() {
    each(|mut sim, _| {
        let a = sim.connect(0);
        let no = say(
            &mut sim,
            a,
            json!({"command": "hello", "login": "bad", "password": "", "unique_id": ""}),
        );
        assert_eq!(
            no[0]["text"],
            "Login not found or password incorrect. They are case sensitive."
        );
        assert_eq!(say(&mut sim, a, hello(2)).len(), 4);
        for (id, expected) in [
            (
                99,
                json!({"command": "notice", "style": "error", "text": "You are banned from FAF forever. <br>Reason: <br>Live ban<br><br><i>If you would like to appeal this ban, please send an email to: moderation@faforever.com</i>"}),
            ),
            (
                98,
                json!({"command": "notice", "style": "error", "text": "Unable to connect to database. Please try again later."}),
            ),
            (97, json!({"command": "invalid"})),
        ] {
            let conn = sim.connect(0);
            assert_eq!(say(&mut sim, conn, hello(id)), [expected]);
            assert!(sim.client(conn).closed.is_some());
        }
    });
    let off = Settings {
        allow_password_login: false,
        ..Settings::default()
    };
    let mut sim = simulator(1, 0, off);
    let conn = sim.connect(0);
    assert_eq!(say(&mut sim, conn, hello(2))[0]["style"], "error");
    assert!(sim.client(conn).closed.is_some());
}

#[test]
fn gate_and_error_kinds() {
    each(|mut sim, _| {
        for (frame, answer) in [
            (r#"{"command":"game_host"}"#, vec![]),
            (r#"{"command":"nonsense"}"#, vec![]),
            (r#"{}"#, vec![]),
            (r#"[]"#, vec![json!({"command": "invalid"})]),
            ("{", vec![]),
            (
                r#"{"command":"Bottleneck"}"#,
                vec![json!({"command": "invalid"})],
            ),
            (
                r#"{"command":"ask_session","user_agent":5}"#,
                vec![json!({"command": "invalid"})],
            ),
            (r#"{"command":"hello","login":"p2"}"#, vec![]),
        ] {
            let conn = sim.connect(0);
            sim.send(conn, frame);
            sim.settle();
            assert_eq!(sim.take(conn), answer, "{frame}");
            assert!(sim.client(conn).closed.is_some(), "{frame}");
        }
        let a = sim.connect(0);
        assert_eq!(
            commands(&say(&mut sim, a, json!({"command": "ping"}))),
            ["pong"]
        );
        assert!(say(&mut sim, a, json!({"command": "pong"})).is_empty());
        assert_eq!(
            commands(&say(&mut sim, a, json!({"command": "create_account"}))),
            ["notice"]
        );
        assert!(
            say(
                &mut sim,
                a,
                json!({"command": "Bottleneck", "target": "game"})
            )
            .is_empty()
        );
        assert!(sim.client(a).closed.is_none());

        let b = player(&mut sim, 2, 0);
        for harmless in ["match_ready", "is_ready_response", "unready_party"] {
            assert!(say(&mut sim, b, json!({"command": harmless})).is_empty());
        }
        assert_eq!(
            commands(&say(&mut sim, b, json!({"command": "ice_servers"}))),
            ["ice_servers"]
        );
        assert_eq!(
            commands(&say(&mut sim, b, json!({"command": "matchmaker_info"}))),
            ["matchmaker_info"]
        );
        assert!(say(&mut sim, b, game("GameState", json!(["Idle"]))).is_empty());
        assert!(
            say(
                &mut sim,
                b,
                json!({"command": "game_matchmaking", "state": "stop"})
            )
            .is_empty()
        );
        say(
            &mut sim,
            b,
            json!({"command": "InitiateTest", "target": "connectivity"}),
        );
        for guarded in [
            "game_host",
            "game_join",
            "restore_game_session",
            "game_matchmaking",
        ] {
            let said = say(&mut sim, b, json!({"command": guarded}));
            assert_eq!(
                texts(&said),
                ["Cannot join game. Please update your client to the newest version."]
            );
        }
        assert_eq!(
            commands(&say(&mut sim, b, json!({"command": "nonsense"}))),
            ["invalid"]
        );
        assert!(sim.client(b).closed.is_some());
        let c = player(&mut sim, 3, 0);
        assert!(
            say(
                &mut sim,
                c,
                json!({"command": "game_matchmaking", "state": "start", "queue_name": "nobody's"})
            )
            .is_empty()
        );
        assert!(sim.client(c).closed.is_some());
    });
}

#[test]
fn hosting_checks() {
    each(|mut sim, _| {
        let a = player(&mut sim, 2, 0);
        let host = |extra: Value| {
            let mut m = json!({"command": "game_host", "visibility": "public"});
            for (k, v) in extra.as_object().expect("object") {
                m[k] = v.clone();
            }
            m
        };
        assert_eq!(
            texts(&say(&mut sim, a, host(json!({"title": "   "})))),
            ["Title must not be empty."]
        );
        assert_eq!(
            texts(&say(&mut sim, a, host(json!({"title": "ä"})))),
            ["Title must contain only ascii characters."]
        );
        let launch = say(
            &mut sim,
            a,
            host(json!({"title": null, "mod": "COOP", "rating_max": 1200})),
        );
        assert_eq!(
            launch[0],
            json!({"command": "game_launch", "args": ["/numgames", 0], "uid": launch[0]["uid"],
            "mod": "coop", "name": "p2's game", "init_mode": 0, "game_type": "coop", "rating_type": "global"})
        );
        let twice = say(&mut sim, a, json!({"command": "game_host"}));
        assert_eq!(
            texts(&twice),
            ["Can't host a game while in state STARTING_GAME"]
        );
        tick(&mut sim);
        let info = sim.take(a);
        assert_eq!(
            (&info[0]["state"], &info[0]["hosted_at"]),
            (&json!("closed"), &Value::Null)
        );
        assert_eq!(info[0]["rating_max"], 1200.0);
        for (id, request, expected) in [
            (3, json!({"command": "game_host"}), vec![]),
            (4, host(json!({"visibility": "x"})), vec![]),
            (7, host(json!({"rating_min": "x"})), vec![]),
            (9, host(json!({"rating_min": []})), vec!["invalid"]),
            (90, json!({"command": "game_host"}), vec!["notice"]),
        ] {
            let conn = player(&mut sim, id, 0);
            assert_eq!(commands(&say(&mut sim, conn, request)), expected);
            assert!(sim.client(conn).closed.is_some());
        }
    });
}

#[test]
fn joining_across_shards_in_the_order_of_the_specification() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let peer = player(&mut sim, 2, 1 % shards);
        let joiner = player(&mut sim, 3, 2 % shards);
        for conn in [host, peer, joiner] {
            sim.take(conn);
        }
        let uid = hosted(&mut sim, host, json!({}));
        let to_peer = joined(&mut sim, peer, uid);
        assert_eq!(
            to_peer,
            [json!({"command": "JoinGame", "args": ["p1", 1], "target": "game"})]
        );
        assert_eq!(
            sim.take(host),
            [json!({"command": "ConnectToPeer", "args": ["p2", 2, true], "target": "game"})]
        );
        sim.take(peer);
        let to_joiner = joined(&mut sim, joiner, uid);
        assert_eq!(
            to_joiner,
            [
                json!({"command": "JoinGame", "args": ["p1", 1], "target": "game"}),
                json!({"command": "ConnectToPeer", "args": ["p2", 2, true], "target": "game"}),
            ]
        );
        assert_eq!(
            sim.take(host),
            [json!({"command": "ConnectToPeer", "args": ["p3", 3, true], "target": "game"})]
        );
        assert_eq!(
            sim.take(peer),
            [json!({"command": "ConnectToPeer", "args": ["p3", 3, false], "target": "game"})]
        );

        say(&mut sim, joiner, game("IceMsg", json!([2, "{\"é\":1}"])));
        assert_eq!(
            sim.take(peer),
            [json!({"command": "IceMsg", "args": [3, "{\"é\":1}"], "target": "game"})]
        );
        say(&mut sim, peer, game("PlayerOption", json!([2, "Team", 7])));
        configure(&mut sim, host, 1, 1, 2);
        configure(&mut sim, host, 2, 2, 3);
        configure(&mut sim, host, 3, -1, 3);
        tick(&mut sim);
        let info = sim.take(joiner);
        assert_eq!(commands(&info), ["game_info"]);
        assert_eq!(info[0]["num_players"], 3);
        assert_eq!(info[0]["teams"], json!({"2": ["p1"], "3": ["p2", "p3"]}));
        assert_eq!(
            info[0]["teams_ids"],
            json!([{"team_id": 2, "player_ids": [1]}, {"team_id": 3, "player_ids": [2, 3]}])
        );

        // p3 has no army: they watch.
        state(&mut sim, host, "Launching");
        let busy = |sim: &mut Sim, conn| {
            texts(&say(sim, conn, json!({"command": "game_join"})))[0].to_owned()
        };
        assert_eq!(
            busy(&mut sim, peer),
            "Can't join a game while in state PLAYING"
        );
        assert_eq!(
            busy(&mut sim, joiner),
            "Can't join a game while in state JOINING"
        );
        tick(&mut sim);
        assert_eq!(sim.take(host).last().expect("news")["state"], "playing");

        // The connection of p2 breaks; they come back elsewhere.
        sim.disconnect(peer);
        let back = player(&mut sim, 2, 0);
        assert!(
            say(
                &mut sim,
                back,
                json!({"command": "restore_game_session", "game_id": uid})
            )
            .is_empty()
        );
        assert_eq!(
            busy(&mut sim, back),
            "Can't join a game while in state PLAYING"
        );
        let out = player(&mut sim, 40, 0);
        let no = say(
            &mut sim,
            out,
            json!({"command": "restore_game_session", "game_id": uid}),
        );
        assert_eq!(texts(&no), ["You are not part of this game"]);
        let no = say(
            &mut sim,
            out,
            json!({"command": "restore_game_session", "game_id": 0}),
        );
        assert_eq!(
            texts(&no),
            ["The game you were connected to no longer exists"]
        );
        tick(&mut sim);
        sim.take(host);

        for conn in [host, back, joiner] {
            say(&mut sim, conn, game("GameEnded", json!([])));
        }
        tick(&mut sim);
        let info = sim.take(host);
        assert_eq!(
            (&info[0]["state"], &info[0]["num_players"]),
            (&json!("closed"), &json!(3))
        );
        for conn in [host, back, joiner] {
            state(&mut sim, conn, "Ended");
        }
        tick(&mut sim);
        assert_eq!(sim.take(host).last().expect("news")["num_players"], 0);
        for shard in 0..shards {
            assert!(sim.dialect(shard).roles.games.games.is_empty());
            assert_eq!(
                sim.dialect(shard).roles.directory.picture.games().count(),
                0
            );
        }
    });
}

#[test]
fn join_refusals() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let login_id = player(&mut sim, 2, shards - 1);
        let uid = hosted(&mut sim, host, json!({"password": "secret"}));
        let join = |uid: Value, password: Value| json!({"command": "game_join", "uid": uid, "password": password});
        for password in [Value::Null, json!("Secret"), json!("")] {
            let no = say(&mut sim, login_id, join(uid.into(), password));
            assert_eq!(
                no[0],
                json!({"command": "game_join_failed", "reason": "bad_password", "uid": uid})
            );
            assert_eq!(no[1]["text"], "Bad password (it's case sensitive).");
        }
        let no = say(&mut sim, login_id, join(1.into(), Value::Null));
        assert_eq!(no[0]["reason"], "host_left_game");
        let foe = player(&mut sim, 6, shards - 1);
        let no = say(&mut sim, foe, join(uid.into(), json!("secret")));
        assert_eq!(texts(&no), ["You cannot join games hosted by this player."]);
        sim.take(login_id);
        let yes = say(
            &mut sim,
            login_id,
            join(uid.to_string().into(), json!("secret")),
        );
        assert_eq!(commands(&yes), ["game_launch"]);
        let late = player(&mut sim, 7, 0);
        let other = say(
            &mut sim,
            late,
            json!({"command": "game_host", "visibility": "public"}),
        )[0]["uid"]
            .clone();
        let third = player(&mut sim, 8, shards - 1);
        assert_eq!(
            say(&mut sim, third, join(other, Value::Null))[0]["reason"],
            "game_not_ready"
        );
        for (id, request, expected) in [
            (10, json!({"command": "game_join"}), vec![]),
            (11, join("x".into(), Value::Null), vec![]),
            (90, json!({"command": "game_join"}), vec!["notice"]),
        ] {
            let conn = player(&mut sim, id, shards - 1);
            assert_eq!(commands(&say(&mut sim, conn, request)), expected);
            assert!(sim.client(conn).closed.is_some());
        }
    });
}

#[test]
fn leaving_a_lobby() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let a = player(&mut sim, 2, 1 % shards);
        let b = player(&mut sim, 3, 2 % shards);
        let uid = hosted(&mut sim, host, json!({}));
        joined(&mut sim, a, uid);
        joined(&mut sim, b, uid);
        for conn in [host, a, b] {
            sim.take(conn);
        }
        state(&mut sim, b, "Ended");
        let gone = json!({"command": "DisconnectFromPeer", "args": [3], "target": "game"});
        assert_eq!(sim.take(host), std::slice::from_ref(&gone));
        assert_eq!(sim.take(a), [gone]);
        // The host leaves: nobody is told to disconnect, and the guest stays until their game ends.
        state(&mut sim, host, "Ended");
        assert!(sim.take(a).is_empty());
        tick(&mut sim);
        assert_eq!(sim.take(a)[0]["state"], "closed");
        let busy = say(&mut sim, a, json!({"command": "game_host"}));
        assert_eq!(texts(&busy), ["Can't host a game while in state JOINING"]);
        state(&mut sim, a, "Ended");
        hosted(&mut sim, a, json!({}));
        // A guest who comes up after the host has left is idle again.
        let uid = hosted(&mut sim, host, json!({}));
        say(&mut sim, b, json!({"command": "game_join", "uid": uid}));
        state(&mut sim, b, "Lobby");
        state(&mut sim, b, "Idle");
        sim.disconnect(host);
        sim.settle();
        assert!(state(&mut sim, b, "Lobby").is_empty());
        hosted(&mut sim, b, json!({}));
    });
}

#[test]
fn options() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let watcher = player(&mut sim, 2, shards - 1);
        hosted(&mut sim, host, json!({"title": "duel"}));
        tick(&mut sim);
        sim.take(watcher);
        let mut after = |args: Value, command: &str| {
            say(&mut sim, host, game(command, args));
            tick(&mut sim);
            sim.take(watcher)
        };
        assert_eq!(
            after(json!(["Title", " new "]), "GameOption")[0]["title"],
            "new"
        );
        assert_eq!(
            after(json!(["Title", "ä"]), "GameOption")[0]["title"],
            "new"
        );
        assert_eq!(
            after(json!(["Slots", "4"]), "GameOption")[0]["max_players"],
            4
        );
        assert!(after(json!(["Slots", "1.5"]), "GameOption").is_empty());
        assert!(after(json!(["Slots"]), "GameOption").is_empty());
        let map = |news: Vec<Value>| news[0]["mapname"].as_str().map(str::to_owned);
        assert_eq!(
            map(after(
                json!(["ScenarioFile", "/maps/SCMP_009/x.lua"]),
                "GameOption"
            ))
            .as_deref(),
            Some("scmp_009")
        );
        assert_eq!(
            map(after(
                json!(["ScenarioFile", "\\maps\\foo\\x.lua"]),
                "GameOption"
            ))
            .as_deref(),
            Some("foo")
        );
        assert_eq!(
            map(after(json!(["ScenarioFile", "/maps"]), "GameOption")).as_deref(),
            Some("foo")
        );
        let mods = after(json!(["uids", "one unknown"]), "GameMods");
        assert_eq!(
            mods[0]["sim_mods"],
            json!({"one": "Mod one", "unknown": "Unknown sim mod"})
        );
        assert_eq!(
            after(json!(["activated", 0]), "GameMods")[0]["sim_mods"],
            json!({})
        );
        assert_eq!(
            after(json!([1, "StartSpot", 3]), "PlayerOption")[0]["num_players"],
            1
        );
        assert_eq!(
            after(json!(["AI: Easy", "StartSpot", 3]), "AIOption").len(),
            1
        );
        let cleared = after(json!([3]), "ClearSlot");
        assert_eq!(cleared[0]["teams"], json!({"-1": ["p1"]}));
        assert!(after(json!(["x"]), "Nonsense").is_empty());
        // A second Lobby breaks the game.
        assert_eq!(after(json!(["Lobby"]), "GameState")[0]["state"], "closed");
    });
}

#[test]
fn visibility() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let friend = player(&mut sim, 5, shards - 1);
        let foe = player(&mut sim, 6, shards - 1);
        let anyone = player(&mut sim, 8, shards - 1);
        let uid = hosted(&mut sim, host, json!({}));
        tick(&mut sim);
        let sees = |sim: &mut Sim, conn| sim.take(conn).iter().any(|m| m["command"] == "game_info");
        let all = |sim: &mut Sim| [host, friend, foe, anyone].map(|conn| sees(sim, conn));
        assert_eq!(all(&mut sim), [true, true, false, true]);
        // N#1029: both directions are told at once.
        say(
            &mut sim,
            host,
            json!({"command": "social_remove", "foe": 6}),
        );
        assert_eq!(sim.take(foe)[0]["state"], "open");
        say(&mut sim, host, json!({"command": "social_add", "foe": 8}));
        assert_eq!(sim.take(anyone)[0]["state"], "closed");
        say(
            &mut sim,
            host,
            json!({"command": "social_remove", "foe": 8}),
        );
        say(&mut sim, host, json!({"command": "social_add", "foe": 6}));
        sim.disconnect(foe);
        let foe = sim.connect(shards - 1);
        tick(&mut sim);
        state(&mut sim, host, "Other");
        tick(&mut sim);
        let list = say(&mut sim, foe, hello(6));
        assert_eq!(list[3]["games"], json!([]));
        state(&mut sim, host, "Ended");
        let uid2 = hosted(&mut sim, host, json!({"visibility": "friends"}));
        assert!(uid2 > uid);
        tick(&mut sim);
        let all = |sim: &mut Sim| {
            [host, friend, foe, anyone].map(|conn| sim.take(conn).iter().any(|m| m["uid"] == uid2))
        };
        assert_eq!(all(&mut sim), [true, true, false, false]);
        joined(&mut sim, anyone, uid2);
        tick(&mut sim);
        assert_eq!(all(&mut sim), [true, true, false, true]);
        state(&mut sim, anyone, "Ended");
        state(&mut sim, host, "Ended");
        tick(&mut sim);
        all(&mut sim);
        let uid3 = hosted(
            &mut sim,
            host,
            json!({"rating_min": 1000, "enforce_rating_range": true}),
        );
        tick(&mut sim);
        let all = |sim: &mut Sim| {
            [host, friend, foe, anyone].map(|conn| sim.take(conn).iter().any(|m| m["uid"] == uid3))
        };
        assert_eq!(all(&mut sim), [true, false, false, true]);
        let late = sim.connect(shards - 1);
        assert_eq!(say(&mut sim, late, hello(30))[3]["games"], json!([]));
    });
}

#[test]
fn social_lists() {
    each(|mut sim, _| {
        let a = player(&mut sim, 1, 0);
        for quiet in [
            json!({"command": "social_add", "friend": 3}),
            json!({"command": "social_add", "friend": 3}),
            json!({"command": "social_add", "foe": 3}),
            json!({"command": "social_add", "friend": 1}),
            json!({"command": "social_add", "friend": 5000}),
            json!({"command": "social_add"}),
            json!({"command": "social_remove", "friend": 50}),
        ] {
            assert!(say(&mut sim, a, quiet).is_empty());
        }
        assert!(sim.client(a).closed.is_none());
        let lists = sim
            .dialect(0)
            .roles
            .sessions
            .table
            .get(a)
            .and_then(|s| s.player.as_deref());
        let account = &lists.expect("logged in").account;
        assert_eq!(
            (&account.friends[..], &account.foes[..]),
            (&[5][..], &[6, 3][..])
        );
        say(&mut sim, a, json!({"command": "social_remove"}));
        assert!(sim.client(a).closed.is_some());
    });
}

#[test]
fn time_outs() {
    each(|mut sim, shards| {
        let idle = sim.connect(0);
        let host = player(&mut sim, 1, shards - 1);
        let login_id = player(&mut sim, 2, 0);
        say(
            &mut sim,
            host,
            json!({"command": "game_host", "visibility": "public"}),
        );
        sim.advance(Duration::from_secs(31));
        let news = sim.take(login_id);
        assert_eq!(news.last().expect("news")["state"], "closed");
        let uid = hosted(&mut sim, host, json!({}));
        say(
            &mut sim,
            login_id,
            json!({"command": "game_join", "uid": uid}),
        );
        sim.advance(Duration::from_secs(31));
        assert!(sim.take(login_id).iter().any(|m| m["command"] == "ping"));
        assert!(sim.take(idle).is_empty());
        joined(&mut sim, login_id, uid);
        assert!(sim.client(idle).closed.is_none());
        sim.advance(Duration::from_secs(300));
        assert!(sim.client(idle).closed.is_some());
        assert!(sim.client(login_id).closed.is_none());
        assert!(sim.take(idle).is_empty());
    });
}

#[test]
fn shutdown() {
    each(|mut sim, shards| {
        let host = player(&mut sim, 1, 0);
        let login_id = player(&mut sim, 2, shards - 1);
        let busy = player(&mut sim, 3, shards - 1);
        let live = hosted(&mut sim, busy, json!({}));
        configure(&mut sim, busy, 3, 1, 2);
        state(&mut sim, busy, "Launching");
        let uid = hosted(&mut sim, host, json!({}));
        joined(&mut sim, login_id, uid);
        tick(&mut sim);
        for conn in [host, login_id, busy] {
            sim.take(conn);
        }
        sim.stop(Stopping::Drain);
        sim.settle();
        for conn in [host, login_id] {
            let said = sim.take(conn);
            assert!(said.iter().any(|m| m["style"] == "kill"), "{said:?}");
            assert!(
                texts(&said)[0].starts_with(
                    "The server will be shutting down for maintenance in 30 minutes! If"
                )
            );
        }
        assert_eq!(commands(&sim.take(busy)), ["notice"]);
        let no = say(
            &mut sim,
            host,
            json!({"command": "game_host", "visibility": "public"}),
        );
        assert_eq!(no, [json!({"command": "disabled", "request": "game_host"})]);
        tick(&mut sim);
        assert!(!sim.dialect(shards - 1).is_drained());
        state(&mut sim, busy, "Ended");
        tick(&mut sim);
        assert!((0..shards).all(|s| sim.dialect(s).is_drained()));
        assert!(live > 0);
        sim.take(host);
        sim.stop(Stopping::Now);
        assert_eq!(texts(&sim.take(host)).len(), 1);
        assert_eq!(sim.client(host).closed, Some(Closing::Flushed));
        sim.settle();
        tick(&mut sim);
    });
}
