//! The grid of a table: columns of three cards, the piles (spec: cockatrice-table 1.4).
//!
//! Which cells are taken is seen from the cards. Kept are, per row, which piles are open for further cards of a name, and the
//! next free column.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    card::{Card, CardRef, Print},
    zone::Zone,
};

/// What is remembered of a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    y: i32,
    /// The base of the column that a card goes to that has no pile.
    next_free: i32,
    /// Piles that take more cards of a name, by their base; the newest is the last.
    open: Vec<(Arc<Print>, i32)>,
}

impl Row {
    fn list(&mut self, print: &Arc<Print>, base: i32) {
        if !self
            .open
            .iter()
            .any(|(known, pile)| *pile == base && known.name == print.name)
        {
            self.open.push((print.clone(), base));
        }
    }

    fn unlist(&mut self, name: &str, base: i32) {
        self.open
            .retain(|(known, pile)| *pile != base || *known.name != *name);
    }
}

/// The first cell of the pile that a cell is in.
pub(super) fn base_of(x: i32) -> i32 {
    x - x.rem_euclid(3)
}

impl Zone {
    /// The card in a cell.
    pub(super) fn cell(&self, x: i32, y: i32) -> Option<&Card> {
        self.cards.iter().find(|card| card.x == x && card.y == y)
    }

    /// Those in the three cells of a pile.
    pub(super) fn pile(&self, base: i32, y: i32) -> [Option<&Card>; 3] {
        [0, 1, 2].map(|above| self.cell(base.saturating_add(above), y))
    }

    /// Where a card goes that somebody wants at (x, y).
    pub(super) fn placed(&self, x: i32, y: i32, name: &str, face_down: bool) -> i32 {
        if x >= 0 {
            return self.placed_at(x, y);
        }
        let next_free = self.row(y).map_or(0, |row| row.next_free);
        let open = self.row(y).map_or(&[][..], |row| &row.open);
        let newest = open.iter().rev().find(|(print, _)| *print.name == *name);
        let Some(&(_, base)) = newest.filter(|_| x == -1 && !face_down) else {
            return next_free;
        };
        match self.pile(base, y) {
            [None, ..] => base,
            [Some(lowest), ..] if lowest.face_down || lowest.carries() => next_free,
            [_, None, _] => base + 1,
            [_, _, None] => base + 2,
            _ => next_free,
        }
    }

    fn placed_at(&self, x: i32, y: i32) -> i32 {
        let base = base_of(x);
        match self.pile(base, y) {
            [None, ..] => base,
            [Some(lowest), ..] if lowest.carries() => self.free_base_after(base, y),
            [_, None, _] => base + 1,
            [_, _, None] => base + 2,
            _ => self.free_base_after(base, y),
        }
    }

    fn free_base_after(&self, base: i32, y: i32) -> i32 {
        let bases = self
            .cards
            .iter()
            .filter(|card| card.y == y && card.x > base && card.x % 3 == 0);
        let mut bases: Vec<i32> = bases.map(|card| card.x).collect();
        bases.sort_unstable();
        let mut free = base + 3;
        for taken in bases {
            if taken != free {
                break;
            }
            free += 3;
        }
        free
    }

    /// Puts a card on the table, at a cell that [`placed`](Self::placed) gave, or -1 for one that is attached.
    pub(super) fn lay(&mut self, card: Card) {
        let (x, y) = (card.x, card.y);
        let face_up_and_bare = !card.face_down && !card.carries();
        let print = card.print.clone();
        self.cards.push_back(card);
        if x >= 0 {
            self.register(x, y, &print, face_up_and_bare);
        }
    }

    /// Registers the cell of a card that no longer carries anything.
    pub(super) fn register_again(&mut self, id: i32) {
        let Some(card) = self.card(id).filter(|card| card.x >= 0) else {
            return;
        };
        let (x, y, print) = (card.x, card.y, card.print.clone());
        let face_up_and_bare = !card.face_down && !card.carries();
        self.register(x, y, &print, face_up_and_bare);
    }

