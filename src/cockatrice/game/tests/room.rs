//! A game with participants who read what they are sent.

use std::collections::BTreeMap;

use rand::{SeedableRng, rngs::StdRng};

use super::super::*;
use crate::messages::*;

/// What somebody received: events with whom they are about, and containers' contexts, as text that a test compares.
pub(super) struct Room {
    pub(super) game: Game,
    pub(super) rng: StdRng,
    pub(super) out: Out,
    pub(super) stored: BTreeMap<i32, Vec<u8>>,
    pub(super) chat_allowed: bool,
}

pub(super) fn person(name: &str) -> Person {
    let user = ServerInfoUser {
        name: Some(name.into()),
        user_level: Some(1),
        ..ServerInfoUser::default()
    };
    Person {
        name: name.into(),
        level: 1,
        registered: false,
        profile: encode(&user).into(),
        public: encode(&user).into(),
    }
}

pub(super) fn rules(max_players: u32) -> Rules {
    Rules {
        max_players,
        description: "test".into(),
        starting_life_total: 20,
        spectators_allowed: true,
        spectators_can_talk: true,
        record_replays: true,
        ..Rules::default()
    }
}

pub(super) const PLAYER: Role = Role::Player { judge: false };
pub(super) const SPECTATOR: Role = Role::Spectator { judge: false };

impl Room {
    pub(super) fn new(rules: Rules, creator: Person, role: Role) -> Room {
        let mut out = Out::default();
        let (game, _) = Game::create(1, rules, creator, role, 1_700_000_000, &mut out);
        Room {
            game,
            rng: StdRng::seed_from_u64(1),
            out,
            stored: BTreeMap::new(),
            chat_allowed: true,
        }
    }

    pub(super) fn joins(&mut self, name: &str, role: Role) -> ParticipantId {
        self.out = Out::default();
        self.game.join(person(name), role, &mut self.out)
    }

    /// Gives commands in one container; what came of it stands in `out`.
    pub(super) fn gives(&mut self, by: ParticipantId, bodies: Vec<GameCommandBody<'_>>) -> Answer {
        self.out = Out::default();
        let commands: Vec<_> = bodies
            .into_iter()
            .map(|body| GameCommand { body: Some(body) })
            .collect();
        let allowed = self.chat_allowed;
        let stored = &self.stored;
        let mut cx = Cx {
            rng: &mut self.rng,
            may_say: &mut |_, _| allowed,
            stored_deck: &|_, id| stored.get(&id).map(Vec::as_slice),
        };
        let answer = self.game.commands(by, &commands, &mut cx, &mut self.out);
        self.game.after_response(&mut cx, &mut self.out);
        answer
    }

    pub(super) fn code(&mut self, by: ParticipantId, body: GameCommandBody<'_>) -> ResponseCode {
        self.gives(by, vec![body]).code
    }

    /// What somebody was sent since the last call, a line for each event and one for each context.
    pub(super) fn seen(&self, by: ParticipantId) -> Vec<String> {
        let mut lines = Vec::new();
        for delivery in self
            .out
            .deliveries
            .iter()
            .filter(|one| one.to.contains(&by))
        {
            let message: ServerMessage<'_> = decode(&delivery.body).expect("a message");
            let container = message.game_event_container.expect("a container");
            for event in &container.event_list {
                lines.push(line(event));
            }
            if let Some(context) = container.context.and_then(|context| context.body) {
                lines.push(terse(&context));
            }
            if let Some(judge) = container.forced_by_judge {
                lines.push(format!("forced by {judge}"));
            }
        }
        lines
    }
}

pub(super) fn line(event: &GameEvent<'_>) -> String {
    let body = event.body.as_ref().map(terse).unwrap_or_default();
    match event.player_id {
        Some(id) => format!("{id}: {body}"),
        None => body,
    }
}

/// What is there, without what is not: `Name a=1 b={c=2}`.
pub(super) fn terse(value: &impl std::fmt::Debug) -> String {
    let text = clean(&format!("{value:?}"));
    let Some((name, fields)) = text.split_once('{') else {
        return text;
    };
    format!("{name} {}", fields.strip_suffix('}').unwrap_or(fields))
        .trim_end()
        .into()
}

fn clean(text: &str) -> String {
    let inner = |begin: &str, end: char| text.strip_prefix(begin)?.strip_suffix(end);
    if let Some(inner) = inner("Some(", ')') {
        return clean(inner);
    }
    if let Some(inner) = inner("[", ']') {
        let parts: Vec<String> = split(inner).into_iter().map(clean).collect();
        return format!("[{}]", parts.join(","));
    }
    if let Some((_, fields)) = text
        .split_once(" { ")
        .filter(|(name, _)| !name.contains(['(', '"']))
    {
        let fields = fields.strip_suffix(" }").unwrap_or(fields);
        let kept = split(fields)
            .into_iter()
            .filter_map(|field| field.split_once(": "));
        let kept: Vec<String> = kept
            .filter(|(_, value)| !matches!(*value, "None" | "[]"))
            .map(|(name, value)| format!("{name}={}", clean(value)))
            .collect();
        return format!("{{{}}}", kept.join(" "));
    }
    match text.split_once('(') {
        Some((name, rest)) if !name.contains('"') => {
            let inner = clean(rest.strip_suffix(')').unwrap_or(rest));
            let is_struct_name = inner.starts_with("Event") || inner.starts_with("Context");
            format!("{name}{}", if is_struct_name { "" } else { &inner })
        }
        _ => text.into(),
    }
}

/// Splits at the commas that stand in nothing.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut begin, mut parts) = (0, false, 0, Vec::new());
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'"' => quoted = !quoted,
            b'(' | b'{' | b'[' if !quoted => depth += 1,
            b')' | b'}' | b']' if !quoted => depth -= 1,
            b',' if depth == 0 && !quoted => {
                parts.push(text[begin..place].trim());
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(text[begin..].trim());
    parts
}
