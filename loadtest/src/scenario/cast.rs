//! Which client has which role, and when it is there: decided before the run.
//!
//! Clients of roles with a fixed number come first and are there from beginning to end. The others come and go with the number
//! of clients: the one who came last leaves first. If that number changes, roles are dealt out so that any number of clients has
//! their shares; if it does not, each role's clients follow each other in the order of the file.

use super::Size;
use super::curve::{Curve, Span};

/// A client's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its role's place in the file.
    pub(crate) role: usize,
    /// Its number in that role.
    pub(crate) number: usize,
}

/// The clients of a run.
#[derive(Debug, Clone)]
pub(crate) struct Cast {
    members: Box<[Member]>,
    /// Of each role: the clients that have it.
    roles: Box<[Vec<usize>]>,
    /// So many clients are there all the time;
    residents: usize,
    /// the others as this says, which does not count those besides it.
    clients: Curve,
    besides: usize,
}

impl Cast {
    /// Deals out the roles.
    ///
    /// # Errors
    /// More clients with a fixed number than there are at some time, or shares of which nothing comes, in words.
    pub(crate) fn new(sizes: &[Size], clients: &Curve) -> Result<Cast, String> {
        let sum = |of: fn(&Size) -> usize| sizes.iter().map(of).sum::<usize>();
        let besides = sum(|size| match size {
            Size::Besides(count) => *count,
            _ => 0,
        });
        let counted = sum(|size| match size {
            Size::Count(count) => *count,
            _ => 0,
        });
        let shares: Vec<f64> = sizes.iter().map(Size::share).collect();
        let most = whole(clients.highest());
        if counted > whole(clients.lowest()) {
            let least = whole(clients.lowest());
            return Err(format!(
                "{counted} clients have a role with a `count`, which are there all the time, and there are {least} of `clients` at some time"
            ));
        }
        let shared = most - counted;
        let anybody = shares.iter().any(|share| *share > 0.0);
        if shared > 0 && !anybody {
            return Err(format!(
                "{shared} of {most} `clients` have no role: give one a `share`"
            ));
        }
        let mut roles: Vec<usize> = Vec::new();
        for (role, size) in sizes.iter().enumerate() {
            if let Size::Besides(count) | Size::Count(count) = size {
                roles.extend(std::iter::repeat_n(role, *count));
            }
        }
        if clients.is_constant() {
            roles.extend(blocks(&shares, shared));
        } else {
            roles.extend(dealt(&shares, shared));
        }
        Ok(Cast::of(
            &roles,
            sizes.len(),
            besides + counted,
            besides,
            clients,
        ))
    }

    fn of(
        dealt: &[usize],
        roles: usize,
        residents: usize,
        besides: usize,
        clients: &Curve,
    ) -> Cast {
        let mut lists = vec![Vec::new(); roles];
        let members = dealt.iter().enumerate().map(|(index, role)| {
            let number = lists[*role].len();
            lists[*role].push(index);
            Member {
                role: *role,
                number,
            }
        });
        Cast {
            members: members.collect(),
            roles: lists.into(),
            residents,
            clients: clients.clone(),
            besides,
        }
    }

    /// All clients there are at some time.
    pub(crate) fn clients(&self) -> usize {
        self.members.len()
    }

    /// Those there at the beginning of the measured phase.
    pub(crate) fn at_start(&self) -> usize {
        self.present(0)
    }

    /// How many are there at this time of the measured phase: those with the lowest numbers.
    pub(crate) fn present(&self, at_us: u64) -> usize {
        let now = self.besides + whole(self.clients.at(at_us));
        now.clamp(self.residents, self.members.len())
    }

    pub(crate) fn member(&self, index: usize) -> Member {
        self.members[index]
    }

    /// The clients of this role that are there at this time.
    fn role_at(&self, role: usize, at_us: u64) -> &[usize] {
        let present = self.present(at_us);
        let list = &self.roles[role];
        &list[..list.partition_point(|index| *index < present)]
    }

    /// Nobody ever has this role.
    pub(crate) fn is_empty(&self, role: usize) -> bool {
        self.roles[role].is_empty()
    }

    /// Whose turn it is when this one of a role's is due, which somebody has: those who are there take turns. If nobody is, the
    /// first should be.
    pub(crate) fn turn(&self, role: usize, number: u64, at_us: u64) -> usize {
        match self.role_at(role, at_us) {
            [] => self.roles[role][0],
            there => there[(number % there.len() as u64) as usize],
        }
    }

