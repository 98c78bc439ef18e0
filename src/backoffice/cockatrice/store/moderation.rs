//! Bans, warnings, notes, the audit (spec: cockatrice-behaviour 8, 16; wire 10.7).

use super::{
    Store,
    accounts::{is_taken, names},
    compose::{Composed, Fields},
    now, seconds,
    sql::{On, values},
};
use crate::{
    store::{StoreError, time},
    unix_now,
};
use lobby::cockatrice::questions::{BanKeys, Who};

/// A ban that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Ban {
    pub(in crate::cockatrice) reason: Box<str>,
    /// Unix seconds; `None` is forever.
    pub(in crate::cockatrice) until: Option<u64>,
}

/// A ban that was spoken, as it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Spoken {
    pub(in crate::cockatrice) admin_id: String,
    pub(in crate::cockatrice) admin: String,
    pub(in crate::cockatrice) at: String,
    pub(in crate::cockatrice) minutes: String,
    pub(in crate::cockatrice) reason: String,
    pub(in crate::cockatrice) visible_reason: String,
}

type Text = Option<String>;

/// How far ahead of its time a row may stand that others have kept from its own: more in one second are no moderator's doing.
const MOST_AHEAD_S: u32 = 30;

impl Store {
    /// The ban in force of an address, a name, a client id, in that order. Of each, only the newest one counts.
    pub(in crate::cockatrice) async fn ban_of(
        &self,
        keys: &BanKeys,
    ) -> Result<Option<Ban>, StoreError> {
        let by = |what: &str| {
            format!(
                "SELECT CAST(time_from AS CHAR), CAST(minutes AS SIGNED), visible_reason FROM ~bans WHERE {what} = ? \
                 ORDER BY time_from DESC LIMIT 1"
            )
        };
        let all = [
            (by("ip_address"), &keys.address),
            (by("user_name"), &keys.name),
            (by("clientid"), &keys.client_id),
        ];
        for (text, key) in all {
            if key.is_empty() {
                continue;
            }
            let rows: Vec<(Text, i64, Text)> = self
                .rows_of(On::SignIn, "ban", text, values![&**key])
                .await?;
            let newest = rows.into_iter().next();
            if let Some(ban) = newest.and_then(|row| in_force(row, unix_now())) {
                return Ok(Some(ban));
            }
        }
        Ok(None)
    }

    /// Speaks a ban.
    pub(in crate::cockatrice) async fn ban(
        &self,
        by: u32,
        keys: &BanKeys,
        minutes: u32,
        reason: &str,
        visible_reason: &str,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO ~bans (user_name, ip_address, id_admin, time_from, minutes, reason, visible_reason, clientid) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let row = |at| {
            let values = values![
                &*keys.name,
                &*keys.address,
                by,
                at,
                minutes,
                reason,
                visible_reason,
                &*keys.client_id,
            ];
            (text.to_owned(), values)
        };
        self.put_in_time("ban", row).await
    }

