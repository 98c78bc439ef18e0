//! Plays a recorded dialogue against a running server.
//!
//! Line by line: what was sent is sent, and what was received must come before it goes on. Per client the answers are
//! exactly those recorded, in their order. Broadcasts tell the state of something at a tick, and ticks fall differently
//! each time: every state that was recorded for the last time in a phase must be the last one told, and nothing else may
//! be told of.
//!
//! A phase ends when everything has settled. That is made certain, not waited for: pings are answered, then the
//! account `metronome` signs in, and when everybody has been told of that by a tick, all earlier changes have been told
//! too. The metronome is then taken out of everything that is compared.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    client::{Client, Received},
    exchange::Exchange,
    http,
    recorded::{Event, Line, Terms, same},
    script::Transport,
    server::Server,
};

const METRONOME: &str = "metronome";
/// SHA-256 of `pw-metronome`.
const METRONOME_PASSWORD: &str = "47a1e397a413fccec0e0b4d32bf1d33d77040153a097bc9fa70e4db9e99eafce";
/// How long a condition may take to come true.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a broadcast tells the state of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Player(u64),
    Game(u64),
    Queue(String),
    Party(u64),
}

/// What a message is.
enum Kind {
    /// For this client alone: an answer, or something said to him.
    Own(Value),
    /// The server's own ping.
    Ping,
    /// States, as told to everybody.
    States(Vec<(Subject, Value)>),
}

/// One connection.
struct Peer {
    client: Client,
    /// Who he is, once he is welcome.
    login: Option<String>,
    /// The next `player_info` is the list of everybody.
    list_next: bool,
    /// Received and not expected so far.
    own: VecDeque<Value>,
    /// Told in this phase.
    told: Vec<(Subject, Value)>,
    /// Found in this phase in the lists of a newcomer; what is there need not be told to him again.
    listed: Vec<(Subject, Value)>,
    pings: usize,
    /// How often he has been told that the metronome is there.
    beats: usize,
}

/// What was recorded for one client in one phase.
#[derive(Default)]
struct Part {
    /// The states told, in their order, and how many of them have been seen.
    states: Vec<(Subject, Value)>,
    seen: usize,
    list_next: bool,
    /// Whether the client, when its connection ends next, is the one who is sent away.
    sent_away: bool,
}

/// What a play needs to know beside the record.
pub(crate) struct Play<'a> {
    pub(crate) transport: Transport,
    /// The token to send in a phase.
    pub(crate) token: &'a dyn Fn(&str) -> String,
    /// The query that gives the rows recorded under a name with this many columns in this phase.
    pub(crate) query: &'a dyn Fn(&str, usize, &str) -> Option<String>,
    /// See [`Terms`].
    pub(crate) slack: f64,
    /// Statements to run before a line.
    pub(crate) sql: &'a [(usize, &'a str)],
    /// Phases that the next one follows without a pause.
    pub(crate) unsettled: &'a [&'a str],
}

/// A play on its way.
pub(crate) struct Stage<'a> {
    play: &'a Play<'a>,
    server: &'a mut Server,
    exchange: Option<Exchange>,
    peers: BTreeMap<String, Peer>,
    parts: BTreeMap<String, Part>,
    phase: String,
    terms: Terms,
    /// For the report of a failure.
    heard: Vec<String>,
    stopping: bool,
    /// When the present step began: broadcasts that go on for ever must not keep it waiting.
    began: Instant,
}

impl<'a> Stage<'a> {
    /// Plays the whole record.
    pub(crate) fn perform(
        server: &'a mut Server,
        exchange: Option<Exchange>,
        play: &'a Play<'a>,
        lines: &[Line],
    ) -> Result<(), String> {
        let mut stage = Stage {
            play,
            server,
            exchange,
            peers: BTreeMap::new(),
            parts: BTreeMap::new(),
            phase: String::new(),
            terms: Terms {
                slack: play.slack,
                ..Terms::default()
            },
            heard: Vec::new(),
            stopping: false,
            began: Instant::now(),
        };
        let mut done = Ok(());
        for (at, line) in lines.iter().enumerate() {
            let before = play.sql.iter().filter(|(number, _)| *number == line.number);
            for (_, statement) in before {
                stage.server.sql(statement)?;
            }
            done = stage
                .step(&line.event, &lines[at + 1..])
                .map_err(|error| format!("line {} ({}): {error}", line.number, stage.phase));
            if done.is_err() {
                break;
            }
        }
        let done = done.and_then(|()| {
            stage
                .settle()
                .map_err(|error| format!("after {}: {error}", stage.phase))
        });
        done.map_err(|error| {
            let from = stage.heard.len().saturating_sub(16);
            format!(
                "{error}\n  heard last:\n    {}",
                stage.heard[from..].join("\n    ")
            )
        })
    }

