//! What a judge has players do that takes something of theirs, such as what they may say in a while (spec: cockatrice-table 11).
//!
//! A player's shard knows what they have: so the judge's container goes there before the game handles it, from one player of whom it
//! wants something to the next, and then back. The judge waits in the meantime; nobody else does.

use std::collections::BTreeMap;

use cockatrice::{
    game::ParticipantId,
    messages::{CommandContainer, GameCommandBody},
};

use super::{
    Cockatrice,
    mail::{AskForced, Forced, GameCommands, ToGame, ToSession, Wanted},
    state::table::Table,
    topology::Topology,
};
use crate::ConnId;

impl Table {
    /// What is wanted next of whom, of those who have not been asked and can be.
    pub(super) fn next_wanted(
        &self,
        forced: &[(ParticipantId, &GameCommandBody<'_>)],
        asked: &BTreeMap<ParticipantId, Forced>,
        topology: &Topology,
    ) -> Option<(ConnId, Wanted)> {
        let open = forced.iter().filter(|(id, _)| !asked.contains_key(id));
        let mut open = open.filter(|(_, body)| takes_something(body));
        let (of, conn) = open.find_map(|(id, _)| {
            let conn = self.seats.get(id)?.conn;
            topology.reaches(conn.shard).then_some((*id, conn))
        })?;
        let texts = forced.iter().filter(|(id, _)| *id == of);
        let texts = texts.filter_map(|(_, body)| match body {
            GameCommandBody::GameSay(say) => Some(say.message.as_deref().map_or(0, <[u8]>::len)),
            _ => None,
        });
        let texts = texts.map(|bytes| u32::try_from(bytes).unwrap_or(u32::MAX));
        let texts = texts.collect();
        Some((conn, Wanted { of, texts }))
    }
}

impl Cockatrice {
    /// Asks a player for what a judge's container wants of them.
    pub(super) fn ask_forced(
        &mut self,
        to: ConnId,
        game: u32,
        wanted: Wanted,
        commands: GameCommands,
    ) {
        let asked = AskForced {
            game,
            shard: self.shard,
            wanted,
            commands,
        };
        self.post.session(to, ToSession::Forced(Box::new(asked)));
    }

    /// A judge makes the user of a connection do something: that counts as theirs.
    pub(super) fn forced(&mut self, conn: ConnId, asked: AskForced) {
        let AskForced {
            game,
            shard,
            wanted,
            mut commands,
        } = asked;
        let texts = wanted.texts.into_iter();
        let forced = Forced {
            may_say: texts
                .map(|bytes| self.may_talk(conn, bytes as usize))
                .collect(),
        };
        commands.forced.insert(wanted.of, forced);
        self.tell_game(shard, game, ToGame::Commands(commands));
    }
}

/// Whether a player has to be asked before they are made to do that.
fn takes_something(body: &GameCommandBody<'_>) -> bool {
    matches!(body, GameCommandBody::GameSay(_))
}

/// Whether somebody may have to be asked before a container's commands are obeyed.
pub(super) fn may_force(container: &CommandContainer<'_>) -> bool {
    let mut bodies = container.game_command.iter();
    bodies.any(|command| matches!(command.body, Some(GameCommandBody::Judge(_))))
}
