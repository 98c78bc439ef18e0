//! Launchers that are gone.

use std::time::Duration;

use super::*;

/// checklist: vcmi 84, 9
#[test]
fn a_user_is_lost() {
    each(|mut sim| {
        let [a, b, old] =
            [(5, "alice"), (5, "bobby"), (3, "older")].map(|(v, n)| user(&mut sim, v, n));
        let silent = connect(&mut sim);
        hush(&mut sim, &[a, b, old]);
        sim.disconnect(silent);
        sim.settle();
        assert!(heard(&mut sim, a).is_empty(), "it was never in a list");
        sim.disconnect(b);
        sim.settle();
        assert_eq!(heard(&mut sim, a), ["USERS:2:alice:older"]);
        assert!(heard(&mut sim, old).is_empty());
        let again = user(&mut sim, 5, "bobby");
        assert_eq!(
            say(&mut sim, again, "<MSG>x"),
            ["MSGCH:bobby:global:x"],
            "the name is free"
        );
    });
}

/// checklist: vcmi 85, 87
#[test]
fn a_guest_is_lost() {
    each(|mut sim| {
        let [a, b, c, d] = ["alice", "bobby", "carol", "david"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b, c]);
        say(&mut sim, a, "<READY>room one");
        hush(&mut sim, &[a, b, c, d]);
        sim.disconnect(b);
        sim.settle();
        let sessions = "SESSIONS:1:room one:2:3:False";
        let users = "USERS:3:alice:carol:david";
        let status = "STATUS:2:alice:True:carol:False";
        assert_eq!(heard(&mut sim, a), [status, sessions, users]);
        assert_eq!(heard(&mut sim, c), [status, sessions, users]);
        assert_eq!(heard(&mut sim, d), [sessions, users]);
    });
}

/// checklist: vcmi 86
#[test]
fn the_host_is_lost() {
    each(|mut sim| {
        let [a, b, c] = ["alice", "bobby", "carol"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[b]);
        hush(&mut sim, &[c]);
        sim.disconnect(a);
        sim.settle();
        let both = ["SESSIONS:0", "USERS:2:bobby:carol"];
        let guest = heard(&mut sim, b);
        assert_eq!(guest[0], "KICK:room one:bobby");
        assert_eq!(guest[1..], both);
        assert_eq!(heard(&mut sim, c), both);
        assert_eq!(say(&mut sim, b, OPEN)[0], "CREATED:room one");
    });
}

/// Somebody who has not signed in, or has only asked for a room, leaves no trace but the list of users.
#[test]
fn others_are_lost() {
    each(|mut sim| {
        let [a, b] = ["alice", "bobby"].map(|name| user(&mut sim, 5, name));
        room(&mut sim, a, &[]);
        let refused = connect(&mut sim);
        say(&mut sim, refused, greeting(5, "alice"));
        hush(&mut sim, &[a]);
        sim.disconnect(refused);
        sim.settle();
        assert_eq!(heard(&mut sim, a), ["USERS:2:alice:bobby"]);
        say(&mut sim, b, "<JOIN>room one");
        sim.disconnect(b);
        sim.settle();
        assert_eq!(heard(&mut sim, a), ["USERS:1:alice"]);
    });
}

/// Settings with which users are asked every 30 s.
fn asking() -> Settings {
    Settings {
        health: Some(Duration::from_secs(30)),
        ..Settings::default()
    }
}

/// Time passes, and what is due happens.
fn pass(sim: &mut Sim, seconds: u64) {
    sim.advance(Duration::from_secs(seconds));
    sim.settle();
}

/// checklist: vcmi 49
#[test]
fn nobody_is_asked_unless_that_is_wanted() {
    each(|mut sim| {
        let a = user(&mut sim, 5, "alice");
        pass(&mut sim, 3_600);
        assert!(heard(&mut sim, a).is_empty());
        assert_eq!(say(&mut sim, a, "<ALIVE><MSG>x").len(), 1);
    });
}

