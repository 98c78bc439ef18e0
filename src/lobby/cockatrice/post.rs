//! What an input causes: for this shard, and for others.
//!
//! Letters between nodes have a longest length: what is longer goes in pieces, one behind the other.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use bytes::Bytes;

use super::{
    CockatriceTurn,
    mail::{Caused, Delivery, GameCommands, Item, Mail, ToGame, ToRoom, ToSession},
    questions::Ask,
    state::work::Wait,
    topology::Topology,
    waiting::Waiting,
};
use crate::{
    ConnId, ShardId,
    question::{Continuation, Pending},
};

/// How long another node's answer is waited for.
const PATIENCE: Duration = Duration::from_secs(6);
/// Bytes of a letter to another node; twice as many would be too many for one.
const LETTER: usize = 128 * 1024;
/// Bytes that are kept of a letter whose last piece has not come: more than everything that a node can say of itself.
const WHOLE: usize = 256 << 20;

/// What an input has caused and is not done or sent yet.
#[derive(Debug, Default)]
pub(super) struct Post {
    shard: Option<ShardId>,
    own: VecDeque<Caused>,
    others: BTreeMap<ShardId, Mail>,
    /// What other shards of this node are told when everything else of this input is on its way.
    last: BTreeMap<ShardId, Mail>,
    /// Questions, and what their answers are waited for with.
    asks: Vec<(Ask, Option<Waiting>)>,
    /// The step that what is caused now belongs to.
    step: u64,
    /// Nodes that something was said to since it began, a bit for each; and whether anything was said to any role.
    asked: u64,
    has_asked: bool,
    /// Letters of which not all pieces have come.
    partial: BTreeMap<ShardId, Vec<u8>>,
}

impl Post {
    pub(super) fn new(shard: ShardId) -> Self {
        Post {
            shard: Some(shard),
            ..Post::default()
        }
    }

    /// From now on what is caused belongs to this step.
    pub(super) fn begin(&mut self, step: u64) {
        (self.step, self.asked, self.has_asked) = (step, 0, false);
    }

    /// The step that what is caused now belongs to.
    pub(super) fn step(&self) -> u64 {
        self.step
    }

    /// Of whom an answer is waited for, after what was said in this step. Alone everybody answers.
    pub(super) fn wait(&self, now: Duration, is_clustered: bool) -> Wait {
        Wait {
            step: self.step,
            nodes: self.asked,
            until: (is_clustered && self.has_asked).then(|| now + PATIENCE),
        }
    }

    /// For this shard's role.
    pub(super) fn to(&mut self, shard: ShardId, item: Item) {
        self.has_asked = true;
        if Some(shard.node()) != self.shard.map(ShardId::node) {
            self.asked |= 1 << (shard.node() % 64);
        }
        self.tell(shard, item);
    }

    /// The same, where nothing is asked.
    pub(super) fn tell(&mut self, shard: ShardId, item: Item) {
        let step = self.step;
        let caused = Caused { step, item };
        if self.shard == Some(shard) {
            self.own.push_back(caused);
        } else {
            self.others.entry(shard).or_default().push(caused);
        }
    }

    /// For this shard's role, which is not to hear of it before everybody could have heard what else this input has caused. Between
    /// nodes there is no such order.
    pub(super) fn last(&mut self, shard: ShardId, item: Item) {
        if self.shard == Some(shard) || self.shard.map(ShardId::node) != Some(shard.node()) {
            return self.to(shard, item);
        }
        let step = self.step;
        let caused = Caused { step, item };
        self.last.entry(shard).or_default().push(caused);
    }

    /// Something that has come before is to be done here now.
    pub(super) fn again(&mut self, caused: Caused) {
        self.own.push_back(caused);
    }

    /// For a connection.
    pub(super) fn session(&mut self, conn: ConnId, what: ToSession) {
        self.to(conn.shard, Item::Session(conn, what));
    }

    /// For the back office; nobody waits for its answer.
    pub(super) fn ask(&mut self, question: impl Into<Ask>) {
        self.asks.push((question.into(), None));
    }

    /// For the back office; this goes on with its answer.
    pub(super) fn ask_for<K>(&mut self, question: K::Question, continuation: K)
    where
        K: Continuation + Into<Waiting>,
        K::Question: Into<Ask>,
    {
        let waiting = continuation.into();
        self.asks.push((question.into(), Some(waiting)));
    }

    /// The next thing to be done here.
    pub(super) fn next(&mut self) -> Option<Caused> {
        let caused = self.own.pop_front()?;
        self.step = caused.step;
        Some(caused)
    }

    /// Sends what is for other shards, and for the back office.
    pub(super) fn send(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        pending: &mut Pending<Waiting>,
        topology: &Topology,
    ) {
        let last = self.take_last();
        while let Some((shard, mail)) = self.others.pop_first() {
            if Some(shard.node()) == self.shard.map(ShardId::node) {
                turn.mail(shard, mail);
            } else {
                self.send_node(turn, shard, mail, topology);
            }
        }
        for (shard, mail) in last {
            turn.mail(shard, mail);
        }
        for (ask, waiting) in self.asks.drain(..) {
            let ticket = turn.ask(ask);
            if let Some(waiting) = waiting {
                pending.put(ticket, waiting);
            }
        }
    }

    /// The letters that leave last. If there is one, all that its shard is told goes with it.
    fn take_last(&mut self) -> BTreeMap<ShardId, Mail> {
        let mut last = std::mem::take(&mut self.last);
        if last.len() == 1 {
            for (shard, mail) in &mut last {
                let mut before = self.others.remove(shard).unwrap_or_default();
                before.append(mail);
                *mail = before;
            }
        }
        last
    }

