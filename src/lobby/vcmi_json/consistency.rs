//! What must hold of the lobby and all shards together when nothing is on its way: its books agree, and whoever has gone
//! is forgotten.
//!
//! For whoever drives a [`Simulator`]: random walks, fuzzing. Nothing that runs in a server may call it.

use super::{
    VcmiJson,
    lobby::{Lobby, Peer},
    questions::Status,
};
use crate::simulator::Simulator;

/// Everything that must hold whenever nothing is on its way.
///
/// # Panics
/// If it does not.
pub fn check(sim: &Simulator<VcmiJson>) {
    let lobby = lobby(sim);
    assert_eq!(lobby.ids.len(), lobby.accounts.len());
    assert_eq!(lobby.room_ids.len(), lobby.rooms.len());
    for (number, online) in &lobby.accounts {
        assert_eq!(lobby.ids.get(&online.id), Some(number));
        assert_eq!(lobby.peers.get(&online.conn), Some(&Peer::Account(*number)));
    }
    for (conn, peer) in &lobby.peers {
        assert!(
            sim.client(*conn).closed.is_none(),
            "whoever is gone is forgotten"
        );
        match peer {
            Peer::Account(number) => assert_eq!(lobby.accounts[number].conn, *conn),
            Peer::MatchServer(room) => assert_eq!(lobby.rooms[room].control, *conn),
            Peer::Waiting(room) => {
                let waiting = &lobby.rooms[room].waiting;
                assert!(waiting.iter().any(|one| one.conn == *conn));
            }
            Peer::Stranger | Peer::Relayed(_) => {}
        }
    }
    let mut inside = 0;
    for (number, room) in &lobby.rooms {
        assert_eq!(lobby.room_ids.get(&room.id), Some(number));
        assert!(room.participants.len() <= room.player_limit as usize);
        assert!(room.status != Status::Idle || room.participants.is_empty());
        for one in &room.participants {
            assert_eq!(lobby.inside.get(&one.id), Some(number));
            inside += 1;
        }
    }
    assert_eq!(lobby.inside.len(), inside);
    let clients: u32 = lobby.clients.iter().sum();
    assert_eq!(clients as usize, lobby.accounts.len());
}

/// Nobody is there, and nothing that needs somebody.
///
/// # Panics
/// If somebody or something is.
pub fn check_nobody(sim: &Simulator<VcmiJson>) {
    let lobby = lobby(sim);
    assert!(lobby.peers.is_empty() && lobby.accounts.is_empty() && lobby.rooms.is_empty());
    assert!(lobby.journal.is_idle() && lobby.relays.iter().all(|&relays| relays == 0));
    assert!((0..sim.shards()).all(|shard| sim.dialect(shard).peers.is_empty()));
}

fn lobby(sim: &Simulator<VcmiJson>) -> &Lobby {
    let mut shards = 0..sim.shards();
    let lobby = shards.find_map(|shard| sim.dialect(shard).lobby.as_deref());
    lobby.expect("there is a lobby")
}
