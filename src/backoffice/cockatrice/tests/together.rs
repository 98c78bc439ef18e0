//! What only the dialect, the handler and a store show together, on one, two and three shards.

use std::{net::IpAddr, rc::Rc};

use lobby::{
    Stopping,
    cockatrice::{Cockatrice, Event, Settings},
};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::{
    Bench,
    dialogues::{self, Laid},
    player::{server, stage::Stage},
};

/// People who talk to a server with accounts.
struct Scene {
    stage: Stage,
    settings: Settings,
    bench: Rc<(Runtime, Bench)>,
    /// What each has received and was not asked for yet, in a few words.
    received: Vec<(String, String)>,
}

/// Plays a scene on one, two and three shards.
fn each(change: impl Fn(&mut Settings), scene: impl Fn(&mut Scene)) {
    for shards in 1..=3 {
        let mut settings = server("sql");
        change(&mut settings);
        let Laid { sim, bench } = dialogues::lay(shards, "", settings.clone());
        scene(&mut Scene {
            stage: Stage::new(sim),
            settings,
            bench,
            received: Vec::new(),
        });
    }
}

impl Scene {
    /// Somebody does something; what they are told then.
    fn does(&mut self, who: &str, what: &str) -> Vec<String> {
        self.hears(who);
        self.stage.act(who, what);
        self.hears(who)
    }

    /// The code of the answer.
    fn code(&mut self, who: &str, what: &str) -> String {
        let told = self.does(who, what);
        let codes = told.iter().filter(|line| line.starts_with("Resp"));
        let codes: Vec<_> = codes.collect();
        let [code] = codes[..] else {
            panic!("{who}: {what}: {told:?}");
        };
        code.split(' ').next().unwrap_or_default().to_owned()
    }

    /// What somebody was told since they were asked last, but lists.
    fn hears(&mut self, who: &str) -> Vec<String> {
        self.stage.sim.settle();
        for (label, heard) in self.stage.heard() {
            let lines = heard.main.iter().map(brief);
            let end = heard.closed.then(|| "the end".to_owned());
            let lines = lines.chain(end).map(|line| (label.clone(), line));
            self.received.extend(lines);
        }
        let told = self.received.extract_if(.., |(label, _)| label == who);
        told.map(|(_, line)| line).collect()
    }

    /// Somebody signs in, and enters the first room.
    fn enters(&mut self, who: &str) {
        assert_eq!(self.code(who, &format!("login as {who}")), "RespOk");
        assert_eq!(self.code(who, "Command_JoinRoom {room_id=0}"), "RespOk");
    }

    fn all_enter(&mut self, all: &[&str]) {
        all.iter().for_each(|who| self.enters(who));
        self.received.clear();
    }

    fn minutes(&mut self, minutes: u64) {
        let time = std::time::Duration::from_secs(60 * minutes);
        self.stage.sim.advance(time);
    }

    fn seconds(&mut self, seconds: u64) {
        self.stage
            .sim
            .advance(std::time::Duration::from_secs(seconds));
    }

    /// Where those who connect from now on come from.
    fn from(&mut self, address: [u8; 4]) {
        self.stage.sim.address = IpAddr::from(address);
    }
}

/// A message in a few words: what it is, its texts, whom it is about.
fn brief(message: &Value) -> String {
    let fields = message.as_object().expect("an object");
    if let Some(code) = fields.get("code") {
        let body = fields.keys().find(|name| name.starts_with("Response_"));
        let code = code.as_str().expect("a code");
        return match body {
            Some(body) => format!("{code} {body}"),
            None => code.to_owned(),
        };
    }
    if let Some(events) = fields.get("event_list") {
        let events = events.as_array().expect("a list").iter();
        let names = events.map(|event| event_of(event).0.to_owned());
        return format!("game: {}", Vec::from_iter(names).join(", "));
    }
    let (name, event) = event_of(message);
    let mut words = vec![name.to_owned()];
    let about = event.pointer("/user_info/name").into_iter();
    let values = event
        .as_object()
        .into_iter()
        .flatten()
        .map(|(_, value)| value);
    let texts = about.chain(values).filter_map(|value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    });
    words.extend(texts);
    words.join(" ")
}

/// The event that a message holds, and what it says.
fn event_of(message: &Value) -> (&str, &Value) {
    let fields = message.as_object().into_iter().flatten();
    let mut events = fields.filter_map(|(name, event)| Some((name.strip_prefix("Event_")?, event)));
    events.next().unwrap_or(("?", &Value::Null))
}

