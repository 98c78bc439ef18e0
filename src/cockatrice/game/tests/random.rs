//! Games of commands at random: nothing breaks, the same seed gives the same bytes, and a game that is kept and read back goes on
//! as it would have.

use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{play::*, room::*, secrecy::own_deck};
use crate::{
    game::{zone::ZoneName, *},
    messages::*,
};

const ZONES: [&str; 7] = ["deck", "grave", "hand", "rfg", "sb", "stack", "table"];

/// What a player may try.
pub(super) struct Player<'a> {
    pub(super) rng: &'a mut StdRng,
    pub(super) room: &'a Room,
    pub(super) by: i32,
}

impl Player<'_> {
    fn number(&mut self, to: i32) -> i32 {
        match self.rng.random_range(0..60) {
            0 => -1,
            1 => i32::MAX,
            2 => i32::MIN,
            3 => -2,
            _ => self.rng.random_range(0..=to),
        }
    }

    pub(super) fn yes(&mut self) -> bool {
        self.rng.random_range(0..4) == 0
    }

    fn somebody(&mut self) -> i32 {
        if self.rng.random_range(0..3) > 0 {
            self.by
        } else {
            self.number(4)
        }
    }

    fn zone(&mut self) -> &'static str {
        match self.rng.random_range(0..20) {
            0..8 => "table",
            8..13 => "hand",
            13 => "nowhere",
            _ => ZONES.choose(self.rng).expect("one"),
        }
    }

    /// The number of a card that is there, most of the time.
    fn card(&mut self, player: i32, zone: &str) -> i32 {
        let zone = ZoneName::of(Some(zone.as_bytes()));
        let board = self.room.game.board(player);
        let cards = zone.zip(board).map(|(zone, board)| &board.zone(zone).cards);
        let count = cards.map_or(0, |cards| cards.len());
        if count == 0 || self.rng.random_range(0..15) == 0 {
            return self.number(20);
        }
        let place = self.rng.random_range(0..count);
        match (zone.is_some_and(ZoneName::is_hidden), cards) {
            (false, Some(cards)) => cards[place].id,
            _ => place as i32,
        }
    }

    fn moves(&mut self) -> GameCommandBody<'static> {
        let player = self.somebody();
        let (from, to) = (self.zone(), self.zone());
        let card = (0..self.rng.random_range(0..4)).map(|_| CardToMove {
            card_id: Some(self.card(player, from)),
            face_down: self.yes().then_some(true),
            pt: self.yes().then(|| "1/1".into()),
            tapped: self.yes().then_some(true),
        });
        let card = card.collect();
        GameCommandBody::MoveCard(CommandMoveCard {
            start_player_id: (player != self.by || self.yes()).then_some(player),
            start_zone: Some(from.into()),
            cards_to_move: Some(ListOfCardsToMove { card }),
            target_player_id: Some(self.somebody()),
            target_zone: Some(to.into()),
            x: Some(self.number(12).saturating_sub(2)),
            y: Some(self.rng.random_range(0..2)),
            is_reversed: None,
        })
    }

    fn attaches(&mut self) -> GameCommandBody<'static> {
        let target = self.number(3);
        GameCommandBody::AttachCard(CommandAttachCard {
            start_zone: Some("table".into()),
            card_id: Some(self.card(self.by, "table")),
            target_player_id: (!self.yes()).then_some(target),
            target_zone: Some("table".into()),
            target_card_id: Some(self.card(target, "table")),
        })
    }

    fn points(&mut self) -> GameCommandBody<'static> {
        let (start, target) = (self.number(3), self.number(3));
        let zone = if self.yes() { self.zone() } else { "table" };
        GameCommandBody::CreateArrow(CommandCreateArrow {
            start_player_id: Some(start),
            start_zone: Some(zone.into()),
            start_card_id: Some(self.card(start, zone)),
            target_player_id: Some(target),
            target_zone: (!self.yes()).then(|| zone.into()),
            target_card_id: Some(self.card(target, zone)),
            arrow_color: None,
            delete_in_phase: self.yes().then(|| self.number(10)),
        })
    }

    fn makes(&mut self) -> GameCommandBody<'static> {
        let (zone, target) = (self.zone(), self.zone());
        make(CommandCreateToken {
            zone: Some(zone.into()),
            card_name: Some(
                ["Soldier", "Bear", ""]
                    .choose(self.rng)
                    .map_or("", |name| *name)
                    .into(),
            ),
            destroy_on_zone_change: Some(!self.yes()),
            face_down: Some(self.yes()),
            x: Some(self.number(9)),
            y: Some(self.rng.random_range(0..2)),
            target_zone: self.yes().then(|| target.into()),
            target_card_id: Some(self.card(self.by, target)),
            target_mode: self.yes().then_some(TargetMode::TransformInto),
            ..CommandCreateToken::default()
        })
    }

    /// A command that shows nothing to anybody but through what it does.
    fn plays(&mut self) -> GameCommandBody<'static> {
        match self.rng.random_range(0..60) {
            0..20 => self.moves(),
            20..24 => self.attaches(),
            24..28 => self.points(),
            28..33 => self.makes(),
            33..37 => draw(self.rng.random_range(0..3)),
            37 => undo(),
            38 => mulligan(self.number(7) as u32),
            39 => shuffle(self.number(12), self.number(12)),
            40..43 => {
                let zone = self.zone();
                let player = self.somebody();
                dump(player, zone, self.number(5))
            }
            43..45 => GameCommandBody::FlipCard(CommandFlipCard {
                zone: Some("table".into()),
                card_id: Some(self.card(self.by, "table")),
                face_down: Some(!self.yes()),
                pt: None,
            }),
            45..47 => counter(self.card(self.by, "table"), self.number(3), self.number(5)),
            47..49 => attr(
                Some(self.card(self.by, "table")),
                CardAttribute::AttrAnnotation,
                ["Owner: bob", "Owner: alice", ""][self.rng.random_range(0..3)],
            ),
            49 => attr(None, CardAttribute::AttrTapped, "1"),
            50..53 => phase(self.number(10) as u32),
            53..55 => next_turn(),
            55 => GameCommandBody::RollDie(CommandRollDie {
                sides: None,
                count: None,
            }),
            56 if self.yes() => concede(),
            57 => unconcede(),
            58 => ready(),
            _ => GameCommandBody::DelCounter(CommandDelCounter {
                counter_id: Some(self.number(9)),
            }),
        }
    }

    pub(super) fn reveals(&mut self) -> GameCommandBody<'static> {
        let zone = self.zone();
        GameCommandBody::RevealCards(CommandRevealCards {
            zone_name: Some(zone.into()),
            card_id: match self.yes() {
                true => vec![],
                false => vec![self.card(self.by, zone)],
            },
            player_id: (!self.yes()).then(|| self.number(4)),
            grant_write_access: Some(self.yes()),
            top_cards: self.yes().then(|| self.number(3)),
        })
    }

    /// Any command.
    pub(super) fn does(&mut self) -> GameCommandBody<'static> {
        match self.rng.random_range(0..20) {
            0 => self.reveals(),
            1 => GameCommandBody::ChangeZoneProperties(CommandChangeZoneProperties {
                zone_name: Some(self.zone().into()),
                always_reveal_top_card: self.yes().then(|| self.yes()),
                always_look_at_top_card: self.yes().then(|| self.yes()),
            }),
            2 => {
                let GameCommandBody::MoveCard(mut command) = self.moves() else {
                    return undo();
                };
                command.is_reversed = Some(true);
                GameCommandBody::MoveCard(command)
            }
            3 => judge(self.number(5), vec![self.plays(), self.plays()]),
            4 => GameCommandBody::SetSideboardLock(CommandSetSideboardLock {
                locked: Some(self.yes()),
            }),
            5 => {
                let player = self.somebody();
                let GameCommandBody::DumpZone(mut command) = dump(player, "deck", self.number(5))
                else {
                    return undo();
                };
                command.is_reversed = Some(true);
                GameCommandBody::DumpZone(command)
            }
            6 if self.yes() => select(&cod(&TWELVE, &SIDE)),
            _ => self.plays(),
        }
    }
}

