//! What an operator may choose about accounts of the Cockatrice lobby (spec: cockatrice-behaviour 15).

use std::{path::PathBuf, time::Duration};

use cockatrice::accounts::{NameRules, NameSettings};

use super::{mail, store::is_prefix};

settings::settings! {
    /// Where accounts are, and what they may be.
    #[derive(Clone, Debug)]
    pub struct Accounts {
        /// The database of the Cockatrice lobby: "sqlite:FILE" for one of its own, "mysql://USER:PASSWORD@HOST:PORT/NAME" for the
        /// reference server's, of schema version 36. "{data_dir}" stands for server.data_dir.
        store_url: String = "cockatrice.store_url", prefixed(&["sqlite:", "mysql:", "mariadb:"]), "sqlite:{data_dir}/cockatrice.db?mode=rwc";
        /// What the names of its tables begin with on a MariaDB or MySQL server.
        prefix: String = "cockatrice.store_prefix", text(), "cockatrice_";
        /// This server's number in tables that several servers share.
        server: u32 = "cockatrice.server_id", number(0, 2_147_483_647), "0";
        /// Whether rooms are those that the tables "rooms" and "rooms_gametypes" of a MariaDB or MySQL server have for
        /// cockatrice.server_id, in place of cockatrice.rooms. They are read at the start; if the database is not there then, they
        /// are what they were at the start before, and without one before the server does not start.
        rooms_in_store: bool = "cockatrice.rooms_in_store", flag(), "false";
        /// Whether a slow hash (Argon2) is stored of what clients send as a password, which is the stored value itself otherwise:
        /// whoever reads the database then can't sign in. The reference server does not understand it. What is stored of an account
        /// changes when it is signed in to.
        strong_passwords: bool = "cockatrice.strong_passwords", flag(), "false";
        /// Which names accounts may have.
        names: Names;
        /// New accounts.
        registration: Registration;
        /// Forgotten passwords.
        recovery: Recovery;
        /// How mail is sent.
        mail: Mail;
        /// What moderators can do.
        moderation: Moderation;
        /// What is written down of what people do about accounts.
        records: Records;
    }
}

impl Accounts {
    /// What does not go together or means nothing, in words that name the key.
    pub fn fault(&self) -> Option<String> {
        let Names {
            min_length,
            max_length,
            ..
        } = self.names;
        if min_length > max_length {
            return Some(format!(
                "cockatrice.name_min_length ({min_length}) is above cockatrice.name_max_length ({max_length}): no name would be allowed"
            ));
        }
        if let Err(error) = NameRules::new(self.names.rules()) {
            return Some(format!("cockatrice.name_disallowed_expressions: {error}"));
        }
        if self.rooms_in_store && self.store_url.starts_with("sqlite:") {
            return Some(
                "cockatrice.rooms_in_store: the embedded store has no rooms; set cockatrice.rooms, or cockatrice.store_url to a \
                 MariaDB or MySQL server"
                    .to_owned(),
            );
        }
        if let Some(fault) = mail::fault(&self.mail) {
            return Some(fault);
        }
        (!is_prefix(&self.prefix)).then(|| {
            format!(
                "cockatrice.store_prefix = {:?} is not allowed; allowed are letters, digits and _, at most 32",
                self.prefix
            )
        })
    }
}

settings::settings! {
    /// Which names accounts, and with accounts guests, may have (spec: cockatrice-wire 10.6).
    #[derive(Clone, Debug)]
    pub struct Names {
        /// Shortest name.
        min_length: usize = "cockatrice.name_min_length", number(1, 35), "6", unit("characters"), live;
        /// Longest name.
        max_length: usize = "cockatrice.name_max_length", number(1, 35), "12", unit("characters"), live;
        /// Whether a name may have small letters.
        lowercase: bool = "cockatrice.name_lowercase", flag(), "true", live;
        /// Whether a name may have capital letters.
        uppercase: bool = "cockatrice.name_uppercase", flag(), "true", live;
        /// Whether a name may have digits.
        digits: bool = "cockatrice.name_digits", flag(), "true", live;
        /// Other characters that a name may have.
        punctuation: String = "cockatrice.name_punctuation", text(), "_", live;
        /// Whether a name may begin with one of them.
        punctuation_prefix: bool = "cockatrice.name_punctuation_prefix", flag(), "false", live;
        /// Words that no name may have in it, in any case, with commas between them.
        words: String = "cockatrice.name_disallowed_words", text(), "", live;
        /// Regular expressions that no name may match as a whole, with commas between them.
        expressions: String = "cockatrice.name_disallowed_expressions", text(), "", live;
        /// What people are told instead of the disallowed words. Empty: the words.
        displayed_words: Option<String> = "cockatrice.name_displayed_words", text(), "", live;
    }
}

