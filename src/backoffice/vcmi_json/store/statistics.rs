//! What the HTTP interface shows (spec: vcmi-lobby2 9).

use lobby::vcmi_json::{
    ChannelType,
    questions::{Line, Status},
};

use super::{Store, moment, seconds};
use crate::store::{StoreError, value::values};

type Text = Option<String>;

/// How many there are, in all and of late.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Names of those who are there.
    pub online: Vec<String>,
    /// Accounts.
    pub registered: i64,
    /// Matches that go on.
    pub playing: i64,
    /// Matches that have begun, over or not.
    pub games: i64,
    /// Public rooms that can be joined.
    pub public: i64,
    /// Private rooms.
    pub private: i64,
    /// Accounts that signed in, accounts that were made, and matches whose room was made, since each of the moments asked for.
    pub since: Vec<[i64; 3]>,
}

/// Lines of a global channel.
pub type Chat = Vec<Line>;

/// A room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as on the wire")]
pub struct RoomLine {
    pub description: String,
    pub status: &'static str,
    pub player_limit: i64,
    pub version: String,
    /// Unix seconds.
    pub created: u64,
    /// Id, name and version.
    pub mods: Vec<[String; 3]>,
}

impl Store {
    /// Everything that is counted, of late since each of these moments (Unix seconds).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn statistics(&self, since: &[u64]) -> Result<Statistics, StoreError> {
        let work = async {
            let mut transaction = self.reading().await?;
            let mut found = Statistics::default();
            let text = "SELECT displayName FROM accounts WHERE online = 1 ORDER BY id";
            let online = transaction.rows::<(Text,)>((text, values![])).await?;
            found.online = online.into_iter().filter_map(|(name,)| name).collect();
            let text = "SELECT CAST(status AS SIGNED), CAST(COUNT(*) AS SIGNED) FROM gameRooms GROUP BY status";
            for (status, count) in transaction.rows::<(i64, i64)>((text, values![])).await? {
                match usize::try_from(status)
                    .ok()
                    .and_then(|at| Status::ALL.get(at))
                {
                    Some(Status::Public) => found.public = count,
                    Some(Status::Private) => found.private = count,
                    Some(Status::Busy) => {
                        found.playing = count;
                        found.games += count;
                    }
                    Some(Status::Closed) => found.games += count,
                    _ => {}
                }
            }
            let text = "SELECT CAST(COUNT(*) AS SIGNED) FROM accounts";
            found.registered = transaction.number((text, values![])).await?;
            for &at in since {
                let at = moment(at);
                let signed_in =
                    "SELECT CAST(COUNT(*) AS SIGNED) FROM accounts WHERE lastLoginTime >= ?";
                let made = "SELECT CAST(COUNT(*) AS SIGNED) FROM accounts WHERE creationTime >= ?";
                let games = "SELECT CAST(COUNT(*) AS SIGNED) FROM gameRooms WHERE status IN (3, 5) AND creationTime >= ?";
                found.since.push([
                    transaction
                        .number((signed_in, values![at.as_str()]))
                        .await?,
                    transaction.number((made, values![at.as_str()])).await?,
                    transaction.number((games, values![at.as_str()])).await?,
                ]);
            }
            Ok(found)
        };
        self.database.call("VCMI JSON statistics", work).await
    }

    /// The newest lines of a global channel since a moment (Unix seconds), the oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn chat(&self, channel: &str, most: u32, after: u64) -> Result<Chat, StoreError> {
        let work = async {
            let mut transaction = self.reading().await?;
            let kind = ChannelType::Global;
            transaction.lines(kind, channel, most, after).await
        };
        self.database.call("VCMI JSON chat", work).await
    }

    /// Rooms that were made since a moment (Unix seconds), the newest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn rooms(&self, since: u64, most: u32) -> Result<Vec<RoomLine>, StoreError> {
        let work = async {
            let mut transaction = self.reading().await?;
            let text = "SELECT roomID, description, CAST(status AS SIGNED), CAST(playerLimit AS SIGNED), version, \
                 CAST(creationTime AS CHAR) FROM gameRooms WHERE creationTime >= ? ORDER BY id DESC LIMIT ?";
            type Columns = (Text, Text, i64, i64, Text, Text);
            let values = values![moment(since), most];
            let rows = transaction.rows::<Columns>((text, values)).await?;
            let mut rooms = Vec::with_capacity(rows.len());
            for (id, description, status, player_limit, version, created) in rows {
                let text = "SELECT modID, modName, modVersion FROM gameRoomMods WHERE roomID = ? ORDER BY id";
                let values = values![id.as_deref()];
                let mods = transaction
                    .rows::<(Text, Text, Text)>((text, values))
                    .await?;
                let mods = mods.into_iter();
                let mods = mods
                    .map(|(id, name, version)| [id, name, version].map(Option::unwrap_or_default));
                rooms.push(RoomLine {
                    description: description.unwrap_or_default(),
                    status: super::steps::status_of(status).word(),
                    player_limit,
                    version: version.unwrap_or_default(),
                    created: seconds(created.as_deref()),
                    mods: mods.collect(),
                });
            }
            Ok(rooms)
        };
        self.database.call("VCMI JSON rooms", work).await
    }
}
