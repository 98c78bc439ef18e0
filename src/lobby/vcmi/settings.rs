//! What an operator may choose about the VCMI lobby, the limits nobody may pass, and what is counted.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};

/// Configuration of the dialect (spec: vcmi-proxy 12, 16).
#[derive(Clone, Debug)]
pub struct Settings {
    /// Launchers at one time; `None`: no limit.
    pub capacity: Option<u32>,
    /// Time to sign in, or to name a session.
    pub handshake: Duration,
    /// Life of a session that nobody is connected to.
    pub session_idle: Duration,
    /// Sessions at one time.
    pub sessions: usize,
    /// Rooms of one address; `None`: no limit. Loopback is exempt, as at admission.
    pub rooms_per_address: Option<u32>,
    /// Longest name of a user.
    pub name_chars: usize,
    /// Longest name of a room.
    pub room_name_chars: usize,
    /// Longest line of chat.
    pub chat_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            capacity: None,
            handshake: Duration::from_secs(60),
            session_idle: Duration::from_secs(1800),
            sessions: 10_000,
            rooms_per_address: Some(16),
            name_chars: 32,
            room_name_chars: 64,
            chat_bytes: 128 << 10,
        }
    }
}

/// Commands of one packet. Launchers send four; the reference drops a client at about a thousand (spec: vcmi-proxy 5).
pub(super) const COMMANDS: usize = 1_000;
/// Bytes of answers and broadcasts after which the rest of a packet is dropped. Launchers cause some kilobytes; the longest
/// single answer is the mods of a room.
pub(super) const ANSWER_BYTES: usize = 4 << 20;
/// Bytes of a room's password; the launcher has one line for it.
pub(super) const PASSWORD_BYTES: usize = 256;
/// Characters of a game's version; real ones are like `1.4.5`.
pub(super) const VERSION_CHARS: usize = 64;
/// Mods of one room; VCMI's repository has a few hundred.
pub(super) const MODS: usize = 4_096;
/// Bytes of the names and versions of a room's mods: each is a line of text.
pub(super) const MODS_BYTES: usize = 512 << 10;
/// Bytes of everything a game says before it is relayed; real ones say 74.
pub(super) const GREETING_BYTES: usize = 4_096;
/// Different addresses, and names, that are counted for `ROOT`; beyond these the numbers stand still.
pub(super) const REMEMBERED: usize = 1 << 20;
/// How long an orderly end of the process waits for the games of a session that has just started.
pub(super) const AWAITED: Duration = Duration::from_secs(60);

/// How often a shard shows what it has counted.
pub(super) const SHOWN: Duration = Duration::from_secs(1);

/// Where a shard leaves its counters for metrics, for any thread to read.
#[derive(Debug, Default)]
pub struct MetricsBoard(ArcSwap<Counters>);

impl MetricsBoard {
    /// The newest counters.
    pub fn read(&self) -> Counters {
        **self.0.load()
    }

    pub(super) fn hang_up(&self, counters: Counters) {
        self.0.store(Arc::new(counters));
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])+ $name:ident: $shown:literal,)+) => {
        /// What has happened since the start.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counters {
            $($(#[$doc])+ pub $name: u64,)+
        }

        impl Counters {
            /// Name and value of each.
            pub fn list(&self) -> Vec<(&'static str, u64)> {
                vec![$(($shown, self.$name),)+]
            }

            pub(super) fn add(&mut self, other: &Counters) {
                $(self.$name += other.$name;)+
            }
        }
    };
}

counters! {
    /// Launchers that signed in.
    logins: "vcmi_logins",
    /// Commands refused with an error.
    refusals: "vcmi_refusals",
    /// Launchers turned away because the lobby is full.
    refused_full: "vcmi_refused_full",
    /// Launchers that named an encoding nobody knows.
    unknown_encodings: "vcmi_unknown_encodings",
    /// Commands without effect: unknown, or not for somebody in that state.
    ignored: "vcmi_ignored",
    /// Things refused or cut because a limit was reached.
    over_limit: "vcmi_over_limit",
    /// Connections that did not sign in, or name a session, in time.
    handshake_timeouts: "vcmi_handshake_timeouts",
    /// Lines of chat.
    chat_lines: "vcmi_chat_lines",
    /// Rooms created.
    rooms: "vcmi_rooms",
    /// Sessions started.
    sessions: "vcmi_sessions",
    /// Sessions forgotten because nobody was connected for long.
    sessions_forgotten: "vcmi_sessions_forgotten",
    /// Connections of games.
    pipes: "vcmi_pipes",
    /// Games that named no session, or broke their handshake.
    pipes_refused: "vcmi_pipes_refused",
    /// Pairs of games that were joined.
    pipes_joined: "vcmi_pipes_joined",
}
