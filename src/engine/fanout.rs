//! Broadcasts of one flush: gathered in order, encoded once per format, and for all ordinary receivers one buffer.
//!
//! Nearly everybody in a topic gets the same messages in the same order. Those are joined into one buffer per format and
//! sent as it is. Only connections that some broadcast names, to leave them out or to mean just them, are put together
//! one by one. What a batch costs grows with its messages and with those who get one, not with who else is connected.

use ahash::AHashMap;
use bytes::Bytes;
use smallvec::SmallVec;

use super::{
    table::Fanned,
    topics::{Memberships, Topics},
};
use lobby::{Audience, ConnId, Topic};
use wire::Format;

const FORMATS: usize = Format::ALL.len();

/// The topics of a batch that a connection is in, by their number in the batch, ascending.
pub(super) type Ordinals = SmallVec<[u32; 4]>;

/// The broadcasts of a batch for all ordinary connections of one format in the same topics.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) bytes: Bytes,
    pub(super) messages: u64,
}

/// One broadcast, and its encoding per format once somebody needs it.
#[derive(Debug)]
struct Item {
    body: Bytes,
    encoded: [Option<Bytes>; FORMATS],
}

/// A topic that has something in the batch.
#[derive(Debug)]
struct Topical {
    index: u32,
    /// Its items, ascending.
    items: Vec<u32>,
}

/// That an audience names a connection.
#[derive(Clone, Copy, Debug)]
struct Mention {
    item: u32,
    /// It gets the item; otherwise it is left out.
    gets: bool,
}

