//! Everything a shard has, for an operator who asks (spec: faf-lifecycle 15.1).

use std::{fmt, sync::Arc};

use bytes::Bytes;

/// Where a shard's answer goes; called once by each shard with its own objects, encoded.
#[derive(Clone)]
pub struct Reply(Arc<dyn Fn(Vec<Bytes>) + Send + Sync>);

impl Reply {
    /// Answers go to `take`, which must not wait.
    pub fn new(take: impl Fn(Vec<Bytes>) + Send + Sync + 'static) -> Self {
        Reply(Arc::new(take))
    }
}

impl Reply {
    /// The answer of one shard.
    pub(in crate::faf) fn send(&self, objects: Vec<Bytes>) {
        (self.0)(objects);
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reply")
    }
}
