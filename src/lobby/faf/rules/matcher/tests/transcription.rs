//! Sections 3, 6 and 7 of the matchmaking specification, sentence by sentence, with no thought of speed.
//!
//! The tests compare the matcher with this text on random queues, and the benchmark uses it as the yardstick. Whoever
//! includes the file supplies the input types beside it; it shares nothing else with the matcher.

use super::{Proposal, Rating, Search, Snapshot, Tuning};

/// A search as it takes part: whole, with its place in the queue as its name.
#[derive(Clone)]
struct Named {
    id: usize,
    search: Search,
}

/// All matches of one pop.
pub(crate) fn find(snapshot: &Snapshot, tuning: &Tuning) -> Vec<Proposal> {
    let searches: Vec<Named> = snapshot
        .searches
        .iter()
        .enumerate()
        .map(|(id, search)| Named {
            id,
            search: search.clone(),
        })
        .collect();
    if players(&searches).len() < 2 * snapshot.team_size as usize {
        return vec![];
    }
    if snapshot.team_size == 1 {
        stable_matching(&searches, tuning)
    } else {
        team_games(&searches, snapshot, tuning)
    }
}

// 3. Ratings in matchmaking.

fn displayed(p: &Rating) -> f64 {
    p.mean - 3.0 * p.deviation
}

fn is_newbie(p: &Rating, t: &Tuning) -> bool {
    p.games <= t.newbie_min_games
}

fn matching(p: &Rating, t: &Tuning) -> (f64, f64) {
    if is_newbie(p, t) {
        let n = p.games as f64;
        let limit = t.newbie_min_games as f64;
        let mean = ((limit - n) * t.newbie_base_mean + n * p.mean) / limit;
        (mean, p.deviation)
    } else {
        (p.mean, p.deviation)
    }
}

fn quality(team1: &Search, team2: &Search, t: &Tuning) -> f64 {
    let ratings1: Vec<(f64, f64)> = team1.players.iter().map(|p| matching(p, t)).collect();
    let ratings2: Vec<(f64, f64)> = team2.players.iter().map(|p| matching(p, t)).collect();
    let all: Vec<(f64, f64)> = [ratings1.clone(), ratings2.clone()].concat();
    let n_beta2 = all.len() as f64 * (240.0 * 240.0);
    let v: f64 = all.iter().map(|r| r.1 * r.1).sum();
    let sum1: f64 = ratings1.iter().map(|r| r.0).sum();
    let sum2: f64 = ratings2.iter().map(|r| r.0).sum();
    let d = sum1 - sum2;
    (n_beta2 / (n_beta2 + v)).sqrt() * (-(d * d) / (2.0 * (n_beta2 + v))).exp()
}

fn threshold(s: &Search, t: &Tuning) -> f64 {
    let q0 = quality(s, s, t);
    let f = s.failed_attempts as f64;
    let has_top = s
        .players
        .iter()
        .any(|p| displayed(p) >= t.top_player_min_rating);
    let has_newbie = s.players.iter().any(|p| is_newbie(p, t));
    let expansion = if has_top {
        f64::min(t.top_player_expansion_step * f, t.top_player_expansion_max)
    } else if has_newbie {
        f64::min(t.newbie_expansion_step * f, t.newbie_expansion_max)
    } else {
        f64::min(t.expansion_step * f, t.expansion_max)
    };
    f64::max(0.8 * q0 - expansion, 0.0)
}

fn compatible(a: &Search, b: &Search, t: &Tuning) -> bool {
    let q = quality(a, b, t);
    q >= threshold(a, t) && q >= threshold(b, t)
}

// 6. Team size 1: stable matching.

fn edges(list: &[Named], t: &Tuning) -> Vec<(Named, Named)> {
    let mut edges = vec![];
    if list.len() < 30 {
        for (i, one) in list.iter().enumerate() {
            for other in &list[i + 1..] {
                if compatible(&one.search, &other.search, t) {
                    edges.push((one.clone(), other.clone()));
                }
            }
        }
        return edges;
    }
    let average = |s: &Search| {
        let means = s.players.iter().map(|p| {
            let (mean, deviation) = matching(p, t);
            if deviation < 250.0 { mean } else { 0.0 }
        });
        means.sum::<f64>() / s.players.len() as f64
    };
    let mut sorted = list.to_vec();
    sorted.sort_by(|a, b| average(&a.search).partial_cmp(&average(&b.search)).unwrap());
    let size = f64::max(16.0, list.len() as f64);
    let k = (size.log2().floor() / 2.0).floor() as usize;
    for (i, one) in sorted.iter().enumerate() {
        for other in sorted.iter().skip(i + 1).take(k) {
            if compatible(&one.search, &other.search, t) {
                edges.push((one.clone(), other.clone()));
            }
        }
    }
    edges
}

