//! The steps that the lobby asks for, together in one transaction.

use std::sync::atomic::Ordering;

use lobby::vcmi_json::{
    ChannelType, Cookie, Mod,
    questions::{Account, Line, Match, Outcome, PastRoom, Status, Step},
};

use super::{Store, hashed, moment, seconds, transaction::Transaction};
use crate::store::{Cause, StoreError, cause, value::values};

/// So often in a row the same steps are tried that fail for a reason that is not known. Then the step that fails is given up: all of
/// the lobby waits behind it.
pub(in crate::vcmi_json) const PUZZLING: u32 = 30;

type Text = Option<String>;

impl Store {
    /// Does the steps in order. A step that the database refuses leaves the others as they are, and so does one that has failed for
    /// a reason that is not known as often as [`PUZZLING`] says.
    ///
    /// # Errors
    /// None of them is done.
    pub(in crate::vcmi_json) async fn work(
        &self,
        steps: Vec<Step>,
    ) -> Result<Vec<Outcome>, StoreError> {
        let work = async {
            let mut transaction = self.writing().await?;
            let mut outcomes = Vec::with_capacity(steps.len());
            for step in &steps {
                outcomes.push(match transaction.step(step).await {
                    Ok(outcome) => outcome,
                    Err(error) if self.is_given_up(cause(&error)) => {
                        tracing::error!(%error, "a step of VCMI's JSON lobby was refused");
                        Outcome::Refused
                    }
                    Err(error) => return Err(error),
                });
            }
            transaction.commit().await?;
            self.puzzling.store(0, Ordering::Relaxed);
            Ok(outcomes)
        };
        self.database.call("VCMI JSON steps", work).await
    }

    /// Whether a step that has failed is left out. The lobby asks for the same steps again, and for nothing else, until they are done.
    fn is_given_up(&self, cause: Cause) -> bool {
        match cause {
            Cause::Refused => true,
            Cause::Away => false,
            Cause::Unknown => self.puzzling.fetch_add(1, Ordering::Relaxed) + 1 >= PUZZLING,
        }
    }
}

impl Transaction {
    async fn step(&mut self, step: &Step) -> sqlx::Result<Outcome> {
        Ok(match step {
            Step::FindAccount { id } => Outcome::Account(self.account(id).await?),
            Step::SignIn { id, cookie } => Outcome::SignIn(self.signed_in(id, cookie).await?),
            Step::FindRoom { id } => Outcome::Room(self.room(id).await?),
            Step::FindMatches { account, most } => {
                Outcome::Matches(self.matches(account, *most).await?)
            }
            Step::FindLines {
                kind,
                channel,
                most,
            } => Outcome::Lines(self.lines(*kind, channel, *most, 0).await?),
            Step::Register {
                id,
                cookie,
                name,
                at,
            } => Outcome::Registered(self.register(id, cookie, name, *at).await?),
            change => {
                self.change(change).await?;
                Outcome::Done
            }
        })
    }

    async fn account(&mut self, id: &str) -> sqlx::Result<Option<Account>> {
        let text =
            "SELECT CAST(id AS SIGNED), accountID, displayName FROM accounts WHERE accountID = ?";
        let row = self.row::<(i64, Text, Text)>((text, values![id])).await?;
        let account = row.map(|(number, id, name)| Account {
            number,
            id: id.unwrap_or_default(),
            name: name.unwrap_or_default(),
        });
        // MariaDB takes an ID with blanks behind it for the one without (it compares as if padded).
        Ok(account.filter(|account| account.id == id))
    }

    async fn signed_in(
        &mut self,
        id: &str,
        cookie: &Cookie,
    ) -> sqlx::Result<Option<(Account, bool)>> {
        let Some(account) = self.account(id).await? else {
            return Ok(None);
        };
        let text = "SELECT CAST(COUNT(*) AS SIGNED) FROM accountCookies WHERE accountID = ? AND cookieUUID = ?";
        let found = self.number((text, values![id, hashed(&cookie.0)])).await?;
        Ok(Some((account, found > 0)))
    }

