//! Who is kept out, and who is not heard.
//!
//! A ban is kept where the lobby has a store for it; networks, names in lobbies without accounts, and who is silenced are in the
//! operators' own store. Whatever it is, it holds from the moment on at which the command says so.

use std::time::Duration;

use muster::{
    backoffice::{
        operator::{Kind, Sanction as Kept},
        unix_now,
    },
    control_socket::{Banned, Reply, SAY_LOBBY, Whom},
    engine::Eviction,
    lobby::operator::{Act, Farewell, Sanction, Until, Wanted},
    settings::{Cidr, NotABlock},
};

use crate::serve::shards::{self, Lobbies};

use super::{
    Desk,
    moderation::{somebody, told},
    stores::Keeper,
};

/// The longest that is not for good: longer is not told apart from it.
const LONGEST_S: u64 = 50 * 365 * 86_400;
/// Networks that are larger hold too many who have done nothing: leading bits, of IPv4 and IPv6.
const LEAST_BITS: (u8, u8) = (8, 16);
/// Connections of a network that are ended at once on a shard.
const AT_ONCE: usize = 64;

/// A ban or a silence that is to be.
struct Spoken<'a> {
    reason: &'a str,
    for_s: Option<u64>,
    uid: Option<u32>,
}

impl Spoken<'_> {
    /// Unix time; none: for good.
    fn until(&self) -> Option<Duration> {
        let seconds = self.for_s?;
        Some(Duration::from_secs_f64(unix_now()) + Duration::from_secs(seconds))
    }

    fn farewell(&self) -> Farewell {
        Farewell::Banned {
            reason: self.reason.to_owned(),
            until: self.until(),
        }
    }

    fn words(&self) -> String {
        let length = self.for_s.map(Duration::from_secs);
        length.map_or_else(
            || "for good".to_owned(),
            |length| format!("for {}", humantime::format_duration(length)),
        )
    }

    fn kept(&self, kind: Kind, lobby: &str, target: &str) -> Kept {
        Kept {
            kind,
            lobby: lobby.to_owned(),
            target: target.to_owned(),
            reason: self.reason.to_owned(),
            since: unix_now(),
            until: self.until().map(|until| until.as_secs_f64()),
            uid: self.uid,
        }
    }

    fn order(&self, name: &str) -> Sanction {
        Sanction {
            name: name.to_owned(),
            reason: self.reason.to_owned(),
            until: self.until().map_or(Until::Ever, Until::Then),
        }
    }
}

/// A length of time that makes sense.
fn checked(for_s: Option<u64>) -> Result<Option<u64>, String> {
    match for_s {
        Some(0) => Err("a length of time is at least a second".to_owned()),
        Some(seconds) if seconds > LONGEST_S => {
            Err("that is longer than 50 years: leave out --for".to_owned())
        }
        for_s => Ok(for_s),
    }
}

/// A network that is not half of the world.
fn network(text: &str) -> Result<Cidr, String> {
    let network: Cidr = text.parse().map_err(|fault| match fault {
        NotABlock::Form => format!("{text:?} is not a network such as 192.0.2.0/24"),
        NotABlock::Mapped => format!("{text:?}: {fault}"),
    })?;
    let (is_v6, bits) = network.length();
    let least = if is_v6 { LEAST_BITS.1 } else { LEAST_BITS.0 };
    match bits < least {
        true => Err(format!(
            "{network} is too much of the world: a network has {least} bits at least"
        )),
        false => Ok(network.plain()),
    }
}

impl Desk {
    /// Keeps somebody out, and throws them out.
    pub(super) async fn ban(
        &self,
        whom: &Whom,
        lobby: Option<&str>,
        for_s: Option<u64>,
        reason: &str,
        uid: Option<u32>,
    ) -> Result<Reply, String> {
        let spoken = Spoken {
            reason: told(reason)?,
            for_s: checked(for_s)?,
            uid,
        };
        let (what, gone) = match whom {
            Whom::Network(text) => self.ban_network(network(text)?, lobby, &spoken).await?,
            Whom::Client(id) => self.ban_client(id, &spoken).await?,
            Whom::Player(name) => self.ban_player(name, lobby, &spoken).await?,
        };
        let gone = match gone {
            0 => String::new(),
            1 => ", and thrown out".to_owned(),
            gone => format!(", and {gone} connections ended"),
        };
        let length = spoken.words();
        Ok(Reply::Done(format!("{what} is banned {length}{gone}")))
    }

