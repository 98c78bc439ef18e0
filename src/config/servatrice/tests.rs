//! Settings in the words of the Cockatrice server.

use std::{collections::BTreeSet, fs, time::Duration};

use lobby::cockatrice::{Method, RoomSettings};

use super::{
    super::{Config, Sources},
    *,
};

/// A configuration from the file alone, beside these variables and settings of our own.
fn load(
    ini: &str,
    environment: &[(&str, &str)],
    set: &[(&str, &str)],
) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servatrice.ini");
    fs::write(&file, ini).unwrap();
    let owned = |pairs: &[(&str, &str)]| {
        let pairs = pairs.iter();
        pairs.map(|(a, b)| (a.to_string(), b.to_string())).collect()
    };
    Config::load(&Sources {
        servatrice_ini: Some(file),
        environment: owned(environment),
        flags: owned(set),
        ..Sources::default()
    })
}

fn config(ini: &str) -> Config {
    load(ini, &[], &[]).unwrap()
}

fn refusal(ini: &str) -> String {
    load(ini, &[], &[])
        .expect_err("must be refused")
        .to_string()
}

#[test]
fn every_key_of_theirs_has_a_row_and_every_key_of_ours_exists() {
    let known: BTreeSet<String> = cockatrice::settings_ini::known().collect();
    let rows: BTreeSet<String> = NAMES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(rows, known);
    assert_eq!(rows.len(), NAMES.len(), "no name is there twice");
    for (name, means) in NAMES {
        if let Means::Key(key) | Means::Limit(key) | Means::Times(key, _) | Means::Word(key, _) =
            means
        {
            assert!(find(key).is_some(), "{name}: {key}");
        }
    }
}

/// All keys that the specification names, with what they have in the example that server comes with.
const EXAMPLE: &str = r#"
; The example.
[server]
name="My Cockatrice server"
id=1
number_pools=1
host=any
port=4747
websocket_number_pools=1
websocket_host=any
websocket_port=4748
web_socket_ip_header=""
statusupdate=15000
writelog=1
logfile=server.log
logfilters=""
clientkeepalive=1
max_player_inactivity_time=15
idleclienttimeout=3600
requireclientid=false
requiredfeatures=""
officialwarnings="Flaming,Foul language|2"
trusted_sources="127.0.0.1,::1"

[authentication]
method=none
password=""
regonly=false

[users]
minnamelength=6
maxnamelength=12
allowlowercase=true
allowuppercase=true
allownumerics=true
allowedpunctuation=_.-
allowpunctuationprefix=false
disallowedwords="admin"
disallowedregexp=""
displaydisallowedwords=""
minpasswordlength=6

[registration]
enabled=false
requireemail=true
requireemailactivation=true
maxaccountsperemail=0
emailproviderblacklist=""
emailproviderwhitelist=""

[forgotpassword]
enable=false
tokenlife=60
enablechallenge=false
subject="Password recovery"
body="Hello %username, %token"

[smtp]
enableinternalsmtpclient=true
connection=tcp
host=localhost
port=25
username=""
password=""
email=root@localhost
name="Cockatrice server"
subject="Your token"
body="Hi %username, your token is %token. Thanks"
acceptallcerts=true

[database]
type=none
prefix=cockatrice
hostname=localhost
database=servatrice
user=servatrice
password=password

[rooms]
method=config
roomlist\size=1
roomlist\1\name="General room"
roomlist\1\description="Play anything here."
roomlist\1\permissionlevel=NONE
roomlist\1\privilegelevel=NONE
roomlist\1\autojoin=true
roomlist\1\joinmessage="Welcome"
roomlist\1\chathistorysize=100
roomlist\1\game_types\size=2
roomlist\1\game_types\1\name=Standard
roomlist\1\game_types\2\name="Draft"

[game]
max_game_inactivity_time=120
store_replays=true
allow_create_as_judge=false

[security]
enable_max_user_limit=false
max_users_total=500
max_users_tcp=500
max_users_websocket=500
max_users_per_address=4
trusted_sources="127.0.0.1,::1"
message_counting_interval=10
max_message_size_per_interval=1000
max_message_count_per_interval=10
max_games_per_user=5
command_counting_interval=10
max_command_count_per_interval=20

[reporting]
max_reports_per_day=10
max_comments_per_hour=30

[logging]
enablelogquery=false
log_user_msg_room=false
log_user_msg_game=false
log_user_msg_chat=false
log_user_msg_isl=false

