//! What the clients say, as bytes on the wire, and frames out of what they hear (spec: cockatrice-wire 1, 3, 6).

use super::protobuf::Writer;
use crate::protocols::blocks::{self, Blocks, Order};
use crate::protocols::faf::framing;
use crate::recording::dialect::Side;
use crate::recording::websocket::{Event, Websocket};

/// What a server says before anything else.
const GREETING_HEAD: &[u8; 5] = b"<?xml";
const GREETING_BYTES: usize = 60;

// Fields of a container, and of what it holds.
const GAME_ID: u32 = 10;
const ROOM_ID: u32 = 20;
const SESSION: u32 = 100;
const GAME: u32 = 101;
const ROOM: u32 = 102;

/// What a client says it can do; a server may require any of it (spec: cockatrice-wire 10.5).
const FEATURES: [&str; 12] = [
    "client_id",
    "client_ver",
    "feature_set",
    "user_ban_history",
    "room_chat_history",
    "client_warnings",
    "mod_log_lookup",
    "idle_client",
    "forgot_password",
    "websocket",
    "2.7.0_min_version",
    "2.8.0_min_version",
];

/// Commands of one client, numbered.
#[derive(Debug, Default)]
pub(super) struct Commands {
    next_id: u64,
    /// The room that they are for.
    room: u64,
    /// Over a WebSocket: the running state of the masking key.
    mask: Option<u32>,
}

impl Commands {
    /// Commands for this room, over a WebSocket if there is a mask.
    pub(super) fn of_room(room: u64, mask: Option<u32>) -> Commands {
        Commands {
            next_id: 0,
            room,
            mask,
        }
    }

    /// Answers a ping of the WebSocket.
    pub(super) fn pong(&mut self, payload: &[u8], out: &mut Vec<u8>) {
        if let Some(mask) = &mut self.mask {
            framing::websocket_pong(payload, mask, out);
        }
    }

    /// Says goodbye, if that is said.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(mask) = &mut self.mask {
            framing::websocket_close(mask, out);
        }
    }

    /// The number that the last command had.
    pub(super) fn last_id(&self) -> u64 {
        self.next_id
    }

    pub(super) fn send(&mut self, out: &mut Vec<u8>, container: Writer) {
        self.next_id += 1;
        let container = container.number(1, self.next_id);
        match &mut self.mask {
            None => frame(out, &container.0),
            Some(mask) => framing::websocket_frame(framing::OP_BINARY, &container.0, mask, out),
        }
    }

    fn session(&mut self, out: &mut Vec<u8>, number: u32, command: Writer) {
        let shell = Writer::new().block(number, &command.0);
        self.send(out, Writer::new().block(SESSION, &shell.0));
    }

    fn room(&mut self, out: &mut Vec<u8>, number: u32, command: Writer) {
        let shell = Writer::new().block(number, &command.0);
        let container = Writer::new()
            .block(ROOM, &shell.0)
            .number(ROOM_ID, self.room);
        self.send(out, container);
    }

    fn game(&mut self, out: &mut Vec<u8>, game: u64, number: u32, command: Writer) {
        let shell = Writer::new().block(number, &command.0);
        let container = Writer::new().block(GAME, &shell.0).number(GAME_ID, game);
        self.send(out, container);
    }

    pub(super) fn ping(&mut self, out: &mut Vec<u8>) {
        self.session(out, 1000, Writer::new());
    }

    pub(super) fn login(&mut self, out: &mut Vec<u8>, name: &str, password: &str) {
        let login = Writer::new()
            .block(1, name.as_bytes())
            .block(2, password.as_bytes())
            .block(3, b"5a3e0b5a3e0b5a3")
            .block(4, b"swarm");
        let login = FEATURES
            .iter()
            .fold(login, |login, feature| login.block(5, feature.as_bytes()));
        self.session(out, 1001, login);
    }

    pub(super) fn join_room(&mut self, out: &mut Vec<u8>) {
        self.session(out, 1015, Writer::new().number(1, self.room));
    }

    /// A line of chat.
    pub(super) fn say(&mut self, out: &mut Vec<u8>, text: &str) {
        self.room(out, 1001, Writer::new().block(1, text.as_bytes()));
    }

    pub(super) fn create_game(&mut self, out: &mut Vec<u8>, description: &str) {
        let create = Writer::new()
            .block(1, description.as_bytes())
            .number(3, 2)
            .number(6, 1);
        self.room(out, 1002, create);
    }

    pub(super) fn join_game(&mut self, out: &mut Vec<u8>, game: u64, spectator: bool) {
        let join = Writer::new()
            .signed(1, game as i32)
            .number(3, spectator.into());
        self.room(out, 1003, join);
    }

    pub(super) fn select_deck(&mut self, out: &mut Vec<u8>, game: u64, deck: &str) {
        self.game(out, game, 1029, Writer::new().block(1, deck.as_bytes()));
    }

    pub(super) fn ready(&mut self, out: &mut Vec<u8>, game: u64) {
        self.game(out, game, 1016, Writer::new().number(1, 1));
    }

    pub(super) fn draw(&mut self, out: &mut Vec<u8>, game: u64) {
        self.game(out, game, 1006, Writer::new().number(1, 1));
    }

    /// Moves a card of the own zone `from` to the own zone `to`.
    pub(super) fn move_card(&mut self, out: &mut Vec<u8>, game: u64, step: Move<'_>) {
        let card = Writer::new().signed(1, step.card);
        let cards = Writer::new().block(1, &card.0);
        let command = Writer::new()
            .block(2, step.from.as_bytes())
            .block(3, &cards.0)
            .signed(4, step.player)
            .block(5, step.to.as_bytes())
            .signed(6, -1)
            .signed(7, 0);
        self.game(out, game, 1027, command);
    }

    pub(super) fn tap(&mut self, out: &mut Vec<u8>, game: u64, card: i32) {
        let command = Writer::new()
            .block(1, b"table")
            .signed(2, card)
            .number(3, 1)
            .block(4, b"1");
        self.game(out, game, 1013, command);
    }

    pub(super) fn next_turn(&mut self, out: &mut Vec<u8>, game: u64) {
        self.game(out, game, 1022, Writer::new());
    }
}

