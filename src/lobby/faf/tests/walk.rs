//! Many clients do random things on three shards while mail is late; afterwards everything must fit together.

use metrics::report;
use rand::{RngExt, SeedableRng, rngs::SmallRng};

use super::*;
use crate::{
    ShardId,
    faf::{Metrics, model::seat::LoginId},
};

pub(super) const SHARDS: u16 = 3;

/// One or a few frames; `uid` is a game that somebody has heard of.
pub(super) fn random_frames(rng: &mut SmallRng, uid: u32) -> Vec<Value> {
    let id = rng.random_range(1..14);
    let state = |state: &str| game("GameState", json!([state]));
    let host = json!({"command": "game_host",
        "visibility": if id % 3 == 0 { "friends" } else { "public" },
        "enforce_rating_range": id % 4 == 0, "rating_min": 100});
    let join = json!({"command": "game_join", "uid": uid});
    let command = |command: &str| json!({"command": command, "foe": id});
    match rng.random_range(0..40) {
        0 => vec![hello(id)],
        1 => vec![json!({"command": "auth", "token": format!("p{id}"), "unique_id": ""})],
        2 => vec![host],
        3..=5 => vec![host, state("Idle"), state("Lobby")],
        6..=8 => vec![join],
        9..=17 => vec![join, state("Idle"), state("Lobby")],
        18 | 19 => vec![json!({"command": "restore_game_session", "game_id": uid})],
        20 => vec![state("Idle")],
        21 => vec![state("Lobby")],
        22 => vec![state("Launching")],
        23..=27 => vec![state("Ended")],
        28..=31 => vec![game("PlayerOption", json!([id, "Army", 1]))],
        32 | 33 => vec![game("IceMsg", json!([id, "x"]))],
        34 => vec![game("GameEnded", json!([]))],
        35 => vec![command("social_add")],
        36 => vec![command("social_remove")],
        37 => vec![game("GameResult", json!([1, "victory 10"]))],
        38 => vec![json!({"command": "game_join", "uid": 1})],
        _ => vec![game("GameMods", json!(["uids", "a b"]))],
    }
}

/// The same for parties, among few players so that they meet.
pub(super) fn party_frames(rng: &mut SmallRng, _: u32) -> Vec<Value> {
    let id = rng.random_range(1..6);
    match rng.random_range(0..12) {
        0 => vec![hello(id)],
        1..=4 => vec![json!({"command": "invite_to_party", "recipient_id": id})],
        5..=7 => vec![json!({"command": "accept_party_invite", "sender_id": id})],
        8 => vec![json!({"command": "kick_player_from_party", "kicked_player_id": id})],
        9 => vec![json!({"command": "leave_party"})],
        10 => vec![json!({"command": "set_party_factions", "factions": [id]})],
        _ => vec![
            json!({"command": "game_host", "visibility": "public"}),
            game("GameState", json!(["Ended"])),
        ],
    }
}

/// Players, id and claim, and games, uid and owner, that a shard knows of.
type Beliefs = (Vec<(u32, u64)>, Vec<(u32, ShardId)>);

/// What a shard believes about players: id, claim; and about games: uid, owner.
fn beliefs(faf: &Faf) -> Beliefs {
    let mut players: Vec<_> = faf
        .roles
        .directory
        .picture
        .players()
        .map(|p| (p.id, p.epoch))
        .collect();
    players.sort_unstable();
    (
        players,
        faf.roles
            .directory
            .picture
            .games()
            .map(|g| (g.uid, g.owner))
            .collect(),
    )
}

#[test]
fn random_walk_comes_to_rest() {
    let total = Metrics::default();
    for seed in 0..150 {
        let sim = walk(seed, 14, random_frames);
        for shard in 0..SHARDS {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.games_hosted.add(metrics.games_hosted.value());
            total.joins.add(metrics.joins.value());
            total.evictions.add(metrics.evictions.value());
            total.setup_timeouts.add(metrics.setup_timeouts.value());
        }
    }
    // A walk that does nothing proves nothing.
    let Metrics {
        games_hosted,
        joins,
        evictions,
        setup_timeouts,
        ..
    } = &total;
    let told = report(&[&total]);
    assert!(games_hosted.value() > 500 && joins.value() > 300, "{told}");
    assert!(
        evictions.value() > 300 && setup_timeouts.value() > 100,
        "{told}"
    );
}

