//! What people change about their accounts and lists, and what they see of others (spec: cockatrice-behaviour 3.2, 3.3).

use bytes::Bytes;
use cockatrice::{
    accounts::{CardArt, Email},
    messages::{
        EventAddToList, EventRemoveFromList, ResponseBody, ResponseCode, ResponseGetUserInfo,
        ServerInfoUser, SessionEventBody,
    },
};
use lobby::{
    cockatrice::{
        account::{Account, Form},
        questions::{
            AccountChange, Change, ChangeAccount, ListChange, Outcome, Password, Who, event,
        },
    },
    question::Answers,
};

use super::{
    CockatriceHandler,
    handler::settled,
    passwords::Checked,
    store::{Column, Found},
};
use crate::store::StoreError;

impl Answers<ChangeAccount> for CockatriceHandler {
    async fn answer(&self, ChangeAccount { who, change }: ChangeAccount) -> Outcome {
        settled(self.change(&who, change).await)
    }
}

impl CockatriceHandler {
    async fn change(&self, who: &Who, change: AccountChange) -> Result<Outcome, StoreError> {
        match change {
            AccountChange::Look(name) => self.look(who, &name).await,
            AccountChange::Add(change) => self.add_to_list(who, change).await,
            AccountChange::Remove(change) => self.remove_from_list(who, change).await,
            change => {
                let Some(found) = self.store.find(&who.name).await? else {
                    return Ok(Outcome::code(ResponseCode::RespInternalError));
                };
                self.change_own(who, found, change).await
            }
        }
    }

    async fn change_own(
        &self,
        who: &Who,
        found: Found,
        change: AccountChange,
    ) -> Result<Outcome, StoreError> {
        let id = found.account.id;
        let told = match change {
            AccountChange::Edit {
                real_name,
                email,
                country,
                password_check,
            } => {
                let refusal = self.refuses_edit(who, &found, email.as_deref(), password_check);
                if let Some(code) = refusal.await {
                    return Ok(Outcome::code(code));
                }
                if let Some(text) = &real_name {
                    self.store.set(id, Column::RealName(text)).await?;
                }
                if let Some(text) = &email {
                    let stored = Email::stored(text);
                    self.store.set(id, Column::Email(&stored)).await?;
                }
                if let Some(text) = &country {
                    self.store.set(id, Column::Country(text)).await?;
                }
                false
            }
            AccountChange::Password { old, new } => {
                return self.change_password(&found, old, new).await;
            }
            AccountChange::Image(image) => {
                let image = Some(&*image).filter(|image| !image.is_empty());
                self.store.set(id, Column::Avatar(image)).await?;
                false
            }
            AccountChange::CardArt(art) => {
                if let Some(code) = self.refuses_art(art.as_ref()).await? {
                    return Ok(Outcome::code(code));
                }
                let stored = art.as_ref().map(CardArt::to_stored);
                self.store
                    .set(id, Column::CardArt(stored.as_deref()))
                    .await?;
                true
            }
            AccountChange::Look(_) | AccountChange::Add(_) | AccountChange::Remove(_) => {
                return Ok(Outcome::ok());
            }
        };
        let now = self.store.find(&who.name).await?;
        let mut outcome = Outcome::ok();
        outcome.change = now.map(|found| Change::Record {
            account: Box::new(found.account),
            told,
        });
        Ok(outcome)
    }

    /// Why an account is not edited.
    async fn refuses_edit(
        &self,
        who: &Who,
        found: &Found,
        email: Option<&str>,
        check: Option<Box<str>>,
    ) -> Option<ResponseCode> {
        let knows_password = match check {
            Some(check) => {
                let sent = Password::Plain(check);
                if self.passwords.check(sent, &found.password).await == Checked::Wrong {
                    return Some(ResponseCode::RespWrongPassword);
                }
                true
            }
            None => who.showed_password,
        };
        (email.is_some() && !knows_password).then_some(ResponseCode::RespFunctionNotAllowed)
    }

