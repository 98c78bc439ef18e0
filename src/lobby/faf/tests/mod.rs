//! Dialogues and random walks of the FAF lobby in the simulator.

mod admin;
mod corners;
mod dialogues;
mod fair;
mod faults;
mod games;
mod hand_over;
mod local_mail;
mod long;
mod lookups;
mod matches;
mod matchmaking_walk;
mod newcomers;
mod newer;
mod nodes;
mod nodes_claims;
mod nodes_coordinator;
mod nodes_games;
mod nodes_operator;
mod nodes_picture;
mod nodes_shadows;
mod nodes_sign_in_walk;
mod nodes_support;
mod nodes_waits;
mod nodes_walk;
mod operator;
mod outside;
mod paper;
mod parties;
mod ratings;
mod reach;
mod relations;
mod robustness;
mod same_twice;
mod searches;
mod strangers;
mod walk;

use std::{cell::RefCell, rc::Rc, sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    Faf, Settings,
    context::Context,
    coordinator::Coordinator,
    matcher,
    matchmaking::{Bracket, MapPool, PoolEntry, PoolMap, QueueSetup, VetoRules},
    news::News,
    questions::{
        Account, Answer, Ask, Ban, Credentials, FindMatches, HasPermission, Host, HostGrant, Join,
        Login, LoginRefusal, MatchGrant, ModNames, SetRelation, StoredRating,
    },
    reference::{FeaturedMod, Leaderboard, Reference},
};
use crate::{
    ConnId,
    question::StoreFailure,
    simulator::{Office, Simulator},
};
use paper::Paper;

pub(super) type Sim = Simulator<Faf>;

impl Faf {
    /// Has the coordinator do something.
    fn with_coordinator(
        &mut self,
        turn: &mut crate::Turn<'_, Faf>,
        act: impl for<'a> FnOnce(&'a mut Coordinator, &mut Context<'a>),
    ) {
        self.step(turn, |roles, turn| {
            act(&mut roles.coordinator, &mut context!(roles, turn));
        });
    }
}

/// Player `pN` has id N; `bad` is nobody; p90 is banned later; p8 and p9 have ratings.
fn account(id: u32) -> Account {
    let ratings = match id {
        8 => vec![StoredRating {
            leaderboard: "global".into(),
            mean: 2000.0,
            deviation: 125.0,
            games: 5,
        }],
        _ => Vec::new(),
    };
    let foes = if id == 1 { vec![6] } else { Vec::new() };
    let friends = if id == 1 { vec![5] } else { Vec::new() };
    Account {
        id,
        login: format!("p{id}").into(),
        ratings: ratings.into(),
        friends: friends.into(),
        foes: foes.into(),
        ..Account::default()
    }
}

fn ban() -> Ban {
    Ban {
        reason: "Live ban".into(),
        expires_at: 1e12,
    }
}

/// A back office that knows everybody.
fn office() -> impl FnMut(Ask) -> Answer {
    office_with(Rc::default())
}

/// The same, with a paper to write on.
fn office_with(paper: Rc<RefCell<Paper>>) -> impl FnMut(Ask) -> Answer {
    let mut next_game = 100;
    move |ask| match ask {
        Ask::WriteRecords(question) => Answer::WriteRecords(paper.borrow_mut().write(question)),
        Ask::KeepRecords(question) => Answer::KeepRecords(paper.borrow_mut().keep(*question.0)),
        Ask::Login(Login { credentials, .. }) => {
            let name = match credentials {
                Credentials::Password { login, .. } => login,
                Credentials::Token(token) => token,
            };
            Answer::Login(match name.trim_start_matches('p').parse::<u32>() {
                Ok(99) => Err(LoginRefusal::Banned(ban())),
                Ok(98) => Err(LoginRefusal::Store(StoreFailure::Unavailable)),
                Ok(97) => Err(LoginRefusal::Internal),
                Ok(id) => Ok(Box::new(account(id))),
                Err(_) => Err(LoginRefusal::BadPassword),
            })
        }
        Ask::Host(Host { player_id, create }) => Answer::Host(Ok(HostGrant {
            ban: (player_id == 90).then(ban),
            game_id: create.map(|_| {
                next_game += 1;
                next_game
            }),
            map: None,
        })),
        Ask::Join(Join { player_id, .. }) => Answer::Join(Ok((player_id == 90).then(ban))),
        Ask::SetRelation(SetRelation { subject_id, .. }) => {
            Answer::SetRelation(Ok(subject_id < 1000))
        }
        Ask::ClearRelation(_) => Answer::ClearRelation(Ok(())),
        Ask::ModNames(ModNames(uids)) => Answer::ModNames(Ok(uids
            .into_iter()
            .filter(|uid| uid != "unknown")
            .map(|uid| (uid.clone(), format!("Mod {uid}")))
            .collect())),
        Ask::FindMatches(FindMatches { snapshot, tuning }) => {
            Answer::FindMatches(Some(matcher::find(&snapshot, &tuning)))
        }
        Ask::PrepareMatch(_) => {
            next_game += 1;
            Answer::PrepareMatch(Ok(MatchGrant {
                game_id: next_game,
                history: Vec::new(),
            }))
        }
        Ask::HasPermission(HasPermission {
            player_id,
            permission,
        }) => Answer::HasPermission(Ok(admin::permitted(player_id, permission))),
        ask => lookups::answer(ask),
    }
}

fn simulator(shards: u16, seed: u64, settings: Settings) -> Sim {
    simulator_with(shards, seed, settings, Rc::default())
}

fn simulator_with(shards: u16, seed: u64, settings: Settings, paper: Rc<RefCell<Paper>>) -> Sim {
    simulator_of(shards, seed, settings, Box::new(office_with(paper)))
}

