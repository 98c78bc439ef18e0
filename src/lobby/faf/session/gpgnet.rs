//! What is done about what the game process reports through its player's connection (spec: faf-messages 4). How it is read:
//! `protocol::incoming::gpgnet`.
//!
//! The player's shard acts on what concerns only the player; everything else becomes a [`GameReport`] for the game's owner.
//! Messages that are malformed or from the wrong player have no effect but a counter.

use crate::{
    ConnId,
    faf::{
        context::Context,
        mail::{
            game::{GameMail, GameReport, Leaving},
            session::SessionMail,
        },
        model::{limits, options::OptionValue, player_state::PlayerState, seat::Seat},
        protocol::{
            incoming::gpgnet::{GameMessage, GameState, IceMsg, Setting},
            request::Outcome,
        },
        questions::ModNames,
        rules::{achievements::Reading, results::ArmyResult},
        session::{
            awaited::{Awaited, Wanted},
            continuations::{NamingMods, Next, Request},
            sessions::Sessions,
            table::{Link, LinkState},
        },
    },
    question::StoreFailure,
};

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
    ) -> Outcome<Next> {
        sessions.mods_named(cx, self.seat, self.uids, names);
        Ok(Next::Go)
    }
}

impl Sessions {
    pub(in crate::faf) fn game_message(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        message: Option<GameMessage<'_>>,
    ) {
        let Some(link) = self
            .table
            .get(conn)
            .and_then(|s| s.link.as_deref().copied())
        else {
            return;
        };
        match message.and_then(|message| self.said_by_game(cx, conn, &link, message)) {
            Some(Step::Report(report)) => {
                let (seat, owner) = (link.seat, link.owner_now(cx.topology));
                if matches!(report, GameReport::OperationComplete(..)) {
                    self.await_record(cx, conn);
                    self.await_node(cx, conn, Awaited::Record { seat, owner });
                }
                if matches!(report, GameReport::Connect { .. }) {
                    self.await_node(cx, conn, Awaited::Connect { seat, owner });
                }
                self.report(cx, &seat, report);
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

    /// `None` if it comes from the wrong player, or at the wrong time.
    fn said_by_game(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        link: &Link,
        message: GameMessage<'_>,
    ) -> Option<Step> {
        let report = match message {
            GameMessage::GameState(state) => return self.game_state(cx, conn, link, state),
            GameMessage::Setting(setting) => {
                let is_hosting = self.table.get(conn)?.state == PlayerState::Hosting;
                (is_hosting && link.is_host).then_some(())?;
                return Some(self.set(cx, link.seat, setting));
            }
            GameMessage::IceMsg(message) => {
                self.relay(cx, link.seat, &message);
                return Some(Step::Done);
            }
            GameMessage::JsonStats(text) => match Reading::of(text) {
                Reading::Readable => GameReport::Stats(text.to_owned()),
                Reading::Unreadable => return None,
                Reading::TooMuch => {
                    cx.metrics.over_limit.up();
                    return Some(Step::Done);
                }
            },
            GameMessage::GameResult(result) => GameReport::Result(ArmyResult {
                reporter: link.seat.player_id,
                army: result.army,
                outcome: result.outcome,
                score: result.score,
                metadata: result.metadata,
            }),
            GameMessage::OperationComplete { secondary, time } => {
                GameReport::OperationComplete(secondary, time.into_owned().into())
            }
            GameMessage::EnforceRating => GameReport::EnforceRating,
            GameMessage::TeamkillHappened {
                time,
                victim,
                killer,
            } => GameReport::Teamkill(time, victim, killer),
            GameMessage::GameEnded => GameReport::GameEnded,
            GameMessage::Desync => GameReport::Desync,
            GameMessage::Nothing => return Some(Step::Done),
        };
        Some(Step::Report(report))
    }

    /// What a host sets.
    fn set(&mut self, cx: &mut Context<'_>, seat: Seat, setting: Setting<'_>) -> Step {
        Step::Report(match setting {
            Setting::Game(key, value) => GameReport::GameOption(key.into(), value),
            Setting::ActiveMods(0) => GameReport::Mods(Vec::new()),
            Setting::ActiveMods(_) => GameReport::Touch,
            Setting::Mods(uids) => return self.game_mods(cx, seat, uids),
            Setting::Player(id, key, value) => GameReport::PlayerOption(id, key.into(), value),
            Setting::Ai(name, key, value) => GameReport::AiOption(name.into(), key.into(), value),
            Setting::ClearSlot(slot) => GameReport::ClearSlot(OptionValue::Int(slot)),
        })
    }

    /// spec: faf-messages 4.1.
    fn game_state(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        link: &Link,
        state: GameState,
    ) -> Option<Step> {
        let session = self.table.get_mut(conn)?;
        let login: Box<str> = session.player.as_ref()?.account.login.clone();
        let event = match state {
            GameState::Idle if link.state == LinkState::Connected => return Some(Step::Done),
            GameState::Idle if link.is_host => {
                session.link.as_mut()?.state = LinkState::Connected;
                self.set_state(cx, conn, PlayerState::Hosting);
                GameReport::HostIdle { login }
            }
            GameState::Idle => {
                session.link.as_mut()?.state = LinkState::Initialized;
                self.set_state(cx, conn, PlayerState::Joining);
                return Some(Step::Done);
            }
            GameState::Lobby if session.state == PlayerState::Hosting => GameReport::HostLobby,
            GameState::Lobby
                if session.state == PlayerState::Joining
                    && link.state == LinkState::Initialized =>
            {
                cx.turn.hold(conn);
                GameReport::Connect { login }
            }
            GameState::Launching => {
                (session.state == PlayerState::Hosting).then_some(())?;
                GameReport::Launching
            }
            GameState::Ended => {
                self.leave_game(cx, conn, Leaving::Ended);
                return Some(Step::Done);
            }
            GameState::Lobby | GameState::Other => GameReport::Touch,
        };
        Some(Step::Report(event))
    }

    /// spec: faf-messages 4.3. The names are looked up first, so the connection waits.
    fn game_mods(&mut self, cx: &mut Context<'_>, seat: Seat, text: &str) -> Step {
        let uids = text
            .split_whitespace()
            .filter(|uid| uid.len() <= limits::FIELD_BYTES);
        let uids: Vec<String> = uids.take(limits::SIM_MODS).map(str::to_owned).collect();
        let named = text.split_whitespace().nth(uids.len()).is_none();
        cx.metrics.over_limit.add(u64::from(!named));
        if uids.is_empty() {
            return Step::Report(GameReport::Mods(Vec::new()));
        }
        let question = ModNames(uids.clone());
        self.ask_held(cx, seat.conn, question, NamingMods { seat, uids });
        Step::Done
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
            .map(|l| l.owner_now(cx.topology))
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
        cx.post(owner, GameMail::report(seat, GameReport::Mods(mods)));
    }

    /// spec: faf-messages 4.7; but only to players of the same game, whose games are the only ones that have anything to say
    /// to each other.
    fn relay(&mut self, cx: &mut Context<'_>, sender: Seat, message: &IceMsg<'_>) {
        if message.text_bytes() > limits::ICE_BYTES {
            return cx.metrics.over_limit.up();
        }
        let Some(id) = message.receiver else {
            return cx.metrics.game_messages_ignored.up();
        };
        let receiver = cx.directory.player(id).map(|player| player.conn);
        let is_elsewhere = |to: ConnId| to.shard != cx.turn.shard;
        if receiver.is_some_and(|to| !is_elsewhere(to) && !self.is_in_game(to, sender.uid)) {
            return;
        }
        if receiver.is_none() && !cx.topology.has_others() {
            return cx.metrics.game_messages_ignored.up();
        }
        let body = message.as_said_by(sender.player_id);
        let now = cx.turn.now.mono;
        let fits = body.len() <= limits::ICE_BYTES
            && self
                .table
                .get_mut(sender.conn)
                .is_some_and(|s| s.ice.take(now, body.len() as u64, limits::ICE));
        if !fits {
            return cx.metrics.over_limit.up();
        }
        let uid = sender.uid;
        match receiver {
            Some(to) if to.shard == cx.turn.shard => cx.turn.send(to, body),
            Some(to) => {
                let body = body.into();
                cx.post(to.shard, SessionMail::Ice { to, uid, body });
            }
            None => {
                let wanted = Wanted::Ice {
                    sender,
                    receiver: id,
                    body: body.into(),
                };
                if !self.await_news(cx, sender.conn, wanted) {
                    cx.metrics.game_messages_ignored.up();
                }
            }
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

/// Bytes of a text as it is told: what is not plain is escaped.
fn written(text: &str) -> usize {
    let bytes = |c: char| match c {
        '"' | '\\' => 2,
        ' '..='~' => 1,
        c => 6 * c.len_utf16(),
    };
    text.chars().map(bytes).sum()
}
