//! Getting out of a room: LEAVE, KICK, the room's end, and launchers that are lost (spec: vcmi-proxy 7.11, 7.12, 13.1).

use super::{
    VcmiTurn,
    lobby::{Flow, Lobby},
    message,
    room::RoomId,
    rooms::NO_PERMISSION,
    users::Place,
};
use crate::ConnId;

impl Lobby {
    pub(super) fn leave(&mut self, conn: ConnId, name: &str) -> Flow {
        let place = self.users.get(&conn).map(|user| user.place);
        let (Some(Place::Asking(id) | Place::Inside(id)), Some(place)) = (place, place) else {
            return self.ignore();
        };
        let Some(room) = self.rooms.get(&id).filter(|room| room.name == name) else {
            return self.ignore();
        };
        if room.host == conn {
            self.destroy(id);
            self.spread_sessions();
        } else if place == Place::Asking(id) {
            self.set_place(conn, Place::Outside);
        } else {
            let kicked = message::kicked(name, self.name_of(conn));
            self.send_each(&self.players(id), &kicked);
            self.remove(id, conn);
            if let Some(room) = self.rooms.get_mut(&id) {
                room.players
                    .iter_mut()
                    .for_each(|player| player.ready = false);
            }
            self.send_status(id);
            self.spread_sessions();
        }
        Flow::GoOn
    }

    pub(super) fn kick(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, name: &str) -> Flow {
        let Some((id, room)) = self.inside(conn) else {
            return self.ignore();
        };
        if room.host != conn {
            return self.refuse(conn, NO_PERMISSION);
        }
        let mut guests = room.players.iter().map(|p| p.conn).filter(|&p| p != conn);
        let Some(guest) = guests.find(|&guest| self.name_of(guest) == name) else {
            return self.ignore();
        };
        let kicked = message::kicked(&room.name, name);
        self.send_each(&self.players(id), &kicked);
        self.remove(id, guest);
        self.send_status(id);
        let started = self.start_if_ready(turn, id);
        self.spread_sessions();
        if started {
            self.spread_users();
        }
        Flow::GoOn
    }

    fn remove(&mut self, id: RoomId, conn: ConnId) {
        if let Some(room) = self.rooms.get_mut(&id) {
            room.players.retain(|player| player.conn != conn);
        }
        self.set_place(conn, Place::Outside);
    }

    /// The room is no more; each player is told that they are out.
    pub(super) fn destroy(&mut self, id: RoomId) {
        let Some(room) = self.take_down(id) else {
            return;
        };
        for player in &room.players {
            let kicked = message::kicked(&room.name, self.name_of(player.conn));
            self.send(player.conn, &kicked);
            self.set_place(player.conn, Place::Outside);
        }
    }

    /// A launcher's connection is gone.
    pub(super) fn lost(&mut self, conn: ConnId) {
        let Some(user) = self.forget(conn) else {
            return; // its room has started, or it was no launcher
        };
        if let Some(id) = user.room() {
            if self.rooms.get(&id).is_some_and(|room| room.host == conn) {
                if let Some(room) = self.rooms.get_mut(&id) {
                    room.players.retain(|player| player.conn != conn);
                }
                self.destroy(id);
            } else {
                self.remove(id, conn);
                self.send_status(id);
            }
            self.spread_sessions();
        }
        self.spread_users();
    }
}