fn stable_matching(list: &[Named], t: &Tuning) -> Vec<Proposal> {
    let edges = edges(list, t);
    let mut neighbours: Vec<(Named, Vec<Named>)> = vec![];
    for s in list {
        let mut of_s: Vec<Named> = vec![];
        for (one, other) in &edges {
            if one.id == s.id {
                of_s.push(other.clone());
            } else if other.id == s.id {
                of_s.push(one.clone());
            }
        }
        let weight = |n: &Named| quality(&s.search, &n.search, t);
        of_s.sort_by(|a, b| weight(a).partial_cmp(&weight(b)).unwrap());
        if !of_s.is_empty() {
            neighbours.push((s.clone(), of_s));
        }
    }
    let rounds = neighbours.iter().map(|(_, of)| of.len()).max().unwrap_or(0);
    let mut pairs: Vec<(Named, Named)> = vec![];
    for _ in 0..rounds {
        if 2 * pairs.len() == neighbours.len() {
            break;
        }
        for (s, left) in &mut neighbours {
            let partner_of = |id: usize| pairs.iter().position(|(a, b)| a.id == id || b.id == id);
            if partner_of(s.id).is_some() || left.is_empty() {
                continue;
            }
            let target = left.pop().unwrap();
            let better = match partner_of(target.id) {
                None => true,
                Some(at) => {
                    let (a, b) = &pairs[at];
                    let current = quality(&a.search, &b.search, t);
                    let better = quality(&s.search, &target.search, t) > current;
                    if better {
                        pairs.remove(at);
                    }
                    better
                }
            };
            if better {
                pairs.push((s.clone(), target));
            }
        }
    }
    // Which of the two is team 1 and the order of the pairs are not specified: as in the queue.
    let mut ids: Vec<(usize, usize)> = pairs
        .iter()
        .map(|(a, b)| (a.id.min(b.id), a.id.max(b.id)))
        .collect();
    ids.sort();
    ids.into_iter()
        .map(|(a, b)| Proposal {
            teams: [vec![a], vec![b]],
        })
        .collect()
}

// 7. Team size > 1.

fn players(list: &[Named]) -> Vec<Rating> {
    list.iter().flat_map(|s| s.search.players.clone()).collect()
}

fn sum(list: &[Rating]) -> f64 {
    list.iter().map(displayed).sum()
}

fn avg(list: &[Rating]) -> f64 {
    sum(list) / list.len() as f64
}

fn participants(sorted: &[Named], i: usize, team_size: usize) -> Option<Vec<Named>> {
    let mut sequence = vec![];
    let (mut lower, mut higher) = (i, i + 1);
    while lower > 0 || higher < sorted.len() {
        if lower > 0 {
            lower -= 1;
            sequence.push(sorted[lower].clone());
        }
        if higher < sorted.len() {
            sequence.push(sorted[higher].clone());
            higher += 1;
        }
    }
    let mut picked = vec![sorted[i].clone()];
    for candidate in sequence {
        if players(&picked).len() == 2 * team_size {
            break;
        }
        if players(&picked).len() + candidate.search.players.len() <= 2 * team_size {
            picked.push(candidate);
        }
    }
    (players(&picked).len() == 2 * team_size).then_some(picked)
}

fn split(picked: &[Named], team_size: usize) -> Option<(Vec<Named>, Vec<Named>)> {
    let size = |s: &&Named| s.search.players.len();
    let full = picked.iter().rfind(|s| size(s) == team_size);
    let short = picked.iter().rfind(|s| size(s) == team_size - 1);
    let a: Vec<Named> = if let Some(full) = full {
        vec![full.clone()]
    } else if let Some(short) = short {
        let all = avg(&players(picked));
        let off = |filler: &Named| {
            let together = [short.clone(), filler.clone()];
            (all - avg(&players(&together))).abs()
        };
        let mut singles = picked
            .iter()
            .filter(|s| size(s) == 1 && s.id != short.id)
            .cloned()
            .collect::<Vec<_>>();
        singles.sort_by(|x, y| off(x).partial_cmp(&off(y)).unwrap());
        vec![short.clone(), singles.first()?.clone()]
    } else {
        largest_differencing(picked)
    };
    let in_a = |s: &&Named| a.iter().any(|of_a| of_a.id == s.id);
    let b: Vec<Named> = picked.iter().filter(|s| !in_a(s)).cloned().collect();
    (players(&a).len() == team_size && players(&b).len() == team_size).then_some((a, b))
}

#[derive(Clone)]
enum Item {
    Participant(Named),
    Difference(Box<Item>, Box<Item>),
}

fn unfold(item: &Item, same: &mut Vec<usize>, other: &mut Vec<usize>) {
    match item {
        Item::Participant(s) => same.push(s.id),
        Item::Difference(big, small) => {
            unfold(big, same, other);
            unfold(small, other, same);
        }
    }
}

