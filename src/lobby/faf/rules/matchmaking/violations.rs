//! Players who let matches fail, and for how long they may not search (spec: faf-matchmaking 10; N#1052).
//!
//! Kept in memory, by player: it outlives their connections, not the server.

use serde::{Deserialize, Serialize};

use std::time::Duration;

use crate::{
    Now,
    faf::model::time::{naturally, words},
    map::IdMap,
};

settings::settings! {
    /// Rules about violations (spec: faf-lifecycle 16, `LADDER_VIOLATIONS_*`).
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct ViolationRules {
        /// Whether players who let matches fail may not search for a while.
        enabled: bool = "matchmaking.violations_enabled", flag(), "true", live;
        /// From so many violations on.
        ban_threshold: u32 = "matchmaking.violations_ban_threshold", number(1, 1_000_000), "2", live;
        /// For this long the first time.
        first_ban: Duration = "matchmaking.violations_first_ban_s", number(0, 31_536_000), "600", unit("s"), live;
        /// For this long from then on.
        ban: Duration = "matchmaking.violations_ban_s", number(0, 31_536_000), "1800", unit("s"), live;
        /// A violation this long ago is forgotten.
        reset: Duration = "matchmaking.violations_reset_s", number(0, 31_536_000), "3600", unit("s"), live;
    }
}

/// One player's violations.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(in crate::faf) struct Violation {
    /// How many, each less than the reset time after the one before.
    pub count: u32,
    /// When the last violation was.
    pub at: Now,
    /// That was so long before the clock began by which `at` is told: another process has written it down.
    #[serde(default)]
    pub earlier: Duration,
}

impl Violation {
    /// How long ago it was.
    fn age(&self, now: Now) -> Duration {
        now.mono.saturating_sub(self.at.mono) + self.earlier
    }

    /// How long they are banned from the last violation on.
    fn ban(&self, rules: &ViolationRules) -> Duration {
        match self.count.cmp(&rules.ban_threshold) {
            std::cmp::Ordering::Less => Duration::ZERO,
            std::cmp::Ordering::Equal => rules.first_ban,
            std::cmp::Ordering::Greater => rules.ban,
        }
    }

    /// What they are told (spec: faf-matchmaking 10.1).
    pub(in crate::faf) fn notice(&self, rules: &ViolationRules) -> String {
        let again = if self.count > 1 {
            format!(" You can queue again in {}", words(self.ban(rules)))
        } else {
            String::new()
        };
        format!(
            "You have caused a matchmaking connection failure {} time(s). Multiple failures result in temporary \
             time-outs from matchmaker. Please seek support on the forums or discord for persistent issues.{again}",
            self.count
        )
    }
}

/// How long a player may still not search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) struct TimeOut {
    /// How long the ban still lasts.
    pub left: Duration,
    /// When it ends, since 1970.
    pub ends_at: Duration,
}

/// All players' violations.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(in crate::faf) struct Violations {
    by_player: IdMap<u32, Violation>,
}

impl Violations {
    /// Writes down one more.
    pub(in crate::faf) fn register(
        &mut self,
        player: u32,
        now: Now,
        rules: &ViolationRules,
    ) -> Violation {
        let known = self.by_player.get(&player);
        let known = known.filter(|known| known.age(now) < rules.reset);
        let violation = Violation {
            count: known.map_or(1, |known| known.count.saturating_add(1)),
            at: now,
            earlier: Duration::ZERO,
        };
        self.by_player.insert(player, violation);
        violation
    }

    /// Whether a player is banned from searching now.
    pub(in crate::faf) fn time_out(
        &self,
        player: u32,
        now: Now,
        rules: &ViolationRules,
    ) -> Option<TimeOut> {
        let violation = self.by_player.get(&player).filter(|_| rules.enabled)?;
        let ban = violation.ban(rules);
        let left = ban.checked_sub(violation.age(now))?;
        (!left.is_zero()).then(|| TimeOut {
            left,
            ends_at: violation.at.unix + ban,
        })
    }

    /// Whether nobody has any.
    pub(in crate::faf) fn is_empty(&self) -> bool {
        self.by_player.is_empty()
    }

    /// Forgets what is long ago.
    pub(in crate::faf) fn sweep(&mut self, now: Now, rules: &ViolationRules) {
        self.by_player
            .retain(|_, known| known.age(now) < rules.reset);
    }

    /// All of them, by player.
    pub(in crate::faf) fn iter(&self) -> impl Iterator<Item = (u32, &Violation)> {
        self.by_player
            .iter()
            .map(|(&player, known)| (player, known))
    }