[audit]
enable_audit=true
enable_registration_audit=true
enable_forgotpassword_audit=true

[servernetwork]
active=0
port=14747
ssl_cert=ssl_cert.pem
ssl_key=ssl_key.pem
"#;

#[test]
fn the_example_is_understood_as_it_is() {
    let config = config(EXAMPLE);
    let unknown = config
        .notes
        .iter()
        .find(|note| note.contains("unknown") || note.contains("neither"));
    assert_eq!(unknown, None);
    // What has no effect is named, and nothing else is.
    assert_eq!(config.notes.len(), 2, "{:?}", config.notes);
    assert!(
        config
            .notes
            .iter()
            .any(|note| note.contains("server/logfile"))
    );
    let idle: Vec<&str> = NAMES
        .iter()
        .filter(|(_, means)| matches!(means, Means::Nothing(_)))
        .map(|(name, _)| *name)
        .collect();
    assert!(
        idle.iter()
            .all(|name| config.notes.iter().any(|note| note.contains(name)))
    );
    assert!(config.replaces[0].contains("servatrice.ini"));
    let lobby = &config.lobbies.cockatrice;
    assert_eq!(lobby.dialect.method, Method::Nothing);
    let listeners: Vec<String> = lobby::lobbies::Router::listeners(&config.lobbies)
        .iter()
        .map(|listener| format!("{} {}", listener.name, listener.address))
        .collect();
    assert_eq!(
        listeners,
        [
            "cockatrice/tcp 0.0.0.0:4747",
            "cockatrice/websocket 0.0.0.0:4748"
        ]
    );
    let rooms = lobby.dialect.room_list().unwrap();
    let [
        RoomSettings {
            name,
            history: 100,
            auto_join: true,
            game_types,
            ..
        },
    ] = &rooms[..]
    else {
        panic!("{rooms:?}");
    };
    assert_eq!((name.as_str(), game_types.len()), ("General room", 2));
    assert_eq!(
        (lobby.dialect.chat_messages, lobby.dialect.most_users),
        (10, None)
    );
    let accounts = &config.cockatrice;
    assert_eq!(
        (accounts.server, accounts.prefix.as_str()),
        (1, "cockatrice_")
    );
    assert_eq!(accounts.recovery.token_life, Duration::from_secs(3_600));
    assert_eq!(
        accounts.mail.sender,
        "\"Cockatrice server\" <root@localhost>"
    );
    assert_eq!(
        accounts.mail.smtp_url.as_deref(),
        Some("smtp://localhost:25?tls=opportunistic")
    );
    assert!(accounts.mail.smtp_accept_all_certificates);
    assert_eq!(
        accounts.mail.activation_text,
        "Hi %username, your token is %token. Thanks"
    );
}

#[test]
fn an_empty_file_means_that_servers_defaults() {
    let config = config("");
    assert_eq!(config.notes, [""; 0]);
    let dialect = &config.lobbies.cockatrice.dialect;
    assert_eq!((dialect.chat_messages, dialect.per_address), (15, Some(4)));
    assert_eq!(dialect.room_list().unwrap()[0].name, "General room");
    assert_eq!(config.cockatrice.mail.smtp_url, None);
}

#[test]
fn what_several_keys_make_is_put_together() {
    let config = config(
        "[server]\nhost=192.0.2.1\nport=5000\nnumber_pools=2\nwebsocket_number_pools=0\nidleclienttimeout=0\nclientkeepalive=2\n\
         [authentication]\nmethod=sql\nregonly=1\n\
         [database]\ntype=mysql\nprefix=\nhostname=db\ndatabase=cards\nuser=us er\npassword=\"p@s:s;\"\n\
         [rooms]\nmethod=sql\n\
         [security]\nenable_max_user_limit=true\nmax_users_total=70\nmax_users_per_address=-1\ntrusted_sources=\"10.0.0.7,::1\"\n\
         [smtp]\nconnection=ssl\nhost=mail.example.org\nport=465\nusername=me\npassword=x y\nemail=a@example.org\n",
    );
    let lobby = &config.lobbies.cockatrice;
    let tcp = lobby.listener.tcp_address.socket().unwrap().to_string();
    assert_eq!(tcp, "192.0.2.1:5000");
    assert_eq!(lobby.listener.websocket_address.socket(), None);
    let dialect = &lobby.dialect;
    assert_eq!((dialect.idle, dialect.tick), (None, Duration::from_secs(2)));
    assert_eq!(
        (dialect.most_users, dialect.most_tcp),
        (Some(70), Some(500))
    );
    assert_eq!(dialect.per_address, None);
    let accounts = &config.cockatrice;
    assert_eq!(accounts.store_url, "mysql://us%20er:p%40s%3As%3B@db/cards");
    assert_eq!(accounts.prefix, "");
    assert!(accounts.rooms_in_store);
    assert_eq!(
        accounts.mail.smtp_url.as_deref(),
        Some("smtps://me:x%20y@mail.example.org:465")
    );
    let exempt: Vec<String> = dialect.exempt.iter().map(ToString::to_string).collect();
    assert_eq!(exempt, ["10.0.0.7/32", "::1/128"]);
    // No password is shown.
    let printed = config.print();
    assert!(
        !printed.contains("p%40s") && !printed.contains("x%20y"),
        "{printed}"
    );
}

