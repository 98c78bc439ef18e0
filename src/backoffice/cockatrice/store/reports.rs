//! Reports, comments on them, and who has not been told of them yet (spec: cockatrice-behaviour 10).

use lobby::cockatrice::questions::{NewReport, Pending, Who};

use super::{
    Store, ago, now, seconds,
    sql::{On, values},
};
use crate::store::StoreError;

const DAY_S: f64 = 86_400.0;
/// Comments of a report that are told, at most.
const MOST_COMMENTS: u32 = 1_000;
/// Notices that are delivered at once, at most; the others at the next login.
const MOST_MISSED: u32 = 100;
/// How many a table of those with the most has.
const TOP: u32 = 10;

/// A report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cockatrice) struct Report {
    pub(in crate::cockatrice) id: i64,
    pub(in crate::cockatrice) reporter: String,
    pub(in crate::cockatrice) about: String,
    pub(in crate::cockatrice) game: Option<i64>,
    pub(in crate::cockatrice) room: Option<i64>,
    pub(in crate::cockatrice) category: String,
    pub(in crate::cockatrice) status: String,
    pub(in crate::cockatrice) description: String,
    pub(in crate::cockatrice) at_s: u64,
    pub(in crate::cockatrice) assignee: Option<String>,
    pub(in crate::cockatrice) resolved_s: Option<u64>,
    pub(in crate::cockatrice) note: Option<String>,
}

impl Report {
    /// Whether something can still come of it.
    pub(in crate::cockatrice) fn is_unresolved(&self) -> bool {
        self.status == "open" || self.status == "assigned"
    }
}

/// A comment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Comment {
    pub(in crate::cockatrice) author: String,
    pub(in crate::cockatrice) text: String,
    pub(in crate::cockatrice) at_s: u64,
    pub(in crate::cockatrice) by_moderator: bool,
}

/// Something somebody has not been told yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) enum Missed {
    /// What came of their report.
    Resolved(Report),
    /// A comment: which, on which report, by whom, what.
    Comment(Pending, i64, String, String),
}

/// Which reports.
#[derive(Clone, Copy, Debug)]
pub(in crate::cockatrice) enum Of<'a> {
    One(i32),
    Reporter(&'a str),
    About(&'a str),
    Unresolved,
    All,
}

/// Numbers of reports.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::cockatrice) struct Stats {
    pub(in crate::cockatrice) total: i64,
    pub(in crate::cockatrice) open: i64,
    pub(in crate::cockatrice) assigned: i64,
    pub(in crate::cockatrice) resolved: i64,
    /// In the last 1, 7, 14 and 30 days.
    pub(in crate::cockatrice) of_days: [i64; 4],
    pub(in crate::cockatrice) hours_to_resolve: f64,
    pub(in crate::cockatrice) categories: Vec<(String, i64)>,
    pub(in crate::cockatrice) about: Vec<(String, i64)>,
    pub(in crate::cockatrice) reporters: Vec<(String, i64)>,
}

type Text = Option<String>;

impl Store {
    /// How many reports somebody has made in the last day.
    pub(in crate::cockatrice) async fn reports_today(&self, by: &str) -> Result<i64, StoreError> {
        let text = "SELECT COUNT(*) FROM ~reports WHERE reporter_name = ? AND report_time > ?";
        self.count("reports today", (text, values![by, ago(DAY_S)]))
            .await
    }

    pub(in crate::cockatrice) async fn new_report(
        &self,
        by: &str,
        new: &NewReport,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO ~reports (reporter_name, reported_user_name, game_id, room_id, category, status, description, \
             chat_log, report_time, reporter_notified) VALUES (?, ?, ?, ?, ?, 'open', ?, ?, ?, 1)";
        let values = values![
            by,
            &*new.about,
            Some(new.game).filter(|game| *game > 0),
            new.room,
            &*new.category,
            &*new.description,
            &*new.chat_log,
            now(),
        ];
        self.run(On::Write, "new report", (text, values)).await?;
        Ok(())
    }

