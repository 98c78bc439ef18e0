//! What a player has on the table during a round: zones, counters, arrows (spec: cockatrice-table 1, 5).

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
};

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    card::{Card, Print},
    chance,
    ids::ParticipantId,
    zone::{Zone, ZoneName},
};
use crate::{
    deck::{self, Deck},
    messages::{Color, ServerInfoArrow, ServerInfoCounter},
};

/// What a player has during a round, as long as he has not conceded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Board {
    zones: [Zone; 7],
    /// By id.
    pub(super) counters: Vec<Counter>,
    /// Those he made, by id.
    pub(super) arrows: Vec<Arrow>,
    /// Ids of drawn cards, the last one last.
    pub(super) drawn: Vec<i32>,
    next_card: i32,
    /// How many cards came from the deck.
    pub(super) dealt: usize,
}

/// A colour as far as its maker gave it. It is always told of, even if nothing of it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Paint([Option<u32>; 4]);

impl Paint {
    pub(super) fn of(color: Option<&Color>) -> Paint {
        color.map_or(Paint::default(), |color| {
            Paint([color.r, color.g, color.b, color.a])
        })
    }

    pub(super) fn color(self) -> Color {
        let [r, g, b, a] = self.0;
        Color { r, g, b, a }
    }
}

/// A counter of a player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Counter {
    pub(super) id: i32,
    pub(super) name: Box<str>,
    pub(super) color: Paint,
    pub(super) radius: i32,
    pub(super) value: i32,
}

impl Counter {
    pub(super) fn info(&self) -> ServerInfoCounter<'_> {
        ServerInfoCounter {
            id: Some(self.id),
            name: Some((&*self.name).into()),
            counter_color: Some(self.color.color()),
            radius: Some(self.radius),
            count: Some(self.value),
        }
    }
}

/// One end of an arrow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Spot {
    pub(super) player: ParticipantId,
    pub(super) zone: ZoneName,
    pub(super) card: i32,
}

/// What an arrow aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Target {
    Player(ParticipantId),
    Card(Spot),
}

/// An arrow from a card to a card or a player.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Arrow {
    pub(super) id: i32,
    pub(super) start: Spot,
    pub(super) target: Target,
    pub(super) color: Paint,
    pub(super) made_in_phase: i32,
    pub(super) until_phase: i32,
}

impl Arrow {
    pub(super) fn info(&self) -> ServerInfoArrow<'static> {
        let (player, card) = match self.target {
            Target::Player(player) => (player, None),
            Target::Card(spot) => (spot.player, Some(spot)),
        };
        ServerInfoArrow {
            id: Some(self.id),
            start_player_id: Some(self.start.player),
            start_zone: Some(self.start.zone.name().into()),
            start_card_id: Some(self.start.card),
            target_player_id: Some(player),
            target_zone: card.map(|card| card.zone.name().into()),
            target_card_id: card.map(|card| card.card),
            arrow_color: Some(self.color.color()),
        }
    }

    /// Whether it starts or ends at a card.
    pub(super) fn touches(&self, spot: Spot) -> bool {
        self.start == spot || self.target == Target::Card(spot)
    }

    /// Whether it starts at one of a player's cards, or aims at him or one of them.
    pub(super) fn concerns(&self, player: ParticipantId) -> bool {
        let target = match self.target {
            Target::Player(target) => target,
            Target::Card(spot) => spot.player,
        };
        self.start.player == player || target == player
    }
}

impl Board {
    /// A fresh one: the deck's cards numbered in the order of its lists, the plan made, the library shuffled.
    pub(super) fn deal(deck: &Deck, life: i32, rng: &mut dyn Rng) -> Board {
        let mut next_card = 0;
        let mut last: Option<Arc<Print>> = None;
        let mut number = |card: &deck::Card| {
            let copy = last
                .take()
                .filter(|last| *last.name == *card.name() && *last.provider == *card.provider_id());
            let print = copy.unwrap_or_else(|| {
                Arc::new(Print {
                    name: card.name().into(),
                    provider: card.provider_id().into(),
                })
            });
            last = Some(print.clone());
            let card = Card::new(next_card, print);
            next_card += 1;
            card
        };
        let main: VecDeque<Card> = deck.main().map(&mut number).collect();
        let side: VecDeque<Card> = deck.side().map(&mut number).collect();
        let dealt = main.len() + side.len();
        let (main, side) = follow(deck.plan(), main, side);
        let mut board = Board {
            zones: Default::default(),
            counters: first_counters(life),
            arrows: Vec::new(),
            drawn: Vec::new(),
            next_card,
            dealt,
        };
        board.zone_mut(ZoneName::Deck).cards = main;
        board.zone_mut(ZoneName::Sb).cards = side;
        let library = &mut board.zone_mut(ZoneName::Deck).cards;
        let end = library.len();
        chance::shuffle(library, 0, end, rng);
        board
    }

