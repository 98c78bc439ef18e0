//! `servatrice.ini` of a running server, read again on SIGHUP and by an administrator's order.

use std::fs::{self, File};

use cockatrice::messages::{
    AdminCommandBody, CommandCreateGame, CommandForgotPasswordRequest, CommandGetWarnList,
    CommandJoinRoom, CommandPing, CommandRegister, CommandReloadConfig, CommandRoomSay,
    CommandViewLogHistory, ModeratorCommandBody, Response, ResponseBody, ResponseCode as Code,
    RoomCommandBody, SessionCommandBody,
};

use super::{
    client::Client,
    office::{add, sign_in, until},
    support::server::{Backend, Database, Server, muster},
    tcp,
};

/// What stays in the file.
const COMMON: &str = "[server]\nname=Cards\nhost=127.0.0.1\nport=0\nwebsocket_number_pools=0\n";

/// What the file has besides before, and after.
const BEFORE: &str = "[users]\nminnamelength=4\n";
const AFTER: &str = "clientkeepalive=7\nofficialwarnings=\"Flaming,Cheating|2\"\n[users]\nminnamelength=8\nminpasswordlength=10\n\
    [registration]\nenabled=true\nrequireemail=false\n[forgotpassword]\nenable=true\n[logging]\nenablelogquery=true\n\
    log_user_msg_room=true\n[security]\nmessage_counting_interval=3600\nmax_message_count_per_interval=1\nmax_games_per_user=1\n";

/// A server in the place of another project's, with accounts in a file of its own; the log is in `log`.
fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let ini = folder.path().join("servatrice.ini");
    fs::write(&ini, format!("{COMMON}{BEFORE}")).unwrap();
    let mut command = muster(folder.path());
    command.arg("--compat").arg(&ini);
    for pair in [
        "cockatrice.auth=sql",
        "server.shards=2",
        "server.pin=false",
        "server.stop_grace_s=0",
        "server.config_refresh_s=0",
        "http.control_address=",
        "http.health_address=127.0.0.1:0",
        "http.page_address=",
    ] {
        command.args(["--set", pair]);
    }
    command.stderr(File::create(folder.path().join("log")).unwrap());
    let database = Database::make(Backend::Sqlite).unwrap();
    Server::launch(command, folder, database).expect("the server starts")
}

fn write(server: &Server, more: &str) {
    let ini = server.folder().join("servatrice.ini");
    fs::write(ini, format!("{COMMON}{more}")).unwrap();
}

/// How many lines of the log have all of these in them.
fn logged(server: &Server, parts: &[&str]) -> usize {
    let log = fs::read_to_string(server.folder().join("log")).unwrap();
    let lines = log.lines();
    lines
        .filter(|line| parts.iter().all(|part| line.contains(part)))
        .count()
}

fn code(answer: &Response<'_>) -> Code {
    answer.response_code.expect("a code")
}

fn register(client: &mut Client, name: &str, password: &str) -> Code {
    let register = CommandRegister {
        user_name: Some(name.to_owned().into()),
        password: Some(password.to_owned().into()),
        ..CommandRegister::default()
    };
    code(&client.session(SessionCommandBody::Register(register)))
}

fn forgotten(client: &mut Client) -> Code {
    let request = CommandForgotPasswordRequest {
        user_name: Some("rootuser".into()),
        ..CommandForgotPasswordRequest::default()
    };
    code(&client.session(SessionCommandBody::ForgotPasswordRequest(request)))
}

fn say(client: &mut Client, text: &'static str) -> Code {
    let say = CommandRoomSay {
        message: Some(text.into()),
    };
    code(&client.room(RoomCommandBody::RoomSay(say)))
}

fn enter(client: &mut Client) {
    let join = CommandJoinRoom { room_id: Some(0) };
    let answer = client.session(SessionCommandBody::JoinRoom(join));
    assert_eq!(code(&answer), Code::RespOk);
}

fn create(client: &mut Client) -> Code {
    let create = CommandCreateGame {
        max_players: Some(2),
        ..CommandCreateGame::default()
    };
    code(&client.room(RoomCommandBody::CreateGame(create)))
}

fn warnings(root: &mut Client) -> usize {
    let list = CommandGetWarnList::default();
    let answer = root.moderator(ModeratorCommandBody::GetWarnList(list));
    match answer.body {
        Some(ResponseBody::WarnList(told)) => {
            let warnings = told.warning.iter();
            warnings.filter(|text| !text.is_empty()).count()
        }
        other => panic!("{other:?}"),
    }
}

