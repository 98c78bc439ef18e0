//! Messages to clients and to their games, with their names on the wire: a struct each, or a constant where nothing in it
//! varies. Those about queues and matches are in `matchmaking::messages`, lists of players and games in `directory`.
//!
//! Key order is the order of the fields; `command` comes first by the tag (spec: faf-messages 5 and 6).

use bytes::Bytes;
use serde::{Serialize, Serializer};

use crate::faf::model::{
    game::Launch,
    options::{OptionValue, wire_value},
    ratings::GLOBAL,
};
use wire::json;

/// A message as the bytes of its body.
pub(in crate::faf) fn encode(message: &impl Serialize) -> Bytes {
    json::to_json(message).into()
}

/// `{"command":"ping"}`.
pub(in crate::faf) const PING: Bytes = Bytes::from_static(br#"{"command":"ping"}"#);
/// `{"command":"pong"}`.
pub(in crate::faf) const PONG: Bytes = Bytes::from_static(br#"{"command":"pong"}"#);
/// `{"command":"invalid"}`; a close follows.
pub(in crate::faf) const INVALID: Bytes = Bytes::from_static(br#"{"command":"invalid"}"#);
/// Only after `auth`, before `welcome`.
pub(in crate::faf) const IRC_PASSWORD: Bytes =
    Bytes::from_static(br#"{"command":"irc_password","password":"deprecated"}"#);
/// Clients may ask for ICE servers; there are none to name.
pub(in crate::faf) const ICE_SERVERS: Bytes =
    Bytes::from_static(br#"{"command":"ice_servers","ice_servers":[]}"#);
/// Has the client end the game's process.
pub(in crate::faf) const KILL: Bytes =
    Bytes::from_static(br#"{"command":"notice","style":"kill"}"#);

/// Has the client disconnect and not come back by itself.
pub(in crate::faf) const KICK: Bytes =
    Bytes::from_static(br#"{"command":"notice","style":"kick"}"#);
/// To the member who was kicked.
pub(in crate::faf) const KICKED_FROM_PARTY: Bytes =
    Bytes::from_static(br#"{"command":"kicked_from_party"}"#);

/// `notice` with a text (spec: faf-messages 5.8).
#[derive(Serialize)]
#[serde(tag = "command", rename = "notice")]
pub(in crate::faf) struct Notice<'a> {
    /// `info`, `error` or `kick`.
    pub style: &'a str,
    /// What is shown.
    pub text: &'a str,
}

/// `session`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "session")]
pub(in crate::faf) struct Session {
    /// The connection's number.
    pub session: u32,
}

/// `authentication_failed`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "authentication_failed")]
pub(in crate::faf) struct AuthenticationFailed<'a> {
    /// The reason, as the client shows it.
    pub text: &'a str,
}

/// `disabled`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "disabled")]
pub(in crate::faf) struct Disabled<'a> {
    /// The command that is not served now.
    pub request: &'a str,
}

/// `welcome`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "welcome")]
pub(in crate::faf) struct Welcome<'a> {
    /// The player themselves.
    pub me: crate::faf::protocol::player_info::Entry<'a>,
    /// The server's clock, as ISO 8601.
    pub current_time: &'a str,
    /// Deprecated duplicate.
    pub id: u32,
    /// Deprecated duplicate.
    pub login: &'a str,
}

/// `social` after login.
#[derive(Serialize)]
#[serde(tag = "command", rename = "social")]
pub(in crate::faf) struct Social<'a> {
    /// Chat channels to join.
    pub autojoin: &'a [String],
    /// The same again.
    pub channels: &'a [String],
    /// Account ids of friends.
    pub friends: &'a [u32],
    /// Account ids of foes.
    pub foes: &'a [u32],
    /// 2 administrator, 1 moderator, else 0.
    pub power: u8,
}

/// `game_launch` (spec: faf-messages 5.7). Fields without a value are left out.
#[derive(Serialize)]
#[serde(tag = "command", rename = "game_launch")]
pub(in crate::faf) struct GameLaunch<'a> {
    /// `/numgames` and the player's count.
    pub args: (&'a str, u32),
    /// Uid of the game.
    pub uid: u32,
    /// Featured mod.
    #[serde(rename = "mod")]
    pub featured_mod: &'a str,
    /// Title that the host has chosen.
    pub name: &'a str,
    /// 0; 1 for a match.
    pub init_mode: u8,
    /// `custom`, `coop` or `matchmaker`.
    pub game_type: &'a str,
    /// Technical name of the leaderboard.
    pub rating_type: &'a str,
    #[serde(flatten)]
    matched: Option<MatchedLaunch<'a>>,
}

/// What `game_launch` of a match has in addition.
#[derive(Serialize)]
struct MatchedLaunch<'a> {
    mapname: &'a str,
    team: u32,
    faction: u8,
    expected_players: usize,
    map_position: u32,
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "object")]
    game_options: &'a [(Box<str>, OptionValue)],
    map_pool_map_version_id: u32,
}

fn object<S: Serializer>(
    options: &[(Box<str>, OptionValue)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    struct AsIs<'a>(&'a OptionValue);
    impl Serialize for AsIs<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            if let OptionValue::Json(text) = self.0
                && let Ok(value) = serde_json::from_str::<serde_json::Value>(text)
            {
                return value.serialize(serializer);
            }
            wire_value(self.0, serializer)
        }
    }
    serializer.collect_map(options.iter().map(|(key, value)| (key, AsIs(value))))
}

