//! Accounts: who somebody is, their lists, their passwords (spec: cockatrice-wire 10.3; behaviour 2, 3).

use bytes::Bytes;
use cockatrice::accounts::{CardArt, Privilege};
use lobby::cockatrice::{account::Account, questions::List};

use super::{
    Store,
    compose::{Composed, Fields},
    now,
    sql::{On, Row, Value, values},
    tables::{ActivationColumns, WarningColumns},
};
use crate::{
    store::{StoreError, time},
    unix_now,
};

/// Numbers of a name that are told to be taken, at most: whoever has that many guests of one name looks for a free one longer.
const MOST_TAKEN: i64 = 1_000;

/// An account as the check of a login sees it.
#[derive(Clone)]
pub(in crate::cockatrice) struct Found {
    pub(in crate::cockatrice) account: Account,
    /// What is stored of its password. Not for logs, hence no `Debug`.
    pub(in crate::cockatrice) password: String,
    pub(in crate::cockatrice) active: bool,
    pub(in crate::cockatrice) must_change: bool,
    /// What activates it, or a new password.
    pub(in crate::cockatrice) token: String,
}

/// An account to be made.
#[derive(Clone, Debug)]
pub struct NewAccount<'a> {
    /// Name.
    pub name: &'a str,
    /// What is stored of its password.
    pub password: &'a str,
    /// Cleaned address, or nothing.
    pub email: &'a str,
    /// Country.
    pub country: &'a str,
    /// Real name.
    pub real_name: &'a str,
    /// What activates it; `None`: it is active.
    pub token: Option<&'a str>,
    /// Bits of its rights.
    pub admin: u32,
}

const COLUMNS: &str = "CAST(u.id AS SIGNED), CAST(u.admin AS SIGNED), u.name, u.realname, u.email, u.country, \
     CAST(u.registrationDate AS CHAR), CAST(u.privlevel AS CHAR), u.leftPawnColorOverride, u.rightPawnColorOverride, \
     CAST(u.card_art_params AS CHAR), u.clientid";

type Text = Option<String>;
type Columns = (
    i64,
    i64,
    String,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
    Text,
);

fn account(row: Columns, avatar: Option<Vec<u8>>) -> Account {
    let (
        id,
        admin,
        name,
        real_name,
        email,
        country,
        registered,
        privilege,
        left,
        right,
        art,
        client,
    ) = row;
    let boxed = |text: Text| text.unwrap_or_default().into_boxed_str();
    let registered = registered.as_deref().and_then(time::parse);
    Account {
        id: u32::try_from(id).unwrap_or(0),
        name: name.into(),
        admin: u32::try_from(admin).unwrap_or(0),
        real_name: boxed(real_name),
        email: boxed(email),
        country: boxed(country),
        avatar: Bytes::from(avatar.unwrap_or_default()),
        age_s: registered.map_or(0, |at| (unix_now() - at).max(0.0) as u64),
        privilege: Privilege::read(&privilege.unwrap_or_default()),
        pawns: (boxed(left), boxed(right)),
        card_art: art.as_deref().and_then(CardArt::from_stored),
        client_id: boxed(client),
        ..Account::default()
    }
}

impl Store {
    /// The account of that name, compared without case.
    pub(in crate::cockatrice) async fn find(
        &self,
        name: &str,
    ) -> Result<Option<Found>, StoreError> {
        type Secrets = (Option<String>, i64, i64, Text);
        let text = format!("SELECT {COLUMNS} FROM ~users u WHERE u.name = ?");
        let rows: Vec<Columns> = self
            .rows_of(On::SignIn, "account", text, values![name])
            .await?;
        let Some(row) = rows.into_iter().next() else {
            return Ok(None);
        };
        let id = row.0;
        let secrets = "SELECT password_sha512, CAST(active AS SIGNED), CAST(force_password_change AS SIGNED), \
             CAST(token AS CHAR) FROM ~users WHERE id = ?";
        let secrets: Option<Secrets> = self
            .row(On::SignIn, "password", (secrets, values![id]))
            .await?;
        let Some((password, active, must_change, token)) = secrets else {
            return Ok(None);
        };
        Ok(Some(Found {
            account: account(row, self.avatar(id).await?),
            password: password
                .unwrap_or_default()
                .trim_end_matches(' ')
                .to_owned(),
            active: active != 0,
            must_change: must_change != 0,
            token: token.unwrap_or_default().trim_end_matches('\0').to_owned(),
        }))
    }

    async fn avatar(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let text = "SELECT avatar_bmp FROM ~users WHERE id = ?";
        let row: Option<(Option<Vec<u8>>,)> =
            self.row(On::SignIn, "avatar", (text, values![id])).await?;
        Ok(row.and_then(|(avatar,)| avatar))
    }

