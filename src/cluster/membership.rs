//! What this node believes of who is in, and whether it is itself.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    Member, View,
    beat::{News, ViewId},
};

/// How many of its lives a node remembers: some, so that what is late is not taken for another process.
const LIVES: usize = 16;
/// A node that has not heard of a leader for so long has lost touch: another one is found in less.
const LEADERLESS: Duration = Duration::from_secs(10);

/// What hearing of a view has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It has this life in it.
    In,
    /// It has this life in it no more: the life is over.
    Out,
    /// This life is not in yet.
    NotYet,
}

/// What this node believes of who is in.
#[derive(Debug)]
pub(crate) struct Membership {
    node: u8,
    incarnation: u64,
    /// Its former lives, the last one at the end.
    past: VecDeque<u64>,
    /// The last life in which it was a member.
    previous: Option<u64>,
    /// It has been a member in this life.
    was_in: bool,
    /// The newest view that was heard of.
    newest: News,
    /// The last view in which it was.
    view: Arc<View>,
    /// The highest number that was heard of.
    highest: u32,
    /// When a leader that knows the same view was last heard.
    led: Option<Duration>,
}

impl Membership {
    pub(crate) fn new(own: Member) -> Membership {
        Membership {
            node: own.node,
            incarnation: own.incarnation,
            past: VecDeque::new(),
            previous: None,
            was_in: false,
            newest: News::default(),
            view: Arc::new(View {
                number: 0,
                members: vec![own],
            }),
            highest: 0,
            led: None,
        }
    }

    /// It comes in again, as this.
    pub(crate) fn begin_life(&mut self, incarnation: u64) {
        if std::mem::take(&mut self.was_in) {
            self.previous = Some(self.incarnation);
        }
        self.past.push_back(self.incarnation);
        if self.past.len() > LIVES {
            self.past.pop_front();
        }
        self.incarnation = incarnation;
        self.led = None;
    }

    /// A view of this number was heard of.
    pub(crate) fn on_number(&mut self, number: u32) {
        self.highest = self.highest.max(number);
    }

    /// Whether this view is newer than what is known, and made by a leader that is not of the past.
    pub(crate) fn is_news(&self, id: ViewId, lead_term: u64) -> bool {
        id > self.newest.id && id.term >= lead_term
    }

    /// Takes a newer view as the present one.
    pub(crate) fn adopt(&mut self, news: News) -> Change {
        self.on_number(news.id.number);
        self.newest = news;
        if self.is_in() {
            self.was_in = true;
            self.view = Arc::new(View {
                number: self.newest.id.number,
                members: self.newest.members.clone(),
            });
            return Change::In;
        }
        if self.was_in {
            Change::Out
        } else {
            Change::NotYet
        }
    }

    /// The life of another process that the newest view has in this one's slot.
    pub(crate) fn other_in_slot(&self) -> Option<u64> {
        let mut members = self.newest.members.iter();
        let member = members.find(|member| member.node == self.node)?;
        let life = member.incarnation;
        (life != self.incarnation && !self.past.contains(&life)).then_some(life)
    }

    /// Whether this life is in the newest view.
    pub(crate) fn is_in(&self) -> bool {
        let mut members = self.newest.members.iter();
        members.any(|member| (member.node, member.incarnation) == (self.node, self.incarnation))
    }

    pub(crate) fn was_in(&self) -> bool {
        self.was_in
    }

    pub(crate) fn previous(&self) -> Option<u64> {
        self.previous
    }

    pub(crate) fn newest(&self) -> &News {
        &self.newest
    }

    pub(crate) fn view(&self) -> &Arc<View> {
        &self.view
    }

    pub(crate) fn highest(&self) -> u32 {
        self.highest
    }

    /// A leader that knows the newest view was heard.
    pub(crate) fn on_led(&mut self, now: Duration) {
        self.led = Some(now);
    }

    /// What was heard of a leader says nothing any more: this node did not listen.
    pub(crate) fn forget_leader(&mut self) {
        self.led = None;
    }

    /// Whether a leader holds this node for a member, as far as is known.
    pub(crate) fn is_led(&self, now: Duration) -> bool {
        self.led.is_some_and(|at| now < at + LEADERLESS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(incarnation: u64) -> Member {
        Member {
            node: 3,
            incarnation,
            shards: 1,
            version: "".into(),
        }
    }

    fn view(number: u32, term: u64, members: &[Member]) -> News {
        News {
            id: ViewId { number, term },
            members: members.to_vec(),
        }
    }

    #[test]
    fn what_a_former_leader_says_is_no_news() {
        let mut membership = Membership::new(member(1));
        membership.adopt(view(4, 20, &[member(1)]));
        let is_news = |number, term| membership.is_news(ViewId { number, term }, 20);
        assert!(is_news(5, 20) && is_news(68, 21));
        assert!(!is_news(4, 20) && !is_news(3, 21) && !is_news(5, 19));
    }

    #[test]
    fn a_life_is_over_when_it_is_in_no_more() {
        let mut membership = Membership::new(member(1));
        assert_eq!(membership.adopt(view(1, 5, &[])), Change::NotYet);
        assert_eq!(membership.adopt(view(2, 5, &[member(1)])), Change::In);
        assert_eq!(membership.adopt(view(3, 5, &[member(2)])), Change::Out);
        assert_eq!(membership.other_in_slot(), Some(2));
        assert_eq!(membership.view().number, 2);
        membership.begin_life(7);
        assert_eq!(membership.previous(), Some(1));
        membership.adopt(view(4, 5, &[member(1)]));
        assert_eq!(membership.other_in_slot(), None, "it was its own");
        assert_eq!(membership.adopt(view(5, 5, &[member(7)])), Change::In);
        assert_eq!(membership.view().number, 5);
    }
}
