//! The Cockatrice lobby in the simulator, on one, two and three shards.

mod dialogues;
mod games;
mod hand_over;
mod login;
mod nodes;
mod nodes_support;
mod nodes_walk;
mod office;
mod operator;
mod player;
mod renewal;
mod robust;
mod rooms;
mod stopping;
mod storm;
mod table;
mod users;

use std::{sync::Arc, time::Duration};

use cockatrice::messages::{
    CommandContainer, CommandCreateGame, CommandDeckSelect, CommandJoinGame, CommandJoinRoom,
    CommandLogin, CommandRoomSay, GameCommand, GameCommandBody, GameEventBody, ResponseBody,
    ResponseCode, RoomCommand, RoomCommandBody, RoomEventBody, ServerMessage, SessionCommand,
    SessionCommandBody, SessionEventBody, decode, encode,
};
use settings::{Group, Values};
use wire::Format;

use super::{Cockatrice, Method, Settings, questions::Ask};
use crate::{
    ConnId,
    question::StoreFailure,
    simulator::{Office, Simulator},
};
use player::Sim;

fn settings() -> Settings {
    Settings::read(&Values::defaults(&Settings::keys()))
}

fn simulator(shards: u16, seed: u64, settings: Settings) -> Sim {
    let office: Office<Cockatrice> = match settings.method {
        Method::Accounts => Box::new(office::answers()),
        _ => Box::new(|ask: Ask| ask.failed(StoreFailure::Failed)),
    };
    simulator_with(shards, seed, settings, office)
}

fn simulator_with(shards: u16, seed: u64, settings: Settings, office: Office<Cockatrice>) -> Sim {
    let settings = Arc::new(settings);
    let new = |shard| Cockatrice::new(shard, shards, settings.clone());
    let mut sim = Simulator::new(shards, seed, new, office);
    sim.format = Format::PrefixedBigEndian;
    sim
}

/// Runs a test on one, two and three shards, with several orders of events.
fn each(test: impl Fn(Sim)) {
    each_with(settings(), test);
}

fn each_with(settings: Settings, test: impl Fn(Sim)) {
    for shards in 1..=3 {
        for seed in 0..3 {
            test(simulator(shards, seed, settings.clone()));
        }
    }
}

/// A connection that has been told who it talks to, on one shard after the other.
fn connect(sim: &mut Sim) -> ConnId {
    let shards = sim.shards();
    let shard = sim.connections() % u32::from(shards);
    let conn = sim.connect(shard as u16);
    if sim.format == Format::PrefixedBigEndian {
        sim.send(conn, Vec::new());
        sim.settle();
    }
    assert_eq!(heard(sim, conn), ["identification 14"]);
    conn
}

fn session(cmd_id: u64, command: SessionCommandBody<'_>) -> Vec<u8> {
    encode(&CommandContainer {
        cmd_id: Some(cmd_id),
        session_command: vec![SessionCommand {
            body: Some(command),
        }],
        ..CommandContainer::default()
    })
}

fn room(cmd_id: u64, room: u32, command: RoomCommandBody<'_>) -> Vec<u8> {
    encode(&CommandContainer {
        cmd_id: Some(cmd_id),
        room_id: Some(room),
        room_command: vec![RoomCommand {
            body: Some(command),
        }],
        ..CommandContainer::default()
    })
}

fn game(cmd_id: u64, game: u32, commands: Vec<GameCommandBody<'_>>) -> Vec<u8> {
    let commands = commands.into_iter();
    encode(&CommandContainer {
        cmd_id: Some(cmd_id),
        game_id: Some(game),
        game_command: commands
            .map(|body| GameCommand { body: Some(body) })
            .collect(),
        ..CommandContainer::default()
    })
}

fn sign_in(name: &str) -> SessionCommandBody<'_> {
    SessionCommandBody::Login(CommandLogin {
        user_name: Some(name.into()),
        ..CommandLogin::default()
    })
}

