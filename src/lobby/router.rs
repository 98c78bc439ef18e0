//! All the lobbies of one process: routes what happens to the dialect that a connection's listener speaks.
//!
//! The dialects know nothing of each other and nothing of this. Each gets a turn of its own kind; its effects are moved
//! into the engine's turn, in order, with mail, timers and topics marked as its own.
//! Only FAF asks the back office, publishes and is told news, so those pass as they are.

use serde::{Deserialize, Serialize};

use super::{
    ConnId, Dialect, Effect, Origin, Protocol, ShardId, Stopping, Ticket, Turn, faf::Faf,
    vcmi::Vcmi,
};

/// Something of one dialect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Of<F, V> {
    /// Of FAF.
    Faf(F),
    /// Of VCMI.
    Vcmi(V),
}

/// Whose topic it is.
const FAF: u8 = 0;
const VCMI: u8 = 1;

/// Every dialect on one shard.
#[derive(Debug)]
pub struct Router {
    faf: Faf,
    vcmi: Vcmi,
    /// What each connection speaks, by slot.
    spoken: Vec<Protocol>,
    /// Effects of the turn of a dialect; empty between turns.
    faf_effects: Vec<Effect<Faf>>,
    vcmi_effects: Vec<Effect<Vcmi>>,
}

type RouterTurn<'a> = Turn<'a, Router>;

impl Router {
    /// Connections dialects on one shard.
    pub fn new(faf: Faf, vcmi: Vcmi) -> Self {
        Router {
            faf,
            vcmi,
            spoken: Vec::new(),
            faf_effects: Vec::new(),
            vcmi_effects: Vec::new(),
        }
    }

    fn spoken(&self, conn: ConnId) -> Protocol {
        let slot = conn.slot as usize;
        self.spoken.get(slot).copied().unwrap_or(Protocol::Faf)
    }

    fn faf<'a>(
        &mut self,
        turn: &mut RouterTurn<'a>,
        input: impl FnOnce(&mut Faf, &mut Turn<'_, Faf>),
    ) {
        let faf = &mut self.faf;
        inside(turn, &mut self.faf_effects, faf_effect, |turn| {
            input(faf, turn)
        });
    }

    fn vcmi<'a>(
        &mut self,
        turn: &mut RouterTurn<'a>,
        input: impl FnOnce(&mut Vcmi, &mut Turn<'_, Vcmi>),
    ) {
        let vcmi = &mut self.vcmi;
        inside(turn, &mut self.vcmi_effects, vcmi_effect, |turn| {
            input(vcmi, turn)
        });
    }
}

/// One turn of a dialect within the router's.
fn inside<D: Dialect>(
    turn: &mut RouterTurn<'_>,
    effects: &mut Vec<Effect<D>>,
    as_routers: fn(Effect<D>) -> Effect<Router>,
    input: impl FnOnce(&mut Turn<'_, D>),
) {
    let moved = Moved {
        from: effects,
        to: turn.effects,
        as_routers,
    };
    input(&mut Turn {
        shard: turn.shard,
        shards: turn.shards,
        now: turn.now,
        rng: turn.rng,
        next_ticket: turn.next_ticket,
        effects: moved.from,
    });
}

/// Moves the effects over when the turn is done, even when it panicked: the engine carries out what came before.
struct Moved<'a, D: Dialect> {
    from: &'a mut Vec<Effect<D>>,
    to: &'a mut Vec<Effect<Router>>,
    as_routers: fn(Effect<D>) -> Effect<Router>,
}

impl<D: Dialect> Drop for Moved<'_, D> {
    fn drop(&mut self) {
        self.to.extend(self.from.drain(..).map(self.as_routers));
    }
}

fn faf_effect(effect: Effect<Faf>) -> Effect<Router> {
    own_topics(effect.map(Of::Faf, |ask| ask, |event| event, Of::Faf), FAF)
}

fn vcmi_effect(effect: Effect<Vcmi>) -> Effect<Router> {
    own_topics(
        effect.map(
            Of::Vcmi,
            |ask| match ask {},
            |event| match event {},
            Of::Vcmi,
        ),
        VCMI,
    )
}

/// Marks the topics of an effect as those of one dialect.
fn own_topics(effect: Effect<Router>, dialect: u8) -> Effect<Router> {
    match effect {
        Effect::Enter(conn, topic) => Effect::Enter(conn, topic.of_dialect(dialect)),
        Effect::Leave(conn, topic) => Effect::Leave(conn, topic.of_dialect(dialect)),
        Effect::FanOut(audience, body) => {
            Effect::FanOut(audience.map_topic(|topic| topic.of_dialect(dialect)), body)
        }
        effect => effect,
    }
}

