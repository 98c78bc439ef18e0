//! The columns of what was said (spec: cockatrice-behaviour 16, `log`).

use super::{
    columns::{
        Column, Columns,
        Kind::{Number, Text, Time},
        Role,
    },
    shape::{Lacks, Purpose, Shape},
};

/// The columns of the log. Ids may be numbers or text.
#[derive(Debug)]
pub(super) struct LogColumns {
    pub(super) at: Column,
    pub(super) sender_id: Option<Column>,
    pub(super) sender: Column,
    pub(super) address: Column,
    pub(super) text: Column,
    pub(super) place: Column,
    pub(super) target_id: Option<Column>,
    pub(super) target: Column,
}

/// What they are for; the text is the one that is nothing else.
#[rustfmt::skip]
const OF_LOG: [Role; 10] = [
    Role::of(Time, "log_time", &[""]),
    Role::of(Number, "sender_id", &["sender+id", "user+id", "sender"]),
    Role::of(Number, "target_id", &["target+id", "target"]),
    Role::of(Text, "sender_id", &["sender+id"]),
    Role::of(Text, "target_id", &["target+id"]),
    Role::of(Text, "sender_ip", &["senderip", "addr", "ip"]),
    Role::of(Text, "target_type", &["target+type", "type", "place", "location"]),
    Role::of(Text, "sender_name", &["sender", "user", "from"]).but(&["target"]),
    Role::of(Text, "target_name", &["target", "receiver", "recipient"]),
    Role::of(Text, "message", &["message", "msg", "text", "body", "content", ""]),
];

impl Shape for LogColumns {
    const PURPOSE: Purpose = Purpose {
        table: "log",
        is_for: "what was said, where that is logged",
        without: "nothing is logged, and moderators who want to read it get an internal error",
    };

    fn find(columns: &Columns, lacks: &mut Lacks) -> Option<Self> {
        let [
            at,
            sender_id,
            target_id,
            sender_text_id,
            target_text_id,
            address,
            place,
            sender,
            target,
            text,
        ] = columns.fit(OF_LOG);
        Some(LogColumns {
            sender_id: lacks.note("the sender's id", sender_id.or(sender_text_id)),
            target_id: lacks.note("the target's id", target_id.or(target_text_id)),
            at: lacks.note("the time", at)?,
            sender: lacks.note("the sender's name", sender)?,
            address: lacks.note("the sender's address", address)?,
            place: lacks.note("the kind of target", place)?,
            target: lacks.note("the target's name", target)?,
            text: lacks.note("the text", text)?,
        })
    }
}
