//! A shard's own part: its connections, what they say, and what they are told.
//!
//! A message is read here, where the connection is, and goes to the lobby typed; the connection waits until the lobby has
//! handled it, so that nobody can have more than one on the way. Heartbeats concern nobody else.

use std::{net::IpAddr, time::Duration};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    JsonTurn, Timer, VcmiJson,
    lobby::Lobby,
    mail::{Delivery, Mail, Role, ToLobby},
    protocol::incoming::{self, Request, Speaker},
    settings::{HEARTBEAT, SKIPPED_BYTES},
};
use crate::{Audience, Closing, ConnId, Origin, rate::Meter};

/// What a connection of this shard is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum State {
    /// It has not signed in.
    Stranger,
    /// A player's client.
    Account,
    /// A match server.
    MatchServer,
    /// It is to be relayed, and is not heard meanwhile.
    Proxy,
    /// It is relayed.
    Relayed,
}

/// A connection of this shard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Peer {
    pub(super) state: State,
    #[serde(default = "nowhere")]
    address: IpAddr,
    counted: Option<IpAddr>,
    accepted: Duration,
    /// The lobby has heard of it.
    introduced: bool,
    /// It has sent a heartbeat.
    beats: bool,
    /// When it last sent a frame, or was let go on.
    heard: Duration,
    /// The lobby has its message.
    waits: bool,
    messages: Meter,
    caused: Meter,
    /// Who it is, once it has signed in.
    name: Option<Box<str>>,
}

/// The address of somebody of whom an older version has not written it down.
pub(super) fn nowhere() -> IpAddr {
    IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED)
}

impl VcmiJson {
    pub(super) fn accepted(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, origin: Origin) {
        let accepted = turn.now.mono;
        let peer = Peer {
            state: State::Stranger,
            address: origin.address,
            counted: origin.counted,
            accepted,
            introduced: false,
            beats: false,
            heard: accepted,
            waits: false,
            messages: Meter::default(),
            caused: Meter::default(),
            name: None,
        };
        self.peers.insert(conn, peer);
        turn.wake_at(accepted + self.settings.handshake, Timer::Handshake(conn));
        turn.wake_at(accepted + HEARTBEAT, Timer::Heartbeat(conn));
    }

    /// A frame arrived: a heartbeat, or a message.
    pub(super) fn frame(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, payload: &[u8]) {
        let now = turn.now.mono;
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.heard = now;
        if payload.is_empty() {
            peer.beats = true;
            return;
        }
        if let Some(rate) = self.settings.messages() {
            peer.messages.charge(now, 1, rate);
        }
        let speaker = match peer.state {
            State::Stranger => Speaker::Stranger,
            State::Account => Speaker::Account,
            State::MatchServer => Speaker::MatchServer,
            State::Proxy | State::Relayed => return,
        };
        match incoming::parse(payload).filter(|request| request.speaker() == speaker) {
            Some(request) => self.said(turn, conn, request),
            None if speaker == Speaker::Stranger => {
                self.metrics.strangers_refused.up();
                turn.note(conn, "said something wrong before it had signed in");
                turn.close(conn, Closing::Flushed);
            }
            None => {
                self.metrics.ignored.up();
                self.pause(turn, conn);
            }
        }
    }

    /// A message that is longer than any that makes sense is passed over: it has no effect, but is work to read.
    pub(super) fn skipped(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, bytes: usize) {
        let now = turn.now.mono;
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.heard = now;
        if let Some(rate) = self.settings.messages() {
            let counts = (bytes / SKIPPED_BYTES).max(1);
            peer.messages.charge(now, counts as u64, rate);
        }
        self.metrics.over_limit.up();
        self.metrics.ignored.up();
        self.pause(turn, conn);
    }

    fn said(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, request: Request) {
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.introduced = true;
        match request {
            // Every byte behind it belongs to the relay (spec: vcmi-lobby2 5.9).
            Request::ClientProxyLogin { .. } | Request::ServerProxyLogin { .. } => {
                peer.state = State::Proxy;
                turn.watch(conn);
            }
            _ => {
                peer.waits = true;
                turn.hold(conn);
            }
        }
        let said = ToLobby::Said {
            conn,
            address: peer.address,
            counted: peer.counted,
            accepted: peer.accepted,
            request,
        };
        self.tell_lobby(turn, said);
    }

    /// The lobby has handled its message, which had so many bytes sent.
    fn released(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId, caused: usize) {
        let now = turn.now.mono;
        let Some(peer) = self.peers.get_mut(&conn) else {
            return;
        };
        peer.waits = false;
        peer.heard = now;
        if let Some(rate) = self.settings.caused() {
            peer.caused.charge(now, caused as u64, rate);
        }
        self.pause(turn, conn);
        turn.release(conn);
    }