/// What was said by the name, as the log of the lobby has it.
fn said(root: &mut Client, name: &str) -> Vec<String> {
    let query = CommandViewLogHistory {
        user_name: Some(name.to_owned().into()),
        log_location: vec!["room".into()],
        date_range: Some(1),
        maximum_results: Some(10),
        ..CommandViewLogHistory::default()
    };
    let answer = root.moderator(ModeratorCommandBody::ViewLogHistory(query));
    match answer.body {
        Some(ResponseBody::ViewLogHistory(told)) => {
            let lines = told.log_message.iter();
            lines.map(|line| line.message().into_owned()).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn reload(root: &mut Client) {
    let order = AdminCommandBody::ReloadConfig(CommandReloadConfig::default());
    assert_eq!(code(&root.admin(order)), Code::RespOk);
}

#[test]
fn another_file_takes_effect_for_those_who_are_there() {
    let server = server();
    add(&server, "rootuser", "administrator");
    let (mut root, mut ann, mut other) = (tcp(&server), tcp(&server), tcp(&server));
    assert_eq!(sign_in(&mut root, "rootuser", "secret"), Code::RespOk);
    assert_eq!(sign_in(&mut ann, "annika", ""), Code::RespOk);
    enter(&mut ann);
    before(&mut root, &mut ann, &mut other);

    write(&server, AFTER);
    server.signal("HUP").unwrap();
    until("the limit of games holds", || {
        create(&mut ann) == Code::RespContextError
    });
    after(&mut root, &mut ann, &mut other);
    newcomers_are_written_down(&server, &mut root);
    for key in ["registration", "chat_messages", "name_min_length"] {
        let key = format!("key=cockatrice.{key} ");
        assert_eq!(logged(&server, &[&key, " changed"]), 1, "{key}");
        assert_eq!(logged(&server, &[&key, "next start"]), 0, "{key}");
    }
    let fixed = ["key=cockatrice.tick_ms ", "next start"];
    assert_eq!(logged(&server, &fixed), 1);

    // The same by an administrator's order, which is answered whatever the file is like.
    write(&server, "[users]\nminnamelength=few\n");
    reload(&mut root);
    let refused = ["the configuration stays as it was"];
    until("it was refused", || logged(&server, &refused) == 1);
    fs::remove_file(server.folder().join("servatrice.ini")).unwrap();
    reload(&mut root);
    until("it was refused", || logged(&server, &refused) == 2);
    let code = register(&mut other, "shorty", "longenough");
    assert_eq!(code, Code::RespUsernameInvalid, "all is as it was");
    write(&server, BEFORE);
    reload(&mut root);
    until("more games are allowed", || {
        create(&mut ann) == Code::RespOk
    });
    let code = register(&mut other, "shorty", "longenough");
    assert_eq!(code, Code::RespRegistrationDisabled);
    assert_eq!(warnings(&mut root), 0);
    let ping = SessionCommandBody::Ping(CommandPing::default());
    assert_eq!(other.session(ping).response_code, Some(Code::RespOk));
}

fn before(root: &mut Client, ann: &mut Client, other: &mut Client) {
    let code = register(other, "shorty", "longenough");
    assert_eq!(code, Code::RespRegistrationDisabled);
    assert_eq!(forgotten(other), Code::RespFunctionNotAllowed);
    assert_eq!(warnings(root), 0);
    assert_eq!(said(root, "annika").len(), 3, "each place is off");
    assert_eq!(say(ann, "unwritten"), Code::RespOk);
    assert_eq!(create(ann), Code::RespOk);
}

fn after(root: &mut Client, ann: &mut Client, other: &mut Client) {
    let code = register(other, "shorty", "longenough");
    assert_eq!(code, Code::RespUsernameInvalid);
    let code = register(other, "longername", "secret");
    assert_eq!(code, Code::RespPasswordTooShort);
    let code = register(other, "longername", "longenough");
    assert_eq!(code, Code::RespRegistrationAccepted);
    assert_eq!(forgotten(other), Code::RespOk);
    assert_eq!(warnings(root), 2);
    // She has said a word, which was none too many. Her shard may be the last to learn of it.
    let mut said = 0;
    until("the limit of chat holds", || {
        said += 1;
        say(ann, "x") == Code::RespChatFlood
    });
    assert!(said < 10, "the limit before was 15");
}

/// What newcomers say is in the log, as soon as their shard knows of it: then their second word is one too many.
fn newcomers_are_written_down(server: &Server, root: &mut Client) {
    let mut number = 0;
    until("the limit of chat holds", || {
        number += 1;
        let mut client = tcp(server);
        let name = format!("visitor{number}");
        assert_eq!(sign_in(&mut client, &name, ""), Code::RespOk);
        enter(&mut client);
        assert_eq!(say(&mut client, "written"), Code::RespOk);
        say(&mut client, "too much") == Code::RespChatFlood
    });
    let name = format!("visitor{number}");
    until("it is written down", || said(root, &name) == ["written"]);
    assert_eq!(said(root, "annika"), [""; 0]);
}
