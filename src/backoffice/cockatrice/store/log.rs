//! What was said, for moderators (spec: cockatrice-behaviour 8, VIEWLOG_HISTORY).

use lobby::cockatrice::questions::LogLine;

use super::{
    Store, ago,
    sql::{On, Value, values},
};
use crate::store::{StoreError, time};

/// Lines that are told at once, at most: a client shows them all in one table.
const MOST_LINES: u32 = 10_000;

/// A line as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cockatrice) struct Said {
    pub(in crate::cockatrice) at: String,
    pub(in crate::cockatrice) sender_id: String,
    pub(in crate::cockatrice) sender: String,
    pub(in crate::cockatrice) address: String,
    pub(in crate::cockatrice) text: String,
    pub(in crate::cockatrice) place: String,
    pub(in crate::cockatrice) target_id: String,
    pub(in crate::cockatrice) target: String,
}

/// What is looked for; empty texts and zeros are nothing.
#[derive(Clone, Copy, Debug)]
pub(in crate::cockatrice) struct Search<'a> {
    pub(in crate::cockatrice) name: &'a str,
    pub(in crate::cockatrice) address: &'a str,
    pub(in crate::cockatrice) game_name: &'a str,
    pub(in crate::cockatrice) game_id: &'a str,
    pub(in crate::cockatrice) message: &'a str,
    pub(in crate::cockatrice) places: &'a [Box<str>],
    pub(in crate::cockatrice) hours: u32,
    pub(in crate::cockatrice) most: u32,
}

impl Store {
    /// Writes lines down.
    pub(in crate::cockatrice) async fn write_log(
        &self,
        lines: &[LogLine],
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO ~log (log_time, sender_id, sender_name, sender_ip, message, target_type, target_id, target_name) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
        let statement = |line| (text, line_values(line));
        let statements = lines.iter().map(statement).collect();
        self.run_all(On::Records, "write log", statements).await?;
        Ok(())
    }

    /// Lines that were said, newest first. Nothing if nothing is looked for that has an index.
    pub(in crate::cockatrice) async fn search_log(
        &self,
        search: Search<'_>,
    ) -> Result<Vec<Said>, StoreError> {
        type Row = (Text, Option<i64>, Text, Text, Text, Text, Option<i64>, Text);
        type Text = Option<String>;
        let mut wanted = Vec::new();
        let mut values: Vec<Value<'_>> = Vec::new();
        if !search.name.is_empty() {
            wanted.push("(sender_name = ? OR (target_type = 'chat' AND target_name = ?))");
            values.extend(values![search.name, search.name]);
        }
        if !search.address.is_empty() {
            wanted.push("sender_ip = ?");
            values.push(search.address.into());
        }
        if !search.game_name.is_empty() {
            wanted.push("(target_type = 'game' AND target_name = ?)");
            values.push(search.game_name.into());
        }
        if !search.game_id.is_empty() {
            wanted.push("(target_type = 'game' AND target_id = ?)");
            values.push(search.game_id.parse::<i64>().unwrap_or(-1).into());
        }
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        if !search.message.is_empty() {
            wanted.push("message LIKE ?");
            values.push(search.message.into());
        }
        let known = ["room", "game", "chat"].map(|place| {
            let is_wanted = search.places.iter().any(|wanted| **wanted == *place);
            is_wanted.then_some(place)
        });
        wanted.push("target_type IN (?, ?, ?)");
        values.extend(known.map(|place| place.unwrap_or("").into()));
        if search.hours > 0 {
            wanted.push("log_time > ?");
            values.push(ago(f64::from(search.hours) * 3_600.0).into());
        }
        let most = match search.most {
            0 => MOST_LINES,
            most => most.min(MOST_LINES),
        };
        values.push(most.into());
        let text = format!(
            "SELECT CAST(log_time AS CHAR), CAST(sender_id AS SIGNED), sender_name, sender_ip, message, \
             CAST(target_type AS CHAR), CAST(target_id AS SIGNED), target_name FROM ~log WHERE {} \
             ORDER BY log_time DESC LIMIT ?",
            wanted.join(" AND ")
        );
        let rows: Vec<Row> = self.rows_of(On::Read, "log", text, values).await?;
        let said = |(at, sender_id, sender, address, text, place, target_id, target): Row| Said {
            at: at.unwrap_or_default(),
            sender_id: sender_id.map_or_else(String::new, |id| id.to_string()),
            sender: sender.unwrap_or_default(),
            address: address.unwrap_or_default(),
            text: text.unwrap_or_default(),
            place: place.unwrap_or_default(),
            target_id: target_id.map_or_else(String::new, |id| id.to_string()),
            target: target.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(said).collect())
    }
}

fn line_values(line: &LogLine) -> Vec<Value<'_>> {
    values![
        time::format(line.at_s as f64),
        line.sender_id,
        &*line.sender,
        &*line.address,
        &*line.text,
        line.place.name(),
        line.target_id,
        &*line.target,
    ]
}
