//! What an action at a card table costs, from a container's bytes to the messages that leave, and what a game takes.
//!
//! `cargo bench --bench card_table`. A turn's actions of two players with decks of sixty cards, without sockets: a
//! card is drawn, played, tapped, put under the library; replays are recorded and thrown away. The second line has twenty
//! spectators. The third reads a container alone. Bytes of a game are counted by an allocator that counts.

#![allow(missing_docs, reason = "criterion_group makes a public function")]
#![allow(unsafe_code, reason = "an allocator that counts")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    hint::black_box,
    sync::atomic::{AtomicI64, Ordering},
};

use cockatrice::{
    game::{Cx, Game, Out, Person, Role, Rules},
    messages::*,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use rand::{SeedableRng, rngs::StdRng};

struct Counting;

static LIVE: AtomicI64 = AtomicI64::new(0);

// SAFETY: everything is the system allocator's; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: what the caller holds to is handed on.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: what the caller holds to is handed on.
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as i64, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Actions of a player before the other one's.
const ACTIONS: u64 = 4;

struct Bench {
    game: Game,
    rng: StdRng,
    out: Out,
}

fn person(number: usize) -> Person {
    let name = format!("player{number}");
    let user = encode(&ServerInfoUser {
        name: Some((*name).into()),
        user_level: Some(1),
        ..ServerInfoUser::default()
    });
    Person {
        name: (*name).into(),
        level: 1,
        registered: false,
        profile: user.clone().into(),
        public: user.into(),
    }
}

fn deck() -> String {
    let card =
        |number| format!("<card number=\"4\" name=\"Card {number}\" uuid=\"0000-{number}\"/>");
    let cards: String = (0..15).map(card).collect();
    format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><zone name=\"main\">{cards}</zone></cockatrice_deck>"
    )
}

/// A container with one game command.
fn container(body: GameCommandBody<'_>) -> Vec<u8> {
    encode(&CommandContainer {
        cmd_id: Some(5),
        game_id: Some(1),
        game_command: vec![GameCommand { body: Some(body) }],
        ..CommandContainer::default()
    })
}

fn shift(player: i32, from: &str, card: i32, to: &str) -> Vec<u8> {
    let card = CardToMove {
        card_id: Some(card),
        ..CardToMove::default()
    };
    container(GameCommandBody::MoveCard(CommandMoveCard {
        start_zone: Some(from.into()),
        cards_to_move: Some(ListOfCardsToMove { card: vec![card] }),
        target_player_id: Some(player),
        target_zone: Some(to.into()),
        x: Some(-1),
        y: Some(0),
        ..CommandMoveCard::default()
    }))
}

impl Bench {
    fn new(spectators: usize) -> Bench {
        let rules = Rules {
            max_players: 2,
            spectators_allowed: true,
            starting_life_total: 20,
            record_replays: true,
            ..Rules::default()
        };
        let player = Role::Player { judge: false };
        let mut out = Out::default();
        let (mut game, _) = Game::create(1, rules, person(0), player, 1_700_000_000, &mut out);
        game.join(person(1), player, &mut out);
        for number in 0..spectators {
            let spectator = Role::Spectator { judge: false };
            game.join(person(2 + number), spectator, &mut out);
        }
        let mut bench = Bench {
            game,
            rng: StdRng::seed_from_u64(1),
            out: Out::default(),
        };
        let deck = deck();
        for player in 0..2 {
            let select = CommandDeckSelect {
                deck: Some((*deck).into()),
                deck_id: None,
            };
            bench.gives(player, &container(GameCommandBody::DeckSelect(select)));
            let ready = CommandReadyStart {
                ready: Some(true),
                force_start: None,
            };
            bench.gives(player, &container(GameCommandBody::ReadyStart(ready)));
        }
        assert!(bench.game.is_started());
        bench
    }

    /// One container, as it comes from the wire; what it causes is encoded.
    fn gives(&mut self, by: i32, container: &[u8]) -> ResponseCode {
        self.out.deliveries.clear();
        self.out.news.clear();
        let container: CommandContainer<'_> = decode(container).expect("a container");
        let mut cx = Cx {
            rng: &mut self.rng,
            may_say: &mut |_, _| true,
            stored_deck: &|_, _| None,
        };
        let commands = &container.game_command;
        let answer = self.game.commands(by, commands, &mut cx, &mut self.out);
        self.game.after_response(&mut cx, &mut self.out);
        answer.code
    }

    /// Draws a card, plays it, taps it and puts it under the library.
    fn act(&mut self, player: i32) {
        let draw = CommandDrawCards { number: Some(1) };
        self.gives(player, &container(GameCommandBody::DrawCards(draw)));
        let card = self.drawn();
        let tap = CommandSetCardAttr {
            zone: Some("table".into()),
            card_id: Some(card),
            attribute: Some(CardAttribute::AttrTapped),
            attr_value: Some("1".into()),
        };
        for said in [
            shift(player, "hand", card, "table"),
            container(GameCommandBody::SetCardAttr(tap)),
            shift(player, "table", card, "deck"),
        ] {
            let code = self.gives(player, &said);
            assert_eq!(code, ResponseCode::RespOk);
        }
    }

    /// The card that was just drawn, as its player was told.
    fn drawn(&self) -> i32 {
        let message: ServerMessage<'_> =
            decode(&self.out.deliveries[0].body).expect("a server message");
        let events = message.game_event_container.expect("events").event_list;
        let Some(GameEventBody::DrawCards(drawn)) = &events[0].body else {
            panic!("{events:?}");
        };
        drawn.cards[0].id()
    }
}

fn actions(c: &mut Criterion) {
    let mut group = c.benchmark_group("table");
    group.throughput(Throughput::Elements(ACTIONS));
    for spectators in [0, 20] {
        let mut bench = Bench::new(spectators);
        let mut turns = 0;
        group.bench_function(format!("actions/{spectators} spectators"), |b| {
            b.iter(|| {
                bench.act(0);
                turns += 1;
                if turns % 64 == 0 {
                    black_box(bench.game.take_recorded());
                }
                if turns % 8_192 == 0 {
                    bench = Bench::new(spectators); // a replay's length is bounded
                }
            });
        });
    }
    let said = shift(0, "hand", 3, "table");
    group.throughput(Throughput::Elements(1));
    group.bench_function("read a container", |b| {
        b.iter(|| {
            decode::<CommandContainer<'_>>(black_box(&said)).map(|read| read.game_command.len())
        });
    });
    group.finish();
    let before = LIVE.load(Ordering::Relaxed);
    let games: Vec<Game> = (0..100).map(|_| Bench::new(0).game).collect();
    let taken = LIVE.load(Ordering::Relaxed) - before;
    println!(
        "a game of two with sixty cards each: {} bytes",
        taken / games.len() as i64
    );
}

criterion_group!(benches, actions);
criterion_main!(benches);
