//! Both lobbies on the same shards: neither is told of the other's clients, and when all have gone nothing is left of either.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use lobby::{
    ConnId, ShardId,
    cockatrice::{Cockatrice, questions::Ask},
    faf::news::News,
    lobbies::{Of, Router},
    question::StoreFailure,
    simulator::Simulator,
    vcmi_json::{VcmiJson, questions::Ask as JsonAsk},
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
            Cockatrice::new(id, shards, Arc::default()),
            VcmiJson::new(id, shards, Arc::default()),
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
