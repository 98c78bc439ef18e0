//! A dialect that does, as chance has it, everything a dialect can have done, and puts down in the [`Book`] what must come
//! of it.

use std::{cell::RefCell, panic::resume_unwind, rc::Rc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    book::{Book, Held, head},
    network::lock,
};
use crate::runtime::Key;
use lobby::{
    Audience, Closing, ConnId, Dialect, Origin, Relay, ShardId, Stopping, Ticket, Topic, Turn,
};
use wire::{Chunk, Format};

/// Topics that are used: few, so that many share them.
const TOPICS: usize = 12;

/// What a timer was set for.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) enum Alarm {
    /// Something happens.
    Anything(u32, Duration),
    /// The client has waited for a relay long enough.
    Tired(usize),
}

/// One shard's.
pub(super) struct Scribe {
    pub(super) shard: usize,
    pub(super) book: Rc<RefCell<Book>>,
}

type Hand<'a, 'b> = &'a mut Turn<'b, Scribe>;

impl Dialect for Scribe {
    /// Its number among those of its sender.
    type Mail = u32;
    /// Who asks.
    type Ask = u64;
    type Answer = u64;
    type Event = ();
    type Notice = ();
    type Timer = Alarm;

    fn on_open(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, origin: Origin) {
        let mut book = self.book.borrow_mut();
        let wire = lock(&book.network).wire_of(self.shard, Key::of(conn));
        let Some(client) = wire else {
            return book.complain(format!("{conn:?} is opened and has no wire"));
        };
        book.note(|| format!("   {client} is opened as {conn:?}"));
        book.opened += 1;
        let one = &mut book.clients[client];
        if one.conn.replace(conn).is_some() || one.format != origin.format {
            book.complain(format!("{client} is opened twice, or wrongly"));
        }
        say(&mut book, turn, client);
        drop(book);
        self.act(turn, Some(client), 2);
    }

    fn on_frame(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId, body: &mut [u8]) {
        let mut book = self.book.borrow_mut();
        book.note(|| format!("   received {}", head(body)));
        let Some(client) = book.find(conn) else {
            return book.complain(format!("a frame of {conn:?}, which is not open"));
        };
        let is_open = book.clients[client].is_open();
        if !book.clients[client].handled(body) || !is_open {
            book.complain(format!("{client}: {} is not its next frame", head(body)));
        }
        if let Some(bytes) = bare_bytes(body) {
            turn.expect_raw(conn, bytes);
        }
        drop(book);
        self.act(turn, Some(client), 4);
    }

    fn on_close(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        let mut book = self.book.borrow_mut();
        let Some(client) = book.find(conn) else {
            return book.complain(format!("{conn:?} is closed and was not open"));
        };
        book.note(|| format!("   {client} is closed"));
        book.closed += 1;
        let one = &mut book.clients[client];
        one.loosen_others();
        one.topics.clear();
        if one.closed_at.replace(turn.now.mono).is_some() {
            book.complain(format!("{client} is closed twice"));
        }
        drop(book);
        self.act(turn, None, 1);
    }

    fn on_mail(&mut self, turn: &mut Turn<'_, Self>, from: ShardId, mail: u32) {
        let mut book = self.book.borrow_mut();
        let (_, received) = &mut book.mail[from.local()][self.shard];
        *received += 1;
        if *received != mail {
            book.complain(format!("mail {mail} of {from:?} is not the next"));
        }
        drop(book);
        self.act(turn, None, 2);
    }

    fn on_answer(&mut self, turn: &mut Turn<'_, Self>, ticket: Ticket, client: u64) {
        let client = client as usize;
        let mut book = self.book.borrow_mut();
        let asked = (self.shard, ticket.0, client);
        let Some(at) = book.asked.iter().position(|one| *one == asked) else {
            return book.complain(format!("{ticket:?} is answered and was not asked"));
        };
        book.asked.swap_remove(at);
        book.note(|| format!("   {client} is answered"));
        book.clients[client].held = Held::No;
        say(&mut book, turn, client);
        let conn = book.clients[client].conn;
        turn.release(conn.expect("it has asked"));
        drop(book);
        self.act(turn, None, 1);
    }