/// A card that goes from one zone of its player to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Move<'a> {
    pub(super) player: i32,
    pub(super) from: &'a str,
    pub(super) card: i32,
    pub(super) to: &'a str,
}

/// The first thing a client says: a container without anything.
pub(super) fn hello(out: &mut Vec<u8>) {
    frame(out, &[]);
}

fn frame(out: &mut Vec<u8>, body: &[u8]) {
    blocks::append(Order::Big, body, out);
}

/// A deck of sixty cards, each of a name that no other deck of the run has.
pub(super) fn deck(owner: &str) -> String {
    let card = |number| format!("<card number=\"1\" name=\"{owner}{number:02}\"/>");
    let cards: String = (0..60).map(card).collect();
    format!(
        "<?xml version=\"1.0\"?><cockatrice_deck version=\"1\"><zone name=\"main\">{cards}</zone></cockatrice_deck>"
    )
}

/// Messages out of a stream of bytes.
#[derive(Debug)]
pub(super) struct Frames {
    /// What may be the greeting, until it is clear.
    greeting: Vec<u8>,
    greeted: bool,
    blocks: Blocks,
}

impl Default for Frames {
    fn default() -> Frames {
        Frames {
            greeting: Vec::new(),
            greeted: false,
            blocks: Blocks::new(Order::Big),
        }
    }
}