    /// Names are compared without regard to case. The same account is found again when the steps are done anew.
    async fn register(
        &mut self,
        id: &str,
        cookie: &Cookie,
        name: &str,
        at: u64,
    ) -> sqlx::Result<bool> {
        let taken = match self.is_embedded() {
            true => "SELECT accountID FROM accounts WHERE displayName = ? COLLATE NOCASE",
            false => "SELECT accountID FROM accounts WHERE displayName = ?",
        };
        if let Some((owner,)) = self.row::<(Text,)>((taken, values![name])).await? {
            return Ok(owner.as_deref() == Some(id));
        }
        let at = moment(at);
        let account = "INSERT INTO accounts (accountID, displayName, online, lastLoginTime, creationTime) VALUES (?, ?, 0, ?, ?)";
        self.run((account, values![id, name, at.as_str(), at.as_str()]))
            .await?;
        let stored =
            "INSERT INTO accountCookies (accountID, cookieUUID, creationTime) VALUES (?, ?, ?)";
        self.run((stored, values![id, hashed(&cookie.0), at.as_str()]))
            .await?;
        Ok(true)
    }

    /// The newest lines of a channel that were said after this moment, the oldest first.
    pub(super) async fn lines(
        &mut self,
        kind: ChannelType,
        channel: &str,
        most: u32,
        after: u64,
    ) -> sqlx::Result<Vec<Line>> {
        let text = "SELECT m.senderName, a.displayName, m.messageText, CAST(m.creationTime AS CHAR) FROM chatMessages m \
             LEFT JOIN accounts a ON a.accountID = m.senderName WHERE m.channelType = ? AND m.channelName = ? \
             AND m.creationTime > ? ORDER BY m.id DESC LIMIT ?";
        let values = values![kind.word(), channel, moment(after), most];
        let rows = self
            .rows::<(Text, Text, Text, Text)>((text, values))
            .await?;
        let lines = rows
            .into_iter()
            .rev()
            .map(|(account, name, text, at)| Line {
                account: account.unwrap_or_default(),
                name: name.unwrap_or_default(),
                text: text.unwrap_or_default(),
                at: seconds(at.as_deref()),
            });
        Ok(lines.collect())
    }

    async fn room(&mut self, id: &str) -> sqlx::Result<Option<PastRoom>> {
        let text = "SELECT CAST(status AS SIGNED), hostAccountID FROM gameRooms WHERE roomID = ? ORDER BY id DESC LIMIT 1";
        let Some((status, host)) = self.row::<(i64, Text)>((text, values![id])).await? else {
            return Ok(None);
        };
        let text = "SELECT accountID FROM gameRoomPlayers WHERE roomID = ? ORDER BY id";
        let participants = self.rows::<(Text,)>((text, values![id])).await?;
        Ok(Some(PastRoom {
            status: status_of(status),
            host: host.unwrap_or_default(),
            participants: participants.into_iter().filter_map(|(id,)| id).collect(),
        }))
    }

    async fn matches(&mut self, account: &str, most: u32) -> sqlx::Result<Vec<Match>> {
        let text = "SELECT r.roomID, r.hostAccountID, h.displayName, r.description, CAST(r.playerLimit AS SIGNED), \
             CAST(r.creationTime AS CHAR) FROM gameRooms r LEFT JOIN accounts h ON h.accountID = r.hostAccountID \
             WHERE r.status = 5 AND r.roomID IN (SELECT p.roomID FROM gameRoomPlayers p WHERE p.accountID = ?) \
             ORDER BY r.id DESC LIMIT ?";
        type Columns = (Text, Text, Text, Text, i64, Text);
        let rows = self.rows::<Columns>((text, values![account, most])).await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let text = "SELECT q.roomID, q.accountID, a.displayName FROM gameRoomPlayers q \
             LEFT JOIN accounts a ON a.accountID = q.accountID \
             WHERE q.roomID IN (SELECT p.roomID FROM gameRoomPlayers p WHERE p.accountID = ?) ORDER BY q.id";
        let players = self
            .rows::<(Text, Text, Text)>((text, values![account]))
            .await?;
        let mut of_rooms = std::collections::HashMap::<String, Vec<(String, String)>>::new();
        for (room, id, name) in players {
            let players = of_rooms.entry(room.unwrap_or_default()).or_default();
            players.push((id.unwrap_or_default(), name.unwrap_or_default()));
        }
        let matches = rows
            .into_iter()
            .map(|(room, host, name, description, limit, at)| {
                let room = room.unwrap_or_default();
                Match {
                    participants: of_rooms.get(&room).cloned().unwrap_or_default(),
                    room,
                    host: (host.unwrap_or_default(), name.unwrap_or_default()),
                    description: description.unwrap_or_default(),
                    player_limit: u32::try_from(limit).unwrap_or(0),
                    at: seconds(at.as_deref()),
                }
            });
        Ok(matches.collect())
    }