#[test]
fn who_is_asked_and_does_not_answer_goes() {
    each_with(asking(), |mut sim| {
        let [a, b, old] =
            [(5, "alice"), (4, "bobby"), (3, "older")].map(|(v, n)| user(&mut sim, v, n));
        hush(&mut sim, &[a, b, old]);
        pass(&mut sim, 30);
        assert_eq!(heard(&mut sim, a), ["HEALTH:"]);
        assert_eq!(heard(&mut sim, b), ["HEALTH:"]);
        assert!(heard(&mut sim, old).is_empty(), "it could not answer");
        assert!(say(&mut sim, a, "<ALIVE>").is_empty());
        // Talking is no answer.
        say(&mut sim, b, "<MSG>x");
        hush(&mut sim, &[a, b, old]);
        pass(&mut sim, 30);
        assert_eq!(heard(&mut sim, a), ["USERS:2:alice:older", "HEALTH:"]);
        assert!(
            sim.client(b).closed.is_some()
                && sim.client(a).closed.is_none()
                && sim.client(old).closed.is_none()
        );
        say(&mut sim, a, "<ALIVE>");
        pass(&mut sim, 30);
        assert_eq!(heard(&mut sim, a), ["HEALTH:"], "and so on");
    });
}

#[test]
fn a_name_goes_over_to_its_owner_who_comes_back_from_a_dead_network() {
    each_with(asking(), |mut sim| {
        let occupied = ["ERROR:Can't connect with the name alice. This login is already occpupied"];
        let a = user(&mut sim, 5, "alice");
        let b = user(&mut sim, 5, "bobby");
        room(&mut sim, a, &[b]);
        let again = connect(&mut sim);
        assert_eq!(say(&mut sim, again, greeting(5, "alice")), occupied);
        assert_eq!(heard(&mut sim, a), ["HEALTH:"], "it is asked at once");
        pass(&mut sim, 4);
        assert_eq!(
            say(&mut sim, again, greeting(5, "alice")),
            occupied,
            "too early"
        );
        pass(&mut sim, 1);
        hush(&mut sim, &[b]);
        let reply = say(&mut sim, again, greeting(5, "alice"));
        assert!(
            reply
                .last()
                .unwrap()
                .starts_with("MSG:System:Here available 1")
        );
        assert!(sim.client(a).closed.is_some() && sim.client(again).closed.is_none());
        let others = heard(&mut sim, b);
        assert_eq!(
            others[0], "KICK:room one:bobby",
            "the room of a lost host ends"
        );
        assert_eq!(others.last().unwrap(), "USERS:2:bobby:alice");
    });
}

#[test]
fn a_name_stays_with_who_answers_and_is_nobodys_from_elsewhere() {
    each_with(asking(), |mut sim| {
        let a = user(&mut sim, 5, "alice");
        let again = connect(&mut sim);
        say(&mut sim, again, greeting(5, "alice"));
        say(&mut sim, a, "<ALIVE>");
        pass(&mut sim, 10);
        let reply = say(&mut sim, again, greeting(5, "alice"));
        assert!(
            reply[0].starts_with("ERROR:Can't connect"),
            "it had answered"
        );
        sim.address = "198.51.100.7".parse().unwrap();
        let elsewhere = connect(&mut sim);
        pass(&mut sim, 10);
        let reply = say(&mut sim, elsewhere, greeting(5, "alice"));
        assert!(
            reply[0].starts_with("ERROR:Can't connect"),
            "another address"
        );
        assert!(sim.client(a).closed.is_none());
    });
}

/// As the reference that had it: not more often than every 10 s, of whatever encoding a launcher is, and not before it has
/// signed in.
#[test]
fn users_are_asked_in_any_encoding_and_not_more_often_than_every_ten_seconds() {
    let often = Settings {
        health: Some(Duration::from_secs(1)),
        ..Settings::default()
    };
    each_with(often, |mut sim| {
        let a = user(&mut sim, 5, "alice");
        let foreign = connect(&mut sim);
        say(&mut sim, foreign, "\x05\x06cp1251<GREETINGS>bobby");
        let stranger = connect(&mut sim);
        say(&mut sim, stranger, greeting(5, "x"));
        hush(&mut sim, &[a, foreign, stranger]);
        pass(&mut sim, 9);
        assert!(heard(&mut sim, a).is_empty());
        pass(&mut sim, 1);
        for conn in [a, foreign] {
            assert_eq!(heard(&mut sim, conn), ["HEALTH:"]);
        }
        assert!(heard(&mut sim, stranger).is_empty());
        say(&mut sim, foreign, "<ALIVE>");
        pass(&mut sim, 10);
        assert!(sim.client(a).closed.is_some() && sim.client(foreign).closed.is_none());
        assert!(sim.client(stranger).closed.is_none());
    });
}