#[test]
fn who_is_ignored_is_not_heard_and_sees_no_games() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["alicea", "bobbyb", "modmary"]);
            for ignored in ["bobbyb", "modmary"] {
                let add = format!("Command_AddToList {{list=ignore, user_name={ignored}}}");
                assert_eq!(scene.code("alicea", &add), "RespOk");
                let write = "Command_Message {message=hi, user_name=alicea}";
                assert_eq!(scene.code(ignored, write), "RespInIgnoreList");
            }
            let look = "Command_GetGamesOfUser {user_name=alicea}";
            assert_eq!(scene.code("bobbyb", look), "RespInIgnoreList");
            assert_eq!(scene.code("modmary", look), "RespOk");
            assert_eq!(scene.hears("alicea"), [""; 0]);
            let remove = "Command_RemoveFromList {list=ignore, user_name=bobbyb}";
            assert_eq!(scene.code("alicea", remove), "RespOk");
            let told = scene.does("bobbyb", "Command_Message {message=hi, user_name=alicea}");
            assert_eq!(told, ["UserMessage hi alicea bobbyb", "RespOk"]);
            assert_eq!(scene.hears("alicea"), ["UserMessage hi alicea bobbyb"]);
        },
    );
}

#[test]
fn lists_of_a_creator_count_after_they_have_left() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["alicea", "bobbyb", "carolc", "vipvera"]);
            let add = |list, name| format!("Command_AddToList {{list={list}, user_name={name}}}");
            assert_eq!(scene.code("alicea", &add("buddy", "carolc")), "RespOk");
            let create = "Command_CreateGame {max_players=4, only_buddies=True}";
            assert_eq!(scene.code("alicea", create), "RespOk");
            let join = "Command_JoinGame room=0";
            assert_eq!(scene.code("bobbyb", join), "RespOnlyBuddies");
            assert_eq!(scene.code("carolc", join), "RespOk");
            assert_eq!(scene.code("alicea", "Command_LeaveGame"), "RespOk");
            assert_eq!(scene.code("bobbyb", join), "RespOnlyBuddies");
            assert_eq!(scene.code("alicea", &add("buddy", "bobbyb")), "RespOk");
            assert_eq!(scene.code("bobbyb", join), "RespOk");
            assert_eq!(scene.code("bobbyb", "Command_LeaveGame"), "RespOk");
            scene.stage.act("alicea", "disconnect");
            assert_eq!(scene.code("vipvera", join), "RespOnlyBuddies");
            scene.enters("alicea");
            assert_eq!(scene.code("alicea", &add("ignore", "bobbyb")), "RespOk");
            assert_eq!(scene.code("bobbyb", join), "RespInIgnoreList");
            let override_it = "Command_JoinGame room=0 {override_restrictions=True}";
            assert_eq!(scene.code("bobbyb", override_it), "RespInIgnoreList");
            scene.enters("modmary");
            assert_eq!(scene.code("modmary", override_it), "RespOk");
        },
    );
}

/// Alice and Bob in a game of two.
fn game_of_two(scene: &mut Scene) {
    scene.all_enter(&["alicea", "bobbyb"]);
    assert_eq!(scene.code("alicea", "Command_CreateGame {}"), "RespOk");
    assert_eq!(scene.code("bobbyb", "Command_JoinGame room=0"), "RespOk");
    scene.received.clear();
}

const RESUMED: [&str; 4] = [
    "game: PlayerPropertiesChanged",
    "RespOk Response_Login",
    "ServerMessage <b>hello</b>",
    "GameJoined 0 0",
];

#[test]
fn whoever_comes_back_takes_up_their_game_on_any_shard() {
    each(
        |_| {},
        |scene| {
            game_of_two(scene);
            for _ in 0..3 {
                scene.stage.act("alicea", "disconnect");
                let told = scene.hears("bobbyb");
                assert_eq!(told, ["LeaveRoom alicea", "game: PlayerPropertiesChanged"]);
                let told = scene.does("alicea", "login as alicea");
                assert_eq!(told[1..5], RESUMED, "{told:?}");
                assert_eq!(told[5..], ["game: GameStateChanged"]);
                assert_eq!(scene.hears("bobbyb"), ["game: PlayerPropertiesChanged"]);
                let say = "Command_GameSay {message=there}";
                assert_eq!(scene.does("alicea", say), ["game: GameSay", "RespOk"]);
                assert_eq!(scene.hears("bobbyb"), ["game: GameSay"]);
                assert_eq!(
                    scene.code("alicea", "Command_JoinRoom {room_id=0}"),
                    "RespOk"
                );
                scene.received.clear();
            }
        },
    );
}

