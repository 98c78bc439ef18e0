//! Decks in folders (spec: cockatrice-behaviour 11, 18.2).

use std::collections::HashMap;

use super::{
    Store, now, seconds,
    sql::{On, values},
};
use crate::store::StoreError;

/// Folders and decks of one account, at most; real people have some hundred.
pub(in crate::cockatrice) const MOST_DECKS: usize = 10_000;

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct Folder {
    pub(in crate::cockatrice) id: i64,
    /// 0: the root.
    pub(in crate::cockatrice) parent: i64,
    pub(in crate::cockatrice) name: String,
}

/// A deck, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cockatrice) struct File {
    pub(in crate::cockatrice) id: i64,
    /// 0: the root.
    pub(in crate::cockatrice) folder: i64,
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) uploaded_s: u64,
}

impl Store {
    /// All folders of an account, in the order in which they were made.
    pub(in crate::cockatrice) async fn folders(
        &self,
        owner: u32,
    ) -> Result<Vec<Folder>, StoreError> {
        let text = "SELECT CAST(id AS SIGNED), CAST(id_parent AS SIGNED), name FROM ~decklist_folders WHERE id_user = ? \
             ORDER BY id";
        let rows: Vec<(i64, i64, String)> = self
            .rows(On::Read, "deck folders", (text, values![owner]))
            .await?;
        let folder = |(id, parent, name)| Folder { id, parent, name };
        Ok(rows.into_iter().map(folder).collect())
    }

    /// All decks of an account, likewise.
    pub(in crate::cockatrice) async fn files(&self, owner: u32) -> Result<Vec<File>, StoreError> {
        type Row = (i64, i64, String, Option<String>);
        let text = "SELECT CAST(id AS SIGNED), CAST(id_folder AS SIGNED), name, CAST(upload_time AS CHAR) \
             FROM ~decklist_files WHERE id_user = ? ORDER BY id";
        let rows: Vec<Row> = self.rows(On::Read, "decks", (text, values![owner])).await?;
        let file = |(id, folder, name, uploaded): Row| File {
            id,
            folder,
            name,
            uploaded_s: seconds(uploaded.as_deref()),
        };
        Ok(rows.into_iter().map(file).collect())
    }

    /// How many folders and decks an account has.
    pub(in crate::cockatrice) async fn decks_of(&self, owner: u32) -> Result<usize, StoreError> {
        let text = "SELECT (SELECT COUNT(*) FROM ~decklist_folders WHERE id_user = ?) \
             + (SELECT COUNT(*) FROM ~decklist_files WHERE id_user = ?)";
        let count = self
            .count("number of decks", (text, values![owner, owner]))
            .await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    pub(in crate::cockatrice) async fn new_folder(
        &self,
        owner: u32,
        parent: i64,
        name: &str,
    ) -> Result<(), StoreError> {
        let text = "INSERT INTO ~decklist_folders (id_parent, id_user, name) VALUES (?, ?, ?)";
        self.run(
            On::Write,
            "new deck folder",
            (text, values![parent, owner, name]),
        )
        .await?;
        Ok(())
    }

    /// Deletes a folder and all that is in it.
    pub(in crate::cockatrice) async fn delete_folder(
        &self,
        owner: u32,
        id: i64,
    ) -> Result<(), StoreError> {
        let mut below: HashMap<i64, Vec<i64>> = HashMap::new();
        for folder in self.folders(owner).await? {
            below.entry(folder.parent).or_default().push(folder.id);
        }
        let (mut to_do, mut statements) = (vec![id], Vec::new());
        while let Some(id) = to_do.pop() {
            // What is taken out is never walked through again, whatever the table says.
            to_do.extend(below.remove(&id).unwrap_or_default());
            statements.push((
                "DELETE FROM ~decklist_files WHERE id_user = ? AND id_folder = ?",
                values![owner, id],
            ));
            statements.push((
                "DELETE FROM ~decklist_folders WHERE id_user = ? AND id = ?",
                values![owner, id],
            ));
        }
        self.run_all(On::Write, "delete deck folder", statements)
            .await?;
        Ok(())
    }

    /// Stores a new deck; gives its id.
    pub(in crate::cockatrice) async fn new_deck(
        &self,
        owner: u32,
        folder: i64,
        name: &str,
        content: &str,
    ) -> Result<i64, StoreError> {
        let text = "INSERT INTO ~decklist_files (id_folder, id_user, name, upload_time, content) VALUES (?, ?, ?, ?, ?)";
        let values = values![folder, owner, name, now(), content];
        Ok(self.run(On::Write, "new deck", (text, values)).await?.id)
    }

    /// Stores another deck in the place of one; false: they have no such deck.
    pub(in crate::cockatrice) async fn replace_deck(
        &self,
        owner: u32,
        id: u32,
        name: &str,
        content: &str,
    ) -> Result<bool, StoreError> {
        let text = "UPDATE ~decklist_files SET name = ?, upload_time = ?, content = ? WHERE id = ? AND id_user = ?";
        let values = values![name, now(), content, id, owner];
        let done = self.run(On::Write, "replace deck", (text, values)).await?;
        Ok(done.rows > 0)
    }

    /// A deck's text.
    pub(in crate::cockatrice) async fn deck(
        &self,
        owner: u32,
        id: i64,
    ) -> Result<Option<String>, StoreError> {
        let text = "SELECT content FROM ~decklist_files WHERE id = ? AND id_user = ?";
        let row: Option<(String,)> = self
            .row(On::Read, "deck", (text, values![id, owner]))
            .await?;
        Ok(row.map(|(content,)| content))
    }

    /// Deletes a deck; false: they have no such deck.
    pub(in crate::cockatrice) async fn delete_deck(
        &self,
        owner: u32,
        id: i64,
    ) -> Result<bool, StoreError> {
        let text = "DELETE FROM ~decklist_files WHERE id = ? AND id_user = ?";
        let done = self
            .run(On::Write, "delete deck", (text, values![id, owner]))
            .await?;
        Ok(done.rows > 0)
    }
}
