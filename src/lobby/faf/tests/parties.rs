//! Parties: what everybody in them is told, wherever they are (spec: faf-lifecycle 13, faf-messages 3.12).

use super::*;
use crate::faf::model::limits;

const USUAL: [&str; 4] = ["uef", "aeon", "cybran", "seraphim"];
const NOT_INVITED: &str = "You are not invited to that party (anymore)";

fn invite(sim: &mut Sim, from: ConnId, to: u32) -> Vec<Value> {
    say(
        sim,
        from,
        json!({"command": "invite_to_party", "recipient_id": to}),
    )
}

fn accept(sim: &mut Sim, who: ConnId, from: u32) -> Vec<Value> {
    say(
        sim,
        who,
        json!({"command": "accept_party_invite", "sender_id": from}),
    )
}

fn kick(sim: &mut Sim, who: ConnId, whom: u32) -> Vec<Value> {
    say(
        sim,
        who,
        json!({"command": "kick_player_from_party", "kicked_player_id": whom}),
    )
}

fn leave(sim: &mut Sim, who: ConnId) -> Vec<Value> {
    say(sim, who, json!({"command": "leave_party"}))
}

fn choose(sim: &mut Sim, who: ConnId, factions: Value) -> Vec<Value> {
    say(
        sim,
        who,
        json!({"command": "set_party_factions", "factions": factions}),
    )
}

/// Exactly this one message.
#[track_caller]
fn only(received: Vec<Value>, expected: &Value) {
    assert_eq!(received, std::slice::from_ref(expected));
}

fn update(owner: u32, members: &[(u32, &[&str])]) -> Value {
    let members: Vec<Value> = members
        .iter()
        .map(|(player, factions)| json!({"player": player, "factions": factions}))
        .collect();
    json!({"command": "update_party", "owner": owner, "members": members})
}

/// Players p1, p2 … on shards as they come.
fn players(sim: &mut Sim, shards: u16, count: u32) -> Vec<ConnId> {
    let conns: Vec<ConnId> = (1..=count)
        .map(|id| player(sim, id, (id % u32::from(shards)) as u16))
        .collect();
    take_all(sim, &conns);
    conns
}

fn take_all(sim: &mut Sim, conns: &[ConnId]) -> Vec<Vec<Value>> {
    conns.iter().map(|&conn| sim.take(conn)).collect()
}

/// `login_id` (player `id`) follows an invitation of `owner`, and everybody has been told.
fn gather(sim: &mut Sim, owner: (ConnId, u32), login_id: (ConnId, u32)) {
    assert_eq!(invite(sim, owner.0, login_id.1), [json!(null); 0]);
    assert_eq!(commands(&sim.take(login_id.0)), ["party_invite"]);
    assert_eq!(texts(&accept(sim, login_id.0, owner.1)), [""; 0]);
    tick(sim);
    sim.take(owner.0);
    sim.take(login_id.0);
}

// checklist: faf 290, 295, 302
#[test]
fn an_invitation_is_followed() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        let [a, b, c] = conns[..] else { unreachable!() };
        assert_eq!(invite(&mut sim, a, 2), [json!(null); 0]);
        assert_eq!(
            sim.take(b),
            [json!({"command": "party_invite", "sender": 1})]
        );
        tick(&mut sim);
        assert!(sim.take(a).is_empty(), "inviting changes nobody's party");
        assert_eq!(accept(&mut sim, b, 1), [json!(null); 0]);
        tick(&mut sim);
        let both = update(1, &[(1, &USUAL), (2, &USUAL)]);
        only(sim.take(a), &both);
        only(sim.take(b), &both);
        tick(&mut sim);
        assert_eq!(
            take_all(&mut sim, &[a, b, c]),
            vec![vec![]; 3] as Vec<Vec<Value>>
        );
    });
}

// checklist: faf 291, 292, 293
#[test]
fn who_may_not_invite_whom() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 6);
        let (a, b) = (conns[0], conns[1]);
        for nobody in [77, -1, i64::from(u32::MAX) + 2] {
            let no = say(
                &mut sim,
                a,
                json!({"command": "invite_to_party", "recipient_id": nobody}),
            );
            assert_eq!(texts(&no), ["The invited player doesn't exist"]);
        }
        gather(&mut sim, (a, 1), (b, 2));
        // p6 is a foe of p1: silence, before it is asked whose party it is.
        assert!(invite(&mut sim, conns[5], 1).is_empty());
        assert!(sim.take(a).is_empty());
        assert_eq!(texts(&accept(&mut sim, a, 6)), [NOT_INVITED]);
        assert_eq!(
            texts(&invite(&mut sim, b, 3)),
            ["You do not own this party."]
        );
        assert!(sim.take(conns[2]).is_empty());
        // Oneself: ignored (recommended).
        assert!(invite(&mut sim, a, 1).is_empty());
        tick(&mut sim);
        assert!(sim.take(a).is_empty());
        let broken = say(&mut sim, a, json!({"command": "invite_to_party"}));
        assert!(broken.is_empty() && sim.client(a).closed.is_some());
    });
}

