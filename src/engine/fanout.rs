//! Broadcasts of one flush: gathered in order, encoded once per format, and for all ordinary receivers one buffer.
//!
//! Nearly everybody gets the same messages in the same order. Those are joined into one buffer per format and sent as
//! it is. Only connections that some broadcast names (left out, or alone meant) are put together one by one.

use ahash::AHashMap;
use bytes::Bytes;
use smallvec::SmallVec;

use crate::{
    lobby::{Audience, ConnId},
    wire::Format,
};

const FORMATS: usize = Format::ALL.len();

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

    /// Hands `take` the broadcasts from number `from` on that are for `conn`, encoded for its format, in order.
    pub(super) fn each_for(
        &mut self,
        conn: ConnId,
        format: Format,
        subscribed: bool,
        from: usize,
        mut take: impl FnMut(&Bytes),
    ) {
        let named = self.named.get(&conn);
        for (index, item) in self.items.iter_mut().enumerate().skip(from) {
            let is_named = named.is_some_and(|items| items.contains(&(index as u32)));
            let receives = match item.audience {
                Audience::Subscribers => subscribed,
                Audience::SubscribersBut(_) => subscribed && !is_named,
                Audience::These(_) => is_named,
            };
            if receives {
                take(item.encoded(format));
            }
        }
    }

    /// What every subscriber that no audience names gets, in one piece, and how many messages that is.
    pub(super) fn common(&self, format: Format) -> (Bytes, u64) {
        let mut items = self
            .items
            .iter()
            .filter(|item| !matches!(item.audience, Audience::These(_)));
        let mut out = Vec::new();
        let mut messages = 0;
        for item in &mut items {
            messages += 1;
            match &item.encoded[format.index()] {
                Some(encoded) => out.extend_from_slice(encoded),
                None => format.encode(&item.body, &mut out),
            }
        }
        (out.into(), messages)
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

    fn heard(batch: &mut Batch, who: u32, subscribed: bool, from: usize) -> String {
        let mut out = Vec::new();
        batch.each_for(conn(who), Format::JsonLines, subscribed, from, |b| {
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
        batch.push(Audience::Subscribers, Bytes::from_static(b"all2"));
        assert_eq!(heard(&mut batch, 1, true, 0), "all1 just12 all2");
        assert_eq!(heard(&mut batch, 2, false, 0), "just12");
        assert_eq!(heard(&mut batch, 2, true, 1), "not1 just12 all2");
        assert_eq!(heard(&mut batch, 3, true, 0), "all1 not1 all2");
        let (common, messages) = batch.common(Format::JsonLines);
        assert_eq!((&common[..], messages), (&b"all1\nnot1\nall2\n"[..], 3));
        assert!(batch.names(conn(1)) && !batch.names(conn(3)));
    }
}
