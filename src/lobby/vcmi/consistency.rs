//! What must hold of the lobby and all shards together when nothing is on its way: its books agree, and whoever has gone
//! is forgotten.
//!
//! For whoever drives a [`Simulator`]: random walks, fuzzing. Nothing that runs in a server may call it.

use super::{Vcmi, lobby::Lobby, users::Place};
use crate::simulator::Simulator;

/// Everything that must hold whenever nothing is on its way.
///
/// # Panics
/// If it does not.
pub fn check(sim: &Simulator<Vcmi>) {
    let lobby = lobby(sim);
    assert_eq!(lobby.order.len(), lobby.users.len());
    assert_eq!(lobby.room_names.len(), lobby.rooms.len());
    let played = lobby.sessions.values().filter(|one| one.pipes > 0);
    assert_eq!(lobby.played, played.count());
    for (conn, user) in &lobby.users {
        assert!(
            sim.client(*conn).closed.is_none(),
            "whoever is gone is forgotten"
        );
        if user.is_signed_in() {
            assert_eq!(lobby.names.get(&user.name), Some(conn));
        }
        if let Place::Inside(room) = user.place {
            let players = &lobby.rooms[&room].players;
            assert_eq!(players.iter().filter(|p| p.conn == *conn).count(), 1);
        }
    }
    assert_eq!(lobby.names.len(), lobby.signed_in().count());
    for (id, room) in &lobby.rooms {
        assert_eq!(room.players[0].conn, room.host);
        assert!(room.players.len() <= room.seats);
        for player in &room.players {
            assert_eq!(lobby.users[&player.conn].place, Place::Inside(*id));
        }
    }
}

/// Nobody is there, and nothing that needs somebody.
///
/// # Panics
/// If somebody or something is.
pub fn check_nobody(sim: &Simulator<Vcmi>) {
    let lobby = lobby(sim);
    assert!(lobby.users.is_empty() && lobby.rooms.is_empty() && lobby.pipes.is_empty());
    assert!(lobby.relays.iter().all(|&relays| relays == 0));
    let sessions = lobby.sessions.values();
    assert!(
        sessions
            .into_iter()
            .all(|one| one.pipes == 0 && one.waiting.is_empty())
    );
    assert!((0..sim.shards()).all(|shard| sim.dialect(shard).peers.is_empty()));
}

fn lobby(sim: &Simulator<Vcmi>) -> &Lobby {
    let mut shards = 0..sim.shards();
    let lobby = shards.find_map(|shard| sim.dialect(shard).lobby.as_deref());
    lobby.expect("there is a lobby")
}
