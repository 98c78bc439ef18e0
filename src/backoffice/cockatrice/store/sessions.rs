//! Sessions: who was there when, from where, with what (spec: cockatrice-behaviour 16).

use std::net::IpAddr;

use super::{
    Store, ago,
    compose::Fields,
    now, seconds,
    sql::{On, values},
    tables::{AnalyticsColumns, AuditColumns, MessageColumns, WarningColumns},
};
use crate::store::{StoreError, time};

/// Before everything that is written down.
const LONG_AGO: &str = "1970-01-01 00:00:00";

/// How far back addresses tell that two accounts are one person's: six months (spec: cockatrice-behaviour 8).
const ADDRESSES_S: f64 = 183.0 * 86_400.0;
/// Accounts that are told to be one person's, at most.
const MOST_ALTS: usize = 200;

/// A session as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Visit {
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) address: String,
    pub(in crate::cockatrice) client_id: String,
    pub(in crate::cockatrice) transport: String,
    pub(in crate::cockatrice) from_s: u64,
    /// `None`: it goes on.
    pub(in crate::cockatrice) until_s: Option<u64>,
}

/// An account that may be the same person's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cockatrice) struct Alt {
    pub(in crate::cockatrice) id: i64,
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) email: String,
    pub(in crate::cockatrice) client_id: String,
    pub(in crate::cockatrice) active: bool,
    pub(in crate::cockatrice) registered_s: u64,
    pub(in crate::cockatrice) last_login_s: u64,
    pub(in crate::cockatrice) bans: u32,
    pub(in crate::cockatrice) warnings: u32,
}

type Text = Option<String>;

/// An account as far as it matters where it was last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct LastSeen {
    /// Its name, as it is stored.
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) address: Option<IpAddr>,
}

impl Store {
    /// Where the account of that name was last, compared without case. Before it was made, somebody else may have been there
    /// under its name. One that nobody has signed in to yet was where it was made or activated.
    pub(in crate::cockatrice) async fn last_seen(
        &self,
        name: &str,
    ) -> Result<Option<LastSeen>, StoreError> {
        let text = "SELECT u.name, CAST(u.registrationDate AS CHAR), (SELECT s.ip_address FROM ~sessions s WHERE s.user_name = u.name \
             AND (u.registrationDate IS NULL OR s.start_time >= u.registrationDate) \
             ORDER BY s.id DESC LIMIT 1) FROM ~users u WHERE u.name = ?";
        let row: Option<(String, Text, Text)> = self
            .row(On::SignIn, "last address", (text, values![name]))
            .await?;
        let Some((name, made, last)) = row else {
            return Ok(None);
        };
        let address = match last {
            Some(last) => Some(last),
            None => self.made_from(&name, made.as_deref()).await?,
        };
        Ok(Some(LastSeen {
            name,
            address: address.and_then(|address| address.parse().ok()),
        }))
    }

    /// Where whoever has made or activated an account was, as far as that is written down of one that was made then.
    async fn made_from(&self, name: &str, made: Option<&str>) -> Result<Text, StoreError> {
        let tables = self.tables().await?;
        let Some(AuditColumns {
            name: of,
            address: Some(address),
            at,
            action,
            result,
            ..
        }) = tables.audit.if_known()
        else {
            return Ok(None);
        };
        let text = format!(
            "SELECT a.{address} FROM ~audit a WHERE a.{of} = ? AND a.{at} >= ? AND a.{result} = 'success' \
             AND a.{action} IN ('REGISTER_ACCOUNT', 'ACTIVATE_ACCOUNT') ORDER BY a.{at} DESC LIMIT 1"
        );
        let values = values![name, made.unwrap_or(LONG_AGO)];
        let rows: Vec<(Text,)> = self
            .rows_of(On::SignIn, "where an account was made", text, values)
            .await?;
        Ok(rows.into_iter().next().and_then(|(address,)| address))
    }

