//! What `muster ctl` of one node does about players on another one.

use crate::{checker::check, goal, lobby::Cluster, until};

#[test]
fn an_operator_of_one_node_reaches_players_on_all() {
    let Some(mut cluster) = Cluster::start(2) else {
        return;
    };
    let mut orion = cluster.sign_in(0, "orion");
    let mut vega = cluster.sign_in(1, "vega");
    let lyra = cluster.sign_in(1, "lyra");
    cluster.pictures_agree(goal(2));

    let said = cluster.nodes[0].ctl(&["broadcast", "Tea is ready"]);
    assert!(said.contains("told 3 players"), "{said}");
    for player in [&mut orion, &mut vega] {
        player.until("the word", |message| message["text"] == "Tea is ready");
    }
    let said = cluster.nodes[0].ctl(&["players"]);
    assert!(said.contains("orion") && !said.contains("vega"), "{said}");
    assert!(said.contains("other nodes of the lobby: 1"), "{said}");

    let said = cluster.nodes[0].ctl(&["kick", "Vega", "--reason", "rude"]);
    assert!(said.contains("thrown out: vega (faf, node "), "{said}");
    until("vega to be out", || !vega.heard.is_in());
    let back = cluster.sign_in(1, "vega");
    let said = cluster.nodes[0].ctl(&["kick", "nobody", "--reason", "rude"]);
    assert!(said.contains("nobody called nobody"), "{said}");

    let ban = [
        "ban", "lyra", "--lobby", "faf", "--for", "1h", "--reason", "rude",
    ];
    let said = cluster.nodes[0].ctl(&ban);
    assert!(said.contains("thrown out"), "{said}");
    until("lyra to be out", || !lyra.heard.is_in());
    for node in [0, 1] {
        let mut refused = cluster.greeting(node, "lyra");
        let list = refused.or_end("the lists", |message| message["command"] == "game_info");
        assert!(list.is_none(), "she is kept out on node {node}");
    }
    let said = cluster.nodes[1].ctl(&["unban", "lyra", "--lobby", "faf"]);
    assert!(said.contains("may come back"), "{said}");
    let _lyra = cluster.sign_in(0, "lyra");
    assert!(orion.heard.is_in() && back.heard.is_in());
    check(&mut cluster);
}
