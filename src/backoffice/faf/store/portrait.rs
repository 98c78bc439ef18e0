//! Everything about a player that the lobby shows (spec: faf-lifecycle 6, faf-database 4.1), in one statement.
//!
//! Groups, avatar, clan, ratings and relations have no columns in common. They are read as rows of one shape all the
//! same, because a trip to the database costs more than what is read by it.

use lobby::faf::questions::{Account, Avatar, StoredRating};

use super::rows::{Identity, narrow};

/// One thing about one player: what it is, whose, its place among its like; then up to three texts and a number.
pub(super) type Row = (
    i64,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
);

/// A row's first column.
const GROUP: i64 = 0;
const AVATAR: i64 = 1;
const CLAN: i64 = 2;
const RATING: i64 = 3;
const RELATION: i64 = 4;

/// How often a statement of [`sql`] asks for the players.
pub(super) const PLACES: usize = 5;

/// The statement for players of whom `these` is true, put behind their id: `IN (?, ?)`, for two.
pub(super) fn sql(has_avatar_id: bool, these: &str) -> String {
    // `login.avatar_id` decides if it is set, as long as the player owns that avatar (N#1095); if it is null, or the
    // schema is too old to have it, the grant with the flag does.
    let shown = if has_avatar_id {
        "a.idAvatar = l.avatar_id OR (l.avatar_id IS NULL AND a.selected = 1)"
    } else {
        "a.selected = 1"
    };
    // Texts are cast although they are texts: columns that differ in their collation can't be united.
    format!(
        "SELECT {GROUP}, CAST(a.user_id AS SIGNED), CAST(a.id AS SIGNED), \
         CAST(g.technical_name AS CHAR), CAST(NULL AS CHAR), CAST(NULL AS CHAR), CAST(NULL AS SIGNED) \
         FROM user_group_assignment a JOIN user_group g ON g.id = a.group_id WHERE a.user_id {these} \
         UNION ALL SELECT {AVATAR}, CAST(l.id AS SIGNED), CAST(a.id AS SIGNED), \
         CAST(v.url AS CHAR), CAST(v.tooltip AS CHAR), NULL, NULL \
         FROM login l JOIN avatars a ON a.idUser = l.id AND ({shown}) \
         JOIN avatars_list v ON v.id = a.idAvatar WHERE l.id {these} \
         UNION ALL SELECT {CLAN}, CAST(m.player_id AS SIGNED), 0, CAST(c.tag AS CHAR), NULL, NULL, NULL \
         FROM clan_membership m JOIN clan c ON c.id = m.clan_id WHERE m.player_id {these} \
         UNION ALL SELECT {RATING}, CAST(r.login_id AS SIGNED), CAST(b.id AS SIGNED), CAST(b.technical_name AS CHAR), \
         CAST(r.mean AS CHAR), CAST(r.deviation AS CHAR), CAST(r.total_games AS SIGNED) \
         FROM leaderboard_rating r JOIN leaderboard b ON b.id = r.leaderboard_id WHERE r.login_id {these} \
         UNION ALL SELECT {RELATION}, CAST(f.user_id AS SIGNED), CAST(f.subject_id AS SIGNED), \
         CAST(f.status AS CHAR), NULL, NULL, NULL FROM friends_and_foes f WHERE f.user_id {these}"
    )
}

/// Brings rows into the order in which [`account`] wants them.
pub(super) fn sort(rows: &mut [Row]) {
    rows.sort_unstable_by_key(|&(what, player, place, ..)| (player, what, place));
}

/// Puts a player together from sorted rows, among which may be those of others.
pub(super) fn account(who: &Identity, rows: &[Row]) -> sqlx::Result<Account> {
    let id = i64::from(who.id);
    let begin = rows.partition_point(|&(_, player, ..)| player < id);
    let own = rows[begin..]
        .iter()
        .take_while(|&&(_, player, ..)| player == id);
    let mut account = Account {
        id: who.id,
        login: who.login.as_str().into(),
        ..Account::default()
    };
    let mut avatars = 0;
    for (what, _, place, first, second, third, number) in own {
        let text = || first.clone().unwrap_or_default();
        match *what {
            GROUP => account.groups.push(text()),
            // The first one is shown, or nothing.
            AVATAR => {
                avatars += 1;
                if let (1, Some(url), Some(tooltip)) = (avatars, first, second) {
                    let (url, tooltip) = (url.clone(), tooltip.clone());
                    account.avatar = Avatar { url, tooltip }.shown().map(Box::new);
                }
            }
            CLAN => account.clan = account.clan.or_else(|| Some(text().into())),
            RATING => account.ratings.push(StoredRating {
                leaderboard: text(),
                mean: six_digits(second.as_deref().unwrap_or_default())?,
                deviation: six_digits(third.as_deref().unwrap_or_default())?,
                games: number.map_or(0, |games| u32::try_from(games).unwrap_or(0)),
            }),
            _ => {
                let friend = first.as_deref() == Some("FRIEND");
                let list = if friend {
                    &mut account.friends
                } else {
                    &mut account.foes
                };
                list.push(narrow(*place)?);
            }
        }
    }
    Ok(account)
}

/// A FLOAT column as the reference reads it: six significant digits (spec: faf-observed, Login). MariaDB's text has no
/// more already; the embedded store's has.
fn six_digits(text: &str) -> sqlx::Result<f64> {
    let exact: f64 = text
        .parse()
        .map_err(|error: std::num::ParseFloatError| sqlx::Error::Decode(error.into()))?;
    Ok(format!("{exact:.5e}").parse().unwrap_or(exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_have_six_significant_digits() {
        assert_eq!(six_digits("1765.5119").unwrap(), 1765.51);
        assert_eq!(six_digits("62.52").unwrap(), 62.52);
        assert_eq!(six_digits("-0.000123456789").unwrap(), -0.000123457);
        assert_eq!(six_digits("2000.0").unwrap(), 2000.0);
        assert!(six_digits("x").is_err());
    }

    #[test]
    fn a_player_is_put_together_from_his_own_rows() {
        let row = |what, player, place, text: &str| {
            let text = Some(text.to_owned());
            (what, player, place, text, None, None, None)
        };
        let mut rows = vec![
            row(RELATION, 2, 9, "FOE"),
            row(GROUP, 3, 1, "theirs"),
            row(GROUP, 2, 8, "second"),
            row(RELATION, 2, 4, "FRIEND"),
            row(RELATION, 1, 5, "FRIEND"),
            row(GROUP, 2, 7, "first"),
            row(CLAN, 2, 0, "TAG"),
            row(RATING, 3, 1, "global"),
        ];
        sort(&mut rows);
        let who = |id| Identity {
            id,
            login: "x".to_owned(),
        };
        let account = |id| account(&who(id), &rows);
        let second = account(2).unwrap();
        assert_eq!(second.groups, ["first", "second"]);
        assert_eq!(second.clan.as_deref(), Some("TAG"));
        assert_eq!(
            (second.friends.to_vec(), second.foes.to_vec()),
            (vec![4], vec![9])
        );
        assert_eq!(account(1).unwrap().friends, [5]);
        // A rating without a number is their failure alone.
        assert!(account(3).is_err());
        assert!(account(4).unwrap().groups.is_empty());
    }
}
