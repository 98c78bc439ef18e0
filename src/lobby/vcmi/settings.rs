//! What an operator may choose about the VCMI lobby, and the limits nobody may pass.

use std::time::Duration;

use settings::Address;
use wire::{Format, ReadLimits};

use crate::{Opened, Spoken, StrangerLimits, rate::Rate};

settings::settings! {
    /// Where the lobby listens, what a client may say at once, and how much may wait for one.
    #[derive(Clone, Debug)]
    pub struct ListenerSettings {
        /// Whether the VCMI lobby is there at all.
        enabled: bool = "vcmi.enabled", flag(), "true";
        /// Its listener, for launchers and for games. Nobody proves who they are there, so "auto" as host follows the FAF
        /// listeners: 127.0.0.1 while those offer open sign-in on loopback, otherwise 0.0.0.0. Port 0: any free port.
        address: Address = "vcmi.address", address(), "auto:5002";
        /// Its listener for clients that speak TLS, which needs server.tls_certificate. "": off.
        tls_address: Address = "vcmi.tls_address", address(), "";
        /// Longest packet of a client; the largest real one is a list of mods. A longer one ends the connection.
        packet_bytes: usize = "vcmi.packet_bytes", number(1024, 1 << 26), "1048576", unit("bytes");
        /// A launcher for which more than this waits unread is disconnected. With more than half of it, it gets no
        /// broadcasts until it has read what waits, and then the present lists.
        outbox_bytes: usize = "vcmi.outbox_bytes", number(65_536, 1 << 30), "1048576", unit("bytes");
        /// A launcher that has taken nothing for this long while something waits is disconnected.
        outbox_stuck: Duration = "vcmi.outbox_stuck_s", number(1, 86_400), "30", unit("s");
    }
}

impl ListenerSettings {
    /// Its listeners that are on.
    pub fn listeners(&self) -> impl Iterator<Item = Opened> {
        let spoken = Spoken {
            name: "vcmi",
            format: Format::Packets,
            plain: self.address,
            tls: self.tls_address,
        };
        let enabled = self.enabled;
        spoken.opened().filter(move |_| enabled)
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
        /// Commands of one launcher in a second in the long run; 2000 at once. It is refused more, and disconnected if it
        /// goes on. 0: no limit.
        commands_per_second: Option<u32> = "vcmi.commands_per_second", number(0, 1_000_000), "50", unit("commands/s");
        /// Bytes that one launcher may have others and itself be sent in a second in the long run, what goes to everybody
        /// counted once; 256 KiB at once. It is refused more, and disconnected if it goes on. 0: no limit.
        caused_bytes_per_second: Option<u32> = "vcmi.caused_bytes_per_second", number(0, 1 << 30), "32768", unit("bytes/s");
        /// Users of launchers of version 4 and up are asked this often whether they are still there, at least every 10 s; one
        /// that has not answered by the next time is disconnected, and earlier if the same address asks for its name. The
        /// launchers of VCMI answer, other programs may not. 0: nobody is asked.
        health: Option<Duration> = "vcmi.health_s", number(0, 3600), "0", unit("s");
        /// Two games between which nothing has gone in either direction for this long are disconnected. A player may think for
        /// long, or leave a game open over night. 0: never.
        relay_idle: Option<Duration> = "vcmi.relay_idle_s", number(0, 8_640_000), "43200", unit("s");
        /// Games are relayed as version 0.6.2 of the replaced server did it. Each is sent first what it has itself said, and not
        /// what the other one has said; what it sends before the other one is there is lost; and when one ends the other one
        /// stays, what it sends is lost, and the next game of that kind takes the place. Games of VCMI only log what they are sent
        /// first, but do not notice that way that the other one has gone.
        pipes_as_0_6_2: bool = "vcmi.pipes_as_0_6_2", flag(), "false";
        /// While the lists of users and rooms change so fast that telling everybody at once would cost too much, they are
        /// told this often.
        list_interval: Duration = "vcmi.list_interval_ms", number(10, 60_000), "1000", unit("ms");
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
/// Commands of one launcher at once: two packets as long as they may be. Launchers send four when they open a room.
pub(super) const COMMANDS_BURST: u32 = 2 * COMMANDS as u32;
/// Bytes of a packet that count as much as a command: reading them is as much work.
pub(super) const PACKET_BYTES: usize = 1_024;
/// Bytes that one launcher may cause at once: two lines of chat as long as they may be. A room opened and left costs some
/// hundred. Well below what may wait for a launcher that reads slowly.
pub(super) const CAUSED_BURST: u32 = 256 << 10;
/// Commands that a wrong password counts as: one guess a second.
pub(super) const WRONG_PASSWORD: u64 = 50;
/// Refusals for saying too much after which a launcher is disconnected: a person who is told so stops.
pub(super) const STRIKES: Rate = Rate {
    per_second: 1,
    burst: 20,
};
/// Addresses of which it is remembered what they owe.
pub(super) const DEBTORS: usize = 4_096;
/// Bytes that go out for lists to all launchers together while each change is told at once. A thousand users and a hundred
/// rooms are lists of 14 kB, so a list costs 14 MB there; below some hundred users no change ever waits.
pub(super) const LISTS: Rate = Rate {
    per_second: 4 << 20,
    burst: 8 << 20,
};
/// Bytes of a room's password; the launcher has one line for it.
pub(super) const PASSWORD_BYTES: usize = 256;
/// Characters of a game's version; real ones are like `1.4.5`.
pub(super) const VERSION_CHARS: usize = 64;
/// Mods of one room; VCMI's repository has a few hundred.
pub(super) const MODS: usize = 4_096;
/// Bytes of the names and versions of a room's mods: each is a line of text.
pub(super) const MODS_BYTES: usize = 128 << 10;
/// Bytes of everything a game says before it is relayed; real ones say 74.
pub(super) const GREETING_BYTES: usize = 1_024;
/// Different addresses, and names, that are counted for `ROOT`; beyond these the numbers stand still.
pub(super) const REMEMBERED: usize = 1 << 20;
/// How long a user who was asked whether they are there may take before somebody at the same address gets their name.
pub(super) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// How long an orderly end of the process waits for the games of a session that has just started.
pub(super) const AWAITED: Duration = Duration::from_secs(60);
