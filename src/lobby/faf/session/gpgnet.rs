//! What the game process reports through its player's connection (spec: faf-messages 4).
//!
//! The player's shard types and checks a message and acts on what concerns only the player; everything else becomes an
//! [`GameReport`] for the game's owner. Malformed messages have no effect but a counter.

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{
            game::{GameMail, GameReport, Leaving},
            session::SessionMail,
        },
        model::{limits, options::OptionValue, player_state::PlayerState, seat::Seat},
        protocol::request::{self, integer},
        questions::ModNames,
        rules::results::{ArmyResult, Outcome},
        session::{
            continuations::{NamingMods, Next, Request},
            sessions::Sessions,
            table::{Link, LinkState},
        },
    },
    question::StoreFailure,
};
use wire::json::Value;

/// Name of a sim mod that is not in the vault.
const UNKNOWN_MOD: &str = "Unknown sim mod";

/// What a message amounts to on the player's shard.
enum Step {
    /// Something for the owner.
    Report(GameReport),
    /// Nothing more.
    Done,
}

impl Request for NamingMods {
    type Question = ModNames;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        _: ConnId,
        names: Result<Vec<(String, String)>, StoreFailure>,
    ) -> request::Outcome<Next> {
        sessions.mods_named(cx, self.seat, self.uids, names);
        Ok(Next::Go)
    }
}

impl Sessions {
    pub(in crate::faf) fn game_message(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        command: &str,
        message: Value<'_>,
    ) {
        let Some(link) = self
            .table
            .get(conn)
            .and_then(|s| s.link.as_deref().copied())
        else {
            return;
        };
        let args = message.get("args");
        if args.is_some_and(|args| !args.is_array()) {
            cx.metrics.game_messages_ignored.up();
            return;
        }
        let all = || args.into_iter().flat_map(|args| args.elements());
        let mut first = [None; 5];
        let count = all().count();
        for (place, value) in first.iter_mut().zip(all()) {
            *place = Some(value);
        }
        if command == "IceMsg" {
            if let ([Some(to), Some(text), ..], 2) = (first, count) {
                self.relay(cx, link.seat, to, text);
            }
            return;
        }
        match self.read(cx, conn, &link, command, first, count) {
            Some(Step::Report(report)) => {
                if matches!(report, GameReport::OperationComplete(..)) {
                    self.await_record(cx, conn);
                }
                let seat = link.seat;
                cx.post(link.owner, GameMail::Report { seat, report });
            }
            Some(Step::Done) => {}
            None => cx.metrics.game_messages_ignored.up(),
        }
    }

    /// Until what they report is written down they are not heard (spec: faf-newer R1).
    fn await_record(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if let Some(session) = self.table.get_mut(conn) {
            session.awaits_record = true;
            cx.turn.hold(conn);
        }
    }

    /// One message, typed; `None` if it is unknown or malformed, or comes from the wrong player.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        link: &Link,
        command: &str,
        args: [Option<Value<'_>>; 5],
        count: usize,
    ) -> Option<Step> {
        match (command, args, count) {
            ("GameState", [Some(state), ..], 1) => self.game_state(cx, conn, link, state.as_str()?),
            ("GameOption" | "GameMods" | "PlayerOption" | "AIOption" | "ClearSlot", ..) => {
                let is_hosting = self.table.get(conn)?.state == PlayerState::Hosting;
                (is_hosting && link.is_host).then_some(())?;
                self.read_setting(cx, link.seat, command, args, count)
            }
            ("JsonStats", [Some(text), ..], 1) => {
                let text = text.as_str()?;
                if text.len() > limits::STATS_BYTES {
                    cx.metrics.over_limit.up();
                    return Some(Step::Done);
                }
                let stats = looks_like_stats(text).then(|| GameReport::Stats(text.to_owned()))?;
                Some(Step::Report(stats))
            }
            ("TeamkillReport", _, 5)
            | ("Rehost" | "Bottleneck" | "BottleneckCleared" | "Disconnected", ..)
            | ("LaunchStatus" | "Chat", _, 1)
            | ("GameFull", _, 0) => Some(Step::Done),
            _ => read_result(link.seat.player_id, command, args, count),
        }
    }

