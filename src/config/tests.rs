//! What is typed, and what is made of it.

use std::time::Duration;

use backoffice::faf::AuthMode;

use super::*;

fn flags(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(key, value)| (key.to_string(), value.to_string()))
        .collect()
}

fn load(toml: &str, environment: &[(&str, &str)], set: &[(&str, &str)]) -> Result<Config, String> {
    let mut values = Values::defaults(groups::keys());
    for given in [
        sources::from_toml("muster.toml", toml),
        sources::from_environment(&flags(environment)),
        sources::from_flags(&flags(set)),
    ] {
        sources::overlay(&mut values, given.map_err(|e| e.to_string())?);
    }
    Config::resolve(values).map_err(|e| e.to_string())
}

fn refusal(toml: &str, environment: &[(&str, &str)], set: &[(&str, &str)]) -> String {
    load(toml, environment, set).expect_err("must be refused")
}

#[test]
fn nothing_typed_is_open_on_loopback_with_the_embedded_store() {
    let config = Config::load(&Sources::default()).unwrap();
    assert_eq!(config.sign_in.auth, AuthMode::Open);
    assert_eq!(config.lobbies.faf.listeners.listeners().count(), 3);
    assert!(
        config
            .lobbies
            .faf
            .listeners
            .listeners()
            .all(|opened| opened.address.ip().is_loopback())
    );
    assert_eq!(config.store.url, "sqlite:data/muster.db?mode=rwc");
    assert!(config.engine.shards >= 1);
    assert_eq!(config.sign_in.policy_server(), None);
}

#[test]
fn later_wins() {
    let toml = "[faf]\ntick_ms = 100\nping_interval_s = 10\n[store]\nconnections = 3\n";
    let config = load(
        toml,
        &[
            ("MUSTER_FAF_TICK_MS", "200"),
            ("MUSTER_FAF_PING_INTERVAL_S", "20"),
            ("HOME", "/"),
        ],
        &[("faf.tick_ms", "300")],
    )
    .unwrap();
    assert_eq!(config.lobbies.faf.dialect.tick, Duration::from_millis(300));
    assert_eq!(
        config.lobbies.faf.dialect.ping_interval,
        Duration::from_secs(20)
    );
    assert_eq!(config.store.connections, 3);
}

#[test]
fn unknown_keys_are_told_with_place_and_nearest() {
    assert_eq!(
        refusal("# hello\n[faf]\ntick = 5\n", &[], &[]),
        "muster.toml:3: unknown key faf.tick; did you mean faf.tick_ms?"
    );
    assert_eq!(
        refusal("", &[("MUSTER_FAF_TICKMS", "5")], &[]),
        "environment variable MUSTER_FAF_TICKMS: unknown key MUSTER_FAF_TICKMS; did you mean MUSTER_FAF_TICK_MS?"
    );
    assert_eq!(
        refusal("", &[], &[("qqqqq", "5")]),
        "command line: unknown key qqqqq"
    );
    assert!(refusal("tick_ms = 5\n", &[], &[]).starts_with("muster.toml:1: unknown key tick_ms"));
}

#[test]
fn wrong_values_are_told_with_what_is_allowed() {
    assert_eq!(
        refusal("[faf]\ntick_ms = 5\n", &[], &[]),
        "muster.toml:2: faf.tick_ms = 5 is not allowed; allowed is a whole number from 10 to 60000"
    );
    assert!(
        refusal("[faf]\ntick_ms = \"50\"\n", &[], &[])
            .contains("faf.tick_ms = \"50\" is not allowed")
    );
    assert!(refusal("", &[], &[("faf.auth", "none")]).contains("one of \"open\", \"database\""));
    assert!(refusal("", &[], &[("faf.proxy", "yes")]).contains("true or false"));
    assert!(refusal("", &[], &[("faf.json_address", "localhost")]).contains("IP:PORT"));
    assert!(
        refusal("[faf]\nws_trusted = [\"10.0.0.0/40\"]\n", &[], &[]).contains("address blocks")
    );
    assert!(refusal("[faf\n", &[], &[]).starts_with("muster.toml:1: not valid TOML"));
}

#[test]
fn open_sign_in_beyond_loopback_needs_two_words() {
    let address = ("faf.json_address", "0.0.0.0:8002");
    assert!(refusal("", &[], &[address]).contains("faf/json would listen on 0.0.0.0:8002"));
    let config = load("", &[], &[address, ("faf.open_beyond_loopback", "true")]).unwrap();
    assert!(
        !config
            .lobbies
            .faf
            .listeners
            .json_address
            .socket()
            .unwrap()
            .ip()
            .is_loopback()
    );
    let config = load("", &[], &[("faf.auth", "database")]).unwrap();
    assert_eq!(
        config
            .lobbies
            .faf
            .listeners
            .websocket_address
            .socket()
            .unwrap()
            .to_string(),
        "0.0.0.0:8003"
    );
}

