//! What an operator may choose about VCMI's JSON lobby, and the limits nobody may pass.

use std::time::Duration;

use settings::Address;
use wire::{Format, ReadLimits};

use crate::{Opened, Spoken, StrangerLimits, rate::Rate};

settings::settings! {
    /// Where the lobby listens, what a client may say at once, and how much may wait for one.
    #[derive(Clone, Debug)]
    pub struct ListenerSettings {
        /// Its listener, for clients, match servers and the connections between them. "auto" as host follows the FAF
        /// listeners: 127.0.0.1 while those offer open sign-in on loopback, otherwise 0.0.0.0. Port 0: any free port.
        address: Address = "vcmi_json.tcp_address", address(), "auto:3031";
        /// Its listener for whoever speaks TLS, which needs server.tls_certificate. "": off.
        tls_address: Address = "vcmi_json.tcp_tls_address", address(), "";
        /// Longest message of a client or match server that has signed in. The longest real ones are lines of chat. A longer
        /// one is passed over unread and has no effect; one of more than 64 MiB ends the connection, as the protocol has it.
        message_bytes: usize = "vcmi_json.message_bytes", number(1024, 1 << 26), "1048576", unit("bytes");
        /// Longest message of a connection that has not signed in. A match server signs in with the list of its mods, which
        /// is some 150 bytes for each. A longer one ends the connection.
        stranger_message_bytes: usize = "vcmi_json.stranger_message_bytes", number(1024, 1 << 26), "262144", unit("bytes");
        /// A client for which more than this waits unread is disconnected. With more than half of it, it gets no broadcasts
        /// until it has read what waits, and then the present lists and histories.
        outbox_bytes: usize = "vcmi_json.outbox_bytes", number(65_536, 1 << 30), "8388608", unit("bytes");
        /// A client that has taken nothing for this long while something waits is disconnected.
        outbox_stuck: Duration = "vcmi_json.outbox_stuck_s", number(1, 86_400), "60", unit("s");
    }
}

settings::settings! {
    /// Configuration of the dialect (spec: vcmi-lobby2 10).
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// Whether VCMI's JSON lobby (VCMI 1.5 and later) is there at all.
        enabled: bool = "vcmi_json.enabled", flag(), "false";
        /// Players in the lobby; further ones are told that the server is full. 0: no limit of its own.
        capacity: Option<u32> = "vcmi_json.capacity", number(0, 10_000_000), "0", unit("users");
        /// A connection that has not signed in is disconnected after this time.
        handshake: Duration = "vcmi_json.handshake_s", number(1, 86_400), "60", unit("s");
        /// A match server's connection for a guest that does not come is disconnected after this time.
        proxy_wait: Duration = "vcmi_json.proxy_wait_s", number(1, 86_400), "120", unit("s");
        /// Who has sent heartbeats, and then nothing for this long, is disconnected. Clients since 1.5.1 send one every 10 s;
        /// 1.5.0 sends none, and only TCP tells that it is gone. 0: nobody is.
        silent: Option<u32> = "vcmi_json.silent_s", number(0, 86_400), "60", unit("s");
        /// Longest line of chat; longer ones are refused.
        chat_chars: usize = "vcmi_json.chat_chars", number(16, 100_000), "2000", unit("characters");
        /// Messages of one connection in a second in the long run; 256 at once. Whoever says more is heard later. 0: no limit.
        messages_per_second: Option<u32> = "vcmi_json.messages_per_second", number(0, 1_000_000), "20", unit("messages/s");
        /// Bytes of chat, and of what is asked for, that one client may have sent in a second in the long run, what goes to
        /// everybody counted once; 1 MiB at once. Whoever causes more is heard later. 0: no limit.
        caused_bytes_per_second: Option<u32> = "vcmi_json.caused_bytes_per_second", number(0, 1 << 30), "32768", unit("bytes/s");
        /// Accounts that one address may register in an hour in the long run; half as many at once. Loopback is exempt. 0: no
        /// limit.
        registrations_per_hour: Option<u32> = "vcmi_json.registrations_per_hour", number(0, 1_000_000), "60", unit("accounts/h");
        /// Rooms of one account at one time, those that are not open yet among them.
        rooms_per_account: usize = "vcmi_json.rooms_per_account", number(1, 10_000), "4", unit("rooms");
        /// Rooms at one time.
        rooms: usize = "vcmi_json.rooms", number(1, 1_000_000), "10000", unit("rooms");
        /// Bytes of the list of a room's mods, which everybody is sent with the room.
        mods_bytes: usize = "vcmi_json.mods_bytes", number(0, 1 << 24), "131072", unit("bytes");
        /// Longest description of a room; what is longer is cut.
        description_chars: usize = "vcmi_json.description_chars", number(16, 100_000), "500", unit("characters");
        /// People invited to one room.
        invites: usize = "vcmi_json.invites", number(1, 10_000), "100", unit("people");
        /// Lines of the history of a room or of two players, and finished matches of a player, that are sent: the newest.
        history: u32 = "vcmi_json.history", number(1, 100_000), "2000", unit("entries");
        /// While the lists of accounts and rooms change so fast that telling everybody at once would cost too much, they are
        /// told this often.
        list_interval: Duration = "vcmi_json.list_interval_ms", number(10, 60_000), "500", unit("ms");
    }
}

