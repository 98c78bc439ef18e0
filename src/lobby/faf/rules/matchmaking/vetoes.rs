//! Vetoes: which maps players don't want to play, and how much that counts (N#1033; spec: faf-matchmaking 9.2).

use serde::{Deserialize, Serialize};

use crate::faf::model::pools::{Bracket, QueueSetup, VetoRules};

/// The map id of a veto that stands for all generated maps without an own id.
const GENERATED: i64 = -1;

/// One player's tokens on one map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Veto {
    /// Entry of the map pool.
    pub map_pool_map_version_id: i64,
    /// How many.
    pub veto_tokens_applied: i64,
    /// Bracket.
    pub matchmaker_queue_map_pool_id: i64,
}

/// No vetoes: what an impossible configuration is treated as.
const NO_VETOES: VetoRules = VetoRules {
    tokens_per_player: 0,
    max_tokens_per_map: 1,
    minimum_maps_after_veto: 1.0,
};

impl Bracket {
    /// Whether the bracket's numbers can be followed: players must not be able to veto all maps away.
    pub fn has_possible_vetoes(&self, team_size: u32) -> bool {
        let maps = self.pool.entries.len() as f64;
        let VetoRules {
            tokens_per_player,
            max_tokens_per_map,
            minimum_maps_after_veto,
        } = self.vetoes;
        if max_tokens_per_map == 0 {
            return minimum_maps_after_veto < maps;
        }
        let all_tokens = f64::from(team_size) * 2.0 * f64::from(tokens_per_player);
        all_tokens / f64::from(max_tokens_per_map) <= maps - minimum_maps_after_veto
    }

    fn rules(&self, team_size: u32) -> VetoRules {
        if self.has_possible_vetoes(team_size) {
            self.vetoes
        } else {
            NO_VETOES
        }
    }
}

/// A requested set, cut to what the pools allow, in the order of queues, brackets and maps. If a map is named twice the
/// last counts.
pub(in crate::faf) fn clip(queues: &[QueueSetup], wanted: &[Veto]) -> Vec<Veto> {
    let mut clipped = Vec::new();
    if wanted.is_empty() {
        return clipped;
    }
    for queue in queues {
        for bracket in &queue.brackets {
            let of_bracket =
                |veto: &&Veto| veto.matchmaker_queue_map_pool_id == i64::from(bracket.id);
            let wanted: Vec<Veto> = wanted.iter().filter(of_bracket).copied().collect();
            if wanted.is_empty() {
                continue;
            }
            let rules = bracket.rules(queue.team_size);
            let mut remaining = i64::from(rules.tokens_per_player);
            let maps = bracket.pool.entries.iter().map(|entry| i64::from(entry.id));
            for map in maps.chain([GENERATED]) {
                let Some(veto) = wanted.iter().rfind(|v| v.map_pool_map_version_id == map) else {
                    continue;
                };
                let mut tokens = veto.veto_tokens_applied.clamp(0, remaining);
                if rules.max_tokens_per_map > 0 {
                    tokens = tokens.min(rules.max_tokens_per_map.into());
                }
                if tokens > 0 {
                    remaining -= tokens;
                    clipped.push(Veto {
                        veto_tokens_applied: tokens,
                        ..*veto
                    });
                }
            }
        }
    }
    clipped
}

/// Whether two sets say the same. Of several vetoes of one map the last counts.
pub(in crate::faf) fn same(one: &[Veto], other: &[Veto]) -> bool {
    meant(one) == meant(other)
}

fn meant(vetoes: &[Veto]) -> Vec<Veto> {
    let key = |veto: &Veto| {
        (
            veto.matchmaker_queue_map_pool_id,
            veto.map_pool_map_version_id,
        )
    };
    let mut meant = vetoes.to_vec();
    meant.reverse();
    meant.sort_by_key(key);
    meant.dedup_by_key(|veto| key(veto));
    meant
}

