//! Launched games whose owner's node is lost: at once, in the middle of their results, twice, or not for good. Nothing that was
//! reported is lost, and each game is rated once.

use super::{
    nodes_games::{Party, WON},
    nodes_support::*,
    *,
};
use crate::{
    Dialect, ShardId,
    faf::{
        Mail,
        mail::{
            game::{GameMail, GameReport},
            session::{SeatKept, SessionMail},
        },
        model::{limits::REPORTS_KEPT, seat::Seat},
    },
};

/// How long it takes until a game of a lost node is over for those who do not come back.
const OVER_S: u64 = 30;

impl Party {
    /// The node of the game's host is lost this moment, with him and one of his guests.
    fn loses_owner(&mut self) {
        self.sim.lose(0);
    }

    /// The host is back on another node, and in his game.
    fn host_returns(&mut self, node: u8) -> ConnId {
        let host = player_on(&mut self.sim, 1, node);
        let restore = json!({"command": "restore_game_session", "game_id": self.uid});
        assert_eq!(own(say(&mut self.sim, host, restore)), [json!(null); 0]);
        assert_eq!(state_of(&self.sim, host), "PLAYING");
        // Whoever goes on with it has them in it, also when it has begun to with their return.
        seconds(&mut self.sim, 1);
        let shards = self.sim.all_shards();
        assert!(shards.into_iter().any(|shard| {
            let game = self.sim.dialect_on(shard).roles.games.games.get(&self.uid);
            game.is_some_and(|game| game.seats().any(|seat| seat.conn == host))
        }));
        host
    }

    fn results(&mut self, conn: ConnId, armies: impl IntoIterator<Item = u32>) {
        for army in armies {
            let text = match army {
                2 | 3 => "victory 10",
                _ => "defeat -10",
            };
            let result = game("GameResult", json!([army, text]));
            self.sim.send(conn, result.to_string());
        }
        self.sim.settle();
    }

    fn says(&mut self, conn: ConnId, command: &str, args: Value) {
        self.sim.send(conn, game(command, args).to_string());
        self.sim.settle();
    }

    /// Who has the game.
    fn owners(&self) -> Vec<ShardId> {
        let has = |shard: &ShardId| {
            let games = &self.sim.dialect_on(*shard).roles.games.games;
            games.contains_key(&self.uid)
        };
        self.sim.all_shards().into_iter().filter(has).collect()
    }

    /// A player's place in the game, and who has it, as their shard knows it.
    fn link(&self, conn: ConnId) -> Option<(Seat, ShardId)> {
        let sessions = &self.sim.dialect_of(conn).roles.sessions;
        let link = sessions.table.get(conn)?.link.as_deref()?;
        Some((link.seat, link.owner))
    }

    /// A letter arrives this moment, and nothing that comes of it.
    fn arrives(&mut self, from: ShardId, to: ShardId, mail: impl Into<Mail>) {
        let all = self.sim.shards();
        let at = (0..all).find(|&at| self.sim.id(at) == to);
        let at = at.expect("it is a shard");
        let mail = mail.into();
        self.sim.with(at, |faf, turn| faf.on_mail(turn, from, mail));
    }

    /// Sum of a counter over all shards of nodes that run.
    fn count(&self, of: impl Fn(&crate::faf::Metrics) -> u64) -> u64 {
        let shards = self.sim.all_shards().into_iter();
        let counts = shards.map(|shard| of(&self.sim.dialect_on(shard).roles.metrics));
        counts.sum()
    }

    fn kept(&self) -> bool {
        self.sim.all_shards().into_iter().any(|shard| {
            let sessions = &self.sim.dialect_on(shard).roles.sessions;
            !sessions.reports.is_empty()
        })
    }
}

#[test]
fn a_game_whose_owner_is_lost_right_after_the_launch_goes_on() {
    for seed in 0..10 {
        let mut party = Party::new(seed);
        party.says(party.host, "GameState", json!(["Launching"]));
        party.loses_owner();
        seconds(&mut party.sim, 4);
        assert_eq!(state_of(&party.sim, party.guests[0]), "PLAYING");
        let host = party.host_returns(1 + (seed % 2) as u8);
        seconds(&mut party.sim, 240);
        party.ends(&[host, party.guests[0], party.guests[1]]);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
    }
}

#[test]
fn results_that_the_owner_has_told_nobody_of_are_not_lost_with_it() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        // It has heard half of them long ago, and half of them just now.
        let guest = party.guests[0];
        party.results(guest, 1..=2);
        seconds(&mut party.sim, 1);
        party.results(guest, 3..=4);
        party.loses_owner();
        seconds(&mut party.sim, OVER_S);
        for guest in [party.guests[0], party.guests[1]] {
            party.says(guest, "GameEnded", json!([]));
        }
        tick(&mut party.sim);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
        assert!(party.count(|metrics| metrics.reports_again.value()) > 0);
        assert_eq!(party.count(|metrics| metrics.reports_lost.value()), 0);
    }
}

