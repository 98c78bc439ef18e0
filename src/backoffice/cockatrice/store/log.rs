//! What was said, for moderators (spec: cockatrice-behaviour 8, VIEWLOG_HISTORY; 16).

use lobby::cockatrice::questions::LogLine;

use super::{
    Store, ago,
    columns::Column,
    compose::{Composed, Fields, text_of},
    log_columns::LogColumns,
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

/// What is looked for; empty texts, zeros and no places at all are nothing.
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

impl LogColumns {
    /// A line as a row. Somebody without an account is account 0, or none where a column takes no other number.
    fn row<'a>(&self, line: &'a LogLine) -> Composed<'a> {
        let is_account = self.sender_id.as_ref().is_some_and(|id| id.is_account);
        let sender = (line.sender_id > 0 || !is_account).then_some(line.sender_id);
        Fields::default()
            .set(&self.at, time::format(line.at_s as f64))
            .set(self.sender_id.as_ref(), sender)
            .set(&self.sender, &*line.sender)
            .set(&self.address, &*line.address)
            .set(&self.text, &*line.text)
            .set(&self.place, line.place.name())
            .set(self.target_id.as_ref(), line.target_id)
            .set(&self.target, &*line.target)
            .insert("log")
    }

    /// Asks for lines, newest first; `None`: nothing is looked for that has an index.
    fn query<'a>(&self, search: &Search<'a>) -> Option<Composed<'a>> {
        let (sender, place, target) = (&self.sender, &self.place, &self.target);
        let mut wanted: Vec<String> = Vec::new();
        let mut values: Vec<Value<'a>> = Vec::new();
        if !search.name.is_empty() {
            wanted.push(format!(
                "({sender} = ? OR ({place} = 'chat' AND {target} = ?))"
            ));
            values.extend(values![search.name, search.name]);
        }
        if !search.address.is_empty() {
            wanted.push(format!("{} = ?", self.address));
            values.push(search.address.into());
        }
        if !search.game_name.is_empty() {
            wanted.push(format!("({place} = 'game' AND {target} = ?)"));
            values.push(search.game_name.into());
        }
        if !search.game_id.is_empty() {
            let target_id = self.target_id.as_ref();
            let target_id = target_id.map_or_else(|| "-2".to_owned(), Column::to_string);
            wanted.push(format!("({place} = 'game' AND {target_id} = ?)"));
            values.push(search.game_id.parse::<i64>().unwrap_or(-1).into());
        }
        if wanted.is_empty() {
            return None;
        }
        if !search.message.is_empty() {
            wanted.push(format!("{} LIKE ?", self.text));
            values.push(search.message.into());
        }
        if !search.places.is_empty() {
            // Others than these three are nowhere.
            let known = ["room", "game", "chat"].map(|place| {
                let is_wanted = search.places.iter().any(|wanted| **wanted == *place);
                if is_wanted { place } else { "" }
            });
            wanted.push(format!("{place} IN (?, ?, ?)"));
            values.extend(known.map(Value::from));
        }
        if search.hours > 0 {
            wanted.push(format!("{} > ?", self.at));
            values.push(ago(f64::from(search.hours) * 3_600.0).into());
        }
        values.push(match search.most {
            0 => MOST_LINES.into(),
            most => most.min(MOST_LINES).into(),
        });
        let text = format!(
            "SELECT {}, {}, {}, {}, {}, {}, {}, {} FROM ~log l WHERE {} ORDER BY {} DESC LIMIT ?",
            self.at.text("l"),
            text_of(self.sender_id.as_ref(), "l"),
            sender.text("l"),
            self.address.text("l"),
            self.text.text("l"),
            place.text("l"),
            text_of(self.target_id.as_ref(), "l"),
            target.text("l"),
            wanted.join(" AND "),
            self.at,
        );
        Some((text, values))
    }
}

impl Store {
    /// Writes lines down. Those that can't be are counted, and lost.
    pub(in crate::cockatrice) async fn write_log(
        &self,
        lines: &[LogLine],
    ) -> Result<(), StoreError> {
        let written = self.write_lines(lines).await;
        if written.is_err() {
            self.database.watch.lost(lines.len() as u64);
        }
        written
    }

    async fn write_lines(&self, lines: &[LogLine]) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let log = tables.log.known()?;
        let rows = lines.iter().map(|line| log.row(line)).collect();
        self.run_all_of(On::Records, "write log", rows).await?;
        Ok(())
    }

    /// Lines that were said, newest first. Nothing if nothing is looked for that has an index.
    pub(in crate::cockatrice) async fn search_log(
        &self,
        search: Search<'_>,
    ) -> Result<Vec<Said>, StoreError> {
        type Text = Option<String>;
        type Row = (Text, Text, Text, Text, Text, Text, Text, Text);
        let tables = self.tables().await?;
        let Some((text, values)) = tables.log.known()?.query(&search) else {
            return Ok(Vec::new());
        };
        let rows: Vec<Row> = self.rows_of(On::Read, "log", text, values).await?;
        let said = |(at, sender_id, sender, address, text, place, target_id, target): Row| Said {
            at: at.unwrap_or_default(),
            sender_id: sender_id.unwrap_or_default(),
            sender: sender.unwrap_or_default(),
            address: address.unwrap_or_default(),
            text: text.unwrap_or_default(),
            place: place.unwrap_or_default(),
            target_id: target_id.unwrap_or_default(),
            target: target.unwrap_or_default(),
        };
        Ok(rows.into_iter().map(said).collect())
    }
}
