//! Whether the server serves (spec: faf-lifecycle 15.2).

use hyper::StatusCode;

use super::{Answer, Site, status};

/// `/ready`: 200 while this says so, otherwise 503.
pub struct Health<R>(pub R);

impl<R: Fn() -> bool + 'static> Site for Health<R> {
    async fn get(&self, path: &str) -> Answer {
        status(match (path, (self.0)()) {
            ("/ready", true) => StatusCode::OK,
            ("/ready", false) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::NOT_FOUND,
        })
    }
}
