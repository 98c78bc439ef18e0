//! Accounts: who somebody is, their ban, their permissions (spec: faf-database 4.1).

use std::net::IpAddr;

use crate::unix_now;
use lobby::faf::questions::Ban;

use super::Store;
use super::rows::{ban_in_force, stored_ip, stored_user_agent};
use crate::store::{StoreError, on_either};

impl Store {
    /// The ban in force that lasts longest (spec: faf-lifecycle 3.7).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn ban_of(&self, player_id: u32) -> Result<Option<Ban>, StoreError> {
        const SQL: &str = "SELECT reason, CAST(expires_at AS CHAR) FROM lobby_ban WHERE idUser = ? \
             ORDER BY expires_at DESC LIMIT 1";
        let row: Option<(Option<String>, Option<String>)> = self
            .database
            .call("ban", async {
                on_either!(self.database.read, pool => sqlx::query_as(SQL).bind(i64::from(player_id)).fetch_optional(pool).await)
            })
            .await?;
        Ok(row.and_then(|(reason, expires_at)| ban_in_force(reason, expires_at, unix_now())))
    }

    /// Notes where and with what somebody signed in (spec: faf-lifecycle 3.4).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn record_login(
        &self,
        id: u32,
        from: IpAddr,
        user_agent: Option<&str>,
    ) -> Result<(), StoreError> {
        const SQL: &str =
            "UPDATE login SET ip = ?, user_agent = ?, last_login = CURRENT_TIMESTAMP WHERE id = ?";
        let (ip, user_agent) = (stored_ip(from), user_agent.map(stored_user_agent));
        self.database
            .call("record login", async {
                on_either!(self.database.sign_in, pool => {
                    let query = sqlx::query(SQL).bind(ip).bind(user_agent).bind(i64::from(id));
                    query.execute(pool).await.map(|_| ())
                })
            })
            .await
    }

    /// Whether one of a player's groups has a permission, by its technical name (spec: faf-database 4.3).
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn has_permission(
        &self,
        player_id: u32,
        permission: &str,
    ) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM user_group_assignment u \
             JOIN group_permission_assignment a ON a.group_id = u.group_id \
             JOIN group_permission p ON p.id = a.permission_id WHERE u.user_id = ? AND p.technical_name = ? LIMIT 1";
        let row: Option<(i64,)> = self
            .database
            .call("permission", async {
                on_either!(self.database.read, pool => {
                    let query = sqlx::query_as(SQL).bind(i64::from(player_id)).bind(permission);
                    query.fetch_optional(pool).await
                })
            })
            .await?;
        Ok(row.is_some())
    }
}