#[test]
fn a_second_session_takes_the_place_in_a_game_over() {
    each(
        |_| {},
        |scene| {
            game_of_two(scene);
            let told = scene.does("again", "login as alicea");
            assert_eq!(told[1..5], RESUMED, "{told:?}");
            let old = scene.hears("alicea");
            assert!(
                old[0].starts_with("ConnectionClosed") && old[1] == "the end",
                "{old:?}"
            );
            let told = scene.hears("bobbyb");
            let changes = told
                .iter()
                .filter(|line| *line == "game: PlayerPropertiesChanged");
            assert_eq!(changes.count(), 2, "{told:?}");
            assert_eq!(scene.code("again", "Command_GameSay {message=x}"), "RespOk");
            assert_eq!(scene.hears("bobbyb"), ["game: GameSay"]);
        },
    );
}

#[test]
fn a_deserted_game_is_closed_and_leaves_a_replay() {
    each(
        |settings| settings.game_inactivity = Some(std::time::Duration::from_secs(5)),
        |scene| {
            game_of_two(scene);
            scene.all_enter(&["carolc", "vipvera"]);
            let look_on = "Command_JoinGame room=0 {spectator=True}";
            assert_eq!(scene.code("carolc", look_on), "RespOk");
            scene.stage.act("alicea", "disconnect");
            // Somebody who is away is in it still.
            assert_eq!(games_of(scene, "bobbyb"), 1);
            scene.stage.act("bobbyb", "disconnect");
            scene.seconds(4);
            assert_eq!(
                games_of(scene, "carolc"),
                1,
                "it is full, and waits for its players"
            );
            scene.hears("carolc");
            scene.seconds(3);
            let mut told = scene.hears("carolc");
            told.retain(|line| !line.contains("PlayerPropertiesChanged"));
            assert_eq!(told[0], "game: GameClosed", "{told:?}");
            assert!(told[1].starts_with("ReplayAdded"), "{told:?}");
            assert_eq!(games_of(scene, "carolc"), 0);
            for who in ["alicea", "bobbyb", "carolc"] {
                if who != "carolc" {
                    let told = scene.does(who, &format!("login as {who}"));
                    assert_eq!(told.len(), 3, "there is nothing to take up: {told:?}");
                }
                scene.hears(who);
                scene.stage.act(who, "Command_ReplayList");
                let heard = scene.stage.heard().remove(who).expect("somebody");
                let list = heard.main[0].pointer("/Response_ReplayList/match_list");
                assert_eq!(
                    list.and_then(Value::as_array).map(Vec::len),
                    Some(1),
                    "{who}"
                );
            }
            // One that nobody has joined does not wait.
            assert_eq!(
                scene.code("alicea", "Command_JoinRoom {room_id=0}"),
                "RespOk"
            );
            assert_eq!(scene.code("alicea", "Command_CreateGame {}"), "RespOk");
            scene.enters("modmary");
            assert_eq!(scene.code("modmary", look_on), "RespOk");
            scene.stage.act("alicea", "disconnect");
            scene.seconds(2);
            assert_eq!(games_of(scene, "modmary"), 0);
        },
    );
}

/// How many games somebody is in.
fn games_of(scene: &mut Scene, name: &str) -> usize {
    scene.hears("vipvera");
    let look = format!("Command_GetGamesOfUser {{user_name={name}}}");
    scene.stage.act("vipvera", &look);
    let heard = scene.stage.heard();
    let answer = heard["vipvera"]
        .main
        .iter()
        .find_map(|message| message.get("Response_GetGamesOfUser"));
    let games = answer.expect("an answer").get("game_list");
    games.and_then(Value::as_array).map_or(0, Vec::len)
}

#[test]
fn stored_decks_are_played_by_their_owner() {
    each(
        |_| {},
        |scene| {
            game_of_two(scene);
            let deck = r#"<cockatrice_deck version="1"><deckname>One</deckname></cockatrice_deck>"#;
            let upload = format!("Command_DeckUpload {{path=, deck_list={deck}}}");
            assert_eq!(scene.code("alicea", &upload), "RespOk");
            let select = "Command_DeckSelect {deck_id=1}";
            assert_eq!(scene.code("bobbyb", select), "RespNameNotFound");
            let told = scene.does("alicea", select);
            let wanted = [
                "game: PlayerPropertiesChanged",
                "RespOk Response_DeckDownload",
            ];
            assert_eq!(told, wanted);
        },
    );
}

