//! Nobody learns what a card is that he may not see: games at random, with everything that anybody is sent searched for the names
//! and printings of cards.
//!
//! Who may see what is said here a second time, apart from the code that is tested, and coarsely: by where cards are before and
//! after a command, and by what a command shows.

use std::collections::{BTreeMap, BTreeSet};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{play::*, random::Player, room::*};
use crate::{
    game::{card::Card, zone::Zone, zone::ZoneName, *},
    messages::*,
};

type Names = BTreeSet<String>;

/// Cards of somebody, each with a name and a printing of its own.
pub(super) fn own_deck(owner: &str) -> String {
    let list = |from: usize, to: usize| -> String {
        (from..to).map(|n| format!("<card number=\"1\" name=\"name-{owner}-{n:02};\" uuid=\"print-{owner}-{n:02};\"/>")).collect()
    };
    format!(
        "<cockatrice_deck version=\"1\"><zone name=\"main\">{}</zone><zone name=\"side\">{}</zone></cockatrice_deck>",
        list(0, 20),
        list(20, 24)
    )
}

/// A card's name and printing, and those of the card below a token.
fn add(names: &mut Names, card: &Card) {
    names.insert(card.print.name.to_string());
    names.insert(card.print.provider.to_string());
    if let Some(stashed) = card.rare().and_then(|rare| rare.stashed.as_ref()) {
        add(names, stashed);
    }
}

/// What of cards' names and printings is in bytes.
fn named_in(bytes: &[u8]) -> Names {
    let text = String::from_utf8_lossy(bytes);
    let found = ["name-", "print-"]
        .into_iter()
        .flat_map(|start| text.match_indices(start));
    let name = |at: usize| text[at..].split_inclusive(';').next().unwrap_or_default();
    found.map(|(at, _)| name(at).to_owned()).collect()
}

/// Takes deck lists out of a container: one's own, and nobody else's.
fn without_decks(container: &mut GameEventContainer<'_>, by: Option<i32>) {
    for event in &mut container.event_list {
        let Some(GameEventBody::GameStateChanged(state)) = &mut event.body else {
            continue;
        };
        for player in &mut state.player_list {
            let id = player.properties.as_ref().map(|it| it.player_id());
            assert!(player.deck_list.is_none() || id == by, "a foreign deck");
            player.deck_list = None;
        }
    }
}

/// What somebody is sent, as to cards.
fn shown_to(by: i32, body: &[u8]) -> Names {
    let mut message: ServerMessage<'_> = decode(body).expect("a message");
    if let Some(container) = &mut message.game_event_container {
        without_decks(container, Some(by));
    }
    named_in(&encode(&message))
}

/// A game that is watched: who may know what.
struct Watched {
    room: Room,
    /// What anybody who sees all may have known since the replay began.
    ever: Names,
    /// Of the replay that goes on, what was taken out of the game.
    taken: Vec<u8>,
}

impl Watched {
    /// Alice, Bob and Carol play, Dave and Erin look on; who of them is a judge, and whether spectators see everything, is told by
    /// a number.
    fn begin(kind: u64) -> Watched {
        let judge = |bit: u64| kind & bit != 0;
        let rules = Rules {
            spectators_see_everything: judge(1),
            ..rules(3)
        };
        let registered = |name| Person {
            registered: true,
            ..person(name)
        };
        let mut room = Room::new(rules, registered("alice"), PLAYER);
        for (name, role) in [
            ("bob", PLAYER),
            ("carol", Role::Player { judge: judge(2) }),
            ("dave", Role::Spectator { judge: judge(4) }),
            ("erin", SPECTATOR),
        ] {
            room.game.join(registered(name), role, &mut room.out);
        }
        let mut watched = Watched {
            room,
            ever: Names::new(),
            taken: Vec::new(),
        };
        watched.begin_round();
        watched
    }

    fn begin_round(&mut self) {
        let players: Vec<_> = self.room.game.participants().collect();
        let players = players
            .into_iter()
            .filter(|(_, _, role)| !role.is_spectator());
        let players: Vec<_> = players
            .map(|(id, person, _)| (id, person.name.clone()))
            .collect();
        for (id, name) in &players {
            self.room.code(*id, select(&own_deck(name)));
            self.check_replay();
        }
        for (id, _) in &players {
            self.room.code(*id, ready());
            self.check_replay();
        }
    }

    fn ids(&self) -> Vec<i32> {
        self.room.game.participants().map(|(id, ..)| id).collect()
    }

    fn sees_all(&self, id: i32) -> bool {
        let game = &self.room.game;
        game.participant(id).is_some_and(|one| game.sees_all(one))
    }

