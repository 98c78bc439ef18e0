//! A store in memory, that can be out of reach.
//!
//! For whoever drives a [`Simulator`](crate::simulator::Simulator): tests, random walks, fuzzing, benchmarks. Nothing that runs in
//! a server may use it.

use std::collections::BTreeMap;

use super::{
    ChannelType,
    questions::{Account, Answer, Ask, Line, Match, Outcome, PastRoom, Status, Step, Work},
};
use crate::question::StoreFailure;

#[derive(Debug)]
struct StoredRoom {
    host: String,
    description: String,
    status: Status,
    player_limit: u32,
    at: u64,
    players: Vec<String>,
}

/// What is stored.
#[derive(Debug, Default)]
pub struct MemoryStore {
    /// Nothing can be asked.
    pub down: bool,
    /// Questions that were answered.
    pub asked: usize,
    accounts: Vec<(String, String, String)>,
    /// Whether each account that was ever there is there.
    pub online: BTreeMap<String, bool>,
    lines: Vec<(ChannelType, String, Line)>,
    rooms: BTreeMap<String, StoredRoom>,
    /// Rooms and who is invited to them.
    pub invites: Vec<(String, String)>,
}

impl MemoryStore {
    /// The answer to a question.
    pub fn answer(&mut self, ask: Ask) -> Answer {
        if self.down {
            return ask.failed(StoreFailure::Unavailable);
        }
        self.asked += 1;
        match ask {
            Ask::Begin(_) => Answer::Begin(Ok(Vec::new())),
            Ask::Work(Work(steps)) => {
                Answer::Work(Ok(steps.into_iter().map(|step| self.step(step)).collect()))
            }
        }
    }

    /// A room's state.
    pub fn status(&self, room: &str) -> Option<Status> {
        self.rooms.get(room).map(|room| room.status)
    }

    /// All lines of chat, in order.
    pub fn texts(&self) -> Vec<&str> {
        let lines = self.lines.iter();
        lines.map(|(.., line)| line.text.as_str()).collect()
    }

    fn account(&self, id: &str) -> Option<Account> {
        let number = self.accounts.iter().position(|one| one.0 == id)?;
        Some(Account {
            number: number as i64 + 1,
            id: id.to_owned(),
            name: self.accounts[number].2.clone(),
        })
    }

    fn named(&self, id: &str) -> (String, String) {
        let name = self.account(id).map(|account| account.name);
        (id.to_owned(), name.unwrap_or_default())
    }

    fn room(&mut self, id: &str, change: impl FnOnce(&mut StoredRoom)) -> Outcome {
        if let Some(room) = self.rooms.get_mut(id) {
            change(room);
        }
        Outcome::Done
    }

    fn step(&mut self, step: Step) -> Outcome {
        match step {
            Step::FindAccount { id } => Outcome::Account(self.account(&id)),
            Step::SignIn { id, cookie } => {
                let proved = self
                    .accounts
                    .iter()
                    .any(|one| one.0 == id && one.1 == cookie.0);
                Outcome::SignIn(self.account(&id).map(|account| (account, proved)))
            }
            Step::FindRoom { id } => Outcome::Room(self.rooms.get(&id).map(|room| PastRoom {
                status: room.status,
                host: room.host.clone(),
                participants: room.players.clone(),
            })),
            Step::FindMatches { account, .. } => Outcome::Matches(self.matches(&account)),
            Step::FindLines { kind, channel, .. } => {
                let lines = self.lines.iter();
                let own = lines.filter(|(of, name, _)| *of == kind && *name == channel);
                Outcome::Lines(own.map(|(.., line)| line.clone()).collect())
            }
            Step::Register {
                id, cookie, name, ..
            } => {
                let mut accounts = self.accounts.iter();
                let taken = accounts.any(|one| one.2.eq_ignore_ascii_case(&name));
                if !taken {
                    self.accounts.push((id, cookie.0, name));
                }
                Outcome::Registered(!taken)
            }
            change => self.change(change),
        }
    }

    fn matches(&self, account: &str) -> Vec<Match> {
        let closed = self.rooms.iter().filter(|(_, room)| {
            room.status == Status::Closed && room.players.iter().any(|one| one == account)
        });
        let shown = closed.map(|(id, room)| Match {
            room: id.clone(),
            host: self.named(&room.host),
            description: room.description.clone(),
            player_limit: room.player_limit,
            at: room.at,
            participants: room.players.iter().map(|one| self.named(one)).collect(),
        });
        shown.collect()
    }

    fn change(&mut self, step: Step) -> Outcome {
        match step {
            Step::CameOnline { id, .. } => drop(self.online.insert(id, true)),
            Step::WentOffline { id } => drop(self.online.insert(id, false)),
            Step::Say {
                account,
                kind,
                channel,
                text,
                at,
            } => {
                let (account, name) = self.named(&account);
                let line = Line {
                    account,
                    name,
                    text,
                    at,
                };
                self.lines.push((kind, channel, line));
            }
            Step::MakeRoom { id, host, at, .. } => {
                let room = StoredRoom {
                    host,
                    description: String::new(),
                    status: Status::Idle,
                    player_limit: 8,
                    at,
                    players: Vec::new(),
                };
                self.rooms.insert(id, room);
            }
            Step::SetStatus { room, status } => {
                return self.room(&room, |room| room.status = status);
            }
            Step::OpenRoom {
                room,
                status,
                player_limit,
            } => {
                return self.room(&room, |room| {
                    (room.status, room.player_limit) = (status, player_limit);
                });
            }
            Step::Describe { room, description } => {
                return self.room(&room, |room| room.description = description);
            }
            Step::Join { room, account } => {
                return self.room(&room, |room| room.players.push(account));
            }
            Step::Leave { room, account } => {
                return self.room(&room, |room| room.players.retain(|one| *one != account));
            }
            Step::Invite { room, account } => self.invites.push((room, account)),
            other => panic!("{other:?} finds something"),
        }
        Outcome::Done
    }
}
