//! What an operator may choose about the FAF lobby.
//!
//! Settings are shared by all shards; new ones come as [`News::Settings`](crate::faf::news::News::Settings).

use std::time::Duration;

use settings::{Address, Cidr};
use wire::{Format, ReadLimits};

use crate::{
    NodeSettings, Opened, OutboxLimits, Spoken, StoppingSettings, StrangerLimits,
    faf::{
        model::{game::GameType, pace::Pace, ratings::Rating},
        rules::{matchmaking::MatchmakingSettings, votes::ResultVotes},
    },
};

/// Longest WebSocket message (spec: faf-wire 5.1).
const WEBSOCKET_MESSAGE_BYTES: usize = 4 << 20;

settings::settings! {
    /// Where the lobby listens, and what its clients may say at once.
    #[derive(Clone, Debug)]
    pub struct ListenerSettings {
        /// Listener for QDataStream over TCP. Empty: off. With "auto" as host: 127.0.0.1 if faf.auth is "open",
        /// otherwise 0.0.0.0. Port 0: any free port.
        qdatastream_address: Address = "faf.qdatastream_address", address(), "auto:8001";
        /// Listener for newline-delimited JSON over TCP; as above.
        json_address: Address = "faf.json_address", address(), "auto:8002";
        /// Listener for WebSocket; as above.
        websocket_address: Address = "faf.websocket_address", address(), "auto:8003";
        /// Listener for QDataStream over TLS. Each with TLS needs server.tls_certificate, and is off unless it has an address.
        qdatastream_tls_address: Address = "faf.qdatastream_tls_address", address(), "";
        /// Listener for newline-delimited JSON over TLS.
        json_tls_address: Address = "faf.json_tls_address", address(), "";
        /// Listener for WebSocket over TLS (wss).
        websocket_tls_address: Address = "faf.websocket_tls_address", address(), "";
        /// The TCP listeners expect a PROXY protocol header (version 1 or 2) first and close connections without one; those
        /// with TLS in front of it. Switch on only behind a proxy that sends it, and let nobody else reach the ports.
        proxy: bool = "faf.proxy", flag(), "false";
        /// Paths of the WebSocket upgrade, separated by commas; any other is a 404. Clients of newer FAF deployments use /ws.
        ws_path: String = "faf.ws_path", prefixed(&["/"]), "/,/ws";
        /// Request header that carries the client's address behind a reverse proxy. Empty: not read. Believed only
        /// from peers in faf.ws_trusted. "X-Forwarded-For" and "Forwarded" are lists that proxies append to: of these the
        /// last address is taken that is not in faf.ws_trusted; of any other header the first.
        ws_forwarded_header: String = "faf.ws_forwarded_header", text(), "X-Real-IP";
        /// Address blocks of the reverse proxies whose forwarded header is believed.
        ws_trusted: Vec<Cidr> = "faf.ws_trusted", blocks(), "127.0.0.0/8,::1/128";
        /// Longest incoming message of a client that has signed in, over WebSocket 4 MiB at the most. A longer one ends the
        /// connection.
        message_bytes: usize = "limits.message_bytes", number(1024, 1 << 30), "10485760", unit("bytes");
        /// Longest request head of a WebSocket upgrade.
        upgrade_bytes: usize = "limits.upgrade_bytes", number(256, 1 << 20), "8192", unit("bytes");
    }
}

impl ListenerSettings {
    /// The listeners that are on.
    pub fn listeners(&self) -> impl Iterator<Item = Opened> {
        let spoken = |name, format, plain, tls| Spoken {
            name,
            format,
            plain,
            tls,
        };
        [
            spoken(
                "faf/qdatastream",
                Format::QDataStream,
                self.qdatastream_address,
                self.qdatastream_tls_address,
            ),
            spoken(
                "faf/json",
                Format::JsonLines,
                self.json_address,
                self.json_tls_address,
            ),
            spoken(
                "faf/websocket",
                Format::WebSocket,
                self.websocket_address,
                self.websocket_tls_address,
            ),
        ]
        .into_iter()
        .flat_map(Spoken::opened)
    }

    /// What its listeners of this format read.
    pub fn read_limits(&self, format: Format) -> ReadLimits {
        ReadLimits {
            message_bytes: match format {
                Format::WebSocket => self.message_bytes.min(WEBSOCKET_MESSAGE_BYTES),
                _ => self.message_bytes,
            },
            upgrade_bytes: self.upgrade_bytes,
            ws_path: self.ws_path.clone(),
            ws_forwarded_header: self.ws_forwarded_header.clone(),
            ws_trusted: self.ws_trusted.clone(),
            ..ReadLimits::default()
        }
    }
}