    /// What each may see of what lies on the table.
    fn visible(&self) -> BTreeMap<i32, Names> {
        let mut open = Names::new();
        let mut own: BTreeMap<i32, Names> = BTreeMap::new();
        for (player, state) in self.room.game.players() {
            let own = own.entry(player).or_default();
            for (name, zone) in state.board.iter().flat_map(|board| board.zones()) {
                for (place, card) in zone.cards.iter().enumerate() {
                    let is_top = place == 0 && !card.face_down;
                    if name.is_public() && !card.face_down || zone.always_reveal_top && is_top {
                        add(&mut open, card);
                    }
                    if is_owners(name, zone, place) || zone.always_look_at_top && is_top {
                        add(own, card);
                    }
                }
            }
        }
        let everything: Names = own.values().flatten().chain(&open).cloned().collect();
        let sees = |id| match self.sees_all(id) {
            true => everything.clone(),
            false => own
                .get(&id)
                .into_iter()
                .flatten()
                .chain(&open)
                .cloned()
                .collect(),
        };
        self.ids().into_iter().map(|id| (id, sees(id))).collect()
    }

    /// What a command shows, and to whom: the one who gives it, whom it names, or all.
    fn shows(
        &self,
        by: i32,
        body: &GameCommandBody<'_>,
        judge: Option<i32>,
    ) -> BTreeMap<i32, Names> {
        let nobody = BTreeMap::new();
        let game = &self.room.game;
        let zone = |player: i32, name: Option<&Text<'_>>| {
            let name = ZoneName::of(name.map(|name| &**name))?;
            Some((name, game.board(player)?.zone(name)))
        };
        match body {
            GameCommandBody::Judge(command) => match command.game_command.first() {
                Some(GameCommand { body: Some(inner) })
                    if game.player(command.target_id()).is_some() =>
                {
                    self.shows(command.target_id(), inner, Some(by))
                }
                _ => nobody,
            },
            GameCommandBody::DumpZone(command) => {
                let Some((name, zone)) = zone(command.player_id(), command.zone_name.as_ref())
                else {
                    return nobody;
                };
                let mut names = Names::new();
                let is_own = command.player_id() == by;
                let cards = zone
                    .cards
                    .iter()
                    .filter(|card| is_own || name.is_public() && !card.face_down);
                cards.for_each(|card| add(&mut names, card));
                BTreeMap::from([(judge.unwrap_or(by), names)])
            }
            GameCommandBody::RevealCards(command) => {
                let Some((name, zone)) = zone(by, command.zone_name.as_ref()) else {
                    return nobody;
                };
                let names = revealed(name, zone, command);
                let plays = |judge: i32| game.player(judge).is_some();
                let whom = |id: i32| match (command.player_id, judge) {
                    (None, _) => true,
                    (Some(_), Some(judge)) if plays(judge) => self.sees_all(id),
                    (Some(whom), _) => id == whom || self.sees_all(id),
                };
                let ids = self.ids().into_iter().filter(|&id| whom(id));
                ids.map(|id| (id, names.clone())).collect()
            }
            _ => nobody,
        }
    }

    /// Gives a command, and looks at what everybody is sent for it.
    fn gives(&mut self, by: i32, body: GameCommandBody<'_>) {
        let text = format!("{by}: {body:?}");
        let mut allowed = self.visible();
        for (id, names) in self.shows(by, &body, None) {
            allowed.entry(id).or_default().extend(names);
        }
        let answer = self.room.gives(by, vec![body]);
        self.room.check();
        if let Some(ResponseBody::DumpZone(dump)) = &answer.body {
            let named = named_in(&encode(dump));
            let secret: Names = named.difference(&allowed[&by]).cloned().collect();
            assert!(secret.is_empty(), "{by} sees {secret:?}: {text}");
        }
        self.look(allowed, &text);
    }

    /// Something happens that is no command.
    fn happens(&mut self, what: &str, does: impl FnOnce(&mut Game, &mut Out)) {
        let allowed = self.visible();
        self.room.out = Out::default();
        does(&mut self.room.game, &mut self.room.out);
        self.room.check();
        self.look(allowed, what);
    }

    /// Looks at what was sent, given what each might know before.
    fn look(&mut self, mut allowed: BTreeMap<i32, Names>, what: &str) {
        let after = self.visible();
        for (id, names) in &after {
            allowed
                .entry(*id)
                .or_default()
                .extend(names.iter().cloned());
        }
        // A replay is for all who see everything; there may be none.
        self.ever.extend(allowed.values().flatten().cloned());
        for delivery in &self.room.out.deliveries {
            for id in &delivery.to {
                let named = shown_to(*id, &delivery.body);
                let secret: Names = named.difference(&allowed[id]).cloned().collect();
                assert!(secret.is_empty(), "{id} learns {secret:?}: {what}");
            }
        }
        for (id, names) in &after {
            let game = &self.room.game;
            let bodies = [game.joined(*id, true, Vec::new()), game.snapshot_for(*id)];
            for body in bodies.into_iter().flatten() {
                let named = shown_to(*id, &body);
                let secret: Names = named.difference(names).cloned().collect();
                assert!(secret.is_empty(), "{id} is told {secret:?} after: {what}");
            }
        }
        self.check_replay();
    }

    /// A round's replay shows what those who see everything saw in its course.
    fn check_replay(&mut self) {
        for news in std::mem::take(&mut self.room.out.news) {
            let News::Replay(replay) = news else { continue };
            let mut whole = std::mem::take(&mut self.taken);
            whole.extend_from_slice(&replay.encoded);
            let mut read: GameReplay<'_> = decode(&whole).expect("a replay");
            assert!(!read.event_list.is_empty());
            for container in &mut read.event_list {
                without_decks(container, None);
            }
            let secret: Names = named_in(&encode(&read))
                .difference(&self.ever)
                .cloned()
                .collect();
            assert!(secret.is_empty(), "a replay tells {secret:?}");
            self.ever.clear();
        }
        self.ever.extend(self.visible().into_values().flatten());
        self.taken.append(&mut self.room.game.take_recorded());
    }

    /// Somebody comes, goes, or loses the connection and is back.
    fn comes_or_goes(&mut self, number: i32, step: usize) {
        let ids = self.ids();
        let id = ids[step % ids.len()];
        match number {
            0 if ids.len() < 8 => {
                let newcomer = person(&format!("late{step}"));
                self.happens("somebody joins", |game, out| {
                    game.join(newcomer, SPECTATOR, out);
                });
            }
            1 => {
                self.happens("a connection is lost", |game, out| {
                    game.disconnected(id, out)
                });
                if let Some(one) = self.room.game.participant(id) {
                    let person = one.person.clone();
                    self.happens("somebody is back", |game, out| {
                        game.returned(id, person, out)
                    });
                }
            }
            _ if id > 4 => self.gives(id, leave()),
            _ => {}
        }
    }
}

