//! What an operator sees and does.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Stage, chat, each, kinds, login, reason, server_login};
use crate::{
    ConnId, Protocol,
    operator::{
        Act, Done, Farewell, Game, Mark, Order, Player, Query, Row, Sanction, Subject, Until,
        Wanted,
    },
};

const ROOM: &str = "room-1";

fn all(stage: &mut Stage, subject: Subject, wanted: Wanted) -> Vec<Row> {
    let query = Query {
        protocol: Some(Protocol::default()),
        subject,
        wanted,
        from: Mark::Start,
    };
    let shards = 0..stage.sim.shards();
    let rows = shards.flat_map(|shard| stage.sim.list(shard, &query));
    rows.collect()
}

fn players(stage: &mut Stage, wanted: Wanted) -> Vec<Player> {
    let rows = all(stage, Subject::Players, wanted).into_iter();
    let player = |row| match row {
        Row::Player(player) => player,
        other => panic!("{other:?}"),
    };
    rows.map(player).collect()
}

fn games(stage: &mut Stage) -> Vec<Game> {
    let rows = all(stage, Subject::Games, Wanted::Any).into_iter();
    let game = |row| match row {
        Row::Game(game) => game,
        other => panic!("{other:?}"),
    };
    rows.map(game).collect()
}

fn order(stage: &mut Stage, act: Act) -> Vec<Done> {
    let protocol = Protocol::default();
    let done = stage.sim.order(&Order { protocol, act });
    stage.sim.settle();
    done
}

fn sanction(name: &str, until: Until) -> Sanction {
    Sanction {
        name: name.to_owned(),
        reason: "spam".to_owned(),
        until,
    }
}

/// What the server has told somebody in words; everything else is taken as well.
fn told(stage: &mut Stage, conn: ConnId) -> Vec<Value> {
    let all = stage.hear(conn).into_iter();
    all.filter(|one| one["displayName"] == "The server")
        .collect()
}

fn told_once(stage: &mut Stage, conn: ConnId) -> String {
    let all = told(stage, conn);
    let [line] = &all[..] else {
        panic!("{all:?}");
    };
    assert_eq!(
        (&line["type"], &line["channelType"], &line["channelName"]),
        (&json!("chatMessage"), &json!("global"), &json!("english"))
    );
    line["messageText"].as_str().expect("a text").to_owned()
}

#[test]
fn players_and_rooms_are_listed_page_by_page() {
    each(|stage| {
        let all = ["anna", "berta", "carla", "dora", "emil", "anton"];
        let all = all.map(|name| stage.player(name));
        stage.connect();
        let control = stage.room(&all[0], ROOM, "public", 3);
        let description = json!({ "type": "changeRoomDescription", "description": "Arrogance" });
        stage.say(control, description);
        stage.join(&all[1], ROOM);
        stage.match_server(&all[2], "room-2");
        let listed = players(stage, Wanted::Any);
        let names: Vec<&str> = listed.iter().map(|one| &*one.name).collect();
        assert_eq!(names, ["anna", "berta", "carla", "dora", "emil", "anton"]);
        let anna = &listed[0];
        assert_eq!((anna.conn, &*anna.state), (all[0].conn, "room"));
        assert_eq!(anna.game.as_deref(), Some(ROOM));
        assert!(anna.address.is_loopback() && anna.id.is_some());
        assert_eq!(anna.since, stage.sim.unix().as_secs());
        assert_eq!((&*listed[3].state, &listed[3].game), ("lobby", &None));
        assert_eq!(players(stage, Wanted::Prefix("AN".into())).len(), 2);
        let rooms = games(stage);
        assert_eq!(rooms.len(), 2);
        let one = &rooms[0];
        assert_eq!(
            (&*one.id, &*one.title, &*one.host, &*one.state),
            (ROOM, "Arrogance", "anna", "public")
        );
        assert_eq!((one.players, one.seats), (2, Some(3)));
        assert_eq!((&*rooms[1].host, &*rooms[1].state), ("carla", "idle"));
        stage.say(control, json!({ "type": "gameStarted" }));
        assert_eq!(games(stage)[0].state, "busy");
        assert_eq!(
            players(stage, Wanted::Name("Berta".into()))[0].state,
            "match"
        );
        let counted = all_totals(stage);
        assert_eq!(counted, (6, 2));
    });
}

