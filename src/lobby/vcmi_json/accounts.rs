//! Registering, signing in, going (spec: vcmi-lobby2 5.1, 5.2, 5.10).

use std::net::IpAddr;

use rand::RngExt;

use super::{
    JsonTurn,
    journal::{Out, Then},
    lobby::{ACCOUNTS, Lobby, Online, Peer},
    mail::{Delivery, Failure, Role},
    protocol::{
        ChannelType,
        incoming::{ClientLogin, Cookie},
        outgoing,
    },
    questions::{Account, Outcome, Step},
    settings::{ID_CHARS, LANGUAGE_ROOMS},
};
use crate::ConnId;

/// Bytes of a name (spec: vcmi-lobby2 5.1).
const NAME_BYTES: std::ops::RangeInclusive<usize> = 4..=20;
/// The channel that everybody is sent who has not chosen any.
const ENGLISH: &str = "english";

impl Lobby {
    pub(super) fn register(
        &mut self,
        turn: &mut JsonTurn<'_>,
        conn: ConnId,
        counted: Option<IpAddr>,
        name: String,
    ) {
        let legal = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !NAME_BYTES.contains(&name.len()) || !legal(&name) {
            return self.refuse(conn, "Illegal account name");
        }
        if !self.may_register(counted) {
            let why = "Too many accounts were registered from your address, please try again later";
            return self.refuse_over_limit(conn, why);
        }
        let (id, cookie) = (new_uuid(turn), Cookie(new_uuid(turn)));
        let step = Step::Register {
            id: id.clone(),
            cookie: cookie.clone(),
            name,
            at: self.unix_s(),
        };
        self.find(conn, vec![step], Then::Register { id, cookie });
    }

    fn may_register(&mut self, counted: Option<IpAddr>) -> bool {
        match (counted, self.settings.registrations()) {
            (Some(address), Some(rate)) => self.registrars.take(address, self.now.mono, rate),
            _ => true,
        }
    }

    pub(super) fn registered(&mut self, conn: ConnId, id: &str, cookie: &Cookie, found: &Outcome) {
        match found {
            Outcome::Registered(true) => {
                self.metrics.registrations.up();
                self.send(conn, outgoing::account_created(id, &cookie.0));
                self.release(conn);
            }
            Outcome::Registered(false) => self.refuse(conn, "Account name already in use"),
            _ => self.refuse(conn, "The account could not be stored"),
        }
    }

    pub(super) fn ask_client_login(&mut self, conn: ConnId, login: ClientLogin, from: IpAddr) {
        let step = Step::SignIn {
            id: login.account.clone(),
            cookie: login.cookie.clone(),
        };
        self.find(conn, vec![step], Then::ClientLogin(login, from));
    }

    /// A sign-in has not proved who it is: whoever looks after the server hears of it.
    pub(super) fn turned_away(&mut self, conn: ConnId, found: &Outcome) {
        let why = match found {
            Outcome::SignIn(None) => Failure::UnknownAccount,
            Outcome::SignIn(Some(_)) => Failure::WrongCookie,
            _ => return, // the store has not said
        };
        self.deliver(conn, Delivery::TurnedAway(conn, why));
    }

    pub(super) fn client_login(
        &mut self,
        conn: ConnId,
        login: ClientLogin,
        from: IpAddr,
        found: Outcome,
    ) {
        let Outcome::SignIn(Some((account, true))) = found else {
            self.turned_away(conn, &found);
            let why = match found {
                Outcome::SignIn(Some(_)) => "Authentication failure",
                _ => "Account not found",
            };
            return self.refuse(conn, why);
        };
        if let Some(why) = self.kept_out(conn, &account) {
            return self.refuse(conn, &why);
        }
        let most = self
            .settings
            .capacity
            .map_or(usize::MAX, |most| most as usize);
        let known = self.accounts.contains_key(&account.number);
        if !known && self.accounts.len() >= most {
            return self.refuse_over_limit(conn, "Server is full");
        }
        self.metrics.logins.up();
        let channels = channels(&login);
        let name = account.name.clone();
        self.came(conn, account, from, &channels);
        self.deliver(
            conn,
            Delivery::Welcome(conn, Role::Account, name.as_str().into()),
        );
        self.send(conn, outgoing::client_login_success(&login.cookie.0, &name));
        for channel in &channels {
            let text = self.global_history(channel);
            self.send(conn, text);
        }
        if !known {
            self.spread_accounts();
        }
        let (accounts, rooms) = (self.accounts_text(), self.rooms_text());
        self.send(conn, accounts);
        self.send(conn, rooms);
        self.send_matches(conn, login.account);
        self.deliver(conn, Delivery::Enter(conn, ACCOUNTS));
        self.release(conn);
    }