settings::settings! {
    /// Everything that an operator may choose about the lobby.
    #[derive(Clone, Debug)]
    pub struct LobbySettings {
        /// What the dialect is told.
        dialect: Settings;
        /// Where it listens.
        listener: ListenerSettings;
        /// What holds until somebody has signed in.
        strangers: StrangerLimits;
    }
}

impl LobbySettings {
    /// Its listeners that are on.
    pub fn listeners(&self) -> impl Iterator<Item = Opened> {
        let spoken = Spoken {
            name: "vcmi-json",
            format: Format::PrefixedLittleEndian,
            plain: self.listener.address,
            tls: self.listener.tls_address,
        };
        let enabled = self.dialect.enabled;
        spoken.opened().filter(move |_| enabled)
    }
}

impl ListenerSettings {
    /// What its listener reads.
    pub fn read_limits(&self) -> ReadLimits {
        ReadLimits {
            message_bytes: self.message_bytes,
            skipped_bytes: RELAYED_FRAME_BYTES as usize,
            ..ReadLimits::default()
        }
    }
}

impl Settings {
    /// How long somebody who has sent heartbeats may be silent.
    pub(super) fn silent(&self) -> Option<Duration> {
        self.silent
            .map(|seconds| Duration::from_secs(seconds.into()))
    }

    /// How many messages one connection may send.
    pub(super) fn messages(&self) -> Option<Rate> {
        Rate::limit(self.messages_per_second, MESSAGES_BURST)
    }

    /// How many bytes it may cause.
    pub(super) fn caused(&self) -> Option<Rate> {
        Rate::limit(self.caused_bytes_per_second, CAUSED_BURST)
    }

    /// How many accounts an address may register, and what each counts as: a rate refills in seconds.
    pub(super) fn registrations(&self) -> Option<Rate> {
        self.registrations_per_hour.map(|per_hour| Rate {
            per_second: per_hour,
            burst: per_hour.saturating_mul(REGISTRATION / 2),
        })
    }
}

/// How often a heartbeat is sent on every connection (spec: vcmi-lobby2 2).
pub(super) const HEARTBEAT: Duration = Duration::from_secs(10);
/// Longest frame that is passed over, or relayed (spec: vcmi-lobby2 2).
pub(super) const RELAYED_FRAME_BYTES: u32 = 64 << 20;
/// Bytes of a message that is passed over which count as a message.
pub(super) const SKIPPED_BYTES: usize = 1 << 20;
/// Messages of one connection at once. A player who opens the lobby sends some ten.
pub(super) const MESSAGES_BURST: u32 = 256;
/// Bytes that one client may cause at once: some histories that it opens.
pub(super) const CAUSED_BURST: u32 = 1 << 20;
/// What a registration counts as, of a rate that is refilled by its number in an hour.
pub(super) const REGISTRATION: u32 = 3_600;
/// Addresses of which it is remembered how much they have registered.
pub(super) const REGISTRARS: usize = 4_096;
/// Channels whose histories a login may ask for: there are thirty languages.
pub(super) const LANGUAGE_ROOMS: usize = 64;
/// Characters of ids and names of channels, and of a version: real ids are uuids.
pub(super) const ID_CHARS: usize = 128;
/// Lines of a global channel's history (spec: vcmi-lobby2 5.4).
pub(super) const GLOBAL_LINES: usize = 100;
/// Age up to which they are told (spec: vcmi-lobby2 5.4).
pub(super) const GLOBAL_AGE: Duration = Duration::from_secs(18 * 3_600);
/// Bytes of text of a history that are sent: well within what may wait for a client.
pub(super) const HISTORY_BYTES: usize = 2 << 20;
/// Players of a room whose match server has not said how many (spec: vcmi-lobby2 5.7).
pub(super) const PLAYERS: u32 = 8;
/// Bytes that go out for lists to all clients together while each change is told at once. A thousand accounts are a list of
/// 100 kB, so one change costs 100 MB there; below some hundred no change ever waits.
pub(super) const LISTS: Rate = Rate {
    per_second: 4 << 20,
    burst: 8 << 20,
};
/// Steps that the store is asked for at once.
pub(super) const STEPS: usize = 256;
/// How long it takes until a store that could not be reached is asked again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