impl Frames {
    /// Takes the next bytes and tells `sink` each message in them.
    ///
    /// # Errors
    /// A message that is longer than any.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        if self.greeted {
            return self.blocks.push(bytes, |_| true, sink);
        }
        self.greeting.extend_from_slice(bytes);
        let head = &self.greeting[..self.greeting.len().min(GREETING_HEAD.len())];
        let greets = head == &GREETING_HEAD[..head.len()];
        if greets && self.greeting.len() < GREETING_BYTES {
            return Ok(());
        }
        self.greeted = true;
        let bytes = std::mem::take(&mut self.greeting);
        let from = if greets { GREETING_BYTES } else { 0 };
        self.blocks.push(&bytes[from..], |_| true, sink)
    }
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming<'a> {
    /// The WebSocket is open.
    Opened,
    /// A message.
    Message(&'a [u8]),
    /// A ping of the WebSocket with its payload.
    Ping(&'a [u8]),
}

/// What a server sends, over either transport.
#[derive(Debug)]
pub(super) enum Reader {
    Tcp(Frames),
    Websocket(Box<Websocket>),
}

impl Reader {
    pub(super) fn new(transport: Transport) -> Reader {
        match transport {
            Transport::Tcp => Reader::Tcp(Frames::default()),
            Transport::Websocket => Reader::Websocket(Box::new(Websocket::new(Side::Server))),
        }
    }

    /// Takes the next bytes and tells `sink` what is complete.
    ///
    /// # Errors
    /// A message that is longer than any, or what is no WebSocket.
    pub(super) fn push(
        &mut self,
        bytes: &[u8],
        sink: &mut dyn FnMut(Incoming<'_>),
    ) -> anyhow::Result<()> {
        let websocket = match self {
            Reader::Tcp(frames) => {
                return frames.push(bytes, &mut |body| sink(Incoming::Message(body)));
            }
            Reader::Websocket(websocket) => websocket,
        };
        let mut too_long = None;
        let pushed = websocket.push(bytes, &mut |event| match event {
            Event::Opened => sink(Incoming::Opened),
            // Texts are none of the protocol's (spec: cockatrice-wire 2).
            Event::Message { bytes, text: false } => sink(Incoming::Message(bytes)),
            Event::Long(_, length) => too_long = Some(length),
            Event::Ping(payload) => sink(Incoming::Ping(payload)),
            Event::Message { .. } | Event::Close => {}
        });
        pushed.map_err(anyhow::Error::msg)?;
        match too_long {
            Some(length) => anyhow::bail!("a message of {length} bytes"),
            None => Ok(()),
        }
    }
}

/// What messages travel in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// Behind their length.
    Tcp,
    /// One in each binary message.
    Websocket,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_those_of_the_specification() {
        let mut out = Vec::new();
        let mut commands = Commands::default();
        commands.ping(&mut out);
        // Fields in another order than the reference's client has them; the same message.
        assert_eq!(out, b"\0\0\0\x08\xa2\x06\x03\xc2\x3e\x00\x08\x01");
    }

    #[test]
    fn over_a_websocket_a_message_is_one_of_its_own() {
        let mut out = Vec::new();
        let mut commands = Commands::of_room(0, Some(1));
        commands.ping(&mut out);
        assert_eq!(out[..2], [0x82, 0x88], "binary, whole, masked");
        let body: Vec<u8> = out[6..]
            .iter()
            .zip(out[2..6].iter().cycle())
            .map(|(a, b)| a ^ b)
            .collect();
        assert_eq!(body, b"\xa2\x06\x03\xc2\x3e\x00\x08\x01");

        let stream =
            b"HTTP/1.1 101 Switching\r\n\r\n\x82\x03one\x81\x02no\x89\x01p\x02\x01t\x80\x02wo";
        for cut in 0..=stream.len() {
            let (mut reader, mut got) = (Reader::new(Transport::Websocket), Vec::new());
            for part in [&stream[..cut], &stream[cut..]] {
                let pushed = reader.push(part, &mut |incoming| got.push(format!("{incoming:?}")));
                pushed.expect("it is one");
            }
            let told = [
                Incoming::Opened,
                Incoming::Message(b"one"),
                Incoming::Ping(b"p"),
                Incoming::Message(b"two"),
            ];
            assert_eq!(
                got,
                told.map(|incoming| format!("{incoming:?}")),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn frames_may_be_cut_anywhere_behind_the_greeting_or_without_it() {
        let greeting = b"<?xml version=\"1.0\"?><cockatrice_server_stream version=\"14\">".to_vec();
        assert_eq!(greeting.len(), GREETING_BYTES);
        for mut stream in [greeting, Vec::new()] {
            for body in [&b"one"[..], b"", b"three"] {
                frame(&mut stream, body);
            }
            for cut in 0..=stream.len() {
                let (mut frames, mut got) = (Frames::default(), Vec::new());
                for part in [&stream[..cut], &stream[cut..]] {
                    let pushed = frames.push(part, &mut |body| got.push(body.to_vec()));
                    pushed.expect("short messages");
                }
                assert_eq!(got, [&b"one"[..], b"", b"three"], "cut at {cut}");
            }
        }
    }
}
