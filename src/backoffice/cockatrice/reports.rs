//! Reports of users about users, and the moderators' queue of them (spec: cockatrice-behaviour 10, 18.5).

use std::time::{Duration, Instant};

use bytes::Bytes;
use cockatrice::messages::{
    NotificationType, ReportCategoryCount, ReportTopUser, ResponseBody, ResponseCode,
    ResponseReportDetails, ResponseReportList, ResponseReportMyList, ResponseReportStats,
    ResponseReportUserInfo, ServerInfoReport, ServerInfoReportComment,
};
use lobby::{
    cockatrice::questions::{
        AskReports, NewReport, Notice, Outcome, Pending, ReportRequest, Who, notification,
    },
    question::Answers,
};

use super::{
    CockatriceHandler,
    handler::settled,
    store::{Comment, Missed, Of, Report, Stats},
};
use crate::store::StoreError;

const CATEGORIES: [&str; 4] = ["cheating", "bug_abuse", "verbal_abuse", "other"];
/// Own reports that are told.
const OWN: u32 = 200;
/// Reports that a moderator is told at once, at most.
const MOST: u32 = 1_000;
/// Reports that stand in what is known of somebody.
const RECENT: u32 = 10;
/// How long numbers of reports stay what they were.
const STATS_LIFE: Duration = Duration::from_secs(60);

impl Answers<AskReports> for CockatriceHandler {
    async fn answer(&self, AskReports { who, request }: AskReports) -> Outcome {
        settled(self.reports(&who, request).await)
    }
}

/// What somebody has missed, as they are told it, and which it was.
pub(super) fn notice(missed: &Missed) -> (Bytes, Pending) {
    match missed {
        Missed::Resolved(report) => {
            let id = u32::try_from(report.id).unwrap_or(0);
            (resolved(report), Pending::Resolved(id))
        }
        Missed::Comment(pending, report, author, text) => {
            (commented(*report, author, text), *pending)
        }
    }
}

fn resolved(report: &Report) -> Bytes {
    let (what, title) = match &*report.status {
        "dismissed" => ("dismissed", "Report Dismissed"),
        _ => ("resolved", "Report Resolved"),
    };
    let mut content = format!("Your report about {} has been {what}.", report.about);
    if let Some(note) = &report.note {
        content.push_str("\nNote: ");
        content.push_str(note);
    }
    notification(NotificationType::ReportResolved, title, &content)
}

fn commented(report: i64, author: &str, text: &str) -> Bytes {
    notification(
        NotificationType::ReportComment,
        &format!("New Comment on Report {report}"),
        &format!("{author} commented:\n{text}"),
    )
}

impl CockatriceHandler {
    async fn reports(&self, who: &Who, request: ReportRequest) -> Result<Outcome, StoreError> {
        match request {
            ReportRequest::New(new) => self.new_report(who, new).await,
            ReportRequest::Own => self.own_reports(who).await,
            ReportRequest::Details(id) => self.report_details(who, id).await,
            ReportRequest::Comment { report, text } => self.comment(who, report, &text).await,
            ReportRequest::List {
                unresolved_only,
                offset,
                limit,
            } => {
                let of = if unresolved_only {
                    Of::Unresolved
                } else {
                    Of::All
                };
                let (found, total) = self.store.reports(of, offset, limit.min(MOST)).await?;
                Ok(Outcome::with(ResponseBody::ReportList(
                    ResponseReportList {
                        reports: found.iter().map(told).collect(),
                        total_count: Some(total),
                    },
                )))
            }
            ReportRequest::Assign(id) => {
                let code = match self.store.report(id).await? {
                    None => ResponseCode::RespNameNotFound,
                    Some(_) if self.store.assign(id, &who.name).await? => ResponseCode::RespOk,
                    Some(_) => ResponseCode::RespInvalidData,
                };
                Ok(Outcome::code(code))
            }
            ReportRequest::Resolve {
                report,
                note,
                dismissed,
            } => self.resolve(who, report, &note, dismissed).await,
            ReportRequest::UserInfo(name) => self.user_info(&name).await,
            ReportRequest::Stats => self.report_stats().await,
            ReportRequest::Delivered(pending) => {
                self.store.delivered(&pending).await?;
                Ok(Outcome::ok())
            }
        }
    }