#[test]
fn parties_come_to_rest() {
    let total = Metrics::default();
    for seed in 0..150 {
        let sim = walk(seed, 6, party_frames);
        for shard in 0..SHARDS {
            let metrics = &sim.dialect(shard).roles.metrics;
            total.party_joins.add(metrics.party_joins.value());
            total.evictions.add(metrics.evictions.value());
        }
    }
    assert!(
        total.party_joins.value() > 500 && total.evictions.value() > 300,
        "{}",
        report(&[&total])
    );
}

/// A walk of players with ids below `ids`.
fn walk(seed: u64, ids: u32, frames: fn(&mut SmallRng, u32) -> Vec<Value>) -> Sim {
    let sim = simulator(SHARDS, seed, Settings::default());
    walk_in(sim, seed, ids, frames)
}

/// The same in a simulator that was made for it.
pub(super) fn walk_in(
    mut sim: Sim,
    seed: u64,
    ids: u32,
    frames: fn(&mut SmallRng, u32) -> Vec<Value>,
) -> Sim {
    sim.eager = seed.is_multiple_of(3);
    let mut rng = SmallRng::seed_from_u64(!seed);
    let mut conns: Vec<ConnId> = (0..ids as u16 - 2)
        .map(|i| sim.connect(i % SHARDS))
        .collect();
    for (i, &conn) in conns.iter().enumerate() {
        sim.send(conn, hello(i as u32 + 1).to_string());
    }
    for _ in 0..400 {
        let at = rng.random_range(0..conns.len());
        match rng.random_range(0..60) {
            0 => sim.disconnect(conns[at]),
            1 => sim.advance(Duration::from_millis(rng.random_range(1..2500))),
            2 => sim.advance(Duration::from_secs(rng.random_range(1..40))),
            _ => {
                let shard = rng.random_range(0..SHARDS);
                let games: Vec<u32> = sim
                    .dialect(shard)
                    .roles
                    .directory
                    .picture
                    .games()
                    .map(|g| g.uid)
                    .collect();
                let uid = *games
                    .get(rng.random_range(0..games.len().max(1)))
                    .unwrap_or(&100);
                for frame in frames(&mut rng, uid) {
                    sim.send(conns[at], frame.to_string());
                }
            }
        }
        if sim.client(conns[at]).closed.is_some() {
            conns[at] = sim.connect(rng.random_range(0..SHARDS));
            sim.send(conns[at], hello(rng.random_range(1..ids)).to_string());
        }
        for _ in 0..rng.random_range(0..12) {
            sim.step();
        }
    }
    sim.settle();
    check(&mut sim, seed);
    // Everybody's game ends, and with the last tick everything about games is gone.
    for &conn in &conns {
        sim.send(conn, game("GameState", json!(["Ended"])).to_string());
    }
    sim.advance(Duration::from_secs(3));
    check(&mut sim, seed);
    for shard in 0..SHARDS {
        let faf = sim.dialect(shard);
        assert!(
            faf.roles.games.games.is_empty(),
            "seed {seed}: {:?}",
            faf.roles.games.games
        );
        assert_eq!(
            faf.roles.directory.picture.games().count(),
            0,
            "seed {seed}"
        );
        for session in faf.roles.sessions.table.iter() {
            assert_eq!(session.state.name(), "IDLE", "seed {seed}");
        }
        assert!(faf.roles.waits_for_nothing(), "seed {seed}");
    }
    for &conn in &conns {
        assert!(
            sim.client(conn).closed.is_some() || !sim.client(conn).held,
            "seed {seed}: held"
        );
        sim.disconnect(conn);
    }
    sim.advance(Duration::from_secs(2));
    for shard in 0..SHARDS {
        let faf = sim.dialect(shard);
        assert!(faf.roles.registry.is_empty(), "seed {seed}");
        assert_eq!(
            faf.roles.directory.picture.players().count(),
            0,
            "seed {seed}"
        );
        assert_eq!(faf.roles.coordinator.members().count(), 0, "seed {seed}");
        assert_eq!(faf.roles.coordinator.parties().count(), 0, "seed {seed}");
        assert_eq!(
            faf.roles
                .sessions
                .table
                .iter()
                .filter(|s| s.player.is_some())
                .count(),
            0
        );
    }
    sim
}