    /// Who is on a list, by name, without pictures.
    pub(in crate::cockatrice) async fn list(
        &self,
        owner: u32,
        list: List,
    ) -> Result<Vec<Account>, StoreError> {
        let table = table(list);
        let text = format!(
            "SELECT {COLUMNS} FROM ~{table} l JOIN ~users u ON u.id = l.id_user2 WHERE l.id_user1 = ? ORDER BY u.name"
        );
        let rows: Vec<Columns> = self
            .rows_of(On::SignIn, "list", text, values![owner])
            .await?;
        Ok(rows.into_iter().map(|row| account(row, None)).collect())
    }

    /// Puts somebody on a list; false: they are on it.
    pub(in crate::cockatrice) async fn add_to_list(
        &self,
        owner: u32,
        list: List,
        subject: u32,
    ) -> Result<bool, StoreError> {
        if self.is_on_list(owner, list, subject).await? {
            return Ok(false);
        }
        let text = match list {
            List::Buddy => "INSERT INTO ~buddylist (id_user1, id_user2) VALUES (?, ?)",
            List::Ignore => "INSERT INTO ~ignorelist (id_user1, id_user2) VALUES (?, ?)",
        };
        self.run(On::Write, "add to list", (text, values![owner, subject]))
            .await?;
        Ok(true)
    }

    /// Whether somebody is on a list.
    pub(in crate::cockatrice) async fn is_on_list(
        &self,
        owner: u32,
        list: List,
        subject: u32,
    ) -> Result<bool, StoreError> {
        let table = table(list);
        let text = format!("SELECT 1 FROM ~{table} WHERE id_user1 = ? AND id_user2 = ?");
        let rows: Vec<(i64,)> = self
            .rows_of(On::Read, "is on list", text, values![owner, subject])
            .await?;
        Ok(!rows.is_empty())
    }

    /// Takes somebody off a list.
    pub(in crate::cockatrice) async fn remove_from_list(
        &self,
        owner: u32,
        list: List,
        subject: u32,
    ) -> Result<(), StoreError> {
        let text = match list {
            List::Buddy => "DELETE FROM ~buddylist WHERE id_user1 = ? AND id_user2 = ?",
            List::Ignore => "DELETE FROM ~ignorelist WHERE id_user1 = ? AND id_user2 = ?",
        };
        self.run(
            On::Write,
            "remove from list",
            (text, values![owner, subject]),
        )
        .await?;
        Ok(())
    }

    /// Numbers `n` for which `name_n` is an account, or the name of an open session. 0: the name itself is that of an open
    /// session of another server; on this one the lobby knows who is there, while a row may be there a moment longer.
    pub(in crate::cockatrice) async fn taken_numbers(
        &self,
        name: &str,
    ) -> Result<Vec<u32>, StoreError> {
        let text = "SELECT name FROM ~users WHERE name LIKE ? ESCAPE '!' LIMIT ?";
        let open = "SELECT user_name FROM ~sessions WHERE user_name LIKE ? ESCAPE '!' AND end_time IS NULL LIMIT ?";
        let escaped = name
            .replace('!', "!!")
            .replace('%', "!%")
            .replace('_', "!_");
        let like = format!("{escaped}!_%");
        let mut numbers = Vec::new();
        for text in [text, open] {
            let names: Vec<(String,)> = self
                .rows(
                    On::SignIn,
                    "taken names",
                    (text, values![&*like, MOST_TAKEN]),
                )
                .await?;
            let number = |(taken,): (String,)| {
                let (_, number) = taken.rsplit_once('_')?;
                let plain = number.bytes().all(|byte| byte.is_ascii_digit());
                number
                    .parse::<u32>()
                    .ok()
                    .filter(|&number| plain && number > 0)
            };
            numbers.extend(names.into_iter().filter_map(number));
        }
        if !self.is_embedded() {
            let elsewhere = "SELECT COUNT(*) FROM ~sessions WHERE user_name = ? AND id_server <> ? AND end_time IS NULL";
            let elsewhere = (elsewhere, values![name, self.server]);
            let count: Option<(i64,)> = self
                .row(On::SignIn, "sessions elsewhere", elsewhere)
                .await?;
            if count.is_some_and(|(count,)| count > 0) {
                numbers.push(0);
            }
        }
        numbers.sort_unstable();
        numbers.dedup();
        Ok(numbers)
    }

