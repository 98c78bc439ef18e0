//! Everything that a connection is held for that another node has to say (`session::awaited`), and that it is let go when the
//! answer can't come any more: the lane has broken, the node is lost, or this node has lost touch.

use super::{nodes_support::*, *};

/// What goes wrong while the answer is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    Broken,
    Lost,
    Island,
}

const TROUBLES: [Trouble; 3] = [Trouble::Broken, Trouble::Lost, Trouble::Island];

/// p1 is on node 0, which has the coordinator; p2 and p3 on node 1.
struct Wait {
    sim: Sim,
    far: ConnId,
    near: ConnId,
    other: ConnId,
}

impl Wait {
    fn new() -> Wait {
        let mut sim = nodes(&[1, 1, 1], 1);
        let far = player_on(&mut sim, 1, 0);
        let [near, other] = [2, 3].map(|id| player_on(&mut sim, id, 1));
        Wait {
            sim,
            far,
            near,
            other,
        }
    }

    /// p2 says something whose answer would come from node 0, which does not hear it; then that, and what p2 is told by then.
    fn asks(&mut self, message: Value, trouble: Trouble) -> Vec<Value> {
        self.sim.take(self.near);
        let cut = match trouble {
            Trouble::Island => 1,
            _ => 0,
        };
        self.sim.cut(cut);
        self.sim.send(self.near, message.to_string());
        self.sim.settle();
        assert!(self.sim.client(self.near).held, "{message} waits");
        match trouble {
            Trouble::Broken => self.sim.break_lane(1, 0),
            Trouble::Lost => {
                self.sim.lose(0);
                seconds(&mut self.sim, 2);
            }
            Trouble::Island => seconds(&mut self.sim, 2),
        }
        self.sim.settle();
        take_own(&mut self.sim, self.near)
    }

    /// They are heard again.
    fn is_heard(&mut self) {
        assert!(!self.sim.client(self.near).held);
        assert!(self.sim.client(self.near).closed.is_none());
        let said = own(say(
            &mut self.sim,
            self.near,
            json!({"command": "ice_servers"}),
        ));
        assert_eq!(commands(&said), ["ice_servers"]);
    }
}

fn each_trouble(test: impl Fn(Wait, Trouble)) {
    for trouble in TROUBLES {
        test(Wait::new(), trouble);
    }
}

#[test]
fn a_join_is_refused_as_if_the_host_had_left() {
    each_trouble(|mut wait, trouble| {
        let uid = hosted(&mut wait.sim, wait.far, json!({}));
        let told = wait.asks(json!({"command": "game_join", "uid": uid}), trouble);
        let expected =
            json!({"command": "game_join_failed", "reason": "host_left_game", "uid": uid});
        assert_eq!(told[0], expected, "{trouble:?}");
        assert_eq!(texts(&told), ["The host has left the game."]);
        wait.is_heard();
        assert_eq!(state_of(&wait.sim, wait.near), "IDLE");
    });
}

#[test]
fn a_return_is_refused_as_if_the_game_were_over() {
    each_trouble(|mut wait, trouble| {
        let uid = hosted(&mut wait.sim, wait.far, json!({}));
        let restore = json!({"command": "restore_game_session", "game_id": uid});
        let told = wait.asks(restore, trouble);
        assert_eq!(
            texts(&told),
            ["The game you were connected to no longer exists"],
            "{trouble:?}"
        );
        wait.is_heard();
    });
}

#[test]
fn a_guest_who_is_not_connected_is_out_of_the_game() {
    each_trouble(|mut wait, trouble| {
        let uid = hosted(&mut wait.sim, wait.far, json!({}));
        say(
            &mut wait.sim,
            wait.near,
            json!({"command": "game_join", "uid": uid}),
        );
        state(&mut wait.sim, wait.near, "Idle");
        let told = wait.asks(game("GameState", json!(["Lobby"])), trouble);
        assert_eq!(told, [json!(null); 0], "{trouble:?}");
        assert_eq!(state_of(&wait.sim, wait.near), "IDLE");
        assert!(!is_linked(&wait.sim, wait.near));
        wait.is_heard();
    });
}

#[test]
fn who_has_completed_a_mission_is_heard_again() {
    each_trouble(|mut wait, trouble| {
        let uid = hosted(&mut wait.sim, wait.far, json!({"mod": "coop"}));
        joined(&mut wait.sim, wait.near, uid);
        configure(&mut wait.sim, wait.far, 1, 1, 1);
        configure(&mut wait.sim, wait.far, 2, 2, 1);
        state(&mut wait.sim, wait.far, "Launching");
        wait.asks(
            game("OperationComplete", json!([true, true, "1:00"])),
            trouble,
        );
        wait.is_heard();
    });
}

