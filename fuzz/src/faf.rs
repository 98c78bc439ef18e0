//! The FAF lobby: nobody is held for ever, the books of the roles agree, and when all have gone nothing is left.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use lobby::{
    ConnId, ShardId,
    faf::{Faf, Metrics, Settings, consistency, news::News},
    simulator::Simulator,
};
use serde::de::IgnoredAny;

use crate::{
    input::Input,
    office::{self, Office},
    play::{Lobby, Play},
    templates::{FAF, fill},
};

/// Clients; each signs in as the player of its number, from 1.
const CLIENTS: usize = 6;
/// A game without players, and a match that does not come about, are over by then.
const PATIENCE: Duration = Duration::from_secs(200);

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut office = Office::new();
    let mut play = Play::new(
        FafLobby,
        CLIENTS,
        &mut input,
        Box::new(move |ask| office.answer(ask)),
    );
    play.go(&mut input);
    play.rest();
    for conn in play.conns() {
        let client = play.sim.client(conn);
        assert!(
            client.closed.is_some() || !client.held,
            "{conn:?} is held for ever"
        );
    }
    play.sim.advance(SETTINGS.tick);
    consistency::check(&play.sim, 0);
    play.end(PATIENCE);
    consistency::check_no_games(&play.sim, 0);
    consistency::check_nobody(&play.sim, 0);
}

/// Ticks and pings are few: they are the same each time, and were most of what an input cost.
pub(crate) static SETTINGS: LazyLock<Arc<Settings>> = LazyLock::new(|| {
    Arc::new(Settings {
        tick: Duration::from_secs(200),
        ping_interval: Duration::from_secs(600),
        ..Settings::default()
    })
});

thread_local! {
    /// Its histograms are large: made once.
    static METRICS: RefCell<Arc<Metrics>> = RefCell::default();
}

pub(crate) fn shard(shard: ShardId, shards: u16, fresh: bool) -> Faf {
    let faf = Faf::new(shard, shards, SETTINGS.clone());
    if fresh {
        faf
    } else {
        faf.reporting_to(METRICS.with_borrow(Arc::clone))
    }
}

/// One of the pieces of news that an operator or another program may cause.
pub(crate) fn news(input: &mut Input<'_>) -> News {
    match input.below(4) {
        0 => News::Reference(office::reference(input.below(2) == 0)),
        1 => News::Notify {
            to: Some(u32::from(input.byte())),
            body: Bytes::from_static(br#"{"command":"notice"}"#),
        },
        2 => News::AvatarChanged {
            player_id: u32::from(input.byte()),
        },
        _ => News::Settings(SETTINGS.clone()),
    }
}

pub(crate) fn hello(who: usize) -> String {
    let id = who + 1;
    format!(r#"{{"command":"hello","login":"p{id}","password":"x","unique_id":"u"}}"#)
}

/// The frames of a step.
pub(crate) fn frames(op: u8, input: &mut Input<'_>) -> Vec<Vec<u8>> {
    let template = FAF[usize::from(op) % FAF.len()];
    let text = fill(template, input);
    text.lines().map(|line| line.as_bytes().to_vec()).collect()
}

/// What every message to a client is: JSON in ASCII, one line.
pub(crate) fn heard(message: &Bytes) {
    assert!(
        message.is_ascii() && !message.contains(&b'\n'),
        "{message:?}"
    );
    serde_json::from_slice::<IgnoredAny>(message).expect("the server sends JSON");
}

struct FafLobby;

impl Lobby for FafLobby {
    type Dialect = Faf;

    fn shard(&self, id: ShardId, shards: u16, fresh: bool) -> Faf {
        shard(id, shards, fresh)
    }

    fn begin(&mut self, sim: &mut Simulator<Faf>) {
        for shard in 0..sim.shards() {
            sim.tell(shard, News::Reference(office::reference(true)));
        }
    }

    fn join(&mut self, sim: &mut Simulator<Faf>, who: usize, shard: u16) -> ConnId {
        let conn = sim.connect(shard);
        if who + 1 < CLIENTS {
            sim.send(conn, hello(who));
        }
        conn
    }

    fn frames(&mut self, op: u8, _: usize, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        frames(op, input)
    }

    fn news(&mut self, sim: &mut Simulator<Faf>, input: &mut Input<'_>) {
        let news = news(input);
        for shard in 0..sim.shards() {
            sim.tell(shard, news.clone());
        }
    }

    fn heard(&mut self, _: usize, message: &Bytes) {
        heard(message);
    }
}
