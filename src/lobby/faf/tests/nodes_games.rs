//! Games whose players are on several nodes: joined, launched, over; and what becomes of them when a node is lost, cut off, or
//! the lane to it breaks.

use super::{nodes_support::*, *};

/// A host on node 0, guests on nodes 1, 2 and 0, and the game in its lobby: the first and the last guest's team against the others'.
pub(super) struct Party {
    pub(super) sim: Sim,
    pub(super) paper: Shared,
    pub(super) host: ConnId,
    pub(super) guests: [ConnId; 3],
    pub(super) uid: u32,
}

impl Party {
    pub(super) fn new(seed: u64) -> Party {
        let paper = Shared::default();
        let mut sim = nodes_with(&[1, 2, 1], seed, Settings::default(), paper.clone());
        let host = player_on(&mut sim, 1, 0);
        let guests = [(2, 1), (3, 2), (4, 0)];
        let guests = guests.map(|(id, node)| player_on(&mut sim, id, node));
        let uid = hosted(&mut sim, host, json!({}));
        for guest in guests {
            joined(&mut sim, guest, uid);
        }
        configure(&mut sim, host, 1, 1, 2);
        configure(&mut sim, host, 2, 2, 3);
        configure(&mut sim, host, 3, 3, 3);
        configure(&mut sim, host, 4, 4, 2);
        Party {
            sim,
            paper,
            host,
            guests,
            uid,
        }
    }

    pub(super) fn launched(seed: u64) -> Party {
        let mut party = Party::new(seed);
        state(&mut party.sim, party.host, "Launching");
        party.sim.advance(Duration::from_secs(240));
        for conn in party.all() {
            party.sim.take(conn);
        }
        party
    }

    pub(super) fn all(&self) -> [ConnId; 4] {
        [self.host, self.guests[0], self.guests[1], self.guests[2]]
    }

    /// Team 3 has won, in the words of everybody of these, and their simulations end.
    pub(super) fn ends(&mut self, conns: &[ConnId]) {
        for &conn in conns {
            for (army, text) in [
                (1, "defeat -10"),
                (2, "victory 10"),
                (3, "victory 10"),
                (4, "defeat -10"),
            ] {
                say(&mut self.sim, conn, game("GameResult", json!([army, text])));
            }
        }
        for &conn in conns {
            say(&mut self.sim, conn, game("GameEnded", json!([])));
        }
        tick(&mut self.sim);
    }

    pub(super) fn outcomes(&self) -> Vec<&'static str> {
        let paper = self.paper.borrow();
        let outcome = |id| paper.scores.get(&(self.uid, id)).map_or("", |s| s.1);
        [1, 2, 3, 4].map(outcome).to_vec()
    }

    pub(super) fn rated(&self) -> Vec<u32> {
        self.paper.borrow().rated.clone()
    }

    pub(super) fn games(&self, node: u8) -> usize {
        let first = usize::from(self.sim.first_shard(node));
        let shards = first..first + self.sim.shards_of(node).count();
        let games = shards.map(|shard| self.sim.dialect(shard as u16).roles.games.games.len());
        games.sum()
    }
}

pub(super) const WON: [&str; 4] = ["DEFEAT", "VICTORY", "VICTORY", "DEFEAT"];

#[test]
fn a_game_of_players_on_three_nodes_is_rated_once() {
    for seed in 0..5 {
        let mut party = Party::new(seed);
        let told = state(&mut party.sim, party.host, "Launching");
        assert_eq!(told, [json!(null); 0]);
        for conn in party.all() {
            assert_eq!(state_of(&party.sim, conn), "PLAYING");
        }
        seconds(&mut party.sim, 240);
        party.ends(&party.all());
        assert_eq!(party.outcomes(), WON);
        assert_eq!(party.rated(), [party.uid]);
        for conn in party.all() {
            state(&mut party.sim, conn, "Ended");
            assert_eq!(state_of(&party.sim, conn), "IDLE");
        }
        tick(&mut party.sim);
        assert_eq!(party.games(0), 0);
    }
}

#[test]
fn a_guest_is_connected_to_everybody_on_whatever_node() {
    let mut party = Party::new(1);
    let last = player_on(&mut party.sim, 5, 2);
    for conn in party.all() {
        party.sim.take(conn);
    }
    let told = joined(&mut party.sim, last, party.uid);
    let told: Vec<_> = commands(&told).into_iter().map(str::to_owned).collect();
    assert_eq!(
        told,
        [
            "JoinGame",
            "ConnectToPeer",
            "ConnectToPeer",
            "ConnectToPeer"
        ]
    );
    for conn in party.all() {
        let told = take_own(&mut party.sim, conn);
        assert_eq!(commands(&told), ["ConnectToPeer"]);
    }
    let ice = game("IceMsg", json!([3, "candidate"]));
    say(&mut party.sim, last, ice);
    let heard = take_own(&mut party.sim, party.guests[1]);
    assert_eq!(heard[0]["args"], json!([5, "candidate"]));
}