#[test]
fn an_invitation_is_refused_as_if_they_were_gone() {
    each_trouble(|mut wait, trouble| {
        let invite = json!({"command": "invite_to_party", "recipient_id": 1});
        let told = wait.asks(invite, trouble);
        assert_eq!(
            texts(&told),
            ["The invited player doesn't exist"],
            "{trouble:?}"
        );
        wait.is_heard();
    });
}

#[test]
fn what_the_coordinator_was_asked_is_refused() {
    each_trouble(|mut wait, trouble| {
        let told = wait.asks(json!({"command": "leave_party"}), trouble);
        assert!(
            texts(&told)[0].contains("lost touch"),
            "{trouble:?} {told:?}"
        );
        wait.is_heard();
    });
}

#[test]
fn without_a_coordinator_a_request_waits_and_is_refused_in_the_end() {
    let mut wait = Wait::new();
    wait.sim.take_lease(crate::simulator::Lease::Coordinator);
    wait.sim.settle();
    wait.sim.take(wait.near);
    wait.sim
        .send(wait.near, json!({"command": "leave_party"}).to_string());
    wait.sim.advance(Duration::from_millis(5900));
    assert!(wait.sim.client(wait.near).held);
    assert_eq!(take_own(&mut wait.sim, wait.near), [json!(null); 0]);
    wait.sim.advance(Duration::from_millis(200));
    let told = take_own(&mut wait.sim, wait.near);
    assert!(texts(&told)[0].contains("lost touch"), "{told:?}");
    wait.is_heard();
}

#[test]
fn a_request_waits_for_the_next_coordinator() {
    let mut wait = Wait::new();
    wait.sim.take_lease(crate::simulator::Lease::Coordinator);
    wait.sim.settle();
    wait.sim.take(wait.near);
    wait.sim
        .send(wait.near, json!({"command": "leave_party"}).to_string());
    wait.sim.advance(Duration::from_secs(3));
    office_to(&mut wait.sim, 2);
    wait.sim.advance(Duration::from_secs(2));
    let told = take_own(&mut wait.sim, wait.near);
    assert_eq!(texts(&told), ["You are not in a party."]);
    wait.is_heard();
}

#[test]
fn a_game_of_which_nobody_hears_is_waited_for_in_vain() {
    let mut wait = Wait::new();
    let restore = json!({"command": "restore_game_session", "game_id": 9999});
    for (message, told) in [
        (
            json!({"command": "game_join", "uid": 9999}),
            "The host has left the game.",
        ),
        (restore, "The game you were connected to no longer exists"),
    ] {
        wait.sim.take(wait.near);
        wait.sim.send(wait.near, message.to_string());
        wait.sim.advance(Duration::from_millis(199));
        assert_eq!(take_own(&mut wait.sim, wait.near), [json!(null); 0]);
        assert!(wait.sim.client(wait.near).held);
        wait.sim.advance(Duration::from_millis(2));
        let said = take_own(&mut wait.sim, wait.near);
        assert_eq!(texts(&said), [told]);
        wait.is_heard();
    }
}

/// News of a game is under way while somebody joins it.
#[test]
fn a_game_of_which_the_news_is_late_is_joined() {
    let mut wait = Wait::new();
    wait.sim.cut(0);
    let uid = hosted(&mut wait.sim, wait.far, json!({}));
    let join = json!({"command": "game_join", "uid": uid});
    for conn in [wait.near, wait.other] {
        wait.sim.take(conn);
        wait.sim.send(conn, join.to_string());
    }
    wait.sim.advance(Duration::from_millis(100));
    assert!(wait.sim.client(wait.near).held);
    wait.sim.rejoin(0);
    wait.sim.settle();
    for conn in [wait.near, wait.other] {
        assert_eq!(commands(&take_own(&mut wait.sim, conn)), ["game_launch"]);
        assert!(!wait.sim.client(conn).held);
    }
}

/// A game speaks to that of a player of whom this node has not heard.
#[test]
fn what_a_game_says_to_an_unknown_player_waits_for_the_news_of_them() {
    let mut wait = Wait::new();
    let uid = hosted(&mut wait.sim, wait.far, json!({}));
    joined(&mut wait.sim, wait.near, uid);
    wait.sim.take(wait.near);
    let ice = game("IceMsg", json!([50, "x"]));
    wait.sim.send(wait.near, ice.to_string());
    wait.sim.settle();
    assert!(wait.sim.client(wait.near).held);
    wait.sim.advance(Duration::from_millis(201));
    wait.is_heard();
    let late = player_on(&mut wait.sim, 4, 2);
    joined(&mut wait.sim, late, uid);
    wait.sim.take(late);
    say(&mut wait.sim, wait.near, game("IceMsg", json!([4, "x"])));
    let heard = take_own(&mut wait.sim, late);
    assert_eq!(heard[0]["args"], json!([2, "x"]));
}
