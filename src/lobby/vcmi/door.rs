//! A shard's own part: what kind of connection each of its sockets is, and the way to the hall and back.
//!
//! A packet goes to the hall undecoded; the connection waits until the hall has handled it, so that nobody can have more
//! than one packet on the way. A game's handshake is read here, since it concerns nobody else.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;

use super::{
    Timer, Vcmi, VcmiTurn,
    hall::Hall,
    handshake::{Handshake, Next, Role},
    mail::{Delivery, Mail, ToHall},
    syntax,
};
use crate::{Audience, Closing, ConnId};

/// A connection of this shard.
#[derive(Debug)]
pub(super) enum Guest {
    /// It has not sent a whole packet: it is neither, and in no list (spec: vcmi-proxy 3).
    Fresh { address: IpAddr, accepted: Duration },
    /// A launcher.
    Launcher { signed_in: bool },
    /// A game that is still greeting.
    Greeting(Box<Handshake>),
    /// A game that waits for the other one, or is relayed.
    Game,
}

impl Guest {
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self, Guest::Greeting(_) | Guest::Game)
    }
}

impl Vcmi {
    pub(super) fn knocked(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, address: IpAddr) {
        let accepted = turn.now.mono;
        self.guests.insert(conn, Guest::Fresh { address, accepted });
        turn.wake_at(accepted + self.settings.handshake, Timer::Handshake(conn));
        self.tell_hall(turn, ToHall::Knock { address });
    }

    /// A frame arrived: a packet, or in a game's handshake a frame or the single byte.
    pub(super) fn frame(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, body: &[u8]) {
        let Some(guest) = self.guests.get_mut(&conn) else {
            return;
        };
        if let Guest::Fresh { address, accepted } = *guest {
            if syntax::is_game(body) {
                *guest = Guest::Greeting(Box::default());
                self.tell_hall(turn, ToHall::Pipe { conn });
            } else {
                *guest = Guest::Launcher { signed_in: false };
                let enter = ToHall::Enter {
                    conn,
                    address,
                    accepted,
                };
                self.tell_hall(turn, enter);
            }
        }
        match self.guests.get_mut(&conn) {
            Some(Guest::Launcher { .. }) => {
                if self.hall.is_none() {
                    turn.hold(conn);
                }
                let body = Bytes::copy_from_slice(body);
                self.tell_hall(turn, ToHall::Packet { conn, body });
            }
            Some(Guest::Greeting(handshake)) => {
                let next = handshake.frame(body);
                self.greeted(turn, conn, next);
            }
            Some(Guest::Fresh { .. } | Guest::Game) | None => {}
        }
    }

    fn greeted(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, next: Next) {
        match next {
            Next::Frame => {}
            Next::Flag => turn.bare(conn, 1),
            Next::Broken => {
                self.counters.pipes_refused += 1;
                turn.close(conn, Closing::Flushed);
            }
            Next::Done => {
                let Some(Guest::Greeting(handshake)) = self.guests.insert(conn, Guest::Game) else {
                    return;
                };
                // What it sends before the other side is there stays unread (spec: vcmi-proxy 10.2).
                turn.watch(conn);
                let greeted = ToHall::Greeted {
                    conn,
                    role: handshake.role.unwrap_or(Role::Other),
                    uuid: handshake.uuid.unwrap_or_default(),
                    greeting: handshake.greeting.into(),
                    at: turn.now.mono,
                };
                self.tell_hall(turn, greeted);
            }
        }
    }

    pub(super) fn left(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        match self.guests.remove(&conn) {
            Some(Guest::Fresh { .. }) | None => {}
            Some(_) => self.tell_hall(turn, ToHall::Gone { conn }),
        }
    }

    pub(super) fn handshake_timed_out(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        match self.guests.get(&conn) {
            None | Some(Guest::Game | Guest::Launcher { signed_in: true }) => {}
            Some(_) => {
                self.counters.handshake_timeouts += 1;
                turn.close(conn, Closing::Flushed);
            }
        }
    }

    /// Tells the hall, which may be here.
    pub(super) fn tell_hall(&mut self, turn: &mut VcmiTurn<'_>, knock: ToHall) {
        if self.hall.is_some() {
            self.in_hall(turn, |hall, turn| hall.take(turn, knock));
        } else {
            turn.mail(self.hall_shard, Mail::ToHall(knock));
        }
    }

    /// Has the hall do something, if it is here, and sends out what comes of it: one letter to each shard.
    pub(super) fn in_hall<'a>(
        &mut self,
        turn: &mut VcmiTurn<'a>,
        input: impl FnOnce(&mut Hall, &mut VcmiTurn<'a>),
    ) {
        let Some(hall) = &mut self.hall else {
            return;
        };
        input(hall, turn);
        for (shard, deliveries) in hall.letters() {
            if shard == turn.shard {
                self.show(turn, deliveries);
            } else {
                turn.mail(shard, Mail::Show(deliveries));
            }
        }
    }

    /// Does what the hall wants done for this shard's clients.
    pub(super) fn show(&mut self, turn: &mut VcmiTurn<'_>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            match delivery {
                Delivery::Send(conn, bytes) => turn.send(conn, bytes),
                Delivery::Spread(topic, bytes) => turn.fan_out(Audience::Topic(topic), bytes),
                Delivery::Enter(conn, topic) => turn.enter(conn, topic),
                Delivery::Leave(conn, topic) => turn.leave(conn, topic),
                Delivery::Release(conn) => turn.release(conn),
                Delivery::Close(conn) => turn.close(conn, Closing::Flushed),
                Delivery::Welcome(conn) => {
                    if let Some(Guest::Launcher { signed_in }) = self.guests.get_mut(&conn) {
                        *signed_in = true;
                    }
                }
            }
        }
    }
}
