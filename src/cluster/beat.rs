//! What a node tells everybody each 100 ms: who it is, what it holds, what it believes, and how far its lanes are.
//!
//! MessagePack with the names of the fields, so that fields can be added: one that is missing has its default, one that is not
//! known is skipped.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Lease, Member, Setup, View};

/// A view with the term under which it was made: what its place among all views follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct ViewId {
    pub(crate) number: u32,
    pub(crate) term: u64,
}

/// A view as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct News {
    pub(crate) id: ViewId,
    pub(crate) members: Vec<Member>,
}

/// How far the two lanes with one node are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LaneReport {
    pub(crate) node: u8,
    /// Its life that is meant.
    pub(crate) incarnation: u64,
    pub(crate) generation: u32,
    /// Everything of it up to this number has come.
    pub(crate) received: u64,
    /// The last number that was given to something for it.
    pub(crate) sent: u64,
}

/// What a node tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Beat {
    /// Grows with each beat of a life.
    pub(crate) number: u64,
    /// When it was sent, in µs by the sender's own clock: only the sender can do something with it.
    pub(crate) sent_us: u64,
    pub(crate) shards: u16,
    pub(crate) version: Box<str>,
    /// It has been a member in this life: it does not ask to be let in.
    pub(crate) was_in: bool,
    /// The last life in which it was a member, which is over.
    pub(crate) previous: Option<u64>,
    /// It holds its slot's lock.
    pub(crate) has_slot: bool,
    /// Its own beats come back to it.
    pub(crate) hears: bool,
    /// It ends in order, with this beat.
    pub(crate) leaves: bool,
    /// The newest view it knows.
    pub(crate) view: ViewId,
    /// The highest number of a view it has heard of.
    pub(crate) highest: u32,
    /// That view, if somebody may not have heard of it.
    pub(crate) news: Option<News>,
    /// The leases it holds, by their numbers, with their terms. What is not known is skipped.
    pub(crate) held: Vec<(u8, u64)>,
    /// The highest terms it has heard of, by the numbers of the leases.
    pub(crate) terms: Vec<u64>,
    pub(crate) lanes: Vec<LaneReport>,
}

impl Beat {
    /// Reads what somebody has sent; nothing if it can't be or makes no sense.
    pub(crate) fn read(bytes: &Bytes) -> Option<Beat> {
        let beat: Beat = rmp_serde::from_slice(bytes).ok()?;
        beat.makes_sense().then_some(beat)
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        rmp_serde::to_vec_named(self).expect("plain fields can be written to memory")
    }

    /// The term under which it holds a lease.
    pub(crate) fn held(&self, lease: Lease) -> Option<u64> {
        let number = lease.index() as u8;
        let held = self.held.iter().find(|(lease, _)| *lease == number);
        held.map(|(_, term)| *term)
    }

    fn makes_sense(&self) -> bool {
        let members = self.news.as_ref().map_or(&[][..], |news| &news.members);
        self.version.len() <= Setup::VERSION_BYTES
            && self.shards > 0
            && self.lanes.len() <= usize::from(View::SLOTS)
            && members.is_sorted_by(|a, b| a.node < b.node)
            && members.iter().all(|member| {
                member.node < View::SLOTS
                    && member.shards > 0
                    && member.version.len() <= Setup::VERSION_BYTES
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beat() -> Beat {
        Beat {
            number: 4,
            sent_us: 9,
            shards: 2,
            version: "1.0".into(),
            news: Some(News {
                id: ViewId { number: 1, term: 5 },
                members: vec![Member {
                    node: 3,
                    incarnation: 5,
                    shards: 2,
                    version: "1.0".into(),
                }],
            }),
            held: vec![(0, 77), (200, 1)],
            ..Beat::default()
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let beat = beat();
        let read = Beat::read(&beat.written().into()).expect("it makes sense");
        assert_eq!(read, beat);
        assert_eq!(read.held(Lease::Lead), Some(77));
        assert_eq!(read.held(Lease::Single), None);
    }

    #[test]
    fn fields_may_be_new_or_missing() {
        #[derive(Serialize)]
        struct Other {
            shards: u16,
            colour: &'static str,
        }
        let other = Other {
            shards: 3,
            colour: "red",
        };
        let bytes = rmp_serde::to_vec_named(&other).expect("it can be written");
        let read = Beat::read(&bytes.into()).expect("it makes sense");
        let expected = Beat {
            shards: 3,
            ..Beat::default()
        };
        assert_eq!(read, expected);
    }

    #[test]
    fn nonsense_is_refused() {
        let refused = |change: fn(&mut Beat)| {
            let mut beat = beat();
            change(&mut beat);
            Beat::read(&beat.written().into()).is_none()
        };
        assert!(!refused(|_| ()));
        assert!(refused(|beat| beat.shards = 0));
        assert!(refused(|beat| beat.version = "x".repeat(65).into()));
        assert!(refused(|beat| beat.lanes = vec![LaneReport::default(); 65]));
        let members = |beat: &mut Beat, change: fn(&mut Vec<Member>)| {
            change(&mut beat.news.as_mut().expect("it has some").members);
        };
        assert!(refused(|beat| beat.news.as_mut().expect("news").members
            [0]
        .node = 64));
        let mut twice = beat();
        members(&mut twice, |all| all.push(all[0].clone()));
        assert!(Beat::read(&twice.written().into()).is_none());
        assert!(Beat::read(&Bytes::from_static(b"\x93")).is_none());
    }
}