/// The foe is asked at their shard before the coordinator is: who is no owner hears nothing of either.
#[test]
fn a_member_who_is_a_foe_hears_nothing() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 6);
        gather(&mut sim, (conns[1], 2), (conns[5], 6));
        assert!(invite(&mut sim, conns[5], 1).is_empty());
    });
}

// checklist: faf 296, 297
#[test]
fn accepting_what_nobody_offered() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        let (a, b) = (conns[0], conns[1]);
        assert_eq!(texts(&accept(&mut sim, b, 1)), [NOT_INVITED]);
        assert_eq!(
            texts(&accept(&mut sim, b, 77)),
            ["The inviting player doesn't exist"]
        );
        invite(&mut sim, a, 2);
        assert_eq!(texts(&accept(&mut sim, conns[2], 1)), [NOT_INVITED]);
        sim.disconnect(a);
        sim.settle();
        assert_eq!(
            texts(&accept(&mut sim, b, 1)),
            ["The inviting player doesn't exist"]
        );
        // They come back: the invitation was their former party's.
        player(&mut sim, 1, 0);
        assert_eq!(texts(&accept(&mut sim, b, 1)), [NOT_INVITED]);
    });
}

// checklist: faf 298
#[test]
fn an_invitation_lasts_a_day_and_is_renewed() {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    for shards in 1..=2 {
        let mut sim = simulator(shards, 1, Settings::default());
        let conns = players(&mut sim, shards, 3);
        let (a, b, c) = (conns[0], conns[1], conns[2]);
        invite(&mut sim, a, 2);
        invite(&mut sim, a, 3);
        sim.advance(DAY / 2);
        invite(&mut sim, a, 3);
        sim.advance(DAY / 2);
        assert_eq!(texts(&accept(&mut sim, b, 1)), [NOT_INVITED]);
        sim.advance(DAY / 2 - Duration::from_secs(1));
        assert_eq!(texts(&accept(&mut sim, c, 1)), [""; 0]);
        tick(&mut sim);
        let told = sim.take(c);
        assert_eq!(told.last(), Some(&update(1, &[(1, &USUAL), (3, &USUAL)])));
    }
}

// checklist: faf 300, 301
#[test]
fn joining_another_party_leaves_the_first() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 4);
        let [a, b, c, d] = conns[..] else {
            unreachable!()
        };
        gather(&mut sim, (a, 1), (b, 2));
        gather(&mut sim, (a, 1), (c, 3));
        choose(&mut sim, b, json!(["nomad"]));
        tick(&mut sim);
        take_all(&mut sim, &conns);

        invite(&mut sim, d, 2);
        sim.take(b);
        let without_him = update(1, &[(1, &USUAL), (3, &USUAL)]);
        only(accept(&mut sim, b, 4), &without_him);
        tick(&mut sim);
        let joined = update(4, &[(4, &USUAL), (2, &["nomad"])]);
        let told = take_all(&mut sim, &conns);
        assert_eq!(
            told,
            [
                vec![without_him.clone()],
                vec![joined.clone()],
                vec![without_him],
                vec![joined]
            ]
        );

        // An owner who follows an invitation leaves their party without them: it ends.
        invite(&mut sim, d, 1);
        take_all(&mut sim, &conns);
        let ended = update(1, &[]);
        only(accept(&mut sim, a, 4), &ended);
        only(sim.take(c), &ended);
        tick(&mut sim);
        let all = update(4, &[(4, &USUAL), (2, &["nomad"]), (1, &USUAL)]);
        for conn in [a, b, d] {
            only(sim.take(conn), &all);
        }
        assert!(sim.take(c).is_empty());
        assert_eq!(texts(&leave(&mut sim, c)), ["You are not in a party."]);
    });
}

