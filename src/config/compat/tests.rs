//! Settings in another server's words.

use std::{fs, path::PathBuf};

use backoffice::faf::AuthMode;
use lobby::faf::matchmaking::RatingSelection;
use settings::{Address, HostAddress};

use super::super::{Config, Sources};
use super::*;

/// Everything typed: the other server's variables and file, our own file, variables and flags.
#[derive(Default)]
struct Typed<'a> {
    environment: &'a [(&'a str, &'a str)],
    yaml: Option<&'a str>,
    toml: Option<&'a str>,
    set: &'a [(&'a str, &'a str)],
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |&(a, b): &(&str, &str)| (a.to_owned(), b.to_owned());
    pairs.iter().map(owned).collect()
}

fn load(typed: &Typed<'_>) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let written = |name: &str, text: Option<&str>| -> Option<PathBuf> {
        let path = folder.path().join(name);
        fs::write(&path, text?).unwrap();
        Some(path)
    };
    Config::load(&Sources {
        file: written("muster.toml", typed.toml),
        compat_file: written("config.yml", typed.yaml),
        servatrice_ini: None,
        environment: pairs(typed.environment),
        flags: pairs(typed.set),
    })
}

fn config(typed: &Typed<'_>) -> Config {
    load(typed).unwrap()
}

#[test]
fn every_key_of_ours_in_the_table_exists_and_no_name_is_there_twice() {
    for name in NAMES {
        if let Means::Key(key) | Means::Times(key, _) | Means::Word(key, _) = name.means {
            assert!(find(key).is_some(), "{}: {key}", name.name);
        }
        let same = NAMES.iter().filter(|other| other.name == name.name);
        assert_eq!(same.count(), 1, "{}", name.name);
    }
    for (key, text) in table::DEPLOYED {
        assert!(find(key).unwrap().kind.parse(text).is_some(), "{key}");
    }
}

// checklist: faf 498
#[test]
fn default_then_environment_then_file_then_our_own_words() {
    let environment: &[(&str, &str)] = &[("PING_INTERVAL", "20"), ("LOGIN_TIMEOUT", "100")];
    let default = config(&Typed::default());
    assert_eq!(default.lobbies.faf.dialect.ping_interval.as_secs(), 45);
    let mut typed = Typed {
        environment,
        ..Typed::default()
    };
    assert_eq!(
        config(&typed).lobbies.faf.dialect.ping_interval.as_secs(),
        20
    );
    typed.yaml = Some("PING_INTERVAL: 21\n");
    let both = config(&typed);
    assert_eq!(both.lobbies.faf.dialect.ping_interval.as_secs(), 21);
    assert_eq!(
        both.lobbies.faf.dialect.login_timeout.as_secs(),
        100,
        "the other stays"
    );
    typed.toml = Some("[faf]\nping_interval_s = 22\n");
    assert_eq!(
        config(&typed).lobbies.faf.dialect.ping_interval.as_secs(),
        22
    );
    let more = [environment, &[("MUSTER_FAF_PING_INTERVAL_S", "23")]].concat();
    typed.environment = &more;
    assert_eq!(
        config(&typed).lobbies.faf.dialect.ping_interval.as_secs(),
        23
    );
    typed.set = &[("faf.ping_interval_s", "24")];
    assert_eq!(
        config(&typed).lobbies.faf.dialect.ping_interval.as_secs(),
        24
    );
}

#[test]
fn an_unknown_way_to_choose_a_pool_means_the_mean() {
    for (word, meant) in [
        ("MAX", RatingSelection::Max),
        ("median", RatingSelection::Mean),
        ("", RatingSelection::Mean),
    ] {
        let environment: &[(&str, &str)] = &[("MAP_POOL_RATING_SELECTION", word)];
        let typed = Typed {
            environment,
            ..Typed::default()
        };
        let selection = config(&typed)
            .lobbies
            .faf
            .dialect
            .matchmaking
            .map_pool_rating_selection;
        assert_eq!(selection, meant, "{word:?}");
    }
}