#[test]
fn a_host_whose_node_is_lost_before_the_launch_leaves_nobody_in_the_game() {
    let mut party = Party::new(1);
    party.sim.lose(0);
    seconds(&mut party.sim, 3);
    for guest in [party.guests[0], party.guests[1]] {
        assert_eq!(state_of(&party.sim, guest), "IDLE");
        assert!(!is_linked(&party.sim, guest));
        hosted(&mut party.sim, guest, json!({}));
    }
}

#[test]
fn guests_whose_node_is_lost_leave_a_lobby_at_once() {
    let mut party = Party::new(1);
    party.sim.take(party.host);
    party.sim.lose(1);
    seconds(&mut party.sim, 3);
    let told = take_own(&mut party.sim, party.host);
    assert_eq!(commands(&told), ["DisconnectFromPeer"]);
    // The third may still come and go.
    state(&mut party.sim, party.guests[1], "Ended");
    let told = take_own(&mut party.sim, party.host);
    assert_eq!(commands(&told), ["DisconnectFromPeer"]);
}

#[test]
fn guests_whose_node_is_lost_come_back_to_a_launched_game_on_another() {
    let mut party = Party::launched(1);
    party.sim.lose(1);
    seconds(&mut party.sim, 5);
    let again = player_on(&mut party.sim, 2, 2);
    let restore = json!({"command": "restore_game_session", "game_id": party.uid});
    assert_eq!(own(say(&mut party.sim, again, restore)), [json!(null); 0]);
    assert_eq!(state_of(&party.sim, again), "PLAYING");
    seconds(&mut party.sim, 20);
    party.ends(&[party.host, again, party.guests[1], party.guests[2]]);
    assert_eq!(party.outcomes(), WON);
    assert_eq!(party.rated(), [party.uid]);
}

#[test]
fn a_launched_game_goes_on_without_who_does_not_come_back() {
    let mut party = Party::launched(1);
    party.sim.lose(1);
    seconds(&mut party.sim, 30);
    party.ends(&[party.host, party.guests[1], party.guests[2]]);
    assert_eq!(party.rated(), [party.uid]);
}

#[test]
fn players_of_a_node_that_was_cut_off_for_a_while_are_in_their_game_as_before() {
    for pause in [1, 5, 60] {
        let mut party = Party::launched(1);
        party.sim.cut(1);
        seconds(&mut party.sim, pause);
        assert_eq!(state_of(&party.sim, party.guests[0]), "PLAYING");
        back(&mut party.sim, 1);
        seconds(&mut party.sim, 30);
        assert_eq!(state_of(&party.sim, party.guests[0]), "PLAYING", "{pause}");
        party.ends(&party.all());
        assert_eq!(party.outcomes(), WON);
        assert_eq!(party.rated(), [party.uid]);
    }
}

#[test]
fn what_was_lost_with_a_lane_is_put_right() {
    for seed in 0..20 {
        let mut party = Party::new(seed);
        party.sim.late = Duration::from_secs(2);
        // The guest leaves, and the host launches; nobody hears of the other.
        party.sim.send(
            party.guests[0],
            game("GameState", json!(["Ended"])).to_string(),
        );
        party.sim.send(
            party.host,
            game("GameState", json!(["Launching"])).to_string(),
        );
        party.sim.step();
        party.sim.step();
        party.sim.break_lane(0, 1);
        seconds(&mut party.sim, 10);
        assert_eq!(state_of(&party.sim, party.host), "PLAYING");
        assert_eq!(state_of(&party.sim, party.guests[1]), "PLAYING");
        assert_eq!(state_of(&party.sim, party.guests[0]), "IDLE");
        let games = &party.sim.dialect(0).roles.games.games;
        let members = games[&party.uid].members.iter();
        let members: Vec<u32> = members.map(|m| m.seat.player_id).collect();
        assert_eq!(members, [1, 3, 4], "seed {seed}");
    }
}

#[test]
fn an_island_refuses_to_host_and_lets_its_own_join_its_games() {
    let mut party = Party::new(1);
    let here = hosted_by(&mut party.sim, 5, 1);
    party.sim.cut(1);
    seconds(&mut party.sim, 3);
    let other = player_on(&mut party.sim, 6, 1);
    let refused = say(
        &mut party.sim,
        other,
        json!({"command": "game_host", "visibility": "public"}),
    );
    assert!(texts(&refused)[0].contains("lost touch"), "{refused:?}");
    let search =
        json!({"command": "game_matchmaking", "queue_name": "ladder1v1", "state": "start"});
    let refused = say(&mut party.sim, other, search);
    assert!(texts(&refused)[0].contains("lost touch"), "{refused:?}");
    joined(&mut party.sim, other, here);
    back(&mut party.sim, 1);
    assert!(is_linked(&party.sim, other));
}

fn hosted_by(sim: &mut Sim, id: u32, node: u8) -> u32 {
    let host = player_on(sim, id, node);
    hosted(sim, host, json!({}))
}
