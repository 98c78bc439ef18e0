//! Rules about card art (spec: cockatrice-behaviour 8, 16).

use super::{
    Store,
    compose::{Fields, text_of},
    now,
    sql::{On, values},
    tables::ArtColumns,
};
use crate::store::StoreError;

/// A rule about a card's art: card, printing, mode, reason.
pub(in crate::cockatrice) type ArtRule = (String, String, String, String);

impl ArtColumns {
    /// That a rule is about that card and printing.
    fn is(&self) -> String {
        format!("{} = ? AND {} = ?", self.card, self.provider)
    }
}

impl Store {
    /// Puts a rule about card art in the place of one that there is.
    pub(in crate::cockatrice) async fn set_art_rule(
        &self,
        (card, provider, mode, reason): (&str, &str, &str, &str),
        by: &str,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let rules = tables.art.known()?;
        let delete = format!("DELETE FROM ~card_art_name_rules WHERE {}", rules.is());
        let new = Fields::default()
            .set(&rules.card, card)
            .set(&rules.provider, provider)
            .set(&rules.mode, mode)
            .set(rules.reason.as_ref(), reason)
            .person(rules.author.as_ref(), by)
            .set(rules.at.as_ref(), now());
        let statements = vec![
            (delete, values![card, provider]),
            new.insert("card_art_name_rules"),
        ];
        self.run_all_of(On::Write, "card art rule", statements)
            .await?;
        Ok(())
    }

    /// Takes a rule about card art away.
    pub(in crate::cockatrice) async fn remove_art_rule(
        &self,
        card: &str,
        provider: &str,
    ) -> Result<(), StoreError> {
        let tables = self.tables().await?;
        let text = format!(
            "DELETE FROM ~card_art_name_rules WHERE {}",
            tables.art.known()?.is()
        );
        let values = values![card, provider];
        self.run_of(On::Write, "card art rule", (text, values))
            .await?;
        Ok(())
    }

    /// All rules about card art.
    pub(in crate::cockatrice) async fn art_rules(&self) -> Result<Vec<ArtRule>, StoreError> {
        type Row = (String, String, Option<String>, Option<String>);
        let tables = self.tables().await?;
        let rules = tables.art.known()?;
        let order = rules.id.as_ref().unwrap_or(&rules.card);
        let text = format!(
            "SELECT {}, {}, {}, {} FROM ~card_art_name_rules a ORDER BY a.{order}",
            rules.card.text("a"),
            rules.provider.text("a"),
            rules.mode.text("a"),
            text_of(rules.reason.as_ref(), "a"),
        );
        let rows: Vec<Row> = self
            .rows_of(On::Read, "card art rules", text, values![])
            .await?;
        let rule = |(card, provider, mode, reason): Row| {
            (
                card,
                provider,
                mode.unwrap_or_default(),
                reason.unwrap_or_default(),
            )
        };
        Ok(rows.into_iter().map(rule).collect())
    }

    /// Whether a card's art is denied.
    pub(in crate::cockatrice) async fn is_art_denied(
        &self,
        card: &str,
        provider: &str,
    ) -> Result<bool, StoreError> {
        let tables = self.tables().await?;
        let rules = tables.art.known()?;
        let text = format!(
            "SELECT COUNT(*) FROM ~card_art_name_rules WHERE {} AND {} = 'DENY'",
            rules.is(),
            rules.mode
        );
        let denied = self.count_of("card art denied", (text, values![card, provider]));
        Ok(denied.await? > 0)
    }
}