    /// Puts a row in whose key has its time in it, to the second: at the first moment from now on that is free. So the newer of
    /// two is the newer one there as well, and none is lost.
    async fn put_in_time<'a>(
        &self,
        what: &'static str,
        row: impl Fn(String) -> Composed<'a>,
    ) -> Result<(), StoreError> {
        let now = unix_now();
        let mut ahead = 0;
        loop {
            let at = time::format(now + f64::from(ahead));
            match self.run_of(On::Write, what, row(at)).await {
                Err(StoreError::Refused(error)) if is_taken(&error) && ahead < MOST_AHEAD_S => {
                    ahead += 1;
                }
                outcome => return outcome.map(|_| ()),
            }
        }
    }

    /// All bans of a name in force end now; how many there were.
    pub(in crate::cockatrice) async fn lift(&self, name: &str) -> Result<u64, StoreError> {
        let text = "DELETE FROM ~bans WHERE user_name = ?";
        let done = self
            .run(On::Write, "lift bans", (text, values![name]))
            .await?;
        Ok(done.rows)
    }

    /// The same of an installation of a client.
    pub(in crate::cockatrice) async fn lift_of_client(&self, id: &str) -> Result<u64, StoreError> {
        let text = "DELETE FROM ~bans WHERE clientid = ?";
        let done = self
            .run(On::Write, "lift bans", (text, values![id]))
            .await?;
        Ok(done.rows)
    }

    /// Bans in force, the newest first, so many at most: what kind, whose, the reason that is shown, the end.
    pub(in crate::cockatrice) async fn bans_in_force(
        &self,
        most: u32,
    ) -> Result<Vec<(&'static str, String, String, Option<u64>)>, StoreError> {
        type Row = (Text, Text, Text, Text, i64, Text);
        let text = "SELECT user_name, ip_address, clientid, CAST(time_from AS CHAR), CAST(minutes AS SIGNED), visible_reason \
             FROM ~bans ORDER BY time_from DESC LIMIT ?";
        let rows: Vec<Row> = self
            .rows(On::Read, "bans in force", (text, values![most]))
            .await?;
        let now = unix_now();
        let told = |(name, address, client, from, minutes, reason): Row| {
            let whose = [("account", name), ("address", address), ("client", client)];
            let whose = whose
                .into_iter()
                .map(|(kind, whose)| (kind, whose.unwrap_or_default()));
            let (kind, whose) = whose.into_iter().find(|(_, whose)| !whose.is_empty())?;
            let ban = in_force((from, minutes, reason), now)?;
            Some((kind, whose, ban.reason.into(), ban.until))
        };
        Ok(rows.into_iter().filter_map(told).collect())
    }

    /// All bans of a name, newest first.
    pub(in crate::cockatrice) async fn bans(&self, name: &str) -> Result<Vec<Spoken>, StoreError> {
        type Row = (i64, Text, Text, i64, Text, Text);
        let text = "SELECT CAST(b.id_admin AS SIGNED), u.name, CAST(b.time_from AS CHAR), CAST(b.minutes AS SIGNED), \
             b.reason, b.visible_reason FROM ~bans b LEFT JOIN ~users u ON u.id = b.id_admin \
             WHERE b.user_name = ? ORDER BY b.time_from DESC";
        let rows: Vec<Row> = self.rows(On::Read, "bans", (text, values![name])).await?;
        let spoken = |(admin_id, admin, at, minutes, reason, visible): Row| Spoken {
            admin_id: admin_id.to_string(),
            admin: admin.unwrap_or_default(),
            at: at.unwrap_or_default(),
            minutes: minutes.to_string(),
            reason: reason.unwrap_or_default(),
            visible_reason: visible.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(spoken).collect())
    }

    /// Accounts that were last used with this installation.
    pub(in crate::cockatrice) async fn of_client(
        &self,
        client_id: &str,
    ) -> Result<Vec<Box<str>>, StoreError> {
        let text = "SELECT name FROM ~users WHERE clientid = ?";
        let rows: Vec<(String,)> = self
            .rows(On::Read, "accounts of a client", (text, values![client_id]))
            .await?;
        Ok(names(rows))
    }

    /// Notes a warning.
    pub(in crate::cockatrice) async fn warn(
        &self,
        by: &str,
        id: u32,
        name: &str,
        reason: &str,
        client_id: &str,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let warnings = tables.warnings.known()?;
        let row = |at: String| {
            Fields::default()
                .set(&warnings.id, id)
                .set(&warnings.name, name)
                .set(&warnings.by, by)
                .set(&warnings.reason, reason)
                .set(warnings.client.as_ref(), client_id)
                .set(&warnings.at, at)
                .insert("warnings")
        };
        self.put_in_time("warn", row).await
    }

    /// All warnings of an account, newest first: name, moderator, reason, time.
    pub(in crate::cockatrice) async fn warnings(
        &self,
        id: u32,
    ) -> Result<Vec<(String, String, String, String)>, StoreError> {
        type Row = (Text, Text, Text, Text);
        let tables = self.tables().await?;
        let warnings = tables.warnings.known()?;
        let text = format!(
            "SELECT {}, {}, {}, {} FROM ~warnings w WHERE w.{} = ? ORDER BY w.{} DESC",
            warnings.name.text("w"),
            warnings.by.text("w"),
            warnings.reason.text("w"),
            warnings.at.text("w"),
            warnings.id,
            warnings.at,
        );
        let rows: Vec<Row> = self
            .rows_of(On::Read, "warnings", text, values![id])
            .await?;
        let told = |(name, by, reason, at): Row| {
            let text = Option::unwrap_or_default;
            (text(name), text(by), text(reason), text(at))
        };
        Ok(rows.into_iter().map(told).collect())
    }

    /// What moderators have noted of an account.
    pub(in crate::cockatrice) async fn notes(&self, id: u32) -> Result<String, StoreError> {
        let text = "SELECT adminnotes FROM ~users WHERE id = ?";
        let row: Option<(Text,)> = self.row(On::Read, "notes", (text, values![id])).await?;
        Ok(row.and_then(|(notes,)| notes).unwrap_or_default())
    }

    /// Writes down that something was tried. Nothing is written of somebody whose name, address or client is not known
    /// (spec: cockatrice-behaviour 3.3).
    pub(in crate::cockatrice) async fn audit(
        &self,
        who: &Who,
        action: &'static str,
        details: &str,
        success: bool,
    ) -> Result<(), StoreError> {
        if who.name.is_empty() || who.address.is_empty() || who.client_id.is_empty() {
            return Ok(());
        }
        let tables = self.tables().await?;
        let audit = tables.audit.known()?;
        let results = if success { "success" } else { "fail" };
        let line = Fields::default()
            .set(audit.server.as_ref(), self.server)
            .set(&audit.name, &*who.name)
            .set(audit.address.as_ref(), &*who.address)
            .set(audit.client.as_ref(), &*who.client_id)
            .set(&audit.at, now())
            .set(&audit.action, action)
            .set(&audit.result, results)
            .set(audit.details.as_ref(), details);
        self.run_of(On::Records, "audit", line.insert("audit"))
            .await?;
        Ok(())
    }
}

fn in_force((from, minutes, reason): (Text, i64, Text), now: f64) -> Option<Ban> {
    let reason = reason.unwrap_or_default().into();
    if minutes == 0 {
        let until = None;
        return Some(Ban { reason, until });
    }
    let from = time::parse(&from.clone()?)?;
    let until = from + minutes as f64 * 60.0;
    (until > now).then(|| Ban {
        reason,
        until: Some(seconds(Some(&time::format(until)))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ban_is_in_force_for_so_many_minutes_or_for_good() {
        let row = |minutes| {
            (
                Some("1970-01-01 00:01:40".to_owned()),
                minutes,
                Some("why".to_owned()),
            )
        };
        let until = in_force(row(1), 159.0).and_then(|ban| ban.until);
        assert_eq!(until, Some(160));
        assert_eq!(in_force(row(1), 160.0), None);
        assert_eq!(in_force(row(0), 1e9).map(|ban| ban.until), Some(None));
    }
}
