//! Reference data: what the tables say that nobody changes while playing (spec: faf-lifecycle 17).
//!
//! The back office loads it at the start and at every minute divisible by ten, and tells every shard by
//! [`News::Reference`](crate::faf::news::News::Reference). Until then a shard has none, and no game can be hosted.

use std::collections::BTreeSet;

use crate::faf::model::{account::Account, pools::QueueSetup, ratings::Rating};

/// Leaderboards, featured mods, ranked mods and matchmaking queues. Shared by all shards; replaced as a whole.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    /// In the order of their ids.
    pub leaderboards: Vec<Leaderboard>,
    /// In the order of their ids.
    pub featured_mods: Vec<FeaturedMod>,
    /// Uids of the sim mods that games may be rated with.
    pub ranked_mods: BTreeSet<String>,
    /// Enabled matchmaking queues with their map pools, in the order of their ids.
    pub queues: Vec<QueueSetup>,
}

/// A row of `leaderboard`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaderboard {
    /// `leaderboard.id`.
    pub id: u32,
    /// Technical name: the "rating type" of messages.
    pub name: String,
    /// Technical name of the leaderboard a new player's rating is taken from.
    pub initializer: Option<String>,
}

/// A row of `game_featuredMods`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeaturedMod {
    /// `game_featuredMods.id`.
    pub id: u32,
    /// Technical name, as in `game_host`.
    pub name: String,
}

/// A rating, and whether it is a stored one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Mean and deviation.
    pub rating: Rating,
    /// It was earned; otherwise it is only where the player would begin.
    pub stored: bool,
}

impl Reference {
    /// The leaderboard of this technical name.
    pub fn leaderboard(&self, name: &str) -> Option<&Leaderboard> {
        self.leaderboards.iter().find(|board| board.name == name)
    }

    /// The featured mod of this technical name.
    pub fn featured_mod(&self, name: &str) -> Option<&FeaturedMod> {
        self.featured_mods.iter().find(|known| known.name == name)
    }

    /// A player's rating in a leaderboard: the stored one, or where they begin. `stored` gives their stored ratings,
    /// `start` is the rating of somebody of whom nothing is known (spec: faf-ratings-results 6).
    pub fn standing(
        &self,
        name: &str,
        start: Rating,
        stored: impl Fn(&str) -> Option<Rating>,
    ) -> Standing {
        // Down the chain of initializers to a stored rating or to its end, then back up to the one that was asked for.
        let mut chain: Vec<&str> = vec![name];
        let mut standing = loop {
            let last = chain[chain.len() - 1];
            if let Some(rating) = stored(last) {
                chain.pop();
                break Standing {
                    rating,
                    stored: true,
                };
            }
            let initializer = self
                .leaderboard(last)
                .and_then(|board| board.initializer.as_deref());
            match initializer {
                Some(next) if !chain.contains(&next) => chain.push(next),
                // The end of the chain, or a cycle.
                _ => {
                    chain.clear();
                    break Standing {
                        rating: start,
                        stored: false,
                    };
                }
            }
        };
        if !chain.is_empty() {
            standing = Standing {
                rating: standing.rating.carried_over(),
                stored: false,
            };
        }
        standing
    }
}

/// What decides where a rating that is not stored begins.
#[derive(Clone, Copy, Debug)]
pub(in crate::faf) struct RatingDefaults<'a> {
    /// Reference data: which leaderboards there are.
    pub reference: &'a Reference,
    /// Of somebody of whom nothing is known.
    pub start: Rating,
}

impl RatingDefaults<'_> {
    /// A player's rating in a leaderboard: stored, or where it begins.
    pub(in crate::faf) fn standing(self, account: &Account, rating_type: &str) -> Standing {
        self.reference.standing(rating_type, self.start, |name| {
            let stored = account.ratings.iter().find(|r| r.leaderboard == name)?;
            Some(Rating {
                mean: stored.mean,
                deviation: stored.deviation,
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(id: u32, name: &str, initializer: Option<&str>) -> Leaderboard {
        Leaderboard {
            id,
            name: name.into(),
            initializer: initializer.map(str::to_owned),
        }
    }

    fn reference() -> Reference {
        Reference {
            leaderboards: vec![
                board(1, "global", None),
                board(2, "ladder_1v1", None),
                board(3, "tmm_2v2", Some("global")),
                board(4, "tmm_4v4", Some("tmm_2v2")),
                board(5, "snake", Some("tail")),
                board(6, "tail", Some("snake")),
            ],
            ..Reference::default()
        }
    }

    fn at(name: &str, stored: &[(&str, f64, f64)]) -> (f64, f64, bool) {
        let standing = reference().standing(name, Rating::START, |wanted| {
            let found = stored.iter().find(|(board, ..)| *board == wanted);
            found.map(|&(_, mean, deviation)| Rating { mean, deviation })
        });
        let Rating { mean, deviation } = standing.rating;
        (mean, deviation, standing.stored)
    }

    // checklist: faf 463
    #[test]
    fn ratings_begin_where_the_initializer_says() {
        let tmm = |stored| (at("tmm_2v2", stored), at("tmm_4v4", stored));
        assert_eq!(
            tmm(&[("global", 2000.0, 125.0)]),
            ((2000.0, 250.0, false), (2000.0, 250.0, false))
        );
        assert_eq!(
            tmm(&[("global", 2000.0, 75.0)]),
            ((2000.0, 225.0, false), (2000.0, 225.0, false))
        );
        assert_eq!(tmm(&[("global", 2000.0, 260.0)]).0, (2000.0, 260.0, false));
        assert_eq!(
            tmm(&[("tmm_2v2", 1700.0, 90.0)]),
            ((1700.0, 90.0, true), (1700.0, 240.0, false))
        );
        assert_eq!(at("tmm_4v4", &[]), (1500.0, 500.0, false));
        assert_eq!(at("ladder_1v1", &[]), (1500.0, 500.0, false));
    }

    #[test]
    fn a_cycle_or_an_unknown_board_begins_at_the_default() {
        assert_eq!(
            at("snake", &[("global", 2000.0, 75.0)]),
            (1500.0, 500.0, false)
        );
        assert_eq!(
            at("snake", &[("tail", 1000.0, 75.0)]),
            (1000.0, 225.0, false)
        );
        assert_eq!(at("nobody's", &[]), (1500.0, 500.0, false));
    }
}
