//! Whether the server serves (spec: faf-lifecycle 15.2).

use hyper::{StatusCode, header::HeaderValue};

use super::{Answer, Site, status};

/// How far the life of the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Something is not there yet that players need.
    Starting,
    /// It serves.
    Ready,
    /// It serves those who are in games, and is going to end; newcomers are better off elsewhere.
    Draining,
    /// It serves nobody any more.
    Stopped,
    /// Part of it is gone for good.
    Failed,
}

impl Phase {
    /// What it is called.
    pub const fn word(self) -> &'static str {
        match self {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Draining => "draining",
            Phase::Stopped => "stopped",
            Phase::Failed => "failed",
        }
    }

    /// Whether players are served.
    fn serves(self) -> bool {
        matches!(self, Phase::Ready | Phase::Draining)
    }
}

/// The header that names the phase: the bodies are empty.
const PHASE: &str = "muster-phase";

/// `/live`: 503 if the process had better be ended and started anew, otherwise 200. `/ready`: 200 while the server serves, also
/// while it drains, otherwise 503. `/accepting`: the same, but 503 while it drains.
pub struct Health<R>(pub R);

impl<R: Fn() -> Phase + 'static> Site for Health<R> {
    async fn get(&self, path: &str, _: Option<&str>) -> Answer {
        let phase = (self.0)();
        let good = match path {
            "/live" => phase != Phase::Failed,
            "/ready" => phase.serves(),
            "/accepting" => phase == Phase::Ready,
            _ => return status(StatusCode::NOT_FOUND),
        };
        let mut answer = status(match good {
            true => StatusCode::OK,
            false => StatusCode::SERVICE_UNAVAILABLE,
        });
        let word = HeaderValue::from_static(phase.word());
        answer.headers_mut().insert(PHASE, word);
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn draining_is_told_from_ready() {
        for (phase, live, ready, accepting) in [
            (Phase::Starting, 200, 503, 503),
            (Phase::Ready, 200, 200, 200),
            (Phase::Draining, 200, 200, 503),
            (Phase::Stopped, 200, 503, 503),
            (Phase::Failed, 503, 503, 503),
        ] {
            let health = Health(move || phase);
            for (path, expected) in [
                ("/live", live),
                ("/ready", ready),
                ("/accepting", accepting),
            ] {
                let answer = health.get(path, None).await;
                assert_eq!(answer.status(), expected, "{path} {phase:?}");
                assert_eq!(answer.headers()[PHASE], phase.word());
            }
            assert_eq!(health.get("/", None).await.status(), 404);
        }
    }
}