    pub(super) fn zone(&self, name: ZoneName) -> &Zone {
        &self.zones[name as usize]
    }

    pub(super) fn zone_mut(&mut self, name: ZoneName) -> &mut Zone {
        &mut self.zones[name as usize]
    }

    /// The zones with their names, in their order.
    pub(super) fn zones(&self) -> impl Iterator<Item = (ZoneName, &Zone)> {
        ZoneName::ALL.into_iter().zip(&self.zones)
    }

    pub(super) fn table(&self) -> &Zone {
        self.zone(ZoneName::Table)
    }

    pub(super) fn table_mut(&mut self) -> &mut Zone {
        self.zone_mut(ZoneName::Table)
    }

    /// An id for a card that is new here.
    pub(super) fn new_card_id(&mut self) -> i32 {
        let id = self.next_card;
        self.next_card = id.saturating_add(1);
        id
    }

    pub(super) fn card_count(&self) -> usize {
        self.zones.iter().map(|zone| zone.cards.len()).sum()
    }

    /// The last drawn card that left the hand ends what can be undone before it (7.2).
    pub(super) fn drawn_card_left(&mut self, id: i32) {
        if let Some(last) = self.drawn.iter().rposition(|&drawn| drawn == id) {
            self.drawn.drain(..last);
        }
    }
}

/// Makes the moves of a plan: the first card of a name goes to the end of the other list.
fn follow(
    plan: &[deck::Move],
    main: VecDeque<Card>,
    side: VecDeque<Card>,
) -> (VecDeque<Card>, VecDeque<Card>) {
    if plan.is_empty() {
        return (main, side);
    }
    let mut lists: [Vec<Option<Card>>; 2] =
        [main, side].map(|cards| cards.into_iter().map(Some).collect());
    // Where the cards of a name stand in each list, so that a long plan for a long deck takes no longer than both.
    let mut places: [BTreeMap<Box<str>, VecDeque<usize>>; 2] = Default::default();
    for (list, places) in lists.iter().zip(&mut places) {
        for (place, card) in list.iter().flatten().enumerate() {
            places
                .entry(card.print.name.clone())
                .or_default()
                .push_back(place);
        }
    }
    let list = |zone: &str| ["main", "side"].iter().position(|name| *name == zone);
    for step in plan {
        let (Some(from), Some(to)) = (list(&step.start_zone), list(&step.target_zone)) else {
            continue;
        };
        let place = places[from]
            .get_mut(&*step.card_name)
            .and_then(VecDeque::pop_front);
        let Some(card) = place.and_then(|place| lists[from].get_mut(place)?.take()) else {
            continue;
        };
        let name = card.print.name.clone();
        places[to]
            .entry(name)
            .or_default()
            .push_back(lists[to].len());
        lists[to].push(Some(card));
    }
    let [main, side] = lists.map(|cards| cards.into_iter().flatten().collect());
    (main, side)
}

/// The counters that every player begins with (spec: cockatrice-behaviour 5.6).
fn first_counters(life: i32) -> Vec<Counter> {
    let counters = [
        ("life", 25, [255, 255, 255]),
        ("w", 20, [255, 255, 150]),
        ("u", 20, [150, 150, 255]),
        ("b", 20, [150, 150, 150]),
        ("r", 20, [250, 150, 150]),
        ("g", 20, [150, 255, 150]),
        ("x", 20, [255, 255, 255]),
        ("storm", 20, [255, 150, 30]),
    ];
    let numbered = (0..).zip(counters);
    numbered
        .map(|(id, (name, radius, [r, g, b]))| Counter {
            id,
            name: name.into(),
            color: Paint([Some(r), Some(g), Some(b), None]),
            radius,
            value: if id == 0 { life } else { 0 },
        })
        .collect()
}
