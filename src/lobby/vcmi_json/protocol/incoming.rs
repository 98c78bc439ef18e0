//! What clients and match servers say, typed. A message that does not fit the description of its type is none: a member
//! missing, of another type, beyond its bounds, or one that its type does not have (spec: vcmi-lobby2 2.2, 4.1, 4.2).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ChannelType, Mod,
    reader::{self, Value},
};

/// What proves who somebody is. Never shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cookie(pub String);

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(…)")
    }
}

/// Whether a room is open to everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RoomType {
    /// Everybody may join.
    Public,
    /// Only who was invited may.
    Private,
}

/// Signing in as a player.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLogin {
    /// Of whom.
    pub account: String,
    /// Proves it.
    pub cookie: Cookie,
    /// Of the client.
    pub language: String,
    /// Channels that its player has chosen; clients before 1.6.4 say nothing.
    pub language_rooms: Vec<String>,
}

/// Signing in as a match server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerLogin {
    /// The room that it wants to be, an id of its own choice.
    pub room: String,
    /// The host's account.
    pub account: String,
    /// The host's cookie.
    pub cookie: Cookie,
    /// Of the program.
    pub version: String,
    /// What players need to have.
    pub mods: Vec<Mod>,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    missing_docs,
    reason = "each is the message of its name, with its members"
)]
pub enum Request {
    ClientRegister {
        name: String,
    },
    ClientLogin(ClientLogin),
    ServerLogin(Box<ServerLogin>),
    ClientProxyLogin {
        account: String,
        cookie: Cookie,
        room: String,
    },
    ServerProxyLogin {
        room: String,
        guest: String,
        cookie: Cookie,
    },
    SendChatMessage {
        kind: ChannelType,
        channel: String,
        text: String,
    },
    ChatHistory {
        kind: ChannelType,
        channel: String,
    },
    ActivateGameRoom {
        host: String,
        kind: RoomType,
        limit: Option<u32>,
    },
    JoinGameRoom {
        room: String,
    },
    SendInvite {
        account: String,
    },
    ChangeRoomDescription {
        description: String,
    },
    GameStarted,
    LeaveGameRoom {
        account: String,
    },
}

/// Who may say something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::vcmi_json) enum Speaker {
    Stranger,
    Account,
    MatchServer,
}

impl Request {
    /// Who may say it (spec: vcmi-lobby2 4.1, 4.2).
    pub(in crate::vcmi_json) fn speaker(&self) -> Speaker {
        match self {
            Request::ClientRegister { .. }
            | Request::ClientLogin(_)
            | Request::ServerLogin(_)
            | Request::ClientProxyLogin { .. }
            | Request::ServerProxyLogin { .. } => Speaker::Stranger,
            Request::SendChatMessage { .. }
            | Request::ChatHistory { .. }
            | Request::ActivateGameRoom { .. }
            | Request::JoinGameRoom { .. }
            | Request::SendInvite { .. } => Speaker::Account,
            Request::ChangeRoomDescription { .. }
            | Request::GameStarted
            | Request::LeaveGameRoom { .. } => Speaker::MatchServer,
        }
    }
}

/// The message that a frame's payload is; `None` if it is none that a client or match server may send at all.
pub(in crate::vcmi_json) fn parse(payload: &[u8]) -> Option<Request> {
    let mut members = Members::of(reader::read(payload)?)?;
    let kind = members.text("type")?;
    let request = members.request(&kind)?;
    members.is_empty().then_some(request)
}

/// Members that nobody has taken yet. One that is null is not there.
struct Members(Vec<(String, Value)>);

