//! What a client says: a message, as its transport wants it, into its connection's output.

use super::framing::{self, Transport};
use crate::connection::Connection;

/// How a client's messages become bytes, and who it is.
#[derive(Debug)]
pub(super) struct Encoder {
    pub(super) transport: Transport,
    /// Running state of the masking key.
    mask: u32,
    /// The player's id as the server told it.
    pub(super) player_id: u64,
}

impl Encoder {
    pub(super) fn new(index: usize, transport: Transport) -> Encoder {
        Encoder {
            transport,
            mask: (index as u32).wrapping_mul(2_654_435_761) | 1,
            player_id: 0,
        }
    }

    /// Where this client's messages go now.
    pub(super) fn on<'a>(&'a mut self, connection: &'a mut Connection) -> Output<'a> {
        Output {
            encoder: self,
            connection,
        }
    }
}

/// A client's output for as long as it handles one event.
#[derive(Debug)]
pub(crate) struct Output<'a> {
    encoder: &'a mut Encoder,
    connection: &'a mut Connection,
}

impl Output<'_> {
    /// Sends one message; it leaves as soon as the socket takes it.
    pub(super) fn send(&mut self, json: &str) {
        let Encoder {
            transport, mask, ..
        } = &mut *self.encoder;
        framing::encode(*transport, json, mask, self.connection.output());
    }

    pub(super) fn send_pong_frame(&mut self, payload: &[u8]) {
        framing::websocket_pong(payload, &mut self.encoder.mask, self.connection.output());
    }

    pub(super) fn send_close_frame(&mut self) {
        framing::websocket_close(&mut self.encoder.mask, self.connection.output());
    }

    /// The server does not read what was sent before.
    pub(super) fn is_backlogged(&self) -> bool {
        self.connection.is_backlogged()
    }

    /// Number among all clients of the run.
    pub(super) fn index(&self) -> usize {
        self.connection.index
    }

    /// Number among the clients of the thread.
    pub(super) fn slot(&self) -> usize {
        self.connection.slot
    }

    /// The player's id as the server told it.
    pub(super) fn player_id(&self) -> u64 {
        self.encoder.player_id
    }
}
