//! A back office without a store: everybody is known, everything is granted or refused by fixed rules, and what a game has
//! written down is judged by the real ones.

use std::sync::{Arc, LazyLock};

use lobby::{
    Event,
    faf::{
        achievements, events,
        ledger::{Batch, Done, Launched, Record, Written},
        matcher,
        matchmaking::{Bracket, MapPool, PoolEntry, PoolMap, QueueSetup, VetoRules},
        questions::{
            Account, Answer, Ask, Avatar, Ban, ChangedAvatar, ClearRelation, Credentials,
            DownloadMod, FindMatches, HasPermission, Host, HostGrant, Join, KeepRecords, Like,
            LikeMod, ListAvatars, Login, LoginRefusal, MatchGrant, Mission, Missions, ModNames,
            PrepareMatch, SelectAvatar, SetRelation, StoredRating, VaultMod, VaultMods,
            WriteRecords,
        },
        reference::{FeaturedMod, Leaderboard, Reference},
        results,
    },
    question::StoreFailure,
};

/// Players have ids from 1 to this.
pub(crate) const PLAYERS: u32 = 12;

/// Answers whatever is asked. Games are numbered from 101.
#[derive(Debug)]
pub(crate) struct Office {
    last_game: u32,
}

impl Office {
    pub(crate) fn new() -> Self {
        Office { last_game: 100 }
    }

    pub(crate) fn answer(&mut self, ask: Ask) -> Answer {
        match ask {
            Ask::Login(Login { credentials, .. }) => {
                Answer::Login(sign_in(&credentials).map(Box::new))
            }
            Ask::Host(Host { player_id, create }) => Answer::Host(Ok(HostGrant {
                ban: ban(player_id),
                game_id: create.map(|_| self.next_game()),
                map: None,
            })),
            Ask::PrepareMatch(PrepareMatch { .. }) => Answer::PrepareMatch(Ok(MatchGrant {
                game_id: self.next_game(),
                history: Vec::new(),
            })),
            Ask::Join(Join { player_id, .. }) => Answer::Join(Ok(ban(player_id))),
            Ask::WriteRecords(WriteRecords { batch, on_disk }) => Answer::WriteRecords(Written {
                off_disk: on_disk,
                ..settle(&batch)
            }),
            Ask::KeepRecords(KeepRecords(_)) => Answer::KeepRecords(Ok(())),
            Ask::FindMatches(FindMatches { snapshot, tuning }) => {
                Answer::FindMatches(Some(matcher::find(&snapshot, &tuning)))
            }
            ask => looked_up(ask),
        }
    }

    fn next_game(&mut self) -> u32 {
        self.last_game += 1;
        self.last_game
    }
}

/// What stands in tables.
fn looked_up(ask: Ask) -> Answer {
    match ask {
        Ask::SetRelation(SetRelation { subject_id, .. }) => {
            Answer::SetRelation(Ok(subject_id < 1000))
        }
        Ask::ClearRelation(ClearRelation { .. }) => Answer::ClearRelation(Ok(())),
        Ask::ModNames(ModNames(uids)) => {
            Answer::ModNames(Ok(uids.into_iter().map(|uid| (uid.clone(), uid)).collect()))
        }
        Ask::HasPermission(HasPermission { player_id, .. }) => {
            Answer::HasPermission(Ok(player_id == 1))
        }
        Ask::ListAvatars(ListAvatars(player_id)) => Answer::ListAvatars(avatars(player_id)),
        Ask::SelectAvatar(SelectAvatar { player_id, url }) => {
            Answer::SelectAvatar(avatars(player_id).map(|own| match url {
                None => Some(None),
                Some(url) => own.into_iter().find(|avatar| avatar.url == url).map(Some),
            }))
        }
        Ask::ChangedAvatar(ChangedAvatar(player_id)) => {
            Answer::ChangedAvatar(avatars(player_id).map(|mut own| own.pop()))
        }
        Ask::Missions(Missions) => Answer::Missions(Ok(vec![Mission {
            id: 1,
            campaign: 0,
            name: "Name".into(),
            description: "Text".into(),
            filename: Some("maps/m.zip".into()),
        }])),
        Ask::VaultMods(VaultMods) => Answer::VaultMods(Ok(vec![vault_mod()])),
        Ask::LikeMod(LikeMod { player_id, uid }) => {
            Answer::LikeMod(Ok(match (player_id, uid.as_str()) {
                (1, _) => Like::Again,
                (_, "x") => Like::Counted(Box::new(vault_mod())),
                _ => Like::Unknown,
            }))
        }
        Ask::DownloadMod(DownloadMod(_)) => Answer::DownloadMod(Ok(())),
        ask => ask.failed(StoreFailure::Failed),
    }
}

/// `pN` has the id N; other names are somebody's too, so that recorded dialogues sign in; `bad` is nobody.
fn sign_in(credentials: &Credentials) -> Result<Account, LoginRefusal> {
    let name = match credentials {
        Credentials::Password { login, .. } => login,
        Credentials::Token(token) => token,
    };
    if name == "bad" {
        return Err(LoginRefusal::BadPassword);
    }
    let number = name
        .strip_prefix('p')
        .and_then(|number| number.parse::<u32>().ok());
    let id = number.unwrap_or_else(|| name.bytes().map(u32::from).sum()) % (PLAYERS + 2);
    match id {
        0 => Err(LoginRefusal::Store(StoreFailure::Unavailable)),
        1..=PLAYERS => Ok(account(id)),
        _ => Err(LoginRefusal::Banned(lifelong())),
    }
}

