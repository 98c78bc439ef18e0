//! A run while it goes on, for people and for Prometheus.
//!
//! The main thread takes stock once a second (`Status`) and shows it: on a screen where it has a terminal, as a line where it
//! has none, as text for whoever asks at the metrics address. Nothing here may hold up the threads that make the load.

mod display;
mod endpoint;
mod exposition;
mod screen;
mod status;
mod view;

pub use endpoint::Endpoint;
pub use screen::restore_or_give_up;

pub(crate) use display::Display;
pub(crate) use exposition::Exposition;
pub(crate) use status::{Load, Status};

use std::net::SocketAddr;

use clap::Args;

/// How a run is watched.
#[derive(Debug, Clone, Default, Args)]
pub struct Watching {
    /// Offer metrics of the run for Prometheus here while it goes on, as in 127.0.0.1:9464.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics_address: Option<SocketAddr>,
    /// A line each second, on a terminal as well.
    #[arg(long)]
    pub plain: bool,
    /// Nothing but the report.
    #[arg(long, short)]
    pub quiet: bool,
}

impl Watching {
    /// Whether anybody looks at more than the last second.
    pub(crate) fn wants_totals(&self) -> bool {
        self.metrics_address.is_some() || (!self.quiet && !self.plain && screen::is_possible())
    }
}
