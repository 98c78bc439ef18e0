//! Which map of its bracket a match is played on (spec: faf-matchmaking 9.4).

use rand::RngExt;

use crate::faf::model::pools::{Bracket, MapPool, PoolEntry, PoolMap};

settings::settings! {
    /// How maps that were played lately are avoided (spec: faf-lifecycle 16, `LADDER_ANTI_REPETITION_*`).
    #[derive(Clone, Debug, PartialEq)]
    pub struct AntiRepetition {
        /// How many of a player's last games of a queue count as played when a map is chosen.
        limit: u32 = "matchmaking.anti_repetition_limit", number(0, 1000), "1", unit("games"), live;
        /// Shares of a played map's weight that another must have to take its turns, tried in order.
        weight_base_thresholds: Vec<f64> = "matchmaking.anti_repetition_weight_thresholds", decimals(), "0.75, 0.5", live;
        /// Each further repetition lowers these shares by this factor.
        repeat_counts_factor: f64 = "matchmaking.anti_repetition_repeat_factor", decimal(0, 1000), "0.8", live;
    }
}

/// The places in the pool of maps that were played: from ids of map versions, newest first. Maps that are not in the
/// pool don't count.
pub(in crate::faf) fn played(pool: &MapPool, history: &[u32]) -> Vec<usize> {
    let place = |id: &u32| {
        pool.entries.iter().position(
            |entry| matches!(&entry.map, PoolMap::Vault { version_id, .. } if version_id == id),
        )
    };
    history.iter().filter_map(place).collect()
}

/// Takes the turns of maps that were played and gives them to others: the weights of all maps after that.
pub(in crate::faf) fn without_repetition(
    initial: &[f64],
    played: &[usize],
    tuning: &AntiRepetition,
) -> Vec<f64> {
    let times = |place: usize| played.iter().filter(|&&other| other == place).count() as i32;
    let repetitions: Vec<i32> = (0..initial.len()).map(times).collect();
    let mut order: Vec<usize> = Vec::new();
    for &place in played {
        if initial[place] > 0.0 && !order.contains(&place) {
            order.push(place);
        }
    }
    order.sort_by_key(|&place| std::cmp::Reverse(repetitions[place]));

    let mut adjusted = initial.to_vec();
    for place in order {
        let (times, weight) = (repetitions[place], initial[place]);
        let factor = |times: i32| tuning.repeat_counts_factor.powi(times);
        let among = |least: f64, fits: &dyn Fn(i32) -> bool| -> Vec<usize> {
            let all = 0..initial.len();
            all.filter(|&to| initial[to] > 0.0 && initial[to] >= least && fits(repetitions[to]))
                .collect()
        };
        let fresh = tuning
            .weight_base_thresholds
            .iter()
            .map(|base| among(base * factor(times - 1) * weight, &|repeated| repeated == 0));
        let targets = fresh.into_iter().find(|targets| !targets.is_empty());
        let targets = targets.unwrap_or_else(|| {
            let all = 0..initial.len();
            let less_played = |&to: &usize| {
                let repeated = repetitions[to];
                initial[to] > 0.0
                    && (1..times).contains(&repeated)
                    && initial[to] >= factor(times - repeated) * weight
            };
            all.filter(less_played).collect()
        });
        let all: f64 = targets.iter().map(|&to| initial[to]).sum();
        if targets.is_empty() {
            continue;
        }
        let given = std::mem::take(&mut adjusted[place]);
        for to in targets {
            adjusted[to] += given * initial[to] / all;
        }
    }
    adjusted
}