fn account(id: u32) -> Account {
    let ratings = match id {
        3 => vec![StoredRating {
            leaderboard: "global".into(),
            mean: 2000.0,
            deviation: 125.0,
            games: 5,
        }],
        _ => Vec::new(),
    };
    let (friends, foes): (&[u32], &[u32]) = if id == 1 { (&[5], &[6]) } else { (&[], &[]) };
    Account {
        id,
        login: format!("p{id}").into(),
        ratings: ratings.into(),
        friends: friends.into(),
        foes: foes.into(),
        ..Account::default()
    }
}

fn lifelong() -> Ban {
    Ban {
        reason: "Live ban".into(),
        expires_at: 1e12,
    }
}

/// The last player was banned after signing in.
fn ban(player_id: u32) -> Option<Ban> {
    (player_id == PLAYERS).then(lifelong)
}

fn avatars(player_id: u32) -> Result<Vec<Avatar>, StoreFailure> {
    let avatar = |url: &str| Avatar {
        url: url.into(),
        tooltip: "One".into(),
    };
    match player_id {
        4 => Err(StoreFailure::Unavailable),
        id => Ok(["x", "one.png"][..(id % 3) as usize]
            .iter()
            .map(|url| avatar(url))
            .collect()),
    }
}

fn vault_mod() -> VaultMod {
    VaultMod {
        uid: "x".into(),
        name: "Some mod".into(),
        version: 1,
        author: "lyra".into(),
        ui: 1,
        created_unix_s: 1_708_792_547,
        downloads: 3,
        likes: 1.0,
        played: 2,
        description: "text".into(),
        filename: "some.zip".into(),
        icon: None,
    }
}

/// Judges what is to be written down, and writes nothing.
pub(crate) fn settle(batch: &Batch) -> Written {
    let mut written = Written {
        launched: batch.launched,
        ..Written::default()
    };
    for record in &batch.records {
        let mut done = Done::default();
        match &**record {
            Record::Launch(launch) => {
                written.launched = Some(Launched {
                    validity: launch.finding.unwrap_or(launch.initial),
                    map_id: Some(7),
                    stored: true,
                });
            }
            Record::Finish(game) => {
                done.events = finish(game, written.launched.unwrap_or(Launched::REFUSED))
            }
            Record::Statistics(statistics) => done.events = achievements::messages(statistics),
            _ => {}
        }
        written.done.push(done);
    }
    written
}

fn finish(game: &results::Finished, launched: Launched) -> Vec<Event> {
    let settlement = results::settle(game, launched.validity);
    let mut told: Vec<Event> = events::game_results(game, &settlement, launched.map_id)
        .into_iter()
        .collect();
    let rated = settlement
        .rated
        .and_then(|game| game.rate(&REFERENCE, |_, _| None));
    for change in rated.into_iter().flatten().flatten() {
        assert!(
            change.new.mean.is_finite() && change.new.deviation.is_finite(),
            "{change:?}"
        );
        told.push(events::rating_update(&change));
    }
    told
}

/// What the tables say; the second time without the queue for teams.
pub(crate) fn reference(teams: bool) -> Arc<Reference> {
    static ALONE: LazyLock<Arc<Reference>> = LazyLock::new(|| {
        let mut reference = Reference::clone(&REFERENCE);
        reference.queues.truncate(1);
        Arc::new(reference)
    });
    if teams {
        REFERENCE.clone()
    } else {
        ALONE.clone()
    }
}

static REFERENCE: LazyLock<Arc<Reference>> = LazyLock::new(|| {
    let board = |id, name: &str| Leaderboard {
        id,
        name: name.into(),
        initializer: None,
    };
    let featured = |id, name: &str| FeaturedMod {
        id,
        name: name.into(),
    };
    Arc::new(Reference {
        leaderboards: vec![
            board(1, "global"),
            board(2, "ladder_1v1"),
            board(3, "tmm_2v2"),
        ],
        featured_mods: vec![
            featured(1, "faf"),
            featured(6, "ladder1v1"),
            featured(25, "coop"),
        ],
        ranked_mods: ["r".to_owned()].into(),
        queues: vec![
            queue(1, "ladder1v1", "ladder_1v1", 1),
            queue(2, "tmm2v2", "tmm_2v2", 2),
        ],
    })
});

fn queue(id: u32, name: &str, rating_type: &str, team_size: u32) -> QueueSetup {
    let entry = |n| PoolEntry {
        id: 10 * id + n,
        weight: 1.0,
        map: PoolMap::Vault {
            version_id: n,
            folder: format!("scmp_00{n}").into(),
        },
    };
    QueueSetup {
        id,
        name: name.into(),
        featured_mod: "faf".into(),
        rating_type: rating_type.into(),
        team_size,
        game_options: Vec::new(),
        rating_peak: 1000.0,
        brackets: vec![Bracket {
            id: 100 + id,
            min_rating: None,
            max_rating: None,
            vetoes: VetoRules {
                tokens_per_player: 1,
                max_tokens_per_map: 0,
                minimum_maps_after_veto: 1.0,
            },
            pool: Arc::new(MapPool::new(id, "pool".into(), (1..=3).map(entry))),
        }],
    }
}
