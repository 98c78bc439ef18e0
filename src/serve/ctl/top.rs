//! How busy the server is, for a screen: what each shard has done, who is where, who is slow. Counts since the start; whoever asks
//! makes rates of two answers.

use muster::{
    backoffice::unix_now,
    control_socket::{LobbyLoad, ShardLoad, Top},
    lobby::operator::{Row, Subject, Totals, Wanted},
};

use super::Desk;
use crate::serve::figures::Figures;

/// Slow connections that are shown.
const SHOWN: usize = 10;
/// Slow connections that are looked at, for those that are owed most.
const LOOKED_AT: u32 = 200;

impl Desk {
    /// How busy the server is.
    pub(super) async fn top(&self) -> Top {
        let (mut slow, mut lobbies) = (Vec::new(), Vec::new());
        for one in self.lobbies_that_are_on() {
            let one = vec![one];
            let (subject, wanted) = (Subject::Connections, Wanted::Slow);
            let listing = self.shards.list(subject, &one, &wanted, LOOKED_AT).await;
            slow.extend(listing.rows);
            let mut load = LobbyLoad {
                lobby: one[0].0.to_owned(),
                ..LobbyLoad::default()
            };
            let (subject, wanted) = (Subject::Totals, Wanted::Any);
            let totals = self.shards.list(subject, &one, &wanted, u32::MAX).await;
            for row in totals.rows {
                if let Row::Totals(Totals { players, games }) = row.row {
                    load.players += players;
                    load.games += games;
                }
            }
            lobbies.push(load);
        }
        slow.sort_by_key(|listed| match &listed.row {
            Row::Connection(conn) => std::cmp::Reverse(conn.owed),
            _ => std::cmp::Reverse(0),
        });
        slow.truncate(SHOWN);
        let figures = Figures::of(self.registry());
        Top {
            status: self.status(&figures),
            at: unix_now(),
            shards: shard_loads(&figures, self.controlled.mesh.shards()),
            lobbies,
            slow,
            store_failures: figures.whole("db_exceptions_total"),
            asks_under_way: figures.whole("muster_backoffice_in_flight"),
            broker_backlog: figures.whole("muster_broker_backlog"),
        }
    }
}

fn shard_loads(figures: &Figures, shards: u16) -> Vec<ShardLoad> {
    let of_shards = |name| {
        let by_shard = figures.by(name, ["shard"]);
        move |shard: u16| by_shard.get(&[&*shard.to_string()]).copied().unwrap_or(0.0)
    };
    let cpu = of_shards("muster_shard_cpu_seconds_total");
    let accepted = of_shards("muster_accepted_total");
    let ended = of_shards("muster_ended_total");
    let frames_in = of_shards("muster_frames_in_total");
    let single = of_shards("muster_messages_out_total");
    let broadcast = of_shards("muster_deliveries_total");
    let bytes_in = of_shards("muster_bytes_in_total");
    let bytes_out = of_shards("muster_bytes_out_total");
    let loads = (0..shards).map(|shard| ShardLoad {
        connections: (accepted(shard) - ended(shard)).max(0.0) as u64,
        cpu_s: cpu(shard),
        frames_in: frames_in(shard) as u64,
        messages_out: (single(shard) + broadcast(shard)) as u64,
        bytes_in: bytes_in(shard) as u64,
        bytes_out: bytes_out(shard) as u64,
    });
    loads.collect()
}
