//! A deck: what a player brings to a game, and what the deck storage keeps (spec: cockatrice-table 4.2 to 4.5).
//!
//! The lobby does not know which cards exist, so a deck is a list of whatever names a client wrote. Every [`Deck`] is within
//! the bounds below, so that going through its copies costs little whoever made it.

mod hash;
mod path;
mod playmat;
mod read;
mod write;

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use path::{folder_name, folders};
pub use playmat::Playmat;

/// Most cards that a deck puts on a table, counting copies: a number is cheap to write and a card is not.
pub const MOST_CARDS: u64 = 10_000;

/// Most bytes of the names of all those copies: names are not cut.
pub const MOST_NAME_BYTES: u64 = 4 << 20;

/// Most entries of a deck: cards of lists, moves of plans, tags. Real decks have some hundred.
pub const MOST_ENTRIES: usize = 10_000;

/// Most zones of a deck, and as many plans; real decks have two or three.
pub const MOST_ZONES: usize = 100;

/// A deck's name if its file has none (spec: cockatrice-behaviour 11).
const UNNAMED: &str = "Unnamed deck";

/// A deck beyond one of the bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// Why a deck is not stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Not a whole document, or one of another kind.
    NoDeck,
    /// Beyond one of the bounds.
    TooLarge,
}

/// A deck, as its native form has it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Deck {
    last_loaded: Box<str>,
    name: Box<str>,
    format: Box<str>,
    comments: Box<str>,
    banner: Banner,
    playmat: Option<Box<Playmat>>,
    tags: Vec<Box<str>>,
    zones: Vec<Zone>,
    plans: Vec<Plan>,
}

/// The card that stands for a deck in lists.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Banner {
    name: Box<str>,
    provider_id: Box<str>,
}

/// A list of cards, with lists in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Zone {
    name: Box<str>,
    items: Vec<Item>,
}

/// What a zone lists. There may be thousands of entries in what is kept of a game, so their names are short there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Item {
    #[serde(rename = "c")]
    Card(Card),
    #[serde(rename = "z")]
    Zone(Zone),
}

/// Some copies of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    #[serde(rename = "n")]
    number: i32,
    #[serde(rename = "t")]
    name: Box<str>,
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    printing: Option<Box<Printing>>,
}

/// Which printing of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Printing {
    #[serde(rename = "s", default, skip_serializing_if = "is_empty")]
    set: Box<str>,
    #[serde(rename = "c", default, skip_serializing_if = "is_empty")]
    collector_number: Box<str>,
    #[serde(rename = "p", default, skip_serializing_if = "is_empty")]
    provider_id: Box<str>,
}

/// Moves between main deck and sideboard under a name; the one named "" is the current one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    name: Box<str>,
    moves: Vec<Move>,
}

/// The first card of a name goes from one zone to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The card's name.
    pub card_name: Box<str>,
    /// The zone it leaves: `main` or `side`, or nothing happens.
    pub start_zone: Box<str>,
    /// The zone it goes to: `main` or `side`, or nothing happens.
    pub target_zone: Box<str>,
}

impl Move {
    fn bytes(&self) -> usize {
        self.card_name.len() + self.start_zone.len() + self.target_zone.len()
    }
}

impl Card {
    /// The card's name, of any length.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The printing's id with the provider of pictures; empty if the file names none.
    pub fn provider_id(&self) -> &str {
        match &self.printing {
            Some(printing) => &printing.provider_id,
            None => "",
        }
    }

    /// How many copies are played.
    fn copies(&self) -> usize {
        usize::try_from(self.number).unwrap_or(0)
    }
}

impl Deck {
    /// The deck of a text, read as forgivingly as a player's choice of a deck is (spec: cockatrice-table 4.1, 4.2): what is no
    /// deck is the empty one, of what breaks off the beginning counts.
    ///
    /// # Errors
    /// The deck is beyond one of the bounds.
    pub fn read(text: &[u8]) -> Result<Deck, TooLarge> {
        Ok(read::read(&crate::text::file(text))?.deck)
    }

    /// The deck of a text that is to be stored, which has to be a whole document (spec: cockatrice-behaviour 11, 18.3).
    ///
    /// # Errors
    /// It is none, or the deck is beyond one of the bounds.
    pub fn read_whole(text: &[u8]) -> Result<Deck, Refused> {
        let read = read::read(&crate::text::file(text)).map_err(|TooLarge| Refused::TooLarge)?;
        if read.whole {
            Ok(read.deck)
        } else {
            Err(Refused::NoDeck)
        }
    }