impl Dialect for Router {
    type Mail = Of<<Faf as Dialect>::Mail, <Vcmi as Dialect>::Mail>;
    type Ask = <Faf as Dialect>::Ask;
    type Answer = <Faf as Dialect>::Answer;
    type Event = <Faf as Dialect>::Event;
    type News = <Faf as Dialect>::News;
    type Timer = Of<<Faf as Dialect>::Timer, <Vcmi as Dialect>::Timer>;

    fn on_start(&mut self, turn: &mut RouterTurn<'_>) {
        self.faf(turn, Faf::on_start);
        self.vcmi(turn, Vcmi::on_start);
    }

    fn on_open(&mut self, turn: &mut RouterTurn<'_>, conn: ConnId, origin: Origin) {
        let slot = conn.slot as usize;
        if self.spoken.len() <= slot {
            self.spoken.resize(slot + 1, Protocol::Faf);
        }
        self.spoken[slot] = origin.protocol;
        match origin.protocol {
            Protocol::Faf => self.faf(turn, |faf, turn| faf.on_open(turn, conn, origin)),
            Protocol::Vcmi => self.vcmi(turn, |vcmi, turn| vcmi.on_open(turn, conn, origin)),
        }
    }

    fn on_frame(&mut self, turn: &mut RouterTurn<'_>, conn: ConnId, body: &mut [u8]) {
        match self.spoken(conn) {
            Protocol::Faf => self.faf(turn, |faf, turn| faf.on_frame(turn, conn, body)),
            Protocol::Vcmi => self.vcmi(turn, |vcmi, turn| vcmi.on_frame(turn, conn, body)),
        }
    }

    fn on_close(&mut self, turn: &mut RouterTurn<'_>, conn: ConnId) {
        match self.spoken(conn) {
            Protocol::Faf => self.faf(turn, |faf, turn| faf.on_close(turn, conn)),
            Protocol::Vcmi => self.vcmi(turn, |vcmi, turn| vcmi.on_close(turn, conn)),
        }
    }

    fn on_mail(&mut self, turn: &mut RouterTurn<'_>, from: ShardId, mail: Self::Mail) {
        match mail {
            Of::Faf(mail) => self.faf(turn, |faf, turn| faf.on_mail(turn, from, mail)),
            Of::Vcmi(mail) => self.vcmi(turn, |vcmi, turn| vcmi.on_mail(turn, from, mail)),
        }
    }

    fn on_answer(&mut self, turn: &mut RouterTurn<'_>, ticket: Ticket, answer: Self::Answer) {
        self.faf(turn, |faf, turn| faf.on_answer(turn, ticket, answer));
    }

    fn on_notice(&mut self, turn: &mut RouterTurn<'_>, news: Self::News) {
        self.faf(turn, |faf, turn| faf.on_notice(turn, news));
    }

    fn on_timer(&mut self, turn: &mut RouterTurn<'_>, timer: Self::Timer) {
        match timer {
            Of::Faf(timer) => self.faf(turn, |faf, turn| faf.on_timer(turn, timer)),
            Of::Vcmi(timer) => self.vcmi(turn, |vcmi, turn| vcmi.on_timer(turn, timer)),
        }
    }

    fn on_resync(&mut self, turn: &mut RouterTurn<'_>, conn: ConnId) {
        match self.spoken(conn) {
            Protocol::Faf => self.faf(turn, |faf, turn| faf.on_resync(turn, conn)),
            Protocol::Vcmi => self.vcmi(turn, |vcmi, turn| vcmi.on_resync(turn, conn)),
        }
    }

    fn on_stopping(&mut self, turn: &mut RouterTurn<'_>, step: Stopping) {
        self.faf(turn, |faf, turn| faf.on_stopping(turn, step));
        self.vcmi(turn, |vcmi, turn| vcmi.on_stopping(turn, step));
    }

    fn is_drained(&self) -> bool {
        self.faf.is_drained() && self.vcmi.is_drained()
    }

    fn refuse(ask: Self::Ask) -> Self::Answer {
        Faf::refuse(ask)
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let mut all = self.faf.counters();
        all.extend(self.vcmi.counters());
        all
    }
}