#[test]
fn the_matchmakers_numbers_keep_their_fractions() {
    let typed = Typed {
        environment: &[
            ("QUEUE_POP_TIME_MAX", "30"),
            ("MINIMUM_GAME_QUALITY", "0.25"),
        ],
        yaml: Some(
            "LADDER_ANTI_REPETITION_WEIGHT_BASE_THRESHOLDS: [1, 0.75]\nMAP_POOL_RATING_SELECTION: min\n\
             LADDER_VIOLATIONS_ENABLED: false\nTIME_BONUS: 0.02\n",
        ),
        toml: Some("[matchmaking]\npop_shortest_s = 1.5\nminority_bonus = 2\n"),
        set: &[("matchmaking.newbie_time_bonus", "0.5")],
    };
    let matchmaking = config(&typed).lobbies.faf.dialect.matchmaking.clone();
    assert_eq!(matchmaking.pop.longest.as_secs(), 30);
    assert_eq!(matchmaking.pop.shortest.as_millis(), 1500);
    assert_eq!(matchmaking.tuning.minimum_game_quality, 0.25);
    assert_eq!(
        matchmaking.anti_repetition.weight_base_thresholds,
        [1.0, 0.75]
    );
    assert_eq!(matchmaking.map_pool_rating_selection, RatingSelection::Min);
    assert!(!matchmaking.violations.enabled);
    assert_eq!(
        (
            matchmaking.tuning.time_bonus,
            matchmaking.tuning.minority_bonus
        ),
        (0.02, 2.0)
    );
    assert_eq!(matchmaking.tuning.newbie_time_bonus, 0.5);
}

#[test]
fn values_of_the_environment_have_the_type_of_the_default() {
    let environment: &[(&str, &str)] = &[
        ("ALLOW_PASSWORD_LOGIN", "False"),
        ("SHUTDOWN_KICK_IDLE_PLAYERS", "yes"),
        ("SHUTDOWN_GRACE_PERIOD", "60"),
        ("DIRTY_REPORT_INTERVAL", "0.5"),
        ("WWW_URL", "https://example.com"),
        ("LOG_LEVEL", "warning"),
    ];
    let config = config(&Typed {
        environment,
        ..Typed::default()
    });
    assert!(
        !config.lobbies.faf.dialect.allow_password_login
            && config.lobbies.faf.dialect.shutdown_kick_idle
    );
    assert_eq!(config.server.stopping.grace.as_secs(), 60);
    assert_eq!(config.lobbies.faf.dialect.tick.as_millis(), 500);
    assert_eq!(config.lobbies.faf.dialect.www_url, "https://example.com");
    assert_eq!(config.log.level, "warn");
    assert_eq!(
        config.sign_in.auth,
        AuthMode::Open,
        "nobody spoke of a database"
    );
}

#[test]
fn a_value_that_is_not_understood_is_told_with_its_place() {
    let refusal = |environment: &[(&str, &str)], yaml| {
        let typed = Typed {
            environment,
            yaml,
            ..Typed::default()
        };
        load(&typed).unwrap_err().to_string()
    };
    assert_eq!(
        refusal(&[("PING_INTERVAL", "soon")], None),
        "environment variable PING_INTERVAL: PING_INTERVAL = \"soon\" is not allowed; allowed is a number"
    );
    let text = refusal(&[("PING_INTERVAL", "0")], None);
    assert!(
        text.contains("PING_INTERVAL = \"0\" is not allowed; allowed is a whole number from 1"),
        "{text}"
    );
    let text = refusal(&[], Some("USE_POLICY_SERVER: perhaps\n"));
    assert!(
        text.contains(
            "config.yml: USE_POLICY_SERVER = \"perhaps\" is not allowed; allowed is true or false"
        ),
        "{text}"
    );
    assert!(
        refusal(&[], Some("- a\n- b\n"))
            .contains("config.yml: not understood: the top level is no mapping")
    );
    assert!(refusal(&[], Some("a: [\n")).contains("config.yml: not understood:"));
    assert!(refusal(&[("DB_SERVER", "db"), ("DB_PORT", "x")], None).contains("DB_PORT"));
}

#[test]
fn a_deployment_means_its_defaults() {
    let config = config(&Typed {
        environment: &[
            ("DB_PASSWORD", "b@n/a:na"),
            ("MQ_PASSWORD", "ra b"),
            ("DB_SERVER", "faf-db"),
        ],
        ..Typed::default()
    });
    assert_eq!(config.sign_in.auth, AuthMode::Database);
    assert_eq!(
        config.store.url,
        "mysql://root:b%40n%2Fa%3Ana@faf%2Ddb:3306/faf".replace("faf%2Ddb", "faf-db")
    );
    let broker = config.broker.url.as_deref();
    assert_eq!(
        broker,
        Some("amqp://faf%2Dpython%2Dserver:ra%20b@127.0.0.1:5672/%2Ffaf%2Dcore")
    );
    assert_eq!(config.http.control, HostAddress::Host(4000));
    assert_eq!(config.http.health, HostAddress::Host(2000));
    assert_eq!(config.http.metrics, HostAddress::Off);
    assert_eq!(
        config.sign_in.policy_server(),
        Some("http://faf-policy-server")
    );
    assert_eq!(
        config.sign_in.keys_url(),
        Some("https://hydra.faforever.com/.well-known/jwks.json")
    );
    assert!(
        config
            .lobbies
            .faf
            .listeners
            .listeners()
            .all(|opened| opened.address.ip().is_unspecified())
    );
    assert!(
        config
            .lobbies
            .faf
            .listeners
            .ws_trusted
            .iter()
            .any(|block| block.contains("10.3.4.5".parse().unwrap()))
    );
    assert!(!config.print().contains("b%40n"), "passwords are masked");
}

