//! How each question is answered.

use lobby::faf::ledger::{KeepRecords, WriteRecords, Written};
use lobby::faf::matcher::{self, Proposal};
use lobby::faf::questions::{
    Account, Avatar, Ban, ChangedAvatar, ClearRelation, DownloadMod, FindMatches, HasPermission,
    Host, HostGrant, Join, Like, LikeMod, ListAvatars, Login, LoginRefusal, MatchGrant, Mission,
    Missions, ModNames, PrepareMatch, SelectAvatar, SetRelation, VaultMod, VaultMods,
};
use lobby::question::{Answers, StoreFailure};

use super::FafHandler;
use crate::attempts::{Came, Claim, Proof};

impl Answers<Login> for FafHandler {
    async fn answer(&self, login: Login) -> Result<Box<Account>, LoginRefusal> {
        let claim = login.credentials.account().map(|name| Claim {
            name,
            from: login.address,
            by: Proof::Password,
        });
        let attempt = self.attempts.begin(login.counted, claim);
        let mut attempt = attempt.ok_or(LoginRefusal::TooMany)?;
        let who = self.identify(login.credentials, &mut attempt).await;
        self.attempts.end(attempt, came(who.as_ref().err()));
        let who = who?;
        self.attempts.at_home(&who.login, login.address); // a token has shown that as well as a password
        self.sign_in(
            who,
            &login.unique_id,
            login.session,
            login.address,
            login.user_agent.map(String::from),
        )
        .await
    }
}

/// What came of an attempt to sign in.
fn came(refusal: Option<&LoginRefusal>) -> Came {
    match refusal {
        None => Came::In,
        Some(
            LoginRefusal::BadPassword
            | LoginRefusal::BadToken
            | LoginRefusal::NoPermission
            | LoginRefusal::UnknownId,
        ) => Came::Failed,
        Some(_) => Came::Otherwise,
    }
}

impl Answers<Host> for FafHandler {
    async fn answer(&self, host: Host) -> Result<HostGrant, StoreFailure> {
        if let Some(ban) = self.store.ban_of(host.player_id).await? {
            return Ok(HostGrant {
                ban: Some(ban),
                ..HostGrant::default()
            });
        }
        let Some(folder) = host.create else {
            return Ok(HostGrant::default());
        };
        let map = self.store.map_by_folder(&folder).await?;
        let game_id = self.next_game().await?;
        Ok(HostGrant {
            ban: None,
            game_id: Some(game_id),
            map,
        })
    }
}

impl Answers<Join> for FafHandler {
    async fn answer(&self, join: Join) -> Result<Option<Ban>, StoreFailure> {
        let ban = self.store.ban_of(join.player_id).await?;
        if let (None, Some(game_id)) = (&ban, join.game_id) {
            self.store
                .log_join(join.player_id, game_id, join.address)
                .await;
        }
        Ok(ban)
    }
}

impl Answers<ModNames> for FafHandler {
    async fn answer(
        &self,
        ModNames(uids): ModNames,
    ) -> Result<Vec<(String, String)>, StoreFailure> {
        Ok(self.store.mod_names(&uids).await?)
    }
}

impl Answers<FindMatches> for FafHandler {
    async fn answer(&self, question: FindMatches) -> Option<Vec<Proposal>> {
        // Up to some milliseconds of plain work: not on the thread that answers everybody.
        let find = move || matcher::find(&question.snapshot, &question.tuning);
        let found = tokio::task::spawn_blocking(find).await;
        if let Err(error) = &found {
            tracing::error!(%error, "no matches were found for a queue");
        }
        found.ok()
    }
}

impl Answers<PrepareMatch> for FafHandler {
    async fn answer(&self, question: PrepareMatch) -> Result<MatchGrant, StoreFailure> {
        let mut played = Vec::new();
        for player in question.players {
            let maps = self
                .store
                .played_maps(player, question.queue_id, question.history);
            played.extend(maps.await?);
        }
        Ok(MatchGrant {
            game_id: self.next_game().await?,
            history: played,
        })
    }
}

impl Answers<WriteRecords> for FafHandler {
    async fn answer(&self, WriteRecords { batch, on_disk }: WriteRecords) -> Written {
        self.write(*batch, on_disk).await
    }
}

impl Answers<KeepRecords> for FafHandler {
    async fn answer(&self, KeepRecords(batch): KeepRecords) -> Result<(), StoreFailure> {
        self.keep(&batch).await
    }
}

impl Answers<SetRelation> for FafHandler {
    async fn answer(
        &self,
        SetRelation {
            player_id,
            subject_id,
            relation,
        }: SetRelation,
    ) -> Result<bool, StoreFailure> {
        let known = self.store.set_relation(player_id, subject_id, relation);
        Ok(known.await?)
    }
}

