//! What an operator sees of the games of this shard.

use crate::{
    faf::game::{
        games::{Games, state_name},
        state::Game,
    },
    operator::{self, Found, Mark, Page, Query, Row},
};

impl Games {
    /// A page of them, in the order of their numbers. The numbers of all are looked through, which is little beside a game.
    pub(in crate::faf) fn page(&self, query: &Query) -> Found {
        let from = query.from.number();
        let numbers = self.games.keys().copied();
        let mut uids: Vec<u32> = numbers.filter(|&uid| u64::from(uid) >= from).collect();
        uids.sort_unstable();
        let mut page = Page::of(query);
        for uid in uids {
            let row = || {
                let game = self.games.get(&uid)?;
                (!game.removed).then(|| shown(game))
            };
            if !page.look(|| Mark::Number(uid.into()), row) {
                break;
            }
        }
        page.found()
    }
}

fn shown(game: &Game) -> Row {
    let since = game.launched_at.or(game.hosted_at);
    Row::Game(operator::Game {
        id: game.uid.to_string(),
        title: game.creation.title.to_string(),
        host: game.host_login.to_string(),
        state: state_name(game.state).to_owned(),
        players: game.members.len() as u32,
        seats: u32::try_from(game.max_players).ok(),
        map: Some(game.creation.folder.to_string()),
        variant: Some(game.creation.featured_mod.to_string()),
        since: since.map(|at| at.as_secs()),
    })
}
