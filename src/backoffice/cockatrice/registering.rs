//! New accounts, and forgotten passwords (spec: cockatrice-behaviour 3.3).

use cockatrice::{
    accounts::{Email, is_listed},
    messages::{ResponseBody, ResponseCode, ResponseForgotPasswordRequest, ResponseRegister},
};
use lobby::{
    cockatrice::questions::{BanKeys, Outcome, Password, Register, Registration, Who},
    question::Answers,
};
use subtle::ConstantTimeEq as _;

use super::{
    CockatriceHandler,
    handler::{REGISTRATIONS, settled},
    passwords,
    store::{Ban, NewAccount},
};
use crate::{
    attempts::{Came, Claim, Proof},
    store::StoreError,
};

/// The name that the server itself speaks under.
const OWN_NAME: &str = "servatrice";

/// What somebody is told whose provider of e-mail is not on the list.
const NOT_ON_LIST: &str = "The email address provider used during registration has not been approved for use on this server.";

impl Answers<Register> for CockatriceHandler {
    async fn answer(&self, asked: Register) -> Outcome {
        let who = Who {
            name: asked.name.clone(),
            address: asked.address.to_canonical().to_string().into(),
            client_id: asked.client_id.clone(),
            ..Who::default()
        };
        let action = match &asked.what {
            Registration::New { .. } => "REGISTER_ACCOUNT",
            Registration::Activate { .. } => "ACTIVATE_ACCOUNT",
            Registration::Forgotten => "PASSWORD_RESET_REQUEST",
            Registration::Challenge { .. } => "PASSWORD_RESET_CHALLENGE",
            Registration::Reset { .. } => "PASSWORD_RESET",
        };
        let outcome = settled(match &asked.what {
            Registration::New { .. } => self.register_new(asked, &who).await,
            _ => self.prove(asked, &who).await,
        });
        self.audit(&who, action, "", outcome.code).await;
        outcome
    }
}

/// What a try at an account by mail counts as.
fn came(code: ResponseCode, is_reset: bool) -> Came {
    match code {
        ResponseCode::RespActivationFailed | ResponseCode::RespFunctionNotAllowed => Came::Failed,
        ResponseCode::RespActivationAccepted => Came::In,
        ResponseCode::RespOk if is_reset => Came::In,
        _ => Came::Otherwise,
    }
}

fn denied(code: ResponseCode, reason: &str, until: Option<u64>) -> Outcome {
    Outcome::code(code).and(ResponseBody::Register(ResponseRegister {
        denied_reason_str: Some(reason.into()),
        denied_end_time: until,
    }))
}

/// The answer to a request for a new password.
fn requested(challenge_email: bool) -> Outcome {
    Outcome::with(ResponseBody::ForgotPasswordRequest(
        ResponseForgotPasswordRequest {
            challenge_email: Some(challenge_email),
        },
    ))
}

/// Whether a token is the one that is stored. Of an account without one nothing is.
fn is_token(sent: &str, stored: &str) -> bool {
    !stored.is_empty() && bool::from(sent.as_bytes().ct_eq(stored.as_bytes()))
}

impl CockatriceHandler {
    /// An account is to be made. Only one that was made counts, and where it was is where its owner is.
    async fn register_new(&self, asked: Register, who: &Who) -> Result<Outcome, StoreError> {
        let per_minute = self.rules().chosen.registration.per_minute;
        self.registrations.allow(per_minute, REGISTRATIONS);
        let Some(attempt) = self.registrations.begin(asked.counted, None) else {
            return Ok(Outcome::code(ResponseCode::RespTooManyRequests));
        };
        let outcome = self.register(asked.what, who).await;
        let came = match &outcome {
            Ok(Outcome {
                code:
                    ResponseCode::RespRegistrationAccepted
                    | ResponseCode::RespRegistrationAcceptedNeedsActivation,
                ..
            }) => {
                self.attempts.made(&who.name, asked.address);
                Came::Failed
            }
            _ => Came::Otherwise,
        };
        self.registrations.end(attempt, came);
        outcome
    }

