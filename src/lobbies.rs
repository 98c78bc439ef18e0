//! The lobbies of this server: one line each.

use lobby::{faf::Faf, vcmi::Vcmi};

lobby::router! {
    /// Every lobby on one shard.
    pub struct Router {
        FAF => faf: Faf,
        VCMI => vcmi: Vcmi,
    }
}
