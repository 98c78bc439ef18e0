//! The deck that a player brings to the next round.

use serde::{Deserialize, Serialize};

use crate::{deck::Deck, messages::PlaymatParams};

/// A deck that was selected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Selected {
    pub(super) deck: Deck,
    /// The eight characters it is compared by.
    pub(super) hash: Box<str>,
}

impl Selected {
    /// All six fields, of a deck without a playmat too.
    pub(super) fn playmat(&self) -> PlaymatParams<'_> {
        if let Some(playmat) = self.deck.playmat() {
            return playmat.params();
        }
        let none = PlaymatParams::default();
        PlaymatParams {
            card_name: Some("".into()),
            card_provider_id: Some("".into()),
            margin_pct_l: Some(none.margin_pct_l()),
            margin_pct_r: Some(none.margin_pct_r()),
            vertical_offset: Some(none.vertical_offset()),
            zoom: Some(none.zoom()),
        }
    }
}
