//! Real reverse proxies with the files of `tuning/proxies`, in which only ports and paths are others. A test whose program is not
//! installed says so and has checked nothing.

use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use rustls::ClientConfig;
use socket2::{Domain, Socket, Type};
use tungstenite::Message;

use crate::{
    both,
    client::{Stream, config, over},
    server,
    support::{player::hello, server::Server},
    until,
};

/// Where a player is, so that it can be told from the proxy.
const PLAYER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 77);

/// A proxy; it ends with this value.
struct Proxy(Child);

impl Drop for Proxy {
    fn drop(&mut self) {
        // In good order, so that its own children end too.
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

/// A server behind it, its certificate's folder, and ports for the proxy.
struct Stage {
    server: Server,
    folder: tempfile::TempDir,
    config: Arc<ClientConfig>,
    ports: [u16; 3],
}

impl Stage {
    /// None: the program is not there.
    fn new(program: &str, set: &[&str]) -> Option<Stage> {
        let found = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/usr/local/sbin"];
        if !found
            .iter()
            .any(|folder| Path::new(folder).join(program).exists())
        {
            eprintln!("NOT CHECKED, {program} is not installed");
            return None;
        }
        let (server, folder) = server(set);
        let config = config(folder.path(), both());
        let [chain, key] =
            ["chain.pem", "key.pem"].map(|file| fs::read(folder.path().join(file)).unwrap());
        fs::write(folder.path().join("lobby.pem"), [chain, key].concat()).unwrap();
        let free = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port());
        Some(Stage {
            server,
            folder,
            config,
            ports,
        })
    }

    /// A file of `tuning/proxies` with these words in place of those; each must be there.
    fn configured(&self, file: &str, words: &[(&str, String)]) -> PathBuf {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tuning/proxies")
            .join(file);
        let mut text = fs::read_to_string(path).unwrap();
        let own = self.folder.path().display();
        let path = |file: &str| format!("{own}/{file}");
        let live = "/etc/letsencrypt/live/lobby.example.org";
        let files = [
            (format!("{live}/fullchain.pem"), path("chain.pem")),
            (format!("{live}/privkey.pem"), path("key.pem")),
        ];
        for (from, to) in &files {
            text = text.replace(from, to);
        }
        for (from, to) in words {
            assert!(text.contains(from), "{file} has no {from:?}");
            text = text.replace(from, to);
        }
        let made = self.folder.path().join(file);
        fs::write(&made, text).unwrap();
        made
    }

    /// `127.0.0.1:PORT` of a listener.
    fn listener(&self, name: &str) -> String {
        self.server.listener(name).unwrap().to_string()
    }

    /// Starts the proxy and waits until it takes connections.
    fn start(&self, command: &mut Command) -> Proxy {
        let log = fs::File::create(self.folder.path().join("log")).unwrap();
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let proxy = Proxy(command.spawn().unwrap());
        until("the proxy listens", || {
            TcpStream::connect((Ipv4Addr::LOCALHOST, self.ports[0])).is_ok()
        });
        proxy
    }

    /// A player's connection to a port of the proxy, from the player's own address.
    fn connect(&self, port: u16) -> Stream {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket
            .bind(&SocketAddr::new(IpAddr::V4(PLAYER), 0).into())
            .unwrap();
        let to = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        socket.connect(&to.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        over(&self.config, stream).unwrap()
    }

    /// Signs orion in over a WebSocket, and says how the server knows where he is.
    fn over_websocket(&self, port: u16) {
        self.forget();
        let url = "wss://localhost/ws";
        let (mut socket, _) = tungstenite::client(url, self.connect(port)).unwrap();
        socket
            .send(Message::text(hello("orion").to_string()))
            .unwrap();
        while !socket
            .read()
            .unwrap()
            .into_text()
            .unwrap()
            .contains("\"welcome\"")
        {}
        assert_eq!(self.stored(), PLAYER.to_string());
    }

    /// The same over TCP.
    fn over_tcp(&self, port: u16) {
        self.forget();
        let mut stream = self.connect(port);
        stream
            .write_all(format!("{}\n", hello("orion")).as_bytes())
            .unwrap();
        let (mut heard, mut bytes) = (String::new(), [0; 1 << 14]);
        while !heard.contains("\"welcome\"") {
            let count = stream.read(&mut bytes).unwrap();
            assert!(count > 0, "ended after {heard}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        assert_eq!(self.stored(), PLAYER.to_string());
    }

    fn forget(&self) {
        self.server
            .sql("UPDATE login SET ip = NULL WHERE id = 11")
            .unwrap();
    }

    fn stored(&self) -> String {
        let rows = self
            .server
            .database
            .rows("SELECT COALESCE(ip, 'none') FROM login WHERE id = 11");
        rows.unwrap().remove(0)
    }
}

/// Ports of the file's doors, on loopback.
fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

#[test]
fn nginx_as_the_page_has_it() {
    let Some(stage) = Stage::new("nginx", &["faf.proxy=true"]) else {
        return;
    };
    let module = "/usr/lib/nginx/modules/ngx_stream_module.so";
    if !Path::new(module).exists() {
        return eprintln!("NOT CHECKED, nginx has no module stream (libnginx-mod-stream)");
    }
    let pid = stage.folder.path().join("pid");
    let file = stage.configured(
        "nginx.conf",
        &[
            ("modules/ngx_stream_module.so", module.to_owned()),
            ("/run/nginx.pid", pid.display().to_string()),
            ("listen 443", format!("listen {}", at(stage.ports[0]))),
            ("listen 8443", format!("listen {}", at(stage.ports[1]))),
            ("127.0.0.1:8003", stage.listener("faf/websocket")),
            ("127.0.0.1:8002", stage.listener("faf/json")),
        ],
    );
    let errors = stage.folder.path().join("errors");
    let mut command = Command::new("/usr/sbin/nginx");
    command
        .args(["-g", "daemon off;", "-e"])
        .arg(&errors)
        .arg("-c")
        .arg(file);
    let _proxy = stage.start(&mut command);
    stage.over_websocket(stage.ports[0]);
    stage.over_tcp(stage.ports[1]);
}

#[test]
fn haproxy_as_the_page_has_it() {
    let Some(stage) = Stage::new("haproxy", &["faf.proxy=true"]) else {
        return;
    };
    let pem = stage.folder.path().join("lobby.pem").display().to_string();
    let file = stage.configured(
        "haproxy.cfg",
        &[
            // It ends unless it may open twice as many files.
            ("maxconn 40000", "maxconn 1000".to_owned()),
            ("/etc/haproxy/lobby.pem", pem),
            ("bind :443", format!("bind {}", at(stage.ports[0]))),
            ("bind :8443", format!("bind {}", at(stage.ports[1]))),
            ("bind :8445", format!("bind {}", at(stage.ports[2]))),
            ("127.0.0.1:8003", stage.listener("faf/websocket")),
            ("127.0.0.1:8002", stage.listener("faf/json")),
            ("127.0.0.1:8444", stage.listener("faf/json/tls")),
        ],
    );
    let mut command = Command::new("/usr/sbin/haproxy");
    let _proxy = stage.start(command.arg("-db").arg("-f").arg(file));
    stage.over_websocket(stage.ports[0]);
    stage.over_tcp(stage.ports[1]);
    stage.over_tcp(stage.ports[2]);
}

#[test]
fn caddy_as_the_page_has_it() {
    let Some(stage) = Stage::new("caddy", &[]) else {
        return;
    };
    let site = format!("https://localhost:{} {{\n\tbind 127.0.0.1", stage.ports[0]);
    let file = stage.configured(
        "Caddyfile",
        &[
            // Else it would listen on port 80, to send people on.
            (
                "admin off",
                "admin off\n\tauto_https disable_redirects".to_owned(),
            ),
            ("lobby.example.org {", site),
            ("127.0.0.1:8003", stage.listener("faf/websocket")),
        ],
    );
    let mut command = Command::new("/usr/bin/caddy");
    command
        .env("HOME", stage.folder.path())
        .args(["run", "--adapter", "caddyfile", "--config"]);
    let _proxy = stage.start(command.arg(file));
    stage.over_websocket(stage.ports[0]);
}
