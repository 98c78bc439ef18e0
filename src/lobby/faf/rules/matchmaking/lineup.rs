//! How a match is called and who stands where (spec: faf-matchmaking 8.2).

use rand::{RngExt, seq::SliceRandom};

/// Longest name of a game, in characters.
const NAME_CHARACTERS: usize = 128;

/// Where a player stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::faf) struct Place {
    /// Start spot, army and color, from 1.
    pub position: u32,
    /// 2 or 3.
    pub team: u32,
}

/// What one side of the match is called.
fn side_name(players: &[(&str, Option<&str>)]) -> String {
    match players {
        [] => String::new(),
        [(login, _)] => (*login).to_owned(),
        [(login, clan), others @ ..] => {
            let common = clan.filter(|clan| others.iter().all(|(_, other)| *other == Some(clan)));
            format!("Team {}", common.unwrap_or(login))
        }
    }
}

/// The name of a game between two teams of players, each with login and clan tag.
pub(in crate::faf) fn name(teams: [&[(&str, Option<&str>)]; 2]) -> String {
    let name = format!("{} Vs {}", side_name(teams[0]), side_name(teams[1]));
    name.chars().take(NAME_CHARACTERS).collect()
}

/// Where the players of two teams stand, by their displayed ratings: players of the same rank stand side by side, and
/// chance says where the pairs do.
pub(in crate::faf) fn places(displayed: [&[f64]; 2], rng: &mut impl RngExt) -> [Vec<Place>; 2] {
    let by_rank = displayed.map(|team| {
        let mut order: Vec<usize> = (0..team.len()).collect();
        order.sort_by(|&a, &b| team[a].total_cmp(&team[b]));
        order
    });
    let ranks = by_rank[0].len().max(by_rank[1].len());
    let mut pairs: Vec<usize> = (0..ranks).collect();
    pairs.shuffle(rng);
    let nowhere = Place {
        position: 0,
        team: 0,
    };
    let mut places = [0, 1].map(|team| vec![nowhere; by_rank[team].len()]);
    for (at, rank) in pairs.into_iter().enumerate() {
        for team in [0, 1] {
            if let Some(&player) = by_rank[team].get(rank) {
                places[team][player] = Place {
                    position: 2 * at as u32 + team as u32 + 1,
                    team: team as u32 + 2,
                };
            }
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    // checklist: faf 376
    #[test]
    fn a_game_is_called_after_its_players_or_their_clans() {
        let (nva, none) = (Some("NVA"), None);
        let of = |one: &[(&str, Option<&str>)], other: &[(&str, Option<&str>)]| name([one, other]);
        assert_eq!(of(&[("orion", nva)], &[("vega", none)]), "orion Vs vega");
        assert_eq!(
            of(
                &[("orion", nva), ("lyra", nva)],
                &[("vega", none), ("deneb", none)]
            ),
            "Team NVA Vs Team vega"
        );
        assert_eq!(
            of(
                &[("orion", nva), ("lyra", none)],
                &[("vega", none), ("deneb", nva)]
            ),
            "Team orion Vs Team vega"
        );
        assert_eq!(of(&[(&"x".repeat(200), none)], &[("y", none)]).len(), 128);
    }

    // checklist: faf 372, 373
    #[test]
    fn players_of_the_same_rank_are_neighbours_and_teams_alternate() {
        let mut rng = SmallRng::seed_from_u64(5);
        let mut orders = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let [first, second] = places([&[3.0, 1.0, 2.0], &[10.0, 30.0, 20.0]], &mut rng);
            for (one, other) in [(0, 1), (1, 0), (2, 2)] {
                assert_eq!(first[one].position + 1, second[other].position);
            }
            assert!(first.iter().all(|p| p.team == 2 && p.position % 2 == 1));
            assert!(second.iter().all(|p| p.team == 3 && p.position % 2 == 0));
            orders.insert(first.iter().map(|p| p.position).collect::<Vec<_>>());
        }
        assert_eq!(orders.len(), 6, "chance decides");
    }
}
