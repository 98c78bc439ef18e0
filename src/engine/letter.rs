//! The form of what shards of different nodes say to each other: a head of a few bytes, and a body that only the end reads.
//!
//! | kind | head after it | body |
//! |---|---|---|
//! | 1, mail | its shard u8, to all u8 (0 or 1), to shard u8 | the dialect's, MessagePack with field names |
//! | 2, deliver | to shard u8, slot u32, generation u32 | a message for that connection |
//! | 3, close | to shard u8, slot u32, generation u32, how u8 (0 flushed, 1 at once) | none |
//!
//! Numbers are little-endian. Which node a letter is from, and to, its envelope says. Bytes from outside are input: whatever they
//! are, reading them ends in a letter or in none.

use bytes::{Buf, Bytes};
use serde::{Serialize, de::DeserializeOwned};

use lobby::{Closing, ConnId, ShardId};

const MAIL: u8 = 1;
const DELIVER: u8 = 2;
const CLOSE: u8 = 3;

/// A letter that has come, its body unread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Letter {
    /// To the dialect on one shard, or on all.
    Mail {
        from: ShardId,
        to: Option<ShardId>,
        body: Bytes,
    },
    /// A message for a connection.
    Deliver { conn: ConnId, body: Bytes },
    /// The end of a connection.
    Close { conn: ConnId, how: Closing },
}

/// Mail as a letter. None: it can't be written.
pub(super) fn mail(from: ShardId, to: Option<ShardId>, mail: &impl Serialize) -> Option<Vec<u8>> {
    let all = u8::from(to.is_none());
    let local = to.map_or(0, |to| to.local() as u8);
    let mut letter = vec![MAIL, from.local() as u8, all, local];
    rmp_serde::encode::write_named(&mut letter, mail).ok()?;
    Some(letter)
}

/// What [`mail`] has written behind its head.
pub(super) fn read_mail<M: DeserializeOwned>(body: &[u8]) -> Option<M> {
    wire::messagepack::from_slice(body).ok()
}

/// A message for a connection as a letter.
pub(super) fn deliver(conn: ConnId, body: &[u8]) -> Vec<u8> {
    let mut letter = about(DELIVER, conn, body.len());
    letter.extend_from_slice(body);
    letter
}

/// The end of a connection as a letter.
pub(super) fn close(conn: ConnId, how: Closing) -> Vec<u8> {
    let mut letter = about(CLOSE, conn, 1);
    letter.push(match how {
        Closing::Flushed => 0,
        Closing::Abort => 1,
    });
    letter
}

fn about(kind: u8, conn: ConnId, more: usize) -> Vec<u8> {
    let mut letter = Vec::with_capacity(10 + more);
    letter.extend([kind, conn.shard.local() as u8]);
    letter.extend(conn.slot.to_le_bytes());
    letter.extend(conn.generation.to_le_bytes());
    letter
}

/// Reads a letter that node `from` has sent to node `to`. None: it is of no kind that is known here.
pub(super) fn read(from: u8, to: u8, mut letter: Bytes) -> Option<Letter> {
    let kind = letter.try_get_u8().ok()?;
    if kind == MAIL {
        let by = letter.try_get_u8().ok()?;
        let (all, local) = (letter.try_get_u8().ok()?, letter.try_get_u8().ok()?);
        let shard = ShardId::new(to, local);
        return Some(Letter::Mail {
            from: ShardId::new(from, by),
            to: (all == 0).then_some(shard),
            body: letter,
        });
    }
    let conn = ConnId {
        shard: ShardId::new(to, letter.try_get_u8().ok()?),
        slot: letter.try_get_u32_le().ok()?,
        generation: letter.try_get_u32_le().ok()?,
    };
    match kind {
        DELIVER => Some(Letter::Deliver { conn, body: letter }),
        CLOSE => {
            let how = match letter.try_get_u8().ok()? {
                0 => Closing::Flushed,
                1 => Closing::Abort,
                _ => return None,
            };
            Some(Letter::Close { conn, how })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONN: ConnId = ConnId {
        shard: ShardId::new(5, 200),
        slot: 70_000,
        generation: 0xABCD_0001,
    };

    #[test]
    fn what_is_written_is_read() {
        let from = ShardId::new(3, 255);
        for to in [None, Some(ShardId::new(5, 0)), Some(ShardId::new(5, 255))] {
            let said = ("some mail".to_owned(), 7_u32);
            let letter = mail(from, to, &said).unwrap();
            let read = read(3, 5, letter.into()).unwrap();
            let Letter::Mail {
                from: by,
                to: for_whom,
                body,
            } = read
            else {
                panic!("{read:?}");
            };
            assert_eq!((by, for_whom), (from, to));
            assert_eq!(read_mail::<(String, u32)>(&body), Some(said));
        }
        let body = Bytes::from_static(b"hello");
        let letter = deliver(CONN, &body);
        let expected = Letter::Deliver { conn: CONN, body };
        assert_eq!(read(3, 5, letter.into()), Some(expected));
        for how in [Closing::Flushed, Closing::Abort] {
            let expected = Letter::Close { conn: CONN, how };
            assert_eq!(read(3, 5, close(CONN, how).into()), Some(expected));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(bytes: Vec<u8>, kind in 0_u8..5) {
            let read = read(1, 2, bytes.clone().into());
            if let Some(Letter::Mail { body, .. }) = read {
                let _ = read_mail::<Vec<(String, u64)>>(&body);
            }
            let known = [&[kind], &bytes[..]].concat();
            let _ = self::read(1, 2, known.into());
        }
    }
}