impl Answers<ClearRelation> for FafHandler {
    async fn answer(
        &self,
        ClearRelation {
            player_id,
            subject_id,
        }: ClearRelation,
    ) -> Result<(), StoreFailure> {
        Ok(self.store.clear_relation(player_id, subject_id).await?)
    }
}

impl Answers<ListAvatars> for FafHandler {
    async fn answer(
        &self,
        ListAvatars(player_id): ListAvatars,
    ) -> Result<Vec<Avatar>, StoreFailure> {
        Ok(self.store.avatars_of(player_id).await?)
    }
}

impl Answers<SelectAvatar> for FafHandler {
    async fn answer(
        &self,
        SelectAvatar { player_id, url }: SelectAvatar,
    ) -> Result<Option<Option<Avatar>>, StoreFailure> {
        Ok(self.store.select_avatar(player_id, url.as_deref()).await?)
    }
}

impl Answers<ChangedAvatar> for FafHandler {
    async fn answer(
        &self,
        ChangedAvatar(player_id): ChangedAvatar,
    ) -> Result<Option<Avatar>, StoreFailure> {
        Ok(self.store.changed_avatar(player_id).await?)
    }
}

impl Answers<HasPermission> for FafHandler {
    async fn answer(
        &self,
        HasPermission {
            player_id,
            permission,
        }: HasPermission,
    ) -> Result<bool, StoreFailure> {
        Ok(self.store.has_permission(player_id, permission).await?)
    }
}

impl Answers<Missions> for FafHandler {
    async fn answer(&self, _: Missions) -> Result<Vec<Mission>, StoreFailure> {
        Ok(self.store.missions().await?)
    }
}

impl Answers<VaultMods> for FafHandler {
    async fn answer(&self, _: VaultMods) -> Result<Vec<VaultMod>, StoreFailure> {
        Ok(self.store.best_liked_mods().await?)
    }
}

impl Answers<LikeMod> for FafHandler {
    async fn answer(&self, LikeMod { player_id, uid }: LikeMod) -> Result<Like, StoreFailure> {
        Ok(self.store.like_mod(player_id, &uid).await?)
    }
}

impl Answers<DownloadMod> for FafHandler {
    async fn answer(&self, DownloadMod(uid): DownloadMod) -> Result<(), StoreFailure> {
        Ok(self.store.download_mod(&uid).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, sync::Arc};

    use lobby::faf::questions::Credentials;

    use super::*;
    use crate::{
        faf::{AuthMode, account, store::Store},
        keys::KeyRing,
        store::StoreSettings,
    };

    fn started(store: &Arc<Store>) -> FafHandler {
        let keys = Arc::new(KeyRing::new(None, Arc::default()).unwrap());
        FafHandler::new(store.clone(), keys, None, AuthMode::Database)
    }

    async fn sign_in(handler: &FafHandler, password: &str, from: &str) -> Result<(), LoginRefusal> {
        let address: IpAddr = from.parse().unwrap();
        let login = Login {
            credentials: Credentials::Password {
                login: "Orion".into(),
                password: account::password_hash(password),
            },
            unique_id: "u".into(),
            session: 1,
            address,
            counted: None,
            user_agent: None,
        };
        handler.answer(login).await.map(drop)
    }

    // The first guesses after a restart kept the owner out at the address that stands in the store.
    #[tokio::test]
    async fn the_owner_gets_in_where_they_were_last_whoever_guesses() {
        let settings = StoreSettings::default();
        let store = Store::open("sqlite::memory:", &settings);
        let store = Arc::new(store.await.unwrap());
        account::add(&store, "orion", Some("secret"), None)
            .await
            .unwrap();
        let owner = "2001:db8::1";
        assert_eq!(sign_in(&started(&store), "secret", owner).await, Ok(()));
        let handler = started(&store);
        for n in 0..30 {
            let refused = sign_in(&handler, "wrong", "198.51.100.1")
                .await
                .unwrap_err();
            let wanted = if n < 20 {
                LoginRefusal::BadPassword
            } else {
                LoginRefusal::TooMany
            };
            assert_eq!(refused, wanted, "guess {n}");
        }
        let elsewhere = sign_in(&handler, "secret", "192.0.2.77").await;
        assert_eq!(elsewhere, Err(LoginRefusal::TooMany));
        assert_eq!(sign_in(&handler, "secret", owner).await, Ok(()));
        // Who is an IPv6 network's guest today has another address of it tomorrow.
        assert_eq!(sign_in(&handler, "secret", "2001:db8::2").await, Ok(()));
    }
}
