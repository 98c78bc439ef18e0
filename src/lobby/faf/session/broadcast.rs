//! What everybody here is told of everybody: the lists of a newcomer, and what has changed, once a tick.

use bytes::Bytes;

use crate::{
    Audience, ConnId,
    faf::{
        context::Context,
        mail::{
            directory::PlayerUpdate,
            game::GameMail,
            session::{Gathered, SessionMail},
        },
        protocol::{
            events,
            lists::{LIST_BYTES, player_info},
            matchmaking::matchmaker_event,
        },
        rules::visibility::Rule,
        session::sessions::Sessions,
    },
};

impl Sessions {
    /// The present state for a client that missed broadcasts.
    pub(in crate::faf) fn resync(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        if self.table.get(conn).is_some_and(|s| s.player.is_some()) {
            self.show_lists(cx, conn, None);
        }
    }

    /// Sends the lists of players and games as soon as the directory shows this shard's as they are; a newcomer is told of
    /// their friends and foes between them, and is heard from then on.
    pub(in crate::faf) fn show_lists(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        social: Option<Bytes>,
    ) {
        cx.post(cx.turn.shard, GameMail::Show);
        cx.post(cx.turn.shard, SessionMail::SendLists { conn, social });
    }

    /// The directory shows everything as it is.
    pub(in crate::faf) fn send_lists(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        social: Option<Bytes>,
    ) {
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        for parts in cx.directory.player_lists() {
            cx.turn.send_chunks(conn, parts);
        }
        let is_new = social.is_some();
        if let Some(social) = social {
            cx.turn.send(conn, social);
        }
        let basis = cx.basis();
        let sees = |rule: &Rule| {
            let displayed = |kind: &str| player.displayed(kind, basis);
            rule.admits(player.account.id, displayed)
        };
        for parts in cx.directory.game_lists(sees) {
            cx.turn.send_chunks(conn, parts);
        }
        if is_new {
            cx.turn.release(conn);
        }
    }

    /// Sends what has gathered for a tick to everybody here who may see it.
    pub(in crate::faf) fn broadcast(&mut self, cx: &mut Context<'_>, gathered: Gathered) {
        let speaks_outside = cx.topology.is_publisher(cx.turn.shard);
        for queues in gathered.queues {
            if speaks_outside {
                cx.turn.publish(matchmaker_event(queues.clone()));
            }
            cx.turn.fan_out(Audience::Subscribers, queues);
        }
        let players = &gathered.players;
        if !players.is_empty() {
            if speaks_outside {
                let texts = players.iter().map(|update| &update.text);
                cx.turn.publish(events::players(texts));
            }
            for some in in_messages(players) {
                let texts = some.iter().map(|update| &update.text);
                cx.turn.fan_out(Audience::Subscribers, player_info(texts));
            }
        }
        if speaks_outside && !gathered.games.is_empty() {
            let bodies = gathered.games.iter().map(|game| &game.body);
            cx.turn.publish(events::games(bodies));
        }
        for game in gathered.games {
            if let Some(audience) = self.audience(cx, &game.rule) {
                cx.turn.fan_out(audience, game.body);
            }
        }
    }

    /// Who of this shard's players sees a game now; `None`: nobody.
    fn audience(&self, cx: &Context<'_>, rule: &Rule) -> Option<Audience> {
        if rule.is_open() {
            return Some(Audience::Subscribers);
        }
        let basis = cx.basis();
        let sees = |conn: ConnId| {
            let player = self.table.get(conn).and_then(|s| s.player.as_deref());
            player.is_some_and(|p| rule.admits(p.account.id, |kind| p.displayed(kind, basis)))
        };
        let local = |id: &u32| {
            cx.directory
                .player(*id)
                .map(|p| p.conn)
                .filter(|conn| conn.shard == cx.turn.shard)
        };
        if rule.friends_only {
            let candidates = rule
                .friends
                .iter()
                .chain(&rule.members)
                .chain([&rule.host_id]);
            let mut conns: Vec<ConnId> = candidates
                .filter_map(local)
                .filter(|&conn| sees(conn))
                .collect();
            conns.sort_unstable();
            conns.dedup();
            return (!conns.is_empty()).then(|| Audience::Connections(conns.into()));
        }
        let excluded: Vec<ConnId> = if rule.range.is_some() {
            self.table
                .players()
                .map(|(s, _)| s.conn)
                .filter(|&conn| !sees(conn))
                .collect()
        } else {
            rule.foes
                .iter()
                .filter_map(local)
                .filter(|&conn| !sees(conn))
                .collect()
        };
        Some(if excluded.is_empty() {
            Audience::Subscribers
        } else {
            Audience::SubscribersBut(excluded.into())
        })
    }
}

/// Slices of updates, each short enough for one message.
fn in_messages(updates: &[PlayerUpdate]) -> Vec<&[PlayerUpdate]> {
    let (mut slices, mut from, mut bytes) = (Vec::new(), 0, 0);
    for (at, update) in updates.iter().enumerate() {
        let more = update.text.len() + 1;
        if at > from && bytes + more > LIST_BYTES {
            slices.push(&updates[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += more;
    }
    slices.push(&updates[from..]);
    slices
}