    async fn change_password(
        &self,
        found: &Found,
        old: Box<str>,
        new: Password,
    ) -> Result<Outcome, StoreError> {
        if let Password::Plain(plain) = &new
            && self.is_short(plain)
        {
            return Ok(Outcome::code(ResponseCode::RespPasswordTooShort));
        }
        let old = Password::Plain(old);
        if self.passwords.check(old, &found.password).await == Checked::Wrong {
            return Ok(Outcome::code(ResponseCode::RespWrongPassword));
        }
        let Some(stored) = self.passwords.store(new).await else {
            return Ok(Outcome::code(ResponseCode::RespPasswordTooShort));
        };
        let name = &found.account.name;
        self.store.set_password(name, &stored, false).await?;
        Ok(Outcome::ok())
    }

    /// Why a card's art is not shown.
    async fn refuses_art(&self, art: Option<&CardArt>) -> Result<Option<ResponseCode>, StoreError> {
        let Some(art) = art else {
            return Ok(None);
        };
        let denied = self.store.is_art_denied(art.card_name(), art.provider_id());
        let code = ResponseCode::RespFunctionNotAllowed;
        Ok(denied.await?.then_some(code))
    }

    /// The profile of somebody who is not there. Of a name that nobody has it is that name (spec: cockatrice-behaviour 3.2).
    /// Moderators are told of the installation as well, by which they may ban somebody.
    async fn look(&self, who: &Who, name: &str) -> Result<Outcome, StoreError> {
        let found = self.store.find(name).await?;
        let found = found.filter(|found| found.active);
        let nobody = ServerInfoUser {
            name: Some(name.into()),
            user_level: Some(1),
            ..ServerInfoUser::default()
        };
        let mut record = match &found {
            Some(found) => found.account.record(Form::Profile),
            None => nobody,
        };
        let client_id = found.as_ref().map_or("", |found| &*found.account.client_id);
        if who.is_moderator && !client_id.is_empty() {
            record.clientid = Some(client_id.into());
        }
        Ok(Outcome::with(ResponseBody::GetUserInfo(
            ResponseGetUserInfo {
                user_info: Some(record),
            },
        )))
    }

    async fn add_to_list(&self, who: &Who, change: ListChange) -> Result<Outcome, StoreError> {
        let refuse = |code| Ok(Outcome::code(code));
        let Some(found) = self.store.find(&change.name).await? else {
            return refuse(ResponseCode::RespNameNotFound);
        };
        let Found {
            account, active, ..
        } = found;
        // Whoever is on the list is on it, whatever has become of their account.
        let is_there = self.store.is_on_list(who.id, change.list, account.id);
        if is_there.await? {
            return refuse(ResponseCode::RespContextError);
        }
        if !active {
            return refuse(ResponseCode::RespNameNotFound);
        }
        if account.id == who.id {
            return refuse(ResponseCode::RespContextError);
        }
        let added = self.store.add_to_list(who.id, change.list, account.id);
        if !added.await? {
            return refuse(ResponseCode::RespContextError);
        }
        let told = added_to(change.list.name(), &account);
        Ok(listed(told, change, account.name))
    }

    async fn remove_from_list(&self, who: &Who, change: ListChange) -> Result<Outcome, StoreError> {
        let Some(found) = self.store.find(&change.name).await? else {
            // A name that nobody has is on nobody's list.
            return Ok(Outcome::code(ResponseCode::RespContextError));
        };
        let (list, subject) = (change.list, found.account.id);
        if !self.store.is_on_list(who.id, list, subject).await? {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        self.store.remove_from_list(who.id, list, subject).await?;
        let told = event(SessionEventBody::RemoveFromList(EventRemoveFromList {
            list_name: Some(list.name().into()),
            user_name: Some((&*found.account.name).into()),
        }));
        Ok(listed(told, change, found.account.name))
    }
}

fn added_to(list: &str, account: &Account) -> Bytes {
    event(SessionEventBody::AddToList(EventAddToList {
        list_name: Some(list.into()),
        user_info: Some(account.record(Form::Profile)),
    }))
}

fn listed(told: Bytes, change: ListChange, name: Box<str>) -> Outcome {
    let mut outcome = Outcome::ok();
    outcome.before.push(told);
    outcome.change = Some(Change::List(ListChange { name, ..change }));
    outcome
}