    async fn ban_player(
        &self,
        name: &str,
        lobby: Option<&str>,
        spoken: &Spoken<'_>,
    ) -> Result<(String, usize), String> {
        somebody(name)?;
        let lobbies = self.one_lobby(lobby)?;
        let config = self.controlled.current.borrow().clone();
        let (lobby, protocol) = lobbies[0];
        let keeper = Keeper::of(lobby, &config);
        let (reason, for_s) = (spoken.reason, spoken.for_s);
        let banned = self.stores.ban(keeper, &config, name, reason, for_s);
        let names = banned.await?;
        if keeper == Keeper::Desk {
            let act = Act::Ban(spoken.order(name));
            if self.shards.order(protocol, &act).await?.is_none() {
                return Err(format!("{lobby} keeps nobody out by name; ban a network"));
            }
            self.keep(spoken.kept(Kind::Name, lobby, name)).await?;
        }
        let gone = self.throw_out_all(&lobbies, &names, spoken).await?;
        Ok((format!("{} ({lobby})", names.join(", ")), gone))
    }

    async fn ban_client(&self, id: &str, spoken: &Spoken<'_>) -> Result<(String, usize), String> {
        let config = self.controlled.current.borrow().clone();
        if Keeper::of("cockatrice", &config) != Keeper::Cockatrice {
            return Err(
                "no lobby here has accounts that know a client: cockatrice.auth".to_owned(),
            );
        }
        if id.is_empty() {
            return Err("a client's name has at least one letter".to_owned());
        }
        let stores = &self.stores;
        stores
            .ban_client(&config, id, spoken.reason, spoken.for_s)
            .await?;
        let lobbies = shards::lobbies(Some("cockatrice"))?;
        let wanted = Wanted::Client(id.to_owned());
        let gone = self
            .throw_out(&lobbies, &wanted, &spoken.farewell())
            .await?;
        Ok((format!("client {id}"), gone.len()))
    }

    async fn ban_network(
        &self,
        network: Cidr,
        lobby: Option<&str>,
        spoken: &Spoken<'_>,
    ) -> Result<(String, usize), String> {
        if lobby.is_some() {
            return Err("a network is kept out of all lobbies: leave out --lobby".to_owned());
        }
        let text = network.to_string();
        self.keep(spoken.kept(Kind::Network, "", &text)).await?;
        self.tell_engine().await?;
        let mut gone = 0;
        for shard in self.controlled.mesh.ids() {
            let eviction = Eviction {
                conn: None,
                network: Some(network),
                protocol: None,
                from: 0,
                most: AT_ONCE,
                farewell: spoken.farewell(),
            };
            gone += self.shards.evict(shard, eviction).await.unwrap_or(0);
        }
        Ok((text, gone as usize))
    }

    async fn throw_out_all(
        &self,
        lobbies: &Lobbies,
        names: &[String],
        spoken: &Spoken<'_>,
    ) -> Result<usize, String> {
        let mut gone = 0;
        for name in names {
            let wanted = Wanted::Name(name.clone());
            let farewell = spoken.farewell();
            gone += self.throw_out(lobbies, &wanted, &farewell).await?.len();
        }
        Ok(gone)
    }

