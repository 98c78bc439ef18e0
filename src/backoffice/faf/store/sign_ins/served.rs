//! Groups in a MariaDB or MySQL server. Its connections work side by side, so only what reads goes in groups: it waits for
//! nobody's lock, and what one member asks can hold up no other. Several groups are under way at once, so that one whose
//! connection hangs leaves the others theirs.

use std::sync::Arc;

use lobby::faf::questions::Account;
use sqlx::{AssertSqlSafe, Encode, MySql, MySqlPool, Type};

use super::super::portrait;
use super::super::rows::Identity;
use super::groups::{Grouped, Question, Queue, Waiting};
use super::questions::{Answers, Who, give, names_and_ids};
use crate::store::Watch;

/// Groups of one kind that are under way at once.
const KEEPERS: usize = 4;
/// How many one statement is for: as few texts as that are prepared by each connection. A group that fits none of them
/// asks for its last member several times.
const SIZES: [usize; 3] = [1, 4, GROUP];
/// Sign-ins in one group: their rows are read within a millisecond, and a trip is a small part of that.
const GROUP: usize = 16;

#[derive(Debug)]
pub(crate) struct Queues {
    pub(super) finding: Queue<Waiting<Who>>,
    pub(super) showing: Queue<Waiting<Shown>>,
}

impl Queues {
    pub(super) fn open(pool: &MySqlPool, watch: &Arc<Watch>) -> Self {
        Self {
            finding: Queue::open(pool, watch, KEEPERS, GROUP),
            showing: Queue::open(pool, watch, KEEPERS, GROUP),
        }
    }
}

/// An account of which everything is asked that the lobby shows.
pub(super) struct Shown {
    pub(super) who: Identity,
    /// What the schema has; the same for all.
    pub(super) has_avatar_id: bool,
}

impl Question for Shown {
    type Answer = Account;
    const WHAT: &'static str = "load accounts";
}

impl Grouped<MySqlPool> for Shown {
    async fn answer(pool: &MySqlPool, group: &[Self]) -> sqlx::Result<Vec<sqlx::Result<Account>>> {
        let ids: Vec<i64> = filled(group).map(|shown| i64::from(shown.who.id)).collect();
        let these = format!("IN ({})", vec!["?"; ids.len()].join(","));
        let sql = portrait::sql(group.iter().any(|shown| shown.has_avatar_id), &these);
        let places = (0..portrait::PLACES).flat_map(|_| &ids);
        let query = places.fold(sqlx::query_as(AssertSqlSafe(sql.as_str())), |query, id| {
            query.bind(id)
        });
        let mut rows: Vec<portrait::Row> = query.fetch_all(pool).await?;
        portrait::sort(&mut rows);
        let account = |shown: &Self| portrait::account(&shown.who, &rows);
        Ok(group.iter().map(account).collect())
    }
}

impl Grouped<MySqlPool> for Who {
    async fn answer(pool: &MySqlPool, group: &[Self]) -> sqlx::Result<Answers> {
        let mut answers: Answers = group.iter().map(|_| Ok(None)).collect();
        let (names, ids) = names_and_ids(group);
        look_up(pool, "login", &names, &mut answers).await?;
        look_up(pool, "id", &ids, &mut answers).await?;
        Ok(answers)
    }
}

/// Looks some of a group up by a column.
async fn look_up<'a, K>(
    pool: &MySqlPool,
    column: &str,
    keys: &'a [(usize, K)],
    answers: &mut Answers,
) -> sqlx::Result<()>
where
    K: Copy + Send + Sync + Encode<'a, MySql> + Type<MySql> + 'a,
{
    if keys.is_empty() {
        return Ok(());
    }
    // Whether two names are the same is for the column to say, hence a part for each.
    let part = |number| {
        format!(
            "(SELECT {number}, CAST(l.id AS SIGNED), l.login, l.password, b.reason, CAST(b.expires_at AS CHAR), l.ip \
             FROM login l LEFT JOIN lobby_ban b ON b.idUser = l.id WHERE l.{column} = ? \
             ORDER BY b.expires_at DESC LIMIT 1)"
        )
    };
    let filled: Vec<K> = filled(keys).map(|&(_, key)| key).collect();
    let sql = (0..filled.len()).map(part).collect::<Vec<_>>();
    let sql = sql.join(" UNION ALL ");
    let query = filled
        .into_iter()
        .fold(sqlx::query_as(AssertSqlSafe(sql)), |query, key| {
            query.bind(key)
        });
    // Beyond the keys the last one is asked for again.
    give(query.fetch_all(pool).await?, keys, answers);
    Ok(())
}

/// As many as the next of [`SIZES`].
fn filled<T>(group: &[T]) -> impl Iterator<Item = &T> {
    let size = SIZES.into_iter().find(|&size| size >= group.len());
    let missing = size.map_or(0, |size| size - group.len());
    let last = group.iter().rev().take(1).cycle();
    group.iter().chain(last.take(missing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_filled_with_its_last_member() {
        let filled = |group: &[u8]| filled(group).copied().collect::<Vec<_>>();
        assert_eq!(filled(&[7]), [7]);
        assert_eq!(filled(&[7, 8]), [7, 8, 8, 8]);
        assert_eq!(filled(&[1, 2, 3, 4]), [1, 2, 3, 4]);
        assert_eq!(filled(&[1; 5]).len(), GROUP);
        assert_eq!(filled(&[1; GROUP]).len(), GROUP);
        assert!(filled(&[]).is_empty());
    }
}
