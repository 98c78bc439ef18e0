//! The Cockatrice lobby of the real binary, over real sockets: users on TCP and on WebSocket in one room and one game, on one
//! shard and on two.

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod client;
mod office;
mod reload;
mod stopping;
mod swarm;

use client::Client;
use cockatrice::messages::{
    CommandCreateGame, CommandDeckSelect, CommandGameSay, CommandJoinGame, CommandJoinRoom,
    CommandLeaveGame, CommandListRooms, CommandListUsers, CommandLogin, CommandReadyStart,
    CommandRollDie, CommandRoomSay, GameCommandBody, GameEventBody, ResponseBody, ResponseCode,
    RoomCommandBody, RoomEventBody, SessionCommandBody, SessionEventBody,
};
use support::server::{Backend, Server, Setup};

fn server(shards: u16) -> Server {
    let set = [
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=127.0.0.1:0",
    ];
    let setup = Setup {
        backend: Backend::Sqlite,
        shards,
        set: &set.map(str::to_owned),
        sql: &[],
    };
    Server::start(&setup).expect("the server starts")
}

fn tcp(server: &Server) -> Client {
    Client::tcp(server.listener("cockatrice/tcp").expect("it listens"))
}

fn websocket(server: &Server) -> Client {
    let address = server.listener("cockatrice/websocket").expect("it listens");
    Client::websocket(address)
}

/// Signs in and enters the room that opens by itself, as a client does after its start.
fn enter(client: &mut Client, name: &str) {
    let identification = client.session_event();
    let SessionEventBody::ServerIdentification(server) = identification else {
        panic!("{identification:?}");
    };
    assert_eq!(server.protocol_version(), 14);
    let login = CommandLogin {
        user_name: Some(name.to_owned().into()),
        ..CommandLogin::default()
    };
    let answer = client.session(SessionCommandBody::Login(login));
    let Some(ResponseBody::Login(login)) = answer.body else {
        panic!("{answer:?}");
    };
    assert_eq!(login.user_info.expect("a record").name(), name);
    client.session(SessionCommandBody::ListUsers(CommandListUsers::default()));
    client.session(SessionCommandBody::ListRooms(CommandListRooms::default()));
    let join = CommandJoinRoom { room_id: Some(0) };
    let answer = client.session(SessionCommandBody::JoinRoom(join));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
}

#[test]
fn two_play_over_tcp_and_websocket() {
    for shards in [1, 2] {
        let server = server(shards);
        let (mut ann, mut bob) = (tcp(&server), websocket(&server));
        enter(&mut ann, "ann");
        enter(&mut bob, "bob");
        chat(&mut ann, &mut bob);
        play(&mut ann, &mut bob);
    }
}

fn chat(ann: &mut Client, bob: &mut Client) {
    let say = CommandRoomSay {
        message: Some("hello".into()),
    };
    let answer = bob.room(RoomCommandBody::RoomSay(say));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    for client in [ann, bob] {
        let said = client.until("a line", |message| {
            match message.room_event.as_ref()?.body.as_ref()? {
                RoomEventBody::RoomSay(say) if say.name() == "bob" => {
                    Some(say.message().into_owned())
                }
                _ => None,
            }
        });
        assert_eq!(said, "hello");
    }
}

fn play(ann: &mut Client, bob: &mut Client) {
    let create = CommandCreateGame {
        description: Some("a game of two".into()),
        max_players: Some(2),
        spectators_allowed: Some(true),
        ..CommandCreateGame::default()
    };
    let answer = ann.room(RoomCommandBody::CreateGame(create));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    let game = bob.until("the game in the list", |message| {
        match message.room_event.as_ref()?.body.as_ref()? {
            RoomEventBody::ListGames(list) => Some(list.game_list[0].game_id()),
            _ => None,
        }
    });
    let join = CommandJoinGame {
        game_id: Some(game),
        ..CommandJoinGame::default()
    };
    let answer = bob.room(RoomCommandBody::JoinGame(join));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    ann.until_game_event("bob at the table", |event| {
        matches!(event, GameEventBody::Join(_)).then_some(())
    });
    for (client, text) in [(&mut *ann, "good luck"), (&mut *bob, "have fun")] {
        let say = CommandGameSay {
            message: Some(text.into()),
        };
        let answer = client.game(game, GameCommandBody::GameSay(say));
        assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    }
    for client in [&mut *ann, &mut *bob] {
        for expected in ["good luck", "have fun"] {
            let said = client.until_game_event("a line", |event| match event {
                GameEventBody::GameSay(say) => Some(say.message().into_owned()),
                _ => None,
            });
            assert_eq!(said, expected);
        }
    }
    begin(ann, bob, game);
    let leave = GameCommandBody::LeaveGame(CommandLeaveGame::default());
    let answer = bob.game(game, leave.clone());
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    ann.until_game_event("bob gone", |event| {
        matches!(event, GameEventBody::Leave(_)).then_some(())
    });
    ann.game(game, leave);
    bob.until("the end of the game in the list", |message| {
        match message.room_event.as_ref()?.body.as_ref()? {
            RoomEventBody::ListGames(list) => list.game_list[0].closed().then_some(()),
            _ => None,
        }
    });
}

/// Both take a deck and are ready: the round begins, and a die is rolled.
fn begin(ann: &mut Client, bob: &mut Client, game: i32) {
    const DECK: &str = r#"<cockatrice_deck version="1"><zone name="main"><card number="20" name="Forest"/></zone></cockatrice_deck>"#;
    for client in [&mut *ann, &mut *bob] {
        let deck = CommandDeckSelect {
            deck: Some(DECK.into()),
            ..CommandDeckSelect::default()
        };
        let answer = client.game(game, GameCommandBody::DeckSelect(deck));
        assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
        let ready = CommandReadyStart {
            ready: Some(true),
            ..CommandReadyStart::default()
        };
        let answer = client.game(game, GameCommandBody::ReadyStart(ready));
        assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    }
    for client in [&mut *ann, &mut *bob] {
        let seen = client.until_game_event("a round", |event| match event {
            GameEventBody::GameStateChanged(state) if state.game_started() => {
                Some(state.player_list.len())
            }
            _ => None,
        });
        assert_eq!(seen, 2);
    }
    let roll = CommandRollDie {
        sides: Some(6),
        count: Some(1),
    };
    let answer = bob.game(game, GameCommandBody::RollDie(roll));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    ann.until_game_event("a die", |event| {
        matches!(event, GameEventBody::RollDie(_)).then_some(())
    });
}

#[test]
fn a_message_that_is_too_long_ends_the_connection() {
    let server = server(1);
    let mut client = tcp(&server);
    client.session_event();
    client.send_raw(&(40_000u32).to_be_bytes());
    client.expect_end();
}

#[test]
fn an_orderly_end_is_told() {
    let server = server(2);
    let (mut ann, mut bob) = (tcp(&server), websocket(&server));
    enter(&mut ann, "ann");
    bob.session_event();
    server.terminate().expect("a signal");
    for client in [&mut ann, &mut bob] {
        client.until("the reason", |message| {
            match message.session_event.as_ref()?.body.as_ref()? {
                SessionEventBody::ConnectionClosed(closed) => closed.reason,
                _ => None,
            }
        });
        client.expect_end();
    }
}
