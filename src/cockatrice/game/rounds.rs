//! How rounds begin, and how players give them up and come back (spec: cockatrice-behaviour 5.6, cockatrice-table 5, 9).

use rand::Rng;

use super::{
    Cx, Game, News, Out, ParticipantId, arrows,
    board::Board,
    card::CardRef,
    commands::{Actor, Turn, Verdict},
    decks::changed,
    delivery::Collected,
    moves::{Move, Moving, Place, Reason},
    replay::Replay,
    zone::ZoneName,
};
use crate::messages::{
    CommandReadyStart, ContextConcede, ContextReadyStart, ContextUnconcede, GameEventContextBody,
    ResponseCode, ServerInfoPlayerProperties,
};

impl Game {
    pub(super) fn ready_start(
        &mut self,
        actor: Actor,
        command: &CommandReadyStart,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let (ready, force) = (command.ready(), command.force_start());
        let (is_host, started) = (actor.id == self.host, self.started);
        let player = self
            .player_mut(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        let is_idle = player.ready == ready && !force;
        // A host who is not ready himself would be the first to be kicked.
        if player.deck.is_none() || started || is_idle || force && !ready {
            return Err(ResponseCode::RespContextError);
        }
        player.ready = ready;
        let properties = ServerInfoPlayerProperties {
            ready_start: Some(ready),
            ..ServerInfoPlayerProperties::default()
        };
        turn.tell(actor.id, changed(properties));
        turn.collected.set_context(GameEventContextBody::ReadyStart(
            ContextReadyStart::default(),
        ));
        if force && !is_host {
            return Err(ResponseCode::RespFunctionNotAllowed);
        }
        if ready {
            self.start_due = Some(force || self.start_due == Some(true));
        }
        Ok(())
    }

    /// Begins a round if everybody there is to be is ready; a forced one without those who are not.
    pub(super) fn start_if_ready(&mut self, cx: &mut Cx<'_>, out: &mut Out) {
        let Some(forced) = self.start_due.take() else {
            return;
        };
        let is_host_ready = self.player(self.host).is_some_and(|host| host.ready);
        if self.started || self.closed {
            return;
        }
        if forced && is_host_ready {
            let lazy: Vec<ParticipantId> = self
                .players()
                .filter(|(_, player)| !player.ready)
                .map(|(id, _)| id)
                .collect();
            for id in lazy {
                self.kick(id, out);
            }
        } else if self.player_count() < self.rules.max_players {
            return;
        }
        if self.player_count() > 0 && self.players().all(|(_, player)| player.ready) {
            self.start(cx.rng, out);
        }
    }

    fn start(&mut self, rng: &mut dyn Rng, out: &mut Out) {
        self.begin_next_replay(out);
        let life = self.rules.starting_life_total;
        for participant in &mut self.participants {
            let Some(player) = &mut participant.player else {
                continue;
            };
            let deck = player.deck.as_ref().map(|selected| &selected.deck);
            player.board = deck.map(|deck| Box::new(Board::deal(deck, life, rng)));
            player.conceded = false;
            player.ready = false;
        }
        self.started = true;
        self.has_been_started = true;
        self.broadcast_state(out);
        let first = match self.reversed {
            true => self.players().next_back(),
            false => self.players().next(),
        };
        if let Some((first, _)) = first {
            self.set_active_player(first, out);
        }
        out.news.push(News::Started(true));
    }

    /// Each round but the first begins a replay of its own, with everybody who is there.
    fn begin_next_replay(&mut self, out: &mut Out) {
        if !self.has_been_started || self.replay.is_none() {
            return;
        }
        out.news.extend(self.end_replay().map(News::Replay));
        self.replay = Some(Replay::begin(self));
        self.record_state();
    }

    pub(super) fn concede(&mut self, actor: Actor, turn: &mut Turn<'_, '_>) -> Verdict {
        if !self.started {
            return Err(ResponseCode::RespGameNotStarted);
        }
        let player = self
            .player_mut(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        if std::mem::replace(&mut player.conceded, true) {
            return Err(ResponseCode::RespContextError);
        }
        self.clear_away(actor.id, true, &mut turn.collected);
        self.give_back(actor.id, &mut turn.collected);
        self.drop_board(actor.id);
        let properties = ServerInfoPlayerProperties {
            conceded: Some(true),
            ..ServerInfoPlayerProperties::default()
        };
        turn.tell(actor.id, changed(properties));
        turn.collected
            .set_context(GameEventContextBody::Concede(ContextConcede::default()));
        self.stop_if_decided(turn.out);
        if self.started && self.active_player == actor.id {
            self.next_turn(turn.out);
        }
        Ok(())
    }

    pub(super) fn unconcede(&mut self, actor: Actor, turn: &mut Turn<'_, '_>) -> Verdict {
        if !self.started {
            return Err(ResponseCode::RespGameNotStarted);
        }
        let life = self.rules.starting_life_total;
        let player = self
            .player_mut(actor.id)
            .ok_or(ResponseCode::RespFunctionNotAllowed)?;
        if !player.conceded {
            return Err(ResponseCode::RespContextError);
        }
        player.conceded = false;
        let deck = player.deck.as_ref().map(|selected| &selected.deck);
        player.board = deck.map(|deck| Box::new(Board::deal(deck, life, turn.cx.rng)));
        self.broadcast_state(turn.out);
        let properties = ServerInfoPlayerProperties {
            conceded: Some(false),
            ..ServerInfoPlayerProperties::default()
        };
        turn.tell(actor.id, changed(properties));
        turn.collected
            .set_context(GameEventContextBody::Unconcede(ContextUnconcede::default()));
        Ok(())
    }

    /// Arrows at somebody and his cards end, his own among them if that is to be told, and what others attached to his cards is taken off (9.1 steps 2 and 3).
    pub(super) fn clear_away(&mut self, id: ParticipantId, with_own: bool, events: &mut Collected) {
        for (maker, arrow) in
            self.take_arrows(|maker, arrow| arrow.concerns(id) && (with_own || maker != id))
        {
            events.tell(maker, arrows::deleted(arrow.id));
        }
        let Some(board) = self.board(id) else { return };
        let carried = board
            .table()
            .cards
            .iter()
            .flat_map(|card| card.attachments());
        let foreign: Vec<CardRef> = carried
            .filter(|child| child.player != id)
            .copied()
            .collect();
        for child in foreign {
            self.detach(child, events);
        }
    }

    /// Borrowed cards go to the tables of those whose names are on them (9.1 step 4).
    fn give_back(&mut self, id: ParticipantId, events: &mut Collected) {
        let Some(board) = self.board(id) else { return };
        let loose = board
            .table()
            .cards
            .iter()
            .filter(|card| card.parent().is_none());
        let borrowed: Vec<(i32, String)> = loose
            .filter_map(|card| Some((card.id, owner_of(card.annotation())?.to_lowercase())))
            .collect();
        for (card, name) in borrowed {
            let mut others = self
                .participants
                .iter()
                .filter(|one| one.id != id && one.player.is_some());
            let owner = others
                .find(|one| one.person.name.to_lowercase() == name)
                .map(|one| one.id);
            let Some(owner) = owner else { continue };
            let mv = Move {
                actor: id,
                from: Place {
                    player: id,
                    zone: ZoneName::Table,
                },
                to: Place {
                    player: owner,
                    zone: ZoneName::Table,
                },
                x: 0,
                y: 0,
                reversed: false,
                reason: Reason::Consequence,
            };
            if self.has_room(&mv, 1) {
                self.move_cards(mv, vec![Moving::plain(card)], events);
            }
        }
    }

    /// Takes away what somebody has on the table; what it was attached to elsewhere is free of it.
    pub(super) fn drop_board(&mut self, id: ParticipantId) {
        let Some(board) = self.player_mut(id).and_then(|player| player.board.take()) else {
            return;
        };
        for card in &board.table().cards {
            if let Some(parent) = card.parent() {
                self.unhang(
                    parent,
                    CardRef {
                        player: id,
                        card: card.id,
                    },
                );
            }
        }
    }
}

/// Whose a card is, by its annotation.
fn owner_of(annotation: &str) -> Option<&str> {
    let (_, rest) = annotation.split_once("Owner: ")?;
    rest.lines().next()
}