    /// Reports, newest first, and how many there are in all.
    pub(in crate::cockatrice) async fn reports(
        &self,
        of: Of<'_>,
        offset: u32,
        limit: u32,
    ) -> Result<(Vec<Report>, u32), StoreError> {
        type Row = (
            i64,
            Text,
            Text,
            Option<i64>,
            Option<i64>,
            Text,
            Text,
            Text,
            Text,
            Text,
            Text,
            Text,
        );
        let (which, values) = match of {
            Of::One(id) => ("id = ?", values![id]),
            Of::Reporter(name) => ("reporter_name = ?", values![name]),
            Of::About(name) => ("reported_user_name = ?", values![name]),
            Of::Unresolved => ("status IN ('open', 'assigned')", values![]),
            Of::All => ("1 = 1", values![]),
        };
        let text = format!(
            "SELECT CAST(id AS SIGNED), reporter_name, reported_user_name, CAST(game_id AS SIGNED), CAST(room_id AS SIGNED), \
             category, CAST(status AS CHAR), description, CAST(report_time AS CHAR), assigned_mod_name, \
             CAST(resolution_time AS CHAR), resolution_note FROM ~reports WHERE {which} \
             ORDER BY report_time DESC, id DESC LIMIT ? OFFSET ?"
        );
        let total = format!("SELECT COUNT(*) FROM ~reports WHERE {which}");
        let total: Vec<(i64,)> = self
            .rows_of(On::Read, "number of reports", total, values.clone())
            .await?;
        let mut values = values;
        values.extend(values![limit, offset]);
        let rows: Vec<Row> = self.rows_of(On::Read, "reports", text, values).await?;
        let report =
            |(id, by, about, game, room, category, status, what, at, assignee, end, note): Row| {
                Report {
                    id,
                    reporter: by.unwrap_or_default(),
                    about: about.unwrap_or_default(),
                    game: game.filter(|game| *game > 0),
                    room: room.filter(|room| *room > 0),
                    category: category.unwrap_or_default(),
                    status: status.unwrap_or_default(),
                    description: what.unwrap_or_default(),
                    at_s: seconds(at.as_deref()),
                    assignee: assignee.filter(|name| !name.is_empty()),
                    resolved_s: end.as_deref().map(|end| seconds(Some(end))),
                    note: note.filter(|note| !note.is_empty()),
                }
            };
        let total = total.first().map_or(0, |(total,)| *total);
        Ok((
            rows.into_iter().map(report).collect(),
            u32::try_from(total).unwrap_or(u32::MAX),
        ))
    }

    /// One report.
    pub(in crate::cockatrice) async fn report(
        &self,
        id: i32,
    ) -> Result<Option<Report>, StoreError> {
        let (found, _) = self.reports(Of::One(id), 0, 1).await?;
        Ok(found.into_iter().next())
    }

    /// The chat that a report quotes.
    pub(in crate::cockatrice) async fn chat_log(&self, id: i32) -> Result<String, StoreError> {
        let text = "SELECT chat_log FROM ~reports WHERE id = ?";
        let row: Option<(Text,)> = self.row(On::Read, "chat log", (text, values![id])).await?;
        Ok(row.and_then(|(log,)| log).unwrap_or_default())
    }

    /// Comments on a report, oldest first.
    pub(in crate::cockatrice) async fn comments(
        &self,
        id: i32,
    ) -> Result<Vec<Comment>, StoreError> {
        type Row = (Text, Text, Text, i64);
        let text = "SELECT author_name, comment_text, CAST(comment_time AS CHAR), CAST(is_moderator AS SIGNED) \
             FROM ~report_comments WHERE report_id = ? ORDER BY id LIMIT ?";
        let rows: Vec<Row> = self
            .rows(On::Read, "comments", (text, values![id, MOST_COMMENTS]))
            .await?;
        let comment = |(author, text, at, by_moderator): Row| Comment {
            author: author.unwrap_or_default(),
            text: text.unwrap_or_default(),
            at_s: seconds(at.as_deref()),
            by_moderator: by_moderator != 0,
        };
        Ok(rows.into_iter().map(comment).collect())
    }

