//! What moderators and administrators do (spec: cockatrice-behaviour 8, 9, 18.7).

use std::fmt::Write as _;

use cockatrice::{
    accounts::Level,
    messages::{
        EventNotifyUser, NotificationType, ResponseBanHistory, ResponseBody,
        ResponseCardArtRuleEntry, ResponseCode, ResponseGetAdminNotes, ResponseListCardArtRules,
        ResponseModeratorLastLogins, ResponseRemoveUserAvatar, ResponseResetUserPassword,
        ResponseUserAlts, ResponseUserSessions, ResponseViewLogHistory, ResponseWarnHistory,
        ResponseWarnList, ServerInfoBan, ServerInfoChatMessage, ServerInfoModeratorLogin,
        ServerInfoUserAlt, ServerInfoUserSession, ServerInfoWarning, SessionEventBody,
    },
    text::NAME_BYTES,
};
use lobby::{
    cockatrice::questions::{
        BanKeys, Banned, Change, Moderate, ModeratorRequest, Notice, Outcome, Password, Who, event,
    },
    question::Answers,
};

use super::{
    CockatriceHandler,
    handler::{settled, told},
    passwords,
    store::{Alt, Column, Said, Search, Visit},
};
use crate::{store::StoreError, unix_now};

/// Sessions that are told, at most.
const SESSIONS: u32 = 500;
/// Bits of an account's rights.
const MODERATOR: u32 = 2;
const JUDGE: u32 = 4;

impl Answers<Moderate> for CockatriceHandler {
    async fn answer(&self, Moderate { who, request }: Moderate) -> Outcome {
        settled(self.moderate(&who, request).await)
    }
}

impl CockatriceHandler {
    async fn moderate(&self, who: &Who, request: ModeratorRequest) -> Result<Outcome, StoreError> {
        use ModeratorRequest as Request;
        match request {
            Request::Ban {
                keys,
                minutes,
                reason,
                visible_reason,
            } => self.ban(who, keys, minutes, &reason, &visible_reason).await,
            Request::BanHistory(name) => self.ban_history(&name).await,
            Request::Warn {
                name,
                reason,
                client_id,
            } => self.warn(who, &name, &reason, &client_id).await,
            Request::WarnHistory(name) => self.warn_history(&name).await,
            Request::WarnList { name, client_id } => Ok(self.warn_list(&name, &client_id)),
            Request::Log {
                name,
                address,
                game_name,
                game_id,
                message,
                places,
                hours,
                most,
            } => {
                let search = Search {
                    name: &name,
                    address: &address,
                    game_name: &game_name,
                    game_id: &game_id,
                    message: &message,
                    places: &places,
                    hours,
                    most,
                };
                self.view_log(search).await
            }
            request => self.look_after(who, request).await,
        }
    }

    /// What moderators do about accounts, and what they may show.
    async fn look_after(
        &self,
        who: &Who,
        request: ModeratorRequest,
    ) -> Result<Outcome, StoreError> {
        use ModeratorRequest as Request;
        match request {
            Request::ForceActivate(name) => self.force_activate(who, &name).await,
            Request::Notes(name) => self.notes(&name).await,
            Request::SetNotes { name, notes } => {
                let found = self.store.find(&name).await?;
                let Some(found) = found else {
                    return Ok(Outcome::code(ResponseCode::RespNameNotFound));
                };
                // Who writes what stands there changes nobody's notes.
                let id = found.account.id;
                if self.store.notes(id).await? == *notes {
                    return Ok(Outcome::code(ResponseCode::RespNameNotFound));
                }
                self.store.set(id, Column::Notes(&notes)).await?;
                Ok(Outcome::ok())
            }
            Request::Sessions { name, most } => self.sessions(&name, most).await,
            Request::Alts(name) => self.alts(&name).await,
            Request::ModeratorLogins => self.moderator_logins().await,
            Request::RemoveAvatar(name) => self.remove_avatar(who, &name).await,
            Request::AddArtRule {
                card,
                provider,
                mode,
                reason,
            } => {
                self.add_art_rule(who, &card, &provider, &mode, &reason)
                    .await
            }
            Request::RemoveArtRule { card, provider } => {
                self.store.remove_art_rule(&card, &provider).await?;
                Ok(Outcome::ok())
            }
            Request::ArtRules => self.art_rules().await,
            Request::Adjust {
                name,
                moderator,
                judge,
            } => self.adjust(&name, moderator, judge).await,
            Request::ResetPassword(name) => self.reset_password(who, &name).await,
            // The others are answered already.
            _ => Ok(Outcome::code(ResponseCode::RespInvalidCommand)),
        }
    }

