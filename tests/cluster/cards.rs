//! Cockatrice on several nodes: users, rooms and games are those of all, and outlive a node.

use cockatrice::messages::{
    CloseReason, CommandCreateGame, CommandGameSay, CommandJoinGame, CommandJoinRoom,
    CommandListUsers, CommandLogin, CommandRoomSay, GameCommandBody, GameEventBody, ResponseBody,
    ResponseCode, RoomCommandBody, RoomEventBody, ServerMessage, SessionCommandBody,
    SessionEventBody,
};

use crate::{cards_client::Client, lobby::Cluster, support::server::muster};

/// The schema of the reference's database.
const SCHEMA: &str = include_str!("../fixtures/cockatrice-schema.mysql.sql");

fn lobby(nodes: usize, auth: &str, sql: &[&str]) -> Option<Cluster> {
    let auth = format!("cockatrice.auth={auth}");
    let set = [
        "cockatrice.enabled=true",
        "cockatrice.tcp_address=127.0.0.1:0",
        "cockatrice.websocket_address=",
        "cockatrice.password=secret",
        "cockatrice.name_min_length=3",
        "cluster.grace_s=2",
        &auth,
    ];
    Cluster::with(nodes, &set, sql)
}

fn connect(cluster: &Cluster, node: usize) -> Client {
    let mut client = Client::tcp(cluster.nodes[node].listener("cockatrice/tcp"));
    client.session_event(); // who it talks to
    client
}

fn login(name: &str) -> CommandLogin<'_> {
    CommandLogin {
        user_name: Some(name.into()),
        password: Some("secret".into()),
        ..CommandLogin::default()
    }
}

/// Signs in; the name that it has then.
fn sign_in(client: &mut Client, name: &str) -> String {
    let answer = client.session(SessionCommandBody::Login(login(name)));
    let Some(ResponseBody::Login(login)) = answer.body else {
        panic!("{answer:?}");
    };
    let Some(user) = login.user_info else {
        panic!("{:?}", answer.response_code);
    };
    user.name().into_owned()
}

/// Somebody on a node, in room 0, who is told of users.
fn member(cluster: &Cluster, node: usize, name: &str) -> Client {
    let mut client = connect(cluster, node);
    assert_eq!(sign_in(&mut client, name), name);
    client.session(SessionCommandBody::ListUsers(CommandListUsers::default()));
    let join = CommandJoinRoom { room_id: Some(0) };
    let answer = client.session(SessionCommandBody::JoinRoom(join));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    client
}

fn users(client: &mut Client) -> Vec<String> {
    let list = SessionCommandBody::ListUsers(CommandListUsers::default());
    let answer = client.session(list);
    let Some(ResponseBody::ListUsers(list)) = answer.body else {
        panic!("{answer:?}");
    };
    let names = list.user_list.iter();
    names.map(|user| user.name().into_owned()).collect()
}

fn say(client: &mut Client, text: &str) {
    let say = CommandRoomSay {
        message: Some(text.to_owned().into()),
    };
    let answer = client.room(RoomCommandBody::RoomSay(say));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
}

fn said(message: &ServerMessage<'_>) -> Option<String> {
    match message.room_event.as_ref()?.body.as_ref()? {
        RoomEventBody::RoomSay(say) => Some(say.message().into_owned()),
        _ => None,
    }
}

/// Creates a game; its number.
fn create(client: &mut Client) -> i32 {
    let create = CommandCreateGame {
        description: Some("a game".into()),
        max_players: Some(2),
        spectators_allowed: Some(true),
        spectators_can_talk: Some(true),
        ..CommandCreateGame::default()
    };
    let answer = client.room(RoomCommandBody::CreateGame(create));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    joined(client)
}

/// The game that they are in from now on.
fn joined(client: &mut Client) -> i32 {
    client.until("the game", |message| {
        match message.session_event.as_ref()?.body.as_ref()? {
            SessionEventBody::GameJoined(joined) => {
                Some(joined.game_info.as_ref().expect("a record").game_id())
            }
            _ => None,
        }
    })
}

/// Joins a game as soon as the room lists it.
fn join(client: &mut Client, game: i32, spectator: bool) {
    client.until("the game in the list", |message| {
        match message.room_event.as_ref()?.body.as_ref()? {
            RoomEventBody::ListGames(list) => list
                .game_list
                .iter()
                .any(|one| one.game_id() == game)
                .then_some(()),
            _ => None,
        }
    });
    let join = CommandJoinGame {
        game_id: Some(game),
        spectator: Some(spectator),
        ..CommandJoinGame::default()
    };
    let answer = client.room(RoomCommandBody::JoinGame(join));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    assert_eq!(joined(client), game);
}

