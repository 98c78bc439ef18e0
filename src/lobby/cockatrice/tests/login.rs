//! Connections, signing in, names, the end of sessions.

use cockatrice::{
    accounts::MOST_SUFFIXES,
    messages::{CommandListUsers, CommandPing},
};

use super::*;
use crate::{
    Stopping,
    cockatrice::questions::{Answer, SignedIn},
};

fn ping() -> SessionCommandBody<'static> {
    SessionCommandBody::Ping(CommandPing::default())
}

/// checklist: cockatrice wire 3.1
#[test]
fn over_tcp_an_empty_container_comes_first() {
    each(|mut sim| {
        let conn = sim.connect(0);
        sim.send(conn, session(1, ping()));
        sim.settle();
        assert!(heard(&mut sim, conn).is_empty(), "before the handshake");
        assert_eq!(ask(&mut sim, conn, vec![]), ["identification 14"]);
        assert_eq!(ask(&mut sim, conn, session(2, ping())), ["2 RespOk"]);
        let nothing = format!("{} RespInvalidCommand", u64::MAX);
        assert_eq!(ask(&mut sim, conn, vec![]), [nothing]);
    });
}

/// checklist: 2
#[test]
fn who_has_not_begun_to_talk_is_told_nothing() {
    each(|mut sim| {
        let (silent, greeted) = (sim.connect(0), connect(&mut sim));
        for step in [Stopping::Drain, Stopping::Now] {
            sim.stop(step);
            sim.settle();
        }
        assert!(heard(&mut sim, silent).is_empty());
        let told = ["ServerShutdown", "closed ServerShutdown"];
        assert_eq!(heard(&mut sim, greeted), told);
    });
}

#[test]
fn over_websocket_a_client_is_told_at_once() {
    each(|mut sim| {
        sim.format = Format::WebSocketBinary;
        let conn = connect(&mut sim);
        assert_eq!(ask(&mut sim, conn, session(0, ping())), ["0 RespOk"]);
    });
}

#[test]
fn ids_come_back_unchanged() {
    each(|mut sim| {
        let conn = connect(&mut sim);
        for id in [0, 1, 1 << 31, (1 << 32) + 5, u64::MAX - 1] {
            assert_eq!(
                ask(&mut sim, conn, session(id, ping())),
                [format!("{id} RespOk")]
            );
        }
    });
}

#[test]
fn a_taken_name_gets_a_number() {
    each(|mut sim| {
        let first = user(&mut sim, "Visitor");
        for name in ["Visitor_1", "Visitor_2"] {
            let conn = connect(&mut sim);
            let answer = ask(&mut sim, conn, session(1, sign_in("  Visitor ")));
            assert_eq!(
                answer,
                [format!("1 RespOk login {name}"), "message ".to_owned()]
            );
        }
        sim.disconnect(first);
        sim.settle();
        let conn = connect(&mut sim);
        let answer = ask(&mut sim, conn, session(1, sign_in("Visitor")));
        assert_eq!(answer[0], "1 RespOk login Visitor");
        let again = ask(&mut sim, conn, session(2, sign_in("other")));
        assert_eq!(again, ["2 RespContextError"]);
    });
}

#[test]
fn a_name_of_which_all_numbers_are_taken_is_refused() {
    for shards in 1..=3 {
        let mut known = office::answers();
        let all = move |ask| match ask {
            Ask::SignIn(_) => Answer::SignIn(Ok(SignedIn::Unknown {
                taken: (1..=MOST_SUFFIXES).collect(),
            })),
            ask => known(ask),
        };
        let accounts = Settings {
            method: Method::Accounts,
            ..settings()
        };
        let mut sim = simulator_with(shards, 0, accounts, Box::new(all));
        let first = user(&mut sim, "visitor");
        let conn = connect(&mut sim);
        let again = ask(&mut sim, conn, session(1, sign_in("visitor")));
        assert_eq!(again, ["1 RespContextError"]);
        let other = ask(&mut sim, conn, session(2, sign_in("another")));
        assert_eq!(other[0], "2 RespOk login another");
        sim.disconnect(first);
        sim.settle();
        user(&mut sim, "visitor");
    }
}

fn with_password() -> Settings {
    Settings {
        method: Method::Password,
        password: "sesame".to_owned(),
        ..settings()
    }
}