#[test]
fn contradictions_are_refused() {
    let off = [
        ("faf.json_address", ""),
        ("faf.qdatastream_address", ""),
        ("faf.websocket_address", ""),
        ("vcmi.enabled", "false"),
    ];
    assert!(refusal("", &[], &off).contains("no listener"));
    let only_vcmi = load("", &[], &off[..3]).unwrap();
    assert_eq!(
        only_vcmi
            .lobbies
            .vcmi
            .listener
            .listeners()
            .next()
            .unwrap()
            .address
            .to_string(),
        "127.0.0.1:5002"
    );
    assert!(
        refusal("", &[], &[("limits.outbox_hard_bytes", "4096")])
            .contains("below limits.outbox_soft_bytes")
    );
}

// They were written with escapes that TOML does not know, and the printed file could not be read.
#[test]
fn control_characters_are_printed_as_toml_has_them() {
    let url = "https://a\u{1e}\u{0}\u{200b}\u{301}\u{7f}\t\"\\";
    let config = load(
        "",
        &[],
        &[("faf.www_url", url), ("faf.ws_forwarded_header", "\u{1}")],
    );
    let printed = config.unwrap().print();
    let again = load(&printed, &[], &[]).unwrap();
    assert_eq!(again.lobbies.faf.dialect.www_url, url);
    assert_eq!(again.print(), printed);
}

#[test]
fn the_printed_file_means_the_same() {
    let config = load(
        "",
        &[],
        &[("faf.tick_ms", "77"), ("faf.ws_trusted", "10.0.0.0/8, ::1")],
    )
    .unwrap();
    let again = load(&config.print(), &[], &[]).unwrap();
    assert_eq!(again.print(), config.print());
    assert_eq!(again.lobbies.faf.dialect.tick, Duration::from_millis(77));
    assert!(
        again
            .lobbies
            .faf
            .listeners
            .ws_trusted
            .iter()
            .any(|block| block.contains("10.1.1.1".parse().unwrap()))
            && !again
                .lobbies
                .faf
                .listeners
                .ws_trusted
                .iter()
                .any(|block| block.contains("11.1.1.1".parse().unwrap()))
    );
}

#[test]
fn a_folders_name_means_nothing_in_the_stores_url() {
    for (folder, path) in [
        ("lobby%20data", "lobby%2520data"),
        ("/srv/a b?c#d", "/srv/a%20b%3Fc%23d"),
        ("/srv/plätze", "/srv/pl%C3%A4tze"),
        ("/srv/mode=memory", "/srv/mode%3Dmemory"),
    ] {
        let config = load("", &[], &[("server.data_dir", folder)]).unwrap();
        assert_eq!(
            config.store.url,
            format!("sqlite:{path}/muster.db?mode=rwc")
        );
        assert_eq!(
            config.cockatrice.store_url,
            format!("sqlite:{path}/cockatrice.db?mode=rwc")
        );
    }
}

#[test]
fn nodes_of_a_lobby_with_accounts_share_a_database() {
    let set = [
        ("cluster.url", "nats://127.0.0.1:4222"),
        ("store.url", "mysql://muster@127.0.0.1/faf"),
        ("cockatrice.enabled", "true"),
        ("cockatrice.auth", "sql"),
    ];
    assert!(refusal("", &[], &set).contains("cockatrice.store_url is an embedded"));
    let shared = ("cockatrice.store_url", "mysql://muster@127.0.0.1/cards");
    let shared: Vec<_> = set.iter().copied().chain([shared]).collect();
    assert!(load("", &[], &shared).is_ok());
    // Without accounts nothing is stored.
    assert!(load("", &[], &set[..3]).is_ok());
}