/// Who is made to select a stored deck selects one of their own (spec: cockatrice-table 4.1, 11).
#[test]
fn a_judge_has_somebody_select_a_deck_of_theirs() {
    each(
        |_| {},
        |scene| {
            game_of_two(scene);
            scene.enters("judgejim");
            let look_on = "Command_JoinGame room=0 {spectator=True, join_as_judge=True}";
            assert_eq!(scene.code("judgejim", look_on), "RespOk");
            for (who, name) in [("judgejim", "Judge"), ("alicea", "One"), ("alicea", "Two")] {
                let deck = format!(
                    r#"<cockatrice_deck version="1"><deckname>{name}</deckname></cockatrice_deck>"#
                );
                let upload = format!("Command_DeckUpload {{path=, deck_list={deck}}}");
                assert_eq!(scene.code(who, &upload), "RespOk");
            }
            scene.received.clear();
            let mut told = |judged: &str| {
                let answer = scene.does("judgejim", judged);
                (answer, scene.hears("bobbyb"))
            };
            let nothing = (vec!["RespOk".to_owned()], Vec::new());
            assert_eq!(
                told("judge as player 0: DeckSelect {deck_id=1}"),
                nothing,
                "the judge's"
            );
            assert_eq!(
                told("judge as player 1: DeckSelect {deck_id=2}"),
                nothing,
                "another's"
            );
            let (answer, heard) = told(
                "judge as player 0: GameSay {message=so} + DeckSelect {deck_id=2} + DeckSelect {deck_id=3}",
            );
            assert_eq!(
                answer.last().map(String::as_str),
                Some("RespOk Response_DeckDownload")
            );
            assert_eq!(heard.len(), 1, "{heard:?}");
            let many = (1..=5).map(|id| format!("DeckSelect {{deck_id={id}}}"));
            let many = many.collect::<Vec<_>>().join(" + ");
            let (answer, heard) = told(&format!("judge as player 0: {many}"));
            assert_eq!((&*answer[0], heard.len()), ("RespContextError", 0));
        },
    );
}

/// Whoever reports what happened in a game need not be in it (spec: cockatrice-behaviour 10, 18.5).
#[test]
fn a_report_names_the_room_of_a_game_wherever_it_is() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["alicea", "bobbyb"]);
            for room in 0..2 {
                let who = ["alicea", "bobbyb"][room];
                scene.code(who, &format!("Command_JoinRoom {{room_id={room}}}"));
                let create = format!("Command_CreateGame room={room} {{}}");
                assert_eq!(scene.code(who, &create), "RespOk");
            }
            scene.stage.act("carolc", "login as carolc");
            for (who, game) in [("carolc", 2), ("carolc", 1), ("carolc", 77), ("bobbyb", 2)] {
                let report = format!(
                    "Command_Report {{reported_user=alicea, category=other, description=x, game_id={game}}}"
                );
                assert_eq!(scene.code(who, &report), "RespOk");
            }
            let look = "SELECT group_concat(game_id || ' ' || coalesce(room_id, 'none'), ', ') FROM cockatrice_reports";
            let (runtime, bench) = &*scene.bench;
            let rooms = runtime.block_on(bench.look(look));
            assert_eq!(rooms, "2 1, 1 none, 77 none, 2 1");
        },
    );
}

#[test]
fn whoever_changes_their_card_art_sees_it_first() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["alicea", "bobbyb"]);
            for who in ["alicea", "bobbyb"] {
                assert_eq!(scene.code(who, "Command_ListUsers"), "RespOk");
            }
            let art = "Command_SetCardArtParams {card_name=Forest, card_provider_id=p1}";
            assert_eq!(scene.does("alicea", art), ["UserJoined alicea", "RespOk"]);
            assert_eq!(scene.hears("bobbyb"), ["UserJoined alicea"]);
        },
    );
}

/// The store compares names without case, those of sessions as well (spec: cockatrice-behaviour 1, cockatrice-wire 10.2).
#[test]
fn guests_whose_names_differ_in_case_get_a_number() {
    each(
        |_| {},
        |scene| {
            scene.enters("guests");
            for (label, asked, given) in [
                ("a", "Guests", "Guests_1"),
                ("b", "guests_1", "guests_1_1"),
                ("c", "GUESTS", "GUESTS_2"),
                ("d", "guests", "guests_3"),
            ] {
                let login = format!("login as {asked}");
                assert_eq!(scene.code(label, &login), "RespOk", "{asked}");
                assert_eq!(own_name(scene, label), given);
            }
            // What has gone is free, in whatever spelling.
            scene.stage.act("guests", "disconnect");
            scene.stage.act("a", "disconnect");
            assert_eq!(scene.code("e", "login as gUESTS"), "RespOk");
            assert_eq!(own_name(scene, "e"), "gUESTS");
        },
    );
}

/// The name that somebody was given.
fn own_name(scene: &mut Scene, label: &str) -> String {
    let own = record(scene, label, "Command_GetUserInfo {}");
    own["name"].as_str().expect("a name").to_owned()
}