    fn on_notice(&mut self, turn: &mut Turn<'_, Self>, (): ()) {
        self.act(turn, None, 2);
    }

    fn on_timer(&mut self, turn: &mut Turn<'_, Self>, timer: Alarm) {
        let mut book = self.book.borrow_mut();
        match timer {
            Alarm::Anything(number, at) => {
                if !book.timers.remove(&(number, at)) || turn.now.mono < at {
                    book.complain(format!("timer {number} comes early, or again"));
                }
            }
            Alarm::Tired(client) => {
                let one = &mut book.clients[client];
                if one.held == Held::Watching && one.joined.is_none() {
                    one.held = Held::No;
                    turn.release(one.conn.expect("it was watched"));
                    book.note(|| format!("   {client} is tired"));
                }
                return;
            }
        }
        drop(book);
        self.act(turn, None, 2);
    }

    fn on_resync(&mut self, turn: &mut Turn<'_, Self>, conn: ConnId) {
        let mut book = self.book.borrow_mut();
        let Some(client) = book.find(conn) else {
            return book.complain(format!("{conn:?} is resynced and not open"));
        };
        let words = book.words("resync");
        book.sent(client, self.shard, &words, true);
        turn.send(conn, words);
    }

    fn on_stopping(&mut self, turn: &mut Turn<'_, Self>, step: Stopping) {
        let mut book = self.book.borrow_mut();
        for _ in 0..3 {
            self.do_something(&mut book, turn, None);
        }
        if step == Stopping::Now {
            for client in open(&book, self.shard) {
                close_own(&mut book, client);
            }
        }
    }

    fn is_drained(&self) -> bool {
        let book = self.book.borrow();
        !book.asked.iter().any(|(shard, ..)| *shard == self.shard)
    }

    fn refuse(ask: u64) -> u64 {
        ask
    }
}

