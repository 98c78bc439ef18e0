//! What an operator does about people at once: throwing them out, telling them something.

use muster::{
    config::Config,
    control_socket::Reply,
    engine::Eviction,
    lobbies::Router,
    lobby::{
        Listener,
        operator::{Act, Farewell, Player, Row, Subject, Wanted},
    },
};

use super::Desk;
use crate::serve::shards::{self, Lobbies};

/// Sessions of one name that are ended at once, over all lobbies.
const SESSIONS: u32 = 1_000;
/// The longest text that players are told.
const TOLD_BYTES: usize = 1_000;

/// What is told to players: one line, and not too long.
///
/// # Errors
/// In words: it is not.
pub(super) fn told(text: &str) -> Result<&str, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say something: players are told it".to_owned());
    }
    if text.len() > TOLD_BYTES || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(format!(
            "what players are told is text of {TOLD_BYTES} bytes at the most"
        ));
    }
    Ok(text)
}

/// Somebody by their exact name, or the number of their account.
///
/// # Errors
/// In words: it is neither.
pub(super) fn somebody(text: &str) -> Result<Wanted, String> {
    match shards::wanted(Some(text))? {
        Wanted::Number(number) => Ok(Wanted::Number(number)),
        _ if text.is_empty() => Err("a name has at least one letter".to_owned()),
        _ => Ok(Wanted::Name(text.to_owned())),
    }
}

/// The lobbies that are spoken anywhere, by this configuration.
pub(super) fn lobbies_that_are_on(config: &Config) -> Lobbies {
    let listeners = Router::listeners(&config.lobbies);
    let is_on = |protocol| {
        let mut listeners = listeners.iter();
        listeners.any(|listener: &Listener| listener.protocol == protocol)
    };
    let mut lobbies = Router::LOBBIES.to_vec();
    lobbies.retain(|(_, protocol)| is_on(*protocol));
    lobbies
}

impl Desk {
    /// Throws somebody out of these lobbies.
    pub(super) async fn kick(
        &self,
        player: &str,
        lobby: Option<&str>,
        reason: &str,
    ) -> Result<Reply, String> {
        let lobbies = shards::lobbies(lobby)?;
        let whom = somebody(player)?;
        let farewell = Farewell::Kicked {
            reason: told(reason)?.to_owned(),
        };
        let gone = self.throw_out(&lobbies, &whom, &farewell).await?;
        match gone.is_empty() {
            true if lobbies.len() == 1 && self.lacks_players(&lobbies).await => {
                Err(format!("{} does not tell who is there", lobbies[0].0))
            }
            true => Err(format!("nobody called {player} has signed in")),
            false => Ok(Reply::Done(format!("thrown out: {}", gone.join(", ")))),
        }
    }

    /// Tells everybody in these lobbies something.
    pub(super) async fn broadcast(&self, text: &str, lobby: Option<&str>) -> Result<Reply, String> {
        let act = Act::Broadcast(told(text)?.to_owned());
        if let Some(lobby) = lobby
            && let [(lobby, _)] = shards::lobbies(Some(lobby))?[..]
            && !self.is_on(lobby)
        {
            return Err(format!("{lobby} is not spoken here"));
        }
        let mut heard = 0;
        for (lobby, protocol) in shards::lobbies(lobby)? {
            if self.is_on(lobby) {
                heard += self.shards.order(protocol, &act).await?.unwrap_or(0);
            }
        }
        Ok(Reply::Done(format!("told {heard} players")))
    }

    /// The lobbies that are spoken anywhere.
    pub(super) fn lobbies_that_are_on(&self) -> Lobbies {
        lobbies_that_are_on(&self.controlled.current.borrow())
    }

    /// Whether a lobby is spoken anywhere.
    pub(super) fn is_on(&self, lobby: &str) -> bool {
        let on = self.lobbies_that_are_on();
        on.iter().any(|(one, _)| *one == lobby)
    }

    /// Whether no list of players is to be had there.
    async fn lacks_players(&self, lobbies: &Lobbies) -> bool {
        let (subject, wanted) = (Subject::Players, Wanted::Any);
        let listing = self.shards.list(subject, lobbies, &wanted, 0).await;
        !listing.lacking.is_empty()
    }

    /// Ends the sessions of whoever is meant, on all nodes of the lobby; who that was, and where.
    pub(super) async fn throw_out(
        &self,
        lobbies: &Lobbies,
        whom: &Wanted,
        farewell: &Farewell,
    ) -> Result<Vec<String>, String> {
        let listing = self
            .shards
            .list(Subject::Players, lobbies, whom, SESSIONS)
            .await;
        let mut gone = Vec::new();
        for listed in listing.rows {
            let Row::Player(Player { conn, name, .. }) = listed.row else {
                continue;
            };
            let eviction = Eviction {
                conn: Some(conn),
                network: None,
                protocol: None,
                from: 0,
                most: 1,
                farewell: farewell.clone(),
            };
            if self.shards.evict(conn.shard, eviction).await == Some(1) {
                gone.push(format!("{name} ({})", listed.lobby));
            }
        }
        for &(lobby, protocol) in lobbies.iter().filter(|_| !self.controlled.mesh.is_alone()) {
            for player in self.shards.elsewhere(protocol, whom).await {
                if self.shards.dismiss(protocol, &player, farewell).await {
                    let node = player.conn.shard.node();
                    gone.push(format!("{} ({lobby}, node {node})", player.name));
                }
            }
        }
        match listing.silent.first() {
            Some(shard) => Err(format!(
                "shard {shard} did not answer in time; gone are: {}",
                gone.join(", ")
            )),
            None => Ok(gone),
        }
    }
}
