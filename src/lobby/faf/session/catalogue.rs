//! What players look up: coop missions and the mod vault (spec: faf-messages 3.16 and 3.17). It comes from the
//! database at each call; the connection is held meanwhile, so one client has one of these under way.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    ConnId,
    faf::{
        context::Context,
        protocol::{
            incoming::catalogue::Modvault,
            message,
            request::{Outcome, Refusal},
        },
        questions::{DownloadMod, Like, LikeMod, Mission, Missions, VaultMod, VaultMods},
        session::{
            continuations::{Downloading, Liking, ListingMissions, ListingMods, Next, Request},
            sessions::Sessions,
        },
    },
    question::StoreFailure,
};

/// By the number of a mission's campaign (spec: faf-messages 5.16).
const CAMPAIGNS: [&str; 5] = [
    "FA Campaign",
    "Aeon Vanilla Campaign",
    "Cybran Vanilla Campaign",
    "UEF Vanilla Campaign",
    "Custom Missions",
];

/// What is written as %XX in the address of a picture: everything but RFC 3986's unreserved characters and the slash.
const IN_ADDRESS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

impl Sessions {
    pub(in crate::faf) fn coop_list(&mut self, cx: &mut Context<'_>, conn: ConnId) {
        self.ask_held(cx, conn, Missions, ListingMissions);
    }

    pub(in crate::faf) fn modvault(
        &mut self,
        cx: &mut Context<'_>,
        conn: ConnId,
        wanted: Modvault<'_>,
    ) {
        let Some(player) = self.table.get(conn).and_then(|s| s.player.as_deref()) else {
            return;
        };
        let player_id = player.account.id;
        match wanted {
            Modvault::Start => self.ask_held(cx, conn, VaultMods, ListingMods),
            Modvault::Like(uid) => {
                let uid = uid.to_owned();
                self.ask_held(cx, conn, LikeMod { player_id, uid }, Liking);
            }
            // spec: faf-messages 3.17, recommended: what was meant is done
            Modvault::Download(uid) => {
                self.ask_held(cx, conn, DownloadMod(uid.to_owned()), Downloading);
            }
        }
    }

    fn send_mod(&self, cx: &mut Context<'_>, conn: ConnId, vault_mod: &VaultMod) {
        let vault = format!("{}/faf/vault/", cx.settings.content_url);
        let thumbnail = match &vault_mod.icon {
            Some(icon) => {
                let icon = utf8_percent_encode(icon, IN_ADDRESS);
                format!("{vault}mods_thumbs/{icon}")
            }
            None => String::new(),
        };
        let message = message::ModvaultInfo {
            thumbnail: &thumbnail,
            link: &format!("{vault}{}", vault_mod.filename),
            bugreports: [],
            comments: [],
            description: &vault_mod.description,
            played: vault_mod.played,
            likes: vault_mod.likes,
            downloads: vault_mod.downloads,
            date: vault_mod.created_unix_s,
            uid: &vault_mod.uid,
            name: &vault_mod.name,
            version: vault_mod.version,
            author: &vault_mod.author,
            ui: vault_mod.ui,
        };
        cx.turn.send(conn, message::encode(&message));
    }
}

impl Request for ListingMissions {
    type Question = Missions;

    fn resume(
        self,
        _: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        missions: Result<Vec<Mission>, StoreFailure>,
    ) -> Outcome<Next> {
        for mission in missions? {
            let Some(campaign) = CAMPAIGNS.get(usize::from(mission.campaign)) else {
                continue;
            };
            let message = message::CoopInfo {
                uid: mission.id,
                campaign,
                name: &mission.name,
                description: &mission.description,
                filename: mission.filename.as_deref(),
                featured_mod: "coop",
            };
            cx.turn.send(conn, message::encode(&message));
        }
        Ok(Next::Go)
    }
}

impl Request for ListingMods {
    type Question = VaultMods;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        mods: Result<Vec<VaultMod>, StoreFailure>,
    ) -> Outcome<Next> {
        for vault_mod in mods? {
            sessions.send_mod(cx, conn, &vault_mod);
        }
        Ok(Next::Go)
    }
}

impl Request for Liking {
    type Question = LikeMod;

    fn resume(
        self,
        sessions: &mut Sessions,
        cx: &mut Context<'_>,
        conn: ConnId,
        like: Result<Like, StoreFailure>,
    ) -> Outcome<Next> {
        match like? {
            Like::Unknown => return Err(Refusal::Invalid),
            Like::Again => {}
            Like::Counted(vault_mod) => sessions.send_mod(cx, conn, &vault_mod),
        }
        Ok(Next::Go)
    }
}

impl Request for Downloading {
    type Question = DownloadMod;

    fn resume(
        self,
        _: &mut Sessions,
        _: &mut Context<'_>,
        _: ConnId,
        done: Result<(), StoreFailure>,
    ) -> Outcome<Next> {
        done?;
        Ok(Next::Go)
    }
}