/// Claims, sessions and pictures agree, and links with games.
pub(super) fn check(sim: &mut Sim, seed: u64) {
    sim.advance(Duration::from_secs(2));
    let first = beliefs(sim.dialect(0));
    let mut online = Vec::new();
    for shard in 0..sim.shards() {
        let faf = sim.dialect(shard);
        assert_eq!(beliefs(faf), first, "seed {seed}, shard {shard}");
        for (session, player) in faf
            .roles
            .sessions
            .table
            .players()
            .filter(|(s, _)| !s.closing)
        {
            online.push((player.account.id, player.epoch));
            if let Some(link) = &session.link {
                let owner = sim.dialect_on(link.owner);
                let game = owner.roles.games.games.get(&link.seat.uid);
                assert!(
                    game.is_some_and(|g| g.has(&link.seat)),
                    "seed {seed}: {link:?}"
                );
            } else {
                // The state of somebody without a game is what the coordinator has them down for.
                let coordinator = &sim.dialect(0).roles.coordinator.matchmaker;
                let login_id = LoginId {
                    player_id: player.account.id,
                    conn: session.conn,
                    epoch: player.epoch,
                };
                assert!(
                    coordinator.agrees_with(&login_id, session.state),
                    "seed {seed}: {login_id:?} is {:?}",
                    session.state
                );
            }
        }
        for seat in faf
            .roles
            .games
            .games
            .values()
            .flat_map(|g| g.members.iter().map(|m| m.seat).chain(g.waiting.clone()))
        {
            let session = sim
                .dialect_of(seat.conn)
                .roles
                .sessions
                .table
                .get(seat.conn);
            let link = session.and_then(|s| s.link.as_deref());
            assert_eq!(link.map(|l| l.seat), Some(seat), "seed {seed}");
        }
    }
    check_coordinator(sim, seed);
    online.sort_unstable();
    assert_eq!(online, first.0, "seed {seed}");
}

/// The coordinator knows exactly those who have been introduced, as what they are, and each is in the party that lists them.
fn check_coordinator(sim: &Sim, seed: u64) {
    let coordinator = &sim.dialect(0).roles.coordinator;
    let mut introduced = Vec::new();
    for shard in 0..sim.shards() {
        for (session, player) in sim.dialect(shard).roles.sessions.table.players() {
            if session.in_coordinator {
                let online = coordinator.member(player.account.id);
                let known = online.map(|v| (v.login_id.conn, v.login_id.epoch, v.state));
                assert_eq!(
                    known,
                    Some((session.conn, player.epoch, session.state)),
                    "seed {seed}"
                );
                introduced.push(player.account.id);
            }
        }
    }
    let mut present: Vec<u32> = coordinator
        .members()
        .map(|v| v.login_id.player_id)
        .collect();
    introduced.sort_unstable();
    present.sort_unstable();
    assert_eq!(present, introduced, "seed {seed}");
    let mut members = 0;
    for (owner, party) in coordinator.parties() {
        assert_eq!(party.members[0].player_id, owner, "seed {seed}");
        for member in &party.members {
            assert_eq!(
                coordinator.owner_of(member.player_id),
                Some(owner),
                "seed {seed}"
            );
            members += 1;
        }
    }
    let in_parties = present
        .iter()
        .filter(|&&id| coordinator.owner_of(id).is_some());
    assert_eq!(in_parties.count(), members, "seed {seed}");
}
