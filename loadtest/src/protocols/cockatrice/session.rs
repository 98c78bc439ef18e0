//! One client: someone who chats, or one who sits at a table. All sign in, enter the first room and say that they live.

use base64::Engine as _;

use super::messages::{self, Commands, Incoming, Reader, Transport};
use super::protobuf::Message;
use super::script::Speaker;
use super::seat::Seat;
use super::{Cockatrice, Context, Part, Task};
use crate::connection::{Connection, Stage};
use crate::protocol::{Next, Session};
use crate::protocols::chat::Chatter;
use crate::protocols::faf::framing;
use crate::scenario::{Actor, Cue};

/// What a WebSocket asks for, unless the server's URL says otherwise, as the real client does.
const PATH: &str = "/servatrice";

/// How often a client says that it lives (spec: cockatrice-wire 4).
const PING_US: u64 = 3_000_000;

// Kinds of messages from the server, by field.
const RESPONSE: u32 = 2;
const SESSION_EVENT: u32 = 3;
const GAME_EVENTS: u32 = 4;
const ROOM_EVENT: u32 = 5;

const EVENT_IDENTIFICATION: u32 = 500;
const EVENT_CLOSED: u32 = 1002;
const EVENT_GAME_JOINED: u32 = 1009;
const EVENT_ROOM_SAY: u32 = 1002;

const OK: u64 = 1;

/// Why a server ends a connection.
const CLOSE_REASONS: [(u64, &str); 8] = [
    (1, "OTHER"),
    (2, "SERVER_SHUTDOWN"),
    (3, "TOO_MANY_CONNECTIONS"),
    (4, "BANNED"),
    (5, "USERNAMEINVALID"),
    (6, "USER_LIMIT_REACHED"),
    (7, "DEMOTED"),
    (8, "LOGGEDINELSEWERE"),
];
/// Characters of what it says about that.
const MOST_SAID: usize = 100;

#[derive(Debug)]
pub(crate) struct CockatriceSession {
    /// Number among all clients.
    index: usize,
    commands: Commands,
    reader: Reader,
    /// Commands can be said.
    opened: bool,
    /// The server does not let it in.
    refused: bool,
    /// Numbers of the commands whose answers lead on.
    login_id: u64,
    room_id: u64,
    in_room: bool,
    chatter: Chatter,
    /// Where it plays or watches, if it only listens to the chat.
    seat: Option<Box<Seat>>,
    /// The script that it follows, if it neither chats nor sits at a table.
    actor: Option<Box<Actor>>,
}

impl Session<Cockatrice> for CockatriceSession {
    fn new(index: usize, context: &Context) -> CockatriceSession {
        let (user, seat) = match context.shared.protocol.parts[index] {
            Part::User(number) => (number, None),
            Part::Script => (0, None),
            Part::Seat(table, role) => (0, Some(Box::new(Seat::new(table, role)))),
        };
        let script = context.shared.plan.script(index);
        let actor = script.map(|script| Box::new(Actor::new(index, script, context)));
        CockatriceSession {
            index,
            commands: Commands::default(),
            reader: Reader::new(Transport::Tcp),
            opened: false,
            refused: false,
            login_id: 0,
            room_id: 0,
            in_room: false,
            chatter: Chatter::new(user),
            seat,
            actor,
        }
    }

    fn on_connect(&mut self, host: &str, connection: &mut Connection, context: &Context) {
        // A client of a scenario may come again.
        let protocol = &context.shared.protocol;
        let transport = protocol.transport(self.index);
        let websocket = transport == Transport::Websocket;
        let mask =
            websocket.then(|| rand::RngExt::random::<u32>(&mut *context.random.borrow_mut()) | 1);
        self.commands = Commands::of_room(protocol.room, mask);
        self.reader = Reader::new(transport);
        (self.opened, self.refused) = (!websocket, false);
        (self.login_id, self.room_id, self.in_room) = (0, 0, false);
        if websocket {
            let nonce = rand::RngExt::random::<[u8; 16]>(&mut *context.random.borrow_mut());
            let key = base64::engine::general_purpose::STANDARD.encode(nonce);
            let path = if host.contains('/') { "" } else { PATH };
            let request = framing::upgrade_request(&format!("{host}{path}"), &key);
            connection.output().extend_from_slice(request.as_bytes());
        } else {
            messages::hello(connection.output());
        }
        let spread = (self.index as u64 * 7_919) % PING_US;
        context.schedule(
            context.now_us() + PING_US + spread,
            connection.slot,
            Task::Ping,
        );
    }

