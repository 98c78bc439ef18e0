//! What must hold of all shards together when nothing is on its way and ticks have told everything: the books of the
//! roles agree, and what is over is forgotten.
//!
//! For whoever drives a [`Simulator`]: random walks, fuzzing. It looks at every shard's state, which no turn may, so nothing
//! that runs in a server may call it.

pub mod nodes;

use super::{Faf, model::seat::LoginId};
use crate::{ShardId, simulator::Simulator};

/// Claims, sessions and pictures agree, and links with games.
///
/// # Panics
/// If something does not; `seed` is named.
pub fn check(sim: &Simulator<Faf>, seed: u64) {
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
fn check_coordinator(sim: &Simulator<Faf>, seed: u64) {
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

/// Nobody is in a game, and nothing about any is left or waited for.
///
/// # Panics
/// If something is; `seed` is named.
pub fn check_no_games(sim: &Simulator<Faf>, seed: u64) {
    for shard in 0..sim.shards() {
        let roles = &sim.dialect(shard).roles;
        let games = &roles.games.games;
        assert!(games.is_empty(), "seed {seed}: {games:?}");
        assert_eq!(roles.directory.picture.games().count(), 0, "seed {seed}");
        for session in roles.sessions.table.iter() {
            assert_eq!(session.state.name(), "IDLE", "seed {seed}");
        }
        assert!(roles.waits_for_nothing(), "seed {seed}");
    }
}

/// Nobody is there, and nothing about anybody who was.
///
/// # Panics
/// If something is; `seed` is named.
pub fn check_nobody(sim: &Simulator<Faf>, seed: u64) {
    for shard in 0..sim.shards() {
        let roles = &sim.dialect(shard).roles;
        assert!(roles.registry.is_empty(), "seed {seed}");
        assert_eq!(roles.directory.picture.players().count(), 0, "seed {seed}");
        assert_eq!(roles.coordinator.members().count(), 0, "seed {seed}");
        assert_eq!(roles.coordinator.parties().count(), 0, "seed {seed}");
        let mut sessions = roles.sessions.table.iter();
        assert!(
            sessions.all(|session| session.player.is_none()),
            "seed {seed}"
        );
    }
}

impl super::Roles {
    /// Whether no answer of the back office is waited for.
    pub(super) fn waits_for_nothing(&self) -> bool {
        self.sessions.pending.is_empty()
            && self.games.pending.is_empty()
            && self.coordinator.pending.is_empty()
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
