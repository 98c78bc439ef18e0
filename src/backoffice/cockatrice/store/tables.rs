//! The tables that the lobby can do without, as the database has them.

use super::{
    columns::{Column, Columns, Kind, Role},
    compose::{Composed, Person},
    log_columns::LogColumns,
    report_columns::{CommentColumns, ReportColumns},
    shape::{Gap, Lacks, Purpose, Shape, Table},
};
use crate::store::value::values;

/// All of them.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) reports: Table<ReportColumns>,
    pub(super) comments: Table<CommentColumns>,
    pub(super) log: Table<LogColumns>,
    pub(super) audit: Table<AuditColumns>,
    pub(super) analytics: Table<AnalyticsColumns>,
    pub(super) messages: Table<MessageColumns>,
    pub(super) art: Table<ArtColumns>,
    pub(super) requests: Table<RequestColumns>,
    pub(super) activations: Table<ActivationColumns>,
    pub(super) warnings: Table<WarningColumns>,
    pub(super) uptime: Table<UptimeColumns>,
}

impl Tables {
    /// Takes somebody's requests for a new password away, if there is a table of them.
    pub(super) fn forget_requests<'a>(&self, name: &'a str) -> Option<Composed<'a>> {
        let requests = self.requests.if_known()?;
        let text = format!("DELETE FROM ~forgot_password WHERE {} = ?", requests.name);
        Some((text, values![name]))
    }

    /// What there is not.
    pub(super) fn gaps(&self) -> Vec<Gap> {
        let all = [
            self.reports.gap(),
            self.comments.gap(),
            self.log.gap(),
            self.audit.gap(),
            self.analytics.gap(),
            self.messages.gap(),
            self.art.gap(),
            self.requests.gap(),
            self.activations.gap(),
            self.warnings.gap(),
            self.uptime.gap(),
        ];
        all.into_iter().flatten().cloned().collect()
    }
}

/// What is written down of what people do about accounts.
#[derive(Debug)]
pub(super) struct AuditColumns {
    pub(super) server: Option<Column>,
    pub(super) name: Column,
    pub(super) address: Option<Column>,
    pub(super) client: Option<Column>,
    pub(super) at: Column,
    pub(super) action: Column,
    pub(super) result: Column,
    pub(super) details: Option<Column>,
}

impl Shape for AuditColumns {
    const PURPOSE: Purpose = Purpose {
        table: "audit",
        is_for: "who did what about accounts",
        without: "that is not written down",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [server, name, address, client, at, action, result, details] = columns.fit([
            Role::of(Kind::Number, "id_server", &["server"]),
            Role::of(Kind::Text, "name", &["user+name", "name", "user"]),
            Role::of(Kind::Text, "ip_address", &["addr", "ip"]),
            Role::of(Kind::Text, "clientid", &["client"]),
            Role::of(Kind::Time, "incidentDate", &[""]),
            Role::of(Kind::Text, "action", &["action"]),
            Role::of(Kind::Text, "results", &["result", "outcome"]),
            Role::of(Kind::Text, "details", &["detail", "info", "text"]),
        ]);
        Some(AuditColumns {
            server: lacks.note("the server", server),
            name: lacks.note("the name", name)?,
            address: lacks.note("the address", address),
            client: lacks.note("the client", client),
            at: lacks.note("the time", at)?,
            action: lacks.note("the action", action)?,
            result: lacks.note("how it ended", result)?,
            details: lacks.note("details", details),
        })
    }
}

/// Who was last there with which client.
#[derive(Debug)]
pub(super) struct AnalyticsColumns {
    pub(super) id: Column,
    pub(super) version: Option<Column>,
    pub(super) at: Column,
}

impl Shape for AnalyticsColumns {
    const PURPOSE: Purpose = Purpose {
        table: "user_analytics",
        is_for: "when an account was last signed in to, with which client",
        without: "moderators are not told when somebody was last there, and \"last logins\" answers with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [id, version, at] = columns.fit([
            Role::of(Kind::Id, "id", &["user"]),
            Role::of(Kind::Text, "client_ver", &["ver", "client"]),
            Role::of(Kind::Time, "last_login", &["login", "last"]),
        ]);
        Some(AnalyticsColumns {
            id: lacks.note("the account", id)?,
            version: lacks.note("the client", version),
            at: lacks.note("the time", at)?,
        })
    }
}

/// What a server says to everybody who comes.
#[derive(Debug)]
pub(super) struct MessageColumns {
    pub(super) server: Column,
    pub(super) at: Column,
    pub(super) text: Column,
}

impl Shape for MessageColumns {
    const PURPOSE: Purpose = Purpose {
        table: "servermessages",
        is_for: "what the server says to whoever signs in",
        without: "it says nothing, and an administrator who wants it told gets an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [server, at, text] = columns.fit([
            Role::of(Kind::Number, "id_server", &["server"]),
            Role::of(Kind::Time, "timest", &[""]),
            Role::of(Kind::Text, "message", &["message", "text"]),
        ]);
        Some(MessageColumns {
            server: lacks.note("the server", server)?,
            at: lacks.note("the time", at)?,
            text: lacks.note("the text", text)?,
        })
    }
}

/// Requests for a new password.
#[derive(Debug)]
pub(super) struct RequestColumns {
    pub(super) name: Column,
    pub(super) at: Column,
    pub(super) emailed: Column,
}

