//! Lines of chat that everybody in a room hears: said at their times, told apart by their numbers, and each waited for by each
//! user until it comes. What a line travels in is its lobby's.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::connection::Connection;
use crate::delivery::{Fate, Received};
use crate::fleet::Share;
use crate::latency::Latency;
use crate::plan::Plan;
use crate::protocol::Protocol;
use crate::worker::Context;

/// Ends a line: a stream without frames must not be read in the middle of a number.
pub(crate) const LINE_END: char = ';';

/// How many lines of chat were sent, by users of this process and of others.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    own: AtomicU64,
    others: AtomicU64,
}

impl Lines {
    fn add(&self) {
        self.own.fetch_add(1, Ordering::AcqRel);
    }

    fn all(&self) -> u64 {
        let others = self.others.load(Ordering::Acquire);
        self.own.load(Ordering::Acquire).saturating_add(others)
    }

    /// A number for each process of the run.
    pub(crate) fn tally(&self, share: Share) -> Vec<u64> {
        let mut tally = vec![0; share.of];
        tally[share.number] = self.own.load(Ordering::Acquire);
        tally
    }

    /// So many were sent by each process.
    pub(crate) fn learn(&self, share: Share, tally: &[u64]) {
        let all = tally.iter().enumerate();
        let others = all.filter(|(number, _)| *number != share.number);
        let others = others.fold(0_u64, |all, (_, sent)| all.saturating_add(*sent));
        self.others.fetch_max(others, Ordering::AcqRel);
    }
}

/// A lobby whose users chat.
pub(crate) trait Chat: Protocol {
    /// What a user does when a line is due.
    const SAY: Self::Task;

    /// How many lines of chat were sent by all.
    fn lines(state: &Self::State) -> &Lines;

    /// Where lines are counted: sent, lost, and their latency.
    fn chat(metrics: &mut Self::Metrics) -> (&mut u64, &mut u64, &mut Latency);
}

/// How many are there to chat, how often one of them has heard a line, and what is said if that is never.
pub(crate) fn purpose<P: Chat>(
    users: usize,
    plan: &Plan,
    heard: &Latency,
) -> (usize, u64, &'static str) {
    let there = if plan.scenario.has_rate() { users } else { 0 };
    (there, heard.ended(), "no line of chat was heard")
}

/// Somebody who chats.
#[derive(Debug)]
pub(crate) struct Chatter {
    /// Number among the users.
    user: usize,
    /// Lines that were due so far.
    turn: u64,
    /// Those of them that were said.
    said: u64,
    heard: Received,
}

impl Chatter {
    pub(crate) fn new(user: usize) -> Chatter {
        Chatter {
            user,
            turn: 0,
            said: 0,
            heard: Received::default(),
        }
    }

    /// Schedules the next line, unless the measured phase is over by then.
    pub(crate) fn schedule<P: Chat>(&self, connection: &Connection, context: &Context<P>) {
        let shared = &context.shared;
        let after_us = shared.schedule.due_us(self.user, self.turn);
        let due_us = shared.measured_from_us() + after_us;
        context.schedule_while_measuring(due_us, connection.slot, P::SAY);
    }

    /// A line is due: its text, unless it can't be said.
    pub(crate) fn line<P: Chat>(
        &mut self,
        due_us: u64,
        connection: &Connection,
        context: &Context<P>,
    ) -> Option<String> {
        let shared = &context.shared;
        if !shared.is_measuring_at(due_us) {
            return None;
        }
        let number = shared.schedule.number(self.user, self.turn);
        self.turn += 1;
        self.schedule(connection, context);
        if !connection.is_signed_in() || connection.is_backlogged() {
            return None;
        }
        self.said += 1;
        P::lines(context.state()).add();
        *P::chat(&mut context.recorder.borrow_mut().metrics).0 += 1;
        Some(text(&shared.plan.run_id, number))
    }