#[test]
fn two_that_would_listen_in_one_place_are_refused() {
    for (json, other, address) in [
        ("127.0.0.1:9000", "vcmi.address", "127.0.0.1:9000"),
        ("127.0.0.1:9000", "http.metrics_address", "127.0.0.1:9000"),
        ("127.0.0.1:9000", "http.health_address", "0.0.0.0:9000"),
        ("127.0.0.1:9000", "http.health_address", "[::]:9000"),
        (
            "[::ffff:127.0.0.1]:9000",
            "http.health_address",
            "127.0.0.1:9000",
        ),
        ("127.0.0.1:4000", "http.health_address", "host:4000"),
    ] {
        let set = [
            ("faf.json_address", json),
            (
                "http.control_address",
                if address.starts_with("host") {
                    "host:4000"
                } else {
                    ""
                },
            ),
            (other, address),
        ];
        let text = refusal("", &[], &set);
        assert!(text.contains("where"), "{text}");
    }
    for (json, other) in [
        ("127.0.0.1:9000", "127.0.0.2:9000"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("127.0.0.1:9000", "[::1]:9000"),
        ("127.0.0.1:9000", "host:9000"),
    ] {
        let set = [("faf.json_address", json), ("http.metrics_address", other)];
        load("", &[], &set).unwrap();
    }
}

#[test]
fn accounts_of_cockatrice_that_could_not_be_are_refused() {
    for (set, wanted) in [
        (
            [("cockatrice.name_min_length", "13")].as_slice(),
            "is above cockatrice.name_max_length (12)",
        ),
        (
            &[("cockatrice.name_disallowed_expressions", "good.*,bad(")],
            "cockatrice.name_disallowed_expressions: \"bad(\": unclosed group",
        ),
        (
            &[("cockatrice.store_prefix", "a; DROP")],
            "cockatrice.store_prefix = \"a; DROP\" is not allowed",
        ),
        (
            &[("cockatrice.smtp_url", "smtp://mail?tls=perhaps")],
            "cockatrice.smtp_url is not understood",
        ),
        (
            &[
                ("cockatrice.enabled", "true"),
                ("cockatrice.tcp_address", ""),
                ("cockatrice.websocket_address", ""),
            ],
            "those with TLS are all off",
        ),
        (
            &[("cockatrice.registered_only", "true")],
            "cockatrice.auth is \"none\"",
        ),
        (
            &[("cockatrice.rooms_in_store", "true")],
            "the embedded store has no rooms",
        ),
        (
            &[("cockatrice.mail_sender", "nobody")],
            "cockatrice.mail_sender = \"nobody\" is no address",
        ),
        (
            &[(
                "cockatrice.store_url",
                "sqlite:{data_dir}/muster.db?mode=rwc",
            )],
            "store.url and cockatrice.store_url are the same",
        ),
    ] {
        let text = refusal("", &[], set);
        assert!(text.contains(wanted), "{text}");
    }
}

#[test]
fn what_is_hardly_meant_is_told() {
    let notes = |set: &[(&str, &str)]| {
        let enabled = [("cockatrice.enabled", "true")];
        let flags = flags(&[&enabled, set].concat());
        Config::load(&Sources {
            flags,
            ..Sources::default()
        })
        .unwrap()
        .notes
    };
    let registration = ("cockatrice.registration", "true");
    for (set, wanted) in [
        (
            &[("cockatrice.auth", "password")][..],
            "cockatrice.password is empty",
        ),
        (&[registration], "has no effect"),
        (
            &[registration, ("cockatrice.auth", "sql")],
            "nothing sends the mail",
        ),
    ] {
        let notes = notes(set);
        assert!(
            matches!(&notes[..], [note] if note.contains(wanted)),
            "{notes:?}"
        );
    }
    let sent = ("cockatrice.mail_folder", "mail");
    let good = notes(&[registration, ("cockatrice.auth", "sql"), sent]);
    assert_eq!(good, [""; 0]);
}

#[test]
fn what_a_secret_is_shown_as_is_no_secret() {
    for url in ["mysql://faf:***@db/faf", "mariadb://faf:***@db/faf"] {
        let text = refusal(&format!("[store]\nurl = \"{url}\"\n"), &[], &[]);
        assert!(text.contains("store.url") && text.contains(":2:"), "{text}");
        let text = refusal("", &[("MUSTER_STORE_URL", url)], &[]);
        assert!(text.contains("not the secret itself"), "{text}");
        let text = refusal("", &[], &[("store.url", url)]);
        assert!(text.contains("not the secret itself"), "{text}");
    }
}

#[test]
fn the_data_folder_is_found_whatever_else_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("muster.toml");
    let found = |text: &str, flags: &[(&str, &str)]| {
        std::fs::write(&file, text).unwrap();
        let sources = Sources {
            file: Some(file.clone()),
            flags: flags
                .iter()
                .map(|(k, v)| (k.to_string(), v.to_string()))
                .collect(),
            ..Sources::default()
        };
        Config::data_dir(&sources)
            .map(|(path, wrong)| (path.display().to_string(), wrong.is_some()))
    };
    let good = "[server]\ndata_dir = \"/srv/a\"\n";
    assert_eq!(found(good, &[]), Ok(("/srv/a".to_owned(), false)));
    for wrong in [
        "[faf]\nno_such_key = 1\n",
        "[faf]\ntick_ms = \"soon\"\n",
        "[nothing]\na = 1\n",
        "[faf]\ntick_ms = = 3\n",
        "[faf\n",
        "[cluster]\nurl = \"nats://127.0.0.1\"\n",
    ] {
        let text = format!("{good}{wrong}");
        assert_eq!(
            found(&text, &[]),
            Ok(("/srv/a".to_owned(), true)),
            "{wrong}"
        );
        let flags = [("server.data_dir", "/srv/b"), ("faf.tick_ms", "0.5")];
        assert_eq!(
            found(&text, &flags),
            Ok(("/srv/b".to_owned(), true)),
            "{wrong}"
        );
        assert_eq!(
            found(wrong, &[]),
            Ok(("data".to_owned(), true)),
            "the default"
        );
    }
    let sources = Sources {
        file: Some(folder.path().join("none.toml")),
        ..Sources::default()
    };
    assert!(Config::data_dir(&sources).is_err(), "it may say anything");
}
