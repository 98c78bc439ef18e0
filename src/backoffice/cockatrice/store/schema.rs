//! A schema that another project made: used as it is, if it is the version that is known.

use lobby::question::StoreFailure;

use super::{
    Store, Unusable,
    sql::{On, values},
};
use crate::store::StoreError;

/// The version of the reference's schema that is known (spec: cockatrice-behaviour 16).
pub const SCHEMA_VERSION: i64 = 36;

/// Every column that is used, table by table, in statements that find nothing.
#[rustfmt::skip]
const USED: [(&str, &str); 20] = [
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
    ("warnings", "SELECT COUNT(*) FROM (SELECT user_id, user_name, mod_name, reason, time_of, clientid FROM ~warnings WHERE 1 = 0) t"),
    ("reports", "SELECT COUNT(*) FROM (SELECT id, reporter_name, reported_user_name, game_id, room_id, category, status, description, chat_log, \
        report_time, assigned_mod_name, resolution_time, resolution_note, reporter_notified FROM ~reports WHERE 1 = 0) t"),
    ("report_comments", "SELECT COUNT(*) FROM (SELECT id, report_id, author_name, comment_text, comment_time, is_moderator, reporter_notified, \
        assignee_notified FROM ~report_comments WHERE 1 = 0) t"),
    ("log", "SELECT COUNT(*) FROM (SELECT log_time, sender_id, sender_name, sender_ip, message, target_type, target_id, target_name FROM ~log WHERE 1 = 0) t"),
    ("audit", "SELECT COUNT(*) FROM (SELECT id_server, name, ip_address, clientid, incidentDate, action, results, details FROM ~audit WHERE 1 = 0) t"),
    ("forgot_password", "SELECT COUNT(*) FROM (SELECT name, requestDate, emailed FROM ~forgot_password WHERE 1 = 0) t"),
    ("user_analytics", "SELECT COUNT(*) FROM (SELECT id, client_ver, last_login FROM ~user_analytics WHERE 1 = 0) t"),
    ("servermessages", "SELECT COUNT(*) FROM (SELECT id_server, timest, message FROM ~servermessages WHERE 1 = 0) t"),
    ("card_art_name_rules", "SELECT COUNT(*) FROM (SELECT card_name, card_provider_id, mode, reason, created_by FROM ~card_art_name_rules WHERE 1 = 0) t"),
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
        match lacking.is_empty() {
            true => Ok(()),
            false => Err(Unusable::Lacks(format!(
                "columns in {}",
                lacking.join(", ")
            ))),
        }
    }
}