    /// The account is there, on this connection: an older one is closed.
    fn came(&mut self, conn: ConnId, account: Account, address: IpAddr, channels: &[String]) {
        let Account { number, id, name } = account;
        self.record(Step::CameOnline {
            id: id.clone(),
            at: self.unix_s(),
        });
        let online = Online {
            conn,
            id: id.clone(),
            name,
            address,
            since_s: self.unix_s(),
            channels: channels.to_vec(),
        };
        self.ids.insert(id, number);
        self.peers.insert(conn, Peer::Account(number));
        self.count_in(conn);
        if let Some(older) = self.accounts.insert(number, online) {
            self.peers.remove(&older.conn);
            self.count_out(older.conn);
            self.close(older.conn, "its account has signed in anew");
        }
    }

    pub(super) fn count_in(&mut self, conn: ConnId) {
        if let Some(clients) = self.clients.get_mut(conn.shard.local()) {
            *clients += 1;
        }
    }

    fn count_out(&mut self, conn: ConnId) {
        if let Some(clients) = self.clients.get_mut(conn.shard.local()) {
            *clients -= 1;
        }
    }

    /// The connection of the account is gone. It stays in its room, and may come back.
    pub(super) fn went(&mut self, number: i64) {
        let Some(gone) = self.accounts.remove(&number) else {
            return;
        };
        self.count_out(gone.conn);
        self.ids.remove(&gone.id);
        self.record(Step::WentOffline { id: gone.id });
        self.spread_accounts();
    }

    /// The player of this connection.
    pub(super) fn player_of(&self, conn: ConnId) -> Option<&Online> {
        match self.peers.get(&conn) {
            Some(Peer::Account(number)) => self.accounts.get(number),
            _ => None,
        }
    }

    /// Has a player be sent their finished matches, as they are in the store when it comes to that.
    pub(super) fn send_matches(&mut self, conn: ConnId, account: String) {
        let step = self.steps.len();
        self.record(Step::FindMatches {
            account,
            most: self.settings.history,
        });
        self.outs.push(Out::Matches { conn, step });
    }

    /// The present state, for somebody who missed something.
    pub(super) fn resync(&mut self, conn: ConnId) {
        let Some(player) = self.player_of(conn) else {
            return;
        };
        for channel in player.channels.clone() {
            let text = self.global_history(&channel);
            self.send(conn, text);
        }
        let (accounts, rooms) = (self.accounts_text(), self.rooms_text());
        self.send(conn, accounts);
        self.send(conn, rooms);
    }

    pub(super) fn global_history(&self, channel: &str) -> bytes::Bytes {
        let lines = self.histories.of(channel, self.unix_s());
        self.history_text(ChannelType::Global, channel, lines)
    }
}

/// The global channels whose histories a login is sent (spec: vcmi-lobby2 5.2).
fn channels(login: &ClientLogin) -> Vec<String> {
    let usable = |name: &&String| name.chars().count() <= ID_CHARS;
    if login.language_rooms.is_empty() {
        let own = Some(&login.language).filter(|own| *own != ENGLISH);
        let own = own.filter(usable).cloned();
        return std::iter::once(ENGLISH.to_owned()).chain(own).collect();
    }
    let chosen = login.language_rooms.iter().filter(usable);
    chosen.take(LANGUAGE_ROOMS).cloned().collect()
}

/// A random uuid of version 4.
fn new_uuid(turn: &mut JsonTurn<'_>) -> String {
    let mut bits: u128 = turn.rng.random();
    bits = bits & !(0xF << 76) | 0x4 << 76;
    bits = bits & !(0x3 << 62) | 0x2 << 62;
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}