    fn step(&mut self, event: &Event, later: &[Line]) -> Result<(), String> {
        self.began = Instant::now();
        match event {
            Event::Phase(name) => {
                if !self.play.unsettled.contains(&self.phase.as_str()) {
                    self.settle()?;
                }
                self.phase.clone_from(name);
                Ok(())
            }
            Event::Send(who, message) => {
                let mut message = message.clone();
                if message["token"] == "<token>" {
                    message["token"] = (self.play.token)(&self.phase).into();
                }
                self.part(who).sent_away = true;
                // Whoever has been sent away already can't say anything any more; that he is gone comes next.
                let _ = self.peer(who)?.client.send(&message);
                Ok(())
            }
            Event::Raw(who, bytes, last) => {
                self.part(who).sent_away = true;
                let client = &mut self.peer(who)?.client;
                let _ = client.send_raw(bytes);
                if *last { client.finish() } else { Ok(()) }
            }
            Event::Receive(who, message) => self.expect(who, message, later),
            Event::Closed(who) => {
                let sent_away = self.part(who).sent_away;
                self.closed(who, sent_away)
            }
            Event::Leaves(who) => self.closed(who, false),
            Event::Rows(name, rows) => self.rows(name, rows),
            Event::Exit(code) => {
                let ended = i64::from(self.server.ended()?);
                if ended == *code {
                    Ok(())
                } else {
                    Err(format!("exit code {ended}"))
                }
            }
            Event::Note(note) => self.note(note),
            Event::Published(key, body) => self.published(key, body),
            Event::Http(path, status, body) => self.http(path, *status, body),
        }
    }

    fn part(&mut self, who: &str) -> &mut Part {
        self.parts.entry(who.to_owned()).or_default()
    }

    /// The client, connected now if it was not.
    fn peer(&mut self, who: &str) -> Result<&mut Peer, String> {
        if !self.peers.contains_key(who) {
            let address = self.server.address(self.play.transport)?;
            let client = Client::connect(self.play.transport, address)?;
            self.peers.insert(who.to_owned(), Peer::new(client));
        }
        self.peers.get_mut(who).ok_or_else(String::new)
    }

    /// Takes in one message; false if the connection has ended.
    fn hear(&mut self, who: &str) -> Result<bool, String> {
        let received = self.peer(who)?.client.receive()?;
        self.heard.push(match &received {
            Received::Message(message) => format!("{who}< {message:.240}"),
            Received::Closed => format!("{who}! closed"),
        });
        match received {
            Received::Message(message) => {
                self.peer(who)?.take(message);
                Ok(true)
            }
            Received::Closed => Ok(false),
        }
    }