    /// How many accounts have that address.
    pub(in crate::cockatrice) async fn accounts_of_email(
        &self,
        email: &str,
    ) -> Result<i64, StoreError> {
        let text = "SELECT COUNT(*) FROM ~users WHERE email = ?";
        self.count("accounts of an address", (text, values![email]))
            .await
    }

    /// One number.
    pub(super) async fn count(
        &self,
        what: &'static str,
        statement: super::sql::Statement<'_>,
    ) -> Result<i64, StoreError> {
        let row: Option<(i64,)> = self.row(On::Read, what, statement).await?;
        Ok(row.map_or(0, |(count,)| count))
    }

    /// The same, for a text that was put together of parts of this program's own.
    pub(super) async fn count_of(
        &self,
        what: &'static str,
        (text, values): Composed<'_>,
    ) -> Result<i64, StoreError> {
        let rows: Vec<(i64,)> = self.rows_of(On::Read, what, text, values).await?;
        Ok(rows.first().map_or(0, |(count,)| *count))
    }

    /// Makes an account; `None`: the name is taken.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn create(&self, new: &NewAccount<'_>) -> Result<Option<u32>, StoreError> {
        let text = "INSERT INTO ~users (admin, name, realname, password_sha512, email, country, registrationDate, active, \
             token, clientid, adminnotes, privlevel, passwordLastChangedDate, force_password_change) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, '', '', 'NONE', ?, 0)";
        let at = now();
        let values = values![
            new.admin,
            new.name,
            new.real_name,
            new.password,
            new.email,
            new.country,
            &*at,
            new.token.is_none(),
            new.token,
            &*at,
        ];
        let mut statements = vec![(text.to_owned(), values)];
        if new.token.is_some() {
            let tables = self.tables().await?;
            let name = &tables.activations.known()?.name;
            let mail = Fields::default().set(name, new.name);
            statements.push(mail.insert("activation_emails"));
        }
        match self
            .run_all_of(On::SignIn, "create account", statements)
            .await
        {
            Ok(done) => Ok(done.first().and_then(|done| u32::try_from(done.id).ok())),
            Err(StoreError::Refused(error)) if is_taken(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Stores a password, which then need not be changed, and forgets requests for one.
    pub(in crate::cockatrice) async fn set_password(
        &self,
        name: &str,
        password: &str,
        must_change: bool,
    ) -> Result<(), StoreError> {
        let set = "UPDATE ~users SET password_sha512 = ?, force_password_change = ?, passwordLastChangedDate = ? WHERE name = ?";
        let tables = self.tables().await?;
        let mut statements = vec![(set.to_owned(), values![password, must_change, now(), name])];
        statements.extend(tables.forget_requests(name));
        self.run_all_of(On::Write, "set password", statements)
            .await?;
        Ok(())
    }

    /// Replaces what is stored of a password by another form of the same one, unless it was changed meanwhile.
    pub(in crate::cockatrice) async fn replace_password_form(
        &self,
        id: u32,
        from: &str,
        to: &str,
    ) -> Result<(), StoreError> {
        let text = "UPDATE ~users SET password_sha512 = ? WHERE id = ? AND password_sha512 = ?";
        self.run(
            On::SignIn,
            "replace a password's form",
            (text, values![to, id, from]),
        )
        .await?;
        Ok(())
    }

    /// Makes an account active that is not; false: there is none of that name and token.
    pub(in crate::cockatrice) async fn activate(&self, found: &Found) -> Result<bool, StoreError> {
        let text = "UPDATE ~users SET active = 1 WHERE id = ? AND active = 0";
        let done = self
            .run(On::SignIn, "activate", (text, values![found.account.id]))
            .await?;
        Ok(done.rows > 0)
    }

    /// Changes one column of an account; false: there is no such account.
    pub(in crate::cockatrice) async fn set(
        &self,
        id: u32,
        column: Column<'_>,
    ) -> Result<bool, StoreError> {
        let (text, value): (_, Value<'_>) = match column {
            Column::RealName(text) => ("UPDATE ~users SET realname = ? WHERE id = ?", text.into()),
            Column::Email(text) => ("UPDATE ~users SET email = ? WHERE id = ?", text.into()),
            Column::Country(text) => ("UPDATE ~users SET country = ? WHERE id = ?", text.into()),
            Column::Avatar(bytes) => (
                "UPDATE ~users SET avatar_bmp = ? WHERE id = ?",
                bytes.into(),
            ),
            Column::CardArt(text) => (
                "UPDATE ~users SET card_art_params = ? WHERE id = ?",
                text.into(),
            ),
            Column::Notes(text) => ("UPDATE ~users SET adminnotes = ? WHERE id = ?", text.into()),
            Column::Admin(bits) => ("UPDATE ~users SET admin = ? WHERE id = ?", bits.into()),
        };
        let done = self
            .run(On::Write, "change account", (text, vec![value, id.into()]))
            .await?;
        Ok(done.rows > 0)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn all(&self) -> Result<Vec<Account>, StoreError> {
        let text = format!("SELECT {COLUMNS} FROM ~users u ORDER BY u.id");
        let rows: Vec<Columns> = self.rows_of(On::Read, "accounts", text, values![]).await?;
        Ok(rows.into_iter().map(|row| account(row, None)).collect())
    }

    /// Takes an account away with its lists, decks, access to replays and warnings. What was said and recorded of it stays.
    pub(in crate::cockatrice) async fn delete(
        &self,
        id: u32,
        name: &str,
    ) -> Result<(), StoreError> {
        let of_user = |text: &str| (text.to_owned(), values![id]);
        let of_name = |text: &str| (text.to_owned(), values![name]);
        let of_pair = |text: &str| (text.to_owned(), values![id, id]);
        let tables = self.tables().await?;
        let mut statements = vec![
            of_pair("DELETE FROM ~buddylist WHERE id_user1 = ? OR id_user2 = ?"),
            of_pair("DELETE FROM ~ignorelist WHERE id_user1 = ? OR id_user2 = ?"),
            of_user("DELETE FROM ~decklist_files WHERE id_user = ?"),
            of_user("DELETE FROM ~decklist_folders WHERE id_user = ?"),
            of_user("DELETE FROM ~replays_access WHERE id_player = ?"),
            of_name("DELETE FROM ~bans WHERE user_name = ?"),
        ];
        if let Some(WarningColumns { id, .. }) = tables.warnings.if_known() {
            statements.push(of_user(&format!("DELETE FROM ~warnings WHERE {id} = ?")));
        }
        if let Some(ActivationColumns { name }) = tables.activations.if_known() {
            statements.push(of_name(&format!(
                "DELETE FROM ~activation_emails WHERE {name} = ?"
            )));
        }
        statements.extend(tables.forget_requests(name));
        statements.push(of_user("DELETE FROM ~users WHERE id = ?"));
        self.run_all_of(On::Write, "delete account", statements)
            .await?;
        Ok(())
    }

    /// An open request for a new password, if one was made less than so many seconds ago.
    pub(in crate::cockatrice) async fn has_request(
        &self,
        name: &str,
        life_s: f64,
    ) -> Result<bool, StoreError> {
        let tables = self.tables().await?;
        let requests = tables.requests.known()?;
        let text = format!(
            "SELECT {} FROM ~forgot_password m WHERE m.{} = ? ORDER BY m.{} DESC LIMIT 1",
            requests.at.text("m"),
            requests.name,
            requests.at
        );
        let rows: Vec<(Text,)> = self
            .rows_of(On::SignIn, "password request", text, values![name])
            .await?;
        let newest = rows.into_iter().next();
        let at = newest.and_then(|(at,)| time::parse(&at?));
        Ok(at.is_some_and(|at| unix_now() < at + life_s))
    }

    /// Notes a request for a new password, with the token that allows it.
    pub(in crate::cockatrice) async fn request_password(
        &self,
        name: &str,
        token: &str,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let requests = tables.requests.known()?;
        let set = "UPDATE ~users SET token = ? WHERE name = ?".to_owned();
        let request = Fields::default()
            .set(&requests.name, name)
            .set(&requests.at, now())
            .set(&requests.emailed, false);
        let mut statements: Vec<Composed<'_>> = tables.forget_requests(name).into_iter().collect();
        statements.push((set, values![token, name]));
        statements.push(request.insert("forgot_password"));
        self.run_all_of(On::SignIn, "request password", statements)
            .await?;
        Ok(())
    }
}

/// A column of an account with what it is to be.
#[derive(Clone, Copy, Debug)]
pub(in crate::cockatrice) enum Column<'a> {
    RealName(&'a str),
    Email(&'a str),
    Country(&'a str),
    Avatar(Option<&'a [u8]>),
    CardArt(Option<&'a str>),
    Notes(&'a str),
    Admin(u32),
}

fn table(list: List) -> &'static str {
    match list {
        List::Buddy => "buddylist",
        List::Ignore => "ignorelist",
    }
}

/// Whether there is such a row.
pub(super) fn is_taken(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    error.is_unique_violation()
}

/// A row that is a name.
pub(super) fn names<T: Row + Into<(String,)>>(rows: Vec<T>) -> Vec<Box<str>> {
    rows.into_iter().map(|row| row.into().0.into()).collect()
}