    /// Lets somebody in again.
    pub(super) async fn unban(&self, whom: &Whom, lobby: Option<&str>) -> Result<Reply, String> {
        let config = self.controlled.current.borrow().clone();
        let lifted = match whom {
            Whom::Network(text) => {
                let network = network(text)?.to_string();
                let lifted = self.lift(Kind::Network, "", &network).await?;
                // An earlier version kept what was written of IPv4 addresses as IPv6, and nobody was met by it.
                let written = self.lift(Kind::Network, "", text).await?;
                self.tell_engine().await?;
                lifted || written
            }
            Whom::Client(id) => self.stores.unban_client(&config, id).await?,
            Whom::Player(name) => {
                let (lobby, protocol) = self.one_lobby(lobby)?[0];
                let keeper = Keeper::of(lobby, &config);
                match keeper {
                    Keeper::Desk => {
                        let act = Act::Ban(lift(name));
                        self.shards.order(protocol, &act).await?;
                        self.lift(Kind::Name, lobby, name).await?
                    }
                    keeper => self.stores.unban(keeper, &config, name).await?,
                }
            }
        };
        match lifted {
            true => Ok(Reply::Done(format!("{} may come back", whom.text()))),
            false => Err(format!("{} is not banned", whom.text())),
        }
    }

    /// Everybody who is kept out or silenced.
    pub(super) async fn bans(&self, lobby: Option<&str>) -> Result<Reply, String> {
        let lobbies = shards::lobbies(lobby)?;
        let config = self.controlled.current.borrow().clone();
        let mut all = Vec::new();
        for &(lobby, _) in lobbies.iter().filter(|(one, _)| self.is_on(one)) {
            let keeper = Keeper::of(lobby, &config);
            for (kind, target, reason, until) in self.stores.bans(keeper, &config).await? {
                let lobby = lobby.to_owned();
                all.push(Banned {
                    kind,
                    lobby,
                    target,
                    reason,
                    until,
                });
            }
        }
        let kept = self.store()?.sanctions().await.map_err(|e| e.to_string())?;
        let is_meant =
            |one: &Kept| lobby.is_none_or(|lobby| one.lobby.is_empty() || one.lobby == lobby);
        all.extend(kept.into_iter().filter(is_meant).map(|kept| {
            Banned {
                kind: match kept.kind {
                    Kind::Network => "network",
                    Kind::Name => "name",
                    Kind::Mute => "mute",
                }
                .to_owned(),
                lobby: kept.lobby,
                target: kept.target,
                reason: kept.reason,
                until: kept.until,
            }
        }));
        Ok(Reply::Bans(all))
    }

    /// Has somebody not heard any more.
    pub(super) async fn mute(
        &self,
        name: &str,
        lobby: Option<&str>,
        for_s: Option<u64>,
        reason: &str,
        uid: Option<u32>,
    ) -> Result<Reply, String> {
        let spoken = Spoken {
            reason: told(reason)?,
            for_s: checked(for_s)?,
            uid,
        };
        somebody(name)?;
        let silent = self.silence(lobby, &spoken.order(name)).await?;
        for lobby in &silent {
            self.keep(spoken.kept(Kind::Mute, lobby, name)).await?;
        }
        let (lobbies, length) = (silent.join(", "), spoken.words());
        Ok(Reply::Done(format!(
            "{name} is not heard {length} ({lobbies})"
        )))
    }

    /// Has somebody heard again.
    pub(super) async fn unmute(&self, name: &str, lobby: Option<&str>) -> Result<Reply, String> {
        let heard = self.silence(lobby, &lift(name)).await?;
        let mut lifted = false;
        for lobby in &heard {
            lifted |= self.lift(Kind::Mute, lobby, name).await?;
        }
        match lifted {
            true => Ok(Reply::Done(format!("{name} is heard again"))),
            false => Err(format!("{name} is not silenced")),
        }
    }