/// Whether what lies in a place of a zone is known to the zone's owner, or may be: he can look at his cards that lie face down.
fn is_owners(name: ZoneName, zone: &Zone, place: usize) -> bool {
    match name {
        ZoneName::Hand | ZoneName::Table => true,
        name if name.is_hidden() => zone.is_looked_at(place) || zone.is_looked_at_below(place),
        _ => false,
    }
}

/// The names of what a command reveals of a zone, at the most.
fn revealed(name: ZoneName, zone: &Zone, command: &CommandRevealCards<'_>) -> Names {
    let mut names = Names::new();
    let top = command.top_cards();
    let is_meant = |place: usize, card: &Card| {
        let number = if name.is_hidden() {
            place as i32
        } else {
            card.id
        };
        match &command.card_id[..] {
            _ if top != -1 => number < top,
            [] | [-2] => true,
            ids => ids.contains(&number),
        }
    };
    let cards = zone.cards.iter().enumerate();
    let meant = cards.filter(|(place, card)| is_meant(*place, card));
    meant.for_each(|(_, card)| add(&mut names, card));
    names
}

#[test]
fn what_is_hidden_stays_hidden() {
    for seed in 0..32 {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut watched = Watched::begin(seed);
        for step in 0..160 {
            if rng.random_range(0..16) == 0 {
                watched.comes_or_goes(rng.random_range(0..3), step);
            }
            let by = rng.random_range(0..5);
            let target = rng.random_range(0..4);
            let mut player = Player {
                rng: &mut rng,
                room: &watched.room,
                by,
            };
            let mut body = player.does();
            if let GameCommandBody::Judge(command) = &mut body {
                command.game_command.truncate(1);
            } else if player.yes() {
                player.by = target;
                let inner = match player.yes() {
                    true => player.does(),
                    false => player.reveals(),
                };
                // A judge's command in another does nothing.
                let inner = match inner {
                    GameCommandBody::Judge(_) => vec![],
                    inner => vec![inner],
                };
                body = judge(target, inner);
            }
            watched.gives(by, body);
            if !watched.room.game.is_started() {
                watched.begin_round();
            }
        }
        watched.happens("the game ends", |game, out| game.close(out));
    }
}
