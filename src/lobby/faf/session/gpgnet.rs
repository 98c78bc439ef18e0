//! What the game process reports through its player's connection (spec: faf-messages 4).
//!
//! The player's shard types and checks a message and acts on what concerns only the player; everything else becomes an
//! [`GameReport`] for the game's owner. Malformed messages have no effect but a counter.

use crate::faf::{
    Faf, FafTurn,
    game::state::GameState,
    mail::{
        Mail,
        game::{GameReport, Leaving},
    },
    model::{limits, options::OptionValue, player_state::PlayerState, seat::Seat},
    protocol::{
        message,
        request::{self, integer},
    },
    questions::ModNames,
    rules::results::{ArmyResult, Outcome},
    session::{
        dispatch::{Next, Request},
        table::{Link, LinkState},
    },
};
use crate::{ConnId, question::StoreFailure};
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

/// Names of the game's sim mods are looked up.
#[derive(Debug)]
pub(in crate::faf) struct NamingMods {
    seat: Seat,
    uids: Vec<String>,
}

impl Request for NamingMods {
    type Question = ModNames;

    fn resume(
        self,
        faf: &mut Faf,
        turn: &mut FafTurn<'_>,
        _: ConnId,
        names: Result<Vec<(String, String)>, StoreFailure>,
    ) -> request::Outcome<Next> {
        faf.mods_named(turn, self.seat, self.uids, names);
        Ok(Next::Go)
    }
}

