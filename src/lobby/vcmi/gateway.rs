//! A shard's own part: what kind of connection each of its sockets is, and the way to the lobby and back.
//!
//! A packet goes to the lobby undecoded; the connection waits until the lobby has handled it, so that nobody can have more
//! than one packet on the way. A game's handshake is read here, since it concerns nobody else.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Timer, Vcmi, VcmiTurn,
    handshake::{Handshake, Next, Role},
    lobby::Lobby,
    mail::{Delivery, Mail, ToLobby},
    syntax,
};
use crate::{Audience, Closing, ConnId, Origin};

/// A connection of this shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Peer {
    /// It has not sent a whole packet: it is neither, and in no list (spec: vcmi-proxy 3).
    Fresh {
        address: IpAddr,
        /// What limits per address count it under; none: they do not apply to it.
        counted: Option<IpAddr>,
        accepted: Duration,
    },
    /// A launcher.
    Launcher {
        /// Who it is, once it has signed in.
        name: Option<Box<str>>,
    },
    /// A game that is still greeting.
    Greeting(Box<Handshake>),
    /// A game that waits for the other one, or is relayed.
    Game,
}

impl Peer {
    pub(super) fn is_pipe(&self) -> bool {
        matches!(self, Peer::Greeting(_) | Peer::Game)
    }
}

impl Vcmi {
    pub(super) fn accepted(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, origin: Origin) {
        let Origin {
            address, counted, ..
        } = origin;
        let accepted = turn.now.mono;
        let fresh = Peer::Fresh {
            address,
            counted,
            accepted,
        };
        self.peers.insert(conn, fresh);
        turn.wake_at(accepted + self.settings.handshake, Timer::Handshake(conn));
        self.tell_lobby(turn, ToLobby::Knock { address });
    }

    /// A frame arrived: a packet, or in a game's handshake a frame or the single byte.
    pub(super) fn frame(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, body: &[u8]) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        if let Peer::Fresh {
            address,
            counted,
            accepted,
        } = *peer
        {
            if syntax::is_game(body) {
                *peer = Peer::Greeting(Box::default());
                self.tell_lobby(turn, ToLobby::Pipe { conn });
            } else {
                *peer = Peer::Launcher { name: None };
                let enter = ToLobby::Enter {
                    conn,
                    address,
                    counted,
                    accepted,
                };
                self.tell_lobby(turn, enter);
            }
        }
        match self.peers.get_mut(&conn) {
            Some(Peer::Launcher { .. }) => {
                if self.lobby.is_none() {
                    turn.hold(conn);
                }
                let body = Bytes::copy_from_slice(body);
                self.tell_lobby(turn, ToLobby::Packet { conn, body });
            }
            Some(Peer::Greeting(handshake)) => {
                let next = handshake.frame(body);
                self.greeted(turn, conn, next);
            }
            Some(Peer::Fresh { .. } | Peer::Game) | None => {}
        }
    }

    fn greeted(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId, next: Next) {
        match next {
            Next::Frame => {}
            Next::Flag => turn.expect_raw(conn, 1),
            Next::Broken => {
                self.metrics.pipes_refused.up();
                turn.note(conn, "a game whose greeting makes no sense");
                turn.close(conn, Closing::Flushed);
            }
            Next::Done => {
                let Some(Peer::Greeting(handshake)) = self.peers.insert(conn, Peer::Game) else {
                    return;
                };
                // What it sends before the other side is there stays unread (spec: vcmi-proxy 10.2).
                match self.settings.pipes_as_0_6_2 {
                    true => turn.discard(conn),
                    false => turn.watch(conn),
                }
                let greeted = ToLobby::Greeted {
                    conn,
                    role: handshake.role.unwrap_or(Role::Other),
                    uuid: handshake.uuid.unwrap_or_default(),
                    greeting: handshake.greeting.into(),
                    at: turn.now.mono,
                };
                self.tell_lobby(turn, greeted);
            }
        }
    }

    pub(super) fn left(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        match self.peers.remove(&conn) {
            Some(Peer::Fresh { .. }) | None => {}
            Some(_) => self.tell_lobby(turn, ToLobby::Gone { conn }),
        }
    }

    pub(super) fn handshake_timed_out(&mut self, turn: &mut VcmiTurn<'_>, conn: ConnId) {
        match self.peers.get(&conn) {
            None | Some(Peer::Game | Peer::Launcher { name: Some(_) }) => {}
            Some(_) => {
                self.metrics.handshake_timeouts.up();
                turn.note(conn, "took too long to sign in");
                turn.close(conn, Closing::Flushed);
            }
        }
    }

    /// Tells the lobby, which may be here.
    pub(super) fn tell_lobby(&mut self, turn: &mut VcmiTurn<'_>, message: ToLobby) {
        if self.lobby.is_some() {
            self.in_lobby(turn, |lobby, turn| lobby.take(turn, message));
        } else {
            turn.mail(self.lobby_shard, Mail::ToLobby(message));
        }
    }

    /// Has the lobby do something, if it is here, and sends out what comes of it: one letter to each shard.
    pub(super) fn in_lobby<'a>(
        &mut self,
        turn: &mut VcmiTurn<'a>,
        input: impl FnOnce(&mut Lobby, &mut VcmiTurn<'a>),
    ) {
        let Some(lobby) = &mut self.lobby else {
            return;
        };
        lobby.now = turn.now.mono;
        lobby.unix = turn.now.unix;
        input(lobby, turn);
        lobby.arm_lists(turn);
        lobby.arm_health(turn);
        lobby.show_counts();
        for (shard, deliveries) in lobby.letters() {
            if shard == turn.shard {
                self.show(turn, deliveries);
            } else {
                turn.mail(shard, Mail::Show(deliveries));
            }
        }
    }

    /// Does what the lobby wants done for this shard's clients.
    pub(super) fn show(&mut self, turn: &mut VcmiTurn<'_>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            match delivery {
                Delivery::Send(conn, bytes) => turn.send(conn, bytes),
                Delivery::Offer(conn, bytes) => {
                    turn.fan_out(Audience::Connections([conn].into()), bytes);
                }
                Delivery::Spread(topic, bytes) => turn.fan_out(Audience::Topic(topic), bytes),
                Delivery::Enter(conn, topic) => turn.enter(conn, topic),
                Delivery::Leave(conn, topic) => turn.leave(conn, topic),
                Delivery::Release(conn) => turn.release(conn),
                Delivery::Close(conn, why) => {
                    turn.note(conn, why.into_string());
                    turn.close(conn, Closing::Flushed);
                }
                Delivery::Welcome(conn, known_as) => {
                    if let Some(Peer::Launcher { name }) = self.peers.get_mut(&conn) {
                        *name = Some(known_as.clone());
                        turn.signed_in(conn);
                        turn.note(conn, format!("signed in as {known_as}"));
                    }
                }
            }
        }
    }
}
