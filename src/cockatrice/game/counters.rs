//! Counters of players, and dice (spec: cockatrice-table 7.8, 7.14).

use super::{
    Game,
    board::{Counter, Paint},
    chance,
    commands::{Actor, Turn, Verdict},
    limits,
};
use crate::{
    messages::{
        CommandCreateCounter, CommandDelCounter, CommandIncCounter, CommandRollDie,
        CommandSetCounter, EventCreateCounter, EventDelCounter, EventRollDie, EventSetCounter,
        GameEventBody, ResponseCode,
    },
    text,
};

impl Game {
    pub(super) fn create_counter(
        &mut self,
        actor: Actor,
        command: &CommandCreateCounter<'_>,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        if board.counters.len() >= limits::COUNTERS {
            return Err(ResponseCode::RespContextError);
        }
        let highest = board.counters.last().map_or(0, |counter| counter.id);
        let counter = Counter {
            id: highest.saturating_add(1),
            name: text::name(command.counter_name.as_deref().unwrap_or_default()).into(),
            color: Paint::of(command.counter_color.as_ref()),
            radius: command.radius() as i32,
            value: command.value(),
        };
        let event = EventCreateCounter {
            counter_info: Some(counter.info()),
        };
        turn.tell(actor.id, GameEventBody::CreateCounter(event));
        board.counters.push(counter);
        Ok(())
    }

    pub(super) fn set_counter(
        &mut self,
        actor: Actor,
        command: &CommandSetCounter,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        self.count(actor, command.counter_id(), |_| command.value(), turn)
    }

    pub(super) fn inc_counter(
        &mut self,
        actor: Actor,
        command: &CommandIncCounter,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        self.count(
            actor,
            command.counter_id(),
            |value| value.saturating_add(command.delta()),
            turn,
        )
    }

    fn count(
        &mut self,
        actor: Actor,
        id: i32,
        new: impl FnOnce(i32) -> i32,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        let counter = board.counters.iter_mut().find(|counter| counter.id == id);
        let counter = counter.ok_or(ResponseCode::RespNameNotFound)?;
        let value = new(counter.value);
        if std::mem::replace(&mut counter.value, value) != value {
            let event = EventSetCounter {
                counter_id: Some(id),
                value: Some(value),
            };
            turn.tell(actor.id, GameEventBody::SetCounter(event));
        }
        Ok(())
    }

    pub(super) fn del_counter(
        &mut self,
        actor: Actor,
        command: &CommandDelCounter,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let board = self
            .board_mut(actor.id)
            .ok_or(ResponseCode::RespContextError)?;
        let place = board
            .counters
            .iter()
            .position(|counter| counter.id == command.counter_id());
        let counter = board
            .counters
            .remove(place.ok_or(ResponseCode::RespNameNotFound)?);
        let event = EventDelCounter {
            counter_id: Some(counter.id),
        };
        turn.tell(actor.id, GameEventBody::DelCounter(event));
        Ok(())
    }

    /// Works before the start, too.
    pub(super) fn roll_die(
        &mut self,
        actor: Actor,
        command: &CommandRollDie,
        turn: &mut Turn<'_, '_>,
    ) -> Verdict {
        let sides = command.sides().clamp(2, 1_000_000);
        let count = command.count().clamp(1, 100);
        let values: Vec<u32> = (0..count)
            .map(|_| chance::draw(turn.cx.rng, 1, sides as usize) as u32)
            .collect();
        let event = EventRollDie {
            sides: Some(sides),
            value: values.first().copied(),
            values,
        };
        turn.tell(actor.id, GameEventBody::RollDie(event));
        Ok(())
    }
}
