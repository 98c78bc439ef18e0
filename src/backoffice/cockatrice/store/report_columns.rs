//! The columns of reports and of comments on them, which the specification describes but does not name
//! (spec: cockatrice-behaviour 10, 16).

use super::{
    columns::{
        Column, Columns,
        Kind::{Id, Number, Text, Time},
        Role,
    },
    compose::Person,
    shape::{Lacks, Purpose, Shape},
};

/// Parts of the names of columns that are about the end of a report.
const END: &[&str] = &["resol", "clos", "dismiss", "handled"];
/// Parts of the names of times that are not when a row was made.
const LATER: &[&str] = &[
    "resol", "clos", "dismiss", "handled", "assign", "updat", "modif", "edit", "notif",
];

/// Parts of the names of columns that hold addresses.
const ADDRESS: &[&str] = &["addr", "ip"];

/// The columns of reports.
#[derive(Debug)]
pub(super) struct ReportColumns {
    pub(super) id: Column,
    pub(super) reporter: Person,
    pub(super) about: Person,
    pub(super) game: Option<Column>,
    pub(super) room: Option<Column>,
    pub(super) category: Column,
    pub(super) status: Column,
    pub(super) description: Column,
    pub(super) chat_log: Option<Column>,
    pub(super) at: Column,
    pub(super) assignee: Person,
    pub(super) assigned_at: Option<Column>,
    /// Who ended it: `audit` says so anyway.
    pub(super) resolver: Option<Person>,
    pub(super) resolved_at: Option<Column>,
    pub(super) note: Option<Column>,
    /// Whether the reporter knows what came of it.
    pub(super) notified: Option<Column>,
}

/// What the columns of reports are for. Those with the plainest signs choose first.
#[rustfmt::skip]
const OF_REPORTS: [Role; 20] = [
    Role::of(Id, "id", &["reportid"]),
    Role::of(Number, "reporter_notified", &["report+notif", "notif", "inform"]),
    Role::of(Time, "report_time", &["report", "creat", ""]).but(LATER),
    Role::of(Time, "assignment_time", &["assign"]),
    Role::of(Time, "resolution_time", END),
    Role::of(Text, "resolved_by", &["resol+by", "resolver", "resol+mod", "resol+name", "clos+by", "handled+by"]).but(&["note"]),
    Role::of(Id, "resolved_by", END),
    Role::of(Text, "assigned_mod_name", &["assign", "handler", "mod"]).but(END),
    Role::of(Id, "assigned_mod_id", &["assign", "handler", "mod"]).but(END),
    Role::of(Text, "reported_user_name", &["reported", "target", "accused", "offender", "about"]).but(&["reportedby", "addr", "ip"]),
    Role::of(Id, "reported_user_id", &["reported", "target", "accused", "offender", "about"]).but(&["reportedby"]),
    Role::of(Text, "reporter_name", &["reporter", "reportedby", "author", "creat", "submit", "user"]).but(ADDRESS),
    Role::of(Id, "reporter_id", &["reporter", "reportedby", "author", "creat", "submit", "user"]),
    Role::of(Id, "game_id", &["game"]),
    Role::of(Id, "room_id", &["room"]),
    Role::of(Text, "status", &["status", "state"]),
    Role::of(Text, "chat_log", &["chat", "log", "transcript"]),
    Role::of(Text, "resolution_note", &["resol", "note", "outcome", "clos"]),
    Role::of(Text, "category", &["categ", "kind", "type", "reason"]),
    Role::of(Text, "description", &["desc", "detail", "text", "body", "message", "content", "comment", "reason"]),
];

impl Shape for ReportColumns {
    const PURPOSE: Purpose = Purpose {
        table: "reports",
        is_for: "what users report",
        without: "whatever is asked about reports is answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [
            id,
            notified,
            at,
            assigned_at,
            resolved_at,
            resolver,
            resolver_id,
            assignee,
            assignee_id,
            about,
            about_id,
            reporter,
            reporter_id,
            game,
            room,
            status,
            chat_log,
            note,
            category,
            description,
        ] = columns.fit(OF_REPORTS);
        Some(ReportColumns {
            game: lacks.note("the game", game),
            room: lacks.note("the room", room),
            chat_log: lacks.note("the chat that is quoted", chat_log),
            resolved_at: lacks.note("the time of the end", resolved_at),
            note: lacks.note("the note at the end", note),
            notified: lacks.note("whether the reporter was told of the end", notified),
            id: lacks.note("the number", id)?,
            reporter: lacks.note("the reporter", Person::of(reporter, reporter_id))?,
            about: lacks.note("the reported user", Person::of(about, about_id))?,
            category: lacks.note("the category", category)?,
            status: lacks.note("the status", status)?,
            description: lacks.note("the description", description)?,
            at: lacks.note("the time", at)?,
            assignee: lacks.note("the moderator", Person::of(assignee, assignee_id))?,
            assigned_at,
            resolver: Person::of(resolver, resolver_id),
        })
    }
}