    /// A line of somebody's came; those of other runs are nobody's business here.
    pub(crate) fn hear<P: Chat>(&mut self, text: &str, context: &Context<P>) {
        if self.take(text, context) == Some(false) {
            context.protocol_error("a line of chat that nobody has said, or once more");
        }
    }

    /// A line stands in a history: it has come, if it had not come by itself.
    pub(crate) fn read<P: Chat>(&mut self, text: &str, context: &Context<P>) {
        let _known_already = self.take(text, context);
    }

    /// Whether a line that came is one of this run's that had not come before; nothing if it is another run's.
    fn take<P: Chat>(&mut self, text: &str, context: &Context<P>) -> Option<bool> {
        let shared = &context.shared;
        let number = number_of(&shared.plan.run_id, text)?;
        let latest_us = context.now_us() + 1 + shared.clock_slack_us();
        let due = shared
            .schedule
            .events_before(shared.measured_us_until(latest_us));
        if number >= due || !self.heard.insert(number) {
            return Some(false);
        }
        let due_us = shared.measured_from_us() + shared.schedule.event_due_us(number);
        context.book(due_us, |metrics| P::chat(metrics).2);
        Some(true)
    }

    /// Lines sent and not heard so far.
    pub(crate) fn missing<P: Chat>(&self, context: &Context<P>) -> u64 {
        let sent = P::lines(context.state()).all();
        sent.saturating_sub(self.heard.count())
    }

    /// The run is over: counts lines of this user that were due and never said, and what it did not hear.
    pub(crate) fn account<P: Chat>(&self, hears: bool, context: &Context<P>) {
        let shared = &context.shared;
        let measured_us = shared.measured_us_until(context.now_us());
        let due = shared.schedule.turns_before(self.user, measured_us);
        context.recorder.borrow_mut().common.unsent += due.saturating_sub(self.said);
        self.account_heard(hears, context);
    }

    /// Likewise of somebody who only listens: every line that did not come has been waited for until now.
    pub(crate) fn account_heard<P: Chat>(&self, hears: bool, context: &Context<P>) {
        if !hears {
            return;
        }
        let shared = &context.shared;
        let measured_us = shared.measured_us_until(context.now_us());
        let due = shared.schedule.events_before(measured_us);
        let due_us = |number| shared.measured_from_us() + shared.schedule.event_due_us(number);
        for lines in self.heard.missing(due) {
            context.book_all(lines, due_us, Fate::Missing, |metrics| P::chat(metrics).2);
        }
        let lost = self.missing(context);
        let recorder = &mut *context.recorder.borrow_mut();
        recorder.common.lost += lost;
        *P::chat(&mut recorder.metrics).1 += lost;
    }
}

fn text(run_id: &str, number: u64) -> String {
    format!("swarm {run_id} {number}{LINE_END}")
}

/// The number of a line of this run.
fn number_of(run_id: &str, text: &str) -> Option<u64> {
    let rest = text.strip_prefix("swarm ")?.strip_prefix(run_id)?;
    let number = rest.strip_prefix(' ')?.strip_suffix(LINE_END)?;
    number.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_other_processes_count() {
        let share = Share { number: 1, of: 3 };
        let lines = Lines::default();
        lines.add();
        lines.learn(share, &[4, 1, 7]);
        assert_eq!((lines.all(), lines.tally(share)), (12, vec![0, 1, 0]));
        // News that come late say less than what is known.
        lines.learn(share, &[3, 0, 7]);
        assert_eq!(lines.all(), 12);
    }

    #[test]
    fn lines_of_another_run_are_not_taken_for_this_one_s() {
        let said = text("a1b2", 77);
        assert_eq!(number_of("a1b2", &said), Some(77));
        for other in ["a1b", "b1b2", ""] {
            assert_eq!(number_of(other, &said), None, "{other}");
        }
        assert_eq!(number_of("a1b2", "swarm a1b2 7"), None, "cut");
    }
}