impl<'a> GameLaunch<'a> {
    /// For somebody who has played `games` games of the game's rating type.
    pub(in crate::faf) fn new(uid: u32, games: u32, launch: &'a Launch) -> Self {
        let matched = launch.matched.as_deref();
        GameLaunch {
            args: ("/numgames", games),
            uid,
            featured_mod: &launch.featured_mod,
            name: &launch.title,
            init_mode: matched.is_some().into(),
            game_type: launch.game_type.name(),
            rating_type: if launch.rating_type.is_empty() {
                GLOBAL
            } else {
                &launch.rating_type
            },
            matched: matched.map(|matched| MatchedLaunch {
                mapname: &matched.mapname,
                team: matched.team,
                faction: matched.faction,
                expected_players: matched.expected_players,
                map_position: matched.map_position,
                game_options: &matched.game_options,
                map_pool_map_version_id: matched.map_pool_map_version_id,
            }),
        }
    }
}

/// `game_join_failed` (N#1045).
#[derive(Serialize)]
#[serde(tag = "command", rename = "game_join_failed")]
pub(in crate::faf) struct GameJoinFailed<'a> {
    /// `host_left_game`, `game_not_ready` or `bad_password`.
    pub reason: &'a str,
    /// Uid of the game.
    pub uid: i64,
}

/// `social` from an administrator.
#[derive(Serialize)]
#[serde(tag = "command", rename = "social")]
pub(in crate::faf) struct JoinChannel<'a> {
    /// The chat channel.
    pub autojoin: [&'a str; 1],
}

/// `avatar`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "avatar")]
pub(in crate::faf) struct AvatarList<'a> {
    /// All that the player may show.
    pub avatarlist: &'a [crate::faf::model::account::Avatar],
}

/// `coop_info`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "coop_info")]
pub(in crate::faf) struct CoopInfo<'a> {
    /// `coop_map.id`.
    pub uid: u32,
    /// Name of its campaign.
    #[serde(rename = "type")]
    pub campaign: &'a str,
    /// Name of the mission.
    pub name: &'a str,
    /// Description, as players read it.
    pub description: &'a str,
    /// Archive of the map in the vault; null where the database has none.
    pub filename: Option<&'a str>,
    /// `coop`.
    pub featured_mod: &'a str,
}

/// `modvault_info`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "modvault_info")]
pub(in crate::faf) struct ModvaultInfo<'a> {
    /// Address of its picture, or empty.
    pub thumbnail: &'a str,
    /// Address of the mod.
    pub link: &'a str,
    /// Always empty.
    pub bugreports: [u8; 0],
    /// Always empty.
    pub comments: [u8; 0],
    /// Description, as players read it.
    pub description: &'a str,
    /// How often it was played.
    pub played: i64,
    /// How many players like it.
    pub likes: f64,
    /// How often it was downloaded.
    pub downloads: i64,
    /// When it was uploaded, in Unix seconds.
    pub date: i64,
    /// Name for programs.
    pub uid: &'a str,
    /// Name for people.
    pub name: &'a str,
    /// Number of the version; a newer one has a higher number.
    pub version: i64,
    /// Who has made it.
    pub author: &'a str,
    /// 1 if it changes the interface only.
    pub ui: i64,
}

/// `party_invite`.
#[derive(Serialize)]
#[serde(tag = "command", rename = "party_invite")]
pub(in crate::faf) struct PartyInvite {
    /// Who invites.
    pub sender: u32,
}

/// `update_party`; without members it is dissolved.
#[derive(Serialize)]
#[serde(tag = "command", rename = "update_party")]
pub(in crate::faf) struct UpdateParty {
    /// Its owner.
    pub owner: u32,
    /// In the order of joining, owner first.
    pub members: Vec<PartyMember>,
}

/// A member in `update_party`.
#[derive(Serialize)]
pub(in crate::faf) struct PartyMember {
    /// Account id of the player.
    pub player: u32,
    /// Names, ascending by number.
    pub factions: Vec<&'static str>,
}

/// A message to a player's game (spec: faf-messages 6).
#[derive(Serialize)]
#[serde(tag = "command")]
pub(in crate::faf) enum ToGame<'a> {
    /// Open the lobby with this map.
    HostGame {
        /// Folder of the map to host.
        args: (&'a str,),
        /// `game`.
        target: Target,
    },
    /// Connect to the host.
    JoinGame {
        /// Name and id.
        args: (&'a str, u32),
        /// `game`.
        target: Target,
    },
    /// Connect to another player.
    ConnectToPeer {
        /// Name, id, whether to start the negotiation.
        args: (&'a str, u32, bool),
        /// `game`.
        target: Target,
    },
    /// A player left.
    DisconnectFromPeer {
        /// Id.
        args: (u32,),
        /// `game`.
        target: Target,
    },
}

/// The only target there is.
#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::faf) enum Target {
    /// `game`.
    Game,
}

/// `HostGame`.
pub(in crate::faf) fn host_game(folder: &str) -> Bytes {
    encode(&ToGame::HostGame {
        args: (folder,),
        target: Target::Game,
    })
}

/// `JoinGame`.
pub(in crate::faf) fn join_game(login: &str, id: u32) -> Bytes {
    encode(&ToGame::JoinGame {
        args: (login, id),
        target: Target::Game,
    })
}

/// `ConnectToPeer`.
pub(in crate::faf) fn connect_to_peer(login: &str, id: u32, offer: bool) -> Bytes {
    encode(&ToGame::ConnectToPeer {
        args: (login, id, offer),
        target: Target::Game,
    })
}

/// `DisconnectFromPeer`.
pub(in crate::faf) fn disconnect_from_peer(id: u32) -> Bytes {
    encode(&ToGame::DisconnectFromPeer {
        args: (id,),
        target: Target::Game,
    })
}

/// `notice`.
pub(in crate::faf) fn notice(style: &str, text: &str) -> Bytes {
    encode(&Notice { style, text })
}