#[test]
fn two_variables_count_beside_the_file_and_nowhere_else() {
    let environment = [
        ("DATABASE_URL", "mysql://a:b@db:3307/cards?reconnect=true"),
        ("PORT", "8080"),
    ];
    let config = load("[database]\ntype=mysql\n", &environment, &[]).unwrap();
    assert_eq!(config.cockatrice.store_url, "mysql://a:b@db:3307/cards");
    assert_eq!(config.lobbies.cockatrice.dialect.method, Method::Accounts);
    assert!(config.cockatrice.rooms_in_store);
    let websocket = config.lobbies.cockatrice.listener.websocket_address;
    assert_eq!(websocket.socket().unwrap().port(), 8080);
    let environment = environment.map(|(name, text)| (name.to_owned(), text.to_owned()));
    let plain = Config::load(&Sources {
        environment: environment.to_vec(),
        ..Sources::default()
    });
    assert!(plain.unwrap().cockatrice.store_url.starts_with("sqlite:"));
    let other = load("", &[("DATABASE_URL", "postgres://a/b")], &[]).unwrap_err();
    assert!(
        other
            .to_string()
            .starts_with("environment variable DATABASE_URL: DATABASE_URL = ")
    );
}

#[test]
fn our_own_words_win_and_other_lobbies_may_be_asked_for() {
    let set = [
        ("cockatrice.tcp_address", "127.0.0.1:0"),
        ("faf.json_address", "127.0.0.1:9002"),
        ("vcmi.enabled", "true"),
    ];
    let config = load("[server]\nport=5000\n", &[], &set).unwrap();
    let names: Vec<String> = lobby::lobbies::Router::listeners(&config.lobbies)
        .into_iter()
        .map(|listener| listener.name)
        .collect();
    for name in ["faf/json", "vcmi", "cockatrice/tcp"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
    }
    let tcp = config.lobbies.cockatrice.listener.tcp_address.socket();
    assert_eq!(tcp.unwrap().port(), 0);
}

#[test]
fn what_is_not_possible_or_not_understood_is_told() {
    for (ini, wanted) in [
        ("[authentication]\nmethod=sql\n", "database/type is none"),
        (
            "[authentication]\nmethod=ldap\n",
            "authentication/method = \"ldap\" is not allowed",
        ),
        ("[database]\ntype=postgres\n", "there is only mysql"),
        (
            "[users]\ndisallowedregexp=\"a+,(?!x).*admin.*\"\n",
            r#"cockatrice.name_disallowed_expressions: "(?!x).*admin.*": look-around"#,
        ),
        ("[rooms]\nmethod=xml\n", "there are config and sql"),
        (
            "[server]\nport=many\n",
            "server/port = \"0.0.0.0:many\" is not allowed",
        ),
        (
            "[users]\nminnamelength=x\n",
            "users/minnamelength = \"x\" is not allowed",
        ),
        ("[smtp]\nhost=a\nconnection=udp\n", "there are tcp and ssl"),
    ] {
        let text = refusal(ini);
        assert!(text.contains(wanted), "{text}");
    }
    let notes = config("[server]\nnmae=x\nnonsense\n").notes;
    assert!(notes[0].ends_with("servatrice.ini:3: neither a section nor a key with a value"));
    assert!(
        notes[1].ends_with("unknown key server/nmae; did you mean server/name?"),
        "{notes:?}"
    );
    let missing = Config::load(&Sources {
        servatrice_ini: Some("/nowhere/servatrice.ini".into()),
        ..Sources::default()
    });
    assert!(
        missing
            .unwrap_err()
            .to_string()
            .starts_with("/nowhere/servatrice.ini: can't be read")
    );
}

