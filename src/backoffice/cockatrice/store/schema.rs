//! A schema that another project made: used as it is, if it is the version that is known.

use lobby::question::StoreFailure;

use super::{
    Store, Unusable,
    sql::{On, values},
};
use crate::store::StoreError;

/// The version of the reference's schema that is known (spec: cockatrice-behaviour 16).
pub const SCHEMA_VERSION: i64 = 36;

/// Every column that is used of the tables that must be there, in statements that find nothing. Of the others see `tables`.
#[rustfmt::skip]
const USED: [(&str, &str); 11] = [
    ("users", "SELECT COUNT(*) FROM (SELECT id, admin, name, realname, password_sha512, email, country, avatar_bmp, registrationDate, active, token, \
        clientid, adminnotes, privlevel, passwordLastChangedDate, force_password_change, leftPawnColorOverride, \
        rightPawnColorOverride, card_art_params FROM ~users WHERE 1 = 0) t"),
    ("buddylist", "SELECT COUNT(*) FROM (SELECT id_user1, id_user2 FROM ~buddylist WHERE 1 = 0) t"),
    ("ignorelist", "SELECT COUNT(*) FROM (SELECT id_user1, id_user2 FROM ~ignorelist WHERE 1 = 0) t"),
    ("decklist_folders", "SELECT COUNT(*) FROM (SELECT id, id_parent, id_user, name FROM ~decklist_folders WHERE 1 = 0) t"),
    ("decklist_files", "SELECT COUNT(*) FROM (SELECT id, id_folder, id_user, name, upload_time, content FROM ~decklist_files WHERE 1 = 0) t"),
    ("games", "SELECT COUNT(*) FROM (SELECT id, room_name, descr, creator_name, password, game_types, player_count, time_started, time_finished \
        FROM ~games WHERE 1 = 0) t"),
    ("games_players", "SELECT COUNT(*) FROM (SELECT id_game, player_name FROM ~games_players WHERE 1 = 0) t"),
    ("replays", "SELECT COUNT(*) FROM (SELECT id, id_game, duration, replay FROM ~replays WHERE 1 = 0) t"),
    ("replays_access", "SELECT COUNT(*) FROM (SELECT id_game, id_player, replay_name, do_not_hide FROM ~replays_access WHERE 1 = 0) t"),
    ("sessions", "SELECT COUNT(*) FROM (SELECT id, user_name, id_server, ip_address, start_time, end_time, clientid, connection_type \
        FROM ~sessions WHERE 1 = 0) t"),
    ("bans", "SELECT COUNT(*) FROM (SELECT user_name, ip_address, id_admin, time_from, minutes, reason, visible_reason, clientid FROM ~bans WHERE 1 = 0) t"),
];

impl Store {
    /// Whether the schema is the one that is known. The embedded store has its own.
    pub(super) async fn check_schema(&self) -> Result<(), Unusable> {
        if self.is_embedded() {
            return Ok(());
        }
        self.ready().await.map_err(|_| Unusable::Unreached)?;
        let version = "SELECT CAST(version AS SIGNED) FROM ~schema_version ORDER BY version DESC";
        let found = self.row::<(i64,)>(On::Read, "schema version", (version, values![]));
        let found = match found.await {
            Ok(found) => found.map_or(0, |(version,)| version),
            Err(error) if error.failure() == StoreFailure::Unavailable => {
                return Err(Unusable::Unreached);
            }
            Err(_) => 0, // no such table
        };
        if found != SCHEMA_VERSION {
            return Err(Unusable::Version { found });
        }
        let mut lacking = Vec::new();
        for (table, statement) in USED {
            let found = self.rows::<(i64,)>(On::Read, "schema", (statement, values![]));
            if let Err(StoreError::Refused(_)) = found.await {
                lacking.push(table);
            }
        }
        if !lacking.is_empty() {
            let lacking = format!("columns in {}", lacking.join(", "));
            return Err(Unusable::Lacks(lacking));
        }
        match self.read_tables().await {
            Ok(_) => Ok(()),
            Err(error) if error.failure() == StoreFailure::Unavailable => Err(Unusable::Unreached),
            Err(_) => Err(Unusable::Lacks("a description of itself".to_owned())),
        }
    }
}