    /// Whose installation it is, only the store knows: those sessions end if neither a name nor an address says whose.
    async fn ban(
        &self,
        who: &Who,
        mut keys: BanKeys,
        minutes: u32,
        reason: &str,
        visible_reason: &str,
    ) -> Result<Outcome, StoreError> {
        let is_of_nobody = |keys: &BanKeys| {
            keys.name.is_empty() && keys.address.is_empty() && keys.client_id.is_empty()
        };
        if is_of_nobody(&keys) {
            return Ok(Outcome::ok());
        }
        let rules = self.rules();
        let mut trusted = rules.chosen.moderation.trusted.split(',').map(str::trim);
        if trusted.any(|trusted| *trusted == *keys.address) {
            keys.address = "".into();
        }
        let mut outcome = Outcome::ok();
        outcome.staff = Some(ban_told(&who.name, &keys, minutes, reason, visible_reason));
        if is_of_nobody(&keys) {
            return Ok(outcome); // staff sees that nobody is banned
        }
        self.store
            .ban(who.id, &keys, minutes, reason, visible_reason)
            .await?;
        let users = match keys.name.is_empty() && keys.address.is_empty() {
            true => self.store.of_client(&keys.client_id).await?,
            false => Vec::from_iter(Some(keys.name.clone()).filter(|name| !name.is_empty())),
        };
        outcome.change = Some(Change::Banned(Box::new(Banned {
            users,
            address: keys.address,
            reason: visible_reason.into(),
            until_s: (minutes > 0).then(|| unix_now() as u64 + u64::from(minutes) * 60),
        })));
        Ok(outcome)
    }

    async fn ban_history(&self, name: &str) -> Result<Outcome, StoreError> {
        let bans = self.store.bans(name).await?;
        let ban_list = bans
            .into_iter()
            .map(|ban| ServerInfoBan {
                admin_id: Some(ban.admin_id.into()),
                admin_name: Some(ban.admin.into()),
                ban_time: Some(ban.at.into()),
                ban_length: Some(ban.minutes.into()),
                ban_reason: Some(ban.reason.into()),
                visible_reason: Some(ban.visible_reason.into()),
            })
            .collect();
        Ok(Outcome::with(ResponseBody::BanHistory(
            ResponseBanHistory { ban_list },
        )))
    }

    async fn warn(
        &self,
        who: &Who,
        name: &str,
        reason: &str,
        client_id: &str,
    ) -> Result<Outcome, StoreError> {
        let found = self.store.find(name).await?;
        // Somebody without an account is warned as well; the history then has nobody to show it for.
        let (id, name) = found
            .as_ref()
            .map_or((0, name), |found| (found.account.id, &*found.account.name));
        self.store
            .warn(&who.name, id, name, reason, client_id)
            .await?;
        let mut outcome = Outcome::ok();
        outcome.staff = Some(format!(
            "{} has sent a warning with the following information\n    Username: {name}\n    Reason: {reason}",
            who.name
        ).into());
        let warning = EventNotifyUser {
            r#type: Some(NotificationType::Warning),
            warning_reason: Some(reason.into()),
            ..EventNotifyUser::default()
        };
        outcome.notices.push(Notice {
            to: name.into(),
            event: event(SessionEventBody::NotifyUser(warning)),
            pending: None,
        });
        Ok(outcome)
    }

    async fn warn_history(&self, name: &str) -> Result<Outcome, StoreError> {
        let warnings = match self.store.find(name).await? {
            Some(found) => self.store.warnings(found.account.id).await?,
            None => Vec::new(),
        };
        let warn_list = warnings
            .into_iter()
            .map(|(name, by, reason, at)| ServerInfoWarning {
                user_name: Some(name.into()),
                admin_name: Some(by.into()),
                reason: Some(reason.into()),
                time_of: Some(at.into()),
            })
            .collect();
        Ok(Outcome::with(ResponseBody::WarnHistory(
            ResponseWarnHistory { warn_list },
        )))
    }

    fn warn_list(&self, name: &str, client_id: &str) -> Outcome {
        let rules = self.rules();
        let warnings = rules.chosen.moderation.warnings.split(',');
        let warnings = warnings
            .map(str::trim)
            .filter(|warning| !warning.is_empty());
        let (warning, warning_il) = warnings
            .map(|warning| match warning.rsplit_once('|') {
                Some((name, level)) => (name, level.trim().parse().unwrap_or(1)),
                None => (warning, 1),
            })
            .map(|(name, level): (&str, u32)| (name.into(), level))
            .unzip();
        Outcome::with(ResponseBody::WarnList(ResponseWarnList {
            warning,
            user_name: Some(name.into()),
            user_clientid: Some(client_id.into()),
            warning_il,
        }))
    }

