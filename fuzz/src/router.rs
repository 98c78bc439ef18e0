//! Both lobbies on the same shards: neither is told of the other's clients, and when all have gone nothing is left of either.

use std::{
    cell::RefCell,
    sync::{Arc, LazyLock},
    time::Duration,
};

use bytes::Bytes;
use lobby::{
    ConnId, ShardId,
    cockatrice::{self, Cockatrice, questions::Ask},
    faf::news::News,
    lobbies::{Of, Router},
    question::StoreFailure,
    simulator::Simulator,
    vcmi_json::{self, VcmiJson, questions::Ask as JsonAsk},
};
use wire::Format;

use crate::{
    faf,
    input::Input,
    office::{self, Office},
    play::{Lobby, Play},
    vcmi,
};

/// Even ones are FAF's, odd ones VCMI's.
const CLIENTS: usize = 6;
const PATIENCE: Duration = Duration::from_secs(200);

pub(crate) fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut office = Office::new();
    let answer = move |ask| match ask {
        Of::Faf(ask) => Of::Faf(office.answer(ask)),
        Of::Vcmi(never) => match never {},
        Of::Cockatrice(ask) => Of::Cockatrice(Ask::failed(&ask, StoreFailure::Unavailable)),
        Of::VcmiJson(ask) => Of::VcmiJson(JsonAsk::failed(&ask, StoreFailure::Unavailable)),
    };
    let lobby = Both(vcmi::Games::default());
    let mut play = Play::new(lobby, CLIENTS, &mut input, Box::new(answer));
    play.go(&mut input);
    play.rest();
    play.end(PATIENCE);
}

/// Settings and metrics of the lobbies that nobody speaks to here: made once, because to make them took longer than most inputs,
/// and so did ticks.
static COCKATRICE: LazyLock<Arc<cockatrice::Settings>> = LazyLock::new(|| {
    Arc::new(cockatrice::Settings {
        tick: PATIENCE,
        ..cockatrice::Settings::default()
    })
});
static VCMI_JSON: LazyLock<Arc<vcmi_json::Settings>> = LazyLock::new(Arc::default);

thread_local! {
    static COCKATRICE_METRICS: RefCell<Arc<cockatrice::Metrics>> = RefCell::default();
    static VCMI_JSON_METRICS: RefCell<Arc<vcmi_json::Metrics>> = RefCell::default();
}

fn cockatrice(shard: ShardId, shards: u16, fresh: bool) -> Cockatrice {
    let lobby = Cockatrice::new(shard, shards, COCKATRICE.clone());
    if fresh {
        lobby
    } else {
        lobby.reporting_to(COCKATRICE_METRICS.with_borrow(Arc::clone))
    }
}

fn vcmi_json(shard: ShardId, shards: u16, fresh: bool) -> VcmiJson {
    let lobby = VcmiJson::new(shard, shards, VCMI_JSON.clone());
    if fresh {
        lobby
    } else {
        lobby.reporting_to(VCMI_JSON_METRICS.with_borrow(Arc::clone))
    }
}

struct Both(vcmi::Games);

fn is_faf(who: usize) -> bool {
    who.is_multiple_of(2)
}

impl Lobby for Both {
    type Dialect = Router;

    fn shard(&self, id: ShardId, shards: u16, fresh: bool) -> Router {
        Router::new(
            faf::shard(id, shards, fresh),
            vcmi::shard(id, shards, fresh),
            cockatrice(id, shards, fresh),
            vcmi_json(id, shards, fresh),
        )
    }

    fn begin(&mut self, sim: &mut Simulator<Router>) {
        for shard in 0..sim.shards() {
            sim.tell(shard, Of::Faf(News::Reference(office::reference(true))));
        }
    }

    fn join(&mut self, sim: &mut Simulator<Router>, who: usize, shard: u16) -> ConnId {
        if !is_faf(who) {
            return vcmi::join(sim, who / 2, shard, Router::VCMI);
        }
        (sim.format, sim.protocol) = (Format::JsonLines, Router::FAF);
        let conn = sim.connect(shard);
        sim.send(conn, faf::hello(who / 2));
        conn
    }

    fn frames(&mut self, op: u8, who: usize, input: &mut Input<'_>) -> Vec<Vec<u8>> {
        if is_faf(who) {
            faf::frames(op, input)
        } else {
            self.0.frames(op, who / 2, input)
        }
    }

    fn news(&mut self, sim: &mut Simulator<Router>, input: &mut Input<'_>) {
        let news = faf::news(input);
        for shard in 0..sim.shards() {
            sim.tell(shard, Of::Faf(news.clone()));
        }
    }

    fn heard(&mut self, who: usize, message: &Bytes) {
        if is_faf(who) {
            faf::heard(message);
        } else {
            self.0.heard(message);
        }
    }
}
