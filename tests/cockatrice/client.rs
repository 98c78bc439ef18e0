//! A client of the Cockatrice lobby over either transport.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use cockatrice::messages::{
    AdminCommand, AdminCommandBody, CommandContainer, GameCommand, GameCommandBody, GameEventBody,
    ModeratorCommand, ModeratorCommandBody, Response, RoomCommand, RoomCommandBody, ServerMessage,
    SessionCommand, SessionCommandBody, SessionEventBody, decode, encode,
};
use tungstenite::{Message, WebSocket, client::client};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

enum Line {
    Tcp(TcpStream),
    WebSocket(Box<WebSocket<TcpStream>>),
}

/// A client, and what it has received and not looked at.
pub(crate) struct Client {
    line: Line,
    next_id: u64,
    waiting: Vec<&'static [u8]>,
}

impl Client {
    /// Reads the greeting and makes the handshake.
    pub(crate) fn tcp(address: SocketAddr) -> Client {
        let mut stream = connect(address);
        let mut greeting = [0; 60];
        stream.read_exact(&mut greeting).expect("a greeting");
        assert!(greeting.starts_with(b"<?xml version=\"1.0\"?><cockatrice_server_stream"));
        stream.write_all(&[0; 4]).expect("it takes the handshake");
        Client::new(Line::Tcp(stream), 1)
    }

    pub(crate) fn websocket(address: SocketAddr) -> Client {
        let url = format!("ws://{address}/servatrice");
        let (socket, _) = client(url, connect(address)).expect("an upgrade");
        Client::new(Line::WebSocket(Box::new(socket)), 0)
    }

    fn new(line: Line, next_id: u64) -> Client {
        Client {
            line,
            next_id,
            waiting: Vec::new(),
        }
    }

    /// Sends these bytes as they are; over TCP only.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        match &mut self.line {
            Line::Tcp(stream) => stream.write_all(bytes).expect("it takes them"),
            Line::WebSocket(_) => panic!("not over WebSocket"),
        }
    }

    fn send(&mut self, container: CommandContainer<'_>) -> Response<'static> {
        let id = self.write(container);
        self.until("an answer", |message| {
            let response = message.response.as_ref()?;
            (response.cmd_id() == id).then(|| response.clone())
        })
    }

    /// Sends a command, whatever is answered. Its number.
    fn write(&mut self, container: CommandContainer<'_>) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        let body = encode(&CommandContainer {
            cmd_id: Some(id),
            ..container
        });
        match &mut self.line {
            Line::Tcp(stream) => {
                let mut frame = (body.len() as u32).to_be_bytes().to_vec();
                frame.extend_from_slice(&body);
                stream.write_all(&frame).expect("it takes a message");
            }
            Line::WebSocket(socket) => {
                let message = Message::Binary(body.into());
                socket.send(message).expect("it takes a message");
            }
        }
        id
    }

    pub(crate) fn session(&mut self, command: SessionCommandBody<'_>) -> Response<'static> {
        let command = SessionCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            session_command: vec![command],
            ..CommandContainer::default()
        })
    }

    /// A moderator's command.
    #[allow(dead_code, reason = "not every suite has such")]
    pub(crate) fn moderator(&mut self, command: ModeratorCommandBody<'_>) -> Response<'static> {
        let command = ModeratorCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            moderator_command: vec![command],
            ..CommandContainer::default()
        })
    }

    /// An administrator's command.
    #[allow(dead_code, reason = "not every suite has such")]
    pub(crate) fn admin(&mut self, command: AdminCommandBody<'_>) -> Response<'static> {
        let command = AdminCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            admin_command: vec![command],
            ..CommandContainer::default()
        })
    }

    /// A command whose answer is not waited for.
    #[allow(dead_code, reason = "not every suite has such")]
    pub(crate) fn write_session(&mut self, command: SessionCommandBody<'_>) {
        let command = SessionCommand {
            body: Some(command),
        };
        self.write(CommandContainer {
            session_command: vec![command],
            ..CommandContainer::default()
        });
    }

    /// A command for room 0.
    pub(crate) fn room(&mut self, command: RoomCommandBody<'_>) -> Response<'static> {
        let command = RoomCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            room_id: Some(0),
            room_command: vec![command],
            ..CommandContainer::default()
        })
    }

    pub(crate) fn game(&mut self, game: i32, command: GameCommandBody<'_>) -> Response<'static> {
        let command = GameCommand {
            body: Some(command),
        };
        self.send(CommandContainer {
            game_id: u32::try_from(game).ok(),
            game_command: vec![command],
            ..CommandContainer::default()
        })
    }

    /// The first message that is wanted; what came before it and was not is left for later.
    pub(crate) fn until<T>(
        &mut self,
        what: &str,
        mut wanted: impl FnMut(&ServerMessage<'static>) -> Option<T>,
    ) -> T {
        let mut at = 0;
        loop {
            if at == self.waiting.len() {
                let message = self
                    .receive()
                    .unwrap_or_else(|| panic!("ended before {what}"));
                self.waiting.push(message.leak());
            }
            let message: ServerMessage<'static> = decode(self.waiting[at]).expect("a message");
            if let Some(found) = wanted(&message) {
                self.waiting.remove(at);
                return found;
            }
            at += 1;
        }
    }

    pub(crate) fn session_event(&mut self) -> SessionEventBody<'static> {
        self.until("an event", |message| message.session_event.clone()?.body)
    }

    pub(crate) fn until_game_event<T>(
        &mut self,
        what: &str,
        wanted: impl Fn(&GameEventBody<'static>) -> Option<T>,
    ) -> T {
        self.until(what, |message| {
            let container = message.game_event_container.as_ref()?;
            let events = container.event_list.iter();
            events
                .filter_map(|event| event.body.as_ref())
                .find_map(&wanted)
        })
    }

    /// Everything that nobody has looked at, until the server ends the connection.
    #[allow(dead_code, reason = "not every suite looks at the end")]
    pub(crate) fn rest(&mut self) -> Vec<ServerMessage<'static>> {
        while let Some(message) = self.receive() {
            self.waiting.push(message.leak());
        }
        let rest = std::mem::take(&mut self.waiting);
        let messages = rest
            .into_iter()
            .map(|bytes| decode(bytes).expect("a message"));
        messages.collect()
    }

    /// The server ends the connection.
    pub(crate) fn expect_end(&mut self) {
        while self.receive().is_some() {}
    }

    /// The next message; none at the end.
    fn receive(&mut self) -> Option<Vec<u8>> {
        match &mut self.line {
            Line::Tcp(stream) => {
                let mut length = [0; 4];
                if let Err(error) = stream.read_exact(&mut length) {
                    let over = [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset];
                    assert!(over.contains(&error.kind()), "{error}");
                    return None;
                }
                let mut body = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut body).expect("a whole message");
                Some(body)
            }
            Line::WebSocket(socket) => match socket.read() {
                Ok(Message::Binary(body)) => Some(body.to_vec()),
                Ok(Message::Close(frame)) => {
                    let code = frame.map(|frame| u16::from(frame.code));
                    assert_eq!(code, Some(1001), "the server goes away");
                    None
                }
                Ok(other) => panic!("{other}"),
                Err(error) => panic!("{error}"),
            },
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("a connection");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.set_nodelay(true).expect("no delay");
    stream
}