    /// How many comments somebody has made in the last hour.
    pub(in crate::cockatrice) async fn comments_lately(&self, by: &str) -> Result<i64, StoreError> {
        let text =
            "SELECT COUNT(*) FROM ~report_comments WHERE author_name = ? AND comment_time > ?";
        self.count("comments lately", (text, values![by, ago(3_600.0)]))
            .await
    }

    /// Adds a comment, of which reporter and assignee are to be told or not; gives its id.
    pub(in crate::cockatrice) async fn comment(
        &self,
        report: i32,
        by: &Who,
        text: &str,
        tell_reporter: bool,
        tell_assignee: bool,
    ) -> Result<u32, StoreError> {
        let statement = "INSERT INTO ~report_comments (report_id, author_name, comment_text, comment_time, is_moderator, \
             reporter_notified, assignee_notified) VALUES (?, ?, ?, ?, ?, ?, ?)";
        let values = values![
            report,
            &*by.name,
            text,
            now(),
            by.is_moderator,
            !tell_reporter,
            !tell_assignee,
        ];
        let done = self.run(On::Write, "comment", (statement, values)).await?;
        Ok(u32::try_from(done.id).unwrap_or(0))
    }

    /// A moderator takes on an open report; false: it is not open.
    pub(in crate::cockatrice) async fn assign(
        &self,
        report: i32,
        to: &str,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE ~reports SET status = 'assigned', assigned_mod_name = ? WHERE id = ? AND status = 'open'";
        let done = self
            .run(On::Write, "assign report", (text, values![to, report]))
            .await?;
        Ok(done.rows > 0)
    }

    /// A report is ended, of which the reporter is to be told; false: it is neither open nor assigned.
    pub(in crate::cockatrice) async fn resolve(
        &self,
        report: i32,
        note: &str,
        dismissed: bool,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE ~reports SET status = ?, resolution_note = ?, resolution_time = ?, reporter_notified = 0 \
             WHERE id = ? AND status IN ('open', 'assigned')";
        let status = if dismissed { "dismissed" } else { "resolved" };
        let values = values![status, note, now(), report];
        let done = self
            .run(On::Write, "resolve report", (text, values))
            .await?;
        Ok(done.rows > 0)
    }

