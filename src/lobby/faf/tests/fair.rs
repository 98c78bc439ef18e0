//! Players who lie about how a game went, and strangers who say anything about it.

use super::*;
use crate::faf::{results::ResultVotes, validity::Validity};

type Shared = Rc<RefCell<Paper>>;

/// A launched duel of p1 and p2 which p3 watches, four minutes on; the three connections.
struct Duel {
    sim: Sim,
    paper: Shared,
    uid: u32,
    players: [ConnId; 3],
}

impl Duel {
    fn new(shards: u16, result_votes: ResultVotes) -> Duel {
        let paper = Shared::default();
        let settings = Settings {
            result_votes,
            ..Settings::default()
        };
        let mut sim = simulator_with(shards, 1, settings, paper.clone());
        let players = [1, 2, 3].map(|id| player(&mut sim, id, id as u16 % shards));
        let uid = hosted(&mut sim, players[0], json!({}));
        joined(&mut sim, players[1], uid);
        joined(&mut sim, players[2], uid);
        configure(&mut sim, players[0], 1, 1, 2);
        configure(&mut sim, players[0], 2, 2, 3);
        state(&mut sim, players[0], "Launching");
        sim.advance(Duration::from_secs(240));
        Duel {
            sim,
            paper,
            uid,
            players,
        }
    }

    fn report(&mut self, who: usize, command: &str, args: Value) {
        say(&mut self.sim, self.players[who], game(command, args));
    }

    fn result(&mut self, who: usize, army: i32, text: &str) {
        self.report(who, "GameResult", json!([army, text]));
    }

    /// p1 has won, in the words of a player.
    fn honest(&mut self, who: usize) {
        self.result(who, 1, "victory 10");
        self.result(who, 2, "defeat -10");
    }

    fn ended(&mut self, who: usize) {
        self.report(who, "GameEnded", json!([]));
    }