    /// A step that finds nothing. Done again, all but a line of chat change nothing more.
    async fn change(&mut self, step: &Step) -> sqlx::Result<()> {
        match step {
            Step::CameOnline { id, at } => {
                let text = "UPDATE accounts SET online = 1, lastLoginTime = ? WHERE accountID = ?";
                self.run((text, values![moment(*at), id.as_str()])).await
            }
            Step::WentOffline { id } => {
                let text = "UPDATE accounts SET online = 0 WHERE accountID = ?";
                self.run((text, values![id.as_str()])).await
            }
            Step::Say {
                account,
                kind,
                channel,
                text: said,
                at,
            } => {
                let text = "INSERT INTO chatMessages (senderName, channelType, channelName, messageText, creationTime) \
                     VALUES (?, ?, ?, ?, ?)";
                let values = values![
                    account.as_str(),
                    kind.word(),
                    channel.as_str(),
                    said.as_str(),
                    moment(*at)
                ];
                self.run((text, values)).await
            }
            _ => self.change_room(step).await,
        }
    }

    /// The same of a room.
    async fn change_room(&mut self, step: &Step) -> sqlx::Result<()> {
        match step {
            Step::MakeRoom {
                id,
                version,
                host,
                at,
                mods,
            } => self.make_room((id, version, host), *at, mods).await,
            Step::SetStatus { room, status } => {
                let text = "UPDATE gameRooms SET status = ? WHERE roomID = ?";
                self.run((text, values![*status as u32, room.as_str()]))
                    .await
            }
            Step::OpenRoom {
                room,
                status,
                player_limit,
            } => {
                let text = "UPDATE gameRooms SET status = ?, playerLimit = ? WHERE roomID = ?";
                let values = values![*status as u32, *player_limit, room.as_str()];
                self.run((text, values)).await
            }
            Step::Describe { room, description } => {
                let text = "UPDATE gameRooms SET description = ? WHERE roomID = ?";
                self.run((text, values![description.as_str(), room.as_str()]))
                    .await
            }
            Step::Join { room, account } => {
                self.leave(room, account).await?;
                let text = "INSERT INTO gameRoomPlayers (roomID, accountID) VALUES (?, ?)";
                self.run((text, values![room.as_str(), account.as_str()]))
                    .await
            }
            Step::Leave { room, account } => self.leave(room, account).await,
            Step::Invite { room, account } => {
                let values = || values![room.as_str(), account.as_str()];
                let old = "DELETE FROM gameRoomInvites WHERE roomID = ? AND accountID = ?";
                self.run((old, values())).await?;
                let text = "INSERT INTO gameRoomInvites (roomID, accountID) VALUES (?, ?)";
                self.run((text, values())).await
            }
            Step::FindAccount { .. }
            | Step::SignIn { .. }
            | Step::FindRoom { .. }
            | Step::FindMatches { .. }
            | Step::FindLines { .. }
            | Step::Register { .. }
            | Step::CameOnline { .. }
            | Step::WentOffline { .. }
            | Step::Say { .. } => Ok(()),
        }
    }

    async fn leave(&mut self, room: &str, account: &str) -> sqlx::Result<()> {
        let text = "DELETE FROM gameRoomPlayers WHERE roomID = ? AND accountID = ?";
        self.run((text, values![room, account])).await
    }

    /// Nothing is left of a room of that id, which has ended without a match.
    async fn make_room(
        &mut self,
        (id, version, host): (&str, &str, &str),
        at: u64,
        mods: &[Mod],
    ) -> sqlx::Result<()> {
        for text in [
            "DELETE FROM gameRooms WHERE roomID = ?",
            "DELETE FROM gameRoomPlayers WHERE roomID = ?",
            "DELETE FROM gameRoomInvites WHERE roomID = ?",
            "DELETE FROM gameRoomMods WHERE roomID = ?",
        ] {
            self.run((text, values![id])).await?;
        }
        let text = "INSERT INTO gameRooms (roomID, version, hostAccountID, description, status, playerLimit, creationTime) \
             VALUES (?, ?, ?, '', 0, 8, ?)";
        self.run((text, values![id, version, host, moment(at)]))
            .await?;
        for one in mods {
            let text =
                "INSERT INTO gameRoomMods (roomID, modID, modName, modVersion) VALUES (?, ?, ?, ?)";
            let values = values![id, one.id.as_str(), one.name.as_str(), one.version.as_str()];
            self.run((text, values)).await?;
        }
        Ok(())
    }
}

/// The state of this number; one that nobody knows is over.
pub(super) fn status_of(number: i64) -> Status {
    let known = usize::try_from(number).ok();
    let known = known.and_then(|number| Status::ALL.get(number));
    known.copied().unwrap_or(Status::Cancelled)
}