    fn hear_more(&mut self, who: &str, instead: &str) -> Result<(), String> {
        if self.began.elapsed() > PATIENCE {
            return Err(format!("{who} waits in vain for {instead}"));
        }
        match self.hear(who) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!("{who} was sent away instead of {instead}")),
            Err(error) => Err(format!("{error}, waiting for {instead}")),
        }
    }

    fn expect(&mut self, who: &str, message: &Value, later: &[Line]) -> Result<(), String> {
        let part = self.part(who);
        let kind = kind(message, &mut part.list_next);
        part.sent_away = matches!(&kind, Kind::Own(own) if own["command"] == "invalid" || own["command"] == "notice");
        match kind {
            Kind::Own(recorded) => {
                while self.peer(who)?.own.is_empty() {
                    self.hear_more(who, &recorded.to_string())?;
                }
                let own = self.peer(who)?.own.pop_front().unwrap_or_default();
                if same(&recorded, &own, &mut self.terms) {
                    return Ok(());
                }
                Err(format!(
                    "{who} should hear\n    {recorded}\n  but heard\n    {own}"
                ))
            }
            Kind::Ping => {
                while self.peer(who)?.pings == 0 {
                    self.hear_more(who, "a ping")?;
                }
                self.peer(who)?.pings -= 1;
                Ok(())
            }
            Kind::States(states) => {
                for (subject, state) in states {
                    self.expect_state(who, &subject, &state, later)?;
                    self.part(who).states.push((subject, state));
                }
                Ok(())
            }
        }
    }

    /// Waits for this state, or for one that was recorded after it in the same phase and has overtaken it. The states
    /// of a party are all told, in their order.
    fn expect_state(
        &mut self,
        who: &str,
        subject: &Subject,
        state: &Value,
        later: &[Line],
    ) -> Result<(), String> {
        let ordered = matches!(subject, Subject::Party(_));
        let mut good = vec![state.clone()];
        if !ordered {
            good.extend(later_states(who, subject, later));
        }
        loop {
            let seen = self.part(who).seen;
            let terms = &mut self.terms;
            let peer = self.peers.get(who).ok_or("nobody is there to hear it")?;
            let mut fits = |(about, told): &(Subject, Value)| {
                about == subject && good.iter().any(|good| same(good, told, terms))
            };
            if ordered {
                if let Some(at) = (seen..peer.told.len()).find(|&at| fits(&peer.told[at])) {
                    self.part(who).seen = at + 1;
                    return Ok(());
                }
            } else if peer.told.iter().chain(&peer.listed).any(fits) {
                return Ok(());
            }
            self.hear_more(who, &state.to_string())?;
        }
    }

    /// Whoever was not sent away goes by himself; then it is waited for that everybody knows.
    fn closed(&mut self, who: &str, sent_away: bool) -> Result<(), String> {
        if sent_away {
            while self.hear(who)? {}
        }
        let mut gone = self
            .peers
            .remove(who)
            .ok_or_else(|| format!("{who} is not connected"))?;
        self.parts.remove(who);
        if let Some(own) = gone.own.pop_front() {
            return Err(format!("{who} heard, before the end, {own}"));
        }
        drop(gone);
        if sent_away { Ok(()) } else { self.tick() }
    }

    fn rows(&mut self, name: &str, recorded: &Value) -> Result<(), String> {
        let columns = recorded[0].as_array().map_or(0, Vec::len);
        let query = (self.play.query)(name, columns, &self.phase)
            .ok_or_else(|| format!("no query for {name} with {columns} columns"))?;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let rows = self.server.database.rows(&query)?;
            let rows: Result<Vec<Value>, _> =
                rows.iter().map(|row| serde_json::from_str(row)).collect();
            let mut rows = Value::Array(rows.map_err(|error| error.to_string())?);
            with_fractions(recorded, &mut rows);
            if same(recorded, &rows, &mut self.terms) {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!(
                    "rows of {name} should be\n    {recorded}\n  but are\n    {rows}"
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Messages of one moment have no order; without a broker nobody hears them.
    fn published(&mut self, key: &str, body: &Value) -> Result<(), String> {
        let Some(exchange) = &mut self.exchange else {
            return Ok(());
        };
        let terms = &mut self.terms;
        exchange
            .take(|(routing, published)| routing == key && same(body, published, terms))
            .map_err(|error| format!("{key} {body}: {error}"))
    }

    /// The list of games must have been brought up to date by a tick, as the record's was.
    fn http(&mut self, path: &str, status: u64, body: &Value) -> Result<(), String> {
        let listener = if path == "/ready" {
            "health"
        } else {
            "control"
        };
        let address = self.server.listener(&format!("http/{listener}"))?;
        let page = http::get(address, path).map_err(|error| error.to_string())?;
        let found = serde_json::from_str(&page.body).unwrap_or_else(|_| page.body.clone().into());
        if u64::from(page.status) == status
            && same(body, &without_metronome(&found), &mut self.terms)
        {
            return Ok(());
        }
        Err(format!(
            "{path} should give {status}\n    {body}\n  but gives {}\n    {found}",
            page.status
        ))
    }

    fn note(&mut self, note: &Value) -> Result<(), String> {
        if note["signal"] == "TERM" {
            self.stopping = true;
            return self.server.terminate();
        }
        if let Some(players) = note["players_online"].as_array() {
            let recorded: BTreeSet<&str> = players.iter().filter_map(Value::as_str).collect();
            let there: BTreeSet<&str> = self
                .peers
                .values()
                .filter_map(|peer| peer.login.as_deref())
                .collect();
            return if recorded == there {
                self.tick()
            } else {
                Err(format!("{there:?} are signed in"))
            };
        }
        for listener in ["control", "health"] {
            if let Some(status) = note[listener].as_u64() {
                let address = self.server.listener(&format!("http/{listener}"))?;
                let page = http::get(address, "/nothing").map_err(|error| error.to_string())?;
                if u64::from(page.status) != status {
                    return Err(format!("{listener} gives {}", page.status));
                }
            }
        }
        // `closed`, `case`: shown by the lines around it.
        Ok(())
    }

    /// Everything that was caused has been told, and it was what was recorded.
    fn settle(&mut self) -> Result<(), String> {
        if !self.stopping && !self.phase.is_empty() {
            self.fence()?;
            self.tick()?;
            self.fence()?;
        }
        if let Some(left) = self
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.left().first())
        {
            return Err(format!("was published, and should not have been: {left:?}"));
        }
        let parts = std::mem::take(&mut self.parts);
        for (who, peer) in &mut self.peers {
            let empty = Part::default();
            let part = parts.get(who).unwrap_or(&empty);
            peer.compare(&part.states, &mut self.terms)
                .map_err(|error| format!("{who}: {error}"))?;
            if part.list_next {
                return Err(format!("{who}: the record stops inside a sign-in"));
            }
        }
        Ok(())
    }

    /// Every ping is answered; twice, so that what the first round caused on other shards has arrived too.
    fn fence(&mut self) -> Result<(), String> {
        let everybody: Vec<String> = self.peers.keys().cloned().collect();
        for who in everybody.iter().chain(&everybody) {
            self.peer(who)?.client.send(&json!({"command":"ping"}))?;
            let pong = json!({"command":"pong"});
            while self.peer(who)?.own.back() != Some(&pong) {
                self.hear_more(who, "the answer to a ping")?;
            }
            self.peer(who)?.own.pop_back();
        }
        Ok(())
    }

    /// Lets a tick pass that tells of everything so far. The metronome also sees who is there: nobody who has left.
    fn tick(&mut self) -> Result<(), String> {
        let there: BTreeSet<String> = self
            .peers
            .values()
            .filter_map(|peer| peer.login.clone())
            .collect();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (mut metronome, players) = self.metronome()?;
            // Everybody hears this beat, so that it is not taken for a later one.
            let signed_in = self.peers.iter().filter(|(_, peer)| peer.login.is_some());
            for who in signed_in.map(|(who, _)| who.clone()).collect::<Vec<_>>() {
                while self.peer(&who)?.beats == 0 {
                    self.hear_more(&who, "the metronome")?;
                }
                self.peer(&who)?.beats = 0;
            }
            while metronome.beats == 0 {
                metronome.hear()?;
            }
            if players == there {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("{there:?} should be there, but {players:?} are"));
            }
        }
    }

    /// Signs the metronome in; who else is there.
    fn metronome(&mut self) -> Result<(Peer, BTreeSet<String>), String> {
        let address = self.server.address(self.play.transport)?;
        let mut metronome = Peer::new(Client::connect(self.play.transport, address)?);
        let hello = json!({"command":"hello","login":METRONOME,"password":METRONOME_PASSWORD,"unique_id":"m"});
        metronome.client.send(&hello)?;
        loop {
            metronome.hear()?;
            let list = metronome
                .own
                .iter()
                .find(|own| own["command"] == "player_info");
            if let Some(list) = list {
                let players = list["players"].as_array().into_iter().flatten();
                let players = players.filter_map(|player| player["login"].as_str());
                let players = players.map(str::to_owned).collect();
                return Ok((metronome, players));
            }
        }
    }
}

