//! How participants go, and how a game ends with them (spec: cockatrice-behaviour 5.4, 5.7 to 5.10).

use super::{
    Game, News, Out, ParticipantId, Person,
    delivery::{Collected, For},
};
use crate::messages::{
    self, ContextConnectionStateChanged, ContextPingChanged, EventLeave,
    EventPlayerPropertiesChanged, GameEventBody, GameEventContextBody, ServerInfoPlayerProperties,
};

/// Why a participant is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaveReason {
    /// The host or a moderator wanted it.
    Kicked,
    /// He wanted it.
    Left,
    /// The connection of somebody without a seat to keep was lost.
    Disconnected,
}

impl LeaveReason {
    fn on_the_wire(self) -> messages::LeaveReason {
        match self {
            LeaveReason::Kicked => messages::LeaveReason::UserKicked,
            LeaveReason::Left => messages::LeaveReason::UserLeft,
            LeaveReason::Disconnected => messages::LeaveReason::UserDisconnected,
        }
    }
}

impl Game {
    /// Takes somebody out of the game, whatever he wants.
    pub fn leave(&mut self, id: ParticipantId, reason: LeaveReason, out: &mut Out) {
        self.remove(id, reason, out);
        self.close_if_due(out);
    }

    /// The connection is lost. Registered players keep their seat (checklist 194, 195).
    pub fn disconnected(&mut self, id: ParticipantId, out: &mut Out) {
        let Some(participant) = self.participant_mut(id) else {
            return;
        };
        if participant.player.is_none() || !participant.person.registered {
            return self.leave(id, LeaveReason::Disconnected, out);
        }
        participant.connected = false;
        participant.ping_s = -1;
        self.tell_connection(id, out);
    }

    /// The same account is back, or there a second time; it may have changed. He gets [`joined`](Game::joined) and
    /// [`snapshot_for`](Game::snapshot_for) after the response of his login (checklist 1188 to 1190).
    pub fn returned(&mut self, id: ParticipantId, person: Person, out: &mut Out) {
        let Some(participant) = self.participant_mut(id) else {
            return;
        };
        participant.person = person;
        participant.connected = true;
        participant.ping_s = 0;
        self.deserted_s = 0;
        self.tell_connection(id, out);
    }

    fn tell_connection(&mut self, id: ParticipantId, out: &mut Out) {
        let Some(ping_s) = self.participant(id).map(|one| one.ping_s) else {
            return;
        };
        let mut collected = Collected::default();
        collected.push(For::All, Some(id), ping_changed(ping_s));
        let context = ContextConnectionStateChanged::default();
        collected.set_context(GameEventContextBody::ConnectionStateChanged(context));
        self.flush(&mut collected, None, out);
    }

    /// A second has passed. `silent_s` says for how many somebody connected has sent nothing; a game that is deserted for
    /// `inactivity_s` closes, or at once when it is not full (behaviour 5.9).
    pub fn second(
        &mut self,
        silent_s: &mut dyn FnMut(ParticipantId) -> u32,
        inactivity_s: i64,
        out: &mut Out,
    ) {
        if self.closed {
            return;
        }
        self.seconds = self.seconds.saturating_add(1);
        let mut collected = Collected::default();
        for participant in &mut self.participants {
            let ping_s = match participant.connected {
                true => i32::try_from(silent_s(participant.id)).unwrap_or(i32::MAX),
                false => -1,
            };
            if participant.ping_s != ping_s {
                participant.ping_s = ping_s;
                collected.push(For::All, Some(participant.id), ping_changed(ping_s));
            }
        }
        collected.set_context(GameEventContextBody::PingChanged(
            ContextPingChanged::default(),
        ));
        self.flush(&mut collected, None, out);
        self.close_if_deserted(inactivity_s, out);
    }

    fn close_if_deserted(&mut self, inactivity_s: i64, out: &mut Out) {
        let mut connected = self.participants.iter().filter(|one| one.connected);
        if connected.any(|one| one.player.is_some() || one.id == self.host) {
            self.deserted_s = 0;
            return;
        }
        self.deserted_s = self.deserted_s.saturating_add(1);
        let is_full = self.player_count() >= self.rules.max_players;
        if !is_full || inactivity_s > 0 && i64::from(self.deserted_s) >= inactivity_s {
            self.close(out);
        }
    }

    /// Kicks somebody: he is told, the others see him go.
    pub(super) fn kick(&mut self, id: ParticipantId, out: &mut Out) {
        self.send_to(id, None, GameEventBody::Kicked(Default::default()), out);
        self.remove(id, LeaveReason::Kicked, out);
    }

    /// As [`leave`](Game::leave), but the game stays open for the moment.
    pub(super) fn remove(&mut self, id: ParticipantId, reason: LeaveReason, out: &mut Out) {
        let Ok(place) = self.participants.binary_search_by_key(&id, |one| one.id) else {
            return;
        };
        let mut collected = Collected::default();
        self.clear_away(id, false, &mut collected);
        self.drop_board(id);
        let reason = Some(reason.on_the_wire());
        collected.push(
            For::All,
            Some(id),
            GameEventBody::Leave(EventLeave { reason }),
        );
        let gone = self.participants.remove(place);
        self.flush(&mut collected, None, out);
        out.news.push(News::Removed(id));
        if id == self.host {
            let Some(host) = self.players().next().map(|(id, _)| id) else {
                self.close_due = true;
                return;
            };
            self.host = host;
            self.send_at_once(
                Some(host),
                GameEventBody::GameHostChanged(Default::default()),
                out,
            );
        }
        if gone.player.is_some() {
            self.stop_if_decided(out);
            if self.started && self.active_player == id {
                self.next_turn(out);
            }
        }
        self.tell_record(out);
    }

    pub(super) fn close_if_due(&mut self, out: &mut Out) {
        if self.close_due {
            self.close(out);
        }
    }

    /// Ends the game for whoever is in it (behaviour 5.10).
    pub fn close(&mut self, out: &mut Out) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        self.send_at_once(None, GameEventBody::GameClosed(Default::default()), out);
        self.participants.clear();
        self.start_due = None;
        out.news.extend(self.end_replay().map(News::Replay));
        out.news
            .push(News::Closed(std::mem::take(&mut self.took_part)));
    }

    /// Ends the round when at most one player has not conceded; before a round as well (behaviour 5.7).
    pub(super) fn stop_if_decided(&mut self, out: &mut Out) {
        if self
            .players()
            .filter(|(_, player)| !player.conceded)
            .count()
            > 1
        {
            return;
        }
        self.started = false;
        for participant in &mut self.participants {
            if let Some(player) = &mut participant.player {
                player.conceded = false;
                player.board = None;
            }
        }
        self.broadcast_state(out);
        out.news.push(News::Started(false));
    }
}

fn ping_changed(ping_s: i32) -> GameEventBody<'static> {
    GameEventBody::PlayerPropertiesChanged(EventPlayerPropertiesChanged {
        player_properties: Some(ServerInfoPlayerProperties {
            ping_seconds: Some(ping_s),
            ..ServerInfoPlayerProperties::default()
        }),
    })
}
