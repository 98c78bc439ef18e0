//! A player who is logged in: what is known about them and how it is written.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::{
    Faf, FafTurn,
    matchmaking::Veto,
    message,
    questions::{Account, Avatar, Relation, StoredRating},
    rated_game::RatingChange,
    ratings::Rating as Skill,
    reference::{Reference, Standing},
};

/// Leaderboard that everybody has.
pub(super) const GLOBAL: &str = "global";
/// The other one.
pub(super) const LADDER: &str = "ladder_1v1";

/// A logged-in player, on the shard of their connection.
#[derive(Debug)]
pub(super) struct Player {
    /// As loaded at login, kept up to date; the groups are dropped once they are used.
    pub account: Account,
    /// Of their claim.
    pub epoch: u64,
    /// Maps they do not want to play (N#1033).
    pub vetoes: Box<[Veto]>,
    /// The match that was found for them last; 0: none so far.
    pub match_id: u64,
    /// Counts how often their avatar was changed.
    pub selections: u32,
}

/// What decides where a rating that is not stored begins.
#[derive(Clone, Copy, Debug)]
pub(super) struct RatingDefaults<'a> {
    /// Reference data: which leaderboards there are.
    pub reference: &'a Reference,
    /// Of somebody of whom nothing is known.
    pub start: Skill,
}

impl RatingDefaults<'_> {
    /// A player's rating in a leaderboard: stored, or where it begins.
    pub(super) fn standing(self, account: &Account, rating_type: &str) -> Standing {
        self.reference.standing(rating_type, self.start, |name| {
            let stored = account.ratings.iter().find(|r| r.leaderboard == name)?;
            Some(Skill {
                mean: stored.mean,
                deviation: stored.deviation,
            })
        })
    }
}

impl Player {
    /// Mean minus three deviations (spec: faf-lifecycle 9).
    pub(super) fn displayed(&self, rating_type: &str, basis: RatingDefaults<'_>) -> f64 {
        basis
            .standing(&self.account, rating_type)
            .rating
            .displayed()
    }

    /// How many games of a rating type they have played.
    pub(super) fn games(&self, rating_type: &str) -> u32 {
        let stored = self.account.ratings.iter();
        let mut of_type = stored.filter(|r| r.leaderboard == rating_type);
        of_type.next().map_or(0, |r| r.games)
    }

    /// Puts a subject on a list, or on none.
    pub(super) fn relate(&mut self, subject: u32, relation: Option<Relation>) {
        relate(
            &mut self.account.friends,
            &mut self.account.foes,
            subject,
            relation,
        );
    }
}

/// Takes over a rating that has changed by a game.
pub(super) fn rated(account: &mut Account, change: &RatingChange) {
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

impl Faf {
    /// Ratings have changed; this shard's players among them learn it at the next tick.
    pub(super) fn rated(&mut self, turn: &mut FafTurn<'_>, changes: &[RatingChange]) {
        // Somebody whose login is on its way was read from the store before.
        for session in self.sessions.iter_mut() {
            if let Some(claiming) = session.claiming.as_deref_mut() {
                let id = claiming.account.id;
                for change in changes.iter().filter(|change| change.player_id == id) {
                    rated(&mut claiming.account, change);
                }
            }
        }
        for change in changes {
            self.coordinator.matchmaker.rated(change);
            let known = self
                .directory
                .player(change.player_id)
                .map(|player| player.conn);
            let Some(session) = known
                .filter(|conn| conn.shard == turn.shard)
                .and_then(|conn| self.sessions.get_mut(conn))
            else {
                continue;
            };
            let Some(player) = session
                .player
                .as_deref_mut()
                .filter(|p| p.account.id == change.player_id)
            else {
                continue;
            };
            rated(&mut player.account, change);
            let basis = RatingDefaults {
                reference: &self.reference,
                start: self.settings.start_rating,
            };
            let text = message::encode(&Entry::new(&player.account, basis, true));
            let (id, epoch) = (player.account.id, player.epoch);
            self.directory.player_text(id, epoch, text);
            self.tick.player_dirty(id, epoch, None);
        }
    }
}

/// Puts a subject on one of two lists, or on none.
pub(super) fn relate(
    friends: &mut Vec<u32>,
    foes: &mut Vec<u32>,
    subject: u32,
    relation: Option<Relation>,
) {
    friends.retain(|&id| id != subject);
    foes.retain(|&id| id != subject);
    match relation {
        Some(Relation::Friend) => friends.push(subject),
        Some(Relation::Foe) => foes.push(subject),
        None => {}
    }
}

/// `autojoin` and `power` (spec: faf-messages 5.4).
pub(super) fn channels_and_power(account: &Account) -> (Vec<String>, u8) {
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

/// A player's object in `player_info` and `welcome` (spec: faf-messages 5.3). Null fields are left out.
#[derive(Serialize)]
pub(super) struct Entry<'a> {
    id: u32,
    login: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    avatar: Option<&'a Avatar>,
    country: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    clan: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    ratings: Ratings<'a>,
    global_rating: [Number; 2],
    ladder_rating: [Number; 2],
    number_of_games: u32,
}

/// Defaults are whole numbers on the wire, stored ratings are floats (spec: faf-observed, Login).
#[derive(Clone, Copy, Serialize)]
#[serde(untagged)]
enum Number {
    Whole(u32),
    Real(f64),
}

impl Number {
    fn whole_if_possible(number: f64) -> Number {
        if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
            Number::Whole(number as u32)
        } else {
            Number::Real(number)
        }
    }
}

#[derive(Serialize)]
struct Rating {
    rating: [Number; 2],
    number_of_games: u32,
}

struct Ratings<'a> {
    account: &'a Account,
    basis: RatingDefaults<'a>,
}

impl Ratings<'_> {
    fn of(&self, name: &str) -> Rating {
        let stored = self.account.ratings.iter().find(|r| r.leaderboard == name);
        if let Some(r) = stored {
            return Rating {
                rating: [Number::Real(r.mean), Number::Real(r.deviation)],
                number_of_games: r.games,
            };
        }
        let Skill { mean, deviation } = self.basis.standing(self.account, name).rating;
        let number = if mean == self.basis.start.mean {
            Number::whole_if_possible
        } else {
            Number::Real
        };
        Rating {
            rating: [number(mean), number(deviation)],
            number_of_games: 0,
        }
    }
}

impl Serialize for Ratings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for name in [GLOBAL, LADDER] {
            map.serialize_entry(name, &self.of(name))?;
        }
        let stored = self.account.ratings.iter().map(|r| &*r.leaderboard);
        let is_stored = |name: &str| self.account.ratings.iter().any(|r| r.leaderboard == name);
        let opened = self.account.opened.iter().map(|name| &**name);
        for name in stored.chain(opened.filter(|name| !is_stored(name))) {
            if name != GLOBAL && name != LADDER {
                map.serialize_entry(name, &self.of(name))?;
            }
        }
        map.end()
    }
}

impl<'a> Entry<'a> {
    /// The object of a player who is there, or who has just gone.
    pub(super) fn new(account: &'a Account, basis: RatingDefaults<'a>, online: bool) -> Self {
        let ratings = Ratings { account, basis };
        let global = ratings.of(GLOBAL);
        Entry {
            id: account.id,
            login: &account.login,
            avatar: account.avatar.as_deref(),
            country: &account.country,
            clan: account.clan.as_deref(),
            state: (!online).then_some("offline"),
            global_rating: global.rating,
            ladder_rating: ratings.of(LADDER).rating,
            number_of_games: global.number_of_games,
            ratings,
        }
    }
}
