//! A recorded dialogue that leaves out what is not its point: who sits where, with which decks, and what steps come to that are
//! recorded in words. That stands in `tests/transcripts/cockatrice/unrecorded.txt`.

use std::time::Duration;

use lobby::cockatrice::Settings;
use serde_json::Value;

use super::{Sim, server, stage::Stage};

const UNRECORDED: &str = include_str!("../../../../../tests/transcripts/cockatrice/unrecorded.txt");

/// The names of the deck that most play, in the order in which their libraries are put.
const TWELVE: [&str; 12] = [
    "Alpha", "Bravo", "Charlie", "Delta", "Echo", "Foxtrot", "Golf", "Hotel", "India", "Juliett",
    "Kilo", "Lima",
];

/// Says a dialogue to a lobby of its settings, which has so many shards.
///
/// # Panics
/// Somebody gets something else than was recorded.
pub(crate) fn play(name: &str, recorded: &str, shards: u16, lobby: impl FnOnce(Settings) -> Sim) {
    let unrecorded = Unrecorded::of(name);
    let mut lines = recorded.lines().map(|line| {
        let line: Value = serde_json::from_str(line).expect("a line is JSON");
        line
    });
    let head = lines.next().expect("a head");
    let profile = head["profile"].as_str().expect("a profile");
    let mut set = server(profile);
    if let Some(seconds) = unrecorded.one("deserted") {
        let seconds = seconds.parse().expect("a number");
        set.game_inactivity = Some(Duration::from_secs(seconds));
    }
    let mut game = Table {
        stage: Stage::new(lobby(set)),
        unrecorded,
    };
    game.stage.sent = Some(Default::default());
    game.set_up();
    game.forget();
    for line in lines {
        let (step, action) = (&line["step"], &line["action"]);
        if let Err(fault) = game.step(&line) {
            panic!("{name} on {shards} shards, step {step} ({action}): {fault}");
        }
    }
}

/// What the recording of a game leaves out.
struct Unrecorded {
    lines: Vec<(&'static str, &'static str)>,
}

impl Unrecorded {
    fn of(scenario: &str) -> Self {
        let head = format!("scenario {scenario}");
        let mut lines = UNRECORDED.lines().skip_while(|line| **line != head);
        assert!(lines.next().is_some(), "nothing is said of {scenario}");
        let lines = lines.take_while(|line| !line.is_empty());
        let lines = lines.map(|line| line.trim().split_once(": ").expect("what, and how"));
        Unrecorded {
            lines: lines.collect(),
        }
    }

    fn all(&self, what: &str) -> Vec<&'static str> {
        let lines = self.lines.iter().filter(|(name, _)| *name == what);
        lines.map(|(_, how)| *how).collect()
    }

    fn one(&self, what: &str) -> Option<&'static str> {
        self.all(what).first().copied()
    }

    fn names(&self, what: &str) -> Vec<&'static str> {
        let names = self.one(what).unwrap_or_default();
        names.split_whitespace().collect()
    }
}

/// A deck that is written `@NAME`.
fn deck_named(name: &str) -> &'static str {
    let head = format!("deck {name}: ");
    let mut decks = UNRECORDED
        .lines()
        .filter_map(|line| line.strip_prefix(&*head));
    decks.next().unwrap_or_else(|| panic!("no deck {name}"))
}

/// A recorded game that is being played.
struct Table {
    stage: Stage,
    unrecorded: Unrecorded,
}

impl Table {
    fn set_up(&mut self) {
        let [players, spectators, judges, room] =
            ["players", "spectators", "judges", "room"].map(|what| self.unrecorded.names(what));
        let game = players.iter().chain(&spectators).chain(&judges);
        for label in game.chain(&room) {
            self.stage.act(label, &format!("login as {label}"));
            self.give(label, "Command_JoinRoom {room_id=0}");
        }
        if !players.is_empty() {
            self.open_game(&players, &spectators, &judges);
        }
        for line in self.unrecorded.all("before") {
            self.said(line);
            self.stage.heard();
        }
    }