    async fn view_log(&self, search: Search<'_>) -> Result<Outcome, StoreError> {
        let lines = match self.rules().chosen.moderation.log_query {
            true => self.store.search_log(search).await?,
            false => ["room", "game", "chat"].map(disabled).to_vec(),
        };
        let log_message = lines
            .into_iter()
            .map(|line| ServerInfoChatMessage {
                time: Some(line.at.into()),
                sender_id: Some(line.sender_id.into()),
                sender_name: Some(line.sender.into()),
                sender_ip: Some(line.address.into()),
                message: Some(line.text.into()),
                target_type: Some(line.place.into()),
                target_id: Some(line.target_id.into()),
                target_name: Some(line.target.into()),
            })
            .collect();
        Ok(Outcome::with(ResponseBody::ViewLogHistory(
            ResponseViewLogHistory { log_message },
        )))
    }

    async fn force_activate(&self, who: &Who, name: &str) -> Result<Outcome, StoreError> {
        let Some(found) = self.store.find(name).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        let code = match self.store.activate(&found).await? {
            true => ResponseCode::RespActivationAccepted,
            false => ResponseCode::RespActivationFailed,
        };
        let details = format!("forced for {}", found.account.name);
        self.audit(who, "ACTIVATE_ACCOUNT", &details, code).await;
        Ok(Outcome::code(code))
    }

    async fn notes(&self, name: &str) -> Result<Outcome, StoreError> {
        let Some(found) = self.store.find(name).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        let notes = self.store.notes(found.account.id).await?;
        Ok(Outcome::with(ResponseBody::GetAdminNotes(
            ResponseGetAdminNotes {
                user_name: Some(name.into()),
                notes: Some(notes.into()),
            },
        )))
    }

