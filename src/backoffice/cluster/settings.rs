//! What an operator may choose about a lobby on several machines.

use std::path::PathBuf;

settings::settings! {
    /// A lobby on several machines.
    #[derive(Clone, Debug)]
    pub struct Cluster {
        /// NATS servers by which the nodes of one lobby speak to each other: "nats://HOST:4222", or "tls://HOST:4222"; several
        /// of one cluster of servers with commas between. Nodes also share the database of store.url, which must be a MariaDB
        /// server then. Empty: this server is the whole lobby.
        url: Option<String> = "cluster.url", prefixed_or_off(&["nats://", "tls://"]), "";
        /// Name of the lobby: nodes of the same name are one lobby. At most 32 letters, digits, "-" and "_".
        lobby: String = "cluster.lobby", text(), "default";
        /// What this node is called where people look: in NATS, in the log and in `muster ctl cluster`. Empty: this host's name.
        name: Option<String> = "cluster.name", text(), "";
        /// What NATS is told of who we are: "USER:PASSWORD", or a file of credentials, whose name begins with "/" or "./".
        credentials: Option<String> = "cluster.credentials", text(), "", secret;
        /// The second word needed to use NATS servers beyond loopback without credentials. Whoever can publish there can do
        /// anything in the lobby.
        insecure: bool = "cluster.insecure", flag(), "false";
    }
}

/// The longest name of a lobby: it is part of the names of locks, which databases bound.
const LOBBY_BYTES: usize = 32;

/// How to prove who we are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Credentials {
    File(PathBuf),
    User { name: String, password: String },
}

impl Cluster {
    /// Whether there are to be other nodes.
    pub fn is_wanted(&self) -> bool {
        self.url.is_some()
    }

    /// The NATS servers.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        let all = self.url.as_deref().unwrap_or_default().split(',');
        all.map(str::trim).filter(|server| !server.is_empty())
    }

    /// How to prove who we are, if that is needed.
    pub(super) fn proof(&self) -> Option<Credentials> {
        let text = self.credentials.as_deref()?;
        if text.starts_with('/') || text.starts_with("./") {
            return Some(Credentials::File(text.into()));
        }
        let (name, password) = text.split_once(':')?;
        Some(Credentials::User {
            name: name.to_owned(),
            password: password.to_owned(),
        })
    }

    /// What does not go together, with this database, in words.
    pub fn fault(&self, store_url: &str) -> Option<String> {
        if !self.is_wanted() {
            return None;
        }
        if store_url.starts_with("sqlite:") {
            let text = "cluster.url is set, but store.url is an embedded database: nodes of one lobby share a MariaDB server";
            return Some(text.to_owned());
        }
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        let is_name =
            |name: &str| (1..=LOBBY_BYTES).contains(&name.len()) && name.chars().all(known);
        if !is_name(&self.lobby) {
            return Some(format!(
                "cluster.lobby is \"{}\": it takes 1 to {LOBBY_BYTES} letters, digits, \"-\" and \"_\"",
                self.lobby
            ));
        }
        if self.credentials.is_some() && self.proof().is_none() {
            let text = "cluster.credentials is neither \"USER:PASSWORD\" nor a file whose name begins with \"/\" or \"./\"";
            return Some(text.to_owned());
        }
        self.servers().find_map(|server| self.fault_of(server))
    }

    fn fault_of(&self, server: &str) -> Option<String> {
        let Some(host) = host(server) else {
            return Some(format!(
                "cluster.url has \"{server}\" in it, which is not \"nats://HOST:PORT\"; who we are stands in cluster.credentials"
            ));
        };
        let near = host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        (!near && self.credentials.is_none() && !self.insecure).then(|| {
            format!(
                "{server} is beyond loopback and there are no cluster.credentials: whoever can publish there can do anything in \
                 the lobby. Set them, or say cluster.insecure = true too"
            )
        })
    }
}

/// The host of `nats://HOST:PORT`.
fn host(server: &str) -> Option<&str> {
    let rest = server.strip_prefix("nats://");
    let rest = rest.or_else(|| server.strip_prefix("tls://"))?;
    let host = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => rest.split_once(':').map_or(rest, |(host, _)| host),
    };
    (!host.is_empty() && !rest.contains(['@', '/'])).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARIADB: &str = "mysql://user@db/lobby";

    fn cluster(change: impl FnOnce(&mut Cluster)) -> Cluster {
        let mut cluster = Cluster {
            url: Some("nats://127.0.0.1:4222".to_owned()),
            ..Cluster::default()
        };
        change(&mut cluster);
        cluster
    }

    fn fault(change: impl FnOnce(&mut Cluster)) -> String {
        cluster(change).fault(MARIADB).unwrap_or_default()
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        assert_eq!(fault(|_| ()), "");
        assert_eq!(Cluster::default().fault("sqlite:x"), None);
        let embedded = cluster(|_| ()).fault("sqlite:x").unwrap();
        assert!(embedded.contains("store.url"), "{embedded}");
        for lobby in ["", "a b", "a.b", "ä", &"x".repeat(33)] {
            let text = fault(|cluster| cluster.lobby = lobby.to_owned());
            assert!(text.contains("cluster.lobby"), "{lobby}: {text}");
        }
        let text = fault(|cluster| cluster.credentials = Some("user".to_owned()));
        assert!(text.contains("USER:PASSWORD"), "{text}");
    }

    #[test]
    fn strangers_servers_need_credentials_or_a_second_word() {
        let at =
            |url: &'static str| move |cluster: &mut Cluster| cluster.url = Some(url.to_owned());
        for near in [
            "nats://localhost",
            "nats://[::1]:4222",
            "tls://127.8.0.1:1,nats://127.0.0.1",
        ] {
            assert_eq!(fault(at(near)), "", "{near}");
        }
        let far = "nats://127.0.0.1:1, nats://10.0.0.1:4222";
        let text = fault(at(far));
        assert!(text.starts_with("nats://10.0.0.1:4222"), "{text}");
        let allowed: [fn(&mut Cluster); 2] = [
            |cluster| cluster.insecure = true,
            |cluster| cluster.credentials = Some("/etc/muster/nats.creds".to_owned()),
        ];
        for change in allowed {
            let text = fault(|cluster| {
                at(far)(cluster);
                change(cluster);
            });
            assert_eq!(text, "");
        }
        for wrong in [
            "nats://",
            "nats://user:pass@host:4222",
            "nats://host/path",
            "http://host",
        ] {
            let text = fault(at(wrong));
            assert!(
                text.contains("is not \"nats://HOST:PORT\""),
                "{wrong}: {text}"
            );
        }
    }

    #[test]
    fn credentials_are_a_file_or_a_user() {
        let proof =
            |text: &str| cluster(|cluster| cluster.credentials = Some(text.to_owned())).proof();
        assert_eq!(proof("/a:b"), Some(Credentials::File("/a:b".into())));
        let user = |name: &str, password: &str| {
            Some(Credentials::User {
                name: name.to_owned(),
                password: password.to_owned(),
            })
        };
        assert_eq!(proof("me:a:b/c"), user("me", "a:b/c"));
        assert_eq!(proof("me"), None);
    }
}
