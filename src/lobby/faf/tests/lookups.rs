//! Avatars, coop missions and the mod vault: what is asked for in the database at each call.

use super::*;
use crate::faf::questions::{
    Avatar, ChangedAvatar, Like, LikeMod, ListAvatars, Mission, SelectAvatar, VaultMod,
};

fn avatar(url: &str, tooltip: &str) -> Avatar {
    Avatar {
        url: url.into(),
        tooltip: tooltip.into(),
    }
}

/// p5 and p7 were given avatars; one of p7's has no words.
fn avatars(player_id: u32) -> Vec<Avatar> {
    match player_id {
        5 => vec![avatar("one.png", "One"), avatar("two.png", "Two")],
        7 => vec![avatar("one.png", "One"), avatar("mute.png", "")],
        _ => Vec::new(),
    }
}

fn vault_mod(uid: &str, icon: Option<&str>) -> VaultMod {
    VaultMod {
        uid: uid.into(),
        name: "Some mod".into(),
        version: 1,
        author: "lyra".into(),
        ui: 1,
        created_unix_s: 1_708_792_547,
        downloads: 3,
        likes: 1.0,
        played: 2,
        description: "text".into(),
        filename: "some.zip".into(),
        icon: icon.map(str::to_owned),
    }
}

/// The back office's part in this. The database was changed to the second avatar behind p5's back, to none behind p7's.
pub(super) fn answer(ask: Ask) -> Answer {
    match ask {
        Ask::ListAvatars(ListAvatars(6)) => Answer::ListAvatars(Err(StoreFailure::Unavailable)),
        Ask::ListAvatars(ListAvatars(id)) => Answer::ListAvatars(Ok(avatars(id))),
        Ask::SelectAvatar(SelectAvatar { player_id, url }) => Answer::SelectAvatar(Ok(match url {
            None => Some(None),
            Some(url) => avatars(player_id)
                .into_iter()
                .find(|avatar| avatar.url == url)
                .map(Some),
        })),
        Ask::ChangedAvatar(ChangedAvatar(id)) => Answer::ChangedAvatar(match id {
            6 => Err(StoreFailure::Unavailable),
            id => Ok(avatars(id).pop()),
        }),
        Ask::Missions(_) => Answer::Missions(Ok([0, 4]
            .map(|campaign| Mission {
                id: 1 + u32::from(campaign),
                campaign,
                name: "Name".into(),
                description: "Text".into(),
                filename: (campaign == 0).then(|| "maps/m.zip".into()),
            })
            .into())),
        Ask::VaultMods(_) => Answer::VaultMods(Ok(vec![
            vault_mod("FFF", None),
            vault_mod("foo", Some("a b/ä.png")),
        ])),
        Ask::LikeMod(LikeMod { uid, .. }) => Answer::LikeMod(Ok(match uid.as_str() {
            "none" => Like::Unknown,
            "old" => Like::Again,
            uid => Like::Counted(Box::new(vault_mod(uid, None))),
        })),
        Ask::DownloadMod(_) => Answer::DownloadMod(Ok(())),
        ask => <Faf as crate::Dialect>::refuse(ask),
    }
}

fn select(sim: &mut Sim, conn: ConnId, url: Value) -> Vec<Value> {
    say(
        sim,
        conn,
        json!({"command": "avatar", "action": "select", "avatar": url}),
    )
}

/// The avatar in the one `player_info` that the next tick brings; `None`: there is no such message.
fn shown(sim: &mut Sim, watcher: ConnId) -> Option<Value> {
    tick(sim);
    let told = sim.take(watcher);
    let info = told.iter().find(|m| m["command"] == "player_info")?;
    Some(info["players"][0]["avatar"].clone())
}

// checklist: faf 255, 256, 262
#[test]
fn avatars_are_listed() {
    each(|mut sim, shards| {
        let a = player(&mut sim, 5, shards - 1);
        let list = json!({"command": "avatar", "action": "list_avatar"});
        let expected = json!({"command": "avatar", "avatarlist": [
            {"url": "one.png", "tooltip": "One"}, {"url": "two.png", "tooltip": "Two"}]});
        assert_eq!(say(&mut sim, a, list.clone()), [expected]);
        let b = player(&mut sim, 2, 0);
        let none = json!({"command": "avatar", "avatarlist": []});
        assert_eq!(say(&mut sim, b, list.clone()), [none]);
        for bad in [
            json!({"command": "avatar"}),
            json!({"command": "avatar", "action": "dance"}),
            json!({"command": "avatar", "action": "select"}),
        ] {
            let conn = player(&mut sim, 3, 0);
            assert!(say(&mut sim, conn, bad).is_empty());
            assert!(sim.client(conn).closed.is_some());
        }
        let c = player(&mut sim, 6, 0);
        assert_eq!(
            texts(&say(&mut sim, c, list)),
            ["Unable to connect to database. Please try again later."]
        );
        assert!(sim.client(c).closed.is_some());
    });
}