#[test]
fn a_server_for_registered_people_lets_no_guest_in() {
    each(
        |settings| settings.registered_only = true,
        |scene| {
            assert_eq!(
                scene.code("guest", "login as guestone"),
                "RespRegistrationRequired"
            );
            let salt = "Command_RequestPasswordSalt {user_name=guestone}";
            assert_eq!(scene.code("guest", salt), "RespRegistrationRequired");
            assert_eq!(scene.code("guest", "login as alicea"), "RespOk");
        },
    );
}

#[test]
fn bans_end_sessions_wherever_they_are() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["modmary", "bobbyb", "vipvera"]);
            scene.from([192, 0, 2, 9]);
            scene.all_enter(&["alicea", "carolc"]);
            scene.stage.act("stranger", "connect tcp");
            scene.stage.act("stranger", "Command_Ping");
            scene.from([192, 0, 2, 8]);
            scene.hears("modmary");
            scene.received.clear();
            let ban = |what: &str| {
                format!("Command_BanFromServer {{minutes=5, {what}, visible_reason=be nice}}")
            };
            assert_eq!(scene.code("modmary", &ban("address=192.0.2.9")), "RespOk");
            for gone in ["alicea", "carolc", "stranger"] {
                let told = scene.hears(gone);
                assert_eq!(
                    told.last().map(String::as_str),
                    Some("the end"),
                    "{gone}: {told:?}"
                );
                assert!(
                    told.iter().any(|line| line.contains("BANNED be nice")),
                    "{told:?}"
                );
            }
            assert_eq!(scene.code("modmary", &ban("clientid=cid-bobbyb")), "RespOk");
            let told = scene.hears("bobbyb");
            assert_eq!(told.last().map(String::as_str), Some("the end"), "{told:?}");
            let mut left = scene.hears("vipvera");
            left.retain(|line| line.starts_with("LeaveRoom"));
            left.sort();
            assert_eq!(
                left,
                ["LeaveRoom alicea", "LeaveRoom bobbyb", "LeaveRoom carolc"]
            );
            // Others with that installation, or at that address, do not get in either.
            let other = "Command_Login {user_name=guestone, clientid=cid-bobbyb}";
            assert_eq!(scene.code("other", other), "RespUserIsBanned");
            assert_eq!(scene.code("alicea", "login as alicea"), "RespOk");
            scene.from([192, 0, 2, 9]);
            assert_eq!(scene.code("third", "login as guestone"), "RespUserIsBanned");
        },
    );
}

#[test]
fn what_somebody_has_said_goes_from_all_rooms_of_the_moderator() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["modmary", "alicea", "bobbyb"]);
            for who in ["modmary", "alicea"] {
                assert_eq!(scene.code(who, "Command_JoinRoom {room_id=1}"), "RespOk");
            }
            assert_eq!(
                scene.code("alicea", "Command_RoomSay room=0 {message=bad}"),
                "RespOk"
            );
            scene.received.clear();
            let warn = "Command_WarnUser {user_name=alicea, reason=Flaming, remove_messages=9}";
            let told = scene.does("modmary", warn);
            assert_eq!(
                told.iter()
                    .filter(|line| line.starts_with("RemoveMessages"))
                    .count(),
                2
            );
            assert!(
                told[2].starts_with("UserMessage") && told[3] == "RespOk",
                "{told:?}"
            );
            assert_eq!(scene.hears("bobbyb"), ["RemoveMessages 9 alicea"]);
            let mut told = scene.hears("alicea");
            told.sort();
            assert_eq!(told[0], "NotifyUser WARNING Flaming", "{told:?}");
            assert_eq!(told[1..], ["RemoveMessages 9 alicea"; 2]);
            scene.stage.act("carolc", "login as carolc");
            let told = scene.does("carolc", "Command_JoinRoom {room_id=0}");
            assert!(
                told[1].contains("alicea: ") && !told[1].contains("bad"),
                "{told:?}"
            );
        },
    );
}

#[test]
fn an_announced_end_is_told_and_comes() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["rootuser", "alicea"]);
            scene.stage.act("stranger", "connect tcp");
            scene.hears("stranger");
            assert_eq!(scene.code("rootuser", "Command_ReloadConfig"), "RespOk");
            let order = "Command_ShutdownServer {reason=update, minutes=20}";
            assert_eq!(scene.code("rootuser", order), "RespOk");
            for who in ["alicea", "stranger"] {
                assert_eq!(scene.hears(who), ["ServerShutdown 20 update"]);
            }
            let told = scene.does("bobbyb", "login as bobbyb");
            assert_eq!(
                told.last().map(String::as_str),
                Some("ServerShutdown 19 update")
            );
            let mut minutes = Vec::new();
            for _ in 0..19 {
                scene.minutes(1);
                let told = scene.hears("stranger");
                assert_eq!(told, scene.hears("alicea"));
                minutes.extend(told);
            }
            let wanted = [10, 5, 4, 3, 2, 1].map(|left| format!("ServerShutdown {left} update"));
            assert_eq!(minutes, wanted);
            assert_eq!(stops(scene), 0);
            scene.minutes(2);
            scene.stage.sim.stop(Stopping::Now);
            for who in ["rootuser", "alicea", "stranger"] {
                let told = scene.hears(who);
                assert!(
                    told[told.len() - 1].starts_with("ConnectionClosed SERVER_SHUTDOWN"),
                    "{told:?}"
                );
            }
            assert_eq!(stops(scene), 1, "the process ends once");
            let reloads = scene.stage.sim.published.iter();
            let reloads = reloads.filter(|event| matches!(event, Event::Reload));
            assert_eq!(reloads.count(), 1);
        },
    );
}

