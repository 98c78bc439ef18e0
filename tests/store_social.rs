//! What players look up and choose about themselves, and who may do what, the same tests on both back ends (see
//! `support/bench.rs`).

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, on_both};
use muster::lobby::faf::questions::{Avatar, Like};

const QAI: &str = "https://content.faforever.com/faf/avatars/qai2.png";
const UEF: &str = "https://content.faforever.com/faf/avatars/UEF.png";

fn avatar(url: &str, tooltip: &str) -> Avatar {
    Avatar {
        url: url.to_owned(),
        tooltip: tooltip.to_owned(),
    }
}

/// Which grants are selected, and what `login` says, of player 51.
async fn selection(bench: &Bench) -> (String, String) {
    let flags = bench
        .look("SELECT GROUP_CONCAT(idAvatar) FROM avatars WHERE idUser = 51 AND selected = 1")
        .await;
    let authority = bench
        .look("SELECT CAST(avatar_id AS CHAR) FROM login WHERE id = 51")
        .await;
    (flags, authority)
}

fn pair(flags: &str, authority: &str) -> (String, String) {
    (flags.to_owned(), authority.to_owned())
}

/// The avatar that is shown when they sign in.
async fn shown(bench: &Bench, id: u32) -> Option<Avatar> {
    bench.shown(id).await.avatar.map(|avatar| *avatar)
}

async fn stats(bench: &Bench, mod_id: u32, column: &str) -> String {
    bench
        .look(&format!(
            "SELECT CAST({column} AS CHAR) FROM mod_stats WHERE mod_id = {mod_id}"
        ))
        .await
}