/// Chooses a map; `None`: the pool is empty, or everything was vetoed. `wanted` are the weights by vetoes.
pub(in crate::faf) fn choose<'a>(
    bracket: &'a Bracket,
    wanted: &[f64],
    history: &[u32],
    tuning: &AntiRepetition,
    rng: &mut impl RngExt,
) -> Option<&'a PoolEntry> {
    let entries = &bracket.pool.entries;
    let mut weights = without_repetition(wanted, &played(&bracket.pool, history), tuning);
    for (weight, entry) in weights.iter_mut().zip(entries) {
        *weight *= entry.weight;
    }
    let all: f64 = weights.iter().sum();
    if all.partial_cmp(&0.0) != Some(std::cmp::Ordering::Greater) {
        return None;
    }
    let mut mark = rng.random_range(0.0..all);
    let mut chosen = None;
    for (weight, entry) in weights.iter().zip(entries).filter(|(w, _)| **w > 0.0) {
        chosen = Some(entry);
        if mark < *weight {
            break;
        }
        mark -= weight;
    }
    chosen
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    #[test]
    fn defaults_are_those_of_the_newest_server() {
        let tuning = AntiRepetition::default();
        assert_eq!((tuning.limit, tuning.repeat_counts_factor), (1, 0.8));
        assert_eq!(tuning.weight_base_thresholds, [0.75, 0.5]);
    }
    use crate::faf::model::pools::VetoRules;

    // checklist: faf 395, 407. Maps are counted from 0 here.
    #[test]
    fn turns_of_played_maps_go_to_others() {
        for (initial, played, bases, expected) in [
            ([1.0, 1.0, 1.0], &[0, 1, 2][..], &[0.5][..], [1.0, 1.0, 1.0]),
            ([0.6, 0.5, 1.0], &[0], &[0.5], [0.0, 0.7, 1.4]),
            ([1.0, 1.0, 0.5], &[0, 0, 1], &[1.0], [0.0, 2.0, 0.5]),
            ([1.0, 1.0, 0.5], &[0, 0, 1], &[0.5], [0.0, 0.0, 2.5]),
            ([1.0, 0.8, 0.4], &[0, 0, 1], &[1.0, 0.5], [0.0, 0.0, 2.2]),
            ([0.0, 1.0, 1.0], &[0], &[0.5], [0.0, 1.0, 1.0]),
        ] {
            let tuning = AntiRepetition {
                limit: 3,
                weight_base_thresholds: bases.to_vec(),
                repeat_counts_factor: 0.8,
            };
            let adjusted = without_repetition(&initial, played, &tuning);
            for (got, expected) in adjusted.iter().zip(expected) {
                assert!((got - expected).abs() < 1e-9, "{adjusted:?}: {expected:?}");
            }
        }
    }

    fn bracket(weights: &[f64]) -> Bracket {
        let entry = |(at, &weight): (usize, &f64)| PoolEntry {
            id: at as u32 + 1,
            weight,
            map: PoolMap::Vault {
                version_id: at as u32 + 11,
                folder: "scmp_001".into(),
            },
        };
        Bracket {
            id: 1,
            min_rating: None,
            max_rating: None,
            vetoes: VetoRules {
                tokens_per_player: 0,
                max_tokens_per_map: 1,
                minimum_maps_after_veto: 1.0,
            },
            pool: Arc::new(MapPool::new(
                1,
                "".into(),
                weights.iter().enumerate().map(entry),
            )),
        }
    }

    fn chosen(bracket: &Bracket, wanted: &[f64], history: &[u32]) -> Vec<usize> {
        let mut rng = SmallRng::seed_from_u64(3);
        let mut counts = vec![0; wanted.len()];
        for _ in 0..1000 {
            let tuning = AntiRepetition::default();
            let entry = choose(bracket, wanted, history, &tuning, &mut rng).unwrap();
            counts[entry.id as usize - 1] += 1;
        }
        counts
    }

    // checklist: faf 396
    #[test]
    fn heavier_maps_are_chosen_more_often() {
        let counts = chosen(&bracket(&[1.0, 3.0, 0.0]), &[1.0; 3], &[]);
        assert!((200..300).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[2], 0);
    }

    // checklist: faf 395, 405
    #[test]
    fn played_and_banned_maps_are_not_chosen() {
        let bracket = bracket(&[1.0; 3]);
        assert_eq!(chosen(&bracket, &[1.0; 3], &[11, 12, 99]), [0, 0, 1000]);
        assert_eq!(chosen(&bracket, &[0.0, 1.0, 0.0], &[12]), [0, 1000, 0]);
    }

    // checklist: faf 397
    #[test]
    fn an_empty_or_banned_pool_has_no_map() {
        let mut rng = SmallRng::seed_from_u64(3);
        let tuning = AntiRepetition::default();
        assert!(choose(&bracket(&[]), &[], &[], &tuning, &mut rng).is_none());
        assert!(choose(&bracket(&[1.0]), &[0.0], &[], &tuning, &mut rng).is_none());
    }
}
