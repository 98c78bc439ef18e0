//! What all nodes have said, heard and believed, beside the nodes, and what must hold of it at any time.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;

use crate::{Holder, Standing};

/// From one life of a node to one of another.
type Pair = (u64, u64);

/// What was said on one lane, as the nodes know it that say and hear.
#[derive(Debug, Default)]
struct Said {
    /// Which piece, with the number of breaks before it that the sender knows of.
    pieces: Vec<(u64, u32)>,
    breaks: u32,
    /// What came last since the last break that the receiver knows of.
    last: Option<usize>,
    /// The breaks before the last that came at all.
    reached: Option<u32>,
    heard: u64,
}

/// What one process believed so far.
#[derive(Debug, Default)]
struct Believed {
    view: u32,
    terms: [u64; 3],
}

#[derive(Debug, Default)]
pub(super) struct Book {
    said: BTreeMap<Pair, Said>,
    count: u64,
    terms: BTreeMap<(usize, u64), u8>,
    believed: BTreeMap<u64, Believed>,
    pub(super) heard: u64,
    pub(super) breaks: u64,
}

fn holders(standing: &Standing) -> [Option<Holder>; 3] {
    let leases = &standing.leases;
    [leases.coordinator, leases.outside, leases.single]
}

impl Book {
    /// A letter that this life says to these: its text, of that length at least.
    pub(super) fn say(&mut self, from: u64, to: impl Iterator<Item = u64>, bytes: usize) -> Bytes {
        self.count += 1;
        for to in to {
            let said = self.said.entry((from, to)).or_default();
            said.pieces.push((self.count, said.breaks));
        }
        let mut text = from.to_le_bytes().to_vec();
        text.extend(self.count.to_le_bytes());
        text.resize(bytes.max(16), 0);
        text.into()
    }

    /// A letter has come from a node.
    pub(super) fn hear(&mut self, at: &Standing, from: u8, letter: &[u8]) -> Result<(), String> {
        let number = |range: std::ops::Range<usize>| {
            let bytes = letter.get(range).ok_or("a letter nobody said")?;
            Ok::<u64, &str>(u64::from_le_bytes(
                bytes.try_into().expect("of eight bytes"),
            ))
        };
        let (life, piece) = (number(0..8)?, number(8..16)?);
        let is_in = at.view.member(at.node).map(|own| own.incarnation) == Some(at.incarnation);
        let member = at.view.member(from).map(|member| member.incarnation);
        if !is_in || member != Some(life) {
            return Err(format!("a letter of {life} from {from}, believing {at:?}"));
        }
        let lane = format!("{life} -> {}", at.incarnation);
        let said = self.said.entry((life, at.incarnation)).or_default();
        let Ok(place) = said.pieces.binary_search_by_key(&piece, |piece| piece.0) else {
            return Err(format!("{lane}: {piece} was not said to it"));
        };
        let breaks = said.pieces[place].1;
        let is_first = place == 0 || said.pieces[place - 1].1 < breaks;
        match said.last {
            Some(last) if place == last + 1 && !is_first => {}
            None if is_first && said.reached.is_none_or(|reached| reached < breaks) => {}
            last => {
                let last = last.map(|last| said.pieces[last]);
                return Err(format!("{lane}: {:?} after {last:?}", said.pieces[place]));
            }
        }
        said.last = Some(place);
        said.reached = Some(breaks);
        said.heard += 1;
        self.heard += 1;
        Ok(())
    }

    /// A node was told that its lanes with another one have broken.
    pub(super) fn broke(&mut self, at: &Standing, node: u8) {
        let Some(member) = at.view.member(node) else {
            return;
        };
        self.breaks += 1;
        self.begin(at.incarnation, member.incarnation);
    }

    /// What one life says to another begins anew, and what it hears.
    pub(super) fn begin(&mut self, own: u64, other: u64) {
        self.said.entry((own, other)).or_default().breaks += 1;
        self.said.entry((other, own)).or_default().last = None;
    }

    /// A process, by a number of its own, believes this now.
    pub(super) fn believe(&mut self, process: u64, standing: &Arc<Standing>) -> Result<(), String> {
        let believed = self.believed.entry(process).or_default();
        let view = &standing.view;
        if view.number < believed.view {
            return Err(format!("process {process} went back to {view:?}"));
        }
        believed.view = view.number;
        for (lease, holder) in holders(standing).into_iter().enumerate() {
            let Some(holder) = holder else { continue };
            let highest = &mut believed.terms[lease];
            if holder.term < *highest || standing.is_island || view.member(holder.node).is_none() {
                return Err(format!("process {process} believes {standing:?}"));
            }
            *highest = holder.term;
            let first = self.terms.entry((lease, holder.term));
            if *first.or_insert(holder.node) != holder.node {
                return Err(format!("two have lease {lease} in one term: {holder:?}"));
            }
        }
        Ok(())
    }

    /// What has not come yet between these lives, if something has not.
    pub(super) fn missing(&self, lives: &[u64]) -> Option<String> {
        for pair in lives.iter().flat_map(|a| lives.iter().map(|b| (*a, *b))) {
            let said = self.said.get(&pair);
            let Some(said) = said.filter(|said| !said.pieces.is_empty()) else {
                if pair.0 != pair.1 {
                    return Some(format!("nothing was said on {pair:?}"));
                }
                continue;
            };
            if said.last != Some(said.pieces.len() - 1) {
                let last = said.last.map(|last| said.pieces[last]);
                return Some(format!("{pair:?}: {last:?} of {:?}", said.pieces.last()));
            }
        }
        None
    }
}