fn simulator_of(shards: u16, seed: u64, settings: Settings, office: Office<Faf>) -> Sim {
    let settings = Arc::new(settings);
    let mut sim = Simulator::new(
        shards,
        seed,
        |shard| Faf::new(shard, shards, settings.clone()),
        office,
    );
    let reference = Arc::new(reference());
    for shard in 0..shards {
        sim.tell(shard, News::Reference(reference.clone()));
    }
    sim
}

/// What the tables say: three leaderboards, of which the last takes its newcomers' ratings from the first.
fn reference() -> Reference {
    let board = |id, name: &str, initializer: Option<&str>| Leaderboard {
        id,
        name: name.into(),
        initializer: initializer.map(str::to_owned),
    };
    let featured = |id, name: &str| FeaturedMod {
        id,
        name: name.into(),
    };
    Reference {
        leaderboards: vec![
            board(1, "global", None),
            board(2, "ladder_1v1", None),
            board(3, "tmm_2v2", Some("global")),
        ],
        featured_mods: vec![
            featured(1, "faf"),
            featured(6, "ladder1v1"),
            featured(25, "coop"),
        ],
        ranked_mods: ["ranked-mod".to_owned()].into(),
        queues: queues(),
    }
}

/// A queue for pairs, one for teams of two, and one for teams of three with options.
fn queues() -> Vec<QueueSetup> {
    let queue = |id, name: &str, rating_type: &str, team_size, game_options| QueueSetup {
        id,
        name: name.into(),
        featured_mod: if id == 1 { "ladder1v1" } else { "faf" }.into(),
        rating_type: rating_type.into(),
        team_size,
        game_options,
        rating_peak: 1000.0,
        brackets: vec![bracket(id)],
    };
    let options = QueueSetup::game_options_of(r#"{"GameOptions":{"Share":"ShareUntilDeath"}}"#);
    vec![
        queue(1, "ladder1v1", "ladder_1v1", 1, Vec::new()),
        queue(2, "tmm2v2", "tmm_2v2", 2, Vec::new()),
        queue(5, "gameoptions", "global", 3, options.expect("it is JSON")),
    ]
}

/// The only bracket of a queue: three maps, of which each player can veto one.
fn bracket(id: u32) -> Bracket {
    let entry = |n| PoolEntry {
        id: 10 * id + n,
        weight: 1.0,
        map: PoolMap::Vault {
            version_id: n,
            folder: format!("scmp_00{n}").into(),
        },
    };
    Bracket {
        id: 100 + id,
        min_rating: None,
        max_rating: None,
        vetoes: VetoRules {
            tokens_per_player: 1,
            max_tokens_per_map: 0,
            minimum_maps_after_veto: 1.0,
        },
        pool: Arc::new(MapPool::new(id, "pool".into(), (1..=3).map(entry))),
    }
}

/// A lobby on 1, 2 and 3 shards; the test runs on each.
fn each(test: impl Fn(Sim, u16)) {
    for shards in 1..=3 {
        for seed in 0..5 {
            test(simulator(shards, seed, Settings::default()), shards);
        }
    }
}

/// Sends, lets everything settle, and gives what the sender received for it.
fn say(sim: &mut Sim, conn: ConnId, message: Value) -> Vec<Value> {
    sim.take(conn);
    sim.send(conn, message.to_string());
    sim.settle();
    sim.take(conn)
}

/// A player who is logged in, with their first messages and broadcasts taken.
fn player(sim: &mut Sim, id: u32, shard: u16) -> ConnId {
    let conn = sim.connect(shard);
    say(sim, conn, hello(id));
    tick(sim);
    sim.take(conn);
    conn
}

fn hello(id: u32) -> Value {
    json!({"command": "hello", "login": format!("p{id}"), "password": "x", "unique_id": "u"})
}

fn tick(sim: &mut Sim) {
    sim.advance(Duration::from_secs(1));
}

fn game(command: &str, args: Value) -> Value {
    json!({"command": command, "target": "game", "args": args})
}

fn state(sim: &mut Sim, conn: ConnId, state: &str) -> Vec<Value> {
    say(sim, conn, game("GameState", json!([state])))
}

/// A game in its lobby; gives its number.
fn hosted(sim: &mut Sim, host: ConnId, request: Value) -> u32 {
    let mut message = json!({"command": "game_host", "visibility": "public"});
    for (key, value) in request.as_object().expect("a request is an object") {
        message[key] = value.clone();
    }
    let launch = say(sim, host, message);
    assert_eq!(launch[0]["command"], "game_launch", "{launch:?}");
    state(sim, host, "Idle");
    state(sim, host, "Lobby");
    launch[0]["uid"].as_u64().expect("uid is a number") as u32
}

fn joined(sim: &mut Sim, login_id: ConnId, uid: u32) -> Vec<Value> {
    let launch = say(sim, login_id, json!({"command": "game_join", "uid": uid}));
    assert_eq!(launch[0]["command"], "game_launch", "{launch:?}");
    state(sim, login_id, "Idle");
    state(sim, login_id, "Lobby")
}

fn configure(sim: &mut Sim, host: ConnId, id: u32, army: i32, team: i32) {
    for (key, value) in [("Army", army), ("Team", team), ("StartSpot", army)] {
        say(sim, host, game("PlayerOption", json!([id, key, value])));
    }
}

fn commands(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|m| m["command"].as_str().expect("command is text"))
        .collect()
}

fn texts(messages: &[Value]) -> Vec<&str> {
    messages.iter().filter_map(|m| m["text"].as_str()).collect()
}