/// How often the process was told to end.
fn stops(scene: &Scene) -> usize {
    let published = scene.stage.sim.published.iter();
    published
        .filter(|event| matches!(event, Event::Stop))
        .count()
}

#[test]
fn a_full_server_lets_supporters_in() {
    each(
        |settings| settings.most_users = Some(2),
        |scene| {
            scene.all_enter(&["alicea", "bobbyb"]);
            assert_eq!(scene.code("carolc", "login as carolc"), "RespServerFull");
            assert_eq!(scene.code("guest", "login as guestone"), "RespServerFull");
            assert_eq!(scene.code("carolc", "Command_ListUsers"), "RespLoginNeeded");
            // Whoever comes again takes the place of their own session.
            assert_eq!(scene.code("again", "login as alicea"), "RespOk");
            assert!(scene.hears("alicea").contains(&"the end".to_owned()));
            assert_eq!(scene.code("vipvera", "login as vipvera"), "RespOk");
            scene.stage.act("again", "disconnect");
            scene.stage.act("vipvera", "disconnect");
            assert_eq!(scene.code("carolc", "login as carolc"), "RespOk");
        },
    );
}

#[test]
fn staff_and_supporters_are_never_idle() {
    each(
        |settings| settings.idle = Some(10),
        |scene| {
            let all = [
                "rootuser", "modmary", "vipvera", "judgejim", "alicea", "guestone",
            ];
            scene.all_enter(&all);
            scene.seconds(30);
            for (at, who) in all.iter().enumerate() {
                let told = scene.hears(who);
                let warned = told.iter().any(|line| line == "NotifyUser IDLEWARNING");
                let ended = told.iter().any(|line| line == "the end");
                assert_eq!((warned, ended), (at > 2, at > 2), "{who}: {told:?}");
            }
        },
    );
}

#[test]
fn rights_change_one_after_the_other() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["rootuser", "alicea", "bobbyb"]);
            let adjust = |name: &str, moderator: &str, judge: &str| {
                format!(
                    "Command_AdjustMod {{user_name={name}, should_be_mod={moderator}, should_be_judge={judge}}}"
                )
            };
            let promoted = "NotifyUser PROMOTED";
            assert_eq!(
                scene.code("rootuser", &adjust("alicea", "True", "True")),
                "RespOk"
            );
            assert_eq!(scene.hears("alicea"), [promoted, promoted]);
            assert_eq!(
                scene.code("rootuser", &adjust("alicea", "True", "False")),
                "RespOk"
            );
            let told = scene.hears("alicea");
            assert!(
                told.len() == 3 && told[0] == promoted && told[2] == "the end",
                "{told:?}"
            );
            assert_eq!(
                scene.code("rootuser", &adjust("bobbyb", "False", "True")),
                "RespOk"
            );
            let told = scene.hears("bobbyb");
            assert!(!told.iter().any(|line| line == promoted), "{told:?}");
            assert_eq!(told.last().map(String::as_str), Some("the end"));
        },
    );
}

#[test]
fn somebody_is_shown_as_whoever_looks_may_see_them() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["alicea", "bobbyb", "modmary"]);
            let look = "Command_GetUserInfo {user_name=alicea}";
            scene.stage.act("carolc", "login as carolc");
            scene.stage.act("carolc", "disconnect");
            for (who, name, address, client) in [
                ("bobbyb", "alicea", false, false),
                // Of whom it was with the time before: alicea was not there yet.
                ("modmary", "alicea", true, false),
                ("bobbyb", "carolc", false, false),
                ("modmary", "carolc", false, true),
            ] {
                let record = record(scene, who, &look.replace("alicea", name));
                let has = |field: &str| record.get(field).is_some();
                assert_eq!(record["name"], name);
                assert!(!has("email") && !has("id"), "{who}: {record}");
                assert_eq!(
                    (has("address"), has("clientid")),
                    (address, client),
                    "{who}: {record}"
                );
            }
            // Whoever comes again is told of the installation that the store knows.
            let own = record(scene, "alicea", "Command_GetUserInfo {user_name=}");
            assert!(
                own.get("clientid").is_none() && own.get("email").is_some(),
                "{own}"
            );
            scene.stage.act("alicea", "disconnect");
            scene.enters("alicea");
            let own = record(scene, "alicea", "Command_GetUserInfo {user_name=}");
            assert_eq!(own["clientid"], "cid-alicea");
            let seen = record(scene, "modmary", look);
            assert_eq!(seen["clientid"], "cid-alicea");
        },
    );
}