    /// Sends what is for shards of another node, this being the first of them: once, if all are told the same.
    fn send_node(
        &mut self,
        turn: &mut CockatriceTurn<'_>,
        first: ShardId,
        mail: Mail,
        topology: &Topology,
    ) {
        let node = first.node();
        let mut shards = topology.shards_of(node);
        let same = |shard| shard == first || self.others.get(&shard) == Some(&mail);
        if shards.all(same) {
            self.others.retain(|shard, _| shard.node() != node);
            for letter in letters(mail) {
                turn.mail_node(node, letter);
            }
        } else {
            for letter in letters(mail) {
                turn.mail(first, letter);
            }
        }
    }

    /// A piece of a letter of another shard; the letter, if this was the last one.
    pub(super) fn piece(&mut self, from: ShardId, bytes: &[u8], is_last: bool) -> Option<Mail> {
        let whole = self.partial.entry(from).or_default();
        if whole.len() + bytes.len() > WHOLE {
            self.partial.remove(&from);
            return None;
        }
        whole.extend_from_slice(bytes);
        if !is_last {
            return None;
        }
        let whole = self.partial.remove(&from)?;
        wire::messagepack::from_slice(&whole).ok()
    }

    /// What was under way from a node is lost.
    pub(super) fn lose(&mut self, node: u8) {
        self.partial.retain(|shard, _| shard.node() != node);
    }
}

/// A letter to another node, in pieces if it is long.
fn letters(mail: Mail) -> Vec<Mail> {
    let least: usize = mail.iter().map(|caused| caused.item.length()).sum();
    if least < LETTER {
        return vec![mail];
    }
    let whole = match rmp_serde::to_vec_named(&mail) {
        Ok(whole) if whole.len() > LETTER => Bytes::from(whole),
        _ => return vec![mail],
    };
    let starts = (0..whole.len()).step_by(LETTER);
    let pieces = starts.map(|start| {
        let end = (start + LETTER).min(whole.len());
        let item = Item::Piece {
            bytes: whole.slice(start..end),
            is_last: end == whole.len(),
        };
        vec![Caused { step: 0, item }]
    });
    pieces.collect()
}

impl Item {
    /// How long it is when it is written, about; of what may be long and is seldom, too much.
    fn length(&self) -> usize {
        const HEAD: usize = 256;
        let more = match self {
            Item::Show(delivery) => match delivery {
                Delivery::SendEach(conns, message) => message.len() + 40 * conns.len(),
                Delivery::Send(_, message)
                | Delivery::SendAll(message)
                | Delivery::Spread(_, message) => message.len(),
                Delivery::Enter(..) | Delivery::Leave(..) => 0,
            },
            Item::Session(_, ToSession::Reply(reply)) => {
                let sent = reply.before.iter().chain(&reply.after);
                let sent: usize = sent.map(Bytes::len).sum();
                sent + reply.body.as_ref().map_or(0, Bytes::len)
            }
            Item::Session(_, ToSession::GamesOf(_, games)) => games.len(),
            Item::Session(_, ToSession::Granted(_, games, ..)) => 100 * games.len(),
            Item::Session(_, ToSession::Forced(asked)) => {
                asked.commands.length() + 5 * asked.wanted.texts.len()
            }
            Item::Log(line) => line.text.len() + line.target.len(),
            Item::Session(..)
            | Item::Desk(_)
            | Item::Where(..)
            | Item::Departed(..)
            | Item::WriteLog(_) => 0,
            Item::Game(_, ToGame::Commands(commands)) => commands.length(),
            Item::Game(_, ToGame::Lost(_) | ToGame::Ping(..) | ToGame::Still(_)) => 0,
            Item::Room(_, _, ToRoom::Say { text, .. }) => text.len(),
            Item::Room(_, _, ToRoom::Gone(_) | ToRoom::Leave(_) | ToRoom::GamesOf { .. }) => 0,
            _ => return LETTER,
        };
        HEAD + more
    }
}

impl GameCommands {
    /// How long they are when they are written, about.
    fn length(&self) -> usize {
        let forced = self
            .forced
            .values()
            .flat_map(|forced| forced.decks.values());
        let decks = self.decks.values().chain(forced).map(Bytes::len);
        let said = self.forced.values().map(|forced| forced.may_say.len());
        self.container.len() + decks.sum::<usize>() + self.may_say.len() + said.sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_letter_arrives_whole() {
        let conn = ConnId {
            shard: ShardId::new(3, 1),
            slot: 4,
            generation: 5,
        };
        let long = Bytes::from(vec![7; 5 * LETTER]);
        let said = |message: Bytes| Caused {
            step: 9,
            item: Item::Show(Delivery::Send(conn, message)),
        };
        let mail = vec![said(Bytes::from_static(b"x")), said(long)];
        let letters = letters(mail.clone());
        assert_eq!(letters.len(), 6);
        let (mut post, from) = (Post::new(conn.shard), ShardId::new(0, 0));
        let mut whole = None;
        for letter in letters {
            assert!(whole.is_none());
            let [Caused { item, .. }] = &letter[..] else {
                panic!("{letter:?}");
            };
            let Item::Piece { bytes, is_last } = item else {
                panic!("{item:?}");
            };
            whole = post.piece(from, bytes, *is_last);
        }
        assert_eq!(whole, Some(mail));
        assert!(post.partial.is_empty());
    }
}
