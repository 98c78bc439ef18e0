//! Replays of games (spec: cockatrice-behaviour 12, 8, 18.6).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cockatrice::messages::{
    EventReplayAdded, ResponseBody, ResponseCode, ResponseReplayDownload,
    ResponseReplayDownloadByGameId, ResponseReplayGetCode, ResponseReplayList, ServerInfoReplay,
    ServerInfoReplayMatch, SessionEventBody,
};
use lobby::{
    cockatrice::questions::{AskReplays, Outcome, ReplayRequest, Who, event},
    question::Answers,
};
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;

use super::{CockatriceHandler, handler::settled, store::Match};
use crate::store::StoreError;

/// Characters of a code behind the game's number.
const CODE_CHARACTERS: usize = 10;
/// What a replay is called that a moderator was granted.
const GRANTED: &str = "Moderator Access Replay Grant";

impl Answers<AskReplays> for CockatriceHandler {
    async fn answer(&self, AskReplays { who, request }: AskReplays) -> Outcome {
        settled(self.replays(&who, request).await)
    }
}

impl CockatriceHandler {
    async fn replays(&self, who: &Who, request: ReplayRequest) -> Result<Outcome, StoreError> {
        let of = |code| Ok(Outcome::code(code));
        let found = |found| match found {
            true => Ok(Outcome::ok()),
            false => Ok(Outcome::code(ResponseCode::RespNameNotFound)),
        };
        let (store, viewer) = (&self.store, who.id);
        match request {
            ReplayRequest::List => {
                let matches = store.matches(viewer).await?;
                Ok(Outcome::with(ResponseBody::ReplayList(
                    ResponseReplayList {
                        match_list: matches.iter().map(told).collect(),
                    },
                )))
            }
            ReplayRequest::Download(id) => match store.replay(viewer, id).await? {
                Some(encoded) => Ok(Outcome::with(ResponseBody::ReplayDownload(
                    ResponseReplayDownload {
                        replay_data: Some(encoded.into()),
                    },
                ))),
                None => of(ResponseCode::RespAccessDenied),
            },
            ReplayRequest::Modify { game, do_not_hide } => {
                found(store.keep_listed(viewer, game, do_not_hide).await?)
            }
            ReplayRequest::Delete(game) => found(store.stop_seeing(viewer, game).await?),
            ReplayRequest::GetCode(game) => {
                if !store.may_see(viewer, game).await? {
                    return of(ResponseCode::RespAccessDenied);
                }
                let code = code(game, &store.beginnings(game).await?);
                Ok(Outcome::with(ResponseBody::ReplayGetCode(
                    ResponseReplayGetCode {
                        replay_code: Some(code.into()),
                    },
                )))
            }
            ReplayRequest::SubmitCode(code) => self.submit_code(who, &code).await,
            ReplayRequest::Grant { game, moderator } => self.grant(game, &moderator).await,
            ReplayRequest::DownloadByGame(game) => match store.newest_replay(game).await? {
                Some((id, encoded)) => Ok(Outcome::with(ResponseBody::ReplayDownloadByGameId(
                    ResponseReplayDownloadByGameId {
                        replay_data: Some(encoded.into()),
                        replay_id: i32::try_from(id).ok(),
                    },
                ))),
                None => of(ResponseCode::RespNameNotFound),
            },
        }
    }

    async fn submit_code(&self, who: &Who, sent: &str) -> Result<Outcome, StoreError> {
        let unknown = Outcome::code(ResponseCode::RespNameNotFound);
        let game = match sent.split('-').collect::<Vec<_>>()[..] {
            [game, _] => game.parse::<u32>().ok(),
            _ => None,
        };
        let Some((game, id)) = game.and_then(|game| Some((game, i32::try_from(game).ok()?))) else {
            return Ok(unknown);
        };
        let beginnings = self.store.beginnings(id).await?;
        let right = code(id, &beginnings);
        let is_right = bool::from(right.as_bytes().ct_eq(sent.as_bytes()));
        if beginnings.is_empty() || !is_right {
            return Ok(unknown);
        }
        if self.store.may_see(who.id, id).await? {
            return Ok(Outcome::ok());
        }
        let name = self.store.game_name(id).await?;
        self.store.let_see(who.id, game, &name).await?;
        let mut outcome = Outcome::ok();
        let refresh = EventReplayAdded { match_info: None };
        outcome
            .before
            .push(event(SessionEventBody::ReplayAdded(refresh)));
        Ok(outcome)
    }

    async fn grant(&self, game: u32, moderator: &str) -> Result<Outcome, StoreError> {
        if !self.store.is_seen(game).await? {
            return Ok(Outcome::code(ResponseCode::RespContextError));
        }
        let Some(found) = self.store.find(moderator).await? else {
            return Ok(Outcome::code(ResponseCode::RespInternalError));
        };
        let viewer = found.account.id;
        self.store.let_see(viewer, game, GRANTED).await?;
        Ok(Outcome::ok())
    }
}

/// The code by which others may see a game.
fn code(game: i32, beginnings: &[Vec<u8>]) -> String {
    let sum = Md5::digest(beginnings.concat());
    let text = STANDARD.encode(sum);
    format!("{game}-{}", &text[..CODE_CHARACTERS])
}

fn told(played: &Match) -> ServerInfoReplayMatch<'_> {
    let replay = |&(id, seconds): &(i64, u32)| ServerInfoReplay {
        replay_id: i32::try_from(id).ok(),
        replay_name: Some((*played.replay_name).into()),
        duration: Some(seconds),
    };
    let length = played.finished_s.saturating_sub(played.started_s);
    ServerInfoReplayMatch {
        replay_list: played.replays.iter().map(replay).collect(),
        game_id: i32::try_from(played.game).ok(),
        room_name: Some((*played.room).into()),
        time_started: u32::try_from(played.started_s).ok(),
        length: u32::try_from(length).ok(),
        game_name: Some((*played.name).into()),
        player_names: played.players.iter().map(|name| (**name).into()).collect(),
        do_not_hide: Some(played.do_not_hide),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_names_the_game_and_depends_on_its_replays() {
        let code_of = |bytes: &[u8]| code(12, &[bytes.to_vec()]);
        let first = code_of(b"one");
        let (game, sum) = first.split_once('-').unwrap();
        assert_eq!((game, sum.len()), ("12", CODE_CHARACTERS));
        assert_ne!(first, code_of(b"two"));
        assert_eq!(first, code(12, &[b"o".to_vec(), b"ne".to_vec()]));
    }
}