fn join(id: u32) -> SessionCommandBody<'static> {
    SessionCommandBody::JoinRoom(CommandJoinRoom { room_id: Some(id) })
}

fn say(text: &str) -> RoomCommandBody<'_> {
    RoomCommandBody::RoomSay(CommandRoomSay {
        message: Some(text.into()),
    })
}

fn create(players: u32) -> RoomCommandBody<'static> {
    RoomCommandBody::CreateGame(CommandCreateGame {
        description: Some("a game".into()),
        max_players: Some(players),
        spectators_allowed: Some(true),
        spectators_can_talk: Some(true),
        game_type_ids: vec![0],
        ..CommandCreateGame::default()
    })
}

fn enter(id: i32, spectator: bool) -> RoomCommandBody<'static> {
    RoomCommandBody::JoinGame(CommandJoinGame {
        game_id: Some(id),
        spectator: Some(spectator),
        ..CommandJoinGame::default()
    })
}

fn deck() -> GameCommandBody<'static> {
    const DECK: &str = r#"<cockatrice_deck version="1"><zone name="main"><card number="20" name="Forest"/></zone></cockatrice_deck>"#;
    GameCommandBody::DeckSelect(CommandDeckSelect {
        deck: Some(DECK.into()),
        ..CommandDeckSelect::default()
    })
}

/// Sends a message, lets everything settle, and gives what the sender was sent for it.
fn ask(sim: &mut Sim, conn: ConnId, message: Vec<u8>) -> Vec<String> {
    heard(sim, conn);
    sim.send(conn, message);
    sim.settle();
    heard(sim, conn)
}

/// A user, with everything they have been sent so far taken.
fn user(sim: &mut Sim, name: &str) -> ConnId {
    let conn = connect(sim);
    let answer = ask(sim, conn, session(1, sign_in(name)));
    assert_eq!(answer[0], format!("1 RespOk login {name}"));
    conn
}

/// A user in room 0.
fn member(sim: &mut Sim, name: &str) -> ConnId {
    let conn = user(sim, name);
    let answer = ask(sim, conn, session(2, join(0)));
    assert!(answer[0].starts_with("2 RespOk room"), "{answer:?}");
    conn
}

/// What a client was sent since the last time, message by message, in a few words each.
fn heard(sim: &mut Sim, conn: ConnId) -> Vec<String> {
    let messages = sim.take_raw(conn);
    messages
        .iter()
        .map(|bytes| brief(&decode(bytes).expect("a message")))
        .collect()
}

/// Without what tells of lists, whose place among the rest is not defined.
fn heard_but_lists(sim: &mut Sim, conn: ConnId) -> Vec<String> {
    let mut heard = heard(sim, conn);
    heard.retain(|message| !message.starts_with("rooms") && !message.contains(" games "));
    heard
}

fn hush(sim: &mut Sim, conns: &[ConnId]) {
    for &conn in conns {
        sim.take_raw(conn);
    }
}

/// Lets a tick pass.
fn tick(sim: &mut Sim) {
    sim.advance(Duration::from_secs(1));
}

fn brief(message: &ServerMessage<'_>) -> String {
    if let Some(response) = &message.response {
        let code = response.response_code.expect("a code");
        let head = format!("{} {code:?}", response.cmd_id());
        return match &response.body {
            None => head,
            Some(body) => format!("{head} {}", brief_body(body)),
        };
    }
    if let Some(event) = &message.session_event {
        return brief_session_event(event.body.as_ref().expect("an event"));
    }
    if let Some(event) = &message.room_event {
        let body = event.body.as_ref().expect("an event");
        return format!("{} {}", event.room_id(), brief_room_event(body));
    }
    let container = message.game_event_container.as_ref().expect("a kind");
    let events = container.event_list.iter();
    let events = events.map(|event| match &event.body {
        Some(GameEventBody::GameSay(say)) => format!("say {}", say.message()),
        Some(body) => name_of(body),
        None => "?".to_owned(),
    });
    let events: Vec<String> = events.collect();
    format!("game {} {}", container.game_id(), events.join(","))
}

