//! The lobbies of this server: one line each.

use crate::{cockatrice::Cockatrice, faf::Faf, vcmi::Vcmi, vcmi_json::VcmiJson};

crate::router! {
    /// Every lobby on one shard.
    pub struct Router {
        FAF => faf: Faf,
        VCMI => vcmi: Vcmi,
        COCKATRICE => cockatrice: Cockatrice,
        VCMI_JSON => vcmi_json: VcmiJson,
    }
}