    fn register(&mut self, x: i32, y: i32, print: &Arc<Print>, face_up_and_bare: bool) {
        let base = base_of(x);
        if x == base {
            if face_up_and_bare {
                self.row_mut(y).list(print, base);
            }
            if self.row(y).map_or(0, |row| row.next_free) == base {
                let next_free = self.free_column_after(base, y);
                self.row_mut(y).next_free = next_free;
            }
        } else if x == base + 2
            && let Some(lowest) = self.cell(base, y)
        {
            let name = lowest.print.clone();
            self.row_mut(y).unlist(&name.name, base);
        }
    }

    /// The first column to the right with no card in any of its cells.
    fn free_column_after(&self, base: i32, y: i32) -> i32 {
        let columns = self
            .cards
            .iter()
            .filter(|card| card.y == y && card.x > base);
        let mut columns: Vec<i32> = columns.map(|card| base_of(card.x)).collect();
        columns.sort_unstable();
        columns.dedup();
        let mut free = base + 3;
        for taken in columns.into_iter().filter(|&column| column > base) {
            if taken != free {
                break;
            }
            free += 3;
        }
        free
    }

    /// Forgets the cell of a card that is no longer in it.
    pub(super) fn lift(&mut self, x: i32, y: i32, print: &Arc<Print>) {
        let base = base_of(x);
        let pile = self.pile(base, y);
        let others = pile.iter().flatten();
        let was_full = others.clone().count() == 2;
        let lowest = match x == base {
            true => Some(print.clone()),
            false => pile[0].map(|lowest| lowest.print.clone()),
        };
        let has_name = others.clone().any(|other| other.print.name == print.name);
        let is_empty = others.count() == 0;
        let row = self.row_mut(y);
        if let Some(lowest) = lowest.filter(|_| was_full) {
            row.list(&lowest, base);
        }
        if !has_name {
            row.unlist(&print.name, base);
        }
        if is_empty && base < row.next_free {
            row.next_free = base;
        }
        if row.next_free == 0 && row.open.is_empty() {
            self.rows.retain(|row| row.y != y);
        }
    }

    /// Takes a card out of its cell and hangs it on another: it stays where it is in the list, and in its row.
    pub(super) fn hang(&mut self, id: i32, parent: CardRef) {
        let Some(card) = self.card_mut(id) else {
            return;
        };
        let (x, y, print) = (card.x, card.y, card.print.clone());
        card.x = -1;
        card.rare_mut().parent = Some(parent);
        if x >= 0 {
            self.lift(x, y, &print);
        }
    }

    fn row(&self, y: i32) -> Option<&Row> {
        let place = self.rows.binary_search_by_key(&y, |row| row.y).ok()?;
        self.rows.get(place)
    }

    fn row_mut(&mut self, y: i32) -> &mut Row {
        let place = match self.rows.binary_search_by_key(&y, |row| row.y) {
            Ok(place) => place,
            Err(place) => {
                let row = Row {
                    y,
                    next_free: 0,
                    open: Vec::new(),
                };
                self.rows.insert(place, row);
                place
            }
        };
        &mut self.rows[place]
    }

    /// The piles there are, by row and base.
    pub(super) fn piles(&self) -> Vec<(i32, i32)> {
        let laid = self.cards.iter().filter(|card| card.x >= 0);
        let mut piles: Vec<_> = laid.map(|card| (card.y, base_of(card.x))).collect();
        piles.sort_unstable();
        piles.dedup();
        piles
    }
}

#[cfg(test)]
impl Zone {
    /// What is remembered of each row: y, the next free column, the open piles.
    pub(super) fn grid(&self) -> impl Iterator<Item = (i32, i32, &[(Arc<Print>, i32)])> {
        let rows = self.rows.iter();
        rows.map(|row| (row.y, row.next_free, &row.open[..]))
    }
}