/// Whether the new configuration took tokens from a map that is still there.
pub(in crate::faf) fn is_forced(queues: &[QueueSetup], before: &[Veto], after: &[Veto]) -> bool {
    let there = |veto: &Veto| {
        let brackets = queues.iter().flat_map(|queue| &queue.brackets);
        let mut own = brackets.filter(|b| i64::from(b.id) == veto.matchmaker_queue_map_pool_id);
        own.any(|bracket| {
            let mut maps = bracket.pool.entries.iter().map(|entry| i64::from(entry.id));
            maps.any(|map| map == veto.map_pool_map_version_id)
        })
    };
    before.iter().filter(|veto| there(veto)).any(|veto| {
        let kept = after.iter().find(|kept| {
            kept.matchmaker_queue_map_pool_id == veto.matchmaker_queue_map_pool_id
                && kept.map_pool_map_version_id == veto.map_pool_map_version_id
        });
        kept.map_or(0, |kept| kept.veto_tokens_applied) < veto.veto_tokens_applied
    })
}

/// How much each map of the bracket is still wanted, in the order of its pool, by the vetoes of all players of a match:
/// 1 untouched, 0 banned.
pub(in crate::faf) fn weights(bracket: &Bracket, team_size: u32, vetoes: &[Veto]) -> Vec<f64> {
    let rules = bracket.rules(team_size);
    let total = |map: u32| {
        let of_map = vetoes.iter().filter(|veto| {
            veto.matchmaker_queue_map_pool_id == i64::from(bracket.id)
                && veto.map_pool_map_version_id == i64::from(map)
        });
        of_map.map(|veto| veto.veto_tokens_applied).sum::<i64>() as f64
    };
    let totals: Vec<f64> = bracket.pool.entries.iter().map(|e| total(e.id)).collect();
    let banned_by = match rules.max_tokens_per_map {
        0 => dynamic_value(&totals, rules.minimum_maps_after_veto),
        fixed => f64::from(fixed),
    };
    let weight = |total: f64| {
        if banned_by == 0.0 {
            1.0
        } else {
            (1.0 - total / banned_by).max(0.0)
        }
    };
    totals.into_iter().map(weight).collect()
}

