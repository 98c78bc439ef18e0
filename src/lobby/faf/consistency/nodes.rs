//! What must hold of a lobby on several nodes besides, when nothing is on its way, all nodes reach each other, and whatever
//! was lost with a node has been given up.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::{ConnId, ShardId, faf::Faf, simulator::Simulator};

/// Who is online: claim, connection, and what is shown of them. Which games there are: owner, and what is shown.
type Picture = (
    BTreeMap<u32, (u64, ConnId, Bytes)>,
    BTreeMap<u32, (ShardId, Bytes)>,
);

/// Every account is claimed once, by who is signed in as it, at its home; every shard of every node shows the same; nobody is
/// kept waiting.
///
/// # Panics
/// If something does not hold; `seed` is named.
pub fn check(sim: &Simulator<Faf>, seed: u64) {
    let shards = sim.all_shards();
    let nodes_reach = sim
        .nodes()
        .all(|n| !sim.is_running(n) || sim.is_reachable(n));
    assert!(nodes_reach, "seed {seed}: a node is not reached");
    let first = picture(sim.dialect_on(shards[0]));
    let (mut online, mut claims) = (Vec::new(), 0);
    for &shard in &shards {
        let roles = &sim.dialect_on(shard).roles;
        let shown = picture(sim.dialect_on(shard));
        assert_eq!(shown, first, "seed {seed}: {shard:?} and {:?}", shards[0]);
        claims += roles.registry.claims().count();
        for (session, player) in roles.sessions.table.players() {
            let id = player.account.id;
            assert!(!session.closing, "seed {seed}: {id} is only half gone");
            online.push((id, player.epoch, session.conn));
            let home = &sim.dialect_on(roles.topology.home(id)).roles;
            let claim = home.registry.claim_of(id);
            assert_eq!(claim, Some(session.conn), "seed {seed}: claim of {id}");
        }
        let sessions = roles.sessions.table.iter();
        for session in sessions.filter(|session| !session.closing) {
            let is_held = sim.client(session.conn).held;
            assert!(!is_held, "seed {seed}: {:?} is held", session.conn);
        }
        assert!(roles.waits_for_nothing(), "seed {seed}");
    }
    online.sort_unstable();
    let shown: Vec<_> = first.0.iter().map(|(&id, of)| (id, of.0, of.1)).collect();
    assert_eq!(online, shown, "seed {seed}");
    assert_eq!(claims, online.len(), "seed {seed}: claims of nobody");
}

fn picture(faf: &Faf) -> Picture {
    let picture = &faf.roles.directory.picture;
    let players = picture.players().map(|player| {
        let text = picture.text_of(player.id).unwrap_or_default();
        (player.id, (player.epoch, player.conn, text))
    });
    let games = picture
        .games()
        .map(|game| (game.uid, (game.owner, game.text())));
    (players.collect(), games.collect())
}
