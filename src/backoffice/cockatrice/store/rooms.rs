//! Rooms that the database has (spec: cockatrice-behaviour 4.1, 16).

use serde::Serialize;

use super::{
    Store,
    columns::{Columns, Kind},
    sql::{On, values},
};
use crate::store::StoreError;

/// A room, in the words of `cockatrice.rooms`.
#[derive(Serialize)]
struct Room {
    id: i64,
    name: String,
    description: String,
    auto_join: bool,
    join_message: String,
    history: u32,
    game_types: Vec<String>,
    permission: String,
    privilege: String,
}

type Text = Option<String>;

impl Store {
    /// The rooms of this server by their ids, as `cockatrice.rooms` has them; empty: there are none.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rooms(&self) -> Result<String, StoreError> {
        type Row = (
            i64,
            String,
            Text,
            Option<i64>,
            Text,
            Option<i64>,
            Text,
            Text,
        );
        let (rooms, types) = (
            self.columns("rooms").await?,
            self.columns("rooms_gametypes").await?,
        );
        let text = room_query(&rooms)?;
        let rows: Vec<Row> = self
            .rows_of(On::Read, "rooms", text, values![self.server])
            .await?;
        let types = self.game_types(&types).await?;
        let room = |(
            id,
            name,
            description,
            auto_join,
            join_message,
            history,
            permission,
            privilege,
        ): Row| {
            let of_room = types.iter().filter(|(room, _)| *room == id);
            Room {
                id,
                name,
                description: description.unwrap_or_default(),
                auto_join: auto_join.unwrap_or(0) != 0,
                join_message: join_message.unwrap_or_default(),
                history: history
                    .and_then(|lines| u32::try_from(lines).ok())
                    .unwrap_or(0),
                game_types: of_room.map(|(_, name)| name.clone()).collect(),
                permission: permission.unwrap_or_default(),
                privilege: privilege.unwrap_or_default(),
            }
        };
        let rooms: Vec<Room> = rows.into_iter().map(room).collect();
        match rooms.is_empty() {
            true => Ok(String::new()),
            false => serde_json::to_string(&rooms)
                .map_err(|_| StoreError::Unfit("rooms that are no text")),
        }
    }

    /// Room ids, each with a game type.
    async fn game_types(&self, columns: &Columns) -> Result<Vec<(i64, String)>, StoreError> {
        let room = columns.of(Kind::Number, &["idroom", "room"]);
        let name = columns.of(Kind::Text, &["name", "type"]);
        let (Some(room), Some(name)) = (room, name) else {
            return Ok(Vec::new());
        };
        let (own, server) = own_rows(columns);
        let order = columns.of(Kind::Number, &["id"]).unwrap_or(room);
        let text = format!(
            "SELECT CAST({room} AS SIGNED), {name} FROM ~rooms_gametypes WHERE {own} ORDER BY {room}, {order}"
        );
        let values = if server {
            values![self.server]
        } else {
            values![]
        };
        self.rows_of(On::Read, "game types", text, values).await
    }
}

/// What says that a row is this server's, and whether it takes the server's id.
fn own_rows(columns: &Columns) -> (String, bool) {
    match columns.of(Kind::Number, &["idserver", "server"]) {
        Some(server) => (format!("{server} = ?"), true),
        None => ("1 = 1".to_owned(), false),
    }
}

/// Asks for the columns of a row; what there is no column for is nothing.
fn room_query(columns: &Columns) -> Result<String, StoreError> {
    let lacks =
        StoreError::Unfit("the database's table of rooms lacks an id, a name or a server's id");
    let id = columns.of(Kind::Number, &["id"]);
    let name = columns.of(Kind::Text, &["name"]);
    let (own, has_server) = own_rows(columns);
    let (Some(id), Some(name), true) = (id, name, has_server) else {
        return Err(lacks);
    };
    let number = |words: &[&str]| match columns.of(Kind::Number, words) {
        Some(name) => format!("CAST({name} AS SIGNED)"),
        None => "NULL".to_owned(),
    };
    let text = |words: &[&str]| match columns.of(Kind::Text, words) {
        Some(name) => format!("CAST({name} AS CHAR)"),
        None => "NULL".to_owned(),
    };
    Ok(format!(
        "SELECT CAST({id} AS SIGNED), {name}, {}, {}, {}, {}, {}, {} FROM ~rooms WHERE {own} ORDER BY {id}",
        text(&["desc"]),
        number(&["autojoin"]),
        text(&["joinm"]),
        number(&["chathist", "history"]),
        text(&["perm"]),
        text(&["priv"]),
    ))
}
