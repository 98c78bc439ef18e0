//! What depends on the machine or on another setting, and what does not go together.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::Path,
    thread::available_parallelism,
};

use backoffice::settings::Database;
use lobby::lobbies::Router;
use settings::{Group, Values};

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
    in_data_dir(&mut settings.store, &settings.server.data_dir);
    settings.countries = settings.countries.in_folder(&settings.server.data_dir);
    let host = auto_host(&settings);
    for address in settings.lobbies.addresses() {
        *address = address.with_host(host);
    }
    contradictions(&settings)?;
    Ok(settings)
}

/// `{data_dir}` is filled in.
fn in_data_dir(store: &mut Database, data_dir: &Path) {
    store.url = store
        .url
        .replace("{data_dir}", &data_dir.display().to_string());
}

/// Where a listener is whose host is "auto": loopback as long as sign-in is open and nobody asked for more.
fn auto_host(settings: &Settings) -> IpAddr {
    match settings.sign_in.is_confined() {
        true => Ipv4Addr::LOCALHOST.into(),
        false => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn contradictions(settings: &Settings) -> Result<(), ConfigError> {
    let refuse = |text: String| Err(ConfigError::Contradiction(text));
    if Router::listeners(&settings.lobbies).is_empty() {
        return refuse(
            "no listener is on: set one of faf.qdatastream_address, faf.json_address, \
             faf.websocket_address, vcmi.address"
                .into(),
        );
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
        && let Some((name, _, address)) = listeners
            .listeners()
            .find(|(_, _, address)| !address.ip().is_loopback())
    {
        return refuse(format!(
            "{name} would listen on {address} while faf.auth is \"open\": anybody could sign in as anybody. \
             Set faf.auth = \"database\", or listen on 127.0.0.1, or say faf.open_beyond_loopback = true too"
        ));
    }
    Ok(())
}