impl Peer {
    fn new(client: Client) -> Peer {
        Peer {
            client,
            login: None,
            list_next: false,
            own: VecDeque::new(),
            told: Vec::new(),
            listed: Vec::new(),
            pings: 0,
            beats: 0,
        }
    }

    /// Takes in one message.
    fn hear(&mut self) -> Result<(), String> {
        match self.client.receive()? {
            Received::Message(message) => {
                self.take(message);
                Ok(())
            }
            Received::Closed => Err("sent away".into()),
        }
    }

    fn take(&mut self, message: Value) {
        if message["command"] == "welcome" {
            self.login = message["login"].as_str().map(str::to_owned);
        }
        if message["command"] == "player_info" && !self.list_next {
            let beat =
                |player: &&Value| player["login"] == METRONOME && player.get("state").is_none();
            self.beats += message["players"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(beat)
                .count();
        }
        match kind(&message, &mut self.list_next) {
            Kind::Own(own) => {
                for entry in ["players", "games"]
                    .iter()
                    .filter_map(|key| own[key].as_array())
                    .flatten()
                {
                    let id = |key: &str| entry[key].as_u64().unwrap_or_default();
                    let subject = if entry["command"] == "game_info" {
                        Subject::Game(id("uid"))
                    } else {
                        Subject::Player(id("id"))
                    };
                    self.listed.push((subject, entry.clone()));
                }
                self.own.push_back(own);
            }
            Kind::Ping => self.pings += 1,
            Kind::States(states) => self.told.extend(states),
        }
    }

    /// What was told in a phase against what was recorded; then all of it is forgotten.
    fn compare(&mut self, recorded: &[(Subject, Value)], terms: &mut Terms) -> Result<(), String> {
        if let Some(own) = self.own.pop_front() {
            return Err(format!("heard, and should not have, {own}"));
        }
        self.listed.clear();
        let told: BTreeMap<Subject, Value> = std::mem::take(&mut self.told).into_iter().collect();
        let recorded: BTreeMap<&Subject, &Value> = recorded
            .iter()
            .map(|(subject, state)| (subject, state))
            .collect();
        for (subject, state) in &told {
            match recorded.get(subject) {
                None if matches!(subject, Subject::Queue(_)) => {} // queues pop when they pop
                None => return Err(format!("was told, and should not have been, {state}")),
                Some(last) if same(last, state, terms) => {}
                Some(last) => {
                    return Err(format!(
                        "was told last\n    {state}\n  instead of\n    {last}"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// What a message is; the metronome is taken out of it.
fn kind(message: &Value, list_next: &mut bool) -> Kind {
    let list = |key: &str| message[key].as_array().cloned().unwrap_or_default();
    match message["command"].as_str().unwrap_or_default() {
        "welcome" => {
            *list_next = true;
            Kind::Own(message.clone())
        }
        "player_info" => {
            let mut players = list("players");
            players.retain(|player| player["login"] != METRONOME);
            players.sort_by_key(|player| player["id"].as_u64());
            if std::mem::take(list_next) {
                return Kind::Own(json!({"command":"player_info","players":players}));
            }
            // Whoever is there again is not gone (spec: faf-lifecycle 3.6, recommended).
            let there: BTreeSet<Option<u64>> = players
                .iter()
                .filter(|player| player.get("state").is_none())
                .map(|player| player["id"].as_u64())
                .collect();
            players.retain(|player| {
                player.get("state").is_none() || !there.contains(&player["id"].as_u64())
            });
            let states = players.into_iter().map(|player| {
                let id = player["id"].as_u64().unwrap_or_default();
                (Subject::Player(id), player)
            });
            Kind::States(states.collect())
        }
        "game_info" if message.get("games").is_none() => {
            let uid = message["uid"].as_u64().unwrap_or_default();
            Kind::States(vec![(Subject::Game(uid), message.clone())])
        }
        "matchmaker_info" => {
            let states = list("queues").into_iter().map(|queue| {
                let name = queue["queue_name"].as_str().unwrap_or_default().to_owned();
                (Subject::Queue(name), queue)
            });
            Kind::States(states.collect())
        }
        "update_party" => {
            let owner = message["owner"].as_u64().unwrap_or_default();
            Kind::States(vec![(Subject::Party(owner), message.clone())])
        }
        "ping" => Kind::Ping,
        _ => Kind::Own(message.clone()),
    }
}

/// Columns are of one kind, but MariaDB writes a float without a fraction like a whole number.
fn with_fractions(recorded: &Value, found: &mut Value) {
    match (recorded, found) {
        (Value::Array(recorded), Value::Array(found)) => {
            for (recorded, found) in recorded.iter().zip(found) {
                with_fractions(recorded, found);
            }
        }
        (recorded, found) if recorded.is_f64() && found.is_number() => {
            *found = json!(found.as_f64())
        }
        _ => {}
    }
}

/// A list without the metronome.
fn without_metronome(list: &Value) -> Value {
    match list {
        Value::Array(items) => items
            .iter()
            .filter(|item| item["login"] != METRONOME)
            .cloned()
            .collect(),
        other => other.clone(),
    }
}

/// The states of a subject that a client is told of later in the phase.
fn later_states(who: &str, subject: &Subject, later: &[Line]) -> Vec<Value> {
    let phase = later
        .iter()
        .take_while(|line| !matches!(line.event, Event::Phase(_)));
    let mut states = Vec::new();
    for line in phase {
        if let Event::Receive(client, message) = &line.event
            && client == who
            && let Kind::States(told) = kind(message, &mut false)
        {
            states.extend(
                told.into_iter()
                    .filter(|(about, _)| about == subject)
                    .map(|(_, state)| state),
            );
        }
    }
    states
}