    fn open_game(&mut self, players: &[&str], spectators: &[&str], judges: &[&str]) {
        let count = players.len();
        let options = self.unrecorded.one("game").unwrap_or("{}");
        let options = options.trim_matches(['{', '}']);
        let create = match options {
            "" => format!("Command_CreateGame {{max_players={count}}}"),
            options => format!("Command_CreateGame {{max_players={count}, {options}}}"),
        };
        self.give(players[0], &create);
        self.forget();
        for label in &players[1..] {
            self.give(label, "Command_JoinGame room=0");
        }
        for label in spectators {
            self.give(label, "Command_JoinGame room=0 {spectator=True}");
        }
        for label in judges {
            self.give(
                label,
                "Command_JoinGame room=0 {spectator=True, join_as_judge=True}",
            );
        }
        self.begin(players);
    }

    /// Decks, readiness, and libraries in a known order.
    fn begin(&mut self, players: &[&str]) {
        let deck = self.unrecorded.one("deck").unwrap_or("twelve");
        if deck == "none" {
            return;
        }
        for label in players {
            self.give(label, &format!("Command_DeckSelect {{deck=@{deck}}}"));
        }
        if self.unrecorded.one("start") == Some("no") {
            return;
        }
        for label in players {
            self.give(label, "Command_ReadyStart {ready=True}");
        }
        for label in players.iter().filter(|_| deck == "twelve") {
            let mut library = self.look(label, "deck");
            for name in TWELVE.iter().rev() {
                let place = library.iter().position(|card| card == name);
                let place = place.expect("a card of the deck");
                let card = library.remove(place);
                library.insert(0, card);
                self.give(label, &format!("move deck {place} > deck 0 0"));
            }
            let seat = self.seat(label);
            self.give(
                label,
                &format!("Command_DumpZone {{player_id={seat}, zone_name=deck, number_cards=0}}"),
            );
        }
    }

    /// A step of the recording: what is done, and what comes of it.
    fn step(&mut self, line: &Value) -> Result<(), String> {
        let step = line["step"].as_u64().expect("a number");
        let recorded = line["action"].as_str().expect("an action");
        for line in self.unrecorded.all(&format!("{step} before")) {
            self.said(line);
            self.forget();
        }
        for line in self.unrecorded.all(&format!("{step} also")) {
            self.said(line);
        }
        let words = self.unrecorded.one(&step.to_string());
        let (label, action) = recorded.split_once(": ").unwrap_or_default();
        match words {
            Some("-") => return Ok(()),
            Some(words) if words.starts_with("wait ") => self.wait(words),
            Some(words) if words.starts_with("look ") => return self.compare_names(words, line),
            words => self.give(label, words.unwrap_or(action)),
        }
        for line in self.unrecorded.all(&format!("{step} after")) {
            self.give(label, line);
        }
        self.stage.pass();
        let heard = self.stage.heard();
        let differs = self.unrecorded.all(&format!("{step} differs"));
        self.stage.differs = differs.into_iter().map(str::to_owned).collect();
        self.stage.compare(&line["recv"], &heard)
    }

    /// `wait SECONDS`
    fn wait(&mut self, words: &str) {
        let seconds = words.strip_prefix("wait ").and_then(|it| it.parse().ok());
        let time = Duration::from_secs(seconds.expect("a number"));
        self.stage.sim.advance(time);
    }

    /// `look WHO ZONE [FROM TO] [sorted]`
    fn compare_names(&mut self, words: &str, line: &Value) -> Result<(), String> {
        let words: Vec<&str> = words.split(' ').collect();
        let mut names = self.look(words[1], words[2]);
        let numbers: Vec<usize> = words.iter().filter_map(|word| word.parse().ok()).collect();
        if let [from, to] = numbers[..] {
            names = names[from..to].to_vec();
        }
        if words.last() == Some(&"sorted") {
            names.sort();
        }
        self.forget();
        match line["value"] == Value::from(names.clone()) {
            true => Ok(()),
            false => Err(format!("{names:?}")),
        }
    }