// checklist: faf 116, 257, 258, 259, 260
#[test]
fn an_avatar_is_selected_and_everybody_sees_it() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 1, 0);
        let a = player(&mut sim, 5, shards - 1);
        sim.take(watcher);
        assert!(select(&mut sim, a, json!("two.png")).is_empty());
        let two = json!({"url": "two.png", "tooltip": "Two"});
        assert_eq!(shown(&mut sim, watcher), Some(two.clone()));
        for not_his in [json!("three.png"), json!("x".repeat(5000)), json!(7)] {
            assert!(select(&mut sim, a, not_his).is_empty());
            assert_eq!(shown(&mut sim, watcher), None);
        }
        // A newcomer anywhere is told of it.
        let late = sim.connect(0);
        let list = say(&mut sim, late, hello(9));
        let players = list[1]["players"].as_array().expect("a list");
        let entry = players.iter().find(|p| p["id"] == 5).expect("he is online");
        assert_eq!(entry["avatar"], two);
        tick(&mut sim);
        sim.take(watcher);
        select(&mut sim, a, json!(null));
        assert_eq!(shown(&mut sim, watcher), Some(json!(null)));
        // One without words is selected, but not shown.
        let b = player(&mut sim, 7, 0);
        sim.take(watcher);
        select(&mut sim, b, json!("mute.png"));
        assert_eq!(shown(&mut sim, watcher), Some(json!(null)));
    });
}

// checklist: faf 263
#[test]
fn an_avatar_is_changed_from_outside() {
    each(|mut sim, shards| {
        let watcher = player(&mut sim, 1, 0);
        let a = player(&mut sim, 5, shards - 1);
        player(&mut sim, 6, 0);
        sim.take(watcher);
        let changed = |sim: &mut Sim, player_id: u32| {
            for shard in 0..shards {
                sim.tell(shard, News::AvatarChanged { player_id });
            }
        };
        changed(&mut sim, 5);
        changed(&mut sim, 77);
        let two = json!({"url": "two.png", "tooltip": "Two"});
        assert_eq!(shown(&mut sim, watcher), Some(two.clone()));
        // They choose at the same moment: in whichever order the answers come, the database's word stands in the end.
        changed(&mut sim, 5);
        let select = json!({"command": "avatar", "action": "select", "avatar": "one.png"});
        sim.send(a, select.to_string());
        sim.settle();
        let last = shown(&mut sim, watcher).expect("something has changed");
        assert!(last == two || last == json!({"url": "one.png", "tooltip": "One"}));
        // It can't be looked up: what is known stays.
        changed(&mut sim, 6);
        assert_eq!(shown(&mut sim, watcher), None);
        let missed: u64 = (0..shards)
            .map(|shard| sim.dialect(shard).roles.metrics.avatars_missed.value())
            .sum();
        assert_eq!(missed, 1);
    });
}

// checklist: faf 273
#[test]
fn coop_missions() {
    each(|mut sim, _| {
        let a = player(&mut sim, 1, 0);
        let list = say(&mut sim, a, json!({"command": "coop_list"}));
        let info = |uid: u32, campaign: &str, file: Value| json!({"command": "coop_info", "uid": uid, "type": campaign, "name": "Name", "description": "Text", "filename": file, "featured_mod": "coop"});
        let expected = [
            info(1, "FA Campaign", json!("maps/m.zip")),
            info(5, "Custom Missions", Value::Null),
        ];
        assert_eq!(list, expected);
    });
}

// checklist: faf 283, 284, 285, 286
#[test]
fn the_mod_vault() {
    each(|mut sim, _| {
        let a = player(&mut sim, 1, 0);
        let vault =
            |kind: &str, uid: &str| json!({"command": "modvault", "type": kind, "uid": uid});
        let list = say(&mut sim, a, vault("start", ""));
        let info = json!({"command": "modvault_info", "thumbnail": "",
            "link": "http://content.faforever.com/faf/vault/some.zip", "bugreports": [], "comments": [],
            "description": "text", "played": 2, "likes": 1.0, "downloads": 3, "date": 1_708_792_547,
            "uid": "FFF", "name": "Some mod", "version": 1, "author": "lyra", "ui": 1});
        assert_eq!(list[0], info);
        assert_eq!(
            list[1]["thumbnail"],
            "http://content.faforever.com/faf/vault/mods_thumbs/a%20b/%C3%A4.png"
        );
        assert_eq!(say(&mut sim, a, vault("like", "FFF")), [info]);
        assert!(say(&mut sim, a, vault("like", "old")).is_empty());
        assert!(say(&mut sim, a, vault("download", "FFF")).is_empty());
        assert!(sim.client(a).closed.is_none());
        assert_eq!(
            commands(&say(&mut sim, a, vault("like", "none"))),
            ["invalid"]
        );
        assert!(sim.client(a).closed.is_some());
        for bad in [
            vault("dance", ""),
            json!({"command": "modvault"}),
            json!({"command": "modvault", "type": "like"}),
        ] {
            let conn = player(&mut sim, 2, 0);
            assert!(say(&mut sim, conn, bad).is_empty());
            assert!(sim.client(conn).closed.is_some());
        }
    });
}

// checklist: faf 287, 288, 289
#[test]
fn what_clients_still_say_does_no_harm() {
    each(|mut sim, _| {
        let a = player(&mut sim, 1, 0);
        let servers = say(&mut sim, a, json!({"command": "ice_servers"}));
        assert_eq!(
            servers,
            [json!({"command": "ice_servers", "ice_servers": []})]
        );
        for command in ["match_ready", "is_ready_response", "unready_party"] {
            assert!(say(&mut sim, a, json!({"command": command, "request_id": "r1"})).is_empty());
        }
        assert!(sim.client(a).closed.is_none());
    });
}
