//! Joining, talking, leaving, hosts, closing (checklist 137 to 200).

use super::room::{self, *};
use crate::game::*;
use crate::messages::*;

fn say(text: &'static str) -> GameCommandBody<'static> {
    GameCommandBody::GameSay(CommandGameSay {
        message: Some(text.into()),
    })
}

fn leave() -> GameCommandBody<'static> {
    GameCommandBody::LeaveGame(CommandLeaveGame::default())
}

fn applicant(name: &str, role: Role) -> Applicant<'_> {
    Applicant {
        name,
        level: 1,
        registered: false,
        is_buddy: false,
        is_ignored: false,
        password: b"",
        override_restrictions: false,
        role,
    }
}

/// 137, 146, 147: the creator is told that he is host, newcomers are announced, ids count over players and spectators.
#[test]
fn creating_and_joining() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    assert_eq!(room.seen(0), ["0: GameHostChanged"]);
    assert_eq!(room.joins("bob", PLAYER), 1);
    assert_eq!(room.seen(0).len(), 1);
    assert!(room.seen(0)[0].starts_with("Join player_properties="));
    assert!(room.seen(1).is_empty());
    assert_eq!(room.joins("carol", SPECTATOR), 2);
    let info = room.game.info();
    assert_eq!(
        (info.player_count, info.spectators_count),
        (Some(2), Some(1))
    );
    assert_eq!(room.gives(2, vec![leave()]).code, ResponseCode::RespOk);
    assert_eq!(room.joins("carol", SPECTATOR), 3);
}

/// 145: a creator who only looks on is host without an event.
#[test]
fn a_creator_who_looks_on() {
    let room = Room::new(rules(2), person("alice"), SPECTATOR);
    assert!(room.out.deliveries.is_empty());
    assert_eq!(
        (room.game.host(), room.game.info().player_count),
        (0, Some(0))
    );
}

/// 148 to 157.
#[test]
fn joining_is_refused_in_the_order_of_the_checks() {
    use ResponseCode::*;
    let mut strict = rules(2);
    strict.password = "open".into();
    strict.only_registered = true;
    strict.only_buddies = true;
    strict.spectators_allowed = false;
    let mut room = Room::new(strict, person("alice"), PLAYER);
    let mut who = applicant("bob", SPECTATOR);
    let expect =
        |game: &Game, who: &Applicant<'_>, code| assert_eq!(game.may_join(who).err(), code);
    expect(
        &room.game,
        &applicant("alice", SPECTATOR),
        Some(RespContextError),
    );
    who.role = Role::Spectator { judge: true };
    expect(&room.game, &who, Some(RespUserLevelTooLow));
    // Spectators need no password here.
    who.role = SPECTATOR;
    expect(&room.game, &who, Some(RespUserLevelTooLow));
    who.role = PLAYER;
    expect(&room.game, &who, Some(RespWrongPassword));
    who.password = b"open";
    expect(&room.game, &who, Some(RespUserLevelTooLow));
    who.registered = true;
    expect(&room.game, &who, Some(RespOnlyBuddies));
    who.is_buddy = true;
    who.is_ignored = true;
    expect(&room.game, &who, Some(RespInIgnoreList));
    who.is_ignored = false;
    expect(&room.game, &who, None);
    expect(
        &room.game,
        &Applicant {
            role: SPECTATOR,
            ..who
        },
        Some(RespSpectatorsNotAllowed),
    );
    room.joins("carol", PLAYER);
    let moderator = Applicant {
        level: 5,
        override_restrictions: true,
        ..applicant("mary", PLAYER)
    };
    expect(&room.game, &moderator, Some(RespGameFull));
    expect(
        &room.game,
        &Applicant {
            role: SPECTATOR,
            ..moderator
        },
        None,
    );
    expect(
        &room.game,
        &Applicant {
            password: &[b'a'; 256],
            ..moderator
        },
        Some(RespWrongPassword),
    );
}

/// 159, 160, 162.
#[test]
fn talking() {
    let mut quiet = rules(2);
    quiet.spectators_can_talk = false;
    let mut room = Room::new(quiet, person("alice"), PLAYER);
    room.joins("carol", SPECTATOR);
    assert_eq!(
        room.code(1, say("psst")),
        ResponseCode::RespFunctionNotAllowed
    );
    assert_eq!(room.code(0, say("one\ntwo")), ResponseCode::RespOk);
    assert_eq!(room.seen(1), ["0: GameSay message=\"one\\ntwo\""]);
    assert_eq!(room.seen(0), room.seen(1));
    // 1208: of any length.
    let long: &'static str = "x".repeat(5_000).leak();
    assert_eq!(room.code(0, say(long)), ResponseCode::RespOk);
    assert_eq!(room.seen(1), [format!("0: GameSay message={long:?}")]);
    assert_eq!(room.code(7, say("who")), ResponseCode::RespNotInRoom);
    // Moderators, administrators and judges talk wherever they look on.
    for level in [5, 9, 17] {
        let staff = Person {
            level,
            ..person("staff")
        };
        let id = room.game.join(staff, SPECTATOR, &mut room.out);
        assert_eq!(room.code(id, say("quiet")), ResponseCode::RespOk);
        assert_eq!(room.code(id, leave()), ResponseCode::RespOk);
    }
    room.chat_allowed = false;
    assert_eq!(room.code(0, say("more")), ResponseCode::RespChatFlood);
    assert!(room.out.deliveries.is_empty());
}