/// The record that somebody is shown.
fn record(scene: &mut Scene, who: &str, look: &str) -> Value {
    scene.hears(who);
    scene.stage.act(who, look);
    let heard = scene.stage.heard().remove(who).expect("somebody");
    let record = heard.main[0].pointer("/Response_GetUserInfo/user_info");
    record.expect("a record").clone()
}

#[test]
fn when_the_store_fails_everybody_is_answered() {
    each(
        |_| {},
        |scene| {
            scene.all_enter(&["rootuser", "alicea"]);
            scene.stage.act("stranger", "connect tcp");
            let (runtime, bench) = &*scene.bench.clone();
            runtime.block_on(bench.store.close());
            for command in [
                "Command_RequestPasswordSalt {user_name=alicea}",
                "Command_Login {user_name=bobbyb, password=bobbypass}",
                "Command_Register {user_name=newbie, email=n@example.org, password=longenough}",
                "Command_Activate {user_name=inacta, token=x}",
                "Command_ForgotPasswordRequest {user_name=alicea}",
                "Command_ForgotPasswordReset {user_name=alicea, token=x, new_password=longenough}",
            ] {
                assert_eq!(
                    scene.code("stranger", command),
                    "RespInternalError",
                    "{command}"
                );
            }
            for command in [
                "Command_GetUserInfo {user_name=carolc}",
                "Command_AddToList {list=buddy, user_name=bobbyb}",
                "Command_RemoveFromList {list=buddy, user_name=bobbyb}",
                "Command_AccountEdit {real_name=x}",
                "Command_AccountImage {image=<3 bytes>}",
                "Command_AccountPassword {old_password=alicepass, new_password=longenough}",
                "Command_SetCardArtParams {card_name=Forest}",
                "Command_DeckList",
                "Command_DeckNewDir {path=, dir_name=x}",
                "Command_DeckDelDir {path=x}",
                "Command_DeckUpload {path=, deck_list=<cockatrice_deck/>}",
                "Command_DeckDownload {deck_id=1}",
                "Command_DeckDel {deck_id=1}",
                "Command_ReplayList",
                "Command_ReplayDownload {replay_id=1}",
                "Command_ReplayModifyMatch {game_id=1}",
                "Command_ReplayDeleteMatch {game_id=1}",
                "Command_ReplayGetCode {game_id=1}",
                "Command_ReplaySubmitCode {replay_code=1-x}",
                "Command_Report {reported_user=bobbyb, category=other, description=x}",
                "Command_ReportMyList",
                "Command_ReportDetails {report_id=1}",
                "Command_ReportAddComment {report_id=1, comment=x}",
                "Command_CreateGame {}",
            ] {
                assert_eq!(
                    scene.code("alicea", command),
                    "RespInternalError",
                    "{command}"
                );
            }
            for command in [
                "Command_BanFromServer {user_name=bobbyb}",
                "Command_GetBanHistory {user_name=bobbyb}",
                "Command_WarnUser {user_name=bobbyb}",
                "Command_GetWarnHistory {user_name=bobbyb}",
                "Command_ViewLogHistory {user_name=bobbyb, date_range=1}",
                "Command_GrantReplayAccess {replay_id=1, moderator_name=rootuser}",
                "Command_ReplayDownloadByGameId {game_id=1}",
                "Command_ForceActivateUser {username_to_activate=inacta}",
                "Command_GetAdminNotes {user_name=bobbyb}",
                "Command_UpdateAdminNotes {user_name=bobbyb, notes=x}",
                "Command_GetUserSessions {user_name=bobbyb}",
                "Command_GetUserAlts {user_name=bobbyb}",
                "Command_GetModeratorLastLogins",
                "Command_RemoveUserAvatar {user_name=bobbyb}",
                "Command_AddCardArtRule {card_name=x, card_provider_id=y, mode=DENY}",
                "Command_RemoveCardArtRule {card_name=x}",
                "Command_ListCardArtRules",
                "Command_ReportList",
                "Command_ReportAssign {report_id=1}",
                "Command_ReportResolve {report_id=1}",
                "Command_ReportUserInfo {user_name=bobbyb}",
                "Command_ReportStats",
                "Command_UpdateServerMessage",
                "Command_AdjustMod {user_name=bobbyb, should_be_mod=True}",
                "Command_ResetUserPassword {user_name=bobbyb}",
            ] {
                assert_eq!(
                    scene.code("rootuser", command),
                    "RespInternalError",
                    "{command}"
                );
            }
            // What needs no store goes on.
            assert_eq!(
                scene.code("alicea", "Command_RoomSay room=0 {message=hi}"),
                "RespOk"
            );
            assert_eq!(scene.code("rootuser", "Command_ListUsers"), "RespOk");
        },
    );
}