    /// Whoever has said or caused too much is heard later.
    fn pause(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        let now = turn.now.mono;
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let messages = self.settings.messages();
        let messages = messages.and_then(|rate| peer.messages.wait(now, rate));
        let caused = self.settings.caused();
        let caused = caused.and_then(|rate| peer.caused.wait(now, rate));
        if let Some(wait) = messages.max(caused) {
            self.metrics.paused.up();
            turn.pause(conn, now + wait);
        }
    }

    pub(super) fn left(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        let gone = self.peers.remove(&conn);
        if gone.is_some_and(|peer| peer.introduced) {
            self.tell_lobby(turn, ToLobby::Gone { conn });
        }
    }

    pub(super) fn handshake_due(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        let peer = self.peers.get(&conn);
        if peer.is_some_and(|peer| peer.state == State::Stranger) {
            self.metrics.handshake_timeouts.up();
            turn.note(conn, "took too long to sign in");
            turn.close(conn, Closing::Flushed);
        }
    }

    /// Who has signed in on this connection.
    pub(super) fn name_on(&self, conn: ConnId) -> Option<String> {
        let name = self.peers.get(&conn)?.name.as_deref();
        name.map(str::to_owned)
    }

    /// A heartbeat is due, and a look whether its own ones still come.
    pub(super) fn heartbeat_due(&mut self, turn: &mut JsonTurn<'_>, conn: ConnId) {
        let Some(peer) = self.peers.get(&conn) else {
            return;
        };
        let heard_itself = match peer.state {
            State::Relayed => return, // the relay's business
            State::Proxy => false,
            State::Stranger | State::Account | State::MatchServer => !peer.waits,
        };
        let silent = turn.now.mono.saturating_sub(peer.heard);
        let most = self.settings.silent();
        if peer.beats && heard_itself && most.is_some_and(|most| silent >= most) {
            self.metrics.silent.up();
            turn.note(conn, "its heartbeats have stopped");
            return turn.close(conn, Closing::Flushed);
        }
        turn.send(conn, Bytes::new());
        // From when it was accepted, whatever the delay of this timer.
        let beats = (turn.now.mono - peer.accepted).as_secs() / HEARTBEAT.as_secs();
        let next = peer.accepted + HEARTBEAT * (beats as u32 + 1);
        turn.wake_at(next, Timer::Heartbeat(conn));
    }

    /// Tells the lobby, which may be here.
    pub(super) fn tell_lobby(&mut self, turn: &mut JsonTurn<'_>, message: ToLobby) {
        if self.lobby.is_some() {
            self.in_lobby(turn, |lobby, turn| lobby.take(turn, message));
        } else {
            turn.mail(self.lobby_shard, Mail::ToLobby(message));
        }
    }

    /// Has the lobby do something, if it is here, and sends out what comes of it: one letter to each shard.
    pub(super) fn in_lobby<'a>(
        &mut self,
        turn: &mut JsonTurn<'a>,
        input: impl FnOnce(&mut Lobby, &mut JsonTurn<'a>),
    ) {
        let Some(lobby) = &mut self.lobby else {
            return;
        };
        lobby.now = turn.now;
        input(lobby, turn);
        lobby.commit();
        lobby.arm_lists(turn);
        lobby.ask_store(turn);
        let joins = lobby.joins();
        for (shard, deliveries) in lobby.letters() {
            if shard == turn.shard {
                self.show(turn, deliveries);
            } else {
                turn.mail(shard, Mail::Show(deliveries));
            }
        }
        // Behind the letters: both gateways know of a relay before it begins.
        for joint in joins {
            turn.join(joint);
        }
    }

    /// Does what the lobby wants done for this shard's clients.
    pub(super) fn show(&mut self, turn: &mut JsonTurn<'_>, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            match delivery {
                Delivery::Send(conn, bytes) => turn.send(conn, bytes),
                Delivery::Offer(conn, bytes) => {
                    turn.fan_out(Audience::Connections([conn].into()), bytes);
                }
                Delivery::Spread(topic, bytes) => turn.fan_out(Audience::Topic(topic), bytes),
                Delivery::Enter(conn, topic) => turn.enter(conn, topic),
                Delivery::Release(conn, caused) => self.released(turn, conn, caused),
                Delivery::Close(conn, why) => {
                    turn.note(conn, why.into_string());
                    turn.close(conn, Closing::Flushed);
                }
                Delivery::Welcome(conn, role, name) => {
                    if let Some(peer) = self.peers.get_mut(&conn) {
                        peer.state = match role {
                            Role::Account => State::Account,
                            Role::MatchServer => State::MatchServer,
                        };
                        turn.signed_in(conn);
                        turn.note(conn, format!("signed in as {name}"));
                        peer.name = Some(name);
                    }
                }
                Delivery::TurnedAway(conn, why) => turn.turned_away(conn, why.words()),
                Delivery::Relayed(conn) => {
                    if let Some(peer) = self.peers.get_mut(&conn) {
                        peer.state = State::Relayed;
                    }
                }
            }
        }
    }
}