impl Faf {
    pub(in crate::faf) fn game_message(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        command: &str,
        message: Value<'_>,
    ) {
        let Some(link) = self
            .sessions
            .get(conn)
            .and_then(|s| s.link.as_deref().copied())
        else {
            return;
        };
        let args = message.get("args");
        if args.is_some_and(|args| !args.is_array()) {
            self.counters.game_messages_ignored += 1;
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
                self.relay(turn, link.seat, to, text);
            }
            return;
        }
        match self.step(turn, conn, &link, command, first, count) {
            Some(Step::Report(event)) => self.post(
                turn,
                link.owner,
                Mail::FromGame {
                    seat: link.seat,
                    event,
                },
            ),
            Some(Step::Done) => {}
            None => self.counters.game_messages_ignored += 1,
        }
    }

    /// One message, typed; `None` if it is unknown or malformed, or comes from the wrong player.
    fn step(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        link: &Link,
        command: &str,
        args: [Option<Value<'_>>; 5],
        count: usize,
    ) -> Option<Step> {
        let session = self.sessions.get(conn)?;
        let host_only = || (session.state == PlayerState::Hosting && link.is_host).then_some(());
        let event = match (command, args, count) {
            ("GameState", [Some(state), ..], 1) => {
                return self.game_state(turn, conn, link, state.as_str()?);
            }
            ("GameOption", [Some(key), Some(value), ..], 2) => {
                host_only()?;
                GameReport::GameOption(key.as_str()?.into(), OptionValue::read(value))
            }
            ("GameMods", [Some(kind), Some(value), ..], 2) => {
                host_only()?;
                return self.game_mods(turn, link.seat, kind.as_str()?, value);
            }
            ("PlayerOption", [Some(id), Some(key), Some(value), ..], 3) => {
                host_only()?;
                GameReport::PlayerOption(
                    player_id(id)?,
                    key.as_str()?.into(),
                    OptionValue::read(value),
                )
            }
            ("AIOption", [Some(name), Some(key), Some(value), ..], 3) => {
                host_only()?;
                GameReport::AiOption(
                    name.as_str()?.into(),
                    key.as_str()?.into(),
                    OptionValue::read(value),
                )
            }
            ("ClearSlot", [Some(slot), ..], 1) => {
                host_only()?;
                GameReport::ClearSlot(OptionValue::Int(integer(slot).ok()?))
            }
            ("GameResult", [Some(army), Some(text), ..], 2) => GameReport::Result(game_result(
                link.seat.player_id,
                integer(army).ok()?,
                text.as_str()?,
            )?),
            ("OperationComplete", [Some(primary), Some(secondary), Some(time), ..], 3) => {
                if !true_like(primary) {
                    return None;
                }
                let time = time
                    .as_str()
                    .filter(|time| time.len() <= limits::FIELD_BYTES)?;
                GameReport::OperationComplete(true_like(secondary), time.into())
            }
            ("JsonStats", [Some(text), ..], 1) => {
                let text = text.as_str()?;
                if text.len() > limits::STATS_BYTES {
                    self.counters.over_limit += 1;
                    return Some(Step::Done);
                }
                looks_like_stats(text).then(|| GameReport::Stats(text.to_owned()))?
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
            ("TeamkillReport", _, 5)
            | ("Rehost" | "Bottleneck" | "BottleneckCleared" | "Disconnected", ..)
            | ("LaunchStatus" | "Chat", _, 1)
            | ("GameFull", _, 0) => return Some(Step::Done),
            _ => return None,
        };
        Some(Step::Report(event))
    }

    /// spec: faf-messages 4.1.
    fn game_state(
        &mut self,
        turn: &mut FafTurn<'_>,
        conn: ConnId,
        link: &Link,
        state: &str,
    ) -> Option<Step> {
        let session = self.sessions.get_mut(conn)?;
        let login: Box<str> = session.player.as_ref()?.account.login.clone();
        let event = match state {
            "Idle" if link.state == LinkState::Connected => return Some(Step::Done),
            "Idle" if link.is_host => {
                session.link.as_mut()?.state = LinkState::Connected;
                self.set_state(turn, conn, PlayerState::Hosting);
                GameReport::HostIdle { login }
            }
            "Idle" => {
                session.link.as_mut()?.state = LinkState::Initialized;
                self.set_state(turn, conn, PlayerState::Joining);
                return Some(Step::Done);
            }
            "Lobby" if session.state == PlayerState::Hosting => GameReport::HostLobby,
            "Lobby"
                if session.state == PlayerState::Joining
                    && link.state == LinkState::Initialized =>
            {
                turn.hold(conn);
                GameReport::Connect { login }
            }
            "Launching" => {
                (session.state == PlayerState::Hosting).then_some(())?;
                GameReport::Launching
            }
            "Ended" => {
                self.leave_game(turn, conn, Leaving::Ended);
                return Some(Step::Done);
            }
            _ => GameReport::Touch,
        };
        Some(Step::Report(event))
    }

    /// spec: faf-messages 4.3. The names are looked up first, so the connection waits.
    fn game_mods(
        &mut self,
        turn: &mut FafTurn<'_>,
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
                if uids.is_empty() {
                    return Some(Step::Report(GameReport::Mods(
                        uids.into_iter().map(|uid| (uid, String::new())).collect(),
                    )));
                }
                let question = ModNames(uids.clone());
                self.ask_held(turn, seat.conn, question, NamingMods { seat, uids });
                Some(Step::Done)
            }
            _ => None,
        }
    }

    fn mods_named(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        uids: Vec<String>,
        names: Result<Vec<(String, String)>, StoreFailure>,
    ) {
        let Some(owner) = self
            .sessions
            .get_mut(seat.conn)
            .and_then(|s| s.link_at(&seat))
            .map(|l| l.owner)
        else {
            return;
        };
        let Ok(names) = names else {
            // spec: faf-messages 4, unexpected failures
            self.counters.store_errors += 1;
            return self.leave_game(turn, seat.conn, Leaving::Aborted);
        };
        let mut mods: Vec<(String, String)> = Vec::with_capacity(uids.len());
        for uid in uids.into_iter() {
            if mods.iter().any(|(known, _)| *known == uid) {
                continue;
            }
            let name = names
                .iter()
                .find(|(known, _)| *known == uid)
                .map_or(UNKNOWN_MOD, |(_, name)| name);
            let name = name.to_owned();
            mods.push((uid, name));
        }
        self.post(
            turn,
            owner,
            Mail::FromGame {
                seat,
                event: GameReport::Mods(mods),
            },
        );
    }

    /// spec: faf-messages 4.7. The hot path of a lobby: the text is copied once, into the message.
    fn relay(&mut self, turn: &mut FafTurn<'_>, sender: Seat, to: Value<'_>, text: Value<'_>) {
        let Some(receiver) = player_id(to)
            .and_then(|id| self.directory.player(id))
            .map(|p| p.conn)
        else {
            self.counters.game_messages_ignored += 1;
            return;
        };
        if receiver.shard == self.shard
            && self.sessions.get(receiver).is_none_or(|s| s.link.is_none())
        {
            return;
        }
        let mut body = Vec::with_capacity(64 + 2 * text.len());
        body.extend_from_slice(br#"{"command":"IceMsg","args":["#);
        body.extend_from_slice(itoa::Buffer::new().format(sender.player_id).as_bytes());
        body.push(b',');
        text.write(&mut body);
        body.extend_from_slice(br#"],"target":"game"}"#);
        if receiver.shard == self.shard {
            turn.send(receiver, body);
        } else {
            turn.mail(
                receiver.shard,
                Mail::Ice {
                    to: receiver,
                    body: body.into(),
                },
            );
        }
    }

    pub(in crate::faf) fn ice_arrived(
        &mut self,
        turn: &mut FafTurn<'_>,
        to: ConnId,
        body: bytes::Bytes,
    ) {
        if self.sessions.get(to).is_some_and(|s| s.link.is_some()) {
            turn.send(to, body);
        }
    }

    /// At the owner: one report about one of its games.
    pub(in crate::faf) fn game_event(
        &mut self,
        turn: &mut FafTurn<'_>,
        seat: Seat,
        event: GameReport,
    ) {
        match event {
            GameReport::Leave(how) => return self.leave(turn, seat, how),
            GameReport::Connect { login } => return self.connect_guest(turn, seat, login),
            GameReport::HostRelation(subject, relation) => {
                return self.host_related(turn, seat, subject, relation);
            }
            GameReport::Result(_)
            | GameReport::Stats(_)
            | GameReport::EnforceRating
            | GameReport::OperationComplete(..)
            | GameReport::Teamkill(..)
            | GameReport::Desync => return self.reported(turn, seat, event),
            _ => {}
        }
        let checks = matches!(event, GameReport::GameEnded);
        let Some(game) = self.games.get_mut(&seat.uid).filter(|game| game.has(&seat)) else {
            return;
        };
        let opens = matches!(event, GameReport::HostLobby);
        let launches = matches!(event, GameReport::Launching);
        let (kept, dirty) = match event {
            GameReport::HostIdle { login } if seat.player_id == game.host_id => {
                // Only a new game opens; one that has ended stays ended (spec: faf-lifecycle 10.3, recommended).
                if game.state == GameState::Initializing {
                    game.state = GameState::Lobby;
                    game.hosting = true;
                }
                game.connect(seat, login);
                (true, false)
            }
            GameReport::HostLobby => {
                if game.hosted_at.is_some() {
                    self.leave(turn, seat, Leaving::Aborted);
                    return self.post(turn, seat.conn.shard, Mail::LinkEnded(seat));
                }
                turn.send(seat.conn, message::host_game(&game.creation.folder));
                game.hosted_at = Some(turn.now.unix);
                (true, true)
            }
            GameReport::Launching => {
                // A match that was launched before it was open would leave its guests waiting for ever.
                let closed = game.launching.as_ref().is_some_and(|l| l.is_opening());
                if closed || !game.is_hosted_by(&seat) || game.state != GameState::Lobby {
                    self.counters.game_messages_ignored += 1;
                    return;
                }
                for playing in game.freeze(turn.now.unix) {
                    self.post(turn, playing.conn.shard, Mail::SetPlaying(playing));
                }
                self.launched(turn, seat);
                (true, true)
            }
            GameReport::Touch => (true, true),
            GameReport::GameOption(key, value) if game.is_hosted_by(&seat) => {
                match game.set_option(&key, value) {
                    Some(kept) => (kept, true),
                    None => (true, false),
                }
            }
            GameReport::Mods(mods) if game.is_hosted_by(&seat) => {
                game.sim_mods = mods;
                (true, true)
            }
            GameReport::PlayerOption(id, key, value) if game.is_hosted_by(&seat) => {
                (game.set_player_option(id, &key, value), true)
            }
            GameReport::AiOption(name, key, value) if game.is_hosted_by(&seat) => {
                (game.set_ai_option(&name, &key, value), true)
            }
            GameReport::ClearSlot(slot) if game.is_hosted_by(&seat) => {
                game.clear_slot(&slot);
                (true, true)
            }
            GameReport::GameEnded => {
                if let Some(member) = game.member(&seat) {
                    member.finished = true;
                }
                let before = game.state;
                game.end_check(seat.player_id, turn.now.unix);
                (true, game.state != before)
            }
            // From the wrong player, or too late.
            _ => {
                self.counters.game_messages_ignored += 1;
                return;
            }
        };
        self.counters.over_limit += u64::from(!kept);
        if dirty {
            self.tick.game_dirty(seat.uid);
        }
        if opens {
            self.match_opened(turn, seat.uid);
        }
        if launches {
            self.match_launched(turn, seat.uid);
        }
        if checks {
            self.checked(turn, seat.uid);
        }
    }
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