/// faf-observed: who follows the same invitation again leaves and joins again.
#[test]
fn the_same_invitation_again() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        let (a, b) = (conns[0], conns[1]);
        gather(&mut sim, (a, 1), (b, 2));
        assert_eq!(accept(&mut sim, b, 1), [update(1, &[(1, &USUAL)])]);
        tick(&mut sim);
        let both = update(1, &[(1, &USUAL), (2, &USUAL)]);
        only(sim.take(a), &both);
        only(sim.take(b), &both);
    });
}

// checklist: faf 303, 304, 305, 306, 307
#[test]
fn factions() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        let (a, b) = (conns[0], conns[1]);
        assert!(choose(&mut sim, a, json!(["cybran", 1, "UEF", 3])).is_empty());
        tick(&mut sim);
        assert_eq!(sim.take(a), [update(1, &[(1, &["uef", "cybran"])])]);
        gather(&mut sim, (a, 1), (b, 2));
        choose(&mut sim, b, json!([5, "aeon"]));
        choose(&mut sim, b, json!([4]));
        assert!(sim.take(a).is_empty());
        tick(&mut sim);
        let both = update(1, &[(1, &["uef", "cybran"]), (2, &["seraphim"])]);
        only(sim.take(a), &both);
        only(sim.take(b), &both);
        let none = choose(&mut sim, b, json!([]));
        assert_eq!(texts(&none), ["You must select at least one faction."]);
        tick(&mut sim);
        assert!(sim.take(a).is_empty());
        for (bad, last) in [
            (json!(["martian"]), None),
            (json!(["uef", 6]), None),
            (json!([0]), None),
            (json!([1.5]), None),
            (json!([[1]]), Some("invalid")),
            (json!([null]), Some("invalid")),
            (json!(["uef", {}]), Some("invalid")),
            (json!(7), Some("invalid")),
        ] {
            let conn = player(&mut sim, 3, 0);
            let said = choose(&mut sim, conn, bad);
            assert_eq!(commands(&said).last().copied(), last);
            assert!(sim.client(conn).closed.is_some());
        }
    });
}

// checklist: faf 308, 309, 310, 311, 312
#[test]
fn kicking() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 4);
        let [a, b, c, d] = conns[..] else {
            unreachable!()
        };
        assert_eq!(texts(&kick(&mut sim, a, 2)), ["You are not in a party."]);
        assert_eq!(
            texts(&kick(&mut sim, a, 77)),
            ["The kicked player doesn't exist"]
        );
        gather(&mut sim, (a, 1), (b, 2));
        gather(&mut sim, (a, 1), (c, 3));
        take_all(&mut sim, &conns);
        assert_eq!(texts(&kick(&mut sim, b, 3)), ["You do not own that party."]);
        // Not a member, and the owner themselves.
        let now = update(1, &[(1, &USUAL), (2, &USUAL), (3, &USUAL)]);
        for id in [4, 1] {
            only(kick(&mut sim, a, id), &now);
        }
        tick(&mut sim);
        assert_eq!(
            take_all(&mut sim, &conns),
            vec![vec![]; 4] as Vec<Vec<Value>>
        );

        choose(&mut sim, b, json!(["nomad"]));
        assert!(kick(&mut sim, a, 2).is_empty());
        assert_eq!(sim.take(b), [json!({"command": "kicked_from_party"})]);
        tick(&mut sim);
        let rest = update(1, &[(1, &USUAL), (3, &USUAL)]);
        only(sim.take(a), &rest);
        only(sim.take(c), &rest);
        assert!(sim.take(b).is_empty() && sim.take(d).is_empty());
        // The old invitation serves the kicked player again; what they had chosen is gone with their place.
        assert_eq!(accept(&mut sim, b, 1), [json!(null); 0]);
        tick(&mut sim);
        let again = update(1, &[(1, &USUAL), (3, &USUAL), (2, &USUAL)]);
        only(sim.take(b), &again);
    });
}

// checklist: faf 313, 314, 315, 319
#[test]
fn leaving() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        let [a, b, c] = conns[..] else { unreachable!() };
        assert_eq!(texts(&leave(&mut sim, a)), ["You are not in a party."]);
        gather(&mut sim, (a, 1), (b, 2));
        gather(&mut sim, (a, 1), (c, 3));
        take_all(&mut sim, &conns);
        let rest = update(1, &[(1, &USUAL), (3, &USUAL)]);
        only(leave(&mut sim, b), &rest);
        tick(&mut sim);
        assert_eq!(
            take_all(&mut sim, &conns),
            [vec![rest.clone()], vec![], vec![rest]]
        );
        let ended = update(1, &[]);
        only(leave(&mut sim, a), &ended);
        only(sim.take(c), &ended);
        tick(&mut sim);
        assert_eq!(
            take_all(&mut sim, &conns),
            vec![vec![]; 3] as Vec<Vec<Value>>
        );
        for conn in [a, b, c] {
            assert_eq!(texts(&leave(&mut sim, conn)), ["You are not in a party."]);
        }
        // The owner's invitations went with their party.
        assert_eq!(texts(&accept(&mut sim, b, 1)), [NOT_INVITED]);
        gather(&mut sim, (a, 1), (b, 2));
        assert_eq!(leave(&mut sim, b), [update(1, &[(1, &USUAL)])]);
    });
}

