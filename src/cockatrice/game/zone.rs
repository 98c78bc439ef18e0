//! Where cards are: seven zones for each player (spec: cockatrice-table 1.1, 1.5).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{card::Card, grid::Row, ids::ParticipantId};
use crate::messages::ZoneType;

/// The zones there are, as they are listed: by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum ZoneName {
    Deck,
    Grave,
    Hand,
    Rfg,
    Sb,
    Stack,
    Table,
}

impl ZoneName {
    pub(super) const ALL: [ZoneName; 7] = [
        ZoneName::Deck,
        ZoneName::Grave,
        ZoneName::Hand,
        ZoneName::Rfg,
        ZoneName::Sb,
        ZoneName::Stack,
        ZoneName::Table,
    ];

    /// The zone of a name in a command.
    pub(super) fn of(name: Option<&[u8]>) -> Option<ZoneName> {
        let name = name?;
        ZoneName::ALL
            .into_iter()
            .find(|zone| zone.name().as_bytes() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            ZoneName::Deck => "deck",
            ZoneName::Grave => "grave",
            ZoneName::Hand => "hand",
            ZoneName::Rfg => "rfg",
            ZoneName::Sb => "sb",
            ZoneName::Stack => "stack",
            ZoneName::Table => "table",
        }
    }

    pub(super) fn kind(self) -> ZoneType {
        match self {
            ZoneName::Hand => ZoneType::PrivateZone,
            ZoneName::Deck | ZoneName::Sb => ZoneType::HiddenZone,
            _ => ZoneType::PublicZone,
        }
    }

    /// Nobody sees what is in it unless he looks; its cards are addressed by their places.
    pub(super) fn is_hidden(self) -> bool {
        self.kind() == ZoneType::HiddenZone
    }

    /// Everybody sees what is in it.
    pub(super) fn is_public(self) -> bool {
        self.kind() == ZoneType::PublicZone
    }

    pub(super) fn has_coords(self) -> bool {
        self == ZoneName::Table
    }
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Zone {
    pub(super) cards: VecDeque<Card>,
    /// Of a hidden zone: how many on top its owner is taken to know; more than there are, if he wanted to see more.
    pub(super) looked_at: u32,
    /// Likewise from the bottom, after a reversed dump.
    pub(super) looked_at_below: u32,
    /// Who else may take cards out of it.
    pub(super) writers: Vec<ParticipantId>,
    pub(super) always_reveal_top: bool,
    pub(super) always_look_at_top: bool,
    /// Of the table, where its grid is not as if empty: by y.
    pub(super) rows: Vec<Row>,
}

impl Zone {
    /// The place of the card that a command means: hidden zones' cards go by place, others by id.
    pub(super) fn find(&self, name: ZoneName, card: i32) -> Option<usize> {
        if name.is_hidden() {
            let place = usize::try_from(card).ok()?;
            return (place < self.cards.len()).then_some(place);
        }
        self.place_of(card)
    }

    pub(super) fn place_of(&self, id: i32) -> Option<usize> {
        self.cards.iter().position(|card| card.id == id)
    }

    /// As [`place_of`](Self::place_of), quick if it stands where it is thought to.
    pub(super) fn place_near(&self, id: i32, guess: usize) -> Option<usize> {
        match self.cards.get(guess) {
            Some(card) if card.id == id => Some(guess),
            _ => self.place_of(id),
        }
    }

    pub(super) fn card(&self, id: i32) -> Option<&Card> {
        self.cards.iter().find(|card| card.id == id)
    }

    pub(super) fn card_mut(&mut self, id: i32) -> Option<&mut Card> {
        self.cards.iter_mut().find(|card| card.id == id)
    }

    /// Whether its owner is taken to know what is at a place.
    pub(super) fn is_looked_at(&self, place: usize) -> bool {
        place < self.looked_at as usize
    }

    /// Whether its owner saw it in a look from the bottom.
    pub(super) fn is_looked_at_below(&self, place: usize) -> bool {
        place + self.looked_at_below as usize >= self.cards.len()
    }

    /// Takes a card out.
    pub(super) fn take(&mut self, place: usize) -> Option<Card> {
        if self.is_looked_at(place) {
            self.looked_at -= 1;
        }
        if self.is_looked_at_below(place) {
            self.looked_at_below = self.looked_at_below.saturating_sub(1);
        }
        let card = self.cards.remove(place)?;
        if card.x >= 0 {
            self.lift(card.x, card.y, &card.print);
        }
        Some(card)
    }

    /// Puts a card into a zone without coordinates: at a place, or behind all. Returns where it is.
    pub(super) fn put(&mut self, card: Card, place: i32, hidden: bool, known: bool) -> usize {
        let len = self.cards.len();
        let at = usize::try_from(place)
            .ok()
            .filter(|&at| at < len)
            .unwrap_or(len);
        if hidden {
            self.count_put(place, at, known);
        }
        self.cards.insert(at, card);
        at
    }

    fn count_put(&mut self, place: i32, at: usize, known: bool) {
        let looked_at = self.looked_at as usize;
        // Where more was looked at than there is, what is put behind all others is not among it.
        let place = match looked_at > self.cards.len() {
            true => at,
            false => usize::try_from(place).unwrap_or(0),
        };
        if looked_at >= place {
            self.looked_at = match known {
                true => self.looked_at.saturating_add(1),
                false => place as u32,
            };
        }
        let below = (self.cards.len() - at) as u32;
        if below < self.looked_at_below {
            self.looked_at_below = if known {
                self.looked_at_below + 1
            } else {
                below
            };
        }
    }

    /// Nobody knows any more what is where.
    pub(super) fn forget_looks(&mut self) {
        self.looked_at = 0;
        self.looked_at_below = 0;
    }
}
