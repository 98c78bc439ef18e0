//! What this node holds and wants to hold, and how far terms have got.

use crate::{Lease, Output, beat::Beat, out::Out};

const LEASES: usize = Lease::ALL.len();

/// What this node holds and wants to hold.
#[derive(Debug, Default)]
pub(crate) struct Holdings {
    /// Under which term its driver says that it holds each.
    own: [Option<u64>; LEASES],
    /// What its driver was told last.
    wanted: [bool; LEASES],
    /// The highest terms that were heard of, its own included.
    terms: [u64; LEASES],
}

impl Holdings {
    /// A lease is held under that term, or is not.
    pub(crate) fn set(&mut self, lease: Lease, term: Option<u64>) {
        self.own[lease.index()] = term;
        self.heard(lease, term.unwrap_or(0));
    }

    /// A term of a lease was heard of.
    pub(crate) fn heard(&mut self, lease: Lease, term: u64) {
        self.heard_at(lease.index(), term);
    }

    fn heard_at(&mut self, lease: usize, term: u64) {
        if let Some(highest) = self.terms.get_mut(lease) {
            *highest = term.max(*highest);
        }
    }

    /// Takes note of the terms that a beat names.
    pub(crate) fn on_beat(&mut self, beat: &Beat) {
        for (lease, term) in beat.terms.iter().enumerate() {
            self.heard_at(lease, *term);
        }
        for (lease, term) in &beat.held {
            self.heard_at(usize::from(*lease), *term);
        }
    }

    /// The term under which this node holds a lease, if nobody has taken it since.
    pub(crate) fn own(&self, lease: Lease) -> Option<u64> {
        let highest = self.terms[lease.index()];
        self.own[lease.index()].filter(|term| *term == highest)
    }

    /// The highest term of a lease that was heard of.
    pub(crate) fn term(&self, lease: Lease) -> u64 {
        self.terms[lease.index()]
    }

    pub(crate) fn terms(&self) -> [u64; LEASES] {
        self.terms
    }

    /// Everything it holds.
    pub(crate) fn held(&self) -> [Option<u64>; LEASES] {
        Lease::ALL.map(|lease| self.own(lease))
    }

    /// Tells the driver if what this node wants has changed. What somebody else took since is given up before it is taken again.
    pub(crate) fn want(&mut self, lease: Lease, wants: bool, out: &mut Out) {
        let is_past = self.own[lease.index()].is_some() && self.own(lease).is_none();
        let wants = wants && !is_past;
        if std::mem::replace(&mut self.wanted[lease.index()], wants) != wants {
            out.push(Output::Want(lease, wants));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Sender;

    #[test]
    fn what_somebody_else_took_since_is_given_up() {
        let mut out = Out::new(Sender {
            node: 0,
            incarnation: 1,
        });
        let mut holdings = Holdings::default();
        let mut said = |holdings: &mut Holdings| {
            holdings.want(Lease::Outside, true, &mut out);
            out.pop()
        };
        let want = |wants| Some(Output::Want(Lease::Outside, wants));
        assert_eq!(said(&mut holdings), want(true));
        holdings.set(Lease::Outside, Some(5));
        assert_eq!(said(&mut holdings), None);
        holdings.on_beat(&Beat {
            held: vec![(2, 6), (77, 1)],
            terms: vec![0; 9],
            ..Beat::default()
        });
        assert_eq!(holdings.own(Lease::Outside), None);
        assert_eq!(said(&mut holdings), want(false));
        holdings.set(Lease::Outside, None);
        assert_eq!(said(&mut holdings), want(true));
        holdings.set(Lease::Outside, Some(7));
        assert_eq!(holdings.own(Lease::Outside), Some(7));
    }
}
