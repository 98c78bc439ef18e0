//! What everybody may see, on every shard: the replica, and the ticks by which it follows.

pub(in crate::faf) mod picture;
pub(in crate::faf) mod tick;
