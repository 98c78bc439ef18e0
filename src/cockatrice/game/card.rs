//! A card (spec: cockatrice-table 1.2). What few cards have is kept apart, so that a library costs little.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::ids::ParticipantId;
use crate::messages::{ServerInfoCard, ServerInfoCardCounter};

/// What is printed on a card: shared by its copies.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Print {
    pub(super) name: Box<str>,
    /// Which printing; may be empty.
    pub(super) provider: Box<str>,
}

/// A card on a table, by whose table it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CardRef {
    pub(super) player: ParticipantId,
    pub(super) card: i32,
}

/// A card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Card {
    /// Unique among the cards in its player's zones.
    pub(super) id: i32,
    /// Means something on a table only; 0 elsewhere.
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) tapped: bool,
    pub(super) attacking: bool,
    pub(super) face_down: bool,
    pub(super) doesnt_untap: bool,
    /// A token: it vanishes when it leaves table and stack.
    pub(super) destroy_on_zone_change: bool,
    pub(super) print: Arc<Print>,
    rare: Option<Box<Rare>>,
}

/// What few cards have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Rare {
    pub(super) color: Box<str>,
    pub(super) pt: Box<str>,
    pub(super) annotation: Box<str>,
    /// By id; from 1 to 999.
    pub(super) counters: Vec<(i32, i32)>,
    /// What it is attached to.
    pub(super) parent: Option<CardRef>,
    /// What is attached to it, in the order in which it was.
    pub(super) attachments: Vec<CardRef>,
    /// The card below a transform token.
    pub(super) stashed: Option<Box<Card>>,
}

impl Card {
    pub(super) fn new(id: i32, print: Arc<Print>) -> Card {
        Card {
            id,
            x: 0,
            y: 0,
            tapped: false,
            attacking: false,
            face_down: false,
            doesnt_untap: false,
            destroy_on_zone_change: false,
            print,
            rare: None,
        }
    }

    pub(super) fn rare(&self) -> Option<&Rare> {
        self.rare.as_deref()
    }

    pub(super) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    pub(super) fn color(&self) -> &str {
        self.rare().map_or("", |rare| &rare.color)
    }

    pub(super) fn pt(&self) -> &str {
        self.rare().map_or("", |rare| &rare.pt)
    }

    pub(super) fn annotation(&self) -> &str {
        self.rare().map_or("", |rare| &rare.annotation)
    }

    pub(super) fn counters(&self) -> &[(i32, i32)] {
        self.rare().map_or(&[], |rare| &rare.counters)
    }

    pub(super) fn parent(&self) -> Option<CardRef> {
        self.rare()?.parent
    }

    pub(super) fn attachments(&self) -> &[CardRef] {
        self.rare().map_or(&[], |rare| &rare.attachments)
    }

    pub(super) fn carries(&self) -> bool {
        !self.attachments().is_empty()
    }

    /// Takes the card below out from under a transform token.
    pub(super) fn take_stashed(&mut self) -> Option<Box<Card>> {
        self.rare.as_mut()?.stashed.take()
    }

    /// Sets a counter; whether that changes it (7.7).
    pub(super) fn set_counter(&mut self, id: i32, value: i32) -> bool {
        let known = self.counters().binary_search_by_key(&id, |(id, _)| *id);
        match (known, value) {
            (Err(_), 0) => return false,
            (Err(place), _) => self.rare_mut().counters.insert(place, (id, value)),
            (Ok(place), 0) => drop(self.rare_mut().counters.remove(place)),
            (Ok(place), _) => {
                let Some(counter) = self.rare_mut().counters.get_mut(place) else {
                    return false;
                };
                return std::mem::replace(&mut counter.1, value) != value;
            }
        }
        true
    }

    pub(super) fn counter(&self, id: i32) -> i32 {
        let counters = self.counters();
        let known = counters.binary_search_by_key(&id, |(id, _)| *id).ok();
        known
            .and_then(|place| counters.get(place))
            .map_or(0, |(_, value)| *value)
    }

    /// What is forgotten when it comes into a zone without coordinates; the annotation stays on the stack.
    pub(super) fn reset(&mut self, keep_annotation: bool) {
        self.tapped = false;
        self.attacking = false;
        self.doesnt_untap = false;
        let Some(rare) = &mut self.rare else { return };
        rare.counters.clear();
        rare.pt = Box::default();
        if !keep_annotation {
            rare.annotation = Box::default();
        }
        if **rare == Rare::default() {
            self.rare = None;
        }
    }

    /// In a snapshot: what is usual is left out; nobody is told what a card is that lies face down, nor its printing.
    pub(super) fn in_snapshot(&self) -> ServerInfoCard<'_> {
        let some = |text: &'_ str| !text.is_empty();
        ServerInfoCard {
            face_down: self.face_down.then_some(true),
            attacking: self.attacking.then_some(true),
            color: some(self.color()).then(|| self.color().into()),
            pt: some(self.pt()).then(|| self.pt().into()),
            annotation: some(self.annotation()).then(|| self.annotation().into()),
            destroy_on_zone_change: self.destroy_on_zone_change.then_some(true),
            doesnt_untap: self.doesnt_untap.then_some(true),
            ..self.seen(false)
        }
    }

    /// In a dump or a revelation: every attribute.
    pub(super) fn in_full(&self, named: bool) -> ServerInfoCard<'_> {
        ServerInfoCard {
            face_down: Some(self.face_down),
            attacking: Some(self.attacking),
            color: Some(self.color().into()),
            pt: Some(self.pt().into()),
            annotation: Some(self.annotation().into()),
            destroy_on_zone_change: Some(self.destroy_on_zone_change),
            doesnt_untap: Some(self.doesnt_untap),
            ..self.seen(named)
        }
    }

    /// In a dump of a hidden zone, and drawn: what it is, by a number that its place or id gives it.
    pub(super) fn by_number(&self, id: i32, named: bool) -> ServerInfoCard<'_> {
        let (name, provider) = self.face(named);
        ServerInfoCard {
            id: Some(id),
            name: Some(name.into()),
            provider_id: Some(provider.into()),
            ..ServerInfoCard::default()
        }
    }

    /// Name and printing, nothing of one that lies face down unless it is named all the same.
    fn face(&self, named: bool) -> (&str, &str) {
        if self.face_down && !named {
            return ("", "");
        }
        (&self.print.name, &self.print.provider)
    }

    fn seen(&self, named: bool) -> ServerInfoCard<'_> {
        let counters = self.counters().iter();
        let parent = self.parent();
        ServerInfoCard {
            x: Some(self.x),
            y: Some(self.y),
            tapped: Some(self.tapped),
            counter_list: counters
                .map(|&(id, value)| ServerInfoCardCounter {
                    id: Some(id),
                    value: Some(value),
                })
                .collect(),
            attach_player_id: parent.map(|parent| parent.player),
            attach_zone: parent.map(|_| "table".into()),
            attach_card_id: parent.map(|parent| parent.card),
            ..self.by_number(self.id, named)
        }
    }
}