    /// Something that is to prove an account by mail. Whoever guesses at tokens or addresses is as one who guesses at passwords,
    /// but has not used up the other's tries. To ask for a mail guesses at nothing but names.
    async fn prove(&self, asked: Register, who: &Who) -> Result<Outcome, StoreError> {
        let too_many = Outcome::code(ResponseCode::RespTooManyRequests);
        let claim = Claim {
            name: &who.name,
            from: asked.address,
            by: Proof::Mail,
        };
        let is_reset = matches!(asked.what, Registration::Reset { .. });
        let claim = (asked.what != Registration::Forgotten).then_some(claim);
        let Some(mut attempt) = self.attempts.begin(asked.counted, claim) else {
            return Ok(too_many);
        };
        let outcome = match self.may_try(&mut attempt, &who.name).await {
            Ok(true) => self.register(asked.what, who).await,
            Ok(false) => Ok(too_many),
            Err(error) => Err(error),
        };
        let came = match &outcome {
            Ok(outcome) => came(outcome.code, is_reset),
            Err(_) => Came::Otherwise,
        };
        self.attempts.end(attempt, came);
        outcome
    }

    async fn register(&self, what: Registration, who: &Who) -> Result<Outcome, StoreError> {
        let name = &who.name;
        match what {
            Registration::New {
                password,
                email,
                country,
                real_name,
            } => {
                let keys = BanKeys {
                    name: who.name.clone(),
                    address: who.address.clone(),
                    client_id: who.client_id.clone(),
                };
                if let Some(refusal) = self.refuses(&keys, &email).await? {
                    return Ok(refusal);
                }
                let password = match password {
                    None => return Ok(Outcome::code(ResponseCode::RespRegistrationFailed)),
                    Some(Password::Plain(plain)) if self.is_short(&plain) => {
                        return Ok(Outcome::code(ResponseCode::RespPasswordTooShort));
                    }
                    Some(Password::Missing) => {
                        return Ok(Outcome::code(ResponseCode::RespPasswordTooShort));
                    }
                    Some(password) => password,
                };
                self.make(name, password, &email, &country, &real_name)
                    .await
            }
            Registration::Activate { token } => self.activate(name, &token).await,
            Registration::Forgotten => {
                let rules = self.rules();
                let recovery = &rules.chosen.recovery;
                if recovery.enabled && recovery.challenge {
                    return Ok(requested(true));
                }
                self.forgotten(who, None).await
            }
            Registration::Challenge { email } => {
                if !self.rules().chosen.recovery.challenge {
                    return Ok(Outcome::code(ResponseCode::RespFunctionNotAllowed));
                }
                self.forgotten(who, Some(&email)).await
            }
            Registration::Reset { token, password } => self.reset(name, &token, password).await,
        }
    }

    /// Why there is no new account, whatever its password is, in the order of the checks.
    async fn refuses(&self, keys: &BanKeys, email: &str) -> Result<Option<Outcome>, StoreError> {
        let held = self.rules();
        let (rules, names) = (&held.chosen.registration, &held.names);
        let refuse = |code| Ok(Some(Outcome::code(code)));
        if !rules.enabled {
            return refuse(ResponseCode::RespRegistrationDisabled);
        }
        let cleaned = Email::clean(email);
        if rules.email_required && cleaned.is_none() {
            return refuse(ResponseCode::RespEmailRequiredToRegister);
        }
        if let Some(cleaned) = &cleaned {
            let allowed = &rules.allowed_providers;
            if !allowed.is_empty() && !is_listed(allowed, cleaned.domain()) {
                let code = ResponseCode::RespEmailBlackListed;
                return Ok(Some(denied(code, NOT_ON_LIST, None)));
            }
            if is_listed(&rules.denied_providers, cleaned.domain()) {
                return refuse(ResponseCode::RespEmailBlackListed);
            }
        }
        if !names.allow(&keys.name) {
            let code = ResponseCode::RespUsernameInvalid;
            return Ok(Some(denied(code, &names.told(), None)));
        }
        if keys.name.eq_ignore_ascii_case(OWN_NAME) {
            return refuse(ResponseCode::RespUsernameInvalid);
        }
        if self.store.find(&keys.name).await?.is_some() {
            return refuse(ResponseCode::RespUserAlreadyExists);
        }
        if let (Some(most), Some(_)) = (rules.accounts_per_email, &cleaned) {
            let stored = Email::stored(email);
            if self.store.accounts_of_email(&stored).await? >= i64::from(most) {
                return refuse(ResponseCode::RespTooManyRequests);
            }
        }
        if let Some(Ban { reason, until }) = self.store.ban_of(keys).await? {
            let code = ResponseCode::RespUserIsBanned;
            return Ok(Some(denied(code, &reason, until)));
        }
        Ok(None)
    }