/// Says something in a game, which these others hear.
fn play(by: &mut Client, others: &mut [&mut Client], game: i32, text: &str) {
    let say = CommandGameSay {
        message: Some(text.to_owned().into()),
    };
    let answer = by.game(game, GameCommandBody::GameSay(say));
    assert_eq!(answer.response_code, Some(ResponseCode::RespOk));
    for other in others {
        other.until_game_event(text, |event| match event {
            GameEventBody::GameSay(say) if say.message() == text => Some(()),
            _ => None,
        });
    }
}

#[test]
fn cards_are_played_and_chat_is_heard_over_three_nodes() {
    let Some(cluster) = lobby(3, "none", &[]) else {
        return;
    };
    let mut ann = member(&cluster, 0, "ann");
    let mut bob = member(&cluster, 1, "bob");
    let mut eve = member(&cluster, 2, "eve");
    assert_eq!(users(&mut eve), ["ann", "bob", "eve"]);
    for number in 0..4 {
        say(&mut ann, &format!("ann {number}"));
        say(&mut bob, &format!("bob {number}"));
        say(&mut eve, &format!("eve {number}"));
    }
    let mut heard = Vec::new();
    for client in [&mut ann, &mut bob, &mut eve] {
        let lines: Vec<String> = (0..12).map(|_| client.until("a line", said)).collect();
        heard.push(lines);
    }
    assert!(heard.iter().all(|lines| *lines == heard[0]), "{heard:?}");
    let game = create(&mut bob);
    join(&mut ann, game, false);
    join(&mut eve, game, true);
    play(&mut ann, &mut [&mut bob, &mut eve], game, "my turn");
    play(&mut eve, &mut [&mut ann, &mut bob], game, "I see");
    let other = create(&mut ann);
    assert_ne!(other, game, "no number is given out twice");
}

#[test]
fn a_name_on_three_nodes_at_once_stays_on_one() {
    let Some(cluster) = lobby(3, "password", &[]) else {
        return;
    };
    let mut watcher = member(&cluster, 0, "watcher");
    let mut clients: Vec<Client> = (0..3).map(|node| connect(&cluster, node)).collect();
    for client in &mut clients {
        client.write_session(SessionCommandBody::Login(login("ann")));
    }
    // Whoever is replaced at once may hear of that instead of an answer.
    let signs_in = |message: &ServerMessage<'_>| {
        let event = message.session_event.as_ref().and_then(|e| e.body.as_ref());
        let ends = matches!(event, Some(SessionEventBody::ConnectionClosed(_)));
        let body = message.response.as_ref().and_then(|r| r.body.as_ref());
        match body {
            Some(ResponseBody::Login(login)) => Some(login.user_info.is_some()),
            _ => None,
        }
        .or(ends.then_some(false))
    };
    let signed_in = clients
        .iter_mut()
        .map(|client| client.until("an answer", signs_in));
    let signed_in: Vec<bool> = signed_in.collect();
    assert!(signed_in.contains(&true));
    crate::until("one who stays", || {
        users(&mut watcher) == ["ann", "watcher"]
    });
    let newest = connect(&cluster, 2);
    clients.push(newest);
    assert_eq!(sign_in(&mut clients[3], "ann"), "ann");
    // All but the newest are told that it is there, and end.
    for (client, signed_in) in clients[..3].iter_mut().zip(signed_in) {
        if !signed_in {
            client.expect_end();
            continue;
        }
        let told = client.until("the end", |message| {
            match message.session_event.as_ref()?.body.as_ref()? {
                SessionEventBody::ConnectionClosed(closed) => closed.reason,
                _ => None,
            }
        });
        assert_eq!(told, cockatrice::messages::CloseReason::Loggedinelsewere);
        client.expect_end();
    }
    assert_eq!(users(&mut clients[3]), ["ann", "watcher"]);
}

