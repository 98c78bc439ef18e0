//! What an operator may choose about the VCMI lobby, and the limits nobody may pass.

use std::{net::SocketAddr, time::Duration};

use settings::Address;
use wire::ReadLimits;

use crate::StrangerLimits;

settings::settings! {
    /// Where the lobby listens, what a client may say at once, and how much may wait for one.
    #[derive(Clone, Debug)]
    pub struct ListenerSettings {
        /// Whether the VCMI lobby is there at all.
        enabled: bool = "vcmi.enabled", flag(), "true";
        /// Its listener, for launchers and for games. Nobody proves who they are there, so "auto" as host follows the FAF
        /// listeners: 127.0.0.1 while those offer open sign-in on loopback, otherwise 0.0.0.0. Port 0: any free port.
        address: Address = "vcmi.address", address(), "auto:5002";
        /// Longest packet of a client; the largest real one is a list of mods. A longer one ends the connection.
        packet_bytes: usize = "vcmi.packet_bytes", number(1024, 1 << 26), "1048576", unit("bytes");
        /// A launcher for which more than this waits unread is disconnected.
        outbox_bytes: usize = "vcmi.outbox_bytes", number(65_536, 1 << 30), "1048576", unit("bytes");
        /// A launcher that has taken nothing for this long while something waits is disconnected.
        outbox_stuck: Duration = "vcmi.outbox_stuck_s", number(1, 86_400), "30", unit("s");
    }
}

impl ListenerSettings {
    /// Where to listen, if at all.
    pub fn socket(&self) -> Option<SocketAddr> {
        self.address.socket().filter(|_| self.enabled)
    }

    /// What its listener reads.
    pub fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: self.packet_bytes,
            ..ReadLimits::default()
        }
    }
}

settings::settings! {
    /// Configuration of the dialect (spec: vcmi-proxy 12, 16).
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Launchers in the lobby; further ones are told that the server is full. 0: no limit of its own.
        capacity: Option<u32> = "vcmi.capacity", number(0, 10_000_000), "0", unit("users");
        /// A launcher that has not signed in, or a game that has not said which session it belongs to, is disconnected
        /// after this time.
        handshake: Duration = "vcmi.handshake_s", number(1, 86_400), "60", unit("s");
        /// A started game to which nobody is connected is forgotten after this time.
        session_idle: Duration = "vcmi.session_idle_s", number(1, 864_000), "1800", unit("s");
        /// Started games remembered at one time; with so many no further one starts.
        sessions: usize = "vcmi.sessions", number(1, 10_000_000), "10000", unit("games");
        /// Rooms hosted from one address. 0: no limit. Loopback is exempt.
        rooms_per_address: Option<u32> = "vcmi.rooms_per_address", number(0, 10_000_000), "16", unit("rooms");
        /// Longest name of a user.
        name_chars: usize = "vcmi.name_chars", number(3, 255), "32", unit("characters");
        /// Longest name of a room.
        room_name_chars: usize = "vcmi.room_name_chars", number(3, 255), "64", unit("characters");
        /// Longest line of chat.
        chat_bytes: usize = "vcmi.chat_bytes", number(256, 1 << 20), "131072", unit("bytes");
    }
}

settings::settings! {
    /// Everything that an operator may choose about the lobby.
    #[derive(Clone, Debug)]
    pub struct LobbySettings {
        /// Where it listens.
        listener: ListenerSettings;
        /// What the dialect is told.
        dialect: Settings;
        /// What holds until a launcher has signed in, or a game has said which session it belongs to.
        strangers: StrangerLimits;
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
pub(super) const GREETING_BYTES: usize = 1_024;
/// Different addresses, and names, that are counted for `ROOT`; beyond these the numbers stand still.
pub(super) const REMEMBERED: usize = 1 << 20;
/// How long an orderly end of the process waits for the games of a session that has just started.
pub(super) const AWAITED: Duration = Duration::from_secs(60);