    /// The names that somebody finds in his own zone.
    fn look(&mut self, label: &str, zone: &str) -> Vec<String> {
        let seat = self.seat(label);
        self.forget();
        self.give(
            label,
            &format!("Command_DumpZone {{player_id={seat}, zone_name={zone}, number_cards=-1}}"),
        );
        let heard = self.stage.heard().remove(label).expect("somebody");
        let mut lists = heard.main.iter().filter_map(|message| {
            let list = message.pointer("/Response_DumpZone/zone_info/card_list");
            list.and_then(Value::as_array)
        });
        let cards = lists.next().into_iter().flatten();
        let names = cards.map(|card| card["name"].as_str().expect("a name").to_owned());
        names.collect()
    }

    /// `WHO: COMMAND`
    fn said(&mut self, line: &str) {
        let (label, commands) = line.split_once(": ").expect("who does what");
        self.give(label, commands);
    }

    /// Gives commands, in one container where there are several.
    fn give(&mut self, label: &str, commands: &str) {
        let commands: Vec<String> = match commands.starts_with("judge ") {
            true => vec![commands.to_owned()],
            false => commands
                .split(" + ")
                .map(|command| self.in_full(label, command))
                .collect(),
        };
        match &commands[..] {
            [command] => self.stage.act(label, command),
            commands => {
                let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
                self.stage.container(label, "", &commands);
                self.stage.sim.settle();
            }
        }
    }

    /// A command as recordings have it.
    fn in_full(&self, label: &str, command: &str) -> String {
        let command = match command.strip_prefix("move ") {
            Some(words) => self.moved(label, words),
            None => command.to_owned(),
        };
        let command = repeated(&command).replace("$TOLD", &self.stage.told);
        match command.split_once("=@") {
            Some((head, name)) => {
                let name = name.trim_end_matches('}');
                format!("{head}={}}}", deck_named(name))
            }
            None => command,
        }
    }

    fn moved(&self, label: &str, words: &str) -> String {
        let own = self.seat(label);
        let place = |words: &str| {
            let (seat, zone) = words.split_once('/').unwrap_or(("", words));
            (seat.parse().unwrap_or(own), zone.to_owned())
        };
        let (from, to) = words.split_once(" > ").expect("from where to where");
        let (zone, cards) = from.split_once(' ').expect("which cards");
        let cards: Vec<String> = cards.split(' ').map(moving).collect();
        let ((start, start_zone), cards) = (place(zone), cards.join(", "));
        let to: Vec<&str> = to.split(' ').collect();
        let (target, target_zone) = place(to[0]);
        let at = match to[1..] {
            [x, y] => format!(", x={x}, y={y}"),
            _ => String::new(),
        };
        format!(
            "Command_MoveCard {{cards_to_move={{'card': [{cards}]}}, start_player_id={start}, start_zone={start_zone}, target_player_id={target}, target_zone={target_zone}{at}}}"
        )
    }

    /// The id that somebody has in the game.
    fn seat(&self, label: &str) -> usize {
        let players = self.unrecorded.names("players");
        players
            .iter()
            .position(|name| *name == label)
            .unwrap_or_default()
    }

    fn forget(&mut self) {
        self.stage.pass();
        self.stage.heard();
        self.stage.sent = Some(Default::default());
    }
}

/// A card that moves: its id, and `d` or `u` for which side is to be up.
fn moving(card: &str) -> String {
    let (id, face_down) = match card.strip_suffix('d') {
        Some(id) => (id, ", 'face_down': True"),
        None => match card.strip_suffix('u') {
            Some(id) => (id, ", 'face_down': False"),
            None => (card, ""),
        },
    };
    format!("{{'card_id': {id}{face_down}}}")
}

/// `n*300` is that many letters.
fn repeated(command: &str) -> String {
    let Some((head, rest)) = command.split_once("n*") else {
        return command.to_owned();
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit());
    let (count, tail) = rest.split_at(digits.unwrap_or(rest.len()));
    let count = count.parse().expect("a number");
    format!("{head}{}{tail}", "n".repeat(count))
}
