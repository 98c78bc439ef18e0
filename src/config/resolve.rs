//! What depends on the machine or on another setting, and what does not go together.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    thread::available_parallelism,
};

use lobby::{Listener, cockatrice::Method, lobbies::Router};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use settings::{Group, HostAddress, Values};

use super::{error::ConfigError, groups::Settings};

/// What these values mean.
///
/// # Errors
/// Two of them do not go together.
pub(super) fn resolve(values: &Values) -> Result<Settings, ConfigError> {
    let mut settings = Settings::read(values);
    let shards = &mut settings.engine.shards;
    if *shards == 0 {
        *shards = available_parallelism().map_or(1, |cores| cores.get().min(256) as u16);
    }
    for url in [
        &mut settings.store.url,
        &mut settings.cockatrice.store_url,
        &mut settings.vcmi_json.store_url,
    ] {
        *url = in_data_dir(url, &settings.server.data_dir);
    }
    settings.countries = settings.countries.in_folder(&settings.server.data_dir);
    let host = auto_host(&settings);
    for address in settings.lobbies.addresses() {
        *address = address.with_host(host);
    }
    contradictions(&settings)?;
    Ok(settings)
}

/// A store that nobody else can have.
const IN_MEMORY: &str = "sqlite::memory:";

/// What stands for itself in the path of a URL; everything else is written as `%` and its number.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// `{data_dir}` is filled in: a store is a URL, in which a folder's name may not mean anything else.
fn in_data_dir(url: &str, data_dir: &Path) -> String {
    let folder = data_dir.as_os_str().as_encoded_bytes();
    let folder = percent_encode(folder, IN_A_PATH).to_string();
    url.replace("{data_dir}", &folder)
}