#[test]
fn a_whole_file() {
    let yaml = r#"
LOG_LEVEL: TRACE
USE_UVLOOP: false
CONFIGURATION_REFRESH_TIME: 10
LISTEN:
  - ADDRESS: 127.0.0.1
    PORT: 18001
    NAME: qstream
    PROTOCOL: QDataStreamProtocol
    PROXY: true
  - PORT: 18002
    PROTOCOL: SimpleJsonProtocol
    PROXY: true
WS_PORT: 18003
WS_PATH: /lobby
WS_FORWARDED_IP_HEADER: X-Forwarded-For
DB_NAME: faf-test
MQ_VHOST: /
MQ_EXCHANGE_NAME: faf-lobby
HYDRA_JWKS_URI: http://keys/jwks.json
USE_POLICY_SERVER: false
ENABLE_METRICS: true
CONTROL_SERVER_PORT: 14000
GEO_IP_LICENSE_KEY:
NO_SUCH_KEY: 1
TWILIO_TTL: 86400
COTURN_HOSTS: [a, b]
PING_INTERVALL: 1
"#;
    let config = config(&Typed {
        yaml: Some(yaml),
        ..Typed::default()
    });
    let shown = |address: Address| address.socket().unwrap().to_string();
    assert_eq!(
        shown(config.lobbies.faf.listeners.qdatastream_address),
        "127.0.0.1:18001"
    );
    assert_eq!(
        shown(config.lobbies.faf.listeners.json_address),
        "0.0.0.0:18002"
    );
    assert_eq!(
        shown(config.lobbies.faf.listeners.websocket_address),
        "0.0.0.0:18003"
    );
    assert!(config.lobbies.faf.listeners.proxy);
    let websocket = &config.lobbies.faf.listeners;
    assert_eq!(
        (&*websocket.ws_path, &*websocket.ws_forwarded_header),
        ("/lobby", "X-Forwarded-For")
    );
    assert_eq!(
        config.store.url,
        "mysql://root:banana@127.0.0.1:3306/faf%2Dtest"
    );
    assert!(config.broker.url.as_ref().unwrap().ends_with(":5672/%2F"));
    assert_eq!(config.broker.exchange, "faf-lobby");
    assert_eq!(config.sign_in.keys_url(), Some("http://keys/jwks.json"));
    assert_eq!(config.sign_in.policy_server(), None);
    assert_eq!(
        config.http.metrics,
        HostAddress::Fixed("0.0.0.0:8011".parse().unwrap())
    );
    assert_eq!(config.http.control, HostAddress::Host(14000));
    assert_eq!(config.server.config_refresh.unwrap().as_secs(), 10);
    assert_eq!(config.log.level, "info,muster=trace");
    let notes = config.notes.join("\n");
    assert!(notes.contains("unknown key NO_SUCH_KEY"), "{notes}");
    assert!(
        notes.contains("unknown key PING_INTERVALL; did you mean PING_INTERVAL?"),
        "{notes}"
    );
    for name in ["USE_UVLOOP", "TWILIO_TTL", "COTURN_HOSTS"] {
        let note = format!("{name} has no effect here");
        assert!(notes.contains(&note), "{notes}");
    }
}

#[test]
fn listeners_that_are_not_possible_here_are_refused() {
    let refusal = |listen: &str| {
        load(&Typed {
            yaml: Some(&format!("LISTEN: {listen}\n")),
            ..Typed::default()
        })
        .unwrap_err()
        .to_string()
    };
    let entry =
        |port, protocol, proxy| format!("{{PORT: {port}, PROTOCOL: {protocol}, PROXY: {proxy}}}");
    let (json, stream) = ("SimpleJsonProtocol", "QDataStreamProtocol");
    assert!(refusal("[]").contains("the list is empty"));
    assert!(refusal("[{PORT: 1, PROTOCOL: Smoke}]").contains("a list of listeners"));
    let two = format!("[{}, {}]", entry(1, json, false), entry(2, json, false));
    assert!(refusal(&two).contains("there can be one listener for SimpleJsonProtocol"));
    let mixed = format!("[{}, {}]", entry(1, json, false), entry(2, stream, true));
    assert!(refusal(&mixed).contains("PROXY must be the same"));
}