    async fn sessions(&self, name: &str, most: u32) -> Result<Outcome, StoreError> {
        if name.is_empty() {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        let visits = self.store.visits(name, most.min(SESSIONS)).await?;
        Ok(Outcome::with(ResponseBody::UserSessions(
            ResponseUserSessions {
                sessions: visits.iter().map(session).collect(),
            },
        )))
    }

    async fn alts(&self, name: &str) -> Result<Outcome, StoreError> {
        if name.is_empty() {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        let alts = self.store.alts(name).await?;
        Ok(Outcome::with(ResponseBody::UserAlts(ResponseUserAlts {
            alts: alts.iter().map(alt).collect(),
        })))
    }

    async fn moderator_logins(&self) -> Result<Outcome, StoreError> {
        let moderators = self.store.moderators().await?;
        let logins = moderators
            .into_iter()
            .map(|(name, admin, at)| ServerInfoModeratorLogin {
                user_name: Some(name.into()),
                last_login: Some(at).filter(|at| *at > 0),
                user_level: Some(Level::of_account(admin).bits()),
            })
            .collect();
        Ok(Outcome::with(ResponseBody::ModeratorLastLogins(
            ResponseModeratorLastLogins { logins },
        )))
    }

    async fn remove_avatar(&self, who: &Who, name: &str) -> Result<Outcome, StoreError> {
        if name.is_empty() {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        let found = self.store.find(name).await?;
        let Some(found) = found.filter(|found| !found.account.avatar.is_empty()) else {
            return Ok(Outcome::code(ResponseCode::RespInternalError));
        };
        self.store
            .set(found.account.id, Column::Avatar(None))
            .await?;
        let details = found.account.name.clone();
        self.audit(who, "REMOVE_USER_AVATAR", &details, ResponseCode::RespOk)
            .await;
        Ok(Outcome::with(ResponseBody::RemoveUserAvatar(
            ResponseRemoveUserAvatar {
                user_name: Some(name.into()),
            },
        )))
    }

    async fn add_art_rule(
        &self,
        who: &Who,
        card: &str,
        provider: &str,
        mode: &str,
        reason: &str,
    ) -> Result<Outcome, StoreError> {
        let is_mode = mode == "ALLOW" || mode == "DENY";
        let is_long = card.len() > NAME_BYTES || provider.len() > NAME_BYTES;
        if !is_mode || card.is_empty() || is_long {
            return Ok(Outcome::code(ResponseCode::RespInvalidData));
        }
        self.store
            .set_art_rule((card, provider, mode, reason), &who.name)
            .await?;
        Ok(Outcome::ok())
    }

    async fn art_rules(&self) -> Result<Outcome, StoreError> {
        let rules = self.store.art_rules().await?;
        let entries = rules
            .into_iter()
            .map(|(card, provider, mode, reason)| ResponseCardArtRuleEntry {
                card_name: Some(card.into()),
                card_provider_id: Some(provider.into()),
                mode: Some(mode.into()),
                reason: Some(reason.into()),
            })
            .collect();
        Ok(Outcome::with(ResponseBody::ListCardArtRules(
            ResponseListCardArtRules { entries },
        )))
    }

    /// A name that nobody has is none of anybody's business (spec: cockatrice-behaviour 9).
    async fn adjust(
        &self,
        name: &str,
        moderator: Option<bool>,
        judge: Option<bool>,
    ) -> Result<Outcome, StoreError> {
        let Some(found) = self.store.find(name).await? else {
            return Ok(Outcome::ok());
        };
        let mut admin = found.account.admin;
        for (bit, wanted) in [(MODERATOR, moderator), (JUDGE, judge)] {
            match wanted {
                Some(true) => admin |= bit,
                Some(false) => admin &= !bit,
                None => {}
            }
        }
        self.store
            .set(found.account.id, Column::Admin(admin))
            .await?;
        let mut outcome = Outcome::ok();
        let steps: Vec<bool> = [moderator, judge].into_iter().flatten().collect();
        if !steps.is_empty() {
            outcome.change = Some(Change::Rights(found.account.name, steps));
        }
        Ok(outcome)
    }

    async fn reset_password(&self, who: &Who, name: &str) -> Result<Outcome, StoreError> {
        if name.is_empty() {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        let Some(found) = self.store.find(name).await? else {
            return Ok(Outcome::code(ResponseCode::RespNameNotFound));
        };
        let name = &*found.account.name;
        let temporary = passwords::token();
        let sent = Password::Plain((*temporary).into());
        let Some(stored) = self.passwords.store(sent).await else {
            return Ok(Outcome::code(ResponseCode::RespInternalError));
        };
        self.store.set_password(name, &stored, true).await?;
        let details = format!("reset for {name}");
        self.audit(who, "PASSWORD_RESET", &details, ResponseCode::RespOk)
            .await;
        let mut outcome =
            Outcome::with(ResponseBody::ResetUserPassword(ResponseResetUserPassword {
                user_name: Some(name.into()),
                temporary_password: Some(temporary.into()),
            }));
        outcome.notices.push(Notice {
            to: name.into(),
            event: told(
                "Password reset",
                "An administrator has reset your password. You will need the new one at your next login.",
            ),
            pending: None,
        });
        Ok(outcome)
    }
}

/// What staff is told of a ban.
fn ban_told(by: &str, keys: &BanKeys, minutes: u32, reason: &str, visible: &str) -> Box<str> {
    let mut told = format!("{by} has placed a ban with the following information");
    let whom = [
        ("Username", &keys.name),
        ("IP Address", &keys.address),
        ("Client ID", &keys.client_id),
    ];
    for (what, value) in whom.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = write!(told, "\n    {what}: {value}");
    }
    let _ = write!(
        told,
        "\n    Length: {minutes} minute(s)\n    Internal Reason: {reason}\n    Visible Reason: {visible}"
    );
    told.into()
}

fn disabled(place: &str) -> Said {
    Said {
        text: "Log query disabled, please contact server owner for details.".to_owned(),
        place: place.to_owned(),
        ..Said::default()
    }
}

fn session(visit: &Visit) -> ServerInfoUserSession<'_> {
    ServerInfoUserSession {
        user_name: Some((*visit.name).into()),
        ip_address: Some((*visit.address).into()),
        start_time: Some(visit.from_s),
        end_time: visit.until_s,
        clientid: Some((*visit.client_id).into()),
        connection_type: Some((*visit.transport).into()),
    }
}

fn alt(alt: &Alt) -> ServerInfoUserAlt<'_> {
    ServerInfoUserAlt {
        user_name: Some((*alt.name).into()),
        email: Some((*alt.email).into()),
        clientid: Some((*alt.client_id).into()),
        registration_time: Some(alt.registered_s),
        last_login: Some(alt.last_login_s).filter(|at| *at > 0),
        is_active: Some(alt.active),
        ban_count: Some(alt.bans),
        warn_count: Some(alt.warnings),
    }
}