fn all_totals(stage: &mut Stage) -> (u32, u32) {
    let rows = all(stage, Subject::Totals, Wanted::Any).into_iter();
    rows.fold((0, 0), |(players, games), row| match row {
        Row::Totals(totals) => (players + totals.players, games + totals.games),
        other => panic!("{other:?}"),
    })
}

#[test]
fn whoever_is_thrown_out_is_told_and_may_come_back() {
    each(|stage| {
        let [anna, berta] = ["anna", "berta"].map(|name| stage.player(name));
        stage.hear(anna.conn);
        stage.hear(berta.conn);
        let reason = "rude".to_owned();
        stage.sim.evict(anna.conn, &Farewell::Kicked { reason });
        stage.sim.settle();
        let last = stage.hear(anna.conn);
        assert_eq!(
            super::reason(&last),
            "You have been disconnected by an administrator: rude"
        );
        assert!(stage.is_closed(anna.conn));
        assert_eq!(kinds(&stage.hear(berta.conn)), ["activeAccounts"]);
        assert_eq!(players(stage, Wanted::Any).len(), 1);
        let (_, said) = stage.login(&anna.who);
        assert_eq!(kinds(&said)[0], "clientLoginSuccess");
    });
}

/// What a relayed connection hears is the game's.
#[test]
fn a_connection_that_waits_for_its_guest_is_ended_without_a_word() {
    each(|stage| {
        let [host, guest] = ["hosting", "visiting"].map(|name| stage.player(name));
        stage.room(&host, ROOM, "public", 2);
        stage.join(&guest, ROOM);
        let waiting = stage.connect();
        stage.send(
            waiting,
            json!({
                "type": "serverProxyLogin", "gameRoomID": ROOM,
                "guestAccountID": guest.who.id, "accountCookie": host.who.cookie
            }),
        );
        stage.sim.settle();
        assert!(stage.sim.dialect_of(waiting).is_proxy(waiting));
        stage.sim.evict(waiting, &Farewell::ServerEnds);
        stage.sim.settle();
        assert!(stage.is_closed(waiting) && stage.hear(waiting).is_empty());
    });
}

#[test]
fn whoever_is_silenced_is_not_heard_until_they_may_talk_again() {
    each(|stage| {
        let [anna, berta] = ["anna", "berta"].map(|name| stage.player(name));
        stage.hear(anna.conn);
        let until = Until::Then(stage.sim.unix() + Duration::from_secs(90));
        let done = order(stage, Act::Mute(sanction("Anna", until)));
        assert_eq!(done.iter().filter(|one| **one == Done::Of(1)).count(), 1);
        let why = "You may not talk for 2 more minutes: spam";
        assert_eq!(told_once(stage, anna.conn), why);
        stage.hear(berta.conn);
        for message in [
            chat("global", "english", "hello"),
            chat("player", &berta.who.id, "hello"),
            chat("match", ROOM, "hello"),
        ] {
            let said = stage.say(anna.conn, message);
            assert_eq!(kinds(&said), ["chatMessage", "operationFailed"], "{said:?}");
            assert_eq!(said[0]["messageText"], why);
            assert_eq!(reason(&said[1..]), why);
        }
        assert!(stage.hear(berta.conn).is_empty());
        let history = json!({
            "type": "requestChatHistory", "channelType": "global", "channelName": "english"
        });
        let said = stage.say(berta.conn, history);
        assert_eq!(said[0]["messages"], json!([]), "it is not stored either");
        order(stage, Act::Mute(sanction("anna", Until::Lifted)));
        assert_eq!(told_once(stage, anna.conn), "You may talk again");
        stage.say(anna.conn, chat("global", "english", "hello"));
        assert_eq!(stage.hear(berta.conn)[0]["messageText"], "hello");
        // It ends by itself as well.
        let until = Until::Then(stage.sim.unix() + Duration::from_secs(1));
        order(stage, Act::Mute(sanction("anna", until)));
        stage.wait(2);
        stage.hear(berta.conn);
        stage.say(anna.conn, chat("global", "english", "again"));
        assert_eq!(stage.hear(berta.conn)[0]["messageText"], "again");
    });
}