// checklist: faf 500
#[test]
fn missing_and_empty_files_are_tolerated() {
    for yaml in ["", "# nothing\n", "---\n"] {
        let config = config(&Typed {
            yaml: Some(yaml),
            ..Typed::default()
        });
        assert_eq!(
            (config.sign_in.auth, config.notes.len()),
            (AuthMode::Database, 0)
        );
    }
    let config = Config::load(&Sources {
        compat_file: Some(PathBuf::from("/nowhere/config.yml")),
        ..Sources::default()
    })
    .unwrap();
    assert_eq!(
        config.notes,
        ["/nowhere/config.yml: there is no such file; going on without it"]
    );
}

#[test]
fn changes_are_told_without_passwords() {
    let before = config(&Typed::default());
    let after = config(&Typed {
        set: &[
            ("broker.url", "amqp://u:secret@h:1/v"),
            ("store.connections", "3"),
        ],
        ..Typed::default()
    });
    let told: Vec<_> = before
        .changes(&after)
        .iter()
        .map(|change| (change.key.name, change.value.clone(), change.key.live))
        .collect();
    let expected = [
        ("store.connections", "3".to_owned(), false),
        ("broker.url", "\"amqp://u:***@h:1/v\"".to_owned(), true),
    ];
    assert_eq!(told, expected);
}

/// As in a cluster with services called `muster`, `db` and `mq`.
#[test]
fn what_kubernetes_says_of_services_is_no_setting() {
    let environment: &[(&str, &str)] = &[
        ("MUSTER_SERVICE_HOST", "10.0.0.1"),
        ("MUSTER_PORT", "tcp://10.0.0.1:8002"),
        ("DB_PORT", "tcp://10.0.0.3:3306"),
        ("DB_PORT_3306_TCP_ADDR", "10.0.0.3"),
        ("MQ_PORT", "tcp://10.0.0.4:5672"),
    ];
    let plain = config(&Typed {
        environment,
        ..Typed::default()
    });
    assert_eq!(plain.sign_in.auth, AuthMode::Open);
    assert_eq!((plain.replaces.len(), &plain.broker.url), (0, &None));
    let [note] = &plain.notes[..] else {
        panic!("{:?}", plain.notes);
    };
    assert!(
        note.contains("MUSTER_PORT") && note.contains("DB_PORT"),
        "{note}"
    );
    let typo = load(&Typed {
        environment: &[("MUSTER_LOG_LEVLE", "info")],
        ..Typed::default()
    });
    assert!(typo.unwrap_err().to_string().contains("MUSTER_LOG_LEVEL"));
}

#[test]
fn only_its_own_settings_mean_a_deployment_of_that_server() {
    let read = |environment| {
        config(&Typed {
            environment,
            ..Typed::default()
        })
    };
    for environment in [
        &[
            ("DB_HOST", "db"),
            ("DB_USER", "app"),
            ("DB_PASSWORD", "x"),
            ("DB_NAME", "app"),
        ][..],
        &[("DB_PORT", "5432"), ("LOG_LEVEL", "verbose")],
        &[("LOG_LEVEL", "debug"), ("METRICS_PORT", "9100")],
    ] {
        let config = read(environment);
        assert_eq!(
            (config.sign_in.auth, config.replaces.len()),
            (AuthMode::Open, 0)
        );
        assert!(config.lobbies.vcmi.listener.enabled);
    }
    for environment in [
        &[("DB_SERVER", "db")][..],
        &[("DB_LOGIN", "faf")],
        &[
            ("DB_PASSWORD", "x"),
            ("HYDRA_JWKS_URI", "http://hydra/jwks.json"),
        ],
    ] {
        let config = read(environment);
        assert_eq!(config.sign_in.auth, AuthMode::Database);
        assert!(config.replaces[0].contains("DB_"));
    }
}

#[test]
fn in_that_servers_place_there_is_a_vcmi_lobby_only_if_it_is_asked_for() {
    let enabled = |set, toml| {
        let typed = Typed {
            environment: &[("DB_SERVER", "db")],
            set,
            toml,
            ..Typed::default()
        };
        config(&typed).lobbies.vcmi.listener.enabled
    };
    assert!(!enabled(&[], None));
    assert!(enabled(&[("vcmi.enabled", "true")], None));
    assert!(enabled(&[("vcmi.address", "127.0.0.1:5002")], None));
    assert!(enabled(&[], Some("[vcmi]\naddress = \"0.0.0.0:5002\"\n")));
    assert!(!enabled(
        &[("vcmi.enabled", "false")],
        Some("[vcmi]\naddress = \"0.0.0.0:5002\"\n")
    ));
}
