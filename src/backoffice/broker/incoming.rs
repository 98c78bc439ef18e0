//! What other services say through the broker, understood (spec: faf-lifecycle 12.3, 12.4).

use bytes::Bytes;
use lapin::types::{AMQPValue, FieldTable};

use wire::json::JsonReader;

/// A message to clients is at most this long; one line of text has to leave for everybody at once.
const NOTIFY_BYTES: usize = 1 << 20;
/// The message about an avatar holds two numbers.
const AVATAR_BYTES: usize = 4096;

/// Something another service said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Tell a player, or everybody who is logged in.
    Notify {
        /// Player; `None`: everybody.
        to: Option<u32>,
        /// In the form of all messages to clients: JSON in ASCII, one line.
        body: Bytes,
    },
    /// A player's avatar was changed in the database.
    Avatar {
        /// Account id of the player it is about.
        player_id: u32,
    },
}

/// Why a message is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not JSON, no object, or a field of the wrong kind.
    #[error("the body is not what it should be")]
    Body,
    /// The header `user-id` is no player's number.
    #[error("the header user-id is no integer")]
    UserId,
    /// A channel, which nobody serves.
    #[error("messages to channels are not served")]
    Channel,
    /// Longer than anything sensible.
    #[error("the body is too long")]
    TooLong,
}

/// A message for clients: the header says to whom, the body is passed on as it is.
pub(super) fn notification(
    headers: Option<&FieldTable>,
    mut body: Vec<u8>,
    reader: &mut JsonReader,
) -> Result<Incoming, ParseError> {
    let header = |name: &str| headers.and_then(|table| table.inner().get(name));
    let to = match (header("user-id"), header("channel")) {
        (Some(value), _) => {
            Some(player_id(integer(value).ok_or(ParseError::UserId)?).ok_or(ParseError::UserId)?)
        }
        (None, Some(_)) => return Err(ParseError::Channel),
        (None, None) => None,
    };
    if body.len() > NOTIFY_BYTES {
        return Err(ParseError::TooLong);
    }
    let doc = reader.parse(&mut body).map_err(|_| ParseError::Body)?;
    let root = doc.root();
    if !root.is_object() {
        return Err(ParseError::Body);
    }
    let mut line = Vec::new();
    root.write(&mut line);
    Ok(Incoming::Notify {
        to,
        body: line.into(),
    })
}

/// A changed avatar: `{"player_id":INT,"avatar_id":INT|null}`. Which one it is now says the database.
pub(super) fn avatar(
    _: Option<&FieldTable>,
    mut body: Vec<u8>,
    reader: &mut JsonReader,
) -> Result<Incoming, ParseError> {
    if body.len() > AVATAR_BYTES {
        return Err(ParseError::TooLong);
    }
    let doc = reader.parse(&mut body).map_err(|_| ParseError::Body)?;
    let root = doc.root();
    let avatar = root.get("avatar_id").ok_or(ParseError::Body)?;
    if !avatar.is_null() && avatar.as_i64().is_none() {
        return Err(ParseError::Body);
    }
    let id = root.get("player_id").and_then(|value| value.as_i64());
    let player_id = id.and_then(player_id).ok_or(ParseError::Body)?;
    Ok(Incoming::Avatar { player_id })
}

fn player_id(number: i64) -> Option<u32> {
    u32::try_from(number).ok()
}

/// AMQP has an integer type for each width. A truth value is none of them.
fn integer(value: &AMQPValue) -> Option<i64> {
    match *value {
        AMQPValue::ShortShortInt(number) => Some(number.into()),
        AMQPValue::ShortShortUInt(number) => Some(number.into()),
        AMQPValue::ShortInt(number) => Some(number.into()),
        AMQPValue::ShortUInt(number) => Some(number.into()),
        AMQPValue::LongInt(number) => Some(number.into()),
        AMQPValue::LongUInt(number) => Some(number.into()),
        AMQPValue::LongLongInt(number) => Some(number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, AMQPValue)]) -> FieldTable {
        let mut table = FieldTable::default();
        for (name, value) in pairs {
            table.insert((*name).into(), value.clone());
        }
        table
    }

    fn notify(pairs: &[(&str, AMQPValue)], body: &str) -> Result<Incoming, ParseError> {
        let table = headers(pairs);
        notification(Some(&table), body.into(), &mut JsonReader::default())
    }

    // checklist: faf 503 504
    #[test]
    fn a_notification_is_for_one_or_for_all_and_comes_out_as_one_ascii_line() {
        let body = "{\n \"b\": 1.50, \"a\": \"é\\n\"\n}";
        let line = Bytes::from_static(br#"{"b":1.5,"a":"\u00e9\n"}"#);
        let expected = |to| {
            Ok(Incoming::Notify {
                to,
                body: line.clone(),
            })
        };
        assert_eq!(notify(&[], body), expected(None));
        for id in [
            AMQPValue::ShortShortInt(7),
            AMQPValue::LongInt(7),
            AMQPValue::LongUInt(7),
            AMQPValue::LongLongInt(7),
        ] {
            assert_eq!(notify(&[("user-id", id)], body), expected(Some(7)));
        }
        let plain = notification(None, body.into(), &mut JsonReader::default());
        assert_eq!(plain, expected(None));
    }

    // checklist: faf 505 506
    #[test]
    fn what_makes_no_sense_is_dropped() {
        for id in [
            AMQPValue::LongString("7".into()),
            AMQPValue::Boolean(true),
            AMQPValue::Double(7.0),
            AMQPValue::LongLongInt(-1),
        ] {
            assert_eq!(notify(&[("user-id", id)], "{}"), Err(ParseError::UserId));
        }
        let channel = ("channel", AMQPValue::LongString("#aeolus".into()));
        assert_eq!(notify(&[channel], "{}"), Err(ParseError::Channel));
        for body in ["", "[]", "7", "\"x\"", "null", "{", "{}{}"] {
            assert_eq!(notify(&[], body), Err(ParseError::Body), "{body}");
        }
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(NOTIFY_BYTES));
        assert_eq!(notify(&[], &long), Err(ParseError::TooLong));
    }

    // checklist: faf 263
    #[test]
    fn avatars_are_numbers_or_nothing() {
        let mut reader = JsonReader::default();
        let mut incoming = |body: &str| avatar(None, body.into(), &mut reader);
        let seven = Ok(Incoming::Avatar { player_id: 7 });
        assert_eq!(incoming(r#"{"player_id":7,"avatar_id":3}"#), seven);
        assert_eq!(incoming(r#"{"player_id":7,"avatar_id":null}"#), seven);
        for body in [
            r#"{"player_id":true,"avatar_id":3}"#,
            r#"{"player_id":7,"avatar_id":true}"#,
            r#"{"player_id":7,"avatar_id":"3"}"#,
            r#"{"player_id":"7","avatar_id":3}"#,
            r#"{"player_id":-7,"avatar_id":3}"#,
            r#"{"avatar_id":3}"#,
            r#"{"player_id":7}"#,
            "[7,3]",
            "",
        ] {
            assert_eq!(incoming(body), Err(ParseError::Body), "{body}");
        }
    }
}
