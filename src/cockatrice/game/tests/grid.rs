//! The grid of a table against the words of the specification, written down once more without any cleverness
//! (spec: cockatrice-table 1.4).

use std::{collections::BTreeMap, sync::Arc};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::game::{
    card::{Card, CardRef, Print},
    zone::Zone,
};

/// What lies in a cell: a name, whether face down, whether it carries something.
type Laid = (&'static str, bool, bool);

/// A row as the specification has it.
#[derive(Default)]
struct Row {
    cells: BTreeMap<i32, Laid>,
    /// Open piles by name, the newest first.
    open: BTreeMap<&'static str, Vec<i32>>,
    next_free: i32,
}

impl Row {
    fn is_free(&self, x: i32) -> bool {
        !self.cells.contains_key(&x)
    }

    fn free_base_after(&self, mut base: i32) -> i32 {
        while !self.is_free(base) {
            base += 3;
        }
        base
    }

    fn list(&mut self, name: &'static str, base: i32) {
        let open = self.open.entry(name).or_default();
        if !open.contains(&base) {
            open.insert(0, base);
        }
    }

    fn unlist(&mut self, name: &str, base: i32) {
        if let Some(open) = self.open.get_mut(name) {
            open.retain(|&pile| pile != base);
        }
    }

    fn placed(&self, x: i32, name: &str, face_down: bool) -> i32 {
        if x >= 0 {
            let base = x / 3 * 3;
            return match self.cells.get(&base) {
                None => base,
                Some((.., true)) => self.free_base_after(base),
                _ if self.is_free(base + 1) => base + 1,
                _ if self.is_free(base + 2) => base + 2,
                _ => self.free_base_after(base),
            };
        }
        let newest = self.open.get(name).and_then(|open| open.first());
        let Some(&pile) = newest.filter(|_| x == -1 && !face_down) else {
            return self.next_free;
        };
        match self.cells.get(&pile) {
            None => pile,
            Some((_, down, carries)) if *down || *carries => self.next_free,
            _ if self.is_free(pile + 1) => pile + 1,
            _ if self.is_free(pile + 2) => pile + 2,
            // The specification's words would put a second card into that cell. Piles close up after each command, so that no
            // full one is listed.
            _ => self.next_free,
        }
    }

    fn put(&mut self, x: i32, card: Laid) {
        let (name, face_down, carries) = card;
        self.cells.insert(x, card);
        if x % 3 == 0 {
            if !face_down && !carries {
                self.list(name, x);
            }
            if x == self.next_free {
                let is_taken = |row: &Row| (0..3).any(|above| !row.is_free(row.next_free + above));
                while is_taken(self) {
                    self.next_free += 3;
                }
            }
        } else if x % 3 == 2
            && let Some(&(lowest, ..)) = self.cells.get(&(x - 2))
        {
            self.unlist(lowest, x - 2);
        }
    }

    fn take(&mut self, x: i32) {
        let base = x / 3 * 3;
        let pile = [base, base + 1, base + 2];
        if pile.iter().all(|&cell| !self.is_free(cell)) {
            self.list(self.cells[&base].0, base);
        }
        let (name, ..) = self.cells.remove(&x).expect("a card");
        let left: Vec<&str> = pile
            .iter()
            .filter_map(|cell| Some(self.cells.get(cell)?.0))
            .collect();
        let (has_name, is_empty) = (left.contains(&name), left.is_empty());
        if !has_name {
            self.unlist(name, base);
        }
        if is_empty && base < self.next_free {
            self.next_free = base;
        }
    }
}

const NAMES: [&str; 3] = ["Forest", "Island", "Bear"];

fn card(id: i32, (name, face_down, carries): Laid) -> Card {
    let print = Print {
        name: name.into(),
        provider: "".into(),
    };
    let mut card = Card::new(id, Arc::new(print));
    card.face_down = face_down;
    if carries {
        let child = CardRef { player: 9, card: 0 };
        card.rare_mut().attachments.push(child);
    }
    card
}

/// Cards come and go at random; each lands where the specification says.
#[test]
fn cards_land_where_the_specification_says() {
    for seed in 0..200 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (mut zone, mut rows) = (Zone::default(), [Row::default(), Row::default()]);
        for id in 0..120 {
            let y = rng.random_range(0..2);
            let row = &mut rows[y as usize];
            if rng.random_range(0..5) < 2 && !row.cells.is_empty() {
                let taken = rng.random_range(0..row.cells.len());
                let x = *row.cells.keys().nth(taken).expect("one");
                row.take(x);
                let place = zone.cards.iter().position(|one| (one.x, one.y) == (x, y));
                zone.take(place.expect("it is there"));
                continue;
            }
            let laid = (
                NAMES[rng.random_range(0..3)],
                rng.random_range(0..6) == 0,
                rng.random_range(0..6) == 0,
            );
            let x = match rng.random_range(0..2) {
                0 => rng.random_range(-2..0),
                _ => rng.random_range(0..15),
            };
            let expected = row.placed(x, laid.0, laid.1);
            let at = zone.placed(x, y, laid.0, laid.1);
            assert_eq!(at, expected, "seed {seed}: {laid:?} at {x}, {y}");
            row.put(at, laid);
            let mut card = card(id, laid);
            (card.x, card.y) = (at, y);
            zone.lay(card);
        }
    }
}