/// 186 to 190: the order of what others see when somebody goes.
#[test]
fn leaving_and_hosts() {
    let mut room = Room::new(rules(3), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    room.joins("carol", SPECTATOR);
    assert_eq!(room.code(0, leave()), ResponseCode::RespOk);
    assert!(room.seen(0).is_empty());
    let seen = room.seen(2);
    assert_eq!(
        seen[..2],
        ["0: Leave reason=UserLeft", "1: GameHostChanged"]
    );
    assert!(seen[2].starts_with("GameStateChanged"), "{seen:?}");
    let [News::Removed(0), News::Started(false), News::Record(record)] = &room.out.news[..] else {
        panic!("{:?}", room.out.news);
    };
    let record: ServerInfoGame<'_> = decode(record).expect("a record");
    assert_eq!((record.player_count(), record.spectators_count()), (1, 1));
    assert!(!record.started() && record.game_types.is_empty());
    // The creator comes back and is host again.
    assert_eq!(room.joins("alice", PLAYER), 3);
    assert_eq!(room.seen(3), ["3: GameHostChanged"]);
    room.code(3, leave());
    room.code(1, leave());
    assert_eq!(room.seen(2), ["1: Leave reason=UserLeft", "GameClosed"]);
    assert!(room.game.is_over());
    let took_part = vec![
        ("alice".into(), true),
        ("bob".into(), true),
        ("carol".into(), false),
    ];
    assert_eq!(room.out.news.last(), Some(&News::Closed(took_part)));
}

/// 184, 185.
#[test]
fn kicking() {
    let kick = |id| {
        GameCommandBody::KickFromGame(CommandKickFromGame {
            player_id: Some(id),
        })
    };
    let mut room = Room::new(rules(3), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    room.joins("carol", SPECTATOR);
    assert_eq!(room.code(1, kick(0)), ResponseCode::RespFunctionNotAllowed);
    assert_eq!(room.code(0, kick(9)), ResponseCode::RespNameNotFound);
    assert_eq!(room.code(0, kick(2)), ResponseCode::RespOk);
    assert_eq!(room.seen(2), ["Kicked"]);
    assert_eq!(room.seen(1), ["2: Leave reason=UserKicked"]);
    // 1206: he took part, and is told of the replay.
    room.out = Out::default();
    room.game.close(&mut room.out);
    let Some(News::Closed(took_part)) = room.out.news.last() else {
        panic!("{:?}", room.out.news);
    };
    assert!(took_part.contains(&("carol".into(), false)));
}

/// 194 to 199.
#[test]
fn losing_the_connection() {
    let mut registered = person("bob");
    registered.registered = true;
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    room.game.join(registered.clone(), PLAYER, &mut room.out);
    room.out = Out::default();
    room.game.disconnected(1, &mut room.out);
    let seen = room.seen(0);
    assert!(seen[0].contains("ping_seconds=-1"), "{seen:?}");
    assert_eq!(seen[1], "ConnectionStateChanged");
    assert!(room.seen(1).is_empty());
    room.out = Out::default();
    room.game.returned(1, registered, &mut room.out);
    assert_eq!(room.seen(0), room.seen(1));
    // Pings are told when they change.
    room.out = Out::default();
    room.game
        .second(&mut |id| id as u32 * 3, 120, &mut room.out);
    assert!(room.seen(0)[0].contains("ping_seconds=3"));
    assert_eq!(room.seen(0)[1..], ["PingChanged"]);
    room.out = Out::default();
    room.game
        .second(&mut |id| id as u32 * 3, 120, &mut room.out);
    assert!(room.out.deliveries.is_empty());
    // Without a seat to keep he is gone; the full game waits for the other.
    room.game.disconnected(1, &mut room.out);
    room.out = Out::default();
    room.game.disconnected(0, &mut room.out);
    assert!(room.out.news.contains(&News::Removed(0)));
    room.game.second(&mut |_| 0, 120, &mut room.out);
    assert!(room.game.is_over());
}

/// 198: a full game that nobody is connected to waits.
#[test]
fn a_deserted_full_game_waits() {
    let mut alice = person("alice");
    alice.registered = true;
    let mut room = Room::new(rules(1), alice, PLAYER);
    room.game.disconnected(0, &mut room.out);
    for second in 1..=5 {
        assert!(!room.game.is_over());
        room.game.second(&mut |_| 0, 5, &mut room.out);
        assert_eq!(room.game.is_over(), second == 5);
    }
}

/// 1204: what was sent is in the replay, without the game's id.
#[test]
fn a_game_that_never_began_has_a_replay() {
    let mut room = Room::new(rules(2), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    room.code(0, say("hi"));
    room.code(0, leave());
    room.code(1, leave());
    let replay = room.out.news.iter().find_map(|news| match news {
        News::Replay(replay) => Some(replay),
        _ => None,
    });
    let replay: GameReplay<'_> = decode(&replay.expect("a replay").encoded).expect("it is read");
    assert_eq!(
        replay.game_info.as_ref().and_then(|info| info.player_count),
        Some(0)
    );
    let names = replay
        .event_list
        .iter()
        .map(|one| room::line(&one.event_list[0]));
    let names: Vec<String> = names
        .map(|name| name.split(" player").next().expect("one").into())
        .collect();
    assert_eq!(
        names,
        [
            "Join",
            "0: GameHostChanged",
            "Join",
            "0: GameSay message=\"hi\"",
            "0: Leave reason=UserLeft",
            "1: GameHostChanged",
            "GameStateChanged",
            "1: Leave reason=UserLeft",
            "GameClosed"
        ]
    );
    assert!(
        replay
            .event_list
            .iter()
            .all(|one| one.game_id.is_none() && one.seconds_elapsed.is_some())
    );
}
