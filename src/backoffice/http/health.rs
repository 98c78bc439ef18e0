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
    /// It serves, and has lost touch with the other nodes of its lobby; newcomers are better off elsewhere.
    Island,
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
            Phase::Island => "island",
            Phase::Draining => "draining",
            Phase::Stopped => "stopped",
            Phase::Failed => "failed",
        }
    }

    /// Whether players are served.
    fn serves(self) -> bool {
        matches!(self, Phase::Ready | Phase::Island | Phase::Draining)
    }
}

/// The header that names the phase: the bodies are empty.
const PHASE: &str = "muster-phase";

/// What is asked of a server's health.
pub trait Judge: 'static {
    /// How far its life is.
    fn phase(&self) -> Phase;
    /// Whether it serves this lobby, which may live on another node. None: there is no such lobby.
    fn serves(&self, lobby: &str) -> Option<bool>;
}

/// `/live`: 503 if the process had better be ended and started anew, otherwise 200. `/ready`: 200 while the server serves, also
/// while it drains, otherwise 503. `/accepting`: the same, but 503 while it drains or has lost touch with other nodes. With
/// `?of=LOBBY` the latter two are about this lobby alone: 503 where it lives on another node, 404 if there is none.
pub struct Health<J>(pub J);

impl<J: Judge> Site for Health<J> {
    async fn get(&self, path: &str, query: Option<&str>) -> Answer {
        let phase = self.0.phase();
        let lobby = query.and_then(|query| query.strip_prefix("of="));
        let Some(serves) = lobby.map_or(Some(true), |lobby| self.0.serves(lobby)) else {
            return status(StatusCode::NOT_FOUND);
        };
        let good = match path {
            "/ready" | "/accepting" if !serves => false,
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

    struct Fixed(Phase);

    impl Judge for Fixed {
        fn phase(&self) -> Phase {
            self.0
        }

        fn serves(&self, lobby: &str) -> Option<bool> {
            (lobby != "nowhere").then_some(lobby == "here")
        }
    }

    #[tokio::test]
    async fn a_lobby_that_lives_elsewhere_is_not_ready_here() {
        let health = Health(Fixed(Phase::Ready));
        for (query, expected) in [
            (None, 200),
            (Some("of=here"), 200),
            (Some("of=elsewhere"), 503),
            (Some("of=nowhere"), 404),
            (Some("verbose"), 200),
        ] {
            for path in ["/ready", "/accepting"] {
                let answer = health.get(path, query).await;
                assert_eq!(answer.status(), expected, "{path} {query:?}");
            }
        }
        let live = health.get("/live", Some("of=elsewhere")).await;
        assert_eq!(live.status(), 200);
    }

    #[tokio::test]
    async fn draining_is_told_from_ready() {
        for (phase, live, ready, accepting) in [
            (Phase::Starting, 200, 503, 503),
            (Phase::Ready, 200, 200, 200),
            (Phase::Island, 200, 200, 503),
            (Phase::Draining, 200, 200, 503),
            (Phase::Stopped, 200, 503, 503),
            (Phase::Failed, 503, 503, 503),
        ] {
            let health = Health(Fixed(phase));
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