#[test]
fn a_room_and_the_games_of_others_outlive_a_node() {
    let Some(mut cluster) = lobby(3, "sql", &[SCHEMA]) else {
        return;
    };
    let mut ann = member(&cluster, 0, "ann");
    let bob = &mut member(&cluster, 1, "bob");
    let mut eve = member(&cluster, 2, "eve");
    let lost = create(bob);
    join(&mut ann, lost, false);
    let game = create(&mut ann);
    join(&mut eve, game, true);
    assert_ne!(lost, game, "numbers are the store's");
    cluster.kill(1);
    ann.until_game_event("the end of the lost game", |event| match event {
        GameEventBody::GameClosed(_) => Some(()),
        _ => None,
    });
    cluster.agree(2);
    for client in [&mut ann, &mut eve] {
        client.until("that bob has left", |message| {
            match message.session_event.as_ref()?.body.as_ref()? {
                SessionEventBody::UserLeft(left) if left.name() == "bob" => Some(()),
                _ => None,
            }
        });
    }
    // The node that is lost could not end it.
    crate::until("the end of bob's session in the store", || {
        let open = "SELECT user_name FROM cockatrice_sessions WHERE end_time IS NULL ORDER BY 1";
        cluster.database.rows(open).expect("an answer") == ["ann", "eve"]
    });
    say(&mut ann, "still here");
    eve.until("a line", |message| {
        said(message).filter(|text| text == "still here")
    });
    play(&mut eve, &mut [&mut ann], game, "and the game");
    cluster.nodes[1].start();
    cluster.agree(3);
    let mut bob = member(&cluster, 1, "bob");
    say(&mut bob, "back");
    eve.until("a line", |message| {
        said(message).filter(|text| text == "back")
    });
    assert_eq!(users(&mut bob), ["ann", "bob", "eve"]);
}

/// What somebody has heard of a game's end until their connection ended, in a word each.
fn last_words(client: &mut Client) -> Vec<&'static str> {
    let word = |message: &ServerMessage<'static>| {
        if let Some(container) = &message.game_event_container {
            let mut events = container.event_list.iter();
            return events
                .any(|event| matches!(event.body, Some(GameEventBody::GameClosed(_))))
                .then_some("game closed");
        }
        match message.session_event.as_ref()?.body.as_ref()? {
            SessionEventBody::ReplayAdded(_) => Some("replay"),
            SessionEventBody::ConnectionClosed(closed) => {
                assert_eq!(closed.reason, Some(CloseReason::ServerShutdown));
                Some("good-bye")
            }
            _ => None,
        }
    };
    client.rest().iter().filter_map(word).collect()
}

/// Nodes are stopped one after the other, the last one too: no game is lost by that, whoever of it is where.
#[test]
fn games_of_a_node_that_is_stopped_are_stored_and_those_of_the_last_one_too() {
    let Some(mut cluster) = lobby(2, "sql", &[SCHEMA]) else {
        return;
    };
    for name in ["ann", "bob"] {
        let folder = tempfile::tempdir().unwrap();
        let mut add = muster(folder.path());
        let url = format!("cockatrice.store_url={}", cluster.database.url());
        add.args([
            "--set",
            &url,
            "account",
            "--lobby",
            "cockatrice",
            "add",
            name,
        ]);
        let output = add.args(["--password", "secret"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let (mut ann, mut bob) = (member(&cluster, 0, "ann"), member(&cluster, 1, "bob"));
    let first = create(&mut ann);
    join(&mut bob, first, false);
    let last = create(&mut bob);
    join(&mut ann, last, true);
    play(&mut ann, &mut [&mut bob], first, "my turn");
    play(&mut bob, &mut [&mut ann], last, "mine");
    let finished = |game: i32| {
        let query = format!(
            "SELECT CAST(COUNT(*) AS CHAR) FROM cockatrice_games JOIN cockatrice_replays ON id_game = cockatrice_games.id \
             WHERE cockatrice_games.id = {game} AND time_finished IS NOT NULL AND (SELECT COUNT(*) FROM cockatrice_replays_access a \
             WHERE a.id_game = {game}) = 2"
        );
        cluster.database.rows(&query).expect("an answer") == ["1"]
    };
    cluster.nodes[0].terminate();
    assert_eq!(last_words(&mut ann), ["game closed", "replay", "good-bye"]);
    bob.until_game_event("the end of ann's game", |event| match event {
        GameEventBody::GameClosed(_) => Some(()),
        _ => None,
    });
    bob.until("its replay", |message| {
        match message.session_event.as_ref()?.body.as_ref()? {
            SessionEventBody::ReplayAdded(_) => Some(()),
            _ => None,
        }
    });
    assert!(finished(first) && !finished(last));
    assert_eq!(cluster.nodes[0].ended(), Some(0));
    cluster.agree(1);
    play(&mut bob, &mut [], last, "alone now");
    cluster.nodes[1].terminate();
    assert_eq!(last_words(&mut bob), ["game closed", "replay", "good-bye"]);
    assert_eq!(cluster.nodes[1].ended(), Some(0));
    assert!(finished(first) && finished(last));
}
