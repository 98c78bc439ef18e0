//! The coordinator tells its heir what it knows: once a second what has changed, once a minute everything. The heir is the
//! node that comes next in the order in which nodes are responsible for the office; it only keeps it (`tenure::Heritage`).

use std::time::Duration;

use crate::{
    ShardId,
    faf::{
        context::{Context, Timer},
        coordinator::{Coordinator, estate},
        mail::heir::{Bequest, HeirMail},
    },
};

/// Between two letters to the heir: so much is lost with a coordinator.
const INTERVAL: Duration = Duration::from_secs(1);
/// Between two letters with everything.
const IN_FULL: Duration = Duration::from_secs(60);
/// What the order in which nodes are responsible for the office is drawn by.
const OFFICE: u64 = 0x6861_6c6c_2e66_6166;

impl Coordinator {
    /// The next letter to the heir is due in a while.
    pub(in crate::faf) fn tell_heir_later(&mut self, cx: &mut Context<'_>) {
        if cx.topology.is_clustered() {
            let timer = Timer::Heir(self.term());
            cx.turn.wake_at(cx.turn.now.mono + INTERVAL, timer);
        }
    }

    /// Tells the heir what has changed.
    pub(in crate::faf) fn tell_heir(&mut self, cx: &mut Context<'_>, term: u64) {
        if self.term() != term || !self.is_open() {
            return;
        }
        let own = cx.topology.standing().node;
        let order = cx.topology.standing().view.responsible(OFFICE);
        let heir = order.iter().map(|member| member.node).find(|&n| n != own);
        let estate = match heir {
            Some(_) => self.estate(),
            None => Default::default(),
        };
        let now = cx.turn.now;
        let tenure = self.tenure_mut();
        let is_due = now.mono.saturating_sub(tenure.told_all_at) >= IN_FULL;
        let anew = tenure.heir != heir || is_due;
        if anew {
            tenure.told.clear();
            (tenure.heir, tenure.told_all_at) = (heir, now.mono);
        }
        tenure.number += 1;
        let head = Bequest {
            term,
            number: tenure.number,
            at: now,
            anew,
            is_whole: false,
            is_last: true,
            items: Vec::new(),
        };
        let letters = estate::letters(&tenure.told, &estate, head);
        tenure.told = estate;
        if let Some(heir) = heir {
            for letter in letters
                .into_iter()
                .filter(|l| l.anew || !l.items.is_empty())
            {
                cx.post(ShardId::new(heir, 0), HeirMail::Tell(letter));
            }
        }
        self.tell_heir_later(cx);
    }
}
