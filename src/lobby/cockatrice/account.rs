//! What is known of somebody with an account, and the records that others see of it (spec: cockatrice-behaviour 2).

use bytes::Bytes;
use cockatrice::{
    accounts::{CardArt, Level, Privilege},
    messages::{PawnColorsOverride, ServerInfoUser},
};
use serde::{Deserialize, Serialize};

/// An account.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Its number.
    pub id: u32,
    /// Name, in its stored spelling.
    pub name: Box<str>,
    /// The column `admin`: 1 administrator, 2 moderator, 4 judge.
    pub admin: u32,
    /// Real name; empty: none.
    pub real_name: Box<str>,
    /// E-mail address, cleaned; empty: none.
    pub email: Box<str>,
    /// Two letters; empty: none.
    pub country: Box<str>,
    /// Picture; empty: none.
    pub avatar: Bytes,
    /// Seconds since it was registered.
    pub age_s: u64,
    /// What it has for supporting the server.
    pub privilege: Privilege,
    /// The colours of its pawns, as the operator has set them; empty: none.
    pub pawns: (Box<str>, Box<str>),
    /// Card art of its profile.
    pub card_art: Option<CardArt>,
    /// The installation that it was used with last.
    pub client_id: Box<str>,
    /// Accounts on the buddy list, and on the ignore list; only where somebody signs in.
    pub buddies: Vec<Account>,
    /// See there.
    pub ignored: Vec<Account>,
    /// It was signed in to with the password in clear.
    pub showed_password: bool,
}

/// How much of a record is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// User lists, room lists, whoever created a game.
    Public,
    /// Whoever looks at it, and participants of a game.
    Profile,
    /// Buddy and ignore list.
    Entry,
    /// Whose it is. What belongs to the session (address, its number) is put in by whoever knows it.
    Own,
}

fn text(text: &str) -> Option<cockatrice::messages::Text<'_>> {
    (!text.is_empty()).then(|| text.into())
}

impl Account {
    /// Bits as in `ServerInfo_User.user_level`.
    pub fn level(&self) -> Level {
        Level::of_account(self.admin)
    }

    /// A record of it. Empty values are absent.
    pub fn record(&self, form: Form) -> ServerInfoUser<'_> {
        let own = form == Form::Own;
        let entry = form == Form::Entry;
        let (left, right) = (text(&self.pawns.0), text(&self.pawns.1));
        let has_pawns = left.is_some() || right.is_some();
        ServerInfoUser {
            name: text(&self.name),
            user_level: Some(self.level().bits()),
            address: None,
            real_name: text(&self.real_name).filter(|_| !entry),
            country: text(&self.country),
            avatar_bmp: (!self.avatar.is_empty() && !entry && form != Form::Public)
                .then(|| (&*self.avatar).into()),
            id: own.then_some(i32::try_from(self.id).unwrap_or(-1)),
            server_id: None,
            session_id: None,
            accountage_secs: (!entry).then_some(self.age_s),
            email: text(&self.email).filter(|_| own),
            clientid: text(&self.client_id).filter(|_| own),
            privlevel: Some(self.privilege.name().into()),
            pawn_colors: has_pawns.then_some(PawnColorsOverride {
                left_side: left,
                right_side: right,
            }),
            card_art_params: self
                .card_art
                .as_ref()
                .filter(|_| !entry)
                .map(CardArt::params),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        Account {
            id: 7,
            name: "alicea".into(),
            real_name: "Alice A".into(),
            email: "alice@example.org".into(),
            country: "de".into(),
            avatar: Bytes::from_static(b"picture"),
            age_s: 12,
            client_id: "cid".into(),
            ..Account::default()
        }
    }

    #[test]
    fn what_is_private_is_shown_to_its_owner_only() {
        let account = account();
        for form in [Form::Public, Form::Profile, Form::Entry] {
            let record = account.record(form);
            assert!(record.email.is_none() && record.id.is_none() && record.clientid.is_none());
            assert_eq!(record.avatar_bmp.is_some(), form == Form::Profile);
        }
        let own = account.record(Form::Own);
        assert_eq!(
            (own.id, own.email().as_ref()),
            (Some(7), "alice@example.org")
        );
        assert_eq!(own.privlevel(), "NONE");
    }

    #[test]
    fn an_entry_of_a_list_is_a_name_and_little_more() {
        let account = account();
        let entry = account.record(Form::Entry);
        assert_eq!((entry.country().as_ref(), entry.user_level()), ("de", 3));
        assert!(entry.real_name.is_none() && entry.accountage_secs.is_none());
    }
}