#[test]
fn nobody_is_left_of_a_connection_that_ends_while_it_waits() {
    each(
        |_| {},
        |scene| {
            scene.enters("rootuser");
            let login = "Command_Login {user_name=bobbyb, password=bobbypass}";
            let list = "Command_AddToList {list=buddy, user_name=carolc}";
            let ban = "Command_BanFromServer {user_name=nobody1, minutes=1}";
            for (who, command, steps) in [
                // While it is asked who they are, and while their session is being written down.
                ("newcomer", login, 0),
                ("newcomer", login, 1),
                ("newcomer", login, 2),
                ("newcomer", login, 3),
                ("alicea", list, 0),
                ("alicea", "Command_CreateGame {}", 0),
                ("alicea", "Command_GetUserInfo {user_name=carolc}", 0),
                ("modmary", ban, 0),
            ] {
                if who != "newcomer" {
                    scene.enters(who);
                }
                scene.stage.sim.stalled = true;
                scene.stage.act(who, command);
                scene.stage.sim.stalled = false;
                for _ in 0..steps {
                    scene.stage.sim.step();
                }
                scene.stage.sim.stalled = true;
                scene.stage.act(who, "disconnect");
                scene.stage.sim.stalled = false;
                scene.seconds(3);
                assert_eq!(users(scene), ["rootuser"], "{who}: {command}");
            }
            assert_eq!(scene.code("bobbyb", login), "RespOk");
            assert_eq!(users(scene), ["bobbyb", "rootuser"]);
            let open =
                "SELECT CAST(COUNT(*) AS CHAR) FROM cockatrice_sessions WHERE end_time IS NULL";
            let (runtime, bench) = &*scene.bench.clone();
            assert_eq!(
                runtime.block_on(bench.look(open)),
                "2",
                "sessions are written down as over"
            );
        },
    );
}

/// Who is there.
fn users(scene: &mut Scene) -> Vec<String> {
    scene.hears("rootuser");
    scene.stage.act("rootuser", "Command_ListUsers");
    let heard = scene.stage.heard().remove("rootuser").expect("somebody");
    let lists = heard.main.iter();
    let list = lists.filter_map(|message| message.pointer("/Response_ListUsers/user_list"));
    let users = list.flat_map(|list| list.as_array().into_iter().flatten());
    let names = users.map(|user| user["name"].as_str().unwrap_or_default().to_owned());
    names.collect()
}

#[test]
fn another_process_goes_on_with_accounts() {
    each(
        |_| {},
        |scene| {
            game_of_two(scene);
            scene.all_enter(&["modmary", "rootuser"]);
            let ignore = "Command_AddToList {list=ignore, user_name=modmary}";
            assert_eq!(scene.code("bobbyb", ignore), "RespOk");
            let order = "Command_ShutdownServer {reason=update, minutes=3}";
            assert_eq!(scene.code("rootuser", order), "RespOk");
            scene.stage.act("alicea", "disconnect");
            scene.hears("bobbyb");
            scene.seconds(2);
            let (shards, settings) = (
                scene.stage.sim.shards(),
                std::sync::Arc::new(scene.settings.clone()),
            );
            scene
                .stage
                .sim
                .hand_over(|shard| Cockatrice::new(shard, shards, settings.clone()));
            let write = "Command_Message {message=hi, user_name=bobbyb}";
            assert_eq!(scene.code("modmary", write), "RespInIgnoreList");
            assert_eq!(
                scene.code("modmary", "Command_GetWarnList {user_name=x}"),
                "RespOk"
            );
            let told = scene.does("alicea", "login as alicea");
            assert_eq!(told[1..4], RESUMED[..3], "{told:?}");
            assert_eq!(
                told[4..],
                [
                    "ServerShutdown 2 update",
                    "GameJoined 0 0",
                    "game: GameStateChanged"
                ]
            );
            scene.minutes(3);
            let told = scene.hears("bobbyb");
            assert!(
                told.iter().any(|line| line == "ServerShutdown 1 update"),
                "{told:?}"
            );
            assert_eq!(stops(scene), 1);
        },
    );
}
