//! Reports (spec: cockatrice-behaviour 10).

use lobby::cockatrice::questions::NewReport;

use super::{
    Store, ago,
    compose::{Composed, Fields, number_of, text_of},
    now,
    report_columns::ReportColumns,
    seconds,
    sql::{On, values},
};
use crate::store::StoreError;

const DAY_S: f64 = 86_400.0;
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

impl ReportColumns {
    /// Asks for reports, newest first, and how many there are in all.
    fn query(&self, which: &str) -> (String, String) {
        let text = format!(
            "SELECT {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {} FROM ~reports r WHERE {which} \
             ORDER BY r.{} DESC, r.{} DESC LIMIT ? OFFSET ?",
            self.id.number("r"),
            self.reporter.read("r"),
            self.about.read("r"),
            number_of(self.game.as_ref(), "r"),
            number_of(self.room.as_ref(), "r"),
            self.category.text("r"),
            self.status.text("r"),
            self.description.text("r"),
            self.at.text("r"),
            self.assignee.read("r"),
            text_of(self.resolved_at.as_ref(), "r"),
            text_of(self.note.as_ref(), "r"),
            self.at,
            self.id,
        );
        let total = format!("SELECT COUNT(*) FROM ~reports r WHERE {which}");
        (text, total)
    }

    /// That it is one of those.
    fn which<'a>(&self, of: Of<'a>) -> Composed<'a> {
        match of {
            Of::One(id) => (format!("r.{} = ?", self.id), values![id]),
            Of::Reporter(name) => (self.reporter.is("r"), values![name]),
            Of::About(name) => (self.about.is("r"), values![name]),
            Of::Unresolved => (
                format!("r.{} IN ('open', 'assigned')", self.status),
                values![],
            ),
            Of::All => ("1 = 1".to_owned(), values![]),
        }
    }
}

