//! Relays of guests.

use serde_json::json;

use super::*;

fn server_side(host: &Player, guest: &str) -> Value {
    json!({
        "type": "serverProxyLogin", "gameRoomID": "room", "guestAccountID": guest, "accountCookie": host.who.cookie
    })
}

fn client_side(guest: &Player) -> Value {
    json!({
        "type": "clientProxyLogin", "gameRoomID": "room", "accountID": guest.who.id, "accountCookie": guest.who.cookie
    })
}

struct Table {
    host: Player,
    guest: Player,
    control: ConnId,
}

fn table(stage: &mut Stage) -> Table {
    let (host, guest) = (stage.player("hosting"), stage.player("visiting"));
    let control = stage.room(&host, "room", "public", 2);
    stage.join(&guest, "room");
    stage.hear(guest.conn);
    Table {
        host,
        guest,
        control,
    }
}

/// checklist: vcmi-json 66, 67, 68, 70
#[test]
fn a_guest_is_relayed_with_every_byte_behind_the_sign_in() {
    each(|stage| {
        let table = table(stage);
        let of_server = stage.connect();
        stage.send(of_server, server_side(&table.host, &table.guest.who.id));
        stage.sim.settle();
        let said = stage.hear(table.guest.conn);
        assert_eq!(
            (kinds(&said), &said[0]["proxyMode"]),
            (vec!["joinRoomSuccess"], &json!(true))
        );
        let of_guest = stage.connect();
        stage.send(of_guest, client_side(&table.guest));
        stage.sim.send(of_guest, "first");
        stage.sim.settle();
        stage.sim.send(of_server, "second");
        let received = |stage: &mut Stage, conn| {
            let all = stage.sim.take_raw(conn).into_iter();
            all.filter(|one| !one.is_empty()).collect::<Vec<_>>()
        };
        assert_eq!(received(stage, of_server), ["first"]);
        assert_eq!(received(stage, of_guest), ["second"]);
        stage.sim.disconnect(of_guest);
        stage.sim.settle();
        assert!(stage.is_closed(of_server));
        assert!(!stage.is_closed(table.guest.conn) && !stage.is_closed(table.control));
    });
}

/// checklist: vcmi-json 69, 71, 72
#[test]
fn who_is_refused_is_closed_and_told_nothing() {
    each(|stage| {
        let table = table(stage);
        let refused = |stage: &mut Stage, message: Value| {
            let conn = stage.connect();
            stage.send(conn, message);
            stage.sim.settle();
            assert!(stage.is_closed(conn) && stage.sim.take_raw(conn).is_empty());
        };
        refused(stage, client_side(&table.guest)); // nobody waits
        refused(stage, server_side(&table.host, "nobody"));
        refused(stage, server_side(&table.guest, &table.guest.who.id));
        let stranger = stage.player("stranger");
        refused(stage, server_side(&table.host, &stranger.who.id));
        let (of_server, of_guest) = (stage.connect(), stage.connect());
        stage.send(of_server, server_side(&table.host, &table.guest.who.id));
        stage.sim.settle();
        refused(stage, client_side(&stranger));
        stage.send(of_guest, client_side(&table.guest));
        stage.sim.settle();
        refused(stage, client_side(&table.guest)); // it is used up
        assert!(!stage.is_closed(of_guest) && !stage.is_closed(of_server));
    });
}

/// checklist: vcmi-json 79, 102
#[test]
fn a_match_server_waits_so_long_and_no_longer_than_its_room() {
    each(|stage| {
        let table = table(stage);
        let waiting = |stage: &mut Stage| {
            let conn = stage.connect();
            stage.send(conn, server_side(&table.host, &table.guest.who.id));
            stage.sim.settle();
            conn
        };
        let conn = waiting(stage);
        stage.wait(119);
        assert!(!stage.is_closed(conn));
        stage.wait(2);
        assert!(stage.is_closed(conn));
        let conn = waiting(stage);
        stage.sim.disconnect(table.control);
        stage.sim.settle();
        assert!(stage.is_closed(conn));
    });
}
