//! The card art of a profile, as clients set it and as it is stored (spec: cockatrice-behaviour 3.3, 18.1).

use serde::{Deserialize, Serialize};

use crate::{
    art::{self, Range, ZOOM, is_long},
    messages::{CardArtParams, CommandSetCardArtParams},
};

const LEFT: Range = art::margin(0.33);
const RIGHT: Range = art::margin(0.02);
const OFFSET: Range = art::offset(0.35);

/// A card's art, and which part of it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardArt {
    card_name: Box<str>,
    provider_id: Box<str>,
    margin_left: f64,
    margin_right: f64,
    vertical_offset: f64,
    zoom: f64,
}

/// The document in the column `card_art_params`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored<'a> {
    #[serde(rename = "card_name", default)]
    card_name: std::borrow::Cow<'a, str>,
    #[serde(rename = "card_provider_id", default)]
    provider_id: std::borrow::Cow<'a, str>,
    margin_pct_l: Option<f64>,
    margin_pct_r: Option<f64>,
    vertical_offset: Option<f64>,
    zoom: Option<f64>,
}

impl CardArt {
    /// What a client sets, brought into range. A number that is missing is 0 here, and a card without a name takes the art away:
    /// `Some(None)`. `None` if a name is too long (`RespInvalidData`).
    pub fn from_command(command: &CommandSetCardArtParams<'_>) -> Option<Option<CardArt>> {
        let (card_name, provider_id) = (command.card_name(), command.card_provider_id());
        if is_long(&card_name) || is_long(&provider_id) {
            return None;
        }
        if card_name.is_empty() {
            return Some(None);
        }
        let number = |range: &Range, number: Option<f64>| range.of(number.or(Some(0.0)));
        Some(Some(CardArt {
            card_name: card_name.into(),
            provider_id: provider_id.into(),
            margin_left: number(&LEFT, command.margin_pct_l),
            margin_right: number(&RIGHT, command.margin_pct_r),
            vertical_offset: number(&OFFSET, command.vertical_offset),
            zoom: number(&ZOOM, command.zoom),
        }))
    }

    /// The art of a stored document; none if it is not one, or names no card.
    pub fn from_stored(document: &str) -> Option<CardArt> {
        let stored: Stored<'_> = serde_json::from_str(document).ok()?;
        if stored.card_name.is_empty() {
            return None;
        }
        Some(CardArt {
            card_name: stored.card_name.into(),
            provider_id: stored.provider_id.into(),
            margin_left: LEFT.of(stored.margin_pct_l),
            margin_right: RIGHT.of(stored.margin_pct_r),
            vertical_offset: OFFSET.of(stored.vertical_offset),
            zoom: ZOOM.of(stored.zoom),
        })
    }

    /// The document to store.
    pub fn to_stored(&self) -> String {
        let stored = Stored {
            card_name: (&*self.card_name).into(),
            provider_id: (&*self.provider_id).into(),
            margin_pct_l: Some(self.margin_left),
            margin_pct_r: Some(self.margin_right),
            vertical_offset: Some(self.vertical_offset),
            zoom: Some(self.zoom),
        };
        serde_json::to_string(&stored).expect("texts and finite numbers are always JSON")
    }

    /// As records of users have it.
    pub fn params(&self) -> CardArtParams<'_> {
        CardArtParams {
            card_name: Some((*self.card_name).into()),
            card_provider_id: Some((*self.provider_id).into()),
            margin_pct_l: Some(self.margin_left),
            margin_pct_r: Some(self.margin_right),
            vertical_offset: Some(self.vertical_offset),
            zoom: Some(self.zoom),
        }
    }

    /// The card's name, by which an operator may refuse it.
    pub fn card_name(&self) -> &str {
        &self.card_name
    }

    /// The printing's id, likewise.
    pub fn provider_id(&self) -> &str {
        &self.provider_id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command() -> CommandSetCardArtParams<'static> {
        CommandSetCardArtParams {
            card_name: Some("Forest".into()),
            card_provider_id: Some("p1".into()),
            margin_pct_l: Some(2.0),
            margin_pct_r: Some(0.1),
            vertical_offset: Some(-1.0),
            zoom: Some(9.0),
        }
    }

    #[test]
    fn numbers_are_brought_into_range() {
        let art = CardArt::from_command(&command()).flatten().expect("art");
        let told = art.params();
        assert_eq!(
            (told.margin_pct_l, told.margin_pct_r),
            (Some(0.95), Some(0.1))
        );
        assert_eq!((told.vertical_offset, told.zoom), (Some(0.0), Some(4.0)));
        let bare = CommandSetCardArtParams {
            card_name: Some("Forest".into()),
            ..CommandSetCardArtParams::default()
        };
        let art = CardArt::from_command(&bare).flatten().expect("art");
        assert_eq!((art.margin_left, art.zoom), (0.0, 0.1));
    }

    #[test]
    fn long_names_are_refused_and_empty_ones_take_the_art_away() {
        let mut long = command();
        long.card_provider_id = Some("p".repeat(256).into());
        assert_eq!(CardArt::from_command(&long), None);
        let mut removal = command();
        removal.card_name = Some("".into());
        assert_eq!(CardArt::from_command(&removal), Some(None));
    }

    #[test]
    fn it_is_stored_as_the_reference_stores_it() {
        let art = CardArt::from_command(&command()).flatten().expect("art");
        let stored = art.to_stored();
        assert_eq!(
            stored,
            r#"{"card_name":"Forest","card_provider_id":"p1","marginPctL":0.95,"marginPctR":0.1,"verticalOffset":0.0,"zoom":4.0}"#
        );
        assert_eq!(CardArt::from_stored(&stored), Some(art));
        let bare = CardArt::from_stored(r#"{"card_name":"A","new":[1]}"#).expect("art");
        let told = bare.params();
        assert_eq!(
            (told.margin_pct_l, told.margin_pct_r),
            (Some(0.33), Some(0.02))
        );
        assert_eq!((told.vertical_offset, told.zoom), (Some(0.35), Some(1.0)));
        for none in ["", "null", "{}", "[1]", r#"{"card_name":3}"#] {
            assert_eq!(CardArt::from_stored(none), None, "{none}");
        }
    }
}