/// Whatever number that server takes is no reason not to start: the nearest counts that there is here.
#[test]
fn numbers_that_do_not_fit_are_made_to() {
    let config = config(
        "[server]\nmax_player_inactivity_time=0\nstatusupdate=-5\nidleclienttimeout=\nclientkeepalive=99999999999999999999\n\
         [users]\nminnamelength=0\nmaxnamelength=40\nminpasswordlength=-1\n\
         [forgotpassword]\ntokenlife=0\n\
         [security]\nmax_message_count_per_interval=0\nmessage_counting_interval=0\ncommand_counting_interval=-1\n\
         enable_max_user_limit=true\nmax_users_total=-7\n\
         [rooms]\nroomlist\\size=1\nroomlist\\1\\name=A\nroomlist\\1\\permissionlevel=nonsense\n\
         roomlist\\1\\privilegelevel=gold\nroomlist\\1\\chathistorysize=5000\n",
    );
    let dialect = &config.lobbies.cockatrice.dialect;
    assert_eq!((dialect.inactivity, dialect.idle), (1, Some(3600)));
    assert_eq!(
        (dialect.tick, dialect.status_update),
        (Duration::from_secs(600), None)
    );
    // What is 0 there for none stays so.
    assert_eq!(
        (dialect.chat_interval, dialect.command_interval),
        (None, None)
    );
    assert_eq!((dialect.chat_messages, dialect.most_users), (1, Some(1)));
    let rooms = dialect.room_list().unwrap();
    assert_eq!(
        (&*rooms[0].permission, &*rooms[0].privilege),
        ("moderator", "privileged")
    );
    assert_eq!(rooms[0].history, 1000);
    let accounts = &config.cockatrice;
    let names = &accounts.names;
    assert_eq!((names.min_length, names.max_length), (1, 35));
    assert_eq!(accounts.registration.min_password, 0);
    assert_eq!(accounts.recovery.token_life, Duration::from_secs(60));
    for wanted in [
        r#"users/minnamelength = "0" is not possible here (1 to 35 is); taken is cockatrice.name_min_length = 1"#,
        r#"users/maxnamelength = "40" is not possible here (1 to 35 is); taken is cockatrice.name_max_length = 35"#,
        r#"server/max_player_inactivity_time = "0" is"#,
        r#"server/idleclienttimeout = "" is"#,
        r#"server/clientkeepalive = "99999999999999999999" is"#,
        r#"users/minpasswordlength = "-1" is"#,
        r#"forgotpassword/tokenlife = "0" is"#,
        r#"security/max_message_count_per_interval = "0" is"#,
        r#"security/max_users_total = "-7" is"#,
        r#"rooms/roomlist/1/permissionlevel = "nonsense" is no level; taken is moderator"#,
        r#"rooms/roomlist/1/privilegelevel = "gold" is no privilege; taken is privileged"#,
        r#"rooms/roomlist/1/chathistorysize = "5000" is too many; taken is 1000"#,
    ] {
        let told = config.notes.iter().filter(|note| note.contains(wanted));
        assert_eq!(told.count(), 1, "{wanted}: {:#?}", config.notes);
    }
    assert_eq!(config.notes.len(), 12, "{:#?}", config.notes);
}

/// Where the store is may stand in our own words, wherever those are.
#[test]
fn the_store_may_be_named_in_our_own_words() {
    let url = "sqlite:/var/lib/x.db?mode=rwc";
    let sql = "[authentication]\nmethod=sql\n";
    let by_flag = load(sql, &[], &[("cockatrice.store_url", url)]).unwrap();
    let variable = [("MUSTER_COCKATRICE_STORE_URL", url)];
    let by_variable = load(sql, &variable, &[]).unwrap();
    for config in [by_flag, by_variable] {
        assert_eq!(config.cockatrice.store_url, url);
        assert_eq!(config.lobbies.cockatrice.dialect.method, Method::Accounts);
    }
    let postgres = "[database]\ntype=postgres\n";
    assert!(load(postgres, &[], &[("cockatrice.store_url", url)]).is_ok());
    // Whoever wants no accounts needs none, and whoever wants them in our own words has our own store.
    assert!(load(sql, &[], &[("cockatrice.auth", "none")]).is_ok());
    let ours = load("", &[], &[("cockatrice.auth", "sql")]).unwrap();
    assert!(ours.cockatrice.store_url.starts_with("sqlite:"));
}