#[test]
fn results_of_the_owners_own_players_are_not_lost_with_it_either() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        party.results(party.host, 1..=2);
        seconds(&mut party.sim, seed % 2); // so that the first two are in its copy, or not
        party.results(party.host, 3..=4);
        party.loses_owner();
        seconds(&mut party.sim, OVER_S);
        for guest in [party.guests[0], party.guests[1]] {
            party.says(guest, "GameEnded", json!([]));
        }
        tick(&mut party.sim);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
    }
}

#[test]
fn reports_of_the_owners_own_players_are_kept_until_its_next_copy_and_no_more_than_some() {
    let mut party = Party::launched(1);
    let owner = party.owners()[0];
    let told = party.sim.dialect_on(owner).roles.games.told_shadows[&party.uid];
    let (seat, _) = party.link(party.host).expect("they are in it");
    let over_limit = |party: &Party| party.count(|metrics| metrics.over_limit.value());
    let before = over_limit(&party);
    let own = |report| GameMail::OwnReport { seat, report };
    for _ in 0..256 {
        party.arrives(owner, told, own(GameReport::Touch));
    }
    // What somebody else says of it is not kept, and not counted.
    party.arrives(told, told, own(GameReport::Touch));
    assert_eq!(over_limit(&party), before);
    party.arrives(owner, told, own(GameReport::Touch));
    assert_eq!(over_limit(&party), before + 1);
    party.results(party.host, 1..=1);
    seconds(&mut party.sim, 1);
    let long = GameReport::Stats("x".repeat(200 << 10));
    party.arrives(owner, told, own(long.clone()));
    assert_eq!(over_limit(&party), before + 2);
    party.arrives(owner, told, own(long));
    assert_eq!(over_limit(&party), before + 3);
}

#[test]
fn what_is_reported_while_nobody_has_the_game_is_heard_in_its_order() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        party.sim.late = Duration::from_millis(seed * 30);
        party.loses_owner();
        // They report all they have to report, and are gone before anybody knows of the loss.
        for guest in [party.guests[0], party.guests[1]] {
            party.results(guest, 1..=4);
            party.says(guest, "GameEnded", json!([]));
            party.says(guest, "GameState", json!(["Ended"]));
            assert_eq!(state_of(&party.sim, guest), "IDLE");
        }
        seconds(&mut party.sim, OVER_S);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
        seconds(&mut party.sim, OVER_S);
        assert_eq!(party.games(1) + party.games(2), 0);
    }
}

#[test]
fn an_owner_that_is_back_finds_that_another_goes_on_and_each_result_counts_once() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        party.sim.cut(0);
        party.results(party.guests[0], 1..=2);
        seconds(&mut party.sim, 3);
        // Somebody says something to who goes on with it; the host's side has the other half.
        party.results(party.guests[0], 3..=3);
        party.results(party.host, 4..=4);
        seconds(&mut party.sim, 2);
        let taken_over = party.count(|metrics| metrics.games_taken_over.value());
        assert_eq!(taken_over, 1, "seed {seed}");
        back(&mut party.sim, 0);
        seconds(&mut party.sim, OVER_S);
        let given_up = party.count(|metrics| metrics.games_given_up.value());
        assert_eq!(given_up, 1, "seed {seed}");
        for conn in party.all() {
            assert_eq!(state_of(&party.sim, conn), "PLAYING", "seed {seed}");
            party.says(conn, "GameEnded", json!([]));
        }
        tick(&mut party.sim);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
        for conn in party.all() {
            party.says(conn, "GameState", json!(["Ended"]));
        }
        seconds(&mut party.sim, OVER_S);
        let games = (0..3).map(|node| party.games(node));
        assert_eq!(games.sum::<usize>(), 0, "seed {seed}");
    }
}

#[test]
fn a_game_outlives_two_losses_in_a_row() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        party.loses_owner();
        let goes_on = |party: &Party, node| party.games(node) > 0;
        let mut waited = 0;
        while !goes_on(&party, 1) && !goes_on(&party, 2) {
            seconds(&mut party.sim, 1);
            waited += 1;
            assert!(waited < OVER_S, "seed {seed}: nobody goes on with it");
        }
        let second = if goes_on(&party, 1) { 1 } else { 2 };
        let left = party.guests[2 - second];
        assert_eq!(left.shard.node() as usize, 3 - second);
        party.results(left, 1..=4);
        party.sim.lose(second as u8);
        seconds(&mut party.sim, OVER_S);
        assert_eq!(state_of(&party.sim, left), "PLAYING", "seed {seed}");
        party.says(left, "GameEnded", json!([]));
        tick(&mut party.sim);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
    }
}

#[test]
fn reports_are_kept_until_two_nodes_have_them_and_no_more_than_some() {
    let mut party = Party::launched(1);
    let guest = party.guests[0];
    party.results(guest, 1..=4);
    assert!(party.kept());
    seconds(&mut party.sim, 1);
    assert!(!party.kept(), "another node has been told");
    party.loses_owner();
    for _ in 0..=REPORTS_KEPT / 4 {
        party.results(guest, 1..=4);
    }
    assert_eq!(party.count(|metrics| metrics.reports_not_kept.value()), 4);
    seconds(&mut party.sim, OVER_S);
    for guest in [party.guests[0], party.guests[1]] {
        party.says(guest, "GameEnded", json!([]));
    }
    tick(&mut party.sim);
    assert_eq!(party.rated(), [party.uid]);
    seconds(&mut party.sim, 1);
    assert!(!party.kept());
}