const NAMES: [&str; 3] = ["alice", "bob", "carol"];

fn begin(judge: bool) -> Room {
    let mut room = Room::new(rules(3), person("alice"), PLAYER);
    room.joins("bob", PLAYER);
    room.joins("carol", PLAYER);
    room.joins("dave", Role::Spectator { judge });
    for (id, name) in NAMES.iter().enumerate() {
        room.code(id as i32, select(&own_deck(name)));
    }
    for id in 0..3 {
        room.code(id, ready());
    }
    room
}

fn round_again(room: &mut Room) {
    if !room.game.is_started() {
        for id in 0..3 {
            room.code(id, ready());
        }
    }
}

fn kept_and_read_back(room: &mut Room) {
    let kept = rmp_serde::to_vec_named(&room.game).expect("it is kept");
    let read: Game = rmp_serde::from_slice(&kept).expect("it is read");
    assert_eq!(read, room.game);
    assert_eq!(rmp_serde::to_vec_named(&read).expect("it is kept"), kept);
    room.game = read;
}

/// Plays a game of any commands; returns all that was sent.
fn walk(seed: u64, commands: usize, keeps: bool) -> Vec<Out> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut room = begin(seed.is_multiple_of(2));
    let mut sent = Vec::new();
    for step in 0..commands {
        let by = rng.random_range(0..4);
        let mut player = Player {
            rng: &mut rng,
            room: &room,
            by,
        };
        let count = player.rng.random_range(1..3);
        let bodies = (0..count).map(|_| player.does()).collect();
        room.gives(by, bodies);
        room.check();
        sent.push(room.out.clone());
        if keeps && step % 7 == 0 {
            kept_and_read_back(&mut room);
        }
        round_again(&mut room);
    }
    sent
}

/// Invariants hold whatever is tried; kept or not, the bytes are the same.
#[test]
fn whatever_is_tried() {
    for seed in 0..40 {
        let plain = walk(seed, 150, false);
        assert!(plain == walk(seed, 150, true), "seed {seed}");
    }
}
