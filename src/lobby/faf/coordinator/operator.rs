//! What an operator sees of the queues.

use crate::{
    Now,
    faf::coordinator::queues::{Matchmaker, Queue},
    operator::{self, Found, Mark, Page, Query, Row},
};

impl Matchmaker {
    /// A page of them, in load order.
    pub(in crate::faf) fn page(&self, query: &Query, now: Now) -> Found {
        let mut page = Page::of(query);
        let from = query.from.number() as usize;
        for (place, queue) in self.queues.iter().enumerate().skip(from) {
            let row = || Some(self.shown(queue, now));
            if !page.look(|| Mark::Number(place as u64), row) {
                break;
            }
        }
        page.found()
    }

    fn shown(&self, queue: &Queue, now: Now) -> Row {
        // Ids are queue order: the first has been there longest.
        let first = queue.searches.first();
        let longest = first.and_then(|id| self.searches.get(id));
        let longest = longest.map(|search| now.mono.saturating_sub(search.since));
        Row::Queue(operator::Queue {
            name: queue.setup.name.to_string(),
            players: queue.players as u32,
            parties: queue.searches.len() as u32,
            longest_s: longest.unwrap_or_default().as_secs(),
            next_look_s: queue.next_pop.mono.saturating_sub(now.mono).as_secs(),
        })
    }
}