    /// What a host sets.
    fn read_setting(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        command: &str,
        args: [Option<Value<'_>>; 5],
        count: usize,
    ) -> Option<Step> {
        let setting = match (command, args, count) {
            ("GameOption", [Some(key), Some(value), ..], 2) => {
                GameReport::GameOption(key.as_str()?.into(), OptionValue::read(value))
            }
            ("GameMods", [Some(kind), Some(value), ..], 2) => {
                return self.game_mods(cx, seat, kind.as_str()?, value);
            }
            ("PlayerOption", [Some(id), Some(key), Some(value), ..], 3) => {
                let (id, key) = (player_id(id)?, key.as_str()?.into());
                GameReport::PlayerOption(id, key, OptionValue::read(value))
            }
            ("AIOption", [Some(name), Some(key), Some(value), ..], 3) => {
                let (name, key) = (name.as_str()?.into(), key.as_str()?.into());
                GameReport::AiOption(name, key, OptionValue::read(value))
            }
            ("ClearSlot", [Some(slot), ..], 1) => {
                GameReport::ClearSlot(OptionValue::Int(integer(slot).ok()?))
            }
            _ => return None,
        };
        Some(Step::Report(setting))
    }

    /// spec: faf-messages 4.1.
    fn game_state(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        link: &Link,
        state: &str,
    ) -> Option<Step> {
        let session = self.table.get_mut(conn)?;
        let login: Box<str> = session.player.as_ref()?.account.login.clone();
        let event = match state {
            "Idle" if link.state == LinkState::Connected => return Some(Step::Done),
            "Idle" if link.is_host => {
                session.link.as_mut()?.state = LinkState::Connected;
                self.set_state(cx, conn, PlayerState::Hosting);
                GameReport::HostIdle { login }
            }
            "Idle" => {
                session.link.as_mut()?.state = LinkState::Initialized;
                self.set_state(cx, conn, PlayerState::Joining);
                return Some(Step::Done);
            }
            "Lobby" if session.state == PlayerState::Hosting => GameReport::HostLobby,
            "Lobby"
                if session.state == PlayerState::Joining
                    && link.state == LinkState::Initialized =>
            {
                cx.turn.hold(conn);
                GameReport::Connect { login }
            }
            "Launching" => {
                (session.state == PlayerState::Hosting).then_some(())?;
                GameReport::Launching
            }
            "Ended" => {
                self.leave_game(cx, conn, Leaving::Ended);
                return Some(Step::Done);
            }
            _ => GameReport::Touch,
        };
        Some(Step::Report(event))
    }

    /// spec: faf-messages 4.3. The names are looked up first, so the connection waits.
    fn game_mods(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        kind: &str,
        value: Value<'_>,
    ) -> Option<Step> {
        match kind {
            "activated" if integer(value).ok()? == 0 => {
                Some(Step::Report(GameReport::Mods(Vec::new())))
            }
            "activated" => Some(Step::Report(GameReport::Touch)),
            "uids" => {
                let text = value.as_str()?;
                let uids = text
                    .split_whitespace()
                    .filter(|uid| uid.len() <= limits::FIELD_BYTES);
                let uids: Vec<String> = uids.take(limits::SIM_MODS).map(str::to_owned).collect();
                let named = text.split_whitespace().nth(uids.len()).is_none();
                cx.metrics.over_limit.add(u64::from(!named));
                if uids.is_empty() {
                    return Some(Step::Report(GameReport::Mods(
                        uids.into_iter().map(|uid| (uid, String::new())).collect(),
                    )));
                }
                let question = ModNames(uids.clone());
                self.ask_held(cx, seat.conn, question, NamingMods { seat, uids });
                Some(Step::Done)
            }
            _ => None,
        }
    }

    fn mods_named(
        &mut self,
        cx: &mut Context<'_>,
        seat: Seat,
        uids: Vec<String>,
        names: Result<Vec<(String, String)>, StoreFailure>,
    ) {
        let Some(owner) = self
            .table
            .get_mut(seat.conn)
            .and_then(|s| s.link_at(&seat))
            .map(|l| l.owner)
        else {
            return;
        };
        let Ok(names) = names else {
            // spec: faf-messages 4, unexpected failures
            cx.metrics.store_errors.up();
            return self.leave_game(cx, seat.conn, Leaving::Aborted);
        };
        let mut mods: Vec<(String, String)> = Vec::with_capacity(uids.len());
        let mut bytes = 0;
        for uid in uids.into_iter() {
            if mods.iter().any(|(known, _)| *known == uid) {
                continue;
            }
            let name = names
                .iter()
                .find(|(known, _)| *known == uid)
                .map_or(UNKNOWN_MOD, |(_, name)| name);
            bytes += written(&uid) + written(name);
            if bytes > limits::SIM_MODS_BYTES {
                cx.metrics.over_limit.up();
                break;
            }
            let name = name.to_owned();
            mods.push((uid, name));
        }
        cx.post(
            owner,
            GameMail::Report {
                seat,
                report: GameReport::Mods(mods),
            },
        );
    }

    /// spec: faf-messages 4.7; but only to players of the same game, whose games are the only ones that have anything to say
    /// to each other. The hot path of a lobby: the text is copied once, into the message.
    fn relay(&mut self, cx: &mut Context<'_>, sender: Seat, to: Value<'_>, text: Value<'_>) {
        if text
            .as_str()
            .is_some_and(|text| text.len() > limits::ICE_BYTES)
        {
            return cx.metrics.over_limit.up();
        }
        let Some(receiver) = player_id(to)
            .and_then(|id| cx.directory.player(id))
            .map(|p| p.conn)
        else {
            cx.metrics.game_messages_ignored.up();
            return;
        };
        if receiver.shard == cx.turn.shard && !self.is_in_game(receiver, sender.uid) {
            return;
        }
        let mut body = Vec::with_capacity(64 + 2 * text.len());
        body.extend_from_slice(br#"{"command":"IceMsg","args":["#);
        body.extend_from_slice(itoa::Buffer::new().format(sender.player_id).as_bytes());
        body.push(b',');
        text.write(&mut body);
        body.extend_from_slice(br#"],"target":"game"}"#);
        let now = cx.turn.now.mono;
        let fits = body.len() <= limits::ICE_BYTES
            && self
                .table
                .get_mut(sender.conn)
                .is_some_and(|s| s.ice.take(now, body.len() as u64, limits::ICE));
        if !fits {
            return cx.metrics.over_limit.up();
        }
        if receiver.shard == cx.turn.shard {
            cx.turn.send(receiver, body);
        } else {
            cx.post(
                receiver.shard,
                SessionMail::Ice {
                    to: receiver,
                    uid: sender.uid,
                    body: body.into(),
                },
            );
        }
    }

    pub(in crate::faf) fn ice_arrived(
        &mut self,
        cx: &mut Context<'_>,
        to: ConnId,
        uid: u32,
        body: bytes::Bytes,
    ) {
        if self.is_in_game(to, uid) {
            cx.turn.send(to, body);
        }
    }

    fn is_in_game(&self, conn: ConnId, uid: u32) -> bool {
        let link = self.table.get(conn).and_then(|s| s.link.as_deref());
        link.is_some_and(|link| link.seat.uid == uid)
    }
}

/// What a player's game says of how it goes.
fn read_result(
    reporter: u32,
    command: &str,
    args: [Option<Value<'_>>; 5],
    count: usize,
) -> Option<Step> {
    let report = match (command, args, count) {
        ("GameResult", [Some(army), Some(text), ..], 2) => {
            let army = integer(army).ok()?;
            GameReport::Result(game_result(reporter, army, text.as_str()?)?)
        }
        ("OperationComplete", [Some(primary), Some(secondary), Some(time), ..], 3) => {
            true_like(primary).then_some(())?;
            let time = time.as_str();
            let time = time.filter(|time| time.len() <= limits::FIELD_BYTES)?;
            GameReport::OperationComplete(true_like(secondary), time.into())
        }
        ("EnforceRating", _, 0) => GameReport::EnforceRating,
        ("TeamkillHappened", [Some(time), Some(victim), _, Some(killer), _], 5) => {
            let (victim, killer) = (player_id(victim)?, player_id(killer)?);
            if victim == 0 || killer == 0 {
                return Some(Step::Done);
            }
            GameReport::Teamkill(integer(time).ok()?, victim, killer)
        }
        ("GameEnded", ..) => GameReport::GameEnded,
        ("Desync", ..) => GameReport::Desync,
        _ => return None,
    };
    Some(Step::Report(report))
}

/// Bytes of a text as it is told: what is not plain is escaped.
fn written(text: &str) -> usize {
    let bytes = |c: char| match c {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        c => 6 * c.len_utf16(),
    };
    text.chars().map(bytes).sum()
}

/// Whether a text may be a JSON object with the key `stats`. A document of a hundred kilobytes is read where it may take
/// its time.
fn looks_like_stats(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && memchr::memmem::find(text.as_bytes(), b"\"stats\"").is_some()
}

fn player_id(value: Value<'_>) -> Option<u32> {
    u32::try_from(integer(value).ok()?).ok()
}

/// spec: faf-messages 4.6.
fn true_like(value: Value<'_>) -> bool {
    value.as_bool() == Some(true)
        || value.as_f64() == Some(1.0)
        || value.as_str().is_some_and(|text| {
            ["true", "on", "yes"]
                .iter()
                .any(|yes| text.eq_ignore_ascii_case(yes))
        })
}

/// spec: faf-messages 4.5.
fn game_result(reporter: u32, army: i64, text: &str) -> Option<ArmyResult> {
    if text.len() > limits::FIELD_BYTES {
        return None;
    }
    let text = text.to_lowercase();
    let mut words = text.split_whitespace().rev();
    let score = words.next()?.parse().ok()?;
    let outcome = match words.next()? {
        "victory" => Outcome::Victory,
        "defeat" => Outcome::Defeat,
        "draw" => Outcome::Draw,
        "mutual_draw" => Outcome::MutualDraw,
        _ => return None,
    };
    let mut metadata: Vec<String> = words.map(str::to_owned).collect();
    metadata.sort_unstable();
    metadata.dedup();
    Some(ArmyResult {
        reporter,
        army,
        outcome,
        score,
        metadata,
    })
}
