//! Mail that waits to be sent (spec: cockatrice-behaviour 16).

use super::{
    Store,
    compose::Fields,
    sql::{On, values},
    tables::{ActivationColumns, RequestColumns},
};
use crate::store::StoreError;

/// Mails of a kind that are looked at together.
const AT_ONCE: u32 = 1_000;

/// A mail with a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::cockatrice) struct Waiting {
    /// It activates an account; otherwise it allows a new password.
    pub(in crate::cockatrice) is_activation: bool,
    pub(in crate::cockatrice) name: String,
    pub(in crate::cockatrice) email: String,
    pub(in crate::cockatrice) token: String,
}

impl Store {
    /// Some of the mail that waits. What has neither address nor token is none.
    pub(in crate::cockatrice) async fn waiting_mail(&self) -> Result<Vec<Waiting>, StoreError> {
        type Row = (String, Option<String>, Option<String>);
        let tables = self.tables().await?;
        let new = tables.activations.if_known().map(|ActivationColumns { name }| {
            format!(
                "SELECT u.name, u.email, CAST(u.token AS CHAR) FROM ~activation_emails m JOIN ~users u ON u.name = m.{name} \
                 WHERE u.active = 0 LIMIT ?"
            )
        });
        let forgotten = tables.requests.if_known().map(|RequestColumns { name, emailed, .. }| {
            format!(
                "SELECT u.name, u.email, CAST(u.token AS CHAR) FROM ~forgot_password m JOIN ~users u ON u.name = m.{name} \
                 WHERE m.{emailed} = 0 LIMIT ?"
            )
        });
        let kinds = [(true, new), (false, forgotten)];
        let mut waiting = Vec::new();
        for (is_activation, text) in kinds {
            let Some(text) = text else {
                continue;
            };
            let rows: Vec<Row> = self
                .rows_of(On::Read, "waiting mail", text, values![AT_ONCE])
                .await?;
            waiting.extend(rows.into_iter().map(|(name, email, token)| Waiting {
                is_activation,
                name,
                email: email.unwrap_or_default(),
                token: token.unwrap_or_default().trim_end_matches('\0').to_owned(),
            }));
        }
        Ok(waiting)
    }

    /// A mail was sent.
    pub(in crate::cockatrice) async fn mail_sent(&self, mail: &Waiting) -> Result<(), StoreError> {
        let name = &*mail.name;
        let tables = self.tables().await?;
        let statement = match mail.is_activation {
            true => {
                let column = &tables.activations.known()?.name;
                let text = format!("DELETE FROM ~activation_emails WHERE {column} = ?");
                (text, values![name])
            }
            false => {
                let requests = tables.requests.known()?;
                let which = format!("{} = ?", requests.name);
                let sent = Fields::default().set(&requests.emailed, true);
                sent.update("forgot_password", &which, values![name])
            }
        };
        self.run_of(On::Write, "mail sent", statement).await?;
        Ok(())
    }
}