/// Where a listener is whose host is "auto": loopback as long as sign-in is open and nobody asked for more.
fn auto_host(settings: &Settings) -> IpAddr {
    match settings.sign_in.is_confined() {
        true => Ipv4Addr::LOCALHOST.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// Two that would listen on the same port of the same address.
fn meet(settings: &Settings) -> Option<String> {
    let listeners = Router::listeners(&settings.lobbies).into_iter();
    let http = &settings.http;
    let endpoints = [
        ("http/control", http.control),
        ("http/health", http.health),
        ("http/metrics", http.metrics),
        ("http/page", http.page),
        ("vcmi-json/http", settings.vcmi_json.http),
    ];
    let json = settings.lobbies.vcmi_json.dialect.enabled;
    let endpoints = endpoints.into_iter();
    let endpoints = endpoints.filter(|(name, _)| json || *name != "vcmi-json/http");
    let all: Vec<(String, Where)> = listeners
        .map(|listener| (listener.name, Where::At(listener.address)))
        .chain(endpoints.filter_map(|(name, address)| {
            let place = match address {
                HostAddress::Off => return None,
                HostAddress::Host(port) => Where::OfThisHost(port),
                HostAddress::Fixed(address) => Where::At(address),
            };
            Some((name.to_owned(), place))
        }))
        .collect();
    for (i, (name, place)) in all.iter().enumerate() {
        if let Some((other, there)) = all[..i].iter().find(|(_, there)| there.meets(*place)) {
            return Some(format!(
                "{name} would listen on {place}, where {other} is already ({there})"
            ));
        }
    }
    None
}

/// Where something listens.
#[derive(Clone, Copy)]
enum Where {
    At(SocketAddr),
    /// On the address of this host's name, which is not known yet.
    OfThisHost(u16),
}

impl Where {
    /// Whether two can't both be had. Port 0 is any free one.
    fn meets(self, other: Where) -> bool {
        let (here, there) = (self.port(), other.port());
        if here != there || here == 0 {
            return false;
        }
        match (self, other) {
            (Where::At(a), Where::At(b)) => {
                let (a, b) = (a.ip().to_canonical(), b.ip().to_canonical());
                // That of IPv6 is everywhere in IPv4 too.
                let covers = |wide: IpAddr, other: IpAddr| {
                    wide.is_unspecified() && (wide.is_ipv6() || other.is_ipv4())
                };
                a == b || covers(a, b) || covers(b, a)
            }
            (Where::At(a), Where::OfThisHost(_)) | (Where::OfThisHost(_), Where::At(a)) => {
                a.ip().is_unspecified()
            }
            (Where::OfThisHost(_), Where::OfThisHost(_)) => true,
        }
    }

    fn port(self) -> u16 {
        match self {
            Where::At(address) => address.port(),
            Where::OfThisHost(port) => port,
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Where::At(address) => write!(f, "{address}"),
            Where::OfThisHost(port) => write!(f, "host:{port}"),
        }
    }
}

fn contradictions(settings: &Settings) -> Result<(), ConfigError> {
    let refuse = |text: String| Err(ConfigError::Contradiction(text));
    if Router::listeners(&settings.lobbies).is_empty() {
        return refuse(
            "no listener is on: set one of faf.qdatastream_address, faf.json_address, \
             faf.websocket_address, vcmi.address, cockatrice.enabled, or vcmi_json.enabled"
                .into(),
        );
    }
    tls(settings).map_err(ConfigError::Contradiction)?;
    cockatrice(settings).map_err(ConfigError::Contradiction)?;
    if let Some(fault) = settings.cluster.fault(&settings.store.url) {
        return refuse(fault);
    }
    let has_accounts = settings.lobbies.cockatrice.listener.enabled
        && settings.lobbies.cockatrice.dialect.method == Method::Accounts;
    if settings.cluster.is_wanted()
        && has_accounts
        && settings.cockatrice.store_url.starts_with("sqlite:")
    {
        return refuse(
            "cluster.url is set, but cockatrice.store_url is an embedded database: nodes of one lobby share a MariaDB server"
                .into(),
        );
    }
    let stores = [
        ("store.url", &settings.store.url),
        ("cockatrice.store_url", &settings.cockatrice.store_url),
        ("vcmi_json.store_url", &settings.vcmi_json.store_url),
    ];
    for (at, (name, url)) in stores.iter().enumerate() {
        let embedded = url.starts_with("sqlite:") && *url != IN_MEMORY;
        let mut others = stores[at + 1..].iter();
        if let Some((other, _)) = others.find(|(_, other)| embedded && other == url) {
            return refuse(format!(
                "{name} and {other} are the same: each lobby has a file of its own"
            ));
        }
    }
    if let Some(text) = meet(settings) {
        return refuse(text);
    }
    let outbox = &settings.lobbies.faf.outbox;
    if outbox.hard_bytes < outbox.soft_bytes {
        return refuse(format!(
            "limits.outbox_hard_bytes ({}) is below limits.outbox_soft_bytes ({})",
            outbox.hard_bytes, outbox.soft_bytes
        ));
    }
    let listeners = &settings.lobbies.faf.listeners;
    if settings.sign_in.is_confined()
        && let Some(opened) = listeners
            .listeners()
            .find(|opened| !opened.address.ip().is_loopback())
    {
        let (name, address) = (opened.name, opened.address);
        return refuse(format!(
            "{name} would listen on {address} while faf.auth is \"open\": anybody could sign in as anybody. \
             Set faf.auth = \"database\", or listen on 127.0.0.1, or say faf.open_beyond_loopback = true too"
        ));
    }
    Ok(())
}

/// What does not go together in listeners with TLS and what they show.
fn tls(settings: &Settings) -> Result<(), String> {
    let files = &settings.server.tls;
    match (&files.certificate, &files.key) {
        (Some(_), None) => {
            return Err("server.tls_certificate is set and server.tls_key is not".into());
        }
        (None, Some(_)) => {
            return Err("server.tls_key is set and server.tls_certificate is not".into());
        }
        (Some(_), Some(_)) => return Ok(()),
        (None, None) => {}
    }
    let mut listeners = Router::listeners(&settings.lobbies).into_iter();
    match listeners.find(|listener| listener.tls) {
        Some(Listener { name, .. }) => Err(format!(
            "{name} is to listen, but there is no certificate: set server.tls_certificate and server.tls_key"
        )),
        None => Ok(()),
    }
}

/// What does not go together in the Cockatrice lobby's settings.
fn cockatrice(settings: &Settings) -> Result<(), String> {
    let lobby = &settings.lobbies.cockatrice;
    lobby.dialect.room_list()?;
    if let Some(fault) = settings.cockatrice.fault() {
        return Err(fault);
    }
    if lobby.listener.enabled && lobby.listener.listeners().next().is_none() {
        return Err(
            "cockatrice.enabled is set, but cockatrice.tcp_address, cockatrice.websocket_address and those with TLS are all off: \
             nobody could come in"
                .to_owned(),
        );
    }
    if lobby.dialect.registered_only && lobby.dialect.method == Method::Nothing {
        return Err(
            "cockatrice.registered_only lets in nobody as long as cockatrice.auth is \"none\": there are no accounts"
                .to_owned(),
        );
    }
    Ok(())
}

/// What goes together, but hardly as it was meant.
pub(super) fn doubts(settings: &Settings) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut listeners = Router::listeners(&settings.lobbies).into_iter();
    if settings.server.tls.certificate.is_some() && !listeners.any(|listener| listener.tls) {
        doubts.push(
            "server.tls_certificate is set, but no listener has TLS: set faf.json_tls_address, faf.websocket_tls_address, \
             vcmi.tls_address, or another that ends in tls_address"
                .to_owned(),
        );
    }
    let lobby = &settings.lobbies.cockatrice;
    if !lobby.listener.enabled {
        return doubts;
    }
    let accounts = &settings.cockatrice;
    let (method, mail) = (lobby.dialect.method, &accounts.mail);
    if method == Method::Password && lobby.dialect.password.is_empty() {
        doubts.push(
            "cockatrice.auth is \"password\", but cockatrice.password is empty: whoever gives no password is let in".to_owned(),
        );
    }
    let (registration, recovery) = (accounts.registration.enabled, accounts.recovery.enabled);
    if registration && method != Method::Accounts {
        doubts.push(
            "cockatrice.registration has no effect unless cockatrice.auth is \"sql\"".to_owned(),
        );
    }
    let has_tokens = (registration && accounts.registration.activation) || recovery;
    let is_sent = mail.folder.is_some() || mail.command.is_some() || mail.smtp_url.is_some();
    if method == Method::Accounts && has_tokens && !is_sent {
        doubts.push(
            "nothing sends the mail with tokens for accounts (cockatrice.smtp_url, mail_command or mail_folder): they wait in the \
             database"
                .to_owned(),
        );
    }
    doubts
}
