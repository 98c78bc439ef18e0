//! One end of a relay. Half of the measured phase small messages go from the guest to the match server and back, the other half
//! both send as fast as they can; then each says that it has ended. What one has sent, the other must have got, byte for byte.

use std::sync::atomic::Ordering;

use super::table::{Progress, Seated};
use super::{Context, Seat};
use crate::connection::Connection;
use crate::protocol::Next;
use crate::protocols::trips::{Trips, half_us};

/// A small message of a game.
const SMALL_BYTES: usize = 64;
/// One that is sent without pause.
const BLOCK_BYTES: usize = 16 << 10;
/// So many of them at once.
const BLOCKS_AT_ONCE: usize = 4;

/// What a message of the game is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    /// The first one of each end.
    Hello = 1,
    /// A small one that is to come back.
    Trip,
    /// It comes back.
    Return,
    /// After this the guest's end sends without pause.
    Rush,
    /// Sent without pause.
    Block,
    /// The last one.
    End,
}

const KINDS: [Kind; 6] = [
    Kind::Hello,
    Kind::Trip,
    Kind::Return,
    Kind::Rush,
    Kind::Block,
    Kind::End,
];

/// A message of the game: what it is, its number, and the low byte of that up to its end.
fn write(kind: Kind, number: u64, out: &mut Vec<u8>) -> usize {
    let length = if kind == Kind::Block {
        BLOCK_BYTES
    } else {
        SMALL_BYTES
    };
    let from = out.len() + 4;
    out.extend_from_slice(&(length as u32).to_le_bytes());
    out.resize(from + length, number as u8);
    out[from] = kind as u8;
    out[from + 1..from + 9].copy_from_slice(&number.to_le_bytes());
    length
}

/// What a message is, and its number; nothing if not all of it is as it was sent.
fn read(message: &[u8]) -> Option<(Kind, u64)> {
    let (head, rest) = message.split_first_chunk::<9>()?;
    let kind = KINDS.into_iter().find(|kind| *kind as u8 == head[0])?;
    let number = u64::from_le_bytes(*head[1..].first_chunk()?);
    let length = if kind == Kind::Block {
        BLOCK_BYTES
    } else {
        SMALL_BYTES
    };
    let sound = message.len() == length && rest.iter().all(|byte| *byte == number as u8);
    sound.then_some((kind, number))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Until the other end has been heard.
    Meeting,
    /// Small messages go there and back.
    Playing,
    /// Both send without pause.
    Rushing { since_us: u64 },
    /// All has been sent, and all has come.
    Complete,
    /// The relay has ended after that.
    Over,
    /// It came to nothing.
    Failed,
}

#[derive(Debug)]
pub(super) struct Game {
    seated: Seated,
    step: Step,
    trips: Trips,
    /// Bytes of messages sent, and got.
    sent: u64,
    got: u64,
    /// Messages without pause sent, and got.
    blocks_sent: u64,
    blocks_got: u64,
    /// It has said that it has ended; the other end has.
    ended: bool,
    heard_end: bool,
}

impl Game {
    pub(super) fn new(table: usize, seat: Seat) -> Game {
        Game {
            seated: Seated::new(table, seat),
            step: Step::Meeting,
            trips: Trips::new(table),
            sent: 0,
            got: 0,
            blocks_sent: 0,
            blocks_got: 0,
            ended: false,
            heard_end: false,
        }
    }

    fn is_guest(&self) -> bool {
        self.seated.seat() == Seat::GuestProxy
    }

    pub(super) fn look_later(&self, connection: &Connection, context: &Context) {
        self.seated.look_later(connection, context);
    }

    /// Connects when its time has come, and ends the relay when neither end needs it any more.
    pub(super) fn look(&mut self, connection: &mut Connection, context: &Context) {
        match self.step {
            Step::Meeting => self.seated.look(connection, context),
            Step::Complete if self.is_guest() => {
                let complete = &self.seated.state(context).complete;
                if complete.load(Ordering::Acquire) == 2 {
                    connection.close();
                } else if !context.shared.is_stopping() {
                    self.look_later(connection, context);
                }
            }
            _ => {}
        }
    }

    /// Signs in; the guest's first message follows at once (spec: vcmi-lobby2 5.9).
    pub(super) fn on_connect(&mut self, connection: &mut Connection, context: &Context) {
        self.seated.login(connection, context);
        if self.is_guest() {
            self.say(Kind::Hello, 0, connection);
        }
    }

    fn say(&mut self, kind: Kind, number: u64, connection: &mut Connection) {
        self.sent += write(kind, number, connection.output()) as u64;
    }

    pub(super) fn on_message(
        &mut self,
        message: &[u8],
        connection: &mut Connection,
        context: &Context,
    ) {
        self.got += message.len() as u64;
        let heard = read(message);
        match (self.step, heard) {
            (Step::Meeting, Some((Kind::Hello, 0))) => self.meet(connection, context),
            (Step::Playing, Some((Kind::Trip, number))) if !self.is_guest() => {
                self.say(Kind::Return, number, connection);
            }
            (Step::Playing, Some((Kind::Rush, _))) if !self.is_guest() => self.rush(context),
            (Step::Playing | Step::Rushing { .. }, Some((Kind::Return, number)))
                if self.is_guest() && self.trips.end(context) == number => {}
            (Step::Rushing { .. }, Some((Kind::Block, number))) if number == self.blocks_got => {
                self.blocks_got += 1;
            }
            (Step::Rushing { since_us }, Some((Kind::End, _))) if !self.heard_end => {
                self.hear_end(since_us, connection, context);
            }
            (Step::Failed, _) => {}
            (step, heard) => {
                self.step = Step::Failed;
                let what = format!("a relay brought what was not sent: {heard:?} in {step:?}");
                context.protocol_error(&what);
            }
        }
    }