    fn on_bytes(
        &mut self,
        bytes: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) -> anyhow::Result<()> {
        // Taken out for the time being, because the messages it finds change the client.
        let mut reader = std::mem::replace(&mut self.reader, Reader::new(Transport::Tcp));
        let pushed = reader.push(bytes, &mut |incoming| match incoming {
            Incoming::Opened => self.opened = true,
            Incoming::Message(body) => {
                context.recorder.borrow_mut().common.messages_in += 1;
                self.on_message(Message(body), connection, context);
            }
            Incoming::Ping(payload) => self.commands.pong(payload, connection.output()),
        });
        self.reader = reader;
        pushed
    }

    fn on_task(&mut self, task: Task, due_us: u64, connection: &mut Connection, context: &Context) {
        match task {
            Task::Ping if connection.stage() == Stage::Away => {}
            Task::Ping => {
                if self.opened {
                    self.commands.ping(connection.output());
                }
                context.schedule(due_us + PING_US, connection.slot, Task::Ping);
            }
            Task::Chat => self.chat(due_us, connection, context),
            Task::Look | Task::Act => {
                if let Some(seat) = &mut self.seat {
                    seat.on_task(task, &mut self.commands, connection, context);
                }
            }
        }
    }

    fn on_cue(&mut self, cue: Cue, due_us: u64, connection: &mut Connection, context: &Context) {
        let commands = &mut self.commands;
        if let Some(actor) = &mut self.actor {
            let voice = &mut Speaker {
                commands,
                connection,
            };
            actor.on_cue(cue, due_us, voice, context);
        }
    }

    fn is_busy(&self) -> bool {
        self.actor.as_ref().is_some_and(|actor| actor.is_busy())
    }

    fn on_close(&mut self, connection: &mut Connection) {
        if self.opened {
            self.commands.close(connection.output());
        }
    }

    fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        let by_client = by_client && !self.refused;
        if let Some(actor) = &mut self.actor {
            actor.on_disconnect(context);
        }
        if by_client { Next::Away } else { Next::Failed }
    }

    fn is_ready(&self) -> bool {
        self.in_room && self.seat.as_ref().is_none_or(|seat| seat.is_ready())
    }

    fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        match &mut self.seat {
            Some(seat) => seat.on_measure(from_us, connection, context),
            None if self.actor.is_some() => {}
            None => self.chatter.schedule(connection, context),
        }
    }

    fn missing(&self, _connection: &Connection, context: &Context) -> u64 {
        if let Some(actor) = &self.actor {
            return actor.missing();
        }
        let seat = self.seat.as_ref();
        let lines = if self.in_room {
            self.chatter.missing(context)
        } else {
            0
        };
        lines + seat.map_or(0, |seat| seat.missing(context))
    }

    fn account(&self, context: &Context) {
        if let Some(actor) = &self.actor {
            return actor.account(context);
        }
        match &self.seat {
            Some(seat) => {
                seat.account(context);
                self.chatter.account_heard(self.in_room, context);
            }
            None => self.chatter.account(self.in_room, context),
        }
    }
}

/// Why the server ends the connection, as it says (spec: cockatrice-wire 14).
fn closed_in_words(closed: Message<'_>) -> String {
    let number = closed.number(1).unwrap_or(0);
    let reason = CLOSE_REASONS.iter().find(|(known, _)| *known == number);
    let reason = reason.map_or_else(
        || format!("reason {number}"),
        |(_, name)| (*name).to_owned(),
    );
    let said = closed.block(2).map(String::from_utf8_lossy);
    match said.filter(|said| !said.is_empty()) {
        Some(said) => {
            let said: String = said.chars().take(MOST_SAID).collect();
            format!("closed by the server: {reason}, {said:?}")
        }
        None => format!("closed by the server: {reason}"),
    }
}

