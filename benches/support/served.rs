//! A lobby on a real engine with one shard, for benchmarks that speak to it over sockets. The server's shard has the first core,
//! the clients have the other.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::{
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use muster::{
    engine::{Engine, Mesh, Outside, Settings},
    lobby::{Dialect, ShardId, Stopping},
};

use crate::threads::task_named;

pub(crate) const SERVER_CORE: usize = 0;
pub(crate) const CLIENT_CORE: usize = 1;

/// The engine, and what of it is measured.
pub(crate) struct Served<D: Dialect> {
    engine: Engine,
    mesh: Arc<Mesh<D>>,
    address: SocketAddr,
    /// The shard's thread.
    pub(crate) task: String,
}

impl<D: Dialect> Served<D> {
    /// Started by a thread that may run everywhere: the shard gets the first core of those.
    pub(crate) fn start(
        settings: Settings,
        outside: impl FnOnce(&Arc<Mesh<D>>) -> Outside<D>,
        dialect: impl Fn(ShardId) -> D + Send + Sync + 'static,
    ) -> Self {
        let mesh = Mesh::new(1);
        let outside = outside(&mesh);
        let engine = Engine::start(settings, mesh.clone(), outside, dialect);
        let engine = engine.expect("the engine starts");
        Served {
            address: engine.addresses[0].1,
            engine,
            mesh,
            task: task_named("shard-0"),
        }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connects");
        stream.set_nodelay(true).expect("sets");
        stream
    }

    pub(crate) fn stop(self) {
        self.mesh.stop(Stopping::Now);
        self.engine.join();
    }
}

/// The middle one, or the upper of the two.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
