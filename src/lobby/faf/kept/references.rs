//! Whether the roles of a shard say the same of each other, in state that is about to be gone on from. What they say of other
//! shards can't be looked up here; those shards look up what they say of this one.

use crate::{
    ConnId, ShardId,
    faf::{Roles, model::seat::LoginId, session::table::Session},
    kept::{Damaged, ensure},
};

impl Roles {
    /// Looks up every reference between roles on the shard `here`.
    pub(super) fn check_references(&self, here: ShardId) -> Result<(), Damaged> {
        self.check_sessions(here)?;
        self.check_seats(here)?;
        self.check_picture(here)?;
        self.check_claims(here)?;
        self.check_coordinator(here)
    }

    fn is_there(&self, shard: ShardId) -> bool {
        self.topology.all().any(|known| known == shard)
    }

    /// The session in which this player is signed in.
    fn session_of(&self, conn: ConnId, player_id: u32) -> Option<&Session> {
        let session = self.sessions.table.get(conn)?;
        let player = session.player.as_deref()?;
        (player.account.id == player_id).then_some(session)
    }

    fn check_sessions(&self, here: ShardId) -> Result<(), Damaged> {
        let table = &self.sessions.table;
        ensure(table.is_in_order(), "a session is in another's place")?;
        let waits = |conn: ConnId| table.get(conn).is_some_and(|s| s.player.is_none());
        let mut waiting = self.sessions.deadlines.conns();
        ensure(waiting.all(waits), "a deadline is nobody's")?;
        for session in table.iter() {
            let Some(link) = session.link.as_deref() else {
                continue;
            };
            let seat = &link.seat;
            let is_theirs =
                seat.conn == session.conn && self.session_of(seat.conn, seat.player_id).is_some();
            ensure(is_theirs, "a player has somebody else's seat")?;
            ensure(self.is_there(link.owner), "a game is on no shard")?;
            if link.owner == here {
                let game = self.games.games.get(&seat.uid);
                ensure(
                    game.is_some_and(|game| game.has(seat)),
                    "a player is in no game",
                )?;
            }
        }
        Ok(())
    }

    fn check_seats(&self, here: ShardId) -> Result<(), Damaged> {
        for game in self.games.games.values() {
            for seat in game.seats() {
                ensure(self.is_there(seat.conn.shard), "a seat is on no shard")?;
                if seat.conn.shard != here {
                    continue;
                }
                let session = self.session_of(seat.conn, seat.player_id);
                let link = session.and_then(|session| session.link.as_deref());
                let is_linked = link.is_some_and(|l| l.seat == *seat && l.owner == here);
                ensure(is_linked, "a seat is nobody's")?;
            }
        }
        Ok(())
    }

    fn check_picture(&self, here: ShardId) -> Result<(), Damaged> {
        let picture = &self.directory.picture;
        let mut online = 0;
        for shown in picture.players() {
            ensure(self.is_there(shown.conn.shard), "a player is on no shard")?;
            if shown.conn.shard == here {
                online += 1;
                let session = self.session_of(shown.conn, shown.id);
                let player = session.and_then(|session| session.player.as_deref());
                let is_known = player.is_some_and(|player| player.epoch == shown.epoch);
                ensure(is_known, "a player is shown who is not here")?;
            }
        }
        let all_shown = online == self.sessions.online();
        ensure(all_shown, "a player is here who is not shown")?;
        let mut open = 0;
        for shown in picture.games() {
            ensure(self.is_there(shown.owner), "a game is on no shard")?;
            if shown.owner == here {
                open += 1;
                let game = self.games.games.get(&shown.uid);
                let is_known = game.is_some_and(|game| !game.removed);
                ensure(is_known, "a game is shown that is not here")?;
            }
        }
        let all_shown = open == self.games.count();
        ensure(all_shown, "a game is here that is not shown")
    }

    fn check_claims(&self, here: ShardId) -> Result<(), Damaged> {
        for (player_id, conn) in self.registry.claims() {
            let is_home = self.topology.home(player_id) == here;
            ensure(is_home, "a claim is not at home")?;
            ensure(self.is_there(conn.shard), "a claim is on no shard")?;
            if conn.shard == here {
                let is_theirs = self.session_of(conn, player_id).is_some();
                ensure(is_theirs, "a claim is nobody's")?;
            }
        }
        let at_home = |id: u32| self.topology.home(id) == here;
        let players = self.sessions.table.players();
        for (session, player) in players.filter(|(_, player)| at_home(player.account.id)) {
            let claim = self.registry.claim_of(player.account.id);
            ensure(claim == Some(session.conn), "a player has no claim")?;
            let is_granted = self.registry.has_granted(&self.topology, player.epoch);
            ensure(is_granted, "a claim would be granted twice")?;
        }
        Ok(())
    }

    fn check_coordinator(&self, here: ShardId) -> Result<(), Damaged> {
        if self.topology.coordinator() != Some(here) {
            let is_elsewhere = self.coordinator.knows_nothing();
            return ensure(is_elsewhere, "the coordinator is on another shard");
        }
        for member in self.coordinator.members() {
            let LoginId {
                player_id, conn, ..
            } = member.login_id;
            ensure(self.is_there(conn.shard), "a member is on no shard")?;
            if conn.shard == here {
                let session = self.session_of(conn, player_id);
                let is_known = session.is_some_and(|session| session.in_coordinator);
                ensure(is_known, "a member is not here")?;
            }
        }
        for (session, player) in self.sessions.table.players() {
            if !session.in_coordinator {
                continue;
            }
            let login_id = LoginId {
                player_id: player.account.id,
                conn: session.conn,
                epoch: player.epoch,
            };
            let member = self.coordinator.member(login_id.player_id);
            let is_known = member.is_some_and(|member| member.login_id == login_id);
            ensure(is_known, "a player is no member")?;
        }
        let mut matches = self.games.games.values().filter_map(|game| game.match_id());
        let are_known = matches.all(|id| self.coordinator.matchmaker.matches.contains_key(&id));
        ensure(are_known, "a game is of no match")
    }
}