impl CockatriceSession {
    fn on_message(&mut self, message: Message<'_>, connection: &mut Connection, context: &Context) {
        let commands = &mut self.commands;
        if self.in_room
            && let Some(actor) = &mut self.actor
        {
            let voice = &mut Speaker {
                commands,
                connection,
            };
            return actor.hear(&message, voice, context);
        }
        if let Some(response) = message.message(RESPONSE) {
            self.on_response(response, connection, context);
        } else if let Some(event) = message.message(SESSION_EVENT) {
            self.on_session_event(event, connection, context);
        } else if let Some(event) = message.message(ROOM_EVENT) {
            let said = event.message(EVENT_ROOM_SAY).and_then(|say| say.block(2));
            if let Some(Ok(text)) = said.map(std::str::from_utf8) {
                self.chatter.hear(text, context);
            }
        } else if let Some(events) = message.message(GAME_EVENTS)
            && let Some(seat) = &mut self.seat
        {
            seat.on_game_events(events, &mut self.commands, connection, context);
        }
    }

    fn on_response(
        &mut self,
        response: Message<'_>,
        connection: &mut Connection,
        context: &Context,
    ) {
        let (id, code) = (response.number(1), response.number(2));
        let (id, code) = (id.unwrap_or(0), code.unwrap_or(0));
        if code != OK {
            if id == self.login_id {
                connection.refuse(format!("refused with code {code}"));
                self.refused = true;
                connection.close();
            } else {
                let metrics = &mut context.recorder.borrow_mut().metrics;
                metrics.commands_refused += 1;
                context
                    .shared
                    .record_error(format!("a command was refused with code {code}"));
            }
            return;
        }
        if id == self.login_id {
            connection.signed_in(context);
            self.commands.join_room(connection.output());
            self.room_id = self.commands.last_id();
        } else if id == self.room_id && !self.in_room {
            self.in_room = true;
            if let Some(actor) = &mut self.actor {
                let commands = &mut self.commands;
                actor.on_ready(
                    &mut Speaker {
                        commands,
                        connection,
                    },
                    context,
                );
            }
            if let Some(seat) = &mut self.seat {
                seat.on_room(&mut self.commands, connection, context);
            }
        }
    }

    fn on_session_event(
        &mut self,
        event: Message<'_>,
        connection: &mut Connection,
        context: &Context,
    ) {
        if event.message(EVENT_IDENTIFICATION).is_some() {
            let (login, password) = context.shared.plan.accounts.of(self.index);
            self.commands.login(connection.output(), &login, &password);
            self.login_id = self.commands.last_id();
        } else if let Some(closed) = event.message(EVENT_CLOSED) {
            connection.refuse(closed_in_words(closed));
        } else if let Some(joined) = event.message(EVENT_GAME_JOINED)
            && let Some(seat) = &mut self.seat
        {
            seat.on_joined(joined, &mut self.commands, connection, context);
        }
    }

    /// A line is due.
    fn chat(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        if let Some(text) = self.chatter.line(due_us, connection, context) {
            self.commands.say(connection.output(), &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::protobuf::Writer;
    use super::*;

    #[test]
    fn the_end_of_a_connection_is_told_as_the_server_put_it() {
        let words = |closed: Writer| closed_in_words(Message(&closed.0));
        let told = words(Writer::new().number(1, 3));
        assert_eq!(told, "closed by the server: TOO_MANY_CONNECTIONS");
        let told = words(Writer::new().number(1, 4).block(2, b"for an hour"));
        assert_eq!(told, "closed by the server: BANNED, \"for an hour\"");
        assert_eq!(
            words(Writer::new().number(1, 77)),
            "closed by the server: reason 77"
        );
    }
}
