//! A back office with the accounts of the server that dialogues were recorded with. It keeps replays, and nothing else.

use std::collections::BTreeMap;

use cockatrice::messages::{ResponseReplayDownload, raw};

use crate::cockatrice::{
    account::Account,
    questions::{Answer, KeepPiece, Opened, Outcome, PlayedGame, ReplayRequest, SignedIn},
};

use super::{player::accounts::ACCOUNTS, *};

/// Whose account a name is, and that its proof is right.
fn who(name: &str) -> SignedIn {
    let numbered = (1..).zip(ACCOUNTS);
    let mut found = numbered.filter(|(_, (known, ..))| *known == name);
    match found.next() {
        None => SignedIn::Unknown { taken: Vec::new() },
        Some((id, (name, _, admin, _, country, real_name))) => {
            SignedIn::Registered(Box::new(Account {
                id,
                name: name.into(),
                admin,
                country: country.into(),
                real_name: real_name.into(),
                ..Account::default()
            }))
        }
    }
}

/// Replays, with the pieces that came before their ends.
#[derive(Default)]
struct Shelf {
    /// By game and round.
    pieces: BTreeMap<(u32, u32), Vec<u8>>,
    /// By id, from 1.
    replays: Vec<Vec<u8>>,
}

impl Shelf {
    fn keep(&mut self, piece: &KeepPiece) {
        let place = (piece.game, piece.round);
        let pieces = self.pieces.entry(place).or_default();
        pieces.truncate(usize::try_from(piece.offset).expect("a place"));
        pieces.extend_from_slice(&piece.bytes);
    }

    /// Ids of the replays of a game that is over.
    fn store(&mut self, game: &PlayedGame) -> Vec<u32> {
        let numbered = (0..).zip(&game.replays);
        let ids = numbered.map(|(round, replay)| {
            let pieces = self.pieces.remove(&(game.game, round));
            let mut whole = pieces.unwrap_or_default();
            assert_eq!(whole.len() as u64, replay.on_disk);
            whole.extend_from_slice(&replay.encoded);
            let id = self.replays.len() as u32 + 1;
            raw::number(&mut whole, 1, id.into());
            self.replays.push(whole);
            id
        });
        ids.collect()
    }

    fn download(&self, id: i32) -> Outcome {
        let place = usize::try_from(id - 1).expect("a number");
        let replay = ResponseReplayDownload {
            replay_data: self.replays.get(place).map(|bytes| (&**bytes).into()),
        };
        Outcome::with(ResponseBody::ReplayDownload(replay))
    }
}

/// Answers as the recorded server's database would.
pub(super) fn answers() -> impl FnMut(Ask) -> Answer {
    let (mut sessions, mut games, mut shelf) = (0, 0, Shelf::default());
    let next = |number: &mut u32| {
        *number += 1;
        *number
    };
    move |ask| match ask {
        Ask::SignIn(question) => Answer::SignIn(Ok(who(&question.name))),
        Ask::OpenSession(_) => Answer::OpenSession(Ok(Opened {
            session: next(&mut sessions).into(),
            missed: Vec::new(),
            message: Some("<b>hello</b>".into()),
        })),
        Ask::CloseSession(_) => Answer::CloseSession(()),
        Ask::NewGame(_) => Answer::NewGame(Ok(next(&mut games))),
        Ask::KeepGame(_) => Answer::KeepGame(Ok(())),
        Ask::KeepPiece(piece) => {
            shelf.keep(&piece);
            Answer::KeepPiece(Ok(()))
        }
        Ask::StoreGame(game) => Answer::StoreGame(Ok(shelf.store(&game.0))),
        Ask::AskReplays(question) => Answer::AskReplays(match question.request {
            ReplayRequest::Download(id) => shelf.download(id),
            _ => Outcome::code(ResponseCode::RespInternalError),
        }),
        ask => ask.failed(StoreFailure::Failed),
    }
}