on_both! {
    // checklist: faf 255, 256
    async fn all_granted_avatars_are_listed(bench: &Bench) {
        bench.sql("UPDATE avatars SET expires_at = '2001-01-01 00:00:00' WHERE idUser = 51 AND idAvatar = 1").await;
        let both = [avatar(QAI, "QAI"), avatar(UEF, "UEF")];
        assert_eq!(bench.store.avatars_of(51).await.unwrap(), both);
        assert_eq!(bench.store.avatars_of(1).await.unwrap(), []);
    }

    // checklist: faf 257, 258, 259, 260, 261
    async fn a_selection_is_written_to_both_places(bench: &Bench) {
        let select = async |url| bench.store.select_avatar(51, url).await.unwrap();
        assert_eq!(selection(bench).await, pair("2", "NULL"));
        assert_eq!(select(Some(QAI)).await, Some(Some(avatar(QAI, "QAI"))));
        assert_eq!(selection(bench).await, pair("1", "1"));
        assert_eq!(shown(bench, 51).await, Some(avatar(QAI, "QAI")));
        // Unknown, and somebody else's.
        let mute = "https://content.faforever.com/faf/avatars/empty.png";
        for not_his in ["x", "", mute] {
            assert_eq!(select(Some(not_his)).await, None);
            assert_eq!(selection(bench).await, pair("1", "1"));
        }
        assert_eq!(select(None).await, Some(None));
        assert_eq!(selection(bench).await, pair("NULL", "NULL"));
        assert_eq!(shown(bench, 51).await, None);
        // Nobody else's has changed.
        assert_eq!(shown(bench, 50).await, Some(avatar(UEF, "UEF")));
    }

    // checklist: faf 261
    async fn the_authority_is_preferred_to_the_flag(bench: &Bench) {
        bench.sql("UPDATE login SET avatar_id = 1 WHERE id = 51").await;
        assert_eq!(shown(bench, 51).await, Some(avatar(QAI, "QAI")));
        // He does not own it: it counts for nothing, and the flag is not looked at.
        bench.sql("UPDATE login SET avatar_id = 3 WHERE id = 51").await;
        assert_eq!(shown(bench, 51).await, None);
        bench.sql("UPDATE login SET avatar_id = NULL WHERE id = 51").await;
        assert_eq!(shown(bench, 51).await, Some(avatar(UEF, "UEF")));
        // One without words is not shown.
        assert_eq!(shown(bench, 52).await, None);
    }

    // checklist: faf 263
    async fn a_change_from_outside_brings_the_flags_in_line(bench: &Bench) {
        bench.sql("UPDATE login SET avatar_id = 1 WHERE id = 51").await;
        assert_eq!(bench.store.changed_avatar(51).await.unwrap(), Some(avatar(QAI, "QAI")));
        assert_eq!(selection(bench).await, pair("1", "1"));
        // There is no falling back to the flag here.
        bench.sql("UPDATE login SET avatar_id = NULL WHERE id = 51").await;
        assert_eq!(bench.store.changed_avatar(51).await.unwrap(), None);
        assert_eq!(selection(bench).await, pair("NULL", "NULL"));
        bench.sql("UPDATE login SET avatar_id = 3 WHERE id = 51").await;
        assert_eq!(bench.store.changed_avatar(51).await.unwrap(), None);
        assert_eq!(selection(bench).await, pair("NULL", "3"));
        assert_eq!(bench.store.changed_avatar(4_000_000).await.unwrap(), None);
    }

    // checklist: faf 272
    async fn permissions_come_from_groups(bench: &Bench) {
        let may = async |id, what| bench.store.has_permission(id, what).await.unwrap();
        for what in ["ADMIN_KICK_SERVER", "ADMIN_BROADCAST_MESSAGE", "ADMIN_JOIN_CHANNEL"] {
            assert!(may(1, what).await);
            assert!(!may(3, what).await);
        }
        assert!(may(20, "ADMIN_KICK_SERVER").await);
        assert!(!may(20, "ADMIN_BROADCAST_MESSAGE").await);
        assert!(!may(1, "ADMIN_OF_NOTHING").await);
        // Each call looks anew.
        bench.sql("DELETE FROM user_group_assignment WHERE user_id = 20").await;
        assert!(!may(20, "ADMIN_KICK_SERVER").await);
    }

    // checklist: faf 273, 274
    async fn missions_of_known_campaigns(bench: &Bench) {
        let missions = bench.store.missions().await.unwrap();
        let campaigns: Vec<_> = missions.iter().map(|m| (m.id, m.campaign)).collect();
        assert_eq!(campaigns, [(1, 0), (2, 1), (3, 2), (4, 3), (5, 4)]);
        assert_eq!(missions[1].name, "Aeon Campaign map");
        assert_eq!(missions[1].filename.as_deref(), Some("maps/scmp_coop_124.v0000.zip"));
    }

    // One such row cost the whole list.
    async fn rows_with_nothing_in_them_harm_nobody(bench: &Bench) {
        if bench.store.is_embedded() {
            return; // its schema has no such rows
        }
        bench.sql("INSERT INTO coop_map (id, type, name, description, version, filename) VALUES (77, 4, NULL, NULL, 1, NULL)").await;
        let missions = bench.store.missions().await.unwrap();
        let last = missions.last().unwrap();
        assert_eq!((last.id, last.name.as_str(), last.filename.as_deref()), (77, "", None));
        assert!(missions.len() > 5);
        bench.sql("INSERT INTO friends_and_foes (user_id, subject_id, status) VALUES (3, 4, NULL)").await;
        let account = bench.shown(3).await;
        assert_eq!((account.friends.to_vec(), account.foes.to_vec()), (vec![], vec![4]));
    }

    // checklist: faf 283
    async fn the_best_liked_mods_come_first(bench: &Bench) {
        bench.sql("UPDATE mod_stats SET likes = 7 WHERE mod_id = 3").await;
        let mods = bench.store.best_liked_mods().await.unwrap();
        let uids: Vec<_> = mods.iter().map(|m| m.uid.as_str()).collect();
        assert_eq!(uids, ["EA040F8E-857A-4566-9879-0D37420A5B9D", "foo", "bar", "baz", "FFF"]);
        let first = &mods[0];
        assert_eq!((first.likes, first.played, first.ui, first.version), (7.0, 1, 0, 1));
        assert_eq!(first.icon.as_deref(), Some("foobar4.png"));
        let last = &mods[4];
        assert_eq!((last.icon.as_deref(), last.author.as_str(), last.ui), (None, "foo", 1));
        assert_eq!(last.description, "The best version so far");
        assert!(last.created_unix_s > 1_600_000_000);
    }

    // checklist: faf 283
    async fn a_list_of_mods_has_a_hundred(bench: &Bench) {
        let rows: Vec<String> = (100..230)
            .map(|id| format!("({id}, 4, 'many{id}', 1, '', 'SIM', 'many.zip')"))
            .collect();
        bench.sql(&format!(
            "INSERT INTO mod_version (id, mod_id, uid, version, description, type, filename) VALUES {}",
            rows.join(", ")
        )).await;
        assert_eq!(bench.store.best_liked_mods().await.unwrap().len(), 100);
    }

    // checklist: faf 284, 285
    async fn a_mod_is_liked_once_by_each(bench: &Bench) {
        let like = async |player, uid| bench.store.like_mod(player, uid).await.unwrap();
        // Its stored list is empty text, which is no list: it becomes one.
        let Like::Counted(liked) = like(1, "bar").await else { panic!("the first like counts") };
        assert_eq!((liked.uid.as_str(), liked.likes), ("bar", 1.0));
        assert_eq!(like(1, "bar").await, Like::Again);
        // Another version of the same mod has the same likers.
        assert_eq!(like(1, "foo").await, Like::Again);
        let Like::Counted(liked) = like(3, "foo").await else { panic!("somebody else's counts") };
        assert_eq!(liked.likes, 2.0);
        assert_eq!(stats(bench, 1, "likers").await, "[1,3]");
        // One that has no row yet, and those that nobody sees.
        let Like::Counted(liked) = like(1, "FFF").await else { panic!("the first like counts") };
        assert_eq!(liked.likes, 1.0);
        assert_eq!(like(1, "FFF").await, Like::Again);
        assert_eq!(stats(bench, 4, "likers").await, "[1]");
        for unknown in ["none", "hidden", ""] {
            assert_eq!(like(1, unknown).await, Like::Unknown);
        }
    }

    // The column holds more than 65,535 bytes; a mod that so many like could not be liked any more.
    async fn a_list_of_likers_has_room_for_all(bench: &Bench) {
        let many = format!("[{}1]", "1000000,".repeat(20_000));
        bench.sql(&format!("UPDATE mod_stats SET likers = '{many}' WHERE mod_id = 1")).await;
        let liked = bench.store.like_mod(77_777_777, "foo").await.unwrap();
        assert!(matches!(liked, Like::Counted(_)), "{liked:?}");
        assert_eq!(stats(bench, 1, "likers").await, many.replace("1]", "1,77777777]"));
        assert_eq!(bench.store.like_mod(77_777_777, "foo").await.unwrap(), Like::Again);
    }

    async fn a_list_of_likers_that_is_no_text_is_repaired(bench: &Bench) {
        bench.sql("UPDATE mod_stats SET likers = X'FF00' WHERE mod_id = 1").await;
        assert!(matches!(bench.store.like_mod(1, "foo").await, Ok(Like::Counted(_))));
        assert_eq!(stats(bench, 1, "likers").await, "[1]");
    }

    async fn many_like_at_one_time_and_all_count(bench: &Bench) {
        let like = |player| bench.store.like_mod(player, "baz");
        let (a, b, c) = tokio::join!(like(1), like(3), like(4));
        for outcome in [a, b, c] {
            assert!(matches!(outcome, Ok(Like::Counted(_))), "{outcome:?}");
        }
        let likers = stats(bench, 2, "likers").await;
        let mut likers: Vec<u32> = serde_json::from_str(&likers).unwrap();
        likers.sort_unstable();
        assert_eq!(likers, [1, 3, 4]);
        assert_eq!(bench.store.best_liked_mods().await.unwrap()[0].likes, 3.0);
    }

    async fn downloads_are_counted(bench: &Bench) {
        for uid in ["foo", "bar", "FFF", "FFF", "none", "hidden"] {
            bench.store.download_mod(uid).await.unwrap();
        }
        assert_eq!(stats(bench, 1, "downloads").await, "2");
        assert_eq!(stats(bench, 4, "downloads").await, "2");
        assert_eq!(stats(bench, 3, "downloads").await, "0");
    }
}
