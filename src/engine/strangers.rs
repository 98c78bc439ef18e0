//! What connections that have not signed in may take of a round: however many there are, and however much they say, those who
//! have signed in wait no longer for it than this.

use std::collections::VecDeque;

use super::{runtime::Io, shard::Shard};
use lobby::{ConnId, Dialect};

/// Frames of all strangers together in a round; whoever is looked at in vain, or ended, counts as one.
pub(super) const STRANGER_FRAMES_PER_ROUND: usize = if cfg!(test) { 8 } else { 128 };

/// Handshakes that a shard goes on with in a round. Each costs about 0.2 ms with a certificate of P-256 and 1 ms with one of
/// RSA 2048, so nobody waits for more than two milliseconds of them; that a round has no more costs a hundredth of that.
pub(super) const HANDSHAKES_PER_ROUND: usize = 2;

/// Strangers that go on when the others had their turn, and what is left of their share of the round.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    pub(super) queued: VecDeque<ConnId>,
    pub(super) frames: usize,
    /// Those whose handshakes of TLS wait for a round that has not had its share of them.
    pub(super) handshaking: VecDeque<ConnId>,
    /// What is left of that share.
    pub(super) handshakes: usize,
}

impl Strangers {
    /// Nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.queued.is_empty() && self.handshaking.is_empty()
    }

    /// A round begins.
    pub(super) fn renew(&mut self) {
        self.frames = STRANGER_FRAMES_PER_ROUND;
        self.handshakes = HANDSHAKES_PER_ROUND;
    }
}

impl<D: Dialect, I: Io> Shard<D, I> {
    /// The dialect has turned a connection away.
    pub(super) fn turned_away(&self, id: ConnId, why: &'static str) {
        if let Some(conn) = self.conns.peek(id) {
            let listener = usize::from(conn.listener);
            self.settings.note_refused(conn.address, listener, why);
        }
    }

    /// Lets strangers go on, as far as their share of the round goes. The first to have come goes first.
    pub(super) fn let_strangers_go_on(&mut self) {
        for _ in 0..self.strangers.handshaking.len() {
            if self.strangers.handshakes == 0 || self.strangers.frames == 0 {
                break;
            }
            if let Some(id) = self.strangers.handshaking.pop_front() {
                self.take_turn(id);
            }
        }
        for _ in 0..self.strangers.queued.len() {
            if self.strangers.frames == 0 {
                return;
            }
            if let Some(id) = self.strangers.queued.pop_front() {
                self.take_turn(id);
            }
        }
    }
}
