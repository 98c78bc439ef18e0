//! A player as everybody is told of them (spec: faf-messages 5.3).

use bytes::Bytes;
use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::faf::model::{
    account::{Account, Avatar},
    ratings::{GLOBAL, LADDER, Rating as Skill},
    reference::RatingDefaults,
};

/// A player's object in `player_info` and `welcome` (spec: faf-messages 5.3). Null fields are left out.
#[derive(Serialize)]
pub(in crate::faf) struct Entry<'a> {
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

/// The object of a player who is there, changed to that of one who has just gone.
pub(in crate::faf) fn offline(text: &Bytes) -> Bytes {
    const RATINGS: &[u8] = br#","ratings":"#; // a quote within a text is escaped
    let mut found = text.windows(RATINGS.len());
    let Some(at) = found.position(|window| window == RATINGS) else {
        return text.clone();
    };
    let (before, after) = text.split_at(at);
    [before, br#","state":"offline""#, after].concat().into()
}

impl<'a> Entry<'a> {
    /// The object of a player who is there, or who has just gone.
    pub(in crate::faf) fn new(
        account: &'a Account,
        basis: RatingDefaults<'a>,
        online: bool,
    ) -> Self {
        let ratings = Ratings { account, basis };
        let global = ratings.of(GLOBAL);
        Entry {
            id: account.id,
            login: &account.login,
            avatar: account.avatar.as_deref(),
            country: account.country.code(),
            clan: account.clan.as_deref(),
            state: (!online).then_some("offline"),
            global_rating: global.rating,
            ladder_rating: ratings.of(LADDER).rating,
            number_of_games: global.number_of_games,
            ratings,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faf::{model::reference::Reference, protocol::message};

    #[test]
    fn who_is_lost_is_told_of_like_somebody_who_has_gone() {
        let basis = RatingDefaults {
            reference: &Reference::default(),
            start: Skill {
                mean: 1500.0,
                deviation: 500.0,
            },
        };
        let plain = Account {
            id: 7,
            login: r#"","ratings":"#.into(),
            ..Account::default()
        };
        let clan = Account {
            clan: Some("x\"".into()),
            ..plain.clone()
        };
        for account in [plain, clan] {
            let there = message::encode(&Entry::new(&account, basis, true));
            let gone = message::encode(&Entry::new(&account, basis, false));
            assert_eq!(offline(&there), gone);
        }
        assert_eq!(offline(&"{}".into()), "{}");
    }
}
