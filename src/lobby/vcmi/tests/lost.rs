//! Launchers that are gone.

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
