//! What has to hold of a game at any time.

use std::collections::BTreeSet;

use super::room::Room;
use crate::game::{board::Target, card::CardRef, zone::ZoneName};

impl Room {
    /// Panics unless the game is consistent.
    pub(super) fn check(&self) {
        for (player, state) in self.game.players() {
            assert!(state.board.is_none() || self.game.started && !state.conceded);
            let Some(board) = &state.board else { continue };
            let mut ids = BTreeSet::new();
            for (name, zone) in board.zones() {
                assert!(zone.looked_at_below as usize <= zone.cards.len());
                for card in &zone.cards {
                    assert!(ids.insert(card.id), "{} twice at {player}", card.id);
                    if name != ZoneName::Table {
                        assert_eq!((card.x, card.y), (0, 0));
                        assert!(card.parent().is_none() && !card.carries());
                    }
                }
            }
            self.check_grid(player);
            self.check_attachments(player);
            self.check_arrows(player);
        }
    }

    fn check_grid(&self, player: i32) {
        let table = self.board(player).table();
        let mut cells = BTreeSet::new();
        for card in &table.cards {
            assert_eq!(card.x < 0, card.parent().is_some(), "{card:?}");
            assert!(
                card.x < 0 || cells.insert((card.y, card.x)),
                "cell taken twice: {card:?}"
            );
        }
        for (y, next_free, open) in table.grid() {
            assert!(
                table.pile(next_free, y).iter().all(Option::is_none),
                "next free is taken"
            );
            for (print, base) in open {
                let pile = table.pile(*base, y);
                let has_one = pile
                    .iter()
                    .flatten()
                    .any(|card| card.print.name == print.name);
                assert!(has_one, "no {print:?} in {base}");
            }
        }
    }

    fn check_attachments(&self, player: i32) {
        for card in &self.board(player).table().cards {
            let me = CardRef {
                player,
                card: card.id,
            };
            if let Some(parent) = card.parent() {
                let parent = self.game.table_card(parent).expect("a parent");
                assert_eq!(
                    parent
                        .attachments()
                        .iter()
                        .filter(|child| **child == me)
                        .count(),
                    1
                );
                assert!(parent.parent().is_none());
            }
            for &child in card.attachments() {
                assert_eq!(
                    self.game.table_card(child).expect("a child").parent(),
                    Some(me)
                );
            }
        }
    }

    fn check_arrows(&self, player: i32) {
        for arrow in &self.board(player).arrows {
            let mut ends = vec![arrow.start];
            match arrow.target {
                Target::Card(spot) => ends.push(spot),
                Target::Player(player) => assert!(self.game.player(player).is_some()),
            }
            for end in ends {
                let board = self
                    .game
                    .board(end.player)
                    .expect("a board at an arrow's end");
                assert!(
                    board.zone(end.zone).card(end.card).is_some(),
                    "arrow to nothing: {arrow:?}"
                );
            }
        }
    }
}
