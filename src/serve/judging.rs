//! Whether the server serves. The health endpoint, `muster ctl` and the live page all ask here.

use std::rc::Rc;
use std::sync::Arc;

use muster::{
    backoffice::http::health::{Judge, Phase},
    lobbies::Router,
};

use super::{ending::Stage, neighbours::Neighbours, office::Progress, pulse::Pulse};

/// Whoever judges whether the server serves. It asks nobody who could keep it waiting.
#[derive(Clone)]
pub(super) struct Judging {
    pub(super) progress: Arc<Progress>,
    pub(super) neighbours: Rc<Neighbours>,
    phase: Rc<Stage>,
    pulse: Rc<Pulse>,
}

impl Judging {
    /// By what these know.
    pub(super) fn of(
        progress: &Arc<Progress>,
        neighbours: &Rc<Neighbours>,
        phase: &Rc<Stage>,
        pulse: &Rc<Pulse>,
    ) -> Judging {
        Judging {
            progress: progress.clone(),
            neighbours: neighbours.clone(),
            phase: phase.clone(),
            pulse: pulse.clone(),
        }
    }

    /// What is wanting, in words, of a server that starts or has lost touch with other nodes.
    pub(super) fn wanting(&self) -> Vec<String> {
        let neighbours = &self.neighbours;
        match self.phase() {
            Phase::Starting => {
                let mut wanting = self.progress.awaited();
                if !neighbours.was_in() {
                    wanting.push("it has not joined the other nodes yet".to_owned());
                } else if !neighbours.has_ever_caught_up() {
                    wanting.push("what the other nodes have is not known yet".to_owned());
                }
                wanting
            }
            Phase::Island if !neighbours.is_in_touch() => {
                vec!["this node has lost touch with the others of its lobby".to_owned()]
            }
            Phase::Island if neighbours.is_island() => {
                vec!["the database is away that holds this node's place in its lobby".to_owned()]
            }
            Phase::Island => vec!["what the other nodes have is not known yet".to_owned()],
            _ => Vec::new(),
        }
    }
}

impl Judge for Judging {
    fn phase(&self) -> Phase {
        let lost = self.neighbours.mesh().and_then(|mesh| mesh.lost());
        match self.phase.get() {
            _ if lost.is_some() || self.pulse.is_lost() => Phase::Failed,
            Phase::Ready if !self.progress.is_complete() => Phase::Starting,
            Phase::Ready if !self.neighbours.was_in() => Phase::Starting,
            Phase::Ready if !self.neighbours.has_ever_caught_up() => Phase::Starting,
            Phase::Ready if self.neighbours.is_island() => Phase::Island,
            Phase::Ready if !self.neighbours.has_caught_up() => Phase::Island,
            phase => phase,
        }
    }

    fn serves(&self, lobby: &str) -> Option<bool> {
        let mut all = Router::LOBBIES.iter();
        let (_, protocol) = all.find(|(name, _)| *name == lobby)?;
        Some(Router::spreads(*protocol) || self.neighbours.has_single())
    }
}
