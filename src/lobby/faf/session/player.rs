//! A player who is logged in: what is known about them and how it is written.

use serde::{Deserialize, Serialize};
use thin_vec::ThinVec;

use crate::faf::{
    model::{
        account::{Account, Relation, StoredRating, relate},
        reference::RatingDefaults,
        time::whole_seconds,
    },
    rules::{matchmaking::Veto, rated_game::RatingChange},
};

/// A logged-in player, on the shard of their connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Player {
    /// As loaded at login, kept up to date; the groups are dropped once they are used.
    pub account: Account,
    /// Of their claim.
    pub epoch: u64,
    /// Maps they do not want to play (N#1033).
    pub vetoes: ThinVec<Veto>,
    /// The match that was found for them last; 0: none so far.
    pub match_id: u64,
    /// When they have signed in, Unix.
    #[serde(default, rename = "since", with = "whole_seconds")]
    pub since_s: u64,
    /// Counts how often their avatar was changed.
    pub selections: u32,
}

impl Player {
    /// Mean minus three deviations (spec: faf-lifecycle 9).
    pub(in crate::faf) fn displayed(&self, rating_type: &str, basis: RatingDefaults<'_>) -> f64 {
        basis
            .standing(&self.account, rating_type)
            .rating
            .displayed()
    }

    /// How many games of a rating type they have played.
    pub(in crate::faf) fn games(&self, rating_type: &str) -> u32 {
        let stored = self.account.ratings.iter();
        let mut of_type = stored.filter(|r| r.leaderboard == rating_type);
        of_type.next().map_or(0, |r| r.games)
    }

    /// Puts a subject on a list, or on none.
    pub(in crate::faf) fn relate(&mut self, subject: u32, relation: Option<Relation>) {
        relate(
            &mut self.account.friends,
            &mut self.account.foes,
            subject,
            relation,
        );
    }
}

/// Takes over a rating that has changed by a game.
pub(in crate::faf) fn rated(account: &mut Account, change: &RatingChange) {
    let mut stored = account.ratings.iter_mut();
    if let Some(rating) = stored.find(|r| *r.leaderboard == *change.rating_type) {
        (rating.mean, rating.deviation) = (change.new.mean, change.new.deviation);
        rating.games += 1;
    } else {
        account.ratings.push(StoredRating {
            leaderboard: change.rating_type.to_string(),
            mean: change.new.mean,
            deviation: change.new.deviation,
            games: 1,
        });
    }
}

/// `autojoin` and `power` (spec: faf-messages 5.4).
pub(in crate::faf) fn channels_and_power(account: &Account) -> (Vec<String>, u8) {
    let in_group = |name: &str| account.groups.iter().any(|g| g == name);
    let moderator = in_group("faf_moderators_global");
    let mut channels = Vec::new();
    if moderator {
        channels.push("#moderators".to_owned());
    }
    if let Some(clan) = &account.clan {
        channels.push(format!("#{clan}_clan"));
    }
    let power = if in_group("faf_server_administrators") {
        2
    } else {
        u8::from(moderator)
    };
    (channels, power)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// There is one for everybody who is online; the allocator has pieces of 128 bytes, and the next larger ones are 160.
    #[test]
    fn a_player_is_small() {
        assert!(size_of::<Player>() <= 128, "{} bytes", size_of::<Player>());
    }
}