settings::settings! {
    /// Configuration of the dialect (spec: faf-lifecycle 16). All of it can change at any time.
    #[derive(Clone, Debug)]
    pub struct Settings {
        /// How often changed players, games and queues are broadcast.
        tick: Duration = "faf.tick_ms", number(10, 60_000), "1000", unit("ms"), live;
        /// How often all signed-in clients are sent a ping.
        ping_interval: Duration = "faf.ping_interval_s", number(1, 3600), "45", unit("s"), live;
        /// A connection that has not signed in after this time is closed.
        login_timeout: Duration = "faf.login_timeout_s", number(1, 86_400), "300", unit("s"), live;
        /// Accept sign-in by name and password ("hello"); otherwise only by token.
        allow_password_login: bool = "faf.allow_password_login", flag(), "true", live;
        /// Sign-ins being worked on at one time, on each shard; further ones wait their turn.
        logins_in_flight: usize = "limits.logins_in_flight", number(1, 1_000_000), "256", unit("logins"), live;
        /// How fast one client may say things.
        pace: Pace;
        /// Failures to sign in after which a connection is ended.
        sign_in_failures: u32 = "limits.sign_in_failures", number(1, 1_000_000), "10", unit("failures"), live;
        /// The website named in texts for players.
        www_url: String = "faf.www_url", prefixed(&["http://", "https://"]), "https://www.faforever.com", live;
        /// Where the mod vault is: the beginning of its links.
        content_url: String = "faf.content_url", prefixed(&["http://", "https://"]), "http://content.faforever.com", live;
        /// During an orderly stop, disconnect players who are in no game.
        shutdown_kick_idle: bool = "faf.shutdown_kick_idle_players", flag(), "false", live;
        /// How an orderly stop goes; here players are only told of it.
        stopping: StoppingSettings;
        /// Mean rating of a player of whom nothing is known.
        start_rating_mean: f64 = "faf.start_rating_mean", number(0, 100_000), "1500", live;
        /// Deviation of that rating.
        start_rating_deviation: f64 = "faf.start_rating_deviation", number(1, 100_000), "500", live;
        /// Highest displayed global rating that a game of another leaderboard may lift a player to.
        rating_adjustment_max: f64 = "faf.rating_adjustment_max", number(-100_000, 100_000), "1400", live;
        /// Whose word counts about how a game went. "fair": participants' only, the last of each about each army; what those who
        /// only watch report has no effect, EnforceRating and statistics included. "reference": every report of anybody in the
        /// game, as with the replaced server.
        result_votes: ResultVotes = "faf.result_votes", word(ResultVotes::WORDS), "fair", live;
        /// In matchmaker games of two, the reported scores decide who won, not the reported words.
        ladder_outcome_override: bool = "faf.ladder_outcome_override", flag(), "true", live;
        /// What holds where there are other nodes.
        nodes: NodeSettings;
        /// Queues, searches and matches.
        matchmaking: MatchmakingSettings;
        /// Time for a custom game to open (spec: faf-lifecycle 10.1).
        custom_setup: Duration, always Duration::from_secs(30);
        /// Time for a coop game to open.
        coop_setup: Duration, always Duration::from_secs(60);
    }
}

settings::settings! {
    /// Everything that an operator may choose about the lobby.
    #[derive(Clone, Debug)]
    pub struct LobbySettings {
        /// Where it listens.
        listeners: ListenerSettings;
        /// What the dialect is told.
        dialect: Settings;
        /// How much may wait for a client.
        outbox: OutboxLimits;
        /// What holds until a client has signed in.
        strangers: StrangerLimits;
    }
}

impl Settings {
    /// Time for a game of this type to open, and for a player's to come up.
    pub(in crate::faf) fn setup_time(&self, game_type: GameType) -> Duration {
        match game_type {
            GameType::Custom => self.custom_setup,
            GameType::Coop => self.coop_setup,
            GameType::Matchmaker => self.matchmaking.setup,
        }
    }

    /// Rating of somebody of whom nothing is known.
    pub fn start_rating(&self) -> Rating {
        Rating {
            mean: self.start_rating_mean,
            deviation: self.start_rating_deviation,
        }
    }
}
