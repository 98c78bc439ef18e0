//! The endpoints while somebody holds on to them.

use std::{io::Write, net::TcpStream};

use super::{logging, metric, support::http::get, until};

#[test]
fn silent_connections_keep_no_probe_out() {
    let (server, _) = logging(&[]);
    let health = server.listener("http/health").unwrap();
    until("ready", || {
        get(health, "/ready").is_ok_and(|page| page.status == 200)
    });
    let mut held = Vec::new();
    for name in ["http/health", "http/control"] {
        for _ in 0..64 {
            let mut silent = TcpStream::connect(server.listener(name).unwrap()).unwrap();
            silent.write_all(b"GET /ready HTTP/1.1\r\n").unwrap();
            held.push(silent);
        }
    }
    assert_eq!(get(health, "/ready").unwrap().status, 200);
    assert_eq!(get(health, "/accepting").unwrap().status, 200);
    assert!(metric(&server, "muster_http_evicted_total") >= 64.0);
    drop(held);
}