impl Names {
    /// For the rules.
    pub(super) fn rules(&self) -> NameSettings {
        NameSettings {
            min_length: self.min_length,
            max_length: self.max_length,
            lowercase: self.lowercase,
            uppercase: self.uppercase,
            digits: self.digits,
            punctuation_prefix: self.punctuation_prefix,
            punctuation: self.punctuation.clone(),
            words: self.words.clone(),
            expressions: self.expressions.clone(),
            displayed_words: self.displayed_words.clone(),
        }
    }
}

settings::settings! {
    /// New accounts (spec: cockatrice-behaviour 3.3).
    #[derive(Clone, Debug)]
    pub struct Registration {
        /// Whether people may make accounts.
        enabled: bool = "cockatrice.registration", flag(), "false", live;
        /// Whether that takes an e-mail address.
        email_required: bool = "cockatrice.registration_email", flag(), "true", live;
        /// Whether a token is sent to that address, without which the account can't be used.
        activation: bool = "cockatrice.registration_activation", flag(), "true", live;
        /// Accounts of one e-mail address. 0: no limit.
        accounts_per_email: Option<u32> = "cockatrice.accounts_per_email", number(0, 1_000_000), "0", unit("accounts"), live;
        /// Providers of e-mail, with commas between them, whose addresses are not taken.
        denied_providers: String = "cockatrice.email_denied_providers", text(), "", live;
        /// The only providers whose addresses are taken. Empty: all.
        allowed_providers: String = "cockatrice.email_allowed_providers", text(), "", live;
        /// Shortest password.
        min_password: usize = "cockatrice.min_password_length", number(0, 255), "6", unit("characters"), live;
        /// Accounts that may be made from one address in a minute in the long run; 20 at once. Loopback is exempt. 0: no limit.
        per_minute: Option<u32> = "cockatrice.registrations_per_minute_per_address", number(0, 1_000_000), "5", unit("accounts/min"), live;
    }
}

settings::settings! {
    /// Forgotten passwords (spec: cockatrice-behaviour 3.3).
    #[derive(Clone, Debug)]
    pub struct Recovery {
        /// Whether a token for a new password is sent to an account's e-mail address.
        enabled: bool = "cockatrice.password_recovery", flag(), "false", live;
        /// How long that token counts.
        token_life: Duration = "cockatrice.password_recovery_s", number(60, 31_536_000), "3600", unit("s"), live;
        /// Whether whoever asks for it has to know the address.
        challenge: bool = "cockatrice.password_recovery_challenge", flag(), "false", live;
    }
}

