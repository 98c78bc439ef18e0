//! What a shard knows. Plain data that can be kept, with what it can do by itself; what happens to it is the business of the
//! roles outside of this folder.

pub(super) mod desk;
pub(super) mod directory;
pub(super) mod lists;
pub(super) mod registry;
pub(super) mod room;
pub(super) mod session;
pub(super) mod shutdown;
pub(super) mod table;
pub(super) mod visitor;
pub(super) mod work;