#[test]
fn who_is_in_a_game_that_is_over_stays_in_it_until_they_leave() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        let guest = party.guests[0];
        party.ends(&party.all());
        assert_eq!(party.rated(), [party.uid]);
        match seed % 2 {
            // Its shard tells the owner, which tells nobody of the game any more, that they are in it.
            0 => party.sim.break_lane(0, 1),
            _ => {
                party.sim.cut(0);
                seconds(&mut party.sim, 1);
                back(&mut party.sim, 0);
            }
        }
        seconds(&mut party.sim, OVER_S);
        assert!(is_linked(&party.sim, guest), "seed {seed}");
        for conn in party.all() {
            party.says(conn, "GameState", json!(["Ended"]));
        }
        seconds(&mut party.sim, 1);
        assert_eq!(party.owners(), [], "seed {seed}");
    }
}

#[test]
fn a_game_that_ends_where_it_is_cut_off_is_left_by_all() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        for guest in [party.guests[0], party.guests[1]] {
            party.says(guest, "GameEnded", json!([]));
        }
        party.sim.cut(0);
        for conn in [party.host, party.guests[2]] {
            party.says(conn, "GameEnded", json!([]));
        }
        seconds(&mut party.sim, 4);
        back(&mut party.sim, 0);
        seconds(&mut party.sim, OVER_S);
        for conn in party.all() {
            party.says(conn, "GameState", json!(["Ended"]));
            assert!(!is_linked(&party.sim, conn), "seed {seed}");
        }
        seconds(&mut party.sim, OVER_S);
        assert_eq!(party.owners(), [], "seed {seed}");
    }
}

#[test]
fn what_whoever_had_a_game_before_says_of_a_place_is_not_heard() {
    let mut party = Party::launched(1);
    let before = party.owners()[0];
    party.sim.cut(0);
    seconds(&mut party.sim, OVER_S);
    for guest in [party.guests[0], party.guests[1]] {
        let (seat, owner) = party.link(guest).expect("they are in it");
        assert_ne!(owner, before);
        let kept = SessionMail::SeatKept(SeatKept {
            seat,
            is_playing: true,
            epoch: 0,
        });
        party.arrives(before, guest.shard, kept);
        party.arrives(before, guest.shard, SessionMail::LinkEnded(seat));
        assert_eq!(party.link(guest), Some((seat, owner)));
    }
}

#[test]
fn of_two_that_go_on_with_a_game_at_once_one_gives_it_up() {
    for seed in 0..10 {
        let mut party = Party::launched(seed);
        let first = party.owners()[0];
        let told = |party: &Party| {
            let games = &party.sim.dialect_on(first).roles.games;
            games.told_shadows[&party.uid]
        };
        // The one that was told first is away for a while, so that another one is told; then it is back, and the owner lost.
        let one = told(&party);
        party.sim.cut(one.node());
        seconds(&mut party.sim, 5);
        let other = told(&party);
        assert_ne!(one, other);
        party.loses_owner();
        back(&mut party.sim, one.node());
        seconds(&mut party.sim, 3);
        assert_eq!(party.owners(), []);
        for (guest, to) in party.guests.into_iter().zip([one, other]) {
            let (seat, _) = party.link(guest).expect("they are in it");
            let touch = GameMail::report(seat, GameReport::Touch);
            party.arrives(guest.shard, to, touch);
        }
        assert_eq!(party.owners().len(), 2);
        party.results(party.guests[0], 1..=2);
        party.results(party.guests[1], 3..=4);
        seconds(&mut party.sim, OVER_S);
        let owners = party.owners();
        assert_eq!(owners.len(), 1, "seed {seed}");
        for guest in [party.guests[0], party.guests[1]] {
            let owner = party.link(guest).map(|(_, owner)| owner);
            assert_eq!(owner, Some(owners[0]), "seed {seed}");
            party.says(guest, "GameEnded", json!([]));
        }
        tick(&mut party.sim);
        assert_eq!(party.outcomes(), WON, "seed {seed}");
        assert_eq!(party.rated(), [party.uid]);
    }
}

#[test]
fn who_is_lost_while_they_are_let_back_in_does_not_stay_in_the_game() {
    let mut party = Party::launched(1);
    let guest = party.guests[1];
    let (seat, owner) = party.link(guest).expect("they are in it");
    party.sim.lose(2);
    seconds(&mut party.sim, OVER_S);
    // It went by way of another node, which was slow.
    let again = Seat {
        serial: seat.serial + 1,
        ..seat
    };
    let login = "p3".into();
    let restore = GameMail::Restore { seat: again, login };
    party.arrives(party.guests[0].shard, owner, restore);
    seconds(&mut party.sim, OVER_S);
    let game = &party.sim.dialect_on(owner).roles.games.games[&party.uid];
    assert!(game.seats().all(|seat| seat.conn != guest));
}
