//! Lists of users, what is known of one, private messages.

use cockatrice::messages::{
    CommandAddToList, CommandGetGamesOfUser, CommandGetUserInfo, CommandListUsers, CommandMessage,
};

use super::*;

fn list() -> SessionCommandBody<'static> {
    SessionCommandBody::ListUsers(CommandListUsers::default())
}

fn info(name: &str) -> SessionCommandBody<'_> {
    SessionCommandBody::GetUserInfo(CommandGetUserInfo {
        user_name: Some(name.into()),
    })
}

fn message<'a>(to: &'a str, text: &'a str) -> SessionCommandBody<'a> {
    SessionCommandBody::Message(CommandMessage {
        user_name: Some(to.into()),
        message: Some(text.into()),
    })
}

#[test]
fn who_has_asked_is_told_who_comes_and_goes() {
    each(|mut sim| {
        let ann = user(&mut sim, "ann");
        let early = user(&mut sim, "early");
        let answer = ask(&mut sim, ann, session(2, list()));
        assert_eq!(answer, ["2 RespOk users ann,early"]);
        let bob = user(&mut sim, "bob");
        assert_eq!(heard(&mut sim, ann), ["joined bob"]);
        sim.disconnect(bob);
        sim.settle();
        assert_eq!(heard(&mut sim, ann), ["left bob"]);
        assert!(heard_but_lists(&mut sim, early).is_empty(), "did not ask");
    });
}

#[test]
fn somebody_is_looked_up() {
    each(|mut sim| {
        let (ann, _) = (user(&mut sim, "ann"), user(&mut sim, "bob"));
        let answer = ask(&mut sim, ann, session(2, info("bob")));
        assert_eq!(answer, ["2 RespOk user bob 1"]);
        let answer = ask(&mut sim, ann, session(3, info("nobody")));
        assert_eq!(answer, ["3 RespOk user nobody 1"]);
        let answer = ask(&mut sim, ann, session(4, info(&"x".repeat(300))));
        assert_eq!(answer, [format!("4 RespOk user {} 1", "x".repeat(255))]);
        sim.send(ann, session(5, info("")));
        sim.settle();
        let raw = sim.take_raw(ann);
        let own: ServerMessage<'_> = decode(&raw[0]).expect("a message");
        let Some(ResponseBody::GetUserInfo(own)) = own.response.expect("an answer").body else {
            panic!("no record");
        };
        let own = own.user_info.expect("a record");
        assert_eq!((own.name(), own.session_id), ("ann".into(), Some(u64::MAX)));
        assert_eq!(own.address(), "127.0.0.1");
    });
}

#[test]
fn a_private_message_reaches_both() {
    each(|mut sim| {
        let (ann, bob) = (user(&mut sim, "ann"), user(&mut sim, "bob"));
        let answer = ask(&mut sim, ann, session(2, message("bob", "hello\nworld")));
        assert_eq!(answer, ["ann to bob: hello\nworld", "2 RespOk"]);
        assert_eq!(heard(&mut sim, bob), ["ann to bob: hello\nworld"]);
        let answer = ask(&mut sim, ann, session(3, message("ann", "me")));
        assert_eq!(answer, ["ann to ann: me", "ann to ann: me", "3 RespOk"]);
        let answer = ask(&mut sim, ann, session(4, message("BOB", "case")));
        assert_eq!(answer, ["4 RespNameNotFound"]);
    });
}

#[test]
fn too_much_chat_is_refused_until_the_window_has_passed() {
    let few = Settings {
        chat_messages: 4,
        chat_bytes: 60,
        ..settings()
    };
    each_with(few, |mut sim| {
        let ann = member(&mut sim, "ann");
        for id in 0..4 {
            let answer = ask(&mut sim, ann, room(id, 0, say("x")));
            assert_eq!(answer.last().expect("an answer"), &format!("{id} RespOk"));
        }
        assert_eq!(
            ask(&mut sim, ann, room(9, 0, say("x"))),
            ["9 RespChatFlood"]
        );
        let private = ask(&mut sim, ann, session(10, message("ann", "x")));
        assert_eq!(private, ["10 RespChatFlood"]);
        sim.advance(Duration::from_secs(10));
        let long = "x".repeat(61);
        assert_eq!(
            ask(&mut sim, ann, room(11, 0, say(&long))),
            ["11 RespChatFlood"]
        );
    });
}