fn sign_in_with<'a>(name: &'a str, password: &'a str) -> SessionCommandBody<'a> {
    SessionCommandBody::Login(CommandLogin {
        user_name: Some(name.into()),
        password: Some(password.into()),
        ..CommandLogin::default()
    })
}

#[test]
fn who_knows_the_password_replaces_the_session_before() {
    each_with(with_password(), |mut sim| {
        let watcher = connect(&mut sim);
        ask(
            &mut sim,
            watcher,
            session(1, sign_in_with("watcher", "sesame")),
        );
        let list = SessionCommandBody::ListUsers(CommandListUsers::default());
        ask(&mut sim, watcher, session(2, list));
        let mut before = None;
        for _ in 0..3 {
            let conn = connect(&mut sim);
            let wrong = ask(&mut sim, conn, session(1, sign_in_with("guest", "open")));
            assert_eq!(wrong, ["1 RespWrongPassword"]);
            let answer = ask(&mut sim, conn, session(2, sign_in_with("guest", "sesame")));
            assert_eq!(answer[0], "2 RespOk login guest");
            let seen = heard(&mut sim, watcher);
            if let Some(before) = before.replace(conn) {
                assert_eq!(heard(&mut sim, before), ["closed Loggedinelsewere"]);
                assert!(sim.client(before).closed.is_some());
                assert_eq!(seen, ["left guest", "joined guest"]);
            } else {
                assert_eq!(seen, ["joined guest"]);
            }
        }
    });
}

#[test]
fn who_fails_too_often_is_ended() {
    each_with(with_password(), |mut sim| {
        let conn = connect(&mut sim);
        for _ in 0..10 {
            let answer = ask(&mut sim, conn, session(1, sign_in_with("guest", "open")));
            assert_eq!(answer, ["1 RespWrongPassword"]);
            sim.advance(Duration::from_secs(2));
        }
        assert!(sim.client(conn).closed.is_some());
    });
}

#[test]
fn what_a_client_lacks_is_told_or_refused() {
    let strict = Settings {
        required_features: "websocket, 2.8.0_min_version".to_owned(),
        require_client_id: true,
        ..settings()
    };
    each_with(strict, |mut sim| {
        let conn = connect(&mut sim);
        let answer = ask(&mut sim, conn, session(1, sign_in("ann")));
        assert_eq!(answer, ["1 RespClientUpdateRequired login "]);
        let features = ["websocket", "2.8.0_min_version"];
        let mut login = CommandLogin {
            user_name: Some("ann".into()),
            clientfeatures: features.map(Into::into).to_vec(),
            ..CommandLogin::default()
        };
        let body = SessionCommandBody::Login(login.clone());
        let answer = ask(&mut sim, conn, session(2, body));
        assert_eq!(answer, ["2 RespClientIdRequired"]);
        login.clientid = Some("0123456789abcde".into());
        let body = SessionCommandBody::Login(login);
        sim.send(conn, session(3, body));
        sim.settle();
        let raw = sim.take_raw(conn);
        let message: ServerMessage<'_> = decode(&raw[0]).expect("a message");
        let response = message.response.expect("a response");
        let Some(ResponseBody::Login(login)) = response.body else {
            panic!("{response:?}");
        };
        assert_eq!(login.missing_features.len(), 10, "of twelve");
    });
}

#[test]
fn a_full_server_says_so_and_lets_nobody_in() {
    let full = Settings {
        most_users: Some(1),
        ..settings()
    };
    each_with(full, |mut sim| {
        let first = user(&mut sim, "ann");
        let conn = connect(&mut sim);
        let refused = ask(&mut sim, conn, session(1, sign_in("bob")));
        assert_eq!(refused, ["1 RespServerFull"]);
        let list = SessionCommandBody::ListUsers(CommandListUsers::default());
        assert_eq!(ask(&mut sim, conn, session(2, list)), ["2 RespLoginNeeded"]);
        sim.disconnect(first);
        sim.settle();
        assert!(ask(&mut sim, conn, session(3, sign_in("bob")))[0].starts_with("3 RespOk"));
    });
}

