//! What an operator sees of players on other nodes.

use std::net::{IpAddr, Ipv4Addr};

use serde::Deserialize;

use crate::{
    faf::directory::{Directory, players::PlayerEntry},
    operator::{Found, Mark, Page, Player, Query, Row},
};

/// What is read of a player's object.
#[derive(Deserialize)]
struct Named {
    login: String,
}

impl Directory {
    /// A page of those who are on other nodes than this, from the last place on: whoever goes leaves theirs to the last one, so
    /// that nobody is passed over.
    pub(in crate::faf) fn page_elsewhere(&self, query: &Query, own: u8) -> Found {
        let mut page = Page::of(query);
        let end = match query.from {
            Mark::Start => u64::MAX,
            _ => query.from.number(),
        };
        let players = self.picture.players.numbered().rev();
        for (place, player) in players.skip_while(|(place, _)| *place >= end) {
            let row = || self.row_elsewhere(player, own);
            if !page.look(|| Mark::Number(place + 1), row) {
                break;
            }
        }
        page.found()
    }

    fn row_elsewhere(&self, player: &PlayerEntry, own: u8) -> Option<Row> {
        if player.conn.shard.node() == own {
            return None;
        }
        let text = self.picture.text_of(player.id)?;
        let named: Named = serde_json::from_slice(&text).ok()?;
        Some(Row::Player(Player {
            conn: player.conn,
            id: Some(player.id.into()),
            name: named.login,
            // Their own node knows.
            address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            since: 0,
            state: String::new(),
            game: None,
            client: None,
        }))
    }
}