    /// Ends the sessions of this server that are open and began before this moment, Unix seconds.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn close_sessions_before(&self, begun: f64) -> Result<u64, StoreError> {
        let text = "UPDATE ~sessions SET end_time = ? WHERE id_server = ? AND end_time IS NULL AND start_time <= ?";
        let done = self
            .run(
                On::Write,
                "close open sessions",
                (text, values![now(), self.server, time::format(begun)]),
            )
            .await?;
        Ok(done.rows)
    }

    /// Notes a session; gives its id.
    pub(in crate::cockatrice) async fn open_session(
        &self,
        name: &str,
        address: &str,
        client_id: &str,
        websocket: bool,
    ) -> Result<u64, StoreError> {
        let text = "INSERT INTO ~sessions (user_name, id_server, ip_address, start_time, clientid, connection_type) \
             VALUES (?, ?, ?, ?, ?, ?)";
        let transport = if websocket { "websocket" } else { "tcp" };
        let values = values![name, self.server, address, now(), client_id, transport];
        let done = self.run(On::SignIn, "open session", (text, values)).await?;
        Ok(done.id.unsigned_abs())
    }

    /// Notes that an account is used: when, with which client, from which installation.
    pub(in crate::cockatrice) async fn note_login(
        &self,
        id: u32,
        client_id: &str,
        version: &str,
        name: &str,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let used = "UPDATE ~users SET clientid = ? WHERE id = ?".to_owned();
        let mut statements = vec![(used, values![client_id, id])];
        if let Some(analytics) = tables.analytics.if_known() {
            let delete = format!("DELETE FROM ~user_analytics WHERE {} = ?", analytics.id);
            let new = Fields::default()
                .set(&analytics.id, id)
                .set(analytics.version.as_ref(), version)
                .set(&analytics.at, now());
            statements.push((delete, values![id]));
            statements.push(new.insert("user_analytics"));
        }
        statements.extend(tables.forget_requests(name));
        self.run_all_of(On::SignIn, "note login", statements)
            .await?;
        Ok(())
    }

    /// A session is over.
    pub(in crate::cockatrice) async fn close_session(&self, id: u64) -> Result<(), StoreError> {
        let text = "UPDATE ~sessions SET end_time = ? WHERE id = ? AND end_time IS NULL";
        let id = i64::try_from(id).unwrap_or(0);
        self.run(On::Records, "close session", (text, values![now(), id]))
            .await?;
        Ok(())
    }

    /// Somebody's sessions, newest first.
    pub(in crate::cockatrice) async fn visits(
        &self,
        name: &str,
        most: u32,
    ) -> Result<Vec<Visit>, StoreError> {
        type Row = (String, Text, Text, Text, Text, Text);
        let text = "SELECT user_name, ip_address, clientid, CAST(connection_type AS CHAR), CAST(start_time AS CHAR), \
             CAST(end_time AS CHAR) FROM ~sessions WHERE user_name = ? ORDER BY id DESC LIMIT ?";
        let rows: Vec<Row> = self
            .rows(On::Read, "sessions", (text, values![name, most]))
            .await?;
        let visit = |(name, address, client_id, transport, from, until): Row| Visit {
            name,
            address: address.unwrap_or_default(),
            client_id: client_id.unwrap_or_default(),
            transport: transport.unwrap_or_default(),
            from_s: seconds(from.as_deref()),
            until_s: until.as_deref().map(|until| seconds(Some(until))),
        };
        Ok(rows.into_iter().map(visit).collect())
    }

    /// Everybody with any right, by name: name, bits, last login (0: never).
    pub(in crate::cockatrice) async fn moderators(
        &self,
    ) -> Result<Vec<(String, u32, u64)>, StoreError> {
        let tables = self.tables().await?;
        let AnalyticsColumns { id, at, .. } = tables.analytics.known()?;
        let text = format!(
            "SELECT u.name, CAST(u.admin AS SIGNED), {} FROM ~users u \
             LEFT JOIN ~user_analytics a ON a.{id} = u.id WHERE u.admin <> 0 ORDER BY u.name",
            at.text("a")
        );
        let rows: Vec<(String, i64, Text)> = self
            .rows_of(On::Read, "moderators", text, values![])
            .await?;
        let line = |(name, admin, at): (String, i64, Text)| {
            (
                name,
                u32::try_from(admin).unwrap_or(0),
                seconds(at.as_deref()),
            )
        };
        Ok(rows.into_iter().map(line).collect())
    }

    /// Accounts that share an address of mail, an installation, or where they were with this one, and itself, by name.
    pub(in crate::cockatrice) async fn alts(&self, name: &str) -> Result<Vec<Alt>, StoreError> {
        let Some(found) = self.find(name).await? else {
            return Ok(Vec::new());
        };
        let (email, client_id) = (&*found.account.email, &*found.account.client_id);
        let same = "SELECT CAST(u.id AS SIGNED), u.name FROM ~users u WHERE u.name = ? \
             OR (? <> '' AND u.email = ?) OR (? <> '' AND u.clientid = ?) OR u.name IN (SELECT s.user_name FROM ~sessions s \
             WHERE s.start_time > ? AND s.ip_address IN (SELECT o.ip_address FROM ~sessions o WHERE o.user_name = ? \
             AND o.start_time > ?)) ORDER BY u.name LIMIT 200";
        let since = ago(ADDRESSES_S);
        let values = values![
            name, email, email, client_id, client_id, &*since, name, &*since
        ];
        let rows: Vec<(i64, String)> = self.rows(On::Read, "alts", (same, values)).await?;
        let mut alts = Vec::new();
        for (id, _) in rows.into_iter().take(MOST_ALTS) {
            alts.extend(self.alt(id).await?);
        }
        Ok(alts)
    }

    async fn alt(&self, id: i64) -> Result<Option<Alt>, StoreError> {
        type Row = (i64, String, Text, Text, i64, Text, Text, i64, i64);
        let tables = self.tables().await?;
        let last_login = match tables.analytics.if_known() {
            Some(AnalyticsColumns { id, at, .. }) => {
                let at = at.text("a");
                format!("(SELECT {at} FROM ~user_analytics a WHERE a.{id} = u.id)")
            }
            None => "NULL".to_owned(),
        };
        let warnings = match tables.warnings.if_known() {
            Some(WarningColumns { id, .. }) => {
                format!("(SELECT COUNT(*) FROM ~warnings w WHERE w.{id} = u.id)")
            }
            None => "0".to_owned(),
        };
        let text = format!(
            "SELECT CAST(u.id AS SIGNED), u.name, u.email, u.clientid, CAST(u.active AS SIGNED), \
             CAST(u.registrationDate AS CHAR), {last_login}, \
             (SELECT COUNT(*) FROM ~bans b WHERE b.user_name = u.name), \
             {warnings} FROM ~users u WHERE u.id = ?"
        );
        let rows: Vec<Row> = self.rows_of(On::Read, "alt", text, values![id]).await?;
        Ok(rows.into_iter().next().map(
            |(id, name, email, client_id, active, registered, login, bans, warnings)| Alt {
                id,
                name,
                email: email.unwrap_or_default(),
                client_id: client_id.unwrap_or_default(),
                active: active != 0,
                registered_s: seconds(registered.as_deref()),
                last_login_s: seconds(login.as_deref()),
                bans: u32::try_from(bans).unwrap_or(u32::MAX),
                warnings: u32::try_from(warnings).unwrap_or(u32::MAX),
            },
        ))
    }

    /// What is known of one account, without looking for others.
    pub(in crate::cockatrice) async fn facts(&self, id: u32) -> Result<Alt, StoreError> {
        Ok(self.alt(id.into()).await?.unwrap_or_default())
    }

    /// The newest message of this server to everybody.
    pub(in crate::cockatrice) async fn server_message(
        &self,
    ) -> Result<Option<Box<str>>, StoreError> {
        let tables = self.tables().await?;
        let MessageColumns { server, at, text } = tables.messages.known()?;
        let query = format!(
            "SELECT {} FROM ~servermessages m WHERE m.{server} = ? ORDER BY m.{at} DESC LIMIT 1",
            text.text("m")
        );
        let rows: Vec<(Text,)> = self
            .rows_of(On::Read, "server message", query, values![self.server])
            .await?;
        let newest = rows.into_iter().next();
        Ok(newest.and_then(|(message,)| message).map(Into::into))
    }
}