/// The broadcasts since the last flush.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// Grows with every batch.
    number: u64,
    items: Vec<Item>,
    topics: Vec<Topical>,
    /// Per connection that an audience names: where, in order.
    named: AHashMap<ConnId, SmallVec<[Mention; 2]>>,
    /// Which items a connection gets; empty between calls.
    chosen: Vec<u32>,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Tells this batch from those before and after it.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Where it ends now.
    pub(super) fn here(&self) -> Fanned {
        Fanned {
            batch: self.number,
            upto: self.items.len() as u32,
        }
    }

    /// Adds a broadcast behind the others; one to a topic without members here is left out.
    pub(super) fn push(&mut self, audience: Audience, body: Bytes, topics: &mut Topics) {
        let item = self.items.len() as u32;
        let (topic, named, gets) = match audience {
            Audience::Subscribers => (Some(Topic::SUBSCRIBERS), None, false),
            Audience::Topic(topic) => (Some(topic), None, false),
            Audience::SubscribersBut(out) => (Some(Topic::SUBSCRIBERS), Some(out), false),
            Audience::TopicBut(topic, out) => (Some(topic), Some(out), false),
            Audience::Connections(conns) => (None, Some(conns), true),
        };
        if let Some(topic) = topic {
            let Some(index) = topics.index(topic) else {
                return;
            };
            let (ordinal, first) = topics.put_into_batch(index, self.topics.len() as u32);
            if first {
                self.topics.push(Topical {
                    index,
                    items: Vec::new(),
                });
            }
            self.topics[ordinal as usize].items.push(item);
        }
        for &conn in named.iter().flat_map(|named| named.iter()) {
            let mentions = self.named.entry(conn).or_default();
            if mentions.last().is_none_or(|last| last.item != item) {
                mentions.push(Mention { item, gets });
            }
        }
        self.items.push(Item {
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

    /// How many topics have something in it: their ordinals are below this.
    pub(super) fn topics(&self) -> usize {
        self.topics.len()
    }

    /// The index of the topic with this ordinal.
    pub(super) fn topic(&self, ordinal: usize) -> u32 {
        self.topics[ordinal].index
    }

    /// Hands `take` the broadcasts from number `from` on that are for `conn`, which has these memberships, encoded for its
    /// format, in order.
    pub(super) fn each_for(
        &mut self,
        conn: ConnId,
        format: Format,
        (topics, memberships): (&Topics, &Memberships),
        from: usize,
        mut take: impl FnMut(&Bytes),
    ) {
        let mut chosen = std::mem::take(&mut self.chosen);
        self.choose(&topics.in_batch(memberships), from, &mut chosen);
        if let Some(mentions) = self.named.get(&conn) {
            let mentions = &mentions[mentions.partition_point(|one| (one.item as usize) < from)..];
            chosen.retain(|item| {
                mentions
                    .binary_search_by_key(item, |mention| mention.item)
                    .is_err()
            });
            let gets = mentions.iter().filter(|mention| mention.gets);
            chosen.extend(gets.map(|mention| mention.item));
            chosen.sort_unstable();
        }
        for item in chosen.drain(..) {
            take(self.items[item as usize].encoded(format));
        }
        self.chosen = chosen;
    }

    /// The items from number `from` on of these topics, in order.
    fn choose(&self, ordinals: &[u32], from: usize, chosen: &mut Vec<u32>) {
        for &ordinal in ordinals {
            let items = &self.topics[ordinal as usize].items;
            let first = items.partition_point(|&item| (item as usize) < from);
            chosen.extend_from_slice(&items[first..]);
        }
        if ordinals.len() > 1 {
            chosen.sort_unstable();
        }
    }

    /// What everybody in just these topics that no audience names gets, in one piece, and how many messages that is.
    pub(super) fn common(&mut self, format: Format, ordinals: &[u32]) -> Common {
        let mut chosen = std::mem::take(&mut self.chosen);
        self.choose(ordinals, 0, &mut chosen);
        let messages = chosen.len() as u64;
        let bytes = match chosen[..] {
            // Often there is just one, and several sets of topics have it.
            [item] => self.items[item as usize].encoded(format).clone(),
            _ => {
                let mut out = Vec::new();
                for &item in &chosen {
                    let item = &self.items[item as usize];
                    match &item.encoded[format.index()] {
                        Some(encoded) => out.extend_from_slice(encoded),
                        None => format.encode(&item.body, &mut out),
                    }
                }
                out.into()
            }
        };
        chosen.clear();
        self.chosen = chosen;
        Common { bytes, messages }
    }

    /// Starts the next batch.
    pub(super) fn clear(&mut self, topics: &mut Topics) {
        for topical in self.topics.drain(..) {
            topics.take_from_batch(topical.index);
        }
        self.items.clear();
        self.named.clear();
        self.number += 1;
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
    use lobby::ShardId;

    fn conn(slot: u32) -> ConnId {
        ConnId {
            shard: ShardId::new(0, 0),
            slot,
            generation: 0,
        }
    }

    fn heard(
        batch: &mut Batch,
        topics: &Topics,
        who: u32,
        memberships: &Memberships,
        from: usize,
    ) -> String {
        let mut out = Vec::new();
        let of = (topics, memberships);
        batch.each_for(conn(who), Format::JsonLines, of, from, |bytes| {
            out.extend_from_slice(bytes);
        });
        String::from_utf8(out)
            .expect("ASCII")
            .replace('\n', " ")
            .trim()
            .to_owned()
    }

    #[test]
    fn everyone_gets_his_own_messages_in_order() {
        let (mut batch, mut topics) = (Batch::default(), Topics::default());
        let none = Memberships::new();
        let [mut subscribed, mut both, mut nine] = [none.clone(), none.clone(), none.clone()];
        topics.enter(Topic::SUBSCRIBERS, 1, &mut subscribed);
        topics.enter(Topic(9), 2, &mut both);
        topics.enter(Topic::SUBSCRIBERS, 2, &mut both);
        topics.enter(Topic(9), 3, &mut nine);
        let mut push = |audience, body: &'static str| {
            batch.push(audience, Bytes::from_static(body.as_bytes()), &mut topics);
        };
        push(Audience::Subscribers, "all1");
        push(Audience::SubscribersBut(Rc::new([conn(1)])), "not1");
        push(
            Audience::Connections(Rc::new([conn(1), conn(2), conn(1)])),
            "just12",
        );
        push(Audience::Topic(Topic(9)), "nine");
        push(Audience::Topic(Topic(10)), "nobody");
        push(Audience::TopicBut(Topic(9), Rc::new([conn(7)])), "not7");
        push(Audience::Subscribers, "all2");
        assert_eq!(batch.here().upto, 6);
        let mut say = |who, memberships: &Memberships, from| {
            heard(&mut batch, &topics, who, memberships, from)
        };
        assert_eq!(say(1, &subscribed, 0), "all1 just12 all2");
        assert_eq!(say(1, &both, 0), "all1 just12 nine not7 all2");
        assert_eq!(say(2, &none, 0), "just12");
        assert_eq!(say(2, &subscribed, 1), "not1 just12 all2");
        assert_eq!(say(3, &subscribed, 0), "all1 not1 all2");
        assert_eq!(say(3, &nine, 0), "nine not7");
        assert_eq!(say(7, &nine, 0), "nine");
        for (memberships, text, messages) in [
            (&subscribed, &b"all1\nnot1\nall2\n"[..], 3),
            (&both, b"all1\nnot1\nnine\nnot7\nall2\n", 5),
            (&none, b"", 0),
        ] {
            let common = batch.common(Format::JsonLines, &topics.in_batch(memberships));
            assert_eq!((&common.bytes[..], common.messages), (text, messages));
        }
        assert!(batch.names(conn(1)) && !batch.names(conn(3)));
    }

    #[test]
    fn a_topic_whose_last_member_left_in_the_batch_makes_room_after_it() {
        let (mut batch, mut topics) = (Batch::default(), Topics::default());
        let mut memberships = Memberships::new();
        topics.enter(Topic(5), 1, &mut memberships);
        batch.push(
            Audience::Topic(Topic(5)),
            Bytes::from_static(b"late"),
            &mut topics,
        );
        topics.leave(Topic(5), &mut memberships);
        // Another one must not inherit what was said to it.
        topics.enter(Topic(6), 2, &mut memberships);
        assert_eq!(heard(&mut batch, &topics, 2, &memberships, 0), "");
        batch.clear(&mut topics);
        topics.enter(Topic(7), 2, &mut memberships);
        assert_eq!(topics.len(), 2);
        batch.push(
            Audience::Topic(Topic(7)),
            Bytes::from_static(b"seven"),
            &mut topics,
        );
        assert_eq!(heard(&mut batch, &topics, 2, &memberships, 0), "seven");
    }
}
