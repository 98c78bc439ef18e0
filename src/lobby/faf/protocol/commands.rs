//! Commands of clients that say more than one thing, and how they are read.

use crate::faf::{
    model::{account::Relation, game::Creation, limits, options},
    protocol::request::{self, Outcome, Refusal},
    rules::matchmaking::Veto,
};
use wire::json::Value;

/// The mod and the map of whoever names none.
const MOD: &str = "faf";
const MAP: &str = "scmp_007";

/// `game_host` of a player of this name: the fields in the order of their checks (spec: faf-messages 3.7).
pub(in crate::faf) fn game_host(message: Value<'_>, login: &str) -> Outcome<Box<Creation>> {
    let friends_only = match message.get("visibility").and_then(|v| v.as_str()) {
        Some("public") => false,
        Some("friends") => true,
        _ => return Err(Refusal::Garbage),
    };
    let default_title;
    let wanted = match request::optional_text(message, "title")? {
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
    let text = |key: &str, default: &'static str| -> Outcome<&str> {
        Ok(request::optional_text(message, key)?.unwrap_or(default))
    };
    let cut = |mut text: String| -> Box<str> {
        request::cut(&mut text, limits::FIELD_BYTES);
        text.into()
    };
    let featured_mod = match options::printable(text("mod", MOD)?) {
        none if none.is_empty() => MOD.to_owned(),
        name => name.to_lowercase(),
    };
    let folder = options::folder(text("mapname", MAP)?);
    let creation = Creation {
        title: title.into(),
        featured_mod: cut(featured_mod),
        folder: cut(folder.unwrap_or_else(|| MAP.to_owned())),
        friends_only,
        password: request::password(message),
        rating_min: request::optional_float(message, "rating_min")?,
        rating_max: request::optional_float(message, "rating_max")?,
        enforce_rating_range: message
            .get("enforce_rating_range")
            .is_some_and(|v| v.truthy()),
    };
    Ok(Box::new(creation))
}

/// `social_add`, `social_remove`: who is meant, and as what; `friend` wins. An id that no player can have is `None`.
pub(in crate::faf) fn social(message: Value<'_>) -> Outcome<Option<(Option<u32>, Relation)>> {
    let (value, relation) = match (message.get("friend"), message.get("foe")) {
        (Some(value), _) => (value, Relation::Friend),
        (None, Some(value)) => (value, Relation::Foe),
        (None, None) => return Ok(None),
    };
    Ok(Some((
        u32::try_from(request::integer(value)?).ok(),
        relation,
    )))
}

/// `set_player_vetoes`; `None` if anything about the list is wrong (spec: faf-messages 3.11).
pub(in crate::faf) fn set_player_vetoes(message: Value<'_>) -> Option<Vec<Veto>> {
    let list = message.get("vetoes").filter(|list| list.is_array())?;
    if list.elements().count() > limits::VETOES {
        return None;
    }
    let veto = |element: Value<'_>| {
        let number = |key: &str| element.get(key)?.as_i64();
        let veto = Veto {
            map_pool_map_version_id: number("map_pool_map_version_id")?,
            veto_tokens_applied: number("veto_tokens_applied")?,
            matchmaker_queue_map_pool_id: number("matchmaker_queue_map_pool_id")?,
        };
        (veto.veto_tokens_applied >= 0).then_some(veto)
    };
    list.elements().map(veto).collect()
}
