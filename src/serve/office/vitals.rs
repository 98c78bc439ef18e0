//! Whether the stores and the disk take what they are given, tried out now and then: what nobody asks for would otherwise be found
//! out by the first who signs in, or whose game ends.

use std::{future::Future, sync::Arc, time::Duration};

use metrics::Gauge;

/// How often each of them is tried out.
const EVERY: Duration = Duration::from_secs(5);

metrics::metrics! {
    /// Whether stores and disk take what they are given.
    pub(crate) struct Vitals {
        /// Whether a lobby's store does not answer or takes nothing: 1 if so.
        faf: Gauge = Sum "muster_store_failing" { lobby = "faf" };
        /// Whether a lobby's store does not answer or takes nothing: 1 if so.
        cockatrice: Gauge = Sum "muster_store_failing" { lobby = "cockatrice" };
        /// Whether a lobby's store does not answer or takes nothing: 1 if so.
        vcmi_json: Gauge = Sum "muster_store_failing" { lobby = "vcmi_json" };
        /// Whether the disk does not take what a crash must not lose: 1 if so.
        spool: Gauge = Sum "muster_spool_failing";
    }
}

impl Vitals {
    /// The lobbies whose store does not answer or takes nothing.
    pub(crate) fn failing_stores(&self) -> Vec<&'static str> {
        let stores = [
            ("faf", &self.faf),
            ("cockatrice", &self.cockatrice),
            ("vcmi_json", &self.vcmi_json),
        ];
        let failing = stores.into_iter().filter(|(_, gauge)| gauge.value() > 0.0);
        failing.map(|(lobby, _)| lobby).collect()
    }
}

/// Begins to try something out, for as long as the back office lives, and shows in `gauge` whether it fails. The log says when
/// that changes. To be called inside a `LocalSet`.
pub(super) fn watch<F: Future<Output = bool> + 'static>(
    what: &'static str,
    vitals: &Arc<Vitals>,
    gauge: fn(&Vitals) -> &Gauge,
    is_well: impl Fn() -> F + 'static,
) {
    let vitals = vitals.clone();
    tokio::task::spawn_local(async move {
        let mut was_well = true;
        loop {
            let well = is_well().await;
            gauge(&vitals).set(f64::from(u8::from(!well)));
            match (was_well, well) {
                (true, false) => tracing::error!("{what} does not answer or takes nothing"),
                (false, true) => tracing::info!("{what} answers and takes again"),
                _ => {}
            }
            was_well = well;
            tokio::time::sleep(EVERY).await;
        }
    });
}