/// The name of an enum's variant.
fn name_of(value: &impl std::fmt::Debug) -> String {
    let text = format!("{value:?}");
    text.split('(').next().unwrap_or_default().to_owned()
}

fn brief_body(body: &ResponseBody<'_>) -> String {
    match body {
        ResponseBody::Login(login) => {
            let name = login.user_info.as_ref().map(|user| user.name());
            format!("login {}", name.unwrap_or_default())
        }
        ResponseBody::ListUsers(list) => {
            let names: Vec<_> = list.user_list.iter().map(|user| user.name()).collect();
            format!("users {}", names.join(","))
        }
        ResponseBody::JoinRoom(join) => {
            let room = join.room_info.as_ref().expect("a room");
            let names: Vec<_> = room.user_list.iter().map(|user| user.name()).collect();
            let (id, games) = (room.room_id(), room.game_list.len());
            format!("room {id} {} games {games}", names.join(","))
        }
        ResponseBody::GetUserInfo(info) => {
            let user = info.user_info.as_ref().expect("a user");
            format!("user {} {}", user.name(), user.user_level())
        }
        ResponseBody::GetGamesOfUser(all) => {
            let games: Vec<_> = all.game_list.iter().map(|game| game.game_id()).collect();
            format!("rooms {} games {games:?}", all.room_list.len())
        }
        other => name_of(other),
    }
}

fn brief_session_event(event: &SessionEventBody<'_>) -> String {
    match event {
        SessionEventBody::ServerIdentification(id) => {
            format!("identification {}", id.protocol_version())
        }
        SessionEventBody::ServerMessage(message) => format!("message {}", message.message()),
        SessionEventBody::UserJoined(joined) => {
            let user = joined.user_info.as_ref().expect("a user");
            format!("joined {}", user.name())
        }
        SessionEventBody::UserLeft(left) => format!("left {}", left.name()),
        SessionEventBody::UserMessage(said) => {
            let (from, to) = (said.sender_name(), said.receiver_name());
            format!("{from} to {to}: {}", said.message())
        }
        SessionEventBody::ListRooms(list) => {
            let rooms = list.room_list.iter();
            let rooms: Vec<String> = rooms
                .map(|r| format!("{}:{}/{}", r.room_id(), r.player_count(), r.game_count()))
                .collect();
            format!("rooms {}", rooms.join(" "))
        }
        SessionEventBody::ConnectionClosed(closed) => {
            format!("closed {:?}", closed.reason.expect("a reason"))
        }
        SessionEventBody::GameJoined(joined) => {
            let game = joined.game_info.as_ref().expect("a game");
            format!("in game {} as {}", game.game_id(), joined.player_id())
        }
        other => name_of(other),
    }
}

fn brief_room_event(event: &RoomEventBody<'_>) -> String {
    match event {
        RoomEventBody::JoinRoom(join) => {
            let user = join.user_info.as_ref().expect("a user");
            format!("joined {}", user.name())
        }
        RoomEventBody::LeaveRoom(leave) => format!("left {}", leave.name()),
        RoomEventBody::RoomSay(say) => match say.message_type {
            Some(kind) => format!("{kind:?} {}", say.message()),
            None => format!("{}: {}", say.name(), say.message()),
        },
        RoomEventBody::ListGames(list) => {
            let games = list.game_list.iter().map(|game| {
                let closed = if game.closed() { " closed" } else { "" };
                let types = game.game_types.len();
                format!("{}:{}+{types}{closed}", game.game_id(), game.player_count())
            });
            let games: Vec<String> = games.collect();
            format!("games {}", games.join(" "))
        }
        other => name_of(other),
    }
}