#[test]
fn a_banned_player_does_not_come_in_and_their_rooms_end() {
    each(|stage| {
        let [eve, anna] = ["evelyn", "anna"].map(|name| stage.player(name));
        let control = stage.room(&eve, ROOM, "public", 2);
        let other = stage.room(&anna, "room-2", "public", 2);
        stage.hear(control);
        order(stage, Act::Ban(sanction("Evelyn", Until::Ever)));
        assert_eq!(
            reason(&stage.hear(control)),
            "You are banned for good: spam"
        );
        assert!(stage.is_closed(control) && !stage.is_closed(other));
        let until = None;
        let reason_of = "spam".to_owned();
        let farewell = Farewell::Banned {
            reason: reason_of,
            until,
        };
        stage.sim.evict(eve.conn, &farewell);
        stage.sim.settle();
        assert!(stage.is_closed(eve.conn));
        assert_eq!(games(stage).len(), 1);
        let conn = stage.connect();
        for message in [login(&eve.who), server_login(&eve.who, "room-3")] {
            let said = stage.say(conn, message);
            assert_eq!(reason(&said), "You are banned for good: spam");
        }
        order(stage, Act::Ban(sanction("evelyn", Until::Lifted)));
        let said = stage.say(conn, login(&eve.who));
        assert_eq!(kinds(&said)[0], "clientLoginSuccess");
    });
}

#[test]
fn everybody_hears_a_broadcast_in_a_channel_of_theirs() {
    each(|stage| {
        let anna = stage.player("anna");
        let who = stage.register("berta");
        let conn = stage.connect();
        let mut message = login(&who);
        message["languageRooms"] = json!(["polish", "english"]);
        stage.say(conn, message);
        stage.hear(anna.conn);
        // A store that does not answer keeps nobody from hearing it.
        stage.sim.stalled = true;
        stage.send(anna.conn, chat("global", "english", "waits for the store"));
        stage.sim.settle();
        let done = order(stage, Act::Broadcast("Tea is ready".into()));
        assert!(done.contains(&Done::Of(2)), "{done:?}");
        assert_eq!(told_once(stage, anna.conn), "Tea is ready");
        let heard = told(stage, conn);
        assert_eq!(heard[0]["channelName"], "polish");
        assert_eq!(heard[0]["messageText"], "Tea is ready");
        stage.sim.stalled = false;
    });
}

#[test]
fn before_the_end_nobody_new_comes_in_and_who_is_in_a_room_comes_back() {
    each(|stage| {
        let [host, guest, anna] = ["hosting", "visiting", "anna"].map(|name| stage.player(name));
        stage.room(&host, ROOM, "public", 2);
        stage.join(&guest, ROOM);
        let late = stage.register("latecomer");
        stage.hear(anna.conn);
        let within = Some(Duration::from_secs(900));
        let reason_of = Some("A new kernel.".into());
        order(
            stage,
            Act::EndPlanned {
                within,
                reason: reason_of,
            },
        );
        let text = "The server will be shut down in 15 minutes. A new kernel.";
        assert_eq!(told_once(stage, anna.conn), text);
        order(stage, Act::LameDuck);
        let (_, said) = stage.login(&late);
        assert!(reason(&said).contains("takes nobody new"), "{said:?}");
        let conn = stage.connect();
        let said = stage.say(conn, server_login(&anna.who, "room-2"));
        assert!(reason(&said).contains("takes nobody new"), "{said:?}");
        stage.sim.disconnect(guest.conn);
        stage.sim.settle();
        let (_, said) = stage.login(&guest.who);
        assert_eq!(kinds(&said)[0], "clientLoginSuccess");
    });
}

/// What holds goes on in another process.
#[test]
fn what_an_operator_has_ordered_outlasts_a_hand_over() {
    each(|stage| {
        let anna = stage.player("anna");
        order(stage, Act::Mute(sanction("anna", Until::Ever)));
        order(stage, Act::Ban(sanction("evelyn", Until::Ever)));
        let shards = stage.sim.shards();
        let settings = std::sync::Arc::new(super::settings());
        stage
            .sim
            .hand_over(|shard| super::VcmiJson::new(shard, shards, settings.clone()));
        let said = stage.say(anna.conn, chat("global", "english", "hello"));
        assert_eq!(kinds(&said), ["chatMessage", "operationFailed"]);
        assert!(players(stage, Wanted::Any)[0].address.is_loopback());
        let eve = stage.register("evelyn");
        let (_, said) = stage.login(&eve);
        assert_eq!(reason(&said), "You are banned for good: spam");
    });
}
