//! Which pictures a player may show, and which they do (spec: faf-messages 3.14, faf-lifecycle 6 and 12.4).
//!
//! Two places say which: the grant's flag `selected`, and since N#1095 `login.avatar_id`, which decides. Whatever is
//! written here is written to both, so that they agree.

use lobby::faf::questions::Avatar;

use super::Store;
use crate::store::{StoreError, begin, is_deadlock, on_either};

/// Avatars one player is told of. Nobody has been given a tenth of that.
const AVATARS: i64 = 500;

/// id, url and tooltip of an avatar.
type Row = (i64, Option<String>, Option<String>);

impl Store {
    /// All avatars a player was ever given, expired grants included.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn avatars_of(&self, player_id: u32) -> Result<Vec<Avatar>, StoreError> {
        const SQL: &str = "SELECT CAST(v.id AS SIGNED), v.url, v.tooltip FROM avatars a \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE a.idUser = ? ORDER BY a.id LIMIT ?";
        let rows: Vec<Row> = self
            .database
            .call("avatars", async {
                on_either!(self.database.read, pool => {
                    sqlx::query_as(SQL).bind(i64::from(player_id)).bind(AVATARS).fetch_all(pool).await
                })
            })
            .await?;
        Ok(rows.into_iter().map(avatar).collect())
    }

    /// Has a player show the avatar with that URL, or none. `None` if they have no such avatar; then nothing changes.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn select_avatar(
        &self,
        player_id: u32,
        url: Option<&str>,
    ) -> Result<Option<Option<Avatar>>, StoreError> {
        const GRANTED: &str = "SELECT CAST(v.id AS SIGNED), v.url, v.tooltip FROM avatars a \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE a.idUser = ? AND v.url = ? ORDER BY a.id LIMIT 1";
        self.database.call("select avatar", async {
            let Some(url) = url else {
                self.show_avatar(player_id, None).await?;
                return Ok(Some(None));
            };
            let granted: Option<Row> = on_either!(self.database.read, pool => {
                sqlx::query_as(GRANTED).bind(i64::from(player_id)).bind(url).fetch_optional(pool).await?
            });
            let Some(granted) = granted else {
                return Ok(None);
            };
            self.show_avatar(player_id, Some(granted.0)).await?;
            Ok(Some(Some(avatar(granted))))
        })
        .await
    }

    /// Both places in one transaction. Its first statement writes, so that the embedded store never has to turn a
    /// reader into a writer half-way.
    async fn show_avatar(&self, player_id: u32, avatar_id: Option<i64>) -> sqlx::Result<()> {
        const FLAGS: &str = "UPDATE avatars SET selected = CASE WHEN idAvatar = ? THEN 1 ELSE 0 END WHERE idUser = ?";
        const AUTHORITY: &str = "UPDATE login SET avatar_id = ? WHERE id = ?";
        let has_avatar_id = self.has_avatar_id().await?;
        let id = i64::from(player_id);
        let write = async || {
            on_either!(self.database.write, pool => {
                let mut transaction = begin(pool, self.database.begin()).await?;
                sqlx::query(FLAGS).bind(avatar_id).bind(id).execute(&mut *transaction).await?;
                if has_avatar_id {
                    sqlx::query(AUTHORITY).bind(avatar_id).bind(id).execute(&mut *transaction).await?;
                }
                transaction.commit().await
            })
        };
        match write().await {
            Err(error) if is_deadlock(&error) => write().await,
            outcome => outcome,
        }
    }

    /// Somebody else has changed a player's avatar: what they show now, with the flags brought in line. The flags decide
    /// only where the schema is too old for anything else.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn changed_avatar(&self, player_id: u32) -> Result<Option<Avatar>, StoreError> {
        const FLAGS: &str = "UPDATE avatars SET selected = CASE WHEN idAvatar = \
             (SELECT l.avatar_id FROM login l WHERE l.id = ?) THEN 1 ELSE 0 END WHERE idUser = ?";
        const SHOWN: &str = "SELECT CAST(v.id AS SIGNED), v.url, v.tooltip FROM login l \
             JOIN avatars a ON a.idUser = l.id AND a.idAvatar = l.avatar_id \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE l.id = ? LIMIT 1";
        const SHOWN_BY_FLAG: &str = "SELECT CAST(v.id AS SIGNED), v.url, v.tooltip FROM avatars a \
             JOIN avatars_list v ON v.id = a.idAvatar WHERE a.idUser = ? AND a.selected = 1 ORDER BY a.id LIMIT 1";
        let id = i64::from(player_id);
        let shown: Option<Row> = self
            .database
            .call("changed avatar", async {
                let has_avatar_id = self.has_avatar_id().await?;
                on_either!(self.database.write, pool => {
                    if has_avatar_id {
                        sqlx::query(FLAGS).bind(id).bind(id).execute(pool).await?;
                    }
                    let shown = if has_avatar_id { SHOWN } else { SHOWN_BY_FLAG };
                    sqlx::query_as(shown).bind(id).fetch_optional(pool).await
                })
            })
            .await?;
        Ok(shown.map(avatar))
    }

    /// Whether this revision of the schema has `login.avatar_id` (spec: faf-database 2.1, N#1095). Found out once.
    pub(super) async fn has_avatar_id(&self) -> sqlx::Result<bool> {
        self.has_avatar_id
            .get_or_try_init(|| {
                self.database
                    .probe("SELECT avatar_id FROM login WHERE 1 = 0")
            })
            .await
            .copied()
    }
}

fn avatar((_, url, tooltip): Row) -> Avatar {
    Avatar {
        url: url.unwrap_or_default(),
        tooltip: tooltip.unwrap_or_default(),
    }
}