fn largest_differencing(picked: &[Named]) -> Vec<Named> {
    // Value, number of the insertion, item.
    let mut items: Vec<(f64, usize, Item)> = vec![];
    let mut inserted = 0;
    for s in picked {
        let value = 5000.0 * s.search.players.len() as f64 + sum(&s.search.players);
        items.push((value, inserted, Item::Participant(s.clone())));
        inserted += 1;
    }
    while items.len() > 1 {
        items.sort_by(|a, b| (a.0, a.1).partial_cmp(&(b.0, b.1)).unwrap());
        let big = items.pop().unwrap();
        let small = items.pop().unwrap();
        let item = Item::Difference(Box::new(big.2), Box::new(small.2));
        items.push((big.0 - small.0, inserted, item));
        inserted += 1;
    }
    let (mut side_a, mut side_b) = (vec![], vec![]);
    unfold(&items[0].2, &mut side_a, &mut side_b);
    // The order inside a team is not significant: as picked.
    picked
        .iter()
        .filter(|s| side_a.contains(&s.id))
        .cloned()
        .collect()
}

pub(crate) fn game_quality(
    a: &[Search],
    b: &[Search],
    team_size: u32,
    peak: f64,
    t: &Tuning,
) -> f64 {
    let searches: Vec<&Search> = a.iter().chain(b).collect();
    let z = |s: &Search| s.players.len() as f64 / team_size as f64;
    let newbies = |s: &Search| s.players.iter().filter(|p| is_newbie(p, t)).count();
    let b_share = |s: &Search| newbies(s) as f64 / team_size as f64;
    let time_bonus: f64 = searches
        .iter()
        .map(|s| {
            let f = s.failed_attempts as f64;
            f64::min(t.time_bonus * f * z(s), t.maximum_time_bonus * z(s))
        })
        .sum();
    let newbie_bonus: f64 = searches
        .iter()
        .map(|s| {
            let f = s.failed_attempts as f64;
            f64::min(
                t.newbie_time_bonus * f * b_share(s),
                t.maximum_newbie_time_bonus * b_share(s),
            )
        })
        .sum();
    let minority: f64 = searches
        .iter()
        .map(|s| {
            let off = (avg(&s.players) - peak) / t.minority_bonus_rating_range;
            off.powf(4.0) * z(s) * t.minority_bonus
        })
        .sum();
    let minority_bonus = f64::min(1.0, minority);
    let of =
        |team: &[Search]| -> Vec<Rating> { team.iter().flat_map(|s| s.players.clone()).collect() };
    let unfairness = (sum(&of(a)) - sum(&of(b))).abs() / t.maximum_rating_imbalance;
    let averages: Vec<f64> = searches.iter().map(|s| avg(&s.players)).collect();
    let mean = averages.iter().sum::<f64>() / averages.len() as f64;
    let squares: f64 = averages.iter().map(|x| (x - mean) * (x - mean)).sum();
    let variety = (squares / averages.len() as f64).sqrt() / t.maximum_rating_deviation;
    let quality =
        1.0 - (unfairness * unfairness + variety * variety).sqrt() + time_bonus + minority_bonus;
    let high_rated = |team: &[Search]| {
        of(team)
            .iter()
            .any(|p| displayed(p) >= t.high_rated_min_rating)
    };
    if high_rated(a) || high_rated(b) {
        quality
    } else {
        quality + newbie_bonus
    }
}

fn team_games(list: &[Named], snapshot: &Snapshot, t: &Tuning) -> Vec<Proposal> {
    let team_size = snapshot.team_size as usize;
    let mut sorted = list.to_vec();
    sorted.sort_by(|a, b| {
        let (a, b) = (avg(&a.search.players), avg(&b.search.players));
        a.partial_cmp(&b).unwrap()
    });
    let mut games: Vec<(f64, Vec<Named>, Vec<Named>)> = vec![];
    for i in 0..sorted.len() {
        let Some(picked) = participants(&sorted, i, team_size) else {
            continue;
        };
        let Some((a, b)) = split(&picked, team_size) else {
            continue;
        };
        let plain =
            |team: &[Named]| -> Vec<Search> { team.iter().map(|s| s.search.clone()).collect() };
        let quality = game_quality(
            &plain(&a),
            &plain(&b),
            snapshot.team_size,
            snapshot.rating_peak,
            t,
        );
        if quality >= t.minimum_game_quality {
            games.push((quality, a, b));
        }
    }
    // Highest quality first; on ties the later built first.
    games.reverse();
    games.sort_by(|x, y| y.0.partial_cmp(&x.0).unwrap());
    let mut accepted: Vec<(Vec<Named>, Vec<Named>)> = vec![];
    for (_, a, b) in games {
        let in_accepted = |s: &Named| {
            accepted
                .iter()
                .any(|(x, y)| x.iter().chain(y).any(|other| other.id == s.id))
        };
        if !a.iter().chain(&b).any(in_accepted) {
            accepted.push((a, b));
        }
    }
    let ids = |team: &[Named]| team.iter().map(|s| s.id).collect();
    accepted
        .iter()
        .map(|(a, b)| Proposal {
            teams: [ids(a), ids(b)],
        })
        .collect()
}
