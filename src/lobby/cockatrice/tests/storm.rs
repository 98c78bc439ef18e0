//! People with and without accounts who sign in, talk, play, moderate and go at random on several shards, while mail and answers are
//! late and the store fails now and then: whoever stays is answered, and nothing is left of who has gone.

use cockatrice::messages::{
    AdminCommand, AdminCommandBody, CommandAddToList, CommandAdjustMod, CommandBanFromServer,
    CommandGetGamesOfUser, CommandGetUserInfo, CommandMessage, CommandViewLogHistory,
    CommandWarnUser, ModeratorCommand, ModeratorCommandBody,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::*;
use crate::cockatrice::{
    questions::{
        AccountChange, Answer, Banned, Change, ModeratorRequest as Request, Notice, Outcome, event,
    },
    state::{registry::Registry, room::Room},
};

/// Who is there, and who is talked of: most have accounts.
const NAMES: [&str; 8] = [
    "rootuser", "modmary", "alicea", "bobbyb", "vipvera", "judgejim", "guestone", "guesttwo",
];

#[test]
fn nobody_waits_for_ever_and_nothing_is_left() {
    for shards in 1..=3 {
        for seed in 0..12 {
            storm(shards, seed);
        }
    }
}

/// Does what is asked, or fails.
pub(super) fn careless(seed: u64) -> impl FnMut(Ask) -> Answer {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut known = office::answers();
    move |ask| {
        if rng.random_range(0..25) == 0 {
            return ask.failed(StoreFailure::Unavailable);
        }
        match ask {
            Ask::Moderate(question) => Answer::Moderate(moderated(question.request)),
            Ask::ChangeAccount(question) => Answer::ChangeAccount(changed(question.change)),
            Ask::DeckForGame(_) => Answer::DeckForGame(Ok(None)),
            Ask::KeepPiece(_) => Answer::KeepPiece(Ok(())),
            Ask::ServerMessage(_) => Answer::ServerMessage(Ok(Some("hello".into()))),
            ask => known(ask),
        }
    }
}

fn moderated(request: Request) -> Outcome {
    let mut outcome = Outcome::ok();
    outcome.staff = Some("something was done".into());
    match request {
        Request::Ban { keys, .. } => {
            outcome.change = Some(Change::Banned(Box::new(Banned {
                users: vec![keys.name],
                address: keys.address,
                ..Banned::default()
            })));
        }
        Request::Warn { name, .. } => {
            let warning = SessionEventBody::NotifyUser(Default::default());
            let event = event(warning);
            let pending = None;
            outcome.notices.push(Notice {
                to: name,
                event,
                pending,
            });
        }
        Request::Adjust {
            name, moderator, ..
        } => {
            outcome.change = Some(Change::Rights(name, Vec::from_iter(moderator)));
        }
        _ => {}
    }
    outcome
}

fn changed(change: AccountChange) -> Outcome {
    let mut outcome = Outcome::ok();
    if let AccountChange::Add(change) | AccountChange::Remove(change) = change {
        outcome.change = Some(Change::List(change));
    }
    outcome
}

pub(super) fn moderator(cmd_id: u64, command: ModeratorCommandBody<'_>) -> Vec<u8> {
    encode(&CommandContainer {
        cmd_id: Some(cmd_id),
        moderator_command: vec![ModeratorCommand {
            body: Some(command),
        }],
        ..CommandContainer::default()
    })
}

fn storm(shards: u16, seed: u64) {
    let settings = Settings {
        method: Method::Accounts,
        most_tcp: Some(14),
        commands_per_second: None,
        game_inactivity: Some(Duration::from_secs(5)),
        log_rooms: true,
        log_games: true,
        log_private: true,
        ..settings()
    };
    let mut sim = simulator_with(shards, seed, settings, Box::new(careless(seed)));
    sim.eager = false;
    let mut rng = StdRng::seed_from_u64(seed);
    // Connections, and how many answers each is to have.
    let mut conns: Vec<(ConnId, usize)> = Vec::new();
    for step in 0..700u64 {
        sim.stalled = match rng.random_range(0..12) {
            0 => true,
            1..4 => false,
            _ => sim.stalled,
        };
        match rng.random_range(0..12) {
            0 | 1 => conns.push((newcomer(&mut sim, &mut rng), 3)),
            2 if !conns.is_empty() => {
                let (conn, _) = conns.swap_remove(rng.random_range(0..conns.len()));
                sim.disconnect(conn);
            }
            3 => sim.advance(Duration::from_millis(rng.random_range(0..700))),
            _ if !conns.is_empty() => {
                let at = rng.random_range(0..conns.len());
                sim.send(conns[at].0, something(&mut rng, step));
                conns[at].1 += 1;
            }
            _ => {}
        }
        for _ in 0..rng.random_range(0..6) {
            sim.step();
        }
    }
    sim.stalled = false;
    sim.settle();
    robust::check_agreement(&sim);
    for (conn, answers) in &conns {
        let open = sim.client(*conn).closed.is_none();
        let received = sim.take_raw(*conn);
        let responses = received.iter().filter(|bytes| {
            let message: ServerMessage<'_> = decode(bytes).expect("a message");
            message.response.is_some()
        });
        assert!(
            !open || responses.count() == *answers,
            "somebody waits: {shards} shards, seed {seed}"
        );
    }
    for (conn, _) in conns {
        sim.disconnect(conn);
    }
    sim.settle();
    // Games whose players may come back wait for them.
    sim.advance(Duration::from_secs(10));
    check_empty(&sim);
}

/// Somebody who signs in, enters a room and lists users.
fn newcomer(sim: &mut Sim, rng: &mut StdRng) -> ConnId {
    sim.address = [192, 0, 2, rng.random_range(1..9)].into();
    let conn = sim.connect(rng.random_range(0..sim.shards()));
    sim.send(conn, Vec::new());
    let name = NAMES[rng.random_range(0..NAMES.len())];
    sim.send(conn, session(1, sign_in(name)));
    sim.send(conn, session(2, join(0)));
    let list = SessionCommandBody::ListUsers(Default::default());
    sim.send(conn, session(3, list));
    conn
}

/// Any command.
fn something(rng: &mut StdRng, id: u64) -> Vec<u8> {
    use SessionCommandBody as Command;
    let name = NAMES[rng.random_range(0..NAMES.len())];
    let number = rng.random_range(1..8);
    match rng.random_range(0..18) {
        0 => room(id, 0, create(2)),
        1 => room(id, 1, create(1)),
        2 | 3 => room(id, 0, enter(number, false)),
        4 => room(id, 1, enter(number, true)),
        5 => room(id, 0, RoomCommandBody::LeaveRoom(Default::default())),
        6 => session(id, join(rng.random_range(0..3))),
        7 => {
            let leave = GameCommandBody::LeaveGame(Default::default());
            game(id, number as u32, vec![leave])
        }
        8 => {
            let stored = CommandDeckSelect {
                deck_id: Some(1),
                ..CommandDeckSelect::default()
            };
            game(id, number as u32, vec![GameCommandBody::DeckSelect(stored)])
        }
        9 => session(
            id,
            Command::Message(CommandMessage {
                user_name: Some(name.into()),
                message: Some("x".into()),
            }),
        ),
        10 => session(
            id,
            Command::GetGamesOfUser(CommandGetGamesOfUser {
                user_name: Some(name.into()),
            }),
        ),
        11 => session(
            id,
            Command::GetUserInfo(CommandGetUserInfo {
                user_name: Some(name.into()),
            }),
        ),
        12 => session(
            id,
            Command::AddToList(CommandAddToList {
                list: Some("ignore".into()),
                user_name: Some(name.into()),
            }),
        ),
        13 => moderator(
            id,
            ModeratorCommandBody::BanFromServer(CommandBanFromServer {
                user_name: Some(name.into()),
                remove_messages: Some(1),
                ..CommandBanFromServer::default()
            }),
        ),
        14 => moderator(
            id,
            ModeratorCommandBody::WarnUser(CommandWarnUser {
                user_name: Some(name.into()),
                remove_messages: Some(1),
                ..CommandWarnUser::default()
            }),
        ),
        15 => moderator(
            id,
            ModeratorCommandBody::ViewLogHistory(CommandViewLogHistory {
                date_range: Some(1),
                ..CommandViewLogHistory::default()
            }),
        ),
        16 => encode(&CommandContainer {
            cmd_id: Some(id),
            admin_command: vec![AdminCommand {
                body: Some(AdminCommandBody::AdjustMod(CommandAdjustMod {
                    user_name: Some(name.into()),
                    should_be_mod: Some(rng.random_range(0..2) == 0),
                    ..CommandAdjustMod::default()
                })),
            }],
            ..CommandContainer::default()
        }),
        _ => room(id, 0, say("x")),
    }
}

fn check_empty(sim: &Sim) {
    for shard in 0..sim.shards() {
        let lobby = sim.dialect(shard);
        assert!(lobby.sessions.is_empty(), "{:?}", lobby.sessions);
        assert_eq!(lobby.registry, Registry::default());
        assert!(lobby.directory.users.is_empty() && lobby.tables.is_empty());
        assert!(lobby.directory.rooms.iter().all(|room| *room == (0, 0)));
        assert!(lobby.desk.is_empty() && lobby.pending.is_empty());
        let empty = |room: &Room| room.counts() == (0, 0) && room.names.is_empty();
        assert!(lobby.rooms.values().all(empty));
    }
}