impl Store {
    /// How many reports somebody has made in the last day.
    pub(in crate::cockatrice) async fn reports_today(&self, by: &str) -> Result<i64, StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let text = format!(
            "SELECT COUNT(*) FROM ~reports r WHERE {} AND r.{} > ?",
            reports.reporter.is("r"),
            reports.at
        );
        self.count_of("reports today", (text, values![by, ago(DAY_S)]))
            .await
    }

    pub(in crate::cockatrice) async fn new_report(
        &self,
        by: &str,
        new: &NewReport,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let report = Fields::default()
            .person(&reports.reporter, by)
            .person(&reports.about, &new.about)
            .set(
                reports.game.as_ref(),
                Some(new.game).filter(|game| *game > 0),
            )
            .set(reports.room.as_ref(), new.room)
            .set(&reports.category, &*new.category)
            .set(&reports.status, "open")
            .set(&reports.description, &*new.description)
            .set(reports.chat_log.as_ref(), &*new.chat_log)
            .set(&reports.at, now())
            .set(reports.notified.as_ref(), true);
        self.run_of(On::Write, "new report", report.insert("reports"))
            .await?;
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
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let (which, mut values) = reports.which(of);
        let (text, total) = reports.query(&which);
        let total = self
            .count_of("number of reports", (total, values.clone()))
            .await?;
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
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let chat_log = text_of(reports.chat_log.as_ref(), "r");
        let text = format!(
            "SELECT {chat_log} FROM ~reports r WHERE r.{} = ?",
            reports.id
        );
        let rows: Vec<(Text,)> = self
            .rows_of(On::Read, "chat log", text, values![id])
            .await?;
        let found = rows.into_iter().next();
        Ok(found.and_then(|(log,)| log).unwrap_or_default())
    }

    /// A moderator takes on an open report; false: it is not open.
    pub(in crate::cockatrice) async fn assign(
        &self,
        report: i32,
        to: &str,
    ) -> Result<bool, StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let which = format!("{} = ? AND {} = 'open'", reports.id, reports.status);
        let assigned = Fields::default()
            .person(&reports.assignee, to)
            .set(reports.assigned_at.as_ref(), now())
            .set(&reports.status, "assigned");
        let statement = assigned.update("reports", &which, values![report]);
        let done = self.run_of(On::Write, "assign report", statement).await?;
        Ok(done.rows > 0)
    }

    /// A report is ended, of which the reporter is to be told; false: it is neither open nor assigned.
    pub(in crate::cockatrice) async fn resolve(
        &self,
        report: i32,
        by: &str,
        note: &str,
        dismissed: bool,
    ) -> Result<bool, StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let which = format!(
            "{} = ? AND {} IN ('open', 'assigned')",
            reports.id, reports.status
        );
        let status = if dismissed { "dismissed" } else { "resolved" };
        let resolved = Fields::default()
            .set(&reports.status, status)
            .set(reports.note.as_ref(), note)
            .set(reports.resolved_at.as_ref(), now())
            .person(reports.resolver.as_ref(), by)
            .set(reports.notified.as_ref(), false);
        let statement = resolved.update("reports", &which, values![report]);
        let done = self.run_of(On::Write, "resolve report", statement).await?;
        Ok(done.rows > 0)
    }

    /// Numbers of all reports.
    pub(in crate::cockatrice) async fn report_stats(&self) -> Result<Stats, StoreError> {
        let tables = self.tables().await?;
        let reports = tables.reports.known()?;
        let mut stats = Stats::default();
        let by_status = format!(
            "SELECT {}, COUNT(*) FROM ~reports r GROUP BY r.{}",
            reports.status.text("r"),
            reports.status
        );
        let rows: Vec<(Text, i64)> = self
            .rows_of(On::Read, "reports by status", by_status, values![])
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
            let text = format!("SELECT COUNT(*) FROM ~reports r WHERE r.{} > ?", reports.at);
            *count = self
                .count_of("reports of days", (text, values![ago(days * DAY_S)]))
                .await?;
        }
        stats.hours_to_resolve = self.hours_to_resolve(reports).await?;
        let (category, about) = (&reports.category, &reports.about);
        stats.categories = self
            .top(&category.text("r"), &format!("r.{category}"))
            .await?;
        stats.about = self.top(&about.read("r"), &about.key("r")).await?;
        let reporter = &reports.reporter;
        stats.reporters = self.top(&reporter.read("r"), &reporter.key("r")).await?;
        Ok(stats)
    }

    /// Those of one kind of which there are the most reports, by their keys, as they are read.
    async fn top(&self, read: &str, key: &str) -> Result<Vec<(String, i64)>, StoreError> {
        let text = format!(
            "SELECT {read}, COUNT(*) FROM ~reports r GROUP BY {key} ORDER BY 2 DESC, 1 LIMIT ?"
        );
        let rows: Vec<(Text, i64)> = self.rows_of(On::Read, "top", text, values![TOP]).await?;
        let named = |(name, count): (Text, i64)| (name.unwrap_or_default(), count);
        Ok(rows.into_iter().map(named).collect())
    }

    /// The mean time that the newest thousand took.
    async fn hours_to_resolve(&self, reports: &ReportColumns) -> Result<f64, StoreError> {
        let Some(end) = &reports.resolved_at else {
            return Ok(0.0);
        };
        let text = format!(
            "SELECT {}, {} FROM ~reports r WHERE r.{end} IS NOT NULL ORDER BY r.{} DESC LIMIT 1000",
            reports.at.text("r"),
            end.text("r"),
            reports.id
        );
        let rows: Vec<(Text, Text)> = self
            .rows_of(On::Read, "time to resolve", text, values![])
            .await?;
        let hours = |(from, to): &(Text, Text)| {
            let took = seconds(to.as_deref()).saturating_sub(seconds(from.as_deref()));
            took as f64 / 3_600.0
        };
        let sum: f64 = rows.iter().map(hours).sum();
        Ok(sum / rows.len().max(1) as f64)
    }
}
