//! Getting into games (spec: faf-messages 3.7 to 3.9).

use crate::faf::{
    model::{game::Creation, limits, options},
    protocol::{
        incoming::{
            Incoming,
            fields::{cut, optional_float, optional_text, password, required_integer},
        },
        request::{Outcome, Refusal},
    },
};
use wire::json::Value;

/// The mod and the map of whoever names none.
const MOD: &str = "faf";
const MAP: &str = "scmp_007";

/// `game_host` (spec: faf-messages 3.7).
#[derive(Debug)]
pub(in crate::faf) struct GameHost<'d> {
    friends_only: bool,
    /// None: after the host.
    title: Option<&'d str>,
    /// Everything else. What is wrong with it counts only if the title is good.
    setup: Outcome<Setup>,
}

/// What a game is to be like.
#[derive(Debug)]
struct Setup {
    featured_mod: Box<str>,
    folder: Box<str>,
    password: Option<String>,
    rating_min: Option<f64>,
    rating_max: Option<f64>,
    enforce_rating_range: bool,
}

impl<'d> Incoming<'d> for GameHost<'d> {
    fn read(message: Value<'d>) -> Outcome<Self> {
        let friends_only = match message.get("visibility").and_then(|v| v.as_str()) {
            Some("public") => false,
            Some("friends") => true,
            _ => return Err(Refusal::Garbage),
        };
        Ok(GameHost {
            friends_only,
            title: optional_text(message, "title")?,
            setup: Setup::read(message),
        })
    }
}

impl GameHost<'_> {
    /// The game that a player of this name wants, checked in the order of the fields.
    pub(in crate::faf) fn creation(self, login: &str) -> Outcome<Box<Creation>> {
        let default_title;
        let wanted = match self.title {
            Some(text) => text,
            None => {
                default_title = format!("{login}'s game");
                &default_title
            }
        };
        if !wanted.is_ascii() {
            return Err(Refusal::client("Title must contain only ascii characters."));
        }
        let title = options::title(wanted).ok_or(Refusal::client("Title must not be empty."))?;
        let setup = self.setup?;
        Ok(Box::new(Creation {
            title: title.into(),
            featured_mod: setup.featured_mod,
            folder: setup.folder,
            friends_only: self.friends_only,
            password: setup.password,
            rating_min: setup.rating_min,
            rating_max: setup.rating_max,
            enforce_rating_range: setup.enforce_rating_range,
        }))
    }
}

impl Setup {
    fn read(message: Value<'_>) -> Outcome<Self> {
        let featured_mod = optional_text(message, "mod")?.unwrap_or(MOD);
        let featured_mod = match options::printable(featured_mod) {
            none if none.is_empty() => MOD.to_owned(),
            name => name.to_lowercase(),
        };
        let folder = options::folder(optional_text(message, "mapname")?.unwrap_or(MAP));
        let folder = folder.as_deref().unwrap_or(MAP);
        Ok(Setup {
            featured_mod: cut(&featured_mod, limits::FIELD_BYTES).into(),
            folder: cut(folder, limits::FIELD_BYTES).into(),
            password: password(message),
            rating_min: optional_float(message, "rating_min")?,
            rating_max: optional_float(message, "rating_max")?,
            enforce_rating_range: message
                .get("enforce_rating_range")
                .is_some_and(|v| v.truthy()),
        })
    }
}

/// `game_join` (spec: faf-messages 3.8).
#[derive(Debug)]
pub(in crate::faf) struct GameJoin {
    /// Of the game. What is wrong with it counts only for who is not banned.
    pub uid: Outcome<i64>,
    pub password: Option<String>,
}

impl Incoming<'_> for GameJoin {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(GameJoin {
            uid: required_integer(message, "uid"),
            password: password(message),
        })
    }
}

/// `restore_game_session` (spec: faf-messages 3.9).
#[derive(Debug)]
pub(in crate::faf) struct RestoreGameSession {
    pub game_id: i64,
}

impl Incoming<'_> for RestoreGameSession {
    fn read(message: Value<'_>) -> Outcome<Self> {
        Ok(RestoreGameSession {
            game_id: required_integer(message, "game_id")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use wire::json::JsonReader;

    use super::*;
    use crate::faf::protocol::incoming::Message;

    fn host(login: &str, fields: &str) -> Outcome<Box<Creation>> {
        let mut text = format!(r#"{{"command":"game_host"{fields}}}"#).into_bytes();
        let mut reader = JsonReader::new();
        let doc = reader.parse(&mut text).expect("JSON");
        let wanted: GameHost<'_> = Message::of(&doc)?.read()?;
        wanted.creation(login)
    }

    // Of several faults the first in the order of checks decides, also where the title is made of the host's name.
    #[test]
    fn what_is_wrong_with_a_game_is_found_in_order() {
        let ascii = || Refusal::client("Title must contain only ascii characters.");
        let empty = || Refusal::client("Title must not be empty.");
        for (login, fields, refusal) in [
            ("a", r#""title":1"#, Refusal::Garbage),
            ("a", r#""visibility":"all","title":1"#, Refusal::Garbage),
            ("a", r#""visibility":"public","title":1"#, Refusal::Invalid),
            ("a", r#""visibility":"public","title":"é","mod":1"#, ascii()),
            ("é", r#""visibility":"public","mod":1"#, ascii()),
            ("é", r#""visibility":"public","title":1"#, Refusal::Invalid),
            ("a", r#""visibility":"public","title":" ","mod":1"#, empty()),
            (
                "a",
                r#""visibility":"friends","rating_min":"x","rating_max":[]"#,
                Refusal::Garbage,
            ),
            (
                "a",
                r#""visibility":"friends","mapname":[1],"rating_min":"x""#,
                Refusal::Invalid,
            ),
        ] {
            let refused = host(login, &format!(",{fields}")).err();
            assert_eq!(refused, Some(refusal), "{login} {fields}");
        }
        let game = host("a", r#","visibility":"public""#).expect("all else has a default");
        assert_eq!((&*game.title, &*game.featured_mod), ("a's game", MOD));
        assert_eq!((&*game.folder, game.password), (MAP, None));
    }
}