    /// Takes over one that was told at `at`, by the clock of another process, and heard of at `heard`.
    pub(in crate::faf) fn inherit(
        &mut self,
        player: u32,
        violation: Violation,
        at: Now,
        heard: Now,
    ) {
        let age = violation.age(at);
        let moved = Violation {
            at: Now {
                mono: heard.mono.saturating_sub(age),
                unix: violation.at.unix,
            },
            earlier: age.saturating_sub(heard.mono),
            ..violation
        };
        self.by_player.insert(player, moved);
    }
}

/// What a party reads that may not search because of these members (spec: faf-matchmaking 10.3).
pub(in crate::faf) fn party_notice(names: &[&str], longest: Duration) -> String {
    let left = naturally(longest);
    match names {
        [one] => format!("Player {one} is timed out for {left}"),
        several => format!("Players {} are timed out for {left}", several.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        Now {
            mono: Duration::from_secs(seconds),
            unix: Duration::from_secs(1_708_794_947 + seconds),
        }
    }

    // checklist: faf 411, 412, 413, 420
    #[test]
    fn bans_begin_with_the_second_violation_and_grow() {
        let rules = ViolationRules::default();
        let mut violations = Violations::default();
        let left = |violations: &Violations, seconds| {
            let time_out = violations.time_out(1, at(seconds), &rules);
            time_out.map(|time_out| time_out.left.as_secs())
        };
        let first = violations.register(1, at(0), &rules);
        assert_eq!(first.count, 1);
        assert!(first.notice(&rules).ends_with("for persistent issues."));
        assert_eq!(left(&violations, 0), None);

        let second = violations.register(1, at(100), &rules);
        assert_eq!(
            second.notice(&rules),
            "You have caused a matchmaking connection failure 2 time(s). Multiple failures result in temporary time-outs \
             from matchmaker. Please seek support on the forums or discord for persistent issues. You can queue again in \
             10 minutes"
        );
        assert_eq!(left(&violations, 100), Some(600));
        assert_eq!(left(&violations, 699), Some(1));
        assert_eq!(left(&violations, 700), None);

        for (now, count) in [(700, 3), (2600, 4)] {
            assert_eq!(violations.register(1, at(now), &rules).count, count);
            assert_eq!(left(&violations, now), Some(1800));
        }
        assert_eq!(left(&violations, 2600 + 1800), None);
        assert_eq!(violations.time_out(2, at(0), &rules), None);
    }

    // checklist: faf 419
    #[test]
    fn an_hour_after_the_last_it_is_forgotten() {
        let rules = ViolationRules::default();
        let mut violations = Violations::default();
        violations.register(1, at(0), &rules);
        assert_eq!(violations.register(1, at(3599), &rules).count, 2);
        assert_eq!(violations.register(1, at(3599 + 3600), &rules).count, 1);
        violations.sweep(at(3599 + 3600 + 3599), &rules);
        assert_eq!(violations.by_player.len(), 1);
        violations.sweep(at(3599 + 3600 + 3600), &rules);
        assert!(violations.by_player.is_empty());
    }

    #[test]
    fn another_process_counts_on_however_short_its_clock_has_been_running() {
        let rules = ViolationRules::default();
        let mut violations = Violations::default();
        violations.register(1, at(7000), &rules);
        violations.register(1, at(7100), &rules);
        let told = *violations.iter().next().expect("there is one").1;
        for uptime in [10, 5000] {
            let mut others = Violations::default();
            others.inherit(1, told, at(7300), at(uptime));
            let left = |seconds| {
                let time_out = others.time_out(1, at(uptime + seconds), &rules);
                time_out.map(|time_out| time_out.left.as_secs())
            };
            assert_eq!((left(0), left(399), left(400)), (Some(400), Some(1), None));
        }
    }

    // checklist: faf 421
    #[test]
    fn switched_off_nobody_is_banned() {
        let rules = ViolationRules {
            enabled: false,
            ..ViolationRules::default()
        };
        let mut violations = Violations::default();
        violations.register(1, at(0), &rules);
        violations.register(1, at(0), &rules);
        assert_eq!(violations.time_out(1, at(1), &rules), None);
    }

    // checklist: faf 415
    #[test]
    fn the_party_is_told_who_is_banned_and_roughly_how_long() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert_eq!(
            party_notice(&["orion"], minutes(30)),
            "Player orion is timed out for 30 minutes"
        );
        assert_eq!(
            party_notice(&["orion", "vega"], minutes(10)),
            "Players orion, vega are timed out for 10 minutes"
        );
    }
}
