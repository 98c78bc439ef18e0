//! What the clients say, as bytes on the wire, and frames out of what they hear (spec: cockatrice-wire 1, 3, 6).

use super::protobuf::Writer;

/// What a server says before anything else.
const GREETING_HEAD: &[u8; 5] = b"<?xml";
const GREETING_BYTES: usize = 60;
/// Longest message that is taken from a server.
const LONGEST_BYTES: usize = 64 << 20;

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
}

impl Commands {
    /// Commands for this room.
    pub(super) fn of_room(room: u64) -> Commands {
        Commands { next_id: 0, room }
    }

    /// The number that the last command had.
    pub(super) fn last_id(&self) -> u64 {
        self.next_id
    }

    pub(super) fn send(&mut self, out: &mut Vec<u8>, container: Writer) {
        self.next_id += 1;
        let container = container.number(1, self.next_id);
        frame(out, &container.0);
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
    out.extend_from_slice(&(body.len() as u32).to_be_bytes());
    out.extend_from_slice(body);
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
#[derive(Debug, Default)]
pub(super) struct Frames {
    rest: Vec<u8>,
    greeted: bool,
}

impl Frames {
    /// Takes the next bytes and tells `sink` each message in them.
    ///
    /// # Errors
    /// A message that is longer than any.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        self.rest.extend_from_slice(bytes);
        let mut at = 0;
        if !self.greeted {
            let head = &self.rest[..self.rest.len().min(GREETING_HEAD.len())];
            if head == &GREETING_HEAD[..head.len()] {
                if self.rest.len() < GREETING_BYTES {
                    return Ok(());
                }
                at = GREETING_BYTES;
            }
            self.greeted = true;
        }
        while let Some(head) = self.rest[at..].first_chunk::<4>() {
            let length = u32::from_be_bytes(*head) as usize;
            anyhow::ensure!(length <= LONGEST_BYTES, "a message of {length} bytes");
            let Some(body) = self.rest[at + 4..].get(..length) else {
                break;
            };
            sink(body);
            at += 4 + length;
        }
        self.rest.drain(..at);
        Ok(())
    }
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
