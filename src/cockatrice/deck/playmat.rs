//! The picture below a player's cards: a card's art, and which part of it (spec: cockatrice-table 4.2, 4.5).

use serde::{Deserialize, Serialize};

use crate::{
    art::{self, Range, ZOOM, is_long},
    messages::PlaymatParams,
};

const MARGIN: Range = art::margin(0.07);
const OFFSET: Range = art::offset(0.33);

/// A card's art, and which part of it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Playmat {
    card_name: Box<str>,
    provider_id: Box<str>,
    margin_left: f64,
    margin_right: f64,
    vertical_offset: f64,
    zoom: f64,
}

impl Default for Playmat {
    /// None: what is told of a deck without a playmat.
    fn default() -> Self {
        Playmat {
            card_name: Box::default(),
            provider_id: Box::default(),
            margin_left: MARGIN.missing,
            margin_right: MARGIN.missing,
            vertical_offset: OFFSET.missing,
            zoom: ZOOM.missing,
        }
    }
}

impl Playmat {
    /// What a player sets; numbers are brought into their ranges. `None` if a name is too long (`RespInvalidData`).
    pub fn from_params(params: &PlaymatParams<'_>) -> Option<Playmat> {
        let (card_name, provider_id) = (params.card_name(), params.card_provider_id());
        if is_long(&card_name) || is_long(&provider_id) {
            return None;
        }
        Some(Playmat {
            card_name: card_name.into(),
            provider_id: provider_id.into(),
            margin_left: MARGIN.of(params.margin_pct_l),
            margin_right: MARGIN.of(params.margin_pct_r),
            vertical_offset: OFFSET.of(params.vertical_offset),
            zoom: ZOOM.of(params.zoom),
        })
    }

    /// As it is told: all six fields.
    pub fn params(&self) -> PlaymatParams<'_> {
        PlaymatParams {
            card_name: Some((*self.card_name).into()),
            card_provider_id: Some((*self.provider_id).into()),
            margin_pct_l: Some(self.margin_left),
            margin_pct_r: Some(self.margin_right),
            vertical_offset: Some(self.vertical_offset),
            zoom: Some(self.zoom),
        }
    }

    /// The card's name; only a playmat that is none has an empty one.
    pub fn card_name(&self) -> &str {
        &self.card_name
    }

    /// Takes over an attribute of a file.
    pub(super) fn set_attribute(&mut self, name: &str, value: String) {
        match name {
            "providerId" => self.provider_id = value.into(),
            "marginPctL" => self.margin_left = read(&MARGIN, &value),
            "marginPctR" => self.margin_right = read(&MARGIN, &value),
            "verticalOffset" => self.vertical_offset = read(&OFFSET, &value),
            "zoom" => self.zoom = read(&ZOOM, &value),
            _ => {}
        }
    }

    /// The name, which a file has after the attributes.
    pub(super) fn named(mut self, card_name: String) -> Playmat {
        self.card_name = card_name.into();
        self
    }

    /// Its attributes in a file, in their order.
    pub(super) fn attributes(&self) -> [(&'static str, String); 5] {
        let decimals = |number: f64| format!("{number:.4}");
        [
            ("providerId", self.provider_id.to_string()),
            ("marginPctL", decimals(self.margin_left)),
            ("marginPctR", decimals(self.margin_right)),
            ("verticalOffset", decimals(self.vertical_offset)),
            ("zoom", decimals(self.zoom)),
        ]
    }
}

fn read(range: &Range, text: &str) -> f64 {
    range.of(text.trim().parse().ok())
}