#[test]
fn what_needs_an_account_is_refused() {
    each(|mut sim| {
        let ann = user(&mut sim, "ann");
        let add = SessionCommandBody::AddToList(CommandAddToList::default());
        let answer = ask(&mut sim, ann, session(2, add.clone()));
        assert_eq!(answer, ["2 RespFunctionNotAllowed"]);
        let stranger = connect(&mut sim);
        assert_eq!(
            ask(&mut sim, stranger, session(1, add)),
            ["1 RespLoginNeeded"]
        );
    });
}

#[test]
fn games_of_a_user_are_gathered_from_all_rooms() {
    let rooms = r#"[{"name": "a", "game_types": ["x"]}, {"name": "b", "game_types": ["x"]}, {"name": "c"}]"#;
    let several = Settings {
        rooms: rooms.to_owned(),
        ..settings()
    };
    each_with(several, |mut sim| {
        let ann = member(&mut sim, "ann");
        ask(&mut sim, ann, session(3, join(1)));
        ask(&mut sim, ann, room(4, 1, create(2)));
        ask(&mut sim, ann, room(5, 0, create(2)));
        let bob = user(&mut sim, "bob");
        let of = |name: &'static str| {
            SessionCommandBody::GetGamesOfUser(CommandGetGamesOfUser {
                user_name: Some(name.into()),
            })
        };
        let answer = ask(&mut sim, bob, session(2, of("ann")));
        assert!(
            answer[0].starts_with("2 RespOk rooms 3 games ["),
            "{answer:?}"
        );
        assert_eq!(answer[0].matches(',').count(), 1, "two games: {answer:?}");
        assert_eq!(
            ask(&mut sim, bob, session(3, of("bob"))),
            ["3 RespOk rooms 3 games []"]
        );
        assert_eq!(
            ask(&mut sim, bob, session(4, of("ghost"))),
            ["4 RespNameNotFound"]
        );
    });
}

/// Whoever goes has left their rooms and games for everybody before they are gone (spec: cockatrice-wire 4), and before they are there
/// again.
#[test]
fn nobody_is_gone_before_they_have_left() {
    let settings = Settings {
        method: Method::Accounts,
        rooms: r#"[{"name": "a"}, {"name": "b"}, {"name": "c"}, {"name": "d"}]"#.to_owned(),
        ..settings()
    };
    for (shards, seed) in (1..=4).flat_map(|shards| (0..6).map(move |seed| (shards, seed))) {
        let mut sim = simulator(shards, seed, settings.clone());
        sim.one_inbox = true;
        let all = ["alicea", "carolc", "modmary", "vipvera"].map(|name| member(&mut sim, name));
        let mut bob = member(&mut sim, "bobbyb");
        for conn in all.into_iter().chain([bob]) {
            for id in 1..4 {
                ask(&mut sim, conn, session(2, join(id)));
            }
            ask(&mut sim, conn, session(3, list()));
        }
        ask(&mut sim, bob, room(4, 1, create(3)));
        for conn in all {
            ask(&mut sim, conn, room(4, 1, enter(1, true)));
        }
        for is_replaced in [true, false] {
            hush(&mut sim, &all);
            match is_replaced {
                true => {
                    bob = connect(&mut sim);
                    sim.send(bob, session(1, sign_in("bobbyb")));
                }
                false => sim.disconnect(bob),
            }
            sim.settle();
            for conn in all {
                let heard = heard_but_lists(&mut sim, conn);
                let gone = heard.iter().position(|told| told == "left bobbyb");
                let gone = gone.unwrap_or_else(|| panic!("{heard:?}"));
                let (mut before, mut after) = (heard[..gone].to_vec(), heard[gone + 1..].to_vec());
                before.sort();
                after.sort();
                let game = "game 1 PlayerPropertiesChanged".to_owned();
                match is_replaced {
                    true => {
                        let rooms = (0..4).map(|id| format!("{id} left bobbyb"));
                        let wanted: Vec<String> = rooms.chain([game.clone()]).collect();
                        assert_eq!(before, wanted, "{shards} {seed}");
                        assert_eq!(after, [game, "joined bobbyb".to_owned()]);
                    }
                    false => {
                        assert_eq!(before, [game]);
                        assert_eq!(after, [""; 0]);
                    }
                }
            }
        }
    }
}
