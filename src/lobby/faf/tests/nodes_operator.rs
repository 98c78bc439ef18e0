//! What an operator of one node does about players on all of them, and when a node that joins knows them.

use super::{nodes_support::*, *};
use crate::{
    Closing, Dialect, Protocol, ShardId,
    operator::{Act, Done, Farewell, Mark, Order, Player, Query, Row, Subject, Wanted},
};

/// What the first shard of a node says of players on the others.
fn elsewhere(sim: &mut Sim, node: u8, wanted: Wanted) -> Vec<Player> {
    let query = Query {
        protocol: Some(Protocol::default()),
        subject: Subject::Elsewhere,
        wanted,
        from: Mark::Start,
    };
    let shard = sim.first_shard(node);
    let rows = sim.list(shard, &query).into_iter();
    let players = rows.map(|row| match row {
        Row::Player(player) => player,
        row => panic!("{row:?}"),
    });
    players.collect()
}

/// All shards of a node are ordered something.
fn order(sim: &mut Sim, node: u8, act: &Act) -> Vec<Done> {
    let order = Order {
        protocol: Protocol::default(),
        act: act.clone(),
    };
    let first = sim.first_shard(node);
    let shards = sim.shards_of(node).count() as u16;
    let mut done = Vec::new();
    for shard in first..first + shards {
        sim.with(shard, |faf, turn| done.push(faf.on_order(turn, &order)));
    }
    sim.settle();
    done
}

fn dismissal(player: &Player) -> Act {
    Act::Dismiss {
        conn: player.conn,
        id: player.id.expect("everybody has an account"),
        farewell: Farewell::Kicked {
            reason: "no".to_owned(),
        },
    }
}

#[test]
fn somebody_is_thrown_out_on_whatever_node_they_are() {
    let mut sim = nodes(&[1, 2, 1], 1);
    let conns: Vec<ConnId> = (1..10)
        .map(|id| player_on(&mut sim, id, (id % 3) as u8))
        .collect();
    tick(&mut sim);
    let all = elsewhere(&mut sim, 0, Wanted::Any);
    let mut ids: Vec<u64> = all.iter().filter_map(|player| player.id).collect();
    ids.sort_unstable();
    assert_eq!(ids, [1, 2, 4, 5, 7, 8]);
    let named = elsewhere(&mut sim, 0, Wanted::Name("P5".to_owned()));
    let [player] = &named[..] else {
        panic!("{named:?}");
    };
    assert_eq!((player.conn, player.id), (conns[4], Some(5)));
    sim.take(conns[4]);
    assert_eq!(order(&mut sim, 0, &dismissal(player))[0], Done::Of(1));
    let told = take_own(&mut sim, conns[4]);
    assert_eq!(
        (&told[0]["style"], &told[0]["text"]),
        (&json!("kick"), &json!("no"))
    );
    assert_eq!(sim.client(conns[4]).closed, Some(Closing::Flushed));
    // Nobody else, and not whoever comes after them.
    let back = player_on(&mut sim, 5, 1);
    tick(&mut sim);
    assert_eq!(order(&mut sim, 0, &dismissal(player))[0], Done::Of(0));
    let others = conns.iter().filter(|conn| **conn != conns[4]);
    assert!(
        others
            .chain([&back])
            .all(|conn| sim.client(*conn).closed.is_none())
    );
    // An island reaches its own people only.
    sim.cut(0);
    seconds(&mut sim, 3);
    let [player] = &elsewhere(&mut sim, 0, Wanted::Number(5))[..] else {
        panic!("it shows what it knew");
    };
    assert_eq!(order(&mut sim, 0, &dismissal(player))[0], Done::Of(0));
}

#[test]
fn everybody_on_all_nodes_is_told() {
    let mut sim = nodes(&[2, 1], 1);
    let conns = [(1, 0), (2, 1), (3, 1)].map(|(id, node)| player_on(&mut sim, id, node));
    tick(&mut sim);
    for conn in conns {
        sim.take(conn);
    }
    let done = order(&mut sim, 0, &Act::Broadcast("Tea is ready".to_owned()));
    let told = done.iter().map(|done| match done {
        Done::Of(count) => *count,
        done => panic!("{done:?}"),
    });
    assert_eq!(told.sum::<u32>(), 3);
    for conn in conns {
        let told = take_own(&mut sim, conn);
        assert_eq!(texts(&told), ["Tea is ready"]);
    }
}

#[test]
fn a_node_that_joins_knows_what_the_others_have_before_it_says_so() {
    let mut sim = nodes(&[2, 1, 1], 1);
    let is_caught_up = |sim: &Sim, node| {
        let mut shards = sim.shards_of(node);
        shards.all(|shard| sim.dialect_on(shard).is_caught_up())
    };
    for id in 1..6 {
        player_on(&mut sim, id, 0);
    }
    assert!((0..3).all(|node| is_caught_up(&sim, node)));
    sim.lose(1);
    seconds(&mut sim, 3);
    sim.late = Duration::from_secs(2);
    sim.rejoin(1);
    loaded(&mut sim, 1);
    let shows_all = |sim: &Sim| {
        let shard = ShardId::new(1, 0);
        let picture = &sim.dialect_on(shard).roles.directory.picture;
        picture.players().count() == 5
    };
    let mut was_behind = false;
    for _ in 0..200 {
        was_behind |= !is_caught_up(&sim, 1);
        assert!(!is_caught_up(&sim, 1) || shows_all(&sim));
        assert!(
            is_caught_up(&sim, 2),
            "those who were there wait for nobody"
        );
        sim.advance(Duration::from_millis(50));
    }
    assert!(was_behind && is_caught_up(&sim, 1));
    // One that is lost meanwhile is not waited for.
    sim.lose(1);
    seconds(&mut sim, 3);
    sim.rejoin(1);
    sim.lose(2);
    seconds(&mut sim, 10);
    assert!(is_caught_up(&sim, 1));
    // One that is cut off knows nothing for sure.
    sim.cut(1);
    seconds(&mut sim, 3);
    assert!(!is_caught_up(&sim, 1));
}
