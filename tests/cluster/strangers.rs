//! Whoever is on the bus and is no node of this version: nothing that they say can end or confuse one.

use rand::{RngExt, SeedableRng, rngs::SmallRng};

use crate::{
    checker::check,
    game::{host, join},
    goal,
    lobby::Cluster,
    nats::Stranger,
    until,
};

// The row "version N and N+1 together": what the one does not know of the other is counted, and everything else works.
#[test]
fn letters_that_nobody_knows_are_counted_and_nothing_else() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    cluster.pictures_agree(goal(2));
    let mut stranger = Stranger::connect(cluster.nats.address);
    let uid = host(&mut orion, "heard by a stranger");
    // What nodes say to each other, with a head that nobody has, cut off, or nothing of the kind at all. (Whoever may speak
    // on the bus is trusted not to say what is wrong in the right form.)
    let real = stranger.overheard("muster.>", 200);
    let mut rng = SmallRng::seed_from_u64(1);
    let mut other = |bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        match rng.random_range(0..4) {
            // Magic and version, and the kind.
            0 => bytes[rng.random_range(0..3)] ^= rng.random_range(1..=255),
            1 => bytes[3] = rng.random_range(100..=255),
            2 => bytes.truncate(rng.random_range(0..bytes.len())),
            _ => {
                bytes = (0..rng.random_range(0..2_000))
                    .map(|_| rng.random())
                    .collect()
            }
        }
        bytes
    };
    for _ in 0..20 {
        for (subject, bytes) in &real {
            let changed = other(bytes);
            stranger.publish(subject, &changed);
        }
        stranger.settled();
    }
    until("them to be counted", || {
        let nodes = &cluster.nodes;
        nodes
            .iter()
            .all(|node| node.metric("muster_cluster_letters_dropped_total") > 100.0)
    });
    // Whatever a changed letter may have made anybody believe, it is over soon.
    cluster.agree(2);
    join(&mut vega, uid);
    cluster.pictures_agree(goal(12));
    check(&mut cluster);
}