    /// Whether a new password is shorter than it may be.
    pub(super) fn is_short(&self, plain: &str) -> bool {
        plain.chars().count() < self.rules().chosen.registration.min_password
    }

    async fn make(
        &self,
        name: &str,
        password: Password,
        email: &str,
        country: &str,
        real_name: &str,
    ) -> Result<Outcome, StoreError> {
        let Some(password) = self.passwords.store(password).await else {
            return Ok(Outcome::code(ResponseCode::RespRegistrationFailed));
        };
        let rules = self.rules();
        let rules = &rules.chosen.registration;
        let token = passwords::token();
        let needs_activation = rules.email_required && rules.activation;
        let new = NewAccount {
            name,
            password: &password,
            email: &Email::stored(email),
            country,
            real_name,
            token: needs_activation.then_some(&*token),
            admin: 0,
        };
        let Ok(Some(_)) = self.store.create(&new).await else {
            return Ok(Outcome::code(ResponseCode::RespRegistrationFailed));
        };
        Ok(Outcome::code(match needs_activation {
            true => ResponseCode::RespRegistrationAcceptedNeedsActivation,
            false => ResponseCode::RespRegistrationAccepted,
        }))
    }

    async fn activate(&self, name: &str, token: &str) -> Result<Outcome, StoreError> {
        let found = self.store.find(name).await?;
        let found = found.filter(|found| {
            !found.active && *found.account.name == *name && is_token(token, &found.token)
        });
        let activated = match &found {
            Some(found) => self.store.activate(found).await?,
            None => false,
        };
        Ok(Outcome::code(match activated {
            true => ResponseCode::RespActivationAccepted,
            false => ResponseCode::RespActivationFailed,
        }))
    }

    async fn forgotten(&self, who: &Who, email: Option<&str>) -> Result<Outcome, StoreError> {
        let refused = Outcome::code(ResponseCode::RespFunctionNotAllowed);
        let rules = self.rules();
        let recovery = &rules.chosen.recovery;
        if !recovery.enabled {
            return Ok(refused);
        }
        let Some(found) = self.store.find(&who.name).await? else {
            return Ok(refused);
        };
        if email.is_some_and(|email| !Email::is_same(email, &found.account.email)) {
            return Ok(refused);
        }
        let life_s = recovery.token_life.as_secs_f64();
        let name = &*found.account.name;
        if self.store.has_request(name, life_s).await? {
            return Ok(requested(false));
        }
        let keys = BanKeys {
            name: name.into(),
            address: who.address.clone(),
            client_id: who.client_id.clone(),
        };
        if self.store.ban_of(&keys).await?.is_some() {
            return Ok(refused);
        }
        let token = passwords::token();
        self.store.request_password(name, &token).await?;
        Ok(requested(false))
    }

    async fn reset(
        &self,
        name: &str,
        token: &str,
        password: Option<Password>,
    ) -> Result<Outcome, StoreError> {
        let refused = Outcome::code(ResponseCode::RespFunctionNotAllowed);
        let rules = self.rules();
        let recovery = &rules.chosen.recovery;
        let Some(found) = self.store.find(name).await?.filter(|_| recovery.enabled) else {
            return Ok(refused);
        };
        let name = &*found.account.name;
        let life_s = recovery.token_life.as_secs_f64();
        let is_right = is_token(
            &token.to_ascii_lowercase(),
            &found.token.to_ascii_lowercase(),
        );
        if !is_right || !self.store.has_request(name, life_s).await? {
            return Ok(refused);
        }
        let stored = match password {
            Some(password) => self.passwords.store(password).await,
            None => None,
        };
        let Some(stored) = stored else {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        };
        self.store.set_password(name, &stored, false).await?;
        Ok(Outcome::ok())
    }
}