    /// Whether this client is there all the time between these two.
    pub(crate) fn is_there(&self, index: usize, from_us: u64, until_us: u64) -> bool {
        self.spans(index).iter().any(|(come_us, leave_us)| {
            *come_us <= from_us && leave_us.is_none_or(|leave_us| until_us < leave_us)
        })
    }

    /// When this client is there, from the beginning of the measured phase on.
    pub(crate) fn spans(&self, index: usize) -> Vec<Span> {
        if index < self.residents {
            return vec![(0, None)];
        }
        let height = (index + 1 - self.besides) as f64;
        let spans = self.clients.spans_at(height).into_iter();
        spans.filter(|(from, to)| Some(*from) != *to).collect()
    }
}

fn whole(clients: f64) -> usize {
    (clients + 1e-9) as usize
}

/// So many clients of each role, one role after the other: what is left by rounding goes to the largest fractions.
fn blocks(shares: &[f64], clients: usize) -> Vec<usize> {
    let all: f64 = shares.iter().sum();
    let exact = |role: usize| shares[role] / all * clients as f64;
    let mut sizes: Vec<usize> = (0..shares.len()).map(|role| whole(exact(role))).collect();
    let mut order: Vec<usize> = (0..shares.len()).collect();
    order.sort_by(|one, other| exact(*other).fract().total_cmp(&exact(*one).fract()));
    let left = clients - sizes.iter().sum::<usize>();
    for role in order.into_iter().take(left) {
        sizes[role] += 1;
    }
    let sizes = sizes.into_iter().enumerate();
    sizes
        .flat_map(|(role, size)| std::iter::repeat_n(role, size))
        .collect()
}

/// The role of one client after the other: each goes to whoever is farthest behind its share.
fn dealt(shares: &[f64], clients: usize) -> Vec<usize> {
    let all: f64 = shares.iter().sum();
    let mut given = vec![0.0; shares.len()];
    (0..clients)
        .map(|client| {
            let behind = |role: usize| shares[role] / all * (client + 1) as f64 - given[role];
            let roles = (0..shares.len()).filter(|role| shares[*role] > 0.0);
            // Of equals the first.
            let role = roles
                .rev()
                .max_by(|one, other| behind(*one).total_cmp(&behind(*other)));
            let role = role.expect("somebody has a share");
            given[role] += 1.0;
            role
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_constant_number_are_blocks_in_order() {
        let sizes = [Size::Share(5.0), Size::Share(15.0), Size::Share(80.0)];
        for (clients, expected) in [(1000, [50, 150, 800]), (10, [1, 1, 8]), (20, [1, 3, 16])] {
            let cast = Cast::new(&sizes, &Curve::constant(f64::from(clients))).expect("sound");
            let count = [0, 1, 2].map(|role| cast.roles[role].len());
            assert_eq!(count, expected, "{clients}");
            assert_eq!(cast.member(0), Member { role: 0, number: 0 });
            assert_eq!(cast.at_start(), cast.clients());
        }
    }

    #[test]
    fn any_number_of_clients_has_the_shares() {
        let mut clients = Curve::constant(0.0);
        clients.push(10_000_000, 100.0);
        clients.push(10_000_000, 20.0);
        let sizes = [Size::Share(1.0), Size::Share(3.0), Size::Besides(4)];
        let cast = Cast::new(&sizes, &clients).expect("sound");
        assert_eq!((cast.clients(), cast.at_start()), (104, 4));
        for at_us in [1_000_000, 4_000_000, 10_000_000] {
            let [quarter, rest] = [0, 1].map(|role| cast.role_at(role, at_us).len() as f64);
            let (share, present) = (quarter / (quarter + rest), cast.present(at_us));
            assert!((share - 0.25).abs() < 0.1, "{share} of {present}");
        }
        assert_eq!(cast.spans(3), [(0, None)]);
        // The 50th of those who come and go.
        assert_eq!(cast.spans(53), [(5_000_000, Some(16_250_000))]);
        // The 20th stays.
        assert_eq!(cast.spans(23), [(2_000_000, None)]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_told() {
        let mut clients = Curve::constant(3.0);
        assert!(Cast::new(&[Size::Count(4)], &clients).is_err());
        assert!(
            Cast::new(&[Size::Count(2)], &clients).is_err(),
            "one without a role"
        );
        assert!(Cast::new(&[Size::Count(3)], &clients).is_ok());
        clients.push(1, 2.0);
        assert!(
            Cast::new(&[Size::Count(3)], &clients).is_err(),
            "they are fewer later"
        );
    }
}