// checklist: faf 317, 318
#[test]
fn who_disconnects_leaves_his_party() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 3);
        let [a, b, c] = conns[..] else { unreachable!() };
        gather(&mut sim, (a, 1), (b, 2));
        gather(&mut sim, (a, 1), (c, 3));
        take_all(&mut sim, &conns);
        sim.disconnect(b);
        tick(&mut sim);
        let updates = |messages: Vec<Value>| -> Vec<Value> {
            let is_update = |m: &Value| m["command"] == "update_party";
            messages.into_iter().filter(is_update).collect()
        };
        let rest = update(1, &[(1, &USUAL), (3, &USUAL)]);
        only(updates(sim.take(a)), &rest);
        only(updates(sim.take(c)), &rest);
        sim.disconnect(a);
        sim.settle();
        assert_eq!(updates(sim.take(c)), [update(1, &[])]);
    });
}

/// A second login is a new player to the coordinator, even if the coordinator hears of it before the first one's end.
#[test]
fn who_signs_in_elsewhere_leaves_his_party() {
    each(|mut sim, shards| {
        sim.eager = false;
        let conns = players(&mut sim, shards, 3);
        let (a, b) = (conns[0], conns[1]);
        gather(&mut sim, (a, 1), (b, 2));
        let new = sim.connect(shards - 1);
        sim.send(new, hello(1).to_string());
        sim.send(
            new,
            json!({"command": "set_party_factions", "factions": ["aeon"]}).to_string(),
        );
        sim.settle();
        assert!(sim.take(b).contains(&update(1, &[])));
        tick(&mut sim);
        assert!(sim.take(new).contains(&update(1, &[(1, &["aeon"])])));
        assert_eq!(texts(&leave(&mut sim, b)), ["You are not in a party."]);
    });
}

// checklist: faf 60
#[test]
fn only_the_idle_invite_accept_and_kick() {
    each(|mut sim, shards| {
        let conns = players(&mut sim, shards, 2);
        let a = conns[0];
        say(
            &mut sim,
            a,
            json!({"command": "game_host", "visibility": "public"}),
        );
        for (command, what) in [
            ("invite_to_party", "invite a player"),
            ("accept_party_invite", "join a party"),
            ("kick_player_from_party", "kick a player"),
        ] {
            let no = say(&mut sim, a, json!({"command": command}));
            let expected = format!("Can't {what} while in state STARTING_GAME");
            assert_eq!(texts(&no), [expected]);
        }
        choose(&mut sim, a, json!(["uef"]));
        assert_eq!(leave(&mut sim, a), [update(1, &[])]);
    });
}

#[test]
fn parties_and_invitations_have_limits() {
    let mut sim = simulator(2, 1, Settings::default());
    let owner = player(&mut sim, 1, 0);
    let over_limit = |sim: &Sim| sim.dialect(0).roles.metrics.over_limit.value();
    let members = limits::PARTY_MEMBERS as u32;
    // Ids from 10 on: p6 is a foe of p1, p8 has ratings.
    for id in 10..10 + members {
        let login_id = player(&mut sim, id, (id % 2) as u16);
        invite(&mut sim, owner, id);
        let answer = accept(&mut sim, login_id, 1);
        let full = id == 9 + members;
        assert_eq!(
            texts(&answer),
            if full { vec![NOT_INVITED] } else { vec![] }
        );
    }
    assert_eq!(over_limit(&sim), 1);
    let invitations = limits::PARTY_INVITATIONS as u32;
    let mut heard = 0;
    for id in 1000..1000 + invitations {
        let login_id = player(&mut sim, id, 0);
        invite(&mut sim, owner, id);
        heard += u32::from(commands(&sim.take(login_id)).contains(&"party_invite"));
        sim.disconnect(login_id);
    }
    assert_eq!(heard, invitations - members);
}