impl Shape for RequestColumns {
    const PURPOSE: Purpose = Purpose {
        table: "forgot_password",
        is_for: "requests for a new password",
        without: "they are answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [name, at, emailed] = columns.fit([
            Role::of(Kind::Text, "name", &["name", "user"]),
            Role::of(Kind::Time, "requestDate", &[""]),
            Role::of(Kind::Number, "emailed", &["mail", "sent"]),
        ]);
        Some(RequestColumns {
            name: lacks.note("the name", name)?,
            at: lacks.note("the time", at)?,
            emailed: lacks.note("whether mail was sent", emailed)?,
        })
    }
}

/// New accounts that are told a token.
#[derive(Debug)]
pub(super) struct ActivationColumns {
    pub(super) name: Column,
}

impl Shape for ActivationColumns {
    const PURPOSE: Purpose = Purpose {
        table: "activation_emails",
        is_for: "new accounts whose tokens are to be sent",
        without: "registration with activation by mail is answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [name] = columns.fit([Role::of(Kind::Text, "name", &["name", "user"])]);
        Some(ActivationColumns {
            name: lacks.note("the name", name)?,
        })
    }
}

/// What people were warned of.
#[derive(Debug)]
pub(super) struct WarningColumns {
    pub(super) id: Column,
    pub(super) name: Column,
    pub(super) by: Column,
    pub(super) reason: Column,
    pub(super) at: Column,
    pub(super) client: Option<Column>,
}

impl Shape for WarningColumns {
    const PURPOSE: Purpose = Purpose {
        table: "warnings",
        is_for: "what people were warned of",
        without: "warnings are answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [id, name, by, reason, at, client] = columns.fit([
            Role::of(Kind::Id, "user_id", &["user"]),
            Role::of(Kind::Text, "user_name", &["user"]),
            Role::of(Kind::Text, "mod_name", &["mod"]),
            Role::of(Kind::Text, "reason", &["reason"]),
            Role::of(Kind::Time, "time_of", &[""]),
            Role::of(Kind::Text, "clientid", &["client"]),
        ]);
        Some(WarningColumns {
            id: lacks.note("the account", id)?,
            name: lacks.note("the name", name)?,
            by: lacks.note("the moderator", by)?,
            reason: lacks.note("the reason", reason)?,
            at: lacks.note("the time", at)?,
            client: lacks.note("the client", client),
        })
    }
}

/// Rules about card art.
#[derive(Debug)]
pub(super) struct ArtColumns {
    pub(super) id: Option<Column>,
    pub(super) card: Column,
    pub(super) provider: Column,
    pub(super) mode: Column,
    pub(super) reason: Option<Column>,
    /// Who made it.
    pub(super) author: Option<Person>,
    pub(super) at: Option<Column>,
}

impl Shape for ArtColumns {
    const PURPOSE: Purpose = Purpose {
        table: "card_art_name_rules",
        is_for: "which cards' art may be shown beside a name",
        without: "nobody can choose card art, and its rules are answered with an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [id, card, provider, mode, author, author_id, at, reason] = columns.fit([
            Role::of(Kind::Id, "id", &["ruleid"]),
            Role::of(Kind::Text, "card_name", &["card+name", "card"]).but(&["provider"]),
            Role::of(Kind::Text, "card_provider_id", &["provider"]),
            Role::of(Kind::Text, "mode", &["mode", "action", "type"]),
            Role::of(
                Kind::Text,
                "created_by",
                &["creat", "author", "by", "mod", "admin", "user"],
            ),
            Role::of(
                Kind::Id,
                "created_by",
                &["creat", "author", "by", "mod", "admin", "user"],
            ),
            Role::of(Kind::Time, "created_at", &["creat", ""]).but(&["updat", "modif"]),
            Role::of(Kind::Text, "reason", &["reason", "note", "comment", "desc"]),
        ]);
        Some(ArtColumns {
            reason: lacks.note("the reason", reason),
            author: lacks.note("who made the rule", Person::of(author, author_id)),
            card: lacks.note("the card", card)?,
            provider: lacks.note("the printing", provider)?,
            mode: lacks.note("the mode", mode)?,
            id,
            at,
        })
    }
}

/// How busy the server is.
#[derive(Debug)]
pub(super) struct UptimeColumns {
    pub(super) at: Column,
    pub(super) server: Option<Column>,
    /// Seconds since the start.
    pub(super) up: Option<Column>,
    pub(super) users: Option<Column>,
    pub(super) moderators: Option<Column>,
    pub(super) games: Option<Column>,
}

impl Shape for UptimeColumns {
    const PURPOSE: Purpose = Purpose {
        table: "uptime",
        is_for: "how busy the server is, for other programs",
        without: "that is not written down",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [at, server, up, users, moderators, games] = columns.fit([
            Role::of(Kind::Time, "timest", &[""]),
            Role::of(Kind::Number, "id_server", &["server"]),
            Role::of(Kind::Number, "uptime", &["uptime"]),
            Role::of(Kind::Number, "users_count", &["user"]),
            Role::of(Kind::Number, "mods_count", &["mod"]),
            Role::of(Kind::Number, "games_count", &["game"]),
        ]);
        Some(UptimeColumns {
            server: lacks.note("the server", server),
            up: lacks.note("how long it has been there", up),
            users: lacks.note("users", users),
            moderators: lacks.note("moderators", moderators),
            games: lacks.note("games", games),
            at: lacks.note("the time", at)?,
        })
    }
}
