//! VCMI's JSON lobby of the real binary, over real sockets: what the reference said, a match of two, and what survives.

#[path = "../support/mod.rs"]
mod support;

mod client;
mod durable;
mod interface;
mod matches;
mod operator;
mod recordings;

use support::server::{Backend, Server, Setup};

/// A server with the lobby, on ports of its own.
fn server(shards: u16, more: &[&str]) -> Server {
    server_on(Backend::Sqlite, shards, more)
}

fn server_on(backend: Backend, shards: u16, more: &[&str]) -> Server {
    let set = [
        "vcmi_json.enabled=true",
        "vcmi_json.tcp_address=127.0.0.1:0",
        "vcmi_json.http_address=127.0.0.1:0",
    ];
    let set: Vec<String> = set
        .iter()
        .chain(more)
        .map(|pair| (*pair).to_owned())
        .collect();
    let setup = Setup {
        backend,
        shards,
        set: &set,
        sql: &[],
    };
    Server::start(&setup).expect("the server starts")
}
