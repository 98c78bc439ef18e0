//! A browser without a window, spoken to over its DevTools protocol: Debian's Chromium.
//!
//! Pictures of what it shows are kept in the folder that `MUSTER_TEST_PICTURES` names, for whoever wants to look.

use std::{
    fs,
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::{Message, WebSocket};

/// Generous: a loaded machine must not fail a test.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running browser; it ends with this value.
pub(crate) struct Browser {
    child: Child,
    folder: TempDir,
    /// Where it listens, and the path under which it is spoken to itself.
    port: u16,
    path: String,
}

impl Browser {
    /// None, with a line that says so: there is none.
    pub(crate) fn start() -> Option<Browser> {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-dev-shm-usage", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-extensions"])
            .args(["--remote-debugging-port=0", "about:blank"])
            .arg(format!("--user-data-dir={}", folder.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                eprintln!("NOT CHECKED, chromium can't be run: {error}");
                return None;
            }
        };
        let mut browser = Browser {
            child,
            folder,
            port: 0,
            path: String::new(),
        };
        (browser.port, browser.path) = browser.listens_on();
        Some(browser)
    }

    /// It says where it listens in a file.
    fn listens_on(&mut self) -> (u16, String) {
        let path = self.folder.path().join("DevToolsActivePort");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = fs::read_to_string(&path).unwrap_or_default();
            // It may not have been written to its end.
            if let Some((port, path)) = text.split_once('\n')
                && path.len() > "/devtools/browser/".len() + 30
            {
                return (port.parse().unwrap(), path.trim().to_owned());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("chromium has ended: {status}");
            }
            assert!(Instant::now() < deadline, "chromium does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// An empty tab.
    pub(crate) fn tab(&self) -> Tab {
        let mut browser = self.spoken_to(&self.path);
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let id = target["targetId"].as_str().unwrap();
        let mut tab = self.spoken_to(&format!("/devtools/page/{id}"));
        for domain in ["Runtime", "Log", "Page", "Network"] {
            tab.call(&format!("{domain}.enable"), json!({}));
        }
        tab
    }

    /// The browser itself, or a tab of it.
    fn spoken_to(&self, path: &str) -> Tab {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        let url = format!("ws://127.0.0.1:{}{path}", self.port);
        let (socket, _) = tungstenite::client(url, tcp).unwrap();
        Tab {
            socket,
            next: 0,
            complaints: Vec::new(),
            requests: Vec::new(),
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One tab.
pub(crate) struct Tab {
    socket: WebSocket<TcpStream>,
    next: u64,
    /// Errors and warnings of the console, and exceptions.
    pub(crate) complaints: Vec<String>,
    /// Addresses of everything that was asked for.
    pub(crate) requests: Vec<String>,
}

impl Tab {
    /// Goes there, and waits until the document is there.
    pub(crate) fn open(&mut self, url: &str) {
        let went = self.call("Page.navigate", json!({"url": url}));
        assert_eq!(went["errorText"], Value::Null, "{url}");
        self.until("document.readyState === 'complete' && location.href !== 'about:blank'");
    }

    /// What an expression is.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let wish = json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let answer = self.call("Runtime.evaluate", wish);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{expression}: {failed}");
        answer["result"]["value"].clone()
    }

    /// The text of what a selector finds first.
    pub(crate) fn text(&mut self, selector: &str) -> String {
        let found = self.value(&format!(
            "document.querySelector({})?.textContent ?? '(nothing)'",
            json!(selector)
        ));
        found.as_str().unwrap().to_owned()
    }

    /// Waits until an expression is true; how long it took.
    pub(crate) fn until(&mut self, expression: &str) -> Duration {
        let begun = Instant::now();
        while self.value(&format!("!!({expression})")) != true {
            if begun.elapsed() > PATIENCE {
                let page = self.value("document.body.innerText");
                panic!(
                    "waited in vain for {expression}; complaints: {:?}; {page}",
                    self.complaints
                );
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        begun.elapsed()
    }

    /// Shows the page so wide, on a dark or a light screen.
    pub(crate) fn look(&mut self, width: u32, dark: bool) {
        let size =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.call("Emulation.setEmulatedMedia", media);
    }

    /// Keeps a picture of the whole page, if somebody wants it.
    pub(crate) fn picture(&mut self, name: &str) {
        let Ok(folder) = std::env::var("MUSTER_TEST_PICTURES") else {
            return;
        };
        let shot = self.call(
            "Page.captureScreenshot",
            json!({"captureBeyondViewport": true}),
        );
        let png = BASE64_STANDARD.decode(shot["data"].as_str().unwrap());
        fs::write(Path::new(&folder).join(format!("{name}.png")), png.unwrap()).unwrap();
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.next += 1;
        let id = self.next;
        let text = json!({"id": id, "method": method, "params": params}).to_string();
        self.socket.send(Message::text(text)).unwrap();
        loop {
            let Message::Text(text) = self.socket.read().unwrap() else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap();
            if message["id"] == id {
                let error = &message["error"];
                assert!(error.is_null(), "{method}: {error}");
                return message["result"].clone();
            }
            self.happened(&message);
        }
    }

    fn happened(&mut self, message: &Value) {
        let params = &message["params"];
        match message["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" => self.complaints.push(params.to_string()),
            "Runtime.consoleAPICalled" => self.complaints.push(params["args"].to_string()),
            "Log.entryAdded" => self.complaints.push(params["entry"].to_string()),
            "Network.requestWillBeSent" => {
                let url = params["request"]["url"].as_str().unwrap_or_default();
                self.requests.push(url.to_owned());
            }
            _ => {}
        }
    }
}
