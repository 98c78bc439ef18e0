//! Comments on reports, and who has not been told of what became of theirs (spec: cockatrice-behaviour 10).

use lobby::cockatrice::questions::{Pending, Who};

use super::{
    Store, ago,
    columns::Column,
    compose::{Composed, Fields},
    now,
    report_columns::{CommentColumns, Notified, ReportColumns},
    reports::Report,
    seconds,
    sql::{On, values},
    tables::Tables,
};
use crate::store::StoreError;

/// Comments of a report that are told, at most.
const MOST_COMMENTS: u32 = 1_000;
/// Notices that are delivered at once, at most; the others at the next login.
const MOST_MISSED: u32 = 100;

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

type Text = Option<String>;

impl CommentColumns {
    /// Asks for those that somebody has not been told, as the reporter or as the moderator.
    fn untold(&self, reports: &ReportColumns, as_reporter: bool) -> Option<String> {
        let (person, flag) = match as_reporter {
            true => (&reports.reporter, self.reporter_notified()?),
            false => (&reports.assignee, self.assignee_notified()?),
        };
        let (id, report) = (&self.id, &self.report);
        Some(format!(
            "SELECT {}, {}, {}, {} FROM ~report_comments c JOIN ~reports r ON r.{} = c.{report} WHERE {} AND {} \
             AND c.{flag} = 0 ORDER BY c.{id} LIMIT ?",
            id.number("c"),
            report.number("c"),
            self.author.read("c"),
            self.text.text("c"),
            reports.id,
            person.is("r"),
            self.is_for(as_reporter, "c"),
        ))
    }
}

impl Store {
    /// Comments on a report, oldest first.
    pub(in crate::cockatrice) async fn comments(
        &self,
        id: i32,
    ) -> Result<Vec<Comment>, StoreError> {
        type Row = (Text, Text, Text, Option<i64>);
        let tables = self.tables().await?;
        let comments = tables.comments.known()?;
        let text = format!(
            "SELECT {}, {}, {}, {} FROM ~report_comments c WHERE c.{} = ? ORDER BY c.{} LIMIT ?",
            comments.author.read("c"),
            comments.text.text("c"),
            comments.at.text("c"),
            comments.by_moderator.number("c"),
            comments.report,
            comments.id,
        );
        let rows: Vec<Row> = self
            .rows_of(On::Read, "comments", text, values![id, MOST_COMMENTS])
            .await?;
        let comment = |(author, text, at, by_moderator): Row| Comment {
            author: author.unwrap_or_default(),
            text: text.unwrap_or_default(),
            at_s: seconds(at.as_deref()),
            by_moderator: by_moderator.unwrap_or(0) != 0,
        };
        Ok(rows.into_iter().map(comment).collect())
    }

    /// How many comments somebody has made in the last hour.
    pub(in crate::cockatrice) async fn comments_lately(&self, by: &str) -> Result<i64, StoreError> {
        let tables = self.tables().await?;
        let comments = tables.comments.known()?;
        let text = format!(
            "SELECT COUNT(*) FROM ~report_comments c WHERE {} AND c.{} > ?",
            comments.author.is("c"),
            comments.at
        );
        self.count_of("comments lately", (text, values![by, ago(3_600.0)]))
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
        let tables = self.tables().await?;
        let comments = tables.comments.known()?;
        let comment = Fields::default()
            .set(&comments.report, report)
            .person(&comments.author, &by.name)
            .set(&comments.text, text)
            .set(&comments.at, now())
            .set(&comments.by_moderator, by.is_moderator);
        let comment = match &comments.notified {
            Notified::Each(reporter, assignee) => comment
                .set(reporter, !tell_reporter)
                .set(assignee, !tell_assignee),
            Notified::One(flag) if by.is_moderator => comment.set(flag, !tell_reporter),
            Notified::One(flag) => comment.set(flag, !tell_assignee),
            Notified::Nobody => comment,
        };
        let statement = comment.insert("report_comments");
        let done = self.run_of(On::Write, "comment", statement).await?;
        Ok(u32::try_from(done.id).unwrap_or(0))
    }

    /// What somebody has not been told yet, oldest first.
    pub(in crate::cockatrice) async fn missed(
        &self,
        name: &str,
    ) -> Result<Vec<Missed>, StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let mut missed = self.ended_unknown(reports, name).await?;
        let Some(comments) = tables.comments.if_known() else {
            return Ok(missed);
        };
        type Row = (i64, i64, Text, Text);
        type Kind = (bool, fn(u32) -> Pending);
        let kinds: [Kind; 2] = [(true, Pending::ToReporter), (false, Pending::ToAssignee)];
        for (as_reporter, pending) in kinds {
            let Some(text) = comments.untold(reports, as_reporter) else {
                continue;
            };
            let rows: Vec<Row> = self
                .rows_of(On::SignIn, "missed", text, values![name, MOST_MISSED])
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

    /// Somebody's reports that have ended without their knowing.
    async fn ended_unknown(
        &self,
        reports: &ReportColumns,
        name: &str,
    ) -> Result<Vec<Missed>, StoreError> {
        let Some(notified) = &reports.notified else {
            return Ok(Vec::new());
        };
        let text = format!(
            "SELECT {} FROM ~reports r WHERE {} AND r.{notified} = 0 AND r.{} IN ('resolved', 'dismissed') \
             ORDER BY r.{} LIMIT ?",
            reports.id.number("r"),
            reports.reporter.is("r"),
            reports.status,
            reports.id,
        );
        let ids: Vec<(i64,)> = self
            .rows_of(On::SignIn, "missed", text, values![name, MOST_MISSED])
            .await?;
        let mut ended = Vec::new();
        for (id,) in ids {
            let report = self.report(i32::try_from(id).unwrap_or(0)).await?;
            ended.extend(report.map(Missed::Resolved));
        }
        Ok(ended)
    }

    /// These have been told.
    pub(in crate::cockatrice) async fn delivered(
        &self,
        pending: &[Pending],
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let told = |pending: &Pending| tables.told(*pending);
        let statements: Vec<Composed<'_>> = pending.iter().filter_map(told).collect();
        if !statements.is_empty() {
            self.run_all_of(On::SignIn, "delivered", statements).await?;
        }
        Ok(())
    }
}

impl Tables {
    /// Notes that somebody was told; `None`: there is no place for that.
    fn told(&self, pending: Pending) -> Option<Composed<'static>> {
        let told = |table, flag: &Column, key: &Column, id: u32| {
            let which = format!("{key} = ?");
            Fields::default()
                .set(flag, true)
                .update(table, &which, values![id])
        };
        let comments = self.comments.if_known();
        Some(match pending {
            Pending::Resolved(id) => {
                let reports = self.reports.if_known()?;
                told("reports", reports.notified.as_ref()?, &reports.id, id)
            }
            Pending::ToReporter(id) => {
                let comments = comments?;
                let flag = comments.reporter_notified()?;
                told("report_comments", flag, &comments.id, id)
            }
            Pending::ToAssignee(id) => {
                let comments = comments?;
                let flag = comments.assignee_notified()?;
                told("report_comments", flag, &comments.id, id)
            }
        })
    }
}