    /// The deck's name, as its file has it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name it is stored under.
    pub fn stored_name(&self) -> &str {
        if self.name.is_empty() {
            UNNAMED
        } else {
            &self.name
        }
    }

    /// The native form.
    pub fn write(&self) -> String {
        write::write(self)
    }

    /// The eight characters that players compare decks by (spec: cockatrice-behaviour 6.3, cockatrice-table 4.3).
    pub fn hash(&self) -> String {
        hash::hash(self)
    }

    /// Each card of the main deck, in the order of the list; one of which there are several comes as often.
    pub fn main(&self) -> impl Iterator<Item = &Card> {
        copies(self.cards("main"))
    }

    /// Each card of the sideboard, likewise.
    pub fn side(&self) -> impl Iterator<Item = &Card> {
        copies(self.cards("side"))
    }

    /// The sum of the numbers in the sideboard's list, negative ones included (spec: cockatrice-table 4.3).
    pub fn sideboard_size(&self) -> i32 {
        let sum: i64 = self.cards("side").map(|card| i64::from(card.number)).sum();
        // Entries are bounded, positive numbers too: only the lower end can be out of reach.
        i32::try_from(sum).unwrap_or(i32::MIN)
    }

    /// The entries of a zone; those of zones inside it are not played.
    fn cards(&self, zone: &str) -> impl Iterator<Item = &Card> {
        let zone = self.zones.iter().find(|known| *known.name == *zone);
        let items = zone.map_or(&[][..], |zone| &zone.items);
        items.iter().filter_map(|item| match item {
            Item::Card(card) => Some(card),
            Item::Zone(_) => None,
        })
    }

    /// The picture below the player's cards, if there is one.
    pub fn playmat(&self) -> Option<&Playmat> {
        self.playmat.as_deref()
    }

    /// Changes the picture. One of a card without a name is none.
    pub fn set_playmat(&mut self, playmat: Playmat) {
        self.playmat = Some(Box::new(playmat)).filter(|playmat| !playmat.card_name().is_empty());
    }

    /// The moves that are made when the game starts: those of the plan without a name (spec: cockatrice-table 4.4).
    pub fn plan(&self) -> &[Move] {
        let current = self.plans.iter().find(|plan| plan.name.is_empty());
        current.map_or(&[], |plan| &plan.moves)
    }

    /// Replaces them. Nothing about them is checked but how much they are.
    ///
    /// # Errors
    /// More moves, or longer names, than a deck may have; the moves are as before.
    pub fn set_plan(&mut self, moves: Vec<Move>) -> Result<(), TooLarge> {
        let bytes: usize = moves.iter().map(Move::bytes).sum();
        if moves.len() > MOST_ENTRIES || bytes > crate::text::FILE_BYTES {
            return Err(TooLarge);
        }
        match self.plans.iter_mut().find(|plan| plan.name.is_empty()) {
            Some(current) => current.moves = moves,
            None => self.plans.push(Plan {
                name: Box::default(),
                moves,
            }),
        }
        Ok(())
    }

    /// Forgets them; the plan stays, without moves.
    pub fn clear_plan(&mut self) {
        // No moves are never too many.
        let _ = self.set_plan(Vec::new());
    }

    /// Whether it is within the bounds that depend on the whole deck.
    fn is_bearable(&self) -> bool {
        let (mut cards, mut bytes) = (0, 0);
        for card in self.cards("main").chain(self.cards("side")) {
            let copies = card.copies() as u64;
            let name = (card.name.len() + card.provider_id().len()) as u64;
            cards += copies;
            // At most 2^31 copies of 2^22 bytes, from at most 2^14 entries: no overflow before the bound is seen.
            bytes += copies * name;
            if cards > MOST_CARDS || bytes > MOST_NAME_BYTES {
                return false;
            }
        }
        self.write().len() <= crate::text::FILE_BYTES
    }
}

fn copies<'a>(cards: impl Iterator<Item = &'a Card>) -> impl Iterator<Item = &'a Card> {
    cards.flat_map(|card| std::iter::repeat_n(card, card.copies()))
}

fn is_empty(text: &str) -> bool {
    text.is_empty()
}
