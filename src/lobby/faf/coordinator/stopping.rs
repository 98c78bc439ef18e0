//! The orderly end, step by step over all shards (spec: faf-lifecycle 14, faf-newer R5): everybody is told of it; then nobody
//! searches any more; then games that have not begun end. A step begins when every shard has done the one before.

use crate::faf::{
    context::Context,
    coordinator::Coordinator,
    mail::{game::GameMail, session::SessionMail},
};

impl Coordinator {
    /// A shard's players have been told of the step that runs.
    pub(in crate::faf) fn told(&mut self, cx: &mut Context<'_>) {
        self.told += 1;
        let shards = cx.topology.all().count();
        if self.told == shards {
            self.close_queues(cx);
            cx.post_all(|| SessionMail::SearchesOver);
        } else if self.told == 2 * shards {
            cx.post_all(|| GameMail::CloseLobbies);
        }
    }
}