/// The columns of comments.
#[derive(Debug)]
pub(super) struct CommentColumns {
    pub(super) id: Column,
    pub(super) report: Column,
    pub(super) author: Person,
    pub(super) text: Column,
    pub(super) at: Column,
    pub(super) by_moderator: Column,
    pub(super) notified: Notified,
}

/// What says whether a comment was told to those whom it is for.
#[derive(Debug)]
pub(super) enum Notified {
    /// A column for the reporter, and one for the moderator who works on the report.
    Each(Column, Column),
    /// One for whoever it is: a moderator's comment is for the reporter, a reporter's for the moderator.
    One(Column),
    /// None: whoever is not there when it is written is not told.
    Nobody,
}

/// What the columns of comments are for.
#[rustfmt::skip]
const OF_COMMENTS: [Role; 10] = [
    Role::of(Number, "reporter_notified", &["report+notif"]),
    Role::of(Number, "assignee_notified", &["assign+notif", "mod+notif"]),
    Role::of(Number, "notified", &["notif", "inform"]),
    Role::of(Number, "is_moderator", &["ismod", "bymod", "staff", "mod"]).but(&["id", "modif"]),
    Role::of(Id, "id", &["commentid"]),
    Role::of(Id, "report_id", &["report"]).but(&["reporter"]),
    Role::of(Time, "comment_time", &["comment", "creat", ""]).but(LATER),
    Role::of(Text, "author_name", &["author", "commenter", "commentby", "writ", "user", "creat", "name"]).but(ADDRESS),
    Role::of(Id, "author_id", &["author", "commenter", "commentby", "writ", "user", "creat", "by"]),
    Role::of(Text, "comment_text", &["text", "comment", "body", "content", "message"]),
];

impl Shape for CommentColumns {
    const PURPOSE: Purpose = Purpose {
        table: "report_comments",
        is_for: "comments on reports",
        without: "comments, and reports in full, are answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [
            reporter,
            assignee,
            either,
            by_moderator,
            id,
            report,
            at,
            author,
            author_id,
            text,
        ] = columns.fit(OF_COMMENTS);
        let notified = match (reporter, assignee, either) {
            (Some(reporter), Some(assignee), _) => Some(Notified::Each(reporter, assignee)),
            (reporter, assignee, either) => either.or(reporter).or(assignee).map(Notified::One),
        };
        Some(CommentColumns {
            notified: lacks
                .note("whether somebody was told of one", notified)
                .unwrap_or(Notified::Nobody),
            id: lacks.note("the number", id)?,
            report: lacks.note("the report", report)?,
            author: lacks.note("the author", Person::of(author, author_id))?,
            text: lacks.note("the text", text)?,
            at: lacks.note("the time", at)?,
            by_moderator: lacks.note("whether a moderator wrote it", by_moderator)?,
        })
    }
}

impl CommentColumns {
    /// The flag of what the reporter was told.
    pub(super) fn reporter_notified(&self) -> Option<&Column> {
        match &self.notified {
            Notified::Each(flag, _) | Notified::One(flag) => Some(flag),
            Notified::Nobody => None,
        }
    }

    /// The flag of what the moderator was told.
    pub(super) fn assignee_notified(&self) -> Option<&Column> {
        match &self.notified {
            Notified::Each(_, flag) | Notified::One(flag) => Some(flag),
            Notified::Nobody => None,
        }
    }

    /// That a comment is for the reporter, or for the moderator, as far as its flag does not say so.
    pub(super) fn is_for(&self, reporter: bool, table: &str) -> String {
        match &self.notified {
            Notified::One(_) => format!("{table}.{} = {}", self.by_moderator, i32::from(reporter)),
            Notified::Each(..) | Notified::Nobody => "1 = 1".to_owned(),
        }
    }
}
