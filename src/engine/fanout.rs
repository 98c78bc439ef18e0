//! Broadcasts of one flush: gathered in order, encoded once per format, and for all ordinary receivers one buffer.
//!
//! Nearly everybody gets the same messages in the same order. Those are joined into one buffer per format and sent as
//! it is. Only connections that some broadcast names (left out, or alone meant) are put together one by one.

use ahash::AHashMap;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    lobby::{Audience, Circle, ConnId},
    wire::Format,
};

const FORMATS: usize = Format::ALL.len();

/// The circles that a connection is in, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Circles(u32);

impl Circles {
    pub(super) fn none(self) -> bool {
        self.0 == 0
    }

    pub(super) fn with(self, circle: Circle) -> Self {
        Circles(self.0 | Self::bit(circle))
    }

    pub(super) fn without(self, circle: Circle) -> Self {
        Circles(self.0 & !Self::bit(circle))
    }

    fn bit(circle: Circle) -> u32 {
        debug_assert!(circle.0 < 32, "more circles than bits");
        1 << (circle.0 & 31)
    }

    /// Whether an audience that is a circle takes in a connection of these. Whom it names is not looked at.
    fn hear(self, audience: &Audience) -> bool {
        let circle = match audience {
            Audience::Subscribers | Audience::SubscribersBut(_) => Circle::SUBSCRIBERS,
            Audience::Circle(circle) => *circle,
            Audience::These(_) => return false,
        };
        self.0 & Self::bit(circle) != 0
    }
}

/// The broadcasts of a batch for all ordinary connections of one format in the same circles.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) format: Format,
    pub(super) circles: Circles,
    pub(super) bytes: Bytes,
    pub(super) messages: u64,
}

/// One broadcast, and its encoding per format once somebody needs it.
#[derive(Debug)]
struct Item {
    audience: Audience,
    body: Bytes,
    encoded: [Option<Bytes>; FORMATS],
}

/// The broadcasts since the last flush.
#[derive(Debug, Default)]
pub(super) struct Batch {
    items: Vec<Item>,
    /// Per connection that an audience names: the items that do.
    named: AHashMap<ConnId, SmallVec<[u32; 4]>>,
}

impl Batch {
    /// How many broadcasts there are.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Adds a broadcast behind the others. Returns the connections its audience names.
    pub(super) fn push(&mut self, audience: Audience, body: Bytes) {
        let index = self.items.len() as u32;
        if let Audience::SubscribersBut(conns) | Audience::These(conns) = &audience {
            for &conn in conns.iter() {
                self.named.entry(conn).or_default().push(index);
            }
        }
        self.items.push(Item {
            audience,
            body,
            encoded: Default::default(),
        });
    }

    /// The connections that some audience names.
    pub(super) fn named(&self) -> impl Iterator<Item = ConnId> + '_ {
        self.named.keys().copied()
    }

    /// Whether some audience names this connection.
    pub(super) fn names(&self, conn: ConnId) -> bool {
        !self.named.is_empty() && self.named.contains_key(&conn)
    }

    /// Hands `take` the broadcasts from number `from` on that are for `conn`, which is in these circles, encoded for its
    /// format, in order.
    pub(super) fn each_for(
        &mut self,
        conn: ConnId,
        format: Format,
        circles: Circles,
        from: usize,
        mut take: impl FnMut(&Bytes),
    ) {
        let named = self.named.get(&conn);
        for (index, item) in self.items.iter_mut().enumerate().skip(from) {
            let is_named = named.is_some_and(|items| items.contains(&(index as u32)));
            let receives = match item.audience {
                Audience::SubscribersBut(_) => circles.hear(&item.audience) && !is_named,
                Audience::These(_) => is_named,
                _ => circles.hear(&item.audience),
            };
            if receives {
                take(item.encoded(format));
            }
        }
    }

    /// What everybody in just these circles that no audience names gets, in one piece, and how many messages that is.
    pub(super) fn common(&self, format: Format, circles: Circles) -> Common {
        let mut items = self
            .items
            .iter()
            .filter(|item| circles.hear(&item.audience));
        let mut out = Vec::new();
        let mut messages = 0;
        for item in &mut items {
            messages += 1;
            match &item.encoded[format.index()] {
                Some(encoded) => out.extend_from_slice(encoded),
                None => format.encode(&item.body, &mut out),
            }
        }
        Common {
            format,
            circles,
            bytes: out.into(),
            messages,
        }
    }

    /// Starts the next batch.
    pub(super) fn clear(&mut self) {
        self.items.clear();
        self.named.clear();
    }
}

impl Item {
    fn encoded(&mut self, format: Format) -> &Bytes {
        self.encoded[format.index()].get_or_insert_with(|| {
            let mut out = Vec::with_capacity(self.body.len() + 16);
            format.encode(&self.body, &mut out);
            out.into()
        })
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::lobby::ShardId;

    fn conn(slot: u32) -> ConnId {
        ConnId {
            shard: ShardId(0),
            slot,
            generation: 0,
        }
    }

    fn heard(batch: &mut Batch, who: u32, circles: Circles, from: usize) -> String {
        let mut out = Vec::new();
        batch.each_for(conn(who), Format::JsonLines, circles, from, |b| {
            out.extend_from_slice(b)
        });
        String::from_utf8(out)
            .expect("ASCII")
            .replace('\n', " ")
            .trim()
            .to_owned()
    }

    #[test]
    fn everyone_gets_his_own_messages_in_order() {
        let mut batch = Batch::default();
        batch.push(Audience::Subscribers, Bytes::from_static(b"all1"));
        batch.push(
            Audience::SubscribersBut(Rc::new([conn(1)])),
            Bytes::from_static(b"not1"),
        );
        batch.push(
            Audience::These(Rc::new([conn(1), conn(2)])),
            Bytes::from_static(b"just12"),
        );
        batch.push(Audience::Circle(Circle(9)), Bytes::from_static(b"nine"));
        batch.push(Audience::Subscribers, Bytes::from_static(b"all2"));
        let none = Circles::default();
        let subscribed = none.with(Circle::SUBSCRIBERS);
        let both = subscribed.with(Circle(9));
        assert_eq!(heard(&mut batch, 1, subscribed, 0), "all1 just12 all2");
        assert_eq!(heard(&mut batch, 1, both, 0), "all1 just12 nine all2");
        assert_eq!(heard(&mut batch, 2, none, 0), "just12");
        assert_eq!(heard(&mut batch, 2, subscribed, 1), "not1 just12 all2");
        assert_eq!(heard(&mut batch, 3, subscribed, 0), "all1 not1 all2");
        assert_eq!(
            heard(&mut batch, 3, both.without(Circle::SUBSCRIBERS), 0),
            "nine"
        );
        for (circles, text, messages) in [
            (subscribed, &b"all1\nnot1\nall2\n"[..], 3),
            (both, b"all1\nnot1\nnine\nall2\n", 4),
            (none, b"", 0),
        ] {
            let common = batch.common(Format::JsonLines, circles);
            assert_eq!((&common.bytes[..], common.messages), (text, messages));
        }
        assert!(batch.names(conn(1)) && !batch.names(conn(3)));
    }
}
