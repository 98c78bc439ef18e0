//! What a judge has players do that takes something of theirs, such as what they may say in a while, or a stored deck (spec:
//! cockatrice-table 11).
//!
//! A player's shard knows what they have: so the judge's container goes there before the game handles it, from one player of whom it
//! wants something to the next, and then back. The judge waits in the meantime; nobody else does.

use std::collections::{BTreeMap, BTreeSet};

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
        let mut wanted = Wanted {
            of,
            texts: Vec::new(),
            decks: BTreeSet::new(),
        };
        for (_, body) in forced.iter().filter(|(id, _)| *id == of) {
            match body {
                GameCommandBody::GameSay(say) => {
                    let bytes = say.message.as_deref().map_or(0, <[u8]>::len);
                    wanted.texts.push(u32::try_from(bytes).unwrap_or(u32::MAX));
                }
                GameCommandBody::DeckSelect(select) => wanted.decks.extend(select.deck_id),
                _ => {}
            }
        }
        Some((conn, wanted))
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

    /// A judge makes the user of a connection do something: what they say counts as theirs, and decks are theirs.
    pub(super) fn forced(&mut self, conn: ConnId, mut asked: AskForced) {
        let texts = std::mem::take(&mut asked.wanted.texts).into_iter();
        let forced = Forced {
            may_say: texts
                .map(|bytes| self.may_talk(conn, bytes as usize))
                .collect(),
            decks: BTreeMap::new(),
        };
        asked.commands.forced.insert(asked.wanted.of, forced);
        let user = self.user(conn);
        let account = user.and_then(|user| user.account.as_ref());
        let owner = account.map(|account| account.id);
        self.fetch_forced(owner, Box::new(asked));
    }

    /// Has the next of the decks fetched that somebody is to select; then the container goes back.
    pub(super) fn fetch_forced(&mut self, owner: Option<u32>, mut asked: Box<AskForced>) {
        let decks = &mut asked.wanted.decks;
        match owner.and_then(|owner| Some((owner, decks.pop_first()?))) {
            Some((owner, id)) => self.ask_forced_deck(owner, id, asked),
            None => {
                let AskForced {
                    game,
                    shard,
                    commands,
                    ..
                } = *asked;
                self.tell_game(shard, game, ToGame::Commands(commands));
            }
        }
    }
}

/// Whether a player has to be asked before they are made to do that.
fn takes_something(body: &GameCommandBody<'_>) -> bool {
    match body {
        GameCommandBody::GameSay(_) => true,
        GameCommandBody::DeckSelect(select) => select.deck_id.is_some(),
        _ => false,
    }
}

/// Whether somebody may have to be asked before a container's commands are obeyed.
pub(super) fn may_force(container: &CommandContainer<'_>) -> bool {
    let mut bodies = container.game_command.iter();
    bodies.any(|command| matches!(command.body, Some(GameCommandBody::Judge(_))))
}