    /// What somebody has not been told yet, oldest first.
    pub(in crate::cockatrice) async fn missed(
        &self,
        name: &str,
    ) -> Result<Vec<Missed>, StoreError> {
        let resolved = "SELECT CAST(id AS SIGNED) FROM ~reports WHERE reporter_name = ? AND reporter_notified = 0 \
             AND status IN ('resolved', 'dismissed') ORDER BY id LIMIT ?";
        let resolved: Vec<(i64,)> = self
            .rows(On::SignIn, "missed", (resolved, values![name, MOST_MISSED]))
            .await?;
        let mut missed = Vec::new();
        for (id,) in resolved {
            let report = self.report(i32::try_from(id).unwrap_or(0)).await?;
            missed.extend(report.map(Missed::Resolved));
        }
        type Row = (i64, i64, Text, Text);
        let to_reporter = "SELECT CAST(c.id AS SIGNED), CAST(c.report_id AS SIGNED), c.author_name, c.comment_text \
             FROM ~report_comments c JOIN ~reports r ON r.id = c.report_id WHERE r.reporter_name = ? \
             AND c.reporter_notified = 0 ORDER BY c.id LIMIT ?";
        let to_assignee = "SELECT CAST(c.id AS SIGNED), CAST(c.report_id AS SIGNED), c.author_name, c.comment_text \
             FROM ~report_comments c JOIN ~reports r ON r.id = c.report_id WHERE r.assigned_mod_name = ? \
             AND c.assignee_notified = 0 ORDER BY c.id LIMIT ?";
        type Kind = (&'static str, fn(u32) -> Pending);
        let kinds: [Kind; 2] = [
            (to_reporter, Pending::ToReporter),
            (to_assignee, Pending::ToAssignee),
        ];
        for (text, pending) in kinds {
            let rows: Vec<Row> = self
                .rows(On::SignIn, "missed", (text, values![name, MOST_MISSED]))
                .await?;
            missed.extend(rows.into_iter().map(|(id, report, author, text)| {
                let id = pending(u32::try_from(id).unwrap_or(0));
                Missed::Comment(
                    id,
                    report,
                    author.unwrap_or_default(),
                    text.unwrap_or_default(),
                )
            }));
        }
        Ok(missed)
    }

    /// These have been told.
    pub(in crate::cockatrice) async fn delivered(
        &self,
        pending: &[Pending],
    ) -> Result<(), StoreError> {
        let statement = |pending: &Pending| match *pending {
            Pending::Resolved(id) => (
                "UPDATE ~reports SET reporter_notified = 1 WHERE id = ?",
                values![id],
            ),
            Pending::ToReporter(id) => (
                "UPDATE ~report_comments SET reporter_notified = 1 WHERE id = ?",
                values![id],
            ),
            Pending::ToAssignee(id) => (
                "UPDATE ~report_comments SET assignee_notified = 1 WHERE id = ?",
                values![id],
            ),
        };
        if !pending.is_empty() {
            let statements = pending.iter().map(statement).collect();
            self.run_all(On::SignIn, "delivered", statements).await?;
        }
        Ok(())
    }

    /// Numbers of all reports.
    pub(in crate::cockatrice) async fn report_stats(&self) -> Result<Stats, StoreError> {
        let mut stats = Stats::default();
        let by_status = "SELECT CAST(status AS CHAR), COUNT(*) FROM ~reports GROUP BY status";
        let rows: Vec<(Text, i64)> = self
            .rows(On::Read, "reports by status", (by_status, values![]))
            .await?;
        for (status, count) in rows {
            stats.total += count;
            match status.as_deref() {
                Some("open") => stats.open += count,
                Some("assigned") => stats.assigned += count,
                _ => stats.resolved += count,
            }
        }
        for (days, count) in [1.0, 7.0, 14.0, 30.0].into_iter().zip(&mut stats.of_days) {
            let text = "SELECT COUNT(*) FROM ~reports WHERE report_time > ?";
            *count = self
                .count("reports of days", (text, values![ago(days * DAY_S)]))
                .await?;
        }
        stats.hours_to_resolve = self.hours_to_resolve().await?;
        stats.categories = self
            .top("SELECT category, COUNT(*) FROM ~reports GROUP BY category ORDER BY 2 DESC, 1 LIMIT ?")
            .await?;
        stats.about = self
            .top("SELECT reported_user_name, COUNT(*) FROM ~reports GROUP BY reported_user_name ORDER BY 2 DESC, 1 LIMIT ?")
            .await?;
        stats.reporters = self
            .top("SELECT reporter_name, COUNT(*) FROM ~reports GROUP BY reporter_name ORDER BY 2 DESC, 1 LIMIT ?")
            .await?;
        Ok(stats)
    }

    async fn top(&self, text: &'static str) -> Result<Vec<(String, i64)>, StoreError> {
        let rows: Vec<(Text, i64)> = self.rows(On::Read, "top", (text, values![TOP])).await?;
        let named = |(name, count): (Text, i64)| (name.unwrap_or_default(), count);
        Ok(rows.into_iter().map(named).collect())
    }

    /// The mean time that the newest thousand took.
    async fn hours_to_resolve(&self) -> Result<f64, StoreError> {
        let text = "SELECT CAST(report_time AS CHAR), CAST(resolution_time AS CHAR) FROM ~reports \
             WHERE resolution_time IS NOT NULL ORDER BY id DESC LIMIT 1000";
        let rows: Vec<(Text, Text)> = self
            .rows(On::Read, "time to resolve", (text, values![]))
            .await?;
        let hours = |(from, to): &(Text, Text)| {
            let took = seconds(to.as_deref()).saturating_sub(seconds(from.as_deref()));
            took as f64 / 3_600.0
        };
        let sum: f64 = rows.iter().map(hours).sum();
        Ok(sum / rows.len().max(1) as f64)
    }
}