/// Whoever comes again takes the place of their own session: there is room for them.
#[test]
fn a_full_server_has_room_for_who_is_there_already() {
    let full = Settings {
        most_users: Some(1),
        ..with_password()
    };
    each_with(full, |mut sim| {
        for id in 1..=2 {
            let conn = connect(&mut sim);
            let answer = ask(&mut sim, conn, session(id, sign_in_with("ann", "sesame")));
            assert_eq!(answer[0], format!("{id} RespOk login ann"));
        }
        let conn = connect(&mut sim);
        let answer = ask(&mut sim, conn, session(3, sign_in_with("bob", "sesame")));
        assert_eq!(answer, ["3 RespServerFull"]);
    });
}

#[test]
fn an_address_has_only_so_many_connections() {
    each(|mut sim| {
        sim.address = [192, 0, 2, 7].into();
        let conns: Vec<ConnId> = (0..4).map(|_| connect(&mut sim)).collect();
        let fifth = sim.connect(0);
        let answer = ask(&mut sim, fifth, vec![]);
        assert_eq!(answer, ["identification 14", "closed TooManyConnections"]);
        assert!(sim.client(fifth).closed.is_some());
        sim.disconnect(conns[0]);
        sim.settle();
        connect(&mut sim);
    });
}

#[test]
fn an_exempt_address_has_any_number_of_connections() {
    let exempt = Settings {
        exempt: vec!["192.0.2.0/24".parse().expect("a block")],
        ..settings()
    };
    each_with(exempt, |mut sim| {
        sim.address = [192, 0, 2, 7].into();
        for _ in 0..9 {
            connect(&mut sim);
        }
        // Loopback is one address like others, then.
        sim.address = [127, 0, 0, 1].into();
        for _ in 0..4 {
            connect(&mut sim);
        }
        let fifth = sim.connect(0);
        let answer = ask(&mut sim, fifth, vec![]);
        assert_eq!(answer, ["identification 14", "closed TooManyConnections"]);
    });
}

#[test]
fn a_transport_has_only_so_many_connections() {
    let few = Settings {
        most_tcp: Some(1),
        ..settings()
    };
    each_with(few, |mut sim| {
        connect(&mut sim);
        let second = sim.connect(0);
        let answer = ask(&mut sim, second, vec![]);
        assert_eq!(answer[1], "closed UserLimitReached");
        sim.format = Format::WebSocketBinary;
        connect(&mut sim);
    });
}

#[test]
fn who_is_silent_for_too_long_is_ended() {
    each(|mut sim| {
        let (silent, unheard) = (user(&mut sim, "silent"), sim.connect(0));
        let pinging = user(&mut sim, "pinging");
        for _ in 0..5 {
            sim.advance(Duration::from_secs(3));
            ask(&mut sim, pinging, session(9, ping()));
        }
        for conn in [silent, unheard] {
            assert!(sim.client(conn).closed.is_none(), "15 ticks");
        }
        tick(&mut sim);
        for conn in [silent, unheard] {
            assert!(sim.client(conn).closed.is_some());
            assert!(heard(&mut sim, conn).is_empty(), "no event");
        }
        assert!(sim.client(pinging).closed.is_none());
    });
}

#[test]
fn who_does_nothing_is_warned_and_ended() {
    let short = Settings {
        idle: Some(20),
        ..settings()
    };
    each_with(short, |mut sim| {
        let conn = user(&mut sim, "idle");
        let mut warned_in = None;
        for second in 1..=20 {
            tick(&mut sim);
            let answer = ask(&mut sim, conn, session(second, ping()));
            assert_eq!(answer, [format!("{second} RespOk")]);
            if sim.dialect_of(conn).sessions[&conn].warned {
                warned_in.get_or_insert(second);
            }
        }
        assert_eq!(warned_in, Some(18), "when nine tenths are over");
        tick(&mut sim);
        assert!(sim.client(conn).closed.is_some());
    });
}

/// What counts is what was done last; signing in is none of that (spec: cockatrice-wire 4).
#[test]
fn signing_in_is_no_doing() {
    let short = Settings {
        idle: Some(20),
        ..settings()
    };
    each_with(short, |mut sim| {
        let conn = connect(&mut sim);
        for second in 1..=21 {
            assert!(sim.client(conn).closed.is_none(), "{second}");
            if second == 10 {
                ask(&mut sim, conn, session(second, sign_in("idle")));
            } else {
                ask(&mut sim, conn, session(second, ping()));
            }
            tick(&mut sim);
        }
        assert!(sim.client(conn).closed.is_some());
    });
}