/// How many tokens ban a map so that about `minimum` maps' worth of weight stays; 0: there is no such number.
fn dynamic_value(totals: &[f64], minimum: f64) -> f64 {
    let mut totals = totals.to_vec();
    totals.sort_by(f64::total_cmp);
    let (mut maps, mut sum) = (0.0, 0.0);
    for (at, &total) in totals.iter().enumerate() {
        maps += 1.0;
        sum += total;
        let next = totals.get(at + 1);
        if next == Some(&total) {
            continue;
        }
        if sum == 0.0 && maps >= minimum {
            return 1.0;
        }
        if maps > minimum {
            let value = sum / (maps - minimum);
            if next.is_none_or(|&next| value <= next) {
                return value;
            }
        }
    }
    0.0
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::faf::model::pools::{MapPool, PoolEntry, PoolMap};

    fn queue(rules: VetoRules, maps: u32) -> QueueSetup {
        let entry = |id| PoolEntry {
            id,
            weight: 1.0,
            map: PoolMap::Vault {
                version_id: id,
                folder: "scmp_001".into(),
            },
        };
        QueueSetup {
            id: 1,
            name: "ladder1v1".into(),
            featured_mod: "ladder1v1".into(),
            rating_type: "ladder_1v1".into(),
            team_size: 1,
            game_options: Vec::new(),
            rating_peak: 1000.0,
            brackets: vec![Bracket {
                id: 1,
                min_rating: None,
                max_rating: None,
                vetoes: rules,
                pool: Arc::new(MapPool::new(1, "pool".into(), (1..=maps).map(entry))),
            }],
        }
    }

    const ONE: VetoRules = VetoRules {
        tokens_per_player: 1,
        max_tokens_per_map: 1,
        minimum_maps_after_veto: 1.0,
    };

    fn set(tokens: &[(i64, i64)]) -> Vec<Veto> {
        let veto = |&(map, tokens): &(i64, i64)| Veto {
            map_pool_map_version_id: map,
            veto_tokens_applied: tokens,
            matchmaker_queue_map_pool_id: 1,
        };
        tokens.iter().map(veto).collect()
    }

    // checklist: faf 400, 401, 403, 404
    #[test]
    fn a_requested_set_is_cut_to_the_tokens_and_maps_there_are() {
        let queues = [queue(ONE, 3)];
        for (wanted, stored) in [
            (set(&[(1, 1)]), set(&[(1, 1)])),
            (set(&[(1, 2)]), set(&[(1, 1)])),
            (set(&[(1, 0)]), set(&[])),
            (set(&[(1, 1), (2, 1)]), set(&[(1, 1)])),
            (set(&[(2, 1), (1, 1)]), set(&[(1, 1)])),
            (set(&[(7, 1)]), set(&[])),
            (set(&[(-1, 5)]), set(&[(-1, 1)])),
            (set(&[(2, 5), (2, 1)]), set(&[(2, 1)])),
        ] {
            assert_eq!(clip(&queues, &wanted), stored, "{wanted:?}");
        }
        let mut unknown_bracket = set(&[(1, 1)]);
        unknown_bracket[0].matchmaker_queue_map_pool_id = 9;
        assert_eq!(clip(&queues, &unknown_bracket), []);
        assert!(same(&set(&[(2, 5), (2, 1)]), &set(&[(2, 1)])));
        assert!(!same(&set(&[(1, 0)]), &[]));
    }

    // checklist: faf 401
    #[test]
    fn without_a_limit_for_one_map_all_tokens_may_go_there() {
        let rules = VetoRules {
            tokens_per_player: 3,
            max_tokens_per_map: 0,
            minimum_maps_after_veto: 1.0,
        };
        assert_eq!(clip(&[queue(rules, 3)], &set(&[(2, 9)])), set(&[(2, 3)]));
    }

    // checklist: faf 410
    #[test]
    fn an_impossible_configuration_allows_no_vetoes() {
        for (tokens_per_player, max_tokens_per_map, minimum_maps_after_veto, maps) in [
            (1, 0, 3.0, 3), // all maps must stay
            (1, 1, 2.0, 3), // two players could ban two maps, only one may go
            (4, 2, 1.0, 4), // two players could ban four maps, only three may go
        ] {
            let rules = VetoRules {
                tokens_per_player,
                max_tokens_per_map,
                minimum_maps_after_veto,
            };
            let queue = queue(rules, maps);
            assert!(!queue.brackets[0].has_possible_vetoes(1));
            assert_eq!(clip(&[queue], &set(&[(1, 1)])), []);
        }
        assert!(queue(ONE, 3).brackets[0].has_possible_vetoes(1));
    }

    // checklist: faf 405
    #[test]
    fn a_banned_map_has_no_weight() {
        let queue = queue(ONE, 3);
        let vetoes = set(&[(1, 1), (2, 1)]);
        assert_eq!(weights(&queue.brackets[0], 1, &vetoes), [0.0, 0.0, 1.0]);
    }

    // checklist: faf 406
    #[test]
    fn dynamic_values() {
        for (minimum, totals, expected) in [
            (2.0, &[0.0, 0.0, 0.0][..], 1.0),
            (1.0, &[1.0], 0.0),
            (2.0, &[0.0, 1.0, 1.0], 2.0),
            (1.5, &[0.0, 1.0, 1.0], 4.0 / 3.0),
            (2.5, &[0.0, 0.0, 2.0], 4.0),
            (1.9, &[0.0, 1.0], 10.0),
            (3.5, &[0.0, 0.0, 1.0, 1.0, 2.0], 8.0 / 3.0),
            (1.0, &[1.0, 1.0, 1.0], 1.5),
            (0.5, &[1.0, 1.0, 1.0], 1.2),
            (1.0, &[0.0, 2.0], 1.0),
            (1.5, &[0.0, 2.0], 4.0),
            (4.0, &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0], 2.0),
            (5.0, &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0], 3.0),
            (4.5, &[0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0], 2.4),
        ] {
            let value = dynamic_value(totals, minimum);
            assert!(
                (value - expected).abs() < 1e-9,
                "{minimum}, {totals:?}: {value} is not {expected}"
            );
        }
    }

    // checklist: faf 408
    #[test]
    fn a_change_is_forced_if_a_map_that_is_still_there_lost_tokens() {
        let two = VetoRules {
            tokens_per_player: 2,
            max_tokens_per_map: 1,
            minimum_maps_after_veto: 1.0,
        };
        let before = set(&[(1, 1), (5, 1)]);
        assert_eq!(clip(&[queue(two, 5)], &before), before);
        let fewer_maps = [queue(ONE, 3)];
        let after = clip(&fewer_maps, &before);
        assert_eq!(after, set(&[(1, 1)]));
        assert!(!is_forced(&fewer_maps, &before, &after));
        let none = VetoRules {
            tokens_per_player: 0,
            ..ONE
        };
        let no_tokens = [queue(none, 5)];
        let after = clip(&no_tokens, &before);
        assert_eq!(after, []);
        assert!(is_forced(&no_tokens, &before, &after));
    }
}