    /// The other end has been heard.
    fn meet(&mut self, connection: &mut Connection, context: &Context) {
        self.step = Step::Playing;
        connection.established(context);
        if self.is_guest() {
            context.recorder.borrow_mut().metrics.games += 1;
            self.seated.state(context).comes_to(Progress::Relayed);
        } else {
            self.say(Kind::Hello, 0, connection);
        }
    }

    pub(super) fn on_measure(&mut self, from_us: u64, connection: &Connection, context: &Context) {
        if self.is_guest() {
            self.trips.on_measure(from_us, connection, context);
        }
    }

    /// The guest's end begins the next round trip, or the second half.
    pub(super) fn trip(&mut self, due_us: u64, connection: &mut Connection, context: &Context) {
        if self.step != Step::Playing || !connection.is_signed_in() {
            return;
        }
        match self.trips.begin(due_us, connection, context) {
            Some(number) => self.say(Kind::Trip, number, connection),
            None => {
                self.say(Kind::Rush, 0, connection);
                self.rush(context);
            }
        }
    }

    fn rush(&mut self, context: &Context) {
        self.step = Step::Rushing {
            since_us: context.now_us(),
        };
    }

    /// Sends without pause, as fast as the socket takes it, and says at last that it has ended.
    pub(super) fn on_drained(&mut self, connection: &mut Connection, context: &Context) {
        let Step::Rushing { since_us } = self.step else {
            return;
        };
        if self.ended {
            return;
        }
        if context.now_us() < since_us + half_us(context) {
            for _ in 0..BLOCKS_AT_ONCE {
                self.say(Kind::Block, self.blocks_sent, connection);
                self.blocks_sent += 1;
            }
            return;
        }
        let table = self.seated.state(context);
        let all = self.sent + SMALL_BYTES as u64;
        table.sent[usize::from(self.is_guest())].store(all, Ordering::Release);
        self.say(Kind::End, 0, connection);
        self.ended = true;
        self.complete(connection, context);
    }

    /// The other end has sent everything: as much as has come?
    fn hear_end(&mut self, since_us: u64, connection: &Connection, context: &Context) {
        self.heard_end = true;
        let sent = &self.seated.state(context).sent[usize::from(!self.is_guest())];
        let (sent, got) = (sent.load(Ordering::Acquire), self.got);
        {
            let metrics = &mut context.recorder.borrow_mut().metrics;
            metrics.relayed_bytes += self.blocks_got * BLOCK_BYTES as u64;
            metrics.relay_us += context.now_us().saturating_sub(since_us);
            metrics.relays_unequal += u64::from(sent != got);
        }
        if sent != got {
            let what = format!("a relay: {sent} bytes were sent and {got} arrived");
            context.shared.record_error(what);
        }
        self.complete(connection, context);
    }

    fn complete(&mut self, connection: &Connection, context: &Context) {
        if !self.ended || !self.heard_end {
            return;
        }
        self.step = if self.trips.are_back() {
            Step::Complete
        } else {
            Step::Failed
        };
        let complete = &self.seated.state(context).complete;
        complete.fetch_add(1, Ordering::AcqRel);
        if self.is_guest() {
            self.look_later(connection, context);
        }
    }

    /// The guest's end closes its connection, and the lobby that of the other one.
    pub(super) fn on_disconnect(&mut self, by_client: bool, context: &Context) -> Next {
        if self.step == Step::Complete && by_client == self.is_guest() {
            self.step = Step::Over;
            if !self.is_guest() {
                self.seated.state(context).comes_to(Progress::Over);
            }
            return Next::Away;
        }
        if by_client {
            return Next::Away;
        }
        self.step = Step::Failed;
        Next::Failed
    }

    /// The end of the relay, unless it will not come any more.
    pub(super) fn missing(&self) -> u64 {
        u64::from(!matches!(self.step, Step::Over | Step::Failed))
    }

    /// The run is over: a small message that has not come back has been waited for until now.
    pub(super) fn account(&self, context: &Context) {
        self.trips.account(context);
        if self.step != Step::Over {
            context.recorder.borrow_mut().metrics.players_broken += 1;
            let (seat, step, got) = (self.seated.seat(), self.step, self.got);
            let what = format!("{seat:?} was left in {step:?} after {got} bytes");
            context.shared.record_error(what);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_as_it_was_sent_is_seen() {
        for (kind, number) in [(Kind::Trip, 7), (Kind::Block, 0x1_02ff), (Kind::End, 0)] {
            let mut out = Vec::new();
            let length = write(kind, number, &mut out);
            let message = &out[4..];
            assert_eq!(message.len(), length);
            assert_eq!(read(message), Some((kind, number)));
            for place in [0, 5, 9, length - 1] {
                let mut other = message.to_vec();
                other[place] ^= 0x40;
                assert_ne!(read(&other), Some((kind, number)), "{kind:?} {place}");
            }
            assert_eq!(read(&message[1..]), None);
            assert_eq!(read(&message[..length - 1]), None);
        }
    }
}
