//! What every shard is told unasked.

use std::sync::Arc;

use super::Settings;

/// One piece of news. Every shard is told; each acts for its own connections.
#[derive(Clone, Debug)]
pub enum News {
    /// The configuration has changed.
    Settings(Arc<Settings>),
}
