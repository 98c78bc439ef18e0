//! What an operator has chosen, ready for use. Another configuration takes its place as a whole while the server runs: each answer
//! looks at what holds when it needs it, and mail at the next round (spec: cockatrice-behaviour 9, 18.8).

use std::sync::Arc;

use cockatrice::accounts::{BadExpression, NameRules};
use tokio::sync::watch;

use super::settings::Accounts;

/// What holds now.
#[derive(Debug)]
pub struct Rules {
    /// As it was typed. Of what the store is opened with, and how passwords are stored, only the first counts.
    pub(super) chosen: Accounts,
    /// Which names are allowed.
    pub(super) names: NameRules,
}

/// Where whatever holds now is found.
pub type Holding = watch::Receiver<Arc<Rules>>;

impl Rules {
    /// Takes what was typed.
    ///
    /// # Errors
    /// An expression for disallowed names that is none.
    pub fn new(chosen: Accounts) -> Result<Self, BadExpression> {
        Ok(Rules {
            names: NameRules::new(chosen.names.rules())?,
            chosen,
        })
    }
}
