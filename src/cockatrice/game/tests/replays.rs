//! What a replay costs while it is recorded, and what it is in the end (spec: cockatrice-table 12).

use super::{play::*, room::*};
use crate::{
    game::{replay::FinishedReplay, *},
    messages::*,
};

/// Somebody who keeps what a game records elsewhere, as soon as there is a piece worth it.
#[derive(Default)]
struct Shelf {
    pieces: Vec<u8>,
    /// The most that stood in memory.
    most: usize,
}

/// From how many bytes on they are taken.
const PIECE: usize = 64 * 1024;

impl Shelf {
    fn look(&mut self, game: &mut Game) {
        self.most = self.most.max(game.recorded_bytes());
        if game.recorded_bytes() >= PIECE {
            self.pieces.append(&mut game.take_recorded());
            assert_eq!(game.recorded_bytes(), 0);
        }
    }

    /// What was taken, with what the game still had in the end behind it.
    fn whole(mut self, out: &Out) -> (Vec<u8>, FinishedReplay) {
        let mut replays = out.news.iter().filter_map(|news| match news {
            News::Replay(replay) => Some(replay.clone()),
            _ => None,
        });
        let replay = replays.next().expect("a replay");
        self.pieces.extend_from_slice(&replay.encoded);
        (self.pieces, replay)
    }
}

fn life(delta: i32) -> GameCommandBody<'static> {
    GameCommandBody::IncCounter(CommandIncCounter {
        counter_id: Some(0),
        delta: Some(delta),
    })
}

/// A game of 100,000 commands costs no more memory than a short one, and its replay has them all, in order, with their seconds.
#[test]
fn a_long_game_costs_no_memory() {
    let mut room = Room::two();
    let mut shelf = Shelf::default();
    let mut silent = |_| 0;
    for number in 0..100_000 {
        room.code(number % 2, life(1));
        if number % 100 == 0 {
            room.game.second(&mut silent, 0, &mut Out::default());
        }
        shelf.look(&mut room.game);
    }
    assert!(shelf.most < PIECE + 1024, "{}", shelf.most);
    room.out = Out::default();
    room.game.close(&mut room.out);
    let (whole, replay) = shelf.whole(&room.out);
    assert!(replay.encoded.len() < PIECE + 1024 && !replay.cut);
    assert_eq!(replay.duration_s, 1000);

    let read: GameReplay<'_> = decode(&whole).expect("a replay");
    assert!(read.game_info.is_some() && read.duration_seconds == Some(1000));
    let mut values = Vec::new();
    for container in &read.event_list {
        for event in &container.event_list {
            if let Some(GameEventBody::SetCounter(set)) = &event.body {
                values.push((event.player_id(), set.value(), container.seconds_elapsed()));
            }
        }
    }
    let expected = (0..100_000).map(|number| {
        let seconds = (number as u32).div_ceil(100);
        (number % 2, 20 + number / 2 + 1, seconds)
    });
    assert!(values.into_iter().eq(expected));
    let last = read
        .event_list
        .last()
        .and_then(|last| last.event_list.last());
    assert_eq!(last.map(line).as_deref(), Some("GameClosed"));
}

/// Pieces that were taken belong to the round that goes on; the next one begins anew.
#[test]
fn pieces_belong_to_their_round() {
    let mut room = Room::two();
    let mut pieces = vec![room.game.take_recorded()];
    room.does(1, concede());
    pieces.push(room.game.take_recorded());
    for by in 0..2 {
        room.code(by, ready());
        pieces.push(room.game.take_recorded());
        if let Some(News::Replay(replay)) = room.out.news.first() {
            // What was recorded since is the next round's.
            let next = pieces.pop().expect("a piece");
            let mut whole = pieces.concat();
            whole.extend_from_slice(&replay.encoded);
            let first: GameReplay<'_> = decode(&whole).expect("a replay");
            let joins = first.event_list.iter().flat_map(|one| &one.event_list);
            assert_eq!(
                joins
                    .filter(|event| line(event).starts_with("Join"))
                    .count(),
                2
            );
            let next: GameReplay<'_> = decode(&next).expect("fields of a replay");
            assert!(next.game_info.is_none());
            assert!(line(&next.event_list[0].event_list[0]).starts_with("GameStateChanged"));
            return;
        }
    }
    panic!("no replay of the first round");
}

/// 1205: who was kicked is seen to leave, not to be told so; connections that come and go are there, and how silent they are.
#[test]
fn connections_are_recorded() {
    let mut room = Room::new(rules(3), person("alice"), PLAYER);
    let bob = Person {
        registered: true,
        ..person("bob")
    };
    room.game.join(bob.clone(), PLAYER, &mut room.out);
    room.joins("carol", SPECTATOR);
    room.game.disconnected(1, &mut room.out);
    room.game.second(&mut |id| id as u32, 0, &mut room.out);
    room.game.returned(1, bob, &mut room.out);
    let player_id = Some(2);
    room.does(
        0,
        GameCommandBody::KickFromGame(CommandKickFromGame { player_id }),
    );
    let pieces = room.game.take_recorded();
    let read: GameReplay<'_> = decode(&pieces).expect("fields of a replay");
    let contexts = read
        .event_list
        .iter()
        .filter_map(|one| one.context.as_ref()?.body.as_ref());
    let contexts: Vec<String> = contexts.map(terse).collect();
    assert_eq!(
        contexts,
        [
            "ConnectionStateChanged",
            "PingChanged",
            "ConnectionStateChanged"
        ]
    );
    let events = read.event_list.iter().flat_map(|one| &one.event_list);
    let events: Vec<String> = events.map(line).collect();
    assert_eq!(
        events.last().map(String::as_str),
        Some("2: Leave reason=UserKicked")
    );
    assert!(!events.iter().any(|line| line == "Kicked"));
}

/// A replay that is too long ends, and says so; taking it out in pieces does not make it longer.
#[test]
fn a_replay_is_bounded() {
    for takes in [false, true] {
        let mut room = Room::two();
        let mut shelf = Shelf::default();
        let text: &'static str = "x".repeat(1 << 20).leak();
        for _ in 0..20 {
            let message = Some(text.into());
            room.does(0, GameCommandBody::GameSay(CommandGameSay { message }));
            if takes {
                shelf.look(&mut room.game);
            }
        }
        room.does(0, leave());
        room.does(1, leave());
        let (whole, replay) = shelf.whole(&room.out);
        assert!(replay.cut);
        assert!(whole.len() > 15 << 20 && whole.len() < limits::REPLAY_BYTES + 1024);
        assert!(decode::<GameReplay<'_>>(&whole).is_ok());
    }
}