    /// The lobbies in which that was done: those that have chat.
    async fn silence(
        &self,
        lobby: Option<&str>,
        sanction: &Sanction,
    ) -> Result<Vec<&'static str>, String> {
        let mut done = Vec::new();
        for (lobby, protocol) in shards::lobbies(lobby)? {
            let act = Act::Mute(sanction.clone());
            if self.is_on(lobby) && self.shards.order(protocol, &act).await?.is_some() {
                done.push(lobby);
            }
        }
        match (done.is_empty(), lobby) {
            (true, Some(lobby)) => Err(format!("{lobby} has no chat of its own")),
            (true, None) => Err("no lobby here has chat of its own".to_owned()),
            _ => Ok(done),
        }
    }

    /// Has the shards and the acceptor know what holds, as the store has it. For the start.
    pub(super) async fn restore(&self) -> Result<(), String> {
        self.tell_engine().await?;
        let kept = self.store()?.sanctions().await.map_err(|e| e.to_string())?;
        for kept in kept {
            let Ok(lobbies) = shards::lobbies(Some(&kept.lobby)) else {
                continue; // a network's, or of a lobby that there is no more
            };
            let until = kept.until.map(Duration::from_secs_f64);
            let sanction = Sanction {
                name: kept.target,
                reason: kept.reason,
                until: until.map_or(Until::Ever, Until::Then),
            };
            let act = match kept.kind {
                Kind::Network => continue,
                Kind::Name => Act::Ban(sanction),
                Kind::Mute => Act::Mute(sanction),
            };
            for (_, protocol) in lobbies {
                self.shards.order(protocol, &act).await?;
            }
        }
        Ok(())
    }

    async fn tell_engine(&self) -> Result<(), String> {
        let kept = self.store()?.sanctions().await.map_err(|e| e.to_string())?;
        let networks = kept.into_iter().filter(|kept| kept.kind == Kind::Network);
        let networks = networks.filter_map(|kept| {
            let network = kept.target.parse().ok()?;
            Some((network, kept.until.map(Duration::from_secs_f64)))
        });
        self.controlled.strangers.bans.set(networks);
        Ok(())
    }

    async fn keep(&self, sanction: Kept) -> Result<(), String> {
        match self.store()?.sanction(&sanction).await {
            Ok(true) => Ok(()),
            Ok(false) => {
                Err("there are too many bans already: lift some, or use a firewall".to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }

    async fn lift(&self, kind: Kind, lobby: &str, target: &str) -> Result<bool, String> {
        let lifted = self.store()?.lift(kind, lobby, target).await;
        lifted.map_err(|error| error.to_string())
    }

    /// The one lobby that is meant. Where several are spoken it has to be said which: the same name is somebody else there.
    fn one_lobby(&self, named: Option<&str>) -> Result<Lobbies, String> {
        let mut lobbies = shards::lobbies(named)?;
        if named.is_none() {
            lobbies.retain(|(lobby, _)| self.is_on(lobby));
        }
        match lobbies.len() {
            1 => Ok(lobbies),
            _ => {
                let names: Vec<&str> = lobbies.iter().map(|(name, _)| *name).collect();
                Err(format!("{SAY_LOBBY}, one of {}", names.join(", ")))
            }
        }
    }
}

fn lift(name: &str) -> Sanction {
    Sanction {
        name: name.to_owned(),
        reason: String::new(),
        until: Until::Lifted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_one_way_and_not_half_of_the_world() {
        assert_eq!(
            network("192.0.2.77/24").unwrap().to_string(),
            "192.0.2.0/24"
        );
        let alone = network("192.0.2.77").unwrap().to_string();
        assert_eq!(alone, "192.0.2.77/32");
        assert!(
            network("0.0.0.0/0")
                .unwrap_err()
                .contains("too much of the world")
        );
        assert!(network("2001::/15").is_err() && network("2001:db8::/32").is_ok());
        assert!(network("eve").is_err());
        let mapped = network("::ffff:203.0.113.9/120").unwrap().to_string();
        assert_eq!(mapped, "203.0.113.0/24");
        let too_short = network("::ffff:203.0.113.9/64").unwrap_err();
        assert!(too_short.contains("96 bits"), "{too_short}");
        assert!(network("::ffff:0:0/96").is_err(), "that is all of IPv4");
    }

    #[test]
    fn a_length_of_time_is_one() {
        assert_eq!(checked(None), Ok(None));
        assert_eq!(checked(Some(60)), Ok(Some(60)));
        assert!(checked(Some(0)).is_err() && checked(Some(LONGEST_S + 1)).is_err());
    }
}
