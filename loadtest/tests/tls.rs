//! The load tester over TLS, against a server made of rustls: sign-ins, pings, sessions that are resumed, and certificates that
//! are not to be trusted.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use clap::Parser as _;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use swarm::cli::{Command, CommandLine};
use swarm::report::Report;
use tungstenite::Message;

struct Server {
    port: u16,
    /// The certificate, for those who are to trust it.
    certificate: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = std::fs::remove_file(&self.certificate);
    }
}

/// Starts a lobby with a certificate for this name.
fn server(name: &str, websocket: bool) -> Server {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    serve(made.cert, &made.signing_key, websocket)
}

/// Starts one with a certificate as `openssl req -x509` makes it: a CA's that signs itself, and for no host.
fn server_of_openssl() -> Server {
    let mut wanted = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().expect("a key");
    let made = wanted.self_signed(&key).expect("a certificate");
    serve(made, &key, false)
}

fn serve(made: rcgen::Certificate, key: &rcgen::KeyPair, websocket: bool) -> Server {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions that are known")
        .with_no_client_auth()
        .with_single_cert(vec![made.der().clone()], key)
        .expect("the key is the certificate's");
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    let certificate = std::env::temp_dir().join(format!("swarm-tls-{port}.pem"));
    std::fs::write(&certificate, made.pem()).expect("a file");
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let config = config.clone();
            thread::spawn(move || {
                let stream = stream.expect("accepted");
                let connection = ServerConnection::new(config).expect("a connection");
                let stream = StreamOwned::new(connection, stream);
                if websocket {
                    serve_websocket(stream);
                } else {
                    serve_lines(stream);
                }
            });
        }
    });
    Server { port, certificate }
}

fn answers(line: &str) -> Vec<String> {
    let message: Value = serde_json::from_str(line).expect("JSON");
    let answers = match message["command"].as_str().expect("a command") {
        "ask_session" => vec![json!({"command": "session", "session": 1})],
        "hello" => vec![
            json!({"command": "welcome", "me": {"id": 7, "login": message["login"]}}),
            // Larger than a record of TLS.
            json!({"command": "social", "autojoin": ["x".repeat(40_000)]}),
            json!({"command": "game_info", "games": []}),
        ],
        "ping" => vec![json!({"command": "pong"})],
        _ => vec![],
    };
    answers.iter().map(|answer| format!("{answer}\n")).collect()
}

fn serve_lines(stream: StreamOwned<ServerConnection, TcpStream>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
        let all = answers(&line).concat();
        let out = stream.get_mut();
        if out
            .write_all(all.as_bytes())
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
        line.clear();
    }
}

fn serve_websocket(stream: StreamOwned<ServerConnection, TcpStream>) {
    let Ok(mut socket) = tungstenite::accept(stream) else {
        return;
    };
    while let Ok(message) = socket.read() {
        if let Message::Text(line) = message {
            for answer in answers(&line) {
                if socket.send(Message::text(answer)).is_err() {
                    return;
                }
            }
        }
    }
}

fn run(options: &str) -> Result<Report, String> {
    let line = format!("swarm run --quiet --threads 1 {options}");
    let parsed = CommandLine::try_parse_from(line.split_whitespace());
    let Command::Run(arguments) = parsed.map_err(|error| error.to_string())?.command else {
        unreachable!("it is `run`");
    };
    let plan = arguments.plan().map_err(|error| format!("{error:#}"))?;
    swarm::run(plan).map_err(|error| format!("{error:#}"))
}

#[test]
fn clients_sign_in_and_talk_over_tls() {
    for websocket in [false, true] {
        let server = server("lobby.example", websocket);
        let (port, file) = (server.port, server.certificate.display());
        let scheme = if websocket { "wss" } else { "127.0.0.1" };
        let address = match scheme {
            "wss" => format!("wss://127.0.0.1:{port}"),
            _ => format!("127.0.0.1:{port} --tls"),
        };
        let report = run(&format!(
            "--profile idle -n 24 -d 1s --ping-every 200ms --server {address} --tls-ca {file} --tls-name lobby.example"
        ))
        .expect("it runs");
        assert!(report.failures().is_empty(), "{report}");
        assert_eq!(report.count("logins"), 24);
        let count = |name| report.latency(name).map_or(0, |histogram| histogram.len());
        assert_eq!(count("tls_handshake"), 24, "{report}");
        assert!(count("ping") > 0, "{report}");
        let at_most = |name| report.latency(name).expect("measured").max();
        assert!(at_most("tls_handshake") <= at_most("login"), "{report}");
        assert!(report.heading().contains("(TLS)"), "{}", report.heading());
    }
}

#[test]
fn a_client_that_comes_back_resumes_its_session() {
    let server = server("localhost", false);
    let (port, file) = (server.port, server.certificate.display());
    let report = run(&format!(
        "--profile churn -n 4 --rate 20 -d 2s --server localhost:{port} --tls --tls-ca {file}"
    ))
    .expect("it runs");
    assert!(report.failures().is_empty(), "{report}");
    let (logins, resumed) = (report.count("logins"), report.count("tls_resumed"));
    assert!(
        logins >= 30 && resumed >= logins - 4,
        "{resumed} of {logins}"
    );
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_a_sentence() {
    let server = server("lobby.example", false);
    let (port, file) = (server.port, server.certificate.display());
    let idle = format!("--profile idle -n 2 -d 200ms --server 127.0.0.1:{port}");
    for (options, expected) in [
        ("--tls".to_owned(), "from nobody who is trusted"),
        (
            format!("--tls --tls-ca {file} --tls-name other.example"),
            "is not for other.example",
        ),
        ("--tls --tls-ca /nowhere".to_owned(), "cannot read /nowhere"),
        ("--tls-insecure".to_owned(), "need --tls"),
    ] {
        let error = run(&format!("{idle} {options}"))
            .map(drop)
            .expect_err(&options);
        assert!(error.contains(expected), "{options}: {error}");
    }
    let report = run(&format!("{idle} --tls --tls-insecure")).expect("it runs");
    assert_eq!(report.count("logins"), 2);
    assert!(
        report.heading().contains("any certificate"),
        "{}",
        report.heading()
    );
}

#[test]
fn the_server_s_own_certificate_is_trusted_and_no_other_of_its_kind() {
    let (server, other) = (server_of_openssl(), server_of_openssl());
    let idle = format!(
        "--profile idle -n 2 -d 200ms --server 127.0.0.1:{}",
        server.port
    );
    let with = |server: &Server| {
        let file = server.certificate.display();
        run(&format!("{idle} --tls --tls-ca {file}"))
    };
    let report = with(&server).expect("it is the very certificate");
    assert_eq!(report.count("logins"), 2, "{report}");
    let error = with(&other).map(drop).expect_err("it is another one");
    assert!(error.contains("certificate that is a CA's"), "{error}");
    // A name that was typed is asked for.
    let file = server.certificate.display();
    let error = run(&format!(
        "{idle} --tls --tls-ca {file} --tls-name other.example"
    ));
    let error = error.map(drop).expect_err("it is for nobody");
    assert!(error.contains("is not for other.example"), "{error}");
}

#[test]
fn a_server_without_tls_is_a_sentence() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _gone = stream
                .expect("accepted")
                .write_all(b"hello, who is there?\n");
        }
    });
    let error = run(&format!(
        "--profile idle -n 2 -d 200ms --server 127.0.0.1:{port} --tls"
    ));
    let error = error.map(drop).expect_err("no TLS");
    assert!(
        error.contains("does not speak TLS") || error.contains("does it speak TLS"),
        "{error}"
    );
}