impl Members {
    fn of(value: Value) -> Option<Self> {
        let Value::Object(mut members) = value else {
            return None;
        };
        members.retain(|(_, value)| *value != Value::Null);
        Some(Members(members))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(at).1)
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.take(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn cookie(&mut self) -> Option<Cookie> {
        self.text("accountCookie").map(Cookie)
    }

    /// A list that may be left out, of what `read` makes of each item.
    fn list<T>(&mut self, name: &str, read: impl FnMut(Value) -> Option<T>) -> Option<Vec<T>> {
        match self.take(name) {
            None => Some(Vec::new()),
            Some(Value::List(items)) => items.into_iter().map(read).collect(),
            Some(_) => None,
        }
    }

    fn request(&mut self, kind: &str) -> Option<Request> {
        Some(match kind {
            "clientRegister" => {
                // Not looked at, but they have to be there (spec: vcmi-lobby2 5.1).
                let (_, _) = (self.text("language")?, self.text("version")?);
                Request::ClientRegister {
                    name: self.text("displayName")?,
                }
            }
            "clientLogin" => {
                let _ = self.text("version")?;
                Request::ClientLogin(ClientLogin {
                    account: self.text("accountID")?,
                    cookie: self.cookie()?,
                    language: self.text("language")?,
                    language_rooms: self.list("languageRooms", text_of)?,
                })
            }
            "serverLogin" => Request::ServerLogin(Box::new(ServerLogin {
                room: self.text("gameRoomID")?,
                account: self.text("accountID")?,
                cookie: self.cookie()?,
                version: self.text("version")?,
                mods: self.list("mods", mod_of)?,
            })),
            "clientProxyLogin" => Request::ClientProxyLogin {
                account: self.text("accountID")?,
                cookie: self.cookie()?,
                room: self.text("gameRoomID")?,
            },
            "serverProxyLogin" => Request::ServerProxyLogin {
                room: self.text("gameRoomID")?,
                guest: self.text("guestAccountID")?,
                cookie: self.cookie()?,
            },
            "sendChatMessage" => Request::SendChatMessage {
                kind: self.channel_type()?,
                channel: self.text("channelName")?,
                text: self.text("messageText")?,
            },
            "requestChatHistory" => Request::ChatHistory {
                kind: self.channel_type()?,
                channel: self.text("channelName")?,
            },
            "activateGameRoom" => Request::ActivateGameRoom {
                host: self.text("hostAccountID")?,
                kind: self.room_type()?,
                limit: self.player_limit()?,
            },
            "joinGameRoom" => Request::JoinGameRoom {
                room: self.text("gameRoomID")?,
            },
            "sendInvite" => Request::SendInvite {
                account: self.text("accountID")?,
            },
            "changeRoomDescription" => Request::ChangeRoomDescription {
                description: self.text("description")?,
            },
            "gameStarted" => Request::GameStarted,
            "leaveGameRoom" => Request::LeaveGameRoom {
                account: self.text("accountID")?,
            },
            _ => return None,
        })
    }

    fn channel_type(&mut self) -> Option<ChannelType> {
        ChannelType::named(&self.text("channelType")?)
    }

    fn room_type(&mut self) -> Option<RoomType> {
        match self.text("roomType")?.as_str() {
            "public" => Some(RoomType::Public),
            "private" => Some(RoomType::Private),
            _ => None,
        }
    }

    /// Any number from 1 to 8, if it is there; what is behind its point is cut off.
    fn player_limit(&mut self) -> Option<Option<u32>> {
        match self.take("playerLimit") {
            None => Some(None),
            Some(Value::Number(limit)) if (1.0..=8.0).contains(&limit) => Some(Some(limit as u32)),
            Some(_) => None,
        }
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn mod_of(value: Value) -> Option<Mod> {
    let mut members = Members::of(value)?;
    let parent = match members.take("parent") {
        None => None,
        Some(value) => Some(text_of(value)?),
    };
    let one = Mod {
        id: members.text("modId")?,
        name: members.text("name")?,
        version: members.text("version")?,
        parent,
    };
    members.is_empty().then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = r#""type":"clientLogin","accountID":"a","accountCookie":"c","language":"polish","version":"1.5.0""#;

    /// checklist: vcmi-json 11, 12, 13
    #[test]
    fn members_are_those_of_the_type_and_no_others() {
        let login = |more: &str| parse(format!("{{{LOGIN}{more}}}").as_bytes());
        let expected = ClientLogin {
            account: "a".into(),
            cookie: Cookie("c".into()),
            language: "polish".into(),
            language_rooms: Vec::new(),
        };
        assert_eq!(login(""), Some(Request::ClientLogin(expected.clone())));
        assert_eq!(
            login(r#","languageRooms":null"#),
            login(""),
            "null is not there"
        );
        let rooms = ClientLogin {
            language_rooms: vec!["x".into(), "y".into()],
            ..expected
        };
        assert_eq!(
            login(r#","languageRooms":["x","y"]"#),
            Some(Request::ClientLogin(rooms))
        );
        assert_eq!(login(r#","languageRooms":["x",1]"#), None);
        assert_eq!(login(r#","more":1"#), None);
        assert!(login(r#","more":null"#).is_some());
        assert_eq!(parse(br#"{"type":"clientLogin"}"#), None);
        assert_eq!(
            parse(br#"{"type":"accountCreated","accountID":"a","accountCookie":"c"}"#),
            None
        );
        assert_eq!(parse(b"[]"), None);
    }

    /// checklist: vcmi-json 12
    #[test]
    fn values_are_within_their_bounds() {
        let open = |limit: &str| {
            let text = format!(
                r#"{{"type":"activateGameRoom","hostAccountID":"h","roomType":"public"{limit}}}"#
            );
            match parse(text.as_bytes()) {
                Some(Request::ActivateGameRoom { limit, .. }) => Some(limit),
                _ => None,
            }
        };
        assert_eq!(open(""), Some(None));
        assert_eq!(open(r#","playerLimit":8"#), Some(Some(8)));
        for wrong in ["0", "9", "-1", "\"2\"", "1e9"] {
            assert_eq!(open(&format!(r#","playerLimit":{wrong}"#)), None, "{wrong}");
        }
        let chat = |kind: &str| {
            let text = format!(
                r#"{{"type":"requestChatHistory","channelType":"{kind}","channelName":"x"}}"#
            );
            parse(text.as_bytes()).is_some()
        };
        assert!(chat("global") && chat("match") && chat("player") && !chat("team"));
    }

    /// checklist: vcmi-json 14
    #[test]
    fn mods_are_whole() {
        let server = |mods: &str| {
            let text = format!(
                r#"{{"type":"serverLogin","gameRoomID":"r","accountID":"a","accountCookie":"c","version":"1","mods":{mods}}}"#
            );
            match parse(text.as_bytes()) {
                Some(Request::ServerLogin(login)) => Some(login.mods),
                _ => None,
            }
        };
        let wog = |parent: Option<&str>| Mod {
            id: "wog".into(),
            name: "W".into(),
            version: "1".into(),
            parent: parent.map(str::to_owned),
        };
        assert_eq!(server("null"), Some(Vec::new()));
        assert_eq!(
            server(r#"[{"modId":"wog","name":"W","version":"1"}]"#),
            Some(vec![wog(None)])
        );
        assert_eq!(
            server(r#"[{"modId":"wog","name":"W","version":"1","parent":"p"}]"#),
            Some(vec![wog(Some("p"))])
        );
        for wrong in [
            r#"[{"modId":"x"}]"#,
            r#"[{"modId":"wog","name":"W","version":"1","x":1}]"#,
            r#"[{"modId":"wog","name":"W","version":"1","parent":1}]"#,
            r#"[1]"#,
            r#"{}"#,
        ] {
            assert_eq!(server(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_cookie_is_never_shown() {
        let text = format!("{:?}", parse(format!("{{{LOGIN}}}").as_bytes()));
        assert!(text.contains("Cookie(…)"), "{text}");
    }
}