    async fn new_report(&self, who: &Who, new: NewReport) -> Result<Outcome, StoreError> {
        let is_known = CATEGORIES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(&new.category));
        if new.about.is_empty() || new.description.is_empty() || !is_known {
            return Ok(Outcome::code(ResponseCode::RespInvalidData));
        }
        if let Some(most) = self.rules().chosen.moderation.reports_per_day
            && self.store.reports_today(&who.name).await? >= i64::from(most)
        {
            return Ok(Outcome::code(ResponseCode::RespTooManyRequests));
        }
        let Some(found) = self.store.find(&new.about).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        let about = found.account.name;
        let new = NewReport { about, ..new };
        self.store.new_report(&who.name, &new).await?;
        Ok(Outcome::ok())
    }

    async fn own_reports(&self, who: &Who) -> Result<Outcome, StoreError> {
        let before = self.missed(&who.name).await?;
        let (found, _) = self.store.reports(Of::Reporter(&who.name), 0, OWN).await?;
        let mut outcome = Outcome::with(ResponseBody::ReportMyList(ResponseReportMyList {
            reports: found.iter().map(told).collect(),
        }));
        outcome.before = before;
        Ok(outcome)
    }

    async fn report_details(&self, who: &Who, id: i32) -> Result<Outcome, StoreError> {
        let Some(report) = self.store.report(id).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        if !is_party(who, &report) {
            return Ok(Outcome::code(ResponseCode::RespAccessDenied));
        }
        let comments = self.store.comments(id).await?;
        let log = self.store.chat_log(id).await?;
        let mut record = told(&report);
        record.chat_log = Some(log.into());
        record.comments = comments.iter().map(told_comment).collect();
        Ok(Outcome::with(ResponseBody::ReportDetails(
            ResponseReportDetails {
                report: Some(record),
            },
        )))
    }

    async fn comment(&self, who: &Who, id: i32, text: &str) -> Result<Outcome, StoreError> {
        if text.trim().is_empty() {
            return Ok(Outcome::code(ResponseCode::RespInvalidData));
        }
        if let Some(most) = self.rules().chosen.moderation.comments_per_hour
            && self.store.comments_lately(&who.name).await? >= i64::from(most)
        {
            return Ok(Outcome::code(ResponseCode::RespTooManyRequests));
        }
        let Some(report) = self.store.report(id).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        if !is_party(who, &report) {
            return Ok(Outcome::code(ResponseCode::RespAccessDenied));
        }
        if !report.is_unresolved() {
            return Ok(Outcome::code(ResponseCode::RespInvalidData));
        }
        // Whoever writes it need not be told, nor anybody twice.
        let is_other = |name: &str| !name.eq_ignore_ascii_case(&who.name);
        let assignee = report.assignee.as_deref().filter(|name| is_other(name));
        let tells_reporter = who.is_moderator && is_other(&report.reporter);
        let assignee = assignee
            .filter(|name| !(tells_reporter && name.eq_ignore_ascii_case(&report.reporter)));
        let comment = self
            .store
            .comment(id, who, text, tells_reporter, assignee.is_some())
            .await?;
        let told = commented(report.id, &who.name, text);
        let mut outcome = Outcome::ok();
        if tells_reporter {
            outcome.notices.push(Notice {
                to: (*report.reporter).into(),
                event: told.clone(),
                pending: Some(Pending::ToReporter(comment)),
            });
        }
        if let Some(name) = assignee {
            outcome.notices.push(Notice {
                to: name.into(),
                event: told,
                pending: Some(Pending::ToAssignee(comment)),
            });
        }
        Ok(outcome)
    }

    async fn resolve(
        &self,
        who: &Who,
        id: i32,
        note: &str,
        dismissed: bool,
    ) -> Result<Outcome, StoreError> {
        if !self.store.resolve(id, &who.name, note, dismissed).await? {
            return Ok(Outcome::code(ResponseCode::RespInvalidData));
        }
        let action = match dismissed {
            true => "REPORT_DISMISSED",
            false => "REPORT_RESOLVED",
        };
        let details = format!("report {id}");
        self.audit(who, action, &details, ResponseCode::RespOk)
            .await;
        let mut outcome = Outcome::ok();
        if let Some(report) = self.store.report(id).await? {
            outcome.notices.push(Notice {
                to: (*report.reporter).into(),
                event: resolved(&report),
                pending: Some(Pending::Resolved(u32::try_from(report.id).unwrap_or(0))),
            });
        }
        Ok(outcome)
    }

    async fn user_info(&self, name: &str) -> Result<Outcome, StoreError> {
        let Some(found) = self.store.find(name).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        let (id, name) = (found.account.id, &*found.account.name);
        let facts = self.store.facts(id).await?;
        let notes = self.store.notes(id).await?;
        let (recent, total) = self.store.reports(Of::About(name), 0, RECENT).await?;
        // When they were resolved is told with the reports themselves, not here.
        let recent = recent.iter().map(|report| ServerInfoReport {
            resolution_time: None,
            ..told(report)
        });
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let at = |at: u64| i64::try_from(at).ok().filter(|at| *at > 0);
        Ok(Outcome::with(ResponseBody::ReportUserInfo(
            ResponseReportUserInfo {
                user_name: Some(name.into()),
                total_reports: Some(count(total)),
                total_bans: Some(count(facts.bans)),
                total_warns: Some(count(facts.warnings)),
                registration_time: at(facts.registered_s),
                is_admin: Some(found.account.level().is_admin()),
                is_active: Some(found.active),
                admin_notes: Some(notes.into()),
                recent_reports: recent.collect(),
                last_login: at(facts.last_login_s),
            },
        )))
    }

    /// Numbers of all reports. They cost the store a lot, so all moderators are told the same for a minute.
    async fn report_stats(&self) -> Result<Outcome, StoreError> {
        let kept = |kept: &Option<(Instant, Bytes)>| match kept {
            Some((at, told)) if at.elapsed() < STATS_LIFE => Some(told.clone()),
            _ => None,
        };
        let lock = || {
            self.report_stats
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
        };
        let known = kept(&lock());
        if known.is_some() {
            let mut outcome = Outcome::ok();
            outcome.body = known;
            return Ok(outcome);
        }
        let stats = self.store.report_stats().await?;
        let outcome = Outcome::with(ResponseBody::ReportStats(numbers(&stats)));
        *lock() = outcome.body.clone().map(|told| (Instant::now(), told));
        Ok(outcome)
    }
}