/// What a frame says of the next one, if that has no header.
fn bare_bytes(body: &[u8]) -> Option<u32> {
    let number = body.strip_prefix(b"{\"bare\":")?.strip_suffix(b"}")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// Clients that a shard's dialect knows.
fn open(book: &Book, shard: usize) -> Vec<usize> {
    let clients = book.clients.iter().enumerate();
    clients
        .filter(|(_, client)| client.shard == shard && client.is_open())
        .map(|(index, _)| index)
        .collect()
}

/// Somebody of them.
fn somebody(book: &mut Book, shard: usize) -> Option<usize> {
    let open = open(book, shard);
    (!open.is_empty()).then(|| open[book.chance.below(open.len())])
}

fn say(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let shard = turn.shard.local();
    let one = &book.clients[client];
    let Some(conn) = one.conn else {
        return;
    };
    // Nobody says anything to a client that is to be relayed, and those elsewhere do not know whether it still takes it.
    let wanted = one.joined.is_none() && (one.held != Held::Watching || one.shard == shard);
    if !wanted || one.shard != shard && !one.takes() {
        return;
    }
    let words = book.words(["a", "b", "c"][shard]);
    book.sent(client, shard, &words, false);
    turn.send(conn, words);
}

fn say_in_parts(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let shard = turn.shard.local();
    let one = &book.clients[client];
    let (Some(conn), true) = (one.conn, one.joined.is_none()) else {
        return;
    };
    let words = book.words("p");
    let cut = book.chance.below(words.len());
    let parts = [&words[..cut], &words[cut..]].map(|part| Rc::new(Chunk::new(part.to_vec())));
    book.sent(client, shard, &words, false);
    turn.send_chunks(conn, parts.to_vec());
}

fn broadcast(book: &mut Book, turn: Hand<'_, '_>) {
    let shard = turn.shard.local();
    let topic = book.chance.below(TOPICS) as u64;
    let mut some = open(book, shard);
    some.retain(|&client| book.clients[client].may_be_named() && book.chance.happens(300));
    let ids = some
        .iter()
        .map(|&client| book.clients[client].conn.expect("open"));
    let ids: Rc<[ConnId]> = ids.clone().chain(ids.take(1)).collect();
    let (audience, topic) = match book.chance.below(6) {
        0 => (Audience::Subscribers, Some(0)),
        1 => (Audience::SubscribersBut(ids), Some(0)),
        2 => (Audience::TopicBut(Topic(topic), ids), Some(topic)),
        3 => (Audience::Connections(ids), None),
        _ => (Audience::Topic(Topic(topic)), Some(topic)),
    };
    let but = matches!(
        audience,
        Audience::SubscribersBut(_) | Audience::TopicBut(..)
    );
    let words = book.words("all");
    for client in open(book, shard) {
        let is_named = some.contains(&client);
        let is_in = |topic| book.clients[client].topics.contains(&topic);
        if topic.map_or(is_named, |topic| is_in(topic) && !(but && is_named)) {
            book.broadcast(client, shard, &words);
        }
    }
    turn.fan_out(audience, words);
}

fn change_topics(book: &mut Book, turn: Hand<'_, '_>, client: usize, changes: usize) {
    for _ in 0..changes {
        let topic = book.chance.below(TOPICS) as u64;
        let one = &mut book.clients[client];
        let conn = one.conn.expect("open");
        if one.topics.len() < 2 || !one.topics.contains(&topic) {
            one.topics.insert(topic);
            turn.enter(conn, Topic(topic));
        } else {
            one.topics.remove(&topic);
            turn.leave(conn, Topic(topic));
        }
    }
}

fn leave_all(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let one = &mut book.clients[client];
    for topic in std::mem::take(&mut one.topics) {
        turn.leave(one.conn.expect("open"), Topic(topic));
    }
}

fn watch(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    leave_all(book, turn, client);
    let one = &mut book.clients[client];
    one.held = Held::Watching;
    one.doomed |= one.fin;
    turn.watch(one.conn.expect("open"));
    let wait = Duration::from_millis(1 + book.chance.below(400) as u64);
    turn.wake_at(turn.now.mono + wait, Alarm::Tired(client));
    book.note(|| format!("   {client} is watched"));
}

/// Relays the client, one of whose frames is handled, with somebody who waits for that.
fn join(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let waits = |other: usize| {
        let one = &book.clients[other];
        other != client && one.held == Held::Watching && one.can_be_joined()
    };
    let Some(other) = (0..book.clients.len()).find(|&other| waits(other)) else {
        return watch(book, turn, client);
    };
    if !book.clients[client].can_be_joined() {
        return;
    }
    leave_all(book, turn, client);
    book.clients[client].held = Held::Watching;
    let [source, target] = if book.chance.happens(512) {
        [client, other]
    } else {
        [other, client]
    };
    let [to_source, to_target] = book.join(source, target);
    let conn = |client: usize| book.clients[client].conn.expect("open");
    turn.watch(conn(client));
    turn.join(Relay {
        source: conn(source),
        target: conn(target),
        to_source: to_source.into(),
        to_target: to_target.into(),
        frames: None,
        idle: None,
        survives: false,
    });
}

/// The client's own shard closes it in good order.
fn close_own(book: &mut Book, client: usize) {
    book.note(|| format!("   {client} is closed in good order"));
    let one = &mut book.clients[client];
    if one.joined.is_some() {
        return book.doom(client);
    }
    one.put_farewell();
    one.loosen_others();
    one.closing = true;
}

fn close(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let shard = turn.shard.local();
    let one = &book.clients[client];
    let (Some(conn), true) = (one.conn, one.is_open()) else {
        return;
    };
    if book.chance.happens(200) {
        book.doom(client);
        return turn.close(conn, Closing::Abort);
    }
    let one = &mut book.clients[client];
    if one.shard == shard {
        close_own(book, client);
    } else if one.joined.is_some() {
        book.doom(client);
    } else {
        one.leaving = true;
        one.loosen_others();
        one.put_farewell();
        book.note(|| format!("   {client} is closed from elsewhere"));
    }
    turn.close(conn, Closing::Flushed);
}

fn ask(book: &mut Book, turn: Hand<'_, '_>, client: usize) {
    let one = &mut book.clients[client];
    one.held = Held::Still;
    turn.hold(one.conn.expect("open"));
    let ticket = turn.ask(client as u64);
    book.asked.push((turn.shard.local(), ticket.0, client));
    book.note(|| format!("   {client} asks"));
}

impl Scribe {
    /// Some things happen, as chance has it. `client`: whose frame is handled, or who has just come.
    fn act(&mut self, turn: Hand<'_, '_>, client: Option<usize>, most: usize) {
        let mut book = self.book.borrow_mut();
        for _ in 0..book.chance.below(most + 1) {
            if book.budget == 0 {
                return;
            }
            book.budget -= 1;
            let mine = client.filter(|&client| book.clients[client].is_open());
            let panics = self.do_something(&mut book, turn, mine);
            if panics {
                book.panics += 1;
                if let Some(client) = mine {
                    book.doom(client);
                }
                drop(book);
                resume_unwind(Box::new("as chance had it")); // without a word from the hook
            }
        }
    }

    /// One thing. True: panic.
    fn do_something(&self, book: &mut Book, turn: Hand<'_, '_>, mine: Option<usize>) -> bool {
        let one = mine.filter(|_| book.chance.happens(600));
        let one = one.or_else(|| somebody(book, self.shard));
        let free = mine.filter(|&client| book.clients[client].held == Held::No);
        match (book.chance.below(64), one, free) {
            (0..10, Some(client), _) => say(book, turn, client),
            (10..14, Some(client), _) => say_in_parts(book, turn, client),
            (14..28, ..) => broadcast(book, turn),
            (28..38, Some(client), _) if book.clients[client].held != Held::Watching => {
                let changes = 1 + book.chance.below(6);
                change_topics(book, turn, client, changes);
            }
            (38..41, ..) if turn.shards > 1 => {
                let step = 1 + book.chance.below(usize::from(turn.shards) - 1);
                let to = (self.shard + step) % usize::from(turn.shards);
                let letters = if book.chance.happens(60) { 14 } else { 1 };
                for _ in 0..letters {
                    let (sent, _) = &mut book.mail[self.shard][to];
                    *sent += 1;
                    turn.mail(ShardId::new(0, to as u8), *sent);
                }
            }
            (41..45, ..) => {
                let client = book.chance.below(book.clients.len());
                say(book, turn, client);
            }
            (45..48, ..) => {
                let at = turn.now.mono + Duration::from_millis(book.chance.below(300) as u64);
                book.serial += 1;
                let number = book.serial;
                book.timers.insert((number, at));
                turn.wake_at(at, Alarm::Anything(number, at));
            }
            (48, ..) => {
                book.published += 1;
                turn.publish(());
            }
            (49..54, _, Some(client)) => ask(book, turn, client),
            (54..61, _, Some(client)) => join(book, turn, client),
            (61, ..) => {
                let client = book.chance.below(book.clients.len());
                close(book, turn, client);
            }
            (62, Some(client), _) if book.chance.happens(300) => close(book, turn, client),
            (63, ..) => return book.chance.happens(120),
            _ => {}
        }
        false
    }
}

/// Formats of the listeners, in their order.
pub(super) const FORMATS: [Format; 10] = [
    Format::JsonLines,
    Format::QDataStream,
    Format::WebSocket,
    Format::Packets,
    Format::WebSocketBinary,
    Format::PrefixedBigEndian,
    Format::JsonLines,
    // With TLS.
    Format::JsonLines,
    Format::Packets,
    Format::WebSocketBinary,
];
