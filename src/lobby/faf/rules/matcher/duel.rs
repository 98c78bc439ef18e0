//! Team size 1: a stable matching (spec: faf-matchmaking 6).
//!
//! Every search ranks those it could play against by quality and proposes to the best first; whoever is proposed to
//! keeps the better one (Gale and Shapley 1962, with one kind of people and a limited number of rounds). In a long queue
//! only neighbours by rating are looked at, so the graph has about n·log n edges. It is kept in one array, each search's
//! neighbours side by side.

use super::{Rating, Search, Side, Tuning, quality};

/// From this many searches on only neighbours by rating are compared.
const WINDOWED_FROM: usize = 30;
/// Players whose deviation is at least this count as rated 0 when neighbours are looked for.
const KNOWN_DEVIATION: f64 = 250.0;
/// The window of queues so short that their logarithm would make it smaller.
const SHORTEST_FOR_WINDOW: usize = 16;

/// Somebody to play against, and how well.
#[derive(Clone, Copy)]
struct Neighbour {
    search: usize,
    quality: f64,
}

/// The graph of compatible searches. A search's neighbours are sorted: the best comes last.
struct Graph {
    neighbours: Vec<Neighbour>,
    /// Where each search's neighbours begin; one more at the end.
    starts: Vec<usize>,
}

/// The pairs that should play: the earlier of the two in the queue first, in queue order of these.
pub(super) fn pairs(searches: &[Search], tuning: &Tuning) -> Vec<(usize, usize)> {
    let graph = Graph::of_compatible(searches, tuning);
    let partners = propose(&graph);
    let both = partners.iter().enumerate();
    both.filter_map(|(one, partner)| Some((one, (*partner)?.search)))
        .filter(|(one, other)| one < other)
        .collect()
}

impl Graph {
    fn of_compatible(searches: &[Search], tuning: &Tuning) -> Self {
        let judged: Vec<(Side, f64)> = searches
            .iter()
            .map(|search| (search.side(tuning), search.threshold(tuning)))
            .collect();
        let (order, reach) = reach(searches, tuning);
        let mut edges = Vec::with_capacity(searches.len() * reach.min(WINDOWED_FROM));
        for (at, &one) in order.iter().enumerate() {
            let end = order.len().min((at + 1).saturating_add(reach));
            for &other in &order[at + 1..end] {
                let quality = quality(judged[one].0, judged[other].0);
                if quality >= judged[one].1 && quality >= judged[other].1 {
                    edges.push((one, other, quality));
                }
            }
        }
        Graph::new(searches.len(), &edges)
    }

    fn new(searches: usize, edges: &[(usize, usize, f64)]) -> Self {
        let mut starts = vec![0; searches + 1];
        for &(one, other, _) in edges {
            starts[one + 1] += 1;
            starts[other + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let nobody = Neighbour {
            search: 0,
            quality: 0.0,
        };
        let mut neighbours = vec![nobody; 2 * edges.len()];
        let mut ends = starts.clone();
        for &(one, other, quality) in edges {
            for (of, search) in [(one, other), (other, one)] {
                neighbours[ends[of]] = Neighbour { search, quality };
                ends[of] += 1;
            }
        }
        for bounds in starts.windows(2) {
            neighbours[bounds[0]..bounds[1]].sort_by(|a, b| a.quality.total_cmp(&b.quality));
        }
        Graph { neighbours, starts }
    }
}

/// The order in which searches are compared, and with how many of the next each.
fn reach(searches: &[Search], tuning: &Tuning) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..searches.len()).collect();
    if searches.len() < WINDOWED_FROM {
        return (order, usize::MAX);
    }
    let known = |rating: Rating| {
        if rating.deviation < KNOWN_DEVIATION {
            rating.mean
        } else {
            0.0
        }
    };
    let average = |search: &Search| {
        let all = search.players.iter().map(|p| known(p.matching(tuning)));
        // Adding zero makes a negative zero equal to the positive one.
        all.sum::<f64>() / search.players.len() as f64 + 0.0
    };
    let averages: Vec<f64> = searches.iter().map(average).collect();
    order.sort_by(|&a, &b| averages[a].total_cmp(&averages[b]));
    let window = searches.len().max(SHORTEST_FOR_WINDOW).ilog2() / 2;
    (order, window as usize)
}

/// Each search's partner (spec: faf-matchmaking 6, step 3).
fn propose(graph: &Graph) -> Vec<Option<Neighbour>> {
    let count = graph.starts.len() - 1;
    let mut partners: Vec<Option<Neighbour>> = vec![None; count];
    // The neighbours a search has not proposed to are those from its start up to here.
    let mut left: Vec<usize> = graph.starts[1..].to_vec();
    let degrees = graph.starts.windows(2).map(|bounds| bounds[1] - bounds[0]);
    for _ in 0..degrees.max().unwrap_or(0) {
        let mut proposed = false;
        for one in 0..count {
            if partners[one].is_some() || left[one] == graph.starts[one] {
                continue;
            }
            proposed = true;
            left[one] -= 1;
            let best = graph.neighbours[left[one]];
            match partners[best.search] {
                Some(current) if best.quality <= current.quality => continue,
                Some(current) => partners[current.search] = None,
                None => {}
            }
            partners[one] = Some(best);
            partners[best.search] = Some(Neighbour {
                search: one,
                quality: best.quality,
            });
        }
        if !proposed {
            break;
        }
    }
    partners
}
