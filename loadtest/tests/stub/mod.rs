//! A lobby of a hundred lines: blocking sockets, JSON lines, one thread per connection.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// Every how many ms the stub broadcasts what has changed.
const TICK: Duration = Duration::from_millis(50);
/// Broadcasts after which a stub that dies does so.
const LIFE: usize = 10;
/// How long a stub that stands still does so.
const STALL: Duration = Duration::from_secs(2);

/// How the stub misbehaves.
#[derive(Clone, Copy, PartialEq)]
#[allow(dead_code, reason = "each test crate has the moods it needs")]
pub(crate) enum Mood {
    /// Not at all.
    Fine,
    /// Broadcasts to everybody but the watcher that signed in last.
    ForgetsOne,
    /// Lets nobody in.
    Refuses,
    /// Closes all connections after some broadcasts.
    Dies,
    /// Stands still for a while after some broadcasts.
    Stalls,
    /// Takes no connections after some sign-ins.
    Leaves,
}

#[derive(Default)]
struct Lobby {
    listeners: Vec<TcpStream>,
    titles: Vec<String>,
    dirty: Vec<bool>,
    hosts: Vec<SocketAddr>,
    broadcasts: usize,
    stalled: bool,
}

/// Starts the stub; gives its port.
pub(crate) fn stub(mood: Mood) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let lobby = Arc::new(Mutex::new(Lobby::default()));
    let ticking = lobby.clone();
    thread::spawn(move || {
        loop {
            thread::sleep(TICK);
            broadcast(&mut ticking.lock().expect("no panic"), mood);
        }
    });
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            if mood == Mood::Leaves && number > LIFE {
                return;
            }
            let lobby = lobby.clone();
            thread::spawn(move || serve(stream.expect("accepted"), number + 1, &lobby, mood));
        }
    });
    port
}

fn broadcast(lobby: &mut Lobby, mood: Mood) {
    let Lobby {
        listeners,
        titles,
        dirty,
        hosts,
        broadcasts,
        stalled,
    } = lobby;
    if mood == Mood::Dies && *broadcasts > LIFE {
        for listener in listeners.drain(..) {
            let _gone = listener.shutdown(Shutdown::Both);
        }
    }
    if mood == Mood::Stalls && *broadcasts > LIFE && !std::mem::replace(stalled, true) {
        // Whoever has something to say waits for the lobby meanwhile.
        thread::sleep(STALL);
    }
    // A host that hears nothing loses nothing: the last to sign in may be one, so watchers only.
    let watches = |stream: &TcpStream| stream.peer_addr().is_ok_and(|peer| !hosts.contains(&peer));
    let forgotten = match mood {
        Mood::ForgetsOne => listeners.iter().rposition(watches),
        Mood::Fine | Mood::Refuses | Mood::Dies | Mood::Stalls | Mood::Leaves => None,
    };
    for (uid, changed) in dirty.iter_mut().enumerate() {
        if std::mem::take(changed) {
            *broadcasts += 1;
            let line =
                json!({"command": "game_info", "uid": uid, "title": titles[uid], "state": "open"});
            for (index, listener) in listeners.iter_mut().enumerate() {
                if forgotten != Some(index) {
                    let _gone = say(listener, &line);
                }
            }
        }
    }
}

fn say(stream: &mut TcpStream, message: &Value) -> std::io::Result<()> {
    stream.write_all(format!("{message}\n").as_bytes())
}

fn serve(stream: TcpStream, id: usize, lobby: &Mutex<Lobby>, mood: Mood) {
    let mut out = stream.try_clone().expect("a second handle");
    let mut uid = None;
    for line in BufReader::new(stream).lines() {
        let Ok(message) =
            line.map(|line| serde_json::from_str::<Value>(&line).expect("clients send JSON"))
        else {
            return;
        };
        let mut lobby = lobby.lock().expect("no panic");
        let answers = match message["command"].as_str().expect("a command") {
            "ask_session" => vec![json!({"command": "session", "session": id})],
            "hello" if mood == Mood::Refuses => {
                let _gone = say(
                    &mut out,
                    &json!({"command": "authentication_failed", "text": "<script>no</script>"}),
                );
                return;
            }
            "hello" => {
                assert_eq!(message["password"].as_str().map(str::len), Some(64));
                lobby
                    .listeners
                    .push(out.try_clone().expect("a handle for broadcasts"));
                vec![
                    json!({"command": "welcome", "me": {"id": id}, "id": id}),
                    json!({"command": "player_info", "players": [{"id": id, "login": message["login"]}]}),
                    json!({"command": "game_info", "games": []}),
                    json!({"command": "ping"}),
                ]
            }
            "game_host" => {
                uid = Some(lobby.titles.len());
                lobby.hosts.extend(out.peer_addr());
                lobby
                    .titles
                    .push(message["title"].as_str().expect("a title").to_owned());
                lobby.dirty.push(true);
                vec![json!({"command": "game_launch", "uid": uid})]
            }
            "GameState" if message["args"][0] == "Lobby" => {
                vec![json!({"command": "HostGame", "args": ["scmp_007"], "target": "game"})]
            }
            "GameOption" if message["args"][0] == "Title" => {
                let uid = uid.expect("only hosts change titles");
                lobby.titles[uid] = message["args"][1].as_str().expect("a title").to_owned();
                lobby.dirty[uid] = true;
                vec![]
            }
            // It has a queue, in which nobody is ever matched.
            "matchmaker_info" => {
                let queues = json!([{"queue_name": "ladder", "team_size": 4}]);
                vec![json!({"command": "matchmaker_info", "queues": queues})]
            }
            "game_matchmaking" => {
                vec![json!({"command": "search_info", "state": message["state"]})]
            }
            "ping" => vec![json!({"command": "pong"})],
            _ => vec![],
        };
        for answer in answers {
            if say(&mut out, &answer).is_err() {
                return;
            }
        }
    }
}