/// Whether a report is theirs to see.
fn is_party(who: &Who, report: &Report) -> bool {
    who.is_moderator || who.name.eq_ignore_ascii_case(&report.reporter)
}

fn told(report: &Report) -> ServerInfoReport<'_> {
    let number = |number: Option<i64>| number.and_then(|number| i32::try_from(number).ok());
    let at = |at: u64| i64::try_from(at).ok();
    ServerInfoReport {
        report_id: number(Some(report.id)),
        reporter_name: Some((*report.reporter).into()),
        reported_user_name: Some((*report.about).into()),
        game_id: number(report.game),
        replay_id: None,
        room_id: number(report.room),
        category: Some((*report.category).into()),
        status: Some((*report.status).into()),
        description: Some((*report.description).into()),
        report_time: at(report.at_s),
        assigned_mod_name: report.assignee.as_deref().map(Into::into),
        resolution_time: report.resolved_s.and_then(at),
        comments: Vec::new(),
        chat_log: None,
        resolution_note: report.note.as_deref().map(Into::into),
    }
}

fn told_comment(comment: &Comment) -> ServerInfoReportComment<'_> {
    ServerInfoReportComment {
        author_name: Some((*comment.author).into()),
        comment_text: Some((*comment.text).into()),
        comment_time: i64::try_from(comment.at_s).ok(),
        is_moderator: Some(comment.by_moderator),
    }
}

fn numbers(stats: &Stats) -> ResponseReportStats<'_> {
    let count = |count: i64| Some(i32::try_from(count).unwrap_or(i32::MAX));
    let users = |top: &'_ [(String, i64)]| -> Vec<ReportTopUser<'static>> {
        let user = |(name, number): &(String, i64)| ReportTopUser {
            user_name: Some(name.clone().into()),
            count: count(*number),
        };
        top.iter().map(user).collect()
    };
    let category = |(name, number): &(String, i64)| ReportCategoryCount {
        category: Some(name.clone().into()),
        count: count(*number),
    };
    let [day, week, fortnight, month] = stats.of_days;
    ResponseReportStats {
        total_reports: count(stats.total),
        total_pending: count(stats.open),
        total_assigned: count(stats.assigned),
        total_resolved: count(stats.resolved),
        reports_last_24h: count(day),
        reports_last_7d: count(week),
        reports_last_30d: count(month),
        avg_resolution_hours: Some(stats.hours_to_resolve),
        reports_this_week: count(week),
        reports_last_week: count(fortnight - week),
        category_counts: stats.categories.iter().map(category).collect(),
        top_reported_users: users(&stats.about),
        top_reporters: users(&stats.reporters),
    }
}
