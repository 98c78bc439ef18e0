//! What happened in walks, and how that is told.

use crate::Output;

/// An output as it is told: lives are long numbers, and views long lists.
pub(super) fn shown(output: &Output) -> String {
    let Output::Standing(standing) = output else {
        return format!("{output:?}");
    };
    let members = standing.view.members.iter();
    let members = members.map(|member| format!("{}/{}", member.node, member.incarnation % 1_000));
    let holder = |holder: Option<crate::Holder>| {
        holder.map_or("-".into(), |holder| {
            format!("{}@{}", holder.node, holder.term)
        })
    };
    let leases = &standing.leases;
    format!(
        "stands: {}/{} in view {} of {}{}, holders {} {} {}",
        standing.node,
        standing.incarnation % 1_000,
        standing.view.number,
        members.collect::<Vec<_>>().join(" "),
        if standing.is_island {
            ", an island"
        } else {
            ""
        },
        holder(leases.coordinator),
        holder(leases.outside),
        holder(leases.single),
    )
}

/// What happened in walks.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Outcome {
    pub(super) heard: u64,
    pub(super) lost: u64,
    pub(super) breaks: u64,
    pub(super) nacks: u64,
    pub(super) repairs: u64,
    pub(super) lives: u64,
    pub(super) fenced: u64,
    pub(super) displaced: u64,
    pub(super) congested: u64,
    pub(super) kills: u64,
    pub(super) farewells: u64,
    /// The longest time that it took until everything was well.
    pub(super) healed_ms: u64,
}

impl Outcome {
    fn counts(&mut self) -> [&mut u64; 11] {
        [
            &mut self.heard,
            &mut self.lost,
            &mut self.breaks,
            &mut self.nacks,
            &mut self.repairs,
            &mut self.lives,
            &mut self.fenced,
            &mut self.displaced,
            &mut self.congested,
            &mut self.kills,
            &mut self.farewells,
        ]
    }

    pub(super) fn add(&mut self, other: &Outcome) {
        let mut other = *other;
        for (sum, one) in self.counts().into_iter().zip(other.counts()) {
            *sum += *one;
        }
        self.healed_ms = self.healed_ms.max(other.healed_ms);
    }

    pub(super) fn has_met_everything(mut self) -> bool {
        self.counts().iter().all(|count| **count > 0)
    }
}
