//! What somebody who joins or returns is told, and what all are told when a round begins or ends (spec: cockatrice-table 3).

use bytes::Bytes;

use super::{
    Game, Out, ParticipantId,
    board::{Arrow, Counter},
    card::Card,
    delivery,
    delivery::Recipients,
    participants::Participant,
    zone::{Zone, ZoneName},
};
use crate::messages::{
    EventGameJoined, EventGameStateChanged, GameEventBody, ServerInfoGameType, ServerInfoPlayer,
    ServerInfoZone, ServerMessage, ServerMessageType, SessionEvent, SessionEventBody, ZoneType,
    encode,
};

/// For whose eyes a snapshot is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    /// Whose own things are shown.
    pub(super) own: Option<ParticipantId>,
    /// A judge's or an omniscient spectator's: private zones are shown.
    pub(super) sees_all: bool,
}

impl Game {
    /// The encoded `Event_GameJoined` for a participant; `game_types` are the room's, and only for somebody who returns.
    pub fn joined(
        &self,
        id: ParticipantId,
        resuming: bool,
        game_types: Vec<ServerInfoGameType<'_>>,
    ) -> Option<Bytes> {
        let participant = self.participant(id)?;
        let joined = EventGameJoined {
            game_info: Some(self.info()),
            game_types,
            host_id: Some(self.host),
            player_id: Some(id),
            spectator: Some(participant.player.is_none()),
            resuming: Some(resuming),
            judge: Some(participant.judge),
        };
        let message = ServerMessage {
            message_type: Some(ServerMessageType::SessionEvent),
            session_event: Some(SessionEvent {
                body: Some(SessionEventBody::GameJoined(joined)),
            }),
            ..ServerMessage::default()
        };
        Some(encode(&message).into())
    }

    /// The encoded personal snapshot that follows [`joined`](Game::joined).
    pub fn snapshot_for(&self, id: ParticipantId) -> Option<Bytes> {
        let view = self.view_of(self.participant(id)?);
        let state = EventGameStateChanged {
            active_player_id: Some(self.active_player),
            active_phase: Some(self.active_phase),
            ..self.state(view, true)
        };
        Some(self.message_of(None, GameEventBody::GameStateChanged(state)))
    }

    pub(super) fn view_of(&self, participant: &Participant) -> View {
        View {
            own: participant.player.is_some().then_some(participant.id),
            sees_all: self.sees_all(participant),
        }
    }

    /// Tells all, each what he may see; the replay an omniscient spectator's view.
    pub(super) fn broadcast_state(&mut self, out: &mut Out) {
        let mut views: Vec<(View, Recipients)> = Vec::new();
        for participant in self.participants.iter().filter(|one| one.connected) {
            let view = self.view_of(participant);
            match views.iter_mut().find(|(known, _)| *known == view) {
                Some((_, to)) => to.push(participant.id),
                None => views.push((view, Recipients::from_slice(&[participant.id]))),
            }
        }
        for (view, to) in views {
            let state = self.broadcast(view);
            delivery::deliver(out, to, || {
                self.message_of(None, GameEventBody::GameStateChanged(state))
            });
        }
        if self.replay.is_some() {
            let view = View {
                own: None,
                sees_all: true,
            };
            let entries =
                delivery::entry(None, GameEventBody::GameStateChanged(self.broadcast(view)));
            self.record(delivery::Container::of(self.id, &entries));
        }
    }

    /// Active player and phase of a broadcast are no truth: 0, 0, or absent.
    fn broadcast(&self, view: View) -> EventGameStateChanged<'_> {
        EventGameStateChanged {
            active_player_id: self.started.then_some(0),
            active_phase: self.started.then_some(0),
            ..self.state(view, false)
        }
    }

    pub(super) fn state(&self, view: View, with_users: bool) -> EventGameStateChanged<'_> {
        let participants = self.participants.iter();
        EventGameStateChanged {
            player_list: participants
                .map(|one| self.player_info(one, view, with_users))
                .collect(),
            game_started: Some(self.started),
            seconds_elapsed: Some(self.seconds),
            ..EventGameStateChanged::default()
        }
    }

    fn player_info<'a>(
        &'a self,
        one: &'a Participant,
        view: View,
        with_user: bool,
    ) -> ServerInfoPlayer<'a> {
        let mut info = ServerInfoPlayer {
            properties: Some(one.properties(with_user)),
            ..ServerInfoPlayer::default()
        };
        let Some(player) = &one.player else {
            return info;
        };
        let is_own = view.own == Some(one.id);
        if let Some(selected) = player
            .deck
            .as_ref()
            .filter(|_| is_own || self.rules.share_decklists_on_load)
        {
            info.deck_list = Some(selected.deck.write().into());
        }
        if let Some(board) = &player.board {
            let zones = board.zones();
            info.zone_list = zones
                .map(|(name, zone)| zone_info(name, zone, is_own || view.sees_all))
                .collect();
            info.counter_list = board.counters.iter().map(Counter::info).collect();
            info.arrow_list = board.arrows.iter().map(Arrow::info).collect();
        }
        info
    }

    /// Begins a replay of people who joined before it (spec: cockatrice-table 12).
    pub(super) fn record_state(&mut self) {
        let view = View {
            own: None,
            sees_all: true,
        };
        let state = EventGameStateChanged {
            seconds_elapsed: Some(0),
            active_player_id: Some(self.active_player),
            active_phase: Some(self.active_phase),
            ..self.state(view, true)
        };
        let entries = delivery::entry(None, GameEventBody::GameStateChanged(state));
        self.record(delivery::Container::of(self.id, &entries));
    }
}

/// Hidden zones' cards are listed for nobody, a hand's for whom it concerns.
fn zone_info(name: ZoneName, zone: &Zone, sees_hands: bool) -> ServerInfoZone<'_> {
    let is_listed = match name.kind() {
        ZoneType::HiddenZone => false,
        ZoneType::PrivateZone => sees_hands,
        ZoneType::PublicZone => true,
    };
    ServerInfoZone {
        name: Some(name.name().into()),
        r#type: Some(name.kind()),
        with_coords: Some(name.has_coords()),
        card_count: Some(zone.cards.len() as i32),
        card_list: match is_listed {
            true => zone.cards.iter().map(Card::in_snapshot).collect(),
            false => Vec::new(),
        },
        always_reveal_top_card: Some(zone.always_reveal_top),
        always_look_at_top_card: Some(zone.always_look_at_top),
    }
}