    fn all_ended(mut self) -> (Validity, [&'static str; 2]) {
        for who in 0..3 {
            self.ended(who);
        }
        let paper = self.paper.borrow();
        let outcome = |id| paper.scores.get(&(self.uid, id)).map_or("", |s| s.1);
        (paper.validity[&self.uid], [1, 2].map(outcome))
    }

    fn is_over(&self) -> bool {
        self.paper.borrow().kinds(self.uid).contains(&"finish")
    }
}

fn each_way(test: impl Fn(u16, ResultVotes)) {
    for shards in 1..=3 {
        for votes in [ResultVotes::Fair, ResultVotes::Reference] {
            test(shards, votes);
        }
    }
}

const WON_AND_LOST: (Validity, [&str; 2]) = (Validity::Valid, ["VICTORY", "DEFEAT"]);

#[test]
fn honest_players_come_to_the_same_either_way() {
    each_way(|shards, votes| {
        let mut duel = Duel::new(shards, votes);
        duel.honest(0);
        duel.honest(1);
        assert_eq!(duel.all_ended(), WON_AND_LOST);
    });
}

/// Somebody who watched, or got in by reconnecting, turned a result round.
#[test]
fn whoever_only_watches_a_game_decides_nothing() {
    each_way(|shards, votes| {
        let mut duel = Duel::new(shards, votes);
        duel.honest(0);
        for text in ["defeat 0", "defeat 0", "draw 0"] {
            duel.result(2, 1, text);
        }
        duel.result(2, 2, "victory 99");
        for _ in 0..30 {
            duel.report(2, "Desync", json!([]));
        }
        duel.report(2, "TeamkillHappened", json!([1, 2, "p2", 1, "p1"]));
        duel.report(2, "JsonStats", json!([r#"{"stats":[]}"#]));
        let kinds = duel.paper.borrow().kinds(duel.uid).join(" ");
        if votes == ResultVotes::Fair {
            assert_eq!(kinds, "launch desync");
            assert_eq!(duel.all_ended(), WON_AND_LOST);
        } else {
            assert_eq!(kinds, "launch desync teamkill statistics");
            assert_eq!(duel.all_ended().0, Validity::TooManyDesyncs);
        }
    });
}

#[test]
fn the_last_word_counts_however_much_was_said_before() {
    for shards in 1..=3 {
        let mut duel = Duel::new(shards, ResultVotes::Fair);
        for n in 0..100 {
            duel.result(1, 2, &format!("victory {n}"));
            duel.result(1, 1, "defeat 0");
        }
        duel.honest(1);
        duel.honest(0);
        assert_eq!(duel.all_ended(), WON_AND_LOST);
    }
}

#[test]
fn one_side_alone_can_not_void_a_game_by_desyncs() {
    each_way(|shards, votes| {
        for others in [0, 1, 20, 21] {
            let mut duel = Duel::new(shards, votes);
            duel.honest(0);
            duel.honest(1);
            for _ in 0..40 {
                duel.report(1, "Desync", json!([]));
            }
            for _ in 0..others {
                duel.report(0, "Desync", json!([]));
            }
            let expected = match (votes, others) {
                (ResultVotes::Fair, 0..=20) => Validity::Valid,
                _ => Validity::TooManyDesyncs,
            };
            assert_eq!(duel.all_ended().0, expected);
        }
    });
}

/// Somebody who watched and never said that the game was over kept its players from their ratings.
#[test]
fn those_who_watch_keep_a_game_from_its_end_for_a_minute() {
    each_way(|shards, votes| {
        let mut duel = Duel::new(shards, votes);
        duel.honest(0);
        duel.ended(0);
        duel.sim.advance(Duration::from_secs(100));
        duel.ended(1);
        duel.sim.advance(Duration::from_secs(59));
        assert!(!duel.is_over());
        duel.sim.advance(Duration::from_secs(2));
        assert_eq!(duel.is_over(), votes == ResultVotes::Fair);
        assert_eq!(duel.all_ended(), WON_AND_LOST);
    });
}

#[test]
fn a_participant_who_comes_back_is_waited_for() {
    for shards in 1..=3 {
        let mut duel = Duel::new(shards, ResultVotes::Fair);
        duel.ended(0);
        let guest = duel.players[1];
        duel.sim.disconnect(guest);
        duel.sim.settle();
        duel.players[1] = player(&mut duel.sim, 2, 0);
        let uid = duel.uid;
        let back = json!({"command": "restore_game_session", "game_id": uid});
        say(&mut duel.sim, duel.players[1], back);
        duel.sim.advance(Duration::from_secs(200));
        assert!(!duel.is_over());
        duel.honest(1);
        assert_eq!(duel.all_ended(), WON_AND_LOST);
    }
}

/// `restore_game_session` asked nothing in a lobby: neither for the password nor whether the host minded them.
#[test]
fn nobody_restores_themselves_into_a_lobby_they_have_not_been_in() {
    each_way(|shards, votes| {
        let settings = Settings {
            result_votes: votes,
            ..Settings::default()
        };
        let mut sim = simulator(shards, 1, settings);
        let host = player(&mut sim, 1, 0);
        let stranger = player(&mut sim, 6, shards - 1);
        let guest = player(&mut sim, 2, shards - 1);
        let uid = hosted(&mut sim, host, json!({}));
        joined(&mut sim, guest, uid);
        let restore = json!({"command": "restore_game_session", "game_id": uid});
        let refused = say(&mut sim, stranger, restore.clone());
        let expected: &[&str] = match votes {
            ResultVotes::Fair => &["You are not part of this game"],
            ResultVotes::Reference => &[],
        };
        assert_eq!(texts(&refused), expected);
        // Whoever has lost their connection comes back; whoever has closed their game does not.
        sim.disconnect(guest);
        let again = player(&mut sim, 2, 0);
        assert!(say(&mut sim, again, restore.clone()).is_empty());
        state(&mut sim, again, "Ended");
        assert_eq!(texts(&say(&mut sim, again, restore)), expected);
    });
}
