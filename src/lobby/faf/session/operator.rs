//! What an operator sees of the players of this shard, and how a connection ends that they end.

use std::time::Duration;

use crate::{
    Audience, ConnId,
    faf::{
        context::Context,
        directory::players::PlayerEntry,
        mail::session::SessionMail,
        model::account::Ban,
        protocol::{message, text},
        session::{
            player::Player,
            sessions::Sessions,
            table::{Session, SessionTable},
        },
    },
    operator::{self, Act, Done, Farewell, Found, Mark, Page, Query, Row},
};

/// A ban without an end, as players are told of it.
const FOR_GOOD_S: f64 = 100.0 * 366.0 * 86_400.0;

impl SessionTable {
    /// A page of those who are logged in, in the order of their places.
    pub(in crate::faf) fn page(&self, query: &Query) -> Found {
        let mut page = Page::of(query);
        for (place, session) in self.places_from(query.from.number() as usize) {
            let row = || {
                let session = session?;
                Some(shown(session, session.player.as_deref()?))
            };
            if !page.look(|| Mark::Number(place as u64), row) {
                break;
            }
        }
        page.found()
    }
}

fn shown(session: &Session, player: &Player) -> Row {
    let game = session.link.as_ref().map(|link| link.seat.uid.to_string());
    Row::Player(operator::Player {
        conn: session.conn,
        id: Some(player.account.id.into()),
        name: player.account.login.to_string(),
        address: session.address,
        since: player.since_s,
        state: session.state.name().to_owned(),
        game,
        client: None,
    })
}

/// Who is shown to be on other nodes.
fn players_elsewhere<'a>(cx: &Context<'a>) -> impl Iterator<Item = &'a PlayerEntry> + use<'a> {
    let own = cx.topology.standing().node;
    let players = cx.directory.players();
    players.filter(move |player| player.conn.shard.node() != own)
}

/// Has a shard of another node end a connection, if it is shown to be that player's.
fn dismiss(cx: &mut Context<'_>, conn: ConnId, id: u64, farewell: &Farewell) -> Done {
    let known = players_elsewhere(cx).find(|player| u64::from(player.id) == id);
    let Some(known) = known.filter(|known| known.conn == conn && cx.topology.is_in_touch()) else {
        return Done::Of(0);
    };
    let mail = SessionMail::Evicted {
        conn,
        player_id: known.id,
        farewell: farewell.clone(),
    };
    cx.post(conn.shard, mail);
    Done::Of(1)
}

impl Sessions {
    /// Does what an operator has ordered. What concerns other nodes too, the first shard of this one tells them.
    pub(in crate::faf) fn ordered(&mut self, cx: &mut Context<'_>, act: &Act) -> Done {
        let mut elsewhere = 0;
        let notice = match act {
            Act::Broadcast(text) => {
                let notice = message::notice("info", text);
                if cx.turn.shard.local() == 0
                    && cx.topology.has_others()
                    && cx.topology.is_in_touch()
                {
                    let told = SessionMail::TellAll(notice.clone());
                    cx.turn.mail_nodes(told.into());
                    elsewhere = players_elsewhere(cx).count();
                }
                notice
            }
            Act::Dismiss { conn, id, farewell } => return dismiss(cx, *conn, *id, farewell),
            Act::EndPlanned { within, reason } => {
                let planned = match within {
                    Some(within) => text::shutting_down(*within, cx.settings.shutdown_kick_idle),
                    None => text::END_CANCELLED.to_owned(),
                };
                let reason = reason.as_deref().unwrap_or_default();
                message::notice("info", format!("{planned} {reason}").trim_end())
            }
            // Talking is for others, bans are the store's.
            Act::Mute(_) | Act::Ban(_) | Act::LameDuck => return Done::Lacks,
            Act::Succeeded => {
                self.has_successor = true;
                return Done::Of(0);
            }
        };
        cx.turn.fan_out(Audience::Subscribers, notice);
        Done::Of((self.online() + elsewhere) as u32)
    }

    /// An operator of another node ends a connection.
    pub(in crate::faf) fn evicted_from_afar(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        player_id: u32,
        farewell: &Farewell,
    ) {
        let session = self.table.get(conn);
        let player = session.and_then(|session| session.player.as_deref());
        if player.is_some_and(|player| player.account.id == player_id) {
            self.evicted(cx, conn, farewell);
        }
    }

    /// An operator ends a connection: it is told why, in the form of the lobby's own messages.
    pub(in crate::faf) fn evicted(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        farewell: &Farewell,
    ) {
        let Some(session) = self.table.get(conn).filter(|one| !one.closing) else {
            return;
        };
        if *farewell == Farewell::ServerEnds && session.player.is_none() {
            return self.close(cx, conn, "the server ends"); // good-bye is said to players (spec: faf-lifecycle 14)
        }
        let told = match farewell {
            Farewell::Kicked { reason } => message::notice("kick", reason),
            Farewell::Banned { reason, until } => {
                let now = cx.turn.now.unix;
                let until = until.as_ref().map(Duration::as_secs_f64);
                let ban = Ban {
                    reason: reason.clone(),
                    expires_at: until.unwrap_or(now.as_secs_f64() + FOR_GOOD_S),
                };
                message::notice("error", &text::ban(&ban, now))
            }
            Farewell::ServerEnds => message::notice("info", text::SHUT_DOWN),
        };
        cx.turn.send(conn, told);
        self.close(cx, conn, "an operator has ended it");
    }
}