settings::settings! {
    /// How mail is sent.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Mail {
        /// Folder where each mail is put as a file, for another program to send. Empty: none.
        folder: Option<PathBuf> = "cockatrice.mail_folder", text(), "", live;
        /// Program that sends a mail which it reads from its standard input, with arguments after spaces: "sendmail -t" for example.
        /// Empty: none.
        command: Option<String> = "cockatrice.mail_command", text(), "", live;
        /// Mail server that takes mail by SMTP: "smtps://USER:PASSWORD@HOST:PORT" with TLS from the beginning,
        /// "smtp://USER:PASSWORD@HOST:PORT?tls=required" with STARTTLS, "?tls=opportunistic" with STARTTLS if the server offers it,
        /// "smtp://HOST:PORT" without. User and password are percent-encoded. Empty: none. Without folder, command and server no mail
        /// is sent.
        smtp_url: Option<String> = "cockatrice.smtp_url", prefixed_or_off(&["smtp://", "smtps://"]), "", live;
        /// Whether the mail server may show any certificate: whoever is between can then read the mail, and the password.
        smtp_accept_all_certificates: bool = "cockatrice.smtp_accept_all_certificates", flag(), "false", live;
        /// Who mail is from: an address, or "NAME <ADDRESS>".
        sender: String = "cockatrice.mail_sender", text(), "cockatrice@localhost", live;
        /// Subject of the mail that activates an account.
        activation_subject: String = "cockatrice.activation_subject", text(), "Cockatrice server account activation token", live;
        /// Its text; %username and %token stand for the account's.
        activation_text: String = "cockatrice.activation_text", text(), "Hello %username, the token for your new account is: %token", live;
        /// Subject of the mail for a forgotten password.
        recovery_subject: String = "cockatrice.password_recovery_subject", text(), "Cockatrice server password recovery", live;
        /// Its text; %username and %token stand for the account's.
        recovery_text: String = "cockatrice.password_recovery_text", text(), "Hello %username, the token for a new password is: %token", live;
    }
}

settings::settings! {
    /// What moderators can do, and what users can ask of them.
    #[derive(Clone, Debug)]
    pub struct Moderation {
        /// What users are warned of, with commas between them; each perhaps followed by | and a level.
        warnings: String = "cockatrice.official_warnings", text(), "", live;
        /// Addresses that are never banned, with commas between them.
        trusted: String = "cockatrice.trusted_sources", text(), "127.0.0.1,::1", live;
        /// Whether moderators may read what was said.
        log_query: bool = "cockatrice.log_query", flag(), "false", live;
        /// Reports of one user in a day. 0: no limit.
        reports_per_day: Option<u32> = "cockatrice.reports_per_day", number(0, 1_000_000), "10", unit("reports"), live;
        /// Comments of one user on reports in an hour. 0: no limit.
        comments_per_hour: Option<u32> = "cockatrice.report_comments_per_hour", number(0, 1_000_000), "30", unit("comments"), live;
    }
}

settings::settings! {
    /// What is written down of what people do about accounts.
    #[derive(Clone, Debug)]
    pub struct Records {
        /// Whether it is written down who did what about accounts. Without it neither of the next two counts.
        audit: bool = "cockatrice.audit", flag(), "true", live;
        /// Whether attempts to register and to activate an account are.
        audit_registration: bool = "cockatrice.audit_registration", flag(), "true", live;
        /// Whether attempts to get a new password for a forgotten one are.
        audit_recovery: bool = "cockatrice.audit_recovery", flag(), "true", live;
    }
}

impl Records {
    /// Whether something about accounts is written down: an action of the table `audit`.
    pub(super) fn audits(&self, action: &str) -> bool {
        self.audit
            && match action {
                "REGISTER_ACCOUNT" | "ACTIVATE_ACCOUNT" => self.audit_registration,
                "PASSWORD_RESET_REQUEST" | "PASSWORD_RESET_CHALLENGE" | "PASSWORD_RESET" => {
                    self.audit_recovery
                }
                _ => true,
            }
    }
}

#[cfg(test)]
mod tests {
    use settings::Group as _;

    use super::*;

    #[test]
    fn what_the_store_is_opened_with_holds_until_the_end() {
        let keys = Accounts::keys().into_iter();
        let fixed: Vec<_> = keys
            .filter(|key| !key.live)
            .map(|key| key.own_name())
            .collect();
        let wanted = [
            "store_url",
            "store_prefix",
            "server_id",
            "rooms_in_store",
            "strong_passwords",
        ];
        assert_eq!(fixed, wanted);
    }

    #[test]
    fn each_kind_of_action_is_written_down_if_it_is_wanted() {
        let records = Records {
            audit_registration: false,
            ..Records::default()
        };
        assert!(!records.audits("REGISTER_ACCOUNT") && !records.audits("ACTIVATE_ACCOUNT"));
        assert!(records.audits("PASSWORD_RESET_REQUEST") && records.audits("REMOVE_USER_AVATAR"));
        let records = Records {
            audit: false,
            ..Records::default()
        };
        assert!(!records.audits("REMOVE_USER_AVATAR"));
    }
}
